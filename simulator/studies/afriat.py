"""Afriat's efficiency index: how nearly purchases could be those of somebody who wants the most for the money.

At efficiency `e` period `t` is preferred to `s` if `e p_t.x_t >= p_t.x_s`: what was bought in `s` was to be had in `t`
for a part `e` of the money. The index is the supremum of `e` at which preferences have no cycle with a strict link. A
link is there, and strict, as soon as `e` is above its ratio `p_t.x_s / p_t.x_t`; so a cycle closes at its largest
ratio, and the index is the least of these over all cycles, or 1 if that is less. Source: Afriat (1973), Varian (1990).
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from simulator.economics.forms import Array

CHOICES = 200
"""So many random choices on the same budgets are what an index is held against."""
ROUNDING = 1e-12
"""A ratio that is off 1 by no more is 1: bundles that cost the same."""
FEW = 64
"""With more periods, bisection is faster than the closure."""
MOST_CELLS = 2_000_000
"""Random choices are worked out side by side up to about so many numbers."""


def efficiency(prices: Array, quantities: Array) -> Array:
    """Afriat's efficiency index `(...,)` of `quantities` `(..., periods, goods)` chosen at `prices` `(periods, goods)`.

    Of few periods the transitive closure is taken of all efficiencies at once, in minima of maxima of ratios, which
    finds the ratio at which the first cycle closes; of more that ratio is found by bisection over the sorted ratios.
    """
    cost = np.einsum("tg,...sg->...ts", prices, quantities)
    ratios = cost / np.diagonal(cost, axis1=-2, axis2=-1)[..., None]
    ratios[np.abs(ratios - 1) < ROUNDING] = 1.0
    periods = np.arange(len(prices))
    ratios[..., periods, periods] = np.inf
    if len(periods) > FEW:
        several = ratios.reshape(-1, *ratios.shape[-2:])
        return np.reshape([_first_cycle(each) for each in several], ratios.shape[:-2])
    for by in periods:
        np.minimum(ratios, np.maximum(ratios[..., :, by, None], ratios[..., None, by, :]), out=ratios)
    return np.minimum(np.diagonal(ratios, axis1=-2, axis2=-1).min(axis=-1), 1.0)


def _first_cycle(ratios: Array) -> float:
    """The least ratio at which links, of ratios `(periods, periods)` up to it, close a cycle, or 1: links do if not
    every period is a strong component of its own.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    of_two = min(float(np.maximum(ratios, ratios.T).min()), 1.0)
    links = np.nonzero(ratios < of_two)
    lengths = ratios[links]
    steps = np.append(np.unique(lengths), of_two)

    def closes(step: float) -> bool:
        some = lengths <= step
        graph = csr_array((np.ones(some.sum()), [each[some] for each in links]), shape=ratios.shape)
        return connected_components(graph, connection="strong", return_labels=False) < len(ratios)

    return float(steps[bisect_left(steps[:-1], True, key=closes)])


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
