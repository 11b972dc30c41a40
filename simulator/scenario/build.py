"""A valid scenario becomes the frozen objects a run uses.

They are built from the resolved scenario alone: what is written beside a run is what was run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from simulator.scenario import from_outside
from simulator.scenario.bought import markets_of, outside_prices
from simulator.scenario.document import dump
from simulator.scenario.draws import AT_LEAST_0, DrawError, Draws
from simulator.scenario.learning import lesson_of, must_need_no_slope
from simulator.scenario.plugins import NO_PLUGINS, Plugins
from simulator.scenario.reader import Reader
from simulator.scenario.schema import SHARE_ROUNDING, Good, ScenarioFile, Trade
from simulator.scenario.shocks import ShockError, changed
from simulator.scenario.tastes import Claims, behaviour, owned, technique, utility

if TYPE_CHECKING:
    from simulator.dynamics import price_rules, trading
    from simulator.dynamics.learning_tick import TrainingSet
    from simulator.economics import agents, economy
    from simulator.economics.markets import Markets

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RunSettings:
    """How long a run may take (`ticks`), when it counts as cleared (`tolerance`), what it records and when it stops."""

    ticks: int = 1000
    tolerance: float = 1e-6
    seed: int = 0
    record_every: int = 1
    references: bool = True
    diagnostics: int = 1
    stop: str = "verdict"


class Regime(NamedTuple):
    """An economy and the tick from which it is in force."""

    tick: int
    economy: economy.Economy


class Shocked(NamedTuple):
    """A resolved scenario as it is from a shock on, and the shock's place in the list."""

    place: int
    data: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Scenario:
    """A scenario ready to run.

    `regimes` are the economies that follow one another where shocks change it, the first from tick 0 on.
    `initial_prices` `(markets,)` in numeraire per unit; `lesson` is what a market of bundles learns; `gradient_path` is
    what its path is compared with, `dual` or `primal`; `inputs` are the files it reads, by their names in `resolved`.
    `resolved` is the scenario with its defaults filled in, as plain data: written as YAML and loaded again it gives the
    same scenario. `path` is the file it came from.
    """

    name: str
    regimes: tuple[Regime, ...]
    initial_prices: Array
    numeraire: str | None
    scheduler: str
    lesson: TrainingSet | None
    rule: price_rules.PriceRule
    trade: trading.Trade
    gradient_path: str
    run: RunSettings
    expect: tuple[str, ...]
    resolved: dict[str, Any] = field(repr=False)
    path: str | None = None
    inputs: Mapping[str, Path] = field(default_factory=dict[str, Path], repr=False)
    plugins: Plugins = field(default=NO_PLUGINS, repr=False)

    @cached_property
    def text(self) -> str:
        """The scenario as resolved, in YAML: what is written beside a run."""
        return dump(self.resolved)

    @property
    def last_ticks(self) -> frozenset[int]:
        """The last tick of every regime but the last."""
        return frozenset(regime.tick - 1 for regime in self.regimes[1:])

    @property
    def economy(self) -> economy.Economy:
        """The economy of the first regime."""
        return self.regimes[0].economy


