"""What runs and equilibria are worth to consumers beside the first, as `simulator compare` tells it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house import (
    RunFolderError,
    Worth,
    compare,
    compared_solved,
    lines,
    load,
    run_to_disk,
    solve,
    with_worth,
    worth_figure,
)

CASES = Path(__file__).parent / "cases"
TASTE = {"ces": {"elasticity": 0.5, "shares": {"x": 1, "y": 2}}}
PAIR: dict[str, Any] = {
    "goods": ["x", "y"],
    "numeraire": "y",
    "consumers": [
        {"name": "ann", "endowment": {"x": 1}, "utility": TASTE},
        {"name": "many", "count": 3, "endowment": {"y": {"uniform": [0.5, 2]}}, "utility": TASTE},
        {"name": "bob", "endowment": {"y": 1}, "utility": {"formula": "x*y + y"}},
    ],
}


def solved(folder: Path, scenario: Any, **settings: Any) -> Path:
    solve(scenario, settings=settings, starts=4).write(folder)
    return folder


def worth_of(comparison: Any) -> dict[str, Any]:
    return {one.consumer: one for one in comparison.worth}


def test_hosoe_with_a_tenth_more_capital(tmp_path: Path) -> None:
    """Published utilities 27.1440726345 and 28.4689435544; income at the benchmark is 50, and prices are 1."""
    hosoe = CASES / "hosoe.yaml"
    folders = [
        solved(tmp_path / "old", hosoe),
        solved(tmp_path / "new", hosoe, **{"consumers.HOH.endowment.CAP": 27.5}),
    ]
    comparison = compared_solved(folders, None)
    assert comparison.scale == "LAB = 1"
    assert comparison.labels == ("old", "new")
    (worth,) = comparison.worth
    ratio = 28.4689435544 / 27.1440726345
    np.testing.assert_allclose(worth.equivalent_variation, 50 * (ratio - 1), rtol=1e-9)
    # At the new prices: income is 25 + 27.5/1.1 = 50 again.
    np.testing.assert_allclose(worth.compensating_variation, 50 * (1 - 1 / ratio), rtol=1e-9)
    values = dict(zip(comparison.rows, comparison.values.tolist(), strict=True))
    np.testing.assert_allclose(values["price", "BRD"], [1, 0.968729306151], rtol=1e-9)
    text = "\n".join(comparison.lines(80))
    assert "6 of 8 values differ. Price scale: LAB = 1." in text
    assert "income of HOH" not in text
    assert "  HOH" in text
    assert "2.44044" in text


def test_shoven_and_whalley_by_the_published_consumption(tmp_path: Path) -> None:
    """A tax on capital: the poor gain and the rich lose, by unit costs of their CES at the published prices."""
    consumption = {
        "rich": ([11.5146490181, 16.6745061254], [8.98942061298, 15.8274679667], [0.5, 0.5], 1.5),
        "poor": ([13.4278238481, 37.7036641417], [13.3972869559, 41.4795002951], [0.3, 0.7], 0.75),
    }
    prices = np.array([1.39911066223, 1.09307648001]), np.array([1.46651491882, 1.0057730419])
    folders = [solved(tmp_path / name, CASES / f"{name}.yaml") for name in ("shoven_whalley", "shoven_whalley_taxed")]
    worth = worth_of(compared_solved(folders, None))
    for name, (old, new, alpha, s) in consumption.items():
        u = [
            float(np.sum(np.array(alpha) ** (1 / s) * np.array(x) ** (1 - 1 / s)) ** (s / (s - 1))) for x in (old, new)
        ]
        costs = [float(np.sum(np.array(alpha) * p ** (1 - s)) ** (1 / (1 - s))) for p in prices]
        found = [worth[name].equivalent_variation, worth[name].compensating_variation]
        np.testing.assert_allclose(found, [cost * (u[1] - u[0]) for cost in costs], rtol=1e-7)
    assert worth["rich"].equivalent_variation < 0 < worth["poor"].equivalent_variation


def test_runs_at_rest_are_worth_what_equilibria_are(tmp_path: Path) -> None:
    quick = {"ticks": 4000, "tolerance": 1e-11, "references": "off"}
    for name, x in (("old", 1), ("new", 2)):
        scenario = {
            **PAIR,
            "name": name,
            "consumers": [{**PAIR["consumers"][0], "endowment": {"x": x}}, *PAIR["consumers"][1:]],
        }
        run_to_disk(load({**scenario, "trade": "at_equilibrium", "run": quick}), tmp_path / "runs" / name)
        solved(tmp_path / "solved" / name, scenario)
    runs, equilibria = ([tmp_path / kind / name for name in ("old", "new")] for kind in ("runs", "solved"))
    by_run, by_equilibrium = with_worth(compare(runs), runs), compared_solved(equilibria, None)
    for one, other in zip(by_run.worth, by_equilibrium.worth, strict=True):
        assert (one.consumer, one.why) == (other.consumer, other.why)
        np.testing.assert_allclose(one[2:4], other[2:4], rtol=1e-8)
    worth = worth_of(by_run)
    assert worth["many"].equivalent_variation > 0
    assert worth["bob"].why == "its expenditure has no formula here"
    text = "\n".join(lines(by_run, 80))
    assert "What new is worth to consumers beside old, in money (above 0: they gain):" in text
    assert "all together" not in text
    assert by_run.data()["welfare"][2] == {
        "run": "new", "consumer": "bob", "equivalent_variation": None, "compensating_variation": None,
        "why": "its expenditure has no formula here",
    }  # fmt: skip
    rows = list(csv.DictReader(by_run.csvs()["welfare.csv"].splitlines()))
    assert [row["consumer"] for row in rows] == ["ann", "many", "bob"]


def test_the_scale_of_prices_changes_nothing(tmp_path: Path) -> None:
    """Without a numeraire equilibria are on some scale; counted in y, variations are those with it."""
    free = {key: value for key, value in PAIR.items() if key != "numeraire"}
    more = {"consumers.ann.endowment.x": 2}
    with_y = [solved(tmp_path / "a", PAIR), solved(tmp_path / "b", PAIR, **more)]
    without = [solved(tmp_path / "c", free), solved(tmp_path / "d", free, **more)]
    one, other = compared_solved(with_y, None), compared_solved(without, "y")
    np.testing.assert_allclose([each[2:4] for each in one.worth], [each[2:4] for each in other.worth], rtol=1e-9)


def test_who_is_not_the_same_is_not_compared(tmp_path: Path) -> None:
    """Another taste, another number of members, members drawn anew, and one who is in one of both alone."""
    ann, many, bob = PAIR["consumers"]
    others = [
        {**ann, "utility": {"ces": {"elasticity": 0.6, "shares": {"x": 1, "y": 2}}}},
        {**many, "count": 4},
        {**bob, "name": "eve"},
    ]
    folders = [solved(tmp_path / "old", PAIR), solved(tmp_path / "new", {**PAIR, "consumers": others})]
    comparison = compared_solved(folders, None)
    why = {name: one.why for name, one in worth_of(comparison).items()}
    assert why == {"ann": "another taste", "many": "3 and 4 consumers", "bob": "only in old", "eve": "only in new"}
    said = "ann (another taste), many (3 and 4 consumers), bob (only in old), eve (only in new)."
    assert f"Not known, what new is worth beside old to {said}" in " ".join(comparison.lines(80))


def test_other_goods_do_not_make_another_taste(tmp_path: Path) -> None:
    more = {**PAIR, "goods": ["w", "x", "y"], "outside": {"w": 2}}
    folders = [solved(tmp_path / "old", PAIR), solved(tmp_path / "new", more)]
    worth = worth_of(compared_solved(folders, None))
    np.testing.assert_allclose(worth["ann"][2:4], 0, atol=1e-8)
    np.testing.assert_allclose(worth["many"][2:4], 0, atol=1e-8)


def test_a_cap_is_weighed_by_what_is_really_had(tmp_path: Path) -> None:
    rent = Path("scenarios/rent_control.yaml")
    free = load(rent).resolved
    del free["goods"]["flats"]["cap"]
    folders = [solved(tmp_path / "free", free), solved(tmp_path / "capped", rent)]
    comparison = compared_solved(folders, None)
    utilities = dict(zip(comparison.rows, comparison.values.tolist(), strict=True))
    for name, worth in worth_of(comparison).items():
        before, after = utilities["utility", name]
        assert np.sign(worth.equivalent_variation) == np.sign(after - before)


def test_what_cannot_be_compared_is_refused_and_what_is_missing_said(tmp_path: Path) -> None:
    one = solved(tmp_path / "one", PAIR)
    with pytest.raises(RunFolderError, match="found 1 equilibrium; expected two or more"):
        compared_solved([one], None)
    two = solved(tmp_path / "two", PAIR)
    with pytest.raises(
        RunFolderError, match="--numeraire: found 'z'; expected a good that costs something in all: x, y"
    ):
        compared_solved([one, two], "z")
    with pytest.raises(RunFolderError, match="twice"):
        compared_solved([one, one], None)
    (two / "standings.npz").unlink()
    assert [each.why for each in compared_solved([one, two], None).worth] == [
        "standings.npz does not tell how consumers stood"
    ]
    (one / "scenario.yaml").write_text("goods: [x]\n")
    assert [each.why for each in compared_solved([one, two], None).worth] == ["its scenario.yaml cannot be built here"]


def test_the_command_compares_solved_scenarios(tmp_path: Path) -> None:
    call = partial(subprocess.run, capture_output=True, text=True, check=False)
    folders = [
        str(solved(tmp_path / "old", PAIR)),
        str(solved(tmp_path / "new", PAIR, **{"consumers.ann.endowment.x": 2})),
    ]
    command = [sys.executable, "-m", "simulator", "compare", *folders, "--out", str(tmp_path / "out")]
    done = call([*command, "--json"])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [each["equilibrium"] for each in found["equilibria"]] == ["old", "new"]
    assert [one["consumer"] for one in found["welfare"]] == ["ann", "many", "bob"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"values.csv", "welfare.csv", "welfare.png"}
    assert call(command).returncode == 2
    run_to_disk(load({**PAIR, "name": "r", "run": {"ticks": 2, "references": "off"}}), tmp_path / "r")
    mixed = call([*command, str(tmp_path / "r"), "--overwrite"])
    assert mixed.returncode == 2
    assert "expected runs, or solved scenarios alone" in mixed.stderr


def test_rates_that_adjust_are_in_the_prices_that_consumers_face(tmp_path: Path) -> None:
    """A reform that keeps the poor as well off: income buys utility at the prices faced, `m = u c(p (1 + t))`."""
    names = ("shoven_whalley", "shoven_whalley_taxed", "shoven_whalley_reform")
    folders = [solved(tmp_path / name, Path("scenarios") / f"{name}.yaml") for name in names]
    comparison = compared_solved(folders, None)
    values = dict(zip(comparison.rows, comparison.values.T[[0, 2]].T.tolist(), strict=True))
    worth = {(one.run, one.consumer): one for one in comparison.worth}
    for name in ("rich", "poor"):
        (_, income), (before, after) = values["income", name], values["utility", name]
        found = worth["shoven_whalley_reform", name].compensating_variation
        np.testing.assert_allclose(found, income * (1 - before / after), rtol=1e-9)
    taxed, reformed = (worth[name, "poor"].equivalent_variation for name in names[1:])
    np.testing.assert_allclose(reformed, taxed, rtol=1e-7)
    runs = [tmp_path / "runs" / name for name in (names[0], names[2])]
    for folder in runs:
        settings = {"run.references": "off", "run.tolerance": 1e-9, "run.ticks": 4000}
        run_to_disk(load(Path("scenarios") / f"{folder.name}.yaml", settings=settings), folder)
    for one in with_worth(compare(runs), runs).worth:
        np.testing.assert_allclose(one[2:4], worth[names[2], one.consumer][2:4], rtol=1e-5)


def test_two_bars_for_each_consumer_are_what_the_table_says() -> None:
    worth = [Worth("taxed", "rich", -4.5, -4.4), Worth("taxed", "poor", 4.0, 3.8), Worth("taxed", "old", why="new")]
    figure = worth_figure(worth, "free", "labour = 1")
    assert figure is not None
    (axes,) = figure.axes
    # The first is on top, its equivalent variation above the compensating one.
    bars = sorted(axes.patches, key=lambda bar: -bar.get_y())
    assert [bar.get_width() for bar in bars] == [-4.5, -4.4, 4.0, 3.8]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["poor", "rich"]
    words = [text.get_text() for text in figure.texts]
    assert "What taxed is worth to consumers beside free. Price scale: labour = 1." in words
    assert "Not known: old." in words
    assert worth_figure(worth[2:], "free", "labour = 1") is None


def test_of_several_runs_bars_are_named_by_both_and_those_with_most_at_stake_are_drawn() -> None:
    worth = [Worth(run, f"c{number}", number, number) for run in ("one", "two") for number in range(1, 16)]
    figure = worth_figure(worth, "first", "money")
    assert figure is not None
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows[-1] == "c7, one"
    assert len(rows) == 18
    assert "Shown: 18 of 30, those with most at stake." in [text.get_text() for text in figure.texts]
