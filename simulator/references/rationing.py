"""Fix-price equilibria: where an economy comes to rest at prices that are held, with its long sides rationed.

At a price that is fixed, or kept by its floor or cap, markets need not clear: no competitive equilibrium. What remains
of one: free prices balance plans, activities earn nothing, the long side of every market is served in proportion, and
everybody who earns spends in the end what it receives. What somebody could not spend, or did not earn though it had
counted on it, stands in its account `a`: it plans with `p.e + profits + budget + a`, and `a` is such that money in
equals money out. Of a budget that lapses something may be left.

Plans count on being carried out, and accounts alone tell who was rationed: these are the rest points of a market that
trades in every tick. (Those who know their rations plan otherwise: Drèze 1975, Bénassy 1982.)

Unknowns are logarithms of free prices, levels and accounts; conditions have the natural form `x = clip(x + slack, low,
high)`. Roots are found by Gauss-Newton steps, and small steps along each condition where these fail. Nothing here asks
the market.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics import allocation
from simulator.economics.economy import Economy
from simulator.economics.firm_layout import sum_by
from simulator.economics.forms import Array
from simulator.economics.price_bounds import PriceBounds, held
from simulator.economics.ties import set_valued
from simulator.references.deadweight_loss import deadweight_loss
from simulator.references.served import Plans, Served, Serving, Sides, dues, part_of, planned, revenues

TOLERANCE, ROUNDING = 1e-10, 1e-15
"""Largest relative residual of a condition, and what no step makes smaller."""
OFF = 1e-6
"""A market off by more than this part of its larger side is rationed."""
MOST_UNKNOWNS = 400
"""With more unknowns slopes by differences take too long."""
MOST_STEPS, HALVINGS, LONGEST = 100, 20, 2.0
DIFFERENCE = 1e-7
ROUNDS, SMALL_STEPS, RELAXATION = 4, 300, 0.1
"""So often so many small steps, of this part of the way, are gone before Newton's are tried again."""


@dataclass(frozen=True)
class FixPriceEquilibrium:
    """What everybody `planned`, what was `served` of it, and which markets are `held` off `(goods,)`, not clearing at
    their prices.

    `consumption` is `(cohorts, goods)`. `rationed` tells for AGENT.GOOD what was planned less what was served, of
    purchases or, where the good is left over, of sales. `shadow_prices` `(goods,)` are what a unit is worth to its
    users at the quantities that they got, not a number where nobody uses any. The `deadweight_loss` in money is added
    up over held markets (see there; with taxes or transfers not a number). `residual` is the largest of all conditions;
    `accounts` hold what members carry, `(rows,)` for each cohort; `revenues` of taxes are `(taxes,)`.
    """

    planned: Plans
    served: Served
    held: NDArray[np.bool_]
    consumption: Array
    rationed: dict[str, float]
    shadow_prices: Array
    deadweight_loss: float
    residual: float
    accounts: list[Array]
    revenues: Array

    @property
    def prices(self) -> Array:
        """Prices, `(goods,)`."""
        return self.planned.prices


@np.errstate(all="ignore")
def fix_price_equilibria(economy: Economy, rule: PriceRule, starts: Sequence[Array]) -> list[FixPriceEquilibrium]:
    """The fix-price equilibria reached from `starts` `(goods,)`, of which the first has the prices that are fixed, at
    which some market is held off; none where no held price keeps a market from clearing, or nothing comes to rest
    (somebody earns what it can spend on nothing). Not looked for where tastes are linear, many earn, or a rate adjusts.
    """
    problem, found = _Problem(economy, rule, starts[0]), list[FixPriceEquilibrium]()
    adjusts = economy.fiscal is not None and bool(economy.fiscal.instruments)
    few = problem.size <= MOST_UNKNOWNS and not set_valued(economy) and not adjusts
    for start in starts if few else ():
        root = problem.root(start)
        if root is None or not problem.held(plans := problem.plans(root)).any():
            continue
        if not any(np.allclose(plans.prices, each.prices, rtol=OFF, atol=0.0) for each in found):
            found.append(problem.described(root, plans))
    return found


