"""Fix-price equilibria: rest points of a market that trades in every tick, by a road that knows no tick."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from tests.house import fix_price_equilibria, load, simulate

Data = dict[str, Any]
HALF = {"cobb_douglas": {"bread": 1, "cloth": 1}}
TENANTS: Data = {
    "goods": {"flats": {"fixed_price": 1}, "food": {"price": 1}},
    "supply": {"flats": 5, "food": 20},
    "consumers": [{"name": "tenants", "utility": {"cobb_douglas": {"flats": 1, "food": 1}}, "budget": 40}],
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
    np.testing.assert_allclose(market["demand"], found.demand, rtol=1e-6)
    np.testing.assert_allclose(market["supply"], found.supply, rtol=1e-6)
    np.testing.assert_allclose(market["bid"], found.shadow_prices, rtol=1e-6)
    agents = agents[~agents["agent"].str.endswith(":mean")]
    rows = agents.assign(agent=agents["agent"].str.removesuffix(":total")).set_index(["agent", "good"])
    scale = {good: float(size) for good, size in zip(economy.goods, np.maximum(found.demand, found.supply), strict=True)}
    for (agent, good), row in rows.iterrows():
        rationed = found.rationed.get(f"{agent}.{good}", 0.0)
        assert row["rationed"] == pytest.approx(rationed, abs=2e-6 * scale[good]), (agent, good)
    for number, cohort in enumerate(economy.consumers):
        consumed = [rows["quantity"].get((cohort.name, good), 0.0) for good in economy.goods]
        np.testing.assert_allclose(found.consumption[number], consumed, rtol=1e-6, atol=1e-9)
        money = rows["money"].xs(cohort.name).iloc[0]
        assert cohort.weight * found.accounts[number].sum() == pytest.approx(money, rel=1e-6, abs=1e-7)
