"""Designs: the points at which a scenario is run, made of what its numbers are varied over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from pydantic import AfterValidator, Field, Tag

from simulator.kinds.distributions import DISTRIBUTIONS, Array, in_form
from simulator.kinds.draws import Draws
from simulator.kinds.entry import LIST, MAPPING, Complaint, Root, Whole, by_shape, refusal
from simulator.kinds.numbers import Draw, DrawnFrom
from simulator.scenario.document import scalar

MOST_POINTS = 1_000_000
LEAST_PART = 2.0**-53
"""Quantiles are taken of parts of at least this and at most 1 minus this."""

Point = dict[str, Any]
"""The values of a point by dotted path."""


class DesignError(Exception):
    """What is varied does not fit the design: the `path` of what does not, and what is wrong with it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path, self.message = path, message


class _Levels(Root[Annotated[list[float], *in_form("[first, last, how many]")]]):
    """`[first, last, how many]`."""

    example: ClassVar[str] = "[1, 8, 15]"
    between: ClassVar[Callable[[float, float, int], Array]]

    @property
    def levels(self) -> list[float]:
        """The values."""
        first, last, many = self.root
        return self.between(first, last, int(many)).tolist()


class Linspace(_Levels):
    """`[first, last, how many]`: values evenly spaced."""

    meaning: ClassVar[str] = "[first, last, how many], evenly spaced"
    between = staticmethod(np.linspace)


class Geomspace(_Levels):
    """`[first, last, how many]`: values each the same multiple of the one before."""

    meaning: ClassVar[str] = "[first, last, how many], each the same multiple of the one before"
    between = staticmethod(np.geomspace)


def _countable(given: Draw) -> Draw:
    """Refuse levels that cannot be counted out, and columns of files."""
    if given.csv is not None:
        advice = "expected levels or a distribution; the points of a file are design: {csv: FILE}"
        raise refusal(Complaint(("csv",), f"found a file; {advice}"))
    for name, kind in given.distributions.items():
        if isinstance(kind, _Levels):
            first, last, many = kind.root
            if not (many.is_integer() and 1 <= many <= MOST_POINTS):
                raise refusal(
                    Complaint((name,), f"found {many:g} levels; expected a whole number from 1 to {MOST_POINTS:,}")
                )
            if isinstance(kind, Geomspace) and first * last <= 0:
                raise refusal(Complaint((name,), f"found {first:g} and {last:g}; expected both above 0"))
    return given


VARIED: Any = {"linspace": Linspace, "geomspace": Geomspace, **DISTRIBUTIONS}
Values = Annotated[
    Annotated[list[Any], Field(min_length=1), Tag(LIST)]
    | Annotated[Draw, DrawnFrom(VARIED), AfterValidator(_countable), Tag(MAPPING)],
    by_shape("a list of values, {linspace: [first, last, how many]} or a distribution such as {uniform: [1, 8]}"),
]
"""What a number is varied over: levels, or a distribution."""
Varied = Mapping[str, list[Any] | Draw]
"""By dotted path."""


def levels_of(values: list[Any] | Draw) -> list[Any] | None:
    """The levels that something is varied over; None of a distribution."""
    if isinstance(values, list):
        return values
    (kind,) = values.distributions.values()
    return [at * values.times + values.plus for at in kind.levels] if isinstance(kind, _Levels) else None


def quantiles(values: Draw, part: Array) -> list[float]:
    """The numbers of a distribution that these parts of all draws do not exceed."""
    (kind,) = values.distributions.values()
    with np.errstate(all="ignore"):
        return (kind.quantile(np.clip(part, LEAST_PART, 1 - LEAST_PART)) * values.times + values.plus).tolist()


class Design(Protocol):
    """How points are made of what is varied. All that is drawn follows from the study's seed."""

    meaning: ClassVar[str]

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        """The points in their order. Raises `DesignError`."""
        ...


def all_levels(vary: Varied, design: str) -> dict[str, list[Any]]:
    """The levels by path. Raises `DesignError` where a distribution stands."""
    found = {path: levels_of(values) for path, values in vary.items()}
    for path, levels in found.items():
        if levels is None:
            advice = "expected levels, such as [1, 2, 4] or {linspace: [1, 8, 15]}; random designs draw: {random: 500}"
            raise DesignError(path, f"found a distribution in a {design}; {advice}")
    return {path: levels for path, levels in found.items() if levels is not None}


