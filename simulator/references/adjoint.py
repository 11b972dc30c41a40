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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.economics.agents import Consumers
from simulator.economics.allocation import marginal_products, used, worth
from simulator.economics.economy import Economy
from simulator.economics.firm_layout import sum_by
from simulator.economics.forms import Array
from simulator.economics.linear import Linear
from simulator.economics.market_plans import MarketPlans
from simulator.economics.rows import over_blocks, sum_up
from simulator.formulas.searches import array_search


@np.errstate(all="ignore")
def adjoints(
    economy: Economy, inputs: Array, consumption: Array, products: Array, objective: Array, yields: Array
) -> Array:
    """Derivative of the objective with respect to the quantity used of each good, `(..., goods)`, any number of ticks
    at once.

    `inputs` and marginal `products` are `(..., edges)`, all `consumption` `(..., goods)`; `objective` `(..., goods)`
    is the consumers' part of it imputed to goods (see `economics.allocation.worth`), `yields` `(..., outlets)` what a
    unit of output is (see `UserPrices.yields`). Not a number where a good is
    unused or a firm downstream has used nothing, and nowhere a number if a loop returns more than it takes (spectral
    radius of `B` at least 1).
    """
    goods = len(economy.goods)
    quantity = used(economy, inputs, consumption)
    outside = economy.is_outside
    known = _reached(economy, inputs, products, quantity)
    per_unit = np.where(inputs > 0, inputs * products / quantity[..., economy.edge_good], 0.0)
    final = np.where(outside, economy.outside, objective / quantity)
    edges, outlets = economy.input_output_pairs
    places = economy.edge_good[edges] * goods + economy.outlet_good[outlets]
    passed = per_unit[..., edges] * yields[..., outlets]
    sweep = sum_by(places, passed, goods * goods).reshape(*per_unit.shape[:-1], goods, goods)
    sweep = np.where((known & ~outside)[..., :, None] & known[..., None, :], sweep, 0.0)
    # What lies out of the range of numbers tells nothing of any good.
    ends = np.isfinite(np.where(known, final, 0.0)).all(axis=-1, keepdims=True)
    finite: Any = np.isfinite(sweep).all(axis=-1).all(axis=-1, keepdims=True) & ends
    if not finite.all():
        known = np.where(finite, known, outside)
        sweep = np.where(finite[..., None], sweep, 0.0)
    if economy.has_loop:
        converges = _spectral_radius(sweep) < 1.0
        known = np.where(converges, known, outside)
        sweep = np.where(converges[..., None], sweep, 0.0)
    system = np.eye(goods) - sweep
    return np.where(known, _solution(system, np.where(known, final, 0.0)), np.nan)


@array_search("the spectral radius of a loop")
def _spectral_radius(sweep: Array) -> Array:
    return np.max(np.abs(np.linalg.eigvals(sweep)), axis=-1, keepdims=True)


@array_search("the adjoints of a sweep")
def _solution(system: Array, right: Array) -> Array:
    return np.asarray(np.linalg.solve(system, right[..., None])[..., 0], dtype=float)


def edge_values(economy: Economy, prices: Array, products: Array, yields: Array) -> Array:
    """What one more unit of an input is worth to its user, `a_out df/dx`, `(..., edges)`, of marginal `products`
    `(..., edges)` if what firms make is worth `prices` `(..., goods)`.
    """
    return economy.output_value(prices, yields)[..., economy.edge_firm] * products


def _reached(economy: Economy, inputs: Array, products: Array, quantity: Array) -> NDArray[np.bool_]:
    """Goods in use all of whose users, and theirs in turn, make something, `(..., goods)`."""
    alive = known = (quantity > 0) | economy.is_outside
    silent = (inputs > 0) & ~np.isfinite(products)
    sold = economy.outlet_good
    for _ in range(len(economy.goods)):
        # Of joint products one that nobody uses adds nothing; one whose worth is not known yet leaves the sum unknown.
        lost, some = ((marks[..., sold]).astype(float) for marks in (alive & ~known, known))
        unknown = (economy.over_firms(lost) > 0) | (economy.over_firms(some) == 0)
        stuck = economy.over_edges(((inputs > 0) & (silent | unknown[..., economy.edge_firm])).astype(float)) > 0
        following = known & ~(stuck & ~economy.is_outside)
        if (following == known).all():
            break
        known = following
    return known


@np.errstate(all="ignore")
def equilibrium_adjoints(economy: Economy, balance: MarketPlans) -> Array:
    """Adjoints where the plans of a balance are carried out, `(goods,)`."""
    prices, objective = balance.prices, np.zeros(len(economy.goods))
    cohorts = zip(economy.consumers, balance.incomes, balance.consumption, strict=True)
    for number, (cohort, income, bundle) in enumerate(cohorts):
        faced = economy.user_prices.consumer_prices(number, prices)
        if isinstance(cohort.utility, Linear):
            # Of a set of best bundles the balance holds the one that clears: each good in it is worth its price.
            objective += faced * bundle
            continue

        def imputed(block: tuple[slice, Consumers], income: Array = income, faced: Array = faced) -> Array:
            part, some = block
            quantities = some.utility.dual_demand(faced, income[part])
            return worth(some, faced, income[part], quantities).objective

        objective += cohort.weight * sum_up(over_blocks(cohort.blocks, imputed))
    products = marginal_products(economy, prices, balance.inputs)
    yields = economy.user_prices.yields(prices)
    return adjoints(economy, balance.inputs, balance.consumption.sum(axis=0), products, objective, yields)
