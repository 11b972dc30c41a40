"""The recorded ticks of a block side by side, with what follows of them for all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.consumers import CohortTotals
from simulator.dynamics.market_tick import MarketState, MarketTick, Ticks
from simulator.economics.allocation import Shares, bids, marginal_products
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.user_markets import OUTSIDE, UserMarkets
from simulator.formulas.in_runs import InRuns, gathered, picked
from simulator.formulas.structures import mapped
from simulator.references.adjoint import adjoints

Appraisal = tuple[Shares | None, tuple[CohortTotals, ...]]
"""The fractions of plans that a share-out would allow (none with trade in every tick), and what each cohort
of consumers did.
"""


class MarketNote(NamedTuple):
    """A tick (or several that are passed over) and the prices of the path it is compared with `(goods,)`; if it is
    `recorded` its appraisal.

    Of a tick in plain floats that is to be appraised the state `before` it is enough: when the block is full, it is
    worked out once more and appraised beside all others. Where a tick is a search, it is kept as well.
    """

    tick: MarketTick | Ticks | None
    recorded: bool = False
    path: Array | None = None
    before: MarketState | None = None
    appraisal: Appraisal | None = None

    @property
    def ticks(self) -> int:
        """How many ticks it is of."""
        return len(self.tick.prices) if isinstance(self.tick, Ticks) else 1


class Afterwards:
    """Ticks in plain floats, worked out once more from the states before them and appraised, many at once."""

    def __init__(
        self,
        ticking: Callable[[MarketState], tuple[MarketState, MarketTick]],
        appraised: Callable[[tuple[MarketState, MarketTick]], Appraisal],
    ) -> None:
        self._tick: InRuns[MarketState, MarketTick] = InRuns(lambda state: ticking(state)[1], exact=True)
        self._appraised = InRuns(appraised, exact=True)

    def __call__(self, notes: Sequence[MarketNote], recorded: NDArray[np.bool_]) -> tuple[Ticks, Any]:
        """The ticks, and the appraisal of those `recorded`, None unless there is one."""
        states: MarketState = gathered([note.before for note in notes])
        kept = [note.tick for note in notes if note.tick is not None]
        ticks: MarketTick = gathered(kept) if kept else _beside(self._tick(states))
        beside = Ticks(kept) if kept else Ticks.of(**ticks._asdict())
        if not recorded.any():
            return beside, None
        some = (states, ticks) if recorded.all() else picked((states, ticks), recorded)
        return beside, _beside(self._appraised(some))


def _beside(value: Any) -> Any:
    """Arrays as they are added up: a tick's numbers side by side in memory."""
    return mapped(lambda leaf: None if leaf is None else np.ascontiguousarray(leaf), value)


class Block:
    """The recorded ticks of a block side by side, with what follows of them once it is asked for, `(ticks, goods)`
    unless said: `shares` and what `consumers` of each cohort did are those of an appraisal.
    """

    def __init__(
        self,
        economy: Economy,
        markets: UserMarkets,
        ticks: Ticks,
        notes: Sequence[MarketNote],
        appraisal: Any,
        *,
        every_tick: bool,
    ) -> None:
        self.economy, self.ticks, self.notes = economy, ticks, notes
        self.shares, self.consumers = cast("tuple[Any, Any]", appraisal or (None, ()))
        self._markets, self._every_tick = markets, every_tick

    @cached_property
    def _used(self) -> tuple[Array, Array]:
        """What firms `(ticks, edges)` and consumers use: of plans that stand, what a share-out would allow."""
        inputs, consumption = self.ticks.inputs, self.ticks.consumption.sum(axis=1)
        if self._every_tick:
            return inputs, consumption
        return inputs * self.shares.edges, consumption * self.shares.consumers

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
        yields = self.economy.user_prices.yields(self.ticks.prices)
        return adjoints(self.economy, *self._used, self.products, self._worth[1], yields)

    @cached_property
    def gradient_price(self) -> Array:
        """The path that prices are compared with; not a number without judges."""
        if self.notes[0].path is None:
            return np.full(self.ticks.prices.shape, np.nan)
        return np.array([noted.path for noted in self.notes])

    @cached_property
    def _worth(self) -> Array:
        """What consumers bid for all they use, and what it adds to the objective, `(2, ticks, goods)`."""
        nothing = np.zeros((2, *self.ticks.prices.shape))
        return sum((np.stack(cohort.worth) for cohort in self.consumers), nothing)

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
