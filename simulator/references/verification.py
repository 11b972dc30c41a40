"""The plans for which the judges have no road of their own, verified by first-order conditions and the budget.

Formulas of several inputs, utilities written as a formula, and kinds from outside are planned and judged by one
search. Of these the market's plan itself is looked at in every recorded tick.
"""

from __future__ import annotations

import numpy as np

from simulator.economics.agents import Consumers
from simulator.economics.behaviour import BestResponse
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.rows import over_blocks
from simulator.economics.technology import Plan


class Verification:
    """What of an economy's plans must be verified, found once, and asked in every recorded tick.

    Firms that do not plan for their largest profit at going prices are left out: their plans are not meant to be best.
    """

    def __init__(self, economy: Economy) -> None:
        self.economy = economy
        self._firms = [
            (firm, rows, edges)
            for firm, rows, edges in zip(economy.firms, economy.firm_rows, economy.edge_rows, strict=True)
            if firm.technology.verified and isinstance(firm.behaviour, BestResponse)
        ]
        self._cohorts = [place for place, cohort in enumerate(economy.consumers) if cohort.utility.verified]

    @property
    def needed(self) -> bool:
        """Whether there is anything to verify."""
        return bool(self._firms or self._cohorts)

    def plan_residual(self, prices: Array, inputs: Array, outputs: Array, incomes: tuple[Array, ...]) -> float:
        """The largest relative residual of the plans at `prices` `(goods,)`; not a number where nothing is verified.

        Planned `inputs` `(edges,)` and `outputs` `(firms,)`; planned `incomes`, a `(rows,)` for each cohort, at which
        consumers are asked once more what they would buy (read only where a cohort is verified).
        """
        found = [
            firm.technology.plan_residual(
                firm.output_price(prices.tolist()),
                prices[list(firm.inputs)],
                Plan(inputs[edges].reshape(firm.rows, -1), outputs[rows]),
            )
            for firm, rows, edges in self._firms
        ]
        for place in self._cohorts:

            def residual(block: tuple[slice, Consumers], income: Array = incomes[place]) -> float:
                part, some = block
                return some.utility.plan_residual(prices, income[part], some.utility.demand(prices, income[part]))

            found += over_blocks(self.economy.consumers[place].blocks, residual)
        return float(np.max(found)) if found else float("nan")
