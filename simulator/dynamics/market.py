"""What happens in a market in a tick at given prices: firms and consumers plan, trade, produce and keep accounts."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property, partial

import numpy as np

from simulator.dynamics.consumers import AccountTotals, Orders, book, mean_utility, order, plan
from simulator.dynamics.crowds import FEWEST_ROWS, Crowd
from simulator.dynamics.levels import plan_at_level
from simulator.dynamics.market_tick import MarketState, Plans, Trades
from simulator.dynamics.trading import Trade, ration
from simulator.dynamics.treasury import Treasury
from simulator.dynamics.verdicts import BOUND
from simulator.economics import allocation
from simulator.economics.aggregate import Aggregate, aggregate
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.market_plans import NONE
from simulator.economics.ties import set_valued
from simulator.formulas.searches import traced_or_called


class Layout:
    """What an economy's layout says about a tick with `trade`, looked up once."""

    def __init__(self, economy: Economy, trade: Trade, *, aggregates: bool = True, compiled: bool = False) -> None:
        self.economy, self.trade = economy, trade
        self._aggregates = aggregates and not trade.every_tick
        self.made_for_outside = economy.is_outside[economy.outlet_good].astype(float)
        self.outside = np.flatnonzero(economy.is_outside)
        self.set_valued = set_valued(economy)
        edges, outlets = economy.input_output_pairs
        own = economy.edge_good[edges] == economy.outlet_good[outlets]
        self._own_edges, self._own_outlets = edges[own], outlets[own]
        many = [number for number, cohort in enumerate(economy.consumers) if cohort.size >= FEWEST_ROWS]
        self.crowds = {number: Crowd(economy.consumers[number]) for number in many if compiled}
        self.treasury = None if economy.fiscal is None else Treasury(economy, economy.fiscal)
        budgets = (cohort.total(cohort.budget) for cohort in economy.consumers if not cohort.unlimited)
        self.budgets = sum(budgets, np.zeros(())).item()

    def at_rates(self, rates: Array) -> Layout:
        """The layout of the economy at `rates` `(taxes,)`: itself where none adjusts."""
        economy = self.economy.in_force(rates)
        if economy is self.economy:
            return self
        there = copy(self)
        there.economy = economy
        return there

    def bears(self, rates: Array) -> bool:
        """Whether everybody still faces prices above 0 and below all bounds at `rates` `(taxes,)`."""
        factors = self.economy.in_force(rates).price_factors
        ends = [each for each in factors or () if each.size]
        return all(bool((np.min(each) > 0) & (np.max(each) < BOUND)) for each in ends)

    @cached_property
    def aggregates(self) -> list[Aggregate | None]:
        """Each cohort as one planner where its demand adds up exactly and nobody trades before markets clear."""
        adds_up = self._aggregates and self.treasury is None
        return [aggregate(cohort) if adds_up else None for cohort in self.economy.consumers]

    def refusal(self, prices: Array) -> str | None:
        """Why what members of its crowds do in a tick that begins at `prices` has no machine code."""
        economy, profits = self.economy, np.zeros(len(self.economy.firms))
        received = np.zeros(len(economy.consumers))
        for number, crowd in self.crowds.items():
            faced, dues = economy.user_prices.consumer_prices(number, prices), economy.terms(number, received, prices)
            if why := crowd.refusal(prices, faced, profits, dues, trades=self.trade.every_tick):
                return why
        return None

    def by_entry(self, firms: Array) -> Array:
        """Sums over the firms of each entry, `(firm entries,)`."""
        entries = len(self.economy.firms)
        return np.bincount(self.economy.firm_entry, firms, entries).astype(float, copy=False)

    def counted_on(self, firms: Array) -> Array:
        """Planned profits `(firms,)` that owners count on, `(firm entries,)`: of constant returns they are nobody's."""
        profits = self.by_entry(firms)
        constant = self.economy.constant_returns
        return np.where(constant, 0.0, profits) if constant.any() else profits

    def plan(self, number: int, prices: Array, *given: Array) -> tuple[Array, Array | float]:
        """What a cohort plans to consume `(goods,)`, and to spend, of what `consumers.plan` is given."""
        crowd, together = self.crowds.get(number), self.aggregates[number]
        if together is not None and (summed := together.plan(prices, *given[:2])):
            return summed
        return crowd.plan(prices, *given) if crowd else plan(self.economy.consumers[number], prices, *given)

    def order(self, number: int, *given: Array) -> Orders:
        """What a cohort orders."""
        crowd = self.crowds.get(number)
        return crowd.order(*given) if crowd else order(self.economy.consumers[number], *given)

    def own_use(self, planned_inputs: Array, stock: Array) -> tuple[Array, Array]:
        """What each firm keeps of its own stock for its own inputs, `(edges,)`, and from where, `(outlets,)`."""
        edges, outlets = self._own_edges, self._own_outlets
        if not edges.size:
            return np.zeros(len(planned_inputs)), np.zeros(len(stock))
        own = np.minimum(planned_inputs[edges], stock[outlets])
        places = ((edges, planned_inputs), (outlets, stock))
        kept, given = (np.bincount(at, own, len(of)).astype(float, copy=False) for at, of in places)
        return kept, given


