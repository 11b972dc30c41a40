"""Fix-price equilibria: where an economy comes to rest at prices that are held, with its long sides rationed.

At a price that is fixed, or held back by its floor or cap, no competitive equilibrium need exist. What remains of one:
free prices balance plans; the long side of every market is served in proportion to its orders (makers of constant
returns first); firms make what the inputs they got allow; and everybody who earns spends in the end what it has
received. What somebody could not spend, or did not earn though counted on, stands in its account: with `m = p.e +
profits + budget + a` it plans, `a` such that money in equals money out. Of a budget that lapses something may be left.

Plans are notional: they count on being carried out, and accounts alone tell who was rationed (as in a market that
trades in every tick, whose rest points these are). Bénassy (1982) and Drèze (1975) have plans that know.

Unknowns are logarithms of the free prices, levels and accounts, conditions in natural form `x = clip(x + slack, low,
high)`: roots by Gauss-Newton steps. Nothing here asks the market.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics import allocation
from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy, Production
from simulator.economics.firm_layout import sum_by
from simulator.economics.forms import Array
from simulator.economics.price_bounds import PriceBounds, held

TOLERANCE = 1e-10
"""Largest relative residual of a condition."""
OFF = 1e-6
"""A market off by more than this part of its larger side is rationed."""
MOST_UNKNOWNS = 400
"""With more unknowns than that slopes by differences take too long."""
MOST_STEPS, HALVINGS, LONGEST = 100, 20, 2.0
MOST_PASSES = 2_000
"""So often what is made is passed on, at most, until it does not change."""
DIFFERENCE = 1e-7
ROUNDS, SMALL_STEPS, RELAXATION = 4, 300, 0.1
"""So often so many small steps, of this part of the way, are gone before Newton's are tried again."""
NODES, FARTHEST = 64, 40
"""Of Gauss's quadrature of a loss; so many powers of e prices are looked for."""


