"""Rules of composition: from what is known of the arguments of an operation to what is known of its result.

Disciplined convex programming (Grant, Boyd, Ye 2006), with power products and returns to scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from simulator.formulas.facts import (
    NOBODY,
    Facts,
    agreed,
    both,
    bounds,
    either,
    exponential,
    logarithm,
    raised,
    reciprocal,
    rounded_sum,
    stretched,
    sum_or_zero,
)
from simulator.formulas.graph import Term
from simulator.formulas.operations import OPERATIONS


class Prover:
    """Carries facts from the inputs to the output of a graph, each node after its arguments."""

    def __init__(self, output: Term) -> None:
        self.graph = output.graph
        self.facts: dict[int, Facts] = {}
        for node in self.graph.reachable([output]):
            facts = self.node(node)
            facts = replace(facts, quasiconcave=facts.quasiconcave or self.quasiconcave(facts))
            self.facts[node] = self.scaled_concave(facts)
        self.output = self.facts[output.node]

    def node(self, node: int) -> Facts:
        operation = self.graph.operations[node]
        arguments = [self.facts[argument] for argument in self.graph.arguments[node]]
        itself = (0.0, {node: 1.0})
        alone = (1.0, {node: 1.0})
        if (value := self.graph.constants[node]) is not None:
            return self.number(value)
        if operation == "variable":
            return Facts(
                frozenset({node}), itself, alone, 0.0, math.inf, True, True, NOBODY, NOBODY, trend=1, degree=1.0
            )
        inputs = frozenset[int]().union(*(facts.inputs for facts in arguments))
        opaque = Facts(inputs, itself, alone)
        match operation:
            case "+" | "-":
                return self.sum(opaque, arguments[0], arguments[1], 1.0 if operation == "+" else -1.0)
            case "negate":
                return self.sum(opaque, self.number(0.0), arguments[0], -1.0)
            case "*" | "/":
                return self.multiply(opaque, arguments[0], arguments[1], 1.0 if operation == "*" else -1.0)
            case "^ constant":
                exponent = arguments[1].constant
                return opaque if exponent is None else self.power(opaque, arguments[0], exponent)
            case "sqrt":
                return self.power(opaque, arguments[0], 0.5)
            case "min" | "max":
                return self.choice(opaque, arguments, operation)
            case _:
                return self.compose(opaque, arguments, operation)

    def number(self, value: float) -> Facts:
        return Facts(NOBODY, (value, {}), (value, {}), value, value, concave=NOBODY, convex=NOBODY, degree=0.0)

    def sum(self, opaque: Facts, a: Facts, b: Facts, sign: float) -> Facts:
        """a + sign*b, its curvature read off the linear form, in which equal atoms have met."""
        atoms = dict(a.linear[1])
        for atom, coefficient in b.linear[1].items():
            atoms[atom] = sum_or_zero(atoms.get(atom, 0.0), sign * coefficient)
        atoms = {atom: coefficient for atom, coefficient in atoms.items() if coefficient != 0}
        constant = sum_or_zero(a.linear[0], sign * b.linear[0])
        if not atoms:
            return self.number(constant)
        facts = self.linear(replace(opaque, linear=(constant, atoms)))
        degree = a.degree if a.degree == b.degree else None
        if constant == 0 and degree is None:
            degree = agreed((self.facts[atom].degree for atom in atoms), None)
        return replace(facts, degree=degree)

    def linear(self, facts: Facts) -> Facts:
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
            concave = both(concave, of.concave if rising else of.convex)
            convex = both(convex, of.convex if rising else of.concave)
            trends.add((of.inputs, of.trend if rising else -of.trend))
            inputs |= of.inputs
        product, quasiconcave = facts.product, False
        if len(atoms) == 1:
            ((atom, coefficient),) = atoms.items()
            quasiconcave = coefficient > 0 and self.facts[atom].quasiconcave
            if constant == 0:
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
            trend=agreed(trends, (inputs, 0))[1] if len(inputs) == 1 else 0,
            quasiconcave=quasiconcave,
        )

    def multiply(self, opaque: Facts, a: Facts, b: Facts, sign: float) -> Facts:
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
            return replace(facts, degree=a.degree)
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

    def as_product(self, facts: Facts) -> tuple[float, Mapping[int, float]] | None:
        """The node as factor * prod base^exponent over positive bases, or None."""
        factor, bases = facts.product
        positive = all(base in self.facts and self.facts[base].positive for base in bases)
        return facts.product if factor != 0 and positive else None

    def quotient_of_linear_forms(self, opaque: Facts, a: Facts, b: Facts) -> Facts | None:
        """a/b where a = m*b + r with numbers m and r: then it bends as r/b does, as in x/(1 + x) = 1 - 1/(1 + x)."""
        (constant, atoms), (shift, others) = a.linear, b.linear
        if not others or set(atoms) - set(others):
            return None
        multiples = {atoms.get(atom, 0.0) / coefficient for atom, coefficient in others.items()}
        if len(multiples) != 1:
            return None
        multiple = multiples.pop()
        rest = sum_or_zero(constant, -multiple * shift)
        if rest == 0:
            return None
        inverse = self.compose_shape(opaque, b, trend=-1, bend=1 if b.positive else -1)
        ends = [reciprocal(b.high, b.positive), reciprocal(b.low, b.positive)]
        facts = stretched(replace(inverse, low=ends[0], high=ends[1], above=b.below, below=b.above), rest, multiple)
        degree = None if a.degree is None or b.degree is None else a.degree - b.degree
        product = opaque.product
        if multiple == 0 and b.positive and (form := self.as_product(b)) is not None:
            product = (rest / form[0], {base: -exponent for base, exponent in form[1].items()})
            return self.power_product(replace(facts, degree=degree), *product)
        return replace(facts, degree=degree)

    def power(self, opaque: Facts, a: Facts, exponent: float) -> Facts:
        """a^exponent with a constant exponent other than 0 and 1."""
        degree = None if a.degree is None else a.degree * exponent
        facts = replace(opaque, degree=degree)
        if a.positive:
            form = self.as_product(a)
            if form is not None and form[0] > 0:
                facts = self.power_product(
                    facts, raised(form[0], exponent), {base: each * exponent for base, each in form[1].items()}
                )
        if a.positive or (a.low >= 0 and exponent > 0):
            rising = exponent > 0
            bend = 1 if exponent > 1 or exponent < 0 else -1
            bent = self.compose_shape(facts, a, trend=1 if rising else -1, bend=bend)
            low, high = (a.low, a.high) if rising else (a.high, a.low)
            above, below = (a.above, a.below) if rising else (a.below, a.above)
            low, high = bounds(lambda value: raised(value, exponent), low, high, 1.0)
            return replace(bent, low=low, high=high, above=above, below=below)
        if exponent > 0 and exponent % 2 == 0:
            return replace(facts, low=0.0, convex=a.moving if a.affine else None)
        return facts

    def power_product(self, facts: Facts, factor: float, exponents: Mapping[int, float]) -> Facts:
        """factor * prod base^exponent over positive bases.

        With concave bases: concave if the exponents are positive with sum at most 1 (a geometric mean), convex if they
        are negative. With inputs as bases also convex if one exponent is positive and the sum at least 1.
        """
        if not math.isfinite(factor) or factor == 0:
            return facts
        exponents = {base: exponent for base, exponent in exponents.items() if exponent != 0}
        facts = replace(facts, product=(factor, exponents))
        bases = {base: self.facts[base] for base in exponents}
        total = rounded_sum(exponents.values())
        plain = all(self.graph.names[base] is not None for base in bases)
        inner = [base.concave for base in bases.values()]
        concave: frozenset[int] | None = None
        convex: frozenset[int] | None = None
        # Inputs that cannot change without changing a base, and those in which a base itself bends.
        moving = frozenset[int]().union(*(base.moving for base in bases.values()))
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
        inputs = frozenset[int]().union(*(base.inputs for base in bases.values()))
        trends = (base.trend * (1 if exponents[node] > 0 else -1) for node, base in bases.items())
        trend = agreed(trends, 0) if len(inputs) == 1 else 0
        if positive and facts.low <= 0:
            facts = replace(facts, low=0.0, above=True)
        if not positive and facts.high >= 0:
            facts = replace(facts, high=0.0, below=True)
        return replace(
            facts,
            inputs=inputs,
            concave=either(facts.concave, concave if positive else convex),
            convex=either(facts.convex, convex if positive else concave),
            trend=facts.trend or (trend if positive else -trend),
            degree=total if plain else facts.degree,
        )

    def choice(self, opaque: Facts, arguments: Sequence[Facts], operation: str) -> Facts:
        """min (concave if all are) or max (convex if all are); strict where all of them are."""
        pick, least = (min, True) if operation == "min" else (max, False)
        low, high = pick(facts.low for facts in arguments), pick(facts.high for facts in arguments)
        bends = [facts.concave if least else facts.convex for facts in arguments]
        common = None if None in bends else opaque.inputs.intersection(*(each or NOBODY for each in bends))
        return replace(
            opaque,
            low=low,
            high=high,
            above=all(facts.above or facts.low > low for facts in arguments),
            below=all(facts.below or facts.high < high for facts in arguments),
            concave=common if least else None,
            convex=None if least else common,
            trend=agreed((facts.trend for facts in arguments), 0) if len(opaque.inputs) == 1 else 0,
            degree=agreed((facts.degree for facts in arguments), None),
        )

    def compose(self, opaque: Facts, arguments: Sequence[Facts], operation: str) -> Facts:
        """The functions of one number, and powers of a constant."""
        a = arguments[0]
        match operation:
            case "^" if a.constant is not None and a.constant > 0 and a.constant != 1:
                rate, exponent = math.log(a.constant), arguments[1]
                bent = self.compose_shape(opaque, exponent, trend=1 if rate > 0 else -1, bend=1)
                return replace(bent, low=0.0, above=True)
            case "ln" if a.positive:
                low, high = bounds(logarithm, a.low, a.high, 1.0)
                bent = self.compose_shape(opaque, a, trend=1, bend=-1)
                return replace(bent, low=low, high=high, above=a.above, below=a.below)
            case "exp":
                bent = self.compose_shape(opaque, a, trend=1, bend=1)
                low, high = bounds(exponential, a.low, a.high)
                return replace(bent, low=low, high=high, above=a.above or low == 0, below=a.below)
            case "tanh":
                bend = -1 if a.low >= 0 else 1 if a.high <= 0 else 0
                bent = self.compose_shape(opaque, a, trend=1, bend=bend)
                low, high = bounds(math.tanh, a.low, a.high)
                above, below = a.above or a.low == -math.inf, a.below or a.high == math.inf
                return replace(bent, low=max(low, -1.0), high=min(high, 1.0), above=above, below=below)
            case "sigmoid" | "softplus":
                bend = 1 if operation == "softplus" or a.high <= 0 else -1 if a.low >= 0 else 0
                bent = self.compose_shape(opaque, a, trend=1, bend=bend)
                # A step of rounding is less than a few of the last digits.
                value, most = OPERATIONS[operation].number, 1.0 if operation == "sigmoid" else math.inf
                low, high = (1.0 - 1e-15) * value(a.low), min((1.0 + 1e-15) * value(a.high), most)
                return replace(bent, low=low, high=high, above=True, below=True)
            case "relu" if a.low < 0:
                return self.choice(opaque, [a, self.number(0.0)], "max")
            case "abs" | "relu" if a.low >= 0:
                return a
            case "abs":
                return replace(opaque, low=0.0, convex=NOBODY if a.affine else None, degree=a.degree)
            case "sin" | "cos":
                return replace(opaque, low=-1.0, high=1.0)
            case _:
                return opaque

    def compose_shape(self, facts: Facts, a: Facts, *, trend: int, bend: int) -> Facts:
        """Curvature of shape(a), a function of one number that strictly rises (trend 1) or falls (-1) and is strictly
        convex (bend 1), strictly concave (-1) or neither (0).

        Concave if the shape is concave and a affine, or rising and a concave, or falling and a convex; and the mirror
        image. Strict where a is (the shape being strictly monotone), and where the shape bends and a cannot stand still
        while the input moves.
        """
        outward, inward = (a.concave, a.convex) if trend > 0 else (a.convex, a.concave)
        # Of a concave function that is strictly quasi-concave it is strictly concave: between two points of one height
        # the function is higher, and between two of different heights the shape bends.
        strict = a.inputs if trend > 0 and a.quasiconcave else a.moving
        concave = outward | strict if bend < 0 and outward is not None else None
        convex = inward | a.moving if bend > 0 and inward is not None else None
        # What rises keeps the order of its argument, what falls turns it round: level sets stay what they were.
        bowl = a.convex is not None and bool(a.inputs) and a.convex >= a.inputs
        quasiconcave = (a.quasiconcave and trend > 0) or (bowl and trend < 0)
        return replace(
            facts,
            concave=either(facts.concave, concave),
            convex=either(facts.convex, convex),
            trend=facts.trend or a.trend * trend,
            quasiconcave=facts.quasiconcave or quasiconcave,
        )

    def quasiconcave(self, facts: Facts) -> bool:
        """Strictly: a function that moves with its one input; one that is strictly concave, but for one input at most
        in which it is straight and not flat (quasi-linear); a product of powers above 0 of concave functions, for then
        its logarithm is concave.
        """
        if facts.trend:
            return True
        if facts.concave is not None:
            atoms = [self.facts[atom] for atom in facts.linear[1] if atom in self.facts]
            straight = [each for each in atoms if each.inputs & (facts.inputs - facts.concave)]
            if len(facts.inputs - facts.concave) <= len(straight) <= 1:
                return bool(facts.inputs) and all(each.trend for each in straight)
        if (form := self.as_product(facts)) is None or form[0] < 0 or min(form[1].values(), default=0.0) <= 0:
            return False
        bases = [self.facts[base] for base in form[1]]
        strict = [each.inputs if each.quasiconcave else each.moving for each in bases if each.concave is not None]
        return len(strict) == len(bases) and facts.inputs <= NOBODY.union(
            *strict, *(each.concave or () for each in bases)
        )

    def scaled_concave(self, facts: Facts) -> Facts:
        """A positive, strictly quasi-concave function homogeneous of a degree in (0, 1) is strictly concave (CES)."""
        if facts.quasiconcave and facts.positive and facts.degree is not None and 0 < facts.degree < 1 - 1e-12:
            return replace(facts, concave=facts.inputs)
        return facts
