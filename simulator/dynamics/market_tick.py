"""What a market carries from tick to tick, and a tick as it was. Nothing in either is changed afterwards.

Shapes: `(goods,)`, `(edges,)`, `(firms,)`, `(outlets,)`, `(cohorts,)`, `(cohorts, goods)`: in a tick consumers stand in
sums over each cohort. Fields are arrays, or tuples of floats where the market ticks in plain floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from simulator.economics.forms import Array
from simulator.economics.market_plans import NONE


class MarketState(NamedTuple):
    """All that the coming tick, the number `tick`, depends on beside the economy.

    The `prices` `(goods,)` that it quotes, the inputs planned last `(edges,)` (a guess before the first tick), the
    activity `levels` of firms of constant returns `(levels,)` as they were last, the `stock` left `(outlets,)`, what is
    in the consumers' `accounts`, `(rows,)` for each cohort, the `rates` of taxes `(taxes,)`, of which some adjust, and
    the `memory` of the price rule.
    """

    tick: int
    prices: Array
    planned_inputs: Array
    levels: Array
    stock: Array
    accounts: tuple[Array, ...]
    rates: Array
    memory: tuple[Array, ...]


class Plans(NamedTuple):
    """What everybody intends: `planned_inputs` `(edges,)`, `planned_outputs` `(firms,)` and the `planned_profits` of
    each entry `(firm entries,)` if somebody may own them, `spending` `(cohorts,)`, `planned_consumption` `(cohorts,
    goods)` and its sum `consumers_planned` `(goods,)`. Firms of constant returns produce at `levels`, a unit of which
    brings `unit_revenues` and takes `unit_costs`, `(levels,)` each. Taxes at `rates` bring `revenues`, `(taxes,)` each;
    consumers count on what cohorts `received` `(cohorts,)`, and instruments have `kept` `(instruments,)`.
    """

    planned_inputs: Array
    planned_outputs: Array
    planned_profits: Array
    spending: Array
    planned_consumption: Array
    consumers_planned: Array
    levels: Array
    unit_revenues: Array
    unit_costs: Array
    rates: Array
    revenues: Array
    received: Array
    kept: Array


class Trades(NamedTuple):
    """What was done.

    `(goods,)`: `traded` inside the economy, the fractions of purchases and sales filled (`bought_fraction`,
    `sold_fraction`; empty where nobody trades or nobody consumes), and `supply_sold` of what nobody owns. `(edges,)`:
    `inputs` really used, `bought` of them (less own use), and `unserved` of what was ordered. `(firms,)`: `outputs`
    made, and `cash_flow`. `(outlets,)`: `stock` left, what is `delivered` (sold; a negative output is bought), and
    `unsold` of what was offered. `(cohorts, goods)`: `consumers_bought` and what of their orders is
    `consumers_unserved`, `consumers_sold` and what of their offers is `consumers_unsold`, `consumption`; `(cohorts,)`:
    `money` in their accounts; `collected` `(taxes,)`. Totals of consumers' money: what their accounts gained, and what
    the outside gave them (budgets, less what lapsed).
    """

    traded: Array
    bought_fraction: Array
    sold_fraction: Array
    supply_sold: Array
    inputs: Array
    bought: Array
    unserved: Array
    outputs: Array
    stock: Array
    delivered: Array
    unsold: Array
    cash_flow: Array
    consumers_bought: Array
    consumers_unserved: Array
    consumers_sold: Array
    consumers_unsold: Array
    money: Array
    consumption: Array
    collected: Array
    accounts_change: float
    from_outside: float


class MarketTick(NamedTuple):
    """A tick: its number, whether plans were finite (and rates that adjust leave prices above 0), how far markets are
    from clearing (`relative_excess_demand`), activities from unit profits of 0 (`relative_unit_profit`, not a number
    where there are none) and instruments from what they should keep (`relative_kept_gap`, likewise), and the largest of
    these, the `residual`; the residual that the best choice among equally good bundles leaves (`split_gap`, not a
    number where there is none), prices `(goods,)` quoted and next, planned demand and supply `(goods,)`, then the
    fields of `Plans` and `Trades`; and `firms_money` `(firms,)`, where firms keep any.
    """

    tick: int
    finite: bool
    residual: float
    relative_excess_demand: float
    relative_unit_profit: float
    relative_kept_gap: float
    split_gap: float
    prices: Array
    next_prices: Array
    demand: Array
    supply: Array
    planned_inputs: Array
    planned_outputs: Array
    planned_profits: Array
    spending: Array
    planned_consumption: Array
    consumers_planned: Array
    levels: Array
    unit_revenues: Array
    unit_costs: Array
    rates: Array
    revenues: Array
    received: Array
    kept: Array
    traded: Array
    bought_fraction: Array
    sold_fraction: Array
    supply_sold: Array
    inputs: Array
    bought: Array
    unserved: Array
    outputs: Array
    stock: Array
    delivered: Array
    unsold: Array
    cash_flow: Array
    consumers_bought: Array
    consumers_unserved: Array
    consumers_sold: Array
    consumers_unsold: Array
    money: Array
    consumption: Array
    collected: Array
    accounts_change: float
    from_outside: float
    firms_money: Array = NONE

    def in_arrays(self) -> MarketTick:
        """The same with arrays for what stands in tuples of floats."""
        return self._make(np.array(value) if isinstance(value, tuple) else value for value in self)


class Stretch(NamedTuple):
    """Ticks that nobody has to look at, by their prices `(ticks, goods)`: the states `before` each, or what is kept of
    `ticks` that are not to be recorded.
    """

    prices: Array
    before: Sequence[MarketState] = ()
    ticks: Ticks | None = None


class Ticks:
    """Ticks side by side: `ticks.prices` is `(ticks, goods)`, and so on for every field of `MarketTick`, or of what is
    noted of each. Some may stand side by side already.
    """

    def __init__(self, ticks: Sequence[NamedTuple | Ticks]) -> None:
        self._ticks, self._beside = ticks, any(isinstance(each, Ticks) for each in ticks)

    @classmethod
    def of(cls, **fields: Array) -> Ticks:
        """Ticks of which these fields are known, `(ticks, ...)` each."""
        ticks = cls(())
        vars(ticks).update(fields)
        return ticks

    def picked(self, places: Any) -> Ticks:
        """Some of them."""
        return _Picked(self, places)

    def __getattr__(self, name: str) -> Array:
        if self._beside:
            groups = groupby(self._ticks, lambda tick: isinstance(tick, Ticks))
            whole = [part for beside, group in groups for part in (group if beside else [Ticks(list(group))])]
            array = np.concatenate([getattr(part, name) for part in whole])
            setattr(self, name, array)
            return array
        column = list(map(attrgetter(name), self._ticks))
        shape = (len(column), *np.shape(column[0]))
        if isinstance(column[0], tuple):
            # Several times faster than asking NumPy to look into a list of tuples.
            numbers = chain.from_iterable(column)
            for _ in shape[2:]:
                numbers = chain.from_iterable(numbers)
            array = np.fromiter(numbers, float, math.prod(shape)).reshape(shape)
        else:
            array = np.array(column) if math.prod(shape) else np.zeros(shape)
        setattr(self, name, array)
        return array


class _Picked(Ticks):
    """Some of other ticks."""

    def __init__(self, ticks: Ticks, places: Any) -> None:
        super().__init__(())
        self._all, self._places = ticks, places

    def __getattr__(self, name: str) -> Array:
        array = getattr(self._all, name)[self._places]
        setattr(self, name, array)
        return array
