"""Operation graphs: the value forward, derivatives in reverse.

A `Graph` holds operations on names and numbers; equal subexpressions are one node. A gradient is one reverse sweep: it
adds nodes to the same graph, and a Hessian is the sweep of each slope. `tape` runs what is wanted, `formula` reads it.

Each operation stands in `OPERATIONS` beside its partial derivatives (after autograd's `numpy_vjps.py` and micrograd).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, cast

import numpy as np


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


def calculate(row: Operation, values: Sequence[float]) -> float:
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
            value = calculate(row, values)
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
