"""A scenario as another one with differences: `base: FILE` is read first, and what the file says lies over it.

Mappings merge, and entries of lists by their `name`; all else takes the place of what the base says. A key without a
value takes away what stands there. A kind takes the place of another kind, and a distribution of all that stood there.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from simulator.errors import ScenarioError
from simulator.kinds.entry import Steps
from simulator.kinds.wording import found, nearest, quoted
from simulator.scenario.document import Document, Fault, from_data
from simulator.scenario.language import Language
from simulator.scenario.plugins import Plugins, needed
from simulator.scenario.resolve import files_of, with_files_called
from simulator.scenario.settings import replace_other_price
from simulator.scenario.yaml_text import compose, read
from simulator.slips import meant

NOT_INHERITED = ("base", "name")
Moved = dict[Steps, int]
"""The place of an entry in the base's list, by its path in the file that lies over it."""


def over_its_base(document: Document, folder: Path, plugins: Plugins) -> Document:
    """A document that stands in a `folder`, laid over its base, that over its own, and so on: whole, and each value
    knows its file and line. One without a base is given back as it is.

    Raises `ScenarioError` where a base cannot be read, lies outside the folder, or leads back to a file that it is the
    base of.
    """
    layers, folders = [document], [folder]
    files = [Path(document.where).resolve()]
    while layers[-1].complete and "base" in layers[-1].data:
        file = _base_of(layers[-1], folders[-1], files)
        files.append(file.resolve())
        layers.append(compose(read(file), str(file)))
        folders.append(file.parent)
    if len(layers) > 1 and (faults := [layer.problem(fault) for layer in layers for fault in layer.faults]):
        raise ScenarioError(faults)
    whole = layers.pop()
    while layers:
        below = folders.pop()
        names = {file: _beside(file, below, folders[-1]) for file in files_of(whole.data).values()}
        whole.data = with_files_called(whole.data, names)
        whole = laid_over(layers.pop(), whole, plugins)
    return whole


def _base_of(document: Document, folder: Path, files: list[Path]) -> Path:
    """The file that a document names as its base; `files` are those above it and its own."""
    given = document.data["base"]
    if not isinstance(given, str) or not given or "\0" in given:
        raise _refused(document, f"found {found(given)}; expected the file of another scenario (YAML)")
    file = folder / given
    if not file.resolve().is_relative_to(folder.resolve()):
        message = f"found {quoted(given)}, which lies outside the scenario's folder; expected a file beside it or below"
        raise _refused(document, message)
    if file.resolve() in files:
        own = file.resolve() == files[-1]
        message = f"found {quoted(given)}, {'this file itself' if own else 'which leads back here'}"
        raise _refused(document, f"{message}; expected another scenario, and in the end one without a base")
    if not file.is_file():
        near = [each.name for each in sorted(file.parent.glob("*.y*ml"))]
        guess = nearest(file.name, near)
        message = f"found no file {file}; expected the file of another scenario (YAML)"
        raise _refused(document, message + meant(guess and str(Path(given).with_name(guess))))
    return file


def _refused(document: Document, message: str) -> ScenarioError:
    return ScenarioError([document.problem(Fault(("base",), message))])


def _beside(file: str, below: Path, folder: Path) -> str:
    """What a file that is seen from the base's folder is called as seen from that of the scenario above it."""
    place = below / file
    return place.relative_to(folder).as_posix() if place.is_relative_to(folder) else str(place)


def laid_over(document: Document, base: Document, plugins: Plugins) -> Document:
    """A document with what it does not say itself taken from its base."""
    with suppress(ValueError):  # It is said of the whole.
        base.plugins = needed({**base.data, **document.data}, plugins)
    data = deepcopy({key: value for key, value in base.data.items() if key not in NOT_INHERITED})
    for path in _prices_in(document.data):
        replace_other_price(data, path)
    own = {key: value for key, value in document.data.items() if key != "base"}
    moved: Moved = {}
    merged = _merged(Language(base), data, own, ((), ()), moved)
    places: list[dict[Steps, int]] = [{}, {}, {}]
    for new, old in zip(places, (document.values, document.ends, document.keys), strict=True):
        new.update((_place(path, moved), index) for path, index in old.items())
    values, ends, keys = places
    return replace(document, data=merged, values=values, ends=ends, keys=keys, base=base)


def lay_over_what_is_made(document: Document, made: dict[str, Any]) -> None:
    """Lay a document over plain data that something in it stands for; its entries may get other places in lists."""
    moved: Moved = {}
    document.data = _merged(Language(from_data(made)), made, document.data, ((), ()), moved)
    document.settings = {_place(path, moved) for path in document.settings}
    document.faults = [replace(fault, path=_place(fault.path, moved)) for fault in document.faults]
    holder: Document | None = document
    while holder is not None:
        for places in (holder.values, holder.ends, holder.keys):
            held = {_place(path, moved): index for path, index in places.items()}
            places.clear()
            places.update(held)
        holder = holder.base


def _prices_in(data: dict[str, Any]) -> list[Steps]:
    """The prices that a document gives goods itself, in whichever of the two places."""
    goods, prices = data.get("goods"), data.get("initial_prices")
    found: list[Steps] = [("initial_prices", good) for good in prices] if isinstance(prices, dict) else []
    if isinstance(goods, dict):
        found += [
            ("goods", good, "price") for good, said in goods.items() if isinstance(said, dict) and "price" in said
        ]
    return found


def _merged(language: Language, base: Any, own: Any, paths: tuple[Steps, Steps], moved: Moved) -> Any:
    """What is said over what the base says; `paths` lead there in the file itself and in the whole."""
    here, there = paths
    if isinstance(base, list) and isinstance(own, dict) and there == ("goods",):
        base = {name: None for name in base if isinstance(name, str)}
    if isinstance(base, dict) and isinstance(own, dict):
        if _is_another_kind(language, there, base, own):
            return own
        merged = dict(base)
        for key, value in own.items():
            if value is None and key in base and there != ("goods",):
                del merged[key]
            elif key in base:
                merged[key] = _merged(language, base[key], value, ((*here, key), (*there, key)), moved)
            else:
                merged[key] = value
        return merged
    if (before := _by_name(base)) and (after := _by_name(own)):
        entries = list(base)
        for name, at in after.items():
            place = moved[*here, at] = before.get(name, len(entries))
            if name in before:
                paths = (*here, at), (*there, place)
                entries[place] = _merged(language, entries[place], own[at], paths, moved)
            else:
                entries.append(own[at])
        return entries
    return own


def _is_another_kind(language: Language, path: Steps, base: dict[str, Any], own: dict[str, Any]) -> bool:
    """Whether a mapping that names its kind by its key names another one than the base does there."""
    word, _ = language.keys_at(path)
    return word == "distribution" or (word == "kind" and not base.keys() & own.keys())


def _by_name(given: Any) -> dict[str, int]:
    """The places of the entries of a list by their names; nothing where some have none, or the same."""
    if not isinstance(given, list):
        return {}
    entries = cast("list[Any]", given)
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    places = {name: at for at, name in enumerate(names) if isinstance(name, str)}
    return places if len(places) == len(entries) else {}


def _place(path: Steps, moved: Moved) -> Steps:
    """Where in the whole a path of the file leads."""
    return tuple(moved.get(path[: depth + 1], step) for depth, step in enumerate(path))
