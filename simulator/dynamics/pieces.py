"""The links a price rule is made of: each changes the step, and may remember something for the next tick.

Most are optimisers under their usual names. A piece sees the step of every price, what came of quoting them, and its
own memory; which prices a piece may look at is its `information`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.economics.forms import Array
from simulator.kinds.entry import Whole

Memo = NDArray[Any]
"""What a piece remembers: a flat array, empty for a piece without memory. Whole numbers (`int64`) count ticks; floats
are part of the state that a perturbation moves. Where prices take turns, memories made of a number per good or several
(good after good, then again) change only for goods whose turn it is.
"""

NOTHING = np.zeros(0)

Ticks = Annotated[Whole, Field(ge=1, le=1000)]
Late = Annotated[Whole, Field(ge=0, le=1000)]

INFORMATION = ("local", "own slope", "global")
"""What a market must know to set its price, from least to most: its own demand and supply; also how fast its own
excess demand falls with its own price; or something of other markets.
"""

FLATTEST = 0.1
"""An own elasticity `|dz/dp| p/s` below this counts as this: where demand hardly reacts, no step grows without end."""


class Quote(NamedTuple):
    """What came of quoting `prices`, `(goods,)` each: all that a piece may look at beside the step.

    `scale` is `s = max(demand, supply)`; prices that are not `free` never move. `jacobian` `(goods, goods)` is that of
    the signal, `dz_i/dp_j`, and `metric` `(goods,)` the weights `G` in which the scaled signal descends
    (`PriceRule.metric`): None where no piece asked for them. Steps are in `ln p` where `multiplicative`, else in `p`;
    prices will not go below `floor`, nor above `cap` if any has one. `tick` is the number of ticks before this one, and
    the chain began with `rate * signal`.
    """

    prices: Array
    signal: Array
    scale: Array
    jacobian: Array | None
    metric: Array | None
    multiplicative: bool
    floor: Array
    cap: Array | None
    free: NDArray[np.bool_]
    tick: int
    rate: float

    @property
    def slope(self) -> Array | None:
        """Each signal's own slope `dz_j/dp_j`, `(goods,)`; None where no piece asked for it."""
        return None if self.jacobian is None else self.jacobian.diagonal()


class Piece(ABC):
    """One link of the chain: `step(step, quote, memory) -> (step, memory)`, steps `(goods,)`.

    A piece whose information is its own slope finds `quote.slope`; any other that asks for the Jacobian says so by
    `needs_jacobian: ClassVar = True`. One from outside need not derive from this.
    """

    meaning: ClassVar[str]
    information: ClassVar[str] = "local"
    cycle: ClassVar[int | None] = 1
    """After how many ticks the step is made in the same way again; None of one that is no smooth function of the signal
    and the memory.
    """
    searched: ClassVar[Mapping[str, str]] = {}
    """The numbers that a search for good steps tries, by parameter ("" where one is written alone), each with the kind
    of its range: `size`, `part`, `ticks`, `long`, `least`. How late or how seldom a market moves is no choice of its
    own.
    """

    def start(self, goods: int, steps: int = 0) -> Memo:
        """The memory after `steps` ticks at rest; before the first tick by default. Nothing is remembered unless a
        piece says so.
        """
        return NOTHING

    @abstractmethod
    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        """The step after this piece, and what the piece remembers."""


class WithMemory(Piece):
    """A piece that remembers one number per good, 0 at first and at rest."""

    def start(self, goods: int, steps: int = 0) -> Memo:
        return np.zeros(goods)


@dataclass(frozen=True)
class Relative(Piece):
    """`step / s`: excess demand per unit of the larger of demand and supply, 0 where both are 0; of supply alone where
    demand jumps (linear tastes).
    """

    meaning: ClassVar = "step / s, s = max(demand, supply): per unit of what is traded; part of multiplicative"

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        # Where nobody plans to trade the step is 0 already; the smallest number only keeps 0/0 from arising.
        return step / np.maximum(quote.scale, 1e-300), memory


