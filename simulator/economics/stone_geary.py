"""Subsistence first, the rest in shares: a linear expenditure system over any form of degree one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array, CobbDouglas, Form, Leontief
from simulator.economics.means import in_proportion, outer_sum
from simulator.economics.taste import Taste


@dataclass(frozen=True)
class StoneGeary(Taste):
    """`u(x) = h(x - g)` with `h` of degree one and `subsistence` `g` `(rows, goods)` of goods that `h` wants.

    Demand `g + (m - p.g) d ln c/dp`, indirect utility `(m - p.g) / c(p)`. Whoever cannot buy subsistence (`m < p.g`)
    buys as much of it as possible, `g m / (p.g)`, at utility 0. Of two bundles that both lack some of it the utility
    says nothing; they are valued as Leontief tastes with the amounts `g` would. Raises ValueError for subsistence of a
    good that `h` has no use for. Source: Stone (1954), Geary (1950).
    """

    taste: Form
    subsistence: Array
    below: Leontief = field(init=False, repr=False)

    def __post_init__(self) -> None:
        subsistence = np.asarray(self.subsistence, dtype=float)
        if ((subsistence > 0) & ~self.taste.wanted).any():
            raise ValueError("subsistence of a good without a share; expected a share of it too")
        object.__setattr__(self, "subsistence", subsistence)
        object.__setattr__(self, "below", Leontief(np.maximum(subsistence, 0.0)))

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return np.any(self.taste.wanted, axis=0)

    def _left(self, prices: Array, income: Array) -> Array:
        """`m - p.g`, `(n,)`: what is left beyond subsistence."""
        return income - np.einsum("ag,g->a", self.subsistence, prices)

    def demand(self, prices: Array, income: Array) -> Array:
        left = self._left(prices, income)
        bundle = self.subsistence + self.taste.demand(prices, np.maximum(left, 0.0))
        poor = left < 0
        return np.where(poor[:, None], self._part(prices, poor) * income[:, None], bundle) if poor.any() else bundle

    def _part(self, prices: Array, poor: NDArray[np.bool_]) -> Array:
        """`g / (p.g)` of the poor, `(n, goods)`, 0 of the others: what money buys below subsistence."""
        cost = np.einsum("ag,g->a", self.subsistence, prices)
        return self.subsistence * np.divide(1.0, cost, out=np.zeros(len(poor)), where=poor)[:, None]

    def dual_demand(self, prices: Array, income: Array) -> Array:
        """Roy's identity."""
        left = income - self.below.unit_cost(prices) - np.einsum("ag,g->a", np.minimum(self.subsistence, 0.0), prices)
        bundle = self.subsistence + self.taste.bought(prices, np.maximum(left, 0.0))
        poor = (left < 0)[:, None]
        return np.where(poor, self.below.bought(prices, income), bundle) if poor.any() else bundle

    def spending(self, prices: Array, income: Array) -> Array:
        return income

    def surplus(self, prices: Array, income: Array) -> Array:
        """Indirect utility `(m - p.g) / c(p)`; 0 below subsistence."""
        left = np.maximum(self._left(prices, income), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(left > 0, left / self.taste.unit_cost(prices), 0.0)

    def expenditure(self, prices: Array, utility: Array) -> Array:
        """`p.g + u c(p)`; not a number at utility 0, which anybody has who lacks subsistence."""
        cost = np.einsum("ag,g->a", self.subsistence, prices) + utility * self.taste.unit_cost(prices)
        return np.where(utility > 0, cost, np.nan)

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        left = self._left(prices, income)
        poor = left < 0
        moved = np.where(poor[:, None], 0.0, income_slope - self.subsistence)
        gradient = self.taste.log_cost_gradient(prices)
        slope = self.taste.curvature(prices, np.maximum(left, 0.0), gradient) + outer_sum(gradient, moved)
        if not poor.any():
            return slope
        part = self._part(prices, poor)
        return slope + outer_sum(part, income_slope - income[:, None] * part)

    def _beyond(self, quantities: Array) -> tuple[Array, NDArray[np.bool_]]:
        """What a bundle has beyond subsistence, `(n, goods)`, and which bundles lack some of it, `(n,)`."""
        beyond = quantities - self.subsistence
        lacks = (beyond <= 0) & (self.subsistence > 0)
        return np.maximum(beyond, 0.0), np.logical_or.reduce(lacks, axis=-1)

    def utility(self, quantities: Array, paid: Array) -> Array:
        starves = (quantities < self.subsistence).any(axis=-1)
        return np.where(starves, 0.0, self.taste.value(self._beyond(quantities)[0]))

    def _parts(self, beyond: Array, quantities: Array, prices: Array) -> Array:
        """`h_i(x - g) x_i / h(x - g)`, `(n, goods)`: marginal values count for all of a good, subsistence included."""
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = np.where((self.subsistence != 0) & (beyond > 0), quantities / beyond, 1.0)
        return self.taste.value_shares(beyond, prices) * whole

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """As the marginal values of `h`, in its shares where nothing is consumed; of a bundle that lacks subsistence as
        those of `min_i x_i/g_i`.
        """
        beyond, lacks = self._beyond(quantities)
        parts = self._parts(beyond, quantities, prices)
        parts = in_proportion(parts, self.taste.value_shares(beyond, prices))
        return np.where(lacks[:, None], self.below.value_shares(quantities, prices), parts) if lacks.any() else parts

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        """`grad h . x` times `c(p)`; of a bundle that lacks subsistence the part of it there is, times its cost."""
        beyond, lacks = self._beyond(quantities)
        worth = self.taste.value(beyond) * self.taste.unit_cost(prices)
        worth = worth * self._parts(beyond, quantities, prices).sum(axis=-1)
        if not lacks.any():
            return worth
        part = np.where(lacks, self.below.value(quantities), 0.0)
        return np.where(lacks, part * self.below.unit_cost(prices), worth)


@dataclass(frozen=True)
class StoneGearyWithCorners(StoneGeary):
    """The same with Cobb-Douglas `h` and some `g` below 0: a good that one can do without.

    With `y` to spend in shares, `p_i g_i + a_i y` is spent on each good, or nothing where that is below 0: `y` is where
    all this adds up to the income. Whoever buys of some goods only has the taste of these.
    """

    taste: CobbDouglas

    def _only(self, bought: NDArray[np.bool_]) -> StoneGeary:
        """The taste without the goods that nothing is bought of, `(n, goods)`."""
        shares = CobbDouglas(np.where(bought, self.taste.shares, 0.0))
        return StoneGeary(shares, np.where(bought, self.subsistence, 0.0))

    def _terms(self, prices: Array) -> tuple[Array, Array]:
        """`p_i g_i` and the `y` from which on a good is bought, endless for one that is not wanted, `(rows, goods)`."""
        fixed, shares = self.subsistence * prices, self.taste.shares
        with np.errstate(divide="ignore", invalid="ignore"):
            begins = np.where(fixed < 0, -fixed / shares, 0.0)
        return fixed, np.where(self.taste.wanted, begins, np.inf)

    def _bought(self, prices: Array, income: Array) -> StoneGeary:
        """Goods are left out until something would be spent on each of the others; the one wanted first stays."""
        (fixed, begins), shares = self._terms(prices), self.taste.shares
        first = begins == begins.min(axis=-1, keepdims=True)
        bought = np.broadcast_to(self.taste.wanted, (len(income), len(prices)))
        for _ in prices:
            spent = np.where(bought, shares, 0.0).sum(axis=-1)
            level = (income - np.where(bought, fixed, 0.0).sum(axis=-1)) / spent
            bought = bought & ((level[:, None] > begins) | (begins == 0) | first)
        return self._only(bought)

    def demand(self, prices: Array, income: Array) -> Array:
        return self._bought(prices, income).demand(prices, income)

    def dual_demand(self, prices: Array, income: Array) -> Array:
        """Spending is the largest of `sum p_i g_i + a_i y` over sets of goods, so `y` the least that any set asks for:
        of sets in the order in which goods are first bought.
        """
        fixed, begins = self._terms(prices)
        order = np.argsort(begins, axis=-1, kind="stable")
        costs = np.cumsum(np.take_along_axis(fixed, order, axis=-1), axis=-1)
        shares = np.cumsum(np.take_along_axis(self.taste.shares, order, axis=-1), axis=-1)
        level = np.min((income[:, None] - costs) / shares, axis=-1, keepdims=True)
        bought = (level > begins) | (begins == begins.min(axis=-1, keepdims=True)) | (self.subsistence > 0)
        return self._only(bought).dual_demand(prices, income)

    def surplus(self, prices: Array, income: Array) -> Array:
        return self.utility(self.demand(prices, income), income)

    def expenditure(self, prices: Array, utility: Array) -> Array:
        """`sum_i max(p_i g_i + a_i y, 0)`. `ln u` is the largest, over sets of goods, of `sum a_i ln(a_i y / p_i)` over
        the set and `sum a_i ln(-g_i)` over all others: `ln y` is the least that any asks for, of sets in the order in
        which goods are first bought.
        """
        (fixed, begins), shares = self._terms(prices), self.taste.shares
        order = np.argsort(begins, axis=-1, kind="stable")
        with np.errstate(all="ignore"):
            without = np.where(self.subsistence < 0, shares * np.log(-self.subsistence), 0.0)
            gained = np.where(self.taste.wanted, shares * np.log(shares / prices) - without, 0.0)
            gained, spent = (np.cumsum(np.take_along_axis(each, order, axis=-1), axis=-1) for each in (gained, shares))
            logs = (np.log(utility) - without.sum(axis=-1))[:, None] - gained
            # Goods without a corner are always bought: they come first.
            first = np.arange(len(prices)) + 1 >= np.count_nonzero(begins == 0, axis=-1)[:, None]
            level = np.exp(np.min(np.where(first, logs / spent, np.inf), axis=-1, keepdims=True))
            return np.where(utility > 0, np.maximum(fixed + shares * level, 0.0).sum(axis=-1), np.nan)

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        return self._bought(prices, income).jacobian(prices, income, income_slope)

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        """As ever, with the marginal utility of money from the goods bought: `h(x - g)` times their shares over what
        they cost beyond `g`. Of the poor it is that of somebody who can just buy subsistence.
        """
        income = np.maximum(income, (1.0 + 1e-9) * self.below.unit_cost(prices))
        some = self._bought(prices, income)
        left = income - np.einsum("ag,g->a", some.subsistence, prices)
        shares = np.where(some.taste.wanted, self.taste.shares, 0.0)
        money = self.surplus(prices, income) * shares.sum(axis=-1) / left
        beyond, lacks = self._beyond(quantities)
        gained = self.taste.value(beyond) * self._parts(beyond, quantities, prices).sum(axis=-1)
        part = np.where(lacks, self.below.value(quantities), 0.0)
        return np.where(lacks, part * self.below.unit_cost(prices), gained / money)
