"""The recorded ticks of a block side by side, with what follows of them for all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.dynamics.consumers import CohortTotals
from simulator.dynamics.market_tick import MarketTick, Ticks
from simulator.economics.allocation import bids, marginal_products
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.user_markets import OUTSIDE, UserMarkets
from simulator.references.adjoint import adjoints
from simulator.references.judges import ReferenceValues


class MarketNote(NamedTuple):
    """A tick and the prices of the path it is compared with `(goods,)`, and if it is `recorded` what is noted of it
    while it lasts.

    What the references say, the fraction of plans that a share-out would allow `(goods,)` (none with trade in every
    tick), what each cohort of consumers did, and how far plans are from the best for which the judges have no road of
    their own.
    """

    tick: MarketTick
    recorded: bool = False
    path: Array | None = None
    values: ReferenceValues | None = None
    fraction: Array | None = None
    consumers: Sequence[CohortTotals] = ()
    plan_residual: float = math.nan


class Block:
    """The recorded ticks of a block side by side, with what follows of them, `(ticks, goods)` unless said."""

    def __init__(
        self, economy: Economy, markets: UserMarkets, ticks: Ticks, notes: Sequence[MarketNote], *, every_tick: bool
    ) -> None:
        self.economy, self.ticks, self.notes = economy, ticks, notes
        self.consumers = [Ticks(each) for each in zip(*(noted.consumers for noted in notes), strict=True)]
        self.reference_values = [noted.values for noted in notes if noted.values is not None]
        self.inputs, consumption = ticks.inputs, ticks.consumption.sum(axis=1)
        if not every_tick:
            fraction = np.array([noted.fraction for noted in notes])
            self.inputs, consumption = self.inputs * fraction[:, economy.edge_good], consumption * fraction
        bid_worth, objective = self._worth()
        self.products = marginal_products(economy, ticks.prices, self.inputs)
        self.bid = bids(economy, ticks.prices, self.inputs, consumption, self.products, bid_worth)
        self.adjoint = self.gradient_price = np.full(ticks.prices.shape, np.nan)
        if self.reference_values:
            self.adjoint = adjoints(economy, self.inputs, consumption, self.products, objective)
            self.gradient_price = np.array([values.gradient_price for values in self.reference_values])
        broken = ticks.finite == 0
        self.bid[broken] = np.nan
        if markets.separate:
            # The outside, too, is a user of a good that is not rival: its bid is its price.
            buys = np.isin(np.arange(self.bid.shape[-1]), markets.of_user(OUTSIDE))
            self.bid = np.where(buys & ~broken[:, None], ticks.prices, self.bid)
        self.traded = self._traded() if every_tick else ticks.traded

    def _worth(self) -> Array:
        """What consumers bid for all they use, and what it adds to the objective, `(2, ticks, goods)`."""
        nothing = np.zeros((len(self.notes), 2, len(self.economy.goods)))
        return np.moveaxis(sum((cohort.worth for cohort in self.consumers), nothing), 1, 0)

    def _traded(self) -> Array:
        """What changed hands; with the outside, the larger of all that was bought and all that was sold."""
        economy, ticks = self.economy, self.ticks
        made = ticks.delivered
        bought = economy.over_edges(ticks.bought) + economy.over_outlets(np.maximum(-made, 0.0))
        sold = ticks.supply_sold + economy.over_outlets(np.maximum(made, 0.0))
        bought, sold = bought + ticks.consumers_bought.sum(axis=1), sold + ticks.consumers_sold.sum(axis=1)
        return np.where(economy.is_outside, np.maximum(bought, sold), ticks.traded)
