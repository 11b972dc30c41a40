"""Subsistence first, the rest in shares: a linear expenditure system over any form of degree one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array, Form, Leontief
from simulator.economics.means import outer_sum
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
        object.__setattr__(self, "below", Leontief(subsistence))

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
        left = income - self.below.unit_cost(prices)
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
        return np.maximum(beyond, 0.0), np.any(lacks, axis=-1)

    def utility(self, quantities: Array, paid: Array) -> Array:
        starves = (quantities < self.subsistence).any(axis=-1)
        return np.where(starves, 0.0, self.taste.value(self._beyond(quantities)[0]))

    def _parts(self, beyond: Array, quantities: Array, prices: Array) -> Array:
        """`h_i(x - g) x_i / h(x - g)`, `(n, goods)`: marginal values count for all of a good, subsistence included."""
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = np.where((self.subsistence > 0) & (beyond > 0), quantities / beyond, 1.0)
        return self.taste.value_shares(beyond, prices) * whole

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """As the marginal values of `h`; of a bundle that lacks subsistence as those of `min_i x_i/g_i`."""
        beyond, lacks = self._beyond(quantities)
        parts = self._parts(beyond, quantities, prices)
        parts = parts / parts.sum(axis=-1, keepdims=True)
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
