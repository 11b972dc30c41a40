"""Constant returns in scenarios: kinds that are read or refused, behaviours that suit them, activities from a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders import market_of
from tests.house import ConstantReturns, HomotheticTechnology, ScenarioError, dump, load, run_to_disk, simulate

GOODS = ["wool", "mutton", "land", "labour"]
ACTIVITY = {"wool": 2.0, "mutton": 3.0, "land": -1.0, "labour": -4.0}
REFERENCE = {"outputs": {"wool": 4.0, "mutton": 6.0}, "inputs": {"land": 7.0, "labour": 3.0}}
JOINT = {"outputs": {"transformation": 2.0, "shares": {"wool": 2.0, "mutton": 3.0}}}
TREE = {"returns_to_scale": 1, "elasticity": 2, "inputs": {"land": 1, "labour": 3}}
CONSTANT: dict[str, dict[str, Any]] = {
    "power": {"power": {"output": "wool", "inputs": {"land": 1}}},
    "cobb_douglas": {"cobb_douglas": {"output": "wool", "inputs": {"land": 0.3, "labour": 0.7}}},
    "thirds": {"cobb_douglas": {"output": "wool", "inputs": {"land": 1 / 3, "labour": 2 / 3 - 1e-14}}},
    "ces": {"ces": {"output": "wool", **TREE}},
    "joint": {"ces": {**JOINT, **TREE}},
    "leontief": {"leontief": {"output": "wool", "returns_to_scale": 1, "inputs": {"land": 1, "labour": 3}}},
    "activity": {"activity": ACTIVITY},
    "reference": {"reference": REFERENCE},
}


def economy(technology: dict[str, Any], behaviour: Any = "activity", **firm: Any) -> dict[str, Any]:
    """Wool and mutton are made by one farm of land and labour that one family owns."""
    tastes = {"wool": 0.4, "mutton": 0.2, "land": 0.2, "labour": 0.2}
    family = {"name": "family", "utility": {"cobb_douglas": tastes}, "endowment": {"land": 5.0, "labour": 9.0}}
    made = {"name": "farm", "technology": technology, "behaviour": behaviour, **firm}
    return {"goods": GOODS, "firms": [made], "consumers": [family], "trade": "at_equilibrium"}


def refused(data: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(data)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize("kind", CONSTANT)
def test_constant_returns_are_read_written_and_read_again(kind: str) -> None:
    scenario = load(economy(CONSTANT[kind]))
    (firm,) = scenario.economy.firms
    assert isinstance(firm.technology, ConstantReturns)
    assert scenario.unready == ()
    again = load(scenario.resolved)
    assert dump(again.resolved) == dump(scenario.resolved)
    prices = np.array([1.3, 0.7, 2.0, 0.4])
    one, other = (each.economy.balance(prices) for each in (scenario, again))
    np.testing.assert_array_equal(one.demand, other.demand)
    np.testing.assert_array_equal(one.supply, other.supply)


@pytest.mark.parametrize("kind", CONSTANT)
def test_less_than_constant_returns_diminish(kind: str) -> None:
    (name, written), less = next(iter(CONSTANT[kind].items())), 0.8
    if name == "activity":
        return
    if name in ("power", "cobb_douglas"):
        written = {**written, "inputs": {good: less * x for good, x in written["inputs"].items()}}
    elif name == "reference":
        written = {**written, "returns_to_scale": less, "inputs": {g: less * x for g, x in REFERENCE["inputs"].items()}}
    else:
        written = {**written, "returns_to_scale": less}
    (firm,) = load(economy({name: written}, "best_response")).economy.firms
    assert isinstance(firm.technology, HomotheticTechnology)
    assert firm.technology.returns.item() == pytest.approx(less)


def unit(technology: dict[str, Any], prices: Any, **firm: Any) -> tuple[Any, Any]:
    """What a unit of level brings and the net outputs of it."""
    made = load(economy(technology, **firm)).economy
    balance = made.balance(np.array(prices, dtype=float), levels=np.ones(1))
    return balance.unit_profits.item(), made.net_outputs(balance)[:, 0]


def test_what_a_level_counts() -> None:
    prices = [1.3, 0.7, 2.0, 0.4]
    for kind in ("power", "cobb_douglas", "ces", "leontief"):
        assert unit(CONSTANT[kind], prices)[1][0] == pytest.approx(1)
    vector = np.array(list(ACTIVITY.values()))
    np.testing.assert_allclose(unit(CONSTANT["activity"], prices)[1], vector, rtol=1e-12)
    benchmark = np.array([4.0, 6.0, -7.0, -3.0])
    np.testing.assert_allclose(unit(CONSTANT["reference"], np.ones(4))[1], benchmark, rtol=1e-12)
    # Of joint products the aggregate, worth 1 at equal prices.
    assert unit(CONSTANT["joint"], np.ones(4))[1][:2].tolist() == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize("kind", CONSTANT)
def test_unit_profit_has_net_outputs_for_its_slope(kind: str) -> None:
    """Hotelling and Shephard at once, through taxes none."""
    prices = np.array([1.3, 0.7, 2.0, 0.4])
    _, amounts = unit(CONSTANT[kind], prices)
    for good in range(4):
        change = 1e-6 * (np.arange(4) == good)
        rise = unit(CONSTANT[kind], prices + change)[0] - unit(CONSTANT[kind], prices - change)[0]
        assert rise / 2e-6 == pytest.approx(amounts[good], abs=1e-7)


@pytest.mark.parametrize("kind", CONSTANT)
def test_productivity_multiplies_all_that_is_made(kind: str) -> None:
    prices = [1.3, 0.7, 2.0, 0.4]
    ((name, written),) = CONSTANT[kind].items()
    _, before = unit({name: written}, prices)
    if name == "activity":
        _, after = unit({name: written}, prices, productivity=3.0)
    else:
        _, after = unit({name: {**written, "productivity": 3.0}}, prices)
    by_level = name in ("activity", "reference")
    np.testing.assert_allclose(after[:2], (3 if by_level else 1) * before[:2], rtol=1e-12)
    np.testing.assert_allclose(after[2:], before[2:] / (1 if by_level else 3), rtol=1e-12)


@pytest.mark.parametrize("kind", ["activity", "reference", "cobb_douglas"])
def test_productivity_is_reached_by_one_path(kind: str) -> None:
    set_to = load(economy(CONSTANT[kind]), settings={"firms.farm.productivity": 2.5}).economy.firms[0].technology
    assert set_to.productivity.tolist() == [2.5]
    shocked = {**economy(CONSTANT[kind]), "shocks": [{"tick": 3, "set": {"firms.farm.productivity": {"times": 2}}}]}
    before, after = load(shocked).regimes
    assert after.economy.firms[0].technology.productivity == 2 * before.economy.firms[0].technology.productivity


def test_firms_that_differ_have_a_level_each() -> None:
    drawn = {"uniform": [1.0, 2.0]}
    for technology, more in (
        ({"activity": ACTIVITY}, {"productivity": drawn}),
        ({"reference": {**REFERENCE, "productivity": drawn, "elasticity": {"uniform": [0.2, 2]}}}, {}),
        ({"ces": {"output": "wool", **TREE, "elasticity": drawn}}, {}),
    ):
        made = load(economy(technology, count=5, **more)).economy
        assert made.firms[0].rows == len(made.balance(np.ones(4)).levels) == 5


def test_benchmarks_of_nests_in_which_a_good_comes_twice() -> None:
    nests = {
        "care": {"elasticity": 0.5, "inputs": {"labour": 2.0}, "nests": {"field": {"inputs": {"land": 1, "wool": 0.5}}}}
    }
    written = {
        **{"outputs": {"wool": 4.0, "mutton": 6.0}, "transformation": 2.0, "elasticity": 0.3},
        **{"inputs": {"land": 2.0, "labour": 1.0}, "nests": nests},
        **{"prices": {"land": 1.5, "labour": 2.0, "wool": 3.0}, "output_prices": {"wool": 1.0, "mutton": 4 / 3}},
    }
    # The maker's price of wool was another one than the users'.
    assert unit({"reference": written}, [3.0, 4 / 3, 1.5, 2.0])[1][2:].tolist() == pytest.approx([-3.0, -3.0])
    written |= {"outputs": {"wool": 2.0, "mutton": 9.0}, "output_prices": {"wool": 3.0, "mutton": 2 / 3}}
    profit, amounts = unit({"reference": written}, [3.0, 2 / 3, 1.5, 2.0])
    np.testing.assert_allclose(amounts, [2.0 - 0.5, 9.0, -3.0, -3.0], rtol=1e-12)
    assert profit == pytest.approx(0, abs=1e-12)


def test_a_consumer_buys_its_benchmark_again() -> None:
    reference = {
        "demand": {"wool": 3.0},
        "prices": {"wool": 2.0, "mutton": 4.0},
        "elasticity": 0.5,
        "nests": {"food": {"elasticity": 2.0, "demand": {"mutton": 1.0, "wool": 1.0}}},
    }
    taste = load(consumes(reference)).economy.consumers[0].utility
    bundle = taste.demand(np.array([2.0, 4.0, 1.0, 1.0]), np.array([12.0]))
    np.testing.assert_allclose(bundle, [[4.0, 1.0, 0.0, 0.0]], rtol=1e-12)
    assert taste.utility(bundle, np.array([12.0])).item() == pytest.approx(1, rel=1e-12)
    flat = {"demand": {"wool": 3.0, "mutton": 5.0}, "elasticity": 0}
    taste = load(consumes(flat)).economy.consumers[0].utility
    np.testing.assert_allclose(taste.demand(np.array([9.0, 0.1, 1, 1]), np.array([27.5])), [[3, 5, 0, 0]], rtol=1e-12)


def consumes(reference: dict[str, Any]) -> dict[str, Any]:
    data = economy(CONSTANT["activity"])
    data["consumers"][0]["utility"] = {"reference": reference}
    return data


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "increasing": (
        {"cobb_douglas": {"output": "wool", "inputs": {"land": 0.6, "labour": 0.6}}},
        "technology.cobb_douglas.inputs",
        "found exponents that sum to 1.2: increasing returns, of which a price taker makes nothing or no end; expected",
    ),
    "scale": (
        {"ces": {"output": "wool", **TREE, "returns_to_scale": 1.5}},
        "technology.ces.returns_to_scale",
        "found 1.5: increasing returns",
    ),
    "zero": ({"activity": {**ACTIVITY, "land": 0}}, "technology.activity.land", "found 0; expected a number above 0"),
    "manna": ({"activity": {"wool": 1}}, "technology.activity", "expected what is used, or supply"),
    "disposal": ({"activity": {"wool": -1}}, "technology.activity", "an activity that makes nothing never pays"),
    "stranger": ({"activity": {**ACTIVITY, "lannd": -1}}, "technology.activity.lannd", "did you mean land?"),
    "gap": (
        {"reference": {**REFERENCE, "inputs": {"land": 7.0, "labour": 4.0}}},
        "technology.reference",
        "found inputs that cost 11 and outputs worth 10 at the benchmark's prices; expected a cost of",
    ),
    "gap of less": (
        {"reference": {**REFERENCE, "returns_to_scale": 0.5}},
        "technology.reference",
        "expected a cost of returns_to_scale x revenue, 5",
    ),
    "more than all": (
        {"reference": {**REFERENCE, "returns_to_scale": 1.1}},
        "technology.reference.returns_to_scale",
        "found 1.1; expected a number of at most 1",
    ),
    "no price": (
        {"reference": {**REFERENCE, "prices": {"wool": 1}}},
        "technology.reference.prices.wool",
        "which is not among the inputs",
    ),
    "no output price": (
        {"reference": {**REFERENCE, "output_prices": {"land": 1}}},
        "technology.reference.output_prices.land",
        "which is not among the outputs",
    ),
    "nothing in it": (
        {"reference": {**REFERENCE, "nests": {"care": {}}}},
        "technology.reference.nests.care",
        "found neither inputs nor nests",
    ),
    "factor": (
        {"activity": {**ACTIVITY, "productivity": 2}},
        "technology.activity.productivity",
        "found productivity among the goods; expected it beside technology",
    ),
    "nest": (
        {
            "reference": {
                **REFERENCE,
                "inputs": {"land": 7.0, "care": 3.0},
                "nests": {"care": {"inputs": {"labour": 3}}},
            }
        },
        "technology.reference.inputs.care",
        "found a quantity of the nest care; expected none: a nest counts what is in it",
    ),
    "both": ({"ces": {"output": "wool", **JOINT, **TREE}}, "technology.ces", "found both output and outputs"),
    "neither": ({"ces": TREE}, "technology.ces", "found neither output nor outputs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_technology_is_refused_with_its_reason(case: str) -> None:
    technology, path, part = REFUSED[case]
    (said,) = refused(economy(technology))
    assert said.startswith(f"firms.farm.{path}: ")
    assert part in said


def test_a_formula_of_constant_returns_is_told_of_the_kinds() -> None:
    data = economy({})
    data["firms"] = [{"name": "farm", "makes": "wool = 2*land"}]
    (said,) = refused(data)
    assert "or technology: power, cobb_douglas, ces or leontief, which may be constant" in said


def test_drawn_returns_are_constant_for_all_or_none() -> None:
    mixed = {"ces": {"output": "wool", **TREE, "returns_to_scale": {"choice": [0.5, 1.0]}}}
    (said,) = refused(economy(mixed, count=9))
    assert "found constant returns for firm" in said
    always = {"ces": {"output": "wool", **TREE, "returns_to_scale": {"choice": [1.0, 1.0]}}}
    assert load(economy(always, count=9)).economy.firms[0].technology.constant_returns


@pytest.mark.parametrize("behaviour", ["best_response", {"marginal_adjustment": 0.2}])
def test_constant_returns_run_at_levels_alone_and_are_solved_anyway(behaviour: Any) -> None:
    scenario = load(economy(CONSTANT["ces"], behaviour))
    (problem,) = scenario.unready
    assert problem.path == "firms.farm.behaviour"
    assert "did you mean behaviour: {activity: {rate: 0.1, start: 1}}?" in problem.message
    with pytest.raises(ScenarioError, match="of a firm with constant returns"):
        simulate(scenario)
    scenario = load(economy({"power": {"output": "wool", "inputs": {"land": 0.5}}}))
    with pytest.raises(ScenarioError, match="found activity of a firm without constant returns"):
        simulate(scenario)
    # No tick tells what would run it.
    assert "engine: auto" in scenario.text


@pytest.mark.parametrize(
    ("change", "sound"),
    [
        ({}, False),
        ({"trade": "at_equilibrium"}, True),
        ({"outside": {"land": 1}}, True),
        ({"owns": {"farm": 1}}, True),
        ({"owns": {"farm": "equal"}}, True),
        ({"owns": {"farm": 0.7}}, False),
        ({"budget": 1}, True),
        ({"budget": 0}, False),
    ],
)
def test_what_is_earned_in_trade_belongs_to_somebody(change: dict[str, Any], sound: bool) -> None:
    data = economy(CONSTANT["ces"])
    data["trade"] = "every_tick"
    data |= {key: value for key, value in change.items() if key in ("trade", "outside")}
    data["consumers"][0] |= {key: value for key, value in change.items() if key in ("owns", "budget")}
    unready = load(data).unready
    assert sound == (not unready)
    if unready:
        assert unready[0].path == "firms.farm"
        assert "expected owns: {farm: 1} of a consumer, or trade: at_equilibrium" in unready[0].message


def test_a_shock_keeps_returns_constant() -> None:
    change = {"firms.farm.technology.cobb_douglas.inputs.labour": 0.5}
    (said,) = refused({**economy(CONSTANT["cobb_douglas"]), "shocks": [{"tick": 3, "set": change}]})
    assert "found farm with constant returns before or after the shock, and not both" in said


def test_joint_products_follow_prices_and_every_good_is_accounted_for() -> None:
    scenario = load(economy(CONSTANT["joint"]))
    market = market_of(scenario)
    for _ in range(30):
        market.advance()
    tick = market.transition.tick
    sold = np.asarray(tick.planned_outputs)
    assert sold.shape == (1,)
    made = scenario.economy.made_at(np.asarray(tick.prices), sold)
    relative = np.asarray(tick.prices)[0] / np.asarray(tick.prices)[1]
    assert made[0] / made[1] == pytest.approx(2 / 3 * relative**2, rel=1e-10)


TABLE = """activity,good,amount
grazing,wool,2
grazing,mutton,3
grazing,land,-1
grazing,labour,-4
 shearing,wool,1.5
