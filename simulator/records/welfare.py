"""Who gained and who lost: how all agents stand in a tick beside how they stood in an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from simulator.dynamics.consumers import CohortTick
from simulator.dynamics.market_tick import MarketTick
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.welfare import Standing, same_taste, variations
from simulator.records.columns import WELFARE
from simulator.records.table import Table, names

VARIATIONS = ("equivalent_variation", "compensating_variation", "consumer_surplus")


class Position(NamedTuple):
    """How agents stand in a tick: the `profits` of firm entries `(firm entries,)`, the `taxes` that entries of firms,
    then of consumers, pay `(entries,)`, the `revenue` that cohorts get `(cohorts,)`, the prices they face `(cohorts,
    goods)`, and incomes and utilities as in `Standing`, `(rows,)` for each cohort.
    """

    profits: Array
    taxes: Array
    revenue: Array
    prices: Array
    incomes: tuple[Array, ...]
    utilities: tuple[Array, ...]

    def standing(self, cohort: int) -> Standing:
        """That of the members of a cohort."""
        return Standing(self.prices[cohort], self.incomes[cohort], self.utilities[cohort])


def nowhere(economy: Economy) -> Position:
    """A position of nothing but zeros: what shapes one has."""
    firms, cohorts = len(economy.firms), len(economy.consumers)
    each = tuple(np.zeros(cohort.size) for cohort in economy.consumers)
    prices = np.zeros((cohorts, len(economy.goods)))
    return Position(np.zeros(firms), np.zeros(firms + cohorts), np.zeros(cohorts), prices, each, each)


@np.errstate(all="ignore")
def position(economy: Economy, tick: MarketTick, cohorts: Sequence[CohortTick]) -> Position:
    """How agents stand in a tick, in which `cohorts` went through this."""
    blank, standings = nowhere(economy), [cohort.standing() for cohort in cohorts]
    return blank._replace(
        profits=np.bincount(economy.firm_entry, np.asarray(tick.cash_flow), len(economy.firms)).astype(float),
        prices=np.stack([each.prices for each in standings]) if standings else blank.prices,
        incomes=tuple(each.income for each in standings),
        utilities=tuple(each.utility for each in standings),
    )


def welfare_table(since: Mapping[int, tuple[Economy, Position]], economy: Economy, now: Position | None) -> Table:
    """A row for each agent beside how it stood at each tick `since`; a cohort, and firms of several, have two."""
    entries = (*economy.firms, *economy.consumers)
    agents = [
        (place, f"{entry.name}{part}", share)
        for place, entry in enumerate(entries if since else ())
        for part, share in ({"": 1.0} if entry.count == 1 else {":mean": 1.0 / entry.count, ":total": 1.0}).items()
    ]
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
            worth = variations(pair, before.standing(place), now.standing(place))
            of_consumers[place] = [pair[1].count * each.mean() for each in worth]
    return {
        **{name: np.concatenate([of_firms, worth]) for name, worth in zip(VARIATIONS, of_consumers.T, strict=True)},
        "profit": np.concatenate([now.profits, np.full(len(cohorts), np.nan)]),
        "profit_change": np.concatenate([now.profits - before.profits, np.full(len(cohorts), np.nan)]),
        "tax": now.taxes,
        "revenue": np.concatenate([of_firms, now.revenue]),
    }
