"""Activity levels in motion: saddle paths, verdicts, trade, and what is written of firms of constant returns."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.builders import market_of, tick_of
from tests.economies import FARM_AND_BAKERY
from tests.faults import Inject
from tests.house import GradientPath, asked, load, observable, place_of, reference, run_to_disk, simulate, write_curves
from tests.published import CASES, CONSTANT_RETURNS

ACTIVITY = {"activity": {"rate": 0.1}}
SHEEP: dict[str, Any] = {
    "goods": ["grass", "labour", "wool", "mutton", "cloth"],
    "supply": {"grass": 3},
    "firms": [
        {
            "name": "shepherd",
            "technology": {
                "ces": {
                    "outputs": {"transformation": 2, "shares": {"wool": 0.4, "mutton": 0.6}},
                    "returns_to_scale": 1,
                    "elasticity": 0.5,
                    "inputs": {"grass": 1, "labour": 1},
                }
            },
            "behaviour": ACTIVITY,
        },
        {"name": "weaver", "technology": {"activity": {"cloth": 2, "wool": -1, "labour": -0.5}}, "behaviour": ACTIVITY},
        {"name": "tailor", "makes": "cloth = 1.5*wool^0.4*labour^0.3"},
    ],
    "consumers": [
        {"name": "a", "budget": 3, "utility": {"cobb_douglas": {"cloth": 2, "mutton": 1, "labour": 1}}},
        {"name": "b", "utility": {"quasilinear": {"log": {"mutton": 1, "wool": 0.5}}}},
        {"name": "c", "budget": 1, "utility": {"ces": {"elasticity": 0.4, "shares": {"cloth": 1, "wool": 1}}}},
    ],
}
SHEEP["supply"]["labour"] = 2
"""Fixed proportions beside CET and decreasing returns, for people with budgets in money."""
FARM: dict[str, Any] = {
    "goods": ["labour", "grain", "bread", "cake"],
    "firms": [
        *FARM_AND_BAKERY,
        {
            "name": "baker",
            "technology": {"cobb_douglas": {"output": "cake", "inputs": {"grain": 0.5, "labour": 0.5}}},
            "behaviour": ACTIVITY,
        },
    ],
    "consumers": [
        {
            "name": name,
            "utility": {"ces": {"elasticity": 0.4, "shares": {"labour": 1, "bread": 1, "cake": 2}}},
            "endowment": {"labour": amount},
            "owns": {"farm": 0.5, "bakery": 0.5},
        }
        for name, amount in (("a", 2), ("b", 1))
    ],
}
CHOICE: dict[str, Any] = {
    "goods": ["labour", "bread"],
    "numeraire": "labour",
    "firms": [
        {"name": "mill", "technology": {"activity": {"bread": 2, "labour": -1}}, "behaviour": ACTIVITY},
        {"name": "hand", "technology": {"activity": {"bread": 1, "labour": -1}}, "behaviour": ACTIVITY},
    ],
    "consumers": [
        {"name": "people", "utility": {"cobb_douglas": {"bread": 3, "labour": 1}}, "endowment": {"labour": 8}}
    ],
}
"""Two ways to bread, of which one never pays."""


def case(name: str, **changes: Any) -> dict[str, Any]:
    """A published economy; with trade in every tick its first consumer owns all firms."""
    data = deepcopy(yaml.safe_load((CASES / f"{name}.yaml").read_text())) | {"name": name} | changes
    if data["trade"] == "every_tick":
        data["consumers"][0]["owns"] = {firm["name"]: 1 for firm in data["firms"]}
    return data


def owned(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    people = [{**consumer, "owns": dict.fromkeys(("mill", "hand"), 1)} for consumer in data["consumers"]]
    return {**data, "consumers": people, **changes}


SADDLES = {
    **{name: case(name) for name in ("varian_18_2", "leontief_1966", "mpsge", "kantorovich_1939", "network")},
    **{"sheep": SHEEP, "farm": FARM, "choice": CHOICE},
}
PIECES: list[Any] = [
    [],
    [{"momentum": 0.4}, {"clip": 0.03}],
    [{"delay": 3}],
    ["extragradient"],
    [{"pd": 1}],
    ["newton"],
]


def parting(data: dict[str, Any], ticks: int = 120) -> float:
    """Largest relative gap between the market's path and the saddle path."""
    scenario = load({**data, "trade": "at_equilibrium"})
    market, known = market_of(scenario), reference(scenario.economy)
    path, worst = GradientPath(scenario.economy, known, scenario.rule, scenario.initial_prices), 0.0
    assert known.kind == "saddle"
    for tick in range(ticks):
        market.advance()
        worst = max(worst, float(np.max(np.abs(path.advance(tick) / market.prices - 1.0))))
    assert np.max(np.abs(market.prices / scenario.initial_prices - 1.0)) > 1e-5
    return worst


