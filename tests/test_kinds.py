"""A kind is one class and one row: that is enough to run it from YAML, to refuse what is misspelt, to list it and to
tell editors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from pydantic import Field
from ruamel.yaml import YAML

from simulator import Plugins, ScenarioError, catalogue
from tests.house import (
    BEHAVIOURS,
    DISTRIBUTIONS,
    PIECES,
    TECHNOLOGIES,
    WANTS,
    Amounts,
    AnyPositive,
    Entry,
    FormulaTechnology,
    GoodName,
    Homothetic,
    Leontief,
    Plan,
    load,
    parse,
    scenario_schema,
    simulate,
)


class Pairs(Entry):
    meaning: ClassVar[str] = "min x/(2a): pairs of everything"
    half: Amounts = Field(description="half of what is wanted, by good")

    def build(self, read: Any) -> Homothetic:
        return Homothetic(Leontief(2 * read.table(self.half, "half")))


class Root(Entry):
    meaning: ClassVar[str] = "y = A sqrt(x)"
    output: GoodName = Field(description="the good made")
    input: GoodName = Field(description="the good used")
    factor: AnyPositive = Field(1.0, description="A")

    def goods(self) -> tuple[str, ...]:
        return (self.input,)

    def build(self, read: Any) -> FormulaTechnology:
        return FormulaTechnology(parse("x^0.5"), False, read.number(self.factor, "factor"), read.count)


@dataclass(frozen=True)
class Lazy:
    """Goes part of the way to what is best."""

    speed: Annotated[float, Field(gt=0, le=1, description="the part of the way gone in a tick")]
    meaning: ClassVar[str] = "x <- x + speed (best x - x)"

    def plan(self, technology: Any, price: float, input_prices: Any, inputs: Any, *, first: bool) -> Plan:
        best = technology.best_response(price, input_prices, inputs)
        moved = best.inputs if first else inputs + self.speed * (best.inputs - inputs)
        return Plan(moved, technology.output(moved))


@dataclass(frozen=True)
class Halve:
    """Half a step."""

    times: Annotated[int, Field(ge=0, description="how often the step is halved")] = 1
    meaning: ClassVar[str] = "step / 2^times: every step is halved"
    information: ClassVar[str] = "local"
    cycle: ClassVar[int] = 1

    def start(self, goods: int, steps: int = 0) -> Any:
        return np.zeros(0)

    def step(self, step: Any, quote: Any, memory: Any) -> Any:
        return step / 2**self.times, memory


class Coin(Entry):
    meaning: ClassVar[str] = "one of two numbers, both as likely"
    heads: float = Field(description="the one")
    tails: float = Field(0.5, description="the other")

    def draw(self, stream: Any, count: int) -> Any:
        return np.where(stream.random(count) < 0.5, self.heads, self.tails)


MARKET = """\
goods: [labour, bread]
numeraire: labour
firms:
  - {{name: mill, technology: {{{technology}}}, behaviour: {behaviour}}}
consumers:
  - {{name: folk, count: 4, utility: {{{utility}}}, endowment: {{labour: {number}}}, owns: {{mill: 1}}}}
