"""How a signal moves prices: a chain of small frozen pieces whose memory goes in and comes out.

The signal is excess demand `z` `(goods,)`, or minus the gradient of a potential in its place: the rule does not know
which. `step = rate * signal` (per unit of `s` where `relative`), then each piece in turn, then the form applies the
step:

    additive         p <- max(p + step, floor)
    multiplicative   p <- max(p * exp(step), floor),  step = rate * z/s

Fixed prices (the numeraire, goods with an outside price) never move.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array

Memory = tuple[Array, ...]
"""What a rule remembers between ticks: one array per piece, empty for a piece without memory."""

NOTHING = np.zeros(0)


class Piece(Protocol):
    """One link of the chain: `step(step, scale, memory) -> (step, memory)`, all `(goods,)`."""

    def start(self, goods: int) -> Array:
        """The memory before the first tick."""
        ...

    def step(self, step: Array, scale: Array, memory: Array) -> tuple[Array, Array]:
        """The step after this piece, and what the piece remembers."""
        ...


@dataclass(frozen=True)
class Relative:
    """`step / s`: excess demand per unit of the larger of demand and supply; 0 where both are 0."""

    def start(self, goods: int) -> Array:
        return NOTHING

    def step(self, step: Array, scale: Array, memory: Array) -> tuple[Array, Array]:
        # Where nobody plans to trade the step is 0 already; the smallest number only keeps 0/0 from arising.
        return step / np.maximum(scale, 1e-300), memory


@dataclass(frozen=True)
class Clip:
    """`max(-limit, min(limit, step))`: no price moves further in a tick (in its logarithm where multiplicative)."""

    limit: float

    def start(self, goods: int) -> Array:
        return NOTHING

    def step(self, step: Array, scale: Array, memory: Array) -> tuple[Array, Array]:
        return np.clip(step, -self.limit, self.limit), memory


@dataclass(frozen=True)
class Momentum:
    """`v <- decay * v + step`: Polyak's heavy ball; the step becomes `v`."""

    decay: float

    def start(self, goods: int) -> Array:
        return np.zeros(goods)

    def step(self, step: Array, scale: Array, memory: Array) -> tuple[Array, Array]:
        velocity = self.decay * memory + step
        return velocity, velocity


PIECES: dict[str, type[Relative] | type[Clip] | type[Momentum]] = {
    "relative": Relative,
    "clip": Clip,
    "momentum": Momentum,
}

FORMS = ("additive", "multiplicative")


@dataclass(frozen=True)
class PriceRule:
    """A rate, a chain of pieces and a form; `floor` `(goods,)` bounds prices from below, `fixed` `(goods,)` holds
    them.
    """

    form: str
    rate: float
    pieces: tuple[Piece, ...]
    floor: Array
    fixed: NDArray[np.bool_]

    @cached_property
    def chain(self) -> tuple[Piece, ...]:
        """The pieces in order; the multiplicative form begins with `Relative`."""
        return (Relative(), *self.pieces) if self.form == "multiplicative" else self.pieces

    @property
    def relative(self) -> bool:
        """Whether the signal is taken per unit of `s`."""
        return any(isinstance(piece, Relative) for piece in self.chain)

    def start(self) -> Memory:
        """The memory of the chain before the first tick."""
        return tuple(piece.start(len(self.fixed)) for piece in self.chain)

    def next_prices(self, prices: Array, signal: Array, scale: Array, memory: Memory) -> tuple[Array, Memory]:
        """Prices after one adjustment, `(goods,)`, and the chain's memory; nothing is changed in place."""
        step = self.rate * signal
        step[self.fixed] = 0.0
        remembered: list[Array] = []
        for piece, memo in zip(self.chain, memory, strict=True):
            step, memo = piece.step(step, scale, memo)
            remembered.append(memo)
        moved = prices * np.exp(step) if self.form == "multiplicative" else prices + step
        moved = np.maximum(moved, self.floor)
        moved[self.fixed] = prices[self.fixed]
        return moved, tuple(remembered)

    def metric(self, prices: Array, scale: Array) -> Array:
        """Weights `w` `(..., goods)` of the inner product `sum w a b` in which a step along the signal descends.

        A plain step moves prices by `rate * signal`: Euclidean. Relative steps divide by `s`, and multiplicative
        ones move `p` by `p * step`: descent in the value metric `G = diag(s/p)`.
        """
        weights = scale if self.relative else np.ones(np.shape(prices))
        return weights / prices if self.form == "multiplicative" else weights
