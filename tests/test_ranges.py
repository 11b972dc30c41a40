"""Numbers out of range, inputs of 0, singular slopes: what only describes a market never ends a run, or warns."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.house import (
    CES,
    CobbDouglas,
    Homothetic,
    Leontief,
    Linear,
    Nest,
    Quadratic,
    QuasiLinear,
    StoneGeary,
    Unknowns,
    find,
    load,
    search_equilibria,
    simulate,
)

ROWS = np.array([[1.0, 2.0], [3.0, 0.5], [0.7, 1.5]])
ELASTICITIES = np.array([0.5, 1.7, 3.0])
OWNED = {"x": 10, "y": 1}
COMPLEMENTS = {"ces": {"elasticity": 0.5, "shares": {"a": 2, "b": 1}}}
TWO: dict[str, Any] = {
    "goods": ["a", "b"],
    "supply": {"a": 3, "b": 1},
    "consumers": [{"name": "town", "budget": 1, "utility": COMPLEMENTS}],
    "run": {"ticks": 20},
}
ENOUGH = {"quasilinear": {"quadratic": {"intercept": {"power": 60}, "slope": {"power": 1}}}}
FREE_GOODS: dict[str, dict[str, Any]] = {
    "weeds": {
        "goods": ["weeds", "y"],
        "consumers": [
            {"name": "ann", "utility": {"cobb_douglas": {"y": 1}}, "endowment": {"weeds": 10, "y": 1}},
            {"name": "ben", "utility": {"cobb_douglas": {"y": 1}}, "endowment": {"y": 4}},
        ],
    },
    "left shoes": {
        "goods": ["left", "right"],
        "consumers": [
            {"name": "ann", "utility": {"leontief": {"left": 1, "right": 1}}, "endowment": {"left": 10}},
            {"name": "ben", "utility": {"leontief": {"left": 1, "right": 1}}, "endowment": {"right": 4}},
        ],
        "trade": "at_equilibrium",
    },
    "curtailed power": {
        "goods": ["power"],
        "supply": {"power": 100},
        "consumers": [{"name": "town", "utility": ENOUGH}],
    },
}
IDLE: dict[str, Any] = {
    "goods": ["q", "r", "money"],
    "outside": {"money": 1},
    "supply": {"r": 3},
    "firms": [{"name": "maker", "makes": "q = sqrt(144 + 2*money) - 12"}],
    "consumers": [
        {
            "name": "buyer",
            "utility": {"quasilinear": {"quadratic": {"intercept": {"q": 10, "r": 10}, "slope": {"q": 1, "r": 1}}}},
        }
    ],
}
OUT_OF_RANGE: dict[str, dict[str, Any]] = {
    "rate": TWO | {"scheduler": {"form": "multiplicative", "rate": 1e10}},
    "adam": TWO | {"scheduler": {"rate": 8, "with": ["adam"]}},
    "supply": TWO | {"supply": {"a": 1e308, "b": 1}},
    "price": TWO | {"initial_prices": {"a": 1e300}},
    "nothing traded": IDLE,
    "nothing traded at a high price": IDLE | {"initial_prices": {"q": 30}},
    "unused inputs": {
        "goods": ["a", "b", "c", "d"],
        "supply": {"a": 1},
        "firms": [{"name": "f", "makes": "d = a^0.2*b^0.2*c^0.2"}],
        "run": {"ticks": 20},
    },
    "no smelter": {
        "goods": ["ore", "steel", "blueprint", "cars"],
        "supply": {"ore": 9},
        "firms": [
            {"name": "carmaker", "count": 2, "makes": "cars = steel^0.4*blueprint^0.2"},
            {"name": "studio", "makes": "blueprint = 2*ore^0.3"},
        ],
        "run": {"ticks": 12},
    },
    "returns near 1": {
        "goods": ["g", "h"],
        "firms": [
            {
                "name": "f",
                "technology": {"ces": {"output": "h", "returns_to_scale": 0.999, "elasticity": 4, "inputs": {"g": 5}}},
                "behaviour": {"marginal_adjustment": {"rate": 0.05}},
            }
        ],
        "trade": "at_equilibrium",
        "run": {"ticks": 1},
    },
    "hardly any substitution": {
        "goods": ["x", "y"],
        "numeraire": "y",
        "consumers": [
            {"name": name, "endowment": owned, "utility": {"ces": {"elasticity": 0.001, "shares": {"x": 1, "y": y}}}}
            for name, y, owned in (("ann", 1, OWNED), ("ben", 3, {"x": 1, "y": 12}))
        ],
        "trade": "at_equilibrium",
        "run": {"ticks": 600},
    },
    "an owner of nothing": {
        "goods": ["a", "b"],
        "outside": {"b": 1},
        "supply": {"a": 1},
        "firms": [{"name": "f", "makes": "a = 1 - exp(-b) - 0.1"}],
        "consumers": [
            {"name": "p", "utility": {"linear": {"a": 1, "b": 2}}, "owns": {"f": 0.3}},
            {"name": "q", "budget": 1, "utility": {"cobb_douglas": {"a": 1, "b": 1}}, "owns": {"f": "equal"}},
        ],
        "scheduler": {"form": "additive"},
        "run": {"ticks": 5},
    },
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_a_run_out_of_range_ends_in_a_sentence_without_a_warning(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert simulate(load(OUT_OF_RANGE[name])).summary["sentence"]


@pytest.mark.parametrize("numeraire", [False, True])
@pytest.mark.parametrize("name", FREE_GOODS)
def test_a_market_at_rest_beside_a_free_good_is_cleared(name: str, numeraire: bool) -> None:
    data = FREE_GOODS[name]
    held = {"numeraire": data["goods"][-1]} if numeraire and len(data["goods"]) > 1 else {}
    run = simulate({**data, **held})
    assert run.summary["outcome"] == "cleared"
    last = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()]
    assert last["price"].iloc[0] <= 1e-6


def test_the_price_level_is_no_direction_whatever_rounding_makes_of_it() -> None:
    economy = load({**FREE_GOODS["weeds"], "goods": ["y", "weeds"]}).economy
    balance = economy.balance(np.array([3.0, 1e-12]))
    noisy = economy.jacobian(balance) + 1e-7
    active = np.array([True, False])
    nobody, weeds = np.array([False, False]), np.array([False, True])
    free, held = (Unknowns(economy, fixed, np.full(2, 1e-12)) for fixed in (nobody, weeds))
    assert free.displacement(balance, active, noisy).tolist() == [0.0, 0.0]
    assert abs(held.displacement(balance, active, noisy)[0]) > 1e-6


def test_a_floor_that_is_a_fact_is_no_free_good() -> None:
    data = {**FREE_GOODS["curtailed power"], "goods": {"power": {"floor": 0.5}}}
    assert simulate(data).summary["outcome"] == "settled_off_equilibrium"


MANY_GOODS = [f"g{good}" for good in range(300)]
SLOW = {
    "goods": MANY_GOODS,
    "consumers": [
        {
            "name": name,
            "utility": {"ces": {"elasticity": 0.5, "shares": {g: 1 + (n * k) % 7 for n, g in enumerate(MANY_GOODS)}}},
            "endowment": {g: 1 + (n * k) % 5 for n, g in enumerate(MANY_GOODS)},
        }
        for name, k in (("ann", 3), ("ben", 4))
    ],
    "run": {"diagnostics": 0},
}


@pytest.mark.slow
def test_a_search_that_takes_too_long_is_given_up_and_says_so() -> None:
    scenario = load(SLOW)
    assert search_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices]).given_up
    assert "The search for equilibria was ended early" in simulate(scenario, ticks=2).summary["sentence"]
    small = load(TWO)
    assert not search_equilibria(small.economy, small.rule, [small.initial_prices]).given_up


def test_a_hundred_linear_consumers_with_money_for_their_own_goods_soon_have_no_equilibrium() -> None:
    linear = {"a": 5, "b": 2, "c": {"uniform": [1, 2]}}
    people = {"name": "p", "count": 100, "budget": 1, "utility": {"linear": linear}}
    data = {"goods": ["a", "b", "c"], "consumers": [people | {"endowment": {"a": 1, "b": 3, "c": 3}}]}
    scenario = load(data)
    found = search_equilibria(scenario.economy, scenario.rule, [scenario.initial_prices])
    assert (found.equilibria, found.given_up) == ([], False)


def test_many_linear_consumers_with_one_good_are_no_unknowns() -> None:
    """Dense equations in the spending of all of them took gigabytes."""
    scenario = load(
        {
            "goods": ["a", "b"],
            "consumers": [
                {
                    "name": "c",
                    "count": 3000,
                    "utility": {"linear": {"b": 1}},
                    "endowment": {"a": 1, "b": {"uniform": [1, 2]}},
                },
                {"name": "d", "utility": {"cobb_douglas": {"a": 1, "b": 1}}, "endowment": {"a": 1, "b": 1}},
            ],
        }
    )
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    assert found.residual < 1e-9


TASTES = {
    "cobb_douglas": Homothetic(CobbDouglas(ROWS)),
    "ces": Homothetic(CES(ELASTICITIES, ROWS)),
    "leontief": Homothetic(Leontief(ROWS)),
    "nest": Homothetic(Nest.of_shares(2, (0, Nest.of_shares(2, (1,), ELASTICITIES, ROWS[:, :1])), ELASTICITIES, ROWS)),
    "linear": Linear(ROWS),
    "log": QuasiLinear(ROWS),
    "power": QuasiLinear(ROWS, ELASTICITIES),
    "quadratic": Quadratic(ROWS + 2.0, ROWS),
    "stone_geary": StoneGeary(CES(ELASTICITIES, ROWS), 0.1 * ROWS),
}
ASKED = {
    "demand": lambda taste, prices, income: taste.demand(prices, income),
    "dual_demand": lambda taste, prices, income: taste.dual_demand(prices, income),
    "total_demand": lambda taste, prices, income: taste.total_demand(prices, income),
    "spending": lambda taste, prices, income: taste.spending(prices, income) + 0.0 * income,
    "surplus": lambda taste, prices, income: taste.surplus(prices, income) + 0.0 * income,
    "jacobian": lambda taste, prices, income: taste.jacobian(prices, income, np.ones((3, 2))),
    "value_shares": lambda taste, prices, income: taste.value_shares(taste.demand(prices, income), prices),
    "worth": lambda taste, prices, income: taste.worth(taste.demand(prices, income), prices, income),
    "utility": lambda taste, prices, income: taste.utility(taste.demand(prices, income), income),
}


def arrays_of(taste: Any) -> list[tuple[str, ...]]:
    """The parameters of a taste that have a row each, by the names that lead to them; of a form or a level too."""
    names: list[tuple[str, ...]] = []
    for field in taste.__dataclass_fields__.values():
        value = getattr(taste, field.name)
        if field.init and isinstance(value, np.ndarray) and len(value) > 1:
            names.append((field.name,))
        elif field.init and hasattr(value, "__dataclass_fields__"):
            names += [(field.name, *more) for more in arrays_of(value)]
    return names


def with_rows(taste: Any, name: tuple[str, ...], rows: Any) -> Any:
    value = getattr(taste, name[0])
    return replace(taste, **{name[0]: rows(value) if len(name) == 1 else with_rows(value, name[1:], rows)})


@pytest.mark.parametrize("income", [np.array([2.0, 0.5, 1.0]), np.array([30.0, 40.0, 50.0])], ids=["poor", "rich"])
@pytest.mark.parametrize("kind", TASTES)
def test_whatever_is_drawn_and_whatever_is_not(kind: str, income: np.ndarray) -> None:
    """A parameter with one row for all says the same as three equal rows, in every combination."""
    names, prices = arrays_of(TASTES[kind]), np.array([1.0, 1.7])
    assert names
    for alike in itertools.product([False, True], repeat=len(names)):
        one = many = TASTES[kind]
        for name, same in zip(names, alike, strict=True):
            if same:
                one = with_rows(one, name, lambda values: values[:1])
                many = with_rows(many, name, lambda values: np.repeat(values[:1], len(values), axis=0))
        for asked, ask in ASKED.items():
            np.testing.assert_allclose(ask(one, prices, income), ask(many, prices, income), rtol=1e-13, err_msg=asked)
