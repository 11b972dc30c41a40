"""Fix-price equilibria: rest points of a market that trades in every tick, by a road that knows no tick."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from tests.house import fix_price_equilibria, load, search_equilibria, simulate

Data = dict[str, Any]
HALF = {"cobb_douglas": {"bread": 1, "cloth": 1}}
TENANTS: Data = {
    "goods": {"flats": {"fixed_price": 1}, "food": {"price": 1}},
    "supply": {"flats": 5, "food": 20},
    "consumers": [{"name": "tenants", "utility": {"cobb_douglas": {"flats": 1, "food": 1}}, "budget": 40}],
}
BAKERY: Data = {
    "outside": {"tea": 1},
    "firms": [
        {
            "name": "bakery",
            "technology": {"activity": {"bread": 1, "labour": -2}},
            "behaviour": {"activity": {"rate": 0.05}},
        }
    ],
}
VILLAGE: Data = {
    "goods": {"land": None, "labour": None, "bread": None, "cloth": None},
    "numeraire": "land",
    "firms": [
        {"name": "baker", "makes": "bread = 2*sqrt(labour)"},
        {
            "name": "weaver",
            "technology": {
                "cobb_douglas": {"output": "cloth", "productivity": 2, "inputs": {"labour": 0.3, "land": 0.3}}
            },
        },
    ],
    "consumers": [
        {"name": "workers", "endowment": {"labour": 6}, "utility": {"cobb_douglas": {"bread": 2, "cloth": 1}}},
        {
            "name": "lords",
            "endowment": {"land": 4},
            "owns": {"weaver": 1},
            "utility": {"ces": {"elasticity": 0.5, "shares": {"bread": 1, "cloth": 1, "labour": 0.5}}},
        },
        {"name": "owners", "owns": {"baker": 1}, "utility": {"cobb_douglas": {"bread": 1, "cloth": 3}}},
    ],
}
"""A closed economy: all money is somebody's account."""
CHAIN: Data = {
    "goods": {"ore": {"fixed_price": 0.4}, "iron": None, "tools": None},
    "supply": {"ore": 1},
    "firms": [
        {"name": "smelter", "makes": "iron = 2*sqrt(ore)"},
        {"name": "smith", "makes": "tools = sqrt(iron)", "count": 2},
    ],
    "consumers": [
        {"name": "builders", "budget": 3, "utility": {"cobb_douglas": {"tools": 2, "iron": 1}}},
        {"name": "masters", "owns": {"smelter": 0.5, "smith": 1}, "utility": {"cobb_douglas": {"tools": 1}}},
    ],
}
"""Too little ore is had by the smelter, so that less iron is made than planned."""


def closed(**goods: Data) -> Data:
    return VILLAGE | {"goods": {**VILLAGE["goods"], **goods}}


