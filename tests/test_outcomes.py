"""How runs end: every verdict where it belongs, and none where it does not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.dynamics.model import MarketModel
from simulator.dynamics.outcomes import PriceHistory, find_cycle
from simulator.run import Run, simulate
from simulator.scenario import load

SCARF: dict[str, Any] = {
    "goods": ["x", "y", "z"],
    "consumers": [
        {"name": "1", "utility": {"leontief": {"x": 1, "y": 1}}, "endowment": {"x": 1}},
        {"name": "2", "utility": {"leontief": {"y": 1, "z": 1}}, "endowment": {"y": 1}},
        {"name": "3", "utility": {"leontief": {"z": 1, "x": 1}}, "endowment": {"z": 1}},
    ],
    "initial_prices": {"x": 1.2, "y": 1.0, "z": 0.85},
    "trade": "at_equilibrium",
    "scheduler": {"form": "additive", "rate": 0.01},
    "run": {"ticks": 5000, "tolerance": 1e-9},
}
STATICS: dict[str, Any] = {
    "goods": ["g1", "g2"],
    "numeraire": "g2",
    "consumers": [
        {"name": "a", "utility": {"cobb_douglas": {"g1": 0.3, "g2": 0.7}}, "endowment": {"g1": 1, "g2": 2}},
        {"name": "b", "utility": {"cobb_douglas": {"g1": 0.6, "g2": 0.4}}, "endowment": {"g1": 2, "g2": 1}},
    ],
    "trade": "at_equilibrium",
    "run": {"ticks": 2000},
}
BUYER: dict[str, Any] = {"name": "a", "utility": {"cobb_douglas": {"x": 1, "y": 1}}, "budget": 2}
RUNAWAY: dict[str, Any] = {
    "goods": ["x", "y"],
    "numeraire": "x",
    "consumers": [
        {"name": "a", "utility": {"cobb_douglas": {"x": 1}}, "endowment": {"x": 1}},
        {"name": "b", "utility": {"ces": {"elasticity": 2, "shares": {"x": 1, "y": 1}}}, "endowment": {"y": 1}},
    ],
    "trade": "at_equilibrium",
    "run": {"ticks": 4000, "references": "off"},
}


def outcome(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return simulate({**data, **changes}).summary


def step_of(run: Run, good: str) -> np.ndarray:
    return run.trajectory.loc[run.trajectory["good"] == good, "price"].to_numpy()


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_cleared_means_that_prices_are_there_too(tolerance: float, trade: str) -> None:
    run = simulate({**STATICS, "trade": trade, "run": {"ticks": 5000, "tolerance": tolerance}})
    assert run.summary["outcome"] == "cleared"
    last = run.ticks.iloc[-1]
    assert last["max_relative_excess_demand"] <= tolerance
    assert abs(math.log(step_of(run, "g1")[-1] / 0.8)) <= 1.01 * tolerance
    goods = run.trajectory[run.trajectory["tick"] == last["tick"]]
    assert np.all(goods["traded"] > 0)
    early = run.ticks["max_relative_excess_demand"].iloc[-3]
    assert early > 0.1 * tolerance


def test_flat_demand_does_not_clear_before_prices_are_home() -> None:
    """Demand that hardly reacts to prices: the residual is small long before the price is right."""
    flat = {
        "goods": {"left": {"price": 1.5}, "right": None},
        "numeraire": "right",
        "consumers": [
            {"name": name, "utility": {"ces": {"elasticity": 0.01, "shares": shares}}, "endowment": endowment}
            for name, shares, endowment in (
                ("a", {"left": 0.3, "right": 0.7}, {"left": 1, "right": 2}),
                ("b", {"left": 0.302, "right": 0.698}, {"left": 1, "right": 2.6}),
            )
        ],
        "trade": "at_equilibrium",
        "scheduler": {"rate": 0.5},
        "run": {"ticks": 1500, "tolerance": 1e-2},
    }
    run = simulate(flat)
    assert run.ticks["max_relative_excess_demand"].iloc[0] < 0.5e-2
    assert run.ticks["distance_to_equilibrium"].iloc[0] > 1
    assert run.summary["outcome"] == "cleared"
    assert run.summary["ticks"] > 1000
    assert run.summary["price_gap"] <= 1.1e-2


def test_a_cleared_run_has_traded_what_was_planned() -> None:
    """Prices may start at rest while an empty chain still fills: it is not over before goods have arrived."""
    chain = {
        "goods": ["gas", "ethylene", "bags"],
        "outside": {"bags": 1},
        "supply": {"gas": 4},
        "firms": [{"name": "A", "makes": "ethylene = sqrt(gas)"}, {"name": "B", "makes": "bags = sqrt(ethylene)"}],
        "initial_prices": {"gas": 4**-0.75 / 4, "ethylene": 0.5 / math.sqrt(2)},
        "start": "empty",
    }
    run = simulate(chain)
    assert run.ticks["max_relative_excess_demand"].iloc[0] < 1e-12
    assert run.summary["outcome"] == "cleared"
    assert run.summary["ticks"] > 0
    assert run.trajectory["traded"].to_numpy()[-2] == pytest.approx(2.0, rel=1e-3)
    assert outcome({**chain, "start": "stocked"})["ticks"] == 0


@pytest.mark.parametrize("rate", [0.003, 0.01, 0.05])
def test_scarf_s_sum_of_squares_grows_by_the_squared_step(rate: float) -> None:
    scenario = load({**SCARF, "scheduler": {"form": "additive", "rate": rate}})
    market = MarketModel(scenario.economy, scenario.rule, scenario.trade, scenario.initial_prices)
    for _ in range(500):
        market.step()
        here, there, z = market.prices, np.asarray(market.now.next_prices), market.demand - market.supply
        assert there @ there - here @ here == pytest.approx(rate**2 * (z @ z), rel=1e-7, abs=2e-15)


@pytest.mark.parametrize("rate", [0.01, 0.02])
def test_scarf_cycles_with_its_period(rate: float) -> None:
    start = {"x": 1.05, "y": 1.0, "z": 0.96}
    summary = outcome(SCARF, initial_prices=start, scheduler={"form": "additive", "rate": rate})
    assert summary["outcome"] == "cycled"
    assert summary["period"] == pytest.approx(8 * math.pi / math.sqrt(3) / rate, rel=0.02)
    assert 0.03 < summary["amplitude"] < 0.12


def test_scarf_at_rest_stays_and_near_rest_does_not_clear_by_accident() -> None:
    at_rest = outcome(SCARF, initial_prices={"x": 1, "y": 1, "z": 1})
    assert (at_rest["outcome"], at_rest["ticks"]) == ("cleared", 0)
    loose = outcome(SCARF, run={"ticks": 5000, "tolerance": 1e-4})
    assert loose["outcome"] == "cycled"


def test_a_single_market_that_clears_on_the_way_round_does_not_end_the_run() -> None:
    """In two of every turn's ticks one market clears; the largest residual never vanishes."""
    run = simulate({**SCARF, "run": {"ticks": 3000, "references": "off"}})
    excess = run.trajectory.pivot(index="tick", columns="good", values="excess_demand").to_numpy()
    assert np.abs(excess).min() < 1e-3
    assert np.abs(excess).max(axis=1).min() > 1e-2


