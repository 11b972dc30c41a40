"""Shocks: from a tick on the economy is the one a scenario written so would have, and nothing before it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import blocks_of
from tests.house import Problem, Run, Scenario, ScenarioError, load, run_to_disk, simulate

Data = dict[str, Any]

TOWN: Data = {
    "goods": ["labour", "land", "bread", "wine"],
    "numeraire": "labour",
    "supply": {"land": 2},
    "firms": [
        {
            "name": "mill",
            "technology": {
                "cobb_douglas": {"output": "bread", "productivity": 2, "inputs": {"labour": 0.4, "land": 0.3}},
            },
        },
        {"name": "press", "count": 3, "makes": "wine = labour^0.5", "productivity": {"uniform": [0.5, 1.5]}},
    ],
    "consumers": [
        {
            "name": "folk",
            "count": 5,
            "utility": {"cobb_douglas": {"bread": 1, "wine": 2}},
            "endowment": {"labour": {"uniform": [0.5, 1.5], "times": 2, "plus": 0.25}, "wine": 0.1},
            "budget": {"exponential": 0.1},
            "owns": {"mill": "equal", "press": 0.5},
            "savings": True,
        },
        {
            "name": "lords",
            "utility": {"ces": {"elasticity": 0.5, "shares": {"bread": 1, "wine": 3}}},
            "endowment": {"land": 1},
            "budget": 0.5,
        },
    ],
    "run": {"ticks": 60, "stop": "never", "references": "off"},
}
CHANGES: dict[str, tuple[str, Any, Any]] = {
    "supply": ("supply.land", 7.5, 2),
    "supply of another good": ("supply.wine", 0.25, 0),
    "endowment": ("consumers.lords.endowment.land", 0.75, 1),
    "endowment of another good": ("consumers.lords.endowment.bread", 0.75, 0),
    "productivity of a kind": ("firms.mill.productivity", 1.5, 2),
    "share": ("consumers.folk.utility.cobb_douglas.wine", 5, 2),
    "share of a tree": ("consumers.lords.utility.ces.shares.bread", 7, 1),
    "elasticity": ("consumers.lords.utility.ces.elasticity", 1.7, 0.5),
    "budget": ("consumers.lords.budget", 0.7, 0.5),
    "exponent": ("firms.mill.technology.cobb_douglas.inputs.land", 0.1, 0.3),
    "drawn endowment": ("consumers.folk.endowment.labour", {"uniform": [2, 3]}, None),
    "drawn budget": ("consumers.folk.budget", {"lognormal": {"mean": 0, "sigma": 0.3}}, None),
    "drawn productivity": ("firms.press.productivity", {"uniform": [1, 1.5]}, None),
}
"""A path, another value, and the plain number there at first."""
DRAWN: dict[str, tuple[str, Data]] = {
    "endowment": ("consumers.folk.endowment.labour", {"uniform": [0.5, 1.5], "times": 2, "plus": 0.25}),
    "budget": ("consumers.folk.budget", {"exponential": 0.1}),
    "productivity": ("firms.press.productivity", {"uniform": [0.5, 1.5]}),
}
"""A path to drawn numbers, and how they are drawn."""


def shocked(*shocks: tuple[int, Data], data: Data = TOWN, **others: Any) -> Data:
    """A scenario with shocks."""
    return deepcopy({**data, "shocks": [{"tick": tick, "set": changes} for tick, changes in shocks], **others})


def written(path: str, value: Any) -> Scenario:
    """The scenario with this value from the start."""
    if path == "firms.mill.productivity":
        path = "firms.mill.technology.cobb_douglas.productivity"
    data = deepcopy(TOWN)
    node: Any = data
    *steps, last = path.split(".")
    for step in steps:
        node = next(each for each in node if each["name"] == step) if isinstance(node, list) else node[step]
    node[last] = value
    return load(data)


def numbers(of: Any) -> Any:
    """An object's arrays and other values, all the way down, in a form that compares to the bit."""
    if isinstance(of, np.ndarray):
        return (of.shape, of.tobytes(order="C"))
    if is_dataclass(of):
        return (type(of).__name__, *((each.name, numbers(getattr(of, each.name))) for each in fields(of)))
    if isinstance(of, tuple | list):
        return tuple(numbers(item) for item in of)
    if isinstance(of, Mapping):
        return tuple((key, numbers(item)) for key, item in of.items())
    return of if isinstance(of, str | int | float | bool | None) else type(of).__name__


def assert_becomes(change: Any, path: str, value: Any) -> None:
    """A change leads to the economy of the scenario written with this value, and the first one stays."""
    scenario = load(shocked((20, {path: change})))
    assert [regime.tick for regime in scenario.regimes] == [0, 20]
    before, after = (numbers(regime.economy) for regime in scenario.regimes)
    assert before == numbers(load(TOWN).economy)
    assert after == numbers(written(path, value).economy)
    assert after != before


