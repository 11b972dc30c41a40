"""Runs alike but for numbers, side by side along a leading axis: each ends as it would alone.

A tick of all runs is a few calls of NumPy. A run that may be over leaves the axis for a moment: the verdict rule of a
single run is given its prices so far and its tick, and says how it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.market_tick import MarketState, MarketTick
from simulator.dynamics.market_verdict import MarketVerdict
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import BOUND, Verdict
from simulator.economics.clearing import inverses
from simulator.economics.forms import Array
from simulator.economics.unknowns import active_goods
from simulator.formulas.in_runs import InRuns, picked, stacked
from simulator.formulas.leaves import Place
from simulator.scenario import Scenario
from simulator.schedulers.alike import Alike, Numbers
from simulator.schedulers.tatonnement import Tatonnement

BLOCK = 256
"""So many ticks of prices are kept of all runs before each verdict rule is told its own."""
SURE = 1e-6
"""Displacements worked out along the axis are taken for larger than the tolerance if they are by this part of it."""

RESIDUALS = ("residual", "relative_excess_demand", "relative_unit_profit", "relative_kept_gap")
"""Fields of a tick that are numbers of a run alone."""

Places = tuple[tuple[Place, ...], ...]
"""Where runs differ in numbers, in each of their regimes."""


class Ended(NamedTuple):
    """How a run ended: the verdict, its last tick, and the largest relative excess demand of recorded `ticks`."""

    verdict: Verdict
    tick: MarketTick
    ticks: NDArray[Any]
    residuals: Array


class InRunsTicks:
    """A tick of runs alike: prices, residual and whether plans are finite; or all of it, of some."""

    def __init__(self, alike: Alike) -> None:
        def seen(given: tuple[Numbers, MarketState]) -> tuple[MarketState, tuple[Any, ...]]:
            after, done = alike.tick(given)
            return after, (done.prices, done.residual, done.finite, done.relative_excess_demand, done.levels)

        def slopes(given: tuple[Numbers, Array, Array]) -> tuple[Any, ...]:
            economy = alike.of(given[0])[1].economy
            plans = economy.balance(*given[1:])
            return economy.jacobian(plans), plans.demand, plans.supply

        self.seen, self.whole, self.slopes = InRuns(seen), InRuns(alike.tick), InRuns(slopes)


class SideBySideRuns:
    """Scenarios alike but for the numbers at some `places` of what they tick by, which are variables of the axis; they
    have the same ticks, regimes and rows. The largest relative excess demand of recorded ticks is kept if that is asked
    for (`course`).
    """

    def __init__(self, scenarios: Sequence[Scenario], like: Scenario, places: Places, *, course: bool) -> None:
        self.scenarios, self.run, count = scenarios, like.run, len(scenarios)
        schedulers = [_tatonnement(scenario) for scenario in scenarios]
        self.rules = [
            MarketVerdict(each.rule, each.trade, scenario.initial_prices, scenario.run.tolerance)
            for each, scenario in zip(schedulers, scenarios, strict=True)
        ]
        self.starts = [regime.tick for regime in like.regimes]
        self.regime, self._likes = 0, list[tuple[InRunsTicks, Numbers]]()
        for number, (regime, where) in enumerate(zip(like.regimes, places, strict=True)):
            alike = _alike(like, number, where)
            makings = (each.makings(s.regimes[number].economy) for each, s in zip(schedulers, scenarios, strict=True))
            self._likes.append((InRunsTicks(alike), stacked([alike.numbers(each) for each in makings])))
            assert regime.tick == self.starts[number]
        starts = zip(schedulers, scenarios, strict=True)
        self.state = stacked([each.start(s.economy, s.initial_prices, s.run.seed) for each, s in starts])
        self.alive = np.arange(count)
        self.tolerance = np.array([scenario.run.tolerance for scenario in scenarios])
        self.most = np.array([rule.watch.price for rule in self.rules])
        self._path = np.empty((BLOCK, count, len(like.economy.goods)))
        self._filled, self._since = 0, np.zeros(count, dtype=int)
        rows = self.run.ticks // self.run.record_every + 1 if course else 0
        self._course = np.empty((rows, count))
        self.ended: list[Ended | None] = [None] * count

    def advance(self, stopped: Callable[[], bool]) -> None:
        """All runs to their ends, or until it is `stopped`: those that have not ended by then are None in `ended`."""
        tick = 0
        while self.alive.size and not (tick % BLOCK == 0 and stopped()):
            if self.regime + 1 < len(self.starts) and self.starts[self.regime + 1] == tick:
                self._tell()
                self.regime += 1
                for place in self.alive.tolist():
                    self.rules[place].change_economy(tick)
            before, (ticks, numbers) = self.state, self._likes[self.regime]
            self.state, (prices, residual, finite, excess, levels) = ticks.seen((numbers, before))
            self._note(tick, prices, excess)
            finite = finite & (levels.max(axis=1, initial=0.0) <= BOUND)
            self._look(tick, before, prices, residual, finite)
            if self._filled == BLOCK:
                self._tell()
            tick += 1

    def _note(self, tick: int, prices: Array, excess: Array) -> None:
        self._path[self._filled, self.alive] = prices
        self._filled += 1
        if len(self._course) and tick % self.run.record_every == 0:
            self._course[tick // self.run.record_every, self.alive] = excess

    def _tell(self) -> None:
        """Tell each verdict rule the prices of its run since it was told last."""
        for place in self.alive.tolist():
            self._told(place, self._filled)
            self.most[place] = self.rules[place].watch.price
        self._filled, self._since[:] = 0, 0

    def _told(self, place: int, until: int) -> None:
        economy = self.scenarios[place].regimes[self.regime].economy
        self.rules[place].pass_over(economy, self._path[self._since[place] : until, place])

    def _look(self, tick: int, before: MarketState, prices: Array, residual: Array, finite: NDArray[Any]) -> None:
        """Ask for the verdict on those runs that may be over."""
        pending = self.regime + 1 < len(self.starts)
        least = self.tolerance[self.alive] if self.run.stop == "verdict" and not pending else -np.inf
        bounded = (prices.max(axis=1) <= self.most[self.alive]) & finite
        quiet, near = bounded & (residual > least), np.zeros(len(bounded), dtype=bool)
        last = tick == self.run.ticks
        small = residual <= self.tolerance[self.alive] if last else ~quiet
        if (left := np.flatnonzero(bounded & small)).size:
            far, near[left] = self._ahead(picked(before, left), left)
            quiet[left] = far
        if last:
            quiet[:] = False
        if quiet.all():
            return
        places = np.flatnonzero(~quiet)
        ticks, numbers = self._likes[self.regime]
        earlier = picked(before, places)
        after, whole = ticks.whole((picked(numbers, places), earlier))
        over = np.zeros(len(quiet), dtype=bool)
        for number, at in enumerate(places.tolist()):
            now = Transition(*_alone((self._economy(at), *(picked(each, number) for each in (earlier, whole, after)))))
            over[at] = self._end(int(self.alive[at]), now, pending=pending, near=bool(near[at]))
        if over.any():
            self._leave(over)

    def _economy(self, at: int) -> Any:
        return self.scenarios[self.alive[at]].regimes[self.regime].economy

    def _end(self, place: int, now: Transition[MarketState, MarketTick], *, pending: bool, near: bool) -> bool:
        """Whether a run is over after a tick, which is then noted with its verdict."""
        rule, run, tick = self.rules[place], self.run, now.tick
        self._told(place, self._filled - 1)
        self._since[place] = self._filled
        rule.observe(now)
        self.most[place] = rule.watch.price
        last = tick.tick == run.ticks or not tick.finite
        verdict = rule.verdict(now, near=near) if last or (run.stop == "verdict" and not pending) else None
        if verdict is None and last:
            verdict = rule.close(now)
        if verdict is None:
            return False
        ticks: NDArray[Any] = np.arange(0, tick.tick + 1, run.record_every)[: len(self._course)]
        residuals = self._course[: len(ticks), place]
        if len(ticks) and ticks[-1] != tick.tick:
            ticks, residuals = np.append(ticks, tick.tick), np.append(residuals, tick.relative_excess_demand)
        self.ended[place] = Ended(verdict, tick, ticks, residuals)
        return True

    def _leave(self, over: NDArray[np.bool_]) -> None:
        stays = ~over
        self.alive, self.state = self.alive[stays], picked(self.state, stays)
        self._likes = [(ticks, picked(numbers, stays)) for ticks, numbers in self._likes]

    def _ahead(self, before: MarketState, at: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of some runs whose residual is small, whether prices surely still have to go farther than the tolerance, and
        whether they surely have not: where all free prices move and something is held. Of others their verdict rule
        finds out.
        """
        ticks, numbers = self._likes[self.regime]
        rule = self.rules[0].rule
        # With levels, or rates that adjust, more than prices has a way to go.
        fiscal = self._economy(0).fiscal
        if before.levels.size or (fiscal is not None and len(fiscal.adjusting)):
            unknown = np.zeros(len(at), dtype=bool)
            return unknown, unknown
        free, prices = rule.free, np.asarray(before.prices)
        numbers = picked(numbers, at)
        planned = ticks.whole((numbers, before))[1].planned_inputs
        guess = np.where(np.isfinite(planned), planned, 1.0)
        with np.errstate(all="ignore"):
            slopes, demand, supply = ticks.slopes((numbers, prices, guess))
            excess, scale = demand - supply, np.maximum(demand, supply)
            unknowns = [self.rules[self.alive[run]].rule.unknowns(self._economy(run)) for run in at.tolist()]
            floors = np.stack([each.floor for each in unknowns])
            caps = [each.cap for each in unknowns if each.cap is not None]
            capped = np.stack(caps) if caps else None
            plain = (active_goods(prices, excess, scale, free, floors, capped) == free).all(axis=1)
            homogeneous = np.array([self._economy(place).homogeneous for place in at.tolist()])
            plain &= (scale[:, ~free] > 0).any(axis=1) | ~homogeneous | (np.count_nonzero(~free) > 1)
            weights = np.sqrt(prices[:, free] / scale[:, free])
            systems = weights[:, :, None] * slopes[:, free][:, :, free] * weights[:, None, :]
            rights = -weights * excess[:, free]
            plain &= np.isfinite(systems).all(axis=(1, 2)) & np.isfinite(rights).all(axis=1)
            found, regular = inverses(np.where(plain[:, None, None], systems, np.eye(int(free.sum()))))
            ahead = weights * np.einsum("rij,rj->ri", found, rights) / prices[:, free]
            ways = np.abs(ahead).max(axis=1, initial=0.0) / self.tolerance[self.alive[at]]
        known = plain & regular
        return known & (ways > 1.0 + SURE), known & (ways < 1.0 - SURE)


def _alone(value: Any) -> Any:
    """The structures of a single run as it would have them: whole numbers and flags are Python's."""
    economy, before, tick, after = value
    residuals = {name: float(getattr(tick, name)) for name in RESIDUALS}
    tick = tick._replace(tick=int(tick.tick), finite=bool(tick.finite), **residuals)
    return economy, before._replace(tick=int(before.tick)), tick, after._replace(tick=int(after.tick))


def _alike(like: Scenario, regime: int, places: tuple[Place, ...]) -> Alike:
    scheduler = _tatonnement(like)
    return Alike(scheduler.makings(like.regimes[regime].economy), places, scheduler.made_of)


def _tatonnement(scenario: Scenario) -> Tatonnement:
    assert isinstance(scenario.scheduler, Tatonnement)
    return scenario.scheduler
