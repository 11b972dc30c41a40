"""Running scenarios into folders, one after another or several at a time, and stopping them between two ticks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from simulator.errors import CommandError, RunFolderError, ScenarioError
from simulator.terminal import BROKEN, INTERRUPTED, WRONG_INPUT, Progress, progress_of, silent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from simulator.scenario import Scenario


class Task(NamedTuple):
    """A scenario to run, where to, and how."""

    scenario: Scenario
    folder: Path
    resume: bool
    formats: tuple[str, ...]


class Job(NamedTuple):
    """Work for a process of its own, `work(scenario, *arguments, stop)`, to which the scenario travels as plain data;
    what is `left` if it ends without a result is said to the user.
    """

    name: str
    resolved: dict[str, Any]
    inputs: dict[str, Path]
    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    left: str

    @classmethod
    def on(
        cls, scenario: Scenario, work: Callable[..., Any], *arguments: Any, left: str = "nothing was written"
    ) -> Job:
        inputs = {name: file.absolute() for name, file in scenario.inputs.items()}
        return cls(scenario.name, scenario.resolved, inputs, work, arguments, left)


class Failure(NamedTuple):
    """A run or command that could not be finished: what to say, the exit code, and the trace of what went wrong."""

    text: str
    code: int
    trace: str = ""


Result = dict[str, Any] | Failure | None
"""The summary of a run, why it failed, or None if it was not started."""


GRACE = 1.5
"""Seconds that a run has to come to the end of a tick once it was asked to stop."""
KEPT = "what was recorded is kept, --resume continues it"
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruption(ExitStack):
    """The first Ctrl-C (or SIGTERM, SIGHUP) asks runs to stop between two ticks; the second one breaks off.

    Where no tick ends within the `GRACE` (a search for equilibria, a tick of an hour) they are broken off all the same,
    if the system has alarms: Windows has none. The `patient` take any number of signals for one.
    """

    def __init__(self, *, patient: bool = False) -> None:
        super().__init__()
        self.asked, self._patient = False, patient

    def __enter__(self) -> Self:
        self.enter_context(_handled(STOPPING, self._note))
        self.enter_context(_handled(("SIGALRM",), break_off))
        self.callback(_alarm, 0.0)
        return self

    def heed(self) -> bool:
        """Between two ticks: whether to stop. Who stops has all the time to write what was recorded."""
        if self.asked:
            _alarm(0.0)
        return self.asked

    def _note(self, number: int, frame: object) -> None:
        if not self.asked:
            self.asked = True
            _alarm(GRACE)
        elif not self._patient:
            break_off(number, frame)


def break_off(number: int, _: object) -> None:
    """What a signal does that cannot wait."""
    raise KeyboardInterrupt(number)


def broken_off_by_signals() -> AbstractContextManager[None]:
    """SIGTERM and SIGHUP end what is done here, as Ctrl-C does."""
    return _handled(STOPPING, break_off)


@contextmanager
def _handled(names: Sequence[str], handler: Callable[[int, Any], None] | signal.Handlers) -> Generator[None]:
    """Give signals to a handler, those that the system knows; a SIGHUP that is ignored (nohup) stays so."""
    before: dict[int, Any] = {}
    for name in names:
        number = getattr(signal, name, None)
        ignored = name == "SIGHUP" and number is not None and signal.getsignal(number) == signal.SIG_IGN
        if number is not None and not ignored:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _alarm(seconds: float) -> None:
    """Send a SIGALRM after so many seconds and again after each so many more: it may be lost. None after 0."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)


def one_thread() -> None:
    """Linear algebra on one thread, in what is started from here too; without effect once numpy is imported."""
    for library in ("OPENBLAS", "OMP", "MKL", "VECLIB"):
        name = f"{library}_NUM_THREADS" if library != "VECLIB" else "VECLIB_MAXIMUM_THREADS"
        os.environ[name] = "1"


def run_all(tasks: Sequence[Task], jobs: int, stop: Interruption, speaks: bool) -> list[Result]:
    """Run every task, `jobs` at a time; the results in the order of the tasks."""
    with progress_of(speaks) as progress:
        if jobs > 1 and len(tasks) > 1:
            work = [Job.on(task.scenario, _attempt, *task[1:], left=KEPT) for task in tasks]
            return in_processes(work, jobs, stop, progress)
        return [None if stop.asked else _attempt(*task, stop, progress) for task in tasks]


