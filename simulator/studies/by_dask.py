"""The runs of a study by dask.distributed: tasks of a scheduler elsewhere, or of one that is started here.

A worker needs this package and nothing else: the scenario is sent as plain data, and with it the files that it reads
and those that `--plugin` names.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Lock
from typing import Any
from weakref import finalize

from simulator.errors import RunFolderError
from simulator.extras import library
from simulator.scenario import Scenario, load
from simulator.scenario.plugins import FILES, run_files
from simulator.stopping import Interruption
from simulator.studies.families import TWICE, Group, rows_of
from simulator.studies.outcome import Plan, Row, said
from simulator.terminal import BROKEN, Failure
from simulator.threads import one_thread

LOCAL = "local"
"""In the place of an address: a scheduler of this machine, with a worker for each job."""
WAITS = 10
"""Seconds for which a scheduler is looked for."""
AHEAD = 1_000
"""So many tasks are handed over before the first of them has ended."""
GLANCE = 0.02
"""Seconds from one look at what has ended to the next."""


_one_at_a_time = Lock()
"""Threads of a worker would share what is traced."""


@dataclass(frozen=True, eq=False)
class Sent:
    """A scenario as it is sent: plain data, and the contents of the files that it reads and of those with plugins."""

    resolved: Mapping[str, Any]
    files: Mapping[str, bytes]
    plugins: Mapping[str, bytes]


def by_dask(address: str, jobs: int) -> Callable[[Scenario, Plan, Sequence[Group], Interruption], Iterator[Row]]:
    """The road by a scheduler at an `address` (`tcp://host:8786`), or by so many `jobs` here where that is `local`.

    Raises `RunFolderError` where there is no scheduler, and `MissingExtraError`.
    """
    distributed = library("distributed", "--dask")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if address == LOCAL:
        quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
        cluster = distributed.LocalCluster(n_workers=jobs, threads_per_worker=1, **quiet)
        return partial(_rows, client=distributed.Client(cluster), cluster=cluster)
    try:
        client = distributed.Client(address, timeout=WAITS)
    except (OSError, ValueError, TypeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        expected = "expected the address of a scheduler, as tcp://127.0.0.1:8786, or local"
        raise RunFolderError(f"--dask: found no scheduler at {address} ({said}); {expected}") from None
    return partial(_rows, client=client)


def _rows(
    scenario: Scenario, plan: Plan, groups: Sequence[Group], stop: Interruption, *, client: Any, cluster: Any = None
) -> Iterator[Row]:
    """The rows of groups of runs as they end. Runs whose workers died start again once, each alone. If the scheduler is
    lost, `stop` is asked for.
    """
    tasks = Tasks(client, scenario, plan, stop)
    try:
        died: list[Group] = []
        for group, result in tasks.results(groups):
            if isinstance(result, Failure):
                died += [group._replace(runs=(run,)) for run in group.runs]
            else:
                yield from result
        for group, result in tasks.results(died):
            if isinstance(result, Failure):
                yield Row(group.runs[0], error=f"{result.text}; {TWICE}")
            else:
                yield from result
    finally:
        tasks.over()
        if cluster is not None:
            cluster.close(timeout=WAITS)


class Tasks:
    """Tasks of a scheduler, a group of runs each."""

    def __init__(self, client: Any, scenario: Scenario, plan: Plan, stop: Interruption) -> None:
        self._client, self._plan, self._stop = client, plan, stop
        files = {name: place.read_bytes() for name, place in scenario.inputs.items()}
        plugins = {str(place): place.read_bytes() for place in FILES}
        # A task of its own: whoever needs it and has lost it can have it made again.
        self._sent = client.submit(Sent, dict(scenario.resolved), files, plugins)
        self._held = dict[Any, Group]()

    def results(self, groups: Sequence[Group]) -> Iterator[tuple[Group, Any]]:
        """Each group with its rows, or with the `Failure` that an error is, as they end."""
        waiting = list(reversed(groups))
        while (waiting or self._held) and not self._stop.heed():
            while waiting and len(self._held) < AHEAD:
                group = waiting.pop()
                self._held[self._client.submit(rows_of_sent, self._sent, self._plan, group, pure=False)] = group
            ended = [task for task in self._held if task.done()]
            for task in ended:
                group = self._held.pop(task)
                if task.status in ("cancelled", "lost"):
                    self._stop.asked = True
                    continue
                try:
                    result = _failure(task) if task.status == "error" else task.result()
                except (OSError, CancelledError):  # The scheduler went while it was asked.
                    self._stop.asked = True
                else:
                    yield group, result
            if not ended:
                time.sleep(GLANCE)
            if self._client.status != "running" or not self._client.scheduler_comm:
                self._stop.asked = True

    def over(self) -> None:
        """Let go of all that has not ended."""
        self._held.clear()
        self._client.close(timeout=WAITS)


def _failure(task: Any) -> Failure:
    error = task.exception()
    return Failure("its worker died" if type(error).__name__ == "KilledWorker" else said(error), BROKEN)


def rows_of_sent(sent: Sent, plan: Plan, group: Group) -> list[Row]:
    """The rows of a group of runs in a worker of dask."""
    with _one_at_a_time, one_thread():
        return rows_of(_received(sent), plan, group, Interruption())


@lru_cache(maxsize=1)
def _received(sent: Sent) -> Scenario:
    """The scenario that was sent; the files that it reads go with it."""
    folder = Path(mkdtemp(prefix="simulator-"))
    run_files(_written(sent.plugins, folder / "plugins").values())
    scenario = load(sent.resolved, inputs=_written(sent.files, folder / "inputs"))
    finalize(scenario, rmtree, folder, ignore_errors=True)
    return scenario


def _written(files: Mapping[str, bytes], folder: Path) -> dict[str, Path]:
    """Where files lie that were sent, each in a folder of its own."""
    places = {name: folder / str(number) / Path(name).name for number, name in enumerate(files)}
    for name, place in places.items():
        place.parent.mkdir(parents=True)
        place.write_bytes(files[name])
    return places
