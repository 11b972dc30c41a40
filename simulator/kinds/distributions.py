"""Distributions of numbers that differ from agent to agent: each its parameters, its meaning, how it is drawn,
and its quantiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from simulator.kinds.entry import Amount, Complaint, Entry, Positive, Root, refusal

Array = NDArray[np.float64]
if TYPE_CHECKING:
    Stream = np.random.Generator


class Distribution(Protocol):
    """What every distribution can do."""

    meaning: ClassVar[str]
    example: ClassVar[str]

    def draw(self, stream: Stream, count: int) -> Array:
        """So many independent numbers, `(count,)`."""
        ...

    def quantile(self, part: Array) -> Array:
        """The number that this part of all draws, above 0 and below 1, does not exceed: inverse of `P(X <= x)`."""
        ...


def _normal_quantile(part: Array) -> Array:
    from scipy.special import ndtri

    return ndtri(part)


def in_form(form: str) -> tuple[Any, ...]:
    """Marks a list as of so many numbers as a form `[first, last]` names."""
    many = form.count(",") + 1

    def checked(numbers: list[float]) -> list[float]:
        if len(numbers) != many:
            raise refusal(Complaint((), f"found a list of {len(numbers)}; expected {form}"))
        return numbers

    return Field(json_schema_extra={"minItems": many, "maxItems": many}), AfterValidator(checked)


class Uniform(Root[Annotated[list[float], *in_form("[least, most]")]]):
    """`[least, most]`."""

    meaning: ClassVar[str] = "[least, most], all as likely"
    example: ClassVar[str] = "[1, 2]"

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        if self.root[0] > self.root[1]:
            raise refusal(Complaint((), f"found {self.root}; expected [least, most], the smaller first"))
        return self

    def draw(self, stream: Stream, count: int) -> Array:
        least, most = self.root
        return stream.uniform(least, most, count)

    def quantile(self, part: Array) -> Array:
        least, most = self.root
        return least + (most - least) * part


class LogNormal(Entry):
    """`exp(N(mean, sigma))`."""

    meaning: ClassVar[str] = "exp of a normal variable: above 0, with a long tail"
    example: ClassVar[str] = "{mean: 0, sigma: 0.5}"
    mean: float = Field(description="mean of the logarithm")
    sigma: Amount = Field(description="standard deviation of the logarithm")

    def draw(self, stream: Stream, count: int) -> Array:
        return stream.lognormal(self.mean, self.sigma, count)

    def quantile(self, part: Array) -> Array:
        return np.exp(self.mean + self.sigma * _normal_quantile(part))


class Normal(Entry):
    """`N(mean, sigma)`."""

    meaning: ClassVar[str] = "the normal distribution"
    example: ClassVar[str] = "{mean: 5, sigma: 1}"
    mean: float = Field(description="mean")
    sigma: Amount = Field(description="standard deviation")

    def draw(self, stream: Stream, count: int) -> Array:
        return stream.normal(self.mean, self.sigma, count)

    def quantile(self, part: Array) -> Array:
        return self.mean + self.sigma * _normal_quantile(part)


class Exponential(Root[Positive]):
    """`P(X > x) = exp(-x/mean)`."""

    meaning: ClassVar[str] = "the exponential distribution of this mean"
    example: ClassVar[str] = "2"

    def draw(self, stream: Stream, count: int) -> Array:
        return stream.exponential(self.root, count)

    def quantile(self, part: Array) -> Array:
        return -self.root * np.log1p(-part)


class Gamma(Entry):
    """Density `x^(shape-1) exp(-x/scale)`."""

    meaning: ClassVar[str] = "the gamma distribution"
    example: ClassVar[str] = "{shape: 2, scale: 1}"
    shape: Positive = Field(description="shape; the variance is shape times scale^2")
    scale: Positive = Field(1.0, description="scale; the mean is shape times scale")

    def draw(self, stream: Stream, count: int) -> Array:
        return stream.gamma(self.shape, self.scale, count)

    def quantile(self, part: Array) -> Array:
        from scipy.special import gammaincinv

        return self.scale * gammaincinv(self.shape, part)


class Beta(Entry):
    """Density `x^(a-1) (1-x)^(b-1)` from 0 to 1."""

    meaning: ClassVar[str] = "the beta distribution"
    example: ClassVar[str] = "{a: 2, b: 3}"
    a: Positive = Field(description="a; the mean is a/(a+b)")
    b: Positive = Field(description="b; the larger it is beside a, the closer to 0")

    def draw(self, stream: Stream, count: int) -> Array:
        return stream.beta(self.a, self.b, count)

    def quantile(self, part: Array) -> Array:
        from scipy.special import betaincinv

        return betaincinv(self.a, self.b, part)


class Pareto(Entry):
    """`P(X > x) = (minimum/x)^exponent`."""

    meaning: ClassVar[str] = "the Pareto distribution, P(X > x) = (minimum/x)^exponent"
    example: ClassVar[str] = "{minimum: 1, exponent: 2}"
    minimum: Positive = Field(description="least value")
    exponent: Positive = Field(description="exponent of the tail")

    def draw(self, stream: Stream, count: int) -> Array:
        return self.minimum * (1.0 + stream.pareto(self.exponent, count))

    def quantile(self, part: Array) -> Array:
        return self.minimum * np.exp(-np.log1p(-part) / self.exponent)


class Choice(Root[Annotated[list[float], Field(min_length=1)]]):
    """One of a list."""

    meaning: ClassVar[str] = "one of these, all as likely"
    example: ClassVar[str] = "[1, 2, 5]"

    def draw(self, stream: Stream, count: int) -> Array:
        return stream.choice(np.array(self.root, dtype=float), count)

    def quantile(self, part: Array) -> Array:
        return np.array(self.root, dtype=float)[(part * len(self.root)).astype(int)]


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    "uniform": Uniform,
    "lognormal": LogNormal,
    "normal": Normal,
    "exponential": Exponential,
    "gamma": Gamma,
    "beta": Beta,
    "pareto": Pareto,
    "choice": Choice,
}
