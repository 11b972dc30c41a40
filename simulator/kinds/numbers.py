"""Numbers of a scenario that may differ from agent to agent: drawn, read from a column of a CSV file, or shares drawn
together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    Discriminator,
    Field,
    PrivateAttr,
    RootModel,
    Tag,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from simulator.kinds.distributions import DISTRIBUTIONS, Array, Distribution
from simulator.kinds.entry import (
    DIRICHLET,
    MAPPING,
    NUMBER,
    Amount,
    Chosen,
    Complaint,
    Entry,
    GoodName,
    Known,
    Mark,
    Positive,
    Steps,
    number_or_mapping,
    refusal,
)
from simulator.kinds.wording import number


@dataclass(frozen=True)
class Bound:
    """What a drawn number must satisfy: finite, `least` (or above it where `strict`), below `under`, at most `most`."""

    least: float = -np.inf
    strict: bool = False
    under: float = np.inf
    most: float = np.inf

    def holds(self, values: Array) -> NDArray[np.bool_]:
        """Which of the values are within, elementwise."""
        above = values > self.least if self.strict else values >= self.least
        return np.isfinite(values) & above & (values < self.under) & (values <= self.most)

    @property
    def expected(self) -> str:
        """In words."""
        if np.isinf(self.least):
            return "finite numbers"
        least = f"above {self.least:g}" if self.strict else f"of at least {self.least:g}"
        least = least if np.isfinite(self.least) else "that are finite"
        below = f" and below {self.under:g}" if np.isfinite(self.under) else ""
        return f"numbers {least}{below}" + (f" and at most {self.most:g}" if np.isfinite(self.most) else "")


class Draw(Entry):
    """A number that differs from agent to agent: drawn from a distribution, or read from a column of a CSV file."""

    key_word: ClassVar[str] = "distribution"
    csv: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="a CSV file with a row per agent, its path from the scenario's folder"
    )
    column: str | None = Field(None, description="the column of the CSV file, by its name in the first line")
    times: float = Field(1.0, description="what is drawn is multiplied by this")
    plus: float = Field(0.0, description="added to that")
    _bound: Bound = PrivateAttr(Bound())

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [*self.distributions, *([] if self.csv is None else [self.csv])]
        if len(given) != 1:
            raise PydanticCustomError("shape", "a number or one distribution")
        if (self.csv is None) != (self.column is None):
            missing = "csv" if self.csv is None else "column"
            raise refusal(Complaint((), f"found no {missing}; expected {{csv: file, column: name}}"))
        return self

    @property
    def distributions(self) -> dict[str, Distribution]:
        """What it is drawn from, by name."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name not in Draw.model_fields}
        return {name: kind for name, kind in given.items() if kind is not None}

    @property
    def bound(self) -> Bound:
        """What every number must satisfy."""
        return self._bound

    def within(self, bound: Bound) -> Self:
        """The same, of numbers that must satisfy a bound."""
        self._bound = bound
        return self

    @property
    def written(self) -> dict[str, Any]:
        """As plain data: the distribution first, without what changes nothing."""
        dumped = self.model_dump(exclude_none=True)
        idle = {"times": 1.0, "plus": 0.0}
        names = [*self.distributions, *Draw.model_fields]
        return {name: dumped[name] for name in names if name in dumped and idle.get(name) != dumped[name]}


class DrawnFrom(Mark):
    """Marks a field that holds a draw from any distribution of a table."""

    def __init__(self, table: Mapping[str, type[Distribution]]) -> None:
        self.table = table

    def models(self, known: Known, value: Any = None) -> list[type[Draw]]:
        """What a value may be read as."""
        return [draw_model(tuple(self.table.items()))]

    def read(self, value: object, info: ValidationInfo) -> Draw:
        if isinstance(value, Draw):
            return value
        (model,) = self.models(Known.of(info))
        return model.model_validate(value, context=info.context)


@cache
def draw_model(rows: tuple[tuple[str, type[Any]], ...]) -> type[Draw]:
    """A draw from one of the distributions given."""
    kinds: dict[str, Any] = {name: (kind | None, Field(None, description=kind.meaning)) for name, kind in rows}
    return create_model("Draw", __base__=Draw, __doc__=Draw.__doc__, **kinds)


_OR_DRAWN = Discriminator(number_or_mapping)
Drawn = Annotated[Draw, DrawnFrom(DISTRIBUTIONS), Tag(MAPPING)]


def bounded(bound: Bound) -> AfterValidator:
    """Marks a number that must satisfy a bound also where it is drawn."""
    return AfterValidator(lambda value: value.within(bound) if isinstance(value, Draw) else value)


def _not_increasing(value: float | Draw) -> float | Draw:
    if not isinstance(value, Draw) and value > 1:
        advice = "increasing returns, of which a price taker makes nothing or no end; expected at most 1"
        raise refusal(Complaint((), f"found {number(value)}: {advice}"))
    return value


