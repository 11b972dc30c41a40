"""Price rules: formulas straight down, bounds, pieces, and that a rule neither keeps nor changes anything."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.house import INFORMATION, PIECES, RECIPES, Clip, Decay, Momentum, OwnSlope, PriceRule, Relative, load
from tests.house import PRICE_FORMS as FORMS

GOODS = 4
FREE = np.zeros(GOODS, dtype=bool)
FLOOR = np.full(GOODS, 1e-12)


def rule(form: str, rate: float, *pieces: Any, floor: np.ndarray = FLOOR, fixed: np.ndarray = FREE) -> PriceRule:
    return PriceRule(form, rate, tuple(pieces), floor, fixed)


def quantities(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, GOODS, elements=st.floats(low, high))


def moved(
    of: PriceRule, prices: np.ndarray, signal: np.ndarray, scale: np.ndarray, slope: np.ndarray | None = None
) -> np.ndarray:
    jacobian = None if slope is None else np.diag(slope)
    return of.next_prices(prices, signal, scale, of.start(), jacobian)[0]


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
    fixed = np.array([False, True, False, False])
    pure = rule(form, 0.2, OwnSlope(), Momentum(0.8), Decay(0.5), Clip(0.1), fixed=fixed)
    memory, jacobian = tuple(memo + 1 for memo in pure.start()), -np.diag(s)
    given_to_it = (p, z, s, jacobian, *memory, pure.floor, pure.fixed)
    before = [array.copy() for array in given_to_it]
    once, remembered = pure.next_prices(p, z, s, memory, jacobian)
    twice, remembered_too = pure.next_prices(p, z, s, memory, jacobian)
    for array, copy in zip(given_to_it, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_array_equal(once, twice)
    for a, b in zip(remembered, remembered_too, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(once).all()


def test_rules_and_pieces_are_frozen() -> None:
    for thing, name in (
        (rule("additive", 0.1), "rate"),
        (Clip(0.1), "limit"),
        (Momentum(0.1), "decay"),
        (Decay(0.5), "over"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, 0.5)


@pytest.mark.parametrize("form", FORMS)
def test_nobody_wants_it_nobody_brings_it_its_price_stays(form: str) -> None:
    pieces = () if form == "multiplicative" else (Relative(),)
    p = np.array([1.0, 2.0, 0.5, 3.0])
    np.testing.assert_array_equal(moved(rule(form, 0.3, *pieces), p, np.zeros(GOODS), np.zeros(GOODS)), p)


@pytest.mark.parametrize(
    ("form", "pieces"),
    [
        ("additive", ()),
        ("additive", (Relative(),)),
        ("multiplicative", ()),
        ("additive", (OwnSlope(),)),
        ("multiplicative", (OwnSlope(),)),
    ],
    ids=str,
)
@given(quantities(0.5, 2), quantities(0.1, 5), quantities(-1, 1), quantities(-3, 3))
def test_the_metric_makes_a_small_step_the_steepest_one(
    form: str, pieces: tuple[Any, ...], p: np.ndarray, s: np.ndarray, z: np.ndarray, slope: np.ndarray
) -> None:
    """Steepest descent in a metric `w` moves along `signal / w`."""
    small = rule(form, 1e-7, *pieces)
    motion = (moved(small, p, z, s, slope) - p) / 1e-7
    found = motion * small.metric(p, s, slope)
    np.testing.assert_allclose(found, z, rtol=0, atol=1e-5 * max(1.0, float(s.max())))


@given(quantities(0.5, 2), quantities(-1, 1), quantities(1, 5), quantities(0.4, 3), st.floats(0.01, 0.4))
def test_own_slopes_straight_down(p: np.ndarray, z: np.ndarray, s: np.ndarray, slope: np.ndarray, rate: float) -> None:
    """Steep enough not to count as flat (`0.1 s/p`), except where said; the sign of the slope does not matter."""
    steep = slope + 0.1 * s / p
    for sign in (1, -1):
        additive = moved(rule("additive", rate, OwnSlope()), p, z, s, sign * steep)
        multiplicative = moved(rule("multiplicative", rate, OwnSlope()), p, z, s, sign * steep)
        for i in range(GOODS):
            assert additive[i] == pytest.approx(max(p[i] + rate * z[i] / steep[i], 1e-12), rel=1e-14)
            assert multiplicative[i] == pytest.approx(p[i] * math.exp(rate * z[i] / (p[i] * steep[i])), rel=1e-14)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("flat", [0.0, -0.0, 1e-300, -1e-9, math.nan])
@given(quantities(0.5, 2), quantities(0, 1e3), quantities(0, 1e3))
def test_where_demand_is_flat_a_step_stays_bounded(
    form: str, flat: float, p: np.ndarray, d: np.ndarray, s: np.ndarray
) -> None:
    one = rule(form, 0.1, OwnSlope(), floor=np.full(GOODS, -np.inf))
    after = moved(one, p, d - s, np.maximum(d, s), np.full(GOODS, flat))
    gone = np.log(after / p) if form == "multiplicative" else (after - p) / p
    assert np.all(np.abs(gone) <= 10 * 0.1 * (1 + 1e-9))
    assert np.all(gone * (d - s) >= 0)


def test_a_price_of_zero_moves_by_its_slope_alone() -> None:
    zero, ones = np.zeros(GOODS), np.ones(GOODS)
    after = moved(rule("additive", 1.0, OwnSlope()), zero, ones, ones, np.array([-2.0, -0.5, -math.inf, 0.0]))
    np.testing.assert_allclose(after, [0.5, 2.0, 1e-12, 1e-12], rtol=1e-15)


@pytest.mark.parametrize("form", FORMS)
@given(
    *(quantities(0.5, 2), quantities(-1, 1), quantities(1, 5), quantities(-4, 4)),
    *(quantities(0.01, 100), st.floats(0.01, 100)),
)
def test_no_unit_matters_to_a_step_by_the_own_slope(
    form: str, p: np.ndarray, z: np.ndarray, s: np.ndarray, slope: np.ndarray, unit: np.ndarray, money: float
) -> None:
    """Quantities of each good in another unit, prices in another money: the same prices, in the new units."""
    own = rule(form, 0.1, OwnSlope(), Clip(0.5) if form == "multiplicative" else Momentum(0.5), floor=np.zeros(GOODS))
    here = moved(own, p, z, s, slope)
    there = moved(own, p * money / unit, z * unit, s * unit, slope * unit**2 / money)
    np.testing.assert_allclose(there, here * money / unit, rtol=1e-12, atol=1e-13 * float(np.max(money / unit)))


def test_at_rate_one_a_market_of_its_own_takes_newton_s_steps() -> None:
    """Straight demand `8 - 2p` clears in one additive step; with `6/p = 3` the error in `ln p` is squared each tick."""
    p, s = np.array([1.0, 3.0, 2.0, 0.5]), np.full(GOODS, 2.0)
    demand = 8 - 2 * p
    after = moved(rule("additive", 1.0, OwnSlope()), p, demand - s, np.maximum(demand, s), np.full(GOODS, -2.0))
    np.testing.assert_allclose(after, 3.0, rtol=1e-15)
    own, prices = rule("multiplicative", 1.0, OwnSlope()), np.array([1.5, 2.6, 3.0, 1.9])
    errors = []
    for _ in range(4):
        errors.append(np.abs(np.log(prices / 2)))
        prices = moved(own, prices, 6 / prices - 3, np.maximum(6 / prices, 3), -6 / prices**2)
    for before, later in itertools.pairwise(errors):
        assert np.all(later <= before**2)


@pytest.mark.parametrize("form", FORMS)
def test_a_rule_that_needs_slopes_says_so(form: str) -> None:
    own, ones = rule(form, 0.1, OwnSlope(), Momentum(0.5)), np.ones(GOODS)
    assert own.needs_jacobian
    assert own.by_own_slope
    assert not own.relative
    assert own.chain == (OwnSlope(), Momentum(0.5))
    assert not rule(form, 0.1, Momentum(0.5)).needs_jacobian
    with pytest.raises(ValueError, match="Jacobian"):
        own.next_prices(ones, ones, ones, own.start())
    with pytest.raises(ValueError, match="slope"):
        own.metric(ones, ones)


@given(quantities(5, 9), quantities(-1, 1), st.floats(0, 2), st.floats(0.1, 100), st.integers(0, 30))
def test_steps_decay_with_the_number_taken(p: np.ndarray, z: np.ndarray, power: float, over: float, ticks: int) -> None:
    slowing = rule("additive", 0.01, Decay(power, over))
    memory, prices = slowing.start(), p
    for _ in range(ticks):
        prices, memory = slowing.next_prices(prices, z, np.ones(GOODS), memory)
    expected = p + 0.01 * z * sum((1 + t / over) ** -power for t in range(ticks))
    np.testing.assert_allclose(prices, expected, rtol=1e-13)
    assert [memo.tolist() for memo in memory] == [[ticks], []]
    assert slowing.start(7)[0].dtype == memory[0].dtype == np.int64
    later, _ = slowing.next_prices(p, z, np.ones(GOODS), slowing.start(ticks))
    np.testing.assert_allclose(later, slowing.next_prices(p, z, np.ones(GOODS), memory)[0], rtol=0, atol=0)


def test_what_a_rule_knows_is_the_widest_of_its_pieces() -> None:
    assert rule("additive", 0.1).information == "local"
    assert rule("multiplicative", 0.1, Momentum(0.5), Clip(0.1), Decay(1)).information == "local"
    assert rule("additive", 0.1, Momentum(0.5), OwnSlope(), Decay(1)).information == "own slope"
    for piece in PIECES.values():
        assert piece.information in INFORMATION
        assert piece.meaning


HOME = np.array([1.0, 1.25, 1.6, 0.8])


def bowl(prices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four Fisher markets of their own, each with money 2 and a supply that clears at `HOME`."""
    demand, supply = 2 / prices, 2 / HOME
    return demand - supply, np.maximum(demand, supply), -demand / prices


