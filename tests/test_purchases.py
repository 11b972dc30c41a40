"""Tastes from purchases: Afriat's index by several roads, tastes found again, what is held out, and refusals."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from simulator import LearntTastes, ScenarioError, fit_purchases, simulate
from tests.house import (
    CES,
    CHOICES,
    TASTE_FORMS,
    Array,
    CobbDouglas,
    HeldOut,
    Homothetic,
    Purchases,
    RunFolderError,
    StoneGeary,
    efficiency,
    random_efficiencies,
    standard_errors,
)
from tests.program import simulator

SHIPPED = Path(__file__).resolve().parent.parent / "scenarios" / "studies" / "purchases.csv"
GOODS = ("bread", "wine", "fuel")
HEADER = "household,period,good,price,quantity\n"
SHARES = np.array([[0.5, 0.2, 0.3]])
TASTES: dict[str, Any] = {
    "cobb_douglas": Homothetic(CobbDouglas(SHARES)),
    "ces": Homothetic(CES(np.array([2.5]), SHARES)),
    "stone_geary": StoneGeary(CobbDouglas(SHARES), np.array([[2.0, 0.0, 1.0]])),
}
TRUTH = {
    "cobb_douglas": [0.5, 0.2, 0.3],
    "ces": [0.5, 0.2, 0.3, 2.5],
    "stone_geary": [0.5, 0.2, 0.3, 2.0, 0.0, 1.0],
}
FORM = {form.name: form for form in TASTE_FORMS}


def budgets(periods: int, seed: int = 0, goods: int = 3) -> tuple[Array, Array]:
    draws = np.random.default_rng(seed)
    return draws.lognormal(0.0, 0.4, (periods, goods)), draws.uniform(15.0, 30.0, periods)


def bought_by(taste: Any, prices: Array, spent: Array, name: str = "one") -> Purchases:
    """What a taste of the house demands, which knows nothing of how it is learnt."""
    income = zip(prices, spent, strict=True)
    quantities = np.array([taste.demand(price, np.array([money]))[0] for price, money in income])
    return Purchases(name, tuple(map(str, range(len(prices)))), prices, quantities)


def rows_of(purchases: Purchases, goods: tuple[str, ...] = GOODS) -> list[str]:
    cells = zip(purchases.periods, purchases.prices.tolist(), purchases.quantities.tolist(), strict=True)
    return [
        f"{purchases.household},{period},{good},{price!r},{quantity!r}\n"
        for period, prices, quantities in cells
        for good, price, quantity in zip(goods, prices, quantities, strict=True)
    ]


def learn(folder: Path, *households: Purchases, **options: Any) -> LearntTastes:
    file = folder / "purchases.csv"
    file.write_text(HEADER + "".join(row for each in households for row in rows_of(each)))
    return fit_purchases(file, **options)


def garp(prices: Array, quantities: Array, e: float) -> bool:
    """Whether no preference at efficiency `e` goes round with a strict link: the definition, step by step."""
    periods, cost = range(len(prices)), prices @ quantities.T
    reach = [[bool(e * cost[t, t] >= cost[t, s]) for s in periods] for t in periods]
    for by, t, s in itertools.product(periods, repeat=3):
        reach[t][s] = reach[t][s] or (reach[t][by] and reach[by][s])
    return not any(reach[t][s] and e * cost[s, s] > cost[s, t] for t in periods for s in periods)


def least_cycle(prices: Array, quantities: Array) -> float:
    """The least of the largest ratios of all cycles, each of them listed."""
    cost = prices @ quantities.T
    ratios = cost / np.diag(cost)[:, None]
    cycles = (cycle for size in range(2, len(prices) + 1) for cycle in itertools.permutations(range(len(prices)), size))
    return min(1.0, min(max(ratios[t, s] for t, s in zip(c, (*c[1:], c[0]), strict=True)) for c in cycles))


@pytest.mark.parametrize("seed", range(12))
def test_the_index_is_the_least_of_all_cycles_and_where_garp_ends(seed: int) -> None:
    draws = np.random.default_rng(seed)
    prices, quantities = draws.lognormal(0, 0.7, (5, 3)), draws.lognormal(0, 0.7, (5, 3))
    index = float(efficiency(prices, quantities))
    assert index == pytest.approx(least_cycle(prices, quantities), rel=1e-14)
    assert garp(prices, quantities, index * (1 - 1e-9))
    assert index == 1 or not garp(prices, quantities, index * (1 + 1e-9))


def test_the_index_is_found_by_bisection_over_sorted_ratios_too() -> None:
    draws = np.random.default_rng(5)
    prices, quantities = draws.lognormal(0, 0.7, (14, 4)), draws.lognormal(0, 0.7, (14, 4))
    cost = prices @ quantities.T
    steps = np.unique([*(cost / np.diag(cost)[:, None]).ravel(), 1.0])
    steps = steps[steps <= 1]
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        above = (steps[middle] + steps[middle + 1]) / 2
        low, high = (middle + 1, high) if garp(prices, quantities, above) else (low, middle)
    assert 0 < low < len(steps) - 1
    assert float(efficiency(prices, quantities)) == pytest.approx(steps[low], rel=1e-14)


def test_many_periods_have_the_index_of_the_closure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two roads: strong components, and the transitive closure. Some cases are rational, some tie, some cost 0."""
    draws = np.random.default_rng(2)
    cases = [
        (draws.lognormal(0, spread, (periods, 3)), np.maximum(draws.integers(0, 3, (40, periods, 3)), [0, 0, 0.5]))
        for spread in (0.0, 0.1, 0.7)
        for periods in (1, 2, 9)
    ]
    by_closure = [efficiency(*each) for each in cases]
    monkeypatch.setattr("simulator.studies.afriat.FEW", 0)
    for each, expected in zip(cases, by_closure, strict=True):
        np.testing.assert_array_equal(efficiency(*each), expected)
    assert min(map(np.min, by_closure)) < 0.5 < max(map(np.max, by_closure)) == 1


