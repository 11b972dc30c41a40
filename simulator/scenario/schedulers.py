"""What a scenario may say of how prices move: the settings of each scheduler, and what it cannot do."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import core_schema

from simulator.dynamics.price_rules import PIECES, RECIPES, PriceRule, Recipe
from simulator.kinds.entry import Chosen, Complaint, Entry, Known, OneOf, Positive, Steps, refusal
from simulator.kinds.wording import choice, number, quoted, shown, unknown
from simulator.scenario import trial

if TYPE_CHECKING:
    from simulator.kinds.distributions import Array
    from simulator.scenario.findings import Findings

SCALINGS, TURNS = ("relative", "own_slope"), ("sequential", "random_order", "bernoulli")
"""Pieces of a price rule of which there can be one."""
BY_JACOBIAN = ("newton", "symplectic", "consensus")
"""Pieces that go by the whole Jacobian, in the unit of the step."""
AT_ONCE = ("extragradient", "averaging", "anderson", *BY_JACOBIAN)
"""Pieces that need all prices to move at once."""


class SchedulerSettings(Protocol):
    """What the settings of every scheduler say and can do."""

    kind: str
    rate: float

    def resolved(self) -> dict[str, Any]:
        """As plain data with its defaults filled in."""
        ...

    def price_rule(self, floor: Array, fixed: Any, seed: int) -> PriceRule:
        """How prices move, `(markets,)` of them."""
        ...

    def refuse(self, findings: Findings) -> None:
        """Complain about what the scheduler cannot do in a scenario."""
        ...


def _known_rule(rule: str) -> str:
    if rule not in RECIPES:
        piece = f"; {rule} is a piece: scheduler: {{with: [...]}}" if rule in PIECES else ""
        raise refusal(Complaint((), unknown("rule", rule, RECIPES, not piece) + piece))
    return rule


RuleName = Annotated[str, AfterValidator(_known_rule), WithJsonSchema({"type": "string", "enum": [*RECIPES]})]
PieceOrName = Annotated[Chosen[Any], OneOf("rule_pieces", "Piece", PIECES, plain=True)]


class Tatonnement(Entry):
    """Prices move along planned excess demand."""

    kind: Literal["tatonnement"] = Field("tatonnement", description="prices move along planned excess demand")
    form: Literal["additive", "multiplicative"] = Field(
        "multiplicative", description="additive: p += rate z; multiplicative: p *= exp(rate z / max(demand, supply))"
    )
    rate: Positive = Field(0.1, description="size of a price step")
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

    def price_rule(self, floor: Array, fixed: Any, seed: int) -> PriceRule:
        if self.recipe is not None:
            return PriceRule(self.recipe.form, self.rate, self.recipe.pieces, floor, fixed, seed)
        for place, (name, piece, _) in enumerate(self.pieces):
            if name not in PIECES:
                trial.piece(piece, f"scheduler.with.{place}", len(floor), self.multiplicative)
        return PriceRule(self.form, self.rate, tuple(piece.kind for piece in self.pieces), floor, fixed, seed)

    def refuse(self, findings: Findings) -> None:
        self.refuse_rule(findings)
        _not_negative(findings)
        _rival(findings)

    def refuse_rule(self, findings: Findings) -> None:
        """Complain about pieces that do not go together."""
        written = findings.written("scheduler")
        for key in ("form", "with") if "rule" in written else ():
            if key in written:
                message = f"found {key} beside rule; expected one of them: a rule has a form and pieces of its own"
                findings.fault(("scheduler", key), message, "key")
        before: list[str] = []
        for at, piece in enumerate(self.pieces or ()):
            if findings.sound("scheduler", "with", at):
                self._among(findings, ("scheduler", "with", at), piece.name, before)
                before.append(piece.name)

    def _among(self, findings: Findings, path: Steps, name: str, before: list[str]) -> None:
        """What a piece may not stand beside or behind."""
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
            findings.fault(path, f"found {number(amount)}; expected a number of at least 0")


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
        if good in (model.outside or ()) and good not in brought:
            message = f"found {shown(good)}, which is not rival and which nobody makes, owns or supplies"
            advice = "expected somebody who does: the outside is one more user of it"
            findings.fault(("outside", good), f"{message}; {advice}", "key")


class MarginalBids(Entry):
    """Prices move towards their users' bids."""

    kind: Literal["marginal_bids"] = Field(description="prices move towards their users' bids")
    rate: Positive = Field(0.1, description="size of a price step, below 2")
    multiplicative: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _rate_alone(cls, given: Any) -> Any:
        strange = [key for key in ("form", "with", "rule") if isinstance(given, dict) and key in given]
        if strange:
            said = "found {} under marginal_bids; expected a rate alone"
            raise refusal(*(Complaint((key,), said.format(key), "key") for key in strange))
        return given

    def resolved(self) -> dict[str, Any]:
        return {"kind": self.kind, "rate": self.rate}

    def price_rule(self, floor: Array, fixed: Any, seed: int) -> PriceRule:
        return PriceRule("multiplicative", self.rate, (), floor, fixed, seed)

    def refuse(self, findings: Findings) -> None:
        """What a supply chain must be for its firms to bid: single firms with formulas, each link with one user."""
        self._no_plans(findings)
        self._firms(findings)
        if not findings.document.faults:
            self._links(findings)

    def _no_plans(self, findings: Findings) -> None:
        for key in ("trade", "start", "numeraire", "compare"):
            if key in findings.written():
                message = f"found {key} under marginal_bids; expected none: nobody plans or trades"
                findings.fault((key,), message, "key")
        if findings.sound("scheduler", "rate") and self.rate >= 2:
            message = f"found {self.rate:g}; expected a rate below 2: from there on what is paid swings ever further"
            findings.fault(("scheduler", "rate"), message)
        if findings.written().get("consumers"):
            message = "found consumers under marginal_bids; expected firms alone, and a good with an outside price"
            findings.fault(("consumers",), message, "key")
        if findings.sound("outside") and not findings.model.outside:
            findings.fault((), "found no good with an outside price; expected outside: {result: 1}")

    def _firms(self, findings: Findings) -> None:
        makers: dict[str, str] = {}
        for at, firm in findings.firms.items():
            path: Steps = ("firms", at)
            for key in ("technology", "productivity", "behaviour"):
                if key in findings.written(*path):
                    message = f"found {key} under marginal_bids; expected makes: a formula"
                    findings.fault((*path, key), message, "key")
            if firm.count not in (None, 1):
                findings.fault((*path, "count"), "found several firms under marginal_bids; expected one")
            for good in firm.makes.outputs if firm.makes is not None else ():
                if makers.setdefault(good, str(firm.name)) != firm.name:
                    advice = f"expected one (the other is {makers[good]})"
                    findings.fault((*path, "makes"), f"found a second firm that makes {shown(good)}; {advice}")
                if good in (findings.model.supply or ()):
                    message = f"found a firm that makes {shown(good)}, which is supplied too; expected one of both"
                    findings.fault((*path, "makes"), message)

    def _links(self, findings: Findings) -> None:
        model = findings.model
        users: dict[str, int] = {}
        made: dict[str, Iterable[str]] = {}
        for firm in findings.firms.values():
            made.update(dict.fromkeys(firm.outputs, firm.inputs))
            for name in firm.inputs:
                users[name] = users.get(name, 0) + 1
        try:
            TopologicalSorter(made).prepare()
        except CycleError as error:
            around = " of ".join(map(shown, reversed(error.args[1])))
            message = f"found {around}: a good that is needed to make itself; expected no loop under marginal_bids"
            findings.fault(("firms",), message, "key")
        for good, several in users.items():
            if several > 1 and model.markets[good].rival:
                advice = f"expected {{{good}: {{rival: false}}}}, or one user"
                message = f"found {several} firms that use {shown(good)} up; {advice}"
                findings.fault(("goods", good), message, "key")
            if good not in made and good not in model.supply:
                message = f"found no supply of {quoted(good)}; expected a number for each input"
                findings.fault(("supply",), message)
        for good in model.outside:
            if good not in made:
                message = f"found {shown(good)}, which no firm makes; expected a firm that does"
                findings.fault(("outside", good), message, "key")


SETTINGS: dict[str, type[Any]] = {"tatonnement": Tatonnement, "marginal_bids": MarginalBids}


class _ByKind:
    """Marks the field that holds the settings of one scheduler, told by its `kind`."""

    def models(self, known: Known, value: Any = None) -> list[type[Entry]]:
        """The settings that a value may be."""
        kind = value.get("kind", "tatonnement") if isinstance(value, dict) else None
        return [SETTINGS[kind]] if isinstance(kind, str) and kind in SETTINGS else list(SETTINGS.values())

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"choice": self}

    def _read(self, value: object, info: ValidationInfo) -> Any:
        if isinstance(value, tuple(SETTINGS.values())):
            return value
        known = Known.of(info)
        kind = value.get("kind", "tatonnement") if isinstance(value, dict) else "tatonnement"
        if not isinstance(kind, str) or kind not in SETTINGS:
            raise refusal(Complaint(("kind",), choice(kind, list(SETTINGS))))
        (model,) = self.models(known, {"kind": kind})
        return model.model_validate(value, context=info.context)


AnyScheduler = Annotated[Any, _ByKind()]
