"""From the statements of a program to a straight line: loops unrolled, calls written out, vectors taken apart.

`w[0]` is the value `w_0`. What an expression stands for is a `Value`; every operation (or every assignment) makes a new
one with a name of its own.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from types import ModuleType

from simulator.formulas.formula import MAX_CHARACTERS, FormulaError
from simulator.formulas.formula import parse as parse_formula
from simulator.programs.functions import RESERVED, function_meant
from simulator.programs.grammar import OF_VECTORS, SIGNS, Refuse, parameters
from simulator.programs.names import NAME, assigned, name_of, names_of
from simulator.programs.program import Program, ProgramError
from simulator.programs.scopes import Function, Scope, Variable, Vector, element_called, no_result
from simulator.programs.straight_line import StraightLine
from simulator.programs.values import Value, call, joined, named, negative, number, untouched
from simulator.programs.vectors import folded
from simulator.slips import instead, meant

MAX_OPERATIONS = 100_000
MAX_STEPS = 1_000_000
"""Statements carried out at most, loops and calls written out."""
MAX_CALLS = 50
"""Functions may call each other this deep."""
MAX_NAME = 80
"""Characters of a name: firms are called by what they do and what they make."""


class Tracer:
    """Carries the statements out once, on symbols, keeping what every name stands for.

    With `parameters` there are no other inputs, and signs and functions are Python's; `around` is what names around the
    function stand for.
    """

    def __init__(
        self,
        refuse: Refuse,
        *,
        per_statement: bool,
        parameters: list[str] | None = None,
        around: Mapping[str, object] | None = None,
    ) -> None:
        self.refuse, self.per_statement, self.python = refuse, per_statement, parameters is not None
        self.parameters = parameters or []
        self.around = around or {}
        self.scopes: list[Scope] = []
        self.inputs: dict[str, None] = {}
        self.calls = self.steps = 0
        self.here: ast.AST = ast.Pass()
        self.last: tuple[str, Variable] | None = None

    def run(self, body: list[ast.stmt]) -> Program:
        """The straight line of the statements. Raises ProgramError."""
        anywhere, self.outward = names_of(body)
        self.line = StraightLine(anywhere)
        self.vectors = self.outward.vectors.intersection(self.parameters)
        self.scopes.append(Scope(assigned(body)))
        for name in self.parameters:
            self.check_free(name, body[0])
            if name not in self.vectors:
                self.scopes[-1].values[name] = self.new_input(name, body[0])
        try:
            returned = self.statements(body)
            result = self.result(returned)
        except RecursionError:
            self.refuse("found an expression nested too deeply; expected shorter lines", self.here)
        return Program(tuple(self.inputs), tuple(self.line.operations), result)

    def result(self, returned: Value | None) -> str:
        """The name of what is returned, or else was assigned last; made by an operation of its own if need be."""
        wanted = "result"
        if returned is None and self.last is not None and isinstance(self.last[1], Value) and not self.python:
            returned = self.last[1]
        if returned is None:
            raise ProgramError(no_result(self.scopes[0], self.last), 0)
        if returned.number is not None:
            self.refuse("found a result that is a number; expected one that follows from an input", self.here)
        if self.last is not None and self.last[1] is returned:
            wanted = self.last[0]
        kept = self.keep(returned, wanted, made_up=wanted == "result")
        if kept.name in self.inputs:
            kept = self.emit(kept, wanted, made_up=wanted == "result")
        return str(kept.name)

    def statements(self, body: list[ast.stmt]) -> Value | None:
        """Carry them out; the value returned, if one is."""
        for statement in body:
            self.here = statement
            self.steps += 1
            if self.steps > MAX_STEPS:
                self.refuse(f"found more than {MAX_STEPS:,} steps; expected fewer turns of loops", statement)
            match statement:
                case ast.Return(value=ast.expr() as value):
                    return self.value(value)
                case ast.Assign(targets=targets, value=value):
                    self.assign(targets, value)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self.assign([target], value)
                case ast.AugAssign(target=target, op=sign, value=value):
                    self.assign([target], ast.copy_location(ast.BinOp(target, sign, value), statement))
                case ast.FunctionDef():
                    self.define(statement)
                case ast.For():
                    self.loop(statement)
                case _:
                    continue
        return None

    def assign(self, targets: list[ast.expr], given: ast.expr) -> None:
        """`a = given`, or `a = b = given`: one value by two names."""
        if isinstance(given, ast.List | ast.Tuple):
            name = self.target_name(targets[0])
            elements = enumerate(map(self.value, given.elts))
            self.bind(name, {place: self.keep(value, f"{name}_{place}") for place, value in elements})
            return
        value = self.value(given)
        for target in targets:
            if isinstance(target, ast.Subscript):
                name, place = name_of(target.value), self.place(target.slice)
                value = self.keep(value, f"{name}_{place}")
                self.vector_of(name, target)[place] = value
                self.remember(f"{name}_{place}", value)
            else:
                name = self.target_name(target)
                value = self.keep(value, name)
                self.bind(name, value)

    def bind(self, name: str, variable: Variable) -> None:
        self.scopes[-1].values[name] = variable
        self.remember(name, variable)

    def remember(self, name: str, variable: Variable) -> None:
        """Remember what the top level assigned last."""
        if self.calls == 0:
            self.last = name, variable

    def vector_of(self, name: str, target: ast.Subscript) -> Vector:
        """The vector an element of which is assigned, a new one if need be."""
        vector = self.scopes[-1].values.setdefault(name, {})
        if not isinstance(vector, dict):
            self.refuse(f"found {name}[...] where {name} is no vector; expected another name", target)
        if not vector and any(name in scope.values for scope in self.scopes[:-1]):
            self.refuse(f"found {name}[...] of a vector outside the function; expected a vector of its own", target)
        return vector

    def target_name(self, target: ast.expr) -> str:
        name = name_of(target)
        self.check_name(name, target)
        self.check_free(name, target)
        return name

    def check_free(self, name: str, node: ast.AST) -> None:
        if name in RESERVED:
            self.refuse(f"found {name}, a function, as a name; expected another name", node)

    def check_name(self, name: str, node: ast.AST) -> None:
        if not NAME.fullmatch(name):
            guess = meant(keyed if (keyed := instead("program", name)) and keyed != f"c = {name}" else None)
            self.refuse(f"found the name {name}; expected letters, digits and _, a letter first{guess}", node)
        if len(name) > MAX_NAME:
            self.refuse(f"found a name of {len(name)} characters; expected at most {MAX_NAME}", node)

    def keep(self, value: Value, name: str, *, made_up: bool = False) -> Value:
        """The value under a name of its own, unless it has one or is a number."""
        if value.number is not None:
            return value
        if value.name is None:
            return self.emit(value, name, made_up=made_up)
        reopened = self.line.take_back(value)
        return value if reopened is None else self.emit(reopened, name, made_up=made_up)

    def emit(self, value: Value, name: str, *, made_up: bool = False) -> Value:
        """A new operation."""
        if len(self.line.operations) >= MAX_OPERATIONS:
            self.refuse(f"found more than {MAX_OPERATIONS:,} operations; expected fewer", self.here)
        if self.per_statement:
            self.fold_constant(value.formula, self.here)
        others = self.line.written if made_up else self.outward if self.calls else ()
        return self.line.add(value, name, others)

    def define(self, definition: ast.FunctionDef) -> None:
        for name in (definition.name, *parameters(definition)):
            self.check_free(name, definition)
        self.scopes[-1].values[definition.name] = Function(definition, tuple(self.scopes))

    def loop(self, statement: ast.For) -> None:
        assert isinstance(statement.iter, ast.Call), "the grammar has no other loops than those over range(...)"
        index = self.target_name(statement.target)
        numbers = [self.integer(bound) for bound in statement.iter.args]
        if not 1 <= len(numbers) <= 3 or (len(numbers) == 3 and numbers[2] == 0):
            self.refuse("found a range of another sort; expected range(4), range(1, 4) or range(4, 0, -1)", statement)
        turns = range(*numbers)
        # A range may have more turns than len can count.
        if turns and abs(turns[-1] - turns[0]) // abs(turns.step) >= MAX_STEPS:
            self.refuse(f"found a loop of too many turns; expected at most {MAX_STEPS:,}", statement)
        for turn in turns:
            self.scopes[-1].values[index] = number(float(turn))
            self.statements(statement.body)

    def integer(self, node: ast.expr) -> int:
        value = self.value(node)
        if value.number is None or not value.number.is_integer():
            self.refuse("found what is no whole number; expected a number, or what loops and numbers make", node)
        return int(value.number)

    def place(self, node: ast.expr) -> int:
        """A place in a vector."""
        place = self.integer(node)
        if place < 0:
            self.refuse(f"found the index {place}; expected 0 or more", node)
        if place > MAX_OPERATIONS:
            self.refuse(f"found the index {place}; expected at most {MAX_OPERATIONS:,}", node)
        return place

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as found):
                return number(self.finite(found, node))
            case ast.Subscript(slice=index) if not isinstance(index, ast.Slice):
                return self.read_element(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.operation(negative(self.value(operand)), node)
            case ast.UnaryOp(operand=operand):
                return self.value(operand)
            case ast.BinOp():
                return self.signs(node)
            case ast.Call(func=function, args=arguments):
                return self.call(function, arguments, node)
            case ast.Name() | ast.Attribute():
                return self.read(node)
            case _:
                self.refuse(f"found the vector {ast.unparse(node)} where a value is expected; expected a value", node)

    def finite(self, found: float, node: ast.AST) -> float:
        if not abs(found) <= sys.float_info.max:
            self.refuse("found a number too large, or none; the largest is about 1.8e308", node)
        return float(found)

    def signs(self, node: ast.BinOp) -> Value:
        """`a + b - c ...`, a sign after another: a long sum leans to the left as deeply as it has terms."""
        waiting: list[ast.BinOp] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            waiting.append(left)
            left = left.left
        value = self.value(left)
        for each in reversed(waiting):
            sign, right = SIGNS[type(each.op)], self.value(each.right)
            if sign == "/" and right.number == 0:
                self.refuse("found a division by zero; expected another divisor", each)
            made = joined(sign, value, right)
            same = untouched(sign, value, right) if made.inputs else None
            value = self.operation(made, each) if same is None else same
        return value

    def operation(self, value: Value, node: ast.AST) -> Value:
        """A new value of others: an operation, or part of the statement's formula; of numbers it is a number."""
        if not value.inputs:
            found = self.fold_constant(value.formula, node)
            if found is None:
                self.refuse(f"found {value.formula}, which is no finite number; expected one", node)
            return number(found)
        if len(value.formula) > MAX_CHARACTERS:
            self.refuse(
                f"found a formula of more than {MAX_CHARACTERS:,} characters; expected assignments on the way", node
            )
        if self.per_statement:
            return value
        made = self.emit(value, f"t{len(self.line.operations) + 1}", made_up=True)
        self.line.temporaries.add(str(made.name))
        return made

    def fold_constant(self, formula: str, node: ast.AST) -> float | None:
        """The number that a formula is, if it is one; refuses what is none that a firm can have."""
        try:
            return parse_formula(formula).output.constant
        except FormulaError as error:
            self.refuse(error.message, node)

    def find(self, name: str, node: ast.AST) -> Variable | None:
        """What a name stands for; None where no scope ever has it."""
        for scope in reversed(self.scopes):
            if name in scope.values:
                return scope.values[name]
            if name in scope.assigned:
                self.refuse(f"found {name}, which has no value here; expected it assigned before", node)
        return None

    def read(self, node: ast.expr) -> Value:
        """The value that a name, or the attribute of a module around a function, stands for."""
        found = self.surrounding(node)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return number(self.finite(found, node))
        if isinstance(node, ast.Attribute):
            self.refuse(f"found {ast.unparse(node)}, which is no number; expected one, as math.pi", node)
        return self.read_name(name_of(node), node)

    def read_name(self, name: str, node: ast.AST) -> Value:
        found = self.find(name, node)
        if isinstance(found, Value):
            return found
        if isinstance(found, dict):
            self.refuse(f"found the vector {name} where a value is expected; expected {name}[0]", node)
        if name in RESERVED or found is not None:
            self.refuse(f"found the function {name} without its arguments; expected {name}(...)", node)
        element = element_called(name, self.scopes)
        if element is not None:
            return element
        if self.python:
            self.refuse(f"found {name}, which has no value here; expected a parameter, or it assigned before", node)
        if name in self.outward.vectors:
            self.refuse(f"found {name} beside {name}[...], a vector; expected {name}[0], or another name", node)
        return self.new_input(name, node)

    def surrounding(self, node: ast.expr) -> object:
        """What a name, or a module's attribute, stands for around the function; None if nothing, or if the program has
        the name itself.
        """
        match node:
            case ast.Name(id=name) if name in self.around and self.find(name, node) is None:
                return self.around[name]
            case ast.Attribute(value=module, attr=name):
                found = self.surrounding(module)
                return getattr(found, name, None) if isinstance(found, ModuleType) else None
            case _:
                return None

    def read_element(self, node: ast.Subscript) -> Value:
        name, place = name_of(node.value), self.place(node.slice)
        vector = self.find(name, node)
        if isinstance(vector, Value | Function):
            self.refuse(f"found {name}[{place}] where {name} is no vector; expected {name}", node)
        if vector is not None and place not in vector:
            self.refuse(f"found {name}[{place}], which has no value here; expected one assigned before", node)
        if vector is not None:
            return vector[place]
        if name in self.vectors:
            return self.new_input(f"{name}_{place}", node)
        return self.read_name(f"{name}_{place}", node)

    def new_input(self, name: str, node: ast.AST) -> Value:
        """A value from outside."""
        self.check_name(name, node)
        self.inputs[name] = None
        self.line.taken.add(name)
        return named(name)

    def call(self, function: ast.expr, arguments: list[ast.expr], node: ast.Call) -> Value:
        own = self.find(function.id, node) if isinstance(function, ast.Name) else None
        written = ast.unparse(function)
        if isinstance(own, Value | dict):
            self.refuse(f"found {written}(...) where {written} is no function; expected {written}*(...)", node)
        if own is not None:
            return self.inline(own, [self.value(argument) for argument in arguments], node)
        try:
            given = ", ".join(map(ast.unparse, arguments))
            name = function_meant(written, given, self.surrounding(function), python=self.python)
        except ValueError as error:
            self.refuse(str(error), node)
        if name in OF_VECTORS:
            return folded(self, name, arguments, node)
        values = [self.value(argument) for argument in arguments]
        several = name in ("min", "max")
        if (len(values) < 2) if several else (len(values) != 1):
            self.refuse(f"found {name} of {len(values)} values; expected {'2 or more' if several else '1'}", node)
        return self.operation(call(name, values), node)

    def inline(self, function: Function, values: list[Value], node: ast.AST) -> Value:
        definition = function.definition
        names = parameters(definition)
        if len(names) != len(values):
            self.refuse(f"found {definition.name} of {len(values)} values; expected {len(names)}", node)
        if self.calls >= MAX_CALLS:
            self.refuse(f"found {definition.name} calling itself without end; expected functions that end", node)
        around = self.scopes
        self.scopes = [*function.around, Scope(assigned(definition.body), dict(zip(names, values, strict=True)))]
        # The function knows them by its parameters' names: in it, no other name may become theirs.
        lent = self.line.temporaries.intersection(value.name or "" for value in values)
        self.line.temporaries -= lent
        self.calls += 1
        returned = self.statements(definition.body)
        self.calls -= 1
        self.line.temporaries |= lent
        self.scopes = around
        if returned is None:
            self.refuse(f"found no return in {definition.name}; expected one", definition)
        return returned
