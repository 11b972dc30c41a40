"""Functions of structures of arrays in plain floats: traced once, and written out.

An economy of a few goods does less arithmetic in a tick than NumPy spends on being called. What a function does to
arrays is therefore written down as operations on numbers (`traced_array`) and run as one function of floats. Where the
function asks whether something holds, there is a text for each answer met so far.

Structures are named tuples, tuples and arrays in one another; in plain floats an array is a tuple of floats (of tuples,
if it has two axes). What no traced number goes into, an empty array among it, is handed out as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import numpy as np

from simulator.formulas.graph import Term
from simulator.formulas.tape import Text
from simulator.formulas.traced_array import Trace, TracedArray

MOST_TEXTS = 64
"""So many texts are kept, those that served last."""

GivenT = TypeVar("GivenT")
ResultT = TypeVar("ResultT")


class InFloats(Generic[GivenT, ResultT]):
    """A function of a structure of arrays, run in plain floats wherever that has an answer.

    It is traced where it is asked first, and again wherever what it asks has another answer than in all texts so far.
    What it answers follows from what it is given alone, whatever texts there are: a run that is resumed goes on to the
    same bytes.
    """

    def __init__(self, function: Callable[[GivenT], ResultT]) -> None:
        self._function = function
        self._texts: list[Callable[[GivenT], ResultT | None]] = []
        self._traceable = True

    def __call__(self, given: GivenT) -> ResultT | None:
        """What the function makes of a structure in plain floats; None where it has to be asked in arrays."""
        for text in self._texts:
            if (result := _result(text, given)) is not None:
                if text is not self._texts[0]:
                    self._texts.remove(text)
                    self._texts.insert(0, text)
                return result
        return self._by_a_new_text(given) if self._traceable else None

    def _by_a_new_text(self, given: GivenT) -> ResultT | None:
        trace = Trace()
        symbols = traced(trace, given)
        try:
            text = emitted(trace, symbols, self._function(symbols))
        except Exception:
            # A kind from outside may not know what to do with a traced array; a fault that is real shows in arrays.
            self._traceable = False
            return None
        self._texts = [text, *self._texts[: MOST_TEXTS - 1]]
        return text(given)


def _result(text: Callable[[GivenT], ResultT | None], given: GivenT) -> ResultT | None:
    try:
        return text(given)
    except ValueError:
        # Of another structure than the one it takes apart.
        return None


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
    if _numbers(value):
        return np.array(value)
    return tuple(in_arrays(each) for each in value)


def _nested(value: Any) -> Any:
    return tuple(_nested(each) for each in value) if isinstance(value, list) else value


def traced(trace: Trace, value: Any) -> Any:
    """Variables of a trace in the place of the numbers of a structure in plain floats."""
    if not isinstance(value, tuple):
        return trace.array(value) if np.size(value) else value
    # A tuple of arrays of one length may be a table as well: it is taken apart and put together in the same way.
    if not hasattr(value, "_make") and (_numbers(value) or (value and all(_numbers(row, value[0]) for row in value))):
        return trace.array(value)
    parts = [traced(trace, each) for each in value]
    return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)  # pyright: ignore


def _numbers(value: Any, like: Any = None) -> bool:
    """Whether a value is an array in plain floats, as long as another if there is one."""
    numbers = isinstance(value, tuple) and value and isinstance(value[0], (float, int))
    return bool(numbers and (like is None or len(value) == len(like)))


def emitted(trace: Trace, given: Any, result: Any) -> Callable[[Any], Any]:
    """The function that was traced from the structure `given` to `result`, in plain floats.

    It returns None where a guard does not hold.
    """
    writer = _Structures(trace)
    taken, returned = writer.pattern(given), writer.expression(result)
    lines = writer.text.lines(writer.terms, trace.guards)
    return writer.text.function("given", [f"{taken} = given", *lines, f"return {returned}"])


class _Structures:
    """Structures in the text of a trace, and the `terms` met in what it returns."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.text = trace, Text(trace.graph, arrays=False, raises=False)
        self.text.space["new"] = tuple.__new__
        self.terms: list[Term] = []

    def pattern(self, value: Any) -> str:
        """What takes a structure apart into the variables it was traced with."""
        if isinstance(value, TracedArray):
            return self._array(value.terms)
        if isinstance(value, tuple):
            return f"({''.join(f'{self.pattern(each)}, ' for each in cast('tuple[Any, ...]', value))})"
        # An empty array is taken apart as well: one with something in it has a text of its own.
        return "()" if isinstance(value, np.ndarray) and not len(cast("Any", value)) else "_"

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
