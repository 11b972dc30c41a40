"""Floors and caps of prices: no rule breaks them, and who is rationed there is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.builders import market_of
from tests.house import (
    FEWEST,
    PIECES,
    RECIPES,
    Extragradient,
    PriceBounds,
    PriceRule,
    Scenario,
    ScenarioError,
    Variation,
    load,
    load_from,
    load_study,
    row_of,
    rows_side_by_side,
    run_to_disk,
    simulate,
)
from tests.test_in_runs import agree, groups_of

Data = dict[str, Any]
HALF = {"cobb_douglas": {"bread": 1, "cloth": 1}}
FAIR: Data = {
    "goods": {"bread": {"cap": 1.5}, "cloth": {"floor": 0.9}, "coal": None},
    "supply": {"coal": 3},
    "firms": [{"name": "baker", "makes": "bread = 2*sqrt(coal)"}],
    "consumers": [
        {"name": "ann", "utility": HALF, "budget": 12},
        {"name": "ben", "utility": {"ces": {"elasticity": 0.5, "shares": {"bread": 2, "cloth": 1}}}, "budget": 6},
        {"name": "weaver", "utility": {"cobb_douglas": {"bread": 1}}, "endowment": {"cloth": 20}},
    ],
    "scheduler": {"rate": 0.2},
    "run": {"ticks": 150},
    "expect": "settled_off_equilibrium",
}
"""Bread would cost more than its cap, cloth less than its floor."""
POTENTIAL: Data = FAIR | {
    "supply": {"coal": 3, "cloth": 20},
    "consumers": FAIR["consumers"][:2],
    "trade": "at_equilibrium",
}
"""The same with nothing but budgets."""
BY_JACOBIAN = ("newton", "symplectic", "consensus")


def with_rule(data: Data, **scheduler: Any) -> Data:
    return {**data, "scheduler": scheduler}


def pieces(name: str) -> Data:
    numbers: dict[str, Any] = {"momentum": 0.5, "nesterov": 0.5, "clip": 0.1, "pd": 0.5, "delay": 3, "symplectic": 0.5}
    numbers |= {"decay": 0.5, "warmup": 5, "cosine": 50, "bernoulli": 0.5, "consensus": 0.5}
    form = "additive" if name == "relative" else "multiplicative"
    return {"form": form, "rate": 0.2, "with": [{name: numbers[name]} if name in numbers else name]}


RULES: dict[str, Data] = {
    **{name: {"rule": name, "rate": 0.1} for name in RECIPES},
    **{f"a piece: {name}": pieces(name) for name in PIECES},
    "late neighbours": {"rate": 0.1, "with": [{"delay": {"own": 0, "neighbours": 3}}]},
}


def in_bounds(prices: pd.DataFrame, column: str = "price") -> tuple[bool, bool]:
    """Whether a price reaches the cap of bread, and that of cloth its floor; neither is ever broken."""
    bread, cloth = (prices.loc[prices["good"] == good, column] for good in ("bread", "cloth"))
    assert bread.max() <= 1.5
    assert cloth.min() >= 0.9
    return bread.max() == 1.5, cloth.min() == 0.9


@pytest.mark.parametrize("name", RULES)
def test_no_rule_takes_a_price_beyond_its_bounds(name: str) -> None:
    run = simulate(with_rule(FAIR, **RULES[name]) | {"run": {"ticks": 80, "references": "off"}})
    assert any(in_bounds(run.trajectory))


@pytest.mark.parametrize("name", RULES)
def test_the_gradient_path_is_projected_alike(name: str) -> None:
    """Where a potential exists the path that descends it under the same bounds is the market's."""
    # A secant model of markets some of which do not answer runs away soon.
    ticks = 10 if "anderson" in name else 60
    run = simulate(with_rule(POTENTIAL, **RULES[name]) | {"run": {"ticks": ticks, "diagnostics": 0}})
    found = run.trajectory
    assert any(in_bounds(found, "gradient_price"))
    np.testing.assert_allclose(found["price"], found["gradient_price"], rtol=1e-9)


