"""What the names of a program stand for, at the top level and in each function that is carried out."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.programs.grammar import parameters
from simulator.programs.names import ELEMENT
from simulator.programs.values import Value
from simulator.slips import meant

Vector = dict[int, Value]


@dataclass
class Scope:
    """What the names of the top level, or of a function being carried out, stand for; `assigned`: all it ever has."""

    assigned: set[str]
    values: dict[str, Variable] = field(default_factory=dict[str, "Variable"])


@dataclass(frozen=True)
class Function:
    """A function as it is written, and the scopes around it."""

    definition: ast.FunctionDef
    around: tuple[Scope, ...]


Variable = Value | Vector | Function


def no_result(top: Scope, last: tuple[str, Variable] | None) -> str:
    """Why nothing is returned: there is a function that nobody calls, or a vector."""
    functions = [value.definition for value in top.values.values() if isinstance(value, Function)]
    if last is not None and isinstance(last[1], dict):
        found = f"found the vector {last[0]} as result; expected a value (numbers have a point: 0.5)"
        return found + meant(f"return {last[0]}[0]")
    call = f"return {functions[-1].name}({', '.join(parameters(functions[-1]))})" if functions else None
    return f"found no result; expected return and a value as the last line{meant(call)}"


def element_called(name: str, scopes: Sequence[Scope]) -> Value | None:
    """The element `w[0]` where the name is `w_0` and the innermost scope with a `w` has it."""
    element = ELEMENT.fullmatch(name)
    if element is None:
        return None
    vector = next((scope.values[element[1]] for scope in reversed(scopes) if element[1] in scope.values), None)
    return vector.get(int(element[2])) if isinstance(vector, dict) else None
