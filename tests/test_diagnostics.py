"""In what way a market is out of equilibrium: rotation index, cosine home, dominant mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import load, simulate
from tests.house import Array, Diagnosis, Markets, Scenario, diagnose, diagnostics, find

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
COLUMNS = ["rotation_index", "cosine_home", "dominant_mode"]


def picture(scenario: Scenario, prices: Array) -> Diagnosis:
    """The linear picture at some prices, which speaks of some goods."""
    economy = scenario.economy
    balance = economy.balance(prices)
    made = economy.user_prices.profit_slopes(prices, balance.outputs, balance.inputs).sum(axis=0)
    known = (balance.prices, balance.demand, balance.supply, made, economy.jacobian(balance))
    ((ticks, found),) = diagnose(economy, scenario.rule, Markets(*(each[None] for each in known)))
    assert ticks.tolist() == [0]
    level = None if found.level is None else found.level[0]
    return Diagnosis(found.active, found.worth[0], found.matrix[0], found.imbalance[0], level)


def at_equilibrium(source: Any) -> Diagnosis:
    scenario = load(source)
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    return picture(scenario, found.prices)


def at_start(source: Any) -> Diagnosis:
    scenario = load(source)
    return picture(scenario, scenario.initial_prices)


def scarf(elasticity: float, **more: Any) -> dict[str, Any]:
    """Scarf's economy where each consumer substitutes between the two goods it wants."""

    def consumer(name: str, own: str, other: str) -> dict[str, Any]:
        taste = {"ces": {"elasticity": elasticity, "shares": {own: 1, other: 1}}}
        return {"name": name, "utility": taste, "endowment": {own: 1}}

    consumers = [consumer("first", "x", "y"), consumer("second", "y", "z"), consumer("third", "z", "x")]
    return {"name": "ces_scarf", "goods": ["x", "y", "z"], "consumers": consumers, **more}


def exchange(units: tuple[float, float, float] = (1.0, 1.0, 1.0), **more: Any) -> dict[str, Any]:
    """Two people with Cobb-Douglas tastes, whose goods are counted in other units."""
    goods = ["a", "b", "c"]

    def amounts(*values: float) -> dict[str, float]:
        return {good: value * unit for good, value, unit in zip(goods, values, units, strict=True)}

    def taste(*shares: float) -> dict[str, Any]:
        return {"cobb_douglas": dict(zip(goods, shares, strict=True))}

    return {
        "name": "exchange",
        "goods": goods,
        "initial_prices": {good: price / unit for good, price, unit in zip(goods, (2, 1, 0.7), units, strict=True)},
        "consumers": [
            {"name": "one", "utility": taste(0.6, 0.3, 0.1), "endowment": amounts(1, 0.1, 2)},
            {"name": "two", "utility": taste(0.1, 0.2, 0.7), "endowment": amounts(2, 3, 0.1)},
        ],
        **more,
    }


def one_good(form: str) -> dict[str, Any]:
    return {
        "name": "one",
        "goods": {"bread": {"price": 3}},
        "supply": {"bread": 2},
        "consumers": [{"name": "eater", "utility": {"quasilinear": {"log": {"bread": 1}}}}],
        "scheduler": {"form": form, "rate": 0.1},
        "run": {"diagnostics": 1},
    }


@pytest.mark.parametrize("name", ["fisher", "energy", "crusoe", "village", "near_substitutes", "tupperware"])
def test_where_there_is_a_potential_nothing_turns(name: str) -> None:
    assert at_equilibrium(SCENARIOS / f"{name}.yaml").rotation_index < 1e-10
    assert at_start(SCENARIOS / f"{name}.yaml").rotation_index < 1e-10


def test_alike_consumers_do_not_turn_though_they_own_different_things() -> None:
    data = exchange()
    for consumer in data["consumers"]:
        consumer["utility"] = {"ces": {"elasticity": 0.4, "shares": {"a": 1, "b": 2, "c": 3}}}
    assert at_equilibrium(data).rotation_index < 1e-10
    # The field divided by wealth is a gradient on the way too; excess demand itself is not.
    assert at_start(data).rotation_index < 1e-10


def test_scarf_is_a_pure_rotation() -> None:
    assert at_equilibrium(SCENARIOS / "scarf.yaml").rotation_index == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("elasticity", [0.1, 0.5, 1.0, 2.5])
