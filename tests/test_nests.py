"""Nests: trees whose levels agree with one flat level where they may, and with the formula written down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house import CES, Form, Leontief, Nest

Array = np.ndarray
seeds = st.integers(0, 2**32 - 1)
ELASTICITIES = [0.0, 0.3, 1.0, 1.0 + 1e-9, 2.5]


def tree(elasticity: float, outer: Array, inner: Array, innermost: Array, weights: bool = False) -> Nest:
    """Goods 4, 1 beside a nest of 3 beside a nest of 0, 2: three levels."""
    level, rows = Nest.of_weights if weights else Nest.of_shares, np.full(len(outer), elasticity)
    deepest = level(5, [0, 2], rows, innermost)
    return level(5, [4, level(5, [3, deepest], rows, inner), 1], rows, outer)


def flattened(outer: Array, inner: Array, innermost: Array) -> Array:
    """The share of each good in all."""
    nest = outer[:, 1:2] * inner
    goods = [nest[:, 1] * innermost[:, 0], outer[:, 2], nest[:, 1] * innermost[:, 1], nest[:, 0], outer[:, 0]]
    return np.stack(goods, axis=1)


def drawn(seed: int) -> tuple[list[Array], Array, Array, Array]:
    """Shares of three levels, prices, incomes, a bundle."""
    stream = np.random.default_rng(seed)
    shares = [stream.dirichlet(np.ones(count), 3) for count in (3, 2, 2)]
    prices, income = np.exp(stream.normal(0, 1, 5)), np.exp(stream.normal(0, 1, 3))
    return shares, prices, income, np.exp(stream.normal(0, 1, (3, 5)))


def same(one: Form, other: Form, prices: Array, income: Array, bundle: Array) -> None:
    near = {"rtol": 1e-12, "atol": 1e-13}
    np.testing.assert_array_equal(one.wanted, other.wanted)
    np.testing.assert_allclose(one.demand(prices, income), other.demand(prices, income), **near)
    np.testing.assert_allclose(one.value(bundle), other.value(bundle), **near)
    np.testing.assert_allclose(one.value_shares(bundle, prices), other.value_shares(bundle, prices), **near)
    np.testing.assert_allclose(one.unit_cost(prices), other.unit_cost(prices), **near)
    np.testing.assert_allclose(one.unit_demand(prices), other.unit_demand(prices), **near)
    np.testing.assert_allclose(one.log_cost_gradient(prices), other.log_cost_gradient(prices), **near)
    np.testing.assert_allclose(one.hessian(prices), other.hessian(prices), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(one.curvature(prices, income), other.curvature(prices, income), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("elasticity", ELASTICITIES)
@given(seed=seeds)
def test_a_tree_of_one_elasticity_is_flat(elasticity: float, seed: int) -> None:
    shares, prices, income, bundle = drawn(seed)
    flat = flattened(*shares)
    form = Leontief(flat) if elasticity == 0 else CES(np.full(3, elasticity), flat)
    same(tree(elasticity, *shares), form, prices, income, bundle)


@pytest.mark.parametrize("elasticity", [0.3, 0.8, 2.5])
@given(seed=seeds)
def test_a_tree_of_one_elasticity_given_by_weights_is_flat(elasticity: float, seed: int) -> None:
    weights, prices, income, bundle = drawn(seed)
    weights = [2.0 * level for level in weights]
    flat = CES.from_weights(np.full(3, elasticity), flattened(*weights))
    same(tree(elasticity, *weights, weights=True), flat, prices, income, bundle)


@given(seed=seeds, elasticity=st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_a_nest_alone_on_its_level_is_that_nest(seed: int, elasticity: float) -> None:
    shares, prices, income, bundle = drawn(seed)
    inner = tree(0.7, *shares)
    outer = Nest.of_shares(5, [inner], np.full(1, elasticity), np.ones((1, 1)))
    same(outer, inner, prices, income, bundle)


@given(seed=seeds)
def test_each_level_is_the_formula_of_the_contract(seed: int) -> None:
    stream = np.random.default_rng(seed)
    outer, inner = stream.uniform(0.1, 2, (1, 2)), stream.uniform(0.1, 2, (1, 2))
    bundle = np.exp(stream.normal(0, 1, (1, 3)))
    capital, labour, energy = bundle[0]
    sigma, tau = 0.6, 1.8
    rho, r = 1 - 1 / sigma, 1 - 1 / tau
    machines = (inner[0, 0] * capital**r + inner[0, 1] * energy**r) ** (1 / r)
    by_hand = (outer[0, 0] * labour**rho + outer[0, 1] * machines**rho) ** (1 / rho)
    nest = Nest.of_weights(3, [0, 2], np.array([tau]), inner)
    form = Nest.of_weights(3, [1, nest], np.array([sigma]), outer)
    assert form.value(bundle)[0] == pytest.approx(by_hand, rel=1e-12)

    shares, parts = outer / outer.sum(), inner / inner.sum()
    machines = sum((parts[0] ** (1 / tau)) * np.array([capital, energy]) ** r) ** (1 / r)
    by_hand = sum((shares[0] ** (1 / sigma)) * np.array([labour, machines]) ** rho) ** (1 / rho)
    nest = Nest.of_shares(3, [0, 2], np.array([tau]), inner)
    assert Nest.of_shares(3, [1, nest], np.array([sigma]), outer).value(bundle)[0] == pytest.approx(by_hand, rel=1e-12)


@given(seed=seeds)
def test_weights_at_the_elasticities_0_and_1(seed: int) -> None:
    stream = np.random.default_rng(seed)
    weights, bundle = stream.uniform(0.1, 2, (1, 3)), np.exp(stream.normal(0, 1, (1, 3)))
    goods = range(3)
    least = Nest.of_weights(3, goods, np.zeros(1), weights)
    assert least.value(bundle)[0] == bundle.min()
    product = Nest.of_weights(3, goods, np.ones(1), weights)
    assert product.value(bundle)[0] == pytest.approx(np.prod(bundle ** (weights / weights.sum())), rel=1e-12)


@given(seed=seeds, elasticity=st.sampled_from([0.0, 0.4, 1.0, 2.0]))
def test_at_equal_prices_every_level_spends_its_shares(seed: int, elasticity: float) -> None:
    """Whatever the elasticities, for a nest costs as much as a good."""
    stream = np.random.default_rng(seed)
    shares, _, income, _ = drawn(seed)
    own = iter(stream.uniform(0.1, 3, 2))
    deepest = Nest.of_shares(5, [0, 2], np.full(3, next(own)), shares[2])
    middle = Nest.of_shares(5, [3, deepest], np.full(3, elasticity), shares[1])
    form = Nest.of_shares(5, [4, middle, 1], np.full(3, next(own)), shares[0])
    np.testing.assert_allclose(form.unit_cost(np.ones(5)), 1.0, rtol=1e-13)
    spent = 2.5 * form.demand(np.full(5, 2.5), income) / income[:, None]
    np.testing.assert_allclose(spent, flattened(*shares), rtol=1e-12)


@given(seed=seeds)
def test_goods_of_one_nest_replace_one_another_by_its_elasticity(seed: int) -> None:
    """And at given spending on the nest nothing outside moves them."""
    stream = np.random.default_rng(seed)
    inner, outer = stream.uniform(0.2, 3, (2, 3))
    nest = Nest.of_shares(3, [0, 1], inner, stream.dirichlet(np.ones(2), 3))
    form = Nest.of_shares(3, [nest, 2], outer, stream.dirichlet(np.ones(2), 3))
    prices, income = np.exp(stream.normal(0, 1, 3)), np.ones(3)
    moved = prices * np.array([1.3, 1.0, 7.0])
    before, after = form.demand(prices, income), form.demand(moved, income)
    ratio = np.log(after[:, 0] / after[:, 1]) - np.log(before[:, 0] / before[:, 1])
    np.testing.assert_allclose(ratio, -inner * np.log(1.3), rtol=1e-10)
    costs = np.log(nest.unit_cost(moved) / nest.unit_cost(prices)) - np.log(7.0)
    quantity = np.log(nest.value(after) / after[:, 2]) - np.log(nest.value(before) / before[:, 2])
    np.testing.assert_allclose(quantity, -outer * costs, rtol=1e-9, atol=1e-12)


@given(seed=seeds)
def test_free_goods_of_fixed_proportions_are_used_as_in_one_level(seed: int) -> None:
    shares, prices, income, _ = drawn(seed)
    nest, flat = tree(0.0, *shares), Leontief(flattened(*shares))
    for free in ([0], [0, 2], [0, 2, 3], [4]):
        quoted = prices.copy()
        quoted[free] = 0.0
        np.testing.assert_allclose(nest.demand(quoted, income), flat.demand(quoted, income), rtol=1e-12)
        np.testing.assert_allclose(nest.unit_demand(quoted), flat.unit_demand(quoted), rtol=1e-12)
        np.testing.assert_allclose(nest.curvature(quoted, income), flat.curvature(quoted, income), rtol=1e-10)


def test_a_free_good_that_replaces_others_is_wanted_without_end() -> None:
    nest = Nest.of_shares(3, [0, 1], np.full(1, 2.0), np.ones((1, 2)))
    form = Nest.of_shares(3, [nest, 2], np.full(1, 0.5), np.ones((1, 2)))
    for income in (0.0, 1.0):
        bundle = form.demand(np.array([0.0, 1.0, 1.0]), np.array([income]))[0]
        assert bundle.tolist() == [np.inf, 0.0, pytest.approx(income)]
    assert form.unit_cost(np.array([0.0, 1.0, 1.0]))[0] == pytest.approx(0.25)


def test_goods_outside_the_tree_are_not_wanted() -> None:
    form = Nest.of_shares(4, [2, Nest.of_shares(4, [0], np.ones(1), np.ones((1, 1)))], np.ones(1), np.ones((1, 2)))
    assert form.wanted.tolist() == [[True, False, True, False]]
    assert form.leaves == (2, 0)
    assert form.demand(np.array([1.0, 0.0, 2.0, 3.0]), np.ones(1)).tolist() == [[0.5, 0.0, 0.25, 0.0]]


def test_shares_of_many_rows_at_any_level() -> None:
    stream = np.random.default_rng(0)
    shares = stream.dirichlet(np.ones(2), 6)
    nest = Nest.of_shares(3, [1, 2], np.full(1, 0.5), shares)
    form = Nest.of_shares(3, [0, nest], np.full(1, 1.5), np.ones((1, 2)))
    prices = np.array([1.0, 2.0, 3.0])
    assert form.size == 6
    assert form.take(slice(2, 4)).size == 2
    demand = form.demand(prices, np.ones(6))
    for row in range(6):
        alone = form.take(slice(row, row + 1)).demand(prices, np.ones(1))[0]
        np.testing.assert_allclose(alone, demand[row], rtol=1e-13)


@pytest.mark.parametrize(
    ("branches", "elasticity", "found"),
    [
        ([0, 0], [1.0], "each once"),
        ([0, 7], [1.0], "from 0 to 2"),
        ([0, 1, 2], [1.0], "2 shares for 3 branches"),
        ([0, 1], [0.0, 1.0], "all or none"),
    ],
)
def test_what_is_no_tree_is_refused(branches: list[int | Nest], elasticity: list[float], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        Nest.of_shares(3, branches, np.array(elasticity), np.ones((1, 2)))


def test_a_good_of_two_nests_is_refused() -> None:
    nest = Nest.of_shares(3, [0, 1], np.ones(1), np.ones((1, 2)))
    with pytest.raises(ValueError, match="each once"):
        Nest.of_shares(3, [nest, 1], np.ones(1), np.ones((1, 2)))
