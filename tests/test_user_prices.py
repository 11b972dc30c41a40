"""What comes between buyers and sellers is known in one place: every road must follow it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import market_of
from tests.house import Economy, UserPrices, load
from tests.test_economy import economies, prices_of

INPUTS, OUTPUTS, CONSUMERS = 1.5, 0.8, 1.25


class Wedge(UserPrices):
    """Users pay more than the market's price, and makers get less."""

    def paid(self, prices: np.ndarray) -> np.ndarray:
        return INPUTS * super().paid(prices)

    def received(self, prices: np.ndarray) -> np.ndarray:
        return OUTPUTS * super().received(prices)

    def of_cohort(self, number: int, prices: np.ndarray) -> np.ndarray:
        return CONSUMERS * prices

    def cohort_slopes(self, number: int) -> np.ndarray:
        return CONSUMERS * super().cohort_slopes(number)

    def slopes(self, number: int) -> np.ndarray:
        slopes = super().slopes(number)
        return slopes * np.array([OUTPUTS, *[INPUTS] * (len(slopes) - 1)])[:, None]


@pytest.fixture(autouse=True)
def wedge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.economics.economy.UserPrices", Wedge)


def wedged(data: dict[str, Any]) -> Economy:
    economy = load(data).economy
    assert isinstance(economy.user_prices, Wedge)
    return economy


@given(economies(), st.integers(0, 99))
def test_firms_and_consumers_respond_to_the_prices_they_face(data: dict[str, Any], seed: int) -> None:
    economy = wedged(data)
    prices = prices_of(economy, seed)
    balance = economy.balance(prices)
    farm, edges = economy.firms[0].technology, economy.edge_rows[0]
    products = farm.marginal_product(balance.inputs[edges].reshape(1, -1), INPUTS * prices[[0, 2]])
    np.testing.assert_allclose(OUTPUTS * prices[1] * products[0], INPUTS * prices[[0, 2]], rtol=1e-7)
    spent = sum(income.sum() for income in balance.incomes)
    if all(cohort.utility.needs_income for cohort in economy.consumers):
        assert CONSUMERS * prices @ balance.consumption.sum(axis=0) == pytest.approx(float(spent), rel=1e-9)


@given(economies(), st.integers(0, 99))
def test_derivatives_are_those_in_market_prices(data: dict[str, Any], seed: int) -> None:
    economy = wedged(data)
    prices, h = prices_of(economy, seed), 1e-6
    balance = economy.balance(prices)
    jacobian = economy.jacobian(balance)
    gradient = economy.user_prices.profit_slopes(balance.outputs, balance.inputs)
    for good, unit in enumerate(np.eye(len(prices))):
        up, down = (economy.balance(prices + s * h * unit, balance.inputs) for s in (1, -1))
        slope = (up.excess_demand - down.excess_demand) / (2 * h)
        np.testing.assert_allclose(jacobian[:, good], slope, rtol=2e-4, atol=2e-5 * np.abs(jacobian).max())
        profits = (up.profits - down.profits) / (2 * h)
        np.testing.assert_allclose(gradient[:, good], profits, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())


@given(economies(), st.integers(0, 99))
def test_the_market_plans_and_pays_as_the_judges_say(data: dict[str, Any], seed: int) -> None:
    prices = prices_of(wedged(data), seed)
    model = market_of(data, prices)
    model.step()
    balance = model.economy.balance(model.last_tick.prices)
    np.testing.assert_allclose(model.last_tick.demand, balance.demand, rtol=1e-7)
    np.testing.assert_allclose(model.last_tick.supply, balance.supply, rtol=1e-7)