def test_substitution_brakes_scarf(elasticity: float) -> None:
    expected = 1.0 / np.sqrt(1.0 + 3.0 * elasticity**2)
    assert at_equilibrium(scarf(elasticity)).rotation_index == pytest.approx(expected, abs=1e-10)
    assert at_equilibrium(scarf(elasticity, numeraire="y")).rotation_index == pytest.approx(expected, abs=1e-10)


@given(st.tuples(*(st.sampled_from([0.01, 0.1, 1.0, 10.0, 1000.0]) for _ in range(3))))
def test_units_of_goods_do_not_matter(units: tuple[float, float, float]) -> None:
    plain, scaled = at_start(exchange()), at_start(exchange(units))
    assert scaled.rotation_index == pytest.approx(plain.rotation_index, abs=1e-10)
    assert scaled.dominant_mode[1] == pytest.approx(plain.dominant_mode[1], abs=1e-10)
    motion = np.array([0.1, -0.2, 0.05])
    assert scaled.cosine_home(motion) == pytest.approx(plain.cosine_home(motion), abs=1e-10)


@pytest.mark.parametrize("good", ["a", "b", "c"])
def test_which_good_is_the_numeraire_does_not_matter(good: str) -> None:
    prices = {"a": 2.0, "b": 1.0, "c": 0.7}
    counted = {name: price / prices[good] for name, price in prices.items()}
    free, fixed = at_start(exchange()), at_start(exchange(numeraire=good, initial_prices=counted))
    motion = np.array([0.1, -0.2, 0.05])
    assert fixed.rotation_index == pytest.approx(free.rotation_index, abs=1e-12)
    assert fixed.cosine_home(motion + 3.0) == pytest.approx(free.cosine_home(motion), abs=1e-9)


def test_the_matrix_is_the_derivative_of_the_field() -> None:
    scenario = load(exchange())
    economy, prices = scenario.economy, scenario.initial_prices
    scale = economy.balance(prices).scale

    def field(prices: np.ndarray) -> np.ndarray:
        wealth = float(prices @ economy.total_supply) / float(scenario.initial_prices @ economy.total_supply)
        return economy.balance(prices).excess_demand / wealth

    step = 1e-5 * np.diag(prices)
    slope = np.array([(field(prices + e) - field(prices - e)) / (2 * e.sum()) for e in step]).T
    weight, level = np.sqrt(prices / scale), np.sqrt(prices * scale)
    project = np.eye(3) - np.outer(level, level) / (level @ level)
    expected = project @ (weight[:, None] * slope * weight) @ project
    assert np.allclose(at_start(exchange()).matrix, expected, atol=1e-8)


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_one_good_always_goes_home(form: str) -> None:
    ticks = simulate(one_good(form)).ticks
    assert np.allclose(ticks["cosine_home"], 1.0, atol=1e-12)
    assert np.allclose(ticks["rotation_index"], 0.0)
    assert np.allclose(ticks["dominant_mode"].dropna(), 1.0)


def test_a_mode_is_the_part_of_the_imbalance_that_is_largest() -> None:
    diagnosis = at_start(SCENARIOS / "fisher.yaml")
    mode, share = diagnosis.dominant_mode
    direct = (mode[diagnosis.active] @ diagnosis.imbalance) ** 2 / (diagnosis.imbalance @ diagnosis.imbalance)
    assert share == pytest.approx(direct)
    assert 1 / 3 <= share <= 1
    symmetric = (diagnosis.matrix + diagnosis.matrix.T) / 2
    value = mode @ symmetric @ mode
    assert np.allclose(symmetric @ mode, value * mode, atol=1e-9)


def test_modes_that_coincide_are_one() -> None:
    """Goods that are alike in all: any combination is a mode, and all imbalance is in it."""
    data = {
        "name": "alike",
        "goods": ["a", "b"],
        "supply": {"a": 1, "b": 1},
        "consumers": [{"name": "buyer", "budget": 2, "utility": {"cobb_douglas": {"a": 0.5, "b": 0.5}}}],
    }
    scenario = load(data)
    prices = np.array([0.5, 0.5])
    assert picture(scenario, prices).dominant_mode[1] == pytest.approx(1.0)


