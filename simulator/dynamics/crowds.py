"""Cohorts of many consumers who differ, in machine code: what `consumers` says of one of them, done to all rows.

A function of `consumers` is traced for one member and run as one loop over a block. Where what it asks of prices ("is
every price above 0?") has another answer than in all traces so far, it is traced again. Where what it asks of members
has another answer for some than for the first of them, the cohort is worked out in arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.dynamics.consumers import AccountTotals, Orders, book, order, plan
from simulator.dynamics.trading import Fills
from simulator.economics.agents import Consumers
from simulator.economics.forms import Array
from simulator.economics.rows import blocks, over_blocks, sum_up
from simulator.formulas.compiled import UncompilableError
from simulator.formulas.compiled_rows import Results, RowFunction, written

FEWEST_ROWS = 257
"""Fewer members are operations of the tick, one by one."""
MOST_COURSES = 8
"""So many courses of a function are kept, those that served last."""

Course = tuple[RowFunction, Callable[..., int]]


class Crowd:
    """A cohort whose members plan, order and book in machine code, or in arrays where that cannot be."""

    def __init__(self, consumers: Consumers) -> None:
        self._consumers = consumers
        self._plan, self._order, self._book = (_OfMembers(consumers, each) for each in (_planned, _ordered, _booked))

    def plan(self, *given: Array) -> tuple[Array, float]:
        """As `consumers.plan`."""
        done = self._plan(*given)
        return (done[1][0], done[1][1]) if done else plan(self._consumers, *given)

    def order(self, *given: Array) -> Orders:
        """As `consumers.order`, without the bundles: these are worked out again where they are asked for."""
        if not (done := self._order(*given)):
            return order(self._consumers, *given)
        consumption, wanted, offered, spending = done[1]
        return Orders(consumption, wanted, offered, spending, None)

    def book(
        self, prices: Array, faced: Array, profits: Array, planned: Array, fills: Fills, *after: Array
    ) -> AccountTotals:
        """As `consumers.book`, after orders that were planned with these `profits` and dues."""
        if done := self._book(prices, faced, profits, planned, fills.purchases, fills.sales, *after):
            return AccountTotals(done[0][0], *done[1])
        bundles = order(self._consumers, prices, faced, profits, planned, after[-1]).bundles or []
        return book(self._consumers, prices, faced, bundles, fills, *after)

    def refusal(self, prices: Array, faced: Array, profits: Array, dues: Array, *, trades: bool) -> str | None:
        """Why what is asked in a tick that begins at these prices has no machine code."""
        account = np.zeros(self._consumers.size)
        try:
            if trades:
                self._order.written(prices, faced, profits, dues, account)
                self._book.written(prices, faced, profits, dues, prices, prices, profits, dues, account)
            else:
                self._plan.written(prices, faced, profits, dues, account)
        except UncompilableError as error:
            return str(error)
        return None


def _planned(member: Consumers, *given: Any) -> Results:
    return (), plan(member, *given)


def _ordered(member: Consumers, *given: Any) -> Results:
    return (), order(member, *given)[:4]


def _booked(
    member: Consumers,
    prices: Array,
    faced: Array,
    profits: Array,
    planned: Array,
    purchases: Array,
    sales: Array,
    cash_flow: Array,
    dues: Array,
    account: Array,
) -> Results:
    # What was planned is worked out again: that takes less time than to write it to memory and to read it.
    bundles = order(member, prices, faced, profits, planned, account).bundles or []
    after, *totals = book(member, prices, faced, bundles, Fills(purchases, sales, sales), cash_flow, dues, account)
    return [after], totals


class _OfMembers:
    """A function of one member, of arrays that all share and of its account, done to all members of a cohort."""

    def __init__(self, consumers: Consumers, function: Callable[..., Results]) -> None:
        self._consumers, self._function, self._courses = consumers, function, list[Course]()
        arrays: dict[int, Array] = {}
        consumers.with_rows(lambda values: arrays.setdefault(id(values), values))
        self._own = {key: values for key, values in arrays.items() if len(values) > 1}
        self._alike = {key: values for key, values in arrays.items() if len(values) == 1}
        self._tables = tuple(map(_columns, self._own.values()))

    def __call__(self, *given: Array) -> tuple[Array, list[Any]] | None:
        """Results of each member `(results, rows)`, and sums; None where not all members go the way of the first."""
        *shared, account = given
        numbers = np.concatenate([each.ravel() for each in (*self._alike.values(), *shared)])
        tables, rows = (*self._tables, _columns(account)), len(account)

        def go(course: Course, part: slice, each: Array) -> tuple[int, Array]:
            text, run = course
            sums = np.empty(text.width)
            return run(numbers, tables, each, sums, part.start, part.stop), sums

        def serves(course: Course) -> bool:
            return not go(course, slice(0, 1), np.empty((course[0].each, 1)))[0]

        try:
            course = next(filter(serves, self._courses), None) or self._course(given)
        except UncompilableError:
            return None
        self._courses = [course, *(one for one in self._courses if one is not course)][:MOST_COURSES]
        each, shapes = np.empty((course[0].each, rows)), course[0].sums
        failed, sums = zip(*over_blocks(blocks(rows), lambda part: go(course, part, each)), strict=True)
        if any(failed):
            return None
        parts = np.split(self._consumers.weight * sum_up(sums), np.cumsum([math.prod(shape) for shape in shapes])[:-1])
        return each, [part.reshape(shape)[()] for part, shape in zip(parts, shapes, strict=True)]

    def _course(self, given: tuple[Array, ...]) -> Course:
        text = self.written(*given)
        return text, text.compiled()

    def written(self, *given: Array) -> RowFunction:
        """The text of the function, traced where the first member is. Raises UncompilableError."""
        *shared, account = given

        def of_one(own: list[Any], common: list[Any]) -> Results:
            *own, account = own
            alike, common = common[: len(self._alike)], common[len(self._alike) :]
            traced = dict(zip((*self._own, *self._alike), (*own, *alike), strict=True))
            member = replace(self._consumers.with_rows(lambda values: traced[id(values)]), count=1)
            return self._function(member, *common, account)

        return written(of_one, [*self._own.values(), account], [*self._alike.values(), *shared])


def _columns(values: Array) -> Array:
    """A table of so many rows as `(columns, rows)`, to be read only."""
    columns = np.ascontiguousarray(values.reshape(len(values), -1).T, dtype=float)
    columns.setflags(write=False)
    return columns
