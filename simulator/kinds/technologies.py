"""The kinds of technology: what a scenario says of each, and what they build."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from pydantic import Field, ValidationInfo, model_validator

from simulator.economics import forms
from simulator.economics.constant_returns import ConstantReturns
from simulator.economics.technology import HomotheticTechnology, Technology
from simulator.economics.transformation import CET
from simulator.kinds.benchmarks import ByGood, InputNest, strangers
from simulator.kinds.distributions import Array
from simulator.kinds.draws import DrawError, Reader
from simulator.kinds.entry import Amount, Complaint, Entry, GoodName, Known, Name, Positive, Root, refusal
from simulator.kinds.nests import Nest, Tree
from simulator.kinds.numbers import AnyAmount, AnyPositive, AnyRho, ByName, Draw, Returns, WantedAmounts
from simulator.kinds.wording import number

EXACTLY = 1e-12
"""Exponents whose sum differs from 1 by no more sum to 1."""
BALANCED = 1e-6
"""By what part cost and revenue of a benchmark may differ."""
INCREASING = "increasing returns, of which a price taker makes nothing or no end; expected"


class Products(NamedTuple):
    """The goods that a unit of output becomes, and how: in fixed amounts, or as prices say."""

    goods: tuple[str, ...]
    mix: CET


class TechnologyKind(Protocol):
    """What every kind of technology says and can do."""

    meaning: ClassVar[str]
    """The formula in a line."""
    example: ClassVar[str]
    """Parameters as they are written: LAST is made of FIRST."""

    def products(self) -> Products:
        """The goods made; in its place a kind from outside may have a field `output`, the one good it makes."""
        ...

    def goods(self) -> tuple[str, ...]:
        """The goods used, in the technology's order."""
        ...

    def build(self, read: Reader) -> Technology:
        """The technology of `read.count` firms; `read.goods` are the goods used."""
        ...


def products_of(kind: Any) -> Products:
    """The goods that a technology makes."""
    return kind.products() if hasattr(kind, "products") else one_each(kind.output)


def one_each(*goods: str) -> Products:
    """A unit of output that is one unit of each good."""
    ones = (1.0,) * len(goods)
    return Products(goods, CET(ones, ones, 0.0))


class _OfForm(Entry):
    """`y = A h(x)^r` with a form `h` of degree one."""

    productivity: AnyAmount = Field(1.0, description="A, the factor in front")

    def built(self, read: Reader, form: forms.Form, returns: Array, *, by_benchmark: bool = False) -> Technology:
        """The technology of a form; its level is the output, or counts benchmarks."""
        # Productivity is drawn by the firm's own name: what it is called in a scenario does not depend on the form.
        productivity = read.above.number(self.productivity, "productivity")
        constant = returns == 1.0
        if constant.any() and not constant.all():
            found = f"found constant returns for firm {int(np.argmax(constant)) + 1} and less for others"
            raise DrawError(read.path, f"{found}; expected them for all or for none: they plan in different ways")
        if constant.all() and not productivity.all():
            found = "found productivity 0 with constant returns, which makes nothing at any cost"
            raise DrawError(f"{read.above.path}.productivity", f"{found}; expected a number above 0")
        if constant.all():
            unit_output = productivity if by_benchmark else np.ones(1)
            return ConstantReturns(form, productivity, unit_output, read.count)
        return HomotheticTechnology(form, productivity, returns, read.count)


class _OfOneGood(_OfForm):
    """A technology that makes one good."""

    output: GoodName = Field(description="the good made")

    def products(self) -> Products:
        return one_each(self.output)

    def used(self, read: Reader) -> Array:
        """What each firm uses, `(rows, inputs)`. Raises `DrawError` where one uses nothing."""
        table = read.table(getattr(self, "inputs", {}), "inputs")
        if not (some := (table > 0).any(axis=1)).all():
            message = (
                f"found nothing that firm {int(np.argmin(some)) + 1} uses; expected an amount above 0 of some good"
            )
            raise DrawError(f"{read.path}.inputs", message)
        return table


