"""Price = bid = derivative: at rest against solved optima, on the way against a program pushed forward by one unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import cohorts_of, market_of
from tests.economies import FARM_AND_BAKERY, LOOP, TREE, TUPPERWARE_FIRMS
from tests.house import (
    Economy,
    Equilibrium,
    Scenario,
    adjoints,
    bids,
    equilibrium_adjoints,
    find,
    load,
    marginal_products,
    outputs,
    share_out,
    simulate,
    used,
    worth,
)

TUPPERWARE: dict[str, Any] = {
    "goods": ["natgas", "ethylene", "polyethylene", "tupperware"],
    "numeraire": "tupperware",
    "outside": {"tupperware": 1},
    "supply": {"natgas": 4},
    "firms": TUPPERWARE_FIRMS,
    "initial_prices": {"natgas": 0.01, "ethylene": 0.05, "polyethylene": 0.5},
    "scheduler": {"form": "multiplicative", "rate": 0.3},
    "run": {"ticks": 60, "tolerance": 1e-12},
}
RIVALS: dict[str, Any] = {
    "goods": ["labour", "steel", "bread", "cloth", "car", "chip"],
    "outside": {"bread": 1, "car": 2, "chip": 0.4},
    "supply": {"labour": 10, "cloth": 0.2},
    "firms": [
        {"name": "bakery", "makes": "bread = 4*sqrt(labour)"},
        {"name": "mill", "makes": "steel = 6*ln(1 + labour)"},
        {"name": "weaver", "makes": "cloth = steel^0.5*labour^0.2"},
        {"name": "maker", "makes": "car = 2*steel^0.4*cloth^0.2*chip^0.2"},
    ],
}
FISHER: dict[str, Any] = {
    "goods": ["labour", "grain", "bread"],
    "supply": {"labour": 3, "grain": 0.5},
    "firms": FARM_AND_BAKERY,
    "consumers": [
        {"name": "a", "budget": 2, "utility": {"cobb_douglas": {"bread": 2, "labour": 1}}},
        {"name": "b", "budget": 1, "utility": {"ces": {"elasticity": 0.5, "shares": {"bread": 1, "grain": 1}}}},
    ],
}
QUASI_LINEAR: dict[str, Any] = {
    "goods": ["labour", "bread", "wine", "cloth"],
    "outside": {"cloth": 0.5},
    "supply": {"labour": 2, "wine": 1},
    "firms": [
        {"name": "bakery", "makes": "bread = 2*labour^0.6"},
        {"name": "weaver", "makes": "cloth = labour^0.5"},
    ],
    "consumers": [
        {"name": "a", "utility": {"quasilinear": {"log": {"bread": 2, "wine": 1}}}},
        {"name": "b", "utility": {"quasilinear": {"log": {"labour": 0.5, "cloth": 1}}}},
    ],
}
EXCHANGE: dict[str, Any] = {
    "goods": ["x", "y", "z"],
    "numeraire": "x",
    "consumers": [
        {"name": "a", "utility": {"cobb_douglas": {"x": 0.5, "y": 0.25, "z": 0.25}}, "endowment": {"x": 1, "z": 2}},
        {
            "name": "b",
            "utility": {"ces": {"elasticity": 0.5, "shares": {"x": 0.5, "y": 0.1, "z": 0.4}}},
            "endowment": {"x": 1, "y": 2, "z": 2},
        },
    ],
}
SOLVED = {"tree": TREE, "rivals": RIVALS, "loop": LOOP, "fisher": FISHER, "quasi-linear": QUASI_LINEAR}


def solve(scenario: Scenario, economy: Economy, start: np.ndarray) -> Equilibrium:
    found = find(economy, scenario.rule, [start], many=5)
    assert len(found) == 1
    return found[0]


def objective(economy: Economy, inputs: np.ndarray, consumption: np.ndarray, net: np.ndarray) -> float:
    """Net sales to the outside at its prices, quasi-linear utility, and `B ln u` of buyers with a budget."""
    total = float(np.sum(np.where(economy.is_outside, economy.outside * net, 0.0)))
    for cohort, bundle in zip(economy.consumers, consumption[:, None], strict=True):
        if cohort.utility.needs_income:
            total += float(cohort.budget @ np.log(cohort.utility.form.value(bundle)))
        else:
            total += float(cohort.utility.utility(bundle, np.zeros(len(bundle))).sum())
    return total


def optimum(economy: Economy, at: Equilibrium) -> float:
    """The planner's objective where the plans of an equilibrium are carried out."""
    balance = at.balance
    made = economy.total_supply + economy.made(outputs(economy, balance.inputs), economy.outlet_yield)
    net = made - economy.over_edges(balance.inputs) - balance.consumption.sum(axis=0)
    np.testing.assert_allclose(np.where(economy.is_outside, 0.0, net), 0.0, atol=1e-8)
    return objective(economy, balance.inputs, balance.consumption, net)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "loop")) for name in SOLVED])
