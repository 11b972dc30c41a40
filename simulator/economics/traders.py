"""Those who trade contracts on an event: what they believe, what they risk, whether they see what their trades do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.economics.forms import Array
from simulator.economics.rows import Rows


@dataclass(frozen=True)
class Trader(Rows):
    """Traders of a `kind` (`kelly`, `cara`, `neutral`, `linear_pool`): the probability each gives to the outcomes,
    `belief` `(rows, outcomes)`; its `measure` `(rows,)`, money (kelly, neutral, linear_pool) or risk aversion per unit
    of money (cara); and whether it `sees` that its own trade moves the price.
    """

    kind: str
    belief: Array
    measure: Array
    sees: bool

    @property
    def wealth(self) -> Array:
        """The money, or the complete sets of contracts, that each begins with, `(rows,)`."""
        return np.zeros_like(self.measure) if self.kind == "cara" else self.measure

    def marginal_utility(self, wealth: Array, liquidity: float, row: int) -> Array:
        """`u'(W)` of one of them at its `wealth` `(outcomes,)` in each outcome, up to a factor: `1/W` (kelly),
        `e^(-a W)` (cara), 1 (neutral), and `1/(1 - e^(-W/b))` of who pools beliefs linearly, `b` the liquidity.
        """
        if self.kind == "neutral":
            return np.ones_like(wealth)
        if self.kind == "cara":
            return np.exp(self.measure[row % len(self.measure)] * (wealth.min() - wealth))
        return 1.0 / (wealth if self.kind == "kelly" else -np.expm1(-wealth / liquidity))
