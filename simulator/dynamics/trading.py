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
    inside.
    """

    purchases: Array
    sales: Array
    traded: Array


def ration(purchases: Array, sales: Array, outside: NDArray[np.intp]) -> Fills:
    """Proportional rationing: both sides of a market trade `min(purchases, sales)`, each in proportion to its orders.

    Goods with an outside price (their indices) are traded with the outside in any amount: every order is served.
    """
    traded = np.minimum(purchases, sales)
    # The floor only keeps 0/0 from arising where nobody orders: whatever fraction of nothing is served is nothing.
    bought, sold = traded / np.maximum(purchases, _NO_ORDER), traded / np.maximum(sales, _NO_ORDER)
    if outside.size:
        bought[outside] = sold[outside] = 1.0
    return Fills(bought, sold, traded)


_NO_ORDER = 1e-300
