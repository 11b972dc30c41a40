"""A market: a thin shell around a scheduler's state."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.dynamics.market_tick import Stretch
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import Watch
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.schedulers.scheduler import Scheduler


class Market:
    """An economy whose prices a scheduler moves, from `prices` `(goods,)`.

    `state` is what the coming tick depends on, `transition` the tick just over in its surroundings (None before the
    first). The fields of that tick are attributes of the market, as arrays: `market.prices`, `market.demand` ...
    """

    def __init__(self, scheduler: Scheduler[Any, Any], economy: Economy, prices: Array, seed: int = 0) -> None:
        self.scheduler, self.economy = scheduler, economy
        self.state: Any = scheduler.start(economy, np.array(prices, dtype=float), seed)
        self._transition: Transition[Any, Any] | None = None
        self._passed: tuple[Any, Watch, int] | None = None

    @property
    def transition(self) -> Transition[Any, Any] | None:
        """The tick just over in its surroundings; of one that was passed over, it is worked out again."""
        if self._passed is not None:
            self.state, watch, ticks = self._passed
            while ticks > 1 and (seen := self.pass_over(watch, ticks - 1, ticks - 1)):
                ticks -= len(seen.prices)
            for _ in range(ticks):
                self.advance()
        return self._transition

    def advance(self) -> Transition[Any, Any]:
        """One tick."""
        before = self.state
        self.state, tick = self.scheduler.step(self.economy, before)
        self._transition, self._passed = Transition(self.economy, before, tick, self.state), None
        return self._transition

    def pass_over(self, watch: Watch, ticks: int, unrecorded: int | None) -> Stretch | None:
        """Up to so many ticks at once that nobody has to look at; None where the coming one is to be looked at."""
        first = self.state
        passed = self.scheduler.pass_over(self.economy, first, watch, ticks, unrecorded)
        if passed is None:
            return None
        self.state, seen = passed
        # A state of the past, and how many ticks there are from it to now.
        self._passed = (seen.before[-1], watch, 1) if seen.before else (first, watch, len(seen.prices))
        return seen

    def settle_at_equilibrium(self, now: Transition[Any, Any]) -> Transition[Any, Any]:
        """Carry out in the tick just over what has waited for prices to be found."""
        self._transition = now._replace(tick=self.scheduler.settle_at_equilibrium(now))
        return self._transition

    @property
    def last_tick(self) -> Any:
        """The tick just over; None before the first."""
        return None if self.transition is None else self.transition.tick

    def __getattr__(self, name: str) -> Any:
        """A field of the tick just over, as an array."""
        now: Transition[Any, Any] | None = self.__dict__.get("_transition") and self.transition
        if now is not None and name in now.tick._fields:
            return np.asarray(getattr(now.tick, name))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
