"""The market: firms and consumers who plan at the going prices, trade, produce, and move the prices by doing so.

`MarketModel.step` is one tick; it reads like its table of contents. Cohorts are mesa agents, one for each entry of the
scenario, whatever its count; what they plan and do lies in arrays, stacked as `economics.economy` describes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import mesa
import numpy as np

from simulator.dynamics.chain import Chain
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.snapshot import Plans, Snapshot, Trades
from simulator.dynamics.trading import Trade, ration
from simulator.economics.clearing import relative_excess_demand
from simulator.economics.economy import Consumers, Economy, Firm
from simulator.economics.forms import Array


class FirmCohort(mesa.Agent):
    """The firms of one entry: they plan their best response to prices and make what their inputs allow."""

    def __init__(self, model: MarketModel, firm: Firm, rows: slice, edges: slice) -> None:
        super().__init__(model)
        self.firm, self.rows, self.edges = firm, rows, edges

    def plan(self, prices: list[float], inputs: Array, outputs: Array) -> None:
        """Write inputs and outputs of largest profit into the market's, which hold the last plan."""
        firm = self.firm
        guess = inputs[self.edges].reshape(firm.count, -1)
        plan = firm.technology.best_response(prices[firm.output], [prices[good] for good in firm.inputs], guess)
        inputs[self.edges], outputs[self.rows] = plan.inputs.ravel(), plan.output

    def produce(self, inputs: Array, outputs: Array) -> None:
        """Write what the inputs really got allow into `outputs`."""
        outputs[self.rows] = self.firm.technology.output(inputs[self.edges].reshape(self.firm.count, -1))


class ConsumerCohort(mesa.Agent):
    """The consumers of one entry: they plan the best bundle their income buys."""

    def __init__(self, model: MarketModel, consumers: Consumers, rows: slice) -> None:
        super().__init__(model)
        self.consumers, self.rows = consumers, rows

    def plan(self, prices: Array, income: Array, spending: Array, consumption: Array) -> None:
        """Write spending and consumption at `prices` into the market's."""
        utility, rows = self.consumers.utility, self.rows
        spending[rows] = utility.spending(income[rows])
        consumption[rows] = utility.demand(prices, income[rows])


