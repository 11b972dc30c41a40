"""What is observed in the equilibria of a study's cases, as a function of what is free, and its derivatives.

Equilibria are followed by Newton's method from those of the point before. The Jacobian is implicit: nothing is solved
again for it. Where only relative prices matter, the prices observed in a case may be in any unit: the factor that fits
them best is taken out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.economics.economy import MarketPlans
from simulator.economics.forms import Array
from simulator.errors import ScenarioError
from simulator.references.equilibrium import newton, search
from simulator.references.implicit import STEP, Side, Sides, beside
from simulator.scenario import Scenario
from simulator.scenario.variation import Variation
from simulator.studies.fit_study import Case, FitStudy
from simulator.studies.observed import observable


class Point(NamedTuple):
    """Where a search is: coordinates `u` `(coordinates,)`, the scenario of each case, the equilibrium in each, and by
    how much the logarithm of each observation is off, `(observations,)`, factors taken out.
    """

    u: Array
    scenarios: tuple[Scenario, ...]
    plans: tuple[MarketPlans, ...]
    gaps: Array


class FitModel:
    """`ln model - ln value` of every observation of a study, `(observations,)`, as a function of coordinates."""

    def __init__(self, study: FitStudy) -> None:
        self.study, self._varied = study, Variation(study.scenario)
        self.weights = np.array([each.weight for each in study.observed])
        self._targets = np.log([each.value for each in study.observed])

    def scenario(self, u: Array, case: Case) -> Scenario:
        """The scenario of a case. Raises `ScenarioError` if it is refused."""
        return self._varied.at({**case.changes, **self.study.free.settings(u)})

    def searched(self, u: Array, near: Point | None = None) -> Point | str:
        """The point of coordinates with the equilibrium nearest the data in each case, of all that a search from many
        prices finds; or a case without one.
        """
        chosen, scenarios = list[MarketPlans](), tuple(self.scenario(u, case) for case in self.study.cases)
        for number, (case, scenario) in enumerate(zip(self.study.cases, scenarios, strict=True)):
            starts = [] if near is None else [near.plans[number].prices]
            found = search(
                scenario.economy, scenario.rule, [*starts, scenario.initial_prices], seed=scenario.run.seed
            ).equilibria
            if not found:
                return case.name
            chosen.append(min((each.balance for each in found), key=lambda plans: self._far(case, scenario, plans)))
        return self._point(u, scenarios, tuple(chosen))

    def _far(self, case: Case, scenario: Scenario, plans: MarketPlans) -> float:
        """How far plans are from the data of a case."""
        far = float(self.weights[list(case.rows)] @ self._gaps(case, scenario, plans) ** 2)
        return far if np.isfinite(far) else np.inf

    def followed(self, before: Point, u: Array) -> Point | None:
        """The point of other coordinates whose equilibria Newton's method reaches from those before, None where it does
        not, or a scenario is refused.
        """
        plans = list[MarketPlans]()
        try:
            scenarios = tuple(self.scenario(u, case) for case in self.study.cases)
        except ScenarioError:
            return None
        for scenario, start in zip(scenarios, before.plans, strict=True):
            reached = newton(scenario.rule.unknowns(scenario.economy), start.prices)
            if reached is None:
                return None
            plans.append(reached)
        return self._point(u, scenarios, tuple(plans))

    def _point(self, u: Array, scenarios: tuple[Scenario, ...], plans: tuple[MarketPlans, ...]) -> Point:
        gaps = np.empty(len(self.weights))
        for case, scenario, found in zip(self.study.cases, scenarios, plans, strict=True):
            gaps[list(case.rows)] = self._gaps(case, scenario, found)
        return Point(u, scenarios, plans, gaps)

    def _gaps(self, case: Case, scenario: Scenario, plans: MarketPlans) -> Array:
        logarithms = _logarithms(case, scenario, plans)
        return self.without_factor(case, scenario, logarithms - self._targets[list(case.rows)])

    def factors(self, point: Point) -> int:
        """Of how many cases a factor is taken out."""
        pairs = zip(self.study.cases, point.scenarios, strict=True)
        return sum(bool(self.weights[list(c.rows)][self.priced(c, s)].any()) for c, s in pairs)

    def without_factor(self, case: Case, scenario: Scenario, logarithms: Array) -> Array:
        """Logarithms `(rows of the case, ...)`, those of prices less their weighted mean where only relative prices
        matter.
        """
        priced = self.priced(case, scenario)
        weights = self.weights[list(case.rows)][priced]
        if not weights.any():
            return logarithms
        logarithms = logarithms.copy()
        logarithms[priced] -= np.average(logarithms[priced], axis=0, weights=weights)
        return logarithms

    def priced(self, case: Case, scenario: Scenario) -> list[int]:
        """Which rows of a case are prices of which a factor is taken out."""
        relative = scenario.rule.unknowns(scenario.economy).relative_only
        goods = len(scenario.markets.goods)
        return [row for row, place in enumerate(case.places) if relative and place < goods]

    def jacobian(self, point: Point) -> Array:
        """How the gaps move with the coordinates, `(observations, coordinates)`, by implicit differentiation.

        Raises `FoldError` where equilibria have no derivative.
        """
        slopes = np.empty((len(self.weights), len(point.u)))
        for case, scenario, plans in zip(self.study.cases, point.scenarios, point.plans, strict=True):
            unknowns = scenario.rule.unknowns(scenario.economy)
            around = [self._around(point.u, coordinate, case, scenario) for coordinate in range(len(point.u))]
            sides = [Sides(_side(below), _side(above), width) for below, above, width in around]
            columns = [
                (_logarithms(case, above, there) - _logarithms(case, below, here)) / width
                for (below, above, width), (here, there) in zip(around, beside(unknowns, plans, sides), strict=True)
            ]
            slopes[list(case.rows)] = self.without_factor(case, scenario, np.stack(columns, axis=1))
        return slopes

    def _around(self, u: Array, coordinate: int, case: Case, here: Scenario) -> tuple[Scenario, Scenario, float]:
        """A case's scenarios below and above in a coordinate, and how far apart they are: at the end of its domain one
        of them is the scenario `here`.
        """
        found, width = list[Scenario](), 0.0
        for step in (-STEP, STEP):
            moved = u.copy()
            moved[coordinate] += step
            try:
                found.append(self.scenario(moved, case))
                width += abs(moved[coordinate] - u[coordinate])
            except ScenarioError:
                found.append(here)
        return found[0], found[1], width


def _side(scenario: Scenario) -> Side:
    return Side(scenario.rule.unknowns(scenario.economy), scenario.initial_prices)


def _logarithms(case: Case, scenario: Scenario, plans: MarketPlans) -> Array:
    """Of what is observed in a case the logarithms in a model's plans, `(rows of the case,)`."""
    with np.errstate(all="ignore"):
        return np.log(observable(scenario.economy, scenario.markets, plans)[list(case.places)])
