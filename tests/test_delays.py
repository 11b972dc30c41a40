"""Markets that hear of other prices later than of their own: each asks for its excess demand at prices of two ages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders import market_of
from tests.house import Delay, Market, Momentum, PriceRule, Scenario, ScenarioError, load, run_to_disk
from tests.test_gradient_path import FISHER, FISHER_WITH_FIRMS, path_of

SCENARIOS = Path(__file__).parents[1] / "scenarios"
TICKS = 40


def scenario(given: Any, form: str, rate: float, *pieces: Any, **changes: Any) -> Scenario:
    return load(given, settings={"scheduler": {"form": form, "rate": rate, "with": list(pieces)}} | changes)


def quoted(of: Scenario, ticks: int = TICKS) -> np.ndarray:
    market, prices = market_of(of), []
    for _ in range(ticks):
        market.advance()
        prices.append(np.array(market.prices))
    return np.array(prices)


def descended(of: Scenario, ticks: int = TICKS) -> np.ndarray:
    path = path_of(of)
    return np.array([path.advance(tick).copy() for tick in range(ticks)])


ROADS: list[Callable[[Scenario], np.ndarray]] = [quoted, descended]


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_both_as_late_is_the_step_as_late_and_not_late_at_all_is_no_delay(form: str, road: Any) -> None:
    rate = {"additive": 0.01, "multiplicative": 0.1}[form]

    def told(*pieces: Any) -> np.ndarray:
        return road(scenario(FISHER_WITH_FIRMS, form, rate, *pieces, {"momentum": 0.4}))

    np.testing.assert_array_equal(told({"delay": {"own": 3, "neighbours": 3}}), told({"delay": 3}))
    np.testing.assert_array_equal(told({"delay": {"own": 0, "neighbours": 0}}), told())
    later = told({"delay": {"own": 2, "neighbours": 5}})
    np.testing.assert_array_equal(later, told({"delay": 2}, {"delay": {"own": 0, "neighbours": 3}}))
    assert np.max(np.abs(later / told({"delay": 2}) - 1)) > 1e-3


STALL: dict[str, Any] = {
    "goods": {"x": {"price": 1.5}, "y": {"price": 0.8}},
    "consumers": [{"name": "one", "utility": {"cobb_douglas": {"x": 1, "y": 2}}, "endowment": {"x": 1, "y": 3}}],
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("form", ["additive", "multiplicative"])
@pytest.mark.parametrize(("own", "neighbours"), [(0, 3), (1, 4), (3, 0), (0, 1), (2, 1)])
def test_two_goods_by_hand(own: int, neighbours: int, form: str, road: Any) -> None:
    """Demand `w_j (p_x + 3 p_y) / p_j` with `w = (1/3, 2/3)`; before the first tick prices were the first ones, and
    steps begin once the fresher of the two has come.
    """
    rate = {"additive": 0.02, "multiplicative": 0.1}[form]
    past = [(1.5, 0.8)]
    for tick in range(TICKS - 1):
        x, y = past[-1]
        if tick >= min(own, neighbours):
            mine, theirs = past[max(tick - own, 0)], past[max(tick - neighbours, 0)]
            demand = (mine[0] + 3 * theirs[1]) / 3 / mine[0], 2 * (theirs[0] + 3 * mine[1]) / 3 / mine[1]
            if form == "additive":
                x, y = x + rate * (demand[0] - 1), y + rate * (demand[1] - 3)
            else:
                x *= np.exp(rate * (demand[0] - 1) / max(demand[0], 1))
                y *= np.exp(rate * (demand[1] - 3) / max(demand[1], 3))
        past.append((x, y))
    found = road(scenario(STALL, form, rate, {"delay": {"own": own, "neighbours": neighbours}}))
    np.testing.assert_allclose(found, past, rtol=1e-12)
    assert np.max(np.abs(found[-1] / found[0] - 1)) > 0.05


def test_a_delay_is_counted_in_ticks_where_prices_take_turns() -> None:
    """What is heard is as old as said, whoever moved since; what waits is the step alone."""
    rule = load(FISHER, settings={"scheduler.with": [{"delay": {"own": 0, "neighbours": 2}}, "sequential"]}).rule
    prices, ones, past = np.array([1.0, 2.0, 3.0]), np.ones(3), list[np.ndarray]()
    memory = rule.start(prices=prices)
    for tick in range(8):
        past.append(prices)
        observed_prices = rule.observed_prices(prices, memory)
        assert observed_prices is not None
        expected = np.tile(past[max(tick - 2, 0)], (3, 1))
        np.fill_diagonal(expected, prices)
        np.testing.assert_array_equal(observed_prices, expected)
        prices, memory = rule.next_prices(prices, ones, ones, memory)


def test_asking_leaves_no_trace_in_what_is_planned_and_traded() -> None:
    """A tick that asks, beside the same tick without: all is the same but the next prices."""
    late = scenario(SCENARIOS / "scarf_traded.yaml", "multiplicative", 0.1, {"delay": {"own": 0, "neighbours": 2}})
    market = market_of(late)
    for _ in range(15):
        market.advance()
    prompt = PriceRule(late.rule.form, late.rule.rate, (), late.rule.floor, late.rule.fixed)
    twin = Market(replace(market.scheduler, rule=prompt), market.economy, market.state.prices)
    twin.state = market.state._replace(memory=prompt.start())
    for each in (market, twin):
        each.advance()
    for name, value in market.last_tick._asdict().items():
        if name != "next_prices":
            np.testing.assert_array_equal(value, getattr(twin.last_tick, name), err_msg=name)
    accounts, others = (np.concatenate(each.state.accounts) for each in (market, twin))
    np.testing.assert_array_equal(accounts, others)
    assert np.max(np.abs(accounts)) > 1e-3
    assert not np.array_equal(market.last_tick.next_prices, twin.last_tick.next_prices)


def test_every_question_is_counted(tmp_path: Path) -> None:
    """One for what is planned and traded, and one for each free price."""
    for pieces, questions in (([], 1), ([{"delay": 2}], 1), ([{"delay": {"own": 0, "neighbours": 2}}], 4)):
        late = scenario(FISHER, "multiplicative", 0.1, *pieces, **{"run.ticks": 30, "run.stop": "never"})
        summary = run_to_disk(late, tmp_path / str(pieces))
        assert summary["evaluations"] == questions * (summary["ticks"] + 1)
        assert late.rule.evaluations == questions


def farthest_at_last(of: Scenario, ticks: int) -> float:
    """How far prices still move in the last tenth of the ticks."""
    last = quoted(of, ticks)[-ticks // 10 :]
    return float(np.max(np.ptp(np.log(last), axis=0)))


def test_old_news_of_others_does_no_harm_where_each_good_answers_most_to_its_own_price() -> None:
    """With complements (elasticity 1/2) a row of the Jacobian in logarithms is dominated by its own price: a
    contraction with neighbours of any age (Chazan, Miranker, 1969). The same delay of the whole step overshoots.
    """
    tastes = {"ces": {"elasticity": 0.5, "shares": {"a": 1, "b": 1, "c": 1}}}
    given: dict[str, Any] = {
        "goods": {"a": {"price": 2}, "b": None, "c": {"price": 0.5}},
        "supply": {"a": 2, "b": 1, "c": 3},
        "consumers": [{"name": "h", "budget": 3, "utility": tastes}],
    }
    late = {"delay": {"own": 0, "neighbours": 20}}
    assert farthest_at_last(scenario(given, "multiplicative", 0.5, late), 1000) < 1e-6
    assert farthest_at_last(scenario(given, "multiplicative", 0.5, {"delay": 20}), 1000) > 0.5


@pytest.mark.parametrize(
    ("delay", "message"),
    [
        ({"neighbours": 1}, "missing key own; expected ticks until"),
        ({"own": 1, "neighbours": -1}, "found -1; expected a number of at least 0"),
        ({"own": 0.5, "neighbours": 1}, "found 0.5; expected a whole number"),
        ("late", "found 'late'; expected ticks or {own, neighbours}"),
        ({"own": 1, "neighbors": 1}, "neighbours"),
    ],
    ids=str,
)
def test_a_delay_that_says_too_little_is_refused_in_a_line(delay: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match="scheduler") as refused:
        load(FISHER, settings={"scheduler.with": [{"delay": delay}]})
    assert message in str(refused.value)


def test_the_first_prices_are_asked_for_where_they_are_needed() -> None:
    floor, free = np.full(3, 1e-12), np.zeros(3, dtype=bool)
    late = PriceRule("additive", 0.1, (Delay(0, 2), Momentum(0.5)), floor, free)
    assert late.lag == (0, 2)
    with pytest.raises(ValueError, match="prices"):
        late.start()
    assert [len(memo) for memo in late.start(prices=np.ones(3))] == [1, 0, 3, 6]
    assert PriceRule("additive", 0.1, (Delay(2), Momentum(0.5)), floor, free).observed_prices(np.ones(3), ()) is None
