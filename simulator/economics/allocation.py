"""Who uses what, and what a unit of each good is worth to its users there.

An allocation is what firms and consumers really use in a tick; where trade waits for equilibrium nothing is used,
and the share-out takes its place: the feasible allocation in which what there is of a good is split in proportion to
planned demand. (At planned demands a best-responding user's marginal value is the price itself, and a comparison
would be empty.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.formulas.searches import array_search


class Worth(NamedTuple):
    """Marginal value times quantity, summed over consumers, `(goods,)` each.

    `bid`: a consumer's planned spending (for a quasi-linear one what the bundle is worth in money) imputed to its
    goods; `objective`: its part of the objective imputed likewise.
    """

    bid: Array
    objective: Array


def worth(
    consumers: Consumers,
    prices: Array,
    income: Array,
    quantities: Array,
    *,
    objective: bool = True,
    imputed: Array | None = None,
) -> Worth:
    """What consumers' `quantities` `(rows, goods)` are worth to them at planned `income` `(rows,)`; their part of the
    `objective` only if asked for. `imputed` is the utility's `value_shares` there, if it is known.

    The objective is `B ln u` of those who spend a money budget in homothetic tastes, else `u / mu` with the marginal
    utility of money `mu` frozen at the prices (surplus of quasi-linear consumers, whose `mu` is 1).
    """
    utility = consumers.utility
    with np.errstate(invalid="ignore"):
        imputed = utility.value_shares(quantities, prices) if imputed is None else imputed
        imputed = imputed if (quantities > 0).all() else np.where(quantities > 0, imputed, 0.0)
        if utility.needs_income and not objective:
            return Worth(np.einsum("a,ag->g", utility.spending(prices, income), imputed), np.full(len(prices), np.nan))
        enjoyed = utility.worth(quantities, prices, income)
        planned = utility.spending(prices, income) if utility.needs_income else enjoyed
        if utility.integrable and utility.needs_income:
            enjoyed = np.where(consumers.earns, enjoyed, consumers.budget)
        return Worth(np.einsum("a,ag->g", planned, imputed), np.einsum("a,ag->g", enjoyed, imputed))


def used(economy: Economy, inputs: Array, consumption: Array) -> Array:
    """The quantity of each good in use, `(..., goods)`, of `inputs` `(..., edges)` and all `consumption` `(...,
    goods)`.
    """
    return economy.over_edges(inputs) + consumption


def outputs(economy: Economy, inputs: Array) -> Array:
    """What the firms make of `inputs` `(..., edges)`: `(..., firms)`; 0 where one idles."""
    made = [np.zeros((*inputs.shape[:-1], 0))]
    for firm, edges in zip(economy.firms, economy.edge_rows, strict=True):
        made.append(firm.technology.output(inputs[..., edges].reshape(*inputs.shape[:-1], firm.rows, -1)))
    return np.concatenate(made, axis=-1)


def marginal_products(economy: Economy, prices: Array, inputs: Array) -> Array:
    """`df/dx` of each edge, `(..., edges)`; not a number where the firm idles; at a kink the element nearest the
    `prices` `(..., goods)`.
    """
    products, paid = [np.zeros((*inputs.shape[:-1], 0))], economy.user_prices.input_prices(prices)
    got = economy.user_prices.output_prices(prices)
    for firm, rows, edges in zip(economy.firms, economy.firm_rows, economy.edge_rows, strict=True):
        quantities = inputs[..., edges].reshape(*inputs.shape[:-1], firm.rows, -1)
        costs = paid[..., edges.start : edges.start + len(firm.inputs)]
        slopes = firm.technology.nearest_product(got[..., rows.start], quantities, costs)
        products.append(slopes.reshape(*inputs.shape[:-1], -1))
    return np.concatenate(products, axis=-1)


def bids(
    economy: Economy, prices: Array, inputs: Array, consumption: Array, products: Array, consumers_bid: Array
) -> Array:
    """One local step of backprop: the flow-weighted mean over a good's users of their marginal value, `(..., goods)`.

    A firm's is `p_out df/dx_i` at the price its output fetches in the *market* (`products` `(..., edges)`), less what
    does not come to the seller; the consumers' bids times quantities come summed as `consumers_bid` `(..., goods)` (see
    `worth`), their use as `consumption` `(..., goods)`.
    Not a number where nothing is used; an idle firm has no bid.
    """
    active = (inputs > 0) & np.isfinite(products)
    flows = np.where(active, inputs, 0.0)
    earned = economy.user_prices.output_prices(prices)[..., economy.edge_firm] * np.where(active, products, 0.0) * flows
    flow = economy.over_edges(flows) + consumption
    total = economy.over_edges(economy.user_prices.to_sellers(earned)) + consumers_bid
    return np.divide(total, flow, out=np.full(total.shape, np.nan), where=flow > 0)


class Shares(NamedTuple):
    """The fractions of plans that a share-out allows: of the input of each edge, `(..., edges)`, and of what consumers
    plan of each good, `(..., goods)`.
    """

    edges: Array
    consumers: Array


def share_out(
    economy: Economy, planned_inputs: Array, consumption: Array, planned_outputs: Array, yields: Array
) -> Shares:
    """The fractions of planned demand that users get if what arrives is passed forward.

    Each good is split among its users in proportion to planned demand: `planned_inputs` `(..., edges)`, all
    `consumption` `(..., goods)`; `planned_outputs` `(..., firms)`, of which a unit is `yields` `(..., outlets)`. Firms
    of constant returns come first, as in trade, and get no more than they planned. Goods with an outside price are had
    as planned (1). In a loop this is the largest fixed point, iterated from planned supplies.
    """
    # Where it is traced, each of the passes would be written down: through many firms, or round a loop again and again.
    short = len(economy.firm_entry) <= FEW_FIRMS and not economy.has_loop
    passed = _passed_forward if short else _passed_forward_at_once
    return Shares(*passed(economy, planned_inputs, consumption, planned_outputs, yields))


def _passed_forward(
    economy: Economy, planned_inputs: Array, consumption: Array, made: Array, yields: Array
) -> tuple[Array, Array]:
    served_first, ranked = economy.first_served, bool(economy.first_served.any())
    before = economy.over_edges(np.where(served_first, planned_inputs, 0.0))
    planned = used(economy, np.where(served_first, 0.0, planned_inputs), consumption)
    given, given_first = ~economy.is_outside & (planned > 0), ~economy.is_outside & (before > 0)
    fraction, edges = np.ones(planned.shape), np.ones(planned_inputs.shape)
    for _ in range(max(1000, 2 * len(economy.firms))):
        available = np.maximum(economy.total_supply + economy.made(np.maximum(made, 0.0), yields), 0.0)
        left = np.maximum(available - before, 0.0) if ranked else available
        fraction = np.divide(left, planned, out=np.ones(planned.shape), where=given)
        edges = fraction[..., economy.edge_good]
        if ranked:
            first = np.divide(available, before, out=np.ones(planned.shape), where=given_first)
            edges = np.where(served_first, np.minimum(first, 1.0)[..., economy.edge_good], edges)
        following = outputs(economy, planned_inputs * edges)
        if (following == made).all():
            break
        made = following
    return edges, fraction


FEW_FIRMS = 12
_passed_forward_at_once = array_search("what is passed on")(_passed_forward)
