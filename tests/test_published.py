"""Published economies: `solve` finds every equilibrium and no other, at the tolerance to which answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.house import solve
from tests.published import PLANNED, PUBLISHED, Case


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_equilibrium_is_found_and_no_other(name: str) -> None:
    case = PUBLISHED[name]
    found = solve(case.scenario)
    assert found.summary["equilibria"] == len(case.answers)
    first = found.prices.index[0]
    order = found.prices.loc[first].sort_values().index
    for number, answer in zip(order, case.answers, strict=True):
        for kind, expected in answer.items():
            values = found.of(kind)[number]
            if case.relative and kind == "price":
                values = values * (sum(expected.values()) / values[list(expected)].sum())
            np.testing.assert_allclose(
                [values[each] for each in expected],
                [*expected.values()],
                rtol=case.tolerance,
                atol=case.tolerance,
                err_msg=f"{kind} {number}",
            )
    records = {record["equilibrium"]: record for record in found.summary["found"]}
    for number in order:
        worst = {condition: each["residual"] for condition, each in records[number]["certificate"].items()}
        assert all(residual < 1e-9 for residual in worst.values()), worst
    if all(records[number]["index"] for number in order):
        assert [records[number]["index"] for number in order] == [*case.indices]
    assert not found.summary["missing"]


def optimum_of(case: Case) -> dict:
    return solve(case.scenario, planner=True).summary["planner"]


@pytest.mark.parametrize("name", PLANNED)
def test_the_planners_multipliers_are_the_markets_prices(name: str) -> None:
    case = PLANNED[name]
    found = solve(case.scenario, planner=True).summary["planner"]
    assert found["value"] == pytest.approx(case.value, rel=1e-9)
    for good, multiplier in case.multipliers.items():
        assert found["multiplier"][good] == pytest.approx(multiplier, abs=1e-9), good
    assert not found["multiplier_ranges"]
    (market,) = found["market"]
    assert market["value_gap"] < 1e-9
    assert market["price_gap"] < 1e-9


def test_a_plan_that_is_not_unique_is_said_to_be_none() -> None:
    solution = solve(PLANNED["dantzig"].scenario, planner=True)
    ranges = solution.summary["planner"]["level_ranges"]
    assert ranges["seattle_to_new_york"] == pytest.approx([0, 50])
    assert ranges["san_diego_to_new_york"] == pytest.approx([275, 325])
    assert "best plan is not unique" in str(solution)
