"""Runs of a study side by side: each ends as it would alone, whichever others stand beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.economies import TAXED
from tests.house import (
    FEWEST,
    Group,
    Interruption,
    MarketVerdict,
    PlannedRun,
    RunPlan,
    ScenarioError,
    SideBySideRuns,
    Simulation,
    Tatonnement,
    Variation,
    grouped,
    line_of,
    load,
    load_study,
    row_of,
    rows_by_pool,
    rows_side_by_side,
)

SCENARIOS = Path(__file__).parents[1] / "scenarios"
ALONE = ("town", "energy", "fish_market", "subsistence", "chain_of_fifty", "perfect_substitutes", "harvests")
"""Scenarios of many agents, of linear tastes, and of shocks that repeat."""
SHIPPED = [path.stem for path in sorted(SCENARIOS.glob("*.yaml")) if path.stem not in ALONE]
MEASURES = ["outcome", "ticks", "evaluations", "period", "amplitude", "max_relative_excess_demand", "ticks_to.0.01"]


def study_of(name: str, vary: dict[str, Any], **others: Any) -> Any:
    file = SCENARIOS / f"{name}.yaml"
    measures = [*MEASURES, *(f"price.{good}" for good in load(file).markets.goods)]
    return load_study({"scenario": str(file), "vary": vary, "design": "zip", "measures": measures} | others)


def rates(name: str, ticks: int, stop: str = "verdict") -> Any:
    """A study of many rates, from steady ones to ones too large, and of some other numbers."""
    resolved = load(SCENARIOS / f"{name}.yaml").resolved
    way = np.linspace(0.4, 3.0, FEWEST)
    vary: dict[str, Any] = {"scheduler.rate": (resolved["scheduler"]["rate"] * way).tolist()}
    for good, amount in list(resolved.get("supply", {}).items())[:1]:
        vary[f"supply.{good}"] = (amount * (1.0 + 0.01 * way)).tolist()
    for consumer in resolved.get("consumers", [])[:1]:
        for good, amount in list(consumer["endowment"].items())[:1]:
            vary[f"consumers.{consumer['name']}.endowment.{good}"] = (amount * (1.0 + 0.01 * way)).tolist()
    return study_of(name, {**vary, "run.ticks": [ticks] * FEWEST, "run.stop": [stop] * FEWEST})


def groups_of(study: Any, parts: int = 1, done: frozenset[int] = frozenset()) -> tuple[RunPlan, list[Group]]:
    plan = RunPlan(study.measures)
    return plan, grouped(study.scenario, plan, study.runs(), done, parts)


def agree(found: Any, alone: Any, measures: list[str]) -> None:
    """Outcome and ticks are equal, other numbers nearly."""
    assert (found.run, found.error) == (alone.run, alone.error)
    for name, one, other in zip(measures, found.values, alone.values, strict=True):
        if isinstance(other, float) and name != "ticks":
            slack = 1e-12 if name == "max_relative_excess_demand" else 0.0
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=slack, err_msg=f"{name} of {found.run.number}")
        else:
            assert one == other, (name, found.run)


@pytest.mark.parametrize(
    ("name", "stop"), [*((name, "verdict") for name in SHIPPED), ("bazaar", "never"), ("tupperware_gas_cut", "never")]
)
def test_runs_end_as_each_would_alone(name: str, stop: str) -> None:
    if not isinstance(load(SCENARIOS / f"{name}.yaml").scheduler, Tatonnement):
        return
    # A rate of 300 makes the prices of fold chaotic: they amplify rounding.
    study = rates(name, 20 if name == "fold" else 120, stop)
    plan, groups = groups_of(study)
    (group,) = groups
    assert group.family is not None
    variation = Variation(study.scenario)
    rows = {row.run.number: row for row in rows_side_by_side(variation, plan, group, lambda: False)}
    assert [*rows] == list(range(FEWEST)) or any(row.error for row in rows.values())
    assert sorted(rows) == list(range(FEWEST))
    for run in group.runs[::6]:
        alone = row_of(variation, plan, run, lambda: False)
        agree(rows[run.number], alone, [*study.measures])


def test_runs_of_many_taxes_end_as_each_would_alone() -> None:
    kept = {"adjust": {"keep": "prices.wool", "at": 5, "speed": 0.02}}
    taxes = [*TAXED["taxes"], {"name": "t", "on": "sales", "good": "bread", "rate": kept, "to": "state"}]
    way = np.linspace(0.5, 1.5, FEWEST)
    numbers = {"taxes.net_tax.rate": 0.25, "taxes.t.rate.adjust.at": 5.0, "transfers.0.amount": 2.0}
    vary = {path: (number * way).tolist() for path, number in {**numbers, "transfers.2.share": 0.25}.items()}
    scenario = {**TAXED, "taxes": taxes, "run": {"ticks": 120, "references": "off"}}
    study = study_of("bazaar", vary, scenario=scenario, measures=["outcome", "ticks", "price.bread", "price.wool"])
    plan, (group,) = groups_of(study)
    assert group.family is not None
    variation = Variation(study.scenario)
    rows = {row.run.number: row for row in rows_side_by_side(variation, plan, group, lambda: False)}
    assert sorted(rows) == list(range(FEWEST))
    for run in group.runs[::6]:
        agree(rows[run.number], row_of(variation, plan, run, lambda: False), [*study.measures])


@pytest.mark.parametrize("name", ["bazaar", "tupperware_gas_cut", "overshooting", "scarf"])
def test_how_runs_are_grouped_changes_no_byte(name: str) -> None:
    study = rates(name, 120)
    plan, (whole,) = groups_of(study)
    variation = Variation(study.scenario)

    def values(*groups: Group) -> dict[PlannedRun | int, Any]:
        rows = (row for group in groups for row in rows_side_by_side(variation, plan, group, lambda: False))
        return {row.run.number: repr(row.values) for row in rows}

    expected = values(whole)
    assert values(*(whole._replace(runs=whole.runs[at : at + 1]) for at in range(FEWEST))) == expected
    assert values(*(whole._replace(runs=whole.runs[at::5]) for at in range(5))) == expected


def test_a_family_follows_from_the_study_whatever_is_missing() -> None:
    study = rates("bazaar", 60)
    _, (whole,) = groups_of(study)
    _, parts = groups_of(study, parts=3)
    _, (rest,) = groups_of(study, done=frozenset(range(FEWEST - 1)))
    assert [len(group.runs) for group in parts] == [FEWEST // 3] * 3
    assert {whole.family.places, rest.family.places, *(group.family.places for group in parts)} == {whole.family.places}
    assert [run.number for run in rest.runs] == [FEWEST - 1]


def test_rules_of_other_kinds_are_other_families_and_few_go_alone() -> None:
    scenario = load(SCENARIOS / "bazaar.yaml").resolved
    rules = ["walras", "adam"] * FEWEST + ["heavy_ball"]
    vary = {"scheduler.rate": np.linspace(0.01, 0.2, len(rules)).tolist(), "scheduler.rule": rules}
    scenario = {**scenario, "scheduler": {"rule": "walras", "rate": 0.1}}
    _, groups = groups_of(study_of("bazaar", vary, scenario=scenario))
    assert [len(group.runs) for group in groups if group.family] == [FEWEST, FEWEST]
    (alone,) = (group for group in groups if group.family is None)
    assert alone.runs[0].point["scheduler.rule"] == "heavy_ball"


def test_a_refused_point_is_an_error_in_its_row() -> None:
    study = study_of("bazaar", {"scheduler.rate": [0.1] * FEWEST + [-1.0]})
    plan, groups = groups_of(study)
    variation = Variation(study.scenario)
    rows = [row for group in groups for row in rows_side_by_side(variation, plan, group, lambda: False)]
    (refused,) = (row for row in rows if row.error)
    with pytest.raises(ScenarioError):
        variation.at(refused.run.changes)
    assert "scheduler.rate: found -1" in refused.error


def test_what_only_single_runs_know_takes_a_run_alone() -> None:
    scenario = load(SCENARIOS / "bazaar.yaml").resolved
    vary = {"scheduler.rate": np.linspace(0.1, 0.2, FEWEST).tolist()}
    _, groups = groups_of(study_of("bazaar", vary, measures=["utility.consumer1"]))
    assert {group.family for group in groups} == {None}
    floats = {**scenario, "run": {**scenario["run"], "engine": "floats"}}
    _, groups = groups_of(study_of("bazaar", vary, scenario=floats))
    assert {group.family for group in groups} == {None}


def test_members_drawn_anew_in_each_replication_are_numbers_too() -> None:
    drawn = {"x": {"lognormal": {"mean": 1, "sigma": 1}}, "y": 1}
    crowd = {"name": "crowd", "count": 3, "budget": 2, "utility": {"cobb_douglas": drawn}}
    supply = {"x": 3, "y": 1}
    scenario = {"goods": [*supply], "supply": supply, "consumers": [crowd], "run": {"ticks": 80}}
    study = load_study({"scenario": scenario, "seeds": FEWEST, "measures": ["outcome", "ticks", "price.x"]})
    plan, (group,) = groups_of(study)
    assert group.family is not None
    variation = Variation(study.scenario)
    rows = {row.run.number: row for row in rows_side_by_side(variation, plan, group, lambda: False)}
    assert len({row.values for row in rows.values()}) == FEWEST
    for run in group.runs[::5]:
        agree(rows[run.number], row_of(variation, plan, run, lambda: False), [*study.measures])


@pytest.mark.parametrize("name", ["overshooting", "bazaar"])
def test_verdict_rules_are_told_every_price_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are asked many times before they say that a run is over."""
    monkeypatch.setattr(SideBySideRuns, "_ahead", lambda *given: np.zeros((2, len(given[-1])), dtype=bool))
    study = rates(name, 300)
    plan, (group,) = groups_of(study)
    variation, settings = Variation(study.scenario), plan.settings(study.scenario)
    assert group.family is not None
    scenarios = [variation.at({**settings, **run.changes}) for run in group.runs]
    beside = SideBySideRuns(scenarios, variation.at(group.family.changes), group.family.places, course=False)
    beside.advance(lambda: False)
    for scenario, rule, ended in zip(scenarios, beside.rules, beside.ended, strict=True):
        simulation = Simulation(scenario)
        assert [*simulation.ticks()]
        expected = simulation.verdict_rule
        assert isinstance(expected, MarketVerdict)
        assert ended is not None
        assert rule.history.count == expected.history.count == ended.tick.tick + 1
        assert rule.thrown.shape == expected.thrown.shape
        np.testing.assert_allclose(rule.history.prices(), expected.history.prices(), rtol=1e-9)
        np.testing.assert_allclose(rule.highest, expected.highest, rtol=1e-9)


