"""Terms of a graph as a straight line of operations, written out in Python for arrays or for plain floats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from simulator.formulas.graph import Graph, Term
from simulator.formulas.operations import OPERATIONS

SIGNS = {
    **{sign: f"{{}} {sign} {{}}" for sign in ("+", "-", "*", "/", ">", "<", ">=", "<=", "==", "!=", "and", "or")},
    "negate": "-{}",
    "not": "not {}",
    "choose": "{1} if {0} else {2}",
    # What is not a number stays so, on either side.
    "min": "({0} if {0} < {1} else {1}) if {0} == {0} else {0}",
    "max": "({0} if {0} > {1} else {1}) if {0} == {0} else {0}",
}
"""Operations that Python writes as signs where they are done to floats; all others are calls."""


class Text:
    """Operations of a graph as lines of Python, a statement each, and what their names stand for (`space`)."""

    def __init__(self, graph: Graph, *, arrays: bool) -> None:
        self.graph, self.arrays = graph, arrays
        self.space: dict[str, Any] = {"inf": math.inf, "nan": math.nan}

    def name(self, term: Term | float) -> str:
        """How a term or a number is written."""
        constant = term.constant if isinstance(term, Term) else term
        return f"v{term.node}" if constant is None and isinstance(term, Term) else f"({constant!r})"

    def names(self, variables: Sequence[str]) -> str:
        """How variables are written, with commas between."""
        return "".join(f"{self.name(self.graph.variable(name))}, " for name in variables)

    def lines(self, outputs: Sequence[Term], guards: Sequence[tuple[Term, bool]] = ()) -> list[str]:
        """A statement for every node that the outputs and guards rest on; None is returned where a guard is not as it
        should be, as soon as that can be asked.
        """
        graph, wanted = self.graph, {term.node: holds for term, holds in guards}
        lines: list[str] = []
        for node in graph.reachable([*outputs, *(term for term, _ in guards)]):
            if graph.arguments[node]:
                lines.append(f"v{node} = {self._operation(node)}")
            if node in wanted:
                lines.append(f"if {'not ' if wanted[node] else ''}v{node}: return None")
        return lines

    def _operation(self, node: int) -> str:
        graph, operation, places = self.graph, self.graph.operations[node], self.graph.arguments[node]
        arguments = [self.name(Term(graph, place)) for place in places]
        if operation == "part":
            return f"v{places[0]}[{int(graph.constants[places[1]] or 0)}]"
        if not self.arrays and operation in SIGNS and (len(arguments) == 2 or not OPERATIONS[operation].variadic):
            return SIGNS[operation].format(*arguments)
        row, name = OPERATIONS[operation], f"f{node}"
        self.space[name] = graph.functions[node] if operation == "call" else row.array if self.arrays else row.number
        return f"{name}({', '.join(arguments)})"

    def function(self, head: str, lines: Sequence[str]) -> Callable[..., Any]:
        """The function `line` of a head and the lines of its body."""
        exec(compile("\n    ".join([f"def line({head}):", *lines]), "<line>", "exec"), self.space)
        return self.space["line"]


class Tape:
    """Terms of a graph as functions of `variables`."""

    def __init__(self, outputs: Sequence[Term], variables: Sequence[str]) -> None:
        self.graph, self.outputs, self.variables = outputs[0].graph, tuple(outputs), tuple(variables)

    def run_arrays(self, inputs: Sequence[NDArray[Any]]) -> list[Any]:
        """The outputs: arrays, or numbers where they are constant. Floating-point warnings are the caller's."""
        return self._line(*inputs)

    @cached_property
    def _line(self) -> Callable[..., list[Any]]:
        text = Text(self.graph, arrays=True)
        lines = [*text.lines(self.outputs), f"return [{', '.join(map(text.name, self.outputs))}]"]
        return text.function(text.names(self.variables), lines)

    def compiled(self) -> Callable[[float], tuple[float, ...]]:
        """The outputs at one input in plain floats, as a function that never raises and never warns; none of them is a
        number where the first is not.
        """
        text = Text(self.graph, arrays=False)
        text.space |= {"with_care": self._with_care, "nowhere": (math.nan,) * len(self.outputs)}
        outputs, given = list(map(text.name, self.outputs)), text.names(self.variables)
        lines = text.lines(self.outputs)
        lines += [f"if {outputs[0]} != {outputs[0]}: return nowhere", f"return {', '.join(outputs)},"]
        guarded = ["try:", *[f"    {line}" for line in lines]]
        guarded += ["except (ArithmeticError, ValueError):", f"    return with_care({given})"]
        return text.function(given, guarded)

    def _with_care(self, x: float) -> tuple[float, ...]:
        """The outputs at one input where some operation has no number: operation by operation."""
        graph, numbers = self.graph, dict[int, float]()
        given = {graph.variable(name).node: x for name in self.variables}
        for node in graph.reachable(self.outputs):
            numbers[node] = graph.number(node, numbers, given)
        found = tuple(numbers[term.node] for term in self.outputs)
        return found if found[0] == found[0] else (math.nan,) * len(found)


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