@pytest.mark.parametrize("pieces", PIECES, ids=str)
@pytest.mark.parametrize("form", ["additive", "multiplicative"])
@pytest.mark.parametrize("name", SADDLES)
def test_the_market_s_path_is_the_saddle_path(name: str, form: str, pieces: Any) -> None:
    rate = 0.002 if form == "additive" else 0.1
    assert parting(SADDLES[name] | {"scheduler": {"form": form, "rate": rate, "with": pieces}}) <= 1e-9


def test_levels_that_move_after_prices_leave_the_path(inject: Inject) -> None:
    import simulator.references.gradient_path as module

    inject(module, "_raised", lambda _, economy, prices, levels: levels)
    assert parting(CHOICE) > 0.01


@pytest.mark.parametrize("name", ["sheep", "farm"])
def test_the_saddle_s_derivatives_are_excess_demand_and_unit_profit(name: str) -> None:
    economy = load({**SADDLES[name], "trade": "at_equilibrium"}).economy
    function, guess = reference(economy), economy.first_guess()
    stream = np.random.default_rng(5)
    prices = np.exp(stream.normal(0, 0.3, len(economy.goods)))
    levels = np.exp(stream.normal(0, 0.3, len(economy.level_firm)))
    seen = function.descent(prices, guess, levels=levels)
    profits = economy.balance(prices, levels=np.zeros(len(levels))).unit_profits
    np.testing.assert_allclose(seen.signal, economy.balance(prices, levels=levels).excess_demand, rtol=1e-12)
    if name == "farm":
        # Of identical homothetic consumers L is not one function: W dV0/dp and the unit profits' gradients add up.
        wealth = prices @ economy.total_supply + seen.plans.profits.sum()
        assert np.isnan(seen.value)

        def value(at: Any) -> Any:
            plans = economy.balance(at, levels=levels)
            return wealth * function.others.value(plans) + levels @ plans.unit_profits
    else:

        def value(at: Any) -> Any:
            return function.descent(at, guess, levels=levels).value

    for good, price in enumerate(prices):
        step = np.zeros(len(prices))
        step[good] = 1e-5 * price
        slope = (value(prices + step) - value(prices - step)) / (2 * step[good])
        assert -slope == pytest.approx(seen.signal[good], rel=1e-6, abs=1e-7)
    if name == "sheep":
        for place in range(len(levels)):
            step = np.zeros(len(levels))
            step[place] = 1e-4
            ahead, behind = (function.descent(prices, guess, levels=levels + s).value for s in (step, -step))
            assert (ahead - behind) / 2e-4 == pytest.approx(profits[place], rel=1e-7)


def test_general_exchange_has_no_saddle_path() -> None:
    run = simulate(case("kehoe_1985", run={"ticks": 20}))
    assert run.summary["reference"] == "none"
    assert run.summary["gradient_path_gap"] is None
    assert run.trajectory["gradient_price"].isna().all()
    assert run.ticks[["potential", "cosine_to_gradient", "distance_to_gradient_path"]].isna().all().all()
    assert (run.ticks["merit"] > 0).iloc[1:].all()
    assert "descent" not in run.summary["sentence"]
    assert "saddle" not in run.summary["sentence"]