trade: at_equilibrium
scheduler: {{rate: 0.2, with: [{piece}]}}
"""
PLAIN = {
    "technology": "power: {output: bread, inputs: {labour: 0.5}}",
    "behaviour": "best_response",
    "utility": "leontief: {labour: 1, bread: 1}",
    "number": "2",
    "piece": "",
}


@dataclass(frozen=True)
class Case:
    """A kind of one group: its table, its class, where and how it is named, and how not."""

    table: dict[str, Any]
    kind: type
    key: str
    written: str
    misspelt: tuple[str, str, str]
    strange: tuple[str, str, str]
    heading: str
    choice: str


CASES = {
    "utility": Case(
        WANTS,
        Pairs,
        "utility",
        "own: {half: {labour: 1, bread: 1}}",
        ("owm: {half: {bread: 1}}", "consumers.folk.utility.owm", "did you mean own?"),
        ("own: {haf: {bread: 1}, half: {bread: 1}}", "consumers.folk.utility.own.haf", "did you mean half?"),
        "utilities",
        "Utility",
    ),
    "technology": Case(
        TECHNOLOGIES,
        Root,
        "technology",
        "own: {output: bread, input: labour}",
        ("owm: {output: bread}", "firms.mill.technology.owm", "did you mean own?"),
        ("own: {output: bread, input: labor}", "firms.mill.technology.own.input", "did you mean labour?"),
        "technologies",
        "Technology",
    ),
    "behaviour": Case(
        BEHAVIOURS,
        Lazy,
        "behaviour",
        "{own: {speed: 0.5}}",
        ("{owm: {speed: 0.5}}", "firms.mill.behaviour.owm", "unknown kind 'owm'"),
        ("{own: {speed: 2}}", "firms.mill.behaviour.own.speed", "expected a number of at most 1"),
        "behaviours",
        "Behaviour",
    ),
    "piece": Case(
        PIECES,
        Halve,
        "piece",
        "own",
        ("owm", "scheduler.with[0]", "did you mean own?"),
        ("{own: {time: 2}}", "scheduler.with[0].own.time", "did you mean times?"),
        "rules",
        "Piece",
    ),
    "distribution": Case(
        DISTRIBUTIONS,
        Coin,
        "number",
        "{own: {heads: 2}, times: 2}",
        ("{owm: {heads: 2}}", "consumers.folk.endowment.labour.owm", "did you mean own?"),
        ("{own: {head: 2, heads: 1}}", "consumers.folk.endowment.labour.own.head", "did you mean heads?"),
        "distributions",
        "Draw",
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    chosen = CASES[request.param]
    monkeypatch.setitem(chosen.table, "own", chosen.kind)
    return chosen


def written(case: Case, text: str, folder: Path) -> Path:
    file = folder / "market.yaml"
    file.write_text(MARKET.format(**PLAIN | {case.key: text}), encoding="utf-8")
    return file


def test_a_class_and_a_row_run_from_yaml(case: Case, tmp_path: Path) -> None:
    file = written(case, case.written, tmp_path)
    assert simulate(file).summary["outcome"] == "cleared"
    again = tmp_path / "again.yaml"
    again.write_text(load(file).text, encoding="utf-8")
    assert load(again).text == load(file).text


def test_what_is_misspelt_is_refused_at_its_place(case: Case, tmp_path: Path) -> None:
    for text, path, part in (case.misspelt, case.strange):
        with pytest.raises(ScenarioError) as caught:
            load(written(case, text, tmp_path))
        (problem,) = caught.value.problems
        assert problem.path == path
        assert problem.line > 0
        assert problem.column > 0
        assert part in problem.message


def test_it_is_listed_and_told_to_editors(case: Case, tmp_path: Path) -> None:
    listed = {name: said for part in catalogue.HEADINGS[case.heading]() for name, said in part.entries.items()}
    assert listed["own"].endswith(case.kind.meaning)
    schema = scenario_schema()
    assert schema["$defs"][case.choice]["properties"]["own"]["description"] == case.kind.meaning
    validator = Draft202012Validator(schema)
    read = YAML(typ="safe", pure=True)
    assert not list(validator.iter_errors(read.load(written(case, case.written, tmp_path))))
    if case.key not in ("technology", "behaviour"):
        assert list(validator.iter_errors(read.load(written(case, case.strange[0], tmp_path))))


def step_of(change: Callable[[Any, Any], Any]) -> type:
    @dataclass(frozen=True)
    class Bad(Halve):
        def step(self, step: Any, quote: Any, memory: Any) -> Any:
            return change(step, quote), memory

    return Bad


def sometimes_nan(step: Any, quote: Any) -> Any:
    return np.where(quote.signal == 0, np.nan, step)


def division(step: Any, quote: Any) -> Any:
    raise ZeroDivisionError("too quiet")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda step, quote: step[:1], "found an array of shape (1,) for the step of Bad.step(...); expected (2,)"),
        (sometimes_nan, "found nan in the step of Bad.step(...); expected finite numbers"),
        (lambda step, quote: 0.0, "found a float for the step of Bad.step(...); expected an array of shape (2,)"),
        (division, "refused by its own code: ZeroDivisionError: too quiet"),
    ],
)
def test_a_piece_from_outside_is_tried_before_the_run(change: Any, part: str, tmp_path: Path) -> None:
    file = written(CASES["piece"], "bad", tmp_path)
    with pytest.raises(ScenarioError) as caught:
        load(file, plugins=Plugins(rule_pieces={"bad": step_of(change)}))
    (problem,) = caught.value.problems
    assert problem.path == "scheduler.with[0]"
    assert part in problem.message


def test_what_is_wanted_without_a_source_and_what_nobody_buys_are_warned_of() -> None:
    consumer = {"name": "c", "budget": 1, "utility": {"cobb_douglas": {"a": 1, "b": 1}}}
    data = {"goods": ["a", "b", "c", "d"], "supply": {"a": 1, "c": 1}, "consumers": [consumer]}
    assert [str(warning).partition(": warning: ")[2] for warning in load(data).warnings] == [
        "found no source of b; expected somebody who makes, owns or supplies it",
        "found no buyer of c; expected a firm or a consumer who uses it",
        "found no trade in d; expected goods in use",
    ]
    assert not load({**data, "goods": ["a", "b"], "supply": {"a": 1, "b": 1}}).warnings
    shocks = [{"tick": 5, "set": {"supply.b": 1}}]
    assert not load({**data, "goods": ["a", "b"], "supply": {"a": 1}, "shocks": shocks}).warnings


def test_files_of_a_scenario_lie_beside_it_or_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "pay.csv").write_text("pay\n1\n2\n")
    (tmp_path / "here" / "pay.csv").write_text("pay\n1\n2\n")
    (tmp_path / "here" / "link.csv").symlink_to(tmp_path / "pay.csv")
    monkeypatch.chdir(tmp_path / "here")

    def data(file: str) -> dict[str, Any]:
        budget = {"csv": file, "column": "pay"}
        consumer = {"name": "c", "budget": budget, "utility": {"leontief": {"a": 1}}}
        return {"name": "pay", "goods": ["a"], "supply": {"a": 1}, "consumers": [consumer]}

    assert not load(data("pay.csv")).warnings
    for file in ("../pay.csv", "link.csv", str(tmp_path / "pay.csv")):
        with pytest.raises(ScenarioError, match="lies outside the scenario's folder; expected a file beside it"):
            load(data(file))
        assert not load(data(file), inputs={file: tmp_path / "pay.csv"}).warnings
        path = tmp_path / "here" / "market.yaml"
        with path.open("w", encoding="utf-8") as text:
            YAML(typ="safe", pure=True).dump(data(file), text)
        warning = str(*load(path).warnings)
        assert "consumers.c.budget.csv: warning: found" in warning
        assert "outside the scenario's folder" in warning


def test_a_file_that_is_no_table_of_numbers_is_never_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (
        "secret,token\nhush,quiet\n",
        "token,secret\n1,2\n3,hush\n",
        "secret\n",
        "secret\nhush\n",
        "secret,secret\n1,2\n",
        "secret,b\nhush\n",
    ):
        (tmp_path / "f.csv").write_text(text)
        for column in ("x", "token"):
            consumer = {"name": "c", "utility": {"leontief": {"a": 1}}, "budget": {"csv": "f.csv", "column": column}}
            learning = {"patterns": {"csv": "f.csv", "target": column}}
            for data in (
                {"goods": ["a"], "supply": {"a": 1}, "consumers": [consumer]},
                {"learning": learning, "scheduler": {"form": "additive"}},
            ):
                try:
                    said = "".join(map(str, load(data).warnings))
                except ScenarioError as error:
                    said = str(error)
                    assert column in said or "f.csv" in said
                assert "secret" not in said
                assert "hush" not in said


def test_devices_and_files_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = {"name": "c", "count": 2, "utility": {"leontief": {"a": 1}}}
    consumer["budget"] = {"csv": "/dev/zero", "column": "x"}
    file = tmp_path / "s.yaml"
    with file.open("w", encoding="utf-8") as text:
        YAML(typ="safe", pure=True).dump({"goods": ["a"], "supply": {"a": 1}, "consumers": [consumer]}, text)
    with pytest.raises(ScenarioError, match="which is no regular file; expected a CSV file"):
        load(file)


def test_what_is_drawn_is_refused_with_its_memory_before_it_is_drawn() -> None:
    shares = {"dirichlet": {"a": 1, "b": 2}}
    for count in (1e9, 50_000_000):
        consumer = {"name": "c", "count": count, "budget": {"uniform": [1, 2]}, "utility": {"cobb_douglas": shares}}
        with pytest.raises(ScenarioError, match=r"consumers\.c\.count: found .* GB.*; expected at most 0\.4 GB"):
            load({"goods": ["a", "b"], "supply": {"a": 1, "b": 1}, "consumers": [consumer]})


def test_a_hundred_complaints_are_enough() -> None:
    with pytest.raises(ScenarioError) as caught:
        load({"goods": ["a"], "supply": {f"b{place}": 1 for place in range(500)}})
    assert len(caught.value.problems) == 101
    assert str(caught.value).endswith("more problems are left out")


def test_a_scheduler_of_no_kind_is_one_complaint_beside_learning_too() -> None:
    learning = {"patterns": {"rows": [{"x": 1, "y": 1}], "target": "y"}}
    for data in ({"goods": ["a"], "supply": {"a": 1}, "consumers": []}, {"learning": learning}):
        with pytest.raises(ScenarioError) as caught:
            load({**data, "scheduler": {"kind": 3, "form": "additive"}})
        assert [problem.path for problem in caught.value.problems if problem.path] == ["scheduler.kind"]


@pytest.mark.parametrize("value", [5, "ces", [], True])
def test_what_is_no_mapping_of_a_kind_is_refused(value: Any) -> None:
    with pytest.raises(ScenarioError) as caught:
        load({"goods": ["a"], "supply": {"a": 1}, "consumers": [{"name": "c", "budget": 1, "utility": value}]})
    (problem,) = caught.value.problems
    assert problem.path == "consumers.c.utility"
    assert "; expected a mapping" in problem.message


def test_a_missing_key_hides_no_other_mistake() -> None:
    utility = {"leontief": {"a": 1}}
    nameless, other = {"budget": 1, "utility": utility}, {"name": "c", "budget": 1, "utility": utility}
    firm = {"name": "c", "makes": "a = a^0.5"}
    with pytest.raises(ScenarioError) as caught:
        load({"goods": ["a"], "supply": {"a": 1}, "firms": [firm], "consumers": [nameless, other]})
    assert [problem.path for problem in caught.value.problems] == ["consumers[0].name", "consumers.c.name"]
