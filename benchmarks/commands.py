"""What commands cost before they do anything, imports and first use, against a bare interpreter."""

from __future__ import annotations

import os
import sys
from functools import partial
from subprocess import run
from tempfile import mkdtemp

from benchmarks.harness import Group, Groups, Line, Side
from benchmarks.markets import SCENARIOS


def process(*words: str, bytecode: str) -> Side:
    """A fresh interpreter, which must end well; bytecode is kept in a folder, whatever this process is told of it."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    call = partial(run, [sys.executable, *words], check=True, capture_output=True, env=environment)
    return Side(lambda: call, lambda _: {}, per="")


def starting(rounds: int) -> Group:
    """Two commands beside an interpreter that has nothing to do."""
    started = partial(process, bytecode=mkdtemp())
    sides = {
        "bare": started("-c", "pass"),
        "help": started("-m", "simulator", "--help"),
        "check": started("-m", "simulator", "check", str(SCENARIOS / "tupperware.yaml")),
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