def test_at_equilibrium_price_is_bid_is_adjoint_is_the_derivative_of_the_solved_optimum(name: str) -> None:
    scenario = load(SOLVED[name])
    economy = scenario.economy
    at = solve(scenario, economy, scenario.initial_prices)
    prices, balance = at.prices, at.balance
    np.testing.assert_allclose(equilibrium_adjoints(economy, balance), prices, rtol=1e-9)
    consumption = balance.consumption.sum(axis=0)
    bid_worth = sum(
        (
            worth(cohort, prices, income, bundle).bid
            for cohort, income, bundle in zip(
                economy.consumers, balance.incomes, balance.consumption[:, None], strict=True
            )
        ),
        np.zeros(len(prices)),
    )
    products = marginal_products(economy, prices, balance.inputs)
    bid = bids(economy, prices, balance.inputs, consumption, products, bid_worth)
    bought = used(economy, balance.inputs, consumption) > 0
    np.testing.assert_allclose(bid[bought], prices[bought], rtol=1e-9)
    for good in range(len(economy.goods)):
        h = 1e-3 * float(balance.demand[good])
        values: list[float] = []
        for side in (1, -1):
            supply = economy.supply.copy()
            supply[good] += side * h
            moved = replace(economy, supply=supply)
            values.append(optimum(moved, solve(scenario, moved, prices)))
        assert (values[0] - values[1]) / (2 * h) == pytest.approx(prices[good], rel=1e-5), economy.goods[good]


def test_in_an_exchange_economy_price_is_the_derivative_with_the_utilities_of_money_frozen() -> None:
    """`max sum u_h/mu_h` by its dual, `min p.e` where every unit of utility costs at least `1/mu_h`."""
    from scipy.optimize import minimize

    scenario = load(EXCHANGE)
    economy = scenario.economy
    at = solve(scenario, economy, scenario.initial_prices)
    forms = [cohort.utility.form for cohort in economy.consumers]
    worth = [float(form.unit_cost(at.prices)[0]) for form in forms]

    def best(endowment: np.ndarray) -> float:
        bounds = [
            {"type": "ineq", "fun": lambda p, f=form, w=w: f.unit_cost(p)[0] - w}
            for form, w in zip(forms, worth, strict=True)
        ]
        options = {"ftol": 1e-15, "maxiter": 500}
        start = at.prices * [1.05, 0.97, 1.02]
        found = minimize(lambda p: p @ endowment, start, constraints=bounds, bounds=[(1e-3, 9)] * 3, options=options)
        return float(found.fun)

    everything = economy.total_supply
    assert best(everything) == pytest.approx(float(at.prices @ everything), rel=1e-9)
    np.testing.assert_allclose(equilibrium_adjoints(economy, at.balance), at.prices, rtol=1e-9)
    for good in range(3):
        nudge = np.zeros(3)
        nudge[good] = 1e-3
        slope = (best(everything + nudge) - best(everything - nudge)) / 2e-3
        assert slope == pytest.approx(at.prices[good], rel=1e-4)


