"""Who gained and who lost: how all agents stand in a tick beside how they stood in an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from simulator.dynamics.consumers import CohortTick
from simulator.dynamics.market_tick import MarketTick
from simulator.economics.agents import NO_DUES
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.welfare import Standing, earned, same_taste, standing, variations
from simulator.records.columns import WELFARE
from simulator.records.table import Table, names, told_of

if TYPE_CHECKING:
    from simulator.economics.agents import Consumers
    from simulator.references.found import Equilibrium
    from simulator.references.rationing import FixPriceEquilibrium

VARIATIONS = ("equivalent_variation", "compensating_variation", "consumer_surplus")


END = "end."
"""Begins the names of arrays of a checkpoint that hold how consumers stand at the end."""


class Standings(NamedTuple):
    """How the members of all cohorts stand: the prices that each cohort faces `(cohorts, goods)`, and incomes and
    utilities as in `Standing`, `(rows,)` for each cohort.
    """

    prices: Array
    incomes: tuple[Array, ...]
    utilities: tuple[Array, ...]

    @classmethod
    def of(cls, goods: int, each: Sequence[Standing]) -> Self:
        """Those of some cohorts, where there are so many `goods`."""
        prices = np.stack([np.zeros(goods), *(one.prices for one in each)])[1:]
        return cls(prices, tuple(one.income for one in each), tuple(one.utility for one in each))

    def standing(self, cohort: int) -> Standing:
        """That of the members of a cohort."""
        return Standing(self.prices[cohort], self.incomes[cohort], self.utilities[cohort])


class Position(NamedTuple):
    """How agents stand in a tick: the `profits` of firm entries `(firm entries,)`, the `taxes` that entries of firms,
    then of consumers, pay `(entries,)`, the `revenue` that cohorts get `(cohorts,)`, and the fields of `Standings`.
    """

    profits: Array
    taxes: Array
    revenue: Array
    prices: Array
    incomes: tuple[Array, ...]
    utilities: tuple[Array, ...]

    @property
    def consumers(self) -> Standings:
        """How consumers stand."""
        return Standings(self.prices, self.incomes, self.utilities)


def nowhere(economy: Economy) -> Position:
    """A position of nothing but zeros: what shapes one has."""
    firms, cohorts, goods = len(economy.firms), len(economy.consumers), len(economy.goods)
    each = [Standing(np.zeros(goods), *2 * [np.zeros(cohort.size)]) for cohort in economy.consumers]
    return Position(np.zeros(firms), np.zeros(firms + cohorts), np.zeros(cohorts), *Standings.of(goods, each))


@np.errstate(all="ignore")
def position(economy: Economy, tick: MarketTick, cohorts: Sequence[CohortTick], *, every_tick: bool) -> Position:
    """How agents stand in a tick, in which `cohorts` went through this; with trade in every tick or not."""
    firms, standings = len(economy.firms), Standings.of(len(economy.goods), [cohort.standing() for cohort in cohorts])

    def by_entry(values: Array) -> Array:
        return np.bincount(economy.firm_entry, values, firms).astype(float)

    taxes, revenue = np.zeros(firms + len(cohorts)), np.zeros(len(cohorts))
    if economy.fiscal is not None:
        revenue = tick.collected @ economy.fiscal.to
        sold, bought = tick.delivered, tick.bought
        if not every_tick:
            sold, bought = economy.made_at(tick.prices, tick.planned_outputs), tick.planned_inputs
        # At the market's prices what a firm keeps of its own for itself costs it what it brings.
        worth = economy.over_firms(sold * tick.prices[economy.outlet_good])
        worth = worth - np.bincount(economy.edge_firm, bought * tick.prices[economy.edge_good], len(worth))
        paid = np.sum(tick.consumption * (standings.prices - tick.prices), axis=1)
        taxes = np.concatenate([by_entry(worth - tick.cash_flow), paid])
    return Position(by_entry(tick.cash_flow), taxes, revenue, *standings)


@np.errstate(all="ignore")
def solved_standings(economy: Economy, found: Equilibrium | FixPriceEquilibrium) -> Standings:
    """How consumers stand in an equilibrium."""
    from simulator.references.found import Equilibrium

    each = list[Standing]()
    if isinstance(found, Equilibrium):
        plans = found.balance
        economy = economy.at_rates(plans.rates)
        for number, cohort in enumerate(economy.consumers):
            faced, income = economy.user_prices.consumer_prices(number, plans.prices), plans.incomes[number]

            def planned(_: int, part: slice, some: Consumers, faced: Array = faced, income: Array = income) -> Array:
                return some.utility.dual_demand(faced, income[part])

            dues = economy.terms(number, plans.received, plans.prices)
            own = earned(cohort, plans.prices, plans.profits, 0.0, dues, income)
            each.append(standing(cohort, faced, own, planned))
    else:
        for members, purse in zip(found.planned.members, found.planned.purses, strict=True):
            got = members.consumed(found.served.purchases)
            profits = found.planned.production.profits
            own = earned(members.cohort, found.prices, profits, purse, NO_DUES, members.income)
            each.append(standing(members.cohort, members.faced, own, lambda _, part, __, got=got: got[part]))
    return Standings.of(len(economy.goods), each)


def welfare_table(since: Mapping[int, tuple[Economy, Position]], economy: Economy, now: Position | None) -> Table:
    """A row for each agent beside how it stood at each tick `since`; a cohort, and firms of several, have two."""
    entries = (*economy.firms, *economy.consumers)
    agents = told_of(entries if since else ())
    rows, shares = [place for place, *_ in agents], np.array([share for *_, share in agents])
    kinds = ["firm" if place < len(economy.firms) else "consumer" for place in rows]
    known = [] if now is None else [_known(*before, economy, now) for before in since.values()]
    each = {name: np.stack([known[name] for known in known])[:, rows] * shares for name in (known[0] if known else ())}
    keys = {"agent": names(name for _, name, _ in agents), "kind": names(kinds)}
    return Table.of({"since": np.array(list(since), dtype=np.int64)}, keys, WELFARE, each)


def _known(old: Economy, before: Position, economy: Economy, now: Position) -> dict[str, Array]:
    """What is known of each entry of firms, then of consumers, all together, `(entries,)`."""
    firms, cohorts = len(economy.firms), list(zip(old.consumers, economy.consumers, strict=True))
    of_firms, of_consumers = np.full(firms, np.nan), np.full((len(cohorts), 3), np.nan)
    for place, pair in enumerate(cohorts):
        if pair[0].count == pair[1].count and same_taste(pair[0].utility, pair[1].utility):
            worth = variations(pair, before.consumers.standing(place), now.consumers.standing(place))
            of_consumers[place] = [pair[1].count * each.mean() for each in worth]
    return {
        **{name: np.concatenate([of_firms, worth]) for name, worth in zip(VARIATIONS, of_consumers.T, strict=True)},
        "profit": np.concatenate([now.profits, np.full(len(cohorts), np.nan)]),
        "profit_change": np.concatenate([now.profits - before.profits, np.full(len(cohorts), np.nan)]),
        "tax": now.taxes,
        "revenue": np.concatenate([of_firms, now.revenue]),
    }
