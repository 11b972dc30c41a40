"""Is a formula strictly quasi-concave over positive inputs: is a mix of two bundles that are as good as one another
better than both? Only then is there one best bundle on every budget.

First by proof, from the same facts as concavity. Where these say nothing, by sampling: at each point the Hessian must
bend down along the indifference surface (the bordered Hessian).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.concavity import (
    Array,
    directions,
    flat,
    in_blocks,
    in_logarithms,
    nearest,
    place,
    sampled_inputs,
)
from simulator.formulas.formula import Formula
from simulator.formulas.prover import Prover

JUMPS = "no mix is best, and demand jumps from one bundle to another as prices move"
MANY = "at some prices many bundles are best, and demand is none of them"


@dataclass(frozen=True)
class Quasiconcavity:
    """Whether it `holds` strictly, in all inputs that change the output; `proven`, or only sampled; `sentence` says
    why, or where not.
    """

    holds: bool
    proven: bool
    sentence: str


def judge_quasiconcavity(formula: Formula, scale: float = 1.0) -> Quasiconcavity:
    """Judge over positive inputs; `scale` is the middle of the sampled ones (quantity per tick)."""
    facts = Prover(formula.output).output
    if facts.constant is not None or not facts.inputs:
        return Quasiconcavity(False, True, "constant: no bundle is better than another")
    if facts.quasiconcave:
        return Quasiconcavity(True, True, "strictly quasi-concave (proven by composition)")
    names = {formula.output.graph.variable(name).node: name for name in formula.variables}
    if facts.affine and len(facts.inputs) > 1:
        named = " and ".join(name for node, name in names.items() if node in facts.inputs)
        said = f"indifference curves are straight, {named} replace one another at fixed rates: {MANY}"
        return Quasiconcavity(False, True, said)
    return _sampled(formula, scale)


def _sampled(formula: Formula, scale: float) -> Quasiconcavity:
    points, reach = sampled_inputs(len(formula.variables), scale)
    usable, rises, falls = in_blocks(points, lambda block: _bends(formula, block))
    if not usable.any():
        return Quasiconcavity(False, False, f"better with more of nothing at any of {len(points)} sampled {reach}")
    if rises.any():
        where = place(formula, points[nearest(points, scale, rises)])
        return Quasiconcavity(False, False, f"indifference curves bend the wrong way at {where}: {JUMPS}")
    valley = _valley(formula, points, scale)
    if valley is not None:
        return Quasiconcavity(False, False, f"{valley}: {JUMPS}")
    if formula.has_kinks or flat(usable, falls):
        what = "may have straight parts beside their kinks" if formula.has_kinks else "are straight (to rounding)"
        return Quasiconcavity(False, False, f"indifference curves {what} at sampled {reach}: {MANY}")
    count = np.count_nonzero(usable)
    return Quasiconcavity(True, False, f"strictly quasi-concave at {count} sampled {reach} (not proven)")


def _valley(formula: Formula, points: Array, scale: float) -> str | None:
    """Where a bundle between two others is worse than both, on straight lines through the origin and between points."""
    generator = np.random.default_rng(0)
    ends = points[generator.permutation(len(points))], np.concatenate([points[1:], points[:1]])
    for here, there in ((points * 1e-2, points), (points, points * 1e2), ends):
        with np.errstate(all="ignore"):
            between = 0.5 * (here + there)
            least = np.minimum(formula.value(here), formula.value(there))
            lower = formula.value(between) < least - 1e-12 * np.abs(least)
        if lower.any():
            worst = nearest(between, scale, lower)
            beside = " and ".join(f"({place(formula, each[worst])})" for each in (here, there))
            return f"worse than both of {beside} halfway between them"
    return None


def _bends(formula: Formula, points: Array) -> NDArray[np.bool_]:
    """Where something rises, where the Hessian bends up along some direction in which the output stays as it is, and
    where down along all: `(3, points)`.

    In logarithms of the inputs, where the input that matters most makes up for each of the others.
    """
    usable, worth, bent, noise = in_logarithms(formula, points)
    usable &= (worth > 1e-13 * np.abs(worth).sum(axis=-1, keepdims=True)).any(axis=-1)
    rows, most = np.arange(len(points)), np.argmax(np.abs(worth), axis=-1)
    with np.errstate(all="ignore"):
        share = worth / worth[rows, most][:, None]
        beside, own = bent[rows, most], bent[rows, most, most][:, None]
        bent -= share[:, :, None] * beside[:, None, :]
        bent -= beside[:, :, None] * share[:, None, :]
        bent += own[:, :, None] * share[:, :, None] * share[:, None, :]
        noise = noise + 1e-13 * np.abs(2 * share * beside) + share**2 * noise[rows, most][:, None]
    # What makes up has no direction of its own.
    bent[rows, most], bent[rows, :, most] = 0.0, 0.0
    bent[rows, most, most], noise[rows, most] = -1.0, 0.0
    usable &= np.isfinite(bent).all(axis=(-2, -1))
    return directions(usable, bent, noise)
