"""A run folder under attack: writes that fail or are cut off at any moment, damaged files, and whose folder it is."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator.results.folder as folder_module
from tests.builders import blocks_of
from tests.house import Recorder, RunFolderError, Scenario, Table, load, names, run_to_disk
from tests.run_folders import CSVS, contents, summary

COLUMNS = {
    "trajectory.csv": "tick,good,price,demand,supply,excess_demand,traded,inventory,bid,gradient_price,adjoint",
    "ticks.csv": "tick,max_relative_excess_demand,walras_residual,potential,merit,cosine_to_gradient,"
    "distance_to_gradient_path,distance_to_equilibrium,distance_to_adjoint,rotation_index,cosine_home,dominant_mode",
    "wedges.csv": "tick,firm,input,marginal_revenue_product,price,wedge",
    "equilibrium.csv": "equilibrium,good,price,quantity,adjoint,market_price,price_gap,adjoint_gap,index,stable,"
    "from_tick",
}
TATONNEMENT = {"kind": "tatonnement", "form": "multiplicative", "rate": 0.2}
GOODS = [f"g{i}" for i in range(11)]
SCENARIOS: dict[str, dict[str, Any]] = {
    "chain": {
        "goods": GOODS,
        "outside": {"g10": 1},
        "supply": {"g0": 2},
        "firms": [{"name": f"f{i}", "makes": f"g{i + 1} = sqrt(g{i})"} for i in range(10)],
    },
    "buyers": {
        "goods": {"apples": {"price": 2}, "pears": {"price": 1}, "figs": {"price": 0.5}},
        "supply": {"apples": 10, "pears": 6, "figs": 3},
        "consumers": [
            {"name": "a", "budget": 10, "utility": {"ces": {"elasticity": 0.5, "shares": {"apples": 1, "pears": 2}}}},
            {"name": "b", "budget": 4, "utility": {"cobb_douglas": {"apples": 0.2, "pears": 0.2, "figs": 0.6}}},
            {"name": "c", "utility": {"quasilinear": {"log": {"pears": 1, "figs": 2}}}},
        ],
    },
    "production": {
        "goods": ["a", "b", "c", "d", "e"],
        "supply": {"d": 3.3},
        "firms": [{"name": "f", "makes": "c = a^0.3*b^0.4"}, {"name": "g", "makes": "b = 2*ln(1 + d)"}],
        "consumers": [
            {
                "name": "u",
                "utility": {"ces": {"elasticity": 0.7, "shares": {"a": 1, "b": 2, "c": 1.3}}},
                "endowment": {"a": 1, "b": 0.2},
                "owns": {"f": 0.5},
            },
            {
                "name": "v",
                "utility": {"cobb_douglas": {"a": 0.2, "c": 0.6, "e": 0.3}},
                "endowment": {"a": 0.3, "e": 1},
                "owns": {"g": 1},
            },
        ],
        "initial_prices": {"a": 1.3, "c": 0.7},
        "scheduler": TATONNEMENT | {"rate": 0.05, "with": [{"momentum": 0.3}]},
    },
}
EVERY_TRADE = [(name, trade) for name in SCENARIOS for trade in ("every_tick", "at_equilibrium")]


class KilledError(BaseException):
    """Stands for a SIGKILL: nobody catches it."""


def scenario(name: str, trade: str = "every_tick", **run: Any) -> Scenario:
    settings = {"ticks": 60, "stop": "never", **run}
    return load({"name": name, "scheduler": TATONNEMENT, **SCENARIOS[name], "trade": trade, "run": settings})


def break_write(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException, *, half: bool) -> None:
    """Let the write of this number fail, with half of the data written or none; the program flushes at every tick."""
    written, write_all = count(1), folder_module._write_all

    def write(file: Any, data: bytes) -> None:
        if next(written) == number:
            if half:
                write_all(file, data[: len(data) // 2])
            raise error
        write_all(file, data)

    monkeypatch.setattr(folder_module, "_write_all", write)


@pytest.fixture
def _every_tick_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "full", property(lambda _: True))


@pytest.mark.parametrize(("name", "trade"), EVERY_TRADE)
def test_interrupted_within_a_block_it_goes_on_to_the_same_bytes(
    name: str, trade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks_of(monkeypatch, 16)
    told = scenario(name, trade)
    run_to_disk(told, tmp_path / "whole")
    for stop in (5, 25, 13, 18):
        left = iter(range(stop))
        said = run_to_disk(told, tmp_path / "parts", resume=True, stopped=lambda left=left: next(left, None) is None)
        assert said["outcome"] == "interrupted"
        assert len((tmp_path / "parts" / "ticks.csv").read_text().splitlines()) == said["ticks"] + 2
    run_to_disk(told, tmp_path / "parts", resume=True)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")


@pytest.mark.usefixtures("_every_tick_is_a_block")
@pytest.mark.parametrize("half", [False, True], ids=["nothing", "half"])
@pytest.mark.parametrize(
    "error",
    [KilledError(), OSError(errno.ENOSPC, "No space left on device")],
    ids=["killed", "full"],
)
def test_after_any_write_that_failed_it_goes_on_to_the_same_bytes(
    half: bool, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = scenario("production", ticks=3, references="off")
    run_to_disk(told, tmp_path / "whole")
    for number in count(1):
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            break_write(patch, number, error, half=half)
            try:
                run_to_disk(told, folder)
                break
            except (KilledError, RunFolderError) as met:
                said = str(met)
        assert said in ("", f"{folder}: cannot be written: No space left on device")
        run_to_disk(told, folder, resume=True)
        assert contents(folder) == contents(tmp_path / "whole")
        assert summary(folder) == summary(tmp_path / "whole")
    assert number > 20


@pytest.mark.usefixtures("_every_tick_is_a_block")
def test_a_resumed_run_may_be_killed_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = scenario("production", ticks=12, references="off")
    run_to_disk(told, tmp_path / "whole")
    kills = 0
    while True:
        with monkeypatch.context() as patch:
            break_write(patch, 11, KilledError(), half=True)
            try:
                run_to_disk(told, tmp_path / "parts", resume=True)
                break
            except KilledError:
                kills += 1
    assert kills > 3
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")


@pytest.mark.usefixtures("_every_tick_is_a_block")
def test_overwriting_is_cut_off_without_leaving_a_mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = scenario("production", ticks=3, references="off")
    run_to_disk(new, tmp_path / "whole")
    for number in range(1, 7):
        run_to_disk(scenario("production", ticks=5, references="off"), tmp_path / "parts")
        with monkeypatch.context() as patch:
            break_write(patch, number, KilledError(), half=False)
            with pytest.raises(KilledError):
                run_to_disk(new, tmp_path / "parts")
        try:
            run_to_disk(new, tmp_path / "parts", resume=True)
        except RunFolderError:
            assert number == 1
            assert "ticks: 5" in (tmp_path / "parts" / "scenario.yaml").read_text()
        else:
            assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.usefixtures("_every_tick_is_a_block")
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("state.npz", truncated),
        ("state.npz", flipped),
        ("state.npz", lambda data: b""),
        ("state.npz", lambda data: b"garbage"),
        ("ticks.csv", truncated),
        ("agents.csv", None),
    ],
    ids=["truncated", "flipped", "empty", "garbage", "table_truncated", "table_gone"],
)
def test_damage_is_said_in_a_line_and_changes_nothing(
    name: str, damage: Callable[[bytes], bytes] | None, tmp_path: Path
) -> None:
    told, left = scenario("chain"), iter(range(20))
    run_to_disk(told, tmp_path, stopped=lambda: next(left, None) is None)
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RunFolderError) as refused:
        run_to_disk(told, tmp_path, resume=True)
    assert str(refused.value).startswith(f"{tmp_path / name}: found ")
    assert "--overwrite" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    run_to_disk(told, tmp_path)
    assert summary(tmp_path)["ticks"] == 60


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_with_other_files_is_left_alone(resume: bool, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "holiday.png").write_bytes(b"sea")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="other files"):
        run_to_disk(scenario("chain"), tmp_path, resume=resume)
    assert {path.name for path in tmp_path.iterdir()} == {"figures", "notes.txt"}
    assert (tmp_path / "figures" / "holiday.png").read_bytes() == b"sea"


def test_columns_are_the_contract_s(tmp_path: Path) -> None:
    run_to_disk(scenario("production"), tmp_path / "traded")
    run_to_disk(scenario("production", "at_equilibrium"), tmp_path / "waiting")
    for folder, more in (("traded", ",money,goods_imbalance,money_imbalance"), ("waiting", "")):
        first = {name: (tmp_path / folder / name).read_text().partition("\n")[0] for name in CSVS}
        assert first.pop("agents.csv").startswith("tick,agent,kind,good,quantity,input,output,profit,utility,money")
        assert first == COLUMNS | {"ticks.csv": COLUMNS["ticks.csv"] + more}


@pytest.mark.parametrize(("name", "trade"), EVERY_TRADE)
def test_recording_less_often_leaves_out_rows_and_changes_none(name: str, trade: str, tmp_path: Path) -> None:
    run_to_disk(scenario(name, trade), tmp_path / "all")
    run_to_disk(scenario(name, trade, record_every=7), tmp_path / "some")
    for table in ("trajectory.csv", "ticks.csv", "agents.csv", "wedges.csv"):
        every = (tmp_path / "all" / table).read_text().splitlines()
        kept = [line for line in every[1:] if (tick := int(line.partition(",")[0])) % 7 == 0 or tick == 60]
        assert (tmp_path / "some" / table).read_text().splitlines() == [every[0], *kept]


def test_neither_hash_seed_nor_threads_nor_the_written_scenario_change_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "production.yaml"
    path.write_text(json.dumps(scenario("production").resolved))
    program = [sys.executable, "-m", "simulator", "run", "--no-plots", "--quiet", "--set", "expect=out_of_ticks"]
    variants = [
        {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4", "TZ": "Asia/Tokyo"},
    ]
    for number, variables in enumerate(variants):
        command = [*program, str(path), "--out", str(tmp_path / str(number))]
        assert subprocess.run(command, env={**os.environ, **variables}, check=False).returncode in (0, 3)
        path = tmp_path / str(number) / "production" / "scenario.yaml"
    first, second = (tmp_path / number / "production" for number in "01")
    assert contents(first) == contents(second)
    assert summary(first) == summary(second)
    assert (first / "scenario.yaml").read_bytes() == (second / "scenario.yaml").read_bytes()


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=8), st.integers(-3, 3))
def test_cells_read_back_as_the_numbers_they_were(values: list[float], mark: int) -> None:
    rows = len(values)
    table = Table(
        {"tick": np.arange(rows), "good": names(["g"] * rows)},
        ("value", "mark"),
        np.stack([np.array(values), np.full(rows, float(mark))], axis=1),
        whole=("mark",),
    )
    cells = [line.split(",") for line in table.lines().splitlines()]
    assert [cell[2] for cell in cells] == ["" if v != v else repr(v + 0.0) for v in values]
    assert [cell[3] for cell in cells] == [str(mark)] * rows
    frame = table.frame()
    assert list(frame.columns) == ["tick", "good", "value", "mark"]
    assert frame["mark"].dtype == np.int64
    pd.testing.assert_series_equal(frame["value"], pd.Series(np.array(values), name="value"))
