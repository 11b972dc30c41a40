"""Consumers who compare goods with money: `u = phi(x) + money`, with a purse that may be empty before enough is bought.

Where the purse suffices each good is bought until its marginal utility is its price, and income has no effect; else
marginal utilities are `lambda` times the prices, with the marginal utility of money `lambda > 1`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import CES, Array, CobbDouglas, Form
from simulator.economics.means import in_proportion, outer_sum
from simulator.economics.taste import Taste
from simulator.formulas.searches import array_search


@dataclass(frozen=True)
class QuasiLinear(Taste):
    """`u = sum_i w_i x_i^(1-1/e) / (1-1/e) + money` with elasticity of demand `e > 0`; `sum_i w_i ln x_i` at `e = 1`.

    Inverse demand `w_i x_i^(-1/e)`, demand `(w_i/p_i)^e` while it is affordable: spending `S = min(C c(p)^(1-e), m)` on
    CES goods of elasticity `e` with shares `w^e / C`, `C = sum_i w_i^e`, and unit cost `c`. `weights` `(rows, goods)`,
    `elasticity` `(rows,)`. Reported utility is that of the goods less what was paid.
    """

    weights: Array
    elasticity: Array = field(default_factory=lambda: np.ones(1))
    aggregator: Form = field(init=False, repr=False)
    log_level: Array = field(init=False, repr=False)
    needs_income = False
    integrable = True

    def __post_init__(self) -> None:
        weights, elasticity = np.asarray(self.weights, dtype=float), np.asarray(self.elasticity, dtype=float)
        with np.errstate(divide="ignore"):
            logs = elasticity[:, None] * np.log(weights)
        highest = logs.max(axis=-1, keepdims=True)
        portions = np.exp(logs - highest)
        logarithmic = bool((elasticity == 1.0).all())
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "elasticity", elasticity)
        object.__setattr__(self, "aggregator", CobbDouglas(weights) if logarithmic else CES(elasticity, portions))
        object.__setattr__(self, "log_level", highest[..., 0] + np.log(portions.sum(axis=-1)))

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return np.any(self.weights > 0, axis=0)

    @property
    def _logarithmic(self) -> bool:
        return isinstance(self.aggregator, CobbDouglas)

    @property
    def _exponent(self) -> Array:
        """`1 - 1/e`, `(rows, 1)`."""
        return (1.0 - 1.0 / self.elasticity)[:, None]

    def demand(self, prices: Array, income: Array) -> Array:
        if self._logarithmic:
            return self.aggregator.demand(prices, np.minimum(self.weights.sum(axis=-1), income))
        wanted = self.weights > 0
        with np.errstate(all="ignore"):
            # What is spent on a good as its price vanishes: nothing, its weight, or all there is.
            spent = self.weights * np.where(wanted, self.weights / prices, 1.0) ** (self.elasticity - 1.0)[:, None]
            bundle, affordable = spent / prices, spent.sum(axis=-1) <= income
            if not affordable.all():
                bundle = np.where(affordable[:, None], bundle, self.aggregator.demand(prices, income))
        if not prices.all():
            bundle = np.where(wanted, np.where(prices == 0, np.inf, bundle), 0.0)
        return np.broadcast_to(bundle, (len(income), len(prices)))

    def dual_demand(self, prices: Array, income: Array) -> Array:
        spent = self.spending(prices, income)
        bundle, endless = self.aggregator.bought(prices, spent), np.isinf(spent)
        if not endless.any():
            return bundle
        # Nothing is a share of boundless spending; but then every good is bought as if it were alone.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            alone = np.where(self.weights > 0, (self.weights / prices) ** self.elasticity[:, None], 0.0)
        return np.where(endless[:, None], alone, bundle)

    def spending(self, prices: Array, income: Array) -> Array:
        return np.minimum(self._enough(prices), income)

    def _log_cost(self, prices: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.log(self.aggregator.unit_cost(prices))

    def _enough(self, prices: Array) -> Array:
        """What would be spent out of a full purse: `C c^(1-e)`, `(rows,)`."""
        if self._logarithmic:
            return self.weights.sum(axis=-1)
        with np.errstate(over="ignore", invalid="ignore"):
            moved = np.where(self.elasticity == 1.0, 0.0, (1.0 - self.elasticity) * self._log_cost(prices))
            return np.exp(self.log_level + moved)

    def surplus(self, prices: Array, income: Array) -> Array:
        """The largest `phi(x) - p.x` where affordable. Where all of `m` is spent, `-m ln c(p)` as for any given money,
        joined on without a step.
        """
        cost, enough = self._log_cost(prices), self._enough(prices)
        spent = np.minimum(enough, income)
        with np.errstate(all="ignore"):
            logs = np.log(spent)
            steep = 1.0 / (self.elasticity - 1.0)
            # How far the logarithm of the unit cost is from where money begins to lack.
            beyond = np.where(enough <= income, 0.0, cost - (self.log_level - logs) * steep)
            power = spent * (steep - beyond)
            value = np.where(self.elasticity == 1.0, spent * (logs - 1.0 - cost), power)
        return np.where(spent > 0, value, 0.0)

    def expenditure(self, prices: Array, utility: Array) -> Array:
        """`u` less the surplus, while that buys enough; else `m` with `phi(x) = u` where all of it is spent."""
        enough = self._enough(prices)
        free = utility - self.surplus(prices, np.full(len(utility), np.inf))
        with np.errstate(all="ignore"):
            logs = (free - enough) / enough
            power = 1.0 - 1.0 / self.elasticity
            logs = np.where(self.elasticity == 1.0, logs, np.log(power * utility / enough) / power)
            return np.where(free >= enough, free, enough * np.exp(logs))

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        enough, gradient = self._enough(prices), self.aggregator.log_cost_gradient(prices)
        spent = np.minimum(enough, income)
        by_price = ((1.0 - self.elasticity) * spent)[:, None] * gradient
        slope = np.where((enough < income)[:, None], by_price, income_slope)
        return self.aggregator.curvature(prices, spent, gradient) + outer_sum(gradient, slope)

    def utility(self, quantities: Array, paid: Array) -> Array:
        exponent, wanted = self._exponent, self.weights > 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            of_each = np.log(quantities) if self._logarithmic else quantities**exponent / exponent
            if not self._logarithmic and (exponent == 0).any():
                of_each = np.where(exponent == 0, np.log(quantities), of_each)
            return np.sum(np.where(wanted, self.weights * of_each, 0.0), axis=-1) - paid

    def _marginal_worth(self, quantities: Array) -> Array:
        """`phi_i(x) x_i`, `(n, goods)`; 0 for a missing good whose marginal utility has no bound."""
        exponent = self._exponent
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            counts = (quantities > 0) | (exponent >= 0)
            return np.where(counts & (self.weights > 0), self.weights * quantities**exponent, 0.0)

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """In proportion to `w_i x_i^(1-1/e)`; to the weights where nothing at all is consumed."""
        if self._logarithmic:
            return self.aggregator.value_shares(quantities, prices)
        return in_proportion(self._marginal_worth(quantities), self.weights)

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        enough = self._enough(prices)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            scarcity = np.where(income < enough, (income / enough) ** (1.0 / self.elasticity), 1.0)
        return scarcity * self._marginal_worth(quantities).sum(axis=-1)


@dataclass(frozen=True)
class Quadratic(Taste):
    """`u = sum_i (a_i x_i - b_i x_i^2/2) + money`: inverse demand `a_i - b_i x_i`, demand `max(0, (a_i - p_i) / b_i)`.

    Where that costs more than `m`, demand is `max(0, (a_i - lambda p_i) / b_i)` with `lambda` such that it costs `m`: a
    piecewise linear equation, solved exactly. `intercept` and `slope` are `(rows, goods)`, 0 for unwanted goods. A free
    good is wanted up to `a/b`, and more of it is thrown away.

    With an unlimited purse demand is minus the gradient of `surplus`; with a purse that may be empty it is integrable
    no longer.
    """

    intercept: Array
    slope: Array
    needs_income = False
    integrable = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "intercept", np.asarray(self.intercept, dtype=float))
        object.__setattr__(self, "slope", np.asarray(self.slope, dtype=float))

    @property
    def _wanted(self) -> NDArray[np.bool_]:
        return (self.intercept > 0) & (self.slope > 0)

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return np.any(self._wanted, axis=0)

    @property
    def _inverse_slope(self) -> Array:
        """`1/b_i`, 0 for unwanted goods."""
        return np.divide(1.0, self.slope, out=np.zeros(self._wanted.shape), where=self._wanted)

    @array_search("the best bundle of a quasilinear taste")
    def demand(self, prices: Array, income: Array) -> Array:
        """Money flows to the goods worth most of it first, and to the next where their marginal values have fallen to
        its own: with `v = a/p`, spending at a marginal utility of money `l` is `sum_i (p_i^2/b_i) (v_i - l)+`.
        """
        wanted = (self.intercept > 0) & (self.slope > 0)
        per_unit = np.divide(prices, self.slope, out=np.zeros(wanted.shape), where=wanted)
        priced = (per_unit > 0) & (prices > 0)
        value = np.divide(self.intercept, prices, out=np.zeros(priced.shape), where=priced)
        order = np.argsort(-value, axis=-1, kind="stable")
        level = np.take_along_axis(value, order, axis=-1)
        width = np.cumsum(np.take_along_axis(np.broadcast_to(per_unit * prices, order.shape), order, axis=-1), axis=-1)
        # Spending where money is worth as much as the k-th good's first unit.
        down_to = np.cumsum(width[:, :-1] * (level[:, :-1] - level[:, 1:]), axis=-1)
        last = np.count_nonzero(down_to < income[:, None], axis=-1)[:, None]
        before = np.take_along_axis(np.pad(down_to, ((0, 0), (1, 0))), last, axis=-1)
        reached = np.take_along_axis(np.broadcast_to(level, (len(last), level.shape[1])), last, axis=-1)
        width = np.take_along_axis(np.broadcast_to(width, (len(last), width.shape[1])), last, axis=-1)
        left = np.maximum(income[:, None] - before, 0.0)
        below = np.divide(left, width, out=np.full(left.shape, np.inf), where=width > 0)
        useful = np.maximum(self.intercept - prices, 0.0)
        enough = np.divide(useful, self.slope, out=np.zeros(wanted.shape), where=wanted)
        with np.errstate(invalid="ignore"):
            scarce = per_unit * np.maximum(value - reached + below, 0.0)
        bundle = np.where(reached - below <= 1.0, enough, scarce)
        return bundle if prices.all() else np.where(prices == 0, enough, bundle)

    def dual_demand(self, prices: Array, income: Array) -> Array:
        return self._at(prices, self._money(prices, income))

    def _money(self, prices: Array, income: Array) -> Array:
        """The marginal utility of money, `(n,)`: where `sum_i (a_i - l p_i)+^2 / (2 b_i) + l m` is least over `l >= 1`.

        Minus its slope less `m` is the largest of `A_k - l B_k - m`, with the sums `A` of `p a/b` and `B` of `p^2/b`
        over the `k` goods worth most of the money.
        """
        per_unit = prices * self._inverse_slope
        value = np.divide(self.intercept, prices, out=np.zeros(per_unit.shape), where=per_unit > 0)
        order = np.argsort(-value, axis=-1, kind="stable")
        first = np.cumsum(np.take_along_axis(per_unit * self.intercept, order, axis=-1), axis=-1)
        second = np.cumsum(np.take_along_axis(per_unit * prices, order, axis=-1), axis=-1)
        lacking = first - income[:, None]
        roots = np.divide(lacking, second, out=np.zeros(lacking.shape), where=second > 0)
        return np.maximum(roots.max(axis=-1), 1.0)

    def _at(self, prices: Array, money: Array) -> Array:
        """Demand at a marginal utility of money, `(n, goods)`."""
        return np.maximum(self.intercept - money[:, None] * prices, 0.0) * self._inverse_slope

    def spending(self, prices: Array, income: Array) -> Array:
        enough = np.maximum(self.intercept - prices, 0.0) * self._inverse_slope
        return np.minimum(np.einsum("ag,g->a", enough, prices), income)

    def surplus(self, prices: Array, income: Array) -> Array:
        bundle = self.dual_demand(prices, income)
        return self.utility(bundle, np.einsum("ag,g->a", bundle, prices))

    def expenditure(self, prices: Array, utility: Array) -> Array:
        """`u` less the surplus, while that buys enough; else what is bought at a marginal utility of money `l` where
        `sum_i (a_i^2 - l^2 p_i^2)+ / (2 b_i) = u`, the largest of such sums over the goods worth most of the money.
        """
        free = utility - self.surplus(prices, np.full(len(utility), np.inf))
        value = np.divide(self.intercept, prices, out=np.full(self._wanted.shape, np.inf), where=prices > 0)
        order = np.argsort(-value, axis=-1, kind="stable")
        squares = (self.intercept**2 * self._inverse_slope, prices**2 * self._inverse_slope)
        first, second = (np.cumsum(np.take_along_axis(each, order, axis=-1), axis=-1) / 2.0 for each in squares)
        lacking = first - utility[:, None]
        roots = np.divide(lacking, second, out=np.zeros(lacking.shape), where=second > 0)
        scarce = self._at(prices, np.sqrt(np.maximum(roots.max(axis=-1), 1.0)))
        enough = np.einsum("ag,g->a", self._at(prices, np.ones(1)), prices)
        return np.where(free >= enough, free, np.einsum("ag,g->a", scarce, prices))

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        """From `p.x = m`: `d lambda/dp = (x - lambda q)' / p.q`, `d lambda/dm = -1 / p.q` with `q = p/b` of the goods
        bought.
        """
        money = self._money(prices, income)
        bundle = self._at(prices, money)
        steps = np.where(bundle > 0, self._inverse_slope, 0.0)
        weight = steps * prices
        width = np.einsum("ag,g->a", weight, prices)
        scarce = (money > 1.0) & (width > 0)
        shares = weight * np.divide(1.0, width, out=np.zeros(len(width)), where=scarce)[:, None]
        moved = income_slope - bundle + money[:, None] * weight
        return outer_sum(shares, moved) - np.diag(np.einsum("ag,a->g", steps, money))

    def utility(self, quantities: Array, paid: Array) -> Array:
        return np.sum(quantities * (self.intercept - 0.5 * self.slope * quantities), axis=-1) - paid

    def _marginal_worth(self, quantities: Array) -> Array:
        """`phi_i(x) x_i`, `(n, goods)`; nothing for more than is of use."""
        return np.maximum(self.intercept - self.slope * quantities, 0.0) * quantities

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """In proportion to `(a_i - b_i x_i)+ x_i`; to `a_i^2/b_i` where no more of anything is of use, or nothing is
        consumed.
        """
        return in_proportion(self._marginal_worth(quantities), self.intercept**2 * self._inverse_slope)

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        return self._marginal_worth(quantities).sum(axis=-1) / self._money(prices, income)
