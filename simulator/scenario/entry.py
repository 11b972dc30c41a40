"""What every part of a scenario's schema is made of: mappings of known keys, kinds, names and numbers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field
from pydantic_core import PydanticCustomError

MAPPING, LIST, TEXT, NUMBER, TRUTH = "\0mapping", "\0list", "\0text", "\0number", "\0truth"
DIRICHLET, DRAWN = "\0dirichlet", "\0drawn"
MARKS = (MAPPING, LIST, TEXT, NUMBER, TRUTH, DIRICHLET, DRAWN)
"""Marks of union members by their shape, as they stand in pydantic's locations; no key of a scenario can be one."""


def _whole(value: object) -> object:
    """`1e4` is a whole number too."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _yes(value: object) -> object:
    """To Python 1 is true."""
    if value is not True:
        raise PydanticCustomError("shape", "true")
    return value


def shape(value: object) -> str | None:
    """Which alternative of a union a value takes, by its shape; a model is the mapping that it was read from."""
    if isinstance(value, dict | BaseModel):
        return MAPPING
    if isinstance(value, list):
        return LIST
    if isinstance(value, str):
        return TEXT
    if isinstance(value, int | float) and not isinstance(value, bool):
        return NUMBER
    return None


def name_or_mapping(names: tuple[str, ...], *written: str) -> Discriminator:
    """Tells a kind by its name alone, one of `names`, from one with parameters, in one of the ways `written`."""

    def kind(value: object) -> str | None:
        return None if isinstance(value, str) and value not in names else shape(value)

    ways = [*names, *written]
    expected = ways[0] if len(ways) == 1 else f"{', '.join(ways[:-1])} or {ways[-1]}"
    return Discriminator(kind, custom_error_type="shape", custom_error_message=expected)


NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
MOST_LETTERS = 100
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=MOST_LETTERS)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Whole = Annotated[int, BeforeValidator(_whole)]
Yes = Annotated[Literal[True], BeforeValidator(_yes)]
"""What a kind without parameters may be given where kinds are written as mappings."""


class Entry(BaseModel):
    """A mapping of known keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)
    key_word: ClassVar[str] = "key"


class Choice(Entry):
    """A mapping of one known key, the kind, to its parameters."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    key_word: ClassVar[str] = "kind"
