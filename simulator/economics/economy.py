"""An economy: goods, firms and consumers, and what they want in total at given prices.

This is the judges' picture. It knows no tick, no stock and no account, and its demand comes from the dual side:
inputs and outputs are the gradient of the firms' profit functions (Hotelling), consumption the gradient of the unit
costs (Shephard). The market of a run orders by the primal side; where both must agree is a law the tests hold.

Layout. Consumers of all cohorts are stacked as rows `(agents, goods)`. Firms of all entries are stacked as outputs
`(firms,)`, and their inputs lie flat, firm by firm, as `(edges,)`: an edge is one firm's use of one good. Prices are
in numeraire per unit, quantities per tick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.economics.technology import FormulaTechnology
from simulator.economics.utility import Utility

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Firm:
    """One entry of firms: a technology, the good it makes, the goods it uses (indices, in the technology's order)."""

    name: str
    technology: FormulaTechnology
    output: int
    inputs: tuple[int, ...]
    count: int = 1


@dataclass(frozen=True)
class Consumers:
    """One entry of consumers.

    `endowment` `(agents, goods)` arrives every tick; `budget` `(agents,)` is money per tick, infinite for a
    quasi-linear consumer with an unlimited purse; `owns` `(agents, firm entries)` are shares of the profit of all
    firms of an entry; `saves` keeps what is unspent of a budget.
    """

    name: str
    utility: Utility
    endowment: Array
    budget: Array
    owns: Array
    saves: bool = False

    @property
    def count(self) -> int:
        """How many consumers the entry stands for."""
        return len(self.budget)


@dataclass(frozen=True)
class Balance:
    """What everybody wants at some prices: totals `(goods,)`, and what the totals are made of.

    `demand` and `supply` include the outside's part at goods with an outside price, so `excess_demand` is 0 there.
    """

    prices: Array
    demand: Array
    supply: Array
    consumption: Array
    income: Array
    inputs: Array
    outputs: Array
    profits: Array

    @property
    def excess_demand(self) -> Array:
        """`z = demand - supply`, `(goods,)`."""
        return self.demand - self.supply

    @property
    def scale(self) -> Array:
        """`s = max(demand, supply)` per good, `(goods,)`."""
        return np.maximum(self.demand, self.supply)


@dataclass(frozen=True)
class Economy:
    """Goods, what the outside brings and trades, firms and consumers.

    `supply` `(goods,)` arrives every tick and is owned by nobody; `outside` `(goods,)` is the price at which the
    outside world trades a good in any amount, not a number where it does not.
    """

    goods: tuple[str, ...]
    supply: Array
    outside: Array
    firms: tuple[Firm, ...] = ()
    consumers: tuple[Consumers, ...] = ()

    @cached_property
    def is_outside(self) -> NDArray[np.bool_]:
        """Which goods have an outside price, `(goods,)`."""
        return np.isfinite(self.outside)

    @cached_property
    def edge_rows(self) -> tuple[slice, ...]:
        """Where each firm entry's inputs lie in an `(edges,)` array."""
        return _slices([firm.count * len(firm.inputs) for firm in self.firms])

    @cached_property
    def firm_rows(self) -> tuple[slice, ...]:
        """Where each firm entry's outputs lie in a `(firms,)` array."""
        return _slices([firm.count for firm in self.firms])

    @cached_property
    def consumer_rows(self) -> tuple[slice, ...]:
        """Where each consumer entry's rows lie in an `(agents, ...)` array."""
        return _slices([cohort.count for cohort in self.consumers])

    @cached_property
    def edge_good(self) -> Indices:
        """The good each edge uses, `(edges,)`."""
        return np.array([good for firm in self.firms for good in firm.inputs * firm.count], dtype=np.intp)

    @cached_property
    def edge_firm(self) -> Indices:
        """The firm (row of outputs) each edge belongs to, `(edges,)`."""
        widths = [len(firm.inputs) for firm in self.firms for _ in range(firm.count)]
        return np.repeat(np.arange(len(widths), dtype=np.intp), widths)

    @cached_property
    def output_good(self) -> Indices:
        """The good each firm makes, `(firms,)`."""
        return np.array([firm.output for firm in self.firms for _ in range(firm.count)], dtype=np.intp)

    @cached_property
    def firm_entry(self) -> Indices:
        """The entry each firm belongs to, `(firms,)`."""
        return np.repeat(np.arange(len(self.firms), dtype=np.intp), [firm.count for firm in self.firms])

    @cached_property
    def endowment(self) -> Array:
        """Endowments of all consumers, `(agents, goods)`."""
        return np.concatenate([c.endowment for c in self.consumers] or [np.zeros((0, len(self.goods)))])

    @cached_property
    def budget(self) -> Array:
        """Money all consumers receive per tick, `(agents,)`."""
        return np.concatenate([c.budget for c in self.consumers] or [np.zeros(0)])

    @cached_property
    def owns(self) -> Array:
        """Shares of each firm entry's profit, `(agents, firm entries)`."""
        return np.concatenate([c.owns for c in self.consumers] or [np.zeros((0, len(self.firms)))])

    @cached_property
    def total_supply(self) -> Array:
        """What arrives every tick before anything is made: supplies and endowments, `(goods,)`."""
        return self.supply + self.endowment.sum(axis=0)

    @cached_property
    def homogeneous(self) -> bool:
        """Whether only relative prices matter: no outside price, no budget in money, no one who compares goods with
        money.
        """
        return (
            not self.is_outside.any() and not self.budget.any() and all(c.utility.needs_income for c in self.consumers)
        )

    @cached_property
    def _outside(self) -> Indices:
        return np.flatnonzero(self.is_outside)

    @cached_property
    def _buys_back(self) -> bool:
        """Whether some firm's output may be negative."""
        return any(firm.technology.negative_output for firm in self.firms)

    @cached_property
    def has_loop(self) -> bool:
        """Whether some good is needed, through any number of firms, to make itself."""
        reach = np.zeros((len(self.goods), len(self.goods)), dtype=bool)
        reach[self.edge_good, self.output_good[self.edge_firm]] = True
        for _ in range(len(self.goods).bit_length()):
            reach = reach | (reach @ reach)
        return bool(reach.diagonal().any())

    def first_guess(self) -> Array:
        """Where the search for best inputs begins before there is a last plan, `(edges,)`."""
        return np.ones(len(self.edge_good))

    def profits(self, prices: Array, guess: Array) -> tuple[Array, Array, Array]:
        """Profit of every firm entry `(firm entries,)` and its gradient: outputs `(firms,)` and inputs `(edges,)`."""
        price = prices.tolist()
        profits, outputs, inputs = np.zeros(len(self.firms)), np.zeros(len(self.output_good)), np.zeros(len(guess))
        for number, (firm, rows, edges) in enumerate(zip(self.firms, self.firm_rows, self.edge_rows, strict=True)):
            if firm.count == 1 and firm.technology.single_input:
                start, row = float(guess[edges.start]), rows.start
                found = firm.technology.profit_one(price[firm.output], price[firm.inputs[0]], start)
                profits[number], inputs[edges.start], outputs[row] = found
                continue
            wages = [price[good] for good in firm.inputs]
            value, plan = firm.technology.profit(price[firm.output], wages, guess[edges].reshape(firm.count, -1))
            profits[number] = value.sum()
            outputs[rows], inputs[edges] = plan.output, plan.inputs.ravel()
        return profits, outputs, inputs

    def income(self, prices: Array, profits: Array) -> Array:
        """`m_h = max(0, p.e_h + shares of profits + budget)`, `(agents,)`."""
        return np.maximum(self.endowment @ prices + self.owns @ profits + self.budget, 0.0)

    def balance(self, prices: Array, guess: Array | None = None) -> Balance:
        """Everybody's plans at `prices` `(goods,)`; `guess` `(edges,)` are inputs near the best ones."""
        goods = len(self.goods)
        profits, outputs, inputs = self.profits(prices, self.first_guess() if guess is None else guess)
        income = self.income(prices, profits)
        consumption = np.zeros((len(income), goods))
        for cohort, rows in zip(self.consumers, self.consumer_rows, strict=True):
            spending = cohort.utility.spending(income[rows])
            consumption[rows] = spending[:, None] * log_cost_gradient(cohort, prices)
        demand, supply = self.totals(consumption.sum(axis=0), inputs, outputs)
        return Balance(prices, demand, supply, consumption, income, inputs, outputs, profits)

    def over_edges(self, values: Array) -> Array:
        """Sums over the edges of each good: `(..., edges)` to `(..., goods)`."""
        return _sum_by(self.edge_good, values, len(self.goods))

    def over_firms(self, values: Array) -> Array:
        """Sums over the firms that make each good: `(..., firms)` to `(..., goods)`."""
        return _sum_by(self.output_good, values, len(self.goods))

    def totals(self, consumption: Array, inputs: Array, outputs: Array) -> tuple[Array, Array]:
        """Planned demand and supply, `(goods,)` each, of all consumption `(goods,)`, inputs `(edges,)` and outputs
        `(firms,)`.

        A negative output is bought; at goods with an outside price the outside fills the gap.
        """
        goods, makes = len(self.goods), self.output_good
        demand = consumption + np.bincount(self.edge_good, inputs, goods)
        if self._buys_back:
            demand -= np.bincount(makes, np.minimum(outputs, 0.0), goods)
            outputs = np.maximum(outputs, 0.0)
        supply = self.total_supply + np.bincount(makes, outputs, goods)
        if self._outside.size:
            demand[self._outside] = supply[self._outside] = np.maximum(demand, supply)[self._outside]
        return demand, supply

    def jacobian(self, balance: Balance) -> Array:
        """`J = dz/dp` `(goods, goods)` at a balance; rows of goods with an outside price are 0 (the outside fills any
        gap).

        Firms: minus the Hessian of profit. Consumers: `g_h dm_h' + m_h H_h`, with `g = d ln c/dp` and its slope `H =
        -s diag(g/p) - (1-s) g g'` for elasticity of substitution `s`.
        """
        goods = len(self.goods)
        prices = balance.prices
        jacobian, profit_slopes = np.zeros((goods, goods)), np.zeros((len(self.firms), goods))
        for number, (firm, rows, edges) in enumerate(zip(self.firms, self.firm_rows, self.edge_rows, strict=True)):
            inputs = balance.inputs[edges].reshape(firm.count, -1)
            slope = firm.technology.supply_slope(float(prices[firm.output]), inputs).sum(axis=0)
            own = np.array([firm.output, *firm.inputs], dtype=np.intp)
            np.add.at(jacobian, (own[:, None], own[None, :]), -slope)
            np.add.at(profit_slopes[number], own, np.concatenate([[balance.outputs[rows].sum()], -inputs.sum(axis=0)]))
        for cohort, rows in zip(self.consumers, self.consumer_rows, strict=True):
            form, income = cohort.utility.form, balance.income[rows]
            gradient, spending = log_cost_gradient(cohort, prices), cohort.utility.spending(income)
            reacts = cohort.utility.spends_more(income) * (income > 0)
            income_slope = reacts[:, None] * (cohort.endowment + cohort.owns @ profit_slopes)
            jacobian += gradient.T @ income_slope
            with np.errstate(divide="ignore", invalid="ignore"):
                own_price = np.where(gradient > 0, (spending * form.elasticity)[:, None] * gradient / prices, 0.0)
            jacobian -= np.diag(np.where(form.elasticity[:, None] > 0, own_price, 0.0).sum(axis=0))
            jacobian -= gradient.T @ (gradient * (spending * (1.0 - form.elasticity))[:, None])
        jacobian[self.is_outside] = 0.0
        return jacobian


def log_cost_gradient(cohort: Consumers, prices: Array) -> Array:
    """`d ln c / dp`, `(agents, goods)`: what one unit of money buys, from the unit cost and its gradient."""
    form = cohort.utility.form
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bundle = form.unit_demand(prices) / form.unit_cost(prices)[:, None]
    return bundle if bundle.all() else np.where(form.wanted, bundle, 0.0)


def _sum_by(group: Indices, values: Array, groups: int) -> Array:
    leading = values.shape[:-1]
    rows = math.prod(leading)
    places = group + groups * np.arange(rows)[:, None]
    return (
        np.bincount(places.ravel(), values.ravel(), groups * rows).astype(float, copy=False).reshape(*leading, groups)
    )


def _slices(widths: list[int]) -> tuple[slice, ...]:
    ends = np.cumsum([0, *widths]).tolist()
    return tuple(slice(a, b) for a, b in pairwise(ends))
