"""Functional forms of degree one: each a value and how it is imputed to goods, a unit cost and its gradient.

A form serves tastes and techniques alike. Its dual comes first: `unit_cost(p)` is the least spending that buys one
unit of `value`, `unit_demand(p)` the bundle that does it, and by Shephard's lemma the second is the gradient of the
first. The judges of a run use this dual pair; the market itself orders by the closed form `demand(p, m)`. That the
two roads agree is a test.

Shapes: parameters `(rows, goods)`, a row for each of `n` agents or one row for all; quantities `(n, goods)`, prices
`(goods,)`, incomes `(n,)`. `value`, `value_shares`, `unit_cost` and `unit_demand` also take many ticks at once,
quantities `(ticks, n, goods)` and prices `(ticks, 1, goods)`. Tables of many agents are best stored good by good
(Fortran order), and so are the results. Quantities are per tick, prices in numeraire per unit. Wanted goods have a
positive parameter, the others 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.economics.means import Array, dot, log_power_mean, log_powers, normalised, product, shared_out
from simulator.economics.rows import Rows, scratch

PRECISE_EXPONENT = 100.0
"""`e` to at most this power keeps fourteen digits."""
SMALLEST_PRICE = 1e-300
"""Its inverse can still be weighted."""


class Form(Rows, ABC):
    """A concave function of goods, homogeneous of degree one, with its dual."""

    @property
    @abstractmethod
    def wanted(self) -> NDArray[np.bool_]:
        """Which goods each agent has any use for, `(rows, goods)`."""

    @abstractmethod
    def value(self, quantities: Array) -> Array:
        """`u(x)`, `(n,)`."""

    @abstractmethod
    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """`x_i u_i / (grad u . x)`: how the worth of a bundle is imputed to its goods, `(n, goods)`, rows sum to 1.

        At a kink it is the element of the subdifferential nearest the prices in the value metric, where wanted goods
        are missing the limit as they vanish in equal proportion.
        """

    def appraise(self, quantities: Array, prices: Array) -> tuple[Array, Array]:
        """`value` and `value_shares` of the same bundles."""
        return self.value(quantities), self.value_shares(quantities, prices)

    @abstractmethod
    def unit_cost(self, prices: Array) -> Array:
        """`c(p) = min { p.x : u(x) = 1 }`, `(rows,)`; 0 where something free will do."""

    def unit_demand(self, prices: Array) -> Array:
        """`dc/dp` (Shephard's lemma), `(rows, goods)`."""
        return self.bought(prices, self.unit_cost(prices))

    def bought(self, prices: Array, money: Array) -> Array:
        """`money d ln c / dp`, `(n, goods)`: what `money` `(n,)` buys by Shephard's lemma; free goods without end, also
        for no money, as `demand` has them.
        """
        gradient = self.log_cost_gradient(prices)
        if prices.all():
            return product(gradient, money[..., None], gradient)
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(gradient), np.inf, gradient * money[..., None])

    @abstractmethod
    def demand(self, prices: Array, income: Array) -> Array:
        """`argmax { u(x) : p.x <= m }`, `(n, goods)`; infinite for a wanted good that is free."""

    def total_demand(self, prices: Array, income: Array) -> Array:
        """The sum of everybody's `demand`, `(goods,)`."""
        return self.demand(prices, income).sum(axis=0)

    def of_money(self, prices: Array) -> tuple[Array, Array]:
        """What a unit of money buys, `(rows, goods)`, and the value of that, `(rows,)`."""
        bundle = self.demand(prices, np.ones(self.size))
        return bundle, self.value(bundle)

    @abstractmethod
    def log_cost_gradient(self, prices: Array) -> Array:
        """`d ln c / dp`, `(rows, goods)`: what a unit of money buys; infinite as `demand` is."""

    @abstractmethod
    def hessian(self, prices: Array) -> Array:
        """`d2 ln c / dp2`, `(rows, goods, goods)`."""

    @abstractmethod
    def curvature(self, prices: Array, weights: Array, gradient: Array | None = None) -> Array:
        """`sum_h weights_h d2 ln c_h / dp2`, `(goods, goods)`, weights `(n,)`: never a matrix for each row. Who knows
        the `gradient` of `ln c` there hands it over.
        """


