"""How fast the simulator is: `python -m benchmarks.speed [WORD...]` prints one table, of the groups with these words,
and what must be reached in short.

Ratios within one run do not depend on the machine; absolute times do, and stand beside them to look at. A group whose
answers differ, or that cannot run, is told and the exit code is 1.
"""

from __future__ import annotations

import os

# One thread in BLAS, as in every worker of many runs: more would count as CPU time and make nothing shorter.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys

from benchmarks import (
    commands,
    files,
    fits,
    learning,
    makers,
    markets,
    networks,
    populations,
    posts,
    programs,
    solving,
    statics,
    sweeps,
)
from benchmarks.harness import HEADER, Groups, Measured, lines, summary

MODULES = (
    *(markets, networks, posts, files, commands, populations, programs, learning, makers, fits, solving, statics),
    sweeps,
)


def groups(*, quick: bool) -> Groups:
    """Every group by name; `quick` is small, to compare answers."""
    return {name: make for module in MODULES for name, make in module.groups(quick=quick).items()}


def main() -> int:
    """Measure and print."""
    worst, measured, failed = 0.0, list[Measured](), list[str]()
    print(HEADER, flush=True)
    for name, make in groups(quick=False).items():
        if all(word in name for word in sys.argv[1:]):
            try:
                told, gap = lines(make())
                worst, measured = max(worst, gap), measured + told
                print(*told, sep="\n", flush=True)
            except Exception as error:  # The others are measured all the same.
                failed.append(f"{name}: {type(error).__name__}: {error}")
    print("", summary(measured), "", sep="\n")
    print(f"answers agree to {worst:.0e} of a number, or of 1 where it is smaller", *failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
