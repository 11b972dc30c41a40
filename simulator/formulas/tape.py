"""Terms of a graph as a straight line of operations, written out in Python for arrays or for plain floats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from numpy.typing import NDArray

from simulator.formulas.graph import Graph, Term
from simulator.formulas.operations import calculate

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
SAFE = {
    "/": "{1}",
    "remainder": "{1}",
    "ln": "{0} > 0.0",
    "log1p": "{0} > -1.0",
    "sqrt": "{0} >= 0.0",
    "exp": "{0} < 709.0",
    "expm1": "{0} < 709.0",
    **dict.fromkeys(("^", "^ constant", "power", "sin", "cos", "cosh", "sech^2"), "False"),
}
"""Operations that may raise where IEEE arithmetic has an answer, and a short condition on which they do not."""


class Where(NamedTuple):
    """In which runs of arrays a guard holds, `(runs,)`."""

    held: NDArray[Any]

    @property
    def everywhere(self) -> bool:
        return bool(self.held.all())


class Text:
    """Operations of a graph as lines of Python, a statement each, and what their names stand for (`space`): done to
    `arrays`, or to floats, where an operation without a number `raises` unless it is to answer as arrays do.
    """

    def __init__(self, graph: Graph, *, arrays: bool, raises: bool = True) -> None:
        self.graph, self.arrays, self.raises = graph, arrays, raises
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
        should be, as soon as that can be asked. Of arrays, where it is so in some runs only, the `Where` is returned.
        """
        graph, wanted = self.graph, {term.node: holds for term, holds in guards}
        lines: list[str] = []
        for node in graph.reachable([*outputs, *(term for term, _ in guards)]):
            if graph.arguments[node]:
                lines.append(f"v{node} = {self._operation(node)}")
            if node in wanted:
                lines.append(self._guard(node, wanted[node]))
        return lines

    def _guard(self, node: int, holds: bool) -> str:
        if not self.arrays:
            return f"if {'not ' if holds else ''}v{node}: return None"
        self.space["Where"] = Where
        return f"if not (held := Where(v{node} == {holds})).everywhere: return held"

    def _operation(self, node: int) -> str:
        graph, operation, places = self.graph, self.graph.operations[node], self.graph.arguments[node]
        arguments = [self.name(Term(graph, place)) for place in places]
        if operation == "part":
            return f"v{places[0]}[{int(graph.constants[places[1]] or 0)}]"
        row, called = graph.row(node), f"f{node}({', '.join(arguments)})"
        self.space[f"f{node}"] = row.array if self.arrays else row.number
        if not self.arrays and operation in SIGNS and (len(arguments) == 2 or not row.variadic):
            called = SIGNS[operation].format(*arguments)
        safe = SAFE.get(operation, "True").format(*arguments)
        if self.arrays or self.raises or safe == "True" or (operation == "/" and graph.constants[places[1]]):
            return called
        self.space[f"c{node}"] = lambda *values: calculate(row, values)
        with_care = f"c{node}({', '.join(arguments)})"
        return with_care if safe == "False" else f"{called} if {safe} else {with_care}"

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
