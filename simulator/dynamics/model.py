"""The market: firms and consumers who plan at the going prices, trade, produce, and move the prices by doing so.

`MarketModel.advance` is one tick; it reads like its table of contents. Cohorts are mesa agents, one for each entry of
the scenario, whatever its count; what firms plan and do lies in arrays, stacked as `economics.economy` describes, what
consumers do in sums over each cohort.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.dynamics.chain import Chain
from simulator.dynamics.cohorts import ConsumerCohort, FirmCohort, Looked, Standing
from simulator.dynamics.market import Market
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.snapshot import Plans, Snapshot, Trades
from simulator.dynamics.trading import Served, Trade, ration
from simulator.economics.clearing import bottom, relative_excess_demand
from simulator.economics.economy import Balance, Economy
from simulator.economics.forms import Array


class MarketModel(Market):
    """An economy under a price rule, trading in every tick or waiting for the auctioneer.

    `now` is the tick just over (a `Snapshot`); its fields are also attributes of the model, as arrays. `next_prices`
    are those of the tick to come.
    """

    def __init__(
        self,
        economy: Economy,
        rule: PriceRule,
        trade: Trade,
        initial_prices: Array,
        seed: int | None = None,
        *,
        aggregates: bool = True,
    ) -> None:
        super().__init__(rng=seed)
        self.economy, self.rule, self.trade = economy, rule, trade
        self.firm_cohorts = [
            FirmCohort(self, firm, rows, edges)
            for firm, rows, edges in zip(economy.firms, economy.firm_rows, economy.edge_rows, strict=True)
        ]
        alone = aggregates and not trade.every_tick
        self.consumer_cohorts = [ConsumerCohort(self, cohort, aggregates=alone) for cohort in economy.consumers]
        self._free = ~rule.fixed
        self._lay_out()
        prices = np.array(initial_prices, dtype=float)
        self._bottom = bottom(rule.floor, prices)
        self._memory = rule.start(prices=prices)
        goods, firms = np.zeros(len(economy.goods)), np.zeros(len(economy.firm_entry))
        table = np.zeros((len(economy.consumers), len(goods)))
        plans = Plans(economy.first_guess(), firms, np.zeros(len(table)), table, goods)
        nothing = self._no_trade(prices, plans, stock=np.zeros(len(economy.outlet_good)))
        self._wanted, self._offered, self._served = table, table, None
        self.now = Snapshot(-1, True, math.inf, prices, prices, goods, goods, *plans, *nothing)

    def _lay_out(self) -> None:
        """What the economy's layout says, looked up once."""
        economy = self.economy
        self._chain = Chain(economy, self.rule, self.trade) if Chain.serves(economy, self.rule) else None
        self._made_for_outside = economy.is_outside[economy.outlet_good].astype(float)
        self._outside = np.flatnonzero(economy.is_outside)
        edges, outlets = economy.passes
        own = economy.edge_good[edges] == economy.outlet_good[outlets]
        self._own_edges, self._own_outlets = edges[own], outlets[own]
        budgets = (cohort.total(cohort.budget) for cohort in economy.consumers if not cohort.unlimited)
        self._budgets = float(sum(budgets, np.zeros(())))

    def enter(self, economy: Economy) -> None:
        """Go on in an economy of the same goods and agents: its supplies, endowments, techniques or tastes differ."""
        self.economy = economy
        for firms, firm in zip(self.firm_cohorts, economy.firms, strict=True):
            firms.firm = firm
        for cohort, consumers in zip(self.consumer_cohorts, economy.consumers, strict=True):
            cohort.enter(consumers)
        self._lay_out()

    def __getattr__(self, name: str) -> Any:
        """A field of the tick just over, as an array."""
        if name in Snapshot._fields:
            return np.asarray(getattr(self.now, name))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def advance(self) -> None:
        """One tick: quote prices, plan, add up, trade and produce, and find the next prices."""
        before = self.now
        self.steps = before.tick + 2
        if self._chain is not None:
            self.now = self._chain.step(before)
            return
        with np.errstate(all="ignore"):
            prices = np.asarray(before.next_prices)
            # Before the tick's own plan, which overwrites whatever cohorts note when they are asked.
            heard = self._heard(prices)
            plans = self.plan(prices)
            demand, supply = self.economy.totals(plans.consumers_planned, plans.planned_inputs, plans.planned_outputs)
            excess_demand, scale = demand - supply, np.maximum(demand, supply)
            finite = math.isfinite(prices @ scale)
            if self.trade.every_tick and finite:
                trades = self.settle(prices, plans)
            else:
                trades = self._no_trade(prices, plans, stock=before.stock)
            jacobian = self._jacobian(prices, demand, supply, plans) if self.rule.needs_jacobian else None
            signal, size = heard or (excess_demand, scale)
            next_prices, self._memory = self.rule.next_prices(prices, signal, size, self._memory, jacobian)
            residual = relative_excess_demand(excess_demand, scale, prices, self._free, self._bottom)
            self.now = Snapshot(before.tick + 1, finite, residual, prices, next_prices, demand, supply, *plans, *trades)

    def plan(self, prices: Array) -> Plans:
        """Every cohort plans at the going prices; consumers count on the profits the firms plan."""
        before = self.now
        quoted = prices.tolist()
        inputs, outputs = before.planned_inputs.copy(), before.planned_outputs.copy()
        for firms in self.firm_cohorts:
            firms.plan(quoted, inputs, outputs, first=before.tick < 0)
        if not self.consumer_cohorts:
            return Plans(inputs, outputs, before.spending, before.planned_consumption, before.consumers_planned)
        profits = self._by_entry(self._value(prices, self.economy.at_outlets(outputs), inputs))
        spending, consumption = np.empty(len(self.consumer_cohorts)), np.empty(before.planned_consumption.shape)
        self._wanted, self._offered = np.zeros(consumption.shape), np.zeros(consumption.shape)
        for number, cohort in enumerate(self.consumer_cohorts):
            if self.trade.every_tick:
                order = cohort.order(prices, profits)
                consumption[number], self._wanted[number], self._offered[number], spending[number] = order
            else:
                consumption[number], spending[number] = cohort.plan(prices, profits)
        return Plans(inputs, outputs, spending, consumption, consumption.sum(axis=0))

    def settle(self, prices: Array, plans: Plans) -> Trades:
        """Trade at the going prices: orders are net of own use, the long side is rationed, goods and money move."""
        economy, before, goods = self.economy, self.now, len(prices)
        starts = before.tick < 0 and self.trade.start == "stocked"
        first = economy.at_outlets(plans.planned_outputs) * (1.0 - self._made_for_outside) if starts else before.stock
        kept, stock = self._own_use(plans.planned_inputs, first)
        orders = plans.planned_inputs - kept
        wanted, offered = self._wanted, self._offered
        purchases = np.bincount(economy.edge_good, orders, goods) + wanted.sum(axis=0)
        sales = economy.supply + np.bincount(economy.outlet_good, stock, goods) + offered.sum(axis=0)
        self._served = served = ration(purchases, sales, self._outside)

        bought = orders * served.purchases[economy.edge_good]
        inputs, outputs = bought + kept, np.zeros(len(economy.firm_entry))
        for firms in self.firm_cohorts:
            firms.produce(inputs, outputs)
        made = economy.at_outlets(outputs)
        exported = made * self._made_for_outside
        sold = stock * served.sales[economy.outlet_good]
        left = (stock - sold) * (1.0 - self.trade.spoilage) + (made - exported)
        delivered = sold + exported
        cash_flow = self._value(prices, delivered, bought)

        received, given = wanted * served.purchases, offered * served.sales
        money, gained, from_outside = self._book(served, cash_flow)
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
            money=money,
            consumption=plans.planned_consumption - wanted + received,
            accounts_change=gained,
            from_outside=from_outside,
        )

    def execute(self) -> None:
        """Carry out the plans once the auctioneer has found the prices: what nobody keeps for itself changes hands."""
        now = self.now
        with np.errstate(all="ignore"):
            kept = sum((cohort.kept for cohort in self.consumer_cohorts), np.zeros(len(now.demand)))
        self.now = now._replace(traded=np.maximum(np.minimum(now.demand, now.supply) - kept, 0.0))

    def choose(self, bundles: Mapping[int, Array], residual: float) -> None:
        """Of plans that are as good as any for some cohorts, take these `(rows, goods)`, by the cohort's number; they
        leave a `residual`.
        """
        now, planned = self.now, np.array(self.now.planned_consumption)
        for number, chosen in bundles.items():
            cohort = self.consumer_cohorts[number]
            cohort.choose(chosen)
            planned[number] = cohort.weight * chosen.sum(axis=0)
        everything = planned.sum(axis=0)
        demand = now.demand + (everything - now.consumers_planned)
        plans = {"planned_consumption": planned, "consumers_planned": everything, "demand": demand}
        self.now = now._replace(**plans, consumption=planned, residual=residual)

    @property
    def residual(self) -> float:
        """The largest relative excess demand."""
        return self.now.residual

    def look(self, fraction: Array | None = None, *, objective: bool = True) -> list[Looked]:
        """What each cohort of consumers did in the tick just over, for the record; what it adds to the objective, if
        asked for.

        Where trade waits, `fraction` `(goods,)` is what a share-out would allow of everybody's plan.
        """
        with np.errstate(all="ignore"):
            served = self._served if fraction is None else None
            return [cohort.look(served, fraction, objective) for cohort in self.consumer_cohorts]

    def standing(self, cohort: ConsumerCohort) -> Standing:
        """How the members of a cohort stand after the tick just over."""
        with np.errstate(all="ignore"):
            return cohort.standing(self._served if self.trade.every_tick else None)

    @property
    def account(self) -> Array:
        """What is in the consumers' accounts, cohort after cohort, `(rows,)`."""
        return np.concatenate([cohort.account for cohort in self.consumer_cohorts] or [np.zeros(0)])

    def state(self) -> dict[str, Array]:
        """All that the next tick depends on, as arrays; `restore` takes it up again, to the last bit."""
        now = self.now
        carried = {name: np.asarray(getattr(now, name)) for name in _CARRIED}
        return {**carried, "account": self.account, **{f"memory{i}": memo for i, memo in enumerate(self._memory)}}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.now = self.now._replace(**{name: state[name] for name in _CARRIED} | {"tick": int(state["tick"])})
        self._memory = tuple(state[f"memory{i}"] for i in range(len(self._memory)))
        accounts = np.split(state["account"], np.cumsum([len(cohort.account) for cohort in self.consumer_cohorts])[:-1])
        for cohort, account in zip(self.consumer_cohorts, accounts, strict=False):
            cohort.account = account.copy()

    def _no_trade(self, prices: Array, plans: Plans, *, stock: Array) -> Trades:
        """What is recorded where nobody trades: plans stand in the place of deeds, stocks and accounts stay as they
        were.
        """
        goods, outlets = np.zeros(len(prices)), np.zeros(len(stock))
        nothing = np.zeros(plans.planned_consumption.shape)
        return Trades(
            traded=goods,
            supply_sold=goods,
            inputs=plans.planned_inputs,
            bought=np.zeros(len(plans.planned_inputs)),
            outputs=plans.planned_outputs,
            stock=stock,
            delivered=outlets,
            cash_flow=self._value(prices, self.economy.at_outlets(plans.planned_outputs), plans.planned_inputs),
            consumers_bought=nothing,
            consumers_sold=nothing,
            money=np.zeros(len(nothing)),
            consumption=plans.planned_consumption,
            accounts_change=0.0,
            from_outside=0.0,
        )

    def _heard(self, prices: Array) -> tuple[Array, Array] | None:
        """Excess demand and `s` of each market `(goods,)` at the prices that it has heard of; None where all of them go
        by the `prices` quoted. Everybody plans as they stand, with what is in their accounts.
        """
        rows = self.rule.heard(prices, self._memory)
        if rows is None:
            return None
        demand, supply = np.zeros(len(prices)), np.zeros(len(prices))
        for good in np.flatnonzero(self._free).tolist():
            plans = self.plan(rows[good])
            totals = self.economy.totals(plans.consumers_planned, plans.planned_inputs, plans.planned_outputs)
            demand[good], supply[good] = totals[0][good], totals[1][good]
        return demand - supply, np.maximum(demand, supply)

    def _jacobian(self, prices: Array, demand: Array, supply: Array, plans: Plans) -> Array:
        """`dz/dp` of planned excess demand, `(goods, goods)`, at the incomes really planned with."""
        made = self.economy.at_outlets(plans.planned_outputs)
        profits = self._by_entry(self._value(prices, made, plans.planned_inputs))
        incomes = tuple(cohort.income for cohort in self.consumer_cohorts)
        quantities = (plans.planned_consumption, incomes, plans.planned_inputs, plans.planned_outputs, profits)
        return self.economy.jacobian(Balance(prices, demand, supply, *quantities))

    def _own_use(self, planned_inputs: Array, stock: Array) -> tuple[Array, Array]:
        """What each firm keeps of its own stock for its own inputs, `(edges,)`, and the stock that is left."""
        kept, left = np.zeros(len(planned_inputs)), stock.copy()
        own, outlets = self._own_edges, self._own_outlets
        kept[own] = np.minimum(planned_inputs[own], stock[outlets])
        left[outlets] -= kept[own]
        return kept, left

    def _book(self, served: Served, cash_flow: Array) -> tuple[Array, float, float]:
        """Accounts after a tick by cohort `(cohorts,)`, their total gain, and what came from the outside for it.

        Cash flow is paid out in full by shares.
        """
        earned = self._by_entry(cash_flow)
        booked = [cohort.book(served, earned) for cohort in self.consumer_cohorts]
        money = np.array([accounts.money for accounts in booked])
        gained, lapsed = sum(accounts.gained for accounts in booked), sum(accounts.lapsed for accounts in booked)
        return money, gained, self._budgets - lapsed

    def _value(self, prices: Array, sold: Array, inputs: Array) -> Array:
        """Value of what is `sold` `(outlets,)` less cost of `inputs` `(edges,)`, `(firms,)`."""
        economy = self.economy
        cost = np.bincount(economy.edge_firm, inputs * prices[economy.edge_good], len(economy.firm_entry))
        return economy.over_firms(sold * prices[economy.outlet_good]) - cost

    def _by_entry(self, firms: Array) -> Array:
        """Sums over the firms of each entry, `(firm entries,)`."""
        return np.bincount(self.economy.firm_entry, firms, len(self.economy.firms)).astype(float, copy=False)


_CARRIED = ("tick", "next_prices", "planned_inputs", "stock")
"""What the next tick takes from the one before, beside the price rule's memory and the consumers' accounts."""
