"""Parameters from observed equilibria: what was computed is found again, and what the data do not tell is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fits import ByDifferences
from simulator import Fit, ScenarioError, fit, load, solve
from tests.economies import TAXED
from tests.house import (
    FitModel,
    RunFolderError,
    Search,
    find,
    load_fit,
    observable,
    place_of,
)
from tests.program import simulator

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


@pytest.mark.parametrize("start", [0.033, 0.1])
@pytest.mark.parametrize("ratio", [27 / 64, 64 / 27])
def test_of_several_equilibria_the_nearest_counts(tmp_path: Path, ratio: float, start: float) -> None:
    """A published case: at the price of either outer equilibrium the weight is found that it was published with. From
    the larger start, where there is one equilibrium, Newton's method follows another branch than that.
    """
    data = rows("price.x1", ratio, "price.x2", 1.0)
    free = {"consumers.one.utility.ces.weights.x2": {"start": start, "bounds": [0.01, 0.5]}}
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


def test_the_jacobian_of_many_cases_agrees_with_equilibria_solved_again(tmp_path: Path) -> None:
    """Cases that differ in amounts share the economies beside them; those that differ in tastes or firms do not. The
    names are such that a path of one looks like that of another.
    """
    shares = {"bread": 0.5, "wine": 0.3, "work": 0.2}
    scenario = {
        "name": "shared",
        "goods": ["bread", "wine", "work"],
        "supply": {"wine": 1.0},
        "firms": [
            {
                "name": "mill.utility",
                "technology": {"power": {"output": "bread", "productivity": 1.5, "inputs": {"work": 0.5}}},
            }
        ],
        "consumers": [
            {"name": "a", "endowment": {"work": 2, "wine": 1}, "utility": {"ces": {"elasticity": 2, "shares": shares}}},
            {
                "name": "b.utility",
                "budget": 3,
                "endowment": {"work": 1, "bread": 1},
                "owns": {"mill.utility": 1},
                "utility": {"ces": {"elasticity": 0.5, "shares": shares}},
            },
        ],
    }
    cases = """case,path,value
