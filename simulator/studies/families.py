"""Which runs of a study are alike but for numbers, and go along a leading axis: a family.

What a run comes to depends on its family, never on who stands beside it: families follow from the study alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from simulator.errors import ScenarioError
from simulator.formulas.in_floats import emitted, plain
from simulator.formulas.leaves import OtherKindError, Place, differing
from simulator.records.columns import TICKS, TRAJECTORY
from simulator.records.table import Table, names
from simulator.scenario import Scenario
from simulator.scenario.variation import Variation
from simulator.schedulers.alike import Alike
from simulator.schedulers.tatonnement import Tatonnement
from simulator.stopping import Interruption
from simulator.studies.in_runs import Ended, Places, SideBySideRuns
from simulator.studies.measures import RESIDUAL, Seen
from simulator.studies.outcome import Plan, PlannedRun, Row, row_of, said

FEWEST = 24
"""Fewer runs are sooner done one after another."""
MOST = 1_000
"""More runs side by side gain nothing."""
MOST_NUMBERS, MOST_TICKS = 16_000_000, 20_000_000
"""So many numbers are kept of runs side by side, and so many ticks done, until their rows are there."""
MOST_TRIES = 3
"""So many values of a path are tried to see which numbers depend on it."""
TWICE = "so it did a second time, alone"

SERVED = {RESIDUAL, "ticks_to", "price", "demand", "supply", "excess_demand"} | {
    *("outcome", "ticks", "evaluations", "period", "amplitude")
}
"""What is known of runs side by side; other measures take a run alone."""


class Family(NamedTuple):
    """Runs alike: the changes of one of them, and the places of the numbers that may differ, in each regime."""

    changes: Mapping[str, Any]
    places: Places


class Group(NamedTuple):
    """Runs that are done together: side by side if they are of a `family`, else one after another."""

    runs: tuple[PlannedRun, ...]
    family: Family | None = None


def grouped(
    scenario: Scenario, plan: Plan, runs: Iterable[PlannedRun], done: Set[int] = frozenset(), parts: int = 1
) -> list[Group]:
    """All runs of a study but those that are `done`, by their numbers, in groups; where they go side by side in about
    so many `parts`.
    """
    variation, settings = Variation(scenario), plan.settings(scenario)
    alike: dict[Any, list[PlannedRun]] = {}
    for run in runs:
        alike.setdefault(_kind(variation, run), []).append(run)
    groups: list[Group] = []
    for each in alike.values():
        family, missing = None, [run for run in each if run.number not in done]
        if len(each) >= FEWEST and missing and plan.keep == "summary" and plan.measures.needs <= SERVED:
            family = _family(variation, settings, each)
        size = 1 if family is None else _size(variation.at(family.changes), plan, len(missing), parts)
        groups += [Group(tuple(missing[first : first + size]), family) for first in range(0, len(missing), size)]
    return sorted(groups, key=lambda group: group.runs[0].number)


def rows_of(scenario: Scenario, plan: Plan, group: Group, stop: Interruption) -> list[Row]:
    """The rows of a group of runs, here or in a worker; none of those that were not done when it was asked to stop."""
    variation = _variation_of(scenario)
    if group.family is not None:
        return rows_side_by_side(variation, plan, group, stop.heed)
    rows = (row_of(variation, plan, run, stop.heed) for run in group.runs if not stop.asked)
    return [row for row in rows if row is not None]


@lru_cache(maxsize=1)
def _variation_of(scenario: Scenario) -> Variation:
    """A worker is given the same scenario again and again."""
    return Variation(scenario)


def rows_side_by_side(variation: Variation, plan: Plan, group: Group, stopped: Callable[[], bool]) -> list[Row]:
    """The rows of runs of a family, none of those that were not done when it was to stop. Those that are not of the
    family after all go alone.
    """
    began, settings, family = time.perf_counter(), plan.settings(variation.scenario), group.family
    assert family is not None
    like = variation.at(family.changes)
    rows, alone = list[Row](), list[PlannedRun]()
    beside = dict[int, tuple[PlannedRun, Scenario]]()
    for run in group.runs:
        try:
            scenario = variation.at({**settings, **run.changes})
        except Exception as error:
            rows.append(Row(run, error=said(error)))
            continue
        if _within(places_between(like, scenario), family.places):
            beside[run.number] = run, scenario
        else:
            alone.append(run)
    if beside:
        course, tables = "ticks_to" in plan.measures.needs, plan.measures.tables
        side_by_side = SideBySideRuns([each for _, each in beside.values()], like, family.places, course=course)
        side_by_side.advance(stopped)
        seconds = (time.perf_counter() - began) / len(group.runs)
        for (run, scenario), ended in zip(beside.values(), side_by_side.ended, strict=True):
            if ended is not None:
                rows.append(Row(run, plan.measures.of(_seen(scenario, ended, run, tables)), seconds))
    rows += filter(None, (row_of(variation, plan, run, stopped) for run in alone if not stopped()))
    return rows


def _within(places: Places | None, known: Places) -> bool:
    """Whether all places are among known ones."""
    return places is not None and all({*some} <= {*every} for some, every in zip(places, known, strict=True))


def _seen(scenario: Scenario, ended: Ended, run: PlannedRun, tables: Set[str]) -> Seen:
    """What is known of a run at its end."""
    tick, markets, verdict = ended.tick, scenario.markets, ended.verdict
    flows = {"demand": tick.demand, "supply": tick.supply, "excess_demand": tick.demand - tick.supply}
    known = {name: markets.mean_over_users(flow[None], tick.prices[None]) for name, flow in flows.items()}
    known["price"] = markets.sum_over_users(tick.prices[None])
    number, found = {"tick": np.array([tick.tick])}, dict[str, Table]()
    if "trajectory" in tables:
        found["trajectory"] = Table.of(number, {"good": names(markets.goods)}, TRAJECTORY, known)
    if "ticks" in tables:
        found["ticks"] = Table.of(number, {}, TICKS, {RESIDUAL: np.array([tick.relative_excess_demand])})
    told = {"outcome": verdict.outcome, "period": verdict.period, "amplitude": verdict.amplitude, "ticks": tick.tick}
    told |= {"evaluations": (tick.tick + 1) * scenario.rule.evaluations}
    told[RESIDUAL] = tick.relative_excess_demand
    return Seen(told, found, run.point, ended.ticks, ended.residuals)


def _size(scenario: Scenario, plan: Plan, runs: int, parts: int) -> int:
    """How many runs go side by side."""
    ticks = scenario.run.ticks // scenario.run.record_every + 1 if "ticks_to" in plan.measures.needs else 1
    # A verdict rule remembers prices.
    kept = ticks + len(scenario.economy.goods) * min(scenario.run.ticks, 65_536)
    most = min(MOST_NUMBERS // kept, MOST_TICKS // max(scenario.run.ticks, 1))
    return max(1, min(MOST, -(-runs // parts), most))


def _kind(variation: Variation, run: PlannedRun) -> Any:
    """What tells a run from runs that it may be alike to: values other than numbers in the place of such."""
    return tuple((path, repr(value)) for path, value in run.point.items() if not variation.is_float(path, value))


def _family(variation: Variation, settings: Mapping[str, Any], runs: Sequence[PlannedRun]) -> Family | None:
    """The family of runs; None if they cannot, or need not, go side by side."""
    if (first := next((run for run in runs if _made(variation, {**settings, **run.changes})), None)) is None:
        return None
    changes = {**settings, **first.changes}
    like = variation.at(changes)
    if not _serves(like):
        return None
    found: list[dict[Place, None]] = [{} for _ in like.regimes]
    for path, value in first.changes.items():
        others = dict.fromkeys(run.changes[path] for run in runs if run.changes[path] != value)
        for other in list(others)[:MOST_TRIES]:
            made = _made(variation, {**changes, path: other})
            if made is not None and (places := places_between(like, made)) is not None:
                for known, more in zip(found, places, strict=True):
                    known.update(dict.fromkeys(more))
                break
    family = Family(changes, tuple(map(tuple, found)))
    return family if _traces(like, family.places) else None


def _made(variation: Variation, changes: Mapping[str, Any]) -> Scenario | None:
    try:
        return variation.at(changes)
    except ScenarioError:
        return None


def _serves(scenario: Scenario) -> bool:
    """Whether runs of a scenario would tick in plain floats alone, and so are faster side by side."""
    scheduler, economies = scenario.scheduler, [regime.economy for regime in scenario.regimes]
    if (
        not (scenario.foreseen and isinstance(scheduler, Tatonnement))
        or scheduler.engine != "auto"
        or scenario.plugins.any
    ):
        return False
    return all(economy.small() and not scheduler.layout(economy).set_valued for economy in economies)


def places_between(one: Scenario, other: Scenario) -> Places | None:
    """Where two scenarios differ in numbers that ticks depend on, in each regime; None if in anything else."""
    mine, others = one.scheduler, other.scheduler
    if not isinstance(mine, Tatonnement) or not isinstance(others, Tatonnement):
        return None
    if _frame(one) != _frame(other):
        return None
    try:
        return tuple(
            tuple(differing(mine.makings(a.economy), others.makings(b.economy)))
            for a, b in zip(one.regimes, other.regimes, strict=True)
        )
    except OtherKindError:
        return None


def _frame(scenario: Scenario) -> Any:
    """What runs side by side must have in common beside their numbers."""
    run = scenario.run
    return [run.ticks, run.record_every, run.stop, [regime.tick for regime in scenario.regimes]]


def _traces(scenario: Scenario, places: Places) -> bool:
    """Whether ticks can be traced with the numbers at these places as variables."""
    scheduler = scenario.scheduler
    assert isinstance(scheduler, Tatonnement)
    start = scheduler.start(scenario.economy, scenario.initial_prices, scenario.run.seed)
    for regime, where in zip(scenario.regimes, places, strict=True):
        alike = Alike(scheduler.makings(regime.economy), where, scheduler.made_of)
        given = plain((alike.numbers(alike.makings), start))
        if emitted(alike.tick, given).refusal is not None:
            return False
    return True
