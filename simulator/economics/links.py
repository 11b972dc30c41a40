"""Who hands what to whom: the links between firms as arrays, firms of one operation evaluated together.

A link leads from a good to a firm that uses it. Firms whose formulas are the same but for the goods' names and the
numbers in them are one operation: their values and slopes are worked out at once, whatever their number.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.economy import Economy, Indices
from simulator.economics.expression import Graph, Term
from simulator.economics.forms import Array
from simulator.economics.formula import Formula
from simulator.economics.tape import Tape
from simulator.economics.technology import FormulaTechnology


class Operation(NamedTuple):
    """Firms of one formula, which stand together: the places of these `firms`, for each input the places of its `edges`
    and the `goods` used `(rows,)`, and the `numbers` in the formulas `(numbers, rows)`.
    """

    tape: Tape
    firms: slice
    edges: list[slice]
    goods: list[Indices]
    numbers: Array


class Links:
    """The links of an economy of single firms with formulas, in an order of their own: firms of one operation stand
    together, and so do their first inputs, their second inputs, and so on.

    `order` `(firms,)` says which of the economy's firms each is; a link is of a `good` and to a `firm`, `(edges,)`
    each. What a firm makes it sells at an outlet: `maker` and what it `makes`, `(outlets,)` each; a firm has several
    where one unit of output is one of each of several goods (a copier's). Raises ValueError for firms of another sort.
    """

    def __init__(self, economy: Economy) -> None:
        self.economy = economy
        self.is_result = economy.is_outside
        self.operations, self.order = _operations(economy)
        self.maker, self.makes = _outlets(economy, self.order)
        good, firm = np.zeros(len(economy.edge_good), dtype=np.intp), np.zeros(len(economy.edge_good), dtype=np.intp)
        for operation in self.operations:
            places = np.arange(operation.firms.start, operation.firms.stop)
            for edges, goods in zip(operation.edges, operation.goods, strict=True):
                good[edges], firm[edges] = goods, places
        self.good, self.firm = good, firm

    def answers(self, quantities: Array) -> tuple[Array, Array]:
        """What the firms make of quantities `(goods,)`, `(firms,)`, and `df/dx` of every link, `(edges,)`."""
        made, slopes = np.empty(len(self.order)), np.empty(len(self.good))
        with np.errstate(all="ignore"):
            for tape, firms, edges, goods, numbers in self.operations:
                *gradient, value = tape.run_arrays([*(quantities[used] for used in goods), *numbers])
                made[firms] = value
                for places, slope in zip(edges, gradient, strict=True):
                    slopes[places] = slope
            outside = np.isnan(made)
            if outside.any():
                slopes[outside[self.firm]] = np.nan
        return made, slopes

    @cached_property
    def reaching(self) -> NDArray[np.bool_]:
        """Which links lead to a result, `(edges,)`."""
        return self._of_firms(self.reaches)[self.firm]

    @cached_property
    def dead(self) -> Indices:
        """The places of the links that lead to no result."""
        return np.flatnonzero(~self.reaching)

    @cached_property
    def raw(self) -> Indices:
        """The goods that nobody makes."""
        return np.flatnonzero(self.makers < 0)

    def together(self, paid: Array) -> Array:
        """What all users of a good give for it, `paid` `(edges,)`, and the outside if it is sold there, `(goods,)`."""
        return self._outside + np.bincount(self.good, paid, len(self._outside))

    @cached_property
    def _outside(self) -> Array:
        return np.where(self.is_result, self.economy.outside, 0.0)

    @cached_property
    def makers(self) -> Indices:
        """The firm that makes each good, `(goods,)`; -1 where nobody does."""
        makers = np.full(len(self.economy.goods), -1, dtype=np.intp)
        makers[self.makes] = self.maker
        return makers

    def output_price(self, prices: Array) -> Array:
        """What a unit of each firm's output fetches, `(goods,)` to `(firms,)`: the prices of all it is, together."""
        sold = prices[self.makes]
        return sold if self._single else np.bincount(self.maker, sold, len(self.order)).astype(float)

    @cached_property
    def _single(self) -> bool:
        return np.array_equal(self.maker, np.arange(len(self.order)))

    @cached_property
    def _into(self) -> Indices:
        """What the firm of each link makes, where every firm makes one good, `(edges,)`."""
        return self.makes[self.firm]

    def _of_firms(self, marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which firms make a good that is marked, `(goods,)` to `(firms,)`."""
        found = np.zeros(len(self.order), dtype=bool)
        found[self.maker[marks[self.makes]]] = True
        return found

    @cached_property
    def level(self) -> Indices:
        """How many firms stand between each good and what comes from outside, `(goods,)`. Raises ValueError where a
        good is needed, through other firms, to make itself.
        """
        level = np.where(self.makers >= 0, -1, 0)
        waiting = np.bincount(self.firm, minlength=len(self.order))
        users: list[list[int]] = [[] for _ in level]
        for good, firm in zip(self.good.tolist(), self.firm.tolist(), strict=True):
            users[good].append(firm)
        sold: list[list[int]] = [[] for _ in self.order]
        for firm, made in zip(self.maker.tolist(), self.makes.tolist(), strict=True):
            sold[firm].append(made)
        above = np.zeros(len(self.order), dtype=np.intp)
        ready = np.flatnonzero(level == 0).tolist()
        while ready:
            good = ready.pop()
            for firm in users[good]:
                waiting[firm] -= 1
                above[firm] = max(above[firm], level[good] + 1)
                if waiting[firm] == 0:
                    level[sold[firm]] = above[firm]
                    ready += sold[firm]
        if (waiting > 0).any():
            name = self.economy.goods[sold[int(np.flatnonzero(waiting > 0)[0])][0]]
            raise ValueError(f"{name} is needed, through other firms, to make itself")
        return level

    @cached_property
    def stages(self) -> list[Indices]:
        """The links by the level of what their firm makes, from the last to the first."""
        levels = self._level_of_firms[self.firm]
        order = np.argsort(-levels, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(levels[order])) + 1) if len(order) else []

    @cached_property
    def _level_of_firms(self) -> Indices:
        levels = np.zeros(len(self.order), dtype=np.intp)
        levels[self.maker] = self.level[self.makes]
        return levels

    @cached_property
    def reaches(self) -> NDArray[np.bool_]:
        """Which goods reach a result, `(goods,)`; what others are worth does not depend on them."""
        reaches = self.is_result.copy()
        for links in self.stages:
            # One good may stand on several links.
            np.logical_or.at(reaches, self.good[links], self._of_firms(reaches)[self.firm[links]])
        return reaches

    @cached_property
    def depth(self) -> int:
        """Firms on the longest path to a result."""
        return int(self.level[self.is_result].max(initial=0))

    def adjoint(self, slopes: Array) -> Array:
        """The derivative of what is sold outside with respect to every good, `(goods,)`: one reverse sweep.

        Not a number where a link on the way to a result has no slope yet.
        """
        adjoint = self._outside.copy()
        for links in self.stages:
            fetched = adjoint[self._into[links]] if self._single else self.output_price(adjoint)[self.firm[links]]
            worth = np.where(self.reaching[links], fetched * slopes[links], 0.0)
            np.add.at(adjoint, self.good[links], worth)
        return adjoint


def _outlets(economy: Economy, order: Indices) -> tuple[Indices, Indices]:
    """Every outlet's firm, by its place in `order`, and the good sold there, `(outlets,)` each."""
    sold = [economy.firms[firm].outputs for firm in order]
    maker = np.repeat(np.arange(len(order), dtype=np.intp), [len(goods) for goods in sold])
    return maker, np.array([good for goods in sold for good in goods], dtype=np.intp)


def _operations(economy: Economy) -> tuple[list[Operation], Indices]:
    """The firms by formula, and which of the economy's firms stands where."""
    kinds: dict[tuple[object, ...], tuple[Formula, list[int], list[list[float]]]] = {}
    for place, firm in enumerate(economy.firms):
        technology = firm.technology
        if not isinstance(technology, FormulaTechnology) or firm.count != 1:
            raise ValueError(f"{firm.name} is no single firm with a formula")
        key, numbers = _shape(technology.formula, float(technology.productivity[0]))
        kinds.setdefault(key, (technology.formula, [], []))
        kinds[key][1].append(place)
        kinds[key][2].append(numbers)
    found: list[Operation] = []
    order: list[int] = []
    edge = 0
    for formula, firms, numbers in kinds.values():
        rows, used = len(firms), np.array([economy.firms[firm].inputs for firm in firms], dtype=np.intp)
        edges = [slice(edge + rows * place, edge + rows * (place + 1)) for place in range(used.shape[1])]
        table = np.array(numbers, dtype=float).reshape(rows, -1).T.copy()
        goods = [column.copy() for column in used.T]
        found.append(Operation(_tape(formula), slice(len(order), len(order) + rows), edges, goods, table))
        order += firms
        edge += rows * used.shape[1]
    return found, np.array(order, dtype=np.intp)


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


def _tape(formula: Formula) -> Tape:
    """The slopes and the value of a formula in which every number is a variable, exponents aside."""
    graph, wide = formula.output.graph, Graph()
    inputs = [f"x{place}" for place in range(len(formula.variables))]
    terms: dict[int, Term] = {}
    numbers: list[str] = []
    for node in graph.reachable([formula.output]):
        operation, arguments = graph.operations[node], graph.arguments[node]
        if graph.constants[node] is not None:
            numbers.append(f"c{len(numbers)}")
            terms[node] = wide.variable(numbers[-1])
        elif operation == "variable":
            terms[node] = wide.variable(inputs[formula.variables.index(str(graph.names[node]))])
        elif operation == "^ constant":
            terms[node] = wide.apply("^", terms[arguments[0]], float(graph.constants[arguments[1]] or 0.0))
        else:
            terms[node] = wide.apply(operation, *(terms[argument] for argument in arguments))
    numbers.append(f"c{len(numbers)}")
    value = wide.variable(numbers[-1]) * terms[formula.output.node]
    return Tape([*wide.gradient(value, inputs), value], [*inputs, *numbers])
