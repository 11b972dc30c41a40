"""Tastes that explain purchases: forms of utility, fitted by least squares to spending shares.

With `m` spent at prices `p`, shares of goods are (`a` adds up to 1):

    cobb_douglas    w_g = a_g
    ces             w_g = a_g p_g^(1-s) / sum_j a_j p_j^(1-s)            s: elasticity of substitution
    stone_geary     w_g = p_g c_g/m + a_g (1 - sum_j p_j c_j/m)          c: subsistence, from 0 to the least bought

Shares `a` move as log ratios, the elasticity as its logarithm, subsistence as it is. The covariance of what moves is
`s^2 (J'J)^-1` with `s^2` over `T (n - 1)` less the rank, since the `n` shares of a period add up to 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.studies.estimates import NOTHING, factorised
from simulator.studies.purchase_data import Purchases

ELASTICITIES = 1e-3, 1e3
"""Between which an elasticity is looked for."""
STARTS = 1.0, 0.3, 3.0
"""Elasticities at which a search starts."""
PARTS = 0.0, 0.5, 0.9
"""Parts of the least bought that come first where a search starts."""
SETTLED = 1e-12


class Fitted(NamedTuple):
    """A form fitted to purchases: its coordinates, the sum of squared gaps of shares, and which coordinates rest at a
    bound, where they have no standard error.
    """

    u: Array
    cost: float
    held: NDArray[np.bool_]


@dataclass(frozen=True)
class TasteForm(ABC):
    """A form of utility of so many `goods`, all of which are bought at times, given by coordinates `u`: log ratios of
    shares to the first good's, then `others`.
    """

    goods: int
    name: ClassVar[str]

    @property
    def parameters(self) -> int:
        """How many numbers are free."""
        return self.goods - 1 + self.others

    @property
    @abstractmethod
    def others(self) -> int:
        """How many of them are no shares."""

    @abstractmethod
    def shares(self, u: Array, prices: Array, spent: Array) -> tuple[Array, Array]:
        """Spending shares `(periods, goods)` at prices `(periods, goods)` of who spends `spent` `(periods,)`, and their
        slopes in `u`, `(periods, goods, parameters)`.
        """

    @abstractmethod
    def starts(self, of: Purchases) -> list[Array]:
        """Coordinates from which to search."""

    def bounds(self, of: Purchases) -> tuple[Array, Array]:
        """Between which coordinates to search."""
        return np.full(self.parameters, -np.inf), np.full(self.parameters, np.inf)

    def a(self, u: Array) -> Array:
        """The shares `a`, `(goods,)`."""
        weights = np.exp(np.append(0.0, u[: self.goods - 1]))
        return weights / weights.sum()

    def numbers(self, u: Array) -> tuple[Array, Array]:
        """What is estimated, the shares `a` and then the others, and its slopes in `u`, `(numbers, parameters)`."""
        a, n = self.a(u), self.goods
        slopes = np.zeros((n + self.others, self.parameters))
        slopes[:n, : n - 1] = (np.diag(a) - np.outer(a, a))[:, 1:]
        slopes[n:, n - 1 :] = np.eye(self.others)
        return np.append(a, u[n - 1 :]), slopes

    def labels(self, goods: Sequence[str]) -> list[str]:
        """What each number that is estimated is called."""
        return [f"share.{good}" for good in goods]

    @abstractmethod
    def utility(self, numbers: Array, goods: Sequence[str]) -> dict[str, Any]:
        """The numbers as a scenario says them."""

    def fit(self, of: Purchases) -> Fitted:
        """The least sum of squared gaps between shares and those of purchases."""
        from scipy.optimize import least_squares

        observed, given, (low, high) = of.shares, (of.prices, of.spent), self.bounds(of)
        # SciPy takes steps of no length beside bounds that leave hardly any room, so what has none stays out of it.
        moves = low < high

        def whole(moved: Array) -> Array:
            u = low.copy()
            u[moves] = moved
            return u

        def gaps(moved: Array) -> Array:
            return (self.shares(whole(moved), *given)[0] - observed).ravel()

        def slopes(moved: Array) -> Array:
            return self.shares(whole(moved), *given)[1].reshape(observed.size, -1)[:, moves]

        search: Any = least_squares
        settled = {"ftol": SETTLED, "xtol": SETTLED, "gtol": SETTLED, "x_scale": "jac"}
        bounds = low[moves], high[moves]
        found = [search(gaps, start[moves], slopes, bounds, "dogbox", **settled) for start in self.starts(of)]
        best = min(found, key=lambda each: each.cost)
        held = np.ones(len(moves), dtype=bool)
        held[moves] = best.active_mask != 0
        return Fitted(whole(best.x), 2 * float(best.cost), held)


class CobbDouglas(TasteForm):
    """Spending shares that no price moves."""

    name = "cobb_douglas"

    @property
    def others(self) -> int:
        return 0

    def shares(self, u: Array, prices: Array, spent: Array) -> tuple[Array, Array]:
        a, periods = self.a(u), len(prices)
        slopes = (np.diag(a) - np.outer(a, a))[:, 1:]
        return np.broadcast_to(a, (periods, self.goods)), np.broadcast_to(slopes, (periods, *slopes.shape))

    def starts(self, of: Purchases) -> list[Array]:
        return [_log_ratios(of.shares.mean(axis=0))]

    def fit(self, of: Purchases) -> Fitted:
        """The mean of the shares, which is where the search would end."""
        (u,) = self.starts(of)
        return Fitted(u, float(np.sum((self.a(u) - of.shares) ** 2)), np.zeros(len(u), dtype=bool))

    def utility(self, numbers: Array, goods: Sequence[str]) -> dict[str, Any]:
        return {self.name: dict(zip(goods, numbers.tolist(), strict=True))}


class CES(TasteForm):
    """Goods that stand in for each other, the more the larger the elasticity: 1 is Cobb-Douglas."""

    name = "ces"

    @property
    def others(self) -> int:
        return 1

    def shares(self, u: Array, prices: Array, spent: Array) -> tuple[Array, Array]:
        elasticity, logs = np.exp(u[-1]), np.log(prices)
        weights = np.append(0.0, u[:-1]) + (1 - elasticity) * logs
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        shares = weights / weights.sum(axis=1, keepdims=True)
        slopes = shares[:, :, None] * (np.eye(self.goods) - shares[:, None, :])
        dear = shares * (logs - np.sum(shares * logs, axis=1, keepdims=True))
        return shares, np.concatenate([slopes[:, :, 1:], -elasticity * dear[:, :, None]], axis=2)

    def starts(self, of: Purchases) -> list[Array]:
        means = [np.mean(of.shares * of.prices ** (elasticity - 1), axis=0) for elasticity in STARTS]
        return [
            np.append(_log_ratios(each), np.log(elasticity)) for each, elasticity in zip(means, STARTS, strict=True)
        ]

    def bounds(self, of: Purchases) -> tuple[Array, Array]:
        low, high = super().bounds(of)
        low[-1], high[-1] = np.log(ELASTICITIES)
        return low, high

    def numbers(self, u: Array) -> tuple[Array, Array]:
        numbers, slopes = super().numbers(u)
        elasticity = np.exp(u[-1])
        slopes[-1] *= elasticity
        return np.append(numbers[:-1], elasticity), slopes

    def labels(self, goods: Sequence[str]) -> list[str]:
        return [*super().labels(goods), "elasticity"]

    def utility(self, numbers: Array, goods: Sequence[str]) -> dict[str, Any]:
        shares = dict(zip(goods, numbers[:-1].tolist(), strict=True))
        return {self.name: {"elasticity": float(numbers[-1]), "shares": shares}}


class StoneGeary(TasteForm):
    """Some of each good comes first, what money is left is spent in shares."""

    name = "stone_geary"

    @property
    def others(self) -> int:
        return self.goods

    def shares(self, u: Array, prices: Array, spent: Array) -> tuple[Array, Array]:
        a, n = self.a(u), self.goods
        each = prices / spent[:, None]
        cost = each * u[n - 1 :]
        # Who cannot pay for subsistence buys as much of it as money allows.
        total = cost.sum(axis=1)
        poor, part = total > 1, 1 / np.maximum(total, 1.0)
        left = np.where(poor, 0.0, 1 - total)
        shares = cost * part[:, None] + left[:, None] * a
        of_shares = left[:, None, None] * (np.diag(a) - np.outer(a, a))[:, 1:]
        moved = np.where(poor[:, None], shares, a)
        of_first = (each * part[:, None])[:, None, :] * (np.eye(n) - moved[:, :, None])
        return shares, np.concatenate([of_shares, of_first], axis=2)

    def starts(self, of: Purchases) -> list[Array]:
        means = _log_ratios(of.shares.mean(axis=0))
        return [np.append(means, part * of.quantities.min(axis=0)) for part in PARTS]

    def bounds(self, of: Purchases) -> tuple[Array, Array]:
        low, high = super().bounds(of)
        low[self.goods - 1 :], high[self.goods - 1 :] = 0.0, of.quantities.min(axis=0)
        return low, high

    def labels(self, goods: Sequence[str]) -> list[str]:
        return [*super().labels(goods), *(f"subsistence.{good}" for good in goods)]

    def utility(self, numbers: Array, goods: Sequence[str]) -> dict[str, Any]:
        shares, first = (dict(zip(goods, part.tolist(), strict=True)) for part in np.split(numbers, 2))
        needed = {good: amount for good, amount in first.items() if amount > 0}
        return {self.name: {"shares": shares, "subsistence": needed}}


FORMS: tuple[type[TasteForm], ...] = (CobbDouglas, CES, StoneGeary)
"""The simplest first."""


def standard_errors(form: TasteForm, fitted: Fitted, of: Purchases) -> Array:
    """Of each number that is estimated; not a number at a bound, where purchases do not tell it, or where there are no
    more purchases than numbers.
    """
    free, (numbers, slopes) = ~fitted.held, form.numbers(fitted.u)
    if not free.any():
        return np.full(len(numbers), np.nan)
    factors = factorised(form.shares(fitted.u, of.prices, of.spent)[1].reshape(-1, form.parameters)[:, free])
    freedom, moves = len(of.prices) * (form.goods - 1) - factors.rank, slopes[:, free]
    variance = fitted.cost / freedom if freedom > 0 else np.nan
    errors = np.sqrt(variance * np.einsum("ri,ij,rj->r", moves, factors.inverse, moves))
    untold = np.any(np.abs(moves @ factors.free.T) > NOTHING * np.where(numbers > 0, numbers, 1.0)[:, None], axis=1)
    untold[form.goods :] |= fitted.held[form.goods - 1 :]
    errors[untold] = np.nan
    return errors


def _log_ratios(weights: Array) -> Array:
    return np.log(weights[1:] / weights[0])
