"""Activity levels go on wherever a market does: in floats, machine code and side by side, after stops and shocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders import blocks_of
from tests.house import FEWEST, load, load_from, run_to_disk, simulate
from tests.run_folders import contents, run_with_stops
from tests.test_float_tick import agree
from tests.test_in_runs import Variation, groups_of, load_study, row_of, rows_side_by_side
from tests.test_in_runs import agree as rows_agree
from tests.test_levels import CHOICE, FARM, SHEEP, case, owned

MARKETS: dict[str, Any] = {
    "choice": owned(CHOICE),
    "sheep": SHEEP,
    "farm": FARM,
    **{name: case(name) for name in ("leontief_1966", "kehoe_1985", "mpsge", "kantorovich_1939")},
}


def market(name: str, trade: str, **changes: Any) -> dict[str, Any]:
    data = MARKETS[name]
    if trade == "every_tick" and not data.get("supply"):
        names = [firm["name"] for firm in data["firms"]]
        first, *others = data["consumers"]
        rest = [{**each, "owns": {}} for each in others]
        data = {**data, "consumers": [{**first, "owns": dict.fromkeys(names, 1)}, *rest]}
    return {**data, "name": name, "trade": trade, **changes}


@pytest.mark.parametrize("trade", ["at_equilibrium", "every_tick"])
@pytest.mark.parametrize("name", MARKETS)
def test_a_tick_in_floats_is_one_in_arrays(name: str, trade: str) -> None:
    agree(market(name, trade), 30)


@pytest.mark.parametrize(("name", "trade"), [("choice", "every_tick"), ("mpsge", "at_equilibrium")])
def test_machine_code_comes_to_the_bits_of_floats(name: str, trade: str) -> None:
    quiet = {"ticks": 400, "references": "off", "record_every": 10**9}
    runs = [simulate(market(name, trade, run={**quiet, "engine": engine})) for engine in ("floats", "compiled")]
    assert [run.summary["engine"] for run in runs] == ["floats", "compiled"]
    assert runs[0].summary["sentence"] == runs[1].summary["sentence"]
    for table in ("trajectory", "agents", "wedges"):
        np.testing.assert_array_equal(*(getattr(run, table).select_dtypes("number").to_numpy() for run in runs))


@pytest.mark.parametrize(("name", "trade"), [("choice", "every_tick"), ("sheep", "at_equilibrium")])
def test_a_run_that_was_stopped_ends_in_the_same_bytes(
    name: str, trade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks_of(monkeypatch, 16)
    scenario = load(market(name, trade, run={"ticks": 120, "stop": "never"}))
    run_to_disk(scenario, tmp_path / "whole")
    assert run_with_stops(scenario, tmp_path / "parts", 5) > 1
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_another_rule_goes_on_at_the_levels_that_were_reached(tmp_path: Path) -> None:
    run = {"ticks": 40, "stop": "never"}
    run_to_disk(load(market("sheep", "at_equilibrium", run=run)), tmp_path / "first")
    found = simulate(load_from(tmp_path / "first", ticks=30, settings={"scheduler.rate": 0.05}))
    assert found.ticks["distance_to_gradient_path"].max() < 1e-10
    levels = found.agents[found.agents["good"] == "wool"].pivot_table(index="tick", columns="agent", values="level")
    assert (np.abs(np.diff(np.log(levels["shepherd"].to_numpy()))) <= 0.1 + 1e-12).all()
    assert abs(levels["shepherd"].iloc[0] - 1) > 0.05


def test_a_shock_leaves_levels_where_they_are() -> None:
    shocks = [{"tick": 60, "set": {"consumers.people.endowment.labour": {"times": 2}}}]
    changed = market("choice", "at_equilibrium", shocks=shocks, run={"ticks": 400, "tolerance": 1e-5})
    run = simulate(changed)
    assert run.summary["outcome"] == "cleared"
    assert run.ticks["distance_to_gradient_path"].max() < 1e-10
    level = run.agents[run.agents["agent"] == "mill"].drop_duplicates("tick").set_index("tick")["level"]
    assert (np.abs(np.diff(np.log(level.to_numpy()))) <= 0.1 + 1e-12).all()
    assert level.loc[59] == pytest.approx(6, rel=0.2)
    assert level.iloc[-1] == pytest.approx(12, rel=1e-3)


def test_productivity_is_shocked_too() -> None:
    shocks = [{"tick": 30, "set": {"firms.wheat.productivity": {"times": 2}}}]
    run = simulate(case("varian_18_2", shocks=shocks, run={"ticks": 600}))
    assert run.summary["outcome"] == "cleared"
    assert run.prices["wheat"].iloc[-1] == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("trade", ["at_equilibrium", "every_tick"])
def test_runs_side_by_side_end_as_alone(trade: str) -> None:
    way = np.linspace(0.4, 3.0, FEWEST)
    vary = {
        "scheduler.rate": (0.1 * way).tolist(),
        "firms.mill.behaviour.activity.rate": (0.1 * way[::-1]).tolist(),
        "consumers.people.endowment.labour": (8 * way).tolist(),
    }
    measures = ["outcome", "ticks", "max_relative_excess_demand", "price.bread"]
    data = market("choice", trade, run={"ticks": 300, "tolerance": 1e-5})
    study = load_study({"scenario": data, "vary": vary, "design": "zip", "measures": measures})
    plan, groups = groups_of(study)
    (group,) = groups
    assert group.family is not None
    variation = Variation(study.scenario)
    rows = {row.run.number: row for row in rows_side_by_side(variation, plan, group, lambda: False)}
    outcomes = set()
    for run in group.runs[::4]:
        alone = row_of(variation, plan, run, lambda: False)
        rows_agree(rows[run.number], alone, measures)
        outcomes.add(alone.values[0])
    assert "cleared" in outcomes
