"""Bazaar, Scarf's economy and tupperware written straight down in NumPy, each for itself; and the bazaar many times at
once along an axis of runs.

`bazaar`, `scarf` and `tupperware` loop over ticks with one array operation for each line of the model, keep what moves
in arrays made beforehand, and work out all else that is recorded for all ticks at once afterwards. The economies are
described in `plain_mesa` and `plain_mesa_exchange`. This file shares no code with the package.

What they return: columns by name, `(ticks, goods)`, `(ticks, agents)`, `(ticks, agents, goods)` or `(ticks,)`; without
records the last prices alone.
"""

from __future__ import annotations

import numpy as np

Columns = dict[str, np.ndarray]
LEAST = 1e-300
"""Keeps 0/0 from arising where nobody orders."""

ENDOWMENT = np.array([[1.0, 0.0, 2.0], [1.0, 2.0, 2.0]])
SHARES = np.array([[0.5, 0.25, 0.25], [0.5, 0.1, 0.4]])
BAZAAR_RATE = np.array([0.0, 0.2, 0.2])


def bazaar(ticks: int, record: bool = True) -> Columns:
    """Two consumers with Cobb-Douglas tastes trade in every tick; the first price stays 1."""
    supply = ENDOWMENT.sum(axis=0)
    following, account = np.ones(3), np.zeros(2)
    if record:
        paths = {"price": np.empty((ticks + 1, 3)), "account": np.zeros((ticks + 2, 2))}
        paths |= {name: np.empty((ticks + 1, 3)) for name in ("demand", "bought", "sold")}
        paths |= {"planned": np.empty((ticks + 1, 2, 3)), "income": np.empty((ticks + 1, 2))}
    for tick in range(ticks + 1):
        prices = following
        income = np.maximum(ENDOWMENT @ prices + account, 0.0)
        planned = SHARES * income[:, None] / prices
        demand = planned.sum(axis=0)
        excess = planned - ENDOWMENT
        wanted, offered = np.maximum(excess, 0.0), np.maximum(-excess, 0.0)
        purchases, sales = wanted.sum(axis=0), offered.sum(axis=0)
        traded = np.minimum(purchases, sales)
        bought, sold = traded / np.maximum(purchases, LEAST), traded / np.maximum(sales, LEAST)
        account = account + (offered * sold - wanted * bought) @ prices
        if record:
            paths["price"][tick], paths["demand"][tick], paths["income"][tick] = prices, demand, income
            paths["planned"][tick], paths["bought"][tick], paths["sold"][tick] = planned, bought, sold
            paths["account"][tick + 1] = account
        following = prices * np.exp(BAZAAR_RATE * (demand - supply) / np.maximum(demand, supply))
    return _bazaar_columns(paths, supply) if record else {"last price": prices}


def _bazaar_columns(paths: Columns, supply: np.ndarray) -> Columns:
    """All that follows from the paths, for all ticks at once."""
    prices, planned, income, account = paths["price"], paths["planned"], paths["income"], paths["account"]
    excess = planned - ENDOWMENT
    wanted, offered = np.maximum(excess, 0.0), np.maximum(-excess, 0.0)
    inputs, outputs = wanted * paths["bought"][:, None], offered * paths["sold"][:, None]
    used, bought, sold = planned - wanted + inputs, inputs.sum(axis=1), outputs.sum(axis=1)
    paid = np.sum(prices * (bought + sold), axis=1) / 2 + np.abs(account[1:]).sum(axis=1)
    columns = _exchange_columns(prices, paths["demand"], supply, planned, income, used, used, slice(1, None))
    return columns | {
        "trajectory.traded": np.minimum(wanted.sum(axis=1), offered.sum(axis=1)),
        "trajectory.bid": (income[:, None] @ SHARES)[:, 0] / used.sum(axis=1),
        "ticks.money": account[1:].sum(axis=1),
        "ticks.goods_imbalance": (np.abs(bought - sold) / np.maximum(bought, LEAST)).max(axis=1),
        "ticks.money_imbalance": np.abs((account[1:] - account[:-1]).sum(axis=1)) / paid,
        "agents.input": inputs,
        "agents.output": outputs,
        "agents.rationed": (wanted - inputs) + (offered - outputs),
        "agents.utility": np.prod(used**SHARES, axis=2),
        "agents.money": account[1:],
    }


