"""The central path: from anywhere to where an economy with linear tastes is in equilibrium.

A consumer of linear taste spends its money `m` on goods that cost least per unit of value, `c_j = q_j / v_j`: with
`slack_j = ln c_j - ln rho >= 0`, spending `e_j >= 0` and the cost of a unit of utility `rho`

    e_j slack_j = 0,    sum_j e_j = m,    sum over consumers of e_j = what is left of good j, in value.

Between buyers who have budgets these are the first-order conditions of a convex programme. On the path the products are
`t w_j m` in the place of 0, with weights `w` in proportion to what is traded; as `t` falls to 0 spending goes to the
best goods alone. It is followed by an interior-point method: Newton steps for all conditions together, no longer than
leaves spending and slacks above 0. Spending and `rho` are eliminated row by row: what is solved are equations in the
prices of goods, however many consumers there are. Source: Eisenberg and Gale (1959); Eaves (1976); Ye (2008).

Slacks shrink like `t` while costs stay what they are. So they are kept in a table of their own and moved by each step:
taken anew from prices they would drown in rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.linear import Linear
from simulator.economics.market_plans import MarketPlans

MOST_STEPS = 200
BOUNDARY = 0.95
"""Of the way to where spending or a slack is 0 a step goes at most."""
LONGEST = 2.0
"""Of a step of log prices."""
MOST = 0.01
"""Of money is spent on what is not wanted, at most."""


@dataclass(frozen=True, eq=False)
class Buyers:
    """The consumers of linear tastes of an `economy`, all their rows one under another, `(rows, goods)`."""

    economy: Economy

    @cached_property
    def numbers(self) -> list[int]:
        """Which cohorts they are."""
        return [n for n, cohort in enumerate(self.economy.consumers) if isinstance(cohort.utility, Linear)]

    @cached_property
    def cohorts(self) -> list[Consumers]:
        """These cohorts."""
        return [self.economy.consumers[number] for number in self.numbers]

    @cached_property
    def others(self) -> Economy:
        """The economy without them; what they own is supplied."""
        economy, factors = self.economy, self.economy.price_factors
        kept = [number for number in range(len(economy.consumers)) if number not in self.numbers]
        if factors is not None:
            factors = factors._replace(cohorts=factors.cohorts[kept])
        supply = economy.supply + sum(cohort.total_endowment for cohort in self.cohorts)
        consumers = tuple(economy.consumers[number] for number in kept)
        return replace(economy, consumers=consumers, supply=supply, price_factors=factors)

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """Which goods the others may want, `(goods,)`."""
        used = np.isin(np.arange(len(self.economy.goods)), self.economy.edge_good)
        for cohort in self.others.consumers:
            used = used | cohort.utility.wanted
        return used

    @cached_property
    def absent(self) -> NDArray[np.bool_]:
        """Goods that nobody brings or makes, nor anybody else may want, `(goods,)`."""
        economy = self.economy
        brought = (economy.total_supply > 0) | economy.is_outside
        brought[economy.outlet_good] = True
        return ~brought & ~self.used

    def _stacked(self, of_cohorts: Iterable[Array]) -> Array:
        goods = len(self.economy.goods)
        shaped = zip(of_cohorts, self.cohorts, strict=True)
        return np.concatenate([np.broadcast_to(values, (cohort.size, goods)) for values, cohort in shaped])

    @cached_property
    def tastes(self) -> Array:
        """What a unit is worth to each, `v`."""
        return self._stacked(cohort.utility.values for cohort in self.cohorts if isinstance(cohort.utility, Linear))

    @cached_property
    def received(self) -> Array:
        """Of a unit of money spent on a good, what comes to its seller."""
        user_prices = self.economy.user_prices
        if user_prices.neutral:
            return np.ones((1, 1))
        return self._stacked(1.0 / np.asarray(user_prices.cohort_factors(number)) for number in self.numbers)

    @cached_property
    def log_values(self) -> Array:
        """`ln v` at market prices: `ln c = ln p - log_values`; minus infinity where a good is not wanted, or absent."""
        with np.errstate(divide="ignore"):
            return np.log(np.where(self.absent, 0.0, self.tastes)) + np.log(self.received)

    @cached_property
    def wanted(self) -> NDArray[np.bool_]:
        """Which goods that there are somebody of them wants, `(goods,)`."""
        return np.any(np.isfinite(self.log_values), axis=0)

    def money(self, prices: Array, others: MarketPlans) -> Array:
        """What each row has to spend, times the consumers it stands for, `(rows,)`."""
        return np.concatenate([cohort.income(prices, others.profits) * cohort.weight for cohort in self.cohorts])

    def money_slopes(self, prices: Array, others: MarketPlans, money: Array) -> Array:
        """How that moves with log prices, `(rows, goods)`."""
        slopes = self.economy.user_prices.profit_slopes(prices, others.outputs, others.inputs)
        slopes = np.where(self.economy.constant_returns[:, None], 0.0, slopes)
        parts = np.split(money, np.cumsum([cohort.size for cohort in self.cohorts])[:-1])
        pairs = zip(self.cohorts, parts, strict=True)
        return self._stacked(cohort.income_slope(part, slopes) * cohort.weight for cohort, part in pairs) * prices

    def gaps(self, prices: Array) -> Array:
        """`ln c_j - min ln c`, infinite where a good is not wanted."""
        with np.errstate(divide="ignore", invalid="ignore"):
            costs = np.where(np.isfinite(self.log_values), np.log(prices) - self.log_values, np.inf)
            return np.where(np.isfinite(costs), costs - costs.min(axis=1, keepdims=True), np.inf)

    def plans(self, prices: Array, others: MarketPlans, spending: Array) -> MarketPlans:
        """Everybody's plans: those of the `others`, and what these consumers get for their `spending`."""
        economy, bought = self.economy, spending * self.received
        with np.errstate(divide="ignore", invalid="ignore"):
            quantities = np.where(bought > 0, bought / prices, 0.0)
        consumption = np.zeros((len(economy.consumers), len(prices)))
        parts = np.split(quantities, np.cumsum([cohort.size for cohort in self.cohorts])[:-1])
        consumption[self.numbers] = [part.sum(axis=0) for part in parts]
        consumption[[n for n in range(len(economy.consumers)) if n not in self.numbers]] = others.consumption
        incomes = tuple(cohort.income(prices, others.profits) for cohort in economy.consumers)
        demand, supply = economy.totals(prices, consumption.sum(axis=0), others.inputs, others.outputs)
        return others._replace(demand=demand, supply=supply, consumption=consumption, incomes=incomes)


