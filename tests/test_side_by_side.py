"""Runs side by side along a leading axis: each is what it would be alone, whichever others stand beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders import market_of
from tests.economies import TAXED
from tests.house import MOST_LINES, InRuns, SideBySide, Tatonnement, load, traced_or_called

SCENARIOS = Path(__file__).parents[1] / "scenarios"
KEEP = ("prices", "residual", "demand", "consumption", "money")
SHIPPED = [path.stem for path in sorted(SCENARIOS.glob("*.yaml")) if path.stem not in ("town", "energy", "fish_market")]
"""All but those of crowds, whose runs are worked out one after another."""


ADJUSTING = {"name": "t", "on": "sales", "good": "bread", "to": "state"} | {
    "rate": {"adjust": {"keep": "consumers.rich.utility", "at": 1, "speed": -0.02}}
}


@pytest.mark.parametrize("name", [*SHIPPED, "taxed"])
def test_runs_of_a_scenario_go_as_each_would_alone(name: str) -> None:
    taxed = {**TAXED, "taxes": [*TAXED["taxes"], ADJUSTING]}
    scenario = load(taxed if name == "taxed" else SCENARIOS / f"{name}.yaml")
    market, scheduler = market_of(scenario), scenario.scheduler
    if not isinstance(scheduler, Tatonnement):
        return
    economy, prices = market.economy, np.asarray(scenario.initial_prices)
    starts = prices * np.exp(np.random.default_rng(1).uniform(-0.4, 0.4, (4, len(prices))))
    starts[:, scheduler.rule.fixed] = prices[scheduler.rule.fixed]
    together = SideBySide(scheduler, economy, starts, scenario.run.seed, KEEP)
    few = SideBySide(scheduler, economy, starts[2:], scenario.run.seed, KEEP)
    states = [scheduler.start(economy, start, scenario.run.seed) for start in starts]
    alone = scheduler.traceable(economy)
    for _ in range(8):
        kept, of_few = together.advance(), few.advance()
        with np.errstate(all="ignore"):
            ticks = [alone(state)[1] for state in states]
            states = [alone(state)[0] for state in states]
        for field, values, others in zip(KEEP, kept, of_few, strict=True):
            expected = np.stack([getattr(tick, field) for tick in ticks])
            size = np.abs(np.nan_to_num(expected)).max(initial=1.0)
            np.testing.assert_allclose(values, expected, rtol=1e-11, atol=1e-12 * size, err_msg=field)
            np.testing.assert_array_equal(values[2:], others, err_msg=field)


def test_runs_for_which_another_answer_holds_go_by_themselves() -> None:
    def function(given: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        (x,) = given
        some = x * 2.0 if x.sum() > 0 else -x if x.min() > -2 else x
        return some, np.zeros(2), x[:0]

    runs = np.array([[1.0, 2.0], [-1.0, 0.5], [-3.0, 1.0], [4.0, 4.0]])
    doubled, nothing, empty = InRuns(function)((runs,))
    np.testing.assert_array_equal(doubled, [[2.0, 4.0], [1.0, -0.5], [-3.0, 1.0], [8.0, 8.0]])
    assert nothing.shape == (4, 2)
    assert empty.shape == (4, 0)


def test_how_many_hold_is_a_number_in_runs_too() -> None:
    """Two arrays of flags that are added are one of flags."""
    runs = np.array([[1.0, 2.0], [-1.0, 0.5], [3.0, 1.0]])
    (each, alike) = InRuns(lambda given: ((given[0] > 0).sum(), np.sum(given[0] > 0, axis=-1)))((runs,))
    np.testing.assert_array_equal(each, [2, 1, 2])
    np.testing.assert_array_equal(alike, [2, 1, 2])


def test_what_cannot_be_traced_is_worked_out_one_after_another() -> None:
    def function(given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (np.array([float(given[0][0])]),)

    (first,) = InRuns(function)((np.array([[1.0, 2.0], [3.0, 4.0]]),))
    np.testing.assert_array_equal(first, [[1.0], [3.0]])


def test_what_counts_stays_whole_in_a_called_function() -> None:
    def function(given: tuple[Any, ...]) -> tuple[Any, ...]:
        count, x = given
        return count + 1, np.array([float(each) for each in x])[: int(count[0])]

    called = traced_or_called(function, "so many")
    runs = InRuns(lambda given: called(given))
    counts, first = runs((np.array([[2], [2]]), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])))
    np.testing.assert_array_equal(counts, [[3], [3]])
    assert counts.dtype.kind == "i"
    np.testing.assert_array_equal(first, [[1.0, 2.0], [4.0, 5.0]])


def test_what_counts_stays_whole_in_a_traced_function() -> None:
    """It may be what a later tick takes parts of arrays by."""
    (count, x) = InRuns(lambda given: (given[0] + 1, given[1] * 2.0))((np.array([2, 2]), np.ones((2, 3))))
    np.testing.assert_array_equal(count, [3, 3])
    assert (count.dtype.kind, x.dtype.kind) == ("i", "f")


def test_no_more_than_so_many_lines_are_kept() -> None:
    def function(given: Any) -> Any:
        return tuple(1.0 if each > 0 else -1.0 for each in given[0])

    runs = InRuns(function)
    rows = np.array([[(1.0 if number >> bit & 1 else -1.0) for bit in range(7)] for number in range(128)])
    np.testing.assert_array_equal(np.stack(runs((rows,)), axis=1), rows)
    assert len(runs._lines) == MOST_LINES
    np.testing.assert_array_equal(np.stack(runs((rows[::-1],)), axis=1), rows[::-1])
