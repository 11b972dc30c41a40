"""`solve`: what is printed and written of equilibria, what a scenario expects of them, and the certificate of each."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.house import SOLVED_KINDS, SOLVED_SUMMARY, UnsolvableError, dump, main, solve
from tests.published import CASES, CRUSOE, THREE, consumer

SCENARIOS = Path(__file__).parents[1] / "scenarios"
Called = Callable[..., tuple[int, str, str]]
NOTHING: dict[str, Any] = {
    "goods": ["x", "y"],
    "numeraire": "x",
    "consumers": [
        # Whatever y costs, ann buys x for it; where it is free, ben wants it without end (Arrow 1951).
        consumer("ann", {"cobb_douglas": {"x": 1}}, endowment={"x": 1, "y": 1}),
        consumer("ben", {"cobb_douglas": {"x": 1, "y": 1}}, endowment={"y": 1}),
    ],
}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Called:
    """The program in this process and in `tmp_path`: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simulator", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return called


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with scenarios."""
    for name, data in {"three": THREE.scenario, "none": NOTHING}.items():
        (tmp_path / f"{name}.yaml").write_text(dump(data), encoding="utf-8")
    return tmp_path


def test_a_table_of_every_equilibrium_and_a_summary_are_written(place: Path, call: Called) -> None:
    code, out, _ = call("solve", "three.yaml")
    assert (code, out.splitlines()[-1]) == (0, f"wrote {Path('outputs/solve/three')}")
    folder = place / "outputs" / "solve" / "three"
    with (folder / "equilibria.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == ["equilibrium", "kind", "name", "value", "residual"]
    assert [row["value"] for row in rows if row["kind"] == "index"] == ["1.0", "-1.0", "1.0"]
    assert {(row["kind"], row["name"]) for row in rows} == {
        *(("price", good) for good in "xy"),
        *((kind, name) for kind in ("income", "utility") for name in "12"),
        *(("consumption", f"{name}.{good}") for name in "12" for good in "xy"),
        ("index", ""),
    }
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert (summary["name"], summary["equilibria"], summary["missing"]) == ("three", 3, False)
    assert sum(each["starts"] for each in summary["found"]) <= summary["starts"] == 32
    before = (folder / "equilibria.csv").read_bytes()
    code, _, error = call("solve", "three.yaml")
    assert (code, error.rstrip().endswith("--overwrite replaces it, --out writes elsewhere")) == (2, True)
    assert call("solve", "three.yaml", "--overwrite")[0] == 0
    assert (folder / "equilibria.csv").read_bytes() == before
    code, out, _ = call("solve", "three.yaml", "--json", "--out", "elsewhere")
    assert (code, json.loads(out)["found"]) == (0, summary["found"])
    assert (place / "elsewhere" / "three" / "summary.json").is_file()


def test_every_key_and_kind_is_listed(call: Called) -> None:
    listed = call("list", "columns")[1].partition("solve: equilibria.csv")[2]
    found = solve(CASES / "varian_18_2.yaml")
    crusoe = solve(CRUSOE.scenario)
    assert [*found.summary] == [*SOLVED_SUMMARY]
    capped = solve(SCENARIOS / "rent_control.yaml")
    taxed = solve(CASES / "shoven_whalley_taxed.yaml")
    solved = (found, crusoe, capped, taxed)
    assert {kind for each in solved for kind in each.equilibria["kind"]} == {*SOLVED_KINDS}
    for name in (*SOLVED_SUMMARY, *SOLVED_KINDS):
        assert f"\n  {name} " in listed


def test_what_was_written_by_others_is_left_alone(place: Path, call: Called) -> None:
    folder = place / "outputs" / "solve" / "three"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    code, _, error = call("solve", "three.yaml", "--overwrite")
    assert (code, "other files than a solution's" in error) == (2, True)
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("scenario", "expect", "code"),
    [
        ("three", "{equilibria: 3}", 0),
        ("three", "[cycled, {equilibria: 3}]", 0),
        ("three", "{equilibria: 1}", 3),
        ("three", "no_equilibrium", 3),
        ("none", "no_equilibrium", 0),
        ("none", "cleared", 3),
        ("none", "[{equilibria: 1}, no_equilibrium]", 0),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_scenario_says_what_should_be_found(scenario: str, expect: str, code: int, call: Called) -> None:
    found, out, _ = call("solve", f"{scenario}.yaml", "--set", f"expect={expect}")
    assert found == code
    assert ("expected" in out) == (code == 3 and expect != "cleared")


@pytest.mark.usefixtures("place")
def test_a_run_does_not_look_at_what_solve_should_find(call: Called) -> None:
    assert call("run", "three.yaml", "--no-plots", "--quiet", "--set", "expect=no_equilibrium")[0] == 0
    assert call("run", "three.yaml", "--no-plots", "--quiet", "--overwrite", "--set", "expect=cycled")[0] == 3


def test_where_there_is_none_what_runs_away_is_said(place: Path, call: Called) -> None:
    code, out, _ = call("solve", "none.yaml")
    assert code == 3
    assert "no equilibrium found from" in out
    assert "the price of y runs to zero" in out
    summary = json.loads((place / "outputs/solve/none/summary.json").read_text(encoding="utf-8"))
    assert (summary["equilibria"], summary["found"], summary["runaway"]["name"]) == (0, [], "y")
    assert 0 < summary["runaway"]["residual"] < 1
    header, *rows = (place / "outputs/solve/none/equilibria.csv").read_text(encoding="utf-8").splitlines()
    assert (header, rows) == ("equilibrium,kind,name,value,residual", [])


def test_more_starts_may_be_asked_for(place: Path, call: Called) -> None:
    code, out, _ = call("solve", "three.yaml", "--starts", "5")
    assert (code, "from 5 starts" in out or "are missing" in out or "from" in out) == (0, True)
    assert call("solve", "three.yaml", "--starts", "0")[0] == 2


def test_python_hands_out_data_frames() -> None:
    found = solve(CRUSOE.scenario)
    assert [*found.equilibria] == ["equilibrium", "kind", "name", "value", "residual"]
    assert found.prices.loc["food", 1] == pytest.approx(2 / 3**0.5, abs=1e-9)
    assert [*found.prices.index] == ["food", "labour"]
    assert found.of("profit").loc["farm", 1] == pytest.approx(1 / 3, abs=1e-9)
    assert found.of("rationed").empty
    assert "equilibrium 1: residual" in str(found)
    assert found.as_expected
    assert solve(CRUSOE.scenario, settings={"consumers.crusoe.endowment.labour": 2}).prices.loc["food", 1] > 1.2
    with pytest.raises(ValueError, match="0 starts; expected 1 or more"):
        solve(CRUSOE.scenario, starts=0)
    with pytest.raises(UnsolvableError, match="scenario: found no linear programme for a planner: crusoe gains"):
        solve(CRUSOE.scenario, planner=True)


def test_a_cohort_is_told_by_means_and_no_member_has_a_row() -> None:
    town = {
        "goods": ["bread", "wine"],
        "supply": {"bread": 5, "wine": 5},
        "consumers": [
            {
                "name": "town",
                "count": 1000,
                "utility": {"cobb_douglas": {"bread": 0.5, "wine": 0.5}},
                "budget": {"uniform": [1, 3]},
            }
        ],
    }
    found = solve(town)
    assert 1.9 < found.of("income").loc["town", 1] < 2.1
    assert found.of("consumption").loc["town.bread", 1] == pytest.approx(5)
    assert len(found.equilibria) == 2 + 1 + 1 + 2 + 1


def test_the_certificate_names_the_worst_of_each_kind_of_condition() -> None:
    found = solve(CASES / "kehoe_1985.yaml")
    assert found.summary["equilibria"] == 3
    for record in found.summary["found"]:
        assert {*record["certificate"]} == {"market", "activity", "budget"}
        assert record["certificate"]["market"]["worst"] in ("G1", "G2", "G3", "G4")
        assert record["certificate"]["activity"]["worst"] in ("A1", "A2")
        assert record["certificate"]["budget"]["worst"] in ("C1", "C2", "C3", "C4")
        assert record["residual"] < 1e-9


def test_the_planner_is_beside_the_market(place: Path, call: Called) -> None:
    code, _, error = call("solve", "three.yaml", "--planner")
    assert code == 2
    assert error.startswith("three.yaml: found no linear programme for a planner: 1 gains less and less")
    assert not (place / "outputs").exists()


def test_where_money_leaves_the_market_of_the_numeraire_is_judged_too() -> None:
    """Nobody owns the flats, so that Walras's law does not hold: what is paid for them is missing in another market."""
    leak = {"goods": ["flats", "money"], "numeraire": "money", "supply": {"flats": 10}}
    ann = consumer("ann", {"cobb_douglas": {"flats": 0.5, "money": 0.5}}, endowment={"money": 30})
    assert solve({**leak, "consumers": [ann]}).summary["equilibria"] == 0