def _exchange_columns(
    prices: np.ndarray,
    demand: np.ndarray,
    supply: np.ndarray,
    planned: np.ndarray,
    income: np.ndarray,
    consumed: np.ndarray,
    used: np.ndarray,
    free: slice,
) -> Columns:
    """Columns that both exchange economies have."""
    excess_demand, size = demand - supply, np.maximum(demand, supply)
    turnover = np.sum(prices * size, axis=1)
    glut = prices * np.abs(excess_demand) / turnover[:, None]
    spare = np.sum(prices * excess_demand, axis=1) - (income.sum(axis=1) - prices @ supply)
    return {
        "trajectory.price": prices,
        "trajectory.demand": demand,
        "trajectory.supply": np.broadcast_to(supply, demand.shape),
        "trajectory.excess_demand": excess_demand,
        "trajectory.inventory": np.zeros(demand.shape),
        "ticks.max_relative_excess_demand": np.maximum(excess_demand / size, glut)[:, free].max(axis=1),
        "ticks.walras_residual": np.abs(spare) / turnover,
        "agents.quantity": consumed,
    }


OWNED = np.eye(3)
WANTS = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
SCARF_RATE, SCARF_START = 0.01, np.array([1.2, 1.0, 0.85])
BINDING = 1e-5
"""Goods so little less scarce than the scarcest count as scarce too."""


def scarf(ticks: int, record: bool = True) -> Columns:
    """Three consumers want two goods each in fixed proportion and own one; nobody trades before markets clear."""
    supply, following, floor = OWNED.sum(axis=0), SCARF_START, 1e-12 * SCARF_START
    if record:
        path, planned_path = np.empty((ticks + 1, 3)), np.empty((ticks + 1, 3, 3))
    for tick in range(ticks + 1):
        prices = following
        planned = WANTS * ((OWNED @ prices) / (WANTS @ prices))[:, None]
        demand = planned.sum(axis=0)
        if record:
            path[tick], planned_path[tick] = prices, planned
        following = np.maximum(prices + SCARF_RATE * (demand - supply), floor)
    return _scarf_columns(path, planned_path, supply) if record else {"last price": prices}


def _scarf_columns(prices: np.ndarray, planned: np.ndarray, supply: np.ndarray) -> Columns:
    """All that follows from the paths, for all ticks at once."""
    demand, income = planned.sum(axis=1), prices @ OWNED.T
    used = planned * (supply / demand)[:, None]
    amounts = np.where(WANTS > 0, used, np.inf)
    scarcest = amounts <= amounts.min(axis=2, keepdims=True) * (1 + BINDING)
    costs = np.where(scarcest, prices[:, None], 0.0)
    shares = costs / costs.sum(axis=2, keepdims=True)
    excess, nothing = planned - OWNED, np.zeros(demand.shape)
    columns = _exchange_columns(prices, demand, supply, planned, income, planned, used, slice(None))
    return columns | {
        "trajectory.traded": nothing,
        "trajectory.bid": np.sum(income[..., None] * shares, axis=1) / used.sum(axis=1),
        "agents.input": np.maximum(excess, 0.0),
        "agents.output": np.maximum(-excess, 0.0),
        "agents.utility": np.where(WANTS > 0, planned, np.inf).min(axis=2),
        "agents.money": nothing,
    }


NATGAS, CHAIN_RATE = 4.0, np.array([0.3, 0.3, 0.3, 0.0])