amounts,consumers.a.endowment.work,3
more,consumers.b.utility.endowment.work,4
more,supply.wine,2
taste,consumers.a.utility.ces.shares.wine,0.1
firm,firms.mill.utility.productivity,3
budget,consumers.b.utility.budget,1
"""
    names = ("as it is", "amounts", "more", "taste", "firm", "budget")
    seen = [f"{case},price.{good},1\n" for case in names for good in shares]
    free: dict[str, Any] = {
        "consumers.a.utility.ces.elasticity": {},
        "consumers.a.endowment.wine": {},
        "consumers.b.utility.utility.ces.elasticity": {},
        "consumers.b.utility.endowment.bread": {},
        "firms.mill.utility.technology.power.inputs.work": {},
    }
    study = written(tmp_path, "case,quantity,value\n" + "".join(seen), free, cases, scenario=scenario)
    model = FitModel(load_fit(study))
    point = model.searched(model.study.free.start)
    assert not isinstance(point, str)
    implicit, solved = (kind(model).jacobian(point) for kind in (Search, ByDifferences))
    assert np.abs(solved).max(axis=0).min() > 1e-3
    assert implicit == pytest.approx(solved, rel=1e-6, abs=1e-7)


def test_published_prices_give_back_the_elasticity(tmp_path: Path) -> None:
    """A Fisher market of three buyers, `rho = 1/2`, whose prices were computed elsewhere."""
    weights = ([1, 2, 1], [3, 1, 1], [1, 1, 4])
    people = [
        {
            "name": f"b{k}",
            "budget": budget,
            "utility": {"ces": {"rho": 0.5, "weights": dict(zip("xyz", w, strict=True))}},
        }
        for k, (budget, w) in enumerate(zip((10, 20, 30), weights, strict=True))
    ]
    scenario = {"name": "fisher", "goods": ["x", "y", "z"], "supply": dict.fromkeys("xyz", 1), "consumers": people}
    prices = {"x": 19.5602184133, "y": 13.4317969178, "z": 27.0079846689}
    data = rows(*(cell for good, price in prices.items() for cell in (f"price.{good}", price)))
    free = {"consumers.b0.utility.ces.rho": {"start": 0.2, "bounds": [-2, 0.9]}, "consumers.b2.budget": {"start": 10.0}}
    found = fit(written(tmp_path, data, free, scenario=scenario))
    assert list(estimates(found).values()) == pytest.approx([0.5, 30.0], rel=1e-8)


def test_crusoe_is_told_by_his_price_and_his_work(tmp_path: Path) -> None:
    """One firm with decreasing returns (Mas-Colell, Whinston and Green, 15.C): `p = 2 / sqrt 3`, a third is worked."""
    firms = [
        {"name": "farm", "technology": {"power": {"output": "food", "productivity": 1.5, "inputs": {"labour": 0.5}}}}
    ]
    crusoe = {
        "utility": {"cobb_douglas": {"food": 0.7, "labour": 0.3}},
        "endowment": {"labour": 1},
        "owns": {"farm": 1},
    }
    scenario = {
        "name": "island",
        "goods": ["labour", "food"],
        "numeraire": "labour",
        "firms": firms,
        "consumers": [{"name": "crusoe", **crusoe}],
    }
    data = rows("price.food", 5 * 2 / 3**0.5, "price.labour", 5, "firms.farm.input.labour", 1 / 3)
    free: dict[str, Any] = {"consumers.crusoe.utility.cobb_douglas": "simplex", "firms.farm.productivity": {}}
    found = fit(written(tmp_path, data, free, scenario=scenario))
    assert list(estimates(found).values()) == pytest.approx([0.5, 0.5, 1.0], rel=1e-8)


# Covariance, in closed form: a logarithm that is regressed on a constant.


def prices_of_bread(*values: float, weights: tuple[float, ...] = ()) -> str:
    cells = zip(values, weights or (1.0,) * len(values), strict=True)
    return "quantity,value,weight\n" + "".join(f"price.bread,{value},{weight}\n" for value, weight in cells)


@pytest.mark.parametrize("weights", [(), (1.0, 2.0, 5.0, 0.5), (1.0, 0.0, 1.0, 1.0)])
def test_errors_are_those_of_a_mean(weights: tuple[float, ...], tmp_path: Path) -> None:
    """`ln p = ln(12 * 0.5) - ln supply`: the estimate is a weighted mean of logarithms, its variance `s^2 / sum w`."""
    from scipy.stats import t

    seen = (0.52, 0.61, 0.63, 0.58)
    found = fit(written(tmp_path, prices_of_bread(*seen, weights=weights), {"supply.bread": {}}, scenario=BUYERS))
    w, logarithms = np.array(weights or (1.0,) * 4), np.log(seen)
    mean, count = float(np.average(logarithms, weights=w)), int((w > 0).sum())
    variance = float(w @ (logarithms - mean) ** 2) / (count - 1)
    error = (variance / w.sum()) ** 0.5
    supply, reach = 6.0 / np.exp(mean), np.exp(float(t.ppf(0.975, count - 1)) * error)
    row = found.estimates.iloc[0]
    assert row["estimate"] == pytest.approx(supply, rel=1e-9)
    assert row["standard_error"] == pytest.approx(supply * error, rel=1e-7)
    assert (row["low"], row["high"]) == pytest.approx((supply / reach, supply * reach), rel=1e-7)
    assert found.summary["degrees_of_freedom"] == count - 1
    assert found.summary["cost"] == pytest.approx(variance * (count - 1), rel=1e-9)
    assert found.residuals["residual"].to_numpy() == pytest.approx(mean - logarithms, abs=1e-9)
    assert found.residuals["model"].to_numpy() == pytest.approx(np.full(4, np.exp(mean)), rel=1e-9)


def test_shares_lie_between_0_and_1_with_their_errors(tmp_path: Path) -> None:
    """Two shares of one market: `d share = share (1 - share) d log ratio`, and intervals of log ratios."""
    consumers = [{"name": "all", "budget": 12, "utility": {"cobb_douglas": {"bread": 0.2, "wine": 0.8}}}]
    scenario = {"name": "two", "goods": ["bread", "wine"], "supply": {"bread": 1, "wine": 1}, "consumers": consumers}
    data = rows("price.bread", 3.0, "price.bread", 3.6, "price.wine", 9.2, "price.wine", 8.1)
    found = fit(written(tmp_path, data, {"consumers.all.utility.cobb_douglas": "simplex"}, scenario=scenario))
    share, other = found.estimates["estimate"]
    errors, low, high = (found.estimates[name].to_numpy() for name in ("standard_error", "low", "high"))
    assert share + other == pytest.approx(1.0, abs=1e-15)
    assert errors[0] == pytest.approx(errors[1], rel=1e-9)
    assert low == pytest.approx(1 - high[::-1], rel=1e-9)
    # The sum of squares of `ln 12 a - ln p` has the second derivative of a weighted mean.
    slopes = np.array([1 - share] * 2 + [-share] * 2)
    residual = np.log(12 * np.array([share, share, other, other]) / [3.0, 3.6, 9.2, 8.1])
    assert slopes @ residual == pytest.approx(0.0, abs=1e-9)
    variance = residual @ residual / 3 / (slopes @ slopes)
    assert errors[0] == pytest.approx(share * other * variance**0.5, rel=1e-6)
    odds = np.log([low[0], share, high[0]]) - np.log1p(-np.array([low[0], share, high[0]]))
    assert odds[1] - odds[0] == pytest.approx(odds[2] - odds[1], rel=1e-9)


def test_what_the_data_do_not_tell_is_named(tmp_path: Path) -> None:
    """`p = budget share / supply`: of budget and supply together nothing is told; of the wine's supply it is."""
    data = rows("price.bread", 0.6, "price.bread", 0.62, "consumers.all.consumption.wine", 4.0)
    free: dict[str, Any] = {"consumers.all.budget": {}, "supply.bread": {}, "supply.wine": {}, "scheduler.rate": {}}
    found = fit(written(tmp_path, data, free, scenario=BUYERS, starts=3))
    together, alone = sorted(found.summary["free_combinations"], key=len, reverse=True)
    assert together == pytest.approx({"consumers.all.budget": 1.0, "supply.bread": 1.0}, rel=1e-6)
    assert alone == {"scheduler.rate": 1.0}
    assert found.summary["rank"] == 2
    assert [row for row, error in estimates(found, "standard_error").items() if np.isfinite(error)] == ["supply.wine"]
    assert estimates(found)["supply.wine"] == pytest.approx(4.0, rel=1e-9)
    assert len(found.summary["minima"]) == 1
    assert "No observed value tells consumers.all.budget, supply.bread, scheduler.rate" in found.summary["sentence"]


