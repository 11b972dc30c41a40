"""Parameters from observed equilibria: what was computed is found again, and what the data do not tell is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fits import ByDifferences
from simulator import Fit, fit, load
from tests.house import (
    FitModel,
    Search,
    find,
    load_fit,
    observable,
    place_of,
)

ROOT = Path(__file__).resolve().parent.parent
STUDIES = ROOT / "scenarios" / "studies"
STATICS = {
    "name": "statics",
    "goods": ["x", "y"],
    "consumers": [
        {"name": "c0", "endowment": {"x": 1, "y": 2}, "utility": {"cobb_douglas": {"x": 0.3, "y": 0.7}}},
        {"name": "c1", "endowment": {"x": 2, "y": 1}, "utility": {"cobb_douglas": {"x": 0.6, "y": 0.4}}},
    ],
}
"""Mas-Colell, Whinston and Green, 15.B.1: `p_x / p_y = sum a_k e_ky / sum (1 - a_k) e_kx`."""
SHARES = {"bread": 0.5, "wine": 0.3, "cloth": 0.2}
BUYERS = {
    "name": "buyers",
    "goods": ["bread", "wine", "cloth"],
    "supply": {"bread": 10, "wine": 5, "cloth": 2},
    "consumers": [
        {"name": "all", "budget": 12, "utility": {"cobb_douglas": {"bread": 0.5, "wine": 0.3, "cloth": 0.2}}}
    ],
}
"""Fisher's market of one buyer: `p_g = budget share_g / supply_g`."""
LITTLE = (12 / 37) ** 3
ENDS = {
    "name": "ends",
    "goods": ["x1", "x2"],
    "consumers": [
        {
            "name": "one",
            "endowment": {"x1": 1},
            "utility": {"ces": {"rho": -2, "weights": {"x1": 1, "x2": LITTLE}}},
        },
        {
            "name": "two",
            "endowment": {"x2": 1},
            "utility": {"ces": {"rho": -2, "weights": {"x1": LITTLE, "x2": 1}}},
        },
    ],
}
"""Mas-Colell, Whinston and Green, exercise 15.B.6: three equilibria, `p_1 / p_2 = 27/64, 1, 64/27`."""
FISHER = {
    "name": "fisher_ces",
    "goods": ["a", "b", "c"],
    "supply": {"a": 1, "b": 1, "c": 1},
}


def rows(*cells: object) -> str:
    """A CSV file of data: quantities with their values, in one case."""
    pairs = zip(cells[::2], cells[1::2], strict=True)
    return "quantity,value\n" + "".join(f"{quantity},{value}\n" for quantity, value in pairs)


def written(folder: Path, data: str, free: dict[str, Any], cases: str = "", **study: Any) -> dict[str, Any]:
    """A study whose files lie in a folder."""
    (folder / "data.csv").write_text(data)
    (folder / "cases.csv").write_text(cases)
    files = {"data": str(folder / "data.csv")} | ({"cases": str(folder / "cases.csv")} if cases else {})
    return {**files, "free": free, "starts": 1, **study}


def estimates(found: Fit, column: str = "estimate") -> dict[str, float]:
    return dict(zip(found.estimates["path"], found.estimates[column], strict=True))


def test_the_shipped_study_finds_what_its_data_were_made_of() -> None:
    found = fit(STUDIES / "harvests.yaml")
    truth = np.array([0.6, 0.5, 0.3, 0.2])
    assert ((found.estimates["low"] < truth) & (truth < found.estimates["high"])).all()
    assert found.estimates["estimate"].to_numpy() == pytest.approx(truth, rel=0.05)
    assert [minimum["starts"] for minimum in found.summary["minima"]] == [8]


def test_shares_are_found_from_prices_in_closed_form(tmp_path: Path) -> None:
    def price(a0: float, a1: float, e0x: float, e1y: float) -> float:
        return (a0 * 2 + a1 * e1y) / ((1 - a0) * e0x + (1 - a1) * 2)

    data, cases = "case,quantity,value\n", "case,path,value\n"
    for case, e0x, e1y in (("a", 1.0, 1.0), ("b", 1.5, 1.0), ("c", 1.0, 3.0)):
        coin = {"a": 1.0, "b": 7.0, "c": 0.2}[case]
        data += f"{case},price.x,{coin * price(0.45, 0.25, e0x, e1y)!r}\n{case},price.y,{coin}\n"
        cases += f"{case},consumers.c0.endowment.x,{e0x}\n{case},consumers.c1.endowment.y,{e1y}\n"
    free = {f"consumers.{name}.utility.cobb_douglas": "simplex" for name in ("c0", "c1")}
    found = fit(written(tmp_path, data, free, cases, scenario=STATICS, starts=3))
    assert list(estimates(found).values()) == pytest.approx([0.45, 0.55, 0.25, 0.75], rel=1e-8)
    assert found.summary["factors"] == 3
    assert found.summary["degrees_of_freedom"] == 6 - 3 - 2
    assert found.summary["cost"] < 1e-18


