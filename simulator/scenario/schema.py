"""What a scenario may say: every key with its type, default and meaning; and pydantic's complaints in our words.

The models judge each value by itself. What several values must satisfy together (a good that exists, shares that sum to
at most 1) is judged in `build`. The order of the fields is the order of the resolved scenario.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError

from simulator.scenario.document import Document, Fault, Steps, compose_value, found, plain, quoted, scalar, shown

DEFAULT_FLOOR = 1e-12
MAX_SUGGESTIONS = 200
"""Complaints after which nobody is helped by one more guess, and a hostile file would only gain time."""


MAPPING, LIST, TEXT, NUMBER = "\0mapping", "\0list", "\0text", "\0number"
"""Marks of union members by their shape, as they stand in pydantic's locations; no key of a scenario can be one."""


def _whole(value: object) -> object:
    """`1e4` is a whole number too."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _shape(value: object) -> str | None:
    """Which alternative of a union a value takes, by its shape."""
    if isinstance(value, dict):
        return MAPPING
    if isinstance(value, list):
        return LIST
    if isinstance(value, str):
        return TEXT
    if isinstance(value, int | float) and not isinstance(value, bool):
        return NUMBER
    return None


def _share_shape(value: object) -> str | None:
    return None if isinstance(value, str) and value != "equal" else _shape(value)


def _piece_shape(value: object) -> str | None:
    return None if isinstance(value, str) and value != "relative" else _shape(value)


NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Whole = Annotated[int, BeforeValidator(_whole)]
Amounts = dict[str, Amount]


class Entry(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)
    key_word: ClassVar[str] = "key"


class Good(Entry):
    """A good and its market."""

    price: Amount | None = Field(
        None, description="initial price, numeraire per unit (default 1); 0 only under additive"
    )
    fixed_price: Positive | None = Field(
        None, description="a price that never moves; the good is rationed like any other"
    )
    floor: Amount = Field(DEFAULT_FLOOR, description="the price is projected here when a rule would take it lower")


class CES(Entry):
    """CES utility: elasticity with shares, or weights with elasticity or rho = 1 - 1/elasticity."""

    elasticity: Positive | None = Field(None, description="elasticity of substitution; 1 is Cobb-Douglas")
    rho: Annotated[float, Field(lt=1)] | None = Field(
        None, description="exponent in (sum w x^rho)^(1/rho), with weights"
    )
    shares: Amounts | None = Field(None, description="spending shares at equal prices")
    weights: Amounts | None = Field(None, description="weights w in (sum w x^rho)^(1/rho)")


class QuasiLinear(Entry):
    """Utility of goods plus money."""

    key_word: ClassVar[str] = "kind"
    log: Amounts | None = Field(None, description="weights w in sum w ln(x) + money")


class Utility(Entry):
    """One kind of utility with its parameters."""

    key_word: ClassVar[str] = "kind"
    cobb_douglas: Amounts | None = Field(None, description="prod x^a with spending shares a")
    ces: CES | None = Field(None, description="(sum w x^rho)^(1/rho)")
    leontief: Amounts | None = Field(None, description="min x/a with amounts a per unit of utility")
    quasilinear: QuasiLinear | None = Field(None, description="utility of goods plus money")


class Firm(Entry):
    """A price-taking firm."""

    name: Name = Field(description="name, unique among firms and consumers")
    makes: str = Field(description="technology, 'good = formula of goods', strictly concave")


Share = Annotated[
    Annotated[Amount, Tag(NUMBER)] | Annotated[Literal["equal"], Tag(TEXT)],
    Discriminator(_share_shape, custom_error_type="shape", custom_error_message="a share (number) or equal"),
]


class Consumer(Entry):
    """A consumer."""

    name: Name = Field(description="name, unique among firms and consumers")
    utility: Utility = Field(description="what the consumer wants")
    endowment: Amounts = Field(default_factory=dict[str, float], description="quantities owned anew every tick")
    budget: Amount | None = Field(
        None, description="money received per tick; a quasi-linear consumer without one is unlimited"
    )
    owns: dict[str, Share] = Field(
        default_factory=dict[str, float | Literal["equal"]],
        description="shares of firms' profits; equal: what others leave, divided evenly among those who say so",
    )
    savings: bool = Field(False, description="keep the unspent part of the budget for later ticks")


class EveryTick(Entry):
    """Trade in every tick, rationed out of equilibrium."""

    rationing: Literal["proportional"] = Field("proportional", description="how the short side is shared out")
    spoilage: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="part of the unsold stock lost per tick; default 1, or 0 with inventories"
    )
    inventories: bool | None = Field(None, description="keep unsold goods in stock (default: if spoilage is below 1)")


class Trade(Entry):
    """A kind of trade with its options."""

    key_word: ClassVar[str] = "kind"
    every_tick: EveryTick | None = Field(None, description="goods and money move in every tick")


class Piece(Entry):
    """One piece of a price rule."""

    key_word: ClassVar[str] = "kind"
    relative: Literal[True] | None = Field(
        None, description="divide excess demand by max(demand, supply); additive only"
    )
    clip: Positive | None = Field(None, description="no step larger than this")
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = Field(None, description="part of the last step carried on")


PieceOrName = Annotated[
    Annotated[Literal["relative"], Tag(TEXT)] | Annotated[Piece, Tag(MAPPING)],
    Discriminator(
        _piece_shape, custom_error_type="shape", custom_error_message="relative, {clip: limit} or {momentum: decay}"
    ),
]


class Scheduler(Entry):
    """What moves prices."""

    kind: Literal["tatonnement"] = Field("tatonnement", description="prices move along planned excess demand")
    form: Literal["additive", "multiplicative"] = Field(
        "multiplicative", description="additive: p += rate z; multiplicative: p *= exp(rate z / max(demand, supply))"
    )
    rate: Positive = Field(0.1, description="size of a price step")
    pieces: list[PieceOrName] = Field(
        default_factory=list[Piece | Literal["relative"]], alias="with", description="pieces the price rule is made of"
    )


class Run(Entry):
    """How long, how exactly and what to record."""

    ticks: Annotated[Whole, Field(ge=0, le=10**15)] = Field(1000, description="largest number of price adjustments")
    tolerance: Positive = Field(1e-6, description="largest relative excess demand that counts as cleared")
    seed: Annotated[Whole, Field(ge=0, lt=2**64)] = Field(0, description="seed of every random stream")
    record_every: Annotated[Whole, Field(ge=1, le=10**15)] = Field(
        1, description="ticks from one recorded row to the next"
    )
    references: Literal["on", "off"] = Field("on", description="compute gradient path, adjoint and equilibrium")
    stop: Literal["verdict", "never"] = Field("verdict", description="end at the verdict, or at the last tick only")


Outcome = Literal["cleared", "cycled", "diverged", "settled_off_equilibrium", "out_of_ticks"]


class ScenarioFile(Entry):
    """A market: goods, who makes and wants them, and how prices move."""

    name: Name | None = Field(
        None, description="name of the scenario and of its output folder (default: the file's stem)"
    )
    goods: Annotated[
        Annotated[list[Name], Field(min_length=1), Tag(LIST)]
        | Annotated[dict[Name, Good | None], Field(min_length=1), Tag(MAPPING)],
        Discriminator(_shape, custom_error_type="shape", custom_error_message="a list of names or a mapping of goods"),
    ] = Field(description="the goods, by name alone or with their market's details")
    numeraire: str | None = Field(None, description="the good whose price stays 1; none: every price moves")
    outside: dict[str, Positive] = Field(
        default_factory=dict[str, float], description="goods the outside world trades in any amount, at this price"
    )
    supply: Amounts = Field(
        default_factory=dict[str, float], description="quantities that arrive every tick, owned by nobody"
    )
    initial_prices: Amounts = Field(default_factory=dict[str, float], description="prices at tick 0 (default 1)")
    firms: list[Firm] = Field(default_factory=list[Firm], description="who makes goods out of goods")
    consumers: list[Consumer] = Field(default_factory=list[Consumer], description="who wants goods")
    trade: Annotated[
        Annotated[Literal["every_tick", "at_equilibrium"], Tag(TEXT)] | Annotated[Trade, Tag(MAPPING)],
        Discriminator(
            _shape,
            custom_error_type="shape",
            custom_error_message="every_tick, at_equilibrium or {every_tick: {...}}",
        ),
    ] = Field("every_tick", description="when goods and money change hands")
    start: Literal["stocked", "empty"] = Field(
        "stocked", description="whether firms begin with one tick of output in stock"
    )
    scheduler: Scheduler = Field(default_factory=lambda: Scheduler.model_validate({}), description="what moves prices")
    run: Run = Field(
        default_factory=lambda: Run.model_validate({}), description="how long, how exactly and what to record"
    )
    expect: Annotated[
        Annotated[Outcome, Tag(TEXT)] | Annotated[list[Outcome], Field(min_length=1), Tag(LIST)],
        Discriminator(_shape, custom_error_type="shape", custom_error_message="an outcome or a list of outcomes"),
    ] = Field("cleared", description="how the run should end")


def validate(document: Document) -> ScenarioFile | None:
    """The scenario as typed by its author; None where the document has faults, which are left in `document.faults`."""
    known = {fault.path for fault in document.faults}
    document.faults.extend(fault for fault in _nothings(document.data) if fault.path not in known)
    try:
        model = ScenarioFile.model_validate(document.data)
    except ValidationError as error:
        known = {fault.path for fault in document.faults}
        faults: list[Fault] = []
        for details in error.errors(include_url=False, include_context=True):
            fault = _fault(cast("dict[str, Any]", details), suggest=len(faults) < MAX_SUGGESTIONS)
            if not any(fault.path[:length] in known for length in range(1, len(fault.path) + 1)):
                faults.append(fault)
        other_kind = any(fault.path == ("scheduler", "kind") for fault in faults)
        document.faults.extend(
            fault for fault in faults if not (other_kind and fault.spot == "key" and fault.path[:1] == ("scheduler",))
        )
        return None
    return None if document.faults else model


def _nothings(value: Any, path: Steps = ()) -> Iterator[Fault]:
    """Keys without a value: only a good may be written so."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _nothings(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[Any]", value)):
            yield from _nothings(item, (*path, at))
    elif value is None and _at(path) and not (len(path) == 2 and path[0] == "goods"):
        yield Fault(path, f"found nothing; expected {_meaning(path)}")


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


