"""Every file in scenarios/ runs, ends as it says, and teaches what its header claims."""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.house import Run, load, simulate
from tests.shared_runs import SharedRuns

Runs = Callable[[str], Run]
Column = Callable[[str, str, str], np.ndarray]
Last = Callable[[str], pd.DataFrame]
FOLDER = Path(__file__).parents[1] / "scenarios"
FILES = sorted(file for file in FOLDER.rglob("*.yaml") if file.parent.name != "studies")
PUBLISHED = {
    "tupperware": {"natgas": 1 / 24, "ethylene": 1 / 6, "polyethylene": 3 / 2, "tupperware": 1.0},
    "tupperware_gas_cut": {"natgas": 1 / (2 * 2.4 * (1 + sqrt(2.4))), "tupperware": 1.0},
    "bazaar": {"payoff1": 1.0, "payoff2": 14 / 43, "payoff3": 29 / 86},
    "crusoe": {"labour": 1.0, "food": 2 / sqrt(3)},
}


@pytest.fixture
def run(shared: SharedRuns) -> Runs:
    """A scenario's run, once for all tests."""
    return shared.run


@pytest.fixture
def column(run: Runs) -> Column:
    """A column of a run's trajectory for one good, by tick."""

    def of(name: str, good: str, column: str) -> np.ndarray:
        frame = run(name).trajectory
        return frame.loc[frame["good"] == good, column].to_numpy()

    return of


@pytest.fixture
def last(run: Runs) -> Last:
    """The last tick of a run's trajectory, by good."""

    def of(name: str) -> pd.DataFrame:
        frame = run(name).trajectory
        return frame[frame["tick"] == frame["tick"].max()].set_index("good")

    return of


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 9


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_ends_as_it_says(path: Path, run: Runs) -> None:
    summary = run(path.stem).summary
    assert summary["outcome"] in load(path).expect, summary["sentence"]
    assert summary["name"] == path.stem
    assert summary["worst_imbalance"] < 1e-12


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_header_teaches(path: Path) -> None:
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(header) >= 4
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if (told := load(path)).expect == ("cleared",) and told.scheduler.kind != "learning"],
    ids=lambda path: path.stem,
)
def test_price_is_bid_is_derivative(path: Path, run: Runs, last: Last) -> None:
    rows = last(path.stem)
    used = rows["bid"].notna()
    tolerance = max(1e-8, 10 * load(path).run.tolerance)
    np.testing.assert_allclose(rows.loc[used, "bid"], rows.loc[used, "price"], rtol=tolerance)
    # A tax is a wedge between what users pay and what one more unit is worth.
    untaxed = load(path).economy.fiscal is None
    if untaxed:
        np.testing.assert_allclose(rows["adjoint"], rows["price"], rtol=tolerance)
    if load(path).scheduler.kind == "marginal_bids":
        return
    found = run(path.stem).equilibrium
    equilibrium = found[found["from_tick"] == found["from_tick"].max()]
    found_prices = [each.set_index("good").loc[rows.index, "price"] for _, each in equilibrium.groupby("equilibrium")]
    # A free good's price is 0 there, and next to nothing here.
    gaps = [np.max(np.abs(rows["price"] - prices) / np.where(prices > 0, prices, 1.0)) for prices in found_prices]
    assert min(gaps) < tolerance
    if untaxed:
        np.testing.assert_allclose(found["adjoint"], found["price"], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "price", "number"), [("three_equilibria", 64 / 27, 3), ("three_equilibria_other_side", 27 / 64, 1)]
)
def test_the_start_decides_among_three_equilibria(name: str, price: float, number: int, run: Runs, last: Last) -> None:
    assert last(name).loc["first", "price"] == pytest.approx(price, rel=1e-8)
    first = run(name).equilibrium.query("good == 'first'")
    np.testing.assert_allclose(sorted(first["price"]), [27 / 64, 1, 64 / 27], rtol=1e-9)
    assert sorted(zip(first["price"].round(3), first["index"], first["stable"], strict=True)) == [
        (0.422, 1, 1),
        (1.0, -1, 0),
        (2.37, 1, 1),
    ]
    assert run(name).summary["equilibrium"] == number
    assert f"number {number} of the 3 equilibria found, of index +1" in run(name).summary["sentence"]


