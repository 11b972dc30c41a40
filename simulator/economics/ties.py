"""Ties: where demand is a set, which of its elements clears the markets?

Consumers with linear tastes spend all their money on the goods with most value per money. Where several are best, any
split of the spending is as good, and prices are right if *some* split clears every market: a linear programme in the
spending on tied goods. Source: Eisenberg and Gale (1959); Devanur, Papadimitriou, Saberi and Vazirani (2008).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.linear import Linear

FAR = 0.05
"""A market this far from clearing, whatever is chosen, needs no programme to tell."""


class Split(NamedTuple):
    """How those who are indifferent may buy: `spending` `(ties,)`, and the complementarity residual that it leaves,
    `max(z/s, p|z| / p.s)` over goods whose price may move.
    """

    spending: Array
    gap: float


class TiedSpending(NamedTuple):
    """Spending of set-valued consumers on their best goods, flat: `(ties,)` each. `row` counts all their rows, `money`
    `(rows,)` is what each has, times the consumers it stands for; `value` is worth per unit, and a unit costs the
    good's price times `factor`.
    """

    cohort: NDArray[np.intp]
    row: NDArray[np.intp]
    good: NDArray[np.intp]
    factor: Array
    value: Array
    money: Array


def set_valued(economy: Economy) -> bool:
    """Whether some consumer's demand is a set: linear tastes for one good alone have nothing to choose from."""
    tastes = (cohort.utility for cohort in economy.consumers)
    return any(isinstance(taste, Linear) and bool(((taste.values > 0).sum(axis=1) > 1).any()) for taste in tastes)


def ties(economy: Economy, prices: Array, incomes: tuple[Array, ...], tolerance: float) -> TiedSpending:
    """The goods that are best for each set-valued consumer, to a relative tolerance."""
    cohorts, rows, goods, factors, values, money, first = [], [], [], [], [], [], 0
    for number, (cohort, income) in enumerate(zip(economy.consumers, incomes, strict=True)):
        taste = cohort.utility
        if not isinstance(taste, Linear):
            continue
        best = np.broadcast_to(
            taste.best(economy.user_prices.consumer_prices(number, prices), tolerance), (cohort.size, len(prices))
        )
        row, good = np.nonzero(best)
        cohorts.append(np.full(len(row), number))
        rows.append(first + row)
        goods.append(good)
        factors.append(np.broadcast_to(economy.user_prices.cohort_factors(number), prices.shape)[good])
        values.append(np.broadcast_to(taste.values, best.shape)[row, good])
        money.append(income * cohort.weight)
        first += cohort.size
    parts = (np.concatenate(part) for part in (cohorts, rows, goods, factors, values, money))
    return TiedSpending(*parts)


def bought(economy: Economy, prices: Array, edges: TiedSpending, spending: Array) -> Array:
    """What the set-valued cohorts buy if they spend so much `(ties,)` on their ties, `(cohorts, goods)`."""
    consumption = np.zeros((len(economy.consumers), len(prices)))
    np.add.at(consumption, (edges.cohort, edges.good), spending / (prices[edges.good] * edges.factor))
    return consumption


def bundles(economy: Economy, prices: Array, edges: TiedSpending, spending: Array) -> dict[int, Array]:
    """What each row of the set-valued cohorts buys then, `(rows, goods)` by the cohort's number."""
    found: dict[int, Array] = {}
    first = 0
    for number, cohort in enumerate(economy.consumers):
        if isinstance(cohort.utility, Linear):
            own = edges.cohort == number
            table = np.zeros((cohort.size, len(prices)))
            quantities = spending[own] / (prices[edges.good] * edges.factor)[own] / cohort.weight
            np.add.at(table, (edges.row[own] - first, edges.good[own]), quantities)
            found[number], first = table, first + cohort.size
    return found


def clearing_split(
    prices: Array, others: Array, supply: Array, edges: TiedSpending, free: NDArray[np.bool_]
) -> Split | None:
    """The split of spending over ties that clears the markets of `free` goods best; None if none comes near.

    `others` `(goods,)` is what everybody else demands.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, hstack, vstack

    count, goods = len(edges.good), len(prices)
    scale = np.maximum(np.maximum(others, supply), 1e-300) * np.maximum(prices, 1e-300)
    worth = float(scale.sum())
    left = (supply - others) * prices
    unwanted = np.bincount(edges.good, minlength=goods) == 0
    short, idle = _forced(edges, goods) - left > FAR * scale, unwanted & (left > FAR * worth)
    if (free & (short | idle)).any():
        return None
    places = np.arange(count)
    bought = coo_array((1.0 / edges.factor, (edges.good, places)), shape=(goods, count)).tocsr()[np.flatnonzero(free)]
    spent = coo_array((np.ones(count), (edges.row, places)), shape=(len(edges.money), count))
    left = left[free]
    above = hstack([bought, coo_array(-scale[free][:, None])])
    below = hstack([-bought, coo_array(np.full((len(left), 1), -worth))])
    found = linprog(
        np.append(np.zeros(count), 1.0),
        A_ub=vstack([above, below]),
        b_ub=np.concatenate([left, -left]),
        A_eq=hstack([spent, coo_array((len(edges.money), 1))]),
        b_eq=edges.money,
        method="highs",
    )
    if found.status != 0:
        return None
    return Split(found.x[:count], float(found.x[-1]))


def _forced(edges: TiedSpending, goods: int) -> Array:
    """What comes to sellers of spending that has no choice: of those with one best good, `(goods,)`."""
    choices = np.bincount(edges.row, minlength=len(edges.money))
    alone = choices[edges.row] == 1
    return np.bincount(edges.good[alone], (edges.money[edges.row] / edges.factor)[alone], goods).astype(float)
