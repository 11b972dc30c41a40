"""What a scenario may say of a market that learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, Tag

from simulator.kinds.entry import LIST, MAPPING, NUMBER, TEXT, Entry, Name, Positive, Whole, by_shape
from simulator.kinds.wording import quoted

if TYPE_CHECKING:
    from simulator.scenario.findings import Findings

NEGATIVE = "prices of a market that learns may be negative"


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
            by_shape("a layer of firms or a list of layers"),
        ]
        | None
    ) = Field(None, description="firms that redesign their goods, from the inputs up")
    batch: Annotated[
        Annotated[Literal["all", "one"], Tag(TEXT)] | Annotated[Whole, Field(ge=1), Tag(NUMBER)],
        by_shape("all, one, or a number of patterns", "all", "one"),
    ] = Field("all", description="how many patterns are in the market at a time; each comes once in a round")

    def refuse(self, findings: Findings) -> None:
        """Complain about what has no place beside learning."""
        from simulator.dynamics.price_rules import RECIPES

        for good, market in findings.model.markets.items():
            if market.rival is False:
                message = "found rival: false beside learning; expected none: every good has one price"
                findings.fault(("goods", good, "rival"), message, "key")
        scheduler, fault = findings.model.scheduler, findings.fault
        if scheduler is None or not findings.sound("scheduler", "kind"):
            return
        if scheduler.kind != "tatonnement":
            fault(("scheduler", "kind"), f"found {quoted(scheduler.kind)} beside learning; expected tatonnement")
            return
        scheduler.refuse_rule(findings)
        form = findings.written("scheduler").get("form")
        if scheduler.recipe is None and form != "additive" and findings.sound("scheduler", "form"):
            path = ("scheduler",) if form is None else ("scheduler", "form")
            fault(path, f"found {form or 'no form'}; expected form: additive: {NEGATIVE}")
        elif scheduler.recipe is not None and scheduler.multiplicative:
            fitting = ", ".join(name for name, recipe in RECIPES.items() if recipe.form == "additive")
            message = f"found {scheduler.rule}, which is multiplicative; expected an additive rule, one of {fitting}"
            fault(("scheduler", "rule"), f"{message}: {NEGATIVE}")
