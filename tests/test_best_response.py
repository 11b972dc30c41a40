"""Best responses meet their first-order conditions from any guess at any prices; profit knows its own derivative."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house import Formula, FormulaTechnology, many_inputs, parse

TERMS = ("{a}*{x}^{b}", "{a}*ln(1 + {x})", "{a}*(1 - 1/(1 + {x}))", "{a}*sqrt({x} + {b})", "{a}*(1 - exp(-{b}*{x}))")
INADA = ("{a}*{x}^{b}", "{a}*sqrt({x})", "{a}*ln({x})")


@st.composite
def concave(draw: st.DrawFn, most: int = 3) -> Formula:
    """A strictly concave formula: a sum with a term for each input, perhaps with a product of diminishing returns."""
    names = ["x", "y", "z"][: draw(st.integers(1, most))]
    number = st.floats(0.2, 3.0)
    terms = [draw(st.sampled_from(TERMS)).format(x=name, a=draw(number), b=draw(st.floats(0.1, 0.9))) for name in names]
    if draw(st.booleans()):
        share = draw(st.floats(0.2, 0.9)) / len(names)
        terms.append(f"{draw(number)}*" + "*".join(f"{name}^{share}" for name in names))
    return parse(" + ".join(terms))


def misfit(formula: Formula, price: float, input_prices: np.ndarray, inputs: np.ndarray) -> float:
    """How far `p df/dx = w` (or `<=` at 0) is from being met, relative to the wage."""
    worst = 0.0
    for i, slope in enumerate(formula.gradient(inputs)):
        gap = price * slope / input_prices[i] - 1.0
        worst = max(worst, abs(gap) if inputs[i] > 0 else gap)
    return worst


@given(concave(), st.floats(-3, 3), st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.floats(-6, 6))
def test_first_order_conditions(formula: Formula, price: float, input_prices: list[float], guess: float) -> None:
    p, w = 10.0**price, 10.0 ** np.array(input_prices[: len(formula.variables)])
    start = np.full((1, len(w)), 10.0**guess)
    plan = FormulaTechnology(formula).best_response(p, w.tolist(), start)
    assert misfit(formula, p, w, plan.inputs[0]) < 1e-12
    assert plan.output[0] == pytest.approx(formula.value(plan.inputs[0]), rel=1e-12)


@given(concave(most=1), st.floats(-4, 4), st.floats(-4, 4))
def test_plain_floats_and_arrays_agree(formula: Formula, price: float, wage: float) -> None:
    p, w = 10.0**price, 10.0**wage
    x, _ = FormulaTechnology(formula).plan_one(p, w, 1.0)
    (other,) = many_inputs(formula, p, np.array([w]), np.ones((1, 1)))[0]
    assert x == pytest.approx(other, rel=1e-9, abs=1e-60)


@given(concave(), st.lists(st.floats(0.01, 100), min_size=4, max_size=4), st.randoms(use_true_random=False))
def test_no_other_inputs_earn_more(formula: Formula, prices: list[float], random: object) -> None:
    p, w = prices[0], np.array(prices[1 : 1 + len(formula.variables)])
    (best,) = FormulaTechnology(formula).best_response(p, w.tolist(), np.ones((1, len(w)))).inputs
    profit = p * formula.value(best) - w @ best
    stream = np.random.default_rng(int(1e6 * prices[0]))
    others = np.exp(stream.normal(0, 2, (300, len(w)))) * np.maximum(best, 1e-3)
    assert np.all(p * formula.value(others) - others @ w <= profit + 1e-12 * abs(profit) + 1e-12)


@given(concave(), st.floats(0.1, 10), st.floats(0.1, 10))
def test_rows_do_not_see_each_other(formula: Formula, price: float, wage: float) -> None:
    count = len(formula.variables)
    guess = np.geomspace(1e-3, 1e3, 5)[:, None] * np.ones(count)
    together = many_inputs(formula, price, np.full(count, wage), guess)
    alone = np.concatenate([many_inputs(formula, price, np.full(count, wage), row[None]) for row in guess])
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    np.testing.assert_allclose(together, np.broadcast_to(together[:1], together.shape), rtol=1e-9, atol=1e-30)


@given(concave(), st.floats(0.2, 5), st.lists(st.floats(0.2, 5), min_size=3, max_size=3))
def test_hotelling_and_the_slope_of_supply(formula: Formula, price: float, input_prices: list[float]) -> None:
    technology, count = FormulaTechnology(formula), len(formula.variables)
    prices, guess, h = np.array([price, *input_prices[:count]]), np.ones((1, count)), 1e-5

    def profit(at: np.ndarray) -> tuple[float, np.ndarray]:
        value, plan = technology.profit(float(at[0]), at[1:].tolist(), guess)
        return float(value[0]), np.concatenate([plan.output, -plan.inputs[0]])

    _, net_supply = profit(prices)
    if np.any(np.abs(net_supply) < 1e-3):
        return
    slope = technology.supply_slope(price, prices[1:], -net_supply[None, 1:])[0]
    for i in range(count + 1):
        up, down = (profit(prices + sign * h * prices[i] * np.eye(count + 1)[i]) for sign in (1, -1))
        assert (up[0] - down[0]) / (2 * h * prices[i]) == pytest.approx(net_supply[i], rel=1e-6, abs=1e-7)
        np.testing.assert_allclose((up[1] - down[1]) / (2 * h * prices[i]), slope[i], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(slope, slope.T, rtol=1e-9, atol=1e-12)
    assert np.linalg.eigvalsh((slope + slope.T) / 2).min() > -1e-9 * np.abs(slope).max()


def test_a_warm_start_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    technology = FormulaTechnology(parse("2*x^0.4 + ln(1 + x)"))
    x, _ = technology.plan_one(1.0, 0.5, 1.0)
    calls = 0
    scalar = technology.formula.scalar
    assert scalar is not None
    jet = scalar.jet

    def counted(at: float) -> tuple[float, ...]:
        nonlocal calls
        calls += 1
        return jet(at)

    *known, _ = technology._alone
    monkeypatch.setitem(technology.__dict__, "_alone", (*known, scalar._replace(jet=counted)))
    technology.plan_one(1.0, 0.5005, x)
    assert calls
    assert calls <= 3


@pytest.mark.parametrize("guess", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize(
    ("text", "price", "wage", "best"),
    [
        ("ln(x)", 1.0, 0.25, 4.0),
        ("sqrt(x - 2)", 1.0, 0.5, 3.0),
        ("x - x^2", 1.0, 0.5, 0.25),
        ("sqrt(x) - 0.1*x", 1.0, 0.4, 1.0),
        ("1 - 1/(x + 1)", 1.0, 2.0, 0.0),
        ("ln(1 + x)", 1.0, 1.0, 0.0),
        ("sqrt(x) + x", 1.0, 0.5, math.inf),
        ("min(2*sqrt(x), sqrt(x) + 1)", 1.0, 0.7, 1.0),
    ],
)
def test_corners_kinks_domains_and_no_bound(text: str, price: float, wage: float, best: float, guess: float) -> None:
    technology = FormulaTechnology(parse(text), negative_output=True)
    x, _ = technology.plan_one(price, wage, guess)
    assert x == pytest.approx(best, rel=1e-9, abs=1e-12)


def test_an_idle_firm_makes_nothing() -> None:
    firm, buyer = (FormulaTechnology(parse("ln(x)"), negative_output=may) for may in (False, True))
    inputs = np.array([[0.5], [2.0], [0.0]])
    np.testing.assert_allclose(firm.output(inputs), [0, math.log(2), 0])
    np.testing.assert_allclose(buyer.output(inputs), [math.log(0.5), math.log(2), 0])
    assert np.isnan(firm.marginal_product(inputs, np.ones(1))[:, 0]).tolist() == [True, False, True]
    assert firm.plan_one(1.0, 2.0, 1.0) == (0.0, 0.0)
    assert buyer.plan_one(1.0, 2.0, 1.0) == pytest.approx((0.5, math.log(0.5)))