CASES: dict[str, Data] = {
    "a rent that is fixed": TENANTS,
    "a rent that is capped": TENANTS | {"goods": {"flats": {"cap": 1}, "food": None}},
    "a minimum wage": closed(labour={"floor": 3}),
    "a capped wage": closed(labour={"cap": 1.5}),
    "dear bread": closed(bread={"fixed_price": 5}),
    "cheap cloth": closed(cloth={"fixed_price": 3}),
    "two controls": closed(bread={"floor": 4}, labour={"cap": 1.8}),
    "an input is short": CHAIN,
    "savers": CHAIN | {"consumers": [{**CHAIN["consumers"][0], "savings": True}, CHAIN["consumers"][1]]},
    "many who differ": closed(labour={"floor": 3})
    | {
        "consumers": [
            {**VILLAGE["consumers"][0], "count": 7, "endowment": {"labour": {"uniform": [0.5, 1.5]}}},
            *VILLAGE["consumers"][1:],
        ]
    },
    "an activity whose worker is dear": {
        **BAKERY,
        "goods": {"labour": {"floor": 1}, "bread": None, "tea": None},
        "consumers": [
            {"name": "town", "budget": 2, "utility": {"cobb_douglas": {"bread": 1}}},
            {"name": "workers", "endowment": {"labour": 8}, "utility": {"cobb_douglas": {"bread": 1, "tea": 1}}},
        ],
    },
    "an activity is served before lords who want servants": {
        **BAKERY,
        "goods": {"labour": {"cap": 0.5}, "bread": None, "tea": None},
        "consumers": [
            {"name": "town", "budget": 3, "utility": {"cobb_douglas": {"bread": 1}}},
            {"name": "lords", "budget": 2, "utility": {"cobb_douglas": {"labour": 1}}},
            {"name": "workers", "endowment": {"labour": 8}, "utility": {"cobb_douglas": {"bread": 1, "tea": 1}}},
        ],
    },
    "wool and mutton": {
        "goods": {"grass": None, "wool": {"floor": 2.5}, "mutton": None},
        "supply": {"grass": 2},
        "firms": [
            {
                "name": "shepherd",
                "technology": {
                    "ces": {
                        "outputs": {"transformation": 2, "shares": {"wool": 0.4, "mutton": 0.6}},
                        "elasticity": 0.5,
                        "returns_to_scale": 0.6,
                        "shares": {"grass": 1},
                    }
                },
            }
        ],
        "consumers": [{"name": "town", "budget": 3, "utility": {"cobb_douglas": {"wool": 1, "mutton": 2}}}],
    },
    "a firm that uses what it makes": {
        "goods": {"grain": {"cap": 0.8}, "labour": None},
        "supply": {"labour": 3},
        "firms": [
            {
                "name": "farm",
                "technology": {
                    "cobb_douglas": {"output": "grain", "productivity": 3, "inputs": {"labour": 0.5, "grain": 0.2}}
                },
            }
        ],
        "consumers": [
            {"name": "town", "budget": 8, "utility": {"cobb_douglas": {"grain": 1}}},
            {"name": "farmers", "owns": {"farm": 1}, "utility": {"cobb_douglas": {"grain": 1, "labour": 1}}},
        ],
    },
    "quasi-linear buyers": {
        "goods": {"ore": None, "steel": {"fixed_price": 1}},
        "outside": {"ore": 1},
        "firms": [{"name": "smelter", "makes": "steel = 4*sqrt(ore)"}],
        "consumers": [
            {"name": "smith", "utility": {"quasilinear": {"log": {"steel": 2}}}},
            {"name": "hobby", "budget": 1, "utility": {"quasilinear": {"log": {"steel": 2}}}},
        ],
    },
}


def at_rest(data: Data, ticks: int = 4000) -> Any:
    run = simulate({**data, "scheduler": {"rate": 0.1}, "run": {"ticks": ticks, "references": "off"}})
    assert run.summary["outcome"] == "settled_off_equilibrium", run.summary["sentence"]
    return run


def last(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["tick"] == table["tick"].max()]


def solved(data: Data) -> Any:
    scenario = load(data)
    (found,) = fix_price_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices])
    return scenario.economy, found


@pytest.mark.parametrize("name", CASES)
def test_a_market_that_trades_in_every_tick_comes_to_rest_there(name: str) -> None:
    economy, found = solved(CASES[name])
    assert found.residual < 1e-9
    run = at_rest(CASES[name])
    market, agents = last(run.trajectory), last(run.agents)
    np.testing.assert_allclose(market["price"], found.prices, rtol=1e-7)
    np.testing.assert_allclose(market["demand"], found.planned.demand, rtol=1e-6)
    np.testing.assert_allclose(market["supply"], found.planned.supply, rtol=1e-6)
    np.testing.assert_allclose(market["bid"], found.shadow_prices, rtol=1e-6)
    agents = agents[~agents["agent"].str.endswith(":mean")]
    rows = agents.assign(agent=agents["agent"].str.removesuffix(":total")).set_index(["agent", "good"])
    scale = {
        good: float(size)
        for good, size in zip(economy.goods, np.maximum(found.planned.demand, found.planned.supply), strict=True)
    }
    for (agent, good), row in rows.iterrows():
        rationed = found.rationed.get(f"{agent}.{good}", 0.0)
        assert row["rationed"] == pytest.approx(rationed, abs=2e-6 * scale[good]), (agent, good)
    for number, cohort in enumerate(economy.consumers):
        consumed = [rows["quantity"].get((cohort.name, good), 0.0) for good in economy.goods]
        np.testing.assert_allclose(found.consumption[number], consumed, rtol=1e-6, atol=1e-9)
        money = rows["money"].xs(cohort.name).iloc[0]
        assert cohort.weight * found.accounts[number].sum() == pytest.approx(money, rel=1e-6, abs=1e-7)


def test_a_controlled_rent_has_a_shadow_price_and_no_loss_of_quantity() -> None:
    """Supply is what it is: 5 flats, which those who get them would pay 4 for (Glaeser and Luttmer 2003 count more)."""
    _, found = solved(CASES["a rent that is fixed"])
    assert found.shadow_prices[0] == pytest.approx(4)
    assert found.rationed == {"tenants.flats": pytest.approx(15)}
    assert found.deadweight_loss == 0
    assert found.held.tolist() == [True, False]


