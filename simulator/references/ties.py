"""Equilibria of economies with linear tastes: found with tastes made a little smoother, then made exact.

CES tastes of elasticity `s` tend to linear ones as `s` grows. Equilibria of the smooth economies are followed as they
do; which goods are then bought by whom tells the ties of the limit, and with them prices and spending follow from
equations: markets clear, money is spent, tied goods cost the same per unit of value.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Balance, Economy
from simulator.economics.forms import CES, Array
from simulator.economics.linear import Linear
from simulator.economics.ties import Edges, bought, clearing_split, single_valued, ties
from simulator.economics.utility import Homothetic

ELASTICITIES = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
"""Of the smooth tastes, in order."""
BOUGHT = 1e-5
"""Of a smooth consumer's spending: a good with less is none of its best."""
EXACT = 1e-9


def smoothed(economy: Economy, elasticity: float) -> Economy:
    """The economy with CES tastes `(sum v x^rho)^(1/rho)` in the place of linear ones, `rho = 1 - 1/elasticity`."""
    consumers = tuple(
        replace(cohort, utility=Homothetic(CES.from_weights(np.full(1, elasticity), cohort.utility.values)))
        if isinstance(cohort.utility, Linear)
        else cohort
        for cohort in economy.consumers
    )
    return replace(economy, consumers=consumers)


def exact(economy: Economy, rule: PriceRule, near: Array, elasticity: float) -> Balance | None:
    """The balance at the equilibrium of an economy with linear tastes next to prices `near` `(goods,)`, or None.

    `near` is an equilibrium of the economy smoothed to an elasticity of substitution.
    """
    from scipy.optimize import least_squares

    free = np.flatnonzero(~rule.fixed)
    incomes = economy.balance(near).incomes
    tolerance = -np.log(BOUGHT) / elasticity
    edges = ties(economy, near, incomes, tolerance)
    rest = _without_linear(economy)
    scale = economy.balance(near).supply + 1e-300

    def unknowns(state: Array) -> tuple[Array, Array]:
        prices = near.copy()
        prices[free] = near[free] * np.exp(state[: len(free)])
        return prices, state[len(free) :] * edges.money[edges.row]

    def residual(state: Array) -> Array:
        prices, spent = unknowns(state)
        found = _settled(economy, rest, prices, edges, spent)
        money = np.concatenate(_linear_money(economy, found))
        unspent = np.bincount(edges.row, spent, len(money)) / money - 1.0
        return np.concatenate([(found.excess_demand / scale)[free], unspent, _differences(edges, prices)])

    even = 1.0 / np.bincount(edges.row)[edges.row]
    most = 200 * (len(free) + len(even))
    start = np.concatenate([np.zeros(len(free)), even])
    if len(residual(start)) < len(start):
        return None
    found = least_squares(residual, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=most)
    prices, spent = unknowns(found.x)
    # Where ties go round in a circle the spending is not unique: any that nobody spends less than nothing in will do.
    without = _settled(economy, rest, prices, edges, np.zeros(len(spent)))
    best = ties(economy, prices, without.incomes, EXACT)
    split = clearing_split(prices, without.demand, without.supply, best, ~rule.fixed)
    if split is None or split.gap > EXACT:
        return None
    return _settled(economy, rest, prices, best, split.spending)


def _without_linear(economy: Economy) -> Economy:
    """The economy without the consumers of linear tastes; what they own is supplied."""
    linear = [cohort.total_endowment for cohort in economy.consumers if isinstance(cohort.utility, Linear)]
    return replace(economy, consumers=single_valued(economy), supply=economy.supply + sum(linear))


def _settled(economy: Economy, rest: Economy, prices: Array, edges: Edges, spent: Array) -> Balance:
    """Everybody's plans at prices, with linear consumers' spending on their ties as given, `(ties,)`."""
    others = rest.balance(prices)
    consumption = bought(economy, prices, edges, spent)
    plain = [number for number, cohort in enumerate(economy.consumers) if not isinstance(cohort.utility, Linear)]
    consumption[plain] = others.consumption
    incomes = tuple(cohort.income(prices, others.profits) for cohort in economy.consumers)
    demand, supply = economy.totals(consumption.sum(axis=0), others.inputs, others.outputs)
    return Balance(prices, demand, supply, consumption, incomes, others.inputs, others.outputs, others.profits)


def _linear_money(economy: Economy, balance: Balance) -> list[Array]:
    """Money of the linear consumers, `(rows,)` each, times the consumers a row stands for."""
    return [
        income * cohort.weight
        for cohort, income in zip(economy.consumers, balance.incomes, strict=True)
        if isinstance(cohort.utility, Linear)
    ]


def _differences(edges: Edges, prices: Array) -> Array:
    """`ln(p_j/v_j) - ln(p_k/v_k)` of neighbouring ties of each row."""
    costs = np.log(prices[edges.good] / edges.value)
    return np.diff(costs)[np.diff(edges.row) == 0]
