"""Functions of structures of arrays as machine code that runs many ticks in one call (Numba, the extra `fast`).

The same trace as in plain floats, written out for Numba: state goes in and comes out as one array of numbers, and a
loop stands around the line of operations. These are done as in plain floats, to the last bit.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import math
import os
import pickle
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from simulator.extras import library
from simulator.formulas.graph import Graph, Term
from simulator.formulas.in_floats import blamed, plain, traced
from simulator.formulas.operations import OPERATIONS
from simulator.formulas.structures import mapped
from simulator.formulas.tape import ScalarFormula, Tape
from simulator.formulas.text import SIGNS, Text
from simulator.formulas.traced_array import Trace, TracedArray, UntraceableError

MOST_OPERATIONS = 3000
"""A longer line takes Numba more than some seconds."""
MOST_LINES = 8
"""So many courses of a tick are compiled, a second or so each."""

PLAIN = (0.0, 1.0, -1.0, 2.0, 0.5)
"""Numbers by which a compiler makes shorter code: they stay in the text."""

OF_C = {
    **SIGNS,
    **{name: f"math.{name}({{}})" for name in ("sqrt", "exp", "sin", "cos", "cosh", "tanh", "log1p", "expm1")},
    "ln": "math.log({})",
    "^ constant": "math.pow({}, {})",
    "power": "math.pow({}, {})",
    "remainder": "{} % {}",
    "abs": "abs({})",
    "finite": "math.isfinite({})",
    "choose": "chosen({}, {}, {})",
    "^": "positive_power({}, {})",
    "sech^2": "squared_sech({})",
    "relu": "(0.0 if {0} <= 0.0 else {0})",
    "sigmoid": "sigmoid({})",
    "softplus": "softplus({})",
    "sign": "sign({})",
    "equal": "equal({}, {})",
}
"""How operations are written for Numba, but for those of any number of arguments."""
OWN = {
    "^": "positive_power",
    "sech^2": "squared_sech",
    **{name: name for name in ("sigmoid", "softplus", "sign", "equal")},
}
"""Operations that are functions of this project's own."""

Array = NDArray[np.float64]

Watched = Callable[[Any, Any], tuple[Any, tuple[Any, ...], Any]]
"""A function of a structure and of steady numbers: the next structure, what to keep, and whether to go on."""


class UncompilableError(Exception):
    """What a function does that machine code cannot."""


class CompiledText(Text):
    """Operations for Numba, with the texts of the searches that are `called`, by their names."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.space |= _helpers()
        self.called: dict[str, list[str]] = {}

    def operation(self, node: int, arguments: Sequence[str]) -> str:
        operation = self.graph.operations[node]
        if operation in ("min", "max"):
            name = "least" if operation == "min" else "greatest"
            return functools.reduce(lambda a, b: f"{name}({a}, {b})", arguments)
        if operation in OF_C:
            return OF_C[operation].format(*arguments)
        search: Any = self.graph.row(node).number
        # A search of floats behind a formula is written anew for it; other functions cannot be seen into.
        function: Any = getattr(search, "func", search)
        formulas: list[Any] = list(getattr(search, "args", ()))
        if [type(each) for each in formulas] != [ScalarFormula]:
            raise UncompilableError(f"{function.__name__} is worked out in arrays")
        name = f"{function.__name__}_of_formula{node}"
        self.called[name] = _search(function, formulas[0], f"formula{node}", self.space)
        return f"{name}({', '.join(arguments)})"

    def guard(self, name: str, holds: bool) -> str:
        return f"if {'not ' if holds else ''}{name}: return -1 - i"


class LineText(CompiledText):
    """The same, with the economy's `numbers` given from outside, by their nodes: other rates or supplies are the same
    text, and compiled once.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.numbers: dict[int, float] = {}

    def name(self, term: Term | float) -> str:
        constant = term.constant if isinstance(term, Term) else None
        if constant is None or constant in PLAIN or not math.isfinite(constant):
            return super().name(term)
        self.numbers[cast("Term", term).node] = constant
        return f"c{cast('Term', term).node}"


class Stretch(NamedTuple):
    """Ticks run in one call: how many, the structure after them, and what was kept of each, `(ticks, ...)`."""

    ticks: int
    after: Any
    kept: tuple[Array, ...]


class Line(NamedTuple):
    """One course of a tick in machine code: `run(state, given, rows, ticks)`, where the economy's `numbers` are given
    after what is steady; and the traced result of what is kept.
    """

    run: Callable[[Array, Array, Array, int], int]
    numbers: tuple[float, ...]
    width: int
    kept: tuple[Any, ...]


