"""One scenario with other values at some of its paths, again and again: what studies, fits and searches run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from simulator.kinds.entry import NUMBER, TEXT, Known, Steps, shape
from simulator.scenario import Loaded, built, load, loaded
from simulator.scenario.build import Scenario
from simulator.scenario.checks import check
from simulator.scenario.complaints import item_of, known_of
from simulator.scenario.document import Document, Fault, plain, scalar
from simulator.scenario.schema import ScenarioFile
from simulator.scenario.settings import reached

PARTS = ("goods", "supply", "firms", "consumers", "taxes", "transfers", "scheduler", "run")
"""Parts of a scenario whose numbers and words may be replaced without asking for the others again."""
EVERYBODYS = {"name", "count", "owns", "seed", "output"}
"""Keys on which depends what is made of other entries, too."""
WORD = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.+-]*")
"""Text that YAML reads as one plain scalar."""


class Variation:
    """A `scenario` whose values at dotted paths, as in `--set`, are replaced by others.

    Where a number stands in the place of a number, a word in that of a word, or anything in `run`, only what the path
    touches is read, checked and built anew; all else is the same objects in all variations. Anything else is loaded as
    a whole.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._places: dict[str, Steps] = {}
        self._reached: dict[str, Steps | str] = {}

    def at(self, changes: Mapping[str, object]) -> Scenario:
        """The scenario with these values by path. Raises `ScenarioError` if it is refused."""
        base = self.scenario
        if (found := self._touched(changes)) is not None:
            return found
        # Also what is refused: it is said with the places of a whole reading.
        return load(base.resolved, settings=changes, inputs=base.inputs, plugins=base.plugins)

    def is_float(self, path: str, value: object) -> bool:
        """Whether a value is a number in the place of one that need not be whole."""
        return shape(value) == NUMBER and isinstance(self._whole.document.at(self._place(path)), float)

    @property
    def document(self) -> Document:
        """The scenario as resolved, as it was read."""
        return self._whole.document

    @property
    def scale(self) -> float:
        """The size of what there is in it: the middle one of its supplies and endowments."""
        return self._known.scale

    @cached_property
    def _whole(self) -> Loaded:
        base = self.scenario
        return loaded(base.resolved, {}, base.inputs, base.plugins)

    @cached_property
    def _known(self) -> Known:
        return known_of(self._whole.document)

    def reached(self, path: str) -> Steps | str:
        """Where a path leads to in the scenario as resolved, or what is wrong with it."""
        if path not in self._reached:
            self._reached[path] = reached(self.document, path)
        return self._reached[path]

    def _touched(self, changes: Mapping[str, object]) -> Scenario | None:
        """The same where only some leaves have other values; None where that is not so, or it is refused."""
        base, old, model, made = self._whole
        data = old.data
        touched: set[Steps] = set()
        for path, given in changes.items():
            place, word, faults = self._place(path), isinstance(given, str), list[Fault]()
            value, before = scalar(str(given)) if word else plain(given, faults), old.at(place)
            if not place or faults or (word and not WORD.fullmatch(str(given))) or shape(value) != shape(before):
                return None
            if (type(value), value) == (type(now := _at(data, place)), now):
                continue
            data = _with(data, place, value)
            touched.add(place)
        document = Document(old.where, old.text, data, plugins=old.plugins)
        known = known_of(document)
        if model.learning is not None or any(not market.rival for market in model.markets.values()):
            return None
        try:
            varied = _read(model, data, self._again(touched, known), known)
        except ValidationError:
            return None
        check(document, varied)
        shared = {} if any(EVERYBODYS & {*place} for place in touched) else dict(made)
        if document.faults or (found := built(varied, base.name, document, None, base.inputs, [], shared)) is None:
            return None
        if len(found.regimes) == len(base.regimes):
            regimes = zip(found.regimes, base.regimes, strict=True)
            base.scheduler.lend(found.scheduler, [(own.economy, others.economy) for own, others in regimes])
        return found

    def _place(self, path: str) -> Steps:
        """Where a path leads to in what was read; nowhere if another reading would change more than that place."""
        if path not in self._places:
            document = self._whole.document
            found = self.reached(path)
            place = () if isinstance(found, str) else found
            if place[:1] == ("initial_prices",):
                place = ("goods", *place[1:], "price")
            leaf = shape(document.at(place)) in (NUMBER, TEXT) or (len(place) == 2 and place[0] == "run")
            self._places[path] = place if leaf and next(iter(place), "") in PARTS else ()
        return self._places[path]

    def _again(self, touched: set[Steps], known: Known) -> set[Steps]:
        """The parts that are read again: those touched, and formulas where the size of flows is another: it is there
        that they must be concave.
        """
        parts = {place[:2] if place[0] in ("firms", "consumers") else place[:1] for place in touched}
        if known.scale != self._known.scale:
            model = self._whole.model
            parts |= {("firms", at) for at, firm in enumerate(model.firms) if firm.makes is not None}
            formulas = (at for at, each in enumerate(model.consumers) if each.utility.name == "formula")
            parts |= {("consumers", at) for at in formulas}
        return parts


def _at(data: Any, place: Steps) -> object:
    """The value at a place of plain data."""
    for step in place:
        data = data[step]
    return data


def _with(data: Any, place: Steps, value: object) -> Any:
    """Plain data with another value at a place; all else is shared."""
    if not place:
        return value
    copy = data.copy()
    copy[place[0]] = _with(data[place[0]], place[1:], value)
    return copy


def _read(model: ScenarioFile, data: Mapping[str, Any], parts: set[Steps], known: Known) -> ScenarioFile:
    """A scenario as read before, some of its parts or entries of agents read again. Raises pydantic's error."""
    read: dict[str, Any] = {}
    for key, *places in parts:
        name = str(key)
        if not places:
            read[name] = item_of(ScenarioFile, name).validate_python(data[name], strict=True, context=known)
        for place in places:
            entries = read.setdefault(name, [*getattr(model, name)])
            entries[place] = type(entries[place]).model_validate(data[name][place], context=known)
    varied = model.model_copy(update=read)
    # What was looked up of the goods before may be of others.
    vars(varied).pop("markets", None)
    return varied
