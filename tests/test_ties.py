"""Linear tastes: equilibria with set-valued demand, found through smooth tastes and made exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.house import (
    CobbDouglas,
    Consumers,
    Economy,
    Equilibrium,
    Firm,
    FormulaTechnology,
    Homothetic,
    Linear,
    PriceRule,
    ScenarioError,
    Taste,
    bought,
    clearing_split,
    equilibrium_adjoints,
    find,
    load,
    parse,
    set_valued,
    simulate,
    ties,
)

# 4 buyers, 5 goods in unit supply: prices 109/59 * (18, 10, 15, 4, 12), demand set-valued at equilibrium.
VALUES = [[1, 3, 5, 1, 2], [2, 5, 6, 2, 6], [6, 3, 5, 1, 4], [3, 3, 4, 2, 6]]
BUDGETS = [20, 23, 54, 12]


def someone(utility: Taste, *, goods: int, endowment: object = None, budget: float = 0.0, firms: int = 0) -> Consumers:
    owned = np.zeros((1, goods)) if endowment is None else np.atleast_2d(np.asarray(endowment, dtype=float))
    return Consumers(f"h{budget}{owned.sum()}", utility, owned, np.array([budget]), np.full((1, firms), 0.25))


def rule(goods: int) -> PriceRule:
    return PriceRule("additive", 0.1, (), np.full(goods, 1e-12), np.zeros(goods, dtype=bool))


def economy(supply: object, *cohorts: Consumers, firms: tuple[Firm, ...] = ()) -> Economy:
    given = np.asarray(supply, dtype=float)
    return Economy(tuple("abcde"[: len(given)]), given, np.full(len(given), np.nan), firms, cohorts)


def check(of: Economy, found: Equilibrium) -> None:
    """Markets clear, everybody's money is spent, and only on goods of most value per money."""
    balance, prices = found.balance, found.prices
    assert np.max(np.abs(balance.excess_demand) / balance.scale) < 1e-9
    for cohort, bundle, income in zip(of.consumers, balance.consumption, balance.incomes, strict=True):
        assert prices @ bundle == pytest.approx(float(income.sum()) * cohort.weight, rel=1e-9)
        if isinstance(cohort.utility, Linear):
            worth = cohort.utility.values[0] / prices
            assert np.all(worth[bundle > 1e-7 * bundle.max()] >= worth.max() * (1 - 1e-8))
            assert bundle.min() >= 0
    np.testing.assert_allclose(equilibrium_adjoints(of, balance), prices, rtol=1e-8)


def test_linear_fisher_market() -> None:
    buyers = [
        someone(Linear(np.array([v], dtype=float)), budget=b, goods=5) for v, b in zip(VALUES, BUDGETS, strict=True)
    ]
    of = economy(np.ones(5), *buyers)
    (found,) = find(of, rule(5), [np.full(5, 10.0)])
    np.testing.assert_allclose(found.prices, 109 / 59 * np.array([18, 10, 15, 4, 12]), rtol=1e-10)
    assert found.index == 1
    assert not found.stable
    check(of, found)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(2, 5))
def test_random_linear_exchange(seed: int, people: int, goods: int) -> None:
    stream = np.random.default_rng(seed)
    cohorts = [
        someone(Linear(stream.uniform(0.2, 2, (1, goods))), endowment=stream.uniform(0.1, 2, goods), goods=goods)
        for _ in range(people)
    ]
    of = economy(np.zeros(goods), *cohorts)
    found = find(of, rule(goods), [np.ones(goods)], many=5)
    assume(found)
    assert len(found) == 1
    check(of, found[0])


def test_linear_tastes_beside_others_and_a_firm() -> None:
    firm = Firm("mill", FormulaTechnology(parse("2*a^0.5")), (1,), (0,))
    tastes: list[Taste] = [Linear(np.array([[1.0, 2.0, 1.5]])), Homothetic(CobbDouglas(np.array([[1.0, 1.0, 2.0]])))]
    tastes += [Linear(np.array([[2.0, 1.0, 1.2]])), Linear(np.array([[1.0, 1.6, 1.7]]))]
    cohorts = [
        someone(taste, endowment=[2.0, 0.3 * i, 1.0], goods=3, firms=1) for i, taste in enumerate(tastes, start=1)
    ]
    of = economy(np.zeros(3), *cohorts, firms=(firm,))
    found = find(of, rule(3), [np.ones(3)])
    assert found
    for each in found:
        check(of, each)


def test_a_split_clears_where_the_even_one_does_not() -> None:
    """Two goods equally good to two buyers, in unequal supply: an even split leaves one of them short."""
    cohort = Consumers("h", Linear(np.array([[1.0, 1.0]])), np.zeros((1, 2)), np.array([2.0]), np.zeros((1, 0)), 2)
    of, prices = economy([3.0, 1.0], cohort), np.ones(2)
    assert set_valued(of)
    balance = of.balance(prices)
    np.testing.assert_allclose(balance.excess_demand, [-1, 1])
    edges = ties(of, prices, balance.incomes, 1e-9)
    split = clearing_split(prices, np.zeros(2), of.total_supply, edges, np.ones(2, dtype=bool))
    assert split is not None
    assert split.gap < 1e-12
    np.testing.assert_allclose(bought(of, prices, edges, split.spending), [[3, 1]])
    off = clearing_split(np.array([1.0, 1.01]), np.zeros(2), of.total_supply, edges, np.ones(2, dtype=bool))
    assert off is not None
    assert off.gap > 1e-3


