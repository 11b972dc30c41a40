"""What a call makes of whole vectors: `dot(w, x)` and `sum(x)`, one operation each.

A vector is one by name, a part of one (`x[:3]`, `x[1:4]`), or written out (`[a, 2*b]`). How many elements an input has
that nobody assigns is known from a part or from the other side of the product.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import partial, reduce
from typing import Protocol

from simulator.programs.grammar import OF_VECTORS, Refuse
from simulator.programs.scopes import Variable
from simulator.programs.values import Value, joined, number, untouched

MOST_TERMS = 100
"""A longer sum is one of sums, so that no formula gets too long."""


class Reader(Protocol):
    """What carries a program out, as far as vectors need it."""

    refuse: Refuse

    def value(self, node: ast.expr) -> Value: ...
    def place(self, node: ast.expr) -> int: ...
    def find(self, name: str, node: ast.AST) -> Variable | None: ...
    def read_element(self, node: ast.Subscript) -> Value: ...
    def operation(self, value: Value, node: ast.AST) -> Value: ...


def folded(tracer: Reader, name: str, arguments: list[ast.expr], node: ast.Call) -> Value:
    """The value of `dot(w, x)` or `sum(x)`: a formula, or a number where all elements are numbers."""
    if len(arguments) != OF_VECTORS[name]:
        example = "dot(w, x)" if name == "dot" else "sum([a, b])"
        tracer.refuse(f"found {name} of {len(arguments)} values; expected {example}", node)
    vectors = [_vector(tracer, argument) for argument in arguments]
    known = [len(vector) for vector in vectors if vector is not None]
    if not known:
        given = ast.unparse(arguments[0])
        tracer.refuse(f"found {given}, whose length nobody knows; expected a part of it, as {given}[:3]", node)
    whole = [
        _elements(tracer, argument, range(known[0])) if vector is None else vector
        for argument, vector in zip(arguments, vectors, strict=True)
    ]
    if len(whole[-1]) != len(whole[0]):
        tracer.refuse(f"found dot of {len(whole[0])} and {len(whole[1])} values; expected as many", node)
    terms = whole[0] if name == "sum" else [_product(*pair) for pair in zip(*whole, strict=True)]
    while len(terms) > MOST_TERMS:
        terms = _sums(tracer, terms, name, node)
    return _sums(tracer, terms, name, node)[0]


def _vector(tracer: Reader, argument: ast.expr) -> list[Value] | None:
    """The elements of a vector; None of an input of unknown length."""
    match argument:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [tracer.value(element) for element in elements]
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice(lower=lower, upper=upper)):
            vector = tracer.find(name, argument)
            if upper is None and not isinstance(vector, dict):
                tracer.refuse(f"found {name}[...:], whose length nobody knows; expected {name}[0:3]", argument)
            first = 0 if lower is None else tracer.place(lower)
            last = len(vector) if upper is None and isinstance(vector, dict) else tracer.place(upper or argument)
            return _elements(tracer, argument.value, range(first, last))
        case ast.Name(id=name):
            vector = tracer.find(name, argument)
            if isinstance(vector, dict):
                return _elements(tracer, argument, range(len(vector)))
            if vector is None:
                return None
        case _:
            pass
    tracer.refuse(f"found {ast.unparse(argument)}, which is no vector; expected a name, x[:3] or [a, b]", argument)


def _elements(tracer: Reader, vector: ast.expr, places: range) -> list[Value]:
    subscripts = (ast.Subscript(vector, ast.Constant(place)) for place in places)
    return [tracer.read_element(ast.copy_location(subscript, vector)) for subscript in subscripts]


def _product(a: Value, b: Value) -> Value:
    if a.number is not None and b.number is not None:
        return number(a.number * b.number)
    return untouched("*", a, b) or joined("*", a, b)


def _sums(tracer: Reader, terms: list[Value], kind: str, node: ast.Call) -> list[Value]:
    """The sums of so many terms each at most, an operation of a kind each, unless it is a single value or a number."""
    made: list[Value] = []
    for first in range(0, max(len(terms), 1), MOST_TERMS):
        some = terms[first : first + MOST_TERMS]
        known = number(float(sum(term.number for term in some if term.number is not None)))
        total = reduce(partial(joined, "+"), [term for term in some if term.number is None] or [known])
        if total.inputs and known.number:
            total = joined("+", total, known)
        alone = total.name is not None or total.number is not None
        made.append(total if alone else tracer.operation(replace(total, kind=kind), node))
    return made
