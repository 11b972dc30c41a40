"""Many runs of one scenario: groups of runs go to workers, rows come back as they end.

`sweep("study.yaml")` is the road from Python; the command `simulator sweep` takes the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.economics.rows import cores
from simulator.errors import RunFolderError
from simulator.pool import Job, Pool
from simulator.scenario import Scenario
from simulator.stopping import Interruption
from simulator.studies.families import TWICE, Group, grouped, rows_of
from simulator.studies.folder import StudyFolder, line_of, sorted_text, table_of
from simulator.studies.outcome import Plan, Row
from simulator.studies.reading import Source
from simulator.studies.study import Study, load_study
from simulator.studies.summary import summary_of
from simulator.terminal import Failure, Progress, silent

if TYPE_CHECKING:
    import pandas as pd


def rows_by_pool(
    scenario: Scenario, plan: Plan, groups: Sequence[Group], stop: Interruption, *, jobs: int
) -> Iterator[Row]:
    """The rows of groups of runs as they end, so many `jobs` at a time, each in a worker.

    Runs whose worker died start again, each alone, when all others are done; if it dies again, that is the row's error.
    """
    died: list[Group] = []
    for side_by_side in (True, False):
        some = [group for group in groups if (group.family is not None) == side_by_side]
        if not some or stop.asked:
            continue
        # What goes side by side is code of the language in bounded memory: it is done here where that is sooner.
        with Pool(jobs, stop, apart=not side_by_side) as pool:
            for place, result in pool.results([Job(scenario, rows_of, (plan, group)) for group in some]):
                if isinstance(result, Failure):
                    died += [some[place]._replace(runs=(run,)) for run in some[place].runs]
                else:
                    yield from result or ()
    if not died:
        return
    with Pool(jobs, stop, apart=True) as pool:
        for group in died:
            for _, result in pool.results([Job(scenario, rows_of, (plan, group), TWICE)]):
                if isinstance(result, Failure):
                    yield Row(group.runs[0], error=result.text.removeprefix(f"{scenario.name}: "))
                else:
                    yield from result or ()


Road = Callable[[Scenario, Plan, Sequence[Group], Interruption], Iterator[Row]]
"""By which runs are done: the rows of groups of runs as they end."""


class Done(NamedTuple):
    """A study as far as it was carried out: its table as text, its summary, and whether all runs are there."""

    text: str
    summary: dict[str, Any]
    whole: bool


def carry_out(
    study: Study,
    road: Road,
    stop: Interruption,
    folder: StudyFolder | None = None,
    *,
    resume: bool = False,
    retry: bool = False,
    progress: Progress = silent,
) -> Done:
    """Do the runs of a study by a road, into a folder if there is one; some of them if it was asked to stop.

    Within a folder that is resumed only what is missing is run. Raises `RunFolderError`.
    """
    began = time.perf_counter()
    with folder or nullcontext():
        done = set[int]()
        if folder is not None and resume:
            done = folder.resume(retry=retry)
        elif folder is not None:
            folder.start()
        lines: list[str] = [] if folder is None else list(folder.lines())
        plan = Plan(study.measures, study.keep, None if folder is None else folder.path.absolute())
        groups = grouped(study.scenario, plan, study.runs(), done, cores())
        tell = _Told(progress, len(lines), study.size)
        for row in road(study.scenario, plan, groups, stop):
            text = line_of(study, row)
            if folder is not None:
                folder.append(text)
            lines.append(text)
            tell(row)
        text = sorted_text(study, lines)
        summary = summary_of(study, table_of(text), time.perf_counter() - began)
        whole = len(lines) == study.size
        if folder is not None and whole:
            folder.finish(text, summary)
    return Done(text, summary, whole)


class _Told:
    """Tells of progress: runs done, failed, how many a second, and the time that is left."""

    def __init__(self, progress: Progress, done: int, size: int) -> None:
        self._progress, self._before, self._done, self._size = progress, done, done, size
        self._failed, self._began = 0, time.monotonic()

    def __call__(self, row: Row) -> None:
        self._done, self._failed = self._done + 1, self._failed + bool(row.error)
        rate = (self._done - self._before) / max(time.monotonic() - self._began, 1e-9)
        left = duration((self._size - self._done) / rate)
        self._progress(f"{self._failed} failed, {rate:.3g} a second, {left} left; runs done:", self._done, self._size)


def duration(seconds: float) -> str:
    """A time as people say it: two significant digits, or hours and minutes."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 99.5 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class Timed(NamedTuple):
    """What the first runs of a study came to: their rows, the seconds that they took, and how long all take."""

    rows: list[Row]
    first_seconds: float
    seconds: float


