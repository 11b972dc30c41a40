"""What commands cost before they do anything, imports and first use, against a bare interpreter."""

from __future__ import annotations

import os
import sys
from functools import partial
from subprocess import run
from tempfile import mkdtemp

from benchmarks.harness import SCENARIOS, Group, Groups, Line, Side


def interpreter(*words: str, caches: str) -> Side:
    """A fresh interpreter, which must end well; what it may keep is kept in a folder, whatever this process is told."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": caches, "XDG_CACHE_HOME": caches}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    call = partial(run, [sys.executable, *words], check=True, capture_output=True, env=environment)
    return Side(lambda: call, lambda _: {}, per="")


def starting(rounds: int) -> Group:
    """Two commands beside an interpreter that has nothing to do."""
    started = partial(interpreter, caches=mkdtemp())
    sides = {
        "bare": started("-c", "pass"),
        "help": started("-m", "simulator", "--help"),
        "check": started("-m", "simulator", "check", str(SCENARIOS / "tupperware.yaml")),
    }
    what = "a command, against a bare interpreter"
    lines = [
        Line("--help", what, "help", "bare", at_most=9, common="none"),
        Line("check of tupperware", what, "check", "bare", at_most=30, common="none"),
    ]
    return Group(sides, lines, rounds=rounds)


def groups(*, quick: bool) -> Groups:
    """All of this file; it is as quick as it is."""
    return {"commands": partial(starting, 1 if quick else 10)}
