"""What a search for equilibria finds: each of them, and what is known of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans

NEUTRAL = 1e-9
"""Spectral radii so near to 1 cannot be told from it."""


@dataclass(frozen=True)
class Equilibrium:
    """One equilibrium: the balance at its prices, how exactly markets clear there, its index and its stability.

    `index` is 0 where it is not known: at a fold, or where slopes are not finite. `spectral_radius` is the largest
    modulus of the eigenvalues of the price rule's step there (plans without accounts): below 1 the rule settles from
    nearby. Not a number where it is not known. `starts` counts the starts that led here. `direction` `(goods,)` is that
    of log prices along which there are others, the largest 1, where the equilibrium is one of a continuum.
    """

    balance: MarketPlans
    residual: float
    index: int
    spectral_radius: float
    starts: int = 1
    direction: Array | None = None

    @property
    def prices(self) -> Array:
        """Equilibrium prices, `(goods,)`."""
        return self.balance.prices

    @property
    def values(self) -> Array:
        """All unknowns, `(unknowns,)`."""
        return self.balance.values

    @property
    def stable(self) -> bool | None:
        """Whether the price rule settles here from nearby; None where that is not known, or something stays put."""
        neutral = abs(self.spectral_radius - 1.0) < NEUTRAL
        return None if neutral or np.isnan(self.spectral_radius) else self.spectral_radius < 1.0


class Runaway(NamedTuple):
    """What ran away where no equilibrium was found: the name of the unknown, whether to `infinity` or to `zero`, and
    the smallest of all largest slacks met.
    """

    name: str
    towards: str
    residual: float


class Search(NamedTuple):
    """What a search found: `equilibria` by rising prices of the first good that tells them apart; from how many
    `starts`; whether it is known that there are no others (`all_found`); whether it was `given_up` before it had gone
    everywhere it meant to; whether some equilibria are `missing` by their indices; what ran away where there is none;
    whether a price was met that is `held` off its market's clearing (see `references.rationing`); and who, where all
    markets clear but somebody could not pay, is `overdrawn`.
    """

    equilibria: list[Equilibrium]
    starts: int
    all_found: bool
    given_up: bool
    missing: bool
    runaway: Runaway | None
    held: bool = False
    overdrawn: str | None = None
