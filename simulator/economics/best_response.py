"""Where profit `p f(x) - w.x` is largest over `x >= 0`, for a strictly concave formula `f` and going prices.

First-order conditions `p df/dx_i = w_i` (or `<= w_i` at a corner `x_i = 0`) are solved as `ln(p df/dx_i) = ln w_i`
in the unknowns `ln x_i`: for power laws that system is linear, for other concave formulas nearly so over decades of
prices. Two roads, one answer: `one_input` in plain floats for one firm with one input (the inner loop of small
economies, ten times faster there than arrays) and `many_inputs` in arrays. Both start from a guess (the last plan)
and are safeguarded: by a bracket, or by damping towards a direction in which profit must rise.

Where profit has no maximum the inputs are infinite: at such prices demand is not finite.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.economics.inside import best_inside, inside_domain
from simulator.formulas.epigraph import epigraph_of
from simulator.formulas.formula import Formula
from simulator.formulas.searches import array_search, search
from simulator.formulas.tape import ScalarFormula

SMALLEST_LOG, LARGEST_LOG = -150.0, 300.0
"""A quantity whose logarithm lies below the first counts as 0, above the second as infinite."""
OVERFLOW_LOG = 150.0
"""Beyond this a derivative that is not a number has overflowed; the domain has not ended."""
CONVERGED_STEP = 1e-9
"""A Newton step this small in `ln x` is taken, to first order, and is the last: what it leaves is of the order of its
square.
"""
BLURRED_STEP = 1e-3
"""Rounding never hides more of a step than this."""
LEAST_DAMPING = 1e-14
SMALLEST, LARGEST = math.exp(SMALLEST_LOG), math.exp(LARGEST_LOG)


@search(results=2)
def one_input(formula: ScalarFormula, ratio: float, guess: float, first_slope: float) -> tuple[float, float]:
    """Input `x` and output `f(x)` of one firm at which `f'(x) = ratio`, the input's price over the output's.

    `first_slope` is `f'(0)` where `f(0)` exists, else infinite. Newton on `g(t) = ln f'(e^t) - ln ratio`, which
    falls in `t`, inside the bracket found so far. Outside the domain the search turns back towards the last number
    it met.
    """
    if first_slope <= ratio:
        return 0.0, formula.value(0.0)
    low, high, stride = -math.inf, math.inf, 1.0
    x = guess if 0.0 < guess < math.inf else 1.0
    t = math.log(x)
    inside, known = math.nan, math.nan
    for _ in range(300):
        value, slope, curvature = formula.jet(x)
        step = math.nan
        if slope != slope:
            if inside != inside:
                inside = t = _first_inside(formula, t)
                if t != t:
                    return 0.0, formula.value(0.0)
                x = math.exp(t)
                continue
            gap = inside - t
            if t > max(inside, OVERFLOW_LOG):
                return math.inf, _limit(formula, known)
        else:
            inside, known = t, value
            if ratio <= 0.0:
                gap = 1.0 if slope >= ratio else -1.0
            elif slope <= 0.0:
                gap = -1.0
            elif slope == math.inf:
                gap = 1.0
            else:
                quotient = slope / ratio
                gap = math.log(quotient) if 0.0 < quotient < math.inf else quotient - 1.0
                if curvature < 0.0:
                    step = -gap * slope / (x * curvature)
                    if -CONVERGED_STEP < step < CONVERGED_STEP:
                        change = x * step
                        return x + change, value + slope * change
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
                    return (x, value) if value == value else (math.exp(inside), known)
        if following > LARGEST_LOG:
            if t == LARGEST_LOG:
                return math.inf, _limit(formula, known)
            following = LARGEST_LOG
        elif following < SMALLEST_LOG:
            if t == SMALLEST_LOG:
                return 0.0, formula.value(0.0)
            following = SMALLEST_LOG
        t = following
        x = math.exp(t)
    return x, formula.value(x)


def _first_inside(formula: ScalarFormula, t: float) -> float:
    """The logarithm of an input at which the formula has a slope, looked for ever further on both sides of `t`."""
    distance = 0.25
    while distance < 2.0 * LARGEST_LOG:
        for there in (t + distance, t - distance):
            if SMALLEST_LOG < there < LARGEST_LOG and not math.isnan(formula.jet(math.exp(there))[1]):
                return there
        distance += max(0.25, distance / 32.0)
    return math.nan


def _limit(formula: ScalarFormula, known: float) -> float:
    """`f(inf)`, or the last value on the way there where that is not a number."""
    value = formula.value(math.inf)
    return known if math.isnan(value) else value


@array_search("the best inputs of a formula of several")
def many_inputs(formula: Formula, price: float | Array, input_prices: Array, guess: Array) -> Array:
    """The best inputs `(agents, inputs)` of firms that share a formula, at one output price, or one for each
    `(agents,)`, and input prices `input_prices`.

    Damped Newton on the logarithmic first-order conditions, a row an agent. With `r_i = ln(p f_i / w_i)`, `D =
    diag(x p f')` and `M = -p X f'' X` a sweep solves `(M + damping (D + diag M)) d ln x = D r`: undamped it is Newton's
    step; strongly damped, every input moves its own way and profit must rise. An input whose first unit costs more than
    it earns, given the others, is left out, and taken back if that changes.
    """
    if not np.any(price > 0.0):
        return np.zeros(guess.shape)
    if np.any(input_prices < 0.0):
        # Who is paid for what is used goes on until more of it does as much harm.
        return best_inside(epigraph_of(formula), price, input_prices, guess)
    free = ~(input_prices > 0)
    search = _Search(formula, price, np.where(free, 1e-300, input_prices), guess)
    with np.errstate(all="ignore"):
        for _ in range(300):
            if not search.rows.size:
                break
            search.sweep()
        inputs = np.where(search.inputs > SMALLEST, search.inputs, 0.0)
        if free.any():
            # A free input is used without end unless more of it does harm.
            slopes = formula.gradient(np.where(free, 1e3 * inputs, inputs))
            inputs = np.where(free & ~(slopes < 0), np.inf, inputs)
    return np.where(np.reshape(price, (-1, 1)) > 0.0, inputs, 0.0)


class _Search:
    """The state of `many_inputs`: the `inputs` of all agents, and the `rows` of those still searching."""

    def __init__(self, formula: Formula, price: float | Array, input_prices: Array, guess: Array) -> None:
        self.formula, self.input_prices = formula, input_prices
        self.price = np.broadcast_to(price, (len(guess),))[:, None]
        usable = (guess >= 0) & np.isfinite(guess)
        corner = usable & np.isfinite(formula.gradient(np.where(usable, guess, 1.0))).all(axis=-1, keepdims=True)
        self.inputs = inside_domain(formula, np.where(corner | (usable & (guess > 0)), guess, 1.0))
        self.idle = self.inputs == 0
        self.rows = np.flatnonzero(self.price[:, 0] > 0.0)
        self.damping = np.full(len(guess), LEAST_DAMPING)
        self.reach = np.full(len(guess), 4.0)

    def sweep(self) -> None:
        """One step of every row still searching; those that have arrived, or can improve no more, leave `rows`."""
        rows, input_prices = self.rows, self.input_prices
        self._take_back()
        inputs, idle = self.inputs[rows], self.idle[rows]
        earned, step, blur = self._step(inputs, idle)
        longest = np.max(np.abs(step), axis=-1)
        fraction = np.minimum(1.0, self.reach[rows] / longest)
        left_out = self._leave_out(step, fraction)
        trial = inputs * np.exp(fraction[:, None] * step)
        earned_there = self.price[rows] * self.formula.gradient(trial)

        # Profit is concave: it has risen if it still rises at the trial along the way. Near the maximum rounding hides
        # that, and Newton's own measure, the largest gap, takes its place.
        along = trial - inputs
        uphill = np.sum((earned - input_prices) * along, axis=-1) > 0
        rises = uphill & (np.sum((earned_there - input_prices) * along, axis=-1) >= 0)
        gap, gap_there = self._gap(earned, idle), self._gap(earned_there, idle)
        closer = (fraction == 1.0) & (np.max(np.abs(gap_there), axis=-1) <= 0.5 * np.max(np.abs(gap), axis=-1))
        accepted = np.isfinite(earned_there).all(axis=-1) & (rises | closer) & ~left_out

        damping, reach = self.damping[rows], self.reach[rows]
        arrived = (longest < np.maximum(CONVERGED_STEP, blur)) & (damping < 1e-3) & ~left_out
        moved = np.where(accepted[:, None], trial, np.where(arrived[:, None], inputs * (1.0 + step), self.inputs[rows]))
        runaway = np.max(moved, axis=-1) > LARGEST
        self.inputs[rows] = np.where(runaway[:, None] & ~idle, np.inf, moved)
        eased = np.where(damping > 1e-3, 0.1 * damping, LEAST_DAMPING)
        # Too far in a good direction: not so far; a bad direction: more each its own way.
        stays = left_out | uphill
        self.damping[rows] = np.where(accepted, eased, np.where(stays, damping, np.maximum(10.0 * damping, 1e-2)))
        walked = longest * fraction
        shorter = np.where(left_out, reach, np.where(stays, 0.25 * walked, walked))
        self.reach[rows] = np.where(accepted, np.clip(2.0 * walked, reach, 32.0), shorter)
        self.rows = rows[~(arrived | runaway | (self.damping[rows] > 1e12) | (self.reach[rows] < 1e-12))]

    def _gap(self, earned: Array, idle: NDArray[np.bool_]) -> Array:
        """`ln(p f_i / w_i)`, 0 for the idle, minus infinity where another unit does harm."""
        return np.where(idle, 0.0, np.where(earned > 0, np.log(earned / self.input_prices), -np.inf))

    def _step(self, inputs: Array, idle: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
        """What the last units earn, `p f_i`, the change of `ln x`, and what of it may be rounding, of the rows still
        searching.
        """
        price = self.price[self.rows]
        earned = price * self.formula.gradient(inputs)
        curvature = -price[:, None] * self.formula.hessian(inputs) * inputs[:, :, None] * inputs[:, None, :]
        rising = earned > 0
        weight = np.sqrt(np.maximum(np.where(rising, earned, self.input_prices) * inputs, 1e-300))
        urge = np.where(rising, np.log(earned / self.input_prices), earned / self.input_prices - 1.0)
        system = curvature / (weight[:, :, None] * weight[:, None, :])
        system = np.where(idle[:, :, None] | idle[:, None, :] | ~np.isfinite(system), 0.0, system)
        own = np.abs(np.einsum("aii->ai", system))
        blur = 1e-15 / np.min(np.where(idle, 1.0, own), axis=-1)
        system += (self.damping[self.rows, None] * (1.0 + own) + idle)[:, :, None] * np.eye(inputs.shape[1])
        right = np.where(idle, 0.0, np.clip(weight * urge, -1e300, 1e300))
        return earned, solved(system, right[..., None])[..., 0] / weight, np.clip(blur, 0.0, BLURRED_STEP)

    def _take_back(self) -> None:
        """Use an idle input whose first unit earns more than it costs."""
        rows = self.rows
        if not (self.inputs[rows] == 0).any():
            return
        inputs = self.inputs[rows]
        price = self.price[rows]
        earned = price * self.formula.gradient(inputs)
        back = self.idle[rows] & (inputs == 0) & (earned > self.input_prices)
        if back.any():
            curvature = -price * np.diagonal(self.formula.hessian(inputs), axis1=1, axis2=2)
            first = (earned - self.input_prices) / curvature
            some = 1e-3 * np.max(inputs, axis=-1, keepdims=True) + 1e-12
            self.inputs[rows] = np.where(back, np.where(np.isfinite(first) & (first > 0), first, some), inputs)
            self.idle[rows] &= ~back

    def _leave_out(self, step: Array, fraction: Array) -> NDArray[np.bool_]:
        """Set to 0 an input that runs towards it and whose first unit, the others given, does not pay; says in which
        rows.

        One that falls below the smallest quantity is left out there, where every formula still has a slope.
        """
        rows = self.rows
        falling = (step <= -1.0) & ~self.idle[rows]
        leaves = np.zeros(len(rows), dtype=bool)
        for column in np.flatnonzero(falling.any(axis=0)):
            without = self.inputs[rows]
            without[:, column] = 0.0
            first = self.price[rows, 0] * self.formula.gradient(without)[:, column]
            pays = ~(np.isfinite(self.formula.value(without)) & (first <= self.input_prices[column]))
            corner = falling[:, column] & ~pays
            small = falling[:, column] & (self.inputs[rows, column] * np.exp(fraction * step[:, column]) <= SMALLEST)
            gone = corner | small
            self.inputs[rows[gone], column] = np.where(corner, 0.0, SMALLEST)[gone]
            self.idle[rows[gone], column] = True
            leaves |= gone
        return leaves


def inverse_curvature(bent: Array) -> Array:
    """Inverse Hessians `(rows, inputs, inputs)`. One that rounding has made singular is a little bent; where an input
    has no curvature at all, as beside another of which nothing is used, none of the row's inputs move. A single one
    moves without end.
    """
    if bent.shape[-1] == 1:
        return np.where(bent == 0.0, -np.inf, 1.0 / bent)
    return _inverse(bent)


@array_search("the inverse of a curvature")
def _inverse(bent: Array) -> Array:
    try:
        return np.asarray(np.linalg.inv(bent), dtype=float)
    except np.linalg.LinAlgError:
        one = np.eye(bent.shape[-1])
        with np.errstate(all="ignore"):
            unit = 1.0 / np.sqrt(np.abs(np.einsum("aii->ai", bent)))
            units = unit[:, :, None] * unit[:, None, :]
            usable = np.isfinite(bent * units).all(axis=(1, 2))[:, None, None]
            return np.where(usable, np.linalg.inv(np.where(usable, bent * units, -one) - 1e-14 * one) * units, 0.0)


def solved(systems: Array, right: Array) -> Array:
    """Steps `(agents, inputs, columns)`; where some system is singular, as of a formula that is not concave, those of
    systems a little more bent.
    """
    try:
        return np.asarray(np.linalg.solve(systems, right), dtype=float)
    except np.linalg.LinAlgError:
        bent = systems + 1e-8 * np.eye(right.shape[-2])
        return np.einsum("aij,ajc->aic", np.linalg.pinv(np.where(np.isfinite(bent), bent, 0.0)), right)
