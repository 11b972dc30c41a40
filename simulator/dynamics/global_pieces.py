"""Pieces that know more than any market does: all prices at once, and how every signal changes with each of them.

They are what rules that know less are compared with. A step moves prices by `m = step`, or by `m = p step` where
multiplicative; a scaled signal moves them by `m = rate G^-1 z`, with the metric `G` of the rule (`PriceRule.metric`).
With the Jacobian `J = dz/dp` of the signal

    newton       m <- -J^+ G m
    symplectic   m <- m + weight G^-1 (J - J')/2 m
    consensus    m <- m - weight G^-1 J' m

Prices that are fixed, held at their floor by a glut or at their cap by a shortage, are left out of all three.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from simulator.dynamics.pieces import Memo, Piece, Quote, Ticks, steepness
from simulator.economics.clearing import newton_displacement
from simulator.economics.forms import Array
from simulator.economics.price_bounds import held

DEPENDENT = 1e-8
"""Past changes of the step, as columns of unit length, whose singular values lie below this part of the largest count
as saying the same thing twice."""


class ByJacobian(Piece):
    """A piece that turns the motion of prices by the Jacobian of the signal."""

    information: ClassVar = "global"
    needs_jacobian: ClassVar = True

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        """The step whose motion of the prices that can move is `turned`; other prices' steps stay as they are."""
        jacobian, metric = quote.jacobian, quote.metric
        if jacobian is None or metric is None:
            raise ValueError("this piece needs the signal's Jacobian: pass `jacobian` where `rule.needs_jacobian`")
        kept = held(quote.prices, quote.signal, quote.floor, quote.cap)
        moving = np.flatnonzero(quote.free & ~kept & (quote.scale > 0.0) & (metric > 0.0))
        size = quote.prices[moving] if quote.multiplicative else np.ones(len(moving))
        steep = steepness(quote.prices, quote.scale, quote.slope)[moving]
        motion = self.turned(size * step[moving], jacobian[np.ix_(moving, moving)], metric[moving], steep)
        after = step.copy()
        after[moving] = motion / size
        return after, memory

    @abstractmethod
    def turned(self, motion: Array, jacobian: Array, metric: Array, steep: Array) -> Array:
        """The motion of prices `(moving,)` in the place of another, given the Jacobian `(moving, moving)`, the metric
        and how steep each signal is in its own price `(moving,)`.
        """


@dataclass(frozen=True)
class Newton(ByJacobian):
    """`m <- -J^+ G m`: at rate 1 the step in `p`, or in `ln p`, after which all markets clear to first order.

    Where only relative prices matter `J` is singular along the price level, and of all such steps the smallest in
    `sum |dz/dp| m^2` is taken, which depends on no unit. Far from home a step can be of any length: `clip` after it
    keeps prices finite. Not a number where the Jacobian is not finite.
    """

    meaning: ClassVar = "-J^-1 step, J the Jacobian of the step: at rate 1 all markets clear to first order; then clip"

    def turned(self, motion: Array, jacobian: Array, metric: Array, steep: Array) -> Array:
        weights = np.divide(1.0, np.sqrt(steep), out=np.zeros(len(steep)), where=steep > 0.0)
        return newton_displacement(jacobian, metric * motion, weights)


@dataclass(frozen=True)
class Symplectic(ByJacobian):
    """`m <- m + weight G^-1 A m`, `A = (J - J')/2`: symplectic gradient adjustment.

    Where the signal is a gradient `A` is 0 and nothing changes; a pure rotation `J = A` is turned home, by the step
    that descends `|z|^2`. Under additive `weight` is in prices per quantity, else a number (Balduzzi and others, 2018;
    Letcher and others, 2019).
    """

    weight: Annotated[float, Field(gt=0, description="weight of the turn against rotation")]
    meaning: ClassVar = "step + weight A step, A the antisymmetric part of the step's Jacobian: against rotation"
    searched: ClassVar = {"": "size"}

    def turned(self, motion: Array, jacobian: Array, metric: Array, steep: Array) -> Array:
        return motion + self.weight * ((jacobian - jacobian.T) @ motion) / (2.0 * metric)


@dataclass(frozen=True)
class Consensus(ByJacobian):
    """`m <- m - weight G^-1 J' m`: the step, and descent of half the squared signal `|z|^2/2` beside it.

    `|z|^2` is counted in the metric `G^-1`, which is held constant: its half's gradient is `J' G^-1 z`. `weight` is in
    the units of `symplectic` (Mescheder, Nowozin, Geiger, 2017).
    """

    weight: Annotated[float, Field(gt=0, description="weight of the descent on half the squared signal")]
    meaning: ClassVar = "step - weight J' step, J the Jacobian of the step: descends half the squared signal as well"
    searched: ClassVar = {"": "size"}

    def turned(self, motion: Array, jacobian: Array, metric: Array, steep: Array) -> Array:
        return motion - self.weight * (jacobian.T @ motion) / metric


@dataclass(frozen=True)
class Anderson(Piece):
    """`step - (dX + dF) c`, `c` the least squares solution of `dF c = step`: Anderson's acceleration (1965).

    The columns of `dX` and `dF` are the last `depth` changes of prices (of `ln p` where multiplicative) and of steps:
    a secant model of the whole Jacobian from local signals, put together in one place.
    """

    depth: Annotated[Ticks, Field(description="how many past changes are used")] = 5
    meaning: ClassVar = "step - (dX + dF) c, c = argmin |dF c - step|: a secant model from the last depth changes"
    searched: ClassVar = {"depth": "ticks"}
    information: ClassVar = "global"
    cycle: ClassVar[int | None] = None

    def start(self, goods: int, steps: int = 0) -> Memo:
        return np.zeros(2 * (self.depth + 1) * goods)

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        past = memory.reshape(2, self.depth + 1, len(step))
        place = np.log(quote.prices) if quote.multiplicative else quote.prices
        kept = np.concatenate([past[:, 1:], np.stack([place, step])[:, None]], axis=1)
        known = min(quote.tick, self.depth)
        moves, changes = np.diff(kept, axis=1)[:, self.depth - known :]
        # Columns of one length: near rest they differ by orders of magnitude.
        lengths = np.maximum(np.linalg.norm(changes, axis=1), 1e-300)
        if not known or not np.isfinite(kept).all():
            return step, kept.ravel()
        weights = np.linalg.lstsq((changes / lengths[:, None]).T, step, rcond=DEPENDENT)[0] / lengths
        return step - weights @ (moves + changes), kept.ravel()