@pytest.mark.parametrize("engine", ["floats", "arrays", "compiled"])
@pytest.mark.parametrize("rule", ["cole_fleischer", "extragradient", "newton"])
def test_every_engine_projects(engine: str, rule: str) -> None:
    if engine == "compiled" and rule == "newton":
        engine = "auto"
    data = with_rule(FAIR, rule=rule, rate=0.1)
    first, other = (simulate({**data, "run": {"ticks": 60, "engine": each}}) for each in ("arrays", engine))
    assert any(in_bounds(other.trajectory))
    pd.testing.assert_frame_equal(first.trajectory, other.trajectory, rtol=1e-12)
    pd.testing.assert_frame_equal(first.agents, other.agents, rtol=1e-12, atol=1e-12)


def test_rationed_is_what_the_long_side_of_each_market_lacks() -> None:
    run = simulate(FAIR)
    last = run.trajectory[run.trajectory["tick"] == 150].set_index("good")
    agents = run.agents[run.agents["tick"] == 150]
    rationed = agents.groupby("good")["rationed"].sum()
    gap = last["excess_demand"].abs()
    assert rationed["bread"] == pytest.approx(gap["bread"], rel=1e-12)
    assert rationed["cloth"] == pytest.approx(gap["cloth"], rel=1e-12)
    who = agents[agents["rationed"] > 1e-9].groupby("good")["agent"].apply(set)
    assert who["bread"] == {"ann", "ben", "weaver"}
    assert who["cloth"] == {"weaver"}
    # In proportion to what each ordered.
    bread = agents[agents["good"] == "bread"].set_index("agent")
    parts = (bread["rationed"] / (bread["rationed"] + bread["input"]))[["ann", "ben", "weaver"]]
    assert parts.tolist() == pytest.approx([parts["ann"]] * 3, rel=1e-12)


def test_rationed_counts_firms_on_both_sides_and_nobody_where_markets_clear() -> None:
    market: Data = {
        "goods": {"ore": {"fixed_price": 0.5}, "steel": {"fixed_price": 4}},
        "supply": {"ore": 0.02},
        "firms": [{"name": "smelter", "makes": "steel = sqrt(ore)"}],
        "consumers": [{"name": "builder", "utility": {"quasilinear": {"log": {"steel": 0.1}}}}],
        "run": {"ticks": 20},
        "expect": "settled_off_equilibrium",
    }
    rows = simulate(market).agents.set_index(["tick", "agent", "good"])["rationed"]
    assert rows[20, "smelter", "ore"] == pytest.approx(16 - 0.02)
    assert rows[20, "smelter", "steel"] == pytest.approx(np.sqrt(0.02) - 0.025)
    assert rows[20, "builder", "steel"] == 0
    clears = simulate({**market, "goods": {"ore": None, "steel": None}, "run": {"ticks": 2000}, "expect": "cleared"})
    assert clears.agents["rationed"].tail(3).abs().max() < 1e-6


def test_only_trade_in_every_tick_has_the_column() -> None:
    assert "rationed" not in simulate(POTENTIAL | {"run": {"ticks": 2}}).agents


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_what_rests_at_a_cap_and_a_floor_is_off_equilibrium_and_says_who_goes_short(trade: str) -> None:
    run = simulate(FAIR | {"trade": trade, "run": {"ticks": 600}})
    said = run.summary["sentence"]
    assert run.summary["outcome"] == "settled_off_equilibrium"
    assert "At its cap, 1.5, supply of bread falls short of demand by " in said
    assert "At its floor, 0.9, demand for cloth falls short of supply by " in said
    assert ("Who wants bread buys less than planned: weaver" in said) == (trade == "every_tick")
    assert ("Who offers cloth sells less than planned: weaver" in said) == (trade == "every_tick")


def test_a_cap_above_the_price_that_clears_changes_nothing() -> None:
    """The bounds are there, and not in force."""
    goods = {"bread": {"cap": 100}, "cloth": {"floor": 0.01}, "coal": None}
    free = {"bread": None, "cloth": None, "coal": None}
    bounded, without = (simulate({**FAIR, "goods": each, "expect": "cleared"}) for each in (goods, free))
    assert bounded.summary["outcome"] == without.summary["outcome"]
    pd.testing.assert_frame_equal(bounded.trajectory, without.trajectory)
    pd.testing.assert_frame_equal(bounded.equilibrium, without.equilibrium)


def test_an_equilibrium_breaks_no_bound() -> None:
    """None clears bread at its cap; with a cap out of the way the one there is, is found."""
    assert simulate(FAIR | {"run": {"ticks": 1}}).equilibrium.empty
    lifted = load(FAIR, settings={"goods.bread.cap": 50, "goods.cloth.floor": 0.1, "run.ticks": 1})
    assert set(simulate(lifted).equilibrium["equilibrium"]) == {1}


