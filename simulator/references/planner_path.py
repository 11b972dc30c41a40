"""The planner's path: gradient ascent on the allocation, with the prices of the full reverse sweep.

The market's dual twin descends a function of prices. A planner moves quantities instead. He passes raw supplies
forward, splits each good among its users in proportion to what he intends for them, and learns from a reverse sweep
what a unit of each good adds to the objective (`a`, his prices) and what it adds where it is used (`v`). Of the
objective `W` at the share-out of intentions `d`

    dW / d ln d_e = x_e (v_e - a_g)

for a user `e` of the good `g`: what it gets, times how much more a unit is worth there than on average.

Source: Lange (1936), Kantorovich (1939); the step is that of exponentiated gradients (Kivinen, Warmuth 1997).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.agents import Consumers
from simulator.economics.allocation import marginal_products, outputs, share_out
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.potential import Reference
from simulator.economics.rows import over_blocks, sum_up
from simulator.references.adjoint import adjoints, edge_values

FOOTHOLD = 1e-12
"""Part of an equal share of a good that every user of it is given at least: who has nothing cannot come back in
logarithms.
"""
LITTLE = 1e-9
"""A quantity of which every wanted good is worth something."""


class Sweep(NamedTuple):
    """Forward and back through an economy: `fraction` `(goods,)` of what is intended that users get, `inputs`
    `(edges,)` and what is `made` of them `(firms,)`, the sweep's `prices` `(goods,)`, and what a unit is worth to each
    user: `edge_values` `(edges,)`, and `consumer_values` `(rows, goods)` for each cohort.
    """

    fraction: Array
    inputs: Array
    made: Array
    prices: Array
    edge_values: Array
    consumer_values: tuple[Array, ...]


class PlannerPath:
    """An allocation that climbs the objective, one step a tick: `ln d_e += rate (v_e - a_g) / max(|v_e|, |a_g|)` at the
    price rule's rate, no step larger than it.

    `intended_inputs` `(edges,)` and `intended_consumption`, `(rows, goods)` for each cohort, are the intentions `d` of
    tick `tick`; of a good with an outside price they are had as they are, and `a_g` is that price. They begin as
    planned demand at the initial prices. A firm that idles makes nothing of one more unit, which counts as 0. Where a
    good has one user nothing is to be split: in a tree the prices are right from the first tick on.

    For economies with one objective: goods sold outside, quasi-linear consumers, budgets spent in homothetic tastes.
    """

    kind: ClassVar = "primal"

    def __init__(self, economy: Economy, rule: PriceRule, initial_prices: Array) -> None:
        self.economy, self.rate = economy, rule.rate
        self.tick = 0
        self.prices = np.array(initial_prices, dtype=float)
        # At a price of 0 some demand has no end, and no proportions.
        quoted = np.maximum(self.prices, np.maximum(rule.floor, FOOTHOLD))
        with np.errstate(all="ignore"):
            _, made, inputs = economy.profits(quoted, economy.first_guess())
            bundles = [_planned(cohort, quoted) for cohort in economy.consumers]
        self.made = np.where(np.isfinite(made), made, 0.0)
        self.intended_inputs = _finite(inputs)
        self.intended_consumption = [_finite(bundle) for bundle in bundles]
        self._settle_in()

    def change_economy(self, economy: Economy, reference: Reference) -> None:
        """Go on with the same intentions in another economy (after a shock)."""
        self.economy = economy
        self._settle_in()

    def _settle_in(self) -> None:
        """Find out who uses what, and give everybody a foothold."""
        economy = self.economy
        self._wanted = [_wanted(cohort) for cohort in economy.consumers]
        self._users = economy.over_edges(np.ones(len(self.intended_inputs)))
        for cohort, wanted in zip(economy.consumers, self._wanted, strict=True):
            self._users += cohort.weight * wanted.sum(axis=0)
        least = self._foothold()
        self.intended_inputs = np.maximum(self.intended_inputs, least[economy.edge_good])
        for number, (intended, wanted) in enumerate(zip(self.intended_consumption, self._wanted, strict=True)):
            self.intended_consumption[number] = np.where(wanted, np.maximum(intended, least), 0.0)
        self._sweep: Sweep | None = None

    def advance(self, tick: int) -> Array:
        """Climb up to `tick` and return the sweep's prices there, `(goods,)`; not a number where a good has no use."""
        while self.tick < tick:
            self._climb(self.evaluate())
            self.tick, self._sweep = self.tick + 1, None
        return self.evaluate().prices

    def evaluate(self) -> Sweep:
        """The sweep at the present intentions."""
        if self._sweep is None:
            with np.errstate(all="ignore"):
                self._sweep = self._swept()
        return self._sweep

    def _swept(self) -> Sweep:
        economy, intended = self.economy, self._intended_in_all()
        fraction = share_out(economy, self.intended_inputs, intended, self.made)
        inputs = self.intended_inputs * fraction[economy.edge_good]
        parts = zip(economy.consumers, self.intended_consumption, strict=True)
        valued = [_valued(cohort, d, fraction, self.prices) for cohort, d in parts]
        objective = sum((total for _, total in valued), np.zeros(len(fraction)))
        products = marginal_products(economy, self.prices, inputs)
        products = np.where(np.isnan(products), 0.0, products)
        prices = adjoints(economy, inputs, intended * fraction, products, objective)
        made, worth_there = outputs(economy, inputs), edge_values(economy, prices, products)
        return Sweep(fraction, inputs, made, prices, worth_there, tuple(values for values, _ in valued))

    def _climb(self, sweep: Sweep) -> None:
        """Move every intention one step along what its user's unit is worth above the good's price."""
        edge_good, prices = self.economy.edge_good, sweep.prices
        # What is intended is counted in what is there, so that it neither grows nor shrinks without end.
        kept = np.where(sweep.fraction > 0, sweep.fraction, 1.0)
        least = kept * self._foothold()
        with np.errstate(all="ignore"):
            step = _step(self.rate, sweep.edge_values, prices[edge_good])
            self.intended_inputs = np.maximum(self.intended_inputs * kept[edge_good] * step, least[edge_good])
            numbers = range(len(self.economy.consumers))
            self.intended_consumption = [self._moved(number, sweep, kept, least) for number in numbers]
        self.made, self.prices = sweep.made, np.where(np.isfinite(prices), prices, self.prices)

    def _moved(self, number: int, sweep: Sweep, kept: Array, least: Array) -> Array:
        """What is intended for each consumer of a cohort after the step, `(rows, goods)`."""
        intended, wanted = self.intended_consumption[number], self._wanted[number]
        values, following = sweep.consumer_values[number], np.empty(intended.shape, order="F")

        def move(block: tuple[slice, Consumers]) -> None:
            part, _ = block
            moved = intended[part] * kept * _step(self.rate, values[part], sweep.prices)
            np.maximum(moved, np.where(wanted[part], least, 0.0), out=following[part])

        over_blocks(self.economy.consumers[number].blocks, move)
        return following

    def _foothold(self) -> Array:
        """A vanishing part of an equal share of what is intended of each good, `(goods,)`."""
        total = self.economy.over_edges(self.intended_inputs) + self._intended_in_all()
        return FOOTHOLD * np.where(total > 0, total, 1.0) / np.maximum(self._users, 1.0)

    def _intended_in_all(self) -> Array:
        """All intended consumption, `(goods,)`."""
        parts = zip(self.economy.consumers, self.intended_consumption, strict=True)
        return sum((cohort.weight * d.sum(axis=0) for cohort, d in parts), np.zeros(len(self.economy.goods)))

    def state(self) -> dict[str, Array]:
        """Where the path is, as arrays."""
        consumption = {f"consumption{i}": intended for i, intended in enumerate(self.intended_consumption)}
        numbers = {"tick": np.array(self.tick), "prices": self.prices, "made": self.made}
        return {**numbers, "inputs": self.intended_inputs, **consumption}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.tick, self.prices, self.made = int(state["tick"]), state["prices"], state["made"]
        self.intended_inputs = state["inputs"]
        numbers = range(len(self.intended_consumption))
        # Sums depend in their last bit on how an array is laid out.
        self.intended_consumption = [np.asfortranarray(state[f"consumption{i}"]) for i in numbers]
        self._sweep = None