class OneElasticity(Form):
    """A form of goods alone, between any two of which there is the same elasticity of substitution `(rows,)`."""

    elasticity: Array

    def hessian(self, prices: Array) -> Array:
        return hessian_of(self.log_cost_gradient(prices), self.elasticity, prices)

    def curvature(self, prices: Array, weights: Array, gradient: Array | None = None) -> Array:
        known = self.log_cost_gradient(prices) if gradient is None else gradient
        return curvature_of(known, self.elasticity, prices, weights)


def hessian_of(gradient: Array, elasticity: Array, prices: Array) -> Array:
    """`H = -s diag(g/p) - (1-s) g g'`, `(rows, goods, goods)`: the Hessian of a `ln c` with gradient `g` and elasticity
    of substitution `s` `(rows,)`.
    """
    own = _per_price(elasticity[:, None] * gradient, prices)
    cross = (elasticity - 1.0)[:, None, None] * gradient[:, :, None] * gradient[:, None, :]
    return cross - np.where(np.eye(gradient.shape[1], dtype=bool), own[:, :, None], 0.0)


def curvature_of(gradient: Array, elasticity: Array, prices: Array, weights: Array) -> Array:
    """`sum_h weights_h H_h`, `(goods, goods)`, of such Hessians."""
    own, cross = weights * elasticity, weights * (elasticity - 1.0)
    if len(gradient) == 1:
        own, cross = own.sum(keepdims=True), cross.sum(keepdims=True)
    total = np.einsum("hi,hj->ij", product(gradient, cross[:, None]), gradient)
    return total - np.diag(_per_price(np.einsum("hi,h->i", gradient, own), prices))


