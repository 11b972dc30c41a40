"""What theory says of taxes and transfers, on economies drawn at random and by another road to the same equilibrium."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from tests.house import Array, Economy, MarketPlans, fiscal_slopes, load, solve
from tests.plain_equilibrium import Conditions, Found, NowhereError, equilibrium

GOODS = ["x", "y", "z", "capital", "labour"]
PEOPLE = ["rich", "poor", "government"]
FIRMS = {"X": ("x", ["z", "capital", "labour"]), "Y": ("y", ["capital", "labour"]), "Z": ("z", ["y", "labour"])}
"""What firms make, and of what: X needs z, Z needs y."""
NOTHING: Mapping[str, float] = MappingProxyType({})

amounts, elasticities = st.floats(0.5, 3), st.sampled_from([0.3, 0.6, 1.0, 1.7])


@st.composite
def firms(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Three firms of nested CES: Y with constant returns, X and Z with constant or decreasing ones."""
    found: list[dict[str, Any]] = []
    for name, (output, inputs) in FIRMS.items():
        used = {good: draw(amounts) for good in inputs}
        returns = 1.0 if name == "Y" else draw(st.sampled_from([1.0, 0.8]))
        technology = {
            "outputs": {output: sum(used.values()) / returns},
            "inputs": dict(list(used.items())[:1]),
            "nests": {"rest": {"elasticity": draw(elasticities), "inputs": dict(list(used.items())[1:])}},
            "elasticity": draw(elasticities),
            "returns_to_scale": returns,
        }
        found.append({"name": name, "technology": {"reference": technology}})
        if returns == 1.0:
            found[-1]["behaviour"] = "activity"
    return found


