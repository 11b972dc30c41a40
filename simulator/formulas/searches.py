"""Functions that are one operation where they are traced: searches, and what cannot be traced itself."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from simulator.formulas.traced_array import Trace, TracedArray, UntraceableError

Function = TypeVar("Function", bound=Callable[..., Any])
Arguments = tuple[Any, ...]


def search(results: int) -> Callable[[Function], Function]:
    """A function with so many results, of floats behind arguments of another kind."""

    def of_floats(trace: Trace, function: Callable[..., Any], arguments: Arguments) -> tuple[TracedArray, ...]:
        numbers = [each for each in arguments if isinstance(each, (TracedArray, float))]
        others = arguments[: len(arguments) - len(numbers)]
        return tuple(trace.call(functools.partial(function, *others), results, *numbers))

    return _decorator(of_floats)


def array_search(shape: Callable[..., tuple[int, ...]], what: str) -> Callable[[Function], Function]:
    """A function of arrays with one array as its result, whose `shape` its arguments tell; `what` it searches for."""

    def of_arrays(trace: Trace, function: Callable[..., Any], arguments: Arguments) -> TracedArray:
        places = [at for at, each in enumerate(arguments) if isinstance(each, TracedArray)]
        expected = shape(*arguments)

        @_called(what)
        def of_numbers(*numbers: float) -> Sequence[float]:
            given, rest = list(arguments), np.array(numbers)
            for at in places:
                given[at] = rest[: arguments[at].size].reshape(arguments[at].shape)
                rest = rest[arguments[at].size :]
            with np.errstate(all="ignore"):
                result = np.asarray(function(*given))
            assert result.shape == expected, f"a search gives {result.shape}, not {expected}"
            return result.ravel().tolist()

        results = trace.call(of_numbers, math.prod(expected), *(x for at in places for x in arguments[at].ravel()))
        terms = np.array([each.terms.item() for each in results], dtype=object)
        return TracedArray(trace, terms.reshape(expected))

    return _decorator(of_arrays)


def traced_or_called(function: Function, what: str) -> Function:
    """A function of structures of arrays that is traced where that can be done, and else one operation, called `what`:
    its result then has arrays of the same shapes whatever it is given.
    """

    def called(*arguments: Any) -> Any:
        trace = next((each.trace for each in _arrays(arguments)), None)
        if trace is None:
            return function(*arguments)
        guards = len(trace.guards)
        try:
            return function(*arguments)
        except (UntraceableError, Exception):
            # What it asked before it failed is asked again where it is called.
            del trace.guards[guards:]
            return _one_operation(trace, function, arguments, what)

    return cast("Function", called)


def asked(kind: Any, question: str) -> Callable[..., Any]:
    """What answers a question to a kind: its method, which is one operation if it cannot be traced."""
    return traced_or_called(getattr(kind, question), f"{question} of {type(kind).__name__}")


def _one_operation(trace: Trace, function: Callable[..., Any], arguments: Arguments, what: str) -> Any:
    """The results of a function as parts of one call; how many there are, and of what shapes, is found where it is
    traced.
    """
    given = [term for each in _arrays(arguments) for term in each.terms.flat]

    def result(numbers: Iterator[float]) -> Any:
        with np.errstate(all="ignore"):
            return function(*_filled(arguments, TracedArray, lambda each: _next(each.shape, numbers)))

    like = result(map(trace.number, given))
    count = sum(np.size(each) for each in _leaves(like))

    @_called(what)
    def of_numbers(*numbers: float) -> Sequence[float]:
        found = [number for each in _leaves(result(iter(numbers))) for number in np.ravel(each).tolist()]
        assert len(found) == count, f"{what} gives {len(found)} numbers, not {count}"
        return found

    parts = iter(trace.call(of_numbers, count, *given))

    def part(leaf: Any) -> TracedArray:
        terms = np.array([next(parts).terms.item() for _ in range(np.size(leaf))], dtype=object)
        return TracedArray(trace, terms.reshape(np.shape(leaf)))

    return _filled(like, NUMBERS, part)


NUMBERS = (np.ndarray, np.generic, float, int)


def _next(shape: tuple[int, ...], numbers: Iterator[float]) -> Any:
    """An array of the next numbers, or the next number."""
    return np.array([next(numbers) for _ in range(math.prod(shape))]).reshape(shape) if shape else next(numbers)


def _filled(value: Any, kinds: Any, function: Callable[[Any], Any]) -> Any:
    """A structure with what a function makes of each leaf of some kinds."""
    if isinstance(value, (tuple, list)):
        parts = [_filled(each, kinds, function) for each in cast("Sequence[Any]", value)]
        return type(value)._make(parts) if hasattr(value, "_make") else type(value)(parts)  # pyright: ignore
    return function(value) if isinstance(value, kinds) else value


def _leaves(value: Any) -> Iterator[Any]:
    """The arrays and numbers of a structure, traced or not, in order."""
    if isinstance(value, (tuple, list)):
        for each in cast("Sequence[Any]", value):
            yield from _leaves(each)
    elif isinstance(value, (TracedArray, *NUMBERS)):
        yield value


def _arrays(value: Any) -> Iterator[TracedArray]:
    return (each for each in _leaves(value) if isinstance(each, TracedArray))


def _called(what: str) -> Callable[[Function], Function]:
    """A function under another name."""

    def named(function: Function) -> Function:
        function.__name__ = what
        return function

    return named


def _decorator(traced: Callable[[Trace, Callable[..., Any], Arguments], Any]) -> Callable[[Function], Function]:
    """What a function does where some argument is `traced`; of numbers it stays as it is."""

    def decorated(function: Function) -> Function:
        @functools.wraps(function)
        def called(*arguments: Any) -> Any:
            trace = next((each.trace for each in arguments if isinstance(each, TracedArray)), None)
            return function(*arguments) if trace is None else traced(trace, function, arguments)

        return cast("Function", called)

    return decorated