class Point(NamedTuple):
    """Log prices `(goods,)`; everybody's `slack` and `spending` `(rows, goods)`, infinite and 0 at goods that a row
    does not want; what firms of constant returns lose per unit of level, `loss` `(levels,)`; what the `others` plan;
    and the `money` of each row `(rows,)`.
    """

    logs: Array
    slack: Array
    spending: Array
    loss: Array
    others: MarketPlans
    money: Array

    @property
    def prices(self) -> Array:
        """Prices there, `(goods,)`."""
        return self.others.prices

    @property
    def supply(self) -> Array:
        """Value of all supply, `(goods,)`."""
        return self.prices * self.others.supply

    @property
    def left(self) -> Array:
        """What the others leave of each good, in value, `(goods,)`."""
        return -self.prices * self.others.excess_demand

    @property
    def product(self) -> float:
        """How far along the path a point is: the sum of all products per unit of money."""
        products = np.sum(self.spending * self.slack, where=self.spending > 0) + self.loss @ self.others.levels
        return float(products / (np.sum(self.money) or self.supply.sum()))


class Step(NamedTuple):
    """By how much log prices, slacks, spending, levels and losses of a point move."""

    logs: Array
    slack: Array
    spending: Array
    levels: Array
    loss: Array


@dataclass(frozen=True, eq=False)
class CentralPath:
    """The path of some `buyers` in an economy in which the prices of `free` goods may move; `scaled` if only relative
    prices matter.
    """

    buyers: Buyers
    free: NDArray[np.bool_]
    scaled: bool

    def start(self, prices: Array) -> Point:
        """A point at some prices `(goods,)`, far from the end."""
        gaps, others = self.buyers.gaps(prices), self.buyers.others.balance(prices)
        slack = gaps + 2.0 * np.max(gaps, where=np.isfinite(gaps), initial=1.0)
        money, parts = self.buyers.money(prices, others), (prices * others.supply + 1e-300) / slack
        spending = parts * quotient(money, parts.sum(axis=1))[:, None]
        loss = np.maximum(-others.unit_profits, 0.1 * others.unit_costs)
        with np.errstate(divide="ignore"):
            return Point(np.log(prices), slack, spending, loss, others, money)

    def moved(self, point: Point, step: Step, size: float) -> Point:
        """The point after a part of a step."""
        step = Step._make(size * part for part in step)
        logs = np.where(self.free, point.logs + step.logs, point.logs)
        slack, loss = point.slack + step.slack, point.loss + step.loss
        spending = np.where(np.isfinite(slack), point.spending + step.spending, 0.0)
        prices = np.exp(logs)
        others = self.buyers.others.balance(prices, point.others.inputs, point.others.levels + step.levels)
        return Point(logs, slack, spending, loss, others, self.buyers.money(prices, others))

    def left_slopes(self, others: MarketPlans, left: Array) -> tuple[Array, Array]:
        """How what the `others` leave in each market, in value, moves with log prices, `(goods, goods)`, and with
        levels, `(goods, levels)`; `left` `(goods,)` is what they leave.
        """
        prices = others.prices
        by_price = -prices[:, None] * self.buyers.others.jacobian(others) * prices
        priced = (prices > 0) & (prices[:, None] > 0)
        made = np.where(prices[:, None] > 0, prices[:, None] * self.buyers.others.net_outputs(others), 0.0)
        return np.where(priced, by_price, 0.0) + np.diag(left), made

    def step(self, point: Point, t: float) -> Step:
        """The Newton step towards the path's point for `t`."""
        buyers, others, money, received = self.buyers, point.others, point.money, self.buyers.received
        levels, few = others.levels, min(t, MOST)
        # Of every good a little, so that the price of one that nobody wants falls no faster than `t^2`.
        weights = point.supply / point.supply.sum() + min(t, 1.0) / len(point.logs)
        unwanted = np.isinf(point.slack)
        idle = few * money.sum() / max(len(levels), 1)
        # Losses of firms are paid by these buyers, so that what is paid is what is got.
        spared = 1.0 - few * (unwanted @ weights) - few * (len(levels) > 0)
        given = few * weights * np.einsum("h,hg->g", money, unwanted * received)
        wished = t * weights * money[:, None] / point.slack
        stiff = point.spending / point.slack
        total = stiff.sum(axis=1)
        each, slopes = quotient(1.0, total), buyers.money_slopes(point.prices, others, money)
        short = (spared * money - wished.sum(axis=1)) * each
        seen = stiff * received
        pulled = seen.T @ (each[:, None] * stiff)
        # What is spent on a good falls by what it loses to each other: no difference of large numbers.
        np.fill_diagonal(pulled, 0.0)
        by_money = (seen * (each * spared)[:, None] + few * weights * unwanted * received).T @ slopes
        bought = ((wished + stiff * short[:, None]) * received).sum(axis=0) + given
        # Where the others are short themselves the price has to rise: it is what is spent that grows with it.
        spent = (point.spending * received).sum(axis=0)
        left, made = self.left_slopes(others, np.where(point.left > 0, point.left, spent))
        known = idle / point.loss - levels + levels / point.loss * (point.loss + others.unit_profits)
        system = left + made @ (levels / point.loss * made).T + np.diag(pulled.sum(axis=1)) - pulled - by_money
        moved = self.solved(system, bought - point.left - made @ known, point.supply)
        by_row = short + each * (stiff @ moved + spared * (slopes @ moved))
        narrower = moved - np.where(total > 0, by_row, moved.min())[:, None]
        gained = moved @ made
        return Step(
            moved,
            narrower,
            wished - point.spending - stiff * narrower,
            known + levels / point.loss * gained,
            -gained - point.loss - others.unit_profits,
        )

    def solved(self, system: Array, right: Array, worth: Array) -> Array:
        """The step of log prices `(goods,)` with `system step = right`; the level of prices stays if only relative ones
        matter. Not a number where there is none.
        """
        free, step = self.free, np.zeros(len(right))
        system = system[np.ix_(free, free)] / worth[free, None]
        if self.scaled:
            # Goods that others alone want may become free: their prices say little of the level.
            system = system + np.where(self.buyers.wanted, 1.0 / len(worth), worth / worth.sum())[free]
        try:
            step[free] = np.linalg.solve(system, right[free] / worth[free])
        except np.linalg.LinAlgError:
            step[free] = np.nan
        return step

    def off(self, point: Point) -> float:
        """How far markets and budgets are from balance at a point, `max |ln demand/supply|`; infinite where that is not
        a number. A glut of what these buyers do not want counts by its worth.
        """
        spent, supply = (point.spending * self.buyers.received).sum(axis=0), point.supply
        markets = np.log((point.prices * point.others.demand + spent) / supply)
        glut = np.where(self.buyers.wanted, markets, markets * supply / supply.sum())
        markets = np.maximum(markets, -glut)[self.free]
        budgets = np.log(point.spending.sum(axis=1) / point.money)[point.money > 0]
        off = float(np.max(np.abs(np.concatenate([markets, budgets])), initial=0.0))
        return off if np.isfinite(off) else np.inf

    def follow(self, point: Point, until: float) -> Iterator[Point]:
        """Points nearer and nearer to the end of the path, after this one."""
        centring = 0.1
        for _ in range(MOST_STEPS):
            step = self.step(point, centring * point.product)
            if not np.isfinite(step.logs).all():
                return
            levels = point.others.levels
            pairs = ((point.slack, step.slack), (point.spending, step.spending), (levels, step.levels))
            falls = [
                float(np.nanmax(-fall / value, initial=1e-300)) for value, fall in (*pairs, (point.loss, step.loss))
            ]
            size = min(1.0, BOUNDARY / max(falls), LONGEST / max(float(np.max(np.abs(step.logs))), 1e-300))
            point = self.moved(point, step, size)
            yield point
            off = self.off(point)
            # The path is left where steps are short: go back to it before going on.
            centring = 0.9 if off > 1.0 or size < 0.1 else 0.3 if off > 0.1 else 0.5 if size < 0.3 else 0.1
            centring = 0.01 if off <= 0.1 and size > 0.9 else centring
            # Without money all are at the end, but for the others.
            if point.product <= until and (off <= until or point.money.any()):
                return


def quotient(above: Array | float, below: Array) -> Array:
    """`above / below`, 0 where that is 0."""
    return np.divide(above, below, out=np.zeros(below.shape), where=below > 0)