@st.composite
def people(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The rich own capital and firms, three poor labour, some like leisure; a government lives on revenue."""

    def taste(goods: list[str]) -> dict[str, Any]:
        demand = {good: draw(amounts) for good in goods}
        return {"reference": {"demand": demand, "elasticity": draw(st.sampled_from([0.4, 1.0, 1.6]))}}

    owned = {name: draw(st.sampled_from([0.0, 0.5, 1.0])) for name in FIRMS}
    rest = {name: 1 - part for name, part in owned.items()}
    leisure = ["labour"] if draw(st.booleans()) else []
    return [
        {"name": "rich", "utility": taste(["x", "y"]), "endowment": {"capital": 8}, "owns": owned},
        {
            "name": "poor",
            "count": 3,
            "utility": taste(["x", "y", "z", *leisure]),
            "endowment": {"labour": 4},
            "owns": rest,
        },
        {"name": "government", "utility": taste(["x", "labour"]), "endowment": {"labour": 2}},
    ]


@st.composite
def taxes(draw: st.DrawFn, *, least: int = 1) -> list[dict[str, Any]]:
    """Some taxes and subsidies of all kinds, on one, some or all agents and goods."""
    found: list[dict[str, Any]] = []
    for number in range(draw(st.integers(least, 4))):
        on = draw(st.sampled_from(["input", "output", "sales", "consumption"]))
        tax: dict[str, Any] = {"name": f"t{number}", "on": on, "rate": draw(st.floats(-0.1, 0.2)), "to": shares(draw)}
        if on == "input":
            tax |= draw(st.sampled_from([{}, {"of": "X", "good": ["z", "capital"]}, {"good": "labour"}]))
        elif on == "output":
            tax |= draw(st.sampled_from([{}, {"of": ["X", "Y"]}, {"good": "z"}]))
            tax["base"] = draw(st.sampled_from(["gross", "net"]))
        elif on == "sales":
            tax |= draw(st.sampled_from([{"good": "x"}, {"good": ["y", "labour"]}]))
        else:
            tax |= draw(st.sampled_from([{}, {"of": ["poor", "government"]}, {"of": "rich", "good": "y"}]))
        found.append(tax)
    return found


def shares(draw: st.DrawFn) -> Any:
    return draw(st.sampled_from(["government", "poor", {"rich": 0.4, "poor": 0.6}, {"government": 0.5, "rich": 0.5}]))


transfers = st.lists(
    st.sampled_from(
        [
            {"from": "rich", "to": "poor", "share": 0.2},
            {"from": "poor", "to": "government", "share": 0.1},
            {"from": "government", "to": "rich", "share": 0.3},
            {"from": "rich", "to": "government", "amount": {"good": "capital", "amount": 0.5}},
            {"from": "poor", "to": "rich", "amount": {"good": "y", "amount": 0.3}},
        ]
    ),
    max_size=3,
    unique_by=str,
)


@st.composite
def economies(draw: st.DrawFn, *, adjusting: bool = False) -> dict[str, Any]:
    """Firms, people, taxes and transfers; only relative prices matter. Some rates may be `adjusting`."""
    data: dict[str, Any] = {"goods": GOODS, "firms": draw(firms()), "consumers": draw(people()), "taxes": draw(taxes())}
    data |= {"transfers": draw(transfers), "trade": "at_equilibrium"}
    numeraire = draw(st.sampled_from([None, "labour", "x"]))
    if numeraire is not None:
        data["numeraire"] = numeraire
    kept = ["consumers.poor.utility", "consumers.rich.y", "taxes.t0.revenue", "prices.z", "consumers.government.labour"]
    kept += [f"firms.{firm['name']}.level" for firm in data["firms"] if "behaviour" in firm]
    for tax in data["taxes"] if adjusting else []:
        if draw(st.integers(0, 3)):
            path = kept.pop(draw(st.integers(0, len(kept) - 1)))
            tax["rate"] = {"adjust": {"keep": path, "at": 1.0, "start": tax["rate"]}}
    return data


def near_one(economy: Economy, seed: int) -> tuple[Array, Array]:
    """Prices and levels."""
    stream = np.random.default_rng(seed)
    return np.exp(stream.normal(0, 0.2, len(economy.goods))), np.exp(stream.normal(0, 0.2, len(economy.level_names)))


def by_root(data: dict[str, Any]) -> Found:
    """The equilibrium by the other road; an economy of which it finds none is another example's."""
    try:
        return equilibrium(load(data).resolved)
    except NowhereError:
        reject()


def at(data: dict[str, Any], found: Found, dearer: Mapping[str, float] = NOTHING) -> MarketPlans:
    """What everybody plans in the simulator at an equilibrium of the other road, some prices so many times as high;
    it must be an equilibrium.
    """
    economy = load(data).economy
    levels = np.array([found["level"][name] for name in economy.level_names])
    adjusted = [found["rate"][tax["name"]] for tax in data["taxes"] if isinstance(tax["rate"], dict)]
    prices = np.array([found["price"][good] * dearer.get(good, 1.0) for good in economy.goods])
    plans = economy.balance(prices, levels=levels, rates=np.array(adjusted))
    np.testing.assert_allclose(plans.excess_demand / np.maximum(plans.scale, 1e-9), 0.0, atol=1e-9)
    np.testing.assert_allclose(plans.unit_profits, 0.0, atol=1e-9)
    return plans


def same_quantities(one: MarketPlans, other: MarketPlans) -> bool:
    """Whether everybody uses, makes and buys the same."""
    these, those = (np.concatenate([each.inputs, each.outputs, each.consumption.ravel()]) for each in (one, other))
    return np.allclose(these, those, rtol=1e-8, atol=1e-12)


def taxed(data: dict[str, Any], *more: dict[str, Any], only_on: str | None = None) -> dict[str, Any]:
    """An economy with more taxes, of its own only those on one kind of flow, or all."""
    kept = [tax for tax in data["taxes"] if only_on in (None, tax["on"])]
    return {**data, "taxes": [*kept, *more]}


@given(economies(adjusting=True), st.integers(0, 10**6))
def test_derivatives_agree_with_differences(data: dict[str, Any], seed: int) -> None:
    economy = load(data).economy
    prices, levels = near_one(economy, seed)
    plans = economy.balance(prices, levels=levels)
    cuts = np.cumsum([len(prices), len(levels), len(plans.received)])

    def conditions(unknowns: Array) -> Array:
        q, y, received, rates = np.split(unknowns, cuts)
        moved = economy.balance(q, plans.inputs, y, received, rates)
        return np.concatenate([moved.excess_demand, moved.unit_profits, moved.due, moved.kept])

    at, step = plans.values, 1e-5
    moves = step * np.eye(len(at))
    differences = np.array([(conditions(at + one) - conditions(at - one)) / (2 * step) for one in moves]).T
    slopes = np.concatenate(fiscal_slopes(economy.at_rates(plans.rates), plans))
    np.testing.assert_allclose(slopes, differences, rtol=1e-6, atol=1e-7 * np.abs(differences).max())


@given(economies(adjusting=True))
def test_another_road_comes_to_the_same_equilibrium(data: dict[str, Any]) -> None:
    """What instruments keep is whatever it is at the rates they start at."""
    starts = [tax["rate"]["adjust"]["start"] if isinstance(tax["rate"], dict) else tax["rate"] for tax in data["taxes"]]
    still = [{**tax, "rate": rate} for tax, rate in zip(data["taxes"], starts, strict=True)]
    found = by_root({**data, "taxes": still})
    plans = at(data, found)
    names = [consumer["name"] for consumer in data["consumers"]]
    consumption = [[found["consumption"].get(f"{name}.{good}", 0.0) for good in GOODS] for name in names]
    np.testing.assert_allclose(plans.consumption, consumption, rtol=1e-8, atol=1e-12)
    counts = [consumer.get("count", 1) for consumer in data["consumers"]]
    incomes = [found["income"][name] for name in names]
    np.testing.assert_allclose(np.concatenate(plans.incomes) * counts, incomes, rtol=1e-8)
    np.testing.assert_allclose(plans.revenues, [*found["revenue"].values()], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(plans.due, plans.received, rtol=1e-10, atol=1e-12)
    paths = [tax["rate"]["adjust"]["keep"] for tax in data["taxes"] if isinstance(tax["rate"], dict)]
    unit = found["price"][data["numeraire"]] if "numeraire" in data else 1.0
    kept = [Conditions.kept(path, found) / (unit if "prices" in path or "revenue" in path else 1.0) for path in paths]
    np.testing.assert_allclose(plans.kept, kept, rtol=1e-8)


@given(economies(), st.booleans(), st.integers(0, 10**6))
def test_walras_s_law(data: dict[str, Any], leaks: bool, seed: int) -> None:
    """`p.z` is what budgets bring, less what firms are planned to earn and revenue that leaves."""
    if leaks:
        data["consumers"][0]["budget"] = 2.0
        data["taxes"][0]["to"] = {"poor": 0.3}
    economy = load(data).economy
    prices, levels = near_one(economy, seed)
    plans = economy.balance(prices, levels=levels)
    assume(all(income.min() > 0 for income in plans.incomes))
    away = 0.7 * plans.revenues[0] if leaks else 0.0
    brought = 2.0 if leaks else 0.0
    left = plans.levels @ plans.unit_profits
    assert prices @ plans.excess_demand == pytest.approx(brought - left - away, abs=1e-10 * (prices @ plans.scale))


@given(economies(adjusting=True), st.integers(0, 10**6), st.floats(0.1, 10))
def test_only_relative_prices_matter(data: dict[str, Any], seed: int, factor: float) -> None:
    economy = load(data).economy
    prices, levels = near_one(economy, seed)
    one, other = economy.balance(prices, levels=levels), economy.balance(factor * prices, levels=levels)
    assert same_quantities(one, other)
    if economy.homogeneous:
        np.testing.assert_allclose(other.kept, one.kept, rtol=1e-9)
    else:
        kept = [tax["rate"]["adjust"]["keep"] for tax in data["taxes"] if isinstance(tax["rate"], dict)]
        assert "numeraire" not in data
        assert any("revenue" in path or "prices" in path for path in kept)
    np.testing.assert_allclose(other.revenues, factor * one.revenues, rtol=1e-9, atol=1e-12)


@given(economies(), st.floats(0.1, 0.9), st.integers(0, 10**6))
def test_taxes_on_one_flow_add_their_rates(data: dict[str, Any], part: float, seed: int) -> None:
    first, *rest = data["taxes"]
    two = [{**first, "name": name, "rate": share * first["rate"]} for name, share in (("a", part), ("b", 1 - part))]
    economy, split = load(data).economy, load({**data, "taxes": [*rest, *two]}).economy
    prices, levels = near_one(economy, seed)
    one, other = economy.balance(prices, levels=levels), split.balance(prices, levels=levels)
    assert same_quantities(one, other)
    assert other.revenues[-2:].sum() == pytest.approx(one.revenues[0], abs=1e-10)


@given(economies(), st.floats(-0.3, 1.0))
def test_a_tax_on_all_inputs_is_one_on_output(data: dict[str, Any], rate: float) -> None:
    """Of constant returns: at the same rate with a net base, at `t/(1 + t)` with a gross base."""
    tax = {"name": "t", "of": "Y", "to": {"rich": 0.5, "poor": 0.5}}
    ways = [
        taxed(data, {**tax, "on": "input", "rate": rate}, only_on="consumption"),
        taxed(data, {**tax, "on": "output", "base": "net", "rate": rate}, only_on="consumption"),
        taxed(data, {**tax, "on": "output", "base": "gross", "rate": rate / (1 + rate)}, only_on="consumption"),
    ]
    found = by_root(ways[0])
    first, *others = (at(way, found) for way in ways)
    for other in others:
        assert same_quantities(first, other)
        np.testing.assert_allclose(other.revenues, first.revenues, rtol=1e-8, atol=1e-12)


@given(firms(), st.floats(0.05, 0.5), st.floats(0.2, 0.8), elasticities, elasticities)
def test_a_tax_on_one_good_is_a_subsidy_on_all_others(
    makers: list[dict[str, Any]], rate: float, part: float, one: float, other: float
) -> None:
    """Where goods are made of factors alone, and each gets of revenue its part of all factors: at `t/(1 - t)`, with
    factors `1/(1 - t)` times as dear.
    """
    for firm, inputs in zip(makers, ({"capital": 2.0, "labour": 1.0}, {"labour": 3.0}, {"capital": 1.0}), strict=True):
        technology = firm["technology"]["reference"]
        technology |= {"inputs": inputs, "outputs": dict.fromkeys(technology["outputs"], 3.0)}
        technology |= {"returns_to_scale": 1.0, "prices": dict.fromkeys(inputs, 3.0 / sum(inputs.values()))}
        del technology["nests"]
        firm["behaviour"] = "activity"
    owners = {"a": part, "b": 1 - part}
    consumers = [
        {
            "name": name,
            "utility": {"reference": {"demand": {"x": 1 + share, "y": 2 - share, "z": 1}, "elasticity": elasticity}},
            "endowment": {"capital": 5 * share, "labour": 4 * share},
        }
        for (name, share), elasticity in zip(owners.items(), (one, other), strict=True)
    ]
    data = {"goods": GOODS, "numeraire": "x", "firms": makers, "consumers": consumers, "trade": "at_equilibrium"}
    tax = {"name": "t", "on": "output", "to": owners, "base": "gross"}
    on_one = {**data, "taxes": [{**tax, "of": "X", "rate": rate}]}
    on_others = {**data, "taxes": [{**tax, "of": ["Y", "Z"], "rate": -rate / (1 - rate)}]}
    found = by_root(on_one)
    dearer = dict.fromkeys(("capital", "labour"), 1 / (1 - rate))
    assert same_quantities(at(on_one, found), at(on_others, found, dearer))


@given(people(), st.floats(0.05, 1.0))
def test_a_uniform_tax_on_consumption_only_redistributes(consumers: list[dict[str, Any]], rate: float) -> None:
    """It changes nothing where each gets back what it pays."""
    stocks = ({"x": 3, "y": 1, "z": 1}, {"x": 0.5, "y": 1, "z": 0.5}, {"x": 1, "z": 1, "labour": 3})
    for consumer, stock in zip(consumers, stocks, strict=True):
        consumer |= {"endowment": stock, "owns": {}}
        consumer["utility"]["reference"]["demand"] |= {"x": 1.0, "z": 0.5, "labour": 0.7}
    data = {"goods": [*"xyz", "labour"], "consumers": consumers, "taxes": [], "trade": "at_equilibrium"}
    found = by_root(data)
    income = found["income"]
    tax = {"name": "t", "on": "consumption", "rate": rate}
    back = {name: amount / sum(income.values()) for name, amount in income.items()}
    before = at(data, found)
    assert same_quantities(before, at({**data, "taxes": [{**tax, "to": back}]}, found))
    away = {**data, "taxes": [{**tax, "to": "government"}]}
    redistributed = by_root(away)["utility"]
    assert redistributed["government"] > found["utility"]["government"]
    assert min(redistributed[name] / found["utility"][name] for name in ("rich", "poor")) < 1


@given(economies(), st.floats(0.05, 0.3), st.sampled_from(["capital", "y"]))
def test_a_lump_sum_is_an_endowment_that_changes_hands(data: dict[str, Any], amount: float, good: str) -> None:
    rich, poor, government = data["consumers"]
    rich["endowment"]["y"] = 1.0
    worth = {"from": "rich", "to": "poor", "amount": {"good": good, "amount": 3 * amount}}
    handed = {**data, "transfers": [worth]}
    theirs = dict(poor["endowment"])
    theirs[good] = theirs.get(good, 0.0) + amount
    mine = {**rich["endowment"], good: rich["endowment"][good] - 3 * amount}
    moved = [{**rich, "endowment": mine}, {**poor, "endowment": theirs}, government]
    found = by_root(handed)
    assert same_quantities(at(handed, found), at({**data, "transfers": [], "consumers": moved}, found))


@given(economies(), st.floats(-0.4, 1.5))
def test_a_factor_in_fixed_supply_bears_its_tax(data: dict[str, Any], rate: float) -> None:
    """The rich own all capital: what they get for it falls by what comes back as revenue, and nothing else moves."""
    data["transfers"] = [each for each in data["transfers"] if not isinstance(each.get("amount"), dict)]
    untaxed = taxed(data, only_on="consumption")
    found = by_root(untaxed)
    burdened = taxed(untaxed, {"name": "t", "on": "input", "good": "capital", "rate": rate, "to": "rich"})
    assert same_quantities(at(untaxed, found), at(burdened, found, {"capital": 1 / (1 + rate)}))


@pytest.mark.parametrize(("rate", "error"), [(0.01, 0.0042), (0.2, 0.0817)])
def test_the_loss_of_a_small_tax_is_a_triangle(rate: float, error: float) -> None:
    """Half the rate times the price times the fall of the taxed quantity; less and less exactly as the rate grows."""
    bakers = [
        {"name": good, "technology": {"activity": {good: 1, "labour": -1}}, "behaviour": {"activity": {"start": 5}}}
        for good in ("bread", "cake")
    ]
    utility = {"ces": {"elasticity": 0.8, "shares": {"bread": 0.3, "cake": 0.7}}}
    town = {"name": "town", "utility": utility, "endowment": {"labour": 10}}
    data = {"goods": ["bread", "cake", "labour"], "numeraire": "labour", "firms": bakers, "consumers": [town]}
    data |= {"taxes": [{"name": "t", "on": "sales", "good": "bread", "rate": rate, "to": "town"}]}
    data |= {"trade": "at_equilibrium"}
    before, after = (solve(data, starts=1, settings={"taxes.t.rate": each}) for each in (0.0, rate))
    # Labour makes one of each: the town's utility in money at prices of 1 is all its labour before the tax.
    loss = 10 * (1 - after.of("utility")[1]["town"] / before.of("utility")[1]["town"])
    fall = before.of("level")[1]["bread"] - after.of("level")[1]["bread"]
    assert rate * fall / 2 / loss - 1 == pytest.approx(error, rel=0.01)