AT_LEAST_0, ABOVE_0 = Bound(0.0), Bound(0.0, strict=True)
AnyAmount = Annotated[Annotated[Amount, Tag(NUMBER)] | Drawn, _OR_DRAWN, bounded(AT_LEAST_0)]
AnyPositive = Annotated[Annotated[Positive, Tag(NUMBER)] | Drawn, _OR_DRAWN, bounded(ABOVE_0)]
AnyRho = Annotated[Annotated[float, Field(lt=1), Tag(NUMBER)] | Drawn, _OR_DRAWN, bounded(Bound(under=1.0))]
Returns = Annotated[
    Annotated[Positive, Tag(NUMBER)] | Drawn,
    _OR_DRAWN,
    AfterValidator(_not_increasing),
    bounded(Bound(0.0, strict=True, most=1.0)),
]
AnyNumber = Annotated[Annotated[float, Tag(NUMBER)] | Drawn, _OR_DRAWN, bounded(Bound())]
AnyPayment = Annotated[Annotated[float, Tag(NUMBER)] | Drawn, _OR_DRAWN, bounded(AT_LEAST_0)]
"""What is paid, below 0 what is taken; drawn it is at least 0."""
Numbers = dict[GoodName, AnyNumber]
"""Numbers of either sign by good."""
Amounts = dict[GoodName, AnyAmount]
"""Numbers by good."""
PositiveAmounts = dict[GoodName, AnyPositive]
ByName = dict[str, AnyAmount]
"""Numbers by the names of goods or nests."""


class Dirichlet(Entry):
    """Shares that add up to 1 and differ from agent to agent: around each good's part of the numbers given."""

    dirichlet: Annotated[dict[str, Positive], Field(min_length=1)] = Field(
        description="by good; the mean share is its part of the sum, the larger the sum the less agents differ"
    )


class GoodsDirichlet(Dirichlet):
    """The same of goods alone."""

    dirichlet: Annotated[dict[GoodName, Positive], Field(min_length=1)] = Field(
        description="by good; the mean share is its part of the sum, the larger the sum the less agents differ"
    )


def table_shape(value: object) -> str:
    return DIRICHLET if isinstance(value, Dirichlet) or is_dirichlet(value) else MAPPING


def is_dirichlet(given: object) -> bool:
    """Whether data are shares that are drawn together: a good may be called dirichlet too."""
    return isinstance(given, dict) and len(given) == 1 and isinstance(given.get("dirichlet"), dict)


SharesByName = Annotated[
    Annotated[ByName, Tag(MAPPING)] | Annotated[Dirichlet, Tag(DIRICHLET)], Discriminator(table_shape)
]
Shares = Annotated[
    Annotated[Amounts, Tag(MAPPING)] | Annotated[GoodsDirichlet, Tag(DIRICHLET)], Discriminator(table_shape)
]
"""Numbers by good, or shares that are drawn together."""
Table = Mapping[str, float | Draw] | Dirichlet


def amounts_in(table: Table) -> Mapping[str, float | Draw]:
    """The numbers of a table by name; of shares drawn together those that they are drawn around."""
    return table.dirichlet if isinstance(table, Dirichlet) else table


def positive(amount: float | Draw) -> bool:
    """Whether an amount is above 0, or drawn."""
    return isinstance(amount, Draw) or amount > 0


def wanted(table: Any, power: float = 1.0, path: tuple[str, ...] = ()) -> Any:
    """A table, unless none of its amounts is above 0 or they cannot be added up, raised to a power."""
    amounts = amounts_in(table)
    plain = [float(amount) for amount in amounts.values() if not isinstance(amount, Draw)]
    within = (*path, "dirichlet") if isinstance(table, Dirichlet) else path
    if not any(map(positive, amounts.values())):
        message = "found no good that is wanted; expected at least one number above 0"
        raise refusal(Complaint(within, message))
    if len(plain) == len(amounts) and not _add_up(plain, power):
        raise refusal(Complaint(within, "found numbers too large or too small to add up; expected moderate ones"))
    return table


WantedAmounts = Annotated[Amounts, AfterValidator(wanted)]
WantedShares = Annotated[Shares, AfterValidator(wanted)]


def _add_up(amounts: list[float], power: float) -> bool:
    """Whether amounts, raised to a power, add up to a number that can be divided by."""
    try:
        return 1e-300 < sum(amount**power for amount in amounts) < 1e300
    except OverflowError:
        return False


def parts_of(value: object) -> Iterator[tuple[Steps, object]]:
    """The parts of a part of a scenario, each with the steps to it."""
    if isinstance(value, Chosen):
        yield (value.name,), value.kind
    elif isinstance(value, RootModel):
        yield (), value.root
    elif isinstance(value, BaseModel):
        yield from (((item.alias or name,), getattr(value, name)) for name, item in type(value).model_fields.items())
    elif isinstance(value, dict):
        yield from (((key,), item) for key, item in value.items())


def draws_in(value: object, path: Steps = ()) -> Iterator[tuple[Steps, Draw | Dirichlet]]:
    """What is drawn or read within a part of a scenario, each with its path."""
    if isinstance(value, Draw | Dirichlet):
        yield path, value
        return
    for steps, part in parts_of(value):
        yield from draws_in(part, (*path, *steps))


def columns_drawn(value: object, goods: int) -> int:
    """How many numbers of each agent are kept for what is drawn or read within a part of a scenario."""
    if isinstance(value, Draw | Dirichlet):
        return 1 if isinstance(value, Draw) else 2 * goods
    parts = [part for _, part in parts_of(value)]
    # A table of goods has a column for each, whatever else of it is drawn.
    table = goods if isinstance(value, dict) and any(isinstance(part, Draw) for part in parts) else 0
    return table + sum(columns_drawn(part, goods) for part in parts)
