"""What comes of plans where a market is off: the long side of each is served in proportion to its orders.

The judges' own picture of a tick that repeats itself: nobody has stocks, firms make what the inputs they got allow, and
that is what they offer. Makers of constant returns are served before others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics import allocation
from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.market_plans import Production

MOST_PASSES = 2_000
"""So often what is made is passed on, at most, until it does not change."""

Sides = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Which goods are short for all, and for those who come first, `(goods,)` each."""


class Members(NamedTuple):
    """What the members of a cohort plan at prices `faced` `(goods,)`: `income`, what of it is their `own` (without
    accounts, taxes and transfers), `(rows,)` each, and, `(rows, goods)` each, a `bundle`, and what of it is `wanted` or
    `offered` beyond what is owned.
    """

    cohort: Consumers
    faced: Array
    own: Array
    income: Array
    bundle: Array
    wanted: Array
    offered: Array

    def total(self, quantities: Array) -> Array:
        """The sum over all of them of quantities `(rows, goods)`."""
        return self.cohort.weight * quantities.sum(axis=0)

    def consumed(self, purchases: Array) -> Array:
        """What they consume if a fraction `(goods,)` of purchases is served, `(rows, goods)`."""
        return self.bundle - self.wanted * (1.0 - purchases)


class Plans(NamedTuple):
    """What everybody plans at `prices` `(goods,)` and activity `levels` `(levels,)`, counting on `purses`, `(rows,)`
    for each cohort: what stands in accounts, and what taxes and transfers bring; planned `demand` and `supply`
    `(goods,)`.
    """

    prices: Array
    levels: Array
    purses: tuple[Array, ...]
    production: Production
    members: tuple[Members, ...]
    demand: Array
    supply: Array

    @property
    def scale(self) -> Array:
        """`s = max(demand, supply)`, `(goods,)`."""
        return np.maximum(self.demand, self.supply)

    @property
    def relative_excess(self) -> Array:
        """`z/s`, `(goods,)`, 0 where nobody wants or brings anything."""
        return part_of(self.demand - self.supply, self.scale)


class Served(NamedTuple):
    """What comes of plans: the fractions of purchases and sales served `(goods,)`; what firms get `(edges,)` and are
    refused, make `(firms,)`, sell, also to themselves, and do not sell `(outlets,)`, their `cash_flow` `(firms,)`, and
    the short `sides`.
    """

    purchases: Array
    sales: Array
    inputs: Array
    unserved: Array
    outputs: Array
    sold: Array
    unsold: Array
    cash_flow: Array
    sides: Sides


def planned(economy: Economy, prices: Array, levels: Array, purses: Sequence[Array]) -> Plans:
    """What everybody plans who counts on being served: with its own income, and what is in its purse."""
    production = economy.production(prices, economy.first_guess(), levels)
    members = tuple(_members(economy, prices, production.profits, purses))
    consumption = sum((each.total(each.bundle) for each in members), np.zeros(len(prices)))
    totals = economy.totals(prices, consumption, production.inputs, production.outputs)
    return Plans(prices, levels, tuple(purses), production, members, *totals)


def _members(economy: Economy, prices: Array, profits: Array, purses: Sequence[Array]) -> Iterator[Members]:
    for number, (cohort, purse) in enumerate(zip(economy.consumers, purses, strict=True)):
        faced, own = economy.user_prices.consumer_prices(number, prices), cohort.own_income(prices, profits)
        income = cohort.income(prices, profits, purse)
        bundle = cohort.utility.demand(faced, income)
        excess = bundle - cohort.endowment
        yield Members(cohort, faced, own, income, bundle, np.maximum(excess, 0.0), np.maximum(-excess, 0.0))


def revenues(economy: Economy, prices: Array, inputs: Array, sold: Array, consumed: Sequence[Array]) -> Array:
    """The revenue of each tax, `(taxes,)`, on `inputs` `(edges,)`, what is `sold` `(outlets,)`, and `consumed` `(rows,
    goods)` by each cohort.
    """
    if economy.fiscal is None:
        return np.zeros(0)
    cohorts = zip(economy.consumers, consumed, strict=True)
    bought = np.stack([cohort.weight * each.sum(axis=0) for cohort, each in cohorts])
    return economy.fiscal.revenues(economy, economy.rates, prices, inputs, sold, bought)


