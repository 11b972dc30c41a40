"""What a scenario says of an event: contracts that pay 1 in one outcome each, who believes what, and how it ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from simulator.kinds.entry import DIRICHLET, MAPPING, Amount, Entry, GoodName, Name
from simulator.kinds.numbers import GoodsDirichlet, table_shape
from simulator.scenario.run_keys import TickNumber

Belief = Annotated[
    Annotated[dict[GoodName, Amount], Tag(MAPPING)] | Annotated[GoodsDirichlet, Tag(DIRICHLET)],
    Discriminator(table_shape),
]


class Contingent(Entry):
    """An event, and its outcomes: a good is named as each, and pays 1 if it comes true."""

    event: Name = Field(description="what the event is called")
    outcomes: Annotated[list[Name], Field(min_length=2)] = Field(
        description="what may come true; a contract on each is a good of that name"
    )


class Settlement(Entry):
    """When the event happens, and how: contracts are paid after the trades of that tick."""

    tick: TickNumber = Field(description="the last tick in which contracts are traded; they are paid after it")
    outcome: GoodName = Field(description="the outcome that comes true: its contracts pay 1, all others nothing")
