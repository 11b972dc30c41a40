"""Firms with constant returns: no plan of largest profit, but the cheapest inputs for a level of activity.

Where its price is below unit cost such a firm makes nothing, above it without end. So it carries a level, and is asked
what that takes. Two roads lead there: the market's `at_level`, by what money buys, and the judges' `unit_cost`, whose
gradient the inputs are (Shephard's lemma). That the two agree is a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, NoReturn

import numpy as np

from simulator.economics.forms import Array, Form
from simulator.economics.technology import Plan, Technology


@dataclass(frozen=True)
class ConstantReturns(Technology):
    """`y = A h(x)` for a form `h` of degree one, productivity `A` `(rows,)`: a level `l` makes `y = unit_output l`.

    The level is the output itself (`unit_output` 1), or a multiple of a fixed vector or a benchmark (`unit_output` A).
    Together `W` firms that are alike make what one of them makes of all inputs; levels `(rows,)` are the row's total.
    """

    constant_returns: ClassVar[bool] = True
    form: Form
    productivity: Array
    unit_output: Array = field(default_factory=lambda: np.ones(1))
    count: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "productivity", np.asarray(self.productivity, dtype=float))
        object.__setattr__(self, "unit_output", np.asarray(self.unit_output, dtype=float))

    @property
    def weight(self) -> float:
        """How many firms a row stands for."""
        return float(self.count) if self.size == 1 else 1.0

    @cached_property
    def _units(self) -> Array:
        """What of the form a unit of level takes, `(rows,)`: all of a vector or benchmark, whatever it makes."""
        with np.errstate(divide="ignore", invalid="ignore"):
            units = self.unit_output / self.productivity
        return np.where(self.unit_output == self.productivity, 1.0, units)

    def output(self, inputs: Array) -> Array:
        return self.productivity * self.form.value(inputs)

    def marginal_product(self, inputs: Array, input_prices: Array) -> Array:
        """`y v_i / x_i` with the worth `v_i` that the form imputes to each input; infinite for a first unit."""
        imputed = self.form.value_shares(inputs, input_prices[..., None, :])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            products = self.output(inputs)[..., None] * (imputed / inputs)
        return np.where(inputs > 0, products, np.where(self.form.wanted, np.inf, 0.0))

    def at_level(self, level: Array, input_prices: Sequence[float]) -> Plan:
        """The cheapest inputs `(rows, inputs)` for levels `(rows,)`, and the output `(rows,)`.

        A free input that replaces others is used without end. Where every input is free all ways cost the same, and
        that of equal prices is taken; also where one is waste that it is paid to take: its proportions are fixed then.
        """
        at = np.stack(input_prices)
        at = np.where((at.max() > 0.0) & (at.min() >= 0.0), at, 1.0)
        bundle, value = self.form.of_money(at)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            bought = (level * self._units / value)[:, None] * bundle
        endless = np.isinf(bundle) & (level > 0)[:, None]
        inputs = np.where(endless, np.inf, np.where(np.isinf(bundle) | (bundle == 0), 0.0, bought))
        return Plan(inputs, level * self.unit_output)

    def unit_cost(self, input_prices: Array) -> tuple[Array, Plan]:
        """`c(w)` of a unit of level, `(rows,)`, at input prices `(inputs,)`, and its plan, of inputs `dc/dw`."""
        inputs = self._units[:, None] * self.form.unit_demand(input_prices)
        cost = self._units * self.form.unit_cost(input_prices)
        return cost, Plan(inputs, np.broadcast_to(self.unit_output, self.size))

    def cost_slope(self, input_prices: Array, level: Array) -> Array:
        """`l d2c/dw2`, `(rows, inputs, inputs)`: by how much inputs move with their prices; 0 if not finite."""
        gradient, (cost, _) = self.form.log_cost_gradient(input_prices), self.unit_cost(input_prices)
        with np.errstate(invalid="ignore", over="ignore"):
            bent = self.form.hessian(input_prices) + gradient[:, :, None] * gradient[:, None, :]
            slope = (level * cost)[:, None, None] * bent
        return np.where(np.isfinite(slope), slope, 0.0)

    def best_response(self, price: float, input_prices: Sequence[float], guess: Array) -> NoReturn:
        raise TypeError("a technology of constant returns has no plan of largest profit; expected at_level")

    def supply_slope(self, price: float, input_prices: Array, inputs: Array) -> NoReturn:
        raise TypeError("a technology of constant returns has no supply function; expected cost_slope")

    @property
    def verified(self) -> bool:
        """False: the judges have `unit_cost`."""
        return False
