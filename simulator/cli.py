"""The command line: arguments, exit codes, progress, and nothing else.

Exit codes: 0 every run ended as its scenario expects; 3 a run ended otherwise; 2 a scenario, the command line or the
place to write to is wrong; 130 interrupted (what was recorded is kept); 1 an error of the program itself. The largest
wins. Modules are imported when a command needs them.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn, Self, TextIO

import typer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from simulator.errors import Problem
    from simulator.scenario import Scenario

SOLVE_STARTS = 60
AS_EXPECTED, BROKEN, WRONG_INPUT, UNEXPECTED, INTERRUPTED = 0, 1, 2, 3, 130
SAY_EVERY = 5.0
"""Seconds between lines of progress where there is no terminal."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Simulate how markets find, or fail to find, their prices.",
    epilog="--version, and --debug to see the trace of an error, may stand anywhere.",
)

Scenarios = Annotated[list[str], typer.Argument(metavar="SCENARIO", help="YAML files, folders of them, or globs.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a scenario, as in --set scheduler.rate=0.1; repeatable."),
]
Seed = Annotated[str | None, typer.Option("--seed", metavar="N", help="Seed, in place of the scenario's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Formats = Annotated[str, typer.Option("--format", metavar="FORMATS", help="Figures as png, svg or pdf, or png,svg.")]


@app.command(short_help="Run scenarios; write CSVs and figures to outputs/NAME/.")
def run(
    scenarios: Scenarios,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where run folders go.")] = Path("outputs"),
    ticks: Annotated[
        str | None, typer.Option("--ticks", metavar="N", help="Price adjustments at most, in place of the scenario's.")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no figures.")] = False,
    formats: Formats = "png",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    as_json: AsJson = False,
    jobs: Annotated[str, typer.Option("--jobs", metavar="N", help="Runs at the same time.")] = "1",
    resume: Annotated[bool, typer.Option("--resume", help="Continue runs that were interrupted or killed.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace run folders that exist.")] = False,
) -> None:
    """Run scenarios and write CSVs and figures to outputs/NAME/.

    Exit code: 0 if every run ended as its scenario expects, 3 if one did not, 2 if a scenario or the command line is
    wrong (then nothing is run), 130 if interrupted (--resume continues).
    """
    chosen, processes = _formats(formats), _jobs(jobs)
    if resume and overwrite:
        _refuse("--overwrite: found --resume too; expected one of them: continue runs, or replace them")
    loaded = _load(scenarios, settings, ticks=ticks, seed=seed)
    tasks = [_Task(scenario, out / scenario.name, resume, () if no_plots else chosen) for scenario in loaded]
    _check_places(tasks, out, resume=resume, overwrite=overwrite)
    speaks = not quiet and not as_json
    with _Interruption() as stop:
        results = _run_all(tasks, processes, stop, speaks)
    summaries = [result for result in results if isinstance(result, dict)]
    failures = [result for result in results if isinstance(result, _Failure)]
    for failure in failures:
        _complain(failure.text)
    missing = [task.scenario.name for task, result in zip(tasks, results, strict=True) if result is None]
    if as_json:
        _print_json(summaries[0] if len(tasks) == 1 and summaries else summaries, skip=not summaries)
    elif speaks:
        _print_summaries(summaries, out, missing)
    codes = [_exit_code(summary) for summary in summaries] + [failure.code for failure in failures]
    raise typer.Exit(max([*codes, INTERRUPTED] if missing else codes))


@app.command(short_help="Redraw the figures of finished runs from their CSVs.")
def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs, such as outputs/tupperware.")],
    formats: Formats = "png",
) -> None:
    """Redraw the figures of finished runs from their CSVs alone."""
    chosen = _formats(formats)
    strangers = [folder for folder in runs if not (folder / "trajectory.csv").is_file()]
    if strangers:
        found = "found no trajectory.csv; expected the folder of a run, such as outputs/tupperware"
        _refuse("\n".join(f"{folder}: {found}" for folder in strangers))
    from simulator.results.plots import draw

    for folder in runs:
        try:
            figures = draw(folder, folder / "figures", chosen)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            if _debugging():
                raise
            _refuse(
                f"{folder}: found CSVs that cannot be drawn ({_one_line(error)}); expected them as a run wrote them"
            )
        _say("\n".join(map(str, figures)))


@app.command(short_help="Validate scenarios without running them.")
def check(scenarios: Scenarios, settings: Settings = None) -> None:
    """Validate scenarios without running them: every problem of every file in one pass, one line each."""
    for scenario in _load(scenarios, settings):
        economy = scenario.economy
        counts = (len(economy.goods), len(economy.firms), len(economy.consumers))
        nouns = [_plural(n, noun) for n, noun in zip(counts, ("good", "firm", "consumer"), strict=True) if n]
        _say(f"{scenario.path}: ok: {scenario.name}, {', '.join(nouns)}")


@app.command(short_help="Find equilibria only, without dynamics.")
def solve(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A YAML file.")],
    settings: Settings = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Find equilibria only, without dynamics: every one found, with residual, index and stability.

    Exit code: 0 if there is one, 3 if none was found, 2 if the scenario or the command line is wrong.
    """
    from simulator.references.judges import References
    from simulator.results.report import equilibrium_lines, equilibrium_records

    (loaded,) = _load([scenario], settings, seed=seed, single=True)
    references = References(
        loaded.economy, loaded.rule, loaded.initial_prices, loaded.run.seed, random_starts=SOLVE_STARTS
    )
    if as_json:
        _print_json(equilibrium_records(references))
    else:
        _say("\n".join(equilibrium_lines(loaded.name, references)))
    raise typer.Exit(AS_EXPECTED if references.equilibria else UNEXPECTED)


def main() -> None:
    """The program `simulator`. A user's mistake is said in plain lines; --debug shows the trace of anything."""
    arguments = sys.argv[1:]
    own = arguments.index("--") if "--" in arguments else len(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file's name may be no text in the terminal's encoding.
            stream.reconfigure(errors="backslashreplace")
    try:
        if "--version" in arguments[:own]:
            from importlib.metadata import version

            _say(f"simulator {version('market-simulator')}")
            code = AS_EXPECTED
        else:
            plain = [argument for argument in arguments[:own] if argument != "--debug"]
            code = app(args=plain + arguments[own:], prog_name="simulator", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except USAGE_ERROR as error:
        _complain(_usage(error))
        code = WRONG_INPUT
    except Exception as error:
        failure = _failure(error)
        _complain(failure.text)
        code = failure.code
    _leave(code or AS_EXPECTED)


class _Task(NamedTuple):
    """A scenario to run, where to, and how."""

    scenario: Scenario
    folder: Path
    resume: bool
    formats: tuple[str, ...]


class _Failure(NamedTuple):
    """A run that could not be finished: what to say, and the exit code."""

    text: str
    code: int


Result = dict[str, Any] | _Failure | None
"""The summary of a run, why it failed, or None if it was not started."""
Progress = Callable[[str, int, int], None]
"""Told what is going on, how much is done, and how much there is at most."""


class _Interruption:
    """The first Ctrl-C (or SIGTERM, SIGHUP) asks runs to stop between two ticks; the second one breaks off."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            ignored = name == "SIGHUP" and number is not None and signal.getsignal(number) == signal.SIG_IGN
            if number is not None and not ignored:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def _run_all(tasks: Sequence[_Task], jobs: int, stop: _Interruption, speaks: bool) -> list[Result]:
    """Run every task, `jobs` at a time; the results in the order of the tasks."""
    with _progress(speaks) as progress:
        if jobs > 1 and len(tasks) > 1:
            return _in_processes(tasks, jobs, stop, progress)
        return [None if stop.asked else _attempt(task, stop, progress) for task in tasks]


def _attempt(task: _Task, stop: _Interruption, progress: Progress | None) -> Result:
    """Run a scenario and draw it; what goes wrong becomes a `_Failure`, so that other runs go on."""
    from simulator.run import run_to_disk

    scenario, folder, resume, formats = task

    def advance(tick: int, ticks: int) -> None:
        if progress is not None:
            progress(f"{scenario.name}: tick", tick, ticks)

    try:
        summary = run_to_disk(scenario, folder, resume=resume, progress=advance, stopped=lambda: stop.asked)
        if formats and summary["outcome"] != "interrupted":
            from simulator.results.plots import draw

            draw(folder, folder / "figures", formats)
    except Exception as error:
        return _failure(error, scenario.name)
    return summary


def _in_processes(tasks: Sequence[_Task], jobs: int, stop: _Interruption, progress: Progress | None) -> list[Result]:
    """Run tasks in processes of their own, `jobs` at a time; SIGTERM tells them to stop, Ctrl-C is for this process."""
    from multiprocessing import connection, get_all_start_methods, get_context

    if "forkserver" in get_all_start_methods():
        context = get_context("forkserver")
        context.set_forkserver_preload(["simulator.run"])
    else:
        context = get_context("spawn")
    results: list[Result] = [None] * len(tasks)
    waiting = list(enumerate(tasks))[::-1]
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    done = 0
    try:
        while running or (waiting and not stop.asked):
            while waiting and len(running) < jobs and not stop.asked:
                number, task = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                plain = (task.scenario.resolved, *task[1:])
                process = context.Process(target=_work, args=(theirs, plain, _debugging()))
                _start_deaf(process)
                theirs.close()
                running[ours] = number, process
            for ready in connection.wait(list(running), timeout=0.1):
                assert isinstance(ready, connection.Connection)
                number, process = running.pop(ready)
                results[number] = _receive(ready, process, tasks[number], stop)
                done += 1
                if progress is not None:
                    progress("runs done:", done, len(tasks))
            if stop.asked:
                for _, process in running.values():
                    process.terminate()
    finally:
        for _, process in running.values():
            process.kill()
    return results


def _start_deaf(process: BaseProcess) -> None:
    """Start a process that does not hear Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)


def _work(answer: Connection, plain: tuple[dict[str, Any], Path, bool, tuple[str, ...]], debug: bool) -> None:
    """One run in a process of its own: the scenario travels as plain data, the result comes back."""
    with _Interruption() as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: setattr(stop, "asked", True))
        from simulator.scenario import load

        if debug and not _debugging():
            sys.argv.append("--debug")
        answer.send(_attempt(_Task(load(plain[0]), *plain[1:]), stop, None))


def _receive(answer: Connection, process: BaseProcess, task: _Task, stop: _Interruption) -> Result:
    """What a process found, once it has ended."""
    try:
        result: Result = answer.recv()
    except EOFError:
        result = None
    answer.close()
    process.join()
    if result is None and not stop.asked:
        code = process.exitcode or 0
        end = f"was killed by signal {-code}" if code < 0 else "ended without a result"
        text = f"{task.scenario.name}: its process {end}; what was recorded is kept, --resume continues it"
        return _Failure(text, BROKEN)
    return result


@contextmanager
def _progress(speaks: bool) -> Generator[Progress | None]:
    """A progress bar on a terminal, a plain line every few seconds elsewhere, nothing if it should not speak."""
    if not speaks or not sys.stderr:
        yield None
        return
    last = time.monotonic()
    if not sys.stderr.isatty():

        def say(what: str, done: int, most: int) -> None:
            nonlocal last
            if (now := time.monotonic()) - last > SAY_EVERY:
                last = now
                _print(sys.stderr, f"{what} {done} of {'at most ' if what.endswith('tick') else ''}{most}")

        yield say
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description} {task.completed} of {task.total}", markup=False), BarColumn())
    with Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("", total=None, visible=False)

        def advance(what: str, done: int, most: int) -> None:
            nonlocal last
            if (now := time.monotonic()) - last > 0.1:
                last = now
                bar.update(shown, description=what, completed=done, total=most, visible=True)

        yield advance


def _print_summaries(summaries: Sequence[dict[str, Any]], out: Path, missing: Sequence[str]) -> None:
    """A table with a line a run, then each run's sentence and folder."""
    columns = {
        "run": "name",
        "outcome": "outcome",
        "ticks": "ticks",
        "excess": "max_relative_excess_demand",
        "equilibrium": "price_gap",
        "derivative": "adjoint_gap",
        "gradient path": "gradient_path_gap",
    }
    lines: list[str] = []
    if summaries:
        rows = [list(columns), *([_cell(summary[key]) for key in columns.values()] for summary in summaries)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
        left = sum(widths[:4]) + 2 * 4
        lines.append(f"{'excess'.rjust(left - 2)}  largest gap between price and")
        rows[0][3] = "demand"
        for row in rows:
            cells = [
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
    for summary in summaries:
        folder = out / summary["name"]
        figures = " and figures" if (folder / "figures").is_dir() else ""
        lines += ["", f"{summary['name']}: {summary['sentence']}", f"  files{figures} in {folder}{os.sep}"]
        if _exit_code(summary) == UNEXPECTED:
            lines.append(f"  expected {' or '.join(summary['expect'])}, found {summary['outcome']}")
        if summary["outcome"] == "interrupted":
            lines.append("  --resume continues it")
    if missing:
        lines += ["", f"not run: {', '.join(missing)}"]
    if lines:
        _say("\n".join(lines))


def _exit_code(summary: dict[str, Any]) -> int:
    if summary["outcome"] == "interrupted":
        return INTERRUPTED
    return AS_EXPECTED if summary["outcome"] in summary["expect"] else UNEXPECTED


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _load(
    paths: Sequence[str],
    settings: list[str] | None,
    *,
    ticks: str | None = None,
    seed: str | None = None,
    single: bool = False,
) -> tuple[Scenario, ...]:
    """The scenarios with what the command line changes; a problem with `--ticks` or `--seed` is said to be there."""
    from simulator.errors import ScenarioError
    from simulator.scenario import load, load_many

    changes: dict[str, object] = {}
    for setting in settings or []:
        path, equals, value = setting.partition("=")
        if not equals or not path:
            _refuse(f"--set {setting}: found no PATH=VALUE; expected for example --set scheduler.rate=0.1")
        changes[path] = value
    options = {f"run.{name}": value for name, value in (("ticks", ticks), ("seed", seed)) if value is not None}
    changes |= options

    def place(problem: Problem) -> Problem:
        if problem.where != "--set" or problem.path not in options:
            return problem
        return replace(problem, where=problem.path.replace("run.", "--"), path="")

    try:
        return (load(paths[0], settings=changes),) if single else load_many(paths, settings=changes)
    except ScenarioError as error:
        from dataclasses import replace

        raise ScenarioError(dict.fromkeys(map(place, error.problems))) from None


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) < 1:
        _refuse(f"--jobs: found {text!r}; expected a whole number, 1 or more")
    return int(text[:9])


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    wrong = [name for name in formats if name not in ("png", "svg", "pdf")]
    if wrong:
        _refuse(f"--format: found {', '.join(map(repr, wrong))}; expected png, svg or pdf, or several as in png,svg")
    return formats


def _check_places(tasks: Sequence[_Task], out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse, before anything is run, what cannot be written to, and runs that would be lost or cannot be resumed."""
    from simulator.errors import RunFolderError
    from simulator.results.folder import RunFolder
    from simulator.scenario import dump

    above = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not above.is_dir():
        _refuse(f"--out: found the file {above}; expected a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        _refuse(f"--out: found the folder {above}, which may not be written to; expected one that may")
    complaints: list[str] = []
    for task in tasks:
        folder = RunFolder(task.folder)
        try:
            if resume:
                folder.checkpoint(dump(task.scenario.resolved))
            elif overwrite:
                folder.refuse_strangers()
            elif not folder.vacant:
                folder.refuse_strangers()
                complaints.append(f"{task.folder}: found a run; --overwrite replaces it, --resume continues it")
        except RunFolderError as error:
            complaints.append(str(error))
    if complaints:
        _refuse("\n".join(complaints))


def _debugging() -> bool:
    return "--debug" in sys.argv


def _failure(error: Exception, name: str = "simulator") -> _Failure:
    """What to say of an error: a line if it is the user's or the machine's, its trace under --debug."""
    from simulator.errors import RunFolderError, ScenarioError

    if isinstance(error, (ScenarioError, RunFolderError)):
        text, code = str(error), WRONG_INPUT
    elif isinstance(error, OSError):
        text = f"{error.filename or name}: {error.strerror or type(error).__name__}"
        code = WRONG_INPUT
    elif isinstance(error, MemoryError):
        text, code = f"{name}: found too little memory for a scenario of this size", WRONG_INPUT
    else:
        text, code = f"{name}: internal error: {_one_line(error)}; --debug shows the trace", BROKEN
    if _debugging():
        from traceback import format_exception

        text = "".join(format_exception(error)).rstrip()
    return _Failure(text, code)


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""The parser's error for a wrong command line; typer does not export it under a name."""


def _usage(error: Any) -> str:
    """One line for a wrong command line: what was found, and what was perhaps meant."""
    from difflib import get_close_matches

    context: Any = error.ctx
    message = str(error.format_message()).rstrip(".")
    if message.startswith("Usage:"):
        return message
    command = context.command_path if context is not None else "simulator"
    wrong, known = "", list[str]()
    if context is not None and type(error).__name__ == "NoSuchOption":
        wrong = str(error.option_name)
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        known += ["--help", "--version", "--debug"]
        message = f"unknown option {wrong}"
    elif context is not None and message.startswith("No such command"):
        wrong, known = message.split("'")[1], list(context.command.list_commands(context))
        message = f"unknown command {wrong!r}; expected one of {', '.join(known)}"
    else:
        message = message[:1].lower() + message[1:]
    meant = get_close_matches(wrong, known, 1)
    return f"{command}: {message}; " + (f"did you mean {meant[0]}?" if meant else f"see {command} --help")


def _print_json(data: Any, *, skip: bool = False) -> None:
    """Data as JSON on stdout, in ASCII, whatever the terminal's encoding."""
    import json

    if not skip:
        _say(json.dumps(data, indent=2))


def _say(text: str) -> None:
    _print(sys.stdout, text)


def _complain(text: str) -> None:
    _print(sys.stderr, text)


def _refuse(message: str) -> NoReturn:
    _complain(message)
    raise typer.Exit(WRONG_INPUT)


def _print(stream: TextIO | None, text: str) -> None:
    """Print and make sure that it arrived. A reader who has gone away (`| head`) is no error: the rest goes nowhere."""
    if not stream:
        return
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _leave(code: int) -> NoReturn:
    """Exit; what a stream could not take must not be complained of once more on the way out."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