@pytest.mark.parametrize(
    ("name", "price", "number"), [("kehoe", 2.20770581272, 1), ("kehoe_slow_levels", 0.664850578262, 3)]
)
def test_the_speed_of_levels_decides_among_kehoe_s_equilibria(
    name: str, price: float, number: int, run: Runs, last: Last
) -> None:
    assert last(name).loc["G4", "price"] == pytest.approx(price, rel=3e-4)
    found = run(name).equilibrium.query("good == 'G4'")
    np.testing.assert_allclose(sorted(found["price"]), [0.664850578262, 1.0, 2.20770581272], rtol=1e-7)
    assert sorted(zip(found["price"].round(2), found["index"], strict=True)) == [(0.66, 1), (1.0, -1), (2.21, 1)]
    assert run(name).summary["equilibrium"] == number


def test_prices_of_linear_firms_follow_from_technologies_alone(run: Runs, last: Last) -> None:
    np.testing.assert_allclose(last("linear_firms").loc[["wheat", "iron"], "price"], [1 / 2, 1 / 3], rtol=1e-5)
    agents = run("linear_firms").agents
    levels = agents[agents["tick"] == agents["tick"].max()].dropna(subset=["level"]).groupby("agent")["level"].first()
    np.testing.assert_allclose(levels[["farm", "works"]], [18, 33], rtol=1e-5)


def test_the_market_comes_to_kantorovich_s_multipliers(run: Runs, last: Last) -> None:
    prices = last("kantorovich")["price"]
    per_set = prices / (prices["part_a"] + prices["part_b"])
    machines = ["part_a", "part_b", "milling", "turret_lathe", "automatic"]
    np.testing.assert_allclose(per_set[machines], [2 / 3, 1 / 3, 20 / 3, 40 / 3, 80 / 3], rtol=1e-5)
    assert last("kantorovich").loc["part_a", "demand"] == pytest.approx(86.6666666667, rel=1e-6)
    assert run("kantorovich").summary["reference"] == "saddle"
    assert run("kantorovich").summary["gradient_path_gap"] < 1e-9


def test_shepherds_turn_to_wool_and_whey_is_free(run: Runs, column: Column) -> None:
    table = run("joint_products").trajectory.set_index(["tick", "good"])
    before, after = table.loc[299], table.loc[run("joint_products").summary["ticks"]]
    assert after.loc["wool", "supply"] > 1.3 * before.loc["wool", "supply"]
    assert after.loc["mutton", "supply"] < 0.9 * before.loc["mutton", "supply"]
    assert max(before.loc["whey", "price"], after.loc["whey", "price"]) < 1e-4


def test_the_board_and_the_planner_come_to_the_same_prices(run: Runs, last: Last) -> None:
    rows = last("lange")
    np.testing.assert_allclose(rows["gradient_price"], rows["price"], rtol=1e-6)
    np.testing.assert_allclose(rows["adjoint"], rows["price"], rtol=1e-6)


def test_momentum_does_not_crawl_where_a_plain_market_does(run: Runs) -> None:
    path = FOLDER / "near_substitutes.yaml"
    plain = simulate(load(path, settings={"scheduler.with": []}), references=False)
    assert plain.summary["outcome"] == "cleared"
    assert plain.summary["ticks"] > 4 * run("near_substitutes").summary["ticks"]
    faster = {"scheduler.with": [], "scheduler.rate": 0.06}
    assert simulate(load(path, settings=faster), references=False).summary["outcome"] != "cleared"
    assert simulate(load(path, settings={"scheduler.rate": 0.06}), references=False).summary["outcome"] == "cleared"


def test_a_shock_begins_a_regime_of_its_own(run: Runs) -> None:
    for name, tick in (("town", 400), ("subsistence", 300), ("energy", 500)):
        one = run(name)
        assert one.summary["shocks"] == [tick]
        assert sorted(set(one.equilibrium["from_tick"])) == [0, tick]
        ticks = one.ticks.set_index("tick")
        assert ticks.loc[tick - 10, "max_relative_excess_demand"] < 1e-6 < ticks.loc[tick, "max_relative_excess_demand"]
        assert ticks.loc[tick, "distance_to_equilibrium"] > 0.01


def test_after_a_bad_harvest_bread_is_dearer_and_wine_cheaper(run: Runs) -> None:
    at = {
        int(start): each.set_index("good")["price"]
        for start, each in run("subsistence").equilibrium.groupby("from_tick")
    }
    assert at[300]["bread"] > 1.2 * at[0]["bread"]
    assert at[300]["wine"] < at[0]["wine"]


