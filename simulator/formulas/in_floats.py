"""Functions of structures of arrays in plain floats: traced once, and written out.

An economy of a few goods does less arithmetic in a tick than NumPy spends on being called. What a function does to
arrays is therefore written down as operations on numbers (`traced_array`) and run as one function of floats. Where the
function asks whether something holds, it is traced for each answer that is met.

Structures are named tuples, tuples and arrays in one another; in plain floats an array is a tuple of floats (of tuples,
if it has two axes). What no traced number goes into, an empty array among it, is handed out as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar, cast

import numpy as np

from simulator.formulas.graph import Term
from simulator.formulas.structures import mapped, rebuilt
from simulator.formulas.text import FloatText, Text
from simulator.formulas.traced_array import Trace, TracedArray, UntraceableError

MOST_LINES = 64
"""So many functions of floats are kept, those that served last."""
IN_ARRAYS = object()
"""What stands for the answer where there is one in arrays only."""

GivenT = TypeVar("GivenT")
ResultT = TypeVar("ResultT")


class InFloats(Generic[GivenT, ResultT]):
    """A function of a structure of arrays, run in plain floats wherever that has an answer.

    It is traced where it is asked first, and again wherever what it asks has another answer than in all traces so far.
    What it answers follows from what it is given alone, whatever was traced before: a run that is resumed goes on to
    the same bytes.
    """

    def __init__(self, function: Callable[[GivenT], ResultT]) -> None:
        self._function = function
        self._lines: list[Callable[[GivenT], Any]] = []

    def __call__(self, given: GivenT) -> ResultT | None:
        """What the function makes of a structure in plain floats; None where it has to be asked in arrays."""
        for line in self._lines:
            if (result := _result(line, given)) is not None:
                if line is not self._lines[0]:
                    self._lines.remove(line)
                    self._lines.insert(0, line)
                break
        else:
            line = emitted(self._function, given).run
            self._lines = [line, *self._lines[: MOST_LINES - 1]]
            result = _result(line, given)
        return None if result is IN_ARRAYS else result


def _result(line: Callable[[GivenT], Any], given: GivenT) -> Any:
    try:
        return line(given)
    except ValueError:
        # Of another structure than the one it takes apart.
        return None


def plain(value: Any) -> Any:
    """A structure of arrays in plain floats; empty arrays stay."""
    return mapped(lambda leaf: _nested(leaf.tolist()) if isinstance(leaf, np.ndarray) and leaf.size else leaf, value)


def in_arrays(value: Any) -> Any:
    """A structure in plain floats as arrays again, of as many numbers as it has."""
    if not isinstance(value, tuple):
        return value
    alike = not hasattr(value, "_make") and numbers(value)
    return np.array(value) if alike else rebuilt(value, map(in_arrays, cast("tuple[Any, ...]", value)))


def _nested(value: Any) -> Any:
    return tuple(_nested(each) for each in value) if isinstance(value, list) else value


def traced(trace: Trace, value: Any) -> Any:
    """Variables of a trace in the place of the numbers of a structure in plain floats."""
    if not isinstance(value, tuple):
        return trace.array(value) if np.size(value) else value
    # A tuple of arrays alike may be a table as well: it is taken apart and put together in the same way.
    if not hasattr(value, "_make") and (numbers(value) or (value and all(numbers(row, value[0]) for row in value))):
        return trace.array(value)
    return rebuilt(value, (traced(trace, each) for each in cast("tuple[Any, ...]", value)))


def numbers(value: Any, like: Any = None) -> bool:
    """Whether a value is an array in plain floats, of as many numbers of one kind as another if there is one."""
    numbers = isinstance(value, tuple) and value and isinstance(value[0], (float, int))
    return bool(numbers and (like is None or (len(value) == len(like) and type(value[0]) is type(like[0]))))


class Emitted(NamedTuple):
    """A function of a structure as one straight line of operations: what runs it, the trace, the traced result, and why
    it cannot be traced if it cannot.
    """

    run: Callable[[Any], Any]
    trace: Trace
    result: Any
    refusal: str | None


def emitted(function: Callable[[Any], Any], given: Any, text: type[Text] = FloatText) -> Emitted:
    """A function of a structure of arrays as one of plain floats, or of what else the `text` is for, traced where it is
    `given` these floats.

    It returns None where a guard does not hold (of arrays, `Where` it does), and `IN_ARRAYS` where the function cannot
    be traced.
    """
    trace = Trace()
    symbols, structures = traced(trace, given), _Structures(trace, text(trace.graph))
    # The function may write on what it is given.
    taken = structures.pattern(symbols)
    refusal = None
    try:
        result = function(symbols)
    except (UntraceableError, Exception) as error:
        # A kind from outside may not know what to do with a traced array; a fault that is real shows in arrays.
        result, refusal = IN_ARRAYS, blamed(error)
    returned = structures.expression(result)
    lines = structures.text.lines(structures.terms, trace.guards)
    run = structures.text.function("given", [f"{taken} = given", *lines, f"return {returned}"])
    return Emitted(run, trace, result, refusal)


def blamed(error: BaseException) -> str:
    """Why a function cannot be traced: whose code an error was met in, the innermost class outside of this room."""
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    owners = [type(each.frame.f_locals["self"]) for each in frames if "self" in each.frame.f_locals]
    named = [owner.__name__ for owner in owners if not owner.__module__.startswith(__package__ or "")]
    return f"{named[-1] if named else 'the tick'}: {error or type(error).__name__}"


class _Structures:
    """Structures in the text of a trace, and the `terms` met in what it returns."""

    def __init__(self, trace: Trace, text: Text) -> None:
        self.trace, self.text = trace, text
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
            return self.text.counted.format(self.text.name(term)) if counts else self.text.name(term)
        return f"({''.join(f'{self._array(np.asarray(each, dtype=object))}, ' for each in terms)})"

    def _kept(self, value: Any) -> str:
        name = f"k{len(self.text.space)}"
        self.text.space[name] = value
        return name