def pushed(economy: Economy, inputs: np.ndarray, consumption: np.ndarray, good: int, more: float) -> float:
    """The objective when `more` of a good is used and everything downstream is split as it was."""
    before = economy.over_edges(inputs) + consumption.sum(axis=0)
    base = outputs(economy, inputs)
    amount = before.copy()
    net = np.zeros(len(before))
    for _ in range(400):
        share = np.divide(amount, before, out=np.ones(len(before)), where=before > 0)
        there = inputs * share[economy.edge_good]
        gained = economy.made(outputs(economy, there) - base, economy.outlet_yield)
        following = before + np.where(economy.is_outside, 0.0, gained)
        following[good] += more
        net = np.where(economy.is_outside, gained, 0.0)
        if np.array_equal(following, amount):
            break
        amount = following
    share = np.divide(amount, before, out=np.ones(len(before)), where=before > 0)
    return objective(economy, inputs * share[economy.edge_good], consumption * share, net)


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
@pytest.mark.parametrize("name", SOLVED)
def test_out_of_equilibrium_the_adjoint_is_what_one_more_unit_used_would_add(name: str, trade: str) -> None:
    scenario = load({**SOLVED[name], "trade": trade, "scheduler": {"rate": 0.1}})
    economy = scenario.economy
    market = market_of(scenario)
    judged, off = 0, 0.0
    for tick in range(13):
        market.advance()
        if tick % 4:
            continue
        inputs, consumption, fraction = market.inputs, market.consumption, None
        if trade == "at_equilibrium":
            edges, fraction = share_out(
                economy, inputs, consumption.sum(axis=0), market.planned_outputs, economy.outlet_yield
            )
            inputs, consumption = inputs * edges, consumption * fraction
        products = marginal_products(economy, market.prices, inputs)
        seen = [cohort.totals(fraction, objective=True) for cohort in cohorts_of(market)]
        objective = sum((totals.worth.objective for totals in seen), np.zeros(len(economy.goods)))
        adjoint = adjoints(economy, inputs, consumption.sum(axis=0), products, objective, economy.outlet_yield)
        in_use = used(economy, inputs, consumption.sum(axis=0))
        np.testing.assert_array_equal(adjoint[economy.is_outside], economy.outside[economy.is_outside])
        for good in np.flatnonzero((in_use > 0) & ~economy.is_outside):
            h = 1e-4 * float(in_use[good])
            ahead, behind = (pushed(economy, inputs, consumption, int(good), side * h) for side in (1, -1))
            assert adjoint[good] == pytest.approx((ahead - behind) / (2 * h), rel=1e-5), (tick, economy.goods[good])
            judged += 1
        off = max(off, float(np.nanmax(np.abs(adjoint / market.prices - 1))))
    assert judged >= 8
    assert off > 0.03


def test_the_derivative_is_there_long_before_the_price() -> None:
    table = simulate(TUPPERWARE).trajectory.pivot(index="tick", columns="good")
    goods, truth = ["natgas", "ethylene", "polyethylene"], np.array([1 / 24, 1 / 6, 3 / 2])
    adjoint = table["adjoint"][goods].to_numpy()[7:21]
    price = table["price"][goods].to_numpy()[7:21]
    np.testing.assert_allclose(adjoint, np.tile(truth, (14, 1)), rtol=1e-12)
    assert np.all(np.max(np.abs(price / truth - 1), axis=1)[:3] > 0.1)
    assert np.all(table["adjoint"]["tupperware"] == 1.0)


def test_the_adjoint_is_empty_while_a_firm_downstream_has_used_nothing() -> None:
    table = simulate({**TUPPERWARE, "start": "empty"}).trajectory.pivot(index="tick", columns="good")
    known = table["adjoint"].notna()
    for good, first in (("natgas", 2), ("ethylene", 2), ("polyethylene", 2), ("tupperware", 0)):
        assert known[good].tolist()[:6] == [tick >= first for tick in range(6)], good
    assert table["bid"]["natgas"].notna().all()
    assert table["bid"]["tupperware"].isna().all()


def test_a_firm_that_idles_hides_what_lies_upstream_and_nothing_else() -> None:
    """At `polyethylene = 0` the logarithm has no slope; the other users of natgas hide with it, the rival chain not."""
    scenario = load(
        {
            **TUPPERWARE,
            "goods": [*TUPPERWARE["goods"], "coal"],
            "supply": {"natgas": 4, "coal": 1},
            "firms": [*TUPPERWARE["firms"], {"name": "D", "makes": "tupperware = sqrt(coal)"}],
        }
    )
    economy = scenario.economy
    inputs, nothing = np.array([1.0, 1.0, 0.0, 0.25]), np.zeros(5)
    with np.errstate(all="ignore"):
        found = adjoints(
            economy, inputs, nothing, marginal_products(economy, np.ones(5), inputs), nothing, economy.outlet_yield
        )
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 1.0, 1.0])