def build(
    resolved: dict[str, Any],
    shocked: Sequence[Shocked],
    path: str | None,
    inputs: Mapping[str, Path],
    plugins: Plugins = NO_PLUGINS,
) -> Scenario:
    """The objects of a resolved scenario, and of what it is after each of its shocks, that have passed every check.

    Raises `DrawError` for what cannot be drawn.
    """
    from simulator.dynamics.trading import Trade as TradeRule

    model = plugins.schema.model_validate(resolved)
    goods = {good: market or Good.model_construct() for good, market in cast("dict[str, Good]", model.goods).items()}
    markets = markets_of(resolved)
    outside = outside_prices(resolved.get("outside", {}), markets)
    fixed = [
        good == model.numeraire or market.fixed_price is not None or not np.isnan(outside[at])
        for at, (good, market) in _by_market(goods, markets)
    ]
    prices = [
        outside[at] if not np.isnan(outside[at]) else _initial_price(good, market, model) / _users(markets, at)
        for at, (good, market) in _by_market(goods, markets)
    ]
    floors = [
        -np.inf if model.learning is not None and "floor" not in market.model_fields_set else market.floor
        for _, (_, market) in _by_market(goods, markets)
    ]
    options = model.trade.every_tick if isinstance(model.trade, Trade) else None
    draws = Draws(model.run.seed, inputs)
    rule = _rule(model, _frozen(floors), _frozen(fixed, np.bool_), plugins)
    if model.learning is not None:
        must_need_no_slope(rule, model.scheduler)
    return Scenario(
        name=resolved["name"],
        regimes=_regimes(resolved, shocked, markets, draws, plugins),
        initial_prices=_frozen(prices),
        numeraire=model.numeraire,
        scheduler="learning" if model.learning is not None else model.scheduler.kind,
        lesson=None if model.learning is None else lesson_of(model.learning, draws),
        rule=rule,
        trade=TradeRule(
            every_tick=model.trade != "at_equilibrium",
            spoilage=1.0 if options is None or options.spoilage is None else options.spoilage,
            start=model.start,
        ),
        gradient_path=model.compare.gradient_path,
        run=RunSettings(
            ticks=model.run.ticks,
            tolerance=model.run.tolerance,
            seed=model.run.seed,
            record_every=model.run.record_every,
            references=model.run.references == "on",
            diagnostics=model.run.diagnostics,
            stop=model.run.stop,
        ),
        expect=(model.expect,) if isinstance(model.expect, str) else tuple(model.expect),
        resolved=resolved,
        path=path,
        inputs=inputs,
        plugins=plugins,
    )


def _rule(model: ScenarioFile, floor: Array, fixed: NDArray[np.bool_], plugins: Plugins) -> price_rules.PriceRule:
    from simulator.dynamics.price_rules import PIECES, RECIPES, PriceRule

    scheduler = model.scheduler
    if scheduler.rule is not None:
        recipe = RECIPES[scheduler.rule]
        return PriceRule(recipe.form, scheduler.rate, recipe.pieces, floor, fixed, model.run.seed)
    pieces = tuple(
        _piece(PIECES, piece, f"scheduler.with.{place}", len(floor), plugins)
        for place, piece in enumerate(scheduler.pieces)
    )
    return PriceRule(scheduler.form, scheduler.rate, pieces, floor, fixed, model.run.seed)


def _piece(kinds: Mapping[str, Any], piece: Any, path: str, goods: int, plugins: Plugins) -> Any:
    given: dict[str, Any] = (
        {piece: True} if isinstance(piece, str) else piece.model_dump(exclude_none=True, by_alias=True)
    )
    ((kind, parameter),) = given.items()
    if kind in plugins.rule_pieces:
        return from_outside.piece(plugins.rule_pieces[kind], {} if parameter is True else parameter, path, goods)
    if parameter is True:
        return kinds[kind]()
    return kinds[kind](**parameter) if isinstance(parameter, dict) else kinds[kind](parameter)


def _frozen(values: Any, kind: Any = np.float64) -> Any:
    array = np.array(values, dtype=kind)
    array.setflags(write=False)
    return array


def _by_market(goods: Mapping[str, Good], markets: Markets) -> list[tuple[int, tuple[str, Good]]]:
    """Every market's place, with the good it is of."""
    given = list(goods.items())
    return [(at, given[good]) for at, good in enumerate(markets.good.tolist())]


def _users(markets: Markets, at: int) -> float:
    """How many users a market's good has."""
    return float(markets.users[markets.good == markets.good[at]].sum())


def _initial_price(good: str, market: Good, model: ScenarioFile) -> float:
    if good in model.outside:
        return model.outside[good]
    if good == model.numeraire:
        return 1.0
    if market.fixed_price is not None:
        return market.fixed_price
    return 1.0 if market.price is None else market.price


