"""Free parameters of a fit, each on the scale on which it moves: logarithms of positive numbers, log ratios of shares.

A parameter is one or more coordinates `u`, and one or more rows of estimates. The scale decides what a search may try
(nothing outside its domain), from where else it starts, and of which numbers confidence intervals are symmetric.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from simulator.economics.forms import Array


@dataclass(frozen=True)
class FreeNumber:
    """A number at a path, between two bounds. It moves as its logarithm if it is `positive`, else as it is."""

    path: str
    first: float
    low: float
    high: float

    @property
    def positive(self) -> bool:
        """Whether it never is 0 or less: it starts above, and no bound lies below."""
        return self.first > 0 and (self.low >= 0 or self.low == -np.inf)

    @property
    def start(self) -> Array:
        """The coordinates of the first start, `(coordinates,)`."""
        return self._moving(self.first)

    @property
    def limits(self) -> tuple[Array, Array]:
        """Between which coordinates it may move, `(coordinates,)` each."""
        return self._moving(max(self.low, 0.0) if self.positive else self.low), self._moving(self.high)

    @property
    def spread(self) -> float:
        """Standard deviation of other starts around the first."""
        if self.positive:
            return 1.0
        return 0.25 * (self.high - self.low) if np.isfinite(self.high - self.low) else max(abs(self.first), 1.0)

    @property
    def rows(self) -> tuple[str, ...]:
        """The path of each number that is estimated."""
        return (self.path,)

    def _moving(self, value: float) -> Array:
        with np.errstate(divide="ignore"):
            return np.array([np.log(value) if self.positive else value])

    def values(self, u: Array) -> Array:
        """The number of each row, `(rows,)`."""
        return np.exp(u) if self.positive else u

    def slopes(self, u: Array) -> Array:
        """How the numbers move with the coordinates, `(rows, coordinates)`."""
        return np.exp(u)[:, None] if self.positive else np.ones((1, 1))

    def interval(self, u: Array, errors: Array) -> tuple[Array, Array]:
        """From where to where the numbers reach, `(rows,)` each, if each may be off by `errors` `(rows,)` to first
        order: as far to both sides on the scale on which they move.
        """
        if not self.positive:
            return u - errors, u + errors
        factors = np.exp(errors / np.exp(u))
        return np.exp(u) / factors, np.exp(u) * factors


@dataclass(frozen=True)
class FreeShares:
    """Positive numbers by name whose sum stays, or is 1 where it is more: what `FreeNumber` can do. They move as
    logarithms of their ratios to the last; an interval of one is symmetric in the logarithm of its ratio to all others.
    """

    path: str
    first: Mapping[str, float]

    @cached_property
    def _total(self) -> float:
        return min(1.0, sum(self.first.values()))

    @property
    def start(self) -> Array:
        *others, last = np.log(list(self.first.values()))
        return np.array(others) - last

    @property
    def limits(self) -> tuple[Array, Array]:
        most = np.full(len(self.first) - 1, np.inf)
        return -most, most

    @property
    def spread(self) -> float:
        return 1.0

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(f"{self.path}.{name}" for name in self.first)

    def values(self, u: Array) -> Array:
        logarithms = np.append(u, 0.0)
        ratios = np.exp(logarithms - logarithms.max())
        return self._total * ratios / ratios.sum()

    def slopes(self, u: Array) -> Array:
        values = self.values(u)
        return (np.diag(values) - np.outer(values, values) / self._total)[:, :-1]

    def interval(self, u: Array, errors: Array) -> tuple[Array, Array]:
        parts = self.values(u) / self._total
        odds, off = np.log(parts / (1.0 - parts)), errors / self._total / (parts * (1.0 - parts))
        low, high = (1.0 / (1.0 + np.exp(-each)) for each in (odds - off, odds + off))
        return self._total * low, self._total * high


Free = FreeNumber | FreeShares


class Coordinates:
    """All free parameters side by side: coordinates `u` `(coordinates,)`, and rows of estimates."""

    def __init__(self, free: tuple[Free, ...]) -> None:
        self.free = free
        ends = np.cumsum([0, *(len(each.start) for each in free)]).tolist()
        self._places = [slice(a, b) for a, b in pairwise(ends)]
        self.start = np.concatenate([each.start for each in free])
        self.low, self.high = (np.concatenate([each.limits[side] for each in free]) for side in (0, 1))
        self.paths = tuple(each.path for each in free for _ in each.start)
        """The path of the parameter that each coordinate is of."""
        self.rows = tuple(row for each in free for row in each.rows)

    def settings(self, u: Array) -> dict[str, float]:
        """What a scenario is changed to, by path."""
        return dict(zip(self.rows, self.values(u).tolist(), strict=True))

    def values(self, u: Array) -> Array:
        """The number of each row, `(rows,)`."""
        return np.concatenate([each.values(u[place]) for each, place in zip(self.free, self._places, strict=True)])

    def slopes(self, u: Array) -> Array:
        """How they move with the coordinates, `(rows, coordinates)`."""
        slopes, row = np.zeros((len(self.rows), len(u))), 0
        for each, place in zip(self.free, self._places, strict=True):
            slopes[row : row + len(each.rows), place] = each.slopes(u[place])
            row += len(each.rows)
        return slopes

    def interval(self, u: Array, errors: Array) -> tuple[Array, Array]:
        """From where to where they reach, `(rows,)` each, with errors `(rows,)` to first order."""
        lows, highs, row = list[Array](), list[Array](), 0
        for each, place in zip(self.free, self._places, strict=True):
            low, high = each.interval(u[place], errors[row : row + len(each.rows)])
            row += len(each.rows)
            lows.append(low)
            highs.append(high)
        return np.concatenate(lows), np.concatenate(highs)

    def at_bound(self, u: Array) -> Array:
        """Which rows lie at a bound, `(rows,)`."""
        held = [((u <= self.low) | (u >= self.high))[place] for place in self._places]
        return np.concatenate(
            [np.full(len(each.rows), bool(at.any())) for each, at in zip(self.free, held, strict=True)]
        )

    def drawn(self, stream: np.random.Generator) -> Array:
        """Another start, `(coordinates,)`: around the first, within the bounds."""
        spread = np.repeat([each.spread for each in self.free], [place.stop - place.start for place in self._places])
        return np.clip(self.start + spread * stream.normal(size=len(self.start)), self.low, self.high)
