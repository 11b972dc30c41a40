"""Activity levels: how much firms of constant returns produce, who have no supply function.

A price taker whose returns are constant would supply nothing below unit cost and without end above. It carries a level
`y` that rises with what a unit brings: `ln y += rate (r - c) / max(r, c)` at the tick's prices, unit revenue `r` and
unit cost `c`, before it plans. Together with prices that follow excess demand it is a saddle path (Arrow, Hurwicz
1958).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from simulator.dynamics.behaviours import Activity
from simulator.dynamics.verdicts import BOUND
from simulator.economics.agents import Firm
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.technology import Plan
from simulator.formulas.searches import traced_or_called


class AtLevel(NamedTuple):
    """What firms of constant returns plan at their `level`, and what a unit of it brings and takes, `(rows,)` each."""

    plan: Plan
    level: Array
    revenue: Array
    cost: Array


def first_levels(economy: Economy) -> Array:
    """Where levels begin, `(levels,)`."""
    return np.concatenate([np.zeros(0), *(np.full(firm.levels, behaviour_of(firm).start) for firm in economy.firms)])


def level_rates(economy: Economy) -> Array:
    """The largest step of each level's logarithm in a tick, `(levels,)`."""
    return np.concatenate([np.zeros(0), *(np.full(firm.levels, behaviour_of(firm).rate) for firm in economy.firms)])


def highest_levels(economy: Economy) -> Array:
    """Levels above these have left every bound, `(levels,)`."""
    return BOUND * np.maximum(1.0, first_levels(economy))


def plan_at_level(firm: Firm, price: float, input_prices: Sequence[float], level: Array, *, moves: bool) -> AtLevel:
    """The cheapest inputs for a level that `moves` from where it was, `(rows,)`, before the plan is made."""
    rows, behaviour = len(level), behaviour_of(firm)
    cheapest = partial(firm.technology.at_level, np.ones(rows))
    unit = traced_or_called(cheapest, f"a plan of {type(firm.technology).__name__}")(input_prices)
    revenue, cost = price * unit.output, unit.inputs @ np.stack(input_prices)
    if moves:
        level = behaviour.raised(level, revenue, cost)
    return AtLevel(Plan(level[:, None] * unit.inputs, level * unit.output), level, revenue, cost)


def behaviour_of(firm: Firm) -> Activity:
    """Its own, or what serves where no tick is asked for (a scenario with another one is refused before it runs)."""
    return firm.behaviour if isinstance(firm.behaviour, Activity) else Activity()