def _per_price(values: Array, prices: Array) -> Array:
    """`values / p`; what is 0 stays 0 where `p` is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values == 0, 0.0, values / prices)


def _free_for_all(bundle: Array, wanted: NDArray[np.bool_], prices: Array) -> Array:
    """The bundle with as much as one likes of wanted goods that are free, and nothing of unwanted ones."""
    return np.where(wanted, np.where(prices == 0, np.inf, bundle), 0.0)


@dataclass(frozen=True)
class CobbDouglas(OneElasticity):
    """`u(x) = prod_i x_i^a_i` with spending shares `a` that sum to 1 (they are normalised here).

    Demand `a_i m / p_i`; unit cost `prod_i (p_i / a_i)^a_i`.
    """

    shares: Array
    elasticity = np.ones(1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", normalised(self.shares))

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return self.shares > 0

    def value(self, quantities: Array) -> Array:
        return np.prod(quantities**self.shares, axis=-1)

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        return np.broadcast_to(self.shares, quantities.shape)

    @cached_property
    def _log_scale(self) -> Array:
        """`-sum_i a_i ln a_i`, `(rows,)`."""
        return -dot(self.shares, np.log(np.where(self.wanted, self.shares, 1.0)))

    def unit_cost(self, prices: Array) -> Array:
        if prices.all():
            return np.exp(dot(self.shares, np.log(prices)) + self._log_scale)
        return np.exp(self._log_scale) * np.prod(prices**self.shares, axis=-1)

    def demand(self, prices: Array, income: Array) -> Array:
        bundle = product(self.shares, income[:, None])
        if prices.min() > SMALLEST_PRICE:
            return np.multiply(bundle, 1.0 / prices, out=bundle)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _free_for_all(bundle / prices, self.wanted, prices)

    def total_demand(self, prices: Array, income: Array) -> Array:
        if prices.min() > SMALLEST_PRICE:
            return np.einsum("ag,a->g", self.shares, income) / prices
        return super().total_demand(prices, income)

    def log_cost_gradient(self, prices: Array) -> Array:
        if prices.all():
            return self.shares / prices
        with np.errstate(divide="ignore", invalid="ignore"):
            return _free_for_all(self.shares / prices, self.wanted, prices)


@dataclass(frozen=True)
class CES(OneElasticity):
    """`u(x) = (sum_i a_i^(1/s) x_i^((s-1)/s))^(s/(s-1)) / scale`, elasticity `s > 0`; Cobb-Douglas at `s = 1`.

    `a` are spending shares at equal prices (normalised here): demand is `a_i m p_i^-s / sum_j a_j p_j^(1-s)`. The other
    convention, `u = (sum_i w_i x_i^rho)^(1/rho)` with `s = 1/(1-rho)`, has `a_i ~ w_i^s`: see `from_weights`.
    Elasticities `(rows,)`, shares `(rows, goods)` and scales `(rows,)` may each have one row for all.
    """

    elasticity: Array
    shares: Array
    scale: Array = field(default_factory=lambda: np.ones(1))

    def __post_init__(self) -> None:
        object.__setattr__(self, "elasticity", np.asarray(self.elasticity, dtype=float))
        object.__setattr__(self, "shares", normalised(self.shares))
        object.__setattr__(self, "scale", np.asarray(self.scale, dtype=float))

    @classmethod
    def from_weights(cls, elasticity: Array, weights: Array) -> CES:
        """The form `u = (sum_i w_i x_i^rho)^(1/rho)`, `rho = 1 - 1/s`; at `s = 1` it is `prod_i x_i^(w_i / sum w)`.

        Normalising `w^s` to shares divides the utility by `(sum_i w_i^s)^(1/(1-s))`, which `scale` gives back. As `s
        -> 1` that leaves every bound if the weights do not sum to 1; there the unit of utility, which moves nothing,
        is bounded.
        """
        elasticity, weights = np.asarray(elasticity, dtype=float), np.asarray(weights, dtype=float)
        portions = normalised(weights)
        logs = np.log(np.where(weights > 0, weights, 1.0))
        total = np.log(weights.sum(axis=-1))
        # Weights that sum to 1 but for rounding do sum to 1.
        total = np.where(np.abs(total) < 1e-14, 0.0, total)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.where(elasticity == 1.0, total, total / (1.0 - elasticity))
        log_scale = np.clip(level, -600.0, 600.0) - log_power_mean(logs, portions, elasticity - 1.0)
        shares = shared_out(product(logs, elasticity[:, None]), (weights > 0).astype(float))
        return cls(elasticity, shares, np.exp(np.clip(log_scale, -690.0, 690.0)))

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return self.shares > 0

    @cached_property
    def _steepest(self) -> np.floating[Any]:
        """The highest elasticity, 1 if all are lower."""
        return np.maximum(self.elasticity.max(), 1.0)

    def _log_terms(self, quantities: Array) -> Array:
        """`ln(x_i / a_i)`: utility is the power mean of `x_i / a_i` of order `(s-1)/s` with weights `a_i`."""
        parts = self.shares if self._all_wanted else np.where(self.wanted, self.shares, 1.0)
        with np.errstate(divide="ignore", over="ignore"):
            terms = quantities / parts
            if not np.isfinite(terms).all():
                return np.log(quantities) - np.log(parts)
            return np.log(terms, out=terms)

    @cached_property
    def _all_wanted(self) -> bool:
        return bool((self.shares > 0).all())

    def appraise(self, quantities: Array, prices: Array) -> tuple[Array, Array]:
        """At once: both come of the same powers."""
        order, terms = 1.0 - 1.0 / self.elasticity, self._log_terms(quantities)
        if not np.isfinite(terms).all():
            return super().appraise(quantities, prices)
        centre = dot(self.shares, terms)
        terms -= centre[..., None]
        terms *= order[:, None]
        if not terms.max() < PRECISE_EXPONENT:
            return super().appraise(quantities, prices)
        powers = np.expm1(terms, out=terms)
        gain = dot(self.shares, powers)
        mean = centre + np.divide(np.log1p(gain), order, out=np.zeros_like(gain), where=order != 0.0)
        powers += 1.0
        powers *= self.shares
        powers /= (1.0 + gain)[..., None]
        return np.exp(mean) / self.scale, powers

    def value(self, quantities: Array) -> Array:
        order = 1.0 - 1.0 / self.elasticity
        return np.exp(log_power_mean(self._log_terms(quantities), self.shares, order)) / self.scale

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        return shared_out(log_powers(1.0 - 1.0 / self.elasticity, self._log_terms(quantities)), self.shares)

    def unit_cost(self, prices: Array) -> Array:
        with np.errstate(divide="ignore"):
            return self.scale * np.exp(log_power_mean(np.log(prices), self.shares, 1.0 - self.elasticity))

    def demand(self, prices: Array, income: Array) -> Array:
        lowest = prices.min()
        if not lowest > 0.0:
            return self._demand_with_free_goods(prices, income)
        powers = self._powers(prices, lowest)
        return product(powers, (income / dot(powers, prices))[:, None], powers)

    def total_demand(self, prices: Array, income: Array) -> Array:
        lowest = prices.min()
        if not lowest > 0.0:
            return super().total_demand(prices, income)
        powers = self._powers(prices, lowest, scratch(self.size, len(prices)))
        return np.einsum("ag,a->g", powers, income / dot(powers, prices))

    def _demand_with_free_goods(self, prices: Array, income: Array) -> Array:
        """Beside a free good nothing is bought of substitutes (`s > 1`), of complements as if it were not there."""
        order = 1.0 - self.elasticity[:, None]
        with np.errstate(all="ignore"):
            unit = np.where(order > 0.0, prices.max(), prices.min(initial=np.inf, where=prices > 0.0))
            spent = np.where(self.wanted, self.shares * (prices / unit) ** order, 0.0)
            spent = np.where(np.isinf(spent).any(axis=-1, keepdims=True), np.isinf(spent), spent)
            bundle = income[:, None] * (spent / spent.sum(axis=-1, keepdims=True)) / prices
        return _free_for_all(bundle, self.wanted, prices)

    def _powers(self, prices: Array, lowest: np.floating[Any], table: Array | None = None) -> Array:
        """`a_i p_i^-s` in units in which none overflows, `(rows, goods)`, written to `table` if there is one."""
        if self._steepest * (np.log(prices.max()) - np.log(lowest)) < PRECISE_EXPONENT:
            powers = product(self.elasticity[:, None], np.log(lowest / prices), table)
            return product(np.exp(powers, out=powers), self.shares, powers, table)
        # Relative to the cheapest wanted good no power overflows; cheaper ones are unwanted.
        cheapest = np.where(self.wanted, prices, np.inf).min(axis=-1, keepdims=True)
        return self.shares * np.maximum(prices / cheapest, 1.0) ** -self.elasticity[:, None]

    def log_cost_gradient(self, prices: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            bundle = shared_out(log_powers(1.0 - self.elasticity, np.log(prices)), self.shares)
            bundle /= prices
        return bundle if prices.all() else _free_for_all(bundle, self.wanted, prices)


@dataclass(frozen=True)
class Leontief(OneElasticity):
    """`u(x) = min_i x_i / a_i` over the goods with `a_i > 0`: fixed proportions.

    Unit cost `a.p`, demand `a_i m / (a.p)`. At the kink a marginal value is a set; `value_shares` picks from it.
    """

    coefficients: Array
    elasticity = np.zeros(1)
    binding_tolerance = 1e-5
    """Goods so little less scarce than the scarcest count as scarce too: markets clear to a tolerance, not exactly."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficients", np.asarray(self.coefficients, dtype=float))

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return self.coefficients > 0

    def _ratios(self, quantities: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.wanted, quantities / self.coefficients, np.inf)

    def value(self, quantities: Array) -> Array:
        return np.min(self._ratios(quantities), axis=-1)

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """Worth falls on the scarcest goods alone, among them in proportion to what they cost.

        The subdifferential is `{b : b_i = 0 off the scarcest goods, b.x = m}`; its element nearest the prices in the
        metric `sum_i (x_i/p_i) (b_i - p_i)^2` is proportional to the prices.
        """
        ratios = self._ratios(quantities)
        scarcest = ratios <= ratios.min(axis=-1, keepdims=True) * (1 + self.binding_tolerance)
        cost = np.where(scarcest, np.where(self.wanted, self.coefficients, 0.0) * prices, 0.0)
        total = cost.sum(axis=-1, keepdims=True)
        even = scarcest / scarcest.sum(axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total > 0, cost / total, even)

    def unit_cost(self, prices: Array) -> Array:
        return dot(self.coefficients, prices)

    def unit_demand(self, prices: Array) -> Array:
        return self.coefficients + 0.0 * prices

    def demand(self, prices: Array, income: Array) -> Array:
        cost = dot(self.coefficients, prices)
        with np.errstate(divide="ignore", invalid="ignore"):
            bundle = product(self.coefficients, np.where(cost > 0, income / cost, np.inf)[:, None])
        return bundle if cost.all() else np.where(self.wanted, bundle, 0.0)

    def log_cost_gradient(self, prices: Array) -> Array:
        cost = self.unit_cost(prices)[..., None]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.wanted, self.coefficients / cost, 0.0)


FORMS: dict[str, type[OneElasticity]] = {"cobb_douglas": CobbDouglas, "ces": CES, "leontief": Leontief}
