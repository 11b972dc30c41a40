"""What a market descends: a convex potential where one exists, otherwise a merit.

The gradient path of a run is computed from here. It differentiates the function itself, by the envelope theorem for
profits and Shephard's lemma for unit costs, and never asks the market for its excess demand.

Sources: Cheung, Cole, Devanur (2013) for Fisher markets; Arrow and Hurwicz (1958).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy, MarketPlans
from simulator.economics.forms import Array
from simulator.economics.rows import over_blocks, sum_up
from simulator.economics.signal import signal_scale


class Descent(NamedTuple):
    """A function to descend at some prices.

    `value` is the potential or merit; `signal` `(goods,)` is minus its gradient, in quantities: what a price rule is
    fed in the place of excess demand; `scale` `(goods,)` is the larger of the demand and the supply side of the
    signal, `unit` `(goods,)` what a rule measures it by, and `inputs` `(edges,)` where the firms' profits are reached,
    the guess for the next call. `jacobian` `(goods, goods)`, if asked for, is the derivative of each signal in every
    price.
    """

    value: float
    signal: Array
    scale: Array
    unit: Array
    inputs: Array
    jacobian: Array | None = None

    @property
    def slope(self) -> Array | None:
        """The derivative of each signal in its own price, `(goods,)`; None where it was not asked for."""
        # A view would keep the whole Jacobian of every recorded tick in memory.
        return None if self.jacobian is None else self.jacobian.diagonal().copy()


class Reference(Protocol):
    """A function of prices that the gradient path descends."""

    @property
    def kind(self) -> str:
        """`potential` or `merit`."""
        ...

    def descent(self, prices: Array, guess: Array, jacobian: bool = False) -> Descent:
        """Value and descent signal at `prices` `(goods,)`, with the signal's Jacobian if wanted."""
        ...


@dataclass(frozen=True)
class SpendingPotential:
    """`V(p) = p.(supply + endowments) + sum_f pi_f(p) + sum_h v_h(p)`, for consumers whose money `m` depends on no
    price: `v_h = -m_h ln c_h(p)` of homothetic tastes, indirect utility `max u_h(x) - p.x` of quasi-linear ones.

    Supply chains, Fisher markets and quasi-linear consumers (constants left out). `-dV/dp = z`.
    """

    economy: Economy
    kind = "potential"

    def descent(self, prices: Array, guess: Array, jacobian: bool = False) -> Descent:
        economy = self.economy
        profits, outputs, inputs = economy.profits(prices, guess)
        value, bought = float(prices @ economy.total_supply + profits.sum()), np.zeros(len(prices))
        for number, cohort in enumerate(economy.consumers):
            faced = economy.user_prices.consumer_prices(number, prices)
            surplus, demand = _surplus(cohort, faced, cohort.budget)
            value, bought = value + surplus, bought + demand
        demand, supply = economy.totals(bought, inputs, outputs)
        return _descent(economy, value, (demand, supply), prices, inputs, jacobian)


@dataclass(frozen=True)
class WealthPotential:
    """`V(p) = ln W(p) - sum_h lambda_h ln c_h(p)` with wealth `W = p.e + sum_f pi_f + sum B`.

    For consumers who are alike, or hold all wealth in fixed proportions `lambda`, one `(rows,)` for each cohort.
    `-dV/dp = z/W`, so the signal is `-W dV/dp`.
    """

    economy: Economy
    proportions: tuple[Array, ...]
    kind = "potential"

    def descent(self, prices: Array, guess: Array, jacobian: bool = False) -> Descent:
        economy = self.economy
        profits, outputs, inputs = economy.profits(prices, guess)
        budgets = sum(float(cohort.total(cohort.budget)) for cohort in economy.consumers)
        wealth = float(prices @ economy.total_supply + profits.sum()) + budgets
        value, bought = float(np.log(wealth)), np.zeros(len(prices))
        for number, (cohort, proportions) in enumerate(zip(economy.consumers, self.proportions, strict=True)):
            faced = economy.user_prices.consumer_prices(number, prices)
            surplus, demand = _surplus(cohort, faced, proportions)
            value, bought = value + surplus, bought + wealth * demand
        demand, supply = economy.totals(bought, inputs, outputs)
        return _descent(economy, value, (demand, supply), prices, inputs, jacobian)


@dataclass(frozen=True)
class Merit:
    """`M(p) = z' G^-1 z / (2 p.s)`, `G = diag(s/p)`: half the squared excess demand in the unit-free value metric.

    For economies without a potential. The signal is `-(p.s) dM/dp`, quantities like `z`; `s` is held constant when
    differentiating. Descent may stop where `dM/dp = 0` although `z` is not 0. The signal's Jacobian is Gauss and
    Newton's: `-J' G^-1 J`, `J = dz/dp`.
    """

    economy: Economy
    kind = "merit"

    def descent(self, prices: Array, guess: Array, jacobian: bool = False) -> Descent:
        balance = self.economy.balance(prices, guess)
        slopes = self.economy.jacobian(balance)
        value, gradient = merit(balance, slopes)
        wealth = float(prices @ balance.scale)
        weights = np.divide(prices, balance.scale, out=np.zeros(len(prices)), where=balance.scale > 0)
        squared = -slopes.T @ (weights[:, None] * slopes) if jacobian else None
        unit = signal_scale(self.economy, balance.demand, balance.supply)
        return Descent(value, -wealth * gradient, balance.scale, unit, balance.inputs, squared)