def tupperware(ticks: int, record: bool = True) -> Columns:
    """Three firms in a row; best responses in closed form, what is made is sold in the next tick."""
    following, stock = np.array([0.01, 0.05, 0.5, 1.0]), np.zeros(2)
    if record:
        paths = {name: np.empty((ticks + 1, 4)) for name in ("price", "demand", "supply")}
        paths |= {name: np.empty((ticks + 1, 3)) for name in ("planned", "output", "traded", "made", "stock")}
    for tick in range(ticks + 1):
        prices = following
        wanted = _best_inputs(prices[1:] / prices[:-1])
        output = _outputs(wanted)
        if tick == 0:
            stock = output[:2]
        demand, supply = np.append(wanted, abs(output[2])), np.concatenate([[NATGAS], output[:2], [abs(output[2])]])
        offered = np.append(NATGAS, stock)
        traded = np.minimum(wanted, offered)
        made = _outputs(traded)
        if record:
            paths["price"][tick], paths["demand"][tick], paths["supply"][tick] = prices, demand, supply
            paths["planned"][tick], paths["output"][tick] = wanted, output
            paths["traded"][tick], paths["made"][tick], paths["stock"][tick] = traded, made, offered
        stock = made[:2]
        following = prices * np.exp(CHAIN_RATE * (demand - supply) / np.maximum(demand, supply))
    return _chain_columns(paths) if record else {"last price": prices}


def _best_inputs(ratios: np.ndarray) -> np.ndarray:
    """Where `f' = p_in / p_out`, of `p_out / p_in`: 1/(2 sqrt x), 1/(x + 1)^2, 1/x."""
    a, b, c = ratios
    return np.array([(0.5 * a) ** 2, max(b**0.5 - 1.0, 0.0), c])


def _outputs(inputs: np.ndarray) -> np.ndarray:
    a, b, c = inputs
    return np.array([a**0.5, 1.0 - 1.0 / (b + 1.0), np.log(c) if c > 0.0 else 0.0])


def _chain_columns(paths: Columns) -> Columns:
    """All that follows from the paths, for all ticks at once."""
    prices, demand, supply, used, made = (paths[name] for name in ("price", "demand", "supply", "traded", "made"))
    ticks = len(prices)
    excess_demand, size = demand - supply, np.maximum(demand, supply)
    turnover = np.sum(prices * size, axis=1)
    glut = prices * np.abs(excess_demand) / turnover[:, None]
    slopes = np.stack([0.5 / np.sqrt(used[:, 0]), 1.0 / (used[:, 1] + 1.0) ** 2, 1.0 / used[:, 2]], axis=1)
    earned = prices[:, 1:] * slopes
    planned, output = paths["planned"], paths["output"]
    profits = np.sum(prices[:, 1:] * output, axis=1) - np.sum(prices[:, :3] * planned, axis=1)
    exports = prices[:, 3] * output[:, 2]
    spare = np.sum(prices * excess_demand, axis=1) + profits + NATGAS * prices[:, 0] - exports
    sold = np.concatenate([used[:, 1:], made[:, 2:]], axis=1)
    cash_flow = prices[:, 1:] * sold - prices[:, :3] * used
    outside = NATGAS * prices[:, 0] * (used[:, 0] / NATGAS) - prices[:, 3] * made[:, 2] + cash_flow.sum(axis=1)
    paid = np.sum(prices[:, :3] * used, axis=1) + prices[:, 3] * np.abs(made[:, 2]) / 2
    table = np.zeros((4, ticks, 3, 4))
    firms = np.arange(3)
    quantity, inputs, outputs, rationed = table
    rationed[:, firms, firms] = planned - used
    rationed[:, firms[:2], firms[:2] + 1] = (paths["stock"] - used)[:, 1:]
    inputs[:, firms, firms], outputs[:, firms, firms + 1] = used, made
    quantity[:, firms[:2], firms[:2] + 1] = made[:, :2]
    stocked = np.concatenate([np.zeros((ticks, 1)), made[:, :2], np.zeros((ticks, 1))], axis=1)
    return {
        "trajectory.price": prices,
        "trajectory.demand": demand,
        "trajectory.supply": supply,
        "trajectory.excess_demand": excess_demand,
        "trajectory.traded": np.concatenate([used, np.abs(made[:, 2:])], axis=1),
        "trajectory.inventory": stocked,
        "trajectory.bid": np.concatenate([earned, np.full((ticks, 1), np.nan)], axis=1),
        "ticks.max_relative_excess_demand": np.maximum(excess_demand / size, glut)[:, :3].max(axis=1),
        "ticks.walras_residual": np.abs(spare) / turnover,
        "ticks.money": np.zeros(ticks),
        "ticks.goods_imbalance": (np.abs(np.minimum(planned, paths["stock"]) - used) / used).max(axis=1),
        "ticks.money_imbalance": np.abs(outside) / paid,
        "agents.quantity": quantity,
        "agents.input": inputs,
        "agents.output": outputs,
        "agents.rationed": rationed,
        "agents.profit": cash_flow,
        "agents.money": np.zeros((ticks, 3)),
        "wedges.marginal_revenue_product": earned,
        "wedges.price": prices[:, :3],
        "wedges.wedge": earned - prices[:, :3],
    }


