"""A market that learns: orders for bundles, sellers who fill them, hidden firms that redesign what bundles are made of.

Prices move along excess demand by the same rule as in every other market; here excess demand for a good is what is in
the bundles whose orders stay unfilled. Prices are the weights, unfilled orders the error (see `economics.bundles`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, Tag

from simulator.dynamics.cycles import find_cycle
from simulator.dynamics.learning_tick import LearningState, LearningTick, TrainingSet
from simulator.dynamics.price_rules import RECIPES, PriceRule
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import BOUND, STILL, STILL_TICKS, PriceHistory, Verdict, VerdictRule
from simulator.economics.bundles import SELLERS, Sellers, contents, redesigns
from simulator.economics.economy import Economy, Indices
from simulator.economics.forms import Array
from simulator.economics.user_markets import UserMarkets
from simulator.kinds.entry import LIST, MAPPING, NUMBER, TEXT, Entry, Name, Positive, Whole, by_shape
from simulator.kinds.wording import quoted
from simulator.records.columns import LEARNING_TICKS
from simulator.schedulers.scheduler import (
    Findings,
    Participant,
    Quotes,
    Scheduler,
    SchedulerSettings,
    Setup,
    ViewOptions,
)
from simulator.sentences import Facts

if TYPE_CHECKING:
    from simulator.records.kept import Kept
    from simulator.records.learning_view import LearningView

NEGATIVE = "prices of a market that learns may be negative"
LearningTransition = Transition[LearningState, LearningTick]


class Patterns(Entry):
    """What bundles contain, and how much of each is ordered; a row each, inline or in a CSV file."""

    inputs: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="columns that say what is in a bundle (default: all but the target)"
    )
    target: Name | None = Field(None, description="column that says how much is ordered, or under logit which contract")
    rows: Annotated[list[Annotated[dict[Name, float], Field(min_length=1)]], Field(min_length=1)] | None = Field(
        None, description="the patterns, a mapping from column to number each"
    )
    csv: Annotated[str, Field(min_length=1)] | None = Field(None, description="CSV file: a header, then a row each")
    dataset: Literal["digits"] | None = Field(
        None, description="handwritten digits of 8 by 8 pixels, ink from 0 to 1 (needs scikit-learn: the digits extra)"
    )
    test: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="part of the patterns that is held out of learning, the same part of each contract"
    )


class Hidden(Entry):
    """A layer of firms that design their goods."""

    firms: Annotated[Whole, Field(ge=1, le=100_000)] = Field(description="how many firms the layer has")
    activation: Literal["tanh", "relu", "sigmoid"] = Field("tanh", description="what a firm makes of a bundle")
    rate: Positive = Field(0.1, description="step of a design along marginal revenue")


class LearningSettings(SchedulerSettings):
    """Orders for bundles, who fills them, and who makes what is in them."""

    asked_for = "learning: {...}, in the place of goods, firms and consumers"
    plans = rations = False
    meaning = "a market of bundles whose prices are weights: excess demand is what is in unfilled orders"
    columns: ClassVar = {"ticks": LEARNING_TICKS}

    patterns: Patterns = Field(description="what is in the bundles, and what is ordered")
    supply: Literal["linear", "all_or_nothing", "logit"] = Field("linear", description="how orders are filled")
    hidden: (
        Annotated[
            Annotated[Hidden, Tag(MAPPING)] | Annotated[list[Hidden], Field(min_length=1), Tag(LIST)],
            by_shape("a layer of firms or a list of layers"),
        ]
        | None
    ) = Field(None, description="firms that redesign their goods, from the inputs up")
    batch: Annotated[
        Annotated[Literal["all", "one"], Tag(TEXT)] | Annotated[Whole, Field(ge=1), Tag(NUMBER)],
        by_shape("all, one, or a number of patterns", "all", "one"),
    ] = Field("all", description="how many patterns are in the market at a time; each comes once in a round")

    def build(self, setup: Setup) -> Learning:
        assert setup.training is not None
        return Learning(setup.rule, setup.training)

    def refuse(self, findings: Findings) -> None:
        """Complain about what has no place beside learning."""
        for good, market in findings.model.markets.items():
            if market.rival is False:
                message = "found rival: false beside learning; expected none: every good has one price"
                findings.fault(("goods", good, "rival"), message, "key")
        scheduler, fault = findings.model.scheduler, findings.fault
        if scheduler is None or not findings.sound("scheduler", "kind"):
            return
        if scheduler.kind != "tatonnement":
            fault(("scheduler", "kind"), f"found {quoted(scheduler.kind)} beside learning; expected tatonnement")
            return
        scheduler.refuse_rule(findings)
        form = findings.written("scheduler").get("form")
        if scheduler.recipe is None and form != "additive" and findings.sound("scheduler", "form"):
            path = ("scheduler",) if form is None else ("scheduler", "form")
            fault(path, f"found {form or 'no form'}; expected form: additive: {NEGATIVE}")
        elif scheduler.recipe is not None and scheduler.multiplicative:
            fitting = ", ".join(name for name, recipe in RECIPES.items() if recipe.form == "additive")
            message = f"found {scheduler.rule}, which is multiplicative; expected an additive rule, one of {fitting}"
            fault(("scheduler", "rule"), f"{message}: {NEGATIVE}")


@dataclass(frozen=True, eq=False)
class Learning(Scheduler[LearningState, LearningTick]):
    """The market of a training set under a price rule."""

    rule: PriceRule
    training: TrainingSet
    kind = "learning"

    @property
    def sellers(self) -> Sellers:
        """Those who fill orders: they supply more of a bundle the more it pays."""
        return SELLERS[self.training.sellers]

    def start(self, economy: Economy, prices: Array, seed: int) -> LearningState:
        return LearningState(0, prices, self.training.designs, self.rule.start(), seed)

    def step(self, economy: Economy, state: LearningState) -> tuple[LearningState, LearningTick]:
        """Bundles are filled with goods, orders with bundles; prices and designs follow what is unfilled."""
        training, (number, prices, designs, memory, seed) = self.training, state
        patterns = self._in_the_market(number, seed)
        with np.errstate(all="ignore"):
            held = contents(training.inputs[patterns], designs, training.layers)
            by_contract = prices.reshape(len(training.contracts), -1)
            paid = held.priced @ by_contract.T
            supplied, orders = self.sellers.supply(paid), training.orders[patterns]
            unfilled = orders - supplied
            excess_demand, supply = ((held.priced.T @ units).T.ravel() for units in (unfilled, supplied))
            demand = excess_demand + supply
            redesigned = designs
            if designs:
                changes = redesigns(held, designs, training.layers, unfilled @ by_contract)
                steps = zip(designs, training.layers, changes, strict=True)
                redesigned = tuple(design + layer.rate * change for design, layer, change in steps)
            scale = np.maximum(np.abs(demand), np.abs(supply))
            next_prices, memory = self.rule.next_prices(prices, excess_demand, scale, memory, bounds=economy.bounds)
        tick = LearningTick(number, prices, demand, supply, patterns, paid, supplied, designs)
        return LearningState(number + 1, next_prices, redesigned, memory, seed), tick

    def _in_the_market(self, tick: int, seed: int) -> Indices:
        """The patterns of a tick: all, or the next of a round in which each comes once, in an order of its own."""
        count, batch = len(self.training.inputs), self.training.batch
        if not batch:
            return np.arange(count)
        number, place = divmod(tick, self.training.ticks_a_round)
        return _order(count, seed, number)[place * batch : (place + 1) * batch]

    def answers(self, tick: LearningTick, inputs: Array) -> tuple[Array, Array]:
        """What bundles of `inputs` `(patterns, inputs)` pay at a tick's prices and designs, and what is supplied of
        them, `(patterns, contracts)` each.
        """
        with np.errstate(all="ignore"):
            held = contents(inputs, tick.designs, self.training.layers).priced
            paid = held @ tick.prices.reshape(len(self.training.contracts), -1).T
            return paid, self.sellers.supply(paid)

    def everything(self, tick: LearningTick) -> tuple[Array, Array]:
        """What the bundles of all patterns pay, and what is supplied of them: `answers` to all that is to be learnt."""
        whole = len(tick.patterns) == len(self.training.inputs)
        return (tick.paid, tick.supplied) if whole else self.answers(tick, self.training.inputs)

    def unfilled(self, tick: LearningTick) -> Array:
        """The orders of all patterns that stay unfilled at a tick's prices, `(patterns, contracts)`."""
        return self.training.orders - self.everything(tick)[1]

    def residual(self, economy: Economy, tick: LearningTick) -> float:
        """The mean square of unfilled orders."""
        with np.errstate(all="ignore"):
            return float(np.mean(self.unfilled(tick) ** 2))

    def quotes(self, economy: Economy, tick: LearningTick) -> Quotes:
        """Prices, what the orders in the market contain, and what the bundles supplied contain."""
        return Quotes(tick.prices, tick.demand, tick.supply)

    def verdict_rule(self, prices: Array, tolerance: float) -> LearningVerdict:
        return LearningVerdict(self, prices, tolerance)

    def view(self, economy: Economy, prices: Array, options: ViewOptions) -> LearningView:
        from simulator.records.learning_view import LearningView

        return LearningView(self, economy.goods, self.rule.free)

    def agent_rows(self, economies: Sequence[Economy], markets: UserMarkets, kept: Kept) -> int:
        from simulator.records.learning_view import MOST_ORDERS

        orders = self.training.orders
        told = orders.size if len(orders) <= MOST_ORDERS else 0
        return told + sum(design.size for design in self.training.designs)

    def participants(self, economy: Economy) -> list[Participant]:
        layers = [
            Participant(f"layer_{n}", "hidden firm", layer.firms) for n, layer in enumerate(self.training.layers, 1)
        ]
        return [Participant("sellers", "seller", len(self.training.orders)), *layers]


