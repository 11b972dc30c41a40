"""A run folder under attack: writes that fail or are cut off at any moment, damaged files, and whose folder it is."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator.records.folder as folder_module
from tests.builders import blocks_of, saved_every_block
from tests.house import Recorder, RunFolder, RunFolderError, Scenario, ScenarioError, Table, load, names, run_to_disk
from tests.run_folders import CSVS, contents, summary

COLUMNS = {
    "trajectory.csv": "tick,good,price,demand,supply,excess_demand,traded,inventory,bid,gradient_price,adjoint",
    "ticks.csv": "tick,max_relative_excess_demand,walras_residual,potential,merit,cosine_to_gradient,"
    "distance_to_gradient_path,distance_to_equilibrium,distance_to_adjoint,plan_residual,rotation_index,cosine_home,dominant_mode",
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
EVERY_TRADE = [
    *((name, "every_tick") for name in SCENARIOS),
    *(pytest.param(name, "at_equilibrium", marks=pytest.mark.slow) for name in SCENARIOS),
]


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
def _every_tick_is_a_block(tick_by_tick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "full", property(lambda _: True))
    saved_every_block(monkeypatch)


@pytest.mark.usefixtures("tick_by_tick")
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


def packed(data: bytes) -> bytes:
    """The same archive, but zeros take its place when it is unpacked: a hundred times as many."""
    bomb = BytesIO()
    with ZipFile(bomb, "w", ZIP_DEFLATED) as archive:
        for name, member in members(data).items():
            archive.writestr(name, member if name == "manifest.json" else bytes(100 * len(data)))
    return bomb.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def saved_again(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """The arrays changed and saved by numpy, the manifest left as it was."""

    def damage(data: bytes) -> bytes:
        arrays = {name: np.load(BytesIO(member)) for name, member in members(data).items() if name.endswith(".npy")}
        change(arrays)
        archive = BytesIO()
        np.savez(archive, **{name.removesuffix(".npy"): array for name, array in arrays.items()})
        with ZipFile(archive, "a") as more:
            more.writestr("manifest.json", members(data)["manifest.json"])
        return archive.getvalue()

    return damage


def told_otherwise(change: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    """A manifest that says something else, in an archive that is sound."""

    def damage(data: bytes) -> bytes:
        said = json.loads(members(data)["manifest.json"])
        change(said)
        archive = BytesIO()
        with ZipFile(archive, "w") as whole:
            for name, member in members(data).items():
                whole.writestr(name, json.dumps(said) if name == "manifest.json" else member)
        return archive.getvalue()

    return damage


def without_manifest(data: bytes) -> bytes:
    """As the program wrote checkpoints before there were manifests."""
    archive = BytesIO()
    with ZipFile(archive, "w") as whole:
        for name, member in members(data).items():
            if name != "manifest.json":
                whole.writestr(name, member)
    return archive.getvalue()


def a_cell_changed(data: bytes) -> bytes:
    place = next(place for place in range(len(data) // 2, len(data)) if data[place : place + 1].isdigit())
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


Damage = Callable[[bytes], bytes]
GONE = b"gone"
CHECKPOINT_DAMAGED: dict[str, Damage] = {
    "truncated": truncated,
    "flipped": flipped,
    "empty": lambda data: b"",
    "garbage": lambda data: b"garbage",
    "zip_bomb": packed,
    "of_no_version": without_manifest,
    "of_another_format": told_otherwise(lambda said: said.update(format=0)),
    "of_another_program": told_otherwise(lambda said: said.update(program="0.0.1")),
    "length_of_0": told_otherwise(lambda said: said["files"].update({"ticks.csv": [0, sha256().hexdigest()]})),
    "prices_of_nan": saved_again(lambda arrays: arrays["market.prices.npy"].fill(np.nan)),
    "another_shape": saved_again(lambda arrays: arrays.update({"market.prices.npy": np.ones(3)})),
    "an_array_gone": saved_again(lambda arrays: arrays.pop("market.stock.npy")),
    "far_tick": saved_again(lambda arrays: arrays.update({"market.tick.npy": np.array(10**9)})),
    "another_scheduler": told_otherwise(lambda said: said["arrays"].pop("market.stock")),
    "a_file_unknown": told_otherwise(lambda said: said["files"].update({"../../x": [0, ""]})),
}
TABLE_DAMAGED: dict[str, Damage] = {"truncated": truncated, "gone": lambda data: GONE, "cell": a_cell_changed}
DAMAGED = [
    *(pytest.param("state.npz", damage, id=f"checkpoint_{kind}") for kind, damage in CHECKPOINT_DAMAGED.items()),
    *(pytest.param("ticks.csv", damage, id=f"ticks_{kind}") for kind, damage in TABLE_DAMAGED.items()),
    *(pytest.param("agents.csv", damage, id=f"agents_{kind}") for kind, damage in TABLE_DAMAGED.items()),
]


def put(file: Path, data: bytes) -> None:
    if data == GONE:
        file.unlink()
    else:
        file.write_bytes(data)


@pytest.mark.usefixtures("_every_tick_is_a_block")
@pytest.mark.parametrize(("name", "damage"), DAMAGED)
def test_damage_is_said_in_a_line_and_changes_nothing(name: str, damage: Damage, tmp_path: Path) -> None:
    told, left = scenario("production", ticks=30, references="off"), iter(range(20))
    run_to_disk(told, tmp_path, stopped=lambda: next(left, None) is None)
    put(tmp_path / name, damage((tmp_path / name).read_bytes()))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RunFolderError) as refused:
        run_to_disk(told, tmp_path, resume=True)
    assert str(refused.value).startswith(f"{tmp_path / name}: found ")
    assert "--overwrite" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    run_to_disk(told, tmp_path)
    assert summary(tmp_path)["ticks"] == 30


@pytest.mark.parametrize("damage", [truncated, lambda data: GONE, lambda data: data + b"30,a\n", a_cell_changed])
@pytest.mark.parametrize("name", ["summary.json", "ticks.csv", "equilibrium.csv"])
def test_a_finished_run_that_was_damaged_is_none(name: str, damage: Damage, tmp_path: Path) -> None:
    told = scenario("buyers", ticks=30)
    run_to_disk(told, tmp_path)
    put(tmp_path / name, damage((tmp_path / name).read_bytes()))
    with pytest.raises(RunFolderError, match=f"{name}: found .* --overwrite"):
        run_to_disk(told, tmp_path, resume=True)


@pytest.mark.usefixtures("_every_tick_is_a_block")
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("summary.json", lambda data: b'{"outcome": "cleared"}'),
        ("summary.json", truncated),
        ("ticks.csv", lambda data: data + b"99,1\n"),
        ("state.npz", lambda data: GONE),
        ("state.npz.part", lambda data: b"half"),
        ("run.lock", lambda data: b"1\n"),
    ],
)
def test_what_a_killed_run_may_leave_is_made_good(name: str, damage: Damage, tmp_path: Path) -> None:
    told, left = scenario("production", ticks=30, references="off"), iter(range(20))
    run_to_disk(told, tmp_path / "whole")
    parts = tmp_path / "parts"
    run_to_disk(told, parts, stopped=lambda: next(left, None) is None)
    put(parts / name, damage((parts / name).read_bytes() if (parts / name).exists() else b""))
    run_to_disk(told, parts, resume=True)
    assert contents(parts) == contents(tmp_path / "whole")
    assert summary(parts) == summary(tmp_path / "whole")
    assert {path.name for path in parts.iterdir()} == {path.name for path in (tmp_path / "whole").iterdir()}


def test_one_run_at_a_time(tmp_path: Path) -> None:
    told = scenario("production", ticks=30)
    for resume in (False, True):
        with RunFolder(tmp_path), pytest.raises(RunFolderError) as refused:
            run_to_disk(told, tmp_path, resume=resume)
        assert str(refused.value).startswith(f"{tmp_path}: found a run at work here, process {os.getpid()}; ")
        assert not list(tmp_path.iterdir())
    run_to_disk(told, tmp_path)
    assert "run.lock" not in {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("every", [1, 7])
def test_checkpoints_are_as_rare_as_can_be_borne(every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "full", property(lambda _: True))
    saved, save = count(), RunFolder.save

    def counting(self: RunFolder) -> None:
        next(saved)
        save(self)

    monkeypatch.setattr(RunFolder, "save", counting)
    run_to_disk(scenario("chain", ticks=200, record_every=every), tmp_path)
    assert next(saved) < 10


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


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[1] / "scenarios").glob("*.yaml")), ids=lambda file: file.stem
)
def test_the_written_scenario_says_which_engine_ran_and_is_the_same_run(file: Path, tmp_path: Path) -> None:
    settings = {"run.ticks": 3, "run.references": "off", "run.tables": ["ticks"]}
    auto = load(file, settings=settings)
    assert auto.resolved["run"]["engine"] == "auto"
    said = run_to_disk(auto, tmp_path / "run")
    written = load(tmp_path / "run" / "scenario.yaml")
    assert written.resolved["run"]["engine"] == written.run.engine == said["engine"] == auto.engine
    assert (
        run_to_disk(auto, tmp_path / "run", resume=True) == run_to_disk(written, tmp_path / "run", resume=True) == said
    )
    other = {"floats": "arrays", "arrays": "floats"}[said["engine"]]
    with suppress(ScenarioError):
        chosen = load(file, settings={**settings, "run.engine": other})
        with pytest.raises(RunFolderError, match="other settings"):
            run_to_disk(chosen, tmp_path / "run", resume=True)


def test_where_a_shock_may_change_the_engine_the_economy_goes_on_deciding(tmp_path: Path) -> None:
    taste = {"consumers.h.utility": {"linear": {"a": 1, "b": 2}}}
    market = {
        "goods": ["a", "b"],
        "supply": {"a": 1, "b": 2},
        "consumers": [{"name": "h", "budget": 3, "utility": {"cobb_douglas": {"a": 1, "b": 1}}}],
        "run": {"ticks": 4, "stop": "never"},
        "shocks": [{"tick": 2, "set": taste}],
    }
    said = run_to_disk(load(market), tmp_path / "one")
    again = load(tmp_path / "one" / "scenario.yaml")
    assert (again.engine, said["engine"]) == ("auto", "arrays")
    run_to_disk(again, tmp_path / "other")
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


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
        {"tick": np.arange(rows)},
        {"good": names(["g"])},
        ("value", "mark"),
        np.stack([np.array(values), np.full(rows, float(mark))], axis=1),
        whole=("mark",),
    )
    cells = [line.split(",") for line in "".join(table.lines()).splitlines()]
    assert [cell[2] for cell in cells] == ["" if v != v else repr(v + 0.0) for v in values]
    assert [cell[3] for cell in cells] == [str(mark)] * rows
    frame = table.frame()
    assert list(frame.columns) == ["tick", "good", "value", "mark"]
    assert frame["mark"].dtype == np.int64
    pd.testing.assert_series_equal(frame["value"], pd.Series(np.array(values), name="value"))
