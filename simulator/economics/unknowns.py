"""The unknowns of an equilibrium in one vector with named parts, the conditions on them, and how to get nearer.

There is a condition for each unknown, and one unknown for each condition: the price of a good clears its market,
`z <= 0, p >= 0, p z = 0`. The residual says how far the conditions are from holding. It alone can deceive: where a
price runs away it shrinks although no equilibrium is near. The Newton displacement says how far the unknowns would
still have to go. Solver, Jacobian, index and certificate are asked for here; what they do is said of prices, the one
part there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.clearing import newton_displacement, relative_excess_demand
from simulator.economics.economy import Economy, MarketPlans
from simulator.economics.forms import Array
from simulator.economics.price_bounds import held
from simulator.formulas.in_floats import InFloats, in_arrays, plain

SAME = 1e-6
"""Equilibria whose log prices differ by less than this are one."""


class Certificate(NamedTuple):
    """How far conditions are from holding: their `residual`, and the Newton `displacement` `(unknowns,)`."""

    residual: float
    displacement: Array

    def holds(self, tolerance: float) -> bool:
        """Whether both are at most the tolerance."""
        return self.residual <= tolerance and bool(np.max(np.abs(self.displacement)) <= tolerance)


@dataclass(frozen=True, eq=False)
class Unknowns:
    """The unknowns of an `economy` in which some prices are `fixed` and none falls below its `floor`, `(goods,)` each,
    or rises above its cap in the economy.

    `parts` says where each kind of them lies in the vector: today there are `prices` alone. They move in logarithms.
    Who asks `often` is answered in plain floats where the economy is small: the texts are written once for these
    unknowns.
    """

    economy: Economy
    fixed: NDArray[np.bool_]
    floor: Array
    often: bool = False

    @cached_property
    def _balance(self) -> InFloats[tuple[Array, Array], MarketPlans] | None:
        return InFloats(lambda given: self.economy.balance(*given)) if self.often and self.economy.small() else None

    @cached_property
    def _slopes(self) -> InFloats[MarketPlans, Array] | None:
        return InFloats(self.economy.jacobian) if self.often and self.economy.small(slopes=True) else None

    @cached_property
    def parts(self) -> dict[str, slice]:
        """Where each part lies in the vector, by name."""
        return {"prices": slice(0, len(self.economy.goods))}

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which unknowns may move, `(unknowns,)`."""
        return ~self.fixed

    @property
    def cap(self) -> Array | None:
        """How high prices may rise, `(goods,)`; None where none has a cap."""
        return None if self.economy.bounds is None else self.economy.bounds.cap

    @property
    def relative_only(self) -> bool:
        """Whether only relative prices matter: at most one price, a numeraire's, is fixed."""
        return self.economy.homogeneous and int(np.count_nonzero(self.fixed)) <= 1

    @property
    def level_free(self) -> bool:
        """Whether only relative prices matter and none is fixed: an equilibrium is then a ray."""
        return self.economy.homogeneous and not self.fixed.any()

    def values(self, prices: Array) -> Array:
        """The vector `(unknowns,)` of its parts; what may move is kept within its bounds."""
        return np.where(self.free, self._capped(np.maximum(prices, np.maximum(self.floor, 1e-300))), prices)

    def _capped(self, prices: Array) -> Array:
        return prices if self.cap is None else np.minimum(prices, self.cap)

    def plans(self, values: Array, guess: Array | None = None) -> MarketPlans:
        """What everybody plans at a vector; `guess` `(edges,)` are inputs near the best ones."""
        prices = values[self.parts["prices"]]
        given = (prices, self.economy.first_guess() if guess is None else guess)
        found = None if self._balance is None else self._balance(plain(given))
        if found is None:
            return self.economy.balance(*given)
        consumption = np.reshape(found.consumption, (-1, len(prices)))
        return in_arrays(found)._replace(prices=prices, consumption=consumption)

    def moved(self, values: Array, step: Array) -> Array:
        """The vector after a step of logarithms, `(unknowns,)` each."""
        return np.where(self.free, self._capped(np.maximum(values * np.exp(step), self.floor)), values)

    def residual(self, plans: MarketPlans) -> float:
        """The largest residual of the conditions on what may move (see `relative_excess_demand`)."""
        return relative_excess_demand(plans.excess_demand, plans.scale, plans.prices, self.free)

    def squares(self, plans: MarketPlans) -> float:
        """Sum of squares of what markets are short or long of, per unit of `s`; a glut counts by its worth (a free good
        is none). Infinite where plans are not finite.
        """
        scale, prices = plans.scale, plans.prices
        worth = float(prices @ scale)
        if not np.isfinite(worth) or not worth > 0:
            return np.inf
        relative = np.divide(plans.excess_demand, scale, out=np.zeros(len(scale)), where=scale > 0)
        weight = np.where(relative > 0, 1.0, np.minimum(1.0, len(scale) * prices * scale / worth))
        return float(np.sum((relative**2 * weight)[self.free]))

    def jacobian(self, plans: MarketPlans) -> Array:
        """How the conditions' left sides, `z` of each market, move with the unknowns, `(unknowns, unknowns)`."""
        found = None if self._slopes is None else self._slopes(plain(plans))
        return self.economy.jacobian(plans) if found is None else np.array(found)

    def active(self, plans: MarketPlans) -> NDArray[np.bool_]:
        """Which unknowns may move and are not held at a bound, `(unknowns,)` (see `active_goods`)."""
        return active_goods(plans.prices, plans.excess_demand, plans.scale, self.free, self.floor, self.cap)

    def determined(self, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The `active` unknowns without the last where only relative prices matter and none is fixed, `(unknowns,)`:
        their conditions determine them.
        """
        determined = active.copy()
        if self.level_free and active.any():
            determined[np.flatnonzero(active)[-1]] = False
        return determined

    def displacement(self, plans: MarketPlans, active: NDArray[np.bool_], jacobian: Array | None = None) -> Array:
        """Change of logarithms `(unknowns,)` that would clear the `active` markets to first order: `J diag(p) dl = -z`.

        Solved in the value metric. Where only relative prices matter and nobody holds their level it is projected out:
        what is left of an answer to it comes of the prices that are not active (of free goods at their floor) or of
        rounding. Not a number where the system is not finite.
        """
        jacobian = self.jacobian(plans) if jacobian is None else jacobian
        displacement, prices = np.zeros(len(active)), plans.prices[active]
        block, excess_demand = jacobian[np.ix_(active, active)], plans.excess_demand[active]
        weights = np.sqrt(prices / plans.scale[active])
        # A fixed price holds the level only if its good is traded.
        held = (plans.scale[self.fixed] > 0).any()
        if self.relative_only and not held and len(prices):
            # In units of the weights the level is the direction p / weights.
            level = prices / weights
            level = level / np.linalg.norm(level)
            block = block - np.outer(block @ (weights * level), level / weights)
        displacement[active] = newton_displacement(block, excess_demand, weights) / prices
        return displacement

    def certificate(self, plans: MarketPlans, tolerance: float) -> Certificate:
        """How far from an equilibrium plans are, markets that clear to the `tolerance` at their floor included."""
        # Walras's law spares a numeraire's market only where the numeraire is worth something beside the others.
        judged = self.free | self.relative_only
        residual = relative_excess_demand(plans.excess_demand, plans.scale, plans.prices, judged)
        # A free good lies about; one that clears at its floor must have come to rest there, not run away.
        clears = self.free & (np.abs(plans.excess_demand) <= tolerance * plans.scale)
        active = self.active(plans) | (clears & (plans.scale > 0) & (plans.prices > 0))
        return Certificate(residual, self.displacement(plans, active))

    def index(self, plans: MarketPlans, jacobian: Array) -> int:
        """`sign det(-J)` of the active relative prices: +1 or -1 at a regular equilibrium, 0 where it is not known."""
        determined = self.determined(self.active(plans))
        sign, _ = np.linalg.slogdet(-jacobian[np.ix_(determined, determined)]) if determined.any() else (1.0, 0.0)
        return int(np.sign(sign)) if np.isfinite(sign) else 0

    def same(self, one: MarketPlans, other: MarketPlans) -> bool:
        """Whether two equilibria are one: up to the price level where it does not matter, up to how low a free good's
        floor lies below it, and up to the prices of goods that nobody trades.
        """
        a, b = one.prices, other.prices
        gap = np.log(np.maximum(a, 1e-300)) - np.log(np.maximum(b, 1e-300))
        if self.level_free:
            gap = gap - gap[np.argmax(a * one.scale)]
        gap[(one.scale == 0) & (other.scale == 0)] = 0.0
        gap[(a <= self.floor) & (b <= self.floor)] = 0.0
        return bool(np.max(np.abs(gap), initial=0.0) < SAME)


def active_goods(
    prices: Array, excess_demand: Array, scale: Array, free: NDArray[np.bool_], floor: Array, cap: Array | None
) -> NDArray[np.bool_]:
    """Goods whose price may move and is not held at its floor by a glut, nor at its cap by a shortage, `(..., goods)`
    for prices, `z` and `s` of that shape.
    """
    return free & ~held(prices, excess_demand, floor, cap) & (scale > 0) & (prices > 0)
