"""What to write instead of what a scenario says: values in the shape that is expected, keys where they belong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from simulator.dynamics.behaviours import BEHAVIOURS
from simulator.dynamics.price_rules import PIECES, RECIPES
from simulator.kinds.entry import Steps, required
from simulator.kinds.names import NAME_RULE
from simulator.kinds.technologies import TECHNOLOGIES
from simulator.kinds.traders import WANTS
from simulator.kinds.utilities import QUASILINEAR
from simulator.kinds.wording import nearest
from simulator.scenario.document import scalar
from simulator.scenario.language import Language, fields_of, is_entry, model_of
from simulator.scenario.rewrite import on_one_line
from simulator.schedulers.table import by_kind
from simulator.slips import called_here, instead

TABLES: dict[str, Any] = {"utility": WANTS, "quasilinear": QUASILINEAR, "technology": TECHNOLOGIES}
"""The kinds that say how they are written, by the key they stand under."""

ALONE: dict[str | int, str] = {"run": "ticks", "scheduler": "rate", "hidden": "firms", "compare": "gradient_path"}
"""What a number or word alone is in the place of a mapping."""
FROM_AFAR = ("scheduler", "run", "trade", "compare")
"""The sections whose keys are looked for wherever somebody writes them."""
EACH, ANY = "[]", "*"
"""Steps of a way through the schema: an entry of a list, a name of the user's own."""
OPEN = "OPEN"
"""Stands for a value that nobody has said."""
MOST_STEPS, LONGEST = 3, 90
Way = tuple[str, ...]


def line(value: Any) -> str:
    """A value as it may be typed, on one line; of a long one its outline, of one that nobody types nothing."""
    if len(repr(value)) > 20 * LONGEST:
        return ""
    text = on_one_line(value)
    if len(text) > LONGEST and isinstance(value, dict):
        return "{" + ", ".join(f"{on_one_line(key)}: {_outline(item)}" for key, item in list(value.items())[:4]) + "}"
    return f"[{', '.join(map(_outline, value[:2]))}, ...]" if len(text) > LONGEST and isinstance(value, list) else text


def _outline(value: Any) -> str:
    text = line(value)
    return text if 0 < len(text) <= LONGEST else "{...}" if isinstance(value, dict) else "..."


def ways(language: Language) -> list[Way]:
    """Every way from the top of a scenario to a key that the schema knows, as far as `MOST_STEPS` names go."""

    def below(annotations: list[Any], way: Way) -> Iterator[Way]:
        if len([step for step in way if step not in (EACH, ANY)]) >= MOST_STEPS:
            return
        for single in annotations:
            mark, inner = {list: (EACH, 0), dict: (ANY, 1)}.get(get_origin(single) or single, ("", 0))
            if mark:
                yield from below(language.alternatives(get_args(single)[inner]), (*way, mark))
            elif is_entry(single):
                for key, item in fields_of(single).items():
                    yield (*way, key)
                    yield from below(language.alternatives(item.rebuild_annotation()), (*way, key))

    return sorted(below([language.model], ()), key=len)


def belongs(language: Language, path: Steps, word: str) -> Way | None:
    """The way from the top to where a key belongs that has no place at a path: by there, if there is one."""
    known = ways(language)
    key = called_here(word, dict.fromkeys(way[-1] for way in known))
    found = [way for way in known if way[-1] == key]
    afar = (way for way in found if way[0] in FROM_AFAR or (not path and way[0] in ("firms", "consumers")))
    return next((way for way in found if _below(way, path)), next((way for way in afar if path or way[1:]), None))


def elsewhere(language: Language, path: Steps, word: str, value: Any) -> str | None:
    """What to write where a key belongs that has no place at a path."""
    way = belongs(language, path, word)
    if way is None:
        return None
    way = way[len(path) :] if _below(way, path) else way
    written: Any = OPEN if value is None else value
    for step in reversed(way):
        written = [written] if step == EACH else {next(iter(language.goods), "x") if step == ANY else step: written}
    return line(written)[1:-1].replace(OPEN, "...")


def by_name_alone(kind: str) -> str | None:
    """The name of a piece or behaviour that needs no parameters, in the place of `{name}`."""
    kinds: dict[str, type] = {**PIECES, **BEHAVIOURS}
    return kind if kind in kinds and not required(kinds[kind]) else None


def with_a_number(kind: str) -> str | None:
    """A piece or behaviour of one parameter with a number for it."""
    known: dict[str, Any] = {**PIECES, **BEHAVIOURS}
    if kind not in known or not (first := required(known[kind])):
        return None
    whole = get_type_hints(known[kind])[first[0]] is int
    return line({kind: 100 if kind in ("warmup", "cosine") else 1 if whole else 0.5})


def _below(way: Way, path: Steps) -> bool:
    """Whether a way goes by a place of the document, and more than a step further."""
    return len(way) > len(path) + 1 and all(
        step == here or step == (EACH if isinstance(here, int) else ANY) for step, here in zip(way, path, strict=False)
    )


