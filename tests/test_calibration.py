"""Tables of accounts become economies that reproduce them; what cannot be one is refused with its cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from scipy.optimize import root
from typer.testing import CliRunner

from tests.house import ScenarioError, app, dump, load, run_to_disk, scenario_schema, simulate, solve, text_with
from tests.published import CASES

HOSOE = """\
,BRD,MLK,CAP,LAB,HOH
BRD,,,,,15
MLK,,,,,35
CAP,5,20,,,
LAB,10,15,,,
HOH,,,25,25,
"""
"""Hosoe, Gasawa and Hashimoto (2010), chapter 5."""
OPEN = """\
,BRD,MLK,CAP,LAB,HOH,INV,EXT
BRD,21,8,,,45,2,8
MLK,17,9,,,45,5,4
CAP,20,30,,,,,
LAB,15,25,,,,,
HOH,,,50,40,,,
INV,,,,,,,7
EXT,11,8,,,,,
"""
STANDARD = """\
,BRD,MLK,CAP,LAB,IDT,TRF,HOH,GOV,INV,EXT
BRD,21,8,,,,,20,19,16,8
MLK,17,9,,,,,30,14,15,4
CAP,20,30,,,,,,,,
LAB,15,25,,,,,,,,
IDT,5,4,,,,,,,,
TRF,1,2,,,,,,,,
HOH,,,50,40,,,,,,
GOV,,,,,9,3,23,,,
INV,,,,,,,17,2,,12
EXT,13,11,,,,,,,,
"""
"""The same book, chapter 6: the standard model, with taxes, saving, and a world."""
ALL = {"government": "GOV", "investment": "INV", "world": "EXT", "indirect_tax": "IDT", "tariff": "TRF"}
SCENARIOS = Path(__file__).parents[1] / "scenarios"
SEVERAL = {"activities": ["BRD", "MLK"], "factors": ["CAP", "LAB"], "households": ["HOH"]}


def written(folder: Path, table: str = HOSOE, accounts: dict[str, Any] | None = None, **more: Any) -> Path:
    """A scenario that is calibrated to a table beside it."""
    (folder / "sam.csv").write_text(table, encoding="utf-8")
    calibrate = {"sam": "sam.csv", "accounts": {**SEVERAL, **(accounts or {})}, **more.pop("calibrate", {})}
    (folder / "economy.yaml").write_text(dump({"calibrate": calibrate, **more}), encoding="utf-8")
    return folder / "economy.yaml"


def united_states() -> tuple[str, dict[str, Any]]:
    """The United States in 2023 in 15 sectors (Bureau of Economic Analysis, Input-Output Accounts; public domain).

    What households buy is what is left of a row, capital what is left of a column; subsidies and stocks that shrink are
    taken from what is beside them. Imports pay for exports, and what they do not pay for is investment.
    """
    flows, sectors = (
        pd.read_csv(CASES / f"us_2023_{name}.csv", dtype={"seller": str, "buyer": str, "code": str})
        for name in ("flows", "sectors")
    )
    sectors = sectors.set_index("code")
    several = {"activities": list(sectors.index), "factors": ["CAP", "LAB"], "households": ["HOH"]}
    names = [*several["activities"], "CAP", "LAB", "HOH", "GOV", "INV", "EXT", "IDT"]
    sam = pd.DataFrame(0.0, names, names)
    at = sectors.index
    sam.loc[at, at] = flows.pivot(index="seller", columns="buyer", values="value").loc[at, at].fillna(0.0)
    sam.loc["LAB", at] = sectors["compensation"]
    sam.loc["IDT", at] = sectors["taxes_less_subsidies"].clip(lower=0)
    sam.loc["EXT", at] = sectors["imported_inputs"] + sectors["scrap_noncomparable_inputs"]
    sam.loc["CAP", at] = sectors["gross_output"] - sam[at].sum()
    stocks = sectors["investment"] + sectors["inventories"]
    abroad = sectors["exports"] + sectors["import_margins"] + sectors["scrap_other_sales"] + stocks.clip(upper=0)
    paid = sam.loc["EXT"].sum() / abroad.sum()
    sam.loc[at, "EXT"], sam.loc[at, "INV"] = paid * abroad, stocks.clip(lower=0) + (1 - paid) * abroad
    sam.loc[at, "GOV"] = sectors["government"]
    sam.loc[at, "HOH"] = sectors["gross_output"] - sam.loc[at].sum(axis=1)
    sam.loc["HOH", ["CAP", "LAB"]] = sam.loc[["CAP", "LAB"]].sum(axis=1)
    sam.loc["GOV", "IDT"] = sam.loc["IDT"].sum()
    sam.loc["GOV", "HOH"] = sam["GOV"].sum() - sam.loc["GOV", "IDT"]
    sam.loc["INV", "HOH"] = sam["INV"].sum()
    one = {"government": "GOV", "investment": "INV", "world": "EXT", "indirect_tax": "IDT"}
    return sam.to_csv(), {**several, **one}


def refused(source: Any, **settings: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(source, settings=settings)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


def of_kind(row: str, column: str) -> bool:
    """Whether a cell may hold something, by the first letters of the names below."""
    paid = {
        **{"A": "AHGIW", "F": "A", "H": "F", "G": "DTH", "I": "HGW"},
        **{"W": "A", "D": "A", "T": "A"},
    }
    return column[0] in paid[row[0]]


@st.composite
def tables(draw: st.DrawFn, kinds: str = "") -> tuple[str, dict[str, Any]]:
    """A balanced table of accounts with some of Government, Investment, World, inDirect tax and Tariff, and what its
    accounts are. Of a random matrix row `i` and column `i` are scaled by `d` and `1/d` until their sums agree.
    """
    several = {"activities": "A", "factors": "F", "households": "H"}
    accounts: dict[str, Any] = {
        kind: [f"{letter}{at}" for at in range(draw(st.integers(1, 3)))] for kind, letter in several.items()
    }
    one = {"government": "G", "investment": "I", "world": "W", "indirect_tax": "D", "tariff": "T"}
    accounts |= {kind: letter for kind, letter in one.items() if letter in kinds}
    names = [name for said in accounts.values() for name in said]
    stream = np.random.default_rng(draw(st.integers(0, 2**32)))
    cells = np.array([[of_kind(row, column) for column in names] for row in names]) * stream.uniform(
        0.1, 3, [len(names)] * 2
    )
    cells[[name in "WDT" for name in names]] *= 0.2
    for _ in range(10_000):
        scale = np.sqrt(cells.sum(0) / cells.sum(1))
        cells *= scale[:, None] / scale
        if abs(scale - 1).max() < 1e-15:
            break
    text = [["", *names], *([name, *map(repr, row)] for name, row in zip(names, cells.tolist(), strict=True))]
    return "\n".join(",".join(line) for line in text), accounts


def replicates(path: Path) -> None:
    """At tick 0 all prices and levels are 1, and every market clears with every activity at no profit."""
    scenario = load(path)
    np.testing.assert_array_equal(scenario.initial_prices, 1.0)
    balance = scenario.economy.balance(scenario.initial_prices)
    np.testing.assert_array_equal(balance.levels, 1.0)
    turnover = np.maximum(balance.demand, balance.supply)
    np.testing.assert_allclose((balance.demand - balance.supply) / turnover, 0.0, atol=1e-10)
    np.testing.assert_allclose(balance.unit_profits / turnover.max(), 0.0, atol=1e-10)
    run = simulate(path, settings={"run.references": "off", "run.ticks": 0, "run.engine": "arrays"})
    assert (run.summary["outcome"], run.summary["ticks"]) == ("cleared", 0)
    assert run.summary["max_relative_excess_demand"] < 1e-10


def test_the_simple_economy_is_the_one_written_by_hand(tmp_path: Path) -> None:
    path = written(tmp_path)
    replicates(path)
    prices = np.array([1.2, 0.9, 1.4, 1.0])
    by_table, by_hand = (load(source).economy for source in (path, CASES / "hosoe.yaml"))
    assert by_table.goods == by_hand.goods == ("BRD", "MLK", "CAP", "LAB")
    for one, other in zip(by_table.balance(prices)[:3], by_hand.balance(prices)[:3], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_a_tenth_more_capital_has_the_published_answers(tmp_path: Path) -> None:
    """Exact: the price of capital is 1/1.1, outputs are 15 * 1.1^(1/3) and 35 * 1.1^(4/7)."""
    path = written(tmp_path)
    expected = {
        "price": {"CAP": 0.909090909091, "BRD": 0.968729306151, "MLK": 0.946993584956, "LAB": 1.0},
        "level": {"BRD": 15.4842017318 / 15, "MLK": 36.9590676811 / 35},
        "utility": {"HOH": 28.4689435544 / 27.1440726345},
    }
    (found,) = solve(path, settings={"consumers.HOH.endowment.CAP": 27.5}).summary["found"]
    for kind, values in expected.items():
        for name, value in values.items():
            assert found[kind][name] == pytest.approx(value, rel=1e-9)
    run = simulate(path, settings={"consumers.HOH.endowment.CAP": 27.5, "run.references": "off"})
    assert run.summary["outcome"] == "cleared"
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")["price"]
    for good, price in expected["price"].items():
        assert last[good] == pytest.approx(price, rel=1e-5)


@given(tables("W"))
def test_random_open_economies_replicate(tmp_path_factory: Any, made: tuple[str, dict[str, Any]]) -> None:
    replicates(written(tmp_path_factory.mktemp("random"), *made))


def test_the_standard_economy_replicates(tmp_path: Path) -> None:
    replicates(written(tmp_path, STANDARD, ALL))


@given(st.data(), st.sampled_from(["GD", "GI", "GDI", "IW", "GDW", "GTW", "GIDTW"]))
def test_random_economies_with_taxes_and_saving_replicate(
    tmp_path_factory: Any, data: st.DataObject, kinds: str
) -> None:
    replicates(written(tmp_path_factory.mktemp("random"), *data.draw(tables(kinds))))


@pytest.mark.parametrize("seed", range(20))
def test_sparse_economies_replicate(tmp_path: Path, seed: int) -> None:
    """Payments that go round: many cells are empty, some accounts are, and some buyers buy nothing."""
    names = ["A0", "A1", "A2", "F0", "F1", "H0", "H1", "G", "I", "W", "D", "T"]
    several = {"activities": names[:3], "factors": names[3:5], "households": names[5:7]}
    cells, stream = dict[tuple[str, str], int](), np.random.default_rng(seed)

    def goes_round(loop: list[str], amount: int) -> None:
        for payer, receiver in zip(loop, [*loop[1:], loop[0]], strict=True):
            cells[receiver, payer] = cells.get((receiver, payer), 0) + amount

    for _ in range(stream.integers(2, 9)):
        walk = [str(stream.choice(names))]
        while walk[-1] not in walk[:-1]:
            walk.append(str(stream.choice([name for name in names if of_kind(name, walk[-1])])))
        goes_round(walk[walk.index(walk[-1]) : -1], int(stream.integers(1, 20)))
    for activity in several["activities"]:
        # What is taxed is there, and what is exported is made.
        if ("T", activity) in cells:
            goes_round([activity, "W", "I"], 10)
        if ("D", activity) in cells or (activity, "W") in cells:
            goes_round([activity, "F0", "H0"], 10 + cells.get((activity, "W"), 0))
    rows = [",".join([row, *(str(cells.get((row, column), "")) for column in names)]) for row in names]
    one = {"government": "G", "investment": "I", "world": "W", "indirect_tax": "D", "tariff": "T"}
    replicates(written(tmp_path, "\n".join([f",{','.join(names)}", *rows]), {**several, **one}))


def test_the_united_states_replicate_and_answer(tmp_path: Path) -> None:
    """A table of real accounts, whose sums have been rounded. Taxes on trade that double are not paid by all alike."""
    path = written(tmp_path, *united_states())
    replicates(path)
    settings = {f"taxes.indirect_tax_{sector}.rate": 0.3 for sector in ("42", "44RT")}
    (found,) = solve(path, settings=settings, starts=1).summary["found"]
    assert found["residual"] < 1e-9
    assert found["price"]["44RT_home"] > 1.1 * found["price"]["FIRE_home"]
    assert found["utility"]["HOH"] < 1 < found["utility"]["GOV"]


@dataclass
class Standard:
    """The standard model in the words of the book: equations by quantities, and parameters from the table."""

    sigma: float
    psi: float

    def __post_init__(self) -> None:
        cells = [[float(cell or 0) for cell in line.split(",")[1:]] for line in STANDARD.splitlines()[1:]]
        sam = np.array(cells)
        use, factors, imports, exports = sam[:2, :2], sam[2:4, :2], sam[9, :2], sam[:2, 9]
        indirect, tariffs = sam[4, :2], sam[5, :2]
        made = use.sum(0) + factors.sum(0)
        at_home, bought = made + indirect - exports, made + indirect - exports + imports + tariffs
        self.owned, self.lent = sam[6, 2:4], sam[8, 9]
        self.indirect, self.tariff = indirect / made, tariffs / imports
        self.direct, self.saving = sam[7, 6] / self.owned.sum(), sam[8, 6] / self.owned.sum()
        self.saving_of_government = sam[8, 7] / sam[7].sum()
        self.alpha, self.mu, self.investment = (sam[:2, buyer] / sam[:2, buyer].sum() for buyer in (6, 7, 8))
        self.ax, self.ay, self.beta = use / made, factors.sum(0) / made, factors / factors.sum(0)
        self.b = factors.sum(0) / np.prod(factors**self.beta, axis=0)
        eta, phi = (self.sigma - 1) / self.sigma, (self.psi + 1) / self.psi
        weights = (1 + self.tariff) * imports ** (1 - eta), at_home ** (1 - eta)
        self.delta = weights / (weights[0] + weights[1])
        self.gamma = bought / (self.delta[0] * imports**eta + self.delta[1] * at_home**eta) ** (1 / eta)
        weights = exports ** (1 - phi), at_home ** (1 - phi)
        self.xi = weights / (weights[0] + weights[1])
        self.theta = made / (self.xi[0] * exports**phi + self.xi[1] * at_home**phi) ** (1 / phi)
        self.eta, self.phi, self.start = eta, phi, np.concatenate([np.ones(6), made, bought])

    def gaps(self, unknown: Any) -> Any:
        """Of wages, prices of what is bought and made at home, outputs and purchases; foreign exchange costs 1."""
        wage, pq, pd, z, q = unknown.reshape(5, 2)
        py = np.prod((wage[:, None] / self.beta) ** self.beta, axis=0) / self.b
        pz = self.ay * py + self.ax.T @ pq
        gross = self.theta**self.phi * (1 + self.indirect) * pz
        exports, sold = (
            (gross * weight / price) ** (1 / (1 - self.phi)) * z
            for weight, price in zip(self.xi, (1.0, pd), strict=True)
        )
        worth = self.gamma**self.eta * pq
        imports = (worth * self.delta[0] / (1 + self.tariff)) ** (1 / (1 - self.eta)) * q
        at_home = (worth * self.delta[1] / pd) ** (1 / (1 - self.eta)) * q
        income = wage @ self.owned
        revenue = self.direct * income + self.indirect @ (pz * z) + self.tariff @ imports
        saved = self.saving * income + self.saving_of_government * revenue + self.lent
        spent = (
            self.alpha * (1 - self.direct - self.saving) * income
            + self.mu * (1 - self.saving_of_government) * revenue
            + self.investment * saved
        )
        return np.concatenate(
            [
                z - self.theta * (self.xi[0] * exports**self.phi + self.xi[1] * sold**self.phi) ** (1 / self.phi),
                q
                - self.gamma
                * (self.delta[0] * imports**self.eta + self.delta[1] * at_home**self.eta) ** (1 / self.eta),
                sold - at_home,
                self.owned - (self.beta * (py * self.ay * z)).sum(1) / wage,
                q - spent / pq - self.ax @ z,
            ]
        )

    def solved(self) -> dict[str, float]:
        found = root(self.gaps, self.start, tol=1e-13)
        assert abs(self.gaps(found.x)).max() < 1e-9, found.message
        wage, pq, pd, _, _ = found.x.reshape(5, 2)
        prices = dict(zip(("CAP", "LAB"), wage, strict=True)) | dict(zip(("BRD", "MLK"), pq, strict=True))
        return prices | dict(zip(("BRD_home", "MLK_home"), pd, strict=True))


FREE_TRADE = {"taxes.tariff_BRD.rate": 0, "taxes.tariff_MLK.rate": 0}


@pytest.mark.parametrize(("sigma", "psi"), [(2.0, 2.0), (3.5, 0.7)])
@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({}, {}),
        (FREE_TRADE, {"tariff": np.zeros(2)}),
        ({"consumers.HOH.endowment.CAP": 55}, {"owned": np.array([55.0, 40.0])}),
        ({"taxes.indirect_tax_BRD.rate": 0.3}, {"indirect": np.array([0.3, 4 / 72])}),
        ({"transfers.saving_HOH.share": 0.4}, {"saving": 0.4}),
        ({"consumers.INV.endowment.EXT": 2}, {"lent": 2.0}),
    ],
)
def test_counterfactuals_of_the_standard_economy_are_those_of_the_book_s_equations(
    tmp_path: Path, settings: dict[str, Any], changed: dict[str, Any], sigma: float, psi: float
) -> None:
    path = written(tmp_path, STANDARD, ALL, calibrate={"elasticities": {"armington": sigma, "transformation": psi}})
    model = Standard(sigma, psi)
    for name, value in changed.items():
        setattr(model, name, value)
    (found,) = solve(path, settings=settings, starts=2).summary["found"]
    for good, price in model.solved().items():
        assert found["price"][good] == pytest.approx(price, rel=1e-9), good
    assert found["price"]["EXT"] == 1
    assert (found["price"]["CAP"] == pytest.approx(1, abs=1e-12)) == (not settings)


def test_taxes_and_shares_of_the_table_can_be_shocked(tmp_path: Path) -> None:
    changes = {"taxes.tariff_BRD.rate": 0, "taxes.tariff_MLK.rate": {"times": 0.5}, "transfers.saving_HOH.share": 0.3}
    path = written(tmp_path, STANDARD, ALL, shocks=[{"tick": 5, "set": changes}], run={"references": "off"})
    before, after = (regime.economy.fiscal for regime in load(path).regimes)
    assert [tax.rate for tax in before.taxes] == pytest.approx([5 / 73, 1 / 13, 4 / 72, 2 / 11])
    assert [tax.rate for tax in after.taxes] == pytest.approx([5 / 73, 0, 4 / 72, 1 / 11])
    assert [each.share for each in after.transfers] == pytest.approx([23 / 90, 0.3, 2 / 35])
    run = simulate(path)
    assert run.summary["outcome"] == "cleared"
    model = Standard(2.0, 2.0)
    model.tariff, model.saving = np.array([0, 1 / 11]), 0.3
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")["price"]
    for good, price in model.solved().items():
        assert last[good] == pytest.approx(price, rel=1e-5)


@pytest.mark.parametrize(("name", "tariff"), [("open_economy", None), ("free_trade", np.zeros(2))])
def test_the_shipped_economy_is_that_of_the_book_with_tariffs_and_without(name: str, tariff: Any) -> None:
    path, model = SCENARIOS / f"{name}.yaml", Standard(2.0, 2.0)
    model.tariff = model.tariff if tariff is None else tariff
    (found,) = solve(path, starts=2).summary["found"]
    for good, price in model.solved().items():
        assert found["price"][good] == pytest.approx(price, rel=1e-9), good
    if name == "free_trade":
        # What the header says of who gains and who loses.
        assert [round(100 * (found["utility"][who] - 1), 1) for who in ("HOH", "INV", "GOV")] == [2.3, 4.1, -6.6]
        assert all(0.91 < price < 0.95 for good, price in found["price"].items() if good != "EXT")


def test_what_an_open_economy_is_written_out_as(tmp_path: Path) -> None:
    """Quantities and names as promised; only what a world and no government has."""
    resolved = load(written(tmp_path, OPEN, {"investment": "INV", "world": "EXT"})).resolved
    assert list(resolved["goods"]) == ["BRD", "BRD_home", "MLK", "MLK_home", "CAP", "LAB", "EXT"]
    assert resolved["numeraire"] == "EXT"
    firms = {firm["name"]: firm["technology"]["reference"] for firm in resolved["firms"]}
    assert list(firms) == ["BRD", "BRD_supply", "MLK", "MLK_supply"]
    bread, supply = firms["BRD"], firms["BRD_supply"]
    assert bread["outputs"] == {"BRD_home": 65, "EXT": 8}
    assert (bread["inputs"], bread["elasticity"], bread["transformation"]) == ({"BRD": 21, "MLK": 17}, 0, 2)
    assert bread["nests"] == {"value_added": {"elasticity": 1, "inputs": {"CAP": 20, "LAB": 15}}}
    assert (supply["outputs"], supply["inputs"]) == ({"BRD": 76}, {"BRD_home": 65, "EXT": 11})
    assert (supply["elasticity"], supply["prices"]) == (2, {})
    home, investment = resolved["consumers"]
    assert home["utility"] == {"reference": {"elasticity": 1, "demand": {"BRD": 45, "MLK": 45}, "prices": {}}}
    assert (home["endowment"], investment["endowment"]) == ({"CAP": 50, "LAB": 40}, {"EXT": 7})
    assert all(firm["behaviour"] == "activity" for firm in resolved["firms"])


def test_what_is_exported_or_imported_whole_has_no_good_made_for_home(tmp_path: Path) -> None:
    """0.1 and 0.2 of factors are all exported, 0.3: what is left for home is the rounding of the sum, so nothing."""
    table = """\