@pytest.mark.parametrize("name", CHANGES)
def test_a_value_is_as_if_written_from_the_start(name: str) -> None:
    path, value, _ = CHANGES[name]
    assert_becomes(value, path, value)


@pytest.mark.parametrize("name", CHANGES)
def test_the_paths_of_a_shock_are_those_of_a_setting(name: str) -> None:
    path, value, _ = CHANGES[name]
    if name == "productivity of a kind":
        path = "firms.mill.technology.cobb_douglas.productivity"
    before, after = load(deepcopy(TOWN), settings={path: value}), load(shocked((20, {path: value})))
    assert numbers(before.economy) == numbers(after.regimes[1].economy)


@pytest.mark.parametrize("name", [name for name, (_, _, first) in CHANGES.items() if first is not None])
def test_plus_and_times_are_as_if_written_from_the_start(name: str) -> None:
    path, _, first = CHANGES[name]
    more = 0.125
    assert_becomes({"plus": more}, path, first + more)
    if first:
        assert_becomes({"times": 0.7}, path, first * 0.7)


@pytest.mark.parametrize("name", DRAWN)
def test_times_and_plus_act_on_drawn_numbers_as_they_were_drawn(name: str) -> None:
    path, draw = DRAWN[name]
    times, plus = draw.get("times", 1.0), draw.get("plus", 0.0)
    assert_becomes({"times": 1.7}, path, draw | {"times": times * 1.7, "plus": plus * 1.7})
    assert_becomes({"plus": 0.3}, path, draw | {"times": times, "plus": plus + 0.3})


def test_the_agents_stay_who_they_are() -> None:
    scenario = load(
        shocked(
            (5, {"consumers.folk.endowment.labour": {"times": 3}, "consumers.folk.budget": {"plus": 1}}),
            (9, {"consumers.folk.endowment.labour": {"plus": 2}, "firms.press.productivity": {"times": 0.5}}),
        )
    )
    first, second, third = (regime.economy for regime in scenario.regimes)
    labour = first.consumers[0].endowment[:, 0]
    np.testing.assert_allclose(second.consumers[0].endowment[:, 0], 3 * labour, rtol=1e-14)
    np.testing.assert_allclose(third.consumers[0].endowment[:, 0], 3 * labour + 2, rtol=1e-14)
    np.testing.assert_allclose(second.consumers[0].budget, first.consumers[0].budget + 1, rtol=1e-14)
    before, after = (economy.firms[1].technology for economy in (first, third))
    np.testing.assert_allclose(after.productivity, 0.5 * before.productivity, rtol=1e-14)
    assert len(np.unique(labour)) == 5


def test_columns_are_scaled_and_shifted_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folk.csv").write_text("now,later\n1,7\n2,8\n3,9\n1,5\n4,4\n")
    now, later = ({"csv": str(tmp_path / "folk.csv"), "column": column} for column in ("now", "later"))
    data = deepcopy(TOWN)
    data["consumers"][0]["budget"] = now
    del data["consumers"][0]["count"]
    path = "consumers.folk.budget"
    regimes = load(shocked((1, {path: {"times": 2}}), (2, {path: {"plus": 1}}), (3, {path: later}), data=data)).regimes
    budgets = [regime.economy.consumers[0].budget.tolist() for regime in regimes]
    assert budgets == [[1, 2, 3, 1, 4], [2, 4, 6, 2, 8], [3, 5, 7, 3, 9], [7, 8, 9, 5, 4]]


def test_a_mapping_is_replaced_or_scaled_as_a_whole() -> None:
    taste = "consumers.folk.utility.cobb_douglas"
    assert_becomes({"bread": 3, "wine": 1}, taste, {"bread": 3, "wine": 1})
    assert_becomes({"plus": 1}, taste, {"bread": 2, "wine": 3})
    assert_becomes({"times": 3}, "supply", {"land": 6})
    assert_becomes({"wine": 1}, "supply", {"wine": 1})
    assert_becomes({"times": 0.5}, "consumers.lords.endowment", {"land": 0.5})


def test_what_a_shock_does_not_touch_is_the_same_object() -> None:
    before, after = (regime.economy for regime in load(shocked((3, {"firms.mill.productivity": 3}))).regimes)
    assert after.firms[0] is not before.firms[0]
    assert after.firms[1] is before.firms[1]
    assert all(a is b for a, b in zip(before.consumers, after.consumers, strict=True))


