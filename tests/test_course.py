"""Shocks that repeat, end, are drawn or move prices: each run is one that could have been written out at length."""

from __future__ import annotations

from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import blocks_of
from tests.house import Economy, Scenario, ScenarioError, load, run_to_disk, simulate
from tests.test_shocks import CALM, CSVS, LONG, TOWN, Data, contents, interrupted_after, numbers, said

LAND, BUDGET, LABOUR = "supply.land", "consumers.lords.budget", "consumers.folk.endowment.labour"


def struck(*shocks: Data, data: Data = TOWN, **others: Any) -> Data:
    return deepcopy({**data, "shocks": list(shocks), **others})


def regimes_of(scenario: Scenario) -> list[Any]:
    return [scenario.regimes[0], *scenario.following()]


def at_length(shocks: list[Data], last: int) -> list[Data]:
    """The same shocks, each of its times written out."""
    long: list[Data] = []
    for shock in shocks:
        if "every" not in shock:
            long.append(shock)
            continue
        ticks = range(shock["tick"], min(shock.get("until", last), last) + 1, shock["every"])
        long += [{"tick": tick, "set": shock["set"]} for tick in ticks]
    return long


REPEATED: list[Data] = [
    {"tick": 5, "every": 10, "until": 35, "set": {LAND: {"times": 0.8}, BUDGET: {"plus": 0.1}}},
    {"tick": 7, "every": 19, "set": {LAND: 3}},
    {"tick": 30, "every": 15, "set": {LABOUR: {"times": 1.1}, "prices.bread": {"times": 1.5}}},
    {"tick": 12, "until": 40, "set": {"firms.mill.productivity": 3}},
]


@pytest.mark.parametrize("references", ["on", "off"])
def test_a_shock_that_repeats_is_one_that_is_written_so_often(references: str, tmp_path: Path) -> None:
    run = TOWN["run"] | {"references": references}
    data = TOWN | {"firms": [TOWN["firms"][0], *LONG["firms"][1:]], "run": run}
    for name, shocks in (("short", REPEATED), ("long", at_length(REPEATED, 60))):
        run_to_disk(load(struck(*shocks, data=data)), tmp_path / name)
    assert contents(tmp_path / "short") == contents(tmp_path / "long")
    assert said(tmp_path / "short")["shocks"] == said(tmp_path / "long")["shocks"]


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(0, 15), st.booleans()),
        min_size=1,
        max_size=4,
        unique_by=lambda shock: shock[0],
    )
)
@settings(max_examples=40, deadline=None)
def test_what_is_over_is_as_if_it_had_not_been(shocks: list[tuple[int, int, int, bool]]) -> None:
    """Land after any shocks, of which some pass and some repeat, is that of those that stand, in their order."""
    entries: list[Data] = []
    for place, (tick, step, more, passes) in enumerate(shocks):
        change = {LAND: {"plus": 2.0**place}}
        entries.append({"tick": tick, "until": tick + more + 1, "set": change} | ({} if passes else {"every": step}))
    last = 20

    def land(now: int) -> float:
        times = [
            int(tick <= now < tick + more + 1) if passes else len(range(tick, min(now, tick + more + 1) + 1, step))
            for tick, step, more, passes in shocks
        ]
        return 2 + sum(2.0**place * often for place, often in enumerate(times))

    scenario = load(struck(*entries, run=TOWN["run"] | {"ticks": last}))
    found = {regime.tick: regime.economy.supply[1] for regime in regimes_of(scenario)}
    assert found == {tick: land(tick) for tick in found}
    changes = {tick for tick in range(1, last + 1) if land(tick) != land(tick - 1)}
    assert changes <= found.keys()


def test_once_over_the_economy_is_the_same_to_the_bit() -> None:
    shock = {"tick": 20, "until": 40, "set": {LAND: {"times": 0.3}, LABOUR: {"times": 1 / 3}, BUDGET: 9}}
    first, during, after = regimes_of(load(struck(shock)))
    assert (during.tick, after.tick) == (20, 40)
    assert numbers(first.economy) == numbers(after.economy) != numbers(during.economy)


