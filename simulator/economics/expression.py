"""Formulas as operation graphs: the value forward, derivatives in reverse.

`parse("1 - 1/(ethylene + 1)")` reads plain arithmetic into a `Graph` whose nodes are shared (equal subexpressions are
one node). A gradient is one reverse sweep, which adds nodes to the same graph; a Hessian is the sweep of each slope.
What is wanted is then written out as a straight line of operations (`Tape`) and run on numpy arrays or on plain floats,
without recursion.

Each operation stands in `OPERATIONS` beside its partial derivatives (after autograd's `numpy_vjps.py` and micrograd).
Nothing here hands text to Python: a formula cannot do more than arithmetic.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any, NoReturn, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_CHARACTERS = 10_000
MAX_OPERATIONS = 2_000
MAX_DEPTH = 100


class FormulaError(ValueError):
    """A formula that is refused: `message` says what was found and what to write, `offset` where (from 0)."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Term:
    """A node of a graph, with arithmetic: `a * b` adds the product to the graph (or finds it there)."""

    graph: Graph = field(repr=False)
    node: int

    @property
    def constant(self) -> float | None:
        """The number this node is, or None."""
        return self.graph.constants[self.node]

    def __add__(self, other: Term | float) -> Term:
        return self.graph.apply("+", self, other)

    def __sub__(self, other: Term | float) -> Term:
        return self.graph.apply("-", self, other)

    def __mul__(self, other: Term | float) -> Term:
        return self.graph.apply("*", self, other)

    def __truediv__(self, other: Term | float) -> Term:
        return self.graph.apply("/", self, other)

    def __pow__(self, other: Term | float) -> Term:
        return self.graph.apply("^", self, other)

    def __radd__(self, other: float) -> Term:
        return self.graph.apply("+", other, self)

    def __rsub__(self, other: float) -> Term:
        return self.graph.apply("-", other, self)

    def __rmul__(self, other: float) -> Term:
        return self.graph.apply("*", other, self)

    def __rtruediv__(self, other: float) -> Term:
        return self.graph.apply("/", other, self)

    def __neg__(self) -> Term:
        return self.graph.apply("negate", self)

    def to(self, operation: str, *others: Term) -> Term:
        """The named operation of this node (and others)."""
        return self.graph.apply(operation, self, *others)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `array` on numpy arrays, `number` on floats, and its partial derivatives.

    `partials[i](y, *arguments)` builds dy/d(argument i) as a term, `y` being the result; a variadic operation has
    one partial, `(y, the argument in question, *arguments)`. `number` may raise where IEEE arithmetic has an answer;
    `beyond` gives that answer. `kinked`: not differentiable everywhere. `total`: finite for all finite arguments
    (overflow apart).
    """

    array: Callable[..., Any]
    number: Callable[..., float]
    partials: tuple[Callable[..., Term | float], ...]
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
    return np.square(1.0 / np.cosh(a))


def _squared_sech(a: float) -> float:
    inverse = 1.0 / math.cosh(a)
    return inverse * inverse


def _least(*values: float) -> float:
    return math.nan if any(map(math.isnan, values)) else min(values)


def _greatest(*values: float) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)


def _sign(a: float) -> float:
    return a if a != a else float((a > 0) - (a < 0))


def _equal_array(a: Any, b: Any) -> Any:
    return np.where(np.isnan(a) | np.isnan(b), np.nan, np.equal(a, b))


def _equal(a: float, b: float) -> float:
    return math.nan if a != a or b != b else float(a == b)


def _share_of_ties(y: Term, argument: Term, *arguments: Term) -> Term:
    ties = [y.to("equal", each) for each in arguments]
    return y.to("equal", argument) / sum(ties[1:], ties[0])


OPERATIONS: dict[str, Operation] = {
    "+": Operation(np.add, operator.add, (lambda y, a, b: 1.0, lambda y, a, b: 1.0)),
    "-": Operation(np.subtract, operator.sub, (lambda y, a, b: 1.0, lambda y, a, b: -1.0)),
    "*": Operation(np.multiply, operator.mul, (lambda y, a, b: b, lambda y, a, b: a)),
    "/": Operation(
        np.divide, operator.truediv, (lambda y, a, b: 1 / b, lambda y, a, b: -y / b), _quotient_beyond, total=False
    ),
    "negate": Operation(np.negative, _negative, (lambda y, a: -1.0,)),
    # Constant exponent: any base where it is an integer, otherwise base >= 0.
    "^ constant": Operation(
        np.power,
        math.pow,
        (lambda y, a, n: n * a ** (n - 1), lambda y, a, n: y * a.to("ln")),
        _power_beyond,
        total=False,
    ),
    # Variable exponent: base > 0.
    "^": Operation(
        _positive_power_array,
        _positive_power,
        (lambda y, a, b: b * y / a, lambda y, a, b: y * a.to("ln")),
        lambda a, b: math.inf,
        total=False,
    ),
    "sqrt": Operation(np.sqrt, math.sqrt, (lambda y, a: 0.5 / y,), total=False),
    "ln": Operation(np.log, math.log, (lambda y, a: 1 / a,), lambda a: -math.inf if a == 0 else math.nan, total=False),
    "exp": Operation(np.exp, math.exp, (lambda y, a: y,), lambda a: math.inf),
    "sin": Operation(np.sin, math.sin, (lambda y, a: a.to("cos"),)),
    "cos": Operation(np.cos, math.cos, (lambda y, a: -a.to("sin"),)),
    "tanh": Operation(np.tanh, math.tanh, (lambda y, a: a.to("sech^2"),)),
    # A row of its own because 1 - tanh^2 loses all its digits where tanh saturates.
    "sech^2": Operation(_squared_sech_array, _squared_sech, (lambda y, a: -2 * (a.to("tanh") * y),), lambda a: 0.0),
    # At a tie min and max split their derivative evenly between the tied arguments; that of abs at 0 is 0.
    "min": Operation(lambda *a: reduce(np.minimum, a), _least, (_share_of_ties,), variadic=True, kinked=True),
    "max": Operation(lambda *a: reduce(np.maximum, a), _greatest, (_share_of_ties,), variadic=True, kinked=True),
    "abs": Operation(np.abs, _absolute, (lambda y, a: a.to("sign"),), kinked=True),
    "sign": Operation(np.sign, _sign, (lambda y, a: 0.0,)),
    "equal": Operation(_equal_array, _equal, (lambda y, a, b: 0.0, lambda y, a, b: 0.0)),
}

FUNCTIONS = ("sqrt", "ln", "exp", "min", "max", "sin", "cos", "tanh", "abs")
"""The operations a formula may call by name."""


def _calculate(row: Operation, values: Sequence[float]) -> float:
    """One operation on floats with IEEE answers; never raises."""
    try:
        return row.number(*values)
    except (ArithmeticError, ValueError):
        return row.beyond(*values)


class Graph:
    """A growing graph of operations without duplicates: every node stands after its arguments.

    Node `i` is `operations[i]` of the nodes `arguments[i]`; for a constant or a variable the operation is "constant" or
    "variable". Simplifications are light (x*1, x+0, constants, signs), keep every domain error and never make a
    constant that is not finite: such an operation stays as it is written.
    """

    def __init__(self) -> None:
        self.operations: list[str] = []
        self.arguments: list[tuple[int, ...]] = []
        self.constants: list[float | None] = []
        self.names: list[str | None] = []
        self._total: list[bool] = []
        self._known: dict[tuple[object, ...], int] = {}

    def constant(self, value: float) -> Term:
        """The number `value`."""
        # The text of a float tells 0.0 from -0.0, equality does not.
        return self._node("constant", (), constant=float(value), key=float(value).hex())

    def variable(self, name: str) -> Term:
        """The variable `name`."""
        return self._node("variable", (), name=name, key=name)

    def apply(self, operation: str, *arguments: Term | float) -> Term:
        """An operation of `OPERATIONS` applied to terms or numbers, simplified; "^" picks its row by its exponent."""
        terms = tuple(a if isinstance(a, Term) else self.constant(a) for a in arguments)
        values = [v for term in terms if (v := term.constant) is not None]
        if operation == "^" and terms[1].constant is not None:
            operation = "^ constant"
        row = OPERATIONS[operation]
        if len(values) == len(terms):
            value = _calculate(row, values)
            if math.isfinite(value):
                return self.constant(value)
        else:
            simpler = _simplify(operation, terms)
            if simpler is not None:
                return simpler
        if operation in ("+", "*"):
            terms = tuple(sorted(terms, key=lambda term: term.node))
        return self._node(operation, tuple(term.node for term in terms))

    def is_total(self, term: Term) -> bool:
        """Whether the term is defined for all inputs, so that it may be left out where it does not matter."""
        return self._total[term.node]

    def reachable(self, outputs: Sequence[Term]) -> list[int]:
        """The nodes the outputs rest on, arguments first."""
        waiting = [term.node for term in outputs]
        found = set(waiting)
        while waiting:
            for argument in self.arguments[waiting.pop()]:
                if argument not in found:
                    found.add(argument)
                    waiting.append(argument)
        return sorted(found)

    def gradient(self, output: Term, variables: Sequence[str]) -> tuple[Term, ...]:
        """d(output)/d(variable) for each variable, by one reverse sweep: adjoints of a value used twice are added."""
        nodes = self.reachable([output])
        varies: set[int] = set()
        for node in nodes:
            if self.names[node] is not None or any(argument in varies for argument in self.arguments[node]):
                varies.add(node)
        adjoints = {output.node: self.constant(1.0)}
        for node in reversed(nodes):
            adjoint = adjoints.get(node)
            if adjoint is None or not self.arguments[node]:
                continue
            row = OPERATIONS[self.operations[node]]
            result = Term(self, node)
            arguments = [Term(self, argument) for argument in self.arguments[node]]
            for position, argument in enumerate(arguments):
                if argument.node not in varies:
                    continue
                if row.variadic:
                    contribution = adjoint * row.partials[0](result, argument, *arguments)
                else:
                    contribution = adjoint * row.partials[position](result, *arguments)
                if contribution.constant != 0:
                    before = adjoints.get(argument.node)
                    adjoints[argument.node] = contribution if before is None else before + contribution
        zero = self.constant(0.0)
        return tuple(adjoints.get(self.variable(name).node, zero) for name in variables)

    def _node(
        self,
        operation: str,
        arguments: tuple[int, ...],
        constant: float | None = None,
        name: str | None = None,
        key: str = "",
    ) -> Term:
        identity = (operation, arguments, key)
        node = self._known.get(identity)
        if node is None:
            node = len(self.operations)
            self._known[identity] = node
            self.operations.append(operation)
            self.arguments.append(arguments)
            self.constants.append(constant)
            self.names.append(name)
            total = not arguments or OPERATIONS[operation].total
            if operation == "^ constant":
                exponent = self.constants[arguments[1]]
                total = exponent is not None and exponent >= 0 and exponent == math.floor(exponent)
            self._total.append(total and all(self._total[argument] for argument in arguments))
        return Term(self, node)


def _negated(term: Term) -> Term | None:
    """The a of a term that is -a, or None."""
    graph = term.graph
    return Term(graph, graph.arguments[term.node][0]) if graph.operations[term.node] == "negate" else None


def _scaled(term: Term) -> tuple[float, Term] | None:
    """The number c and term a of a term that is c*a, or None."""
    graph = term.graph
    if graph.operations[term.node] == "*":
        a, b = (Term(graph, argument) for argument in graph.arguments[term.node])
        if (value := a.constant) is not None:
            return value, b
        if (value := b.constant) is not None:
            return value, a
    return None


def _simplify(operation: str, terms: tuple[Term, ...]) -> Term | None:
    """A simpler term of equal value, or None; at least one of the terms is not a constant."""
    rule = _SIMPLER.get(operation)
    return rule(*terms) if rule else None


def _simpler_sum(a: Term, b: Term) -> Term | None:
    if a.constant == 0:
        return b
    if b.constant == 0:
        return a
    if a == b:
        return 2 * a
    minus_a, minus_b = _negated(a), _negated(b)
    if minus_b is not None:
        return a - minus_b
    return b - minus_a if minus_a is not None else None


def _simpler_difference(a: Term, b: Term) -> Term | None:
    if a.constant == 0:
        return -b
    if b.constant == 0:
        return a
    minus_a, minus_b = _negated(a), _negated(b)
    if minus_b is not None:
        return a + minus_b
    return -(minus_a + b) if minus_a is not None else None


def _simpler_product(a: Term, b: Term) -> Term | None:
    if b.constant is not None:
        a, b = b, a
    factor = a.constant
    if factor == 0:
        return a if a.graph.is_total(b) else None
    if factor == 1:
        return b
    if factor == -1:
        return -b
    minus_a, minus_b = _negated(a), _negated(b)
    if minus_b is not None:
        return a * -1 * minus_b if factor is not None else -(a * minus_b)
    if minus_a is not None:
        return -(minus_a * b)
    if factor is not None:
        inner = _scaled(b)
        # Not where the product of the numbers leaves the range of floats: what it multiplies might bring it back.
        if inner is not None and 1e-300 < abs(factor * inner[0]) < 1e300:
            return (factor * inner[0]) * inner[1]
        return None
    for one, other in ((a, b), (b, a)):
        if one.graph.operations[one.node] == "/":
            numerator, denominator = (Term(one.graph, argument) for argument in one.graph.arguments[one.node])
            if numerator.constant == 1:
                return other / denominator
    return None


def _simpler_quotient(a: Term, b: Term) -> Term | None:
    if b.constant == 1:
        return a
    minus_a, minus_b = _negated(a), _negated(b)
    if minus_a is not None:
        return -(minus_a / b)
    return -(a / minus_b) if minus_b is not None else None


def _simpler_negation(a: Term) -> Term | None:
    minus_a, scaled = _negated(a), _scaled(a)
    if minus_a is not None:
        return minus_a
    return -scaled[0] * scaled[1] if scaled is not None else None


def _simpler_power(a: Term, n: Term) -> Term | None:
    if n.constant == 0:
        return a * 0 + 1
    if n.constant == 1:
        return a
    if n.constant == 2:
        return a * a
    if n.constant == 0.5:
        return a.to("sqrt")
    return 1 / a if n.constant == -1 else None


def _simpler_choice(operation: str) -> Callable[..., Term | None]:
    def simpler(*terms: Term) -> Term | None:
        distinct = list(dict.fromkeys(terms))
        if len(distinct) == len(terms):
            return None
        return distinct[0].to(operation, *distinct[1:]) if len(distinct) > 1 else distinct[0]

    return simpler


_SIMPLER: dict[str, Callable[..., Term | None]] = {
    "+": _simpler_sum,
    "-": _simpler_difference,
    "*": _simpler_product,
    "/": _simpler_quotient,
    "negate": _simpler_negation,
    "^ constant": _simpler_power,
    "min": _simpler_choice("min"),
    "max": _simpler_choice("max"),
}


class Tape:
    """Terms of a graph as a straight line of operations on numbered slots: inputs, constants, then results."""

    def __init__(self, outputs: Sequence[Term], variables: Sequence[str]) -> None:
        graph = outputs[0].graph
        slots = {graph.variable(name).node: slot for slot, name in enumerate(variables)}
        nodes = graph.reachable(outputs)
        constants: list[float] = []
        for node in nodes:
            value = graph.constants[node]
            if value is not None:
                slots[node] = len(variables) + len(constants)
                constants.append(value)
        self.constants = tuple(constants)
        self.rows: list[tuple[Operation, tuple[int, ...]]] = []
        # The same line for plain floats: (function, slot, slot), (function, slot, -1) or (function, slots, -2).
        self.steps: list[tuple[Callable[..., float], Any, int]] = []
        for node in nodes:
            if node in slots:
                continue
            row = OPERATIONS[graph.operations[node]]
            arguments = tuple(slots[argument] for argument in graph.arguments[node])
            slots[node] = len(variables) + len(constants) + len(self.rows)
            self.rows.append((row, arguments))
            match arguments:
                case (i,):
                    self.steps.append((row.number, i, -1))
                case (i, j):
                    self.steps.append((row.number, i, j))
                case _:
                    self.steps.append((row.number, arguments, -2))
        self.outputs = tuple(slots[term.node] for term in outputs)

    def run_arrays(self, inputs: Sequence[NDArray[Any]]) -> list[Any]:
        """The outputs: arrays, or numbers where they are constant. Floating-point warnings are the caller's."""
        values: list[Any] = [*inputs, *self.constants]
        for row, arguments in self.rows:
            values.append(row.array(*[values[slot] for slot in arguments]))
        return [values[slot] for slot in self.outputs]

    def run_float(self, x: float) -> list[float]:
        """Every slot's value at one input, in plain floats; never raises and never warns."""
        values = [float(x), *self.constants]
        append = values.append
        try:
            for function, i, j in self.steps:
                if j >= 0:
                    append(function(values[i], values[j]))
                elif j == -1:
                    append(function(values[i]))
                else:
                    append(function(*[values[slot] for slot in i]))
        except (ArithmeticError, ValueError):
            # One try around the line keeps the common case fast; the step that failed and those after it go with care.
            for row, arguments in self.rows[len(values) - 1 - len(self.constants) :]:
                append(_calculate(row, [values[slot] for slot in arguments]))
        return values


