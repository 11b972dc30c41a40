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

from collections.abc import Callable, Mapping, Sequence
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
from simulator.formulas.in_floats import InFloats, in_arrays, plain
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


class Intentions(NamedTuple):
    """What the planner intends in a tick, `inputs` `(edges,)` and `consumption` `(rows, goods)` for each cohort, and
    what he knows of the tick before: its sweep's `prices` `(goods,)`, and what was `made` `(firms,)`.
    """

    prices: Array
    made: Array
    inputs: Array
    consumption: tuple[Array, ...]


class PlannerPath:
    """An allocation that climbs the objective, one step a tick: `ln d_e += rate (v_e - a_g) / max(|v_e|, |a_g|)` at the
    price rule's rate, no step larger than it.

    Of a good with an outside price they are had as they are, and `a_g` is that price. They begin as
    planned demand at the initial prices. A firm that idles makes nothing of one more unit, which counts as 0. Where a
    good has one user nothing is to be split: in a tree the prices are right from the first tick on.

    For economies with one objective: goods sold outside, quasi-linear consumers, budgets spent in homothetic tastes.
    """

    kind: ClassVar = "primal"

    def __init__(self, economy: Economy, rule: PriceRule, initial_prices: Array) -> None:
        self.rate, self.tick, prices = rule.rate, 0, np.array(initial_prices, dtype=float)
        # At a price of 0 some demand has no end, and no proportions.
        quoted = np.maximum(prices, np.maximum(rule.floor, FOOTHOLD))
        with np.errstate(all="ignore"):
            production = economy.production(quoted, economy.first_guess(), economy.first_levels())
            bundles = tuple(_finite(_planned(cohort, quoted)) for cohort in economy.consumers)
        made, inputs = production.outputs, production.inputs
        self._now = Intentions(prices, np.where(np.isfinite(made), made, 0.0), _finite(inputs), bundles)
        self._settle_in(economy)

    def change_economy(self, economy: Economy, reference: Reference) -> None:
        """Go on with the same intentions in another economy (after a shock)."""
        self._settle_in(economy)

    def move(self, moved: Callable[[Array], Array]) -> None:
        """A planner quotes no prices that could be moved."""

    def _settle_in(self, economy: Economy) -> None:
        """Find out who uses what, and give everybody a foothold."""
        self.economy, now = economy, self.intentions
        self._wanted = [_wanted(cohort) for cohort in economy.consumers]
        self._users = economy.over_edges(np.ones(len(now.inputs)))
        for cohort, wanted in zip(economy.consumers, self._wanted, strict=True):
            self._users += cohort.weight * wanted.sum(axis=0)
        least = self._foothold(now)
        bundles = zip(now.consumption, self._wanted, strict=True)
        consumption = tuple(np.where(wanted, np.maximum(intended, least), 0.0) for intended, wanted in bundles)
        self._now = now._replace(inputs=np.maximum(now.inputs, least[economy.edge_good]), consumption=consumption)
        self._in_floats = InFloats(self._ahead) if economy.small() else None
        self._seen: tuple[Array, Intentions] | None = None

    @property
    def intentions(self) -> Intentions:
        """The intentions of tick `tick`."""
        consumption = (np.asfortranarray(intended) for intended in self._now.consumption)
        return in_arrays(self._now._replace(consumption=()))._replace(consumption=tuple(consumption))

    def advance(self, tick: int) -> Array:
        """Climb up to `tick` and return the sweep's prices there, `(goods,)`; not a number where a good has no use."""
        while self.tick < tick:
            self._now, self.tick, self._seen = self._look()[1], self.tick + 1, None
        return np.asarray(self._look()[0])

    def _look(self) -> tuple[Array, Intentions]:
        """The sweep's prices at the present intentions, and the coming ones."""
        # The first sweep is not worth a text.
        if self._seen is None and self._in_floats is not None and self.tick:
            now = self._now
            self._seen = self._in_floats(now if isinstance(now.prices, tuple) else plain(now))
        if self._seen is None:
            with np.errstate(all="ignore"):
                self._seen = self._ahead(self.intentions)
        return self._seen

    def _ahead(self, now: Intentions) -> tuple[Array, Intentions]:
        sweep = self.sweep(now)
        return sweep.prices, self._climb(now, sweep)

    @np.errstate(all="ignore")
    def sweep(self, now: Intentions) -> Sweep:
        """Forward and back at intentions."""
        economy, intended = self.economy, self._intended_in_all(now)
        yields = economy.outlet_yield
        edges, fraction = share_out(economy, now.inputs, intended, now.made, yields)
        inputs = now.inputs * edges
        parts = zip(economy.consumers, now.consumption, strict=True)
        valued = [_valued(cohort, d, fraction, now.prices) for cohort, d in parts]
        objective = sum((total for _, total in valued), np.zeros(len(fraction)))
        products = marginal_products(economy, now.prices, inputs)
        products = np.where(np.isnan(products), 0.0, products)
        prices = adjoints(economy, inputs, intended * fraction, products, objective, yields)
        made, worth_there = outputs(economy, inputs), edge_values(economy, prices, products, yields)
        return Sweep(fraction, inputs, made, prices, worth_there, tuple(values for values, _ in valued))

    def _climb(self, now: Intentions, sweep: Sweep) -> Intentions:
        """Every intention one step along what its user's unit is worth above the good's price."""
        edge_good, prices = self.economy.edge_good, sweep.prices
        # What is intended is counted in what is there, so that it neither grows nor shrinks without end.
        kept = np.where(sweep.fraction > 0, sweep.fraction, 1.0)
        least = kept * self._foothold(now)
        step = _step(self.rate, sweep.edge_values, prices[edge_good])
        inputs = np.maximum(now.inputs * kept[edge_good] * step, least[edge_good])
        numbers = range(len(self.economy.consumers))
        consumption = tuple(self._moved(number, now, sweep, kept, least) for number in numbers)
        known = np.where(np.isfinite(prices), prices, now.prices)
        return Intentions(known, sweep.made, inputs, consumption)

    def _moved(self, number: int, now: Intentions, sweep: Sweep, kept: Array, least: Array) -> Array:
        """What is intended for each consumer of a cohort after the step, `(rows, goods)`."""
        intended, wanted, values = now.consumption[number], self._wanted[number], sweep.consumer_values[number]

        def move(block: tuple[slice, Consumers]) -> Array:
            part, _ = block
            moved = intended[part] * kept * _step(self.rate, values[part], sweep.prices)
            return np.maximum(moved, np.where(wanted[part], least, 0.0))

        return _together(over_blocks(self.economy.consumers[number].blocks, move))

    def _foothold(self, now: Intentions) -> Array:
        """A vanishing part of an equal share of what is intended of each good, `(goods,)`."""
        total = self.economy.over_edges(now.inputs) + self._intended_in_all(now)
        return FOOTHOLD * np.where(total > 0, total, 1.0) / np.maximum(self._users, 1.0)

    def _intended_in_all(self, now: Intentions) -> Array:
        """All intended consumption, `(goods,)`."""
        parts = zip(self.economy.consumers, now.consumption, strict=True)
        return sum((cohort.weight * d.sum(axis=0) for cohort, d in parts), np.zeros(len(self.economy.goods)))

    def state(self) -> dict[str, Array]:
        """Where the path is, as arrays."""
        now = self.intentions
        consumption = {f"consumption{i}": intended for i, intended in enumerate(now.consumption)}
        return {
            "tick": np.array(self.tick),
            "prices": now.prices,
            "made": now.made,
            "inputs": now.inputs,
            **consumption,
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        consumption = tuple(state[f"consumption{i}"] for i in range(len(self.economy.consumers)))
        self._now = Intentions(state["prices"], state["made"], state["inputs"], consumption)
        self.tick, self._seen = int(state["tick"]), None


def _together(blocks: Sequence[Array]) -> Array:
    """Blocks of rows as one table, stored good by good: sums depend in their last bit on how an array is laid out."""
    return blocks[0] if len(blocks) == 1 else np.asfortranarray(np.concatenate(blocks))


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

    def value(block: tuple[slice, Consumers]) -> tuple[Array, Array]:
        part, some = block
        quantities = intended[part] * fraction
        worth = _worth(some, quantities, prices)
        return worth / quantities, worth.sum(axis=0)

    values, totals = zip(*over_blocks(cohort.blocks, value), strict=True)
    return _together(values), cohort.weight * sum_up(totals)


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
