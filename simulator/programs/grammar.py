"""What of Python's grammar a program may be written in. All else is refused before any of it is carried out, so that
nothing is read and then ignored: not in a function that is never called, nor in a loop without turns.

Annotations and lines that are only text mean as little here as to Python.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NoReturn, Protocol

SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}

OF_VECTORS = {"dot": 2, "sum": 1}
"""Functions of vectors, and of how many."""


class Refuse(Protocol):
    """Raises a ProgramError with the place of a node."""

    def __call__(self, message: str, node: ast.AST) -> NoReturn: ...


def check_grammar(body: list[ast.stmt], refuse: Refuse, *, python: bool) -> None:
    """Refuse the first statement or expression that is not of the language; `python`: of a function's source."""
    waiting: list[ast.AST] = [*reversed(_block(body, refuse))]
    while waiting:
        node = waiting.pop()
        parts = _statement(node, refuse) if isinstance(node, ast.stmt) else _expression(node, refuse, python)
        waiting += reversed(parts)


def of_vectors(node: ast.Call, others: Collection[str] = ()) -> bool:
    """Whether a call is by the name of a function of vectors, and not of one of the `others`."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in OF_VECTORS and name not in others


def parts(argument: ast.expr) -> list[ast.expr]:
    """The expressions that a vector is written with."""
    match argument:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return elements
        case ast.Subscript(value=ast.Name(), slice=ast.Slice(lower=lower, upper=upper, step=None)):
            return [bound for bound in (lower, upper) if bound is not None]
        case _:
            return [argument]


def parameters(definition: ast.FunctionDef) -> list[str]:
    """The names of a function's parameters, in order."""
    return [argument.arg for argument in (*definition.args.posonlyargs, *definition.args.args)]


def _block(body: list[ast.stmt], refuse: Refuse) -> list[ast.stmt]:
    """The statements of a function or of the whole program, where `return` can only come last."""
    for statement, following in pairwise(body):
        if isinstance(statement, ast.Return):
            refuse("found a line after return, which nobody comes to; expected return as the last line", following)
    return body


def _statement(statement: ast.stmt, refuse: Refuse) -> Sequence[ast.AST]:
    """The targets, expressions and statements that a statement consists of."""
    match statement:
        case ast.Assign(targets=[_, second, *_], value=ast.List() | ast.Tuple()):
            refuse("found a vector with two names; expected one", second)
        case ast.Assign(targets=targets, value=value):
            return _assignment(targets, value, refuse)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return _assignment([target], value, refuse)
        case ast.AugAssign(target=target, op=sign, value=value) if type(sign) in SIGNS:
            return [_target(target, refuse), value]
        case ast.Return(value=ast.expr() as value):
            return [value]
        case ast.FunctionDef(body=body):
            _header(statement, refuse)
            return _block(body, refuse)
        case ast.For(
            target=ast.Name() as target,
            iter=ast.Call(func=ast.Name(id="range"), args=bounds, keywords=[]),
            body=body,
            orelse=[],
        ):
            for each in body:
                if isinstance(each, ast.Return):
                    refuse("found return in a loop, which would never turn again; expected return after it", each)
            return [target, *bounds, *body]
        case ast.For():
            refuse("found a loop of another sort; expected for i in range(4): without else", statement)
        case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
            return []
        case _:
            refuse("found a line that is no assignment; expected name = formula, for, def or return", statement)


def _assignment(targets: list[ast.expr], value: ast.expr, refuse: Refuse) -> list[ast.expr]:
    parts = value.elts if isinstance(value, ast.List | ast.Tuple) and isinstance(targets[0], ast.Name) else [value]
    return [*(_target(target, refuse) for target in targets), *parts]


def _target(target: ast.expr, refuse: Refuse) -> ast.expr:
    if not isinstance(target, ast.Name | ast.Subscript):
        refuse("found more than a name on the left; expected name = formula", target)
    return target


def _header(definition: ast.FunctionDef, refuse: Refuse) -> None:
    name, arguments = definition.name, definition.args
    if definition.decorator_list:
        refuse(f"found a decorator of {name}; expected def {name}(a, b): alone", definition.decorator_list[0])
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
        refuse(f"found {name} with other than plain parameters; expected def {name}(a, b):", definition)
    if arguments.defaults:
        refuse(f"found a default in def {name}; expected def {name}(a, b): and all values in calls", definition)
    names = parameters(definition)
    for place, argument in enumerate((*arguments.posonlyargs, *arguments.args)):
        if argument.arg in names[:place]:
            refuse(f"found the parameter {argument.arg} of {name} twice; expected another name", argument)


def _expression(node: ast.AST, refuse: Refuse, python: bool) -> Sequence[ast.AST]:
    """The expressions that an expression consists of."""
    match node:
        case ast.Constant(value=bool()):
            refuse("found a truth value; expected a number", node)
        case ast.Constant(value=int() | float()) | ast.Name():
            return []
        case ast.Attribute(value=ast.Name()) if python:
            return []
        case ast.Subscript(value=ast.Name(), slice=index):
            return [index]
        case ast.Subscript():
            refuse("found an index of an index; expected w[0], or w_1[0]", node)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return [operand]
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in SIGNS:
            return [left, right]
        case ast.Call(keywords=[keyword, *_]):
            refuse("found a value given by its parameter's name; expected f(x, y), values in their order", keyword)
        case ast.Call(func=ast.Name() | ast.Attribute() as function, args=arguments):
            vectors = of_vectors(node)
            return [function, *(part for each in arguments for part in (parts(each) if vectors else [each]))]
        case ast.Call():
            refuse("found a call of something that is no function; expected sin(x)", node)
        case _:
            power = "**" if python else "^"
            refuse(
                f"found something that is not arithmetic; expected numbers, names, + - * / {power} and functions", node
            )
