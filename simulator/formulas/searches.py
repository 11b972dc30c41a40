"""Functions that are one operation where they are traced: searches, and what cannot be traced itself."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from simulator.formulas.structures import rebuilt
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


def array_search(what: str) -> Callable[[Function], Function]:
    """A function of arrays that is one operation, called `what`: its result has the same shape whatever it is given."""
    return _decorator(lambda trace, function, arguments: _one_operation(trace, function, arguments, what))


def traced_or_called(function: Function, what: str) -> Function:
    """A function of structures of arrays that is traced where that can be done, and else one operation, called `what`:
    its result then has arrays of the same shapes whatever it is given.
    """

    def called(*arguments: Any) -> Any:
        trace = _trace_of(arguments)
        if trace is None:
            return function(*arguments)
        guards = len(trace.guards)
        try:
            return function(*arguments)
        except (UntraceableError, Exception) as error:
            # What it asked before it failed is asked again where it is called.
            del trace.guards[guards:]
            try:
                return _one_operation(trace, function, arguments, what)
            except UntraceableError:
                raise error from None

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

    try:
        like = result(map(trace.number, given))
    except UntraceableError:
        # What it searches with is traced, too.
        raise UntraceableError(f"{what} is worked out in arrays") from None
    count = sum(np.size(each) for each in _leaves(like))

    def of_numbers(*numbers: float) -> Sequence[float]:
        found = [number for each in _leaves(result(iter(numbers))) for number in np.ravel(each).tolist()]
        assert len(found) == count, f"{what} gives {len(found)} numbers, not {count}"
        return found

    of_numbers.__name__ = what
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
        return rebuilt(value, (_filled(each, kinds, function) for each in cast("Sequence[Any]", value)))
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


def _trace_of(arguments: Arguments) -> Trace | None:
    """The trace that a function is called in, by its arguments themselves: arrays that stand deeper are not looked for,
    as this is asked in every tick.
    """
    return next((each.trace for each in arguments if isinstance(each, TracedArray)), None)


def _decorator(traced: Callable[[Trace, Callable[..., Any], Arguments], Any]) -> Callable[[Function], Function]:
    """What a function does where some argument is `traced`; of numbers it stays as it is."""

    def decorated(function: Function) -> Function:
        @functools.wraps(function)
        def called(*arguments: Any) -> Any:
            trace = _trace_of(arguments)
            return function(*arguments) if trace is None else traced(trace, function, arguments)

        return cast("Function", called)

    return decorated
