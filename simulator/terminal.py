"""What the program says and where: results on stdout, complaints and progress on stderr, and its exit codes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TextIO

from simulator.errors import CommandError, RunFolderError, ScenarioError, printable
from simulator.extras import MissingExtraError

AS_EXPECTED, BROKEN, WRONG_INPUT, UNEXPECTED, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = {
    AS_EXPECTED: "every run ended as its scenario expects",
    BROKEN: "an error of the program itself",
    WRONG_INPUT: "a scenario, the command line or the place to write to is wrong; nothing was run",
    UNEXPECTED: "a run ended otherwise than its scenario expects, or no equilibrium was found",
    INTERRUPTED: "interrupted; what was recorded is kept",
}
"""What each exit code means; of several the largest."""
SAY_EVERY = 5.0
"""Seconds between lines of progress where there is no terminal."""
traced = False
"""Whether traces of errors are shown."""
Progress = Callable[[str, int, int], None]
"""Told what is going on, how much is done, and how much there is at most."""


def print_json(data: Any) -> None:
    """Data as JSON on stdout, in ASCII, whatever the terminal's encoding."""
    import json

    say(json.dumps(data, indent=2))


def say(text: str) -> None:
    """Print a result and make sure that it arrived."""
    try:
        _print(sys.stdout, text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def complain(text: str) -> None:
    """Print to stderr; what it cannot take is lost, there being nowhere to say so."""
    with suppress(OSError):
        _print(sys.stderr, text)


def complain_of(failure: Failure) -> None:
    """Say what went wrong; under --debug show where."""
    complain(failure.trace if traced and failure.trace else failure.text)


def _print(stream: TextIO | None, text: str) -> None:
    """Print and flush, without what would move in a terminal or colour it. A reader who has gone away (`| head`) is no
    error: the rest goes nowhere.
    """
    if not stream:
        return
    try:
        print("\n".join(map(printable, text.split("\n"))), file=stream, flush=True)
    except BrokenPipeError:
        _discard(stream)


def leave(code: int) -> NoReturn:
    """Exit; what a stream could not take must not be complained of once more on the way out."""
    for stream in (sys.stdout, sys.stderr):
        if stream:
            try:
                stream.flush()
            except OSError:
                _discard(stream)
    sys.exit(code)


def _discard(stream: TextIO) -> None:
    """Let all that is still printed to a stream go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def progress_of(speaks: bool) -> Generator[Progress]:
    """A progress bar on a terminal, a plain line every few seconds elsewhere, nothing if it should not speak."""
    if not speaks or not sys.stderr:
        yield silent
        return
    if not sys.stderr.isatty():
        yield _seldom(SAY_EVERY, _say_progress)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description} {task.completed} of {task.total}", markup=False), BarColumn())
    with Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("", total=None, visible=False)
        yield _seldom(
            0.1, lambda what, done, most: bar.update(shown, description=what, completed=done, total=most, visible=True)
        )


def silent(what: str, done: int, most: int) -> None:
    """Progress of which nothing is said."""


def _say_progress(what: str, done: int, most: int) -> None:
    complain(f"{what} {done} of {'at most ' if what.endswith('tick') else ''}{most}")


def _seldom(seconds: float, tell: Progress) -> Progress:
    """Tell of progress no sooner than so many seconds after the last time."""
    last = time.monotonic()

    def advance(what: str, done: int, most: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last > seconds:
            last = now
            tell(what, done, most)

    return advance


def print_summaries(
    summaries: Sequence[dict[str, Any]],
    out: Path,
    missing: Sequence[str],
    drawn: Container[str],
    answers: Mapping[str, Sequence[str]],
) -> None:
    """A table with a line a run, then each run's sentence, folder and `answers`; those `drawn` have figures or will."""
    columns = {
        "run": "name",
        "outcome": "outcome",
        "ticks": "ticks",
        "demand": "max_relative_excess_demand",
        "equilibrium": "price_gap",
        "derivative": "adjoint_gap",
        "gradient path": "gradient_path_gap",
    }
    lines: list[str] = []
    if summaries:
        rows = [list(columns), *([_cell(summary[key]) for key in columns.values()] for summary in summaries)]
        table = aligned(rows, {0, 1})
        left = table[0].index("demand")
        lines += [f"{' ' * left}excess  largest gap between price and", *table]
    for summary in summaries:
        folder = out / summary["name"]
        figures = " and figures" if summary["name"] in drawn or (folder / "figures").is_dir() else ""
        lines += ["", f"{summary['name']}: {summary['sentence']}", f"  files{figures} in {folder}{os.sep}"]
        if exit_code(summary) == UNEXPECTED:
            lines.append(f"  expected {' or '.join(summary['expect'])}, found {summary['outcome']}")
        if summary["outcome"] == "interrupted":
            lines.append("  --resume continues it")
        lines += [f"  {line}" for line in answers.get(summary["name"], ())]
    if missing:
        lines += ["", f"not run: {', '.join(missing)}"]
    if lines:
        say("\n".join(lines))


def aligned(rows: Sequence[Sequence[str]], text: Container[int]) -> list[str]:
    """Rows of cells as lines, two spaces between columns; columns of `text` begin together, others end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        columns = (cell.ljust(width) if i in text else cell.rjust(width) for i, (cell, width) in enumerate(cells))
        lines.append("  ".join(columns).rstrip())
    return lines


def exit_code(summary: dict[str, Any]) -> int:
    if summary["outcome"] == "interrupted":
        return INTERRUPTED
    return AS_EXPECTED if summary["outcome"] in summary["expect"] else UNEXPECTED


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.2g}" if isinstance(value, float) else str(value)


class Failure(NamedTuple):
    """A run or command that could not be finished: what to say, the exit code, and the trace of what went wrong."""

    text: str
    code: int
    trace: str = ""


def failure_of(error: Exception, name: str = "simulator") -> Failure:
    """What to say of an error, a line if it is the user's or the machine's."""
    from traceback import format_exception

    if isinstance(error, CommandError):
        text, code = str(error), error.code
    elif isinstance(error, (ScenarioError, RunFolderError, MissingExtraError)):
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
