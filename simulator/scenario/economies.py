"""The economies of a valid scenario: who makes, owns and wants what, from the start and after each shock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from simulator.economics.agents import Consumers, Firm
from simulator.economics.economy import Economy
from simulator.economics.user_markets import OUTSIDE, UserMarkets
from simulator.kinds.distributions import Array
from simulator.kinds.draws import DrawError, Draws, Reader, side_by_side
from simulator.kinds.numbers import Draw, draws_in
from simulator.scenario import schema
from simulator.scenario.bounds import bounds_of
from simulator.scenario.course import Turns
from simulator.scenario.fiscal import fiscal_of
from simulator.scenario.schema import SHARE_ROUNDING, ScenarioFile
from simulator.scenario.shocks import PriceMove, ShockError


class Regime(NamedTuple):
    """An economy and the tick from which it is in force, how prices are moved then, and what is `drawn` for
    the agents of an entry by its name, `(count,)` by the path of the field in it."""

    tick: int
    economy: Economy
    drawn: Callable[[str], dict[str, Array]]
    prices: tuple[PriceMove, ...] = ()


class Shocked(NamedTuple):
    """A scenario as it is from a shock on, the tick of the shock and its place in the list, how it moves prices, and
    how often agents' numbers have been drawn anew.
    """

    place: int
    tick: int
    model: ScenarioFile
    prices: tuple[PriceMove, ...] = ()
    turns: Turns = MappingProxyType({})


class Claims(NamedTuple):
    """What consumers claim of a firm's profit: shares in numbers, and how many agents share the rest equally."""

    claimed: float
    sharers: int


def markets_of(model: ScenarioFile) -> UserMarkets:
    """One market for each good; where agents plan one for each user of a good that is not rival and has several.

    An entry of several agents who are all alike is one user, who counts as many.
    """
    users: dict[str, dict[str, int]] = {}
    if model.moved_by.plans:
        users = {good: {} for good, market in model.markets.items() if not market.rival}
        for good in users.keys() & model.outside.keys():
            users[good][OUTSIDE] = 1
    if users:
        uses = [(firm, set(firm.inputs)) for firm in model.firms]
        for entry, used in [*uses, *((consumer, consumer.uses) for consumer in model.consumers)]:
            for good in users.keys() & used:
                users[good][entry.name] = entry.count or 1
    several = {good: found for good, found in users.items() if len(found) > 1 or sum(found.values()) > 1}
    return UserMarkets.of(model.markets, several)


def outside_prices(outside: Mapping[str, float], markets: UserMarkets) -> Array:
    """The price at which the outside trades in each market, `(markets,)`; not a number where it does not."""
    prices = np.array([outside.get(good, np.nan) for good in markets.goods])[markets.good]
    for places in markets.places:
        for user, at in places.items():
            if user != OUTSIDE:
                prices[at] = np.nan
    return prices


class Regimes:
    """The regimes of a scenario, made one after another; what a shock does not touch is the same object in both. What
    is `made` of an entry of the `model`, by its identity, is made once.
    """

    def __init__(self, model: ScenarioFile, markets: UserMarkets, draws: Draws, made: dict[int, Any]) -> None:
        self._model, self._markets, self._draws = model, markets, draws
        self.last = Regime(0, _economy(model, markets, draws, made), partial(drawn_in, model, draws))
        self._made = dict(made)

    def after(self, shocked: Shocked) -> Regime:
        """The regime that a shock begins. Raises `ShockError` where it leads to none."""
        place, tick, model, prices, turns = shocked
        if model is self._model:
            self.last = self.last._replace(tick=tick, prices=prices)
            return self.last
        markets = markets_of(model)
        _same_users(self._markets, markets, place)
        draws = self._draws.at(turns)
        try:
            economy = _economy(model, markets, draws, self._made)
        except DrawError as error:
            raise ShockError(("shocks", place, "set"), f"leads to {error.path}: {error.message}") from error
        _same_rows(self.last.economy, economy, place)
        # Who is gone may leave an identity to others.
        living = {id(entry) for entry in (*model.firms, *model.consumers)}
        self._made = {key: made for key, made in self._made.items() if key in living}
        self._model, self._markets, self.last = (
            model,
            markets,
            Regime(tick, economy, partial(drawn_in, model, draws), prices),
        )
        return self.last


