"""The keys of what an economy may be made of: a program, or a table of accounts."""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Literal

from pydantic import Field

from simulator.kinds.entry import Amount, Entry, Name

Names = Annotated[list[Name], Field(min_length=1)]


class ProgramText(Entry):
    """A program, and how it becomes a supply chain."""

    text: str = Field(description="the program: assignments, def, and for over a range")
    per: Literal["operation", "statement"] = Field("operation", description="what becomes a firm")
    copiers: bool = Field(False, description="firms make copies of what is read more than once")


class Accounts(Entry):
    """What the accounts of a table are."""

    activities: Names = Field(description="who makes goods; each account is a good and the firms that bring it")
    factors: Names = Field(description="what activities use and households own, such as capital and labour")
    households: Names = Field(description="who owns the factors")
    government: Name | None = Field(None, description="who receives taxes")
    investment: Name | None = Field(None, description="who receives saving, and buys with it")
    world: Name | None = Field(None, description="who sells imports and buys exports; its good is foreign exchange")
    indirect_tax: Name | None = Field(None, description="taxes on what activities make")
    tariff: Name | None = Field(None, description="taxes on what activities import")

    def named(self) -> list[tuple[str, int | None, str]]:
        """Every account: what it is, its place where there may be several, and its name."""
        said: dict[str, list[str] | str | None] = {kind: getattr(self, kind) for kind in Accounts.model_fields}
        return [
            *(
                (kind, at, name)
                for kind, names in said.items()
                if isinstance(names, list)
                for at, name in enumerate(names)
            ),
            *((kind, None, name) for kind, name in said.items() if isinstance(name, str)),
        ]

    def among(self, names: Container[str | None]) -> Accounts:
        """Those whose names are among these."""
        return self.model_copy(
            update={
                kind: [name for name in said if name in names]
                if isinstance(said, list)
                else said
                if said in names
                else None
                for kind, said in self
            }
        )


class Elasticities(Entry):
    """How far one thing replaces another; 1 are fixed shares of spending, 0 fixed proportions."""

    value_added: Amount = Field(1.0, description="of one factor for another")
    intermediates: Amount = Field(0.0, description="of intermediate goods for each other and for value added")
    armington: Amount = Field(2.0, description="of imports for what is made at home")
    transformation: Amount = Field(2.0, description="of exports into what is sold at home")
    household: Amount = Field(1.0, description="of one good for another in households")


class Closure(Entry):
    """What is given, and what follows; there is one way each."""

    investment: Literal["savings_driven"] = Field("savings_driven", description="investment is what is saved")
    world: Literal["fixed_foreign_saving"] = Field(
        "fixed_foreign_saving", description="the world lends a fixed amount of foreign exchange"
    )
    government: Literal["fixed_shares"] = Field("fixed_shares", description="what it buys are fixed shares of spending")


class Calibrate(Entry):
    """An economy that reproduces a social accounting matrix."""

    sam: Annotated[str, Field(min_length=1)] = Field(
        description="a CSV file, square: first column and first line name the accounts; rows receive, columns pay"
    )
    accounts: Accounts = Field(description="what each account is")
    elasticities: Elasticities = Field(
        default_factory=lambda: Elasticities.model_validate({}), description="how far one thing replaces another"
    )
    closure: Closure = Field(default_factory=lambda: Closure.model_validate({}), description="what is given")
