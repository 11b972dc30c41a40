"""Linear tastes: every equilibrium there is, exactly, and none where there is none."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.house import (
    Consumers,
    Economy,
    Equilibrium,
    Linear,
    PriceFactors,
    PriceRule,
    load,
    search_equilibria,
)

WEIGHTS = {
    "integers": lambda stream, shape: stream.integers(0, 5, shape) + 0.0,
    "powers": lambda stream, shape: stream.choice([0.0, 1e-6, 1e-3, 1.0, 1e3, 1e6], shape),
    "spread": lambda stream, shape: 10.0 ** stream.uniform(-6, 6, shape),
}
"""Tastes with exact ties, with ties over many orders of magnitude, and with none."""


def rule(goods: int, fixed: object = None) -> PriceRule:
    held = np.zeros(goods, dtype=bool) if fixed is None else np.asarray(fixed)
    return PriceRule("additive", 0.1, (), np.full(goods, 1e-12), held)


def economy(supply: Any, values: Any, endowments: Any, budgets: Any, outside: Any = None) -> Economy:
    goods = len(supply)
    cohorts = tuple(
        Consumers(f"h{h}", Linear(v[None]), e[None], np.array([b]), np.zeros((1, 0)))
        for h, (v, e, b) in enumerate(zip(values, endowments, budgets, strict=True))
    )
    given_outside = np.full(goods, np.nan) if outside is None else np.asarray(outside)
    return Economy(
        tuple(f"g{good}" for good in range(goods)), np.asarray(supply, dtype=float), given_outside, (), cohorts
    )


def market(seed: int, kind: str, fisher: bool) -> Economy:
    """Two to eight goods that somebody wants and there are, one to eight agents who want something."""
    stream = np.random.default_rng(seed)
    goods, people = int(stream.integers(2, 9)), int(stream.integers(1, 9))
    values = WEIGHTS[kind](stream, (people, goods))
    values[np.arange(people), stream.integers(0, goods, people)] += 1.0
    values[0] += values.sum(axis=0) == 0
    owned = stream.integers(0, 4, (people, goods)) + 0.0
    owned[0] += owned.sum(axis=0) == 0
    if fisher:
        return economy(owned.sum(axis=0), values, np.zeros((people, goods)), stream.integers(1, 5, people) + 0.0)
    return economy(np.zeros(goods), values, owned, np.zeros(people))


def solve(of: Economy, held: PriceRule | None = None, start: object = None) -> list[Equilibrium]:
    goods = len(of.goods)
    first = np.ones(goods) if start is None else np.asarray(start, dtype=float)
    return search_equilibria(of, held or rule(goods), [first]).equilibria


def check(of: Economy, found: Equilibrium) -> None:
    """Markets clear (whatever is left over is free and wanted by nobody), and all money is spent on best goods."""
    balance, prices = found.balance, found.prices
    wanted = np.any([cohort.utility.values[0] > 0 for cohort in of.consumers], axis=0)
    traded = wanted & ~of.is_outside
    assert np.abs(balance.excess_demand[traded]).max(initial=0.0) <= 1e-9 * balance.scale[traded].max(initial=1.0)
    np.testing.assert_allclose(balance.demand[traded], balance.supply[traded], rtol=1e-9)
    assert (prices[~wanted & ~of.is_outside] == 0).all()
    for number, (cohort, bundle) in enumerate(zip(of.consumers, balance.consumption, strict=True)):
        money = max(0.0, float(prices @ cohort.endowment[0] + cohort.budget[0]))
        paid = of.user_prices.consumer_prices(number, prices)
        assert paid @ bundle == pytest.approx(money, rel=1e-9)
        worth = np.divide(cohort.utility.values[0], paid, out=np.zeros(len(prices)), where=paid > 0)
        assert (worth[bundle > 0] >= worth.max() * (1 - 1e-9)).all()
        assert (bundle >= 0).all()


def exists(of: Economy) -> bool:
    """Whether there is an equilibrium of exchange: no group that owns all of what it wants owns what none of it wants
    and others do (Gale 1976).
    """
    values = np.array([cohort.utility.values[0] for cohort in of.consumers]) > 0
    owned = np.array([cohort.endowment[0] for cohort in of.consumers])
    for size in range(1, len(values) + 1):
        for group in map(list, combinations(range(len(values)), size)):
            rest = [h for h in range(len(values)) if h not in group]
            wants = values[group].any(axis=0)
            if not owned[rest][:, wants].any() and owned[group][:, ~wants & values.any(axis=0)].any():
                return False
    return True


@pytest.mark.parametrize("kind", WEIGHTS)
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_a_fisher_market_has_one_equilibrium_and_it_is_the_eisenberg_gale_optimum(kind: str, seed: int) -> None:
    of = market(seed, kind, fisher=True)
    (found,) = solve(of)
    check(of, found)
    assert found.index == 1
    budgets = np.array([cohort.budget[0] for cohort in of.consumers])
    utilities = [
        cohort.utility.values[0] @ x for cohort, x in zip(of.consumers, found.balance.consumption, strict=True)
    ]
    costs = np.array([cohort.utility.unit_cost(found.prices)[0] for cohort in of.consumers])
    dual = found.prices @ of.supply - budgets @ np.log(costs) + budgets @ np.log(budgets) - budgets.sum()
    assert budgets @ np.log(utilities) == pytest.approx(dual, rel=1e-9, abs=1e-9 * budgets.sum())


@pytest.mark.parametrize("kind", WEIGHTS)
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_exchange_has_an_equilibrium_just_where_there_is_one(kind: str, seed: int) -> None:
    of = market(seed, kind, fisher=False)
    found = solve(of)
    assert len(found) == exists(of)
    for each in found:
        check(of, each)
        assert each.index == (0 if each.direction is not None else 1)


@pytest.mark.slow
@pytest.mark.parametrize("fisher", [True, False])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_hundreds_of_markets(kind: str, fisher: bool) -> None:
    for seed in range(200):
        of = market(seed, kind, fisher)
        found = solve(of)
        assert len(found) == (fisher or exists(of)), seed
        for each in found:
            check(of, each)


def linear(**values: float) -> dict[str, Any]:
    return {"linear": values}


def trader(name: str, utility: dict[str, Any], **endowment: float) -> dict[str, Any]:
    return {"name": name, "utility": utility, "endowment": endowment}


def buyer(name: str, utility: dict[str, Any], budget: float | None = None) -> dict[str, Any]:
    return {"name": name, "utility": utility} | ({} if budget is None else {"budget": budget})


def scenario(goods: str, *consumers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"goods": goods.split(), "consumers": list(consumers), "scheduler": {"form": "additive"}, **more}


LOGS = {"quasilinear": {"log": {"a": 2, "b": 1}}}
SATED = {"quasilinear": {"quadratic": {"intercept": {"a": 5, "c": 4}, "slope": {"a": 1, "c": 1}}}}
PRICES: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "money buys no more than what is outside": (
        scenario("a m", buyer("x", linear(a=2, m=1), 30), supply={"a": 2}, outside={"m": 1}),
        {"a": 2, "m": 1},
    ),
    "money spent before what is outside is worth it": (
        scenario("a m", buyer("x", linear(a=2, m=1), 3), supply={"a": 2}, outside={"m": 1}),
        {"a": 1.5, "m": 1},
    ),
    "budgets beside endowments": (
        scenario("a b", trader("x", linear(a=1, b=2), a=1), buyer("y", linear(a=1, b=1), 4), supply={"b": 2}),
        {"a": 2, "b": 2},
    ),
    "a firm": (
        scenario(
            "ore b c",
            buyer("v", linear(b=1, c=2), 1),
            supply={"c": 1},
            outside={"ore": 1},
            firms=[{"name": "f", "makes": "b = sqrt(ore)"}],
        ),
        {"b": 6**0.5 - 2, "c": 2 * 6**0.5 - 4, "ore": 1},
    ),
    "quasi-linear consumers, and a tie on which nothing is spent": (
        scenario("a b", buyer("v", linear(a=1, b=2), 1), buyer("q", LOGS), supply={"a": 2, "b": 1}),
        {"a": 1, "b": 2},
    ),
    "a good of which others have enough": (
        scenario("a b c", buyer("v", linear(a=1, b=2), 1), buyer("q", SATED), supply={"a": 2, "b": 1, "c": 9}),
        {"a": 3, "b": 1, "c": 0},
    ),
    "a good that nobody wants": (
        scenario("a b w", buyer("v", linear(a=1, b=2), 1), supply={"a": 2, "b": 1, "w": 5}),
        {"a": 0.25, "b": 0.5, "w": 0},
    ),
    "a good that nobody brings": (
        scenario("a b w", buyer("v", linear(a=1, b=2, w=3), 1), supply={"a": 2, "b": 1}),
        {"a": 0.25, "b": 0.5, "w": 0.75},
    ),
    "a good that complements a scarce one": (
        scenario(
            "a b c",
            trader("x", linear(a=3, b=1), a=1, c=3),
            trader("y", {"leontief": {"a": 1, "c": 1}}, a=1, b=1, c=1),
            numeraire="b",
        ),
        {"a": 3, "b": 1, "c": 0},
    ),
    "an income that is 0": (
        scenario(
            "a b",
            {"name": "p", "utility": linear(a=1, b=2), "owns": {"f": 0.3}},
            {"name": "q", "budget": 1, "utility": {"cobb_douglas": {"a": 1, "b": 1}}, "owns": {"f": "equal"}},
            supply={"a": 1},
            outside={"b": 1},
            firms=[{"name": "f", "makes": "a = 1 - exp(-b) - 0.1"}],
        ),
        {"a": 0.5, "b": 1},
    ),
    "a price that is held": (
        {**scenario("a", buyer("v", linear(a=1, b=2, c=1), 1), supply={"a": 1, "b": 1, "c": 1})}
        | {"goods": {"a": {}, "b": {"fixed_price": 2}, "c": {}}},
        {"a": 0.5, "b": 2, "c": 0.5},
    ),
}


@pytest.mark.parametrize("name", PRICES)
def test_prices_known_by_hand(name: str) -> None:
    data, prices = PRICES[name]
    read = load(data)
    (found,) = search_equilibria(read.economy, read.rule, [read.initial_prices]).equilibria
    told = dict(zip(read.economy.goods, found.prices.tolist(), strict=True))
    assert {good: told[good] for good in prices} == pytest.approx(prices, rel=1e-9, abs=1e-12)
    assert found.index == 1
    assert found.direction is None


NONE: dict[str, dict[str, Any]] = {
    "a good that its only owners want without an income": scenario(
        "a b c", trader("x", linear(a=1, c=1), a=1, b=1, c=1), trader("y", linear(a=1, b=1), b=1)
    ),
    "a numeraire that nobody wants": scenario(
        "a b c", trader("x", linear(a=3, c=1), a=1, b=1), trader("y", linear(a=1, c=1), b=1, c=2), numeraire="b"
    ),
    "a numeraire that nobody wants, beside a firm": scenario(
        "a b c",
        trader("x", linear(a=3, c=1), a=1, b=1),
        trader("y", linear(a=1, c=1), b=1, c=2),
        numeraire="b",
        firms=[{"name": "f", "technology": {"activity": {"a": 1, "c": -2}}, "behaviour": {"activity": {"rate": 0.1}}}],
    ),
    "money on what nobody brings": scenario(
        "a b w",
        buyer("x", linear(a=1, b=1), 1),
        buyer("y", linear(w=1), 1),
        supply={"a": 2, "b": 1},
    ),
    "money for owners of all there is": scenario(
        "a b", {"name": "p", "budget": 1, "utility": linear(a=5, b=2), "endowment": {"a": 1, "b": 3}}
    ),
}


@pytest.mark.parametrize("name", NONE)
def test_there_is_none_where_there_is_none(name: str) -> None:
    read = load(NONE[name])
    found = search_equilibria(read.economy, read.rule, [read.initial_prices])
    assert found.equilibria == []
    assert not found.given_up
    assert found.runaway is not None


def test_prices_that_are_not_determined_are_one_equilibrium_that_is_not_isolated() -> None:
    read = load(scenario("a b", trader("x", linear(a=3, b=1), a=1), trader("y", linear(a=1, b=3), b=1)))
    (found,) = search_equilibria(read.economy, read.rule, [read.initial_prices]).equilibria
    assert found.index == 0
    assert found.direction is not None
    np.testing.assert_allclose(np.abs(found.direction), 1)
    assert found.direction.sum() == pytest.approx(0)
    assert found.stable is None
    assert 1 / 3 < found.prices[0] / found.prices[1] < 3


def test_an_index_at_a_tie_makes_the_indices_add_up() -> None:
    """Two who hardly substitute have equilibria far apart; a third with perfect substitutes holds prices where they are
    even, and beside this turns two more equilibria up.
    """
    shares = {"x": {"a": 1, "b": (12 / 37) ** 3}, "y": {"a": (12 / 37) ** 3, "b": 1}}
    few = {name: {"ces": {"elasticity": 0.25, "shares": weights}} for name, weights in shares.items()}
    third = trader("z", linear(a=1, b=1), a=0.01, b=0.01)
    read = load(scenario("a b", trader("x", few["x"], a=1), trader("y", few["y"], b=1), third))
    found = search_equilibria(read.economy, read.rule, [read.initial_prices])
    ratios = np.array([each.prices[0] / each.prices[1] for each in found.equilibria])
    assert [each.index for each in found.equilibria] == [1, -1, 1, -1, 1]
    np.testing.assert_allclose(ratios * ratios[::-1], 1, rtol=1e-9)
    assert ratios[2] == pytest.approx(1, rel=1e-12)
    # A step of one size hovers about the tie: whether the rule settles is not known there.
    assert [each.stable is None for each in found.equilibria] == [False, False, True, False, False]
    assert not found.missing


@pytest.mark.parametrize("seed", range(4))
def test_activities_for_a_linear_consumer_are_a_linear_programme(seed: int) -> None:
    """The market's prices are the multipliers of the resources, in units of what the consumer's money buys."""
    stream = np.random.default_rng(seed)
    resources, goods, count = ["r0", "r1", "r2"], ["g0", "g1", "g2"], 5
    owned, worth = stream.uniform(1, 3, 3), stream.uniform(1, 2, 3)
    uses, makes = stream.uniform(0.1, 1, (count, 3)), stream.integers(0, 3, count)
    firms = [
        {
            "name": f"f{f}",
            "technology": {"activity": {goods[makes[f]]: 1} | dict(zip(resources, (-uses[f]).tolist(), strict=True))},
            "behaviour": {"activity": {"rate": 0.1}},
        }
        for f in range(count)
    ]
    made = [good for at, good in enumerate(goods) if at in makes]
    wants = {good: float(worth[goods.index(good)]) for good in made}
    one = trader("c", linear(**wants), **dict(zip(resources, owned.tolist(), strict=True)))
    read = load(scenario(" ".join([*resources, *made]), one, firms=firms))
    (found,) = search_equilibria(read.economy, read.rule, [read.initial_prices], many=3).equilibria
    optimum = linprog(-worth[makes], A_ub=uses.T, b_ub=owned, method="highs")
    utility = worth[[goods.index(good) for good in made]] @ found.balance.consumption[0][3:]
    assert utility == pytest.approx(-optimum.fun, rel=1e-9)
    np.testing.assert_allclose(found.balance.levels, optimum.x, atol=1e-9)
    cost = float(found.prices[:3] @ owned) / utility
    np.testing.assert_allclose(found.prices[:3] / cost, -optimum.ineqlin.marginals, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_buyers_who_pay_more_than_sellers_get(seed: int) -> None:
    """With factors in the place of taxes goods are dearer to some, and money leaves the market."""
    of = market(seed, "integers", fisher=True)
    people, goods = len(of.consumers), len(of.goods)
    factors = 1.0 + np.random.default_rng(seed).integers(0, 3, (people, goods)) / 4.0
    taxed = replace(of, price_factors=PriceFactors(np.ones(0), np.ones(0), factors))
    (found,) = solve(taxed)
    check(taxed, found)
    # The same for all goods of a buyer, a factor is a smaller budget.
    even = np.broadcast_to(factors[:, :1], factors.shape)
    same = replace(of, price_factors=PriceFactors(np.ones(0), np.ones(0), even))
    poorer = tuple(
        replace(cohort, budget=cohort.budget / factor[0]) for cohort, factor in zip(of.consumers, factors, strict=True)
    )
    np.testing.assert_allclose(solve(same)[0].prices, solve(replace(of, consumers=poorer))[0].prices, rtol=1e-9)


def test_four_thousand_consumers_take_little_memory() -> None:
    stream = np.random.default_rng(0)
    many, goods = 4000, 10
    cohort = Consumers(
        "many",
        Linear(stream.integers(1, 9, (many, goods)) + 0.0),
        stream.integers(0, 3, (many, goods)) + 0.0,
        np.zeros(1),
        np.zeros((1, 0)),
        many,
    )
    of = Economy(tuple(f"g{good}" for good in range(goods)), np.zeros(goods), np.full(goods, np.nan), (), (cohort,))
    tracemalloc.start()
    (found,) = solve(of)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()
    assert found.residual <= 1e-9
    np.testing.assert_allclose(found.balance.demand, found.balance.supply, rtol=1e-9)


def test_the_numeraire_and_where_a_run_begins_do_not_matter() -> None:
    of = market(11, "integers", fisher=False)
    goods = len(of.goods)
    free = solve(of)[0].prices
    for good in range(goods):
        held = rule(goods, np.arange(goods) == good)
        (found,) = solve(of, held, np.exp(np.random.default_rng(good).normal(size=goods)))
        np.testing.assert_allclose(found.prices / found.prices[good], free / free[good], rtol=1e-9)
