"""What a benchmark is: sides that do the same work in turn, lines that hold two of them against each other.

Time is CPU of this process and of those it waits for, the least of several rounds in which all sides of a group take
turns. What a side needs before it starts is made ready untimed, and its first run, whose answer is compared, is not
timed either. Where answers differ, the benchmark fails.
"""

from __future__ import annotations

import gc
import importlib.util
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

SCENARIOS = Path(__file__).parents[1] / "scenarios"
Columns = Mapping[str, np.ndarray]
"""Arrays by name: what two sides must have in common."""


class Side(NamedTuple):
    """One way to do the work: `start` makes ready and hands out the work; its result becomes `columns` to compare.

    `units` is how many of what time is told `per` (a tick, a row) one run is.
    """

    start: Callable[[], Callable[[], Any]]
    columns: Callable[[Any], Columns]
    units: float = 1.0
    per: str = " a tick"


class Line(NamedTuple):
    """A line of the table: what is done, `of` what it is done to, two sides by name, and what their ratio must reach:
    times faster `at_least`, or of the baseline's time `at_most`; without either it is only told (`faster`: the first).

    `common` says which columns are compared: all of ours, those that both keep, or none, where the work differs.
    """

    of: str
    workload: str
    ours: str
    baseline: str
    at_least: float | None = None
    at_most: float | None = None
    faster: bool = False
    common: Literal["all", "some", "none"] = "all"


class Group(NamedTuple):
    """Sides that take turns, and lines about them; `least` is the size from which a difference counts as relative.

    `needs` are modules without which the group cannot run; `refused` says why ours cannot do it at all.
    Where several processes are at work at a time, they are told `by_clock`, and not by CPU.
    """

    sides: Mapping[str, Side]
    lines: Sequence[Line]
    tolerance: float = 1e-9
    least: float = 1.0
    needs: tuple[str, ...] = ()
    refused: str = ""
    rounds: int = 5
    by_clock: bool = False

    @property
    def lacks(self) -> str:
        """Why it cannot run; nothing if it can."""
        modules = ", ".join(missing(*self.needs))
        return f"needs {modules}: pip install -e '.[test]'" if modules else self.refused


Groups = dict[str, Callable[[], Group]]
"""Groups by name, each made when its turn comes."""


def missing(*modules: str) -> list[str]:
    """Those of the modules that are not installed."""
    return [module for module in modules if importlib.util.find_spec(module) is None]


class AnswersDifferError(Exception):
    """Two sides came to different numbers."""


def difference(ours: Columns, theirs: Columns, least: float = 1.0) -> float:
    """The largest difference of a number, relative to its size or to `least`, over all columns of ours."""
    worst = 0.0
    for name, values in ours.items():
        if name not in theirs:
            raise AnswersDifferError(f"{name}: the baseline does not keep it")
        a, b = np.asarray(values, dtype=float), np.asarray(theirs[name], dtype=float)
        if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
            raise AnswersDifferError(f"{name}: {a.shape} beside {b.shape}, or other cells empty")
        gap = np.abs(a - b) / np.maximum(np.abs(b), least)
        worst = max(worst, float(np.nanmax(gap, initial=0.0)))
    return worst


def compared(group: Group) -> float:
    """Run every side of a group once; the largest difference of answers on its lines, which must be within bounds."""
    answers = {name: side.columns(side.start()()) for name, side in group.sides.items()}
    worst = 0.0
    for line in group.lines:
        ours, theirs = answers[line.ours], answers[line.baseline]
        if line.common == "some":
            ours = {name: values for name, values in ours.items() if name in theirs}
        if line.common == "none":
            continue
        gap = difference(ours, theirs, group.least) if ours else np.inf
        if not gap <= group.tolerance:
            raise AnswersDifferError(
                f"{line.of}, {line.workload}: answers differ by {gap:.1e}, more than {group.tolerance:.0e}"
            )
        worst = max(worst, gap)
    return worst


def cpu_seconds() -> float:
    """CPU of this process, all its threads, and of the processes it has waited for."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


def measured(group: Group) -> dict[str, float]:
    """The least CPU seconds for a unit of every side."""
    least, now = dict.fromkeys(group.sides, float("inf")), time.perf_counter if group.by_clock else cpu_seconds
    for _ in range(group.rounds):
        for name, side in group.sides.items():
            work = side.start()
            gc.collect()
            begun = now()
            result = work()
            least[name] = min(least[name], (now() - begun) / side.units)
            del result
    return least


HEADER = "| workload | ours | baseline | ratio | must reach | reached |\n|---|---|---|---|---|---|"


class Measured(NamedTuple):
    """A line with the times of its sides, as told, and their ratio; None where a group `lacks` something."""

    line: Line
    times: tuple[str, str] = ("", "")
    ratio: float | None = None
    lacks: str = ""

    def __str__(self) -> str:
        """A row of the table."""
        line, reached = self.line, self.lacks or {True: "yes", False: "no", None: ""}[self.reached]
        return f"| {line.of}: {line.workload} | {' | '.join(self.times)} | {self.told} | {_aim(line)} | {reached} |"

    @property
    def told(self) -> str:
        """The ratio, to three digits."""
        return "" if self.ratio is None else f"{self.ratio:,.3g}" if self.ratio < 1000 else f"{self.ratio:,.0f}"

    @property
    def reached(self) -> bool | None:
        """Whether what must be reached is; None where nothing must, or nothing was measured."""
        line, ratio = self.line, self.ratio
        if ratio is None or (line.at_least is None and line.at_most is None):
            return None
        return ratio >= line.at_least if line.at_most is None else ratio <= line.at_most


def lines(group: Group) -> tuple[list[Measured], float]:
    """The lines of a group, measured, and how far answers differ, which are compared first."""
    if group.lacks:
        return [Measured(line, lacks=group.lacks) for line in group.lines], 0.0
    gap, found, told = compared(group), measured(group), list[Measured]()
    for line in group.lines:
        ours, baseline = found[line.ours], found[line.baseline]
        ratio = baseline / ours if line.faster or line.at_least is not None else ours / baseline
        times = [_time(found[name], group.sides[name].per) for name in (line.ours, line.baseline)]
        told.append(Measured(line, (times[0], times[1]), ratio))
    return told, gap


def summary(measured: Sequence[Measured]) -> str:
    """What must be reached, in a row for each workload, whatever it is done to."""
    alike: dict[tuple[str, str], list[Measured]] = {}
    for each in measured:
        if each.line.at_least is not None or each.line.at_most is not None:
            alike.setdefault((each.line.workload, _aim(each.line)), []).append(each)
    rows = ["| workload | ratio | must reach | reached |", "|---|---|---|---|"]
    for (workload, aim), those in alike.items():
        ratios = ", ".join(f"{each.line.of} {each.told or '-'}" for each in those)
        reached = those[0].lacks or {True: "yes", False: "no"}[all(each.reached for each in those)]
        rows.append(f"| {workload} | {ratios} | {aim} | {reached} |")
    return "\n".join(rows)


def _time(seconds: float, per: str) -> str:
    """So much time for a unit, in the size of seconds that suits it."""
    size, name = next(each for each in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (0.0, "ns")) if seconds >= each[0])
    return f"{seconds / (size or 1e-9):.3g} {name}{per}"


def _aim(line: Line) -> str:
    if line.at_least is not None:
        return f"at least {line.at_least:g} times faster"
    return "told" if line.at_most is None else f"at most {line.at_most:g} times"
