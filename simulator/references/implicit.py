"""Derivatives of equilibria by what an economy is made of, by implicit differentiation.

At an equilibrium `F(p, theta) = 0` of the active relative prices `r`

    d ln p*/dtheta = -(J_rr diag(p_r))^-1 dF_r/dtheta

whatever `theta` is: a share, an endowment, an outside price. `dF/dtheta` at given prices is a central difference of
`Economy.balance` in economies that differ in `theta` alone; nothing is solved again. Along the prices that follow from
it every quantity is differentiated in the same way. Good to about nine digits away from folds and from changes of the
active set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.clearing import as_good_as_free
from simulator.economics.economy import MarketPlans
from simulator.economics.forms import Array
from simulator.economics.unknowns import Unknowns

STEP = 6e-6
"""Step of central differences in a logarithm: about the cube root of the rounding."""


class FoldError(Exception):
    """An equilibrium whose prices have no derivative."""


class Side(NamedTuple):
    """An economy beside the one at hand: the unknowns of its equilibria, and the prices `(goods,)` of which those that
    are fixed hold.
    """

    unknowns: Unknowns
    prices: Array


class Sides(NamedTuple):
    """The economies on either side of the one at hand, and how far apart they are in what changes."""

    below: Side
    above: Side
    width: float


def active_prices(unknowns: Unknowns, plans: MarketPlans) -> NDArray[np.bool_]:
    """The prices that move with an equilibrium, `(goods,)`: neither fixed, nor at a floor, nor of a free good."""
    return unknowns.active(plans) & ~as_good_as_free(plans.prices, plans.demand, plans.supply)


@np.errstate(all="ignore")
def log_price_slopes(unknowns: Unknowns, plans: MarketPlans, excess_slopes: Array) -> Array:
    """`d ln p*/dtheta` `(goods, parameters)` of `dF/dtheta` `(goods, parameters)` at given prices; 0 at prices that do
    not move. Where only relative prices matter and none is fixed, the last one that is active stays.

    Raises `FoldError` where there is no derivative.
    """
    determined = unknowns.determined(active_prices(unknowns, plans))
    prices, scale = plans.prices[determined], plans.scale[determined]
    weight = np.sqrt(prices / scale)
    system = weight[:, None] * unknowns.jacobian(plans)[np.ix_(determined, determined)] * weight
    moved = np.zeros(excess_slopes.shape)
    try:
        whitened = np.linalg.solve(system, -weight[:, None] * excess_slopes[determined])
    except np.linalg.LinAlgError:
        whitened = np.full((len(prices), excess_slopes.shape[1]), np.nan)
    moved[determined] = whitened / np.sqrt(prices * scale)[:, None]
    if not np.isfinite(moved).all():
        raise FoldError
    return moved


@np.errstate(all="ignore")
def beside(unknowns: Unknowns, plans: MarketPlans, changes: Sequence[Sides]) -> list[tuple[MarketPlans, MarketPlans]]:
    """The plans below and above an equilibrium for each of the changes, at the prices which clear markets there to
    first order: the difference of anything in them over the `width` is its derivative.

    Raises `FoldError` where there is none.
    """

    def at(side: Side, logarithms: Array | float) -> MarketPlans:
        prices = np.where(side.unknowns.fixed, side.prices, plans.prices * np.exp(logarithms))
        return side.unknowns.plans(prices, plans.inputs)

    columns = [(at(c.above, 0.0).excess_demand - at(c.below, 0.0).excess_demand) / c.width for c in changes]
    slopes = log_price_slopes(unknowns, plans, np.reshape(columns, (len(changes), -1)).T).T
    halves = [0.5 * change.width * slope for change, slope in zip(changes, slopes, strict=True)]
    return [(at(c.below, -half), at(c.above, half)) for c, half in zip(changes, halves, strict=True)]