def test_when_oil_becomes_scarce_gas_becomes_dear_with_it_and_labour_cheap(run: Runs) -> None:
    at = {int(start): each.set_index("good")["price"] for start, each in run("energy").equilibrium.groupby("from_tick")}
    assert at[500]["oil"] > at[0]["oil"]
    assert at[500]["gas"] > at[0]["gas"]
    assert at[500]["labour"] < at[0]["labour"]


def test_the_overshooting_price_is_a_two_cycle(run: Runs, column: Column) -> None:
    summary = run("overshooting").summary
    assert summary["period"] == 2
    assert summary["amplitude"] == pytest.approx(1 / 3, rel=1e-6)
    prices = column("overshooting", "first", "price")[-2:]
    np.testing.assert_allclose(sorted(prices), [0.6, 1.2], rtol=1e-6)
    slower = simulate(load(FOLDER / "overshooting.yaml", settings={"scheduler.rate": 1.0}))
    assert slower.summary["outcome"] == "cleared"


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_prices(name: str, run: Runs, last: Last) -> None:
    rows, equilibrium = last(name), run(name).equilibrium.set_index("good")
    for good, price in PUBLISHED[name].items():
        assert rows.loc[good, "price"] == pytest.approx(price, rel=1e-8)
        assert equilibrium.loc[good, "price"] == pytest.approx(price, rel=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        *("tupperware", "tupperware_gas_cut", "ten_tiers", "fisher", "shared_labour", "crusoe"),
        *("fish_market", "village"),
    ],
)
def test_the_path_is_gradient_descent(name: str, run: Runs) -> None:
    ticks = run(name).ticks
    assert run(name).summary["reference"] == "potential"
    assert ticks["distance_to_gradient_path"].max() < 1e-12
    potential = ticks["potential"].to_numpy()
    assert np.all(np.diff(potential) <= 1e-14 * np.abs(potential[1:]))
    assert ticks["cosine_to_gradient"].min() > 1 - 1e-9


def test_the_derivative_is_there_before_the_price(column: Column) -> None:
    derivative = PUBLISHED["tupperware"]
    for good in ("natgas", "ethylene", "polyethylene"):
        assert np.abs(column("tupperware", good, "adjoint")[7:] / derivative[good] - 1).max() < 1e-12
    assert column("tupperware", "natgas", "price")[7] < 0.5 * derivative["natgas"]


def test_what_the_supply_chain_computes(last: Last) -> None:
    rows = last("tupperware")
    bought_outside = -log(1 - 1 / (sqrt(4) + 1))
    assert rows.loc["tupperware", "traded"] == pytest.approx(bought_outside, rel=1e-8)


def test_the_news_travels_down_the_chain(run: Runs) -> None:
    wedges = run("tupperware_gas_cut").wedges.set_index(["tick", "firm"])["wedge"]
    assert [wedges[0, "A"] > 1e-3, wedges[0, "B"] > 1e-3, wedges[0, "C"] > 1e-3] == [True, False, False]
    assert [wedges[1, "B"] > 1e-3, wedges[1, "C"] > 1e-3] == [True, False]
    assert wedges[2, "C"] > 1e-3


def test_the_bazaar_follows_no_gradient(run: Runs) -> None:
    summary = run("bazaar").summary
    assert summary["reference"] == "merit"
    assert summary["gradient_path_gap"] > 0.05


def test_crusoe_works_a_third_of_his_day(run: Runs) -> None:
    agents = run("crusoe").agents
    crusoe = agents[(agents["tick"] == agents["tick"].max()) & (agents["agent"] == "crusoe")].set_index("good")
    assert crusoe.loc["labour", "output"] == pytest.approx(1 / 3, rel=1e-8)
    assert crusoe.loc["labour", "quantity"] == pytest.approx(2 / 3, rel=1e-8)
    assert crusoe.loc["food", "quantity"] == pytest.approx(sqrt(1 / 3), rel=1e-8)


def test_labour_earns_the_same_in_both_uses(run: Runs, last: Last) -> None:
    wage = last("shared_labour").loc["labour", "price"]
    agents = run("shared_labour").agents
    labour = agents[(agents["tick"] == agents["tick"].max()) & (agents["good"] == "labour")].set_index("agent")["input"]
    assert 2 / sqrt(labour["bakery"]) == pytest.approx(wage, rel=1e-6)
    assert 1.5 * 6 / (1 + labour["weaver"]) == pytest.approx(wage, rel=1e-6)
    assert labour.sum() == pytest.approx(10, rel=1e-8)


