"""What price rules measure excess demand by: the size `s` of each market.

Where demand moves smoothly that is `max(demand, supply)`, so that `z/s` is at most 1. Where it jumps (linear tastes,
technologies with straight parts) the mean of that pull at the right price would not be 0: demand there is now far above
supply, which counts as 1 at most, now nothing, which counts as -1. In units of a supply that does not move with prices
the mean is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.economics.economy import Economy
from simulator.economics.forms import Array


def signal_scale(economy: Economy, demand: Array, supply: Array) -> Array:
    """`s` of each market, `(..., goods)` as `demand` and `supply` are: the larger of both, or supply alone where demand
    jumps and there is any.
    """
    scale, jumping = np.maximum(demand, supply), economy.jumping
    if jumping.size:
        alone = supply[..., jumping]
        scale[..., jumping] = np.where(alone > 0, alone, scale[..., jumping])
    return scale


def without_scale(economy: Economy, fixed: NDArray[np.bool_]) -> list[int]:
    """Goods whose price may move (is not `fixed` `(goods,)`) that have no `s`: demand jumps, and supply moves with
    prices, as firms make them.
    """
    made = {*economy.jumping.tolist()} & {*economy.outlet_good.tolist()}
    return [good for good in sorted(made) if not fixed[good]]
