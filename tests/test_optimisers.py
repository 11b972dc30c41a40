"""Price rules as optimisers: their formulas straight down, taking turns, and what they do to whole economies."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house import (
    PD,
    Adam,
    Anderson,
    Averaging,
    Bernoulli,
    Cosine,
    Delay,
    Extragradient,
    Momentum,
    Nesterov,
    PriceRule,
    RandomOrder,
    RMSprop,
    ScenarioError,
    Sequential,
    Simulation,
    Warmup,
    find,
    load,
    run_to_disk,
)
from tests.house import PRICE_FORMS as FORMS

SCENARIOS = Path(__file__).parents[1] / "scenarios"
GOODS, RATE = 4, 0.1
ONES = np.ones(GOODS)
SIGNALS = np.random.default_rng(5).normal(0, 1, (12, GOODS))


def rule(form: str, *pieces: Any, floor: float = 1e-12, fixed: Any = (), seed: int = 0) -> PriceRule:
    held = np.isin(np.arange(GOODS), fixed)
    return PriceRule(form, RATE, tuple(pieces), np.full(GOODS, floor), held, seed)


def walked(of: PriceRule, signals: Any = SIGNALS, first: Any = 9.0 * ONES) -> np.ndarray:
    """Prices tick by tick, the first included."""
    memory, prices = of.start(), [np.array(first)]
    for signal in signals:
        moved, memory = of.next_prices(prices[-1], signal, ONES, memory)
        prices.append(moved)
    return np.array(prices)


def steps(*pieces: Any, signals: Any = SIGNALS) -> np.ndarray:
    return np.diff(walked(rule("additive", *pieces, floor=-np.inf), signals), axis=0)


def test_nesterov_s_quotes_look_ahead_of_his_iterates() -> None:
    x = last = y = 9.0 * ONES
    for moved, signal in zip(walked(rule("additive", Nesterov(0.8)))[1:], SIGNALS, strict=True):
        last, x = x, y + RATE * signal
        y = x + 0.8 * (x - last)
        np.testing.assert_allclose(moved, y, rtol=1e-13)


def test_rmsprop_and_adam_straight_down() -> None:
    for good in range(GOODS):
        mean = square = second = 0.0
        for tick, signal in enumerate(SIGNALS[:, good], 1):
            square = 0.7 * square + 0.3 * signal**2
            expected = RATE * signal / (math.sqrt(square) + 1e-3)
            assert steps(RMSprop(0.7, 1e-3))[tick - 1, good] == pytest.approx(expected, rel=1e-12)
            mean, second = 0.8 * mean + 0.2 * signal, 0.99 * second + 0.01 * signal**2
            unbiased = mean / (1 - 0.8**tick), second / (1 - 0.99**tick)
            expected = RATE * unbiased[0] / (math.sqrt(unbiased[1]) + 1e-3)
            assert steps(Adam(0.8, 0.99, 1e-3))[tick - 1, good] == pytest.approx(expected, rel=1e-11)


def test_pd_delay_schedules_and_averaging_straight_down() -> None:
    plain, before = RATE * SIGNALS, np.concatenate([np.zeros((1, GOODS)), RATE * SIGNALS[:-1]])
    np.testing.assert_allclose(steps(PD(0.6)), plain + 0.6 * (plain - before), atol=1e-13)
    np.testing.assert_allclose(steps(Delay(3)), np.concatenate([np.zeros((3, GOODS)), plain[:-3]]), atol=1e-13)
    grown = np.minimum(1.0, np.arange(1, 13) / 5)[:, None]
    np.testing.assert_allclose(steps(Warmup(5)), grown * plain, atol=1e-13)
    turned = [0.2 + 0.8 * (1 + math.cos(math.pi * min(t, 8) / 8)) / 2 for t in range(12)]
    np.testing.assert_allclose(steps(Cosine(8, 0.2)), np.array(turned)[:, None] * plain, atol=1e-13)
    iterates = 9.0 + np.cumsum(np.concatenate([np.zeros((1, GOODS)), plain]), axis=0)
    means = np.cumsum(iterates, axis=0) / np.arange(1, 14)[:, None]
    np.testing.assert_allclose(walked(rule("additive", Averaging())), means, rtol=1e-13)


@pytest.mark.parametrize("form", FORMS)
def test_extragradient_ends_at_the_base_and_the_trial_s_step_even_from_a_floor(form: str) -> None:
    signals = SIGNALS.copy()
    signals[0], signals[1] = -200.0, [3.0, 1.0, -1.0, -3.0]
    prices = walked(rule(form, Extragradient(), floor=8.0), signals)
    for start in range(0, 12, 2):
        base, step = prices[start], RATE * signals[start + 1]
        expected = base * np.exp(step) if form == "multiplicative" else base + step
        np.testing.assert_allclose(prices[start + 2], np.maximum(expected, 8.0), rtol=1e-13)
    assert np.all(prices[1] == 8.0)


@pytest.mark.parametrize("form", FORMS)
def test_anderson_solves_what_is_straight_in_as_many_ticks_as_there_are_goods(form: str) -> None:
    slopes, home = np.random.default_rng(2).normal(0, 1, (GOODS, GOODS)) - 2 * np.eye(GOODS), np.array([2, 3, 4, 5.0])
    accelerated, prices = rule(form, Anderson(5)), 3.0 * ONES
    memory = accelerated.start()
    for _ in range(GOODS + 3):
        place, bottom = (np.log(prices), np.log(home)) if form == "multiplicative" else (prices, home)
        prices, memory = accelerated.next_prices(prices, slopes @ (place - bottom), ONES, memory)
    np.testing.assert_allclose(prices, home, rtol=1e-6)


@pytest.mark.parametrize("turns", [Sequential(), RandomOrder()], ids=str)
def test_free_prices_move_one_at_a_tick_and_each_once_in_a_sweep(turns: Any) -> None:
    one = rule("multiplicative", Momentum(0.5), turns, fixed=[1])
    moved = np.diff(walked(one, np.ones((60, GOODS))), axis=0) != 0
    assert np.all(moved.sum(axis=1) == 1)
    sweeps = moved.reshape(20, 3, GOODS)
    assert np.all(sweeps.sum(axis=1) == [1, 0, 1, 1])
    orders = {tuple(np.argmax(sweep, axis=1).tolist()) for sweep in sweeps}
    assert orders == {(0, 2, 3)} if isinstance(turns, Sequential) else len(orders) == 6


def test_a_price_that_waits_keeps_still_and_its_memory_too() -> None:
    """Each price goes as it would alone, one tick for every turn."""
    for piece in (Momentum(0.5), Nesterov(0.5), PD(1.0), RMSprop(), Adam(), Delay(2)):
        alone = walked(rule("additive", piece), np.ones((3, GOODS)))
        turns = walked(rule("additive", piece, Sequential()), np.ones((3 * GOODS, GOODS)))
        np.testing.assert_allclose(turns[::GOODS], alone, rtol=1e-14, err_msg=str(piece))


def test_who_moves_by_chance_depends_on_the_seed_and_the_tick_alone() -> None:
    def moves(turns: Any, seed: int) -> np.ndarray:
        return np.diff(walked(rule("additive", turns, seed=seed), np.ones((2000, GOODS))), axis=0) != 0

    coins = moves(Bernoulli(0.3), 1)
    assert np.abs(coins.mean(axis=0) - 0.3).max() < 0.05
    assert np.abs(np.corrcoef(coins.T.astype(float)) - np.eye(GOODS)).max() < 0.1
    for turns in (Bernoulli(0.3), RandomOrder()):
        np.testing.assert_array_equal(moves(turns, 1), moves(turns, 1))
        assert (moves(turns, 1) != moves(turns, 2)).mean() > 0.2
    free = np.arange(GOODS)
    assert Bernoulli(0.3).turn(free, 77, 1).tolist() == np.flatnonzero(coins[77]).tolist()


def ended(scenario: str, form: str, rate: float, pieces: Any, ticks: int, **settings: Any) -> tuple[str, int]:
    """How a shipped scenario ends under a rule, quotes alone, and after how many ticks."""
    changes = {"scheduler.form": form, "scheduler.rate": rate, "scheduler.with": pieces, "trade": "at_equilibrium"}
    run = {"run.ticks": ticks, "run.tolerance": 1e-6, "run.references": "off", "run.record_every": ticks}
    simulation = Simulation(load(SCENARIOS / f"{scenario}.yaml", settings=changes | run | settings))
    for _ in simulation.ticks():
        pass
    return simulation.verdict.outcome, simulation.market.last_tick.tick


@pytest.mark.parametrize("economy", ["fisher", "tupperware"])
def test_the_mean_of_all_iterates_comes_home_slowly(economy: str) -> None:
    ticks = [
        ended(economy, "multiplicative", 0.5, ["averaging"], 1000, **{"run.tolerance": goal}) for goal in (0.1, 0.01)
    ]
    assert [outcome for outcome, _ in ticks] == ["cleared", "cleared"]
    assert ticks[0][1] < ticks[1][1]


@pytest.mark.parametrize(("kind", "rate"), [("momentum", 0.04), ("nesterov", 0.03)])
def test_momentum_helps_where_some_gaps_close_slowly(kind: str, rate: float) -> None:
    """The plain rule at its best of many rates, momentum at one."""
    plain = [ended("near_substitutes", "multiplicative", rate, [], 1500) for rate in (0.02, 0.03, 0.04, 0.05, 0.07)]
    fewest = min([ticks for outcome, ticks in plain if outcome == "cleared"], default=1500)
    outcome, ticks = ended("near_substitutes", "multiplicative", rate, [{kind: 0.85}], 1500)
    assert outcome == "cleared"
    assert ticks < fewest / 3


@pytest.mark.parametrize("rate", [0.05, 0.5])
@pytest.mark.parametrize(
    "pieces", [[], [{"momentum": 0.9}], [{"nesterov": 0.9}], ["adam"], ["sequential"], [{"momentum": -0.5}]], ids=str
)
def test_neither_momentum_nor_adam_settles_a_rotation(pieces: Any, rate: float) -> None:
    assert ended("scarf", "additive", rate, pieces, 2000)[0] != "cleared"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pieces", [[{"pd": 1}], ["extragradient"]], ids=str)
def test_who_looks_a_step_ahead_settles_a_rotation_by_its_own_market_alone(form: str, pieces: Any) -> None:
    """Near Scarf's equilibrium excess demand is a rotation `i w`: a plain step has eigenvalue `1 + i rate w`, outside
    the unit circle at any rate. Extragradient's is `1 + i rate w - (rate w)^2`, inside it for `rate w < 1`; that of pd
    is inside for `rate w < 1/sqrt(3)`, and falls off as fast as the square of the rate, so that the rate must be bold.
    """
    assert ended("scarf", form, 1.0, pieces, 400)[0] == "cleared"
    scenario = load(SCENARIOS / "scarf.yaml", settings={"scheduler.form": form, "scheduler.rate": 1.0})
    assert scenario.rule.information == "local"


@pytest.mark.parametrize("turns", ["sequential", "random_order"])
@pytest.mark.parametrize("taken_back", [-0.3, -0.5, -0.8])
def test_taken_back_in_turns_a_rotation_settles(taken_back: float, turns: str) -> None:
    """Gidel and others (2019): negative momentum needs prices that move one after another; turns alone only circle."""
    pieces: list[Any] = [{"momentum": taken_back}]
    assert ended("scarf", "multiplicative", 1.0, [*pieces, turns], 2000)[0] == "cleared"
    assert ended("scarf", "multiplicative", 1.0, pieces, 2000)[0] != "cleared"


def radius(economy: str, form: str, rate: float, *pieces: Any) -> float:
    changes = {"scheduler.form": form, "scheduler.rate": rate, "scheduler.with": pieces, "trade": "at_equilibrium"}
    scenario = load(SCENARIOS / f"{economy}.yaml", settings=changes)
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    assert found.stable is (None if np.isnan(found.spectral_radius) else found.spectral_radius < 1)
    return found.spectral_radius


def test_the_spectral_radius_of_rules_with_a_memory_is_that_of_their_polynomials() -> None:
    """Of Scarf's rotation: with `g = i rate w` the plain step is `1 + g`."""
    g = 1j * math.sqrt(radius("scarf", "multiplicative", 1.0) ** 2 - 1)
    closed = {
        "momentum": ([{"momentum": -0.5}], [1, -(1 - 0.5 + g), -0.5]),
        "nesterov": ([{"nesterov": 0.5}], [1, -1.5 * (1 + g), 0.5 * (1 + g)]),
        "pd": ([{"pd": 1.0}], [1, -(1 + 2 * g), g]),
        "delay": ([{"delay": 2}], [1, -1, 0, -g]),
    }
    for name, (pieces, polynomial) in closed.items():
        expected = np.abs(np.roots(polynomial)).max()
        assert radius("scarf", "multiplicative", 1.0, *pieces) == pytest.approx(expected, rel=1e-6), name
    halves = radius("scarf", "multiplicative", 1.0, "extragradient") ** 2
    assert halves == pytest.approx(abs(1 + g + g**2), rel=1e-6)


