"""Numbers in a scenario that may differ from agent to agent: distributions, columns of a CSV file, drawn shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from simulator.scenario.entry import (
    DIRICHLET,
    DRAWN,
    LIST,
    MAPPING,
    NUMBER,
    TEXT,
    TRUTH,
    Amount,
    Entry,
    Positive,
    shape,
)


def _number_shape(value: object) -> str | None:
    found = shape(value)
    return found if found in (NUMBER, MAPPING) else NUMBER


def _table_shape(value: object) -> str | None:
    drawn = isinstance(value, dict) and is_dirichlet(cast("dict[str, Any]", value))
    return DIRICHLET if drawn or isinstance(value, Dirichlet) else MAPPING


class LogNormal(Entry):
    """`exp(N(mean, sigma))`."""

    mean: float = Field(description="mean of the logarithm")
    sigma: Amount = Field(description="standard deviation of the logarithm")


class Normal(Entry):
    """`N(mean, sigma)`."""

    mean: float = Field(description="mean")
    sigma: Amount = Field(description="standard deviation")


class Gamma(Entry):
    """Density `x^(shape-1) exp(-x/scale)`."""

    shape: Positive = Field(description="shape")
    scale: Positive = Field(1.0, description="scale; the mean is shape times scale")


class Beta(Entry):
    """Density `x^(a-1) (1-x)^(b-1)` from 0 to 1."""

    a: Positive = Field(description="a; the mean is a/(a+b)")
    b: Positive = Field(description="b")


class Pareto(Entry):
    """`P(X > x) = (minimum/x)^exponent`."""

    minimum: Positive = Field(description="least value")
    exponent: Positive = Field(description="exponent of the tail")


class Draw(Entry):
    """A number that differs from agent to agent: drawn from a distribution, or read from a column of a CSV file."""

    key_word: ClassVar[str] = "distribution"
    uniform: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[least, most], all as likely"
    )
    lognormal: LogNormal | None = Field(None, description="exp of a normal")
    normal: Normal | None = Field(None, description="the normal distribution")
    exponential: Positive | None = Field(None, description="the exponential distribution of this mean")
    gamma: Gamma | None = Field(None, description="the gamma distribution")
    beta: Beta | None = Field(None, description="the beta distribution")
    pareto: Pareto | None = Field(None, description="the Pareto distribution")
    choice: Annotated[list[float], Field(min_length=1)] | None = Field(None, description="one of these, all as likely")
    csv: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="a CSV file with a row per agent, its path from the scenario's folder"
    )
    column: str | None = Field(None, description="the column of the CSV file, by its name in the first line")
    times: float = Field(1.0, description="what is drawn is multiplied by this")
    plus: float = Field(0.0, description="and this is added")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [kind for kind in DISTRIBUTION_KEYS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise PydanticCustomError("shape", "a number or one distribution")
        return self


DISTRIBUTION_KEYS = tuple(key for key in Draw.model_fields if key not in ("times", "plus", "column"))


_OR_DRAWN = Discriminator(_number_shape, custom_error_type="shape", custom_error_message="a number or a distribution")
AnyAmount = Annotated[Annotated[Amount, Tag(NUMBER)] | Annotated[Draw, Tag(MAPPING)], _OR_DRAWN]
AnyPositive = Annotated[Annotated[Positive, Tag(NUMBER)] | Annotated[Draw, Tag(MAPPING)], _OR_DRAWN]
BelowOne = Annotated[float, Field(lt=1)]
AnyRho = Annotated[Annotated[BelowOne, Tag(NUMBER)] | Annotated[Draw, Tag(MAPPING)], _OR_DRAWN]
Amounts = dict[str, AnyAmount]
PositiveAmounts = dict[str, AnyPositive]


class Dirichlet(Entry):
    """Shares that add up to 1 and differ from agent to agent: around each good's part of the numbers given."""

    dirichlet: Annotated[dict[str, Positive], Field(min_length=1)] = Field(
        description="by good; the mean share is its part of the sum, the larger the sum the less agents differ"
    )


Shares = Annotated[Annotated[Amounts, Tag(MAPPING)] | Annotated[Dirichlet, Tag(DIRICHLET)], Discriminator(_table_shape)]


def _parameter_shape(value: object) -> str | None:
    if isinstance(value, bool):
        return TRUTH
    if isinstance(value, Draw) or (isinstance(value, dict) and is_draw(cast("dict[str, Any]", value))):
        return DRAWN
    return _table_shape(value) if isinstance(value, dict | Dirichlet) else shape(value)


def is_draw(given: Mapping[str, Any]) -> bool:
    """Whether a mapping of data is a number that differs from agent to agent."""
    # A good may be called as a distribution; its amount does not look like one's parameters.
    likely = "exponential" in given or any(not isinstance(item, int | float) for item in given.values())
    return bool(given) and likely and set(given) <= set(Draw.model_fields)


def is_dirichlet(given: Mapping[str, Any]) -> bool:
    """Whether a mapping of data is shares that are drawn together: a good may be called dirichlet too."""
    return len(given) == 1 and isinstance(given.get("dirichlet"), dict)


def shares_key(ces: Mapping[str, Any]) -> str:
    """The key under which a CES says how much of what."""
    return next(key for key in ("weights", "shares", "inputs") if key in ces)


def branches(ces: Mapping[str, Any]) -> list[str]:
    """What a CES names, goods or nests, in order."""
    table: Mapping[str, Any] = ces[shares_key(ces)]
    return list(table["dirichlet"] if is_dirichlet(table) else table)


def leaves(ces: Mapping[str, Any]) -> list[str]:
    """The goods of a CES and its nests, in order."""
    nests: Mapping[str, Any] = ces.get("nests") or {}
    return [good for name in branches(ces) for good in (leaves(nests[name]) if name in nests else [name])]


Number = Annotated[Annotated[float, Tag(NUMBER)] | Annotated[Draw, Tag(MAPPING)], _OR_DRAWN]
Parameter = Annotated[
    Annotated[float, Tag(NUMBER)]
    | Annotated[str, Tag(TEXT)]
    | Annotated[bool, Tag(TRUTH)]
    | Annotated[list[Any], Tag(LIST)]
    | Annotated[dict[str, Number], Tag(MAPPING)]
    | Annotated[Draw, Tag(DRAWN)]
    | Annotated[Dirichlet, Tag(DIRICHLET)],
    Discriminator(_parameter_shape, custom_error_type="shape", custom_error_message="a parameter"),
]
Parameters = dict[str, Parameter]
"""What a kind from outside may be given: numbers, drawn or not, numbers by name, text, truths and lists."""