_NAME_RULE = "1 to 100 letters, digits, '.', '_' and '-', a letter or digit first"
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
    "string_pattern_mismatch": _NAME_RULE,
    "string_too_long": _NAME_RULE,
    "too_short": "at least one entry",
}
_BOUNDS = {
    "greater_than": ("gt", "a number above"),
    "greater_than_equal": ("ge", "a number of at least"),
    "less_than": ("lt", "a number below"),
    "less_than_equal": ("le", "a number of at most"),
}
_QUOTED_WORD = re.compile(r"'([^']*)'")


def _fault(details: dict[str, Any], suggest: bool) -> Fault:
    """A complaint of pydantic's in our words and at our path (without the marks of union members)."""
    location: tuple[str | int, ...] = details["loc"]
    spot: Literal["value", "key"] = "value"
    if location and location[-1] == "[key]":
        location, spot = location[:-1], "key"
    path: Steps = tuple(step for step in location if step not in (MAPPING, LIST, TEXT, NUMBER))
    kind, value, context = details["type"], details["input"], cast("dict[str, Any]", details.get("ctx") or {})
    if kind == "missing":
        return Fault(path, f"missing key {path[-1]}; expected {_meaning(path)}", "parent")
    if kind == "extra_forbidden":
        key_word, keys = _keys(path[:-1])
        return Fault(path, unknown(key_word, str(location[-1]), keys, suggest), "key")
    if kind == "literal_error":
        choices = _QUOTED_WORD.findall(str(context.get("expected", "")))
        return Fault(path, _choice(value, choices or [str(context.get("expected", "")).lower()]))
    if kind in ("shape", "union_tag_not_found"):
        return Fault(path, f"found {found(value)}; expected {details['msg']}")
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return Fault(path, f"found {found(value)}; expected {words} {_number(context[key])}", spot)
    expected = _EXPECTED.get(
        kind, "a number" if "int" in kind or "float" in kind else " ".join(str(details["msg"]).split())
    )
    return Fault(path, f"found {found(value)}; expected {expected}{_meant(value, expected)}", spot)


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


