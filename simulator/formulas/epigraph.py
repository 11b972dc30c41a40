"""Concave formulas whose slopes jump, as smooth ones under conditions: `max F(x, t)` over `t <= a(x, t)`.

Each `min` of a concave formula becomes an unknown `t` that is at most each of its arguments, each `max` (and `abs`,
`relu`) one that is at least each: so the hypograph of the formula is written without kinks (Boyd, Vandenberghe 2004,
section 4.1.3). What is proven of composition makes the two the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.facts import Facts
from simulator.formulas.formula import Formula
from simulator.formulas.graph import Graph, Term
from simulator.formulas.operations import OPERATIONS
from simulator.formulas.prover import Prover
from simulator.formulas.tape import Tape

Array = NDArray[np.float64]

FAR, FARTHER = 1e40, 1e80
"""Inputs at which it is asked whether marginal products still fall."""
PAIRS = 400
"""So many pairs of inputs are looked at to see whether what lies between them makes less."""
MOST_TOGETHER = 6
"""Up to so many inputs every combination of them is sent to infinity, of more each alone and all together."""


class _Kink(NamedTuple):
    """A `min` (`least`) or `max` of `arguments`, terms of the smooth graph; `name` is its unknown there."""

    name: str
    least: bool
    arguments: tuple[Term, ...]


class Smooth(NamedTuple):
    """What a point of the smooth problem is like: `F (rows,)`, its slopes `(rows, n)`, the conditions `(rows, m)`,
    which are to be at least 0, their slopes `(rows, m, n)`, and the Hessian `(rows, n, n)` of `F`, times what a unit is
    worth, plus the conditions, times their multipliers.
    """

    value: Array
    slopes: Array
    conditions: Array
    normals: Array
    bent: Array


class Epigraph:
    """A concave formula without its kinks: its inputs and an unknown for each kink, in the order of arguments."""

    def __init__(self, formula: Formula) -> None:
        old, self.graph = formula.output.graph, Graph()
        facts, new = Prover(formula.output).facts, dict[int, Term]()
        self.kinks: list[_Kink] = []
        replaced: list[Term] = []
        for node in old.reachable([formula.output]):
            operation, places = old.operations[node], old.arguments[node]
            terms = tuple(new[place] for place in places)
            if (name := old.names[node]) is not None:
                new[node] = self.graph.variable(name)
            elif (number := old.constants[node]) is not None:
                new[node] = self.graph.constant(number)
            elif not OPERATIONS[operation].kinked:
                new[node] = self.graph.apply(operation, *terms)
            elif operation in ("abs", "relu") and facts[places[0]].low >= 0:
                new[node] = terms[0]
            else:
                other = {"abs": lambda a: (-a,), "relu": lambda a: (a.graph.constant(0.0),)}.get(operation)
                arguments = terms if other is None else (*terms, *other(terms[0]))
                # A name of a formula has no blank in it.
                self.kinks.append(_Kink(f"kink {len(self.kinks)}", operation == "min", arguments))
                new[node] = self.graph.variable(self.kinks[-1].name)
                replaced.append(Term(old, node))
        self.formula, self._output = formula, new[formula.output.node]
        self.names = (*formula.variables, *(kink.name for kink in self.kinks))
        self._kinked = Tape(replaced, formula.variables) if replaced else None

    def at(self, inputs: Array, room: float = 0.0) -> Array:
        """The point of the smooth problem at `inputs` `(rows, k)`, `(rows, n)`; with `room` each condition holds with
        about that part of the value to spare.
        """
        if self._kinked is None:
            return inputs
        values = np.broadcast_arrays(inputs[:, 0], *self._kinked.run_arrays(list(inputs.T)))[1:]
        if not room:
            return np.concatenate([inputs, np.stack(values, axis=1)], axis=1)
        point = inputs
        for kink, tape in zip(self.kinks, self._arguments, strict=True):
            found = np.stack(np.broadcast_arrays(inputs[:, 0], *tape.run_arrays(list(point.T)))[1:])
            best = found.min(axis=0) if kink.least else found.max(axis=0)
            spare = room * np.where(best == 0, 1.0, np.abs(best))
            point = np.concatenate([point, (best - spare if kink.least else best + spare)[:, None]], axis=1)
        return point

    def look(self, point: Array, worth: Array, multipliers: Array) -> Smooth:
        """What a point `(rows, n)` is like where a unit is `worth` `(rows,)`, with `multipliers` `(rows, m)` of the
        conditions.
        """
        rows, n = point.shape
        m = multipliers.shape[1]
        found = self._tape.run_arrays([*point.T, worth, *multipliers.T])
        flat = np.stack(np.broadcast_arrays(np.zeros(rows), *found)[1:], axis=1)
        value, slopes, conditions, normals, upper = np.split(flat, np.cumsum([1, n, m, m * n]), axis=1)
        bent = np.empty((rows, n, n))
        above = np.triu_indices(n)
        bent[:, above[0], above[1]] = bent[:, above[1], above[0]] = upper
        return Smooth(value[:, 0], slopes, conditions, normals.reshape(rows, m, n), bent)

    @cached_property
    def conditions(self) -> tuple[Term, ...]:
        """What is to be at least 0."""
        found: list[Term] = []
        for kink in self.kinks:
            unknown = self.graph.variable(kink.name)
            found += [argument - unknown if kink.least else unknown - argument for argument in kink.arguments]
        return tuple(found)

    @cached_property
    def owners(self) -> NDArray[np.intp]:
        """The kink that each condition is of, `(m,)`."""
        return np.repeat(np.arange(len(self.kinks)), [len(kink.arguments) for kink in self.kinks])

    @cached_property
    def _arguments(self) -> list[Tape]:
        places = [len(self.formula.variables) + number for number in range(len(self.kinks))]
        return [Tape(kink.arguments, self.names[:place]) for kink, place in zip(self.kinks, places, strict=True)]

    @cached_property
    def _tape(self) -> Tape:
        graph, held = self.graph, [f"multiplier {number}" for number in range(len(self.conditions))]
        slopes = graph.gradient(self._output, self.names)
        normals = [slope for condition in self.conditions for slope in graph.gradient(condition, self.names)]
        together = self._output * graph.variable("worth of it")
        for name, condition in zip(held, self.conditions, strict=True):
            together = together + graph.variable(name) * condition
        upper: list[Term] = []
        for place, slope in enumerate(graph.gradient(together, self.names)):
            upper += graph.gradient(slope, self.names)[place:]
        return Tape([self._output, *slopes, *self.conditions, *normals, *upper], [*self.names, "worth of it", *held])


@cache
def epigraph_of(formula: Formula) -> Epigraph:
    """The epigraph of a formula, made once."""
    return Epigraph(formula)


def grows_without_end(formula: Formula) -> bool:
    """Whether some marginal product of a concave formula never falls to 0, or that cannot be told: then profit has no
    bound at some prices. It is looked at far out, along each combination of inputs.
    """
    inputs = len(formula.variables)
    sizes = range(1, inputs + 1) if inputs <= MOST_TOGETHER else (1, inputs)
    ways = np.array([np.isin(range(inputs), way) for size in sizes for way in combinations(range(inputs), size)])
    near, far = (
        np.sum(np.where(ways, formula.gradient(np.where(ways, distance, 1.0)), 0.0), axis=1)
        for distance in (FAR, FARTHER)
    )
    return not np.all((far <= 0) | (far < (1.0 - 1e-6) * near))


def dips(formula: Formula) -> Array:
    """Two inputs `(2, k)` half-way between which a formula makes clearly less than at both on average, `(0, k)` where
    none of those looked at are such.
    """
    draws = np.random.default_rng(0)
    ends = np.power(10.0, draws.uniform(-3, 3, (2, PAIRS, len(formula.variables))), dtype=np.float64)
    average, middle = formula.value(ends).mean(axis=0), formula.value(ends.mean(axis=0))
    with np.errstate(all="ignore"):
        lost = np.nan_to_num((average - middle) / (np.abs(average) + np.abs(middle)))
    worst = int(np.argmax(lost))
    return ends[:, worst] if lost[worst] > 1e-9 else np.zeros((0, ends.shape[2]))


def jumps(output: Term) -> bool:
    """Whether the best plan for a concave formula may jump as prices move: where it is straight along some direction.

    It does not where the formula bends in all its inputs, also where a number caps such a formula.
    """
    facts = Prover(output).facts
    while True:
        known = facts[output.node]
        if known.concave is not None and known.concave >= known.inputs:
            return False
        parts = [Term(output.graph, node) for node in _parts(known, output)]
        moving = [part for part in parts if facts[part.node].constant is None]
        if len(moving) != 1 or moving[0] == output:
            return True
        output = moving[0]


def _parts(known: Facts, output: Term) -> Sequence[int]:
    """The arguments of a `min`, or what a multiple, moved by a number or not, is of."""
    if output.graph.operations[output.node] == "min":
        return output.graph.arguments[output.node]
    return [*known.linear[1]]


def is_concave(formula: Formula) -> bool:
    """Whether a formula is proven concave in its inputs, all of which it depends on; it may be straight, or kinked."""
    facts = Prover(formula.output).output
    return facts.concave is not None and len(facts.inputs) == len(formula.variables)


def has_best_plan(formula: Formula) -> bool:
    """Whether a formula is proven concave, though not strictly or with kinks, and ends growing: then profit has a
    maximum at all prices above 0.
    """
    facts = Prover(formula.output).output
    smooth = not formula.has_kinks and facts.concave is not None and facts.concave >= facts.inputs
    return not smooth and is_concave(formula) and not grows_without_end(formula)
