"""Firms whose marginal products jump or stay: capacity, fixed proportions, substitutes (`power = min(3, 2*fuel)`).

The formula is concave, but has kinks or straight parts. At a kink the price lies between what the last and the next
unit earn; on a straight part the best plan jumps from one end to the other, and where all of it is best a firm takes
the least of a single input, and some of each of several.

The best plan is found by `economics.inside` and verified by a subgradient: some weights of the slopes that meet at it
make the last unit of each input earn its price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.economics.first_order import largest, misfit
from simulator.economics.forms import Array
from simulator.economics.inside import best_inside
from simulator.economics.technology import FormulaTechnology, Plan, bordered
from simulator.formulas.epigraph import Epigraph, Smooth, epigraph_of, jumps
from simulator.formulas.searches import array_search

BESIDE = 1e-9
"""How far beside an input its two slopes are looked at, relative to it."""
APART = 1e-6
"""Two slopes that differ by more, relative to the larger one, meet at a kink."""
MET = 1e-7
"""A condition with less to spare, relative to its value, holds with equality."""
AS_GOOD_AS_FREE = 1e-300
"""A price in the place of 0, at which a firm takes no more of an input than is of use to it."""


@dataclass(frozen=True)
class ConcaveTechnology(FormulaTechnology):
    """`y = A f(x)` for a concave formula with kinks or straight parts, whose marginal products end at 0 or below."""

    @cached_property
    def jumps(self) -> bool:
        """Whether plans may jump as prices move."""
        return jumps(self.formula.output)

    @cached_property
    def epigraph(self) -> Epigraph:
        return epigraph_of(self.formula)

    def plan_one(self, price: float, input_price: float, guess: float) -> tuple[float, float]:
        return super().plan_one(price, _not_free(input_price), guess)

    def profit(self, price: float, input_prices: Sequence[float], guess: Array) -> tuple[Array, Plan]:
        return super().profit(price, list(map(_not_free, input_prices)), guess)

    def best_inputs(self, earned: Array, input_prices: Array, guess: Array) -> Array:
        return best_inside(self.epigraph, earned, input_prices, guess)

    def nearest_product(self, price: Array, inputs: Array, input_prices: Array) -> Array:
        """Of the slopes that meet at the inputs those nearest `w/p`, `(..., rows, inputs)`."""
        with np.errstate(all="ignore"):
            wanted = input_prices[..., None, :] / np.asarray(price)[..., None, None]
            each, productivity = inputs / self.weight, self.productivity[:, None]
            slopes = self.marginal_product(inputs, input_prices)
            if inputs.shape[-1] == 1:
                sides = [productivity * self.formula.gradient(each * side) for side in (1.0 + BESIDE, 1.0 - BESIDE)]
                kinked = np.isfinite(slopes) & (sides[1] - sides[0] > APART * np.abs(sides[1]))
                return np.where(kinked, np.minimum(np.maximum(wanted, sides[0]), sides[1]), slopes)
            return _nearest(self.epigraph, slopes, each, wanted / productivity, productivity)

    def plan_residual(self, price: float, input_prices: Array, plan: Plan) -> float:
        if self.single_input:
            return np.nan
        each = plan.inputs / self.weight
        slopes = self.nearest_product(np.asarray(price), plan.inputs, input_prices)
        with np.errstate(all="ignore"):
            gap = price * slopes / input_prices - 1.0
            gap = np.where(each > 0, np.abs(gap), np.maximum(gap, 0.0))
            gap = np.where(np.isfinite(gap) & np.isfinite(each) & (input_prices > 0), gap, 0.0)
        return largest(gap.max(axis=-1, initial=0.0) + misfit(self.output(plan.inputs), plan.output))

    def supply_slope(self, price: float, input_prices: Array, inputs: Array) -> Array:
        """As of smooth formulas along the conditions that hold with equality, from
        `[H N'; N 0] [dx; dm] = [dw - dp f'; 0]`. What no condition and no curvature holds does not move.
        """
        return _slopes(self, price, input_prices, inputs)


def _not_free(price: float) -> float:
    return AS_GOOD_AS_FREE if price == 0.0 else price


def _weights(epigraph: Epigraph, each: Array, wanted: Array) -> tuple[Smooth, Array, Array]:
    """How a point of the smooth problem is at the inputs `(k,)` of one firm, which conditions hold with equality, and
    the multipliers at least 0 that bring its slopes nearest to what is `wanted` `(k,)`.
    """
    from scipy.optimize import nnls

    k, point = len(each), epigraph.at(each[None])
    look = epigraph.look(point, np.ones(1), np.zeros((1, len(epigraph.conditions))))
    tight = look.conditions[0] <= MET * np.maximum(np.abs(point[0, k:][epigraph.owners]), 1e-300)
    normals, slopes = look.normals[0][tight], look.slopes[0]
    size = np.where(np.isfinite(wanted) & (wanted > 0), wanted, 1.0)
    # Slopes in the unknowns of kinks are 0 whatever is wanted; what an idle input is worth may be less than wanted.
    spent = max(float(size @ each), 1e-300)
    strict = 1e6 * np.maximum(np.abs(point[0, k:]), 1e-8 * np.abs(point).max()) / spent
    rows = np.concatenate([normals.T[:k] / size[:, None], normals.T[k:] * strict[:, None]])
    idle = np.zeros((len(rows), k))
    idle[range(k), range(k)] = each == 0
    right = np.concatenate([(wanted - slopes[:k]) / size, -slopes[k:] * strict])
    found = np.zeros(len(tight))
    found[tight] = nnls(np.concatenate([rows, idle], axis=1), right)[0][: len(normals)]
    return look, tight, found


@array_search("slopes at a kink")
def _nearest(epigraph: Epigraph, slopes: Array, inputs: Array, wanted: Array, productivity: Array) -> Array:
    """Slopes `(..., rows, k)` nearest to what is `wanted`, where several meet at the inputs; else the only ones."""
    k, found = inputs.shape[-1], slopes.copy()
    productivity = np.broadcast_to(productivity, slopes.shape)
    usable = np.isfinite(slopes).all(axis=-1) & np.isfinite(wanted).all(axis=-1)
    for place in zip(*np.nonzero(usable), strict=True):
        look, tight, weights = _weights(epigraph, inputs[place], wanted[place])
        if np.count_nonzero(tight) > len(epigraph.kinks):
            found[place] = productivity[place] * (look.slopes[0] + weights @ look.normals[0])[:k]
    return found


@array_search("how plans of a concave formula answer to prices")
def _slopes(technology: ConcaveTechnology, price: float, input_prices: Array, inputs: Array) -> Array:
    epigraph, weight, k = technology.epigraph, technology.weight, inputs.shape[1]
    found = np.zeros((len(inputs), 1 + k, 1 + k))
    productivity = np.broadcast_to(technology.productivity, (len(inputs),))
    for row in np.flatnonzero(np.isfinite(inputs).all(axis=1) & inputs.any(axis=1)) if price > 0 else ():
        each, earned = inputs[row] / weight, price * productivity[row]
        look, tight, weights = _weights(epigraph, each, input_prices / earned)
        point = epigraph.at(each[None])
        bent = epigraph.look(point, np.array([earned]), earned * weights[None]).bent[0]
        used = np.concatenate([each > 0, np.ones(len(point[0]) - k, dtype=bool)])
        size = np.where(used, np.abs(point[0]), 0.0)
        normals = look.normals[0][tight] * size
        normals /= np.maximum(np.abs(normals).max(axis=1, initial=0.0, keepdims=True), 1e-300)
        curved = np.where(used & used[:, None], bent, 0.0) * size[:, None] * size / (earned * np.abs(look.value[0]))
        whole = np.block([[curved, normals.T], [normals, np.zeros((len(normals), len(normals)))]])
        inverse = np.linalg.pinv(whole, rcond=1e-12, hermitian=True)[: len(size), : len(size)]
        inverse *= weight * size[:, None] * size / (earned * np.abs(look.value[0]))
        gradient = productivity[row] * look.slopes[0]
        by_price = -inverse @ gradient
        found[row] = bordered(np.array([gradient @ by_price]), -by_price[None, :k], -inverse[None, :k, :k])[0]
    return np.where(np.isfinite(found), found, 0.0)
