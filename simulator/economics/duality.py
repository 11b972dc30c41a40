"""From unit costs to demand: what money buys by Shephard's lemma, and sums over consumers of outer products."""

from __future__ import annotations

import numpy as np

from simulator.economics.forms import Form, bought_by
from simulator.economics.means import Array


def bought(form: Form, prices: Array, money: Array) -> Array:
    """`money d ln c / dp`, `(n, goods)`: what `money` `(n,)` buys; free goods without end, as `demand` has them."""
    return bought_by(form.log_cost_gradient(prices), money, prices)


def outer_sum(left: Array, right: Array) -> Array:
    """`sum_h left_h right_h'`, `(goods, goods)`, of `(n, goods)` each; `left` may have one row for all."""
    if len(left) == 1:
        return left[0][:, None] * right.sum(axis=0)
    return np.einsum("hi,hj->ij", left, right)
