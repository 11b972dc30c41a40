"""Populations: what is drawn depends on its own place and the seed, is what was asked for, and is refused with its
place where it cannot be had.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from tests.house import Problem, ScenarioError, load, run_to_disk, simulate

Array = NDArray[np.float64]
Data = dict[str, Any]

TOWN: Data = {
    "goods": ["labour", "land", "bread", "wine"],
    "supply": {"land": 5},
    "firms": [
        {
            "name": "mill",
            "count": 30,
            "technology": {
                "cobb_douglas": {
                    "output": "bread",
                    "productivity": {"lognormal": {"mean": 0, "sigma": 0.5}},
                    "inputs": {"labour": {"uniform": [0.2, 0.5]}, "land": {"uniform": [0.1, 0.3]}},
                }
            },
        },
        {"name": "press", "count": 7, "makes": "wine = labour^0.5", "productivity": {"exponential": 2}},
    ],
    "consumers": [
        {
            "name": "folk",
            "count": 40,
            "utility": {
                "ces": {"elasticity": {"uniform": [0.4, 2.5]}, "shares": {"dirichlet": {"bread": 2, "wine": 1}}}
            },
            "endowment": {"labour": {"gamma": {"shape": 2}}, "land": {"pareto": {"minimum": 1, "exponent": 2}}},
            "budget": {"exponential": 3},
            "owns": {"mill": {"uniform": [0.005, 0.01]}},
        },
        {
            "name": "lords",
            "count": 25,
            "utility": {"cobb_douglas": {"bread": {"beta": {"a": 2, "b": 3}}, "wine": 1}},
            "endowment": {"land": {"uniform": [1, 9]}},
        },
    ],
}
FIELDS = {
    "mill.productivity": ("firms", 0, "technology", "cobb_douglas", "productivity"),
    "mill.labour": ("firms", 0, "technology", "cobb_douglas", "inputs", "labour"),
    "mill.land": ("firms", 0, "technology", "cobb_douglas", "inputs", "land"),
    "press.productivity": ("firms", 1, "productivity"),
    "folk.elasticity": ("consumers", 0, "utility", "ces", "elasticity"),
    "folk.shares": ("consumers", 0, "utility", "ces", "shares"),
    "folk.labour": ("consumers", 0, "endowment", "labour"),
    "folk.land": ("consumers", 0, "endowment", "land"),
    "folk.budget": ("consumers", 0, "budget"),
    "folk.mill": ("consumers", 0, "owns", "mill"),
    "lords.bread": ("consumers", 1, "utility", "cobb_douglas", "bread"),
    "lords.land": ("consumers", 1, "endowment", "land"),
}
"""Every drawn field and where in `TOWN` it stands."""
SHARES: Data = {"dirichlet": {"wine": 1, "bread": 1}}


def drawn(data: Data, **run: Any) -> dict[str, Array]:
    """What was drawn for each field that the scenario has."""
    economy = load({**data, "run": run} if run else data).economy
    goods = {good: place for place, good in enumerate(economy.goods)}
    firms = {firm.name: firm for firm in economy.firms}
    consumers = {cohort.name: cohort for cohort in economy.consumers}
    values: dict[str, Array] = {}
    if "mill" in firms:
        technology: Any = firms["mill"].technology
        values["mill.productivity"] = technology.productivity
        exponents = technology.form.shares * technology.returns[:, None]
        for place, good in enumerate(firms["mill"].inputs):
            values[f"mill.{economy.goods[good]}"] = np.round(exponents[:, place], 12)
    if "press" in firms:
        press: Any = firms["press"].technology
        values["press.productivity"] = press.productivity
    if "folk" in consumers:
        folk, form = consumers["folk"], consumers["folk"].utility.form
        values["folk.elasticity"] = form.elasticity
        values["folk.shares"] = form.shares[:, [goods["bread"], goods["wine"]]]
        values |= {f"folk.{good}": folk.endowment[:, goods[good]] for good in ("labour", "land")}
        values["folk.budget"] = folk.budget
        if "mill" in firms:
            values["folk.mill"] = folk.owns[:, list(firms).index("mill")]
    if "lords" in consumers:
        lords, shares = consumers["lords"], consumers["lords"].utility.form.shares
        # Shares of 1 in all: what was drawn is what they are beside the other's 1.
        values["lords.bread"] = np.round(shares[:, goods["bread"]] / shares[:, goods["wine"]], 12)
        values["lords.land"] = lords.endowment[:, goods["land"]]
    return values


def with_field(data: Data, field: str, value: Any) -> Data:
    """A copy of the data with another value at a field."""
    copy = deepcopy(data)
    node: Any = copy
    for step in FIELDS[field][:-1]:
        node = node[step]
    node[FIELDS[field][-1]] = value
    return copy


def assert_same(found: Mapping[str, Array], expected: Mapping[str, Array], *, but: str = "") -> None:
    """The same was drawn for every field of both, but for one."""
    for name in (expected.keys() & found.keys()) - {but}:
        assert np.array_equal(found[name], expected[name]), name


def turned(value: Any) -> Any:
    """Entries, goods and keys in reverse order, but for distributions of their own."""
    if isinstance(value, dict):
        return {key: value[key] if key == "dirichlet" else turned(value[key]) for key in reversed(value)}
    if isinstance(value, list) and not all(isinstance(item, int | float) for item in value):
        return [turned(item) for item in reversed(value)]
    return value


def test_every_field_of_the_town_is_drawn() -> None:
    values = drawn(TOWN)
    assert values.keys() == FIELDS.keys()
    for name, value in values.items():
        assert len(np.unique(value, axis=0)) == {"mill": 30, "pres": 7, "folk": 40, "lord": 25}[name[:4]]


def test_a_draw_does_not_depend_on_the_order_of_entries() -> None:
    data = TOWN | {"firms": TOWN["firms"][::-1], "consumers": TOWN["consumers"][::-1]}
    assert_same(drawn(data), drawn(TOWN))


def test_a_draw_does_not_depend_on_the_order_of_goods_and_keys() -> None:
    assert turned(TOWN)["goods"] == TOWN["goods"][::-1]
    assert_same(drawn(turned(TOWN)), drawn(TOWN))


def test_shares_drawn_together_do_not_depend_on_the_order_of_their_goods() -> None:
    data = with_field(TOWN, "folk.shares", {"dirichlet": {"wine": 1, "bread": 2}})
    np.testing.assert_allclose(drawn(data)["folk.shares"], drawn(TOWN)["folk.shares"], rtol=1e-12)


@pytest.mark.parametrize("room", ["firms", "consumers"])
def test_a_draw_does_not_depend_on_entries_added_or_left_out(room: str) -> None:
    values = drawn(TOWN)
    more = {"firms": "mill", "consumers": "folk"}
    other = {**deepcopy(next(entry for entry in TOWN[room] if entry["name"] == more[room])), "name": "others"}
    assert_same(drawn(TOWN | {room: [other, *TOWN[room]]}), values)
    for entry in TOWN[room]:
        rest = deepcopy(TOWN | {room: [each for each in TOWN[room] if each is not entry]})
        for consumer in rest["consumers"]:
            consumer["owns"] = {} if entry["name"] == "mill" else consumer.get("owns", {})
        found = drawn(rest)
        assert not any(name.startswith(entry["name"]) for name in found)
        assert_same(found, values)


@pytest.mark.parametrize("field", FIELDS)
def test_a_draw_does_not_depend_on_another_field(field: str) -> None:
    number = {"bread": 1, "wine": 2} if field == "folk.shares" else 0.01
    draw = SHARES if field == "folk.shares" else {"uniform": [0.011, 0.012]}
    values = drawn(TOWN)
    for other in (number, draw):
        found = drawn(with_field(TOWN, field, other))
        assert not np.array_equal(found[field], values[field])
        assert_same(found, values, but=field)


@pytest.mark.parametrize("room", ["firms", "consumers"])
def test_a_draw_does_not_depend_on_how_many_others_there_are(room: str) -> None:
    data = deepcopy(TOWN)
    data[room][1]["count"] = 99
    name = data[room][1]["name"]
    assert_same({key: value for key, value in drawn(data).items() if not key.startswith(name)}, drawn(TOWN))


def test_a_draw_does_not_depend_on_what_is_not_drawn() -> None:
    others: Data = {
        "name": "elsewhere",
        "supply": {"land": 9, "wine": 2},
        "initial_prices": {"bread": 7},
        "scheduler": {"form": "additive", "rate": 0.3},
        "trade": "at_equilibrium",
        "shocks": [{"tick": 3, "set": {"consumers.folk.budget": {"times": 2}}}],
        "run": {"ticks": 9, "tolerance": 0.1, "references": "off"},
    }
    for key, value in others.items():
        assert_same(drawn({key: value} | TOWN | {key: value}), drawn(TOWN))


def test_the_seed_decides_what_is_drawn() -> None:
    values = drawn(TOWN, seed=5)
    assert_same(drawn(TOWN, seed=5), values)
    assert_same(drawn(TOWN, seed=0), drawn(TOWN))
    others = drawn(TOWN, seed=6)
    for name in FIELDS:
        assert not np.isclose(others[name], values[name], rtol=1e-9).all(axis=-1).any(), name


def test_the_name_of_an_entry_decides_what_is_drawn() -> None:
    data = deepcopy(TOWN)
    data["consumers"].append({**data["consumers"][1], "name": "earls"})
    lords, earls = load(data).economy.consumers[1:]
    assert not np.isclose(lords.endowment[:, 1], earls.endowment[:, 1], rtol=1e-9).any()


def test_fields_of_one_distribution_are_strangers_to_each_other() -> None:
    count, one = 4000, {"uniform": [0, 1]}
    entry = {
        "count": count,
        "utility": {"cobb_douglas": {"x": 1}},
        "endowment": {"x": one, "y": one, "z": one},
        "budget": one,
    }
    data = {"goods": ["x", "y", "z"], "consumers": [{"name": name, **entry} for name in ("a", "b", "ab")]}
    columns = [
        column
        for cohort in load(data).economy.consumers
        for column in (*np.asarray(cohort.endowment).T, np.asarray(cohort.budget))
    ]
    correlations = np.corrcoef(columns)[np.triu_indices(len(columns), 1)]
    assert len(correlations) == 66
    assert np.abs(correlations).max() < 5 / np.sqrt(count)


def test_the_resolved_scenario_draws_the_same(tmp_path: Path) -> None:
    first = load(TOWN | {"run": {"seed": 11}})
    assert_same(drawn(first.resolved), drawn(TOWN, seed=11))
    (tmp_path / "town.yaml").write_text(json.dumps(TOWN))
    again = load(tmp_path / "town.yaml", settings={"run.seed": 11})
    for before, after in zip(first.economy.consumers, again.economy.consumers, strict=True):
        assert np.array_equal(before.endowment, after.endowment)


def household(**entry: Any) -> Data:
    """One entry of consumers who want bread."""
    consumer = {"name": "folk", "utility": {"cobb_douglas": {"bread": 1}}, **entry}
    return {"goods": ["bread", "wine"], "supply": {"bread": 1}, "consumers": [consumer]}


def budgets(given: Data, count: int | None = None, **entry: Any) -> Array:
    """What households who draw their budget got."""
    counted = {} if count is None else {"count": count}
    return load(household(budget=given, **counted, **entry)).economy.consumers[0].budget


MANY = 200_000
DISTRIBUTIONS: dict[str, tuple[Data, Any]] = {
    "uniform": ({"uniform": [0.3, 3]}, stats.uniform(0.3, 2.7)),
    "lognormal": ({"lognormal": {"mean": 0.2, "sigma": 0.3}}, stats.lognorm(0.3, scale=np.exp(0.2))),
    "normal": ({"normal": {"mean": 9, "sigma": 1.5}}, stats.norm(9, 1.5)),
    "exponential": ({"exponential": 2.5}, stats.expon(scale=2.5)),
    "gamma": ({"gamma": {"shape": 3, "scale": 0.7}}, stats.gamma(3, scale=0.7)),
    "gamma of scale 1": ({"gamma": {"shape": 0.6}}, stats.gamma(0.6)),
    "beta": ({"beta": {"a": 2, "b": 5}}, stats.beta(2, 5)),
    "pareto": ({"pareto": {"minimum": 1.5, "exponent": 9}}, stats.pareto(9, scale=1.5)),
    "choice": ({"choice": [1, 2, 5, 5]}, stats.rv_discrete(values=([1, 2, 5], [0.25, 0.25, 0.5]))),
}
MEANS = {
    "uniform": 1.65,
    "lognormal": np.exp(0.2 + 0.3**2 / 2),
    "normal": 9,
    "exponential": 2.5,
    "gamma": 3 * 0.7,
    "gamma of scale 1": 0.6,
    "beta": 2 / 7,
    "pareto": 1.5 * 9 / 8,
    "choice": 3.25,
}
"""What the schema says of each."""


def assert_moments(values: Array, moment: Callable[[int], float]) -> None:
    """The first three moments of many draws are the exact ones, within five standard errors."""
    for order in (1, 2, 3):
        error = np.sqrt((moment(2 * order) - moment(order) ** 2) / len(values))
        assert abs(np.mean(values**order) - moment(order)) < 5 * error, order


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_has_its_moments_and_its_support(name: str) -> None:
    given, exact = DISTRIBUTIONS[name]
    values = budgets(given, MANY)
    assert exact.mean() == pytest.approx(MEANS[name], rel=1e-12)
    assert_moments(values, exact.moment)
    least, most = exact.support()
    assert least <= values.min()
    assert values.max() <= most
    # The middle and the tails, which few moments see.
    for part in (0.01, 0.5, 0.99):
        below, at = exact.cdf(exact.ppf(part)), np.mean(values <= exact.ppf(part))
        assert abs(at - below) <= 5 * np.sqrt(below * (1 - below) / MANY)


def test_a_choice_is_one_of_its_numbers() -> None:
    assert set(budgets({"choice": [1, 2.5, 7]}, 300)) == {1, 2.5, 7}


def test_shares_drawn_together_add_up_and_have_their_moments() -> None:
    parameters = {"bread": 2.0, "wine": 1.0, "fish": 0.5}
    data = household(count=MANY, budget=1, utility={"cobb_douglas": {"dirichlet": parameters}})
    form: Any = load(data | {"goods": ["fish", "tea", "bread", "wine"]}).economy.consumers[0].utility
    shares = dict(zip(("fish", "tea", "bread", "wine"), form.form.shares.T, strict=True))
    assert not shares["tea"].any()
    np.testing.assert_allclose(sum(shares.values()), 1.0, rtol=1e-14)
    for good, parameter in parameters.items():
        assert shares[good].min() >= 0
        assert_moments(shares[good], stats.beta(parameter, 3.5 - parameter).moment)
    product, together = shares["bread"] * shares["wine"], 2.0 * 1.0 / (3.5 * 4.5)
    assert abs(product.mean() - together) < 5 * product.std() / np.sqrt(MANY)


@given(
    st.sampled_from(sorted(DISTRIBUTIONS)),
    st.floats(0, 100),
    st.floats(0, 100),
    st.integers(2, 40),
    st.integers(0, 2**64 - 1),
)
@settings(max_examples=60)
def test_times_scales_and_plus_shifts_what_is_drawn(
    kind: str, times: float, plus: float, count: int, seed: int
) -> None:
    def values(**modifiers: float) -> Array:
        data = household(count=count, budget={**DISTRIBUTIONS[kind][0], **modifiers})
        return load(data | {"run": {"seed": seed}}).economy.consumers[0].budget

    plain = values()
    assert np.array_equal(values(times=times, plus=plus), plain * times + plus)
    assert np.array_equal(values(times=times), plain * times)
    assert np.array_equal(values(plus=plus), plain + plus)
    assert np.array_equal(values(times=1, plus=0), plain)


def test_times_may_turn_what_is_drawn_round() -> None:
    assert np.array_equal(
        budgets({"uniform": [0, 1], "times": -1, "plus": 1}, 50), 1 - budgets({"uniform": [0, 1]}, 50)
    )


WAYS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda text: text.encode(),
    "byte order mark": lambda text: text.encode("utf-8-sig"),
    "lines of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "byte order mark and lines of Windows": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
    "no line end at the end": lambda text: text.removesuffix("\n").encode(),
}


def file(folder: Path, content: str | bytes, name: str = "people.csv") -> str:
    """A CSV file, by its path."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder / name)


