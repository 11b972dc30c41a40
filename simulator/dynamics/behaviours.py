"""The kinds of behaviour: how a firm plans at going prices, for its largest profit at once or step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.economics.behaviour import Behaviour, BestResponse
from simulator.economics.clearing import unit_turnover
from simulator.economics.forms import Array
from simulator.economics.technology import Plan, Technology

LEAST = 1e-12
"""A level falls no lower than this part of where it began."""
ROUNDING = 1e-12
"""A relative wedge that rounding alone can leave."""


@dataclass(frozen=True)
class MarginalAdjustment:
    """`ln x_i += rate (v_i - w_i) / max(|v_i|, w_i)`, `v_i = p df/dx_i` at the inputs planned last: quantities climb
    marginal profit while prices follow excess demand, together a saddle path (Arrow, Hurwicz 1958).

    No step exceeds the rate, and none goes past the largest profit on its way: such a step, and that of a firm that
    idles, leads towards the best response. An input of 0 begins as a part of the best response once its first unit
    pays. The plan of the first tick is the best response.
    """

    rate: Annotated[float, Field(gt=0, le=10, description="largest step of an input's logarithm in a tick")]
    meaning: ClassVar = (
        "quantities climb marginal profit: ln x_i += rate (v_i - p_i) / max(|v_i|, p_i), v_i = p_out df/dx_i"
    )

    def plan(
        self, technology: Technology, price: float, input_prices: Sequence[float], inputs: Array, *, first: bool
    ) -> Plan:
        if first:
            return technology.best_response(price, input_prices, inputs)
        at = np.stack(input_prices)
        with np.errstate(all="ignore"):
            values = _marginal_values(technology, price, at, inputs)
            pull = np.where(values == np.inf, 1.0, (values - at) / np.maximum(np.abs(values), at))
            step = self.rate * np.where(inputs > 0, np.nan_to_num(pull), 0.0)
            moved = inputs * np.exp(step)
            guided = np.isnan(values) | ((inputs == 0) & (values > at)) | _goes_past(technology, price, at, moved, step)
            if guided.any():
                best = technology.best_response(price, input_prices, inputs).inputs
                towards = inputs * np.exp(np.clip(np.log(best / inputs), -self.rate, self.rate))
                begun = (1.0 - np.exp(-self.rate)) * best
                moved = np.where(guided, np.where(inputs > 0, towards, begun), moved)
            return Plan(moved, technology.output(moved))


def _marginal_values(technology: Technology, price: float, input_prices: Array, inputs: Array) -> Array:
    """`p df/dx_i`, `(rows, inputs)`; not a number where a firm idles, 0 where what it makes is worth nothing."""
    return price * technology.marginal_product(inputs, input_prices) if price > 0.0 else np.zeros(inputs.shape)


def _goes_past(
    technology: Technology, price: float, input_prices: Array, moved: Array, step: Array
) -> NDArray[np.bool_]:
    """Whether profit falls again where a step in logarithms has led, `(rows, 1)`."""
    wedge = _marginal_values(technology, price, input_prices, moved) - input_prices
    rise = np.where(moved > 0, wedge * moved * step, 0.0).sum(axis=-1, keepdims=True)
    noise = ROUNDING * np.abs(input_prices * moved * step).sum(axis=-1, keepdims=True)
    return rise < -noise


@dataclass(frozen=True)
class Activity:
    """`ln y += rate (r - c) / max(r, c)` of a level `y`, unit revenue `r` and unit cost `c` at the tick's prices: for
    constant returns, where profit has no maximum at which a firm would want to produce.

    Levels move before anybody plans, never below `LEAST` of where they began; then a firm orders the cheapest inputs
    for its level. No step exceeds the rate.
    """

    rate: Annotated[float, Field(gt=0, le=10, description="largest step of a level's logarithm in a tick")] = 0.1
    start: Annotated[float, Field(gt=0, description="the level at tick 0")] = 1.0
    meaning: ClassVar = (
        "constant returns: a level rises with unit profit, ln y += rate (revenue - cost) / max(revenue, cost), and is "
        "produced with the cheapest inputs"
    )

    def raised(self, level: Array, revenue: Array, cost: Array) -> Array:
        """The level `(rows,)` after a step, of what a unit brings and takes, `(rows,)` each."""
        with np.errstate(invalid="ignore"):
            pull = (revenue - cost) / np.maximum(unit_turnover(revenue, cost), 1e-300)
        return np.maximum(level * np.exp(self.rate * pull), LEAST * self.start)

    def plan(
        self, technology: Technology, price: float, input_prices: Sequence[float], inputs: Array, *, first: bool
    ) -> Plan:
        raise TypeError(f"{type(technology).__name__} has no activity level; expected constant returns")


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "best_response": BestResponse,
    "marginal_adjustment": MarginalAdjustment,
    "activity": Activity,
}
