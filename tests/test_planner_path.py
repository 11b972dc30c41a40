"""The planner's path: his step is the objective's gradient, it climbs, and it rests where markets clear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import ScenarioError
from tests.economies import LOOP, TREE
from tests.house import PlannerPath, Scenario, Sweep, find, load, outputs, reference, run_to_disk, simulate
from tests.run_folders import contents, run_with_stops

SHARED_LABOUR: dict[str, Any] = {
    "goods": ["labour", "bread", "cloth"],
    "outside": {"bread": 1, "cloth": 1.5},
    "supply": {"labour": 10},
    "firms": [
        {"name": "bakery", "makes": "bread = 4*sqrt(labour)"},
        {"name": "weaver", "makes": "cloth = 6*ln(1 + labour)"},
    ],
    "initial_prices": {"labour": 0.3},
}
STEEL: dict[str, Any] = {
    "goods": ["labour", "steel", "bridge", "car", "chip"],
    "outside": {"bridge": 1, "car": 2, "chip": 0.4},
    "supply": {"labour": 10, "steel": 0.1},
    "firms": [
        {"name": "mill", "makes": "steel = 3*labour^0.6"},
        {"name": "builder", "makes": "bridge = 2*steel^0.5*labour^0.2", "count": 3},
        {"name": "maker", "makes": "car = 1.5*steel^0.3*labour^0.2*chip^0.2"},
    ],
    "initial_prices": {"labour": 0.2, "steel": 0.2},
}
FISHER: dict[str, Any] = {
    "goods": ["labour", "grain", "bread"],
    "supply": {"labour": 3, "grain": 0.5},
    "firms": [
        {"name": "farm", "makes": "grain = 2*labour^0.5"},
        {
            "name": "bakery",
            "technology": {"cobb_douglas": {"output": "bread", "inputs": {"grain": 0.4, "labour": 0.3}}},
        },
    ],
    "consumers": [
        {"name": "a", "budget": 2, "utility": {"cobb_douglas": {"bread": 2, "labour": 1}}},
        {"name": "b", "budget": 1, "utility": {"ces": {"elasticity": 0.5, "shares": {"bread": 1, "grain": 1}}}},
        {
            "name": "crowd",
            "count": 50,
            "budget": {"uniform": [0.02, 0.1]},
            "utility": {"cobb_douglas": {"dirichlet": {"bread": 2, "labour": 1}}},
        },
    ],
}
QUASI_LINEAR: dict[str, Any] = {
    "goods": ["labour", "bread", "wine", "cloth"],
    "outside": {"cloth": 0.5},
    "supply": {"labour": 2, "wine": 1},
    "firms": [
        {"name": "bakery", "makes": "bread = 2*labour^0.6"},
        {"name": "weaver", "makes": "cloth = labour^0.5"},
    ],
    "consumers": [
        {"name": "a", "utility": {"quasilinear": {"log": {"bread": 2, "wine": 1}}}},
        {"name": "b", "utility": {"quasilinear": {"log": {"labour": 0.5, "cloth": 1}}}, "count": 2},
        {
            "name": "c",
            "utility": {"quasilinear": {"power": {"weights": {"wine": 1, "labour": 0.4}, "elasticity": 1.5}}},
        },
        {
            "name": "d",
            "utility": {
                "quasilinear": {"quadratic": {"intercept": {"wine": 6, "bread": 5}, "slope": {"wine": 9, "bread": 2}}}
            },
        },
    ],
}
BUDGETS_OF_LOGS: dict[str, Any] = {
    "goods": ["labour", "bread", "wine"],
    "supply": {"labour": 2, "wine": 1},
    "firms": [{"name": "bakery", "makes": "bread = 2*labour^0.6"}],
    "consumers": [
        {"name": "a", "utility": {"quasilinear": {"log": {"bread": 2, "wine": 1}}}, "budget": 9},
        {"name": "b", "utility": {"quasilinear": {"log": {"labour": 0.5, "wine": 1}}}, "budget": 1},
    ],
}
LINEAR: dict[str, Any] = {
    "goods": ["apples", "pears", "figs"],
    "supply": {"apples": 10, "pears": 6, "figs": 3},
    "consumers": [
        {"name": "a", "budget": 10, "utility": {"linear": {"apples": 1, "pears": 2, "figs": 1}}},
        {"name": "b", "budget": 4, "utility": {"linear": {"apples": 2, "pears": 1, "figs": 3}}},
        {"name": "c", "budget": 3, "utility": {"cobb_douglas": {"apples": 1, "figs": 1}}},
    ],
    "initial_prices": {"pears": 5, "figs": 0.5},
}
SMOOTH = {
    "shared": SHARED_LABOUR,
    "steel": STEEL,
    "loop": LOOP,
    "fisher": FISHER,
    "quasi-linear": QUASI_LINEAR,
    "budgets of logs": BUDGETS_OF_LOGS,
}


def loaded(data: dict[str, Any], rate: float = 0.1, **changes: Any) -> Scenario:
    return load({**data, "compare": {"gradient_path": "primal"}, "scheduler": {"rate": rate}, **changes})


def path_of(scenario: Scenario) -> PlannerPath:
    return PlannerPath(scenario.economy, scenario.rule, scenario.initial_prices)


def solved(scenario: Scenario) -> np.ndarray:
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices], many=5)
    return found.prices


def objective(path: PlannerPath, sweep: Sweep) -> float:
    """Net sales to the outside at its prices, quasi-linear utility, and `B ln u` of those with a budget."""
    economy = path.economy
    made, used = economy.made(outputs(economy, sweep.inputs), economy.outlet_yield), economy.over_edges(sweep.inputs)
    total = 0.0
    for cohort, intended in zip(economy.consumers, path.intentions.consumption, strict=True):
        bundles = intended * sweep.fraction
        used = used + cohort.weight * bundles.sum(axis=0)
        enjoyed = cohort.utility.utility(bundles, np.zeros(len(bundles)))
        if cohort.utility.needs_income:
            enjoyed = cohort.budget * np.log(enjoyed)
        elif not cohort.unlimited:
            # Who cannot pay for all that log tastes ask for counts what the budget can.
            enjoyed = enjoyed * np.minimum(1.0, cohort.budget / cohort.utility.weights.sum(axis=1))
        total += cohort.weight * float(enjoyed.sum())
    net = economy.total_supply + made - used
    return total + float(np.sum(np.where(economy.is_outside, economy.outside * net, 0.0)))


def moved(path: PlannerPath, *, edge: int | None = None, cohort: int = 0, place: Any = None, by: float) -> float:
    """The objective where one intention is `exp(by)` times what it was."""
    inputs, consumption = path.intentions.inputs.copy(), [d.copy() for d in path.intentions.consumption]
    if edge is not None:
        inputs[edge] *= np.exp(by)
    else:
        consumption[cohort][place] *= np.exp(by)
    state = path.state() | {"inputs": inputs} | {f"consumption{i}": d for i, d in enumerate(consumption)}
    other = PlannerPath.__new__(PlannerPath)
    other.__dict__.update(path.__dict__)
    other.restore(state)
    return objective(other, other.sweep(other.intentions))


@pytest.mark.parametrize("tick", [0, 7])
@pytest.mark.parametrize("name", SMOOTH)
def test_what_a_use_is_worth_above_the_price_is_the_objective_s_gradient(name: str, tick: int) -> None:
    """`dW / d ln d_e = x_e (v_e - a_g)`, against differences of the objective itself under the share-out."""
    path, step = path_of(loaded(SMOOTH[name])), 1e-5
    path.advance(tick)
    sweep, economy = path.sweep(path.intentions), path.economy
    scale, judged = abs(objective(path, sweep)), 0
    for edge, good in enumerate(economy.edge_good):
        slope = (moved(path, edge=edge, by=step) - moved(path, edge=edge, by=-step)) / (2 * step)
        expected = sweep.inputs[edge] * (sweep.edge_values[edge] - sweep.prices[good])
        assert slope == pytest.approx(expected, rel=1e-6, abs=1e-8 * scale)
        judged += abs(expected) > 1e-3
    for number, cohort in enumerate(economy.consumers):
        bundles = path.intentions.consumption[number] * sweep.fraction
        for good in np.flatnonzero(bundles[0] > 0):
            at = {"cohort": number, "place": (0, good)}
            slope = (moved(path, **at, by=step) - moved(path, **at, by=-step)) / (2 * step)
            gain = sweep.consumer_values[number][0, good] - sweep.prices[good]
            expected = cohort.weight * bundles[0, good] * gain
            assert slope == pytest.approx(expected, rel=1e-6, abs=1e-8 * scale)
            judged += abs(expected) > 1e-3
    assert judged >= 2


@pytest.mark.parametrize("name", [*SMOOTH, "linear"])
def test_the_objective_never_falls_where_steps_are_small(name: str) -> None:
    path = path_of(loaded({**SMOOTH, "linear": LINEAR}[name], rate=0.02))
    values: list[float] = []
    for tick in range(600):
        path.advance(tick)
        values.append(objective(path, path.sweep(path.intentions)))
    rise = np.diff(values)
    assert np.all(rise >= -1e-13 * np.abs(values[1:]))
    assert values[-1] > values[0] + 1e-3
    assert np.all(rise[:50] > 0)


@pytest.mark.parametrize("name", SMOOTH)
def test_it_rests_at_the_market_s_equilibrium(name: str) -> None:
    scenario = loaded(SMOOTH[name])
    path = path_of(scenario)
    first = path.advance(0)
    assert np.max(np.abs(first / solved(scenario) - 1)) > 0.01
    np.testing.assert_allclose(path.advance(1000), solved(scenario), rtol=1e-9)


def test_linear_tastes_have_an_objective_too() -> None:
    path = path_of(loaded(LINEAR, rate=0.2))
    np.testing.assert_allclose(path.advance(3000), solved(loaded(LINEAR)), rtol=1e-6)


@pytest.mark.parametrize("trade", [pytest.param("every_tick", marks=pytest.mark.slow), "at_equilibrium"])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_run_says_so(name: str, trade: str) -> None:
    data = {**SMOOTH[name], "trade": trade, "scheduler": {"rate": 0.2}, "run": {"tolerance": 1e-9, "record_every": 5}}
    run = simulate({**data, "compare": {"gradient_path": "primal"}})
    assert run.summary["outcome"] == "cleared"
    assert run.summary["gradient_path"] == "primal"
    assert run.summary["gradient_path_gap"] > 0.01
    assert "off those of a planner who climbs the gradient" in run.summary["sentence"]
    dual = simulate(data)
    assert dual.summary["gradient_path"] == "dual"
    kept = ["potential", "merit", "cosine_to_gradient", "distance_to_equilibrium", "distance_to_adjoint"]
    np.testing.assert_allclose(run.ticks[kept], dual.ticks[kept], rtol=1e-5, atol=1e-9)
    price, planned = run.trajectory["price"], run.trajectory["gradient_price"]
    gaps = (price - planned).abs().div(planned).groupby(run.trajectory["tick"]).max()
    np.testing.assert_allclose(gaps, run.ticks["distance_to_gradient_path"], rtol=1e-12, atol=1e-15)
    if trade == "at_equilibrium":
        first = run.trajectory.query("tick == 0")
        np.testing.assert_allclose(first["gradient_price"], first["adjoint"], rtol=1e-9)


def test_in_a_tree_nothing_is_to_be_split_and_prices_are_right_at_once() -> None:
    scenario = loaded(TREE)
    path = path_of(scenario)
    for tick in (0, 1, 50):
        np.testing.assert_allclose(path.advance(tick), solved(scenario), rtol=1e-12)


def test_it_goes_on_from_its_allocation_after_a_shock() -> None:
    shock = {"tick": 400, "set": {"supply.labour": {"times": 0.5}, "firms.mill.productivity": 2}}
    run = simulate(
        {
            **STEEL,
            "compare": {"gradient_path": "primal"},
            "shocks": [shock],
            "run": {"ticks": 800, "tolerance": 1e-9, "stop": "never"},
            "trade": "at_equilibrium",
        }
    )
    assert run.summary["outcome"] == "cleared"
    planned = run.trajectory.pivot_table("gradient_price", "tick", "good", sort=False).to_numpy()
    rests = {int(tick): rows["price"].to_numpy() for tick, rows in run.equilibrium.groupby("from_tick")}
    np.testing.assert_allclose(planned[399], rests[0], rtol=1e-6)
    np.testing.assert_allclose(planned[-1], rests[400], rtol=1e-6)
    before, after = loaded(STEEL), loaded({**STEEL, "shocks": [shock]}).regimes[1].economy
    path = path_of(before)
    path.advance(400)
    path.change_economy(after, reference(after))
    np.testing.assert_array_equal(path.advance(400), planned[400])
    assert np.max(np.abs(planned[400] / rests[400] - 1)) > 1e-3


@pytest.mark.parametrize("name", ["loop", "fisher", "quasi-linear"])
def test_a_path_taken_up_again_goes_on_to_the_last_bit(name: str) -> None:
    scenario = loaded(SMOOTH[name])
    whole, first, second = path_of(scenario), path_of(scenario), path_of(scenario)
    first.advance(40)
    second.restore(first.state())
    assert np.array_equal(whole.advance(90), second.advance(90))
    assert whole.tick == second.tick == 90


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize("name", [pytest.param("loop", marks=pytest.mark.slow), "fisher"])
def test_a_run_stopped_again_and_again_ends_in_the_same_bytes(name: str, tmp_path: Path) -> None:
    changes = {"run": {"ticks": 130, "tolerance": 1e-12, "stop": "never"}, "expect": ["cleared", "out_of_ticks"]}
    shock = {"tick": 60, "set": {"supply.labour": 4}}
    scenario = loaded(SMOOTH[name], **changes, shocks=[shock])
    run_to_disk(scenario, tmp_path / "whole")
    assert run_with_stops(scenario, tmp_path / "parts", 70) > 1
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    run_to_disk(load(tmp_path / "whole" / "scenario.yaml"), tmp_path / "again")
    assert (tmp_path / "again" / "trajectory.csv").read_bytes() == (tmp_path / "whole" / "trajectory.csv").read_bytes()
    assert json.loads((tmp_path / "parts" / "summary.json").read_text())["gradient_path"] == "primal"


def test_without_references_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: Any) -> Any:
        raise AssertionError("a planner was asked")

    monkeypatch.setattr(PlannerPath, "__init__", forbidden)
    run = simulate(loaded(STEEL, run={"references": "off"}))
    assert run.trajectory["gradient_price"].isna().all()
    assert run.summary["gradient_path"] is None


def test_what_nobody_wants_at_first_is_found_of_use() -> None:
    """All plans are 0 at the first prices; the planner must bring every user in from next to nothing."""
    data = {
        "goods": ["grain", "bread"],
        "supply": {"grain": 2},
        "firms": [{"name": "bakery", "makes": "bread = ln(1 + grain)"}],
        "consumers": [
            {
                "name": "a",
                "utility": {"quasilinear": {"quadratic": {"intercept": {"bread": 3}, "slope": {"bread": 1}}}},
            },
            {
                "name": "b",
                "utility": {"quasilinear": {"quadratic": {"intercept": {"grain": 1}, "slope": {"grain": 1}}}},
            },
        ],
        "initial_prices": {"grain": 50, "bread": 40},
    }
    scenario = loaded(data)
    assert not scenario.economy.balance(scenario.initial_prices).demand.any()
    np.testing.assert_allclose(path_of(scenario).advance(1500), solved(scenario), rtol=1e-6)


def consumer(**parts: Any) -> dict[str, Any]:
    return {
        "goods": ["x", "y"],
        "supply": {"x": 1, "y": 1},
        "consumers": [{"name": "a", "budget": 1, "utility": {"cobb_douglas": {"x": 1, "y": 1}}, **parts}],
    }


NEST = {"elasticity": 2, "shares": {"x": 1, "n": 1}, "nests": {"n": {"elasticity": 0, "shares": {"y": 1}}}}
QUADRATIC = {"quasilinear": {"quadratic": {"intercept": {"x": 1}, "slope": {"x": 1}}}}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "endowment": (consumer(endowment={"x": 1}), "consumers.a.endowment: found an endowment"),
    "shares": (
        {
            **STEEL,
            "consumers": [{**consumer()["consumers"][0], "utility": {"cobb_douglas": {"car": 1}}, "owns": {"mill": 1}}],
        },
        "consumers.a.owns: found shares of firms",
    ),
    "stone_geary": (
        consumer(utility={"stone_geary": {"shares": {"x": 1, "y": 1}, "subsistence": {"x": 0.1}}}),
        "consumers.a.utility.stone_geary: found stone_geary",
    ),
    "formula": (consumer(utility={"formula": "ln(x) + sqrt(y)"}), "consumers.a.utility.formula: found formula"),
    "purse": (consumer(utility=QUADRATIC), "consumers.a.budget: found a budget"),
    "leontief": (consumer(utility={"leontief": {"x": 1, "y": 1}}), "utility.leontief: found fixed proportions"),
    "nest": (consumer(utility={"ces": NEST}), "utility.ces.nests.n.elasticity: found fixed proportions"),
    "technology": (
        {
            **STEEL,
            "firms": [
                *STEEL["firms"],
                {
                    "name": "w",
                    "technology": {
                        "leontief": {"output": "car", "returns_to_scale": 0.5, "inputs": {"steel": 1, "labour": 1}}
                    },
                },
            ],
        },
        "firms.w.technology.leontief: found fixed proportions",
    ),
    "numeraire": ({**consumer(), "numeraire": "x"}, "numeraire: found a price of x that is held"),
    "fixed price": (
        {**consumer(), "goods": {"x": {"fixed_price": 2}, "y": {}}},
        "goods.x.fixed_price: found a price of x that is held",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_where_a_planner_has_no_one_objective_he_is_refused(name: str) -> None:
    data, complaint = REFUSED[name]
    load(data)
    with pytest.raises(ScenarioError) as caught:
        loaded(data)
    assert len(caught.value.problems) == 1
    line = str(caught.value.problems[0])
    assert complaint in line
    assert line.endswith("or compare: {gradient_path: dual}")


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        ({"gradient_path": "primel"}, "compare.gradient_path: found 'primel'; expected one of dual, primal"),
        ({"gradient": "primal"}, "unknown key 'gradient'; expected gradient_path"),
        ("primal", "compare: found 'primal'; expected a mapping"),
    ],
)
def test_wrong_words_are_refused(compare: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        load({**STEEL, "compare": compare})


def test_a_shock_that_brings_an_endowment_is_refused() -> None:
    shock = {"tick": 5, "set": {"consumers.a.endowment.x": 1}}
    with pytest.raises(ScenarioError, match=r"leads to consumers\.a\.endowment: found an endowment"):
        loaded({**consumer(), "shocks": [shock]})


def test_bids_have_no_path_to_be_compared_with() -> None:
    data = {"program": "return sqrt(x)", "supply": {"x": 2}, "scheduler": {"kind": "marginal_bids", "rate": 1}}
    load(data)
    with pytest.raises(ScenarioError, match="found compare under marginal_bids"):
        load({**data, "compare": {"gradient_path": "dual"}})


def test_intentions_are_counted_in_what_there_is_and_nobody_is_given_what_is_of_no_use() -> None:
    path = path_of(loaded(FISHER))
    path.advance(300)
    np.testing.assert_allclose(path.sweep(path.intentions).fraction, 1.0, rtol=1e-3)
    first, second, _ = path.intentions.consumption
    assert first[0, 1] == second[0, 0] == 0.0
    assert np.all(first[0, [0, 2]] > 0)


def test_a_firm_that_idles_is_worth_nothing_and_leaves_the_others_their_price() -> None:
    data = {
        "goods": ["ore", "iron", "glass"],
        "supply": {"ore": 4},
        "outside": {"iron": 1, "glass": 1},
        "firms": [
            {"name": "smelter", "makes": "iron = 2*sqrt(ore)"},
            {"name": "kiln", "makes": "glass = 0.1*ln(ore - 1)"},
        ],
        "initial_prices": {"ore": 0.4},
    }
    path = path_of(loaded(data))
    np.testing.assert_allclose(path.advance(200), [4**-0.5, 1.0, 1.0], rtol=1e-9)
    assert path.sweep(path.intentions).edge_values[1] == 0.0


def test_figures_name_him() -> None:
    from matplotlib.text import Text

    from tests.house import FIGURES

    planned, descended = (simulate({**STEEL, "compare": {"gradient_path": kind}}) for kind in ("primal", "dual"))
    names = {"prices": "planner's gradient ascent", "convergence": "price against\nplanner's ascent"}
    for figure, name in names.items():
        for run, named in ((planned, True), (descended, False)):
            drawn: Any = FIGURES[figure](run)
            assert (name in {text.get_text() for text in drawn.findobj(Text)}) is named