def test_a_good_that_is_not_always_bought_leaves_others_their_subsistence() -> None:
    """In the first period money is just enough for what comes first, and no wine is bought."""
    first, a = np.array([2.0, 0.0, 1.0]), np.array([0.5, 0.2, 0.3])
    prices, spent = budgets(12)
    spent[0] = prices[0] @ first
    bought = first + a * (spent - prices @ first)[:, None] / prices
    bought[0, 1] = 0.0
    purchases = Purchases("a", tuple(map(str, range(12))), prices, bought)
    form = FORM["stone_geary"](3)
    fitted = form.fit(purchases)
    assert form.numbers(fitted.u)[0] == pytest.approx([*a, *first], rel=1e-6, abs=1e-12)
    assert fitted.cost < 1e-12
    assert fitted.held[3]


def test_an_index_that_others_published() -> None:
    """The example of the R package revpref (Surana): an index of 0.9488409, and 86 % of random choices fail."""
    prices = [4, 4, 4, 1, 9, 3, 2, 8, 3, 1, 8, 4, 3, 1, 9, 3, 2, 8, 8, 4, 1, 4, 1, 8, 9, 3, 1, 8, 3, 2]
    bought = [1.81, 0.19, 10.51, 17.28, 2.26, 4.13, 12.33, 2.05, 2.99, 6.06, 5.19, 0.62, 11.34, 10.33, 0.63, 4.33]
    bought += [8.08, 2.61, 4.36, 1.34, 9.76, 1.37, 36.35, 1.02, 3.21, 4.97, 6.20, 0.32, 8.53, 10.92]
    p, x = np.array(prices, dtype=float).reshape(10, 3), np.array(bought).reshape(10, 3)
    assert float(efficiency(p, x)) == pytest.approx(0.9488409, abs=5e-8)
    chance = random_efficiencies(p, np.sum(p * x, axis=1), np.random.default_rng(0))
    assert len(chance) == CHOICES
    assert np.mean(chance < 1) == pytest.approx(0.858, abs=0.08)


def test_a_cycle_of_two_by_hand() -> None:
    # Each could have had the other's bundle: for 14 of 16, and for 12 of 15.
    prices, quantities = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[6.0, 4.0], [3.0, 6.0]])
    assert float(efficiency(prices, quantities)) == pytest.approx(14 / 15)
    assert efficiency(prices, quantities[::-1]) == 1


