"""pydantic's complaints in our words, at our places, with suggestions; and what the schema knows at a place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from statistics import median
from typing import Any, TypeVar, cast, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from simulator.kinds.entry import MARKS, MAX_SUGGESTIONS, Entry, Known, Spot, Steps
from simulator.kinds.names import NAME_RULE
from simulator.kinds.wording import alike, choice, found, nearest, number, unknown
from simulator.scenario.document import Document, Fault
from simulator.scenario.language import Language, declared_goods, model_of
from simulator.scenario.remedies import by_name_alone, elsewhere, line, reshaped, sample, with_a_number
from simulator.scenario.schema import ScenarioFile
from simulator.schedulers.table import SCHEDULERS, plans
from simulator.slips import ADVICE, called_here, instead, meant

M = TypeVar("M", bound=Entry)


def known_of(document: Document) -> Known:
    """What is known of a document before its parts are read."""
    known, data = document.plugins.known, document.data
    scheduler = data.get("scheduler")
    consumers = data.get("consumers")
    entries = [entry for entry in consumers if isinstance(entry, dict)] if isinstance(consumers, list) else []
    flows = [data.get("supply"), *(entry.get("endowment") for entry in entries)]
    amounts = [amount for flow in flows if isinstance(flow, dict) for amount in flow.values()]
    positive = [float(x) for x in amounts if isinstance(x, int | float) and not isinstance(x, bool) and 0 < x < 1e300]
    known.goods, known.compiled = declared_goods(data), document.compiled
    known.scale = median(positive) if positive else 1.0
    kind = scheduler.get("kind", "tatonnement") if isinstance(scheduler, dict) else scheduler or "tatonnement"
    # Under a scheduler that is not known nothing can be said of how a program's firms plan.
    known.plans = plans(kind) and not (document.compiled and str(kind) not in SCHEDULERS)
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


def validate_as(document: Document, model: type[M]) -> M | None:
    """What a document that is no scenario says, as a `model`; None where it has faults, which are left in
    `document.faults`.
    """
    found = _faults(document, model, document.data, (), Known())
    if isinstance(found, model):
        return found
    document.faults.extend(found)
    return None


def _faults(document: Document, model: type[Entry], data: Any, path: Steps, context: Known) -> Any:
    """The model of data, or what is wrong with them."""
    language = Language(document, ScenarioFile if path else model)
    known = {fault.path for fault in document.faults if fault.path[: len(path)] == path}
    faults = [fault for fault in _nothings(language, data, path) if fault.path not in known]
    try:
        sound = model.model_validate(data, context=context)
    except ValidationError as error:
        known.update(fault.path for fault in faults)
        for details in error.errors(include_url=False, include_context=True):
            fault = fault_of(language, {**details, "loc": (*path, *details["loc"])}, len(faults) < MAX_SUGGESTIONS)
            if not any(fault.path[:length] in known for length in range(1, len(fault.path) + 1)):
                faults.append(fault)
    else:
        if not faults and not known:
            return sound
    # Of a key by another name it is enough to say so: it is not missing too.
    named = {
        (*fault.path[:-1], guess[1]) for fault in (*faults, *document.faults) if (guess := _NAMED.search(fault.message))
    }
    return [fault for fault in dict.fromkeys(faults) if fault.spot != "parent" or fault.path not in named]


@cache
def item_of(model: type[Entry], name: str) -> TypeAdapter[Any]:
    """What reads the value of a field."""
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
        return self.read(item_of(model, name), value)

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
_LENGTHS = {"too_long": ("max_length", "at most"), "too_short": ("min_length", "at least")}
_NAMED = re.compile(r"^unknown key .*; did you mean (\w+)\?$")
_QUOTED_WORD = re.compile(r"'([^']*)'")


def fault_of(language: Language, details: dict[str, Any], suggest: bool) -> Fault:
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
        return _unknown_key(language, path, str(location[-1]), suggest)
    if kind == "literal_error":
        choices = _QUOTED_WORD.findall(str(context.get("expected", "")))
        return Fault(path, choice(value, choices or [str(context.get("expected", "")).lower()]))
    if kind in ("shape", "union_tag_not_found"):
        guess = _written(value, details["msg"]) if isinstance(value, str) else None
        guess = guess or reshaped(language, path, value, details["msg"])
        return Fault(path, f"found {found(value)}; expected {details['msg']}{meant(guess)}")
    if kind in _LENGTHS and isinstance(value, list) and context.get("min_length") != 1:
        key, words = _LENGTHS[kind]
        return Fault(path, f"found a list of {context['actual_length']}; expected {words} {context[key]}", spot)
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return Fault(path, f"found {found(value)}; expected {words} {number(context[key])}", spot)
    otherwise = "a number" if "int" in kind or "float" in kind else " ".join(str(details["msg"]).split())
    expected = _EXPECTED.get(kind, otherwise)
    if kind == "list_type" and (choices := language.choices((*path, 0))):
        expected = f"a list of {', '.join(choices)}"
    guess = reshaped(language, path, value, expected) if suggest else None
    return Fault(path, f"found {found(value)}; expected {expected}{meant(guess)}", spot)


def _unknown_key(language: Language, path: Steps, word: str, suggest: bool) -> Fault:
    """A key that its mapping does not know: what it is called here, or where it belongs, or what is misspelt in it."""
    above, value = path[:-1], language.document.at(path)
    (key_word, keys), holder = language.keys_at(above), language.document.at(above)
    guess: str | None = None
    if suggest and isinstance(holder, dict):
        if whole := _inside_out(language, above, cast("dict[str, Any]", holder), key_word, keys):
            return Fault(above, whole)
        guess = called_here(word, keys) or instead("key", word) or elsewhere(language, above, word, value)
        guess = guess or alike(word, keys)
    return Fault(path, unknown(key_word, word, keys, suggest=False) + meant(guess), "key")


def _inside_out(language: Language, path: Steps, holder: dict[str, Any], key_word: str, keys: list[str]) -> str | None:
    """What is wrong with a mapping that names its kind by a key, or in which goods stand where their table belongs."""
    if key_word == "kind":
        named = next((key for key in ("kind", "type", "name", "form") if isinstance(holder.get(key), str)), None)
        kind = nearest(str(holder[named]), keys) if named else None
        if named and kind:
            return f"found {named}: {holder[named]}; expected the kind as a key{meant(sample(language, path, kind))}"
    strangers = {key: value for key, value in holder.items() if key not in keys}
    if strangers and all(key in language.goods for key in strangers):
        tables = [key for key in keys if any(get_origin(each) is dict for each in language.at((*path, key)))]
        if tables:
            names = ", ".join(strangers)
            strangers = {key: 1 if isinstance(value, str) else value for key, value in strangers.items()}
            return f"found {names} among the keys; expected them in a table{meant(line({tables[0]: strangers})[1:-1])}"
    return None


def _nothings(language: Language, value: Any, path: Steps = ()) -> Iterator[Fault]:
    """Keys without a value: only a good may be written so."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _nothings(language, item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _nothings(language, item, (*path, at))
    elif value is None and language.at(path) and not (len(path) == 2 and path[0] == "goods"):
        guess = instead("key", str(path[-1])) or by_name_alone(str(path[-1]))
        # The key is right where it stands.
        guess = None if guess and guess.startswith(ADVICE) else guess
        yield Fault(path, f"found nothing; expected {language.meaning(path)}{meant(guess)}")


def _written(word: str, expected: str) -> str | None:
    """What of `a, {b: number} or c` a misspelt kind is probably meant to be, as it is written there."""
    ways = {way.lstrip("{").partition(":")[0]: way for way in re.split(r", (?![^{]*\})| or ", expected)}
    guess = nearest(word, ways)
    return (with_a_number(guess) or ways[guess]) if guess else None
