"""Derivatives of equilibria: published ones, laws, and the same solved again; paths by which there are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house import DERIVED_KINDS, ScenarioError, UnsolvableError, dump, load, solve
from tests.nested import second_order
from tests.published import CASES, consumer
from tests.test_solving import call as call

SCENARIOS = Path(__file__).parents[1] / "scenarios"
Called = Callable[..., tuple[int, str, str]]
NETWORK = [f"firms.{name}.productivity" for name in ("one", "two", "three")]
DOMAR = [0.987804878049, 0.817073170732, 0.69512195122]
EXCHANGE = {
    "goods": ["x", "y"],
    "numeraire": "y",
    "consumers": [
        consumer("a", {"cobb_douglas": {"x": 0.3, "y": 0.7}}, endowment={"x": 1, "y": 2}),
        consumer("b", {"cobb_douglas": {"x": 0.6, "y": 0.4}}, endowment={"x": 2, "y": 1}),
    ],
}


def derived(source: Any, paths: list[str], **more: Any) -> Any:
    """The rows of derivatives by (path, kind, name) of the one equilibrium there is."""
    rows = solve(source, starts=4, derivatives=paths, **more).derivatives
    assert set(rows["equilibrium"]) == {1}
    assert (rows["agrees"] == 1).all() or not more.get("check", True)
    return rows.set_index(["parameter", "kind", "name"]).sort_index()


def test_a_network_of_cobb_douglas_firms_has_hultens_derivatives_at_every_productivity() -> None:
    for settings in ({}, {NETWORK[0]: 1.1}):
        rows = derived(CASES / "network.yaml", NETWORK, settings=settings)
        for path, weight in zip(NETWORK, DOMAR, strict=True):
            assert rows.loc[path, "utility", "household"]["elasticity"] == pytest.approx(weight, abs=1e-7)
            assert rows.loc[path, "utility", "household"]["domar_weight"] == pytest.approx(weight, abs=1e-9)


def test_and_their_domar_weights_do_not_change() -> None:
    rows = solve(CASES / "network.yaml", starts=2, derivatives=NETWORK, second=True).second_derivatives
    assert len(rows[rows["kind"] == "utility"]) == 6
    np.testing.assert_allclose(rows.loc[rows["kind"] == "utility", "elasticity_slope"], 0.0, atol=1e-7)
    assert (rows["agrees"] == 1).all()


def test_published_derivatives_of_two_goods_in_exchange() -> None:
    tastes = [f"consumers.{name}.utility.cobb_douglas.{good}" for name in "ab" for good in "xy"]
    amounts = [f"consumers.{name}.endowment.{good}" for good in "xy" for name in "ab"]
    rows = derived(EXCHANGE, [*tastes, *amounts])
    slopes = [rows.loc[path, "price", "x"]["derivative"] for path in (*tastes, *amounts)]
    # Shares as written: one up and the other down as much keeps their sum.
    of_tastes = [slopes[0] - slopes[1], slopes[2] - slopes[3]]
    assert of_tastes == pytest.approx([1.86666666667, 1.73333333333], abs=1e-7)
    assert slopes[4:] == pytest.approx([-0.373333333333, -0.213333333333, 0.2, 0.4], abs=1e-7)


def test_magnification_in_a_small_open_economy() -> None:
    amounts = [f"consumers.people.endowment.{factor}" for factor in ("labour", "capital")]
    rows = derived(CASES / "jones.yaml", ["outside.one", "outside.two", *amounts])

    def of(paths: tuple[str, ...], kind: str, name: str, column: str) -> list[float]:
        return [rows.loc[path, kind, name][column] for path in paths]

    prices = ("outside.one", "outside.two")
    assert of(prices, "price", "labour", "elasticity") == pytest.approx([2.0, -1.0], abs=1e-7)
    assert of(prices, "price", "capital", "elasticity") == pytest.approx([-4 / 3, 7 / 3], abs=1e-7)
    assert of((amounts[0],), "level", "one", "derivative") == pytest.approx([2.0], abs=1e-7)
    assert of((amounts[0],), "level", "two", "derivative") == pytest.approx([-1.0], abs=1e-7)
    assert of((amounts[1],), "level", "one", "derivative") == pytest.approx([-4 / 3], abs=1e-7)
    assert of((amounts[1],), "level", "two", "derivative") == pytest.approx([7 / 3], abs=1e-7)


TAXED: dict[str, Any] = {
    "goods": ["labour", "capital", "x", "y"],
    "numeraire": "labour",
    "firms": [
        {"name": name, "technology": {"ces": {"output": name.lower(), "returns_to_scale": 1, **form}}}
        for name, form in {
            "X": {"elasticity": 0.7, "inputs": {"labour": 0.6, "capital": 0.4}},
            "Y": {"elasticity": 1.3, "inputs": {"labour": 0.3, "capital": 0.7}},
        }.items()
    ],
    "consumers": [
        consumer("a", {"ces": {"elasticity": 0.5, "shares": {"x": 0.7, "y": 0.3}}}, endowment={"labour": 10}),
        consumer("b", {"ces": {"elasticity": 1.5, "shares": {"x": 0.4, "y": 0.6}}}, endowment={"capital": 8}),
        consumer("government", {"cobb_douglas": {"x": 0.5, "y": 0.5}}),
    ],
    "taxes": [
        {
            "name": "capital_tax",
            "on": "input",
            "of": "X",
            "good": "capital",
            "rate": 0.3,
            "to": {"a": 0.4, "government": 0.6},
        },
        {"name": "output_tax", "on": "output", "of": "Y", "rate": 0.1, "to": "government"},
        {"name": "sales_tax", "on": "consumption", "good": "x", "of": ["a"], "rate": 0.0, "to": "government"},
    ],
    "transfers": [{"from": "government", "to": "a", "share": 0.25}, {"from": "b", "to": "government", "amount": 0.5}],
    "trade": "at_equilibrium",
}


def test_derivatives_by_tax_rates() -> None:
    paths = [f"taxes.{name}.rate" for name in ("capital_tax", "output_tax", "sales_tax")]
    rows = derived(TAXED, [*paths, "firms.X.productivity"])
    found = solve(TAXED, starts=4)
    base = found.of("consumption").loc["a.x", 1] * found.prices.loc["x", 1]
    # The first bit of a tax brings its base.
    revenue = rows.loc["taxes.sales_tax.rate", "revenue", "sales_tax"]
    assert revenue["derivative"] == pytest.approx(base, rel=1e-8)
    assert rows.loc["taxes.capital_tax.rate", "revenue", "capital_tax"]["elasticity"] < 1.0


def test_derivatives_where_a_rate_adjusts() -> None:
    adjust = {"adjust": {"keep": "consumers.government.utility", "at": 0.7}}
    capital, output, *others = TAXED["taxes"]
    data = {**TAXED, "taxes": [capital, {**output, "rate": adjust}, *others]}
    found = solve(
        data, starts=4, derivatives=["taxes.capital_tax.rate", "taxes.output_tax.rate.adjust.at"], second=True
    )
    assert (found.derivatives["agrees"] == 1).all()
    assert (found.second_derivatives["agrees"] == 1).all()
    rows = found.derivatives.set_index(["parameter", "kind", "name"]).sort_index()
    kept = "utility", "government"
    assert rows.loc["taxes.capital_tax.rate", *kept]["derivative"] == pytest.approx(0.0, abs=1e-9)
    assert rows.loc["taxes.output_tax.rate.adjust.at", *kept]["derivative"] == pytest.approx(1.0, abs=1e-9)
    assert rows.loc["taxes.capital_tax.rate", "rate", "output_tax"]["derivative"] < 0.0
    with pytest.raises(ScenarioError, match=r"such as one of taxes\.output_tax\.rate\.adjust\.at"):
        solve(data, derivatives=["taxes.output_tax.rate"])


def test_one_more_unit_with_taxes_is_worth_more_than_its_price_where_they_bring_more() -> None:
    path = "consumers.b.endowment.capital"
    rows = derived(TAXED, [path])
    price = solve(TAXED, starts=4).prices.loc["capital", 1]
    # The fiscal externality: what is taxed is bought for less than it is worth to those who buy.
    assert rows.loc[path, "objective", ""]["derivative"] > price * 1.02


PRICED: dict[str, tuple[Any, dict[str, str]]] = {
    "a supply chain": ("tupperware", {"natgas": "supply.natgas"}),
    "a Fisher market": ("fisher", {"apples": "supply.apples", "pears": "supply.pears"}),
    "a quasi-linear market": ("fish_market", {"cod": "supply.cod"}),
    "production by a network": ("hulten", {"labour": "consumers.household.endowment.labour"}),
    "general exchange": (
        "three_equilibria",
        {"first": "consumers.one.endowment.first", "second": "consumers.two.endowment.second"},
    ),
}


@pytest.mark.parametrize("name", PRICED)
def test_a_price_is_what_one_more_unit_adds_to_the_objective(name: str) -> None:
    source, paths = PRICED[name]
    found = solve(SCENARIOS / f"{source}.yaml", starts=32, derivatives=[*paths.values()], check=False)
    rows = found.derivatives[found.derivatives["kind"] == "objective"]
    for good, path in paths.items():
        values = rows.loc[rows["parameter"] == path, "derivative"].to_numpy()
        np.testing.assert_allclose(values, found.prices.loc[good].to_numpy(), rtol=1e-7)


def test_a_price_over_that_of_utility_is_what_one_more_unit_adds_to_it() -> None:
    path = "consumers.household.endowment.power"
    found = solve(SCENARIOS / "hulten.yaml", starts=2, derivatives=[path])
    rows = found.derivatives.set_index(["kind", "name"])
    cost = found.of("income").loc["household", 1] / found.of("utility").loc["household", 1]
    assert rows.loc["utility", "household"]["derivative"] == pytest.approx(
        found.prices.loc["power", 1] / cost, rel=1e-8
    )


FIRMS = ["power_station", "steelworks", "toolmaker", "farm", "bakery", "barber"]


@pytest.mark.parametrize("power", [1.0, 0.6])
def test_hulten_and_its_second_order_with_one_primary_factor(power: float) -> None:
    paths, start = [f"firms.{name}.productivity" for name in FIRMS], {"firms.power_station.productivity": power}
    found = solve(SCENARIOS / "hulten.yaml", starts=2, derivatives=paths, second=True, check=False, settings=start)
    first = found.derivatives[found.derivatives["kind"] == "utility"]
    assert len(first) == len(FIRMS)
    np.testing.assert_allclose(first["elasticity"], first["domar_weight"], rtol=1e-8)
    second = found.second_derivatives[found.second_derivatives["kind"] == "utility"]
    scenario = load(SCENARIOS / "hulten.yaml", settings=start)
    expected = second_order(scenario.resolved, found.prices[1].to_dict(), found.of("level")[1].to_dict())
    for _, row in second.iterrows():
        one, other = (row[key].split(".")[1] for key in ("parameter", "by"))
        assert row["elasticity_slope"] == pytest.approx(expected[one, other], rel=1e-5, abs=1e-7)


def test_what_is_solved_again_agrees_in_every_second_derivative() -> None:
    paths = [
        "consumers.one.endowment.first",
        "consumers.one.utility.ces.weights.first",
        "consumers.two.utility.ces.rho",
    ]
    found = solve(SCENARIOS / "three_equilibria.yaml", derivatives=paths, second=True)
    assert len(found.second_derivatives) == 3 * 6 * 7
    assert (found.second_derivatives["agrees"] == 1).all()
    assert (found.derivatives["agrees"] == 1).all()
    assert found.summary["derivatives"]["flagged"] == 0


@pytest.mark.parametrize(
    "source", ["bazaar", "crusoe", "energy", "joint_products", "subsistence", "fish_market", "village"]
)
def test_derivatives_agree_with_solving_again_by_every_number_of_a_scenario(source: str) -> None:
    scenario = load(SCENARIOS / f"{source}.yaml")
    paths = numbers({room: scenario.resolved[room] for room in ("supply", "firms", "consumers")})
    kept = [path for path in paths if differentiable(scenario, path)][:12]
    assert len(kept) >= 2
    found = solve(scenario, starts=2, derivatives=kept)
    assert found.summary["derivatives"]["flagged"] == found.summary["derivatives"]["unsolved"] == 0
    assert found.summary["derivatives"]["counted"] >= len(kept)


def numbers(data: Any, path: str = "") -> list[str]:
    """The dotted paths of numbers that are not whole."""
    if isinstance(data, dict):
        return [found for key, each in data.items() for found in numbers(each, f"{path}.{key}" if path else key)]
    if isinstance(data, list):
        return [found for each in data if isinstance(each, dict) for found in numbers(each, f"{path}.{each['name']}")]
    return [path] if isinstance(data, float) and path.split(".")[-2] not in ("activity", "owns") else []


def differentiable(scenario: Any, path: str) -> bool:
    try:
        solve(scenario, starts=1, derivatives=[path], check=False)
    except ScenarioError:
        return False
    return True


def test_where_something_is_about_to_be_made_both_sides_differ_and_rows_are_flagged(
    tmp_path: Path, call: Called
) -> None:
    data = {
        "name": "cakes",
        "goods": ["labour", "bread", "cake"],
        "numeraire": "labour",
        "firms": [
            {"name": "bakery", "technology": {"activity": {"bread": 1, "labour": -1}}},
            # At a price of 1, which the cake there is has, more would just pay.
            {"name": "pastry", "technology": {"activity": {"cake": 1, "labour": -1}}},
        ],
        "consumers": [consumer("ann", {"cobb_douglas": {"bread": 1, "cake": 1}}, endowment={"labour": 1, "cake": 1})],
    }
    (tmp_path / "cakes.yaml").write_text(dump(data), encoding="utf-8")
    path = "consumers.ann.endowment.cake"
    code, out, _ = call("solve", "cakes.yaml", "--derivative", path)
    rows = solve(data, derivatives=[path]).derivatives.set_index(["kind", "name"])
    # With more cake its price falls by as much, with less it stays.
    assert rows.loc["price", "cake"]["derivative"] == pytest.approx(-1.0)
    assert rows.loc["price", "cake"]["resolved"] == pytest.approx(-0.5, abs=1e-3)
    assert rows["agrees"].to_dict()[("price", "cake")] == 0
    assert (code, "derivatives are off what solving again gives: something is about to be" in out) == (0, True)
    assert next(line for line in out.splitlines() if "price cake" in line).endswith(" *")


def test_an_amount_that_is_not_there_is_differentiated_upwards() -> None:
    data = {"goods": ["x", "y"], "supply": {"x": 2}, "outside": {"y": 1}, "trade": "at_equilibrium"}
    data["consumers"] = [consumer("a", {"cobb_douglas": {"x": 1, "y": 1}}, budget=1)]
    data["firms"] = [{"name": "f", "makes": "y = ln(1 + x)"}]
    rows = derived(data, ["supply.y", "firms.f.productivity"])
    # The outside takes one more unit of y at its price, and all else stays.
    assert rows.loc["supply.y", "objective", ""]["derivative"] == pytest.approx(1.0, abs=1e-9)
    assert rows.loc["supply.y", "price", "x"]["derivative"] == pytest.approx(0.0, abs=1e-9)
    # A productivity that is not written is 1.
    assert rows.loc["firms.f.productivity", "price", "x"]["derivative"] > 0.0


def test_without_a_numeraire_the_sum_of_prices_stays() -> None:
    data = {**EXCHANGE, "numeraire": None}
    del data["numeraire"]
    rows = derived(data, ["consumers.a.endowment.x"])
    moved = rows.loc["consumers.a.endowment.x", "price"]
    assert moved["derivative"].sum() == pytest.approx(0.0, abs=1e-10)
    ratio = moved["elasticity"]["x"] - moved["elasticity"]["y"]
    assert ratio == pytest.approx(-0.373333333333 / 0.8, abs=1e-8)


def test_everything_is_written_and_the_check_can_be_left_out(tmp_path: Path, call: Called) -> None:
    (tmp_path / "two.yaml").write_text(dump(EXCHANGE), encoding="utf-8")
    paths = ["consumers.a.endowment.x", "consumers.b.endowment.y"]
    arguments = [word for path in paths for word in ("--derivative", path)]
    code, out, _ = call("solve", "two.yaml", *arguments, "--second")
    folder = tmp_path / "outputs" / "solve" / "two"
    first = (folder / "derivatives.csv").read_text(encoding="utf-8").splitlines()
    second = (folder / "second_derivatives.csv").read_text(encoding="utf-8").splitlines()
    assert first[0] == "equilibrium,parameter,kind,name,derivative,elasticity,resolved,agrees,domar_weight"
    assert second[0] == "equilibrium,parameter,by,kind,name,derivative,elasticity_slope,resolved,agrees"
    assert (code, len(first), len(second)) == (0, 1 + 2 * 7, 1 + 3 * 7)
    assert {line.split(",")[2] for line in first[1:]} <= {*DERIVED_KINDS}
    assert "equilibrium 1: derivatives by consumers.a.endowment.x, which is 1; the price of y is 1" in out
    told = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["derivatives"]
    assert (told["parameters"], told["counted"], told["flagged"]) == (paths, 35, 0)
    found = solve(EXCHANGE, derivatives=paths, second=True, check=False)
    assert found.derivatives["resolved"].isna().all()
    assert found.derivatives["derivative"].tolist() == [float(line.split(",")[4]) for line in first[1:]]
    assert "solved again" in str(found)
    assert "* " not in str(found)


REFUSED = {
    "consumers.c.endowment.x": "unknown path 'consumers.c.endowment.x'; expected one of a, b",
    "supply.z": "unknown good 'z'; expected one of x, y",
    "consumers.a.utility.cobb_douglas": "found a mapping; expected a number, such as one of "
    "consumers.a.utility.cobb_douglas.x, consumers.a.utility.cobb_douglas.y",
    "consumers.a.count": "found 1, a whole number; expected one that may change a little",
    "consumers.a.name": "found 'a'; expected a number",
    "consumers.a.budget": "found no derivative at 0: with a little more or less prices are told in money; expected "
    "another path",
    "scheduler.rate": "found a setting on which no equilibrium depends; expected one of supply.GOOD",
    "initial_prices.x": "found a setting on which no equilibrium depends",
    "taxes": "expected",
}


@pytest.mark.parametrize("path", REFUSED)
def test_paths_by_which_there_are_no_derivatives(path: str, tmp_path: Path, call: Called) -> None:
    with pytest.raises(ScenarioError, match=f"^derivatives: {path.replace('.', '[.]')}: ") as refused:
        solve(EXCHANGE, derivatives=[path])
    assert REFUSED[path] in str(refused.value)
    (tmp_path / "two.yaml").write_text(dump(EXCHANGE), encoding="utf-8")
    code, _, error = call("solve", "two.yaml", "--derivative", path)
    assert (code, error.startswith(f"--derivative: {path}: ")) == (2, True)
    assert not (tmp_path / "outputs").exists()


def test_returns_to_scale_that_would_be_others_are_no_parameter() -> None:
    path = "firms.one.technology.cobb_douglas.inputs.labour"
    with pytest.raises(ScenarioError, match="a firm has other returns to scale"):
        solve(CASES / "network.yaml", derivatives=[path])


def test_equilibria_without_derivatives(tmp_path: Path, call: Called) -> None:
    with pytest.raises(UnsolvableError, match="found linear tastes, whose demand has no derivative"):
        solve(SCENARIOS / "perfect_substitutes.yaml", derivatives=["supply.x"])
    with pytest.raises(ValueError, match="found second derivatives by nothing"):
        solve(EXCHANGE, second=True)
    held = solve(SCENARIOS / "rent_control.yaml", derivatives=["consumers.students.budget"])
    assert "no derivatives: no competitive equilibrium was found" in str(held)
    assert len(held.derivatives) == 0
    same = {"leontief": {"x": 1, "y": 1}}
    continuum = {**EXCHANGE, "consumers": [consumer(n, same, endowment={g: 1}) for n, g in ("ax", "by")]}
    found = solve(continuum, derivatives=["consumers.a.endowment.x"])
    assert "no derivatives at equilibrium 1: it is one of a continuum, or at a fold" in str(found)
    (tmp_path / "two.yaml").write_text(dump(EXCHANGE), encoding="utf-8")
    code, _, error = call("solve", "two.yaml", "--second")
    assert (code, error.startswith("--second: found no --derivative; expected ")) == (2, True)
