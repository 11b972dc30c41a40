"""Homothetic consumers: all they have is spent, in shares that depend on prices alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array, Form
from simulator.economics.means import outer_sum
from simulator.economics.taste import Taste


@dataclass(frozen=True)
class Homothetic(Taste):
    """`u(x)` of degree one (Cobb-Douglas, CES, Leontief, nests): all income is spent, in shares that depend on prices.

    Demand `m d ln c/dp`; the marginal utility of money is `1/c(p)`.
    """

    form: Form
    integrable = True

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return np.any(self.form.wanted, axis=0)

    def demand(self, prices: Array, income: Array) -> Array:
        return self.form.demand(prices, income)

    def total_demand(self, prices: Array, income: Array) -> Array:
        return self.form.total_demand(prices, income)

    def dual_demand(self, prices: Array, income: Array) -> Array:
        return self.form.bought(prices, income)

    def spending(self, prices: Array, income: Array) -> Array:
        return income

    def surplus(self, prices: Array, income: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(income > 0, -income * np.log(self.form.unit_cost(prices)), 0.0)

    def expenditure(self, prices: Array, utility: Array) -> Array:
        return utility * self.form.unit_cost(prices)

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        gradient = self.form.log_cost_gradient(prices)
        return self.form.curvature(prices, income, gradient) + outer_sum(gradient, income_slope)

    def income_effect(self, prices: Array, income: Array) -> Array:
        return np.broadcast_to(self.form.log_cost_gradient(prices), (len(income), len(prices)))

    def marginal_utility_of_money(self, prices: Array, income: Array) -> Array:
        return np.broadcast_to(1.0 / self.form.unit_cost(prices), income.shape)

    def utility(self, quantities: Array, paid: Array) -> Array:
        return self.form.value(quantities)

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        return self.form.value_shares(quantities, prices)

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        return self.form.value(quantities) * self.form.unit_cost(prices)

    def appraise(self, quantities: Array, prices: Array) -> tuple[Array, Array]:
        """`utility` and `value_shares` of the same bundles."""
        return self.form.appraise(quantities, prices)
