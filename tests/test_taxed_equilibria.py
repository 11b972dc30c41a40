"""Equilibria with taxes that cannot be, or lie at held prices; and how fragile they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import simulate
from tests.house import Fragility, find, load, parameters, solve

OPEN: dict[str, Any] = {
    "name": "harbour",
    "goods": ["wheat", "cars", "labour"],
    "numeraire": "wheat",
    "outside": {"wheat": 1, "cars": 2},
    "firms": [{"name": "farm", "makes": "wheat = 3*labour^0.7"}],
    "consumers": [
        {
            "name": "folk",
            "utility": {"ces": {"elasticity": 3, "shares": {"wheat": 0.5, "cars": 0.4, "labour": 0.1}}},
            "endowment": {"labour": 20},
            "owns": {"farm": 1},
        },
        {"name": "state", "utility": {"cobb_douglas": {"labour": 1}}},
    ],
    "taxes": [{"name": "tariff", "on": "consumption", "good": "cars", "rate": 0.25, "to": "state"}],
    "trade": "at_equilibrium",
}


def adjusting(keep: str, at: float) -> dict[str, Any]:
    (tax,) = OPEN["taxes"]
    return {**OPEN, "taxes": [{**tax, "rate": {"adjust": {"keep": keep, "at": at}}}]}


def test_what_a_state_buys_with_revenue_is_worth_its_price() -> None:
    """Nothing comes between labour and its users, so that its derivative is its price, whoever uses it."""
    (found,) = solve(OPEN).summary["found"]
    assert found["income"]["state"] > 0.1
    assert found["adjoint"]["labour"] == pytest.approx(found["price"]["labour"], rel=1e-12)


def test_a_run_that_clears_where_no_equilibrium_is_says_who_cannot_pay() -> None:
    """The search goes on from all that is unknown in the last tick: prices, and what was received."""
    scenario = {
        "goods": ["x", "y", "L"],
        "outside": {"y": 1.5},
        "firms": [{"name": "f", "makes": "x = L^0.5*y^0.2"}],
        "consumers": [
            {"name": "a", "endowment": {"L": 2}, "owns": {"f": 1}, "utility": {"cobb_douglas": {"x": 3, "y": 7}}},
            {"name": "b", "endowment": {"L": 1, "x": 0.3}, "utility": {"cobb_douglas": {"x": 1, "y": 1}}},
        ],
        "transfers": [{"from": "a", "to": "b", "amount": 0.4}],
        "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
        "run": {"ticks": 1000},
    }
    summary = simulate(scenario).summary
    assert summary["outcome"] == "cleared"
    assert "Where all markets clear a would have less than nothing to spend" in summary["sentence"]


def test_a_run_with_linear_tastes_and_a_tax_says_that_equilibria_are_not_looked_for() -> None:
    scenario = {
        "goods": ["x", "y"],
        "consumers": [
            {"name": "a", "endowment": {"x": 1, "y": 2}, "utility": {"linear": {"x": 1, "y": 2}}},
            {"name": "b", "endowment": {"x": 2, "y": 1}, "utility": {"linear": {"x": 2, "y": 1}}},
        ],
        "taxes": [{"name": "t", "on": "consumption", "good": "x", "rate": 0.1, "to": "b"}],
        "scheduler": {"kind": "tatonnement", "form": "additive", "rate": 0.01},
        "run": {"ticks": 10},
    }
    sentence = simulate(scenario).summary["sentence"]
    assert "Equilibria are not looked for: tastes are linear beside taxes" in sentence
    assert "search" not in sentence


def test_a_state_that_owes_more_than_it_has_is_no_equilibrium() -> None:
    well_off = solve(OPEN).of("utility").loc["folk"].item()
    found = solve(adjusting("consumers.folk.utility", 1.2 * well_off))
    assert found.summary["equilibria"] == 0
    assert "state would have less than nothing to spend" in found.summary["sentence"]
    less = solve(adjusting("consumers.folk.utility", 0.99 * well_off))
    assert less.of("utility").loc["folk"].item() == pytest.approx(0.99 * well_off, rel=1e-9)


def test_a_revenue_that_no_rate_raises_is_out_of_reach() -> None:
    found = solve(adjusting("taxes.tariff.revenue", 1e3))
    assert (found.summary["equilibria"], found.summary["runaway"]) != (1, None)
    assert "; the smallest residual is " in found.summary["sentence"]
    assert "; no rate of tariff was found that keeps its value" in found.summary["sentence"]


def test_a_revenue_can_be_raised_at_two_rates() -> None:
    """Below the top of a Laffer curve each revenue has a low rate and a high one."""
    revenue = solve(OPEN).of("revenue").loc["tariff"].item()
    found = solve(adjusting("taxes.tariff.revenue", revenue))
    rates = sorted(found.of("rate").loc["tariff"].tolist())
    assert rates[0] == pytest.approx(0.25, rel=1e-8)
    assert len(rates) == 2
    assert rates[1] > 1.0
    assert not found.summary["missing"]
    stable = {each["rate"]["tariff"] > 1.0: each["stable"] for each in found.summary["found"]}
    assert stable == {False: True, True: False}


@pytest.mark.parametrize("rate", [0.25, {"adjust": {"keep": "taxes.tariff.revenue", "at": 0.5}}])
def test_perturbed_prices_move_as_predicted(rate: Any) -> None:
    data = {**OPEN, "taxes": [{**OPEN["taxes"][0], "rate": rate}]}
    scenario = load({**data, "transfers": [{"from": "state", "to": "folk", "share": 0.3}]})
    for each in find(scenario.economy, scenario.rule, [scenario.initial_prices]):
        chosen = parameters(scenario.economy, scenario.markets)
        fragile = Fragility(scenario.economy, scenario.markets, scenario.rule, each, chosen)
        for number, column in enumerate(fragile.sensitivity.T):
            step = 1e-4 * (np.arange(len(chosen)) == number)
            up, down = fragile.resolved(step), fragile.resolved(-step)
            assert up is not None
            assert down is not None
            np.testing.assert_allclose((up - down) / 2e-4, column, rtol=1e-6, atol=1e-9)


HELD: dict[str, Any] = {
    "goods": ["bread", "labour", "salt"],
    "firms": [{"name": "bakery", "makes": "bread = 4*labour^0.5"}],
    "consumers": [
        {
            "name": "folk",
            "utility": {"cobb_douglas": {"bread": 2, "labour": 1, "salt": 1}},
            "endowment": {"labour": 10, "salt": 2},
            "owns": {"bakery": 1},
        },
        {"name": "monks", "utility": {"cobb_douglas": {"bread": 1, "salt": 1}}, "endowment": {"salt": 3}},
        {"name": "state", "utility": {"cobb_douglas": {"salt": 1, "labour": 1}}},
    ],
    "numeraire": "salt",
    "taxes": [
        {"name": "payroll", "on": "input", "good": "labour", "rate": 0.2, "to": "state"},
        {"name": "excise", "on": "consumption", "good": "bread", "rate": 0.1, "to": {"state": 0.5, "folk": 0.5}},
    ],
    "transfers": [{"from": "state", "to": "monks", "share": 0.4}],
}


@pytest.mark.parametrize("price", [0.4, 0.9])
def test_rest_at_a_held_price_counts_revenue(price: float) -> None:
    """What is bought at market prices, and the tax on it, is what is earned: money neither comes nor goes."""
    data = {**HELD, "goods": {"bread": {"fixed_price": price}, "labour": None, "salt": None}}
    found = solve(data)
    (record,) = found.summary["found"]
    assert record["held"] == ["bread", "salt"]
    assert record["residual"] < 1e-9
    bread, used = record["quantity"]["bread"], found.of("input").loc["bakery.labour"].item()
    assert record["revenue"]["payroll"] == pytest.approx(0.2 * record["price"]["labour"] * used, rel=1e-9)
    eaten = found.of("consumption").filter(like="bread", axis=0).to_numpy().sum()
    assert record["revenue"]["excise"] == pytest.approx(0.1 * price * eaten, rel=1e-9)
    assert eaten == pytest.approx(bread, rel=1e-8)
