"""What changes are worth in money: expenditure functions against integrals of demand, and the laws of variations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.house import (
    CES,
    Array,
    CobbDouglas,
    Consumers,
    FormulaUtility,
    Homothetic,
    Leontief,
    Linear,
    Nest,
    Quadratic,
    QuasiLinear,
    StoneGeary,
    StoneGearyWithCorners,
    Taste,
    money_metric,
    parse,
    same_taste,
    standing,
    variations,
)

ONE = np.ones(1)
SHARES = np.array([[0.5, 0.3, 0.2]])
OLD, NEW = np.array([1.0, 0.8, 1.5]), np.array([1.6, 0.7, 1.2])
FULL, EMPTY = np.array([30.0]), np.array([0.9])
TASTES: dict[str, tuple[Taste, Array]] = {
    "cobb_douglas": (Homothetic(CobbDouglas(SHARES)), FULL),
    "ces": (Homothetic(CES(np.array([2.5]), SHARES)), FULL),
    "complements": (Homothetic(CES(np.array([0.4]), SHARES)), FULL),
    "leontief": (Homothetic(Leontief(np.array([[1.0, 2.0, 0.5]]))), FULL),
    "nests": (
        Homothetic(Nest.of_shares(3, [0, Nest.of_shares(3, [1, 2], np.array([3.0]), np.array([[1.0, 2.0]]))],
                                  np.array([0.5]), np.array([[1.0, 2.0]]))),
        FULL,
    ),
    "stone_geary": (StoneGeary(CobbDouglas(SHARES), np.array([[2.0, 0.0, 1.0]])), FULL),
    "corners": (StoneGearyWithCorners(CobbDouglas(SHARES), np.array([[1.0, -0.5, -4.0]])), np.array([12.0])),
    "log": (QuasiLinear(np.array([[2.0, 1.0, 0.5]])), FULL),
    "log, poor": (QuasiLinear(np.array([[2.0, 1.0, 0.5]])), EMPTY),
    "power": (QuasiLinear(np.array([[2.0, 1.0, 0.5]]), np.array([2.0])), FULL),
    "power, poor": (QuasiLinear(np.array([[2.0, 1.0, 0.5]]), np.array([2.0])), EMPTY),
    "inelastic": (QuasiLinear(np.array([[2.0, 1.0, 0.5]]), np.array([0.5])), FULL),
    "inelastic, poor": (QuasiLinear(np.array([[2.0, 1.0, 0.5]]), np.array([0.5])), EMPTY),
    "quadratic": (Quadratic(np.array([[3.0, 2.0, 4.0]]), np.array([[1.0, 0.5, 2.0]])), FULL),
    "quadratic, poor": (Quadratic(np.array([[3.0, 2.0, 4.0]]), np.array([[1.0, 0.5, 2.0]])), EMPTY),
}  # fmt: skip


def utility_of(taste: Taste, prices: Array, income: Array) -> Array:
    """Indirect utility, with what is left of the money where that counts."""
    bundle, spent = taste.demand(prices, income), taste.spending(prices, income)
    return taste.utility(bundle, spent) + (0.0 if taste.needs_income else income)


def compensated(taste: Taste, income: Array) -> float:
    """`e(NEW, v(OLD, m))` by adding up what Hicksian demand costs more, `dm = x(p, m) dp`, from OLD to NEW."""
    from scipy.integrate import solve_ivp

    def slope(part: float, money: Array) -> Array:
        return taste.demand(OLD + part * (NEW - OLD), money) @ (NEW - OLD)

    return float(solve_ivp(slope, (0.0, 1.0), income, rtol=1e-10, atol=1e-12).y[0, -1])


@pytest.mark.parametrize("name", TASTES)
def test_expenditure_is_the_integral_of_compensated_demand(name: str) -> None:
    taste, income = TASTES[name]
    utility = utility_of(taste, OLD, income)
    np.testing.assert_allclose(taste.expenditure(OLD, utility), income, rtol=1e-12)
    np.testing.assert_allclose(taste.expenditure(NEW, utility)[0], compensated(taste, income), rtol=1e-6)


@pytest.mark.parametrize("name", TASTES)
def test_the_slope_of_expenditure_is_what_is_bought(name: str) -> None:
    """Shephard's lemma, at incomes from next to nothing to plenty."""
    taste, _ = TASTES[name]
    for money in (2.6, 5.0, 40.0) if name in ("stone_geary", "corners") else (0.01, 0.5, 3.0, 40.0):
        income = np.array([1.5 * money])
        utility = utility_of(taste, OLD, income)
        steps = 1e-6 * np.diag(OLD)
        found = [(taste.expenditure(OLD + h, utility) - taste.expenditure(OLD - h, utility))[0] for h in steps]
        np.testing.assert_allclose(found / (2e-6 * OLD), taste.demand(OLD, income)[0], rtol=1e-6, atol=1e-8)


