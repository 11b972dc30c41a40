"""The kinds of utility: what a scenario says of each, and the tastes they build."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Protocol, Self

from pydantic import Field, ValidationInfo, model_validator

from simulator.economics import forms, linear, quasilinear, stone_geary
from simulator.economics.formula_utility import FormulaUtility, unfit
from simulator.economics.taste import Taste
from simulator.economics.utility import Homothetic
from simulator.formulas.formula import Formula
from simulator.kinds.benchmarks import Benchmark, ByGood, DemandNest, strangers
from simulator.kinds.draws import Reader
from simulator.kinds.entry import Chosen, Complaint, Entry, Known, Name, OneOf, Root, refusal
from simulator.kinds.formulas import FormulaText
from simulator.kinds.nests import Nest, Tree
from simulator.kinds.numbers import (
    AnyPositive,
    AnyRho,
    Dirichlet,
    Numbers,
    PositiveAmounts,
    SharesByName,
    WantedAmounts,
    WantedShares,
    amounts_in,
    parts_of,
    positive,
)
from simulator.kinds.wording import shown


class UtilityKind(Protocol):
    """What every kind of utility says and can do."""

    meaning: ClassVar[str]
    """The formula in a line."""
    example: ClassVar[str]
    """Parameters as they are written: GOODS is a table of goods, FIRST and LAST are two of them."""

    def build(self, read: Reader) -> Taste:
        """The taste of `read.count` consumers for `read.goods`."""
        ...


class CobbDouglas(Root[WantedShares]):
    """Spending shares by good."""

    meaning: ClassVar[str] = "prod x^a with spending shares a"
    example: ClassVar[str] = "GOODS"

    def build(self, read: Reader) -> Taste:
        return Homothetic(forms.CobbDouglas(read.table(self.root)))


class CES(Tree):
    """CES utility: elasticity with shares, or weights with elasticity or rho = 1 - 1/elasticity."""

    meaning: ClassVar[str] = "(sum a^(1/s) x^((s-1)/s))^(s/(s-1)), elasticity of substitution s; goods may be nests"
    example: ClassVar[str] = "{elasticity: 2, shares: GOODS}"
    elasticity: AnyPositive | None = Field(None, description="elasticity of substitution; 1 is Cobb-Douglas")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    shares: SharesByName | None = Field(None, description="spending shares at equal prices, by good or nest")
    weights: SharesByName | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the shares that are no goods stand for"
    )

    def build(self, read: Reader) -> Taste:
        return Homothetic(self.form(read))


class Reference(DemandNest):
    """Nested CES utility that reproduces a benchmark."""

    meaning: ClassVar[str] = "nested CES, calibrated: at a benchmark's prices, and income, its quantities are bought"
    example: ClassVar[str] = "{demand: GOODS}"
    prices: ByGood = Field(default_factory=dict[str, float], description="what was paid for each good (default 1)")

    @model_validator(mode="after")
    def _of_its_goods(self) -> Self:
        if complaints := list(strangers(self.prices, "prices", self.goods(), "the goods demanded")):
            raise refusal(*complaints)
        return self

    def build(self, read: Reader) -> Taste:
        return Homothetic(self.form(read, self.prices))


class Leontief(Root[WantedAmounts]):
    """Amounts by good."""

    meaning: ClassVar[str] = "min x/a with amounts a per unit of utility"
    example: ClassVar[str] = "GOODS"

    def build(self, read: Reader) -> Taste:
        return Homothetic(forms.Leontief(read.table(self.root)))


class Linear(Root[WantedAmounts]):
    """Values by good."""

    meaning: ClassVar[str] = "sum v x: all money goes where a unit of money buys the most value"
    example: ClassVar[str] = "GOODS"

    def build(self, read: Reader) -> Taste:
        return linear.Linear(read.table(self.root))


class Log(Root[WantedAmounts]):
    """Weights by good."""

    meaning: ClassVar[str] = "weights w in sum w ln(x) + money"
    example: ClassVar[str] = "GOODS"

    def build(self, read: Reader) -> Taste:
        return quasilinear.QuasiLinear(read.table(self.root))


class Power(Entry):
    """Inverse demand `w x^(-1/e)`."""

    meaning: ClassVar[str] = "sum w x^(1-1/e)/(1-1/e) + money"
    example: ClassVar[str] = "{elasticity: 2, weights: GOODS}"
    weights: WantedAmounts = Field(description="weights w, by good")
    elasticity: AnyPositive = Field(description="price elasticity e of demand")

    def build(self, read: Reader) -> Taste:
        elasticity = read.number(self.elasticity, "elasticity")
        return quasilinear.QuasiLinear(read.table(self.weights, "weights"), elasticity)


class Quadratic(Entry):
    """Inverse demand `a - b x`."""

    meaning: ClassVar[str] = "sum a x - b x^2/2 + money"
    example: ClassVar[str] = "{intercept: {FIRST: 2}, slope: {FIRST: 1}}"
    intercept: WantedAmounts = Field(description="what the first unit is worth, by good")
    slope: PositiveAmounts = Field(description="how much less each further unit is worth, by good")

    @model_validator(mode="after")
    def _same_goods(self) -> Self:
        if set(self.intercept) != set(self.slope):
            message = "found different goods in intercept and slope; expected the same in both"
            raise refusal(Complaint((), message))
        return self

    def build(self, read: Reader) -> Taste:
        return quasilinear.Quadratic(read.table(self.intercept, "intercept"), read.table(self.slope, "slope"))


QUASILINEAR: dict[str, type[UtilityKind]] = {"log": Log, "power": Power, "quadratic": Quadratic}


class QuasiLinear(Root[Annotated[Chosen[UtilityKind], OneOf("quasilinear", "MoneyUtility", QUASILINEAR)]]):
    """Utility of goods plus money."""

    meaning: ClassVar[str] = (
        "money + sum w ln(x) (log), sum w x^(1-1/e)/(1-1/e) (power) or sum a x - b x^2/2 (quadratic)"
    )
    example: ClassVar[str] = "{log: GOODS}"
    unlimited: ClassVar[bool] = True
    """Who has no budget has a purse without a bottom."""

    def build(self, read: Reader) -> Taste:
        return self.root.kind.build(read.at(self.root.name))


class StoneGeary(Entry):
    """Subsistence first, the rest in shares."""

    meaning: ClassVar[str] = "prod (x - g)^a: subsistence g comes first, what is left is spent in shares a"
    example: ClassVar[str] = "{shares: GOODS, subsistence: {FIRST: 0.1}}"
    shares: WantedShares = Field(description="parts of what is left that are spent on each good")
    subsistence: Numbers = Field(description="quantities bought first, by good; below 0 of what one can do without")

    @model_validator(mode="after")
    def _shares_of_all(self) -> Self:
        shares = amounts_in(self.shares)
        without = [good for good, amount in self.subsistence.items() if positive(amount)]
        without = [good for good in without if not positive(shares.get(good, 0.0))]
        if without:
            said = "found subsistence of {}, which has no share; expected a share of it too"
            raise refusal(*(Complaint(("subsistence", good), said.format(shown(good))) for good in without))
        return self

    def build(self, read: Reader) -> Taste:
        shares = forms.CobbDouglas(read.table(self.shares, "shares"))
        subsistence = read.table(self.subsistence, "subsistence")
        corners = (subsistence < 0).any()
        kind = stone_geary.StoneGearyWithCorners if corners else stone_geary.StoneGeary
        return kind(shares, subsistence)


class FormulaOfGoods(Root[FormulaText]):
    """A formula of goods."""

    meaning: ClassVar[str] = (
        "any strictly quasi-concave formula of the goods; only the order matters: x*y is ln(x) + ln(y)"
    )
    example: ClassVar[str] = "FIRST*LAST"

    @model_validator(mode="after")
    def _fit(self, info: ValidationInfo) -> Self:
        complaint = unfit(self.root, Known.of(info).scale)
        if complaint is not None:
            raise refusal(Complaint((), complaint))
        return self

    def build(self, read: Reader) -> Taste:
        return FormulaUtility(self.root, tuple(map(read.goods.index, self.root.variables)), len(read.goods))


UTILITIES: dict[str, type[UtilityKind]] = {
    "cobb_douglas": CobbDouglas,
    "ces": CES,
    "leontief": Leontief,
    "linear": Linear,
    "quasilinear": QuasiLinear,
    "stone_geary": StoneGeary,
    "reference": Reference,
    "formula": FormulaOfGoods,
}


def goods_in(value: object) -> Iterator[str]:
    """The goods that a kind names: those of a tree or a formula, and the keys of its other tables."""
    if isinstance(value, Tree | Benchmark):
        yield from value.goods()
    elif isinstance(value, Formula):
        yield from value.variables
    elif isinstance(value, Dirichlet):
        yield from value.dirichlet
    elif isinstance(value, dict):
        yield from value
    else:
        for _, part in parts_of(value):
            yield from goods_in(part)