@pytest.mark.parametrize(
    ("economy", "pieces"),
    [
        ("scarf", [{"pd": 1}]),
        ("scarf", ["extragradient"]),
        ("scarf", [{"momentum": -0.5}, "sequential"]),
        ("fisher", ["sequential"]),
        ("fisher", [{"nesterov": 0.6}, "sequential"]),
        ("fisher", [{"delay": 1}]),
        ("fisher", [{"delay": {"own": 0, "neighbours": 2}}]),
        ("scarf", [{"symplectic": 0.5}]),
    ],
    ids=str,
)
def test_the_spectral_radius_is_the_rate_at_which_prices_come_home(economy: str, pieces: Any) -> None:
    rate = 0.8 if economy == "scarf" else 0.1
    expected = radius(economy, "multiplicative", rate, *pieces)
    ticks = {
        tolerance: ended(economy, "multiplicative", rate, pieces, 5000, **{"run.tolerance": tolerance})[1]
        for tolerance in (1e-4, 1e-9)
    }
    assert 1e-5 ** (1 / (ticks[1e-9] - ticks[1e-4])) == pytest.approx(expected, abs=0.05 * (1 - expected) + 0.01)
    assert expected < 1


@pytest.mark.parametrize("piece", ["random_order", {"bernoulli": 0.5}, "anderson"], ids=str)
def test_where_chance_decides_there_is_no_spectral_radius(piece: Any, tmp_path: Path) -> None:
    assert math.isnan(radius("fisher", "multiplicative", 0.3, piece))
    settings = {"scheduler": {"form": "multiplicative", "rate": 0.3, "with": [piece]}, "run.tolerance": 1e-6}
    summary = run_to_disk(load(SCENARIOS / "fisher.yaml", settings=settings), tmp_path / "run")
    assert summary["outcome"] == "cleared"
    header, *rows = (tmp_path / "run" / "equilibrium.csv").read_text().splitlines()
    assert {row.split(",")[header.split(",").index("stable")] for row in rows} == {""}


