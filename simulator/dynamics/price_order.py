"""Which prices move at a tick: one after another, or some by chance, in the place of all at once.

Prices that wait keep still, and what the pieces remember of them too. Chance is drawn from the seed and the tick alone:
a run taken up again, or a gradient path beside the market, gets the same draws.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Goods = NDArray[np.intp]
"""Places of goods."""

NEVER = 1e-9
"""What is less likely than this is not waited for."""

_SWEEPS, _COINS = 8, 9
"""The streams of the run's seed: the order of a sweep, and who moves at a tick."""


class PriceOrder(ABC):
    """Which of the free prices move at a tick."""

    meaning: ClassVar[str]
    information: ClassVar[str] = "local"
    searched: ClassVar[Mapping[str, str]] = {}

    def cycle(self, free: int) -> int | None:
        """After how many ticks as many prices are moved in the same way again; None where chance decides."""
        return None

    @abstractmethod
    def wait(self, free: int) -> int:
        """For how many ticks one of as many prices may wait until it moves, at most but for a chance of `NEVER`."""

    @abstractmethod
    def turn(self, free: Goods, tick: int, seed: int) -> Goods:
        """Those of the `free` goods whose prices move at a tick."""


@dataclass(frozen=True)
class Sequential(PriceOrder):
    """One price a tick, in the order of the goods (Gauss and Seidel, where `own_slope` sets the step)."""

    meaning: ClassVar = (
        "one price moves at a tick, good after good; a sweep takes as many ticks as there are free prices"
    )

    def cycle(self, free: int) -> int | None:
        return max(free, 1)

    def wait(self, free: int) -> int:
        return max(free - 1, 0)

    def turn(self, free: Goods, tick: int, seed: int) -> Goods:
        return free[[tick % len(free)]]


@dataclass(frozen=True)
class RandomOrder(PriceOrder):
    """One price a tick, each once in a sweep, in an order drawn afresh for every sweep."""

    meaning: ClassVar = "one price moves at a tick, each once in a sweep, whose order is drawn afresh"

    def wait(self, free: int) -> int:
        """First in a sweep and last in the next."""
        return 2 * max(free - 1, 0)

    def turn(self, free: Goods, tick: int, seed: int) -> Goods:
        sweep, place = divmod(tick, len(free))
        return free[[_stream(seed, _SWEEPS, sweep).permutation(len(free))[place]]]


@dataclass(frozen=True)
class Bernoulli(PriceOrder):
    """Each price moves with `probability`, all independently of one another and of the past."""

    probability: Annotated[float, Field(gt=0, le=1, description="probability that a price moves at a tick")]
    meaning: ClassVar = "each price moves at a tick with this probability, else it waits"

    def wait(self, free: int) -> int:
        return 0 if self.probability == 1.0 else math.ceil(math.log(NEVER) / math.log1p(-self.probability))

    def turn(self, free: Goods, tick: int, seed: int) -> Goods:
        return free[_stream(seed, _COINS, tick).random(len(free)) < self.probability]


def _stream(seed: int, stream: int, number: int) -> np.random.Generator:
    """Draws that depend on nothing but the seed, the stream and a number."""
    return np.random.Generator(np.random.Philox(key=_key(seed, stream), counter=np.array([0, 0, 0, number], np.uint64)))


@lru_cache(maxsize=8)
def _key(seed: int, stream: int) -> NDArray[np.uint64]:
    return np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(2, np.uint64).astype(np.uint64)
