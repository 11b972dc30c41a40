"""Scenarios with taxes: another road comes to the same, and each teaches what its header claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.house import load, solve
from tests.plain_equilibrium import Found, equilibrium
from tests.published import CASES
from tests.shared_runs import SharedRuns

SCENARIOS = Path(__file__).parents[1] / "scenarios"
RATE = {"taxes.carbon_tax.rate": 0.5}
HOUR = "consumers.poor.endowment.labour"


def other_road(name: str, **settings: object) -> Found:
    return equilibrium(load(SCENARIOS / f"{name}.yaml", settings=settings).resolved)


@pytest.mark.parametrize(
    "name", ["carbon_tax", "shoven_whalley", "shoven_whalley_taxed", "shoven_whalley_reform", "equal_yield"]
)
def test_a_run_and_its_judge_end_where_another_road_does(name: str, shared: SharedRuns) -> None:
    found, run = other_road(name, **(RATE if name == "carbon_tax" else {})), shared.run(name)
    last, judged = (
        run.prices.iloc[-1],
        run.equilibrium[run.equilibrium["from_tick"] == max(run.summary["shocks"] or [0])],
    )
    for good, price in found["price"].items():
        assert last[good] == pytest.approx(price, rel=1e-6)
        assert judged.set_index("good").loc[good, "price"] == pytest.approx(price, rel=1e-9)
    if found["revenue"]:
        taxes = run.taxes.groupby("tax").last()
        assert taxes["revenue"].to_dict() == pytest.approx(found["revenue"], rel=1e-6)
        assert taxes["rate"].to_dict() == pytest.approx(found["rate"], rel=1e-6)
    agents = run.agents[run.agents["tick"] == run.summary["ticks"]].groupby("agent")["utility"].first()
    for consumer, utility in found["utility"].items():
        assert agents[consumer] == pytest.approx(utility, rel=1e-6)


def test_a_tax_on_carbon_is_borne_by_all_who_cannot_do_without(shared: SharedRuns) -> None:
    run = shared.run("carbon_tax")
    before, after = (run.trajectory.query(f"tick == {tick}").set_index("good") for tick in (299, run.summary["ticks"]))
    np.testing.assert_allclose(before["price"], 1.0, rtol=1e-6)
    assert after.loc["carbon", "traded"] == pytest.approx(10 * 0.88, rel=1e-3)
    assert after.loc["carbon", "price"] < 1 < 1.5 * after.loc["carbon", "price"]
    assert after.loc["carbon", "adjoint"] == pytest.approx(1.5 * after.loc["carbon", "price"], rel=1e-6)
    gains = run.welfare.query("since > 0").set_index("agent")["equivalent_variation"]
    assert gains["poor"] > 0 > gains["poor"] + gains["rich"]


def test_a_unit_is_worth_its_price_and_the_revenue_that_it_brings() -> None:
    """Harberger: `dC/de = p + sum of t p dq`, `q` what is taxed, all solved anew. Where everybody goes on splitting all
    as before, it is the adjoint; the difference is the fiscal externality: none where all is Cobb-Douglas of one taste.
    """
    alike = {
        **{f"firms.{name}.technology.reference.elasticity": 1.0 for name in ("power", "works")},
        **{f"consumers.{name}.utility.reference.elasticity": 1.0 for name in ("rich", "poor")},
        "consumers.rich.utility.reference.demand": {"energy": 5, "wares": 33},
    }
    for changes, externality in ((RATE, 0.01109), ({**RATE, **alike}, 0.0)):
        solution = solve(SCENARIOS / "carbon_tax.yaml", starts=1, settings=changes, derivatives=[HOUR])
        moved = solution.derivatives.set_index(["kind", "name"])["derivative"]
        price, used = solution.of("price")[1]["carbon"], solution.of("input")[1]["power.carbon"]
        # Revenue is 0.5 times the price times the quantity.
        taxed = moved["revenue", "carbon_tax"] / (0.5 * price) - used * moved["price", "carbon"] / price
        (worth,) = moved["objective"]
        assert worth == pytest.approx(1 + 0.5 * price * taxed, rel=1e-7)
        adjoint = solution.summary["found"][0]["adjoint"]["labour"]
        assert worth - adjoint == pytest.approx(externality, abs=1e-5)


def test_the_reform_helps_the_poor_as_much_and_costs_the_rich_less() -> None:
    taxed, reformed = (other_road(f"shoven_whalley_{name}")["utility"] for name in ("taxed", "reform"))
    assert reformed["poor"] == pytest.approx(taxed["poor"], rel=1e-9)
    assert reformed["rich"] == pytest.approx(24.6263775128, rel=1e-9)
    assert taxed["rich"] == pytest.approx(24.1759678711, rel=1e-9)
    path = SCENARIOS / "shoven_whalley_reform.yaml"
    unkept = solve(path, starts=4, settings={"taxes.sales_tax.rate.adjust.at": 100})
    assert unkept.summary["equilibria"] == 0
    assert "no rate of sales_tax" in str(unkept)


def test_both_sides_of_the_laffer_curve_bring_the_same_revenue() -> None:
    """Beyond its top no rate does."""
    keep = {"adjust": {"keep": "taxes.capital_tax.revenue", "at": 2.27714063463, "start": 0.1}}
    found = solve(CASES / "shoven_whalley_taxed.yaml", settings={"taxes.capital_tax.rate": keep})
    rates = sorted(found.of("rate").loc["capital_tax"])
    assert rates == pytest.approx([0.5, 4.18446108], rel=1e-8)
    more = {"taxes.capital_tax.rate": {"adjust": {**keep["adjust"], "at": 2.97}}}
    assert solve(CASES / "shoven_whalley_taxed.yaml", starts=8, settings=more).summary["equilibria"] == 0


@pytest.mark.parametrize("numeraire", ["manufacturing", "capital"])
def test_another_numeraire_changes_no_quantity(numeraire: str) -> None:
    one, other = (
        solve(SCENARIOS / "shoven_whalley_reform.yaml", starts=1, settings={"numeraire": good})
        for good in ("labour", numeraire)
    )
    for kind in ("level", "consumption", "input", "utility", "rate"):
        np.testing.assert_allclose(other.of(kind), one.of(kind), rtol=1e-9)
    scale = one.prices.loc[numeraire, 1]
    np.testing.assert_allclose(scale * other.prices, one.prices, rtol=1e-9)
    np.testing.assert_allclose(scale * other.of("revenue"), one.of("revenue"), rtol=1e-9)


def test_only_taxes_that_are_paid_come_between_prices_and_derivatives(shared: SharedRuns) -> None:
    sentence = shared.run("free_trade").summary["sentence"]
    assert sentence.endswith("paid in indirect_tax_BRD, indirect_tax_MLK further on.")
