"""How a signal moves prices: a chain of small frozen pieces whose memory goes in and comes out.

The signal is excess demand `z` `(goods,)`, or minus the gradient of a potential in its place: the rule does not know
which. `step = rate * signal` (per unit of `s` or of its own slope where a piece says so), then each piece in turn,
then the form applies the step:

    additive         p <- max(p + step, floor)
    multiplicative   p <- max(p * exp(step), floor),  step = rate * z/s unless it goes by the own slope

Fixed prices (the numeraire, goods with an outside price) never move, nor do prices whose turn it is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.pieces import (
    INFORMATION,
    PD,
    Adam,
    Anderson,
    Averaging,
    Clip,
    Decay,
    Delay,
    Extragradient,
    Memo,
    Momentum,
    Nesterov,
    OwnSlope,
    Piece,
    Quote,
    Relative,
    RMSprop,
    Warmup,
    steepness,
)
from simulator.dynamics.turns import Bernoulli, RandomOrder, Sequential, Turns
from simulator.economics.forms import Array

Memory = tuple[Memo, ...]
"""What a rule remembers between ticks: how many there were, and an array per piece of its chain."""

PIECES: dict[str, type[Piece] | type[Turns]] = {
    "relative": Relative,
    "own_slope": OwnSlope,
    "clip": Clip,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adam": Adam,
    "pd": PD,
    "extragradient": Extragradient,
    "averaging": Averaging,
    "delay": Delay,
    "decay": Decay,
    "warmup": Warmup,
    "anderson": Anderson,
    "sequential": Sequential,
    "random_order": RandomOrder,
    "bernoulli": Bernoulli,
}

FORMS = {
    "additive": "p <- max(p + step, floor), step = rate z",
    "multiplicative": "p <- max(p exp(step), floor), step = rate z/s with s = max(demand, supply)",
}


class Recipe(NamedTuple):
    """A rule with a name of its own: a form and pieces, to be taken at any rate."""

    form: str
    pieces: tuple[Piece, ...]
    meaning: str
    source: str

    @property
    def information(self) -> str:
        """What it uses, one of `INFORMATION`."""
        return widest(self.pieces)


RECIPES: dict[str, Recipe] = {
    "walras": Recipe(
        "additive",
        (),
        "p += rate z: prices rise in proportion to excess demand",
        "Walras (1874); Samuelson (1947); in discrete time Uzawa (1960)",
    ),
    "cole_fleischer": Recipe(
        "multiplicative",
        (),
        "p *= exp(rate z/s): in proportion to relative excess demand (theirs is z/supply, at most 1)",
        "Cole, Fleischer (2008); Cheung, Cole, Devanur (2013)",
    ),
    "heavy_ball": Recipe(
        "additive",
        (Momentum(0.9),),
        "v = 0.9 v + rate z, p += v: nine tenths of the last step are carried on",
        "Polyak (1964)",
    ),
    "robbins_monro": Recipe(
        "additive",
        (Decay(1.0),),
        "p += rate z / (1 + t): steps that go any distance in the end, and fade fast enough for noise to average out",
        "Robbins, Monro (1951)",
    ),
    "subgradient": Recipe(
        "additive",
        (Decay(0.5),),
        "p += rate z / sqrt(1 + t): descent on a potential with kinks (linear utility), where steps of one size hover",
        "Shor (1985); linear Fisher markets, at a steady rate: Nan, Gao, Kroer (2024)",
    ),
    "jacobi_newton": Recipe(
        "multiplicative",
        (OwnSlope(),),
        "p *= exp(rate z / (p |dz/dp|)): at rate 1 each market's own Newton step in ln p, as if no other price moved",
        "Ortega, Rheinboldt (1970)",
    ),
}
"""Famous names. `scheduler: {rule: name, rate: ...}` is the recipe's form and pieces."""


