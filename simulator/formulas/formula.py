"""Formulas: plain arithmetic read into an operation graph, with exact derivatives.

`parse("1 - 1/(ethylene + 1)")` hands no text to Python: a formula cannot do more than arithmetic.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any, ClassVar, NoReturn, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.formulas.graph import Graph, Term
from simulator.formulas.letters import NAME, in_a_name
from simulator.formulas.operations import FUNCTIONS, OPERATIONS
from simulator.formulas.tape import ScalarFormula, Tape
from simulator.slips import call_in, called_here, instead, meant

MAX_CHARACTERS = 10_000
MAX_OPERATIONS = 2_000
MAX_DEPTH = 100
MAX_HESSIAN = 10_000
"""Operations beyond which a Hessian is not written out but found by products with unit vectors; entries, three times as
many."""


class FormulaError(ValueError):
    """A formula that is refused: `message` says what was found and what to write, `offset` where (from 0)."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


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
        if (tape := self._hessian_tape) is None:
            return self._hessian_by_products(np.asarray(x))
        return self._evaluate(tape, x)[..., self._places]

    def _hessian_by_products(self, x: NDArray[Any]) -> NDArray[Any]:
        """`H v`, the gradient of `v . df/dx`, for each unit vector v: far fewer operations than entries."""
        k = len(self.variables)
        points = x.reshape(-1, k)
        result = np.empty((len(points), k, k), dtype=x.dtype if x.dtype.kind == "c" else np.float64)
        for point, hessian in zip(points, result, strict=True):
            with np.errstate(all="ignore"):
                *rows, value = self._product_tape.run_arrays([*point, *np.eye(k)])
            for i, row in enumerate(rows):
                hessian[i] = np.nan if np.isnan(value) else row
        result += result.swapaxes(-1, -2).copy()
        return (0.5 * result).reshape(*x.shape, k)

    @cached_property
    def scalar(self) -> ScalarFormula | None:
        """The formula in plain floats if it has one variable, otherwise None."""
        if len(self.variables) != 1:
            return None
        (slope,) = self.gradient_terms
        (curvature,) = self.output.graph.gradient(slope, self.variables)
        derivatives = Tape([self.output, slope, curvature], self.variables)
        tapes = (self._value_tape, derivatives)
        return ScalarFormula(self._value_tape.in_floats, derivatives.in_floats, tapes)

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
    def _places(self) -> NDArray[np.intp]:
        """Where each entry of a Hessian stands among those on and above its diagonal, `(k, k)`."""
        k = len(self.variables)
        rows, columns = np.triu_indices(k)
        places = np.empty((k, k), dtype=np.intp)
        places[rows, columns] = places[columns, rows] = np.arange(len(rows))
        return places

    @cached_property
    def _value_tape(self) -> Tape:
        return Tape([self.output], self.variables)

    @cached_property
    def _gradient_tape(self) -> Tape:
        return Tape([*self.gradient_terms, self.output], self.variables)

    @cached_property
    def _hessian_tape(self) -> Tape | None:
        """The Hessian on and above its diagonal, None if that is too long."""
        graph, upper = self.output.graph, list[Term]()
        longest = len(graph.operations) + MAX_HESSIAN
        for i, slope in enumerate(self.gradient_terms):
            upper += graph.gradient(slope, self.variables)[i:]
            if len(graph.operations) > longest or len(upper) > 3 * MAX_HESSIAN:
                return None
        return Tape([*upper, self.output], self.variables)

    @cached_property
    def _product_tape(self) -> Tape:
        # A name of a formula has no blank in it.
        graph, directions = self.output.graph, [f"along {name}" for name in self.variables]
        along = [slope * graph.variable(name) for slope, name in zip(self.gradient_terms, directions, strict=True)]
        products = graph.gradient(sum(along[1:], along[0]), self.variables)
        return Tape([*products, self.output], [*self.variables, *directions])

    def _evaluate(self, tape: Tape, x: ArrayLike) -> NDArray[Any]:
        """The outputs along a last axis; the value, which is last on a tape of derivatives, only marks the domain."""
        # What is traced has a type of its own, and stays what it is.
        inputs = cast("NDArray[Any]", x if hasattr(x, "dtype") else np.asarray(x))
        if inputs.dtype.kind != "c":
            inputs = inputs.astype(np.float64, copy=False)
        k = len(self.variables)
        if inputs.ndim == 0 or inputs.shape[-1] != k:
            raise ValueError(f"inputs of shape {inputs.shape} for {k} variables; expected (..., {k})")
        with np.errstate(all="ignore"):
            outputs = tape.run_arrays([inputs[..., i] for i in range(k)])
        columns = outputs if tape is self._value_tape else outputs[:-1]
        shape = inputs.shape[:-1]
        # A formula of no variables has no derivatives.
        result = (
            np.stack([np.broadcast_to(column, shape) for column in columns], axis=-1)
            if columns
            else np.zeros((*shape, 0))
        )
        outside = np.isnan(outputs[-1])
        if outside.any():
            result = np.where(outside[..., None], np.nan, result)
        return result

    def __reduce__(self) -> tuple[Callable[[str], Formula], tuple[str]]:
        return parse, (self.text,)


