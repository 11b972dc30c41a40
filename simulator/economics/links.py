"""Who hands what to whom: the links between firms as arrays, firms of one operation evaluated together.

A link leads from a good to a firm that uses it. Firms whose formulas are the same but for the goods' names and the
numbers in them are one operation: their values and slopes are worked out at once, whatever their number.

Goods, firms and links stand in an order of their own, in which what is worked out together lies together: goods that
nobody makes, then what the firms make, operation by operation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.agents import Firm
from simulator.economics.economy import Economy, Indices
from simulator.economics.forms import Array
from simulator.economics.technology import FormulaTechnology
from simulator.formulas.formula import Formula
from simulator.formulas.graph import Graph, Term
from simulator.formulas.tape import Tape


class Operation(NamedTuple):
    """Firms of one formula: the places of their links, input by input (`edges`), and of what they make, product by
    product (`goods`); and the `numbers` in which their formulas differ, `(rows,)` each.
    """

    tape: Tape
    edges: list[slice]
    goods: list[slice]
    numbers: list[Array]


class Links:
    """The links of an economy of single firms with formulas; `(goods,)`, `(firms,)` and `(edges,)` are in the order of
    the links, here and wherever they are spoken of.

    `goods` and `firms` say which of the economy's each is, `place` where each of the economy's goods stands. A link is
    of a `good` and to a `firm`, `(edges,)` each. The first `raw` goods are made by nobody, every other by its `maker`,
    `(goods - raw,)`: a firm makes several where one unit of output is one of each of them (a copier's). A tick's
    `supply` arrives of each good, and one that `is_result` is sold outside, `(goods,)` each. Raises ValueError for
    firms of another sort.
    """

    def __init__(self, economy: Economy) -> None:
        self.economy = economy
        made = {good for firm in economy.firms for good in firm.outputs}
        goods = [good for good in range(len(economy.goods)) if good not in made]
        self.raw = len(goods)
        self.operations: list[Operation] = []
        self._fetched: list[slice] = []
        firms, maker, used, user = list[int](), list[int](), list[int](), list[int]()
        for formula, places, numbers in _kinds(economy.firms):
            rows = range(len(firms), len(firms) + len(places))
            outputs = list(zip(*(economy.firms[place].outputs for place in places), strict=True))
            inputs = list(zip(*(economy.firms[place].inputs for place in places), strict=True))
            edges, makes = _blocks(len(used), inputs), _blocks(len(goods), outputs)
            tape, varying = _tape(formula, numbers)
            self.operations.append(Operation(tape, edges, makes, varying))
            self._fetched += [slice(rows.start, rows.stop)] * len(inputs)
            firms += places
            for column in outputs:
                goods += column
                maker += rows
            for column in inputs:
                used += column
                user += rows
        self.goods, self.firms, self.maker = _indices(goods), _indices(firms), _indices(maker)
        self.place = np.argsort(self.goods)
        self.good, self.firm = self.place[_indices(used)], _indices(user)
        self.supply, self.is_result = economy.supply[self.goods], economy.is_outside[self.goods]

    def answers(self, quantities: Array) -> tuple[Array, Array]:
        """What there will be of each good if firms make what these quantities `(goods,)` allow, `(goods,)`, and `df/dx`
        of every link, `(edges,)`. Floating-point warnings are the caller's.
        """
        made, slopes = quantities.copy(), np.empty(len(self.good))
        # No place lies outside; told to wrap such places, NumPy does not look for them.
        inputs = quantities.take(self.good, mode="wrap")
        for tape, edges, goods, numbers in self.operations:
            *gradient, value = tape.run_arrays([*[inputs[places] for places in edges], *numbers])
            for places in goods:
                made[places] = value
            for places, slope in zip(edges, gradient, strict=True):
                slopes[places] = slope
        if unknown(made):
            slopes[self.of_firms(np.isnan(made))[self.firm]] = np.nan
        return made, slopes

    def bids(self, prices: Array, slopes: Array) -> Array:
        """What a unit more of its good would add to the revenue of each link's firm, `(edges,)`: `p_out df/dx`."""
        fetched = self.output_price(prices)
        # Faster in slices than by the place of each link's firm.
        bids = np.concatenate([fetched[firms] for firms in self._fetched])
        bids *= slopes
        return bids

    def together(self, paid: Array) -> Array:
        """What all users of a good give for it, `paid` `(edges,)`, and the outside if it is sold there, `(goods,)`."""
        prices = self._outside.copy()
        np.add.at(prices, self.good, paid)
        return prices

    def output_price(self, prices: Array) -> Array:
        """What a unit of each firm's output fetches, `(goods,)` to `(firms,)`: the prices of all it is, together."""
        sold = prices[self.raw :]
        return np.bincount(self.maker, sold, len(self.firms)).astype(float) if self._joint else sold

    @cached_property
    def _joint(self) -> bool:
        return len(self.maker) > len(self.firms)

    @cached_property
    def _outside(self) -> Array:
        return np.where(self.is_result, self.economy.outside[self.goods], 0.0)

    def of_firms(self, marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which firms make a good that is marked, `(goods,)` to `(firms,)`."""
        found = np.zeros(len(self.firms), dtype=bool)
        found[self.maker[marks[self.raw :]]] = True
        return found

    @cached_property
    def level(self) -> Indices:
        """How many firms stand between each good and what comes from outside, `(goods,)`. Raises CycleError (a
        ValueError) where a good is needed, through other firms, to make itself.
        """
        below: list[set[int]] = [set() for _ in self.firms]
        for good, firm in zip(self.good.tolist(), self.firm.tolist(), strict=True):
            if good >= self.raw:
                below[firm].add(int(self.maker[good - self.raw]))
        level = [0] * len(below)
        for firm in TopologicalSorter(dict(enumerate(below))).static_order():
            level[firm] = 1 + max((level[other] for other in below[firm]), default=0)
        return np.concatenate([np.zeros(self.raw, dtype=np.intp), _indices(level)[self.maker]])

    @cached_property
    def depth(self) -> int:
        """Firms on the longest path to a result."""
        return int(self.level[self.is_result].max(initial=0))

    @cached_property
    def stages(self) -> list[Indices]:
        """The links by the level of what their firm makes, from the last to the first."""
        levels = np.zeros(len(self.firms), dtype=np.intp)
        levels[self.maker] = self.level[self.raw :]
        levels = levels[self.firm]
        order = np.argsort(-levels, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(levels[order])) + 1) if len(order) else []

    @cached_property
    def reaches(self) -> NDArray[np.bool_]:
        """Which goods reach a result, `(goods,)`; what others are worth does not depend on them."""
        reaches = self.is_result.copy()
        for links in self.stages:
            # One good may stand on several links.
            np.logical_or.at(reaches, self.good[links], self.of_firms(reaches)[self.firm[links]])
        return reaches

    @cached_property
    def reaching(self) -> NDArray[np.bool_]:
        """Which links lead to a result, `(edges,)`."""
        return self.of_firms(self.reaches)[self.firm]

    def adjoint(self, slopes: Array) -> Array:
        """The derivative of what is sold outside with respect to every good, `(goods,)`: one reverse sweep.

        Not a number where a link on the way to a result has no slope yet.
        """
        adjoint = self._outside.copy()
        for links in self.stages:
            worth = self.output_price(adjoint)[self.firm[links]] * slopes[links]
            np.add.at(adjoint, self.good[links], np.where(self.reaching[links], worth, 0.0))
        return adjoint


def unknown(values: Array) -> bool:
    """Whether some value is not a number."""
    # Then the least is none: half the price of asking each.
    return math.isnan(np.minimum.reduce(values, initial=0.0))


def _indices(places: Sequence[int]) -> Indices:
    return np.array(places, dtype=np.intp)


def _blocks(begin: int, columns: Sequence[Sequence[int]]) -> list[slice]:
    """Where columns of one length lie, one after another from a place on."""
    ends = np.cumsum([begin, *map(len, columns)]).tolist()
    return [slice(*pair) for pair in pairwise(ends)]


def _kinds(firms: Sequence[Firm]) -> list[tuple[Formula, list[int], Array]]:
    """A formula for all firms that share it but for names and numbers, their places, and its numbers in each of them,
    `(numbers, rows)`.
    """
    kinds: dict[tuple[object, ...], tuple[Formula, list[int], list[list[float]]]] = {}
    for place, firm in enumerate(firms):
        technology = firm.technology
        if not isinstance(technology, FormulaTechnology) or firm.count != 1:
            raise ValueError(f"{firm.name} is no single firm with a formula")
        key, numbers = _shape(technology.formula, float(technology.productivity[0]))
        _, places, rows = kinds.setdefault((len(firm.outputs), len(firm.inputs), *key), (technology.formula, [], []))
        places.append(place)
        rows.append(numbers)
    return [(formula, places, np.array(rows).T.copy()) for formula, places, rows in kinds.values()]


def _shape(formula: Formula, productivity: float) -> tuple[tuple[object, ...], list[float]]:
    """A formula without the names and numbers in it, and the numbers: the productivity last."""
    graph, place = formula.output.graph, dict[int, int]()
    key: list[object] = []
    numbers: list[float] = []
    for node in graph.reachable([formula.output]):
        operation, constant = graph.operations[node], graph.constants[node]
        if constant is not None:
            numbers.append(constant)
            key.append("number")
        elif operation == "variable":
            key.append(formula.variables.index(str(graph.names[node])))
        elif operation == "^ constant":
            base, exponent = graph.arguments[node]
            key.append((operation, place[base], graph.constants[exponent]))
        else:
            key.append((operation, *(place[argument] for argument in graph.arguments[node])))
        place[node] = len(place)
    return tuple(key), [*numbers, productivity]


def _tape(formula: Formula, numbers: Array) -> tuple[Tape, list[Array]]:
    """The slopes and the value of a formula, given its inputs and those of its `numbers` `(numbers, rows)` that are not
    the same in all rows, exponents aside; and these numbers, `(rows,)` each.
    """
    graph, wide = formula.output.graph, Graph()
    inputs = [f"x{place}" for place in range(len(formula.variables))]
    varying = {f"c{place}": row for place, row in enumerate(numbers) if (row != row[0]).any()}
    *given, productivity = [
        wide.variable(name) if (name := f"c{place}") in varying else wide.constant(row[0])
        for place, row in enumerate(numbers)
    ]
    waiting, terms = iter(given), dict[int, Term]()
    for node in graph.reachable([formula.output]):
        operation, arguments = graph.operations[node], graph.arguments[node]
        if graph.constants[node] is not None:
            terms[node] = next(waiting)
        elif operation == "variable":
            terms[node] = wide.variable(inputs[formula.variables.index(str(graph.names[node]))])
        elif operation == "^ constant":
            terms[node] = wide.apply("^", terms[arguments[0]], float(graph.constants[arguments[1]] or 0.0))
        else:
            terms[node] = wide.apply(operation, *(terms[argument] for argument in arguments))
    value = productivity * terms[formula.output.node]
    return Tape([*wide.gradient(value, inputs), value], [*inputs, *varying]), list(varying.values())
