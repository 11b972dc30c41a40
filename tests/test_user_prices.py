"""What comes between buyers and sellers is known in one place: every road must follow it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import market_of
from tests.economies import TUPPERWARE_FIRMS
from tests.house import (
    Conservation,
    Economy,
    Fiscal,
    Market,
    Merit,
    PriceFactors,
    Tax,
    Ticks,
    ViewOptions,
    find,
    load,
    reference,
    walras_residual,
)
from tests.test_economy import economies, prices_of

FARM: dict[str, Any] = {
    "goods": ["labour", "grain", "bread"],
    "firms": [
        {"name": "farm", "makes": "grain = 2*labour^0.5"},
        {"name": "bakery", "makes": "bread = 1.5*grain^0.4*labour^0.3"},
    ],
    "consumers": [
        {
            "name": "town",
            "count": 3,
            "utility": {"cobb_douglas": {"labour": 1, "bread": {"uniform": [1, 3]}}},
            "endowment": {"labour": 2},
            "owns": {"farm": 0.2, "bakery": 0.3},
        },
        {
            "name": "lord",
            "utility": {"cobb_douglas": {"bread": 1, "grain": 1}},
            "owns": {"farm": 0.4, "bakery": 0.1},
            "budget": 2,
        },
    ],
    "trade": "at_equilibrium",
}


def wedged(data: dict[str, Any], seed: int) -> Economy:
    """The economy in which everybody faces other prices, each of their own."""
    economy, stream = load(data).economy, np.random.default_rng(seed)
    firms = [stream.uniform(*bounds, len(of)) for bounds, of in (((1, 2), economy.firms), ((0.5, 1), economy.firms))]
    widths = [len(firm.inputs) for firm in economy.firms]
    edges = np.repeat(firms[0], widths) * np.concatenate([1.0 + 0.1 * np.arange(width) for width in widths])
    cohorts = stream.uniform(1, 1.5, (len(economy.consumers), len(economy.goods)))
    return taxed(economy, PriceFactors(edges, firms[1], cohorts))


def taxed(economy: Economy, factors: PriceFactors) -> Economy:
    """The economy in which taxes, whose revenue leaves, are why everybody faces prices times these factors."""
    nobody, cells, none = np.zeros(len(economy.consumers)), np.argwhere(factors.cohorts), np.zeros(0, dtype=np.intp)
    purchases = np.zeros((0, 2), dtype=np.intp)
    taxes = [
        *(
            Tax("input", factor - 1.0, nobody, np.array([at]), none, purchases)
            for at, factor in enumerate(factors.edges)
        ),
        *(
            Tax("output", 1.0 - factor, nobody, none, np.array([at]), purchases)
            for at, factor in enumerate(factors.outlets)
        ),
        *(Tax("purchase", factors.cohorts[*cell] - 1.0, nobody, none, none, cell[None]) for cell in cells),
    ]
    return economy.taxed(Fiscal(len(economy.goods), len(economy.consumers), tuple(taxes)))


def after_a_tick(economy: Economy, data: dict[str, Any], prices: np.ndarray, **changes: Any) -> Market:
    model = Market(replace(market_of(data).scheduler, **changes), economy, prices)
    model.advance()
    return model


@given(economies(), st.integers(0, 99))
def test_firms_and_consumers_respond_to_the_prices_they_face(data: dict[str, Any], seed: int) -> None:
    economy = wedged(data, seed)
    prices, factors = prices_of(economy, seed), economy.price_factors
    assert factors is not None
    balance = economy.balance(prices)
    farm, edges = economy.firms[0].technology, economy.edge_rows[0]
    paid = factors.edges[edges] * prices[[0, 2]]
    products = farm.marginal_product(balance.inputs[edges].reshape(1, -1), paid)
    np.testing.assert_allclose(factors.outlets[0] * prices[1] * products[0], paid, rtol=1e-7)
    for number, cohort in enumerate(economy.consumers):
        faced, income = factors.cohorts[number] * prices, balance.incomes[number]
        np.testing.assert_allclose(balance.consumption[number], cohort.utility.demand(faced, income)[0], rtol=1e-8)
        earned = (cohort.endowment @ prices + cohort.owns @ balance.profits + cohort.budget).item()
        if cohort.utility.needs_income:
            assert income[0] == pytest.approx(max(earned, 0.0), rel=1e-12)


@given(economies(), st.integers(0, 99))
def test_derivatives_are_those_in_market_prices(data: dict[str, Any], seed: int) -> None:
    economy = wedged(data, seed)
    prices, h = prices_of(economy, seed), 1e-6
    balance = economy.balance(prices)
    jacobian = economy.jacobian(balance)
    gradient = economy.user_prices.profit_slopes(prices, balance.outputs, balance.inputs)
    for good, unit in enumerate(np.eye(len(prices))):
        up, down = (economy.balance(prices + s * h * unit, balance.inputs) for s in (1, -1))
        slope = (up.excess_demand - down.excess_demand) / (2 * h)
        np.testing.assert_allclose(jacobian[:, good], slope, rtol=2e-4, atol=2e-5 * np.abs(jacobian).max())
        profits = (up.profits - down.profits) / (2 * h)
        np.testing.assert_allclose(gradient[:, good], profits, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())


@given(economies(), st.integers(0, 99))
def test_the_market_plans_and_pays_as_the_judges_say(data: dict[str, Any], seed: int) -> None:
    economy = wedged(data, seed)
    tick = after_a_tick(economy, data, prices_of(economy, seed)).last_tick
    balance = economy.balance(tick.prices)
    for side in ("demand", "supply"):
        np.testing.assert_allclose(getattr(tick, side), getattr(balance, side), rtol=1e-7)
    np.testing.assert_allclose(tick.planned_profits, balance.profits, rtol=1e-7, atol=1e-9)
    ticks = Ticks([tick])
    assert walras_residual(economy, ticks) < 1e-9
    assert Conservation(economy).observe(ticks)[1] < 1e-9


@given(economies(), st.integers(0, 99))
def test_what_is_wedged_has_no_potential(data: dict[str, Any], seed: int) -> None:
    assert isinstance(reference(wedged(data, seed)), Merit)


@pytest.mark.parametrize("seed", range(5))
def test_at_an_equilibrium_sellers_are_paid_what_users_bid(seed: int) -> None:
    scenario, economy = load(FARM), wedged(FARM, seed)
    (found,) = find(economy, scenario.rule, [np.ones(3)])
    assert np.abs(economy.balance(found.prices).excess_demand).max() < 1e-8
    model = after_a_tick(economy, FARM, found.prices)
    view = model.scheduler.view(economy, found.prices, ViewOptions(scenario.markets, 0))
    rows = view.rows([view.note(model.transition, record=True)])
    np.testing.assert_allclose(np.ravel(rows["trajectory"]().known["bid"]), found.prices, rtol=1e-6)
    np.testing.assert_allclose(np.ravel(rows["wedges"]().known["wedge"]), 0.0, atol=1e-6)
    together, each = (
        after_a_tick(economy, FARM, found.prices * [1.0, 1.2, 0.9], aggregates=on).last_tick for on in (True, False)
    )
    np.testing.assert_allclose(together.demand, each.demand, rtol=1e-10)


def test_the_tick_in_floats_knows_other_prices() -> None:
    scenario = load({"goods": ["natgas", "ethylene", "polyethylene", "tupperware"], "outside": {"tupperware": 4},
                     "supply": {"natgas": 1}, "firms": TUPPERWARE_FIRMS})  # fmt: skip
    economy = taxed(scenario.economy, PriceFactors(np.full(3, 1.5), np.ones(3), np.ones((0, 4))))
    model = market_of(scenario)
    floats, arrays = (
        Market(replace(model.scheduler, engine=engine), economy, model.state.prices) for engine in ("floats", "arrays")
    )
    for _ in range(20):
        floats.advance()
        arrays.advance()
        np.testing.assert_allclose(floats.prices, arrays.prices, rtol=1e-12)
    assert floats.scheduler.served_by(floats.transition) == "floats"


def test_tastes_that_jump_do_so_at_the_prices_faced() -> None:
    """Ann pays 1.6 times the price of y: she is indifferent where that is 1/1.6 of the price of x."""
    data = {
        "goods": ["x", "y"],
        "supply": {"x": 1, "y": 1},
        "scheduler": {"form": "additive", "rate": 0.1},
        "consumers": [{"name": "ann", "utility": {"linear": {"x": 1, "y": 1}}, "budget": 2}],
    }
    scenario = load(data)
    factors = PriceFactors(np.zeros(0), np.zeros(0), np.array([[1.0, 1.6]]))
    economy = replace(scenario.economy, price_factors=factors)
    (found,) = find(economy, scenario.rule, [np.ones(2)])
    # She spends 1 on each: what comes to the sellers of y is 1/1.6.
    np.testing.assert_allclose(found.prices, [1.0, 0.625], rtol=1e-8)
    np.testing.assert_allclose(found.balance.demand, 1.0, rtol=1e-8)
    tick = after_a_tick(economy, data, found.prices).last_tick
    assert tick.split_gap < 1e-9
