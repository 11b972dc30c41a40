"""Kinds from outside: more rows for the tables of utilities, technologies, pieces of price rules and behaviours.

They are passed to `simulate` and `load`, or registered by an installed package under the entry points
`market_simulator.utilities`, `.technologies`, `.rule_pieces` and `.behaviours`, or stand in a Python file that the
command line names. A row is a class of the same shape as those of the language: its fields are its parameters.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import reduce
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from typing import Any

from pydantic import BaseModel

from simulator.dynamics.behaviours import BEHAVIOURS
from simulator.dynamics.price_rules import PIECES
from simulator.errors import CommandError
from simulator.kinds.entry import Known
from simulator.kinds.technologies import TECHNOLOGIES
from simulator.kinds.traders import WANTS

Kinds = Mapping[str, type[Any]]
TABLES: dict[str, Kinds] = {
    "utilities": WANTS,
    "technologies": TECHNOLOGIES,
    "rule_pieces": PIECES,
    "behaviours": BEHAVIOURS,
}
"""The tables that kinds from outside can join, by the group they are registered in."""

PREFIX = "market_simulator."


@dataclass(frozen=True)
class Plugins:
    """Kinds from outside by the names that scenarios give them.

    `utilities` are like those of `simulator.kinds.utilities`, `technologies` like those of
    `simulator.kinds.technologies`: pydantic classes that `build`. `rule_pieces` are dataclasses like those of
    `simulator.dynamics.pieces`, `behaviours` like those of `simulator.dynamics.behaviours`. Raises ValueError for a
    name that the language has already, or that cannot be written in a scenario, and for what is no such class.
    """

    utilities: Kinds = field(default_factory=dict[str, type[Any]])
    technologies: Kinds = field(default_factory=dict[str, type[Any]])
    rule_pieces: Kinds = field(default_factory=dict[str, type[Any]])
    behaviours: Kinds = field(default_factory=dict[str, type[Any]])

    def __post_init__(self) -> None:
        for group, table in TABLES.items():
            for name, kind in self.of(group).items():
                if name in table:
                    raise ValueError(f"{group}: the language has a kind {name!r} already; call yours otherwise")
                if not name.replace("_", "").isalnum():
                    raise ValueError(f"{group}: {name!r} cannot name a kind; expected letters, digits and '_'")
                _must_be_a_kind(group, name, kind)

    def of(self, group: str) -> Kinds:
        """The kinds of a group."""
        return getattr(self, group)

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return any(self.of(group) for group in TABLES)

    @property
    def known(self) -> Known:
        """What a scenario may name besides the kinds of the language."""
        return Known(kinds={group: self.of(group) for group in TABLES})

    def joined_by(self, others: Plugins) -> Plugins:
        """These and others; of two kinds of one name the first."""
        return Plugins(**{group: {**others.of(group), **self.of(group)} for group in TABLES})


def _must_be_a_kind(group: str, name: str, kind: Any) -> None:
    builds = group in ("utilities", "technologies")
    does = "build" if builds else "step" if group == "rule_pieces" else "plan"
    shaped = isinstance(kind, type) and (issubclass(kind, BaseModel) if builds else is_dataclass(kind))
    if not (shaped and hasattr(kind, does)):
        expected = f"{'a pydantic class' if builds else 'a frozen dataclass'} with {does}()"
        raise ValueError(f"{group}: {name} is no class of a kind; expected {expected}")


NO_PLUGINS = Plugins()


@dataclass(frozen=True)
class InFile:
    """A kind that a Python file has brought, with what an entry point has."""

    name: str
    kind: type[Any]
    file: Path

    @property
    def value(self) -> str:
        return str(self.file)

    @property
    def module(self) -> str:
        return self.value

    def load(self) -> type[Any]:
        return self.kind


FILES: dict[Path, Plugins] = {}
"""The Python files that the command line named, and what they bring; never those of a scenario."""


def run_files(files: Iterable[Path]) -> None:
    """Run Python files: from now on scenarios may name the kinds of all `Plugins` among their names.

    Raises CommandError where a file cannot be run, or brings none, or one that another has brought.
    """
    FILES.clear()
    for file in dict.fromkeys(files):
        brought = _plugins_in(file, len(FILES))
        for group in TABLES:
            for name in brought.of(group):
                if name in installed(group):
                    message = f"found {name}, which {installed(group)[name].value} brings too; expected another name"
                    raise CommandError(f"{file}: {group}: {message}")
        FILES[file] = brought


def _plugins_in(file: Path, number: int) -> Plugins:
    if not file.is_file() or file.suffix != ".py":
        found = "another file" if file.is_file() else "no such file"
        raise CommandError(f"{file}: found {found}; expected a file *.py")
    spec = spec_from_file_location(f"plugin_{number}_{file.stem}", file.resolve())
    assert spec is not None
    assert spec.loader is not None
    # Dataclasses look their module up; what lies beside a file that is run can be imported, as under `python FILE`.
    module = sys.modules[spec.name] = module_from_spec(spec)
    if (folder := str(file.resolve().parent)) not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        said = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split()) or "no reason given"
        raise CommandError(f"{_line_of(error, file)}: {type(error).__name__}: {said}") from error
    found = [each for each in vars(module).values() if isinstance(each, Plugins)]
    if not found:
        expected = "expected, for example, plugins = Plugins(rule_pieces={'mine': Mine})"
        raise CommandError(f"{file}: found no Plugins among its names; {expected}")
    return reduce(Plugins.joined_by, found)


def _line_of(error: BaseException, file: Path) -> str:
    """Where in a file an error comes from."""
    here = str(file.resolve())
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == here]
    lines += [error.lineno] if isinstance(error, SyntaxError) and error.filename == here else []
    return f"{file}:{lines[-1]}" if lines else str(file)


def files_spoken_of(data: Mapping[str, Any]) -> dict[str, Path]:
    """The Python files whose kinds a scenario's data speak of, by a name each."""
    spoken = {*_spoken_of(data)}
    return {
        str(file): file
        for file, plugins in FILES.items()
        if any((group, name) in spoken for group in TABLES for name in plugins.of(group))
    }


