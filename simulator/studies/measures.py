"""Measures: what a study keeps of each run, a scalar of its summary, a cell of a table's last tick, or a formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from simulator.economics.forms import Array
from simulator.formulas.comparisons import Comparison, FormulaError
from simulator.kinds.wording import found, unknown
from simulator.records.columns import SUMMARY, TRAJECTORY
from simulator.records.table import Table

Value = float | int | str | None
"""What a measure comes to; None is an empty cell."""

STRUCTURED = frozenset(
    [
        "outside",
        "expect",
        "dominant_mode",
        "distribution",
        "shocks",
        "test",
        "surface",
        "tables",
        "versions",
        "seed",
        "wall_seconds",
        "scenario_sha256",
    ]
)
"""Keys of the summary that are no measures: no scalars, or not of the run alone."""
SCALARS = tuple(key for key in SUMMARY if key not in STRUCTURED)
TEXTS = frozenset(["name", "outcome", "scheduler", "sentence", "engine", "gradient_path", "reference", "scale"])
"""Scalars that are texts."""
JUDGED = frozenset(
    [
        "sentence",
        "price_gap",
        "adjoint_gap",
        "gradient_path_gap",
        "plan_residual",
        "gradient_path",
        "reference",
        "equilibria",
        "equilibrium",
        "potential",
        "merit",
        "cosine_to_gradient",
        "distance_to_gradient_path",
        "distance_to_equilibrium",
        "distance_to_adjoint",
        "rotation_index",
        "cosine_home",
        "dominant_mode",
        "gradient_price",
        "adjoint",
    ]
)
"""What only references know."""
DIAGNOSED = frozenset(["rotation_index", "cosine_home", "dominant_mode"])
EVERY_TICK = frozenset(["sentence", "plan_residual", "gradient_path_gap"])
"""Scalars that follow from every recorded tick."""
RESIDUAL = "max_relative_excess_demand"


class MeasureError(Exception):
    """A measure that is none, and what is wrong with it."""


@dataclass(frozen=True)
class Seen:
    """What is known of a run that has ended.

    `tables` hold the last recorded tick at least, and what is written at the end; `ticks` and `residuals`
    `(recorded ticks,)` tell the largest relative excess demand where somebody asks for its course.
    """

    summary: Mapping[str, Any]
    tables: Mapping[str, Table]
    point: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ticks: Array = field(default_factory=lambda: np.zeros(0))
    residuals: Array = field(default_factory=lambda: np.zeros(0))

    def last(self, table: str, column: str, *keys: str) -> Value:
        """A cell of the last recorded tick, found by the keys of its row after the tick."""
        rows = self.tables[table]
        if column not in rows.columns:
            return None
        names = [rows.parts[part].tolist() for part in PARTS[table]]
        places = [place for place, row in enumerate(zip(*names, strict=True)) if row == keys] if names else [0]
        if not places or not len(rows.values):
            return None
        count = len(names[0]) if names else 1
        return _plain(rows.values[len(rows.values) - count + places[0], rows.columns.index(column)])


PARTS = {"ticks": (), "trajectory": ("good",), "agents": ("agent", "good"), "equilibrium": ("good",)}
"""By what the rows of a tick are told apart."""


def _plain(value: Any) -> Value:
    """A value as it stands in a cell."""
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, (bool, np.bool_, np.integer)) else value


@dataclass(frozen=True)
class Measure:
    """What it comes to `of` a run, what it `needs` (names of columns and scalars), and the `tables` it reads."""

    of: Callable[[Seen], Value]
    needs: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()


def _scalar(key: str, seen: Seen) -> Value:
    """A scalar of the summary."""
    return _plain(seen.summary[key])


def _cell(table: str, column: str, keys: tuple[str, ...], seen: Seen) -> Value:
    """A cell of a table's last recorded tick."""
    return seen.last(table, column, *keys)


def _equilibrium_price(good: str, seen: Seen) -> Value:
    """The price of a good in the equilibrium reached: the one nearest to the last prices."""
    number, table = seen.summary["equilibrium"], seen.tables.get("equilibrium")
    if number is None or table is None:
        return None
    goods = table.parts["good"].tolist()
    row = (number - 1) * len(goods) + goods.index(good)
    return _plain(table.values[row, table.columns.index("price")])


def _ticks_to(bound: float, seen: Seen) -> Value:
    """The first recorded tick from which the largest relative excess demand stays within a bound to the end."""
    above = np.flatnonzero(~(seen.residuals <= bound))
    first = int(above[-1]) + 1 if len(above) else 0
    never = first == len(seen.ticks) or seen.summary["outcome"] == "cycled"
    return None if never else int(seen.ticks[first])


def _parameter(path: str, otherwise: Value, seen: Seen) -> Value:
    """A value of the point, or of the scenario where it is not varied."""
    return seen.point.get(path, otherwise)


def _formula(formula: Comparison, parts: Mapping[str, Measure], seen: Seen) -> Value:
    """A formula over other measures and parameters."""
    return formula.value({name: part.of(seen) for name, part in parts.items()})


def _all_needs(measures: Iterable[Measure]) -> frozenset[str]:
    return frozenset[str]().union(*(measure.needs for measure in measures))


def _all_tables(measures: Iterable[Measure]) -> frozenset[str]:
    return frozenset[str]().union(*(measure.tables for measure in measures))


