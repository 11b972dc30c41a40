"""The largest profit of a firm with one input, by a road of the judges' own.

Profit is the conjugate of the formula: `pi(p, w) = max_x p f(x) - w x`, and by Hotelling's lemma its gradient is the
plan. The maximum lies where `g(ln x) = ln f'(x) - ln(w/p)` crosses 0. The search keeps a bracket in `ln x` and goes to
where a cubic through the last two points, `ln x` as a function of `g`, crosses. It shares no line with the market's
`best_response`: a plan that is wrong there must not be wrong here.
"""

from __future__ import annotations

import math

from simulator.formulas.searches import search
from simulator.formulas.tape import ScalarFormula

LOWEST, HIGHEST = -150.0, 300.0
"""An input whose logarithm lies below the first counts as 0, above the second as without end."""
OVERFLOWS = 150.0
"""Beyond this logarithm a slope that is not a number has overflowed; the domain has not ended."""
AT_ONCE, MET = 1e-9, 1e-8
"""What a tangent leaves of so short a step in `ln x`, with so small a `g`, is below rounding."""
FAR = 8.0
"""No interpolation is trusted over more of `ln x` than this."""
PATIENCE = 8
"""After so many turns every other one halves the bracket (at a kink nothing else ends)."""


@search(results=2)
def best_input(formula: ScalarFormula, ratio: float, near: float, first_slope: float) -> tuple[float, float]:
    """Input `x` and output `f(x)` of largest profit at `ratio = w/p`, looked for from an input `near` it.

    `first_slope` is `f'(0)` where `f(0)` exists, else infinite. The input is infinite where profit has no bound.
    """
    if first_slope <= ratio:
        return 0.0, formula.value(0.0)
    low, high, stride = -math.inf, math.inf, 0.5
    x = near if 0.0 < near < math.inf else 1.0
    t, inside, known = math.log(x), math.nan, math.nan
    # The point before, relative to this one: its g, its d ln x / dg, and by how much it lies below in ln x.
    before = tangent_before = moved = math.nan
    for turn in range(400):
        value, slope, curvature = formula.jet(x)
        gap = tangent = math.nan
        if slope == slope:
            inside, known = t, value
            rises = slope > ratio if ratio > 0.0 else slope >= ratio
            quotient = slope / ratio if ratio > 0.0 else 0.0
            if 0.0 < quotient < math.inf:
                gap = math.log(quotient)
                if curvature < 0.0:
                    tangent = slope / (x * curvature)
        elif inside != inside:
            t = _somewhere_inside(formula, t)
            if t != t:
                return 0.0, formula.value(0.0)
            x = math.exp(t)
            continue
        elif t > max(inside, OVERFLOWS):
            return math.inf, _at_the_end(formula, known)
        else:
            rises = t < inside
        if rises:
            low = t
        else:
            high = t
        step = -gap * tangent
        if -AT_ONCE < step < AT_ONCE and -MET < gap < MET:
            return x + x * step, value + slope * x * step
        apart = before - gap
        if apart * moved * tangent_before == apart * moved * tangent_before and apart != 0.0:
            chord = -moved / apart
            first, second = (chord - tangent) / apart, (tangent_before - chord) / apart
            step += gap * gap * (first - (second - first) / apart * before)
        following = t + step
        if not (low < following < high and -FAR < step < FAR) or (turn > PATIENCE and turn % 2 and high - low < FAR):
            if math.isinf(low) or math.isinf(high):
                following = t + (stride if rises else -stride)
                stride *= 2.0
            else:
                following = low + 0.5 * (high - low)
                if not low < following < high:
                    return (x, value) if value == value else (math.exp(inside), known)
            step = math.nan
        if following > HIGHEST:
            if t == HIGHEST:
                return math.inf, _at_the_end(formula, known)
            following, step = HIGHEST, math.nan
        elif following < LOWEST:
            if t == LOWEST:
                return 0.0, formula.value(0.0)
            following, step = LOWEST, math.nan
        if step == step:
            x *= math.exp(step)
        else:
            step, x = following - t, math.exp(following)
        before, tangent_before, moved, t = gap, tangent, step, following
    return x, formula.value(x)


def _somewhere_inside(formula: ScalarFormula, t: float) -> float:
    """The logarithm of an input at which there is a slope: the whole range is gone through ever more finely."""
    for places in (16, 128, 1024, 8192):
        width = (HIGHEST - LOWEST) / places
        found = [s for s in (LOWEST + width * (k + 0.5) for k in range(places)) if _has_slope(formula, s)]
        if found:
            return min(found, key=lambda s: abs(s - t))
    return math.nan


def _has_slope(formula: ScalarFormula, t: float) -> bool:
    return not math.isnan(formula.jet(math.exp(t))[1])


def _at_the_end(formula: ScalarFormula, known: float) -> float:
    """`f(inf)`, or the last value on the way there where that is not a number."""
    value = formula.value(math.inf)
    return known if math.isnan(value) else value