def test_at_a_cap_the_long_side_is_rationed_and_that_is_said_to_be_no_competitive_equilibrium(call: Called) -> None:
    """Rent control: what one more flat is worth is above the rent, and less is let than where the market clears."""
    code, out, _ = call("solve", str(SCENARIOS / "rent_control.yaml"))
    assert code == 0
    assert "1 fix-price equilibrium found, not competitive: the price of flats is held" in out
    capped = solve(SCENARIOS / "rent_control.yaml")
    (record,) = capped.summary["found"]
    assert (record["competitive"], record["held"], record["index"]) == (False, ["flats"], None)
    assert record["price"]["flats"] == 1
    assert record["shadow_price"]["flats"] > 2
    assert record["deadweight_loss"] > 1
    missing = capped.of("rationed")[1]
    assert [*missing.index] == ["students.flats", "families.flats"]
    wanted = capped.of("consumption")[1].filter(like="flats").sum() + missing.sum()
    assert wanted > 4 * record["quantity"]["flats"]
    free = solve(SCENARIOS / "rent_control.yaml", settings={"goods.flats.cap": 3})
    assert free.summary["found"][0]["competitive"]
    assert free.of("rationed").empty
    assert free.summary["found"][0]["quantity"]["flats"] > record["quantity"]["flats"]


