"""The planner's linear programme, and its multipliers: what prices have to be where everything is linear.

    max c.v   over plans v >= 0 with   A v <= e,            its multipliers p >= 0 with   p A >= c

Plans are levels of activities, what consumers get, and what is sold abroad; resources `e` are supplies and endowments.
The multiplier of a good is the gain from one more unit of it. The objective is money where all is done for outside
prices, else what consumers get who are all alike: bundles in fixed proportions, or goods of linear value. A unit of it
costs 1; prices of a market are compared once they are divided by what a unit costs there. A planner knows no prices:
where one is held, or capped, what the market makes of it falls short of the optimum. Solved by HiGHS.
Source: Kantorovich (1939); Dorfman, Samuelson and Solow (1958).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.economy import Economy
from simulator.economics.forms import Array, Leontief
from simulator.economics.linear import Linear
from simulator.economics.market_plans import MarketPlans
from simulator.economics.taste import Taste
from simulator.economics.utility import Homothetic

ALIKE = 1e-12
"""Amounts that differ by no more, relatively, are the same."""
SOME = 1e-9
"""So small a part of what there is of a good, or of what an activity earns, is nothing."""
OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


class NoProgramError(Exception):
    """Why no linear programme tells what is best in an economy."""


class Objective(NamedTuple):
    """What is to be as large as possible: so many units of each of some `bundles` `(goods, kinds)`, a unit of each of
    which counts `values` `(kinds,)`; money from abroad, where there are none. `unit` says what 1 of it is.
    """

    unit: str
    values: Array
    bundles: Array

    def cost(self, prices: Array) -> float:
        """The least that a unit costs at `prices` `(goods,)`."""
        return float(np.min(prices @ self.bundles / self.values)) if len(self.values) else 1.0


@dataclass(frozen=True)
class Optimum:
    """The best there is: its `value`, activity `levels` `(levels,)`, how many of each of the `bundles` `(kinds,)`, and
    multipliers `prices` `(goods,)`; and from where to where levels and prices go if the optimum is not unique,
    `(levels, 2)` and `(goods, 2)`.
    """

    objective: Objective
    value: float
    levels: Array
    bundles: Array
    prices: Array
    level_ranges: Array
    price_ranges: Array

    def in_its_scale(self, prices: Array) -> Array:
        """A market's prices `(goods,)` where a unit of the objective costs 1."""
        return prices / self.objective.cost(prices)


class _Program(NamedTuple):
    """`max c.v` where `A v <= e`, in `equal` rows `A v = e`, and `v >= 0` but for what is `signless`."""

    c: Array
    matrix: Array
    e: Array
    equal: NDArray[np.bool_]
    signless: NDArray[np.bool_]


def optimum(economy: Economy) -> Optimum:
    """The best there is in an economy where all is linear. Raises `NoProgramError`, which says why, where it is not, or
    where there is no best.
    """
    objective, activities = _objective(economy), _activities(economy)
    program = _program(economy, objective, activities)
    v, p = _solved(program)
    plans, prices = _ranges(program, v, p)
    goods, levels = map(slice, activities.shape)
    bundles = v[levels.stop :][: len(objective.values)]
    return Optimum(objective, float(program.c @ v), v[levels], bundles, p[goods], plans[levels], prices[goods])


def value_at(economy: Economy, objective: Objective, plans: MarketPlans) -> float:
    """What the planner's objective is at an equilibrium of the market."""
    if len(objective.values):
        incomes = zip(economy.consumers, plans.incomes, strict=True)
        return float(sum(cohort.weight * income.sum() for cohort, income in incomes)) / objective.cost(plans.prices)
    sold = economy.total_supply + _activities(economy) @ plans.levels
    return float(economy.outside[economy.is_outside] @ sold[economy.is_outside])


def _activities(economy: Economy) -> Array:
    """Net outputs of a unit of each level, `(goods, levels)`. Raises `NoProgramError` where they are not fixed."""
    if not economy.user_prices.neutral:
        raise NoProgramError("buyers pay other prices than sellers get, and a planner has no taxes")
    for firm in economy.firms:
        technology: Any = firm.technology
        if not technology.constant_returns:
            raise NoProgramError(f"{firm.name} has decreasing returns: a unit of input makes less the more it makes")
        if not isinstance(technology.form, Leontief) and (technology.form.wanted.sum(axis=1) > 1).any():
            raise NoProgramError(f"inputs of {firm.name} replace each other, the less well the more is replaced")
        if firm.transformation is not None and firm.transformation.transformation > 0:
            raise NoProgramError(f"products of {firm.name} replace each other, the less well the more is replaced")
    closed = replace(economy, outside=np.full(len(economy.goods), np.nan))
    return closed.net_outputs(closed.balance(np.ones(len(economy.goods))))


def _objective(economy: Economy) -> Objective:
    """What everybody wants: bundles that all consumers want in the same proportions, or money where there are none."""
    goods, first = len(economy.goods), ""
    fixed, wanted = False, np.zeros((1, goods))
    for cohort in economy.consumers:
        found, table = _wants(cohort.name, cohort.utility)
        parts = table / table.sum(axis=1, keepdims=True)
        if not first:
            first, fixed, wanted = cohort.name, found, table
        if found != fixed or not np.allclose(parts, wanted[0] / wanted[0].sum(), ALIKE, 0.0):
            raise NoProgramError(
                f"{first} and {cohort.name} want different things, which a planner would have to weigh"
            )
    places = np.flatnonzero(wanted[0])
    if not len(places):
        if not economy.is_outside.any():
            raise NoProgramError("nobody wants anything, so that no plan is better than another")
        return Objective("money", np.zeros(0), np.zeros((goods, 0)))
    if economy.is_outside.any() and economy.supply.any():
        unowned = economy.goods[int(np.flatnonzero(economy.supply)[0])]
        raise NoProgramError(f"nobody owns the supply of {unowned}, so that what it earns abroad buys nothing")
    unit = economy.goods[int(places[0])] if len(places) == 1 else f"utility of {first}"
    if fixed:
        return Objective(unit, np.ones(1), wanted[0][:, None])
    return Objective(unit, wanted[0][places], np.eye(goods)[:, places])


