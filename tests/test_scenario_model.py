"""A scenario under mesa's own tools comes to what a run comes to."""

from __future__ import annotations

import copy
import pickle
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mesa
import numpy as np
import pandas as pd
import pytest

from simulator import ScenarioError, ScenarioModel, load, simulate, sweep
from tests.house import MissingExtraError

SCENARIOS = Path("scenarios")
TUPPERWARE = str(SCENARIOS / "tupperware.yaml")
SHORT = ["crusoe", "fan_out", "overshooting", "and_perceptron", "tupperware_gas_cut", "two_roads_bids", "village"]
MARKET: dict[str, Any] = {
    "goods": ["bread", "wine"],
    "supply": {"bread": 10, "wine": 5},
    "consumers": [
        {
            "name": "town",
            "count": 3,
            "budget": {"uniform": [5, 15]},
            "utility": {"cobb_douglas": {"bread": 1, "wine": 2}},
        },
        {"name": "lord", "budget": 7, "utility": {"cobb_douglas": {"bread": 1, "wine": 1}}},
    ],
}


def run_out(model: ScenarioModel) -> ScenarioModel:
    while model.running:
        model.step()
    return model


@pytest.mark.parametrize("name", SHORT)
def test_it_comes_to_what_a_run_comes_to(name: str) -> None:
    source = SCENARIOS / f"{name}.yaml"
    model, run = run_out(ScenarioModel(source)), simulate(source)
    assert model.summary is not None
    assert {**model.summary, "wall_seconds": 0} == {**run.summary, "wall_seconds": 0}
    collected = model.datacollector.get_model_vars_dataframe()
    collected["max_relative_excess_demand"] = collected["max_relative_excess_demand"].replace(np.inf, np.nan)
    assert collected["tick"].tolist() == run.ticks["tick"].tolist() == list(range(model.steps))
    pd.testing.assert_series_equal(collected["max_relative_excess_demand"], run.ticks["max_relative_excess_demand"])
    for good, rows in run.trajectory.groupby("good"):
        assert collected[f"price.{good}"].tolist() == rows["price"].tolist()
    assert model.outcome == run.summary["outcome"]
    assert collected["outcome"].dropna().to_dict() == {model.steps - 1: model.outcome}


def test_after_the_verdict_nothing_happens() -> None:
    model = ScenarioModel(MARKET)
    assert (model.running, model.steps, model.outcome, model.summary) == (True, 0, None, None)
    run_out(model)
    steps, rows = model.steps, len(model.datacollector.get_model_vars_dataframe())
    model.step()
    assert (model.running, model.steps, len(model.datacollector.get_model_vars_dataframe())) == (False, steps, rows)


@pytest.mark.parametrize("name", ["crusoe", "fan_out", "village"])
def test_agents_are_the_entries_with_their_accounts(name: str) -> None:
    source = SCENARIOS / f"{name}.yaml"
    model, run = ScenarioModel(source), simulate(source)
    for _ in range(7):
        model.step()
    rows = run.agents[run.agents["tick"] == 6].set_index("agent")
    assert len(model.agents) == rows.index.str.removesuffix(":mean").str.removesuffix(":total").nunique()
    for agent in model.agents:
        row = rows.loc[[agent.name if agent.count == 1 else f"{agent.name}:total"]].iloc[0]
        assert agent.kind == row["kind"]
        for column in ("profit", "utility", "money"):
            np.testing.assert_allclose(getattr(agent, column), row[column], rtol=1e-12)


def test_agents_of_another_kind_than_in_the_accounts_have_no_numbers() -> None:
    model = ScenarioModel(SCENARIOS / "and_perceptron.yaml")
    model.step()
    assert all(agent.kind == "seller" for agent in model.agents)
    assert all(np.isnan(agent.money) for agent in model.agents)


def test_a_collector_of_ones_own() -> None:
    model = ScenarioModel(MARKET)
    model.datacollector = mesa.DataCollector({"steps": "steps"}, {"money": "money", "utility": "utility"})
    run_out(model)
    collected = model.datacollector.get_agent_vars_dataframe()
    assert len(collected) == 2 * model.steps
    run = simulate(MARKET)
    last = run.agents.set_index("agent").loc["town:total"].iloc[-1]
    assert collected["utility"].iloc[-2] == pytest.approx(last["utility"], rel=1e-12)


