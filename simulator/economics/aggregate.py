"""Demand that adds up exactly: many consumers who plan as one, at a cost that does not depend on their number.

Homothetic consumers with one and the same taste demand what one consumer with all their income would (Gorman). With
Cobb-Douglas tastes each spends fixed shares of an income that is linear in prices and profits, so that the spending of
all is too: `spent = (sum_h a_h e_h') p + (sum_h a_h theta_h') pi + sum_h a_h b_h`. Both hold while nobody's income is
negative; the individual road gives the same numbers to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulator.economics.agents import Consumers
from simulator.economics.forms import Array, CobbDouglas
from simulator.economics.rows import over_blocks, sum_up
from simulator.economics.taste import Taste


class Aggregate(Protocol):
    """A cohort that plans as one."""

    def plan(self, prices: Array, faced: Array, profits: Array) -> tuple[Array, Array | float] | None:
        """Consumption `(goods,)` and spending of all at market prices and those `faced`, `(goods,)` each;
        None where somebody's income might be negative."""
        ...


@dataclass(frozen=True)
class Representative:
    """Consumers alike in taste: one who has all their income."""

    utility: Taste
    endowment: Array
    budget: float
    owned: Array

    def plan(self, prices: Array, faced: Array, profits: Array) -> tuple[Array, Array | float] | None:
        """`x(q, sum of incomes)` at the prices `q` faced."""
        if (profits * self.owned < 0).any():
            return None
        income = self.endowment @ prices + self.owned @ profits + self.budget
        return self.utility.demand(faced, np.reshape(income, 1))[0], income


@dataclass(frozen=True)
class FixedShares:
    """Cobb-Douglas consumers: `spent = on_goods p + on_profits pi + on_budgets`, `(goods, goods)`, `(goods, firm
    entries)`, `(goods,)`.
    """

    on_goods: Array
    on_profits: Array
    on_budgets: Array
    owned: Array

    def plan(self, prices: Array, faced: Array, profits: Array) -> tuple[Array, Array | float] | None:
        """`spent / q` at the prices `q` faced; a free good is wanted without end."""
        if (profits * self.owned < 0).any():
            return None
        spent = self.on_goods @ prices + self.on_profits @ profits + self.on_budgets
        wanted = np.divide(spent, faced, out=np.full(len(faced), np.inf), where=faced > 0)
        return np.where(spent > 0, wanted, 0.0), spent.sum()


def aggregate(consumers: Consumers) -> Aggregate | None:
    """The cohort as one planner, None where its demand does not add up (or is one row anyway)."""
    utility = consumers.utility
    if consumers.size == 1 or utility.form is None or not utility.needs_income:
        return None
    if (consumers.endowment < 0).any() or (consumers.budget < 0).any():
        # Somebody's income may be below 0, of which nothing is spent.
        return None
    owned = consumers.total_owned
    if utility.size == 1:
        return Representative(utility, consumers.total_endowment, float(consumers.total(consumers.budget)), owned)
    if not isinstance(utility.form, CobbDouglas):
        return None
    parts = over_blocks([block for _, block in consumers.blocks], _fixed_shares)
    on_goods, on_profits, on_budgets = (consumers.weight * sum_up(list(part)) for part in zip(*parts, strict=True))
    return FixedShares(on_goods, on_profits, on_budgets, owned)


def _fixed_shares(block: Consumers) -> tuple[Array, Array, Array]:
    """`sum_h a_h e_h'`, `sum_h a_h theta_h'`, `sum_h a_h b_h`."""
    form = block.utility.form
    assert isinstance(form, CobbDouglas)
    size, shares = block.size, form.shares
    held = (
        np.broadcast_to(values, (size, *values.shape[1:])) for values in (block.endowment, block.owns, block.budget)
    )
    endowment, owns, budget = held
    each = np.broadcast_to(shares, (size, shares.shape[1]))
    return (
        np.einsum("ag,ak->gk", each, endowment),
        np.einsum("ag,af->gf", each, owns),
        np.einsum("ag,a->g", each, budget),
    )