class ScalarFormula:
    """A formula of one input in plain Python floats, nan outside its domain: no numpy, no exceptions, no warnings."""

    __slots__ = ("_curvature", "_line", "_slope", "_value", "_value_line", "_value_slot")

    def __init__(self, value: Tape, derivatives: Tape) -> None:
        self._value_line = value.run_float
        self._value_slot = value.outputs[0]
        self._line = derivatives.run_float
        self._slope, self._curvature, self._value = derivatives.outputs

    def value(self, x: float) -> float:
        """f(x)."""
        return self._value_line(x)[self._value_slot]

    def slope_and_curvature(self, x: float) -> tuple[float, float]:
        """f'(x) and f''(x)."""
        return self.jet(x)[1:]

    def jet(self, x: float) -> tuple[float, float, float]:
        """f(x), f'(x) and f''(x), of one walk along the line."""
        values = self._line(x)
        value = values[self._value]
        if value != value:
            return math.nan, math.nan, math.nan
        return value, values[self._slope], values[self._curvature]


@dataclass(frozen=True)
class Formula:
    """A formula f of `variables` (in order of first appearance), with exact derivatives.

    Inputs `x` are `(..., k)`, in the order of `variables`, real or (where f is analytic) complex. Outside the domain
    every result is nan: sqrt and ln of negative numbers, non-integer powers of them, variable powers of numbers <= 0,
    0/0; else IEEE arithmetic: ln(0) = -inf, 1/0 = inf, the slope of sqrt at 0 is inf. At kinks the derivative is split
    evenly between the tied arguments of min and max, and is 0 for abs at 0.
    """

    text: str
    variables: tuple[str, ...]
    output: Term = field(repr=False, compare=False)

    def value(self, x: ArrayLike) -> NDArray[Any]:
        """f at inputs (..., k): shape (...)."""
        return self._evaluate(self._value_tape, x)[..., 0]

    def gradient(self, x: ArrayLike) -> NDArray[Any]:
        """df/dx_i at inputs (..., k): shape (..., k)."""
        return self._evaluate(self._gradient_tape, x)

    def hessian(self, x: ArrayLike) -> NDArray[Any]:
        """d2f/dx_i dx_j at inputs (..., k): shape (..., k, k), exactly symmetric."""
        k = len(self.variables)
        rows, columns = np.triu_indices(k)
        upper = self._evaluate(self._hessian_tape, x)
        result = np.empty((*upper.shape[:-1], k, k), dtype=upper.dtype)
        result[..., rows, columns] = upper
        result[..., columns, rows] = upper
        return result

    @cached_property
    def scalar(self) -> ScalarFormula | None:
        """The formula in plain floats if it has one variable, otherwise None."""
        if len(self.variables) != 1:
            return None
        (slope,) = self.gradient_terms
        (curvature,) = self.output.graph.gradient(slope, self.variables)
        return ScalarFormula(self._value_tape, Tape([slope, curvature, self.output], self.variables))

    @cached_property
    def has_kinks(self) -> bool:
        """Whether the formula contains min, max or abs."""
        graph = self.output.graph
        operations = (OPERATIONS.get(graph.operations[node]) for node in graph.reachable([self.output]))
        return any(row.kinked for row in operations if row)

    @cached_property
    def gradient_terms(self) -> tuple[Term, ...]:
        """The partial derivatives as terms of the formula's graph."""
        return self.output.graph.gradient(self.output, self.variables)

    @cached_property
    def _value_tape(self) -> Tape:
        return Tape([self.output], self.variables)

    @cached_property
    def _gradient_tape(self) -> Tape:
        return Tape([*self.gradient_terms, self.output], self.variables)

    @cached_property
    def _hessian_tape(self) -> Tape:
        upper: list[Term] = []
        for i, slope in enumerate(self.gradient_terms):
            upper += self.output.graph.gradient(slope, self.variables)[i:]
        return Tape([*upper, self.output], self.variables)

    def _evaluate(self, tape: Tape, x: ArrayLike) -> NDArray[Any]:
        """The outputs along a last axis; the value, which is last on a tape of derivatives, only marks the domain."""
        inputs = np.asarray(x)
        if inputs.dtype.kind != "c":
            inputs = inputs.astype(np.float64, copy=False)
        k = len(self.variables)
        if inputs.ndim == 0 or inputs.shape[-1] != k:
            raise ValueError(f"inputs of shape {inputs.shape} for {k} variables; expected (..., {k})")
        with np.errstate(all="ignore"):
            outputs = tape.run_arrays([inputs[..., i] for i in range(k)])
        columns = outputs if tape is self._value_tape else outputs[:-1]
        result = np.empty((*inputs.shape[:-1], len(columns)), dtype=inputs.dtype)
        for i, column in enumerate(columns):
            result[..., i] = column
        outside = np.isnan(outputs[-1])
        if outside.any():
            result[outside] = np.nan
        return result

    def __reduce__(self) -> tuple[Callable[[str], Formula], tuple[str]]:
        return parse, (self.text,)


