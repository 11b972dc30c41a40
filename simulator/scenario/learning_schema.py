"""What a scenario may say of a market that learns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from simulator.scenario.entry import LIST, MAPPING, NUMBER, TEXT, Entry, Name, Positive, Whole, shape


def _batch_shape(value: object) -> str | None:
    return None if isinstance(value, str) and value not in ("all", "one") else shape(value)


class Patterns(Entry):
    """What bundles contain, and how much of each is ordered; a row each, inline or in a CSV file."""

    inputs: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="columns that say what is in a bundle (default: all but the target)"
    )
    target: Name | None = Field(None, description="column that says how much is ordered, or under logit which contract")
    rows: Annotated[list[Annotated[dict[Name, float], Field(min_length=1)]], Field(min_length=1)] | None = Field(
        None, description="the patterns"
    )
    csv: Annotated[str, Field(min_length=1)] | None = Field(None, description="file with the patterns, a header above")
    dataset: Literal["digits"] | None = Field(
        None, description="handwritten digits of 8 by 8 pixels, ink from 0 to 1 (needs scikit-learn: the digits extra)"
    )
    test: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="part of the patterns that is held out, as much of each contract, to be decided only"
    )


class Hidden(Entry):
    """A layer of firms that design their goods."""

    firms: Annotated[Whole, Field(ge=1, le=100_000)] = Field(description="how many")
    activation: Literal["tanh", "relu", "sigmoid"] = Field("tanh", description="how a design fills bundles")
    rate: Positive = Field(0.1, description="step of a design along marginal revenue")


class Learning(Entry):
    """Orders for bundles, who fills them, and who makes what is in them."""

    patterns: Patterns = Field(description="what is in the bundles, and what is ordered")
    supply: Literal["linear", "all_or_nothing", "logit"] = Field("linear", description="how orders are filled")
    hidden: (
        Annotated[
            Annotated[Hidden, Tag(MAPPING)] | Annotated[list[Hidden], Field(min_length=1), Tag(LIST)],
            Discriminator(
                shape, custom_error_type="shape", custom_error_message="a layer of firms or a list of layers"
            ),
        ]
        | None
    ) = Field(None, description="firms that redesign their goods, from the inputs up")
    batch: Annotated[
        Annotated[Literal["all", "one"], Tag(TEXT)] | Annotated[Whole, Field(ge=1), Tag(NUMBER)],
        Discriminator(
            _batch_shape, custom_error_type="shape", custom_error_message="all, one, or a number of patterns"
        ),
    ] = Field("all", description="how many patterns are in the market at a time; each comes once in a round")