def _fields(model: type[Entry]) -> dict[str, Any]:
    """Keys as written in a scenario, with the type and meaning of each."""
    return {item.alias or name: item for name, item in model.model_fields.items()}


def _below(annotations: list[Any], step: str | int) -> list[Any]:
    """The types allowed one step further down; empty where the schema knows no such step."""
    allowed: list[Any] = []
    for annotation in annotations:
        origin = get_origin(annotation)
        if origin is list and isinstance(step, int):
            allowed.extend(_alternatives(get_args(annotation)[0]))
        elif origin is dict and isinstance(step, str):
            allowed.extend(_alternatives(get_args(annotation)[1]))
        elif isinstance(annotation, type) and issubclass(annotation, Entry) and step in _fields(annotation):
            allowed.extend(_alternatives(_fields(annotation)[str(step)].annotation))
    return allowed


def _model(annotations: list[Any]) -> type[Entry] | None:
    return next((single for single in annotations if isinstance(single, type) and issubclass(single, Entry)), None)


def _at(path: Steps) -> list[Any]:
    annotations: list[Any] = [ScenarioFile]
    for step in path:
        annotations = _below(annotations, step)
    return annotations


def _keys(path: Steps) -> tuple[str, list[str]]:
    model = _model(_at(path))
    return ("key", []) if model is None else (model.key_word, list(_fields(model)))


def _meaning(path: Steps) -> str:
    model = _model(_at(path[:-1]))
    item = _fields(model).get(str(path[-1])) if model is not None else None
    return str(item.description) if item is not None else "a value"


