"""The full reverse sweep: what one more unit of each good would add to the objective, carried back to raw supply.

A bid takes the market's output price; the adjoint replaces it by the output's own adjoint, from final demand
upwards: `a_j = [ sum_users flow * df/dx_j * a_out + worth_j ] / used_j`, a linear system `(I - B) a = final` over
goods. One more unit used of a good is split like the good itself. The adjoint of a good with an outside price is
that price.

The objective is the value of net sales to the outside, plus the surplus of quasi-linear consumers, plus `B ln u` of
those who spend a money budget, plus `u / mu` of the others with the marginal utility of money `mu = 1/c(p)` frozen
at the prices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.economics.allocation import Allocation, consumer_worth, marginal_products, used
from simulator.economics.economy import Balance, Economy
from simulator.economics.forms import Array


def adjoints(economy: Economy, prices: Array, allocation: Allocation, products: Array, spending: Array) -> Array:
    """Derivative of the objective with respect to the quantity used of each good, `(..., goods)`, any number of ticks
    at once.

    `products` `(..., edges)` are marginal products and `spending` `(..., agents)` the planned spending at the
    allocation. Not a number where a good is unused or a firm downstream has used nothing, and nowhere a number if a
    loop returns more than it takes (spectral radius of `B` at least 1).
    """
    goods = len(economy.goods)
    quantity = used(economy, allocation)
    objective = objective_worth(economy, prices, allocation.consumption, spending)
    worth = consumer_worth(economy, allocation.consumption, prices, objective)
    outside = economy.is_outside
    known = _reached(economy, allocation.inputs, products, quantity)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_unit = np.where(allocation.inputs > 0, allocation.inputs * products / quantity[..., economy.edge_good], 0.0)
        final = np.where(outside, economy.outside, worth / quantity)
    places = economy.edge_good * goods + economy.output_good[economy.edge_firm]
    sweep = np.zeros((*per_unit.shape[:-1], goods * goods))
    for edge, place in enumerate(places.tolist()):
        sweep[..., place] += per_unit[..., edge]
    sweep = sweep.reshape(*per_unit.shape[:-1], goods, goods)
    sweep = np.where((known & ~outside)[..., :, None] & known[..., None, :], sweep, 0.0)
    if economy.has_loop:
        converges = np.max(np.abs(np.linalg.eigvals(sweep)), axis=-1, keepdims=True) < 1.0
        known = np.where(converges, known, outside)
        sweep = np.where(converges[..., None], sweep, 0.0)
    system = np.eye(goods) - sweep
    return np.where(known, np.linalg.solve(system, np.where(known, final, 0.0)[..., None])[..., 0], np.nan)


def _reached(economy: Economy, inputs: Array, products: Array, quantity: Array) -> NDArray[np.bool_]:
    """Goods in use all of whose users, and theirs in turn, make something, `(..., goods)`."""
    known = (quantity > 0) | economy.is_outside
    edge_output = economy.output_good[economy.edge_firm]
    silent = (inputs > 0) & ~np.isfinite(products)
    for _ in range(len(economy.goods)):
        stuck = economy.over_edges(((inputs > 0) & (silent | ~known[..., edge_output])).astype(float)) > 0
        following = known & ~(stuck & ~economy.is_outside)
        if np.array_equal(following, known):
            break
        known = following
    return known


def objective_worth(economy: Economy, prices: Array, consumption: Array, spending: Array) -> Array:
    """`grad(objective) . x` of each consumer, `(..., agents)`: its budget or log weights, or `u(x) c(p)` where it earns
    income.
    """
    worth = spending.copy()
    for cohort, rows in zip(economy.consumers, economy.consumer_rows, strict=True):
        utility = cohort.utility
        if not utility.needs_income:
            continue
        earns = cohort.endowment.any(axis=1) | cohort.owns.any(axis=1)
        enjoyed = utility.form.value(consumption[..., rows, :]) * utility.form.unit_cost(prices[..., None, :])
        worth[..., rows] = np.where(earns, enjoyed, cohort.budget)
    return worth


def equilibrium_adjoints(economy: Economy, balance: Balance) -> Array:
    """Adjoints where the plans of a balance are carried out, `(goods,)`."""
    allocation = Allocation(balance.inputs, balance.consumption)
    spending = np.concatenate(
        [
            c.utility.spending(balance.income[rows])
            for c, rows in zip(economy.consumers, economy.consumer_rows, strict=True)
        ]
        or [np.zeros(0)]
    )
    products = marginal_products(economy, balance.inputs)
    return adjoints(economy, balance.prices, allocation, products, spending)
