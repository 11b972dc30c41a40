"""The kinds of unknowns of an equilibrium, with the condition that belongs to each.

The price of a good clears its market, `z <= 0, p >= 0, p z = 0`; the level of an activity leaves no profit, `pi <= 0, y
>= 0, y pi = 0`; what a cohort received is due to it; a rate that adjusts keeps what it is to keep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simulator.economics.clearing import market_residuals, unit_profit_residuals, unit_turnover
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans


@dataclass(frozen=True, eq=False)
class Part(ABC):
    """One kind of unknowns: where they lie in the vector, their names, their bounds, and which may move, `(part,)`."""

    where: slice
    names: tuple[str, ...]
    lower: Array
    upper: Array
    free: NDArray[np.bool_]
    condition: ClassVar[str]
    """What its conditions are called."""
    relative: ClassVar[bool]
    """Whether a step is one of logarithms."""

    @abstractmethod
    def values(self, plans: MarketPlans) -> Array:
        """The values at which plans are made, `(part,)`."""

    def scale(self, plans: MarketPlans) -> Array:
        """What steps are measured by, `(part,)`."""
        return self.values(plans)

    @abstractmethod
    def left_side(self, plans: MarketPlans) -> Array:
        """The conditions' left sides, `(part,)`: at most 0, and 0 where the unknown is above its lower bound."""

    @abstractmethod
    def unit(self, plans: MarketPlans) -> Array:
        """What they are measured by, `(part,)`; 0 where they say nothing."""

    @abstractmethod
    def residuals(self, plans: MarketPlans) -> Array:
        """The relative residual of each condition, `(part,)`, 0 exactly where it holds; 0/0 counts as 0."""


class Prices(Part):
    """A price clears its market."""

    condition = "market"
    relative = True

    def values(self, plans: MarketPlans) -> Array:
        return plans.prices

    def left_side(self, plans: MarketPlans) -> Array:
        """`z`."""
        return plans.excess_demand

    def unit(self, plans: MarketPlans) -> Array:
        """`s`."""
        return plans.scale

    def residuals(self, plans: MarketPlans) -> Array:
        return market_residuals(plans.excess_demand, plans.scale, plans.prices)


class Levels(Part):
    """The level of an activity leaves no profit."""

    condition = "activity"
    relative = False

    def values(self, plans: MarketPlans) -> Array:
        return plans.levels

    def left_side(self, plans: MarketPlans) -> Array:
        """`pi = r - c`."""
        return plans.unit_profits

    def unit(self, plans: MarketPlans) -> Array:
        """`max(|r|, |c|)`."""
        return unit_turnover(plans.unit_revenues, plans.unit_costs)

    def residuals(self, plans: MarketPlans) -> Array:
        worth = plans.prices @ plans.scale
        return unit_profit_residuals(plans.unit_revenues, plans.unit_costs, plans.levels, worth)


class Received(Part):
    """What a cohort received is due to it."""

    condition = "budget"
    relative = False

    def values(self, plans: MarketPlans) -> Array:
        return plans.received

    def scale(self, plans: MarketPlans) -> Array:
        return self.unit(plans)

    def left_side(self, plans: MarketPlans) -> Array:
        return plans.due - plans.received

    def unit(self, plans: MarketPlans) -> Array:
        """`W = p.s`."""
        return np.full(len(plans.received), plans.prices @ plans.scale)

    def residuals(self, plans: MarketPlans) -> Array:
        return np.abs(part_of(self.left_side(plans), self.unit(plans)))


@dataclass(frozen=True, eq=False)
class Rates(Part):
    """What the instrument of a rate keeps has its `target` value, `(instruments,)`."""

    targets: Array
    condition = "instrument"
    relative = False

    def values(self, plans: MarketPlans) -> Array:
        return plans.rates

    def scale(self, plans: MarketPlans) -> Array:
        return np.ones(len(plans.rates))

    def left_side(self, plans: MarketPlans) -> Array:
        return plans.kept - self.targets

    def unit(self, plans: MarketPlans) -> Array:
        """What the value should be."""
        return np.abs(self.targets)

    def residuals(self, plans: MarketPlans) -> Array:
        return np.abs(self.left_side(plans) / self.unit(plans))


def part_of(values: Array, scale: Array) -> Array:
    """Quotients, 0 where the scale is."""
    return np.divide(values, scale, out=np.zeros(len(scale)), where=scale > 0)