def bazaars(start: np.ndarray, ticks: int) -> np.ndarray:
    """The bazaar from many first prices `(runs, goods)` at once, all prices: `(ticks + 1, runs, goods)`."""
    supply = ENDOWMENT.sum(axis=0)
    paths = np.empty((ticks + 1, *start.shape))
    paths[0], account = start, np.zeros((len(start), 2))
    for tick in range(ticks + 1):
        prices = paths[tick]
        income = np.maximum(prices @ ENDOWMENT.T + account, 0.0)
        planned = SHARES * income[:, :, None] / prices[:, None]
        excess = planned - ENDOWMENT
        wanted, offered = np.maximum(excess, 0.0), np.maximum(-excess, 0.0)
        purchases, sales = wanted.sum(axis=1), offered.sum(axis=1)
        traded = prices * np.minimum(purchases, sales)
        bought, sold = traded / np.maximum(purchases, LEAST), traded / np.maximum(sales, LEAST)
        account = account + np.sum(offered * sold[:, None] - wanted * bought[:, None], axis=2)
        if tick < ticks:
            demand = planned.sum(axis=1)
            paths[tick + 1] = prices * np.exp(BAZAAR_RATE * (demand - supply) / np.maximum(demand, supply))
    return paths


def bazaars_side_by_side(start: np.ndarray, ticks: int) -> np.ndarray:
    """The same with runs last in memory, so that every operation goes along them."""
    runs = len(start)
    endowment, shares, rate = ENDOWMENT[..., None], SHARES[..., None], BAZAAR_RATE[:, None]
    supply = ENDOWMENT.sum(axis=0)[:, None]
    paths = np.empty((ticks + 1, 3, runs))
    paths[0], account = start.T, np.zeros((2, runs))
    for tick in range(ticks + 1):
        prices = paths[tick]
        income = np.maximum(ENDOWMENT @ prices + account, 0.0)
        planned = shares * (income[:, None] / prices)
        excess = planned - endowment
        wanted, offered = np.maximum(excess, 0.0), np.maximum(-excess, 0.0)
        purchases, sales = wanted.sum(axis=0), offered.sum(axis=0)
        traded = prices * np.minimum(purchases, sales)
        bought, sold = traded / np.maximum(purchases, LEAST), traded / np.maximum(sales, LEAST)
        account = account + (offered * sold - wanted * bought).sum(axis=1)
        if tick < ticks:
            demand = planned.sum(axis=0)
            np.multiply(prices, np.exp(rate * ((demand - supply) / np.maximum(demand, supply))), out=paths[tick + 1])
    return paths.transpose(0, 2, 1)
