"""Formulas as fields of a scenario: read once, where they stand, and kept as what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from simulator.formulas.concavity import judge
from simulator.formulas.epigraph import dips, grows_without_end, has_best_plan, is_concave
from simulator.formulas.formula import Formula, FormulaError, parse, sides
from simulator.kinds.entry import Complaint, Known, Mark, refusal
from simulator.kinds.names import name_fault
from simulator.kinds.wording import quoted
from simulator.slips import instead, meant


@dataclass(frozen=True)
class Makes:
    """`good = formula`: the goods made, and the formula of those used; `text` as it was written."""

    text: str
    outputs: tuple[str, ...]
    formula: Formula
    kinked: bool = False
    """Whether it is concave with kinks or straight parts."""


class _Text(Mark):
    """Marks a field that is read from a text and written as one."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string"}

    def written(self, value: Any) -> str:
        return value.text

    def read(self, value: object, info: ValidationInfo) -> Any:
        if isinstance(value, Formula | Makes):
            return value
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "text")
        return self.parsed(value, Known.of(info))

    def parsed(self, text: str, known: Known) -> Any:
        return formula_of(text, text, 0, known, "found a formula without goods; expected at least one")


class _Makes(_Text):
    def parsed(self, text: str, known: Known) -> Makes:
        outputs, right = sides(text)
        wrong = [good for good in outputs if name_fault(good)]
        if wrong or not outputs:
            advice = "expected 'good = formula' with one good on the left, or 'one = other = formula' of joint products"
            used = set(re.findall(r"[^\W\d]\w*", text))
            makes = next((good for good in known.goods or () if good not in used), None) if not outputs else None
            lone = text.strip() in (known.goods or ())
            whole = makes and (f"{text.strip()} = {makes}^0.5" if lone else f"{makes} = {text}")
            guess = meant(instead("makes", text.strip()) or whole)
            raise refusal(Complaint((), f"found {quoted(wrong[0] if wrong else text)}; {advice}{guess}"))
        twice = next((good for good in outputs if outputs.count(good) > 1), None)
        if twice is not None:
            raise refusal(Complaint((), f"found {quoted(twice)} twice on the left; expected it once"))
        advice = f"expected at least one good (a constant flow is supply: {{{outputs[0]}: 1}})"
        without = f"found a formula without inputs; {advice}"
        begin = len(text) - len(right)
        formula = formula_of(text, right, begin, known, without, outputs)
        kinked = known.plans and has_best_plan(formula)
        if known.plans and not kinked:
            _must_be_concave(text, formula, known, begin)
        return Makes(text, outputs, formula, kinked)


FormulaText = Annotated[Formula, _Text()]
MakesText = Annotated[Makes, _Makes()]


def formula_of(text: str, right: str, begin: int, known: Known, without: str, outputs: tuple[str, ...] = ()) -> Formula:
    """The formula that a text ends with, from the character `begin` on, of goods that there are."""
    apart = _taken_apart(right, begin, known)
    try:
        formula = parse(right)
    except FormulaError as error:
        raise refusal(*(apart or [Complaint((), error.message, offset=begin + error.offset)])) from None
    if not formula.variables:
        raise refusal(Complaint((), without, offset=begin if outputs else None))
    named = [(good, text, 0) for good in outputs] + [(good, right, begin) for good in formula.variables]
    complaints = [
        Complaint((), said, offset=start + (_place(where, good) or 0))
        for good, where, start in named
        if (said := known.stranger(good)) is not None
    ]
    if complaints:
        raise refusal(*(apart or complaints))
    return formula


def _taken_apart(right: str, begin: int, known: Known) -> list[Complaint]:
    """What is wrong with the names of goods that a formula spells out and takes for several."""
    advice = "which a formula takes for several names; expected a good without '.' and '-' in its name, such as"
    return [
        Complaint((), f"found {quoted(good)}, {advice} {re.sub('[.-]', '_', good)}", offset=begin + place)
        for good in known.goods or ()
        if re.search("[.-]", good) and (place := _place(right, good)) is not None
    ]


def _must_be_concave(text: str, formula: Formula, known: Known, offset: int) -> None:
    verdict = judge(formula, known.scale)
    if not verdict.strictly_concave:
        said = verdict.sentence.rstrip(".")
        if formula.has_kinks and not verdict.proven:
            said = _with_kinks(formula) or said
        grows = grows_without_end(formula)
        why = "profit has no maximum at some prices" if grows else "a price taker's plan leaps where returns rise"
        advice = f"{why}; expected returns that diminish in all inputs jointly, such as y = x^0.5"
        if said.startswith("constant returns") and not known.compiled:
            advice += ", or technology: power, cobb_douglas, ces or leontief, which may be constant"
        guess = meant("scheduler: {kind: marginal_bids}" if known.compiled else instead("power", text))
        raise refusal(Complaint((), f"{said}: {advice}{guess}", offset=offset))


def _with_kinks(formula: Formula) -> str | None:
    """What is wrong with a formula that has kinks, where that can be shown."""
    if is_concave(formula):
        return "marginal products never fall to 0"
    ends = [
        ", ".join(f"{good} = {x:.3g}" for good, x in zip(formula.variables, end, strict=True)) for end in dips(formula)
    ]
    return f"half-way between {' and '.join(ends)} it makes less than at both on average" if ends else None


def _place(formula: str, name: str) -> int | None:
    match = re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", formula)
    return match.start() if match else None
