"""How fast the simulator is, as ratios within one run: `python -m benchmarks.speed` prints the README's table.

Every comparison runs both sides in turn, several times, compares their answers, and reports the median ratio.
Absolute times depend on the machine and are shown for orientation only.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import plain_mesa
from simulator.run import simulate
from simulator.scenario import load

SCENARIOS = Path(__file__).parents[1] / "scenarios"
TUPPERWARE = SCENARIOS / "tupperware.yaml"
TICKS = 10_000
ROUNDS = 5


class Comparison(NamedTuple):
    """One row of the table: what was compared, the ratio measured and the one promised."""

    what: str
    ours: float
    theirs: float
    ratio: float
    promise: str


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compare(what: str, ours: Callable[[], object], theirs: Callable[[], object], promise: str) -> Comparison:
    """Medians of both sides, run in turn, and of the ratio `theirs / ours` pair by pair."""
    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    ratio = statistics.median(b / a for a, b in pairs)
    return Comparison(what, *(statistics.median(side) for side in zip(*pairs, strict=True)), ratio, promise)


def tupperware(references: bool) -> Callable[[], object]:
    """A run of the tupperware scenario to DataFrames, every tick recorded, without stopping early."""
    settings = {"run.stop": "never", "run.ticks": TICKS, "run.references": "on" if references else "off"}
    scenario = load(TUPPERWARE, settings=settings)
    return lambda: simulate(scenario)


def plain_tupperware() -> object:
    """The same with plain Mesa objects and a DataCollector."""
    return plain_mesa.frames(plain_mesa.run(TICKS))


def check_answers() -> float:
    """The largest relative difference between the two sides' trajectories."""
    ours = simulate(load(TUPPERWARE, settings={"run.stop": "never", "run.ticks": 400})).trajectory
    theirs = plain_mesa.frame(plain_mesa.run(400))
    worst = 0.0
    for column in ("price", "demand", "supply", "traded", "inventory", "bid", "adjoint"):
        a, b = ours[column].to_numpy(), theirs[column].to_numpy(dtype=float)
        assert np.array_equal(np.isnan(a), np.isnan(b)), column
        worst = max(worst, float(np.nanmax(np.abs(a - b) / np.maximum(np.abs(b), 1e-300))))
    return worst


def command(*arguments: str) -> Callable[[], object]:
    """A fresh interpreter."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def main() -> None:
    """Measure and print the table."""
    print(f"answers agree with plain Mesa to {check_answers():.1e} relative\n")
    bare = command("-c", "pass")
    start = "from simulator.cli import main; import sys; sys.argv = ['simulator', *sys.argv[1:]]; main()"
    rows = [
        compare("tupperware against plain Mesa objects with a DataCollector, times faster",
                tupperware(False), plain_tupperware, "at least 3"),
        compare("tupperware with references against without, times slower",
                tupperware(False), tupperware(True), "at most 5"),
        compare("`simulator --help` against a bare interpreter, times slower",
                bare, command("-c", start, "--help"), "at most 12"),
        compare("`simulator check` against a bare interpreter, times slower",
                bare, command("-c", start, "check", str(TUPPERWARE)), "at most 35"),
    ]  # fmt: skip
    print("| comparison | ratio | promised |\n|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.ratio:.1f} | {row.promise} |")
    ticks = [1e6 * side / TICKS for side in (rows[0].ours, rows[0].theirs, rows[1].theirs)]
    print(f"\nmicroseconds a tick: {ticks[0]:.0f}; plain Mesa {ticks[1]:.0f}; with references {ticks[2]:.0f}")


if __name__ == "__main__":
    main()