DRAWN: dict[str, Data] = {
    "a number": {LAND: {"lognormal": {"mean": 0, "sigma": 0.5}}},
    "times": {BUDGET: {"times": {"uniform": [0.5, 1.5]}}},
    "plus": {LAND: {"plus": {"exponential": 0.1}}},
    "times for many": {LABOUR: {"times": {"gamma": {"shape": 2, "scale": 0.5}, "plus": 0.1}}},
}


def land_and_more(scenario: Scenario) -> list[list[float]]:
    economies = [regime.economy for regime in regimes_of(scenario)]
    return [
        [each.supply[1], each.consumers[1].budget[0], *each.consumers[0].endowment[:, 0].tolist()] for each in economies
    ]


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawn_shock_is_drawn_anew_each_time(name: str) -> None:
    shock = {"tick": 10, "every": 10, "set": DRAWN[name]}
    found = land_and_more(load(struck(shock)))
    assert len({tuple(each) for each in found}) == len(found) == 7
    assert found == land_and_more(load(struck(shock)))
    # Who else is struck, and where in the file, changes nothing; another seed does.
    other = {"tick": 3, "every": 8, "set": {"supply.wine": {"uniform": [1, 2]}}}
    many = load(struck(other, shock))
    ticks = [regime.tick for regime in regimes_of(many)]
    assert [each for tick, each in zip(ticks, land_and_more(many), strict=True) if tick % 10 == 0] == found
    another = land_and_more(load(struck(shock, run=TOWN["run"] | {"seed": 1})))
    assert another[1:] != found[1:]


def test_times_drawn_for_many_is_one_number_for_all() -> None:
    found = np.array(land_and_more(load(struck({"tick": 10, "every": 10, "set": DRAWN["times for many"]}))))[:, 2:]
    factors = found[1:] / found[:-1]
    np.testing.assert_allclose(factors, factors[:, :1].repeat(5, axis=1), rtol=1e-13)


def test_two_shocks_of_one_path_draw_apart() -> None:
    shocks = [{"tick": tick, "every": 20, "set": {LAND: {"uniform": [1, 2]}}} for tick in (5, 6)]
    land = [each[0] for each in land_and_more(load(struck(*shocks)))]
    assert len(set(land)) == len(land) == 7


def test_what_every_agent_draws_is_drawn_anew_each_time() -> None:
    shock = {"tick": 10, "every": 10, "until": 40, "set": {LABOUR: {"uniform": [1, 2]}}}
    later = {"tick": 25, "set": {LABOUR: {"times": 2}}}
    found = np.array(land_and_more(load(struck(shock, later))))[:, 2:]
    assert len(np.unique(found[[1, 2, 4, 5]])) == 20
    np.testing.assert_allclose(found[3], 2 * found[2], rtol=1e-14)
    once = np.array(land_and_more(load(struck({"tick": 10, "set": {LABOUR: {"uniform": [1, 2]}}}))))[:, 2:]
    assert once[1].tolist() == found[1].tolist()


def price(run: Any, good: str) -> pd.Series[float]:
    return run.trajectory.query(f"good == '{good}'").set_index("tick")["price"]


@pytest.mark.parametrize("engine", ["auto", "arrays"])
@pytest.mark.parametrize(
    ("change", "becomes"), [(3, lambda _: 3.0), ({"times": 2}, lambda p: 2 * p), ({"plus": 0.5}, lambda p: p + 0.5)]
)
def test_a_price_moves_and_the_market_finds_back(change: Any, becomes: Any, engine: str) -> None:
    data = CALM | {"run": {"ticks": 700, "stop": "never", "engine": engine}}
    calm, moved = simulate(data), simulate(struck({"tick": 50, "set": {"prices.ore": change}}, data=data))
    before, after = price(calm, "ore"), price(moved, "ore")
    assert after[:49].equals(before[:49])
    assert after[50] == becomes(before[50])
    assert after.iloc[-1] == pytest.approx(0.5, rel=1e-9)
    # The judge's path is a supply chain's market itself, and goes the same way.
    np.testing.assert_allclose(moved.trajectory["gradient_price"], moved.trajectory["price"], rtol=1e-12)
    assert moved.summary["shocks"] == [50]
    assert moved.equilibrium["from_tick"].unique().tolist() == [0, 50]
    assert len({*moved.equilibrium.query("good == 'ore'")["price"]}) == 1


