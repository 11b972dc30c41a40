"""What can be known of a node of a formula for all positive inputs: signs, ranges, concavity, powers, degrees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

NOBODY: frozenset[int] = frozenset()

Found = TypeVar("Found")


@dataclass(frozen=True)
class Facts:
    """What is proven of a node for all positive inputs.

    A node is concave if `concave` is not None; it is then strictly concave along every direction that moves an input in
    that set (variables are named by their nodes). `convex` likewise; an affine node has both, empty. `trend` is 1 or -1
    for a node of one input that strictly rises or falls in it. `degree`: f(t x) = t^degree f(x). `quasiconcave` means
    strictly so in its inputs jointly. `linear` = (constant, {atom: coefficient}) and `product` = (factor, {base:
    exponent}), bases positive, write the node in terms of other nodes.
    """

    inputs: frozenset[int]
    linear: tuple[float, Mapping[int, float]]
    product: tuple[float, Mapping[int, float]]
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    """Never equal to `low`."""
    below: bool = False
    """Never equal to `high`."""
    concave: frozenset[int] | None = None
    convex: frozenset[int] | None = None
    trend: int = 0
    degree: float | None = None
    quasiconcave: bool = False

    @property
    def positive(self) -> bool:
        return self.low > 0 or (self.low == 0 and self.above)

    @property
    def negative(self) -> bool:
        return self.high < 0 or (self.high == 0 and self.below)

    @property
    def constant(self) -> float | None:
        return self.linear[0] if not self.linear[1] else None

    @property
    def affine(self) -> bool:
        return self.concave is not None and self.convex is not None

    @property
    def moving(self) -> frozenset[int]:
        """The input that cannot change without changing the node, of a node that rises or falls in it."""
        return self.inputs if self.trend else NOBODY


def both(a: frozenset[int] | None, b: frozenset[int] | None) -> frozenset[int] | None:
    """Curvature of a sum: known if both are, strict where one is."""
    return None if a is None or b is None else a | b


def either(a: frozenset[int] | None, b: frozenset[int] | None) -> frozenset[int] | None:
    """Two proofs about one node."""
    return a if b is None else b if a is None else a | b


def agreed(found: Iterable[Found], otherwise: Found) -> Found:
    """What all of them are, or `otherwise`."""
    different = set(found)
    return different.pop() if len(different) == 1 else otherwise


def rounded_sum(exponents: Iterable[float]) -> float:
    """Their sum; 0.3 + 0.6 + 0.1 is 1 although floats miss it."""
    total = math.fsum(exponents)
    return round(total) if math.isclose(total, round(total), rel_tol=0, abs_tol=1e-12) else total


def bounds(
    function: Callable[[float], float], low: float, high: float, exact: float | None = None
) -> tuple[float, float]:
    """Bounds of a rising function on a range, rounded outward except at the ends and where it is known to be exact."""
    certain = (0.0, exact, math.inf, -math.inf)
    least, most = function(low), function(high)
    return (
        least if low in certain else math.nextafter(least, -math.inf),
        most if high in certain else math.nextafter(most, math.inf),
    )


def raised(value: float, exponent: float) -> float:
    """value^exponent for value in [0, inf], with infinities."""
    if value == 0 and exponent < 0:
        return math.inf
    try:
        return math.pow(value, exponent)
    except OverflowError:
        return math.inf


def exponential(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def logarithm(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def sum_or_zero(a: float, b: float) -> float:
    """a + b, or 0 where they cancel but for rounding: 0.1 + 0.2 - 0.3 proves nothing."""
    return 0.0 if abs(a + b) <= 1e-14 * abs(a) else a + b


def reciprocal(value: float, positive: bool) -> float:
    """1/value at an end of a range on one side of 0."""
    return 1 / value if value != 0 else math.inf if positive else -math.inf


def stretched(facts: Facts, factor: float, shift: float) -> Facts:
    """factor*f + shift, factor not 0."""
    if factor > 0:
        return replace(facts, low=factor * facts.low + shift, high=factor * facts.high + shift)
    return replace(
        facts,
        low=factor * facts.high + shift,
        high=factor * facts.low + shift,
        above=facts.below,
        below=facts.above,
        concave=facts.convex,
        convex=facts.concave,
        trend=-facts.trend,
        quasiconcave=False,
    )
