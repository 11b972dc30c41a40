"""From a plain Python function to a straight line: it is called once, with traced numbers, and what it does is written
down.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from traceback import extract_tb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.graph import Term
from simulator.formulas.operations import FUNCTIONS
from simulator.formulas.traced_array import COMPOSED, UFUNCS, Trace, TracedArray, UntraceableError
from simulator.programs.names import NAME
from simulator.programs.program import Operation, Program
from simulator.programs.values import Value, call, joined, named, negative, number
from simulator.programs.vectors import MOST_TERMS

ONE = number(1.0)
WRITTEN: dict[str, Callable[..., Value]] = {
    **{sign: (lambda a, b, sign=sign: joined(sign, a, b)) for sign in "+-*/^"},
    **{name: (lambda *values, name=name: call(name, [*values])) for name in FUNCTIONS},
    "^ constant": lambda a, b: joined("^", a, b),
    "power": lambda a, b: joined("^", a, b),
    "negate": negative,
    "log1p": lambda a: call("ln", [joined("+", ONE, a)]),
    "expm1": lambda a: joined("-", call("exp", [a]), ONE),
    "cosh": lambda a: joined("/", joined("+", call("exp", [a]), call("exp", [negative(a)])), number(2.0)),
}
"""How operations that a function was seen to do are written in a formula."""
KNOWN = sorted({*(ufunc.__name__ for ufunc, name in UFUNCS.items() if name in WRITTEN), *COMPOSED})
BRANCH = "expected the same operations for all values, as in np.maximum(x, 0), np.minimum or np.abs"
REFUSALS = {
    "a branch": f"found a branch on a traced value (if, while, and, or, max); {BRANCH}",
    "a number is needed": "found a number asked of a traced value; "
    "expected numpy's functions (np.sin, not math.sin), and indices that do not depend on it",
    "an array of numbers is needed": "found an array of numbers made of traced values; "
    "expected np.stack([a, b]), and no writing on an array",
}
"""What is said of that which a function may not do, by what its trace complains of."""


class _Unbranched(Trace):
    """A trace of a function that must be the same for all inputs."""

    def decide(self, term: Any) -> bool:
        raise UntraceableError("a branch")


def traced(
    function: Callable[..., Any], names: Iterable[str], given: Iterable[NDArray[np.float64]]
) -> tuple[Program, list[NDArray[Any]]]:
    """The straight line of a function of arrays, and what each element of each of them is called there.

    `names` are what the arrays would be called; elements have numbers (`x_0`, `x_0_1`). Raises TypeError for what is
    no straight line of arithmetic to one number, with a sentence.
    """
    trace, called, taken = _Unbranched(), dict[int, str](), {*FUNCTIONS}
    arrays = [trace.array(numbers) for numbers in given]
    labels: list[NDArray[Any]] = []
    for name, array in zip(names, arrays, strict=True):
        label = np.empty(array.shape, dtype=object)
        for place, term in np.ndenumerate(array.terms):
            plain = "_".join([name if NAME.fullmatch(name) else "input", *map(str, place)])
            label[place] = free = next(each for each in _forms(plain) if each not in taken)
            called[term.node] = free
            taken.add(free)
        labels.append(label)
    try:
        result = function(*arrays)
    except UntraceableError as problem:
        function_meant = str(problem).removeprefix("no operation is ")
        other = f"found {function_meant} of traced values; expected {', '.join(KNOWN)}, and sums and products of arrays"
        raise TypeError(f"{_place(problem)}{REFUSALS.get(str(problem), other)}") from problem
    if not isinstance(result, TracedArray):
        found = f"{result:g}" if isinstance(result, (int, float)) else f"a {type(result).__name__}"
        raise TypeError(f"found {found} as result; expected a number that follows from an input")
    if result.shape != ():
        raise TypeError(f"found a result of shape {result.shape}; expected one number, as np.sum(...) makes")
    output = result.terms.item()
    if output.constant is not None:
        raise TypeError(f"found {output.constant:g} as result; expected a number that follows from an input")
    return _program(output, called, taken), labels


def _place(problem: BaseException) -> str:
    """Where in the user's code something was refused: the last line that is neither of this package nor of NumPy."""
    ours = tuple(f"{folder}{os.sep}" for folder in (Path(__file__).parents[1], Path(np.__file__).parent))
    frames = [frame for frame in extract_tb(problem.__traceback__) if not frame.filename.startswith(ours)]
    return f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""


def _forms(name: str) -> Iterable[str]:
    yield name
    yield from (f"{name}_v{turn}" for turn in range(2, 1_000_000))


def _program(output: Term, called: Mapping[int, str], taken: set[str]) -> Program:
    """The nodes that a result rests on as operations; a sum that only another sum reads is part of that."""
    graph = output.graph
    nodes = graph.reachable([output])
    readers: dict[int, list[int]] = {node: [] for node in nodes}
    for node in nodes:
        for argument in graph.arguments[node]:
            readers[argument].append(node)
    values, lengths, operations = dict[int, Value](), dict[int, int](), list[Operation]()
    for node in nodes:
        operation, arguments, constant = graph.operations[node], graph.arguments[node], graph.constants[node]
        if not arguments:
            values[node] = named(called[node]) if constant is None else number(constant)
            if node != output.node:
                continue
            made = replace(values[node], kind="result")
        elif operation in WRITTEN:
            terms = [(lengths.get(each, 1) if values[each].name is None else 1, values[each]) for each in arguments]
            if operation == "+":
                # The longer first: a sum on the right stands in brackets, and brackets in brackets have an end.
                terms.sort(key=lambda term: -term[0])
            made = WRITTEN[operation](*(value for _, value in terms))
            lengths[node] = sum(length for length, _ in terms)
        else:
            raise TypeError(f"found {operation} of traced values in the result; {BRANCH}")
        inner = operation == "+" and [graph.operations[reader] for reader in readers[node]] == ["+"]
        if inner and lengths[node] < MOST_TERMS:
            values[node] = made
            continue
        wanted = "result" if node == output.node else f"t{len(operations) + 1}"
        name = next(each for each in _forms(wanted) if each not in taken)
        taken.add(name)
        operations.append(Operation(name, made.formula, made.inputs, made.kind))
        values[node] = named(name)
    return Program(tuple(called[node] for node in nodes if node in called), tuple(operations), operations[-1].output)
