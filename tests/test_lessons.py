"""Scenarios of markets that learn: what is read of them, what is held out, and what is refused with its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from simulator import Plugins, ScenarioError, load, simulate
from tests.test_learning import last_prices, lesson


def problems(source: Any, **options: Any) -> list[str]:
    """What is said of a scenario that is refused."""
    with pytest.raises(ScenarioError) as caught:
        load(source, **options)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


def patterns(rows: list[dict[str, float]], **learning: Any) -> dict[str, Any]:
    """A lesson of rows with the target `y`."""
    test = {"test": learning.pop("test")} if "test" in learning else {}
    return {**lesson(), "learning": {"patterns": {"target": "y", "rows": rows, **test}, **learning}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"firms": [{"name": "f", "makes": "a = b^0.5"}]}, "found firms beside learning"),
    ({"goods": ["left", "lift"]}, "goods[1]: unknown good 'lift'; expected one of left, right, constant"),
    ({"goods": {"lift": None}}, "goods.lift: unknown good 'lift'; expected one of left, right, constant; did you mean"),
    ({"goods": ["left", "left"]}, "goods[1]: found the good 'left' twice"),
    ({"goods": "left"}, "goods: found 'left'; expected a list of names or a mapping of goods"),
    ({"goods": {"left": {"rival": False}}}, "goods.left.rival: found rival: false beside learning"),
    ({"goods": {"left": {"floor": -1, "price": -2}}}, "found -2; expected a price of at least the floor -1"),
    ({"scheduler": {"rate": 0.1}}, "found no form; expected form: additive"),
    ({"scheduler": {"form": "multiplicative"}}, "found multiplicative; expected form: additive"),
    ({"scheduler": {"kind": "marginal_bids"}}, "found 'marginal_bids' beside learning; expected tatonnement"),
    ({"scheduler": {"form": "additive", "with": ["own_slope"]}}, "found own_slope beside learning"),
    ({"scheduler": {"form": "additive", "with": [{"own_slope": True}]}}, "with[0]: found own_slope beside learning"),
    ({"scheduler": {"form": "additive", "with": [{"symplectic": 1}]}}, "found symplectic beside learning"),
    ({"scheduler": {"rule": "newton"}}, "newton, which is multiplicative; expected an additive rule, one of walras,"),
    (
        {"scheduler": {"form": "additive", "with": [{"delay": {"own": 0, "neighbours": 1}}]}},
        "found own and neighbours beside learning; expected {delay: ticks}",
    ),
    ({"learning": {"patterns": {"target": "y"}}}, "found no patterns; expected one of rows, csv, dataset"),
    ({"learning": {"patterns": {"target": "y", "csv": "none.csv"}}}, "found no file none.csv"),
    ({"learning": {"patterns": {"target": "z", "rows": [{"x": 1, "y": 1}]}}}, "found no 'z'; expected one of x, y"),
    ({"learning": {"patterns": {"target": "y", "rows": [{"y": 1}]}}}, "rows: found no column beside the target y"),
    ({"learning": {"patterns": {"target": "y", "rows": [{}, {"x": 1, "y": 1}]}}}, "rows[0]: found an empty mapping"),
    ({"learning": {"patterns": {"target": "y", "csv": ""}}}, "csv: found ''; expected text that is not empty"),
    ({"learning": {"patterns": {"target": "y", "rows": [{"x": 1, "y": 1}, {"y": 1}]}}}, "rows[1]: found y in row 2"),
    ({"learning": {"patterns": {"target": "y", "rows": [{"constant": 1, "y": 1}]}}}, "found the column constant"),
    (
        {"learning": {"patterns": {"target": "y", "rows": [{"x": 1, "y": 2}]}, "supply": "all_or_nothing"}},
        "found 2; expected orders of 0 or 1",
    ),
    ({"learning": {"patterns": {"target": "y", "rows": [{"x": 1, "y": 2}]}, "supply": "some"}}, "found 'some'"),
    ({"learning": {"patterns": {"target": "y", "rows": [{"x": 1, "y": 2}]}, "batch": 0}}, "at least 1"),
    ({"learning": {"patterns": {"target": "y", "rows": [{"x": 1, "y": 2}]}, "hidden": 4}}, "a layer of firms"),
    (
        {"learning": {"patterns": {"target": "y", "rows": [{"x": 1, "y": 2}]}, "batch": "two"}},
        "or a number of patterns",
    ),
    (
        {"learning": {"patterns": {"target": "y", "inputs": ["x", "y"], "rows": [{"x": 1, "y": 2}]}}},
        "inputs: found y, which is the target",
    ),
    (
        {"learning": {"patterns": {"target": "y", "inputs": ["x", "x"], "rows": [{"x": 1, "y": 2}]}}},
        "inputs: found x twice; expected it once",
    ),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_cannot_be_learnt_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load({**lesson(), **changes})
    assert message in str(caught.value)


def test_one_mistake_is_one_complaint() -> None:
    assert len(problems({**lesson(), "program": "y = x\nreturn y"})) == 1
    rows: Any = [{1: 0, "y": 1}]
    assert problems(patterns(rows)) == ["learning.patterns.rows[0]: found 1 as key; expected text as key"]


CELLS = {
    "a,y\nnan,0\n1,1\n": "found nan in row 2 of {file}, column a; expected a finite number",
    "a,y\n0,1\n1,nan\n": "found nan in row 3 of {file}, column y; expected a finite number",
    "a,y\n0,1\n\n1e999,1\n": "found inf in row 4 of {file}, column a; expected a finite number",
    "my good,y\n0,1\n": "found the column 'my good' in {file}, which cannot name a good; expected 1 to 100 letters",
    '"a, x",y\n0,1\n': "found the column 'a, x' in {file}, which cannot name a good",
    "a,,y\n0,0,1\n": "found the column '' in {file}, which cannot name a good",
    "constant,y\n0,1\n": "found the column constant in {file}; expected another name",
}


@pytest.mark.parametrize("text", CELLS)
@pytest.mark.parametrize("supply", ["linear", "logit"])
def test_what_a_file_says_wrong_is_said_of_the_file(text: str, supply: str, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text(text)
    (tmp_path / "s.yaml").write_text(
        f"learning: {{patterns: {{csv: p.csv, target: y}}, supply: {supply}}}\nscheduler: {{form: additive}}\n"
    )
    (said,) = problems(tmp_path / "s.yaml")
    assert said.startswith(f"learning.patterns.csv: {CELLS[text].format(file=file)}")


def test_columns_that_are_no_inputs_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("my good,a,y\nx,1,2\n")
    text = "learning: {patterns: {csv: p.csv, target: y, inputs: [a]}}\nscheduler: {form: additive}\n"
    (tmp_path / "s.yaml").write_text(text)
    assert load(tmp_path / "s.yaml").economy.goods == ("a", "constant")


@dataclass(frozen=True)
class Still:
    """A piece that changes nothing."""

    meaning: ClassVar = "asks for nothing"
    information: ClassVar = "local"
    needs_jacobian: ClassVar = False
    cycle: ClassVar = 1

    def start(self, goods: int, steps: int = 0) -> Any:
        return np.zeros(0)

    def step(self, step: Any, quote: Any, memory: Any) -> Any:
        return step, memory


@dataclass(frozen=True)
class OfOwnSlope(Still):
    """A piece that asks for its own slope."""

    information: ClassVar = "own slope"


@dataclass(frozen=True)
class OfJacobian(Still):
    """A piece that asks for all slopes."""

    information: ClassVar = "global"
    needs_jacobian: ClassVar = True


@pytest.mark.parametrize("kind", [OfOwnSlope, OfJacobian])
def test_pieces_from_outside_that_ask_for_slopes_are_refused(kind: type) -> None:
    plugins = Plugins(rule_pieces={"slopy": kind})
    data = lesson() | {"scheduler": {"form": "additive", "with": [{"clip": 1}, "slopy"]}}
    (said,) = problems(data, plugins=plugins)
    assert said.startswith("scheduler.with[1]: found slopy beside learning, which goes by slopes of excess demand")
    plugins = Plugins(rule_pieces={"slopy": Still})
    assert simulate(load(data, plugins=plugins)).summary["ticks"] > 0


@pytest.mark.parametrize(
    ("values", "contracts"),
    [
        ((1000000, 1000001, 1000002), ["1000000", "1000001", "1000002"]),
        ((0.12345671, 0.12345672), ["0.12345671", "0.12345672"]),
        ((-3, 1e22, 1e-7), ["-3", "1e-07", "1e22"]),
    ],
)
def test_contracts_are_called_by_the_shortest_exact_text(values: tuple[float, ...], contracts: list[str]) -> None:
    data = patterns([{"a": place, "y": value} for place, value in enumerate(values)], supply="logit")
    scenario = load(data)
    assert scenario.economy.goods == tuple(f"{good}.{name}" for name in contracts for good in ("a", "constant"))
    assert list(scenario.scheduler.training.contracts) == contracts
    assert list(map(float, contracts)) == sorted(values)


def test_contracts_that_make_no_names_are_refused_where_they_come_from() -> None:
    rows = [{"x": 1, "x.1": 1, "y": 1.2}, {"x": 0, "x.1": 1, "y": 2}]
    (said,) = problems(patterns(rows, supply="logit"))
    assert said.startswith("learning.patterns.target: found contracts under which two goods would be called x.1.2")
    (said,) = problems(patterns([{"q" * 98: 1, "y": 1.25}, {"q" * 98: 0, "y": 2}], supply="logit"))
    assert said.startswith("learning.patterns.target: found a contract under which a good would be called 'qqq")


def test_amounts_are_held_out_of_all_together() -> None:
    learnt = load(patterns([{"a": x, "y": x / 7} for x in range(40)], test=0.25)).scheduler.training
    assert (len(learnt.test_inputs), len(learnt.inputs)) == (10, 30)
    assert sorted(learnt.inputs[:, 0].tolist() + learnt.test_inputs[:, 0].tolist()) == list(range(40))


def test_no_contract_is_held_out_whole() -> None:
    rows = [{"a": x, "y": y} for x, y in enumerate([3] * 8 + [5] + [7] * 2)]
    learnt = load(patterns(rows, supply="logit", test=0.8)).scheduler.training
    assert learnt.orders.sum(axis=0).tolist() == [2, 1, 1]
    assert learnt.test_orders.sum(axis=0).tolist() == [6, 0, 1]
    (said,) = problems(patterns(rows, supply="logit", test=0.05))
    assert said.startswith("learning.patterns.test: found 0.05 of 11 patterns, which is none of any target")


@pytest.mark.parametrize(
    "goods",
    [["constant", "right"], {"constant": {"price": 2}, "left": {"floor": -0.25, "price": -0.2}}],
)
def test_goods_may_be_named_in_any_order_and_in_part(goods: Any) -> None:
    scenario = load({**lesson(), "goods": goods})
    assert scenario.economy.goods == ("left", "right", "constant")
    said = isinstance(goods, dict)
    assert scenario.initial_prices.tolist() == ([-0.2, 0, 2] if said else [0, 0, 0])
    bounds = scenario.economy.bounds
    assert (bounds.floor.tolist() if bounds else bounds) == ([-0.25, -np.inf, -np.inf] if said else None)


def test_prices_keep_to_floors_and_stay_where_they_are_fixed_below_0_too() -> None:
    goods = {"left": {"floor": -0.25}, "right": {"fixed_price": -2}, "constant": {"fixed_price": 0}}
    run = simulate({**lesson((0, 0, -1, -3), rate=0.1, ticks=300), "goods": goods})
    assert last_prices(run) == {"left": -0.25, "right": -2, "constant": 0}


def test_a_famous_rule_starts_at_prices_of_0_again() -> None:
    scenario = load(lesson() | {"scheduler": {"rule": "heavy_ball", "rate": 0.1}})
    assert load(scenario.resolved).text == scenario.text


@pytest.mark.parametrize(
    ("setting", "goods"),
    [
        ({"learning.hidden": {"firms": 1, "activation": "tanh", "rate": 0.3}}, ["firm_1", "constant"]),
        ({"learning.supply": "linear"}, ["left", "right", "constant"]),
    ],
)
def test_goods_are_those_of_the_bundles_as_set(setting: dict[str, Any], goods: list[str]) -> None:
    settings = {f"goods.{goods[0]}.price": 0.5, "learning.supply": "linear", **setting, "run.ticks": 3}
    scenario = load(lesson((0, 1, 2, 1), supply="logit"), settings=settings)
    assert [*last_prices(simulate(scenario))] == goods
    assert scenario.initial_prices.tolist() == [0.5] + [0.0] * (len(goods) - 1)


def test_what_has_no_place_beside_learning_cannot_be_set_either() -> None:
    with pytest.raises(ScenarioError, match="found numeraire beside learning"):
        load(lesson(), settings={"numeraire": "left"})
