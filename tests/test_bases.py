"""A scenario with a base is the scenario written whole, and every complaint knows the file and line it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.house import ScenarioError, dump, load, scenario_schema, simulate, text_with

BASE: dict[str, Any] = {
    "name": "before",
    "goods": ["grain", "bread", "wine"],
    "supply": {"grain": 10},
    "initial_prices": {"bread": 2},
    "firms": [
        {"name": "bakery", "technology": {"cobb_douglas": {"output": "bread", "inputs": {"grain": 0.5}}}},
        {"name": "cellar", "count": 4, "makes": "wine = grain^0.5", "productivity": {"uniform": [1, 2]}},
    ],
    "consumers": [
        {"name": "town", "budget": 20, "utility": {"cobb_douglas": {"bread": 1, "wine": 1}}},
        {"name": "city", "count": 3, "budget": {"exponential": 2, "times": 3}, "utility": {"linear": {"bread": 1}}},
    ],
    "scheduler": {"form": "additive", "rate": 0.01, "with": [{"momentum": 0.5}]},
    "run": {"ticks": 30, "seed": 4},
}
TOWN, CITY = BASE["consumers"]
BAKERY, CELLAR = BASE["firms"]
DIFFERENCES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "a mapping merges": ({"supply": {"wine": 1}}, {"supply": {"grain": 10, "wine": 1}}),
    "a number": ({"run": {"ticks": 9}}, {"run": {"ticks": 9, "seed": 4}}),
    "an entry by its name": (
        {"consumers": [{"name": "city", "count": 5}]},
        {"consumers": [TOWN, {**CITY, "count": 5}]},
    ),
    "a new entry comes last": (
        {"firms": [{"name": "mill", "makes": "bread = 2*grain^0.25"}, {"name": "cellar", "count": 2}]},
        {"firms": [BAKERY, {**CELLAR, "count": 2}, {"name": "mill", "makes": "bread = 2*grain^0.25"}]},
    ),
    "far down": (
        {"firms": [{"name": "bakery", "technology": {"cobb_douglas": {"inputs": {"wine": 0.25}}}}]},
        {
            "firms": [
                {
                    "name": "bakery",
                    "technology": {"cobb_douglas": {"output": "bread", "inputs": {"grain": 0.5, "wine": 0.25}}},
                },
                CELLAR,
            ]
        },
    ),
    "another kind": (
        {"consumers": [{"name": "town", "utility": {"leontief": {"bread": 1}}}]},
        {"consumers": [{**TOWN, "utility": {"leontief": {"bread": 1}}}, CITY]},
    ),
    "another distribution": (
        {"consumers": [{"name": "city", "budget": {"uniform": [1, 2]}}]},
        {"consumers": [TOWN, {**CITY, "budget": {"uniform": [1, 2]}}]},
    ),
    "a list without names": (
        {"scheduler": {"with": [{"clip": 0.5}]}},
        {"scheduler": {"form": "additive", "rate": 0.01, "with": [{"clip": 0.5}]}},
    ),
    "a key without a value goes": (
        {"scheduler": {"form": None, "with": None, "rule": "optimistic"}, "name": "other"},
        {"scheduler": {"rate": 0.01, "rule": "optimistic"}, "name": "other"},
    ),
    "goods in detail": (
        {"goods": {"wine": {"floor": 0.5}, "beer": None}, "supply": {"beer": 1}},
        {
            "goods": {"grain": None, "bread": None, "wine": {"floor": 0.5}, "beer": None},
            "supply": {"grain": 10, "beer": 1},
        },
    ),
    "a price given in the other place": (
        {"goods": {"bread": {"price": 3}}},
        {"goods": {"grain": None, "bread": {"price": 3}, "wine": None}, "initial_prices": {}},
    ),
}


def write(file: Path, data: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dump(data))
    return file


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_base_with_differences_is_the_whole(name: str, tmp_path: Path) -> None:
    own, changed = DIFFERENCES[name]
    write(tmp_path / "before.yaml", BASE)
    based = load(write(tmp_path / "after.yaml", {"base": "before.yaml", **own}))
    whole = load(write(tmp_path / "whole" / "after.yaml", {**BASE, "name": "after", **changed}))
    assert based.text == whole.text
    assert load(based.resolved).text == based.text


def test_a_base_has_a_base_and_the_last_word_is_that_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "first.yaml", BASE)
    write(tmp_path / "deep" / "second.yaml", {"base": "first.yaml", "supply": {"grain": 2, "wine": 3}})
    third = load(write(tmp_path / "third.yaml", {"base": "deep/second.yaml", "supply": {"wine": 4}}))
    assert third.resolved["supply"] == {"grain": 2.0, "wine": 4.0}
    assert third.name == "third"


def test_a_base_finds_its_columns_beside_it(tmp_path: Path) -> None:
    (tmp_path / "data" / "folk").mkdir(parents=True)
    (tmp_path / "data" / "folk" / "rich.csv").write_text("money\n1\n2\n3\n")
    (tmp_path / "poor.csv").write_text("money\n0.5\n0.25\n0.125\n")
    columns = [{**CITY, "budget": {"csv": "folk/rich.csv", "column": "money"}}]
    write(tmp_path / "data" / "before.yaml", {**BASE, "consumers": [TOWN, *columns]})
    file = write(tmp_path / "after.yaml", {"base": "data/before.yaml", "supply": {"grain": 5}})
    based = load(file)
    assert based.economy.consumers[1].budget.tolist() == [1, 2, 3]
    assert not based.warnings
    # Written elsewhere it is whole, and finds the same file.
    written = tmp_path / "out" / "after.yaml"
    write(written, {}).write_text(text_with(file, {"scheduler.rate": 0.02}, written.parent))
    again = load(written)
    assert again.economy.consumers[1].budget.tolist() == [1, 2, 3]
    assert again.resolved == load(file, settings={"scheduler.rate": 0.02}).resolved
    poorer = {"consumers": [{"name": "city", "budget": {"csv": "poor.csv", "column": "money"}}]}
    poor = load(write(tmp_path / "poorer.yaml", {"base": "data/before.yaml", **poorer}))
    assert poor.economy.consumers[1].budget.tolist() == [0.5, 0.25, 0.125]


def test_plain_data_may_have_a_base_and_settings_reach_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "before.yaml", BASE)
    run = simulate({"base": "before.yaml", "supply": {"grain": 20}})
    assert run.trajectory.query("good == 'grain'")["supply"].iloc[0] == 20
    found = load({"base": "before.yaml"}, settings={"firms.bakery.technology.cobb_douglas.inputs.grain": 0.25})
    assert found.resolved["firms"][0]["technology"]["cobb_douglas"]["inputs"] == {"grain": 0.25}


def problems(file: Path, **settings: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(file, settings=settings.get("settings", {}))
    return [f"{Path(each.where).name}:{each.line}: {each.path}: {each.message}" for each in caught.value.problems]


def test_every_complaint_is_about_the_file_that_says_it(tmp_path: Path) -> None:
    (tmp_path / "before.yaml").write_text(
        "goods: [grain, bread]\n"
        "supply: {grain: 1}\n"
        "firms:\n"
        "  - {name: mill, makes: 'bread = grain^0.5'}\n"
        "  - {name: bakery, makes: 'bread = 2*sqrt(rye)'}\n"
        "consumers:\n"
        "  - {name: town, count: 0, utility: {cobb_douglas: {bread: 1}}}\n"
    )
    (tmp_path / "after.yaml").write_text(
        "base: before.yaml\n"
        "supply: {rice: 2}\n"
        "consumers:\n"
        "  - {name: city, budget: 1}\n"
        "firms:\n"
        "  - {name: mill, count: 0}\n"
    )
    found = problems(tmp_path / "after.yaml", settings={"run.ticks": -1})
    begins = [
        "after.yaml:2: supply.rice: unknown good 'rice'",
        "after.yaml:4: consumers.city.utility: missing key utility",
        "after.yaml:6: firms.mill.count: found 0",
        "before.yaml:5: firms.bakery.makes: unknown good 'rye'",
        "before.yaml:7: consumers.town.count: found 0",
        "settings:0: run.ticks: found -1",
    ]
    assert [next((said for said in found if said.startswith(begin)), begin) for begin in begins] == sorted(found)
    (formula,) = (each for each in caught_problems(tmp_path / "after.yaml") if each.path == "firms.bakery.makes")
    assert formula.column == 1 + "  - {name: bakery, makes: 'bread = 2*sqrt(rye)'}".index("rye")


def caught_problems(file: Path) -> Any:
    with pytest.raises(ScenarioError) as caught:
        load(file)
    return caught.value.problems


REFUSED = {
    "itself": ("base: a.yaml\n", "a.yaml:1: base: found 'a.yaml', this file itself"),
    "missing": ("goods: [a]\nbase: befor.yaml\n", "a.yaml:2: base: found no file"),
    "outside": ("base: ../before.yaml\n", "a.yaml:1: base: found '../before.yaml', which lies outside"),
    "a number": ("base: 3\n", "a.yaml:1: base: found 3; expected the file of another scenario"),
    "nothing": ("base:\n", "a.yaml:1: base: found nothing; expected the file of another scenario"),
    "a list": ("base: [before.yaml, x.yaml]\n", "a.yaml:1: base: found a list; expected the file"),
    "a folder": ("base: folder\n", "a.yaml:1: base: found no file"),
    "no YAML": ("base: broken.yaml\n", "broken.yaml:2: : not valid YAML"),
    "a circle": ("base: b.yaml\n", "b.yaml:1: base: found 'a.yaml', which leads back here"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_base_that_is_none_is_refused_at_its_place(name: str, tmp_path: Path) -> None:
    text, message = REFUSED[name]
    folder = tmp_path / "here"
    for file in (tmp_path / "before.yaml", folder / "before.yaml"):
        write(file, BASE)
    (folder / "folder").mkdir()
    (folder / "broken.yaml").write_text("goods: [a, {\n")
    (folder / "b.yaml").write_text("base: a.yaml\n")
    (folder / "a.yaml").write_text(text)
    (found,) = problems(folder / "a.yaml")
    assert found.startswith(message), found
    assert ("did you mean before.yaml" in found) == (name == "missing")


def test_a_link_to_outside_is_outside(tmp_path: Path) -> None:
    write(tmp_path / "before.yaml", BASE)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link.yaml").symlink_to(tmp_path / "before.yaml")
    (found,) = problems(write(tmp_path / "here" / "a.yaml", {"base": "link.yaml"}))
    assert "lies outside the scenario's folder" in found


def test_a_base_cannot_be_set(tmp_path: Path) -> None:
    write(tmp_path / "before.yaml", BASE)
    (found,) = problems(tmp_path / "before.yaml", settings={"base": "other.yaml"})
    assert found.startswith("settings:0: base: found a base set from outside; expected it in a scenario's file")


def test_editors_ask_nothing_whole_of_differences() -> None:
    validator = Draft202012Validator(scenario_schema())
    differences = {"base": "before.yaml", "consumers": [{"name": "town", "budget": 3}]}
    assert validator.is_valid(differences)
    assert not validator.is_valid({**differences, "suply": {"grain": 1}})
    assert not validator.is_valid({key: value for key, value in differences.items() if key != "base"})