@pytest.mark.parametrize("trade", ["at_equilibrium", "every_tick"])
@pytest.mark.parametrize("name", ["varian_18_2", "leontief_1966", "shoven_whalley", "network"])
def test_a_published_economy_clears_at_its_published_prices(name: str, trade: str) -> None:
    run = simulate(case(name, trade=trade, run={"ticks": 2000, "tolerance": 1e-8}))
    assert run.summary["outcome"] == "cleared"
    prices, levels = CONSTANT_RETURNS[name]
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")
    scale = prices["labour"] / last["price"]["labour"]
    for good, price in prices.items():
        assert last["price"][good] * scale == pytest.approx(price, rel=1e-6)
        assert last["adjoint"][good] == pytest.approx(last["price"][good], rel=1e-6)
        assert last["bid"][good] == pytest.approx(last["price"][good], rel=1e-6)
    rows = run.agents[(run.agents["tick"] == run.summary["ticks"]) & (run.agents["kind"] == "firm")]
    for firm, level in levels.items():
        assert rows.set_index("agent")["level"][firm].to_numpy() == pytest.approx(level, rel=1e-5)


def test_with_trade_in_every_tick_several_equilibria_are_reached_too() -> None:
    data = case("kehoe_1985", trade="every_tick", run={"ticks": 3000, "references": "off"}, scheduler={"rate": 0.2})
    del data["numeraire"]
    data["initial_prices"] = {"G1": 0.64, "G3": 0.155, "G4": 2.2}
    for firm, level in zip(data["firms"], (4.2, 8.1), strict=True):
        firm["behaviour"] = {"activity": {"rate": 0.006, "start": level}}
    run = simulate(data)
    assert run.summary["outcome"] == "cleared"
    prices = run.prices.iloc[-1]
    assert (prices / prices["G2"]).to_numpy() == pytest.approx([0.637688256, 1, 0.154605931, 2.207705813], rel=1e-4)


@pytest.mark.parametrize("name", ["varian_18_2", "leontief_1966", "mpsge"])
def test_planned_excess_demand_is_worth_what_levels_lose_and_accounts_hold(name: str) -> None:
    for trade in ("at_equilibrium", "every_tick"):
        market = market_of(case(name, trade=trade))
        for _ in range(60):
            market.advance()
            tick, before = tick_of(market), market.transition.before
            accounts = sum(float(np.sum(account)) for account in before.accounts)
            worth = tick.prices @ np.maximum(tick.demand, tick.supply)
            earned = tick.levels @ (tick.unit_revenues - tick.unit_costs)
            assert tick.prices @ (tick.demand - tick.supply) == pytest.approx(accounts - earned, abs=1e-11 * worth)
            assert (tick.planned_profits == 0).all()


def test_realised_cash_flow_goes_to_owners() -> None:
    data = owned(CHOICE, trade="every_tick")
    data["consumers"] = [
        {**data["consumers"][0], "name": "owner", "endowment": {"labour": 2}},
        {**CHOICE["consumers"][0], "name": "worker"},
    ]
    market, paid = market_of(data), 0.0
    for _ in range(30):
        market.advance()
        tick = tick_of(market)
        spent = tick.consumers_bought @ tick.prices - tick.consumers_sold @ tick.prices
        before, after = (
            np.array([float(np.sum(each)) for each in state.accounts]) for state in market.transition[1::2]
        )
        np.testing.assert_allclose(after - before, np.array([tick.cash_flow.sum(), 0.0]) - spent, atol=1e-10)
        paid = max(paid, abs(tick.cash_flow.sum()))
    assert paid > 0.1


@pytest.mark.parametrize(("name", "ticks"), [("leontief_1966", 3000), ("varian_18_2", 3000)])
def test_goods_and_money_are_conserved(name: str, ticks: int) -> None:
    run = {"ticks": ticks, "stop": "never", "references": "off", "record_every": ticks}
    found = simulate(case(name, trade="every_tick", run=run))
    assert found.summary["worst_imbalance"] <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["leontief_1966", "varian_18_2", "kantorovich_1939", "shoven_whalley"])
