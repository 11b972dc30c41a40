"""Taxes and transfers: what comes between buyers and sellers, who gets the revenue, and what incomes pass on.

A user of an input, or a consumer, pays `p (1 + t)` where the seller gets `p`; a maker of an output gets `p (1 - gross)
/ (1 + net)` where buyers pay `p`. Several taxes on one flow add their rates. Revenue is due to consumers, in equal
parts to the members of a cohort; so are transfers, an amount or a share of somebody's income. What consumers receive
depends on what others have and buy: all incomes are solved together.

Shapes: `(taxes,)`, `(cohorts,)`; of one cohort `(rows,)`. Values are in numeraire per tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from simulator.economics.firm_layout import FirmLayout, Indices, sum_by
from simulator.economics.forms import Array
from simulator.economics.user_prices import PriceFactors
from simulator.formulas.searches import array_search

NOMINAL = ("revenue", "price")
"""Kinds of what is kept that are counted in money."""


class Kept(NamedTuple):
    """What an instrument keeps: the `utility` of a cohort's mean member, its `consumption` of a `good` together, the
    `level` of a firm entry, the `revenue` of a tax or the `price` of a `good`; `of` is its number.
    """

    kind: str
    of: int = -1
    good: int = -1


@dataclass(frozen=True)
class Instrument:
    """How a rate adjusts: so that what is `kept` has the `target` value; in a run from the rate at `start` on, by
    `speed * (target - kept) / |target|` a tick.
    """

    kept: Kept
    target: float
    start: float = 0.1
    speed: float = 0.1


@dataclass(frozen=True, eq=False)
class Tax:
    """A tax at a `rate`, or below 0 a subsidy, on inputs at `edges` and outputs at `outlets` (places in a
    `FirmLayout`), and on `purchases` of a good by a cohort, `(n, 2)`. The base of outputs is the price, or if `net`
    what the maker gets. Of its revenue the cohorts get shares, `to` `(cohorts,)`; what is left leaves the economy.
    """

    name: str
    rate: float
    to: Array
    edges: Indices
    outlets: Indices
    purchases: Indices
    net: bool = False
    instrument: Instrument | None = None


@dataclass(frozen=True, eq=False)
class Transfer:
    """What the cohort `sender` passes on to others, in shares `to` `(cohorts,)`: a `share` of its income before it pays
    transfers, what some `goods` `(goods,)` are worth, and an amount of `money`.
    """

    sender: int
    to: Array
    share: float
    goods: Array
    money: float


class Flows(NamedTuple):
    """Where taxes lie on a kind of flow: the tax of each, the place, `(n,)` each."""

    tax: Indices
    place: Indices


@dataclass(frozen=True, eq=False)
class Fiscal:
    """The taxes and transfers of an economy of so many `goods` and `cohorts`; prices and revenue that instruments keep
    are counted in the `numeraire`, if there is one.
    """

    goods: int
    cohorts: int
    taxes: tuple[Tax, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    numeraire: int | None = None

    @cached_property
    def rates(self) -> Array:
        """The rate of each tax, `(taxes,)`, as written, or where it begins."""
        # Rates may be traced.
        return np.stack([tax.rate for tax in self.taxes]) if self.taxes else np.zeros(0)

    @cached_property
    def adjusting(self) -> Indices:
        """The taxes whose rates adjust, `(instruments,)`."""
        return np.flatnonzero([tax.instrument is not None for tax in self.taxes])

    @cached_property
    def instruments(self) -> tuple[Instrument, ...]:
        """How they do."""
        return tuple(tax.instrument for tax in self.taxes if tax.instrument is not None)

    def rates_with(self, adjusted: Array) -> Array:
        """All rates, `(..., taxes)`, of those that adjust, `(..., instruments)`."""
        each = [np.broadcast_to(rate, adjusted.shape[:-1]) for rate in self.rates]
        for at, tax in enumerate(self.adjusting.tolist()):
            each[tax] = adjusted[..., at]
        return np.stack(each, axis=-1)

    @cached_property
    def net(self) -> Array:
        """Which taxes have a net base, `(taxes,)`, 1 or 0."""
        return np.array([float(tax.net) for tax in self.taxes])

    @cached_property
    def on_edges(self) -> Flows:
        """Taxes on inputs, by edge."""
        return _flows([tax.edges for tax in self.taxes])

    @cached_property
    def on_outlets(self) -> Flows:
        """Taxes on outputs, by outlet."""
        return _flows([tax.outlets for tax in self.taxes])

    @cached_property
    def on_purchases(self) -> Flows:
        """Taxes on consumption, by the place in a flat table `(cohorts, goods)`."""
        return _flows([tax.purchases[:, 0] * self.goods + tax.purchases[:, 1] for tax in self.taxes])

    @cached_property
    def to(self) -> Array:
        """Who gets which share of the revenue of each tax, `(taxes, cohorts)`."""
        return np.stack([tax.to for tax in self.taxes]) if self.taxes else np.zeros((0, self.cohorts))

    @cached_property
    def passed(self) -> Array:
        """Which share of the income of a cohort each receives, `(receiving, giving)` cohorts."""
        passed = np.zeros((self.cohorts, self.cohorts))
        for each in self.transfers:
            passed = passed + (each.share * each.to)[:, None] * (np.arange(self.cohorts) == each.sender)
        return passed

    @cached_property
    def gives(self) -> Array:
        """The share of its income that each cohort passes on, `(cohorts,)`."""
        return self._by_sender([each.share for each in self.transfers])

    @cached_property
    def receives(self) -> Indices:
        """The cohorts that receive revenue or transfers."""
        return np.flatnonzero(sum([tax.to > 0 for tax in self.taxes] + [each.to > 0 for each in self.transfers]))

    @cached_property
    def nominal(self) -> bool:
        """Whether some transfer, or what an instrument keeps, is an amount of money that no good is worth."""
        kept = any(each.kept.kind in NOMINAL for each in self.instruments)
        return any(each.money != 0 for each in self.transfers) or (kept and self.numeraire is None)

    def _by_sender(self, values: list[float]) -> Array:
        senders = np.array([each.sender for each in self.transfers], dtype=np.intp)
        # Shares and amounts may be traced.
        return sum_by(senders, np.stack(values), self.cohorts) if values else np.zeros(self.cohorts)

    @cached_property
    def owed(self) -> tuple[Array, Array]:
        """What amounts each cohort pays: the goods that they are worth, `(cohorts, goods)`, and money, `(cohorts,)`."""
        goods = np.zeros((self.cohorts, self.goods))
        for each in self.transfers:
            goods = goods + each.goods * (np.arange(self.cohorts) == each.sender)[:, None]
        return goods, self._by_sender([each.money for each in self.transfers])

    @cached_property
    def granted(self) -> tuple[Array, Array]:
        """What amounts each cohort receives: the goods that they are worth, and money."""
        goods, money = np.zeros((self.cohorts, self.goods)), np.zeros(self.cohorts)
        for each in self.transfers:
            goods, money = goods + each.to[:, None] * each.goods, money + each.to * each.money
        return goods, money

    def factors(self, layout: FirmLayout, rates: Array) -> PriceFactors | None:
        """What prices are multiplied by for those who buy and make at `rates` `(..., taxes)`; None without taxes."""
        if not self.taxes:
            return None
        paid, bought = self.on_edges, self.on_purchases
        edges = 1.0 + sum_by(paid.place, rates[..., paid.tax], len(layout.edge_good))
        cohorts = 1.0 + sum_by(bought.place, rates[..., bought.tax], self.cohorts * self.goods)
        gross, net = (self._on_outlets(layout, rates, base) for base in (1.0 - self.net, self.net))
        return PriceFactors(
            edges, (1.0 - gross) / (1.0 + net), cohorts.reshape(*rates.shape[:-1], self.cohorts, self.goods)
        )

    def _on_outlets(self, layout: FirmLayout, rates: Array, weights: Array) -> Array:
        made = self.on_outlets
        return sum_by(made.place, (rates * weights)[..., made.tax], len(layout.outlet_good))

    def weights(self, layout: FirmLayout, rates: Array) -> tuple[Array, Array, Array]:
        """What each tax takes of the worth of each flow, `(..., n)`, in the order of `on_edges`, `on_outlets` and
        `on_purchases`.
        """
        paid, made, bought = self.on_edges, self.on_outlets, self.on_purchases
        gross, net = (self._on_outlets(layout, rates, base) for base in (1.0 - self.net, self.net))
        received = ((1.0 - gross) / (1.0 + net))[..., made.place]
        base = np.where(self.net[made.tax] > 0, received, 1.0)
        return rates[..., paid.tax], rates[..., made.tax] * base, rates[..., bought.tax]

    def revenues(
        self, layout: FirmLayout, rates: Array, prices: Array, inputs: Array, sold: Array, bought: Array
    ) -> Array:
        """The revenue of each tax, `(..., taxes)`, on `inputs` `(..., edges)`, what is `sold` `(..., outlets)` and what
        cohorts `bought` `(..., cohorts, goods)`, at market `prices` `(..., goods)` and `rates` `(..., taxes)`.
        """
        on_edges, on_outlets, on_purchases = self.weights(layout, rates)
        spent = (bought * prices[..., None, :]).reshape(*prices.shape[:-1], -1)
        paid, made, purchases = self.on_edges, self.on_outlets, self.on_purchases
        values = [
            (inputs * prices[..., layout.edge_good])[..., paid.place] * on_edges,
            (sold * prices[..., layout.outlet_good])[..., made.place] * on_outlets,
            spent[..., purchases.place] * on_purchases,
        ]
        taxes = np.concatenate([paid.tax, made.tax, purchases.tax])
        return sum_by(taxes, np.concatenate(values, axis=-1), len(self.taxes))

    def due(self, own: Array, received: Array, revenues: Array, prices: Array) -> Array:
        """What each cohort is to receive, `(cohorts,)`, of `revenues` `(taxes,)` and of incomes: what all members have
        of their `own` and what they `received`, `(cohorts,)`.
        """
        goods, money = self.granted
        # A purse without end passes nothing on.
        incomes = np.where(np.isfinite(own), own, 0.0) + received
        return revenues @ self.to + goods @ prices + money + self.passed @ incomes

    def received(self, own: Array, revenues: Array, prices: Array) -> Array:
        """What each cohort receives, `(cohorts,)`, if that is all that is due: `(I - passed) received = due`."""
        due = self.due(own, np.zeros(self.cohorts), revenues, prices)
        return self._multiplier @ due if self.transfers else due

    @cached_property
    def _multiplier(self) -> Array:
        """What comes of a unit that cohorts receive, passed on again and again, `(cohorts, cohorts)`."""
        return _multiplied(self.passed)

    @cached_property
    def relayed(self) -> Array:
        """What each cohort receives of a unit of revenue of each tax, passed on again and again, `(cohorts, taxes)`."""
        return self._multiplier @ self.to.T if self.transfers else self.to.T

    def terms(self, number: int, count: int, received: Array, prices: Array) -> Array:
        """What taxes and transfers do to the purses of a cohort of so many, if all cohorts `received` so much,
        `(cohorts,)`, in two numbers, `(2,)`: what is added to each, and which part of its own income it passes on.
        """
        gives, (goods, money) = self.gives[number], self.owed
        amount = (1.0 - gives) * received[number] - (goods[number] @ prices + money[number])
        return np.stack([amount / count, gives])


@array_search("what is passed on and on")
def _multiplied(passed: Array) -> Array:
    return np.asarray(np.linalg.inv(np.eye(len(passed)) - passed), dtype=float)


def _flows(places: list[Indices]) -> Flows:
    taxes = [np.full(len(each), number, dtype=np.intp) for number, each in enumerate(places)]
    none = np.zeros(0, dtype=np.intp)
    return Flows(np.concatenate([none, *taxes]), np.concatenate([none, *places]).astype(np.intp))
