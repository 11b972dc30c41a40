"""How a signal moves prices: a chain of small frozen pieces whose memory goes in and comes out.

The signal is excess demand `z` `(goods,)`, or minus the gradient of a potential in its place: the rule does not know
which. `step = rate * signal` (per unit of `s` or of its own slope where a piece says so), then each piece in turn,
then the form applies the step:

    additive         p <- max(p + step, floor)
    multiplicative   p <- max(p * exp(step), floor),  step = rate * z/s unless it goes by the own slope

Fixed prices (the numeraire, goods with an outside price) never move.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array

Memo = NDArray[Any]
"""What a piece remembers: a flat array, empty for a piece without memory. Whole numbers (`int64`) count ticks; floats
are part of the state that a perturbation moves.
"""

Memory = tuple[Memo, ...]
"""What a rule remembers between ticks: one array per piece."""

NOTHING = np.zeros(0)

INFORMATION = ("local", "own slope", "global")
"""What a market must know to set its price, from least to most: its own demand and supply; also how fast its own
excess demand falls with its own price; or something of other markets.
"""

FLATTEST = 0.1
"""An own elasticity `|dz/dp| p/s` below this counts as this: where demand hardly reacts, no step grows without end."""


class Quote(NamedTuple):
    """What came of quoting `prices`, `(goods,)` each: all that a piece may look at beside the step.

    `scale` is `s = max(demand, supply)`, `slope` the own slope `dz_j/dp_j` of the signal, or None where no piece
    asked for it. Steps are in `ln p` where `multiplicative`, else in `p`.
    """

    prices: Array
    signal: Array
    scale: Array
    slope: Array | None
    multiplicative: bool


class Piece(Protocol):
    """One link of the chain: `step(step, quote, memory) -> (step, memory)`, steps `(goods,)`."""

    meaning: ClassVar[str]
    information: ClassVar[str]

    def start(self, goods: int, steps: int = 0) -> Memo:
        """The memory after `steps` ticks at rest; before the first tick by default."""
        ...

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        """The step after this piece, and what the piece remembers."""
        ...


@dataclass(frozen=True)
class Relative:
    """`step / s`: excess demand per unit of the larger of demand and supply; 0 where both are 0."""

    meaning: ClassVar = "step / s, s = max(demand, supply): per unit of what is traded; part of multiplicative"
    information: ClassVar = "local"

    def start(self, goods: int, steps: int = 0) -> Memo:
        return NOTHING

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        # Where nobody plans to trade the step is 0 already; the smallest number only keeps 0/0 from arising.
        return step / np.maximum(quote.scale, 1e-300), memory


@dataclass(frozen=True)
class OwnSlope:
    """`step / |dz/dp|`, or `step / (p |dz/dp|)` where multiplicative: the step per unit of the signal's own slope.

    At rate 1 every market takes the Newton step that would clear it if no other price moved: Jacobi's method. A slope
    flatter than `0.1 s/p` counts as that, so that no price moves further than `10 rate p` (`10 rate` in `ln p`).
    """

    meaning: ClassVar = "step / |dz/dp|, or step / (p |dz/dp|) where multiplicative: each market's own Newton step"
    information: ClassVar = "own slope"

    def start(self, goods: int, steps: int = 0) -> Memo:
        return NOTHING

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        steep = steepness(quote.prices, quote.scale, quote.slope)
        if quote.multiplicative:
            steep = quote.prices * steep
        # Where there is no slope at all (nobody plans to trade, or a flat signal at a price of 0) there is no step.
        return np.divide(step, steep, out=np.zeros(step.shape), where=steep > 1e-300), memory


@dataclass(frozen=True)
class Clip:
    """`max(-limit, min(limit, step))`: no price moves further in a tick (in its logarithm where multiplicative)."""

    limit: float
    meaning: ClassVar = "max(-limit, min(limit, step)): no price moves further in a tick (in ln p where multiplicative)"
    information: ClassVar = "local"

    def start(self, goods: int, steps: int = 0) -> Memo:
        return NOTHING

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        return np.clip(step, -self.limit, self.limit), memory


@dataclass(frozen=True)
class Momentum:
    """`v <- decay * v + step`: Polyak's heavy ball; the step becomes `v`."""

    decay: float
    meaning: ClassVar = "v <- decay v + step, step <- v: part of the last step is carried on"
    information: ClassVar = "local"

    def start(self, goods: int, steps: int = 0) -> Memo:
        return np.zeros(goods)

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        velocity = self.decay * memory + step
        return velocity, velocity


