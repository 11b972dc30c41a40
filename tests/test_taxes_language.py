"""Taxes and transfers as they are written: what they become, what reaches them, and what is refused and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tests.economies import TAXED
from tests.house import (
    CounterpartError,
    Scenario,
    ScenarioError,
    Variation,
    aggregate,
    as_program,
    differing,
    dump,
    load,
    run_to_disk,
    scenario_schema,
    simulate,
    solve,
)

Data = dict[str, Any]

BAKERY, FARM = TAXED["firms"]
RICH, POOR, STATE = TAXED["consumers"]
TAXES, MOVED = TAXED["taxes"], TAXED["transfers"]
TOWN: Data = {key: value for key, value in TAXED.items() if key not in ("taxes", "transfers")}
BREAD, WOOL, CAPITAL, LABOUR = range(4)
TAX: Data = {"name": "t", "on": "input", "good": "capital", "rate": 0.1, "to": "state"}


def tax(**changes: Any) -> Data:
    """The town with one tax, some of whose keys are others, or, if None, not there."""
    return {**TOWN, "taxes": [{key: value for key, value in {**TAX, **changes}.items() if value is not None}]}


def adjusting(**changes: Any) -> Data:
    return tax(rate={"adjust": {"keep": "consumers.poor.utility", "at": 1.5, **changes}})


def transfers(*entries: Data) -> Data:
    return {**tax(), "transfers": list(entries)}


def gift(share: float, sender: str = "rich", to: str = "poor") -> Data:
    return {"from": sender, "to": to, "share": share}


def test_the_prices_faced_are_those_written_down_by_hand() -> None:
    factors = load(TAXED).economy.price_factors
    assert factors is not None
    # The bakery's capital and labour, then the farm's labour.
    np.testing.assert_allclose(factors.edges, [1.5, 1.2, 1.2], rtol=1e-15)
    # Bread bears both bases, p (1 - 0.1)/(1 + 0.25), wool the gross one.
    np.testing.assert_allclose(factors.outlets, [0.9 / 1.25, 0.9], rtol=1e-15)
    np.testing.assert_allclose(factors.cohorts, [[0.8, 0.8, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1.2]], rtol=1e-15)


def test_revenue_is_the_rate_times_the_base_of_each() -> None:
    economy = load(TAXED).economy
    assert economy.fiscal is not None
    prices, inputs, sold = np.array([2.0, 3.0, 5.0, 1.0]), np.array([4.0, 6.0, 7.0]), np.array([10.0, 20.0])
    bought = np.array([[1.0, 2.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0], [0.0, 4.0, 0.0, 8.0]])
    revenues = economy.fiscal.revenues(economy, economy.fiscal.rates, prices, inputs, sold, bought)
    bread, wool = 10 * 2.0, 20 * 3.0
    np.testing.assert_allclose(
        revenues,
        [
            0.5 * 4 * 5,
            0.1 * (bread + wool),  # at what buyers pay
            0.25 * bread * 0.9 / 1.25,  # at what the maker gets
            0.2 * (6 + 7 + 8) * 1,  # firms' use and the state's; nobody else wants labour
            -0.2 * (1 * 2 + 2 * 3),
        ],
        rtol=1e-15,
    )
    # Users pay as much more than makers get.
    faced = economy.user_prices
    more = inputs @ (faced.input_prices(prices) - prices[economy.edge_good])
    more += sold @ (prices[economy.outlet_good] - faced.outlet_prices(prices))
    more += sum((faced.consumer_prices(number, prices) - prices) @ each for number, each in enumerate(bought))
    np.testing.assert_allclose(revenues.sum(), more, rtol=1e-14)


def test_who_receives_what_is_as_written() -> None:
    fiscal = load(TAXED).economy.fiscal
    assert fiscal is not None
    assert [each.name for each in fiscal.taxes] == [each["name"] for each in TAXES]
    np.testing.assert_array_equal(fiscal.to, [[0.4, 0.6, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0], [0, 0, 1]])
    amount, worth, share = fiscal.transfers
    # Without a good an amount is one of the numeraire.
    assert (amount.sender, amount.share, amount.money, amount.goods.tolist()) == (2, 0.0, 0.0, [0, 0, 0, 2])
    assert (worth.sender, worth.share, worth.money, worth.goods.tolist()) == (0, 0.0, 0.0, [0, 0, 0.5, 0])
    assert (share.sender, share.share, share.money, share.goods.any()) == (1, 0.25, 0.0, False)
    assert [each.to.tolist() for each in fiscal.transfers] == [[0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert fiscal.numeraire == LABOUR
    assert not fiscal.nominal
    # Beyond 1 by rounding only, shares are scaled.
    rounded = load(tax(to={"rich": 0.5, "state": 0.5 + 5e-10})).economy.fiscal
    assert rounded is not None
    np.testing.assert_allclose(rounded.to.sum(), 1.0, rtol=1e-15)


def test_an_amount_is_money_where_there_is_no_numeraire() -> None:
    without = {key: value for key, value in TOWN.items() if key != "numeraire"}
    fiscal = load({**without, "taxes": [TAX], "transfers": MOVED[:2]}).economy.fiscal
    assert fiscal is not None
    assert [each.money for each in fiscal.transfers] == [2.0, 0.0]
    assert not fiscal.transfers[0].goods.any()
    assert fiscal.nominal


@pytest.mark.parametrize("on", ["input", "output", "sales", "consumption"])
def test_a_tax_without_names_lies_on_everybody_and_everything(on: str) -> None:
    economy = load(tax(on=on, good=None)).economy
    assert economy.fiscal is not None
    (levied,) = economy.fiscal.taxes
    assert levied.edges.tolist() == ([0, 1, 2] if on in ("input", "sales") else [])
    assert levied.outlets.tolist() == ([0, 1] if on == "output" else [])
    wanted = [[0, BREAD], [0, WOOL], [1, BREAD], [2, LABOUR], [2, WOOL]]
    assert sorted(levied.purchases.tolist()) == (sorted(wanted) if on in ("sales", "consumption") else [])


def test_firms_that_differ_are_taxed_one_by_one() -> None:
    many = {**FARM, "count": 4, "productivity": {"uniform": [1, 2]}}
    economy = load({**tax(of="farm", good="labour"), "firms": [many, BAKERY]}).economy
    assert economy.fiscal is not None
    assert economy.fiscal.taxes[0].edges.tolist() == [0, 1, 2, 3]
    assert economy.price_factors is not None
    np.testing.assert_array_equal(economy.price_factors.edges, [1.1] * 4 + [1.0] * 2)


def test_of_a_good_that_is_not_rival_each_user_s_own_market_is_taxed() -> None:
    scenario = load(
        {
            "goods": {"labour": None, "song": {"rival": False}},
            "firms": [{"name": "band", "makes": "song = sqrt(labour)"}],
            "consumers": [
                {"name": "ann", "endowment": {"labour": 4}, "utility": {"cobb_douglas": {"song": 1, "labour": 1}}},
                {"name": "bob", "endowment": {"labour": 4}, "utility": {"cobb_douglas": {"song": 2, "labour": 1}}},
            ],
            "taxes": [{"name": "t", "on": "consumption", "good": "song", "of": "bob", "rate": 0.5, "to": "ann"}],
            "transfers": [{"from": "ann", "to": "bob", "amount": {"good": "song", "amount": 3}}],
        }
    )
    economy, (labour, ann, bob) = scenario.economy, range(3)
    assert economy.goods == ("labour", "song for ann", "song for bob")
    assert economy.fiscal is not None
    assert economy.fiscal.taxes[0].purchases.tolist() == [[1, bob]]
    # A song is worth what all its users pay for it.
    assert economy.fiscal.transfers[0].goods[[labour, ann, bob]].tolist() == [0, 3, 3]


KEPT = {
    "consumers.poor.utility": ("utility", 1, -1),
    "consumers.state.wool": ("consumption", 2, WOOL),
    "firms.bakery.level": ("level", 0, -1),
    "taxes.t.revenue": ("revenue", 0, -1),
    "prices.capital": ("price", -1, CAPITAL),
}


@pytest.mark.parametrize("path", KEPT)
def test_a_rate_that_adjusts_knows_what_it_keeps(path: str) -> None:
    fiscal = load(adjusting(keep=path, start=0.3, speed=-0.2)).economy.fiscal
    assert fiscal is not None
    (instrument,) = fiscal.instruments
    assert tuple(instrument.kept) == KEPT[path]
    assert (instrument.target, instrument.start, instrument.speed) == (1.5, 0.3, -0.2)
    assert fiscal.rates.tolist() == [0.3]


def test_names_with_dots_are_told_apart() -> None:
    poor = [POOR, {**POOR, "name": "poor.utility"}]
    for path, number in (("consumers.poor.utility.utility", 2), ("consumers.poor.utility", 1)):
        fiscal = load({**adjusting(keep=path), "consumers": [RICH, *poor, STATE]}).economy.fiscal
        assert fiscal is not None
        assert tuple(fiscal.instruments[0].kept) == ("utility", number, -1)


REFUSALS: list[tuple[Data, str, str]] = [
    (tax(of="bakry"), "taxes.t.of", "unknown agent 'bakry'; expected one of bakery, farm; did you mean bakery?"),
    (tax(of=["bakery", "poor"]), "taxes.t.of[1]", "found poor, a consumer, of a tax on input; expected one of bakery"),
    (tax(of="bakery", on="consumption", good=None), "taxes.t.of", "a firm, of a tax on consumption; expected one of"),
    (tax(of="farm"), "taxes.t.of", "found farm, which uses no capital; expected a good such as labour"),
    (tax(of="farm", on="output", good="bread"), "taxes.t.of", "found farm, which makes no bread; expected a good such"),
    (tax(good="capitl"), "taxes.t.good", "unknown good 'capitl'"),
    (tax(good=["labour", "wool"]), "taxes.t.good[1]", "found wool, which nobody uses who is taxed; expected a good"),
    (tax(good="labour", on="output"), "taxes.t.good", "found labour, which nobody makes who is taxed"),
    (
        {**tax(on="output", good=None), "firms": [], "consumers": [POOR, STATE]},
        "taxes.t.on",
        "found output, while nobody makes anything",
    ),
    (tax(on="profit"), "taxes.t.on", "found 'profit'; expected one of input, output, sales, consumption"),
    (tax(base="gross"), "taxes.t.base", "found base of a tax on input: there the price is the base; expected none"),
    (tax(on="output", good="bread", base="neto"), "taxes.t.base", "expected one of gross, net; did you mean net?"),
    (tax(to=None), "taxes.t", "found no to of t: its revenue is money that leaves the economy"),
    (tax(to={}), "taxes.t.to", "found shares that sum to 0: the rest is money that leaves the economy"),
    (tax(to={"rich": 0.4, "state": 0.5}), "taxes.t.to", "found shares that sum to 0.9: the rest is money that leaves"),
    (tax(to={"rich": 0.6, "state": 0.5}), "taxes.t.to", "found shares that sum to 1.1; expected at most 1"),
    (tax(to="farm"), "taxes.t.to", "found farm, a firm; expected a consumer: one of rich, poor, state"),
    (
        tax(to={"stat": 1}),
        "taxes.t.to.stat",
        "unknown consumer 'stat'; expected one of rich, poor, state; did you mean",
    ),
    (tax(rate="10%"), "taxes.t.rate", "found '10%'; expected a number, or {adjust: {keep: PATH, at: VALUE}}; did you"),
    (tax(rate=-1), "taxes.t.rate", "found -1: no price above 0 would be left; expected a rate above -1"),
    (tax(rate=-1, on="sales"), "taxes.t.rate", "expected a rate above -1"),
    (tax(rate=-1.5, on="consumption", good="wool"), "taxes.t.rate", "expected a rate above -1"),
    (tax(rate=1, on="output", good="wool"), "taxes.t.rate", "found 1: makers would get nothing; expected a rate below"),
    (tax(rate=-1, on="output", good="wool", base="net"), "taxes.t.rate", "expected a rate above -1"),
    (adjusting(start=-1), "taxes.t.rate.adjust.start", "expected a rate above -1"),
    (adjusting(keep="consumers.poor.utilty"), "taxes.t.rate.adjust.keep", "did you mean consumers.poor.utility?"),
    (
        adjusting(keep="consumers.poor"),
        "taxes.t.rate.adjust.keep",
        "unknown path 'consumers.poor'; expected consumers.",
    ),
    (adjusting(keep="taxes.u.revenue"), "taxes.t.rate.adjust.keep", "did you mean taxes.t.revenue?"),
    (adjusting(keep="consumers.poor.wool"), "taxes.t.rate.adjust.keep", "of which poor uses none; expected bread"),
    (adjusting(keep="prices.labour"), "taxes.t.rate.adjust.keep", "but labour has 1 as its price, being the numeraire"),
    (adjusting(keep="firms.farm.level"), "taxes.t.rate.adjust.keep", "but farm has no level, as its returns are not"),
    (adjusting(at=0), "taxes.t.rate.adjust.at", "found 0, of which nothing is a part"),
    (adjusting(keep="prices.bread", at=-1), "taxes.t.rate.adjust.at", "found -1; expected a number above 0"),
    (adjusting(speed=0), "taxes.t.rate.adjust.speed", "found 0, at which the rate never moves"),
    ({**TOWN, "taxes": [TAX, TAX]}, "taxes.t.name", "found the name 't' twice; expected one name per tax (the other"),
    (
        {**TOWN, "taxes": [{**TAX, "name": name} for name in ("a", "\u0430")]},
        "taxes.\u0430.name",
        "which looks like 'a'; expected names that differ",
    ),
    (
        {**TOWN, "taxes": [{**TAX, "rate": -0.6}, {**TAX, "name": "u", "on": "sales", "rate": -0.5}]},
        "taxes.u.rate",
        "found -0.5, and with other taxes -1.1 on capital of bakery",
    ),
    (
        {**TOWN, "taxes": [{**TAX, "on": "output", "good": "wool", "rate": 0.6, "name": name} for name in "ab"]},
        "taxes.b.rate",
        "found 0.6, and with other taxes 1.2 on wool of farm: makers would get nothing",
    ),
    (
        {
            **TOWN,
            "taxes": [{**TAX, "rate": {"adjust": {"keep": "prices.bread", "at": 2}}, "name": each} for each in "ab"],
        },
        "taxes.b.rate.adjust.keep",
        "found a second rate that keeps prices.bread; expected one (the other is taxes[0])",
    ),
    (
        transfers(gift(0.5, "rich", "rich")),
        "transfers[0].to",
        "found rich, who pays it, too; expected another consumer",
    ),
    (transfers(gift(0.5, "rich", "farm")), "transfers[0].to", "found farm, a firm; expected a consumer"),
    (
        transfers(gift(0.5, "ric")),
        "transfers[0].from",
        "unknown consumer 'ric'; expected one of rich, poor, state; did",
    ),
    (transfers({"from": "rich", "to": "poor"}), "transfers[0]", "found neither amount nor share; expected one of them"),
    (transfers({**gift(0.5), "amount": 1}), "transfers[0]", "found both amount and share; expected one of them"),
    (transfers(gift(1.5)), "transfers[0].share", "found 1.5; expected a number of at most 1"),
    (transfers({"from": "rich", "to": "poor", "amount": -1}), "transfers[0].amount", "a number of at least 0"),
    (
        transfers({"from": "rich", "to": "poor", "amount": {"good": "x", "amount": 1}}),
        "transfers[0].amount.good",
        "unk",
    ),
    (
        transfers(gift(0.6), gift(0.5, to="state")),
        "transfers[1].share",
        "found shares of the income of rich that sum to",
    ),
    (
        transfers(gift(1), gift(0.5, "poor", "rich"), gift(0.5, "poor", "state"), gift(1, "state", "rich")),
        "transfers[0].share",
        "found poor and rich and state passing on to each other all that they receive",
    ),
    (
        {**TOWN, "consumers": [RICH, POOR, {**STATE, "budget": -1}], "taxes": [TAX]},
        "consumers.state.budget",
        "found -1, and budgets of -1 in all: money that leaves the economy",
    ),
    (
        {**TOWN, "consumers": [{**RICH, "budget": 4}, {**POOR, "endowment": {}, "budget": -1}]},
        "consumers.poor",
        "found nothing to spend; expected an endowment, a budget or owns, or revenue or a transfer to it",
    ),
    ({**TOWN}, "consumers.state", "found nothing to spend"),
]


@pytest.mark.parametrize(("data", "path", "message"), REFUSALS)
def test_what_contradicts_itself_is_refused_once_at_its_place(data: Data, path: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(data)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert message in problem.message


@pytest.mark.parametrize("key", ["taxes", "transfers"])
def test_where_nobody_plans_there_is_nothing_to_tax(key: str) -> None:
    chain = {
        "goods": ["gas", "power"],
        "supply": {"gas": 1},
        "outside": {"power": 1},
        "firms": [{"name": "plant", "makes": "power = sqrt(gas)"}],
        "scheduler": {"kind": "marginal_bids"},
    }
    load(chain)
    given = {"taxes": [{"name": "t", "on": "input", "rate": 0.1}], "transfers": [gift(0.1)]}[key]
    with pytest.raises(ScenarioError, match=f"{key}: found {key} under marginal_bids, where nobody plans; expected"):
        load({**chain, key: given})
    lesson = {"patterns": {"rows": [{"a": 0, "b": 1, "y": 1}, {"a": 1, "b": 0, "y": 0}], "target": "y"}}
    learns = {"learning": lesson, "scheduler": {"form": "additive", "rate": 0.1}}
    load(learns)
    with pytest.raises(ScenarioError, match=f"{key}: found {key} beside learning; expected none"):
        load({**learns, key: given})


def test_a_planner_knows_no_taxes() -> None:
    world = {
        **TOWN,
        "firms": [FARM],
        "consumers": [{"name": "ann", "budget": 3, "utility": {"cobb_douglas": {"wool": 1}}}],
    }
    world = {**world, "supply": {"labour": 4}, "compare": {"gradient_path": "primal"}}
    del world["numeraire"]
    load(world)
    with pytest.raises(ScenarioError, match="taxes: found taxes, of which a planner knows none"):
        load({**world, "taxes": [{"name": "t", "on": "input", "rate": 0.1, "to": "ann"}]})


def test_a_program_has_no_taxes() -> None:
    chain = {
        "goods": ["gas", "power"],
        "supply": {"gas": 1},
        "outside": {"power": 1},
        "firms": [{"name": "plant", "makes": "power = sqrt(gas)"}],
    }
    as_program(chain)
    with pytest.raises(CounterpartError, match="found taxes; expected a supply chain of firms alone"):
        as_program({**chain, "taxes": [{"name": "t", "on": "input", "rate": 0.1}]})


def test_firms_of_a_program_are_taxed_like_others() -> None:
    program = {"program": "a = sqrt(x)\nreturn a", "supply": {"x": 4}}
    names = [firm["name"] for firm in load(program).resolved["firms"]]
    taxed = load({**program, "taxes": [{"name": "t", "on": "input", "of": names[0], "rate": 0.25}]})
    assert taxed.economy.price_factors is not None
    assert taxed.economy.price_factors.edges.tolist()[0] == 1.25


FULL: Data = {
    **TAXED,
    "taxes": [*TAXES, {**TAX, "rate": {"adjust": {"keep": "prices.wool", "at": 2}}}],
    "run": {"ticks": 100},
}


def test_a_resolved_scenario_is_the_same_scenario() -> None:
    scenario = load(FULL)
    assert scenario.resolved["taxes"][1]["base"] == "gross"
    assert "base" not in scenario.resolved["taxes"][0]
    assert scenario.resolved["taxes"][-1]["rate"] == {
        "adjust": {"keep": "prices.wool", "at": 2.0, "start": 0.1, "speed": 0.1}
    }
    assert scenario.resolved["transfers"] == [*MOVED[:2], gift(0.25, "poor", "state")]
    again = load(scenario.resolved)
    assert dump(again.resolved) == dump(scenario.resolved)
    assert not differing(again.economy, scenario.economy)


def fiscal_of(scenario: Scenario, at: int = 0) -> tuple[list[float], list[float]]:
    """The rate of each tax, and what each transfer comes to in the scenario's economy number `at`."""
    fiscal = scenario.regimes[at].economy.fiscal
    assert fiscal is not None
    return fiscal.rates.tolist(), [float(each.share + each.goods.sum() + each.money) for each in fiscal.transfers]


