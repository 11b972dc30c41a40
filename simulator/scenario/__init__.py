"""Scenarios: a YAML file in, frozen objects out, or every problem of every file with its place."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from simulator.dynamics import trial
from simulator.errors import Problem, ScenarioError
from simulator.kinds.draws import DrawError, Draws
from simulator.kinds.names import NAME_RULE, composed, name_fault
from simulator.kinds.wording import found, quoted
from simulator.scenario.activities import expand_activities
from simulator.scenario.aftermath import Aftermath
from simulator.scenario.bases import over_its_base
from simulator.scenario.build import RunSettings, Scenario, build
from simulator.scenario.built_checks import engine_faults, scale_faults
from simulator.scenario.calibration import expand_calibration
from simulator.scenario.checks import check, slow_numeraire, unlikely, unreached
from simulator.scenario.complaints import validate
from simulator.scenario.contingent import expand_contingent
from simulator.scenario.course import Course
from simulator.scenario.document import SETTINGS, Document, Fault, dump, from_data
from simulator.scenario.economies import Regime
from simulator.scenario.json_schema import scenario_schema
from simulator.scenario.kept_checks import unreached_members
from simulator.scenario.learning import expand_learning
from simulator.scenario.plugins import NO_PLUGINS, Plugins, files_spoken_of, needed
from simulator.scenario.programs import expand_program
from simulator.scenario.resolve import called, completed, files_of, resolve, with_files_called
from simulator.scenario.rewrite import rewrite
from simulator.scenario.run_checks import run_faults
from simulator.scenario.schema import ScenarioFile
from simulator.scenario.settings import apply_settings, steps_of
from simulator.scenario.shocks import ShockError
from simulator.scenario.start import start_of
from simulator.scenario.yaml_text import compose, read
from simulator.schedulers.scheduler import flatten
from simulator.slips import instead, meant

__all__ = [
    "Plugins",
    "Regime",
    "RunSettings",
    "Scenario",
    "ScenarioError",
    "calibrated",
    "dump",
    "load",
    "load_many",
    "scenario_schema",
    "text_with",
]

MOST_COMPLAINTS = 100
NOTHING: Mapping[str, Any] = MappingProxyType({})
MADE_OF = {
    **{"program": ("goods.", "outside.", "firms."), "learning": ("goods.",), "activities": ("firms.",)},
    "calibrate": ("goods.", "firms.", "consumers.", "taxes.", "transfers."),
}
"""What is made of a program, of patterns and of tables: settings within it come after, all others before."""


class Loaded(NamedTuple):
    """A scenario with all that it was built from: its document, the parts of that as they were read, and what was made
    of the entries of agents, by their identities.
    """

    scenario: Scenario
    document: Document
    model: ScenarioFile
    made: dict[int, Any]


def load(
    source: str | Path | Mapping[str, Any],
    *,
    settings: Mapping[str, object] = NOTHING,
    inputs: Mapping[str, Path] = NOTHING,
    plugins: Plugins = NO_PLUGINS,
) -> Scenario:
    """The scenario of a YAML file (a path) or of plain Python data (a dict).

    `settings` maps dotted paths (`firms.A.makes`, `run.ticks`) to values that replace the scenario's; a text is read as
    YAML. `inputs` says where files lie that the scenario calls otherwise. Kinds that the language does not have are
    taken from `plugins`, else from what installed packages register. Raises `ScenarioError` with every problem found.
    """
    return loaded(source, settings, inputs, plugins).scenario


def load_many(paths: Iterable[str | Path], *, settings: Mapping[str, object] = NOTHING) -> tuple[Scenario, ...]:
    """The scenarios of files, folders (their *.yaml and *.yml) and globs, in order; no two may have the same name.

    Raises one `ScenarioError` with every problem of every file.
    """
    scenarios: list[Scenario] = []
    problems: list[Problem] = []
    first: dict[str, Path] = {}
    for path in paths:
        files, missing = _expand(path)
        problems.extend(missing)
        for file in files:
            try:
                scenario, document, *_ = loaded(file, settings, NOTHING, NO_PLUGINS)
            except ScenarioError as error:
                problems.extend(error.problems)
                continue
            if scenario.name in first:
                other = first[scenario.name]
                message = f"found a second scenario named {scenario.name}; expected one (the other is {other})"
                problems.append(document.problem(Fault(("name",), message)))
            first.setdefault(scenario.name, file)
            scenarios.append(scenario)
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    return tuple(scenarios)


def text_with(path: str | Path, settings: Mapping[str, object], folder: Path) -> str:
    """The text of a scenario file with `settings` written into it, as it may stand in another `folder`.

    Comments and layout stay, unless the file is based on another one: then the whole is written anew. A CSV file that
    the scenario names is found from the new folder. Settings are those that
    `load` took; raises `ScenarioError` where they change what the file does not say itself, such as a program's goods.
    """
    document, beside = compose(read(path), str(path)), Path(path).parent
    whole = over_its_base(document, beside, NO_PLUGINS)
    edited = replace(whole, data=deepcopy(whole.data))
    _outfit(edited, NO_PLUGINS)
    apply_settings(edited, settings)
    data, inputs = _from(folder, edited.data, beside)
    try:
        if edited.faults:
            raise ScenarioError(map(edited.problem, edited.faults))
        load(data, inputs=inputs)
    except ScenarioError as error:
        message = f"cannot be written into {path} ({error.problems[0].message}); expected it changed there by hand"
        raise ScenarioError([Problem(SETTINGS, 0, 0, "", message)]) from error
    return rewrite(document, data) if whole.base is None else dump(data)


def calibrated(path: str | Path, folder: Path) -> str:
    """The text of a scenario with the economy that its table of accounts stands for written out, as it may stand in
    another `folder`. Raises `ScenarioError` where the scenario is wrong, or has no such table.
    """
    load(path)
    beside = Path(path).parent
    document = over_its_base(compose(read(path), str(path)), beside, NO_PLUGINS)
    if "calibrate" not in document.data:
        message = "found no calibrate; expected a scenario with calibrate: {sam: FILE, accounts: {...}}"
        raise ScenarioError([document.problem(Fault((), message))])
    table = document.data["calibrate"]["sam"]
    expand_calibration(document, beside, NOTHING)
    data, _ = _from(folder, document.data, beside)
    head = f"# Written by simulator calibrate from {quoted(Path(path).name)} and {quoted(table)}.\n"
    head += "# Quantities are what was paid in the table: at its equilibrium all prices and levels are 1.\n"
    return head + dump(data)


def _from(folder: Path, data: dict[str, Any], beside: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """A scenario's data with its files, seen from `beside` it, called as they are seen from a folder; and where they
    lie.
    """
    places = {file: beside / file for file in files_of(data).values()}
    names = {file: _seen_from(folder, place) for file, place in places.items()}
    return with_files_called(data, names), {names[file]: place for file, place in places.items()}


def _seen_from(folder: Path, file: Path) -> str:
    """What a file is called in a scenario that stands in a folder."""
    place, base = file.resolve(), folder.resolve()
    return Path(os.path.relpath(place, base)).as_posix() if place.anchor == base.anchor else place.as_posix()


def loaded(
    source: str | Path | Mapping[str, Any],
    settings: Mapping[str, object],
    inputs: Mapping[str, Path],
    plugins: Plugins,
) -> Loaded:
    """The scenario that `load` gives, and all that it was built from."""
    given: Any = source
    if not isinstance(given, Mapping | str | os.PathLike):
        message = f"found {found(given)}; expected a scenario: the path of its file, or a dict {{'goods': [...], ...}}"
        raise ScenarioError([Problem("<scenario>", 0, 0, "", message)])
    if isinstance(source, Mapping):
        document, path, name, folder = from_data(source), None, "scenario", Path()
    else:
        document, path, name = compose(read(source), str(source)), str(source), composed(Path(source).stem)
        folder = Path(source).parent
    if document.complete:
        document = over_its_base(document, folder, plugins)
        filled = tuple(room for key, rooms in MADE_OF.items() if key in document.data for room in rooms)
        within = {path: value for path, value in settings.items() if path.startswith(filled)}
        _outfit(document, plugins)
        apply_settings(document, {path: value for path, value in settings.items() if path not in within})
        expand_program(document)
        expand_contingent(document)
        strange = _strange_files(document, folder, inputs)
        if path is None and strange:
            # Nothing is read of a file that nobody who runs the scenario has named.
            raise _refused(document, strange)
        expand_learning(document, folder, inputs)
        tables = expand_calibration(document, folder, inputs) | expand_activities(document, folder, inputs)
        apply_settings(document, within)
        if settings:
            _outfit(document, plugins)
        if "base" in document.data:
            document.faults.append(Fault(("base",), "found a base set from outside; expected it in a scenario's file"))
            raise _refused(document, document.faults)
        files = _name_files(document, folder, inputs, tables)
        sources = files_spoken_of(document.data)
        files |= {name: sources[file] for file, name in called({**files, **sources}).items() if file in sources}
        model = validate(document)
        if "name" not in document.data and name_fault(name):
            message = f"found no name, and the file's {name!r} cannot be one; expected {NAME_RULE}"
            better = instead("name", name)
            document.faults.append(Fault(("name",), message + meant(better and f"name: {better}"), "parent"))
        check(document, model)
        if not document.faults:
            warnings = [document.problem(replace(fault, message=f"warning: {fault.message}")) for fault in strange]
            made: dict[int, Any] = {}
            scenario = built(model, model.name or name, document, path, files, warnings, made)
            if scenario is not None:
                return Loaded(scenario, document, model, made)
    raise _refused(document, document.faults)


def _refused(document: Document, faults: list[Fault]) -> ScenarioError:
    """What is wrong with a document, in the order of its lines; a hundred complaints are enough."""
    problems = sorted(
        map(document.problem, faults), key=lambda problem: (problem.where == SETTINGS, problem.line, problem.column)
    )
    rest = len(problems) - MOST_COMPLAINTS
    if rest > 0:
        message = f"{rest:,} more problem{'s are' if rest > 1 else ' is'} left out"
        problems[MOST_COMPLAINTS:] = [Problem(document.where, 0, 0, "", message)]
    return ScenarioError(problems)


def _outfit(document: Document, plugins: Plugins) -> None:
    """Give a document the kinds from outside that it speaks of."""
    try:
        document.plugins = needed(document.data, plugins)
    except ValueError as error:
        document.faults.append(Fault((), str(error)))


def _strange_files(document: Document, folder: Path, inputs: Mapping[str, Path]) -> list[Fault]:
    """The files that a document reads and that lie neither beside it nor below, links followed, nor among `inputs`."""
    base, strange = folder.resolve(), list[Fault]()
    for path, file in files_of(document.data).items():
        if file not in inputs and "\0" not in file and not (folder / file).resolve().is_relative_to(base):
            message = f"found {quoted(file)}, which lies outside the scenario's folder"
            strange.append(Fault(path, f"{message}; expected a file beside it or below, or one named by inputs="))
    return strange


def _name_files(
    document: Document, folder: Path, inputs: Mapping[str, Path], tables: Mapping[str, Path]
) -> dict[str, Path]:
    """Call the files that a document reads `inputs/NAME`, and say where they lie: as `inputs` says, or as seen from
    the folder; beside `tables` that have been read, now or when the document was resolved.
    """
    rooms = ("learning", "firms", "consumers", "shocks", "run")
    data = {key: document.data[key] for key in rooms if key in document.data}
    places = {file: inputs.get(file, folder / file) for file in files_of(data).values()}
    places |= {**tables, **{name: place for name, place in inputs.items() if name.startswith("inputs/")}}
    names = called(places)
    document.data = document.data | with_files_called(data, names)
    return {names[file]: place for file, place in places.items()}


def built(
    model: ScenarioFile,
    name: str,
    document: Document,
    path: str | None,
    files: Mapping[str, Path],
    warnings: list[Problem],
    made: dict[int, Any],
) -> Scenario | None:
    """The scenario of a document that has passed the checks; None where a draw or a shock is at fault. What is `made`
    of an entry of agents, by its identity, is taken from there, or else put there.
    """
    try:
        model = completed(model, Draws(0, files))
        resolved = resolve(model, name)
        aftermath = Aftermath(document, Course(model, resolved, Draws(model.run.seed, files)))
        shocked = aftermath.foreseen()
        if document.faults:
            return None
        reached = [shock for shock in shocked if shock.tick <= model.run.ticks]
        faults = [
            *unreached(model),
            *unreached_members(model),
            *slow_numeraire(model),
            *unlikely([model, *(shock.model for shock in reached)]),
        ]
        warnings += [document.problem(replace(fault, message=f"warning: {fault.message}")) for fault in faults]
        scenario = build(
            model, aftermath.following, reached, resolved, path, files, document.plugins, tuple(warnings), made
        )
        document.faults.extend([*scale_faults(scenario), *engine_faults(scenario)])
        where = scenario.economy, scenario.initial_prices, scenario.run.seed
        if model.run.goes_on is not None and not document.faults:
            fresh = flatten(scenario.scheduler.start(scenario.economy, scenario.initial_prices, scenario.run.seed))
            scenario = replace(scenario, start=start_of(document, resolved, fresh, files[model.run.goes_on]))
        if model.learning is None and model.moved_by.rations:
            unready = tuple(map(document.problem, run_faults(model, scenario.economy)))
            scenario = replace(scenario, unready=unready)
        trial.first_tick(scenario.scheduler, *where, scenario.plugins.rule_pieces)
        return None if document.faults else scenario
    except DrawError as error:
        document.faults.append(Fault(steps_of(document, error.path), error.message))
    except ShockError as error:
        document.faults.append(Fault(error.steps, error.message))
    return None


def _expand(path: str | Path) -> tuple[list[Path], list[Problem]]:
    """The scenario files a path stands for, and what is wrong with it if there are none."""
    text, place = str(path), Path(path)
    if "\0" not in text and place.is_dir():
        found = [file for file in place.iterdir() if file.suffix in (".yaml", ".yml")]
        problem = "found no scenario in this folder; expected files *.yaml or *.yml"
    elif "\0" not in text and not place.exists() and glob.has_magic(text):
        found = map(Path, glob.glob(text, recursive=True))
        problem = "found no file that matches; expected scenario files (YAML)"
    else:
        return [place], []
    files = sorted(file for file in found if file.is_file())
    return files, [] if files else [Problem(text, 0, 0, "", problem)]