def _attempt(
    scenario: Scenario,
    folder: Path,
    resume: bool,
    formats: tuple[str, ...],
    stop: Interruption,
    progress: Progress = silent,
) -> Result:
    """Run a scenario and draw it; what goes wrong becomes a `Failure`, so that other runs go on."""
    try:
        from simulator.run import run_to_disk

        advance = partial(progress, f"{scenario.name}: tick")
        summary = run_to_disk(scenario, folder, resume=resume, progress=advance, stopped=stop.heed)
        if formats and summary["outcome"] != "interrupted":
            from simulator.figures.table import draw

            draw(folder, folder / "figures", formats)
    except KeyboardInterrupt:
        if not folder.exists():
            return None
        return Failure(f"{scenario.name}: broken off; {KEPT}", INTERRUPTED)
    except Exception as error:
        return failure_of(error, scenario.name)
    return summary


def in_processes(work: Sequence[Job], jobs: int, stop: Interruption, progress: Progress) -> list[Any]:
    """Do work in processes of its own, `jobs` at a time; the results in order, a `Failure` where there is none, None
    for what was stopped. SIGTERM tells processes to stop, Ctrl-C is for this one.
    """
    from multiprocessing import connection, get_all_start_methods, get_context

    if "forkserver" in get_all_start_methods():
        context = get_context("forkserver")
        context.set_forkserver_preload(["simulator.run"])
    else:
        context = get_context("spawn")
    results: list[Any] = [None] * len(work)
    waiting = list(enumerate(work))[::-1]
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    done = 0
    try:
        while running or (waiting and not stop.asked):
            while waiting and len(running) < jobs and not stop.asked:
                number, job = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(theirs, job))
                with _handled(("SIGINT",), signal.SIG_IGN):  # Ctrl-C is for this process alone.
                    process.start()
                theirs.close()
                running[ours] = number, process
            for ready in connection.wait(list(running), timeout=0.1):
                assert isinstance(ready, connection.Connection)
                number, process = running.pop(ready)
                results[number] = _receive(ready, process, work[number], stop)
                done += 1
                progress("runs done:", done, len(work))
            if stop.heed():
                for _, process in running.values():
                    process.terminate()
    finally:
        for _, process in running.values():
            process.kill()
    return results


def _work(answer: Connection, job: Job) -> None:
    """One job in a process of its own: what it finds goes back, and so does what went wrong."""
    with Interruption(patient=True) as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Thread(target=_stop_with_parent, daemon=True).start()
        try:
            from simulator.scenario import load

            result = job.work(load(job.resolved, inputs=job.inputs), *job.arguments, stop)
        except KeyboardInterrupt:
            result = None
        except Exception as error:  # A file that it reads may have gone since it was checked.
            result = failure_of(error, job.name)
        with suppress(BrokenPipeError):  # The program was killed; the run's files say all.
            answer.send(result)


def _stop_with_parent() -> None:
    """Ask this process to stop once the program that started it is gone, however that ended."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _receive(answer: Connection, process: BaseProcess, job: Job, stop: Interruption) -> Any:
    """What a process found, once it has ended."""
    try:
        result = answer.recv()
    except EOFError:
        result = None
    answer.close()
    process.join()
    if result is None and not stop.asked:
        code = process.exitcode or 0
        end = f"was killed by signal {-code}" if code < 0 else "ended without a result"
        return Failure(f"{job.name}: its process {end}; {job.left}", BROKEN)
    return result


def failure_of(error: Exception, name: str = "simulator") -> Failure:
    """What to say of an error, a line if it is the user's or the machine's."""
    from traceback import format_exception

    if isinstance(error, CommandError):
        text, code = str(error), error.code
    elif isinstance(error, (ScenarioError, RunFolderError)):
        text, code = str(error), WRONG_INPUT
    elif isinstance(error, OSError):
        text = f"{error.filename or name}: {error.strerror or type(error).__name__}"
        code = WRONG_INPUT
    elif isinstance(error, MemoryError):
        text, code = f"{name}: found too little memory for a scenario of this size", WRONG_INPUT
    else:
        text, code = f"{name}: internal error: {one_line(error)}; --debug shows the trace", BROKEN
    return Failure(text, code, getattr(error, "trace", "") or "".join(format_exception(error)).rstrip())


def one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
