"""What a scenario may say of tastes, technologies and behaviours, each kind with its parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from simulator.scenario.draws_schema import (
    Amounts,
    AnyAmount,
    AnyPositive,
    AnyRho,
    PositiveAmounts,
    Shares,
)
from simulator.scenario.entry import MAPPING, TEXT, Choice, Entry, Name, Yes, name_or_mapping


class Nest(Entry):
    """A good made of goods, with an elasticity of substitution of its own."""

    elasticity: AnyAmount | None = Field(None, description="elasticity of substitution; 0 fixed proportions")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    shares: Amounts | None = Field(None, description="spending shares at equal prices, by good or nest")
    weights: Amounts | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the shares that are no goods stand for"
    )


class CES(Entry):
    """CES utility: elasticity with shares, or weights with elasticity or rho = 1 - 1/elasticity."""

    elasticity: AnyPositive | None = Field(None, description="elasticity of substitution; 1 is Cobb-Douglas")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    shares: Shares | None = Field(None, description="spending shares at equal prices, by good or nest")
    weights: Shares | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the shares that are no goods stand for"
    )


class Power(Entry):
    """Inverse demand `w x^(-1/e)`."""

    weights: Amounts = Field(description="weights w, by good")
    elasticity: AnyPositive = Field(description="price elasticity e of demand")


class QuadraticTaste(Entry):
    """Inverse demand `a - b x`."""

    intercept: Amounts = Field(description="what the first unit is worth, by good")
    slope: PositiveAmounts = Field(description="how much less each further unit is worth, by good")


class QuasiLinear(Choice):
    """Utility of goods plus money."""

    log: Amounts | None = Field(None, description="weights w in sum w ln(x) + money")
    power: Power | None = Field(None, description="sum w x^(1-1/e)/(1-1/e) + money")
    quadratic: QuadraticTaste | None = Field(None, description="sum a x - b x^2/2 + money")


class StoneGeary(Entry):
    """Subsistence first, the rest in shares."""

    shares: Shares = Field(description="how what is left is spent")
    subsistence: Amounts = Field(description="quantities that come first, by good")


class Utility(Choice):
    """One kind of utility with its parameters."""

    cobb_douglas: Shares | None = Field(None, description="prod x^a with spending shares a")
    ces: CES | None = Field(None, description="(sum w x^rho)^(1/rho)")
    leontief: Amounts | None = Field(None, description="min x/a with amounts a per unit of utility")
    linear: Amounts | None = Field(None, description="sum v x with values v")
    quasilinear: QuasiLinear | None = Field(None, description="utility of goods plus money")
    stone_geary: StoneGeary | None = Field(None, description="prod (x - g)^a beyond subsistence g")
    formula: str | None = Field(None, description="any strictly concave, increasing formula of goods")


class CobbDouglasTechnology(Entry):
    """`y = A prod x^a`, exponents that sum to less than 1."""

    output: str = Field(description="the good made")
    productivity: AnyPositive = Field(1.0, description="A")
    inputs: Annotated[PositiveAmounts, Field(min_length=1)] = Field(description="exponents a, by good")


class CESTechnology(Entry):
    """`y = A h(x)^r` with CES inputs."""

    output: str = Field(description="the good made")
    productivity: AnyPositive = Field(1.0, description="A")
    elasticity: AnyPositive | None = Field(None, description="elasticity of substitution")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    returns_to_scale: AnyPositive = Field(description="r, below 1 where firms choose how much to make")
    inputs: Amounts | None = Field(None, description="cost shares at equal prices, by good or nest")
    shares: Amounts | None = Field(None, description="the same as inputs")
    weights: Amounts | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the inputs that are no goods stand for"
    )


class LeontiefTechnology(Entry):
    """`y = A (min x/a)^r`."""

    output: str = Field(description="the good made")
    productivity: AnyPositive = Field(1.0, description="A")
    returns_to_scale: AnyPositive = Field(description="r, below 1 where firms choose how much to make")
    inputs: Annotated[PositiveAmounts, Field(min_length=1)] = Field(description="amounts a, by good")


class Technology(Choice):
    """One kind of technology with its parameters."""

    power: CobbDouglasTechnology | None = Field(None, description="A x^a with one input")
    cobb_douglas: CobbDouglasTechnology | None = Field(None, description="A prod x^a")
    ces: CESTechnology | None = Field(None, description="A (sum w x^rho)^(r/rho)")
    leontief: LeontiefTechnology | None = Field(None, description="A (min x/a)^r")


class MarginalAdjustment(Entry):
    """Quantities that climb marginal profit."""

    rate: Annotated[float, Field(gt=0, le=10)] = Field(description="largest step of an input's logarithm in a tick")


class Behaviour(Choice):
    """One way of planning with its parameters."""

    best_response: Yes | None = Field(None, description="plan for the largest profit")
    marginal_adjustment: MarginalAdjustment | None = Field(None, description="let inputs climb marginal profit")


BEHAVIOUR_NAMES = ("best_response",)
BEHAVIOURS_WRITTEN = ("{marginal_adjustment: {rate: 0.2}}",)
BehaviourOrName = Annotated[
    Annotated[Literal["best_response"], Tag(TEXT)] | Annotated[Behaviour, Tag(MAPPING)],
    name_or_mapping(BEHAVIOUR_NAMES, *BEHAVIOURS_WRITTEN),
]
