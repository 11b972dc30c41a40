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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.clearing import SINGULAR
from simulator.economics.economy import Economy, MarketPlans
from simulator.economics.forms import Array
from simulator.economics.ties import set_valued
from simulator.economics.unknowns import active_goods

ALIKE = 1e-6
"""Eigenvalues of `S` that differ by less than this part of `norm(K)` belong to one mode."""
NO_IMBALANCE = 1e-13
"""An excess demand this small beside what is traded is rounding, and in no mode."""


@dataclass(frozen=True)
class Diagnosis:
    """The linear picture of a market at some prices, or at those of several ticks that speak of the same goods.

    `active` `(goods,)` marks the goods spoken of; `worth` is their `p s`, `matrix` their `K` and `imbalance` their `w`,
    `(..., active)`, `(..., active, active)` and `(..., active)`, ticks in front; `level` `(..., active)` is the
    direction of the price level in the whitened coordinates, of length 1, or None where it matters.
    """

    active: NDArray[np.bool_]
    worth: Array
    matrix: Array
    imbalance: Array
    level: Array | None

    @classmethod
    def stacked(cls, ticks: Sequence[Diagnosis]) -> Diagnosis:
        """Several ticks as one; all must speak of the same goods."""
        worth, matrix, imbalance = (
            np.stack([getattr(tick, name) for tick in ticks]) for name in ("worth", "matrix", "imbalance")
        )
        levels = [tick.level for tick in ticks if tick.level is not None]
        return cls(ticks[0].active, worth, matrix, imbalance, np.stack(levels) if levels else None)

    @cached_property
    def rotation_index(self) -> Array:
        """`norm(A)/norm(K)`, `(...)`, from 0 (a gradient) to 1 (a pure rotation); not a number where `K` is 0 or not
        finite.
        """
        size, turned = _norm(self.matrix), _norm(self.matrix - np.swapaxes(self.matrix, -1, -2)) / 2.0
        return np.divide(turned, size, out=np.full(size.shape, np.nan), where=np.isfinite(size) & (size > 0))[()]

    @cached_property
    def home(self) -> Array:
        """The Newton displacement of log prices `(..., goods)`: the change that would clear the markets to first order,
        `K y = -w` and `y / sqrt(p s)`.

        Where only relative prices matter it is the one that leaves the level, and depends on no numeraire. Not a number
        where `K` or `w` is not finite.
        """
        finite, matrix, imbalance = self._sound
        whitened = -(np.linalg.pinv(matrix, rcond=SINGULAR) @ imbalance[..., None])[..., 0]
        displacement = np.zeros((*finite.shape, len(self.active)))
        displacement[..., self.active] = np.where(finite[..., None], whitened / np.sqrt(self.worth), np.nan)
        return displacement

    def cosine_home(self, motion: Array) -> Array:
        """Cosine `(...)` between a motion of log prices `(..., goods)` and the Newton displacement, in the metric
        `sum p s a b`.

        1 where prices move straight to where markets would clear to first order, negative where they move away; not a
        number where one of them is 0 or not finite, or every market clears.
        """
        weight = np.sqrt(self.worth)
        one, other = (self._relative(weight * values[..., self.active]) for values in (motion, self.home))
        sizes = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
        told = self._out_of_balance & np.isfinite(sizes) & (sizes > 0)
        cosine = np.divide((one * other).sum(axis=-1), sizes, out=np.full(sizes.shape, np.nan), where=told)
        return np.clip(cosine, -1.0, 1.0)[()]

    @cached_property
    def dominant_mode(self) -> tuple[Array, Array]:
        """The combination of goods most out of balance `(..., goods)`, and its share of the imbalance `|w|^2` `(...)`,
        from 0 to 1.

        A mode is an eigenvector of `S` (a combination of goods that answers to its own price), or a whole space of them
        where eigenvalues coincide; the share is the part of `|w|^2` in it. The combination, of length 1 in the whitened
        coordinates, is the part of `w` in the mode. Zeros and not a number where every market clears.
        """
        _, matrix, imbalance = self._sound
        size, told = (imbalance**2).sum(axis=-1), self._out_of_balance
        values, vectors = np.linalg.eigh((matrix + np.swapaxes(matrix, -1, -2)) / 2.0)
        parts = np.einsum("...ji,...j->...i", vectors, imbalance)
        apart = values[..., 1:] - values[..., :-1] > ALIKE * _norm(matrix)[..., None]
        group = np.concatenate([np.zeros((*told.shape, 1), dtype=np.intp), np.cumsum(apart, axis=-1)], axis=-1)
        alike = group[..., :, None] == group[..., None, :]
        shares = np.einsum("...ij,...j->...i", alike, parts**2)
        largest = np.argmax(shares, axis=-1)[..., None]
        in_mode = group == np.take_along_axis(group, largest, axis=-1)
        combination = np.einsum("...ij,...j->...i", vectors, np.where(in_mode, parts, 0.0))
        length = np.where(told, np.linalg.norm(combination, axis=-1), 1.0)
        mode = np.zeros((*told.shape, len(self.active)))
        mode[..., self.active] = np.where(told[..., None], combination / length[..., None], 0.0)
        share = np.take_along_axis(shares, largest, axis=-1)[..., 0]
        share = np.divide(share, size, out=np.full(size.shape, np.nan), where=told)
        return mode, np.minimum(share, 1.0)[()]

    @cached_property
    def _out_of_balance(self) -> NDArray[np.bool_]:
        """Where there is an imbalance beyond rounding, and a finite picture of it, `(...)`."""
        finite, _, imbalance = self._sound
        return np.asarray(finite & ((imbalance**2).sum(axis=-1) > NO_IMBALANCE**2 * self.worth.sum(axis=-1)))

    @cached_property
    def _sound(self) -> tuple[NDArray[np.bool_], Array, Array]:
        """Where `K` and `w` are finite `(...)`, and both with zeros where they are not."""
        finite = np.asarray(np.isfinite(self.matrix).all(axis=(-1, -2)) & np.isfinite(self.imbalance).all(axis=-1))
        if finite.all():
            return finite, self.matrix, self.imbalance
        return (
            finite,
            np.where(finite[..., None, None], self.matrix, 0.0),
            np.where(finite[..., None], self.imbalance, 0.0),
        )

    def _relative(self, values: Array) -> Array:
        if self.level is None:
            return values
        return values - self.level * (self.level * values).sum(axis=-1, keepdims=True)


def _norm(matrix: Array) -> Array:
    """Frobenius norm, `(..., n, n)` to `(...)`."""
    return np.sqrt((matrix**2).sum(axis=(-1, -2)))


@np.errstate(all="ignore")
def diagnose(economy: Economy, rule: PriceRule, balance: MarketPlans) -> Diagnosis | None:
    """The linear picture at a balance; None where no price moves, or demand jumps (linear tastes: no derivative).

    `K` is analytic, from `Economy.jacobian`.
    """
    unknowns = rule.unknowns(economy)
    relative = unknowns.relative_only
    moving = np.ones(len(economy.goods), dtype=bool) if relative else ~rule.fixed
    active = active_goods(balance, moving & ~economy.is_outside, rule.floor)
    if not active.any() or set_valued(economy):
        return None
    jacobian = unknowns.jacobian(balance)
    prices, scale = balance.prices[active], balance.scale[active]
    field, slope = balance.excess_demand[active], jacobian[np.ix_(active, active)]
    if relative:
        made: Array = economy.user_prices.profit_slopes(balance.outputs, balance.inputs).sum(axis=0)
        net_supply = economy.total_supply + made
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
