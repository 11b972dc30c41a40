"""A market that learns: orders for bundles, sellers who fill them, hidden firms that redesign what bundles are made of.

Prices move along excess demand by the same rule as in every other market; here excess demand for a good is what is in
the bundles whose orders stay unfilled. Prices are the weights, unfilled orders the error (see `economics.bundles`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import mesa
import numpy as np

from simulator.dynamics.cycles import find_cycle
from simulator.dynamics.market import Market
from simulator.dynamics.outcomes import BOUND, STILL, STILL_TICKS, PriceHistory, Verdict
from simulator.dynamics.price_rules import PriceRule
from simulator.economics.bundles import SELLERS, Layer, binary, contents, redesigns, separable
from simulator.economics.economy import Economy, Indices
from simulator.economics.forms import Array


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is to be learnt: `inputs` `(patterns, inputs)` and `orders` `(patterns, contracts)`, and likewise what is
    held out for a test; who sells, the layers of hidden firms with the designs they begin with `(firms, goods below)`,
    and how many patterns stand in a tick's market (`batch`, all if 0).
    """

    input_names: tuple[str, ...]
    contracts: tuple[str, ...]
    inputs: Array
    orders: Array
    test_inputs: Array
    test_orders: Array
    sellers: str
    layers: tuple[Layer, ...]
    designs: tuple[Array, ...]
    batch: int

    @property
    def goods(self) -> int:
        """How many goods each contract prices, the constant one included."""
        return 1 + (self.layers[-1].firms if self.layers else self.inputs.shape[1])

    @cached_property
    def separable(self) -> bool | None:
        """Whether prices of the inputs can fill all orders, all or nothing; None where orders are not 0 or 1."""
        if len(self.contracts) > 1 or not binary(self.orders):
            return None
        return separable(self.inputs, self.orders[:, 0])

    @property
    def ticks_a_round(self) -> int:
        """How many ticks it takes until every pattern has been in the market."""
        return -(-len(self.inputs) // self.batch) if self.batch else 1


class Session(NamedTuple):
    """A tick as it is: `prices` and planned `demand` and `supply` `(goods,)`, contract after contract; which `patterns`
    were in the market, what their bundles paid and what was supplied `(patterns, contracts)`; the `designs`.
    """

    tick: int
    prices: Array
    demand: Array
    supply: Array
    patterns: Indices
    paid: Array
    supplied: Array
    designs: tuple[Array, ...]

    @property
    def finite(self) -> bool:
        """Whether the market can go on."""
        return bool(np.isfinite(self.prices).all() and np.isfinite(self.paid).all())


class BundleSellers(mesa.Agent):
    """Those who fill orders: they supply more of a bundle the more it pays."""

    def __init__(self, model: mesa.Model, kind: str) -> None:
        super().__init__(model)
        self.kind = SELLERS[kind]

    def supply(self, held: Array, prices: Array) -> tuple[Array, Array]:
        """What bundles `(patterns, goods)` pay at `prices` `(goods, contracts)`, and what is supplied of them."""
        paid = held @ prices
        return paid, self.kind.supply(paid)


class HiddenFirms(mesa.Agent):
    """A layer of firms, each with a design of its good: a row of `design` `(firms, goods below)`."""

    def __init__(self, model: mesa.Model, layer: Layer, design: Array) -> None:
        super().__init__(model)
        self.layer, self.design = layer, design

    def redesign(self, change: Array) -> None:
        """Climb marginal revenue on unfilled orders by one step."""
        self.design = self.design + self.layer.rate * change


class LearningMarket(Market):
    """The market of a lesson under a price rule; `now` is the tick just over."""

    def __init__(self, economy: Economy, lesson: Lesson, rule: PriceRule, prices: Array, seed: int) -> None:
        super().__init__(rng=seed)
        self.economy, self.lesson, self.rule, self.seed = economy, lesson, rule, seed
        self.sellers = BundleSellers(self, lesson.sellers)
        firms = zip(lesson.layers, lesson.designs, strict=True)
        self.hidden = [HiddenFirms(self, layer, design) for layer, design in firms]
        self._memory = rule.start()
        self._next = np.array(prices, dtype=float)
        self._round: tuple[int, Indices] = (-1, np.zeros(0, dtype=np.intp))
        nothing, none = np.zeros(len(prices)), np.zeros((0, len(lesson.contracts)))
        self.now = Session(-1, self._next, nothing, nothing, np.zeros(0, dtype=np.intp), none, none, self.designs)

    @property
    def designs(self) -> tuple[Array, ...]:
        """What the firms of each layer make their goods of."""
        return tuple(firms.design for firms in self.hidden)

    def advance(self) -> None:
        """One tick: bundles are filled with goods, orders with bundles; prices and designs follow what is unfilled."""
        lesson, tick, prices, designs = self.lesson, self.now.tick + 1, self._next, self.designs
        patterns = self._in_the_market(tick)
        with np.errstate(all="ignore"):
            held = contents(lesson.inputs[patterns], designs, lesson.layers)
            by_contract = prices.reshape(len(lesson.contracts), -1)
            paid, supplied = self.sellers.supply(held.priced, by_contract.T)
            orders = lesson.orders[patterns]
            unfilled = orders - supplied
            excess_demand, supply = ((held.priced.T @ units).T.ravel() for units in (unfilled, supplied))
            demand = excess_demand + supply
            if self.hidden:
                changes = redesigns(held, designs, lesson.layers, unfilled @ by_contract)
                for firms, change in zip(self.hidden, changes, strict=True):
                    firms.redesign(change)
            scale = np.maximum(np.abs(demand), np.abs(supply))
            self._next, self._memory = self.rule.next_prices(prices, excess_demand, scale, self._memory)
        self.steps = tick + 1
        self.now = Session(tick, prices, demand, supply, patterns, paid, supplied, designs)

    def answers(self, inputs: Array) -> tuple[Array, Array]:
        """What bundles of `inputs` `(patterns, inputs)` pay at this tick's prices and designs, and what is supplied of
        them, `(patterns, contracts)` each.
        """
        now, lesson = self.now, self.lesson
        with np.errstate(all="ignore"):
            held = contents(inputs, now.designs, lesson.layers).priced
            return self.sellers.supply(held, now.prices.reshape(len(lesson.contracts), -1).T)

    def everything(self) -> tuple[Array, Array]:
        """What the bundles of all patterns pay, and what is supplied of them: `answers` to all that is to be learnt."""
        now = self.now
        if len(now.patterns) == len(self.lesson.inputs):
            return now.paid, now.supplied
        return self.answers(self.lesson.inputs)

    def _in_the_market(self, tick: int) -> Indices:
        """The patterns of a tick: all, or the next of a round in which each comes once, in an order of its own."""
        lesson = self.lesson
        count = len(lesson.inputs)
        if not lesson.batch:
            return np.arange(count)
        number, place = divmod(tick, lesson.ticks_a_round)
        if self._round[0] != number:
            stream = np.random.default_rng([self.seed, _ORDER, number])
            self._round = number, stream.permutation(count)
        return self._round[1][place * lesson.batch : (place + 1) * lesson.batch]

    @property
    def prices(self) -> Array:
        """Going prices, `(goods,)`."""
        return self.now.prices

    @property
    def demand(self) -> Array:
        """What the orders in the market contain, `(goods,)`."""
        return self.now.demand

    @property
    def supply(self) -> Array:
        """What the bundles supplied contain, `(goods,)`."""
        return self.now.supply

    @property
    def unfilled(self) -> Array:
        """The orders of all patterns that stay unfilled at this tick's prices, `(patterns, contracts)`."""
        return self.lesson.orders - self.everything()[1]

    @property
    def residual(self) -> float:
        """The mean square of unfilled orders."""
        with np.errstate(all="ignore"):
            return float(np.mean(self.unfilled**2))

    @property
    def still(self) -> bool:
        """Whether neither free prices nor designs move in the tick to come."""
        free = ~self.rule.fixed
        before, after = (self.now.prices[free], *self.now.designs), (self._next[free], *self.designs)
        return all(map(_still, before, after))

    def enter(self, economy: Economy) -> None:
        """Learning markets know no shocks."""

    def state(self) -> dict[str, Array]:
        """All that the next tick depends on, as arrays."""
        designs = {f"design{i}": design for i, design in enumerate(self.designs)}
        memory = {f"memory{i}": memo for i, memo in enumerate(self._memory)}
        return {"tick": np.array(self.now.tick), "prices": self._next, **designs, **memory}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.now = self.now._replace(tick=int(state["tick"]))
        self._next = state["prices"]
        self._memory = tuple(state[f"memory{i}"] for i in range(len(self._memory)))
        for number, firms in enumerate(self.hidden):
            firms.design = state[f"design{number}"]


def _still(before: Array, after: Array) -> bool:
    """Whether none of some numbers has moved, relative to the largest of them."""
    with np.errstate(all="ignore"):
        return bool(np.abs(after - before).max(initial=0.0) <= STILL * np.abs(before).max(initial=0.0))


_ORDER = 0x0DE5
"""Beside the run's seed and a round's number, what the order of its patterns is drawn from."""


class LearningJudge:
    """Names the outcome of a market that learns: cleared once every order is filled, whatever prices do."""

    waits = False

    def __init__(self, market: LearningMarket, tolerance: float) -> None:
        self.tolerance = tolerance
        self.bound = BOUND * max(float(np.max(np.abs(market.prices))), 1.0)
        self.history = PriceHistory(len(market.prices))
        self.still = 0
        """For how many ticks nothing has moved."""

    def look(self, market: LearningMarket) -> None:
        """Take note of a tick."""
        self.history.append(market.prices)
        self.still = self.still + 1 if market.still else 0

    def forget(self) -> None:
        """Nothing has to be forgotten."""

    def state(self) -> dict[str, Array]:
        """What the verdict depends on, as arrays."""
        return {**self.history.state(), "still": np.array(self.still)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.history.restore(state)
        self.still = int(state["still"])

    def verdict(self, market: LearningMarket) -> Verdict | None:
        """The verdict if the run is over after the tick just looked at, None while it may go on."""
        now, lesson = market.now, market.lesson
        if not now.finite or not np.abs(now.prices).max() <= self.bound:
            beyond = np.flatnonzero(~(np.abs(now.prices) <= self.bound))
            names = [market.economy.goods[good] for good in beyond[:3].tolist()]
            which = f"the price of {' and '.join(names)}" if names else "what bundles pay"
            return Verdict("diverged", f"{which} leaves every bound; a smaller rate may not")
        worst = float(np.abs(lesson.orders[now.patterns] - now.supplied).max())
        if worst <= self.tolerance:
            worst = float(np.abs(market.unfilled).max())
        if worst <= self.tolerance:
            return Verdict("cleared", f"every order is filled to {worst:.2g}")
        if self.still >= (STILL_TICKS + market.rule.wait) * lesson.ticks_a_round:
            which = "prices and designs" if market.hidden else "prices"
            return Verdict("settled_off_equilibrium", f"{which} stand still while {self._left(market)}")
        return None

    def close(self, market: LearningMarket) -> Verdict:
        """The verdict once ticks have run out."""
        prices = self.history.prices()
        # In logarithms a price that is negative has no place; what returns in prices returns in their exponents.
        span = np.abs(prices).max() or 1.0
        cycle = find_cycle(prices / span, self.tolerance)
        if cycle is not None and not market.lesson.batch:
            half = 0.5 * float(np.ptp(prices[-int(np.ceil(cycle.period)) - 1 :, cycle.good]))
            swing = f"that of {market.economy.goods[cycle.good]} swings by {half:.3g} either way"
            reason = f"prices return every {cycle.period:.4g} ticks, {swing}, while {self._left(market)}"
            return Verdict("cycled", reason, cycle.period, half)
        return Verdict("out_of_ticks", self._left(market))

    def _left(self, market: LearningMarket) -> str:
        """How many orders stay unfilled, and by how much."""
        unfilled = np.abs(market.unfilled)
        worst, count = float(unfilled.max()), int((unfilled.max(axis=1) > self.tolerance).sum())
        some = f"{count:,} of {len(unfilled):,} orders stay unfilled"
        return f"{some}, by up to {worst:.3g} (tolerance {self.tolerance:.2g})"
