"""A tick at trading posts: money bid for what is on offer, goods in proportion to money, and what is made of them.

    p_i = (all bids on i) / q_i,        x = bid / p

First firms bid `spend` of their money by shares that sum to their returns, and pay out the rest of it. Then
consumers bid all they have, and what the bids of firms earn their endowments. What consumers' bids earn these is bid a
tick later, and so is the revenue of firms. Those of Cobb-Douglas forms have shares that never move: all such firms are
one table, and their tick is two products with it. Source: Shapley and Shubik (1977).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np

from simulator.economics import forms
from simulator.economics.agents import Firm
from simulator.economics.clearing import relative_excess_demand
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.technology import FormulaTechnology

SPARSE = 0.1
"""A table with a smaller part of cells in use is faster without the others."""


class PostsState(NamedTuple):
    """What the coming tick, the number `tick`, begins with: the last `prices` `(goods,)`; what firms have on offer,
    `stock`, and their `money`, `(firms,)` each; money in the `accounts` of consumers, `(rows,)` for each cohort; and
    the shares by which those bid whose shares move, `(rows, inputs)` for an entry of firms, `(rows, goods)` for a
    cohort.
    """

    tick: int
    prices: Array
    stock: Array
    money: Array
    accounts: tuple[Array, ...]
    firm_shares: tuple[Array, ...]
    consumer_shares: tuple[Array, ...]


class PostsTick(NamedTuple):
    """A tick: its number, whether it came to numbers, its relative excess demand (`residual`), and `(goods,)` its
    prices, the `demand` of all money bid at the last tick's prices, and the `supply` on offer; `(firms,)` what is paid
    out, the `cash_flow`, and the `outputs` made.
    """

    tick: int
    finite: bool
    residual: float
    prices: Array
    demand: Array
    supply: Array
    cash_flow: Array
    outputs: Array


class Bids(NamedTuple):
    """All bids of a tick.

    `(goods,)`: `offered`, all money `wanted` to be spent and what of it is `accepted` (the rest is handed back, as
    nothing is on offer), the part of that which is `from_consumers`, and the `prices`. `(firms,)`: what of its money
    each firm is `spending`, what of that is dividend, `paid_out`, and what is `returned`. The `purses` of consumers,
    `(rows,)` for each cohort, and the shares of those whose shares move.
    """

    offered: Array
    wanted: Array
    accepted: Array
    from_consumers: Array
    prices: Array
    spending: Array
    paid_out: Array
    returned: Array
    purses: tuple[Array, ...]
    firm_shares: tuple[Array, ...]
    consumer_shares: tuple[Array, ...]

    @property
    def earned(self) -> Array:
        """What a unit of each good on offer brings, `(goods,)`."""
        return _over(self.accepted, self.offered)

    def bought(self, money: Array) -> Array:
        """What `money` bid on each good, `(..., goods)`, buys."""
        return np.where(self.offered > 0, money / self.prices, 0.0)

    def bought_by(self, economy: Economy, shares: Array) -> Array:
        """What firms that bid by `shares` `(edges,)` buy, `(edges,)`."""
        unit = np.where(self.offered > 0, 1.0 / self.prices, 0.0)
        return self.spending[economy.edge_firm] * shares * unit[economy.edge_good]


class Posts:
    """What bids at the posts of an economy, looked up once: `bids` by `cost_shares` or `contribution_shares`, which
    `move` towards what they should be, of so much of its money a firm `spend`s.
    """

    def __init__(self, economy: Economy, bids: str, move: float, spend: float) -> None:
        self.economy, self.by_cost, self.move, self.spend = economy, bids == "cost_shares", move, spend
        self.moving = [number for number, firm in enumerate(economy.firms) if not _fixed(firm.technology)]
        self.choosing = [number for number, cohort in enumerate(economy.consumers) if not _fixed(cohort.utility)]
        firms, goods = len(economy.firm_entry), len(economy.goods)
        self.edge_shares = np.zeros(len(economy.edge_good))
        for firm, edges in zip(economy.firms, economy.edge_rows, strict=True):
            if _fixed(firm.technology):
                technology: Any = firm.technology
                shares = returns_of(firm)[:, None] * technology.form.shares
                self.edge_shares[edges] = np.broadcast_to(shares, (firm.rows, len(firm.inputs))).ravel()
        table = np.zeros((firms, goods))
        np.add.at(table, (economy.edge_firm, economy.edge_good), self.edge_shares)
        self.table = _faster(table)
        self.returns = table.sum(axis=1)
        logs = np.log(np.where(self.edge_shares > 0, self.edge_shares, 1.0))
        self.log_scale = np.bincount(economy.edge_firm, self.edge_shares * logs, firms)
        for firm, rows in zip(economy.firms, economy.firm_rows, strict=True):
            if _fixed(firm.technology):
                self.log_scale[rows] += np.log(firm.technology.output(np.ones((firm.rows, len(firm.inputs)))))

    @cached_property
    def inputs(self) -> list[Any]:
        """The goods used by each entry of firms."""
        return [np.array(firm.inputs, dtype=np.intp) for firm in self.economy.firms]

    def on_offer(self, stock: Array) -> Array:
        """What there is of each good, `(goods,)`, if firms have this `stock` `(firms,)`."""
        return self.economy.total_supply + self.economy.over_outlets(stock)

    def first_shares(self, prices: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """The shares of those whose shares move by which they bid first."""
        firms, consumers = self.economy.firms, self.economy.consumers
        return (
            tuple(first_share(firms[number], prices[self.inputs[number]]) for number in self.moving),
            tuple(_cost_shares(consumers[number].utility, prices) for number in self.choosing),
        )

    def shares(self, state: PostsState) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """The shares by which those bid in the coming tick whose shares move: cost shares go by the last prices."""
        if not self.by_cost:
            return state.firm_shares, state.consumer_shares
        wished = self.first_shares(state.prices)
        return (
            tuple(map(self._moved, state.firm_shares, wished[0])),
            tuple(map(self._moved, state.consumer_shares, wished[1])),
        )

    def place(self, state: PostsState, floor: Array) -> Bids:
        """The two rounds of bids, and the prices at which they meet what is on offer."""
        economy = self.economy
        offered, spending = self.on_offer(state.stock), self.spend * state.money
        firm_shares, consumer_shares = self.shares(state)
        wanted, returns = self.table.T @ spending, self.returns.copy() if self.moving else self.returns
        for number, shares in zip(self.moving, firm_shares, strict=True):
            rows = economy.firm_rows[number]
            wanted[self.inputs[number]] += spending[rows] @ shares
            returns[rows] = shares.sum(axis=1)
        paid_out, sold_out = np.maximum(spending * (1.0 - returns), 0.0), offered <= 0
        from_firms, returned = wanted, np.zeros(len(spending))
        if sold_out.any():
            from_firms = np.where(sold_out, 0.0, wanted)
            returned = spending * self._on(sold_out, firm_shares)
        per_unit, dividends = _over(from_firms, offered), np.bincount(economy.firm_entry, paid_out, len(economy.firms))
        from_consumers, purses = np.zeros(len(offered)), list[Array]()
        for number, (cohort, account) in enumerate(zip(economy.consumers, state.accounts, strict=True)):
            purse = account + cohort.endowment @ per_unit + cohort.budget
            purse = purse + cohort.owns @ dividends if len(dividends) else purse
            shares = self.shares_of(number, consumer_shares)
            bid = np.maximum(purse, 0.0)
            from_consumers += cohort.weight * (bid @ shares if len(shares) == len(bid) else bid.sum() * shares[0])
            purses.append(purse)
        wanted = wanted + from_consumers
        if sold_out.any():
            from_consumers = np.where(sold_out, 0.0, from_consumers)
        accepted = from_firms + from_consumers
        prices = np.where(sold_out, state.prices, np.where(accepted > 0, _over(accepted, offered), floor))
        given = offered, wanted, accepted, from_consumers, prices, spending, paid_out, returned, tuple(purses)
        return Bids(*given, firm_shares, consumer_shares)

    def make(self, bids: Bids) -> Array:
        """What firms make of what they have bought, `(firms,)`: for Cobb-Douglas `ln y = c + r ln m - a.ln p`."""
        economy, sold_out = self.economy, bids.offered <= 0
        outputs = np.exp(self.log_scale + self.returns * np.log(bids.spending) - self.table @ np.log(bids.prices))
        if sold_out.any():
            outputs = np.where(self.table @ sold_out.astype(float) > 0, 0.0, outputs)
        for number, used in zip(self.moving, self._used(bids), strict=True):
            outputs[economy.firm_rows[number]] = economy.firms[number].technology.output(used)
        return outputs

    def step(self, state: PostsState, floor: Array, free: Any) -> tuple[PostsState, PostsTick]:
        """The state after a tick, and the tick. Nothing is traded in tick 0."""
        economy = self.economy
        nothing = np.zeros(len(state.money))
        if state.tick == 0:
            offered = self.on_offer(state.stock)
            excess = relative_excess_demand(-offered, offered, state.prices, free)
            given = state.prices, np.zeros(len(offered)), offered, nothing, nothing
            return state._replace(tick=1), PostsTick(0, True, excess, *given)
        bids = self.place(state, floor)
        outputs = self.make(bids)
        revenue = state.stock * bids.earned[economy.outlet_good]
        money = state.money - bids.spending + bids.returned + revenue
        stock = outputs * economy.outlet_yield
        accounts = tuple(self._kept(number, bids) for number in range(len(economy.consumers)))
        shares = (bids.firm_shares, bids.consumer_shares) if self.by_cost else self._contributions(bids)
        after = PostsState(state.tick + 1, bids.prices, stock, money, accounts, *shares)
        demand = bids.wanted / state.prices
        excess, scale = demand - bids.offered, np.maximum(demand, bids.offered)
        residual = float(relative_excess_demand(excess, scale, bids.prices, free))
        finite = bool(np.isfinite(bids.prices @ scale) and np.isfinite(outputs).all())
        given = bids.prices, demand, bids.offered, bids.paid_out, outputs
        return after, PostsTick(state.tick, finite, residual, *given)

    def consumed(self, number: int, bids: Bids) -> Array:
        """What each row of a cohort gets, `(rows, goods)`."""
        return bids.bought(np.maximum(bids.purses[number], 0.0)[:, None] * self.shares_of(number, bids.consumer_shares))

    def shares_of(self, number: int, moving: Sequence[Array]) -> Array:
        """By what shares a cohort bids, `(rows, goods)`, or one row for all, if these are the shares that move."""
        if number in self.choosing:
            return moving[self.choosing.index(number)]
        return self.economy.consumers[number].utility.form.shares

    def all_shares(self, bids: Bids) -> Array:
        """By what shares firms bid, `(edges,)`."""
        shares = self.edge_shares.copy()
        for number, moving in zip(self.moving, bids.firm_shares, strict=True):
            shares[self.economy.edge_rows[number]] = moving.ravel()
        return shares

    def _on(self, sold_out: Any, firm_shares: Sequence[Array]) -> Array:
        """The part that each firm bids on some goods, `(firms,)`."""
        part = self.table @ sold_out.astype(float)
        for number, shares in zip(self.moving, firm_shares, strict=True):
            part[self.economy.firm_rows[number]] = shares[:, sold_out[self.inputs[number]]].sum(axis=1)
        return part

    def _kept(self, number: int, bids: Bids) -> Array:
        """What is in the accounts of a cohort after a tick, `(rows,)`: what was handed back, what consumers' bids have
        brought, and what could not be paid.
        """
        cohort, purse, sold_out = self.economy.consumers[number], bids.purses[number], bids.offered <= 0
        kept = cohort.endowment @ _over(bids.from_consumers, bids.offered) + np.minimum(purse, 0.0)
        if sold_out.any():
            kept = kept + np.maximum(purse, 0.0) * self.shares_of(number, bids.consumer_shares)[:, sold_out].sum(axis=1)
        return kept

    def _used(self, bids: Bids) -> list[Array]:
        """What each entry whose shares move has bought, `(rows, inputs)`."""
        found = list[Array]()
        for number, shares in zip(self.moving, bids.firm_shares, strict=True):
            at, money = self.inputs[number], bids.spending[self.economy.firm_rows[number]]
            found.append(np.where(bids.offered[at] > 0, money[:, None] * shares / bids.prices[at], 0.0))
        return found

    def _contributions(self, bids: Bids) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """The shares of the next tick where these go by what each input has contributed, `x_i f_i / f`."""
        firms, consumers = list[Array](), list[Array]()
        for number, old, used in zip(self.moving, bids.firm_shares, self._used(bids), strict=True):
            firm = self.economy.firms[number]
            firms.append(self._moved(old, contributions(firm, used, bids.prices[self.inputs[number]])))
        for number, old in zip(self.choosing, bids.consumer_shares, strict=True):
            got = self.consumed(number, bids)
            that = self.economy.consumers[number].utility.value_shares(got, bids.prices)
            consumers.append(self._moved(old, np.where(got.any(axis=1, keepdims=True), that, np.nan)))
        return tuple(firms), tuple(consumers)

    def _moved(self, old: Array, that: Array) -> Array:
        """`old^(1-move) that^move`, of the sum of `that`; the old where that is unknown."""
        total = that.sum(axis=-1, keepdims=True)
        mixed = that
        if self.move < 1.0:
            mixed = old ** (1.0 - self.move) * that**self.move
            mixed = mixed * _over(total, mixed.sum(axis=-1, keepdims=True))
        return np.where(np.isfinite(total) & (total > 0), mixed, old)


def returns_of(firm: Firm) -> Array:
    """Returns to scale of each row, `(rows,)`, of a technology that has a form."""
    return np.broadcast_to(np.asarray(getattr(firm.technology, "returns", 1.0)), firm.rows)


def first_share(firm: Firm, prices: Array) -> Array:
    """The shares of cost at input `prices` `(inputs,)` times returns, `(rows, inputs)`. Of a formula, which has none
    without the price of what is made, what a unit of each input contributes, or equal parts where that makes nothing.
    """
    if isinstance(firm.technology, FormulaTechnology):
        parts = contributions(firm, np.ones((firm.rows, len(prices))), prices)
        return np.where(np.isfinite(parts).all(axis=1, keepdims=True), parts, 1.0 / (1.0 + len(prices)))
    return returns_of(firm)[:, None] * _cost_shares(firm.technology, prices)


def contributions(firm: Firm, used: Array, prices: Array) -> Array:
    """`x_i f_i / f` of inputs `used` `(rows, inputs)`, their sum at most 1; not numbers where nothing is made."""
    technology: Any = firm.technology
    if isinstance(technology, FormulaTechnology):
        made = technology.output(used)[:, None]
        parts = np.where(used > 0, used * technology.marginal_product(used, prices), 0.0) / np.where(
            made > 0, made, np.nan
        )
        return parts / np.maximum(parts.sum(axis=1, keepdims=True), 1.0)
    shares = returns_of(firm)[:, None] * technology.form.value_shares(used, prices)
    return np.where(used.any(axis=1, keepdims=True), shares, np.nan)


def _cost_shares(of: Any, prices: Array) -> Array:
    """The shares of a form that cost least at `prices` `(goods,)`, `(rows, goods)`."""
    return prices * of.form.log_cost_gradient(prices)


def _fixed(of: Any) -> bool:
    """Whether a technology or a taste bids by shares that never move."""
    return isinstance(getattr(of, "form", None), forms.CobbDouglas)


def _over(values: Array, by: Array) -> Array:
    """`values / by`, 0 where `by` is."""
    return np.divide(values, by, out=np.zeros(np.broadcast_shapes(values.shape, by.shape)), where=by > 0)


def _faster(table: Array) -> Any:
    """A table as it is multiplied fastest."""
    if np.count_nonzero(table) >= SPARSE * table.size:
        return table
    from scipy.sparse import csr_array

    return cast("Any", csr_array(table))
