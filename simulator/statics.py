"""Derivatives of the equilibria of a scenario by numbers in it, first and second, and the same solved again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.economics.forms import Array
from simulator.economics.ties import set_valued
from simulator.records.derived import Derived, derived_facts, derived_parts, derived_table, derived_twice_table
from simulator.references.equilibrium import newton
from simulator.references.found import Equilibrium
from simulator.references.implicit import FoldError
from simulator.references.statics import (
    FIRST,
    FIRST_AGAIN,
    SECOND,
    Derivatives,
    Node,
    Nodes,
    Point,
    Stencil,
    added,
    pairs,
)
from simulator.scenario import Scenario
from simulator.scenario.parameters import NOWHERE, Parameter, Parameters

DERIVED, DERIVED_TWICE = "derivatives.csv", "second_derivatives.csv"


class NoDerivativeError(Exception):
    """An economy whose equilibria have no derivatives; the text says what was found and what is expected."""


@dataclass(frozen=True, eq=False)
class Statics:
    """What is asked of the equilibria of a `scenario`: their derivatives by the numbers at some `paths`, `second` ones
    too; `check` solves again beside each.

    Raises `ScenarioError` for a path by which there are none, `NoDerivativeError` where there are none at all.
    """

    scenario: Scenario
    paths: tuple[str, ...]
    second: bool = False
    check: bool = True

    def __post_init__(self) -> None:
        if set_valued(self.scenario.economy):
            raise NoDerivativeError("found linear tastes, whose demand has no derivative; expected smooth ones")
        # What is wrong with a parameter is found before anything is solved.
        _ = self.nodes

    @cached_property
    def parameters(self) -> Parameters:
        """The numbers at the paths."""
        return Parameters(self.scenario, tuple(dict.fromkeys(self.paths)))

    @cached_property
    def nodes(self) -> list[Nodes]:
        """The economies beside the scenario's in each parameter."""
        return self.parameters.nodes(FIRST, range(len(self.parameters.each)), self.parameters.units)

    def of(self, found: Sequence[Equilibrium]) -> list[Derivatives | None]:
        """The derivatives of each equilibrium; None where it has none: on a continuum, or at a fold."""
        return [self._at(number, each) for number, each in enumerate(found, 1)]

    def told(self, found: Sequence[Derivatives | None]) -> Derived:
        """What is said of them."""
        known = [each for each in found if each is not None]
        unknowns, numeraire = self.scenario.rule.unknowns(self.scenario.economy), self.scenario.numeraire
        per = "the sum of all prices stays" if unknowns.level_free else "prices are money"
        per = per if numeraire is None else f"the price of {numeraire} is 1"
        facts = derived_facts(found, self.parameters.paths, per)
        tables = {DERIVED: derived_table(known)} | ({DERIVED_TWICE: derived_twice_table(known)} if self.second else {})
        return Derived(facts, tables, derived_parts(known, facts))

    def _at(self, number: int, found: Equilibrium) -> Derivatives | None:
        parameters, every = self.parameters, range(len(self.parameters.each))
        point = Point.of(self.scenario.rule.unknowns(self.scenario.economy), self.scenario.markets, found.balance)
        try:
            if found.direction is not None:
                raise FoldError
            moves, first = point.derivatives(self.nodes, FIRST)
            units = parameters.units / np.maximum(point.farthest(moves) * parameters.units, 1.0)
            beside = _Beside(parameters, point, units.tolist())
            second = beside.second(moves) if self.second else np.zeros((len(first), 0))
        except FoldError:
            return None
        first_solved, second_solved = first + np.nan, second + np.nan
        if self.check:
            first_solved = np.stack([beside.first_solved(each) for each in every], axis=1)
            if self.second:
                both = pairs(len(every)).tolist()
                second_solved = np.stack([beside.second_solved(one, other) for one, other in both], axis=1)
        return Derivatives(
            number,
            parameters.paths,
            np.array([parameter.value for parameter in parameters.each]),
            units,
            point.told.rows,
            point.values(),
            first,
            first_solved,
            second,
            second_solved,
            np.array([_domar_weight(self.scenario, found, parameter) for parameter in parameters.each]),
            self.check,
        )


class _Beside:
    """Economies beside an equilibrium, at parameters that are changed by parts of their `units`."""

    def __init__(self, parameters: Parameters, point: Point, units: Sequence[float]) -> None:
        self._parameters, self._point, self._units = parameters, point, units

    def second(self, moves: Array) -> Array:
        """`d2Q/dtheta_i dtheta_j` `(values, pairs)`: how first derivatives differ along what follows from a parameter,
        `moves` `(unknowns, parameters)`.
        """
        every, parameters, found = range(len(self._units)), self._parameters, list[Array]()
        for one in every:

            def derivatives(node: Node, at: Mapping[str, float], one: int = one) -> Array:
                nodes = parameters.nodes(SECOND, every[one:], parameters.units[one:], at)
                return self._point.moved(node, moves[:, one]).derivatives(nodes, SECOND)[1]

            found.append(added((node.weight, derivatives(node, at)) for node, at in self._nodes(SECOND, one)))
        return np.concatenate(found, axis=1)

    def first_solved(self, number: int) -> Array:
        """A first derivative between equilibria that are solved again, `(values,)`."""
        return added((node.weight, self._solved(node)) for node, _ in self._nodes(FIRST_AGAIN, number))

    def second_solved(self, one: int, other: int) -> Array:
        """A second one."""

        def derivative(at: Mapping[str, float]) -> Array:
            return added((node.weight, self._solved(node)) for node, _ in self._nodes(SECOND, other, at))

        return added((node.weight, derivative(at)) for node, at in self._nodes(SECOND, one))

    def _nodes(
        self, stencil: Stencil, number: int, at: Mapping[str, float] = NOWHERE
    ) -> list[tuple[Node, Mapping[str, float]]]:
        """The nodes of a parameter where others are `at` some numbers, and these with its own there."""
        parameter = self._parameters.each[number]
        (nodes,) = self._parameters.nodes(stencil, [number], [self._units[number]], at)
        here = at.get(parameter.path, parameter.value)
        return [(node, {**at, parameter.path: here + node.step}) for node in nodes]

    def _solved(self, node: Node) -> Array:
        """What is told of the equilibrium of a node, not numbers where Newton's method reaches none."""
        unknowns, start = node.side.unknowns, self._point.unknowns.values(self._point.plans)
        goods = unknowns.prices.where
        start[goods] = np.where(unknowns.fixed, node.side.prices, start[goods])
        plans, none = newton(unknowns, start), np.full(len(self._point.told.rows), np.nan)
        return none if plans is None else self._point.values(plans, unknowns.economy)


@np.errstate(all="ignore")
def _domar_weight(scenario: Scenario, found: Equilibrium, parameter: Parameter) -> float:
    """Sales of the firm of whose productivity a parameter is over all incomes; not a number of other parameters."""
    if not parameter.productivity or parameter.own is None:
        return np.nan
    economy, plans = scenario.economy, found.balance
    outlets = economy.outlet_rows[parameter.own.number]
    made = economy.made_at(plans.prices, plans.outputs)[outlets]
    sales = made @ plans.prices[economy.outlet_good[outlets]]
    incomes = [c.weight * income.sum() for c, income in zip(economy.consumers, plans.incomes, strict=True)]
    return float(sales / sum(incomes)) if sum(incomes) > 0 else np.nan