@pytest.mark.parametrize("ratio", [27 / 64, 64 / 27])
def test_of_several_equilibria_the_nearest_counts(tmp_path: Path, ratio: float) -> None:
    """A published case: at the price of either outer equilibrium the weight is found that it was published with."""
    data = rows("price.x1", ratio, "price.x2", 1.0)
    free = {"consumers.one.utility.ces.weights.x2": {"start": 0.033, "bounds": [0.01, 0.1]}}
    found = fit(written(tmp_path, data, free, scenario=ENDS))
    assert found.estimates["estimate"][0] == pytest.approx(LITTLE, rel=1e-7)


def test_several_minima_are_told_with_their_starts(tmp_path: Path) -> None:
    """A firm uses `x = (k A p / w)^(1/(1-k))`, which rises and falls with `k`: two exponents use as much."""
    firm = {
        "name": "mill",
        "technology": {"cobb_douglas": {"output": "flour", "productivity": 0.5, "inputs": {"grain": 0.1}}},
    }
    scenario = {"name": "mill", "goods": ["grain", "flour"], "outside": {"grain": 1, "flour": 1}, "firms": [firm]}
    k = 0.15
    used = (k * 0.5) ** (1 / (1 - k))
    path = "firms.mill.technology.cobb_douglas.inputs.grain"
    study = written(
        tmp_path, rows("firms.mill.input.grain", used), {path: {"bounds": [0.01, 0.9]}}, scenario=scenario, starts=12
    )
    found = fit(study)
    minima = found.summary["minima"]
    assert len(minima) == 2
    assert sum(each["starts"] for each in minima) == 12
    for each in minima:
        exponent = each["estimates"][path]
        assert (exponent * 0.5) ** (1 / (1 - exponent)) == pytest.approx(used, rel=1e-6)


PATHS = {
    "village": ["supply.wine", "consumers.families.utility.cobb_douglas.cloth"],
    "crusoe": ["consumers.crusoe.endowment.labour", "consumers.crusoe.utility.cobb_douglas"],
    "energy": [
        "supply.oil",
        "firms.mills.technology.ces.elasticity",
        "firms.mills.technology.ces.returns_to_scale",
    ],
    "subsistence": [
        "firms.bakery.technology.power.inputs.labour",
        "firms.bakery.productivity",
        "consumers.poor.utility.stone_geary.subsistence.bread",
        "consumers.rich.utility.stone_geary.shares",
        "consumers.rich.endowment.labour.uniform.0",
    ],
    "bazaar": ["consumers.consumer1.endowment.payoff3", "consumers.consumer2.utility.cobb_douglas"],
    "blueprint_saddle": ["supply.labour", "firms.mill.productivity", "firms.carmaker.technology.cobb_douglas.inputs"],
}


def everything(name: str, folder: Path) -> dict[str, Any]:
    """A study of a shipped scenario in which all is observed that is there."""
    scenario = load(ROOT / "scenarios" / f"{name}.yaml")
    goods, economy = scenario.markets.goods, scenario.economy
    names = [f"{what}.{good}" for what in ("price", "demand", "supply") for good in goods]
    names += [f"consumers.{each.name}.consumption.{good}" for each in economy.consumers for good in goods]
    names += [f"firms.{each.name}.input.{good}" for each in economy.firms for good in goods]
    names += [f"firms.{each.name}.output.{scenario.markets.name_of(each.outputs[0])}" for each in economy.firms]
    found = find(economy, scenario.rule, [scenario.initial_prices])[0]
    values = observable(economy, scenario.markets, found.balance)
    places = [place_of(economy, scenario.markets, each) for each in names]
    seen = [each for each, place in zip(names, places, strict=True) if values[int(place)] > 1e-6]
    shares = (".cobb_douglas", ".shares", ".inputs")
    free = {path: "simplex" if path.endswith(shares) else {} for path in PATHS[name]}
    data = rows(*(cell for each in seen for cell in (each, 1.0)))
    return written(folder, data, free, scenario=str(ROOT / "scenarios" / f"{name}.yaml"))


@pytest.mark.parametrize("name", PATHS)
def test_the_jacobian_agrees_with_equilibria_solved_again(name: str, tmp_path: Path) -> None:
    """Two roads: implicit differentiation, and central differences of equilibria of changed scenarios."""
    model = FitModel(load_fit(everything(name, tmp_path)))
    point = model.searched(model.study.free.start)
    assert not isinstance(point, str)
    implicit, solved = (kind(model).jacobian(point) for kind in (Search, ByDifferences))
    assert np.abs(solved).max(axis=0).min() > 1e-3
    assert implicit == pytest.approx(solved, rel=1e-6, abs=1e-7)
