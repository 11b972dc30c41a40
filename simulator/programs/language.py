"""Reading a program: assignments, arithmetic, functions defined in the file, vectors by index, loops of known length.

The text has Python's grammar, with `^` for a power, and is read by Python's own parser; nothing in it is ever run.
Loops are unrolled, calls written out, vectors taken apart (`w[0]` is the value `w_0`), so that what is left is a
straight line. Names that are read and never assigned are the program's inputs.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from simulator.economics.expression import FUNCTIONS
from simulator.programs.program import Operation, Program, ProgramError

MAX_OPERATIONS = 100_000
MAX_CALLS = 50
"""Functions may call each other this deep."""

SIGNS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "sum"),
    ast.Sub: ("-", "difference"),
    ast.Mult: ("*", "product"),
    ast.Div: ("/", "quotient"),
    ast.Pow: ("^", "power"),
}
"""The signs with the words their firms are called by."""

NEUTRAL = {
    "sum": ((0, 0.0), (1, 0.0)),
    "difference": ((1, 0.0),),
    "product": ((0, 1.0), (1, 1.0)),
    "quotient": ((1, 1.0),),
    "power": ((1, 1.0),),
}
"""Where a number changes nothing, as a sum's first term in a loop: such an operation is left out."""

ELSEWHERE = {"log": "ln", "fabs": "abs", "pow": "a^b"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression stands for: a formula of named values, or a `number`.

    `whole` says that it can stand in another formula without brackets; `name` is set where it is a named value itself.
    """

    formula: str
    inputs: tuple[str, ...] = ()
    number: float | None = None
    name: str | None = None
    whole: bool = True
    kind: str = ""

    @property
    def bracketed(self) -> str:
        return self.formula if self.whole else f"({self.formula})"


Variable = Value | dict[int, Value]
"""A value, or a vector of them by index."""


def parse(text: str, *, per: str = "operation") -> Program:
    """The straight line of a program, `per` operation or `per` statement (one formula for each assignment).

    Raises ProgramError with the place of what is not a straight line of arithmetic.
    """
    places = _Places(text)
    try:
        tree = ast.parse(places.python)
    except SyntaxError as error:
        raise ProgramError(f"{_syntax(error)}", places.at(error.lineno or 1, (error.offset or 1) - 1)) from None
    except (RecursionError, MemoryError, ValueError):
        raise ProgramError("found a program that cannot be read; expected lines such as c = a*b + 1", 0) from None
    return _read(tree, places, per)


def parse_function(function: Callable[..., Any], *, per: str = "operation") -> Program:
    """The straight line of a plain Python function (from its source): its parameters are the inputs.

    `math.sin`, `numpy.sin` and `sin` are all the same, `log` is `ln`. Raises ProgramError for what is no straight line,
    OSError where there is no source.
    """
    import inspect
    import textwrap

    source = textwrap.dedent(inspect.getsource(function))
    places = _Places(source, python=source)
    tree = ast.parse(source)
    (definition,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    tree.body = definition.body
    inputs = [argument.arg for argument in definition.args.args]
    return _read(tree, places, per, inputs, python=True)


class _Places:
    """Where the parser's lines and columns lie in the text, in which a power is one character shorter."""

    def __init__(self, text: str, python: str | None = None) -> None:
        self.text = text
        self.python = text.replace("^", "**") if python is None else python
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.shrunk = python is None

    def at(self, line: int, column: int) -> int:
        """Characters from the start."""
        line = min(line, len(self.starts)) - 1
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        if not self.shrunk:
            return min(self.starts[line] + column, end)
        place = shown = self.starts[line]
        while place < end and shown < self.starts[line] + column:
            shown += 2 if self.text[place] == "^" else 1
            place += 1
        return place


def _syntax(error: SyntaxError) -> str:
    found = str(error.msg)
    return f"{found[0].lower()}{found[1:]}; expected a line such as c = a*b + 1"


def _read(
    tree: ast.Module, places: _Places, per: str, inputs: list[str] | None = None, python: bool = False
) -> Program:
    reader = _Reader(places, per == "statement", inputs, python)
    try:
        return reader.run(tree.body)
    except RecursionError:
        raise ProgramError("found an expression nested too deeply; expected shorter lines", 0) from None


class _Reader:
    """Walks the statements once, keeping what every name stands for."""

    def __init__(self, places: _Places, per_statement: bool, inputs: list[str] | None, python: bool) -> None:
        self.places, self.per_statement, self.python = places, per_statement, python
        self.closed = inputs is not None
        self.inputs: dict[str, None] = dict.fromkeys(inputs or [])
        self.operations: list[Operation] = []
        self.taken: set[str] = set(self.inputs)
        self.functions: dict[str, ast.FunctionDef] = {}
        self.scope: dict[str, Variable] = {name: _named(name) for name in self.inputs}
        self.globals: dict[str, Variable] = self.scope
        self.calls = 0
        self.unnamed: set[str] = set()
        """Values that nobody has given a name."""
        self.last: str | None = None
        self.assigned: set[str] = set()

    def run(self, body: list[ast.stmt]) -> Program:
        self.assigned = _assigned(body)
        returned = self.statements(body)
        if returned is None and self.last is not None:
            found = self.scope[self.last]
            returned = found if isinstance(found, Value) else None
        if returned is None:
            self.refuse("found no result; expected return and a value as the last line", None)
        if returned.name is None or returned.name not in {operation.output for operation in self.operations}:
            # A result that nobody makes: a number, an input, or in one statement the formula itself.
            returned = self.emit(returned, "result")
        return Program(tuple(self.inputs), tuple(self.operations), str(returned.name))

    def refuse(self, message: str, node: ast.AST | None) -> NoReturn:
        at = (getattr(node, "lineno", 1), getattr(node, "col_offset", 0))
        raise ProgramError(message, 0 if node is None else self.places.at(*at))

    def statements(self, body: list[ast.stmt]) -> Value | None:
        for statement in body:
            match statement:
                case ast.Return(value=value) if value is not None:
                    result = self.value(value)
                    return self.keep(result, "result") if self.calls == 0 else result
                case ast.Assign(targets=[target], value=value):
                    self.assign(target, value)
                case ast.AnnAssign(target=target, value=value) if value is not None:
                    self.assign(target, value)
                case ast.AugAssign(target=target, op=sign, value=value):
                    reads = ast.copy_location(_as_read(target), target)
                    self.assign(target, ast.copy_location(ast.BinOp(reads, sign, value), statement))
                case ast.FunctionDef(name=name):
                    self.define(name, statement)
                case ast.For():
                    returned = self.loop(statement)
                    if returned is not None:
                        return returned
                case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                    continue
                case _:
                    self.refuse(
                        "found a line that is no assignment; expected name = formula, for, def or return", statement
                    )
        return None

    def assign(self, target: ast.expr, given: ast.expr) -> None:
        if isinstance(given, ast.List | ast.Tuple):
            name = self.simple(target)
            self.scope[name] = {
                place: self.keep(self.value(element), f"{name}_{place}") for place, element in enumerate(given.elts)
            }
            return
        value = self.value(given)
        if isinstance(target, ast.Subscript):
            name, place = self.element(target)
            vector = self.scope.setdefault(name, {})
            if isinstance(vector, Value):
                self.refuse(f"found {name}[...] where {name} is a single value; expected another name", target)
            vector[place] = self.keep(value, f"{name}_{place}")
            return
        name = self.simple(target)
        self.scope[name] = self.keep(value, name)
        self.last = name

    def simple(self, target: ast.expr) -> str:
        if not isinstance(target, ast.Name):
            self.refuse("found more than a name on the left; expected name = formula", target)
        if not _NAME.fullmatch(target.id):
            self.refuse(f"found the name {target.id}; expected letters a to z, digits and _, a letter first", target)
        if target.id in FUNCTIONS:
            self.refuse(f"found {target.id}, a function, on the left; expected another name", target)
        return target.id

    def keep(self, value: Value, name: str) -> Value:
        """The value under a name of its own, unless it has one or is a number."""
        if value.number is not None:
            return value
        if value.name is None:
            return self.emit(value, name)
        if value.name in self.unnamed and value.name == self.operations[-1].output:
            made = self.operations.pop()
            self.taken.discard(made.output)
            return self.emit(Value(made.formula, made.inputs, kind=made.kind), name)
        return value

    def emit(self, value: Value, name: str) -> Value:
        """A new operation."""
        if len(self.operations) >= MAX_OPERATIONS:
            raise ProgramError(f"found more than {MAX_OPERATIONS:,} operations; expected fewer", 0)
        output = self.free(name)
        self.operations.append(Operation(output, value.formula, value.inputs, value.kind or "value"))
        return _named(output)

    def free(self, name: str) -> str:
        """The name, or the first of `name_2`, `name_3` ... that nothing else is called by."""
        found, number = name, 1
        while found in self.taken or found in FUNCTIONS or (number > 1 and found in self.assigned):
            number += 1
            found = f"{name}_{number}"
        self.taken.add(found)
        return found

    def define(self, name: str, definition: ast.FunctionDef) -> None:
        arguments = definition.args
        if name in FUNCTIONS or arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
            self.refuse(
                f"found a function {name} of another sort; expected def {name}(a, b): with plain arguments", definition
            )
        self.functions[name] = definition

    def loop(self, statement: ast.For) -> Value | None:
        match statement:
            case ast.For(
                target=ast.Name(id=index), iter=ast.Call(func=ast.Name(id="range"), args=bounds, keywords=[]), orelse=[]
            ):
                pass
            case _:
                self.refuse("found a loop of another sort; expected for i in range(4):", statement)
        numbers = [self.whole(bound) for bound in bounds]
        if not 1 <= len(numbers) <= 3 or (len(numbers) == 3 and numbers[2] == 0):
            self.refuse("found a range of another sort; expected range(4), range(1, 4) or range(4, 0, -1)", statement)
        turns = range(*numbers)
        if len(turns) > MAX_OPERATIONS:
            self.refuse(f"found a loop of {len(turns):,} turns; expected at most {MAX_OPERATIONS:,}", statement)
        for turn in turns:
            self.scope[index] = _number(float(turn))
            returned = self.statements(statement.body)
            if returned is not None:
                return returned
        return None

    def whole(self, node: ast.expr) -> int:
        value = self.value(node)
        if value.number is None or not value.number.is_integer():
            self.refuse("found what is no whole number; expected a number, or what loops and numbers make", node)
        return int(value.number)

    def element(self, node: ast.Subscript) -> tuple[str, int]:
        if not isinstance(node.value, ast.Name):
            self.refuse("found an index of an index; expected w[0], or w_1[0]", node)
        place = self.whole(node.slice)
        if place < 0:
            self.refuse(f"found the index {place}; expected 0 or more", node)
        return node.value.id, place

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=bool()):
                self.refuse("found a truth value; expected a number", node)
            case ast.Constant(value=int() | float() as number):
                if not math.isfinite(float(number)):
                    self.refuse("found a number too large; the largest is about 1.8e308", node)
                return _number(float(number))
            case ast.Name(id=name):
                return self.read(name, node)
            case ast.Subscript():
                name, place = self.element(node)
                vector = self.scope.get(name, self.globals.get(name))
                if vector is None and not (self.closed and name not in self.inputs):
                    return self.input(f"{name}_{place}", node)
                if isinstance(vector, dict) and place in vector:
                    return vector[place]
                self.refuse(f"found {name}[{place}], which has no value here; expected one assigned before", node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.operate("negative", lambda a: f"-{a}", [self.value(operand)], node, whole=False)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in SIGNS:
                sign, word = SIGNS[type(op)]
                around = sign if sign in "*/^" else f" {sign} "
                return self.operate(
                    word, lambda a, b: f"{a}{around}{b}", [self.value(left), self.value(right)], node, whole=False
                )
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self.call(function, [self.value(argument) for argument in arguments], node)
            case _:
                self.refuse(
                    "found something that is not arithmetic; expected numbers, names, + - * / ^ and functions", node
                )

    def read(self, name: str, node: ast.AST) -> Value:
        found = self.scope.get(name, self.globals.get(name))
        if isinstance(found, Value):
            return found
        if found is not None:
            self.refuse(f"found the vector {name} where a value is expected; expected {name}[0]", node)
        if name in FUNCTIONS or name in self.functions:
            self.refuse(f"found the function {name} without its arguments; expected {name}(...)", node)
        return self.input(name, node)

    def input(self, name: str, node: ast.AST) -> Value:
        """A value from outside."""
        if self.closed or name in self.assigned:
            self.refuse(f"found {name}, which has no value here; expected it assigned before", node)
        if not _NAME.fullmatch(name):
            self.refuse(f"found the name {name}; expected letters a to z, digits and _, a letter first", node)
        if name not in self.inputs:
            self.inputs[name] = None
            self.taken.add(name)
        return _named(name)

    def call(self, function: ast.expr, values: list[Value], node: ast.AST) -> Value:
        if self.python and isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            name = function.attr
        elif isinstance(function, ast.Name):
            name = function.id
        else:
            self.refuse("found a call of something that is no function; expected sin(x)", node)
        if name in self.functions:
            return self.written_out(self.functions[name], values, node)
        if self.python:
            name = {"log": "ln", "minimum": "min", "maximum": "max", "fabs": "abs"}.get(name, name)
        if name not in FUNCTIONS:
            hint = f"did you mean {ELSEWHERE[name]}?" if name in ELSEWHERE else f"there are {' '.join(FUNCTIONS)}"
            self.refuse(f"unknown function {name}; {hint}", node)
        several = name in ("min", "max")
        if (len(values) < 2) if several else (len(values) != 1):
            self.refuse(f"{name} of {len(values)} values; expected {'2 or more' if several else '1'}", node)
        formula: Callable[..., str] = lambda *texts: f"{name}({', '.join(texts)})"  # noqa: E731
        return self.operate(name, formula, values, node, whole=True)

    def written_out(self, definition: ast.FunctionDef, values: list[Value], node: ast.AST) -> Value:
        names = [argument.arg for argument in definition.args.args]
        if len(names) != len(values):
            self.refuse(f"{definition.name} of {len(values)} values; expected {len(names)}", node)
        if self.calls >= MAX_CALLS:
            self.refuse(f"found {definition.name} calling itself without end; expected functions that end", node)
        outer = self.scope
        self.scope = {**dict(zip(names, values, strict=True))}
        assigned, self.assigned = self.assigned, self.assigned | _assigned(definition.body)
        self.calls += 1
        returned = self.statements(definition.body)
        self.calls -= 1
        self.scope, self.assigned = outer, assigned
        if returned is None:
            self.refuse(f"found no return in {definition.name}; expected one", definition)
        return returned

    def operate(
        self, kind: str, write: Callable[..., str], values: list[Value], node: ast.AST, *, whole: bool
    ) -> Value:
        """A new value of others: an operation, or part of the statement's formula; numbers are worked out."""
        inputs = tuple(dict.fromkeys(name for value in values for name in value.inputs))
        texts = [value.formula if whole else value.bracketed for value in values]
        formula = write(*texts)
        if all(value.number is not None for value in values):
            return _number(self.worked_out(formula, node))
        for place, neutral in NEUTRAL.get(kind, ()):
            if values[place].number == neutral:
                return values[1 - place]
        value = Value(formula, inputs, whole=whole, kind=kind)
        if self.per_statement:
            return value
        made = self.emit(value, f"t{len(self.operations) + 1}")
        self.unnamed.add(str(made.name))
        return made

    def worked_out(self, formula: str, node: ast.AST) -> float:
        from simulator.economics.formula import FormulaError
        from simulator.economics.formula import parse as parse_formula

        try:
            found = parse_formula(formula).output.constant
        except FormulaError as error:
            self.refuse(error.message, node)
        if found is None:
            self.refuse(f"found {formula}, which is no finite number; expected one", node)
        return found


def _assigned(body: list[ast.stmt]) -> set[str]:
    """The names assigned anywhere in the statements; functions' own aside."""
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found


def _as_read(target: ast.expr) -> Any:
    """The same name or element, to be read."""
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target


def _named(name: str) -> Value:
    return Value(name, (name,), name=name)


def _number(number: float) -> Value:
    written = repr(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    return Value(written, number=number, whole=number >= 0)
