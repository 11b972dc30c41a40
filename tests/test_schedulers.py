"""What holds of every scheduler: a pure step, a state that is the checkpoint, columns found by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders import cohorts_of, market_of
from tests.house import SCHEDULERS, Column, Market, Transition, columns, flatten, load, simulate, unflatten

SCENARIOS = Path(__file__).parents[1] / "scenarios"
EACH = {
    "tatonnement": ("crusoe", "scarf_traded", "tupperware", "perfect_substitutes", "bazaar", "tree_saddle"),
    "marginal_bids": ("essay_program",),
    "market_maker": ("prediction_market",),
    "learning": ("xor", "xor_perceptron_one"),
    "trading_post": ("money_taken",),
}
NAMES = [(kind, name) for kind, names in EACH.items() for name in names]


def assert_same(one: Any, other: Any) -> None:
    """Two states or ticks are equal to the last bit."""
    left, right = flatten(one), flatten(other)
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def after(name: str, ticks: int) -> Market:
    market = market_of(load(SCENARIOS / f"{name}.yaml"))
    for _ in range(ticks):
        market.advance()
    return market


def test_every_scheduler_is_asked_here() -> None:
    assert set(EACH) == set(SCHEDULERS)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_step_is_a_function_of_economy_and_state(kind: str, name: str) -> None:
    market = after(name, 7)
    assert market.scheduler.kind == kind
    kept = flatten(market.state)
    before = {key: value.copy() for key, value in kept.items()}
    first, again = (market.scheduler.step(market.economy, market.state) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert_same(one, other)
    for key, value in kept.items():
        np.testing.assert_array_equal(value, before[key], err_msg=key)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_state_is_the_checkpoint(kind: str, name: str) -> None:
    whole, resumed = after(name, 12), after(name, 0)
    resumed.state = unflatten(resumed.state, flatten(after(name, 5).state))
    for _ in range(7):
        resumed.advance()
    assert_same(resumed.state, whole.state)
    assert_same(resumed.last_tick, whole.last_tick)


@pytest.mark.parametrize("name", EACH["tatonnement"])
def test_no_question_changes_the_next_tick(name: str) -> None:
    """A market that is asked what was done, or would be done elsewhere, goes on as if nobody had asked."""
    asked, alone = after(name, 5), after(name, 5)
    for _ in range(3):
        for cohort in cohorts_of(asked):
            cohort.totals(None, objective=True)
            cohort.statistics()
        elsewhere = asked.state._replace(prices=2.0 * np.asarray(asked.state.prices))
        asked.scheduler.step(asked.economy, elsewhere)
        asked.scheduler.settle_at_equilibrium(asked.transition)
        for market in (asked, alone):
            market.advance()
        assert_same(asked.last_tick, alone.last_tick)
        assert_same(asked.state, alone.state)


@pytest.mark.parametrize("name", ["crusoe", "scarf_traded", "perfect_substitutes"])
def test_what_members_did_is_the_same_remembered_or_worked_out_again(name: str) -> None:
    """The bundles of the last tick are kept; those of an earlier one follow from its prices and accounts."""
    market = after(name, 9)
    kept, remembered = market.transition, [cohort.totals(None, objective=True) for cohort in cohorts_of(market)]
    market.advance()
    again = [cohort.totals(None, objective=True) for cohort in market.scheduler.cohorts(kept)]
    for one, other in zip(remembered, again, strict=True):
        for left, right in zip((*one[:3], *one.worth), (*other[:3], *other.worth), strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_column_put_anywhere_in_its_table_stands_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = simulate(SCENARIOS / "bazaar.yaml", ticks=5)
    twice = Column("twice", "numeraire per unit", "twice the price", lambda known: 2.0 * known["price"])
    for place in (0, 3, len(columns.TRAJECTORY)):
        table = (*columns.TRAJECTORY[:place], twice, *columns.TRAJECTORY[place:])
        with monkeypatch.context() as patch:
            patch.setattr(columns, "TRAJECTORY", table)
            run = simulate(SCENARIOS / "bazaar.yaml", ticks=5)
        np.testing.assert_array_equal(run.trajectory["twice"], 2.0 * plain.trajectory["price"])
        for column in plain.trajectory.columns:
            assert run.trajectory[column].equals(plain.trajectory[column]), column


def test_a_shock_hands_the_same_state_another_economy() -> None:
    struck = [{"tick": 20, "set": {"supply.natgas": 2}}]
    scenario = load(SCENARIOS / "tupperware.yaml", settings={"shocks": struck})
    market = market_of(scenario)
    for _ in range(20):
        market.advance()
    state = market.state
    market.economy = scenario.regimes[1].economy
    market.advance()
    assert isinstance(market.transition, Transition)
    assert market.transition.before is state
    np.testing.assert_array_equal(market.prices, np.asarray(state.prices))
