"""pydantic's complaints in our words, at our places, with suggestions; and what the schema knows at a place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from statistics import median
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import RootModel, TypeAdapter, ValidationError

from simulator.kinds.entry import MARKS, MAX_SUGGESTIONS, Entry, Known, Spot, Steps
from simulator.kinds.wording import choice, found, meant, nearest, number, unknown
from simulator.scenario.document import Document, Fault, scalar
from simulator.scenario.schema import ScenarioFile
from simulator.schedulers.table import plans


class Language:
    """What a scenario may say, with the kinds from outside that it speaks of."""

    def __init__(self, document: Document) -> None:
        self.document, self.known = document, document.plugins.known

    def alternatives(self, annotation: Any, value: Any = None) -> list[Any]:
        """The types an annotation allows, unions and marks taken apart; those of `value` where that tells them."""
        origin = get_origin(annotation)
        if origin is Annotated:
            inner, *marks = get_args(annotation)
            for mark in marks:
                if hasattr(mark, "models"):
                    return mark.models(self.known, value)
            return self.alternatives(inner, value)
        if origin is Union or origin is UnionType:
            return [single for part in get_args(annotation) for single in self.alternatives(part, value)]
        if isinstance(annotation, type) and issubclass(annotation, RootModel):
            return self.alternatives(annotation.model_fields["root"].rebuild_annotation(), value)
        return [annotation]

    def below(self, annotations: list[Any], step: str | int, value: Any = None) -> list[Any]:
        """The types allowed one step further down; empty where the schema knows no such step."""
        allowed: list[Any] = []
        for annotation in annotations:
            origin = get_origin(annotation)
            if origin is list and isinstance(step, int):
                allowed.extend(self.alternatives(get_args(annotation)[0], value))
            elif origin is dict and isinstance(step, str):
                allowed.extend(self.alternatives(get_args(annotation)[1], value))
            elif is_entry(annotation) and step in fields_of(annotation):
                allowed.extend(self.alternatives(fields_of(annotation)[str(step)].rebuild_annotation(), value))
        return allowed

    def at(self, path: Steps) -> list[Any]:
        """The types allowed at a place of the document."""
        annotations: list[Any] = [ScenarioFile]
        for depth, step in enumerate(path):
            annotations = self.below(annotations, step, self.document.at(path[: depth + 1]))
        return annotations

    def keys_at(self, path: Steps) -> tuple[str, list[str]]:
        """What a key is called at a place, and the keys there are."""
        model = model_of(self.at(path))
        return ("key", []) if model is None else (model.key_word, list(fields_of(model)))

    def meaning(self, path: Steps) -> str:
        """What belongs at a place."""
        model = model_of(self.at(path[:-1]))
        item = fields_of(model).get(str(path[-1])) if model is not None else None
        return str(item.description) if item is not None and item.description else "a value"

    def nothings(self, value: Any, path: Steps = ()) -> Iterator[Fault]:
        """Keys without a value: only a good may be written so."""
        if isinstance(value, dict):
            for key, item in value.items():
                yield from self.nothings(item, (*path, key))
        elif isinstance(value, list):
            for at, item in enumerate(value):
                yield from self.nothings(item, (*path, at))
        elif value is None and self.at(path) and not (len(path) == 2 and path[0] == "goods"):
            yield Fault(path, f"found nothing; expected {self.meaning(path)}")


def is_entry(annotation: Any) -> bool:
    """Whether a type is a mapping of known keys."""
    return isinstance(annotation, type) and issubclass(annotation, Entry)


def fields_of(model: type[Entry]) -> dict[str, Any]:
    """Keys as written in a scenario, with the type and meaning of each."""
    return {item.alias or name: item for name, item in model.model_fields.items()}


def model_of(annotations: list[Any]) -> type[Entry] | None:
    """The mapping of known keys among the types allowed at a place."""
    return next((single for single in annotations if is_entry(single)), None)


def declared_goods(data: dict[str, Any]) -> dict[str, Any] | None:
    """The goods by name, None where they cannot all be read."""
    goods = data.get("goods")
    if isinstance(goods, list) and all(isinstance(name, str) for name in goods):
        goods = dict.fromkeys(goods)
    return goods or None if isinstance(goods, dict) else None


def known_of(document: Document) -> Known:
    """What is known of a document before its parts are read."""
    known, data = document.plugins.known, document.data
    scheduler = data.get("scheduler")
    consumers = data.get("consumers")
    entries = [entry for entry in consumers if isinstance(entry, dict)] if isinstance(consumers, list) else []
    flows = [data.get("supply"), *(entry.get("endowment") for entry in entries)]
    amounts = [amount for flow in flows if isinstance(flow, dict) for amount in flow.values()]
    positive = [float(x) for x in amounts if isinstance(x, int | float) and not isinstance(x, bool) and 0 < x < 1e300]
    known.goods = declared_goods(data)
    known.scale = median(positive) if positive else 1.0
    known.plans = plans(scheduler.get("kind") if isinstance(scheduler, dict) else None)
    return known


def validate(document: Document, read: Mapping[str, list[Any]] | None = None) -> ScenarioFile:
    """The scenario as typed by its author, of what is sound in it; faults are left in `document.faults`.

    Entries that have been `read` before stand in lists in the place of their data.
    """
    context = known_of(document)
    faults = _faults(document, ScenarioFile, {**document.data, **(read or {})}, (), context)
    if isinstance(faults, ScenarioFile):
        return faults
    document.faults.extend(faults)
    return _Sound(document, context).entry(ScenarioFile, document.data, ())


def validate_part(document: Document, key: str, model: type[Entry]) -> Any:
    """What stands under a key, as its `model`; None where it has faults, which are left in `document.faults`."""
    part = _faults(document, model, document.data[key], (key,), known_of(document))
    if isinstance(part, model):
        return part
    document.faults.extend(part)
    return None


def _faults(document: Document, model: type[Entry], data: Any, path: Steps, context: Known) -> Any:
    """The model of data, or what is wrong with them."""
    language = Language(document)
    known = {fault.path for fault in document.faults}
    faults = [fault for fault in language.nothings(data, path) if fault.path not in known]
    try:
        sound = model.model_validate(data, context=context)
    except ValidationError as error:
        known.update(fault.path for fault in faults)
        for details in error.errors(include_url=False, include_context=True):
            fault = _fault(language, {**details, "loc": (*path, *details["loc"])}, len(faults) < MAX_SUGGESTIONS)
            if not any(fault.path[:length] in known for length in range(1, len(fault.path) + 1)):
                faults.append(fault)
    else:
        if not faults and not known:
            return sound
    return faults


@cache
def _item(model: type[Entry], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(model.model_fields[name].rebuild_annotation())


class _Sound:
    """Reads the sound parts of data that have faults: what is at fault is None, entries of a list keep their places."""

    def __init__(self, document: Document, context: Known) -> None:
        self.language, self.context = Language(document), context
        self.broken = {fault.path for fault in document.faults if fault.spot != "parent"}
        paths = [fault.path for fault in document.faults]
        self.faulty = {path[:length] for path in paths for length in range(len(path) + 1)}

    def entry(self, model: type[Any], data: dict[str, Any], path: Steps) -> Any:
        values: dict[str, Any] = {}
        for name, item in model.model_fields.items():
            key = item.alias or name
            if data.get(key) is not None:
                values[name] = self.value(model, name, data[key], (*path, key))
            elif item.is_required() or key in data:
                values[name] = None
        return model.model_construct(**values)

    def value(self, model: type[Entry], name: str, value: Any, path: Steps) -> Any:
        if path in self.broken:
            return None
        if path in self.faulty:
            annotation = model.model_fields[name].rebuild_annotation()
            return self.parts(self.language.alternatives(annotation, value), value, path)
        return self.read(_item(model, name), value)

    def parts(self, annotations: list[Any], value: Any, path: Steps) -> Any:
        inner = model_of(annotations)
        if isinstance(value, dict) and inner is not None and inner.key_word == "key":
            return self.entry(inner, value, path)
        for annotation in annotations:
            if isinstance(value, dict) and get_origin(annotation) is dict:
                return self.items(get_args(annotation)[1], value, path)
            if isinstance(value, list) and get_origin(annotation) is list:
                items = self.items(get_args(annotation)[0], dict(enumerate(value)), path)
                return [items.get(at) for at in range(len(value))]
        return None

    def items(self, annotation: Any, values: dict[Any, Any], path: Steps) -> dict[Any, Any]:
        kinds = self.language.alternatives(annotation)
        model = model_of(kinds)
        adapter: Any = TypeAdapter(annotation) if model is None or model.key_word != "key" else None
        read: dict[Any, Any] = {}
        for key, value in values.items():
            if (*path, key) in self.broken:
                continue
            if (*path, key) in self.faulty:
                read[key] = self.parts(kinds, value, (*path, key))
            elif adapter is None and isinstance(value, dict):
                read[key] = model.model_validate(value, context=self.context) if model is not None else None
            else:
                read[key] = self.read(adapter or TypeAdapter(annotation), value)
        return read

    def read(self, adapter: TypeAdapter[Any], value: Any) -> Any:
        try:
            return adapter.validate_python(value, strict=True, context=self.context)
        except ValidationError:
            # At fault in a way that has been told at another place.
            return None


NAME_RULE = "1 to 100 letters, digits, '.', '_' and '-', a letter or digit first"
_EXPECTED = {
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "string_type": "text",
    "float_type": "a number",
    "int_type": "a whole number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_pattern_mismatch": NAME_RULE,
    "string_too_long": NAME_RULE,
    "string_too_short": "text that is not empty",
    "too_short": "at least one entry",
}
_BOUNDS = {
    "greater_than": ("gt", "a number above"),
    "greater_than_equal": ("ge", "a number of at least"),
    "less_than": ("lt", "a number below"),
    "less_than_equal": ("le", "a number of at most"),
}
_TRUTHS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
_QUOTED_WORD = re.compile(r"'([^']*)'")


def _fault(language: Language, details: dict[str, Any], suggest: bool) -> Fault:
    """A complaint of pydantic's in our words and at our path (without the marks of union members)."""
    location: tuple[str | int, ...] = details["loc"]
    spot: Spot = "value"
    if location and location[-1] == "[key]":
        location, spot = location[:-1], "key"
    path: Steps = tuple(step for step in location if step not in MARKS)
    kind, value, context = details["type"], details["input"], details.get("ctx") or {}
    if kind == "said":
        return Fault(path, context["message"], "key" if spot == "key" else context["spot"], context["offset"])
    if kind in ("value_error", "assertion_error"):
        return Fault(path, str(context["error"]))
    if kind == "missing":
        return Fault(path, f"missing key {path[-1]}; expected {language.meaning(path)}", "parent")
    if kind == "extra_forbidden":
        key_word, keys = language.keys_at(path[:-1])
        return Fault(path, unknown(key_word, str(location[-1]), keys, suggest), "key")
    if kind == "literal_error":
        choices = _QUOTED_WORD.findall(str(context.get("expected", "")))
        return Fault(path, choice(value, choices or [str(context.get("expected", "")).lower()]))
    if kind in ("shape", "union_tag_not_found"):
        guess = _written(value, details["msg"]) if isinstance(value, str) else None
        return Fault(path, f"found {found(value)}; expected {details['msg']}{meant(guess)}")
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return Fault(path, f"found {found(value)}; expected {words} {number(context[key])}", spot)
    otherwise = "a number" if "int" in kind or "float" in kind else " ".join(str(details["msg"]).split())
    expected = _EXPECTED.get(kind, otherwise)
    return Fault(path, f"found {found(value)}; expected {expected}{meant(_plainly(value, expected))}", spot)


def _written(word: str, expected: str) -> str | None:
    """What of `a, {b: number} or c` a misspelt kind is probably meant to be, as it is written there."""
    ways = {way.lstrip("{").partition(":")[0]: way for way in re.split(r", (?![^{]*\})| or ", expected)}
    guess = nearest(word, ways)
    return ways[guess] if guess else None


def _plainly(value: object, expected: str) -> str | None:
    """What to write instead of a quoted number, `1_000`, or a true that is not one."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if "number" in expected:
        number = scalar(text.replace("_", ""))
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
        return found(number) if "_" in text else f"{found(number)} without quotes"
    return _TRUTHS.get(text.lower()) if expected == "true or false" else None
