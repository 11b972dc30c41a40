"""What happens in a market in a tick at given prices: firms and consumers plan, trade, produce and keep accounts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from simulator.dynamics.consumers import Orders, book, order, plan
from simulator.dynamics.market_tick import MarketState, Plans, Trades
from simulator.dynamics.trading import Trade, ration
from simulator.economics import allocation
from simulator.economics.aggregate import Aggregate, aggregate
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.ties import set_valued


class Layout:
    """What an economy's layout says about a tick with `trade`, looked up once."""

    def __init__(self, economy: Economy, trade: Trade, *, aggregates: bool = True) -> None:
        self.economy, self.trade = economy, trade
        self._aggregates = aggregates and not trade.every_tick
        self.made_for_outside = economy.is_outside[economy.outlet_good].astype(float)
        self.outside = np.flatnonzero(economy.is_outside)
        self.set_valued = set_valued(economy)
        edges, outlets = economy.input_output_pairs
        own = economy.edge_good[edges] == economy.outlet_good[outlets]
        self._own_edges, self._own_outlets = edges[own], outlets[own]
        budgets = (cohort.total(cohort.budget) for cohort in economy.consumers if not cohort.unlimited)
        self.budgets = float(sum(budgets, np.zeros(())))

    @cached_property
    def aggregates(self) -> list[Aggregate | None]:
        """Each cohort as one planner where its demand adds up exactly and nobody trades before markets clear."""
        return [aggregate(cohort) if self._aggregates else None for cohort in self.economy.consumers]

    def by_entry(self, firms: Array) -> Array:
        """Sums over the firms of each entry, `(firm entries,)`."""
        return np.bincount(self.economy.firm_entry, firms, len(self.economy.firms)).astype(float, copy=False)

    def own_use(self, planned_inputs: Array, stock: Array) -> tuple[Array, Array]:
        """What each firm keeps of its own stock for its own inputs, `(edges,)`, and the stock that is left."""
        kept, left = np.zeros(len(planned_inputs)), stock.copy()
        own, outlets = self._own_edges, self._own_outlets
        kept[own] = np.minimum(planned_inputs[own], stock[outlets])
        left[outlets] -= kept[own]
        return kept, left


def plan_all(layout: Layout, state: MarketState, prices: Array) -> tuple[Plans, list[Orders]]:
    """Everybody plans at the going prices; consumers count on the profits the firms plan, and where there is trade in
    every tick their plans come with orders.
    """
    economy, user_prices = layout.economy, layout.economy.user_prices
    inputs, outputs = np.array(state.planned_inputs, dtype=float), np.empty(len(economy.firm_entry))
    first, faced = state.tick == 0, user_prices.of_firms(prices)
    for firm, rows, edges, (price, input_prices) in zip(
        economy.firms, economy.firm_rows, economy.edge_rows, faced, strict=True
    ):
        last = inputs[edges].reshape(firm.rows, -1)
        planned = firm.behaviour.plan(firm.technology, price, input_prices, last, first=first)
        inputs[edges], outputs[rows] = planned.inputs.ravel(), planned.output
    count, goods = len(economy.consumers), len(prices)
    spending, consumption, orders = np.empty(count), np.empty((count, goods)), list[Orders]()
    if not count:
        return Plans(inputs, outputs, np.zeros(0), spending, consumption, np.zeros(goods)), orders
    profits = layout.by_entry(user_prices.cash_flow(prices, economy.at_outlets(outputs), inputs))
    for number, (cohort, account) in enumerate(zip(economy.consumers, state.accounts, strict=True)):
        faced, together = user_prices.consumer_prices(number, prices), layout.aggregates[number]
        if layout.trade.every_tick:
            orders.append(order(cohort, prices, faced, profits, account))
            consumption[number], spending[number] = orders[-1].consumption, orders[-1].spending
        else:
            summed = None if together is None else together.plan(prices, faced, profits)
            consumption[number], spending[number] = summed or plan(cohort, prices, faced, profits, account)
    return Plans(inputs, outputs, profits, spending, consumption, consumption.sum(axis=0)), orders