def test_a_price_is_no_lower_than_its_floor() -> None:
    data = CALM | {"goods": {"ore": {"floor": 0.4}, "steel": None}}
    moved = simulate(struck({"tick": 3, "set": {"prices.ore": {"plus": -9}}}, data=data))
    assert price(moved, "ore")[3] == 0.4


CHAIN: Data = {
    "goods": {"x": {"rival": False}, "y": None, "z": None, "w": None},
    "supply": {"x": 2},
    "outside": {"w": 1},
    "firms": [
        {"name": "a", "makes": "y = 3*x"},
        {"name": "b", "makes": "z = x^2"},
        {"name": "c", "makes": "w = y*z"},
    ],
    "run": {"ticks": 90},
}


@pytest.mark.parametrize("kind", ["marginal_bids", "tatonnement"])
def test_what_several_users_pay_moves_in_proportion(kind: str) -> None:
    scheduler = {"scheduler": {"kind": "marginal_bids", "rate": 0.2}}
    plans = {
        "firms": [
            {"name": "a", "makes": "y = 3*x^0.5"},
            {"name": "b", "makes": "z = x^0.3"},
            {"name": "c", "makes": "w = y^0.4*z^0.4"},
        ]
    }
    data = CHAIN | (scheduler if kind == "marginal_bids" else plans)
    calm = simulate(data)
    for change, becomes in ((5, lambda _: 5.0), ({"times": 3}, lambda p: 3 * p), ({"plus": 1}, lambda p: p + 1)):
        moved = simulate(struck({"tick": 20, "set": {"prices.x": change}}, data=data))
        assert price(moved, "x")[20] == pytest.approx(becomes(price(calm, "x")[20]), rel=1e-14)
        assert price(moved, "y")[20] == price(calm, "y")[20]
        assert price(moved, "x")[19] == price(calm, "x")[19]


WRONG: list[tuple[Data, str]] = [
    ({"every": 0}, "shocks[0].every: found 0; expected a number of at least 1"),
    ({"every": 2.5}, "shocks[0].every: found 2.5; expected a whole number"),
    ({"until": 9}, "shocks[0].until: found 9; expected a later tick than 9"),
    ({"every": 5, "until": 8}, "shocks[0].until: found 8; expected the tick or a later one"),
    ({"evry": 5}, "shocks[0].evry: unknown key 'evry'; expected one of tick, every, until, set; did you mean every?"),
    ({"set": {"prices.labour": 2}}, "labour has 1 as its price, being the numeraire, which stays"),
    ({"set": {"prices.bred": 2}}, "unknown path 'prices.bred'; expected "),
    ({"set": {"price.bread": 2}}, "did you mean prices.bread?"),
    ({"set": {"prices.bread": 0}}, "found 0; expected a number above 0"),
    ({"set": {"prices.bread": "low"}}, "found 'low'; expected a number, {times: x} or {plus: x}"),
    ({"set": {"prices.bread": {"times": -1}}}, "found -1; expected a number above 0"),
    ({"until": 20, "set": {"prices.bread": 2}}, "a price that has moved on cannot be what it was"),
    ({"tick": 0, "set": {"prices.bread": 2}}, "found prices.bread at tick 0; expected goods: {bread: {price: ...}}"),
    ({"every": 5, "set": {LAND: {"plus": -0.5}}}, "leads at tick 59 to supply.land: found -3.5"),
    (
        {"set": {LAND: {"lognormal": {"mean": 0, "sigma": -1}}}},
        "lognormal.sigma: found -1; expected a number of at least 0",
    ),
    ({"set": {LAND: {"lognormal": {"mean": 0}}}}, "lognormal.sigma: missing key sigma"),
    ({"every": 5, "set": {LAND: {"normal": {"mean": 0.2, "sigma": 1}}}}, "to supply.land: found -"),
]


