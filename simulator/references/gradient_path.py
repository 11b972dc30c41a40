"""The gradient-descent path: the same price rule from the same start, fed with minus the gradient of the potential
(and with its second derivatives, where the rule goes by slopes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.potential import Descent, Reference


class GradientPath:
    """Prices that descend a reference function, one step a tick.

    `prices` `(goods,)` are those of tick `tick`; `descent` is the function there. The market is never asked: what
    moves the path is the function's own derivative.
    """

    kind: ClassVar = "dual"

    def __init__(self, economy: Economy, reference: Reference, rule: PriceRule, initial_prices: Array) -> None:
        self.reference, self.rule = reference, rule
        self.tick = 0
        self.prices = np.array(initial_prices, dtype=float)
        self.memory = rule.start(prices=self.prices)
        self.guess = economy.first_guess()
        self._descent: Descent | None = None

    def change_economy(self, economy: Economy, reference: Reference) -> None:
        """Go on from here by the function of another economy (after a shock)."""
        self.reference, self.guess, self._descent = reference, economy.first_guess(), None

    def advance(self, tick: int) -> Array:
        """Descend up to `tick` and return the prices there, `(goods,)`; not a number once the path has left all
        bounds.
        """
        while self.tick < tick:
            descent = self.evaluate()
            self.guess = np.where(np.isfinite(descent.inputs), descent.inputs, self.guess)
            signal, scale = self._at_observed_prices() or (descent.signal, descent.unit)
            self.prices, self.memory = self.rule.next_prices(self.prices, signal, scale, self.memory, descent.jacobian)
            self.tick, self._descent = self.tick + 1, None
        return self.prices

    def evaluate(self) -> Descent:
        """The reference function at the path's present prices."""
        if self._descent is None:
            self._descent = self.reference.descent(self.prices, self.guess, self.rule.needs_jacobian)
        return self._descent

    def _at_observed_prices(self) -> tuple[Array, Array] | None:
        """The signal and its scale, `(goods,)` each, of every market at the prices that it has heard of; None where all
        go by the present ones.
        """
        rows = self.rule.observed_prices(self.prices, self.memory)
        if rows is None:
            return None
        by_market = [self.reference.descent(row, self.guess) for row in rows]
        signal, scale = (np.array([getattr(each, what) for each in by_market]) for what in ("signal", "unit"))
        return signal.diagonal(), scale.diagonal()

    def state(self) -> dict[str, Array]:
        """Where the path is, as arrays."""
        memory = {f"memory{i}": memo for i, memo in enumerate(self.memory)}
        return {"tick": np.array(self.tick), "prices": self.prices, "guess": self.guess, **memory}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.tick, self.prices, self.guess = int(state["tick"]), state["prices"], state["guess"]
        self.memory = tuple(state[f"memory{i}"] for i in range(len(self.memory)))
