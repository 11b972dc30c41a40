"""Sensitivity: published indices of a function whose runs go through a whole study, and what is left out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house import (
    Interruption,
    MissingExtraError,
    Plan,
    Row,
    ScenarioError,
    SensitivityFile,
    carry_out,
    indices_of,
    load_study,
    sensitivity,
    table_of,
)

SCENARIOS = Path(__file__).parent.parent / "scenarios"
# Not in the order of their names: columns of a design are.
PATHS = ("supply.natgas", "run.tolerance", "scheduler.rate")
STUDY: dict[str, Any] = {
    "scenario": str(SCENARIOS / "tupperware.yaml"),
    "vary": {path: {"uniform": [0.1, 0.9]} for path in PATHS},
    "measures": ["ticks"],
}
Values = dict[tuple[str, str], float]


def ishigami(x: np.ndarray) -> float:
    """sin x1 + 7 sin^2 x2 + 0.1 x3^4 sin x1 on (-pi, pi)^3 (Ishigami, Homma 1990)."""
    return float(np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0]))


def analysed(design: dict[str, int], function: Callable[[np.ndarray], float | None], **keys: Any) -> Any:
    """The indices of a function of three parameters, by a study whose runs are replaced."""
    study = load_study({**STUDY, "design": design, **keys}, model=SensitivityFile)

    def road(scenario: Any, plan: Plan, groups: Any, stop: Interruption) -> Iterator[Row]:
        for run in (run for group in groups for run in group.runs):
            x = np.pi * (np.array([run.point[path] for path in PATHS]) - 0.5) / 0.4
            yield Row(run, (function(x),))

    return indices_of(study, table_of(carry_out(study, road, Interruption()).text))


def values(indices: Any) -> Values:
    return {(path, index): value for _, path, index, value, _ in indices.rows}


def test_sobol_indices_are_the_published_ones() -> None:
    found = analysed({"sobol": 1024}, ishigami)
    first = [values(found)[path, "first_order"] for path in PATHS]
    total = [values(found)[path, "total_order"] for path in PATHS]
    np.testing.assert_allclose(first, [0.3139, 0.4424, 0.0], atol=0.03)
    np.testing.assert_allclose(total, [0.5576, 0.4424, 0.2437], atol=0.03)
    assert all(0 < half < 0.15 for *_, half in found.rows)
    assert found.facts == {"ticks": {"blocks": 1024, "left_out": 0, "no_indices": None}}


@pytest.mark.parametrize("design", [{"sobol": 16}, {"morris": 5}, {"latin_hypercube": 100}])
def test_an_analysis_repeats_its_numbers(design: dict[str, int]) -> None:
    assert analysed(design, ishigami) == analysed(design, ishigami)


def test_rbd_fast_indices_are_the_published_ones() -> None:
    found = values(analysed({"latin_hypercube": 3000}, ishigami))
    assert {index for _, index in found} == {"first_order"}
    np.testing.assert_allclose([found[path, "first_order"] for path in PATHS], [0.3139, 0.4424, 0.0], atol=0.04)


def test_elementary_effects_of_a_plane_are_its_slopes() -> None:
    indices = analysed({"morris": 10}, lambda x: float(2 * x[0] - 3 * x[1]))
    found = values(indices)
    # Over the whole range, which is 2 pi long.
    np.testing.assert_allclose([found[path, "mu"] for path in PATHS], np.array([2, -3, 0]) * 2 * np.pi, atol=1e-9)
    np.testing.assert_allclose([found[path, "mu_star"] for path in PATHS], np.array([2, 3, 0]) * 2 * np.pi, atol=1e-9)
    np.testing.assert_allclose([found[path, "sigma"] for path in PATHS], 0.0, atol=1e-9)
    assert {index for _, _, index, _, half in indices.rows if half is None} == {"mu", "sigma"}


def test_designs_are_as_long_as_they_say() -> None:
    for design, runs in (({"sobol": 8}, 8 * 5), ({"morris": 7}, 7 * 4), ({"latin_hypercube": 100}, 100)):
        assert load_study({**STUDY, "design": design}, model=SensitivityFile).size == runs


def test_distributions_without_an_end_are_cut_where_trajectories_would_reach_it() -> None:
    vary = {**STUDY["vary"], "supply.natgas": {"lognormal": {"mean": 0, "sigma": 1}}}
    study = load_study({**STUDY, "vary": vary, "design": {"morris": 20}}, model=SensitivityFile)
    drawn = [point["supply.natgas"] for point in study.points]
    assert max(drawn) == pytest.approx(np.exp(2.5758293))
    assert {round(point["scheduler.rate"], 6) for point in study.points} >= {0.1, 0.9}


def test_a_block_with_an_empty_measure_is_left_out_whole() -> None:
    calls: list[int] = []

    def sometimes(x: np.ndarray) -> float | None:
        calls.append(1)
        return None if len(calls) in (3, 4, 11) else ishigami(x)

    found = analysed({"sobol": 1024}, sometimes)
    assert found.facts["ticks"]["left_out"] == 2
    assert values(found)[PATHS[1], "first_order"] == pytest.approx(0.4424, abs=0.03)


def test_where_too_much_is_missing_there_are_no_indices() -> None:
    found = analysed({"morris": 10}, lambda x: None if x[0] > 0 else 1.0)
    assert (found.rows, found.facts["ticks"]["no_indices"]) == ([], "more than a tenth of the blocks is left out")


def test_what_does_not_vary_has_no_indices() -> None:
    found = analysed({"sobol": 8}, lambda x: 2.0)
    assert (found.rows, found.facts["ticks"]["no_indices"]) == ([], "it does not vary")


def test_the_mean_over_replications_counts() -> None:
    number = 0

    def noisy(x: np.ndarray) -> float:
        nonlocal number
        number += 1
        return float(x[0]) + (5.0 if number % 2 else -5.0)

    found = values(analysed({"morris": 6}, noisy, seeds=2))
    assert found[PATHS[0], "mu"] == pytest.approx(2 * np.pi)
    assert found[PATHS[0], "sigma"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"design": {"sobol": 8}, "measures": ["outcome"]}, "measures[0]: found outcome, a text; expected a number"),
        ({"design": "grid"}, "design: found 'grid'; "),
        ({}, "missing key design; expected "),
        ({"design": {"sobol": 9}}, "design.sobol: found 9; expected a power of 2; did you mean 16?"),
        ({"design": {"latin_hypercube": 9}}, "design.latin_hypercube: found 9; expected a number of at least 100"),
        ({"design": {"morris": 9}, "vary": {PATHS[0]: [1, 2]}}, "found levels in a design that draws"),
    ],
)
def test_refusals(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        load_study({**STUDY, **keys}, model=SensitivityFile)
    assert message in str(refused.value)


def test_without_salib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "SALib", None)
    with pytest.raises(MissingExtraError, match=r"sensitivity analysis needs SALib; .*\[studies\]"):
        load_study({**STUDY, "design": {"sobol": 8}}, model=SensitivityFile)


def test_the_files_of_an_analysis(tmp_path: Path) -> None:
    vary = {"supply.natgas": {"uniform": [2, 8]}, "scheduler.rate": {"uniform": [0.2, 0.4]}}
    source = {**STUDY, "name": "rank", "vary": vary, "design": {"morris": 3}, "measures": ["price.natgas"]}
    frame = sensitivity(source, out=tmp_path, jobs=1)
    text = (tmp_path / "rank" / "sensitivity.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == "measure,parameter,index,value,confidence"
    assert len(text.splitlines()) == len(frame) + 1 == 7
    ranked = frame[frame["index"] == "mu_star"].set_index("parameter")["value"]
    assert ranked["supply.natgas"] > 0.01 > 1e-6 > ranked["scheduler.rate"]
    summary = json.loads((tmp_path / "rank" / "summary.json").read_text(encoding="utf-8"))
    assert summary["sensitivity"] == {"price.natgas": {"blocks": 3, "left_out": 0, "no_indices": None}}
