"""Published economies of constant returns: at the published prices and levels nobody gains and every market clears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house import load

CASES = Path(__file__).parent / "cases"
PUBLISHED: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "kehoe_1985-1": (
        {"G1": 0.637688256185, "G2": 1, "G3": 0.154605931099, "G4": 2.20770581272},
        {"A1": 4.27012831453, "A2": 8.11980346762},
    ),
    "kehoe_1985-2": (dict.fromkeys(("G1", "G2", "G3", "G4"), 1.0), {"A1": 5.2, "A2": 6.9}),
    "kehoe_1985-3": (
        {"G1": 1.10054482652, "G2": 1, "G3": 1.23460459522, "G4": 0.664850578262},
        {"A1": 5.31801324979, "A2": 6.51481514906},
    ),
    "varian_18_2": ({"wheat": 1 / 2, "iron": 1 / 3, "labour": 1}, {"wheat": 18, "iron": 33}),
    "kantorovich_1939": (
        {"part_a": 2 / 3, "part_b": 1 / 3, "milling": 20 / 3, "turret_lathe": 40 / 3, "automatic": 80 / 3},
        {
            **{"milling_a": 8 / 3, "milling_b": 1 / 3, "turret_lathe_a": 3, "turret_lathe_b": 0},
            **{"automatic_a": 0, "automatic_b": 1},
        },
    ),
    "leontief_1966": ({"wheat": 2, "cloth": 5, "labour": 1}, {"wheat": 100, "cloth": 50}),
    "dakota": (
        {"money": 1, "lumber": 0, "finishing": 10, "carpentry": 10},
        {"desk": 2, "table": 0, "chair": 8},
    ),
    "dantzig": (
        {"money": 1, "seattle": 0, "san_diego": 0, "new_york": 0.225, "chicago": 0.153, "topeka": 0.126},
        {
            **{"seattle_new_york": 50, "seattle_chicago": 300, "seattle_topeka": 0},
            **{"san_diego_new_york": 275, "san_diego_chicago": 0, "san_diego_topeka": 275},
        },
    ),
    "hosoe": ({"BRD": 1, "MLK": 1, "CAP": 1, "LAB": 1}, {"BRD": 1, "MLK": 1}),
    "mpsge": (
        {"X": 1.04880884817, "Y": 1.05885285292, "U": 1.05214621878, "L": 1, "K": 1.1},
        {"X": 1.04880884817, "Y": 1.03886011825, "U": 1.04548206358},
    ),
    "shoven_whalley": (
        {"manufacturing": 1.39911066223, "nonmanufacturing": 1.09307648001, "capital": 1.37347114698, "labour": 1},
        {"manufacturing": 24.9424728662, "nonmanufacturing": 54.3781702672},
    ),
    "network": (
        {"one": 23.307261263, "two": 21.72793142, "three": 23.471374919, "labour": 1},
        {"one": 0.0423818511708, "two": 0.0376047381104, "three": 0.0296157320829},
    ),
    "jones": ({"one": 1, "two": 1, "labour": 1, "capital": 1}, {"one": 80, "two": 110}),
}
UTILITIES = {"hosoe": 1.0, "kantorovich_1939": 260 / 3, "dakota": 280.0, "dantzig": 1.0}


def at_published(case: str) -> tuple[Any, Any, list[float]]:
    economy = load(CASES / f"{case.partition('-')[0]}.yaml").economy
    prices, levels = PUBLISHED[case]
    level = [float(levels[firm.name]) for firm in economy.firms]
    return (
        economy,
        economy.balance(np.array([prices[g] for g in economy.goods], dtype=float), levels=np.array(level)),
        level,
    )


@pytest.mark.parametrize("case", PUBLISHED)
def test_the_published_equilibrium_is_one(case: str) -> None:
    economy, balance, level = at_published(case)
    turnover = np.maximum(balance.demand, balance.supply)
    excess = np.where(economy.is_outside, 0.0, (balance.demand - balance.supply) / turnover)
    np.testing.assert_allclose(excess[balance.prices > 0], 0.0, atol=1e-9)
    assert (excess <= 1e-9).all()
    profits = np.asarray(balance.unit_profits)
    assert (profits <= 1e-9).all()
    np.testing.assert_allclose(profits[np.array(level) > 0], 0.0, atol=1e-9)


@pytest.mark.parametrize("case", UTILITIES)
def test_and_utility_is_the_published_one(case: str) -> None:
    economy, balance, _ = at_published(case)
    (cohort,) = economy.consumers
    utility = cohort.utility.utility(balance.consumption, balance.incomes[0])
    assert utility.item() == pytest.approx(UTILITIES[case], rel=1e-9)
