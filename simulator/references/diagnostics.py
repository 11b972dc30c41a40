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

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.clearing import SINGULAR, inverses, norm
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.unknowns import active_goods

ALIKE = 1e-6
"""Eigenvalues of `S` that differ by less than this part of `norm(K)` belong to one mode."""
NO_IMBALANCE = 1e-13
"""An excess demand this small beside what is traded is rounding, and in no mode."""


@dataclass(frozen=True)
class Diagnosis:
    """The linear picture of a market at the prices of ticks that speak of the same goods.

    `active` `(goods,)` marks the goods spoken of; `worth` is their `p s`, `matrix` their `K` and `imbalance` their `w`,
    `(..., active)`, `(..., active, active)` and `(..., active)`, ticks in front; `level` `(..., active)` is the
    direction of the price level in the whitened coordinates, of length 1, or None where it matters.
    """

    active: NDArray[np.bool_]
    worth: Array
    matrix: Array
    imbalance: Array
    level: Array | None

    @cached_property
    def rotation_index(self) -> Array:
        """`norm(A)/norm(K)`, `(...)`, from 0 (a gradient) to 1 (a pure rotation); not a number where `K` is 0 or not
        finite.
        """
        size, turned = norm(self.matrix), norm(self.matrix - np.swapaxes(self.matrix, -1, -2)) / 2.0
        return np.divide(turned, size, out=np.full(size.shape, np.nan), where=np.isfinite(size) & (size > 0))[()]

    @cached_property
    def home(self) -> Array:
        """The Newton displacement of log prices `(..., goods)`: the change that would clear the markets to first order,
        `K y = -w` and `y / sqrt(p s)`.

        Where only relative prices matter it is the one that leaves the level, and depends on no numeraire. Where `K` is
        singular it is the smallest `y` with the least `|K y + w|`. Not a number where `K` or `w` is not finite.
        """
        finite, matrix, imbalance = self._sound
        whitened = -_solution(matrix, imbalance, self.level)
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
        apart = values[..., 1:] - values[..., :-1] > ALIKE * norm(matrix)[..., None]
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


def _solution(matrix: Array, right: Array, level: Array | None) -> Array:
    """`y` `(..., n)` with `K y = r`; the smallest, and the nearest to one, where `K` `(..., n, n)` is singular beyond
    the direction of the `level` `(..., n)`, which it then takes to 0 and which is no part of `r` `(..., n)`.

    `K` with that direction as it is, `K + norm(K) l l'`, is inverted many times faster than a pseudo-inverse is found.
    """
    bordered = matrix
    if level is not None:
        bordered = matrix + norm(matrix)[..., None, None] * level[..., :, None] * level[..., None, :]
    inverse, regular = inverses(bordered)
    solution = (inverse @ right[..., None])[..., 0]
    if not regular.all():
        some = matrix[~regular]
        solution[~regular] = (np.linalg.pinv(some, rcond=SINGULAR) @ right[~regular][..., None])[..., 0]
    return solution


class Markets(NamedTuple):
    """How markets answer to prices in so many ticks: `(ticks, goods)` `prices`, `demand`, `supply` and what firms have
    `made`, less what they have used; and `jacobian` `(ticks, goods, goods)`, `dz/dp`, if it was asked for.
    """

    prices: Array
    demand: Array
    supply: Array
    made: Array
    jacobian: Array | None

    @property
    def scale(self) -> Array:
        """`s = max(demand, supply)`."""
        return np.maximum(self.demand, self.supply)


@np.errstate(all="ignore")
def diagnose(economy: Economy, rule: PriceRule, markets: Markets) -> Iterator[tuple[NDArray[np.intp], Diagnosis]]:
    """The linear pictures of ticks, with the numbers of those that speak of the same goods; none of a tick in which no
    price moves. `K` is analytic, from `Economy.jacobian`.
    """
    unknowns, excess = rule.unknowns(economy), markets.demand - markets.supply
    relative = unknowns.relative_only
    moving = (rule.free | relative) & ~economy.is_outside
    spoken_of = active_goods(markets.prices, excess, markets.scale, moving, unknowns.floor, unknowns.cap)
    alike: dict[bytes, list[int]] = {}
    for tick, active in enumerate(spoken_of):
        alike.setdefault(active.tobytes(), []).append(tick)
    for ticks in map(np.array, alike.values()):
        if (active := spoken_of[ticks[0]]).any():
            known = (None if each is None else each[ticks] for each in markets)
            yield ticks, _picture(economy, relative, active, Markets._make(known))


def _picture(economy: Economy, relative: bool, active: NDArray[np.bool_], markets: Markets) -> Diagnosis:
    assert markets.jacobian is not None
    prices, scale = markets.prices[:, active], markets.scale[:, active]
    field, slope = (markets.demand - markets.supply)[:, active], markets.jacobian[:, active][:, :, active]
    if relative:
        net_supply = economy.total_supply + markets.made
        wealth = (markets.prices * net_supply).sum(axis=1)
        # Hotelling: net supply is the gradient of wealth.
        slope = slope - field[:, :, None] * net_supply[:, None, active] / wealth[:, None, None]
    weight = np.sqrt(prices / scale)
    matrix, imbalance = weight[:, :, None] * slope * weight[:, None, :], weight * field
    if not relative:
        return Diagnosis(active, prices * scale, matrix, imbalance, None)
    worth = prices * scale
    level = np.sqrt(worth / worth.sum(axis=1, keepdims=True))
    down, across = level[:, :, None], level[:, None, :]
    matrix = matrix - down * (across @ matrix)
    matrix = matrix - (matrix @ down) * across
    imbalance = imbalance - level * (level * imbalance).sum(axis=1, keepdims=True)
    if level.shape[1] == 1:
        matrix, imbalance = np.zeros(matrix.shape), np.zeros(imbalance.shape)
    return Diagnosis(active, worth, matrix, imbalance, level)