def settle(
    layout: Layout, state: MarketState, prices: Array, plans: Plans, orders: Sequence[Orders]
) -> tuple[Trades, tuple[Array, ...]]:
    """Trade at the going prices: orders are net of own use, the long side is rationed, goods and money move. Also the
    accounts afterwards; cash flow is paid out in full by shares.
    """
    economy, trade, goods = layout.economy, layout.trade, len(prices)
    starts = state.tick == 0 and trade.start == "stocked"
    first = np.asarray(state.stock)
    if starts:
        first = economy.at_outlets(plans.planned_outputs) * (1.0 - layout.made_for_outside)
    kept, stock = layout.own_use(plans.planned_inputs, first)
    ordered = plans.planned_inputs - kept
    wanted, offered = (
        np.array([getattr(each, side) for each in orders]).reshape(-1, goods) for side in ("wanted", "offered")
    )
    purchases = np.bincount(economy.edge_good, ordered, goods) + wanted.sum(axis=0)
    sales = economy.supply + np.bincount(economy.outlet_good, stock, goods) + offered.sum(axis=0)
    fills = ration(purchases, sales, layout.outside)

    bought = ordered * fills.purchases[economy.edge_good]
    inputs = bought + kept
    outputs = allocation.outputs(economy, inputs)
    made = economy.at_outlets(outputs)
    exported = made * layout.made_for_outside
    sold = stock * fills.sales[economy.outlet_good]
    left = (stock - sold) * (1.0 - trade.spoilage) + (made - exported)
    delivered = sold + exported
    cash_flow = economy.user_prices.cash_flow(prices, delivered, bought)

    earned = layout.by_entry(cash_flow)
    booked = [
        book(cohort, prices, economy.user_prices.consumer_prices(number, prices), each.bundles, fills, earned, account)
        for number, (cohort, each, account) in enumerate(zip(economy.consumers, orders, state.accounts, strict=True))
    ]
    received, given = wanted * fills.purchases, offered * fills.sales
    trades = Trades(
        traded=fills.traded,
        bought_fraction=fills.purchases if orders else np.zeros(0),
        sold_fraction=fills.sales if orders else np.zeros(0),
        supply_sold=economy.supply * fills.sales,
        inputs=inputs,
        bought=bought,
        outputs=outputs,
        stock=left,
        delivered=delivered,
        cash_flow=cash_flow,
        consumers_bought=received,
        consumers_sold=given,
        money=np.array([accounts.money for accounts in booked]),
        consumption=plans.planned_consumption - wanted + received,
        accounts_change=sum(accounts.gained for accounts in booked),
        from_outside=layout.budgets - sum(accounts.lapsed for accounts in booked),
    )
    return trades, tuple(accounts.account for accounts in booked)


def no_trade(layout: Layout, prices: Array, plans: Plans, stock: Array) -> Trades:
    """What is recorded where nobody trades: plans stand in the place of deeds, stocks stay as they were."""
    economy, goods, none = layout.economy, np.zeros(len(prices)), np.zeros(0)
    nothing, made = np.zeros(plans.planned_consumption.shape), economy.at_outlets(plans.planned_outputs)
    return Trades(
        traded=goods,
        bought_fraction=none,
        sold_fraction=none,
        supply_sold=goods,
        inputs=plans.planned_inputs,
        bought=np.zeros(len(plans.planned_inputs)),
        outputs=plans.planned_outputs,
        stock=stock,
        delivered=np.zeros(len(stock)),
        cash_flow=economy.user_prices.cash_flow(prices, made, plans.planned_inputs),
        consumers_bought=nothing,
        consumers_sold=nothing,
        money=np.zeros(len(nothing)),
        consumption=plans.planned_consumption,
        accounts_change=0.0,
        from_outside=0.0,
    )
