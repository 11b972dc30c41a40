"""Roots of mixed complementarity problems: unknowns at their lower bound, or conditions that bind.

A pair `a = x - lower >= 0`, `b = slack >= 0`, `a b = 0` is a root of the Fischer-Burmeister function `phi(a, b) = a + b
- sqrt(a^2 + b^2)`. A semismooth Newton method looks for it, with `a` in units of `x` itself: prices may span any number
of orders of magnitude. Where its step would take a good's price below 0, exactly 0 is tried. Near a root plain Newton
steps on what is active go on to rounding.

Where only relative prices matter, the dearest good's market and price are left out: by Walras's law the market clears
if all others do, and leaving out another would blow up rounding by the quotient of their worths.
Source: Mathiesen (1985); De Luca, Facchinei and Kanzow (1996).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.economics.unknowns import Unknowns
from simulator.references.effort import Effort

NEAR = 1e-7
"""So near to a root plain Newton steps take over."""
MOST_STEPS = 80
PATIENCE = 20
"""So many steps must reduce the sum of squares by a tenth of their largest, or this start is given up; it jumps where
another market is left out.
"""
LONGEST = 2.0
"""No logarithm moves farther in one step."""
HALVINGS = 7
DAMPING = (1e-3, 1e-1, 1e1)
"""Of Levenberg and Marquardt's steps, which are tried where no Newton step helps."""
NOTHING = 1e-11
"""Singular values of elasticities below this are 0: the prices that they belong to are not determined."""
ROUNDING = 1e-10
"""A slack so small may be rounding."""
SMALL = 1e-3
"""A level that is a smaller part of the largest is measured by this part of it."""
TOLERANCE = 1e-9
"""Largest slack of a condition that binds at a root; Newton usually leaves 1e-15."""
DETERMINED = 1e-6
"""Newton's last step at a root is shorter; where a price runs away it is about 1, however small the slack."""


class Root(NamedTuple):
    """Where an approach ended: the vector, the plans there, and how far conditions were from holding (`merit`).

    `holds` says whether it is a root.
    """

    values: Array
    plans: MarketPlans
    merit: float
    holds: bool


class _Here(NamedTuple):
    """A vector, the plans and the slacks at it, and the unknown that is left out, -1 for none."""

    values: Array
    plans: MarketPlans
    slack: Array
    left_out: int


