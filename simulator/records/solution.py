"""What is kept and said of the equilibria of a scenario: rows of equilibria.csv, a summary, and text, with what shows
that each is one.

The certificate is worked out anew from the plans: no market is short, nothing in glut costs anything; no activity
earns a profit, none that loses is run; everybody has what it earns, and spends it. Residuals are relative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.economics.clearing import market_residuals, relative_unit_profit
from simulator.economics.rows import over_blocks
from simulator.records.columns import SOLVED
from simulator.records.report import lined_up, plain
from simulator.records.table import Table, names
from simulator.references.adjoint import equilibrium_adjoints
from simulator.sentences import SETTLES

if TYPE_CHECKING:
    from simulator.economics.agents import Consumers
    from simulator.economics.economy import Economy, MarketPlans
    from simulator.economics.forms import Array
    from simulator.economics.user_markets import UserMarkets
    from simulator.references.equilibrium import Equilibrium

CONDITIONS = {"price": "market", "level": "activity", "income": "budget"}
"""What the condition of each kind of row is called that has a residual."""


class Row(NamedTuple):
    """A row of equilibria.csv: what it is, of whom or what, and how far its condition is from holding."""

    kind: str
    name: str
    value: float
    residual: float = np.nan


class Solved(NamedTuple):
    """An equilibrium as it is told: its number, itself and its rows."""

    number: int
    found: Equilibrium
    rows: list[Row]

    def by_kind(self, kind: str) -> dict[str, float]:
        """The values of one kind, by name."""
        return {row.name: row.value for row in self.rows if row.kind == kind}

    @property
    def certificate(self) -> dict[str, dict[str, Any]]:
        """For each condition the largest residual, and whose it is."""
        worst: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            condition = CONDITIONS.get(row.kind)
            if condition is not None and not row.residual <= worst.get(condition, {}).get("residual", -1.0):
                worst[condition] = {"residual": row.residual, "worst": row.name}
        return worst


def solved(economy: Economy, markets: UserMarkets, found: Iterable[Equilibrium]) -> list[Solved]:
    """The equilibria of an economy, numbered, with their rows."""
    return [Solved(number, each, _rows(economy, markets, each)) for number, each in enumerate(found, 1)]


def solution_table(solutions: Iterable[Solved]) -> Table:
    """The rows of equilibria.csv."""
    rows = [(each.number, *row) for each in solutions for row in each.rows]
    numbers, kinds, whose, values, residuals = zip(*rows, strict=True) if rows else ((),) * 5
    keys = {"equilibrium": np.array(numbers, dtype=int), "kind": names(kinds), "name": names(whose)}
    return Table.of(keys, {}, SOLVED.columns, {"value": np.array(values), "residual": np.array(residuals)})


def _rows(economy: Economy, markets: UserMarkets, found: Equilibrium) -> list[Row]:
    plans, worth = found.balance, float(found.prices @ found.balance.scale)
    residuals = np.zeros(len(markets.goods))
    np.maximum.at(residuals, markets.good, market_residuals(plans.excess_demand, plans.scale, plans.prices))
    prices = markets.sum_over_users(plans.prices)
    rows = [Row("price", *of) for of in zip(markets.goods, prices.tolist(), residuals.tolist(), strict=True)]
    rows += [*_firm_rows(economy, markets, plans, worth), *_consumer_rows(economy, markets, plans, worth)]
    return [*rows, Row("index", "", found.index or np.nan)]


def _firm_rows(economy: Economy, markets: UserMarkets, plans: MarketPlans, worth: float) -> Iterator[Row]:
    """What firms do: of all firms of an entry together, of unit profits the largest."""
    for number, firm in enumerate(economy.firms):
        at, edges = economy.level_rows[number], economy.edge_rows[number]
        if firm.levels:
            judged = relative_unit_profit(plans.unit_revenues[at], plans.unit_costs[at], plans.levels[at], worth)
            yield Row("level", firm.name, float(plans.levels[at].sum()), float(judged))
            yield Row("unit_profit", firm.name, float(plans.unit_profits[at].max()))
        else:
            yield Row("profit", firm.name, float(plans.profits[number]))
        used = plans.inputs[edges].reshape(firm.rows, -1).sum(axis=0)
        for good, amount in zip(firm.inputs, used.tolist(), strict=True):
            yield Row("input", f"{firm.name}.{markets.name_of(good)}", amount)


def _consumer_rows(economy: Economy, markets: UserMarkets, plans: MarketPlans, worth: float) -> Iterator[Row]:
    """What consumers get: incomes and utilities are means over a cohort, consumption is that of all together."""
    consumption = markets.total_over_users(plans.consumption)
    for number, cohort in enumerate(economy.consumers):
        faced = economy.user_prices.consumer_prices(number, plans.prices)

        def lives(block: tuple[slice, Consumers], faced: Array = faced, number: int = number) -> Array:
            """What a block of consumers earns, is said to have, spends, and how well off it is, each added up."""
            rows, some = block
            income, taste = plans.incomes[number][rows], some.utility
            spent = taste.spending(faced, income)
            enjoyed = taste.utility(taste.dual_demand(faced, income), spent)
            return np.array([each.sum() for each in (some.income(plans.prices, plans.profits), income, spent, enjoyed)])

        earned, income, spent, enjoyed = cohort.weight * np.sum(over_blocks(cohort.blocks, lives), axis=0)
        gaps = np.abs([earned - income, spent - faced @ plans.consumption[number]])
        # A purse without a bottom has no income.
        residual = float(np.max(gaps[np.isfinite(gaps)], initial=0.0)) / max(worth, 1e-300)
        yield Row("income", cohort.name, income / cohort.count, residual)
        yield Row("utility", cohort.name, enjoyed / cohort.count)
        wanted = markets.any_user(np.broadcast_to(cohort.utility.wanted, len(economy.goods)))
        for good in np.flatnonzero(wanted).tolist():
            yield Row("consumption", f"{cohort.name}.{markets.goods[good]}", float(consumption[number, good]))


def solution_records(economy: Economy, markets: UserMarkets, solutions: Iterable[Solved]) -> list[dict[str, Any]]:
    """Every equilibrium as plain data: prices, quantities and adjoints by good, levels, incomes and utilities by name,
    its certificate, index and stability, and how many starts led there.
    """
    records: list[dict[str, Any]] = []
    for each in solutions:
        found, plans = each.found, each.found.balance
        adjoints = markets.sum_over_users(equilibrium_adjoints(economy, plans))
        along = None if found.direction is None else dict(zip(markets.names, found.direction.tolist(), strict=True))
        quantities = markets.mean_over_users(plans.demand, plans.prices)
        record = {
            "equilibrium": each.number,
            "residual": found.residual,
            "certificate": each.certificate,
            "index": found.index,
            "stable": found.stable,
            "spectral_radius": found.spectral_radius,
            "starts": found.starts,
            "continuum": along,
            "price": each.by_kind("price"),
            "quantity": dict(zip(markets.goods, quantities.tolist(), strict=True)),
            "adjoint": dict(zip(markets.goods, adjoints.tolist(), strict=True)),
            **{kind: each.by_kind(kind) for kind in ("level", "unit_profit", "profit", "income", "utility")},
        }
        records.append(plain(record))
    return records


def solution_lines(record: Mapping[str, Any]) -> list[str]:
    """An equilibrium as text: a heading, a line for each good, firm and consumer, and its certificate."""
    radius, starts = record["spectral_radius"], record["starts"]
    known = "" if radius is None else f" (spectral radius {radius:.4f})"
    index = f"index {record['index']:+d}" if record["index"] else "index not known"
    lines = [
        f"equilibrium {record['equilibrium']}: residual {record['residual']:.1e}, {index}, the price rule "
        f"{SETTLES[record['stable']]} here{known}; {starts} start{'' if starts == 1 else 's'} led here"
    ]
    if record["continuum"]:
        along = ", ".join(f"{good} {part:+.3g}" for good, part in record["continuum"].items() if part)
        lines.append(f"  not isolated: a continuum; log prices move together along {along}")
    lines += _table("good", {"price": "price", "quantity": "quantity", "adjoint": "derivative"}, record)
    lines += _table("firm", {"level": "level", "unit_profit": "unit profit", "profit": "profit"}, record)
    lines += _table("consumer", {"income": "income", "utility": "utility"}, record)
    worst = (f"{name} {each['residual']:.1e} ({each['worst']})" for name, each in record["certificate"].items())
    return [*lines, f"  largest residual of each kind: {', '.join(worst)}"]


def _table(of: str, columns: Mapping[str, str], record: Mapping[str, Any]) -> list[str]:
    """A table of what is known by name, without columns of which nothing is."""
    told = {title: record[kind] for kind, title in columns.items() if record[kind]}
    whose = list(dict.fromkeys(name for cells in told.values() for name in cells))
    if not whose:
        return []
    rows = [[name, *(_cell(cells.get(name)) for cells in told.values())] for name in whose]
    return lined_up([(of, *told), *rows], width=max(map(len, [of, *whose])), wide=14)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.9g}"