def test_an_exact_two_cycle() -> None:
    """Above the threshold the two prices are the roots of `x^2 - s D x + s N/2`: 0.6 and 1.2 at `s = 1.2`."""
    run = simulate({**STATICS, "scheduler": {"form": "additive", "rate": 1.2}})
    assert run.summary["outcome"] == "cycled"
    assert run.summary["period"] == pytest.approx(2.0)
    assert run.summary["amplitude"] == pytest.approx((1.2 - 0.6) / (1.2 + 0.6), rel=1e-6)
    np.testing.assert_allclose(sorted(step_of(run, "g1")[-2:]), [0.6, 1.2], atol=1e-9)


@pytest.mark.parametrize(("rate", "expected"), [(1.0, "cleared"), (1.06, "cleared"), (1.09, "cycled")])
def test_either_side_of_the_threshold(rate: float, expected: str) -> None:
    summary = outcome(STATICS, scheduler={"form": "additive", "rate": rate}, run={"ticks": 8000, "references": "off"})
    assert summary["outcome"] == expected


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_a_good_that_is_wanted_and_not_supplied_runs_to_infinity(form: str) -> None:
    data = {"goods": ["x", "unicorn"], "supply": {"x": 1}}
    data["consumers"] = [{**BUYER, "utility": {"cobb_douglas": {"x": 1, "unicorn": 1}}}]
    data["scheduler"] = {"form": form, "rate": 0.5}
    summary = outcome(data)
    if form == "multiplicative":
        assert summary["outcome"] == "diverged"
        assert "the price of unicorn runs to infinity" in summary["sentence"]
    else:
        assert summary["outcome"] == "out_of_ticks"