def plan_all(
    layout: Layout, state: MarketState, prices: Array, levels: Array | None = None
) -> tuple[Plans, list[Orders]]:
    """Everybody plans at the going prices, at `levels` `(levels,)` or levels that move before (but in the first tick);
    consumers count on the profits the firms plan and on what taxes and transfers bring them, all incomes solved
    together, and where there is trade in every tick their plans come with orders.
    """
    economy, treasury = layout.economy, layout.treasury
    chosen, made, levels, unit_revenues, unit_costs = _plan_firms(layout, state, prices, levels)
    orders, profits, rates, received, revenues, kept = list[Orders](), NONE, economy.rates, NONE, NONE, NONE
    nothing, sold = np.zeros((len(economy.consumers), len(prices))), economy.made_at(prices, made)
    if economy.consumers:
        profits = layout.counted_on(economy.user_prices.cash_flow(prices, sold, chosen))

    def given(number: int, received: Array) -> tuple[Array, ...]:
        """What a cohort plans with, if all cohorts `received` `(cohorts,)`."""
        faced = economy.user_prices.consumer_prices(number, prices)
        return prices, faced, profits, economy.terms(number, received, prices), state.accounts[number]

    if treasury is not None:
        others = treasury.fiscal.revenues(economy, rates, prices, chosen, sold, nothing)
        received = treasury.counted_on(
            treasury.own(prices, profits),
            others,
            prices,
            rates,
            lambda number, received: layout.plan(number, *given(number, received))[0],
        )
    bundles = list[tuple[Array, Array | float]]()
    for number in range(len(economy.consumers)):
        if layout.trade.every_tick:
            orders.append(layout.order(number, *given(number, received)))
            bundles.append((orders[-1].consumption, orders[-1].spending))
        else:
            bundles.append(layout.plan(number, *given(number, received)))
    consumption, spending = (np.stack(part) for part in zip(*bundles, strict=True)) if bundles else (nothing, NONE)
    if treasury is not None:
        revenues = treasury.fiscal.revenues(economy, rates, prices, chosen, sold, consumption)

        def utility(number: int) -> Array:
            return mean_utility(economy.consumers[number], *given(number, received))

        kept = treasury.kept(economy, prices, levels, revenues, consumption, utility)
    consumed = (spending, consumption, consumption.sum(axis=0))
    at_levels, taxed = (levels, unit_revenues, unit_costs), (rates, revenues, received, kept)
    return Plans(chosen, made, profits, *consumed, *at_levels, *taxed), orders


def _plan_firms(layout: Layout, state: MarketState, prices: Array, levels: Array | None) -> tuple[Array, ...]:
    """What firms plan: inputs `(edges,)`, outputs `(firms,)`, levels, and what a unit of these brings and takes,
    `(levels,)` each.
    """
    economy, first = layout.economy, bool(state.tick == 0)
    inputs, outputs = [np.zeros(0)], [np.zeros(0)]
    moves, last_levels = levels is None and not first, state.levels if levels is None else levels
    moved, revenues, costs = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    faced = economy.user_prices.of_firms(prices)
    rows = zip(economy.firms, economy.edge_rows, economy.level_rows, faced, strict=True)
    for firm, edges, own, (price, input_prices) in rows:
        if firm.technology.constant_returns:
            at = plan_at_level(firm, price, input_prices, last_levels[own], moves=moves)
            planned, level, revenue, cost = at
            for part, one in ((moved, level), (revenues, revenue), (costs, cost)):
                part.append(one)
        else:
            last = state.planned_inputs[edges].reshape(firm.rows, -1)
            plans = partial(firm.behaviour.plan, firm.technology, first=first)
            planned = traced_or_called(plans, f"a plan of {type(firm.technology).__name__}")(price, input_prices, last)
        inputs.append(planned.inputs.ravel())
        outputs.append(planned.output)
    return tuple(np.concatenate(part) for part in (inputs, outputs, moved, revenues, costs))