def apply_settings(document: Document, settings: Mapping[str, object]) -> None:
    """Set values by dotted path (`firms.A.makes`, `run.ticks`); text is read as YAML. Unknown paths become faults."""
    for dotted, given in settings.items():
        complaints: list[str] = []
        if isinstance(given, str):
            value, complaints = compose_value(given)
        else:
            nested: list[Fault] = []
            value = plain(given, nested)
            complaints = [fault.message for fault in nested]
        path: Steps = (dotted,)
        if not complaints:
            reached = _reach(document.data, dotted)
            if isinstance(reached, str):
                complaints = [reached]
            else:
                parent, path = reached
                parent[path[-1]] = value
                _replace_other_price(document.data, path)
        document.settings[path] = dotted
        document.faults = [fault for fault in document.faults if not path or fault.path[: len(path)] != path]
        document.faults.extend(Fault(path, message) for message in complaints)


def _replace_other_price(data: dict[str, Any], path: Steps) -> None:
    """A good's price can stand in two places; setting one is not giving the price twice."""
    other: Steps = ()
    if len(path) == 2 and path[0] == "initial_prices":
        other = ("goods", path[1], "price")
    elif len(path) == 3 and path[0] == "goods" and path[2] == "price":
        other = ("initial_prices", path[1])
    node: Any = data
    for step in other[:-1]:
        node = cast("dict[Any, Any]", node).get(step) if isinstance(node, dict) else None
    if other and isinstance(node, dict):
        cast("dict[Any, Any]", node).pop(other[-1], None)


def _reach(data: dict[str, Any], dotted: str) -> tuple[Any, Steps] | str:
    """The container and path a dotted path leads to, mappings made on the way; or what is wrong with it."""
    node: Any = data
    annotations: list[Any] = [ScenarioFile]
    path: Steps = ()
    rest = dotted
    if dotted.endswith("."):
        return f"unknown path {quoted(dotted)}; expected a name after the last dot"
    while True:
        step, after, names = _step(node, annotations, rest)
        if step is None:
            return _unknown_path(dotted, rest, names)
        annotations = _below(annotations, step)
        path = (*path, step)
        if not after:
            return node, path
        held = node[step] if isinstance(step, int) else node.get(step)
        node[step] = _opened(held, annotations, path)
        if node[step] is None:
            node[step] = held
            return f"unknown path {quoted(dotted)}; expected to end at {quoted(dotted[: -len(after) - 1])}"
        node, rest = node[step], after


def _opened(held: Any, annotations: list[Any], path: Steps) -> Any:
    """What is held at a step, as something with steps of its own; None where the schema allows none there."""
    shapes = {get_origin(single) for single in annotations}
    mapping = dict in shapes or _model(annotations) is not None
    if path == ("goods",) and isinstance(held, list):
        return {name: None for name in cast("list[Any]", held) if isinstance(name, str)}
    if (isinstance(held, dict) and mapping) or (isinstance(held, list) and list in shapes):
        return cast("Any", held)
    if mapping:
        return {held: {}} if isinstance(held, str) and held in _keys(path)[1] else {}
    return [] if list in shapes else None


def _step(node: Any, annotations: list[Any], rest: str) -> tuple[str | int | None, str, list[str]]:
    """The longest first step of a dotted path that exists or may exist, what follows it, and the names there are."""
    if isinstance(node, list):
        places: dict[str, int] = {}
        names: list[str] = []
        for at, entry in enumerate(cast("list[Any]", node)):
            name: Any = cast("dict[str, Any]", entry).get("name") if isinstance(entry, dict) else None
            names.append(name if isinstance(name, str) else str(at))
            places[names[-1]] = at
        for at in range(len(names)):
            places.setdefault(str(at), at)
        first = _leading(rest, places)
        return (None, "", names) if first is None else (places[first], rest[len(first) + 1 :], [])
    model = _model(annotations)
    names = (
        [name for name in cast("dict[Any, Any]", node) if isinstance(name, str)] if model is None else [*_fields(model)]
    )
    first = _leading(rest, names)
    if first is None and model is None and _model(_below(annotations, rest)) is None:
        first = rest
    return (first, rest[len(first) + 1 :], []) if first else (None, "", names)


def _leading(rest: str, names: Iterable[str]) -> str | None:
    return max((name for name in names if rest == name or rest.startswith(f"{name}.")), key=len, default=None)


def _unknown_path(dotted: str, rest: str, names: list[str]) -> str:
    before = dotted[: len(dotted) - len(rest)]
    first, _, after = rest.partition(".")
    message = unknown("path", dotted, names)
    guess = nearest(first, names)
    message = message.split("; did you mean")[0]
    return message + (f"; did you mean {before}{guess}{'.' if after else ''}{after}?" if guess else "")