def test_batch_run_is_many_simulations() -> None:
    rates, seeds = [0.3, 0.4], [1, 2]
    parameters: dict[str, Any] = {"source": [MARKET], "scheduler.rate": rates, "run.seed": seeds}
    rows = mesa.batch_run(ScenarioModel, parameters, max_steps=5000, display_progress=False)
    assert [(row["scheduler.rate"], row["run.seed"]) for row in rows] == [
        (rate, seed) for rate in rates for seed in seeds
    ]
    ends = set()
    for row in rows:
        settings = {"scheduler.rate": row["scheduler.rate"], "run.seed": row["run.seed"]}
        run = simulate(load(MARKET, settings=settings))
        assert (row["outcome"], row["tick"]) == (run.summary["outcome"], run.summary["ticks"])
        last = run.trajectory[run.trajectory["tick"] == row["tick"]].set_index("good")["price"]
        assert {good: row[f"price.{good}"] for good in last.index} == last.to_dict()
        ends.add((row["tick"], row["price.bread"]))
    assert len(ends) == len(rows)


def test_batch_run_in_processes_of_their_own() -> None:
    parameters: dict[str, Any] = {"source": [MARKET], "consumers.lord.budget": np.array([5, 9])}
    rows = mesa.batch_run(ScenarioModel, parameters, number_processes=2, display_progress=False)
    alone = mesa.batch_run(ScenarioModel, parameters, display_progress=False)
    assert sorted(rows, key=lambda row: row["RunId"]) == alone
    assert alone[0]["price.bread"] != alone[1]["price.bread"]


MEASURES: list[Any] = [
    "outcome",
    "ticks",
    "price.natgas",
    "distance_to_equilibrium",
    "equilibrium.natgas",
    "ticks_to.1e-2",
    "profit.A",
    {"cheap": "price.natgas < 0.03"},
    {"paid": "price.natgas * supply.natgas"},
]


def test_reporters_are_the_measures_of_a_study() -> None:
    paths = {"supply.natgas": 3.5, "scheduler.rate": 0.4}
    model = run_out(ScenarioModel(TUPPERWARE, reporters=MEASURES, **paths))
    collected = model.datacollector.get_model_vars_dataframe()
    run = simulate(TUPPERWARE, settings=paths)
    prices, ticks = run.prices["natgas"], run.ticks["distance_to_equilibrium"]
    assert collected["price.natgas"].to_numpy() == pytest.approx(prices.to_numpy(), rel=1e-14)
    assert collected["distance_to_equilibrium"].to_numpy(float) == pytest.approx(ticks.to_numpy(), abs=1e-12)
    profits = run.agents.query("agent == 'A' and good == 'natgas'")["profit"].to_numpy()
    assert collected["profit.A"].to_numpy() == pytest.approx(profits, rel=1e-12)
    assert collected["cheap"].tolist() == (prices < 0.03).astype(int).tolist()
    assert collected["paid"].to_numpy() == pytest.approx(3.5 * prices.to_numpy())
    assert collected["ticks"].tolist() == list(range(model.steps))
    study = {"name": "s", "scenario": str(Path(TUPPERWARE).resolve()), "measures": MEASURES}
    at_the_end = sweep({**study, "vary": {path: [value] for path, value in paths.items()}}).iloc[0]
    assert collected["outcome"].iloc[-1] == at_the_end["outcome"]
    for name in [*collected.columns[1:]]:
        assert collected[name].iloc[-1] == pytest.approx(at_the_end[name], rel=1e-9)
    assert collected["outcome"].iloc[:-1].isna().all()
    assert collected["equilibrium.natgas"].iloc[:-1].isna().all()