@pytest.mark.parametrize("way", WAYS)
def test_a_column_is_read_row_by_row(way: str, tmp_path: Path) -> None:
    incomes, lands = np.random.default_rng(3).lognormal(0, 9, (2, 500)).tolist()
    rows = [f"{income!r},{name},{land!r}\n" for name, (income, land) in enumerate(zip(incomes, lands, strict=True))]
    text = "income,name,land\n" + "".join(rows)
    path = file(tmp_path, WAYS[way](text))
    given = {"budget": {"csv": path, "column": "income"}, "endowment": {"wine": {"csv": path, "column": "land"}}}
    folk = load(household(**given)).economy.consumers[0]
    assert folk.count == len(rows)
    assert np.array_equal(folk.budget, incomes)
    assert np.array_equal(folk.endowment[:, 1], lands)
    assert np.array_equal(load(household(count=500, **given)).economy.consumers[0].budget, incomes)


def test_cells_may_be_quoted(tmp_path: Path) -> None:
    text = '"the, ""income""",name\n"1.5","Ada, Countess"\n2,"two\nlines"\n" 3e0 ",""\n'
    given = {"csv": file(tmp_path, text), "column": 'the, "income"'}
    assert budgets(given).tolist() == [1.5, 2, 3]


def test_times_and_plus_act_on_columns_too(tmp_path: Path) -> None:
    path = file(tmp_path, "income\n1\n2\n4\n")
    assert budgets({"csv": path, "column": "income", "times": 3, "plus": 0.5}).tolist() == [3.5, 6.5, 12.5]