def test_where_no_value_tells_anything_rounding_is_no_answer(tmp_path: Path) -> None:
    """All that there is of x is bought whatever the tastes: derivatives are rounding."""
    free = {"consumers.c0.utility.cobb_douglas": "simplex", "consumers.c1.endowment.y": {}}
    found = fit(written(tmp_path, rows("demand.x", 3.0, "demand.x", 3.1), free, scenario=STATICS, starts=4))
    assert found.summary["rank"] == 0
    assert len(found.summary["free_combinations"]) == 2
    assert [minimum["starts"] for minimum in found.summary["minima"]] == [4]
    assert found.estimates["standard_error"].isna().all()


def test_an_estimate_stays_within_its_bounds(tmp_path: Path) -> None:
    data = rows("price.bread", 0.6, "price.wine", 0.7)
    free = {"supply.bread": {"bounds": [12, 20], "start": 15}, "supply.wine": {"bounds": [1, 50]}}
    found = fit(written(tmp_path, data, free, scenario=BUYERS))
    assert estimates(found)["supply.bread"] == pytest.approx(12.0, rel=1e-12)
    assert estimates(found, "at_bound") == {"supply.bread": 1, "supply.wine": 0}
    assert estimates(found)["supply.wine"] == pytest.approx(12 * 0.3 / 0.7, rel=1e-8)
    assert "At a bound: supply.bread" in found.summary["sentence"]