def test_goods_and_money_are_conserved_for_long(name: str) -> None:
    test_goods_and_money_are_conserved(name, 100_000)


def test_from_nothing_a_loop_of_fixed_proportions_never_begins() -> None:
    stocked, empty = (case("leontief_1966", trade="every_tick", start=start) for start in ("stocked", "empty"))
    assert simulate(stocked, ticks=200).summary["outcome"] == "cleared"
    run = simulate(empty, ticks=200)
    assert run.summary["outcome"] != "cleared"
    assert (run.agents.loc[run.agents["kind"] == "firm", "output"] == 0).all()
    assert (simulate(case("varian_18_2", trade="every_tick", start="empty")).summary["outcome"]) == "cleared"


def test_what_never_pays_fades_and_counts_as_idle() -> None:
    run = simulate({**CHOICE, "trade": "at_equilibrium", "run": {"tolerance": 1e-5}})
    assert run.summary["outcome"] == "cleared"
    assert "A unit of hand costs more than it brings, and none is made" in run.summary["sentence"]
    levels = run.agents[run.agents["good"] == "bread"].pivot_table(index="tick", columns="agent", values="level")
    fading = np.diff(np.log(levels["hand"].to_numpy()))[-20:]
    # At rest bread costs 1/2 of labour, so that half of what a unit takes is lost.
    np.testing.assert_allclose(fading, -0.1 * 0.5, rtol=1e-3)
    assert levels["mill"].iloc[-1] == pytest.approx(6, rel=1e-4)
    assert run.ticks["max_relative_unit_profit"].iloc[-1] <= 1e-5
    assert run.ticks["max_relative_excess_demand"].iloc[-1] <= 1e-5


def test_of_firms_that_differ_it_is_said_how_many_rest() -> None:
    mills = {**CHOICE["firms"][0], "name": "plant", "count": 3, "productivity": {"lognormal": {"mean": 0, "sigma": 1}}}
    run = simulate({**CHOICE, "firms": [mills], "trade": "at_equilibrium", "run": {"tolerance": 1e-5}})
    assert run.summary["outcome"] == "cleared"
    assert "Some of plant (2 of 3) make nothing: a unit costs them more than it brings" in run.summary["sentence"]


def test_advice_counts_levels_among_what_moves() -> None:
    restless = {**CHOICE, "trade": "at_equilibrium", "run": {"ticks": 400, "tolerance": 1e-5}}
    run = simulate({**restless, "scheduler": {"rate": 2.5}})
    assert run.summary["outcome"] == "cycled"
    assert "prices settle at rates below 1.9" in run.summary["sentence"]
    assert simulate({**restless, "scheduler": {"rate": 1.8}}).summary["outcome"] == "cleared"
    assert simulate({**restless, "scheduler": {"rate": 2.0}}).summary["outcome"] != "cleared"


def test_what_is_amiss_names_the_activity() -> None:
    outside = {"outside": {"labour": 1, "bread": 0.55}, "goods": CHOICE["goods"], "firms": CHOICE["firms"][:1]}
    run = simulate({**outside, "run": {"ticks": 30}})
    assert run.summary["outcome"] == "out_of_ticks"
    assert "Firm mill still earns 9.09 % a unit" in run.summary["sentence"]
    run = simulate({**outside, "run": {"ticks": 5000, "references": "off"}})
    assert run.summary["outcome"] == "diverged"
    assert "The level of mill runs to infinity" in run.summary["sentence"]
    lost = {**outside, "outside": {"labour": 1, "bread": 0.45}}
    run = simulate({**lost, "run": {"ticks": 20}})
    assert "Firm mill still loses 10 % a unit" in run.summary["sentence"]


