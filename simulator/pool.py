"""Many jobs, several at a time: results as they end, jobs begun in their order.

The first jobs are done in this process. Once they have lasted as long as a worker takes to start, and what is left will
last as long again, workers are started beside it; they live until the pool is closed. A worker that dies is the failure
of the job it was doing; another takes its place.

No executor of the standard library does this: a worker that dies breaks a `ProcessPoolExecutor` as a whole, and a
`multiprocessing.Pool` waits for it for ever.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from io import BufferedReader
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from simulator.stopping import Interruption
from simulator.terminal import BROKEN, Failure, failure_of

if TYPE_CHECKING:
    from simulator.scenario import Scenario

START = 1.0
"""Seconds that a worker takes to start, about: what it imports."""
SWITCH = 5e-4
"""Seconds for which a job in this process keeps waiting those who hand jobs to workers."""
LIBRARIES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
ONE_THREAD = {name: "1" for name in LIBRARIES}
"""An environment in which linear algebra keeps to one thread: on more of them it is slower at a few hundred goods, and
it adds up in another order.
"""
WORKER = "import sys; sys.path[:] = sys.argv[1:]; from simulator.pool import serve; serve()"


class Job(NamedTuple):
    """`work(scenario, *arguments, stop)`, and what is `left` of it if its worker dies. To a worker the scenario travels
    as plain data, all else pickled.
    """

    scenario: Scenario
    work: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    left: str = "nothing was written"

    def done(self, stop: Interruption) -> Any:
        """What comes of it: the result, or the `Failure` that an error is."""
        try:
            return self.work(self.scenario, *self.arguments, stop)
        except Exception as error:
            return failure_of(error, self.scenario.name)


class Pool:
    """Up to so many `jobs` at a time, two or as many as there are cores at most, until `stop` is asked for.

    `apart` all are done by workers, however few: what kills one does not kill this process.
    """

    def __init__(self, jobs: int, stop: Interruption, *, apart: bool = False) -> None:
        from simulator.economics.rows import cores

        self.jobs, self._stop = min(jobs, max(cores(), 2)), stop
        self._apart = apart
        self._helpers = [Thread(target=self._help) for _ in range(self.jobs if apart else self.jobs - 1)]
        self._waiting = deque[tuple[int, Job]]()
        self._results = SimpleQueue[tuple[int, Any]]()
        self._changed = Condition()
        self._workers = set[Worker]()
        self._switch = sys.getswitchinterval()
        self._began, self._ended, self._closed = time.monotonic(), 0, False

    def __enter__(self) -> Self:
        self._stop.told.append(self._tell_workers)
        for helper in self._helpers:
            helper.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for worker in self._workers:
                worker.process.kill()
        self._stop.told.remove(self._tell_workers)
        for helper in self._helpers:
            helper.join()
        sys.setswitchinterval(self._switch)

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Each job's place and result, as they end: a `Failure` where it raised an error or its worker died, None where
        a worker was broken off. Nothing comes of jobs that had not begun when the pool was asked to stop.
        """
        with self._changed:
            self._waiting.extend(enumerate(jobs))
            self._changed.notify_all()
        left = len(jobs)
        while left:
            here = not self._apart or not any(helper.is_alive() for helper in self._helpers)
            if here and (taken := self._take()) is not None:
                self._results.put((taken[0], taken[1].done(self._stop)))
            elif self._stop.heed():
                with self._changed:
                    left -= len(self._waiting)
                    self._waiting.clear()
            for found in self._found(here) if left else ():
                left, self._ended = left - 1, self._ended + 1
                yield found

    def _take(self) -> tuple[int, Job] | None:
        with self._changed:
            return self._waiting.popleft() if self._waiting and not self._stop.asked else None

    def _found(self, here: bool) -> Iterator[tuple[int, Any]]:
        """The results that are there; where nothing is left to begin `here`, one is waited for, but not for long."""
        with suppress(Empty):
            yield self._results.get(timeout=0.0 if here and self._waiting else 0.1)
            while True:
                yield self._results.get_nowait()

    def _help(self) -> None:
        """Hand jobs to a worker, one after another, once that pays: what a thread does. Where no worker can be started
        all is done without.
        """
        worker: Worker | None = None
        with suppress(OSError, EOFError):
            while self._pays(started=worker is not None):
                if worker is None:
                    worker = Worker()
                    with self._changed:
                        self._workers.add(worker)
                    worker.start()
                elif (taken := self._take()) is not None:
                    self._results.put((taken[0], worker.done(taken[1], self._stop)))
                if worker.process.returncode is not None:
                    self._workers.discard(worker)
                    worker = None
        if worker is not None:
            worker.process.communicate()

    def _pays(self, *, started: bool) -> bool:
        """Wait until there is work for a worker, and enough of it if it has to be `started`; False once all is over."""
        with self._changed:
            while not self._closed:
                spent = time.monotonic() - self._began
                left = len(self._waiting) * spent / max(self._ended, 1)
                pays = started or self._apart or min(spent, left) > START
                if self._waiting and not self._stop.asked and pays:
                    return True
                self._changed.wait(0.05 if self._waiting else None)
        return False

    def _tell_workers(self) -> None:
        for worker in list(self._workers):
            worker.process.terminate()