def _same_users(before: UserMarkets, after: UserMarkets, place: int) -> None:
    """Raise `ShockError` where a good that is not rival has other users than before: each has a market of its own."""
    for good, old, new in zip(before.goods, before.places, after.places, strict=True):
        if {*old} != {*new}:
            found = f"found users of {good} (not rival) other than before the shock: {' and '.join(new) or 'one alone'}"
            raise ShockError(("shocks", place, "set"), f"{found}; expected {' and '.join(old) or 'one alone'}")


def _same_rows(before: Economy, after: Economy, place: int) -> None:
    """Raise `ShockError` where agents who were all alike begin to differ, or the other way round: they cannot be told
    apart afterwards; or where firms make or use other goods than before.
    """
    for old, new in zip(before.firms, after.firms, strict=True):
        if (old.outputs, {*old.inputs}) != (new.outputs, {*new.inputs}):
            found = f"found {new.name} making {_said(after, new)}, and before the shock {_said(before, old)}"
            raise ShockError(("shocks", place, "set"), f"{found}; expected the same goods with other numbers")
        if old.technology.constant_returns != new.technology.constant_returns:
            found = f"found {new.name} with constant returns before or after the shock, and not both"
            raise ShockError(("shocks", place, "set"), f"{found}; expected returns that stay constant, or below 1")
    sizes = _sizes(after)
    for name, size in _sizes(before).items():
        if sizes[name] != size:
            found = f"found agents of {name} who are all alike before or after the shock, and not both"
            raise ShockError(("shocks", place, "set"), f"{found}; expected a distribution from the start, or none")


def _sizes(economy: Economy) -> dict[str, int]:
    """How many rows the agents of each entry have."""
    return {firm.name: firm.rows for firm in economy.firms} | {found.name: found.size for found in economy.consumers}


def _said(economy: Economy, firm: Firm) -> str:
    """What a firm makes of what."""
    made, used = ([economy.goods[good] for good in goods] for goods in (firm.outputs, firm.inputs))
    return f"{' and '.join(made)} of {' and '.join(used)}"


def _economy(model: ScenarioFile, markets: UserMarkets, draws: Draws, made: dict[int, Any]) -> Economy:
    """The economy of a scenario; what is `made` of its entries, by their identities, is made once."""
    goods = markets.goods
    if model.learning is not None:
        return Economy(goods, np.zeros(len(goods)), np.full(len(goods), np.nan), bounds=bounds_of(model, markets))
    outside = outside_prices(model.outside, markets)
    # What others than the outside buy as well cannot be bought back there.
    bought = np.bincount(markets.good, weights=np.isfinite(outside)) == np.bincount(markets.good)
    abroad = {goods[place] for place in np.flatnonzero(bought)}
    # Beside what was made of it stands the entry itself: while it is there no other one has its identity.
    for firm in model.firms:
        made[id(firm)] = made.get(id(firm)) or (_firm(firm, abroad, markets, draws), firm)
    claims = _claims(model, goods, draws)
    for consumer in model.consumers:
        made[id(consumer)] = made.get(id(consumer)) or (_consumers(consumer, claims, markets, draws), consumer)
    economy = Economy(
        goods=markets.names,
        supply=locked(markets.spread(np.array([model.supply.get(good, 0.0) for good in goods]))),
        outside=locked(outside),
        firms=tuple(made[id(firm)][0] for firm in model.firms),
        consumers=tuple(made[id(consumer)][0] for consumer in model.consumers),
        bounds=bounds_of(model, markets),
    )
    fiscal = fiscal_of(model, markets, economy)
    return economy if fiscal is None else economy.taxed(fiscal)


def drawn_in(model: ScenarioFile, draws: Draws, name: str) -> dict[str, Array]:
    """What is drawn for the agents of an entry, or read from a file: `(count,)` by the path of the field in it."""
    found: dict[str, Array] = {}
    for room, entry in (*(("firms", firm) for firm in model.firms), *(("consumers", one) for one in model.consumers)):
        for steps, given in draws_in(entry) if entry.name == name else ():
            # What a technology reads has a path without the technology's name.
            told = steps[2:] if steps[0] == "technology" else steps
            told = told if told == ("productivity",) or told == steps else ("technology", *told)
            field, count = ".".join(map(str, told)), entry.count or 1
            path = f"{room}.{name}.{field}"
            if isinstance(given, Draw):
                found[field] = draws.number(given, count, path)
            else:
                columns = draws.table(given, given.dirichlet, count, path).T
                found |= {f"{field}.{good}": column for good, column in zip(given.dirichlet, columns, strict=True)}
    return found


