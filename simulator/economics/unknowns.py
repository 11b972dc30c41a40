"""The unknowns of an equilibrium in one vector of parts, the condition that belongs to each, and how to get nearer.

A part knows where its unknowns lie, their bounds and their conditions: the price of a good clears its market, `z <= 0,
p >= 0, p z = 0`; the level of an activity leaves no profit, `pi <= 0, y >= 0, y pi = 0`. Every condition has a `slack`
without a unit, `-z/s` of a market: 0 where it binds, above 0 where the unknown may lie at its lower bound, below 0
where it has to rise. The residual says how far the conditions are from holding. It alone can deceive: where a price
runs away it shrinks although no equilibrium is near. The Newton displacement says how far the unknowns would still have
to go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.clearing import newton_displacement
from simulator.economics.conditions import Levels, Part, Prices, Rates, Received, part_of
from simulator.economics.economy import Economy
from simulator.economics.fiscal_slopes import fiscal_slopes
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.economics.price_bounds import held
from simulator.formulas.in_floats import InFloats, in_arrays, plain

SAME = 1e-6
"""Equilibria whose log prices differ by less than this are one."""
FOLD = 1e-7
"""A system of elasticities with a smaller singular value has no index: it is singular, or a fold is near."""


class Certificate(NamedTuple):
    """How far conditions are from holding: the largest `residuals` of each kind of condition, the name of the `worst`
    of each, and the Newton `displacement` `(unknowns,)`.
    """

    residuals: dict[str, float]
    worst: dict[str, str]
    displacement: Array

    @property
    def residual(self) -> float:
        """The largest of all."""
        return max(self.residuals.values(), default=0.0)

    def holds(self, tolerance: float) -> bool:
        """Whether residuals and displacement are at most the tolerance."""
        return self.residual <= tolerance and bool(np.max(np.abs(self.displacement), initial=0.0) <= tolerance)


@dataclass(frozen=True, eq=False)
class Unknowns:
    """The unknowns of an `economy` in which some prices are `fixed` and none falls below its `floor`, `(goods,)` each,
    or rises above its cap in the economy.

    `parts` say where each kind of them lies in the vector: prices, levels of activity, what cohorts received, and rates
    that adjust. The last two have no bounds. Who asks `often` is
    answered in plain floats where the economy is small: the texts are written once for these unknowns.
    """

    economy: Economy
    fixed: NDArray[np.bool_]
    floor: Array
    often: bool = False

    @cached_property
    def _balance(self) -> InFloats[tuple[Array, Array, Array], MarketPlans] | None:
        return InFloats(lambda given: self.economy.balance(*given)) if self._floats and self.economy.small() else None

    @cached_property
    def _slopes(self) -> InFloats[MarketPlans, Array] | None:
        return InFloats(self._jacobian) if self._floats and self.economy.small(slopes=True) else None

    @property
    def _floats(self) -> bool:
        return self.often and self.economy.fiscal is None

    @cached_property
    def prices(self) -> Prices:
        """The part that is there always."""
        goods, bounds = self.economy.goods, self.economy.bounds
        # A floor that is no bound only keeps the numbers of a market in range.
        lower = np.zeros(len(goods)) if bounds is None else np.maximum(bounds.floor, 0.0)
        upper = np.full(len(goods), np.inf) if bounds is None else bounds.cap
        return Prices(slice(0, len(goods)), goods, lower, upper, ~self.fixed)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in their order."""
        names, parts, fiscal = self.economy.level_names, list[Part]([self.prices]), self.economy.fiscal
        if names:
            none = np.zeros(len(names))
            parts.append(Levels(self._next(parts, names), names, none, none + np.inf, none == 0))
        if fiscal is not None:
            names = tuple(cohort.name for cohort in self.economy.consumers)
            end = np.full(len(names), np.inf)
            parts.append(
                Received(self._next(parts, names), names, -end, end, np.isin(np.arange(len(names)), fiscal.receives))
            )
        if fiscal is not None and fiscal.instruments:
            names = tuple(fiscal.taxes[at].name for at in fiscal.adjusting)
            end, targets = np.full(len(names), np.inf), np.array([each.target for each in fiscal.instruments])
            parts.append(Rates(self._next(parts, names), names, -end, end, end > 0, targets))
        return tuple(parts)

    @staticmethod
    def _next(parts: list[Part], names: tuple[str, ...]) -> slice:
        return slice(parts[-1].where.stop, parts[-1].where.stop + len(names))

    @cached_property
    def bounded(self) -> int:
        """How many unknowns there are of the kinds that have bounds, prices and levels: they come first."""
        return len(self.economy.goods) + len(self.economy.level_firm)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each unknown is of, `(unknowns,)`."""
        return tuple(name for part in self.parts for name in part.names)

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which unknowns may move, `(unknowns,)`."""
        return np.concatenate([part.free for part in self.parts])

    @cached_property
    def lower(self) -> Array:
        """The lowest value of each, `(unknowns,)`."""
        return np.concatenate([part.lower for part in self.parts])

    @cached_property
    def upper(self) -> Array:
        """The highest value of each, `(unknowns,)`."""
        return np.concatenate([part.upper for part in self.parts])

    @cached_property
    def relative(self) -> NDArray[np.bool_]:
        """Which unknowns move in logarithms, `(unknowns,)`."""
        return np.concatenate([np.full(len(part.lower), part.relative) for part in self.parts])

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

    def plans(self, values: Array, guess: Array | None = None) -> MarketPlans:
        """What everybody plans at a vector; `guess` `(edges,)` are inputs near the best ones."""
        prices, levels, rest = np.split(values, [len(self.economy.goods), self.bounded])
        given = (prices, self.economy.first_guess() if guess is None else guess, levels)
        if self.economy.fiscal is not None:
            return self.economy.balance(*given, *np.split(rest, [len(self.economy.consumers)]))
        found = None if self._balance is None else self._balance(plain(given))
        if found is None:
            return self.economy.balance(*given)
        consumption = np.reshape(found.consumption, (-1, len(prices)))
        return in_arrays(found)._replace(prices=prices, levels=levels, consumption=consumption)

    def beginning(self, start: Array) -> Array:
        """A vector of these unknowns or, of a start of prices alone, `(goods,)`, that with all levels 1; what cohorts
        receive there is what is due to them, and rates are where they begin.
        """
        if len(start) == len(self.free):
            return start
        goods, whole = len(self.economy.goods), np.concatenate([start, np.ones(self.bounded - len(start))])
        if self.economy.fiscal is None:
            return whole
        return self.economy.balance(whole[:goods], levels=whole[goods:]).values

    def values(self, plans: MarketPlans) -> Array:
        """The vector at which plans are made, `(unknowns,)`."""
        return np.concatenate([part.values(plans) for part in self.parts])

    def scales(self, plans: MarketPlans) -> Array:
        """What steps of each unknown are measured by, `(unknowns,)`: itself, where it has a bound."""
        return np.concatenate([part.scale(plans) for part in self.parts])

    def moved(self, plans: MarketPlans, step: Array | float) -> Array:
        """The vector after a `step` `(unknowns,)` from where plans are made, one of logarithms where there are bounds,
        else in units of `scales`.
        """
        values = self.values(plans)
        return np.where(np.isinf(self.lower), values + self.scales(plans) * step, values * np.exp(step))

    def left_sides(self, plans: MarketPlans) -> Array:
        """The left sides of all conditions, `(unknowns,)`."""
        return np.concatenate([part.left_side(plans) for part in self.parts])

    def units(self, plans: MarketPlans) -> Array:
        """What they are measured by, `(unknowns,)`; 0 of markets where nobody wants or brings anything."""
        return np.concatenate([part.unit(plans) for part in self.parts])

    def slack(self, plans: MarketPlans, like: MarketPlans | None = None) -> Array:
        """How far each condition is from binding, `(unknowns,)`, in the units of these plans or of others."""
        return -part_of(self.left_sides(plans), self.units(like or plans))

    def slopes(self, plans: MarketPlans) -> Array:
        """How slacks in the units of these plans move with the unknowns, `(unknowns, unknowns)`."""
        return -part_of(np.ones(len(self.free)), self.units(plans))[:, None] * self.jacobian(plans)

    def residuals(self, plans: MarketPlans) -> Array:
        """The residual of each condition, `(unknowns,)`."""
        return np.concatenate([part.residuals(plans) for part in self.parts])

    def residual(self, plans: MarketPlans) -> float:
        """The largest residual of the conditions on what may move, and on the numeraire: Walras's law spares its market
        only where all that is paid is somebody's income.
        """
        return float(np.max(self.residuals(plans)[self.free | self.relative_only], initial=0.0))

    def jacobian(self, plans: MarketPlans) -> Array:
        """How the conditions' left sides move with the unknowns, `(unknowns, unknowns)`."""
        found = None if self._slopes is None else self._slopes(plain(plans))
        return self._jacobian(plans) if found is None else np.array(found)

    def _jacobian(self, plans: MarketPlans) -> Array:
        """`[[J, -A], [A', 0]]`: excess demand moves with prices by `J` and falls by what activities make of a unit of
        level, `A`, which is also how unit profit moves with prices.
        """
        if self.economy.fiscal is not None:
            return self._fiscal_jacobian(plans)
        of_prices = self.economy.jacobian(plans)
        if len(self.parts) == 1:
            return of_prices
        made = self.economy.net_outputs(plans)
        above = np.concatenate([of_prices, -made], axis=1)
        below = np.concatenate([made.T, np.zeros((made.shape[1], made.shape[1]))], axis=1)
        return np.concatenate([above, below], axis=0)

    def _fiscal_jacobian(self, plans: MarketPlans) -> Array:
        """The same with what cohorts receive and rates that adjust."""
        slopes = fiscal_slopes(self.economy.at_rates(plans.rates), plans)
        jacobian = np.concatenate(slopes)
        at = np.arange(self.bounded, self.bounded + len(plans.received))
        jacobian[at, at] -= 1.0
        return jacobian

    def reduced(self, jacobian: Array, many: int | None = None) -> Array:
        """How the conditions on prices and levels move with these, if all others hold (or the first so `many` others),
        `(bounded, bounded)`; not numbers where those do not say how.
        """
        kept, among = self.bounded, np.arange(len(jacobian))
        gone = (among >= kept) & (among < kept + (len(jacobian) if many is None else many)) & self.free
        stays = (among < kept) | (among >= kept + (len(jacobian) if many is None else many))
        within = jacobian[np.ix_(stays, stays)]
        if not gone.any():
            return within
        try:
            moved = np.linalg.solve(jacobian[np.ix_(gone, gone)], jacobian[np.ix_(gone, stays)])
        except np.linalg.LinAlgError:
            return np.full(within.shape, np.nan)
        return within - jacobian[np.ix_(stays, gone)] @ moved

    def active(self, plans: MarketPlans) -> NDArray[np.bool_]:
        """Which unknowns may move and are not held at a bound, `(unknowns,)` (see `active_goods`)."""
        goods = active_goods(plans.prices, plans.excess_demand, plans.scale, self.prices.free, self.floor, self.cap)
        return np.concatenate([goods, plans.levels > 0, self.free[self.bounded :]]) if len(self.parts) > 1 else goods

    def determined(self, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The `active` unknowns without the last price where only relative prices matter and none is fixed,
        `(unknowns,)`: their conditions determine them.
        """
        determined = active.copy()
        goods = np.flatnonzero(active[self.prices.where])
        if self.level_free and len(goods):
            determined[goods[-1]] = False
        return determined

    def displacement(self, plans: MarketPlans, active: NDArray[np.bool_], jacobian: Array | None = None) -> Array:
        """Relative change of the unknowns `(unknowns,)` at which the `active` conditions hold to first order: of
        markets `J diag(p) dl = -z`.

        Solved in the value metric. Where only relative prices matter and nobody holds their level it is projected out:
        what is left of an answer to it comes of the prices that are not active (of free goods at their floor) or of
        rounding. Not a number where the system is not finite.
        """
        jacobian = self.jacobian(plans) if jacobian is None else jacobian
        displacement, values = np.zeros(len(active)), self.scales(plans)[active]
        block, left = jacobian[np.ix_(active, active)], self.left_sides(plans)[active]
        weights = np.sqrt(values / self.units(plans)[active])
        # A fixed price holds the level only if its good is traded.
        held = (plans.scale[self.fixed] > 0).any()
        if self.relative_only and not held and active[self.prices.where].any():
            # In units of the weights the level is the direction p / weights.
            level = np.where(self.relative[active], values, 0.0) / weights
            level = level / np.linalg.norm(level)
            block = block - np.outer(block @ (weights * level), level / weights)
        displacement[active] = newton_displacement(block, left, weights) / values
        return displacement

    def ahead(self, plans: MarketPlans, tolerance: float) -> Array:
        """How far the unknowns still have to go, `(unknowns,)`: the displacement, in which markets that clear to the
        `tolerance` at their floor are counted, and activities are not that lose and are as good as idle.
        """
        # A free good lies about; one that clears at its floor must have come to rest there, not run away.
        clears = self.prices.free & (np.abs(plans.excess_demand) <= tolerance * plans.scale)
        slack, goods = self.slack(plans), self.prices.where
        idle = (slack > tolerance) & (self.residuals(plans) <= tolerance) & ~self.relative & np.isfinite(self.lower)
        active = self.active(plans) & ~idle
        active[goods] |= clears & (plans.scale > 0) & (plans.prices > 0)
        return self.displacement(plans, active)

    def held_off(self, plans: MarketPlans) -> NDArray[np.bool_]:
        """Which markets do not clear at a price that is fixed, other than that which all others are told in and
        Walras's law sees to, `(goods,)`.
        """
        off = np.abs(plans.excess_demand) > SAME * plans.scale
        return self.fixed & off & (not self.relative_only)

    def certificate(self, plans: MarketPlans, tolerance: float) -> Certificate:
        """How far from an equilibrium plans are."""
        # Walras's law spares a numeraire's market only where the numeraire is worth something beside the others.
        judged, residuals, worst = self.free | self.relative_only, dict[str, float](), dict[str, str]()
        for part in self.parts:
            found = np.where(judged[part.where], part.residuals(plans), 0.0)
            at = int(np.argmax(found))
            residuals[part.condition], worst[part.condition] = float(found[at]), part.names[at]
        return Certificate(residuals, worst, self.ahead(plans, tolerance))

    def index(self, plans: MarketPlans, jacobian: Array) -> int:
        """`sign det(-J)` of what is active, one price left out where only relative ones matter: +1 or -1 at a regular
        equilibrium, 0 where it is not known.
        """
        active, jacobian = self.active(plans)[: self.bounded], self.reduced(jacobian)
        if self.relative_only:
            # Which price is left out does not matter but for rounding: that of the dearest good.
            active[self.prices.where] |= self.fixed & (plans.prices * plans.scale > 0)
            active[np.argmax(np.where(active[self.prices.where], plans.prices * plans.scale, -1.0))] = False
        at, weights = np.flatnonzero(active), np.sqrt(self.values(plans) / self.units(plans))[: self.bounded]
        system = -(weights[:, None] * jacobian * weights)[np.ix_(at, at)]
        if not np.isfinite(system).all() or np.linalg.svd(system, compute_uv=False).min(initial=1.0) < FOLD:
            return 0
        return int(np.sign(np.linalg.slogdet(system)[0]))

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
