"""Many runs of a study: along a leading axis against the bare axis, on two cores, and what a task adds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from benchmarks.harness import SCENARIOS, Columns, Group, Groups, Line, Side
from simulator.scenario import load
from simulator.schedulers.side_by_side import SideBySide
from simulator.stopping import Interruption
from simulator.studies.by_dask import by_dask
from simulator.studies.families import Group as Runs
from simulator.studies.families import grouped, rows_of
from simulator.studies.folder import StudyFolder, table_of
from simulator.studies.outcome import Plan, Row
from simulator.studies.study import Study, load_study
from simulator.studies.sweep import by_pool, carry_out

BAZAAR = str(SCENARIOS / "bazaar.yaml")
GOODS = ("payoff2", "payoff3")


def beside_the_bare_axis(runs: int, ticks: int) -> Group:
    """The bazaar from prices of its own in each run: a sweep with its rows on disk, and ticks alone."""
    vary = {f"goods.{good}.price": {"lognormal": {"mean": 1, "sigma": 0.3}} for good in GOODS}
    scenario = load(BAZAAR, settings={"run.ticks": ticks, "run.stop": "never"})
    measures = ["outcome", "ticks", "price.payoff2"]
    source = {"name": "bazaars", "scenario": scenario.resolved, "vary": vary, "measures": measures}
    source |= {"design": {"random": runs}}
    starts = np.array([[1.0, *point.values()] for point in load_study(source).points])

    def sweep() -> Callable[[], str]:
        def work() -> str:
            cores = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {min(cores)})
            study = load_study(source)
            folder = StudyFolder(Path(mkdtemp()) / study.name, study)
            done = carry_out(study, by_pool(1), Interruption(), folder)
            os.sched_setaffinity(0, cores)
            return done.text

        return work

    def bare() -> np.ndarray:
        market = SideBySide(scenario.scheduler, scenario.economy, starts, 0, ("prices",))
        for _ in range(ticks + 1):
            (prices,) = market.advance()
        return prices

    sides = {
        "sweep": Side(sweep, lambda text: {"price": table_of(text)["price.payoff2"].to_numpy()}, runs, " a run"),
        "axis": Side(lambda: bare, lambda prices: {"price": prices[:, 1]}, runs, " a run"),
    }
    sizes = f"a sweep of {runs:,} runs of {ticks:,} ticks on one core, rows on disk"
    return Group(sides, [Line("bazaar", f"{sizes}, against the bare run axis", "sweep", "axis", at_most=5)], rounds=3)


def alone(runs: int, ticks: int) -> tuple[Study, Plan, list[Runs]]:
    """Runs of the bazaar that are asked what single runs alone know."""
    vary = {"scheduler.rate": np.linspace(0.01, 0.02, runs).tolist(), "run.ticks": [ticks] * runs}
    source = {"scenario": BAZAAR, "vary": vary, "design": "zip", "measures": ["outcome", "utility.consumer1"]}
    study = load_study(source)
    plan = Plan(study.measures)
    return study, plan, grouped(study.scenario, plan, study.runs())


def rest(rows: Iterator[Row], first: int) -> Callable[[], list[Row]]:
    """What gives all rows but so many that come first: until they are there, workers have started."""
    taken = list(islice(rows, first))
    return lambda: taken + list(rows)


def utilities(rows: list[Row]) -> Columns:
    """What was measured, in the order of runs."""
    return {"utility": np.array([row.values[1] for row in sorted(rows, key=lambda row: row.run.number)], dtype=float)}


def on_two_cores(runs: int, ticks: int) -> Group:
    """Runs that cannot share an axis, in two workers and in one; their start apart."""
    first = 4

    def by(jobs: int) -> Side:
        def begin() -> Callable[[], list[Row]]:
            study, plan, groups = alone(runs, ticks)
            return rest(by_pool(jobs)(study.scenario, plan, groups, Interruption()), first)

        return Side(begin, utilities, runs - first, " a run")

    what = f"{runs:,} runs of {ticks:,} ticks that cannot share an axis: two workers, against one"
    return Group({"two": by(2), "one": by(1)}, [Line("bazaar", what, "two", "one", 1.7)], rounds=1, by_clock=True)


def tasks(runs: int) -> Group:
    """Runs of a tick, a task each: in workers of the pool, of dask, and here without any."""

    def by_workers(road: Callable[[], Any]) -> Side:
        def begin() -> Callable[[], list[Row]]:
            study, plan, groups = alone(runs, 1)
            return rest(road()(study.scenario, plan, groups, Interruption()), 1)

        return Side(begin, utilities, runs - 1, " a run")

    def here() -> Callable[[], list[Row]]:
        study, plan, groups = alone(runs, 1)
        rows_of(study.scenario, plan, groups[0], Interruption())
        return lambda: [row for group in groups for row in rows_of(study.scenario, plan, group, Interruption())]

    sides = {
        "pool": by_workers(lambda: by_pool(1)),
        "dask": by_workers(lambda: by_dask("local", 1)),
        "here": Side(here, utilities, runs, " a run"),
    }
    lines = [
        Line("bazaar", "a run of a tick as a task of a pool's worker, against here", "pool", "here"),
        Line("bazaar", "a run of a tick as a task of dask, against here", "dask", "here"),
    ]
    return Group(sides, lines, needs=("distributed",), rounds=1, by_clock=True)


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    return {
        "sweep axis": partial(beside_the_bare_axis, *((30, 20) if quick else (1_000, 1_000))),
        "sweep cores": partial(on_two_cores, *((8, 20) if quick else (1_500, 5_000))),
        "sweep tasks": partial(tasks, 6 if quick else 300),
    }
