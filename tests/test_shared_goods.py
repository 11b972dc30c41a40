"""Goods at several places of a tree: one price each, and of a bundle the best division."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.house import CES, Leontief, Nest, SharedGoods, calibrated

Array = np.ndarray
seeds = st.integers(0, 2**32 - 1)
PLACES = (0, 1, 0, 2, 1, 0)
"""The first good stands three times, the second twice."""


def tree(stream: np.random.Generator, elasticities: Array | None = None) -> tuple[SharedGoods, Array, Array]:
    """A tree of two nests beside a good, its benchmark quantities by good, and prices."""
    if elasticities is None:
        elasticities = stream.choice([0.0, 0.3, 0.7, 1.0, 1.5, 3.0], 3)
    quantities, prices = np.exp(stream.normal(0, 0.7, 6)), np.exp(stream.normal(0, 0.7, 3))
    paid = prices[np.array(PLACES)]

    def level(elasticity: float, amounts: Array, worth: Array) -> CES | Leontief:
        return calibrated(np.full(1, elasticity), amounts[None], worth[None])

    nests = [
        Nest(level(e, quantities[part], paid[part]), tuple(range(6)[part]), 6)
        for e, part in zip(elasticities[1:], (slice(1, 3), slice(3, 6)), strict=True)
    ]
    worth = [paid[0], *((quantities * paid)[part].sum() for part in (slice(1, 3), slice(3, 6)))]
    top = level(elasticities[0], np.array([quantities[0], 1.0, 1.0]), np.array(worth))
    return SharedGoods(Nest(top, (0, *nests), 6), PLACES, 3), np.bincount(PLACES, quantities), prices


@given(seed=seeds)
def test_the_benchmark_is_bought_again(seed: int) -> None:
    form, quantities, prices = tree(np.random.default_rng(seed))
    np.testing.assert_allclose(form.unit_cost(prices), quantities @ prices, rtol=1e-12)
    np.testing.assert_allclose(form.unit_demand(prices)[0], quantities, rtol=1e-11)
    np.testing.assert_allclose(form.value(quantities[None]), 1.0, rtol=1e-12)


@given(seed=seeds)
def test_both_roads_and_the_worth_of_what_is_bought(seed: int) -> None:
    stream = np.random.default_rng(seed)
    form, _, _ = tree(stream)
    prices = np.exp(stream.normal(0, 1, 3))
    bundle = form.demand(prices, np.array([2.0]))
    np.testing.assert_allclose(bundle, form.bought(prices, np.array([2.0])), rtol=1e-11)
    np.testing.assert_allclose(bundle @ prices, 2.0, rtol=1e-12)
    np.testing.assert_allclose(form.value(bundle) * form.unit_cost(prices), 2.0, rtol=1e-10)
    np.testing.assert_allclose(form.value_shares(bundle, prices), bundle * prices / 2.0, atol=1e-10)


@given(seed=seeds)
@settings(max_examples=40)
def test_no_division_is_worth_more_and_some_comes_close(seed: int) -> None:
    stream = np.random.default_rng(seed)
    form, _, _ = tree(stream, stream.choice([0.4, 1.0, 2.5], 3))
    bundle = np.exp(stream.normal(0, 1, 3))
    value, shares = form.appraise(bundle[None], np.ones(3))
    parts = stream.dirichlet(np.ones(6), 4000)
    sums = np.stack([np.bincount(PLACES, part) for part in parts])[:, np.array(PLACES)]
    divided = form.form.value((parts / sums * bundle[np.array(PLACES)])[:, None, :])
    assert divided.max() <= value[0] * (1 + 1e-12)
    assert divided.max() >= 0.9 * value[0]
    assert shares.sum() == pytest.approx(1)
    for good in range(3):
        change = 1e-5 * bundle * (np.arange(3) == good)
        rise = form.value((bundle + change)[None]) - form.value((bundle - change)[None])
        assert rise[0] / (2e-5 * value[0]) == pytest.approx(shares[0, good], abs=1e-6)


@given(seed=seeds)
def test_hessian_and_curvature(seed: int) -> None:
    stream = np.random.default_rng(seed)
    form, _, _ = tree(stream)
    prices = np.exp(stream.normal(0, 1, 3))
    bent = form.hessian(prices)[0]
    for good in range(3):
        change = 1e-6 * prices * (np.arange(3) == good)
        moved = form.log_cost_gradient(prices + change) - form.log_cost_gradient(prices - change)
        np.testing.assert_allclose(
            moved[0] / (2 * change[good]) * prices, bent[good] * prices, atol=1e-6 / prices[good]
        )
    np.testing.assert_allclose(form.curvature(prices, np.array([2.0])), 2.0 * bent, rtol=1e-12)


def test_a_good_at_one_place_only_is_that_of_its_tree() -> None:
    plain = Nest.of_shares(2, [0, 1], np.array([0.5]), np.array([[0.4, 0.6]]))
    shared, bundle = SharedGoods(plain, (1, 0), 2), np.array([[3.0, 2.0]])
    np.testing.assert_allclose(shared.value(bundle), plain.value(bundle[:, ::-1]), rtol=1e-13)
    prices = np.array([1.0, 2.0])
    np.testing.assert_allclose(
        shared.value_shares(bundle, prices)[:, ::-1], plain.value_shares(bundle[:, ::-1], prices)
    )


def test_rows_and_ticks_are_each_their_own() -> None:
    elasticity = np.array([0.4, 1.0, 2.0])
    inner = Nest.of_shares(3, [1, 2], elasticity, np.array([[0.3, 0.7]]))
    form = SharedGoods(Nest.of_shares(3, [0, inner], np.array([0.5]), np.array([[0.5, 0.5]])), (0, 0, 1), 2)
    bundles = np.exp(np.random.default_rng(0).normal(0, 1, (4, 3, 2)))
    values, shares = form.appraise(bundles, np.ones(2))
    for tick in range(4):
        for row in range(3):
            one = form.take(slice(row, row + 1))
            value, share = one.appraise(bundles[tick, row][None], np.ones(2))
            assert values[tick, row] == value[0]
            np.testing.assert_array_equal(shares[tick, row], share[0])


def test_where_goods_are_missing_or_have_no_end() -> None:
    def form(elasticity: float) -> SharedGoods:
        inner = Nest.of_shares(3, [1, 2], np.array([elasticity]), np.array([[0.5, 0.5]]))
        top = Nest.of_shares(3, [0, inner], np.array([elasticity]), np.array([[0.5, 0.5]]))
        return SharedGoods(top, (0, 0, 1), 2)

    bundle = np.array([[3.0, 0.0]])
    for elasticity in (0.0, 0.5, 1.0):
        assert form(elasticity).value(bundle).tolist() == [0.0]
        assert form(elasticity).value_shares(bundle, np.ones(2)).sum() == pytest.approx(1)
    flat = CES(np.array([2.0]), np.array([[0.75, 0.25]]))
    np.testing.assert_allclose(form(2.0).value(bundle), flat.value(bundle), rtol=1e-10)
    assert form(2.0).value(np.array([[np.inf, 1.0]])).tolist() == [np.inf]
    np.testing.assert_allclose(
        form(0.5).value(np.array([[np.inf, 1.0]])),
        CES(np.array([0.5]), flat.shares).value(np.array([[np.inf, 1.0]])),
        rtol=1e-10,
    )
    assert form(2.0).value(np.zeros((1, 2))).tolist() == [0.0]
    assert form(2.0).wanted.tolist() == [[True, True]]