class CobbDouglas(_OfOneGood):
    """`y = A prod x^a`, exponents that sum to 1 at most."""

    meaning: ClassVar[str] = "y = A prod x^a with exponents a that sum to 1 (constant returns) or less"
    example: ClassVar[str] = "{output: LAST, inputs: {FIRST: 0.5}}"
    inputs: WantedAmounts = Field(description="exponents a, by good used")

    @model_validator(mode="after")
    def _not_increasing(self) -> Self:
        total = sum(exponent for exponent in self.inputs.values() if not isinstance(exponent, Draw))
        if total > 1 + EXACTLY:
            found = f"found exponents that sum to {number(round(total, 9))}: {INCREASING} a sum of at most 1"
            raise refusal(Complaint(("inputs",), found))
        return self

    def goods(self) -> tuple[str, ...]:
        return tuple(self.inputs)

    def build(self, read: Reader) -> Technology:
        exponents = self.used(read)
        returns = exponents.sum(axis=1)
        returns = np.where(np.abs(returns - 1.0) <= EXACTLY, 1.0, returns)
        if not (returns <= 1.0).all():
            firm = int(np.argmax(returns > 1.0))
            found = f"found exponents that sum to {returns[firm]:.6g} for firm {firm + 1}"
            raise DrawError(f"{read.path}.inputs", f"{found}: {INCREASING} a sum of at most 1")
        return self.built(read, forms.CobbDouglas(exponents), returns)


class Power(CobbDouglas):
    """`y = A x^a` of one input."""

    meaning: ClassVar[str] = "y = A x^r of one input, r = 1 (constant returns) or less"

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if len(self.inputs) > 1:
            message = "found several inputs; expected one (cobb_douglas takes several)"
            raise refusal(Complaint(("inputs",), message))
        return self


class JointProducts(Entry):
    """Goods that a unit of output becomes, the more of each the higher its price."""

    transformation: Amount = Field(0.0, description="elasticity of transformation; 0 fixed proportions")
    shares: Annotated[ByGood, Field(min_length=1)] = Field(description="parts of revenue at equal prices, by good")


class CES(Tree, _OfForm):
    """`y = A h(x)^r` with CES inputs, and CET outputs."""

    meaning: ClassVar[str] = (
        "y = A h^r, h of elasticity of substitution s over inputs or nests of them, r = 1 (constant returns) or less; "
        "of joint products y is the aggregate"
    )
    example: ClassVar[str] = "{output: LAST, returns_to_scale: 0.5, elasticity: 2, inputs: {FIRST: 1}}"
    tables: ClassVar[tuple[str, ...]] = ("inputs", "shares", "weights")
    output: GoodName | None = Field(None, description="the good made")
    outputs: JointProducts | None = Field(None, description="joint products, in the place of output")
    elasticity: AnyPositive | None = Field(None, description="elasticity of substitution")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    returns_to_scale: Returns = Field(description="returns to scale r; 1 are constant")
    inputs: ByName | None = Field(None, description="cost shares at equal prices, by good or nest")
    shares: ByName | None = Field(None, description="the same as inputs")
    weights: ByName | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the inputs that are no goods stand for"
    )

    @model_validator(mode="after")
    def _makes_something(self) -> Self:
        if (self.output is None) == (self.outputs is None):
            both = "neither output nor outputs" if self.output is None else "both output and outputs"
            raise refusal(Complaint((), f"found {both}; expected one of them"))
        return self

    def products(self) -> Products:
        if self.outputs is None:
            return one_each(str(self.output))
        total = sum(self.outputs.shares.values())
        shares = tuple(share / total for share in self.outputs.shares.values())
        return Products(tuple(self.outputs.shares), CET(shares, (1.0,) * len(shares), self.outputs.transformation))

    def build(self, read: Reader) -> Technology:
        returns = read.number(self.returns_to_scale, "returns_to_scale")
        return self.built(read, self.form(read), returns)


class Leontief(_OfOneGood):
    """`y = A (min x/a)^r`."""

    meaning: ClassVar[str] = "y = A (min x/a)^r with amounts a of each input, r = 1 (constant returns) or less"
    example: ClassVar[str] = "{output: LAST, returns_to_scale: 0.5, inputs: {FIRST: 1}}"
    returns_to_scale: Returns = Field(description="returns to scale r; 1 are constant")
    inputs: WantedAmounts = Field(description="amounts a for one unit, by good used")

    def goods(self) -> tuple[str, ...]:
        return tuple(self.inputs)

    def build(self, read: Reader) -> Technology:
        form = forms.Leontief(self.used(read))
        return self.built(read, form, read.number(self.returns_to_scale, "returns_to_scale"))


