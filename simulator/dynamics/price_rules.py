"""How a signal moves prices: a chain of small frozen pieces whose memory goes in and comes out.

The signal is excess demand `z` `(goods,)`, or minus the gradient of a potential in its place: the rule does not know
which. `step = rate * signal` (per unit of `s` or of its own slope where a piece says so), then each piece in turn,
then the form applies the step:

    additive         p <- max(p + step, floor)
    multiplicative   p <- max(p * exp(step), floor),  step = rate * z/s unless it goes by the own slope

and prices that have bounds by law are brought back within them. Fixed prices (the numeraire, goods with an outside
price) never move, nor do prices whose turn it is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.global_pieces import Anderson, Consensus, Newton, Symplectic
from simulator.dynamics.pieces import (
    INFORMATION,
    PD,
    Adam,
    Averaging,
    Clip,
    Cosine,
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
    needs_jacobian,
    steepness,
)
from simulator.dynamics.price_order import Bernoulli, PriceOrder, RandomOrder, Sequential
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.price_bounds import PriceBounds
from simulator.economics.unknowns import Unknowns
from simulator.formulas.searches import traced_or_called

Memory = tuple[Memo, ...]
"""What a rule remembers between ticks: how many there were, an array per piece of its chain, and past prices, tick
after tick, where markets hear of some prices later than of others.
"""

PIECES: dict[str, type[Piece] | type[PriceOrder]] = {
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
    "cosine": Cosine,
    "anderson": Anderson,
    "newton": Newton,
    "symplectic": Symplectic,
    "consensus": Consensus,
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
    pieces: tuple[Piece | PriceOrder, ...]
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
    "gauss_seidel": Recipe(
        "multiplicative",
        (OwnSlope(), Sequential()),
        "one price a tick, p *= exp(rate z / (p |dz/dp|)): each market's own Newton step, at what the last one left",
        "Ortega, Rheinboldt (1970)",
    ),
    "nesterov": Recipe(
        "additive",
        (Nesterov(0.9),),
        "v = 0.9 v + rate z, p += rate z + 0.9 v: the heavy ball, quoted a step ahead",
        "Nesterov (1983); Sutskever and others (2013)",
    ),
    "rmsprop": Recipe(
        "multiplicative",
        (RMSprop(epsilon=0.1),),
        "v = 0.9 v + 0.1 (z/s)^2, p *= exp(rate z/s / (sqrt(v) + 0.1)): steps of about the rate, smaller near rest",
        "Tieleman, Hinton (2012), with a large epsilon",
    ),
    "adam": Recipe(
        "multiplicative",
        (Adam(epsilon=0.1),),
        "p *= exp(rate m / (sqrt(v) + 0.1)), m and v the means of z/s and its square over 10 and 1000 ticks",
        "Kingma, Ba (2015), with a large epsilon",
    ),
    "optimistic": Recipe(
        "additive",
        (PD(1.0),),
        "p += rate (2 z - last z): a step along what excess demand will be if it changes as it last did",
        "Popov (1980); Daskalakis and others (2018)",
    ),
    "extragradient": Recipe(
        "additive",
        (Extragradient(),),
        "a trial p + rate z first, then from p by rate times z at the trial: two ticks a step",
        "Korpelevich (1976)",
    ),
    "negative_momentum": Recipe(
        "multiplicative",
        (Momentum(-0.5), Sequential()),
        "one price a tick, and half of its last step taken back: settles rotation, in turns alone",
        "Gidel and others (2019)",
    ),
    "primal_averaging": Recipe(
        "additive",
        (Averaging(),),
        "x += rate z at p, p the mean of all x so far: slow, and hardly to be shaken",
        "Nesterov, Shikhman (2015)",
    ),
    "anderson": Recipe(
        "multiplicative",
        (Anderson(),),
        "a secant model of the whole market from the last five changes of prices and steps",
        "Anderson (1965)",
    ),
    "newton": Recipe(
        "multiplicative",
        (Newton(), Clip(1.0)),
        "p *= exp(-rate (J p)^-1 z), J = dz/dp, no price by more than a factor of e: at rate 1 all markets together",
        "Smale (1976)",
    ),
    "symplectic": Recipe(
        "multiplicative",
        (Symplectic(1.0),),
        "p *= exp(rate (z/s + A z/s)), A the antisymmetric part of the Jacobian in the value metric",
        "Balduzzi and others (2018); Letcher and others (2019)",
    ),
    "consensus": Recipe(
        "multiplicative",
        (Consensus(1.0),),
        "p *= exp(rate (z/s - J' z/s)), J' the Jacobian's transpose in the value metric",
        "Mescheder, Nowozin, Geiger (2017)",
    ),
}
"""Famous names. `scheduler: {rule: name, rate: ...}` is the recipe's form and pieces."""