_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[-+*/^(),]))"
)

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3, "^": 4}

_REFUSED = {
    "**": "** found; write ^ for a power",
    "//": "// found; a formula divides with a single /",
    "=": "= found; a formula is one expression, without assignments",
    ".": "a lone . found; names have no attributes, and numbers look like 0.5 or 1e-9",
    "[": "[ found; names are not indexed, and brackets are round",
    "]": "] found; names are not indexed, and brackets are round",
    "{": "{ found; brackets are round",
    "}": "} found; brackets are round",
    "'": "a quotation mark found; a formula has no text in it, write names without quotes",
    '"': "a quotation mark found; a formula has no text in it, write names without quotes",
    "\u2212": "\u2212 found; write - (the keyboard's minus)",
    "\u2013": "\u2013 found; write - (the keyboard's minus)",
    "\u00d7": "\u00d7 found; write * for a product",
    "\u00b7": "\u00b7 found; write * for a product",
    "\u00f7": "\u00f7 found; write / for a quotient",
    "\u00b2": "\u00b2 found; write ^2",
    "\u00b3": "\u00b3 found; write ^3",
    "\u221a": "\u221a found; write sqrt(...)",
    **{sign: f"comparison {sign} found; a formula is plain arithmetic" for sign in ("<=", ">=", "==", "!=", "<", ">")},
}

