"""Functional forms of degree one: each a value and how it is imputed to goods, a unit cost and its gradient.

A form serves tastes and techniques alike. Its dual comes first: `unit_cost(p)` is the least spending that buys one
unit of `value`, `unit_demand(p)` the bundle that does it, and by Shephard's lemma the second is the gradient of the
first. The judges of a run use this dual pair; the market itself orders by the closed form `demand(p, m)`. That the
two roads agree is a test.

Shapes: parameters and quantities `(agents, goods)`, prices `(goods,)`, incomes `(agents,)`; `value`, `imputation`
and `unit_cost` also take many ticks at once, quantities `(ticks, agents, goods)` and prices `(ticks, 1, goods)`.
Quantities are per tick, prices in numeraire per unit. Wanted goods have a positive parameter, the others 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Form(Protocol):
    """A concave function of goods, homogeneous of degree one, with its dual."""

    @property
    def elasticity(self) -> Array:
        """Elasticity of substitution of each agent, `(agents,)`."""
        ...

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """Which goods each agent has any use for, `(agents, goods)`."""
        ...

    def value(self, quantities: Array) -> Array:
        """`u(x)`, `(agents,)`."""
        ...

    def imputation(self, quantities: Array, prices: Array) -> Array:
        """`x_i u_i / (grad u . x)`: how the worth of a bundle is imputed to its goods, `(agents, goods)`, rows sum to
        1.

        At a kink it is the element of the subdifferential nearest the prices in the value metric, where wanted goods
        are missing the limit as they vanish in equal proportion.
        """
        ...

    def unit_cost(self, prices: Array) -> Array:
        """`c(p) = min { p.x : u(x) = 1 }`, `(agents,)`; 0 where something free will do."""
        ...

    def unit_demand(self, prices: Array) -> Array:
        """`dc/dp` (Shephard's lemma), `(agents, goods)`."""
        ...

    def demand(self, prices: Array, income: Array) -> Array:
        """`argmax { u(x) : p.x <= m }`, `(agents, goods)`; infinite for a wanted good that is free."""
        ...


def _normalised(parameters: Array) -> Array:
    parameters = np.asarray(parameters, dtype=float)
    return parameters / parameters.sum(axis=-1, keepdims=True)


def _log_power_mean(log_values: Array, weights: Array, order: Array) -> Array:
    """`ln (sum_i w_i v_i^r)^(1/r)` along the last axis for weights that sum to 1; `sum_i w_i ln v_i` at `r = 0`.

    Values are taken relative to their geometric mean. Where `r` times the spread is small, `log1p` of a sum of
    `expm1` keeps full precision as `r -> 0`; elsewhere the usual log-sum-exp does. A value of 0 adds nothing if `r >
    0`, else makes the mean 0.
    """
    weighs = weights > 0
    present = weighs & (log_values.real > -np.inf)
    log_values = np.where(present, log_values, 0.0)
    with np.errstate(all="ignore"):
        centre = np.sum(weights * log_values, axis=-1, keepdims=True)
        exponents = order[..., None] * np.where(present, log_values - centre, 0.0)
        near = np.max(np.abs(exponents), axis=-1) < 1.0
        exponents = np.where(present, exponents, -np.inf)
        highest = np.max(np.real(exponents), axis=-1, keepdims=True)
        # A weightless exponent of minus infinity counts as 0 in the sum of differences from 1.
        small = np.log1p(np.sum(weights * np.where(weighs & near[..., None], np.expm1(exponents), 0.0), axis=-1))
        large = highest[..., 0] + np.log(np.sum(weights * np.exp(exponents - highest), axis=-1))
        mean = centre[..., 0] + np.where(order == 0.0, 0.0, np.where(near, small, large) / order)
    vanishes = (weighs & ~present).any(axis=-1) & ((order <= 0.0) | ~present.any(axis=-1))
    return np.where(vanishes, -np.inf, mean)


def _shared_out(log_terms: Array, weights: Array) -> Array:
    """`w_i e^(l_i)` as fractions of their sum along the last axis; the largest share the whole where they are
    infinite.
    """
    highest = np.max(np.where(weights > 0, log_terms, -np.inf), axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        powers = weights * np.exp(np.where((log_terms == highest) | (weights == 0), 0.0, log_terms - highest))
    return powers / powers.sum(axis=-1, keepdims=True)


def _free_for_all(bundle: Array, wanted: NDArray[np.bool_], prices: Array) -> Array:
    """The bundle with as much as one likes of wanted goods that are free, and nothing of unwanted ones."""
    return np.where(wanted, np.where(prices == 0, np.inf, bundle), 0.0)


@dataclass(frozen=True)
class CobbDouglas:
    """`u(x) = prod_i x_i^a_i` with spending shares `a` that sum to 1 (they are normalised here).

    Demand `a_i m / p_i`; unit cost `prod_i (p_i / a_i)^a_i`.
    """

    shares: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", _normalised(self.shares))

    @property
    def elasticity(self) -> Array:
        return np.ones(len(self.shares))

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return self.shares > 0

    def value(self, quantities: Array) -> Array:
        return np.prod(quantities**self.shares, axis=-1)

    def imputation(self, quantities: Array, prices: Array) -> Array:
        return np.broadcast_to(self.shares, quantities.shape)

    def unit_cost(self, prices: Array) -> Array:
        return np.prod((prices / np.where(self.wanted, self.shares, 1.0)) ** self.shares, axis=-1)

    def unit_demand(self, prices: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            bundle = self.unit_cost(prices)[..., None] * self.shares / prices
        return bundle if prices.all() else _free_for_all(bundle, self.wanted, prices)

    def demand(self, prices: Array, income: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            bundle = income[:, None] * self.shares / prices
        return bundle if prices.all() else _free_for_all(bundle, self.wanted, prices)


@dataclass(frozen=True)
class CES:
    """`u(x) = (sum_i a_i^(1/s) x_i^((s-1)/s))^(s/(s-1)) / scale`, elasticity `s > 0`; Cobb-Douglas at `s = 1`.

    `a` are spending shares at equal prices (normalised here): demand is `a_i m p_i^-s / sum_j a_j p_j^(1-s)`. The other
    convention, `u = (sum_i w_i x_i^rho)^(1/rho)` with `s = 1/(1-rho)`, has `a_i ~ w_i^s`: see `from_weights`.
    """

    elasticity: Array
    shares: Array
    scale: Array = field(default_factory=lambda: np.ones(1))

    def __post_init__(self) -> None:
        object.__setattr__(self, "elasticity", np.asarray(self.elasticity, dtype=float))
        object.__setattr__(self, "shares", _normalised(self.shares))
        object.__setattr__(self, "scale", np.broadcast_to(np.asarray(self.scale, dtype=float), self.elasticity.shape))

    @classmethod
    def from_weights(cls, elasticity: Array, weights: Array) -> CES:
        """The form `u = (sum_i w_i x_i^rho)^(1/rho)`, `rho = 1 - 1/s`; at `s = 1` it is `prod_i x_i^(w_i / sum w)`.

        Normalising `w^s` to shares divides the utility by `(sum_i w_i^s)^(1/(1-s))`, which `scale` gives back. As `s
        -> 1` that leaves every bound if the weights do not sum to 1; there the unit of utility, which moves nothing,
        is bounded.
        """
        elasticity, weights = np.asarray(elasticity, dtype=float), np.asarray(weights, dtype=float)
        portions = _normalised(weights)
        logs = np.log(np.where(weights > 0, weights, 1.0))
        total = np.log(weights.sum(axis=-1))
        # Weights that sum to 1 but for rounding do sum to 1.
        total = np.where(np.abs(total) < 1e-14, 0.0, total)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.where(elasticity == 1.0, total, total / (1.0 - elasticity))
        log_scale = np.clip(level, -600.0, 600.0) - _log_power_mean(logs, portions, elasticity - 1.0)
        wanted = (weights > 0).astype(float)
        return cls(
            elasticity, _shared_out(elasticity[:, None] * logs, wanted), np.exp(np.clip(log_scale, -690.0, 690.0))
        )

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return self.shares > 0

    def _log_terms(self, quantities: Array) -> Array:
        """`ln(x_i / a_i)`: utility is the power mean of `x_i / a_i` of order `(s-1)/s` with weights `a_i`."""
        with np.errstate(divide="ignore"):
            return np.log(quantities) - np.log(np.where(self.wanted, self.shares, 1.0))

    def value(self, quantities: Array) -> Array:
        order = 1.0 - 1.0 / self.elasticity
        return np.exp(_log_power_mean(self._log_terms(quantities), self.shares, order)) / self.scale

    def imputation(self, quantities: Array, prices: Array) -> Array:
        order = (1.0 - 1.0 / self.elasticity)[:, None]
        with np.errstate(invalid="ignore"):
            terms = np.where(order == 0.0, 0.0, order * self._log_terms(quantities))
        return _shared_out(terms, self.shares)

    def unit_cost(self, prices: Array) -> Array:
        with np.errstate(divide="ignore"):
            return self.scale * np.exp(_log_power_mean(np.log(prices), self.shares, 1.0 - self.elasticity))

    def unit_demand(self, prices: Array) -> Array:
        return self._spend(self.unit_cost(prices), prices)

    def demand(self, prices: Array, income: Array) -> Array:
        if not prices.all():
            return self._spend(income, prices)
        # Relative to the cheapest wanted good no power overflows, however elastic demand; cheaper ones are unwanted.
        cheapest = np.where(self.wanted, prices, np.inf).min(axis=-1, keepdims=True)
        powers = self.shares * np.maximum(prices / cheapest, 1.0) ** -self.elasticity[:, None]
        return powers * (income / (powers @ prices))[:, None]

    def _spend(self, money: Array, prices: Array) -> Array:
        """What `money` buys, by the share of each good in the unit cost."""
        order = (1.0 - self.elasticity)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            spent = _shared_out(np.where(order == 0.0, 0.0, order * np.log(prices)), self.shares)
            bundle = money[..., None] * spent / prices
        return bundle if prices.all() else _free_for_all(bundle, self.wanted, prices)


@dataclass(frozen=True)
class Leontief:
    """`u(x) = min_i x_i / a_i` over the goods with `a_i > 0`: fixed proportions.

    Unit cost `a.p`, demand `a_i m / (a.p)`. At the kink a marginal value is a set; `imputation` picks from it.
    """

    coefficients: Array
    binding_tolerance = 1e-5
    """Goods so little less scarce than the scarcest count as scarce too: markets clear to a tolerance, not exactly."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficients", np.asarray(self.coefficients, dtype=float))

    @property
    def elasticity(self) -> Array:
        return np.zeros(len(self.coefficients))

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return self.coefficients > 0

    def _ratios(self, quantities: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.wanted, quantities / self.coefficients, np.inf)

    def value(self, quantities: Array) -> Array:
        return np.min(self._ratios(quantities), axis=-1)

    def imputation(self, quantities: Array, prices: Array) -> Array:
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
        return np.sum(self.coefficients * prices, axis=-1)

    def unit_demand(self, prices: Array) -> Array:
        return self.coefficients + 0.0 * prices

    def demand(self, prices: Array, income: Array) -> Array:
        cost = self.coefficients @ prices
        units = np.divide(income, cost, out=np.full(len(cost), np.inf), where=cost > 0)
        return np.multiply(self.coefficients, units[:, None], out=np.zeros(self.coefficients.shape), where=self.wanted)


FORMS: dict[str, type[CobbDouglas] | type[CES] | type[Leontief]] = {
    "cobb_douglas": CobbDouglas,
    "ces": CES,
    "leontief": Leontief,
}
