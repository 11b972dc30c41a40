"""welfare.csv: who gained and who lost, in runs of every kind."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house import load, run_to_disk, simulate

VILLAGE: dict[str, Any] = {
    "goods": ["labour", "bread"],
    "numeraire": "labour",
    "consumers": [
        {
            "name": "ann", "endowment": {"labour": 2}, "owns": {"bakery": 1},
            "utility": {"cobb_douglas": {"labour": 1, "bread": 3}},
        },
        {
            "name": "many", "count": 3, "endowment": {"labour": {"uniform": [1, 3]}},
            "utility": {"stone_geary": {"shares": {"labour": 1, "bread": 1}, "subsistence": {"bread": 0.1}}},
        },
        {"name": "four", "count": 4, "endowment": {"labour": 1}, "utility": {"formula": "ln(labour) + ln(bread)"}},
        {"name": "eve", "budget": 3, "utility": {"quasilinear": {"log": {"bread": 1}}}},
    ],
    "firms": [
        {"name": "bakery", "makes": "bread = 2*labour^0.5"},
        {"name": "idle", "count": 2, "makes": "bread = labour^0.5"},
    ],
    "trade": "at_equilibrium",
    "run": {"references": "off"},
}  # fmt: skip
BETTER = {"tick": 40, "set": {"firms.bakery.productivity": 1.5}}


def rows(run: Any, since: int) -> Any:
    return run.welfare[run.welfare["since"] == since].set_index("agent")


def at(run: Any, agent: str, tick: int, column: str, good: str = "bread") -> float:
    table = run.agents
    (value,) = table[(table["agent"] == agent) & (table["tick"] == tick) & (table["good"] == good)][column]
    return float(value)


@pytest.fixture(scope="module")
def village() -> Any:
    return simulate({**VILLAGE, "shocks": [BETTER, {"tick": 60, "set": {"firms.bakery.productivity": 1.2}}]})


@pytest.mark.parametrize("since", [0, 39])
def test_variations_are_what_utilities_in_agents_csv_cost(village: Any, since: int) -> None:
    found, last = rows(village, since), village.summary["ticks"]
    assert set(village.welfare["since"]) == {0, 39}
    prices = village.prices["bread"]
    gained = at(village, "ann", last, "utility") - at(village, "ann", since, "utility")
    for column, tick in (("equivalent_variation", since), ("compensating_variation", last)):
        unit_cost = (1 / 0.25) ** 0.25 * (prices[tick] / 0.75) ** 0.75
        np.testing.assert_allclose(found.loc["ann", column], unit_cost * gained, rtol=1e-12)
    # Stone-Geary of equal shares costs 2 sqrt(p) a unit beyond subsistence, which does not change.
    gained = at(village, "many:total", last, "utility") - at(village, "many:total", since, "utility")
    expected = 2 * np.sqrt(prices[since]) * gained
    np.testing.assert_allclose(found.loc["many:total", "equivalent_variation"], expected, rtol=1e-11)
    # Of ln(x) each spends 1, so that the surplus rises as the price falls.
    surplus = np.log(prices[since] / prices[last])
    for column in ("equivalent_variation", "compensating_variation", "consumer_surplus"):
        np.testing.assert_allclose(found.loc["eve", column], surplus, rtol=1e-11)
    profit = [at(village, "bakery", tick, "profit") for tick in (since, last)]
    np.testing.assert_allclose(
        found.loc["bakery", ["profit", "profit_change"]].tolist(), [profit[1], np.diff(profit)[0]]
    )


def test_what_has_no_formula_is_empty_and_totals_are_sums_over_members(village: Any) -> None:
    found = rows(village, 39)
    assert found.loc["four:total", ["equivalent_variation", "compensating_variation"]].isna().all()
    for agent, count in (("many", 3), ("idle", 2)):
        pair = found.loc[[f"{agent}:mean", f"{agent}:total"], ["equivalent_variation", "profit"]].to_numpy(dtype=float)
        np.testing.assert_allclose(count * pair[0], pair[1], rtol=1e-14)
    assert found["kind"].tolist() == ["firm"] * 3 + ["consumer"] * 6


def test_members_who_differ_add_up_to_each_alone() -> None:
    """A table of incomes as a cohort, and as a consumer for each."""
    goods = {"goods": ["x", "y"], "numeraire": "y", "shocks": [{"tick": 5, "set": {"supply.x": 2}}], "supply": {"x": 1}}
    taste = {"ces": {"elasticity": 0.5, "shares": {"x": 1, "y": 2}}}
    many = [{"name": "c", "count": 3, "endowment": {"y": {"uniform": [0.5, 4]}}, "utility": taste}]
    whole = simulate({**goods, "consumers": many, "run": {"ticks": 9, "members": {"c": [9]}}})
    owned = whole.members["endowment.y"].tolist()
    alone = [{"name": f"c{n}", "endowment": {"y": y}, "utility": taste} for n, y in enumerate(owned)]
    whole, parts = (rows(each, 4) for each in (whole, simulate({**goods, "consumers": alone, "run": {"ticks": 9}})))
    assert len(parts) == 3
    for column in ("equivalent_variation", "compensating_variation"):
        np.testing.assert_allclose(parts[column].sum(), whole.loc["c:total", column], rtol=1e-12)


def test_other_tastes_are_not_compared() -> None:
    shock = {"tick": 40, "set": {"consumers.ann.utility.cobb_douglas.bread": 2}}
    found = rows(simulate({**VILLAGE, "shocks": [shock]}), 39)
    assert np.isnan(found.loc["ann", "equivalent_variation"])
    assert np.isfinite(found.loc["many:total", "equivalent_variation"])


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_a_run_that_is_stopped_goes_on_to_the_same_table(trade: str, tmp_path: Path) -> None:
    run = {"ticks": 90, "stop": "never", "references": "off"}
    scenario = load({**VILLAGE, "name": "v", "trade": trade, "shocks": [BETTER], "run": run})
    run_to_disk(scenario, tmp_path / "whole")
    for stop in (39, 40, 41, 70):
        folder, seen = tmp_path / str(stop), iter(range(stop))
        run_to_disk(scenario, folder, stopped=partial(lambda seen: next(seen, None) is None, seen))
        run_to_disk(scenario, folder, resume=True)
        for file in ("welfare.csv", "agents.csv"):
            assert (folder / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_where_nobody_plans_there_is_a_header_alone() -> None:
    run = simulate("scenarios/xor.yaml", ticks=2)
    assert run.welfare.empty
    assert list(run.welfare.columns[:3]) == ["since", "agent", "kind"]


def test_rows_of_some_agents_and_no_table_at_all() -> None:
    some = simulate({**VILLAGE, "run": {"ticks": 3, "references": "off", "agents": ["many"]}})
    assert some.welfare["agent"].tolist() == ["many:mean", "many:total"]
    assert simulate({**VILLAGE, "run": {"ticks": 3, "references": "off", "tables": ["ticks"]}}).welfare.empty


def taxed(**others: Any) -> Any:
    """Shoven's and Whalley's economy, in which their tax comes in tick 600."""
    name = Path(__file__).parent / "cases" / "shoven_whalley.yaml"
    tax = {"name": "capital_tax", "on": "input", "of": "manufacturing", "good": "capital", "rate": 0}
    data = {**load(name).resolved, "taxes": [{**tax, "to": {"rich": 0.4, "poor": 0.6}}]}
    data["shocks"] = [{"tick": 600, "set": {"taxes.capital_tax.rate": 0.5}}]
    data["run"] = {"ticks": 1300, "references": "off", "tables": ["welfare"], "stop": "never"}
    return simulate({**data, **others})


def test_a_tax_in_a_run_is_worth_what_the_books_say() -> None:
    """As between the published equilibria; of the revenue of 2.27714 the rich get 40 %, and manufacturing pays it."""
    found = rows(taxed(), 599)
    np.testing.assert_allclose(found["tax"], [2.27714063463, 0, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(found.loc[["rich", "poor"], "revenue"], 2.27714063463 * np.array([0.4, 0.6]), rtol=1e-5)
    old, new = np.array([1.39911066223, 1.09307648001]), np.array([1.46651491882, 1.0057730419])
    unit = [float(np.sum(0.5 * p**-0.5) ** -2) for p in (old, new)]
    expected = 29.101960043 * unit[0] / unit[1] - 34.3367786745
    np.testing.assert_allclose(found.loc["rich", "equivalent_variation"], expected, rtol=1e-5)


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_what_is_paid_is_what_is_collected(trade: str) -> None:
    """Taxes on inputs, outputs of both bases and purchases, of firms and consumers who use what is their own."""
    firms = [
        {"name": "farm", "makes": "grain = 2*labour^0.5*grain^0.2"},
        {"name": "mills", "count": 2, "makes": "bread = 1.5*grain^0.4*labour^0.3"},
    ]
    taste = {"cobb_douglas": {"grain": 1, "bread": 2, "labour": 1}}
    consumers = [
        {"name": "rich", "utility": taste, "endowment": {"grain": 1}, "owns": {"farm": 1, "mills": 0.4}},
        {"name": "poor", "count": 3, "utility": taste, "endowment": {"labour": {"uniform": [1, 2]}}},
        {"name": "state", "utility": taste, "budget": 1},
    ]
    taxes = [
        {"name": "gross", "on": "output", "of": "farm", "rate": 0.1, "to": "state"},
        {"name": "net", "on": "output", "base": "net", "rate": 0.2, "to": {"state": 0.5, "poor": 0.5}},
        {"name": "wages", "on": "input", "good": "labour", "rate": 0.3, "to": "poor"},
        {"name": "all_grain", "on": "sales", "good": "grain", "rate": 0.1, "to": "state"},
        {"name": "bread_tax", "on": "consumption", "good": "bread", "of": ["poor"], "rate": -0.2, "to": "rich"},
    ]
    given = {"goods": ["labour", "grain", "bread"], "firms": firms, "consumers": consumers, "taxes": taxes}
    for ticks in (0, 7):
        table = simulate({**given, "trade": trade, "run": {"ticks": ticks, "references": "off"}}).welfare
        totals = table[~table["agent"].str.endswith(":mean")].set_index("agent")
        assert (totals["tax"] != 0).all()
        np.testing.assert_allclose(totals["tax"].sum(), totals["revenue"].sum(), rtol=1e-12)
        mean = table.set_index("agent").loc["poor:mean", ["tax", "revenue"]].astype(float)
        np.testing.assert_allclose(3 * mean, totals.loc["poor:total", ["tax", "revenue"]].astype(float))