def test_bundles_that_cost_the_same_waste_nothing() -> None:
    # All lie on one line of prices, whose costs differ by rounding.
    prices = np.array([[0.1, 0.2, 0.7]] * 4)
    quantities = np.array([[3.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.5, 0.0], [0.0, 0.0, 3 / 7]])
    assert efficiency(prices, quantities) == 1


def test_random_choices_side_by_side_are_those_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    prices, spent = budgets(9)
    whole = random_efficiencies(prices, spent, np.random.default_rng(3))
    monkeypatch.setattr("simulator.studies.afriat.MOST_CELLS", 81 * 7)
    assert random_efficiencies(prices, spent, np.random.default_rng(3)) == pytest.approx(whole, rel=1e-14)


@pytest.mark.parametrize("name", TASTES)
def test_what_a_taste_buys_tells_the_taste(name: str, tmp_path: Path) -> None:
    purchases = bought_by(TASTES[name], *budgets(20))
    found = learn(tmp_path, purchases)
    rows = found.tastes[found.tastes["form"] == name]
    assert rows["estimate"].to_numpy() == pytest.approx(np.array(TRUTH[name]), abs=1e-6)
    assert found.efficiency["efficiency"].tolist() == [1.0]
    assert found.efficiency["random_median"].iloc[0] < 1
    named = found.held_out[found.held_out["simplest"] == 1]
    assert named["form"].tolist() == [name]
    assert named["error"].iloc[0] < 1e-12


@pytest.mark.parametrize("name", TASTES)
def test_slopes_of_shares_and_numbers_are_their_differences(name: str) -> None:
    form = FORM[name](3)
    prices, spent = budgets(7)
    u = np.array([0.3, -0.4, *([] if name == "cobb_douglas" else [0.7] if name == "ces" else [1.0, 0.2, 2.0])])
    for at in (spent, spent / 6):  # Who has a sixth is below subsistence in some periods.
        steps = 1e-6 * np.eye(len(u))
        shares = [(form.shares(u + h, prices, at)[0] - form.shares(u - h, prices, at)[0]) / 2e-6 for h in steps]
        assert form.shares(u, prices, at)[1] == pytest.approx(np.stack(shares, axis=-1), abs=1e-7)
        assert form.shares(u, prices, at)[0].sum(axis=1) == pytest.approx(np.ones(7))
    numbers = [(form.numbers(u + h)[0] - form.numbers(u - h)[0]) / 2e-6 for h in steps]
    assert form.numbers(u)[1] == pytest.approx(np.stack(numbers, axis=-1), abs=1e-7)


@pytest.mark.parametrize("name", ["cobb_douglas", "ces", "stone_geary"])
def test_standard_errors_are_how_far_estimates_scatter(name: str) -> None:
    true = bought_by(TASTES[name], *budgets(30))
    form, estimates, errors = FORM[name](3), list[Array](), list[Array]()
    for seed in range(150):
        noise = np.random.default_rng(seed).normal(0, 0.004, true.quantities.shape)
        shares = true.shares + noise - noise.mean(axis=1, keepdims=True)
        seen = true._replace(quantities=shares * true.spent[:, None] / true.prices)
        fitted = form.fit(seen)
        estimates.append(form.numbers(fitted.u)[0])
        errors.append(standard_errors(form, fitted, seen))
    # Subsistence of wine is 0, at its bound: there an error is no measure.
    told = [at for at in range(len(TRUTH[name])) if name != "stone_geary" or at != 4]
    scatter = np.std(estimates, axis=0)[told]
    if name == "stone_geary":
        told_errors = np.nanmedian(errors, axis=0)[told]
        assert told_errors == pytest.approx(scatter, rel=0.35)
    else:
        assert np.mean(errors, axis=0)[told] == pytest.approx(scatter, rel=0.2)


def test_subsistence_is_at_most_the_least_bought(tmp_path: Path) -> None:
    needs = StoneGeary(CobbDouglas(SHARES), np.array([[3.0, 0.0, 0.0]]))
    prices, spent = budgets(12)
    spent[5] = 0.5 * prices[5, 0]
    found = learn(tmp_path, bought_by(needs, prices, spent)).tastes.set_index(["form", "parameter"]).loc["stone_geary"]
    assert found["estimate"]["subsistence.bread"] == pytest.approx(0.5, abs=1e-9)
    assert np.isnan(found["standard_error"]["subsistence.bread"])
    assert np.isfinite(found["standard_error"]["share.bread"])


