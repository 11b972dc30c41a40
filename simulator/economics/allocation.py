"""Who uses what, and what a unit of each good is worth to its users there.

An allocation is what firms and consumers really use in a tick; where trade waits for equilibrium nothing is used,
and the share-out takes its place: the feasible allocation in which what there is of a good is split in proportion to
planned demand. (At planned demands a best-responding user's marginal value is the price itself, and a comparison
would be empty.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.economics.economy import Economy
from simulator.economics.forms import Array


class Allocation(NamedTuple):
    """Quantities used per tick: `inputs` `(..., edges)` by firms, `consumption` `(..., agents, goods)` by consumers.

    All functions here take any number of ticks at once along leading axes; prices are then `(..., goods)`.
    """

    inputs: Array
    consumption: Array


def used(economy: Economy, allocation: Allocation) -> Array:
    """The quantity of each good in use, `(..., goods)`."""
    return economy.over_edges(allocation.inputs) + allocation.consumption.sum(axis=-2)


def outputs(economy: Economy, inputs: Array) -> Array:
    """What the firms make of `inputs` `(..., edges)`: `(..., firms)`; 0 where one idles."""
    made = np.zeros((*inputs.shape[:-1], len(economy.output_good)))
    for firm, rows, edges in zip(economy.firms, economy.firm_rows, economy.edge_rows, strict=True):
        made[..., rows] = firm.technology.output(inputs[..., edges].reshape(*inputs.shape[:-1], firm.count, -1))
    return made


def marginal_products(economy: Economy, inputs: Array) -> Array:
    """`df/dx` of each edge, `(..., edges)`; not a number where the firm idles."""
    products = np.zeros(inputs.shape)
    for firm, edges in zip(economy.firms, economy.edge_rows, strict=True):
        quantities = inputs[..., edges]
        slopes = firm.technology.marginal_product(quantities.reshape(*inputs.shape[:-1], firm.count, -1))
        products[..., edges] = slopes.reshape(quantities.shape)
    return products


def consumer_worth(economy: Economy, consumption: Array, prices: Array, worth: Array) -> Array:
    """Each consumer's `worth` `(..., agents)` imputed to the goods it uses, summed: marginal value times quantity,
    `(..., goods)`.
    """
    total = np.zeros(prices.shape)
    for cohort, rows in zip(economy.consumers, economy.consumer_rows, strict=True):
        quantities = consumption[..., rows, :]
        with np.errstate(invalid="ignore"):
            imputed = worth[..., rows, None] * cohort.utility.form.imputation(quantities, prices[..., None, :])
        total += np.where(quantities > 0, imputed, 0.0).sum(axis=-2)
    return total


def bids(economy: Economy, prices: Array, allocation: Allocation, products: Array, spending: Array) -> Array:
    """One local step of backprop: the flow-weighted mean over a good's users of their marginal value, `(..., goods)`.

    A firm's is `p_out df/dx_i` at the *market's* output price, a consumer's `m u_i / (grad u . x)` at its planned
    spending (`products` `(..., edges)`, `spending` `(..., agents)`). Not a number where nothing is used; an idle
    firm has no bid.
    """
    active = (allocation.inputs > 0) & np.isfinite(products)
    flows = np.where(active, allocation.inputs, 0.0)
    earned = prices[..., economy.output_good[economy.edge_firm]] * np.where(active, products, 0.0) * flows
    flow = economy.over_edges(flows) + allocation.consumption.sum(axis=-2)
    worth = economy.over_edges(earned) + consumer_worth(economy, allocation.consumption, prices, spending)
    return np.divide(worth, flow, out=np.full(worth.shape, np.nan), where=flow > 0)


def share_out(economy: Economy, plans: Allocation, planned_outputs: Array) -> Allocation:
    """Pass what arrives forward, each good split among its users in proportion to planned demand.

    `plans` and `planned_outputs` `(..., firms)` are what agents plan. Goods with an outside price are had as
    planned. In a loop this is the largest fixed point, iterated from planned supplies.
    """
    planned = used(economy, plans)
    made, shared = planned_outputs, plans
    for _ in range(max(1000, 2 * len(economy.firms))):
        available = economy.total_supply + economy.over_firms(np.maximum(made, 0.0))
        given = ~economy.is_outside & (planned > 0)
        fraction = np.divide(available, planned, out=np.ones(planned.shape), where=given)
        shared = Allocation(plans.inputs * fraction[..., economy.edge_good], plans.consumption * fraction[..., None, :])
        following = outputs(economy, shared.inputs)
        if np.array_equal(following, made):
            break
        made = following
    return shared
