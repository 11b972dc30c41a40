"""Equilibria with activity levels: how they move with what an economy is made of, and what a change would do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.house import Fragility, Side, Sides, beside, find, load, newton, parameters
from tests.test_levels import CHOICE, FARM, case

STEP = 6e-6
MOVED = [
    ("mpsge", "consumers.RA.endowment.L", 77.0),
    ("mpsge", "firms.X.productivity", 1.0),
    ("varian_18_2", "firms.wheat.productivity", 2.0),
    ("leontief_1966", "consumers.households.endowment.labour", 300.0),
    ("kehoe_1985", "consumers.C3.endowment.G3", 40.0),
    ("shoven_whalley", "firms.manufacturing.productivity", None),
]


def equilibria(data: dict[str, Any], path: str, value: float) -> tuple[Any, Any]:
    scenario = load(data, settings={path: value})
    return scenario.rule.unknowns(scenario.economy), scenario


@pytest.mark.parametrize(("name", "path", "value"), MOVED)
def test_prices_and_levels_move_as_equilibria_solved_again_do(name: str, path: str, value: float | None) -> None:
    data = case(name)
    if value is None:
        (firm,) = (firm for firm in data["firms"] if firm["name"] == path.split(".")[1])
        value = next(iter(firm["technology"].values())).get("productivity", 1.0)
    unknowns, scenario = equilibria(data, path, value)
    found = newton(unknowns, scenario.initial_prices)
    assert found is not None
    sides = [
        Side(known, each.initial_prices)
        for known, each in (equilibria(data, path, value * np.exp(s * STEP)) for s in (-1, 1))
    ]
    ((below, above),) = beside(unknowns, found, [Sides(*sides, 2 * STEP)])
    slopes = (np.log(unknowns.values(above)) - np.log(unknowns.values(below))) / (2 * STEP)
    near = [newton(equilibria(data, path, value * np.exp(s * STEP))[0], unknowns.values(found)) for s in (-1, 1)]
    solved = (np.log(unknowns.values(near[1])) - np.log(unknowns.values(near[0]))) / (2 * STEP)
    np.testing.assert_allclose(slopes, solved, rtol=1e-5, atol=1e-7)
    assert np.abs(slopes).max() > 0.1


@pytest.mark.parametrize("data", [case("mpsge"), FARM, CHOICE], ids=["mpsge", "farm", "choice"])
def test_what_a_change_does_to_prices_is_foreseen(data: dict[str, Any]) -> None:
    scenario = load({**data, "trade": "at_equilibrium"})
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    chosen = parameters(scenario.economy, scenario.markets)
    fragility = Fragility(scenario.economy, scenario.markets, scenario.rule, found, chosen)
    for place in range(len(chosen)):
        theta = np.zeros(len(chosen))
        theta[place] = 1e-5
        moved = fragility.resolved(theta)
        assert moved is not None
        np.testing.assert_allclose(fragility.sensitivity @ theta, moved, atol=1e-9)
