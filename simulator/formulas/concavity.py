"""Is a formula strictly concave, jointly in its inputs, over positive inputs? Only then is its best response unique.

First by proof: rules of composition (disciplined convex programming: Grant, Boyd, Ye 2006) carried through the
formula's graph, with the sign and range of every node, power products (monomials and their like) and returns to scale.
Where the rules say nothing, by sampling the Hessian over six decades either side of the scenario's scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.facts import Facts, rounded_sum
from simulator.formulas.formula import Formula
from simulator.formulas.graph import Term
from simulator.formulas.prover import Prover

DECADES = 6
"""Sampled inputs reach this many decades either side of the scale."""


@dataclass(frozen=True)
class Verdict:
    """`strictly_concave` in all inputs jointly; `proven`, or only sampled; `sentence` says why, or where not."""

    strictly_concave: bool
    proven: bool
    sentence: str


def judge(formula: Formula, scale: float = 1.0) -> Verdict:
    """Judge strict concavity over positive inputs; `scale` is the middle of the sampled inputs (quantity per tick)."""
    return _proof(formula) or _sampled(formula, scale)


def _proof(formula: Formula) -> Verdict | None:
    """What the rules prove, or None."""
    graph = formula.output.graph
    facts = Prover(formula.output).output
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


def _returns_to_scale(facts: Facts, names: Mapping[int, str]) -> str | None:
    """Why a function homogeneous of some degree is not strictly concave along the ray through any inputs, or None.

    There it is t^degree f(x): bent like degree (degree - 1) f(x).
    """
    if facts.degree is None:
        return None
    degree = rounded_sum([facts.degree])
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
