"""A traced function of a structure of arrays, written out as a function of plain floats.

Structures are named tuples, tuples and arrays in one another; in plain floats an array is a tuple of floats (of tuples,
if it has two axes). What no traced number goes into, an empty array among it, is handed out as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.formulas.graph import Term
from simulator.formulas.operations import OPERATIONS
from simulator.formulas.traced_array import Trace, TracedArray

SIGNS = {
    **{sign: f"{{}} {sign} {{}}" for sign in ("+", "-", "*", "/", ">", "<", ">=", "<=", "==", "!=", "and", "or")},
    "negate": "-{}",
    "not": "not {}",
    "choose": "{1} if {0} else {2}",
    # What is not a number stays so, on either side.
    "min": "({0} if {0} < {1} else {1}) if {0} == {0} else {0}",
    "max": "({0} if {0} > {1} else {1}) if {0} == {0} else {0}",
}
"""Operations that Python writes as signs; others are calls."""


def plain(value: Any) -> Any:
    """A structure of arrays in plain floats; empty arrays stay."""
    if isinstance(value, np.ndarray):
        return _nested(value.tolist()) if value.size else value
    if isinstance(value, tuple):
        parts = [plain(each) for each in value]
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)  # pyright: ignore
    return value


def in_arrays(value: Any) -> Any:
    """A structure in plain floats as arrays again, of as many numbers as it has."""
    if not isinstance(value, tuple):
        return value
    if hasattr(value, "_make"):
        return type(value)._make([in_arrays(each) for each in value])  # pyright: ignore
    if value and isinstance(value[0], (float, int)):
        return np.array(value)
    return tuple(in_arrays(each) for each in value)


def _nested(value: Any) -> Any:
    return tuple(_nested(each) for each in value) if isinstance(value, list) else value


def traced(trace: Trace, value: Any) -> Any:
    """A structure of variables of a trace in the place of numbers."""
    if isinstance(value, tuple):
        parts = [traced(trace, each) for each in value]
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)  # pyright: ignore
    return trace.array(value) if np.size(value) else value


def emitted(trace: Trace, given: Any, result: Any) -> Callable[[Any], Any]:
    """The function that was traced from the structure `given` to `result`, in plain floats.

    It returns None where a guard does not hold, and raises ArithmeticError or ValueError where an operation has no
    number.
    """
    writer = _Writer(trace)
    returned = writer.expression(result)
    body = [f"{_pattern(given, writer)} = given", *writer.lines(), f"return {returned}"]
    exec(compile("\n    ".join(["def function(given):", *body]), "<traced>", "exec"), writer.space)
    return writer.space["function"]


def _pattern(value: Any, writer: _Writer) -> str:
    """What takes a structure apart into the variables it was traced with."""
    if isinstance(value, TracedArray):
        return writer.array(value.terms)
    if isinstance(value, tuple):
        return f"({''.join(f'{_pattern(each, writer)}, ' for each in value)})"
    return "_"


class _Writer:
    """The lines of a graph, each operation a statement of its own, and what their names stand for."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.graph = trace, trace.graph
        self.space: dict[str, Any] = {"new": tuple.__new__, "inf": math.inf, "nan": math.nan}
        self._returned: list[Term] = []

    def lines(self) -> list[str]:
        """A statement for every node that is returned, or asked for by a guard, each guard as soon as it can be."""
        graph, asked = self.graph, {term.node: holds for term, holds in self.trace.guards}
        lines: list[str] = []
        for node in graph.reachable([*self._returned, *(term for term, _ in self.trace.guards)]):
            if graph.arguments[node]:
                lines.append(f"v{node} = {self._operation(node)}")
            if node in asked:
                lines.append(f"if {'not ' if asked[node] else ''}v{node}: return None")
        return lines

    def _operation(self, node: int) -> str:
        graph, operation = self.graph, self.graph.operations[node]
        arguments = [self._name(Term(graph, argument)) for argument in graph.arguments[node]]
        if operation in SIGNS:
            return SIGNS[operation].format(*arguments)
        if operation == "part":
            called, place = graph.arguments[node]
            return f"v{called}[{int(graph.constants[place] or 0)}]"
        name = operation if operation.isidentifier() else f"f{node}"
        name = name if operation != "call" else f"f{node}"
        self.space[name] = graph.functions[node] if operation == "call" else OPERATIONS[operation].number
        return f"{name}({', '.join(arguments)})"

    def _name(self, term: Any) -> str:
        """How a term or a number is written."""
        constant = term.constant if isinstance(term, Term) else term
        if constant is not None:
            return f"({constant!r})"
        self._returned.append(term)
        return f"v{term.node}"

    def array(self, terms: Any) -> str:
        """Nested tuples of what stands in an array of terms."""
        if not terms.ndim:
            return self._name(terms.item())
        return f"({''.join(f'{self.array(np.asarray(each, dtype=object))}, ' for each in terms)})"

    def expression(self, value: Any) -> str:
        """What puts a structure together; what no traced number goes into is kept as it is."""
        if isinstance(value, TracedArray):
            return self.array(value.terms) if value.size else self._kept(np.zeros(value.shape))
        if isinstance(value, tuple):
            parts = f"({''.join(f'{self.expression(each)}, ' for each in value)})"
            return f"new({self._kept(type(value))}, {parts})" if hasattr(value, "_make") else parts
        return self._kept(value)

    def _kept(self, value: Any) -> str:
        name = f"k{len(self.space)}"
        self.space[name] = value
        return name
