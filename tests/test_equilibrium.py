"""Equilibria: all of them, whatever the start and the numeraire; free goods, indices, stability of the rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import market_of
from tests.economies import BAZAAR_CONSUMERS, RUNAWAY_CONSUMERS, SCARF_CONSUMERS, TWO_BARTERERS
from tests.house import Equilibrium, Scenario, find, load

BAZAAR: dict[str, Any] = {
    "goods": ["x", "y", "z"],
    "consumers": BAZAAR_CONSUMERS,
    "scheduler": {"form": "multiplicative", "rate": 0.2},
    "trade": "at_equilibrium",
}
CRUSOE: dict[str, Any] = {
    "goods": ["food", "labour"],
    "firms": [{"name": "farm", "makes": "food = labour^0.5"}],
    "consumers": [
        {
            "name": "c",
            "utility": {"cobb_douglas": {"food": 1, "labour": 1}},
            "endowment": {"labour": 1},
            "owns": {"farm": 1},
        }
    ],
    "scheduler": {"form": "multiplicative", "rate": 0.2},
    "trade": "at_equilibrium",
}
STATICS: dict[str, Any] = {
    "goods": ["g1", "g2"],
    "numeraire": "g2",
    "consumers": TWO_BARTERERS,
    "trade": "at_equilibrium",
}
MWG: dict[str, Any] = {
    "goods": ["g1", "g2"],
    "numeraire": "g2",
    "consumers": [
        {
            "name": "a",
            "utility": {"ces": {"rho": -2, "weights": {"g1": 1, "g2": (12 / 37) ** 3}}},
            "endowment": {"g1": 1},
        },
        {
            "name": "b",
            "utility": {"ces": {"rho": -2, "weights": {"g1": (12 / 37) ** 3, "g2": 1}}},
            "endowment": {"g2": 1},
        },
    ],
    "trade": "at_equilibrium",
}
SCARF: dict[str, Any] = {
    "goods": ["x", "y", "z"],
    "consumers": SCARF_CONSUMERS,
    "initial_prices": {"x": 1.2, "z": 0.8},
    "trade": "at_equilibrium",
    "scheduler": {"form": "additive", "rate": 0.05},
}
FISHER: dict[str, Any] = {
    "goods": ["apples", "pears", "figs"],
    "supply": {"apples": 10, "pears": 6, "figs": 3},
    "consumers": [
        {
            "name": "a",
            "budget": 10,
            "utility": {"ces": {"elasticity": 0.5, "shares": {"apples": 1, "pears": 2, "figs": 1}}},
        },
        {"name": "b", "budget": 4, "utility": {"cobb_douglas": {"apples": 0.2, "pears": 0.2, "figs": 0.6}}},
    ],
    "scheduler": {"form": "multiplicative", "rate": 0.2},
    "trade": "at_equilibrium",
}
CHAIN: dict[str, Any] = {
    "goods": ["gas", "ethylene", "bags"],
    "outside": {"bags": 1},
    "supply": {"gas": 4},
    "firms": [{"name": "A", "makes": "ethylene = sqrt(gas)"}, {"name": "B", "makes": "bags = ln(1 + ethylene)"}],
    "trade": "at_equilibrium",
}


def equilibria(scenario: Scenario, **more: Any) -> list[Equilibrium]:
    return find(scenario.economy, scenario.rule, [scenario.initial_prices], **more)


def only(data: dict[str, Any], **changes: Any) -> Equilibrium:
    (found,) = equilibria(load({**data, **changes}))
    return found


@pytest.mark.parametrize("data", [BAZAAR, CRUSOE, SCARF], ids=["bazaar", "crusoe", "scarf"])
def test_the_numeraire_does_not_matter(data: dict[str, Any]) -> None:
    free = only(data)
    for good, name in enumerate(data["goods"]):
        held = only(data, numeraire=name, initial_prices={})
        assert held.prices[good] == 1.0
        np.testing.assert_allclose(held.prices * free.prices[good], free.prices, rtol=1e-9)
        np.testing.assert_allclose(held.balance.demand, free.balance.demand, rtol=1e-8)
        assert held.index == free.index == 1


@pytest.mark.parametrize("data", [BAZAAR, CRUSOE, FISHER, CHAIN], ids=["bazaar", "crusoe", "fisher", "chain"])
@given(st.lists(st.floats(-4, 4), min_size=3, max_size=3), st.integers(0, 5))
@settings(max_examples=10)
def test_the_start_does_not_matter(data: dict[str, Any], logs: list[float], seed: int) -> None:
    start = {name: math.exp(log) for name, log in zip(data["goods"], logs, strict=False)}
    start = {name: price for name, price in start.items() if name not in data.get("outside", {})}
    scenario, usual = load({**data, "initial_prices": start}), only(data)
    (found,) = equilibria(scenario, seed=seed, many=6)
    level = float(usual.prices.sum() / found.prices.sum()) if scenario.economy.homogeneous else 1.0
    np.testing.assert_allclose(found.prices * level, usual.prices, rtol=1e-8)
    assert found.residual <= 1e-9
    assert found.index == 1


def test_three_equilibria_with_indices_that_sum_to_one() -> None:
    found = sorted(equilibria(load(MWG)), key=lambda e: e.prices[0])
    np.testing.assert_allclose([e.prices[0] for e in found], [27 / 64, 1, 64 / 27], rtol=1e-9)
    assert [e.index for e in found] == [1, -1, 1]
    assert [e.stable for e in found] == [True, False, True]
    np.testing.assert_allclose([e.prices[1] for e in found], 1.0, rtol=0)


@given(
    st.lists(st.tuples(*[st.floats(0.1, 3)] * 4, *[st.floats(0, 2)] * 3), min_size=2, max_size=4),
)
@settings(max_examples=15)
def test_the_indices_of_substitutes_sum_to_one(people: list[tuple[float, ...]]) -> None:
    consumers = [
        {
            "name": f"h{i}",
            "utility": {"ces": {"elasticity": 1 + e / 3, "shares": {"x": a, "y": b, "z": c}}},
            "endowment": {"x": 0.2 + u, "y": 0.2 + v, "z": 0.2 + w},
        }
        for i, (e, a, b, c, u, v, w) in enumerate(people)
    ]
    found = equilibria(load({"goods": ["x", "y", "z"], "numeraire": "x", "consumers": consumers}), many=8)
    assert len(found) == 1
    assert found[0].index == 1


@pytest.mark.parametrize("numeraire", [None, "money"])
def test_a_good_nobody_wants_is_free(numeraire: str | None) -> None:
    data = {
        "goods": ["bread", "weeds", "money"],
        "consumers": [
            {
                "name": "a",
                "utility": {"cobb_douglas": {"bread": 1, "money": 2}},
                "endowment": {"bread": 1, "weeds": 1},
            },
            {
                "name": "b",
                "utility": {"cobb_douglas": {"bread": 2, "money": 1}},
                "endowment": {"money": 1, "weeds": 2},
            },
        ],
        **({"numeraire": numeraire} if numeraire else {}),
    }
    found = only(data)
    assert found.prices[1] == 0.0
    assert found.prices[0] / found.prices[2] == pytest.approx(1.0, rel=1e-9)
    assert found.index == 1


def test_the_long_side_of_fixed_proportions_is_free() -> None:
    found = only(
        {
            "goods": ["left", "right"],
            "supply": {"left": 1, "right": 2},
            "consumers": [{"name": "a", "utility": {"leontief": {"left": 1, "right": 1}}, "budget": 3}],
        }
    )
    assert found.prices[1] == 0.0
    assert found.prices[0] == pytest.approx(3.0, rel=1e-9)
    np.testing.assert_allclose(found.balance.demand, 1.0, rtol=1e-9)


UNSUPPLIED = {
    "goods": ["bread", "unicorn"],
    "numeraire": "bread",
    "consumers": [
        {"name": "a", "utility": {"cobb_douglas": {"bread": 1, "unicorn": 1}}, "endowment": {"bread": 1}},
    ],
}
RUNAWAY = {
    "goods": ["x", "y"],
    "numeraire": "x",
    "consumers": RUNAWAY_CONSUMERS,
}


@pytest.mark.parametrize("data", [UNSUPPLIED, RUNAWAY], ids=["unsupplied", "runaway"])
def test_where_there_is_no_equilibrium_none_is_found(data: dict[str, Any]) -> None:
    """`RUNAWAY`: at any price of y its owner buys some x, which nobody sells; free, y would be wanted without end."""
    assert equilibria(load(data)) == []


@pytest.mark.parametrize(("rate", "stable"), [(1.05, True), (1.066, True), (1.0667, False), (1.2, False)])
def test_the_additive_rule_loses_stability_at_two_n_over_d_squared(rate: float, stable: bool) -> None:
    found = only(STATICS, scheduler={"form": "additive", "rate": rate})
    assert found.prices[0] == pytest.approx(0.8, rel=1e-12)
    assert found.stable is stable
    assert found.spectral_radius == pytest.approx(abs(1 - rate * 1.5**2 / 1.2), rel=1e-6)


def brute_force_radius(data: dict[str, Any], at: Equilibrium) -> float:
    """Largest eigenvalue of one tick of the market itself, by central differences of its next prices."""
    scenario = load(data)
    free = np.flatnonzero(~scenario.rule.fixed)

    def after(prices: np.ndarray) -> np.ndarray:
        market = market_of(scenario, prices)
        market.advance()
        return np.asarray(market.last_tick.next_prices)[free]

    columns: list[np.ndarray] = []
    for good in free:
        nudge = np.zeros(len(at.prices))
        nudge[good] = 1e-5 * at.prices[good]
        columns.append((after(at.prices + nudge) - after(at.prices - nudge)) / (2 * nudge[good]))
    eigenvalues = np.linalg.eigvals(np.array(columns).T)
    if scenario.economy.homogeneous and not scenario.rule.fixed.any():
        eigenvalues = np.delete(eigenvalues, np.argmin(np.abs(eigenvalues - 1)))
    return float(np.max(np.abs(eigenvalues)))


RULES = [
    {"form": "multiplicative", "rate": 0.3},
    {"form": "additive", "rate": 0.05},
    {"form": "additive", "rate": 0.1, "with": ["relative"]},
    {"form": "multiplicative", "rate": 0.3, "with": [{"clip": 0.5}]},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("name", ["BAZAAR", "CRUSOE", "FISHER", "CHAIN", "STATICS", "SCARF"])
def test_the_spectral_radius_is_that_of_the_market_s_own_tick(name: str, rule: dict[str, Any]) -> None:
    data = {**globals()[name], "scheduler": rule}
    found = only(data)
    assert found.spectral_radius == pytest.approx(brute_force_radius(data, found), abs=1e-4)


@pytest.mark.parametrize(
    "rule",
    [
        RULES[0],
        {"form": "multiplicative", "rate": 0.2, "with": [{"momentum": 0.5}]},
        {"form": "additive", "rate": 0.02},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["BAZAAR", "FISHER", "CHAIN", "STATICS"])
def test_the_spectral_radius_is_the_rate_at_which_the_market_comes_home(name: str, rule: dict[str, Any]) -> None:
    data = {**globals()[name], "scheduler": rule}
    if name == "BAZAAR":
        data["numeraire"] = "x"
    found = only(data)
    scenario = load(data)
    market = market_of(scenario)
    gaps: list[float] = []
    for _ in range(4000):
        market.advance()
        gaps.append(float(np.max(np.abs(market.prices / found.prices - 1))))
        if found.stable and gaps[-1] < 1e-9:
            break
    near = np.array([gap for gap in gaps if 1e-8 < gap < 1e-3])
    if not found.stable:
        assert gaps[-1] > 1e-3
        return
    if found.spectral_radius < 0.2:
        assert len(near) < 12
        return
    assert len(near) > 5
    observed = (near[-1] / near[0]) ** (1 / (len(near) - 1))
    assert observed == pytest.approx(found.spectral_radius, abs=0.05)


def test_scarf_is_found_where_the_market_never_goes_and_is_not_stable() -> None:
    found = only(SCARF)
    np.testing.assert_allclose(found.prices / found.prices[0], 1.0, rtol=1e-9)
    assert not found.stable
    speed = 0.05 * math.sqrt(3) / 4 / found.prices[0]
    assert found.spectral_radius == pytest.approx(math.hypot(1, speed), rel=1e-6)
    np.testing.assert_allclose(found.balance.consumption.sum(axis=1), 1.0, rtol=1e-9)


@pytest.mark.parametrize("name", ["BAZAAR", "CRUSOE", "FISHER", "CHAIN", "STATICS", "MWG", "SCARF"])
def test_at_an_equilibrium_nothing_moves(name: str) -> None:
    data = globals()[name]
    for found in equilibria(load(data)):
        scenario = load(data)
        market = market_of(scenario, found.prices)
        market.advance()
        np.testing.assert_allclose(market.last_tick.next_prices, found.prices, rtol=1e-9)
        assert market.last_tick.residual < 1e-9
