"""Which function of formulas a call means, in a program and in Python."""

from __future__ import annotations

import builtins
import math

import numpy as np

from simulator.formulas.operations import FUNCTIONS
from simulator.kinds.wording import nearest
from simulator.programs.grammar import OF_VECTORS
from simulator.slips import instead, meant

RESERVED = (*FUNCTIONS, "range")
"""Words of the language, which nothing else can be called."""

_IN_PYTHON = {"log": "ln", "minimum": "min", "maximum": "max", "fabs": "abs"}
_OF_PYTHON = [
    (getattr(module, name), _IN_PYTHON.get(name, name))
    for module, names in (
        (builtins, ("abs", "min", "max", "sum")),
        (math, ("sqrt", "log", "exp", "sin", "cos", "tanh", "fabs")),
        # Not its min and max, which are of an array.
        (np, ("sqrt", "log", "exp", "sin", "cos", "tanh", "fabs", "abs", "minimum", "maximum", "sum", "dot")),
    )
    for name in names
]


def function_meant(written: str, arguments: str, found: object, *, python: bool) -> str:
    """The function that the name means where `found` stands around it (None: nothing). Raises ValueError if none, with
    what to write in the place of it and its `arguments`.
    """
    if found is not None:
        for each, name in _OF_PYTHON:
            if each is found:
                return name
        raise ValueError(f"found {written}, a function from elsewhere; expected it defined inside, or one of math's")
    name = _IN_PYTHON.get(written, written) if python else written
    known = (*FUNCTIONS, *OF_VECTORS)
    if name in known:
        return name
    guess = instead("function", f"{written}({arguments})") or nearest(written, known)
    raise ValueError(f"unknown function {written}; expected one of {' '.join(known)}{meant(guess)}")