Sides = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Which goods are short for all, and for those who come first, `(goods,)` each."""


class Served(NamedTuple):
    """What comes of plans: the fractions of purchases and sales served `(goods,)`, and of those of makers of constant
    returns, who come `first`; what firms get `(edges,)` and are refused, make `(firms,)` and do not sell `(outlets,)`,
    and their `cash_flow` `(firms,)`; which goods are `short` for all, and for those who come first.
    """

    purchases: Array
    first: Array
    sales: Array
    inputs: Array
    unserved: Array
    outputs: Array
    unsold: Array
    cash_flow: Array
    short: NDArray[np.bool_]
    first_short: NDArray[np.bool_]


class Members(NamedTuple):
    """What the members of a cohort plan at prices `faced` `(goods,)`: `income` `(rows,)` and, `(rows, goods)` each, a
    `bundle`, and what of it is `wanted` or `offered` beyond what is owned.
    """

    cohort: Consumers
    faced: Array
    income: Array
    bundle: Array
    wanted: Array
    offered: Array


class Rest(NamedTuple):
    """Everything at a vector: prices, plans and what comes of them."""

    prices: Array
    levels: Array
    accounts: tuple[Array, ...]
    production: Production
    members: tuple[Members, ...]
    demand: Array
    supply: Array
    served: Served


@dataclass(frozen=True)
class FixPriceEquilibrium:
    """Prices `(goods,)` of which some are `held` off their markets' clearing, and what is done at them.

    `accounts` are `(rows,)` for each cohort. `consumption` is `(cohorts, goods)`, `inputs` `(edges,)`, `outputs`
    `(firms,)`, `levels` `(levels,)`. `rationed` tells for AGENT.GOOD what was planned less what was served, of
    purchases or, where the good is left over, of sales. `shadow_prices` `(goods,)` are what a unit is worth to its users at the
    quantities that they got, not a number where nobody uses any. The `deadweight_loss` in money is, summed over held
    markets, the area between marginal value and marginal cost from the quantity used to that at which both meet, each
    market alone and all else as it is here: what is lost because too little is used. That those who get a good may be
    others than those who value it most is not counted. `residual` is the largest of all conditions'.
    """

    prices: Array
    held: NDArray[np.bool_]
    demand: Array
    supply: Array
    accounts: tuple[Array, ...]
    levels: Array
    inputs: Array
    outputs: Array
    consumption: Array
    purchases_served: Array
    sales_served: Array
    rationed: dict[str, float]
    shadow_prices: Array
    deadweight_loss: float
    residual: float
    _rest: Rest = field(repr=False)


@np.errstate(all="ignore")
def fix_price_equilibria(economy: Economy, rule: PriceRule, starts: Sequence[Array]) -> list[FixPriceEquilibrium]:
    """The fix-price equilibria reached from `starts` `(goods,)`, of which the first has the prices that are fixed, at
    which some market is held off; none where no held price keeps a market from clearing, or nothing comes to rest
    (somebody earns what it can spend on nothing).
    """
    problem, found = _Problem(economy, rule, starts[0]), list[FixPriceEquilibrium]()
    if problem.size > MOST_UNKNOWNS:
        return found
    for start in starts:
        root, residual = problem.root(start) or (None, 0.0)
        if root is None or not problem.held(root).any():
            continue
        if not any(np.allclose(root.prices, each.prices, rtol=OFF, atol=0.0) for each in found):
            found.append(problem.described(root, residual))
    return found


class _Problem:
    """Unknowns and conditions of an economy under a rule."""

    def __init__(self, economy: Economy, rule: PriceRule, prices: Array) -> None:
        self.economy, self.first = economy, prices
        self.free = np.flatnonzero(rule.free & ~economy.is_outside)
        self.fixed = ~rule.free & ~economy.is_outside
        # A price that is nothing but the unit of all others is no control.
        self.controlled = ~(self.fixed & rule.unknowns(economy).relative_only)
        nothing = np.full(len(economy.goods), np.inf)
        self.by_law = PriceBounds(-nothing, nothing) if economy.bounds is None else economy.bounds
        self.lowest = np.maximum(rule.lowest(economy.bounds), 1e-300)[self.free]
        self.highest = self.by_law.cap[self.free]
        self.low, self.high = np.log(self.lowest), np.log(self.highest)
        self.carries = [
            not cohort.unlimited and (cohort.saves or bool(cohort.earns.any())) for cohort in economy.consumers
        ]
        rows = [cohort.size for cohort, carries in zip(economy.consumers, self.carries, strict=True) if carries]
        self.ends = np.cumsum([len(self.free), len(economy.level_firm), *rows])
        self.size = int(self.ends[-1])
        first_served = np.zeros(len(economy.firm_entry), dtype=bool)
        first_served[economy.level_firm] = True
        self.first_served = first_served[economy.edge_firm]
        self.at_home = (~economy.is_outside[economy.outlet_good]).astype(float)
        edges, outlets = economy.input_output_pairs
        own = economy.edge_good[edges] == economy.outlet_good[outlets]
        self.own_edges, self.own_outlets = edges[own], outlets[own]

    def root(self, start: Array) -> tuple[Rest, float] | None:
        """The rest near prices and its largest residual, None if none is reached."""
        self.money = np.ones(self.size - int(self.ends[1]))
        x = np.concatenate([np.log(np.maximum(start, 1e-300))[self.free], np.ones(self.size - len(self.free))])
        x[self.ends[1] :] = 0.0
        x = self._within(x)
        begun = self.at(x)
        incomes = [each.income for each, carries in zip(begun.members, self.carries, strict=True) if carries]
        worth = float(begun.prices @ np.maximum(begun.demand, begun.supply))
        self.money = np.maximum(np.concatenate([np.zeros(0), *incomes]), 1e-3 * worth)
        for _ in range(ROUNDS):
            root = self._newton(x)
            if root is not None:
                return root
            x = self._relaxed(x)
        return None

    def _newton(self, x: Array) -> tuple[Rest, float] | None:
        """The rest that Gauss-Newton steps lead to from a vector, and its largest residual."""
        value = self.residual(x)
        for _ in range(MOST_STEPS):
            if not value.any():
                break
            slopes = self._slopes(x)
            better = self._better(x, value, slopes) if np.isfinite(slopes).all() else None
            if better is None:
                break
            x, value = better
        residual = float(np.abs(value).max(initial=0.0))
        return (self.at(x), residual) if residual <= TOLERANCE else None

    def _relaxed(self, x: Array) -> Array:
        """Where many small steps lead, each along its own condition."""
        for _ in range(SMALL_STEPS):
            moved = self._within(x - RELAXATION * self.residual(x)[: self.size])
            if not np.isfinite(moved).all():
                break
            x = moved
        return x

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
        here = self.at(x).served
        like = here.short, here.first_short
        value, columns = self.residual(x, like), list[Array]()
        for place in range(self.size):
            by = -DIFFERENCE if place < len(self.free) and x[place] + DIFFERENCE > self.high[place] else DIFFERENCE
            moved = x.copy()
            moved[place] += by
            columns.append((self.residual(moved, like) - value) / by)
        return np.reshape(columns, (self.size, len(value))).T

    def _within(self, x: Array) -> Array:
        prices, levels = len(self.free), int(self.ends[1])
        inside = x.copy()
        inside[:prices] = np.clip(x[:prices], self.low, self.high)
        inside[prices:levels] = np.maximum(x[prices:levels], 0.0)
        return inside

    def at(self, x: Array, like: Sides | None = None) -> Rest:
        """Everything at a vector, on the short sides of another one if these are given."""
        economy, prices = self.economy, self.first.copy()
        logarithms = x[: len(self.free)]
        # What lies at a bound is there exactly.
        bound = np.where(logarithms >= self.high, self.highest, self.lowest)
        between = (logarithms > self.low) & (logarithms < self.high)
        prices[self.free] = np.where(between, np.exp(logarithms), bound)
        parts = np.split(x, self.ends[:-1])[1:]
        money, carried = np.split(self.money, self.ends[2:-1] - self.ends[1]), iter(parts[1:])
        given = iter(money)
        accounts = tuple(
            next(carried) * next(given) if carries else np.zeros(cohort.size)
            for cohort, carries in zip(economy.consumers, self.carries, strict=True)
        )
        production, members, demand, supply = self.planned(prices, parts[0], accounts)
        served = self._served(prices, production, members, like)
        return Rest(prices, parts[0], accounts, production, members, demand, supply, served)

    def planned(
        self, prices: Array, levels: Array, accounts: Sequence[Array]
    ) -> tuple[Production, tuple[Members, ...], Array, Array]:
        """What everybody plans, and planned demand and supply `(goods,)`."""
        economy = self.economy
        production = economy.production(prices, economy.first_guess(), levels)
        members = tuple(self._members(prices, production.profits, accounts))
        consumption = sum((each.cohort.weight * each.bundle.sum(axis=0) for each in members), np.zeros(len(prices)))
        return production, members, *economy.totals(prices, consumption, production.inputs, production.outputs)

    def _members(self, prices: Array, profits: Array, accounts: Sequence[Array]) -> Iterator[Members]:
        for number, (cohort, account) in enumerate(zip(self.economy.consumers, accounts, strict=True)):
            faced, income = (
                self.economy.user_prices.consumer_prices(number, prices),
                cohort.income(prices, profits, account),
            )
            bundle = cohort.utility.demand(faced, income)
            excess = bundle - cohort.endowment
            yield Members(cohort, faced, income, bundle, np.maximum(excess, 0.0), np.maximum(-excess, 0.0))

    def _served(self, prices: Array, production: Production, members: Sequence[Members], like: Sides | None) -> Served:
        """What is passed on where everything has been made of what was passed on; the short sides are those of another
        vector, if one is given: slopes are those of one piece.
        """
        economy, nothing = self.economy, np.zeros(len(prices))
        wanted = sum((each.cohort.weight * each.wanted.sum(axis=0) for each in members), nothing)
        offers = sum((each.cohort.weight * each.offered.sum(axis=0) for each in members), economy.supply)
        made, outside = production.outputs, economy.is_outside
        for _ in range(MOST_PASSES):
            everything = economy.made_at(prices, made)
            stock, kept = everything * self.at_home, np.zeros(len(production.inputs))
            if len(self.own_edges):
                own = np.minimum(production.inputs[self.own_edges], stock[self.own_outlets])
                np.add.at(kept, self.own_edges, own)
                np.subtract.at(stock, self.own_outlets, own)
            ordered = production.inputs - kept
            before = economy.over_edges(np.where(self.first_served, ordered, 0.0))
            later = economy.over_edges(np.where(self.first_served, 0.0, ordered)) + wanted
            offered = offers + economy.over_outlets(stock)
            short, first_short = (before + later > offered, before > offered) if like is None else like
            first = np.where(first_short, _part(offered, before), 1.0)
            rest = np.where(first_short, 0.0, offered - before)
            purchases = np.where(short, _part(rest, later), 1.0)
            sales = np.where(short, 1.0, _part(before + later, offered))
            first, purchases, sales = (np.where(outside, 1.0, each) for each in (first, purchases, sales))
            filled = np.where(self.first_served, first[economy.edge_good], purchases[economy.edge_good])
            inputs = kept + ordered * filled
            following = allocation.outputs(economy, inputs)
            settled = np.allclose(following, made, rtol=1e-15, atol=0.0)
            made = following
            if settled:
                break
        sold = stock * sales[economy.outlet_good]
        delivered = sold + economy.made_at(prices, made) * (1.0 - self.at_home)
        cash_flow = economy.user_prices.cash_flow(prices, delivered, ordered * filled)
        unserved, unsold = ordered * (1.0 - filled), stock - sold
        return Served(purchases, first, sales, inputs, unserved, made, unsold, cash_flow, short, first_short)

    def residual(self, x: Array, like: Sides | None = None) -> Array:
        """The conditions: markets, levels, accounts, and all money where none comes from outside."""
        rest = self.at(x, like)
        short = _part(rest.demand - rest.supply, np.maximum(rest.demand, rest.supply))[self.free]
        prices, levels = (x[: len(self.free)], x[len(self.free) : self.ends[1]])
        production = rest.production
        profit = _part(
            production.unit_revenues - production.unit_costs,
            np.maximum(production.unit_revenues, production.unit_costs),
        )
        markets = prices - np.clip(prices + short, self.low, self.high)
        activities = levels - np.maximum(levels + profit, 0.0)
        gaps = [gap for gap, carries in zip(self._money_gaps(rest), self.carries, strict=True) if carries]
        people = -np.concatenate([np.zeros(0), *gaps]) / self.money
        everything = sum(
            each.cohort.weight * account.sum() for each, account in zip(rest.members, rest.accounts, strict=True)
        )
        total = np.array([everything / self.money.sum()]) if self._closed else np.zeros(0)
        return np.concatenate([markets, activities, people, total])

    @cached_property
    def _closed(self) -> bool:
        """Whether all money is somebody's account: it neither comes nor goes."""
        return self.economy.homogeneous and any(self.carries)

    def _money_gaps(self, rest: Rest) -> Iterator[Array]:
        """By how much each account would change, `(rows,)` for each cohort."""
        entries = len(self.economy.firms)
        earned = np.bincount(self.economy.firm_entry, rest.served.cash_flow, entries)
        for each, account in zip(rest.members, rest.accounts, strict=True):
            cohort, served = each.cohort, rest.served
            saved = each.offered @ (rest.prices * served.sales) - each.wanted @ (each.faced * served.purchases)
            saved = saved + cohort.budget + (cohort.owns @ earned if entries else 0.0)
            if cohort.saves:
                lapses: Array | float = 0.0
            elif cohort.utility.needs_income:
                lapses = np.clip(account + saved, 0.0, cohort.budget)
            else:
                lapses = np.maximum(account + saved, 0.0)
            yield saved - lapses

    def held(self, rest: Rest) -> NDArray[np.bool_]:
        """Which markets do not clear at a price that is held, `(goods,)`."""
        off = np.abs(rest.demand - rest.supply) > OFF * np.maximum(rest.demand, rest.supply)
        bound = held(rest.prices, rest.demand - rest.supply, *self.by_law)
        return off & (self.fixed | bound)

    def described(self, rest: Rest, residual: float) -> FixPriceEquilibrium:
        """What there is to tell of a rest."""
        served, held_off = rest.served, self.held(rest)
        consumption = [
            each.cohort.weight * (each.bundle - each.wanted * (1.0 - served.purchases)).sum(axis=0)
            for each in rest.members
        ]
        eaten = np.stack(consumption) if consumption else np.zeros((0, len(rest.prices)))
        used = allocation.used(self.economy, served.inputs, eaten.sum(axis=0))
        return FixPriceEquilibrium(
            rest.prices,
            held_off,
            rest.demand,
            rest.supply,
            rest.accounts,
            rest.levels,
            served.inputs,
            served.outputs,
            eaten,
            served.purchases,
            served.sales,
            dict(self._rationed(rest)),
            self._worth(rest, eaten.sum(axis=0)),
            sum(self._loss(rest, good, used[good]) for good in np.flatnonzero(held_off & self.controlled).tolist()),
            residual,
            rest,
        )

    def _rationed(self, rest: Rest) -> Iterator[tuple[str, float]]:
        """AGENT.GOOD, and what was planned less what was served."""
        economy, served, goods = self.economy, rest.served, len(rest.prices)
        missing = [
            (
                firm.name,
                sum_by(economy.edge_good[edges], served.unserved[edges], goods)
                + sum_by(economy.outlet_good[outlets], served.unsold[outlets], goods),
            )
            for firm, edges, outlets in zip(economy.firms, economy.edge_rows, economy.outlet_rows, strict=True)
        ]
        for each in rest.members:
            refused = each.wanted * (1.0 - served.purchases) + each.offered * (1.0 - served.sales)
            missing.append((each.cohort.name, each.cohort.weight * refused.sum(axis=0)))
        for name, by_good in missing:
            for good in np.flatnonzero(by_good > OFF * np.maximum(rest.demand, rest.supply)).tolist():
                yield f"{name}.{economy.goods[good]}", float(by_good[good])

    def _worth(self, rest: Rest, consumption: Array) -> Array:
        """What a unit of each good is worth to its users, `(goods,)`."""
        inputs, served = rest.served.inputs, rest.served
        products = allocation.marginal_products(self.economy, rest.prices, inputs)
        bid = np.zeros(len(rest.prices))
        for each in rest.members:
            got = each.bundle - each.wanted * (1.0 - served.purchases)
            worth = allocation.worth(each.cohort, each.faced, each.income, got, objective=False).bid
            bid += each.cohort.weight * worth * _part(rest.prices, each.faced)
        return allocation.bids(self.economy, rest.prices, inputs, consumption, products, bid)

    def _loss(self, rest: Rest, good: int, used: float) -> float:
        """The area between marginal value and marginal cost of a good from the quantity `used` on; not a number where
        no price clears the market, or makers of constant returns have no marginal cost.
        """
        makers = self.economy.outlet_firm[self.economy.outlet_good == good]
        if np.isin(makers, self.economy.level_firm).any():
            return np.nan
        curves, price = _Curves(self, rest, good), float(rest.prices[good])
        clears = curves.crossing(price, lambda demand, supply: demand - supply)
        if not np.isfinite(clears) or float(curves(clears)[0]) <= used * (1.0 + OFF):
            return 0.0 if np.isfinite(clears) else np.nan
        highest = curves.crossing(clears, lambda demand, _: demand - used)
        lowest = curves.crossing(clears, lambda _, supply: used - supply)
        places, weights = np.polynomial.legendre.leggauss(NODES)
        total = 0.0
        for side, low, high in ((1, lowest, clears), (0, clears, highest)):
            at = 0.5 * (high + low) + 0.5 * (high - low) * places
            total += 0.5 * (high - low) * float(weights @ [curves(each)[side] - used for each in at.tolist()])
        return total


