"""How a firm plans at going prices.

What the market is compared with (adjoint, equilibrium, gradient path) takes every firm to plan for its largest profit.
A behaviour that comes to rest only there has the same equilibria, and another way to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from simulator.economics.forms import Array
from simulator.economics.technology import Plan, Technology


class Behaviour(Protocol):
    """What the firms of one entry plan in a tick, of their technology, prices, and what they planned last."""

    meaning: ClassVar[str]

    def plan(
        self, technology: Technology, price: float, input_prices: Sequence[float], inputs: Array, *, first: bool
    ) -> Plan:
        """Inputs `(rows, inputs)` and output `(rows,)` planned at the output's `price` and the inputs' `input_prices`.

        `inputs` `(rows, inputs)` are those of the last plan; at the `first` tick there is none, and they are only a
        guess from which a search may begin.
        """
        ...


@dataclass(frozen=True)
class BestResponse:
    """The plan of largest profit: `p y_i = w_i` for each input in use."""

    meaning: ClassVar = (
        "a firm plans for the largest profit at going prices: p_out df/dx_i = p_i for each input it uses"
    )

    def plan(
        self, technology: Technology, price: float, input_prices: Sequence[float], inputs: Array, *, first: bool
    ) -> Plan:
        return technology.best_response(price, input_prices, inputs)