def kinked(prices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same with demand that jumps from 2 to 0 where the price passes its value, as with linear utility."""
    demand, supply = np.where(prices < HOME, 2.0, 0.0), np.ones(GOODS)
    return demand - supply, np.maximum(demand, supply), np.zeros(GOODS)


def farthest_at_last(of: PriceRule, market: Any, ticks: int) -> float:
    """Largest error of log prices over the last tenth of the ticks, from prices all 1.5."""
    memory, prices, worst = of.start(), np.full(GOODS, 1.5), 0.0
    for tick in range(ticks):
        z, s, slope = market(prices)
        prices, memory = of.next_prices(prices, z, s, memory, np.diag(slope))
        if tick >= 0.9 * ticks:
            worst = max(worst, float(np.max(np.abs(np.log(prices / HOME)))))
    return worst


BOTTOM = {
    "walras": (0.05, 1e-9),
    "cole_fleischer": (0.5, 1e-9),
    "heavy_ball": (0.02, 1e-9),
    "robbins_monro": (1.0, 1e-2),
    "subgradient": (0.2, 1e-5),
    "jacobi_newton": (1.0, 1e-14),
    "gauss_seidel": (1.0, 1e-14),
    "nesterov": (0.02, 1e-9),
    "rmsprop": (0.02, 1e-9),
    "adam": (0.02, 1e-9),
    "optimistic": (0.05, 1e-9),
    "extragradient": (0.05, 1e-9),
    "negative_momentum": (0.5, 1e-9),
    "primal_averaging": (0.1, 1e-2),
    "anderson": (0.5, 1e-9),
    "newton": (1.0, 1e-14),
    "symplectic": (0.5, 1e-9),
    "consensus": (0.5, 1e-9),
}
"""At what rate, and how near in ln p after 3,000 ticks."""


@pytest.mark.parametrize("name", RECIPES)
def test_every_famous_rule_finds_the_bottom_of_a_bowl(name: str) -> None:
    recipe, (rate, within) = RECIPES[name], BOTTOM[name]
    assert farthest_at_last(rule(recipe.form, rate, *recipe.pieces), bowl, 3000) <= within


def test_the_famous_rules_are_what_they_are_called() -> None:
    assert set(RECIPES) >= {"walras", "cole_fleischer", "heavy_ball", "robbins_monro", "subgradient", "jacobi_newton"}
    for name, recipe in RECIPES.items():
        assert name.replace("_", "").isalpha()
        assert name == name.lower()
        assert recipe.form in FORMS
        assert all(type(piece) in PIECES.values() for piece in recipe.pieces)
        assert recipe.meaning
        assert "\n" not in recipe.meaning
        assert re.search(r"\(\d{4}\)", recipe.source)
    known = {
        information: {n for n, r in RECIPES.items() if r.information == information} for information in INFORMATION
    }
    assert known["own slope"] == {"jacobi_newton", "gauss_seidel"}
    assert known["global"] == {"anderson", "newton", "symplectic", "consensus"}


def test_where_demand_jumps_only_shrinking_steps_settle() -> None:
    steady, shrinking = RECIPES["walras"], RECIPES["subgradient"]
    hovering = farthest_at_last(rule(steady.form, 0.1, *steady.pieces), kinked, 4000)
    settling = farthest_at_last(rule(shrinking.form, 0.1, *shrinking.pieces), kinked, 4000)
    assert hovering > 0.05
    assert settling < 0.1 * hovering


def test_where_demand_is_noisy_robbins_and_monro_average_it_out() -> None:
    noise = np.random.default_rng(4)

    def noisy(prices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        z, s, slope = bowl(prices)
        return z + noise.normal(0, 0.3, GOODS), s, slope

    steady, fading = RECIPES["walras"], RECIPES["robbins_monro"]
    tossed = farthest_at_last(rule(steady.form, 0.5, *steady.pieces), noisy, 10_000)
    settled = farthest_at_last(rule(fading.form, 1.0, *fading.pieces), noisy, 10_000)
    assert tossed > 0.2
    assert settled < 0.1 * tossed


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
