"""What a firm can make: output, marginal products, best response and profit of a formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.best_response import many_inputs, one_input
from simulator.economics.forms import Array
from simulator.economics.formula import Formula
from simulator.economics.tape import ScalarFormula


class Plan(NamedTuple):
    """What firms of one technology plan at some prices: inputs `(agents, inputs)` and output `(agents,)`, per tick."""

    inputs: Array
    output: Array


@dataclass(frozen=True)
class FormulaTechnology:
    """`y = f(x)` for a strictly concave formula `f` in the order of `formula.variables`.

    A firm makes `f(inputs)`. Where that lies outside the formula's domain, or is negative for a good that cannot be
    bought outside (`negative_output` false), it idles: makes nothing, and its inputs are lost.
    """

    formula: Formula
    negative_output: bool = False

    @property
    def single_input(self) -> bool:
        """Whether plain floats serve: one input only."""
        return self.formula.scalar is not None

    @cached_property
    def _scalar(self) -> ScalarFormula:
        scalar = self.formula.scalar
        assert scalar is not None
        return scalar

    @cached_property
    def _first_slope(self) -> float:
        """`f'(0)` of a single-input formula where `f(0)` exists, else infinite: below it no first unit pays."""
        scalar = self.formula.scalar
        if scalar is None or not math.isfinite(scalar.value(0.0)):
            return math.inf
        slope = scalar.slope_and_curvature(0.0)[0]
        return math.inf if math.isnan(slope) else slope

    def output(self, inputs: Array) -> Array:
        """`f(x)`, `(agents,)`; 0 where the firm idles."""
        made = self.formula.value(inputs)
        return np.where(self._idle(made), 0.0, made)

    def output_of(self, x: float) -> float:
        """`f(x)` of a single input; 0 where the firm idles."""
        made = self._scalar.value(x)
        return made if math.isfinite(made) and (made >= 0.0 or self.negative_output) else 0.0

    def marginal_product(self, inputs: Array) -> Array:
        """`df/dx`, `(agents, inputs)`; not a number where the firm idles."""
        return np.where(self._idle(self.formula.value(inputs))[..., None], np.nan, self.formula.gradient(inputs))

    def _idle(self, made: Array) -> NDArray[np.bool_]:
        return ~np.isfinite(made) if self.negative_output else ~(np.isfinite(made) & (made >= 0.0))

    def best_response(self, price: float, wages: Sequence[float], guess: Array) -> Plan:
        """The plan of largest profit at a price and input prices; `guess` `(agents, inputs)` is the last plan."""
        return self._maximise(price, wages, guess)

    def profit(self, price: float, wages: Sequence[float], guess: Array) -> tuple[Array, Plan]:
        """`pi(p, w) = max_x p f(x) - w.x`, `(agents,)`, and its gradient `(f(x), -x)` (Hotelling), as the plan there.

        This is the judges' road: the value is found by maximising and differentiated by the envelope theorem.
        """
        plan = self._maximise(price, wages, guess)
        with np.errstate(invalid="ignore"):
            return price * plan.output - plan.inputs @ np.asarray(wages), plan

    def supply_slope(self, price: float, inputs: Array) -> Array:
        """Hessian of the profit function at a best response, `(agents, 1 + inputs, 1 + inputs)`: output price first.

        Rows are `dy` and `-dx`. From `p f'(x) = w` at the inputs in use: `dx/dw = (p f'')^-1`, `dx/dp = -(p f'')^-1
        f'`.
        """
        agents, count = inputs.shape
        used = (inputs > 0) & np.isfinite(inputs)
        gradient = np.where(used, self.formula.gradient(inputs), 0.0)
        pairs = used[:, :, None] & used[:, None, :]
        hessian = np.where(pairs, price * self.formula.hessian(inputs), np.where(np.eye(count, dtype=bool), -1.0, 0.0))
        inverse = np.where(pairs, np.linalg.inv(hessian), 0.0)
        by_price = -np.einsum("aij,aj->ai", inverse, gradient)
        slope = np.empty((agents, 1 + count, 1 + count))
        slope[:, 0, 0] = np.einsum("ai,ai->a", gradient, by_price)
        slope[:, 0, 1:] = slope[:, 1:, 0] = -by_price
        slope[:, 1:, 1:] = -inverse
        return slope

    def plan_one(self, price: float, wage: float, guess: float) -> tuple[float, float]:
        """Input and output of largest profit of one firm with one input; `guess` is its last input."""
        ratio = wage / price if price > 0.0 else math.inf
        x, made = one_input(self._scalar, ratio, guess, self._first_slope)
        return (x, made) if made >= 0.0 or (self.negative_output and made > -math.inf) else (0.0, 0.0)

    # The judges' own name for it: what breaks the market's plans must not move what they are compared with.
    _maximise_one = plan_one

    def profit_one(self, price: float, wage: float, guess: float) -> tuple[float, float, float]:
        """`profit` of one firm with one input: its value, and the input and output where it is reached."""
        x, made = self._maximise_one(price, wage, guess)
        return price * made - wage * x, x, made

    def _maximise(self, price: float, wages: Sequence[float], guess: Array) -> Plan:
        if len(guess) == 1 and self.single_input:
            x, made = self._maximise_one(price, wages[0], guess.item())
            return Plan(np.array([[x]]), np.array([made]))
        inputs = many_inputs(self.formula, price, np.asarray(wages, dtype=float), guess)
        made = self.formula.value(inputs)
        idle = ~(made > -np.inf) if self.negative_output else ~(made >= 0)
        if idle.any():
            return Plan(np.where(idle[:, None], 0.0, inputs), np.where(idle, 0.0, made))
        return Plan(inputs, made)
