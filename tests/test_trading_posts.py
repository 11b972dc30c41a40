"""Trading posts: money meets goods, nominal orders are reverse accumulation, rest is the competitive equilibrium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import ScenarioError
from simulator.run import run_to_disk
from tests.builders import market_of
from tests.house import load, mirror_path, simulate

POSTS = {"kind": "trading_post"}
CONTRIBUTIONS = {**POSTS, "bids": "contribution_shares"}


def network(sectors: int, seed: int) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray]:
    """A Cobb-Douglas network as a scenario, with its cost shares (row buyer), primary and final shares."""
    rng = np.random.default_rng(seed)
    costs = rng.dirichlet(np.ones(sectors + 1), sectors)
    final = rng.dirichlet(np.ones(sectors))
    goods = [f"g{place}" for place in range(sectors)]
    inputs = [dict(zip([*goods, "labour"], map(float, row), strict=True)) for row in costs]
    firms = [
        {"name": f"f{good}", "technology": {"cobb_douglas": {"output": good, "inputs": used}}, "money": float(money)}
        for good, used, money in zip(goods, inputs, rng.uniform(0.1, 2.0, sectors), strict=True)
    ]
    people = {
        "name": "people",
        "utility": {"cobb_douglas": dict(zip(goods, map(float, final), strict=True))},
        "endowment": {"labour": 1},
        "owns": {firm["name"]: 1 for firm in firms},
    }
    data = {"name": "network", "goods": [*goods, "labour"], "firms": firms, "consumers": [people], "scheduler": POSTS}
    return data, costs[:, :-1], costs[:, -1], final


def two_firms(**changes: Any) -> dict[str, Any]:
    """A mill and a bakery, and people who work and own them."""
    return {
        "name": "two_firms",
        "goods": ["labour", "flour", "bread"],
        "firms": [
            {"name": "mill", "technology": {"power": {"output": "flour", "inputs": {"labour": 0.6}}}},
            {
                "name": "bakery",
                "technology": {
                    "ces": {
                        "output": "bread",
                        "returns_to_scale": 0.8,
                        "elasticity": 1.5,
                        "inputs": {"labour": 0.4, "flour": 0.6},
                    }
                },
            },
        ],
        "consumers": [
            {
                "name": "people",
                "utility": {"ces": {"elasticity": 2, "shares": {"bread": 0.6, "labour": 0.4}}},
                "endowment": {"labour": 2},
                "owns": {"mill": 1, "bakery": 1},
            }
        ],
        "scheduler": POSTS,
        **changes,
    }


def test_ticks_are_steps_of_reverse_accumulation_and_the_limit_is_the_domar_weight() -> None:
    data, costs, primary, final = network(6, seed=3)
    market = market_of(load(data))
    money = market.state.money
    market.advance()
    for _ in range(25):
        money = costs.T @ money + final * (primary @ money)
        market.advance()
        np.testing.assert_allclose(market.state.money, money, rtol=1e-13)
    for _ in range(200):
        market.advance()
    income = primary @ market.state.money
    domar = np.linalg.solve(np.eye(6) - costs.T, final)
    np.testing.assert_allclose(market.state.money, domar * income, rtol=1e-12)


def test_money_decays_with_the_second_eigenvalue_and_prices_with_the_radius_of_the_table() -> None:
    data, costs, primary, final = network(8, seed=1)
    firms = [{**firm, "money": 1.0} for firm in data["firms"]]
    circulation = np.sort(np.abs(np.linalg.eigvals(costs.T + np.outer(final, primary))))[::-1]
    radius = np.abs(np.linalg.eigvals(costs)).max()
    market = market_of(load({**data, "firms": firms}))
    money, prices = [], []
    for _ in range(80):
        market.advance()
        money.append(market.state.money)
        prices.append(np.log(market.state.prices))
    steps = [np.linalg.norm(np.diff(path, axis=0), axis=1) for path in (np.array(money), np.array(prices))]
    rates = [(step[24] / step[9]) ** (1 / 15) for step in steps]
    assert circulation[0] == pytest.approx(1.0)
    assert rates[0] == pytest.approx(circulation[1], rel=0.05)
    assert rates[1] == pytest.approx(radius, rel=0.05)


@pytest.mark.parametrize("spend", [1.0, 0.5])
def test_money_goes_round_a_closed_chain_for_ever_unless_some_is_kept(spend: float) -> None:
    depth = 4
    goods = ["labour", *(f"g{place}" for place in range(1, depth + 1))]
    firms = [
        {
            "name": f"f{place}",
            "technology": {"cobb_douglas": {"output": goods[place], "inputs": {goods[place - 1]: 1.0}}},
            "money": float(place),
        }
        for place in range(1, depth + 1)
    ]
    people = {
        "name": "people",
        "utility": {"cobb_douglas": {goods[-1]: 1}},
        "endowment": {"labour": 1},
        "owns": {firm["name"]: 1 for firm in firms},
    }
    data = {"name": "chain", "goods": goods, "firms": firms, "consumers": [people]}
    run = simulate({**data, "scheduler": {**POSTS, "spend": spend}}, ticks=200, references=False)
    if spend == 1.0:
        assert run.summary["outcome"] == "cycled"
        assert run.summary["period"] == pytest.approx(depth)
    else:
        assert run.summary["outcome"] == "cleared"


MAKES = [
    {"name": "mill", "makes": "flour = 2*sqrt(labour)"},
    {"name": "bakery", "makes": "bread = ln(1 + flour) + sqrt(labour)"},
]
LEONTIEF = [
    {"name": "mill", "technology": {"power": {"output": "flour", "inputs": {"labour": 1}}}},
    {
        "name": "bakery",
        "technology": {"leontief": {"output": "bread", "returns_to_scale": 0.7, "inputs": {"labour": 1, "flour": 2}}},
    },
]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scheduler": {**POSTS, "move": 0.5, "spend": 0.7}},
        {"scheduler": CONTRIBUTIONS},
        {"scheduler": {**CONTRIBUTIONS, "move": 0.5}, "firms": MAKES},
        {"scheduler": {**POSTS, "move": 0.5}, "firms": LEONTIEF},
    ],
    ids=["cost", "cost half", "contribution", "formulas", "leontief"],
)
def test_rest_is_the_competitive_equilibrium(changes: dict[str, Any]) -> None:
    run = simulate(two_firms(**changes, run={"tolerance": 1e-10, "ticks": 3000}))
    assert run.summary["outcome"] == "cleared", run.summary["sentence"]
    assert run.summary["price_gap"] < 1e-8
    assert run.summary["equilibria"] == 1
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]]
    np.testing.assert_allclose(last["bid"], last["price"], rtol=1e-7)
    np.testing.assert_allclose(last["adjoint"], last["price"], rtol=1e-7)
    assert run.summary["worst_imbalance"] < 1e-13


def crowd() -> dict[str, Any]:
    """Firms who differ, people who differ, and budgets from outside."""
    shop = {"output": "bread", "productivity": {"uniform": [0.5, 2]}, "inputs": {"flour": 0.5}}
    return {
        "name": "crowd",
        "goods": ["flour", "bread"],
        "supply": {"flour": 3},
        "firms": [{"name": "shops", "count": 7, "technology": {"cobb_douglas": shop}}],
        "consumers": [
            {
                "name": "people",
                "count": 20,
                "utility": {"ces": {"elasticity": {"uniform": [0.5, 3]}, "shares": {"bread": 0.7, "flour": 0.3}}},
                "budget": {"uniform": [1, 2]},
                "owns": {"shops": "equal"},
            }
        ],
        "scheduler": POSTS,
    }


def test_agents_who_differ_come_to_the_equilibrium_too() -> None:
    run = simulate(crowd())
    assert run.summary["outcome"] == "cleared", run.summary["sentence"]
    assert run.summary["price_gap"] < 1e-5
    assert run.summary["worst_imbalance"] < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("data", [two_firms(), two_firms(scheduler=CONTRIBUTIONS, firms=MAKES), network(5, 2)[0]])
def test_money_is_conserved_over_a_hundred_thousand_ticks(data: dict[str, Any]) -> None:
    market = market_of(load(data))
    first = market.state.money.sum()
    for _ in range(100_000):
        market.advance()
    total = market.state.money.sum() + sum(account.sum() for account in market.state.accounts)
    assert total == pytest.approx(first, rel=1e-12)


def test_money_is_conserved_tick_by_tick() -> None:
    run = simulate(two_firms(run={"stop": "never", "ticks": 400}))
    money = run.agents.drop_duplicates(["tick", "agent"]).groupby("tick")["money"].sum()
    np.testing.assert_allclose(money, money.iloc[0], rtol=1e-13)
    assert run.ticks["money_imbalance"].max() < 1e-14


def fisher() -> dict[str, Any]:
    """Buyers of substitutes with budgets."""
    return {
        "name": "fisher",
        "goods": ["a", "b", "c"],
        "supply": {"a": 1, "b": 2, "c": 3},
        "consumers": [
            {
                "name": "x",
                "utility": {"ces": {"elasticity": 3, "shares": {"a": 0.5, "b": 0.3, "c": 0.2}}},
                "budget": 2,
            },
            {
                "name": "y",
                "count": 9,
                "utility": {"ces": {"elasticity": {"uniform": [1.2, 4]}, "shares": {"a": 0.2, "b": 0.3, "c": 0.5}}},
                "budget": 0.1,
            },
        ],
        "scheduler": CONTRIBUTIONS,
    }


def test_proportional_response_is_mirror_descent() -> None:
    run = simulate(fisher())
    np.testing.assert_allclose(run.trajectory["gradient_price"], run.trajectory["price"], rtol=1e-12)
    assert run.summary["gradient_path"] == "mirror"
    assert run.summary["gradient_path_gap"] < 1e-12
    assert "Prices followed entropic mirror descent, to rounding" in run.summary["sentence"]
    other = simulate({**fisher(), "scheduler": POSTS})
    assert other.trajectory["gradient_price"].isna().all()
    assert other.summary["gradient_path_gap"] is None


def test_the_slope_is_that_of_phi_and_phi_falls() -> None:
    market = market_of(load(fisher()))
    supply, (buyer, crowd) = market.economy.supply, market.economy.consumers

    def bids_of() -> list[np.ndarray]:
        return [
            cohort.budget[:, None] * shares
            for cohort, shares in zip((buyer, crowd), market.state.consumer_shares, strict=True)
        ]

    def phi(bids: list[np.ndarray]) -> float:
        prices = (
            sum(each.sum(axis=0) * cohort.weight for each, cohort in zip(bids, (buyer, crowd), strict=True)) / supply
        )
        found = zip(bids, (buyer, crowd), strict=True)
        return sum(mirror_path.potential(each, cohort.utility.form, prices).sum() for each, cohort in found)

    bids = bids_of()
    prices = sum(each.sum(axis=0) for each in bids) / supply
    slopes = mirror_path.slope(bids[0], buyer.utility.form, prices)[0]
    moved, nudge = [], 1e-6
    for good in range(3):
        steps = []
        for sign in (1, -1):
            there = [each.copy() for each in bids]
            there[0][0, good] += sign * nudge
            steps.append(phi(there))
        moved.append((steps[0] - steps[1]) / (2 * nudge))
    np.testing.assert_allclose(np.diff(moved), np.diff(slopes), rtol=1e-6)
    values = []
    for _ in range(12):
        values.append(phi(bids_of()))
        market.advance()
    assert (np.diff(values)[1:] < 0).all()


def test_the_order_of_entries_does_not_matter() -> None:
    data = two_firms()
    data["consumers"] = [
        {**data["consumers"][0], "name": "some", "owns": {"mill": 1}},
        {"name": "others", "utility": {"cobb_douglas": {"bread": 1}}, "owns": {"bakery": 1}, "money": 1},
    ]
    other = {key: data[key][::-1] for key in ("goods", "firms", "consumers")}
    runs = [
        simulate(each, ticks=40).trajectory.set_index(["tick", "good"])["price"] for each in (data, {**data, **other})
    ]
    np.testing.assert_allclose(runs[0].sort_index(), runs[1].sort_index(), rtol=1e-12)


def test_goods_without_bids_are_at_the_floor_and_bids_without_goods_are_handed_back() -> None:
    data = {
        "name": "empty",
        "goods": ["sand", "grain", "bread"],
        "supply": {"sand": 2, "grain": 1},
        "firms": [
            {"name": "baker", "technology": {"power": {"output": "bread", "inputs": {"grain": 0.5}}}, "stock": 0},
        ],
        "consumers": [{"name": "eaters", "utility": {"cobb_douglas": {"bread": 0.5, "grain": 0.5}}, "budget": 1}],
        "scheduler": POSTS,
    }
    market = market_of(load({**data, "run": {"stop": "never"}}))
    market.advance()
    market.advance()
    np.testing.assert_allclose(market.prices, [1e-12, 0.5, 1.0])
    np.testing.assert_allclose(market.state.accounts[0], [0.5])
    assert market.state.money.tolist() == [0.0]
    run = simulate(data, ticks=5)
    assert run.summary["worst_imbalance"] < 1e-14
    assert run.trajectory.query("good == 'sand'")["traded"].tolist() == [0.0] * len(run.ticks)


def test_prices_that_stand_still_are_not_rest_while_money_moves() -> None:
    """One good made at two costs: what one maker loses the other gains."""
    makers = [
        {
            "name": f"maker{number}",
            "technology": {"power": {"productivity": much, "output": "bread", "inputs": {"labour": 1}}},
        }
        for number, much in enumerate((1.0, 0.999))
    ]
    people = {
        "name": "people",
        "utility": {"cobb_douglas": {"bread": 1}},
        "endowment": {"labour": 1},
        "owns": {"maker0": 1, "maker1": 1},
    }
    data = {"name": "two_costs", "goods": ["labour", "bread"], "firms": makers, "consumers": [people]}
    run = simulate({**data, "scheduler": {**POSTS, "spend": 0.5}}, settings={"run.ticks": 100, "run.tolerance": 1e-5})
    prices = run.trajectory.pivot(index="tick", columns="good", values="price")
    assert (np.abs(np.diff(np.log(prices.tail(10)), axis=0)) < 1e-6).all()
    assert run.ticks["max_relative_excess_demand"].iloc[-1] < 1e-6
    assert run.summary["outcome"] == "out_of_ticks"
    assert "the money of a firm by" in run.summary["sentence"]


def test_stock_and_money_at_the_start_are_what_a_scenario_says_of_each() -> None:
    data = two_firms()
    data["firms"][0] |= {"stock": 3, "money": 0.5, "count": 4}
    data["consumers"][0] |= {"money": 0.25}
    state = market_of(load(data)).state
    assert state.stock[0] == 12
    assert state.money[0] == 2
    assert [account.tolist() for account in state.accounts] == [[0.25]]
    assert state.money[1] == pytest.approx(state.stock[1])
    run = simulate(data, ticks=3)
    first = run.agents.query("tick == 0 and agent == 'mill:mean' and good == 'flour'").iloc[0]
    assert (first["money"], first["quantity"]) == (0.5, 3.0)
    assert run.trajectory.query("tick == 0")["traded"].eq(0).all()


REFUSED = [
    ({"trade": "every_tick"}, "found trade under trading_post"),
    ({"numeraire": "bread"}, "expected none: prices are in money"),
    ({"outside": {"bread": 1}}, "found outside under trading_post"),
    ({"goods": {"labour": {"cap": 2}, "flour": None, "bread": None}}, "goods.labour.cap: found cap"),
    ({"firms": MAKES}, "found a formula under trading_post"),
    ({"firms": LEONTIEF, "scheduler": CONTRIBUTIONS}, "expected bids: cost_shares: a kink contributes no share"),
    ({"scheduler": {**POSTS, "spend": 0}}, "scheduler.spend"),
    ({"scheduler": {**POSTS, "move": 2}}, "scheduler.move"),
    ({"scheduler": {**POSTS, "rate": 1}}, "scheduler.rate"),
    (
        {"consumers": [{"name": "people", "utility": {"linear": {"bread": 1}}, "budget": 1}]},
        "expected cobb_douglas, ces or leontief",
    ),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        load(two_firms(**changes))


@pytest.mark.parametrize(("room", "key"), [("firms", "stock"), ("firms", "money"), ("consumers", "money")])
def test_holdings_are_refused_where_they_say_nothing(room: str, key: str) -> None:
    data = two_firms(scheduler={"kind": "tatonnement"})
    data[room][0] |= {key: 1}
    with pytest.raises(
        ScenarioError, match=f"found {key} under tatonnement; expected scheduler: {{kind: trading_post}}"
    ):
        load(data)


def test_a_run_is_resumed_through_a_shock_to_the_same_bytes(tmp_path: Path) -> None:
    shock = {"tick": 700, "set": {"consumers.people.endowment.labour": 1}}
    data = two_firms(scheduler={**CONTRIBUTIONS, "move": 0.5}, shocks=[shock], run={"ticks": 1300, "stop": "never"})
    scenario, whole, part = load(data), tmp_path / "whole", tmp_path / "part"
    run_to_disk(scenario, whole)
    seen: list[int] = []
    run_to_disk(scenario, part, progress=lambda tick, _: seen.append(tick), stopped=lambda: len(seen) > 1050)
    run_to_disk(scenario, part, resume=True)
    for name in ("trajectory.csv", "ticks.csv", "agents.csv"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()
