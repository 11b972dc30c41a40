"""Parameters of many agents: a row for each, or one row for all of them, evaluated block by block.

A cohort's parameters are arrays with a leading axis of agents. A parameter that nobody drew has one row that stands
for all (it broadcasts). Large cohorts are worked on in blocks that fit the caches, on several threads; results are
put together in the order of the blocks and so never depend on the number of threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import fields
from functools import cache, cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.traced_array import TracedArray

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

BLOCK = 32_768
"""Most rows worked on at a time: few enough for a core's cache to hold some columns of them, enough to make little of
what Python does in between.
"""

Array = NDArray[np.float64]
Part = TypeVar("Part")
Result = TypeVar("Result")


class Rows:
    """A frozen dataclass whose array fields, and fields of this kind, have a row per agent or one row for all."""

    @property
    def size(self) -> int:
        """The number of rows: the longest leading axis."""
        return self._size

    @cached_property
    def _size(self) -> int:
        return max((_length(value) for value in self._row_values()), default=1)

    def take(self, part: slice) -> Self:
        """The same for some of the rows, as views; what is one row for all stays so."""
        return self.with_rows(lambda values: values[part] if len(values) > 1 else values)

    def with_rows(self, change: Callable[[Array], Any]) -> Self:
        """The same with what `change` makes of each of its arrays."""
        changed = object.__new__(type(self))
        for name in (item.name for item in fields(self)):  # pyright: ignore[reportArgumentType]  (always a dataclass)
            value = getattr(self, name)
            if isinstance(value, Rows):
                value = value.with_rows(change)
            elif isinstance(value, np.ndarray):
                value = change(value)
            object.__setattr__(changed, name, value)
        return changed

    def _row_values(self) -> list[Any]:
        values = (getattr(self, item.name, None) for item in fields(self))  # pyright: ignore[reportArgumentType]
        return [value for value in values if isinstance(value, (Rows, np.ndarray, TracedArray))]


def _length(value: Any) -> int:
    return value.size if isinstance(value, Rows) else len(value)


def blocks(rows: int) -> list[slice]:
    """Where the blocks of so many rows lie: as few as may be, all of a size but for one row."""
    number = -(-rows // BLOCK)
    ends = [rows * block // number for block in range(number + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def over_blocks(parts: Sequence[Part], work: Callable[[Part], Result]) -> list[Result]:
    """`work` done to every part, on threads where there are several; results in the order of the parts."""
    if len(parts) == 1:
        return [work(parts[0])]
    # NumPy's error state belongs to the context, which threads do not inherit.
    here = copy_context()
    return list(_threads().map(lambda part: here.copy().run(work, part), parts))


@cache
def _threads() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(cores(), thread_name_prefix="market")


def cores() -> int:
    """How many of the processor's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_desk = threading.local()


def scratch(rows: int, goods: int) -> Array:
    """A table `(rows, goods)` to write on, stored good by good; this thread's next call hands out the same again.

    What a block needs for a moment only need not be asked of the system, which clears its pages at the price of the
    arithmetic done on them.
    """
    table: Array | None = getattr(_desk, "table", None)
    if table is None or table.size < rows * goods:
        table = _desk.table = np.empty(rows * goods)
    return table[: rows * goods].reshape(goods, rows).T


def zeros(rows: int, goods: int) -> Array:
    """A table `(rows, goods)` of zeros to read from, stored good by good, this thread's own: NumPy finds the larger of
    two tables several times faster than the larger of a table and a number.
    """
    table: Array | None = getattr(_desk, "zeros", None)
    if table is None or table.size < rows * goods:
        table = _desk.zeros = np.zeros(rows * goods)
    return table[: rows * goods].reshape(goods, rows).T


def sum_up(parts: Sequence[Any]) -> Any:
    """The sum of the parts in their order, always the same to the last bit."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
