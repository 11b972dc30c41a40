"""The keys of `run`: how long, how exactly, and what is kept."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from simulator.kinds.entry import Entry, GoodName, Name, Positive, Whole

TableName = Literal["trajectory", "ticks", "agents", "wedges", "taxes", "equilibrium", "distribution", "welfare"]
TickNumber = Annotated[Whole, Field(ge=0, le=10**15)]


class Run(Entry):
    """How long, how exactly and what to record."""

    ticks: TickNumber = Field(1000, description="largest number of price adjustments")
    tolerance: Positive = Field(1e-6, description="largest relative excess demand that counts as cleared")
    seed: Annotated[Whole, Field(ge=0, lt=2**64)] = Field(0, description="seed of every random stream")
    record_every: Annotated[Whole, Field(ge=1, le=10**15)] = Field(
        1, description="ticks from one recorded row to the next"
    )
    references: Literal["on", "off"] = Field("on", description="compute gradient path, adjoint and equilibrium")
    diagnostics: TickNumber = Field(
        1, description="ticks from one look at how the market is out of equilibrium to the next; 0: never"
    )
    engine: Literal["auto", "floats", "arrays", "compiled"] = Field(
        "auto", description="what ticks are worked out in; auto: floats in small economies, arrays in others"
    )
    stop: Literal["verdict", "never"] = Field("verdict", description="verdict: once cleared or diverged; never: run on")
    tables: list[TableName] = Field(
        default_factory=lambda: [*get_args(TableName)], description="the CSVs that are written, and worked out"
    )
    goods: Annotated[list[GoodName], Field(min_length=1)] | None = Field(
        None, description="the goods that CSVs have rows of; none: all of them"
    )
    agents: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="the entries of firms and consumers that CSVs have rows of; none: all of them"
    )
    members: dict[Name, Annotated[list[TickNumber], Field(min_length=1)]] = Field(
        default_factory=dict[str, list[int]], description="entries whose agents differ: ticks that members.csv tells of"
    )
    format: Literal["csv", "parquet"] = Field(
        "csv", description="what the tables of a finished run are; parquet is made of the CSVs when it ends"
    )
    goes_on: str | None = Field(
        None, alias="from", description="the checkpoint (state.npz) of a finished run that this one goes on from"
    )
