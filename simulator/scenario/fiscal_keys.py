"""The keys of taxes and transfers: what comes between a user and a seller, and what consumers hand on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, Tag

from simulator.kinds.entry import LIST, MAPPING, NUMBER, TEXT, Amount, Entry, GoodName, Name, by_shape

Names = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[list[str], Field(min_length=1), Tag(LIST)],
    by_shape("a name or a list of names"),
]
Goods = Annotated[
    Annotated[GoodName, Tag(TEXT)] | Annotated[list[GoodName], Field(min_length=1), Tag(LIST)],
    by_shape("a good or a list of goods"),
]

KEPT = "consumers.NAME.utility, consumers.NAME.GOOD, firms.NAME.level, taxes.NAME.revenue or prices.GOOD"
"""What a rate can keep."""


class Adjust(Entry):
    """What a rate that adjusts keeps at a value."""

    keep: str = Field(description=f"what is kept: {KEPT}")
    at: float = Field(description="the value that it is kept at")
    start: float = Field(0.1, description="the rate at tick 0")
    speed: float = Field(0.1, description="rate += speed * (at - kept)/|at| in every tick; of either sign, never 0")


class Adjusting(Entry):
    """A rate that adjusts."""

    adjust: Adjust = Field(description="what the rate keeps at a value")


Rate = Annotated[
    Annotated[float, Tag(NUMBER)] | Annotated[Adjusting, Tag(MAPPING)],
    by_shape("a number, or {adjust: {keep: PATH, at: VALUE}}", key="adjust"),
]


class Tax(Entry):
    """A tax on what agents use, make or consume; with a rate below 0 a subsidy."""

    name: Name = Field(description="name, unique among taxes")
    on: Literal["input", "output", "sales", "consumption"] = Field(
        description="input: what firms use; output: what they make; consumption: what consumers use; sales: all use"
    )
    of: Names | None = Field(None, description="the firms or consumers whose flows are taxed (default: all)")
    good: Goods | None = Field(None, description="the good, or goods (default: all)")
    rate: Rate = Field(
        description="part of the price, below 0 a subsidy: users pay p (1 + rate), makers get p (1 - rate) (gross "
        "base) or p/(1 + rate) (net base); or what adjusts it"
    )
    base: Literal["gross", "net"] | None = Field(
        None,
        description="of a tax on output: a part of what buyers pay (gross, the default), or of what makers get (net)",
    )
    to: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[dict[str, Amount], Tag(MAPPING)],
            by_shape("a consumer or {consumer: share}"),
        ]
        | None
    ) = Field(None, description="who receives the revenue, or in which shares; what is left leaves the economy")

    @property
    def first_rate(self) -> float:
        """The rate before the first tick."""
        return self.rate.adjust.start if isinstance(self.rate, Adjusting) else self.rate

    @property
    def shares(self) -> dict[str, float]:
        """The share of each consumer in the revenue."""
        return {self.to: 1.0} if isinstance(self.to, str) else self.to or {}


class Worth(Entry):
    """The worth of so much of a good."""

    good: GoodName = Field(description="the good")
    amount: Amount = Field(description="how much of it")


class Transfer(Entry):
    """What consumers hand on to others in every tick, an amount or a share of their income."""

    name: Name | None = Field(None, description="name, unique among transfers, by which it is reached")
    sender: str = Field(alias="from", description="who pays, all consumers of the entry together")
    to: str = Field(description="who receives it, all consumers of the entry together")
    amount: (
        Annotated[
            Annotated[Amount, Tag(NUMBER)] | Annotated[Worth, Tag(MAPPING)],
            by_shape("an amount, or {good: GOOD, amount: so much}", key="amount"),
        ]
        | None
    ) = Field(None, description="an amount in numeraire, or the worth of so much of a good")
    share: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="a share of income: endowments, profits, revenue and transfers received"
    )


def listed_names(given: str | list[str] | None) -> list[str] | None:
    """A name, or names, as a list; None for all."""
    return [given] if isinstance(given, str) else given


class KeptPath(NamedTuple):
    """What a rate keeps, read from its path: the kind, whose it is, and the good, where there is one."""

    kind: Literal["utility", "consumption", "level", "revenue", "price"]
    name: str = ""
    good: str = ""

    @classmethod
    def of(cls, path: str, names: Mapping[str, Iterable[str]], goods: Collection[str]) -> KeptPath | None:
        """A path, of `names` by their room; None where there is no such path."""
        room, _, rest = path.partition(".")
        if room == "prices":
            return cls("price", good=rest) if rest in goods else None
        # Something comes after a name, which may itself have dots.
        name = max((each for each in names.get(room, ()) if rest.startswith(f"{each}.")), key=len, default=None)
        if name is None:
            return None
        last = rest[len(name) + 1 :]
        if (room, last) in _LAST:
            return cls(_LAST[room, last], name)
        return cls("consumption", name, last) if room == "consumers" and last in goods else None


_LAST: dict[tuple[str, str], Literal["utility", "level", "revenue"]] = {
    ("consumers", "utility"): "utility",
    ("firms", "level"): "level",
    ("taxes", "revenue"): "revenue",
}
