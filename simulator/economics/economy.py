"""An economy: goods, firms and consumers, and what they want in total at given prices.

This is the judges' picture. It knows no tick, no stock and no account, and its demand comes from the dual side:
inputs and outputs are the gradient of the firms' profit functions (Hotelling), consumption the gradient of the unit
costs (Shephard). The market of a run orders by the primal side; where both must agree is a law the tests hold.

Every entry of consumers is a cohort with rows of its own, `(rows, goods)`, worked on in blocks; what the economy adds
up is `(goods,)`. Firms lie flat as `economics.firm_layout` says, and everybody plans with the prices they face
(`economics.user_prices`). Prices are in numeraire per unit, quantities per tick.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from simulator.economics.agents import NO_DUES, Consumers, Firm
from simulator.economics.firm_layout import Indices
from simulator.economics.fiscal import Fiscal
from simulator.economics.fiscal_slopes import due_slopes, kept, market_slopes
from simulator.economics.forms import Array
from simulator.economics.linear import Linear
from simulator.economics.market_plans import NONE, MarketPlans, Planned, Production
from simulator.economics.plan_slopes import PlanSlopes
from simulator.economics.price_bounds import PriceBounds
from simulator.economics.rows import over_blocks, sum_up
from simulator.economics.user_prices import FirmPrices, PriceFactors, UserPrices
from simulator.formulas.searches import asked, traced_or_called

MOST_ENTRIES, MOST_ROWS = 256, 12
"""With more entries, or more rows of agents to each, a function of floats takes too long to be written."""
MOST_CELLS = 1_000
"""With more consumers times goods times goods the derivatives of all demand take too long to be written in floats."""
ROUNDED = 1e-9
"""So small a part of all that is traded is no debt."""


@dataclass(frozen=True)
class Economy(PlanSlopes):
    """Goods, what the outside brings and trades, firms and consumers.

    `supply` `(goods,)` arrives every tick and is owned by nobody; `outside` `(goods,)` is the price at which the
    outside world trades a good in any amount, not a number where it does not. Where users of non-rival goods have
    markets of their own, `goods` are these (see `economics.user_markets`). `price_factors` come between buyers and
    sellers, if anything does; `bounds` are floors and caps of prices, if any price has one. `fiscal` are taxes, of
    which factors follow, and transfers, if there are any.
    """

    goods: tuple[str, ...]
    supply: Array
    outside: Array
    firms: tuple[Firm, ...] = ()
    consumers: tuple[Consumers, ...] = ()
    price_factors: PriceFactors | None = None
    bounds: PriceBounds | None = None
    fiscal: Fiscal | None = None
    _remembered: ClassVar[Planned | None] = None

    def bounded(self, prices: Array) -> Array:
        """The nearest prices that floors and caps allow, `(goods,)`."""
        return prices if self.bounds is None else self.bounds.project(prices)

    def other_bounds(self, than: Economy) -> bool:
        """Whether prices have other floors or caps than those of another economy."""
        if self.bounds is None or than.bounds is None:
            return self.bounds is not than.bounds
        return not np.array_equal(self.bounds, than.bounds)

    def taxed(self, fiscal: Fiscal | None) -> Economy:
        """The economy with other taxes and transfers."""
        factors = None if fiscal is None else fiscal.factors(self, fiscal.rates)
        dues = {*fiscal.receives.tolist(), *(each.sender for each in fiscal.transfers)} if fiscal else set[int]()
        cohorts = tuple(
            cohort if cohort.has_dues == (at in dues) else replace(cohort, has_dues=at in dues)
            for at, cohort in enumerate(self.consumers)
        )
        return replace(self, consumers=cohorts, fiscal=fiscal, price_factors=factors)

    def at_rates(self, adjusted: Array) -> Economy:
        """The economy at other rates of the taxes that adjust, `(..., instruments)`: itself where none does. It shares
        what was looked up.
        """
        if self.fiscal is None or not self.adjusts:
            return self
        there, rates = copy(self), self.fiscal.rates_with(adjusted)
        factors = self.fiscal.factors(self, rates)
        vars(there).update(rates=rates, price_factors=factors, user_prices=UserPrices(there, factors))
        return there

    @property
    def adjusts(self) -> bool:
        """Whether rates of some taxes adjust."""
        return self.fiscal is not None and len(self.fiscal.adjusting) > 0

    def remembering(self, planned: Planned) -> Economy:
        """The economy, in which what firms have `planned` at the same prices and levels is not asked for again."""
        there = copy(self)
        vars(there)["_remembered"] = planned
        return there

    def in_force(self, rates: Array) -> Economy:
        """The economy at the `rates` of all taxes in a tick, `(..., taxes)`."""
        return self if self.fiscal is None else self.at_rates(rates[..., self.fiscal.adjusting])

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
            and not (self.fiscal is not None and self.fiscal.nominal)
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
        for firm, edges, rows, prices_faced in faced:
            for part, one in zip(parts, self._firm_plans(firm, prices_faced, guess[edges], levels[rows]), strict=True):
                part.append(one)
        return Production._make(map(np.concatenate, parts))

    def _firm_plans(self, firm: Firm, faced: FirmPrices, guess: Array, level: Array) -> Production:
        """What an entry of firms plans."""
        price, input_prices = faced
        key = None if self._remembered is None else (id(firm.technology), price, *input_prices, *level.tolist())
        if self._remembered is not None and key in self._remembered:
            return self._remembered[key]
        if firm.technology.constant_returns:
            cost, unit = asked(firm.technology, "unit_cost")(np.stack(input_prices))
            inputs, output, value = level[:, None] * unit.inputs, level * unit.output, np.zeros(1)
            revenue = price * unit.output
        else:
            value, (inputs, output) = asked(firm.technology, "profit")(
                price, input_prices, guess.reshape(firm.rows, -1)
            )
            revenue = cost = NONE
        found = Production(inputs.ravel(), output, value.sum(keepdims=True), level, revenue, cost)
        if self._remembered is not None and key is not None:
            self._remembered[key] = found
        return found

    def balance(
        self,
        prices: Array,
        guess: Array | None = None,
        levels: Array | None = None,
        received: Array | None = None,
        rates: Array | None = None,
    ) -> MarketPlans:
        """Everybody's plans at `prices` `(goods,)` and activity `levels` `(levels,)` (1, unless said); `guess`
        `(edges,)` are inputs near the best ones. Consumers count on what they `received` `(cohorts,)`, or on what is
        due to them, all incomes solved together; taxes that adjust are at `rates` `(instruments,)`, or at those of the
        economy.
        """
        guess, levels = (
            (self.first_guess() if guess is None else guess),
            self.first_levels() if levels is None else levels,
        )
        if self.fiscal is None:
            return self._planned(prices, self.production(prices, guess, levels), NONE)
        rates = self.rates[self.fiscal.adjusting] if rates is None else rates
        economy = self.at_rates(rates)
        production = economy.production(prices, guess, levels)
        plans = (
            traced_or_called(economy.at_due, "incomes of a taxed market")(prices, production)
            if received is None
            else economy._planned(prices, production, received)
        )
        return plans._replace(rates=rates, kept=kept(economy, plans))

    def overdrawn(self, plans: MarketPlans) -> str | None:
        """Who would have to spend less than nothing at some plans: the name of a cohort, None where all can pay."""
        least = -ROUNDED * float(plans.prices @ plans.scale)
        for number, cohort in enumerate(self.consumers):
            own = cohort.own_income(plans.prices, plans.profits)
            left = own + cohort.dues(self.terms(number, plans.received, plans.prices), own)
            if left.min() * cohort.count < least:
                return cohort.name
        return None

    def _planned(self, prices: Array, production: Production, received: Array) -> MarketPlans:
        """Everybody's plans of what firms plan at `prices` `(goods,)`, and of what cohorts `received`."""
        incomes, bought, owns, profits = list[Array](), list[Array](), list[float](), production.profits
        for number, cohort in enumerate(self.consumers):
            faced = self.user_prices.consumer_prices(number, prices)
            dues = self.terms(number, received, prices)
            planned = over_blocks(
                cohort.blocks, lambda block, faced=faced, dues=dues: _plans(block[1], prices, faced, profits, dues)
            )
            incomes.append(np.concatenate([income for income, *_ in planned]))
            bought.append(cohort.weight * sum_up([bundle for _, bundle, _ in planned]))
            owns.append(cohort.weight * sum_up([own for *_, own in planned]))
        consumption = np.stack(bought) if bought else np.zeros((0, len(self.goods)))
        totals = self.totals(prices, consumption.sum(axis=0), production.inputs, production.outputs)
        plans = MarketPlans(prices, *totals, consumption, tuple(incomes), *production)
        if self.fiscal is None:
            return plans
        revenues = self.revenues(prices, production, consumption)
        return plans._replace(
            received=received, due=self.fiscal.due(np.stack(owns), received, revenues, prices), revenues=revenues
        )

    def terms(self, number: int, received: Array, prices: Array) -> Array:
        """What taxes and transfers do to purses of a cohort, `Fiscal.terms`; none where there are neither."""
        if self.fiscal is None:
            return NO_DUES
        return self.fiscal.terms(number, self.consumers[number].count, received, prices)

    def revenues(self, prices: Array, production: Production, consumption: Array) -> Array:
        """The revenue of each tax, `(taxes,)`, of what firms and cohorts `(cohorts, goods)` plan at `prices`."""
        assert self.fiscal is not None
        made = self.made_at(prices, production.outputs)
        return self.fiscal.revenues(self, self.rates, prices, production.inputs, made, consumption)

    def at_due(self, prices: Array, production: Production) -> MarketPlans:
        """Everybody's plans where all that is due is received: taxes on consumption depend on incomes, incomes on their
        revenue. Newton's method; one step where demand is linear in income.
        """
        assert self.fiscal is not None
        cohorts = len(self.consumers)
        owns = [cohort.weight * cohort.own_income(prices, production.profits).sum() for cohort in self.consumers]
        untaxed = self.revenues(prices, production, np.zeros((cohorts, len(self.goods))))
        plans = self._planned(prices, production, self.fiscal.received(np.stack(owns), untaxed, prices))
        gap = plans.due - plans.received
        while len(self.fiscal.on_purchases.tax):
            step = np.linalg.solve(np.eye(cohorts) - due_slopes(self, plans), gap)
            tried = self._planned(prices, production, plans.received + step)
            before, gap = np.abs(gap).max(), tried.due - tried.received
            # A smaller gap than rounding leaves is none.
            if not np.abs(gap).max() < before:
                break
            plans = tried
        return plans

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
        """`J = dz/dp` `(goods, goods)` at a balance and its levels, with incomes that move as endowments, profits and
        receipts do.
        """
        if self.fiscal is None:
            return self.untaxed_slopes(balance)

        # Whether it is traced is seen from the first argument, not from what is in a balance.
        def slopes(_: Array, plans: MarketPlans) -> Array:
            return market_slopes(self, plans)

        return traced_or_called(slopes, "slopes of a taxed market")(balance.prices, balance)


def _plans(
    consumers: Consumers, prices: Array, faced: Array, profits: Array, dues: Array
) -> tuple[Array, Array, Array]:
    """Income `(rows,)` at market prices, the sum of what is wanted `(goods,)` at the prices `faced`, by the judges'
    road, and the sum of incomes before taxes and transfers, `()`.
    """
    own = consumers.own_income(prices, profits)
    income = np.maximum(own + consumers.dues(dues, own) if len(dues) else own, 0.0)
    bought = asked(consumers.utility, "dual_demand")(faced, income).sum(axis=0)
    return income, bought, own.sum()