def timed(study: Study, jobs: int, stop: Interruption) -> Timed | None:
    """The first runs that go side by side, if any do, and the first that goes alone, of which nothing is kept; None if
    it was stopped.
    """
    plan = Plan(study.measures, study.keep)
    groups = grouped(study.scenario, plan, study.runs(), parts=cores())
    rows, first_seconds, seconds = list[Row](), 0.0, 0.0
    for some in (True, False):
        alike = [group for group in groups if (group.family is not None) == some]
        found = list(by_pool(1)(study.scenario, plan, alike[:1], stop))
        if stop.asked:
            return None
        took = sum(row.seconds for row in found)
        rows, first_seconds = rows + found, first_seconds + took
        seconds += took * sum(len(group.runs) for group in alike) / max(len(found), 1)
    return Timed(rows, first_seconds, seconds / min(jobs, len(groups)))


def by_pool(jobs: int | None) -> Road:
    """The road by workers on this machine, as many as there are cores unless said."""
    return partial(rows_by_pool, jobs=jobs or cores())


def road_of(jobs: int | None, dask: str | None, keep: str) -> Road:
    """The road by workers here, or by the scheduler of `dask` if one is named; what is kept besides the table is kept
    here alone. Raises `RunFolderError` and `MissingExtraError`.
    """
    if dask is None:
        return by_pool(jobs)
    from simulator.studies.by_dask import LOCAL, by_dask

    if dask != LOCAL and keep != "summary":
        raise RunFolderError(
            f"--dask: found keep: {keep}, which is written here; expected keep: summary, or --dask local"
        )
    return by_dask(dask, jobs or cores())


def sweep(
    source: Source,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    seed: int | None = None,
    resume: bool = False,
    retry: bool = False,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Carry out a study (a YAML file, or plain data): its table, a row for each run, as in runs.csv.

    So many `jobs` at a time, as many as there are cores unless said, or by the `dask` scheduler of an address, or one
    started here (`local`); `seed` replaces the study's. Nothing is written unless `out` names the folder in which that
    of the study goes; there `resume` goes on with what is missing (and to `retry` with what has an error), `overwrite`
    begins anew. Raises `ScenarioError`, `RunFolderError`, and
    `KeyboardInterrupt` where it was interrupted; what is written is kept.
    """
    again = {"resume": resume, "retry": retry, "overwrite": overwrite}
    done, _ = completed(load_study(source, seed=seed), out, jobs, dask, **again)
    return table_of(done.text)


def completed(
    study: Study,
    out: str | Path | None,
    jobs: int | None,
    dask: str | None = None,
    *,
    resume: bool,
    retry: bool,
    overwrite: bool,
) -> tuple[Done, StudyFolder | None]:
    """A study with all its runs, and its folder if there is one. Raises `KeyboardInterrupt` if it is interrupted."""
    folder = None if out is None else StudyFolder(Path(out) / study.name, study)
    if folder is not None:
        folder.check(resume=resume, overwrite=overwrite)
    road, stop = road_of(jobs, dask, study.keep), Interruption()
    # Signals are for the main thread.
    with stop if threading.current_thread() is threading.main_thread() else nullcontext():
        done = carry_out(study, road, stop, folder, resume=resume, retry=retry)
    if not done.whole:
        raise KeyboardInterrupt
    return done, folder