def test_levels_and_unit_profits_are_written() -> None:
    run = simulate({**SHEEP, "trade": "at_equilibrium", "run": {"ticks": 40, "stop": "never"}})
    economy = load(SHEEP).economy
    tick = run.agents[run.agents["tick"] == 40]
    firms, prices = tick[tick["kind"] == "firm"], run.prices.loc[40].to_numpy()
    levels = firms.drop_duplicates("agent").set_index("agent")["level"]
    plans = economy.balance(prices, levels=levels[["shepherd", "weaver"]].to_numpy())
    assert np.isnan(levels["tailor"])
    assert tick[tick["kind"] == "consumer"]["level"].isna().all()
    made = {(row.agent, row.good): row.output for row in firms.itertuples()}
    yields = economy.user_prices.yields(prices)
    level = levels["shepherd"]
    assert made["shepherd", "wool"] == pytest.approx(level * yields[0], rel=1e-12)
    assert made["shepherd", "mutton"] == pytest.approx(level * yields[1], rel=1e-12)
    assert made["shepherd", "wool"] != pytest.approx(made["shepherd", "mutton"], rel=1e-2)
    assert made["weaver", "cloth"] == pytest.approx(2 * levels["weaver"], rel=1e-12)
    wedges = run.wedges[(run.wedges["tick"] == 40) & (run.wedges["input"] == "")].set_index("firm")
    assert list(wedges.index) == ["shepherd", "weaver"]
    np.testing.assert_allclose(wedges["marginal_revenue_product"], plans.unit_revenues, rtol=1e-9)
    np.testing.assert_allclose(wedges["price"], plans.unit_costs, rtol=1e-9)
    np.testing.assert_allclose(wedges["wedge"], plans.unit_profits, rtol=1e-9, atol=1e-12)
    residual = np.maximum(plans.unit_profits, 0) / np.maximum(plans.unit_revenues, plans.unit_costs)
    worth = prices @ plans.scale
    residual = np.maximum(residual, plans.levels * np.abs(plans.unit_profits) / worth).max()
    assert run.ticks["max_relative_unit_profit"].iloc[-1] == pytest.approx(residual, rel=1e-9)
    assert run.ticks[["rotation_index", "cosine_home", "dominant_mode"]].isna().all().all()


def test_what_is_made_is_observed_good_by_good() -> None:
    scenario = load({**SHEEP, "trade": "at_equilibrium"})
    economy, markets = scenario.economy, scenario.markets
    plans = economy.balance(np.array([1.0, 1.0, 2.0, 0.5, 1.5]), levels=np.array([2.0, 3.0]))
    seen = observable(economy, markets, plans)
    yields = economy.user_prices.yields(plans.prices)
    made = {"shepherd.output.wool": 2 * yields[0], "shepherd.output.mutton": 2 * yields[1], "weaver.output.cloth": 6}
    for quantity, amount in made.items():
        assert seen[place_of(economy, markets, f"firms.{quantity}")] == pytest.approx(amount, rel=1e-12)


def test_curves_are_drawn_at_the_levels_of_their_tick(tmp_path: Path) -> None:
    run_to_disk(load(case("leontief_1966", run={"ticks": 10})), tmp_path / "run")
    write_curves(tmp_path / "run", asked("cloth@5,wheat"))
    curves = pd.read_csv(tmp_path / "run" / "curves.csv")
    recorded = pd.read_csv(tmp_path / "run" / "trajectory.csv").set_index(["tick", "good"])
    for (tick, good), curve in curves.groupby(["tick", "good"]):
        here = curve.iloc[len(curve) // 2]
        assert here[["price", "demand", "supply"]].to_numpy() == pytest.approx(
            recorded.loc[(tick, good), ["price", "demand", "supply"]].to_numpy(), rel=1e-9
        )


def test_who_has_no_levels_has_no_such_columns() -> None:
    fewer = {"goods": ["labour", "wool", "cloth"], "firms": SHEEP["firms"][2:], "consumers": SHEEP["consumers"][2:]}
    run = simulate({**fewer, "supply": {"labour": 1, "wool": 1}, "run": {"ticks": 5}})
    assert "level" not in run.agents
    assert "max_relative_unit_profit" not in run.ticks
    assert (run.wedges["input"] != "").all()


def test_firms_of_constant_returns_come_first_in_a_share_out() -> None:
    honest = simulate(case("leontief_1966", run={"tolerance": 1e-4}))
    assert honest.ticks["distance_to_adjoint"].iloc[-1] < 1e-2