def test_what_purchases_do_not_tell_has_no_standard_error(tmp_path: Path) -> None:
    prices, spent = budgets(8)
    found = learn(tmp_path, bought_by(TASTES["cobb_douglas"], np.ones_like(prices), spent))
    rows = found.tastes.set_index(["form", "parameter"])["standard_error"]
    assert np.isnan(rows["ces", "elasticity"])
    assert np.isfinite(rows["ces", "share.bread"])


def test_goods_bought_at_times_or_never(tmp_path: Path) -> None:
    prices, spent = budgets(16)
    one = bought_by(TASTES["ces"], prices, spent)
    one.quantities[:, 1] = 0.0
    one.quantities[[2, 15], 2] = 0.0
    found = learn(tmp_path, one)
    assert [name for name in found.tastes["parameter"] if name.endswith("wine")] == []
    rows = found.tastes[found.tastes["form"] == "cobb_douglas"]
    assert rows["estimate"].to_numpy() == pytest.approx(one.shares[:, [0, 2]].mean(axis=0))
    assert found.consumers[0]["utility"].popitem()[1].keys() <= {"elasticity", "shares", "bread", "fuel"}
    assert np.isfinite(found.held_out["error"]).all()


def test_a_good_bought_for_the_first_time_is_not_expected(tmp_path: Path) -> None:
    one = bought_by(TASTES["cobb_douglas"], *budgets(8))
    one.quantities[:6, 1] = 0.0
    found = learn(tmp_path, one)
    expected = np.sum((one.shares[6:] - [*one.shares[:6].mean(axis=0)]) ** 2, axis=1).mean()
    assert found.held_out["error"].iloc[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("gaps", "least", "simplest"),
    [
        ([[3, 3, 3, 3], [1, 1, 1, 1], [2, 2, 2, 2]], 1, 1),
        # Worse on average by 1, with a standard error of the difference of 1.2: near enough.
        ([[5, 1, 1, 1], [1, 1, 1, 1], [9, 9, 9, 9]], 1, 0),
        # By 1 with a standard error of 0.6.
        ([[3, 2, 0, 3], [1, 1, 1, 1], [9, 9, 9, 9]], 1, 1),
        ([[1e-30, 1e-30], [1e-31, 1e-31], [0, 0]], 0, 0),
        ([[2], [1], [3]], 1, 1),
    ],
)
def test_the_simplest_within_one_standard_error_is_named(gaps: Any, least: int, simplest: int) -> None:
    held = HeldOut(np.array(gaps, dtype=float))
    assert (held.least, held.simplest) == (least, simplest)


@pytest.mark.parametrize(("part", "held"), [(0.25, 3), (0.5, 6), (0.01, 1), (0.99, 11)])
def test_the_last_periods_are_held_out_and_all_are_fitted(part: float, held: int, tmp_path: Path) -> None:
    one = bought_by(TASTES["cobb_douglas"], *budgets(12))._replace(periods=tuple(map(str, range(1, 13))))
    one.quantities[:] *= np.random.default_rng(1).uniform(0.5, 1.5, one.quantities.shape)
    found = learn(tmp_path, one, hold_out=part)
    assert found.held_out["periods"].tolist() == [held] * 3
    mean = one.shares[: 12 - held].mean(axis=0)
    assert found.held_out["error"].iloc[0] == pytest.approx(
        np.sum((one.shares[12 - held :] - mean) ** 2, axis=1).mean()
    )
    rows = found.tastes[found.tastes["form"] == "cobb_douglas"]
    assert rows["estimate"].to_numpy() == pytest.approx(one.shares.mean(axis=0))


