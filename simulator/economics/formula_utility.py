"""Tastes written as a formula: any strictly quasi-concave utility of goods, maximised on the budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.best_bundle import best_bundle
from simulator.economics.best_response import SMALLEST
from simulator.economics.forms import Array
from simulator.economics.means import outer_sum
from simulator.economics.taste import Taste
from simulator.formulas.concavity import nearest, place, sampled_inputs
from simulator.formulas.formula import Formula
from simulator.formulas.graph import Term
from simulator.formulas.prover import Prover
from simulator.formulas.quasiconcavity import judge_quasiconcavity

NEXT_TO_FREE = 1e-30
"""A free good is counted as costing this, relative to the dearest, to find what is bought beside it."""
LITTLE = 1e-30
"""An income, relative to the dearest price, at which slopes are those at none."""
MISSING = 1e-60
"""The quantity that stands for a missing good in the limit of value shares."""


class _Plan(NamedTuple):
    """Quantities of the formula's goods `(n, k)` and the marginal utility of money `(n,)`."""

    quantities: Array
    money: Array


@dataclass(frozen=True)
class FormulaUtility(Taste):
    """`u(x) = f(x)` for a strictly quasi-concave formula of `goods`, in the order of `formula.variables`.

    `goods` are indices into the `count` goods of the economy. Demand solves `f_i = mu p_i` (`<=` where none is bought),
    `p.x = m`: it is the same for any increasing transform of `f`. Who is sated (more does harm, or no good that numbers
    can tell) keeps the rest of its income, at `mu = 0`. All consumers have the same taste.

    There is no closed dual: the judges take what the market plans, and verify it. `surplus` is the indirect utility,
    whose gradient is `-mu x`.
    """

    formula: Formula
    goods: tuple[int, ...]
    count: int

    @cached_property
    def _core(self) -> Formula:
        """The formula without what only rises around it, which has no say in demand: `x*y` of `exp(x*y)`, too large for
        a number where `x*y` is not.
        """
        graph, facts, node = self.formula.output.graph, Prover(self.formula.output).facts, self.formula.output.node
        while True:
            inner = [each for each in graph.arguments[node] if facts[each].inputs]
            around = graph.operations[node] in ("exp", "ln", "sqrt", "tanh", "sigmoid", "softplus")
            if not around or len(inner) != 1:
                break
            (node,) = inner
        changed = node != self.formula.output.node
        return replace(self.formula, output=Term(graph, node)) if changed else self.formula

    @cached_property
    def _useful(self) -> NDArray[np.bool_]:
        """Which of the formula's goods change it, `(k,)`."""
        graph, moving = self.formula.output.graph, Prover(self.formula.output).output.inputs
        return np.array([graph.variable(name).node in moving for name in self.formula.variables])

    @property
    def wanted(self) -> NDArray[np.bool_]:
        return np.isin(np.arange(self.count), np.array(self.goods)[self._useful])

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
            plan = _maximise(self._core, prices[list(self.goods)], incomes, self._useful)
            if self._core is not self.formula:
                worth = self.formula.gradient(plan.quantities) * plan.quantities
                worth = np.where(plan.quantities > 0, worth, 0.0).sum(axis=-1)
                paid = (plan.money > 0) & (incomes > 0)
                plan = plan._replace(money=np.where(paid, worth / incomes, plan.money))
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
        """By the implicit function theorem, from the first-order conditions of the goods bought: the inverse of their
        bordered Hessian has `dx/dp + dx/dm x'` and `dx/dm` in it.
        """
        own = np.array(self.goods, dtype=np.intp)
        # Who has nothing would spend the first of it like one who has a little.
        quantities, money = self._maximise(prices, np.maximum(income, LITTLE * prices.max()))
        with np.errstate(all="ignore"):
            by_price, by_income = _slopes(self.formula, prices[own], quantities)
        sated = (money == 0)[:, None]
        jacobian = np.zeros((self.count, self.count))
        jacobian[np.ix_(own, own)] = np.where(sated[:, :, None], 0.0, by_price).sum(axis=0)
        by_income = self._spread(np.where(sated, 0.0, by_income))
        return jacobian + outer_sum(
            by_income, income_slope - self._spread(np.where(np.isfinite(quantities), quantities, 0.0))
        )

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
    """Why a formula is no utility (not strictly quasi-concave, undefined somewhere, never rising in a good), None if it
    is one.

    Looked for over six decades either side of `scale` (quantity per tick), unless proven.
    """
    verdict = judge_quasiconcavity(formula, scale)
    if not verdict.holds:
        kind = _kind_of(formula)
        return f"{verdict.sentence}; expected a strictly quasi-concave utility" + (
            f"; did you mean {{{kind}}}?" if kind else ", such as x*y or ln(x) + sqrt(y)"
        )
    points, _ = sampled_inputs(len(formula.variables), scale)
    slopes = formula.gradient(points)
    undefined = np.any(np.isnan(slopes), axis=-1)
    if undefined.any():
        where = place(formula, points[nearest(points, scale, undefined)])
        advice = "a consumer ranks all bundles; expected a number at all quantities (a least amount: stone_geary)"
        return f"not a number at {where}: {advice}"
    worth = points * slopes
    rises = (worth > 1e-13 * np.abs(worth).sum(axis=-1, keepdims=True)).any(axis=0)
    harmful = ~rises & (worth < 0).any(axis=0)
    if harmful.any():
        name = formula.variables[int(np.argmax(harmful))]
        return (
            f"never better with more {name}: nobody buys what does harm; expected a good, or a formula without {name}"
        )
    return None