@pytest.mark.parametrize(
    ("bounds", "prices"), [({"x": {"floor": 2}, "y": {}}, [2.0, 4.0]), ({"x": {}, "y": {"cap": 0.5}}, [0.25, 0.5])]
)
def test_a_level_that_is_free_keeps_within_bounds(bounds: dict[str, Any], prices: list[float]) -> None:
    """The price of x is half that of y, and `weeds` are free."""
    tastes = {"ann": {"x": 1, "y": 1}, "ben": {"x": 1, "y": 3}}
    owned = {"ann": {"x": 1, "weeds": 1}, "ben": {"y": 1}}
    people = [
        {"name": name, "utility": {"cobb_douglas": taste}, "endowment": owned[name]} for name, taste in tastes.items()
    ]
    found = solve({"goods": {**bounds, "weeds": {}}, "consumers": people})
    assert found.prices[1].tolist() == pytest.approx([*prices, 0.0])


def test_no_price_is_found_above_its_cap() -> None:
    capped = {"goods": {"flats": {"cap": 1}, "money": {}}, "numeraire": "money"}
    ann = consumer("ann", {"cobb_douglas": {"flats": 0.5, "money": 0.5}}, endowment={"money": 30, "flats": 10})
    (record,) = solve({**capped, "consumers": [ann]}).summary["found"]
    assert (record["competitive"], record["price"]["flats"]) == (False, 1)
    assert solve({**capped, "goods": {"flats": {"cap": 4}, "money": {}}, "consumers": [ann]}).prices.loc[
        "flats", 1
    ] == (pytest.approx(3))
