"""What every part of a scenario is made of: mappings of known keys, names and numbers, and a choice of one kind.

A part is checked where it is read: pydantic's context is what is `Known` of the scenario by then, and what a validator
of ours complains of (`refusal`) has a place below the part it is about.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar, cast, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Tag,
    ValidationError,
    ValidationInfo,
    create_model,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from simulator.kinds.names import MOST_LETTERS, NAME_PATTERN, name_fault
from simulator.kinds.wording import listed, one_of, unknown
from simulator.slips import called_here

Steps = tuple[str | int, ...]
Spot = Literal["value", "key", "parent"]
T = TypeVar("T")

MAPPING, LIST, TEXT, NUMBER, TRUTH, DIRICHLET = "\0mapping", "\0list", "\0text", "\0number", "\0truth", "\0dirichlet"
MARKS = (MAPPING, LIST, TEXT, NUMBER, TRUTH, DIRICHLET)
"""Marks of union members by their shape, as they stand in pydantic's locations; no key of a scenario can be one."""

MAX_SUGGESTIONS = 200
"""Complaints after which nobody is helped by one more guess, and a hostile file would only gain time."""


class Entry(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, defer_build=True, extra="forbid")
    key_word: ClassVar[str] = "key"


class Root(RootModel[T], Generic[T]):
    """A kind whose parameters are one value, with no step of its own in a path."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


@dataclass
class Known:
    """What is known of a scenario before its parts are read: its `goods` (None where they cannot be read), the size of
    a typical flow, whether firms plan, whether they are `compiled` from a program, and more `kinds` by group and name.
    """

    goods: Mapping[str, object] | None = None
    scale: float = 1.0
    plans: bool = True
    compiled: bool = False
    kinds: Mapping[str, Mapping[str, type]] = field(default_factory=dict[str, Mapping[str, type]])
    guesses: int = MAX_SUGGESTIONS

    @classmethod
    def of(cls, info: ValidationInfo) -> Known:
        """What a validator is told."""
        return info.context if isinstance(info.context, cls) else cls()

    def stranger(self, name: str) -> str | None:
        """What is wrong with the name of a good."""
        if self.goods is None or name in self.goods:
            return None
        self.guesses -= 1
        return unknown("good", name, self.goods, self.guesses > 0)


class Complaint(NamedTuple):
    """What is wrong at a place below the part that complains; `offset` counts characters into a text."""

    path: Steps
    message: str
    spot: Spot = "value"
    offset: int | None = None


def refusal(*complaints: Complaint) -> ValidationError:
    """An error for a validator to raise."""
    return ValidationError.from_exception_data(
        "refused",
        [
            InitErrorDetails(
                type=PydanticCustomError("said", "{message}", {"message": message, "spot": spot, "offset": offset}),
                loc=path,
                input=None,
            )
            for path, message, spot, offset in complaints
        ],
    )


def shape(value: object) -> str | None:
    """Which alternative of a union a value takes, by its shape; a model is the mapping that it was read from."""
    if isinstance(value, dict | BaseModel):
        return MAPPING
    if isinstance(value, list):
        return LIST
    if isinstance(value, str):
        return TEXT
    if isinstance(value, bool):
        return TRUTH
    return NUMBER if isinstance(value, int | float) else None


def by_shape(expected: str, *words: str, key: str = "") -> Discriminator:
    """Tells the members of a union, tagged by their shapes; a text is one of the `words`, if there are any, and a
    mapping has the `key`, or one that means it.
    """

    def kind(value: object) -> str | None:
        found = shape(value)
        if key and isinstance(value, Mapping):
            named = [str(each) for each in cast("Mapping[object, object]", value)]
            return found if any(each == key or called_here(each, [key]) for each in named) else None
        return None if (words and found == TEXT and value not in words) or found == TRUTH else found

    return Discriminator(kind, custom_error_type="shape", custom_error_message=expected)


def _whole(value: object) -> object:
    """`1e4` is a whole number too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _name(name: str) -> str:
    if fault := name_fault(name):
        raise refusal(Complaint((), fault))
    return name


def _good(name: str, info: ValidationInfo) -> str:
    if stranger := Known.of(info).stranger(name):
        raise refusal(Complaint((), stranger))
    return name


Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=MOST_LETTERS), AfterValidator(_name)]
GoodName = Annotated[str, AfterValidator(_good)]
"""The name of a good, refused where the scenario has no such good."""
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Whole = Annotated[int, BeforeValidator(_whole)]


class Chosen(NamedTuple, Generic[T]):
    """One kind of a table: its name, the kind itself, and how it is written in a resolved scenario."""

    name: str
    kind: T
    written: Any


class Form(NamedTuple):
    """A plain dataclass as it was read, and how it was written."""

    made: Any
    written: Any


