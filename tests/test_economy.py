"""The judges' economy against straight-down arithmetic: what is wanted in total, and how that answers to prices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house import (
    Economy,
    Merit,
    SpendingPotential,
    WealthPotential,
    load,
    reference,
    relative_excess_demand,
)

GOODS = ["a", "b", "c", "d"]


@st.composite
def utilities(draw: st.DrawFn) -> dict[str, Any]:
    weights = {good: draw(st.floats(0.2, 2)) for good in GOODS[: draw(st.integers(2, 3))]}
    kind = draw(st.sampled_from(["cobb_douglas", "ces", "leontief", "quasilinear"]))
    if kind == "ces":
        return {"ces": {"elasticity": draw(st.floats(0.2, 4)), "shares": weights}}
    return {"quasilinear": {"log": weights}} if kind == "quasilinear" else {kind: weights}


@st.composite
def economies(draw: st.DrawFn) -> dict[str, Any]:
    """Two firms, owned in part, and a few consumers with all sources of income; one good may be traded outside."""
    number = st.floats(0.3, 3)
    consumers: list[dict[str, Any]] = []
    for i in range(draw(st.integers(1, 3))):
        consumer: dict[str, Any] = {"name": f"h{i}", "utility": draw(utilities())}
        consumer["endowment"] = {draw(st.sampled_from(GOODS)): draw(number)}
        if draw(st.booleans()):
            consumer["budget"] = draw(number)
        if draw(st.booleans()):
            consumer["owns"] = {"f": 0.25, "g": 0.3}
        consumers.append(consumer)
    return {
        "goods": GOODS,
        "supply": {"a": draw(number)},
        "outside": {"d": draw(number)} if draw(st.booleans()) else {},
        "firms": [
            {"name": "f", "makes": f"b = {draw(number)}*a^0.3*c^0.4"},
            {"name": "g", "makes": f"d = {draw(number)}*ln(1 + b) + sqrt(a)"},
        ],
        "consumers": consumers,
    }


def prices_of(economy: Economy, seed: int) -> np.ndarray:
    prices = np.exp(np.random.default_rng(seed).normal(0, 0.5, len(economy.goods)))
    return np.where(economy.is_outside, economy.outside, prices)


@given(economies(), st.integers(0, 99))
def test_the_jacobian_is_the_slope_of_excess_demand(data: dict[str, Any], seed: int) -> None:
    economy = load(data).economy
    prices = prices_of(economy, seed)
    balance = economy.balance(prices)
    jacobian = economy.jacobian(balance)
    h = 1e-6
    for good in range(len(GOODS)):
        up, down = (economy.balance(prices + s * h * np.eye(4)[good], balance.inputs) for s in (1, -1))
        slope = (up.excess_demand - down.excess_demand) / (2 * h)
        np.testing.assert_allclose(jacobian[:, good], slope, rtol=2e-4, atol=2e-5 * np.abs(jacobian).max())


@given(economies(), st.integers(0, 99))
def test_walras(data: dict[str, Any], seed: int) -> None:
    economy = load(data).economy
    prices = prices_of(economy, seed)
    balance = economy.balance(prices)
    spent = sum(
        float(cohort.utility.spending(prices, income).sum())
        for cohort, income in zip(economy.consumers, balance.incomes, strict=True)
    )
    assert prices @ balance.consumption.sum(axis=0) == pytest.approx(spent, rel=1e-12)
    inside = np.where(economy.is_outside, 0.0, prices)
    own = (
        balance.consumption.sum(axis=0)
        + economy.over_edges(balance.inputs)
        - economy.made(balance.outputs, economy.outlet_yield)
    )
    value = spent - balance.profits.sum() - prices @ economy.total_supply
    value -= np.where(economy.is_outside, prices, 0.0) @ (own - economy.total_supply)
    assert inside @ balance.excess_demand == pytest.approx(value, rel=1e-9, abs=1e-9 * (prices @ balance.scale))


@given(economies(), st.integers(0, 99), st.floats(0.1, 10))
def test_only_relative_prices_matter_where_it_says_so(data: dict[str, Any], seed: int, level: float) -> None:
    economy = load(data).economy
    prices = prices_of(economy, seed)
    one, other = economy.balance(prices).excess_demand, economy.balance(level * prices).excess_demand
    if economy.homogeneous:
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
    money = any(consumer.get("budget") or "quasilinear" in consumer["utility"] for consumer in data["consumers"])
    assert economy.homogeneous == (not money and not data["outside"])


@pytest.mark.parametrize(
    ("consumers", "kind"),
    [
        ([], SpendingPotential),
        ([{"budget": 1, "utility": {"leontief": {"a": 1, "b": 1}}}], SpendingPotential),
        ([{"utility": {"quasilinear": {"log": {"a": 1, "b": 1}}}, "endowment": {"a": 1}}], SpendingPotential),
        ([{"utility": {"cobb_douglas": {"a": 1, "b": 1}}, "endowment": {"a": e}} for e in (1, 2)], WealthPotential),
        (
            [
                {"utility": {"cobb_douglas": {"a": 1, "b": 1}}, "endowment": {"a": 1, "b": 2}},
                {"utility": {"leontief": {"a": 1, "b": 3}}, "endowment": {"a": 2, "b": 4}},
            ],
            WealthPotential,
        ),
        (
            [
                {"utility": {"cobb_douglas": {"a": 1, "b": 1}}, "endowment": {"a": 1}},
                {"utility": {"cobb_douglas": {"a": 1, "b": 2}}, "endowment": {"b": 1}},
            ],
            Merit,
        ),
    ],
)
def test_the_right_function_is_descended(consumers: list[dict[str, Any]], kind: type) -> None:
    named = [{"name": f"h{i}", **consumer} for i, consumer in enumerate(consumers)]
    alone = all("endowment" in consumer and "quasilinear" not in consumer["utility"] for consumer in named) and named
    data: dict[str, Any] = {"goods": ["a", "b", "c"], "consumers": named}
    if not alone:
        data |= {"supply": {"a": 1, "b": 1}, "outside": {"c": 1}, "firms": [{"name": "f", "makes": "c = sqrt(a)"}]}
    economy = load(data).economy
    function = reference(economy)
    assert type(function) is kind
    if kind is Merit:
        return
    prices = np.where(economy.is_outside, economy.outside, [0.7, 1.9, 1.0])
    signal, wealth, h = function.descent(prices, economy.first_guess()).signal, 1.0, 1e-6
    if kind is WealthPotential:
        wealth = sum(float(income.sum()) for income in economy.balance(prices).incomes)
    for good in np.flatnonzero(~economy.is_outside):
        up, down = (function.value(economy.balance(prices + s * h * np.eye(3)[good])) for s in (1, -1))
        assert signal[good] == pytest.approx(-wealth * (up - down) / (2 * h), rel=1e-7, abs=1e-8)


@given(st.integers(0, 99))
def test_the_gradient_of_the_merit(seed: int) -> None:
    data = {
        "goods": ["a", "b", "c"],
        "consumers": [
            {"name": "h", "utility": {"ces": {"elasticity": 0.5, "shares": {"a": 1, "b": 2}}}, "endowment": {"c": 1}},
            {"name": "i", "utility": {"cobb_douglas": {"b": 1, "c": 1}}, "endowment": {"a": 1, "b": 1}},
        ],
    }
    economy = load(data).economy
    prices = prices_of(economy, seed)
    balance = economy.balance(prices)
    function = Merit(economy)
    value, gradient = function.value(balance), -function.signal(balance, economy.jacobian(balance))

    def frozen(at: np.ndarray) -> float:
        excess = economy.balance(at).excess_demand
        return float(np.sum(at * excess**2 / balance.scale) / (2 * at @ balance.scale))

    assert value == pytest.approx(frozen(prices), rel=1e-12)
    h = 1e-6
    slope = [(frozen(prices + h * e) - frozen(prices - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(gradient / (prices @ balance.scale), slope, rtol=1e-5, atol=1e-8)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.floats(0.01, 5), st.booleans()), min_size=1, max_size=6),
    st.floats(0.1, 10),
)
def test_relative_excess_demand_is_its_definition_in_any_units(
    rows: list[tuple[float, float, float, bool]], unit: float
) -> None:
    demand, supply, prices = (np.array([row[i] for row in rows]) for i in range(3))
    free = np.array([row[3] for row in rows])
    scale, excess = np.maximum(demand, supply), demand - supply
    worth = float(prices @ scale)
    plain = 0.0
    for z, s, p, may_move in zip(excess, scale, prices, free, strict=True):
        if may_move and s > 0:
            plain = max(plain, z / s, p * abs(z) / worth)
    assert relative_excess_demand(excess, scale, prices, free) == pytest.approx(plain, rel=1e-12)
    assert relative_excess_demand(excess * unit, scale * unit, prices / unit, free) == pytest.approx(plain, rel=1e-12)


def test_a_free_good_may_lie_about_but_not_be_short() -> None:
    free = np.array([True, True])
    prices, scale = np.array([1.0, 0.0]), np.array([1.0, 5.0])
    assert relative_excess_demand(np.array([0.0, -5.0]), scale, prices, free) == 0
    assert relative_excess_demand(np.array([0.0, 5.0]), scale, prices, free) == 1
