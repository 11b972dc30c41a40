"""What is kept and said of the equilibria of a scenario: rows of equilibria.csv, a summary, and text, with what shows
that each is one.

The certificate is worked out anew from the plans: no market is short, nothing in glut costs anything; no activity
earns a profit, none that loses is run; everybody has what it earns, and spends it. Residuals are relative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.economics.clearing import market_residuals, unit_profit_residuals
from simulator.economics.rows import over_blocks
from simulator.records.rationed_solution import fix_price_rows
from simulator.records.report import lined_up, plain
from simulator.records.solution_row import Row, tax_rows
from simulator.records.solved_columns import SOLVED
from simulator.records.table import Table, names
from simulator.references.adjoint import equilibrium_adjoints
from simulator.references.found import Equilibrium
from simulator.sentences import SETTLES

if TYPE_CHECKING:
    from simulator.economics.agents import Consumers
    from simulator.economics.economy import Economy
    from simulator.economics.forms import Array
    from simulator.economics.market_plans import MarketPlans
    from simulator.economics.user_markets import UserMarkets
    from simulator.references.rationing import FixPriceEquilibrium

CONDITIONS = {"price": "market", "level": "activity", "income": "budget", "rate": "instrument"}
"""What the condition of each kind of row is called that has a residual."""
TOLD = ("price", "level", "unit_profit", "profit", "income", "utility", "rate", "revenue", "rationed", "shadow_price")
"""Kinds of rows that the summary has by name."""
ROUNDING = 1e-12
"""A unit profit that is so small beside prices is told as 0."""
OF_ONE_KIND = ("index", "stable", "spectral_radius", "starts", "continuum", "adjoint", "held", "deadweight_loss")
"""What is known of competitive equilibria alone, or of those at fixed prices."""


class Solved(NamedTuple):
    """An equilibrium as it is told: its number, itself and its rows."""

    number: int
    found: Equilibrium | FixPriceEquilibrium
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
            if condition is not None and row.residual > worst.get(condition, {}).get("residual", -1.0):
                worst[condition] = {"residual": row.residual, "worst": row.name}
        return worst


def solved(
    economy: Economy,
    markets: UserMarkets,
    competitive: Sequence[Equilibrium],
    fix_price: Sequence[FixPriceEquilibrium] = (),
) -> list[Solved]:
    """The equilibria of an economy, numbered, with their rows; those at fixed prices last."""
    rows = [*(_rows(economy, markets, each) for each in competitive)]
    rows += [[*fix_price_rows(economy, markets, each)] for each in fix_price]
    found = enumerate(zip([*competitive, *fix_price], rows, strict=True), 1)
    return [Solved(number, each, its) for number, (each, its) in found]


def solution_table(solutions: Iterable[Solved]) -> Table:
    """The rows of equilibria.csv."""
    rows = [(each.number, *row) for each in solutions for row in each.rows]
    numbers, kinds, whose, values, residuals = zip(*rows, strict=True) if rows else ((),) * 5
    keys = {"equilibrium": np.array(numbers, dtype=int), "kind": names(kinds), "name": names(whose)}
    return Table.of(keys, {}, SOLVED.columns, {"value": np.array(values), "residual": np.array(residuals)})


def _rows(economy: Economy, markets: UserMarkets, found: Equilibrium) -> list[Row]:
    plans, worth = found.balance, float(found.prices @ found.balance.scale)
    economy = economy.at_rates(plans.rates)
    residuals = np.zeros(len(markets.goods))
    np.maximum.at(residuals, markets.good, market_residuals(plans.excess_demand, plans.scale, plans.prices))
    prices = markets.sum_over_users(plans.prices)
    rows = [Row("price", *of) for of in zip(markets.goods, prices.tolist(), residuals.tolist(), strict=True)]
    rows += [*_firm_rows(economy, markets, plans, worth), *_consumer_rows(economy, markets, plans, worth)]
    rows += tax_rows(economy, plans.revenues, plans.kept)
    return [*rows, Row("index", "", found.index or np.nan)]


def _firm_rows(economy: Economy, markets: UserMarkets, plans: MarketPlans, worth: float) -> Iterator[Row]:
    """What firms do: of all firms of an entry together, of unit profits the largest."""
    for number, firm in enumerate(economy.firms):
        at, edges = economy.level_rows[number], economy.edge_rows[number]
        if firm.levels:
            judged = unit_profit_residuals(plans.unit_revenues[at], plans.unit_costs[at], plans.levels[at], worth)
            yield Row("level", firm.name, float(plans.levels[at].sum()), float(judged.max()))
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
            own = some.own_income(plans.prices, plans.profits)
            earned = own + some.dues(economy.terms(number, plans.due, plans.prices), own)
            return np.array([each.sum() for each in (earned, income, spent, enjoyed)])

        earned, income, spent, enjoyed = cohort.weight * np.sum(over_blocks(cohort.blocks, lives), axis=0)
        # A purse without a bottom has no income.
        with np.errstate(invalid="ignore"):
            gaps = np.abs([earned - income, spent - faced @ plans.consumption[number]])
        residual = float(np.max(gaps[np.isfinite(gaps)], initial=0.0)) / max(worth, 1e-300)
        yield Row("income", cohort.name, income / cohort.count, residual)
        yield Row("utility", cohort.name, enjoyed / cohort.count)
        wanted = markets.any_user(np.broadcast_to(cohort.utility.wanted, len(economy.goods)))
        for good in np.flatnonzero(wanted).tolist():
            yield Row("consumption", f"{cohort.name}.{markets.goods[good]}", float(consumption[number, good]))


def solution_records(economy: Economy, markets: UserMarkets, solutions: Iterable[Solved]) -> list[dict[str, Any]]:
    """Every equilibrium as plain data: prices, quantities and adjoints by good, levels, incomes and utilities by name,
    its certificate, index and stability, how many starts led there; at prices that are held who is rationed, and what
    that costs.
    """
    records: list[dict[str, Any]] = []
    for each in solutions:
        found = each.found
        of_its_kind = (
            _of_competitive(economy, markets, found)
            if isinstance(found, Equilibrium)
            else {
                "held": [name for name, held in zip(markets.names, found.held.tolist(), strict=True) if held],
                "quantity": _by_good(markets, np.minimum(found.planned.demand, found.planned.supply), found.prices),
                "deadweight_loss": found.deadweight_loss,
            }
        )
        record = {
            "equilibrium": each.number,
            "competitive": isinstance(found, Equilibrium),
            "residual": found.residual,
            "certificate": each.certificate,
            **dict.fromkeys(OF_ONE_KIND),
            **of_its_kind,
            **{kind: each.by_kind(kind) for kind in TOLD},
        }
        records.append(plain(record))
    return records


def _of_competitive(economy: Economy, markets: UserMarkets, found: Equilibrium) -> dict[str, Any]:
    plans, along = found.balance, found.direction
    economy = economy.at_rates(plans.rates)
    adjoints = markets.sum_over_users(equilibrium_adjoints(economy, plans)).tolist()
    return {
        "index": found.index,
        "stable": found.stable,
        "spectral_radius": found.spectral_radius,
        "starts": found.starts,
        "continuum": None if along is None else dict(zip(markets.names, along.tolist(), strict=True)),
        "quantity": _by_good(markets, plans.demand, plans.prices),
        "adjoint": dict(zip(markets.goods, adjoints, strict=True)),
    }


def _by_good(markets: UserMarkets, quantities: Array, prices: Array) -> dict[str, float]:
    return dict(zip(markets.goods, markets.mean_over_users(quantities, prices).tolist(), strict=True))


def solution_lines(record: Mapping[str, Any]) -> list[str]:
    """An equilibrium as text: a heading, a line for each good, firm and consumer, and its certificate."""
    lines = [f"equilibrium {record['equilibrium']}: {'; '.join(_heading(record))}"]
    if record["continuum"]:
        along = ", ".join(f"{good} {part:+.3g}" for good, part in record["continuum"].items() if part)
        lines.append(f"  not isolated: a continuum; log prices move together along {along}")
    columns = {"price": "price", "quantity": "quantity", "adjoint": "derivative", "shadow_price": "shadow price"}
    lines += _table("good", columns, record)
    nothing = ROUNDING * max(record["price"].values())
    earned = {firm: 0.0 if abs(each) <= nothing else each for firm, each in record["unit_profit"].items()}
    columns = {"level": "level", "unit_profit": "unit profit", "profit": "profit"}
    lines += _table("firm", columns, {**record, "unit_profit": earned})
    lines += _table("consumer", {"income": "income", "utility": "utility"}, record)
    lines += _table("tax", {"rate": "rate", "revenue": "revenue"}, record)
    lines += _table("rationed", {"rationed": "goes without"}, record)
    if record["deadweight_loss"] is not None:
        lines.append(f"  deadweight loss {record['deadweight_loss']:.9g}")
    worst = (f"{name} {each['residual']:.1e} ({each['worst']})" for name, each in record["certificate"].items())
    return [*lines, f"  largest residual of each kind: {', '.join(worst)}"] if record["certificate"] else lines


def _heading(record: Mapping[str, Any]) -> Iterator[str]:
    residual, radius, starts = (record[name] for name in ("residual", "spectral_radius", "starts"))
    if not record["competitive"]:
        held = record["held"]
        prices = f"price of {held[0]} is" if len(held) == 1 else f"prices of {', '.join(held)} are"
        yield f"of fix prices, not competitive: the {prices} held"
        yield f"residual {residual:.1e}"
        return
    known = "" if radius is None else f" (spectral radius {radius:.4f})"
    index = f"index {record['index']:+d}" if record["index"] else "index not known"
    yield f"residual {residual:.1e}, {index}, the price rule {SETTLES[record['stable']]} here{known}"
    yield f"{starts} start{'' if starts == 1 else 's'} led here"


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