def shocked(*shocks: Data, **run: Any) -> Data:
    return FAIR | {"shocks": list(shocks), "run": {"ticks": 60, "stop": "never", "references": "off", **run}}


def bread(data: Data | Scenario) -> list[float]:
    found = simulate(data).trajectory
    return found.loc[found["good"] == "bread", "price"].tolist()


def test_a_cap_that_is_lowered_holds_from_its_tick_on_and_one_that_is_lifted_no_longer() -> None:
    lowered = bread(shocked({"tick": 30, "set": {"goods.bread.cap": {"times": 0.5}}}))
    assert lowered[29] == 1.5
    assert lowered[30:] == [0.75] * 31
    lifted = bread(shocked({"tick": 30, "until": 40, "set": {"goods.bread.cap": 9}}))
    assert max(lifted[:31]) == 1.5 < lifted[31] <= max(lifted) <= 9
    assert lifted[40:] == [1.5] * 21


def test_a_price_that_waits_for_its_turn_obeys_a_new_cap_at_once() -> None:
    waits = shocked({"tick": 30, "set": {"goods.bread.cap": 1}}) | {"scheduler": {"rate": 0.1, "with": ["sequential"]}}
    assert bread(waits)[29:31] == [1.5, 1]


def test_a_new_floor_and_a_first_cap_come_with_shocks_too() -> None:
    goods = {"bread": None, "cloth": None, "coal": None}
    data = shocked({"tick": 20, "set": {"goods.bread.cap": 1.2}}, {"tick": 40, "set": {"goods.cloth.floor": 2}})
    found = simulate(data | {"goods": goods}).trajectory.pivot_table(index="tick", columns="good", values="price")
    assert found["bread"][19] > 1.2
    assert (found["bread"][20:] <= 1.2).all()
    assert found["cloth"][39] < 2
    assert (found["cloth"][40:] == 2).all()


def test_a_run_that_goes_on_keeps_its_bounds_and_comes_within_new_ones(tmp_path: Path) -> None:
    data = shocked({"tick": 30, "set": {"goods.bread.cap": 1.2}})
    whole = bread(data)
    run_to_disk(load({**data, "run": {**data["run"], "ticks": 35}}), tmp_path / "one")
    again = bread(load_from(tmp_path / "one", ticks=24))
    assert again == whole[36:]
    run_to_disk(load(FAIR | {"run": {"ticks": 50, "references": "off"}}), tmp_path / "two")
    other = bread(load_from(tmp_path / "two", settings={"goods.bread.cap": 1.1}, ticks=10))
    assert other == [1.5] + [1.1] * 10


@pytest.mark.parametrize("vary", ["caps", "caps and floors"])
def test_runs_of_many_caps_side_by_side_end_as_each_would_alone(vary: str) -> None:
    caps = {"goods.bread.cap": np.linspace(0.5, 1.4, FEWEST).tolist()}
    bounds = caps | {"goods.cloth.floor": np.linspace(0.9, 3, FEWEST).tolist()}
    measures = ["outcome", "ticks", "max_relative_excess_demand", *(f"price.{good}" for good in FAIR["goods"])]
    varied = caps if vary == "caps" else bounds
    study = load_study({"scenario": FAIR | {"name": "fair"}, "vary": varied, "design": "zip", "measures": measures})
    plan, groups = groups_of(study)
    (group,) = groups
    assert group.family is not None
    variation = Variation(study.scenario)
    rows = list(rows_side_by_side(variation, plan, group, lambda: False))
    assert len(rows) == FEWEST
    for row in rows[::8]:
        agree(row, row_of(variation, plan, row.run, lambda: False), measures)
        assert row.values[3] == row.run.point["goods.bread.cap"]


def test_the_scenario_as_resolved_has_the_same_bounds() -> None:
    scenario = load(FAIR)
    again = load(scenario.resolved)
    assert again.text == scenario.text
    np.testing.assert_array_equal(again.economy.bounds, scenario.economy.bounds)


def test_a_price_that_is_not_given_begins_within_its_bounds() -> None:
    goods = {"bread": {"cap": 0.5}, "cloth": {"floor": 3}, "coal": {"cap": 2}}
    assert load(FAIR | {"goods": goods}).initial_prices.tolist() == [0.5, 3, 1]


