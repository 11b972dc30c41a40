"""Operation graphs: the value forward, derivatives in reverse.

A `Graph` holds operations on names and numbers; equal subexpressions are one node. A gradient is one reverse sweep: it
adds nodes to the same graph, and a Hessian is the sweep of each slope. `tape` runs what is wanted, `formula` reads it.

Each operation stands in `operations.OPERATIONS` beside its partial derivatives.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simulator.formulas.operations import OPERATIONS, STEERING, Primitive, calculate

ROWS = OPERATIONS | STEERING


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


class Graph:
    """A growing graph of operations without duplicates: every node stands after its arguments.

    Node `i` is `operations[i]` of the nodes `arguments[i]`; for a constant or a variable the operation is "constant" or
    "variable". Simplifications are light (x*1, x+0, constants, signs), keep every domain error and never make a
    constant that is not finite: such an operation stays as it is written. In an `exact` graph 0 times anything stays,
    too, which is not 0 where that is not finite.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self.exact = exact
        self.operations: list[str] = []
        self.arguments: list[tuple[int, ...]] = []
        self.constants: list[float | None] = []
        self.names: list[str | None] = []
        self._calls: dict[str, Primitive] = {}
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
        if operation in ("^", "power") and terms[1].constant is not None:
            operation = "^ constant"
        row = ROWS[operation]
        if len(values) == len(terms):
            value = calculate(row, values)
            if math.isfinite(value):
                return self.constant(value)
        else:
            rule = _SIMPLER.get(operation)
            simpler = rule(*terms) if rule else None
            if simpler is not None:
                return simpler
        if operation in ("+", "*"):
            terms = tuple(sorted(terms, key=lambda term: term.node))
        return self._node(operation, tuple(term.node for term in terms))

    def call(self, function: Callable[..., Any], *arguments: Term | float) -> Term:
        """A function of floats as one operation, whose results are its parts; each call is a node of its own."""
        terms = [a if isinstance(a, Term) else self.constant(a) for a in arguments]
        name = f"call {len(self.operations)}"
        self._calls[name] = Primitive(functools.partial(_called, function), function, (), total=False)
        return self._node(name, tuple(term.node for term in terms))

    def part(self, called: Term, place: int) -> Term:
        """The result of a call at a `place`."""
        return self._node("part", (called.node, self.constant(place).node))

    def number(self, node: int, numbers: Sequence[Any] | Mapping[int, Any], given: Mapping[int, float]) -> Any:
        """What a node is, given the `numbers` of all nodes before it and those of variables."""
        arguments = [numbers[argument] for argument in self.arguments[node]]
        if not arguments:
            return given[node] if self.constants[node] is None else self.constants[node]
        return calculate(self.row(node), arguments)

    def row(self, node: int) -> Primitive:
        """What a node does, with its derivatives: one of `ROWS`, or a function that is called (which has none)."""
        return self._row(self.operations[node])

    def _row(self, operation: str) -> Primitive:
        return ROWS.get(operation) or self._calls[operation]

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
            row = self.row(node)
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
            total = not arguments or self._row(operation).total
            if operation == "^ constant":
                exponent = self.constants[arguments[1]]
                total = exponent is not None and exponent >= 0 and exponent == math.floor(exponent)
            self._total.append(total and all(self._total[argument] for argument in arguments))
        return Term(self, node)


def _called(function: Callable[..., Sequence[float]], *arguments: Any) -> Any:
    """The results of a function of numbers at each place of arrays, `(places,)` each; whole numbers stay whole."""
    rows = zip(*(each.tolist() for each in np.broadcast_arrays(*arguments)), strict=True)
    return [np.array(column) for column in zip(*(function(*row) for row in rows), strict=True)]


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
        return a if a.graph.is_total(b) and not a.graph.exact else None
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


def _simpler_choosing(condition: Term, true: Term, false: Term) -> Term | None:
    if condition.constant is not None:
        return true if condition.constant else false
    return true if true == false else None


_SIMPLER: dict[str, Callable[..., Term | None]] = {
    "choose": _simpler_choosing,
    "+": _simpler_sum,
    "-": _simpler_difference,
    "*": _simpler_product,
    "/": _simpler_quotient,
    "negate": _simpler_negation,
    "^ constant": _simpler_power,
    "min": _simpler_choice("min"),
    "max": _simpler_choice("max"),
}
"""For an operation on terms of which at least one is no constant: a simpler term of equal value, or None."""
