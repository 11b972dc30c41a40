"""The firms for whose plans the judges have no road of their own: the market's plan is verified in every recorded tick.

Formulas of several inputs and kinds from outside are planned and judged by one search. What consumers of such kinds
planned is verified where it is summed up (`dynamics.consumers.CohortTick.totals`).
"""

from __future__ import annotations

import numpy as np

from simulator.economics.behaviour import BestResponse
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.technology import Plan
from simulator.formulas.in_runs import InRuns, one_by_one
from simulator.formulas.searches import asked


class FirmVerification:
    """Which firms of an economy must be verified, found once, and asked in every recorded tick.

    Firms that do not plan for their largest profit at going prices are left out: their plans are not meant to be best.
    """

    def __init__(self, economy: Economy) -> None:
        self._economy = economy
        self._verify = InRuns(self._largest) if economy.small() else one_by_one(self._largest)
        self._firms = [
            (number, firm, rows, edges)
            for number, (firm, rows, edges) in enumerate(
                zip(economy.firms, economy.firm_rows, economy.edge_rows, strict=True)
            )
            if firm.technology.verified and isinstance(firm.behaviour, BestResponse)
        ]

    def plan_residual(self, prices: Array, inputs: Array, outputs: Array, rates: Array) -> Array:
        """The largest relative residual `(ticks,)` of planned `inputs` `(ticks, edges)` and `outputs` `(ticks, firms)`
        at `prices` `(ticks, goods)` and `rates` of taxes `(ticks, taxes)`; not a number where no firm is verified.
        """
        return self._verify((prices, inputs, outputs, rates)) if self._firms else np.full(len(prices), np.nan)

    def _largest(self, given: tuple[Array, ...]) -> Array:
        """That of one tick."""
        prices, inputs, outputs, rates = given
        faced = self._economy.in_force(rates).user_prices.of_firms(prices)
        found = [
            asked(firm.technology, "plan_residual")(
                faced[number].output,
                np.stack(faced[number].inputs),
                Plan(inputs[edges].reshape(firm.rows, -1), outputs[rows]),
            )
            for number, firm, rows, edges in self._firms
        ]
        return np.stack(found).max()
