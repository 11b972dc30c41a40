"""Afriat's efficiency index: how nearly purchases could be those of somebody who wants the most for the money.

At efficiency `e` period `t` is preferred to `s` if `e p_t.x_t >= p_t.x_s`: what was bought in `s` was to be had in `t`
for a part `e` of the money. The index is the supremum of `e` at which preferences have no cycle with a strict link. A
link is there, and strict, as soon as `e` is above its ratio `p_t.x_s / p_t.x_t`; so a cycle closes at its largest
ratio, and the index is the least of these over all cycles, or 1 if that is less. Source: Afriat (1973), Varian (1990).
"""

from __future__ import annotations

import numpy as np

from simulator.economics.forms import Array

CHOICES = 200
"""So many random choices on the same budgets are what an index is held against."""
ROUNDING = 1e-12
"""A ratio that is off 1 by no more is 1: bundles that cost the same."""
MOST_CELLS = 2_000_000
"""Random choices are worked out side by side up to about so many numbers."""


def efficiency(prices: Array, quantities: Array) -> Array:
    """Afriat's efficiency index `(...,)` of `quantities` `(..., periods, goods)` chosen at `prices` `(periods, goods)`.

    The transitive closure is taken of all efficiencies at once, in minima of maxima of ratios: the ratio at which the
    first cycle closes is found exactly, as by bisection over the sorted ratios.
    """
    cost = np.einsum("tg,...sg->...ts", prices, quantities)
    widest = cost / np.diagonal(cost, axis1=-2, axis2=-1)[..., None]
    widest[np.abs(widest - 1) < ROUNDING] = 1.0
    periods = np.arange(len(prices))
    widest[..., periods, periods] = np.inf
    for by in periods:
        np.minimum(widest, np.maximum(widest[..., :, by, None], widest[..., None, by, :]), out=widest)
    return np.minimum(np.diagonal(widest, axis1=-2, axis2=-1).min(axis=-1), 1.0)


def random_efficiencies(prices: Array, spent: Array, draws: np.random.Generator) -> Array:
    """The index of random choices, `(CHOICES,)`: spending shares uniform on the simplex, on budgets of prices
    `(periods, goods)` and spending `(periods,)`.
    """
    some = max(1, MOST_CELLS // len(prices) ** 2)
    found: list[Array] = []
    for first in range(0, CHOICES, some):
        count = min(some, CHOICES - first)
        shares = draws.dirichlet(np.ones(prices.shape[1]), (count, len(prices)))
        found.append(efficiency(prices, shares * spent[:, None] / prices))
    return np.concatenate(found)