def test_neither_the_order_of_rows_nor_other_households_matter(tmp_path: Path) -> None:
    header, *rows = SHIPPED.read_text().splitlines(keepends=True)
    whole = fit_purchases(SHIPPED)
    # Not by good: its first rows tell in which order goods are told.
    rows = rows[:3] + np.random.default_rng(0).permutation(rows[3:]).tolist()
    (tmp_path / "shuffled.csv").write_text(header + "".join(rows))
    (tmp_path / "one.csv").write_text(header + "".join(row for row in rows if row.startswith("miller")))
    shuffled, one = fit_purchases(tmp_path / "shuffled.csv"), fit_purchases(tmp_path / "one.csv")
    for table in ("tastes", "efficiency", "held_out"):
        frame, other, mine = (getattr(each, table).set_index("household") for each in (whole, shuffled, one))
        for household in frame.index.unique():
            assert frame.loc[[household]].equals(other.loc[[household]])
        assert frame.loc[["miller"]].equals(mine.loc[["miller"]])


def test_the_shipped_purchases_are_told_apart() -> None:
    found = fit_purchases(SHIPPED)
    named = found.held_out[found.held_out["simplest"] == 1].set_index("household")["form"]
    assert named[["miller", "widow", "clerk"]].tolist() == ["ces", "stone_geary", "cobb_douglas"]
    index = found.efficiency.set_index("household")["efficiency"]
    assert (index[["miller", "widow", "clerk"]] > 0.99).all()
    assert index["sailor"] < 0.95
    elasticity = found.tastes.set_index(["household", "form", "parameter"]).loc["miller", "ces", "elasticity"]
    assert abs(elasticity["estimate"] - 2.5) < 3 * elasticity["standard_error"]


def test_pooled_purchases_are_one_households(tmp_path: Path) -> None:
    one, two = (bought_by(TASTES["ces"], *budgets(8, seed), name) for seed, name in ((1, "a"), (2, "b")))
    found = learn(tmp_path, one, two, pooled=True)
    assert found.efficiency[["household", "periods", "efficiency"]].to_numpy().tolist() == [["pooled", 16, 1.0]]
    assert found.held_out["periods"].tolist() == [4] * 3
    rows = found.tastes.set_index(["form", "parameter"])["estimate"]
    assert rows["ces", "elasticity"] == pytest.approx(2.5)
    spent = np.append(one.spent, two.spent)
    assert found.consumers[0]["budget"] == pytest.approx(spent.mean())
    assert (found.consumers[0]["name"], found.consumers[0]["count"]) == ("pooled", 2)


def test_learnt_consumers_run_inside_a_scenario(tmp_path: Path) -> None:
    fit_purchases(SHIPPED, out=tmp_path)
    consumers = YAML(typ="safe").load((tmp_path / "consumers.yaml").read_text())["consumers"]
    run = simulate({"goods": [*GOODS], "supply": {"bread": 30, "wine": 20, "fuel": 40}, "consumers": consumers})
    assert run.summary["outcome"] == "cleared"
    last = run.agents[run.agents["tick"] == run.summary["ticks"]].set_index(["agent", "good"])["quantity"]
    prices = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")["price"]
    taste = consumers[0]["utility"]["ces"]
    weights = {good: taste["shares"][good] * prices[good] ** (1 - taste["elasticity"]) for good in GOODS}
    for good in GOODS:
        share = weights[good] / sum(weights.values())
        assert last["miller", good] == pytest.approx(share * consumers[0]["budget"] / prices[good], rel=1e-3)


