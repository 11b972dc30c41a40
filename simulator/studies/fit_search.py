"""The search for what fits best: descents from several starts, and the places where they end.

The least sum of squares `sum weight (ln model - ln value)^2` around a start is found by SciPy's `least_squares` (a
trust region, bounds included). Within a descent no equilibrium is searched for from many prices; where one ends it is,
in case another equilibrium lies nearer to the data.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from simulator.economics.forms import Array
from simulator.errors import Problem, ScenarioError
from simulator.references.implicit import FoldError
from simulator.studies.estimates import Factors, factorised
from simulator.studies.fit_model import FitModel, Point
from simulator.terminal import Progress, silent

SAME_FIT, SAME_PLACE = 1e-5, 1e-4
"""Two searches came to one minimum if what they say of observations, and where they are, differ by less."""
BOUND = 1e-3
"""A bound that is nearer than this is tried itself."""
ROUNDING = 1e-9
"""A derivative of the logarithm of what is observed that is smaller is rounding."""
REDRAWN = 10
"""Another start that has no equilibrium comes half-way to the first, so often."""


class Minimum(NamedTuple):
    """Where searches ended: the point, the sum of squares, whether the last step was a small one, how many searches."""

    point: Point
    cost: float
    converged: bool
    starts: int


class Search:
    """A descent of the sum of squares by SciPy's `least_squares`, equilibria followed from those of the step before."""

    def __init__(self, model: FitModel) -> None:
        self.model, self.evaluations = model, 0
        self._roots = np.sqrt(model.weights / model.weights.max())

    def cost(self, point: Point) -> float:
        """`sum weight (ln model - ln value)^2`."""
        return float(self.model.weights @ point.gaps**2)

    def jacobian(self, point: Point) -> Array:
        """That of the gaps, `(observations, coordinates)`."""
        return self.model.jacobian(point)

    def descend(self, start: Point) -> Minimum:
        """Where the sum of squares is least around a start. Raises `FoldError`."""
        from scipy.optimize import least_squares

        free, seen, base = self.model.study.free, start, start

        def gaps(u: Array) -> Array:
            nonlocal seen
            self.evaluations += 1
            found = self.model.followed(base, u)
            if found is None or not np.isfinite(found.gaps).all():
                # The step is then made shorter.
                return np.full(len(self._roots), np.nan)
            seen = found
            return self._roots * found.gaps

        def jacobian(u: Array) -> Array:
            nonlocal base
            base = seen if np.array_equal(seen.u, u) else self.model.followed(base, u) or base
            return self._roots[:, None] * self.jacobian(base)

        slopes: Any = jacobian  # SciPy's types know names alone.
        ended = least_squares(
            gaps, start.u, slopes, (free.low, free.high), x_scale="jac", ftol=1e-14, xtol=1e-10, gtol=1e-12
        )
        point = base if np.array_equal(base.u, ended.x) else self.model.followed(base, ended.x) or base
        near = np.where(ended.x - free.low < BOUND, free.low, np.where(free.high - ended.x < BOUND, free.high, ended.x))
        held = self.model.followed(point, near) if (near != ended.x).any() else None
        if held is not None and self.cost(held) <= self.cost(point) * (1 + 1e-6):
            point = held
        return Minimum(point, self.cost(point), ended.status > 0, 1)

    def minima(self, progress: Progress = silent) -> list[Minimum]:
        """Where searches from all starts end, each place once, the least sum of squares first.

        Raises `ScenarioError` where a case has no equilibrium at the first start, or the model says 0 of what was
        observed.
        """
        study = self.model.study
        first = self._first()
        stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(study.seed, spawn_key=(13,))))
        found: list[Minimum] = []
        for number in range(study.starts):
            progress("searches done:", number, study.starts)
            start = self._beside(first, study.free.drawn(stream)) if number else first
            with suppress(FoldError):
                self._join(found, self.descend(start))
        return sorted(found, key=lambda each: each.cost)

    def _join(self, found: list[Minimum], ended: Minimum) -> None:
        """Count a search for the minimum it came to; of a new one see whether other equilibria are nearer the data."""
        for place, known in enumerate(found):
            if self._same(known, ended):
                best = min(known, ended, key=lambda each: (not each.converged, each.cost))
                found[place] = best._replace(starts=known.starts + 1)
                return
        other = self.model.searched(ended.point.u, ended.point)
        if isinstance(other, Point) and self.cost(other) < ended.cost * (1 - 1e-6) - 1e-20:
            self._join(found, self.descend(other))
        else:
            found.append(ended)

    def _same(self, one: Minimum, other: Minimum) -> bool:
        """Whether two searches came to one place: where a combination is free, all that fit alike are one."""
        if np.max(np.abs(one.point.gaps - other.point.gaps)) > SAME_FIT:
            return False
        near = np.max(np.abs(one.point.u - other.point.u)) < SAME_PLACE
        return bool(near) or self.factorised(one.point).rank < len(one.point.u)

    def factorised(self, point: Point) -> Factors:
        """`W^1/2 J` taken apart."""
        roots = np.sqrt(self.model.weights)
        return factorised(roots[:, None] * self.jacobian(point), ROUNDING * float(roots.max()))

    def _first(self) -> Point:
        study = self.model.study
        found = self.model.searched(study.free.start)
        if isinstance(found, str):
            message = f"found no equilibrium at the start{f' in case {found}' if len(study.cases) > 1 else ''}"
            raise ScenarioError([Problem(study.where, 0, 0, "free", f"{message}; expected one: start elsewhere")])
        wrong = [study.observed[row] for row in np.flatnonzero(~np.isfinite(found.gaps))]
        if wrong:
            message = "found a quantity that is 0 in the scenario at the start; expected one above 0"
            raise ScenarioError(Problem(str(study.data), each.line, 0, each.quantity, message) for each in wrong)
        return found

    def _beside(self, first: Point, u: Array) -> Point:
        """The point of other coordinates, or of such as are nearer the first, where there is none."""
        for _ in range(REDRAWN):
            found = self.model.followed(first, u)
            if found is not None and np.isfinite(found.gaps).all():
                return found
            u = 0.5 * (u + first.u)
        return first