@dataclass(frozen=True)
class PriceRule:
    """A rate, a chain of pieces and a form; `floor` `(goods,)` keeps numbers in range from below, `fixed` `(goods,)`
    holds prices. At most one of the pieces says which prices move at a tick; chance is drawn from `seed`.
    """

    form: str
    rate: float
    pieces: tuple[Piece | PriceOrder, ...]
    floor: Array
    fixed: NDArray[np.bool_]
    seed: int = field(default=0, compare=False)

    @cached_property
    def chain(self) -> tuple[Piece, ...]:
        """The pieces that change the step, in order; the multiplicative form begins with `Relative` unless it goes by
        the own slope.
        """
        pieces = tuple(piece for piece in self.pieces if not isinstance(piece, PriceOrder))
        return pieces if self.form == "additive" or self.by_own_slope else (Relative(), *pieces)

    @cached_property
    def price_order(self) -> PriceOrder | None:
        """Which prices move at a tick; None where all move at once."""
        return next((piece for piece in self.pieces if isinstance(piece, PriceOrder)), None)

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which prices may move, `(goods,)`."""
        return ~self.fixed

    def unknowns(self, economy: Economy) -> Unknowns:
        """What is to be found for the markets of an economy to clear, given the prices held fixed and the floors."""
        return Unknowns(economy, self.fixed, self.lowest(economy.bounds))

    def lowest(self, bounds: PriceBounds | None) -> Array:
        """How far prices within `bounds` may fall, `(goods,)`."""
        return self.floor if bounds is None else np.maximum(self.floor, bounds.floor)

    @property
    def relative(self) -> bool:
        """Whether the signal is taken per unit of `s`."""
        return any(isinstance(piece, Relative) for piece in self.chain)

    @cached_property
    def by_own_slope(self) -> bool:
        """Whether the signal is taken per unit of its own slope."""
        return any(piece.information == "own slope" for piece in self.pieces)

    @cached_property
    def needs_jacobian(self) -> bool:
        """Whether `next_prices` must be given the signal's Jacobian."""
        return any(needs_jacobian(piece) for piece in self.pieces)

    @cached_property
    def lag(self) -> tuple[int, int]:
        """How many ticks ago a market's own price, and all others, were those that its signal is asked at."""
        lags = [piece.lag for piece in self.chain if isinstance(piece, Delay)]
        return sum(own for own, _ in lags), sum(others for _, others in lags)

    @property
    def wait(self) -> int:
        """For how many ticks a price may stand still though its step is not 0: until it hears, and until its turn."""
        turns = 0 if self.price_order is None else self.price_order.wait(len(self._free))
        return turns + sum(piece.ticks for piece in self.chain if isinstance(piece, Delay)) + max(self.lag)

    @property
    def evaluations(self) -> int:
        """How often a tick asks for excess demand: once, and once more for each free price where markets differ in the
        prices they have heard of.
        """
        return 1 + (len(self._free) if any(self.lag) else 0)

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
        cycles.append(1 if self.price_order is None else self.price_order.cycle(len(self._free)))
        known = [cycle for cycle in cycles if cycle is not None]
        return math.lcm(*known) if len(known) == len(cycles) else None

    def start(self, steps: int = 0, prices: Array | None = None) -> Memory:
        """The memory of the chain after `steps` ticks at rest at `prices` `(goods,)`; before the first tick by default.

        Raises ValueError if prices are missing where there is a `lag`.
        """
        memos = (piece.start(len(self.fixed), steps) for piece in self.chain)
        if not any(self.lag):
            return np.array([steps], dtype=np.int64), *memos
        if prices is None:
            raise ValueError("markets that hear late need the first prices: pass `prices` where `rule.lag`")
        return np.array([steps], dtype=np.int64), *memos, np.tile(prices, max(self.lag))

    def observed_prices(self, prices: Array, memory: Memory) -> Array | None:
        """The prices that each market goes by, `(goods, goods)`, a row for each; None where all go by `prices`.

        A signal whose entry `j` is that of the market `j` at the row `j` is what `next_prices` is then to be given, and
        its scale likewise; the Jacobian stays that at `prices`.
        """
        own, others = self.lag
        if own == others == 0:
            return None
        known = np.concatenate([memory[-1], prices]).reshape(-1, len(prices))
        return np.where(np.eye(len(prices), dtype=bool), known[-1 - own], known[-1 - others])

    def next_prices(
        self,
        prices: Array,
        signal: Array,
        scale: Array,
        memory: Memory,
        jacobian: Array | None = None,
        bounds: PriceBounds | None = None,
    ) -> tuple[Array, Memory]:
        """Prices after one adjustment, `(goods,)`, within `bounds` if there are any, and the chain's memory; nothing is
        changed in place.

        `jacobian` `(goods, goods)` is `dz_i/dp_j` of the signal. Raises ValueError if it is missing where
        `needs_jacobian`.
        """
        if self.needs_jacobian and jacobian is None:
            raise ValueError("this rule needs the signal's Jacobian: pass `jacobian` where `rule.needs_jacobian`")
        count, memos, past = memory[0], memory[1 : 1 + len(self.chain)], memory[1 + len(self.chain) :]
        tick, multiplicative = count[0].item(), self.form == "multiplicative"
        metric = None if jacobian is None else self.metric(prices, scale, jacobian.diagonal())
        floor, cap = self.lowest(bounds), None if bounds is None else bounds.cap
        quote = Quote(prices, signal, scale, jacobian, metric, multiplicative, floor, cap, self.free, tick, self.rate)
        held = traced_or_called(self._held, "the order in which prices move")(tick)
        step = self.rate * signal
        step[self.fixed] = 0.0
        remembered: list[Memo] = [count + 1]
        for piece, memo in zip(self.chain, memos, strict=True):
            step, after = traced_or_called(piece.step, f"the piece {type(piece).__name__}")(step, quote, memo)
            remembered.append(after if self.price_order is None else _kept(memo, after, held))
        moved = prices * np.exp(step) if multiplicative else prices + step
        moved = np.maximum(moved, floor) if cap is None else np.minimum(np.maximum(moved, floor), cap)
        moved = np.where(held, prices, moved)
        remembered += [np.concatenate([known, prices])[len(prices) :] for known in past]
        return moved, tuple(remembered)

    def metric(self, prices: Array, scale: Array, slope: Array | None = None) -> Array:
        """Weights `w` `(..., goods)` of the inner product `sum w a b` in which a step along the signal descends.

        A plain step moves prices by `rate * signal`: Euclidean. Relative steps divide by `s`, and multiplicative
        ones move `p` by `p * step`: descent in the value metric `G = diag(s/p)`. Steps by the own slope descend in
        the signal's own slopes `diag |dz/dp|`, given by `slope` `(..., goods)`: the diagonal of the Jacobian.
        """
        if self.by_own_slope:
            return steepness(prices, scale, slope)
        weights = scale if self.relative else np.ones(np.shape(prices))
        return weights / prices if self.form == "multiplicative" else weights

    @cached_property
    def _free(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.free)

    def _held(self, tick: int) -> NDArray[np.bool_]:
        """Which prices do not move at a tick, `(goods,)`."""
        if self.price_order is None or not len(self._free):
            return self.fixed
        held = np.ones(len(self.fixed), dtype=bool)
        held[self.price_order.turn(self._free, int(tick), self.seed)] = False
        return held


def _kept(before: Memo, after: Memo, held: NDArray[np.bool_]) -> Memo:
    """A memory after a tick in which some goods were held: theirs is as before, where there is a number per good."""
    if after.dtype.kind != "f" or len(after) % len(held):
        return after
    return np.where(held, before.reshape(-1, len(held)), after.reshape(-1, len(held))).ravel()


def widest(pieces: Iterable[Piece | PriceOrder]) -> str:
    """The most that any of the pieces uses, one of `INFORMATION`; a signal alone is local."""
    return max((piece.information for piece in pieces), key=INFORMATION.index, default="local")
