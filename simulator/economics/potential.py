"""What a market descends: a convex potential where one exists, otherwise a merit.

The gradient path of a run is computed from here. It differentiates the function itself, by the envelope theorem for
profits and Shephard's lemma for unit costs, and never asks the market for its excess demand.

Sources: Cheung, Cole, Devanur (2013) for Fisher markets; Arrow and Hurwicz (1958).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from simulator.economics.economy import Balance, Economy, log_cost_gradient
from simulator.economics.forms import Array


class Descent(NamedTuple):
    """A function to descend at some prices.

    `value` is the potential or merit; `signal` `(goods,)` is minus its gradient, in quantities: what a price rule is
    fed in the place of excess demand; `scale` `(goods,)` is the larger of the demand and the supply side of the
    signal, and `inputs` `(edges,)` where the firms' profits are reached, the guess for the next call.
    """

    value: float
    signal: Array
    scale: Array
    inputs: Array


class Reference(Protocol):
    """A function of prices that the gradient path descends."""

    @property
    def kind(self) -> str:
        """`potential` or `merit`."""
        ...

    def descent(self, prices: Array, guess: Array) -> Descent:
        """Value and descent signal at `prices` `(goods,)`."""
        ...


@dataclass(frozen=True)
class SpendingPotential:
    """`V(p) = p.(supply + endowments) + sum_f pi_f(p) - sum_h S_h ln c_h(p)`, for consumers whose spending `S` is
    given.

    Supply chains, Fisher markets (`S` the budget) and quasi-linear consumers (`S = sum w`; constants left out).
    `-dV/dp = z`.
    """

    economy: Economy
    spending: Array
    kind = "potential"

    def descent(self, prices: Array, guess: Array) -> Descent:
        economy = self.economy
        profits, outputs, inputs = economy.profits(prices, guess)
        value = prices @ economy.total_supply + profits.sum()
        bought = np.zeros((len(self.spending), len(prices)))
        for cohort, rows in zip(economy.consumers, economy.consumer_rows, strict=True):
            spending = self.spending[rows]
            value -= spending @ np.log(cohort.utility.form.unit_cost(prices))
            bought[rows] = spending[:, None] * log_cost_gradient(cohort, prices)
        demand, supply = economy.totals(bought.sum(axis=0), inputs, outputs)
        return Descent(float(value), demand - supply, np.maximum(demand, supply), inputs)


@dataclass(frozen=True)
class WealthPotential:
    """`V(p) = ln W(p) - sum_h lambda_h ln c_h(p)` with wealth `W = p.e + sum_f pi_f + sum B`.

    For consumers who are alike, or hold all wealth in fixed proportions `lambda` `(agents,)`. `-dV/dp = z/W`, so the
    signal is `-W dV/dp`.
    """

    economy: Economy
    proportions: Array
    kind = "potential"

    def descent(self, prices: Array, guess: Array) -> Descent:
        economy = self.economy
        profits, outputs, inputs = economy.profits(prices, guess)
        wealth = float(prices @ economy.total_supply + profits.sum() + economy.budget.sum())
        value = np.log(wealth)
        bought = np.zeros((len(self.proportions), len(prices)))
        for cohort, rows in zip(economy.consumers, economy.consumer_rows, strict=True):
            proportions = self.proportions[rows]
            value -= proportions @ np.log(cohort.utility.form.unit_cost(prices))
            bought[rows] = (wealth * proportions)[:, None] * log_cost_gradient(cohort, prices)
        demand, supply = economy.totals(bought.sum(axis=0), inputs, outputs)
        return Descent(float(value), demand - supply, np.maximum(demand, supply), inputs)


@dataclass(frozen=True)
class Merit:
    """`M(p) = z' G^-1 z / (2 p.s)`, `G = diag(s/p)`: half the squared excess demand in the unit-free value metric.

    For economies without a potential. The signal is `-(p.s) dM/dp`, quantities like `z`; `s` is held constant when
    differentiating. Descent may stop where `dM/dp = 0` although `z` is not 0.
    """

    economy: Economy
    kind = "merit"

    def descent(self, prices: Array, guess: Array) -> Descent:
        balance = self.economy.balance(prices, guess)
        value, gradient = merit(balance, self.economy.jacobian(balance))
        wealth = float(prices @ balance.scale)
        return Descent(value, -wealth * gradient, balance.scale, balance.inputs)


def merit_value(prices: Array, excess_demand: Array, scale: Array) -> Array:
    """`M = sum_j p_j z_j^2 / s_j / (2 p.s)`, `(...)` for `(..., goods)`: 0 exactly where every market clears."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(scale > 0, prices * excess_demand**2 / scale, 0.0)
        return parts.sum(axis=-1) / (2.0 * (prices * scale).sum(axis=-1))


