"""A traced function of a structure of arrays, written out as a function of plain floats.

Structures are named tuples, tuples and arrays in one another; in plain floats an array is a tuple of floats (of tuples,
if it has two axes). What no traced number goes into, an empty array among it, is handed out as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from simulator.formulas.graph import Term
from simulator.formulas.tape import Text
from simulator.formulas.traced_array import Trace, TracedArray


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
    writer = _Structures(trace)
    taken, returned = writer.pattern(given), writer.expression(result)
    lines = writer.text.lines(writer.terms, trace.guards)
    return writer.text.function("given", [f"{taken} = given", *lines, f"return {returned}"])


class _Structures:
    """Structures in the text of a trace, and the `terms` met in what it returns."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.text = trace, Text(trace.graph, arrays=False)
        self.text.space["new"] = tuple.__new__
        self.terms: list[Term] = []

    def pattern(self, value: Any) -> str:
        """What takes a structure apart into the variables it was traced with."""
        if isinstance(value, TracedArray):
            return self._array(value.terms)
        if isinstance(value, tuple):
            return f"({''.join(f'{self.pattern(each)}, ' for each in cast('tuple[Any, ...]', value))})"
        return "_"

    def expression(self, value: Any) -> str:
        """What puts a structure together; what no traced number goes into is kept as it is."""
        if isinstance(value, TracedArray):
            self.terms += [term for term in value.terms.flat if isinstance(term, Term)]
            return self._array(value.terms) if value.size else self._kept(np.zeros(value.shape))
        if isinstance(value, tuple):
            parts = f"({''.join(f'{self.expression(each)}, ' for each in cast('tuple[Any, ...]', value))})"
            return f"new({self._kept(type(value))}, {parts})" if hasattr(value, "_make") else parts
        return self._kept(value)

    def _array(self, terms: Any) -> str:
        """Nested tuples of what stands in an array of terms."""
        if not terms.ndim:
            term, graph = terms.item(), self.trace.graph
            counts = isinstance(term, Term) and graph.arguments[term.node] and self.trace.whole(term)
            return f"int({self.text.name(term)})" if counts else self.text.name(term)
        return f"({''.join(f'{self._array(np.asarray(each, dtype=object))}, ' for each in terms)})"

    def _kept(self, value: Any) -> str:
        name = f"k{len(self.text.space)}"
        self.text.space[name] = value
        return name
