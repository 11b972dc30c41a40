"""Who an economy is made of: entries of firms, and cohorts of consumers with a row for each or one for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.economics.behaviour import Behaviour, BestResponse
from simulator.economics.forms import Array
from simulator.economics.rows import Rows, blocks

if TYPE_CHECKING:
    from simulator.economics.taste import Taste
    from simulator.economics.technology import Technology
    from simulator.economics.traders import Trader
    from simulator.economics.transformation import CET


NO_DUES = np.zeros(0)
"""What stands for dues where there are neither taxes nor transfers."""


@dataclass(frozen=True)
class Firm:
    """One entry of `count` firms: a technology, the goods it makes, the goods it uses (indices, in the technology's
    order), and how it plans. Firms that are all alike are one row of the technology, which stands for them together.

    Several goods are made jointly: a unit of output is `yields` units of each of `outputs` (one of each, unless said),
    or what a `transformation` makes of it at going prices.
    """

    name: str
    technology: Technology
    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    count: int = 1
    behaviour: Behaviour = field(default_factory=BestResponse)
    yields: tuple[float, ...] = ()
    transformation: CET | None = None

    @cached_property
    def rows(self) -> int:
        """How many rows of outputs and inputs the entry takes."""
        return self.technology.size

    @cached_property
    def products(self) -> tuple[tuple[int, float], ...]:
        """The goods that a unit of output is, with how much of each."""
        return tuple(zip(self.outputs, self.yields or (1.0,) * len(self.outputs), strict=True))

    @cached_property
    def levels(self) -> int:
        """How many activity levels the entry has: one for each row if returns are constant."""
        return self.rows if self.technology.constant_returns else 0

    @cached_property
    def traded(self) -> NDArray[np.intp]:
        """The goods made, then those used, `(outlets + inputs,)`."""
        return np.array([*self.outputs, *self.inputs], dtype=np.intp)

    @cached_property
    def sides(self) -> NDArray[np.intp]:
        """Of each good traded, `(outlets + inputs,)`: 0 if it is a part of the output, else the input's number from 1
        on.
        """
        return np.array([0] * len(self.outputs) + list(range(1, 1 + len(self.inputs))), dtype=np.intp)


@dataclass(frozen=True)
class Consumers(Rows):
    """One entry of `count` consumers; what differs among them has a row each, what does not has one row.

    `endowment` `(rows, goods)` arrives every tick, and where it is below 0 has to be delivered; `budget` `(rows,)` is
    money per tick, infinite for a quasi-linear consumer with an unlimited purse; `owns` `(rows, firm entries)` are one
    consumer's shares of the profit of all firms of an entry; `saves` keeps what is unspent of a budget; who `has_dues`
    receives revenue of taxes, or receives or pays transfers; a `trader` trades contracts on an event.
    """

    name: str
    utility: Taste
    endowment: Array
    budget: Array
    owns: Array
    count: int = 1
    saves: bool = False
    has_dues: bool = False
    trader: Trader | None = None

    @cached_property
    def weight(self) -> float:
        """How many consumers a row stands for."""
        return self.count / self.size

    @cached_property
    def blocks(self) -> tuple[tuple[slice, Consumers], ...]:
        """The cohort in blocks of rows that fit the caches, with their places."""
        if self.size == 1:
            return ((slice(0, 1), self),)
        return tuple((part, self.take(part)) for part in blocks(self.size))

    @cached_property
    def unlimited(self) -> bool:
        """Whether the purse is never empty (quasi-linear without a budget)."""
        return bool(np.isinf(self.budget).all())

    @cached_property
    def earns(self) -> NDArray[np.bool_]:
        """Who owns goods or firms, or has dues, `(rows,)`: their income depends on prices."""
        earns = self.endowment.any(axis=1) | self.owns.any(axis=1) | self.has_dues
        return np.broadcast_to(earns, (self.size,))

    @cached_property
    def total_endowment(self) -> Array:
        """What arrives every tick with all of them together, `(goods,)`."""
        return self.total(self.endowment)

    @cached_property
    def owed(self) -> Array:
        """What all of them have to deliver every tick, `(goods,)`."""
        return self.total(np.maximum(-self.endowment, 0.0))

    @cached_property
    def total_owned(self) -> Array:
        """The shares of each firm entry's profit that all of them own together, `(firm entries,)`."""
        return self.total(self.owns)

    def total(self, values: Array) -> Array:
        """The sum over all consumers of `values` with a row each, or one row for all."""
        return values.sum(axis=0) * (self.count / len(values))

    def income(self, prices: Array, profits: Array, account: Array | float = 0.0, dues: Array = NO_DUES) -> Array:
        """`m = max(0, p.e + shares of profits + budget + account + dues)`, `(rows,)`; see `dues`."""
        income = self.own_income(prices, profits, account)
        if len(dues):
            income = income + self.dues(dues, self.own_income(prices, profits))
        return np.maximum(income, 0.0, out=income)

    def dues(self, terms: Array, own: Array) -> Array:
        """What taxes and transfers add to each purse beside its `own` income, `(rows,)`, by `Fiscal.terms`, nothing by
        none; a purse without end passes nothing on.
        """
        if not len(terms):
            return np.zeros(len(own))
        amount, gives = terms
        return amount - gives * (np.zeros(len(own)) if self.unlimited else own)

    def own_income(self, prices: Array, profits: Array, account: Array | float = 0.0) -> Array:
        """`p.e + shares of profits + budget + account`, `(rows,)`, before taxes and transfers."""
        income = np.einsum("ag,g->a", self.endowment, prices)
        if len(income) < self.size:
            income = np.repeat(income, self.size)
        income += self.budget
        income += account
        if len(profits):
            income += np.einsum("af,f->a", self.owns, profits)
        return income

    def income_slope(self, income: Array, profit_slopes: Array) -> Array:
        """`dm/dp` of each, `(rows, goods)`; `profit_slopes` `(firm entries, goods)`; 0 where there is no income."""
        slope = self.endowment + np.einsum("af,fg->ag", self.owns, profit_slopes)
        return np.where((income > 0)[:, None], slope, 0.0)