@given(st.integers(0, 999), st.booleans(), st.integers(0, 2))
def test_the_way_home_is_that_of_the_pseudo_inverse(seed: int, relative: bool, flat: int) -> None:
    """Also where `K` is singular beyond the level, and in ticks beside such a one."""
    stream, size = np.random.default_rng(seed), 4
    level = np.abs(stream.normal(size=(3, size))) if relative else None
    matrix, imbalance = stream.normal(size=(3, size, size)), stream.normal(size=(3, size))
    if flat:
        # All zeros have no inverse, a column that repeats another one has none but for rounding.
        matrix[1] = 0.0 if flat == 1 else np.repeat(matrix[1][:, :2], 2, axis=1)
    if level is not None:
        level /= np.linalg.norm(level, axis=1, keepdims=True)
        across = np.eye(size) - level[:, :, None] * level[:, None, :]
        matrix, imbalance = across @ matrix @ across, np.einsum("tij,tj->ti", across, imbalance)
    found = Diagnosis(np.ones(size, dtype=bool), np.ones((3, size)), matrix, imbalance, level).home
    expected = -np.einsum("tij,tj->ti", np.linalg.pinv(matrix, rcond=1e-13), imbalance)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())


def test_every_so_many_ticks_and_empty_elsewhere() -> None:
    data = exchange(run={"ticks": 25, "diagnostics": 10})
    told = simulate(data).ticks[COLUMNS].notna().all(axis=1)
    assert list(np.flatnonzero(told)) == [0, 10, 20]
    assert simulate({**data, "run": {"ticks": 25}}).ticks[COLUMNS].notna().all(axis=None)
    assert simulate({**data, "run": {"ticks": 25, "diagnostics": 0}}).ticks[COLUMNS].isna().all(axis=None)
    assert simulate(data, references=False).ticks[COLUMNS].isna().all(axis=None)


def test_off_changes_no_other_column() -> None:
    on, off = (simulate(exchange(run={"ticks": 25, "diagnostics": every})) for every in (3, 0))
    pd.testing.assert_frame_equal(on.trajectory, off.trajectory)
    pd.testing.assert_frame_equal(on.ticks.drop(columns=COLUMNS), off.ticks.drop(columns=COLUMNS))


@pytest.mark.parametrize(
    ("name", "ticks"),
    [("crusoe", 30), ("tupperware", 30), ("blueprint_saddle", 30), ("scarf_traded", 30), ("shared_intermediate", 30)],
)
def test_firms_outside_prices_users_and_accounts(name: str, ticks: int) -> None:
    scenario = load(SCENARIOS / f"{name}.yaml", settings={"run.ticks": ticks, "run.diagnostics": 5})
    found = simulate(scenario).ticks
    looked = found[found["tick"] % 5 == 0]
    assert looked["rotation_index"].between(0, 1).all()
    assert looked["cosine_home"].between(-1, 1).all()
    assert looked["dominant_mode"].dropna().between(0, 1).all()


def test_nothing_is_said_where_demand_jumps_or_nobody_plans() -> None:
    for name in ("perfect_substitutes", "dot_product"):
        scenario = load(SCENARIOS / f"{name}.yaml", settings={"run.diagnostics": 1})
        assert simulate(scenario).ticks[COLUMNS].isna().all(axis=None)


def test_the_summary_names_the_goods_most_out_of_balance() -> None:
    scenario = load(exchange(run={"ticks": 7}))
    said = simulate(scenario).summary["dominant_mode"]
    last = simulate(scenario).trajectory.query("tick == 7")
    found = picture(scenario, last["price"].to_numpy())
    np.testing.assert_allclose([said[good] for good in scenario.economy.goods], found.dominant_mode[0], rtol=1e-6)
    assert simulate(exchange(run={"ticks": 7, "diagnostics": 0})).summary["dominant_mode"] is None
    assert simulate(exchange(run={"ticks": 7, "diagnostics": 7})).summary["dominant_mode"] == pytest.approx(said)
    assert simulate(exchange(run={"ticks": 7, "diagnostics": 5})).summary["dominant_mode"] is None


def test_the_figure_is_drawn_where_something_was_looked_at() -> None:
    assert diagnostics(simulate(exchange(run={"ticks": 25, "diagnostics": 0}))) is None
    assert diagnostics(simulate(exchange(run={"ticks": 25, "diagnostics": 10}))) is not None
