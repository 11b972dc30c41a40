"""The prices that users face, given the market's: the one place that knows what comes between a buyer and a seller.

A firm pays for each input, and gets for each unit of each of its goods, the market's price times a factor; so does a
consumer for what it buys. Where nothing comes between them all factors are 1.
The prices faced are thus linear in the market's, `q = A p`, and `A'` carries quantities back: the gradient of a firm's
profit in market prices is `A'` of what it makes less `A'` of what it uses (Hotelling). What users pay beyond what
makers get is revenue, `q.x - p.x`. What agents keep of their own in a tick with trade is taxed as if they sold it to
themselves; a planner, and firms that bid, know no factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.economics.firm_layout import FirmLayout
from simulator.economics.forms import Array


class PriceFactors(NamedTuple):
    """What the market's price is multiplied by: for what is used at each edge `(edges,)`, for what is made at each
    outlet `(outlets,)`, and for what the consumers of each cohort buy `(cohorts, goods)`.
    """

    edges: Array
    outlets: Array
    cohorts: Array


class FirmPrices(NamedTuple):
    """What a firm plans with: the price of a unit of its output, and those of its inputs."""

    output: float
    inputs: list[float]


class UserPrices:
    """The prices faced at each edge and outlet, and by each cohort: the market's, unless there are `factors`."""

    def __init__(self, layout: FirmLayout, factors: PriceFactors | None) -> None:
        self._layout, self._factors = layout, factors

    @property
    def neutral(self) -> bool:
        """Whether everybody faces the market's prices."""
        return self._factors is None

    def input_prices(self, prices: Array) -> Array:
        """What a unit of its good costs each edge, `(..., goods)` to `(..., edges)`."""
        # Several times faster than prices[..., goods].
        paid = prices.take(self._layout.edge_good, axis=-1)
        return paid if self._factors is None else paid * self._factors.edges

    def outlet_prices(self, prices: Array) -> Array:
        """What a unit of its good brings each outlet, `(..., goods)` to `(..., outlets)`."""
        received = prices.take(self._layout.outlet_good, axis=-1)
        return received if self._factors is None else received * self._factors.outlets

    def output_prices(self, prices: Array) -> Array:
        """What a unit of output, which may be of several goods, brings each firm, `(..., goods)` to `(..., firms)`."""
        layout, received = self._layout, self.outlet_prices(prices)
        return layout.over_firms(received * self.yields(prices)) if layout.joint else received

    def yields(self, prices: Array) -> Array:
        """How much of its good a unit of output is at each outlet at market `prices`, `(..., goods)` to
        `(..., outlets)`; the same at all prices, `(outlets,)`, where none decides it.
        """
        layout = self._layout
        if not layout.transforms:
            return layout.outlet_yield
        received, parts = self.outlet_prices(prices), list[Array]()
        for firm, outlets in zip(layout.firms, layout.outlet_rows, strict=True):
            # All firms of an entry face the same prices.
            each = slice(outlets.start, outlets.start + len(firm.outputs))
            at, fixed = received[..., each], layout.outlet_yield[each]
            amounts = (
                np.broadcast_to(fixed, at.shape) if firm.transformation is None else firm.transformation.amounts(at)
            )
            parts += [amounts] * firm.rows
        return np.concatenate(parts, axis=-1)

    def consumer_prices(self, cohort: int, prices: Array) -> Array:
        """What a unit of each good costs the consumers of a cohort, `(..., goods)` to `(..., goods)`."""
        return prices if self._factors is None else prices * self._factors.cohorts[..., cohort, :]

    def cohort_factors(self, cohort: int) -> Array | float:
        """By how much what a cohort pays for each good moves with that good's price, `(goods,)`."""
        return 1.0 if self._factors is None else self._factors.cohorts[cohort]

    def of_firms(self, prices: Array) -> list[FirmPrices]:
        """What each entry of firms plans with at market `prices` `(goods,)`."""
        layout = self._layout
        output, paid = self.output_prices(prices).tolist(), self.input_prices(prices).tolist()
        # All firms of an entry face the same prices.
        return [
            FirmPrices(output[rows.start], paid[edges.start : edges.start + len(firm.inputs)])
            for firm, rows, edges in zip(layout.firms, layout.firm_rows, layout.edge_rows, strict=True)
        ]

    def firm_amounts(self, entry: int, yields: Array) -> Array:
        """How much of each good that a firm entry trades a unit of its output, or of the input, is,
        `(outlets + inputs,)`, of all `yields` `(outlets,)`.
        """
        firm, outlets = self._layout.firms[entry], self._layout.outlet_rows[entry]
        return np.concatenate([yields[outlets][: len(firm.outputs)], np.ones(len(firm.inputs))])

    def firm_factors(self, entry: int) -> Array | float:
        """By how much what a firm entry pays or gets moves with the price of each good that it trades,
        `(outlets + inputs,)`.
        """
        layout = self._layout
        firm, edges, outlets = layout.firms[entry], layout.edge_rows[entry], layout.outlet_rows[entry]
        if self._factors is None:
            return 1.0
        made, used = self._factors.outlets[outlets], self._factors.edges[edges]
        return np.concatenate([made[: len(firm.outputs)], used[: len(firm.inputs)]])

    def firm_slopes(self, entry: int, yields: Array) -> Array:
        """By how much the price of its output, or of the input, moves with that of each good that a firm entry trades,
        `(outlets + inputs,)`.
        """
        return self.firm_amounts(entry, yields) * self.firm_factors(entry)

    def cash_flow(self, prices: Array, sold: Array, inputs: Array) -> Array:
        """Value of what is `sold` `(outlets,)` less cost of `inputs` `(edges,)`, `(firms,)`."""
        layout = self._layout
        cost = np.bincount(layout.edge_firm, inputs * self.input_prices(prices), len(layout.firm_entry))
        return layout.over_firms(sold * self.outlet_prices(prices)) - cost

    def profit_slopes(self, prices: Array, outputs: Array, inputs: Array) -> Array:
        """The gradient of each firm entry's profit in the market's `prices` `(goods,)`, `(firm entries, goods)`.

        It is `A'` of its outputs `(firms,)` less `A'` of its inputs `(edges,)`.
        """
        layout, goods, yields = self._layout, len(self._layout.goods), self.yields(prices)
        places, moved = [np.zeros(0, dtype=np.intp)], [np.zeros(0)]
        for entry, (firm, rows, edges) in enumerate(zip(layout.firms, layout.firm_rows, layout.edge_rows, strict=True)):
            used = inputs[edges].reshape(firm.rows, -1).sum(axis=0)
            quantities = np.concatenate([outputs[rows].sum(keepdims=True), -used])
            places.append(entry * goods + firm.traded)
            moved.append(quantities[firm.sides] * self.firm_slopes(entry, yields))
        size = len(layout.firms) * goods
        slopes = np.bincount(np.concatenate(places), np.concatenate(moved), size)
        return slopes.astype(float, copy=False).reshape(-1, goods)

    def net_output(self, prices: Array, outputs: Array, inputs: Array) -> Array:
        """The gradient of all profits in the market's `prices`, `(goods,)`."""
        layout, used = self._layout, inputs
        sold = layout.at_outlets(outputs, self.yields(prices))
        if self._factors is not None:
            sold, used = sold * self._factors.outlets, used * self._factors.edges
        return layout.over_outlets(sold) - layout.over_edges(used)

    def to_sellers(self, values: Array) -> Array:
        """Of what a unit is worth at each edge, `(..., edges)`, what comes to its seller."""
        return values if self._factors is None else values / self._factors.edges