SERIES: list[tuple[int, Data]] = [
    (10, {"supply.land": {"times": 1.5}}),
    (20, {"supply.land": {"plus": 1}, "consumers.lords.budget": 0.7}),
    (30, {"supply.land": {"times": 0.3}, "consumers.folk.endowment.labour": {"plus": 1}}),
    (40, {"consumers.lords.budget": {"times": 2}, "consumers.folk.endowment.labour": {"times": 2}}),
]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_shocks_accumulate_in_the_order_of_their_ticks(order: tuple[int, ...]) -> None:
    regimes = load(shocked(*(SERIES[place] for place in order))).regimes
    assert [regime.tick for regime in regimes] == [0, 10, 20, 30, 40]
    land, budget = (
        [each.economy.supply[1] for each in regimes],
        [each.economy.consumers[1].budget[0] for each in regimes],
    )
    np.testing.assert_allclose(land, [2, 3, 4, 1.2, 1.2], rtol=1e-15)
    np.testing.assert_allclose(budget, [0.5, 0.5, 0.7, 0.7, 1.4], rtol=1e-15)
    labour = np.array([each.economy.consumers[0].endowment[:, 0] for each in regimes])
    np.testing.assert_allclose(labour, [labour[0]] * 3 + [labour[0] + 1, 2 * (labour[0] + 1)], rtol=1e-14)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["times", "plus"]), st.floats(0, 8)),
        min_size=1,
        max_size=6,
        unique_by=lambda shock: shock[0],
    )
)
@settings(max_examples=60)
def test_any_series_of_changes_is_what_arithmetic_makes_of_it(changes: list[tuple[int, str, float]]) -> None:
    regimes = load(shocked(*((tick, {"supply.land": {kind: number}}) for tick, kind, number in changes))).regimes
    land, expected = 2.0, {0: 2.0}
    for tick, kind, number in sorted(changes):
        land = land * number if kind == "times" else land + number
        expected[tick] = land
    assert {regime.tick: regime.economy.supply[1] for regime in regimes} == expected
    assert [regime.tick for regime in regimes] == sorted(expected)


def test_shocks_of_one_tick_are_one_regime() -> None:
    apart = load(shocked((7, {"supply.land": 3}), (7, {"consumers.lords.budget": {"times": 2}})))
    together = load(shocked((7, {"supply.land": 3, "consumers.lords.budget": {"times": 2}})))
    assert [regime.tick for regime in apart.regimes] == [regime.tick for regime in together.regimes] == [0, 7]
    assert numbers(apart.regimes[1].economy) == numbers(together.regimes[1].economy)


def test_a_shock_at_tick_0_is_a_scenario_written_so() -> None:
    scenario = load(shocked((0, {"supply.land": 3})))
    assert numbers(scenario.economy) == numbers(written("supply.land", 3).economy)
    assert len(scenario.regimes) == 1
    pd.testing.assert_frame_equal(
        simulate(scenario).trajectory, simulate(written("supply.land", 3)).trajectory, check_exact=True
    )


def test_the_resolved_scenario_has_the_same_regimes() -> None:
    scenario = load(shocked(*SERIES))
    again = load(scenario.resolved)
    assert again.resolved == scenario.resolved
    assert numbers(again.regimes) == numbers(scenario.regimes)


MARKET = ["price", "demand", "supply", "excess_demand", "traded", "inventory"]
TIMED = 25


def market(run: Run, *, before: int | None = None, at: int | None = None) -> pd.DataFrame:
    """What the market did, before a tick or at it."""
    frame = run.trajectory
    chosen: Any = frame["tick"] < before if before is not None else frame["tick"] == at
    return frame.loc[chosen, MARKET].reset_index(drop=True)


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_shock_changes_its_own_tick_and_none_before(name: str, trade: str) -> None:
    path, value, _ = CHANGES[name]
    calm = simulate(TOWN | {"trade": trade})
    struck = simulate(shocked((TIMED, {path: value}), trade=trade))
    pd.testing.assert_frame_equal(market(struck, before=TIMED), market(calm, before=TIMED), check_exact=True)
    now, then = market(struck, at=TIMED), market(calm, at=TIMED)
    assert now["price"].equals(then["price"])
    assert not np.allclose(now[["demand", "supply"]], then[["demand", "supply"]], rtol=1e-9)
    later = market(struck, at=TIMED + 1)["price"], market(calm, at=TIMED + 1)["price"]
    assert not np.allclose(*later, rtol=1e-9)
    assert struck.summary["shocks"] == [TIMED]
    assert calm.summary["shocks"] == []


@pytest.mark.parametrize("name", CHANGES)
def test_where_nobody_trades_it_goes_on_as_one_begun_there(name: str) -> None:
    path, value, _ = CHANGES[name]
    struck = simulate(shocked((TIMED, {path: value}), trade="at_equilibrium"))
    start = struck.trajectory.query(f"tick == {TIMED}").set_index("good")["price"].to_dict()
    fresh = written(path, value).resolved | {"trade": "at_equilibrium"}
    fresh["goods"] = {good: {"price": price} for good, price in start.items()}
    begun = simulate(fresh | {"run": TOWN["run"] | {"ticks": 60 - TIMED}})
    prices = [run.trajectory.query(f"tick >= {first}")["price"] for run, first in ((struck, TIMED), (begun, 0))]
    np.testing.assert_allclose(prices[0], prices[1], rtol=1e-9)


def test_the_last_tick_may_be_struck() -> None:
    calm, struck = simulate(TOWN), simulate(shocked((60, {"supply.land": 3})))
    pd.testing.assert_frame_equal(market(struck, before=60), market(calm, before=60), check_exact=True)
    assert not market(struck, at=60).equals(market(calm, at=60))