RESUMED: list[Any] = [
    [{"nesterov": 0.5}],
    ["adam", {"warmup": 30}],
    ["rmsprop", "averaging"],
    [{"pd": 1}, "extragradient"],
    [{"delay": 7}, {"momentum": -0.2}, "random_order"],
    ["adam", {"bernoulli": 0.4}],
    ["anderson"],
    ["newton", {"clip": 0.02}, {"cosine": 20}],
    [{"delay": {"own": 1, "neighbours": 4}}, {"momentum": 0.3}],
]


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize("pieces", RESUMED, ids=str)
def test_a_run_taken_up_again_ends_in_the_same_bits(pieces: Any, tmp_path: Path) -> None:
    """The market and the path beside it, from a checkpoint on disk."""
    scheduler = {"form": "multiplicative", "rate": 0.05, "with": pieces}
    run = {"run.ticks": 60, "run.stop": "never", "run.seed": 3}
    scenario = load(SCENARIOS / "fisher.yaml", settings={"scheduler": scheduler, **run})
    whole, second = Simulation(scenario), Simulation(scenario)
    for tick in whole.ticks():
        if tick == 30:
            np.savez(tmp_path / "state.npz", **whole.state())
    with np.load(tmp_path / "state.npz") as state:
        second.restore(dict(state))
    ticks = [*second.ticks()]
    assert (ticks[0], ticks[-1]) == (31, 60)
    ended_at = second.state()
    for name, value in whole.state().items():
        if not name.startswith("conservation"):
            np.testing.assert_array_equal(ended_at[name], value, err_msg=name)