def installed(group: str) -> Mapping[str, EntryPoint | InFile]:
    """What installed packages register in a group, and what the command line's files bring, by name."""
    found: dict[str, EntryPoint | InFile] = {point.name: point for point in entry_points(group=PREFIX + group)}
    for file, plugins in FILES.items():
        found |= {name: InFile(name, kind, file) for name, kind in plugins.of(group).items()}
    return found


def loaded(group: str, point: EntryPoint | InFile) -> type[Any]:
    """What an entry point stands for. Raises ValueError where it cannot be had, whatever its code does."""
    try:
        kind = point.load()
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split()) or "no reason given"
        message = f"{point.name}, registered as {point.value}, cannot be imported: {type(error).__name__}: {said}"
        raise ValueError(message) from error
    _must_be_a_kind(group, point.name, kind)
    return kind


def all_installed() -> tuple[Plugins, list[str]]:
    """Every kind that installed packages register, and what is wrong with those that cannot be had."""
    found: dict[str, dict[str, type[Any]]] = {group: {} for group in TABLES}
    broken: list[str] = []
    for group, table in TABLES.items():
        for name, point in installed(group).items():
            try:
                found[group] |= {} if name in table else {name: loaded(group, point)}
            except ValueError as error:
                broken.append(str(error))
    return Plugins(**found), broken


def needed(data: Mapping[str, Any], given: Plugins) -> Plugins:
    """The kinds from outside that are given, and the installed ones of other names that a scenario's data speak of.

    Installed packages are asked only for names that nobody knows. Raises ValueError where one cannot be imported.
    """
    found: dict[str, dict[str, type[Any]]] = {group: {} for group in TABLES}
    for group, name in _spoken_of(data):
        if name not in TABLES[group] and name not in given.of(group) and name in (points := installed(group)):
            found[group][name] = loaded(group, points[name])
    return given.joined_by(Plugins(**found))


def _spoken_of(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for room, key, group in (
        ("consumers", "utility", "utilities"),
        ("firms", "technology", "technologies"),
        ("firms", "behaviour", "behaviours"),
    ):
        for entry in _items(data.get(room)):
            yield from ((group, name) for name in _names(entry.get(key) if isinstance(entry, dict) else None))
    scheduler = data.get("scheduler")
    for piece in _items(scheduler.get("with") if isinstance(scheduler, dict) else None):
        yield from (("rule_pieces", name) for name in _names(piece))


def _items(entries: Any) -> list[Any]:
    return entries if isinstance(entries, list) else []


def _names(choice: Any) -> Iterable[str]:
    """The names of a choice: one alone, or the keys of a mapping."""
    return [choice] if isinstance(choice, str) else choice if isinstance(choice, dict) else []