@pytest.mark.parametrize(("shock", "message"), WRONG)
def test_what_no_shock_can_be_is_refused_before_anything_runs(shock: Data, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(struck({"tick": 9, "set": {LAND: 1}} | shock))
    assert message in str(caught.value)
    assert "shocks[0]" in str(caught.value)


@pytest.mark.parametrize("how", [{"fixed_price": 2}, "outside"])
def test_a_price_that_is_held_stays(how: Any) -> None:
    data = CALM if how == "outside" else CALM | {"outside": {}, "goods": {"ore": None, "steel": how}}
    with pytest.raises(ScenarioError, match=r"steel has (an outside|a fixed) price, which stays"):
        load(struck({"tick": 3, "set": {"prices.steel": 3}}, data=data))


def test_numbers_far_ahead_are_refused_when_the_run_gets_there(tmp_path: Path) -> None:
    shock = {"tick": 1, "every": 1, "set": {"supply.ore": {"plus": -1 / 256}}}
    run = {"ticks": 3000, "references": "off", "stop": "never", "engine": "arrays", "tables": ["ticks"]}
    scenario = load(struck(shock, data=CALM, run=run))
    with pytest.raises(ScenarioError, match=r"shocks\[0\]\.set: leads at tick 1025 to supply\.ore: found -"):
        run_to_disk(scenario, tmp_path / "run")


@pytest.mark.parametrize("shock", [{LAND: {"times": 1.0001}}, {"prices.bread": {"times": {"uniform": [0.9, 1.1]}}}])
def test_what_is_to_come_costs_nothing_before(shock: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many economies are made at the beginning for 20,000 repeats as for two."""
    made, real = count(), Economy.__init__

    def counted(self: Economy, *args: Any, **named: Any) -> None:
        next(made)
        real(self, *args, **named)

    monkeypatch.setattr(Economy, "__init__", counted)
    many: list[int] = []
    for times in (2, 20_000):
        before = next(made)
        load(struck({"tick": 1, "every": 2, "set": shock}, run={"ticks": 2 * times, "references": "off"}))
        many.append(next(made) - before)
    assert many[0] == many[1]


STOPS = [(20,), (40, 41), (60, 77), (16, 35, 90)]


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize("stops", STOPS, ids=str)
@pytest.mark.parametrize("references", ["off", pytest.param("on", marks=pytest.mark.slow)])
def test_a_run_that_goes_on_meets_the_same_shocks(
    stops: tuple[int, ...], references: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks_of(monkeypatch, 16)
    shocks: list[Data] = [
        {"tick": 11, "every": 13, "set": {LAND: {"lognormal": {"mean": 0, "sigma": 0.3}}}},
        {
            "tick": 20,
            "every": 25,
            "set": {LABOUR: {"uniform": [1, 2]}, "prices.bread": {"times": {"uniform": [0.5, 2]}}},
        },
        {"tick": 30, "until": 70, "set": {BUDGET: {"times": 2}}},
    ]
    scenario = load(struck(*shocks, data=LONG, run=LONG["run"] | {"references": references}))
    run_to_disk(scenario, tmp_path / "whole")
    for number, stop in enumerate(stops):
        interrupted_after(scenario, tmp_path / "parts", stop, resume=number > 0)
    run_to_disk(scenario, tmp_path / "parts", resume=True)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert said(tmp_path / "parts") == said(tmp_path / "whole")
    assert len(said(tmp_path / "whole")["shocks"]) > 10
    assert set(CSVS) <= {file.name for file in (tmp_path / "whole").iterdir()}
