"""Kinds from outside: tastes, techniques, pieces of price rules and behaviours that somebody else wrote.

They are passed to `simulate` and `load`, or registered by an installed package under the entry points
`market_simulator.utilities`, `.technologies`, `.rule_pieces` and `.behaviours`, and named in a scenario like any other
kind. What registers is a class, or anything that returns an object of the group's protocol when called with the
scenario's parameters by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import Field, Tag, create_model

from simulator.scenario.draws_schema import Parameters
from simulator.scenario.entry import MAPPING, TEXT, Entry, name_or_mapping
from simulator.scenario.kinds_schema import BEHAVIOUR_NAMES, BEHAVIOURS_WRITTEN, Behaviour, Technology, Utility
from simulator.scenario.scheduler_schema import PIECE_NAMES, PIECES_WRITTEN, Piece, Scheduler
from simulator.scenario.schema import Consumer, Firm, ScenarioFile

KINDS: dict[str, type[Entry]] = {
    "utilities": Utility,
    "technologies": Technology,
    "rule_pieces": Piece,
    "behaviours": Behaviour,
}
"""The choices that kinds from outside can join, by the group they are registered in."""

PREFIX = "market_simulator."
Maker = Callable[..., Any]


def _none() -> dict[str, Maker]:
    return {}


@dataclass(frozen=True)
class Plugins:
    """Kinds from outside by the names that scenarios give them.

    `utilities` make a `simulator.economics.utility.Utility` (see `Taste`), `technologies` a
    `simulator.economics.technology.Technology` (see `Production`), `rule_pieces` a
    `simulator.dynamics.pieces.Piece`, `behaviours` a `simulator.economics.behaviour.Behaviour`. Raises ValueError
    for a name that the language has already, or that cannot be written in a scenario.
    """

    utilities: Mapping[str, Maker] = field(default_factory=_none)
    technologies: Mapping[str, Maker] = field(default_factory=_none)
    rule_pieces: Mapping[str, Maker] = field(default_factory=_none)
    behaviours: Mapping[str, Maker] = field(default_factory=_none)

    def __post_init__(self) -> None:
        for group, kinds in KINDS.items():
            for name in self.of(group):
                if name in kinds.model_fields:
                    raise ValueError(f"{group}: the language has a kind {name!r} already; call yours otherwise")
                if not name.replace("_", "").isalnum():
                    raise ValueError(f"{group}: {name!r} cannot name a kind; expected letters, digits and '_'")

    def of(self, group: str) -> Mapping[str, Maker]:
        """The kinds of a group."""
        return getattr(self, group)

    @property
    def schema(self) -> type[ScenarioFile]:
        """What a scenario may say with these kinds."""
        return _extended(frozenset((group, name) for group in KINDS for name in self.of(group)))

    def joined_by(self, others: Plugins) -> Plugins:
        """These and others; of two kinds of one name the first."""
        return Plugins(**{group: {**others.of(group), **self.of(group)} for group in KINDS})


NO_PLUGINS = Plugins()


def installed(group: str) -> dict[str, EntryPoint]:
    """What installed packages register in a group, by name."""
    return {point.name: point for point in entry_points(group=PREFIX + group)}


def loaded(point: EntryPoint) -> Maker:
    """What an entry point stands for. Raises ValueError where it cannot be imported."""
    try:
        return point.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ValueError(f"{point.name}, registered as {point.value}, cannot be imported: {error}") from error


def installed_schema() -> type[ScenarioFile]:
    """What a scenario may say with every kind that installed packages register."""
    names = {(group, name) for group in KINDS for name in installed(group)}
    return _extended(frozenset((group, name) for group, name in names if name not in KINDS[group].model_fields))


def needed(data: Mapping[str, Any], given: Plugins) -> Plugins:
    """The kinds from outside that a scenario's data speak of: those given, and installed ones of other names.

    Installed packages are asked only for names that nobody knows. Raises ValueError where one cannot be imported.
    """
    found: dict[str, dict[str, Maker]] = {group: {} for group in KINDS}
    for group, name in _spoken_of(data):
        if name in KINDS[group].model_fields or name in found[group]:
            continue
        if name in given.of(group):
            found[group][name] = given.of(group)[name]
        elif name in (points := installed(group)):
            found[group][name] = loaded(points[name])
    return Plugins(**found) if any(found.values()) else NO_PLUGINS


def _spoken_of(data: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for consumer in _mappings(data.get("consumers")):
        yield from (("utilities", name) for name in _names(consumer.get("utility")))
    for firm in _mappings(data.get("firms")):
        yield from (("technologies", name) for name in _names(firm.get("technology")))
        yield from (("behaviours", name) for name in _names(firm.get("behaviour")))
    scheduler = data.get("scheduler")
    pieces = cast("dict[str, Any]", scheduler).get("with") if isinstance(scheduler, dict) else None
    for piece in cast("list[Any]", pieces) if isinstance(pieces, list) else []:
        yield from (("rule_pieces", name) for name in _names(piece))


def _mappings(entries: Any) -> list[dict[str, Any]]:
    return (
        [entry for entry in cast("list[Any]", entries) if isinstance(entry, dict)] if isinstance(entries, list) else []
    )


def _names(choice: Any) -> list[str]:
    """The names of a choice: one alone, or the keys of a mapping."""
    names: list[Any] = (
        [choice] if isinstance(choice, str) else list(cast("Any", choice)) if isinstance(choice, dict) else []
    )
    return [name for name in names if isinstance(name, str)]


class Taken(NamedTuple):
    """The parameters a kind takes, and those of them it cannot do without."""

    all: list[str]
    required: list[str]


def parameters_of(maker: Maker, by_itself: Iterable[str] = ()) -> Taken | None:
    """What a kind takes, None where it takes anything; what it is given `by_itself` is not required of a scenario."""
    try:
        signature = inspect.signature(maker)
    except (TypeError, ValueError):
        return None
    taken = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        return None
    required = [p.name for p in taken if p.default is p.empty and p.name not in by_itself]
    return Taken([p.name for p in taken], required)


def meaning_of(maker: Maker) -> str:
    """What a kind says of itself: its `meaning`, or the first line of its docstring."""
    said = getattr(maker, "meaning", None) or inspect.getdoc(maker) or "a kind from outside"
    return str(said).splitlines()[0]


@cache
def _extended(names: frozenset[tuple[str, str]]) -> type[ScenarioFile]:
    """The schema with kinds from outside, `(group, name)` each, that take any parameters by name."""
    if not names:
        return ScenarioFile
    more = {group: sorted(name for where, name in names if where == group) for group in KINDS}
    choices = {group: _joined(KINDS[group], more[group]) for group in KINDS}
    firm = _with(
        Firm,
        technology=choices["technologies"] | None,
        behaviour=_by_name(choices["behaviours"], (*BEHAVIOUR_NAMES, *more["behaviours"]), *BEHAVIOURS_WRITTEN),
    )
    pieces = _by_name(choices["rule_pieces"], (*PIECE_NAMES, *more["rule_pieces"]), *PIECES_WRITTEN)
    scheduler = _with(Scheduler, pieces=list[pieces])
    consumer = _with(Consumer, utility=choices["utilities"])
    return _with(ScenarioFile, firms=list[firm], consumers=list[consumer], scheduler=scheduler)


def _joined(choice: type[Entry], names: Iterable[str]) -> Any:
    """A choice with more kinds. What they are called is an alias: fields may not be called everything."""
    more: dict[str, Any] = {
        f"outside_{place}": (Parameters | None, Field(None, alias=name, description="a kind from outside"))
        for place, name in enumerate(names)
    }
    return create_model(choice.__name__, __base__=choice, **more)


def _by_name(choice: Any, names: tuple[str, ...], *written: str) -> Any:
    by_name: Any = Annotated[Literal[names], Tag(TEXT)]
    return Annotated[by_name | Annotated[choice, Tag(MAPPING)], name_or_mapping(names, *written)]


def _with(model: Any, **types: Any) -> Any:
    """A model whose fields of these names have other types, and are otherwise as they were."""
    fields: dict[str, Any] = {}
    for name, annotation in types.items():
        old = model.model_fields[name]
        default = {"default_factory": old.default_factory} if old.default_factory else {"default": old.default}
        fields[name] = (annotation, Field(**default, alias=old.alias, description=old.description))
    return create_model(model.__name__, __base__=model, **fields)
