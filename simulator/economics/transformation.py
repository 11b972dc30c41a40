"""How a unit of a firm's output becomes goods: the most valuable ones on a frontier of constant elasticity (CET)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.economics.forms import Array


@dataclass(frozen=True)
class CET:
    """`r(p) = r0 (sum_j f_j (p_j/p0_j)^(1+t))^(1/(1+t))`, the revenue of a unit of output at prices `(..., outlets)`.

    At the benchmark `prices` `p0` a unit is the `quantities` `y0`, worth `r0`, `f_j = p0_j y0_j / r0` of it good `j`.
    The elasticity of `transformation` `t >= 0` says how far the mix follows relative prices; at 0 it is fixed. Feasible
    are all `y` with `sum_j f_j (y_j/y0_j)^((1+t)/t) = 1`. Source: Powell, Gruen (1968).
    """

    quantities: tuple[float, ...]
    prices: tuple[float, ...]
    transformation: float

    @cached_property
    def _benchmark(self) -> tuple[Array, Array, float, Array]:
        """`y0`, `p0`, `r0` and `f`."""
        quantities, prices = np.array(self.quantities), np.array(self.prices)
        worth = quantities * prices
        return quantities, prices, float(worth.sum()), worth / worth.sum()

    def _relative(self, prices: Array) -> tuple[Array, Array]:
        """`p_j/p0_j` `(..., outlets)` and `r/r0` `(..., 1)`."""
        _, benchmark, _, shares = self._benchmark
        relative, order = prices / benchmark, 1.0 + self.transformation
        # Relative to the highest no power overflows.
        highest = relative.max(axis=-1, keepdims=True)
        with np.errstate(invalid="ignore"):
            sums = (shares * (relative / np.where(highest > 0, highest, 1.0)) ** order).sum(axis=-1, keepdims=True)
        return relative, highest * sums ** (1.0 / order)

    def revenue(self, prices: Array) -> Array:
        """`r(p)`, `(...)`."""
        return self._benchmark[2] * self._relative(prices)[1][..., 0]

    def amounts(self, prices: Array) -> Array:
        """`dr/dp`, `(..., outlets)`: `y_j = y0_j (p_j/p0_j r0/r)^t`; the benchmark's where all prices are 0."""
        relative, index = self._relative(prices)
        ratios = np.where(index > 0, relative / np.where(index > 0, index, 1.0), 1.0)
        return self._benchmark[0] * ratios**self.transformation

    def hessian(self, prices: Array) -> Array:
        """`d2r/dp2 = t (diag(y/p) - y y'/r)`, `(outlets, outlets)`; goods with a price of 0 do not move."""
        amounts = self.amounts(prices)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(prices > 0, amounts / prices, 0.0)
            cross = np.where(prices.any(), amounts[:, None] * amounts / self.revenue(prices), 0.0)
        return self.transformation * (np.where(np.eye(len(prices), dtype=bool), own[:, None], 0.0) - cross)