@dataclass(frozen=True)
class PriceRule:
    """A rate, a chain of pieces and a form; `floor` `(goods,)` bounds prices from below, `fixed` `(goods,)` holds
    them. At most one of the pieces says which prices move at a tick; chance is drawn from `seed`.
    """

    form: str
    rate: float
    pieces: tuple[Piece | Turns, ...]
    floor: Array
    fixed: NDArray[np.bool_]
    seed: int = 0

    @cached_property
    def chain(self) -> tuple[Piece, ...]:
        """The pieces that change the step, in order; the multiplicative form begins with `Relative` unless it goes by
        the own slope.
        """
        pieces = tuple(piece for piece in self.pieces if not isinstance(piece, Turns))
        return pieces if self.form == "additive" or self.needs_slope else (Relative(), *pieces)

    @cached_property
    def turns(self) -> Turns | None:
        """Which prices move at a tick; None where all move at once."""
        return next((piece for piece in self.pieces if isinstance(piece, Turns)), None)

    @property
    def relative(self) -> bool:
        """Whether the signal is taken per unit of `s`."""
        return any(isinstance(piece, Relative) for piece in self.chain)

    @cached_property
    def needs_slope(self) -> bool:
        """Whether `next_prices` must be given the signal's own slopes."""
        return any(piece.information == "own slope" for piece in self.pieces)

    @property
    def information(self) -> str:
        """What it uses, one of `INFORMATION`."""
        return widest(self.pieces)

    @property
    def cycle(self) -> int | None:
        """After how many ticks a step is made in the same way again; None where chance decides, or the step is no
        smooth function of the signal and the memory.
        """
        # A piece from outside need not say.
        cycles = [getattr(piece, "cycle", 1) for piece in self.chain]
        cycles.append(1 if self.turns is None else self.turns.cycle(len(self._free)))
        known = [cycle for cycle in cycles if cycle is not None]
        return math.lcm(*known) if len(known) == len(cycles) else None

    def start(self, steps: int = 0) -> Memory:
        """The memory of the chain after `steps` ticks at rest; before the first tick by default."""
        return np.array([steps], dtype=np.int64), *(piece.start(len(self.fixed), steps) for piece in self.chain)

    def next_prices(
        self, prices: Array, signal: Array, scale: Array, memory: Memory, slope: Array | None = None
    ) -> tuple[Array, Memory]:
        """Prices after one adjustment, `(goods,)`, and the chain's memory; nothing is changed in place.

        `slope` `(goods,)` is `dz_j/dp_j` of the signal, the diagonal of its Jacobian. Raises ValueError if it is
        missing where `needs_slope`.
        """
        count, *memos = memory
        tick, multiplicative = int(count[0]), self.form == "multiplicative"
        quote = Quote(prices, signal, scale, slope, multiplicative, self.floor, tick, self.rate)
        held = self._held(tick)
        step = self.rate * signal
        step[self.fixed] = 0.0
        remembered: list[Memo] = [count + 1]
        for piece, memo in zip(self.chain, memos, strict=True):
            step, after = piece.step(step, quote, memo)
            remembered.append(after if self.turns is None else _kept(memo, after, held))
        moved = prices * np.exp(step) if multiplicative else prices + step
        moved = np.maximum(moved, self.floor)
        moved[held] = prices[held]
        return moved, tuple(remembered)

    def metric(self, prices: Array, scale: Array, slope: Array | None = None) -> Array:
        """Weights `w` `(..., goods)` of the inner product `sum w a b` in which a step along the signal descends.

        A plain step moves prices by `rate * signal`: Euclidean. Relative steps divide by `s`, and multiplicative
        ones move `p` by `p * step`: descent in the value metric `G = diag(s/p)`. Steps by the own slope descend in
        the signal's own slopes `diag |dz/dp|`; `slope` as in `next_prices`.
        """
        if self.needs_slope:
            return steepness(prices, scale, slope)
        weights = scale if self.relative else np.ones(np.shape(prices))
        return weights / prices if self.form == "multiplicative" else weights

    @cached_property
    def _free(self) -> NDArray[np.intp]:
        return np.flatnonzero(~self.fixed)

    def _held(self, tick: int) -> NDArray[np.bool_]:
        """Which prices do not move at a tick, `(goods,)`."""
        if self.turns is None or not len(self._free):
            return self.fixed
        held = np.ones(len(self.fixed), dtype=bool)
        held[self.turns.turn(self._free, tick, self.seed)] = False
        return held


def _kept(before: Memo, after: Memo, held: NDArray[np.bool_]) -> Memo:
    """A memory after a tick in which some goods were held: theirs is as before, where there is a number per good."""
    if after.dtype.kind != "f" or len(after) % len(held):
        return after
    return np.where(held, before.reshape(-1, len(held)), after.reshape(-1, len(held))).ravel()


def widest(pieces: Iterable[Piece | Turns]) -> str:
    """The most that any of the pieces uses, one of `INFORMATION`; a signal alone is local."""
    return max((piece.information for piece in pieces), key=INFORMATION.index, default="local")
