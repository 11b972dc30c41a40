"""What a consumer wants: how much it spends at an income, and on what.

Two roads lead to a bundle. The market orders by `demand`, a closed form where there is one; the judges of a run use
`dual_demand`, from unit costs and indirect utilities. That the two agree is a test.

All that is asked of a taste follows of its `demand` and `utility`, by differences where need be. The kinds of the
language give closed forms in the place of most of these; a kind from outside need not.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.economics.differences import NUDGE, by_differences
from simulator.economics.first_order import BESIDE, ROUNDED, first_order_residual, largest
from simulator.economics.means import Array, dot, in_proportion, outer_sum
from simulator.economics.rows import Rows

SATED = 1e-290
"""A marginal utility of money no larger than this is none: the consumer is sated."""

ENOUGH = 1e-9
"""Who leaves more of its income unspent than this part has enough of all there is."""


class Taste(Rows, ABC):
    """A cohort's tastes: parameters `(rows, goods)`, or one row for all; results have a row for each income.

    Prices `p` are `(goods,)` in money per unit, incomes `m` `(n,)` in money per tick, quantities `(n, goods)` per tick.
    No price is negative. A wanted good that is free is demanded without end (unless more of it does harm), also by one
    who has no income.

    A kind gives at least `demand` and `utility`. Derivatives are central differences, good to about ten digits of a
    smooth demand. A kind with parameters is a frozen dataclass of arrays with a row for each consumer, or one row for
    all.
    """

    needs_income: bool = True
    """Whether the consumer can only spend what it earns; a quasi-linear one may have an unlimited purse (`m`
    infinite).
    """
    form: Any = None
    """The `Form` of degree one that the utility is, if it is one."""
    integrable: bool = False
    """Whether demand at given incomes is minus the gradient of `surplus`; from an unlimited purse it always is."""

    @abstractmethod
    def demand(self, prices: Array, income: Array) -> Array:
        """The best affordable bundle `x(p, m)`, `(n, goods)`: the market's road."""

    @abstractmethod
    def utility(self, quantities: Array, paid: Array) -> Array:
        """Utility of a bundle for which `paid` `(n,)` was given in money (a quasi-linear consumer's loss), `(n,)`."""

    def total_demand(self, prices: Array, income: Array) -> Array:
        """The sum of everybody's `demand`, `(goods,)`, without a table of it where that can be."""
        return self.demand(prices, income).sum(axis=0)

    def dual_demand(self, prices: Array, income: Array) -> Array:
        """The same as `demand` from unit costs or indirect utility, `(n, goods)`: the judges' road."""
        return self.demand(prices, income)

    def spending(self, prices: Array, income: Array) -> Array:
        """Planned spending `p.x(p, m)`, `(n,)`."""
        with np.errstate(invalid="ignore"):
            return np.where(prices > 0, self.demand(prices, income) * prices, 0.0).sum(axis=-1)

    def surplus(self, prices: Array, income: Array) -> Array:
        """`v` with `dv/dp = -x` at given incomes, `(n,)`, where that is integrable, else indirect utility.

        `-m ln c(p)` if homothetic; the largest `u(x) - p.x`, in money, if quasi-linear.
        """
        return self.utility(self.demand(prices, income), self.spending(prices, income))

    def expenditure(self, prices: Array, utility: Array) -> Array:
        """`e(p, u) = min { m : v(p, m) >= u }`, `(n,)`: the least money for which `utility` `(n,)` can be had at
        `prices` `(goods,)`; of who compares goods with money, a utility that counts what is left of it. Not a number
        unless a kind has a formula for it.
        """
        return np.full(len(utility), np.nan)

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        """`sum_h [dx_h/dp + dx_h/dm (dm_h/dp)']`, `(goods, goods)`, with `income_slope` `dm/dp` `(n, goods)`."""
        steps = np.diag(NUDGE * prices)
        moved = [self.total_demand(prices + step, income) - self.total_demand(prices - step, income) for step in steps]
        return np.stack(moved, axis=1) / (2 * steps.diagonal()) + outer_sum(
            self._per_money(prices, income, self.demand), income_slope
        )

    def income_effect(self, prices: Array, income: Array) -> Array:
        """`dx/dm`, `(n, goods)`."""
        return self._per_money(prices, income, self.demand)

    def marginal_utility_of_money(self, prices: Array, income: Array) -> Array:
        """`dv/dm` of indirect utility at prices and income, `(n,)`."""

        def indirect(prices: Array, income: Array) -> Array:
            return self.utility(self.demand(prices, income), self.spending(prices, income))[:, None]

        return self._per_money(prices, income, indirect)[:, 0]

    def marginal_utility(self, quantities: Array) -> Array:
        """`du/dx`, `(n, goods)`; from above where nothing of a good is consumed."""
        paid = np.zeros(len(quantities))
        return by_differences(lambda bundle: self.utility(bundle, paid), quantities)

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """`u_i x_i / (grad u . x)`, `(n, goods)`: how the worth of a bundle is imputed to its goods; rows sum to 1.

        At a kink the element of the subdifferential nearest the prices; where the quotient says nothing, a limit.
        """
        # Of nothing, in the proportions in which one unit of money is spent.
        first = self.demand(prices, np.ones(len(quantities))) * prices
        return in_proportion(quantities * self.marginal_utility(quantities), first)

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        """`grad u . x / mu`, `(n,)`, with the marginal utility of money `mu` at prices and income: what a bundle is
        worth in money at the margin.
        """

        def indirect(prices: Array, income: Array) -> Array:
            return self.surplus(prices, income)[:, None]

        gained = self._per_money(prices, income, indirect)[:, 0]
        # Who compares goods with money has paid what it spends: its last unit of money is worth 1 beside what it gains.
        return dot(self.marginal_utility(quantities), quantities) / (gained if self.needs_income else 1.0 + gained)

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """Which goods some of the cohort may want, `(goods,)`, or `()` for all: all, unless a kind knows better."""
        return np.array(True)

    @property
    def verified(self) -> bool:
        """Whether the judges take the market's demand, and verify it: true unless a kind has a dual road of its own."""
        return type(self).dual_demand is Taste.dual_demand

    def plan_residual(self, prices: Array, income: Array, bundle: Array) -> float:
        """How far planned bundles `(n, goods)` are from first-order conditions and from the budget, relative; not a
        number where `dual_demand` is a road of its own.

        What a unit is worth is compared with `mu p`; the marginal utility of money `mu` is what the goods bought are
        worth at the margin over what they cost. It is 1 for who compares goods with money and has some left.
        """
        if not self.verified:
            return math.nan
        with np.errstate(all="ignore"):
            spent = np.where(prices > 0, bundle * prices, 0.0).sum(axis=-1)
            slopes = self.marginal_utility(bundle)
            valued = np.where((prices > 0) & (bundle > 0), slopes * bundle, 0.0).sum(axis=-1)
            money, over = valued / spent, spent / income - 1.0
            if not self.needs_income:
                money = np.where(over < -ROUNDED, 1.0, np.maximum(money, 1.0))
            # Who is sated keeps the rest of its income, and so may who compares goods with money.
            full = (self.needs_income & (over < -ENOUGH) & (np.abs(money) > SATED))[:, None]
            content = ~(money > SATED) | full[:, 0] | (not self.needs_income)
            over = np.where(content, np.maximum(over, 0.0), np.abs(over))
            cost = np.where(money > SATED, money, 0.0)[:, None] * prices
            # Who has enough is judged by how far off in quantity it is: by slopes over how fast they fall.
            fall = 0.0
            if full.any():
                fall = self.marginal_utility((1.0 - BESIDE) * bundle) - self.marginal_utility((1.0 + BESIDE) * bundle)
                fall = np.where(full, fall / (2.0 * BESIDE), 0.0)
                cost = np.where(full, fall, cost)
            residual = first_order_residual(
                lambda some: self.marginal_utility(some) + fall,
                bundle,
                cost,
                self._blur(bundle, cost),
                kinked=self._kinked,
            )
        return largest(np.where(spent > 0, np.maximum(residual, np.nan_to_num(over)), 0.0))

    _kinked = True

    def _blur(self, quantities: Array, cost: Array) -> Array | float:
        """What rounding may do to a slope over a cost, `(n, goods)`."""
        height = np.abs(self.utility(quantities, np.zeros(len(quantities))))[:, None]
        return np.nan_to_num(ROUNDED * height / (NUDGE * np.where(quantities > 0, quantities, 1.0) * cost))

    @staticmethod
    def _per_money(prices: Array, income: Array, of: Callable[[Array, Array], Array]) -> Array:
        """`d of / dm`, `(n, columns)`; from above where there is no income, 0 where it has no end."""
        endless = np.isinf(income)
        money = np.where(endless, 1.0, income)
        step = NUDGE * np.where(money > 0, money, 1.0)
        more, less = money + step, np.maximum(money - step, 0.0)
        slope = (of(prices, more) - of(prices, less)) / (more - less)[:, None]
        return np.where(endless[:, None], 0.0, slope)
