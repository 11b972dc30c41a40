"""Cohorts: the agents of one scenario entry, who plan, trade and keep accounts together, row by row.

A cohort is one mesa agent, whatever its count. Its rows are worked on in blocks (see `economics.rows`); what the market
needs of it are sums over goods, what lives on between ticks are the rows' accounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import mesa
import numpy as np

from simulator.economics.agents import Consumers, Firm
from simulator.economics.aggregate import aggregate
from simulator.economics.allocation import Worth, worth
from simulator.economics.forms import Array
from simulator.economics.rows import over_blocks, room, sum_up
from simulator.economics.utility import Homothetic

if TYPE_CHECKING:
    from simulator.dynamics.trading import Served

Block = tuple[slice, Consumers]
NUDGE = 1e-4
"""Relative change of income by which marginal utility of money is found."""


class FirmCohort(mesa.Agent):
    """The firms of one entry: they plan at going prices as they are wont to, and make what their inputs allow."""

    def __init__(self, model: mesa.Model, firm: Firm, rows: slice, edges: slice) -> None:
        super().__init__(model)
        self.firm, self.rows, self.edges = firm, rows, edges

    def plan(self, prices: list[float], inputs: Array, outputs: Array, *, first: bool) -> None:
        """Write planned inputs and outputs into the market's, which hold the last plan, or a guess at the `first`."""
        firm = self.firm
        last, wages = inputs[self.edges].reshape(firm.rows, -1), [prices[good] for good in firm.inputs]
        plan = firm.behaviour.plan(firm.technology, firm.output_price(prices), wages, last, first=first)
        inputs[self.edges], outputs[self.rows] = plan.inputs.ravel(), plan.output

    def produce(self, inputs: Array, outputs: Array) -> None:
        """Write what the inputs really got allow into `outputs`."""
        outputs[self.rows] = self.firm.technology.output(inputs[self.edges].reshape(self.firm.rows, -1))


class Orders(NamedTuple):
    """Sums over a cohort: planned `consumption`, what is `wanted` beyond what it owns and `offered` of that, `(goods,)`
    each, and planned `spending`.
    """

    consumption: Array
    wanted: Array
    offered: Array
    spending: float


class Booked(NamedTuple):
    """Sums over a cohort's accounts after a tick: what is in them, what they gained, what of budgets lapsed."""

    money: float
    gained: float
    lapsed: float


class Looked(NamedTuple):
    """Sums over a cohort, for the record: `bought` and `sold` `(goods,)`, `utility`, and what is consumed is worth."""

    bought: Array
    sold: Array
    utility: float
    worth: Worth


class Deeds(NamedTuple):
    """What consumers did: `consumption`, what of it was `bought`, what was `sold` `(rows, goods)`, and money `paid`."""

    consumption: Array
    bought: Array
    sold: Array
    paid: Array


class Standing(NamedTuple):
    """How each member of a cohort stands after a tick, `(rows,)` each: planned `income`, `utility`, and its `gain` from
    trade in money: what its utility exceeds that of its endowment by, over its marginal utility of money.
    """

    income: Array
    utility: Array
    gain: Array