def _kind_of(formula: Formula) -> str | None:
    """The kind that a formula writes of perfect substitutes or complements, if it does."""
    graph, facts = formula.output.graph, Prover(formula.output).facts
    names = {graph.variable(name).node: name for name in formula.variables}
    output = formula.output.node
    if facts[output].affine:
        kind, amounts = "linear", {names.get(node): each for node, each in facts[output].linear[1].items()}
    elif graph.operations[output] == "min":
        kind, amounts = "leontief", {}
        waiting = list(graph.arguments[output])
        while waiting:
            node = waiting.pop(0)
            if graph.operations[node] == "min":
                waiting = [*graph.arguments[node], *waiting]
                continue
            constant, atoms = facts[node].linear
            amounts |= {names.get(atom): 1.0 / each for atom, each in atoms.items()} if constant == 0 else {None: 0.0}
    else:
        return None
    if None in amounts or min(amounts.values(), default=0.0) <= 0:
        return None
    return f"{kind}: {{{', '.join(f'{name}: {each:g}' for name, each in amounts.items())}}}"


def _cost(prices: Array, quantities: Array) -> Array:
    """`p.x`, `(n,)`, where free goods cost nothing however much is had of them."""
    return np.einsum("ag,g->a", np.where(prices > 0, quantities, 0.0), prices)


def _slopes(formula: Formula, prices: Array, quantities: Array) -> tuple[Array, Array]:
    """`dx/dp` with utility held `(n, k, k)` and `dx/dm` `(n, k)`, of the goods bought in finite amounts."""
    bought = (quantities > 0) & np.isfinite(quantities) & (prices > 0)
    pairs = bought[:, :, None] & bought[:, None, :]
    amounts = np.where(bought, quantities, 0.0)
    spent = _cost(prices, amounts)[:, None]
    shares = amounts * prices / spent
    worth = np.where(bought, formula.gradient(quantities) * amounts, 0.0).sum(axis=-1)[:, None, None]
    bent = -formula.hessian(quantities) * amounts[:, :, None] * amounts[:, None, :] / worth
    # In units in which what is spent on each good counts as 1 the goods of very unlike shares are told apart.
    unit = np.sqrt(np.where(bought, shares, 1.0))
    units = unit[:, :, None] * unit[:, None, :]
    bent = np.where(pairs & np.isfinite(bent), bent / units, 0.0)
    count = quantities.shape[1]
    system = np.zeros((len(quantities), count + 1, count + 1))
    # Rounding can make a system singular that is not.
    system[:, :-1, :-1] = bent + units * pairs + (1e-14 + ~bought)[:, :, None] * np.eye(count)
    system[:, :-1, -1] = system[:, -1, :-1] = np.where(bought, unit, 0.0)
    system[~np.isfinite(system).all(axis=(-2, -1)) | ~bought.any(axis=-1)] = np.eye(count + 1)
    inverse = np.linalg.inv(system)
    by_price = -inverse[:, :-1, :-1] / units * amounts[:, :, None] * amounts[:, None, :] / spent[:, :, None]
    return np.where(pairs, by_price, 0.0), np.where(bought, inverse[:, :-1, -1] / unit * amounts / spent, 0.0)


def _maximise(formula: Formula, prices: Array, incomes: Array, useful: NDArray[np.bool_]) -> _Plan:
    """The best bundles at incomes `(n,)` and prices `(k,)` of the formula's goods, those that are `useful` `(k,)`."""
    free, poor = ~(prices > 0) & useful, ~(incomes > 0)
    dearest = 1.0 if free.all() else prices.max()
    paid = np.where(poor, 1.0, incomes)
    costs = np.where(prices > 0, prices, NEXT_TO_FREE * dearest)
    quantities, money = best_bundle(formula, costs, paid)
    if free.any():
        harmful = formula.gradient(np.where(free, 1e3 * quantities, quantities)) < 0
        quantities = np.where(free & ~harmful, np.inf, quantities)
    return _Plan(np.where((poor[:, None] & ~free) | ~useful, 0.0, quantities), np.where(poor, np.inf, money))
