"""Functions that are one operation wherever they are traced, whatever they search for and however long."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from simulator.formulas.traced_array import Trace, TracedArray

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
            result = np.asarray(function(*given))
            assert result.shape == expected, f"a search gives {result.shape}, not {expected}"
            return result.ravel().tolist()

        results = trace.call(of_numbers, math.prod(expected), *(x for at in places for x in arguments[at].ravel()))
        terms = np.array([each.terms.item() for each in results], dtype=object)
        return TracedArray(trace, terms.reshape(expected))

    return _decorator(of_arrays)


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
