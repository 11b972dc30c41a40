"""From unit costs to demand: what money buys by Shephard's lemma, and sums over consumers of outer products."""

from __future__ import annotations

import numpy as np

from simulator.economics.forms import Form
from simulator.economics.means import Array, product


def bought(form: Form, prices: Array, money: Array) -> Array:
    """`money d ln c / dp`, `(n, goods)`: what `money` `(n,)` buys; free goods without end, as `demand` has them."""
    gradient = form.log_cost_gradient(prices)
    if prices.all():
        return product(gradient, money[:, None], gradient)
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(gradient), np.inf, gradient * money[:, None])


def outer_sum(left: Array, right: Array) -> Array:
    """`sum_h left_h right_h'`, `(goods, goods)`, of `(n, goods)` each; `left` may have one row for all."""
    if len(left) == 1:
        return left[0][:, None] * right.sum(axis=0)
    return np.einsum("hi,hj->ij", left, right)
