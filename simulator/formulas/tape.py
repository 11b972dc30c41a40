"""Terms of a graph as a straight line of operations, run on numpy arrays or on plain floats, without recursion."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from simulator.formulas.graph import Term
from simulator.formulas.operations import OPERATIONS, Primitive, calculate

INFIX: dict[Callable[..., float], str] = {
    operator.add: " + ",
    operator.sub: " - ",
    operator.mul: " * ",
    operator.truediv: " / ",
}
"""Operations that are signs in Python."""


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
        self.inputs = len(variables)
        self.rows: list[tuple[Primitive, tuple[int, ...]]] = []
        for node in nodes:
            if node in slots:
                continue
            arguments = tuple(slots[argument] for argument in graph.arguments[node])
            slots[node] = len(variables) + len(constants) + len(self.rows)
            self.rows.append((OPERATIONS[graph.operations[node]], arguments))
        self.outputs = tuple(slots[term.node] for term in outputs)

    def run_arrays(self, inputs: Sequence[NDArray[Any]]) -> list[Any]:
        """The outputs: arrays, or numbers where they are constant. Floating-point warnings are the caller's."""
        return self._line(*inputs)

    @cached_property
    def _line(self) -> Callable[..., list[Any]]:
        space = {f"f{place}": row.array for place, (row, _) in enumerate(self.rows)}
        lines, outputs = self._written({})
        given = ", ".join(f"v{slot}" for slot in range(self.inputs))
        return _function(f"def line({given}):", [*lines, f"return [{', '.join(outputs)}]"], space)

    def compiled(self) -> Callable[[float], tuple[float, ...]]:
        """The outputs at one input in plain floats, as a function that never raises and never warns; none of them is a
        number where the first is not.
        """
        space: dict[str, Any] = {f"f{place}": row.number for place, (row, _) in enumerate(self.rows)}
        space |= {"with_care": self._with_care, "nowhere": (math.nan,) * len(self.outputs)}
        lines, outputs = self._written(INFIX)
        lines += [f"if {outputs[0]} != {outputs[0]}: return nowhere", f"return {', '.join(outputs)},"]
        guarded = ["try:", *[f"    {line}" for line in lines]]
        guarded += ["except (ArithmeticError, ValueError):", "    return with_care(v0)"]
        return _function("def line(v0):", guarded, space)

    def _written(self, signs: Mapping[Callable[..., float], str]) -> tuple[list[str], list[str]]:
        """The line as Python, several times faster than walking along it: a statement for each operation, `signs` or a
        call of `f0`, `f1` and so on, and what the outputs are called.
        """
        said = [f"v{slot}" for slot in range(self.inputs)] + [f"({number!r})" for number in self.constants]
        lines: list[str] = []
        for place, (row, arguments) in enumerate(self.rows):
            given, sign = [said[slot] for slot in arguments], signs.get(row.number)
            told = sign.join(given) if sign else f"f{place}({', '.join(given)})"
            said.append(f"v{len(said)}")
            lines.append(f"{said[-1]} = {told}")
        return lines, [said[slot] for slot in self.outputs]

    def _with_care(self, x: float) -> tuple[float, ...]:
        """The outputs at one input where some operation has no number: operation by operation."""
        values = [x, *self.constants]
        for row, arguments in self.rows:
            values.append(calculate(row, [values[slot] for slot in arguments]))
        found = tuple(values[slot] for slot in self.outputs)
        return found if found[0] == found[0] else (math.nan,) * len(found)


def _function(head: str, lines: Sequence[str], space: dict[str, Any]) -> Callable[..., Any]:
    """The function `line` of a head and the lines of its body."""
    exec(compile("\n    ".join([head, *lines]), "<formula>", "exec"), space)
    return space["line"]


@dataclass(slots=True)
class ScalarFormula:
    """A formula of one input in plain Python floats, nan outside its domain: no numpy, no exceptions, no warnings."""

    values: Callable[[float], tuple[float, ...]]
    """`f(x)`, in a tuple of its own."""
    jet: Callable[[float], tuple[float, ...]]
    """`f(x)`, `f'(x)` and `f''(x)`, of one walk along the line."""

    def value(self, x: float) -> float:
        """f(x)."""
        return self.values(x)[0]

    def slope_and_curvature(self, x: float) -> tuple[float, float]:
        """f'(x) and f''(x)."""
        _, slope, curvature = self.jet(x)
        return slope, curvature
