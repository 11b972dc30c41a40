"""Every rule finds the bottom of a convex economy: an equilibrium that Newton's method finds without it.

A row for every piece that knows no more than its own market, and for every famous rule. A new one without a row fails.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.economies import QUASI_LINEAR
from tests.house import PIECES, RECIPES, Simulation, find, load

FISHER = Path(__file__).parents[1] / "scenarios" / "fisher.yaml"
ECONOMIES: dict[str, Any] = {"fisher": FISHER, "bakery": QUASI_LINEAR}
TICKS = 4000


class Row(NamedTuple):
    """A scheduler, and how near in `ln p` it comes within 4,000 ticks."""

    scheduler: dict[str, Any]
    within: float = 1e-8


def pieces(rate: float, *given: Any, form: str = "multiplicative", within: float = 1e-8) -> Row:
    return Row({"form": form, "rate": rate, "with": list(given)}, within)


def famous(name: str, rate: float, within: float = 1e-8) -> tuple[str, Row]:
    return name, Row({"rule": name, "rate": rate}, within)


FIRST_ORDER: dict[str, list[Row]] = {
    "relative": [pieces(0.3, "relative", form="additive")],
    "own_slope": [pieces(1.0, "own_slope"), pieces(0.5, "own_slope", form="additive")],
    "clip": [pieces(0.3, {"clip": 0.1}), pieces(0.02, {"clip": 0.05}, form="additive")],
    "momentum": [pieces(0.1, {"momentum": 0.7}), pieces(0.1, {"momentum": -0.5})],
    "nesterov": [pieces(0.1, {"nesterov": 0.7})],
    "rmsprop": [pieces(0.02, {"rmsprop": {"epsilon": 0.1}})],
    # Steps that never shrink hover in their size: the usual epsilon needs a rate that falls.
    "adam": [pieces(0.03, {"adam": {"epsilon": 0.1}}), pieces(0.03, "adam", {"decay": {"power": 1, "over": 300}})],
    "pd": [pieces(0.2, {"pd": 0.5})],
    "extragradient": [pieces(0.5, "extragradient")],
    # The mean of all iterates forgets its beginning like 1/t.
    "averaging": [pieces(0.5, "averaging", within=1e-2)],
    "delay": [pieces(0.05, {"delay": 2}), pieces(0.3, {"delay": {"own": 0, "neighbours": 3}})],
    "decay": [pieces(0.6, {"decay": 0.2})],
    "warmup": [pieces(0.3, {"warmup": 20})],
    "cosine": [pieces(0.5, {"cosine": 50})],
    "sequential": [pieces(0.3, "sequential")],
    "random_order": [pieces(0.3, "random_order")],
    "bernoulli": [pieces(0.3, {"bernoulli": 0.5})],
}
FAMOUS = dict(
    (
        famous("walras", 0.05),
        famous("cole_fleischer", 0.3),
        famous("heavy_ball", 0.003),
        # A gap closes like `t^-(rate * slope)`: with a rate that is no longer than the first step may be, hardly.
        famous("robbins_monro", 0.08, within=0.3),
        famous("subgradient", 0.1, within=1e-3),
        famous("jacobi_newton", 1.0),
        famous("gauss_seidel", 1.0),
        famous("nesterov", 0.01),
        famous("rmsprop", 0.02),
        famous("adam", 0.03),
        famous("optimistic", 0.01),
        famous("extragradient", 0.05),
        famous("negative_momentum", 0.2),
        famous("primal_averaging", 0.05, within=1e-2),
        famous("anderson", 0.3),
        famous("newton", 1.0),
        famous("symplectic", 0.3),
        famous("consensus", 0.02, within=1e-4),
    )
)
ROWS = {f"{name}-{at}": row for name, rows in FIRST_ORDER.items() for at, row in enumerate(rows)} | FAMOUS


def test_every_rule_has_a_row() -> None:
    assert set(FIRST_ORDER) == {name for name, piece in PIECES.items() if piece.information != "global"}
    assert set(FAMOUS) == set(RECIPES)
    for name, rows in FIRST_ORDER.items():
        assert all(name in str(row.scheduler["with"]) for row in rows)


@pytest.mark.parametrize("economy", ["fisher", pytest.param("bakery", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ROWS)
def test_every_rule_finds_the_bottom_of_a_convex_economy(name: str, economy: str) -> None:
    row = ROWS[name]
    run = {"run.ticks": TICKS, "run.tolerance": row.within / 100, "run.references": "off", "run.record_every": TICKS}
    settings = {"scheduler": row.scheduler, "trade": "at_equilibrium"} | run
    scenario = load(ECONOMIES[economy], settings=settings)
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    far = float(np.max(np.abs(np.log(scenario.initial_prices / found.prices))))
    simulation = Simulation(scenario)
    for _ in simulation.ticks():
        pass
    gap = float(np.max(np.abs(np.log(simulation.market.last_tick.prices / found.prices))))
    assert gap <= row.within < far
