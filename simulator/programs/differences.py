"""What a program makes of its inputs, and by how much its result moves if a value does: finite differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.formula import parse
from simulator.programs.program import Program

Array = NDArray[np.float64]

STEP = 6e-6
"""The cube root of rounding: a relative step at which what is cut off of a series is about as small as rounding."""


def values_at(program: Program, inputs: Mapping[str, float]) -> dict[str, float]:
    """Every value of a program at some inputs; not a number where there is none."""
    return {name: float(values[0]) for name, values in _values(program, inputs, {}, 1).items()}


def differences(program: Program, inputs: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """d result / d value of the named values: `(f(v + h) - f(v - h)) / 2h`, all that follows from v moving with it."""
    known = values_at(program, inputs)
    steps = {name: STEP * (abs(known[name]) or 1.0) for name in names}
    moves = {name: np.zeros(2 * len(names)) for name in names}
    for place, (name, step) in enumerate(steps.items()):
        moves[name][2 * place : 2 * place + 2] = step, -step
    ends = _values(program, inputs, moves, 2 * len(names))[program.result].reshape(-1, 2)
    return {name: float((up - down) / (2 * steps[name])) for name, (up, down) in zip(names, ends, strict=True)}


def _values(program: Program, inputs: Mapping[str, float], moves: Mapping[str, Array], points: int) -> dict[str, Array]:
    """Every value at so many points `(points,)`, at each of which some values are moved by so much."""
    values = {name: np.full(points, inputs[name]) + moves.get(name, 0.0) for name in program.inputs}
    for operation in program.operations:
        formula = parse(operation.formula)
        columns = [values[name] for name in formula.variables]
        made = formula.value(np.stack(columns, axis=-1)) if columns else formula.value(np.empty((points, 0)))
        values[operation.output] = made + moves.get(operation.output, 0.0)
    return values