def test_a_stop_leaves_what_has_not_ended_to_be_done_again() -> None:
    plan, (group,) = groups_of(rates("bazaar", 60))
    assert rows_side_by_side(Variation(rates("bazaar", 60).scenario), plan, group, lambda: True) == []


def test_the_table_of_a_study_is_the_same_bytes_however_its_runs_are_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three families, some runs alone, one refused."""
    rules = ["walras", "adam", "heavy_ball"] * FEWEST + ["newton", "walras"]
    steps = [*np.linspace(0.01, 0.3, len(rules) - 1).tolist(), -1.0]
    vary = {"scheduler.rate": steps, "scheduler.rule": rules, "run.ticks": [60] * len(rules)}
    scenario = {**load(SCENARIOS / "bazaar.yaml").resolved, "scheduler": {"rule": "walras", "rate": 0.1}}
    study = study_of("bazaar", vary, scenario=scenario)

    def table(parts: int) -> str:
        plan = RunPlan(study.measures)
        groups = grouped(study.scenario, plan, study.runs(), parts=parts)
        rows = rows_by_pool(study.scenario, plan, groups, Interruption(), jobs=1)
        return "".join(
            line_of(study, row._replace(seconds=0.0)) for row in sorted(rows, key=lambda row: row.run.number)
        )

    whole = table(1)
    assert whole.count("\n") == len(rules)
    assert "scheduler.rate: found -1" in whole
    assert table(7) == whole
    assert table(FEWEST) == whole