class Compiled:
    """A function of a structure that gives the next, what to keep, and whether to go on: run again and again.

    The function is given the structure and further numbers that stay as they are. It stops before the tick whose last
    result is false: that one is for others to look at.
    """

    def __init__(self, function: Watched) -> None:
        self._function = function
        self._lines: list[Line] = []

    def run(self, given: Any, steady: tuple[float, ...], ticks: int) -> Stretch:
        """At most so many ticks from a structure in plain floats; none where the first is not for machine code."""
        # Of arrays that no tick has changed, too, machine code reads and writes each number.
        given = plain(given)
        state = np.array(_numbers(given), dtype=float)
        for place, line in enumerate(self._lines):
            done, kept = _run(line, state, steady, ticks)
            if done != -1:
                self._lines.insert(0, self._lines.pop(place))
                break
        else:
            if len(self._lines) == MOST_LINES:
                return Stretch(0, given, ())
            try:
                line = compiled(self._function, given, steady)
            except UncompilableError:
                return Stretch(0, given, ())
            self._lines.insert(0, line)
            done, kept = _run(line, state, steady, ticks)
        done = done if done >= 0 else -1 - done
        return Stretch(done, _restored(given, iter(state.tolist())), tuple(each[:done] for each in kept))


def _run(line: Line, state: Array, steady: tuple[float, ...], ticks: int) -> tuple[int, tuple[Array, ...]]:
    """How many ticks were done, counted backwards from -1 if a guard then did not hold; and what was kept."""
    rows = np.empty((ticks, line.width))
    done = line.run(state, np.array([*steady, *line.numbers]), rows, ticks)
    kept, place = list[Array](), 0
    for like in line.kept:
        if isinstance(like, TracedArray):
            kept.append(rows[:, place : place + like.size].reshape(ticks, *like.shape))
            place += like.size
        else:
            kept.append(np.broadcast_to(like, (ticks, *np.shape(like))))
    return done, tuple(kept)


def written(function: Watched, given: Any, steady: tuple[float, ...]) -> tuple[LineText, str, tuple[Any, ...]]:
    """The text of a function for machine code, and the traced result of what is kept. Raises UncompilableError."""
    trace = Trace()
    symbols, fixed = traced(trace, given), [TracedArray(trace, trace.array(number).terms) for number in steady]
    first = list(terms_of(trace, (symbols, fixed)))
    try:
        after, kept, goes_on = function(symbols, tuple(fixed))
    except (UntraceableError, Exception) as error:
        raise UncompilableError(blamed(error)) from error
    following, rows, go = (list(terms_of(trace, part)) for part in (after, [*map(_traced_only, kept)], goes_on))
    count = len(_numbers(given))
    if len(following) != count:
        raise UncompilableError("a state whose size changes")
    text = LineText(trace.graph)
    lines = text.lines([*following, *rows, *go], trace.guards)
    if len(lines) > MOST_OPERATIONS:
        raise UncompilableError(f"a tick has {len(lines):,} operations, more than {MOST_OPERATIONS:,}")
    reads = [*(f"x[{place}]" for place in range(count)), *(f"y[{place}]" for place in range(len(steady)))]
    body = [f"{text.name(term)} = {read}" for term, read in zip(first, reads, strict=True)]
    body += lines + [f"if not {text.name(term)}: return i" for term in go]
    body += [f"rows[i, {place}] = {text.name(term)}" for place, term in enumerate(rows)]
    news = [f"n{place}" for place in range(count)]
    # All that is read of the state before anything of the next is written.
    body += [f"{new} = float({text.name(term)})" for new, term in zip(news, following, strict=True)]
    body += [f"x[{place}] = {new}" for place, new in enumerate(news)]
    numbers = [f"c{node} = y[{place}]" for place, node in enumerate(text.numbers, len(steady))]
    loop = ["def line(x, y, rows, count):", *numbers, "for i in range(count):", *(f"    {each}" for each in body)]
    loop.append("return count")
    return text, "\n".join([*(part for parts in text.called.values() for part in parts), "\n    ".join(loop), ""]), kept


def _traced_only(value: Any) -> Any:
    return value if isinstance(value, TracedArray) else ()


def compiled(function: Watched, given: Any, steady: tuple[float, ...]) -> Line:
    """A function in machine code, traced where it is given these. Raises UncompilableError."""
    text, source, kept = written(function, given, steady)
    width = sum(each.size for each in kept if isinstance(each, TracedArray))
    signature = "int64(float64[::1], float64[::1], float64[:, ::1], int64)"
    return Line(machine_code(source, text.space, signature), (*text.numbers.values(),), width, kept)


def _numbers(value: Any) -> list[Any]:
    """The numbers of a structure in plain floats, in order."""
    if isinstance(value, tuple):
        return [number for each in cast("tuple[Any, ...]", value) for number in _numbers(each)]
    return [] if isinstance(value, np.ndarray) else [value]


def _restored(like: Any, numbers: Iterator[float]) -> Any:
    """A structure like another one, of these numbers; what counts stays whole."""
    return mapped(lambda leaf: leaf if isinstance(leaf, np.ndarray) else type(leaf)(next(numbers)), like)


