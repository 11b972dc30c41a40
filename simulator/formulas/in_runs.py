"""Functions of structures of arrays for many runs at once, along a leading axis.

What a run does to numbers all runs do to arrays `(runs,)` of them: the same trace as in plain floats, written out for
arrays. Where the function asks whether something holds, and it does in some runs only, these go on together and the
others by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.in_floats import IN_ARRAYS, MOST_LINES, Emitted, emitted, numbers, plain
from simulator.formulas.structures import mapped, rebuilt
from simulator.formulas.text import ArrayText, ExactText, Where
from simulator.formulas.traced_array import TracedArray

GivenT = TypeVar("GivenT")
ResultT = TypeVar("ResultT")


class InRuns(Generic[GivenT, ResultT]):
    """A function of a structure of arrays, run for many structures of one shape.

    Each array of what is given, and of the result, has the runs in front, `(runs, ...)`; numbers are `(runs,)`. A run's
    result is that of the function alone but for rounding, and does not depend on which others stand beside it; if it is
    `exact`, it is the one in plain floats to the last bit.
    """

    def __init__(self, function: Callable[[GivenT], ResultT], *, exact: bool = False) -> None:
        self._function, self._text = function, ExactText if exact else ArrayText
        self._lines: list[Emitted] = []

    def traced(self, given: GivenT) -> Emitted:
        """The function as it is where it is given a structure in plain floats."""
        line = emitted(self._function, given, self._text)
        self._lines = [line, *self._lines[: MOST_LINES - 1]]
        return line

    def __call__(self, given: GivenT) -> ResultT:
        """The results of all runs."""
        runs, columns = _runs(given), _columns(given)
        with np.errstate(all="ignore"):
            for line in self._lines:
                try:
                    result = line.run(columns)
                except ValueError:
                    # Of another structure than the one it takes apart.
                    continue
                if not isinstance(result, Where):
                    self._lines = [line, *(each for each in self._lines if each is not line)]
                    break
                if result.held.any():
                    return self._apart(given, result.held)
            else:
                line = self.traced(plain(picked(given, 0)))
                result = line.run(columns)
                if isinstance(result, Where):
                    return self._apart(given, result.held)
            if result is IN_ARRAYS:
                return one_by_one(self._function)(given)
            return _in_front(line.result, result, runs)

    def _apart(self, given: GivenT, held: NDArray[np.bool_]) -> ResultT:
        """The results of those runs for which a guard holds and of the others, put together again."""
        return _merged(held, self(picked(given, held)), self(picked(given, ~held)))


def one_by_one(function: Callable[[GivenT], ResultT]) -> Callable[[GivenT], ResultT]:
    """What `InRuns` makes of a function, done to each run alone in arrays: for functions that are long or of much."""

    def of_all(given: GivenT) -> ResultT:
        return stacked([function(picked(given, run)) for run in range(_runs(given))])

    return of_all


def _runs(value: Any) -> int:
    """How many runs there are."""
    return max(map(_runs, cast("tuple[Any, ...]", value)), default=0) if isinstance(value, tuple) else len(value)


def picked(given: Any, runs: int | NDArray[Any]) -> Any:
    """The structure of one run, or of some."""
    return mapped(lambda leaf: None if leaf is None else leaf[runs], given)


def _columns(given: Any) -> Any:
    """Nested tuples of `(runs,)` in the place of the tuples of numbers of a single run."""

    def columns(leaf: Any) -> Any:
        if leaf.ndim == 1:
            return leaf
        return tuple(columns(leaf[:, place]) for place in range(leaf.shape[1])) if leaf[0].size else leaf[0]

    return mapped(columns, given)


def _in_front(like: Any, result: Any, runs: int) -> Any:
    """What a line gives, with the runs in front of the shape that each array has in the traced result."""
    if isinstance(like, TracedArray) and like.size:
        columns = _flat(result)
        # Runs stand side by side in memory, as the coming tick takes them.
        table = np.empty((like.size, runs), dtype=np.result_type(*columns))
        for place, column in enumerate(columns):
            table[place] = column
        return np.moveaxis(table.reshape(*like.shape, runs), -1, 0)
    if isinstance(like, tuple):
        each = zip(cast("tuple[Any, ...]", like), result, strict=True)
        return rebuilt(like, (_in_front(*pair, runs) for pair in each))
    return None if like is None else np.broadcast_to(result, (runs, *np.shape(result)))


def _flat(value: Any) -> list[Any]:
    return [part for each in value for part in _flat(each)] if isinstance(value, tuple) else [value]


def gathered(values: Sequence[Any]) -> Any:
    """Structures in plain floats as one of arrays, with the runs in front."""
    first = values[0]
    if not isinstance(first, tuple):
        return np.array(values)
    first = cast("tuple[Any, ...]", first)
    if not hasattr(first, "_make") and numbers(first):
        column = np.fromiter(chain.from_iterable(values), np.asarray(first).dtype, len(values) * len(first))
        return column.reshape(len(values), len(first))
    return rebuilt(first, (gathered(part) for part in zip(*values, strict=True)))


def joined(parts: Sequence[Any]) -> Any:
    """Structures of several runs each as one of them all."""
    return mapped(lambda *leaves: None if leaves[0] is None else np.concatenate(leaves), *parts)


def stacked(results: list[Any]) -> Any:
    """The structures of single runs as one, with the runs in front."""
    return mapped(lambda *leaves: None if leaves[0] is None else np.stack(leaves), *results)


def _merged(held: NDArray[np.bool_], some: Any, others: Any) -> Any:
    """The results of some runs and of all others, in their order."""

    def both(one: Any, other: Any) -> Any:
        if one is None:
            return None
        merged = np.empty((len(held), *one.shape[1:]), dtype=np.result_type(one, other))
        merged[held], merged[~held] = one, other
        return merged

    return mapped(both, some, others)
