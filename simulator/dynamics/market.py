"""What every market has that a run drives, whatever its scheduler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import mesa

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy


class Market(mesa.Model, ABC):
    """An economy under a price rule; `now` is the tick just over, `advance` the next."""

    economy: Economy
    rule: PriceRule
    now: Any
    consumer_cohorts: Sequence[Any] = ()

    @abstractmethod
    def advance(self) -> None:
        """One tick."""

    @abstractmethod
    def enter(self, economy: Economy) -> None:
        """Go on in an economy of the same goods and agents (after a shock)."""

    def step(self) -> None:
        """One tick, as mesa drives a model: counted, and logged if mesa's logger is on."""
        self.advance()

    def execute(self) -> None:
        """Carry out what has waited for prices to be found; nothing, where all is done in every tick."""

    @property
    @abstractmethod
    def residual(self) -> float:
        """How far the market is from clearing after the tick just over; 0 where it clears."""

    @property
    def tick(self) -> int:
        """The number of the tick just over; -1 before the first."""
        return int(self.now.tick)
