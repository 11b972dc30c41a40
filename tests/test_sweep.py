"""Sweeps: one table whatever happens on the way; rows are runs; what fails is a row."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.house import (
    Group,
    Interruption,
    Row,
    RunFolderError,
    RunPlan,
    StudyFolder,
    carry_out,
    grouped,
    load_study,
    rows_by_pool,
    rows_of,
    simulate,
    sweep,
)

ROOT = Path(__file__).parent.parent
SCENARIOS = ROOT / "scenarios"
STUDY: dict[str, Any] = {
    "name": "rates",
    "scenario": str(SCENARIOS / "bazaar.yaml"),
    "vary": {"scheduler.rate": [0.05, 0.1, 0.4], "run.ticks": [50, 400]},
    "seeds": 2,
    "measures": ["outcome", "ticks", "price.payoff2", {"soon": "ticks < 100"}],
}


def here(_: Any, plan: RunPlan, groups: Any, stop: Interruption) -> Iterator[Row]:
    """The road of one process, for tests that ask nothing of workers."""
    study = load_study(STUDY)
    for group in groups:
        yield from rows_of(study.scenario, plan, group, stop)


def without_seconds(text: str) -> list[list[str]]:
    rows = list(csv.reader(StringIO(text)))
    place = rows[0].index("seconds")
    return [row[:place] + row[place + 1 :] for row in rows]


@pytest.fixture(scope="module")
def whole() -> str:
    """The table of the study, made in one go."""
    return carry_out(load_study(STUDY), here, Interruption()).text


def written(folder: Path) -> str:
    return (folder / "rates" / "runs.csv").read_text(encoding="utf-8")


def test_a_row_is_what_simulate_tells(whole: str) -> None:
    table = pd.read_csv(StringIO(whole))
    for row in table.to_dict("records"):
        settings = {"scheduler.rate": row["scheduler.rate"], "run.ticks": row["run.ticks"], "run.seed": row["seed"]}
        run = simulate(STUDY["scenario"], settings=settings)
        last = run.trajectory.set_index(["tick", "good"])["price"]
        assert (run.summary["outcome"], run.summary["ticks"]) == (row["outcome"], row["ticks"])
        assert last[run.summary["ticks"], "payoff2"] == row["price.payoff2"]
        assert row["soon"] == (run.summary["ticks"] < 100)


@pytest.mark.parametrize("jobs", [1, 2])
def test_jobs_change_no_byte(jobs: int, tmp_path: Path, whole: str) -> None:
    frame = sweep(STUDY, out=tmp_path, jobs=jobs)
    assert without_seconds(written(tmp_path)) == without_seconds(whole)
    assert frame.columns.tolist() == load_study(STUDY).columns
    rows = [[str(cell) for cell in row] for row in frame.itertuples(index=False)]
    assert rows == list(csv.reader(StringIO(written(tmp_path))))[1:]


def test_nothing_is_tried_for_advice_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {**STUDY, "vary": {"run.ticks": [20]}, "measures": ["outcome", "sentence"]}
    told = carry_out(load_study(asked), here, Interruption()).summary["measures"]["sentence"]["counts"]
    (sentence,) = told
    assert simulate(STUDY["scenario"], settings={"run.ticks": 20}).summary["sentence"].startswith(sentence)
    tried: list[Any] = []
    monkeypatch.setattr("simulator.run.trial", lambda *given: tried.append(given))
    study = load_study({**asked, "measures": ["outcome", "price_gap"]})
    for group in grouped(study.scenario, RunPlan(study.measures), study.runs()):
        assert [row.error for row in rows_of(study.scenario, RunPlan(study.measures), group, Interruption())] == [""]
    assert not tried


def test_common_random_numbers() -> None:
    study = {"scenario": str(SCENARIOS / "town.yaml"), "seeds": 3, "measures": ["utility.households:mean"]}
    study = {**study, "vary": {"run.ticks": [0], "scheduler.rate": [0.1, 0.1]}}
    table = pd.read_csv(StringIO(carry_out(load_study(study), _alone(study), Interruption()).text))
    values = table["utility.households:mean"].to_numpy().reshape(2, 3)
    assert (values[0] == values[1]).all()
    assert len({*values[0]}) == 3


def _alone(source: Any) -> Any:
    study = load_study(source)

    def road(_: Any, plan: RunPlan, groups: Any, stop: Interruption) -> Iterator[Row]:
        for group in groups:
            yield from rows_of(study.scenario, plan, group, stop)

    return road


def stopped_after(count: int) -> tuple[Any, Interruption]:
    """A road that is asked to stop after so many runs."""
    stop = Interruption()

    def road(scenario: Any, plan: RunPlan, groups: Any, given: Interruption) -> Iterator[Row]:
        for number, row in enumerate(here(scenario, plan, groups, given), 1):
            yield row
            given.asked = number >= count

    return road, stop


def test_an_interrupted_study_goes_on(tmp_path: Path, whole: str) -> None:
    study = load_study(STUDY)
    road, stop = stopped_after(5)
    done = carry_out(study, road, stop, StudyFolder(tmp_path / "rates", study))
    assert not done.whole
    assert len(written(tmp_path).splitlines()) == 6
    assert not (tmp_path / "rates" / "summary.json").exists()
    sweep(STUDY, out=tmp_path, jobs=1, resume=True)
    assert without_seconds(written(tmp_path)) == without_seconds(whole)


def test_a_torn_last_row_is_cut(tmp_path: Path, whole: str) -> None:
    study = load_study(STUDY)
    road, stop = stopped_after(5)
    carry_out(study, road, stop, StudyFolder(tmp_path / "rates", study))
    table = tmp_path / "rates" / "runs.csv"
    table.write_text(written(tmp_path)[:-9], encoding="utf-8")
    ran: list[int] = []

    def counting(*given: Any) -> Iterator[Row]:
        for row in here(*given):
            ran.append(row.run.number)
            yield row

    carry_out(study, counting, Interruption(), StudyFolder(tmp_path / "rates", study), resume=True)
    assert ran == list(range(4, 12))
    assert without_seconds(written(tmp_path)) == without_seconds(whole)


def test_retry_runs_what_ended_in_an_error(tmp_path: Path, whole: str) -> None:
    study = load_study(STUDY)

    def failing(*given: Any) -> Iterator[Row]:
        for row in here(*given):
            yield row if row.run.number % 3 else Row(row.run, error="found too little memory")

    place = StudyFolder(tmp_path / "rates", study)
    summary = carry_out(study, failing, Interruption(), place).summary
    assert (summary["errors"], summary["measures"]["ticks"]["empty"]) == (4, 4)
    assert summary["error_texts"] == {"found too little memory": 4}
    before = written(tmp_path)
    sweep(STUDY, out=tmp_path, jobs=1, resume=True)
    assert written(tmp_path) == before
    sweep(STUDY, out=tmp_path, jobs=1, resume=True, retry=True)
    assert without_seconds(written(tmp_path)) == without_seconds(whole)


def test_a_refused_point_is_a_row() -> None:
    source = {**STUDY, "vary": {"scheduler.rate": [0.1, -1]}, "seeds": 1}
    table = sweep(source, jobs=1)
    assert table["error"].tolist() == ["", "scheduler.rate: found -1; expected a number above 0"]
    assert table["ticks"].notna().tolist() == [True, False]


def dying(scenario: Any, plan: RunPlan, group: Group, stop: Interruption) -> list[Row]:
    """What is done in a worker: the second run kills it once, the fourth always."""
    (run,) = group.runs
    mark = plan.folder / f"died{run.number}"  # pyright: ignore[reportOptionalOperand]
    if run.number == 3 or (run.number == 1 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return rows_of(scenario, plan, group, stop)


def test_a_worker_that_dies_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: str) -> None:
    from simulator.studies import sweep as module

    monkeypatch.setattr(module, "rows_of", dying)
    study = load_study(STUDY)
    plan, stop = RunPlan(study.measures, "summary", tmp_path), Interruption()
    rows = {
        row.run.number: row
        for row in rows_by_pool(study.scenario, plan, grouped(study.scenario, plan, study.runs()), stop, jobs=2)
    }
    assert sorted(rows) == list(range(12))
    assert {number for number, row in rows.items() if row.error} == {3}
    assert rows[3].error == "its process was killed by signal 9; so it did a second time, alone"
    assert rows[1].values[0] == without_seconds(whole)[2][5]


@pytest.mark.slow
def test_a_killed_study_goes_on(tmp_path: Path) -> None:
    source = {**STUDY, "vary": {"scheduler.rate": {"linspace": [0.01, 0.02, 40]}}, "measures": ["ticks"], "seeds": 1}
    file = tmp_path / "rates.yaml"
    file.write_text(json.dumps(source), encoding="utf-8")
    command = [sys.executable, "-m", "simulator", "sweep", str(file), "--out", str(tmp_path), "--no-plots", "--quiet"]
    process = subprocess.Popen([*command, "--jobs", "2"], cwd=ROOT, start_new_session=True)
    table = tmp_path / "rates" / "runs.csv"
    until = time.monotonic() + 60
    while not table.exists() or len(table.read_bytes().splitlines()) < 4:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert len(table.read_bytes().splitlines()) < 41
    subprocess.run([*command, "--resume"], cwd=ROOT, check=True)
    assert without_seconds(written(tmp_path)) == without_seconds(
        carry_out(load_study(source), _alone(source), Interruption()).text
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measures": ["ticks"]}, "found a study of another measures"),
        ({"seed": 1}, "found a study of another seed"),
        ({"scenario": str(SCENARIOS / "crusoe.yaml"), "measures": ["ticks"]}, "found a study of another scenario"),
    ],
)
def test_another_study_is_not_resumed(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    study = load_study(STUDY)
    road, stop = stopped_after(1)
    carry_out(study, road, stop, StudyFolder(tmp_path / "rates", study))
    with pytest.raises(RunFolderError, match=message):
        sweep({**STUDY, **change}, out=tmp_path, resume=True)


def test_changed_inputs_are_not_resumed(tmp_path: Path) -> None:
    points, file = tmp_path / "points.csv", tmp_path / "study.yaml"
    points.write_text("scheduler.rate\n0.1\n0.2\n", encoding="utf-8")
    scenario = SCENARIOS / "bazaar.yaml"
    file.write_text(f"name: rates\nscenario: {scenario}\ndesign: {{csv: points.csv}}\n", encoding="utf-8")
    sweep(file, out=tmp_path / "out", jobs=1)
    assert (tmp_path / "out" / "rates" / "inputs" / "points.csv").read_bytes() == points.read_bytes()
    again = sweep(tmp_path / "out" / "rates" / "study.yaml", jobs=1)
    assert again["scheduler.rate"].tolist() == [0.1, 0.2]
    points.write_text("scheduler.rate\n0.1\n0.3\n", encoding="utf-8")
    with pytest.raises(RunFolderError, match=r"points\.csv: found other contents than in .*; --overwrite runs it anew"):
        sweep(file, out=tmp_path / "out", resume=True)


def test_places_that_are_refused(tmp_path: Path) -> None:
    study = load_study(STUDY)
    folder = tmp_path / "rates"
    road, stop = stopped_after(2)
    carry_out(study, road, stop, StudyFolder(folder, study))
    with pytest.raises(RunFolderError, match="found a study; --overwrite replaces it, --resume"):
        sweep(STUDY, out=tmp_path)
    (folder / "runs.csv").write_text("run\n7\n", encoding="utf-8")
    with pytest.raises(RunFolderError, match="found other rows than the study wrote"):
        sweep(STUDY, out=tmp_path, resume=True)
    (folder / "scenario.yaml").touch()
    with pytest.raises(RunFolderError, match="found a folder with other files than a study's"):
        sweep(STUDY, out=tmp_path, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="found a file; expected a folder or nothing"):
        sweep({**STUDY, "name": "file"}, out=tmp_path)


@pytest.mark.parametrize("keep", ["runs", "trajectories"])
def test_what_is_kept_of_each_run(tmp_path: Path, keep: str) -> None:
    source = {
        **STUDY,
        "vary": {"scheduler.rate": [0.1, 0.4]},
        "seeds": 1,
        "keep": keep,
        "measures": ["price.payoff2", "ticks_to.0.1", "equilibrium.payoff2"],
    }
    study = load_study(source)
    folder = tmp_path / "rates"
    text = carry_out(study, _alone(source), Interruption(), StudyFolder(folder, study)).text
    assert without_seconds(text) == without_seconds(
        carry_out(load_study({**source, "keep": "summary"}), _alone(source), Interruption()).text
    )
    for number, rate in enumerate([0.1, 0.4]):
        run = simulate(STUDY["scenario"], settings={"scheduler.rate": rate})
        place = folder / keep / (str(number) if keep == "runs" else f"{number}.csv")
        kept = pd.read_csv(place / "trajectory.csv" if keep == "runs" else place)
        pd.testing.assert_series_equal(kept["price"], run.trajectory["price"])
        assert (keep == "runs") == (place / "summary.json").exists()
    carry_out(load_study(STUDY), here, Interruption(), StudyFolder(folder, load_study(STUDY)))
    assert not (folder / keep).exists()


def test_the_summary_and_the_design(tmp_path: Path, whole: str) -> None:
    sweep(STUDY, out=tmp_path, jobs=1)
    summary = json.loads((tmp_path / "rates" / "summary.json").read_text(encoding="utf-8"))
    table = pd.read_csv(StringIO(whole))
    assert (summary["runs"], summary["points"], summary["replications"], summary["errors"]) == (12, 6, 2, 0)
    assert summary["measures"]["outcome"]["counts"] == table["outcome"].value_counts().to_dict()
    assert summary["measures"]["ticks"]["median"] == table["ticks"].median()
    assert summary["sentence"].startswith("12 runs at 6 points, 2 replications each; no error; ")
    design = pd.read_csv(tmp_path / "rates" / "design.csv")
    assert list(design) == ["scheduler.rate", "run.ticks"]
    pd.testing.assert_frame_equal(design, table.drop_duplicates(list(design))[list(design)].reset_index(drop=True))
