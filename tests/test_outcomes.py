"""How runs end: every verdict where it belongs, and none where it does not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import market_of
from tests.economies import RUNAWAY_CONSUMERS, SCARF_CONSUMERS, TWO_BARTERERS
from tests.house import (
    Market,
    PriceHistory,
    Ranges,
    Run,
    Verdict,
    VerdictRule,
    find_cycle,
    load,
    run_to_disk,
    simulate,
)

SCARF: dict[str, Any] = {
    "goods": ["x", "y", "z"],
    "consumers": SCARF_CONSUMERS,
    "initial_prices": {"x": 1.2, "y": 1.0, "z": 0.85},
    "trade": "at_equilibrium",
    "scheduler": {"form": "additive", "rate": 0.01},
    "run": {"ticks": 5000, "tolerance": 1e-9},
}
UNJUDGED = {**SCARF["run"], "references": "off"}
STATICS: dict[str, Any] = {
    "goods": ["g1", "g2"],
    "numeraire": "g2",
    "consumers": TWO_BARTERERS,
    "trade": "at_equilibrium",
    "run": {"ticks": 2000},
}
BUYER: dict[str, Any] = {"name": "a", "utility": {"cobb_douglas": {"x": 1, "y": 1}}, "budget": 2}
RUNAWAY: dict[str, Any] = {
    "goods": ["x", "y"],
    "numeraire": "x",
    "consumers": RUNAWAY_CONSUMERS,
    "trade": "at_equilibrium",
    "run": {"ticks": 4000, "references": "off"},
}


def outcome(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return simulate({**data, **changes}).summary


class Watched(NamedTuple):
    market: Market
    rule: VerdictRule

    def close(self) -> Verdict:
        return self.rule.close(self.market.transition)


def judged(data: dict[str, Any], ticks: int, *, forget_at: int = -1) -> Watched:
    """A market after some ticks and its judge, with nothing recorded."""
    scenario = load(data)
    market = market_of(scenario)
    rule = market.scheduler.verdict_rule(scenario.initial_prices, scenario.run.tolerance)
    for tick in range(ticks):
        market.advance()
        if tick == forget_at:
            rule.change_economy(tick)
        rule.observe(market.transition)
    return Watched(market, rule)


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
    for ticks, stop in ((1, "verdict"), (20, "verdict"), (300, "verdict"), (300, "never")):
        cut_short = outcome(flat, run={"ticks": ticks, "tolerance": 1e-2, "references": "off", "stop": stop})
        assert cut_short["outcome"] == "out_of_ticks"
        assert "equilibrium prices are still" in cut_short["sentence"]
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
    market = market_of(scenario)
    for _ in range(500):
        market.advance()
        here, there, z = market.prices, np.asarray(market.last_tick.next_prices), market.demand - market.supply
        assert there @ there - here @ here == pytest.approx(rate**2 * (z @ z), rel=1e-7, abs=2e-15)


@pytest.mark.parametrize("rate", [pytest.param(0.01, marks=pytest.mark.slow), 0.02])
def test_scarf_cycles_with_its_period(rate: float) -> None:
    start = {"x": 1.05, "y": 1.0, "z": 0.96}
    summary = outcome(SCARF, initial_prices=start, scheduler={"form": "additive", "rate": rate}, run=UNJUDGED)
    assert summary["outcome"] == "cycled"
    assert summary["period"] == pytest.approx(8 * math.pi / math.sqrt(3) / rate, rel=0.02)
    assert 0.03 < summary["amplitude"] < 0.12
    assert f"swings by {100 * summary['amplitude']:.3g} % either way" in summary["sentence"]


@pytest.mark.parametrize("elasticity", [0.1, 0.2, 0.3, 0.5, 0.8])
def test_steps_that_are_too_long_set_substitutes_turning_in_a_few_ticks(elasticity: float) -> None:
    """Scarf's economy with elasticity `s`: `dz/dp` turns by `atan(1/(sqrt 3 s))` away from home. Where steps become
    too long the eigenvalue `1 + rate (-a + ib)` leaves the unit circle at twice `atan(a/b)`: turns of
    `pi / atan(sqrt(3) s)` ticks.
    """
    consumers = [
        {
            "name": one,
            "utility": {"ces": {"elasticity": elasticity, "shares": {one: 1, other: 1}}},
            "endowment": {one: 1},
        }
        for one, other in (("x", "y"), ("y", "z"), ("z", "x"))
    ]
    economy = load({**SCARF, "consumers": consumers}).economy
    turning = np.linalg.eigvals(economy.jacobian(economy.balance(np.ones(3))))
    turning = turning[np.argmax(turning.imag)]
    scheduler = {"form": "multiplicative", "rate": 1.005 * -2 * turning.real / abs(turning) ** 2}
    verdict = judged({**SCARF, "consumers": consumers, "scheduler": scheduler}, 4000).close()
    assert verdict.outcome == "cycled"
    assert verdict.period == pytest.approx(math.pi / math.atan(math.sqrt(3) * elasticity), rel=0.01)
    assert verdict.amplitude is not None
    assert 0.01 < verdict.amplitude < 0.05


def test_scarf_at_rest_stays_and_near_rest_does_not_clear_by_accident() -> None:
    at_rest = outcome(SCARF, initial_prices={"x": 1, "y": 1, "z": 1})
    assert (at_rest["outcome"], at_rest["ticks"]) == ("cleared", 0)
    loose = outcome(SCARF, run={**UNJUDGED, "tolerance": 1e-4})
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
        assert "The price of unicorn runs to infinity" in summary["sentence"]
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
    assert "The price of air is at its floor" in summary["sentence"]
    assert "No finite plan exists at these prices: unlimited demand for air" in summary["sentence"]
    assert "supply of balloon" in summary["sentence"]


@pytest.mark.parametrize(
    ("scheduler", "where"),
    [
        ({"form": "multiplicative", "rate": 0.5}, "Equilibrium stays as far ahead"),
        ({"form": "additive", "rate": 0.1}, "It lies at its floor, 1e-12"),
    ],
    ids=["multiplicative", "additive"],
)
@pytest.mark.parametrize("stop", ["verdict", pytest.param("never", marks=pytest.mark.slow)])
def test_a_residual_that_shrinks_because_a_price_runs_away_is_not_clearing(
    scheduler: dict[str, Any], where: str, stop: str
) -> None:
    """At any price of y its owner buys some x, which nobody sells; free, y would be wanted without end."""
    run = simulate({**RUNAWAY, "scheduler": scheduler, "run": {**RUNAWAY["run"], "stop": stop}})
    assert run.ticks["max_relative_excess_demand"].iloc[-1] <= 1e-6
    assert run.summary["outcome"] == "diverged"
    assert "the price of y runs to zero" in run.summary["sentence"]
    assert where in run.summary["sentence"]
    assert np.all(np.diff(step_of(run, "y")) <= 0)


@pytest.mark.slow
def test_a_price_that_runs_away_upwards_is_named_too() -> None:
    """The same economy, counted in y: now x becomes dear without end."""
    scheduler, run = {"form": "multiplicative", "rate": 0.5}, {**RUNAWAY["run"], "tolerance": 1e-3}
    summary = outcome(RUNAWAY, numeraire="y", scheduler=scheduler, run=run)
    assert summary["outcome"] == "diverged"
    assert "the price of x runs to infinity" in summary["sentence"]
    free = {key: value for key, value in RUNAWAY.items() if key != "numeraire"}
    assert outcome(free, scheduler=scheduler)["outcome"] == "diverged"


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_a_good_that_nobody_wants_becomes_free_and_that_is_clearing(form: str) -> None:
    data = {"goods": ["x", "y", "weeds"], "supply": {"x": 1, "y": 2, "weeds": 3}, "consumers": [BUYER]}
    summary = outcome(data, scheduler={"form": form, "rate": 0.1}, run={"ticks": 3000, "tolerance": 1e-9})
    assert summary["outcome"] == "cleared"


def test_prices_that_stand_still_off_equilibrium_have_settled() -> None:
    data = {"goods": {"x": None, "y": {"floor": 3}}, "supply": {"x": 1, "y": 2}, "consumers": [BUYER]}
    summary = outcome(data, scheduler={"form": "multiplicative", "rate": 0.2})
    assert summary["outcome"] == "settled_off_equilibrium"
    assert "At its floor, 3, demand for y falls short of supply by 83.3 %" in summary["sentence"]


@pytest.mark.parametrize("piece", [{"delay": 150}, {"bernoulli": 0.001}])
def test_prices_that_merely_wait_have_not_settled(piece: dict[str, float]) -> None:
    scheduler = {"form": "additive", "rate": 0.001, "with": [piece]}
    summary = outcome(STATICS, scheduler=scheduler, run={"ticks": 120})
    assert summary["outcome"] == "out_of_ticks"


def test_a_run_that_is_cut_short_says_so() -> None:
    summary = outcome(STATICS, scheduler={"form": "additive", "rate": 0.001}, run={"ticks": 50})
    assert (summary["outcome"], summary["ticks"]) == ("out_of_ticks", 50)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(STATICS, "cleared", id="cleared"),
        pytest.param(SCARF, "cycled", id="cycled", marks=pytest.mark.slow),
    ],
)
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


def spiral(period: float, growth: float, goods: int, seed: int) -> np.ndarray:
    """An ellipse of any shape and place among any number of goods, from any phase, growing from turn to turn."""
    stream = np.random.default_rng(seed)
    ticks = np.arange(math.ceil(max(5 * period, 30)))
    angle = 2 * np.pi * (ticks / period + stream.random())
    axes = np.linalg.qr(stream.normal(size=(goods, goods)))[0][:, :2] * [1.0, stream.uniform(0.2, 1.0)]
    place = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, : axes.shape[1]] @ axes.T
    return 0.3 * growth ** ((ticks[:, None] - ticks[-1]) / period) * place + stream.normal(size=goods)


PERIODS = st.floats(math.log(2.0), math.log(2000.0)).map(math.exp) | st.sampled_from(
    [2, 2.001, 2.25, 2.5, math.e, 3, math.pi, 4, 4.5, 5, 1 + math.sqrt(5), 7.5, 8, 12.3, 20.5]
)


@settings(max_examples=300)
@given(PERIODS, st.floats(0.965, 1.035), st.integers(2, 6), st.integers(0, 2**32))
def test_an_orbit_of_any_period_is_found(period: float, growth: float, goods: int, seed: int) -> None:
    found = find_cycle(spiral(period, growth, goods, seed), 1e-9)
    assert found is not None
    assert found.period == pytest.approx(period, rel=0.02)


@settings(max_examples=300)
@given(PERIODS, st.floats(0.3, 0.93) | st.floats(1.07, 3.0), st.integers(1, 6), st.integers(0, 2**32))
def test_an_orbit_that_shrinks_or_grows_is_no_cycle(period: float, growth: float, goods: int, seed: int) -> None:
    assert find_cycle(spiral(period, growth, goods, seed), 1e-9) is None


@settings(max_examples=200)
@given(st.floats(math.log(2.2), math.log(2000.0)).map(math.exp), st.floats(0.965, 1.035), st.integers(0, 2**32))
def test_a_single_price_goes_up_and_down(period: float, growth: float, seed: int) -> None:
    """Passing a price upwards is not a return to where it was passed downwards: a turn is up and down."""
    found = find_cycle(spiral(period, growth, 1, seed), 1e-9)
    assert found is not None
    assert found.period == pytest.approx(period, rel=0.03)


@settings(max_examples=200)
@given(st.integers(2, 40), st.integers(1, 3), st.integers(0, 39), st.integers(0, 2**32))
def test_any_prices_that_come_again_in_the_same_order_are_a_cycle(
    period: int, goods: int, extra: int, seed: int
) -> None:
    once = np.random.default_rng(seed).normal(size=(period, goods))
    found = find_cycle(np.tile(once, (7, 1))[: 5 * period + extra], 1e-9)
    assert found is not None
    assert found.period == pytest.approx(period, rel=1e-12)


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_what_converges_is_no_cycle(seed: int) -> None:
    """Any sum of decays, of swings to and fro, and of spirals that lose more than 6 % a turn, at any tick."""
    stream = np.random.default_rng(seed)
    ticks, goods = np.arange(stream.integers(8, 3000))[:, None], int(stream.integers(1, 5))
    path = np.zeros((len(ticks), goods))
    for _ in range(stream.integers(1, 5)):
        one, other = stream.normal(size=(2, goods)) * 10.0 ** stream.uniform(-3, 0, size=(2, 1))
        kind, period = stream.integers(3), math.exp(stream.uniform(math.log(2), math.log(1000)))
        if kind == 0:
            path += one * np.exp(-ticks / 10.0 ** stream.uniform(0, 5))
        elif kind == 1:
            path += one * (-stream.uniform(0.05, 0.965)) ** ticks
        else:
            angle = 2 * np.pi * ticks / period
            path += stream.uniform(0.1, 0.935) ** (ticks / period) * (one * np.cos(angle) + other * np.sin(angle))
    assert find_cycle(path, 1e-9) is None


@given(st.integers(8, 2000), st.integers(1, 4), st.floats(0, 5), st.integers(0, 2**32))
def test_what_only_rises_or_falls_is_no_cycle(ticks: int, goods: int, unevenness: float, seed: int) -> None:
    stream = np.random.default_rng(seed)
    steps = stream.exponential(size=(ticks, goods)) * stream.random((ticks, 1)) ** unevenness
    assert find_cycle(np.cumsum(steps * stream.normal(size=goods), axis=0), 1e-9) is None


@pytest.mark.parametrize("period", [4.3, 20.3, 40.0, 333.7])
@pytest.mark.parametrize(("growth", "cycles"), [(1.0, True), (1.03, True), (0.97, True), (1.1, False), (0.9, False)])
def test_a_cycle_keeps_its_size_to_five_per_cent_a_turn(period: float, growth: float, cycles: bool) -> None:
    found = find_cycle(orbit(6, period, growth), 1e-9)
    assert (found is not None) is cycles
    if found is not None:
        assert found.period == pytest.approx(period, rel=1e-3)
        assert found.amplitude == pytest.approx(math.tanh(0.3 * growth**6), rel=0.1)


@given(st.floats(20.0, 200.0), st.floats(0.001, 1.0))
def test_three_returns_make_a_cycle_and_two_do_not(period: float, size: float) -> None:
    assert find_cycle(orbit(2.4, period, 1.0, size=size), 1e-9) is None
    assert find_cycle(orbit(2.9, period, 1.0, size=size), 1e-9) is None
    found = find_cycle(orbit(3.3, period, 1.0, size=size), 1e-9)
    assert found is not None
    assert found.period == pytest.approx(period, rel=1e-2)
    assert found.amplitude == pytest.approx(math.tanh(size), rel=2e-2)


@pytest.mark.parametrize("period", [4.3, 12.4, 60.0, 300.0])
def test_a_noisy_orbit_is_still_one(period: float) -> None:
    found = find_cycle(orbit(6, period, 1.0, noise=0.003), 1e-9)
    assert found is not None
    assert found.period == pytest.approx(period, rel=0.01)


def map_orbit(step: Any, start: tuple[float, float], ticks: int = 6000) -> np.ndarray:
    values = [start]
    for _ in range(ticks):
        values.append(step(*values[-1]))
    return np.log(np.array(values)[:, :1])


@pytest.mark.parametrize(
    ("growth", "period"), [(3.2, 2), (3.5, 4), (3.83, 3), (3.6, None), (3.7, None), (3.9, None), (4.0, None)]
)
def test_the_logistic_map_s_cycles_and_its_chaos(growth: float, period: int | None) -> None:
    """Doubled, doubled again, the window of three; chaos comes near to where it was and leaves again."""
    found = find_cycle(map_orbit(lambda x, y: (growth * x * (1 - x), x), (0.4, 0.4)), 1e-9)
    assert found is None if period is None else (found is not None and found.period == pytest.approx(period, rel=1e-6))


@pytest.mark.parametrize("growth", [2.001, 2.01, 2.02])
def test_the_delayed_logistic_map_s_orbit_of_about_six_ticks(growth: float) -> None:
    """At growth 2 the eigenvalues of `x <- g x (1 - y), y <- x` are `exp(+-i pi/3)`: an orbit of 6 ticks is born."""
    found = find_cycle(map_orbit(lambda x, y: (growth * x * (1 - y), x), (0.5, 0.45)), 1e-9)
    assert found is not None
    assert found.period == pytest.approx(6, rel=0.7 * (growth - 2) + 1e-3)
    assert found.period > 6


def test_what_is_no_cycle() -> None:
    ticks = np.arange(3000)
    stream = np.random.default_rng(1)
    for path in (
        np.stack([ticks * 0.01, -ticks * 0.02], axis=1),
        np.stack([np.exp(-ticks / 300), 1 - np.exp(-ticks / 200)], axis=1),
        np.zeros((3000, 2)),
        1e-12 * orbit(6, 60, 1.0),
        1e-12 * orbit(20, 4.3, 1.0),
        1e-12 * np.tile(stream.normal(size=(7, 2)), (30, 1)),
        np.cumsum(stream.normal(size=(3000, 2)), axis=0),
        stream.normal(size=(3000, 2)),
        np.full((3000, 2), np.nan),
        np.zeros((1, 2)),
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
    resumed.restore({name: value.copy() for name, value in history.state().items()})
    for row in rows[cut:]:
        history.append(row)
        resumed.append(row)
    np.testing.assert_array_equal(history.prices(), rows[-history.length :])
    np.testing.assert_array_equal(resumed.prices(), history.prices())
    assert resumed.count == history.count == cut + more


def test_a_judge_forgets_what_came_before_a_shock() -> None:
    data = {**SCARF, "scheduler": {"form": "additive", "rate": 0.02}}
    assert judged(data, 3200).close().outcome == "cycled"
    shocked = judged(data, 3200, forget_at=3000)
    assert shocked.close().outcome == "out_of_ticks"
    assert shocked.rule.history.count == 200


def own(name: str, utility: dict[str, Any], **endowment: float) -> dict[str, Any]:
    return {"name": name, "utility": utility, "endowment": endowment}


FREE: dict[str, tuple[dict[str, Any], str | None]] = {
    "weeds": (
        {
            "goods": ["weeds", "y"],
            "consumers": [
                own("ann", {"cobb_douglas": {"y": 1}}, weeds=10, y=1),
                own("ben", {"cobb_douglas": {"y": 1}}, y=4),
            ],
        },
        "weeds",
    ),
    "weeds, slopes by differences": (
        {
            "goods": ["weeds", "y"],
            "consumers": [
                own("ann", {"formula": "ln(y)"}, weeds=10, y=1),
                own("ben", {"formula": "ln(y)"}, y=4),
            ],
        },
        "weeds",
    ),
    "left shoes": (
        {
            "goods": ["left", "right"],
            "consumers": [
                own("ann", {"leontief": {"left": 1, "right": 1}}, left=10),
                own("ben", {"leontief": {"left": 1, "right": 1}}, right=4),
            ],
            "trade": "at_equilibrium",
        },
        "left",
    ),
    "curtailed power": (
        {
            "goods": ["power"],
            "supply": {"power": 100},
            "consumers": [
                {
                    "name": "town",
                    "utility": {"quasilinear": {"quadratic": {"intercept": {"power": 60}, "slope": {"power": 1}}}},
                }
            ],
            "run": {"references": "off"},
        },
        "power",
    ),
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


@pytest.mark.parametrize("name", FREE)
def test_a_free_good_is_no_runaway_though_only_relative_prices_matter(name: str) -> None:
    data, free = FREE[name]
    run = simulate(data)
    assert run.summary["outcome"] == "cleared", run.summary["sentence"]
    assert step_of(run, str(free))[-1] <= 1e-9 * np.max(run.trajectory["price"])


@pytest.mark.parametrize("price", [1, 30])
def test_a_good_that_nobody_makes_or_buys_is_at_rest(price: float) -> None:
    """Its first unit costs 12 and is worth 10: nothing is traded, and no slope is finite at some of its prices."""
    run = simulate({**IDLE, "initial_prices": {"q": price}})
    assert run.summary["outcome"] == "cleared", run.summary["sentence"]
    traded = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")["traded"]
    assert traded["q"] <= 1e-6
    assert step_of(run, "r")[-1] == pytest.approx(7, rel=1e-5)


@pytest.mark.parametrize(
    "scheduler", [{"rate": 1e10}, {"rate": 1000, "with": ["rmsprop"]}, {"rate": 8, "with": ["adam"]}]
)
def test_a_rate_beyond_what_any_market_bears_ends_in_a_sentence(scheduler: dict[str, Any]) -> None:
    consumer = {"name": "c", "budget": 10, "utility": {"ces": {"elasticity": 0.5, "shares": {"x": 2, "y": 1}}}}
    data = {"goods": ["x", "y"], "supply": {"x": 10, "y": 4}, "consumers": [consumer], "scheduler": scheduler}
    summary = outcome(data, run={"ticks": 30})
    assert summary["outcome"] in ("diverged", "cycled", "out_of_ticks")
    if scheduler["rate"] == 1e10:
        assert summary["outcome"] == "diverged"
        assert "The price of" in summary["sentence"]


SAME: dict[str, Any] = {
    "goods": ["red", "blue"],
    "supply": {"red": 3, "blue": 5},
    "trade": "at_equilibrium",
    "run": {"ticks": 600, "references": "off"},
}


def nearly_the_same(elasticity: float) -> list[dict[str, Any]]:
    return [
        {"name": "ann", "utility": {"ces": {"elasticity": elasticity, "shares": {"red": 1, "blue": 1}}}, "budget": 4}
    ]


def test_an_orbit_that_goes_somewhere_is_no_cycle() -> None:
    """Demand that all but jumps pulls prices down for ever, to and fro."""
    summary = outcome(SAME, consumers=nearly_the_same(1e4))
    assert summary["outcome"] == "out_of_ticks"
    assert "about a centre that moved by" in summary["sentence"]


def test_a_cycle_says_how_far_its_middle_is_from_equilibrium() -> None:
    run = simulate({**SAME, "consumers": nearly_the_same(50), "run": {"ticks": 600}})
    assert run.summary["outcome"] == "cycled"
    middle = math.sqrt(np.prod(step_of(run, "red")[-2:]))
    assert middle == pytest.approx(0.22 * 0.503, rel=0.1)
    told = run.summary["sentence"].partition("The middle of the cycle is ")[2].partition("%")[0]
    assert 70 < float(told) < 80
    assert "it rose from" in run.summary["sentence"]


def swings(path: np.ndarray) -> np.ndarray:
    return np.tanh(0.5 * np.ptp(np.log(path), axis=0))


@pytest.mark.parametrize("cut", [1, 2500, 3000, 4999])
def test_scarf_s_orbit_tells_its_first_swing_though_history_is_short(cut: int) -> None:
    scenario = load({**SCARF, "scheduler": {"form": "additive", "rate": 0.02}})
    market = market_of(scenario)

    def short() -> VerdictRule:
        rule = market.scheduler.verdict_rule(scenario.initial_prices, scenario.run.tolerance)
        rule.history = PriceHistory(3, capacity=7500)
        return rule

    rule, path = short(), list[np.ndarray]()
    for tick in range(6000):
        market.advance()
        path.append(market.prices / market.prices.sum())
        if tick == cut:
            kept = {name: np.array(value) for name, value in rule.state().items()}
            rule = short()
            rule.restore(kept)
        rule.observe(market.transition)
    verdict = rule.close(market.transition)
    assert verdict.outcome == "cycled"
    assert verdict.period is not None
    period = round(verdict.period)
    first, last = swings(np.array(path[:period])), swings(np.array(path[-period:]))
    good = int(np.argmax(last))
    assert first[good] < 0.9 * last[good]
    assert verdict.facts["first_amplitude"] == pytest.approx(first[good], rel=0.03)
    assert verdict.amplitude == pytest.approx(last[good], rel=0.03)


@given(st.lists(st.integers(0, 700), max_size=6))
def test_ranges_do_not_depend_on_the_parts_a_path_comes_in(parts: list[int]) -> None:
    path = np.random.default_rng(7).normal(size=(sum(parts), 2))
    whole, ranges, at = Ranges.of(2).extended(path), Ranges.of(2), 0
    for part in parts:
        ranges, at = ranges.extended(path[at : at + part]), at + part
    np.testing.assert_array_equal(ranges.lowest, whole.lowest)
    np.testing.assert_array_equal(ranges.highest, whole.highest)
    assert len(whole.lowest) <= 512
    if at:
        np.testing.assert_array_equal(whole.lowest[0], path[: whole.length].min(axis=0))
        np.testing.assert_array_equal(whole.highest.max(axis=0), path.max(axis=0))


def test_a_price_that_is_thrown_far_beyond_all_others_is_named() -> None:
    """It falls to its floor, where demand is 1e12 times as high; from there it would fall by 1.5 a tick."""
    half = {"cobb_douglas": {"x": 1, "y": 1}}
    data = {
        "goods": ["x", "y"],
        "numeraire": "y",
        "consumers": [own("ann", half, x=2, y=1), own("ben", half, x=1)],
        "trade": "at_equilibrium",
        "scheduler": {"form": "additive", "rate": 1},
        "run": {"ticks": 200},
    }
    summary = outcome(data)
    assert summary["outcome"] == "diverged"
    assert "In tick 2 the price of x was thrown from 1e-12 to 5e+11. It is still 5e+11" in summary["sentence"]


HELD: dict[str, tuple[dict[str, Any], str]] = {
    "a wage": (
        {
            "goods": {"labour": {"fixed_price": 1}, "exports": {}},
            "outside": {"exports": 2},
            "firms": [{"name": "mill", "makes": "exports = 2*sqrt(labour)"}],
            "consumers": [own("households", {"cobb_douglas": {"exports": 1}}, labour=12)],
        },
        "At its fixed price demand for labour falls short of supply by 66.7 %. "
        "Who offers labour sells less than planned: households 4 of 12. The accounts of households are at -8",
    ),
    "a rent": (
        {
            "goods": {"flats": {"fixed_price": 1}, "food": {"price": 1}},
            "supply": {"flats": 5, "food": 20},
            "consumers": [{"name": "tenants", "utility": {"cobb_douglas": {"flats": 1, "food": 1}}, "budget": 40}],
        },
        "At its fixed price supply of flats falls short of demand by 75 %. "
        "Who wants flats buys less than planned: tenants 5 of 20",
    ),
    "a price of an input": (
        {
            "goods": {"ore": {"fixed_price": 0.1}, "steel": {}},
            "outside": {"steel": 1},
            "supply": {"ore": 4},
            "firms": [{"name": "smelter", "makes": "steel = 2*sqrt(ore)", "count": 2}],
        },
        "At its fixed price supply of ore falls short of demand by 98 %. "
        "Who wants ore buys less than planned: smelter 4 of 200",
    ),
    "a price of what is made": (
        {
            "goods": {"ore": {}, "steel": {"fixed_price": 4}, "money": {}},
            "outside": {"money": 1, "ore": 1},
            "firms": [{"name": "smelter", "makes": "steel = sqrt(ore)"}],
            "consumers": [{"name": "builder", "utility": {"quasilinear": {"log": {"steel": 2}}}}],
            "trade": {"every_tick": {"spoilage": 1}},
        },
        "At its fixed price demand for steel falls short of supply by 75 %. "
        "Who offers steel sells less than planned: smelter 0.5 of 2",
    ),
}


@pytest.mark.parametrize("name", HELD)
def test_who_is_rationed_at_a_held_price_is_said(name: str) -> None:
    data, said = HELD[name]
    summary = outcome(data, run={"ticks": 400})
    assert summary["outcome"] == "settled_off_equilibrium", summary["sentence"]
    assert said in summary["sentence"]


UNBOUNDED: dict[str, dict[str, Any]] = {
    "a pattern of 1e308": {
        "learning": {
            "patterns": {"target": "y", "rows": [{"x": 1.7e308, "z": 1, "y": 1}, {"x": 1, "z": 0, "y": 1}]},
        },
        "scheduler": {"form": "additive", "rate": 1},
    },
    "a rate of 1e10": {
        "goods": ["x"],
        "supply": {"x": 1},
        "consumers": [{**BUYER, "utility": {"cobb_douglas": {"x": 1}}}],
        "scheduler": {"rate": 1e10},
    },
    "supplies of 1e308": {
        "goods": ["x", "y"],
        "supply": {"x": 1e308, "y": 1e308},
        "consumers": [BUYER],
        "initial_prices": {"x": 10, "y": 10},
    },
    "prices of 1e300": {
        "goods": ["x", "y"],
        "consumers": [own("ann", {"cobb_douglas": {"x": 1, "y": 1}}, x=1e10, y=1)],
        "initial_prices": {"x": 1e300, "y": 1e300},
    },
}


def refuse(text: str) -> float:
    raise AssertionError(f"{text} in JSON")


@pytest.mark.parametrize("name", UNBOUNDED)
def test_what_is_not_finite_ends_the_run_and_is_in_no_file(name: str, tmp_path: Path) -> None:
    summary = run_to_disk(load({**UNBOUNDED[name], "run": {"ticks": 12}}), tmp_path / "run")
    assert summary["outcome"] == "diverged"
    assert summary["ticks"] < 12
    json.loads((tmp_path / "run" / "summary.json").read_text(), parse_constant=refuse)
    for file in (tmp_path / "run").glob("*.csv"):
        assert not {"inf", "-inf", "nan"} & set(file.read_text().replace("\n", ",").split(",")), file.name


def test_a_verdict_does_not_depend_on_the_unit_of_money() -> None:
    """The default floor is a part of the initial price: a glut that becomes free does so in any unit."""

    def ended(unit: float) -> tuple[str, int, float]:
        data = {
            "goods": ["bread", "weeds"],
            "supply": {"bread": 2, "weeds": 5},
            "initial_prices": {"bread": unit, "weeds": unit},
            "consumers": [{"name": "a", "budget": 4 * unit, "utility": {"leontief": {"bread": 1, "weeds": 1}}}],
            "trade": "at_equilibrium",
            "scheduler": {"form": "multiplicative", "rate": 0.3},
            "run": {"ticks": 500},
        }
        run = simulate(data)
        return run.summary["outcome"], run.summary["ticks"], run.trajectory["price"].to_numpy()[-2] / unit

    outcome, ticks, price = ended(1.0)
    assert outcome == "cleared"
    for unit in (1e-9, 1e9):
        assert ended(unit) == (outcome, ticks, pytest.approx(price, rel=1e-9))