class MarketModel(mesa.Model):
    """An economy under a price rule, trading in every tick or waiting for the auctioneer.

    `now` is the tick just over (a `Snapshot`); its fields are also attributes of the model, as arrays. `next_prices`
    are those of the tick to come.
    """

    def __init__(
        self, economy: Economy, rule: PriceRule, trade: Trade, initial_prices: Array, seed: int | None = None
    ) -> None:
        super().__init__(rng=seed)
        self.economy, self.rule, self.trade = economy, rule, trade
        self.firm_cohorts = [
            FirmCohort(self, firm, rows, edges)
            for firm, rows, edges in zip(economy.firms, economy.firm_rows, economy.edge_rows, strict=True)
        ]
        self.consumer_cohorts = [
            ConsumerCohort(self, consumers, rows)
            for consumers, rows in zip(economy.consumers, economy.consumer_rows, strict=True)
        ]
        self._chain = Chain(economy, rule, trade) if Chain.serves(economy, rule) else None
        self._memory = rule.start()
        self._purse = np.isinf(economy.budget)
        self._received = np.where(self._purse, 0.0, economy.budget)
        self._lapses = np.concatenate([_lapsing(c) for c in economy.consumers] or [np.zeros(0)])
        self._made_for_outside = economy.is_outside[economy.output_good].astype(float)
        self._outside = np.flatnonzero(economy.is_outside)
        self._own_edges = np.flatnonzero(economy.edge_good == economy.output_good[economy.edge_firm])
        self._free = ~rule.fixed
        prices = np.array(initial_prices, dtype=float)
        goods, agents = np.zeros(len(economy.goods)), np.zeros(len(economy.budget))
        firms, consumption = np.zeros(len(economy.output_good)), np.zeros(economy.endowment.shape)
        plans = Plans(economy.first_guess(), firms, agents, agents, consumption, goods)
        nothing = self._no_trade(prices, plans, stock=firms, account=agents)
        self.now = Snapshot(-1, True, math.inf, prices, prices, goods, goods, *plans, *nothing)

    def __getattr__(self, name: str) -> Any:
        """A field of the tick just over, as an array."""
        if name in Snapshot._fields:
            return np.asarray(getattr(self.now, name))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def tick(self) -> int:
        """The number of the tick just over; -1 before the first."""
        return self.now.tick

    def step(self) -> None:
        """One tick: quote prices, plan, add up, trade and produce, and find the next prices."""
        before = self.now
        if self._chain is not None:
            self.now = self._chain.step(before)
            return
        with np.errstate(all="ignore"):
            prices = np.asarray(before.next_prices)
            plans = self.plan(prices)
            demand, supply = self.economy.totals(plans.consumers_planned, plans.planned_inputs, plans.planned_outputs)
            excess_demand, scale = demand - supply, np.maximum(demand, supply)
            finite = math.isfinite(prices @ scale)
            if self.trade.every_tick and finite:
                trades = self.settle(prices, plans)
            else:
                trades = self._no_trade(prices, plans, stock=before.stock, account=before.account)
            next_prices, self._memory = self.rule.next_prices(prices, excess_demand, scale, self._memory)
            residual = relative_excess_demand(excess_demand, scale, prices, self._free)
            self.now = Snapshot(before.tick + 1, finite, residual, prices, next_prices, demand, supply, *plans, *trades)

    def plan(self, prices: Array) -> Plans:
        """Every cohort plans at the going prices; consumers count on the profits the firms plan."""
        economy, before = self.economy, self.now
        quoted = prices.tolist()
        inputs, outputs = before.planned_inputs.copy(), before.planned_outputs.copy()
        for firms in self.firm_cohorts:
            firms.plan(quoted, inputs, outputs)
        if not self.consumer_cohorts:
            nobody = before.income
            return Plans(inputs, outputs, nobody, nobody, before.planned_consumption, before.consumers_planned)
        earned = economy.endowment @ prices + economy.owns @ self._by_entry(self._value(prices, outputs, inputs))
        income = np.maximum(earned + economy.budget + before.account, 0.0)
        spending, consumption = np.empty(len(income)), np.empty(economy.endowment.shape)
        for consumers in self.consumer_cohorts:
            consumers.plan(prices, income, spending, consumption)
        return Plans(inputs, outputs, income, spending, consumption, consumption.sum(axis=0))

    def settle(self, prices: Array, plans: Plans) -> Trades:
        """Trade at the going prices: orders are net of own use, the long side is rationed, goods and money move."""
        economy, before, goods = self.economy, self.now, len(prices)
        starts = before.tick < 0 and self.trade.start == "stocked"
        stock = plans.planned_outputs * (1.0 - self._made_for_outside) if starts else before.stock
        kept = self._own_use(plans.planned_inputs, stock)
        orders = plans.planned_inputs - kept
        stock = stock - np.bincount(economy.edge_firm, kept, len(stock))
        wanted = np.maximum(plans.planned_consumption - economy.endowment, 0.0)
        offered = np.maximum(economy.endowment - plans.planned_consumption, 0.0)
        purchases = np.bincount(economy.edge_good, orders, goods) + wanted.sum(axis=0)
        sales = economy.supply + np.bincount(economy.output_good, stock, goods) + offered.sum(axis=0)
        served = ration(purchases, sales, self._outside)

        bought = orders * served.purchases[economy.edge_good]
        inputs, outputs = bought + kept, np.zeros(len(stock))
        for firms in self.firm_cohorts:
            firms.produce(inputs, outputs)
        exported = outputs * self._made_for_outside
        sold = stock * served.sales[economy.output_good]
        left = (stock - sold) * (1.0 - self.trade.spoilage) + (outputs - exported)
        delivered = sold + exported
        cash_flow = self._value(prices, delivered, bought)

        received, given = wanted * served.purchases, offered * served.sales
        consumption = plans.planned_consumption - wanted + received
        paid = received @ prices
        account, gained, from_outside = self._book(given @ prices - paid, cash_flow)
        return Trades(
            traded=served.traded,
            supply_sold=economy.supply * served.sales,
            inputs=inputs,
            bought=bought,
            outputs=outputs,
            stock=left,
            delivered=delivered,
            cash_flow=cash_flow,
            consumers_bought=received,
            consumers_sold=given,
            paid=paid,
            account=account,
            consumption=consumption,
            accounts_change=gained,
            from_outside=from_outside,
        )

    def execute(self) -> None:
        """Carry out the plans once the auctioneer has found the prices."""
        self.now = self.now._replace(traded=np.minimum(self.now.demand, self.now.supply))

    def state(self) -> dict[str, Array]:
        """All that the next tick depends on, as arrays; `restore` takes it up again, to the last bit."""
        now = self.now
        carried = {name: np.asarray(getattr(now, name)) for name in _CARRIED}
        return {**carried, **{f"memory{i}": memo for i, memo in enumerate(self._memory)}}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.now = self.now._replace(**{name: state[name] for name in _CARRIED} | {"tick": int(state["tick"])})
        self._memory = tuple(state[f"memory{i}"] for i in range(len(self._memory)))

    def _no_trade(self, prices: Array, plans: Plans, *, stock: Array, account: Array) -> Trades:
        """What is recorded where nobody trades: plans stand in the place of deeds, stocks and accounts stay as they
        were.
        """
        goods, firms = np.zeros(len(prices)), np.zeros(len(stock))
        net = plans.planned_consumption - self.economy.endowment
        return Trades(
            traded=goods,
            supply_sold=goods,
            inputs=plans.planned_inputs,
            bought=np.zeros(len(plans.planned_inputs)),
            outputs=plans.planned_outputs,
            stock=stock,
            delivered=firms,
            cash_flow=self._value(prices, plans.planned_outputs, plans.planned_inputs),
            consumers_bought=np.maximum(net, 0.0),
            consumers_sold=np.maximum(-net, 0.0),
            paid=plans.spending,
            account=account,
            consumption=plans.planned_consumption,
            accounts_change=0.0,
            from_outside=0.0,
        )

    def _own_use(self, planned_inputs: Array, stock: Array) -> Array:
        """What each firm keeps of its own stock for its own inputs, `(edges,)`."""
        kept = np.zeros(len(planned_inputs))
        own = self._own_edges
        kept[own] = np.minimum(planned_inputs[own], stock[self.economy.edge_firm[own]])
        return kept

    def _book(self, earned: Array, cash_flow: Array) -> tuple[Array, float, float]:
        """Accounts `(agents,)` after a tick, their total gain, and what came from the outside for it.

        `earned` `(agents,)` is the value sold less the value bought. Cash flow is paid out in full by shares. A
        budget is a flow: what is left of it lapses to the outside; an unlimited purse is filled or emptied by the
        outside.
        """
        before = self.now.account
        balance = before + earned + self.economy.owns @ self._by_entry(cash_flow) + self._received
        lapsed = np.where(self._purse, balance, np.clip(balance, 0.0, self._lapses))
        account = balance - lapsed
        return account, float((account - before).sum()), float(self._received.sum() - lapsed.sum())

    def _value(self, prices: Array, outputs: Array, inputs: Array) -> Array:
        """Value of `outputs` `(firms,)` less cost of `inputs` `(edges,)`, `(firms,)`."""
        economy = self.economy
        cost = np.bincount(economy.edge_firm, inputs * prices[economy.edge_good], len(outputs))
        return outputs * prices[economy.output_good] - cost

    def _by_entry(self, firms: Array) -> Array:
        """Sums over the firms of each entry, `(firm entries,)`."""
        return np.bincount(self.economy.firm_entry, firms, len(self.economy.firms)).astype(float, copy=False)


_CARRIED = ("tick", "next_prices", "planned_inputs", "stock", "account")
"""What the next tick takes from the one before, beside the price rule's memory."""


def _lapsing(consumers: Consumers) -> Array:
    """How much of a positive balance lapses at most: the budget, nothing if it is saved, all that a quasi-linear one
    keeps.
    """
    if consumers.saves:
        return np.zeros(consumers.count)
    if not consumers.utility.needs_income:
        return np.full(consumers.count, np.inf)
    return consumers.budget
