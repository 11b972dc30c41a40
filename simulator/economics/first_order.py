"""Whether a plan is a best one: first-order conditions and the budget, where nobody plans by a second road.

What the last unit used of something is worth is no less than it costs, and what one more would be worth no more. Where
worth is smooth both are the same, and the residual is `|p f_i / w_i - 1|`; at a kink the price lies between them; of
what is not used at all only the second holds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.economics.means import Array

BESIDE = 1e-5
"""How far beside a possible kink the last and the next unit are looked at, relative to the quantity. Wider than the
differences by which a kind from outside is differentiated.
"""
ROUNDED = 1e-15
"""What a difference of two numbers may be off by, relative to them."""


def first_order_residual(
    worth: Callable[[Array], Array], quantities: Array, cost: Array, noise: Array | float = 0.0, *, kinked: bool
) -> Array:
    """The largest relative residual of each row's first-order conditions, `(rows,)`, at `quantities` `(rows, goods)`.

    `worth` of quantities is what a unit more of each is worth there, `(rows, goods)`, and `cost` what it costs. What
    is free, endless or has no number is left out; `noise` is what rounding may have done to `worth / cost`.
    """
    last = further = worth(quantities)
    if kinked:
        last, further = last.copy(), further.copy()
        for good in range(quantities.shape[-1]):
            for side, found in ((1.0 - BESIDE, last), (1.0 + BESIDE, further)):
                beside = quantities.copy()
                beside[:, good] *= side
                found[:, good] = worth(beside)[:, good]
    with np.errstate(all="ignore"):
        gap = np.where(quantities > 0, np.maximum(1.0 - last / cost, further / cost - 1.0), further / cost - 1.0)
        gap = np.where(np.isfinite(quantities) & (cost > 0) & ~np.isnan(gap), gap - noise, 0.0)
    return np.maximum(gap.max(axis=-1, initial=0.0), 0.0)


def largest(residuals: Array) -> float:
    """The largest of the residuals; 0 of none."""
    return residuals.max(initial=0.0)


def misfit(made: Array, planned: Array) -> Array:
    """How far planned outputs `(rows,)` are from what is `made` of the inputs, relative; 0 where one is endless."""
    with np.errstate(all="ignore"):
        gap = np.abs(made - planned) / np.maximum(np.abs(made), np.abs(planned))
    return np.where(np.isfinite(gap), gap, 0.0)
