"""What a consumer wants: how much it spends at an income, and on what.

Two roads lead to a bundle. The market orders by `demand`, a closed form where there is one; the judges of a run use
`dual_demand`, from unit costs and indirect utilities. That the two agree is a test.

A homothetic consumer spends all it has, in shares that depend on prices alone; a quasi-linear one compares goods with
money and stops where money is worth more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from simulator.economics.duality import bought, outer_sum
from simulator.economics.forms import CES, Array, Form
from simulator.economics.taste import Taste


class Utility(Protocol):
    """A cohort's tastes: parameters `(rows, goods)`, or one row for all; results have a row for each income.

    Prices `p` are `(goods,)` in money per unit, incomes `m` `(n,)` in money per tick, quantities `(n, goods)` per tick.
    No price is negative. A wanted good that is free is demanded without end (unless more of it does harm), also by one
    who has no income.
    """

    @property
    def needs_income(self) -> bool:
        """Whether the consumer can only spend what it earns; a quasi-linear one may have an unlimited purse (`m`
        infinite).
        """
        ...

    @property
    def form(self) -> Form | None:
        """The form of degree one that the utility is, if it is one."""
        ...

    @property
    def integrable(self) -> bool:
        """Whether demand at given incomes is minus the gradient of `surplus`; from an unlimited purse it always is."""
        ...

    @property
    def size(self) -> int:
        """The number of rows of its parameters, 1 if all are alike."""
        ...

    def take(self, part: slice) -> Self:
        """The tastes of some of the rows, as views."""
        ...

    def demand(self, prices: Array, income: Array) -> Array:
        """The best affordable bundle `x(p, m)`, `(n, goods)`: the market's road."""
        ...

    def total_demand(self, prices: Array, income: Array) -> Array:
        """The sum of everybody's `demand`, `(goods,)`, without a table of it where that can be."""
        ...

    def dual_demand(self, prices: Array, income: Array) -> Array:
        """The same from unit costs or indirect utility, `(n, goods)`: the judges' road."""
        ...

    @property
    def verified(self) -> bool:
        """Whether `dual_demand` is the market's own road, so that what is planned must be verified."""
        ...

    def plan_residual(self, prices: Array, income: Array, bundle: Array) -> float:
        """How far bundles `(n, goods)` are from first-order conditions and from the budget, relative; not a number
        where `dual_demand` is a road of its own.
        """
        ...

    def spending(self, prices: Array, income: Array) -> Array:
        """Planned spending `p.x(p, m)`, `(n,)`."""
        ...

    def surplus(self, prices: Array, income: Array) -> Array:
        """`v` with `dv/dp = -x` at given incomes, `(n,)`, where that is integrable, else indirect utility.

        `-m ln c(p)` if homothetic; the largest `u(x) - p.x`, in money, if quasi-linear.
        """
        ...

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        """`sum_h [dx_h/dp + dx_h/dm (dm_h/dp)']`, `(goods, goods)`, with `income_slope` `dm/dp` `(n, goods)`."""
        ...

    def utility(self, quantities: Array, paid: Array) -> Array:
        """Utility of a bundle for which `paid` `(n,)` was given in money (a quasi-linear consumer's loss), `(n,)`."""
        ...

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """`u_i x_i / (grad u . x)`, `(n, goods)`: how the worth of a bundle is imputed to its goods; rows sum to 1.

        At a kink the element of the subdifferential nearest the prices; where the quotient says nothing, a limit.
        """
        ...

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        """`grad u . x / mu`, `(n,)`, with the marginal utility of money `mu` at prices and income: what a bundle is
        worth in money at the margin.
        """
        ...


@dataclass(frozen=True)
class Homothetic(Taste):
    """`u(x)` of degree one (Cobb-Douglas, CES, Leontief, nests): all income is spent, in shares that depend on prices.

    Demand `m d ln c/dp`; the marginal utility of money is `1/c(p)`.
    """

    form: Form
    integrable = True

    def demand(self, prices: Array, income: Array) -> Array:
        return self.form.demand(prices, income)

    def total_demand(self, prices: Array, income: Array) -> Array:
        return self.form.total_demand(prices, income)

    def dual_demand(self, prices: Array, income: Array) -> Array:
        return bought(self.form, prices, income)

    def spending(self, prices: Array, income: Array) -> Array:
        return income

    def surplus(self, prices: Array, income: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(income > 0, -income * np.log(self.form.unit_cost(prices)), 0.0)

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        return self.form.curvature(prices, income) + outer_sum(self.form.log_cost_gradient(prices), income_slope)

    def utility(self, quantities: Array, paid: Array) -> Array:
        return self.form.value(quantities)

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        return self.form.value_shares(quantities, prices)

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        return self.form.value(quantities) * self.form.unit_cost(prices)

    def appraise(self, quantities: Array, prices: Array) -> tuple[Array, Array]:
        """`utility` and `value_shares` of the same bundles."""
        if isinstance(self.form, CES):
            return self.form.appraise(quantities, prices)
        return self.form.value(quantities), self.form.value_shares(quantities, prices)
