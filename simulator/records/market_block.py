"""The recorded ticks of a block side by side, with what follows of them for all at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from simulator.dynamics.consumers import CohortTotals
from simulator.dynamics.market_tick import MarketTick, Ticks
from simulator.economics.allocation import bids, marginal_products
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.user_markets import OUTSIDE, UserMarkets
from simulator.references.adjoint import adjoints


class MarketNote(NamedTuple):
    """A tick (or several that are passed over) and the prices of the path it is compared with `(goods,)`, and if it is
    `recorded` what is noted of it while it lasts.

    The fraction of plans that a share-out would allow `(goods,)` (none with trade in every tick), and what each cohort
    of consumers did.
    """

    tick: MarketTick | Ticks
    recorded: bool = False
    path: Array | None = None
    fraction: Array | None = None
    consumers: Sequence[CohortTotals] = ()

    @property
    def ticks(self) -> int:
        """How many ticks it is of."""
        return len(self.tick.prices) if isinstance(self.tick, Ticks) else 1


class Block:
    """The recorded ticks of a block side by side, with what follows of them once it is asked for, `(ticks, goods)`
    unless said.
    """

    def __init__(
        self, economy: Economy, markets: UserMarkets, ticks: Ticks, notes: Sequence[MarketNote], *, every_tick: bool
    ) -> None:
        self.economy, self.ticks, self.notes = economy, ticks, notes
        self._markets, self._every_tick = markets, every_tick

    @cached_property
    def consumers(self) -> list[Ticks]:
        """What each cohort did."""
        return [Ticks(each) for each in zip(*(noted.consumers for noted in self.notes), strict=True)]

    @cached_property
    def _used(self) -> tuple[Array, Array]:
        """What firms `(ticks, edges)` and consumers use: of plans that stand, what a share-out would allow."""
        inputs, consumption = self.ticks.inputs, self.ticks.consumption.sum(axis=1)
        if self._every_tick:
            return inputs, consumption
        fraction = np.array([noted.fraction for noted in self.notes])
        return inputs * fraction[:, self.economy.edge_good], consumption * fraction

    @cached_property
    def inputs(self) -> Array:
        """What firms use, `(ticks, edges)`."""
        return self._used[0]

    @cached_property
    def products(self) -> Array:
        """`df/dx` of each edge, `(ticks, edges)`."""
        return marginal_products(self.economy, self.ticks.prices, self.inputs)

    @cached_property
    def bid(self) -> Array:
        """What users bid."""
        prices, broken = self.ticks.prices, self.ticks.finite == 0
        bid = bids(self.economy, prices, *self._used, self.products, self._worth[0])
        bid[broken] = np.nan
        if not self._markets.separate:
            return bid
        # The outside, too, is a user of a good that is not rival: its bid is its price.
        buys = np.isin(np.arange(bid.shape[-1]), self._markets.of_user(OUTSIDE))
        return np.where(buys & ~broken[:, None], prices, bid)

    @cached_property
    def adjoint(self) -> Array:
        """The full reverse sweep; not a number without judges."""
        if self.notes[0].path is None:
            return np.full(self.ticks.prices.shape, np.nan)
        return adjoints(self.economy, *self._used, self.products, self._worth[1])

    @cached_property
    def gradient_price(self) -> Array:
        """The path that prices are compared with; not a number without judges."""
        if self.notes[0].path is None:
            return np.full(self.ticks.prices.shape, np.nan)
        return np.array([noted.path for noted in self.notes])

    @cached_property
    def _worth(self) -> Array:
        """What consumers bid for all they use, and what it adds to the objective, `(2, ticks, goods)`."""
        nothing = np.zeros((len(self.notes), 2, len(self.economy.goods)))
        return np.moveaxis(sum((cohort.worth for cohort in self.consumers), nothing), 1, 0)

    @cached_property
    def traded(self) -> Array:
        """What changed hands; with the outside, the larger of all that was bought and all that was sold."""
        economy, ticks = self.economy, self.ticks
        if not self._every_tick:
            return ticks.traded
        made = ticks.delivered
        bought = economy.over_edges(ticks.bought) + economy.over_outlets(np.maximum(-made, 0.0))
        sold = ticks.supply_sold + economy.over_outlets(np.maximum(made, 0.0))
        bought, sold = bought + ticks.consumers_bought.sum(axis=1), sold + ticks.consumers_sold.sum(axis=1)
        return np.where(economy.is_outside, np.maximum(bought, sold), ticks.traded)
