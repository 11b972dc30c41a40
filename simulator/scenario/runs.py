"""The scenario that goes on from a finished run, as it was or under another policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator.errors import Problem, RunFolderError, ScenarioError
from simulator.kinds.wording import quoted
from simulator.records.checkpoint import UnfitError
from simulator.records.ending import Ending, checksums
from simulator.records.folder import CHECKPOINT, SCENARIO
from simulator.scenario import NOTHING, load
from simulator.scenario.build import Scenario
from simulator.scenario.document import SETTINGS, Fault, leading
from simulator.scenario.plugins import NO_PLUGINS, Plugins
from simulator.scenario.shocks import CHANGED
from simulator.scenario.yaml_text import compose, compose_value

AGAIN = "expected a finished run; simulator run makes it anew"
INSTEAD = {
    "run.ticks": "ticks, how many more (--ticks)",
    "run.seed": "the run's own seed: agents were drawn by it",
    "run.from": "a run alone (--from)",
    "name": "a name of its own (--name)",
    "shocks": "PATH=VALUE: it is in force from the first new tick on",
}
"""What is set in another way, or not at all, where a run goes on."""
NUMBERED = re.compile(r"(.+)-[0-9]+")


def load_from(
    run: str | Path,
    *,
    ticks: int | None = None,
    settings: Mapping[str, object] = NOTHING,
    name: str | None = None,
    plugins: Plugins = NO_PLUGINS,
) -> Scenario:
    """The scenario that goes on from the last tick of a finished run, for so many more `ticks` (as many as the run had,
    unless said): prices, stocks, accounts and the rule's memory are as they were.

    `settings` are in force from the first new tick on. What a shock may change (`supply.grain`, `prices.bread`) becomes
    one, and may be `{times: 2}`; all else is another policy, under which verdict and judges begin anew. Raises
    `RunFolderError` if the run cannot be gone on from, `ScenarioError` where a setting is wrong.
    """
    folder = Path(run)
    ending, data = _ended(folder)
    if wrong := [problem for path in settings if (problem := _refused(path, data))]:
        raise ScenarioError(Problem(SETTINGS, 0, 0, *problem) for problem in wrong)
    later = {path: value for path, value in settings.items() if _is_changed_by_shocks(path, data)}
    shocks: list[Any] = list(data.get("shocks", ()))
    more = data["run"]["ticks"] - _tick_before(folder, data) if ticks is None else ticks
    changes = {
        **{path: value for path, value in settings.items() if path not in later},
        "name": f"{root_of(data)}-2" if name is None else name,
        "run.from": CHECKPOINT,
        "run.ticks": ending.tick + more,
    }
    if later:
        changes["shocks"] = [
            *shocks,
            {"tick": ending.tick + 1, "set": {path: _value(path, later[path]) for path in later}},
        ]
    try:
        return load(folder / SCENARIO, settings=changes, plugins=plugins)
    except ScenarioError as error:
        own = f"shocks[{len(shocks)}].set"
        raise ScenarioError(
            replace(each, path=each.path.removeprefix(own).lstrip(".")) if each.path.startswith(own) else each
            for each in error.problems
        ) from None


def root_of(data: Mapping[str, Any]) -> str:
    """What runs that go on are called before their number: the name of the run that all began with."""
    name = str(data["name"])
    numbered = NUMBERED.fullmatch(name) if "from" in data["run"] else None
    return numbered[1] if numbered else name


def ended(folder: Path) -> dict[str, Any]:
    """The scenario of a finished run as it was resolved. Raises `RunFolderError`."""
    return _ended(folder)[1]


def _ended(folder: Path) -> tuple[Ending, dict[str, Any]]:
    for name in ("", SCENARIO, CHECKPOINT):
        if not (folder / name).exists():
            raise RunFolderError(f"{folder}: found no {name or 'such folder'}; {AGAIN}")
    try:
        ending = Ending.read(folder / CHECKPOINT)
        if (folder / SCENARIO).read_bytes() != ending.scenario.encode():
            raise RunFolderError(f"{folder / SCENARIO}: found another scenario than the one that was run; {AGAIN}")
        for name, known in ending.inputs.items():
            if not (folder / name).is_file() or checksums({name: folder / name}) != {name: known}:
                raise RunFolderError(f"{folder / name}: found other contents than the run read; {AGAIN}")
    except UnfitError as error:
        raise RunFolderError(f"{folder / CHECKPOINT}: found {error}") from None
    except OSError as error:
        raise RunFolderError(f"{error.filename or folder}: cannot be read: {error.strerror}") from None
    return ending, compose(ending.scenario, str(folder / SCENARIO)).data


def _tick_before(folder: Path, data: Mapping[str, Any]) -> int:
    """The tick that the run itself went on from; 0 if it began at the beginning."""
    file = data["run"].get("from")
    return 0 if file is None else Ending.read(folder / file).tick


def _refused(path: str, data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why a path cannot be set where a run goes on, and the path."""
    if path in INSTEAD or path.partition(".")[0] == "shocks":
        return (
            path,
            f"found {quoted(path)} where a run goes on; expected {INSTEAD[path if path in INSTEAD else 'shocks']}",
        )
    for good in data["goods"]:
        if path in (f"initial_prices.{good}", f"goods.{good}.price"):
            message = f"found a price at the beginning, which is over; expected the price from now on: prices.{good}"
            return path, message
    return None


def _is_changed_by_shocks(path: str, data: Mapping[str, Any]) -> bool:
    """Whether a path leads to what a shock may change."""
    room, _, rest = path.partition(".")
    if room not in CHANGED:
        return room in ("supply", "prices")
    name = leading(rest, [entry["name"] for entry in data.get(room, ())])
    return name is not None and rest[len(name) + 1 :].partition(".")[0] in CHANGED[room]


def _value(path: str, given: object) -> object:
    """What a change is set to; a text is read as YAML. Raises `ScenarioError`."""
    if not isinstance(given, str):
        return given
    faults: list[Fault] = []
    value = compose_value(given, faults)
    if faults:
        raise ScenarioError(Problem(SETTINGS, 0, 0, path, fault.message) for fault in faults)
    return value
