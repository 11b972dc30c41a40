"""A run that is tried: how it ends, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from simulator.scenario import Scenario
from simulator.scenario.variation import Variation
from simulator.simulation import Simulation

DIGITS = 3
"""Significant digits of the numbers tried."""


class Trial(NamedTuple):
    """A run: the settings it was made with, by path, how it ended, and the residual it left.

    `residual` is the largest relative excess demand; of firms that bid the largest gap, of a market that learns the
    mean square of unfilled orders.
    """

    numbers: dict[str, Any]
    outcome: str
    ticks: int
    residual: float

    @property
    def cleared(self) -> bool:
        """Whether every market cleared."""
        return self.outcome == "cleared"

    @property
    def rank(self) -> tuple[int, float, int]:
        """Sorts the best first: what cleared by ticks, the rest by residual; what ran away comes last."""
        if self.cleared:
            return 0, self.ticks, 0
        # Residuals that differ by rounding only do not tell one run from another.
        left = short(self.residual) if math.isfinite(self.residual) else math.inf
        return 1 + (self.outcome == "diverged"), left, self.ticks


def trial(scenario: Scenario, settings: Mapping[str, Any]) -> Trial:
    """Run a scenario with other `settings`, by path; no judges look on, and nothing is written."""
    idle = {"run.references": "off", "run.diagnostics": 0, "run.record_every": max(scenario.run.ticks, 1)}
    changes = {**settings, **idle}
    simulation = Simulation(Variation(scenario).at(changes))
    for _ in simulation.ticks():
        pass
    assert simulation.verdict is not None
    now, scheduler = simulation.market.transition, simulation.market.scheduler
    assert now is not None
    residual = scheduler.residual(now.economy, now.tick)
    return Trial(dict(settings), simulation.verdict.outcome, now.tick.tick, residual)


def short(value: float) -> float:
    """A number of few digits, whole if it can be: as it is tried, so it is written."""
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
