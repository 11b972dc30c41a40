"""What is observed in the equilibria of a study's cases, as a function of what is free, and its derivatives.

Equilibria are followed by Newton's method from those of the point before. The Jacobian is implicit: nothing is solved
again for it. Where only relative prices matter, the prices observed in a case may be in any unit: the factor that fits
them best is taken out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from simulator.economics.economy import MarketPlans
from simulator.economics.forms import Array
from simulator.errors import ScenarioError
from simulator.references.equilibrium import newton, search
from simulator.references.implicit import STEP, Side, Sides, beside
from simulator.scenario import Scenario
from simulator.scenario.document import leading
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


class AgentEntry(NamedTuple):
    """An entry of firms or consumers."""

    room: str
    number: int


class FitModel:
    """`ln model - ln value` of every observation of a study, `(observations,)`, as a function of coordinates."""

    def __init__(self, study: FitStudy) -> None:
        self.study, varied, start = study, Variation(study.scenario), study.free.settings(study.free.start)
        self._varied = {case.name: Variation(varied.at({**case.changes, **start})) for case in study.cases}
        self._entries = [_entry(study.scenario, path) for path in study.free.paths]
        self._groups = _groups(self._entries)
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
        slopes = np.empty((len(self.weights), len(point.u)))
        for case, here, plans in zip(self.study.cases, point.scenarios, point.plans, strict=True):
            sides = self._sides(point.u, case, here)
            pairs = zip(sides, beside(here.rule.unknowns(here.economy), plans, sides), strict=True)
            columns = [
                (_logarithms(case, here, side.above, above) - _logarithms(case, here, side.below, below)) / side.width
                for side, (below, above) in pairs
            ]
            slopes[list(case.rows)] = self.without_factor(case, here, np.stack(columns, axis=1))
        return slopes

    def _sides(self, u: Array, case: Case, here: Scenario) -> list[Sides]:
        """The economies on both sides of a case's scenario in each coordinate. A scenario in which several entries have
        moved serves for each of them.
        """
        found: dict[int, Sides] = {}
        for group in self._groups:
            moved = np.isin(np.arange(len(u)), group) * STEP
            try:
                pair = self.scenario(u - moved, case), self.scenario(u + moved, case)
            except ScenarioError:
                found |= {each: self._at_the_end(u, each, case, here) for each in group}
                continue
            for each in group:
                below, above = (_side(here, other, self._entries[each]) for other in pair)
                found[each] = Sides(below, above, 2.0 * STEP)
        return [found[each] for each in range(len(u))]

    def _at_the_end(self, u: Array, coordinate: int, case: Case, here: Scenario) -> Sides:
        """The economies below and above in a coordinate: at the end of its domain one of them is that of `here`."""
        pair, width = list[Side](), 0.0
        for step in (-STEP, STEP):
            moved = u.copy()
            moved[coordinate] += step
            try:
                pair.append(_side(here, self.scenario(moved, case), None))
                width += STEP
            except ScenarioError:
                pair.append(_side(here, here, None))
        return Sides(pair[0], pair[1], width)


def _entry(scenario: Scenario, path: str) -> AgentEntry | None:
    """The entry of firms or consumers whose own matter a path is; None where it concerns others as well."""
    room, _, rest = path.partition(".")
    entries = {"firms": scenario.economy.firms, "consumers": scenario.economy.consumers}.get(room, ())
    names = [each.name for each in entries]
    name = leading(rest, names)
    return None if name is None or rest.startswith(f"{name}.owns") else AgentEntry(room, names.index(name))


def _groups(entries: list[AgentEntry | None]) -> list[list[int]]:
    """The coordinates of these entries in groups in which each entry is there once, and none that concerns others."""
    groups: list[list[int]] = []
    for place, entry in enumerate(entries):
        free = (group for group in groups if entry is not None and not {None, entry} & {entries[at] for at in group})
        group = next(free, None)
        if group is None:
            groups.append(group := [])
        group.append(place)
    return groups


def _side(here: Scenario, moved: Scenario, entry: AgentEntry | None) -> Side:
    """What of a scenario that has moved is there when one entry alone has, or all."""
    if entry is None:
        return Side(moved.rule.unknowns(moved.economy), moved.initial_prices)
    entries = list(getattr(here.economy, entry.room))
    entries[entry.number] = getattr(moved.economy, entry.room)[entry.number]
    return Side(here.rule.unknowns(replace(here.economy, **{entry.room: tuple(entries)})), here.initial_prices)


def _logarithms(case: Case, scenario: Scenario, side: Side | None, plans: MarketPlans) -> Array:
    """Of what is observed in a case the logarithms in a model's plans, `(rows of the case,)`."""
    economy = scenario.economy if side is None else side.unknowns.economy
    with np.errstate(all="ignore"):
        return np.log(observable(economy, scenario.markets, plans)[list(case.places)])
