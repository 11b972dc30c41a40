"""Values changed from outside: `--set firms.A.makes=...` by a dotted path that walks names, keys and places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, get_origin

from simulator.kinds.entry import Steps
from simulator.kinds.names import composed
from simulator.kinds.numbers import Draw, is_dirichlet
from simulator.kinds.wording import alike, quoted, unknown
from simulator.scenario.document import Document, Fault, from_data, leading, plain
from simulator.scenario.language import Language, fields_of, model_of
from simulator.scenario.remedies import ANY, EACH, belongs, line
from simulator.scenario.schema import ScenarioFile
from simulator.scenario.yaml_text import compose_value
from simulator.slips import ADVICE, called_here, instead, meant


def apply_settings(document: Document, settings: Mapping[str, object]) -> None:
    """Set values by dotted path (`firms.A.makes`, `run.ticks`); text is read as YAML. Unknown paths become faults."""
    for dotted, given in settings.items():
        faults: list[Fault] = []
        value = compose_value(given, faults) if isinstance(given, str) else plain(given, faults)
        complaints = [fault.message for fault in faults]
        path: Steps = (dotted,)
        if not complaints:
            reached = _reach(Language(document), document.data, dotted)
            if isinstance(reached, str):
                complaints = [reached]
            else:
                parent, path = reached
                parent[path[-1]] = value
                replace_other_price(document.data, path)
                complaints = _rule_beside(parent, path)
        document.settings.add(path)
        document.faults = [fault for fault in document.faults if fault.path[: len(path)] != path]
        document.faults.extend(Fault(path, message) for message in complaints)


def reached(document: Document, dotted: str) -> Steps | str:
    """The steps of a dotted path, with the places of entries in lists, or what is wrong with it."""
    found = _reach(Language(document), deepcopy(document.data), dotted)
    return found if isinstance(found, str) else found[1]


def place_of(document: Document, dotted: str) -> Steps | None:
    """The same; None where there is no such path."""
    place = reached(document, dotted)
    return None if isinstance(place, str) else place


def steps_of(document: Document, dotted: str) -> Steps:
    """The same as far as they lead."""
    shorter = dotted.rpartition(".")[0]
    return place_of(document, dotted) or (steps_of(document, shorter) if shorter else (dotted,))


def setting_meant(word: str) -> str | None:
    """The path that a word alone probably means: `run.engine` for `engine`, `supply` for itself."""
    return called_here(word, fields_of(ScenarioFile)) or _further_down(Language(from_data({})), "", word)


def replace_other_price(data: dict[str, Any], path: Steps) -> None:
    """A good's price can stand in two places; setting one is not giving the price twice."""
    match path:
        case ("initial_prices", good):
            goods = data.get("goods")
            holder, key = goods.get(good) if isinstance(goods, dict) else None, "price"
        case ("goods", good, "price"):
            holder, key = data.get("initial_prices"), good
        case ("goods", good, "fixed_price"):
            replace_other_price(data, ("goods", good, "price"))
            replace_other_price(data, ("initial_prices", good))
            return
        case _:
            return
    if isinstance(holder, dict):
        holder.pop(key, None)


def _rule_beside(scheduler: dict[str, Any], path: Steps) -> list[str]:
    """What is wrong with a rule that is set where the file gives a form or pieces."""
    beside = [key for key in ("form", "with") if path == ("scheduler", "rule") and key in scheduler]
    if not beside:
        return []
    whole = line({key: value for key, value in scheduler.items() if key in ("rule", "rate")})
    return [f"found a rule beside {' and '.join(beside)}; expected one of them; did you mean 'scheduler={whole}'?"]


def _reach(language: Language, data: dict[str, Any], dotted: str) -> tuple[Any, Steps] | str:
    """The container and path a dotted path leads to, mappings made on the way; or what is wrong with it."""
    node: Any = data
    path: Steps = ()
    rest = dotted = composed(dotted)
    annotations: list[Any] = [ScenarioFile]
    if dotted.endswith("."):
        return f"unknown path {quoted(dotted)}; expected a name after the last dot"
    while True:
        step, after, names = _step(language, node, annotations, rest)
        if step is None:
            return _unknown_path(language, dotted, rest, names)
        held = node[step] if isinstance(step, int) else node.get(step)
        annotations = language.below(annotations, step, held)
        path = (*path, step)
        if path[:1] == ("firms",) and len(path) == 2:
            after, dotted = (
                _of_technology(held, after),
                dotted[: len(dotted) - len(after)] + _of_technology(held, after),
            )
        if not after:
            return node, path
        node[step] = _opened(held, annotations, path)
        if node[step] is None:
            node[step] = held
            return f"unknown path {quoted(dotted)}; expected to end at {quoted(dotted[: -len(after) - 1])}"
        node, rest = node[step], after


