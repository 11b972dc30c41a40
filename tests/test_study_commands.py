"""The commands of many runs: what they print, their exit codes, and their figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from simulator.figures import study_sensitivity, study_sweep
from tests.house import app

SCENARIOS = Path(__file__).parent.parent / "scenarios"
SUMMARY: dict[str, Any] = {"name": "study", "design": "grid", "sentence": "6 runs at 6 points; no error."}


def command(tmp_path: Path, text: str, *options: str, name: str = "sweep") -> Any:
    file = tmp_path / "study.yaml"
    file.write_text(f"scenario: {SCENARIOS / 'bazaar.yaml'}\n{text}\n", encoding="utf-8")
    return CliRunner().invoke(
        app, [name, str(file), "--out", str(tmp_path / "out"), "--jobs", "1", *options], standalone_mode=False
    )


def test_a_sweep_prints_its_table_and_draws(tmp_path: Path) -> None:
    done = command(tmp_path, "vary: {scheduler.rate: [0.1, 0.2]}\nmeasures: [outcome, ticks]")
    assert "study: 2 runs at 2 points; no error; 2 cleared." in done.stdout
    assert done.return_value == 0
    assert {file.name for file in (tmp_path / "out" / "study").iterdir()} == {
        "design.csv",
        "figures",
        "runs.csv",
        "study.yaml",
        "summary.json",
    }
    assert (tmp_path / "out" / "study" / "figures" / "sweep.png").exists()


def plotted(folder: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["plot", str(folder), *options], standalone_mode=False)


def test_figures_of_a_study_are_redrawn_from_its_files(tmp_path: Path) -> None:
    command(tmp_path, "vary: {scheduler.rate: [0.1, 0.2]}")
    folder = tmp_path / "out" / "study"
    before = (folder / "figures" / "sweep.png").read_bytes()
    (folder / "figures" / "sweep.png").unlink()
    assert plotted(folder).stdout.splitlines() == [str(folder / "figures" / "sweep.png")]
    assert (folder / "figures" / "sweep.png").read_bytes() == before
    assert "expected no option but --format" in str(plotted(folder, "--title", "mine").exception)
    (folder / "summary.json").unlink()
    assert "found a study that is not done" in str(plotted(folder).exception)


def test_names_of_rows_are_cut_to_the_room_there_is() -> None:
    paths = [f"x_of_a_long_name.household_{number}.endowment.good_{number}" for number in range(4)]
    columns: dict[str, Any] = {path: np.arange(8.0) % (number + 2) for number, path in enumerate(paths)}
    figure = study_sweep.figures(*table(**columns, ticks=np.arange(8.0), price=np.arange(8.0)))["tornado"]
    for axes in figure.axes:
        for label in axes.get_yticklabels():
            assert label.get_text().startswith("x_of")
            assert label.get_window_extent().x0 >= 0


def test_an_error_is_told_and_is_exit_code_3(tmp_path: Path) -> None:
    done = command(tmp_path, "vary: {scheduler.rate: [0.1, -0.2]}", "--no-plots")
    assert done.return_value == 3
    assert "error of 1 run: scheduler.rate: found -0.2; expected a number above 0" in done.stdout
    assert (
        json.loads(command(tmp_path, "vary: {scheduler.rate: [0.1, -0.2]}", "--resume", "--json").stdout)["errors"] == 1
    )


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = command(tmp_path, "vary: {scheduler.rate: [0.1, 0.2]}\nseeds: 3", "--dry-run")
    assert "study: 6 runs at 2 points, 3 replications each; nothing is written" in done.stdout
    told = json.loads(command(tmp_path, "vary: {scheduler.rate: [0.1]}", "--dry-run", "--json").stdout)
    assert (told["runs"], told["error"]) == (1, None)
    assert told["seconds"] == told["first_seconds"]
    assert not (tmp_path / "out").exists()


def test_a_dry_run_times_runs_as_they_go(tmp_path: Path) -> None:
    """Side by side where they do: some alone would seem to take longer."""
    text = "vary: {scheduler.rate: {linspace: [0.1, 0.2, 100]}, scheduler.form: [multiplicative, additive]}"
    told = json.loads(command(tmp_path, f"{text}\nmeasures: [ticks]", "--dry-run", "--json").stdout)
    assert (told["runs"], told["error"]) == (200, None)
    assert told["first_runs"] >= 24
    assert told["seconds"] == pytest.approx(told["first_seconds"] * 200 / told["first_runs"])
    told = json.loads(command(tmp_path, f"{text}\nmeasures: [price_gap]", "--dry-run", "--json").stdout)
    assert told["first_runs"] == 1


def test_a_sensitivity_prints_its_indices(tmp_path: Path) -> None:
    text = "vary: {scheduler.rate: {uniform: [0.1, 0.4]}}\ndesign: {morris: 4}\nmeasures: [ticks]"
    done = command(tmp_path, text, name="sensitivity")
    assert done.return_value == 0
    assert "mu_star" in done.stdout
    assert (tmp_path / "out" / "study" / "figures" / "sensitivity.png").exists()
    done = command(
        tmp_path,
        text.replace("[ticks]", "['seven: 7']").replace("'seven: 7'", "{seven: '7'}"),
        "--overwrite",
        name="sensitivity",
    )
    assert done.return_value == 3
    assert "seven: no indices, it does not vary (0 of 4 blocks left out)" in done.stdout


def table(**columns: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table of runs and its summary: what begins with x is varied."""
    frame = pd.DataFrame(columns)
    measures = {
        name: {"counts": frame[name].value_counts().to_dict()}
        if frame[name].dtype.kind not in "if"
        else {"min": frame[name].min(), "max": frame[name].max()}
        for name in frame
        if not name.startswith("x")
    }
    return frame, SUMMARY | {"parameters": [name for name in frame if name.startswith("x")], "measures": measures}