RATES, AMOUNTS = [0.5, 0.1, 0.25, 0.2, -0.2, 0.1], [2.0, 0.5, 0.25]
REACHED: list[tuple[str, Any, int, float]] = [
    ("taxes.net_tax.rate", 0.4, 2, 0.4),
    ("taxes.subsidy.rate", 0.0, 4, 0.0),
    ("transfers.0.amount", 3, -3, 3.0),
    ("transfers.1.amount.amount", 0.75, -2, 0.75),
    ("transfers.2.share", 0.5, -1, 0.5),
]
"""A path, another value there, and which rate, or amount counted from the end, becomes what."""


def expected_after(place: int, value: float) -> tuple[list[float], list[float]]:
    rates, amounts = list(RATES), list(AMOUNTS)
    (rates if place >= 0 else amounts)[place] = value
    return rates, amounts


@pytest.mark.parametrize(("path", "value", "place", "becomes"), REACHED)
def test_settings_and_shocks_reach_every_number(path: str, value: Any, place: int, becomes: float) -> None:
    assert fiscal_of(load(FULL)) == (RATES, AMOUNTS)
    assert fiscal_of(load(FULL, settings={path: value})) == expected_after(place, becomes)
    assert fiscal_of(load(FULL, settings={path: str(value)})) == expected_after(place, becomes)
    struck = load({**FULL, "shocks": [{"tick": 20, "until": 50, "set": {path: value}}]})
    assert [fiscal_of(struck, at) for at in (0, 2)] == [(RATES, AMOUNTS)] * 2
    assert fiscal_of(struck, 1) == expected_after(place, becomes)
    before = (RATES if place >= 0 else AMOUNTS)[place]
    for change, after in (({"times": 2}, 2 * before), ({"plus": 0.125}, before + 0.125)):
        struck = load({**FULL, "shocks": [{"tick": 20, "set": {path: change}}]})
        assert fiscal_of(struck, 1) == expected_after(place, after)


