"""Orders meet: who gets how much when planned demand and supply differ, and what the goods and the money do then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array


@dataclass(frozen=True)
class Trade:
    """When and how agents trade.

    `every_tick`: at the going prices, with the long side rationed in proportion to its orders; otherwise nobody
    trades until markets clear (Walras's auctioneer). `spoilage` is the fraction of a firm's unsold stock lost per
    tick; `start` is `stocked` (every firm enters with one tick of its planned output, given by the outside) or
    `empty`.
    """

    every_tick: bool = True
    spoilage: float = 1.0
    start: str = "stocked"


class Fills(NamedTuple):
    """What came of the orders for each good, `(goods,)` each: fractions served of purchases and sales, quantity traded
    inside, and the fraction served of purchases that come `first`, where some do.
    """

    purchases: Array
    sales: Array
    traded: Array
    first: Array | None = None


def ration(purchases: Array, sales: Array, outside: NDArray[np.intp], first: Array | None = None) -> Fills:
    """Proportional rationing: both sides of a market trade the smaller of what is ordered and offered, each in
    proportion to its orders. Where purchases come `first` `(goods,)` they are served before others.

    Goods with an outside price (their indices) are traded with the outside in any amount: every order is served.
    """
    served, left = None, sales
    if first is not None:
        served, left = _fraction(np.minimum(first, sales), first), np.maximum(sales - first, 0.0)
    traded = np.minimum(purchases, left)
    bought = _fraction(traded, purchases)
    traded = traded if first is None else traded + np.minimum(first, sales)
    sold = _fraction(traded, sales)
    if outside.size:
        for fraction in (bought, sold) if served is None else (bought, sold, served):
            fraction[outside] = 1.0
    return Fills(bought, sold, traded, served)


def _fraction(filled: Array, orders: Array) -> Array:
    # The floor only keeps 0/0 from arising where nobody orders: whatever fraction of nothing is served is nothing.
    return filled / np.maximum(orders, _NO_ORDER)


_NO_ORDER = 1e-300
