"""The firms for whose plans the judges have no road of their own: the market's plan is verified in every recorded tick.

Formulas of several inputs and kinds from outside are planned and judged by one search. What consumers of such kinds
planned is verified where it is summed up (`dynamics.consumers.CohortTick.totals`).
"""

from __future__ import annotations

import math

import numpy as np

from simulator.economics.behaviour import BestResponse
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.technology import Plan


class FirmVerification:
    """Which firms of an economy must be verified, found once, and asked in every recorded tick.

    Firms that do not plan for their largest profit at going prices are left out: their plans are not meant to be best.
    """

    def __init__(self, economy: Economy) -> None:
        self._user_prices = economy.user_prices
        self._firms = [
            (number, firm, rows, edges)
            for number, (firm, rows, edges) in enumerate(
                zip(economy.firms, economy.firm_rows, economy.edge_rows, strict=True)
            )
            if firm.technology.verified and isinstance(firm.behaviour, BestResponse)
        ]

    def plan_residual(self, prices: Array, inputs: Array, outputs: Array) -> float:
        """The largest relative residual of planned `inputs` `(edges,)` and `outputs` `(firms,)` at `prices` `(goods,)`;
        not a number where no firm is verified.
        """
        if not self._firms:
            return math.nan
        faced = self._user_prices.of_firms(prices)
        found = [
            firm.technology.plan_residual(
                faced[number].output,
                np.array(faced[number].inputs),
                Plan(inputs[edges].reshape(firm.rows, -1), outputs[rows]),
            )
            for number, firm, rows, edges in self._firms
        ]
        return float(np.max(found))
