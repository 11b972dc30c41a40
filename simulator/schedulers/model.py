"""A market as a mesa model."""

from __future__ import annotations

from typing import Any

import mesa

from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.schedulers.market import Market
from simulator.schedulers.scheduler import Participant, Scheduler


class Cohort(mesa.Agent):
    """The agents of one entry of a scenario, whatever their number: `name`, `kind` and `count`."""

    def __init__(self, model: mesa.Model, entry: Participant) -> None:
        super().__init__(model)
        self.name, self.kind, self.count = entry.name, entry.kind, entry.count


class MarketModel(Market, mesa.Model):
    """The market of a run, which mesa may drive: an agent for each entry of its scenario."""

    def __init__(self, scheduler: Scheduler[Any, Any], economy: Economy, prices: Array, seed: int = 0) -> None:
        mesa.Model.__init__(self, rng=seed)
        Market.__init__(self, scheduler, economy, prices, seed)
        for entry in scheduler.participants(economy):
            Cohort(self, entry)

    def step(self) -> None:
        """One tick, as mesa drives a model: counted, and logged if mesa's logger is on."""
        self.steps = self.advance().tick.tick + 1