,BRD,MLK,CAP,LAB,HOH,EXT
BRD,,,,,,0.3
MLK,,,,,0.3,
CAP,0.1,,,,,
LAB,0.2,,,,,
HOH,,,0.1,0.2,,
EXT,,0.3,,,,
"""
    path = written(tmp_path, table, {"world": "EXT"})
    replicates(path)
    resolved = load(path).resolved
    assert list(resolved["goods"]) == ["MLK", "CAP", "LAB", "EXT"]
    assert [firm["name"] for firm in resolved["firms"]] == ["BRD", "MLK_supply"]


def test_elasticities_are_those_of_the_scenario(tmp_path: Path) -> None:
    said = {"value_added": 0.8, "intermediates": 0.1, "armington": 3, "transformation": 4, "household": 0.5}
    more = {"investment": "INV", "world": "EXT"}
    resolved = load(written(tmp_path, OPEN, more, calibrate={"elasticities": said})).resolved
    bread, supply = (firm["technology"]["reference"] for firm in resolved["firms"][:2])
    assert (bread["nests"]["value_added"]["elasticity"], bread["elasticity"]) == (0.8, 0.1)
    assert (bread["transformation"], supply["elasticity"]) == (4, 3)
    home, investment = (consumer["utility"]["reference"]["elasticity"] for consumer in resolved["consumers"])
    assert (home, investment) == (0.5, 1)


def test_what_the_scenario_says_besides_lies_over_what_is_written_out(tmp_path: Path) -> None:
    said: dict[str, Any] = {
        "numeraire": "CAP",
        "firms": [
            {"name": "dairy", "technology": {"activity": {"MLK": 1, "LAB": -2}}, "behaviour": "activity"},
            {"name": "MLK", "technology": {"reference": {"nests": {"value_added": {"elasticity": 0.5}}}}},
        ],
        "consumers": [{"name": "HOH", "endowment": {"CAP": 27.5}}],
        "shocks": [{"tick": 3, "set": {"firms.BRD.productivity": {"times": 1.5}}}],
        "scheduler": {"rate": 0.2},
        "trade": None,
    }
    said["consumers"].append({"name": "town", "utility": {"cobb_douglas": {"BRD": 1}}, "endowment": {"LAB": 1}})
    path = written(tmp_path, **{key: value for key, value in said.items() if value is not None})
    resolved = load(path, settings={"firms.BRD.behaviour.activity.rate": 0.05, "goods.MLK.price": 1.25}).resolved
    assert [firm["name"] for firm in resolved["firms"]] == ["BRD", "MLK", "dairy"]
    bread, milk, _ = resolved["firms"]
    assert bread["behaviour"]["activity"]["rate"] == 0.05
    assert milk["technology"]["reference"]["nests"]["value_added"] == {
        **{"elasticity": 0.5, "inputs": {"CAP": 20, "LAB": 15}},
    }
    assert resolved["consumers"][0]["endowment"] == {"CAP": 27.5, "LAB": 25}
    assert (resolved["numeraire"], resolved["goods"]["MLK"]["price"]) == ("CAP", 1.25)
    assert (resolved["scheduler"]["rate"], resolved["trade"]) == (0.2, "at_equilibrium")
    assert load(path).regimes[1].economy.firms[0].technology.productivity == 1.5


def test_a_counterfactual_is_based_on_the_calibrated_scenario_or_on_what_is_written(tmp_path: Path) -> None:
    path = written(tmp_path)
    CliRunner().invoke(app, ["calibrate", str(path), "-o", str(tmp_path / "whole.yaml")], catch_exceptions=False)
    differences = {"consumers": [{"name": "HOH", "endowment": {"CAP": 27.5}}]}
    resolved = list[Any]()
    for base in ("economy.yaml", "whole.yaml"):
        (tmp_path / "more.yaml").write_text(dump({"base": base, **differences}), encoding="utf-8")
        resolved.append(load(tmp_path / "more.yaml").resolved)
    assert dump(resolved[0]) == dump(resolved[1])
    assert resolved[0]["consumers"][0]["endowment"] == {"CAP": 27.5, "LAB": 25}


def test_a_mistake_in_an_entry_that_moved_keeps_its_line(tmp_path: Path) -> None:
    path = written(tmp_path)
    more = "firms:\n  - {name: MLK, behaviour: {activity: {rate: -1}}}\nscheduler: {rat: 1}\n"
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    lines = path.read_text(encoding="utf-8").count("\n")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    at = {problem.path: (problem.where, problem.line) for problem in caught.value.problems}
    assert at == {
        "firms.MLK.behaviour.activity.rate": (str(path), lines - 1),
        "scheduler.rat": (str(path), lines),
    }


@pytest.mark.parametrize("wrong", ["run.tickz", "calibrate.elasticities.armingtn", "taxes.tarif_BRD.rate"])
def test_a_path_that_is_unknown_is_one_mistake(tmp_path: Path, wrong: str) -> None:
    assert [said.partition(":")[0] for said in refused(written(tmp_path, STANDARD, ALL), **{wrong: 0})] == [wrong]


def test_written_out_it_is_the_same_scenario_from_any_folder(tmp_path: Path) -> None:
    shock = {"tick": 2, "set": {"consumers.HOH.endowment.CAP": 26}}
    path = written(tmp_path, OPEN, {"investment": "INV", "world": "EXT"}, shocks=[shock], run={"ticks": 4})
    file = tmp_path / "elsewhere" / "benchmark.yaml"
    file.parent.mkdir()
    runner = CliRunner()
    said = runner.invoke(app, ["calibrate", str(path), "-o", str(file)], catch_exceptions=False)
    assert said.output == f"wrote {file}\n"
    assert "calibrate:" not in file.read_text(encoding="utf-8")
    one, other = load(path).resolved, load(file).resolved
    assert dump(one | {"name": ""}) == dump(other | {"name": ""})
    printed = runner.invoke(app, ["calibrate", str(path)], catch_exceptions=False)
    assert printed.stdout == file.read_text(encoding="utf-8")
    assert runner.invoke(app, ["calibrate", str(path), "-o", str(file)]).exit_code != 0
    for output, source in ((path, written(tmp_path)), (file, file)):
        assert runner.invoke(app, ["calibrate", str(source), "-o", str(output)]).exit_code != 0


def test_a_run_keeps_the_table_beside_what_was_written_out(tmp_path: Path) -> None:
    settings = {"run.ticks": 3, "run.references": "off", "consumers.HOH.endowment.CAP": 30}
    run_to_disk(load(written(tmp_path), settings=settings), tmp_path / "out")
    assert (tmp_path / "out" / "inputs" / "sam.csv").read_text(encoding="utf-8") == HOSOE
    run_to_disk(load(tmp_path / "out" / "scenario.yaml"), tmp_path / "again")
    for name in ("scenario.yaml", "trajectory.csv", "agents.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_other_values_are_written_into_the_file_and_leave_its_table(tmp_path: Path) -> None:
    path = written(tmp_path)
    other = tmp_path / "other" / "tuned.yaml"
    other.parent.mkdir()
    other.write_text(text_with(path, {"scheduler.rate": 0.3, "calibrate.elasticities.household": 2}, other.parent))
    assert "../sam.csv" in other.read_text(encoding="utf-8")
    (tmp_path / "sam.csv").rename(other.parent / "sam.csv")
    other.write_text(other.read_text(encoding="utf-8").replace("../sam.csv", "sam.csv"), encoding="utf-8")
    resolved = load(other).resolved
    assert resolved["scheduler"]["rate"] == 0.3
    assert resolved["consumers"][0]["utility"]["reference"]["elasticity"] == 2


def test_a_table_that_nobody_named_is_not_read_for_plain_data(tmp_path: Path) -> None:
    written(tmp_path)
    data = {"calibrate": {"sam": str(tmp_path / "sam.csv"), "accounts": SEVERAL}}
    (said,) = refused(data)
    assert said.startswith("calibrate.sam: found")
    assert "outside the scenario's folder" in said
    assert load(data, inputs={data["calibrate"]["sam"]: tmp_path / "sam.csv"}).economy.goods[0] == "BRD"


@pytest.mark.parametrize("table", [HOSOE.replace(" ", ""), HOSOE.replace(",", " , "), HOSOE.replace(",,", ",0,")])
def test_blanks_are_nothing_and_rows_may_stand_in_any_order(tmp_path: Path, table: str) -> None:
    first, *rows = table.strip().split("\n")
    replicates(written(tmp_path, "\n".join([first, *reversed(rows)])))


@given(st.lists(st.floats(-4e-7, 4e-7), min_size=8, max_size=8))
def test_what_rounding_leaves_is_spread_over_cells(tmp_path_factory: Any, errors: list[float]) -> None:
    """Of a table that is out of balance by less than a part in a million the economy is exactly in balance."""
    cells = (cell for cell in errors)
    rows = [
        [f"{float(cell) * (1 + next(cells)):.17g}" if cell[:1].isdigit() else cell for cell in line.split(",")]
        for line in HOSOE.splitlines()
    ]
    path = written(tmp_path_factory.mktemp("rounded"), "\n".join(map(",".join, rows)))
    replicates(path)
    before, after = load(CASES / "hosoe.yaml").economy, load(path).economy
    np.testing.assert_allclose(after.total_supply, before.total_supply, rtol=2e-6)


MISTAKES: dict[str, tuple[str, str, dict[str, Any], list[str]]] = {
    "a factor paid by a household": (
        *("CAP,5,20,,,", "CAP,5,20,,,3", {}),
        ["found 3 in row CAP, column HOH of", "paid by HOH (households)", "factors are paid by activities alone"],
    ),
    "a negative cell": (
        *("BRD,,,,,15", "BRD,,-2,,,17", {}),
        ["found -2 in row BRD, column MLK of", "expected at least 0; did you mean 2 in row MLK, column BRD"],
    ),
    "a row off its column": (
        *("LAB,10,15,,,", "LAB,10,15.001,,,", {}),
        ["found a row LAB of", "sums to 25.001 and a column LAB that sums to 25 (+0.001); expected the same sum"],
    ),
    "text in a cell": (
        *("CAP,5,20,,,", "CAP,5,1 000,,,", {}),
        ["found '1 000' in row CAP, column MLK of", "expected a number of at least 0", "did you mean 1000?"],
    ),
    "not a number": ("CAP,5,20,,,", "CAP,5,.nan,,,", {}, ["found '.nan' in row CAP, column MLK of"]),
    "an account that the table does not have": (
        *("", "", {"factors": ["CAP", "LABB"]}),
        ["accounts.factors[1]: unknown account of", "'LABB'; expected one of BRD, MLK", "did you mean LAB?"],
    ),
    "an account of the table that is not said": (
        *("", "", {"factors": ["CAP"]}),
        ["found a column 'LAB' in", "that is not among accounts; expected accounts to say what it is"],
    ),
    "an account twice": (
        *("", "", {"government": "HOH"}),
        ["calibrate.accounts.government: found HOH twice; expected it once (the other is accounts.households[0])"],
    ),
    "a row twice": (
        "HOH,,,25,25,",
        "HOH,,,25,25,\nHOH,,,,,",
        {},
        ["found the row 'HOH' in", "twice; expected it once"],
    ),
    "a row without a column": (
        "HOH,,,25,25,",
        "HOH,,,25,25,\nGOV,,,,,",
        {},
        ["found a row 'GOV' in", "no such column; expected both"],
    ),
    "a column without a row": ("HOH,,,25,25,", "", {}, ["found a column 'HOH' in", "no such row; expected both"]),
    "no header": (
        ",BRD,MLK,CAP,LAB,HOH\n",
        "a,b,c,d,e,f\n",
        {},
        ["found no account in the first line of", "the names of all"],
    ),
    "nothing": (
        HOSOE,
        ",BRD,MLK,CAP,LAB,HOH\nBRD,,,,,\nMLK,,,,,\nCAP,,,,,\nLAB,,,,,\nHOH,,,,,\n",
        {},
        ["found no payment in"],
    ),
    "other commas": (",", ";", {}, ["found semicolons between the cells of"]),
    "a name that is taken": (
        *("BRD", "value_added", {"activities": ["value_added", "MLK"]}),
        ["found the account value_added, which is what the nest of factors is called; expected another name"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_table_is_told_with_its_cell(tmp_path: Path, mistake: str) -> None:
    before, after, accounts, parts = MISTAKES[mistake]
    said = "\n".join(refused(written(tmp_path, HOSOE.replace(before, after) if before else HOSOE, accounts)))
    assert said.startswith("calibrate.")
    for part in parts:
        assert part in said


FOREIGN = {"world": "EXT", "government": "GOV", "tariff": "TRF", "indirect_tax": "IDT"}
ONE = {"activities": ["BRD"], "factors": ["CAP"], "households": ["HOH"], **FOREIGN}
NAMES = ["BRD", "CAP", "HOH", "EXT", "GOV", "TRF", "IDT"]


@pytest.mark.parametrize(
    ("paid", "parts"),
    [
        (
            {("BRD", "HOH"): 10, ("BRD", "EXT"): 20, ("CAP", "BRD"): 10, ("EXT", "BRD"): 20, ("HOH", "CAP"): 10},
            ["found exports of 20 in row BRD, column EXT of", "and 10 made of it; expected at most what is made"],
        ),
        (
            {
                **{("BRD", "HOH"): 10, ("BRD", "GOV"): 2, ("CAP", "BRD"): 10, ("TRF", "BRD"): 2},
                **{("GOV", "TRF"): 2, ("HOH", "CAP"): 10},
            },
            ["found 2 in row TRF, column BRD of", "and no imports by BRD; expected something to tax, or no tax"],
        ),
        (
            {
                **{("BRD", "EXT"): 1, ("BRD", "GOV"): 1, ("IDT", "BRD"): 1, ("EXT", "BRD"): 1},
                ("GOV", "IDT"): 1,
            },
            ["found 1 in row IDT, column BRD of", "and nothing used by BRD; expected something to tax"],
        ),
    ],
)
def test_what_no_activity_can_do_is_told_with_its_cell(
    tmp_path: Path, paid: dict[tuple[str, str], int], parts: list[str]
) -> None:
    rows = [",".join([row, *(str(paid.get((row, column), "")) for column in NAMES)]) for row in NAMES]
    (said,) = refused(written(tmp_path, "\n".join([f",{','.join(NAMES)}", *rows]), ONE))
    for part in parts:
        assert part in said


def test_editors_know_the_keys_and_ask_nothing_of_differences() -> None:
    validator = Draft202012Validator(scenario_schema())
    calibrate = {"sam": "sam.csv", "accounts": SEVERAL}
    assert not list(validator.iter_errors({"calibrate": calibrate, "consumers": [{"name": "HOH"}]}))
    for broken in ({"sam": "sam.csv"}, {**calibrate, "closure": {"world": "free"}}, {**calibrate, "elasticity": {}}):
        assert list(validator.iter_errors({"calibrate": broken})), broken


@pytest.mark.parametrize(("key", "value"), [("program", "c = a*b"), ("learning", {"patterns": {"or": 2}})])
def test_a_table_has_no_place_beside_a_program_or_patterns(tmp_path: Path, key: str, value: Any) -> None:
    said = "\n".join(refused(written(tmp_path, **{key: value})))
    assert f"calibrate: found calibrate beside {key}; expected" in said
