"""Welfare in money: what a change of prices and incomes is worth to those who live through it.

With the expenditure function `e(p, u)`, the least money for which utility `u` can be had at prices `p`, a change from
`(p0, u0)` to `(p1, u1)` is worth

    equivalent variation    e(p0, u1) - e(p0, u0)    at the old prices,
    compensating variation  e(p1, u1) - e(p1, u0)    at the new ones,

positive for who gains. Prices are those that consumers face. Who compares goods with money has a utility in money,
`phi(x) - p.x + m`; if nothing runs out of money both variations are the change of surplus `phi(x) - p.x` and of income.
Source: Hicks (1942); Varian, Microeconomic Analysis, chapter 10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from simulator.economics.agents import Consumers
from simulator.economics.forms import Array
from simulator.economics.rows import over_blocks
from simulator.economics.taste import Taste
from simulator.formulas.leaves import OtherKindError, differing


class Standing(NamedTuple):
    """How well off the members of a cohort are: the `prices` they face `(goods,)`, their `income` (of a purse without
    a bottom what it earns) and `utility`, `(rows,)` each; in money, with what is left of it, where they compare goods
    with money.
    """

    prices: Array
    income: Array
    utility: Array


def standing(
    cohort: Consumers, prices: Array, income: Array, consumed: Callable[[int, slice, Consumers], Array]
) -> Standing:
    """How well off members are at the `prices` they face, with an `income`, by what the members of each block of rows
    `consumed`, `(rows, goods)`; what they keep of their own costs what it would bring.
    """

    def enjoyed(numbered: tuple[int, tuple[slice, Consumers]]) -> Array:
        number, (part, some) = numbered
        bundle = consumed(number, part, some)
        paid = np.where(bundle > 0, bundle * prices, 0.0).sum(axis=-1)
        utility = some.utility.utility(bundle, paid)
        return utility if some.utility.needs_income else utility + income[part]

    return Standing(prices, income, np.concatenate(over_blocks(list(enumerate(cohort.blocks)), enjoyed)))


def earned(
    cohort: Consumers, prices: Array, profits: Array, account: Array | float, dues: Array, income: Array
) -> Array:
    """The `income` of each member, `(rows,)`, or of a purse without a bottom what goes into it at market `prices`: with
    what is in the `account` and by `dues` (see `Fiscal.terms`).
    """
    if not cohort.unlimited:
        return income
    own = replace(cohort, budget=np.zeros(1)).own_income(prices, profits)
    return own + account + (cohort.dues(dues, own) if len(dues) else 0.0)


class Variations(NamedTuple):
    """What a change is worth to each member of a cohort, `(rows,)` each, not a number where that is not known: the
    `equivalent` and the `compensating` variation, and the change of `surplus` of who compares goods with money.
    """

    equivalent: Array
    compensating: Array
    surplus: Array


def money_metric(cohort: Consumers, prices: Array, utility: Array) -> Array:
    """`e(p, u)` of each member, `(rows,)`, at the `prices` they face `(goods,)`; a purse without a bottom may be so
    far below 0. Not a number where no formula is known.
    """
    taste = cohort.utility
    if cohort.unlimited:
        return utility - taste.surplus(prices, np.full(len(utility), np.inf))
    return taste.expenditure(prices, utility)


@np.errstate(all="ignore")
def variations(cohorts: tuple[Consumers, Consumers], before: Standing, after: Standing) -> Variations:
    """What it is worth to each member that it stands as `after` and no longer as `before`; of the same tastes, in the
    `cohorts` that it was, and is, in (their economies may have other goods).
    """
    equivalent, compensating = (
        money_metric(cohort, at.prices, after.utility) - money_metric(cohort, at.prices, before.utility)
        for cohort, at in zip(cohorts, (before, after), strict=True)
    )
    gained = after.utility - before.utility - (after.income - before.income)
    surplus = np.full(len(gained), np.nan) if cohorts[0].utility.needs_income else gained
    return Variations(equivalent, compensating, surplus)


def same_taste(one: Taste, other: Taste) -> bool:
    """Whether two cohorts, or one at two times, want the same, member by member."""
    try:
        return not differing(one, other)
    except OtherKindError:
        return False