class ConsumerCohort(mesa.Agent):
    """The consumers of one entry: they plan the best bundle their income buys, and keep an account each.

    `account` `(rows,)` is what they carry from tick to tick. Where demand adds up exactly and nobody trades before
    markets clear, the cohort plans as one (`aggregates`): the cost of a tick then does not depend on its count.
    """

    def __init__(self, model: mesa.Model, consumers: Consumers, *, aggregates: bool) -> None:
        super().__init__(model)
        self.account = np.zeros(consumers.size)
        self._aggregates = aggregates
        self._quoted = np.zeros(0), np.zeros(0)
        self._individual = True
        self._chosen: Array | None = None
        self._bundles: dict[int, Array] = {}
        self.enter(consumers)

    def enter(self, consumers: Consumers) -> None:
        """Go on as these consumers, with the accounts as they are (after a shock)."""
        self.consumers, self.weight = consumers, consumers.weight
        self._income = np.zeros(consumers.size)
        self._aggregate = aggregate(consumers) if self._aggregates else None

    def plan(self, prices: Array, profits: Array) -> tuple[Array, float]:
        """Planned consumption `(goods,)` and spending at going prices, counting on the profits the firms plan."""
        self._quoted, self._chosen = (prices, profits), None
        if self._aggregate is not None:
            planned = self._aggregate.plan(prices, profits)
            if planned is not None:
                self._individual = False
                return planned
        self._individual = True
        sums = over_blocks(self.consumers.blocks, self._plan)
        return self.weight * sum_up([x for x, _ in sums]), self.weight * sum_up([m for _, m in sums])

    def order(self, prices: Array, profits: Array) -> Orders:
        """Net orders at going prices: what is wanted beyond what one owns, and offered of what one does not want."""
        self._quoted, self._chosen = (prices, profits), None
        sums = over_blocks(self.consumers.blocks, self._order)
        return Orders(*(self.weight * sum_up(list(part)) for part in zip(*sums, strict=True)))

    def choose(self, bundles: Array) -> None:
        """Of bundles that are as good as any, plan these `(rows, goods)` for the tick just over."""
        self._chosen = bundles

    def book(self, served: Served, cash_flow: Array) -> Booked:
        """Settle accounts: what was really sold less what was bought, plus shares of `cash_flow` `(firm entries,)`.

        A budget is a flow: what is left of it lapses to the outside, unless it is saved; an unlimited purse is filled
        or emptied by the outside.
        """
        sums = over_blocks(self.consumers.blocks, lambda block: self._book(block, served, cash_flow))
        return Booked(*(self.weight * sum_up(list(part)) for part in zip(*sums, strict=True)))

    def look(self, served: Served | None, fraction: Array | None, objective: bool) -> Looked:
        """What the cohort did in the tick just over, for the record, and what it adds to the `objective` if asked for.

        With trade, its orders were `served`; without, everybody's plan stands, and `fraction` `(goods,)` of it is what
        a share-out would allow: at those quantities bids are worked out.
        """
        income = self.income
        sums = over_blocks(self.consumers.blocks, lambda block: self._look(block, income, served, fraction, objective))
        bought, sold, utility, bid, added = (self.weight * sum_up(list(part)) for part in zip(*sums, strict=True))
        return Looked(bought, sold, utility, Worth(bid, added))

    def standing(self, served: Served | None) -> Standing:
        """How everybody stands after the tick just over; orders were `served`, or plans stand."""
        income = self.income
        parts = over_blocks(self.consumers.blocks, lambda block: self._standing(block, income, served))
        return Standing(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    @property
    def kept(self) -> Array:
        """What of their own its members plan to use themselves, `(goods,)`."""
        return self.consumers.total_endowment - self.look(None, None, objective=False).sold

    @property
    def rows(self) -> int:
        """How many of its members differ."""
        return len(self.account)

    @property
    def income(self) -> Array:
        """Income of the last plan, `(rows,)`."""
        if not self._individual:
            prices, profits = self._quoted
            for part, some in self.consumers.blocks:
                self._income[part] = some.income(prices, profits, self.account[part])
            self._individual = True
        return self._income

    def _plan(self, block: Block) -> tuple[Array, float]:
        part, some = block
        prices, profits = self._quoted
        self._income[part] = income = some.income(prices, profits, self.account[part])
        return some.utility.total_demand(prices, income), float(some.utility.spending(prices, income).sum())

    def _order(self, block: Block) -> Orders:
        part, some = block
        prices, profits = self._quoted
        self._income[part] = income = some.income(prices, profits, self.account[part])
        self._bundles.pop(part.start, None)
        bundle = self._bundles[part.start] = some.utility.demand(prices, income)
        wanted, offered = _wanted(bundle, some).sum(axis=0), _offered(bundle, some).sum(axis=0)
        return Orders(bundle.sum(axis=0), wanted, offered, float(some.utility.spending(prices, income).sum()))

    def _book(self, block: Block, served: Served, cash_flow: Array) -> Booked:
        part, some = block
        prices, _ = self._quoted
        bundle = self._bundles[part.start]
        earned = np.einsum("ag,g->a", _offered(bundle, some), prices * served.sales)
        paid = np.einsum("ag,g->a", _wanted(bundle, some), prices * served.purchases)
        before = self.account[part].copy()
        balance = before + (earned - paid) + (0.0 if some.unlimited else some.budget)
        if len(cash_flow):
            balance = balance + np.einsum("af,f->a", some.owns, cash_flow)
        lapsed = self._lapsing(some, balance)
        self.account[part] = account = balance - lapsed
        return Booked(float(account.sum()), float((account - before).sum()), float(np.sum(lapsed)))

    def _lapsing(self, some: Consumers, balance: Array) -> Array:
        """What leaves the accounts: all that a quasi-linear consumer has left, at most the budget of the others."""
        if some.unlimited:
            return balance
        if some.saves:
            return np.zeros(len(balance))
        if not some.utility.needs_income:
            return np.maximum(balance, 0.0)
        return np.clip(balance, 0.0, some.budget)

    def _look(
        self, block: Block, incomes: Array, served: Served | None, fraction: Array | None, objective: bool
    ) -> tuple[Array, ...]:
        part, some = block
        prices, _ = self._quoted
        income = incomes[part]
        done = self._deeds(block, income, served)
        utility, used, imputed = some.utility, done.consumption, None
        if fraction is None and isinstance(utility, Homothetic):
            enjoyed, imputed = utility.appraise(used, prices)
        else:
            enjoyed = utility.utility(used, done.paid)
        used = used if fraction is None else used * fraction
        valued = worth(some, prices, income, used, objective=objective, imputed=imputed)
        return done.bought.sum(axis=0), done.sold.sum(axis=0), enjoyed.sum(), *valued

    def _standing(self, block: Block, incomes: Array, served: Served | None) -> tuple[Array, Array, Array]:
        part, some = block
        prices, _ = self._quoted
        utility, income = some.utility, incomes[part]
        done = self._deeds(block, income, served)
        enjoyed = utility.utility(done.consumption, done.paid)
        alone = utility.utility(np.broadcast_to(some.endowment, done.consumption.shape), np.zeros(some.size))
        if not utility.needs_income:
            return income, enjoyed, enjoyed + np.einsum("ag,g->a", done.sold, prices) - alone
        more, less = income * (1.0 + NUDGE), income * (1.0 - NUDGE)
        risen = utility.utility(utility.demand(prices, more), more) - utility.utility(
            utility.demand(prices, less), less
        )
        return income, enjoyed, (enjoyed - alone) / (risen / (more - less))

    def _deeds(self, block: Block, income: Array, served: Served | None) -> Deeds:
        part, some = block
        prices, _ = self._quoted
        if self._chosen is not None:
            bundle = self._chosen[part]
        elif served is not None:
            bundle = self._bundles[part.start]
        else:
            bundle = some.utility.demand(prices, income)
        if served is None:
            wanted, offered = _wanted(bundle, some).copy(), _offered(bundle, some)
            return Deeds(bundle, wanted, offered, some.utility.spending(prices, income))
        wanted = _wanted(bundle, some)
        bought = wanted * served.purchases
        consumption = bundle - wanted + bought
        sold = _offered(bundle, some) * served.sales
        return Deeds(consumption, bought, sold, np.einsum("ag,g->a", bought, prices))


def _wanted(bundle: Array, some: Consumers) -> Array:
    """What is wanted of each good beyond what one owns, `(rows, goods)`, on a table that the next call writes over."""
    excess = np.subtract(bundle, some.endowment, out=room(*bundle.shape))
    return np.maximum(excess, 0.0, out=excess)


def _offered(bundle: Array, some: Consumers) -> Array:
    """What is offered of each good that one owns and does not want, `(rows, goods)`, on that same table."""
    lack = np.subtract(some.endowment, bundle, out=room(*bundle.shape))
    return np.maximum(lack, 0.0, out=lack)
