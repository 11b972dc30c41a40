"""A tick with taxes and transfers: the judges say the same, whatever it is worked out in, and nothing gets lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders import blocks_of, market_of
from tests.house import Conservation, Market, Ticks, load, run_to_disk, simulate, treasury, walras_residual
from tests.run_folders import contents, run_with_stops
from tests.taxed import realm
from tests.test_float_tick import agree

TASTES: dict[str, dict[str, Any]] = {
    "realm": {},
    "purse": {"quasilinear": {"log": {"grain": 1, "bread": 3, "labour": 2}}},
    "formula": {"formula": "ln(bread) + sqrt(grain) + ln(1 + labour)"},
    "fixed proportions": {"leontief": {"bread": 1, "grain": 0.2, "labour": 0.5}},
}


def peopled(taste: str, **changes: Any) -> dict[str, Any]:
    """The realm with folk of another taste."""
    data = realm(**changes)
    lord, folk, state = data["consumers"]
    return {**data, "consumers": [lord, {**folk, "utility": TASTES[taste] or folk["utility"]}, state]}


@pytest.mark.parametrize("trade", ["at_equilibrium", "every_tick"])
@pytest.mark.parametrize("adjusts", [False, True])
@pytest.mark.parametrize("taste", TASTES)
def test_the_market_plans_as_the_judges_say(taste: str, adjusts: bool, trade: str) -> None:
    """They solve for incomes by derivatives of the dual demand, the market by two bundles of each cohort."""
    market = market_of(peopled(taste, adjusts=adjusts, trade=trade))
    economy, stream = market.economy, np.random.default_rng(4)
    for _ in range(4):
        prices = stream.uniform(0.5, 2.0, len(economy.goods))
        there = Market(replace(market.scheduler, engine="arrays"), economy, prices)
        there.advance()
        tick = there.last_tick
        balance = economy.in_force(tick.rates).balance(prices, tick.planned_inputs, tick.levels)
        assert np.abs(balance.received).max() > 0.1
        rtol = 1e-9 if taste == "formula" else 1e-12
        for name in ("demand", "supply", "consumption", "received", "revenues", "kept"):
            found = tick.planned_consumption if name == "consumption" else getattr(tick, name)
            np.testing.assert_allclose(found, getattr(balance, name), rtol, 1e-14, err_msg=name)
        assert walras_residual(economy, Ticks([tick])).max() < 1e-14


@pytest.mark.parametrize("trade", ["at_equilibrium", "every_tick"])
@pytest.mark.parametrize("adjusts", [False, True])
@pytest.mark.parametrize("taste", ["realm", "purse", "fixed proportions"])
def test_a_tick_in_floats_is_one_in_arrays(taste: str, adjusts: bool, trade: str) -> None:
    agree(peopled(taste, adjusts=adjusts, trade=trade), 20)


@pytest.mark.parametrize(("adjusts", "trade"), [(False, "every_tick"), (True, "at_equilibrium")])
def test_machine_code_comes_to_the_bits_of_floats(adjusts: bool, trade: str) -> None:
    quiet = {"ticks": 400, "references": "off", "record_every": 10**9}
    data = realm(adjusts=adjusts, trade=trade)
    runs = [simulate({**data, "run": {**quiet, "engine": engine}}) for engine in ("floats", "compiled")]
    assert [run.summary["engine"] for run in runs] == ["floats", "compiled"]
    assert runs[0].summary["sentence"] == runs[1].summary["sentence"]
    for table in ("trajectory", "agents", "wedges", "taxes"):
        np.testing.assert_array_equal(*(getattr(run, table).select_dtypes("number").to_numpy() for run in runs))


@pytest.mark.parametrize("trade", ["at_equilibrium", "every_tick"])
def test_a_crowd_in_machine_code_pays_and_receives_as_in_arrays(trade: str) -> None:
    data = realm(trade=trade)
    lord, folk, state = data["consumers"]
    crowd = {**folk, "count": 300, "endowment": {"labour": {"uniform": [0.04, 0.08]}}}
    crowd["utility"] = {"cobb_douglas": {"grain": 1, "bread": 5, "tools": 1, "labour": 3}}
    run = {"ticks": 60, "references": "off", "record_every": 10**9, "stop": "never"}
    data = {**data, "consumers": [lord, crowd, state]}
    runs = [simulate({**data, "run": {**run, "engine": engine}}) for engine in ("arrays", "compiled")]
    for table in ("trajectory", "taxes"):
        both = (getattr(run, table).select_dtypes("number").to_numpy() for run in runs)
        np.testing.assert_allclose(*both, rtol=1e-10)


@pytest.mark.parametrize("ticks", [1_000, pytest.param(100_000, marks=[pytest.mark.slow])])
def test_goods_and_money_are_conserved(ticks: int) -> None:
    """Prices swing for ever, so that somebody is always rationed."""
    run = {"ticks": ticks, "stop": "never", "references": "off", "record_every": 100, "tables": ["agents", "ticks"]}
    summary = simulate(realm(trade="every_tick", scheduler={"rate": 0.9}, run=run))
    assert summary.agents["rationed"].tail(200).max() > 0.01
    assert summary.agents["money"].tail(200).abs().max() > 0.01
    assert summary.summary["worst_imbalance"] < 1e-12
    assert summary.ticks["walras_residual"].max() < 1e-12


def test_a_run_that_was_stopped_ends_in_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks_of(monkeypatch, 16)
    scenario = load(realm(adjusts=True, trade="every_tick", run={"ticks": 120, "stop": "never"}))
    run_to_disk(scenario, tmp_path / "whole")
    assert run_with_stops(scenario, tmp_path / "parts", 5) > 1
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_what_is_kept_of_ones_own_is_taxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A farm that sows its own grain, a lord who walks his own land, and folk who rest, pay as if they had bought it;
    else prices would rest elsewhere.
    """
    rates = {"grain_tax": 0.3, "sales_tax": 0.25, "excise": 0.2}
    data = realm()
    data["taxes"] = [{**tax, "rate": rates.get(tax["name"], tax["rate"])} for tax in data["taxes"]]
    runs = [simulate({**data, "trade": trade}) for trade in ("at_equilibrium", "every_tick")]
    assert [run.summary["outcome"] for run in runs] == ["cleared"] * 2
    assert runs[1].agents["money"].tail(20).abs().max() < 1e-4
    for table, column in (("taxes", "revenue"), ("trajectory", "price")):
        ends = [getattr(run, table).groupby("tick").get_group(run.summary["ticks"])[column].to_numpy() for run in runs]
        np.testing.assert_allclose(*ends, rtol=1e-5)


FAULTS: dict[str, tuple[Any, str, Any]] = {
    "what is collected": (treasury.Fiscal, "revenues", lambda result, *_: 1.01 * result),
    "what is received": (treasury.Fiscal, "received", lambda result, *_: result + 0.01),
    "terms of dues": (treasury.Fiscal, "terms", lambda result, *_: result * [1.0, 0.9]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_money_that_is_lost_is_seen(name: str, inject: Any) -> None:
    market = market_of(realm(trade="every_tick"))
    seen = Ticks([market.advance().tick for _ in range(3)])
    assert Conservation(market.economy).observe(seen)[1].max() < 1e-14
    owner, what, change = FAULTS[name]
    inject(owner, what, change)
    market = Market(replace(market.scheduler, engine="arrays"), market.economy, market.state.prices)
    seen = Ticks([market.advance().tick for _ in range(3)])
    assert Conservation(market.economy).observe(seen)[1].max() > 1e-6
