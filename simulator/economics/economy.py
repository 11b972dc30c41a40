"""An economy: goods, firms and consumers, and what they want in total at given prices.

This is the judges' picture. It knows no tick, no stock and no account, and its demand comes from the dual side:
inputs and outputs are the gradient of the firms' profit functions (Hotelling), consumption the gradient of the unit
costs (Shephard). The market of a run orders by the primal side; where both must agree is a law the tests hold.

Layout. Every entry of consumers is a cohort with rows of its own, `(rows, goods)`, worked on in blocks; what the
economy adds up is `(goods,)`. Firms of all entries are stacked as outputs `(firms,)`, and their inputs lie flat,
firm by firm, as `(edges,)`: an edge is one firm's use of one good. What they sell lies flat as `(outlets,)`: an
outlet is one firm's making of one good, and a firm with joint products has several. Firms that are all alike are one
row. Prices are in numeraire per unit, quantities per tick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulator.economics.agents import Consumers, Firm
from simulator.economics.forms import Array
from simulator.economics.linear import Linear
from simulator.economics.rows import over_blocks, sum_up

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class MarketPlans:
    """What everybody wants at some prices: totals `(goods,)`, and what the totals are made of.

    `demand` and `supply` include the outside's part at goods with an outside price, so `excess_demand` is 0 there.
    `consumption` is `(cohorts, goods)`, `incomes` a `(rows,)` for each cohort, `inputs` `(edges,)`, `outputs`
    `(firms,)`, `profits` `(firm entries,)`.
    """

    prices: Array
    demand: Array
    supply: Array
    consumption: Array
    incomes: tuple[Array, ...]
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
    outside world trades a good in any amount, not a number where it does not. Where users of non-rival goods have
    markets of their own, `goods` are these (see `economics.user_markets`).
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
        return _slices([firm.rows * len(firm.inputs) for firm in self.firms])

    @cached_property
    def firm_rows(self) -> tuple[slice, ...]:
        """Where each firm entry's outputs lie in a `(firms,)` array."""
        return _slices([firm.rows for firm in self.firms])

    @cached_property
    def edge_good(self) -> Indices:
        """The good each edge uses, `(edges,)`."""
        return np.array([good for firm in self.firms for good in firm.inputs * firm.rows], dtype=np.intp)

    @cached_property
    def edge_firm(self) -> Indices:
        """The firm (row of outputs) each edge belongs to, `(edges,)`."""
        widths = [len(firm.inputs) for firm in self.firms for _ in range(firm.rows)]
        return np.repeat(np.arange(len(widths), dtype=np.intp), widths)

    @cached_property
    def outlet_rows(self) -> tuple[slice, ...]:
        """Where what each firm entry sells lies in an `(outlets,)` array."""
        return _slices([firm.rows * len(firm.outputs) for firm in self.firms])

    @cached_property
    def outlet_good(self) -> Indices:
        """The good made at each outlet, `(outlets,)`."""
        return np.array([good for firm in self.firms for good in firm.outputs * firm.rows], dtype=np.intp)

    @cached_property
    def outlet_firm(self) -> Indices:
        """The firm (row of outputs) each outlet belongs to, `(outlets,)`."""
        widths = [len(firm.outputs) for firm in self.firms for _ in range(firm.rows)]
        return np.repeat(np.arange(len(widths), dtype=np.intp), widths)

    @cached_property
    def outlet_yield(self) -> Array:
        """How much of its good a unit of output is at each outlet, `(outlets,)`."""
        return np.array([amount for firm in self.firms for _, amount in firm.products * firm.rows])

    @cached_property
    def joint(self) -> bool:
        """Whether some firm's output is anything but one unit of one good."""
        return any(firm.products != ((firm.outputs[0], 1.0),) for firm in self.firms)

    @cached_property
    def input_output_pairs(self) -> tuple[Indices, Indices]:
        """Every edge with every outlet of its firm, `(passes,)` each: an input's good becomes an output's."""
        firms = len(self.firm_entry)
        width = np.bincount(self.outlet_firm, minlength=firms)[self.edge_firm]
        first = np.searchsorted(self.outlet_firm, self.edge_firm)
        edges = np.repeat(np.arange(len(self.edge_firm), dtype=np.intp), width)
        before = np.concatenate([[0], np.cumsum(width)[:-1]]) if len(width) else width
        return edges, np.arange(len(edges), dtype=np.intp) - np.repeat(before - first, width)

    def output_price(self, prices: Array) -> Array:
        """What a unit of each firm's output fetches, `(..., goods)` to `(..., firms)`."""
        return self.over_firms(prices[..., self.outlet_good] * self.outlet_yield)

    def at_outlets(self, outputs: Array) -> Array:
        """What outputs `(..., firms)` are at each outlet, `(..., outlets)`."""
        return outputs[..., self.outlet_firm] * self.outlet_yield if self.joint else outputs

    @cached_property
    def firm_entry(self) -> Indices:
        """The entry each firm belongs to, `(firms,)`."""
        return np.repeat(np.arange(len(self.firms), dtype=np.intp), [firm.rows for firm in self.firms])

    @cached_property
    def owned(self) -> Array:
        """The share of each firm entry's profit that somebody owns, `(firm entries,)`."""
        return sum((cohort.total_owned for cohort in self.consumers), np.zeros(len(self.firms)))

    @cached_property
    def total_supply(self) -> Array:
        """What arrives every tick before anything is made: supplies and endowments, `(goods,)`."""
        return self.supply + sum((cohort.total_endowment for cohort in self.consumers), np.zeros(len(self.goods)))

    @cached_property
    def homogeneous(self) -> bool:
        """Whether only relative prices matter: no outside price, no budget in money, no one who compares goods with
        money.
        """
        return (
            not self.is_outside.any()
            and not any(cohort.budget.any() for cohort in self.consumers)
            and all(cohort.utility.needs_income for cohort in self.consumers)
        )

    @cached_property
    def jumping(self) -> Indices:
        """Goods that somebody has a linear taste for: demand jumps from one to another of them."""
        wanted = np.zeros(len(self.goods), dtype=bool)
        for cohort in self.consumers:
            if isinstance(cohort.utility, Linear):
                wanted |= (cohort.utility.values > 0).any(axis=0)
        return np.flatnonzero(wanted)

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
        edges, outlets = self.input_output_pairs
        needs: dict[int, set[int]] = {}
        for used, made in zip(self.edge_good[edges].tolist(), self.outlet_good[outlets].tolist(), strict=True):
            needs.setdefault(made, set()).add(used)
        try:
            TopologicalSorter(needs).prepare()
        except CycleError:
            return True
        return False

    def thinned(self, rows: int) -> Economy:
        """The economy with at most about so many rows of each cohort, evenly spaced, each standing for more consumers:
        near enough to begin a search in.
        """
        strides = [max(1, cohort.size // rows) for cohort in self.consumers]
        thin = [cohort.take(slice(None, None, step)) for cohort, step in zip(self.consumers, strides, strict=True)]
        if max(strides, default=1) == 1:
            return self
        # Budgets add up (Walras's law) only where as much of the firms is owned as before.
        kept = [
            cohort.total_owned / np.maximum(few.total_owned, 1e-300)
            for cohort, few in zip(self.consumers, thin, strict=True)
        ]
        thin = [replace(few, owns=few.owns * part) for few, part in zip(thin, kept, strict=True)]
        return replace(self, consumers=tuple(thin))

    def first_guess(self) -> Array:
        """Where the search for best inputs begins before there is a last plan, `(edges,)`."""
        return np.ones(len(self.edge_good))

    def profits(self, prices: Array, guess: Array) -> tuple[Array, Array, Array]:
        """Profit of every firm entry `(firm entries,)` and its gradient: outputs `(firms,)` and inputs `(edges,)`."""
        price = prices.tolist()
        profits, outputs, inputs = np.zeros(len(self.firms)), np.zeros(len(self.firm_entry)), np.zeros(len(guess))
        for number, (firm, rows, edges) in enumerate(zip(self.firms, self.firm_rows, self.edge_rows, strict=True)):
            if firm.technology.single_input:
                start, row = float(guess[edges.start]), rows.start
                found = firm.technology.profit_one(firm.output_price(price), price[firm.inputs[0]], start)
                profits[number], inputs[edges.start], outputs[row] = found
                continue
            input_prices = [price[good] for good in firm.inputs]
            value, plan = firm.technology.profit(
                firm.output_price(price), input_prices, guess[edges].reshape(firm.rows, -1)
            )
            profits[number] = value.sum()
            outputs[rows], inputs[edges] = plan.output, plan.inputs.ravel()
        return profits, outputs, inputs

    def balance(self, prices: Array, guess: Array | None = None) -> MarketPlans:
        """Everybody's plans at `prices` `(goods,)`; `guess` `(edges,)` are inputs near the best ones."""
        profits, outputs, inputs = self.profits(prices, self.first_guess() if guess is None else guess)
        consumption = np.zeros((len(self.consumers), len(self.goods)))
        incomes: list[Array] = []
        for number, cohort in enumerate(self.consumers):
            planned = over_blocks(cohort.blocks, lambda block: _plans(block[1], prices, profits))
            incomes.append(np.concatenate([income for income, _ in planned]))
            consumption[number] = cohort.weight * sum_up([bundle for _, bundle in planned])
        demand, supply = self.totals(consumption.sum(axis=0), inputs, outputs)
        return MarketPlans(prices, demand, supply, consumption, tuple(incomes), inputs, outputs, profits)

    def over_edges(self, values: Array) -> Array:
        """Sums over the edges of each good: `(..., edges)` to `(..., goods)`."""
        return _sum_by(self.edge_good, values, len(self.goods))

    def over_firms(self, values: Array) -> Array:
        """Sums over the outlets of each firm: `(..., outlets)` to `(..., firms)`."""
        return _sum_by(self.outlet_firm, values, len(self.firm_entry)) if self.joint else values

    def over_outlets(self, values: Array) -> Array:
        """Sums over the outlets of each good: `(..., outlets)` to `(..., goods)`."""
        return _sum_by(self.outlet_good, values, len(self.goods))

    def made(self, outputs: Array) -> Array:
        """What of each good outputs `(..., firms)` are together: `(..., goods)`."""
        return self.over_outlets(self.at_outlets(outputs))

    def totals(self, consumption: Array, inputs: Array, outputs: Array) -> tuple[Array, Array]:
        """Planned demand and supply, `(goods,)` each, of all consumption `(goods,)`, inputs `(edges,)` and outputs
        `(firms,)`.

        A negative output is bought; at goods with an outside price the outside fills the gap.
        """
        goods, makes, made = len(self.goods), self.outlet_good, self.at_outlets(outputs)
        demand = consumption + np.bincount(self.edge_good, inputs, goods)
        if self._buys_back:
            demand -= np.bincount(makes, np.minimum(made, 0.0), goods)
            made = np.maximum(made, 0.0)
        supply = self.total_supply + np.bincount(makes, made, goods)
        if self._outside.size:
            demand[self._outside] = supply[self._outside] = np.maximum(demand, supply)[self._outside]
        return demand, supply

    def jacobian(self, balance: MarketPlans) -> Array:
        """`J = dz/dp` `(goods, goods)` at a balance; rows of goods with an outside price are 0 (the outside fills any
        gap).

        Firms: minus the Hessian of profit. Consumers: how demand moves at given incomes, and with incomes that move as
        endowments and profits do.
        """
        goods = len(self.goods)
        prices, quoted = balance.prices, balance.prices.tolist()
        jacobian, profit_slopes = np.zeros((goods, goods)), np.zeros((len(self.firms), goods))
        for number, (firm, rows, edges) in enumerate(zip(self.firms, self.firm_rows, self.edge_rows, strict=True)):
            inputs = balance.inputs[edges].reshape(firm.rows, -1)
            price, own = firm.output_price(quoted), firm.traded
            slope = firm.technology.supply_slope(price, prices[own[len(firm.outputs) :]], inputs).sum(axis=0)
            moved = np.concatenate([[balance.outputs[rows].sum()], -inputs.sum(axis=0)])
            spread = firm.spread
            np.add.at(jacobian, (own[:, None], own[None, :]), -spread.T @ slope @ spread)
            np.add.at(profit_slopes[number], own, moved @ spread)
        for cohort, income in zip(self.consumers, balance.incomes, strict=True):

            def slopes(block: tuple[slice, Consumers], income: Array = income) -> Array:
                part, some = block
                moves = some.income_slope(income[part], profit_slopes)
                return some.utility.jacobian(prices, income[part], moves)

            jacobian += cohort.weight * sum_up(over_blocks(cohort.blocks, slopes))
        jacobian[self.is_outside] = 0.0
        return jacobian


def _plans(consumers: Consumers, prices: Array, profits: Array) -> tuple[Array, Array]:
    """Income `(rows,)` and the sum of what is wanted `(goods,)`, by the judges' road."""
    income = consumers.income(prices, profits)
    return income, consumers.utility.dual_demand(prices, income).sum(axis=0)


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
