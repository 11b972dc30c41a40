"""Goods that stand at several places of a tree: as labour does beside energy and within a nest of it.

Prices say all of demand: a good at two places has one price. Of a given bundle a good must be divided among its places
for the best, and that is a search: the bundle is what money would buy at some prices, its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Form
from simulator.economics.means import Array
from simulator.formulas.searches import array_search

MISSING = 1e250
"""The price of a good of which there is nothing, where others replace it."""
MOST_STEPS = 200
LONGEST_STEP = 2.0
"""Of a price's logarithm."""
DONE = 1e-13


@dataclass(frozen=True)
class SharedGoods(Form):
    """`u(x) = max form(z)` over divisions `sum z = x` of goods among places; `places` say the good at each.

    `goods` is the length of bundles and prices. Shapes are those of `economics.forms`.
    """

    form: Form
    places: tuple[int, ...]
    goods: int

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return self._gathered(self.form.wanted.astype(float)) > 0

    def value(self, quantities: Array) -> Array:
        return self.appraise(quantities, np.ones(self.goods))[0]

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        return self.appraise(quantities, prices)[1]

    def appraise(self, quantities: Array, prices: Array) -> tuple[Array, Array]:
        return _appraised(self, quantities, np.broadcast_to(prices, quantities.shape))

    def unit_cost(self, prices: Array) -> Array:
        return self.form.unit_cost(self._at_places(prices))

    def unit_demand(self, prices: Array) -> Array:
        return self._gathered(self.form.unit_demand(self._at_places(prices)))

    def demand(self, prices: Array, income: Array) -> Array:
        return self._gathered(self.form.demand(self._at_places(prices), income))

    def of_money(self, prices: Array) -> tuple[Array, Array]:
        bundle, value = self.form.of_money(self._at_places(prices))
        return self._gathered(bundle), value

    def log_cost_gradient(self, prices: Array) -> Array:
        return self._gathered(self.form.log_cost_gradient(self._at_places(prices)))

    def hessian(self, prices: Array) -> Array:
        return self._gathered_twice(self.form.hessian(self._at_places(prices)))

    def curvature(self, prices: Array, weights: Array, gradient: Array | None = None) -> Array:
        return self._gathered_twice(self.form.curvature(self._at_places(prices), weights))

    @cached_property
    def _of_goods(self) -> list[NDArray[np.intp]]:
        """The places of each good."""
        return [np.flatnonzero(np.array(self.places) == good) for good in range(self.goods)]

    def _at_places(self, prices: Array) -> Array:
        return prices[..., np.array(self.places)]

    def _gathered(self, table: Array) -> Array:
        """Sums over the places of each good, `(..., places)` to `(..., goods)`."""
        return np.stack([table[..., places].sum(axis=-1) for places in self._of_goods], axis=-1)

    def _gathered_twice(self, matrix: Array) -> Array:
        return self._gathered(np.swapaxes(self._gathered(matrix), -1, -2))


@array_search("the value of a bundle whose goods stand at several places")
def _appraised(form: SharedGoods, quantities: Array, prices: Array) -> tuple[Array, Array]:
    """The value `(..., n)` of bundles `(..., n, goods)` and how it is imputed to goods, nearest the prices given."""
    count = form.size
    flat, near = (table.reshape(-1, form.goods) for table in (quantities, prices))
    values, shares = np.empty(len(flat)), np.empty(flat.shape)
    with np.errstate(all="ignore"):
        for row, (bundle, start) in enumerate(zip(flat, near, strict=True)):
            at = row % quantities.shape[-2]
            one = form.take(slice(at, at + 1)) if count > 1 else form
            values[row], shares[row] = _of_bundle(one, bundle, start)
    return values.reshape(quantities.shape[:-1]), shares.reshape(quantities.shape)


def _of_bundle(form: SharedGoods, bundle: Array, start: Array) -> tuple[float, Array]:
    """`u(x)` and `p x / p.x` at the prices `p` at which the bundle `x` is what money buys.

    They minimise `p.x - ln c(p)`, which is convex, and where they do `u(x) = p.x / c(p)`; at other prices that is more.
    """
    wanted = form.wanted[0]
    missing, endless = wanted & (bundle == 0), np.isinf(bundle)
    held = missing | endless | ~wanted
    prices = np.where(missing, np.inf, np.where(endless, 0.0, np.where(start > 0, start, 1.0)))
    cost = form.unit_cost(prices)[0]
    if not 0.0 < cost < np.inf:
        # Without it nothing is made, as in the limit where it vanishes; or what is endless is all that is needed.
        some = np.where(missing, 1e-12 * np.max(bundle, initial=1.0, where=np.isfinite(bundle)), bundle)
        even = wanted / wanted.sum()
        return 1.0 / cost, even if endless.any() or not bundle.any() else _of_bundle(form, some, start)[1]
    prices = np.where(missing, MISSING, prices)
    amounts = np.where(held, 0.0, bundle)

    def potential(at: Array) -> float:
        return (at @ amounts) - np.log(form.unit_cost(at)[0])

    prices = np.where(held, prices, prices / (prices @ amounts))
    before = potential(prices)
    for _ in range(MOST_STEPS):
        imputed = np.where(held, 0.0, prices * form.log_cost_gradient(prices)[0])
        worth = prices * amounts
        gap = worth - imputed
        if np.abs(gap).max() < DONE:
            break
        step = _step(form, prices, held, imputed, worth)
        for shorter in (1.0, 0.5, 0.25, 0.1, 0.01):
            moved = np.where(held, prices, prices * np.exp(shorter * step))
            if (now := potential(moved)) < before:
                break
        else:
            break
        prices, before = moved, now
    worth = prices * amounts
    return worth.sum() / form.unit_cost(prices)[0], worth / worth.sum()


def _step(form: SharedGoods, prices: Array, held: NDArray[np.bool_], imputed: Array, worth: Array) -> Array:
    """Newton's step of log prices, of a curvature that is made larger where the worth of a good exceeds its share."""
    free = np.flatnonzero(~held)
    bent = -(form.hessian(prices)[0] * prices[:, None] * prices)[np.ix_(free, free)]
    more = np.maximum(worth - imputed, 0.0)[free]
    system = bent + np.diag(more + 1e-13 * (imputed + worth)[free] + 1e-300)
    step = np.zeros(len(prices))
    step[free] = np.linalg.lstsq(system, (imputed - worth)[free], rcond=1e-15)[0]
    return np.clip(step, -LONGEST_STEP, LONGEST_STEP)
