"""Where an orbit of prices lies and how wide it is, at the beginning, half way and at the end of a run of any length.

A path too long to be remembered is kept as the range of each price in equal stretches of ticks; a turn of the orbit is
then so many stretches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.economics.forms import Array

MOST_STRETCHES = 512
"""A path is kept in so many stretches at most."""


class Turn(NamedTuple):
    """The middle of an orbit in one turn, and its size from one end to the other, `(goods,)` each."""

    centre: Array
    size: Array


class Orbit(NamedTuple):
    """The first, a middle and the last turn of a path; the middle one begins half way."""

    first: Turn
    middle: Turn
    last: Turn

    @property
    def drift(self) -> float:
        """How far the centre has moved over the second half of the path."""
        return float(np.max(np.abs(self.last.centre - self.middle.centre)))

    @property
    def drifts(self) -> bool:
        """Whether that is more than the orbit's size: then it goes somewhere and not round."""
        return self.drift > float(np.max(self.last.size))


@dataclass(frozen=True)
class Ranges:
    """The `lowest` and the `highest` value of each good `(stretches, goods)` in stretches of `length` ticks each (a
    power of 2; the last may be shorter) of a path of so many `ticks`.
    """

    lowest: Array
    highest: Array
    ticks: int = 0
    length: int = 1

    @classmethod
    def of(cls, goods: int) -> Ranges:
        """Those of a path that has not begun."""
        return cls(np.zeros((0, goods)), np.zeros((0, goods)))

    def extended(self, path: Array) -> Ranges:
        """Those of the path and what follows it, `(ticks, goods)`."""
        if not len(path):
            return self
        ticks, length = self.ticks + len(path), self.length
        while ticks > MOST_STRETCHES * length:
            length *= 2
        begins = [np.arange(len(self.lowest)) * self.length, np.arange(self.ticks, ticks)]
        starts = np.flatnonzero(np.diff(np.concatenate(begins) // length, prepend=-1))
        lowest = np.minimum.reduceat(np.concatenate([self.lowest, path]), starts)
        highest = np.maximum.reduceat(np.concatenate([self.highest, path]), starts)
        return Ranges(lowest, highest, ticks, length)

    def orbit(self, period: float) -> Orbit:
        """The orbit of a path that goes round in so many ticks."""
        count = len(self.lowest)
        # One more, as a turn need not begin with a stretch, nor the last stretch be full.
        wide = min(count, math.ceil(period / self.length) + 1)

        def turn(begin: int) -> Turn:
            low, high = self.lowest[begin : begin + wide].min(axis=0), self.highest[begin : begin + wide].max(axis=0)
            return Turn((low + high) / 2.0, high - low)

        return Orbit(turn(0), turn(min(count // 2, count - wide)), turn(count - wide))

    def state(self) -> dict[str, Array]:
        """The ranges, as arrays."""
        return {
            "range_lowest": self.lowest,
            "range_highest": self.highest,
            "stretches": np.array([self.ticks, self.length]),
        }

    @classmethod
    def restored(cls, lowest: Array, highest: Array, stretches: Array) -> Ranges:
        """Those of a `state`."""
        ticks, length = map(int, stretches)
        return cls(lowest, highest, ticks, length)
