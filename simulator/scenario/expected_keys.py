"""How a run should end, and what `simulator solve` should find: the values of `expect`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from simulator.kinds.entry import MAPPING, TEXT, Entry, Whole, by_shape

Outcome = Literal["cleared", "cycled", "diverged", "settled_off_equilibrium", "out_of_ticks"]
Expected = Literal[Outcome, "no_equilibrium"]


class Equilibria(Entry):
    """What `simulator solve` should find."""

    equilibria: Annotated[Whole, Field(ge=0)] = Field(description="how many equilibria `simulator solve` should find")


Expectation = Annotated[
    Annotated[Expected, Tag(TEXT)] | Annotated[Equilibria, Tag(MAPPING)],
    by_shape("an outcome, no_equilibrium or {equilibria: N}", key="equilibria"),
]