@pytest.mark.parametrize(("quantity", "converges"), [(1.2, True), (0.9, False)])
def test_where_a_loop_returns_more_than_it_takes_the_adjoint_is_empty(quantity: float, converges: bool) -> None:
    """`d steel / d steel` is `1/sqrt(x)` on half of the steel: 2 x 0.5 / sqrt(x) crosses 1 at x = 1."""
    scenario = load(
        {
            "goods": ["steel", "car"],
            "outside": {"car": 3},
            "supply": {"steel": 1},
            "firms": [{"name": "mill", "makes": "steel = 4*steel^0.5"}, {"name": "maker", "makes": "car = steel^0.5"}],
        }
    )
    economy = scenario.economy
    inputs, nothing = np.array([quantity, quantity]), np.zeros(2)
    slope = 0.5 * 2 / float(np.sqrt(quantity))
    assert bool(slope < 1) is converges
    products = marginal_products(economy, np.array([1.0, 3.0]), inputs)
    found = adjoints(economy, inputs, nothing, products, nothing, economy.outlet_yield)
    final = 0.5 * 3 * 0.5 / np.sqrt(quantity)
    expected = final / (1 - slope) if converges else np.nan
    assert found[0] == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert found[1] == 3.0


def test_in_a_glut_nobody_is_rationed_and_bids_are_prices_by_construction() -> None:
    high = {"natgas": 5, "ethylene": 5, "polyethylene": 5}
    table = simulate({**TUPPERWARE, "initial_prices": high, "run": {"ticks": 8}}).trajectory
    natgas = table[table["good"] == "natgas"]
    assert np.all(natgas["excess_demand"] < 0)
    used_gas = natgas[natgas["bid"].notna()]
    assert len(used_gas) > 2
    np.testing.assert_allclose(used_gas["bid"], used_gas["price"], rtol=1e-9)


@pytest.mark.parametrize("name", SOLVED)
@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_whoever_is_not_rationed_bids_the_price(name: str, trade: str) -> None:
    scenario = load({**SOLVED[name], "trade": trade})
    economy = scenario.economy
    market = market_of(scenario)
    served = 0
    for _ in range(40):
        market.advance()
        products = marginal_products(economy, market.prices, market.inputs)
        worth = market.prices[economy.outlet_good[economy.edge_firm]] * products
        whole = np.array(
            [
                np.array_equal(market.inputs[economy.edge_firm == f], market.planned_inputs[economy.edge_firm == f])
                for f in range(len(economy.outlet_good))
            ]
        )
        edges = whole[economy.edge_firm] & (market.inputs > 0)
        np.testing.assert_allclose(worth[edges], market.prices[economy.edge_good][edges], rtol=1e-9)
        served += int(edges.sum())
    assert served > 0


@given(
    st.sampled_from(sorted(SOLVED)),
    st.lists(st.floats(0.05, 20), min_size=6, max_size=6),
)
def test_the_share_out_is_feasible_and_wastes_nothing(name: str, prices: list[float]) -> None:
    scenario = load(SOLVED[name])
    economy = scenario.economy
    quoted = np.where(economy.is_outside, economy.outside, prices[: len(economy.goods)])
    plans = economy.balance(quoted)
    consumption = plans.consumption.sum(axis=0)
    edges, given = share_out(economy, plans.inputs, consumption, plans.outputs, economy.outlet_yield)
    inputs = plans.inputs * edges
    available = economy.total_supply + economy.made(outputs(economy, inputs), economy.outlet_yield)
    wanted = used(economy, plans.inputs, consumption)
    handed = used(economy, inputs, consumption * given)
    split = ~economy.is_outside & (wanted > 0)
    np.testing.assert_allclose(handed[split], available[split], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(handed[economy.is_outside], wanted[economy.is_outside], rtol=1e-12)
    fraction = np.divide(inputs, plans.inputs, out=np.zeros(len(plans.inputs)), where=plans.inputs > 0)
    for good in np.flatnonzero(split):
        users = fraction[(economy.edge_good == good) & (plans.inputs > 0)]
        np.testing.assert_allclose(users, handed[good] / wanted[good], rtol=1e-12)