class _Curves:
    """Planned demand and supply of a good as functions of its price, all else as it is at a rest."""

    def __init__(self, problem: _Problem, rest: Rest, good: int) -> None:
        self._problem, self._rest, self._good = problem, rest, good

    def __call__(self, price: float) -> tuple[float, float]:
        prices, rest = self._rest.prices.copy(), self._rest
        prices[self._good] = price
        demand, supply = self._problem.planned(prices, rest.levels, rest.accounts)[-2:]
        return float(demand[self._good]), float(supply[self._good])

    def crossing(self, price: float, gap: Callable[[float, float], float]) -> float:
        """Where a falling gap between both is 0, from a price on, up or down; 0 if it is below 0 down to there, not a
        number if it never falls below.
        """
        from scipy.optimize import brentq

        def at(logarithm: float) -> float:
            return gap(*self(float(np.exp(logarithm))))

        here = float(np.log(price))
        way = 1.0 if at(here) > 0 else -1.0
        for _ in range(FARTHEST):
            if at(here + way) * way <= 0:
                ends = sorted((here, here + way))
                return float(np.exp(brentq(at, *ends, xtol=1e-14, rtol=1e-14)))
            here += way
        return np.nan if way > 0 else 0.0


def _part(values: Array, of: Array) -> Array:
    """Quotients, 0 where there is nothing."""
    return np.divide(values, of, out=np.zeros(np.shape(of)), where=of > 0)
