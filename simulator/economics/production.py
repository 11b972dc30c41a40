"""What follows of what one firm makes and plans alone: all that a technology must answer, by differences."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from simulator.economics.differences import NUDGE
from simulator.economics.first_order import ROUNDED, first_order_residual, largest, misfit
from simulator.economics.means import Array
from simulator.economics.technology import Plan, Technology


class Production(Technology):
    """A technology of which a kind gives `output_of_one` and `best_response_of_one`, for one firm of each row.

    Derivatives are central differences, good to about ten digits where the best response is smooth. A kind with
    parameters is a frozen dataclass of arrays with a row for each firm, or one row for all. `count` is set by whoever
    puts the firms into an economy.
    """

    @abstractmethod
    def output_of_one(self, inputs: Array) -> Array:
        """`y(x)` of one firm: `(..., rows, inputs)` to `(..., rows)`; concave, 0 where it idles."""

    @abstractmethod
    def best_response_of_one(self, price: float, input_prices: Array) -> Array:
        """The inputs `(rows, inputs)` of one firm's largest profit; infinite where profit has no bound."""

    @property
    def weight(self) -> float:
        """How many firms a row stands for."""
        return float(self.count) if self.size == 1 else 1.0

    def output(self, inputs: Array) -> Array:
        return self.weight * self.output_of_one(inputs / self.weight)

    def best_response(self, price: float, input_prices: Sequence[float], guess: Array) -> Plan:
        each = self.best_response_of_one(float(price), np.asarray(input_prices, dtype=float))
        return Plan(self.weight * each, self.weight * self.output_of_one(each))

    def plan_residual(self, price: float, input_prices: Array, plan: Plan) -> float:
        if not self.verified:
            return super().plan_residual(price, input_prices, plan)
        made, idle = self.output(plan.inputs), ~plan.inputs.any(axis=-1)
        with np.errstate(all="ignore"):
            steps = NUDGE * np.where(plan.inputs > 0, plan.inputs, 1.0)
            noise = np.nan_to_num(ROUNDED * price * np.abs(made)[:, None] / (steps * input_prices))

        def worth(inputs: Array) -> Array:
            return price * self.marginal_product(inputs, input_prices)

        residual = first_order_residual(worth, plan.inputs, input_prices, noise, kinked=True)
        return largest(np.where(idle, 0.0, residual) + misfit(made, plan.output))

    def supply_slope(self, price: float, input_prices: Array, inputs: Array) -> Array:
        at = np.array([price, *input_prices], dtype=float)
        slope = np.zeros((len(inputs), len(at), len(at)))
        for place, step in enumerate(NUDGE * np.where(at > 0, at, 1.0)):
            moved = [at.copy(), at.copy()]
            moved[0][place] += step
            moved[1][place] = max(at[place] - step, 0.0)
            more, less = (self.best_response(point[0], list(point[1:]), inputs) for point in moved)
            apart = moved[0][place] - moved[1][place]
            with np.errstate(invalid="ignore"):
                slope[:, 0, place] = (more.output - less.output) / apart
                slope[:, 1:, place] = (less.inputs - more.inputs) / apart
        return np.where(np.isfinite(slope), slope, 0.0)
