"""Tastes written as a formula: any strictly concave, increasing utility of goods, maximised on the budget."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.best_response import SMALLEST, many_inputs
from simulator.economics.forms import Array
from simulator.economics.means import outer_sum
from simulator.economics.taste import Taste
from simulator.formulas.concavity import DECADES, judge
from simulator.formulas.formula import Formula, parse

SPENT = 1e-9
"""So near its budget, relative to it, a search goes there by one step of first order: what that leaves is of the order
of its square.
"""
NARROW = 1e-13
"""A bracket of the logarithm of the marginal utility of money as narrow as this, relative to 1 plus its size, is a
point, to rounding.
"""
SATED_LOG = -690.0
"""A marginal utility of money whose logarithm is below this is none: the consumer is sated."""
NEXT_TO_FREE = 1e-30
"""A free good is counted as costing this, relative to the dearest, to find what is bought beside it."""
MISSING = 1e-60
"""The quantity that stands for a missing good in the limit of value shares."""


class _Plan(NamedTuple):
    """Quantities of the formula's goods `(n, k)` and the marginal utility of money `(n,)`."""

    quantities: Array
    money: Array


@dataclass(frozen=True)
class FormulaUtility(Taste):
    """`u(x) = f(x)` for a strictly concave, increasing formula of `goods`, in the order of `formula.variables`.

    `goods` are indices into the `count` goods of the economy. Demand solves `f_i = mu p_i` (`<=` where none is bought),
    `p.x = m`. Who is sated, to rounding, keeps the rest of its income. All consumers have the same taste.

    There is no closed dual: the judges take what the market plans, and verify it. `surplus` is the indirect utility,
    whose gradient is `-mu x`.
    """

    formula: Formula
    goods: tuple[int, ...]
    count: int

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return np.isin(np.arange(self.count), self.goods)

    def demand(self, prices: Array, income: Array) -> Array:
        return self._spread(self._maximise(prices, income).quantities)

    @property
    def _kinked(self) -> bool:
        return self.formula.has_kinks

    def marginal_utility(self, quantities: Array) -> Array:
        # A good that counts as none may be had in as small a quantity as this.
        some = np.maximum(quantities[..., list(self.goods)], SMALLEST)
        return self._spread(self.formula.gradient(some))

    def _blur(self, quantities: Array, cost: Array) -> float:
        return 0.0

    def _maximise(self, prices: Array, income: Array) -> _Plan:
        # Everybody has one taste: those with one income want the same.
        incomes, place = np.unique(income, return_inverse=True)
        with np.errstate(all="ignore"):
            plan = _maximise(self.formula, prices[list(self.goods)], incomes)
        return _Plan(plan.quantities[place], plan.money[place])

    def _spread(self, quantities: Array) -> Array:
        """`(n, k)` over the formula's goods to `(n, goods)`."""
        bundle = np.zeros((len(quantities), self.count))
        bundle[:, list(self.goods)] = quantities
        return bundle

    def spending(self, prices: Array, income: Array) -> Array:
        return _cost(prices[list(self.goods)], self._maximise(prices, income).quantities)

    def surplus(self, prices: Array, income: Array) -> Array:
        return self.formula.value(self._maximise(prices, income).quantities)

    def jacobian(self, prices: Array, income: Array, income_slope: Array) -> Array:
        """By the implicit function theorem, from the first-order conditions of the goods bought: with `K` the inverse
        Hessian and `q = K p`, `dx/dm = q / p.q` and `dx/dp = mu (K - q q' / p.q) - dx/dm x'`.
        """
        own = np.array(self.goods, dtype=np.intp)
        quantities, money = self._maximise(prices, income)
        with np.errstate(all="ignore"):
            inverse, steps = _curvature(self.formula, prices[own], quantities)
            width = steps @ prices[own]
            sated = ~(width < 0) | (_cost(prices[own], quantities) < income * (1.0 - SPENT))
            by_income = np.where(sated[:, None], 0.0, steps / width[:, None])
            by_price = money[:, None, None] * (inverse - by_income[:, :, None] * steps[:, None, :])
        jacobian = np.zeros((self.count, self.count))
        jacobian[np.ix_(own, own)] = by_price.sum(axis=0)
        return jacobian + outer_sum(self._spread(by_income), income_slope - self._spread(quantities))

    def utility(self, quantities: Array, paid: Array) -> Array:
        return self.formula.value(quantities[..., list(self.goods)])

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        """In proportion to `f_i x_i`, of a missing good in the limit; equal parts where that says nothing."""
        used = np.maximum(quantities[..., list(self.goods)], MISSING)
        with np.errstate(all="ignore"):
            parts = self.formula.gradient(used) * used
            parts = np.where(parts > 0, parts, 0.0)
            boundless = np.isinf(parts)
            parts = np.where(boundless.any(axis=-1, keepdims=True), boundless.astype(float), parts)
            total = parts.sum(axis=-1, keepdims=True)
            return self._spread(np.where(total > 0, parts / total, 1.0 / len(self.goods)))

    def worth(self, quantities: Array, prices: Array, income: Array) -> Array:
        """`grad f . x / mu`; to the sated, for whom `mu` is nothing, what they planned to spend."""
        plan = self._maximise(prices, income)
        used, planned = quantities[..., list(self.goods)], _cost(prices[list(self.goods)], plan.quantities)
        with np.errstate(all="ignore"):
            slopes = self.formula.gradient(used)
            worth = np.where(used > 0, slopes * used, 0.0).sum(axis=-1) / plan.money
        return np.where(np.isfinite(worth), worth, planned)