class Complementarity:
    """The problem that some `unknowns` pose, with work counted in an `effort`."""

    def __init__(self, unknowns: Unknowns, effort: Effort) -> None:
        self.unknowns, self.effort = unknowns, effort
        self._ray = unknowns.level_free or (unknowns.relative_only and unknowns.economy.bounds is None)
        # Where the level is free prices can be within any bounds.
        self._unbounded = np.isinf(unknowns.lower)
        self.lower = np.where(self._unbounded, unknowns.lower, 0.0) if self._ray else unknowns.lower
        self.upper = np.full(len(unknowns.free), np.inf) if self._ray else unknowns.upper
        self._moving = unknowns.free | self._ray
        # Goods that are wanted without end where they are free.
        self._never_free = ~unknowns.relative | (self.lower > 0)

    @np.errstate(all="ignore")
    def root(self, start: Array) -> Root | None:
        """The root that is reached from a vector, or where the approach ended; None where there are no plans, or no
        effort is left.
        """
        here = self._at(np.where(self._moving, self._within(start), start))
        if here is None:
            return None
        here, merit = self._approach(here)
        if merit > NEAR:
            return Root(here.values, here.plans, merit, False)
        return self.refined(here)

    def from_near(self, root: Array, step: Array) -> Root | None:
        """The root next to another, after a step from there relative to the unknowns, by plain Newton steps."""
        here = self._at(root)
        if here is not None:
            here = self._at(self._moved(here, step, self._linear(here)[1]))
        return None if here is None else self.refined(here)

    def _at(self, values: Array, guess: Array | None = None) -> _Here | None:
        """Plans and slacks at a vector; None where they are not finite."""
        if not self.effort.balance(self.unknowns.economy):
            return None
        plans = self.unknowns.plans(values, guess)
        slack, worth = self.unknowns.slack(plans), plans.prices * plans.scale
        if not (np.isfinite(worth.sum()) and np.isfinite(slack).all()):
            return None
        return _Here(values, plans, slack, int(np.argmax(worth)) if self._ray else -1)

    def _within(self, values: Array) -> Array:
        return np.minimum(np.maximum(values, self.lower), self.upper)

    def _counted(self, here: _Here) -> NDArray[np.bool_]:
        """The unknowns that may move, whose conditions say something, but the one left out; not those held at their
        upper bound.
        """
        held = (here.values >= self.upper) & (here.slack <= 0)
        counted = self._moving & (self.unknowns.units(here.plans) > 0) & ~held
        if here.left_out >= 0:
            counted[here.left_out] = False
        return counted

    def _approach(self, here: _Here) -> tuple[_Here, float]:
        """Newton's method on the Fischer-Burmeister functions: where it ends, and the largest of them."""
        scale = self._scale(here, np.ones(len(here.values)))
        history, largest = list[float](), np.inf
        for _ in range(MOST_STEPS):
            scale = self._scale(here, scale)
            counted = self._counted(here)
            phi, by_a, by_b = self._fischer(here.values, here.slack, scale)
            phi[~counted] = 0.0
            largest, merit = float(np.max(np.abs(phi), initial=0.0)), float(phi @ phi)
            history.append(merit)
            stuck = len(history) > PATIENCE and merit > 0.9 * max(history[-1 - PATIENCE :])
            if largest <= NEAR or stuck or not self.effort.slopes(self.unknowns.economy):
                break
            at = np.flatnonzero(counted & ((here.values > self.lower) | (here.slack < 0)))
            elasticities = self.unknowns.slopes(here.plans)[np.ix_(at, at)] * scale[at]
            system = by_b[at, None] * elasticities
            system[np.arange(len(at)), np.arange(len(at))] += by_a[at]
            if not np.isfinite(system).all():
                break
            better = self._better(here, at, system, phi[at], scale, merit)
            if better is None:
                break
            here = better
        return here, largest

    def _scale(self, here: _Here, before: Array) -> Array:
        """What steps are measured by: each unknown itself, or what it was `before` it was 0."""
        scale = np.where(here.values > 0, here.values, before)
        return np.where(self._unbounded, self.unknowns.scales(here.plans), scale)

    def _fischer(self, values: Array, slack: Array, scale: Array) -> tuple[Array, Array, Array]:
        """The functions and their slopes; of what has no bound the slack itself."""
        found = fischer(np.where(self._unbounded, 0.0, (values - self.lower) / scale), slack)
        for part, alone in zip(found, (slack, 0.0, 1.0), strict=True):
            part[self._unbounded] = alone if np.isscalar(alone) else slack[self._unbounded]
        return found

    def _better(
        self, here: _Here, at: NDArray[np.intp], system: Array, phi: Array, scale: Array, merit: float
    ) -> _Here | None:
        """A vector with a smaller sum of squares: along a Newton step, or else a damped one; None if there is none."""
        step, counted = np.zeros(len(scale)), np.zeros(len(scale), dtype=bool)
        counted[at] = True
        try:
            step[at] = np.linalg.solve(system, -phi)
        except np.linalg.LinAlgError:
            step[at] = np.nan
        if np.isfinite(step).all():
            falls = counted & (step <= -1.0) & (here.slack > 0) & ~self._never_free & (here.values > 0)
            if falls.any():
                tried = self._moved(here, step, scale)
                tried[falls] = 0.0
                found = self._if_better(here, tried, scale, merit)
                if found is not None:
                    return found
                self._learn(here, falls)
            for halving in range(HALVINGS):
                tried = self._moved(here, step * 0.5**halving, scale)
                found = self._if_better(here, tried, scale, merit)
                if found is not None:
                    return found
        square, right = system.T @ system, -system.T @ phi
        for damping in DAMPING if np.isfinite(square).all() else ():
            try:
                step[at] = np.linalg.solve(square + damping * np.eye(len(at)), right)
            except np.linalg.LinAlgError:
                break
            found = self._if_better(here, self._moved(here, step, scale), scale, merit)
            if found is not None:
                return found
        return None

    def _learn(self, here: _Here, falls: NDArray[np.bool_]) -> None:
        """Note which of some goods are wanted without end where they are free."""
        for place in np.flatnonzero(falls):
            values = here.values.copy()
            values[place] = 0.0
            if self.effort.balance(self.unknowns.economy):
                plans = self.unknowns.plans(values, self._guess(here.plans))
                self._never_free[place] = not np.isfinite(self.unknowns.slack(plans)).all()

    def _moved(self, here: _Here, step: Array, scale: Array) -> Array:
        """A vector after a step in units of the scale, one of logarithms where that is the way of the unknown."""
        grown = here.values * np.exp(np.clip(step, -LONGEST, LONGEST))
        along = np.where(self.unknowns.relative & (here.values > 0), grown, here.values + scale * step)
        return np.where(step == 0, here.values, self._within(along))

    def _if_better(self, here: _Here, values: Array, scale: Array, merit: float) -> _Here | None:
        """What is at a vector, if its sum of squares is no larger."""
        there = self._at(values, self._guess(here.plans))
        if there is None:
            return None
        # In the units that the step was worked out in.
        phi, _, _ = self._fischer(values, self.unknowns.slack(there.plans, here.plans), scale)
        phi = phi[self._counted(there._replace(left_out=here.left_out))]
        return there if float(phi @ phi) <= merit else None

    @staticmethod
    def _guess(plans: MarketPlans) -> Array:
        return np.where(np.isfinite(plans.inputs), plans.inputs, 1.0)

    def refined(self, here: _Here) -> Root:
        """The root next to a vector at which conditions nearly hold."""
        last = np.inf
        for _ in range(MOST_STEPS):
            at, scale, slopes = self._linear(here)
            if not (np.isfinite(slopes).all() and self.effort.slopes(self.unknowns.economy)):
                break
            step = np.zeros(len(here.values))
            step[at] = _shortest(slopes, -here.slack[at])
            length = float(np.max(np.abs(step), initial=0.0))
            there = None
            if length < 0.5 and (length < 0.5 * last or length > DETERMINED) and length > 0:
                there = self._at(self._moved(here, step, scale), self._guess(here.plans))
            last = min(last, length)
            if there is None:
                break
            here = there
        gaps = np.where(here.values > self.lower, np.maximum(here.slack, 0.0), 0.0)
        gaps = np.maximum(gaps, np.where(here.values < self.upper, -here.slack, 0.0))
        merit = float(np.max(gaps[self._moving], initial=0.0))
        return Root(here.values, here.plans, merit, merit <= TOLERANCE and last <= DETERMINED)

    def _linear(self, here: _Here) -> tuple[NDArray[np.intp], Array, Array]:
        """What is active, the scale of all unknowns, and the slopes of the slacks of what is active in its units."""
        at = np.flatnonzero(self._counted(here) & (here.values > self.lower))
        levels = np.where(self.unknowns.relative | self._unbounded, 0.0, here.values)
        scale = np.maximum(here.values, SMALL * np.max(levels, initial=0.0) * ~self.unknowns.relative)
        scale = np.where(self._unbounded, self.unknowns.scales(here.plans), scale)
        return at, scale, self.unknowns.slopes(here.plans)[np.ix_(at, at)] * scale[at]

    def silent(self, values: Array) -> Array:
        """Directions `(k, unknowns)`, relative to the unknowns, in which the conditions at a root say nothing."""
        here = self._at(values)
        if here is None:
            return np.zeros((0, len(values)))
        at, _, slopes = self._linear(here)
        _, sizes, directions = np.linalg.svd(slopes)
        found = np.zeros((int(np.count_nonzero(sizes <= NOTHING)), len(values)))
        found[:, at] = directions[sizes <= NOTHING]
        return found