class Activity(Root[Annotated[dict[GoodName, float], Field(min_length=1)]]):
    """A fixed vector of net outputs."""

    meaning: ClassVar[str] = "net outputs a unit of level: above 0 made, below 0 used (constant returns)"
    example: ClassVar[str] = "{LAST: 2, FIRST: -1}"

    @model_validator(mode="before")
    @classmethod
    def _of_goods_alone(cls, given: Any, info: ValidationInfo) -> Any:
        key = "productivity"
        if isinstance(given, dict) and key in given and Known.of(info).stranger(key):
            raise refusal(Complaint((key,), f"found {key} among the goods; expected it beside technology", "key"))
        return given

    @model_validator(mode="after")
    def _makes_goods_of_goods(self) -> Self:
        complaints = [
            Complaint((good,), "found 0; expected a number above 0 (made) or below 0 (used), or no such line")
            for good, amount in self.root.items()
            if amount == 0
        ]
        if not complaints and not self.goods():
            advice = "it would be made without end; expected what is used, or supply: {good: amount} in its place"
            complaints = [Complaint((), f"found no number below 0: {advice}")]
        if not complaints and len(self.goods()) == len(self.root):
            advice = "an activity that makes nothing never pays; expected what is made"
            complaints = [Complaint((), f"found no number above 0: {advice}")]
        if complaints:
            raise refusal(*complaints)
        return self

    def goods(self) -> tuple[str, ...]:
        return tuple(good for good, amount in self.root.items() if amount < 0)

    def products(self) -> Products:
        made = {good: amount for good, amount in self.root.items() if amount > 0}
        return Products(tuple(made), CET(tuple(made.values()), (1.0,) * len(made), 0.0))

    def build(self, read: Reader, productivity: float | Draw | None = None) -> Technology:
        """What multiplies all that is made stands beside the technology, whose keys are all goods."""
        used = np.array([[-self.root[good] for good in read.goods]])
        factor = read.above.number(1.0 if productivity is None else productivity, "productivity")
        return ConstantReturns(forms.Leontief(used), factor, factor, read.count)


class Reference(InputNest, _OfForm):
    """Nested CES inputs and CET outputs that reproduce a benchmark."""

    meaning: ClassVar[str] = (
        "nested CES inputs, CET outputs, calibrated: at a benchmark's prices its quantities are used and made"
    )
    example: ClassVar[str] = "{outputs: {LAST: 10}, inputs: {FIRST: 10}}"
    outputs: Annotated[ByGood, Field(min_length=1)] = Field(description="quantities made, by good")
    prices: ByGood = Field(default_factory=dict[str, float], description="what was paid for each input (default 1)")
    output_prices: ByGood = Field(
        default_factory=dict[str, float], description="what the maker got for each output (default 1)"
    )
    transformation: Amount = Field(0.0, description="elasticity of transformation of outputs; 0 fixed proportions")
    returns_to_scale: Annotated[Positive, Field(le=1)] = Field(1.0, description="returns to scale; 1 are constant")

    @model_validator(mode="after")
    def _in_balance(self) -> Self:
        inputs, outputs = self.goods(), tuple(self.outputs)
        complaints = [
            *strangers(self.prices, "prices", inputs, "the inputs"),
            *strangers(self.output_prices, "output_prices", outputs, "the outputs"),
        ]
        cost, revenue = self.cost(self.prices), self._mix.revenue(np.array(self._mix.prices)).item()
        expected = self.returns_to_scale * revenue
        if not complaints and abs(cost - expected) > BALANCED * expected:
            found = f"found inputs that cost {cost:.9g} and outputs worth {revenue:.9g} at the benchmark's prices"
            complaints = [Complaint((), f"{found}; expected a cost of returns_to_scale x revenue, {expected:.9g}")]
        if complaints:
            raise refusal(*complaints)
        return self

    @property
    def _mix(self) -> CET:
        benchmark = tuple(self.output_prices.get(good, 1.0) for good in self.outputs)
        return CET(tuple(self.outputs.values()), benchmark, self.transformation)

    def products(self) -> Products:
        return Products(tuple(self.outputs), self._mix)

    def build(self, read: Reader) -> Technology:
        returns = np.array([self.returns_to_scale])
        return self.built(read, self.form(read, self.prices), returns, by_benchmark=True)


TECHNOLOGIES: dict[str, type[TechnologyKind]] = {
    "power": Power,
    "cobb_douglas": CobbDouglas,
    "ces": CES,
    "leontief": Leontief,
    "activity": Activity,
    "reference": Reference,
}
FORMULA = 'y = A f(x): any strictly concave formula of the inputs (makes: "y = ...")'
"""The technology that is written by its formula alone."""