def _regimes(
    resolved: dict[str, Any], shocked: Sequence[Shocked], markets: Markets, draws: Draws, plugins: Plugins
) -> tuple[Regime, ...]:
    """The economies of a scenario, one after another; what a shock does not touch is the same object in both."""
    regimes = [Regime(0, _economy(resolved, markets, draws, plugins, None, None))]
    before = resolved
    for place, data in shocked:
        tick, after = resolved["shocks"][place]["tick"], markets_of(data)
        _same_users(markets, after, place)
        try:
            economy = _economy(data, after, draws, plugins, before, regimes[-1].economy)
        except DrawError as error:
            raise ShockError(("shocks", place, "set"), f"leads to {error.path}: {error.message}") from error
        _same_rows(regimes[-1].economy, economy, place)
        if tick == regimes[-1].tick:
            regimes.pop()
        regimes.append(Regime(tick, economy))
        before, markets = data, after
    return tuple(regimes)


def _same_users(before: Markets, after: Markets, place: int) -> None:
    """Raise `ShockError` where a good that is not rival has other users than before: each has a market of its own."""
    for good, old, new in zip(before.goods, before.places, after.places, strict=True):
        if {*old} != {*new}:
            found = f"found users of {good} (not rival) other than before the shock: {' and '.join(new) or 'one alone'}"
            raise ShockError(("shocks", place, "set"), f"{found}; expected {' and '.join(old) or 'one alone'}")


def _same_rows(before: economy.Economy, after: economy.Economy, place: int) -> None:
    """Raise `ShockError` where agents who were all alike begin to differ, or the other way round: they cannot be told
    apart afterwards; or where firms make or use other goods than before.
    """
    for old, new in zip(before.firms, after.firms, strict=True):
        if (old.outputs, {*old.inputs}) != (new.outputs, {*new.inputs}):
            found = f"found {new.name} making {_said(after, new)}, and before the shock {_said(before, old)}"
            raise ShockError(("shocks", place, "set"), f"{found}; expected the same goods with other numbers")
    firms = zip(before.firms, after.firms, strict=True)
    consumers = zip(before.consumers, after.consumers, strict=True)
    changed_firms = [old.name for old, new in firms if old.rows != new.rows]
    changed_consumers = [old.name for old, new in consumers if old.size != new.size]
    for name in changed_firms + changed_consumers:
        found = f"found agents of {name} who are all alike before or after the shock, and not both"
        raise ShockError(("shocks", place, "set"), f"{found}; expected a distribution from the start, or none")


def _said(economy: economy.Economy, firm: agents.Firm) -> str:
    """What a firm makes of what."""
    made, used = ([economy.goods[good] for good in goods] for goods in (firm.outputs, firm.inputs))
    return f"{' and '.join(made)} of {' and '.join(used)}"


def after_shocks(resolved: Mapping[str, Any]) -> list[Shocked]:
    """The resolved scenario after each shock, in order of ticks. Raises `ShockError`."""
    data: list[Shocked] = []
    current = {key: value for key, value in resolved.items() if key != "shocks"}
    for place, shock in sorted(enumerate(resolved.get("shocks", [])), key=lambda item: item[1]["tick"]):
        current = changed(current, shock["set"], place)
        data.append(Shocked(place, current))
    return data


