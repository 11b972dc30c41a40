"""The study that `simulator fit` reads: a scenario, what is observed in which cases, and what is free.

scenario: village.yaml
data: prices.csv     # case, quantity, value, weight
cases: cases.csv     # case, path, value
free:
  consumers.farmers.utility.ces.elasticity: {start: 1, bounds: [0.1, 10]}
  consumers.farmers.utility.ces.shares: simplex
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, Tag

from simulator.economics.ties import set_valued
from simulator.errors import Problem, ScenarioError
from simulator.kinds import wording
from simulator.kinds.entry import MAPPING, NUMBER, TEXT, Entry, Name, Whole, by_shape
from simulator.kinds.wording import nearest, quoted
from simulator.references.implicit import STEP
from simulator.scenario import Scenario
from simulator.scenario.complaints import validate_as
from simulator.scenario.document import SETTINGS, Fault, from_data
from simulator.scenario.settings import place_of
from simulator.scenario.variation import Variation
from simulator.schedulers.table import plans
from simulator.slips import meant
from simulator.studies.free import Coordinates, Free, FreeNumber, FreeShares
from simulator.studies.observed import Columns, Observation, places_of, read_observations
from simulator.studies.reading import Opened, Source

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
HOW = "a start, {start: 1, bounds: [0.1, 10]}, {} or simplex"


class NumberFile(Entry):
    """A number that is free."""

    start: float | None = Field(None, description="where the first search starts; the scenario's value if absent")
    bounds: Pair | None = Field(None, description="[least, most]")


FreeFile = Annotated[
    Annotated[Literal["simplex"], Tag(TEXT)] | Annotated[float, Tag(NUMBER)] | Annotated[NumberFile, Tag(MAPPING)],
    by_shape(HOW, "simplex"),
]


class FitFile(Entry):
    """A study of `simulator fit` as it is written."""

    name: Name | None = Field(None, description="name of the study; the file's if absent")
    scenario: str = Field(description="a scenario file, seen from the study, or a scenario")
    data: str = Field(description="a CSV file of observations: case, quantity, value, weight")
    cases: str | None = Field(None, description="a CSV file of what differs from case to case: case, path, value")
    free: dict[str, FreeFile] = Field(min_length=1, description=f"what is free, by path: {HOW}")
    starts: Annotated[Whole, Field(ge=1)] = Field(8, description="searches: one from the start, others around it")
    seed: Annotated[Whole, Field(ge=0)] = Field(0, description="seed of the other starts")


class Case(NamedTuple):
    """A case: what the scenario is changed to there by path, the numbers of the observations that are of it, and where
    each of these stands in what is `observable`.
    """

    name: str
    changes: Mapping[str, Any]
    rows: tuple[int, ...]
    places: tuple[int, ...]


@dataclass(frozen=True)
class FitStudy:
    """A study that has passed its checks: `free` parameters of a `scenario`, and what is `observed` in its `cases`."""

    where: str
    name: str
    scenario: Scenario
    free: Coordinates
    observed: tuple[Observation, ...]
    data: Path
    cases: tuple[Case, ...]
    starts: int
    seed: int


def load_fit(source: Source, seed: int | None = None) -> FitStudy:
    """The study of a YAML file or of plain Python data. Raises `ScenarioError` with what is wrong."""
    opened = Opened(source)
    if opened.document.complete and seed is not None:
        opened.document.data["seed"] = seed
        opened.document.settings.add(("seed",))
    model = validate_as(opened.document, FitFile) if opened.document.complete else None
    for key, file in (("data", model and model.data), ("cases", model and model.cases)):
        if file is not None and not (opened.folder / file).is_file():
            opened.complain((key,), f"found no file {opened.folder / file}; expected a CSV file, seen from the study")
    opened.refuse()
    assert model is not None
    name, scenario = opened.name(model.name), opened.scenario()
    if not plans(scenario.scheduler.kind) or set_valued(scenario.economy):
        kind = "linear tastes" if plans(scenario.scheduler.kind) else scenario.scheduler.kind
        opened.complain(("scenario",), f"found {kind}; expected agents who plan, with demand that is smooth in prices")
        opened.refuse()
    free = _free(opened, model.free, scenario)
    changed = None if model.cases is None else _Changed(opened.folder / model.cases, free)
    read, observed = read_observations(opened.folder / model.data, several=changed is not None)
    places = places_of(scenario.economy, scenario.markets, read, observed)
    changes = {} if changed is None else changed.by_case({*places}, read.file)
    rows = {case: tuple(i for i, each in enumerate(observed) if each.case == case) for case in places}
    cases = tuple(Case(case, changes.get(case, {}), rows[case], found) for case, found in places.items())
    study = FitStudy(
        opened.document.where, name, scenario, free, tuple(observed), read.file, cases, model.starts, model.seed
    )
    # Each case at the start, and each coordinate a little off: what cannot move is not free.
    around = [[free.start - step, free.start + step] for step in STEP * np.eye(len(free.start))]
    for case, points in [*((case, [free.start]) for case in cases), *((cases[0], points) for points in around)]:
        refused = [_refused(scenario, {**case.changes, **free.settings(u)}) for u in points]
        if all(refused):
            raise ScenarioError(_placed(opened, problem, free, changed, case.name) for problem in refused[0])
    for case in cases:
        _same_frame(study, case, changed)
    return study


def _same_frame(study: FitStudy, case: Case, changed: _Changed | None) -> None:
    """Raise `ScenarioError` where a case has other goods or agents than the scenario: quantities are found by place."""
    made = Variation(study.scenario).at({**case.changes, **study.free.settings(study.free.start)})
    for what, own, found in zip(("goods", "firms", "consumers"), _frame(study.scenario), _frame(made), strict=True):
        if own != found and changed is not None:
            line = min(line for (name, _), line in changed.lines.items() if name == case.name)
            found, own = ", ".join(found) or "none", ", ".join(own) or "none"
            message = f"found {what} {found} in case {case.name}; expected {own}, as in the scenario"
            raise ScenarioError([Problem(str(changed.read.file), line, 0, "case", message)])


def _frame(scenario: Scenario) -> tuple[list[str], ...]:
    """The names of goods, firms with what they make, and consumers."""
    economy, name_of = scenario.economy, scenario.markets.name_of
    firms = [f"{firm.name} of {' and '.join(map(name_of, firm.outputs))}" for firm in economy.firms]
    return [*scenario.markets.goods], firms, [each.name for each in economy.consumers]


def _refused(scenario: Scenario, changes: Mapping[str, Any]) -> Sequence[Problem]:
    """What a scenario with these changes is refused for."""
    try:
        Variation(scenario).at(changes)
    except ScenarioError as error:
        return error.problems
    return ()


class _Changed:
    """What differs from case to case: rows of a CSV file."""

    def __init__(self, file: Path, free: Coordinates) -> None:
        self.read = Columns(file, ("case", "path", "value"))
        columns = [self.read.text(column) for column in ("case", "path", "value")]
        self.lines, self.values = dict[tuple[str, str], int](), dict[tuple[str, str], str]()
        for line, case, path, value in zip(self.read.lines, *columns, strict=True):
            mine = next((each.path for each in free.free if f"{path}.".startswith(f"{each.path}.")), None)
            if not path:
                self.read.say(line, "found no path; expected one, as in --set", "path")
            if mine is not None:
                self.read.say(line, f"found {path}, which is set by the fit; expected what is not free", "path")
            if (case, path) in self.lines:
                self.read.say(line, f"found {path} twice for {quoted(case)}; expected it once", "path")
            self.lines[case, path], self.values[case, path] = line, value
        self.read.refuse()

    def by_case(self, cases: set[str], data: Path) -> dict[str, dict[str, str]]:
        """What is changed in each case, by path. Raises `ScenarioError` where the data say nothing of one."""
        changes: dict[str, dict[str, str]] = {}
        for (case, path), value in self.values.items():
            if case not in cases and case not in changes:
                guess = meant(nearest(case, cases))
                self.read.say(self.lines[case, path], f"found {quoted(case)}; expected a case in {data}{guess}", "case")
            changes.setdefault(case, {})[path] = value
        self.read.refuse()
        return changes


def _placed(opened: Opened, problem: Problem, free: Coordinates, changed: _Changed | None, case: str) -> Problem:
    """A problem with a scenario of a case, at the row or the key that brought it."""
    of = f" (case {case})" if changed is not None else ""
    for each in free.free:
        if problem.where == SETTINGS and f"{problem.path}.".startswith(f"{each.path}."):
            return opened.document.problem(Fault(("free", each.path), problem.message + of, "key"))
    for (name, path), line in changed.lines.items() if changed is not None else ():
        if problem.where == SETTINGS and name == case and f"{problem.path}.".startswith(f"{path}."):
            assert changed is not None
            return Problem(str(changed.read.file), line, 0, problem.path, problem.message)
    return replace(opened.document.problem(Fault(("scenario",), problem.message + of)), path=problem.path)


def _free(opened: Opened, given: Mapping[str, str | float | NumberFile], scenario: Scenario) -> Coordinates:
    """The free parameters of a study. Raises `ScenarioError`."""
    written, found = from_data(scenario.resolved), list[Free]()
    for path, how in given.items():
        place = ("free", path)
        within = next((one for one in given if one != path and f"{path}.".startswith(f"{one}.")), None)
        if within is not None:
            opened.complain(place, f"found {path} within {within}, which is free; expected one of them", "key")
        leads = place_of(written, path)
        if leads is None:
            opened.complain(place, _refused(scenario, {path: 1.0})[0].message, "key")
            continue
        value = written.at(leads)
        if isinstance(how, str):
            found += _shares(opened, path, value)
        else:
            number = how if isinstance(how, NumberFile) else NumberFile(start=how, bounds=None)
            found += _number(opened, path, number, value)
    opened.refuse()
    return Coordinates(tuple(found))


def _shares(opened: Opened, path: str, value: Any) -> list[FreeShares]:
    numbers = value if isinstance(value, dict) else {}
    if len(numbers) < 2 or not all(isinstance(each, float | int) and each > 0 for each in numbers.values()):
        expected = "a simplex of two or more numbers above 0 by name, such as shares"
        opened.complain(("free", path), f"found {wording.found(value)} there in the scenario; expected {expected}")
        return []
    return [FreeShares(path, numbers)]


def _number(opened: Opened, path: str, how: NumberFile, value: Any) -> list[FreeNumber]:
    place = ("free", path)
    if isinstance(value, int):
        opened.complain(place, f"found the whole number {value} in the scenario; expected one that may move smoothly")
        return []
    first = value if how.start is None else how.start
    if not isinstance(first, float):
        table = isinstance(value, dict) and all(isinstance(each, float) for each in value.values())
        guess = meant("simplex") if table else ""
        message = f"found {wording.found(value)} there in the scenario; expected a number, or start: NUMBER here{guess}"
        opened.complain(place, message)
        return []
    low, high = how.bounds or (-np.inf, np.inf)
    if not low < high:
        opened.complain((*place, "bounds"), f"found [{low:g}, {high:g}]; expected the smaller first")
    elif not low <= first <= high:
        where = "" if how.start is not None else " in the scenario"
        key = place if how.start is None else (*place, "start")
        opened.complain(key, f"found {first:g}{where}; expected a start within the bounds [{low:g}, {high:g}]")
    return [FreeNumber(path, first, float(low), float(high))]
