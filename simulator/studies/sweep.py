"""Many runs of one scenario: groups of runs go to workers, rows come back as they end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from simulator.pool import Job, Pool
from simulator.scenario import Scenario
from simulator.scenario.variation import Variation
from simulator.stopping import Interruption
from simulator.studies.outcome import Plan, PlannedRun, Row, row_of
from simulator.terminal import Failure

Group = tuple[PlannedRun, ...]
"""Runs that are done together: what becomes of them does not depend on it."""
TWICE = "so it did a second time, alone"


def grouped(scenario: Scenario, runs: Iterable[PlannedRun]) -> list[Group]:
    """Runs in groups, in their order."""
    return [(run,) for run in runs]


def rows_of(scenario: Scenario, plan: Plan, runs: Group, stop: Interruption) -> list[Row]:
    """The rows of a group of runs, here or in a worker; none of those that were not done when it was asked to stop."""
    variation = _variation_of(scenario)
    rows = (row_of(variation, plan, run, stop.heed) for run in runs if not stop.asked)
    return [row for row in rows if row is not None]


@lru_cache(maxsize=1)
def _variation_of(scenario: Scenario) -> Variation:
    """A worker is given the same scenario again and again."""
    return Variation(scenario)


def rows_by_pool(
    scenario: Scenario, plan: Plan, groups: Sequence[Group], jobs: int, stop: Interruption
) -> Iterator[Row]:
    """The rows of groups of runs as they end, so many `jobs` at a time, each in a worker.

    Runs whose worker died start again, each alone, when all others are done; if it dies again, that is the row's error.
    """
    died: list[PlannedRun] = []
    with Pool(jobs, stop, apart=True) as pool:
        for place, result in pool.results([Job(scenario, rows_of, (plan, group)) for group in groups]):
            if isinstance(result, Failure):
                died += groups[place]
            else:
                yield from result or ()
        for run in died:
            for _, result in pool.results([Job(scenario, rows_of, (plan, (run,)), TWICE)]):
                if isinstance(result, Failure):
                    yield Row(run, error=result.text.removeprefix(f"{scenario.name}: "))
                else:
                    yield from result or ()
