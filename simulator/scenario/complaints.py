"""What a value is and what it should be: pydantic's complaints in our words, at our places, with suggestions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import ValidationError

from simulator.scenario.document import Document, Fault, Steps, found, quoted, scalar, shown
from simulator.scenario.entry import MARKS, Entry
from simulator.scenario.schema import ScenarioFile

Schema = type[ScenarioFile]

MAX_SUGGESTIONS = 200
"""Complaints after which nobody is helped by one more guess, and a hostile file would only gain time."""


def validate(document: Document) -> ScenarioFile | None:
    """The scenario as typed by its author; None where the document has faults, which are left in `document.faults`."""
    schema = document.plugins.schema
    known = {fault.path for fault in document.faults}
    document.faults.extend(fault for fault in _nothings(schema, document.data) if fault.path not in known)
    try:
        model = schema.model_validate(document.data)
    except ValidationError as error:
        known = {fault.path for fault in document.faults}
        faults: list[Fault] = []
        for details in error.errors(include_url=False, include_context=True):
            fault = _fault(schema, cast("dict[str, Any]", details), suggest=len(faults) < MAX_SUGGESTIONS)
            if not any(fault.path[:length] in known for length in range(1, len(fault.path) + 1)):
                faults.append(fault)
        other_kind = any(fault.path == ("scheduler", "kind") for fault in faults)
        document.faults.extend(
            fault for fault in faults if not (other_kind and fault.spot == "key" and fault.path[:1] == ("scheduler",))
        )
        return None
    return None if document.faults else model


def validate_part(document: Document, key: str, model: type[Entry]) -> Any:
    """What stands under a key, as its `model`; None where it has faults, which are left in `document.faults`."""
    schema, given = document.plugins.schema, document.data[key]
    faults = list(_nothings(schema, given, (key,)))
    try:
        part = model.model_validate(given)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_context=True):
            fault = _fault(schema, {**cast("dict[str, Any]", details), "loc": (key, *details["loc"])}, suggest=True)
            if not any(fault.path == nothing.path for nothing in faults):
                faults.append(fault)
        part = None
    document.faults.extend(faults)
    return None if faults else part


def _nothings(schema: Schema, value: Any, path: Steps = ()) -> Iterator[Fault]:
    """Keys without a value: only a good may be written so."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _nothings(schema, item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[Any]", value)):
            yield from _nothings(schema, item, (*path, at))
    elif value is None and _at(schema, path) and not (len(path) == 2 and path[0] == "goods"):
        yield Fault(path, f"found nothing; expected {_meaning(schema, path)}")


def sound_part(document: Document) -> dict[str, Any]:
    """A copy of the data without the values that have a fault; an entry of a list becomes None and keeps its place."""
    faulty = {fault.path for fault in document.faults if fault.spot != "parent" and fault.path}

    def copy(value: Any, path: Steps) -> Any:
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {key: copy(item, (*path, key)) for key, item in items if (*path, key) not in faulty}
        if isinstance(value, list):
            entries = enumerate(cast("list[Any]", value))
            return [None if (*path, at) in faulty else copy(item, (*path, at)) for at, item in entries]
        return value

    return copy(document.data, ())


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate a misspelt word probably means."""
    choices = list(candidates)
    if len(word) > 60 or len(choices) > 500:
        return None
    lowered = {choice.lower().replace("-", "_"): choice for choice in choices}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), lowered, n=1, cutoff=0.66)
    return lowered[close[0]] if close else None


def unknown(what: str, word: str, candidates: Iterable[str], suggest: bool = True) -> str:
    """`unknown good 'bred'; expected one of bread, wine; did you mean bread?`"""
    choices = list(candidates)
    listed = ", ".join(map(shown, choices[:30])) + (", ..." if len(choices) > 30 else "")
    expected = f"expected {'one of ' if len(choices) > 1 else ''}{listed}" if choices else "none is declared"
    guess = nearest(word, choices) if suggest else None
    return f"unknown {what} {quoted(word)}; {expected}" + (f"; did you mean {shown(guess)}?" if guess else "")


NAME_RULE = "1 to 100 letters, digits, '.', '_' and '-', a letter or digit first"
_EXPECTED = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
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
_QUOTED_WORD = re.compile(r"'([^']*)'")


def _fault(schema: Schema, details: dict[str, Any], suggest: bool) -> Fault:
    """A complaint of pydantic's in our words and at our path (without the marks of union members)."""
    location: tuple[str | int, ...] = details["loc"]
    spot: Literal["value", "key"] = "value"
    if location and location[-1] == "[key]":
        location, spot = location[:-1], "key"
    path: Steps = tuple(step for step in location if step not in MARKS)
    kind, value, context = details["type"], details["input"], cast("dict[str, Any]", details.get("ctx") or {})
    if kind == "missing":
        return Fault(path, f"missing key {path[-1]}; expected {_meaning(schema, path)}", "parent")
    if kind == "extra_forbidden":
        key_word, keys = keys_at(schema, path[:-1])
        return Fault(path, unknown(key_word, str(location[-1]), keys, suggest), "key")
    if kind == "literal_error":
        choices = _QUOTED_WORD.findall(str(context.get("expected", "")))
        return Fault(path, _choice(value, choices or [str(context.get("expected", "")).lower()]))
    if kind in ("shape", "union_tag_not_found"):
        guess = _written(value, details["msg"]) if isinstance(value, str) else None
        return Fault(
            path, f"found {found(value)}; expected {details['msg']}" + (f"; did you mean {guess}?" if guess else "")
        )
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return Fault(path, f"found {found(value)}; expected {words} {_number(context[key])}", spot)
    expected = _EXPECTED.get(
        kind, "a number" if "int" in kind or "float" in kind else " ".join(str(details["msg"]).split())
    )
    return Fault(path, f"found {found(value)}; expected {expected}{_meant(value, expected)}", spot)