def test_what_a_shock_leaves_alone_is_the_same_object() -> None:
    before, after = load({**FULL, "shocks": [{"tick": 9, "set": {"taxes.net_tax.rate": 0.3}}]}).regimes
    assert all(one is other for one, other in zip(before.economy.firms, after.economy.firms, strict=True))
    cohorts = zip(before.economy.consumers, after.economy.consumers, strict=True)
    assert all(one.utility is other.utility for one, other in cohorts)


def test_a_rate_that_adjusts_goes_on_adjusting_after_a_shock() -> None:
    struck = load({**FULL, "shocks": [{"tick": 9, "set": {"taxes.t.rate.adjust.at": {"times": 3}}}]})
    targets = [regime.economy.fiscal and regime.economy.fiscal.instruments[0].target for regime in struck.regimes]
    assert targets == [2.0, 6.0]
    there = load(FULL, settings={"taxes.t.rate.adjust.at": 5}).economy.fiscal
    assert there is not None
    assert there.instruments[0].target == 5.0
    # Where it is written, and not on the way, it may also stop.
    given = load(FULL, settings={"taxes.t.rate": 0.3}).economy.fiscal
    assert given is not None
    assert (given.instruments, given.rates.tolist()) == ((), [*RATES[:-1], 0.3])


def test_after_a_shock_a_run_ends_where_it_would_have_begun_so() -> None:
    kept = {"adjust": {"keep": "taxes.t.revenue", "at": 2, "speed": 0.02}}
    goods_tax = {"name": "t", "on": "sales", "good": "bread", "to": "state", "rate": kept}
    data = {**TAXED, "taxes": [*TAXES[:2], goods_tax], "run": {"ticks": 2000, "references": "off"}}
    changes = {"taxes.gross_tax.rate": 0.15, "taxes.t.rate.adjust.at": 2.5, "transfers.0.amount": 1.5}
    changes |= {"transfers.1.amount.amount": 0.25, "transfers.2.share": 0.2}
    before, struck, begun = (
        simulate(load({**data, "shocks": shocks}, settings=settings)).trajectory["price"].to_numpy()[-4:]
        for shocks, settings in (([], {}), ([{"tick": 300, "set": changes}], {}), ([], changes))
    )
    np.testing.assert_allclose(struck, begun, rtol=2e-5)
    assert np.abs(before / begun - 1).max() > 1e-2