@pytest.mark.parametrize("trade", ["at_equilibrium", pytest.param("every_tick", marks=pytest.mark.slow)])
def test_a_linear_market_with_a_decaying_step_clears_by_a_split(trade: str) -> None:
    goods = {f"g{good}": {"price": 20} for good in range(1, 6)}
    scenario = {
        "goods": goods,
        "supply": dict.fromkeys(goods, 1),
        "consumers": [
            {"name": f"buyer{b}", "budget": b, "utility": {"linear": dict(zip(goods, values, strict=True))}}
            for values, b in zip(VALUES, BUDGETS, strict=True)
        ],
        "scheduler": {"form": "additive", "rate": 0.3, "with": [{"decay": {"power": 1, "over": 500}}]},
        "trade": trade,
        "run": {"ticks": 4000, "tolerance": 1e-3, "record_every": 10},
    }
    run = simulate(scenario)
    assert run.summary["outcome"] == "cleared", run.summary["sentence"]
    assert "split" in run.summary["sentence"]
    assert run.summary["price_gap"] < 5e-3
    assert run.summary["gradient_path_gap"] < 1e-12
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]]
    if trade == "at_equilibrium":
        np.testing.assert_allclose(last["demand"], 1, atol=2e-2)
        np.testing.assert_allclose(last["bid"], last["price"], rtol=1e-2)
        bought = run.agents[run.agents["tick"] == run.summary["ticks"]].groupby("good")["quantity"].sum()
        np.testing.assert_allclose(bought, 1, atol=2e-2)


def linear_fisher(**changes: object) -> dict[str, object]:
    goods = {f"g{good}": {"price": 20} for good in range(1, 6)}
    buyers = [
        {"name": f"buyer{b}", "budget": b, "utility": {"linear": dict(zip(goods, values, strict=True))}}
        for values, b in zip(VALUES, BUDGETS, strict=True)
    ]
    return {
        "goods": goods,
        "supply": dict.fromkeys(goods, 1),
        "consumers": buyers,
        "trade": "at_equilibrium",
        **changes,
    }


def test_steps_per_unit_of_supply_have_no_pull_at_the_right_price() -> None:
    """With `max(d, s)` in its place each step pulls at most 1 up and 1 down whatever the shortage, and prices sink."""
    pieces = [{"decay": {"power": 1, "over": 200}}]
    for form, scale in (("multiplicative", []), ("additive", ["relative"])):
        scheduler = {"form": form, "rate": 0.1 if form == "multiplicative" else 1, "with": [*scale, *pieces]}
        run = simulate(linear_fisher(scheduler=scheduler, run={"ticks": 6000, "tolerance": 1e-3, "record_every": 10}))
        assert run.summary["outcome"] == "cleared", run.summary["sentence"]
        assert run.summary["price_gap"] < 5e-3
        potential = run.ticks["potential"].to_numpy()
        assert potential[-1] < potential[0]
        assert "gradient descent on the potential" in run.summary["sentence"]
        assert run.summary["gradient_path_gap"] < 1e-12
        assert run.ticks["cosine_to_gradient"].iloc[:-1].min() > 1 - 1e-9


def test_a_step_of_one_size_hovers_about_the_right_prices() -> None:
    run = simulate(linear_fisher(scheduler={"rate": 0.02}, run={"ticks": 3000, "record_every": 10}))
    potential = run.ticks["potential"].to_numpy()
    assert potential[-1] < potential[0]
    assert run.ticks["distance_to_equilibrium"].iloc[-50:].max() < 0.2


@pytest.mark.parametrize(
    ("scheduler", "place"),
    [
        ({}, "scheduler.form"),
        ({"rule": "adam", "rate": 0.1}, "scheduler.rule"),
        ({"form": "additive", "with": ["relative"]}, "scheduler.with"),
    ],
)
def test_steps_per_unit_of_a_supply_that_moves_are_refused_where_demand_jumps(
    scheduler: dict[str, object], place: str
) -> None:
    data = {
        "goods": ["ore", "b", "c"],
        "outside": {"ore": 1},
        "supply": {"c": 1},
        "firms": [{"name": "f", "makes": "b = sqrt(ore)"}],
        "consumers": [{"name": "v", "budget": 1, "utility": {"linear": {"b": 1, "c": 2}}}],
        "run": {"ticks": 3},
    }
    with pytest.raises(ScenarioError) as refused:
        load({**data, "scheduler": scheduler})
    (problem,) = refused.value.problems
    assert problem.path == place
    assert "a linear taste makes demand for b jump" in problem.message
    assert "expected form: additive" in problem.message
    load({**data, "scheduler": {"form": "additive"}})
    load({**data, "scheduler": {"rule": "jacobi_newton", "rate": 0.1}})
    # What firms make may be wanted smoothly, and what arrives linearly.
    load({**data, "consumers": [{"name": "v", "budget": 1, "utility": {"linear": {"c": 2}}}]})
    # At a price that is held nobody's step is measured.
    load({**data, "goods": {"ore": {}, "b": {"fixed_price": 1}, "c": {}}})


def test_consumers_with_one_linear_taste_descend_a_potential() -> None:
    market = {
        "goods": ["a", "b"],
        "numeraire": "b",
        "consumers": [
            {"name": "x", "count": 3, "utility": {"linear": {"a": 2, "b": 1}}, "endowment": {"a": 1, "b": 3}}
        ],
        "trade": "at_equilibrium",
        "scheduler": {"rate": 0.3, "with": [{"decay": 0.6}]},
        "run": {"ticks": 300, "tolerance": 1e-3},
    }
    run = simulate(market)
    assert run.summary["reference"] == "potential"
    assert run.summary["gradient_path_gap"] < 1e-12
    assert run.trajectory["price"].iloc[-2] == pytest.approx(2, rel=1e-3)