def merit(balance: Balance, jacobian: Array) -> tuple[float, Array]:
    """The merit of a balance and its gradient in prices, `(goods,)`, given `J = dz/dp`."""
    prices, excess, scale = balance.prices, balance.excess_demand, balance.scale
    value, wealth = float(merit_value(prices, excess, scale)), float(prices @ scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(scale > 0, excess / scale, 0.0)
    slope = (prices * relative) @ jacobian + 0.5 * relative * excess
    return value, (slope - value * scale) / wealth


def reference(economy: Economy) -> Reference:
    """The function this economy's market is compared with: its potential where one exists, else the merit."""
    spending = _given_spending(economy)
    if spending is not None:
        return SpendingPotential(economy, spending)
    proportions = _fixed_proportions(economy)
    if proportions is not None:
        return WealthPotential(economy, proportions)
    return Merit(economy)


def _given_spending(economy: Economy) -> Array | None:
    """Each consumer's spending `(agents,)` if it depends on no price: all income is budget, or more than is ever
    spent.
    """
    spending = np.zeros(len(economy.budget))
    for cohort, rows in zip(economy.consumers, economy.consumer_rows, strict=True):
        earns = cohort.endowment.any() or cohort.owns.any()
        if earns and not np.isinf(cohort.budget).all():
            return None
        spending[rows] = cohort.utility.spending(cohort.budget)
    return spending


def _fixed_proportions(economy: Economy) -> Array | None:
    """Shares `lambda` `(agents,)` of total wealth if they depend on no price, or do not matter as all are alike."""
    agents = len(economy.budget)
    everything_owned = not economy.supply.any() and np.allclose(economy.owns.sum(axis=0), 1.0, rtol=0, atol=1e-12)
    if not agents or not everything_owned or not all(c.utility.needs_income for c in economy.consumers):
        return None
    if _alike(economy):
        return np.full(agents, 1.0 / agents)
    holdings = np.concatenate([economy.endowment, economy.owns, economy.budget[:, None]], axis=1)
    totals = holdings.sum(axis=0)
    shares = holdings[:, totals > 0] / totals[totals > 0]
    return shares[:, 0] if np.allclose(shares, shares[:, :1], rtol=1e-12, atol=0) else None


def _alike(economy: Economy) -> bool:
    """Whether all consumers have one and the same homothetic utility: equal bundles for a unit of money, at any
    prices.
    """
    forms = [cohort.utility.form for cohort in economy.consumers]
    goods = len(economy.goods)
    tastes: list[Array] = []
    for form in forms:
        costs = np.stack([form.unit_demand(p) / form.unit_cost(p)[:, None] for p in _probes(goods)], axis=1)
        tastes.append(costs.reshape(len(costs), -1))
    rows = np.concatenate(tastes)
    return bool(np.allclose(rows, rows[:1], rtol=1e-12, atol=1e-300))


def _probes(goods: int) -> list[Array]:
    """Price vectors that tell any two of the forms apart (they differ in shares or in one elasticity)."""
    ramp = np.arange(goods) / max(goods - 1, 1)
    return [np.ones(goods), np.exp(ramp), np.exp(-2.0 * ramp**2)]
