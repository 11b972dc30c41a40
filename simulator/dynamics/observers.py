"""Observers watch what must hold in every tick: goods and money are conserved, and budgets add up (Walras).

They look at many ticks at once, along a leading axis of `(ticks, ...)` arrays, so that watching every tick costs
little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from simulator.dynamics.market_tick import Ticks
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.rows import sum_up


def walras_residual(economy: Economy, ticks: Ticks) -> Array:
    """`|p.z - (planned spending - planned profits - revenue - p.(supply + endowments))| / p.s`, `(ticks,)`: 0 if plans
    fit budgets.

    In a closed economy where everything is owned the bracket is what consumers carry in accounts, and without
    accounts this is Walras's law `p.z = 0`. At goods with an outside price the outside fills the gap and pays for
    it.
    """
    prices, outside, economy = ticks.prices, economy.is_outside, economy.in_force(ticks.rates)
    inputs, sold, users = (
        ticks.planned_inputs,
        economy.made_at(ticks.prices, ticks.planned_outputs),
        economy.user_prices,
    )
    net_supply = economy.total_supply + economy.over_outlets(sold) - economy.over_edges(inputs)
    profits = np.sum(sold * users.outlet_prices(prices), axis=-1) - np.sum(inputs * users.input_prices(prices), axis=-1)
    filled = np.sum(np.where(outside, prices * (ticks.consumers_planned - net_supply), 0.0), axis=-1)
    value = np.sum(prices * (ticks.demand - ticks.supply), axis=-1) + filled
    planned = ticks.spending.sum(axis=-1) - profits - ticks.revenues.sum(axis=-1) - prices @ economy.total_supply
    worth = np.sum(prices * np.maximum(ticks.demand, ticks.supply), axis=-1)
    return np.divide(np.abs(value - planned), worth, out=np.zeros(len(worth)), where=worth > 0)


@dataclass
class Conservation:
    """Goods and money of every tick: what is bought is sold, what one purse loses another gains.

    `worst` is the largest imbalance seen, of a tick relative to its turnover or of the running sums relative to
    cumulated turnover. Beside turnover counts what money there is: budgets and what lies in accounts, as rounding is in
    proportion to these where hardly anything changes hands. Goods with an outside price balance by definition and are
    left out.
    """

    FIELDS: ClassVar = (
        *("prices", "bought", "consumers_bought", "supply_sold", "delivered", "consumers_sold", "cash_flow"),
        *("from_outside", "accounts_change", "money", "collected"),
    )
    """What it looks at of a tick."""

    economy: Economy
    worst: float = 0.0
    sums: Array = field(default_factory=lambda: np.zeros(0))

    def observe(self, ticks: Ticks) -> tuple[Array, Array]:
        """Relative imbalances of goods (the worst of them) and of money, `(ticks,)` each."""
        economy, prices, outside = self.economy, ticks.prices, self.economy.is_outside
        bought = economy.over_edges(ticks.bought) + _of_all(ticks.consumers_bought)
        sold = ticks.supply_sold + economy.over_outlets(ticks.delivered) + _of_all(ticks.consumers_sold)
        unowned = np.maximum(1.0 - economy.owned, 0.0)[economy.firm_entry]
        outside_money = (
            np.sum(prices * ticks.supply_sold, axis=-1)
            + np.sum(np.where(outside, prices * (bought - sold), 0.0), axis=-1)
            + ticks.cash_flow @ unowned
            - ticks.from_outside
        )
        money = ticks.accounts_change + outside_money
        if economy.fiscal is not None:
            # The rest of the revenue is somebody's income.
            money = money + ticks.collected @ (1.0 - economy.fiscal.to.sum(axis=1))
        imbalance = np.concatenate([np.where(outside, 0.0, bought - sold), money[:, None]], axis=1)
        paid = np.sum(prices * (np.abs(bought) + np.abs(sold)), axis=1, keepdims=True) / 2.0
        turnover = np.concatenate([np.where(bought != 0.0, bought, sold), paid], axis=1)
        held = np.zeros(turnover.shape)
        held[:, -1] = self._budgets + np.abs(ticks.money).sum(axis=1)
        relative = _relative(imbalance, turnover, held)
        both = np.stack([imbalance, turnover])
        running = np.cumsum(both, axis=1) + (self.sums[:, None] if self.sums.size else 0.0)
        self.sums = running[:, -1]
        self.worst = max(self.worst, float(relative.max()), float(_relative(running[0], running[1], held).max()))
        return relative[:, :-1].max(axis=1), relative[:, -1]

    @property
    def _budgets(self) -> float:
        """What consumers receive in a tick, or pay as a lump sum, if not without end."""
        return sum(abs(float(cohort.total(cohort.budget))) for cohort in self.economy.consumers if not cohort.unlimited)

    def state(self) -> dict[str, Array]:
        """What has been seen so far, as arrays."""
        return {"sums": self.sums, "worst": np.array(self.worst)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.sums, self.worst = state["sums"], float(state["worst"])


def _of_all(cohorts: Array) -> Array:
    """Sums over cohorts, `(ticks, cohorts, goods)` to `(ticks, goods)`: NumPy adds few of them up slowly."""
    return sum_up(list(np.moveaxis(cohorts, 1, 0))) if cohorts.shape[1] else cohorts.sum(axis=1)


def _relative(imbalance: Array, turnover: Array, held: Array) -> Array:
    size = np.abs(turnover) + held
    return np.divide(np.abs(imbalance), size, out=np.zeros(imbalance.shape), where=size > 0)
