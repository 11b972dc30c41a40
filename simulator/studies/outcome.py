"""One run of a study, alone: a scenario with the changes of a point, run and measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulator.economics.forms import Array
from simulator.errors import ScenarioError
from simulator.records.folder import PART
from simulator.records.table import Table
from simulator.run import run_in_memory, run_to_disk
from simulator.scenario import Scenario
from simulator.scenario.variation import Variation
from simulator.studies.measures import RESIDUAL, Measures, Seen, Value
from simulator.terminal import one_line


class PlannedRun(NamedTuple):
    """A run of a study: its number, its replication at the point, the point's values by path, and its seed."""

    number: int
    replication: int
    point: Mapping[str, Any]
    seed: int

    @property
    def changes(self) -> dict[str, Any]:
        """What it changes of the scenario, by path."""
        return {**self.point, "run.seed": self.seed}


class Row(NamedTuple):
    """What came of a run: its measures in their order, how long it took, and why there is no outcome, if there is
    none.
    """

    run: PlannedRun
    values: tuple[Value, ...] = ()
    seconds: float = 0.0
    error: str = ""


class Plan(NamedTuple):
    """What is to be done in each run: the measures, what is kept besides (`summary`, `runs` or `trajectories`), and
    the folder for it.
    """

    measures: Measures
    keep: str = "summary"
    folder: Path | None = None

    def place(self, number: int) -> Path:
        """Where what is kept of a run goes."""
        assert self.folder is not None
        name = f"{number}.csv" if self.keep == "trajectories" else str(number)
        return self.folder / self.keep / name

    def settings(self, scenario: Scenario) -> dict[str, Any]:
        """What is set in each run beside what is varied: all that is not needed is left out, unless it is kept."""
        if self.folder is None or self.keep == "summary":
            return self.measures.settings(scenario.run.ticks)
        if self.keep == "runs":
            return {"run.tables": sorted(scenario.run.tables | self.measures.tables)}
        idle = self.measures.settings(scenario.run.ticks)
        idle.pop("run.record_every", None)
        return {**idle, "run.tables": sorted({*idle["run.tables"], "trajectory"})}


def row_of(variation: Variation, plan: Plan, run: PlannedRun, stopped: Callable[[], bool]) -> Row | None:
    """The row of a run, whatever becomes of it; None if it was stopped."""
    began = time.perf_counter()
    try:
        values = measured(variation, plan, run, stopped)
    except Exception as error:
        return Row(run, (), time.perf_counter() - began, said(error))
    return None if values is None else Row(run, values, time.perf_counter() - began)


def said(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, ScenarioError):
        return "; ".join(f"{problem.path}: {problem.message}".removeprefix(": ") for problem in error.problems)
    return "found too little memory" if isinstance(error, MemoryError) else one_line(error)


def measured(
    variation: Variation, plan: Plan, run: PlannedRun, stopped: Callable[[], bool] = lambda: False
) -> tuple[Value, ...] | None:
    """The measures of a run; None if it was stopped. Raises `ScenarioError` if the scenario refuses the changes."""
    # What is varied stays as it is.
    scenario = variation.at({**plan.settings(variation.scenario), **run.changes})
    watched = _Watched(trajectory=plan.folder is not None and plan.keep == "trajectories")
    if plan.folder is not None and plan.keep == "runs":
        summary = run_to_disk(scenario, plan.place(run.number), seen=watched, stopped=stopped)
    else:
        summary = run_in_memory(scenario, watched, stopped, told="sentence" in plan.measures.needs)
    if summary["outcome"] == "interrupted":
        return None
    if watched.trajectory is not None:
        write_whole(plan.place(run.number), "".join(watched.trajectory))
    return plan.measures.of(watched.seen(summary, run.point))


class _Watched:
    """What is remembered of the tables of a run: the last block of each, the course of the residual, and all of the
    `trajectory` as text if it is asked for.
    """

    def __init__(self, *, trajectory: bool) -> None:
        self.trajectory = list[str]() if trajectory else None
        self._tables, self._course = dict[str, Table](), list[Array]()

    def __call__(self, tables: Mapping[str, Table]) -> None:
        self._tables.update(tables)
        if (ticks := tables.get("ticks")) is not None:
            residuals = ticks.values[:, ticks.columns.index(RESIDUAL)]
            self._course.append(np.stack([ticks.each["tick"], residuals]))
        if self.trajectory is not None and (rows := tables.get("trajectory")) is not None:
            self.trajectory += [*([] if self.trajectory else [rows.header]), *rows.lines()]

    def seen(self, summary: Mapping[str, Any], point: Mapping[str, Any]) -> Seen:
        """What is known at the end."""
        course = np.concatenate(self._course, axis=1) if self._course else np.zeros((2, 0))
        return Seen(summary, self._tables, point, *course)


def write_whole(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = file.with_name(file.name + PART)
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(file)
