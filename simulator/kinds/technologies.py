"""The kinds of technology: what a scenario says of each, and what they build."""

from __future__ import annotations

from typing import Annotated, ClassVar, Protocol, Self

import numpy as np
from pydantic import Field, model_validator

from simulator.economics import forms
from simulator.economics.technology import HomotheticTechnology, Technology
from simulator.kinds.distributions import Array
from simulator.kinds.draws import DrawError, Reader
from simulator.kinds.entry import Complaint, Entry, GoodName, Name, refusal
from simulator.kinds.nests import Nest, Tree
from simulator.kinds.numbers import AnyPositive, AnyRho, ByName, Draw, PositiveAmounts, Returns


class TechnologyKind(Protocol):
    """What every kind of technology says and can do."""

    meaning: ClassVar[str]
    """The formula in a line."""
    example: ClassVar[str]
    """Parameters as they are written: LAST is made of FIRST."""
    output: str
    """The good made."""

    def goods(self) -> tuple[str, ...]:
        """The goods used, in the technology's order."""
        ...

    def build(self, read: Reader) -> Technology:
        """The technology of `read.count` firms; `read.goods` are the goods used."""
        ...


class _OfForm(Entry):
    """`y = A h(x)^r` with a form `h` of degree one."""

    output: GoodName = Field(description="the good made")
    productivity: AnyPositive = Field(1.0, description="A, the factor in front")

    def built(self, read: Reader, form: forms.Form, returns: Array) -> Technology:
        """The technology of a form."""
        # Productivity is drawn by the firm's own name: what it is called in a scenario does not depend on the form.
        return HomotheticTechnology(form, read.above.number(self.productivity, "productivity"), returns, read.count)


class CobbDouglas(_OfForm):
    """`y = A prod x^a`, exponents that sum to less than 1."""

    meaning: ClassVar[str] = "y = A prod x^a with exponents a that sum to less than 1"
    example: ClassVar[str] = "{output: LAST, inputs: {FIRST: 0.5}}"
    inputs: Annotated[PositiveAmounts, Field(min_length=1)] = Field(description="exponents a, by good used")

    @model_validator(mode="after")
    def _diminishing(self) -> Self:
        total = sum(exponent for exponent in self.inputs.values() if not isinstance(exponent, Draw))
        if total >= 1:
            advice = "expected less than 1: returns that diminish, or no best response exists"
            raise refusal(Complaint(("inputs",), f"found exponents that sum to {total:.6g}; {advice}"))
        return self

    def goods(self) -> tuple[str, ...]:
        return tuple(self.inputs)

    def build(self, read: Reader) -> Technology:
        exponents = read.table(self.inputs, "inputs")
        returns = exponents.sum(axis=1)
        if not (returns < 1.0).all():
            firm = int(np.argmax(returns >= 1.0))
            found = f"found exponents that sum to {returns[firm]:.6g} for firm {firm + 1}"
            raise DrawError(f"{read.path}.inputs", f"{found}; expected less than 1, or no best response exists")
        return self.built(read, forms.CobbDouglas(exponents), returns)


class Power(CobbDouglas):
    """`y = A x^a` of one input."""

    meaning: ClassVar[str] = "y = A x^r of one input, r < 1"

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if len(self.inputs) > 1:
            message = "found several inputs; expected one (cobb_douglas takes several)"
            raise refusal(Complaint(("inputs",), message))
        return self


class CES(Tree, _OfForm):
    """`y = A h(x)^r` with CES inputs."""

    meaning: ClassVar[str] = "y = A h^r, h of elasticity of substitution s over inputs or nests of them, r < 1"
    example: ClassVar[str] = "{output: LAST, returns_to_scale: 0.5, elasticity: 2, inputs: {FIRST: 1}}"
    tables: ClassVar[tuple[str, ...]] = ("inputs", "shares", "weights")
    elasticity: AnyPositive | None = Field(None, description="elasticity of substitution")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    returns_to_scale: Returns = Field(description="returns to scale r, below 1 where firms choose how much to make")
    inputs: ByName | None = Field(None, description="cost shares at equal prices, by good or nest")
    shares: ByName | None = Field(None, description="the same as inputs")
    weights: ByName | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the inputs that are no goods stand for"
    )

    def build(self, read: Reader) -> Technology:
        returns = read.number(self.returns_to_scale, "returns_to_scale")
        return self.built(read, self.form(read), returns)


class Leontief(_OfForm):
    """`y = A (min x/a)^r`."""

    meaning: ClassVar[str] = "y = A (min x/a)^r with amounts a of each input, r < 1"
    example: ClassVar[str] = "{output: LAST, returns_to_scale: 0.5, inputs: {FIRST: 1}}"
    returns_to_scale: Returns = Field(description="returns to scale r, below 1 where firms choose how much to make")
    inputs: Annotated[PositiveAmounts, Field(min_length=1)] = Field(description="amounts a for one unit, by good used")

    def goods(self) -> tuple[str, ...]:
        return tuple(self.inputs)

    def build(self, read: Reader) -> Technology:
        form = forms.Leontief(read.table(self.inputs, "inputs"))
        return self.built(read, form, read.number(self.returns_to_scale, "returns_to_scale"))


TECHNOLOGIES: dict[str, type[TechnologyKind]] = {
    "power": Power,
    "cobb_douglas": CobbDouglas,
    "ces": CES,
    "leontief": Leontief,
}
FORMULA = 'y = A f(x): any strictly concave formula of the inputs (makes: "y = ...")'
"""The technology that is written by its formula alone."""
