"""Formulas with capacity, fixed proportions and substitutes: concave, with kinks and straight parts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import simulate
from tests.house import ConcaveTechnology, ScenarioError, has_best_plan, jumps, load, parse

KINKED = (
    "min(3, 2*a)",
    "sqrt(a) - max(0, a - 2)",
    "min(a, b)^0.5",
    "min(3, 2*a, b)",
    "min(3, 2*a + b)",
    "sqrt(a + b)",
    "min(3, 2*a^0.5*b^0.3)",
    "min(2*sqrt(a), b)^0.7",
    "ln(1 + min(a, 2*b)) + sqrt(b)",
    "5 - abs(a - 2) + min(3, b)",
    "min(a, min(b, 2*a) + 1)^0.4",
    "min(5, a) + min(3, 2*b) + sqrt(min(a, b))",
    "min(1 - exp(-a), sqrt(b))",
    "min(10, (a^-1 + b^-1)^-0.6)",
)
LOGS = st.floats(-3, 3).map(lambda x: round(x, 3) + 1e-4 * np.pi)


@cache
def technology(formula: str) -> ConcaveTechnology:
    return ConcaveTechnology(parse(formula))


@given(st.sampled_from(KINKED), LOGS, st.lists(LOGS, min_size=2, max_size=2), st.lists(LOGS, min_size=2, max_size=2))
def test_no_other_plan_earns_more(formula: str, price: float, costs: list[float], last: list[float]) -> None:
    firm = technology(formula)
    count = len(firm.formula.variables)
    p, w, guess = 1.0123 * np.exp(price), np.exp(costs[:count]) * [1.0, 1.0391][:count], np.exp(last[:count])[None]
    plan = firm.best_response(p, list(w), guess)

    def profit(inputs: Any) -> Any:
        return p * firm.formula.value(inputs) - inputs @ w

    best = plan.inputs[0]
    draws = np.random.default_rng(0)
    others = [np.exp(draws.normal(0, 3, (500, count)))]
    others += [best * np.exp(size * draws.normal(size=(50, count))) for size in (1e-6, 1e-3, 0.1, 1.0)]
    turnover = p * np.abs(plan.output[0]) + best @ w + 1e-12
    assert plan.output[0] == pytest.approx(firm.formula.value(best))
    assert np.nanmax(profit(np.concatenate(others))) <= profit(best) + 1e-9 * turnover
    # A subgradient of the formula lies in the prices, and the last plan does not matter.
    assert firm.single_input or firm.plan_residual(p, w, plan) < 1e-6
    again = firm.best_response(p, list(w), np.ones((1, count)))
    np.testing.assert_allclose(again.inputs, plan.inputs, rtol=1e-6, atol=1e-9)
    profits, judged = firm.profit(p, list(w), guess)
    assert profits[0] == pytest.approx(profit(best), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(judged.inputs, plan.inputs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("formula", ["min(3, 2*a^0.5*b^0.3)", "ln(1 + min(a, 2*b)) + sqrt(b)", "min(a, b)^0.5"])
@given(LOGS, LOGS, LOGS)
def test_slopes_of_plans_are_those_of_profit(formula: str, price: float, first: float, second: float) -> None:
    firm = replace(technology(formula), count=5, productivity=np.array([1.3]))
    prices = np.exp([price, first, second]) * [1.0123, 1.0, 1.0391]

    def plan(at: Any) -> Any:
        _, found = firm.profit(at[0], list(at[1:]), np.ones((1, 2)))
        return np.append(found.output, -found.inputs[0])

    there = plan(prices)
    slope = firm.supply_slope(prices[0], prices[1:], -there[None, 1:])[0]
    steps = 1e-6 * np.diag(prices)
    by_differences = np.stack([(plan(prices + e) - plan(prices - e)) / (2 * e.max()) for e in steps], axis=1)
    size_of = np.abs(there).max() / prices.min()
    np.testing.assert_allclose(slope, by_differences, atol=1e-4 * size_of)
    np.testing.assert_allclose(slope, slope.T, atol=1e-9 * size_of)


@pytest.mark.parametrize(
    ("formula", "leaps"),
    [("min(3, 2*a)", True), ("min(3, 2*sqrt(a))", False), ("2*min(3, sqrt(a)) + 1", False), ("sqrt(a + b)", True)],
)
def test_plans_leap_where_a_formula_is_straight(formula: str, leaps: bool) -> None:
    assert jumps(parse(formula).output) is leaps


def test_a_firm_takes_the_least_of_what_is_free_or_costs_what_it_earns() -> None:
    firm, none = technology("min(3, 2*a)"), np.ones((1, 1))
    for at, used in ((0.0, 1.5), (1e-12, 1.5), (1.9, 1.5), (2.0, 0.0), (2.1, 0.0)):
        assert firm.best_response(1.0, [at], none).inputs[0, 0] == pytest.approx(used)
        assert firm.profit(1.0, [at], none)[1].inputs[0, 0] == pytest.approx(used)
    beside = technology("min(3, 2*a) + sqrt(b)")
    np.testing.assert_allclose(beside.best_response(1.0, [0.0, 1.0], np.ones((1, 2))).inputs, [[1.5, 0.25]])
    assert beside.best_response(1.0, [1.0, 0.0], np.ones((1, 2))).inputs[0, 1] == np.inf
    full = np.array([[1.5]])
    for at in (0.0, 0.7, 2.0):
        assert firm.nearest_product(np.array(1.0), full, np.array([at]))[0, 0] == pytest.approx(at)
    assert firm.nearest_product(np.array(1.0), full, np.array([3.0]))[0, 0] == pytest.approx(2.0)
    assert firm.supply_slope(1.0, np.array([0.7]), full) == pytest.approx(0.0, abs=1e-12)


CAPACITY: dict[str, Any] = {
    "name": "full_capacity",
    "goods": ["fuel", "power"],
    "outside": {"power": 1},
    "supply": {"fuel": 4},
    "firms": [{"name": "plant", "makes": "power = min(3, 2*fuel)"}],
}


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_a_plant_at_full_capacity_leaves_fuel_free(trade: str) -> None:
    run = simulate({**CAPACITY, "trade": trade})
    last = run.trajectory.groupby("good").last()
    assert run.summary["outcome"] == "cleared"
    assert last.demand["fuel"] == pytest.approx(1.5)
    assert last.price["fuel"] < 1e-9
    assert last.demand["power"] == pytest.approx(3)
    if trade == "every_tick":
        assert last.bid["fuel"] == pytest.approx(last.price["fuel"])


def test_scarce_fuel_is_worth_what_it_makes() -> None:
    scarce = {**CAPACITY, "supply": {"fuel": 1}, "run": {"ticks": 1500}}
    run = simulate(scarce, settings={"scheduler.rate": 0.01})
    assert run.prices["fuel"].iloc[-300:].mean() == pytest.approx(2.0, rel=0.01)


def test_a_plant_of_two_inputs_is_paid_its_worth() -> None:
    """At full capacity prices of fuel and labour keep the proportions of their worth; scarce power brings them all."""
    data: dict[str, Any] = {
        "goods": ["fuel", "labour", "power"],
        "supply": {"fuel": 4, "labour": 1},
        "firms": [{"name": "plant", "makes": "power = min(2, 2*fuel^0.5*labour^0.3)"}],
        "consumers": [{"name": "town", "budget": 4, "utility": {"cobb_douglas": {"power": 1, "labour": 1}}}],
        "trade": "at_equilibrium",
    }
    run = simulate(data)
    last = run.trajectory.groupby("good").last()
    assert run.summary["outcome"] == "cleared"
    assert last.supply["power"] == pytest.approx(2, rel=1e-5)
    assert last.price["power"] == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("2*a", "profit has no maximum"),
        ("min(2*a, b)", "profit has no maximum"),
        ("min(3 + a, 2*a)", "never fall to 0: profit has no maximum"),
        ("min(3, 2*a) + b", "profit has no maximum"),
        ("relu(a - 1)^0.5", "makes less than at both on average: a price taker's plan leaps"),
        ("max(a^0.5, b^0.5)", "makes less than at both on average: a price taker's plan leaps"),
        ("a^2/(1 + a^2)", "a price taker's plan leaps"),
    ],
)
def test_what_no_price_taker_has_a_plan_for_is_refused(formula: str, why: str) -> None:
    data = {**CAPACITY, "goods": ["a", "b", "power"], "supply": {"a": 4, "b": 1}}
    assert not has_best_plan(parse(formula))
    with pytest.raises(ScenarioError, match=why):
        load({**data, "firms": [{"name": "plant", "makes": f"power = {formula}"}]})
