"""What a scenario says of tatonnement: its keys, and what does not go together."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, WithJsonSchema

from simulator.dynamics import trial
from simulator.dynamics.price_rules import PIECES, RECIPES, PriceRule, Recipe
from simulator.economics.clearing import BOTTOM, bottom
from simulator.economics.forms import Array
from simulator.kinds.entry import Chosen, Complaint, OneOf, Positive, Steps, refusal
from simulator.kinds.wording import number, shown, unknown
from simulator.records.columns import ACTIVITY_TICKS, TRADE_TICKS
from simulator.schedulers.scheduler import Findings, SchedulerSettings, Setup
from simulator.schedulers.tatonnement import Tatonnement
from simulator.slips import meant

SCALINGS, TURNS = ("relative", "own_slope"), ("sequential", "random_order", "bernoulli")
"""Pieces of a price rule of which there can be one."""
BY_JACOBIAN = ("newton", "symplectic", "consensus")
"""Pieces that go by the whole Jacobian, in the unit of the step."""
AT_ONCE = ("extragradient", "averaging", "anderson", *BY_JACOBIAN)
"""Pieces that need all prices to move at once."""


def _known_rule(rule: str) -> str:
    if rule not in RECIPES:
        piece = f"; {rule} is a piece: scheduler: {{with: [...]}}" if rule in PIECES else ""
        raise refusal(Complaint((), unknown("rule", rule, RECIPES, not piece) + piece))
    return rule


RuleName = Annotated[str, AfterValidator(_known_rule), WithJsonSchema({"type": "string", "enum": [*RECIPES]})]
PieceOrName = Annotated[Chosen[Any], OneOf("rule_pieces", "Piece", PIECES, plain=True)]


class TatonnementSettings(SchedulerSettings):
    """Prices move along planned excess demand."""

    meaning = "prices move along planned excess demand z = demand - supply, in the way of a rule (see rules)"
    columns: ClassVar = {"ticks": (*ACTIVITY_TICKS, *TRADE_TICKS)}

    kind: Literal["tatonnement"] = Field("tatonnement", description="prices move along planned excess demand")
    form: Literal["additive", "multiplicative"] = Field(
        "multiplicative", description="additive: p += rate z; multiplicative: p *= exp(rate z / max(demand, supply))"
    )
    rate: Positive = Field(0.1, description="size of a price step; see form for its unit")
    rule: RuleName | None = Field(None, description="a famous rule by name: form and pieces (simulator list rules)")
    pieces: list[PieceOrName] = Field(
        default_factory=list[Chosen[Any]], alias="with", description="pieces the price rule is made of"
    )

    @property
    def recipe(self) -> Recipe | None:
        """The famous rule, if it is named."""
        return None if self.rule is None else RECIPES.get(self.rule)

    @property
    def multiplicative(self) -> bool:
        """Whether steps are in the logarithms of prices."""
        return (self.recipe.form if self.recipe else self.form) != "additive"

    def resolved(self) -> dict[str, Any]:
        if self.rule is not None:
            return {"kind": self.kind, "rule": self.rule, "rate": self.rate}
        pieces = [piece.written for piece in self.pieces]
        return {"kind": self.kind, "form": self.form, "rate": self.rate, "with": pieces}

    def price_rule(self, floor: Array, fixed: NDArray[np.bool_], seed: int) -> PriceRule:
        if self.recipe is not None:
            return PriceRule(self.recipe.form, self.rate, self.recipe.pieces, floor, fixed, seed)
        for place, (name, piece, _) in enumerate(self.pieces):
            if name not in PIECES:
                trial.piece(piece, f"scheduler.with.{place}", len(floor), self.multiplicative)
        return PriceRule(self.form, self.rate, tuple(piece.kind for piece in self.pieces), floor, fixed, seed)

    def build(self, setup: Setup) -> Tatonnement:
        nothing = bottom(setup.rule.floor, setup.initial_prices)
        return Tatonnement(setup.rule, setup.trade, setup.tolerance, nothing, setup.engine)

    def refuse(self, findings: Findings) -> None:
        self.refuse_rule(findings)
        _not_negative(findings)
        _rival(findings)

    def refuse_rule(self, findings: Findings) -> None:
        """Complain about pieces that do not go together."""
        written = findings.written("scheduler")
        for key in ("form", "with") if "rule" in written and findings.sound("scheduler", "rule") else ():
            if key in written:
                guess = meant(f"scheduler: {{rule: {written['rule']}, rate: {written.get('rate', 0.1)}}}")
                message = f"found {key} beside rule; expected one of them: a rule has a form and pieces{guess}"
                findings.fault(("scheduler", key), message, "key")
        before: list[str] = []
        for at, piece in enumerate(self.pieces or ()):
            if findings.sound("scheduler", "with", at):
                self._among(findings, ("scheduler", "with", at), piece.name, before)
                before.append(piece.name)

    def _among(self, findings: Findings, path: Steps, name: str, before: list[str]) -> None:
        """What a piece may not say, or stand beside or behind."""
        given = findings.written(*path).get("delay")
        if isinstance(given, dict) and set(given) == {"own"}:
            guess = meant(f"{{own: {given['own']}, neighbours: 0}}")
            findings.fault((*path, "delay"), f"found own without neighbours; expected the ages of both{guess}")
        for group in (SCALINGS, TURNS):
            if name in group and sum(other in group for other in before) == 1:
                listed = f"{', '.join(group[:-1])} and {group[-1]}"
                findings.fault(path, f"found a second of {listed}; expected one of them")
        if name == "relative" and findings.sound("scheduler", "form") and self.form != "additive":
            message = "found relative; expected it under additive only (multiplicative already contains it)"
            findings.fault(path, message)
        turned = next((other for other in before if other in BY_JACOBIAN), None)
        if name in SCALINGS and turned:
            message = f"found {name} after {turned}; expected it before: {turned} goes by the unit of the step"
            findings.fault(path, message)
        if "extragradient" in before and name not in TURNS:
            message = f"found {shown(name)} after extragradient; expected extragradient as the last piece"
            findings.fault(path, message)
        waits, whole = (next((x for x in (*before, name) if x in group), None) for group in (TURNS, AT_ONCE))
        if waits and whole and name in (waits, whole):
            message = f"found {waits} beside {whole}; expected one of them: {whole} moves all prices at once"
            findings.fault(path, message)


def _not_negative(findings: Findings) -> None:
    """Flows and prices below 0 mean something in programs alone."""
    model = findings.model
    amounts: dict[Steps, Any] = {("supply", good): x for good, x in (model.supply or {}).items()}
    amounts |= {("initial_prices", good): x for good, x in (model.initial_prices or {}).items()}
    amounts |= {("goods", good, "price"): market.price for good, market in model.markets.items()}
    for path, amount in amounts.items():
        if amount is not None and amount < 0:
            owed = " (what has to be delivered is a consumer's endowment below 0)" if path[0] == "supply" else ""
            findings.fault(path, f"found {number(amount)}; expected a number of at least 0{owed}")


def _rival(findings: Findings) -> None:
    """Each user of a good that is not rival has a price of its own, which no one price can be."""
    model = findings.model
    brought = set(model.supply or ()).union(*(firm.outputs for firm in findings.firms.values()))
    brought.update(*(consumer.endowment or () for consumer in findings.consumers.values()))
    for good, market in model.markets.items():
        if market.rival is not False:
            continue
        if good == model.numeraire:
            findings.fault(("numeraire",), f"found {shown(good)}, which is not rival; expected a good with one price")
        if market.fixed_price is not None:
            message = "found a fixed price of a good that is not rival; expected none: each user has its own"
            findings.fault(("goods", good, "fixed_price"), message, "key")
        for key in ("floor", "cap"):
            if (bound := getattr(market, key)) is not None and bound > BOTTOM * (market.price or 1.0):
                message = f"found a {key} of a good that is not rival; expected none: each user has a price of its own"
                findings.fault(("goods", good, key), message, "key")
        if good in (model.outside or ()) and good not in brought:
            message = f"found {shown(good)}, which is not rival and which nobody makes, owns or supplies"
            advice = "expected somebody who does: the outside is one more user of it"
            findings.fault(("outside", good), f"{message}; {advice}", "key")