def _economy(
    data: Mapping[str, Any],
    markets: Markets,
    draws: Draws,
    plugins: Plugins,
    before: Mapping[str, Any] | None,
    last: economy.Economy | None,
) -> economy.Economy:
    from simulator.economics.agents import Firm
    from simulator.economics.economy import Economy

    goods = tuple(data["goods"])
    if "learning" in data:
        return Economy(goods, np.zeros(len(goods)), np.full(len(goods), np.nan))
    outside = outside_prices(data["outside"], markets)
    # What others than the outside buy as well cannot be bought back there.
    abroad = {good for place, good in enumerate(goods) if np.isfinite(outside[markets.good == place]).all()}
    firms: list[Firm] = []
    for place, firm in enumerate(data["firms"]):
        if before is not None and last is not None and before["firms"][place] == firm:
            firms.append(last.firms[place])
            continue
        read = Reader(draws, goods, firm["count"], f"firms.{firm['name']}", plugins)
        found, plans = technique(firm, read, abroad), behaviour(firm.get("behaviour", "best_response"), read)
        outlets = [outlet for good in found.outputs for outlet in markets.sold(good)]
        outputs, yields = zip(*outlets, strict=True)
        inputs = tuple(markets.bought(good, firm["name"]) for good in found.inputs)
        made = Firm(firm["name"], found.technology, outputs, inputs, firm["count"], plans, yields)
        _alike(made.rows, inputs, markets, f"firms.{firm['name']}")
        firms.append(made)
    claims = _claims(data, goods, draws)
    consumers = [
        last.consumers[place]
        if before is not None and last is not None and before["consumers"][place] == consumer
        else _consumers(consumer, claims, markets, draws, plugins)
        for place, consumer in enumerate(data["consumers"])
    ]
    return Economy(
        goods=markets.names,
        supply=_frozen(markets.spread(np.array([data["supply"].get(good, 0.0) for good in goods]))),
        outside=_frozen(outside),
        firms=tuple(firms),
        consumers=tuple(consumers),
        several=markets,
    )


def _consumers(
    consumer: Mapping[str, Any], claims: Mapping[str, Claims], markets: Markets, draws: Draws, plugins: Plugins
) -> agents.Consumers:
    from simulator.economics.agents import Consumers

    count, seen = consumer["count"], markets.seen_by(consumer["name"])
    read = Reader(draws, markets.goods, count, f"consumers.{consumer['name']}", plugins)
    owns_of: Mapping[str, Any] = consumer.get("owns", {})
    shares = [owned(owns_of.get(firm, 0.0), count, claim, read, firm) for firm, claim in claims.items()]
    rows = max((len(share) for share in shares), default=1)
    owns = np.zeros((rows, len(shares)), order="F")
    for place, share in enumerate(shares):
        owns[:, place] = share
    budget = consumer.get("budget")
    found = Consumers(
        name=consumer["name"],
        utility=utility(consumer["utility"], replace(read, goods=seen)),
        endowment=_locked(markets.spread(read.table(consumer.get("endowment", {}), "endowment"))),
        budget=_locked(np.array([np.inf]) if budget is None else read.number(budget, "budget", AT_LEAST_0)),
        owns=_locked(owns),
        count=count,
        saves=consumer.get("savings", False),
    )
    _alike(found.size, [at for at, name in enumerate(seen) if name in markets.goods], markets, read.path)
    return found


def _alike(rows: int, bought: Iterable[int], markets: Markets, path: str) -> None:
    """Raise `DrawError` where agents who differ use a non-rival good: they would pay prices that differ too."""
    if rows > 1 and any(markets.places[markets.good[at]] for at in bought):
        found = f"found {rows:,} agents who differ and use a good that is not rival, each at a price of its own"
        raise DrawError(path, f"{found}; expected agents who are all alike, or an entry for each")


def _locked(array: Array) -> Array:
    array.setflags(write=False)
    return array


def _claims(data: Mapping[str, Any], goods: tuple[str, ...], draws: Draws) -> dict[str, Claims]:
    """What consumers claim of each firm's profit. Raises `DrawError` where drawn shares sum to more than 1."""
    claimed: dict[str, float] = {firm["name"]: 0.0 for firm in data["firms"]}
    sharers = dict.fromkeys(claimed, 0)
    for consumer in data["consumers"]:
        path, count = f"consumers.{consumer['name']}", consumer["count"]
        for firm, share in consumer.get("owns", {}).items():
            if share == "equal":
                sharers[firm] += count
            elif isinstance(share, Mapping):
                each = Reader(draws, goods, count, path).number(share, f"owns.{firm}", AT_LEAST_0)
                claimed[firm] += float(each.sum())
            else:
                claimed[firm] += share
            if claimed[firm] > 1.0 + SHARE_ROUNDING:
                found = f"found shares that sum to {claimed[firm]:.6g} with those of others"
                raise DrawError(f"{path}.owns.{firm}", f"{found}; expected at most 1")
    return {firm: Claims(claimed[firm], sharers[firm]) for firm in claimed}
