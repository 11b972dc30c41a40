"""Runs with taxes: published prices, taxes written two ways, rates that adjust, and derivatives along a taxed chain."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.house import (
    Fiscal,
    Run,
    asked,
    equilibrium_adjoints,
    find,
    load,
    outputs,
    run_to_disk,
    simulate,
    solve,
    write_curves,
)
from tests.taxed import realm
from tests.test_levels import case

LAFFER: dict[str, Any] = {
    "goods": ["cloth", "labour"],
    "numeraire": "labour",
    "firms": [{"name": "mill", "makes": "cloth = 2*labour^0.5"}],
    "consumers": [
        {
            "name": "folk",
            "utility": {"ces": {"elasticity": 3, "shares": {"cloth": 0.5, "labour": 0.5}}},
            "endowment": {"labour": 10},
            "owns": {"mill": 1},
        },
        {"name": "state", "utility": {"cobb_douglas": {"labour": 1}}},
    ],
    "taxes": [{"name": "excise", "on": "consumption", "good": "cloth", "rate": 1, "to": "state"}],
    "scheduler": {"rate": 0.2},
    "run": {"ticks": 3000, "tolerance": 1e-9},
}
"""Folk buy so much less of dear cloth that the excise has a best rate."""


def shoven_whalley(**changes: Any) -> dict[str, Any]:
    """Their economy with its tax on capital."""
    tax = {"on": "input", "of": "manufacturing", "good": "capital", "rate": 0.5, "to": {"rich": 0.4, "poor": 0.6}}
    run = {"ticks": 3000, "tolerance": 1e-9}
    return case("shoven_whalley", **({"taxes": [{"name": "capital_tax", **tax}], "run": run} | changes))


def last(run: Run, table: str, column: str, key: str) -> dict[str, float]:
    """A column of the last tick, by a key."""
    rows = getattr(run, table)
    rows = rows[rows["tick"] == run.summary["ticks"]]
    return dict(zip(rows[key], rows[column], strict=True))


def other_rate(data: dict[str, Any], **rate: Any) -> dict[str, Any]:
    """The same with its one tax at a rate that adjusts."""
    changed = copy.deepcopy(data)
    changed["taxes"][0]["rate"] = {"adjust": rate}
    return changed


@pytest.mark.parametrize("trade", ["at_equilibrium", "every_tick"])
def test_the_capital_tax_of_shoven_and_whalley_has_their_prices(trade: str) -> None:
    run = simulate(shoven_whalley(trade=trade))
    assert run.summary["outcome"] == "cleared"
    prices = last(run, "trajectory", "price", "good")
    published = {"manufacturing": 1.46651492, "nonmanufacturing": 1.00577304, "capital": 1.12764415, "labour": 1.0}
    assert prices == pytest.approx(published, rel=1e-7)
    assert last(run, "trajectory", "bid", "good") == pytest.approx(prices, rel=1e-8)
    assert run.summary["taxes"]["capital_tax"] == pytest.approx({"rate": 0.5, "revenue": 2.277}, rel=1e-4)


def test_a_tax_on_all_inputs_is_one_on_output() -> None:
    """Of net base at the same rate `t`, or of gross base at `t/(1 + t)`: in every price and quantity."""
    ways = [
        {"on": "input", "rate": 0.25},
        {"on": "output", "rate": 0.25, "base": "net"},
        {"on": "output", "rate": 0.2, "base": "gross"},
    ]
    data, runs = case("mpsge"), list[Run]()
    for way in ways:
        taxes = [{"name": "t", "of": "X", "to": "RA", **way}]
        runs.append(simulate({**data, "taxes": taxes, "run": {"ticks": 6000, "references": "off", "tolerance": 1e-9}}))
    assert runs[0].summary["outcome"] == "cleared"
    for run in runs[1:]:
        for table, columns in (("trajectory", ["price", "demand"]), ("agents", ["quantity", "input", "output"])):
            ends = [getattr(each, table)[columns].to_numpy()[-8:] for each in (runs[0], run)]
            np.testing.assert_allclose(*ends, rtol=1e-7)
        revenue = [each.summary["taxes"]["t"]["revenue"] for each in (runs[0], run)]
        assert revenue[1] == pytest.approx(revenue[0], rel=1e-7)


def test_a_rate_finds_the_revenue_that_another_tax_brought() -> None:
    revenue = simulate(shoven_whalley()).summary["taxes"]["capital_tax"]["revenue"]
    run = simulate(other_rate(shoven_whalley(), keep="taxes.capital_tax.revenue", at=revenue, start=0.1, speed=0.1))
    assert run.summary["outcome"] == "cleared"
    assert run.summary["taxes"]["capital_tax"]["rate"] == pytest.approx(0.5, rel=1e-6)
    rates = run.taxes["rate"].to_numpy()
    assert rates[0] == 0.1
    kept = run.taxes["revenue"].to_numpy()
    np.testing.assert_allclose(np.diff(rates), 0.1 * (revenue - kept[:-1]) / revenue, rtol=1e-9, atol=1e-13)


def test_beyond_the_best_rate_more_revenue_asks_for_a_rate_that_falls() -> None:
    """Of the two rates that raise a revenue the low one holds under a positive speed, the high one under a negative."""
    revenue = simulate(LAFFER).summary["taxes"]["excise"]["revenue"]
    found = solve(other_rate(LAFFER, keep="taxes.excise.revenue", at=revenue))
    low, high = sorted(found.of("rate").loc["excise"].tolist())
    assert low == pytest.approx(1.0, rel=1e-6)
    data = {**LAFFER, "run": {"ticks": 2000, "tolerance": 1e-6, "references": "off"}}
    for speed, start, reached in ((0.3, 3.0, low), (-0.3, high - 0.1, high), (0.3, high - 0.1, None)):
        rate = {"keep": "taxes.excise.revenue", "at": revenue, "start": start, "speed": speed}
        run = simulate(other_rate(data, **rate))
        assert run.summary["outcome"] == ("out_of_ticks" if reached is None else "cleared")
        if reached is not None:
            assert run.summary["taxes"]["excise"]["rate"] == pytest.approx(reached, rel=1e-4)


@pytest.mark.parametrize(("speed", "start"), [(-0.1, 0.3), (0.1, 8.0)])
def test_a_rate_that_runs_away_is_told(speed: float, start: float) -> None:
    rate = {"keep": "taxes.excise.revenue", "at": 1.5, "start": start, "speed": speed}
    run = simulate(other_rate({**LAFFER, "run": {"ticks": 30_000}}, **rate))
    if speed < 0:
        assert run.summary["outcome"] == "diverged"
        assert "The rate of excise runs away: after -0." in run.summary["sentence"]
        assert np.isfinite(run.trajectory["price"]).all()
    else:
        assert run.summary["outcome"] != "cleared"
        assert "has yet to keep 1.5" in run.summary["sentence"]


def test_a_shock_changes_a_rate() -> None:
    data = shoven_whalley()
    run = simulate({**data, "shocks": [{"tick": 400, "set": {"taxes.capital_tax.rate": 0.25}}]})
    data["taxes"][0]["rate"] = 0.25
    other = simulate(data)
    assert run.taxes["rate"].iloc[[399, 400]].tolist() == [0.5, 0.25]
    for table, column in (("trajectory", "price"), ("taxes", "revenue")):
        key = "good" if table == "trajectory" else "tax"
        assert last(run, table, column, key) == pytest.approx(last(other, table, column, key), rel=1e-6)


def test_taxes_csv_tells_every_tax_of_every_recorded_tick(tmp_path: Path) -> None:
    run = simulate(realm(adjusts=True, trade="every_tick", run={"ticks": 50, "stop": "never", "record_every": 7}))
    names = [tax["name"] for tax in realm()["taxes"]]
    assert run.taxes["tax"].tolist() == names * 9
    assert run.taxes["tick"].unique().tolist() == [*range(0, 50, 7), 50]
    assert list(run.taxes.columns) == ["tick", "tax", "rate", "revenue"]
    told = {tax: dict(rate=rate, revenue=revenue) for _, tax, rate, revenue in run.taxes.tail(len(names)).to_numpy()}
    assert run.summary["taxes"] == told
    assert simulate(case("mpsge")).taxes.empty


def test_curves_are_drawn_at_the_rates_of_their_tick(tmp_path: Path) -> None:
    run_to_disk(load(realm(adjusts=True, trade="at_equilibrium", run={"ticks": 10})), tmp_path / "run")
    write_curves(tmp_path / "run", asked("bread@5,land"))
    curves = pd.read_csv(tmp_path / "run" / "curves.csv")
    recorded = pd.read_csv(tmp_path / "run" / "trajectory.csv").set_index(["tick", "good"])
    for (tick, good), curve in curves.groupby(["tick", "good"]):
        here = curve.iloc[len(curve) // 2][["price", "demand", "supply"]].to_numpy()
        assert here == pytest.approx(recorded.loc[(tick, good), ["price", "demand", "supply"]].to_numpy(), rel=1e-9)


CHAIN: dict[str, Any] = {
    "goods": ["labour", "land", "grain", "flour", "bread"],
    "numeraire": "labour",
    "firms": [
        {
            "name": name,
            "technology": {"ces": {"output": made, "elasticity": e, "shares": shares, "returns_to_scale": k}},
        }
        for name, made, e, shares, k in (
            ("farm", "grain", 0.6, {"labour": 0.5, "land": 0.5}, 0.8),
            ("mill", "flour", 1.7, {"labour": 0.3, "grain": 0.7}, 0.9),
            ("bakery", "bread", 0.4, {"labour": 0.3, "grain": 0.2, "flour": 0.5}, 0.7),
        )
    ],
    "consumers": [
        {
            "name": "folk",
            "utility": {"ces": {"elasticity": 1.5, "shares": {"bread": 0.6, "grain": 0.1, "labour": 0.3}}},
            "endowment": {"labour": 10, "land": 5},
            "owns": {"farm": 1, "mill": 1, "bakery": 1},
        },
        {"name": "state", "utility": {"cobb_douglas": {"bread": 2, "flour": 1}}},
    ],
    "taxes": [
        {"name": "a", "on": "input", "of": "farm", "good": "land", "rate": 0.3, "to": "state"},
        {"name": "b", "on": "output", "of": "farm", "rate": 0.1, "to": "state"},
        {"name": "c", "on": "input", "of": ["mill"], "rate": 0.2, "to": {"folk": 0.5, "state": 0.5}},
        {"name": "d", "on": "output", "of": ["mill", "bakery"], "rate": 0.25, "base": "net", "to": "state"},
        {"name": "e", "on": "sales", "good": ["flour", "grain"], "rate": 0.15, "to": "state"},
        {"name": "f", "on": "consumption", "good": "bread", "rate": -0.1, "to": "state"},
    ],
    "trade": "at_equilibrium",
}


def test_the_wedge_compounds_along_the_chain() -> None:
    """`w_i = sum over users of flow share * (1 + t_user) * w_out * p_out / maker's price of out`, consumers `1 + t`.

    The adjoint is the derivative of the objective at the fixed split.
    """
    scenario = load(CHAIN)
    economy = scenario.economy
    (found,) = find(economy, scenario.rule, [scenario.initial_prices])
    balance, prices, goods = found.balance, found.prices, len(economy.goods)
    adjoints = equilibrium_adjoints(economy, balance)
    paid, made = (
        {"farm": {"land": 0.3}, "mill": {"labour": 0.2, "grain": 0.35}, "bakery": {"grain": 0.15, "flour": 0.15}},
        {
            "farm": 0.9,
            "mill": 1 / 1.25,
            "bakery": 1 / 1.25,
        },
    )
    used = economy.over_edges(balance.inputs) + balance.consumption.sum(axis=0)
    system, final = np.eye(goods), np.zeros(goods)
    for firm, edges in zip(economy.firms, economy.edge_rows, strict=True):
        for good, flow in zip(firm.inputs, balance.inputs[edges], strict=True):
            tax = paid[firm.name].get(economy.goods[good], 0.0)
            system[good, firm.outputs[0]] -= flow / used[good] * (1 + tax) / made[firm.name]
    on_folk = {"bread": -0.1, "grain": 0.15, "flour": 0.15}
    for bundle in balance.consumption:
        final += bundle / used * [1 + on_folk.get(good, 0.0) for good in economy.goods]
    wedges = np.linalg.solve(system, final)
    np.testing.assert_allclose(adjoints, wedges * prices, rtol=1e-8)
    assert wedges.max() > 1.5
    for good in range(goods):
        h = 1e-4 * used[good]
        ahead, behind = (_pushed(economy, balance, used, good, side * h) for side in (1, -1))
        assert adjoints[good] == pytest.approx((ahead - behind) / (2 * h), rel=1e-8)


def _pushed(economy: Any, balance: Any, before: np.ndarray, good: int, more: float) -> float:
    """The objective when `more` of a good is used and everything downstream is split as it was."""
    amount, base = before, economy.over_outlets(outputs(economy, balance.inputs))
    for _ in range(20):
        there = balance.inputs * (amount / before)[economy.edge_good]
        amount = before + economy.over_outlets(outputs(economy, there)) - base + more * (np.arange(len(before)) == good)
    total = 0.0
    for number, (cohort, bundle) in enumerate(zip(economy.consumers, balance.consumption, strict=True)):
        form, faced = cohort.utility.form, economy.user_prices.consumer_prices(number, balance.prices)
        total += float(form.value((bundle * amount / before)[None])[0] * form.unit_cost(faced).item())
    return total


def test_who_pays_a_tax_out_of_a_budget_counts_in_the_objective_like_who_earns() -> None:
    data = {
        "goods": ["x", "y"],
        "supply": {"x": 1, "y": 2},
        "consumers": [
            {"name": "ann", "budget": 10, "utility": {"ces": {"elasticity": 2, "shares": {"x": 0.5, "y": 0.5}}}},
            {"name": "state", "utility": {"cobb_douglas": {"x": 1}}},
        ],
        "transfers": [{"from": "ann", "to": "state", "amount": 3}],
        "trade": "at_equilibrium",
    }
    (found,) = solve(data).summary["found"]
    assert found["adjoint"] == pytest.approx(found["price"], rel=1e-9)


FAULTS: dict[str, tuple[Any, str, Any]] = {
    "factors": (Fiscal, "factors", lambda result, *_: result._replace(edges=result.edges**1.01)),
    "revenue": (Fiscal, "revenues", lambda result, *_: 1.01 * result),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_moves_the_published_prices(name: str, inject: Any) -> None:
    inject(*FAULTS[name])
    run = simulate(shoven_whalley())
    assert abs(last(run, "trajectory", "price", "good")["capital"] - 1.12764415) > 1e-5