class Worker:
    """A process that does jobs, each when it is told: Ctrl-C is for the program that started it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if sys.stderr else subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def start(self) -> None:
        """Wait until it has imported what runs need."""
        sys.setswitchinterval(SWITCH)
        self._answer()

    def done(self, job: Job, stop: Interruption) -> Any:
        """What comes of a job."""
        scenario = job.scenario
        inputs = {name: file.absolute() for name, file in scenario.inputs.items()}
        try:
            from simulator.scenario.plugins import FILES

            given = scenario.resolved, inputs, [file.absolute() for file in FILES]
            return self._answer(pickle.dumps(pickle.dumps((given, job.work, job.arguments))))
        except EOFError:
            code = self.process.returncode
        except Exception as error:  # What cannot be pickled.
            return failure_of(error, scenario.name)
        end = f"was killed by signal {-code}" if code < 0 else "ended without a result"
        return None if stop.asked else Failure(f"{scenario.name}: its process {end}; {job.left}", BROKEN)

    def _answer(self, asked: bytes = b"") -> Any:
        """Its answer to what it is asked, if anything; `EOFError` once the process is dead."""
        inward, outward = self.process.stdin, self.process.stdout
        assert inward is not None
        assert outward is not None
        try:
            inward.write(asked)
            inward.flush()
            return pickle.load(outward)
        except (OSError, EOFError, pickle.UnpicklingError):
            self.process.communicate()
            raise EOFError from None


def serve() -> None:
    """Be a worker until the program that started it is gone: jobs come in, results go out."""
    import_module("simulator.run")
    inward, outward = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library may print is no result.
    heard = SimpleQueue[bytes | None]()
    given: Any = None
    with suppress(KeyboardInterrupt, BrokenPipeError), Interruption(patient=True) as stop:
        Thread(target=_hear, args=(inward, heard), daemon=True).start()
        scenario: Any = None
        result = pickle.dumps("ready")
        while True:
            outward.write(result)
            outward.flush()
            if (sent := heard.get()) is None:
                return
            try:
                last, (given, work, arguments) = given, pickle.loads(sent)
                scenario = _scenario(*given) if given != last else scenario
                result = pickle.dumps(Job(scenario, work, arguments).done(stop))
            except KeyboardInterrupt:
                result = pickle.dumps(None)
            except Exception as error:  # A file that the scenario reads may have gone since it was checked.
                given, result = None, pickle.dumps(failure_of(error))


def _scenario(resolved: Mapping[str, Any], inputs: Mapping[str, Path], plugins: list[Path]) -> Scenario:
    from simulator.scenario import load
    from simulator.scenario.plugins import FILES, run_files

    if [*FILES] != plugins:
        run_files(plugins)
    return load(resolved, inputs=inputs)


def _hear(inward: BufferedReader, heard: SimpleQueue[bytes | None]) -> None:
    """Hand on what is sent. Once that ends, so does the program that sent it: whatever is at work here stops."""
    with suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            heard.put(pickle.load(inward))
    heard.put(None)
    os.kill(os.getpid(), signal.SIGTERM)
