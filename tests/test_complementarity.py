"""The search for equilibria: all of them, none that is none, free goods at exactly 0, whatever the scale of prices."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.economies import RUNAWAY_CONSUMERS
from tests.house import Complementarity, Effort, Unknowns, find, fischer, load, search_equilibria, simulate

NOBODY_WANTS_MONEY: dict[str, Any] = {
    "goods": ["bread", "wine", "money"],
    "numeraire": "money",
    "consumers": [
        {"name": "a", "utility": {"cobb_douglas": {"bread": 1, "wine": 2}}, "endowment": {"bread": 1, "money": 3}},
        {"name": "b", "utility": {"cobb_douglas": {"bread": 2, "wine": 1}}, "endowment": {"wine": 1}},
    ],
}
ANY_PRICE: dict[str, Any] = {
    "goods": ["x", "y"],
    "numeraire": "y",
    "initial_prices": {"x": 3},
    "consumers": [
        {"name": "ann", "utility": {"leontief": {"x": 1, "y": 1}}, "endowment": {"x": 10}},
        {"name": "ben", "utility": {"leontief": {"x": 1, "y": 1}}, "endowment": {"y": 10}},
    ],
}


def own_good_first(elasticity: float, own: float, numeraire: str | None) -> dict[str, Any]:
    """Three owners of a good each, who spend the part `own` on it at equal prices and the rest on the others."""
    goods = ["x", "y", "z"]
    shares = {mine: {good: own if good == mine else (1 - own) / 2 for good in goods} for mine in goods}
    return {
        "goods": goods,
        **({"numeraire": numeraire} if numeraire else {}),
        "consumers": [
            {
                "name": f"owner_of_{good}",
                "utility": {"ces": {"elasticity": elasticity, "shares": shares[good]}},
                "endowment": {good: 1},
            }
            for good in goods
        ],
    }


def searched(data: dict[str, Any], **more: Any) -> Any:
    scenario = load(data)
    return search_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices], **more)


@given(st.floats(0, 1e6), st.floats(-30, 30))
def test_fischer_and_burmeister_s_function_is_0_at_complements_alone(a: float, b: float) -> None:
    value, by_a, by_b = (float(each) for each in fischer(np.array(a), np.array(b)))
    assert float(fischer(np.array(a), np.array(0.0))[0]) == float(fischer(np.array(0.0), np.array(abs(b)))[0]) == 0.0
    if min(a, abs(b)) > 1e-3:
        assert value == pytest.approx(a + b - math.hypot(a, b), rel=1e-9, abs=1e-9 * a)
        assert (value > 0) == (b > 0)
        step = 1e-6 * a
        up, down = (float(fischer(np.array(a + side), np.array(b))[0]) for side in (step, -step))
        assert by_a == pytest.approx((up - down) / (2 * step), abs=1e-4)
        up, down = (float(fischer(np.array(a), np.array(b + side))[0]) for side in (1e-6, -1e-6))
        assert by_b == pytest.approx((up - down) / 2e-6, abs=1e-2)


@pytest.mark.parametrize(("elasticity", "own"), [(0.2, 0.8), (0.25, 0.9), (0.2, 0.95), (0.22, 0.7)])
def test_seven_equilibria_whatever_the_numeraire(elasticity: float, own: float) -> None:
    relative = []
    for numeraire in (None, "x", "y", "z"):
        found = searched(own_good_first(elasticity, own, numeraire))
        assert len(found.equilibria) == 7
        assert not found.missing
        assert sorted(each.index for each in found.equilibria) == [-1, -1, -1, 1, 1, 1, 1]
        assert sum(each.starts for each in found.equilibria) <= found.starts
        relative.append([each.prices / each.prices.sum() for each in found.equilibria])
    for others in relative[1:]:
        np.testing.assert_allclose(others, relative[0], rtol=1e-8)


def test_where_too_few_are_found_it_is_said() -> None:
    """From few starts not all of seven: the indices tell, unless they happen to add up."""
    scenario = load(own_good_first(0.2, 0.8, None))
    told = []
    for seed in range(20):
        found = search_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices], many=4, seed=seed)
        indices = sum(each.index for each in found.equilibria)
        assert found.missing == (indices != 1)
        told.append(found.missing)
    assert any(told)


def test_a_continuum_is_one_and_has_a_direction() -> None:
    found = searched(ANY_PRICE)
    (only,) = found.equilibria
    assert only.index == 0
    np.testing.assert_allclose(only.direction / only.direction[0], [1.0, 0.0])
    assert not found.missing
    assert only.stable is None
    assert only.starts == found.starts == 32


def test_a_run_on_a_known_continuum_is_told_to_be_there() -> None:
    run = simulate({**ANY_PRICE, "trade": "at_equilibrium"})
    assert "Prices are on a continuum of equilibria" in run.summary["sentence"]
    assert run.equilibrium["price"].tolist() == [3.0, 1.0]


def test_a_search_from_any_number_of_starts_ends_and_counts_no_continuum_twice() -> None:
    found = searched(ANY_PRICE, many=10**9)
    assert found.given_up
    assert found.starts < 10**5
    assert len(found.equilibria) == 1


@pytest.mark.parametrize(("one", "other", "unit"), [(0.8, 2.0, 1e15), (1.5, 0.9, 1e15), (1.5, 2.0, 1e15)])
def test_goods_may_be_counted_in_any_units(one: float, other: float, unit: float) -> None:
    taste = {
        elasticity: {"ces": {"elasticity": elasticity, "shares": dict.fromkeys("xyz", 1)}}
        for elasticity in (one, other)
    }
    consumers = [
        {"name": "a", "utility": taste[one], "endowment": {"x": 1 / unit, "y": 1e3}},
        {"name": "b", "utility": taste[other], "endowment": {"z": 2 * unit}},
    ]
    found = searched({"goods": ["x", "y", "z"], "numeraire": "x", "consumers": consumers})
    assert len(found.equilibria) == 1


def test_of_two_like_activities_levels_have_no_index_and_that_is_said() -> None:
    """Who makes it is open, and that alone: nothing tells whether other equilibria are missing."""
    mills = [{"name": name, "technology": {"activity": {"x": -1, "y": 2}}} for name in ("one", "two")]
    eater = {"name": "eater", "utility": {"cobb_douglas": {"y": 1}}, "endowment": {"x": 1}}
    found = searched({"goods": ["x", "y"], "numeraire": "x", "firms": mills, "consumers": [eater]})
    assert [each.index for each in found.equilibria] == [0]
    assert found.missing


@pytest.mark.parametrize("goods", [12, 20])
def test_prices_of_overlapping_generations_grow_by_the_factor_of_theory(goods: int) -> None:
    """Born `k` owns 3 of `t_k` and 1 of `t_(k+1)`, and spends 0.4 and 0.6 on them: `p(t_k) = 4.5^k`."""
    dates = [f"t{date}" for date in range(goods)]
    born = [
        {
            "name": f"born{at}",
            "utility": {"cobb_douglas": {old: 0.4, new: 0.6}},
            "endowment": {old: 3, new: 1},
        }
        for at, (old, new) in enumerate(pairwise(dates))
    ]
    ends = [
        {"name": name, "utility": {"cobb_douglas": {date: 1}}, "endowment": {date: amount}}
        for name, date, amount in (("old", dates[0], 1), ("last", dates[-1], 3))
    ]
    found = searched({"goods": dates, "numeraire": "t0", "consumers": [*ends, *born]})
    (only,) = found.equilibria
    np.testing.assert_allclose(only.prices, 4.5 ** np.arange(goods), rtol=1e-9)
    assert only.index == 1


def test_a_numeraire_nobody_wants_buys_nothing() -> None:
    found = searched(NOBODY_WANTS_MONEY)
    assert found.equilibria == []
    assert found.runaway is not None
    assert found.runaway.towards == "infinity"
    (wanted,) = find(*_given({**NOBODY_WANTS_MONEY, "numeraire": "wine"}))
    assert wanted.prices[2] == 0.0


def test_a_price_runs_away_where_there_is_no_equilibrium() -> None:
    found = searched({"goods": ["x", "y"], "numeraire": "x", "consumers": RUNAWAY_CONSUMERS})
    assert found.equilibria == []
    assert found.runaway is not None
    assert (found.runaway.name, found.runaway.towards) == ("y", "zero")
    assert found.runaway.residual < 1e-3
    assert not found.missing


def test_what_runs_away_is_what_came_nearest_not_what_stuck() -> None:
    """At an elasticity of 0.001 the price is 2.2^-1000, below all numbers; near 1 markets are off by a hundredth."""
    taste = [{"ces": {"elasticity": 0.001, "shares": {"x": 1, "y": share}}} for share in (1, 3)]
    consumers = [
        {"name": "ann", "utility": taste[0], "endowment": {"x": 10, "y": 1}},
        {"name": "ben", "utility": taste[1], "endowment": {"x": 1, "y": 12}},
    ]
    found = searched({"goods": ["x", "y"], "numeraire": "y", "consumers": consumers})
    assert found.runaway is not None
    assert found.runaway[:2] == ("x", "zero")
    assert found.runaway.residual < 1e-10


def test_what_clears_ever_better_as_a_price_grows_is_no_equilibrium() -> None:
    """The owner buys back all of x, and another wants `1/p` of it: excess demand shrinks below every tolerance."""
    few = {"name": "a", "utility": {"cobb_douglas": {"x": 1}}, "endowment": {"x": 1}}
    unlimited = {"name": "c", "utility": {"quasilinear": {"log": {"x": 1}}}}
    assert find(*_given({"goods": ["x"], "consumers": [few, unlimited]})) == []


def test_free_goods_are_free_exactly_and_once() -> None:
    taste = {"quadratic": {"intercept": {"power": 60, "bread": 10}, "slope": {"power": 1, "bread": 1}}}
    town = {"name": "town", "utility": {"quasilinear": taste}}
    data = {"goods": ["power", "bread"], "supply": {"power": 100, "bread": 4}, "consumers": [town]}
    (only,) = find(*_given(data))
    np.testing.assert_allclose(only.prices, [0.0, 6.0], rtol=1e-12)
    (alone,) = find(
        *_given(
            {
                "goods": ["power"],
                "supply": {"power": 100},
                "consumers": [
                    {
                        "name": "town",
                        "utility": {"quasilinear": {"quadratic": {"intercept": {"power": 60}, "slope": {"power": 1}}}},
                    }
                ],
            }
        )
    )
    assert alone.prices[0] == 0.0
    assert alone.balance.demand[0] == 60.0


@pytest.mark.parametrize("others", [{}, {"r": 3.0}])
def test_a_market_where_nothing_is_traded_is_at_rest(others: dict[str, float]) -> None:
    """The first unit of q costs 12 and is worth 10 to the only buyer."""
    wanted = {"q": 10.0, **dict.fromkeys(others, 10.0)}
    taste = {"quadratic": {"intercept": wanted, "slope": dict.fromkeys(wanted, 1.0)}}
    data = {
        "goods": ["q", *others, "money"],
        "outside": {"money": 1},
        "supply": others,
        "firms": [{"name": "maker", "makes": "q = sqrt(144 + 2*money) - 12"}],
        "consumers": [{"name": "buyer", "utility": {"quasilinear": taste}}],
    }
    for seed in range(3):
        (only,) = find(*_given(data), seed=seed)
        assert 10.0 <= only.prices[0] <= 12.0
        assert only.balance.demand[0] == only.balance.supply[0] == 0.0
        np.testing.assert_allclose(only.prices[1:-1], 7.0, rtol=1e-9)


def _given(data: dict[str, Any]) -> tuple[Any, Any, Any]:
    scenario = load(data)
    return scenario.economy, scenario.rule, [scenario.initial_prices]


@given(
    st.lists(st.tuples(*[st.floats(0.05, 3)] * 8), min_size=2, max_size=4),
    st.floats(0.15, 3),
    st.integers(0, 3),
)
@settings(max_examples=25, deadline=None)
def test_neither_the_numeraire_nor_the_road_of_the_search_matters(
    people: list[tuple[float, ...]], elasticity: float, seed: int
) -> None:
    """Indices add up to 1, and what is found with any numeraire is what is found without."""
    goods = ["x", "y", "z"]
    consumers = [
        {
            "name": f"h{number}",
            "utility": {"ces": {"elasticity": elasticity, "shares": dict(zip(goods, numbers[:3], strict=True))}},
            "endowment": dict(zip(goods, numbers[3:6], strict=True)),
        }
        for number, numbers in enumerate(people)
    ]
    found = [
        searched({"goods": goods, "consumers": consumers, **held}, seed=seed)
        for held in ({}, {"numeraire": "x"}, {"numeraire": "z"})
    ]
    relative = [[each.prices / each.prices.sum() for each in one.equilibria] for one in found]
    assert sum(each.index for each in found[0].equilibria) == 1
    for others in relative[1:]:
        np.testing.assert_allclose(others, relative[0], rtol=1e-6)


def test_one_start_is_enough_where_equilibria_are_a_convex_set() -> None:
    """Starts that are not needed lead to the same: the theorem that spares them is looked at once."""
    data = own_good_first(2.0, 0.6, "x")
    found = searched(data)
    assert found.all_found
    assert found.starts == 1
    scenario = load(data)
    problem = Complementarity(Unknowns(scenario.economy, scenario.rule.fixed, np.zeros(3)), Effort(1e9))
    stream = np.random.default_rng(0)
    for start in np.exp(stream.uniform(-6, 6, (20, 3))):
        root = problem.root(start)
        assert root is not None
        assert root.holds
        np.testing.assert_allclose(root.values / root.values[0], found.equilibria[0].prices, rtol=1e-8)


@pytest.mark.parametrize("numeraire", [None, "g1", "g2", "g3"])
def test_activities_that_lose_are_idle_exactly(numeraire: str | None) -> None:
    """Two ways to make wine of labour and land: at any prices of the two the dear one loses."""

    def activity(name: str, **vector: float) -> dict[str, Any]:
        return {"name": name, "technology": {"activity": vector}, "behaviour": "activity"}

    data = {
        "goods": ["g1", "g2", "g3"],
        **({"numeraire": numeraire} if numeraire else {}),
        "firms": [activity("dear", g1=-2, g2=-2, g3=1), activity("cheap", g1=-1, g2=-1, g3=1)],
        "consumers": [
            {"name": "a", "utility": {"cobb_douglas": {"g1": 1, "g3": 2}}, "endowment": {"g1": 3, "g2": 1}},
            {"name": "b", "utility": {"cobb_douglas": {"g2": 1, "g3": 1}}, "endowment": {"g1": 0.5, "g2": 2}},
        ],
        "trade": "at_equilibrium",
    }
    (only,) = find(*_given(data))
    assert only.balance.levels[0] == 0.0
    assert only.index == 1
    worth = only.prices / only.prices[2]
    assert worth[0] + worth[1] == pytest.approx(1.0, rel=1e-12)
    # What nobody keeps of the two is used one for one.
    kept = only.balance.consumption.sum(axis=0)
    assert only.balance.levels[1] == pytest.approx(3.5 - kept[0], rel=1e-12) == pytest.approx(3 - kept[1], rel=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_indices_of_activity_economies_add_up_whatever_the_numeraire(seed: int) -> None:
    stream = np.random.default_rng(seed)
    goods = ["a", "b", "c", "d"]
    consumers = [
        {
            "name": f"h{number}",
            "utility": {"cobb_douglas": dict(zip(goods, stream.uniform(0.05, 1, 4).tolist(), strict=True))},
            "endowment": {"a": float(stream.uniform(0, 3)), "b": float(stream.uniform(0.5, 3)), "c": 0.2, "d": 0.2},
        }
        for number in range(2)
    ]
    firms = [
        {
            "name": f"f{number}",
            "technology": {"activity": {"a": -float(used), "b": -float(kept), made: 1.0}},
            "behaviour": "activity",
        }
        for number, (used, kept, made) in enumerate(
            zip(stream.uniform(0.1, 2, 3), stream.uniform(0.1, 2, 3), ("c", "d", "c"), strict=True)
        )
    ]
    found = [
        searched({"goods": goods, "firms": firms, "consumers": consumers, "trade": "at_equilibrium", **held})
        for held in ({}, {"numeraire": "a"}, {"numeraire": "d"})
    ]
    assert sum(each.index for each in found[0].equilibria) == 1
    relative = [[each.prices / each.prices.sum() for each in one.equilibria] for one in found]
    for others in relative[1:]:
        np.testing.assert_allclose(others, relative[0], rtol=1e-7)
    for one in found[0].equilibria:
        profits = one.balance.unit_profits
        assert (profits <= 1e-9).all()
        assert (profits[one.balance.levels > 0] >= -1e-9).all()
