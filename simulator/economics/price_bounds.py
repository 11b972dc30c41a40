"""Price controls: how low and how high the price of a good may be by law, custom or contract."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array


class PriceBounds(NamedTuple):
    """`floor <= p <= cap`, `(goods,)` each, infinite where there is none.

    A minimum wage is a floor, rent control a cap. Where a price lies at its cap and the good is short, or at its floor
    and left over, the market does not clear: its long side is rationed.
    """

    floor: Array
    cap: Array

    def project(self, prices: Array) -> Array:
        """The nearest prices within the bounds, `(..., goods)`."""
        return np.minimum(np.maximum(prices, self.floor), self.cap)


def held(prices: Array, excess_demand: Array, floor: Array, cap: Array | None) -> NDArray[np.bool_]:
    """Which prices lie at their floor without excess demand, or at their cap, if any has one, without excess supply,
    `(..., goods)`.
    """
    low = (prices <= floor) & (excess_demand <= 0.0)
    return low if cap is None else low | ((prices >= cap) & (excess_demand >= 0.0))
