"""Price rules: formulas straight down, bounds, pieces, and that a rule neither keeps nor changes anything."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simulator.dynamics.price_rules import FORMS, PIECES, Clip, Momentum, PriceRule, Relative
from simulator.scenario import load

GOODS = 4
FREE = np.zeros(GOODS, dtype=bool)
FLOOR = np.full(GOODS, 1e-12)


def rule(form: str, rate: float, *pieces: Any, floor: np.ndarray = FLOOR, fixed: np.ndarray = FREE) -> PriceRule:
    return PriceRule(form, rate, tuple(pieces), floor, fixed)


def quantities(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, GOODS, elements=st.floats(low, high))


def moved(of: PriceRule, prices: np.ndarray, signal: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return of.next_prices(prices, signal, scale, of.start())[0]


@given(quantities(0.5, 2), quantities(-1, 1), quantities(1, 5), st.floats(0.01, 0.4))
def test_formulas_straight_down(p: np.ndarray, z: np.ndarray, s: np.ndarray, rate: float) -> None:
    additive = moved(rule("additive", rate), p, z, s)
    relative = moved(rule("additive", rate, Relative()), p, z, s)
    multiplicative = moved(rule("multiplicative", rate), p, z, s)
    for i in range(GOODS):
        assert additive[i] == pytest.approx(p[i] + rate * z[i], rel=1e-15)
        assert relative[i] == pytest.approx(p[i] + rate * z[i] / s[i], rel=1e-15)
        assert multiplicative[i] == pytest.approx(p[i] * math.exp(rate * z[i] / s[i]), rel=1e-15)


@given(quantities(1e-6, 1e6), quantities(0, 1e6), quantities(0, 1e6), st.floats(0.01, 2))
def test_no_multiplicative_step_exceeds_the_rate(p: np.ndarray, d: np.ndarray, s: np.ndarray, rate: float) -> None:
    after = moved(rule("multiplicative", rate), p, d - s, np.maximum(d, s))
    assert np.all(np.abs(np.log(after / p)) <= rate * (1 + 1e-12) + 1e-15)


@pytest.mark.parametrize("form", FORMS)
@given(quantities(0.5, 2), quantities(-9, 9))
def test_prices_stop_at_their_floor_and_go_on_from_there(form: str, p: np.ndarray, z: np.ndarray) -> None:
    floor = np.array([1e-12, 0.4, 0.0, 0.5])
    bounded = rule(form, 1.0, floor=floor)
    after = moved(bounded, p, z, np.ones(GOODS))
    free = moved(rule(form, 1.0, floor=np.full(GOODS, -np.inf)), p, z, np.ones(GOODS))
    np.testing.assert_array_equal(after, np.where(free < floor, floor, free))
    again = moved(bounded, after, np.ones(GOODS), np.ones(GOODS))
    assert np.all(again[after > 0] > after[after > 0])


@pytest.mark.parametrize("form", FORMS)
@given(quantities(0.5, 2), quantities(-9, 9))
def test_fixed_prices_never_move(form: str, p: np.ndarray, z: np.ndarray) -> None:
    fixed = np.array([True, False, True, False])
    held = rule(form, 0.3, Momentum(0.9), Clip(0.2), floor=np.full(GOODS, 1.0), fixed=fixed)
    memory, prices = held.start(), p
    for _ in range(5):
        prices, memory = held.next_prices(prices, z, np.ones(GOODS), memory)
        np.testing.assert_array_equal(prices[fixed], p[fixed])


@pytest.mark.parametrize("form", FORMS)
@given(quantities(0.5, 2), quantities(-1e3, 1e3), st.floats(1e-3, 0.5))
def test_clip_bounds_every_step(form: str, p: np.ndarray, z: np.ndarray, limit: float) -> None:
    after = moved(rule(form, 1.0, Clip(limit)), p, z, np.ones(GOODS))
    step = np.clip(z, -limit, limit)
    expected = p * np.exp(step) if form == "multiplicative" else np.maximum(p + step, 1e-12)
    np.testing.assert_allclose(after, expected, rtol=1e-15)


@given(quantities(5, 9), st.lists(quantities(-1, 1), min_size=1, max_size=12), st.floats(0, 0.95))
def test_momentum_adds_up_all_past_steps(p: np.ndarray, signals: list[np.ndarray], decay: float) -> None:
    heavy = rule("additive", 0.01, Momentum(decay))
    memory, prices = heavy.start(), p
    for signal in signals:
        prices, memory = heavy.next_prices(prices, signal, np.ones(GOODS), memory)
    expected = p.copy()
    for now in range(len(signals)):
        for past in range(now + 1):
            expected += 0.01 * decay ** (now - past) * signals[past]
    np.testing.assert_allclose(prices, expected, rtol=1e-13)


def test_pieces_act_in_their_order() -> None:
    p, s, z = np.full(GOODS, 10.0), np.ones(GOODS), np.full(GOODS, 4.0)
    clipped_first, clipped_last = rule("additive", 1.0, Clip(1.0), Momentum(0.5)), rule("additive", 1.0, Momentum(0.5))
    clipped_last = rule("additive", 1.0, Momentum(0.5), Clip(1.0))
    first, memory = clipped_first.next_prices(p, z, s, clipped_first.start())
    assert clipped_first.next_prices(first, z, s, memory)[0][0] == 10.0 + 1.0 + 1.5
    last, memory = clipped_last.next_prices(p, z, s, clipped_last.start())
    assert clipped_last.next_prices(last, z, s, memory)[0][0] == 10.0 + 1.0 + 1.0


@pytest.mark.parametrize("form", FORMS)
@given(quantities(0.1, 2), quantities(-2, 2), quantities(0, 3))
def test_a_rule_changes_nothing_in_place_and_remembers_nothing_itself(
    form: str, p: np.ndarray, z: np.ndarray, s: np.ndarray
) -> None:
    pure = rule(form, 0.2, Momentum(0.8), Clip(0.1), fixed=np.array([False, True, False, False]))
    memory = tuple(memo + 0.3 if memo.size else memo for memo in pure.start())
    given_to_it = (p, z, s, *memory, pure.floor, pure.fixed)
    before = [array.copy() for array in given_to_it]
    once, remembered = pure.next_prices(p, z, s, memory)
    twice, remembered_too = pure.next_prices(p, z, s, memory)
    for array, copy in zip(given_to_it, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_array_equal(once, twice)
    for a, b in zip(remembered, remembered_too, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(once).all()


def test_rules_and_pieces_are_frozen() -> None:
    for thing, name in ((rule("additive", 0.1), "rate"), (Clip(0.1), "limit"), (Momentum(0.1), "decay")):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, 0.5)
    assert set(PIECES) == {"relative", "clip", "momentum"}


@pytest.mark.parametrize("form", FORMS)
def test_nobody_wants_it_nobody_brings_it_its_price_stays(form: str) -> None:
    pieces = () if form == "multiplicative" else (Relative(),)
    p = np.array([1.0, 2.0, 0.5, 3.0])
    np.testing.assert_array_equal(moved(rule(form, 0.3, *pieces), p, np.zeros(GOODS), np.zeros(GOODS)), p)


@pytest.mark.parametrize(
    ("form", "pieces"), [("additive", ()), ("additive", (Relative(),)), ("multiplicative", ())], ids=str
)
@given(quantities(0.5, 2), quantities(0.1, 5), quantities(-1, 1))
def test_the_metric_makes_a_small_step_the_steepest_one(
    form: str, pieces: tuple[Relative, ...], p: np.ndarray, s: np.ndarray, z: np.ndarray
) -> None:
    """Steepest descent in a metric `w` moves along `signal / w`."""
    small = rule(form, 1e-7, *pieces)
    motion = (moved(small, p, z, s) - p) / 1e-7
    np.testing.assert_allclose(motion * small.metric(p, s), z, rtol=0, atol=1e-5 * max(1.0, float(s.max())))


def test_the_loader_s_rule_is_the_one_written_down() -> None:
    scenario = load(
        {
            "goods": {"a": {"floor": 0.25}, "b": None, "c": {"fixed_price": 3}},
            "numeraire": "b",
            "supply": {"a": 1, "c": 1, "b": 1},
            "consumers": [{"name": "h", "utility": {"cobb_douglas": {"a": 1, "b": 1, "c": 1}}, "budget": 1}],
            "scheduler": {"form": "additive", "rate": 0.05, "with": ["relative", {"momentum": 0.5}, {"clip": 0.1}]},
        }
    )
    assert scenario.rule.chain == (Relative(), Momentum(0.5), Clip(0.1))
    np.testing.assert_array_equal(scenario.rule.fixed, [False, True, True])
    np.testing.assert_array_equal(scenario.initial_prices, [1, 1, 3])
    after = moved(scenario.rule, scenario.initial_prices, np.array([-100.0, 5, 5]), np.array([100.0, 5, 5]))
    np.testing.assert_allclose(after, [0.95, 1, 3], rtol=1e-15)