def test_a_run_goes_on_with_the_same_taxes_alone(tmp_path: Path) -> None:
    run = {"ticks": 30, "references": "off", "stop": "never"}
    run_to_disk(load({**TAXED, "name": "first", "run": run}), tmp_path / "first")
    on = {"run": {**run, "ticks": 60, "from": str(tmp_path / "first" / "state.npz")}}
    files = {on["run"]["from"]: tmp_path / "first" / "state.npz"}
    reformed = [{**TAXES[0], "rate": 0.1}, *TAXES[1:]]
    load({**TAXED, **on, "taxes": reformed}, inputs=files)
    with pytest.raises(ScenarioError, match="found a run whose rates do not fit; expected the same goods, "):
        load({**TAXED, **on, "taxes": TAXES[:3]}, inputs=files)


def test_a_transfer_may_have_a_name() -> None:
    named = {**FULL, "transfers": [{**MOVED[0], "name": "relief"}, *MOVED[1:]]}
    after = (RATES, [4.0, *AMOUNTS[1:]])
    for path in ("transfers.relief.amount", "transfers.0.amount"):
        assert fiscal_of(load(named, settings={path: 4})) == after
        assert fiscal_of(load({**named, "shocks": [{"tick": 9, "set": {path: 4}}]}), 1) == after
    with pytest.raises(ScenarioError, match=r"expected one name per transfer \(the other is transfers\[0\]\)"):
        load({**named, "transfers": [{**each, "name": "relief"} for each in MOVED[:2]]})


