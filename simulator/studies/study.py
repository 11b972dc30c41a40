"""A study file: YAML in, a frozen `Study` out, or every problem with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn

import numpy as np
from pydantic import Field, Tag

from simulator.errors import ScenarioError
from simulator.formulas.formula import FormulaError
from simulator.kinds.draws import DrawError, Draws
from simulator.kinds.entry import LIST, MAPPING, NUMBER, TEXT, Chosen, Entry, Name, OneOf, Steps, Whole, by_shape
from simulator.records.table import Table
from simulator.run import run_in_memory
from simulator.scenario import Scenario
from simulator.scenario.complaints import validate_as
from simulator.scenario.document import Fault, from_data, leading
from simulator.scenario.resolve import called
from simulator.scenario.settings import steps_of
from simulator.scenario.variation import Variation
from simulator.studies.designs import DESIGNS, Csv, Design, DesignError, Grid, Point, Values
from simulator.studies.measures import JUDGED, TEXTS, Known, MeasureError, Measures, Value, measures_of
from simulator.studies.outcome import PlannedRun
from simulator.studies.reading import Opened, Source

Keep = Literal["summary", "runs", "trajectories"]
PROBED = {"run.ticks": 0, "run.references": "off", "run.tables": ["trajectory", "ticks", "agents"]}
"""What is set to see what can be measured."""
COLUMNS = ("run", "replication", "seed", "seconds", "error")
"""Columns of runs.csv beside parameters and measures."""
MOST_RUNS = 10_000_000
Expression = Annotated[dict[Name, str], Field(min_length=1)]
Seed = Annotated[Whole, Field(ge=0, lt=2**64)]
AnyMeasure = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[Expression, Tag(MAPPING)],
    by_shape("the name of a measure or {name: formula}"),
]


class StudyFile(Entry):
    """Many runs of one scenario."""

    name: Name | None = Field(None, description="name of the study and of its output folder (default: the file's stem)")
    scenario: str = Field(description="the scenario: the path of its file, seen from the study, or all of it")
    vary: dict[str, Values] = Field(
        default_factory=dict[str, Any], description="dotted paths as in --set, with the values they take"
    )
    design: Annotated[Chosen[Design], OneOf("designs", "Design", DESIGNS, plain=True)] = Field(
        Chosen("grid", Grid(), "grid"), description="which points are made of these values"
    )
    seed: Seed = Field(0, description="the study's seed: draws the design, and the seeds of replications")
    seeds: (
        Annotated[
            Annotated[Whole, Field(ge=1, le=MOST_RUNS), Tag(NUMBER)]
            | Annotated[list[Seed], Field(min_length=1), Tag(LIST)],
            by_shape("a number of replications or a list of seeds"),
        ]
        | None
    ) = Field(None, description="replications of each point, or their seeds (default: one, with the scenario's seed)")
    measures: list[AnyMeasure] = Field(["outcome", "ticks"], min_length=1, description="what is measured of each run")
    texts: ClassVar[bool] = True
    """Whether measures may be texts."""
    keep: Keep = Field("summary", description="runs.csv alone, or also runs/NUMBER/, or also trajectories/NUMBER.csv")


@dataclass(frozen=True, eq=False)
class Study:
    """A study ready to run.

    `points` are the values by path of each point, `seeds` those of the replications; `measures` are what is measured of
    each run. `resolved` is the study with its defaults filled in and the resolved scenario inside, `inputs` are the
    files that it and its scenario read, by their names there.
    """

    name: str
    scenario: Scenario
    paths: tuple[str, ...]
    points: tuple[Point, ...]
    seeds: tuple[int, ...]
    measures: Measures
    keep: Keep
    file: StudyFile
    resolved: dict[str, Any] = field(repr=False)
    inputs: Mapping[str, Path] = field(default_factory=dict[str, Path], repr=False)

    @property
    def columns(self) -> list[str]:
        """The columns of runs.csv."""
        run, replication, seed, *after = COLUMNS
        return [run, replication, *self.paths, seed, *self.measures, *after]

    @property
    def size(self) -> int:
        """How many runs there are."""
        return len(self.points) * len(self.seeds)

    def runs(self) -> Iterator[PlannedRun]:
        """All runs: the points in their order, replications within a point."""
        for number, point in enumerate(self.points):
            for replication, seed in enumerate(self.seeds):
                yield PlannedRun(number * len(self.seeds) + replication, replication, point, seed)


def load_study(source: Source, *, seed: int | None = None, model: type[StudyFile] = StudyFile) -> Study:
    """The study of a YAML file (a path) or of plain Python data, read as a `model`; `seed` replaces the study's.

    Study, scenario, paths, measures and the first point are checked. Raises `ScenarioError` with every problem found.
    """
    opened = Opened(source)
    document = opened.document
    if document.complete and seed is not None:
        document.data["seed"] = seed
        document.settings.add(("seed",))
    given = validate_as(document, model) if document.complete else None
    opened.refuse()
    assert given is not None
    return _Reading(opened, given).study(opened.name(given.name))


class _Reading:
    """Makes a study of a file that is sound by itself, and refuses what does not fit together."""

    def __init__(self, opened: Opened, given: StudyFile) -> None:
        self.document, self.given, self.folder = opened.document, given, opened.folder
        self.scenario = opened.scenario()
        self.scenario.must_be_ready()

    def study(self, name: str) -> Study:
        """The study."""
        given, scenario = self.given, self.scenario
        places = self._places()
        points = self._points(places)
        if given.seeds is None:
            seeds = (scenario.run.seed,)
        elif isinstance(given.seeds, list):
            seeds = tuple(given.seeds)
        else:
            seeds = tuple(replication_seed(given.seed, number) for number in range(given.seeds))
        if len(points) * len(seeds) > MOST_RUNS:
            self._refuse(("seeds",), f"found {len(points) * len(seeds):,} runs; expected at most {MOST_RUNS:,}")
        measures = self._measures(self._first(points[0], seeds[0]), points[0])
        resolved = given.model_dump(exclude_none=True, by_alias=True)
        resolved |= {"name": name, "scenario": scenario.resolved}
        resolved["vary"] = {
            path: values if isinstance(values, list) else values.written for path, values in given.vary.items()
        }
        names = called(places)
        if isinstance(given.design.kind, Csv):
            resolved["design"] = {"csv": names[given.design.kind.file]}
        inputs = {names[file]: place for file, place in places.items()}
        return Study(
            name, scenario, tuple(points[0]), tuple(points), seeds, measures, given.keep, given, resolved, inputs
        )

    def _refuse(self, path: Steps, message: str, offset: int | None = None) -> NoReturn:
        raise ScenarioError([self.document.problem(Fault(path, message, offset=offset))])

    def _places(self) -> dict[str, Path]:
        """The files that the scenario and the design read, by what they are called, and where they lie."""
        design = self.given.design.kind
        own = {design.file: self.folder / design.file} if isinstance(design, Csv) else {}
        return {**self.scenario.inputs, **own}

    def _points(self, places: Mapping[str, Path]) -> list[Point]:
        given = self.given
        for path in given.vary:
            if path == "run.seed":
                advice = "expected it in seeds, a number of replications or a list"
                self._refuse(("vary", path), f"found the seed among the paths; {advice}")
        try:
            if isinstance(given.design.kind, Csv):
                if given.vary:
                    self._refuse(("vary",), "found vary beside a CSV file, whose columns are the paths; expected none")
            elif not given.vary:
                if given.seeds is None or given.design.name != "grid":
                    self._refuse(("vary",), "found nothing to vary; expected paths, or seeds for replications alone")
                return [{}]
            points = given.design.kind.points(given.vary, given.seed, Draws(0, places))
        except DesignError as error:
            self._refuse(("vary", error.path) if error.path in given.vary else ("design",), error.message)
        except DrawError as error:
            self._refuse(("design", "csv"), error.message)
        for path in points[0]:
            if path in COLUMNS or path == "run.seed":
                place: Steps = ("vary", path) if path in given.vary else ("design", "csv")
                self._refuse(
                    place, f"found {path}, which a study sets itself; expected other dotted paths, as in --set"
                )
        return points

    def _first(self, point: Point, seed: int) -> Known:
        """What can be measured at the first point; refuses a point that the scenario refuses."""
        variation, changes = Variation(self.scenario), {**point, "run.seed": seed}
        try:
            variation.at(changes)
        except ScenarioError as error:
            faults: list[Fault] = []
            for problem in error.problems:
                path = leading(problem.path, point) or next(
                    (each for each in point if each.endswith(problem.path)), None
                )
                place: Steps = ("vary", path) if path in self.given.vary else ("design",)
                message = problem.message
                if problem.path != path:
                    message = f"leads to {problem.path or self.scenario.name}: {message}"
                faults.append(Fault(place, message))
            raise ScenarioError(map(self.document.problem, faults)) from None
        return known_of(variation.at({**changes, **PROBED}), point)

    def _measures(self, known: Known, point: Point) -> Measures:
        try:
            measures = measures_of(self.given.measures, known, (*COLUMNS, *point))
        except (MeasureError, FormulaError) as error:
            *_, place = error.args
            entry = self.given.measures[place]
            steps: Steps = ("measures", place) if isinstance(entry, str) else ("measures", place, next(iter(entry)))
            offset = error.offset if isinstance(error, FormulaError) else None
            self._refuse(steps, error.args[0], offset)
        if texts := [] if self.given.texts else [name for name in measures if name in TEXTS]:
            place = self.given.measures.index(texts[0])
            guess = f"{{NAME: \"{texts[0]} == '...'\"}}"
            self._refuse(("measures", place), f"found {texts[0]}, a text; expected a number; did you mean {guess}?")
        if measures.judged and not self.scenario.run.references:
            (name, *_) = (name for name, measure in measures.items() if measure.needs & JUDGED)
            message = f"found {name}, which only references know; expected run: {{references: on}} in the scenario"
            self._refuse(("measures",), message)
        return measures


def replication_seed(seed: int, replication: int) -> int:
    """The seed of a replication, the same at every point: common random numbers."""
    return int(np.random.SeedSequence(seed, spawn_key=(replication,)).generate_state(1)[0])


def known_of(scenario: Scenario, point: Point) -> Known:
    """What can be measured of a scenario that makes no adjustment and keeps all tables."""
    tables: dict[str, Table] = {}
    run_in_memory(scenario, tables.update, told=False)
    agents, document = tables["agents"], from_data(scenario.resolved)

    def constant(path: str) -> Value:
        steps = steps_of(document, path)
        whole = document.dotted(steps).replace("[", ".").replace("]", "") == path
        value = document.at(steps) if whole else None
        return value if isinstance(value, int | float | str) else None

    return Known(
        tables["ticks"].columns,
        tuple(dict.fromkeys(tables["trajectory"].parts["good"].tolist())),
        tuple(zip(agents.parts["agent"].tolist(), agents.parts["good"].tolist(), strict=True)),
        agents.columns,
        tuple(point),
        constant,
    )
