"""What is kept and said of a planner's optimum, beside the equilibria of the market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.records.report import lined_up
from simulator.references.planner_program import Optimum, value_at

if TYPE_CHECKING:
    from simulator.economics.economy import Economy
    from simulator.economics.forms import Array
    from simulator.references.found import Equilibrium


def planner_record(economy: Economy, optimum: Optimum, found: Sequence[Equilibrium]) -> dict[str, Any]:
    """The optimum as plain data: its value, multipliers and levels by name, each with its range where it is not
    determined; and for each equilibrium of the market its value, its prices in the planner's scale, and how far off
    they are.
    """
    entries = economy.firm_entry[economy.level_firm]
    totals = np.zeros((len(economy.firms), 3))
    np.add.at(totals, entries, np.column_stack([optimum.levels, optimum.level_ranges]))
    firms = [firm.name for firm in economy.firms]
    return {
        "value": optimum.value,
        "unit": optimum.objective.unit,
        "multiplier": dict(zip(economy.goods, optimum.prices.tolist(), strict=True)),
        "level": dict(zip(firms, totals[:, 0].tolist(), strict=True)),
        "multiplier_ranges": _wide(economy.goods, optimum.price_ranges),
        "level_ranges": _wide(firms, totals[:, 1:]),
        "market": [_beside(economy, optimum, each) for each in found],
    }


def _wide(names: Sequence[str], ranges: Array) -> dict[str, list[float]]:
    """The ranges that are more than a number, by name."""
    size = np.max(np.abs(np.where(np.isfinite(ranges), ranges, 0.0)), axis=1)
    wide = ranges[:, 1] - ranges[:, 0] > 1e-9 * size
    return {names[at]: ranges[at].tolist() for at in np.flatnonzero(wide).tolist()}


def _beside(economy: Economy, optimum: Optimum, found: Equilibrium) -> dict[str, Any]:
    """An equilibrium in the planner's scale; gaps are relative, of a good that is free to what all goods are worth."""
    prices, plans = optimum.in_its_scale(found.prices), found.balance
    value = value_at(economy, optimum.objective, plans)
    off = np.abs(prices - np.clip(prices, optimum.price_ranges[:, 0], optimum.price_ranges[:, 1]))
    free = optimum.prices == 0
    worth = np.where(free, plans.scale / (prices @ plans.scale), 1.0 / np.where(free, 1.0, np.abs(optimum.prices)))
    return {
        "value": value,
        "value_gap": abs(value - optimum.value) / max(abs(optimum.value), 1e-300),
        "price": dict(zip(economy.goods, prices.tolist(), strict=True)),
        "price_gap": float(np.max(off * worth)),
    }


def planner_lines(record: Mapping[str, Any]) -> list[str]:
    """The optimum as text: its value, multipliers beside the market's prices, levels, and what is not determined."""
    unit, value = record["unit"], record["value"]
    lines = [f"planner, by linear programme: the most there can be of {unit} is {value:.9g}, where 1 of it costs 1"]
    for number, market in enumerate(record["market"], 1):
        off = f"{market['value_gap']:.1e} off; its prices are {market['price_gap']:.1e} off the multipliers"
        lines.append(f"  equilibrium {number} comes to {market['value']:.9g}, {off}")
    ranges, columns = record["multiplier_ranges"], [market["price"] for market in record["market"]]
    titles = [f"price in {number}" for number in range(1, len(columns) + 1)]
    rows = [("good", "multiplier", *titles)]
    for good, value in record["multiplier"].items():
        rows.append((good, _cell(value, ranges.get(good)), *(f"{prices[good]:.9g}" for prices in columns)))
    lines += lined_up(rows, width=max(len(row[0]) for row in rows), wide=14)
    rows = [("activity", "level")]
    rows += [(name, _cell(level, record["level_ranges"].get(name))) for name, level in record["level"].items()]
    lines += lined_up(rows, width=max(len(row[0]) for row in rows), wide=14) if record["level"] else []
    if ranges:
        lines.append("  the optimum is degenerate: multipliers with a range may be anywhere in it")
    if record["level_ranges"]:
        lines.append("  the best plan is not unique: only its value and prices are compared with the market")
    return lines


def _cell(value: float, extent: list[float | None] | None) -> str:
    if extent is None:
        return f"{value:.9g}"
    least, most = extent
    return f"{least:.9g} or more" if most is None else f"{least:.9g} to {most:.9g}"