def unfit(formula: Formula, scale: float = 1.0) -> str | None:
    """Why a formula is no utility (not strictly concave, undefined or falling at some quantities), None if it is one.

    Looked for over six decades either side of `scale` (quantity per tick), unless proven.
    """
    verdict = judge(formula, scale)
    if not verdict.strictly_concave:
        same = f"ln({formula.text.strip()})"
        expected = "expected a strictly concave utility"
        said = re.sub(r"^constant returns to scale", "concave at best, not strictly concave", verdict.sentence)
        said = re.sub(r"^increasing returns to scale", "not concave", said)
        if judge(parse(same), scale).strictly_concave:
            return f"{said}; {expected}, such as the same preferences by ln; did you mean {same}?"
        return f"{said}; {expected}, such as a sum of ln or sqrt (money that is no good: quasilinear)"
    generator = np.random.default_rng(0)
    decades = np.linspace(-DECADES, DECADES, 2 * DECADES + 1)
    equal = np.repeat(decades[:, None], len(formula.variables), axis=1)
    points = np.concatenate([equal, generator.uniform(-DECADES, DECADES, (1000, len(formula.variables)))])
    points = scale * np.power(10.0, points, dtype=np.float64)
    slopes = formula.gradient(points)
    noise = 1e-13 * np.abs(points * slopes).sum(axis=-1, keepdims=True)
    for found, what in ((np.isnan(slopes), "not a number"), (points * slopes < -noise, "falls in {}")):
        if found.any():
            # The case nearest the scale is the easiest to see.
            distance = np.abs(np.log(points / scale)).sum(axis=-1)
            worst = int(np.argmin(np.where(found.any(axis=-1), distance, np.inf)))
            where = ", ".join(f"{a} = {x:.4g}" for a, x in zip(formula.variables, points[worst], strict=True))
            name = formula.variables[int(np.argmax(found[worst]))]
            return f"{what.format(name)} at {where}; expected a utility that rises in every good at all quantities"
    return None


def _cost(prices: Array, quantities: Array) -> Array:
    """`p.x`, `(n,)`, where free goods cost nothing however much is had of them."""
    return np.einsum("ag,g->a", np.where(prices > 0, quantities, 0.0), prices)


def _curvature(formula: Formula, prices: Array, quantities: Array) -> tuple[Array, Array]:
    """The inverse Hessian `K` `(n, k, k)` on the goods bought in finite amounts, 0 elsewhere, and `K p` `(n, k)`."""
    bought = (quantities > 0) & np.isfinite(quantities)
    pairs = bought[:, :, None] & bought[:, None, :]
    hessian = np.where(pairs, formula.hessian(quantities), -np.eye(quantities.shape[1]))
    usable = np.isfinite(hessian).all(axis=(-2, -1))
    # In units in which its diagonal is 1 the Hessian of very unlike quantities is inverted safely.
    unit = 1.0 / np.sqrt(np.abs(np.einsum("aii->ai", hessian)))
    whitened = hessian * unit[:, :, None] * unit[:, None, :]
    usable &= np.isfinite(whitened).all(axis=(-2, -1))
    one = np.eye(quantities.shape[1])
    # Rounding can make a Hessian singular that is not.
    inverse = np.linalg.inv(np.where(usable[:, None, None], whitened, -one) - 1e-14 * one)
    inverse = np.where(pairs & usable[:, None, None], inverse * unit[:, :, None] * unit[:, None, :], 0.0)
    return inverse, np.einsum("aij,j->ai", inverse, prices)


def _maximise(formula: Formula, prices: Array, incomes: Array) -> _Plan:
    """The best bundles at incomes `(n,)` and prices `(k,)` of the formula's goods."""
    free = ~(prices > 0)
    if free.all():
        return _Plan(np.full((len(incomes), len(prices)), np.inf), np.zeros(len(incomes)))
    search = _Search(formula, np.where(free, NEXT_TO_FREE * prices.max(), prices), incomes)
    for _ in range(200):
        if not search.rows.size:
            break
        search.sweep()
    # Whatever rounding did to the search, nobody spends more than there is.
    quantities = np.where(np.isfinite(search.quantities.max(axis=-1, keepdims=True)), search.quantities, search.cheap)
    cost = np.maximum(np.sum(search.prices * quantities, axis=-1), incomes)
    quantities = np.where((incomes > 0)[:, None], quantities * (incomes / cost)[:, None], 0.0)
    if free.any():
        harmful = formula.gradient(np.where(free, 1e3 * quantities, quantities)) < 0
        quantities = np.where(free & ~harmful, np.inf, quantities)
    return _Plan(quantities, np.where(incomes > 0, search.money, np.inf))


