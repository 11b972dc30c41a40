"""Answers from the literature and from other programs, with their numbers written out here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.builders import market_of
from tests.economies import SCARF_CONSUMERS
from tests.house import Equilibrium, Market, find, load, simulate


def only(data: dict[str, Any]) -> Equilibrium:
    scenario = load(data)
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    return found


def exchange(shares: list[list[float]], endowments: list[list[float]]) -> dict[str, Any]:
    goods = [f"payoff{i + 1}" for i in range(len(shares[0]))]
    consumers = [
        {
            "name": f"consumer{h}",
            "utility": {"cobb_douglas": dict(zip(goods, a, strict=True))},
            "endowment": dict(zip(goods, e, strict=True)),
        }
        for h, (a, e) in enumerate(zip(shares, endowments, strict=True), 1)
    ]
    return {"goods": goods, "numeraire": goods[0], "consumers": consumers, "scheduler": {"rate": 0.2}}


ENDOWMENTS = [[1.0, 0.0, 2.0], [1.0, 2.0, 2.0]]


@pytest.mark.parametrize(
    ("second", "prices"),
    [([0.5, 0.1, 0.4], [1.0, 14 / 43, 29 / 86]), ([0.5, 0.25, 0.25], [1.0, 0.5, 0.25])],
    ids=["bazaar", "first-variant"],
)
def test_the_exchange_economy_of_the_r_package_ge(second: list[float], prices: list[float]) -> None:
    data = exchange([[0.5, 0.25, 0.25], second], ENDOWMENTS)
    np.testing.assert_allclose(only(data).prices, prices, rtol=1e-9)
    run = simulate({**data, "run": {"ticks": 3000, "tolerance": 1e-10}})
    assert run.summary["outcome"] == "cleared"
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]]
    np.testing.assert_allclose(last["price"], prices, rtol=1e-8)


def test_its_allocation() -> None:
    found = only(exchange([[0.5, 0.25, 0.25], [0.5, 0.1, 0.4]], ENDOWMENTS))
    expected = [[0.837209302326, 1.28571428571, 1.24137931034], [1.16279069767, 0.714285714286, 2.75862068966]]
    np.testing.assert_allclose(found.balance.consumption, expected, atol=1e-8)


def test_a_ces_fisher_market_of_substitutes() -> None:
    goods = ["a", "b", "c"]
    weights = [[1, 2, 1], [3, 1, 1], [1, 1, 4]]
    consumers = [
        {
            "name": f"buyer{b}",
            "budget": b,
            "utility": {"ces": {"rho": 0.5, "weights": dict(zip(goods, w, strict=True))}},
        }
        for b, w in zip((10, 20, 30), weights, strict=True)
    ]
    data = {"goods": goods, "supply": dict.fromkeys(goods, 1), "consumers": consumers, "scheduler": {"rate": 0.2}}
    prices = [19.5602184133, 13.4317969178, 27.0079846689]
    found = only(data)
    np.testing.assert_allclose(found.prices, prices, atol=1e-8)
    allocation = [
        [0.0677205302683, 0.574459621167, 0.0355208535426],
        [0.823071486636, 0.193943046572, 0.0479687156351],
        [0.109207983096, 0.231597332261, 0.916510430822],
    ]
    np.testing.assert_allclose(found.balance.consumption, allocation, atol=1e-7)
    run = simulate({**data, "run": {"ticks": 2000, "tolerance": 1e-11}})
    assert run.summary["outcome"] == "cleared"
    np.testing.assert_allclose(run.trajectory["price"].to_numpy()[-3:], prices, atol=1e-8)


@pytest.mark.parametrize(
    "technique",
    [
        {"makes": "food = labour^0.5"},
        {"technology": {"power": {"output": "food", "inputs": {"labour": 0.5}}}},
        {"technology": {"leontief": {"output": "food", "returns_to_scale": 0.5, "inputs": {"labour": 1}}}},
    ],
    ids=lambda technique: next(iter(technique)),
)
def test_robinson_crusoe(technique: dict[str, Any]) -> None:
    data: dict[str, Any] = {
        "goods": ["food", "labour"],
        "numeraire": "labour",
        "firms": [{"name": "farm", **technique}],
        "consumers": [
            {
                "name": "crusoe",
                "utility": {"cobb_douglas": {"food": 0.5, "labour": 0.5}},
                "endowment": {"labour": 1},
                "owns": {"farm": 1},
            }
        ],
        "scheduler": {"rate": 0.2},
    }
    found = only(data)
    balance = found.balance
    assert found.prices[0] == pytest.approx(2 / np.sqrt(3), abs=1e-9)
    assert balance.inputs[0] == pytest.approx(1 / 3, abs=1e-9)
    assert balance.outputs[0] == pytest.approx(0.57735026919, abs=1e-9)
    assert balance.profits[0] == pytest.approx(1 / 3, abs=1e-9)
    assert balance.incomes[0][0] == pytest.approx(4 / 3, abs=1e-9)
    assert balance.consumption[0, 1] == pytest.approx(2 / 3, abs=1e-9)


SCARF: dict[str, Any] = {
    "goods": ["x", "y", "z"],
    "consumers": SCARF_CONSUMERS,
    "initial_prices": {"x": 1.2, "y": 1.0, "z": 0.8},
    "trade": "at_equilibrium",
}


def scarf_market(form: str, rate: float) -> Market:
    scenario = load({**SCARF, "scheduler": {"form": form, "rate": rate}})
    return market_of(scenario)


def test_scarf_by_a_thousand_euler_steps() -> None:
    market = scarf_market("additive", 0.05)
    for _ in range(1001):
        market.advance()
    np.testing.assert_allclose(market.prices, [0.722738182122, 1.07969527622, 1.20006312307], atol=1e-9)
    assert market.prices @ market.prices - 3.08 == pytest.approx(0.0482438687428, abs=1e-9)


def test_scarf_s_invariants_in_the_limit_of_small_steps() -> None:
    market = scarf_market("additive", 1e-3)
    crossings: list[float] = []
    last = None
    for tick in range(30_000):
        market.advance()
        x, y, z = market.prices.tolist()
        if last is not None and last < 0 <= x - y and tick * 1e-3 > 1:
            crossings.append((tick - 1 + -last / (x - y - last)) * 1e-3)
        last = x - y
        if len(crossings) == 2:
            break
    assert crossings[1] - crossings[0] == pytest.approx(14.4939027655, abs=5e-3)
    assert x * x + y * y + z * z == pytest.approx(3.08, rel=1e-3)
    assert x * y * z == pytest.approx(0.96, rel=1e-3)


def statics(rate: float, start: float = 0.7, **changes: list[float]) -> dict[str, Any]:
    """Two goods, Cobb-Douglas: `p = N/D`, and the auctioneer's step is `p <- p + rate (N/p - D)`."""
    given: dict[str, list[float]] = {"taste": [0.3, 0.6], "first": [1, 2], "second": [2, 1], **changes}
    consumers = [
        {
            "name": f"c{h}",
            "endowment": {"1": given["first"][h], "2": given["second"][h]},
            "utility": {"cobb_douglas": {"1": given["taste"][h], "2": 1 - given["taste"][h]}},
        }
        for h in range(2)
    ]
    scheduler = {"form": "additive", "rate": rate}
    market = {"goods": {"1": {"price": start}, "2": {}}, "numeraire": "2", "trade": "at_equilibrium"}
    return {**market, "consumers": consumers, "scheduler": scheduler, "run": {"ticks": 600, "tolerance": 1e-10}}


