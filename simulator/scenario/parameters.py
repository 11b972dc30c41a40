"""Numbers of a scenario, by their dotted paths, as parameters of its equilibria."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from simulator.economics.unknowns import Unknowns
from simulator.errors import Problem, ScenarioError
from simulator.kinds.entry import MAPPING, NUMBER, shape
from simulator.kinds.wording import found, listed
from simulator.references.statics import Node, Nodes, Stencil
from simulator.scenario.beside import Own, groups_of, own_of, side_of
from simulator.scenario.build import Scenario
from simulator.scenario.variation import Variation

ROOMS = ("supply", "outside", "firms", "consumers", "taxes", "transfers")
"""Parts of a scenario on whose numbers equilibria depend."""
PATHS = (
    "supply.GOOD, outside.GOOD, consumers.NAME.endowment.GOOD, consumers.NAME.budget, consumers.NAME.utility..., "
    "firms.NAME.productivity, firms.NAME.technology..., taxes.NAME.rate"
)
WHERE = "derivatives"
"""Where what is wrong with a path is said to be."""
NOWHERE: Mapping[str, float] = MappingProxyType({})
SMALL_RATE = 0.1
"""A rate that is smaller is changed as much as this one."""


class Parameter(NamedTuple):
    """A number of a scenario: its path, its `value`, the `unit` of which it is changed by a small part, and whose it
    is.
    """

    path: str
    value: float
    unit: float
    own: Own | None

    @property
    def productivity(self) -> bool:
        """Whether it is a firm's productivity."""
        inside = [] if self.own is None or self.own.room != "firms" else self.own.path.split(".")
        return inside[-1:] == ["productivity"] and len(inside) in (1, 3)


@dataclass(frozen=True, eq=False)
class Parameters:
    """Numbers of a `scenario` at some `paths`. Raises `ScenarioError` for a path that leads to none."""

    scenario: Scenario
    paths: tuple[str, ...]

    def __post_init__(self) -> None:
        problems = [
            Problem(WHERE, 0, 0, path, said)
            for path, said in zip(self.paths, self._found, strict=True)
            if isinstance(said, str)
        ]
        if problems:
            raise ScenarioError(problems)

    @cached_property
    def each(self) -> tuple[Parameter, ...]:
        """All of them."""
        return tuple(each for each in self._found if isinstance(each, Parameter))

    @cached_property
    def _found(self) -> list[Parameter | str]:
        return [self._read(path) for path in self.paths]

    @cached_property
    def _variation(self) -> Variation:
        return Variation(self.scenario)

    def _read(self, path: str) -> Parameter | str:
        """The parameter at a path, or what is wrong with it."""
        place = self._variation.reached(path)
        if isinstance(place, str):
            return place
        if place[0] not in ROOMS:
            return f"found a setting on which no equilibrium depends; expected one of {PATHS}"
        value = self._variation.document.at(place)
        if value is None and place[-1] == "productivity":
            value = 1.0
        elif value is None and ({"supply", "endowment"} & {*place[-2:-1]}):
            value = 0.0
        if shape(value) != NUMBER:
            return _no_number(path, value)
        if not isinstance(value, float):
            return f"found {found(value)}, a whole number; expected one that may change a little"
        return Parameter(path, value, self._unit(place[0], value), own_of(self.scenario, path))

    def _unit(self, room: object, value: float) -> float:
        if room in ("taxes", "transfers"):
            return max(abs(value), SMALL_RATE)
        return abs(value) or self._variation.scale

    @cached_property
    def units(self) -> list[float]:
        """The unit of each."""
        return [each.unit for each in self.each]

    def nodes(
        self, stencil: Stencil, chosen: Sequence[int], units: Sequence[float], at: Mapping[str, float] = NOWHERE
    ) -> list[Nodes]:
        """The economies by which derivatives by each of the `chosen` parameters are worked out, steps counted in these
        `units`, where numbers at some paths are others (`at`). Raises `ScenarioError` where there are none.

        One scenario in which several entries have moved serves for each of them.
        """
        here, found = self.at(at), dict[int, Nodes]()
        steps = {each: stencil.step * unit for each, unit in zip(chosen, units, strict=True)}
        for group in groups_of([self.each[each].own for each in chosen]):
            members = {chosen[each]: steps[chosen[each]] for each in group}
            try:
                found |= self._nodes(here, at, members, stencil.around)
            except ScenarioError:
                for each, step in members.items():
                    found |= self._on_one_side(here, at, {each: step}, stencil)
        return [found[each] for each in chosen]

    def at(self, changes: Mapping[str, float]) -> Scenario:
        """The scenario with other numbers at some paths. Raises `ScenarioError` where it is refused."""
        return self._variation.at(changes) if changes else self.scenario

    def _nodes(
        self, here: Scenario, at: Mapping[str, float], steps: Mapping[int, float], weights: Mapping[int, float]
    ) -> dict[int, Nodes]:
        """The nodes of parameters that are changed together, by their steps."""
        nodes: dict[int, list[Node]] = {each: [] for each in steps}
        for multiple, weight in weights.items():
            moved = {
                self.each[each].path: at.get(self.each[each].path, self.each[each].value) + multiple * step
                for each, step in steps.items()
            }
            scenario = self.at({**at, **moved}) if multiple else here
            for each, step in steps.items():
                side = side_of(here, scenario, self.each[each].own)
                _must_be_alike(here.rule.unknowns(here.economy), side.unknowns, self.each[each])
                nodes[each].append(Node(multiple * step, weight / step, side))
        return {each: tuple(some) for each, some in nodes.items()}

    def _on_one_side(
        self, here: Scenario, at: Mapping[str, float], steps: Mapping[int, float], stencil: Stencil
    ) -> dict[int, Nodes]:
        """The nodes of a parameter, on the one side of it where there are economies if there are none on the other."""
        refused, (each,) = list[ScenarioError](), steps
        for weights in stencil.ways:
            try:
                return self._nodes(here, at, steps, weights)
            except ScenarioError as error:
                refused.append(error)
        why = next((error for error in refused if isinstance(error, OtherKindError)), refused[0])
        said = (Problem(WHERE, 0, 0, self.each[each].path, problem.message) for problem in why.problems)
        raise ScenarioError(dict.fromkeys(said))


class OtherKindError(ScenarioError):
    """A parameter a little more of which makes another kind of economy."""


def _must_be_alike(here: Unknowns, there: Unknowns, parameter: Parameter) -> None:
    """Raise `OtherKindError` where a little more of a parameter makes another kind of economy."""
    if here.names != there.names:
        problem = "with a little more or less a firm has other returns to scale"
    elif here.relative_only != there.relative_only:
        problem = "with a little more or less prices are told in money"
    else:
        return
    said = f"found no derivative at {parameter.value:g}: {problem}; expected another path"
    raise OtherKindError([Problem(WHERE, 0, 0, parameter.path, said)])


def _numbers(entries: dict[str, Any]) -> Iterator[str]:
    """The paths of numbers in a mapping."""
    for key, each in entries.items():
        if shape(each) == MAPPING:
            yield from (f"{key}.{further}" for further in _numbers(each))
        elif shape(each) == NUMBER:
            yield key


def _no_number(path: str, value: object) -> str:
    """What is said of a path that leads to something else than a number."""
    if shape(value) == MAPPING and isinstance(value, dict):
        entries: dict[str, Any] = value
        within = [f"{path}.{key}" for key in _numbers(entries)][:3]
        return f"found a mapping; expected a number{', such as ' + listed(within) if within else ''}"
    return f"found {found(value)}; expected a number"