@dataclass(frozen=True)
class OwnSlope(Piece):
    """`step / |dz/dp|`, or `step / (p |dz/dp|)` where multiplicative: the step per unit of the signal's own slope.

    At rate 1 every market takes the Newton step that would clear it if no other price moved: Jacobi's method. A slope
    flatter than `0.1 s/p` counts as that, so that no price moves further than `10 rate p` (`10 rate` in `ln p`).
    """

    meaning: ClassVar = "step / |dz/dp|, or step / (p |dz/dp|) where multiplicative: each market's own Newton step"
    information: ClassVar = "own slope"

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        steep = steepness(quote.prices, quote.scale, quote.slope)
        if quote.multiplicative:
            steep = quote.prices * steep
        # Where there is no slope at all (nobody plans to trade, or a flat signal at a price of 0) there is no step.
        return np.divide(step, steep, out=np.zeros(step.shape), where=steep > 1e-300), memory


@dataclass(frozen=True)
class Clip(Piece):
    """`max(-limit, min(limit, step))`: no price moves further in a tick (in its logarithm where multiplicative)."""

    limit: Annotated[float, Field(gt=0, description="the largest step")]
    meaning: ClassVar = "max(-limit, min(limit, step)): no price moves further in a tick (in ln p where multiplicative)"
    searched: ClassVar = {"": "size"}

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        return np.clip(step, -self.limit, self.limit), memory


@dataclass(frozen=True)
class Momentum(WithMemory):
    """`v <- decay * v + step`: the heavy ball; the step becomes `v` (Polyak, 1964).

    A negative `decay` takes part of the last step back (Gidel and others, 2019).
    """

    decay: Annotated[float, Field(gt=-1, lt=1, description="part of the last step carried on, or taken back")]
    meaning: ClassVar = "v <- decay v + step, step <- v: part of the last step is carried on, or taken back if negative"
    searched: ClassVar = {"": "part"}

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        velocity = self.decay * memory + step
        return velocity, velocity


@dataclass(frozen=True)
class Nesterov(WithMemory):
    """`v <- decay * v + step`, `step <- step + decay * v`: momentum that looks ahead.

    Prices quoted are those ahead, `y = x + decay (x - x_last)`, so that a tick asks for excess demand once (Nesterov,
    1983; in this form Sutskever and others, 2013).
    """

    decay: Annotated[float, Field(ge=0, lt=1, description="part of the last step carried on, quoted a step ahead")]
    meaning: ClassVar = "v <- decay v + step, step <- step + decay v: momentum that is quoted a step ahead"
    searched: ClassVar = {"": "part"}

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        velocity = self.decay * memory + step
        return step + self.decay * velocity, velocity


@dataclass(frozen=True)
class RMSprop(WithMemory):
    """`v <- decay * v + (1 - decay) g^2`, `step <- step / (sqrt(v) + epsilon)` with `g = step / rate`.

    Every price moves by about `rate`, however large its signal; where the signal shrinks below `epsilon` (in its own
    unit, per unit of `s` where relative) steps shrink with it (Tieleman and Hinton, 2012).
    """

    decay: Annotated[float, Field(ge=0, lt=1, description="how much of the mean square is kept in a tick")] = 0.9
    epsilon: Annotated[float, Field(gt=0, description="signals much smaller than this move prices less")] = 1e-8
    meaning: ClassVar = "v <- decay v + (1 - decay) g^2, step <- step / (sqrt(v) + epsilon), g = step / rate"
    searched: ClassVar = {"epsilon": "least"}

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        square = self.decay * memory + (1.0 - self.decay) * (step / quote.rate) ** 2
        # Never below 0, unless a memory has been perturbed.
        return step / (np.sqrt(np.maximum(square, 0.0)) + self.epsilon), square


