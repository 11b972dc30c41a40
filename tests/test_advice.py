"""What a run that did not clear says would help: each piece of advice is followed, and helps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from simulator import load, simulate
from tests.house import Run

SCENARIOS = Path(__file__).parents[1] / "scenarios"
FRUIT: dict[str, Any] = {
    "goods": ["apples", "figs"],
    "supply": {"apples": 1, "figs": 2},
    "consumers": [{"name": "town", "budget": 3, "utility": {"cobb_douglas": {"apples": 1, "figs": 1}}}],
}
LEVEL: dict[str, Any] = {
    "goods": ["apples", "figs", "shells"],
    "numeraire": "shells",
    "consumers": [
        {
            "name": name,
            "endowment": {"apples": apples, "figs": 3 - apples, "shells": 1},
            "utility": {"cobb_douglas": {"apples": apples, "figs": 1, "shells": 0.01}},
        }
        for name, apples in (("east", 1), ("west", 2))
    ],
    "scheduler": {"rate": 0.2},
}
SAID = re.compile(r"pace|settle|level|as fast|simulator tune")


def advised(run: Run) -> dict[str, object]:
    """The settings that a run's sentence says to try."""
    found = re.findall(r"--set (?:'([\w.]+)=(.*?)'|([\w.]+)=([^ `]+))", run.summary["sentence"])
    return {quoted or plain: text or word for quoted, text, plain, word in found}


@pytest.mark.parametrize(
    ("name", "ticks"),
    [("tupperware", 60), ("tupperware", 100), ("tupperware", 150), ("ten_tiers", 400)],
)
def test_so_many_ticks_are_missing(name: str, ticks: int) -> None:
    scenario, ends = load(SCENARIOS / f"{name}.yaml"), simulate(SCENARIOS / f"{name}.yaml").summary["ticks"]
    found = re.search(r"would clear after ([\d,]+) more tick", simulate(scenario, ticks=ticks).summary["sentence"])
    assert found is not None
    assert int(found[1].replace(",", "")) == pytest.approx(ends - ticks, rel=0.1, abs=2)


@pytest.mark.parametrize(
    "source",
    [
        SCENARIOS / "scarf.yaml",
        SCENARIOS / "overshooting.yaml",
        LEVEL,
        {**FRUIT, "scheduler": {"form": "additive", "rate": 3}},
        {**FRUIT, "scheduler": {"rate": 2.5}},
    ],
    ids=["scarf", "overshooting", "level", "diverging", "leaping"],
)
def test_who_does_what_is_said_clears(source: Any) -> None:
    run = simulate(source)
    assert run.summary["outcome"] in ("cycled", "diverged", "out_of_ticks")
    better = simulate(source, settings=advised(run))
    assert advised(run)
    assert better.summary["outcome"] == "cleared"
    assert better.summary["ticks"] <= run.summary["ticks"] or run.summary["outcome"] == "diverged"
    assert not SAID.search(better.summary["sentence"])


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_the_largest_rate_that_settles_is_the_largest(form: str) -> None:
    market = {**FRUIT, "scheduler": {"form": form, "rate": 4}}
    found = re.search(r"settle at rates below ([\d.]+), and it is 4", simulate(market).summary["sentence"])
    assert found is not None
    start = {"initial_prices": {"apples": 1.6, "figs": 0.7}, "run.ticks": 3000}
    ends = [
        simulate(market, settings={**start, "scheduler.rate": factor * float(found[1])}).summary["outcome"]
        for factor in (0.96, 1.06)
    ]
    assert ends[0] == "cleared"
    assert ends[1] != "cleared"


@pytest.mark.parametrize("name", ["tupperware", "bazaar"])
def test_a_piece_is_as_much_faster_as_is_said(name: str) -> None:
    file = SCENARIOS / f"{name}.yaml"
    run = simulate(file, ticks=60)
    found = re.search(r"about ([\d.]+) times as fast", run.summary["sentence"])
    assert found is not None
    before, after = (simulate(file, settings=settings).summary["ticks"] for settings in ({}, advised(run)))
    assert before / after == pytest.approx(float(found[1]), rel=0.2)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        # A shock is to come, after the last tick too.
        ("energy", {"run.ticks": 150}),
        ("harvests", {"run.ticks": 25}),
        # Far off prices near at another pace than at the end, or not at all.
        ("bazaar", {"run.ticks": 25}),
        ("three_equilibria", {"run.ticks": 25}),
        ("scarf_traded", {"run.ticks": 60}),
        # Where firms adjust step by step, prices are not all that moves.
        ("tree_saddle", {"run.ticks": 60}),
    ],
)
def test_a_pace_that_will_change_is_none(name: str, settings: dict[str, object]) -> None:
    said = simulate(SCENARIOS / f"{name}.yaml", settings=settings).summary["sentence"]
    assert "pace" not in said
    assert "as fast" not in said or name == "bazaar"


def test_what_does_not_help_is_not_said() -> None:
    file = SCENARIOS / "fisher.yaml"
    heavy = simulate(file, ticks=8, settings={"scheduler.with": "[{momentum: 0.9}]"}, references=False).summary
    light = simulate(file, ticks=8)
    assert heavy["max_relative_excess_demand"] > light.summary["max_relative_excess_demand"]
    assert "as fast" not in light.summary["sentence"]


def test_the_level_alone_is_off_only_where_relative_prices_are_right() -> None:
    said = simulate(LEVEL).summary["sentence"]
    assert "no more than 0.4" in said
    assert "on the numeraire shells" in said
    assert "level" not in simulate(LEVEL, ticks=1).summary["sentence"]
    assert "level" not in simulate(LEVEL, settings={"numeraire": "figs"}, ticks=20).summary["sentence"]


def test_where_nothing_is_known_nothing_is_said() -> None:
    for settings in ({"run.references": "off"}, {"run.stop": "never"}):
        said = simulate(SCENARIOS / "scarf.yaml", settings={**settings, "run.ticks": 3000}).summary["sentence"]
        assert "simulator tune" not in said
    assert not SAID.search(simulate(FRUIT).summary["sentence"])
    sourceless = {**FRUIT, "supply": {"apples": 1}, "run": {"ticks": 300}}
    assert not SAID.search(simulate(sourceless).summary["sentence"])
    linear = {**FRUIT["consumers"][0], "utility": {"linear": {"apples": 1, "figs": 1}}}
    hopping = simulate({**FRUIT, "consumers": [linear], "scheduler": {"form": "additive", "rate": 1}})
    assert not SAID.search(hopping.summary["sentence"])
    assert not SAID.search(simulate(SCENARIOS / "xor_delta.yaml").summary["sentence"])


def test_tune_is_named_with_the_file_that_ran() -> None:
    file = SCENARIOS / "overshooting.yaml"
    assert f"`simulator tune {file}` looks for better steps" in simulate(file).summary["sentence"]
    assert "simulator tune" not in simulate(load(file).resolved).summary["sentence"]