def test_a_planner_and_a_market_come_to_the_same_split(run: Runs, last: Last, column: Column) -> None:
    assert run("steel_planner").summary["gradient_path"] == "primal"
    assert run("steel_planner").summary["gradient_path_gap"] > 0.3
    for good in ("labour", "steel"):
        planned = column("steel_saddle", good, "gradient_price")
        assert planned[-1] == pytest.approx(last("steel_planner").loc[good, "price"], rel=1e-8)
        assert np.abs(planned[60:] / planned[-1] - 1).max() < 0.01


@pytest.mark.parametrize(("name", "goods"), [("tree", ["labour", "steel"]), ("blueprint", ["labour", "blueprint"])])
def test_a_planner_with_nothing_to_split_is_right_at_once(
    name: str, goods: list[str], run: Runs, last: Last, column: Column
) -> None:
    """In a tree, and where values are only read: quantities follow from the supply, and prices are its derivatives."""
    steel = 3 * 10**0.6
    blueprint = 2 * 10**0.5

    def cars(labour: float) -> float:
        if name == "tree":
            return 2 * 1.5 * (3 * labour**0.6) ** 0.5
        return 2 * 1.5 * (3 * (2 * labour**0.5) ** 0.6) ** 0.3 * (2 * labour**0.5) ** 0.4

    slope = (cars(10 + 1e-4) - cars(10 - 1e-4)) / 2e-4
    for path in ("planner", "saddle"):
        assert run(f"{name}_{path}").summary["gradient_path"] == "primal"
        assert last(f"{name}_{path}").loc["labour", "price"] == pytest.approx(slope, rel=1e-6)
        for good in goods:
            planned = column(f"{name}_{path}", good, "gradient_price")
            np.testing.assert_allclose(planned, planned[-1], rtol=1e-12)
            price = last(f"{name}_{path}").loc[good, "price"]
            assert price == pytest.approx(planned[-1], rel=1e-6)
    quantity = steel if name == "tree" else blueprint
    assert last(f"{name}_planner").loc[goods[1], "demand"] == pytest.approx(quantity, rel=1e-8)


def test_firms_that_bid_and_firms_that_plan_agree_on_a_program(last: Last) -> None:
    bid, planned = last("two_roads_bids")["price"], last("two_roads_planned")["price"]
    assert list(bid.index) == list(planned.index)
    np.testing.assert_allclose(planned, bid, rtol=1e-8)


def test_quantities_that_climb_make_prices_overshoot_and_spiral(last: Last, column: Column) -> None:
    for good in ("labour", "steel"):
        straight, rest = column("steel_planner", good, "price"), last("steel_planner").loc[good, "price"]
        assert straight.max() < rest * (1 + 1e-3)
        around = column("steel_saddle", good, "price") / last("steel_saddle").loc[good, "price"] - 1
        around = around[np.abs(around) > 1e-3]
        assert around.max() > 1
        assert np.count_nonzero(np.diff(np.sign(around))) >= 6


def test_scarf_drifts_outward_by_exactly_what_euler_says(run: Runs) -> None:
    frame = run("scarf").trajectory
    prices = frame.pivot_table("price", "tick", "good").to_numpy()
    excess = frame.pivot_table("excess_demand", "tick", "good").to_numpy()
    growth = np.diff(np.sum(prices**2, axis=1))
    np.testing.assert_allclose(growth, 0.01**2 * np.sum(excess[:-1] ** 2, axis=1), rtol=1e-9, atol=1e-15)


def test_trading_at_wrong_prices_drives_the_orbit(run: Runs) -> None:
    waiting, trading = run("scarf").summary, run("scarf_traded").summary
    assert waiting["period"] == pytest.approx(1470, abs=10)
    assert trading["period"] == pytest.approx(1130, abs=10)
    assert orbit_growth(run, "scarf", waiting["period"]) == pytest.approx(0.014, abs=0.004)
    assert orbit_growth(run, "scarf_traded", trading["period"]) == pytest.approx(0.03, abs=0.006)
    assert run("scarf_traded").ticks["money"].abs().max() < 1e-12


def orbit_growth(run: Runs, name: str, period: float) -> float:
    """By how much the last turn of an orbit is wider than the one before."""
    prices = np.log(run(name).trajectory.pivot_table("price", "tick", "good").to_numpy())
    prices = prices - prices.mean(axis=1, keepdims=True)
    turn = round(period)
    now, before = prices[-turn:], prices[-2 * turn : -turn]
    return float(np.max(np.ptp(now, axis=0)) / np.max(np.ptp(before, axis=0)) - 1)
