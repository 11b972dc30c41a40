"""Measures: every measure of a run is what `simulate` tells of it, whatever is left out because no measure needs it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.house import (
    JUDGED,
    SCALARS,
    FormulaComparison,
    FormulaError,
    PlannedRun,
    Run,
    RunPlan,
    Variation,
    known_of,
    load,
    load_study,
    measured,
    simulate,
)

SCENARIOS = Path(__file__).parent.parent / "scenarios"
QUICK = ("tupperware", "bazaar", "crusoe", "town", "village", "xor", "scarf_traded", "shared_intermediate", "energy")
PROBED = {"run.ticks": 0, "run.references": "off"}


def told(run: Run, name: str) -> Any:
    """A measure by another road: from the summary and the tables of a run."""
    column, _, rest = name.partition(".")
    if name in SCALARS:
        return run.summary[name]
    if name in run.ticks:
        return run.ticks[name].iloc[-1]
    if column == "equilibrium":
        if run.summary["equilibrium"] is None:
            return None
        rows = run.equilibrium[run.equilibrium["equilibrium"] == run.summary["equilibrium"]]
        return rows.set_index("good")["price"][rest]
    for frame, keys in ((run.trajectory, ["good"]), (run.agents, ["agent", "good"]), (run.agents, ["agent"])):
        if column in frame:
            last = frame[frame["tick"] == frame["tick"].max()]
            cells = last.loc[last[keys].agg(".".join, axis=1) == rest, column]
            if len(cells):
                return cells.iloc[0]
    raise AssertionError(name)


def alike(found: Any, expected: Any) -> bool:
    none = expected is None or (isinstance(expected, float) and not math.isfinite(expected))
    return found is None if none else found == expected


@pytest.mark.parametrize("name", QUICK)
def test_measures_are_what_simulate_tells(name: str) -> None:
    scenario = load(SCENARIOS / f"{name}.yaml", settings={"run.ticks": 40})
    known = known_of(load(SCENARIOS / f"{name}.yaml", settings=PROBED), {})
    run = simulate(scenario)
    # The sentence may name the scenario's file, which a point of a study has not.
    names = [name for name in known.names if name != "sentence"]
    shape = {"scenario": str(SCENARIOS / f"{name}.yaml"), "vary": {"run.ticks": [40]}}
    together = load_study({**shape, "measures": names})
    plain = [each for each in names if not together.measures[each].needs & JUDGED]
    alone = load_study({**shape, "measures": plain})
    for study in (together, alone):
        first = next(study.runs())
        values = measured(Variation(study.scenario), RunPlan(study.measures), first)
        assert values is not None
        wrong = [
            (each, value, told(run, each))
            for each, value in zip(study.measures, values, strict=True)
            if not alike(value, told(run, each))
        ]
        assert not wrong
    assert {"price." + good for good in run.trajectory["good"]} <= {*plain}


def test_all_scalars_are_scalars() -> None:
    for name in ("tupperware", "xor", "scarf"):
        summary = simulate(SCENARIOS / f"{name}.yaml", ticks=20).summary
        assert all(isinstance(summary[key], int | float | str | None) for key in SCALARS)


def measures(*given: Any, ticks: int = 400, **changes: Any) -> tuple[Any, ...]:
    """Some measures of tupperware at a rate."""
    source = {
        "scenario": str(SCENARIOS / "tupperware.yaml"),
        "measures": list(given),
        "vary": {"scheduler.rate": [0.1]},
    }
    study = load_study(source)
    found = measured(Variation(study.scenario), RunPlan(study.measures), next(study.runs()))
    assert found is not None
    return found


def test_ticks_to_is_the_first_tick_from_which_the_residual_stays_small() -> None:
    run = simulate(load(SCENARIOS / "tupperware.yaml", settings={"scheduler.rate": 0.1}))
    residuals = run.ticks.set_index("tick")["max_relative_excess_demand"]
    late, early, never = measures("ticks_to.1e-4", "ticks_to.0.5", "ticks_to.1e-12")
    assert never is None
    for tick, bound in ((late, 1e-4), (early, 0.5)):
        assert (residuals[residuals.index >= tick] <= bound).all()
        assert tick == 0 or residuals[tick - 1] > bound


def test_in_a_cycle_no_residual_stays_small() -> None:
    source = {"scenario": str(SCENARIOS / "scarf.yaml"), "measures": ["outcome", "ticks_to.10"], "seeds": 1}
    study = load_study(source)
    assert measured(Variation(study.scenario), RunPlan(study.measures), next(study.runs())) == ("cycled", None)


def test_formulas_over_measures_parameters_and_paths_of_the_scenario() -> None:
    price, cheap, rate, gas, text, empty = measures(
        "price.natgas",
        {"cheap": "price.natgas < 0.03 or ticks >= 100000"},
        {"double": "2*scheduler.rate"},
        {"per_gas": "price.natgas/supply.natgas"},
        {"well": "outcome == 'cleared' and not ticks == 0"},
        {"empty": "period + 1 > 0 or 1 == 1"},
    )
    gas_supply = load(SCENARIOS / "tupperware.yaml").resolved["supply"]["natgas"]
    assert (cheap, rate, gas, text, empty) == (0, 0.2, price / gas_supply, 1, None)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("-a^2 + b*2", -1.0),
        ("a < b", 1),
        ("a < b and b < a", 0),
        ("not a < b or a == 3", 1),
        ("t == 'x' and t != \"y\"", 1),
        ("(a < b) + 1", 2.0),
        ("max(a, b) >= 4", 1),
        ("price.nat-gas - 1", 6.0),
        ("ticks_to.1e-4/2", 4.5),
        ("utility.h:mean", 0.5),
        ("sqrt(-a)", None),
        ("none + 1", None),
    ],
)
def test_comparisons(formula: str, value: Any) -> None:
    given = {"a": 3, "b": 4, "t": "x", "price.nat-gas": 7, "ticks_to.1e-4": 9, "utility.h:mean": 0.5, "none": None}
    assert FormulaComparison(formula, given).value(given) == value


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("a < b < c", "found < after <; expected one comparison, as in a < b and b < c"),
        ("a = 1", "found =; expected =="),
        ("a && b", "did you mean and?"),
        ("a || b", "did you mean or?"),
        ("a not b", "found not after a value"),
        ("a == 'x", "found a quotation mark that is never closed"),
        ("a ** 2", "did you mean ^?"),
        ("not", "found the end after not; expected a value"),
    ],
)
def test_comparisons_that_are_refused(formula: str, message: str) -> None:
    with pytest.raises(FormulaError) as refused:
        FormulaComparison(formula)
    assert message in str(refused.value)


def test_text_is_no_number() -> None:
    with pytest.raises(FormulaError, match="found arithmetic with text"):
        FormulaComparison("outcome + 1 > 0").value({"outcome": "cleared"})


def test_a_planned_run_changes_the_seed_too() -> None:
    assert PlannedRun(3, 1, {"scheduler.rate": 0.1}, 7).changes == {"scheduler.rate": 0.1, "run.seed": 7}


def test_numbers_of_tables_are_cells() -> None:
    assert isinstance(measures("ticks")[0], int)
    assert not isinstance(measures("price.natgas")[0], np.floating)
    assert isinstance(pd.Series(measures("price.natgas"))[0], float)
