"""Runs side by side: the measures, the common scale, what is said of them, the files and the figure."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from matplotlib.text import Text

from tests.house import (
    MEASURES,
    MOST_RUNS,
    TITLE,
    WIDTH,
    Comparison,
    Panel,
    RunFolderError,
    RunMeasures,
    common_scale,
    compare,
    comparison_figure,
    finding,
    labels,
    lines,
    load,
    price_finding,
    run_to_disk,
    write_comparison,
)
from tests.program import simulator

ROOT = Path(__file__).parents[1]
HEADER = b"tick,good,price,demand,supply,bid,adjoint,gradient_price\n"
Called = Callable[..., tuple[int, str, str]]


def course(
    label: str,
    prices: Any,
    goods: Sequence[str] = ("a", "b"),
    *,
    excess: Sequence[float] | None = None,
    quantities: Sequence[float] | None = None,
    **summary: object,
) -> RunMeasures:
    """A run as a comparison sees it, from prices (ticks, goods)."""
    prices = np.array(prices, dtype=float)
    n, k = prices.shape
    said = {"outcome": "cleared", "ticks": n - 1, "scale": "sum of price times quantity = 2", "tolerance": 1e-6}
    near = np.geomspace(0.5, 1e-7, n) if excess is None else np.array(excess, dtype=float)
    traded = np.tile(np.ones(k) if quantities is None else np.array(quantities, dtype=float), (n, 1))
    columns = dict.fromkeys(("price", "bid", "adjoint", "gradient_price"), prices) | {
        "demand": traded,
        "supply": traded,
    }
    return RunMeasures(label, said | summary, near, Panel(np.arange(float(n)), tuple((g,) for g in goods), columns))


def comparison(*runs: RunMeasures, numeraire: str | None = None) -> Comparison:
    goods = tuple(good for good in runs[0].goods.names if all(good in run.goods.names for run in runs))
    return Comparison(runs, goods, common_scale(runs, goods, numeraire))


def approach(to: Sequence[float], ticks: int, rate: float = 0.8) -> np.ndarray:
    return np.array(to) * (1 + 0.9 * rate ** np.arange(ticks)[:, None])


def orbit(ticks: int, period: float, size: float = 0.2) -> np.ndarray:
    turn = 2 * np.pi * np.arange(ticks) / period
    return np.stack([1 + size * np.cos(turn), 1 + size * np.sin(turn)], axis=1)


FIGURES: dict[str, Callable[[], Comparison]] = {
    "two": lambda: comparison(course("slow", approach([1, 2], 200, 0.97)), course("fast", approach([1, 3], 60))),
    "ten": lambda: comparison(*(course(f"rate_{i}", approach([1, 2], 30 + 9 * i)) for i in range(10))),
    "cycle": lambda: comparison(
        course("still", approach([1, 1], 80)),
        course("orbit", orbit(3000, 2.5), outcome="cycled", period=2.5, excess=np.full(3000, 0.3)),
    ),
    "diverging": lambda: comparison(
        course("gone", np.exp(np.outer(np.arange(60), [3, 1])), outcome="diverged", excess=np.full(60, 0.9)),
        course("lost", [[1, 1], [2, 1], [np.inf, np.nan]], outcome="diverged", excess=[0.1, 0.5, np.nan]),
    ),
    "exact": lambda: comparison(course("at once", [[1, 2]], excess=[0]), course("none", [[1, 2]], excess=[0])),
    "only_numeraire": lambda: comparison(
        course("one", approach([1], 40), "a", scale="a = 1"), course("other", approach([1], 90), "a", scale="a = 1")
    ),
    "five_goods": lambda: comparison(
        course("slow", approach([1, 2, 3, 4, 5], 90, 0.95), "abcde"),
        course("fast", approach([1, 3, 3, 4, 9], 40), "abcde"),
    ),
    "nothing_in_common": lambda: comparison(
        course("one", approach([1], 40), "a"), course("other", approach([1, 2], 90), "bc")
    ),
    "long_names": lambda: comparison(
        *(course(f"a_rather_long_$_name_of_a_run_in_a_folder/{i}", approach([1, 2], 40)) for i in range(8))
    ),
}  # fmt: skip


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3),
    st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3),
    st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=2),
)
def test_the_scale_takes_away_what_only_relative_prices_leave_open(
    last: list[float], quantities: list[float], factors: list[float]
) -> None:
    first = course("first", [last], "abc", quantities=quantities)
    others = [course(f"times {factor}", [[factor * price for price in last]], "abc") for factor in factors]
    found = comparison(first, *others)
    assert found.gaps().max() < 1e-12
    assert found.last[0] @ quantities == pytest.approx(1, rel=1e-12)
    assert found.last[1] / found.last[1, 0] == pytest.approx(np.array(last) / last[0], rel=1e-12)


@pytest.mark.parametrize(
    ("scales", "numeraire", "words", "last"),
    [
        (("money", "money"), None, "money, as recorded", [[1, 2], [3, 12]]),
        (("money", "money"), "b", "b = 1", [[0.5, 1], [0.25, 1]]),
        (("a = 1, b = 2", "a = 1, b = 2"), None, "a = 1", [[1, 2], [1, 4]]),
        (("a = 1", "b = 2"), None, "a = 1", [[1, 2], [1, 4]]),
        (("money", "b = 12"), None, "b = 1", [[0.5, 1], [0.25, 1]]),
        (("a = 1, b = 2", "b = 12"), None, "b = 1", [[0.5, 1], [0.25, 1]]),
        (("sum of price times quantity = 5", "money"), None, "sum of price times quantity = 1",
         [[0.2, 0.4], [3 / 27, 12 / 27]]),
    ],
)  # fmt: skip
def test_prices_are_counted_in_what_the_runs_have_in_common(
    scales: tuple[str, str], numeraire: str | None, words: str, last: list[list[float]]
) -> None:
    runs = [
        course(label, [prices], quantities=[1, 2], scale=scale)
        for label, prices, scale in zip(("one", "two"), ([1, 2], [3, 12]), scales, strict=True)
    ]
    found = comparison(*runs, numeraire=numeraire)
    assert found.scale.words.startswith(words)
    assert found.last == pytest.approx(np.array(last))
    assert [path[0] for path in (found.path(1, "a"), found.path(1, "b"))] == pytest.approx(last[1])


def test_a_basket_is_that_of_a_market_that_cleared_and_one_of_nothing_weighs_all_alike() -> None:
    lost = course("lost", [[1, 4]], quantities=[9, 9], outcome="diverged")
    found = comparison(lost, course("home", [[1, 1]], quantities=[1, 3]))
    assert found.scale.words.endswith("at the last quantities of home")
    assert found.last[0] == pytest.approx([1 / 13, 4 / 13])
    empty = comparison(course("one", [[1, 4]], quantities=[0, 0]), course("two", [[1, 1]], quantities=[0, 0]))
    assert (empty.scale.words, empty.last[0].tolist()) == ("sum of prices = 1", [0.2, 0.8])


def test_ticks_to_a_level_are_counted_to_where_it_is_kept() -> None:
    excess = [0.5, 0.005, 0.02, 0.01, 5e-5, 2e-7]
    run, other = (
        course("run", np.ones((6, 2)), excess=excess),
        course("other", np.ones((3, 2)), excess=[1, np.nan, 0.1]),
    )
    found = comparison(run, other)
    reached = [[measures[f"ticks_to_{level}"] for level in ("1e-2", "1e-4", "1e-6")] for measures in found.measures]
    assert reached == [[3, 4, 5], [None, None, None]]
    turning = course("turning", np.ones((6, 2)), excess=excess, outcome="cycled")
    assert comparison(run, turning).measures[1]["ticks_to_1e-2"] is None
    walk = [[2, 1], [1.5, 1], [1.02, 1], [1.5, 1], [1.009, 1], [1, 1]]
    first = [measures["price_to_1e-2"] for measures in comparison(course("run", walk), turning).measures]
    assert first == [4, None]
    at_once = comparison(course("exact", [[1, 1]], excess=[0]), run).measures[0]
    assert at_once["ticks_to_1e-6"] == 0


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({"a": ("cleared", 9), "b": ("cleared", 1234)}, "a clears first, after 9 ticks, b last, after 1,234"),
        ({"a": ("cleared", 9), "b": ("cleared", 9)}, "Both clear after 9 ticks"),
        ({"a": ("cleared", 9), "b": ("cleared", 1), "c": ("cleared", 7)},
         "b clears first, after 1 tick, a last, after 9"),
        ({"a": ("cycled", 9), "b": ("cleared", 7)}, "1 of 2 clear, b first, after 7 ticks; a cycled"),
        ({"a": ("cycled", 9), "b": ("cleared", 7), "c": ("cleared", 5)},
         "2 of 3 clear, c first, after 5 ticks; a cycled"),
        ({"a": ("cycled", 9), "b": ("cycled", 7)}, "Neither clears: both cycled"),
        ({"a": ("cycled", 9), "b": ("out_of_ticks", 7)}, "Neither clears: a cycled, b out of ticks"),
        ({name: ("diverged", 3) for name in "abcd"}, "None of 4 clears: all diverged"),
        ({name: ("diverged" if name == "a" else "cycled", 3) for name in "abcd"},
         "None of 4 clears: a diverged, b cycled, c cycled and 1 more"),
    ],
)  # fmt: skip
def test_what_is_found_is_said_in_a_line(ends: dict[str, tuple[str, int]], said: str) -> None:
    runs = [course(name, np.ones((3, 2)), outcome=outcome, ticks=ticks) for name, (outcome, ticks) in ends.items()]
    assert finding(comparison(*runs)) == said


def test_what_is_found_of_prices_is_said_in_a_line() -> None:
    still, same, other = course("still", [[1, 2]]), course("same", [[2, 4.0000004]]), course("other", [[1, 3]])
    turns = course("turns", [[1, 9]], outcome="cycled", period=1472.0)
    assert price_finding(comparison(still, still)) == "Prices at the end agree to rounding"
    assert price_finding(comparison(still, same)) == "Prices at the end agree to 6.7e-08"
    assert price_finding(comparison(still, other, numeraire="a")) == "Prices at the end differ by up to 33.3 % (b)"
    assert price_finding(comparison(still, same, turns)) == "Prices where markets clear agree to 6.7e-08"
    assert price_finding(comparison(still, turns)) == "Prices return after so many ticks: 1,472 in turns"
    again = course("again", [[1, 9]], outcome="cycled", period=2.5)
    assert price_finding(comparison(again, turns)) == "Prices return after so many ticks: 2.5 in again, 1,472 in turns"
    lost = course("lost", [[1, 3]], outcome="out_of_ticks")
    assert price_finding(comparison(still, lost, numeraire="a")) == "Prices of the last tick differ by up to 33.3 % (b)"
    gone = course("gone", [[1, np.inf]], outcome="diverged")
    assert price_finding(comparison(still, gone)) == "No two runs ended with finite prices"
    alone = comparison(course("one", [[1.0]], "a", scale="a = 1"), course("two", [[2.0]], "a", scale="money"))
    assert price_finding(alone) == "No price but that of a is common to all runs"


def test_runs_are_called_by_the_shortest_ends_of_their_paths_that_differ() -> None:
    assert labels([Path("/x/slow"), Path("/x/fast")]) == ["slow", "fast"]
    assert labels([Path("/x/slow/scarf"), Path("/x/fast/scarf"), Path("/x/y")]) == ["slow/scarf", "fast/scarf", "x/y"]


def test_as_many_columns_as_fit_stand_side_by_side() -> None:
    text = lines(FIGURES["ten"](), 60)
    assert max(map(len, text[3:])) <= 60
    assert sum(line.startswith("outcome") for line in text) > 1
    assert sum(line.split().count("cleared") for line in text) == 10
    assert not any(line.startswith("period") for line in text)
    narrow = lines(FIGURES["two"](), 1)
    assert sum(line.startswith("outcome") for line in narrow) == 2


def test_of_many_goods_those_that_differ_most_are_printed_and_all_are_written() -> None:
    goods = [f"g{i}" for i in range(40)]
    prices = np.ones((1, 40))
    other = prices.copy()
    other[0, [7, 31]] = 1.5, 1.2
    found = comparison(course("one", prices, goods, scale="money"), course("two", other, goods, scale="money"))
    text = "\n".join(lines(found, 80))
    assert "Shown: 12 of 40 goods, those that differ most; all in prices.csv." in text
    assert "price of g7 " in text
    assert "price of g31 " in text
    assert found.csvs()["prices.csv"].count("\n") == 81


@pytest.mark.parametrize("case", FIGURES)
def test_the_figure_shows_every_run_and_covers_none(case: str) -> None:
    found = FIGURES[case]()
    sheet = comparison_figure(found)
    sheet.canvas.draw()
    (legend,) = sheet.legends
    runs = found.runs[:MOST_RUNS]
    assert len(legend.get_texts()) == len(runs)
    boxes = [legend.get_window_extent()]
    boxes += [text.get_window_extent() for text in sheet.texts if text.get_text()]
    boxes += [text.get_window_extent() for text in (sheet._supxlabel,) if text is not None]
    for axes in sheet.axes:
        assert axes.get_legend() is None
        boxes += [axes.title.get_window_extent()] if axes.title.get_text() else []
        assert not any(axes.get_window_extent().overlaps(box) for box in boxes)
    for box in boxes:
        assert sheet.bbox.x0 <= box.x0 <= box.x1 <= sheet.bbox.x1
        assert sheet.bbox.y0 <= box.y0 <= box.y1 <= sheet.bbox.y1
    words = "\n".join(text.get_text() for text in sheet.findobj(Text))
    assert ("Shown: 8 of 10 runs." in words) == (len(found.runs) > MOST_RUNS)
    assert ("Right: prices" in words) == (case not in ("only_numeraire", "nothing_in_common"))


def test_of_many_goods_those_that_differ_most_are_drawn() -> None:
    titles = [axes.get_title(loc="left") for axes in comparison_figure(FIGURES["five_goods"]()).axes]
    assert titles[1:] == ["price of a", "price of c", "price of d", "price of e"]
    numeraire = comparison(*FIGURES["five_goods"]().runs, numeraire="e")
    assert [axes.get_title(loc="left")[-1] for axes in comparison_figure(numeraire).axes[1:]] == ["a", "b", "c", "d"]


def test_of_many_runs_those_that_are_named_are_drawn() -> None:
    """The ninth clears first and the tenth last: the title says so, and both have a line."""
    lengths = [30, 31, 32, 33, 34, 35, 36, 37, 9, 90]
    runs = [course(f"run-{i}!", approach([1, 2], length)) for i, length in enumerate(lengths)]
    sheet = comparison_figure(comparison(*runs))
    (legend,) = sheet.legends
    drawn = [text.get_text() for text in legend.get_texts()]
    assert drawn == [f"run-{i}!: cleared" for i in (0, 1, 2, 3, 4, 5, 8, 9)]
    ends = {line.get_xdata()[0] for line in sheet.axes[0].lines if len(line.get_xdata()) == 1}
    assert {8, 89} <= ends


def test_the_figure_draws_the_very_data() -> None:
    found = FIGURES["two"]()
    left, *prices = comparison_figure(found).axes
    for number, run in enumerate(found.runs):
        line = [line for line in left.lines if len(line.get_xdata()) > 2][number]
        assert np.array_equal(line.get_xdata(), run.ticks[: len(line.get_xdata())])
        assert np.array_equal(line.get_ydata(), run.excess_demand[: len(line.get_xdata())])
    for axes, good in zip(prices, found.goods, strict=True):
        for number in range(2):
            line = [line for line in axes.lines if len(line.get_xdata()) > 2][number]
            assert np.array_equal(line.get_ydata(), found.path(number, good)[: len(line.get_xdata())])


def test_lines_break_at_the_shocks_of_their_own_run() -> None:
    ends = approach([1, 2], 40)
    sheet = comparison_figure(comparison(course("shocked", ends, shocks=[20]), course("calm", 2 * ends[::-1])))
    for axes in sheet.axes:
        shocked, calm = (line.get_ydata() for line in axes.lines if len(line.get_xdata()) > 2)
        assert np.flatnonzero(np.isnan(shocked)).tolist() == [20]
        assert np.isfinite(calm).all()
    assert any("Upright, dotted: a shock." in text.get_text() for text in sheet.texts)


def test_a_long_title_is_made_smaller_before_it_is_cut() -> None:
    for long, cut in (("_with_a_long_name", False), ("_with_a_very_long_name_that_fits_in_no_title", True)):
        runs = [course(f"{name}{long}", approach([1, 2], ticks)) for name, ticks in (("one", 20), ("other", 9000))]
        sheet = comparison_figure(comparison(*runs, course("third", approach([1, 2], 99))))
        title = sheet.texts[[text.get_fontweight() for text in sheet.texts].index("bold")]
        assert ("…" in title.get_text()) == cut
        assert 0.7 * TITLE <= title.get_fontsize() < TITLE
        assert title.get_window_extent().width <= 0.95 * WIDTH


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    found = FIGURES["two"]()
    for folder in ("one", "two"):
        write_comparison(found, tmp_path / folder, ("png", "svg", "pdf"))
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert set(one) == {
        "measures.csv",
        "prices.csv",
        "welfare.csv",
        "comparison.png",
        "comparison.svg",
        "comparison.pdf",
    }
    assert imread(tmp_path / "one" / "comparison.png").shape[:2] == (900, 1600)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on disk: one scenario at two rates, one without a good in common with it, and two markets that learn."""
    folder = tmp_path_factory.mktemp("runs")
    for name, settings in {"slow": {"scheduler.rate": 0.05}, "fast": {"scheduler.rate": 0.3}}.items():
        run_to_disk(load(ROOT / "scenarios/crusoe.yaml", settings=settings), folder / name)
    run_to_disk(load(ROOT / "scenarios/fisher.yaml", settings={"run.ticks": 3}), folder / "fisher")
    for name in ("xor", "and_perceptron"):
        run_to_disk(load(ROOT / f"scenarios/{name}.yaml"), folder / name)
    return folder


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorded: Path) -> Called:
    """`simulator compare` in this process and beside a copy of the recorded runs: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)

    return partial(simulator, "compare")


def test_two_runs_are_compared_from_their_csvs_and_summaries_alone(call: Called) -> None:
    for name in ("slow", "fast"):
        for other in ("state.npz", "scenario.yaml", "agents.csv", "wedges.csv", "equilibrium.csv"):
            Path(name, other).unlink()
    code, out, error = call("slow", "fast")
    assert (code, error) == (0, "")
    summaries = {name: json.loads(Path(name, "summary.json").read_text()) for name in ("slow", "fast")}
    assert out.startswith(
        f"fast clears first, after {summaries['fast']['ticks']} ticks, slow last, after {summaries['slow']['ticks']}"
    )
    assert "Price scale: labour = 1." in out
    assert max(map(len, out.splitlines())) <= 80
    with Path("outputs/compare/measures.csv").open() as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    for name, summary in summaries.items():
        assert set(rows[name]) == {"run", *MEASURES}
        for measure in ("outcome", "ticks", "evaluations", "max_relative_excess_demand", "price_gap", "scale"):
            assert rows[name][measure] == str(summary[measure])
    with Path("outputs/compare/prices.csv").open() as file:
        prices = {(row["run"], row["good"]): row for row in csv.DictReader(file)}
    assert float(prices["slow", "food"]["price"]) == pytest.approx(2 / 3**0.5, rel=1e-6)
    last = Path("slow/trajectory.csv").read_text().splitlines()[-1].split(",")
    assert prices["slow", last[1]]["recorded_price"] == last[2]
    assert Path("outputs/compare/comparison.png").stat().st_size > 10_000


def test_json_says_the_same_as_the_files(call: Called) -> None:
    code, out, error = call("slow", "fast", "--json", "--no-plots", "--out", "c", "--numeraire", "food")
    assert (code, error) == (0, "")
    said = json.loads(out)
    assert said["price_scale"] == "food = 1"
    assert [run["prices"]["food"] for run in said["runs"]] == [1, 1]
    assert {path.name for path in Path("c").iterdir()} == {"measures.csv", "prices.csv", "welfare.csv"}
    with Path("c/measures.csv").open() as file:
        for row, run in zip(csv.DictReader(file), said["runs"], strict=True):
            assert {key: "" if run[key] is None else str(run[key]) for key in row} == row


def test_a_comparison_is_replaced_on_request_and_nothing_else_ever_is(call: Called) -> None:
    assert call("slow", "fast", "--format", "svg")[0] == 0
    before = {path: path.read_bytes() for path in Path("outputs/compare").iterdir()}
    code, out, error = call("fast", "slow")
    assert (code, out) == (2, "")
    assert error == "outputs/compare: found a comparison; --overwrite replaces it, --out writes elsewhere\n".replace(
        "/", os.sep
    )
    assert {path: path.read_bytes() for path in Path("outputs/compare").iterdir()} == before
    assert call("fast", "slow", "--overwrite")[0] == 0
    assert {path.name for path in Path("outputs/compare").iterdir()} == {
        "measures.csv",
        "prices.csv",
        "welfare.csv",
        "comparison.png",
        "welfare.png",
    }
    for place in ("slow", "slow/summary.json", "."):
        code, _, error = call("fast", "slow", "--overwrite", "--out", place)
        assert (code, len(error.splitlines())) == (2, 1)
        assert Path("slow/summary.json").is_file()


def test_what_a_glob_brings_along_is_left_out(call: Called) -> None:
    assert call("slow", "fast", "--out", "slower")[0] == 0
    code, out, error = call("[sf][la]*", "--json")
    assert (code, error) == (0, "slower: left out, a comparison and no run\n")
    assert [run["run"] for run in json.loads(out)["runs"]] == ["fast", "slow"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["slow"], "slow: found one run; expected two or more"),
        (["slow", "slow/"], "slow: found the same run twice"),
        (["slow", "missing"], "missing: no such folder"),
        (["slow", "mi*"], "mi*: no such folder"),
        (["slow", "slow/ticks.csv"], "slow/ticks.csv: found a file"),
        (["slow", "."], ".: found a folder of runs;"),
        (["slow", "empty"], "empty: found no trajectory.csv, ticks.csv or summary.json"),
        (["slow", "fisher", "--numeraire", "food"], "expected a good of every run: none is common to all runs"),
        (
            ["xor", "and_perceptron", "--numeraire", "constant"],
            "found 'constant', whose price in xor is 0 at tick 0; expected a good whose price is above 0 at every tick",
        ),
        (
            ["slow", "fast", "--numeraire", "fod"],
            "--numeraire: found 'fod'; expected a good of every run: labour, food",
        ),
        (["slow", "fast", "--format", "gif"], "png, svg or pdf"),
        ([], "found no RUN; expected one, as in simulator compare"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_refused_in_lines(arguments: list[str], said: str, call: Called) -> None:
    Path("empty").mkdir()
    code, out, error = call(*arguments)
    assert (code, out) == (2, "")
    assert said.replace("/", os.sep) in error
    assert len(error.splitlines()) == 1
    assert not Path("outputs").exists()


def test_runs_without_a_good_in_common_are_compared_but_for_prices(call: Called) -> None:
    code, out, error = call("slow", "fisher", "xor", "--out", "c")
    assert (code, error) == (0, "")
    assert "No good is common to all runs" in out
    assert "price of" not in out
    rows = dict(line.split("  ", 1) for line in out.splitlines() if "  " in line)
    summary = json.loads(Path("xor", "summary.json").read_text())
    assert rows["ticks"].split()[-1] == str(summary["ticks"])
    assert rows["loss"].split() == ["-", "-", f"{summary['loss']:.4g}"]
    assert rows["accuracy"].split() == ["-", "-", "1"]
    assert "test accuracy" not in rows
    assert Path("c/prices.csv").read_text() == "run,good,price,recorded_price\n"
    assert Path("c/comparison.png").stat().st_size > 10_000


def test_prices_of_markets_that_learn_are_compared_as_they_are() -> None:
    lessons = [
        course(label, [[0, 0], last], scale=scale, scheduler="learning")
        for label, last, scale in (("one", [1, -1], "money"), ("other", [2, -3], "b = -3"))
    ]
    found = comparison(*lessons)
    assert found.last.tolist() == [[1, -1], [2, -3]]
    titles = {axes.get_title(loc="left") for axes in comparison_figure(found).axes}
    assert "largest order that stays unfilled (log scale)" in titles
    mixed = comparison(lessons[0], course("trade", [[1, 1], [1, 2]], scale="money"))
    assert "largest order that stays unfilled or relative excess demand (log scale)" in {
        axes.get_title(loc="left") for axes in comparison_figure(mixed).axes
    }


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("summary.json", None, "did not end"),
        ("summary.json", b"{", "JSONDecodeError"),
        ("summary.json", b"[1]", "TypeError"),
        ("ticks.csv", b"", "ValueError"),
        ("ticks.csv", b"tick,max\n", "max_relative_excess_demand"),
        (
            "trajectory.csv",
            HEADER + b"0,a,1,1,1,1,1,1\n",
            "have not the same ticks",
        ),
        (
            "trajectory.csv",
            HEADER + b"0,\xff,1,1,1,1,1,1\n",
            "UnicodeDecodeError",
        ),
    ],
)
def test_a_damaged_run_is_refused_in_a_line(name: str, content: bytes | None, said: str, call: Called) -> None:
    Path("slow", name).unlink()
    if content is not None:
        Path("slow", name).write_bytes(content)
    code, out, error = call("slow", "fast")
    assert (code, out, len(error.splitlines())) == (2, "", 1)
    assert error.startswith("slow: found ")
    assert said in error


def test_every_folder_that_is_no_run_is_named() -> None:
    with pytest.raises(RunFolderError) as refused:
        compare([Path("/none"), Path("/nor/this")])
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == ["/none", "/nor/this"]
    assert str(refused.value).count("no such folder") == 2


def test_comparing_needs_no_market(recorded: Path) -> None:
    script = (
        "import sys\nfrom simulator.cli import main\n"
        "sys.argv = ['simulator', 'compare', 'slow', 'fast', '--no-plots']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([name for name in ('mesa', 'scipy', 'matplotlib') if name in sys.modules], file=sys.stderr)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=recorded, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