shearing,labour,-2
"""


def of_table(folder: Path, text: str = TABLE, **more: Any) -> Path:
    (folder / "table.csv").write_text(text, encoding="utf-8")
    data = economy(CONSTANT["activity"])
    del data["firms"]
    data |= {
        "activities": {"csv": "table.csv", "behaviour": {"activity": {"rate": 0.05}}},
        "run": {"ticks": 5, "references": "off"},
        **more,
    }
    (folder / "farm.yaml").write_text(dump(data), encoding="utf-8")
    return folder / "farm.yaml"


def test_activities_of_a_table_are_firms(tmp_path: Path) -> None:
    more = [{"name": "shearing", "productivity": 2, "behaviour": {"activity": {"rate": 0.01, "start": 3}}}]
    scenario = load(of_table(tmp_path, firms=more))
    firms = {firm.name: firm for firm in scenario.economy.firms}
    assert sorted(firms) == ["grazing", "shearing"]
    assert (firms["grazing"].behaviour.rate, firms["shearing"].behaviour.rate) == (0.05, 0.01)
    assert firms["shearing"].technology.productivity == 2
    assert firms["grazing"].yields == (2.0, 3.0)
    run_to_disk(scenario, tmp_path / "out")
    assert (tmp_path / "out" / "inputs" / "table.csv").read_text(encoding="utf-8") == TABLE
    run_to_disk(load(tmp_path / "out" / "scenario.yaml"), tmp_path / "again")
    for name in ("scenario.yaml", "trajectory.csv", "agents.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_settings_reach_the_firms_of_a_table(tmp_path: Path) -> None:
    changed = load(
        of_table(tmp_path), settings={"firms.grazing.technology.activity.land": -7, "activities.behaviour": "activity"}
    )
    firms = {firm.name: firm for firm in changed.economy.firms}
    assert firms["grazing"].technology.form.coefficients.tolist() == [[7.0, 4.0]]
    assert firms["grazing"].behaviour.rate == 0.1


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        ("grazing,land", "grazing,lannd", ["unknown good 'lannd' in row 4 of", "column good", "did you mean land?"]),
        ("land,-1", "land,0", ["found 0 in row 4 of", "column amount; expected a number above 0 (made)"]),
        ("land,-1", "land,one", ["found what is no number in row 4 of", "column amount"]),
        ("land,-1", "land,nan", ["row 4 of", "column amount"]),
        ("grazing,land", "grazing land,land", ["found 'grazing land' in row 4 of", "column activity"]),
        ("grazing,land", "grazing,wool", ["found wool of grazing twice in row 4 of", "(the other is in row 2)"]),
        ("labour,-2", "labour,2", ["found no amount below 0 of shearing in row 6 of", "what uses nothing has no end"]),
        ("wool,1.5", "wool,-1.5", ["found no amount above 0 of shearing in row 6 of", "what makes nothing never pays"]),
        ("good", "goods", ["found the columns 'activity', 'goods', 'amount'", "expected activity, good, amount"]),
        (TABLE, "activity,good,amount\n", ["found no rows in"]),
        (TABLE, TABLE.replace(",", ";"), ["found semicolons between the cells of"]),
    ],
)
def test_a_mistake_in_the_table_is_told_with_its_row_and_column(
    tmp_path: Path, before: str, after: str, parts: list[str]
) -> None:
    file = of_table(tmp_path, TABLE.replace(before, after, 1))
    (said,) = refused(file)
    assert said.startswith("activities.csv: ")
    for part in parts:
        assert part in said


def test_a_mistake_elsewhere_hides_no_firm_of_the_table(tmp_path: Path) -> None:
    file = of_table(tmp_path, firms=[{"name": "shearing", "productivity": 2}])
    with pytest.raises(ScenarioError) as caught:
        load(file, settings={"run.tickz": 3})
    assert [problem.path for problem in caught.value.problems] == ["run.tickz"]


def test_a_firm_is_in_the_table_or_has_a_technology_of_its_own(tmp_path: Path) -> None:
    more = [{"name": "grazing", "makes": "wool = sqrt(land)"}, {"name": "shearing"}]
    (said,) = refused(of_table(tmp_path, firms=more))
    assert said.startswith("firms.grazing.makes: found makes of grazing, which is an activity of ")


def test_a_missing_table_is_one_mistake(tmp_path: Path) -> None:
    own = {"name": "weaving", "makes": "mutton = sqrt(wool)"}
    file = of_table(tmp_path, firms=[own, {"name": "shearing"}])
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("  endowment:", "  owns: {grazing: 1, weaving: 1}\n  endowment:"), encoding="utf-8")
    load(file)
    (tmp_path / "table.csv").unlink()
    (said,) = refused(file)
    assert "activities.csv: found no file" in said


def wholly_owned(seed: int) -> dict[str, Any]:
    """Firms of every kind of constant returns, that use what others make, in trade in every tick."""
    stream = np.random.default_rng(seed)
    x = np.round(np.exp(stream.normal(0, 0.3, 6)), 6).tolist()
    revenue = 4 * x[0] + 6 * x[1]
    technologies: dict[str, dict[str, Any]] = {
        "farm": {
            "reference": {
                **{"outputs": {"wool": 4 * x[0], "mutton": 6 * x[1]}, "transformation": round(stream.uniform(0, 4), 3)},
                **{"inputs": {"land": 0.5 * revenue}, "elasticity": float(stream.choice([0, 0.5, 1, 2]))},
                "nests": {"care": {"elasticity": 0.4, "inputs": {"labour": 0.3 * revenue, "land": 0.2 * revenue}}},
            }
        },
        "loom": {"ces": {"output": "cloth", **TREE, "weights": {"wool": x[2], "labour": 1}}},
        "fell": {"activity": {"wool": x[3], "mutton": x[4], "labour": -1, "land": -0.5}},
        "kiln": {"leontief": {"output": "cloth", "returns_to_scale": 1, "inputs": {"wool": 2 * x[5], "mutton": 0.1}}},
        "flock": {"ces": {**JOINT, **TREE}},
        "yard": {"cobb_douglas": {"output": "land", "inputs": {"labour": 0.8, "cloth": 0.2}}},
    }
    del technologies["loom"]["ces"]["inputs"]
    level = {"activity": {"rate": 0.1, "start": 0.5}}
    firms = [{"name": name, "technology": kind, "behaviour": level} for name, kind in technologies.items()]
    tastes = dict(zip([*GOODS, "cloth"], [0.2, 0.2, 0.1, 0.2, 0.3], strict=True))
    family = {"name": "family", "utility": {"cobb_douglas": tastes}, "endowment": {"land": 5.0, "labour": 9.0}}
    family["owns"] = dict.fromkeys(technologies, 1.0)
    return {"goods": [*GOODS, "cloth"], "firms": firms, "consumers": [family], "run": {"stop": "never", "ticks": 50}}


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
@pytest.mark.parametrize("seed", range(3))
def test_goods_and_money_are_conserved_and_floats_tick_as_arrays_do(seed: int, trade: str) -> None:
    data = {**wholly_owned(seed), "trade": trade}
    runs = [simulate(data, references=False, settings={"run.engine": engine}) for engine in ("arrays", "floats")]
    for run in runs:
        kept = {"goods_imbalance", "money_imbalance", "walras_residual"} & {*run.ticks}
        assert len(kept) == (3 if trade == "every_tick" else 1)
        assert run.ticks[[*kept]].max().max() <= 1e-12
    prices = [run.trajectory["price"].to_numpy() for run in runs]
    np.testing.assert_allclose(*prices, rtol=1e-9)