def terms_of(trace: Trace, value: Any) -> Sequence[Term]:
    """The terms of a traced structure, in order; numbers that were not traced are constants."""
    if isinstance(value, (tuple, list)):
        return [term for each in cast("Sequence[Any]", value) for term in terms_of(trace, each)]
    array = value.terms if isinstance(value, TracedArray) else np.asarray(value, dtype=object)
    return [each if isinstance(each, Term) else trace.graph.constant(float(each)) for each in array.flat]


def _search(function: Callable[..., Any], formula: ScalarFormula, name: str, space: dict[str, Any]) -> list[str]:
    """The texts of a search for a formula, and of the functions that it calls: `jet` of the formula is `NAME_jet`."""
    tapes = zip(("value", "jet"), formula.tapes, strict=True)
    texts, waiting = [_of_tape(f"{name}_{part}", tape) for part, tape in tapes], [cast("types.FunctionType", function)]
    for each in waiting:
        of_one = _OfOneFormula(each, name)
        texts.insert(2, ast.unparse(of_one.tree))
        waiting += [called for called in dict.fromkeys(of_one.called) if called not in waiting]
        space |= {key: each.__globals__[key] for key in each.__code__.co_names if _is_number(each.__globals__.get(key))}
    return texts


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


class _OfOneFormula(ast.NodeTransformer):
    """A function whose first argument is a formula, written for one of this `name`: its `tree`, and those `called`."""

    def __init__(self, function: types.FunctionType, name: str) -> None:
        (definition,) = ast.parse(inspect.getsource(function)).body
        assert isinstance(definition, ast.FunctionDef)
        self.name, self._globals = name, function.__globals__
        self.called: list[types.FunctionType] = []
        formula, *others = (argument.arg for argument in definition.args.args)
        self._formula = formula
        definition.args.args = [ast.arg(other) for other in others]
        definition.name, definition.returns = f"{definition.name}_of_{name}", None
        definition.decorator_list, definition.body = [ast.Name("jit")], definition.body[1:]
        self.tree = self.visit(definition)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        ours = isinstance(node.value, ast.Name) and node.value.id == self._formula
        return ast.Name(f"{self.name}_{node.attr}") if ours else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = self._globals.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if isinstance(called, types.FunctionType):
            self.called.append(called)
            return ast.Call(ast.Name(f"{called.__name__}_of_{self.name}"), node.args[1:], [])
        return node


def _of_tape(name: str, tape: Tape) -> str:
    """The text of a formula of one input."""
    text, count = CompiledText(tape.graph), len(tape.outputs)
    nowhere = "nan" if count == 1 else f"({', '.join(['nan'] * count)})"
    lines = [line.replace("nowhere", nowhere) for line in tape.body(text)]
    return "\n    ".join([f"@jit\ndef {name}({text.names(tape.variables)}):", *lines])


@functools.cache
def _helpers() -> dict[str, Any]:
    """What the text of a function calls, in machine code: some operations as they are of floats, others of two."""

    def least(a: float, b: float) -> float:
        return (a if a < b else b) if a == a else a

    def greatest(a: float, b: float) -> float:
        return (a if a > b else b) if a == a else a

    def chosen(condition: Any, a: float, b: float) -> float:
        return a if condition else b

    jitted = numba().njit(error_model="numpy")
    space: dict[str, Any] = {"jit": jitted, "math": math}
    space |= {each.__name__: jitted(each) for each in (least, greatest, chosen)}
    return space | {name: jitted(OPERATIONS[operation].number) for operation, name in OWN.items()}


def numba() -> Any:
    """Numba, which machine code needs. Raises `MissingExtraError`."""
    return library("numba", "machine code")


def machine_code(source: str, space: dict[str, Any], signature: str) -> Any:
    """The function `line` of a text in machine code, kept for other processes where there is a place for it."""
    numbers = {name: value for name, value in space.items() if _is_number(value)}
    helpers = [inspect.getsource(each.py_func) for each in space.values() if hasattr(each, "py_func")]
    parts = [source, signature, repr(numbers), *helpers]
    name = f"compiled_{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:32]}"
    if name in sys.modules:
        return vars(sys.modules[name])["code"]
    file = _kept(name, source)
    # Numba looks for the module of what it has kept.
    module = sys.modules[name] = types.ModuleType(name)
    vars(module).update(space)
    exec(compile(source, str(file or "<compiled>"), "exec"), vars(module))
    njit = functools.partial(numba().njit, signature, error_model="numpy", nogil=True)
    try:
        code = njit(cache=file is not None)(vars(module)["line"])
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        # What was kept is broken, or nothing can be kept beside the text.
        code = njit()(vars(module)["line"])
    vars(module)["code"] = code
    return code


def _kept(name: str, source: str) -> Path | None:
    """A file of the text in the user's cache, beside which Numba keeps the machine code; None where none can be."""
    try:
        # A user without a home has no cache either.
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "market-simulator"
        file = folder / f"{name}.py"
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as written:
                written.write(source)
            os.replace(written.name, file)
    except (OSError, RuntimeError):
        return None
    return file
