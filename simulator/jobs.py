"""Running scenarios into folders, several at a time, and drawing what they left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.figures.needed import NEEDED, Look, possible
from simulator.pool import Job, Pool
from simulator.stopping import Interruption
from simulator.terminal import (
    INTERRUPTED,
    WRONG_INPUT,
    Failure,
    Progress,
    complain_of,
    exit_code,
    failure_of,
    print_json,
    print_summaries,
    progress_of,
    silent,
)

if TYPE_CHECKING:
    from simulator.scenario import Scenario

KEPT = "what was recorded is kept, --resume continues it"
Result = dict[str, Any] | Failure | None
"""The summary of a run, why it failed, or None if it was not started."""


class Task(NamedTuple):
    """A scenario to run, where to, and how."""

    scenario: Scenario
    folder: Path
    resume: bool


def run_and_draw(
    tasks: Sequence[Task], out: Path, formats: tuple[str, ...], pool: Pool, look: Look, *, speaks: bool, as_json: bool
) -> int:
    """Run scenarios, tell how they ended, and only then draw their figures; the exit code is that of the runs."""
    with progress_of(speaks) as progress:
        results = _run_all(tasks, pool, progress)
    summaries = {at: result for at, result in enumerate(results) if isinstance(result, dict)}
    failures = [result for result in results if isinstance(result, Failure)]
    for failure in failures:
        complain_of(failure)
    missing = [task.scenario.name for task, result in zip(tasks, results, strict=True) if result is None]
    ended = [tasks[at] for at, summary in summaries.items() if summary["outcome"] != "interrupted" and formats]
    runs = {task.scenario.name: task.scenario.run for task in ended}
    able = {name: possible(run.tables, whole={*run.kept} == {None}) for name, run in runs.items()}
    drawn = {name for name, figures in able.items() if any(NEEDED[figure] for figure in figures)}
    if as_json and summaries:
        print_json(summaries[0] if len(tasks) == 1 else [*summaries.values()])
    elif speaks:
        print_summaries([*summaries.values()], out, missing, drawn, _answers(tasks, summaries))
    with progress_of(speaks) as progress:
        undrawn = _draw_all(ended, (formats, look), pool, progress)
    for failure in undrawn:
        complain_of(failure)
    codes = [*map(exit_code, summaries.values()), *(failure.code for failure in failures)]
    codes += [INTERRUPTED] if missing or any(failure.code == INTERRUPTED for failure in undrawn) else []
    return max(codes)


def _answers(tasks: Sequence[Task], summaries: Mapping[int, dict[str, Any]]) -> dict[str, list[str]]:
    """The derivatives of each program that was run and came to rest, in lines, by the names of runs."""
    cleared = [tasks[at] for at, summary in summaries.items() if summary["outcome"] == "cleared"]
    kept = [task for task in cleared if "trajectory" in task.scenario.run.tables and "firms" in task.scenario.resolved]
    from simulator.answers import derivatives_in

    return {task.scenario.name: derivatives_in(task.folder, task.scenario) for task in kept}


def _run_all(tasks: Sequence[Task], pool: Pool, progress: Progress) -> list[Result]:
    """Run every task; the results in their order. Where they are run one by one, progress is told by tick."""
    results: list[Result] = [None] * len(tasks)
    alone = pool.jobs == 1 or len(tasks) == 1
    work = partial(_attempt, progress=progress if alone else silent)
    jobs = [Job(task.scenario, work, (task.folder, task.resume), KEPT) for task in tasks]
    for done, (place, result) in enumerate(pool.results(jobs), 1):
        results[place] = result
        if not alone:
            progress("runs done:", done, len(tasks))
    return results


def _attempt(scenario: Scenario, folder: Path, resume: bool, stop: Interruption, *, progress: Progress) -> Result:
    """Run a scenario as far as it gets until it is to stop, or is broken off."""
    from simulator.run import run_to_disk

    advance = partial(progress, f"{scenario.name}: tick")
    try:
        return run_to_disk(scenario, folder, resume=resume, progress=advance, stopped=stop.heed)
    except KeyboardInterrupt:
        return Failure(f"{scenario.name}: broken off; {KEPT}", INTERRUPTED) if folder.exists() else None


def _draw_all(
    tasks: Sequence[Task], how: tuple[tuple[str, ...], Look], pool: Pool, progress: Progress
) -> list[Failure]:
    """Draw the figures of finished runs; what could not be drawn, and why."""
    failures: list[Failure] = []
    jobs = [Job(task.scenario, _draw, (task.folder, *how), _again(task.folder)) for task in tasks]
    for done, (_, result) in enumerate(pool.results(jobs), 1):
        failures += [result] if isinstance(result, Failure) else result or ()
        progress("runs drawn:", done, len(tasks))
    return failures


def _draw(scenario: Scenario, folder: Path, formats: tuple[str, ...], look: Look, _: Interruption) -> list[Failure]:
    """Draw the figures of a run; one that fails leaves the others be."""
    from simulator.figures.table import NothingToSeeError, draw

    failed: dict[str, Exception] = {}
    try:
        draw(folder, folder / "figures", formats, failed, look)
    except NothingToSeeError as nothing:
        return [Failure(f"{scenario.name}: {nothing}", WRONG_INPUT)]
    except KeyboardInterrupt:
        return [Failure(f"{scenario.name}: its figures were broken off; {_again(folder)}", INTERRUPTED)]
    except OSError as error:
        failed["none"] = error
    failures = {
        error: Failure(f"{scenario.name}: {error}", WRONG_INPUT)
        if isinstance(error, NothingToSeeError)
        else failure_of(error, f"{scenario.name}: figure {name}")
        for name, error in failed.items()
    }
    return [
        failure._replace(text=f"{failure.text}; then {_again(folder)}") if isinstance(error, OSError) else failure
        for error, failure in failures.items()
    ]


def _again(folder: Path) -> str:
    return f"simulator plot {folder} draws them"