REGIMES: list[tuple[int, Data]] = [
    (15, {"supply.land": {"times": 0.5}}),
    (15, {"consumers.folk.utility.cobb_douglas.wine": 5}),
    (30, {"firms.mill.productivity": {"times": 1.5}, "consumers.lords.budget": {"plus": 0.4}}),
    (45, {"consumers.folk.endowment.labour": {"times": 1.3}}),
]
PRESS: Data = {"power": {"output": "wine", "productivity": {"uniform": [0.5, 1.5]}, "inputs": {"labour": 0.5}}}
JUDGED: Data = {key: value for key, value in TOWN.items() if key != "numeraire"} | {
    "firms": [TOWN["firms"][0], {"name": "press", "count": 3, "technology": PRESS}],
    "run": TOWN["run"] | {"references": "on"},
}
"""Budgets say what money is worth: at a wage of 1 the market for labour would not clear."""


def alone(scenario: Scenario, place: int) -> Run:
    """A run of one regime's economy."""
    regime = scenario.regimes[place]
    return simulate(replace(scenario, regimes=(regime._replace(tick=0),)))


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_every_regime_has_the_equilibrium_of_its_economy(trade: str) -> None:
    scenario = load(shocked(*REGIMES, data=JUDGED, trade=trade))
    found = simulate(scenario).equilibrium
    assert found["from_tick"].drop_duplicates().tolist() == [0, 15, 30, 45]
    assert found["equilibrium"].drop_duplicates().tolist() == [1, 2, 3, 4]
    seen: list[np.ndarray] = []
    for place, (tick, economy, *_) in enumerate(scenario.regimes):
        block = found[found["from_tick"] == tick]
        assert block["good"].tolist() == TOWN["goods"]
        own = alone(scenario, place).equilibrium
        for column in ("price", "quantity", "adjoint", "index", "stable"):
            np.testing.assert_allclose(block[column], own[column], rtol=1e-9, err_msg=column)
        balance = economy.balance(block["price"].to_numpy())
        np.testing.assert_allclose(balance.excess_demand[1:], 0, atol=1e-9)
        seen.append(block["price"].to_numpy())
    for one, other in pairwise(seen):
        assert np.max(np.abs(other / one - 1)) > 0.01


def test_the_csv_has_the_equilibria_of_every_regime(tmp_path: Path) -> None:
    scenario = load(shocked(*REGIMES, data=JUDGED))
    run_to_disk(scenario, tmp_path)
    read, found = pd.read_csv(tmp_path / "equilibrium.csv"), simulate(scenario).equilibrium
    assert read["from_tick"].tolist() == [tick for tick in (0, 15, 30, 45) for _ in TOWN["goods"]]
    pd.testing.assert_frame_equal(read, found, check_dtype=False, rtol=1e-13)


def test_the_market_is_near_the_equilibrium_of_its_own_regime() -> None:
    run = simulate(shocked(*REGIMES, data=JUDGED | {"run": {"ticks": 2000, "stop": "never"}}, trade="at_equilibrium"))
    found, ticks = run.equilibrium, run.ticks.set_index("tick")
    for tick, start in ((14, 0), (15, 15), (44, 30), (45, 45), (2000, 45)):
        prices = run.trajectory.query(f"tick == {tick}").set_index("good")["price"]
        equilibrium = found[found["from_tick"] == start].set_index("good")["price"]
        gap = (prices / equilibrium - 1).abs().max()
        assert ticks.loc[tick, "distance_to_equilibrium"] == pytest.approx(gap, rel=1e-9, abs=1e-12)
    assert ticks.loc[2000, "distance_to_equilibrium"] < 1e-6
    assert run.summary["outcome"] == "cleared"
    assert run.summary["equilibrium"] == 1


def exchange(budget: float, supply: float) -> Data:
    """Two consumers; what a budget brings in is spent on what nobody owns."""
    return {
        "goods": ["x", "y"],
        "supply": {"x": supply},
        "consumers": [
            {"name": "a", "utility": {"cobb_douglas": {"x": 1, "y": 2}}, "endowment": {"x": 1}, "budget": budget},
            {"name": "b", "utility": {"cobb_douglas": {"x": 2, "y": 1}}, "endowment": {"y": 2}},
        ],
        "run": {"ticks": 100, "stop": "never"},
    }


def test_prices_in_money_stay_what_they_were_when_only_relative_ones_matter_afterwards() -> None:
    first = exchange(budget=3, supply=1)
    own = simulate(first).equilibrium["price"]
    run = simulate(shocked((20, {"consumers.a.budget": 0, "supply.x": 0}), data=first))
    np.testing.assert_allclose(run.equilibrium.query("from_tick == 0")["price"], own, rtol=1e-9)


KEPT: dict[str, Any] = {
    "spoiling": "every_tick",
    "kept": {"every_tick": {"inventories": True}},
    "half kept": {"every_tick": {"spoilage": 0.5}},
}


