"""Constant returns: the cheapest inputs for a level by two roads; benchmarks; what a unit of output becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house import (
    CES,
    CET,
    CobbDouglas,
    ConstantReturns,
    Form,
    HomotheticTechnology,
    Leontief,
    Nest,
    calibrated,
    emitted,
    plain,
)

Array = np.ndarray
seeds = st.integers(0, 2**32 - 1)
KINDS = pytest.mark.parametrize("kind", ["power", "cobb_douglas", "ces", "leontief", "nest", "calibrated"])
ELASTICITIES = [0.0, 0.3, 1.0, 2.5]
TRANSFORMATIONS = [0.0, 0.4, 1.0, 3.0, 40.0]


def form_of(kind: str, rows: int, stream: np.random.Generator) -> Form:
    parameters = np.exp(stream.normal(0, 1, (rows, 1 if kind == "power" else 3)))
    if kind == "ces":
        return CES(np.exp(stream.uniform(-1.5, 1.5, rows)), parameters)
    if kind == "leontief":
        return Leontief(parameters)
    if kind == "nest":
        inner = Nest.of_shares(3, [2, 0], np.full(1, stream.choice(ELASTICITIES)), parameters[:, :2])
        return Nest.of_weights(3, [inner, 1], np.full(1, stream.choice([0.0, 0.6, 3.0])), parameters[:, 1:])
    if kind == "calibrated":
        return calibrated(np.full(1, stream.choice(ELASTICITIES)), parameters, np.exp(stream.normal(0, 1, (1, 3))))
    return CobbDouglas(parameters)


def draw(kind: str, seed: int, rows: int = 3) -> tuple[ConstantReturns, Array, Array, np.random.Generator]:
    """A technology of so many rows that differ, levels, and the prices of its inputs."""
    stream = np.random.default_rng(seed)
    form = form_of(kind, rows, stream)
    productivity, unit = np.exp(stream.normal(0, 0.5, (2, rows)))
    technology = ConstantReturns(form, productivity, unit if seed % 2 else np.ones(1), rows)
    return technology, np.exp(stream.normal(0, 1, rows)), np.exp(stream.normal(0, 1, form.wanted.shape[1])), stream


@KINDS
@given(seed=seeds)
def test_both_roads_lead_to_one_plan_which_makes_what_it_says(kind: str, seed: int) -> None:
    technology, level, input_prices, _ = draw(kind, seed)
    plan = technology.at_level(level, input_prices.tolist())
    cost, unit = technology.unit_cost(input_prices)
    np.testing.assert_allclose(plan.inputs, level[:, None] * unit.inputs, rtol=1e-11)
    np.testing.assert_allclose(plan.output, level * unit.output, rtol=1e-13)
    np.testing.assert_allclose(technology.output(plan.inputs), plan.output, rtol=1e-11)
    np.testing.assert_allclose(plan.inputs @ input_prices, level * cost, rtol=1e-11)
    np.testing.assert_allclose(unit.output, technology.unit_output * np.ones(technology.size))
    assert plan.inputs.shape == unit.inputs.shape == (technology.size, len(input_prices))
    assert plan.output.shape == unit.output.shape == cost.shape == (technology.size,)


@KINDS
@given(seed=seeds)
def test_no_other_inputs_make_as_much_for_less(kind: str, seed: int) -> None:
    technology, level, input_prices, stream = draw(kind, seed)
    cost, unit = technology.unit_cost(input_prices)
    for spread in (0.01, 0.3, 3.0):
        others = level[:, None] * unit.inputs * np.exp(stream.normal(0, spread, (50, *unit.inputs.shape)))
        assert (others @ input_prices >= (1 - 1e-12) * cost * technology.output(others) / unit.output).all()


@KINDS
@given(seed=seeds)
def test_inputs_are_the_slope_of_cost_and_the_cost_slope_is_theirs(kind: str, seed: int) -> None:
    technology, level, input_prices, _ = draw(kind, seed)
    cost, unit = technology.unit_cost(input_prices)
    slope = technology.cost_slope(input_prices, level)
    for good, price in enumerate(input_prices):
        change = 1e-5 * price * (np.arange(len(input_prices)) == good)
        up, down = technology.unit_cost(input_prices + change), technology.unit_cost(input_prices - change)
        shephard = (up[0] - down[0]) / (2 * change[good])
        np.testing.assert_allclose(shephard * price, unit.inputs[:, good] * price, atol=1e-8 * cost.max())
        moved = level[:, None] * (up[1].inputs - down[1].inputs) / (2 * change[good])
        scale = input_prices * price / (level * cost)[:, None]
        np.testing.assert_allclose(moved * scale, slope[:, good] * scale, atol=1e-7)
    scaled = slope * input_prices[:, None] * input_prices / (level * cost)[:, None, None]
    np.testing.assert_allclose(scaled, scaled.transpose(0, 2, 1), atol=1e-12)
    np.testing.assert_allclose(scaled.sum(axis=2), 0, atol=1e-11)
    assert np.linalg.eigvalsh(scaled).max() < 1e-11


@KINDS
@given(seed=seeds)
def test_marginal_products_are_the_slopes_of_output_and_exhaust_it(kind: str, seed: int) -> None:
    technology, level, input_prices, _ = draw(kind, seed)
    plan = technology.at_level(level, input_prices.tolist())
    products = technology.marginal_product(plan.inputs, input_prices)
    np.testing.assert_allclose((products * plan.inputs).sum(axis=1), plan.output, rtol=1e-10)
    # At the cheapest inputs each earns what it costs at the price that is unit cost.
    worth = technology.unit_cost(input_prices)[0] / technology.unit_output
    np.testing.assert_allclose(worth[:, None] * products, np.broadcast_to(input_prices, products.shape), rtol=1e-9)


@KINDS
@given(seed=seeds, factor=st.floats(1e-12, 1e12))
def test_returns_are_constant_and_the_unit_of_prices_moves_nothing(kind: str, seed: int, factor: float) -> None:
    technology, level, input_prices, stream = draw(kind, seed)
    plan = technology.at_level(level, input_prices.tolist())
    more = technology.at_level(factor * level, (3.7 * input_prices).tolist())
    np.testing.assert_allclose(more.inputs, factor * plan.inputs, rtol=1e-10)
    np.testing.assert_allclose(more.output, factor * plan.output, rtol=1e-13)
    inputs = np.exp(stream.normal(0, 1, plan.inputs.shape))
    np.testing.assert_allclose(technology.output(factor * inputs), factor * technology.output(inputs), rtol=1e-10)
    np.testing.assert_allclose(
        technology.unit_cost(factor * input_prices)[0], factor * technology.unit_cost(input_prices)[0], rtol=1e-10
    )


@KINDS
@given(seed=seeds, count=st.integers(2, 1000))
def test_rows_do_not_see_each_other_and_firms_alike_are_one(kind: str, seed: int, count: int) -> None:
    technology, level, input_prices, _ = draw(kind, seed)
    plan, slope = technology.at_level(level, input_prices.tolist()), technology.cost_slope(input_prices, level)
    for row in range(technology.size):
        alone = replace(technology.take(slice(row, row + 1)), count=1)
        together = replace(alone, count=count)
        assert (alone.size, alone.weight, together.size, together.weight) == (1, 1.0, 1, count)
        one = alone.at_level(level[row : row + 1], input_prices.tolist())
        np.testing.assert_allclose(one.inputs[0], plan.inputs[row], rtol=1e-12)
        np.testing.assert_allclose(alone.cost_slope(input_prices, level[row : row + 1])[0], slope[row], rtol=1e-12)
        each = together.at_level(count * level[row : row + 1], input_prices.tolist())
        np.testing.assert_allclose(each.inputs, count * one.inputs, rtol=1e-12)
        np.testing.assert_allclose(together.output(each.inputs), count * alone.output(one.inputs), rtol=1e-12)


@KINDS
@given(seed=seeds, returns=st.floats(0.1, 0.9))
def test_inputs_have_the_proportions_of_diminishing_returns(kind: str, seed: int, returns: float) -> None:
    technology, _, input_prices, _ = draw(kind, seed)
    other = HomotheticTechnology(technology.form, technology.productivity, np.full(1, returns), technology.count)
    price = float(technology.unit_cost(input_prices)[0].max())
    best = other.best_response(price, input_prices.tolist(), np.ones((technology.size, len(input_prices))))
    inputs = technology.at_level(np.ones(technology.size), input_prices.tolist()).inputs
    np.testing.assert_allclose(best.inputs / best.inputs[:, :1], inputs / inputs[:, :1], rtol=1e-10)


@KINDS
def test_levels_and_outputs_are_traced(kind: str) -> None:
    technology, level, input_prices, stream = draw(kind, 1)
    cet = CET((1.0, 2.0), (1.0, 0.7), 2.5)

    def function(levels: Any, prices: Any, output_prices: Any) -> Any:
        plan = technology.at_level(levels, list(prices))
        return plan.inputs, plan.output, cet.amounts(output_prices), cet.revenue(output_prices)[None]

    given_ = level, input_prices, np.array([1.3, 0.4])
    text, _ = emitted(lambda state: function(*state), plain(given_))[:2]
    for at in (
        given_,
        (0.3 * level, input_prices * np.exp(stream.normal(0, 1, len(input_prices))), np.array([2.0, 9.0])),
    ):
        for found, right in zip(text(plain(at)), function(*at), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-13)


@KINDS
def test_what_breaks_the_markets_plans_does_not_move_the_judges(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    technology, level, input_prices, _ = draw(kind, 2)
    before = technology.unit_cost(input_prices)[1]

    def broken(*arguments: object) -> Array:
        raise AssertionError("the market was asked")

    for owner in (CobbDouglas, CES, Leontief, Nest):
        monkeypatch.setattr(owner, "demand", broken)
    monkeypatch.setattr(ConstantReturns, "at_level", broken)
    np.testing.assert_array_equal(technology.unit_cost(input_prices)[1].inputs, before.inputs)
    technology.cost_slope(input_prices, level)


def test_without_a_level_there_is_no_plan() -> None:
    technology, _, input_prices, _ = draw("ces", 0)
    start = np.ones((3, 3))
    for ask in (
        lambda: technology.best_response(1.0, input_prices.tolist(), start),
        lambda: technology.profit(1.0, input_prices.tolist(), start),
        lambda: technology.supply_slope(1.0, input_prices, start),
    ):
        with pytest.raises(TypeError, match="constant returns has no"):
            ask()
    assert ConstantReturns.constant_returns
    assert not HomotheticTechnology.constant_returns


def test_fixed_proportions_take_their_vector_at_any_prices() -> None:
    technology = ConstantReturns(Leontief(np.array([[2.0, 3.0]])), np.array([4.0]), np.array([4.0]))
    for prices in ([1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1e-30, 1e30]):
        plan = technology.at_level(np.array([5.0]), prices)
        np.testing.assert_allclose(plan.inputs, [[10.0, 15.0]], rtol=1e-15)
        assert plan.output.tolist() == [20.0]
    assert technology.at_level(np.zeros(1), [1.0, 0.0]).inputs.tolist() == [[0.0, 0.0]]


def test_a_free_input_replaces_the_others_where_it_can() -> None:
    for elasticity, others in ((1.0, 0.0), (2.0, 0.0), (0.5, 0.25)):
        technology = ConstantReturns(CES(np.array([elasticity]), np.array([[0.5, 0.5]])), np.ones(1))
        plan = technology.at_level(np.ones(1), [0.0, 1.0])
        assert plan.inputs.tolist() == [[np.inf, others]]
        assert technology.unit_cost(np.array([0.0, 1.0]))[0].tolist() == [others]
        assert technology.at_level(np.zeros(1), [0.0, 1.0]).inputs.tolist() == [[0.0, 0.0]]
        assert np.isfinite(technology.cost_slope(np.array([0.0, 1.0]), np.ones(1))).all()


@pytest.mark.parametrize("elasticity", [*ELASTICITIES, 1.0 + 1e-9])
@given(seed=seeds)
def test_a_benchmark_is_reproduced_and_left_by_the_formula(elasticity: float, seed: int) -> None:
    stream = np.random.default_rng(seed)
    quantities, benchmark, prices = np.exp(stream.normal(0, 1, (3, 1, 4)))
    form = calibrated(np.full(1, elasticity), quantities, benchmark)
    cost = (quantities * benchmark).sum()
    np.testing.assert_allclose(form.unit_cost(benchmark[0]), cost, rtol=1e-13)
    np.testing.assert_allclose(form.unit_demand(benchmark[0]), quantities, rtol=1e-12)
    np.testing.assert_allclose(form.value(quantities), 1.0, rtol=1e-13)
    parts, relative = quantities * benchmark / cost, prices / benchmark
    order = 1 - elasticity
    index = (
        np.exp((parts * np.log(relative)).sum())
        if abs(order) < 1e-8
        else (parts * relative**order).sum() ** (1 / order)
    )
    np.testing.assert_allclose(form.unit_cost(prices[0]), cost * index, rtol=1e-7)
    np.testing.assert_allclose(form.unit_demand(prices[0]), quantities * (index / relative) ** elasticity, rtol=1e-7)


@pytest.mark.parametrize("inner", ELASTICITIES)
@pytest.mark.parametrize("outer", ELASTICITIES)
@given(seed=seeds)
def test_a_nest_is_a_good_worth_what_is_in_it(outer: float, inner: float, seed: int) -> None:
    stream = np.random.default_rng(seed)
    quantities, benchmark, prices = np.exp(stream.normal(0, 1, (3, 1, 4)))
    nest = calibrated(np.full(1, inner), quantities[:, 2:], benchmark[:, 2:])
    worth = (quantities * benchmark)[:, 2:].sum(axis=1, keepdims=True)
    tops = (
        np.concatenate([quantities[:, :2], np.ones((1, 1))], axis=1),
        np.concatenate([benchmark[:, :2], worth], axis=1),
    )
    form = Nest(calibrated(np.full(1, outer), *tops), (0, 1, Nest(nest, (2, 3), 4)), 4)
    np.testing.assert_allclose(form.unit_cost(benchmark[0]), (quantities * benchmark).sum(), rtol=1e-13)
    np.testing.assert_allclose(form.unit_demand(benchmark[0]), quantities, rtol=1e-12)
    np.testing.assert_allclose(form.value(quantities), 1.0, rtol=1e-13)
    # Within the nest its own elasticity rules, beside it the outer one.
    bundle = form.demand(prices[0], np.ones(1))
    answer = np.log(bundle / quantities) + inner * np.log(prices / benchmark)
    assert answer[0, 2] == pytest.approx(answer[0, 3], abs=1e-10)
    answer = np.log(bundle / quantities) + outer * np.log(prices / benchmark)
    assert answer[0, 0] == pytest.approx(answer[0, 1], abs=1e-10)
    part = form.unit_cost(prices[0])[0]
    own = nest.unit_cost(prices[0, 2:])[0] / worth.item()
    units = (part / (quantities * benchmark).sum() / own) ** outer
    np.testing.assert_allclose(nest.value(form.unit_demand(prices[0])[:, 2:]), units, rtol=1e-11)


@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
@given(seed=seeds)
def test_outputs_are_the_slope_of_revenue(transformation: float, seed: int) -> None:
    stream = np.random.default_rng(seed)
    quantities, benchmark, prices = np.exp(stream.normal(0, 0.7, (3, 3)))
    cet = CET(tuple(quantities), tuple(benchmark), transformation)
    amounts, slope = cet.amounts(prices), cet.hessian(prices)
    assert cet.revenue(prices) == pytest.approx(amounts @ prices, rel=1e-13)
    np.testing.assert_allclose(cet.amounts(benchmark), quantities, rtol=1e-12)
    np.testing.assert_allclose(cet.amounts(1e20 * prices), amounts, rtol=1e-12)
    worth = amounts * prices / cet.revenue(prices)
    for good, price in enumerate(prices):
        change = 1e-6 * price * (np.arange(3) == good)
        rise = (cet.revenue(prices + change) - cet.revenue(prices - change)) / (2 * change[good])
        assert rise * price / cet.revenue(prices) == pytest.approx(worth[good], abs=1e-8)
        moved = (cet.amounts(prices + change) - cet.amounts(prices - change)) / (2 * change[good])
        unit = prices * price / cet.revenue(prices)
        np.testing.assert_allclose(moved * unit, slope[good] * unit, atol=1e-7 * (1 + transformation**2))
    np.testing.assert_allclose((slope @ prices) * prices / cet.revenue(prices), 0, atol=1e-12 * (1 + transformation))
    assert np.linalg.eigvalsh(slope * prices[:, None] * prices / cet.revenue(prices)).min() > -1e-10
    if transformation > 0:
        order = (1 + transformation) / transformation
        parts = quantities * benchmark / (quantities @ benchmark)
        assert (parts * (amounts / quantities) ** order).sum() == pytest.approx(1, rel=1e-10)
        others = amounts * np.exp(stream.normal(0, 1, (100, 3)))
        others /= (parts * (others / quantities) ** order).sum(axis=1, keepdims=True) ** (1 / order)
        assert (others @ prices <= cet.revenue(prices) * (1 + 1e-12)).all()
    many = np.exp(stream.normal(0, 1, (4, 3)))
    np.testing.assert_allclose(cet.amounts(many), [cet.amounts(each) for each in many], rtol=1e-14)
    np.testing.assert_allclose(cet.revenue(many), [cet.revenue(each) for each in many], rtol=1e-14)


def test_outputs_where_prices_are_zero() -> None:
    for transformation, left in ((0.0, 2.0), (1.0, 0.0)):
        cet = CET((2.0, 3.0), (1.0, 1.0), transformation)
        assert cet.amounts(np.zeros(2)).tolist() == [2.0, 3.0]
        assert cet.revenue(np.zeros(2)) == 0
        assert cet.amounts(np.array([0.0, 1.0]))[0] == left
        assert np.isfinite(cet.hessian(np.array([0.0, 1.0]))).all()
        assert cet.hessian(np.zeros(2)).tolist() == [[0, 0], [0, 0]]
    one = CET((5.0,), (2.0,), 3.0)
    assert (one.amounts(np.array([7.0])).tolist(), one.revenue(np.array([7.0]))) == ([5.0], 35.0)
    assert one.hessian(np.array([7.0])).tolist() == [[0.0]]


def test_a_vector_that_makes_nothing_is_used_all_the_same() -> None:
    technology = ConstantReturns(Leontief(np.array([[2.0, 3.0]])), np.zeros(1), np.zeros(1))
    cost, unit = technology.unit_cost(np.array([1.0, 2.0]))
    assert (cost.tolist(), unit.inputs.tolist(), unit.output.tolist()) == ([8.0], [[2.0, 3.0]], [0.0])
    plan = technology.at_level(np.array([2.0]), [1.0, 2.0])
    assert (plan.inputs.tolist(), plan.output.tolist()) == ([[4.0, 6.0]], [0.0])