_TOKEN = re.compile(
    rf"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>{NAME})|(?P<sign>[-+*/^(),]))"
)

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3, "^": 4}

_REFUSED = {
    "=": "found =; expected one expression, without assignments",
    ".": "found a lone .; expected names without attributes, and numbers such as 0.5 or 1e-9",
    "[": "found [; expected names without an index, and round brackets",
    "]": "found ]; expected names without an index, and round brackets",
    "{": "found {; expected round brackets",
    "}": "found }; expected round brackets",
    "'": "found a quotation mark; expected names without quotes",
    '"': "found a quotation mark; expected names without quotes",
    **{sign: f"found the comparison {sign}; expected plain arithmetic" for sign in ("<=", ">=", "==", "!=", "<", ">")},
}


@dataclass(slots=True)
class Waiting:
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
    return Parser(text).run()


def sides(makes: str) -> tuple[tuple[str, ...], str]:
    """The goods and the formula of `good = formula`, or of joint products: `wool = mutton = formula`, one of each."""
    *goods, text = makes.split("=")
    return tuple(good.strip() for good in goods), text


class Parser:
    """Operator precedence with two explicit stacks (Dijkstra's shunting yard): no nesting exhausts Python's own."""

    token = _TOKEN
    precedence: ClassVar[dict[str, int]] = _PRECEDENCE
    prefixes: ClassVar[dict[str, str]] = {"-": "negate"}
    refused: ClassVar[dict[str, str]] = _REFUSED

    def __init__(self, text: str) -> None:
        self.text = text
        self.graph = Graph()
        self.names: dict[str, None] = {}
        self.values: list[Term] = []
        self.waiting: list[Waiting] = []
        self.operations = 0

    def run(self) -> Formula:
        if len(self.text) > MAX_CHARACTERS:
            self.refuse(
                f"found {len(self.text)} characters; expected a formula of at most {MAX_CHARACTERS}", MAX_CHARACTERS
            )
        tokens = self.tokens()
        if not tokens:
            self.refuse("found an empty formula; expected an expression such as 1 - 1/(x + 1)", 0)
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
            self.refuse(f"found the end after {sign[1]}; expected a value", sign[2])
        self.reduce_to_bracket()
        if self.waiting:
            self.refuse("found ( that is never closed; expected )", self.waiting[-1].offset)
        return Formula(self.text, tuple(self.names), self.values[0])

    def refuse(self, message: str, offset: int) -> NoReturn:
        raise FormulaError(message, offset)

    def tokens(self) -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        text, position, end = self.text, 0, len(self.text.rstrip())
        while position < end:
            match = self.token.match(text, position)
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
        message = self.refused.get(two) or self.refused.get(one)
        for sign in (two, one):
            if written := instead("sign", sign):
                message = f"found {sign}; expected plain arithmetic; did you mean {written}?"
                break
        if message is None and one.isalpha():
            message = f"found {one}; expected names of plain letters, digits and _"
        self.refuse(message or f"found {one!r}; expected numbers, names, + - * / ^ and round brackets", offset)

    def value(self, kind: str, token: str, offset: int) -> bool:
        """A token where a value is expected; True if it is one, False if the value is still to come."""
        if kind == "number":
            number = float(token)
            if math.isinf(number):
                self.refuse(f"found {token}, too large for a number; expected at most 1.8e308", offset)
            self.values.append(self.graph.constant(number))
            return True
        if kind == "name":
            for at, one in enumerate(token if token[0] not in "'\"" else ""):
                if not one.isascii() and not (in_a_name(one) and unicodedata.normalize("NFKC", one) == one):
                    self.refuse_character(offset + at)
            if token in FUNCTIONS:
                self.refuse(
                    f"found the function {token} alone; expected its value too; did you mean {token}(...)?", offset
                )
            self.names[token] = None
            self.values.append(self.graph.variable(token))
            return True
        if token == "(" or token in self.prefixes:
            self.push(Waiting(self.prefixes.get(token, "("), offset))
            return False
        if token == "+":
            self.refuse("found a leading +; expected a value, which needs none", offset)
        opened = self.waiting[-1] if self.waiting else None
        if token == ")" and opened and opened.kind == "(" and self.text[opened.offset + 1 : offset].strip() == "":
            self.refuse("found nothing between the brackets; expected a value", offset)
        if token == ")" and not any(waiting.kind == "(" for waiting in self.waiting):
            self.refuse("found ) that was never opened; expected none", offset)
        self.refuse(f"found {token}; expected a value", offset)

    def after_value(self, kind: str, token: str, offset: int) -> bool:
        """A token where a sign is expected; True if the value is still complete, False if another must follow."""
        if kind in ("number", "name") or token == "(":
            before = re.search(r"[\w.)]+\s*$", self.text[:offset])
            guess = "" if kind == "number" or not before else f"; did you mean {before[0].strip()}*{token}?"
            self.refuse(f"found {token} after a value; expected a sign, such as * of a product{guess}", offset)
        if token == ")":
            self.reduce_to_bracket()
            if not self.waiting:
                self.refuse("found ) that was never opened; expected none", offset)
            self.close(self.waiting.pop())
            return True
        if token == ",":
            self.reduce_to_bracket()
            if not self.waiting or not self.waiting[-1].function:
                comma = re.search(r"\d+$", self.text[:offset]), re.match(r"\d+", self.text[offset + 1 :])
                guess = f"; did you mean {comma[0][0]}.{comma[1][0]}?" if comma[0] and comma[1] else ""
                self.refuse(f"found a comma; expected one only between the values of min and max{guess}", offset)
            self.waiting[-1].arguments += 1
            return False
        rank = self.precedence[token]
        while self.waiting and self.waiting[-1].kind != "(":
            above = self.precedence[self.waiting[-1].kind]
            if above < rank or (above == rank and token == "^"):
                break
            self.reduce()
        self.push(Waiting(token, offset))
        return False

    def call(self, name: str, offset: int) -> None:
        if name not in FUNCTIONS:
            close = called_here(name, FUNCTIONS) or next(iter(get_close_matches(name.lower(), FUNCTIONS, 1)), None)
            guess = f"{name}*(...)" if name in self.names else instead("function", call_in(self.text[offset:])) or close
            expected = f"expected one of {' '.join(FUNCTIONS)}"
            self.refuse(f"unknown function {name}; {expected}{meant(guess)}", offset)
        self.push(Waiting("(", self.text.index("(", offset), function=name))

    def push(self, waiting: Waiting) -> None:
        if len(self.waiting) >= MAX_DEPTH:
            self.refuse(
                f"found a formula nested too deeply; expected at most {MAX_DEPTH} signs and brackets open",
                waiting.offset,
            )
        self.waiting.append(waiting)

    def reduce_to_bracket(self) -> None:
        while self.waiting and self.waiting[-1].kind != "(":
            self.reduce()

    def reduce(self) -> None:
        waiting = self.waiting.pop()
        self.operate(waiting.kind, 1 if waiting.kind in self.prefixes.values() else 2, waiting.offset)

    def close(self, bracket: Waiting) -> None:
        if not bracket.function:
            return
        variadic = OPERATIONS[bracket.function].variadic
        if (bracket.arguments < 2) if variadic else (bracket.arguments != 1):
            expected = "2 or more" if variadic else "1"
            self.refuse(f"found {bracket.function} of {bracket.arguments} values; expected {expected}", bracket.offset)
        self.operate(bracket.function, bracket.arguments, bracket.offset)

    def operate(self, operation: str, arguments: int, offset: int) -> None:
        self.operations += arguments - 1 or 1
        if self.operations > MAX_OPERATIONS:
            self.refuse(f"found more than {MAX_OPERATIONS} operations; expected fewer", offset)
        terms = self.values[-arguments:]
        del self.values[-arguments:]
        constants = [term.constant for term in terms]
        if operation == "/" and constants[1] == 0:
            self.refuse("found a division by zero; expected another divisor", offset)
        result = self.graph.apply(operation, *terms)
        if None not in constants and result.constant is None:
            values = ", ".join(f"{value:g}" for value in constants if value is not None)
            sign = operation if operation in FUNCTIONS else f"the sign {operation}"
            self.refuse(f"found {sign} at {values}, which is no finite number; expected one", offset)
        self.values.append(result)
