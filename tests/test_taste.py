"""A taste that gives its demand and utility alone: what follows by differences is what closed forms say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.house import CES, Array, Homothetic, QuasiLinear, Taste

PRICES = np.array([1.0, 0.4, 2.5])
INCOME = np.array([3.0, 0.7, 12.0])
FORM = CES(np.array([0.5, 1.7, 3.0]), np.array([[1.0, 2.0, 1.0], [3.0, 1.0, 1.0], [1.0, 1.0, 4.0]]))
CLOSED = Homothetic(FORM)


@dataclass(frozen=True)
class Bare(Taste):
    """A CES of which only demand and utility are known."""

    inner: CES

    def demand(self, prices: Array, income: Array) -> Array:
        return self.inner.demand(prices, income)

    def utility(self, quantities: Array, paid: Array) -> Array:
        return self.inner.value(quantities)


BARE = Bare(FORM)


def test_sums_and_spending_are_those_of_the_demand() -> None:
    np.testing.assert_allclose(BARE.total_demand(PRICES, INCOME), CLOSED.total_demand(PRICES, INCOME), rtol=1e-14)
    np.testing.assert_allclose(BARE.spending(PRICES, INCOME), INCOME, rtol=1e-14)
    np.testing.assert_array_equal(BARE.dual_demand(PRICES, INCOME), BARE.demand(PRICES, INCOME))
    np.testing.assert_allclose(BARE.surplus(PRICES, INCOME), INCOME / FORM.unit_cost(PRICES), rtol=1e-13)
    assert BARE.size == 3
    assert BARE.take(slice(1, 3)).demand(PRICES, INCOME[1:]).shape == (2, 3)


def test_derivatives_are_those_of_the_closed_form() -> None:
    slope = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [4.0, 1.0, 0.0]])
    found, expected = (taste.jacobian(PRICES, INCOME, slope) for taste in (BARE, CLOSED))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_worth_and_imputation_are_those_of_the_closed_form() -> None:
    bundle = np.array([[1.0, 2.0, 0.5], [0.3, 0.1, 4.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(BARE.value_shares(bundle, PRICES), CLOSED.value_shares(bundle, PRICES), rtol=1e-8)
    np.testing.assert_allclose(BARE.worth(bundle, PRICES, INCOME), CLOSED.worth(bundle, PRICES, INCOME), rtol=1e-8)


def test_nothing_consumed_is_imputed_as_the_first_money_is_spent() -> None:
    found = BARE.value_shares(np.zeros((3, 3)), PRICES)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(found, FORM.demand(PRICES, np.ones(3)) * PRICES, rtol=1e-12)


def test_who_compares_goods_with_money_counts_in_money() -> None:
    closed = QuasiLinear(np.array([[1.0, 2.0, 3.0]]), np.array([2.0]))

    @dataclass(frozen=True)
    class InMoney(Taste):
        weights: Array
        needs_income = False

        def demand(self, prices: Array, income: Array) -> Array:
            return (self.weights / prices) ** 2.0 * np.ones((len(income), 1))

        def utility(self, quantities: Array, paid: Array) -> Array:
            return (2.0 * self.weights * np.sqrt(quantities)).sum(axis=-1) - paid

    bare, bundle, endless = InMoney(np.array([[1.0, 2.0, 3.0]])), np.array([[1.0, 2.0, 0.5]]), np.array([np.inf])
    np.testing.assert_allclose(bare.demand(PRICES, endless), closed.demand(PRICES, endless), rtol=1e-13)
    np.testing.assert_allclose(bare.surplus(PRICES, endless), closed.surplus(PRICES, endless), rtol=1e-12)
    np.testing.assert_allclose(bare.worth(bundle, PRICES, endless), closed.worth(bundle, PRICES, endless), rtol=1e-8)
    nothing = np.zeros((1, 3))
    found, expected = (taste.jacobian(PRICES, endless, nothing) for taste in (bare, closed))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("part", ["demand", "utility"])
def test_a_taste_without_its_essentials_says_which(part: str) -> None:
    methods = {name: getattr(Bare, name) for name in ("demand", "utility") if name != part}
    with pytest.raises(TypeError, match=part):
        type("Lacking", (Taste,), methods)()
