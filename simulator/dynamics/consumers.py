"""What the consumers of an entry plan, order, get and keep in a tick, all members together.

Members are worked on in blocks (see `economics.rows`); what a market needs of them are sums over goods, what lives on
between ticks is an account `(rows,)`. Nothing here remembers anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.economics.agents import Consumers
from simulator.economics.allocation import Worth, worth
from simulator.economics.forms import Array
from simulator.economics.rows import over_blocks, scratch, sum_up, zeros
from simulator.economics.utility import Homothetic
from simulator.economics.welfare import Standing, earned, standing
from simulator.formulas.searches import traced_or_called

if TYPE_CHECKING:
    from simulator.dynamics.trading import Fills

NUDGE = 1e-4
"""Relative change of income by which marginal utility of money is found."""


class Orders(NamedTuple):
    """Sums over a cohort: planned `consumption`, what is `wanted` beyond what it owns and `offered` of that, `(goods,)`
    each, and planned `spending`; the `bundles` planned, `(rows, goods)` for each block, if they are kept.
    """

    consumption: Array
    wanted: Array
    offered: Array
    spending: float
    bundles: list[Array] | None


class AccountTotals(NamedTuple):
    """The accounts after a tick `(rows,)`; over all of them what is in them, what they gained, what of budgets
    lapsed.
    """

    account: Array
    money: float
    gained: float
    lapsed: float


class CohortTotals(NamedTuple):
    """Sums over a cohort, for the record: `bought` and `sold` `(goods,)`, `utility`, and what is consumed is worth; and
    the largest `plan_residual` of its members, not a number where the judges have a road of their own.
    """

    bought: Array
    sold: Array
    utility: float
    worth: Worth
    plan_residual: float


class MemberTrades(NamedTuple):
    """What members did: `consumption`, what of it was `bought`, what was `sold` `(rows, goods)`, and money `paid`."""

    consumption: Array
    bought: Array
    sold: Array
    paid: Array


class MemberStatistics(NamedTuple):
    """How each member of a cohort stands after a tick, `(rows,)` each: planned `income`, `utility`, and its `gain` from
    trade in money: what its utility exceeds that of its endowment by, over its marginal utility of money.
    """

    income: Array
    utility: Array
    gain: Array


def plan(
    consumers: Consumers, prices: Array, faced: Array, profits: Array, dues: Array, account: Array
) -> tuple[Array, float]:
    """Planned consumption `(goods,)` and spending at market prices and those `faced`, `(goods,)` each, counting on
    planned `profits` `(firm entries,)`, `dues` (see `Fiscal.terms`) and what is in the `account` `(rows,)`.
    """

    def of(block: tuple[slice, Consumers]) -> tuple[Array, Array]:
        part, some = block
        income = some.income(prices, profits, account[part], dues)
        return _asked(some, "total_demand", faced, income), _asked(some, "spending", faced, income).sum()

    sums = over_blocks(consumers.blocks, of)
    return consumers.weight * sum_up([x for x, _ in sums]), consumers.weight * sum_up([m for _, m in sums])


def order(consumers: Consumers, prices: Array, faced: Array, profits: Array, dues: Array, account: Array) -> Orders:
    """Net orders of a `plan`: what is wanted beyond what one owns, and offered of what one does not want."""

    def of(block: tuple[slice, Consumers]) -> tuple[Array, Array, Array, float, Array]:
        part, some = block
        income = some.income(prices, profits, account[part], dues)
        bundle = _asked(some, "demand", faced, income)
        wanted, offered = _wanted(bundle, some).sum(axis=0), _offered(bundle, some).sum(axis=0)
        spending = _asked(some, "spending", faced, income).sum()
        return bundle.sum(axis=0), wanted, offered, spending, bundle

    *sums, bundles = (list(part) for part in zip(*over_blocks(consumers.blocks, of), strict=True))
    consumption, wanted, offered, spending = (consumers.weight * sum_up(part) for part in sums)
    return Orders(consumption, wanted, offered, spending, bundles)


def mean_utility(
    consumers: Consumers, prices: Array, faced: Array, profits: Array, dues: Array, account: Array
) -> Array:
    """What the members of a cohort enjoy of a `plan`, in the mean."""

    def of(block: tuple[slice, Consumers]) -> Array:
        part, some = block
        income = some.income(prices, profits, account[part], dues)
        bundle, spent = (_asked(some, question, faced, income) for question in ("demand", "spending"))
        return _asked(some, "utility", bundle, spent).sum()

    return sum_up(over_blocks(consumers.blocks, of)) / consumers.size


def _asked(some: Consumers, question: str, *given: Array) -> Array:
    """What a taste answers, as at the prices faced `(goods,)` and an income `(rows,)`: one operation if it cannot be
    traced.
    """
    utility = some.utility
    return traced_or_called(getattr(utility, question), f"a plan of {type(utility).__name__}")(*given)


def book(
    consumers: Consumers,
    prices: Array,
    faced: Array,
    bundles: Sequence[Array],
    fills: Fills,
    cash_flow: Array,
    dues: Array,
    account: Array,
) -> AccountTotals:
    """Settle accounts: what was really sold at market prices less what was bought at the prices `faced`, `(goods,)`
    each, plus shares of `cash_flow` `(firm entries,)` and `dues` of what was really received. What one keeps of one's
    own is taxed like what one buys.

    A budget is a flow: what is left of it lapses to the outside, unless it is saved; an unlimited purse is filled
    or emptied by the outside.
    """

    def of(numbered: tuple[int, tuple[slice, Consumers]]) -> tuple[Array, Array, Array, Array]:
        number, (part, some) = numbered
        bundle, before = bundles[number], account[part]
        earned = np.einsum("ag,g->a", _offered(bundle, some), prices * fills.sales)
        wanted = _wanted(bundle, some)
        spent = np.einsum("ag,g->a", wanted, faced * fills.purchases)
        if len(dues):
            spent = spent + np.einsum("ag,g->a", bundle - wanted, faced - prices)
        balance = before + (earned - spent) + (0.0 if some.unlimited else some.budget)
        if len(cash_flow):
            balance = balance + np.einsum("af,f->a", some.owns, cash_flow)
        if len(dues):
            unsold = np.einsum("ag,g->a", _offered(bundle, some), prices * (1.0 - fills.sales))
            balance = balance + some.dues(dues, some.own_income(prices, cash_flow) - unsold)
        lapsed = _lapsing(some, balance)
        left = balance - lapsed
        return left, left.sum(), (left - before).sum(), lapsed.sum()

    after, *sums = zip(*over_blocks(list(enumerate(consumers.blocks)), of), strict=True)
    money, gained, lapsed = (consumers.weight * sum_up(part) for part in sums)
    return AccountTotals(after[0] if len(after) == 1 else np.concatenate(after), money, gained, lapsed)


def _lapsing(some: Consumers, balance: Array) -> Array:
    """What leaves the accounts: all that a quasi-linear consumer has left, at most the budget of the others."""
    if some.unlimited:
        return balance
    if some.saves:
        return np.zeros(len(balance))
    if not some.utility.needs_income:
        return np.maximum(balance, 0.0)
    return np.clip(balance, 0.0, np.maximum(some.budget, 0.0))


@dataclass(frozen=True, eq=False)
class CohortTick:
    """A cohort in a tick that is over: the market's prices and those `faced`, `(goods,)` each, the profits
    `(firm entries,)` it planned with, its `account` `(rows,)` then and its `dues` (see `Fiscal.terms`), how its orders
    were filled (None where nobody trades and plans stand), and what each block planned, if that is known; else it is
    worked out again.
    """

    consumers: Consumers
    prices: Array
    faced: Array
    profits: Array
    account: Array
    dues: Array
    fills: Fills | None = None
    bundles: Sequence[Array] | None = None

    @cached_property
    def income(self) -> Array:
        """Income planned with, `(rows,)`."""
        blocks = self.consumers.blocks
        given = self.prices, self.profits
        return np.concatenate([some.income(*given, self.account[part], self.dues) for part, some in blocks])

    @property
    def kept(self) -> Array:
        """What of their own its members plan to use themselves, `(goods,)`."""
        owned = self.consumers.total_endowment + self.consumers.owed
        return owned - self.totals(None, objective=False).sold

    def totals(self, fraction: Array | None, *, objective: bool) -> CohortTotals:
        """What the cohort did, for the record, and, if asked for, what it adds to the `objective` and how far its plans
        are from first-order conditions and the budget, for which the judges have no road of their own.

        Where plans stand, `fraction` `(goods,)` of them is what a share-out would allow: at those quantities bids are
        worked out.
        """

        def of(numbered: tuple[int, tuple[slice, Consumers]]) -> tuple[Any, ...]:
            number, (part, some) = numbered
            income, utility, imputed = self.income[part], some.utility, None
            bundle = self._planned(number, some, income)
            residual = utility.plan_residual(self.faced, income, bundle) if objective else np.nan
            done = self._trades(bundle, some, income)
            used = done.consumption
            if fraction is None and isinstance(utility, Homothetic):
                enjoyed, imputed = utility.appraise(used, self.faced)
            else:
                enjoyed = utility.utility(used, done.paid)
            used = used if fraction is None else used * fraction
            valued = worth(some, self.faced, income, used, objective=objective, imputed=imputed)
            return done.bought.sum(axis=0), done.sold.sum(axis=0), enjoyed.sum(), *valued, residual

        *sums, residuals = zip(*over_blocks(list(enumerate(self.consumers.blocks)), of), strict=True)
        bought, sold, utility, bid, added = (self.consumers.weight * sum_up(list(part)) for part in sums)
        if self.faced is not self.prices:
            # The rest of what is bid does not come to the seller.
            bid = bid * np.divide(self.prices, self.faced, out=np.ones(len(bid)), where=self.faced > 0)
        return CohortTotals(bought, sold, utility, Worth(bid, added), np.stack(residuals).max())

    def statistics(self) -> MemberStatistics:
        """How everybody stands."""

        def of(numbered: tuple[int, tuple[slice, Consumers]]) -> tuple[Array, Array, Array]:
            number, (part, some) = numbered
            utility, income = some.utility, self.income[part]
            done = self._trades(self._planned(number, some, income), some, income)
            enjoyed = utility.utility(done.consumption, done.paid)
            alone = utility.utility(np.broadcast_to(some.endowment, done.consumption.shape), np.zeros(some.size))
            if not utility.needs_income:
                return income, enjoyed, enjoyed + np.einsum("ag,g->a", done.sold, self.prices) - alone
            more, less = income * (1.0 + NUDGE), income * (1.0 - NUDGE)
            rich, poor = (utility.utility(utility.demand(self.faced, money), money) for money in (more, less))
            return income, enjoyed, (enjoyed - alone) / ((rich - poor) / (more - less))

        parts = over_blocks(list(enumerate(self.consumers.blocks)), of)
        return MemberStatistics(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def standing(self) -> Standing:
        """How well off everybody is."""

        def consumed(number: int, part: slice, some: Consumers) -> Array:
            income = self.income[part]
            return self._trades(self._planned(number, some, income), some, income).consumption

        income = earned(self.consumers, self.prices, self.profits, self.account, self.dues, self.income)
        return standing(self.consumers, self.faced, income, consumed)

    def _planned(self, number: int, some: Consumers, income: Array) -> Array:
        """What the members of a block planned, `(rows, goods)`."""
        return some.utility.demand(self.faced, income) if self.bundles is None else self.bundles[number]

    def _trades(self, bundle: Array, some: Consumers, income: Array) -> MemberTrades:
        """What the members of a block did."""
        if self.fills is None:
            wanted, offered = _wanted(bundle, some).copy(), _offered(bundle, some)
            return MemberTrades(bundle, wanted, offered, some.utility.spending(self.faced, income))
        wanted = _wanted(bundle, some)
        bought = wanted * self.fills.purchases
        consumption = bundle - wanted + bought
        sold = _offered(bundle, some) * self.fills.sales
        return MemberTrades(consumption, bought, sold, np.einsum("ag,g->a", bought, self.faced))


def _wanted(bundle: Array, some: Consumers) -> Array:
    """What is wanted of each good beyond what one owns, `(rows, goods)`, on a table that the next call writes over."""
    excess = np.subtract(bundle, some.endowment, out=scratch(*bundle.shape))
    return np.maximum(excess, zeros(*bundle.shape), out=excess)


def _offered(bundle: Array, some: Consumers) -> Array:
    """What is offered of each good that one owns and does not want, `(rows, goods)`, on that same table."""
    lack = np.subtract(some.endowment, bundle, out=scratch(*bundle.shape))
    return np.maximum(lack, zeros(*bundle.shape), out=lack)
