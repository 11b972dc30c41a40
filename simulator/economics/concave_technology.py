"""Firms whose marginal products jump or stay: capacity, fixed proportions, substitutes (`power = min(3, 2*fuel)`).

The formula is concave, but has kinks or straight parts. At a kink the price lies between what the last and the next
unit earn; on a straight part the best plan jumps from one end to the other, and where all of it is best a firm takes
the least of a single input, and some of each of several.

The best plan is found inside the conditions of `formulas.epigraph` (Mehrotra 1992's step without its corrector), and
verified by a subgradient: some weights of the slopes that meet at it make the last unit of each input earn its price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.economics.best_response import inside_domain
from simulator.economics.first_order import largest, misfit
from simulator.economics.forms import Array
from simulator.economics.technology import FormulaTechnology, Plan, bordered
from simulator.formulas.epigraph import Epigraph, Smooth, jumps
from simulator.formulas.searches import array_search

BESIDE = 1e-9
"""How far beside an input its two slopes are looked at, relative to it."""
APART = 1e-6
"""Two slopes that differ by more, relative to the larger one, meet at a kink."""
MET = 1e-7
"""A condition with less to spare, relative to its value, holds with equality."""
LAST = 1e-28
"""The part of turnover that a barrier is worth where the search ends."""
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
        return Epigraph(self.formula)

    def plan_one(self, price: float, input_price: float, guess: float) -> tuple[float, float]:
        return super().plan_one(price, max(input_price, AS_GOOD_AS_FREE), guess)

    def profit(self, price: float, input_prices: Sequence[float], guess: Array) -> tuple[Array, Plan]:
        return super().profit(price, [max(each, AS_GOOD_AS_FREE) for each in input_prices], guess)

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


@array_search("the best inputs of a concave formula")
def best_inside(epigraph: Epigraph, earned: float | Array, input_prices: Array, guess: Array) -> Array:
    """The best inputs `(rows, k)` of firms that share a concave formula, where a unit of it earns `earned` `(rows,)`.

    A primal-dual path through the inside of `x >= 0` and `conditions = s >= 0`: Newton steps towards `x z = s l = mu`
    with multipliers `z` and `l`, while `mu` falls.
    """
    with np.errstate(all="ignore"):
        search = _Inside(epigraph, np.broadcast_to(earned, (len(guess),)), input_prices, guess)
        for _ in range(120):
            if not search.step():
                break
        return search.inputs()


class _Inside:
    """The state of `best_inside`, all rows at once: what stays above 0 (`inside`: inputs and conditions) and what holds
    it there (`held`).
    """

    def __init__(self, epigraph: Epigraph, earned: Array, input_prices: Array, guess: Array) -> None:
        self.epigraph, self.pays = epigraph, earned > 0
        self.earned = np.where(self.pays, earned, 1.0)
        start = inside_domain(epigraph.formula, np.where((guess > 0) & np.isfinite(guess), guess, 1.0))
        self.point = epigraph.at(start, room=0.5)
        self.look = epigraph.look(self.point, self.earned, np.zeros((len(guess), len(epigraph.conditions))))
        worth = self.earned * np.abs(self.look.value)
        least = 1e-20 * np.where(worth > 0, worth, 1.0)[:, None] / start
        self.prices, self.free = np.maximum(input_prices, least), input_prices <= 0
        self.turnover = worth + (self.prices * start).sum(axis=1)
        self.mu, self.end = 0.1 * self.turnover, 1e-40 * self.turnover
        self.inside = np.concatenate([start, np.maximum(self.look.conditions, 1e-300)], axis=1)
        self.held = self.mu[:, None] / self.inside

    def step(self) -> bool:
        """A step of every row; whether another is needed."""
        k, inside, mu = self.prices.shape[1], self.inside, self.mu[:, None]
        short = self.look.conditions - inside[:, k:]
        # What rounding of larger numbers may be is nothing.
        short = np.where(np.abs(short) > 1e-14 * np.abs(self.point[:, k:])[:, self.epigraph.owners], short, 0.0)
        moved, aimed = self._newton(short)
        opened = np.concatenate([moved[:, :k], np.einsum("amn,an->am", self.look.normals, moved) + short], axis=1)
        self.held = np.maximum(self.held + _reach(self.held, aimed - self.held) * (aimed - self.held), 1e-300)
        part = self._within(_reach(inside, opened), moved)
        self.inside = np.maximum(inside + part * opened, 1e-300)
        self.turnover = self.earned * np.abs(self.look.value) + (self.prices * self.point[:, :k]).sum(axis=1)
        lost = self.earned[:, None] * self.look.slopes
        lost += np.einsum("amn,am->an", self.look.normals, self.held[:, k:])
        lost[:, :k] += self.held[:, :k] - self.prices
        off = np.concatenate([lost * self.point, self.held[:, k:] * short, self.inside * self.held - mu], axis=1)
        going = self.mu > np.maximum(LAST * self.turnover, self.end)
        # It falls where all else is settled as well as it matters at this height, or as rounding allows.
        falls = going & (np.abs(off).max(axis=1) <= np.maximum(10.0 * self.mu, 1e-14 * self.turnover))
        self.mu = np.where(falls, self.mu * np.where(part[:, 0] > 0.9, 0.02, 0.2), self.mu)
        return bool(going.any())

    def _newton(self, short: Array) -> tuple[Array, Array]:
        """Newton's step of the point `(rows, n)`, and what is to hold `(rows, k + m)`; conditions lack `short`."""
        k, n, mu, look = self.prices.shape[1], self.point.shape[1], self.mu[:, None], self.look
        ratio, barrier = self.held / self.inside, mu / self.inside
        system = np.zeros((len(mu), n + short.shape[1], n + short.shape[1]))
        inputs, conditions = range(k), range(n, n + short.shape[1])
        system[:, :n, :n], system[:, n:, :n], system[:, :n, n:] = look.bent, look.normals, look.normals.swapaxes(1, 2)
        system[:, inputs, inputs] -= ratio[:, :k]
        system[:, conditions, conditions] = 1.0 / ratio[:, k:]
        right = np.concatenate([-self.earned[:, None] * look.slopes, mu / self.held[:, k:] - short], axis=1)
        right[:, :k] += self.prices - barrier[:, :k]
        found = _solved(system, right)
        moved = found[:, :n]
        return moved, np.concatenate([barrier[:, :k] - ratio[:, :k] * moved[:, :k], found[:, n:]], axis=1)

    def _within(self, part: Array, moved: Array) -> Array:
        """Go a part `(rows, 1)` of the way, or less where the formula ends before; says how far."""
        k, start = self.prices.shape[1], self.point
        for _ in range(40):
            self.point = start + part * moved
            self.look = look = self.epigraph.look(self.point, self.earned, self.held[:, k:])
            sound = np.isfinite(look.bent).all(axis=(1, 2)) & np.isfinite(look.slopes).all(axis=1)
            sound &= np.isfinite(look.value)
            if sound.all():
                break
            part = np.where(sound[:, None], part, 0.5 * part)
        return part

    def inputs(self) -> Array:
        """The inputs that were found: 0 where they bring no more than they cost, infinite where one is free and of use
        without end.
        """
        k, formula = self.prices.shape[1], self.epigraph.formula
        found = self.point[:, :k]
        for idle in (*np.eye(k, dtype=bool), np.ones(k, dtype=bool)):
            without = np.where(idle, 0.0, found)
            more = self.earned * (formula.value(found) - formula.value(without))
            found = np.where((more <= (self.prices * (found - without)).sum(axis=1))[:, None], without, found)
        if self.free.any():
            slopes = formula.gradient(np.where(self.free, 1e3 * found, found))
            found = np.where(self.free & (slopes > 0), np.inf, found)
        return np.where(self.pays[:, None], found, 0.0)


def _reach(held: Array, change: Array) -> Array:
    """The part of a change after which all that is held stays above 0, at most 1, `(rows, 1)`."""
    part = np.where(change < 0, held / -change, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    return np.minimum(1.0, 0.995 * part)


def _solved(systems: Array, right: Array) -> Array:
    """Solutions `(rows, n)` of symmetric systems whose rows and columns have sizes of their own (Ruiz 2001)."""
    unit = np.ones(right.shape)
    for _ in range(3):
        largest_of = np.abs(systems * unit[:, :, None] * unit[:, None, :]).max(axis=2)
        unit = unit / np.sqrt(np.where((largest_of > 0) & np.isfinite(largest_of), largest_of, 1.0))
    systems, right = systems * unit[:, :, None] * unit[:, None, :], right * unit
    try:
        return unit * np.linalg.solve(systems, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        inverse = np.linalg.pinv(np.where(np.isfinite(systems), systems, 0.0))
        return unit * np.einsum("aij,aj->ai", inverse, right)


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