def all_drawn(vary: Varied, parts: Array) -> list[Point]:
    """The points where distributions have these quantiles, `(points, paths)` by sorted path. Raises `DesignError`."""
    columns: dict[str, list[float]] = {}
    for place, path in enumerate(sorted(vary)):
        values = vary[path]
        if isinstance(values, list) or levels_of(values) is not None:
            advice = "expected a distribution, such as {uniform: [1, 8]} or {choice: [1, 2, 4]}"
            raise DesignError(path, f"found levels in a design that draws; {advice}")
        columns[path] = quantiles(values, parts[:, place])
    return [{path: columns[path][at] for path in vary} for at in range(len(parts))]


def generator(seed: int) -> np.random.Generator:
    """The stream from which a study's design is drawn."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


@dataclass(frozen=True)
class Grid:
    """Every combination of the levels; the last path varies fastest."""

    meaning: ClassVar[str] = "every combination of the levels, the last path fastest"

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        levels = all_levels(vary, "grid")
        many = prod(map(len, levels.values()))
        if many > MOST_POINTS:
            raise DesignError("", f"found {many:,} points; expected at most {MOST_POINTS:,}")
        return [dict(zip(levels, values, strict=True)) for values in product(*levels.values())]


@dataclass(frozen=True)
class Zip:
    """The first levels of all paths, then the second ones."""

    meaning: ClassVar[str] = "the first levels of all paths together, then the second ones, and so on"

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        levels = all_levels(vary, "zip")
        first = next(iter(levels))
        for path, values in levels.items():
            if len(values) != len(levels[first]):
                message = f"found {len(values)} levels; expected as many as of {first}, {len(levels[first])}"
                raise DesignError(path, message)
        return [dict(zip(levels, values, strict=True)) for values in zip(*levels.values(), strict=True)]


Points = Annotated[Whole, Field(ge=1, le=MOST_POINTS)]


@dataclass(frozen=True)
class Random:
    """So many independent points."""

    meaning: ClassVar[str] = "so many points, drawn independently"
    number: Points

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        return all_drawn(vary, generator(seed).random((self.number, len(vary))))


@dataclass(frozen=True)
class LatinHypercube:
    """So many points, one in each of as many slices of every distribution (McKay, Beckman, Conover 1979)."""

    meaning: ClassVar[str] = "so many points, one in each of as many slices of every distribution"
    number: Points

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        return all_drawn(vary, self.parts(len(vary), seed))

    def parts(self, parameters: int, seed: int) -> Array:
        """The quantiles of the points, `(points, parameters)`."""
        stream = generator(seed)
        slices = stream.permuted(np.tile(np.arange(self.number), (parameters, 1)), axis=1).T
        return (slices + stream.random((self.number, parameters))) / self.number


def power_of_two(number: int) -> int:
    """Refuse numbers that are no power of 2."""
    if number & (number - 1):
        above = 1 << number.bit_length()
        raise refusal(Complaint((), f"found {number}; expected a power of 2; did you mean {above}?"))
    return number


PowerOfTwo = Annotated[Points, AfterValidator(power_of_two)]


@dataclass(frozen=True)
class Sobol:
    """So many points, a power of 2, of a scrambled Sobol sequence (Owen 1998)."""

    meaning: ClassVar[str] = "so many points of a scrambled Sobol sequence, a power of 2"
    number: PowerOfTwo

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        from scipy.stats import qmc

        sequence: Any = qmc.Sobol  # The name of its stream differs from one version of SciPy to another.
        return all_drawn(vary, sequence(len(vary), seed=generator(seed)).random(self.number))


@dataclass(frozen=True)
class Csv:
    """The rows of a CSV file, whose columns are paths."""

    meaning: ClassVar[str] = "the rows of a CSV file whose columns are dotted paths"
    file: str

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        columns = draws.read(self.file, "design.csv").columns
        rows: Sequence[tuple[str, ...]] = list(zip(*columns.values(), strict=True))
        if not rows:
            raise DesignError("", f"found no rows in {draws.place(self.file)}; expected one for each point")
        return [{path: scalar(cell.strip()) for path, cell in zip(columns, row, strict=True)} for row in rows]


DESIGNS: dict[str, type[Design]] = {
    "grid": Grid,
    "zip": Zip,
    "random": Random,
    "latin_hypercube": LatinHypercube,
    "sobol": Sobol,
    "csv": Csv,
}
