"""Perfect substitutes: all money goes where a unit of money buys the most value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.economics.means import in_proportion, outer_sum
from simulator.economics.taste import Taste

TIE = 1e-12
"""Goods worth so little less than the best, relative to it, are as good as the best."""


@dataclass(frozen=True)
class Linear(Taste):
    """`u(x) = sum_i v_i x_i` with `values` `v` `(rows, goods)`: unit cost `c = min_i p_i/v_i`.

    All money goes to the goods with most value per money. Demand is a set where several are best; here they share the
    spending equally, one element of the subdifferential of `m ln c`.
    """

    values: Array
    integrable = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values, dtype=float))

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return np.any(self.values > 0, axis=0)

    def best(self, prices: Array, tolerance: float) -> NDArray[np.bool_]:
        """The goods that cost at most `1 + tolerance` times the least per unit of value, `(rows, goods)`."""
        costs = self._costs(prices)
        return costs <= costs.min(axis=-1, keepdims=True) * (1.0 + tolerance)

    def _costs(self, prices: Array) -> Array:
        """`p_i / v_i`, `(rows, goods)`, infinite for unwanted goods."""
        wanted = self.values > 0
        return np.divide(prices, self.values, out=np.full(wanted.shape, np.inf), where=wanted)

    def unit_cost(self, prices: Array) -> Array:
        """`c(p) = min_i p_i / v_i`, `(rows,)`; 0 where something free will do."""
        return self._costs(prices).min(axis=-1)

    def demand(self, prices: Array, income: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(self.values > 0, self.values / prices, 0.0)
            best = value >= value.max(axis=-1, keepdims=True) * (1.0 - TIE)
            bundle = np.where(best, income[:, None] / (prices * best.sum(axis=-1, keepdims=True)), 0.0)
        return bundle if prices.all() else np.where(best & (prices == 0), np.inf, bundle)

    def dual_demand(self, prices: Array, income: Array) -> Array:
        """`m/c` units of utility, a unit of it made of the best goods."""
        bundle = self._bought(prices)
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(bundle), np.inf, income[:, None] * bundle)

    def _bought(self, prices: Array) -> Array:
        """What a unit of money buys, `(rows, goods)`."""
        best = self.best(prices, TIE)
        with np.errstate(divide="ignore", invalid="ignore"):
            units = 1.0 / (self.unit_cost(prices) * best.sum(axis=-1))
            return np.where(best, units[:, None] / self.values, 0.0)

    def spending(self, prices: Array, income: Array) -> Array:
        return income

    def surplus(self, prices: Array, income: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(income > 0, -income * np.log(self.unit_cost(prices)), 0.0)

    def expenditure(self, prices: Array, utility: Array) -> Array:
        return utility * self.unit_cost(prices)

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        """At the spending shares of the moment: which goods are best does not change with small prices' changes."""
        bundle = self._bought(prices)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(bundle > 0, bundle / prices, 0.0)
        return outer_sum(bundle, income_slope) - np.diag(np.sum(income[:, None] * own, axis=0))

    def utility(self, quantities: Array, paid: Array) -> Array:
        return np.sum(self.values * quantities, axis=-1)

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """In proportion to `v_i x_i`; to the values where nothing of use is consumed."""
        return in_proportion(self.values * quantities, self.values)

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        return self.utility(quantities, income) * self.unit_cost(prices)
