"""The judges of one regime together: what the references say of a tick, in the columns of the record."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.potential import Reference, merit_value, reference
from simulator.references.equilibrium import Equilibrium, find
from simulator.references.gradient_path import GradientPath


class Opinion(NamedTuple):
    """What the references say of a tick: the path's prices `(goods,)`, then numbers of ticks.csv in their order."""

    gradient_price: Array
    potential: float
    merit: float
    cosine_to_gradient: float
    distance_to_equilibrium: float


class References:
    """The judges of one regime: the function descended, its path, and the equilibria found."""

    def __init__(
        self, economy: Economy, rule: PriceRule, initial_prices: Array, seed: int, *, random_starts: int = 12
    ) -> None:
        self.economy, self.rule, self._free = economy, rule, ~rule.fixed
        self.reference: Reference = reference(economy)
        self.path = GradientPath(economy, self.reference, rule, initial_prices)
        self.starts = random_starts + 2
        self.equilibria = find(economy, rule, [initial_prices], random_starts=random_starts, seed=seed)

    def look(self, tick: int, prices: Array, next_prices: Array, scale: Array, guess: Array) -> Opinion:
        """What they say of a tick from its prices, the next ones and `s` `(goods,)`; `guess` as in `descent`."""
        gradient_price = self.path.advance(tick)
        if not np.isfinite(scale).all():
            return Opinion(gradient_price, np.nan, np.nan, np.nan, np.nan)
        together = np.array_equal(prices, gradient_price)
        descent = self.path.look() if together else self.reference.descent(prices, guess)
        if self.reference.kind == "potential":
            potential, merit = descent.value, merit_value(prices, descent.signal, descent.scale)
        else:
            potential, merit = np.nan, descent.value
        if self.rule.form == "multiplicative":
            motion = prices * np.log(np.maximum(next_prices, 1e-300) / np.maximum(prices, 1e-300))
        else:
            motion = next_prices - prices
        free, metric = self._free, self.rule.metric(prices, scale)
        angle = cosine(motion[free], descent.signal[free], metric[free])
        return Opinion(gradient_price, potential, merit, angle, self.distance(prices, float(prices @ scale)))

    def distance(self, prices: Array, worth: float) -> float:
        """Largest relative price gap to the nearest equilibrium; not a number if none was found."""
        gaps = [float(relative_gap(prices, self.equilibrium_prices(found, worth))) for found in self.equilibria]
        return min(gaps) if gaps else np.nan

    def equilibrium_prices(self, found: Equilibrium, worth: float) -> Array:
        """An equilibrium's prices; scaled to the market's `sum(p s)` where only relative prices matter and none is
        fixed.
        """
        return found.scaled_to(worth) if self.relative_only else found.prices

    @property
    def relative_only(self) -> bool:
        """Whether only relative prices matter and none is fixed: an equilibrium is then a ray."""
        return self.economy.homogeneous and not self.rule.fixed.any()


def relative_gap(values: Array, reference: Array) -> Array:
    """`max |v - r| / |r|` along the last axis; a gap to 0 counts as 1; not a number where none is known."""
    known = (values == values) & (reference == reference)
    gap = np.where(known, np.abs(values - reference), 0.0)
    base = np.where(reference != 0, np.abs(reference), np.abs(values))
    relative = np.divide(gap, base, out=np.zeros(gap.shape), where=known & (base > 0))
    return np.where(known.any(axis=-1), relative.max(axis=-1, initial=0.0), np.nan)


def cosine(motion: Array, signal: Array, metric: Array) -> float:
    """Cosine between a price motion and descent along a signal, in the metric `sum w a b` (1 if both are 0)."""
    moving = float(metric @ motion**2)
    pulling = float(np.sum(np.divide(signal**2, metric, out=np.zeros(len(signal)), where=metric > 0)))
    if moving == 0.0 and pulling == 0.0:
        return 1.0
    return float(motion @ signal) / np.sqrt(moving * pulling) if moving > 0.0 and pulling > 0.0 else 0.0
