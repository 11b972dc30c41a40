"""Operations: each on arrays and on floats, beside its partial derivatives.

After autograd's `numpy_vjps.py` and micrograd. `graph` makes graphs of them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

import numpy as np


@dataclass(frozen=True, slots=True)
class Primitive:
    """One operation: `array` on numpy arrays, `number` on floats, and its partial derivatives.

    `partials[i](y, *arguments)` builds dy/d(argument i) as a `Term`, `y` being the result; a variadic operation has
    one partial, `(y, the argument in question, *arguments)`. `number` may raise where IEEE arithmetic has an answer;
    `beyond` gives that answer. `kinked`: not differentiable everywhere. `total`: finite for all finite arguments
    (overflow apart).
    """

    array: Callable[..., Any]
    number: Callable[..., float]
    partials: tuple[Callable[..., Any], ...]
    beyond: Callable[..., float] = lambda *_: math.nan
    variadic: bool = False
    kinked: bool = False
    total: bool = True


_negative = cast("Callable[[float], float]", operator.neg)
_absolute = cast("Callable[[float], float]", abs)


def _quotient_beyond(a: float, b: float) -> float:
    return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _power_beyond(a: float, n: float) -> float:
    if a < 0 and n != math.floor(n):
        return math.nan
    return -math.inf if math.copysign(1.0, a) < 0 and n % 2 == 1 else math.inf


def _positive_power_array(a: Any, b: Any) -> Any:
    return np.where(np.real(a) > 0, np.power(a, b), np.nan)


def _positive_power(a: float, b: float) -> float:
    return math.pow(a, b) if a > 0 else math.nan


def _squared_sech_array(a: Any) -> Any:
    inverse = 1.0 / np.cosh(a)
    return inverse * inverse


def _squared_sech(a: float) -> float:
    inverse = 1.0 / math.cosh(a)
    return inverse * inverse


def _least(*values: float) -> float:
    return math.nan if any(map(math.isnan, values)) else min(values)


def _greatest(*values: float) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)


def _sign(a: float) -> float:
    return a if a != a else float((a > 0) - (a < 0))


def _relu_array(a: Any) -> Any:
    return np.where(np.real(a) <= 0, 0.0, a)


def _relu(a: float) -> float:
    return 0.0 if a <= 0 else a


def _decay_array(a: Any) -> Any:
    return np.exp(np.where(np.real(a) < 0, a, -a))


def _sigmoid_array(a: Any) -> Any:
    decay = _decay_array(a)
    return np.where(np.real(a) < 0, decay, 1.0) / (1.0 + decay)


def _sigmoid(a: float) -> float:
    decay = math.exp(-abs(a))
    return (decay if a < 0 else 1.0) / (1.0 + decay)


def _softplus_array(a: Any) -> Any:
    return _relu_array(a) + np.log1p(_decay_array(a))


def _softplus(a: float) -> float:
    return (0.0 if a <= 0 else a) + math.log1p(math.exp(-abs(a)))


def _equal_array(a: Any, b: Any) -> Any:
    return np.where(np.isnan(a) | np.isnan(b), np.nan, np.equal(a, b))


def _equal(a: float, b: float) -> float:
    return math.nan if a != a or b != b else float(a == b)


def _no_slope(*_: Any) -> float:
    return 0.0


def _share_of_ties(y: Any, argument: Any, *arguments: Any) -> Any:
    ties = [y.to("equal", each) for each in arguments]
    return y.to("equal", argument) / sum(ties[1:], ties[0])


OPERATIONS: dict[str, Primitive] = {
    "+": Primitive(np.add, operator.add, (lambda y, a, b: 1.0, lambda y, a, b: 1.0)),
    "-": Primitive(np.subtract, operator.sub, (lambda y, a, b: 1.0, lambda y, a, b: -1.0)),
    "*": Primitive(np.multiply, operator.mul, (lambda y, a, b: b, lambda y, a, b: a)),
    "/": Primitive(
        np.divide, operator.truediv, (lambda y, a, b: 1 / b, lambda y, a, b: -y / b), _quotient_beyond, total=False
    ),
    "negate": Primitive(np.negative, _negative, (lambda y, a: -1.0,)),
    # Constant exponent: any base where it is an integer, otherwise base >= 0.
    "^ constant": Primitive(
        np.power,
        math.pow,
        (lambda y, a, n: n * a ** (n - 1), lambda y, a, n: y * a.to("ln")),
        _power_beyond,
        total=False,
    ),
    # Variable exponent: base > 0.
    "^": Primitive(
        _positive_power_array,
        _positive_power,
        (lambda y, a, b: b * y / a, lambda y, a, b: y * a.to("ln")),
        lambda a, b: math.inf,
        total=False,
    ),
    "sqrt": Primitive(np.sqrt, math.sqrt, (lambda y, a: 0.5 / y,), total=False),
    "ln": Primitive(np.log, math.log, (lambda y, a: 1 / a,), lambda a: -math.inf if a == 0 else math.nan, total=False),
    "exp": Primitive(np.exp, math.exp, (lambda y, a: y,), lambda a: math.inf),
    "sin": Primitive(np.sin, math.sin, (lambda y, a: a.to("cos"),)),
    "cos": Primitive(np.cos, math.cos, (lambda y, a: -a.to("sin"),)),
    "tanh": Primitive(np.tanh, math.tanh, (lambda y, a: a.to("sech^2"),)),
    # A row of its own because 1 - tanh^2 loses all its digits where tanh saturates.
    "sech^2": Primitive(_squared_sech_array, _squared_sech, (lambda y, a: -2 * (a.to("tanh") * y),), lambda a: 0.0),
    # At a tie min and max split their derivative evenly between the tied arguments; that of abs at 0 is 0.
    "min": Primitive(lambda *a: reduce(np.minimum, a), _least, (_share_of_ties,), variadic=True, kinked=True),
    "max": Primitive(lambda *a: reduce(np.maximum, a), _greatest, (_share_of_ties,), variadic=True, kinked=True),
    "abs": Primitive(np.abs, _absolute, (lambda y, a: a.to("sign"),), kinked=True),
    # As max(a, 0): half at the kink.
    "relu": Primitive(_relu_array, _relu, (lambda y, a: 0.5 + 0.5 * a.to("sign"),), kinked=True),
    # Of the size of a number alone is an exponential taken, so that none overflows; 1 - y would lose all its digits.
    "sigmoid": Primitive(_sigmoid_array, _sigmoid, (lambda y, a: y * (-a).to("sigmoid"),)),
    "softplus": Primitive(_softplus_array, _softplus, (lambda y, a: a.to("sigmoid"),)),
    "sign": Primitive(np.sign, _sign, (lambda y, a: 0.0,)),
    "log1p": Primitive(
        np.log1p, math.log1p, (lambda y, a: 1 / (1 + a),), lambda a: -math.inf if a == -1 else math.nan, total=False
    ),
    "expm1": Primitive(np.expm1, math.expm1, (lambda y, a: y + 1,), lambda a: math.inf),
    "equal": Primitive(_equal_array, _equal, (lambda y, a, b: 0.0, lambda y, a, b: 0.0)),
}

STEERING: dict[str, Primitive] = {
    # What a program asks before it goes on, and what it chooses then.
    ">": Primitive(np.greater, operator.gt, (_no_slope, _no_slope)),
    "<": Primitive(np.less, operator.lt, (_no_slope, _no_slope)),
    ">=": Primitive(np.greater_equal, operator.ge, (_no_slope, _no_slope)),
    "<=": Primitive(np.less_equal, operator.le, (_no_slope, _no_slope)),
    "==": Primitive(np.equal, operator.eq, (_no_slope, _no_slope)),
    "!=": Primitive(np.not_equal, operator.ne, (_no_slope, _no_slope)),
    "remainder": Primitive(np.remainder, operator.mod, (lambda y, a, b: 1.0, _no_slope), total=False),
    # Any base, as NumPy has it.
    "power": Primitive(
        np.power, math.pow, (lambda y, a, b: b * y / a, lambda y, a, b: y * a.to("ln")), _power_beyond, total=False
    ),
    "cosh": Primitive(np.cosh, math.cosh, (lambda y, a: y * a.to("tanh"),), lambda a: math.inf),
    "finite": Primitive(np.isfinite, math.isfinite, (_no_slope,)),
    "and": Primitive(np.logical_and, lambda a, b: bool(a and b), (_no_slope, _no_slope)),
    "or": Primitive(np.logical_or, lambda a, b: bool(a or b), (_no_slope, _no_slope)),
    "not": Primitive(np.logical_not, operator.not_, (_no_slope,)),
    "choose": Primitive(
        np.where,
        lambda c, a, b: a if c else b,
        (_no_slope, lambda y, c, a, b: c.to("choose", 1.0, 0.0), lambda y, c, a, b: c.to("choose", 0.0, 1.0)),
    ),
    # One of the results of a call.
    "part": Primitive(
        lambda results, place: results[int(place)], lambda results, place: results[int(place)], (), total=False
    ),
}
"""What a traced function asks and chooses, and what it takes of a call; no formula is written with these."""

EXACT = {"+", "-", "*", "/", "negate", "sqrt", "min", "max", "abs", "relu", "sign", "equal"}
ROUNDED = frozenset([*OPERATIONS.keys() - EXACT, "power", "cosh"])
"""Operations whose last bit on arrays is another than on floats; all others are exact or correctly rounded."""

FUNCTIONS = ("sqrt", "ln", "exp", "min", "max", "sin", "cos", "tanh", "abs", "relu", "sigmoid", "softplus")
"""The operations a formula may call by name."""


def element_by_element(row: Primitive) -> Callable[..., Any]:
    """One operation on arrays, with the very numbers that it has on floats."""

    def on_arrays(*arguments: Any) -> Any:
        columns = [np.asarray(each, dtype=float).ravel().tolist() for each in np.broadcast_arrays(*arguments)]
        try:
            return np.array(list(map(row.number, *columns)))
        except (ArithmeticError, ValueError):
            return np.array([calculate(row, values) for values in zip(*columns, strict=True)])

    return on_arrays


def calculate(row: Primitive, values: Sequence[float]) -> float:
    """One operation on floats with IEEE answers; never raises."""
    try:
        return row.number(*values)
    except (ArithmeticError, ValueError):
        return row.beyond(*values)