@pytest.mark.parametrize(
    ("reporters", "message"),
    [
        (["price.bred"], r"reporters: \[0\]: unknown measure 'price.bred'.*did you mean price.bread"),
        (["tick", "outcome"], r"reporters: \[0\]: unknown measure 'tick'"),
        (["outcome", {"x": "price.bread +"}], r"reporters: \[1\]: "),
        (["outcome", 3], r"reporters: \[1\]: found 3; expected a measure, or {name: formula}"),
        ([{"x": len}], r"reporters: \[0\]: found .*; expected a measure, or {name: formula}"),
    ],
)
def test_reporters_that_are_no_measures(reporters: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        ScenarioModel(MARKET, reporters=reporters)


def test_reporters_of_a_batch() -> None:
    parameters: dict[str, Any] = {"source": [MARKET], "reporters": [["ticks", "utility.lord"]], "run.seed": [1, 2]}
    rows = mesa.batch_run(ScenarioModel, parameters, display_progress=False)
    assert [row["ticks"] for row in rows] == [
        simulate(MARKET, settings={"run.seed": seed}).summary["ticks"] for seed in (1, 2)
    ]
    assert rows[0]["utility.lord"] != rows[1]["utility.lord"]


def test_numbers_of_numpy_are_numbers() -> None:
    model = ScenarioModel(MARKET, np.uint32(3), **{"run.ticks": np.int64(2), "scheduler.rate": np.float64(0.25)})
    assert (model.source.run.seed, model.source.run.ticks, model.source.scheduler.rule.rate) == (3, 2, 0.25)
    assert run_out(model).outcome == "out_of_ticks"


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ({"scheduler.rat": 1}, "did you mean scheduler.rate"),
        ({"scheduler.rate": -1}, "settings: scheduler.rate: found -1"),
        ({"rng": 1}, "unknown path 'rng'"),
        ({"seed": "x"}, "run.seed: found 'x'; expected a whole number"),
        ({"seed": 1.5}, "run.seed: found 1.5; expected a whole number"),
    ],
)
def test_what_a_path_is_refused_for(paths: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        ScenarioModel(MARKET, **paths)


@pytest.mark.skipif(version("mesa") < "3.4", reason="this Mesa has no scenarios")
def test_a_scenario_of_mesas_is_handed_on() -> None:
    from mesa.experimental.scenarios import Scenario

    theirs = Scenario(rng=7)
    assert ScenarioModel(MARKET, scenario=theirs).scenario is theirs


def widgets(rendered: Any, kind: str, **traits: Any) -> list[Any]:
    import ipyvuetify

    found = rendered.find(getattr(ipyvuetify, kind)).widgets
    return [each for each in found if all(getattr(each, name) == value for name, value in traits.items())]


def test_a_page_with_sliders_steps_and_starts_anew() -> None:
    import ipywidgets
    import solara

    made: list[ScenarioModel] = []

    class Seen(ScenarioModel):
        def __init__(self, source: Any, seed: int | None = None, **kwargs: Any) -> None:
            super().__init__(source, seed, **kwargs)
            made.append(self)

    @solara.component
    def app() -> None:
        with solara.AppLayout():
            Seen.page(TUPPERWARE, **{"scheduler.rate": (0.05, 0.3, 0.5), "supply.natgas": (1.0, 4.0, 8.0)})

    _, rendered = solara.render(app(), handle_error=False)
    for _ in range(2):
        widgets(rendered, "Btn", children=["Step"])[0].click()
    assert (len(made), made[0].steps, made[0].source.scheduler.rule.rate) == (1, 2, 0.3)
    drawn = rendered.find(ipywidgets.Image).widgets
    assert drawn
    assert all(bytes(image.value[:4]) == b"\x89PNG" for image in drawn)
    widgets(rendered, "Slider", label="scheduler.rate")[0].v_model = 0.5
    widgets(rendered, "Btn", children=["Reset"])[0].click()
    assert (len(made), made[1].steps, made[1].source.scheduler.rule.rate) == (2, 0, 0.5)
    widgets(rendered, "Btn", children=["Step"])[0].click()
    assert made[1].steps == 1


def test_a_page_without_solara_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mesa.visualization", None)
    message = r"a page with sliders needs Solara; pip install 'market-simulator\[mesa-viz\]'"
    with pytest.raises(MissingExtraError, match=message):
        ScenarioModel.page(MARKET, **{"scheduler.rate": (0.05, 0.3, 0.5)})


@pytest.mark.parametrize("ends", [(0.1, 0.5), (0.5, 0.1, 0.2), 3, ("a", "b", "c")])
def test_a_slider_has_a_low_end_a_start_and_a_high_end(ends: Any) -> None:
    with pytest.raises(ValueError, match=r"scheduler.rate: found .*expected a slider's low end, start and high end"):
        ScenarioModel.page(MARKET, **{"scheduler.rate": ends})


def test_a_slider_of_a_whole_number_moves_in_whole_numbers() -> None:
    sliders = {"run.ticks": (100, 150, 350), "consumers.h.count": (1, 3, 5), "scheduler.rate": (0, 0.1, 1)}
    crowd = {"name": "h", "count": 2, "budget": 3, "utility": {"cobb_douglas": {"x": 1}}}
    page = ScenarioModel.page({"goods": ["x"], "supply": {"x": 1}, "consumers": [crowd]}, **sliders)
    given = page.kwargs["model_params"]
    kinds = {path: (given[path]["type"], given[path]["step"]) for path in sliders}
    whole = {"run.ticks": ("SliderInt", 2), "consumers.h.count": ("SliderInt", 1)}
    assert kinds == {**whole, "scheduler.rate": ("SliderFloat", 0.01)}


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
def test_a_model_is_not_copied_half_way(copied: Any) -> None:
    with pytest.raises(TypeError, match="expected its scenario: another ScenarioModel of that is the same after"):
        copied(ScenarioModel(MARKET))
