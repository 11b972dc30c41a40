"""Goods that are not rival: a market for each user, the producer is paid the sum; and firms with joint products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from simulator import ScenarioError, load, simulate
from tests.house import UserMarkets, flows_of

SHARED = Path(__file__).parents[1] / "scenarios" / "shared_intermediate.yaml"


def last(run: Any, column: str = "price") -> dict[str, float]:
    table = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()]
    return dict(zip(table["good"], table[column], strict=True))


def pays(run: Any, good: str) -> dict[str, float]:
    rows = run.agents[(run.agents["tick"] == run.agents["tick"].max()) & (run.agents["good"] == good)]
    return dict(zip(rows["agent"], rows["pays"], strict=True))


def test_markets_fold_users_into_goods() -> None:
    markets = UserMarkets.of(["ore", "plan", "park"], {"plan": {"a": 1, "b": 1}, "park": {"old": 4}})
    assert markets.names == ("ore", "plan for a", "plan for b", "park for old")
    assert markets.seen_by("b") == ("ore", "plan for a", "plan", "park for old")
    assert markets.sold("plan") == [(1, 1.0), (2, 1.0)]
    assert markets.sold("park") == [(3, 4.0)]
    np.testing.assert_array_equal(markets.spread(np.array([5.0, 6.0, 7.0])), [5, 6, 6, 28])
    prices = np.array([1.0, 3.0, 1.0, 2.0])
    np.testing.assert_array_equal(markets.sum_over_users(prices), [1, 4, 8])
    np.testing.assert_array_equal(markets.mean_over_users(np.array([5.0, 6.0, 2.0, 8.0]), prices), [5, 5, 2])
    np.testing.assert_array_equal(markets.mean_over_users(np.array([5.0, 6.0, 2.0, 8.0]), 0 * prices), [5, 4, 2])
    np.testing.assert_array_equal(markets.sum_over_users(np.array([1, np.nan, 2, np.nan])), [1, 2, np.nan])
    plain = UserMarkets.of(("a", "b"), {})
    assert not plain.separate


def test_the_shared_intermediate_is_the_planners_optimum() -> None:
    """By a road of its own: the best split of ore and steel, and `dW*/d ore`."""

    def steel_split(steel: float, plan: float) -> float:
        def welfare(share: float) -> float:
            cars, bridges = (share * steel) ** 0.4 * plan**0.2, ((1 - share) * steel) ** 0.3 * plan**0.3
            return -(cars**0.5 + bridges**0.5)

        found = minimize_scalar(welfare, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-12})
        return -float(found.fun)

    def best(ore: float) -> float:
        def welfare(share: float) -> float:
            return -steel_split((share * ore) ** 0.5, 2 * ((1 - share) * ore) ** 0.3)

        found = minimize_scalar(welfare, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-12})
        return -float(found.fun)

    run = simulate(SHARED)
    price, quantity = last(run), last(run, "demand")
    assert quantity["welfare"] == pytest.approx(best(9.0), rel=1e-9)
    assert price["ore"] == pytest.approx((best(9.001) - best(8.999)) / 0.002, rel=1e-6)
    paid = pays(run, "blueprint")
    assert paid["carmaker"] + paid["builder"] == pytest.approx(price["blueprint"], rel=1e-12)
    assert paid["carmaker"] == pytest.approx(price["cars"] * 0.2 * quantity["cars"] / quantity["blueprint"], rel=1e-7)
    assert np.isnan(paid["studio"])
    for column in ("bid", "adjoint", "gradient_price"):
        assert last(run, column)["blueprint"] == pytest.approx(price["blueprint"], rel=1e-8)
    assert run.summary["reference"] == "potential"
    assert run.summary["gradient_path_gap"] < 1e-12


def test_its_rows_are_means_weighted_by_what_users_pay() -> None:
    run = simulate(SHARED, ticks=3)
    tick = run.agents["tick"] == 2
    rows = run.agents[tick & (run.agents["good"] == "blueprint")].set_index("agent")
    row = run.trajectory[(run.trajectory["tick"] == 2) & (run.trajectory["good"] == "blueprint")].iloc[0]
    users, paid = ["carmaker", "builder"], rows["pays"]
    assert row["price"] == pytest.approx(paid[users].sum(), rel=1e-14)
    plans = load(SHARED)
    economy, prices = plans.economy, np.array([0.0] * 7)
    for good in economy.goods:
        table = run.trajectory[(run.trajectory["tick"] == 2)].set_index("good")["price"]
        at = economy.goods.index(good)
        prices[at] = paid[good.removeprefix("blueprint for ")] if " for " in good else table[good]
    balance = economy.balance(prices)
    wanted = [balance.demand[economy.goods.index(f"blueprint for {user}")] for user in users]
    assert row["demand"] == pytest.approx(np.average(wanted, weights=paid[users]), rel=1e-10)
    assert row["excess_demand"] == pytest.approx(row["demand"] - row["supply"], rel=1e-12)
    assert row["supply"] == pytest.approx(balance.supply[economy.goods.index("blueprint for builder")], rel=1e-10)


PARK: dict[str, Any] = {
    "name": "park",
    "goods": {"labour": {}, "park": {"rival": False}},
    "outside": {"labour": 1},
    "firms": [{"name": "gardener", "makes": "park = 2*labour^0.5"}],
    "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
    "trade": "at_equilibrium",
    "run": {"ticks": 5000, "tolerance": 1e-11},
}


def walkers(name: str, weight: float, count: int = 1) -> dict[str, Any]:
    return {"name": name, "count": count, "utility": {"quasilinear": {"log": {"park": weight}}}}


def test_samuelsons_condition() -> None:
    """`sum of w_h / g = marginal cost = g/2`: `g = sqrt(2 sum w)`, and each pays `w_h / g`, its Lindahl price."""
    run = simulate({**PARK, "consumers": [walkers("young", 3), walkers("old", 1, 4)]})
    size = np.sqrt(2 * 7)
    assert last(run, "demand")["park"] == pytest.approx(size, rel=1e-10)
    assert last(run)["park"] == pytest.approx(7 / size, rel=1e-10)
    paid = pays(run, "park")
    assert paid["young"] == pytest.approx(3 / size, rel=1e-10)
    assert paid["old:mean"] == paid["old:total"] == pytest.approx(1 / size, rel=1e-10)
    assert last(run, "adjoint")["park"] == pytest.approx(7 / size, rel=1e-9)


def test_a_cohort_of_equals_is_as_many_users() -> None:
    one = simulate({**PARK, "consumers": [walkers("old", 1, 3)]})
    three = simulate({**PARK, "consumers": [walkers(name, 1) for name in "abc"]})
    for column in ("price", "demand", "supply", "bid", "adjoint"):
        for good, value in last(one, column).items():
            np.testing.assert_allclose(value, last(three, column)[good], rtol=1e-9, err_msg=f"{column} of {good}")


def test_agents_who_differ_cannot_share_a_price_of_their_own() -> None:
    walker = walkers("old", 1, 3)
    walker["utility"]["quasilinear"]["log"]["park"] = {"uniform": [1, 2]}
    with pytest.raises(ScenarioError, match=r"consumers\.old: found 3 agents who differ and use a good that is not"):
        load({**PARK, "consumers": [walker]})


def test_who_owns_a_value_sells_it_to_every_user() -> None:
    """A non-rival endowment: its owner earns the sum; with log tastes each user pays its weight over the quantity."""
    consumers = [
        {"name": "owner", "utility": {"cobb_douglas": {"song": 1, "bread": 1}}, "endowment": {"song": 2}},
        {"name": "fan", "utility": {"cobb_douglas": {"song": 1, "bread": 3}}, "endowment": {"bread": 8}},
    ]
    data = {
        "goods": {"bread": {}, "song": {"rival": False}},
        "numeraire": "bread",
        "consumers": consumers,
        "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
        "run": {"ticks": 5000, "tolerance": 1e-10},
    }
    for trade in ("at_equilibrium", "every_tick"):
        run = simulate({**data, "trade": trade})
        paid = pays(run, "song")
        # The fan spends a quarter of 8 on the song; the owner half of what it earns, its own song included.
        assert run.summary["outcome"] == "cleared"
        assert paid["fan"] == pytest.approx(8 / 4 / 2, rel=1e-8)
        assert paid["owner"] == pytest.approx(paid["fan"], rel=1e-8)
        assert last(run)["song"] == pytest.approx(2.0, rel=1e-8)


TOWN: dict[str, Any] = {
    "name": "town",
    "goods": {"labour": {}, "bread": {}, "park": {"rival": False}},
    "numeraire": "labour",
    "firms": [
        {"name": "gardener", "makes": "park = 2*labour^0.5"},
        {"name": "baker", "makes": "bread = labour^0.7"},
    ],
    "consumers": [
        {
            "name": "young",
            "utility": {"cobb_douglas": {"park": 3, "bread": 2, "labour": 1}},
            "endowment": {"labour": 3},
            "owns": {"baker": 0.5, "gardener": 1},
        },
        {
            "name": "old",
            "count": 4,
            "utility": {"ces": {"elasticity": 0.5, "shares": {"park": 1, "bread": 1}}},
            "endowment": {"labour": 8},
            "owns": {"baker": 0.5},
        },
    ],
    "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
    "run": {"ticks": 5000, "tolerance": 1e-8},
}


def test_goods_and_money_are_conserved_where_a_value_is_sold_to_many() -> None:
    run = simulate(TOWN)
    assert run.summary["outcome"] == "cleared"
    assert run.summary["worst_imbalance"] < 1e-12
    assert run.ticks["walras_residual"].max() < 1e-12
    assert run.summary["adjoint_gap"] < 1e-6


SHEEP: dict[str, Any] = {
    "name": "sheep",
    "goods": ["land", "wool", "mutton", "cloth"],
    "outside": {"cloth": 1},
    "supply": {"land": 5},
    "firms": [
        {"name": "shepherd", "makes": "wool = mutton = 2*land^0.5"},
        {"name": "weaver", "makes": "cloth = 3*wool^0.5"},
    ],
    "consumers": [{"name": "eaters", "utility": {"quasilinear": {"log": {"mutton": 3}}}}],
    "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
    "run": {"ticks": 5000, "tolerance": 1e-9},
}


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_joint_products_cost_together_what_the_last_of_them_is_worth(trade: str) -> None:
    """Flows are given by the land: wool = mutton = 2 sqrt(5); wool is worth 1.5/sqrt(wool), mutton 3/mutton."""
    run = simulate({**SHEEP, "trade": trade})
    price, flock = last(run), 2 * np.sqrt(5)
    assert price["wool"] == pytest.approx(1.5 / np.sqrt(flock), rel=1e-7)
    assert price["mutton"] == pytest.approx(3 / flock, rel=1e-7)
    assert price["land"] == pytest.approx((price["wool"] + price["mutton"]) / np.sqrt(5), rel=1e-7)
    for column in ("bid", "adjoint"):
        assert last(run, column)["land"] == pytest.approx(price["land"], rel=1e-7)
    assert run.summary["gradient_path_gap"] < 1e-12
    if trade == "every_tick":
        assert run.summary["worst_imbalance"] < 1e-12


def test_one_of_joint_products_may_be_worth_nothing() -> None:
    data = {**SHEEP, "consumers": [], "firms": [SHEEP["firms"][0], SHEEP["firms"][1]]}
    run = simulate({**data, "trade": "at_equilibrium"})
    price = last(run)
    assert price["mutton"] < 1e-9
    assert last(run, "adjoint")["land"] == pytest.approx(price["wool"] / np.sqrt(5), rel=1e-5)


def test_the_derivatives_of_a_joint_economy() -> None:
    """`J = dz/dp` by central differences, for joint products and for goods that are not rival."""
    for data in (SHEEP, PARK | {"consumers": [walkers("young", 3), walkers("old", 1, 4)]}, TOWN):
        economy = load(data).economy
        prices = np.linspace(0.6, 1.4, len(economy.goods))
        prices[economy.is_outside] = economy.outside[economy.is_outside]
        slopes = economy.jacobian(economy.balance(prices))
        for good in range(len(prices)):
            step = np.zeros(len(prices))
            step[good] = 1e-6
            rise = economy.balance(prices + step).excess_demand - economy.balance(prices - step).excess_demand
            np.testing.assert_allclose(slopes[~economy.is_outside, good], rise[~economy.is_outside] / 2e-6, atol=2e-6)


def test_a_result_that_others_read_has_the_outside_for_a_user() -> None:
    data = {
        "goods": {"x": {"rival": False}, "a": {}, "b": {"rival": False}, "c": {}},
        "outside": {"c": 1, "b": 0.5},
        "supply": {"x": 0.7},
        "firms": [
            {"name": "fa", "makes": "a = x^0.5"},
            {"name": "fb", "makes": "b = 2*x^0.3*a^0.4"},
            {"name": "fc", "makes": "c = b^0.6"},
        ],
        "scheduler": {"kind": "tatonnement", "rate": 0.2, "form": "multiplicative"},
        "run": {"ticks": 4000, "tolerance": 1e-10},
    }
    run = simulate(data)

    def worth(x: float) -> float:
        b = 2 * x**0.3 * (x**0.5) ** 0.4
        return b**0.6 + 0.5 * b

    assert last(run)["x"] == pytest.approx((worth(0.7001) - worth(0.6999)) / 2e-4, rel=1e-6)
    assert last(run, "bid")["b"] == pytest.approx(last(run)["b"], rel=1e-8)
    assert run.summary["outside"] == ["b", "c"]


@st.composite
def concave_programs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, float]]:
    """A chain of Cobb-Douglas firms over values that may be read several times, and its derivatives."""
    inputs = {f"x{place}": draw(st.floats(0.5, 2.0)) for place in range(draw(st.integers(1, 3)))}
    names, values = list(inputs), dict(inputs)
    firms: list[dict[str, Any]] = []
    steps: list[tuple[str, float, dict[str, float]]] = []
    for place in range(draw(st.integers(1, 8))):
        used = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        total = draw(st.floats(0.3, 0.8))
        exponents = {name: round(total / len(used), 3) for name in used}
        scale = draw(st.floats(0.5, 2.0).map(lambda value: round(value, 3)))
        name = f"v{place}"
        technique = {"output": name, "productivity": scale, "inputs": exponents}
        firms.append({"name": f"firm{place}", "technology": {"cobb_douglas": technique}})
        values[name] = scale * float(np.prod([values[good] ** power for good, power in exponents.items()]))
        steps.append((name, scale, exponents))
        names.append(name)
    slopes = dict.fromkeys(names, 0.0)
    slopes[names[-1]] = 1.0
    for name, _, exponents in reversed(steps):
        for good, power in exponents.items():
            slopes[good] += slopes[name] * power * values[name] / values[good]
    read = {good for _, _, exponents in steps for good in exponents}
    goods = {name: {"rival": False} for name in names if name in read or name.startswith("v")}
    data = {
        "goods": goods | {names[-1]: {}},
        "outside": {names[-1]: 1},
        "supply": {good: amount for good, amount in inputs.items() if good in read},
        "firms": firms,
        "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.05},
        "trade": "at_equilibrium",
        "run": {"ticks": 5000, "tolerance": 1e-9, "references": "off", "record_every": 5000},
    }
    return data, slopes


@settings(max_examples=20)
@given(concave_programs())
def test_a_market_of_planners_finds_the_derivatives_of_a_concave_program(
    case: tuple[dict[str, Any], dict[str, float]],
) -> None:
    data, slopes = case
    run = simulate(data)
    assert run.summary["outcome"] == "cleared"
    for good, price in last(run).items():
        if slopes[good] > 0:
            assert price == pytest.approx(slopes[good], rel=1e-6), good
        else:
            assert price < 1e-6, good


def test_a_shock_may_not_change_who_uses_a_good_that_is_not_rival() -> None:
    data = PARK | {"consumers": [walkers("young", 3), walkers("old", 1)]}
    data["goods"] = {**PARK["goods"], "bread": {}}
    data["supply"] = {"bread": 1}
    change = {"consumers.young.utility.quasilinear.log": {"bread": 1}}
    with pytest.raises(ScenarioError, match=r"shocks\[0\]\.set: found users of park \(not rival\) other than before"):
        load({**data, "shocks": [{"tick": 5, "set": change}]})


def test_what_has_other_users_than_the_outside_cannot_be_bought_back_there() -> None:
    """`ln x < 0`: sold to the outside alone it is bought there; the other user cannot have less than nothing."""
    data = {
        "goods": {"x": {}, "b": {"rival": False}, "c": {}},
        "outside": {"c": 1, "b": 0.5},
        "supply": {"x": 0.5},
        "firms": [{"name": "fb", "makes": "b = ln(x)"}, {"name": "fc", "makes": "c = b^0.6"}],
        "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
        "run": {"ticks": 20},
    }
    assert not load(data).economy.firms[0].technology.negative_output
    assert load({**data, "firms": data["firms"][:1]}).economy.firms[0].technology.negative_output


def test_the_outside_alone_brings_nothing_that_is_not_rival() -> None:
    data = {
        "goods": {"b": {"rival": False}, "c": {}},
        "outside": {"c": 1, "b": 0.5},
        "firms": [{"name": "one", "makes": "c = b^0.5"}, {"name": "two", "makes": "c = b^0.6"}],
        "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
    }
    with pytest.raises(ScenarioError, match=r"outside\.b: found b, which is not rival and which nobody makes, owns or"):
        load(data)
    for brought in (
        {"supply": {"b": 1}},
        {"firms": [*data["firms"], {"name": "maker", "makes": "b = c^0.5"}]},
        {"consumers": [{"name": "owner", "endowment": {"b": 1}, "utility": {"cobb_douglas": {"c": 1}}}]},
    ):
        load({**data, **brought})


def test_users_are_those_who_use_it_whatever_it_is_called() -> None:
    """Goods may be called like kinds and parameters, which are no uses of them."""
    names = ["power", "log", "shares", "elasticity", "lognormal", "fuel"]
    ces = {
        "elasticity": 2,
        "shares": {"x": 1, "some": 2},
        "nests": {"some": {"elasticity": 0.5, "shares": {"fuel": 1}}},
    }
    data = {
        "goods": {"x": {}, "c": {}} | {name: {"rival": False} for name in names},
        "outside": {"c": 1},
        "supply": {"x": 1} | dict.fromkeys(names, 1),
        "firms": [
            {"name": "one", "technology": {"power": {"output": "c", "inputs": {"x": 0.5}}}},
            {"name": "two", "technology": {"ces": {"output": "c", "returns_to_scale": 0.5, **ces}}},
            {"name": "all", "makes": f"c = ({' * '.join(names)})^0.1"},
        ],
        "consumers": [
            {"name": "three", "utility": {"quasilinear": {"log": {"x": 1}}}},
            {"name": "four", "budget": 1, "utility": {"ces": ces}},
        ],
        "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
    }
    markets = load(data).markets
    assert {good for good, places in zip(markets.goods, markets.places, strict=True) if places} == {"fuel"}
    assert set(markets.places[markets.goods.index("fuel")]) == {"two", "all", "four"}


def test_a_price_that_only_the_outside_fixes_is_not_the_scale() -> None:
    """`b` costs what the outside and its other user pay together, which moves."""
    data = {
        "goods": {"x": {}, "b": {"rival": False}, "c": {}},
        "outside": {"c": 1, "b": 0.5},
        "supply": {"x": 2},
        "firms": [{"name": "fb", "makes": "b = x^0.5"}, {"name": "fc", "makes": "c = b^0.6"}],
        "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2},
    }
    run = simulate(data)
    assert run.summary["scale"] == "c = 1"
    assert last(run)["b"] > 0.6


def test_a_stock_that_is_sold_to_many_is_their_mean() -> None:
    run = simulate({**SHARED_STOCKS, "run": {"ticks": 15}})
    rows = run.agents[(run.agents["good"] == "plan") & (run.agents["agent"] == "studio")]
    held = run.trajectory[run.trajectory["good"] == "plan"]["inventory"]
    np.testing.assert_allclose(rows["quantity"], held, rtol=1e-12)
    assert held.iloc[-1] > 0


SHARED_STOCKS: dict[str, Any] = {
    "goods": {"ore": {}, "plan": {"rival": False}, "cars": {}},
    "outside": {"cars": 1},
    "supply": {"ore": 9},
    "firms": [
        {"name": "studio", "makes": "plan = 2*ore^0.3"},
        {"name": "carmaker", "count": 3, "makes": "cars = plan^0.2"},
        {"name": "builder", "makes": "cars = 3*plan^0.5"},
    ],
    "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.1},
    "trade": {"every_tick": {"inventories": True, "spoilage": 0.1}},
}


def test_arrows_of_a_good_that_is_not_rival_are_as_thick_as_what_its_users_pay() -> None:
    data = {**SHARED_STOCKS, "outside": {"cars": 1, "plan": 0.5}, "trade": "at_equilibrium", "run": {"ticks": 2000}}
    run = simulate(data)
    assert run.summary["outcome"] == "cleared"
    size, paid = last(run, "demand")["plan"], pays(run, "plan")
    flows = {flow.target[1]: flow for flow in flows_of(run) if flow.source == ("good", "plan")}
    assert set(flows) == {"carmaker", "builder", "outside"}
    for user, worth in {"carmaker": 3 * paid["carmaker:mean"], "builder": paid["builder"], "outside": 0.5}.items():
        assert flows[user].quantity == pytest.approx(size, rel=1e-5)
        assert flows[user].value == pytest.approx(worth * size, rel=1e-5)
    assert not [flow for flow in flows_of(run) if flow.source[0] == "source" and flow.good == "plan"]