def test_a_number_that_may_be_negative_moves_as_it_is(tmp_path: Path) -> None:
    people = [{"name": "all", "budget": 12, "utility": {"ces": {"rho": -1.0, "weights": {"bread": 1, "wine": 3}}}}]
    scenario = {"name": "two", "goods": ["bread", "wine"], "supply": {"bread": 2, "wine": 1}, "consumers": people}
    # `p_b / p_w = (w_b / w_w) (x_b / x_w)^(rho - 1)`.
    ratio = (1 / 3) * 2.0 ** (0.4 - 1.0)
    wine = 12 / (1 + 2 * ratio)
    free = {"consumers.all.utility.ces.rho": {"bounds": [-3, 0.9]}}
    found = fit(written(tmp_path, rows("price.bread", ratio * wine, "price.wine", wine), free, scenario=scenario))
    assert found.estimates["estimate"][0] == pytest.approx(0.4, rel=1e-8)


def test_prices_of_a_case_may_be_in_any_coin(tmp_path: Path) -> None:
    free = {"consumers.c0.utility.cobb_douglas": "simplex", "consumers.c1.endowment.x": {}}
    seen = (3.1, 4.0, 1.3, 0.8)
    found: list[Fit] = []
    for coin in (1.0, 17.0):
        names = ("price.x", "price.y", "consumers.c0.consumption.x", "consumers.c1.consumption.y")
        values = (coin * seen[0], coin * seen[1], *seen[2:])
        data = rows(*(cell for pair in zip(names, values, strict=True) for cell in pair))
        found.append(fit(written(tmp_path, data, free, scenario=STATICS)))
    for column in ("estimate", "standard_error", "low", "high"):
        ours, theirs = (each.estimates[column].to_numpy() for each in found)
        assert ours == pytest.approx(theirs, rel=1e-6)
    assert found[0].summary["factors"] == 1
    # In a market of budgets money has a worth, and nothing is taken out.
    assert (
        fit(written(tmp_path, rows("price.bread", 1.2), {"supply.bread": {}}, scenario=BUYERS)).summary["factors"] == 0
    )


# From the command line.


def a_study(folder: Path, **changes: str) -> Path:
    """A small study in files, with other lines by key; an empty line leaves one out."""
    (folder / "statics.yaml").write_text(json.dumps(STATICS))
    (folder / "data.csv").write_text("case,quantity,value\na,price.x,3\na,price.y,4\nb,price.x,3.2\nb,price.y,4\n")
    (folder / "cases.csv").write_text("case,path,value\nb,consumers.c0.endowment.x,1.1\n")
    lines = {
        "scenario": "statics.yaml",
        "data": "data.csv",
        "cases": "cases.csv",
        "free": "{consumers.c0.endowment.y: {bounds: [0.1, 10]}}",
        "starts": "2",
    }
    text = "".join(f"{key}: {value}\n" for key, value in {**lines, **changes}.items() if value)
    (folder / "study.yaml").write_text(text)
    return folder / "study.yaml"