def test_a_price_that_overflows_in_one_step() -> None:
    data = {"goods": {"x": {"price": 1e-6}}, "supply": {"x": 1}, "consumers": [{**BUYER, "budget": 1}]}
    data["consumers"][0]["utility"] = {"cobb_douglas": {"x": 1}}
    summary = outcome({**data, "scheduler": {"form": "additive", "rate": 1e300}})
    assert summary["outcome"] == "diverged"
    assert "x" in summary["sentence"]


def test_a_supply_without_bound_has_no_plan() -> None:
    """A firm whose input is free makes without end."""
    data = {
        "goods": {"air": {"price": 0, "floor": 0}, "balloon": None},
        "supply": {"air": 1},
        "firms": [{"name": "blower", "makes": "balloon = sqrt(air)"}],
        "consumers": [{"name": "a", "utility": {"cobb_douglas": {"balloon": 1}}, "budget": 1}],
        "scheduler": {"form": "additive", "rate": 0.1},
    }
    summary = outcome(data)
    assert summary["outcome"] == "diverged"
    assert summary["ticks"] == 0
    assert "unlimited" in summary["sentence"]
    assert "balloon" in summary["sentence"]


@pytest.mark.parametrize(
    "scheduler", [{"form": "multiplicative", "rate": 0.5}, {"form": "additive", "rate": 0.1}], ids=lambda s: s["form"]
)
def test_a_residual_that_shrinks_because_a_price_runs_away_is_not_clearing(scheduler: dict[str, Any]) -> None:
    """At any price of y its owner buys some x, which nobody sells; free, y would be wanted without end."""
    run = simulate({**RUNAWAY, "scheduler": scheduler})
    assert run.ticks["max_relative_excess_demand"].iloc[-1] <= 1e-6
    assert run.summary["outcome"] == "diverged"
    assert np.all(np.diff(step_of(run, "y")) <= 0)


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_a_good_that_nobody_wants_becomes_free_and_that_is_clearing(form: str) -> None:
    data = {"goods": ["x", "y", "weeds"], "supply": {"x": 1, "y": 2, "weeds": 3}, "consumers": [BUYER]}
    summary = outcome(data, scheduler={"form": form, "rate": 0.1}, run={"ticks": 3000, "tolerance": 1e-9})
    assert summary["outcome"] == "cleared"


def test_prices_that_stand_still_off_equilibrium_have_settled() -> None:
    data = {"goods": {"x": None, "y": {"floor": 3}}, "supply": {"x": 1, "y": 2}, "consumers": [BUYER]}
    summary = outcome(data, scheduler={"form": "multiplicative", "rate": 0.2})
    assert summary["outcome"] == "settled_off_equilibrium"
    assert "stand still" in summary["sentence"]


def test_a_run_that_is_cut_short_says_so() -> None:
    summary = outcome(STATICS, scheduler={"form": "additive", "rate": 0.001}, run={"ticks": 50})
    assert (summary["outcome"], summary["ticks"]) == ("out_of_ticks", 50)