def _surplus(cohort: Consumers, prices: Array, money: Array) -> tuple[float, Array]:
    """`sum_h v_h(p)` of a cohort at given money `(rows,)`, and minus its gradient `(goods,)`: what they buy."""

    def of(block: tuple[slice, Consumers]) -> tuple[float, Array]:
        part, some = block
        held = np.broadcast_to(money[part] if len(money) > 1 else money, (some.size,))
        bought = some.utility.dual_demand(prices, held).sum(axis=0)
        return float(some.utility.surplus(prices, held).sum()), bought

    parts = over_blocks(cohort.blocks, of)
    return cohort.weight * sum_up([value for value, _ in parts]), cohort.weight * sum_up([x for _, x in parts])


def _descent(
    economy: Economy, value: float, sides: tuple[Array, Array], prices: Array, inputs: Array, jacobian: bool
) -> Descent:
    """That of a potential whose gradient has a demand and a supply side, `(goods,)` each; its Jacobian is that of
    excess demand: `-d2V/dp2` where `-dV/dp = z`.
    """
    demand, supply = sides
    slopes = economy.jacobian(economy.balance(prices, inputs)) if jacobian else None
    unit = signal_scale(economy, demand, supply)
    return Descent(value, demand - supply, np.maximum(demand, supply), unit, inputs, slopes)


def merit_value(prices: Array, excess_demand: Array, scale: Array) -> Array:
    """`M = sum_j p_j z_j^2 / s_j / (2 p.s)`, `(...)` for `(..., goods)`: 0 exactly where every market clears."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(scale > 0, prices * excess_demand**2 / scale, 0.0)
        return parts.sum(axis=-1) / (2.0 * (prices * scale).sum(axis=-1))


def merit(balance: MarketPlans, jacobian: Array) -> tuple[float, Array]:
    """The merit of a balance and its gradient in prices, `(goods,)`, given `J = dz/dp`."""
    prices, excess, scale = balance.prices, balance.excess_demand, balance.scale
    value, wealth = float(merit_value(prices, excess, scale)), float(prices @ scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(scale > 0, excess / scale, 0.0)
    slope = (prices * relative) @ jacobian + 0.5 * relative * excess
    return value, (slope - value * scale) / wealth


def reference(economy: Economy) -> Reference:
    """The function this economy's market is compared with: its potential where one exists, else the merit.

    Where users face other prices than the market's, excess demand is in general no gradient.
    """
    if not economy.user_prices.neutral:
        return Merit(economy)
    if all(map(_money_is_given, economy.consumers)):
        return SpendingPotential(economy)
    proportions = _fixed_proportions(economy)
    if proportions is not None:
        return WealthPotential(economy, proportions)
    return Merit(economy)


def _money_is_given(cohort: Consumers) -> bool:
    """Whether what they spend depends on no income from prices, and what they buy is then the gradient of something: a
    purse without end, or budgets and integrable tastes.
    """
    return cohort.unlimited or (cohort.utility.integrable and not cohort.earns.any())


def _fixed_proportions(economy: Economy) -> tuple[Array, ...] | None:
    """Shares `lambda` of total wealth, a `(rows,)` for each cohort, if they depend on no price, or do not matter as
    all are alike.
    """
    cohorts = economy.consumers
    everything_owned = not economy.supply.any() and np.allclose(economy.owned, 1.0, rtol=0, atol=1e-12)
    homothetic = all(cohort.utility.needs_income and cohort.utility.integrable for cohort in cohorts)
    if not cohorts or not everything_owned or not homothetic:
        return None
    if _alike(economy):
        count = sum(cohort.count for cohort in cohorts)
        return tuple(np.full(cohort.size, 1.0 / count) for cohort in cohorts)
    totals = sum_up([_holdings(cohort).sum(axis=0) * cohort.weight for cohort in cohorts])
    shares = [_holdings(cohort)[:, totals > 0] / totals[totals > 0] for cohort in cohorts]
    if all(np.allclose(held, held[:, :1], rtol=1e-12, atol=0) for held in shares):
        return tuple(held[:, 0] for held in shares)
    return None


def _holdings(cohort: Consumers) -> Array:
    """All that gives income, `(rows, goods + firm entries + 1)`."""
    parts = (cohort.endowment, cohort.owns, cohort.budget[:, None])
    return np.concatenate([np.broadcast_to(part, (cohort.size, part.shape[1])) for part in parts], axis=1)


def _alike(economy: Economy) -> bool:
    """Whether all consumers have one and the same homothetic utility: equal bundles for a unit of money, at any
    prices.
    """
    tastes = [cohort.utility for cohort in economy.consumers]
    if any(taste.form is None for taste in tastes):
        # Where tastes jump (linear), a few prices do not tell any two of them apart.
        return len(tastes) == 1 and tastes[0].size == 1
    probes = _probes(len(economy.goods))
    first = [bundle[:1] for bundle in _unit_bundles(economy.consumers[0].take(slice(0, 1)), probes)]
    return all(
        np.allclose(bundle, like, rtol=1e-12, atol=1e-300)
        for cohort in economy.consumers
        for _, block in (cohort.blocks if cohort.utility.size > 1 else ((None, cohort.take(slice(0, 1))),))
        for bundle, like in zip(_unit_bundles(block, probes), first, strict=True)
    )


def _unit_bundles(consumers: Consumers, probes: list[Array]) -> list[Array]:
    """What a unit of money buys at each of the probing prices, `(rows, goods)` each."""
    return [consumers.utility.dual_demand(prices, np.ones(consumers.size)) for prices in probes]


def _probes(goods: int) -> list[Array]:
    """Price vectors that tell any two of the forms apart (they differ in shares or in one elasticity)."""
    ramp = np.arange(goods) / max(goods - 1, 1)
    return [np.ones(goods), np.exp(ramp), np.exp(-2.0 * ramp**2)]
