"""A straight line of operations, written out in Python: one emitter, and how each road writes an operation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from simulator.formulas.graph import Graph, Term
from simulator.formulas.operations import ROUNDED, calculate, element_by_element

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


class Text(ABC):
    """Operations of a graph as lines of Python, a statement each, and what their names stand for (`space`)."""

    counted = "int({})"
    """How what counts is written: it stays a whole number."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.space: dict[str, Any] = {"inf": math.inf, "nan": math.nan}

    def name(self, term: Term | float) -> str:
        """How a term or a number is written."""
        constant = term.constant if isinstance(term, Term) else term
        return f"v{term.node}" if constant is None and isinstance(term, Term) else f"({constant!r})"

    def names(self, variables: Sequence[str]) -> str:
        """How variables are written, with commas between."""
        return "".join(f"{self.name(self.graph.variable(name))}, " for name in variables)

    def lines(self, outputs: Sequence[Term], guards: Sequence[tuple[Term, bool]] = ()) -> list[str]:
        """A statement for every node that the outputs and guards rest on. Where a guard is not as it should be the
        function returns, as soon as that can be asked.
        """
        graph, wanted = self.graph, {term.node: holds for term, holds in guards}
        lines: list[str] = []
        for node in graph.reachable([*outputs, *(term for term, _ in guards)]):
            if graph.arguments[node]:
                lines.append(f"v{node} = {self._operation(node)}")
            if node in wanted:
                lines.append(self.guard(f"v{node}", wanted[node]))
        return lines

    def _operation(self, node: int) -> str:
        graph, places = self.graph, self.graph.arguments[node]
        arguments = [self.name(Term(graph, place)) for place in places]
        if graph.operations[node] == "part":
            return f"v{places[0]}[{int(graph.constants[places[1]] or 0)}]"
        return self.operation(node, arguments)

    @abstractmethod
    def operation(self, node: int, arguments: Sequence[str]) -> str:
        """How a node does what it does to its arguments."""

    def guard(self, name: str, holds: bool) -> str:
        """A statement that returns None where a condition is not as it should be."""
        return f"if {'not ' if holds else ''}{name}: return None"

    def function(self, head: str, lines: Sequence[str]) -> Callable[..., Any]:
        """The function `line` of a head and the lines of its body."""
        exec(compile("\n    ".join([f"def line({head}):", *lines]), "<line>", "exec"), self.space)
        return self.space["line"]


class FloatText(Text):
    """Operations done to floats, where one without a number `raises` unless it is to answer as arrays do."""

    def __init__(self, graph: Graph, *, raises: bool = False) -> None:
        super().__init__(graph)
        self.raises = raises

    def operation(self, node: int, arguments: Sequence[str]) -> str:
        graph, operation, row = self.graph, self.graph.operations[node], self.graph.row(node)
        self.space[f"f{node}"] = row.number
        called = f"f{node}({', '.join(arguments)})"
        if operation in SIGNS and (len(arguments) == 2 or not row.variadic):
            called = SIGNS[operation].format(*arguments)
        safe = SAFE.get(operation, "True").format(*arguments)
        if self.raises or safe == "True" or (operation == "/" and graph.constants[graph.arguments[node][1]]):
            return called
        self.space[f"c{node}"] = lambda *values: calculate(row, values)
        with_care = f"c{node}({', '.join(arguments)})"
        return with_care if safe == "False" else f"{called} if {safe} else {with_care}"


class Where(NamedTuple):
    """In which runs of arrays a guard holds, `(runs,)`."""

    held: NDArray[Any]

    @property
    def everywhere(self) -> bool:
        return bool(self.held.all())


class ArrayText(Text):
    """Operations done to arrays, an element a run. Where a guard holds in some runs only, that is what is returned."""

    counted = "{}.astype(int)"
    exact = False
    """Whether results are those of floats to the last bit."""

    def operation(self, node: int, arguments: Sequence[str]) -> str:
        row, rounded = self.graph.row(node), self.graph.operations[node] in ROUNDED
        self.space[f"f{node}"] = element_by_element(row) if self.exact and rounded else row.array
        return f"f{node}({', '.join(arguments)})"

    def guard(self, name: str, holds: bool) -> str:
        self.space["Where"] = Where
        return f"if not (held := Where({name} == {holds})).everywhere: return held"


class ExactText(ArrayText):
    """The same with the numbers of floats."""

    exact = True
