"""Technologies: best responses meet first-order conditions, profits know their derivatives, firms alike are one row."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house import (
    CES,
    TECHNOLOGIES,
    CobbDouglas,
    FormulaTechnology,
    HomotheticTechnology,
    Leontief,
    Nest,
    Technology,
    parse,
)

Array = np.ndarray
seeds = st.integers(0, 2**32 - 1)
HOMOTHETIC = ["power", "cobb_douglas", "ces", "leontief", "nest"]
FORMULAS = {"formula": "x^0.3*y^0.2 + ln(1 + z)", "one": "2*sqrt(x) + ln(1 + x)"}
KINDS = pytest.mark.parametrize("kind", [*HOMOTHETIC, *FORMULAS])


def form_of(kind: str, rows: int, stream: np.random.Generator):
    parameters = np.exp(stream.normal(0, 1, (rows, 1 if kind == "power" else 3)))
    if kind == "ces":
        return CES(np.exp(stream.uniform(-1.5, 1.5, rows)), parameters)
    if kind == "leontief":
        return Leontief(parameters)
    if kind == "nest":
        inner = Nest.of_shares(3, [2, 0], np.full(1, stream.choice([0.0, 0.4, 1.0, 2.0])), parameters[:, :2])
        return Nest.of_weights(3, [inner, 1], np.full(1, stream.choice([0.0, 0.6, 3.0])), parameters[:, 1:])
    return CobbDouglas(parameters)


def draw(kind: str, seed: int, rows: int = 3) -> tuple[Technology, float, Array, np.random.Generator]:
    """A technology of so many rows that differ, the price of its output and of its inputs."""
    stream = np.random.default_rng(seed)
    price, productivity = float(np.exp(stream.normal(0, 1))), np.exp(stream.normal(0, 0.5, rows))
    if kind in FORMULAS:
        formula = parse(FORMULAS[kind])
        technology = FormulaTechnology(formula, productivity=productivity, count=rows)
        return technology, price, np.exp(stream.normal(0, 0.5, len(formula.variables))), stream
    form = form_of(kind, rows, stream)
    technology = HomotheticTechnology(form, productivity, stream.uniform(0.2, 0.8, rows), count=rows)
    return technology, price, np.exp(stream.normal(0, 1, form.wanted.shape[1])), stream


def guess(technology: Technology, input_prices: Array) -> Array:
    return np.ones((technology.size, len(input_prices)))


def alone(technology: Technology, row: int, count: int = 1) -> Technology:
    """So many firms alike, each as those of one row."""
    return replace(technology.take(slice(row, row + 1)), count=count)


@KINDS
@given(seed=seeds)
def test_first_order_conditions_hold_at_the_best_response(kind: str, seed: int) -> None:
    technology, price, input_prices, _ = draw(kind, seed)
    plan = technology.best_response(price, input_prices.tolist(), guess(technology, input_prices))
    earned = price * technology.marginal_product(plan.inputs, input_prices)
    used = plan.inputs > 0
    np.testing.assert_allclose(
        np.where(used, earned, input_prices), np.broadcast_to(input_prices, earned.shape), rtol=1e-12
    )
    assert (earned[~used] <= np.broadcast_to(input_prices, earned.shape)[~used]).all()
    np.testing.assert_allclose(technology.output(plan.inputs), plan.output, rtol=1e-12)


@KINDS
@given(seed=seeds)
def test_both_roads_lead_to_one_plan_and_its_profit(kind: str, seed: int) -> None:
    technology, price, input_prices, _ = draw(kind, seed)
    plan = technology.best_response(price, input_prices.tolist(), guess(technology, input_prices))
    value, other = technology.profit(price, input_prices.tolist(), guess(technology, input_prices))
    np.testing.assert_allclose(other.inputs, plan.inputs, rtol=1e-11)
    np.testing.assert_allclose(other.output, plan.output, rtol=1e-11)
    np.testing.assert_allclose(value, price * plan.output - plan.inputs @ input_prices, rtol=1e-10, atol=1e-12)
    assert value.shape == plan.output.shape == (technology.size,)
    assert plan.inputs.shape == other.inputs.shape == (technology.size, len(input_prices))


@KINDS
@given(seed=seeds)
def test_no_other_plan_earns_more(kind: str, seed: int) -> None:
    technology, price, input_prices, stream = draw(kind, seed)
    value, plan = technology.profit(price, input_prices.tolist(), guess(technology, input_prices))
    for spread in (0.01, 0.3, 3.0):
        others = np.maximum(plan.inputs, 1e-3) * np.exp(stream.normal(0, spread, (100, *plan.inputs.shape)))
        earned = price * technology.output(others) - others @ input_prices
        assert (earned <= value + 1e-12 * (np.abs(value) + others @ input_prices)).all()


@KINDS
@given(seed=seeds)
def test_hotelling_and_the_slope_of_supply(kind: str, seed: int) -> None:
    technology, price, input_prices, _ = draw(kind, seed)
    start, prices = guess(technology, input_prices), np.array([price, *input_prices])

    def supply(at: Array) -> tuple[Array, Array]:
        value, plan = technology.profit(float(at[0]), at[1:].tolist(), start)
        return value, np.concatenate([plan.output[:, None], -plan.inputs], axis=1)

    _, net = supply(prices)
    if (np.abs(net) < 1e-3).any():
        return
    size = (np.abs(net) * prices).sum(axis=1)
    slope = technology.supply_slope(price, input_prices, -net[:, 1:])
    for good in range(len(prices)):
        change = 1e-5 * prices * (np.arange(len(prices)) == good)
        up, down = supply(prices + change), supply(prices - change)
        hotelling = (up[0] - down[0]) / (2 * change[good])
        np.testing.assert_allclose(hotelling * prices[good] / size, net[:, good] * prices[good] / size, atol=1e-7)
        moved = (up[1] - down[1]) / (2 * change[good])
        scale = prices * prices[good] / size[:, None]
        np.testing.assert_allclose(moved * scale, slope[:, good] * scale, atol=2e-6)
    scaled = slope * prices[:, None] * prices / size[:, None, None]
    np.testing.assert_allclose(scaled, scaled.transpose(0, 2, 1), rtol=1e-9, atol=1e-12)
    assert np.linalg.eigvalsh((scaled + scaled.transpose(0, 2, 1)) / 2).min() > -1e-10
    # Profit is of degree one in all prices: supply does not move with their level.
    np.testing.assert_allclose(scaled.sum(axis=2), 0, atol=1e-9)


@KINDS
@given(seed=seeds, count=st.integers(2, 1000))
def test_firms_that_are_alike_are_one_row(kind: str, seed: int, count: int) -> None:
    technology, price, input_prices, stream = draw(kind, seed)
    for row in range(technology.size):
        one, together = alone(technology, row), alone(technology, row, count)
        assert (one.size, together.size, together.count) == (1, 1, count)
        start = guess(one, input_prices)
        plan, plans = (
            one.best_response(price, input_prices, start),
            together.best_response(price, input_prices, count * start),
        )
        np.testing.assert_allclose(plans.inputs, count * plan.inputs, rtol=1e-11)
        np.testing.assert_allclose(plans.output, count * plan.output, rtol=1e-11)
        value, values = (
            one.profit(price, input_prices, start)[0],
            together.profit(price, input_prices, count * start)[0],
        )
        np.testing.assert_allclose(values, count * value, rtol=1e-10)
        inputs = np.exp(stream.normal(0, 1, start.shape))
        np.testing.assert_allclose(together.output(count * inputs), count * one.output(inputs), rtol=1e-12)
        product = one.marginal_product(inputs, input_prices)
        np.testing.assert_allclose(together.marginal_product(count * inputs, input_prices), product, rtol=1e-12)
        slope = one.supply_slope(price, input_prices, plan.inputs)
        np.testing.assert_allclose(together.supply_slope(price, input_prices, plans.inputs), count * slope, rtol=1e-8)


@KINDS
@given(seed=seeds)
def test_rows_do_not_see_each_other(kind: str, seed: int) -> None:
    technology, price, input_prices, _ = draw(kind, seed)
    value, plan = technology.profit(price, input_prices, guess(technology, input_prices))
    best = technology.best_response(price, input_prices, guess(technology, input_prices))
    for row in range(technology.size):
        one = alone(technology, row)
        own, other = one.profit(price, input_prices, guess(one, input_prices))
        np.testing.assert_allclose(own[0], value[row], rtol=1e-10)
        np.testing.assert_allclose(other.inputs[0], plan.inputs[row], rtol=1e-10)
        np.testing.assert_allclose(
            one.best_response(price, input_prices, guess(one, input_prices))[1][0], best.output[row], rtol=1e-10
        )


@pytest.mark.parametrize("what", ["form", "productivity", "returns"])
@given(seed=seeds)
def test_what_does_not_differ_is_one_row(what: str, seed: int) -> None:
    technology, price, input_prices, _ = draw("ces", seed)
    first = technology.take(slice(0, 1))
    mixed = replace(first, **{what: getattr(technology, what)}, count=3)
    each = [replace(first, **{what: getattr(technology.take(slice(row, row + 1)), what)}, count=1) for row in range(3)]
    assert mixed.size == 3
    value, plan = mixed.profit(price, input_prices, guess(mixed, input_prices))
    best = mixed.best_response(price, input_prices, guess(mixed, input_prices))
    for row, one in enumerate(each):
        own, other = one.profit(price, input_prices, guess(one, input_prices))
        np.testing.assert_allclose(own[0], value[row], rtol=1e-11)
        np.testing.assert_allclose(other.inputs[0], plan.inputs[row], rtol=1e-11)
        np.testing.assert_allclose(other.inputs[0], best.inputs[row], rtol=1e-11)
        slope = one.supply_slope(price, input_prices, other.inputs)[0]
        np.testing.assert_allclose(mixed.supply_slope(price, input_prices, plan.inputs)[row], slope, rtol=1e-9)


@KINDS
@given(seed=seeds, factor=st.floats(0.01, 100))
def test_productivity_works_like_the_price(kind: str, seed: int, factor: float) -> None:
    technology, price, input_prices, _ = draw(kind, seed)
    better = replace(technology, productivity=factor * technology.productivity)
    plan = better.best_response(price, input_prices, guess(better, input_prices))
    dearer = technology.best_response(factor * price, input_prices, guess(better, input_prices))
    np.testing.assert_allclose(plan.inputs, dearer.inputs, rtol=1e-10, atol=1e-100)
    np.testing.assert_allclose(plan.output, factor * dearer.output, rtol=1e-10)


@given(seed=seeds)
def test_outputs_are_the_formulas_of_the_table(seed: int) -> None:
    stream = np.random.default_rng(seed)
    x, a, scale = np.exp(stream.normal(0, 1, 3)), stream.uniform(0.1, 0.3, 3), 1.7
    returns, elasticity = a.sum(), 0.6
    rho = 1 - 1 / elasticity

    def made(form: object, r: float) -> float:
        technology = HomotheticTechnology(form, np.array([scale]), np.array([r]))
        return technology.output(x[None, : form.wanted.shape[1]])[0]

    assert made(CobbDouglas(np.ones((1, 1))), 0.4) == pytest.approx(scale * x[0] ** 0.4)
    assert made(CobbDouglas(a[None]), returns) == pytest.approx(scale * np.prod(x**a))
    assert made(Leontief(a[None]), 0.5) == pytest.approx(scale * np.min(x / a) ** 0.5)
    shares = a / a.sum()
    ces = (shares ** (1 / elasticity) * x**rho).sum() ** (1 / rho)
    assert made(CES(np.array([elasticity]), a[None]), 0.7) == pytest.approx(scale * ces**0.7)


@given(seed=seeds, count=st.integers(1, 50))
def test_a_formula_is_the_same_cobb_douglas(seed: int, count: int) -> None:
    stream = np.random.default_rng(seed)
    a, b = stream.uniform(0.1, 0.45, 2).tolist()
    productivity = np.array([2.5])
    formula = FormulaTechnology(parse(f"x^{a!r}*y^{b!r}"), productivity=productivity, count=count)
    closed = HomotheticTechnology(CobbDouglas(np.array([[a, b]])), productivity, np.array([a + b]), count=count)
    price, input_prices = float(np.exp(stream.normal())), np.exp(stream.normal(0, 1, 2))
    ours, theirs = (firm.best_response(price, input_prices, np.ones((1, 2))) for firm in (formula, closed))
    np.testing.assert_allclose(ours.inputs, theirs.inputs, rtol=1e-9)
    np.testing.assert_allclose(ours.output, theirs.output, rtol=1e-9)
    inputs = np.exp(stream.normal(0, 1, (4, 1, 2)))
    np.testing.assert_allclose(formula.output(inputs), closed.output(inputs), rtol=1e-12)
    products = closed.marginal_product(inputs, np.ones((4, 2)))
    np.testing.assert_allclose(formula.marginal_product(inputs, np.ones((4, 2))), products, rtol=1e-12)
    slopes = (firm.supply_slope(price, input_prices, theirs.inputs) for firm in (formula, closed))
    np.testing.assert_allclose(*slopes, rtol=1e-9)


@given(seed=seeds, count=st.integers(1, 50), r=st.floats(0.05, 0.9))
def test_one_input_in_plain_floats_is_the_same_firm(seed: int, count: int, r: float) -> None:
    stream = np.random.default_rng(seed)
    price, wage, amount = np.exp(stream.normal(0, 1, 3)).tolist()
    productivity, returns = np.array([1.3]), np.array([r])
    power = HomotheticTechnology(CobbDouglas(np.ones((1, 1))), productivity, returns, count)
    formula = FormulaTechnology(parse(f"x^{r!r}"), productivity=productivity, count=count)
    coefficient = count ** (1 - r) * 1.3
    best = (price * coefficient * r / wage) ** (1 / (1 - r))
    for firm in (power, formula):
        assert firm.single_input
        x, made = firm.plan_one(price, wage, 1.0)
        assert x == pytest.approx(best, rel=1e-9)
        assert made == pytest.approx(coefficient * best**r, rel=1e-9)
        value, plan = firm.profit(price, [wage], np.ones((1, 1)))
        assert value.item() == pytest.approx((1 - r) * price * made, rel=1e-8)
        assert (plan.inputs.item(), plan.output.item()) == pytest.approx((x, made), rel=1e-8)
        assert firm.output(np.array([[amount]]))[0] == pytest.approx(coefficient * amount**r, rel=1e-12)
    fixed = HomotheticTechnology(Leontief(np.array([[4.0]])), productivity, returns, count)
    x, made = fixed.plan_one(price, wage, 1.0)
    value, plan = fixed.profit(price, [wage], np.ones((1, 1)))
    assert (x, made) == pytest.approx((plan.inputs.item(), plan.output.item()), rel=1e-10)
    assert value.item() == pytest.approx(price * made - wage * x, rel=1e-8)
    assert made == pytest.approx(coefficient * (x / 4) ** r, rel=1e-12)


@pytest.mark.parametrize("kind", HOMOTHETIC)
@given(seed=seeds)
def test_many_ticks_at_once_are_the_loop_over_ticks(kind: str, seed: int) -> None:
    technology, _, input_prices, stream = draw(kind, seed)
    inputs = np.exp(stream.normal(0, 1, (4, technology.size, len(input_prices))))
    quoted = input_prices * np.exp(stream.normal(0, 1, (4, len(input_prices))))
    each = [technology.marginal_product(x, w) for x, w in zip(inputs, quoted, strict=True)]
    np.testing.assert_allclose(technology.marginal_product(inputs, quoted), each, rtol=1e-13)
    np.testing.assert_allclose(technology.output(inputs), [technology.output(x) for x in inputs], rtol=1e-13)


def test_marginal_products_of_fixed_proportions_fall_on_what_is_scarce() -> None:
    technology = HomotheticTechnology(Leontief(np.array([[1.0, 2.0, 0.0]])), np.ones(1), np.array([0.5]))
    input_prices = np.array([3.0, 1.0, 1.0])
    assert technology.marginal_product(np.array([[1.0, 4.0, 1.0]]), input_prices).tolist() == [[0.5, 0.0, 0.0]]
    assert technology.marginal_product(np.array([[4.0, 2.0, 1.0]]), input_prices).tolist() == [[0.0, 0.25, 0.0]]
    # At the kink they are in proportion to the input prices, and together worth r y.
    at_kink = technology.marginal_product(np.array([[1.0, 2.0, 1.0]]), input_prices)[0]
    np.testing.assert_allclose(at_kink, 0.1 * np.array([3.0, 1.0, 0.0]))


def test_where_there_is_nothing_a_first_unit_is_worth_all() -> None:
    technology = HomotheticTechnology(CobbDouglas(np.array([[1.0, 1.0, 0.0]])), np.ones(1), np.array([0.5]))
    assert technology.output(np.zeros((1, 3))).tolist() == [0.0]
    assert technology.marginal_product(np.zeros((1, 3)), np.ones(3)).tolist() == [[math.inf, math.inf, 0.0]]


@KINDS
def test_an_output_without_price_is_not_made(kind: str) -> None:
    technology, _, input_prices, _ = draw(kind, 0)
    for price in (0.0, -1.0):
        for plan in (
            technology.best_response(price, input_prices, guess(technology, input_prices)),
            technology.profit(price, input_prices, guess(technology, input_prices))[1],
        ):
            assert not plan.inputs.any()
            assert not plan.output.any()
        one = alone(technology, 0)
        if one.single_input:
            assert one.plan_one(price, 1.0, 1.0) == (0.0, 0.0)
            assert one.profit(price, [1.0], np.ones((1, 1)))[0].item() == 0.0
    nothing = np.zeros((3, len(input_prices)))
    assert not technology.supply_slope(0.0, input_prices, nothing).any()


@KINDS
def test_who_can_make_nothing_plans_nothing(kind: str) -> None:
    technology, price, input_prices, _ = draw(kind, 0)
    useless = replace(technology, productivity=0.0 * technology.productivity)
    free = input_prices * (np.arange(len(input_prices)) > 0)
    for at in (input_prices, free):
        plan = useless.best_response(price, at, guess(useless, at))
        assert not plan.inputs.any()
        assert not plan.output.any()
        value, plan = useless.profit(price, at, guess(useless, at))
        assert not value.any()
        assert not useless.supply_slope(price, at, plan.inputs).any()
    one = alone(useless, 0)
    if one.single_input:
        assert one.plan_one(price, 0.0, 1.0) == (0.0, 0.0)


@pytest.mark.parametrize("kind", ["power", "cobb_douglas", "ces"])
def test_a_free_input_is_used_without_end(kind: str) -> None:
    technology, price, input_prices, _ = draw(kind, 1)
    input_prices[0] = 0.0
    for plan in (
        technology.best_response(price, input_prices, guess(technology, input_prices)),
        technology.profit(price, input_prices, guess(technology, input_prices))[1],
    ):
        assert np.isinf(plan.inputs[:, 0]).all()
        assert not np.isnan(plan.inputs).any()
        assert (plan.output > 0).all()
    assert np.isfinite(technology.supply_slope(price, input_prices, plan.inputs)).all()
    one = alone(technology, 0)
    if one.single_input:
        assert one.plan_one(price, 0.0, 1.0) == (math.inf, math.inf)
        with np.errstate(all="ignore"):
            value, plan = one.profit(price, [0.0], np.ones((1, 1)))
        assert (value.item(), plan.inputs.item(), plan.output.item()) == (math.inf, math.inf, math.inf)


def test_fixed_proportions_need_no_more_of_a_free_input() -> None:
    technology = HomotheticTechnology(Leontief(np.array([[1.0, 2.0]])), np.ones(1), np.array([0.5]))
    input_prices = np.array([1.0, 0.0])
    value, plan = technology.profit(2.0, input_prices.tolist(), np.ones((1, 2)))
    assert plan.inputs.tolist() == [[1.0, 2.0]]
    assert (value[0], plan.output[0]) == (1.0, 1.0)
    best = technology.best_response(2.0, input_prices.tolist(), np.ones((1, 2)))
    np.testing.assert_allclose(best.inputs, plan.inputs)
    slope = technology.supply_slope(2.0, input_prices, plan.inputs)[0]
    np.testing.assert_allclose(slope[1:, 1:] @ [1.0, 2.0], slope[1:, 1:] @ [5.0, 0.0])
    assert np.linalg.eigvalsh(slope).min() > -1e-12


@pytest.mark.parametrize("returns", [0.0, 1.0, 1.2, math.nan])
def test_returns_without_a_best_response_are_refused(returns: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        HomotheticTechnology(CobbDouglas(np.ones((1, 2))), np.ones(1), np.array([returns]))


@pytest.mark.parametrize("kind", HOMOTHETIC)
def test_what_breaks_the_markets_plans_does_not_move_the_judges(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    technology, price, input_prices, _ = draw(kind, 2)
    before = technology.profit(price, input_prices, guess(technology, input_prices))[1]

    def broken(*arguments: object) -> Array:
        raise AssertionError("the market was asked")

    for owner in (CobbDouglas, CES, Leontief, Nest):
        monkeypatch.setattr(owner, "demand", broken)
    monkeypatch.setattr(HomotheticTechnology, "best_response", broken)
    monkeypatch.setattr(HomotheticTechnology, "plan_one", broken)
    after = technology.profit(price, input_prices, guess(technology, input_prices))[1]
    technology.supply_slope(price, input_prices, after.inputs)
    np.testing.assert_array_equal(after.inputs, before.inputs)


def test_every_kind_tells_its_formula() -> None:
    assert set(TECHNOLOGIES) == {"power", "cobb_douglas", "ces", "leontief", "activity", "reference"}
    for kind in TECHNOLOGIES.values():
        assert kind.meaning.startswith(("y = ", "net outputs", "nested CES"))