def test_comparative_statics_of_two_goods() -> None:
    """Bala and Majumdar (1992): price, its derivatives, the longest stable step, and the two-cycle beyond it."""
    assert only(statics(0.5)).prices[0] == pytest.approx(0.8, abs=1e-9)
    base: dict[str, list[float]] = {"taste": [0.3, 0.6], "first": [1, 2], "second": [2, 1]}
    expected = {
        ("taste", 0): 1.86666666667,
        ("taste", 1): 1.73333333333,
        ("first", 0): -0.373333333333,
        ("first", 1): -0.213333333333,
        ("second", 0): 0.2,
        ("second", 1): 0.4,
    }
    for (what, who), derivative in expected.items():
        sides: list[float] = []
        for nudge in (1e-5, -1e-5):
            moved = {**base, what: [value + nudge * (place == who) for place, value in enumerate(base[what])]}
            sides.append(only(statics(0.5, **moved)).prices[0])
        assert (sides[0] - sides[1]) / 2e-5 == pytest.approx(derivative, abs=1e-7)


def test_the_longest_stable_step_and_what_is_beyond() -> None:
    threshold = 16 / 15
    below, above = only(statics(0.999 * threshold)), only(statics(1.001 * threshold))
    assert below.stable
    assert not above.stable
    assert only(statics(threshold)).spectral_radius == pytest.approx(1, abs=1e-7)
    assert simulate(statics(1.0)).summary["outcome"] == "cleared"
    run = simulate(statics(1.2))
    assert (run.summary["outcome"], run.summary["period"]) == ("cycled", 2)
    last = run.trajectory.query("good == '1'")["price"].to_numpy()[-2:]
    np.testing.assert_allclose(sorted(last), [0.6, 1.2], atol=1e-6)


def test_three_equilibria_of_ces_exchange() -> None:
    """Mas-Colell, Whinston and Green (1995), exercise 15.B.6."""
    small = (12 / 37) ** 3
    consumers = [
        {"name": "1", "utility": {"ces": {"rho": -2, "weights": {"x": 1, "y": small}}}, "endowment": {"x": 1}},
        {"name": "2", "utility": {"ces": {"rho": -2, "weights": {"x": small, "y": 1}}}, "endowment": {"y": 1}},
    ]
    scenario = load({"goods": ["x", "y"], "numeraire": "y", "consumers": consumers, "scheduler": {"rate": 1}})
    found = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    by_price = sorted(found, key=lambda each: each.prices[0])
    np.testing.assert_allclose([each.prices[0] for each in by_price], [0.421875, 1, 2.37037037037], atol=1e-9)
    assert [each.index for each in by_price] == [1, -1, 1]
    assert [each.stable for each in by_price] == [True, False, True]