class Mark(ABC):
    """Marks a field that is read, and written again, by code of its own."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(self.written)
        return core_schema.with_info_plain_validator_function(self.read, serialization=written)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"choice": self}

    @abstractmethod
    def read(self, value: object, info: ValidationInfo) -> Any:
        """What a value means."""

    def written(self, value: Any) -> Any:
        """How it is written in a resolved scenario."""
        return value.written


class OneOf(Mark):
    """Marks a field that holds one kind of a table, or of those that a scenario knows of the same group besides.

    Written `{name: parameters}`, or by its `name` alone if it has `plain` kinds, dataclasses without required fields.
    """

    def __init__(self, group: str, title: str, table: Mapping[str, type], *, plain: bool = False) -> None:
        self.group, self.title, self.table, self.plain = group, title, table, plain

    def rows(self, known: Known) -> dict[str, type]:
        """Every kind there is, by name."""
        return {**self.table, **known.kinds.get(self.group, {})}

    def models(self, known: Known, value: Any = None) -> list[type[Entry]]:
        """The mapping of one known key that a kind is written as."""
        return [_choice(self.title, tuple(self.rows(known).items()))]

    def names(self, known: Known) -> list[str]:
        """The kinds that may be written by their names alone."""
        return [name for name, kind in self.rows(known).items() if self.plain and not required(kind)]

    def read(self, value: object, info: ValidationInfo) -> Chosen[Any]:
        known = Known.of(info)
        names, rows = self.names(known), self.rows(known)
        if isinstance(value, str) and value in names:
            return Chosen(value, rows[value](), value)
        if not isinstance(value, dict):
            if not self.plain:
                raise PydanticCustomError("model_type", "a mapping")
            ways = [*names, *(f"{{{name}: {required(kind)[0]}}}" for name, kind in rows.items() if name not in names)]
            raise PydanticCustomError("shape", "{ways}", {"ways": one_of(ways)})
        if len(value) != 1 and all(name in rows for name in value):
            several = " and ".join(value) or "an empty mapping"
            raise refusal(Complaint((), f"found {several}; expected {listed(rows)}"))
        try:
            model = self.models(known)[0].model_validate(value, context=info.context)
        except ValidationError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no reason given'}"
            raise refusal(Complaint((), f"refused by its own code: {said}")) from error
        (name,) = value
        kind = getattr(model, f"kind_{list(rows).index(name)}")
        if kind is None:
            raise refusal(Complaint((name,), "found nothing; expected its parameters"))
        if isinstance(kind, Form):
            return Chosen(name, kind.made, {name: kind.written})
        return Chosen(name, kind, {name: kind.model_dump(exclude_none=True, by_alias=True)})


def required(kind: type) -> list[str]:
    """The fields that a dataclass cannot do without."""
    return [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]


@cache
def _choice(title: str, rows: tuple[tuple[str, type], ...]) -> type[Entry]:
    """A mapping of one known key. What kinds are called are aliases: fields may not be called everything."""
    given: dict[str, Any] = {
        f"kind_{place}": (form_of(kind) | None, Field(None, alias=name, description=meaning_of(kind)))
        for place, (name, kind) in enumerate(rows)
    }
    return create_model(title, __base__=_Choice, __doc__=f"One kind of {title.lower()} with its parameters.", **given)


class _Choice(Entry):
    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    key_word: ClassVar[str] = "kind"


def meaning_of(kind: Any) -> str:
    """What a kind says of itself: its `meaning`, or the first line of its docstring."""
    return str(getattr(kind, "meaning", None) or kind.__doc__ or "a kind from outside").strip().splitlines()[0]


@cache
def form_of(kind: type) -> Any:
    """How a kind's parameters are written: as a model says, or the fields of a plain dataclass.

    Of those a dataclass that requires one may be given the number alone, which is called as it or its `number` says,
    and one without fields is given `true`.
    """
    if issubclass(kind, BaseModel):
        return kind
    model = fields_model(kind)
    if not model.model_fields:
        return Annotated[Literal[True], BeforeValidator(_yes), AfterValidator(lambda yes: Form(kind(), yes))]

    def from_fields(given: Entry) -> Form:
        values = {name: getattr(given, name) for name in type(given).model_fields}
        return Form(kind(**values), given.model_dump(exclude_none=True))

    whole: Any = Annotated[model, AfterValidator(from_fields)]
    if len(required(kind)) != 1:
        return whole
    (first,) = required(kind)
    alone = model.model_fields[first]
    number: Any = Annotated[alone.rebuild_annotation(), AfterValidator(lambda one: Form(kind(**{first: one}), one))]
    if len(model.model_fields) == 1:
        return Annotated[
            Annotated[number, Tag(NUMBER)] | Annotated[whole, Tag(MAPPING)], Discriminator(number_or_mapping)
        ]
    expected = f"{getattr(kind, 'number', first)} or {{{', '.join(model.model_fields)}}}"
    return Annotated[Annotated[number, Tag(NUMBER)] | Annotated[whole, Tag(MAPPING)], by_shape(expected)]


def number_or_mapping(value: object) -> str:
    """Tells a mapping from anything else, which is no number at worst."""
    return MAPPING if shape(value) == MAPPING else NUMBER


def _yes(value: object) -> object:
    """To Python 1 is true."""
    if value is not True:
        raise PydanticCustomError("shape", "true")
    return value


@cache
def fields_model(kind: type) -> type[Entry]:
    """The mapping of known keys that the fields of a dataclass are."""
    hints = get_type_hints(kind, include_extras=True)
    given: dict[str, Any] = {
        item.name: (hints[item.name], ... if item.default is MISSING else item.default)
        for item in fields(kind)
        if item.init
    }
    return create_model(kind.__name__, __base__=Entry, __doc__=meaning_of(kind), **given)
