"""What a firm can make: output, marginal products, best response and profit.

Two roads lead to a plan. The market asks for `best_response`; the judges of a run ask for `profit`, whose gradient the
plan is (Hotelling's lemma). That the two agree is a test.

Identical firms are one row that stands for `W` of them together: of inputs `x` in all each uses `x/W`, and all make
`W f(x/W)`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.best_response import SMALLEST, inverse_curvature, many_inputs, one_input
from simulator.economics.conjugate import best_input
from simulator.economics.differences import by_differences
from simulator.economics.first_order import first_order_residual, largest, misfit
from simulator.economics.forms import Array, Form
from simulator.economics.rows import Rows
from simulator.formulas.formula import Formula
from simulator.formulas.tape import ScalarFormula


class Plan(NamedTuple):
    """What firms of one technology plan at some prices: inputs `(rows, inputs)` and output `(rows,)`, per tick."""

    inputs: Array
    output: Array


class Technology(Rows, ABC):
    """What the firms of one entry can make: `count` of them, all alike in one row, or a row each.

    Inputs are `(rows, inputs)`, outputs `(rows,)`, both per tick and the row's total; the output's `price` and the
    `input_prices` `(inputs,)`, in numeraire per unit, are the same for all rows.
    """

    constant_returns: ClassVar[bool] = False
    """Whether firms carry an activity level, as profit has no maximum at which they would want to produce."""
    count: int = 1
    negative_output: bool = False
    """Whether firms may make less than nothing, of a good they can buy outside."""

    @cached_property
    def single_input(self) -> bool:
        """Whether `plan_one` is the shorter road: one row with one input."""
        return False

    @cached_property
    def jumps(self) -> bool:
        """Whether the best plan jumps at some prices."""
        return False

    @abstractmethod
    def output(self, inputs: Array) -> Array:
        """`y(x)`, `(..., rows)`; 0 where the firm idles."""

    def marginal_product(self, inputs: Array, input_prices: Array) -> Array:
        """`dy/dx`, `(..., rows, inputs)`, with input prices `(..., inputs)`; not a number where the firm idles.

        At a kink of fixed proportions it is the element of the subdifferential nearest the input prices.
        """
        return by_differences(self.output, inputs)

    def nearest_product(self, price: Array, inputs: Array, input_prices: Array) -> Array:
        """The same with the output's price `(...)`: where several slopes meet, those nearest `input_prices / price`."""
        return self.marginal_product(inputs, input_prices)

    @abstractmethod
    def best_response(self, price: float, input_prices: Sequence[float], guess: Array) -> Plan:
        """The plan of largest profit; `guess` `(rows, inputs)` is the last one. Infinite where profit has no bound."""

    def profit(self, price: float, input_prices: Sequence[float], guess: Array) -> tuple[Array, Plan]:
        """`pi(p, w) = max_x p y(x) - w.x`, `(rows,)`, and its gradient `(y, -x)` as the plan there: of the market's own
        plan, unless a kind has another road.
        """
        return _with_profit(price, input_prices, self.best_response(price, input_prices, guess))

    @property
    def verified(self) -> bool:
        """Whether `profit` has no road of its own, so that what is planned must be verified."""
        return type(self).profit is Technology.profit

    def plan_residual(self, price: float, input_prices: Array, plan: Plan) -> float:
        """How far a plan is from first-order conditions and from what its inputs make, relative; not a number where
        `profit` has a road of its own.
        """
        return math.nan

    @abstractmethod
    def supply_slope(self, price: float, input_prices: Array, inputs: Array) -> Array:
        """Hessian of profit at the best `inputs`, `(rows, 1 + inputs, 1 + inputs)`: rows `dy` and `-dx`, price first.

        Inputs that are not used, or used without end, do not move.
        """

    def at_level(self, level: Array, input_prices: Sequence[float]) -> Plan:
        """The cheapest inputs `(rows, inputs)` for activity levels `(rows,)`, and the output; of constant returns."""
        raise self._no_level()

    def unit_cost(self, input_prices: Array) -> tuple[Array, Plan]:
        """`c(w)` of a unit of level, `(rows,)`, and its gradient as the plan of that; of constant returns."""
        raise self._no_level()

    def cost_slope(self, input_prices: Array, level: Array) -> Array:
        """`y d2c/dw2` of levels `y` `(rows,)`, `(rows, inputs, inputs)`; of constant returns."""
        raise self._no_level()

    def _no_level(self) -> TypeError:
        return TypeError(f"{type(self).__name__} has no activity level; expected constant returns")

    def plan_one(self, price: float, input_price: float, guess: float) -> tuple[float, float]:
        """`best_response` with a single input: input and output."""
        plan = self.best_response(price, [input_price], np.array([[guess]]))
        return float(plan.inputs[0, 0]), float(plan.output[0])


