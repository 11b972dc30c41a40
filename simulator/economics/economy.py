"""An economy: goods, firms and consumers, and what they want in total at given prices.

This is the judges' picture. It knows no tick, no stock and no account, and its demand comes from the dual side:
inputs and outputs are the gradient of the firms' profit functions (Hotelling), consumption the gradient of the unit
costs (Shephard). The market of a run orders by the primal side; where both must agree is a law the tests hold.

Every entry of consumers is a cohort with rows of its own, `(rows, goods)`, worked on in blocks; what the economy adds
up is `(goods,)`. Firms lie flat as `economics.firm_layout` says, and everybody plans with the prices they face
(`economics.user_prices`). Prices are in numeraire per unit, quantities per tick.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.agents import Consumers, Firm
from simulator.economics.firm_layout import FirmLayout, Indices
from simulator.economics.forms import Array
from simulator.economics.linear import Linear
from simulator.economics.price_bounds import PriceBounds
from simulator.economics.rows import over_blocks, sum_up
from simulator.economics.user_prices import PriceFactors, UserPrices
from simulator.formulas.searches import asked

MOST_ENTRIES, MOST_ROWS = 256, 12
"""With more entries, or more rows of agents to each, a function of floats takes too long to be written."""
MOST_CELLS = 1_000
"""With more consumers times goods times goods the derivatives of all demand take too long to be written in floats."""


class MarketPlans(NamedTuple):
    """What everybody wants at some prices: totals `(goods,)`, and what the totals are made of.

    `demand` and `supply` include the outside's part at goods with an outside price, so `excess_demand` is 0 there.
    `consumption` is `(cohorts, goods)`, `incomes` a `(rows,)` for each cohort, `inputs` `(edges,)`, `outputs`
    `(firms,)`, `profits` `(firm entries,)` that are somebody's income, `levels` `(levels,)` at which firms of constant
    returns produce, and what a unit of level brings them, `unit_revenues` and `unit_costs` `(levels,)`.
    """

    prices: Array
    demand: Array
    supply: Array
    consumption: Array
    incomes: tuple[Array, ...]
    inputs: Array
    outputs: Array
    profits: Array
    levels: Array
    unit_revenues: Array
    unit_costs: Array

    @property
    def unit_profits(self) -> Array:
        """`pi = r - c` per unit of level, `(levels,)`."""
        return self.unit_revenues - self.unit_costs

    @property
    def excess_demand(self) -> Array:
        """`z = demand - supply`, `(goods,)`."""
        return self.demand - self.supply

    @property
    def scale(self) -> Array:
        """`s = max(demand, supply)` per good, `(goods,)`."""
        return np.maximum(self.demand, self.supply)


class Production(NamedTuple):
    """What firms plan: the last fields of `MarketPlans`."""

    inputs: Array
    outputs: Array
    profits: Array
    levels: Array
    unit_revenues: Array
    unit_costs: Array


@dataclass(frozen=True)
class Economy(FirmLayout):
    """Goods, what the outside brings and trades, firms and consumers.

    `supply` `(goods,)` arrives every tick and is owned by nobody; `outside` `(goods,)` is the price at which the
    outside world trades a good in any amount, not a number where it does not. Where users of non-rival goods have
    markets of their own, `goods` are these (see `economics.user_markets`). `price_factors` come between buyers and
    sellers, if anything does; `bounds` are floors and caps of prices, if any price has one.
    """

    goods: tuple[str, ...]
    supply: Array
    outside: Array
    firms: tuple[Firm, ...] = ()
    consumers: tuple[Consumers, ...] = ()
    price_factors: PriceFactors | None = None
    bounds: PriceBounds | None = None

    @cached_property
    def is_outside(self) -> NDArray[np.bool_]:
        """Which goods have an outside price, `(goods,)`."""
        return np.isfinite(self.outside)

    def bounded(self, prices: Array) -> Array:
        """The nearest prices that floors and caps allow, `(goods,)`."""
        return prices if self.bounds is None else self.bounds.project(prices)

    def other_bounds(self, than: Economy) -> bool:
        """Whether prices have other floors or caps than those of another economy."""
        if self.bounds is None or than.bounds is None:
            return self.bounds is not than.bounds
        return not np.array_equal(self.bounds, than.bounds)

    @cached_property
    def user_prices(self) -> UserPrices:
        """The prices that users face."""
        return UserPrices(self, self.price_factors)

    @cached_property
    def owned(self) -> Array:
        """The share of each firm entry's profit that somebody owns, `(firm entries,)`."""
        return sum((cohort.total_owned for cohort in self.consumers), np.zeros(len(self.firms)))

    @cached_property
    def total_supply(self) -> Array:
        """What arrives every tick before anything is made: supplies and endowments, `(goods,)`, less what is owed."""
        return self.supply + sum((cohort.total_endowment for cohort in self.consumers), np.zeros(len(self.goods)))

    @cached_property
    def owed(self) -> Array | None:
        """What consumers have to deliver every tick, `(goods,)`; None where nobody has to."""
        owed = sum((cohort.owed for cohort in self.consumers), np.zeros(len(self.goods)))
        return owed if owed.any() else None

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
        """Goods whose demand jumps: somebody has a linear taste for them, or a firm whose plan jumps uses them and
        nobody makes them.
        """
        wanted = np.zeros(len(self.goods), dtype=bool)
        for cohort in self.consumers:
            if isinstance(cohort.utility, Linear):
                wanted |= (cohort.utility.values > 0).any(axis=0)
        used = {good for firm in self.firms if firm.technology.jumps for good in firm.inputs}
        wanted[sorted(used.difference(self.outlet_good.tolist()))] = True
        return np.flatnonzero(wanted)

    @cached_property
    def _buys_back(self) -> bool:
        """Whether some firm's output may be negative."""
        return any(firm.technology.negative_output for firm in self.firms)

    def small(self, *, slopes: bool = False) -> bool:
        """Whether a function of plain floats that asks everybody for a plan, or also for its `slopes` in prices, is
        soon written.
        """
        entries, people = len(self.firms) + len(self.consumers), sum(cohort.size for cohort in self.consumers)
        few = entries <= MOST_ENTRIES and people + len(self.firm_entry) <= MOST_ROWS * entries
        return few and not (slopes and people * len(self.goods) ** 2 > MOST_CELLS)

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

    def first_levels(self) -> Array:
        """Activity levels before any are known, `(levels,)`."""
        return np.ones(len(self.level_firm))

    def production(self, prices: Array, guess: Array, levels: Array) -> Production:
        """What firms plan at `prices` `(goods,)`: of decreasing returns the gradient of each firm entry's profit, at
        inputs near a `guess` `(edges,)`, of constant returns that of unit cost at their `levels` `(levels,)`. The
        profit of these is nobody's income.
        """
        parts: tuple[list[Array], ...] = tuple([np.zeros(0)] for _ in Production._fields)
        faced = zip(self.firms, self.edge_rows, self.level_rows, self.user_prices.of_firms(prices), strict=True)
        for firm, edges, rows, (price, input_prices) in faced:
            none, level = np.zeros(0), levels[rows]
            if firm.technology.constant_returns:
                cost, unit = asked(firm.technology, "unit_cost")(np.stack(input_prices))
                inputs, output, value = level[:, None] * unit.inputs, level * unit.output, np.zeros(1)
                revenue = price * unit.output
            else:
                near = guess[edges].reshape(firm.rows, -1)
                value, (inputs, output) = asked(firm.technology, "profit")(price, input_prices, near)
                revenue = cost = none
            found = (inputs.ravel(), output, value.sum(keepdims=True), level, revenue, cost)
            for part, one in zip(parts, found, strict=True):
                part.append(one)
        return Production._make(map(np.concatenate, parts))

    def balance(self, prices: Array, guess: Array | None = None, levels: Array | None = None) -> MarketPlans:
        """Everybody's plans at `prices` `(goods,)` and activity `levels` `(levels,)` (1, unless said); `guess`
        `(edges,)` are inputs near the best ones.
        """
        guess, levels = (
            (self.first_guess() if guess is None else guess),
            self.first_levels() if levels is None else levels,
        )
        production = self.production(prices, guess, levels)
        incomes, bought, profits = list[Array](), list[Array](), production.profits
        for number, cohort in enumerate(self.consumers):
            faced = self.user_prices.consumer_prices(number, prices)
            planned = over_blocks(cohort.blocks, lambda block, faced=faced: _plans(block[1], prices, faced, profits))
            incomes.append(np.concatenate([income for income, _ in planned]))
            bought.append(cohort.weight * sum_up([bundle for _, bundle in planned]))
        consumption = np.stack(bought) if bought else np.zeros((0, len(self.goods)))
        totals = self.totals(prices, consumption.sum(axis=0), production.inputs, production.outputs)
        return MarketPlans(prices, *totals, consumption, tuple(incomes), *production)

    def made_at(self, prices: Array, outputs: Array) -> Array:
        """What outputs `(..., firms)` are at each outlet at `prices` `(..., goods)`, `(..., outlets)`."""
        return self.at_outlets(outputs, self.user_prices.yields(prices))

    def totals(self, prices: Array, consumption: Array, inputs: Array, outputs: Array) -> tuple[Array, Array]:
        """Planned demand and supply, `(goods,)` each, at `prices` `(goods,)`, of all consumption `(goods,)`, inputs
        `(edges,)` and outputs `(firms,)`.

        A negative output is bought; at goods with an outside price the outside fills the gap.
        """
        goods, makes, made = len(self.goods), self.outlet_good, self.made_at(prices, outputs)
        demand = consumption + np.bincount(self.edge_good, inputs, goods)
        if self._buys_back:
            demand -= np.bincount(makes, np.minimum(made, 0.0), goods)
            made = np.maximum(made, 0.0)
        supply = self.total_supply + np.bincount(makes, made, goods)
        if self.owed is not None:
            demand, supply = demand + self.owed, supply + self.owed
        if self.is_outside.any():
            most = np.maximum(demand, supply)
            demand, supply = (np.where(self.is_outside, most, side) for side in (demand, supply))
        return demand, supply

    def jacobian(self, balance: MarketPlans) -> Array:
        """`J = dz/dp` `(goods, goods)` at a balance and its levels; rows of goods with an outside price are 0 (the
        outside fills any gap).

        Firms: minus the Hessian of profit. Consumers: how demand moves at given incomes, and with incomes that move as
        endowments and profits do.
        """
        goods, prices, user_prices = len(self.goods), balance.prices, self.user_prices
        places, moved, yields = [np.zeros(0, dtype=np.intp)], [np.zeros(0)], user_prices.yields(prices)
        faced = user_prices.of_firms(prices)
        for number, (firm, (price, input_prices)) in enumerate(zip(self.firms, faced, strict=True)):
            side, amount = firm.sides, user_prices.firm_amounts(number, yields)
            slope = self._plan_slope(number, balance, price, np.stack(input_prices))
            by_price = amount[:, None] * slope[side[:, None], side] * amount
            if firm.transformation is not None:
                at = self.outlet_rows[number].start
                received = user_prices.outlet_prices(prices)[at : at + len(firm.outputs)]
                bent = _among_zeros(firm.transformation.hessian(received), 0, len(firm.inputs))
                by_price = by_price + balance.outputs[self.firm_rows[number]].sum() * bent
            places.append((firm.traded[:, None] * goods + firm.traded).ravel())
            moved.append((-by_price * user_prices.firm_factors(number)).ravel())
        jacobian = np.bincount(np.concatenate(places), np.concatenate(moved), goods**2).reshape(goods, goods)
        profit_slopes = user_prices.profit_slopes(prices, balance.outputs, balance.inputs)
        if self.constant_returns.any():
            profit_slopes = np.where(self.constant_returns[:, None], 0.0, profit_slopes)
        for number, income in enumerate(balance.incomes):
            jacobian = jacobian + self._demand_slopes(number, prices, income, profit_slopes)
        return np.where(self.is_outside[:, None], 0.0, jacobian)

    def _plan_slope(self, number: int, balance: MarketPlans, price: float, input_prices: Array) -> Array:
        """How net supplies of a firm entry, its output first, answer to prices at given levels, `(1 + inputs, 1 +
        inputs)`.
        """
        firm = self.firms[number]
        if firm.technology.constant_returns:
            level = balance.levels[self.level_rows[number]]
            bent = asked(firm.technology, "cost_slope")(input_prices, level).sum(axis=0)
            return _among_zeros(-bent, 1, 0)
        inputs = balance.inputs[self.edge_rows[number]].reshape(firm.rows, -1)
        return asked(firm.technology, "supply_slope")(price, input_prices, inputs).sum(axis=0)

    def net_outputs(self, balance: MarketPlans) -> Array:
        """`A` `(goods, levels)`: net outputs of a unit of each level at a balance, 0 in the markets that the outside
        clears. `dz/dy = -A`, and without taxes `d unit profit/dp = A'`.
        """
        goods, prices, columns = len(self.goods), balance.prices, [np.zeros((0, len(self.goods)))]
        yields = self.user_prices.yields(prices)
        faced = self.user_prices.of_firms(prices)
        for number, (firm, (_, input_prices)) in enumerate(zip(self.firms, faced, strict=True)):
            if firm.technology.constant_returns:
                _, unit = asked(firm.technology, "unit_cost")(np.stack(input_prices))
                each = np.concatenate([unit.output[:, None], -unit.inputs], axis=1)
                quantities = each[:, firm.sides] * self.user_prices.firm_amounts(number, yields)
                columns.append(np.stack([np.bincount(firm.traded, row, goods).astype(float) for row in quantities]))
        return np.where(self.is_outside[:, None], 0.0, np.concatenate(columns).T)

    def _demand_slopes(self, number: int, prices: Array, income: Array, profit_slopes: Array) -> Array:
        """How the demand of a cohort answers to market prices, `(goods, goods)`."""
        cohort = self.consumers[number]
        faced, factors = (
            self.user_prices.consumer_prices(number, prices),
            self.user_prices.cohort_factors(number),
        )

        def slopes(block: tuple[slice, Consumers]) -> Array:
            part, some = block
            # Demand is differentiated in what is paid, so that income must move with that, too.
            moves = some.income_slope(income[part], profit_slopes) / factors
            return asked(some.utility, "jacobian")(faced, income[part], moves)

        return cohort.weight * sum_up(over_blocks(cohort.blocks, slopes)) * factors


def _among_zeros(block: Array, before: int, after: int) -> Array:
    """A square block with so many rows and columns of zeros before and after it: `np.pad` has no text in floats."""
    size = len(block)
    beside = np.concatenate([np.zeros((size, before)), block, np.zeros((size, after))], axis=1)
    wide = size + before + after
    return np.concatenate([np.zeros((before, wide)), beside, np.zeros((after, wide))], axis=0)


def _plans(consumers: Consumers, prices: Array, faced: Array, profits: Array) -> tuple[Array, Array]:
    """Income `(rows,)` at market prices and the sum of what is wanted `(goods,)` at the prices `faced`, by the judges'
    road.
    """
    income = consumers.income(prices, profits)
    return income, asked(consumers.utility, "dual_demand")(faced, income).sum(axis=0)
