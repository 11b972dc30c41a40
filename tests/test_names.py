"""Names in any alphabet: of goods, agents, scenarios, folders and columns; kept composed (NFC), never told apart by eye
alone.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import simulate
from tests.house import ScenarioError, composed, load, name_fault, parse
from tests.program import simulator

WORLD = """\
goods: [Öl, 小麦, गेहूँ]
supply: {Öl: 4}
outside: {गेहूँ: 1}
firms:
  - {name: Mühle, makes: "小麦 = sqrt(Öl)"}
  - {name: ओवन, makes: "गेहूँ = ln(1 + 小麦)"}
consumers:
  - {name: κόρη, count: 2, utility: {cobb_douglas: {Öl: 1}}, budget: {csv: Größen.csv, column: Größe}}
run: {ticks: 30, references: off}
"""


def split(text: str) -> str:
    """The same text with every mark a sign of its own, as some file systems and keyboards write it."""
    return unicodedata.normalize("NFD", text)


def test_a_world_of_names_runs_however_its_letters_are_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Größen.csv").write_text("Größe\n1\n2\n", encoding="utf-8")
    Path("Äcker.yaml").write_text(WORLD, encoding="utf-8")
    Path("apart").mkdir()
    Path("apart/Größen.csv").write_text(split("Größe\n1\n2\n"), encoding="utf-8")
    Path("apart", split("Äcker.yaml")).write_text(split(WORLD), encoding="utf-8")
    options = ["--set", "supply.Öl=5", "--goods", "小麦,Öl", "--figures", "prices", "--quiet"]
    first = simulator("run", "Äcker.yaml", *options)
    other = simulator("run", split("apart/Äcker.yaml"), *map(split, options), "--out", "other")
    assert [first.returncode, first.stderr, other.returncode, other.stderr] == [3, "", 3, ""]
    first, second = (Path(folder, "Äcker") for folder in ("outputs", "other"))
    assert (first / "trajectory.csv").read_bytes() == (second / "trajectory.csv").read_bytes()
    assert (first / "figures" / "prices.png").read_bytes() == (second / "figures" / "prices.png").read_bytes()
    assert "\n0,小麦,1.0," in (first / "trajectory.csv").read_text(encoding="utf-8")


def test_names_from_python_are_composed_too() -> None:
    data: dict[str, Any] = {
        "goods": ["Öl"],
        "supply": {split("Öl"): 2},
        "consumers": [{"name": split("Müller"), "utility": {"cobb_douglas": {"Öl": 1}}, "budget": 1}],
    }
    run = simulate(data, settings={split("consumers.Müller.budget"): 4})
    assert run.prices["Öl"].iloc[-1] == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize(
    ("names", "instead"),
    [
        ("[tea, 'm²']", "m2"),
        ("[tea, ｔｅａ２]", "tea2"),
        ("[tea, 'w\u0456ne']", "wine"),
        ("['cop', '\u0441\u043e\u0440']", ""),
        ("[tea, 'rye bread']", "rye_bread"),
        ("[tea, '小 麦']", "小_麦"),
    ],
)
def test_names_that_look_like_others_are_refused(names: str, instead: str, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(f"goods: {names}\nsupply: {{}}\nconsumers: []\n", encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(file)
    (problem,) = (problem for problem in caught.value.problems if problem.path)
    assert (problem.path, problem.data["instead"]) == ("goods[1]", instead)
    assert "look" in problem.message or "expected 1 to 100 letters" in problem.message


@pytest.mark.parametrize("goods", [["cop", "\u0441\u043e\u0440"], ["fish", "ﬁsh"]])
@pytest.mark.parametrize("room", ["goods", "consumers"])
def test_of_two_names_that_look_alike_both_are_said(goods: list[str], room: str) -> None:
    named, plain = (goods, ["a", "b"]) if room == "goods" else (["a", "b"], goods)
    consumers = [{"name": name, "utility": {"cobb_douglas": {named[0]: 1}}, "budget": 1} for name in plain]
    with pytest.raises(ScenarioError) as caught:
        load({"goods": named, "supply": {named[0]: 1}, "consumers": consumers})
    (problem,) = caught.value.problems
    assert problem.path.startswith(room)
    assert all(name in problem.message for name in goods)


LETTERS = st.characters(categories=["L", "Nd", "Mn", "Mc"], include_characters="_", max_codepoint=0x2FFFF)


NAMES = st.text(LETTERS, min_size=1, max_size=6).map(composed).filter(lambda name: name_fault(name) is None)


@given(NAMES.filter(lambda name: name[0] not in "0123456789"))
def test_a_formula_takes_every_name_of_letters_and_digits(name: str) -> None:
    assert parse(f"2*{name} + ln({name})^2 - a*0").variables[0] == name


@pytest.mark.parametrize(("good", "better"), [("rye-bread", "rye_bread"), ("x.y", "x_y")])
def test_a_good_that_a_formula_takes_apart_is_named(good: str, better: str) -> None:
    data: dict[str, Any] = {"goods": [good, "z"], "outside": {"z": 1}, "supply": {good: 1}}
    with pytest.raises(ScenarioError) as caught:
        load({**data, "firms": [{"name": "a", "makes": f"z = ({good})^0.5"}]})
    (problem,) = caught.value.problems
    assert good in problem.message
    assert better in problem.message
