"""Derivatives of equilibria by what an economy is made of, by implicit differentiation.

At an equilibrium `F(x, theta) = 0` of the active unknowns `r`, relative prices and levels of activity,

    d ln x*/dtheta = -(J_rr diag(x_r))^-1 dF_r/dtheta

whatever `theta` is: a share, an endowment, an outside price. `dF/dtheta` at given unknowns is a central difference of
`Economy.balance` in economies that differ in `theta` alone; nothing is solved again. Along the unknowns that follow
from it every quantity is differentiated in the same way. Good to about nine digits away from folds and from changes of
the active set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.clearing import as_good_as_free
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
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


def moving(unknowns: Unknowns, plans: MarketPlans) -> NDArray[np.bool_]:
    """The unknowns that move with an equilibrium, `(unknowns,)`: prices neither fixed, nor at a bound, nor of a free
    good, and levels of activities that do not idle.
    """
    free = as_good_as_free(plans.prices, plans.demand, plans.supply)
    return unknowns.active(plans) & ~np.concatenate([free, np.zeros(len(unknowns.free) - len(free), dtype=bool)])


@np.errstate(all="ignore")
def log_slopes(unknowns: Unknowns, plans: MarketPlans, slopes: Array) -> Array:
    """`d ln x*/dtheta` `(unknowns, parameters)` of `dF/dtheta` `(unknowns, parameters)` at given unknowns, without
    bounds in units of `Unknowns.scales`; 0 at those that do not move. Where only relative prices matter and none is
    fixed, the last one that is active stays.

    Raises `FoldError` where there is no derivative.
    """
    determined = unknowns.determined(moving(unknowns, plans))
    values, units = unknowns.scales(plans)[determined], unknowns.units(plans)[determined]
    weight = np.sqrt(values / units)
    system = weight[:, None] * unknowns.jacobian(plans)[np.ix_(determined, determined)] * weight
    moved = np.zeros(slopes.shape)
    try:
        whitened = np.linalg.solve(system, -weight[:, None] * slopes[determined])
    except np.linalg.LinAlgError:
        whitened = np.full((len(values), slopes.shape[1]), np.nan)
    moved[determined] = whitened / np.sqrt(values * units)[:, None]
    if not np.isfinite(moved).all():
        raise FoldError
    return moved


@np.errstate(all="ignore")
def beside(unknowns: Unknowns, plans: MarketPlans, changes: Sequence[Sides]) -> list[tuple[MarketPlans, MarketPlans]]:
    """The plans below and above an equilibrium for each of the changes, at the prices and levels which hold there to
    first order: the difference of anything in them over the `width` is its derivative.

    Raises `FoldError` where there is none.
    """
    goods = unknowns.prices.where

    def at(side: Side, steps: Array | float) -> MarketPlans:
        moved = unknowns.moved(plans, steps)
        moved[goods] = np.where(side.unknowns.fixed, side.prices, moved[goods])
        return side.unknowns.plans(moved, plans.inputs)

    sides = [(unknowns.left_sides(at(c.above, 0.0)), unknowns.left_sides(at(c.below, 0.0))) for c in changes]
    columns = [(above - below) / change.width for change, (above, below) in zip(changes, sides, strict=True)]
    slopes = log_slopes(unknowns, plans, np.reshape(columns, (len(changes), -1)).T).T
    halves = [0.5 * change.width * slope for change, slope in zip(changes, slopes, strict=True)]
    return [(at(c.below, -half), at(c.above, half)) for c, half in zip(changes, halves, strict=True)]
