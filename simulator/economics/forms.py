"""Functional forms of degree one: each a value and its gradient, a unit cost and its gradient.

A form serves tastes and techniques alike. Its dual comes first: `unit_cost(p)` is the least spending that buys one unit of
`value`, `unit_demand(p)` the bundle that does it, and by Shephard's lemma the second is the gradient of the first. The judges
of a run use this dual pair; the market itself orders by the closed form `demand(p, m)`. That the two roads agree is a test.

Shapes: parameters and quantities `(agents, goods)`, prices `(goods,)`, incomes `(agents,)`; `value`, `imputation` and
`unit_cost` also take many ticks at once, quantities `(ticks, agents, goods)` and prices `(ticks, 1, goods)`. Quantities are per
tick, prices in numeraire per unit. Wanted goods have a positive parameter, the others 0.
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

    def gradient(self, quantities: Array) -> Array:
        """`du/dx`, `(agents, goods)`; where wanted goods are missing it may be infinite."""
        ...

    def imputation(self, quantities: Array, prices: Array) -> Array:
        """`x_i u_i / (grad u . x)`: how the worth of a bundle is imputed to its goods, `(agents, goods)`, rows sum to 1.

        At a kink it is the element of the subdifferential nearest the prices in the value metric.
        """
        ...

    def unit_cost(self, prices: Array) -> Array:
        """`c(p) = min { p.x : u(x) = 1 }`, `(agents,)`."""
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

    Values are taken relative to their geometric mean. Where `r` times the spread is small, `log1p` of a sum of `expm1` keeps
    full precision as `r -> 0`; elsewhere the usual log-sum-exp does.
    """
    present = weights > 0
    log_values = np.where(present, log_values, 0.0)
    centre = np.sum(weights * log_values, axis=-1, keepdims=True)
    exponents = order[..., None] * np.where(present, log_values - centre, 0.0)
    near = np.max(np.abs(exponents), axis=-1) < 1.0
    highest = np.max(np.where(present, exponents.real, -np.inf), axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        small = np.log1p(np.sum(weights * np.expm1(np.where(near[..., None], exponents, 0.0)), axis=-1))
        large = highest[..., 0] + np.log(np.sum(weights * np.exp(exponents - highest), axis=-1))
        mean = np.where(near, small, large) / order
    return centre[..., 0] + np.where(order == 0.0, 0.0, mean)


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

    def gradient(self, quantities: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = self.value(quantities)[..., None] * self.shares / quantities
        return np.where(self.wanted, slopes, 0.0)

    def imputation(self, quantities: Array, prices: Array) -> Array:
        return np.broadcast_to(self.shares, quantities.shape)

    def unit_cost(self, prices: Array) -> Array:
        return np.prod((prices / np.where(self.wanted, self.shares, 1.0)) ** self.shares, axis=-1)

    def unit_demand(self, prices: Array) -> Array:
        return self.unit_cost(prices)[..., None] * np.where(self.wanted, self.shares, 0.0) / prices

    def demand(self, prices: Array, income: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            bundle = income[:, None] * self.shares / prices
        return bundle if prices.all() else np.where(self.wanted, bundle, 0.0)


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
        """The form `u = (sum_i w_i x_i^rho)^(1/rho)`, `rho = 1 - 1/s`; at `s = 1` the exponents are `w / sum w`.

        Normalising `w^s` to shares divides the utility by `(sum_i w_i^s)^(1/(1-s))`, which `scale` gives back.
        """
        elasticity, weights = np.asarray(elasticity, dtype=float), np.asarray(weights, dtype=float)
        powers = weights ** elasticity[:, None]
        with np.errstate(divide="ignore"):
            exponent = np.where(elasticity == 1.0, 0.0, 1.0 / (1.0 - elasticity))
        return cls(elasticity, powers, powers.sum(axis=-1) ** exponent)

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return self.shares > 0

    def _log_terms(self, quantities: Array) -> Array:
        """`ln(x_i / a_i)`: utility is the power mean of `x_i / a_i` of order `(s-1)/s` with weights `a_i`."""
        with np.errstate(divide="ignore"):
            return np.log(quantities) - np.log(np.where(self.wanted, self.shares, 1.0))

    def value(self, quantities: Array) -> Array:
        order = 1.0 - 1.0 / self.elasticity
        with np.errstate(invalid="ignore"):
            logarithm = _log_power_mean(self._log_terms(quantities), self.shares, order)
        missing = np.any(self.wanted & (quantities == 0), axis=-1)
        if missing.any():
            # Every good is needed where s <= 1; where s > 1 a missing one only adds nothing to the sum.
            with np.errstate(divide="ignore"):
                powers = np.where(
                    self.wanted, self.shares ** (1 / self.elasticity)[:, None] * quantities ** order[:, None], 0.0
                )
                direct = np.where(order > 0, powers.sum(axis=-1) ** (1 / order), 0.0)
            return np.where(missing, direct, np.exp(logarithm)) / self.scale
        return np.exp(logarithm) / self.scale

    def gradient(self, quantities: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = self.value(quantities)[..., None] * self.imputation(quantities, quantities) / quantities
        return np.where(self.wanted, slopes, 0.0)

    def imputation(self, quantities: Array, prices: Array) -> Array:
        order = 1.0 - 1.0 / self.elasticity
        terms = np.where(self.wanted, order[:, None] * self._log_terms(quantities), -np.inf)
        with np.errstate(invalid="ignore"):
            powers = self.shares * np.exp(terms - np.max(terms, axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)

    def unit_cost(self, prices: Array) -> Array:
        return self.scale * np.exp(_log_power_mean(np.log(prices), self.shares, 1.0 - self.elasticity))

    def unit_demand(self, prices: Array) -> Array:
        terms = np.where(self.wanted, (1.0 - self.elasticity[:, None]) * np.log(prices), -np.inf)
        powers = self.shares * np.exp(terms - np.max(terms, axis=-1, keepdims=True))
        return self.unit_cost(prices)[..., None] * powers / (powers.sum(axis=-1, keepdims=True) * prices)

    def demand(self, prices: Array, income: Array) -> Array:
        # Relative to the cheapest price no power overflows, however elastic the demand.
        relative = prices / (prices.min() or 1.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            powers = self.shares * relative ** -self.elasticity[:, None]
            bundle = powers * (income / (powers @ prices))[:, None]
        return bundle if prices.all() else np.where(self.wanted & (prices == 0), np.inf, np.nan_to_num(bundle))


@dataclass(frozen=True)
class Leontief:
    """`u(x) = min_i x_i / a_i` over the goods with `a_i > 0`: fixed proportions.

    Unit cost `a.p`, demand `a_i m / (a.p)`. At the kink a marginal value is a set; `imputation` picks from it.
    """

    coefficients: Array
    binding_tolerance = 1e-9

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

    def gradient(self, quantities: Array) -> Array:
        """One subgradient: the whole weight on the scarcest good, shared evenly where several are."""
        ratios = self._ratios(quantities)
        scarcest = ratios == ratios.min(axis=-1, keepdims=True)
        with np.errstate(divide="ignore"):
            slopes = 1.0 / (self.coefficients * scarcest.sum(axis=-1, keepdims=True))
        return np.where(scarcest, slopes, 0.0)

    def imputation(self, quantities: Array, prices: Array) -> Array:
        """Worth falls on the scarcest goods alone, among them in proportion to what they cost.

        The subdifferential is `{b : b_i = 0 off the scarcest goods, b.x = m}`; its element nearest the prices in the metric
        `sum_i (x_i/p_i) (b_i - p_i)^2` is proportional to the prices.
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
        with np.errstate(divide="ignore", invalid="ignore"):
            bundle = self.coefficients * (income / (self.coefficients @ prices))[:, None]
        return np.where(self.wanted, bundle, 0.0)


FORMS: dict[str, type[CobbDouglas] | type[CES] | type[Leontief]] = {
    "cobb_douglas": CobbDouglas,
    "ces": CES,
    "leontief": Leontief,
}