def _of_technology(firm: Any, rest: str) -> str:
    """The rest of a path in a firm: its productivity stands in its technology, if it has one that is no activity."""
    technology: Any = firm.get("technology") if isinstance(firm, dict) else None
    alone = isinstance(technology, dict) and len(technology) == 1 and "activity" not in technology
    if rest.split(".")[0] != "productivity" or not alone:
        return rest
    return f"technology.{next(iter(technology))}.{rest}"


def _opened(held: Any, annotations: list[Any], path: Steps) -> Any:
    """What is held at a step, as something with steps of its own; None where the schema allows none there."""
    shapes = {get_origin(single) for single in annotations}
    mapping = dict in shapes or model_of(annotations) is not None
    if path == ("goods",) and isinstance(held, list):
        return {name: None for name in held if isinstance(name, str)}
    if (isinstance(held, dict) and mapping) or (isinstance(held, list) and list in shapes):
        return held
    if mapping:
        model = model_of(annotations)
        return {held: {}} if isinstance(held, str) and model is not None and held in fields_of(model) else {}
    return [] if list in shapes else None


def _step(language: Language, node: Any, annotations: list[Any], rest: str) -> tuple[str | int | None, str, list[str]]:
    """The longest first step of a dotted path that exists or may exist, what follows it, and the names there are."""
    if isinstance(node, list):
        given = [entry.get("name") if isinstance(entry, dict) else None for entry in node]
        names = [name if isinstance(name, str) else str(at) for at, name in enumerate(given)]
        places = {str(at): at for at in range(len(names))} | {name: at for at, name in enumerate(names)}
        first = leading(rest, places)
        return (None, "", names) if first is None else (places[first], rest[len(first) + 1 :], [])
    model = None if _is_table(node, annotations, rest) else model_of(annotations)
    names = [name for name in node if isinstance(name, str)] if model is None else [*fields_of(model)]
    first = leading(rest, names)
    if first is None and model is None and not _structured(language.below(annotations, rest)):
        first = rest
    return (first, rest[len(first) + 1 :], []) if first else (None, "", names)


def _is_table(node: Any, annotations: list[Any], rest: str) -> bool:
    """Whether a mapping that may be shares drawn together is one of numbers by good."""
    may_be = any(get_origin(single) is dict for single in annotations)
    return may_be and not is_dirichlet(node) and rest.partition(".")[0] != "dirichlet"


def _structured(annotations: list[Any]) -> bool:
    """Whether entries of these types are made of known keys: a name that is not there cannot be meant."""
    model = model_of(annotations)
    return model is not None and not issubclass(model, Draw)


def _unknown_path(language: Language, dotted: str, rest: str, names: list[str]) -> str:
    before = dotted[: len(dotted) - len(rest)]
    first, dot, after = rest.partition(".")
    guess = called_here(first, names)
    if guess is None and (advice := instead("key", first)) and advice.startswith(ADVICE):
        return unknown("path", dotted, names, suggest=False) + meant(advice)
    if guess is None:
        placed = re.sub(r"\[(\d+)\]", r".\1", dotted)
        further = placed if placed != dotted else _further_down(language, before, first)
        if further is not None:
            return unknown("path", dotted, names, suggest=False) + meant(further)
        guess = alike(first, names)
    return unknown("path", dotted, names, suggest=False) + meant(guess and f"{before}{guess}{dot}{after}")


def _further_down(language: Language, before: str, word: str) -> str | None:
    """The setting of a key that stands further down: `scheduler.rate` for `rate`."""
    way = belongs(language, tuple(before.split(".")[:-1]), word)
    if way is None or ANY in way:
        return None
    if way[0] in ("firms", "consumers"):
        return ".".join("NAME" if step == EACH else step for step in way)
    names, _, _ = ".".join(way).partition(f".{EACH}")
    return f"{names}=[{{{way[-1]}: ...}}]" if EACH in way else names