LINEAR: Data = {
    "goods": {"upkeep": None, "flats": {"cap": 1}},
    "outside": {"upkeep": 1},
    "firms": [{"name": "landlords", "makes": "flats = 4*sqrt(upkeep)"}],
    "consumers": [
        {
            "name": "rich",
            "utility": {"quasilinear": {"quadratic": {"intercept": {"flats": 7}, "slope": {"flats": 0.25}}}},
        }
    ],
}
"""Marginal cost is `q/8`, marginal value `7 - q/4`: they meet at 56/3 flats for 7/3."""


@pytest.mark.parametrize(
    ("control", "used"), [({"cap": 1}, 8), ({"floor": 4}, 12), ({"fixed_price": 2}, 16), ({"fixed_price": 3}, 16)]
)
def test_the_deadweight_loss_is_the_triangle_of_the_textbook(control: Data, used: float) -> None:
    _, found = solved(LINEAR | {"goods": {"upkeep": None, "flats": control}})
    meet = 56 / 3
    triangle = ((7 - used / 4) - used / 8) * (meet - used) / 2
    assert found.deadweight_loss == pytest.approx(triangle, rel=1e-6)
    assert found.shadow_prices[1] == pytest.approx(7 - used / 4)


def test_the_deadweight_loss_is_the_area_between_any_two_curves() -> None:
    """Students demand 15/p, families by an elasticity of 1/2; landlords supply 8p, of which marginal cost is q/8."""
    data: Data = {
        "goods": {"flats": {"cap": 1}, "food": {"fixed_price": 1}, "upkeep": None},
        "outside": {"upkeep": 1, "food": 1},
        "firms": [{"name": "landlords", "makes": "flats = 4*sqrt(upkeep)"}],
        "consumers": [
            {"name": "students", "budget": 30, "utility": {"cobb_douglas": {"flats": 1, "food": 1}}},
            {
                "name": "families",
                "budget": 40,
                "utility": {"ces": {"elasticity": 0.5, "shares": {"flats": 1, "food": 1}}},
            },
        ],
    }
    _, found = solved(data)

    def demand(price: float) -> float:
        return 15 / price + 40 * price**-0.5 / (price**0.5 + 1)

    def clears(low: float, high: float, gap: Any) -> float:
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if gap(middle) > 0 else (low, middle)
        return low

    price = clears(1, 10, lambda p: demand(p) - 8 * p)

    def value(quantity: float) -> float:
        return clears(0.1, 100, lambda p: demand(p) - quantity)

    area, _ = quad(lambda q: value(q) - q / 8, 8, 8 * price)
    assert found.deadweight_loss == pytest.approx(area, rel=1e-6)


@pytest.mark.parametrize("goods", [{"flats": {"cap": 9}, "food": None}, {"flats": {"floor": 0.5}, "food": None}])
def test_a_bound_that_is_not_in_force_leaves_nobody_rationed(goods: Data) -> None:
    scenario = load(TENANTS | {"goods": goods})
    assert fix_price_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices]) == []


def test_who_earns_what_it_can_spend_on_nothing_never_comes_to_rest() -> None:
    """The landlord wants flats alone, of which there are too few: its money grows for ever."""
    landlord = {"name": "landlord", "endowment": {"food": 30}, "utility": {"cobb_douglas": {"flats": 1}}}
    data = TENANTS | {"consumers": [*TENANTS["consumers"], landlord]}
    scenario = load(data)
    assert fix_price_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices]) == []
    money = simulate({**data, "run": {"ticks": 400, "references": "off"}, "expect": "settled_off_equilibrium"}).ticks[
        "money"
    ]
    assert money.iloc[-1] > 1.5 * money.iloc[200] > 0


def test_many_unknowns_are_left_alone() -> None:
    crowd = {
        "name": "crowd",
        "count": 500,
        "endowment": {"food": {"uniform": [0.5, 1.5]}},
        "utility": {"cobb_douglas": {"flats": 1, "food": 1}},
    }
    scenario = load(TENANTS | {"consumers": [*TENANTS["consumers"], crowd]})
    assert fix_price_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices]) == []


@pytest.mark.parametrize("name", [name for name in CASES if "activity" not in name])
def test_the_search_finds_no_competitive_equilibrium_there_and_says_that_a_price_is_held(name: str) -> None:
    scenario = load(CASES[name])
    found = search_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices], many=6)
    assert found.equilibria == []
    assert found.held
