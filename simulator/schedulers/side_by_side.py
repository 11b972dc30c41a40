"""Many runs of one economy side by side: a tick of all of them is a few NumPy calls along a leading axis."""

from __future__ import annotations

from typing import Any

from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.formulas.in_runs import InRuns, stacked
from simulator.schedulers.scheduler import Scheduler


class SideBySide:
    """Runs of an economy that begin at `starts` `(runs, goods)`, each as it would go alone but for rounding.

    `state` is that before the coming tick, with runs in front of every array. What is not among the fields of a tick to
    `keep` is not worked out.
    """

    def __init__(
        self, scheduler: Scheduler[Any, Any], economy: Economy, starts: Array, seed: int, keep: tuple[str, ...]
    ) -> None:
        ticking = scheduler.traceable(economy)

        def step(state: Any) -> tuple[Any, tuple[Any, ...]]:
            after, tick = ticking(state)
            return after, tuple(getattr(tick, name) for name in keep)

        self.state = stacked([scheduler.start(economy, prices, seed) for prices in starts])
        self._step = InRuns(step)

    def advance(self) -> tuple[Array, ...]:
        """A tick of all runs: the fields kept, each `(runs, ...)`."""
        self.state, kept = self._step(self.state)
        return kept
