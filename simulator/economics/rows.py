"""Parameters of many agents: a row for each, or one row for all of them, evaluated block by block.

A cohort's parameters are arrays with a leading axis of agents. A parameter that nobody drew has one row that stands
for all (it broadcasts). Large cohorts are worked on in blocks that fit the caches, on several threads; results are
put together in the order of the blocks and so never depend on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import fields
from functools import cache
from typing import Any, Self, TypeVar

import numpy as np

BLOCK = 16_384
"""Rows worked on at a time: a few columns of them fit a core's cache."""

Part = TypeVar("Part")
Result = TypeVar("Result")


class Rows:
    """A frozen dataclass whose array fields, and fields of this kind, have a row per agent or one row for all."""

    @property
    def size(self) -> int:
        """The number of rows: the longest leading axis."""
        return max((_length(value) for value in self._row_values()), default=1)

    def rows(self, part: slice) -> Self:
        """The same for some of the rows, as views; what is one row for all stays so."""
        taken = object.__new__(type(self))
        for name in (item.name for item in fields(self)):  # pyright: ignore[reportArgumentType]  (always a dataclass)
            value = getattr(self, name)
            if isinstance(value, Rows):
                value = value.rows(part)
            elif isinstance(value, np.ndarray) and len(value) > 1:
                value = value[part]
            object.__setattr__(taken, name, value)
        return taken

    def _row_values(self) -> list[Any]:
        values = (getattr(self, item.name, None) for item in fields(self))  # pyright: ignore[reportArgumentType]
        return [value for value in values if isinstance(value, (Rows, np.ndarray))]


def _length(value: Any) -> int:
    return value.size if isinstance(value, Rows) else len(value)


def blocks(rows: int) -> list[slice]:
    """Where the blocks of so many rows lie."""
    return [slice(start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK)]


def over_blocks(parts: Sequence[Part], work: Callable[[Part], Result]) -> list[Result]:
    """`work` done to every part, on threads where there are several; results in the order of the parts."""
    if len(parts) == 1:
        return [work(parts[0])]
    # NumPy's error state belongs to the context, which threads do not inherit.
    here = copy_context()
    return list(_threads().map(lambda part: here.copy().run(work, part), parts))


@cache
def _threads() -> ThreadPoolExecutor:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ThreadPoolExecutor(max(1, count or 1), thread_name_prefix="market")


def sum_up(parts: Sequence[Any]) -> Any:
    """The sum of the parts in their order, always the same to the last bit."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
