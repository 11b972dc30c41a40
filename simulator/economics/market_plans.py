"""What everybody wants at some prices, and what it is made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.economics.forms import Array

NONE = np.zeros(0)


class MarketPlans(NamedTuple):
    """What everybody wants at some prices: totals `(goods,)`, and what the totals are made of.

    `demand` and `supply` include the outside's part at goods with an outside price, so `excess_demand` is 0 there.
    `consumption` is `(cohorts, goods)`, `incomes` a `(rows,)` for each cohort, `inputs` `(edges,)`, `outputs`
    `(firms,)`, `profits` `(firm entries,)` that are somebody's income, `levels` `(levels,)` at which firms of constant
    returns produce, and what a unit of level brings them, `unit_revenues` and `unit_costs` `(levels,)`. With taxes and
    transfers: what cohorts counted on as `received` and what is `due` to them, `(cohorts,)`, the `revenues` of taxes
    `(taxes,)`, and the `rates` that adjust and what their instruments have `kept`, `(instruments,)`.
    """

    prices: Array
    demand: Array
    supply: Array
    consumption: Array
    incomes: tuple[Array, ...]
    inputs: Array
    outputs: Array
    profits: Array
    levels: Array
    unit_revenues: Array
    unit_costs: Array
    received: Array = NONE
    due: Array = NONE
    revenues: Array = NONE
    rates: Array = NONE
    kept: Array = NONE

    @property
    def values(self) -> Array:
        """The unknowns at which plans are made: prices, levels, what cohorts received, rates that adjust."""
        return np.concatenate([self.prices, self.levels, self.received, self.rates])

    @property
    def unit_profits(self) -> Array:
        """`pi = r - c` per unit of level, `(levels,)`."""
        return self.unit_revenues - self.unit_costs

    @property
    def excess_demand(self) -> Array:
        """`z = demand - supply`, `(goods,)`."""
        return self.demand - self.supply

    @property
    def scale(self) -> Array:
        """`s = max(demand, supply)` per good, `(goods,)`."""
        return np.maximum(self.demand, self.supply)


class Production(NamedTuple):
    """What firms plan: the fields of `MarketPlans` by these names."""

    inputs: Array
    outputs: Array
    profits: Array
    levels: Array
    unit_revenues: Array
    unit_costs: Array


Planned = dict[tuple[float, ...], Production]
"""What entries of firms have planned, by what tells it: the technology, prices faced and levels."""