@dataclass(frozen=True)
class Adam(Piece):
    """`m <- beta1 m + (1 - beta1) g`, `v <- beta2 v + (1 - beta2) g^2`, `step <- rate m / (sqrt(v) + epsilon)`.

    `g = step / rate`; `m` and `v` are divided by what their weights add up to, `1 - beta^t` after `t` steps of the
    good. `epsilon` is in the unit of `g`: with a small one the steps near rest are as large as far away, and prices
    hover (Kingma and Ba, 2015).
    """

    beta1: Annotated[float, Field(ge=0, lt=1, description="how much of the mean is kept in a tick")] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="how much of the mean square is kept in a tick")] = 0.999
    epsilon: Annotated[float, Field(gt=0, description="signals much smaller than this move prices less")] = 1e-8
    meaning: ClassVar = (
        "m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2, step <- rate m / (sqrt(v) + epsilon), unbiased"
    )
    searched: ClassVar = {"beta1": "part"}

    def start(self, goods: int, steps: int = 0) -> Memo:
        weights = [1.0 - self.beta1**steps, 1.0 - self.beta2**steps]
        return np.concatenate([np.zeros(2 * goods), np.repeat(weights, goods)])

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        mean, square, of_mean, of_square = memory.reshape(4, -1)
        slope = step / quote.rate
        mean = self.beta1 * mean + (1.0 - self.beta1) * slope
        square = self.beta2 * square + (1.0 - self.beta2) * slope**2
        of_mean = self.beta1 * of_mean + (1.0 - self.beta1)
        of_square = self.beta2 * of_square + (1.0 - self.beta2)
        # Never below 0, unless a memory has been perturbed.
        size = np.sqrt(np.maximum(square / of_square, 0.0)) + self.epsilon
        return quote.rate * (mean / of_mean) / size, np.concatenate([mean, square, of_mean, of_square])


@dataclass(frozen=True)
class PD(WithMemory):
    """`step + weight * (step - last step)`: a derivative term beside the proportional one.

    At weight 1 the optimistic gradient (Popov, 1980; Daskalakis and others, 2018). The step before the first is 0.
    """

    weight: Annotated[float, Field(ge=0, description="weight of the step's last change; 1 is the optimistic gradient")]
    meaning: ClassVar = "step + weight (step - last step): a derivative term, at weight 1 the optimistic gradient"
    searched: ClassVar = {"": "size"}

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        return step + self.weight * (step - memory), step


@dataclass(frozen=True)
class Extragradient(WithMemory):
    """A trial quote first: from base prices to the trial by the step there, then to base prices + the trial's step.

    A full step takes two ticks, with one look at excess demand each: the first moves by `step1`, the second by
    `step2 - step1`. Pieces before it act on both; none comes after it (Korpelevich, 1976).
    """

    meaning: ClassVar = (
        "in turn step1 (a trial) and step2 - step1: from where it was, by the step at the trial; two ticks a step"
    )
    cycle: ClassVar[int | None] = 2

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        if quote.tick % 2:
            return step - memory, np.zeros(len(step))
        # How far the trial can go is what must be taken back.
        trial = np.maximum(step, self._room(quote, quote.floor))
        return step, trial if quote.cap is None else np.minimum(trial, self._room(quote, quote.cap))

    def _room(self, quote: Quote, bound: Array) -> Array:
        return np.log(np.maximum(bound, 1e-300) / quote.prices) if quote.multiplicative else bound - quote.prices


@dataclass(frozen=True)
class Averaging(WithMemory):
    """The price quoted is the mean of all iterates, and the iterate moves by the signal there: primal averaging.

    With `x <- x + step` the step becomes `(x - p) / (t + 2)`, `t` the ticks before: `p` is the mean of `x_0 .. x_t`,
    geometric where multiplicative. The iterates themselves know no floor (Nesterov and Shikhman, 2015).
    """

    meaning: ClassVar = "x <- x + step, step <- (x - p) / (t + 2): the price is the mean of all iterates x"

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        ahead = memory + step
        moved = ahead / (quote.tick + 2)
        return moved, ahead - moved