_ORDER = 0x0DE5
"""Beside the run's seed and a round's number, what the order of its patterns is drawn from."""


@lru_cache(maxsize=4)
def _order(count: int, seed: int, number: int) -> Indices:
    """The order in which patterns come in a round."""
    return np.random.default_rng([seed, _ORDER, number]).permutation(count)


class LearningVerdict(VerdictRule[LearningState, LearningTick]):
    """Cleared once every order is filled, whatever prices do; of a run from `prices` `(goods,)`."""

    def __init__(self, scheduler: Learning, prices: Array, tolerance: float) -> None:
        self.scheduler, self.training, self.tolerance = scheduler, scheduler.training, tolerance
        self.bound = BOUND * max(float(np.max(np.abs(prices))), 1.0)
        self.history = PriceHistory(len(prices))
        self.still = 0
        """For how many ticks nothing has moved."""

    def observe(self, now: LearningTransition) -> None:
        if self.history.append(now.tick.prices):
            self.history.fold(self.history.prices())
        free = self.scheduler.rule.free
        before, after = (now.tick.prices[free], *now.tick.designs), (now.after.prices[free], *now.after.designs)
        self.still = self.still + 1 if all(map(_still, before, after)) else 0

    def state(self) -> dict[str, Array]:
        return {**self.history.state(), "still": np.array(self.still)}

    def restore(self, state: Mapping[str, Array]) -> None:
        self.history.restore(state)
        self.still = int(state["still"])

    def verdict(self, now: LearningTransition) -> Verdict | None:
        tick, training = now.tick, self.training
        if not tick.finite or not np.abs(tick.prices).max() <= self.bound:
            beyond = np.flatnonzero(~(np.abs(tick.prices) <= self.bound))
            found = [now.economy.goods[good] for good in beyond.tolist()]
            return Verdict("diverged", {"unbounded": found, "unbounded_pay": not found})
        worst = float(np.abs(training.orders[tick.patterns] - tick.supplied).max())
        if worst <= self.tolerance:
            worst = float(np.abs(self.scheduler.unfilled(tick)).max())
        if worst <= self.tolerance:
            return Verdict("cleared", {"filled": worst})
        if self.still >= (STILL_TICKS + self.scheduler.rule.wait) * training.ticks_a_round:
            learnt = "Prices and designs" if training.layers else "Prices"
            facts = {"learnt": learnt, "still": self.still, **self._left(tick)}
            return Verdict("settled_off_equilibrium", facts)
        return None

    def close(self, now: LearningTransition) -> Verdict:
        prices = self.history.prices()
        # In logarithms a price that is negative has no place; what returns in prices returns in their exponents.
        span = np.abs(prices).max() or 1.0
        cycle = None if self.training.batch else find_cycle(prices / span, self.tolerance)
        orbit = None if cycle is None else self.history.orbit(prices, cycle.period)
        if cycle is not None and orbit is not None and not orbit.drifts:
            half = 0.5 * float(np.ptp(prices[-int(np.ceil(cycle.period)) - 1 :, cycle.good]))
            first = 0.5 * float(orbit.first.size[cycle.good])
            swing = {"swinging": now.economy.goods[cycle.good], "first_amplitude": first}
            return Verdict("cycled", {**swing, **self._left(now.tick)}, (), cycle.period, half, orbit.last.centre)
        return Verdict("out_of_ticks", self._left(now.tick))

    def _left(self, tick: LearningTick) -> Facts:
        """How many orders stay unfilled, and by how much."""
        unfilled = np.abs(self.scheduler.unfilled(tick)).max(axis=1)
        count = int((unfilled > self.tolerance).sum())
        return {"unfilled": count, "orders": len(unfilled), "unfilled_by": float(unfilled.max())}


def _still(before: Array, after: Array) -> bool:
    """Whether none of some numbers has moved, relative to the largest of them."""
    with np.errstate(all="ignore"):
        return bool(np.abs(after - before).max(initial=0.0) <= STILL * np.abs(before).max(initial=0.0))
