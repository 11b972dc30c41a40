"""Published economies: `solve` finds every equilibrium and no other, at the tolerance to which answers are known."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.house import simulate, solve
from tests.published import PUBLISHED, UTILITIES

PLANNED = {"kantorovich_1939": 260 / 3, "dakota": 280.0, "dantzig": 1.0, "leontief": 1.0}
"""Those that a linear programme plans, and its value."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_equilibrium_is_found_and_no_other(name: str) -> None:
    case = PUBLISHED[name]
    found = solve(case.scenario, settings=case.settings)
    assert found.summary["equilibria"] == len(case.answers), str(found)
    # Where an index is not known nothing tells whether all were found.
    assert not found.summary["missing"] or any(each["index"] == 0 for each in found.summary["found"])
    order = found.prices.iloc[0].sort_values().index
    for number, answer in zip(order, case.answers, strict=True):
        for kind, expected in answer.items():
            values = found.of(kind)[number] if expected else {}
            scale = 1.0
            if case.relative and kind == "price":
                scale = sum(expected.values()) / sum(values[each] for each in expected)
            for each, value in expected.items():
                assert values[each] * scale == pytest.approx(value, rel=case.tolerance, abs=case.tolerance), each
        record = found.summary["found"][number - 1]
        assert max(each["residual"] for each in record["certificate"].values()) < 1e-9
    indices = [found.summary["found"][number - 1]["index"] for number in order]
    assert 0 in indices or tuple(indices) == case.indices


@pytest.mark.parametrize("name", UTILITIES)
def test_its_utility_is_the_published_one(name: str) -> None:
    (utility,) = solve(PUBLISHED[name].scenario).of("utility")[1]
    assert utility == pytest.approx(UTILITIES[name], rel=1e-9)


@pytest.mark.parametrize("name", PLANNED)
def test_the_planners_multipliers_are_the_markets_prices(name: str) -> None:
    case = PUBLISHED[name]
    found = solve(case.scenario, planner=True).summary["planner"]
    assert found["value"] == pytest.approx(PLANNED[name], rel=1e-9)
    assert not found["multiplier_ranges"]
    prices = case.answers[0]["price"]
    scale = sum(prices.values()) / sum(found["multiplier"].values())
    for good, price in prices.items():
        assert found["multiplier"][good] * scale == pytest.approx(price, abs=1e-9), good
    (market,) = found["market"]
    assert market["value"] == pytest.approx(found["value"], rel=1e-9)
    assert market["price_gap"] < 1e-9


def test_a_plan_that_is_not_unique_is_said_to_be_none() -> None:
    solution = solve(PUBLISHED["dantzig"].scenario, planner=True)
    ranges = solution.summary["planner"]["level_ranges"]
    assert {*ranges} == {"seattle_new_york", "san_diego_new_york"}
    np.testing.assert_allclose(ranges["seattle_new_york"], [0, 50], atol=1e-9)
    np.testing.assert_allclose(ranges["san_diego_new_york"], [275, 325], atol=1e-9)
    assert "best plan is not unique" in str(solution)


def test_mpsge_may_also_count_in_incomes() -> None:
    """With an income of 157, and no good's price fixed."""
    found = solve(PUBLISHED["mpsge"].scenario)
    prices = 157 * found.prices[1] / found.of("income")[1]["RA"]
    expected = {"X": 0.99795751, "Y": 1.0075145327, "L": 0.9515151513, "K": 1.0466666667}
    for good, price in expected.items():
        assert prices[good] == pytest.approx(price, abs=1e-7)


@pytest.mark.parametrize("name", ["bazaar", "fisher_ces", "crusoe", "statics", "hosoe", "mpsge"])
def test_a_run_comes_to_rest_there(name: str) -> None:
    case = PUBLISHED[name]
    settings = {"run.tolerance": 1e-10, "run.ticks": 4000, "trade": "at_equilibrium"}
    run = simulate(case.scenario, references=False, settings=settings)
    assert run.summary["outcome"] == "cleared"
    last = run.prices.iloc[-1]
    for good, price in case.answers[0]["price"].items():
        assert last[good] == pytest.approx(price, rel=1e-7), good


def test_the_page_about_them_names_tests_that_there_are() -> None:
    tests = Path(__file__).parent
    page = (tests.parent / "docs" / "reference" / "published.md").read_text(encoding="utf-8")
    rows = [re.findall(r"`(test_\w+\.py)`", line) for line in page.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 18
    assert all(row and all((tests / name).is_file() for name in row) for row in rows)
