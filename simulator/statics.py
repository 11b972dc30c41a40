"""Derivatives of the equilibria of a scenario by numbers in it, first and second, and the same solved again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simulator.economics.forms import Array
from simulator.references.equilibrium import Equilibrium, newton
from simulator.references.implicit import FoldError
from simulator.references.statics import FIRST, FIRST_AGAIN, SECOND, Derivatives, Node, Point, pairs
from simulator.scenario import Scenario
from simulator.scenario.parameters import Parameter, Parameters


def derivatives(
    scenario: Scenario, parameters: Parameters, found: Sequence[Equilibrium], *, second: bool = False, check: bool = True
) -> list[Derivatives | None]:
    """The derivatives of each of the equilibria found; None where it has none: on a continuum, or at a fold.

    `check` solves again beside it. Raises `ScenarioError` where there is no economy on either side of a parameter.
    """
    return [_at(scenario, parameters, number, each, second, check) for number, each in enumerate(found, 1)]


def _at(
    scenario: Scenario, parameters: Parameters, number: int, found: Equilibrium, second: bool, check: bool
) -> Derivatives | None:
    economy, plans, every = scenario.economy, found.balance, range(len(parameters.each))
    point = Point.of(scenario.rule.unknowns(economy), scenario.markets, plans)
    nodes = parameters.nodes(FIRST, {}, every)
    try:
        if found.direction is not None:
            raise FoldError
        moves, first = point.derivatives(nodes, FIRST)
        twice = _second(parameters, point, moves) if second else np.zeros((len(first), 0))
    except FoldError:
        return None
    solved = _Solved(parameters, point)
    unknown = np.full(first.shape, np.nan)
    return Derivatives(
        number,
        parameters.paths,
        np.array([parameter.value for parameter in parameters.each]),
        np.array([parameter.unit for parameter in parameters.each]),
        point.told.rows,
        point.values(),
        first,
        np.stack([solved.first(each) for each in every], axis=1) if check else unknown,
        twice,
        np.stack([solved.second(*pair) for pair in pairs(len(every))], axis=1) if check and second else twice + np.nan,
        np.array([_domar_weight(scenario, found, parameter) for parameter in parameters.each]),
        check,
    )


def _second(parameters: Parameters, point: Point, moves: Array) -> Array:
    """`d2Q/dtheta_i dtheta_j` `(values, pairs)`: how first derivatives differ along what follows from a parameter."""
    every, found = range(len(parameters.each)), list[Array]()
    for one in every:
        others, rows = every[one:], np.zeros((len(point.told.rows), len(every) - one))
        (beside,) = parameters.nodes(SECOND, {}, [one])
        for node in beside:
            there = point.moved(node, moves[:, one])
            nodes = parameters.nodes(SECOND, _changes(parameters, one, node), others)
            rows += node.weight * there.derivatives(nodes, SECOND)[1]
        found.append(rows)
    return np.concatenate(found, axis=1)


def _changes(parameters: Parameters, number: int, node: Node) -> Mapping[str, float]:
    """The number that a parameter is at a node, by its path."""
    parameter = parameters.each[number]
    return {parameter.path: parameter.value + node.step}


class _Solved:
    """Differences of equilibria that are solved again, from the one at hand."""

    def __init__(self, parameters: Parameters, point: Point) -> None:
        self._parameters, self._point = parameters, point

    def first(self, number: int) -> Array:
        (nodes,) = self._parameters.nodes(FIRST_AGAIN, {}, [number])
        return np.sum([node.weight * self._values(node) for node in nodes], axis=0)

    def second(self, one: int, other: int) -> Array:
        found = np.zeros(len(self._point.told.rows))
        (beside,) = self._parameters.nodes(SECOND, {}, [one])
        for node in beside:
            (nodes,) = self._parameters.nodes(SECOND, _changes(self._parameters, one, node), [other])
            found += node.weight * np.sum([each.weight * self._values(each) for each in nodes], axis=0)
        return found

    def _values(self, node: Node) -> Array:
        """What is told of the equilibrium of a node, not numbers where Newton's method reaches none."""
        unknowns, start = node.side.unknowns, self._point.unknowns.values(self._point.plans)
        goods = unknowns.prices.where
        start[goods] = np.where(unknowns.fixed, node.side.prices, start[goods])
        plans = newton(unknowns, start)
        return np.full(len(self._point.told.rows), np.nan) if plans is None else self._point.values(plans, unknowns.economy)


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
