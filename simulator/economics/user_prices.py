"""The prices that users face, given the market's: the one place that knows what comes between a buyer and a seller.

Today nothing does: who uses a good pays its price, who sells it gets that. The prices faced are linear in the market's
prices, `q = A p`. Carried back, `A'` makes of quantities what a rise of each price costs or brings (Hotelling, Roy):
the gradient of profits is `A'` of outputs less `A'` of inputs, and `p.(A' x) = q.x` is what is paid for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.economics.firm_layout import FirmLayout
from simulator.economics.forms import Array


class UserPrices:
    """The prices faced at each edge and outlet, and by each cohort."""

    def __init__(self, layout: FirmLayout) -> None:
        self._layout = layout

    def paid(self, prices: Array) -> Array:
        """What a unit of its good costs each edge, `(..., goods)` to `(..., edges)`."""
        return prices[..., self._layout.edge_good]

    def received(self, prices: Array) -> Array:
        """What a unit of its good brings each outlet, `(..., goods)` to `(..., outlets)`."""
        return prices[..., self._layout.outlet_good]

    def of_outputs(self, prices: Array) -> Array:
        """What a unit of output, which may be of several goods, brings each firm, `(..., goods)` to `(..., firms)`."""
        return self._layout.over_firms(self.received(prices) * self._layout.outlet_yield)

    def of_cohort(self, number: int, prices: Array) -> Array:
        """What a unit of each good costs the consumers of a cohort, `(..., goods)` to `(..., goods)`."""
        return prices

    def cohort_slopes(self, number: int) -> Array:
        """How what a cohort pays for each good moves with that good's price, `(goods,)`."""
        return np.ones(len(self._layout.goods))

    def slopes(self, number: int) -> Array:
        """How a firm entry's output price and input prices move with the prices of the goods it trades,
        `(1 + inputs, outlets + inputs)`.
        """
        return self._layout.firms[number].spread

    def for_firms(self, prices: Array) -> list[tuple[float, Sequence[float]]]:
        """What each entry of firms plans with at `prices` `(goods,)`: its output's price and its inputs' prices."""
        layout = self._layout
        fetched, paid = self.of_outputs(prices).tolist(), self.paid(prices).tolist()
        # All firms of an entry face the same prices.
        return [
            (fetched[rows.start], paid[edges.start : edges.start + len(firm.inputs)])
            for firm, rows, edges in zip(layout.firms, layout.firm_rows, layout.edge_rows, strict=True)
        ]

    def cash_flow(self, prices: Array, sold: Array, inputs: Array) -> Array:
        """Value of what is `sold` `(outlets,)` less cost of `inputs` `(edges,)`, `(firms,)`."""
        layout = self._layout
        cost = np.bincount(layout.edge_firm, inputs * self.paid(prices), len(layout.firm_entry))
        return layout.over_firms(sold * self.received(prices)) - cost

    def profit_slopes(self, outputs: Array, inputs: Array) -> Array:
        """The gradient of each firm entry's profit in the market's prices, `(firm entries, goods)`.

        It is `A'` of its outputs `(firms,)` less `A'` of its inputs `(edges,)`.
        """
        layout = self._layout
        slopes = np.zeros((len(layout.firms), len(layout.goods)))
        for number, (firm, rows, edges) in enumerate(
            zip(layout.firms, layout.firm_rows, layout.edge_rows, strict=True)
        ):
            moved = np.array([outputs[rows].sum(), *-inputs[edges].reshape(firm.rows, -1).sum(axis=0)])
            np.add.at(slopes[number], firm.traded, moved @ self.slopes(number))
        return slopes