@dataclass(frozen=True)
class FormulaTechnology(Technology):
    """`y = A f(x)` for a strictly concave formula `f` in the order of `formula.variables`, productivity `A` `(rows,)`.

    A firm makes `A f(inputs)`. Where that lies outside the formula's domain, or is negative for a good that cannot be
    bought outside (`negative_output` false), it idles: makes nothing, and its inputs are lost.
    """

    formula: Formula
    negative_output: bool = False
    productivity: Array = field(default_factory=lambda: np.ones(1))
    count: int = 1
    weight: float = field(init=False, repr=False, default=1.0)
    """How many firms a row stands for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "productivity", np.asarray(self.productivity, dtype=float))
        object.__setattr__(self, "weight", float(self.count) if self.size == 1 else 1.0)

    @cached_property
    def single_input(self) -> bool:
        return len(self.productivity) == len(self.formula.variables) == 1

    @cached_property
    def _alone(self) -> tuple[float, float, float, float, ScalarFormula]:
        """What a single input in plain floats needs: `A`, `W`, `W A`, `f'(0)` where `f(0)` exists, else infinity
        (below it no first unit pays), and the formula.
        """
        scalar, productivity, slope = self.formula.scalar, self.productivity.item(), math.inf
        assert scalar is not None
        if math.isfinite(scalar.value(0.0)):
            slope = scalar.jet(0.0)[1]
        slope = math.inf if math.isnan(slope) else slope
        return productivity, self.weight, self.weight * productivity, slope, scalar

    def output(self, inputs: Array) -> Array:
        made = self.formula.value(inputs / self.weight)
        return self.weight * self.productivity * np.where(self._idle(made), 0.0, made)

    def marginal_product(self, inputs: Array, input_prices: Array) -> Array:
        each = inputs / self.weight
        idle = self._idle(self.formula.value(each))[..., None]
        with np.errstate(invalid="ignore"):
            return np.where(idle, np.nan, self.productivity[:, None] * self.formula.gradient(each))

    def _idle(self, made: Array) -> NDArray[np.bool_]:
        return ~np.isfinite(made) if self.negative_output else ~(np.isfinite(made) & (made >= 0.0))

    def best_response(self, price: float, input_prices: Sequence[float], guess: Array) -> Plan:
        return self._maximise(price, input_prices, guess)

    def _maximise(self, price: float, input_prices: Sequence[float], guess: Array) -> Plan:
        if self.single_input:
            return _plan_of_one(*self.plan_one(price, input_prices[0], guess.item()))
        earned = price * self.productivity
        each = self.best_inputs(earned, np.stack(input_prices), guess / self.weight)
        made = self.formula.value(each)
        idle = ~(made > -np.inf) if self.negative_output else ~(made >= 0)
        each, made = np.where(idle[:, None], 0.0, each), np.where(idle, 0.0, made)
        return Plan(self.weight * each, self.weight * self.productivity * made)

    def best_inputs(self, earned: Array, input_prices: Array, guess: Array) -> Array:
        """The best inputs of each firm, `(rows, inputs)`, where a unit of the formula has `earned` `(rows,)`."""
        return many_inputs(self.formula, earned, input_prices, guess)

    def profit(self, price: float, input_prices: Sequence[float], guess: Array) -> tuple[Array, Plan]:
        """With a single input where the conjugate of the formula is reached, by a search of its own; with several the
        market's search, whose plan is verified.
        """
        if not self.single_input:
            return _with_profit(price, input_prices, self._maximise(price, input_prices, guess))
        productivity, weight, scale, first_slope, scalar = self._alone
        earned, near = price * productivity, guess.item() / weight
        x, made = best_input(scalar, input_prices[0] / earned if earned > 0.0 else math.inf, near, first_slope)
        works = made > -math.inf if self.negative_output else made >= 0.0
        x, made = np.where(works, weight * x, 0.0), np.where(works, scale * made, 0.0)
        return _with_profit(price, input_prices, _plan_of_one(x, made))

    @property
    def verified(self) -> bool:
        return not self.single_input

    def plan_residual(self, price: float, input_prices: Array, plan: Plan) -> float:
        if self.single_input:
            return math.nan
        inputs = plan.inputs / self.weight

        def worth(each: Array) -> Array:
            # Beside others an input that counts as none may be as much as this.
            some = np.where(each.any(axis=-1, keepdims=True), np.maximum(each, SMALLEST), each)
            return price * self.productivity[:, None] * self.formula.gradient(some)

        residual = first_order_residual(worth, inputs, input_prices, kinked=self.formula.has_kinks)
        # Who plans nothing at all may idle whatever a first unit earns, if that is not enough.
        idles = ~inputs.any(axis=-1) & self._idle(self.formula.value(inputs))
        return largest(np.where(idles, 0.0, residual) + misfit(self.output(plan.inputs), plan.output))

    def supply_slope(self, price: float, input_prices: Array, inputs: Array) -> Array:
        """From `p A f'(x/W) = w` at the inputs in use: `dx/dw = (p y'')^-1`, `dx/dp = -(p y'')^-1 y'`."""
        count = inputs.shape[1]
        each, productivity = inputs / self.weight, self.productivity[:, None]
        used = (inputs > 0) & np.isfinite(inputs)
        pairs = used[:, :, None] & used[:, None, :]
        with np.errstate(invalid="ignore"):
            gradient = np.where(used, productivity * self.formula.gradient(each), 0.0)
            bent = (price / self.weight) * productivity[..., None] * self.formula.hessian(each)
        inverse = inverse_curvature(np.where(pairs, bent, np.where(np.eye(count, dtype=bool), -1.0, 0.0)))
        inverse = np.where(pairs, inverse, 0.0)
        by_price = -np.einsum("aij,aj->ai", inverse, gradient)
        return bordered(np.einsum("ai,ai->a", gradient, by_price), -by_price, -inverse)

    def plan_one(self, price: float, input_price: float, guess: float) -> tuple[float, float]:
        productivity, weight, scale, first_slope, scalar = self._alone
        earned = price * productivity
        x, made = one_input(scalar, input_price / earned if earned > 0.0 else math.inf, guess / weight, first_slope)
        return (weight * x, scale * made) if made >= 0.0 or (self.negative_output and made > -math.inf) else (0.0, 0.0)


@dataclass(frozen=True)
class HomotheticTechnology(Technology):
    """`y = A h(x)^r` for a form `h` of degree one, productivity `A` `(rows,)`, returns to scale `r` `(rows,)` below 1.

    With the unit cost `c(w)` of `h` it is best to make `h = (p A r / c)^(1/(1-r))`, with inputs `h dc/dw` and profit
    `(1-r) p y`. Together `W` firms that are alike make `A W^(1-r) h(x)^r`. Raises ValueError for returns that are not
    between 0 and 1: with constant returns there is no best response.
    """

    form: Form
    productivity: Array
    returns: Array
    count: int = 1
    weight: float = field(init=False, repr=False, default=1.0)
    """How many firms a row stands for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "productivity", np.asarray(self.productivity, dtype=float))
        object.__setattr__(self, "returns", np.asarray(self.returns, dtype=float))
        object.__setattr__(self, "weight", float(self.count) if self.size == 1 else 1.0)
        if not ((self.returns > 0) & (self.returns < 1)).all():
            raise ValueError(f"returns to scale {self.returns}; expected numbers between 0 and 1")

    @cached_property
    def single_input(self) -> bool:
        return self.size == self.form.wanted.shape[1] == 1

    @cached_property
    def _scale(self) -> Array:
        """`A W^(1-r)`, `(rows,)`."""
        return self.productivity * self.weight ** (1.0 - self.returns)

    @cached_property
    def _alone(self) -> tuple[float, float, float]:
        """What a single input in plain floats needs: `A W^(1-r)`, `h(1)`, and `r`."""
        return self._scale.item(), self.form.value(np.ones((1, 1))).item(), self.returns.item()

    def output(self, inputs: Array) -> Array:
        return self._scale * self.form.value(inputs) ** self.returns

    def marginal_product(self, inputs: Array, input_prices: Array) -> Array:
        """`r y v_i / x_i` with the worth `v_i` that the form imputes to each input; infinite for a first unit."""
        imputed = self.form.value_shares(inputs, input_prices[..., None, :])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            products = (self.returns * self.output(inputs))[..., None] * (imputed / inputs)
        return np.where(inputs > 0, products, np.where(self.form.wanted, np.inf, 0.0))

    def best_response(self, price: float, input_prices: Sequence[float], guess: Array) -> Plan:
        """By what money buys: a bundle worth `v` for a unit of money, and `r p y = m` spent on it in all."""
        if self.single_input:
            return _plan_of_one(*self.plan_one(price, input_prices[0], 1.0))
        at, rows = np.stack(input_prices), self.size
        if not price > 0.0:
            return Plan(np.zeros((rows, len(at))), np.zeros(rows))
        (bundle, value), earned = self.form.of_money(at), price * self._scale
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            spent = (earned * self.returns * value**self.returns) ** (1.0 / (1.0 - self.returns))
        spent = np.where(earned > 0, spent, 0.0)
        return Plan(_times(spent, bundle), spent / (self.returns * price))

    def profit(self, price: float, input_prices: Sequence[float], guess: Array) -> tuple[Array, Plan]:
        """The judges' road, by the unit cost and its gradient."""
        at = np.stack(input_prices)
        level = self._best_level(price, at)
        output = self._scale * level**self.returns
        return (1.0 - self.returns) * price * output, Plan(_times(level, self.form.unit_demand(at)), output)

    def supply_slope(self, price: float, input_prices: Array, inputs: Array) -> Array:
        """From `x = r p y g` with `g = d ln c/dw`, and `y` as `p^(r/(1-r)) c^(-r/(1-r))`."""
        rows, count = inputs.shape
        if not price > 0.0:
            return np.zeros((rows, 1 + count, 1 + count))
        used = (inputs > 0) & np.isfinite(inputs)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            bent = self.form.hessian(input_prices)
            gradient = np.where(used, self.form.log_cost_gradient(input_prices), 0.0)
            output = self._scale * self._best_level(price, input_prices) ** self.returns
            spent, answers = self.returns * price * output, self.returns / (1.0 - self.returns)
            mixed = -((1.0 + answers) * spent / price)[:, None] * gradient
            cross = answers[:, None, None] * gradient[:, :, None] * gradient[:, None, :] - bent
            own = np.where(used[:, :, None] & used[:, None, :], spent[:, None, None] * cross, 0.0)
            slope = bordered(answers * output / price, mixed, own)
        return np.where(np.isfinite(slope), slope, 0.0)

    def _best_level(self, price: float, input_prices: Array) -> Array:
        """`h = (p A r / c)^(1/(1-r))`, `(rows,)`."""
        earned = price * self._scale
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            level = (earned * self.returns / self.form.unit_cost(input_prices)) ** (1.0 / (1.0 - self.returns))
        return np.where(earned > 0, level, 0.0)

    def plan_one(self, price: float, input_price: float, guess: float) -> tuple[float, float]:
        scale, unit, returns = self._alone
        slope = scale * unit**returns
        if not price * slope > 0.0:
            return 0.0, 0.0
        try:
            x = (price * slope * returns / input_price) ** (1.0 / (1.0 - returns))
        except (OverflowError, ZeroDivisionError):
            x = math.inf
        return x, slope * x**returns


def _with_profit(price: float, input_prices: Sequence[float], plan: Plan) -> tuple[Array, Plan]:
    """The profit of a plan, `(rows,)`, and the plan."""
    with np.errstate(invalid="ignore"):
        return price * plan.output - np.einsum("ai,i->a", plan.inputs, np.stack(input_prices)), plan


def _plan_of_one(x: float | Array, made: float | Array) -> Plan:
    return Plan(np.reshape(x, (1, 1)), np.reshape(made, 1))


def bordered(corner: Array, border: Array, inside: Array) -> Array:
    """Symmetric matrices `(rows, 1 + n, 1 + n)` of a corner `(rows,)`, a border `(rows, n)` and what lies inside."""
    top = np.concatenate([corner[:, None], border], axis=1)[:, None, :]
    return np.concatenate([top, np.concatenate([border[:, :, None], inside], axis=2)], axis=1)


def _times(amounts: Array, bundle: Array) -> Array:
    """`amounts_a bundle_ai`, `(rows, inputs)`; 0 times infinity is 0."""
    with np.errstate(invalid="ignore"):
        return np.where((amounts[:, None] == 0) | (bundle == 0), 0.0, amounts[:, None] * bundle)
