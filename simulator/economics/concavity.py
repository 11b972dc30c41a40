"""Is a formula strictly concave, jointly in its inputs, over positive inputs? Only then is its best response unique.

First by proof: rules of composition (disciplined convex programming: Grant, Boyd, Ye 2006) carried through the
formula's graph, with the sign and range of every node, power products (monomials and their like) and returns to scale.
Where the rules say nothing, by sampling the Hessian over six decades either side of the scenario's scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.economics.expression import Term
from simulator.economics.formula import Formula

DECADES = 6
"""Sampled inputs reach this many decades either side of the scale."""

NOBODY: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """`strictly_concave` in all inputs jointly; `proven`, or only sampled; `sentence` says why, or where not."""

    strictly_concave: bool
    proven: bool
    sentence: str


def judge(formula: Formula, scale: float = 1.0) -> Verdict:
    """Judge strict concavity over positive inputs; `scale` is the middle of the sampled inputs (quantity per tick)."""
    return _proof(formula) or _sampled(formula, scale)


@dataclass(frozen=True)
class _Facts:
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


def _both(a: frozenset[int] | None, b: frozenset[int] | None) -> frozenset[int] | None:
    """Curvature of a sum: known if both are, strict where one is."""
    return None if a is None or b is None else a | b


def _either(a: frozenset[int] | None, b: frozenset[int] | None) -> frozenset[int] | None:
    """Two proofs about one node."""
    return a if b is None else b if a is None else a | b


def _total(exponents: Iterable[float]) -> float:
    """Their sum; 0.3 + 0.6 + 0.1 is 1 although floats miss it."""
    total = math.fsum(exponents)
    return round(total) if math.isclose(total, round(total), rel_tol=0, abs_tol=1e-12) else total


def _bounds(
    function: Callable[[float], float], low: float, high: float, exact: float | None = None
) -> tuple[float, float]:
    """Bounds of a rising function on a range, rounded outward except at the ends and where it is known to be exact."""
    certain = (0.0, exact, math.inf, -math.inf)
    least, most = function(low), function(high)
    return (
        least if low in certain else math.nextafter(least, -math.inf),
        most if high in certain else math.nextafter(most, math.inf),
    )


def _raised(value: float, exponent: float) -> float:
    """value^exponent for value in [0, inf], with infinities."""
    if value == 0 and exponent < 0:
        return math.inf
    try:
        return math.pow(value, exponent)
    except OverflowError:
        return math.inf


def _exponential(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _logarithm(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _sum_or_zero(a: float, b: float) -> float:
    """a + b, or 0 where they cancel but for rounding: 0.1 + 0.2 - 0.3 proves nothing."""
    return 0.0 if abs(a + b) <= 1e-14 * abs(a) else a + b


def _inverse(value: float, positive: bool) -> float:
    """1/value at an end of a range on one side of 0."""
    return 1 / value if value != 0 else math.inf if positive else -math.inf


def _stretched(facts: _Facts, factor: float, shift: float) -> _Facts:
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


@dataclass(frozen=True)
class _Shape:
    """A function of one number on an interval, strictly rising (trend 1) or falling (-1), strictly convex (bend 1),
    strictly concave (-1) or neither (0)."""

    trend: int
    bend: int


class _Prover:
    """Carries facts from the inputs to the output of a graph, each node after its arguments."""

    def __init__(self, output: Term) -> None:
        self.graph = output.graph
        self.facts: dict[int, _Facts] = {}
        for node in self.graph.reachable([output]):
            facts = self.node(node)
            if facts.inputs and facts.concave is not None and facts.concave >= facts.inputs:
                facts = replace(facts, quasiconcave=True)
            self.facts[node] = self.scaled_concave(facts)
        self.output = self.facts[output.node]

    def node(self, node: int) -> _Facts:
        operation = self.graph.operations[node]
        arguments = [self.facts[argument] for argument in self.graph.arguments[node]]
        itself = (0.0, {node: 1.0})
        alone = (1.0, {node: 1.0})
        if (value := self.graph.constants[node]) is not None:
            return self.number(value)
        if operation == "variable":
            return _Facts(
                frozenset({node}), itself, alone, 0.0, math.inf, True, True, NOBODY, NOBODY, trend=1, degree=1.0
            )
        inputs = frozenset[int]().union(*(facts.inputs for facts in arguments))
        opaque = _Facts(inputs, itself, alone)
        match operation:
            case "+":
                return self.sum(opaque, arguments[0], arguments[1], 1.0)
            case "-":
                return self.sum(opaque, arguments[0], arguments[1], -1.0)
            case "negate":
                return self.sum(opaque, self.number(0.0), arguments[0], -1.0)
            case "*":
                return self.multiply(opaque, arguments[0], arguments[1], 1.0)
            case "/":
                return self.multiply(opaque, arguments[0], arguments[1], -1.0)
            case "^ constant":
                exponent = arguments[1].constant
                return opaque if exponent is None else self.power(opaque, arguments[0], exponent)
            case "sqrt":
                return self.power(opaque, arguments[0], 0.5)
            case "min" | "max":
                return self.choice(opaque, arguments, operation)
            case _:
                return self.compose(opaque, arguments, operation)

    def number(self, value: float) -> _Facts:
        return _Facts(NOBODY, (value, {}), (value, {}), value, value, concave=NOBODY, convex=NOBODY, degree=0.0)

    def sum(self, opaque: _Facts, a: _Facts, b: _Facts, sign: float) -> _Facts:
        """a + sign*b, its curvature read off the linear form, in which equal atoms have met."""
        atoms = dict(a.linear[1])
        for atom, coefficient in b.linear[1].items():
            atoms[atom] = _sum_or_zero(atoms.get(atom, 0.0), sign * coefficient)
        atoms = {atom: coefficient for atom, coefficient in atoms.items() if coefficient != 0}
        constant = _sum_or_zero(a.linear[0], sign * b.linear[0])
        if not atoms:
            return replace(self.number(constant), inputs=NOBODY)
        facts = self.linear(replace(opaque, linear=(constant, atoms)))
        degree = a.degree if a.degree == b.degree else None
        if constant == 0 and degree is None:
            degrees = {self.facts[atom].degree for atom in atoms}
            degree = degrees.pop() if len(degrees) == 1 else None
        return replace(facts, degree=degree)

    def linear(self, facts: _Facts) -> _Facts:
        """Range, curvature and trend of a linear form of atoms."""
        constant, atoms = facts.linear
        low = high = constant
        above = below = False
        concave: frozenset[int] | None = NOBODY
        convex: frozenset[int] | None = NOBODY
        trends: set[tuple[frozenset[int], int]] = set()
        inputs = NOBODY
        for atom, coefficient in atoms.items():
            of = self.facts[atom]
            rising = coefficient > 0
            low += coefficient * (of.low if rising else of.high)
            high += coefficient * (of.high if rising else of.low)
            above |= of.above if rising else of.below
            below |= of.below if rising else of.above
            concave = _both(concave, of.concave if rising else of.convex)
            convex = _both(convex, of.convex if rising else of.concave)
            trends.add((of.inputs, of.trend if rising else -of.trend))
            inputs |= of.inputs
        trend = trends.pop()[1] if len(trends) == 1 else 0
        product = facts.product
        if len(atoms) == 1 and constant == 0:
            ((atom, coefficient),) = atoms.items()
            factor, bases = self.facts[atom].product
            product = (coefficient * factor, bases)
        return replace(
            facts,
            inputs=inputs,
            product=product,
            low=low,
            high=high,
            above=above,
            below=below,
            concave=concave,
            convex=convex,
            trend=trend if len(inputs) == 1 else 0,
        )

    def multiply(self, opaque: _Facts, a: _Facts, b: _Facts, sign: float) -> _Facts:
        """a * b^sign (sign 1 or -1)."""
        if sign > 0 and a.constant is not None:
            a, b = b, a
        factor = b.constant
        if factor is not None and factor != 0:
            factor = factor if sign > 0 else 1 / factor
            if not math.isfinite(factor) or factor == 0:
                return opaque
            constant, atoms = a.linear
            scaled = (factor * constant, {atom: factor * coefficient for atom, coefficient in atoms.items()})
            facts = self.linear(replace(opaque, linear=scaled))
            return replace(facts, degree=a.degree, quasiconcave=a.quasiconcave and factor > 0)
        if sign < 0 and (b.positive or b.negative):
            shifted = self.quotient_of_linear_forms(opaque, a, b)
            if shifted is not None:
                return shifted
        degree = None if a.degree is None or b.degree is None else a.degree + sign * b.degree
        facts = replace(opaque, degree=degree)
        if sign > 0 and a is b:
            return self.power(facts, a, 2.0)
        first, second = self.as_product(a), self.as_product(b)
        if first is None or second is None:
            return facts
        exponents = dict(first[1])
        for base, exponent in second[1].items():
            exponents[base] = exponents.get(base, 0.0) + sign * exponent
        return self.power_product(facts, first[0] * second[0] if sign > 0 else first[0] / second[0], exponents)

    def as_product(self, facts: _Facts) -> tuple[float, Mapping[int, float]] | None:
        """The node as factor * prod base^exponent over positive bases, or None."""
        factor, bases = facts.product
        return facts.product if factor != 0 and all(self.is_base(base) for base in bases) else None

    def is_base(self, node: int) -> bool:
        return node in self.facts and self.facts[node].positive

    def quotient_of_linear_forms(self, opaque: _Facts, a: _Facts, b: _Facts) -> _Facts | None:
        """a/b where a = m*b + r with numbers m and r: then it bends as r/b does, as in x/(1 + x) = 1 - 1/(1 + x)."""
        (constant, atoms), (shift, others) = a.linear, b.linear
        if not others or set(atoms) - set(others):
            return None
        multiples = {atoms.get(atom, 0.0) / coefficient for atom, coefficient in others.items()}
        if len(multiples) != 1:
            return None
        multiple = multiples.pop()
        rest = _sum_or_zero(constant, -multiple * shift)
        if rest == 0:
            return None
        inverse = self.compose_shape(opaque, b, _Shape(-1, 1) if b.positive else _Shape(-1, -1))
        ends = [_inverse(b.high, b.positive), _inverse(b.low, b.positive)]
        facts = _stretched(replace(inverse, low=ends[0], high=ends[1], above=b.below, below=b.above), rest, multiple)
        degree = None if a.degree is None or b.degree is None else a.degree - b.degree
        product = opaque.product
        if multiple == 0 and b.positive and (form := self.as_product(b)) is not None:
            product = (rest / form[0], {base: -exponent for base, exponent in form[1].items()})
            return self.power_product(replace(facts, degree=degree), *product)
        return replace(facts, degree=degree)

    def power(self, opaque: _Facts, a: _Facts, exponent: float) -> _Facts:
        """a^exponent with a constant exponent other than 0 and 1."""
        degree = None if a.degree is None else a.degree * exponent
        facts = replace(opaque, degree=degree)
        if a.positive:
            form = self.as_product(a)
            if form is not None and form[0] > 0:
                facts = self.power_product(
                    facts, _raised(form[0], exponent), {base: each * exponent for base, each in form[1].items()}
                )
        if a.positive or (a.low >= 0 and exponent > 0):
            rising = exponent > 0
            shape = _Shape(1 if rising else -1, 1 if exponent > 1 or exponent < 0 else -1)
            bent = self.compose_shape(facts, a, shape)
            low, high = (a.low, a.high) if rising else (a.high, a.low)
            above, below = (a.above, a.below) if rising else (a.below, a.above)
            low, high = _bounds(lambda value: _raised(value, exponent), low, high, 1.0)
            return replace(bent, low=low, high=high, above=above, below=below)
        if exponent > 0 and exponent % 2 == 0:
            affine = a.concave is not None and a.convex is not None
            one = a.inputs if a.trend else NOBODY
            return replace(facts, low=0.0, convex=one if affine else None)
        return facts

    def power_product(self, facts: _Facts, factor: float, exponents: Mapping[int, float]) -> _Facts:
        """factor * prod base^exponent over positive bases.

        With concave bases: concave if the exponents are positive with sum at most 1 (a geometric mean), convex if they
        are negative. With inputs as bases also convex if one exponent is positive and the sum at least 1.
        """
        if not math.isfinite(factor) or factor == 0:
            return facts
        exponents = {base: exponent for base, exponent in exponents.items() if exponent != 0}
        facts = replace(facts, product=(factor, exponents))
        bases = {base: self.facts[base] for base in exponents}
        total = _total(exponents.values())
        plain = all(self.graph.names[base] is not None for base in bases)
        inner = [base.concave for base in bases.values()]
        concave: frozenset[int] | None = None
        convex: frozenset[int] | None = None
        # Inputs that cannot change without changing a base, and those in which a base itself bends.
        moving = frozenset[int]().union(*(base.inputs for base in bases.values() if base.trend))
        bending = frozenset[int]().union(*(each for each in inner if each is not None))
        if None not in inner and bases:
            if all(exponent > 0 for exponent in exponents.values()) and total <= 1:
                concave = bending | (moving if total < 1 else NOBODY)
            if all(exponent < 0 for exponent in exponents.values()):
                convex = bending | moving
        if plain and total >= 1 and sum(exponent > 0 for exponent in exponents.values()) == 1:
            convex = moving if total > 1 else NOBODY
        if plain and len(exponents) == 1 and total == 1:
            concave = convex = NOBODY
        positive = factor > 0
        trends = {base.trend * (1 if exponents[node] > 0 else -1) for node, base in bases.items()}
        inputs = frozenset[int]().union(*(base.inputs for base in bases.values()))
        trend = trends.pop() if len(trends) == 1 and len(inputs) == 1 else 0
        if positive and facts.low <= 0:
            facts = replace(facts, low=0.0, above=True)
        if not positive and facts.high >= 0:
            facts = replace(facts, high=0.0, below=True)
        return replace(
            facts,
            inputs=inputs,
            concave=_either(facts.concave, concave if positive else convex),
            convex=_either(facts.convex, convex if positive else concave),
            trend=facts.trend or (trend if positive else -trend),
            degree=total if plain else facts.degree,
        )

    def choice(self, opaque: _Facts, arguments: Sequence[_Facts], operation: str) -> _Facts:
        """min (concave if all are) or max (convex if all are); strict where all of them are."""
        pick, least = (min, True) if operation == "min" else (max, False)
        low, high = pick(facts.low for facts in arguments), pick(facts.high for facts in arguments)
        bends = [facts.concave if least else facts.convex for facts in arguments]
        common: frozenset[int] | None = None
        if None not in bends:
            common = opaque.inputs
            for each in bends:
                common &= each or NOBODY
        trends = {facts.trend for facts in arguments}
        degrees = {facts.degree for facts in arguments}
        return replace(
            opaque,
            low=low,
            high=high,
            above=all(facts.above or facts.low > low for facts in arguments),
            below=all(facts.below or facts.high < high for facts in arguments),
            concave=common if least else None,
            convex=None if least else common,
            trend=trends.pop() if len(opaque.inputs) == 1 and len(trends) == 1 else 0,
            degree=degrees.pop() if len(degrees) == 1 else None,
        )

    def compose(self, opaque: _Facts, arguments: Sequence[_Facts], operation: str) -> _Facts:
        """The functions ln, exp, tanh, abs, sin and cos, and powers of a constant."""
        a = arguments[0]
        match operation:
            case "^" if a.constant is not None and a.constant > 0 and a.constant != 1:
                rate, exponent = math.log(a.constant), arguments[1]
                bent = self.compose_shape(opaque, exponent, _Shape(1 if rate > 0 else -1, 1))
                return replace(bent, low=0.0, above=True)
            case "ln" if a.positive:
                low, high = _bounds(_logarithm, a.low, a.high, 1.0)
                bent = self.compose_shape(opaque, a, _Shape(1, -1))
                return replace(bent, low=low, high=high, above=a.above, below=a.below)
            case "exp":
                bent = self.compose_shape(opaque, a, _Shape(1, 1))
                low, high = _bounds(_exponential, a.low, a.high)
                return replace(bent, low=low, high=high, above=a.above or low == 0, below=a.below)
            case "tanh":
                bend = -1 if a.low >= 0 else 1 if a.high <= 0 else 0
                bent = self.compose_shape(opaque, a, _Shape(1, bend))
                low, high = _bounds(math.tanh, a.low, a.high)
                above, below = a.above or a.low == -math.inf, a.below or a.high == math.inf
                return replace(bent, low=max(low, -1.0), high=min(high, 1.0), above=above, below=below)
            case "abs" if a.low >= 0:
                return a
            case "abs":
                affine = a.concave is not None and a.convex is not None
                return replace(opaque, low=0.0, convex=NOBODY if affine else None, degree=a.degree)
            case "sin" | "cos":
                return replace(opaque, low=-1.0, high=1.0)
            case _:
                return opaque

    def compose_shape(self, facts: _Facts, a: _Facts, shape: _Shape) -> _Facts:
        """Curvature of shape(a): concave if the shape is concave and a affine, or rising and a concave, or falling and
        a convex; and the mirror image. Strict where a is (the shape being strictly monotone), and where the shape bends
        and a cannot stand still while the input moves."""
        still_moving = a.inputs if a.trend else NOBODY
        outward = a.concave if shape.trend > 0 else a.convex if shape.trend < 0 else None
        inward = a.convex if shape.trend > 0 else a.concave if shape.trend < 0 else None
        concave = outward | still_moving if shape.bend < 0 and outward is not None else None
        convex = inward | still_moving if shape.bend > 0 and inward is not None else None
        # What rises keeps the order of its argument, what falls turns it round: level sets stay what they were.
        bowl = a.convex is not None and bool(a.inputs) and a.convex >= a.inputs
        quasiconcave = (a.quasiconcave and shape.trend > 0) or (bowl and shape.trend < 0)
        return replace(
            facts,
            concave=_either(facts.concave, concave),
            convex=_either(facts.convex, convex),
            trend=facts.trend or a.trend * shape.trend,
            quasiconcave=facts.quasiconcave or quasiconcave,
        )

    def scaled_concave(self, facts: _Facts) -> _Facts:
        """A positive, strictly quasi-concave function homogeneous of a degree in (0, 1) is strictly concave (CES)."""
        if facts.quasiconcave and facts.positive and facts.degree is not None and 0 < facts.degree < 1 - 1e-12:
            return replace(facts, concave=facts.inputs)
        return facts


def _proof(formula: Formula) -> Verdict | None:
    """What the rules prove, or None."""
    graph = formula.output.graph
    facts = _Prover(formula.output).output
    names = {graph.variable(name).node: name for name in formula.variables}
    if facts.constant is not None or not facts.inputs:
        return Verdict(False, True, "constant: its inputs do not change its output")
    unused = [name for node, name in names.items() if node not in facts.inputs]
    if unused:
        return Verdict(False, True, f"not strictly concave: {unused[0]} does not change its output")
    if facts.concave is not None and facts.concave >= names.keys():
        return Verdict(True, True, "strictly concave (proven by composition)")
    returns = _returns_to_scale(facts, names)
    if returns:
        return Verdict(False, True, returns)
    if facts.convex is not None:
        if facts.concave is not None:
            return Verdict(False, True, "a straight line: marginal products never fall")
        return Verdict(False, True, "convex: marginal products rise where they change")
    atoms = facts.linear[1]
    for node, name in names.items():
        if node in atoms and not any(node in _inputs_of(formula, atom) for atom in atoms if atom != node):
            return Verdict(False, True, f"linear in {name}: its marginal product never falls")
    return None


def _inputs_of(formula: Formula, node: int) -> set[int]:
    graph = formula.output.graph
    return {each for each in graph.reachable([Term(graph, node)]) if graph.names[each] is not None}


def _returns_to_scale(facts: _Facts, names: Mapping[int, str]) -> str | None:
    """Why a function homogeneous of some degree is not strictly concave along the ray through any inputs, or None.

    There it is t^degree f(x): bent like degree (degree - 1) f(x).
    """
    if facts.degree is None:
        return None
    degree = _total([facts.degree])
    monomial = facts.product[1].keys() <= names.keys()
    reason = f"exponents sum to {degree:g}" if monomial else f"homogeneous of degree {degree:g}"
    if degree == 1:
        return f"constant returns to scale ({reason})"
    if degree == 0:
        return f"scaling all inputs together does not change its output ({reason})"
    if degree > 1 and facts.positive:
        return f"increasing returns to scale ({reason})"
    if (degree < 0 and facts.positive) or (0 < degree < 1 and facts.negative):
        return f"convex along every ray of inputs ({reason})"
    return None


def _sampled(formula: Formula, scale: float) -> Verdict:
    """The verdict of the Hessian at `_points`.

    The noise of a second derivative in floats is taken as 1e-13 of the marginal effects plus 1e-14 of the output. What
    lies within it says nothing, so that a formula may saturate, or be straight to rounding at small inputs. An analytic
    function that is straight along some direction in one region is so everywhere: it bends down nowhere and is refused.
    """
    points = _points(len(formula.variables), scale)
    reach = f"inputs from {scale * 10.0**-DECADES:g} to {scale * 10.0**DECADES:g}"
    output, slopes, hessian = formula.value(points), formula.gradient(points), formula.hessian(points)
    usable = np.isfinite(output) & np.isfinite(slopes).all(-1) & np.isfinite(hessian).all((-2, -1))
    if not usable.any():
        return Verdict(
            False, False, f"no finite output with finite derivatives at any of {len(points)} sampled {reach}"
        )
    points, output, slopes, hessian = points[usable], output[usable], slopes[usable], hessian[usable]
    diagonal = np.einsum("nii->ni", hessian)
    with np.errstate(all="ignore"):
        own = points**2 * diagonal
        noise = 1e-13 * (np.abs(points * slopes) + np.abs(own)) + 1e-14 * np.abs(output)[:, None]
        straight = ~(np.abs(own) > noise)
        unit = np.where(straight, 0.0, points / np.sqrt(np.abs(own)))
        joint = np.nan_to_num(unit[:, :, None] * hessian * unit[:, None, :], posinf=0.0, neginf=0.0)
        blur = 1e-9 + len(formula.variables) * np.where(straight, 0.0, noise / np.abs(own)).max(-1)
    top = np.linalg.eigvalsh(joint)[:, -1]
    rises = top > blur
    bends = (top < -blur) & ~straight.any(-1)
    if rises.any():
        distance = np.abs(np.log(points / scale)).sum(-1)
        worst = int(np.argmin(np.where(rises, distance, np.inf)))
        where = ", ".join(f"{name} = {value:.4g}" for name, value in zip(formula.variables, points[worst], strict=True))
        rising = np.flatnonzero((own[worst] > 0) & ~straight[worst])
        with np.errstate(all="ignore"):
            ray = points[worst] @ hessian[worst] @ points[worst] > noise[worst].sum()
        what = f"the marginal product of {formula.variables[rising[0]]} rises" if rising.size else "not jointly concave"
        return Verdict(False, False, f"{what} at {where}" + (" (increasing returns)" if ray else ""))
    if formula.has_kinks:
        return Verdict(False, False, "has kinks (min, max or abs), and its strict concavity cannot be proven")
    if np.count_nonzero(bends) * 20 < len(points):
        return Verdict(False, False, f"straight along some direction (to rounding) at nearly all sampled {reach}")
    return Verdict(True, False, f"strictly concave at {len(points)} sampled {reach} (not proven)")


def _points(inputs: int, scale: float) -> NDArray[np.float64]:
    """Positive inputs, shape (points, inputs), the same at every call: equal, whole decades, log-uniform."""
    exponents = np.linspace(-DECADES, DECADES, 1201 if inputs == 1 else 121)
    equal = np.repeat(exponents[:, None], inputs, axis=1)
    generator = np.random.default_rng(0)
    decades = generator.integers(-DECADES, DECADES, size=(600, inputs), endpoint=True)
    anywhere = generator.uniform(-DECADES, DECADES, size=(600, inputs))
    return scale * np.power(10.0, np.concatenate([equal, decades, anywhere]), dtype=np.float64)
