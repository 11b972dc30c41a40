"""What commands cost before they do anything, imports and first use, against a bare interpreter."""

from __future__ import annotations

import sys
from functools import partial
from subprocess import run

from benchmarks.harness import Group, Groups, Line, Side
from benchmarks.markets import SCENARIOS


def process(*words: str) -> Side:
    """A fresh interpreter, which must end well."""
    return Side(lambda: partial(run, [sys.executable, *words], check=True, capture_output=True), lambda _: {}, per="")


def starting(rounds: int) -> Group:
    """Two commands beside an interpreter that has nothing to do."""
    sides = {
        "bare": process("-c", "pass"),
        "help": process("-m", "simulator", "--help"),
        "check": process("-m", "simulator", "check", str(SCENARIOS / "tupperware.yaml")),
    }
    lines = [
        Line("--help", "a command, against a bare interpreter", "help", "bare", at_most=9, common="none"),
        Line(
            "`check` of tupperware", "a command, against a bare interpreter", "check", "bare", at_most=30, common="none"
        ),
    ]
    return Group(sides, lines, rounds=rounds)


def groups(*, quick: bool) -> Groups:
    """All of this file; it is as quick as it is."""
    return {"commands": partial(starting, 1 if quick else 10)}
