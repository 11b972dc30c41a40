"""Is a formula strictly concave, jointly in its inputs, over positive inputs? Only then is its best response unique.

First by proof: rules of composition (disciplined convex programming: Grant, Boyd, Ye 2006) carried through the
formula's graph, with the sign and range of every node, power products (monomials and their like) and returns to scale.
Where the rules say nothing, by sampling the Hessian over six decades either side of the scenario's scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.facts import Facts, rounded_sum
from simulator.formulas.formula import Formula
from simulator.formulas.graph import Term
from simulator.formulas.prover import Prover

Array = NDArray[np.float64]

DECADES = 6
"""Sampled inputs reach this many decades either side of the scale."""
BLOCK = 2**20
"""Entries of Hessians in memory at a time."""


@dataclass(frozen=True)
class Concavity:
    """`strictly_concave` in all inputs jointly; `proven`, or only sampled; `sentence` says why, or where not."""

    strictly_concave: bool
    proven: bool
    sentence: str


def judge(formula: Formula, scale: float = 1.0) -> Concavity:
    """Judge strict concavity over positive inputs; `scale` is the middle of the sampled inputs (quantity per tick)."""
    return _proof(formula) or _sampled(formula, scale)


def _proof(formula: Formula) -> Concavity | None:
    """What the rules prove, or None."""
    graph = formula.output.graph
    facts = Prover(formula.output).output
    names = {graph.variable(name).node: name for name in formula.variables}
    if facts.constant is not None or not facts.inputs:
        return Concavity(False, True, "constant: its inputs do not change its output")
    unused = [name for node, name in names.items() if node not in facts.inputs]
    if unused:
        return Concavity(False, True, f"not strictly concave: {unused[0]} does not change its output")
    if facts.concave is not None and facts.concave >= names.keys():
        return Concavity(True, True, "strictly concave (proven by composition)")
    returns = _returns_to_scale(facts, names)
    if returns:
        return Concavity(False, True, returns)
    if facts.convex is not None:
        if facts.affine:
            return Concavity(False, True, "a straight line: marginal products never fall")
        return Concavity(False, True, "convex: marginal products rise where they change")
    atoms = facts.linear[1]
    for node, name in names.items():
        if node in atoms and not any(node in _inputs_of(formula, atom) for atom in atoms if atom != node):
            return Concavity(False, True, f"linear in {name}: its marginal product never falls")
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


def _sampled(formula: Formula, scale: float) -> Concavity:
    """The verdict of the Hessian at `sampled_inputs`.

    The noise of a second derivative in floats is taken as 1e-13 of the marginal effects plus 1e-14 of the output. What
    lies within it says nothing, so that a formula may saturate, or be straight to rounding at small inputs. An analytic
    function that is straight along some direction in one region is so everywhere: it bends down nowhere and is refused.
    """
    points, reach = sampled_inputs(len(formula.variables), scale)
    usable, rises, falls = in_blocks(points, lambda block: _bends(formula, block))
    if not usable.any():
        return Concavity(
            False, False, f"no finite output with finite derivatives at any of {len(points)} sampled {reach}"
        )
    if rises.any():
        return Concavity(False, False, _rise(formula, points[nearest(points, scale, rises)]))
    if formula.has_kinks:
        return Concavity(False, False, "has kinks (min, max or abs), and its strict concavity cannot be proven")
    if flat(usable, falls):
        return Concavity(False, False, f"straight along some direction (to rounding) at nearly all sampled {reach}")
    return Concavity(True, False, f"strictly concave at {np.count_nonzero(usable)} sampled {reach} (not proven)")


def in_blocks(points: Array, found: Callable[[Array], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """What is found at points `(n, k)`, so many at a time that their Hessians fit in memory."""
    blocks = np.array_split(points, 1 + points.size * points.shape[1] // BLOCK)
    return np.concatenate([found(block) for block in blocks], axis=1)


def flat(usable: NDArray[np.bool_], falls: NDArray[np.bool_]) -> bool:
    """Whether hardly any point bends down along all directions."""
    return bool(np.count_nonzero(falls) * 20 < np.count_nonzero(usable))


def nearest(points: Array, scale: float, where: NDArray[np.bool_]) -> int:
    """The point `where` something is found that is nearest the scale: the easiest to see."""
    return int(np.argmin(np.where(where, np.abs(np.log(points / scale)).sum(-1), np.inf)))


def place(formula: Formula, point: Array, first: int = 0) -> str:
    """Inputs in words, of many the one that matters and the first few."""
    shown = range(len(point)) if len(point) <= 8 else dict.fromkeys([first, *range(5)])
    return ", ".join(f"{formula.variables[i]} = {point[i]:.4g}" for i in shown) + ", ..." * (len(point) > 8)


def _bends(formula: Formula, points: Array) -> NDArray[np.bool_]:
    """Where the Hessian is finite, where it bends up along some direction, and where down along all: `(3, points)`."""
    usable, _, bent, noise = in_logarithms(formula, points)
    return directions(usable, bent, noise)


def in_logarithms(formula: Formula, points: Array) -> tuple[NDArray[np.bool_], Array, Array, Array]:
    """Where all is finite, `x_i f_i`, `x_i x_j f_ij`, and the noise of `x_i^2 f_ii`, at inputs `(points, k)`."""
    output, slopes, hessian = formula.value(points), formula.gradient(points), formula.hessian(points)
    usable = np.isfinite(output) & np.isfinite(slopes).all(-1) & np.isfinite(hessian).all((-2, -1))
    hessian[~usable] = 0.0
    with np.errstate(all="ignore"):
        _, noise = _own(points, output, slopes, hessian)
        hessian *= points[:, :, None]
        hessian *= points[:, None, :]
        return usable, points * slopes, hessian, noise


def directions(usable: NDArray[np.bool_], bent: Array, noise: Array) -> NDArray[np.bool_]:
    """What of points `(n,)` is usable, where a symmetric matrix `(n, k, k)` bends up along some direction, and where
    down along all, with the `noise` of its diagonal `(n, k)`: `(3, n)`. Overwrites the matrix.
    """
    with np.errstate(all="ignore"):
        own = np.abs(np.einsum("nii->ni", bent))
        straight = ~(own > noise)
        unit = np.where(straight, 0.0, 1.0 / np.sqrt(own))
        blur = 1e-9 + bent.shape[-1] * np.where(straight, 0.0, noise / own).max(-1)
        bent *= unit[:, :, None]
        bent *= unit[:, None, :]
    bent = -np.nan_to_num(bent, copy=False, posinf=0.0, neginf=0.0)
    diagonal = np.eye(bent.shape[-1]) * blur[:, None, None]
    falls = usable & ~straight.any(-1)
    falls[falls] = _positive_definite(bent[falls] - diagonal[falls])
    rises = usable & ~falls
    rises[rises] = ~_positive_definite(bent[rises] + diagonal[rises])
    return np.stack([usable, rises, falls])


def _positive_definite(matrices: Array) -> NDArray[np.bool_]:
    """Which of `(n, k, k)` are: all pivots of an elimination are above 0. Overwrites them.

    Not by LAPACK, whose threads cost more than they bring where a machine is busy.
    """
    definite = np.full(len(matrices), True)
    for i in range(matrices.shape[-1]):
        row = matrices[:, i, i:]
        definite &= row[:, 0] > 0
        share = row / np.where(definite, row[:, 0], np.inf)[:, None]
        matrices[:, i + 1 :, i + 1 :] -= share[:, 1:, None] * row[:, None, 1:]
    return definite


def _own(points: Array, output: Array, slopes: Array, hessian: Array) -> tuple[Array, Array]:
    """`x_i^2 d2f/dx_i^2` and its noise, each `(points, k)`."""
    own = points**2 * np.einsum("nii->ni", hessian)
    return own, 1e-13 * (np.abs(points * slopes) + np.abs(own)) + 1e-14 * np.abs(output)[:, None]


def _rise(formula: Formula, point: Array) -> str:
    """What rises at inputs where the Hessian bends up along some direction."""
    one = point[None]
    hessian = formula.hessian(one)
    with np.errstate(all="ignore"):
        own, noise = _own(one, formula.value(one), formula.gradient(one), hessian)
        ray = point @ hessian[0] @ point > noise.sum()
    rising = np.flatnonzero((own > noise)[0])
    what = f"the marginal product of {formula.variables[rising[0]]} rises" if rising.size else "not jointly concave"
    where = place(formula, point, rising[0] if rising.size else 0)
    return f"{what} at {where}" + (" (increasing returns)" if ray else "")


def sampled_inputs(inputs: int, scale: float) -> tuple[Array, str]:
    """Positive inputs, `(points, inputs)`, the same at every call: equal, whole decades, log-uniform; and their reach
    in words.

    Of more than 50 inputs fewer points: the work at each grows as the cube of their number.
    """
    exponents = np.linspace(-DECADES, DECADES, 1201 if inputs == 1 else 121)
    equal = np.repeat(exponents[:, None], inputs, axis=1)
    generator = np.random.default_rng(0)
    decades = generator.integers(-DECADES, DECADES, size=(600, inputs), endpoint=True)
    anywhere = generator.uniform(-DECADES, DECADES, size=(600, inputs))
    points = scale * np.power(10.0, np.concatenate([equal, decades, anywhere]), dtype=np.float64)
    reach = f"inputs from {scale * 10.0**-DECADES:g} to {scale * 10.0**DECADES:g}"
    return points[:: min(math.ceil((inputs / 50) ** 2), len(points) // 10)], reach