@dataclass(frozen=True)
class Delay(Piece):
    """`step(t - d)`, 0 for the first `d` ticks: markets that hear late, each by the prices of `own` and `neighbours`.

    The signal of a market is `z_j` at its own price of `own` ticks ago and all others of `neighbours` ticks ago (as
    many, unless said): `d` is the smaller of both, and what one is later than the other is the `lag` of the prices it
    is asked at. Before the first tick prices were the first ones.
    """

    own: Annotated[Late, Field(description="ticks until a market sees its own price, or takes its step")]
    neighbours: Annotated[Late | None, Field(description="ticks until it sees the prices of all others")] = None
    number: ClassVar = "ticks"
    meaning: ClassVar = (
        "the step of so many ticks ago; with {own, neighbours}, z_j at its own and all others' prices of these ages"
    )

    @property
    def ticks(self) -> int:
        """By how much the step is late."""
        return self.own if self.neighbours is None else min(self.own, self.neighbours)

    @property
    def lag(self) -> tuple[int, int]:
        """How old its own price is, and how old the others' are, when a market is asked for its step."""
        neighbours = self.own if self.neighbours is None else self.neighbours
        return self.own - self.ticks, neighbours - self.ticks

    def start(self, goods: int, steps: int = 0) -> Memo:
        return np.zeros(self.ticks * goods)

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        queue = np.concatenate([memory, step])
        return queue[: len(step)], queue[len(step) :]


@dataclass(frozen=True)
class Decay(Piece):
    """`(1 + t/over)^-power * step`, `t` the number of ticks so far: steps that shrink as time goes on.

    Up to a power of 1 prices can still go any distance; they settle where demand jumps at a kink, and with a power
    above 1/2 where it is noisy too (Robbins and Monro, 1951).
    """

    power: Annotated[float, Field(ge=0, description="the step is multiplied by (1 + t/over)^-power after t ticks")]
    over: Annotated[float, Field(gt=0, description="ticks in which the shrinking sets in")] = 1.0
    meaning: ClassVar = "(1 + t/over)^-power step, t the ticks so far: steps shrink as time goes on"
    searched: ClassVar = {"": "size", "over": "size"}

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        return step * (1.0 + quote.tick / self.over) ** -self.power, memory


@dataclass(frozen=True)
class Warmup(Piece):
    """`min(1, (t + 1)/ticks) * step`, `t` the number of ticks so far: steps that grow to their size."""

    ticks: Annotated[Ticks, Field(description="ticks in which steps grow to their size")]
    meaning: ClassVar = "min(1, (t + 1)/ticks) step, t the ticks so far: steps grow to their size"
    searched: ClassVar = {"": "ticks"}

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        return step * min(1.0, (quote.tick + 1) / self.ticks), memory


@dataclass(frozen=True)
class Cosine(Piece):
    """`(floor + (1 - floor) (1 + cos(pi t/ticks))/2) * step`, from `ticks` on `floor * step`: annealing.

    Without restarts; at a floor of 0 prices stand still in the end, wherever they are (Loshchilov and Hutter, 2017).
    """

    ticks: Annotated[Whole, Field(ge=1, description="ticks in which steps shrink")]
    floor: Annotated[float, Field(ge=0, le=1, description="part of the step that is left in the end")] = 0.1
    meaning: ClassVar = "(floor + (1 - floor) (1 + cos(pi t/ticks))/2) step, floor step from t = ticks on: annealing"
    searched: ClassVar = {"": "long", "ticks": "long"}

    def step(self, step: Array, quote: Quote, memory: Memo) -> tuple[Array, Memo]:
        turned = 0.5 + 0.5 * np.cos(math.pi * min(1.0, quote.tick / self.ticks))
        return step * (self.floor + (1.0 - self.floor) * turned), memory


def steepness(prices: Array, scale: Array, slope: Array | None) -> Array:
    """`max(|dz/dp|, 0.1 s/p)` per good, `(..., goods)`; `|dz/dp|` alone where the price is not positive.

    Raises ValueError if the slope is missing.
    """
    if slope is None:
        raise ValueError("own_slope needs the signal's own slopes: pass `slope` where `rule.by_own_slope`")
    flattest = np.divide(FLATTEST * scale, prices, out=np.zeros(np.shape(prices)), where=prices > 0)
    steep = np.abs(slope)
    # A slope that is not a number (0/0 where nothing is traded) is no slope.
    return np.where(steep > flattest, steep, flattest)


def needs_jacobian(piece: Any) -> bool:
    """Whether a piece, or a class of them, must be told how the signal changes with prices."""
    return piece.information == "own slope" or getattr(piece, "needs_jacobian", False)
