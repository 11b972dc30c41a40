"""In what way a market is out of equilibrium: does its field turn or fall, does it move home, and what is out most?

Prices and quantities are counted in the value metric `G = diag(s/p)`, `s = max(demand, supply)`, in which a change of
units changes nothing:

    J = df/dp,    K = G^-1/2 J G^-1/2 = S + A    (symmetric and antisymmetric part),    w = G^-1/2 f

with `f` the excess demand `z` of the goods whose price moves. Where only relative prices matter, `f` is `z` divided by
the wealth `W = p.(supplies) + profits`, counted in its present amount (so that `f` is a gradient wherever there is a
potential), a numeraire is a good like the others, and the direction `p` of the price level is projected out. Left out
are goods with an outside price, prices held fixed for another reason, goods that nobody trades, and free goods held at
their floor. Everything is said of plans without accounts, and of firms that plan for most profit, whatever else they
do. Goods that are not rival have a market for each user, and each counts by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.clearing import active_goods, relative_only
from simulator.economics.economy import Balance, Economy
from simulator.economics.forms import Array
from simulator.economics.ties import set_valued

ALIKE = 1e-6
"""Eigenvalues of `S` that differ by less than this part of `norm(K)` belong to one mode."""
NO_IMBALANCE = 1e-13
"""An excess demand this small beside what is traded is rounding, and in no mode."""
SINGULAR = 1e-13
"""Singular values of `K` below this part of the largest are 0, as that of the price level is."""


@dataclass(frozen=True)
class Diagnosis:
    """The linear picture of a market at some prices.

    `active` `(goods,)` marks the goods spoken of; `worth` is their `p s`, `matrix` their `K` and `imbalance` their `w`,
    `(active,)`, `(active, active)` and `(active,)`; `level` is the direction of the price level in the whitened
    coordinates, of length 1, or None where it matters.
    """

    active: NDArray[np.bool_]
    worth: Array
    matrix: Array
    imbalance: Array
    level: Array | None

    @cached_property
    def rotation_index(self) -> float:
        """`norm(A)/norm(K)` from 0 (a gradient) to 1 (a pure rotation); not a number where `K` is 0 or not finite."""
        size = float(np.linalg.norm(self.matrix))
        if not (np.isfinite(size) and size > 0):
            return np.nan
        return float(np.linalg.norm(self.matrix - self.matrix.T)) / 2.0 / size

    @cached_property
    def home(self) -> Array:
        """The Newton displacement of log prices `(goods,)`: the change that would clear the markets to first order,
        `K y = -w` and `y / sqrt(p s)`.

        Where only relative prices matter it is the one that leaves the level, and depends on no numeraire. Not a number
        where `K` or `w` is not finite.
        """
        displacement = np.zeros(len(self.active))
        if not (np.isfinite(self.matrix).all() and np.isfinite(self.imbalance).all()):
            displacement[self.active] = np.nan
            return displacement
        whitened = np.linalg.lstsq(self.matrix, -self.imbalance, rcond=SINGULAR)[0]
        displacement[self.active] = whitened / np.sqrt(self.worth)
        return displacement

    def cosine_home(self, motion: Array) -> float:
        """Cosine between a motion of log prices `(goods,)` and the Newton displacement, in the metric `sum p s a b`.

        1 where prices move straight to where markets would clear to first order, negative where they move away; not a
        number where one of them is 0 or not finite.
        """
        weight = np.sqrt(self.worth)
        one, other = (self._relative(weight * values[self.active]) for values in (motion, self.home))
        sizes = float(np.linalg.norm(one) * np.linalg.norm(other))
        return float(np.clip(one @ other / sizes, -1.0, 1.0)) if np.isfinite(sizes) and sizes > 0 else np.nan

    @cached_property
    def dominant_mode(self) -> tuple[Array, float]:
        """The combination of goods most out of balance, and its share of the imbalance `|w|^2`, from 0 to 1.

        A mode is an eigenvector of `S` (a combination of goods that answers to its own price), or a whole space of them
        where eigenvalues coincide; the share is the part of `|w|^2` in it. The combination `(goods,)`, of length 1 in
        the whitened coordinates, is the part of `w` in the mode. Zeros and not a number where every market clears.
        """
        mode, size = np.zeros(len(self.active)), float(self.imbalance @ self.imbalance)
        if not (np.isfinite(self.matrix).all() and np.isfinite(size)) or size <= NO_IMBALANCE**2 * self.worth.sum():
            return mode, np.nan
        values, vectors = np.linalg.eigh((self.matrix + self.matrix.T) / 2.0)
        parts = vectors.T @ self.imbalance
        starts = np.diff(values, prepend=-np.inf) > ALIKE * np.linalg.norm(self.matrix)
        group = np.cumsum(starts) - 1
        shares = np.bincount(group, parts**2) / size
        largest = group == np.argmax(shares)
        combination = vectors[:, largest] @ parts[largest]
        mode[self.active] = combination / np.linalg.norm(combination)
        return mode, min(1.0, float(shares.max()))

    def _relative(self, values: Array) -> Array:
        return values if self.level is None else values - self.level * (self.level @ values)


def diagnose(economy: Economy, rule: PriceRule, balance: Balance) -> Diagnosis | None:
    """The linear picture at a balance; None where no price moves, or demand jumps (linear tastes: no derivative).

    `K` is analytic, from `Economy.jacobian`.
    """
    relative = relative_only(economy, rule.fixed)
    moving = np.ones(len(economy.goods), dtype=bool) if relative else ~rule.fixed
    active = active_goods(balance, moving & ~economy.is_outside, rule.floor)
    if not active.any() or set_valued(economy):
        return None
    jacobian = economy.jacobian(balance)
    prices, scale = balance.prices[active], balance.scale[active]
    field, slope = balance.excess_demand[active], jacobian[np.ix_(active, active)]
    if relative:
        net_supply = economy.total_supply + economy.made(balance.outputs) - economy.over_edges(balance.inputs)
        wealth = float(balance.prices @ net_supply)
        # Hotelling: net supply is the gradient of wealth.
        slope = slope - np.outer(field, net_supply[active]) / wealth
    weight = np.sqrt(prices / scale)
    matrix, imbalance = weight[:, None] * slope * weight, weight * field
    level = np.sqrt(prices * scale) / np.sqrt(prices @ scale) if relative else None
    if level is not None:
        matrix = matrix - np.outer(level, level @ matrix)
        matrix, imbalance = matrix - np.outer(matrix @ level, level), imbalance - level * (level @ imbalance)
        if len(level) == 1:
            matrix, imbalance = np.zeros((1, 1)), np.zeros(1)
    return Diagnosis(active, prices * scale, matrix, imbalance, level)
