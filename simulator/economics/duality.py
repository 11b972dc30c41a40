"""From unit costs to demand: what money buys by Shephard's lemma, and sums over consumers of outer products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array, Form

TINY = 1e-200
"""A price that stands for one that vanishes."""


def log_cost_gradient(form: Form, prices: Array) -> Array:
    """`d ln c / dp = c_p / (p.c_p)`, `(rows, goods)`: what one unit of money buys, by Shephard's lemma and Euler's
    theorem.

    Infinite for free goods of which there cannot be too much; the others stand where they do as free prices vanish.
    """
    free = prices == 0
    if free.any():
        return np.where(free & _endless(form, prices), np.inf, log_cost_gradient(form, np.where(free, TINY, prices)))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        bundle = form.unit_demand(prices)
        return bundle / np.einsum("ag,g->a", bundle, prices)[:, None]


def _endless(form: Form, prices: Array) -> NDArray[np.bool_]:
    """The goods of which money buys without end where some are free, `(rows, goods)`: all that cost nothing if a unit
    of utility costs nothing, else those that a unit of utility takes without end.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        costless = form.unit_cost(prices) == 0
        return form.wanted & (costless[:, None] | np.isinf(form.unit_demand(prices)))


def bought(form: Form, prices: Array, money: Array) -> Array:
    """`money d ln c / dp`, `(n, goods)`: what each `money` `(n,)` buys; wanted goods that are free without end."""
    gradient = log_cost_gradient(form, prices)
    with np.errstate(invalid="ignore"):
        bundle = money[:, None] * gradient
    return np.where(np.isinf(gradient), np.inf, bundle) if not prices.all() else bundle


def outer_sum(left: Array, right: Array) -> Array:
    """`sum_h left_h right_h'`, `(goods, goods)`, of `(n, goods)` each; `left` may have one row for all."""
    if len(left) == 1:
        return left[0][:, None] * right.sum(axis=0)
    return np.einsum("hi,hj->ij", left, right)
