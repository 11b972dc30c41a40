"""Study files: designs and seeds, and what is refused with its place."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.house import DISTRIBUTIONS, ScenarioError, SensitivityFile, StudyFile, load, load_study

SCENARIOS = Path(__file__).parent.parent / "scenarios"
RATE, GAS = "scheduler.rate", "supply.natgas"
PPF: dict[str, tuple[Any, Any]] = {
    "uniform": ([1.0, 8.0], stats.uniform(1.0, 7.0)),
    "lognormal": ({"mean": 0.3, "sigma": 0.5}, stats.lognorm(0.5, scale=np.exp(0.3))),
    "normal": ({"mean": 5.0, "sigma": 2.0}, stats.norm(5.0, 2.0)),
    "exponential": (2.0, stats.expon(scale=2.0)),
    "gamma": ({"shape": 2.0, "scale": 3.0}, stats.gamma(2.0, scale=3.0)),
    "beta": ({"a": 2.0, "b": 3.0}, stats.beta(2.0, 3.0)),
    "pareto": ({"minimum": 1.5, "exponent": 2.0}, stats.pareto(2.0, scale=1.5)),
    "choice": ([1.0, 2.0, 5.0], None),
}


def study(**keys: Any) -> Any:
    """A study of tupperware."""
    return load_study({"scenario": str(SCENARIOS / "tupperware.yaml"), "vary": {RATE: [0.1, 0.2]}} | keys)


def refusal(**keys: Any) -> str:
    with pytest.raises(ScenarioError) as refused:
        study(**keys)
    return str(refused.value)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_quantiles_are_the_inverse_of_what_is_drawn(name: str) -> None:
    parameters, reference = PPF[name]
    kind = DISTRIBUTIONS[name].model_validate(parameters)
    parts = np.linspace(0.001, 0.999, 57)
    found = kind.quantile(parts)
    if reference is not None:
        np.testing.assert_allclose(found, reference.ppf(parts), rtol=1e-10)
    drawn = np.sort(kind.draw(np.random.default_rng(1), 20_000))
    np.testing.assert_allclose(
        np.searchsorted(drawn, kind.quantile(np.array([0.1, 0.5, 0.8])), side="right") / 20_000,
        [1 / 3, 2 / 3, 1.0] if name == "choice" else [0.1, 0.5, 0.8],
        atol=0.02,
    )


def test_the_last_path_of_a_grid_varies_fastest_and_replications_within() -> None:
    given = study(vary={RATE: [0.1, 0.2], GAS: {"linspace": [1, 8, 3]}}, seeds=2)
    assert [(run.point[RATE], run.point[GAS], run.replication) for run in given.runs()] == list(
        product([0.1, 0.2], [1.0, 4.5, 8.0], [0, 1])
    )
    assert [run.number for run in given.runs()] == list(range(12))
    assert given.columns == ["run", "replication", RATE, GAS, "seed", "outcome", "ticks", "seconds", "error"]


def test_replications_have_the_same_seeds_at_every_point() -> None:
    seeds = [np.random.SeedSequence(5, spawn_key=(number,)).generate_state(1)[0] for number in range(3)]
    assert [run.seed for run in study(seed=5, seeds=3).runs()] == seeds * 2
    assert [run.seed for run in study(seeds=[4, 9]).runs()] == [4, 9, 4, 9]
    assert study(seeds=[4]).seeds == (4,)
    assert study().seeds == (study().scenario.run.seed,)


def test_zip_takes_levels_together() -> None:
    given = study(design="zip", vary={RATE: [0.1, 0.2], GAS: {"geomspace": [1, 4, 2], "times": 2}})
    assert [tuple(point.values()) for point in given.points] == [(0.1, 2.0), (0.2, 8.0)]


@pytest.mark.parametrize("design", ["random", "latin_hypercube", "sobol"])
def test_random_designs_do_not_depend_on_the_order_of_paths(design: str) -> None:
    vary = {RATE: {"uniform": [0.1, 0.2]}, GAS: {"lognormal": {"mean": 1, "sigma": 0.5}}}
    one, other = (study(design={design: 64}, vary=dict(order)) for order in (vary.items(), reversed(vary.items())))
    assert one.points == other.points
    assert one.points != study(design={design: 64}, vary=vary, seed=1).points
    parts = stats.lognorm(0.5, scale=np.exp(1)).cdf([point[GAS] for point in one.points])
    slices = np.bincount((parts * 64).astype(int), minlength=64)
    assert (slices == 1).all() == (design != "random")
    assert all(0.1 <= point[RATE] <= 0.2 for point in one.points)


def test_levels_by_a_csv_file(tmp_path: Path) -> None:
    (tmp_path / "design.csv").write_text(f"{RATE},start,{GAS}\n0.1,stocked,2\n0.3,empty,4\n")
    (tmp_path / "study.yaml").write_text(
        f"scenario: {SCENARIOS / 'tupperware.yaml'}\ndesign: {{csv: design.csv}}\n", encoding="utf-8"
    )
    given = load_study(tmp_path / "study.yaml")
    assert given.points == (
        {RATE: 0.1, "start": "stocked", GAS: 2},
        {RATE: 0.3, "start": "empty", GAS: 4},
    )
    assert given.inputs == {"inputs/design.csv": tmp_path / "design.csv"}


def test_the_resolved_study_is_the_same_study() -> None:
    given = study(
        vary={RATE: {"linspace": [0.1, 0.2, 3]}, GAS: [1, 2]}, seeds=2, measures=["ticks", {"a": "ticks > 3"}]
    )
    again = load_study(given.resolved)
    assert (again.resolved, again.columns, [*again.runs()]) == (given.resolved, given.columns, [*given.runs()])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"vary": {"scheduler.rte": [1]}}, "vary.scheduler.rte: unknown path 'scheduler.rte'; "),
        ({"vary": {RATE: [-1, 1]}}, "vary.scheduler.rate: found -1; expected a number above 0"),
        ({"vary": {RATE: 0.1}}, "vary.scheduler.rate: found 0.1; expected a list of values, {linspace: "),
        ({"vary": {RATE: []}}, "vary.scheduler.rate: found an empty list; expected at least one entry"),
        ({"vary": {RATE: {"linspce": [1, 2, 3]}}}, "unknown distribution 'linspce'; expected one of "),
        ({"vary": {RATE: {"linspace": [1, 2, 2.5]}}}, "linspace: found 2.5 levels; expected a whole number from 1 to"),
        ({"vary": {"error": [1]}}, "vary.error: found error, which a study sets itself; expected other dotted paths"),
        ({"vary": {RATE: {"geomspace": [0, 2, 3]}}}, "geomspace: found 0 and 2; expected both above 0"),
        ({"vary": {RATE: {"csv": "a.csv", "column": "b"}}}, "csv: found a file; expected levels or a distribution"),
        ({"vary": {RATE: {"uniform": [0.1, 1]}}}, "found a distribution in a grid; expected levels"),
        (
            {"design": {"random": 4}},
            "vary.scheduler.rate: found levels in a design that draws; expected a distribution",
        ),
        ({"design": {"sobol": 100}}, "design.sobol: found 100; expected a power of 2; did you mean 128?"),
        ({"design": {"csv": "none.csv"}, "vary": {}}, "design.csv: found no file none.csv"),
        ({"design": {"csv": "none.csv"}}, "found vary beside a CSV file, whose columns are the paths; expected none"),
        ({"design": "gird"}, "design: found 'gird'; expected grid, zip, {random: number}"),
        (
            {"design": "zip", "vary": {RATE: [1], GAS: [1, 2]}},
            "found 2 levels; expected as many as of scheduler.rate, 1",
        ),
        ({"vary": {RATE: list(range(1, 1002)), GAS: list(range(1, 1002))}}, "found 1,002,001 points; expected at most"),
        ({"vary": {"run.seed": [1, 2]}}, "found the seed among the paths; expected it in seeds"),
        ({"vary": {}}, "vary: found nothing to vary; expected paths, or seeds for replications alone"),
        ({"seeds": 0}, "seeds: found 0; expected a number of at least 1"),
        ({"measures": ["price.nat_gas"]}, "measures[0]: unknown measure 'price.nat_gas'; "),
        ({"measures": ["ticks_to.x"]}, "found 'ticks_to.x'; expected ticks_to.X with a number X"),
        ({"measures": ["ticks_to.-1"]}, "found 'ticks_to.-1'; expected a number above 0"),
        ({"measures": ["ticks", "ticks"]}, "measures[1]: found 'ticks' twice; expected names of columns that differ"),
        ({"measures": ["seconds"]}, "measures[0]: found 'seconds' twice"),
        ({"measures": [{"a": "ticks < 3 <"}]}, "measures[0].a: found < after <"),
        ({"measures": [{"a": "tcks < 3"}]}, "measures[0].a: unknown measure 'tcks'; "),
        ({"measures": []}, "measures: found an empty list; expected at least one entry"),
        ({"keep": "all"}, "keep: found 'all'; expected one of summary, runs, trajectories"),
        ({"scenario": "none.yaml"}, "none.yaml: no such file; expected a scenario file"),
        ({"scenario": {"goods": ["a"], "nonsense": 1}}, "scenario.nonsense: unknown key"),
        ({"mesures": ["ticks"]}, "unknown key 'mesures'; expected one of "),
    ],
)
def test_refusals(keys: dict[str, Any], message: str) -> None:
    assert message in refusal(**keys)


def test_measures_that_need_references_need_them_on() -> None:
    scenario = {**study().scenario.resolved, "run": {"references": "off"}}
    assert "found price_gap, which only references know" in refusal(scenario=scenario, measures=["price_gap"])


def test_places_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    text = f"scenario: {SCENARIOS / 'tupperware.yaml'}\nvary:\n  scheduler.rte: [1]\n"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        load_study(file)
    assert str(refused.value).startswith(f"{file}:3:18: vary.scheduler.rte: unknown path 'scheduler.rte'")
    file.write_text(
        text.replace("rte: [1]", "rate: [1]") + 'measures: [ticks, {a: "ticks + pric.natgas"}]\n', encoding="utf-8"
    )
    with pytest.raises(ScenarioError) as refused:
        load_study(file)
    assert str(refused.value).startswith(f"{file}:4:23: measures[1].a: unknown measure 'pric.natgas'")


def test_a_scenario_is_no_study_and_a_study_no_scenario() -> None:
    with pytest.raises(ScenarioError, match=r"tupperware\.yaml:9:1: found a scenario; expected a study"):
        load_study(SCENARIOS / "tupperware.yaml")
    with pytest.raises(ScenarioError, match=r"unknown key 'vary'; .*; instead, this is a study: simulator sweep"):
        load(SCENARIOS / "studies" / "rates_and_supplies.yaml")


@pytest.mark.parametrize("file", sorted((SCENARIOS / "studies").glob("*.yaml")), ids=lambda file: file.stem)
def test_studies_that_come_along_are_sound(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if "vary:" in text:
        analysis = "sensitivity" if "{sobol" in text else "sweep"
        assert load_study(file, model=SensitivityFile if analysis == "sensitivity" else StudyFile).size > 1


def test_a_missing_study_is_no_missing_scenario() -> None:
    with pytest.raises(ScenarioError, match=r"none\.yaml: no such file; expected a study file"):
        load_study("none.yaml")


def test_every_key_says_what_it_is() -> None:
    assert all(item.description for item in StudyFile.model_fields.values())


FISHER = {
    "goods": ["x"],
    "supply": {"x": 1},
    "consumers": [{"name": "a", "utility": {"cobb_douglas": {"x": 1}}, "budget": 1}],
}


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"supply.x": {"linspace": [1, 8]}}, "found a list of 2; expected [first, last, how many]"),
        ({"supply.x": {"uniform": [1]}}, "found a list of 1; expected [least, most]"),
        (None, "vary: found nothing; expected dotted paths as in --set, with the values they take"),
    ],
)
def test_what_belongs_in_a_list_or_under_a_key_is_said(vary: Any, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_study({"scenario": FISHER, "vary": vary, "measures": ["outcome"]})
    (problem,) = caught.value.problems
    assert str(problem).endswith(said)
