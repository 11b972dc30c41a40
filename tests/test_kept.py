"""What is kept of a run: some goods and agents, members at chosen ticks, CSV or Parquet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import simulator.records.folder as folder_module
from simulator import ScenarioError, load, simulate
from tests.builders import blocks_of, saved_every_block
from tests.house import Draws, draw, read_run, run_to_disk
from tests.run_folders import contents

TABLES = ("trajectory", "ticks", "agents", "wedges", "equilibrium", "distribution", "welfare", "members")
MEASURES = ("income", "utility", "gain", "money", "profit", "output")
VILLAGE: dict[str, Any] = {
    "name": "village",
    "goods": ["grain", "bread", "wine"],
    "supply": {"grain": 50, "wine": 20},
    "firms": [
        {
            "name": "bakers",
            "count": 4,
            "technology": {
                "power": {
                    "output": "bread",
                    "productivity": {"lognormal": {"mean": 0, "sigma": 0.2}},
                    "inputs": {"grain": 0.5},
                }
            },
        },
        {"name": "mill", "makes": "bread = 2*ln(1 + grain)"},
    ],
    "consumers": [
        {
            "name": "people",
            "count": 300,
            "budget": {"lognormal": {"mean": 0, "sigma": 0.5}},
            "utility": {
                "ces": {"elasticity": {"uniform": [0.5, 2]}, "shares": {"dirichlet": {"grain": 1, "bread": 3}}}
            },
        },
        {
            "name": "drinkers",
            "count": 40,
            "budget": 2,
            "utility": {"cobb_douglas": {"wine": {"uniform": [1, 2]}, "grain": 1}},
        },
    ],
    "shocks": [{"tick": 21, "set": {"supply.grain": 25}}],
    "run": {"ticks": 60, "stop": "never", "diagnostics": 0},
}


def village(**run: Any) -> Any:
    return load({**VILLAGE, "run": {**VILLAGE["run"], **run}})


def test_some_goods_and_agents_are_the_rows_of_all_that_name_them() -> None:
    whole, some = simulate(village()), simulate(village(goods=["bread", "wine"], agents=["mill", "people"]))
    own = {"mill", "people", "people:mean", "people:total"}
    for table in TABLES[:-1]:
        expected = getattr(whole, table)
        for key in expected.columns.intersection(["good", "agent", "firm"]):
            expected = expected[expected[key].isin({"bread", "wine"} if key == "good" else own)]
        if table == "wedges":
            expected = expected[expected["input"].isin({"bread", "wine"})]
        pd.testing.assert_frame_equal(getattr(some, table), expected.reset_index(drop=True), check_dtype=False)
    different = {"goods", "agents", "wall_seconds", "scenario_sha256"}
    assert {**whole.summary, **{key: some.summary[key] for key in different}} == some.summary
    assert (some.summary["goods"], some.summary["agents"]) == (["bread", "wine"], ["mill", "people"])


def test_what_needs_every_good_is_not_drawn_of_some(tmp_path: Path) -> None:
    drawn = {path.stem for path in draw(read_run(_run(tmp_path / "all", village())), tmp_path / "figures")}
    some = {
        path.stem
        for path in draw(read_run(_run(tmp_path / "some", village(goods=["grain", "wine"]))), tmp_path / "figures")
    }
    assert drawn - some == {"network", "simplex"}


def _run(folder: Path, scenario: Any) -> Path:
    run_to_disk(scenario, folder)
    return folder


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            {"goods": ["bred"]},
            "run.goods[0]: unknown good 'bred'.*did you mean bread?",
        ),
        ({"agents": ["milll"]}, "run.agents[0]: unknown agent 'milll'.*did you mean mill?"),
        (
            {"members": {"mill": [0]}},
            "run.members.mill: found mill, whose agents are all alike",
        ),
        ({"members": {"peple": [0]}}, "run.members.peple: unknown agent 'peple'.*did you mean people?"),
        ({"members": {"people": []}}, "run.members.people"),
        ({"members": ["people", "drinkers"]}, "did you mean {people: [1], drinkers: [1]}?"),
        ({"members": "people"}, "did you mean {people: [1]}?"),
        ({"members": {"people": [-1]}}, "run.members.people"),
        ({"format": "parket"}, "run.format: found 'parket'; expected one of csv, parquet; did you mean parquet?"),
        ({"goods": []}, "run.goods"),
    ],
)
def test_what_is_not_there_cannot_be_kept(run: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        village(**run)
    first, _, last = said.partition(".*")
    assert len(refused.value.problems) == 1
    assert first in str(refused.value)
    assert last in str(refused.value)


def test_a_tick_of_members_after_the_last_is_warned_of_and_told() -> None:
    scenario = village(members={"people": [0, 61]})
    assert [warning.path for warning in scenario.warnings] == ["run.members.people[1]"]
    run = simulate(scenario)
    assert "Members were to be recorded at tick 61: the run had ended" in run.summary["sentence"]
    assert set(run.members["tick"]) == {0}


def test_what_a_shock_draws_has_its_column_from_the_start() -> None:
    draws = {"tick": 3, "set": {"consumers.drinkers.budget": {"uniform": [1, 3]}}}
    data = {**VILLAGE, "shocks": [draws], "run": {"ticks": 5, "stop": "never", "members": {"drinkers": [0, 5]}}}
    before, after = (table for _, table in simulate(load(data)).members.groupby("tick"))
    assert before["budget"].isna().all()
    assert after["budget"].between(1, 3).all()
    assert after["budget"].nunique() == 40


def test_members_without_planning_are_refused() -> None:
    market = {**VILLAGE, "consumers": [], "outside": {"bread": 1, "wine": 1}, "scheduler": {"kind": "marginal_bids"}}
    with pytest.raises(ScenarioError, match=r"run\.members: found members of agents who do not plan \(marginal_bids\)"):
        load({**market, "shocks": [], "run": {"members": {"bakers": [0]}}})


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_members_add_up_to_what_is_told_of_their_cohort(trade: str) -> None:
    settings = {"people": [0, 20, 60], "bakers": [20], "drinkers": [60]}
    run = simulate(load({**VILLAGE, "trade": trade, "run": {**VILLAGE["run"], "members": settings}}))
    chosen = run.members.groupby("agent", sort=False)["tick"].unique().map(list).to_dict()
    assert chosen == settings
    sums = run.members.groupby(["agent", "tick"])[["utility", "money", "profit", "output"]].sum()
    told = run.agents.groupby(["agent", "tick"])[["utility", "money", "profit", "output"]].max()
    for (agent, tick), row in sums.iterrows():
        for column in ("utility", "money") if agent != "bakers" else ("profit", "output"):
            assert row[column] == pytest.approx(told.loc[(f"{agent}:total", tick), column], rel=1e-12)
    last = run.members.query("tick == 60 and agent == 'people'")
    for column in ("income", "utility", "gain"):
        quantiles = run.distribution.query("agent == 'people'")[column]
        np.testing.assert_allclose(np.percentile(last[column], np.arange(101)), quantiles, rtol=1e-12)


def test_what_was_drawn_for_a_member_is_what_it_lives_by() -> None:
    settings = {"people": [0, 20, 30], "bakers": [20, 30], "drinkers": [0]}
    shocks = [{"tick": 21, "set": {"consumers.people.budget": {"times": 2}, "firms.bakers.productivity": {"times": 3}}}]
    data = {**VILLAGE, "trade": "at_equilibrium", "shocks": shocks}
    run = simulate(load({**data, "run": {**VILLAGE["run"], "members": settings}}))
    people, bakers = (run.members[run.members["agent"] == name] for name in ("people", "bakers"))
    before, after = (people[people["tick"] == tick].reset_index(drop=True) for tick in (20, 30))
    assert people["income"].to_numpy() == pytest.approx(people["budget"].to_numpy(), rel=1e-12)
    assert (after["budget"] == 2 * before["budget"]).all()
    shares = before[["utility.ces.shares.grain", "utility.ces.shares.bread"]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(np.ones(300), rel=1e-12)
    assert before["utility.ces.elasticity"].between(0.5, 2).all()
    assert before["member"].tolist() == list(range(300))
    # Firms of one exponent at one price: output is in proportion to productivity ^ (1 / (1 - exponent)).
    for tick in (20, 30):
        of = bakers[bakers["tick"] == tick]
        scaled = of["output"] / of["productivity"] ** 2
        assert scaled.to_numpy() == pytest.approx(np.full(4, scaled.iloc[0]), rel=1e-9)
    ratio = np.divide(*(bakers.query(f"tick == {tick}")["productivity"].to_numpy() for tick in (30, 20)))
    assert ratio == pytest.approx(np.full(4, 3.0), rel=1e-12)
    drinkers = run.members[run.members["agent"] == "drinkers"]
    assert drinkers["utility.cobb_douglas.wine"].between(1, 2).all()
    assert drinkers["budget"].isna().all()


def test_what_is_told_of_members_is_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Any] = {}
    number = Draws.number

    def noted(self: Draws, given: Any, count: int, path: str) -> Any:
        drawn[path] = number(self, given, count, path)
        return drawn[path]

    monkeypatch.setattr(Draws, "number", noted)
    some = {"uniform": [0.1, 0.3]}
    tree = {
        "shares": {"grain": some, "N": 1},
        "elasticity": some,
        "nests": {"N": {"shares": {"bread": 1, "wine": some}, "elasticity": 2}},
    }
    tastes = {
        "nested": {"ces": tree},
        "poor": {
            "stone_geary": {"shares": {"grain": some, "wine": 1}, "subsistence": {"wine": {"uniform": [0, 0.001]}}}
        },
    }
    people = [
        {
            "name": name,
            "count": 3,
            "budget": some,
            "endowment": {"wine": some},
            "owns": {"mill": {"uniform": [0.01, 0.1]}},
            "utility": taste,
        }
        for name, taste in tastes.items()
    ]
    mill = {"name": "mill", "count": 3, "makes": "bread = 2*ln(1 + grain)", "productivity": some}
    ces = {
        "ces": {
            "output": "bread",
            "elasticity": 0.5,
            "shares": {"grain": some, "wine": 1},
            "returns_to_scale": some,
            "productivity": some,
        }
    }
    firms = [mill, {"name": "ces", "count": 3, "technology": ces}]
    names = ["nested", "poor", "mill", "ces"]
    run = simulate(
        {
            **VILLAGE,
            "shocks": [],
            "firms": firms,
            "consumers": people,
            "run": {"ticks": 0, "members": {name: [0] for name in names}},
        }
    )
    several = {path: values for path, values in drawn.items() if len(values) == 3}
    told = {}
    for room, name in (("consumers", "nested"), ("consumers", "poor"), ("firms", "mill"), ("firms", "ces")):
        of = (
            run.members[run.members["agent"] == name]
            .drop(columns=["tick", "agent", "member", *MEASURES])
            .dropna(axis=1)
        )
        told |= {f"{room}.{name}.{path}": of[path].tolist() for path in of}
    assert told == {path: values.tolist() for path, values in several.items()}
    assert len(told) == 15


@pytest.mark.parametrize("engine", ["floats", "arrays", "compiled"])
def test_ticks_of_members_are_not_passed_over(engine: str) -> None:
    market = {
        "goods": ["a", "b"],
        "supply": {"a": 3, "b": 5},
        "consumers": [
            {"name": "few", "count": 6, "budget": {"uniform": [1, 2]}, "utility": {"cobb_douglas": {"a": 1, "b": 2}}}
        ],
        "run": {"ticks": 200, "record_every": 50, "references": "off", "stop": "never", "tables": ["ticks"]},
    }
    settings = {"run.engine": engine, "run.members": {"few": [0, 7, 50, 133, 200]}}
    run = simulate(market, settings=settings)
    assert run.members["tick"].unique().tolist() == [0, 7, 50, 133, 200]
    every = simulate(market, settings={**settings, "run.record_every": 1, "run.engine": "arrays"})
    pd.testing.assert_frame_equal(run.members, every.members, rtol=1e-12)
    assert run.ticks["tick"].tolist() == [0, 50, 100, 150, 200]


def test_a_crowd_in_machine_code_has_members() -> None:
    crowd = {**VILLAGE["consumers"][0], "count": 400}
    market = {**VILLAGE, "consumers": [crowd], "supply": {"grain": 50, "wine": 1}, "goods": ["grain", "bread", "wine"]}
    run = {"ticks": 40, "references": "off", "record_every": 40, "members": {"people": [13]}, "tables": []}
    runs = [simulate({**market, "run": {**run, "engine": engine}}).members for engine in ("compiled", "arrays")]
    pd.testing.assert_frame_equal(*runs, rtol=1e-9)
    assert len(runs[0]) == 400


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_members_and_forms_survive_a_kill(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks_of(monkeypatch, 9)
    saved_every_block(monkeypatch)
    scenario = village(members={"people": [0, 5, 33]}, format=form, record_every=3)
    whole = _run(tmp_path / "whole", scenario)
    files = {path.name: path.read_bytes() for path in whole.glob(f"*.{form}")}
    assert {*files} == {f"{table}.{form}" for table in TABLES}
    writes, kills = folder_module._write_all, 0
    for number in range(1, 1000, 13):
        left = [number]

        def dying(file: Any, data: bytes, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            writes(file, data)

        folder = tmp_path / str(number)
        with monkeypatch.context() as patched:
            patched.setattr(folder_module, "_write_all", dying)
            try:
                run_to_disk(scenario, folder)
                break
            except KeyboardInterrupt:
                kills += 1
        run_to_disk(scenario, folder, resume=True)
        assert {name: (folder / name).read_bytes() for name in files} == files
    assert kills > 3


def test_parquet_holds_what_the_csvs_would(tmp_path: Path) -> None:
    settings = {"members": {"people": [0, 30]}}
    text, columns = (_run(tmp_path / form, village(**settings, format=form)) for form in ("csv", "parquet"))
    assert not [*columns.glob("*.csv")]
    one, other = read_run(text), read_run(columns)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table), check_exact=True)
        assert len(getattr(one, table))
    drawn = [draw(folder, folder / "figures") for folder in (text, columns)]
    assert [path.read_bytes() for path in drawn[0]] == [path.read_bytes() for path in drawn[1]]
    again = _run(tmp_path / "again", village(**settings, format="parquet"))
    assert {path.name: path.read_bytes() for path in again.glob("*.parquet")} == {
        path.name: path.read_bytes() for path in columns.glob("*.parquet")
    }


def test_a_finished_run_of_parquet_is_not_run_again_and_its_damage_is_told(tmp_path: Path) -> None:
    scenario = village(format="parquet")
    said = run_to_disk(scenario, tmp_path)
    (tmp_path / "ticks.csv").write_text("left by a kill just before the end\n")
    assert run_to_disk(scenario, tmp_path, resume=True) == said
    assert not (tmp_path / "ticks.csv").exists()
    file = tmp_path / "ticks.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(folder_module.RunFolderError, match=r"ticks\.parquet: found other contents than the run wrote"):
        run_to_disk(scenario, tmp_path, resume=True)


def test_an_interrupted_run_of_parquet_keeps_csvs(tmp_path: Path) -> None:
    scenario = village(format="parquet")
    said = run_to_disk(scenario, tmp_path / "cut", stopped=lambda: True)
    assert said["outcome"] == "interrupted"
    assert {*contents(tmp_path / "cut")}
    assert not [*(tmp_path / "cut").glob("*.parquet")]
    run_to_disk(scenario, tmp_path / "cut", resume=True)
    run_to_disk(scenario, tmp_path / "whole")
    for file in (tmp_path / "whole").glob("*.parquet"):
        assert file.read_bytes() == (tmp_path / "cut" / file.name).read_bytes()
    assert json.loads((tmp_path / "cut" / "summary.json").read_text())["outcome"] != "interrupted"


def test_parquet_without_its_library_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = _run(tmp_path / "run", village(format="parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ScenarioError, match=r"run\.format: found parquet: .*needs pyarrow; pip install"):
        village(format="parquet")
    with pytest.raises(ModuleNotFoundError, match="a run that is kept as Parquet needs pyarrow; pip install"):
        read_run(folder)