def _in_table(table: str, column: str, *keys: str) -> Measure:
    return Measure(partial(_cell, table, column, keys), frozenset([column]), frozenset([table]))


class Measures(dict[str, Measure]):
    """Measures by the names of their columns, in their order."""

    @property
    def needs(self) -> frozenset[str]:
        """All that they need: columns and scalars."""
        return _all_needs(self.values())

    @property
    def tables(self) -> frozenset[str]:
        """The tables that they read."""
        return _all_tables(self.values())

    @property
    def judged(self) -> bool:
        """Whether they need references."""
        return bool(self.needs & JUDGED)

    def settings(self, ticks: int) -> dict[str, Any]:
        """How a run of at most so many ticks that is only measured may be cut short: no references, tables and rows
        that no measure needs.
        """
        idle: dict[str, Any] = {"run.tables": sorted({*self.tables, *(["ticks"] if self.needs & EVERY_TICK else [])})}
        if not self.judged:
            idle["run.references"] = "off"
        if not self.needs & DIAGNOSED:
            idle["run.diagnostics"] = 0
        if not self.needs & {*EVERY_TICK, "ticks_to"}:
            idle["run.record_every"] = max(ticks, 1)
        return idle

    def of(self, seen: Seen) -> tuple[Value, ...]:
        """What all come to in a run."""
        return tuple(measure.of(seen) for measure in self.values())


@dataclass(frozen=True)
class Known:
    """What can be measured of a scenario: the columns of ticks.csv, the goods, the rows and columns of agents.csv; the
    paths that are `varied`, and the values of others.
    """

    columns: tuple[str, ...]
    goods: tuple[str, ...]
    agents: tuple[tuple[str, str], ...]
    of_agents: tuple[str, ...]
    varied: tuple[str, ...]
    constant: Callable[[str], Value]

    @property
    def names(self) -> Iterator[str]:
        """Measures there are, the simple ones first."""
        yield from SCALARS
        yield from (name for name in self.columns if name not in SCALARS)
        yield from (f"{column.name}.{good}" for column in TRAJECTORY for good in self.goods)
        yield from (f"equilibrium.{good}" for good in self.goods)
        owners = dict.fromkeys(agent for agent, _ in self.agents)
        repeated = [name for name in ("profit", "utility", "money") if name in self.of_agents]
        yield from (f"{column}.{agent}" for column in repeated for agent in owners)
        single = [name for name in self.of_agents if name not in repeated]
        yield from (f"{column}.{agent}.{good}" for column in single for agent, good in self.agents)

    def measure(self, name: str) -> Measure:
        """The measure of a name. Raises `MeasureError`."""
        if name in SCALARS:
            return Measure(partial(_scalar, name), frozenset([name]))
        if name in self.columns:
            return _in_table("ticks", name)
        column, dot, rest = name.partition(".")
        if column == "ticks_to" and dot:
            return Measure(
                partial(_ticks_to, _bound(name, rest)), frozenset([RESIDUAL, "ticks_to"]), frozenset(["ticks"])
            )
        if column == "equilibrium" and rest in self.goods:
            return Measure(partial(_equilibrium_price, rest), frozenset(["equilibrium"]), frozenset(["equilibrium"]))
        if column in {each.name for each in TRAJECTORY} and rest in self.goods:
            return _in_table("trajectory", column, rest)
        for agent, good in self.agents if column in self.of_agents else ():
            repeated = column in ("profit", "utility", "money")
            if rest == f"{agent}.{good}" or (repeated and rest == agent):
                return _in_table("agents", column, agent, good)
        raise MeasureError(unknown("measure", name, [*self.names, "ticks_to.1e-4"]))

    def part(self, name: str) -> Measure:
        """A part of a formula: a measure, or a parameter. Raises `MeasureError`."""
        if name in self.varied:
            return Measure(partial(_parameter, name, None))
        try:
            return self.measure(name)
        except MeasureError:
            if any(name.startswith(f"{path}.") for path in self.varied) or (value := self.constant(name)) is None:
                raise
            return Measure(partial(_parameter, name, value))

    def expression(self, text: str) -> Measure:
        """A formula over measures and parameters. Raises `MeasureError` and `FormulaError`."""
        names = [*self.names, *self.varied]
        formula = Comparison(text, [name for name in names if "-" in name])
        parts = {name: self.part(name) for name in formula.names}
        return Measure(partial(_formula, formula, parts), _all_needs(parts.values()), _all_tables(parts.values()))


def _bound(name: str, text: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        raise MeasureError(f"found {found(name)}; expected ticks_to.X with a number X, as in ticks_to.1e-4") from None
    if not 0 < bound < np.inf:
        raise MeasureError(f"found {found(name)}; expected a number above 0, as in ticks_to.1e-4")
    return bound


def measures_of(given: Sequence[str | Mapping[str, str]], known: Known, taken: Iterable[str]) -> Measures:
    """The measures of a study; names that are `taken` are refused. Raises `MeasureError` and `FormulaError` with their
    place in the list as a last argument.
    """
    measures, used = Measures(), set(taken)
    for place, entry in enumerate(given):
        named = {entry: None} if isinstance(entry, str) else entry
        for name, text in named.items():
            try:
                if name in used:
                    raise MeasureError(f"found {found(name)} twice; expected names of columns that differ")
                measures[name] = known.measure(name) if text is None else known.expression(text)
            except (MeasureError, FormulaError) as error:
                error.args = (*error.args, place)
                raise
            used.add(name)
    return measures