def _written(word: str, expected: str) -> str | None:
    """What of `a, {b: number} or c` a misspelt kind is probably meant to be, as it is written there."""
    ways = {way.lstrip("{").partition(":")[0]: way for way in re.split(r", (?![^{]*\})| or ", expected)}
    guess = nearest(word, ways)
    return ways[guess] if guess else None


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _choice(value: object, choices: list[str]) -> str:
    guess = nearest(value, choices) if isinstance(value, str) else None
    if isinstance(value, bool) and {"on", "off"} <= set(choices):
        guess = "on" if value else "off"
    expected = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return f"found {found(value)}; expected {expected}" + (f"; did you mean {guess}?" if guess else "")


def _meant(value: object, expected: str) -> str:
    """What to write instead of a quoted number, `1_000`, or a true that is not one."""
    if not isinstance(value, str):
        return ""
    text = value.strip()
    if "number" in expected:
        meant = scalar(text.replace("_", ""))
        if isinstance(meant, bool) or not isinstance(meant, int | float):
            return ""
        return f"; did you mean {found(meant)}{'' if '_' in text else ' without quotes'}?"
    if expected == "true or false":
        words = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
        return f"; did you mean {words[text.lower()]}?" if text.lower() in words else ""
    return ""


def _alternatives(annotation: Any) -> list[Any]:
    """The types an annotation allows, unions and `Annotated` taken apart."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin is Union or origin is UnionType:
        return [single for part in get_args(annotation) for single in _alternatives(part)]
    return [annotation]


def fields_of(model: type[Entry]) -> dict[str, Any]:
    """Keys as written in a scenario, with the type and meaning of each."""
    return {item.alias or name: item for name, item in model.model_fields.items()}


def below(annotations: list[Any], step: str | int) -> list[Any]:
    """The types allowed one step further down; empty where the schema knows no such step."""
    allowed: list[Any] = []
    for annotation in annotations:
        origin = get_origin(annotation)
        if origin is list and isinstance(step, int):
            allowed.extend(_alternatives(get_args(annotation)[0]))
        elif origin is dict and isinstance(step, str):
            allowed.extend(_alternatives(get_args(annotation)[1]))
        elif isinstance(annotation, type) and issubclass(annotation, Entry) and step in fields_of(annotation):
            allowed.extend(_alternatives(fields_of(annotation)[str(step)].annotation))
    return allowed


def model_of(annotations: list[Any]) -> type[Entry] | None:
    """The mapping of known keys among the types allowed at a place."""
    return next((single for single in annotations if isinstance(single, type) and issubclass(single, Entry)), None)


def _at(schema: Schema, path: Steps) -> list[Any]:
    annotations: list[Any] = [schema]
    for step in path:
        annotations = below(annotations, step)
    return annotations


def keys_at(schema: Schema, path: Steps) -> tuple[str, list[str]]:
    """What a key is called at a place of the schema, and the keys there are."""
    model = model_of(_at(schema, path))
    return ("key", []) if model is None else (model.key_word, list(fields_of(model)))


def _meaning(schema: Schema, path: Steps) -> str:
    model = model_of(_at(schema, path[:-1]))
    item = fields_of(model).get(str(path[-1])) if model is not None else None
    return str(item.description) if item is not None else "a value"
