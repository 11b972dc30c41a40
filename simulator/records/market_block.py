"""The recorded ticks of a block side by side, with what follows of them for all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.dynamics.consumers import CohortTotals
from simulator.dynamics.market_tick import Ticks
from simulator.economics.allocation import bids, marginal_products
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.user_markets import OUTSIDE, UserMarkets
from simulator.references.adjoint import adjoints
from simulator.references.judges import ReferenceValues


class Judged(NamedTuple):
    """What is noted of a recorded tick while it lasts: what the references say, the fraction of plans that a share-out
    would allow `(goods,)` (none with trade in every tick), what each cohort of consumers did, and how far plans are
    from the best for which the judges have no road of their own.
    """

    values: ReferenceValues | None
    fraction: Array | None
    consumers: Sequence[CohortTotals]
    plan_residual: float = math.nan


class Block:
    """The recorded ticks of a block side by side, with what follows of them, `(ticks, goods)` unless said."""

    def __init__(
        self,
        economy: Economy,
        markets: UserMarkets,
        ticks: Ticks,
        judged: Sequence[Judged],
        *,
        every_tick: bool,
        judges: bool,
    ) -> None:
        self.economy, self.ticks, self.judged = economy, ticks, judged
        self.reference_values = [noted.values for noted in judged if noted.values is not None]
        self.inputs, consumption = ticks.inputs, ticks.consumption.sum(axis=1)
        if not every_tick:
            fraction = np.array([noted.fraction for noted in judged if noted.fraction is not None])
            self.inputs, consumption = self.inputs * fraction[:, economy.edge_good], consumption * fraction
        bid_worth, objective = self._worth()
        self.products = marginal_products(economy, ticks.prices, self.inputs)
        self.bid = bids(economy, ticks.prices, self.inputs, consumption, self.products, bid_worth)
        self.adjoint = self.gradient_price = np.full(ticks.prices.shape, np.nan)
        if judges:
            self.adjoint = adjoints(economy, self.inputs, consumption, self.products, objective)
            self.gradient_price = np.array([values.gradient_price for values in self.reference_values])
        broken = ticks.finite == 0
        self.bid[broken] = np.nan
        if markets.separate:
            # The outside, too, is a user of a good that is not rival: its bid is its price.
            buys = np.isin(np.arange(self.bid.shape[-1]), markets.of_user(OUTSIDE))
            self.bid = np.where(buys & ~broken[:, None], ticks.prices, self.bid)
        self.traded = self._traded(every_tick=every_tick)

    def _worth(self) -> tuple[Array, Array]:
        """What consumers bid for all they use, and what it adds to the objective."""
        totals = np.zeros((2, len(self.judged), len(self.economy.goods)))
        for tick, noted in enumerate(self.judged):
            for cohort in noted.consumers:
                totals[:, tick] += cohort.worth
        return totals[0], totals[1]

    def _traded(self, *, every_tick: bool) -> Array:
        """What changed hands; with the outside, the larger of all that was bought and all that was sold."""
        economy, ticks = self.economy, self.ticks
        made = ticks.delivered
        bought = economy.over_edges(ticks.bought) + economy.over_outlets(np.maximum(-made, 0.0))
        sold = ticks.supply_sold + economy.over_outlets(np.maximum(made, 0.0))
        bought, sold = bought + ticks.consumers_bought.sum(axis=1), sold + ticks.consumers_sold.sum(axis=1)
        return np.where(economy.is_outside & every_tick, np.maximum(bought, sold), ticks.traded)
