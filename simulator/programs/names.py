"""Which names a program speaks of, so that names made up for it and its functions' own keep out of their way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from simulator.formulas import letters
from simulator.programs.grammar import of_vectors, parameters

NAME = re.compile(rf"(?!_){letters.NAME}")
ELEMENT = re.compile(r"(.*)_(0|[1-9][0-9]*)")
"""`w_0`, as the element `w[0]` of a vector is called."""


@dataclass(frozen=True)
class Spoken:
    """The `names` in some part of a program; those with an index are `vectors` too."""

    names: set[str] = field(default_factory=set[str])
    vectors: set[str] = field(default_factory=set[str])

    def __contains__(self, name: str) -> bool:
        """Whether a value, or an element of a vector, may be called so."""
        element = ELEMENT.fullmatch(name)
        return name in self.names or (element is not None and element[1] in self.vectors)

    def add(self, other: Spoken, but: Iterable[str] = ()) -> None:
        """Take up another part's names."""
        self.names.update(other.names.difference(but))
        self.vectors.update(other.vectors.difference(but))


def name_of(node: ast.expr) -> str:
    """The name, where the grammar has nothing else."""
    assert isinstance(node, ast.Name), ast.dump(node)
    return node.id


def names_of(body: list[ast.stmt]) -> tuple[Spoken, Spoken]:
    """The names that a program's statements speak of: all, and those that belong to its top level or may be inputs."""
    anywhere, functions = (
        Spoken(),
        {node.name for each in body for node in ast.walk(each) if isinstance(node, ast.FunctionDef)},
    )
    return anywhere, _level(body, anywhere, functions)


def assigned(body: Iterable[ast.stmt]) -> set[str]:
    """The names that statements assign or define, elements by their vector's name; functions' own aside."""
    found: set[str] = set()
    for node in _nodes(body):
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store())
                | ast.Subscript(value=ast.Name(id=name), ctx=ast.Store())
                | ast.FunctionDef(name=name)
            ):
                found.add(name)
            case _:
                continue
    return found


def _level(body: list[ast.stmt], anywhere: Spoken, functions: set[str]) -> Spoken:
    """What the statements speak of, with what functions in them do not own; `functions` are all of the program's."""
    found = Spoken()
    for node in _nodes(body):
        if isinstance(node, ast.Name):
            found.names.add(node.id)
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            found.vectors.add(node.value.id)
        elif isinstance(node, ast.Call) and of_vectors(node, functions):
            found.vectors.update(argument.id for argument in node.args if isinstance(argument, ast.Name))
        elif isinstance(node, ast.FunctionDef):
            own = {*parameters(node), *assigned(node.body)}
            anywhere.names.update(own)
            found.add(_level(node.body, anywhere, functions), but=own)
    anywhere.add(found)
    return found


def _nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes, not entering functions."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef):
            waiting.extend(ast.iter_child_nodes(node))
