"""How a run ends: cleared, cycled, diverged, settled off equilibrium, out of ticks. Each verdict has its facts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple

import numpy as np

from simulator.dynamics.orbits import Orbit, Ranges
from simulator.dynamics.transition import StateT, TickT, Transition
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.sentences import Facts

BOUND = 1e12
"""A price or activity level this many times the largest initial one has left every bound."""
STILL = 1e-12
"""Relative change below which a price stands still."""
STILL_TICKS = 100
"""For how many ticks prices must stand still to count as settled, beside those for which they may merely wait."""


class Verdict(NamedTuple):
    """An outcome, the facts that tell why, with `details` of single goods or accounts, and for cycles their period in
    ticks and amplitude (half the swing over the mid price, or in a market that learns, where prices may have any sign,
    half the swing itself), and the prices `(goods,)` in the middle.
    """

    outcome: str
    facts: Facts
    details: Sequence[Facts] = ()
    period: float | None = None
    amplitude: float | None = None
    centre: Array | None = None


class Watch(NamedTuple):
    """Which ticks need not be looked at: those with a larger `residual` and no `price` above a bound."""

    residual: float
    price: float


class VerdictRule(ABC, Generic[StateT, TickT]):
    """Names the outcome of a run from its ticks, never touching them. It may remember some of them."""

    @abstractmethod
    def verdict(self, now: Transition[StateT, TickT]) -> Verdict | None:
        """The verdict if the run is over after the tick just observed, None while it may go on."""

    @abstractmethod
    def close(self, now: Transition[StateT, TickT]) -> Verdict:
        """The verdict once ticks have run out."""

    def observe(self, now: Transition[StateT, TickT]) -> None:
        """Take note of a tick."""

    @property
    def watch(self) -> Watch | None:
        """Which ticks it need not be asked about; None if it is to be asked about each."""
        return None

    def pass_over(self, economy: Economy, prices: Array) -> None:
        """Take note of ticks that are not looked at, by their prices `(ticks, goods)`."""

    def change_economy(self, tick: int) -> None:
        """Start afresh: from this tick on the economy is another one."""

    def state(self) -> dict[str, Array]:
        """What the verdict depends on beside the tick, as arrays."""
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""


class PriceHistory:
    """The last prices of a run, tick by tick, as many as fit in `capacity` numbers, `(ticks, goods)`, and the `ranges`
    of all before them that were folded away.
    """

    def __init__(self, goods: int, capacity: int = 4_000_000) -> None:
        self.length = max(256, min(65_536, capacity // max(goods, 1)))
        self._rows = np.zeros((256, goods))
        self.count = 0
        """How many ticks it has seen."""
        self.ranges = Ranges.of(goods)

    def append(self, prices: Array | tuple[float, ...]) -> bool:
        """Add one tick; whether the coming ones would write over prices that are not folded away yet."""
        place = self.count % self.length
        if place == len(self._rows):
            grown = np.zeros((min(2 * place, self.length), self._rows.shape[1]))
            grown[:place] = self._rows
            self._rows = grown
        self._rows[place] = prices
        self.count += 1
        return self.count == self.ranges.ticks + self.length

    def extend(self, prices: Array) -> None:
        """Add ticks, `(ticks, goods)`, not more than `room`."""
        last = self.count + len(prices)
        while len(self._rows) < min(last, self.length):
            grown = np.zeros((min(2 * len(self._rows), self.length), self._rows.shape[1]))
            grown[: len(self._rows)] = self._rows
            self._rows = grown
        self._rows[np.arange(self.count, last) % self.length] = prices
        self.count = last

    @property
    def room(self) -> int:
        """How many ticks can be added before prices must be folded away."""
        return self.ranges.ticks + self.length - self.count

    def prices(self) -> Array:
        """Prices in order of ticks, the last one last, `(ticks, goods)`."""
        if self.count <= self.length:
            return self._rows[: self.count]
        place = self.count % self.length
        return np.concatenate([self._rows[place:], self._rows[:place]])

    def fold(self, path: Array) -> None:
        """Keep the ranges of a `path` made of the last prices, `(ticks, goods)`, of all that are not folded away."""
        self.ranges = self._with(path)

    def orbit(self, path: Array, period: float) -> Orbit:
        """The orbit that goes round in so many ticks, of the whole run; `path` as in `fold`."""
        return self._with(path).orbit(period)

    def _with(self, path: Array) -> Ranges:
        return self.ranges.extended(path[len(path) - (self.count - self.ranges.ticks) :])

    def state(self) -> dict[str, Array]:
        """The history, as arrays."""
        return {"history": self.prices(), "count": np.array(self.count), **self.ranges.state()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        prices, count = state["history"], int(state["count"])
        self.ranges = Ranges.restored(*(state[name] for name in ("range_lowest", "range_highest", "stretches")))
        self.count = 0
        for row in prices:
            self.append(row)
        if count > len(prices):
            self._rows = np.roll(self._rows, count % self.length, axis=0)
            self.count = count