_ELSEWHERE = {
    "log": "did you mean ln?",
    "log10": "write ln(...)/ln(10)",
    "log2": "write ln(...)/ln(2)",
    "pow": "write a^b for a power",
    "tan": "write sin(...)/cos(...)",
}


@dataclass(slots=True)
class _Waiting:
    """A sign or an opened bracket on the parser's stack; a call counts its arguments."""

    kind: str
    offset: int
    function: str = ""
    arguments: int = 1


def parse(text: str) -> Formula:
    """Read a formula: numbers, names, `+ - * / ^`, brackets and the calls in `FUNCTIONS`.

    `^` is right associative and binds tighter than a leading minus, which binds tighter than `*`: -x^2 = -(x^2).
    Raises FormulaError with the place of whatever is not plain arithmetic, of constants that are not finite numbers
    (`1/0`), and of formulas too long or too deep to have been written by hand.
    """
    return _Parser(text).run()


class _Parser:
    """Operator precedence with two explicit stacks (Dijkstra's shunting yard): no nesting exhausts Python's own."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.graph = Graph()
        self.names: dict[str, None] = {}
        self.values: list[Term] = []
        self.waiting: list[_Waiting] = []
        self.operations = 0

    def run(self) -> Formula:
        if len(self.text) > MAX_CHARACTERS:
            self.refuse(f"formula of {len(self.text)} characters; at most {MAX_CHARACTERS} are read", MAX_CHARACTERS)
        tokens = self.tokens()
        if not tokens:
            self.refuse("empty formula; expected an expression such as 1 - 1/(x + 1)", 0)
        complete = False
        position = 0
        while position < len(tokens):
            kind, token, offset = tokens[position]
            following = tokens[position + 1][1] if position + 1 < len(tokens) else ""
            if complete:
                complete = self.after_value(kind, token, offset)
            elif kind == "name" and following == "(":
                self.call(token, offset)
                position += 1
            else:
                complete = self.value(kind, token, offset)
            position += 1
        if not complete:
            sign = tokens[-1]
            self.refuse(f"the formula ends after {sign[1]}; expected a value", sign[2])
        self.reduce_to_bracket()
        if self.waiting:
            self.refuse("( is never closed; expected )", self.waiting[-1].offset)
        return Formula(self.text, tuple(self.names), self.values[0])

    def refuse(self, message: str, offset: int) -> NoReturn:
        raise FormulaError(message, offset)

    def tokens(self) -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        text, position, end = self.text, 0, len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                self.refuse_character(position + len(text[position:]) - len(text[position:].lstrip()))
            kind = str(match.lastgroup)
            token, offset = match[kind], match.start(kind)
            if text[offset : offset + 2] in ("**", "//"):
                self.refuse_character(offset)
            found.append((kind, token, offset))
            position = match.end()
        return found

    def refuse_character(self, offset: int) -> NoReturn:
        two, one = self.text[offset : offset + 2], self.text[offset]
        message = _REFUSED.get(two) or _REFUSED.get(one)
        if message is None and one.isalpha():
            message = f"{one} found; names are made of the letters a to z, digits and _"
        self.refuse(message or f"{one!r} found; a formula has numbers, names, + - * / ^ and round brackets", offset)

    def value(self, kind: str, token: str, offset: int) -> bool:
        """A token where a value is expected; True if it is one, False if the value is still to come."""
        if kind == "number":
            number = float(token)
            if math.isinf(number):
                self.refuse(f"{token} is too large for a number; the largest is about 1.8e308", offset)
            self.values.append(self.graph.constant(number))
            return True
        if kind == "name":
            if token in FUNCTIONS:
                self.refuse(f"{token} is a function; write {token}(...)", offset)
            self.names[token] = None
            self.values.append(self.graph.variable(token))
            return True
        if token == "-":
            self.push(_Waiting("negate", offset))
            return False
        if token == "(":
            self.push(_Waiting("(", offset))
            return False
        if token == "+":
            self.refuse("+ found where a value is expected; a leading + is not needed", offset)
        opened = self.waiting[-1] if self.waiting else None
        if token == ")" and opened and opened.kind == "(" and self.text[opened.offset + 1 : offset].strip() == "":
            self.refuse("nothing between the brackets; expected a value", offset)
        if token == ")" and not any(waiting.kind == "(" for waiting in self.waiting):
            self.refuse(") was never opened", offset)
        self.refuse(f"{token} found where a value is expected", offset)

    def after_value(self, kind: str, token: str, offset: int) -> bool:
        """A token where a sign is expected; True if the value is still complete, False if another must follow."""
        if kind in ("number", "name") or token == "(":
            self.refuse(f"{token} found after a value; expected a sign (a product is written with *)", offset)
        if token == ")":
            self.reduce_to_bracket()
            if not self.waiting:
                self.refuse(") was never opened", offset)
            self.close(self.waiting.pop())
            return True
        if token == ",":
            self.reduce_to_bracket()
            if not self.waiting or not self.waiting[-1].function:
                self.refuse(", found; commas stand only between the values of min and max (write 0.5, not 0,5)", offset)
            self.waiting[-1].arguments += 1
            return False
        rank = _PRECEDENCE[token]
        while self.waiting and self.waiting[-1].kind != "(":
            above = _PRECEDENCE[self.waiting[-1].kind]
            if above < rank or (above == rank and token == "^"):
                break
            self.reduce()
        self.push(_Waiting(token, offset))
        return False

    def call(self, name: str, offset: int) -> None:
        if name not in FUNCTIONS:
            if name in _ELSEWHERE:
                hint = _ELSEWHERE[name]
            elif name in self.names:
                hint = f"a product is written {name}*(...)"
            else:
                from difflib import get_close_matches

                close = get_close_matches(name.lower(), FUNCTIONS, 1)
                hint = f"did you mean {close[0]}?" if close else f"there are {' '.join(FUNCTIONS)}"
            self.refuse(f"unknown function {name}; {hint}", offset)
        self.push(_Waiting("(", self.text.index("(", offset), function=name))

    def push(self, waiting: _Waiting) -> None:
        if len(self.waiting) >= MAX_DEPTH:
            self.refuse(f"nested too deeply; at most {MAX_DEPTH} signs and brackets may be open", waiting.offset)
        self.waiting.append(waiting)

    def reduce_to_bracket(self) -> None:
        while self.waiting and self.waiting[-1].kind != "(":
            self.reduce()

    def reduce(self) -> None:
        waiting = self.waiting.pop()
        self.operate(waiting.kind, 1 if waiting.kind == "negate" else 2, waiting.offset)

    def close(self, bracket: _Waiting) -> None:
        if not bracket.function:
            return
        variadic = OPERATIONS[bracket.function].variadic
        if (bracket.arguments < 2) if variadic else (bracket.arguments != 1):
            expected = "2 or more" if variadic else "1"
            self.refuse(f"{bracket.function} of {bracket.arguments} values; expected {expected}", bracket.offset)
        self.operate(bracket.function, bracket.arguments, bracket.offset)

    def operate(self, operation: str, arguments: int, offset: int) -> None:
        self.operations += arguments - 1 or 1
        if self.operations > MAX_OPERATIONS:
            self.refuse(f"more than {MAX_OPERATIONS} operations", offset)
        terms = self.values[-arguments:]
        del self.values[-arguments:]
        constants = [term.constant for term in terms]
        if operation == "/" and constants[1] == 0:
            self.refuse("division by zero", offset)
        result = self.graph.apply(operation, *terms)
        if None not in constants and result.constant is None:
            values = ", ".join(f"{value:g}" for value in constants if value is not None)
            sign = operation if operation in FUNCTIONS else f"the sign {operation}"
            self.refuse(f"{sign} at {values} does not give a finite number", offset)
        self.values.append(result)