class _Search:
    """The marginal utility of money at which the best bundle costs the income, by Newton's method on `ln p.x` as a
    function of `ln mu` inside the bracket found so far; `rows` are those still searching.
    """

    def __init__(self, formula: Formula, prices: Array, incomes: Array) -> None:
        self.formula, self.prices, self.incomes = formula, prices, incomes
        self.rows = np.flatnonzero(incomes > 0)
        self.quantities = np.maximum(incomes, 1e-300)[:, None] / (len(prices) * prices)
        worth = np.sum(formula.gradient(self.quantities) * self.quantities, axis=-1)
        guess = np.log(worth / incomes)
        self.log_money = np.where(np.abs(guess) < 100.0, guess, 0.0)
        self.money = np.exp(self.log_money)
        self.low, self.high = np.full(len(incomes), -np.inf), np.full(len(incomes), np.inf)
        self.dear, self.cheap = np.zeros(self.quantities.shape), np.zeros(self.quantities.shape)
        self.stride, self.gap = np.ones(len(incomes)), np.full(len(incomes), np.inf)

    def sweep(self) -> None:
        """One step of every row still searching."""
        rows = self.rows
        log_money, income = self.log_money[rows], self.incomes[rows]
        money = np.exp(log_money)
        quantities = many_inputs(self.formula, 1.0 / money, self.prices, self.quantities[rows])
        spent = np.sum(self.prices * quantities, axis=-1)
        _, steps = _curvature(self.formula, self.prices, quantities)
        width = steps @ self.prices
        gap = np.log(spent / income)
        low, high = self._narrow(gap > 0, log_money, quantities)

        newton = -gap * spent / (money * width)
        following = log_money + newton
        # Newton's steps must halve inside a bracket; on the way to one they may double, if they halve the gap.
        bracketed, stride = np.isfinite(low) & np.isfinite(high), self.stride[rows]
        trusted = (following > low) & (following < high) & (np.abs(newton) <= np.where(bracketed, 0.5, 2.0) * stride)
        trusted &= bracketed | (np.abs(gap) <= 0.5 * np.abs(self.gap[rows]))
        self.gap[rows] = gap
        blind = log_money + np.where(gap > 0, 2.0, -2.0) * stride
        following = np.where(trusted, following, np.where(bracketed, 0.5 * (low + high), blind))
        self.stride[rows] = np.abs(following - log_money)

        sated = (gap < 0) & (log_money <= SATED_LOG)
        stuck = high - low <= NARROW * (1.0 + np.abs(log_money))
        arrived = np.abs(gap) <= SPENT
        missing = np.where(arrived & (width < 0), (income - spent) / width, 0.0)
        arriving = np.maximum(quantities + steps * missing[:, None], 0.0)
        ahead = np.clip((money * (following - log_money))[:, None] * steps / quantities, -1.0, 1.0)
        onward = np.where(quantities > 0, quantities * np.exp(ahead), 0.0)
        found = np.where(stuck[:, None], self._between(), np.where(sated[:, None], quantities, onward))
        self.quantities[rows] = np.where(arrived[:, None], arriving, found)
        self.money[rows] = np.where(sated, 0.0, money + missing)
        self.log_money[rows] = np.maximum(following, SATED_LOG)
        self.rows = rows[~(arrived | stuck | sated)]

    def _narrow(self, too_dear: NDArray[np.bool_], log_money: Array, quantities: Array) -> tuple[Array, Array]:
        """The brackets, of which one end is moved to where the bundles `quantities` are wanted."""
        rows, dear = self.rows, too_dear[:, None]
        self.dear[rows] = np.where(dear, quantities, self.dear[rows])
        self.cheap[rows] = np.where(dear, self.cheap[rows], quantities)
        self.low[rows] = np.where(too_dear, log_money, self.low[rows])
        self.high[rows] = np.where(too_dear, self.high[rows], log_money)
        return self.low[rows], self.high[rows]

    def _between(self) -> Array:
        """Bundles that cost the income where the ends of a bracket are so near one another that the formula is straight
        to rounding between what is wanted there.

        Any mixture of the two is as good; if one is without end, all that is left goes to the good where it does most.
        """
        rows = self.rows
        cheap, dear = self.cheap[rows], self.dear[rows]
        left, span = (self.incomes[rows] - np.sum(self.prices * cheap, axis=-1))[:, None], dear - cheap
        mixed = cheap + span * left / np.sum(self.prices * span, axis=-1, keepdims=True)
        endless = np.isinf(dear.max(axis=-1))
        if not endless.any():
            return mixed
        each = cheap[:, None, :] + np.eye(len(self.prices)) * (left / self.prices)[:, None, :]
        most = np.argmax(self.formula.value(each), axis=-1)
        return np.where(endless[:, None], each[np.arange(len(rows)), most], mixed)