def test_files_of_a_fit(tmp_path: Path) -> None:
    a_study(tmp_path)
    done = simulator("fit", "study.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "outputs" / "study"
    names = {"estimates.csv", "residuals.csv", "fitted.yaml", "summary.json", "figures"}
    assert {file.name for file in folder.iterdir()} == names
    assert (folder / "figures" / "fit.png").stat().st_size > 10_000
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["sentence"] in done.stdout
    fitted = load(folder / "fitted.yaml")
    estimate = summary["minima"][0]["estimates"]["consumers.c0.endowment.y"]
    assert fitted.name == "statics_fitted"
    assert fitted.economy.consumers[0].endowment[0, 1] == estimate
    assert (folder / "estimates.csv").read_text().startswith("path,estimate,standard_error,low,high,at_bound\n")
    assert (folder / "residuals.csv").read_text().startswith("case,quantity,value,model,residual,weight\n")
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    again = simulator("fit", "study.yaml", cwd=tmp_path)
    assert again.returncode == 2
    assert "outputs/study: found a fit; --overwrite replaces it, --out writes elsewhere" in again.stderr
    assert simulator("fit", "study.yaml", "--overwrite", "--quiet", cwd=tmp_path).returncode == 0
    assert {file: file.read_bytes() for file in before} == before


def test_json_of_a_fit(tmp_path: Path) -> None:
    a_study(tmp_path)
    done = simulator("fit", "study.yaml", "--json", "--seed", "3", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["seed"] == 3
    assert told["estimates"][0]["path"] == "consumers.c0.endowment.y"
    assert told["estimates"][0]["at_bound"] == 0


def test_inputs_are_copied_and_the_fitted_scenario_runs(tmp_path: Path) -> None:
    for name in ("village.yaml", "households.csv"):
        (tmp_path / name).write_text((ROOT / "scenarios" / name).read_text())
    (tmp_path / "data.csv").write_text("quantity,value\nprice.bread,7\nprice.wine,9\nprice.cloth,15\n")
    (tmp_path / "study.yaml").write_text(
        "scenario: village.yaml\ndata: data.csv\nfree: {supply.bread: {}}\nstarts: 1\n"
    )
    assert simulator("fit", "study.yaml", "--quiet", cwd=tmp_path).returncode == 0
    assert simulator("run", "outputs/study/fitted.yaml", "--no-plots", "--quiet", cwd=tmp_path).returncode == 0


REFUSED = [
    (
        {"data": "prices.csv"},
        "study.yaml:2:7: data: found no file prices.csv; expected a CSV file, seen from the study",
    ),
    ({"cases": ""}, "data.csv:1: case: found a and b in a study without cases; expected one case, or cases: FILE"),
    ({"free": "{}"}, "study.yaml:4:7: free: found an empty mapping"),
    ({"free": ""}, "study.yaml:1:1: free: missing key free; expected what is free, by path"),
    ({"start": "5"}, "unknown key 'start'; expected one of name, scenario, data, cases, free, starts, seed"),
    (
        {"free": "{consumers.c0.endowment.y: {bounds: [3]}}"},
        "study.yaml:4:43: free.consumers.c0.endowment.y.bounds: found a list of 1; expected at least 2",
    ),
    ({"starts": "0"}, "study.yaml:5:9: starts: found 0; expected a number of at least 1"),
    ({"free": "{supply.bread: {}}"}, "free.supply.bread"),
    ({"free": "{consumers.c2.budget: {}}"}, "unknown path 'consumers.c2.budget'"),
    ({"free": "{run.ticks: {}}"}, "found the whole number 1000 in the scenario; expected one that may move smoothly"),
    ({"free": "{consumers.c0.name: {}}"}, "found 'c0' there in the scenario; expected a number"),
    (
        {"free": "{consumers.c0.utility.cobb_douglas: {}}"},
        "found a mapping there in the scenario; expected a number, or start: NUMBER here; did you mean simplex?",
    ),
    ({"free": "{consumers.c0.endowment.x: simplex}"}, "expected a simplex of two or more numbers above 0 by name"),
    ({"free": "{consumers.c0.endowment.y: free}"}, "expected a start, {start: 1, bounds: [0.1, 10]}, {} or simplex"),
    ({"free": "{consumers.c0.endowment.y: {bounds: [3, 1]}}"}, "found [3, 1]; expected the smaller first"),
    (
        {"free": "{consumers.c0.endowment.y: {bounds: [3, 10]}}"},
        "found 2 in the scenario; expected a start within the bounds [3, 10]",
    ),
    (
        {"free": "{consumers.c0.budget: {start: -1}}"},
        "study.yaml:4:8: free.consumers.c0.budget: found -1, and budgets of -1 in all: money that leaves",
    ),
    (
        {"free": "{consumers.c0.endowment.x: {}}"},
        "cases.csv:2: path: found consumers.c0.endowment.x, which is set by the fit; expected what is not free",
    ),
    (
        {"free": "{consumers.c0.utility.cobb_douglas: simplex, consumers.c0.utility.cobb_douglas.x: {}}"},
        "found consumers.c0.utility.cobb_douglas.x within consumers.c0.utility.cobb_douglas, which is free",
    ),
    ({"scenario": "static.yaml"}, "static.yaml: "),
    ({"scenario": "{goods: [a]}"}, "study.yaml:1:11: scenario"),
]


@pytest.mark.parametrize(("changes", "told"), REFUSED)
def test_what_is_wrong_in_a_study_is_refused(changes: dict[str, str], told: str, tmp_path: Path) -> None:
    a_study(tmp_path, **changes)
    done = simulator("fit", "study.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("data.csv", "case,quantity,value\na,price.x,0\n", "data.csv:2: value: found 0; expected a number above 0"),
        ("data.csv", "case,quantity,value\na,price.x,-1\n", "data.csv:2: value: found -1; expected a number above 0"),
        (
            "data.csv",
            "case,quantity,value\na,price.x,two\n",
            "data.csv:2: value: found 'two'; expected a number above 0",
        ),
        ("data.csv", "case,quantity,value\na,price.x,1e999\n", "found 1e999; expected a number above 0"),
        (
            "data.csv",
            "case,quantity,value,weight\na,price.x,1,-1\n",
            "data.csv:2: weight: found -1; expected a number of at least 0",
        ),
        ("data.csv", "case,quantity,value,weight\na,price.x,1,0\n", "found no weight above 0"),
        ("data.csv", "case,quantity,value\n", "data.csv:1: found no rows; expected one or more"),
        ("data.csv", "case,quantity\na,price.x\n", "data.csv:1: found no column value; expected case, quantity, value"),
        ("data.csv", "quantity,value\nprice.x,1\n", "data.csv:1: found no column case"),
        ("data.csv", "case,quantity,valeu\na,price.x,1\n", "unknown column 'valeu'"),
        ("data.csv", "case;quantity;value\na;price.x;1\n", "found semicolons between the cells"),
        (
            "data.csv",
            "case,quantity,value\na,price.z,1\n",
            "data.csv:2: quantity: unknown good 'z'; expected one of x, y",
        ),
        ("data.csv", "case,quantity,value\na,prize.x,1\n", "did you mean price.x?"),
        (
            "data.csv",
            "case,quantity,value\na,consumers.c9.consumption.x,1\n",
            "unknown consumer 'c9'; expected one of c0, c1",
        ),
        ("data.csv", "case,quantity,value\na,consumers.c0.demand.x,1\n", "expected consumers.NAME.consumption.GOOD"),
        ("data.csv", "case,quantity,value\na,firms.f.input.x,1\n", "unknown firm 'f'; none is declared"),
        (
            "cases.csv",
            "case,path,value\nc,consumers.c0.endowment.x,1\n",
            "cases.csv:2: case: found 'c'; expected a case in",
        ),
        ("cases.csv", "case,path,value\nb,consumers.c0.endowment.z,1\n", "cases.csv:2: consumers.c0.endowment.z: "),
        ("cases.csv", "case,path,value\nb,consumers.c0.budget,-1\n", "cases.csv:2: consumers.c0.budget: "),
        (
            "cases.csv",
            "case,path,value\nb,consumers.c0.endowment.x,1\nb,consumers.c0.endowment.x,2\n",
            "cases.csv:3: path: found consumers.c0.endowment.x twice for 'b'; expected it once",
        ),
        ("cases.csv", "case,path,value\nb,,1\n", "cases.csv:2: path: found no path; expected one, as in --set"),
        (
            "cases.csv",
            'case,path,value\nb,goods,"[y, x]"\n',
            "cases.csv:2: case: found goods y, x in case b; expected x, y, as in the scenario",
        ),
        (
            "cases.csv",
            "case,path,value\nb,consumers.c1.name,c2\n",
            "cases.csv:2: case: found consumers c0, c2 in case b; expected c0, c1, as in the scenario",
        ),
        (
            "data.csv",
            "case,quantity,value\na,price.x,1e-300\n",
            "data.csv:2: value: found 1e-300; expected a number between 1e-30 and 1e+30",
        ),
    ],
)
def test_what_is_wrong_in_its_files_is_refused(file: str, text: str, told: str, tmp_path: Path) -> None:
    a_study(tmp_path)
    (tmp_path / file).write_text(text)
    done = simulator("fit", "study.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_case_without_equilibrium_at_the_start_is_refused(tmp_path: Path) -> None:
    """A baker who gets no grain, in one case only."""
    firms = [{"name": "baker", "makes": "bread = sqrt(grain)"}]
    scenario = {"name": "bakery", "goods": ["grain", "bread"], "outside": {"bread": 1}, "supply": {"grain": 2}}
    study = written(
        tmp_path,
        "case,quantity,value\n1,price.grain,0.3\n2,price.grain,1\n",
        {"outside.bread": {}},
        "case,path,value\n2,supply.grain,0\n",
        scenario={**scenario, "firms": firms},
    )
    with pytest.raises(ScenarioError, match="found no equilibrium at the start in case 2"):
        fit(study)


def test_a_quantity_that_is_0_at_the_start_is_refused(tmp_path: Path) -> None:
    scenario = {**STATICS, "goods": ["x", "y", "z"], "supply": {"z": 1}}
    study = written(tmp_path, rows("consumers.c0.consumption.z", 1), {"supply.z": {}}, scenario=scenario)
    with pytest.raises(ScenarioError, match="found a quantity that is 0 in the scenario at the start"):
        fit(study)


@pytest.mark.parametrize("name", ["perfect_substitutes", "essay_program", "xor"])
def test_only_agents_who_plan_smoothly_are_fitted(name: str, tmp_path: Path) -> None:
    study = written(tmp_path, rows("price.x", 1), {"supply.x": {}}, scenario=str(ROOT / "scenarios" / f"{name}.yaml"))
    with pytest.raises(ScenarioError, match="expected agents who plan, with demand that is smooth in prices"):
        fit(study)


def test_what_cannot_move_is_not_free(tmp_path: Path) -> None:
    """The world price of a numeraire is 1."""
    study = written(
        tmp_path, rows("price.oil", 1), {"outside.steel": {}}, scenario=str(ROOT / "scenarios" / "energy.yaml")
    )
    with pytest.raises(ScenarioError, match=r"outside\.steel"):
        fit(study)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"study": None}, "<study>: found nothing; expected a study: the path of its file, or a dict"),
        ({"study": ["study.yaml"]}, "<study>: found a list; expected a study"),
        ({"seed": "x"}, "seed: found 'x'; expected a whole number"),
        ({"seed": -1}, "seed: found -1; expected a number of at least 0"),
    ],
)
def test_what_is_no_study_and_no_seed_in_python_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(told)):
        fit(**{"study": STUDIES / "harvests.yaml", **arguments})


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(RunFolderError, match="found a f"):
            fit(STUDIES / "harvests.yaml", out=out)
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_rates_of_taxes_and_shares_of_transfers_are_found(tmp_path: Path) -> None:
    """Of prices alone, beside activity levels and what incomes receive."""
    tax = {**TAXED["taxes"][0], "to": "state"}
    gift = {"from": "rich", "to": "poor", "share": 0.2}
    scenario = {**TAXED, "name": "taxed", "taxes": [tax], "transfers": [gift]}
    prices = solve(scenario).equilibria.query("kind == 'price'")
    data = rows(*(cell for row in prices.itertuples() for cell in (f"price.{row.name}", row.value)))
    free = {
        "taxes.capital_tax.rate": {"start": 0.1, "bounds": [0, 2]},
        "transfers.0.share": {"start": 0.05, "bounds": [0, 1]},
    }
    found = fit(written(tmp_path, data, free, scenario=scenario))
    assert list(estimates(found).values()) == pytest.approx([0.5, 0.2], rel=1e-9)
