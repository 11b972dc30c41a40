"""Zeros and numbers below 0 that mean something: exponents, budgets, productivities and supplies of 0, what has to be
delivered, and waste that others take for money.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import simulate
from tests.house import ScenarioError, find, load

AMOUNT, SHARE = st.floats(0.5, 4), st.floats(0.1, 0.9)
TASTES: tuple[dict[str, Any], ...] = (
    {"cobb_douglas": {"x": 1, "y": 1}},
    {"ces": {"elasticity": 0.5, "shares": {"x": 1, "y": 1}}},
    {"leontief": {"x": 1, "y": 1}},
    {"linear": {"x": 1, "y": 2}},
    {"quasilinear": {"log": {"x": 1}}},
    {"stone_geary": {"shares": {"x": 1, "y": 1}, "subsistence": {"x": 0.1}}},
)


@settings(max_examples=10)
@given(SHARE, SHARE, AMOUNT, AMOUNT, AMOUNT, st.floats(0.05, 0.4))
def test_what_has_to_be_delivered_is_bought_first(
    a: float, b: float, x: float, y: float, z: float, part: float
) -> None:
    """Cobb-Douglas exchange: `p_x (X - a x_a - b x_b) = a y_a + b y_b`, also where `x_a` is below 0."""
    owed = part * x
    price = (a * (y + 6) + b * z) / (x - owed - b * x + a * owed)
    people = [
        {"name": "ann", "utility": {"cobb_douglas": {"x": a, "y": 1 - a}}, "endowment": {"x": -owed, "y": y + 6}},
        {"name": "ben", "utility": {"cobb_douglas": {"x": b, "y": 1 - b}}, "endowment": {"x": x, "y": z}},
    ]
    market = {"goods": ["x", "y"], "numeraire": "y", "consumers": people, "initial_prices": {"x": 0.9 * price}}
    if price * owed > y + 6:
        return
    run = simulate({**market, "run": {"ticks": 6000, "references": "off"}})
    assert run.summary["outcome"] == "cleared"
    last = run.trajectory.groupby("good").last()
    assert last.price["x"] == pytest.approx(price, rel=1e-4)
    assert last.demand["x"] == pytest.approx(x, rel=1e-4)
    assert np.abs(run.ticks["goods_imbalance"]).max() < 1e-12
    assert np.abs(run.ticks["walras_residual"]).max() < 1e-9


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_members_who_owe_beside_members_who_own(trade: str) -> None:
    endowment = {"x": {"uniform": [-1, 0.5]}, "y": 4}
    ces = {"ces": {"elasticity": 0.5, "shares": {"x": 1, "y": 1}}}
    people = [
        {"name": "many", "count": 30, "utility": ces, "endowment": endowment},
        {"name": "few", "count": 10, "utility": {"cobb_douglas": {"x": 1, "y": 1}}, "endowment": {"x": 9, "y": 1}},
    ]
    run = simulate({"goods": ["x", "y"], "numeraire": "y", "consumers": people, "trade": trade})
    assert run.summary["outcome"] == "cleared"
    assert run.trajectory.groupby("good").last().supply["x"] == pytest.approx(90, abs=3)


@pytest.mark.parametrize("taste", TASTES, ids=lambda taste: next(iter(taste)))
@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_a_consumer_without_money_buys_nothing(taste: dict[str, Any], trade: str) -> None:
    rich = {"name": "rich", "utility": {"cobb_douglas": {"x": 1, "y": 1}}, "budget": 3}
    poor = {"name": "poor", "utility": taste, "budget": 0}
    market = {"goods": ["x", "y"], "supply": {"x": 1, "y": 2}, "trade": trade, "scheduler": {"form": "additive"}}
    run = simulate({**market, "consumers": [poor, rich]})
    assert run.summary["outcome"] == "cleared"
    last = run.trajectory.groupby("good").last()
    assert (last.price["x"], last.price["y"]) == pytest.approx((1.5, 0.75), rel=1e-4)


FIRMS: tuple[dict[str, Any], ...] = (
    {"technology": {"cobb_douglas": {"output": "bread", "inputs": {"labour": 0.5, "yeast": 0}}}},
    {"technology": {"leontief": {"output": "bread", "returns_to_scale": 0.5, "inputs": {"labour": 1, "yeast": 0}}}},
    {"technology": {"ces": {"output": "bread", "returns_to_scale": 0.5, "inputs": {"labour": 1, "yeast": 0}}}},
)
BAKERY: dict[str, Any] = {
    "goods": ["labour", "yeast", "bread"],
    "supply": {"labour": 2, "yeast": 1},
    "consumers": [{"name": "town", "budget": 3, "utility": {"cobb_douglas": {"bread": 1, "yeast": 1}}}],
}


@pytest.mark.parametrize("firm", FIRMS, ids=lambda firm: next(iter(firm["technology"])))
def test_an_input_of_no_use_is_not_used(firm: dict[str, Any]) -> None:
    kind, given = next(iter(firm["technology"].items()))
    if kind == "ces":
        firm = {"technology": {"ces": {**given, "elasticity": 2}}}
    without = {"technology": {"power": {"output": "bread", "inputs": {"labour": 0.5}}}}
    paths = [simulate({**BAKERY, "firms": [{"name": "f", **each}]}).prices for each in (firm, without)]
    np.testing.assert_allclose(*paths, rtol=1e-12)


@pytest.mark.parametrize(
    "idle",
    [
        {"technology": {"power": {"output": "bread", "inputs": {"labour": 0.5}, "productivity": 0}}},
        {"makes": "bread = labour^0.5*yeast^0.2", "productivity": 0},
        {"makes": "bread = ln(labour)", "productivity": 0},
        {"makes": "bread = min(3, labour)", "productivity": 0},
    ],
)
def test_a_firm_that_makes_nothing_uses_nothing(idle: dict[str, Any]) -> None:
    baker = {"name": "baker", "makes": "bread = labour^0.3"}
    paths = [simulate({**BAKERY, "firms": [baker, *more]}).prices for more in ([], [{"name": "idle", **idle}])]
    np.testing.assert_array_equal(*paths)


WASTE: dict[str, Any] = {
    "goods": ["ore", "steel", "slag", "heat"],
    "supply": {"ore": 4},
    "outside": {"steel": 3, "slag": -1, "heat": 1},
    "firms": [
        {"name": "mill", "makes": "steel = slag = ore^0.5"},
        {"name": "kiln", "makes": "heat = 3*sqrt(slag) - 2*slag"},
    ],
    "initial_prices": {"ore": 2},
}


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_waste_costs_who_makes_it_and_pays_who_takes_it(trade: str) -> None:
    """A unit of steel brings 3 and costs 1 to get rid of its slag; the kiln goes on until more slag does harm of 1."""
    run = simulate({**WASTE, "trade": trade})
    last = run.trajectory.groupby("good").last()
    assert run.summary["outcome"] == "cleared"
    assert last.price["ore"] == pytest.approx((3 - 1) * 0.5 * 4**-0.5, rel=1e-5)
    assert last.price["slag"] == -1
    kiln = run.agents[(run.agents.agent == "kiln") & (run.agents.good == "slag")].iloc[-1]
    assert kiln.input == pytest.approx(1.5**2, rel=1e-9)


TANNERY: dict[str, Any] = {
    "goods": ["leather", "effluent", "hides", "labour"],
    "outside": {"effluent": -2},
    "supply": {"hides": 20, "labour": 10},
    "firms": [
        {"name": "tannery", "technology": {"activity": {"leather": 1, "effluent": 0.5, "hides": -1, "labour": -1}}}
    ],
    "consumers": [{"name": "shoemakers", "utility": {"cobb_douglas": {"leather": 1}}, "budget": 100}],
}


def test_a_price_below_0_is_held_from_every_start() -> None:
    """A unit of leather sells for 100/10; half a unit of effluent costs 1, and labour gets the rest."""
    scenario = load({**TANNERY, "trade": "at_equilibrium"})
    found = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    assert [each.prices.round(9).tolist() for each in found] == [[10, -2, 0, 9]]


def test_an_incinerator_is_paid_twice() -> None:
    """It burns effluent with labour, for what it is paid to take and for its heat; it takes what a unit does."""
    burner = {"name": "incinerator", "technology": {"activity": {"effluent": -1, "labour": -1, "heat": 0.1}}}
    firms = [{**firm, "behaviour": {"activity": {"rate": 0.1}}} for firm in (*TANNERY["firms"], burner)]
    people = {"name": "people", "utility": {"cobb_douglas": {"leather": 50, "heat": 1}}, "budget": 10}
    data = {**TANNERY, "goods": [*TANNERY["goods"], "heat"], "firms": firms, "consumers": [people]}
    run = simulate({**data, "supply": {"hides": 20, "labour": 30}, "trade": "at_equilibrium", "run": {"ticks": 50}})
    tick = run.agents[run.agents["agent"] == "incinerator"]
    used = tick[tick["good"].isin(["effluent", "labour"])]
    assert len(used) == 2 * 51
    assert used["input"].tolist() == used["level"].tolist()


def test_what_waste_costs_more_than_it_brings_fades_step_by_step() -> None:
    """At -18 for effluent a unit of leather loses nearly all it sells for: levels move gently."""
    tannery = {**TANNERY["firms"][0], "behaviour": {"activity": {"rate": 0.1}}}
    data = {**TANNERY, "firms": [tannery], "outside": {"effluent": -18}, "trade": "at_equilibrium"}
    run = simulate({**data, "scheduler": {"rate": 0.1}, "run": {"ticks": 3000}})
    assert run.summary["outcome"] == "cleared"
    assert run.prices.iloc[-1].tolist() == pytest.approx([10, -18, 0, 1], rel=1e-4, abs=1e-4)


def test_who_is_paid_for_waste_and_has_no_tastes_is_told() -> None:
    """A consumer whose utility cannot be read is asked for no more."""
    faulty = {"name": "c", "utility": {"nonsense": {"slag": 1}}, "budget": 1}
    with pytest.raises(ScenarioError, match="unknown kind 'nonsense'"):
        load({**WASTE, "consumers": [faulty]})


def test_slag_and_something_else_are_planned_together() -> None:
    firms = [{"name": "kiln", "makes": "heat = 3*sqrt(slag) - 2*slag + sqrt(ore)"}]
    run = simulate({**WASTE, "firms": firms})
    kiln = run.agents[(run.agents.agent == "kiln") & (run.agents.good == "slag")].iloc[-1]
    assert kiln.input == pytest.approx(1.5**2, rel=1e-9)
    assert run.summary["outcome"] == "cleared"


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        ({"firms": [{"name": "m", "technology": {"power": {"output": "heat", "inputs": {"slag": 0.5}}}}]}, "m"),
        ({"consumers": [{"name": "c", "utility": {"cobb_douglas": {"slag": 1}}, "budget": 1}]}, "c"),
    ],
)
def test_who_would_take_waste_without_end_is_told(entry: dict[str, Any], who: str) -> None:
    with pytest.raises(ScenarioError, match=f"{who} would be paid for all it takes"):
        load({**WASTE, **entry})


def test_supply_below_0_is_somebodys_obligation() -> None:
    ann = {"name": "ann", "utility": {"cobb_douglas": {"x": 1}}, "budget": 1}
    with pytest.raises(ScenarioError, match="a consumer's endowment below 0"):
        load({"goods": ["x"], "supply": {"x": -1}, "consumers": [ann]})


def test_a_fixed_price_below_0_stays_where_equilibria_are_searched_for() -> None:
    found = simulate(WASTE).equilibrium
    assert set(found.query("good == 'slag'")["price"]) == {-1.0}
    assert found["equilibrium"].max() == 1
