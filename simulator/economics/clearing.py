"""How far markets are from clearing, told of prices and quantities alone: the complementarity residual of `z <= 0,
p >= 0, p z = 0`, and the solution of Newton's system.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array


def bottom(floor: Array, prices: Array) -> Array:
    """Prices that count as 0, `(goods,)`: floors that only keep the numbers of a market in range which began at these
    `prices`; negative where the floor is a fact about the market, or there is none.
    """
    return np.where((floor >= 0.0) & (floor <= BOTTOM * prices), floor, -1.0)


def relative_excess_demand(
    excess_demand: Array, scale: Array, prices: Array, free: NDArray[np.bool_], nothing: Array | float = -1.0
) -> float:
    """`max_j max(z_j / s_j, p_j |z_j| / sum(p s))` over the goods whose price may move: 0 exactly at an equilibrium.

    The first part sees shortages however cheap the good, the second lets a free good lie about in any amount: also
    where all are free, as a price no higher than `nothing` `(goods,)` counts as 0 (see `bottom`).
    Infinite where demand or supply is not finite; 0 for a good that nobody wants or brings. Floating-point warnings are
    the caller's.
    """
    worth = prices @ scale
    if not np.isfinite(worth):
        return math.inf
    return market_residuals(excess_demand, scale, prices, nothing)[free].max(initial=0.0)


def market_residuals(excess_demand: Array, scale: Array, prices: Array, nothing: Array | float = -1.0) -> Array:
    """`max(z_j / s_j, p_j |z_j| / sum(p s))` of each market, `(goods,)`."""
    # The smallest numbers only keep 0/0 from arising where nobody wants or brings anything.
    shortage = excess_demand / np.maximum(scale, 1e-300)
    glut = (prices > nothing) * prices * np.abs(excess_demand) / np.maximum(prices @ scale, 1e-300)
    return np.maximum(shortage, glut)


def unit_profit_residuals(revenues: Array, costs: Array, levels: Array, worth: Array | float) -> Array:
    """`max((r_f - c_f) / max(r_f, c_f), y_f |r_f - c_f| / W)` of unit revenues, unit costs and levels, `(levels,)`: 0
    exactly where an activity earns nothing and is idle if it loses. `worth` is `W`, the value of all that is traded.
    """
    gaps, largest = revenues - costs, np.maximum(unit_turnover(revenues, costs), 1e-300)
    return np.maximum(gaps / largest, levels * np.abs(gaps) / np.maximum(worth, 1e-300))


def unit_turnover(revenues: Array, costs: Array) -> Array:
    """`max(|r|, |c|)`, what unit profits are measured by: waste may make one of them negative."""
    return np.maximum(np.abs(revenues), np.abs(costs))


BOTTOM = 1e-9
"""A floor below this part of the initial price keeps a number in range, it is no fact about the market: a price that
lies there has run away, or is that of a free good.
"""
SINGULAR = 1e-13
"""Singular values below this part of the largest are 0."""
REGULAR = 1e8
"""A matrix whose norm times its inverse's is less is far from singular, and its inverse good to eight digits."""
NEXT_TO_NOTHING = 1e-5
"""A good in glut that is worth so little, relative to all that is traded, is as good as free."""


def as_good_as_free(prices: Array, demand: Array, supply: Array) -> NDArray[np.bool_]:
    """Which goods nobody trades, or are left over and worth next to nothing, `(..., goods)`: a relative gap to their
    price says nothing.
    """
    scale = np.maximum(demand, supply)
    with np.errstate(invalid="ignore", over="ignore"):
        worth = prices * scale
        cheap = worth <= NEXT_TO_NOTHING * worth.sum(axis=-1, keepdims=True)
    return (scale == 0) | (cheap & (demand < 0.99 * supply))


def newton_displacement(jacobian: Array, excess_demand: Array, weights: Array) -> Array:
    """Change of prices `m` `(goods,)` that would clear all markets to first order, `J m = -z`, the smallest in
    `sum (m / weights)^2` where `J` `(goods, goods)` is singular.

    Rows and columns are scaled by `weights` `(goods,)`, which choose what is small. Not a number where the system is
    not finite.
    """
    system, right = weights[:, None] * jacobian * weights, -weights * excess_demand
    if not (np.isfinite(system).all() and np.isfinite(right).all()):
        return np.full(len(right), np.nan)
    inverse, regular = inverses(system)
    if regular:
        return weights * (inverse @ right)
    try:
        return weights * np.linalg.lstsq(system, right, rcond=SINGULAR)[0]
    except np.linalg.LinAlgError:
        return np.full(len(right), np.nan)


def inverses(matrices: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Inverses `(..., n, n)` of finite matrices, and which of these are far from singular, `(...)`; of others the
    inverse is no good. Many times faster than a pseudo-inverse, or least squares, which it saves where it is.
    """
    try:
        found = np.asarray(np.linalg.inv(matrices), dtype=float)
    except np.linalg.LinAlgError:
        # One that is singular spoils them all.
        return np.zeros(matrices.shape), np.zeros(matrices.shape[:-2], dtype=bool)
    return found, norm(matrices) * norm(found) < REGULAR


def norm(matrices: Array) -> Array:
    """Frobenius norm, `(..., n, n)` to `(...)`."""
    return np.sqrt((matrices**2).sum(axis=(-1, -2)))
