"""The best inputs of a concave formula that may have kinks, from the inside of its conditions (`formulas.epigraph`).

A primal-dual interior point method (Wright 1997): Newton on the conditions of a best plan, each product of what stays
above 0 and what holds it there being `mu`, while `mu` falls.
"""

from __future__ import annotations

import numpy as np

from simulator.economics.forms import Array
from simulator.formulas.epigraph import Epigraph
from simulator.formulas.formula import Formula
from simulator.formulas.searches import array_search

LAST = 1e-28
"""The part of turnover that a barrier is worth where the search ends."""


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
        self.prices = np.where(input_prices < 0, input_prices, np.maximum(input_prices, least))
        self.free = input_prices <= 0
        self.turnover = worth + np.abs(self.prices * start).sum(axis=1)
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
        self.turnover = self.earned * np.abs(self.look.value) + np.abs(self.prices * self.point[:, :k]).sum(axis=1)
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
            slopes = self.earned[:, None] * formula.gradient(np.where(self.free, 1e3 * found, found))
            found = np.where(self.free & (slopes > np.minimum(self.prices, 0.0)), np.inf, found)
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


def inside_domain(formula: Formula, inputs: Array) -> Array:
    """The guess, scaled by powers of 2 where the formula or a slope is not a number there."""
    for power in range(1, 200):
        outside = ~np.isfinite(formula.value(inputs)) | ~np.isfinite(formula.gradient(inputs)).all(axis=-1)
        if not outside.any():
            break
        factor = 2.0 ** (power if power % 2 else -power)
        inputs = np.where(outside[:, None], np.where(inputs > 0, inputs, 1.0) * factor, inputs)
    return inputs
