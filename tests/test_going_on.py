"""A run that goes on from a finished one is the run that had never ended, or that was struck at its first tick."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.builders import blocks_of, saved_every_block
from tests.house import RECIPES, RunFolderError, ScenarioError, load, load_from, main, run_to_disk, simulate
from tests.test_resume import CHAIN, EXCHANGE, KilledError
from tests.test_shocks import LONG, TOWN

Data = dict[str, Any]
SHIPPED = Path(__file__).parents[1] / "scenarios"
GROWING = ("trajectory.csv", "ticks.csv", "agents.csv", "wedges.csv")
FIRST, MORE = 25, 15
SHOCKS = [
    {"tick": 10, "every": 9, "set": {"supply.land": {"lognormal": {"mean": 0, "sigma": 0.2}}}},
    {"tick": 20, "until": 33, "set": {"consumers.lords.budget": {"times": 2}}},
    {"tick": 30, "set": {"prices.bread": {"times": 2}}},
]
CROWD = {
    "name": "folk",
    "count": 300,
    "budget": {"uniform": [1, 2]},
    "utility": {"cobb_douglas": {"a": 1, "b": 2, "c": 1}},
}


def with_run(data: Data, **run: Any) -> Data:
    return {**data, "run": {**data.get("run", {}), "record_every": 1, "stop": "never", **run}}


def rule(**scheduler: Any) -> Data:
    return EXCHANGE | {"scheduler": {"kind": "tatonnement", "rate": 0.01, **scheduler}}


MARKETS: dict[str, Any] = {
    **{name: rule(rule=name) for name in RECIPES},
    "delay": rule(**{"with": [{"delay": 4}, {"momentum": 0.5}]}),
    "saved money": LONG,
    "stocks": LONG | {"trade": {"every_tick": {"inventories": True}}, "start": "empty"},
    "at equilibrium": LONG | {"trade": "at_equilibrium"},
    "marginal adjustment": CHAIN
    | {"firms": [{**firm, "behaviour": {"marginal_adjustment": {"rate": 0.1}}} for firm in CHAIN["firms"]]},
    "a crowd": CHAIN | {"consumers": [CROWD]},
    "shocks": LONG | {"shocks": SHOCKS},
    "floats": with_run(CHAIN, engine="floats"),
    "arrays": with_run(CHAIN, engine="arrays"),
    **{name: name for name in ("two_roads_bids", "perceptron", "xor_delta", "xor_two_layers", "logit_contracts")},
    **{name: name for name in ("steel_planner", "perfect_substitutes", "fisher")},
}
SLOW = {"xor_two_layers", "fisher", "logit_contracts", "a crowd", "consensus", "symplectic", "newton"}


def scenario_of(name: str, **run: Any) -> Any:
    given = MARKETS[name]
    if isinstance(given, str):
        settings = {f"run.{key}": value for key, value in {"stop": "never", "record_every": 1, **run}.items()}
        return load(SHIPPED / f"{given}.yaml", settings=settings)
    return load(with_run(given, **run))


def rows(folder: Path, since: int) -> dict[str, str]:
    """The header and the rows from a tick on of the tables that grow."""
    found: dict[str, str] = {}
    for name in GROWING:
        if (folder / name).is_file():
            header, *lines = (folder / name).read_text().splitlines()
            found[name] = "\n".join([header, *(line for line in lines if int(line.partition(",")[0]) >= since)])
    return found


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in MARKETS]
)
def test_it_is_the_run_that_had_not_ended(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks_of(monkeypatch, 1)
    run_to_disk(scenario_of(name, ticks=FIRST), tmp_path / "first")
    summary = run_to_disk(load_from(tmp_path / "first", ticks=MORE), tmp_path / "more")
    whole = run_to_disk(scenario_of(name, ticks=FIRST + MORE), tmp_path / "whole")
    found = rows(tmp_path / "more", 0)
    assert found == rows(tmp_path / "whole", FIRST)
    assert len(found) == 4 or name in ("perceptron", "xor_delta", "xor_two_layers", "logit_contracts", "two_roads_bids")
    last = (tmp_path / "first" / "trajectory.csv").read_text().splitlines()[-1]
    assert last in found["trajectory.csv"].splitlines()
    # What would help is tried from where a run began, and told in the sentence.
    own = {"name", "wall_seconds", "scenario_sha256"} | ({"sentence"} if whole["outcome"] == "out_of_ticks" else set())
    assert {key: value for key, value in summary.items() if key not in own} == {
        key: value for key, value in whole.items() if key not in own
    }
    assert (tmp_path / "more" / "equilibrium.csv").read_bytes() == (tmp_path / "whole" / "equilibrium.csv").read_bytes()


@pytest.mark.parametrize("name", ["saved money", "shocks", "delay", "two_roads_bids"])
def test_whatever_blocks_there_are_prices_are_the_same(name: str, tmp_path: Path) -> None:
    run_to_disk(scenario_of(name, ticks=FIRST), tmp_path / "first")
    run = simulate(load_from(tmp_path / "first", ticks=MORE))
    whole = simulate(scenario_of(name, ticks=FIRST + MORE)).trajectory.query(f"tick >= {FIRST}")
    columns = ["tick", "good", "price", "demand", "supply", "traded"]
    pd.testing.assert_frame_equal(run.trajectory[columns], whole[columns].reset_index(drop=True), check_exact=True)


CHANGES: list[Data] = [
    {"supply.land": 3},
    {"supply.land": "{times: 0.5}", "consumers.lords.budget": "0.9"},
    {"consumers.folk.endowment.labour": {"plus": 1}},
    {"firms.mill.productivity": 3, "prices.bread": {"times": 2}},
    {"consumers.lords.utility.ces.elasticity": 1.7},
]


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize("changes", CHANGES, ids=str)
@pytest.mark.parametrize("shocks", [[], SHOCKS], ids=["calm", "struck"])
def test_what_is_set_is_a_shock_at_the_first_new_tick(
    changes: Data, shocks: list[Data], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks_of(monkeypatch, 1)
    data = with_run(LONG, references="off") | {"shocks": shocks}
    run_to_disk(load(with_run(data, ticks=FIRST)), tmp_path / "first")
    run_to_disk(load_from(tmp_path / "first", ticks=MORE, settings=changes), tmp_path / "more")
    plain = changes | (
        {"supply.land": {"times": 0.5}, "consumers.lords.budget": 0.9}
        if len(changes) > 1 and "supply.land" in changes
        else {}
    )
    struck = data | {"shocks": [*shocks, {"tick": FIRST + 1, "set": plain}]}
    run_to_disk(load(with_run(struck, ticks=FIRST + MORE)), tmp_path / "whole")
    assert rows(tmp_path / "more", 0) == rows(tmp_path / "whole", FIRST)


def test_another_policy_moves_the_same_prices_in_its_own_way(tmp_path: Path) -> None:
    """Under another rate the first new prices are what the old one made of them, and the next what the new one does."""
    run_to_disk(load(with_run(CHAIN, ticks=FIRST)), tmp_path / "first")
    old = pd.read_csv(tmp_path / "first" / "trajectory.csv").query(f"tick == {FIRST}").set_index("good")
    run = simulate(load_from(tmp_path / "first", settings={"scheduler.rate": 0.02}, ticks=5))
    goods = run.trajectory.set_index(["tick", "good"]).loc

    def steps(tick: int, frame: Any) -> Any:
        scale = np.maximum(frame["demand"], frame["supply"])
        return np.exp((0.1 if tick == FIRST else 0.02) * frame["excess_demand"] / scale)

    for tick in (FIRST, FIRST + 1, FIRST + 2):
        now, then = goods[tick], goods[tick + 1]
        expected = now["price"] * steps(tick, now)
        np.testing.assert_allclose(then["price"][["a", "b"]], expected[["a", "b"]], rtol=1e-12)
    assert goods[FIRST]["price"].to_dict() == old["price"].to_dict()
    # The judge's path begins where the policy does, and a supply chain descends it.
    assert run.ticks["distance_to_gradient_path"].max() < 1e-12
    assert run.summary["shocks"] == [FIRST + 1]
    assert run.equilibrium["from_tick"].unique().tolist() == [FIRST + 1]


OTHER_POLICIES: list[Data] = [
    {"scheduler": {"rule": "adam", "rate": 0.05}},
    {"scheduler.with": [{"delay": 2}, {"momentum": 0.9}]},
    {"goods.wine.fixed_price": 2.5},
    {"consumers.folk.owns.mill": 0.25, "consumers.lords.owns": {"mill": 0.5}},
    {"trade": "at_equilibrium"},
    {"run.references": "on", "run.record_every": 1},
    {"run.tolerance": 1e-3, "run.stop": "verdict"},
    {"goods.bread.floor": 0.5},
    {"scheduler.rate": 0.02, "supply.land": 4},
]


@pytest.mark.parametrize("changes", OTHER_POLICIES, ids=str)
@pytest.mark.parametrize("shocks", [[], SHOCKS], ids=["calm", "struck"])
def test_any_policy_goes_on_and_what_is_written_gives_the_same_bytes(
    changes: Data, shocks: list[Data], tmp_path: Path
) -> None:
    run_to_disk(load(with_run(TOWN, ticks=FIRST) | {"shocks": shocks}), tmp_path / "first")
    summary = run_to_disk(load_from(tmp_path / "first", ticks=MORE, settings=changes), tmp_path / "more")
    assert summary["ticks"] > FIRST
    again = run_to_disk(load(tmp_path / "more" / "scenario.yaml"), tmp_path / "again")
    assert {key: summary[key] for key in ("outcome", "sentence", "shocks")} == {
        key: again[key] for key in ("outcome", "sentence", "shocks")
    }
    assert rows(tmp_path / "again", 0) == rows(tmp_path / "more", 0)
    held = changes.get("goods.wine.fixed_price")
    if held is not None:
        prices = pd.read_csv(tmp_path / "more" / "trajectory.csv").query(f"tick > {FIRST} and good == 'wine'")["price"]
        assert set(prices) == {held}


def test_a_run_that_cleared_goes_on_under_a_new_policy_and_clears_again(tmp_path: Path) -> None:
    data = {**CHAIN, "run": {"ticks": 1000}}
    first = run_to_disk(load(data), tmp_path / "first")
    assert first["outcome"] == "cleared"
    assert run_to_disk(load_from(tmp_path / "first"), tmp_path / "same")["ticks"] == first["ticks"] + 1
    more = run_to_disk(load_from(tmp_path / "first", settings={"supply.a": 1}), tmp_path / "more")
    assert more["outcome"] == "cleared"
    alone = simulate(data | {"supply": {"a": 1}}).trajectory
    last = pd.read_csv(tmp_path / "more" / "trajectory.csv").groupby("good")["price"].last()
    np.testing.assert_allclose(last, alone.groupby("good")["price"].last(), rtol=1e-5)


def test_it_goes_on_again_and_again(tmp_path: Path) -> None:
    scenario = load(with_run(LONG, ticks=FIRST) | {"name": "town", "shocks": SHOCKS})
    run_to_disk(scenario, tmp_path / "town")
    names = ["town"]
    for _ in range(2):
        following = load_from(tmp_path / names[-1], ticks=MORE)
        names.append(following.name if following.name not in names else "town-3")
        run_to_disk(load_from(tmp_path / names[-2], ticks=MORE, name=names[-1]), tmp_path / names[-1])
    assert names == ["town", "town-2", "town-3"]
    whole = simulate(load(with_run(LONG, ticks=FIRST + 2 * MORE) | {"shocks": SHOCKS})).trajectory
    found = pd.read_csv(tmp_path / "town-3" / "trajectory.csv")
    expected = whole.query(f"tick >= {FIRST + MORE}")
    assert found["price"].tolist() == expected["price"].tolist()
    assert found["tick"].tolist() == expected["tick"].tolist()


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize("changes", [{}, {"scheduler.rate": 0.02, "supply.land": 3}], ids=["same", "branch"])
@pytest.mark.parametrize("killed_at", [0, 1, 3])
def test_killed_and_resumed_it_ends_in_the_same_bytes(
    changes: Data, killed_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks_of(monkeypatch, 4)
    saved_every_block(monkeypatch)
    run_to_disk(load(with_run(LONG, ticks=FIRST) | {"shocks": SHOCKS}), tmp_path / "first")
    scenario = load_from(tmp_path / "first", ticks=MORE, settings=changes)
    run_to_disk(scenario, tmp_path / "whole")
    ticks: list[int] = []

    def killed(tick: int, _: int) -> None:
        ticks.append(tick)
        if tick > FIRST + 4 * killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        run_to_disk(scenario, tmp_path / "parts", progress=killed)
    run_to_disk(scenario, tmp_path / "parts", resume=True)
    for file in sorted((tmp_path / "whole").glob("*.csv")):
        assert (tmp_path / "parts" / file.name).read_bytes() == file.read_bytes(), file.name
    # The state is whole too: it can be gone on from.
    ways = [run_to_disk(load_from(tmp_path / name, ticks=3), tmp_path / f"{name}-2") for name in ("whole", "parts")]
    assert ways[0]["sentence"] == ways[1]["sentence"]


REFUSED: list[tuple[Data, str]] = [
    ({"goods.beer": {}}, "goods.beer: unknown path 'goods.beer'; expected one of labour, land, bread, wine"),
    ({"consumers.folk.count": 6}, "consumers.folk.count: found 6; expected 5, as in the run to go on from"),
    ({"firms.mil.productivity": 3}, "firms.mil.productivity"),
    ({"run.ticks": 90}, "run.ticks: found 'run.ticks' where a run goes on; expected ticks, how many more (--ticks)"),
    ({"run.seed": 9}, "run.seed: found 'run.seed' where a run goes on; expected the run's own seed"),
    ({"name": "other"}, "expected a name of its own (--name)"),
    ({"shocks": []}, "expected PATH=VALUE: it is in force from the first new tick on"),
    ({"goods.bread.price": 2}, "expected the price from now on: prices.bread"),
    ({"initial_prices.bread": 2}, "expected the price from now on: prices.bread"),
    ({"prices.bred": 2}, "prices.bred: unknown path 'prices.bred'"),
    ({"supply.land": -1}, "leads to supply.land: found -1; expected a number of at least 0"),
    ({"supply.lnd": 1}, "supply.lnd: unknown path 'supply.lnd'; expected"),
    ({"supply.land": "[1"}, "supply.land: not valid YAML"),
    ({"scheduler.rat": 1}, "scheduler.rat"),
    ({"scheduler.rate": -1}, "scheduler.rate: found -1"),
    ({"firms.mill.technology.cobb_douglas.output": "wine"}, "firms.mill.technology.cobb_douglas.output"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("going_on") / "first"
    run_to_disk(load(with_run(TOWN, ticks=5)), folder)
    return folder


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=str)
def test_what_would_make_other_agents_or_goods_is_refused(changes: Data, message: str, finished: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_from(finished, ticks=5, settings=changes)
    assert message in str(caught.value)
    assert all(problem.where == "settings" for problem in caught.value.problems), caught.value


def test_a_run_that_cannot_be_gone_on_from_says_why(finished: Path, tmp_path: Path) -> None:
    def spoilt(name: str) -> Path:
        return Path(shutil.copytree(finished, tmp_path / name))

    with pytest.raises(RunFolderError, match="found no such folder; expected a finished run"):
        load_from(tmp_path / "nowhere")
    (spoilt("lost") / "state.npz").unlink()
    with pytest.raises(RunFolderError, match=r"found no state\.npz; expected a finished run"):
        load_from(tmp_path / "lost")
    checkpoint = spoilt("cut") / "state.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(RunFolderError, match="found a damaged checkpoint"):
        load_from(tmp_path / "cut")
    scenario = spoilt("edited") / "scenario.yaml"
    scenario.write_text(scenario.read_text().replace("land: 2", "land: 3"))
    with pytest.raises(RunFolderError, match="found another scenario than the one that was run"):
        load_from(tmp_path / "edited")
    run_to_disk(load(with_run(TOWN, ticks=50)), tmp_path / "stopped", stopped=lambda: True)
    with pytest.raises(RunFolderError, match=r"state\.npz"):
        load_from(tmp_path / "stopped")


def test_what_it_read_must_be_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folk.csv").write_text("money\n1\n2\n3\n1\n4\n")
    folk = {**TOWN["consumers"][0], "budget": {"csv": "folk.csv", "column": "money"}}
    run_to_disk(load(with_run(TOWN | {"consumers": [folk, TOWN["consumers"][1]]}, ticks=5)), tmp_path / "first")
    assert load_from("first", ticks=2).economy.consumers[0].budget.tolist() == [1, 2, 3, 1, 4]
    (tmp_path / "first" / "inputs" / "folk.csv").write_text("money\n1\n2\n3\n1\n5\n")
    with pytest.raises(RunFolderError, match=r"folk\.csv: found other contents than the run read"):
        load_from("first", ticks=2)


def test_a_scenario_may_name_where_it_goes_on_from(finished: Path, tmp_path: Path) -> None:
    """As it is written beside a run, in any file: its economy is that of the run, and shocks have happened."""
    folder = Path(shutil.copytree(finished, tmp_path / "run"))
    run = json.loads(json.dumps(TOWN["run"])) | {"ticks": 9, "from": "run/state.npz"}
    (tmp_path / "next.yaml").write_text(json.dumps({**TOWN, "run": run}))
    assert simulate(tmp_path / "next.yaml").trajectory["tick"].unique().tolist() == [5, 6, 7, 8, 9]
    for wrong, message in (
        ({"run": run | {"ticks": 5}}, "run.ticks: found 5, but the run goes on from tick 5; expected more"),
        ({"run": run | {"from": "run/nothing.npz"}}, "run.from: found a file that cannot be read"),
        ({"run": run | {"from": "run/scenario.yaml"}}, "run.from: found a damaged checkpoint"),
        ({"run": run, "shocks": [{"tick": 3, "set": {"supply.land": 1}}]}, "shocks: found other shocks up to tick 5"),
        ({"run": run | {"seed": 3}}, "run.seed: found 3; expected 0, by which agents were drawn"),
    ):
        (tmp_path / "wrong.yaml").write_text(json.dumps({**TOWN, **wrong}))
        with pytest.raises(ScenarioError) as caught:
            load(tmp_path / "wrong.yaml")
        assert message in str(caught.value)
    assert folder.is_dir()


def test_the_command_goes_on_into_the_next_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(*arguments: str) -> tuple[int, str]:
        given = ["simulator", "run", *arguments, "--out", str(tmp_path / "out"), "--no-plots"]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    (tmp_path / "town.yaml").write_text(json.dumps(with_run(TOWN, ticks=5) | {"expect": ["cleared", "out_of_ticks"]}))
    town = str(tmp_path / "out" / "town")
    assert command(str(tmp_path / "town.yaml"))[0] == 0
    assert command("--from", town, "--ticks", "3") == (0, "")
    assert command("--from", town, "--ticks", "3", "--set", "supply.land={times: 2}", "--quiet")[0] == 0
    assert command("--from", f"{town}-3", "--name", "branch")[0] == 0
    ticks = {name: pd.read_csv(tmp_path / "out" / name / "ticks.csv")["tick"].tolist() for name in ("town-3", "branch")}
    assert ticks == {"town-3": [5, 6, 7, 8], "branch": [8, 9, 10, 11]}
    assert pd.read_csv(tmp_path / "out" / "town-3" / "trajectory.csv")["supply"].nunique() > 1
    # What has come to its end is not run again.
    assert command("--from", town, "--ticks", "3", "--set", "supply.land={times: 2}", "--resume")[0] == 0
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["branch", "town", "town-2", "town-3"]
    for wrong, message in (
        (
            ["--from", town, "--ticks", "0"],
            "--ticks: found '0'; expected a whole number, 1 or more: so many more ticks",
        ),
        (["--from", town, str(tmp_path / "town.yaml")], "--from: found SCENARIO too"),
        (["--from", town, "--seed", "2"], "--from: found --seed too"),
        (["--from", town, "--name", "town"], "--name: found town, the run to go on from; expected a name of its own"),
        (["--from", town, "--name", "branch"], "branch: found a run; --overwrite replaces it"),
        (["--from", town, "--set", "firms.mill.count=2"], "--set: firms.mill.count: found 2; expected 1, as in"),
        (["--name", "x", str(tmp_path / "town.yaml")], "--name: found 'x' without --from; expected --set name=x"),
        ([], "simulator run: found no SCENARIO; expected one, as in"),
    ):
        code, said = command(*wrong)
        assert (code, message in said) == (2, True), said
