"""A tick as it was: what was quoted, planned and done. Nothing in it is changed afterwards.

Shapes: `(goods,)`, `(edges,)`, `(firms,)`, `(agents,)`, `(agents, goods)`, as `economics.economy` lays them out.
Fields are arrays, or plain lists of floats where the market ticks in plain floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.economics.forms import Array


class Plans(NamedTuple):
    """What everybody intends: `planned_inputs` `(edges,)`, `planned_outputs` `(firms,)`, `income` and `spending`
    `(agents,)`, `planned_consumption` `(agents, goods)` and its sum `consumers_planned` `(goods,)`.
    """

    planned_inputs: Array
    planned_outputs: Array
    income: Array
    spending: Array
    planned_consumption: Array
    consumers_planned: Array


class Trades(NamedTuple):
    """What was done.

    `(goods,)`: `traded` inside the economy, and `supply_sold` of what nobody owns. `(edges,)`: `inputs` really used,
    and `bought` of them (less own use). `(firms,)`: `outputs` made, `stock` left, `delivered` (sold; a negative
    output is bought), `cash_flow`. `(agents, goods)`: `consumers_bought`, `consumers_sold`, `consumption`;
    `(agents,)`: `paid`, `account`. Totals of consumers' money: what their accounts gained, and what the outside gave
    them (budgets, less what lapsed).
    """

    traded: Array
    supply_sold: Array
    inputs: Array
    bought: Array
    outputs: Array
    stock: Array
    delivered: Array
    cash_flow: Array
    consumers_bought: Array
    consumers_sold: Array
    paid: Array
    account: Array
    consumption: Array
    accounts_change: float
    from_outside: float


class Snapshot(NamedTuple):
    """A tick: its number, whether plans were finite, `max_relative_excess_demand` (`residual`), prices `(goods,)`
    quoted and next, planned demand and supply `(goods,)`, then the fields of `Plans` and `Trades`.
    """

    tick: int
    finite: bool
    residual: float
    prices: Array
    next_prices: Array
    demand: Array
    supply: Array
    planned_inputs: Array
    planned_outputs: Array
    income: Array
    spending: Array
    planned_consumption: Array
    consumers_planned: Array
    traded: Array
    supply_sold: Array
    inputs: Array
    bought: Array
    outputs: Array
    stock: Array
    delivered: Array
    cash_flow: Array
    consumers_bought: Array
    consumers_sold: Array
    paid: Array
    account: Array
    consumption: Array
    accounts_change: float
    from_outside: float


class Ticks:
    """Snapshots side by side: `ticks.prices` is `(ticks, goods)`, and so on for every field of `Snapshot`."""

    def __init__(self, snapshots: Sequence[Snapshot]) -> None:
        self._columns = dict(zip(Snapshot._fields, zip(*snapshots, strict=True), strict=True))

    def __getattr__(self, name: str) -> Array:
        array = np.array(self._columns[name])
        setattr(self, name, array)
        return array