@pytest.mark.parametrize("trade", KEPT)
@pytest.mark.parametrize("name", CHANGES)
def test_goods_and_money_are_conserved_across_a_shock(name: str, trade: str) -> None:
    path, value, _ = CHANGES[name]
    run = simulate(shocked((TIMED, {path: value}), trade=KEPT[trade]))
    assert run.summary["worst_imbalance"] < 1e-14
    assert run.ticks[["goods_imbalance", "money_imbalance"]].abs().max(axis=None) < 1e-14
    assert run.ticks["money"].abs().min() > 0.1


@pytest.mark.parametrize("trade", KEPT)
def test_what_changes_hands_across_a_shock_is_what_agents_say_they_got(trade: str) -> None:
    run = simulate(shocked(*REGIMES, trade=KEPT[trade]))
    agents = run.agents[~run.agents["agent"].str.endswith(":mean")]
    bought = agents.groupby(["tick", "good"])["input"].sum()
    traded = run.trajectory.set_index(["tick", "good"])["traded"]
    np.testing.assert_allclose(bought.loc[traded.index], traded, rtol=1e-12, atol=1e-14)


def test_stocks_and_accounts_are_carried_across_a_shock() -> None:
    run = simulate(shocked((TIMED, {"supply.land": 3}), trade=KEPT["kept"]))
    bread = run.trajectory.query("good == 'bread'").set_index("tick")
    made = run.agents.query("agent == 'mill' and good == 'bread'").set_index("tick")["output"]
    stock = bread["inventory"]
    assert stock[TIMED - 1] > 0.1
    assert stock[TIMED] == pytest.approx(stock[TIMED - 1] - bread.loc[TIMED, "traded"] + made[TIMED], rel=1e-12)
    money = run.ticks.set_index("tick")["money"]
    assert abs(money[TIMED] - money[TIMED - 1]) < 0.05 * abs(money[TIMED - 1])


CSVS = ("trajectory.csv", "ticks.csv", "agents.csv", "wedges.csv", "equilibrium.csv", "distribution.csv")
LONG: Data = JUDGED | {"run": {"ticks": 120, "record_every": 3, "stop": "never"}}
UNJUDGED: Data = LONG | {"run": LONG["run"] | {"references": "off"}}
STRUCK = shocked(
    (41, {"supply.land": {"times": 0.5}, "consumers.folk.endowment.labour": {"plus": 1}}),
    (77, {"firms.mill.productivity": 3, "consumers.lords.budget": 0.9}),
    data=LONG,
    trade={"every_tick": {"inventories": True}},
    scheduler={"rate": 0.05, "with": [{"momentum": 0.5}]},
)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in CSVS}


def said(folder: Path) -> Data:
    summary = json.loads((folder / "summary.json").read_text())
    del summary["wall_seconds"]
    return summary


def interrupted_after(scenario: Scenario, folder: Path, tick: int, *, resume: bool) -> int:
    """Run up to a tick; the first tick run."""
    seen: list[int] = []
    summary = run_to_disk(
        scenario,
        folder,
        resume=resume,
        progress=lambda now, _: seen.append(now),
        stopped=lambda: seen[-1] >= tick,
    )
    assert summary["outcome"] == "interrupted"
    assert seen[-1] == tick
    return seen[0]


ENDS = {1: set(range(120)), 16: {15, 31, 40, 56, 72, 76, 92, 108}, 1024: {40, 76}}
"""The last ticks of blocks of so many ticks, which end before a shock too."""


def assert_goes_on(scenario: Scenario, stops: tuple[int, ...], block: int, folder: Path) -> None:
    """Stopped after these ticks, and every time begun again after the last whole block, it ends in the same bytes."""
    run_to_disk(scenario, folder / "whole")
    ends = ENDS[block]
    for number, stop in enumerate(stops):
        first = interrupted_after(scenario, folder / "parts", stop, resume=number > 0)
        # A block that ends with the tick it is stopped at is whole, but nothing goes on from it.
        whole = [end for end in ends if number > 0 and end < max(stops[:number])]
        assert first == max(whole, default=-1) + 1
    run_to_disk(scenario, folder / "parts", resume=True)
    assert contents(folder / "parts") == contents(folder / "whole")
    assert said(folder / "parts") == said(folder / "whole")


