"""What a market of marginal bids carries from tick to tick, and a tick as it was, in the order of its links."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.economics.forms import Array


class BidsState(NamedTuple):
    """What the coming tick, the number `tick`, begins with, in the links' order: what there is of each good, its
    `quantities` `(goods,)`, and what is `paid` on each link `(edges,)`. What has not arrived yet is not a number.
    """

    tick: int
    quantities: Array
    paid: Array


class BidsTick(NamedTuple):
    """A tick, in the links' order: `quantities` and `prices` `(goods,)`, what is `paid` on each link `(edges,)`; and
    what comes of them: what of each good is `made` (or supplied) next `(goods,)`, `slopes` `df/dx` and `bids`
    `(edges,)`, together `bid` for each good `(goods,)`.

    What has not arrived yet is not a number.
    """

    tick: int
    quantities: Array
    prices: Array
    paid: Array
    made: Array
    slopes: Array
    bids: Array
    bid: Array

    @property
    def finite(self) -> bool:
        """Whether the market can go on: what is not a number may still become one."""
        return True

    @property
    def gaps(self) -> tuple[Array, Array]:
        """`|made - quantity|` and `|bid - price|`, `(goods,)` each."""
        with np.errstate(invalid="ignore"):
            return np.abs(self.made - self.quantities), np.abs(self.bid - self.prices)

    @property
    def residual(self) -> float:
        """The largest of all `gaps`; infinite while something has not arrived."""
        largest = float(np.max([gap.max(initial=0.0) for gap in self.gaps]))
        return largest if largest == largest else np.inf
