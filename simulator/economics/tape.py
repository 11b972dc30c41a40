"""Terms of a graph as a straight line of operations, run on numpy arrays or on plain floats, without recursion."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from simulator.economics.expression import OPERATIONS, Operation, Term, calculate


class Tape:
    """Terms of a graph as a straight line of operations on numbered slots: inputs, constants, then results."""

    def __init__(self, outputs: Sequence[Term], variables: Sequence[str]) -> None:
        graph = outputs[0].graph
        slots = {graph.variable(name).node: slot for slot, name in enumerate(variables)}
        nodes = graph.reachable(outputs)
        constants: list[float] = []
        for node in nodes:
            value = graph.constants[node]
            if value is not None:
                slots[node] = len(variables) + len(constants)
                constants.append(value)
        self.constants = tuple(constants)
        self.rows: list[tuple[Operation, tuple[int, ...]]] = []
        # The same line for plain floats: (function, slot, slot), (function, slot, -1) or (function, slots, -2).
        self.steps: list[tuple[Callable[..., float], Any, int]] = []
        for node in nodes:
            if node in slots:
                continue
            row = OPERATIONS[graph.operations[node]]
            arguments = tuple(slots[argument] for argument in graph.arguments[node])
            slots[node] = len(variables) + len(constants) + len(self.rows)
            self.rows.append((row, arguments))
            match arguments:
                case (i,):
                    self.steps.append((row.number, i, -1))
                case (i, j):
                    self.steps.append((row.number, i, j))
                case _:
                    self.steps.append((row.number, arguments, -2))
        self.outputs = tuple(slots[term.node] for term in outputs)

    def run_arrays(self, inputs: Sequence[NDArray[Any]]) -> list[Any]:
        """The outputs: arrays, or numbers where they are constant. Floating-point warnings are the caller's."""
        values: list[Any] = [*inputs, *self.constants]
        for row, arguments in self.rows:
            values.append(row.array(*[values[slot] for slot in arguments]))
        return [values[slot] for slot in self.outputs]

    def run_float(self, x: float) -> list[float]:
        """Every slot's value at one input, in plain floats; never raises and never warns."""
        values = [x, *self.constants]
        append = values.append
        try:
            for function, i, j in self.steps:
                if j >= 0:
                    append(function(values[i], values[j]))
                elif j == -1:
                    append(function(values[i]))
                else:
                    append(function(*[values[slot] for slot in i]))
        except (ArithmeticError, ValueError):
            # One try around the line keeps the common case fast; the step that failed and those after it go with care.
            for row, arguments in self.rows[len(values) - 1 - len(self.constants) :]:
                append(calculate(row, [values[slot] for slot in arguments]))
        return values


class ScalarFormula:
    """A formula of one input in plain Python floats, nan outside its domain: no numpy, no exceptions, no warnings."""

    __slots__ = ("_curvature", "_line", "_slope", "_value", "_value_line", "_value_slot")

    def __init__(self, value: Tape, derivatives: Tape) -> None:
        self._value_line = value.run_float
        self._value_slot = value.outputs[0]
        self._line = derivatives.run_float
        self._slope, self._curvature, self._value = derivatives.outputs

    def value(self, x: float) -> float:
        """f(x)."""
        return self._value_line(x)[self._value_slot]

    def slope_and_curvature(self, x: float) -> tuple[float, float]:
        """f'(x) and f''(x)."""
        return self.jet(x)[1:]

    def jet(self, x: float) -> tuple[float, float, float]:
        """f(x), f'(x) and f''(x), of one walk along the line."""
        values = self._line(x)
        value = values[self._value]
        if value != value:
            return math.nan, math.nan, math.nan
        return value, values[self._slope], values[self._curvature]