def test_a_drawn_rate_is_one_number_for_all() -> None:
    struck = load({**FULL, "shocks": [{"tick": 9, "set": {"taxes.net_tax.rate": {"uniform": [0.3, 0.4]}}}]})
    (drawn,) = {rate for rate in fiscal_of(struck, 1)[0] if rate not in RATES}
    assert 0.3 < drawn < 0.4


NO_SHOCKS: list[tuple[str, Any, str]] = [
    ("taxes.t.rate", 0.2, "unknown path 'taxes.t.rate'; expected one of taxes.t.rate.adjust.at, taxes.t.rate.adjust."),
    ("taxes.net.rate", 0.2, "did you mean taxes.net_tax.rate?"),
    ("taxes.net_tax.to", "poor", "unknown path 'taxes.net_tax.to'; expected taxes.net_tax.rate"),
    ("taxes.net_tax.rate", {"adjust": {"keep": "prices.wool", "at": 1}}, "found a mapping; expected a number, {times"),
    ("taxes.net_tax.rate", True, "found true; expected a number"),
    ("taxes.net_tax.rate", -1, "leads to taxes.net_tax.rate: found -1: no price above 0 would be left"),
    ("taxes.gross_tax.rate", 1.5, "leads to taxes.gross_tax.rate: found 1.5: makers would get nothing"),
    ("taxes.t.rate.adjust.at", 0, "leads to taxes.t.rate.adjust.at: found 0"),
    ("transfers.3.share", 0.2, "unknown path 'transfers.3.share'; expected one of transfers.0.amount, transfers.1.amo"),
    ("transfers.0.share", 0.2, "unknown path 'transfers.0.share'; expected transfers.0.amount"),
    ("transfers.2.share", 2, "leads to transfers[2].share: found 2; expected a number of at most 1"),
    ("transfers", [], "unknown path 'transfers'"),
]