BASE: dict[str, Any] = {
    "goods": ["a", "b"],
    "supply": {"a": 1, "b": 1},
    "consumers": [{"name": "h", "utility": {"cobb_douglas": {"a": 1, "b": 1}}, "budget": 1}],
}


def test_a_scenario_s_pieces_are_the_ones_written_down() -> None:
    pieces = ["rmsprop", {"adam": {"beta1": 0.5}}, {"pd": 2}, {"delay": 3}, {"warmup": 4}, {"bernoulli": 0.5}]
    pieces += [{"delay": {"own": 0, "neighbours": 3}}, {"cosine": 9}, {"cosine": {"ticks": 9, "floor": 0}}]
    made = load(BASE | {"scheduler": {"with": pieces}, "run": {"seed": 12}}).rule
    assert made.pieces == (
        RMSprop(),
        Adam(0.5),
        PD(2),
        Delay(3),
        Warmup(4),
        Bernoulli(0.5),
        Delay(0, 3),
        Cosine(9),
        Cosine(9, 0),
    )
    assert (made.price_order, made.seed, made.information) == (Bernoulli(0.5), 12, "local")
    assert load(BASE | {"scheduler": {"with": [{"anderson": {"depth": 2}}]}}).rule.information == "global"


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (["sequential", {"bernoulli": 0.5}], "found a second of sequential, random_order and bernoulli; expected one"),
        (["extragradient", {"clip": 0.1}], "found clip after extragradient; expected extragradient as the last piece"),
        (["sequential", "extragradient"], "found sequential beside extragradient; expected one of them"),
        (["anderson", "random_order"], "found random_order beside anderson; expected one of them"),
        ([{"momentum": -1}], "found -1; expected a number above -1"),
        ([{"bernoulli": 0}], "found 0; expected a number above 0"),
        ([{"delay": 0.5}], "found 0.5; expected "),
        ([{"adam": {"beta3": 0.5}}], "unknown key 'beta3'"),
    ],
    ids=str,
)
def test_pieces_that_do_not_go_together_are_refused_in_a_line(pieces: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match="scheduler") as refused:
        load(BASE | {"scheduler": {"with": pieces}})
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