@pytest.fixture(autouse=True)
def in_the_folder_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data in Python may read files from where the program runs, and from below."""
    monkeypatch.chdir(tmp_path)


def test_columns_do_not_depend_on_the_seed_nor_on_each_other(tmp_path: Path) -> None:
    one = file(tmp_path, "income,age\n1,50\n2,60\n", "one.csv")
    other = file(tmp_path, "age,other,income\n50,9,1\n60,9,2\n", "other.csv")
    for seed in (0, 1):
        for path in (one, other):
            data = household(budget={"csv": path, "column": "income"}) | {"run": {"seed": seed}}
            assert load(data).economy.consumers[0].budget.tolist() == [1, 2]


def test_firms_read_columns_too(tmp_path: Path) -> None:
    path = file(tmp_path, "skill\n1\n2\n4\n")
    power = {"output": "bread", "productivity": {"csv": path, "column": "skill"}, "inputs": {"wine": 0.5}}
    data = household(budget=1) | {"firms": [{"name": "mill", "technology": {"power": power}}]}
    firm = load(data).economy.firms[0]
    technology: Any = firm.technology
    assert firm.count == 3
    assert technology.productivity.tolist() == [1, 2, 4]


def test_a_file_is_looked_for_from_the_folder_of_the_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    file(tmp_path / "here", "income\n1\n2\n")
    file(tmp_path / "elsewhere", "income\n7\n8\n9\n")
    data = household(budget={"csv": "people.csv", "column": "income"})
    (tmp_path / "here" / "folk.yaml").write_text(json.dumps(data))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load(tmp_path / "here" / "folk.yaml").economy.consumers[0].budget.tolist() == [1, 2]
    assert load(data).economy.consumers[0].budget.tolist() == [7, 8, 9]


def test_a_run_keeps_the_files_it_read(tmp_path: Path) -> None:
    for name, cells in (("one", "1\n2\n4.5\n"), ("two", "3\n1\n1\n")):
        (tmp_path / name).mkdir()
        file(tmp_path / name, f"income\n{cells}")
    data = household(
        budget={"csv": str(tmp_path / "one" / "people.csv"), "column": "income"},
        endowment={"wine": {"csv": str(tmp_path / "two" / "people.csv"), "column": "income"}},
        utility={"cobb_douglas": {"bread": 1, "wine": 1}},
    )
    scenario = load(data | {"run": {"ticks": 20}})
    run_to_disk(scenario, tmp_path / "run")
    kept = sorted(path.read_text() for path in (tmp_path / "run" / "inputs").iterdir())
    assert kept == ["income\n1\n2\n4.5\n", "income\n3\n1\n1\n"]
    for name in ("one", "two"):
        (tmp_path / name / "people.csv").unlink()
    run_to_disk(load(tmp_path / "run" / "scenario.yaml"), tmp_path / "again")
    for name in ("trajectory.csv", "ticks.csv", "agents.csv", "distribution.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_file_of_one_row_runs_as_any_other(tmp_path: Path) -> None:
    scenario = load(household(budget={"csv": file(tmp_path, "income\n3\n"), "column": "income"}))
    assert scenario.economy.consumers[0].budget.tolist() == [3]
    assert simulate(scenario, seed=4).summary["seed"] == 4


def refused(data: Data, folder: Path) -> Problem:
    """The only problem of a scenario in a file of a line for each key."""
    path = folder / "folk.yaml"
    path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in data.items()))
    with pytest.raises(ScenarioError) as caught:
        load(path)
    (problem,) = caught.value.problems
    room = problem.path.partition(".")[0]
    assert (problem.where, problem.line) == (str(path), list(data).index(room) + 1)
    assert str(caught.value).count("\n") == 0
    return problem


# One row per refusal: the file's bytes, the count, then the field it is refused at and all that is said of the place.
FILES: dict[str, tuple[bytes | None, int | None, str, tuple[str, ...]]] = {
    "no file": (None, 3, "consumers.folk", ("found no file", "people.csv")),
    "no file, no count": (None, None, "consumers.folk", ("found no file", "people.csv")),
    "no column": (b"pay,age\n1,2\n", None, "consumers.folk.budget", ("no column 'income'", "people.csv", "pay, age")),
    "too few rows": (b"income\n1\n2\n", 3, "consumers.folk.budget", ("2 rows", "people.csv", "3 agents")),
    "too many rows": (b"income\n1\n2\n3\n4\n", 3, "consumers.folk.budget", ("4 rows", "people.csv", "3 agents")),
    "names only": (b"income\n", 3, "consumers.folk.budget", ("0 rows", "people.csv", "3 agents")),
    "text": (
        b"age,income\n1,2\n1,lots\n1,3\n",
        None,
        "consumers.folk.budget",
        ("what is no number", "row 3", "people.csv", "column income"),
    ),
    "empty cell": (
        b"age,income\n1,\n",
        None,
        "consumers.folk.budget",
        ("what is no number", "row 2", "people.csv", "column income"),
    ),
    "decimal comma": (
        b'income\n1\n"2,5"\n',
        None,
        "consumers.folk.budget",
        ("what is no number", "row 3", "column income"),
    ),
    "short row": (
        b"age,income\n1,2\n1,2\n1\n",
        None,
        "consumers.folk",
        ("1 cells", "row 4", "people.csv", "expected 2"),
    ),
    "long row": (b"age,income\n1,2,3\n1,2\n", None, "consumers.folk", ("3 cells", "row 2", "people.csv", "expected 2")),
    "empty": (b"", None, "consumers.folk", ("people.csv", "expected a CSV file")),
    "no text": (b"income\n\xff\xfe\n", None, "consumers.folk", ("people.csv", "expected a CSV file")),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    content, count, path, parts = FILES[name]
    if content is not None:
        file(tmp_path, content)
    counted = {} if count is None else {"count": count}
    problem = refused(household(budget={"csv": "people.csv", "column": "income"}, **counted), tmp_path)
    assert problem.path.startswith(path)
    for part in parts:
        assert part in problem.message, problem.message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "people.csv").mkdir()
    problem = refused(household(budget={"csv": "people.csv", "column": "income"}), tmp_path)
    assert "people.csv" in problem.message


def test_a_file_of_names_only_is_refused(tmp_path: Path) -> None:
    file(tmp_path, "income\n")
    problem = refused(household(budget={"csv": "people.csv", "column": "income"}), tmp_path)
    assert "people.csv" in problem.message


@pytest.mark.parametrize(("text", "row"), [("income,age\n1,2\n\nlots,3\n", 4), ("income,age\n\n\n1\n", 4)])
def test_empty_lines_count_as_rows_of_the_file(text: str, row: int, tmp_path: Path) -> None:
    file(tmp_path, text)
    assert f"row {row} " in refused(household(budget={"csv": "people.csv", "column": "income"}), tmp_path).message


@pytest.mark.parametrize("cell", ["1_000", "١٢"])
def test_a_cell_is_a_number_as_in_a_scenario(cell: str, tmp_path: Path) -> None:
    file(tmp_path, f"income\n1\n{cell}\n")
    problem = refused(household(budget={"csv": "people.csv", "column": "income"}), tmp_path)
    assert "row 3" in problem.message


OUT_OF_BOUNDS: dict[str, tuple[str, str]] = {
    "below 0": ("-1", "found -1.0 for agent 2; expected numbers of at least 0"),
    "infinite": ("inf", "found inf for agent 2; expected numbers of at least 0"),
    "too large": ("1e999", "found inf for agent 2; expected numbers of at least 0"),
    "not a number": ("nan", "found nan for agent 2; expected numbers of at least 0"),
    "several": ("-1\n-2\n-3", "found -1.0 for agent 2 and 2 more; expected numbers of at least 0"),
}


@pytest.mark.parametrize("name", OUT_OF_BOUNDS)
def test_a_number_out_of_bounds_is_refused_with_its_agent(name: str, tmp_path: Path) -> None:
    cells, message = OUT_OF_BOUNDS[name]
    file(tmp_path, f"income\n1\n{cells}\n")
    problem = refused(household(budget={"csv": "people.csv", "column": "income"}), tmp_path)
    assert problem.path == "consumers.folk.budget"
    found, _, expected = message.partition("; ")
    assert problem.message.startswith(found)
    assert problem.message.endswith(expected)


def test_a_number_out_of_bounds_is_refused_with_its_file_row_and_column(tmp_path: Path) -> None:
    file(tmp_path, "income\n1\n-1\n")
    message = refused(household(budget={"csv": "people.csv", "column": "income"}), tmp_path).message
    for part in ("people.csv", "row 3", "income"):
        assert part in message


def test_a_draw_out_of_bounds_is_refused_with_its_agent(tmp_path: Path) -> None:
    values = budgets({"uniform": [0, 10]}, 50)
    below = np.flatnonzero(values - 3 < 0)
    problem = refused(household(count=50, budget={"uniform": [0, 10], "plus": -3}), tmp_path)
    assert problem.path == "consumers.folk.budget"
    assert f"for agent {below[0] + 1} and {len(below) - 1} more; " in problem.message


def mill(kind: str, **given: Any) -> Data:
    """Mills that sell to the world."""
    technology = {kind: {"output": "bread", **given}}
    firm = {"name": "mill", "count": 3, "technology": technology}
    return {"goods": ["bread", "grain"], "supply": {"grain": 1}, "outside": {"bread": 1}, "firms": [firm]}


CES: Data = {"output": "bread", "elasticity": 2, "returns_to_scale": 0.5}
NUMBERS: dict[str, Callable[[Any], Data]] = {
    "budget": lambda x: household(count=3, budget=x, endowment={"wine": 1}),
    "endowment": lambda x: household(count=3, endowment={"wine": x}, budget=1),
    "elasticity": lambda x: household(count=3, budget=1, utility={"ces": {"elasticity": x, "shares": {"bread": 1}}}),
    "rho": lambda x: household(count=3, budget=1, utility={"ces": {"rho": x, "weights": {"bread": 1}}}),
    "share": lambda x: household(count=3, budget=1, utility={"cobb_douglas": {"bread": x, "wine": 1}}),
    "intercept": lambda x: household(
        count=3,
        utility={
            "quasilinear": {"quadratic": {"intercept": {"bread": x, "wine": 1}, "slope": {"bread": 1, "wine": 1}}}
        },
    ),
    "slope": lambda x: household(
        count=3, utility={"quasilinear": {"quadratic": {"intercept": {"bread": 1}, "slope": {"bread": x}}}}
    ),
    "power": lambda x: household(
        count=3, utility={"quasilinear": {"power": {"weights": {"bread": 1}, "elasticity": x}}}
    ),
    "subsistence": lambda x: household(
        count=3, budget=1, utility={"stone_geary": {"shares": {"bread": 1}, "subsistence": {"bread": x}}}
    ),
    "productivity": lambda x: mill("power", productivity=x, inputs={"grain": 0.5}),
    "exponent": lambda x: mill("power", inputs={"grain": x}),
    "amount": lambda x: mill("leontief", returns_to_scale=0.5, inputs={"grain": x}),
    "returns": lambda x: mill("leontief", returns_to_scale=x, inputs={"grain": 1}),
    "input": lambda x: mill("ces", elasticity=2, returns_to_scale=0.5, inputs={"grain": x, "bread": 1}),
}


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0, 1.5])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_drawn_number_may_be_what_a_plain_number_may_be(name: str, value: float) -> None:
    def taken(given: Any) -> bool:
        try:
            load(NUMBERS[name](given))
        except ScenarioError:
            return False
        return True

    assert taken({"choice": [value]}) == taken(value)


def test_drawn_exponents_that_sum_to_more_than_1_are_refused(tmp_path: Path) -> None:
    exponents = {"grain": {"uniform": [0.6, 0.7]}, "bread": 0.5}
    assert "mill" in refused(mill("cobb_douglas", inputs=exponents), tmp_path).path


WANTS: dict[str, Callable[[Any], Data]] = {
    "cobb_douglas": lambda wants: {"cobb_douglas": wants},
    "ces": lambda wants: {"ces": {"elasticity": 2, "shares": wants}},
    "leontief": lambda wants: {"leontief": wants},
    "linear": lambda wants: {"linear": wants},
    "quasilinear": lambda wants: {"quasilinear": {"log": wants}},
}


@pytest.mark.parametrize("kind", WANTS)
def test_all_that_is_wanted_may_be_drawn(kind: str) -> None:
    wants = {"bread": {"uniform": [1, 2]}, "wine": {"uniform": [1, 2]}}
    folk = load(household(count=5, budget=1, utility=WANTS[kind](wants))).economy.consumers[0]
    assert folk.utility.size == 5


@pytest.mark.parametrize("count", [None, 1])
@pytest.mark.parametrize("given", [{"uniform": [1, 2]}, {"choice": [3]}, {"lognormal": {"mean": 0, "sigma": 1}}])
def test_a_single_agent_has_no_distribution(count: int | None, given: Data, tmp_path: Path) -> None:
    counted = {} if count is None else {"count": count}
    problem = refused(household(budget=given, **counted), tmp_path)
    assert problem.path == "consumers.folk.budget"
    assert problem.message == "found a distribution for a single agent; expected a number, or a count above 1"


@pytest.mark.parametrize("given", [{"uniform": [1, 2]}, SHARES])
def test_a_single_firm_or_taste_has_no_distribution(given: Data, tmp_path: Path) -> None:
    data = household(budget=1, utility={"cobb_douglas": SHARES})
    if given is not SHARES:
        data = mill("power", productivity=given, inputs={"grain": 0.5})
        del data["firms"][0]["count"]
    assert "found a distribution for a single agent" in refused(data, tmp_path).message


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"uniform": [2, 1]}, "expected [least, most]"),
        ({"uniform": [1]}, "found a list of 1; expected [least, most]"),
        ({"uniform": [1, 2, 3]}, "found a list of 3; expected [least, most]"),
        ({"uniform": [0, 1], "exponential": 1}, "expected a number or one distribution"),
        ({"times": 2}, "expected a number or one distribution"),
        ({"csv": "people.csv"}, "found no column"),
        ({"uniform": [0, 1], "column": "income"}, "found no csv"),
        ({"exponential": -1}, "expected a number above 0"),
        ({"lognormal": {"mean": 0, "sigma": -1}}, "expected a number of at least 0"),
        ({"lognormal": {"mean": 0, "sigma": 1e6}}, "expected numbers of at least 0"),
        ({"unifrom": [0, 1]}, "did you mean uniform?"),
    ],
)
def test_a_distribution_that_is_none_is_refused(given: Data, part: str, tmp_path: Path) -> None:
    problem = refused(household(count=50, budget=given), tmp_path)
    assert problem.path.startswith("consumers.folk.budget")
    assert part in problem.message


def owners(*entries: Data) -> Data:
    """Cohorts who own a mill in part."""
    consumers = [
        {"name": f"folk{number}", "utility": {"cobb_douglas": {"bread": 1}}, "endowment": {"grain": 1}, **entry}
        for number, entry in enumerate(entries)
    ]
    firm = {"name": "mill", "technology": {"power": {"output": "bread", "inputs": {"grain": 0.5}}}}
    return {"goods": ["grain", "bread"], "firms": [firm], "consumers": consumers}


def test_drawn_shares_that_sum_to_more_than_1_are_refused(tmp_path: Path) -> None:
    each = {"uniform": [0.4, 0.6]}
    sums = load(owners({"count": 2, "owns": {"mill": {**each, "times": 0.01}}})).economy.owned * 100
    problem = refused(owners({"count": 2, "owns": {"mill": {**each, "times": 1.01 / sums[0]}}}), tmp_path)
    assert problem.path == "consumers.folk0.owns.mill"
    assert problem.message == "found shares that sum to 1.01 with those of others; expected at most 1"


SHARERS: tuple[Data, ...] = (
    {"count": 2, "owns": {"mill": {"uniform": [0.3, 0.4]}}},
    {"owns": {"mill": 0.5}},
    {"count": 4, "owns": {"mill": {"uniform": [0.15, 0.2]}}},
)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, 0),
        (0, 2),
        (2, 0),
        (0, 1),
    ],
)
def test_drawn_shares_are_added_to_those_of_others(first: int, second: int, tmp_path: Path) -> None:
    load(owners(SHARERS[first]))
    load(owners(SHARERS[second]))
    assert refused(owners(SHARERS[first], SHARERS[second]), tmp_path).path == "consumers.folk1.owns.mill"


def test_who_shares_equally_shares_what_drawn_shares_leave() -> None:
    scenario = load(
        owners({"count": 3, "owns": {"mill": {"uniform": [0.1, 0.2]}}}, {"count": 5, "owns": {"mill": "equal"}})
    )
    some, others = scenario.economy.consumers
    assert len(np.unique(some.owns)) == 3
    np.testing.assert_allclose(others.owns, (1 - some.owns.sum()) / 5, rtol=1e-14)
    assert scenario.economy.owned[0] == pytest.approx(1, rel=1e-14)