def _wants(name: str, taste: Taste) -> tuple[bool, Array]:
    """Whether consumers want goods in fixed proportions, and these, or else the values of goods, `(rows, goods)`."""
    if (form := taste.form if isinstance(taste, Homothetic) else None) is not None:
        if (form.wanted.sum(axis=1) == 1).all():
            return True, form.wanted.astype(float)
        if isinstance(form, Leontief):
            return True, form.coefficients
    if isinstance(taste, Linear):
        alone = bool((np.count_nonzero(taste.values, axis=1) == 1).all())
        return alone, (taste.values > 0).astype(float) if alone else taste.values
    raise NoProgramError(f"{name} gains less and less from more of a good, or counts goods against money")


def _program(economy: Economy, objective: Objective, activities: Array) -> _Program:
    """The programme over levels, bundles and sales abroad; who wants bundles has to pay for what comes from abroad."""
    abroad, (goods, levels) = economy.is_outside, activities.shape
    worth, sales = economy.outside[abroad], np.eye(goods)[:, abroad]
    matrix, e, c = np.hstack([-activities, objective.bundles, sales]), economy.total_supply, np.zeros(levels)
    c = np.concatenate([c, objective.values, np.zeros(len(worth)) if len(objective.values) else worth])
    if len(objective.values) and len(worth):
        budget = sum(cohort.total(cohort.budget[:, None]).item() for cohort in economy.consumers)
        matrix = np.vstack([matrix, np.concatenate([np.zeros(len(c) - len(worth)), -worth])])
        e = np.append(e, budget)
    equal = np.append(abroad, np.zeros(len(e) - goods, dtype=bool))
    return _Program(c, matrix, e, equal, np.arange(len(c)) >= len(c) - len(worth))


def _solved(program: _Program) -> tuple[Array, Array]:
    """The best plans and the multipliers of all rows."""
    bounds = [(None if signless else 0.0, None) for signless in program.signless.tolist()]
    found = _linprog(-program.c, program.matrix, program.e, program.equal, bounds)
    if found.status == 2:
        raise NoProgramError("no plan meets all obligations")
    if found.status in (3, 4):
        raise NoProgramError("there is no best plan: its value has no bound")
    prices = np.empty(len(program.e))
    prices[program.equal], prices[~program.equal] = -found.eqlin.marginals, -found.ineqlin.marginals
    # Adding 0.0 turns -0.0 into 0.0.
    return found.x + 0.0, prices + 0.0


def _ranges(program: _Program, v: Array, p: Array) -> tuple[Array, Array]:
    """From where to where plans `(plans, 2)` and multipliers `(rows, 2)` go over all optima: those plans that go with
    the multipliers found, and the other way round (complementary slackness).
    """
    c, matrix, e, equal, signless = program
    terms, earned = np.abs(matrix * v), np.abs(matrix * p[:, None])
    slack, loss = e - matrix @ v, p @ matrix - c
    left = slack > SOME * (terms.sum(axis=1) + np.abs(e))
    loses = loss > SOME * (earned.sum(axis=0) + np.abs(c))
    done = signless | (terms > SOME * terms.sum(axis=1, keepdims=True)).any(axis=0)
    priced = equal | (earned > SOME * earned.sum(axis=0)).any(axis=1)
    plans, prices = np.stack([v, v], axis=1), np.stack([p, p], axis=1)
    # In an optimum where as many plans and slacks are in use as there are rows the multipliers are determined.
    if done.sum() + left.sum() < len(e):
        bounds = [(None if free else 0.0, 0.0 if zero else None) for free, zero in zip(equal, left, strict=True)]
        prices = _extent(prices, ~left, -matrix.T, -c, done, bounds)
    if (~loses).sum() + (~priced).sum() > done.sum() + left.sum():
        bounds = [(None if free else 0.0, 0.0 if zero else None) for free, zero in zip(signless, loses, strict=True)]
        plans = _extent(plans, ~loses, matrix, e, priced, bounds)
    return plans, prices


def _extent(
    found: Array, some: NDArray[np.bool_], matrix: Array, most: Array, equal: NDArray[np.bool_], bounds: list[Any]
) -> Array:
    """The least and the largest that each of `some` variables can be, `(variables, 2)`; as found, where no end is."""
    extent = found.copy()
    for place in np.flatnonzero(some):
        for side, sign in enumerate((1.0, -1.0)):
            answer = _linprog(sign * np.eye(len(some))[place], matrix, most, equal, bounds)
            extent[place, side] = answer.x[place] if answer.status == 0 else -sign * np.inf
    return extent


def _linprog(costs: Array, matrix: Array, most: Array, equal: NDArray[np.bool_], bounds: list[Any]) -> Any:
    from scipy.optimize import linprog

    rows = {"A_ub": matrix[~equal], "b_ub": most[~equal], "A_eq": matrix[equal], "b_eq": most[equal]}
    return linprog(costs, **rows, bounds=bounds, method="highs", options=OPTIONS)