@np.errstate(invalid="ignore", divide="ignore")
def fischer(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """`phi(a, b)` and its slopes in both, where both are 0 one of those of the generalised derivative."""
    size = np.hypot(a, b)
    kink = size == 0
    size = np.where(kink, 1.0, size)
    slope = 1.0 - np.sqrt(0.5)
    # `a + b - size` loses all digits where one is far larger than the other.
    phi = np.where((a > 0) & (b > 0), 2.0 * a * b / (a + b + size), a + b - size)
    return np.where(kink, 0.0, phi), np.where(kink, slope, 1.0 - a / size), np.where(kink, slope, 1.0 - b / size)


def _shortest(slopes: Array, right: Array) -> Array:
    """The solution of a system of elasticities, `(n,)`, the shortest where rounding decides among several."""
    try:
        step: Array = np.asarray(np.linalg.solve(slopes, right), dtype=float)
    except np.linalg.LinAlgError:
        step = np.full(len(right), np.nan)
    certain = np.max(np.abs(right), initial=0.0) > ROUNDING or np.max(np.abs(step), initial=0.0) <= DETERMINED
    if certain and np.isfinite(step).all():
        return step
    left, sizes, directions = np.linalg.svd(slopes)
    known = sizes > NOTHING
    return np.asarray(directions[known].T @ ((left.T[known] @ right) / sizes[known]), dtype=float)
