"""Where profit `p f(x) - w.x` is largest over `x >= 0`, for a strictly concave formula `f` and going prices.

First-order conditions `p df/dx_i = w_i` (or `<= w_i` at a corner `x_i = 0`) are solved as `ln(p df/dx_i) = ln w_i` in the
unknowns `ln x_i`: for power laws that system is linear, for other concave formulas nearly so over decades of prices. Two
roads, one answer: `one_input` in plain floats for one firm with one input (the inner loop of small economies, ten times
faster there than arrays) and `many_inputs` in arrays. Both start from a guess (the last plan) and are safeguarded: by a
bracket, or by a direction in which profit must rise and a line search.

Where profit has no maximum the inputs are infinite: at such prices demand is not finite.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulator.economics.expression import Formula, ScalarFormula
from simulator.economics.forms import Array

LARGEST_LOG = 690.0
"""A quantity whose logarithm exceeds this counts as infinite."""
CONVERGED_STEP = 1e-9
"""A Newton step this small in `ln x` is taken, to first order, and is the last: what it leaves is of the order of its square."""


def one_input(
    formula: ScalarFormula, ratio: float, guess: float, first_slope: float, from_zero: bool
) -> tuple[float, float]:
    """Input `x` and output `f(x)` of one firm at which `f'(x) = ratio`, the input's price over the output's.

    `first_slope` is `f'(0)` where `f(0)` exists, else infinite; `from_zero` tells whether the domain of `f` begins at 0.
    Newton on `g(t) = ln f'(e^t) - ln ratio`, which falls in `t`, inside the bracket found so far.
    """
    if first_slope <= ratio:
        return 0.0, formula.value(0.0)
    if not ratio > 0.0:
        return math.inf, formula.value(math.inf)
    low, high, stride = -math.inf, math.inf, 1.0
    x = guess if 0.0 < guess < math.inf else 1.0
    t = math.log(x)
    for _ in range(300):
        value, slope, curvature = formula.jet(x)
        step = math.nan
        if 0.0 < slope < math.inf:
            gap = math.log(slope / ratio)
            if curvature < 0.0:
                step = -gap * slope / (x * curvature)
                if -CONVERGED_STEP < step < CONVERGED_STEP:
                    change = x * step
                    return x + change, value + slope * change
        elif slope == math.inf or (slope != slope and not from_zero and low == -math.inf):
            gap = math.inf
        else:
            gap = -math.inf
        if gap > 0.0:
            low = t
        else:
            high = t
        following = t + step
        if not (low < following < high and -8.0 < step < 8.0):
            if math.isinf(low) or math.isinf(high):
                following = t + math.copysign(stride, gap)
                stride *= 2.0
            else:
                following = 0.5 * (low + high)
                if following in (low, high):
                    return x, value
        if following > LARGEST_LOG:
            return math.inf, formula.value(math.inf)
        if following < -LARGEST_LOG:
            return 0.0, formula.value(0.0)
        t = following
        x = math.exp(t)
    return x, formula.value(x)


def many_inputs(formula: Formula, price: float, wages: Array, guess: Array) -> Array:
    """The best inputs `(agents, inputs)` of firms that share a formula, at one output price and input prices `wages`.

    Each sweep tries Newton on the logarithmic first-order conditions; a row it does not improve falls back on the Newton
    direction of profit in `ln x`, `-(p X f'' X)^-1 X (p f' - w)`, which ascends wherever `f` is concave. An input whose first
    unit costs more than it earns, given the others, is left out, and taken back if that changes.
    """
    if not np.all(wages > 0):
        return np.full(guess.shape, np.inf)
    if not price > 0:
        return np.zeros(guess.shape)
    inputs = np.where((guess > 0) & np.isfinite(guess), guess, 1.0)
    inputs = _inside_domain(formula, inputs)
    search = _Search(formula, price, wages, inputs)
    for _ in range(200):
        if search.finished.all():
            break
        search.sweep()
    return search.inputs


def _inside_domain(formula: Formula, inputs: Array) -> Array:
    """The guess, scaled by powers of 4 where the formula or a slope is not a number there."""
    for power in range(1, 60):
        outside = ~np.isfinite(formula.value(inputs)) | ~np.isfinite(formula.gradient(inputs)).all(axis=-1)
        if not outside.any():
            break
        factor = 4.0 ** (power if power % 2 else -power)
        inputs = np.where(outside[:, None], inputs * factor, inputs)
    return inputs


class _Search:
    """The state of `many_inputs`: a row an agent, each finished for itself."""

    def __init__(self, formula: Formula, price: float, wages: Array, inputs: Array) -> None:
        self.formula, self.price, self.wages = formula, price, wages
        self.inputs = inputs
        self.idle = np.zeros(inputs.shape, dtype=bool)
        self.finished: NDArray[np.bool_] = np.zeros(len(inputs), dtype=bool)

    def profit(self, inputs: Array) -> Array:
        return self.price * self.formula.value(inputs) - inputs @ self.wages

    def gap(self, slopes: Array) -> Array:
        """`ln(p f_i / w_i)` of the inputs in use, 0 for the idle; not a number where a marginal product is not positive."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.idle, 0.0, np.log(self.price * slopes / self.wages))

    def sweep(self) -> None:
        inputs, slopes = self.inputs, self.formula.gradient(self.inputs)
        back = self.idle & (self.price * slopes > self.wages) & ~self.finished[:, None]
        if back.any():
            self.idle &= ~back
            self.inputs = inputs = np.where(back, 1e-3 * np.max(inputs, axis=-1, keepdims=True) + 1e-12, inputs)
            slopes = self.formula.gradient(inputs)
        gap = self.gap(slopes)
        curvature = self.price * self.formula.hessian(inputs) * inputs[:, :, None] * inputs[:, None, :]
        used = ~self.idle
        curvature = np.where(used[:, :, None] & used[:, None, :], curvature, -np.eye(inputs.shape[1]))
        newton = self._direction(curvature, -np.where(used, self.price * slopes * inputs, 0.0) * gap)
        ascent = self._direction(curvature, -np.where(used, inputs * (self.price * slopes - self.wages), 0.0))
        self._leave_corners(newton)
        self._advance(np.where(self.idle, 0.0, newton), np.where(self.idle, 0.0, ascent), np.max(np.abs(gap), axis=-1))

    def _direction(self, curvature: Array, right: Array) -> Array:
        usable = np.isfinite(curvature).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
        safe = np.where(usable[:, None, None], curvature, -np.eye(right.shape[1]))
        try:
            step = np.linalg.solve(safe, np.where(usable[:, None], right, 0.0)[..., None])[..., 0]
        except np.linalg.LinAlgError:
            step = (np.linalg.pinv(safe) @ np.where(usable[:, None], right, 0.0)[..., None])[..., 0]
        longest = np.maximum(np.max(np.abs(step), axis=-1, keepdims=True) / 4.0, 1.0)
        return np.where(usable[:, None], step / longest, np.nan)

    def _leave_corners(self, newton: Array) -> None:
        """Set to 0 an input that runs towards it and whose first unit, the others given, does not pay."""
        falling = (newton <= -1.0) & ~self.idle & ~self.finished[:, None]
        for column in np.flatnonzero(falling.any(axis=0)):
            without = self.inputs.copy()
            without[:, column] = 0.0
            first = self.price * self.formula.gradient(without)[:, column]
            leave = falling[:, column] & np.isfinite(self.formula.value(without)) & (first <= self.wages[column])
            self.inputs = np.where(leave[:, None], without, self.inputs)
            self.idle[:, column] |= leave

    def _advance(self, newton: Array, ascent: Array, gap: Array) -> None:
        profit = self.profit(self.inputs)
        waiting = ~self.finished
        with np.errstate(over="ignore", invalid="ignore"):
            for halving in range(45):
                by_newton = halving < 2
                step = (newton if by_newton else ascent) * 0.5 ** (2 * halving if by_newton else halving - 2)
                trial = np.where(self.idle, 0.0, self.inputs * np.exp(step))
                trial_gap = np.max(np.abs(self.gap(self.formula.gradient(trial))), axis=-1)
                better = trial_gap <= 0.9 * gap if by_newton else self.profit(trial) > profit
                accepted = waiting & better
                self.inputs = np.where(accepted[:, None], trial, self.inputs)
                self.finished |= accepted & (np.max(np.abs(step), axis=-1) < CONVERGED_STEP)
                waiting &= ~accepted
                if not waiting.any():
                    break
        # What neither road improves has reached the precision of the arithmetic.
        self.finished |= waiting
        runaway = np.log(np.max(self.inputs, axis=-1, initial=1.0)) > LARGEST_LOG
        self.inputs = np.where(runaway[:, None] & ~self.idle, np.inf, self.inputs)
        self.finished |= runaway
