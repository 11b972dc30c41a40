"""What is observed in the equilibria of a study's cases, as a function of what is free, and its derivatives.

Equilibria are followed by Newton's method from those of the point before. The Jacobian is implicit: nothing is solved
again for it. Where only relative prices matter, the prices observed in a case may be in any unit: the factor that fits
them best is taken out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.errors import ScenarioError
from simulator.references.equilibrium import newton, search
from simulator.references.implicit import STEP, Side, Sides, beside
from simulator.scenario import Scenario
from simulator.scenario.beside import groups_of, own_of, side_of
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
        self.study, varied, start = study, Variation(study.scenario), study.free.settings(study.free.start)
        self._varied = {case.name: Variation(varied.at({**case.changes, **start})) for case in study.cases}
        self._owns = [own_of(study.scenario, path) for path in study.free.paths]
        self._groups = groups_of(self._owns)
        self.weights = np.array([each.weight for each in study.observed])
        self._targets = np.log([each.value for each in study.observed])

    def scenario(self, u: Array, case: Case) -> Scenario:
        """The scenario of a case. Raises `ScenarioError` if it is refused."""
        return self._varied[case.name].at(self.study.free.settings(u))

    def searched(self, u: Array, near: Point | None = None) -> Point | str:
        """The point of coordinates with the equilibrium nearest the data in each case, of all that a search from many
        prices finds; or a case without one.
        """
        chosen, scenarios = list[MarketPlans](), tuple(self.scenario(u, case) for case in self.study.cases)
        for number, (case, scenario) in enumerate(zip(self.study.cases, scenarios, strict=True)):
            unknowns = scenario.rule.unknowns(scenario.economy)
            starts = [] if near is None else [unknowns.values(near.plans[number])]
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
            unknowns = scenario.rule.unknowns(scenario.economy)
            reached = newton(unknowns, unknowns.values(start))
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
        logarithms = _logarithms(case, scenario, None, plans)
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
        slopes, made = np.empty((len(self.weights), len(point.u))), dict[Any, tuple[Scenario, Scenario]]()
        for case, here, plans in zip(self.study.cases, point.scenarios, point.plans, strict=True):
            sides = self._sides(point.u, case, here, made)
            pairs = zip(sides, beside(here.rule.unknowns(here.economy), plans, sides), strict=True)
            columns = [
                (_logarithms(case, here, side.above, above) - _logarithms(case, here, side.below, below)) / side.width
                for side, (below, above) in pairs
            ]
            slopes[list(case.rows)] = self.without_factor(case, here, np.stack(columns, axis=1))
        return slopes

    def _sides(self, u: Array, case: Case, here: Scenario, made: dict[Any, tuple[Scenario, Scenario]]) -> list[Sides]:
        """The economies on both sides of a case's scenario in each coordinate. A scenario in which several entries have
        moved serves for each of them; one that is `made` for tastes and firms of a case also serves cases which differ
        in amounts alone.
        """
        found: dict[int, Sides] = {}
        others = frozenset(each for each in case.changes.items() if not _is_amount(self.study.scenario, each[0]))
        for group in self._groups:
            moved, alike = np.isin(np.arange(len(u)), group) * STEP, all(map(self._of_any_amounts, group))
            key = (*group, others if alike else case.name)
            try:
                made[key] = made.get(key) or (self.scenario(u - moved, case), self.scenario(u + moved, case))
            except ScenarioError:
                found |= {each: self._at_the_end(u, each, case, here) for each in group}
                continue
            for each in group:
                below, above = (side_of(here, other, self._owns[each]) for other in made[key])
                found[each] = Sides(below, above, 2.0 * STEP)
        return [found[each] for each in range(len(u))]

    def _of_any_amounts(self, coordinate: int) -> bool:
        """Whether what moves with a coordinate is the same whatever amounts there are: a taste, or a firm."""
        own = self._owns[coordinate]
        return own is not None and (own.taste or own.room == "firms")

    def _at_the_end(self, u: Array, coordinate: int, case: Case, here: Scenario) -> Sides:
        """The economies below and above in a coordinate: at the end of its domain one of them is that of `here`."""
        pair, width = list[Side](), 0.0
        for step in (-STEP, STEP):
            moved = u.copy()
            moved[coordinate] += step
            try:
                pair.append(side_of(here, self.scenario(moved, case)))
                width += STEP
            except ScenarioError:
                pair.append(side_of(here, here))
        return Sides(pair[0], pair[1], width)


def _is_amount(scenario: Scenario, path: str) -> bool:
    """Whether a path leads to an amount of what there is."""
    own = own_of(scenario, path)
    return path.startswith("supply.") if own is None else own.amount


def _logarithms(case: Case, scenario: Scenario, side: Side | None, plans: MarketPlans) -> Array:
    """Of what is observed in a case the logarithms in a model's plans, `(rows of the case,)`."""
    economy = scenario.economy if side is None else side.unknowns.economy
    with np.errstate(all="ignore"):
        return np.log(observable(economy, scenario.markets, plans)[list(case.places)])
