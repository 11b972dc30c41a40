"""A market maker and traders in contracts: each law of who trades what, of the maker's loss, of the books."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from simulator import ScenarioError
from simulator.run import run_to_disk
from tests.house import PLANS, MarketMaker, Visitor, load, sale, simulate, visits

SCENARIO = Path(__file__).parents[1] / "scenarios" / "prediction_market.yaml"
OUTCOMES = ["red", "green", "blue"]
BELIEF = {"red": 0.5, "green": 0.3, "blue": 0.2}
PRIOR = {"red": 0.2, "green": 0.2, "blue": 0.6}
KINDS = list(PLANS)


def trader(utility: dict[str, Any], belief: dict[str, Any] = BELIEF, name: str = "ann", **more: Any) -> dict[str, Any]:
    return {"name": name, "belief": belief, "utility": utility, **more}


def market(*traders: dict[str, Any], liquidity: float = 20, prior: Any = "uniform", **more: Any) -> dict[str, Any]:
    return {
        "contingent": {"event": "election", "outcomes": OUTCOMES},
        "consumers": list(traders),
        "scheduler": {"kind": "market_maker", "liquidity": liquidity, "prior": prior},
        **more,
    }


def prices_of(run: Any, column: str = "price") -> np.ndarray:
    """`(ticks, outcomes)`."""
    return run.trajectory[column].to_numpy().reshape(-1, 3)


@st.composite
def simplex(draw: st.DrawFn, outcomes: int = 3) -> list[float]:
    weights = draw(arrays.arrays(float, outcomes, elements=st.floats(0.05, 1.0)))
    return (weights / weights.sum()).tolist()


amounts = st.floats(0.05, 50.0)


def once(kind: tuple[str, bool], prices: Any, belief: Any, held: Any, money: float, measure: float, b: float) -> Any:
    """What one visit buys and pays, and the prices after it."""
    after, (paid,), (bought,) = visits(
        list(prices), [Visitor(PLANS[kind], list(belief), measure)], [list(held)], [money], b
    )
    return np.array(bought), paid, np.array(after)


# What the maker does.


@given(simplex(), st.lists(st.floats(-40, 40), min_size=3, max_size=3), amounts)
def test_a_trade_is_a_step_of_exponentiated_gradient_and_costs_the_rise_of_c(
    prices: list[float], bought: list[float], b: float
) -> None:
    cost, after = sale(prices, bought, b)
    q = b * np.log(prices)
    expected = b * (np.logaddexp.reduce((q + bought) / b) - np.logaddexp.reduce(q / b))
    assert cost == pytest.approx(expected, rel=1e-12, abs=1e-12 * b)
    moved = np.array(prices) * np.exp(np.array(bought) / b)
    np.testing.assert_allclose(after, moved / moved.sum(), rtol=1e-9)
    # Whoever buys, sells and is where it began has paid nothing.
    back, there = sale(after, [-x for x in bought], b)
    assert cost + back == pytest.approx(0, abs=1e-9 * b)
    np.testing.assert_allclose(there, prices, rtol=1e-9)


# What each trader does: the rows of the table.


@given(simplex(), simplex(), amounts, amounts)
def test_first_visits_are_the_steps_that_the_theory_says(p: list[float], beta: list[float], b: float, w: float) -> None:
    prices, belief, nothing = np.array(p), np.array(beta), [0.0] * 3

    def moved(kind: tuple[str, bool], money: float = w) -> np.ndarray:
        return once(kind, p, beta, nothing, money, w, b)[2]

    def normed(values: np.ndarray) -> np.ndarray:
        return values / values.sum()

    explicit = normed(prices * np.exp(np.log(belief / prices) / (w * b)))
    np.testing.assert_allclose(moved(("cara", False), 0.0), explicit, rtol=1e-10)
    step = 1.0 / (1.0 + w * b)
    np.testing.assert_allclose(moved(("cara", True), 0.0), normed(prices ** (1 - step) * belief**step), rtol=1e-10)
    if w / b < 5:
        kelly = normed(prices * np.exp(w * belief / prices / b))
        np.testing.assert_allclose(moved(("kelly", False)), kelly, rtol=1e-10)
    pooled = prices + (1 - math.exp(-w / b)) * (belief - prices)
    np.testing.assert_allclose(moved(("linear_pool", True)), pooled, rtol=1e-9)


@given(simplex(), simplex(), amounts, amounts)
def test_who_sees_its_impact_pays_nothing_and_bids_the_price(
    p: list[float], beta: list[float], b: float, w: float
) -> None:
    """First-order conditions: `p'_k` is in proportion to `beta_k u'(W'_k)`, also when it comes again."""
    held, money, prices = np.zeros(3), w, p
    for _ in range(2):
        bought, paid, after = once(("kelly", True), prices, beta, held, money, w, b)
        assert abs(paid) <= 1e-9 * max(b, w)
        held, money, prices = held + bought, money - paid, after.tolist()
        value = np.array(beta) / (money + held)
        np.testing.assert_allclose(after, value / value.sum(), rtol=1e-7)
        assert (money + held > 0).all()


@given(simplex(), simplex(), simplex(), amounts, st.floats(0.1, 3))
def test_a_kelly_trader_who_sees_is_one_who_does_not_to_first_order(
    p: list[float], beta: list[float], other: list[float], b: float, w: float
) -> None:
    errors = []
    for small in (1e-3, 1e-4):
        seeing, unseeing = (once(("kelly", sees), p, beta, [0.0] * 3, small * b, w, b)[2] for sees in (True, False))
        errors.append(np.abs(seeing - unseeing).max())
    assert errors[1] <= max(0.02 * errors[0], 1e-13)


@given(simplex(), simplex(), amounts, amounts)
def test_a_neutral_trader_goes_as_near_to_its_belief_as_its_money_lets_it(
    p: list[float], beta: list[float], b: float, w: float
) -> None:
    bought, paid, after = once(("neutral", True), p, beta, [0.0] * 3, w, w, b)
    wealth, least = w - paid + bought, np.array(p) * math.exp(-w / b)
    assert (wealth >= -1e-9 * max(b, w)).all()
    if (np.array(beta) >= least).all():
        np.testing.assert_allclose(after, beta, rtol=1e-9)
    # No prices within its means are nearer to the belief: those between the two are not within, or these are nearest.

    def divergence(q: np.ndarray) -> float:
        return float(np.sum(beta * np.log(np.array(beta) / q)))

    for other in itertools.permutations(range(3), 2):
        shifted = after.copy()
        shifted[list(other)] += 1e-4 * after[other[0]] * np.array([1, -1])
        if (shifted >= least).all():
            assert divergence(shifted) >= divergence(after) - 1e-12


@given(simplex(), simplex(), amounts, st.floats(0.1, 100.0))
def test_nobody_who_sees_ever_owes(p: list[float], beta: list[float], b: float, w: float) -> None:
    for kind in (("linear_pool", True), ("neutral", True), ("kelly", True)):
        held, money, prices = np.zeros(3), w, p
        for believed in (beta, p, beta[::-1]):
            bought, paid, after = once(kind, prices, believed, held, money, w, b)
            held, money, prices = held + bought, money - paid, after.tolist()
            assert (money + held >= -1e-8 * (w + b)).all(), kind


def test_a_linear_pool_that_comes_again_loses_what_it_has_gained_first() -> None:
    p, beta, b, w = [0.2, 0.3, 0.5], [0.6, 0.3, 0.1], 10.0, 4.0
    bought, paid, after = once(("linear_pool", True), p, beta, [0.0] * 3, w, w, b)
    wealth = w - paid + bought
    again = once(("linear_pool", True), after, beta, bought, w - paid, w, b)[2]
    kept = after * np.exp(-wealth / b)
    np.testing.assert_allclose(again, kept + (1 - kept.sum()) * np.array(beta), rtol=1e-12)


# Paths and books of whole markets.

DRAWN = {"dirichlet": {"red": 4, "green": 3, "blue": 2}}
GREEN = {"red": 0.1, "green": 0.6, "blue": 0.3}
CROWD = [
    trader({"kelly": {"wealth": {"lognormal": {"mean": 0, "sigma": 1}}}}, DRAWN, "kelly", count=9),
    trader({"cara": {"aversion": 0.3}}, BELIEF, "cara"),
    trader({"cara": {"aversion": 0.5}}, GREEN, "bold", sees_impact=True),
    trader({"neutral": {"budget": 3}}, {"red": 0.9, "green": 0.05, "blue": 0.05}, "neutral"),
    trader({"linear_pool": {"budget": 2}}, BELIEF, "pool", count=2),
]


@pytest.mark.parametrize("arrival", ["one_per_tick", "round_robin", "all_per_tick"])
def test_every_step_is_one_on_the_trader_s_own_gradient(arrival: str) -> None:
    run = simulate(market(*CROWD, prior=PRIOR, arrival=arrival, run={"ticks": 60}, expect=["out_of_ticks"]))
    moved = np.abs(np.diff(prices_of(run), axis=0)).max(axis=1)
    assert (moved[: 14 if arrival == "one_per_tick" else 20] > 1e-9).all()
    np.testing.assert_allclose(prices_of(run, "gradient_price"), prices_of(run), rtol=1e-12)
    assert run.summary["gradient_path_gap"] < 1e-12
    assert "a step down the gradient of the trader's own objective" in run.summary["sentence"]


def test_no_gradient_path_is_told_of_kelly_traders_who_see() -> None:
    run = simulate(market(trader({"kelly": {"wealth": 1}}, sees_impact=True), *CROWD))
    assert run.trajectory["gradient_price"].isna().all()
    assert run.summary["gradient_path_gap"] is None


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_maker_loses_what_the_prices_have_risen_and_no_more_than_the_bound(outcome: str) -> None:
    settlement = {"tick": 14, "outcome": outcome}
    run = simulate(market(*CROWD, prior=PRIOR, liquidity=7, settlement=settlement))
    summary, last = run.summary, dict(zip(OUTCOMES, prices_of(run)[-1], strict=True))
    for name in OUTCOMES:
        loss = summary["maker_loss"]["by_outcome"][name]
        assert loss == pytest.approx(7 * math.log(last[name] / PRIOR[name]), rel=1e-9, abs=1e-9)
        assert loss <= -7 * math.log(PRIOR[name])
    assert summary["maker_loss"]["realised"] == summary["maker_loss"]["by_outcome"][outcome]
    assert summary["maker_loss_bound"] == pytest.approx(7 * math.log(5))
    assert summary["log_loss"] == pytest.approx(-math.log(last[outcome]))
    # What the maker loses the traders have gained.
    agents = run.agents[run.agents["good"] == "red"]
    money = agents[~agents["agent"].str.endswith(":mean")].groupby("tick")["money"].sum()
    assert money.iloc[-1] - money.iloc[0] == pytest.approx(summary["maker_loss"]["realised"], abs=1e-9)


@pytest.mark.parametrize("arrival", ["round_robin", "all_per_tick"])
def test_money_and_contracts_are_conserved_over_many_ticks(arrival: str) -> None:
    """Beliefs that change now and then keep trade alive."""
    ticks = 100_000 if arrival == "round_robin" else 7_000
    others = [{**each, "belief": GREEN if each["belief"] == BELIEF else BELIEF} for each in CROWD[1:]]
    settlement = {"tick": ticks, "outcome": "green"}
    data = [market(CROWD[0], *crowd, arrival=arrival, settlement=settlement) for crowd in (CROWD[1:], others)]
    economies = [load(each).economy for each in data]
    scenario = load(data[0])
    maker = scenario.scheduler
    state = maker.start(economies[0], scenario.initial_prices, 0)
    begun, turnover = state.money.sum(), 0.0
    for number in range(ticks + 1):
        state, tick = maker.step(economies[number // 50 % 2], state)
        turnover += np.abs(tick.bought).sum()
    assert turnover > 1000
    np.testing.assert_allclose(tick.held.sum(axis=0), tick.sold, atol=1e-12 * turnover)
    assert abs(state.money.sum() - begun - (tick.sold[1] - tick.cash)) <= 1e-12 * turnover
    assert not state.held.any()
    np.testing.assert_allclose(maker.losses(tick), 20 * np.log(3 * tick.prices), atol=1e-12 * turnover)


def test_cara_traders_who_return_end_at_the_log_pool_in_any_order() -> None:
    """With weights `1/a` on beliefs and the liquidity on the prior."""
    averse = {"ann": 0.2, "bob": 0.5, "eve": 1.0}
    beliefs = [BELIEF, {"red": 0.1, "green": 0.6, "blue": 0.3}, {"red": 0.3, "green": 0.1, "blue": 0.6}]
    traders = [
        trader({"cara": {"aversion": a}}, belief, name, sees_impact=place == 1)
        for place, ((name, a), belief) in enumerate(zip(averse.items(), beliefs, strict=True))
    ]
    log_pool = 20 * np.log([PRIOR[k] for k in OUTCOMES])
    log_pool = log_pool + sum(
        np.log([x[k] for k in OUTCOMES]) / a for x, a in zip(beliefs, averse.values(), strict=True)
    )
    expected = np.exp(log_pool / (20 + sum(1 / a for a in averse.values())))
    for order in itertools.permutations(traders):
        for arrival in ("round_robin", "all_per_tick"):
            run = simulate(market(*order, prior=PRIOR, arrival=arrival, run={"tolerance": 1e-12}))
            assert run.summary["outcome"] == "cleared"
            np.testing.assert_allclose(prices_of(run)[-1], expected / expected.sum(), rtol=1e-9)


def test_prices_of_independent_kelly_traders_have_their_beliefs_as_harmonic_means() -> None:
    """`1/E[1/p]`, divided by their sum, is `E[w beta]/E[w]`: here the mean of the Dirichlet beliefs."""
    count, belief = 40_000, {"dirichlet": {"red": 4, "green": 3, "blue": 2}}
    data = market(trader({"kelly": {"wealth": 1}}, belief, count=count), run={"ticks": count})
    scenario = load(data)
    economy, maker = scenario.economy, scenario.scheduler
    visitors = maker.crowd(economy).visitors
    prices, inverse = scenario.initial_prices.tolist(), np.zeros(3)
    for visitor in visitors:
        inverse += 1 / np.array(prices)
        prices, _, _ = visits(prices, [visitor], [[0.0] * 3], [1.0], maker.liquidity)
    means = 1 / inverse
    np.testing.assert_allclose(means / means.sum(), np.array([4, 3, 2]) / 9, atol=4e-3)


def test_entries_in_another_order_draw_the_same_beliefs() -> None:
    one, other = (load(market(*order)) for order in (CROWD, CROWD[::-1]))
    drawn = [dict(zip([c.name for c in s.economy.consumers], s.economy.consumers, strict=True)) for s in (one, other)]
    np.testing.assert_array_equal(drawn[0]["kelly"].trader.belief, drawn[1]["kelly"].trader.belief)


# Without a maker.


def without(*traders: dict[str, Any], **more: Any) -> dict[str, Any]:
    data = market(*traders, **more)
    return data | {"scheduler": {"kind": "tatonnement", "rate": 0.5}, "trade": "at_equilibrium"}


WEALTH = {"ann": 1.0, "bob": 3.0, "eve": 2.0}
VIEWS = [BELIEF, {"red": 0.1, "green": 0.6, "blue": 0.3}, {"red": 0.3, "green": 0.1, "blue": 0.6}]


def pool(wealth: Any) -> list[dict[str, Any]]:
    return [
        trader({"kelly": {"wealth": w}}, belief, name) for (name, w), belief in zip(wealth.items(), VIEWS, strict=True)
    ]


def test_kelly_traders_who_meet_price_contracts_at_their_beliefs_weighted_by_wealth() -> None:
    run = simulate(without(*pool(WEALTH), run={"tolerance": 1e-12}))
    assert run.summary["outcome"] == "cleared"
    expected = sum(w * np.array([x[k] for k in OUTCOMES]) for w, x in zip(WEALTH.values(), VIEWS, strict=True)) / 6
    prices = prices_of(run)[-1]
    np.testing.assert_allclose(prices / prices.sum(), expected, rtol=1e-9)
    np.testing.assert_allclose(prices_of(run)[0], 1 / 3)


def test_a_market_of_kelly_traders_learns_as_a_bayesian_does() -> None:
    """Over rounds its log loss is `-ln sum w_i e^(-L_i)`: wealth is the weight that each hypothesis has earned."""
    wealth, lost, each = dict(WEALTH), 0.0, np.zeros(3)
    for outcome in ("green", "red", "green", "blue"):
        run = simulate(without(*pool(wealth), run={"tolerance": 1e-13}))
        prices = dict(zip(OUTCOMES, prices_of(run)[-1] / prices_of(run)[-1].sum(), strict=True))
        lost -= math.log(prices[outcome])
        each -= np.log([view[outcome] for view in VIEWS])
        bought = run.agents[run.agents["good"] == outcome].groupby("agent")["quantity"].last()
        wealth = {name: float(bought[name]) for name in wealth}
        assert sum(wealth.values()) == pytest.approx(6, rel=1e-9)
    shares = np.array(list(WEALTH.values())) / 6
    assert lost == pytest.approx(-math.log(np.sum(shares * np.exp(-each))), rel=1e-9)


def test_a_neutral_trader_without_a_maker_has_a_linear_taste_over_its_sets() -> None:
    ann, bob = trader({"neutral": {"budget": 2}}, GREEN, "ann"), trader({"neutral": {"budget": 1}}, BELIEF, "bob")
    data = without(ann, bob)
    plain = {"goods": OUTCOMES, "initial_prices": dict.fromkeys(OUTCOMES, 1 / 3), "trade": "at_equilibrium"}
    plain |= {"scheduler": data["scheduler"], "consumers": [
        {"name": name, "endowment": dict.fromkeys(OUTCOMES, w), "utility": {"linear": view}}
        for name, w, view in (("ann", 2, GREEN), ("bob", 1, BELIEF))
    ]}  # fmt: skip
    one, other = (simulate(each, ticks=40) for each in (data, plain))
    np.testing.assert_array_equal(prices_of(one), prices_of(other))


# How runs end.


def test_nobody_trades_at_the_start_and_each_comes_when_it_should() -> None:
    two = [trader({"cara": {"aversion": 1}}, view, name) for name, view in zip(("ann", "bob"), VIEWS, strict=False)]
    for arrival, who in (("one_per_tick", [1, 2, 0]), ("round_robin", [1, 2, 1]), ("all_per_tick", [3, 3, 3])):
        run = simulate(market(*two, arrival=arrival, run={"ticks": 3, "stop": "never"}))
        bought = run.agents[run.agents["good"] == "red"].set_index(["tick", "agent"])[["input", "output"]].sum(axis=1)
        came = [sum(bit * (bought[t, name] != 0) for bit, name in ((1, "ann"), (2, "bob"))) for t in range(4)]
        assert came == [0, *who]
    np.testing.assert_allclose(prices_of(run)[0], 1 / 3)
    demand, supply = (prices_of(run, name) for name in ("demand", "supply"))
    np.testing.assert_allclose(prices_of(run, "excess_demand"), demand - supply)


def test_a_run_names_how_it_ends() -> None:
    kelly = trader({"kelly": {"wealth": 1}}, count=5)
    assert simulate(market(kelly)).summary["outcome"] == "settled_off_equilibrium"
    assert simulate(market(kelly), ticks=3).summary["outcome"] == "out_of_ticks"
    settled = simulate(market(kelly, arrival="round_robin", settlement={"tick": 7, "outcome": "red"}))
    assert (settled.summary["outcome"], settled.summary["ticks"]) == ("out_of_ticks", 7)
    at_rest = simulate(market(trader({"cara": {"aversion": 1}}, sees_impact=True), arrival="all_per_tick"))
    assert at_rest.summary["outcome"] == "cleared"
    assert at_rest.summary["max_relative_excess_demand"] <= 1e-6
    assert at_rest.summary["maker_loss"]["realised"] is None
    wild = simulate(market(kelly, liquidity=0.001))
    assert wild.summary["outcome"] == "diverged"
    assert "more liquidity keeps it from there" in wild.summary["sentence"]


def test_contracts_that_are_paid_are_gone(tmp_path: Path) -> None:
    data = market(*CROWD, settlement={"tick": 5, "outcome": "blue"}, run={"ticks": 9, "stop": "never"})
    run = simulate(data)
    held = run.agents.groupby("tick")["quantity"].agg(lambda x: x.abs().sum())
    assert held[5] > 0
    assert held[6] == 0
    np.testing.assert_array_equal(prices_of(run)[5], prices_of(run)[9])
    assert prices_of(run, "bid")[5].sum() == pytest.approx(1)
    assert np.isnan(prices_of(run, "bid")[6]).all()
    for column, place in zip((f"inventory_{k}" for k in OUTCOMES), range(3), strict=True):
        flows = prices_of(run, "excess_demand")[:, place].cumsum()
        np.testing.assert_allclose(run.ticks[column], flows, atol=1e-12)


def test_a_shock_of_belief_changes_what_is_bought_from_then_on() -> None:
    shock = {"tick": 4, "set": {"consumers.ann.belief": {"red": 0.05, "green": 0.05, "blue": 0.9}}}
    data = market(trader({"cara": {"aversion": 1}}, sees_impact=True), arrival="round_robin")
    data["run"] = {"ticks": 9, "stop": "never"}
    plain, struck = simulate(data), simulate({**data, "shocks": [shock]})
    np.testing.assert_array_equal(prices_of(plain)[:4], prices_of(struck)[:4])
    assert prices_of(struck)[4, 2] > prices_of(plain)[4, 2]
    assert struck.summary["gradient_path_gap"] < 1e-12


def test_a_run_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    scenario = load(market(*CROWD, arrival="round_robin", run={"ticks": 1500, "stop": "never"}))
    whole, part = tmp_path / "whole", tmp_path / "part"
    run_to_disk(scenario, whole)
    seen: list[int] = []
    run_to_disk(scenario, part, progress=lambda tick, _: seen.append(tick), stopped=lambda: len(seen) > 1100)
    run_to_disk(scenario, part, resume=True)
    for name in ("trajectory.csv", "ticks.csv", "agents.csv"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()


def test_a_resolved_market_is_the_same_market() -> None:
    scenario = load(SCENARIO)
    assert isinstance(scenario.scheduler, MarketMaker)
    again = load(scenario.resolved)
    assert again.resolved == scenario.resolved
    np.testing.assert_array_equal(prices_of(simulate(again, ticks=20)), prices_of(simulate(scenario, ticks=20)))


KELLY = trader({"kelly": {"wealth": 1}})
FOLK = {"name": "folk", "budget": 1, "utility": {"cobb_douglas": {"red": 1}}}
REFUSALS = [
    ({"contingent": None}, "without contracts on an event; expected contingent"),
    ({"goods": ["red", "green"]}, "found goods other than the outcomes"),
    ({"contingent": {"event": "e", "outcomes": ["red", "red", "blue"]}}, "twice"),
    ({"trade": "every_tick"}, "found trade under market_maker; expected none: each trade is carried out at once"),
    ({"supply": {"red": 1}}, "found supply under market_maker"),
    ({"numeraire": "red"}, "found numeraire under market_maker"),
    ({"initial_prices": {"red": 0.5}}, "found initial_prices under market_maker; expected none: the maker's prior"),
    ({"goods": {"red": {"price": 0.5}, "green": None, "blue": None}}, "its prior and what it sold say the price"),
    ({"consumers": [FOLK]}, "found cobb_douglas under market_maker; expected a trader in contracts, one of kelly"),
    ({"consumers": [{**KELLY, "endowment": {"red": 1}}]}, "found endowment under market_maker"),
    ({"consumers": [{**KELLY, "belief": {"red": 0.5, "green": 0.4}}]}, "probabilities that sum to 0.9; expected 1"),
    ({"consumers": [{"name": "ann", "utility": {"kelly": {"wealth": 1}}}]}, "found kelly without a belief"),
    ({"consumers": [trader({"cara": {"aversion": 1}}, {"red": 1})]}, "cara would sell it without end"),
    ({"consumers": [trader({"neutral": {"budget": 1}}, sees_impact=False)]}, "found false; expected true"),
    ({"scheduler": {"kind": "market_maker", "prior": {"red": 0.5, "green": 0.5}}}, "no probability of blue"),
    ({"scheduler": {"kind": "market_maker", "prior": {"red": 0.5, "green": 0.5, "blue": 0.5}}}, "sum to 1.5"),
    ({"scheduler": {"kind": "market_maker", "liquidity": 0}}, "found 0; expected a number above 0"),
    ({"settlement": {"tick": 3, "outcome": "reed"}}, "did you mean red"),
    ({"taxes": [{"name": "t", "on": "output", "rate": 0.1, "to": "ann"}]}, "found taxes under market_maker"),
    ({"shocks": [{"tick": 3, "set": {"prices.red": 0.5}}]}, "expected consumers.NAME.belief.OUTCOME"),
    ({"run": {"engine": "floats"}}, "traders come one after another"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), REFUSALS)
def test_what_a_maker_cannot_do_is_refused(change: dict[str, Any], said: str) -> None:
    data = {key: value for key, value in {**market(KELLY), **change}.items() if value is not None}
    with pytest.raises(ScenarioError, match=said):
        load(data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arrival": "round_robin"}, "found arrival without a market maker; expected scheduler: {kind: market_maker"),
        ({"settlement": {"tick": 3, "outcome": "red"}}, "found settlement without a market maker"),
        ({"consumers": [trader({"cara": {"aversion": 1}})]}, "found cara without a market maker.*or kelly or neutral"),
        ({"consumers": [trader({"linear_pool": {"budget": 1}})]}, "found linear_pool without a market maker"),
        ({"consumers": [{**KELLY, "sees_impact": False}]}, "found sees_impact without a market maker"),
        ({"consumers": [{**FOLK, "belief": BELIEF}]}, "found belief of who is no trader"),
    ],
)
def test_what_needs_a_maker_is_refused_without_one(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        load({**without(KELLY), **change})


def test_a_settlement_after_the_last_tick_is_told() -> None:
    scenario = load(market(KELLY, settlement={"tick": 30, "outcome": "red"}, run={"ticks": 20}))
    assert any("which is not reached" in warning.message for warning in scenario.warnings)
    assert simulate(scenario).summary["maker_loss"]["realised"] is None