STOPS = [(20,), (40,), (41,), (42,), (76,), (77,), (119,), (20, 60), (40, 76, 100), (41, 77), (20, 39, 45, 76, 90)]


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize("block", ENDS)
@pytest.mark.parametrize("stops", STOPS, ids=str)
def test_a_run_interrupted_around_shocks_ends_in_the_same_bytes(
    stops: tuple[int, ...], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks_of(monkeypatch, block)
    assert_goes_on(load(STRUCK | {"run": UNJUDGED["run"]}), stops, block, tmp_path)


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize(
    ("trade", "block", "stops"),
    [
        ("every_tick", 16, (42, 60, 79)),
        pytest.param("at_equilibrium", 16, (42, 60, 79), marks=pytest.mark.slow),
        pytest.param("every_tick", 1, (42, 79), marks=pytest.mark.slow),
    ],
)
def test_judges_go_on_around_shocks_in_the_same_bytes(
    trade: str, block: int, stops: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks_of(monkeypatch, block)
    assert_goes_on(load(STRUCK | {"trade": trade}), stops, block, tmp_path)


def test_in_memory_and_on_disk_it_is_the_same_run(tmp_path: Path) -> None:
    run_to_disk(load(deepcopy(STRUCK)), tmp_path)
    run = simulate(deepcopy(STRUCK))
    for name in CSVS:
        frame, found = pd.read_csv(tmp_path / name), getattr(run, name.removesuffix(".csv"))
        columns = [column for column in frame if not found[column].isna().all()]
        assert len(columns) > 5
        pd.testing.assert_frame_equal(frame[columns], found[columns], check_dtype=False, rtol=1e-13)
    assert said(tmp_path)["shocks"] == [41, 77]


def refused(data: Data, folder: Path) -> list[Problem]:
    """The problems of a scenario in a file of a line for each key and each shock."""
    rest = {key: value for key, value in data.items() if key != "shocks"}
    lines = ["shocks:", *(f"  - {json.dumps(shock)}" for shock in data["shocks"])]
    lines += [f"{key}: {json.dumps(value)}" for key, value in rest.items()]
    (folder / "town.yaml").write_text("\n".join(lines) + "\n")
    with pytest.raises(ScenarioError) as caught:
        load(folder / "town.yaml")
    assert all(problem.where == str(folder / "town.yaml") for problem in caught.value.problems)
    return list(caught.value.problems)


SECOND_LINE, SHOCK = 3, (5, {"supply.land": {"times": 0.5}})
MISSPELT = [
    ("supply.lnd", "supply.land"),
    ("supply.Land", "supply.land"),
    ("consumers.folk.endowment.labor", "consumers.folk.endowment.labour"),
    ("consumers.folk.utility.cobb_douglas.bred", "consumers.folk.utility.cobb_douglas.bread"),
    ("consumers.lords.utility.ces.elastcity", "consumers.lords.utility.ces.elasticity"),
    ("firms.mill.technology.cobb_douglas.input.land", "firms.mill.technology.cobb_douglas.inputs"),
    ("suply.land", "supply.land"),
    ("firm.mill.productivity", "firms.mill.productivity"),
    ("firms.mil.productivity", "firms.mill"),
    ("firms.mill.productivty", "firms.mill.productivity"),
    ("consumers.fol.endowment.labour", "consumers.folk"),
    ("consumers.folk.endowmnt.labour", "consumers.folk.endowment"),
    ("consumers.folk.budgt", "consumers.folk.budget"),
]


def test_a_technology_that_is_a_formula_is_not_offered_what_may_not_change() -> None:
    firm = {"name": "mill", "makes": "bread = land^0.5"}
    data = {"goods": ["land", "bread"], "outside": {"bread": 1}, "supply": {"land": 1}, "firms": [firm]}
    rule = {"kind": "tatonnement", "form": "multiplicative", "rate": 0.1}
    shock = {"tick": 3, "set": {"firms.mill.technology": 3}}
    with pytest.raises(
        ScenarioError, match=r"unknown path 'firms\.mill\.technology'; expected firms\.mill\.productivity$"
    ):
        load({**data, "scheduler": rule, "shocks": [shock]})


@pytest.mark.parametrize(("path", "meant"), MISSPELT)
def test_an_unknown_path_is_refused_with_what_was_meant(path: str, meant: str, tmp_path: Path) -> None:
    (problem,) = refused(shocked(SHOCK, (9, {path: 1})), tmp_path)
    assert (problem.line, problem.path) == (SECOND_LINE, f"shocks[1].set.{path}")
    assert problem.message.startswith(f"unknown path '{path}'; expected ")
    assert f"did you mean {meant}" in problem.message


@pytest.mark.parametrize(
    "path",
    [
        *(
            "run.ticks",
            "scheduler.rate",
            "outside.land",
            "goods.land.price",
            "initial_prices.land",
            "trade",
            "numeraire",
        ),
        *("firms.mill.count", "firms.press.makes", "firms.mill.name", "firms.mill.technology.cobb_douglas.output"),
        *("consumers.folk.count", "consumers.folk.owns.mill", "consumers.folk.savings", "firms", "firms.mill", ""),
        *("supply.land.more", "consumers.lords.budget.more", "firms.press.productivity.more"),
    ],
)
def test_what_no_shock_may_change_is_refused(path: str, tmp_path: Path) -> None:
    (problem,) = refused(shocked(SHOCK, (9, {path: 1})), tmp_path)
    assert problem.line == SECOND_LINE
    assert problem.path.startswith("shocks[1].set.")
    last = path.rpartition(".")[2]
    never = f"found {path}, but a {last} cannot change; expected "
    assert problem.message.startswith(never if last in ("count", "name") else f"unknown path '{path}'; expected ")


INVALID = [
    ({"supply.land": -1}, "leads to supply.land: found -1; expected a number of at least 0"),
    ({"supply.land": {"plus": -3}}, "leads to supply.land: found -2; expected a number of at least 0"),
    ({"supply.land": {"times": -1}}, "leads to supply.land: found -1; expected a number of at least 0"),
    ({"supply.land": "much"}, "leads to supply.land: found 'much'; expected a number"),
    ({"supply": {"lnd": 1}}, "leads to supply.lnd: unknown good 'lnd'"),
    ({"consumers.folk.budget": {"uniform": [-2, -1]}}, "expected numbers of at least 0"),
    (
        {"consumers.folk.utility.cobb_douglas": {"times": 0}},
        "leads to consumers.folk.utility.cobb_douglas: found no good that is wanted",
    ),
    (
        {"consumers.lords.utility.ces.elasticity": {"plus": -1}},
        "leads to consumers.lords.utility.ces.elasticity: found",
    ),
    ({"firms.mill.productivity": -1}, "leads to firms.mill.technology.cobb_douglas.productivity: found -1; expected"),
    (
        {"firms.mill.technology.cobb_douglas.inputs.land": 0.8},
        "leads to firms.mill.technology.cobb_douglas.inputs: found exponents that sum to 1.2:",
    ),
    (
        {"firms.mill.productivity": {"uniform": [-2, -1]}},
        "leads to firms.mill.technology.cobb_douglas.productivity: found -1.",
    ),
    ({"consumers.folk.budget": {"times": 2, "plus": 1}}, "expected a number or one distribution"),
    ({"consumers.folk.budget": {"times": "two"}}, "found times: 'two'; expected a number"),
    ({"consumers.folk.budget": {"plus": True}}, "found plus: true; expected a number"),
    ({"firms.press.productivity": {"times": -1}}, "expected numbers of at least 0"),
    ({"consumers.folk.budget": {"csv": "no.csv", "column": "a"}}, "found no file"),
]


@pytest.mark.parametrize(("changes", "message"), INVALID)
def test_a_shock_that_leads_to_no_economy_is_refused_at_its_place(changes: Data, message: str, tmp_path: Path) -> None:
    (problem,) = refused(shocked(SHOCK, (9, changes)), tmp_path)
    assert message in problem.message, problem.message
    assert problem.path.startswith("shocks[1].set")
    assert problem.line == SECOND_LINE


def test_a_shock_that_is_harmless_alone_is_judged_after_those_before(tmp_path: Path) -> None:
    load(shocked((9, {"supply.land": {"plus": -1.5}})))
    (problem,) = refused(shocked((5, {"supply.land": 1}), (9, {"supply.land": {"plus": -1.5}})), tmp_path)
    assert problem.path == "shocks[1].set"
    load(shocked((9, {"supply.land": 1}), (5, {"supply.land": {"plus": -1.5}})))


@pytest.mark.parametrize(
    ("tick", "path", "message"),
    [
        (-1, "shocks[1].tick", "found -1; expected a number of at least 0"),
        (5.5, "shocks[1].tick", "found 5.5; expected a whole number"),
        (5, "shocks[1].set.supply.land", "found a second change of 'supply.land' at tick 5; expected one"),
    ],
)
def test_a_shock_at_no_tick_of_its_own_is_refused(tick: Any, path: str, message: str, tmp_path: Path) -> None:
    (problem,) = refused(shocked(SHOCK, (tick, {"supply.land": 1})), tmp_path)
    assert (problem.line, problem.path, problem.message) == (SECOND_LINE, path, message)


@pytest.mark.parametrize("kind", ["times", "plus"])
def test_a_number_beyond_all_floats_changes_nothing(kind: str) -> None:
    with pytest.raises(ScenarioError, match=f"found {kind} of a number beyond 1e308"):
        load(shocked((3, {"supply.land": {kind: 10**400}})))


def test_agents_cannot_begin_to_differ() -> None:
    alike = deepcopy(TOWN)
    alike["firms"][1]["productivity"] = 1
    for data, change in (
        (alike, {"firms.press.productivity": {"uniform": [1, 2]}}),
        (TOWN, {"firms.press.productivity": 1}),
    ):
        with pytest.raises(ScenarioError, match=r"shocks\[0\]\.set: found agents of press who are all alike"):
            load(shocked((3, change), data=data))


INPUTS = "firms.mill.technology.cobb_douglas.inputs"


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
@pytest.mark.parametrize(
    "changes",
    [
        {INPUTS: {"land": 0.3, "labour": 0.2}},
        {
            "firms.mill.technology": {
                "leontief": {"output": "bread", "returns_to_scale": 0.5, "inputs": {"land": 1, "labour": 1}}
            }
        },
        {INPUTS: {"labour": 0.4}},
        {INPUTS: {"labour": 0.4, "land": 0.1, "wine": 0.1}},
        {"firms.mill.technology": {"power": {"output": "bread", "inputs": {"labour": 0.4}}}},
    ],
    ids=["turned", "other kind", "fewer", "more", "other kind of fewer"],
)
def test_a_change_of_inputs_is_refused_or_runs(changes: Data, trade: str) -> None:
    try:
        scenario = load(shocked((20, changes), trade=trade))
    except ScenarioError:
        return
    assert simulate(scenario, references=True).summary["ticks"] == 60


def test_a_firm_goes_on_making_the_same_good() -> None:
    other = {"cobb_douglas": {"output": "wine", "inputs": {"labour": 0.4, "land": 0.3}}}
    with pytest.raises(ScenarioError):
        load(shocked((20, {"firms.mill.technology": other})))


CALM: Data = {
    "goods": ["ore", "steel"],
    "supply": {"ore": 4},
    "outside": {"steel": 1},
    "firms": [{"name": "mill", "makes": "steel = 2*ore^0.5"}],
    "run": {"ticks": 700},
}


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_without_a_verdict_it_goes_on_to_the_last_tick(trade: str) -> None:
    stops = simulate(CALM | {"trade": trade})
    goes_on = simulate(CALM | {"trade": trade, "run": {"ticks": 700, "stop": "never"}})
    assert stops.summary["outcome"] == goes_on.summary["outcome"] == "cleared"
    assert stops.summary["ticks"] < 300
    assert goes_on.summary["ticks"] == goes_on.ticks["tick"].iloc[-1] == 700
    assert len(goes_on.ticks) == 701
    last = stops.summary["ticks"]
    pd.testing.assert_frame_equal(market(goes_on, before=last), market(stops, before=last), check_exact=True)
    after = goes_on.trajectory.query(f"tick > {last} and good == 'ore'")
    np.testing.assert_allclose(after["excess_demand"], 0, atol=1e-5)
    assert after["price"].iloc[-1] == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_a_run_does_not_end_while_a_shock_is_to_come(trade: str) -> None:
    calm = simulate(CALM | {"trade": trade})
    struck = simulate(shocked((500, {"supply.ore": 1}), data=CALM, trade=trade))
    assert calm.summary["ticks"] < 300
    assert 500 < struck.summary["ticks"] < 700
    assert struck.summary["outcome"] == "cleared"
    rows = struck.trajectory.query("good == 'ore'").set_index("tick")
    assert rows.loc[499, "price"] == pytest.approx(0.5, rel=1e-6)
    assert rows["price"].iloc[-1] == pytest.approx(1, rel=1e-5)
    assert abs(struck.ticks.set_index("tick").loc[500, "max_relative_excess_demand"]) > 0.1


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_the_gradient_path_goes_on_under_the_new_function(trade: str) -> None:
    """A supply chain's prices are the path itself; so they are still after a shock."""
    run = simulate(shocked((40, {"supply.ore": 1}), (80, {"firms.mill.productivity": 3}), data=CALM, trade=trade))
    prices = run.trajectory.query("good == 'ore'").set_index("tick")["price"]
    assert abs(prices[80] / prices[40] - 1) > 0.1
    assert abs(prices.iloc[-1] / prices[80] - 1) > 0.1
    assert run.ticks["distance_to_gradient_path"].max() < 1e-12
    np.testing.assert_allclose(run.trajectory["gradient_price"], run.trajectory["price"], rtol=1e-12)


@pytest.mark.parametrize(("tick", "outcome"), [(500, "settled_off_equilibrium"), (650, "out_of_ticks")])
def test_prices_must_stand_still_anew_after_a_shock(tick: int, outcome: str) -> None:
    still = CALM | {"scheduler": {"with": [{"decay": 60}]}}
    struck = simulate(shocked((tick, {"supply.ore": 2}), data=still))
    assert simulate(still).summary["outcome"] == "settled_off_equilibrium"
    assert struck.summary["outcome"] == outcome


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        ({"lognormal": {"mean": 0}}, "lognormal.sigma: missing key sigma; expected"),
        ({"uniform": [1]}, "uniform: found a list of 1; expected [least, most]"),
        ({"times": {"uniform": [1, "a"]}}, "uniform.1: found 'a'; expected a number"),
        ({"lognormal": 3}, "lognormal: found 3; expected a mapping"),
        ({"uniform": [2, 1]}, "uniform: found [2.0, 1.0]; expected [least, most], the smaller first"),
    ],
)
def test_what_is_wrong_with_a_draw_is_said_as_in_a_scenario(drawn: Any, said: str) -> None:
    consumer = {"name": "a", "utility": {"cobb_douglas": {"x": 1}}, "budget": 1}
    shocks = [{"tick": 3, "set": {"supply.x": drawn}}]
    with pytest.raises(ScenarioError) as caught:
        load({"goods": ["x"], "supply": {"x": 1}, "consumers": [consumer], "shocks": shocks})
    (problem,) = caught.value.problems
    assert said in problem.message