class _Problem:
    """Unknowns and conditions of an economy under a rule, its fixed prices among `prices` `(goods,)`."""

    def __init__(self, economy: Economy, rule: PriceRule, prices: Array) -> None:
        self.economy, self.prices = economy, prices
        self.free = np.flatnonzero(rule.free & ~economy.is_outside)
        self.fixed = ~rule.free & ~economy.is_outside
        # A price that is nothing but the unit of all others controls no market.
        self.controlled = ~(self.fixed & rule.unknowns(economy).relative_only)
        nothing = np.full(len(prices), np.inf)
        self.bounds = PriceBounds(-nothing, nothing) if economy.bounds is None else economy.bounds
        self.lowest = np.maximum(rule.lowest(economy.bounds), 1e-300)[self.free]
        self.highest = self.bounds.cap[self.free]
        self.low, self.high = np.log(self.lowest), np.log(self.highest)
        self.carries = [
            not cohort.unlimited and (cohort.saves or bool(cohort.earns.any())) for cohort in economy.consumers
        ]
        rows = [cohort.size for cohort, carries in zip(economy.consumers, self.carries, strict=True) if carries]
        self.ends = np.cumsum([len(self.free), len(economy.level_firm), *rows])
        self.size, self.levels = int(self.ends[-1]), slice(len(self.free), int(self.ends[1]))
        self.money = np.ones(self.size - self.levels.stop)
        self.serve = Serving(economy)

    def root(self, start: Array) -> Array | None:
        """The rest that is reached from prices, `(unknowns,)`; None if none is."""
        x = np.concatenate([np.log(np.maximum(start, 1e-300))[self.free], np.ones(self.size - len(self.free))])
        x[self.levels.stop :] = 0.0
        x = self._within(x)
        begun = self.plans(x)
        incomes = [each.income for each, carries in zip(begun.members, self.carries, strict=True) if carries]
        least = 1e-3 * float(begun.prices @ begun.scale)
        self.money = np.maximum(np.concatenate([np.zeros(0), *incomes]), least)
        for _ in range(ROUNDS):
            x, residual = self._newton(x)
            if residual <= TOLERANCE:
                return x
            x = self._relaxed(x)
        return None

    def _newton(self, x: Array) -> tuple[Array, float]:
        """Where Gauss-Newton steps lead from a vector, and the largest residual there; back to it if nowhere."""
        first, value = x, self.residual(x)
        for _ in range(MOST_STEPS):
            if np.abs(value).max(initial=0.0) <= ROUNDING:
                break
            slopes = self._slopes(x)
            better = self._better(x, value, slopes) if np.isfinite(slopes).all() else None
            if better is None:
                break
            x, value = better
        residual = float(np.abs(value).max(initial=0.0))
        return (x if residual <= TOLERANCE else first), residual

    def _better(self, x: Array, value: Array, slopes: Array) -> tuple[Array, Array] | None:
        """A vector with a smaller sum of squares of conditions, and these; None if there is none along the step."""
        step = np.linalg.lstsq(slopes, -value, rcond=1e-12)[0]
        step[: len(self.free)] = np.clip(step[: len(self.free)], -LONGEST, LONGEST)
        merit = float(value @ value)
        for halving in range(HALVINGS):
            tried = self._within(x + step * 0.5**halving)
            there = self.residual(tried)
            if float(there @ there) < merit * (1.0 - 1e-4 * 0.5**halving):
                return tried, there
        return None

    def _slopes(self, x: Array) -> Array:
        """How conditions move with unknowns, away from a bound, by differences on one piece."""
        sides = self.serve(self.plans(x)).sides
        value, columns = self.residual(x, sides), list[Array]()
        for place in range(self.size):
            by = -DIFFERENCE if place < len(self.free) and x[place] + DIFFERENCE > self.high[place] else DIFFERENCE
            moved = x.copy()
            moved[place] += by
            columns.append((self.residual(moved, sides) - value) / by)
        return np.reshape(columns, (self.size, len(value))).T

    def _relaxed(self, x: Array) -> Array:
        """Where many small steps lead, each along its own condition."""
        for _ in range(SMALL_STEPS):
            moved = self._within(x - RELAXATION * self.residual(x)[: self.size])
            if not np.isfinite(moved).all():
                break
            x = moved
        return x

    def _within(self, x: Array) -> Array:
        inside, prices = x.copy(), len(self.free)
        inside[:prices] = np.clip(x[:prices], self.low, self.high)
        inside[self.levels] = np.maximum(x[self.levels], 0.0)
        return inside

    def plans(self, x: Array) -> Plans:
        """What everybody plans at a vector."""
        prices, logarithms = self.prices.copy(), x[: len(self.free)]
        # What lies at a bound is there exactly.
        bound = np.where(logarithms >= self.high, self.highest, self.lowest)
        between = (logarithms > self.low) & (logarithms < self.high)
        prices[self.free] = np.where(between, np.exp(logarithms), bound)
        money = x[self.levels.stop :] * self.money
        carried = iter(np.split(money, self.ends[2:-1] - self.levels.stop))
        purses = [
            next(carried) if carries else np.zeros(cohort.size)
            for cohort, carries in zip(self.economy.consumers, self.carries, strict=True)
        ]
        return planned(self.economy, prices, x[self.levels], purses)

    def residual(self, x: Array, sides: Sides | None = None) -> Array:
        """The conditions: markets, levels, accounts, and all money where none comes from outside."""
        plans = self.plans(x)
        served, (*_, revenue, cost) = self.serve(plans, sides), plans.production
        prices, levels = x[: len(self.free)], x[self.levels]
        markets = prices - np.clip(prices + plans.relative_excess[self.free], self.low, self.high)
        activities = levels - np.maximum(levels + part_of(revenue - cost, np.maximum(revenue, cost)), 0.0)
        gaps = [gap for gap, carries in zip(self._money_gaps(plans, served), self.carries, strict=True) if carries]
        people = -np.concatenate([np.zeros(0), *gaps]) / self.money
        total = np.zeros(0)
        if self._closed:
            pairs = zip(plans.members, self._accounts(plans), strict=True)
            total = np.array([sum(each.cohort.weight * account.sum() for each, account in pairs) / self.money.sum()])
        return np.concatenate([markets, activities, people, total])

    @cached_property
    def _closed(self) -> bool:
        """Whether all money is somebody's account: it neither comes nor goes."""
        return self.economy.homogeneous and any(self.carries)

    def _money_gaps(self, plans: Plans, served: Served) -> Iterator[Array]:
        """By how much each account would change, `(rows,)` for each cohort."""
        economy, prices, members = self.economy, plans.prices, plans.members
        earned = sum_by(economy.firm_entry, served.cash_flow, len(economy.firms))
        consumed = [each.consumed(served.purchases) for each in members]
        lost = [each.offered @ (prices * (1.0 - served.sales)) for each in members]
        own = [each.cohort.own_income(prices, earned) - less for each, less in zip(members, lost, strict=True)]
        received = dues(economy, prices, own, revenues(economy, prices, served.inputs, served.sold, consumed))
        pairs = zip(members, self._accounts(plans), consumed, received, strict=True)
        for each, account, eaten, taxed in pairs:
            cohort = each.cohort
            saved = each.offered @ (prices * served.sales) - each.wanted @ (prices * served.purchases)
            saved = saved - eaten @ (each.faced - prices) + taxed
            saved = saved + cohort.budget + cohort.owns @ earned
            if cohort.saves:
                yield saved
            elif cohort.utility.needs_income:
                yield saved - np.clip(account + saved, 0.0, np.maximum(cohort.budget, 0.0))
            else:
                yield saved - np.maximum(account + saved, 0.0)

    def _accounts(self, plans: Plans) -> list[Array]:
        """What stands in accounts, `(rows,)` for each cohort: purses without what taxes and transfers would bring."""
        made = self.economy.made_at(plans.prices, plans.production.outputs)
        bundles = [each.bundle for each in plans.members]
        raised = revenues(self.economy, plans.prices, plans.production.inputs, made, bundles)
        brought = dues(self.economy, plans.prices, [each.own for each in plans.members], raised)
        return [purse - each for purse, each in zip(plans.purses, brought, strict=True)]

    def held(self, plans: Plans) -> NDArray[np.bool_]:
        """Which markets do not clear at a price that is held, `(goods,)`."""
        excess = plans.demand - plans.supply
        return (np.abs(excess) > OFF * plans.scale) & (self.fixed | held(plans.prices, excess, *self.bounds))

    def described(self, x: Array, plans: Plans) -> FixPriceEquilibrium:
        """What there is to tell of a rest."""
        economy, served, off = self.economy, self.serve(plans), self.held(plans)
        eaten = [each.total(each.consumed(served.purchases)) for each in plans.members]
        consumption = np.stack(eaten) if eaten else np.zeros((0, len(plans.prices)))
        used = allocation.used(economy, served.inputs, consumption.sum(axis=0))
        lost = [
            deadweight_loss(economy, plans, at, float(used[at])) if economy.fiscal is None else np.nan
            for at in np.flatnonzero(off & self.controlled).tolist()
        ]
        rationed = dict(self._rationed(plans, served))
        worth = self._worth(plans, served, consumption.sum(axis=0))
        residual = float(np.abs(self.residual(x)).max(initial=0.0))
        got = [each.consumed(served.purchases) for each in plans.members]
        raised = revenues(economy, plans.prices, served.inputs, served.sold, got)
        told = (rationed, worth, sum(lost, 0.0), residual, self._accounts(plans), raised)
        return FixPriceEquilibrium(plans, served, off, consumption, *told)

    def _rationed(self, plans: Plans, served: Served) -> Iterator[tuple[str, float]]:
        """AGENT.GOOD, and what was planned less what was served."""
        economy, goods = self.economy, len(plans.prices)
        missing = list[tuple[str, Array]]()
        for firm, edges, outlets in zip(economy.firms, economy.edge_rows, economy.outlet_rows, strict=True):
            refused = sum_by(economy.edge_good[edges], served.unserved[edges], goods)
            missing.append((firm.name, refused + sum_by(economy.outlet_good[outlets], served.unsold[outlets], goods)))
        for each in plans.members:
            refused = each.wanted * (1.0 - served.purchases) + each.offered * (1.0 - served.sales)
            missing.append((each.cohort.name, each.total(refused)))
        for name, by_good in missing:
            for good in np.flatnonzero(by_good > OFF * plans.scale).tolist():
                yield f"{name}.{economy.goods[good]}", float(by_good[good])

    def _worth(self, plans: Plans, served: Served, consumption: Array) -> Array:
        """What a unit of each good is worth to its users, `(goods,)`."""
        products = allocation.marginal_products(self.economy, plans.prices, served.inputs)
        bid = np.zeros(len(plans.prices))
        for each in plans.members:
            got = each.consumed(served.purchases)
            worth = allocation.worth(each.cohort, each.faced, each.income, got, objective=False).bid
            bid += each.cohort.weight * worth * part_of(plans.prices, each.faced)
        return allocation.bids(self.economy, plans.prices, served.inputs, consumption, products, bid)
