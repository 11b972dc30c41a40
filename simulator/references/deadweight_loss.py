"""What is lost in a market that is held off its clearing price, by the areas of a textbook."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.economics.economy import Economy
from simulator.references.served import Plans, planned

OFF = 1e-6
"""So small a part of what is used is nobody's loss."""
NODES, FARTHEST = 64, 40
"""Of Gauss's quadrature; so many powers of e prices are looked for."""


def deadweight_loss(economy: Economy, plans: Plans, good: int, used: float) -> float:
    """`integral of (marginal value - marginal cost) dq` from the quantity `used` to that at which both meet, in money.

    Marginal value is the price at which so much is demanded, marginal cost that at which so much is supplied, all other
    prices, levels and accounts as they are in `plans`: the triangle of Harberger (1954) and Marshall. Who gets what is
    used is not asked: that a good may go to others than those who value it most is not counted. Not a number where no
    price clears the market, or makers of constant returns have no marginal cost of their own.
    """
    if np.isin(economy.outlet_firm[economy.outlet_good == good], economy.level_firm).any():
        return np.nan
    curves = _Curves(economy, plans, good)
    clears = curves.crossing(float(plans.prices[good]), lambda demand, supply: demand - supply)
    if not np.isfinite(clears):
        return np.nan
    if curves(clears)[0] <= used * (1.0 + OFF):
        return 0.0
    highest = curves.crossing(clears, lambda demand, _: demand - used)
    lowest = curves.crossing(clears, lambda _, supply: used - supply)
    return curves.area(1, lowest, clears, used) + curves.area(0, clears, highest, used)


class _Curves:
    """Planned demand and supply of a good as functions of its price, all else as it is."""

    def __init__(self, economy: Economy, plans: Plans, good: int) -> None:
        self._economy, self._plans, self._good = economy, plans, good

    def __call__(self, price: float) -> tuple[float, float]:
        plans, prices = self._plans, self._plans.prices.copy()
        prices[self._good] = price
        there = planned(self._economy, prices, plans.levels, plans.purses)
        return float(there.demand[self._good]), float(there.supply[self._good])

    def crossing(self, price: float, gap: Callable[[float, float], float]) -> float:
        """The price at which a gap of both that falls is 0, from a price on, up or down; 0 if it is below 0 however
        low the price, not a number if above however high.
        """
        from scipy.optimize import brentq

        def at(logarithm: float) -> float:
            return gap(*self(float(np.exp(logarithm))))

        here = float(np.log(price))
        way = 1.0 if at(here) > 0 else -1.0
        for _ in range(FARTHEST):
            if at(here + way) * way <= 0:
                found: float = brentq(at, *sorted((here, here + way)), xtol=1e-14)  # pyright: ignore
                return float(np.exp(found))
            here += way
        return np.nan if way > 0 else 0.0

    def area(self, side: int, low: float, high: float, used: float) -> float:
        """The integral of demand (0) or supply (1) less what is used over prices."""
        places, weights = np.polynomial.legendre.leggauss(NODES)
        at = 0.5 * (high + low) + 0.5 * (high - low) * places
        return 0.5 * (high - low) * float(weights @ [self(price)[side] - used for price in at.tolist()])
