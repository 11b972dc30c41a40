"""Taxes and transfers in a tick: what consumers count on receiving, all incomes solved together, and what they receive.

What a cohort receives depends on revenue, and revenue of taxes on consumption on what cohorts buy with it. Each buys by
its own income alone, so that two bundles of each tell how revenue moves with what is received (exactly, where demand is
linear in income); then a system with a row for each such tax is solved. The judges have a road of their own
(`Economy.at_due`): that the two agree is a law.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.economics.economy import Economy
from simulator.economics.firm_layout import sum_by
from simulator.economics.fiscal import NOMINAL, Fiscal
from simulator.economics.forms import Array

MOST_STEPS = 20
"""Steps to incomes that all hold together; where demand is linear in income one is enough."""
NEAR = 1e-10
"""A step no larger than this part of all incomes ends at rounding."""


class Treasury:
    """What a tick needs of the taxes and transfers of an economy, looked up once."""

    def __init__(self, economy: Economy, fiscal: Fiscal) -> None:
        self.fiscal, cohorts = fiscal, economy.consumers
        # A purse without end passes nothing on.
        budgets = [0.0 if cohort.unlimited else cohort.total(cohort.budget) for cohort in cohorts]
        self._owned = [
            (each.total_endowment, each.total_owned, had) for each, had in zip(cohorts, budgets, strict=True)
        ]
        self._tax, place = fiscal.on_purchases
        self._buyer, self._good = place // fiscal.goods, place % fiscal.goods
        self._taxes, self._buyers = np.unique(self._tax), np.unique(self._buyer).tolist()
        instruments, none = fiscal.instruments, np.zeros(0)
        self._targets = np.stack([each.target for each in instruments]) if instruments else none
        self._speeds = np.stack([each.speed / np.abs(each.target) for each in instruments]) if instruments else none

    def start(self) -> Array:
        """The rates of all taxes in the first tick, `(taxes,)`."""
        rates = self.fiscal.rates.copy()
        rates[self.fiscal.adjusting] = [each.start for each in self.fiscal.instruments]
        return rates

    def own(self, prices: Array, profits: Array) -> Array:
        """What all members of each cohort have of their own, `(cohorts,)`, with `profits` `(firm entries,)`."""
        found = [goods @ prices + shares @ profits + budget for goods, shares, budget in self._owned]
        return np.stack(found) if found else np.zeros(0)

    def counted_on(
        self, own: Array, others: Array, prices: Array, rates: Array, bought: Callable[[int, Array], Array]
    ) -> Array:
        """What each cohort counts on receiving, `(cohorts,)`, of what all have of their `own`, of the revenue of taxes
        on `others` than buyers, `(taxes,)`, and of what cohort `n` pays on what it has `bought(n, received)`.

        Not a number where incomes do not come to hold together.
        """

        def paid(received: Array) -> Array:
            bundles = np.stack([bought(number, received) for number in self._buyers])
            of = np.searchsorted(self._buyers, self._buyer)
            spent = rates[self._tax] * prices[self._good] * bundles[of, self._good]
            cells = self._tax * self.fiscal.cohorts + self._buyer
            return sum_by(cells, spent, len(rates) * self.fiscal.cohorts).reshape(len(rates), -1)

        def gap(received: Array, paid: Array) -> Array:
            return self.fiscal.received(own, others + paid.sum(axis=1), prices) - received

        received = self.fiscal.received(own, others, prices)
        if not self._buyers:
            return received
        size, now = np.abs(own).sum() + np.abs(received).sum(), paid(received)
        step = gap(received, now)
        for _ in range(MOST_STEPS):
            there = paid(received + step)
            slopes = np.where(step == 0.0, 0.0, (there - now) / np.where(step == 0.0, 1.0, step))
            received, now = received + step, there
            step = self._step(slopes[self._taxes], gap(received, now))
            if not np.abs(step).max() > NEAR * size:
                return received + step
        return np.full(len(received), np.nan)

    def _step(self, slopes: Array, gap: Array) -> Array:
        """What closes a `gap` `(cohorts,)` between what is due and received, if what is paid moves by `slopes` `(taxes,
        cohorts)`.
        """
        relayed = self.fiscal.relayed[:, self._taxes]
        return gap + relayed @ _solved(np.eye(len(slopes)) - slopes @ relayed, slopes @ gap)

    def kept(
        self,
        economy: Economy,
        prices: Array,
        levels: Array,
        revenues: Array,
        consumption: Array,
        utility: Callable[[int], Array],
    ) -> Array:
        """What each instrument keeps, `(instruments,)`, of what is planned, and of the mean `utility` of a cohort."""
        found = list[Array]()
        for kind, of, good in (each.kept for each in self.fiscal.instruments):
            match kind:
                case "utility":
                    value = utility(of)
                case "consumption":
                    value = consumption[of, good]
                case "level":
                    value = levels[economy.level_rows[of]].sum()
                case "revenue":
                    value = revenues[of]
                case _:
                    value = prices[good]
            numeraire = self.fiscal.numeraire
            found.append(value / prices[numeraire] if kind in NOMINAL and numeraire is not None else value)
        return np.stack(found) if found else np.zeros(0)

    def gaps(self, kept: Array) -> Array:
        """How far instruments are from keeping what they should, relative, `(instruments,)`."""
        return np.abs(kept - self._targets) / np.abs(self._targets)

    def moved(self, rates: Array, kept: Array) -> Array:
        """The rates of the coming tick, `(taxes,)`."""
        adjusting = self.fiscal.adjusting
        if not len(adjusting):
            return rates
        after = rates.copy()
        after[adjusting] = rates[adjusting] + self._speeds * (self._targets - kept)
        return after


def _solved(system: Array, right: Array) -> Array:
    """The solution of a linear system of few rows, whose diagonal leads: written out, it can be traced."""
    table = np.concatenate([system, right[:, None]], axis=1)
    for place in range(len(right)):
        row = table[place] / table[place, place]
        here = (np.arange(len(right)) == place)[:, None]
        table = np.where(here, row, table - table[:, place, None] * row)
    return table[:, -1]