def test_the_command_writes_its_files_and_the_same_bytes_again(tmp_path: Path) -> None:
    asked = ("fit", "--purchases", str(SHIPPED), "--seed", "3")
    done = simulator(*asked, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 of 4 households buy as if they wanted the most for their money" in done.stdout
    folder = tmp_path / "outputs" / "purchases"
    files = {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert {*files} == {"tastes.csv", "efficiency.csv", "held_out.csv", "consumers.yaml", "summary.json", "tastes.png"}
    refused = simulator(*asked, cwd=tmp_path)
    assert (refused.returncode, "--overwrite replaces it" in refused.stderr) == (2, True)
    again = simulator(*asked, "--overwrite", "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == json.loads(files["summary.json"])
    assert {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == files
    other = simulator(*asked[:-1], "4", "--quiet", "--out", "other", cwd=tmp_path)
    assert (other.returncode, other.stdout) == (0, "")
    written = tmp_path / "other" / "purchases"
    assert (written / "tastes.csv").read_bytes() == files["tastes.csv"]
    assert (written / "efficiency.csv").read_bytes() != files["efficiency.csv"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pooled"], "--pooled: found no --purchases; expected it beside"),
        (["--hold-out", "0.3"], "--hold-out: found no --purchases"),
        (["study.yaml", "--purchases", str(SHIPPED)], "--purchases: found the study study.yaml too"),
        ([], "fit: found no STUDY; expected one"),
        ([str(SHIPPED)], "did you mean --purchases"),
        (
            ["--purchases", str(SHIPPED), "--hold-out", "1"],
            "--hold-out: found '1'; expected a number above 0 and below 1",
        ),
        (["--purchases", str(SHIPPED), "--hold-out", "last"], "--hold-out: found 'last'"),
        (["--purchases", str(SHIPPED), "--seed", "x"], "--seed: found 'x'"),
        (["--purchases", "none.csv"], "found no file none.csv"),
    ],
)
def test_a_wrong_command_line(words: list[str], message: str, tmp_path: Path) -> None:
    done = simulator("fit", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("rows", "complaints"),
    [
        (
            "a,1,x,0,1\na,1,y,1,-2\na,2,x,z,1\na,2,y,1,1\n",
            [":2: price: found 0", ":4: price: found 'z'", ":3: quantity"],
        ),
        ("a,1,x,1,1\na,1,y,1,1\na,2,x,1,1\n", [":4: good: found no row for y in period 2 of household a"]),
        ("a,1,x,1,1\na,1,y,1,1\na,2,x,1,0\na,2,y,1,0\n", [":4: quantity: found nothing bought in period 2"]),
        (
            "a,1,x,1,1\na,1,y,1,1\na,1,x,1,2\na,2,y,1,1\na,2,x,1,1\n",
            [":4: found 'x' twice in period 1 of a (line 2 too)"],
        ),
        ("a,1,x,1,1\na,1,y,1,1\n", [":2: found one period of household a; expected two or more"]),
        ("a,1,x,1,1\na,2,x,1,1\n", [":1: found one good, x; expected two or more"]),
        (
            "a b,1,x,1,1\na b,,y/,1,1\n",
            [":2: household: found 'a b'", ":3: period: found no period", ":3: good: found 'y/'"],
        ),
        ("a,1,x,1e300,1\na,1,y,1e-300,1e200\n", [":2: price: found 1e300", ":3: price: found 1e-300", ":3: quantity"]),
        ("", [":1: found no rows"]),
    ],
)
def test_a_file_is_refused_with_its_place(rows: str, complaints: list[str], tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(HEADER + rows)
    with pytest.raises(ScenarioError) as refused:
        fit_purchases(file)
    told = str(refused.value).splitlines()
    assert [complaint for complaint in complaints if not any(f"bad.csv{complaint}" in line for line in told)] == []
    assert len(told) == len(complaints)


def test_a_part_to_hold_out_is_a_part() -> None:
    with pytest.raises(ValueError, match="found hold_out 1; expected a number above 0 and below 1"):
        fit_purchases(SHIPPED, hold_out=1)


def test_many_households_are_drawn(tmp_path: Path) -> None:
    households = [bought_by(TASTES["ces"], *budgets(6, seed), f"household_{seed}") for seed in range(20)]
    found = learn(tmp_path, *households, out=tmp_path / "many")
    assert len(found.efficiency) == 20
    assert (tmp_path / "many" / "figures" / "tastes.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("wrong", [{"hold_out": "x"}, {"hold_out": 1}, {"seed": -1}, {"seed": "x"}])
def test_a_wrong_part_or_seed_in_python_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"found (hold_out|seed) .*; expected a (whole )?number"):
        fit_purchases(SHIPPED, **wrong)


def test_a_file_in_the_place_of_the_folder_is_refused_before_anything_is_learnt(tmp_path: Path) -> None:
    (tmp_path / "tastes").write_text("mine")
    for place in ("tastes", "tastes/below"):
        with pytest.raises(RunFolderError, match="found a file; expected a folder or nothing"):
            fit_purchases(SHIPPED, out=tmp_path / place)
    assert (tmp_path / "tastes").read_text() == "mine"