def test_perfect_substitutes_cost_what_the_best_of_them_costs() -> None:
    taste = Linear(np.array([[1.0, 2.0, 0.0]]))
    np.testing.assert_allclose(taste.expenditure(OLD, np.array([5.0])), [5.0 * 0.4])


def test_what_has_no_formula_is_not_known() -> None:
    formula = FormulaUtility(parse("x*y + z"), (0, 1, 2), 3)
    assert np.isnan(formula.expenditure(OLD, np.array([2.0]))).all()
    starved = StoneGeary(CobbDouglas(SHARES), np.array([[2.0, 0.0, 1.0]]))
    assert np.isnan(starved.expenditure(OLD, np.zeros(1))).all()


def cohort(taste: Taste, budget: Any = 0.0, count: int = 1) -> Consumers:
    money = np.atleast_1d(np.asarray(budget, dtype=float))
    return Consumers("a", taste, np.zeros((1, 3)), money, np.zeros((1, 0)), count)


def stands(taste: Taste, prices: Array, income: Array) -> Any:
    who = cohort(taste, income)
    return standing(who, prices, income, lambda _, part, some: some.utility.demand(prices, income[part]))


@pytest.mark.parametrize("name", TASTES)
def test_laws_of_variations(name: str) -> None:
    taste, income = TASTES[name]
    pair = (cohort(taste, income),) * 2
    before, after = stands(taste, OLD, income), stands(taste, NEW, income)
    worth, back = variations(pair, before, after), variations(pair, after, before)
    assert np.sign(worth.equivalent) == np.sign(worth.compensating) == np.sign(after.utility - before.utility)
    # The way back is worth, at its new prices, what the way there is at its old ones.
    np.testing.assert_allclose(back.compensating, -worth.equivalent, rtol=1e-12)
    # More money at the same prices is worth just that.
    richer = variations(pair, before, stands(taste, OLD, income + 2.0))
    np.testing.assert_allclose(richer.equivalent, 2.0, rtol=1e-9)
    np.testing.assert_allclose(richer.compensating, 2.0, rtol=1e-9)
    if taste.needs_income:
        doubled = variations(pair, before, stands(taste, 2.0 * OLD, 2.0 * income))
        np.testing.assert_allclose(doubled.equivalent, 0.0, atol=1e-12 * income[0])
        assert np.isnan(worth.surplus).all()


@pytest.mark.parametrize("name", ["log", "power", "inelastic", "quadratic"])
@pytest.mark.parametrize("income", [FULL, np.array([np.inf])])
def test_of_quasi_linear_tastes_both_variations_are_the_change_of_surplus(name: str, income: Array) -> None:
    taste, _ = TASTES[name]
    who, own = cohort(taste, income), np.where(np.isinf(income), 4.0, income)
    old, new = (
        standing(who, prices, own, lambda *_, prices=prices: taste.demand(prices, income)) for prices in (OLD, NEW)
    )
    worth, expected = variations((who, who), old, new), taste.surplus(NEW, income) - taste.surplus(OLD, income)
    for found in worth:
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    richer = variations((who, who), old, new._replace(income=new.income + 1.5, utility=new.utility + 1.5))
    np.testing.assert_allclose(richer.equivalent, expected + 1.5, rtol=1e-9)
    np.testing.assert_allclose(richer.surplus, expected, rtol=1e-9)
    np.testing.assert_allclose(money_metric(who, OLD, old.utility), own, rtol=1e-12)


def test_tastes_are_the_same_by_their_numbers() -> None:
    one, other = (Homothetic(CES(np.array([s]), SHARES.copy())) for s in (2.0, 2.5))
    assert same_taste(one, Homothetic(CES(np.array([2.0]), SHARES.copy())))
    assert not same_taste(one, other)
    assert not same_taste(one, Linear(SHARES))
