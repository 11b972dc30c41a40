"""What was recorded stays, and a run that was stopped or killed goes on to the same bytes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.builders import blocks_of, saved_every_block
from tests.house import RunFolderError, load, run_to_disk, simulate
from tests.run_folders import contents, run_with_stops, summary

EXCHANGE: dict[str, Any] = {
    "name": "orbit",
    "goods": ["x", "y", "z"],
    "consumers": [
        {"name": "first", "utility": {"leontief": {"x": 1, "y": 1}}, "endowment": {"x": 1}},
        {"name": "second", "utility": {"leontief": {"y": 1, "z": 1}}, "endowment": {"y": 1}},
        {"name": "third", "utility": {"leontief": {"z": 1, "x": 1}}, "endowment": {"z": 1}},
    ],
    "initial_prices": {"x": 1.2, "z": 0.85},
    "scheduler": {"kind": "tatonnement", "form": "additive", "rate": 0.01, "with": [{"momentum": 0.3}]},
    "run": {"ticks": 400, "tolerance": 1e-9, "record_every": 3},
    "expect": ["cycled", "out_of_ticks"],
}
CHAIN: dict[str, Any] = {
    "name": "chain",
    "goods": ["a", "b", "c"],
    "outside": {"c": 1},
    "supply": {"a": 2},
    "firms": [{"name": "f", "makes": "b = sqrt(a)"}, {"name": "g", "makes": "c = ln(1 + b)"}],
    "initial_prices": {"a": 0.1, "b": 0.1},
    "run": {"ticks": 300, "tolerance": 1e-12, "stop": "never"},
}
SHIPPED = Path(__file__).parents[1] / "scenarios"
SCENARIOS = [EXCHANGE, EXCHANGE | {"trade": "at_equilibrium"}, CHAIN]


class KilledError(BaseException):
    """Stands for a SIGKILL: nobody catches it."""


@pytest.mark.parametrize("data", SCENARIOS, ids=["every_tick", "at_equilibrium", "chain"])
def test_a_run_stopped_between_ticks_passed_over_ends_in_the_same_bytes(
    data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks_of(monkeypatch, 32)
    scenario = load(data)
    run_to_disk(scenario, tmp_path / "whole")
    assert run_with_stops(scenario, tmp_path / "parts", 5) > 1
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize("data", SCENARIOS, ids=["every_tick", "at_equilibrium", "chain"])
def test_a_run_stopped_again_and_again_ends_in_the_same_bytes(data: dict[str, Any], tmp_path: Path) -> None:
    scenario = load(data)
    run_to_disk(scenario, tmp_path / "whole")
    assert run_with_stops(scenario, tmp_path / "parts", 37) > 3
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")


@pytest.mark.parametrize("data", SCENARIOS, ids=["every_tick", "at_equilibrium", "chain"])
def test_two_runs_and_the_written_scenario_give_the_same_bytes(data: dict[str, Any], tmp_path: Path) -> None:
    run_to_disk(load(data), tmp_path / "a")
    run_to_disk(load(data), tmp_path / "b")
    run_to_disk(load(tmp_path / "a" / "scenario.yaml"), tmp_path / "c")
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "ticks"),
    [("ten_tiers", 2100), ("village", 2100), ("dot_product", 4500), ("xor", 4500), ("tree_planner", 2100)],
)
def test_every_kind_of_run_that_is_killed_again_and_again_ends_in_the_same_bytes(
    name: str, ticks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_every_block(monkeypatch)
    scenario = load(SHIPPED / f"{name}.yaml", settings={"run.ticks": ticks, "run.stop": "never"})
    run_to_disk(scenario, tmp_path / "whole")
    at = random.Random(name)

    def killed(tick: int, _: int) -> None:
        if tick == moment:
            raise KilledError

    for kill in range(3):
        moment = at.randrange(ticks)
        with suppress(KilledError):
            run_to_disk(scenario, tmp_path / "parts", resume=kill > 0, progress=killed)
    run_to_disk(scenario, tmp_path / "parts", resume=True)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_killed_or_interrupted_it_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    long = EXCHANGE | {"run": {"ticks": 4000, "tolerance": 1e-9, "references": "off"}}
    scenario = load(long)
    (tmp_path / "orbit.yaml").write_text(json.dumps(long))
    command = [sys.executable, "-m", "simulator", "run", str(tmp_path / "orbit.yaml"), "--no-plots", "--quiet"]
    out = tmp_path / "out"
    process = subprocess.Popen([*command, "--out", str(out)])
    while not (out / "orbit" / "state.npz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    code = process.wait()
    assert code == (-9 if number == signal.SIGKILL else 130)
    for name in ("trajectory.csv", "ticks.csv"):
        assert (out / "orbit" / name).read_bytes().endswith(b"\n")
    again = subprocess.run([*command, "--out", str(out), "--resume"], check=False)
    assert again.returncode == 0
    run_to_disk(scenario, tmp_path / "whole")
    assert contents(out / "orbit") == contents(tmp_path / "whole")
    assert summary(out / "orbit") == summary(tmp_path / "whole")


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    scenario = load(CHAIN)
    first = run_to_disk(scenario, tmp_path)
    before = contents(tmp_path)
    assert run_to_disk(scenario, tmp_path, resume=True) == first
    assert contents(tmp_path) == before


def test_another_scenario_is_refused(tmp_path: Path) -> None:
    run_to_disk(load(CHAIN), tmp_path)
    with pytest.raises(RunFolderError, match=r"another scenario|other settings"):
        run_to_disk(load(CHAIN, settings={"run.seed": 5}), tmp_path, resume=True)


def test_the_csvs_are_the_frames_and_say_everything_once(tmp_path: Path) -> None:
    run_to_disk(load(CHAIN), tmp_path)
    run = simulate(CHAIN)
    for name in ("trajectory", "ticks", "agents", "wedges", "equilibrium"):
        text = (tmp_path / f"{name}.csv").read_bytes().decode()
        frame = getattr(run, name)
        lines = text.splitlines()
        assert lines[0] == ",".join(frame.columns)
        assert len(lines) == 1 + len(frame)
        assert "\r" not in text
        assert not {"nan", "-0.0"} & set(text.replace("\n", ",").split(","))
        for line, row in zip(lines[1:], frame.itertuples(index=False), strict=True):
            for cell, value in zip(line.split(","), row, strict=True):
                if isinstance(value, float):
                    assert cell == ("" if value != value else repr(value + 0.0))
                else:
                    assert cell == str(value)


def test_first_and_last_ticks_are_recorded() -> None:
    run = simulate(EXCHANGE)
    assert run.ticks["tick"].tolist() == [*range(0, 400, 3), 400]
    assert run.trajectory["price"][:3].tolist() == [1.2, 1.0, 0.85]


def test_without_references_their_columns_are_empty() -> None:
    run = simulate(EXCHANGE, references=False)
    assert run.trajectory[["gradient_price", "adjoint"]].isna().all(axis=None)
    assert run.trajectory["bid"].notna().all()
    judged = ["potential", "merit", "cosine_to_gradient", "distance_to_gradient_path", "distance_to_equilibrium"]
    assert run.ticks[[*judged, "distance_to_adjoint"]].isna().all(axis=None)
    assert run.equilibrium.empty