def reshaped(language: Language, path: Steps, value: Any, expected: str) -> str | None:
    """What to write instead of a value of another shape than is expected."""
    if isinstance(value, str) and (re.match("a (whole )?number", expected) or expected == "true or false"):
        guess = instead("truth" if expected == "true or false" else "number", value.strip())
        return None if expected == "a whole number" and guess and re.match(r"\{|\S*\.", guess) else guess
    if expected.startswith("a list"):
        return _as_list(language, path, value)
    if expected.startswith("a mapping"):
        return _as_mapping(language, path, value)
    if expected == NAME_RULE and isinstance(value, str):
        return instead("name", value)
    if expected.startswith("an outcome") and isinstance(value, dict) and len(value) == 1:
        return line(*value.values())
    if expected.startswith("a layer"):
        return _as_mapping(language, path, value)
    if expected == "text" and isinstance(value, list) and len(value) == 1:
        return line(value[0])
    if expected == "text" and isinstance(value, dict) and len(value) == 1:
        ((left, right),) = value.items()
        if path[0] == "goods":
            return line({"goods": {left: right if isinstance(right, dict) else {"price": right}}})[1:-1]
        return f'"{left} = {right}"' if path[-1] == "makes" else None
    return None


def _as_list(language: Language, path: Steps, value: Any) -> str | None:
    if isinstance(value, str):
        words = re.split(r"\s*[,;]\s*|\s+|(?<=\d)-(?=\d)", value.strip())
        if choices := language.choices((*path, 0)):
            known = [word for each in words if (word := nearest(each, choices))]
            return line(known) if len(known) == len(words) else None
        return line(list(map(scalar, words)))
    if not isinstance(value, dict) or not value:
        return line([value]) if value else None
    if all(isinstance(item, int | float) for item in value.values()) and path[-1] != "with":
        return line(list(value.values()))
    if dashed := next((key for key in value if key.startswith("-")), None):
        return instead("key", dashed)
    model = model_of(language.below(language.at(path), 0))
    if model is not None and model.key_word == "kind":
        return line([{key: item} for key, item in value.items()])
    if "name" not in value and value and all(isinstance(item, dict) for item in value.values()):
        return line([{"name": key, **item} for key, item in value.items()])
    return line([value])


def _as_mapping(language: Language, path: Steps, value: Any) -> str | None:
    allowed, goods = language.at(path), language.goods
    by_name = [get_args(single)[1] for single in allowed if get_origin(single) is dict]
    # What is listed by name is no amount of a good.
    lists = [item for item in by_name if get_origin(getattr(item, "__origin__", item)) is list]
    by_good = bool(by_name) and not lists
    if lists and (named := [value] if isinstance(value, str) else value) and isinstance(named, list):
        return line({name: [1] for name in named}) if all(isinstance(name, str) for name in named) else None
    if isinstance(value, list) and value:
        if all(isinstance(item, dict) for item in value):
            merged = {key: item for entry in value for key, item in entry.items()}
            return line(merged) if len(merged) == sum(map(len, value)) else None
        if by_good and all(isinstance(item, str) for item in value):
            return line(dict.fromkeys(value, 1))
        if by_good and len(value) == len(goods):
            return line(dict(zip(goods, value, strict=True)))
        model = model_of(allowed)
        needed = [key for key, item in fields_of(model).items() if item.is_required()] if model else []
        if len(value) == len(needed):
            return line(dict(zip(needed, value, strict=True)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        named = next(step for step in reversed(path) if isinstance(step, str))
        keys = [ALONE[named]] if named in ALONE else goods[:5] if by_good else []
        return line(dict.fromkeys(keys, value)) if keys else None
    if isinstance(value, str):
        return _of_word(language, path, value)
    return None


def _of_word(language: Language, path: Steps, word: str) -> str | None:
    """A mapping in the place of a word: the kind that it names, or what it is a formula of."""
    if path == ("compare",):
        return line({ALONE["compare"]: word})
    if path == ("scheduler",):
        if kind := nearest(word, by_kind()):
            return line({"kind": kind})
        rule = nearest(word, RECIPES)
        return line({"rule": rule} if rule else {"with": [word]}) if rule or by_name_alone(word) else None
    model = model_of(language.at(path))
    if model is not None and model.key_word == "kind":
        kinds = fields_of(model)
        called = re.fullmatch(r"(\w+) *\(([^()]*)\)", word)
        if kind := nearest(called[1] if called else word, kinds):
            written = re.split(r"[\s,]+", called[2]) if called else []
            return sample(language, path, kind, [good for good in language.goods if good in written])
        if "formula" in kinds and re.search(r"[-+*/^()]", word):
            return line({"formula": word})
    firms = language.document.data.get("firms")
    named = [entry.get("name") for entry in firms if isinstance(entry, dict)] if isinstance(firms, list) else []
    return line({word: 1}) if word in (named if path[-1] == "owns" else language.goods) else None


def sample(language: Language, path: Steps, kind: str, named: Sequence[str] = ()) -> str:
    """A kind at a path with its parameters, written for the goods `named`, or those of the scenario."""
    goods = named or language.goods or ["x", "y"]
    example = getattr(TABLES.get(str(path[-1]), {}).get(kind), "example", "...")
    table = line(dict.fromkeys(goods[:3], 1))
    return f"{{{kind}: {example.replace('GOODS', table).replace('FIRST', goods[0]).replace('LAST', goods[-1])}}}"