@dataclass(frozen=True)
class Decay:
    """`(1 + t/over)^-power * step`, `t` the number of steps taken so far: steps that shrink as time goes on.

    Up to a power of 1 prices can still go any distance; they settle where demand jumps at a kink, and with a power
    above 1/2 where it is noisy too (Robbins and Monro, 1951).
    """

    power: float
    over: float = 1.0
    meaning: ClassVar = "(1 + t/over)^-power step, t the steps taken so far: steps shrink as time goes on"
    information: ClassVar = "local"

    def start(self, goods: int, steps: int = 0) -> Memo:
        return np.array([steps], dtype=np.int64)

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        return step * (1.0 + int(memory[0]) / self.over) ** -self.power, memory + 1


PIECES: dict[str, type[Piece]] = {
    "relative": Relative,
    "own_slope": OwnSlope,
    "clip": Clip,
    "momentum": Momentum,
    "decay": Decay,
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
    them.
    """

    form: str
    rate: float
    pieces: tuple[Piece, ...]
    floor: Array
    fixed: NDArray[np.bool_]

    @cached_property
    def chain(self) -> tuple[Piece, ...]:
        """The pieces in order; the multiplicative form begins with `Relative` unless it goes by the own slope."""
        return self.pieces if self.form == "additive" or self.needs_slope else (Relative(), *self.pieces)

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

    def start(self, steps: int = 0) -> Memory:
        """The memory of the chain after `steps` ticks at rest; before the first tick by default."""
        return tuple(piece.start(len(self.fixed), steps) for piece in self.chain)

    def next_prices(
        self, prices: Array, signal: Array, scale: Array, memory: Memory, slope: Array | None = None
    ) -> tuple[Array, Memory]:
        """Prices after one adjustment, `(goods,)`, and the chain's memory; nothing is changed in place.

        `slope` `(goods,)` is `dz_j/dp_j` of the signal, the diagonal of its Jacobian. Raises ValueError if it is
        missing where `needs_slope`.
        """
        multiplicative = self.form == "multiplicative"
        quote = Quote(prices, signal, scale, slope, multiplicative)
        step = self.rate * signal
        step[self.fixed] = 0.0
        remembered: list[Memo] = []
        for piece, memo in zip(self.chain, memory, strict=True):
            step, memo = piece.step(step, quote, memo)
            remembered.append(memo)
        moved = prices * np.exp(step) if multiplicative else prices + step
        moved = np.maximum(moved, self.floor)
        moved[self.fixed] = prices[self.fixed]
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


def widest(pieces: Iterable[Piece]) -> str:
    """The most that any of the pieces uses, one of `INFORMATION`; a signal alone is local."""
    return max((piece.information for piece in pieces), key=INFORMATION.index, default="local")


def steepness(prices: Array, scale: Array, slope: Array | None) -> Array:
    """`max(|dz/dp|, 0.1 s/p)` per good, `(..., goods)`; `|dz/dp|` alone where the price is not positive.

    Raises ValueError if the slope is missing.
    """
    if slope is None:
        raise ValueError("own_slope needs the signal's own slopes: pass `slope` where `rule.needs_slope`")
    flattest = np.divide(FLATTEST * scale, prices, out=np.zeros(np.shape(prices)), where=prices > 0)
    # A slope that is not a number (0/0 where nothing is traded) is no slope: fmax takes the other.
    return np.fmax(np.abs(slope), flattest)