def _firm(firm: schema.Firm, abroad: Set[str], markets: UserMarkets, draws: Draws) -> Firm:
    read = Reader(draws, markets.goods, firm.count or 1, f"firms.{firm.name}")
    technology = firm.build(read, abroad)
    goods, mix = firm.products
    each = zip(goods, mix.quantities, strict=True)
    outputs, yields = zip(*((at, much * users) for good, much in each for at, users in markets.sold(good)), strict=True)
    transforms = mix if mix.transformation > 0 and len(goods) > 1 else None
    if transforms is not None and len(outputs) > len(goods):
        found = (
            "found an elasticity of transformation of outputs of which one is not rival: each user has its own price"
        )
        raise DrawError(read.at("technology").path, f"{found}; expected transformation: 0")
    inputs = tuple(markets.bought(good, firm.name) for good in firm.inputs)
    made = Firm(firm.name, technology, outputs, inputs, read.count, firm.behaviour.kind, yields, transforms)
    _alike(made.rows, inputs, markets, read.path)
    return made


def _consumers(
    consumer: schema.Consumer, claims: Mapping[str, Claims], markets: UserMarkets, draws: Draws
) -> Consumers:
    seen = markets.seen_by(consumer.name)
    read = Reader(draws, markets.goods, consumer.count or 1, f"consumers.{consumer.name}")
    shares = [owned(consumer.owns.get(firm, 0.0), claim, read, firm) for firm, claim in claims.items()]
    trader = consumer.trader(read)
    endowment = markets.spread(read.table(consumer.endowment, "endowment"))
    if trader is not None:
        # Complete sets of contracts.
        endowment = endowment + trader.wealth[:, None]
    found = Consumers(
        name=consumer.name,
        utility=consumer.build(replace(read, goods=seen), trader),
        endowment=locked(endowment),
        budget=locked(np.array([np.inf]) if consumer.budget is None else read.number(consumer.budget, "budget")),
        owns=locked(side_by_side(dict(enumerate(shares)), len(shares))),
        count=read.count,
        saves=consumer.savings,
        trader=trader,
    )
    goods = set(markets.goods)
    _alike(found.size, [at for at, name in enumerate(seen) if name in goods], markets, read.path)
    return found


def _alike(rows: int, bought: Iterable[int], markets: UserMarkets, path: str) -> None:
    """Raise `DrawError` where agents who differ use a non-rival good: they would pay prices that differ too."""
    if rows > 1 and any(markets.places[markets.good[at]] for at in bought):
        found = f"found {rows:,} agents who differ and use a good that is not rival, each at a price of its own"
        raise DrawError(path, f"{found}; expected agents who are all alike, or an entry for each")


def locked(array: Any) -> Any:
    """An array that nobody can write to."""
    array.setflags(write=False)
    return array


def _claims(model: ScenarioFile, goods: tuple[str, ...], draws: Draws) -> dict[str, Claims]:
    """What consumers claim of each firm's profit. Raises `DrawError` where drawn shares sum to more than 1."""
    claimed = {firm.name: 0.0 for firm in model.firms}
    sharers = dict.fromkeys(claimed, 0)
    for consumer in model.consumers:
        read = Reader(draws, goods, consumer.count or 1, f"consumers.{consumer.name}")
        for firm, share in consumer.owns.items():
            if isinstance(share, Draw):
                claimed[firm] += float(read.number(share, "owns", firm).sum())
            elif share == "equal":
                sharers[firm] += read.count
            else:
                claimed[firm] += float(share)
            if claimed[firm] > 1.0 + SHARE_ROUNDING:
                found = f"found shares that sum to {claimed[firm]:.6g} with those of others"
                raise DrawError(read.at("owns", firm).path, f"{found}; expected at most 1")
    return {firm: Claims(claimed[firm], sharers[firm]) for firm in claimed}


def owned(given: float | str | Draw, claims: Claims, read: Reader, firm: str) -> Array:
    """One agent's share of a firm's profit, `(1,)` or `(count,)`: its part of what all own together, of what is left to
    be shared equally, or its own if drawn.
    """
    # Shares that sum to more than 1 by rounding only are scaled to 1.
    scale = 1.0 / max(1.0, claims.claimed)
    if isinstance(given, Draw):
        return scale * read.number(given, "owns", firm)
    if given == "equal":
        return np.array([max(0.0, 1.0 - claims.claimed) / claims.sharers])
    return np.array([scale * float(given) / read.count])