def dues(economy: Economy, prices: Array, own: Sequence[Array], raised: Array) -> list[Array]:
    """What taxes and transfers bring each, `(rows,)` for each cohort, of what it has of its `own`, `(rows,)` each, and
    of the revenue `raised` by each tax, `(taxes,)`.
    """
    fiscal, cohorts = economy.fiscal, economy.consumers
    if fiscal is None:
        return [np.zeros(len(each)) for each in own]
    totals = np.array([cohort.weight * each.sum() for cohort, each in zip(cohorts, own, strict=True)])
    received = fiscal.received(totals, raised, prices)
    pairs = enumerate(zip(cohorts, own, strict=True))
    return [cohort.dues(economy.terms(number, received, prices), each) for number, (cohort, each) in pairs]


class Serving:
    """How an economy's plans are served."""

    def __init__(self, economy: Economy) -> None:
        self.economy = economy
        first = np.zeros(len(economy.firm_entry), dtype=bool)
        first[economy.level_firm] = True
        self._first = first[economy.edge_firm]
        self._at_home = (~economy.is_outside[economy.outlet_good]).astype(float)
        edges, outlets = economy.input_output_pairs
        own = economy.edge_good[edges] == economy.outlet_good[outlets]
        self._own_edges, self._own_outlets = edges[own], outlets[own]

    def __call__(self, plans: Plans, sides: Sides | None = None) -> Served:
        """What is passed on where everything has been made of what was passed on; the short sides are those of other
        plans, if these are given: so that slopes are those of one piece.
        """
        economy, prices, wanting = self.economy, plans.prices, plans.members
        wanted = sum((each.total(each.wanted) for each in wanting), np.zeros(len(prices)))
        offers = sum((each.total(each.offered) for each in wanting), economy.supply)
        made = plans.production.outputs
        served, following = self._pass(plans, made, wanted, offers, sides)
        for _ in range(MOST_PASSES):
            if np.allclose(following, made, rtol=1e-15, atol=0.0):
                break
            made = following
            served, following = self._pass(plans, made, wanted, offers, sides)
        return served

    def _pass(
        self, plans: Plans, made: Array, wanted: Array, offers: Array, sides: Sides | None
    ) -> tuple[Served, Array]:
        """What comes of plans where firms bring what they have `made` `(firms,)`, and what they then make."""
        economy, prices, inputs = self.economy, plans.prices, plans.production.inputs
        stock, kept = economy.made_at(prices, made) * self._at_home, np.zeros(len(inputs))
        brought = stock.copy()
        if len(self._own_edges):
            own = np.minimum(inputs[self._own_edges], stock[self._own_outlets])
            np.add.at(kept, self._own_edges, own)
            np.subtract.at(stock, self._own_outlets, own)
        ordered = inputs - kept
        before = economy.over_edges(np.where(self._first, ordered, 0.0))
        later = economy.over_edges(np.where(self._first, 0.0, ordered)) + wanted
        offered = offers + economy.over_outlets(stock)
        short, first_short = (before + later > offered, before > offered) if sides is None else sides
        first = np.where(first_short, part_of(offered, before), 1.0)
        left = np.where(first_short, 0.0, offered - before)
        purchases = np.where(short, part_of(left, later), 1.0)
        sales = np.where(short, 1.0, part_of(before + later, offered))
        first, purchases, sales = (np.where(economy.is_outside, 1.0, each) for each in (first, purchases, sales))
        filled = np.where(self._first, first[economy.edge_good], purchases[economy.edge_good])
        used = kept + ordered * filled
        following = allocation.outputs(economy, used)
        sold = stock * sales[economy.outlet_good]
        delivered = sold + economy.made_at(prices, following) * (1.0 - self._at_home)
        # What a firm keeps is taxed like what it buys and sells.
        delivered = delivered + (brought - stock)
        cash_flow = economy.user_prices.cash_flow(prices, delivered, used)
        done = (used, ordered * (1.0 - filled), following, delivered, stock - sold, cash_flow)
        return Served(purchases, sales, *done, (short, first_short)), following


def part_of(values: Array, of: Array) -> Array:
    """Quotients, 0 where there is nothing."""
    return np.divide(values, of, out=np.zeros(np.shape(of)), where=of > 0)
