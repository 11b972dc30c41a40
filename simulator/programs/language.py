"""The language of programs: assignments, arithmetic, functions defined in the file, vectors by index, loops of known
length.

The text has Python's grammar, with `^` for a power, and is read by Python's own parser; nothing in it is ever run.
Names that are read and never assigned are the program's inputs. Comments may say where their values come from,

    # supply: ore = 9
    # allocation: steel_for_carmaker = 2.5

(a finite number each, or the name alone; nothing but inputs): an allocation is an input that nobody supplies, chosen by
who shares a good out.
"""

from __future__ import annotations

import ast
import builtins
import math
import re
import tokenize
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

from simulator.programs.grammar import check_grammar, parameters
from simulator.programs.program import Program, ProgramError
from simulator.programs.tracer import Tracer
from simulator.slips import instead, meant

_COMMENT = re.compile(r"#[ \t]*(supply|allocation)[ \t]*:", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")


def parse(text: str, *, per: str = "operation") -> Program:
    """The straight line of a program, `per` operation or per `statement` (one formula for each assignment).

    Raises ProgramError with the place of what is not a straight line of arithmetic.
    """
    places = _Places(text, power="**")
    try:
        tree = ast.parse(places.python)
    except SyntaxError as error:
        line, column = error.lineno or 1, (error.offset or 1) - 1
        raise ProgramError(_syntax(error) + places.guess(line), places.at(line, column)) from None
    except (RecursionError, MemoryError):
        raise ProgramError("found an expression nested too deeply; expected shorter lines", 0) from None
    except ValueError:
        raise ProgramError("found a program that cannot be read; expected lines such as c = a*b + 1", 0) from None
    check_grammar(tree.body, places.refuse_line, python=False)
    program = Tracer(places.refuse, per_statement=per == "statement").run(tree.body)
    return _with_comments(program, places)


def parse_function(function: Callable[..., Any], *, per: str = "operation") -> Program:
    """The straight line of a plain Python function, from its source: its parameters are the inputs, those read by
    index one for each element read.

    `math.sin`, `numpy.sin` and `sin` are all the same, `log` is `ln`; numbers from around the function are known.
    Raises ProgramError for what is no straight line, OSError or TypeError where there is no source.
    """
    import inspect
    import textwrap

    source = textwrap.dedent(inspect.getsource(function))
    places = _Places(source, power="^")
    definitions: list[ast.FunctionDef] = []
    # A lambda's source is the line it stands on, whatever that is.
    with suppress(SyntaxError):
        definitions += [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    if len(definitions) != 1 or not inspect.isfunction(function) or inspect.unwrap(function) is not function:
        raise ProgramError("found no function of its own lines; expected def f(x): with a body", 0)
    (definition,) = definitions
    check_grammar([definition], places.refuse_line, python=True)
    names = parameters(definition)
    closure = inspect.getclosurevars(function).nonlocals
    around = {**vars(builtins), **function.__globals__, **closure}
    tracer = Tracer(
        places.refuse,
        per_statement=per == "statement",
        parameters=names,
        around={name: found for name, found in around.items() if name not in names},
    )
    return _with_comments(tracer.run(definition.body), places)


class _Places:
    """Where the parser's lines and columns lie in the text, in which `^` stands for the parser's `power`."""

    def __init__(self, text: str, power: str) -> None:
        self.text, self.python, self.power = text, text.replace("^", power), power
        self.starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def refuse(self, message: str, node: ast.AST) -> NoReturn:
        raise ProgramError(message, self.of(node))

    def refuse_line(self, message: str, node: ast.AST) -> NoReturn:
        """Refuse what is not of the language, with what its line was probably meant to be."""
        raise ProgramError(message + self.guess(getattr(node, "lineno", 1)), self.of(node))

    def guess(self, line: int) -> str:
        return meant(instead("program", _LINE_END.split(self.text)[line - 1].split("#")[0].strip()))

    def of(self, node: ast.AST) -> int:
        """Characters from the start of the text to a node."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        # The parser counts a node's columns in bytes.
        before = _LINE_END.split(self.python)[line - 1].encode()[:column].decode(errors="ignore")
        return self.at(line, len(before))

    def comments(self) -> Iterator[tuple[int, str]]:
        """The comments, from their # on, and where they begin; none where none can say anything."""
        if not _COMMENT.search(self.text):
            return
        lines = (f"{line}\n" for line in _LINE_END.split(self.python))
        for token in tokenize.generate_tokens(lambda: next(lines, "")):
            if token.type == tokenize.COMMENT:
                place = self.at(*token.start)
                yield place, _LINE_END.split(self.text[place:], 1)[0]

    def at(self, line: int, column: int) -> int:
        """Characters from the start of the text to a line and column of what the parser read."""
        line = min(line, len(self.starts)) - 1
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        place = shown = self.starts[line]
        while place < end and shown < self.starts[line] + column:
            shown += len(self.power) if self.text[place] == "^" else 1
            place += 1
        return place


def _syntax(error: SyntaxError) -> str:
    found = str(error.msg)
    if "integer string conversion" in found:
        return "found a number too large; the largest is about 1.8e308"
    reason = f"{found[0].lower()}{found[1:].partition('. Maybe')[0]}"
    return f"found what cannot be read ({reason}); expected a line such as c = a*b + 1"


def _with_comments(program: Program, places: _Places) -> Program:
    """The program with what its comments say of its inputs."""
    given: dict[str, float] = {}
    allocations: list[str] = []
    seen: set[str] = set()
    for start, comment in places.comments():
        match = _COMMENT.match(comment)
        if match is None:
            continue
        for entry in re.finditer("[^,]+|^|(?<=,)$", comment[match.end() :]):
            name, sign, written = (part.strip() for part in entry[0].partition("="))
            place = start + match.end() + entry.end() - len(entry[0].lstrip())
            if name not in program.inputs:
                message = f"found {name or 'nothing'}, which is no input; expected {', '.join(program.inputs[:5])}"
                raise ProgramError(message, place)
            if name in seen:
                raise ProgramError(f"found {name} again; expected one value of it", place)
            seen.add(name)
            if match[1].lower() == "allocation":
                allocations.append(name)
            if sign:
                given[name] = _number(name, written, place)
    return replace(program, given=given, allocations=tuple(allocations))


def _number(name: str, written: str, place: int) -> float:
    value = float(written) if _NUMBER.fullmatch(written) else math.nan
    if not math.isfinite(value):
        raise ProgramError(f"found {written or 'no value'} for {name}; expected a finite number", place)
    return value
