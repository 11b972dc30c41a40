"""Slopes by central differences, for what gives none in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.economics.means import Array

NUDGE = 6e-6
"""Relative step of central differences: about the cube root of the rounding."""


def by_differences(function: Callable[[Array], Array], quantities: Array) -> Array:
    """`df/dx_i`, `(..., rows, goods)`, of a function of quantities `(..., rows, goods)` with values `(..., rows)`; from
    above where there is nothing of a good.
    """
    slopes = np.empty(quantities.shape)
    for good in range(quantities.shape[-1]):
        amount = quantities[..., good]
        above, below = quantities.copy(), quantities.copy()
        step = NUDGE * np.where(amount > 0, amount, 1.0)
        above[..., good], below[..., good] = amount + step, np.maximum(amount - step, 0.0)
        slopes[..., good] = (function(above) - function(below)) / (above[..., good] - below[..., good])
    return slopes