def test_a_market_of_bids_keeps_to_bounds_too() -> None:
    chain: Data = {
        "goods": {"ore": {"cap": 0.25}, "steel": None},
        "outside": {"steel": 1},
        "supply": {"ore": 1},
        "firms": [{"name": "smelter", "makes": "steel = sqrt(ore)"}],
        "scheduler": {"kind": "marginal_bids", "rate": 0.5},
        "run": {"ticks": 20},
        "expect": "out_of_ticks",
    }
    found = simulate(chain)
    assert found.trajectory.query("good == 'ore'")["price"].iloc[-1] == 0.25
    assert found.summary["outcome"] == "out_of_ticks"


REFUSED: dict[str, tuple[Data, str]] = {
    "no room": ({"cap": 1, "floor": 2}, "goods.bread.cap: found 1; expected at least the floor, 2"),
    "above": ({"price": 3, "cap": 2}, "goods.bread.price: found 3; expected a price of at most the cap 2"),
    "below": ({"price": 1, "floor": 2}, "goods.bread.price: found 1; expected a price of at least the floor 2"),
    "nothing": ({"cap": 0}, "goods.bread.cap: found 0; expected a number above 0"),
    "fixed": ({"fixed_price": 1, "cap": 2}, "goods.bread.cap: found a cap on the price of bread, which has a fixed"),
    "fixed below": ({"fixed_price": 1, "floor": 2}, "goods.bread.fixed_price: found 1; expected a price of at least"),
    "not rival": ({"rival": False, "cap": 2}, "goods.bread.cap: found a cap of a good that is not rival"),
    "not rival, floor": ({"rival": False, "floor": 0.5}, "goods.bread.floor: found a floor of a good that is not"),
    "another word": ({"price_ceiling": 2}, "goods.bread.price_ceiling: unknown key 'price_ceiling'; expected one of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bounds_that_make_no_sense_are_refused(name: str) -> None:
    market, said = REFUSED[name]
    with pytest.raises(ScenarioError, match="bread") as refused:
        load(FAIR | {"goods": {"bread": market, "cloth": None, "coal": None}})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"numeraire": "bread"}, "goods.bread.cap: found a cap on the price of bread, which has 1 as its price"),
        ({"outside": {"bread": 1}}, "goods.bread.cap: found a cap on the price of bread, which has an outside price"),
        ({"compare": {"gradient_path": "primal"}}, "goods.bread.cap: found a cap of bread, while a planner keeps no"),
    ],
)
def test_a_cap_needs_a_price_that_moves(changes: Data, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        load(FAIR | {"consumers": FAIR["consumers"][:2], **changes})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"goods.bread.cap": 0.5, "goods.bread.floor": 0.7}, "leads to goods.bread.cap: found 0.5; expected at least"),
        ({"goods.coal.cap": {"times": 2}}, "found times for a cap that is not there; expected a number"),
        ({"goods.coal.price": 2}, "unknown path 'goods.coal.price'; expected one of goods.bread.cap"),
        ({"goods.bread.cap": -1}, "leads to goods.bread.cap: found -1; expected a number above 0"),
    ],
)
def test_shocks_lead_to_bounds_that_can_be(change: Data, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        load(shocked({"tick": 5, "set": change}))
    assert said in str(refused.value)


def test_prices_in_a_market_of_one_s_own_stay_in_bounds() -> None:
    market = market_of(load(FAIR))
    for _ in range(60):
        market.advance()
        assert market.prices[0] <= 1.5
    assert market.prices[0] == 1.5


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
@pytest.mark.parametrize(("signal", "trial"), [(0.5, 1.1), (-0.5, 0.9)])
def test_extragradient_takes_back_what_its_trial_could_go(form: str, signal: float, trial: float) -> None:
    """The second step is from where prices were, also where the trial met a cap or a floor."""
    rule = PriceRule(form, 1.0, (Extragradient(),), np.full(1, 1e-12), np.zeros(1, dtype=bool))
    bounds, one, second = PriceBounds(np.full(1, 0.9), np.full(1, 1.1)), np.ones(1), np.full(1, -0.05)
    prices, memory = rule.next_prices(one, np.full(1, signal), one, rule.start(), bounds=bounds)
    assert prices == trial
    prices, _ = rule.next_prices(prices, second, one, memory, bounds=bounds)
    assert prices[0] == pytest.approx(0.95 if form == "additive" else np.exp(-0.05), rel=1e-12)