@pytest.mark.parametrize(("path", "value", "message"), NO_SHOCKS)
def test_what_no_shock_may_change_is_refused(path: str, value: Any, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load({**FULL, "shocks": [{"tick": 9, "set": {path: value}}]})
    (problem,) = caught.value.problems
    assert problem.path.startswith("shocks[0].set")
    assert message in problem.message, problem.message


def test_a_scenario_over_a_base_says_its_own_taxes_alone(tmp_path: Path) -> None:
    (tmp_path / "below.yaml").write_text(dump({**FULL, "name": "below"}))
    own = [{"name": "net_tax", "rate": 0.5}, {"name": "t", "rate": {"adjust": {"at": 3}}}, {**TAX, "name": "new"}]
    (tmp_path / "above.yaml").write_text(dump({"base": "below.yaml", "name": "above", "taxes": own, "transfers": []}))
    fiscal = load(tmp_path / "above.yaml").economy.fiscal
    assert fiscal is not None
    assert fiscal.rates.tolist() == [0.5, 0.1, 0.5, 0.2, -0.2, 0.1, 0.1]
    assert fiscal.instruments[0].target == 3.0
    assert [each.name for each in fiscal.taxes][-1] == "new"
    assert fiscal.transfers == ()


@pytest.mark.parametrize("change", [{path: value} for path, value, *_ in REACHED], ids=str)
def test_a_variation_is_the_scenario_loaded_as_a_whole(change: Data) -> None:
    base, variation = load(FULL), Variation(load(FULL))
    varied, same = variation.at(change), variation.at({"run.ticks": 50})
    whole = load(base.resolved, settings=change)
    assert dump(varied.resolved) == dump(whole.resolved)
    assert not differing(varied.economy, whole.economy)
    # Nothing but taxes and transfers is made anew.
    assert all(one is other for one, other in zip(varied.economy.firms, same.economy.firms, strict=True))


def test_editors_know_the_keys() -> None:
    validator = Draft202012Validator(scenario_schema())
    assert list(validator.iter_errors(FULL)) == []
    for broken in (
        tax(on="profit"),
        tax(name=None),
        tax(rate="10%"),
        tax(rate={"adjust": {"at": 1}}),
        tax(vat=1),
        tax(base="neto"),
        tax(to={"rich": -1}),
        transfers(gift(1.5)),
        transfers({"to": "poor", "share": 0.1}),
        transfers({"from": "rich", "to": "poor", "amount": {"good": "wool"}}),
    ):
        assert list(validator.iter_errors(broken)), broken
        with pytest.raises(ScenarioError):
            load(broken)


CROSS: Data = {
    "goods": ["bread", "labour"],
    "numeraire": "labour",
    "firms": [{"name": "bakery", "makes": "bread = 2*sqrt(labour)"}],
    "consumers": [
        {
            "name": "rich",
            "endowment": {"labour": 6},
            "owns": {"bakery": 1},
            "utility": {"cobb_douglas": {"bread": 1, "labour": 1}},
        },
        {"name": "poor", "endowment": {"labour": 1}, "utility": {"cobb_douglas": {"bread": 3, "labour": 1}}},
    ],
    "run": {"ticks": 500, "tolerance": 1e-9},
}


def test_a_lump_sum_tax_is_a_budget_below_0() -> None:
    """A budget taken from one and given to another is a transfer of as much of the numeraire."""
    rich, poor = CROSS["consumers"]
    budgets = {**CROSS, "consumers": [{**rich, "budget": -2}, {**poor, "budget": 2, "savings": True}]}
    handed_on = {**CROSS, "transfers": [{"from": "rich", "to": "poor", "amount": 2}]}
    of_budgets, of_transfers = (
        solve(load(data)).equilibria.query("kind == 'price'")["value"].to_numpy() for data in (budgets, handed_on)
    )
    np.testing.assert_allclose(of_budgets, of_transfers, rtol=1e-12)
    run = simulate(load(budgets))
    assert run.summary["outcome"] == "cleared"
    last = run.trajectory.query(f"tick == {run.trajectory['tick'].max()}")["price"]
    np.testing.assert_allclose(last, of_budgets, rtol=1e-8)
    assert run.summary["worst_imbalance"] < 1e-12


def test_many_whose_income_may_be_below_0_do_not_plan_as_one() -> None:
    """A mean of endowments hides that somebody has nothing to spend."""
    crowd = {
        "name": "crowd",
        "count": 20,
        "endowment": {"labour": {"uniform": [-1, 3]}},
        "utility": {"cobb_douglas": {"bread": 1, "labour": 1}},
    }
    alone = {**CROSS, "consumers": [*CROSS["consumers"], crowd], "trade": "at_equilibrium"}
    assert aggregate(load(alone).economy.consumers[2]) is None
    above = {**crowd, "endowment": {"labour": {"uniform": [1, 3]}}}
    assert aggregate(load({**alone, "consumers": [*CROSS["consumers"], above]}).economy.consumers[2]) is not None