def _step(rate: float, values: Array, prices: Array) -> Array:
    """What an intention is multiplied by; 1 where a value or a price is unknown."""
    pull = (values - prices) / np.maximum(np.abs(values), np.abs(prices))
    return np.exp(rate * np.where(np.isfinite(pull), pull, 0.0))


def _planned(cohort: Consumers, prices: Array) -> Array:
    """What each would buy at the prices, `(rows, goods)`, by the judges' road."""
    income = np.broadcast_to(cohort.budget, (cohort.size,))
    return np.array(cohort.utility.dual_demand(prices, income))


def _valued(cohort: Consumers, intended: Array, fraction: Array, prices: Array) -> tuple[Array, Array]:
    """What a unit is worth to each consumer at its `fraction` of what is `intended`, `(rows, goods)`, and the sum of
    value times quantity, `(goods,)`.
    """
    values = np.empty(intended.shape, order="F")

    def value(block: tuple[slice, Consumers]) -> Array:
        part, some = block
        quantities = intended[part] * fraction
        worth = _worth(some, quantities, prices)
        np.divide(worth, quantities, out=values[part])
        return worth.sum(axis=0)

    return values, cohort.weight * sum_up(over_blocks(cohort.blocks, value))


def _worth(consumers: Consumers, quantities: Array, prices: Array) -> Array:
    """Marginal value times quantity, `(rows, goods)`, in the objective's terms: `B ln u` of who spends a budget `B`,
    else the surplus of quasi-linear consumers.
    """
    utility, money = consumers.utility, np.broadcast_to(consumers.budget, (consumers.size,))
    enjoyed = money if utility.needs_income else utility.worth(quantities, prices, money)
    return np.where(quantities > 0, enjoyed[:, None] * utility.value_shares(quantities, prices), 0.0)


def _wanted(cohort: Consumers) -> NDArray[np.bool_]:
    """Which goods are of use to whom, `(rows, goods)`."""
    goods = cohort.endowment.shape[1]
    ones = np.ones(goods)
    useful = [_worth(some, np.full((some.size, goods), LITTLE), ones) > 0 for _, some in cohort.blocks]
    return np.asfortranarray(np.concatenate(useful))


def _finite(quantities: Array) -> Array:
    """Quantities where those without end are the largest of the others, or 1."""
    known = np.isfinite(quantities)
    quantities = np.asfortranarray(quantities)
    return np.where(known, quantities, quantities.max(initial=0.0, where=known) or 1.0)