def settle(
    layout: Layout, state: MarketState, prices: Array, plans: Plans, orders: Sequence[Orders]
) -> tuple[Trades, tuple[Array, ...]]:
    """Trade at the going prices: orders are net of own use, the long side is rationed, goods and money move. Also the
    accounts afterwards; cash flow is paid out in full by shares. Firms of constant returns are served first: in
    proportion with consumers, a loop of fixed proportions would stay at any fraction of its plans for ever.
    """
    economy, trade, goods = layout.economy, layout.trade, len(prices)
    starts = state.tick == 0 and trade.start == "stocked"
    stock = state.stock
    if starts:
        stock = economy.made_at(prices, plans.planned_outputs) * (1.0 - layout.made_for_outside)
    kept, used_up = layout.own_use(plans.planned_inputs, stock)
    stock = stock - used_up
    ordered = plans.planned_inputs - kept
    wanted, offered = (
        np.stack([getattr(each, side) for each in orders]) if orders else np.zeros((0, goods))
        for side in ("wanted", "offered")
    )
    sales = economy.supply + np.bincount(economy.outlet_good, stock, goods) + offered.sum(axis=0)
    first_served, later, before = economy.first_served, ordered, None
    if first_served.any():
        before = np.bincount(economy.edge_good, np.where(first_served, ordered, 0.0), goods).astype(float, copy=False)
        later = np.where(first_served, 0.0, ordered)
    purchases = np.bincount(economy.edge_good, later, goods) + wanted.sum(axis=0)
    fills = ration(purchases, sales, layout.outside, before)

    filled = fills.purchases[economy.edge_good]
    if fills.first is not None:
        filled = np.where(first_served, fills.first[economy.edge_good], filled)
    bought = ordered * filled
    inputs = bought + kept
    outputs = allocation.outputs(economy, inputs)
    made = economy.made_at(prices, outputs)
    exported = made * layout.made_for_outside
    sold = stock * fills.sales[economy.outlet_good]
    left = (stock - sold) * (1.0 - trade.spoilage) + (made - exported)
    delivered = sold + exported
    received, given = wanted * fills.purchases, offered * fills.sales
    consumption = plans.planned_consumption - wanted + received
    # What firms keep of their own is taxed as if they sold it to themselves; without taxes that changes nothing.
    passed = (delivered, bought) if economy.user_prices.neutral else (delivered + used_up, inputs)
    cash_flow = economy.user_prices.cash_flow(prices, *passed)

    earned, due, collected = layout.by_entry(cash_flow), NONE, NONE
    if layout.treasury is not None:
        collected = layout.treasury.fiscal.revenues(economy, economy.rates, prices, passed[1], passed[0], consumption)
        own = layout.treasury.own(prices, earned) - np.sum((offered - given) * prices, axis=1)
        due = layout.treasury.fiscal.received(own, collected, prices)
    booked = list[AccountTotals]()
    for number, (cohort, each, account) in enumerate(zip(economy.consumers, orders, state.accounts, strict=True)):
        faced, crowd = economy.user_prices.consumer_prices(number, prices), layout.crowds.get(number)
        after = earned, economy.terms(number, due, prices), account
        if each.bundles is None and crowd:
            planned = economy.terms(number, plans.received, prices)
            booked.append(crowd.book(prices, faced, plans.planned_profits, planned, fills, *after))
        else:
            booked.append(book(cohort, prices, faced, each.bundles or [], fills, *after))
    trades = Trades(
        traded=fills.traded,
        bought_fraction=fills.purchases if orders else np.zeros(0),
        sold_fraction=fills.sales if orders else np.zeros(0),
        supply_sold=economy.supply * fills.sales,
        inputs=inputs,
        bought=bought,
        unserved=ordered - bought,
        outputs=outputs,
        stock=left,
        delivered=delivered,
        unsold=stock - sold,
        cash_flow=cash_flow,
        consumers_bought=received,
        consumers_unserved=wanted - received,
        consumers_sold=given,
        consumers_unsold=offered - given,
        money=np.stack([accounts.money for accounts in booked]) if booked else np.zeros(0),
        consumption=consumption,
        collected=collected,
        accounts_change=sum(accounts.gained for accounts in booked),
        from_outside=layout.budgets - sum(accounts.lapsed for accounts in booked),
    )
    return trades, tuple(accounts.account for accounts in booked)


def no_trade(layout: Layout, prices: Array, plans: Plans, stock: Array) -> Trades:
    """What is recorded where nobody trades: plans stand in the place of deeds, stocks stay as they were."""
    economy, goods, none = layout.economy, np.zeros(len(prices)), np.zeros(0)
    nothing, made = np.zeros(plans.planned_consumption.shape), economy.made_at(prices, plans.planned_outputs)
    return Trades(
        traded=goods,
        bought_fraction=none,
        sold_fraction=none,
        supply_sold=goods,
        inputs=plans.planned_inputs,
        bought=np.zeros(len(plans.planned_inputs)),
        unserved=np.zeros(len(plans.planned_inputs)),
        outputs=plans.planned_outputs,
        stock=stock,
        delivered=np.zeros(len(stock)),
        unsold=np.zeros(len(stock)),
        cash_flow=economy.user_prices.cash_flow(prices, made, plans.planned_inputs),
        consumers_bought=nothing,
        consumers_unserved=nothing,
        consumers_sold=nothing,
        consumers_unsold=nothing,
        money=np.zeros(len(nothing)),
        consumption=plans.planned_consumption,
        collected=plans.revenues,
        accounts_change=0.0,
        from_outside=0.0,
    )
