"""Equilibria of economies with linear tastes: found with tastes made a little smoother, then made exact.

CES tastes of elasticity `s` tend to linear ones as `s` grows. Equilibria of the smooth economies are followed as they
do; which goods are then bought by whom tells the ties of the limit, and with them prices and spending follow from
equations: markets clear, money is spent, tied goods cost the same per unit of value.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy, MarketPlans
from simulator.economics.forms import CES, Array
from simulator.economics.linear import Linear
from simulator.economics.ties import TiedSpending, bought, clearing_split, single_valued, ties
from simulator.economics.utility import Homothetic
from simulator.references.effort import Effort

ELASTICITIES = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
"""Of the smooth tastes, in order."""
BOUGHT = 1e-5
"""Of a smooth consumer's spending: a good with less is none of its best."""
EXACT = 1e-9
LARGEST = 1000
"""More unknowns than this take too much time and memory."""


def smoothed(economy: Economy, elasticity: float) -> Economy:
    """The economy with CES tastes `(sum v x^rho)^(1/rho)` in the place of linear ones, `rho = 1 - 1/elasticity`."""
    consumers = tuple(
        replace(cohort, utility=Homothetic(CES.from_weights(np.full(1, elasticity), cohort.utility.values)))
        if isinstance(cohort.utility, Linear)
        else cohort
        for cohort in economy.consumers
    )
    return replace(economy, consumers=consumers)


def exact(economy: Economy, rule: PriceRule, near: Array, elasticity: float, effort: Effort) -> MarketPlans | None:
    """The balance at the equilibrium of an economy with linear tastes next to prices `near` `(goods,)`, or None.

    `near` is an equilibrium of the economy smoothed to an elasticity of substitution. Unknown are the free prices, and
    the spending of those who have several best goods.
    """
    from scipy.optimize import least_squares

    free = np.flatnonzero(~rule.fixed)
    close = economy.balance(near)
    edges = ties(economy, near, close.incomes, -np.log(BOUGHT) / elasticity)
    # Who has no money spends none.
    edges = edges.among(edges.money[edges.row] > 0)
    choices = np.bincount(edges.row, minlength=len(edges.money))
    choosing, chosen = choices > 1, choices[edges.row] > 1
    rest, scale = _without_linear(economy), close.supply + 1e-300

    def unknowns(state: Array) -> tuple[Array, MarketPlans, Array, Array]:
        """Prices, what all others plan there, and the linear consumers' money and spending."""
        prices = near.copy()
        prices[free] = near[free] * np.exp(state[: len(free)])
        others = rest.balance(prices)
        money = np.concatenate(_linear_money(economy, prices, others))
        spent = money[edges.row]
        spent[chosen] = state[len(free) :] * edges.money[edges.row[chosen]]
        return prices, others, money, spent

    def residual(state: Array) -> Array:
        prices, others, money, spent = unknowns(state)
        found = _settled(economy, others, prices, edges, spent)
        unspent = (np.bincount(edges.row, spent, len(money)) / money - 1.0)[choosing]
        return np.concatenate([(found.excess_demand / scale)[free], unspent, _differences(edges, prices)])

    even = (1.0 / choices[edges.row])[chosen]
    start = np.concatenate([np.zeros(len(free)), even])
    first = residual(start) if effort.balance(economy) and len(start) <= LARGEST else np.full(1, np.nan)
    if len(first) < len(start) or not np.isfinite(first).all():
        effort.exhausted |= len(start) > LARGEST
        return None
    # Every step differentiates in all unknowns, and solves for them.
    cost = (len(start) + 1) * effort.of_balance(economy) + 2e-9 * len(first) * len(start) ** 2
    most = min(200 * len(start), int(effort.left / cost))
    found = least_squares(residual, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=max(most, 1))
    effort.spend(found.nfev * cost)
    prices, others, _, spent = unknowns(found.x)
    # Where ties go round in a circle the spending is not unique: any that nobody spends less than nothing in will do.
    without = _settled(economy, others, prices, edges, np.zeros(len(spent)))
    best = ties(economy, prices, without.incomes, EXACT)
    split = clearing_split(prices, without.demand, without.supply, best, ~rule.fixed)
    if split is None or split.gap > EXACT:
        return None
    return _settled(economy, others, prices, best, split.spending)


def _without_linear(economy: Economy) -> Economy:
    """The economy without the consumers of linear tastes; what they own is supplied."""
    linear = [cohort.total_endowment for cohort in economy.consumers if isinstance(cohort.utility, Linear)]
    factors = economy.price_factors
    if factors is not None:
        kept = [not isinstance(cohort.utility, Linear) for cohort in economy.consumers]
        factors = factors._replace(cohorts=factors.cohorts[kept])
    supply = economy.supply + sum(linear)
    return replace(economy, consumers=single_valued(economy), supply=supply, price_factors=factors)


def _settled(economy: Economy, others: MarketPlans, prices: Array, edges: TiedSpending, spent: Array) -> MarketPlans:
    """Everybody's plans at prices: those of the `others`, and linear consumers' spending on their ties, `(ties,)`."""
    consumption = bought(economy, prices, edges, spent)
    plain = [number for number, cohort in enumerate(economy.consumers) if not isinstance(cohort.utility, Linear)]
    consumption[plain] = others.consumption
    incomes = tuple(cohort.income(prices, others.profits) for cohort in economy.consumers)
    demand, supply = economy.totals(prices, consumption.sum(axis=0), others.inputs, others.outputs)
    return others._replace(prices=prices, demand=demand, supply=supply, consumption=consumption, incomes=incomes)


def _linear_money(economy: Economy, prices: Array, others: MarketPlans) -> list[Array]:
    """Money of the linear consumers, `(rows,)` each, times the consumers a row stands for."""
    return [
        cohort.income(prices, others.profits) * cohort.weight
        for cohort in economy.consumers
        if isinstance(cohort.utility, Linear)
    ]


def _differences(edges: TiedSpending, prices: Array) -> Array:
    """`ln(q_j/v_j) - ln(q_k/v_k)`, `q` the prices faced, of neighbouring ties of each row."""
    costs = np.log(prices[edges.good] * edges.factor / edges.value)
    return np.diff(costs)[np.diff(edges.row) == 0]