@pytest.mark.parametrize(
    ("paths", "names"),
    [(1, {"sweep"}), (2, {"sweep"}), (3, {"tornado", "pairwise_ticks", "pairwise_share_cleared"})],
)
def test_figures_by_how_many_parameters_there_are(paths: int, names: set[str]) -> None:
    stream = np.random.default_rng(0)
    columns: dict[str, Any] = {f"x{number}": stream.choice([0.1, 1.0, 10.0], 60) for number in range(paths)}
    columns["ticks"] = columns["x0"] * 2
    columns["outcome"] = np.where(columns["x0"] > 0.5, "cleared", "cycled")
    figures = study_sweep.figures(*table(**columns))
    assert {*figures} == names


def test_a_line_is_the_median_and_a_share_the_mean() -> None:
    columns = {"x": [1.0, 1.0, 1.0, 2.0, 2.0, 2.0], "ticks": [1.0, 2.0, 9.0, 4.0, 5.0, 6.0]}
    columns["soon"] = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    figure = study_sweep.figures(*table(**columns))["sweep"]
    lines = [axes.lines[-1].get_ydata() for axes in figure.axes]
    np.testing.assert_allclose(lines, [[2.0, 5.0], [1 / 3, 1.0]])


def test_chosen_points_are_drawn_one_by_one_and_drawn_ones_in_bins() -> None:
    numbers = np.linspace(1.0, 2.0, 40)
    rows, summary = table(x=[*numbers], ticks=[*numbers**2])
    points = [len(study_sweep.figures(rows, summary | {"design": name})["sweep"].axes[0].lines[-1].get_xdata())
              for name in ("grid", "random")]  # fmt: skip
    assert points == [40, 8]


def test_a_heat_map_holds_the_medians() -> None:
    columns = {"x1": [1.0, 2.0, 1.0, 2.0], "x2": ["a", "a", "b", "b"], "ticks": [1.0, 2.0, 3.0, np.nan]}
    figure = study_sweep.figures(*table(**columns))["sweep"]
    cells = figure.axes[0].collections[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(cells.reshape(2, 2), np.nan), [[1.0, 2.0], [3.0, np.nan]])


def test_where_nothing_varies_there_is_no_figure() -> None:
    assert study_sweep.figures(*table(x=[1.0, 1.0], ticks=[3.0, 4.0])) == {}


def test_the_bars_of_a_sensitivity_are_its_indices() -> None:
    rows: list[Any] = [("ticks", "a", "first_order", 0.25, 0.1), ("ticks", "b", "first_order", 0.75, 0.1)]
    figure = study_sensitivity.sensitivity(rows, SUMMARY)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.25, 0.75]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]