@pytest.mark.parametrize(("data", "expected"), [(STATICS, "cleared"), (SCARF, "cycled")], ids=["cleared", "cycled"])
def test_stop_never_goes_on_to_the_last_tick_and_says_the_same(data: dict[str, Any], expected: str) -> None:
    summary = outcome(data, run={"ticks": 5500, "stop": "never", "references": "off"})
    assert (summary["outcome"], summary["ticks"]) == (expected, 5500)


def orbit(turns: float, period: float, growth: float, noise: float = 0.0, size: float = 0.3) -> np.ndarray:
    """Log prices on a spiral that grows by the factor `growth` a turn."""
    ticks = np.arange(int(turns * period) + 1)
    radius = size * growth ** (ticks / period)
    angle = 2 * np.pi * ticks / period
    path = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], axis=1)
    return path + noise * np.random.default_rng(0).normal(size=path.shape)


@pytest.mark.parametrize("period", [20.3, 40.0, 333.7])
@pytest.mark.parametrize(("growth", "cycles"), [(1.0, True), (1.03, True), (0.97, True), (1.1, False), (0.9, False)])
def test_a_cycle_keeps_its_size_to_five_per_cent_a_turn(period: float, growth: float, cycles: bool) -> None:
    found = find_cycle(orbit(6, period, growth), 1e-9)
    assert (found is not None) is cycles
    if found is not None:
        assert found[0] == pytest.approx(period, rel=0.05)
        assert found[1] == pytest.approx(math.tanh(0.3 * growth**6), rel=0.2)


@given(st.floats(20.0, 200.0), st.floats(0.001, 1.0))
def test_three_returns_make_a_cycle_and_two_do_not(period: float, size: float) -> None:
    assert find_cycle(orbit(2.4, period, 1.0, size=size), 1e-9) is None
    found = find_cycle(orbit(4.2, period, 1.0, size=size), 1e-9)
    assert found is not None
    assert found[0] == pytest.approx(period, rel=0.05)


def test_a_noisy_orbit_is_still_one() -> None:
    found = find_cycle(orbit(6, 60, 1.0, noise=0.003), 1e-9)
    assert found is not None
    assert found[0] == pytest.approx(60, rel=0.05)


def test_what_is_no_cycle() -> None:
    ticks = np.arange(3000)
    walk = np.cumsum(np.random.default_rng(1).normal(size=(3000, 2)), axis=0)
    for path in (
        np.stack([ticks * 0.01, -ticks * 0.02], axis=1),
        np.stack([np.exp(-ticks / 300), 1 - np.exp(-ticks / 200)], axis=1),
        np.zeros((3000, 2)),
        1e-12 * orbit(6, 60, 1.0),
        walk,
        np.full((3000, 2), np.nan),
    ):
        assert find_cycle(path, 1e-9) is None


def test_a_slow_inward_spiral_is_no_cycle() -> None:
    """Multiplicative tatonnement on the statics economy with momentum rings before it settles."""
    path = orbit(12, 50, 0.9)
    assert find_cycle(path, 1e-9) is None
    ringing = {"form": "multiplicative", "rate": 0.02, "with": [{"momentum": 0.99}]}
    summary = outcome(STATICS, scheduler=ringing, run={"ticks": 700, "tolerance": 1e-12})
    assert summary["outcome"] == "out_of_ticks"


@given(st.integers(1, 1200), st.integers(0, 1500))
def test_a_history_keeps_the_last_prices_in_order(cut: int, more: int) -> None:
    history = PriceHistory(2, capacity=600)
    rows = np.arange(2 * (cut + more), dtype=float).reshape(-1, 2)
    for row in rows[:cut]:
        history.append(row)
    resumed = PriceHistory(2, capacity=600)
    resumed.restore(history.prices().copy(), history.count)
    for row in rows[cut:]:
        history.append(row)
        resumed.append(row)
    np.testing.assert_array_equal(history.prices(), rows[-history.length :])
    np.testing.assert_array_equal(resumed.prices(), history.prices())
    assert resumed.count == history.count == cut + more
