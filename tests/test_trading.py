"""Trade in every tick: nothing is made of nothing, money goes round, budgets lapse, and rest points are equilibria."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import cohorts_of, market_of, tick_of
from tests.economies import FARM_AND_BAKERY, QUASI_LINEAR
from tests.faults import Inject
from tests.house import (
    Conservation,
    Economy,
    Fills,
    Market,
    MarketTick,
    Ticks,
    market,
    ration,
    walras_residual,
)

CLOSED: dict[str, Any] = {
    "name": "closed",
    "goods": ["labour", "grain", "bread"],
    "firms": FARM_AND_BAKERY,
    "consumers": [
        {
            "name": "worker",
            "utility": {"cobb_douglas": {"labour": 0.2, "grain": 0.2, "bread": 0.6}},
            "endowment": {"labour": 3},
            "owns": {"farm": 0.75},
        },
        {
            "name": "rentier",
            "utility": {"leontief": {"bread": 1, "grain": 0.5}},
            "endowment": {"labour": 0.2, "grain": 0.1},
            "owns": {"farm": 0.25, "bakery": 1},
        },
    ],
    "initial_prices": {"grain": 1.5, "bread": 0.3},
    "scheduler": {"form": "multiplicative", "rate": 0.1},
}

OPEN: dict[str, Any] = {
    "name": "open",
    "goods": ["labour", "grain", "steel", "tool", "cloth"],
    "outside": {"tool": 0.7, "cloth": 1.1},
    "supply": {"labour": 0.8, "steel": 0.1},
    "firms": [
        {"name": "farm", "makes": "grain = 2*labour^0.5"},
        {"name": "mill", "makes": "steel = 1.2*steel^0.3*labour^0.4"},
        {"name": "weaver", "makes": "cloth = 2*steel^0.4*tool^0.3"},
    ],
    "consumers": [
        {
            "name": "worker",
            "utility": {"cobb_douglas": {"labour": 0.2, "grain": 0.5, "steel": 0.1}},
            "endowment": {"labour": 3, "tool": 0.2},
            "owns": {"farm": 0.5, "mill": 0.3},
            "budget": 0.3,
        },
        {
            "name": "saver",
            "utility": {"ces": {"elasticity": 0.6, "shares": {"grain": 2, "cloth": 1}}},
            "budget": 1,
            "savings": True,
        },
        {"name": "purse", "utility": {"quasilinear": {"log": {"grain": 0.4, "tool": 0.1}}}},
    ],
    "initial_prices": {"labour": 0.5, "grain": 1.2, "steel": 2.0},
    "scheduler": {"form": "multiplicative", "rate": 0.1},
}

CHAIN: dict[str, Any] = {
    "name": "chain",
    "goods": ["gas", "ethylene", "bags"],
    "outside": {"bags": 1},
    "supply": {"gas": 4},
    "firms": [{"name": "A", "makes": "ethylene = sqrt(gas)"}, {"name": "B", "makes": "bags = ln(ethylene)"}],
    "initial_prices": {"gas": 0.02, "ethylene": 0.3},
    "scheduler": {"form": "multiplicative", "rate": 0.2},
}

FISHER: dict[str, Any] = {
    "name": "fisher",
    "goods": ["apples", "pears", "figs"],
    "supply": {"apples": 10, "pears": 6, "figs": 3},
    "consumers": [
        {
            "name": "a",
            "budget": 10,
            "utility": {"ces": {"elasticity": 0.5, "shares": {"apples": 1, "pears": 2, "figs": 1}}},
        },
        {"name": "b", "budget": 4, "utility": {"cobb_douglas": {"apples": 0.2, "pears": 0.2, "figs": 0.6}}},
        {"name": "c", "budget": 2, "utility": {"leontief": {"apples": 1, "figs": 1}}},
    ],
    "initial_prices": {"apples": 2, "figs": 0.5},
    "scheduler": {"form": "multiplicative", "rate": 0.1},
}

WITH_MONEY: dict[str, Any] = {
    "name": "quasi-linear",
    **QUASI_LINEAR,
    "initial_prices": {"labour": 0.4, "bread": 3, "wine": 1},
    "scheduler": {"form": "multiplicative", "rate": 0.1},
}


def ticks_of(market: Market, count: int) -> Iterator[MarketTick]:
    for _ in range(count):
        market.advance()
        yield tick_of(market)


class Stacked(NamedTuple):
    """Single consumers side by side: endowments `(agents, goods)`, budgets `(agents,)`, shares `(agents, firms)`."""

    endowment: np.ndarray
    budget: np.ndarray
    owns: np.ndarray


def stacked(economy: Economy) -> Stacked:
    cohorts, goods = economy.consumers, len(economy.goods)
    nobody = {"endowment": np.zeros((0, goods)), "budget": np.zeros(0), "owns": np.zeros((0, len(economy.firms)))}
    parts = {name: [getattr(cohort, name) for cohort in cohorts] for name in nobody}
    return Stacked(*(np.concatenate([*parts[name], empty]) for name, empty in nobody.items()))


def by_entry(economy: Economy, firms: np.ndarray) -> np.ndarray:
    return np.bincount(economy.firm_entry, firms, len(economy.firms))


@pytest.mark.parametrize("thousands", [1, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("scenario", "changes"),
    [
        (CLOSED, {}),
        (CLOSED, {"start": "empty", "trade": {"every_tick": {"spoilage": 0}}}),
        (OPEN, {}),
        (OPEN, {"trade": {"every_tick": {"spoilage": 0.2}}}),
        (CHAIN, {"start": "empty"}),
        (CHAIN, {"trade": {"every_tick": {"inventories": True}}}),
    ],
    ids=["closed", "closed-kept", "open", "open-spoiling", "chain", "chain-kept"],
)
def test_thousands_of_ticks_conserve_goods_and_money(
    scenario: dict[str, Any], changes: dict[str, Any], thousands: int
) -> None:
    scenario = {**scenario, "scheduler": {"form": "multiplicative", "rate": 0.6}}
    market = market_of(scenario, **changes)
    economy, trade = market.economy, market.scheduler.trade
    conservation = Conservation(economy)
    kept_goods = np.where(economy.is_outside[economy.outlet_good], 0.0, 1.0)
    opening = np.zeros(len(economy.outlet_good))
    for _ in range(2 * thousands):
        ticks = Ticks(list(ticks_of(market, 500)))
        goods, money = conservation.observe(ticks)
        assert goods.max() <= 1e-12
        assert money.max() <= 1e-12

        first = ticks.planned_outputs[:1] * kept_goods if ticks.tick[0] == 0 and trade.start == "stocked" else None
        before = np.concatenate([opening[None] if first is None else first, ticks.stock[:-1]])
        opening = ticks.stock[-1]
        own_use = np.zeros(before.shape)
        np.add.at(own_use, (slice(None), economy.edge_firm), ticks.inputs - ticks.bought)
        sold_from_stock = ticks.delivered - ticks.outputs * (1 - kept_goods)
        unsold = before - own_use - sold_from_stock
        closing = unsold * (1 - trade.spoilage) + ticks.outputs * kept_goods
        np.testing.assert_allclose(ticks.stock, closing, rtol=1e-12, atol=1e-12)
        for name in ("stock", "inputs", "bought", "consumption", "consumers_bought", "consumers_sold", "traded"):
            assert getattr(ticks, name).min(initial=0.0) >= 0.0, name
        assert unsold.min() >= -1e-12 * before.max()
        assert np.all(ticks.inputs <= ticks.planned_inputs * (1 + 1e-12))
        assert np.all(ticks.consumption <= ticks.planned_consumption * (1 + 1e-12))
        assert np.all(ticks.supply_sold <= economy.supply * (1 + 1e-12))
        assert np.all(ticks.consumers_sold <= stacked(economy).endowment * (1 + 1e-12))
    assert 0.0 < conservation.worst <= 1e-12


@pytest.mark.parametrize("scenario", [CLOSED, OPEN, FISHER, WITH_MONEY], ids=lambda s: s["name"])
def test_a_purse_changes_by_what_was_sold_bought_paid_out_received_and_lapsed(scenario: dict[str, Any]) -> None:
    market = market_of(scenario)
    economy = market.economy
    agents = stacked(economy)
    purse, saves = np.isinf(agents.budget), np.array([c.saves for c in economy.consumers])
    enjoys_money = np.array([not c.utility.needs_income for c in economy.consumers])
    received = np.where(purse, 0.0, agents.budget)
    account, turnover = np.zeros(len(purse)), 1.0
    for now in ticks_of(market, 500):
        shares = agents.owns @ by_entry(economy, now.cash_flow)
        left = account + (now.consumers_sold - now.consumers_bought) @ now.prices + shares + received
        lapsed = np.where(saves, 0.0, np.clip(left, 0.0, np.where(enjoys_money, np.inf, received)))
        account = np.where(purse, 0.0, left - lapsed)
        turnover = max(turnover, float(now.prices @ now.demand))
        np.testing.assert_allclose(now.money, account, rtol=0, atol=1e-12 * turnover)
        account = now.money


def test_firms_end_every_tick_without_money() -> None:
    """What they take in less what they pay out is their cash flow, and that is paid out (or called in) in full."""
    market = market_of(OPEN)
    economy = market.economy
    for now in ticks_of(market, 300):
        takes = now.delivered * now.prices[economy.outlet_good]
        pays = np.bincount(economy.edge_firm, now.bought * now.prices[economy.edge_good], len(takes))
        np.testing.assert_allclose(now.cash_flow, takes - pays, rtol=1e-12, atol=1e-13)


BREAKS = ("bought", "delivered", "supply_sold", "consumers_bought", "consumers_sold", "accounts_change", "from_outside")


@pytest.mark.parametrize("name", [*BREAKS, "cash_flow"])
def test_conservation_sees_a_millionth_too_much(name: str) -> None:
    market = market_of(OPEN)
    now = list(ticks_of(market, 20))[-1]
    conservation = Conservation(market.economy)
    conservation.observe(Ticks([now]))
    assert conservation.worst <= 1e-14
    conservation.observe(Ticks([now._replace(**{name: np.asarray(getattr(now, name)) * (1 + 1e-6)})]))
    assert conservation.worst > 1e-12, name


@pytest.mark.parametrize("side", ["purchases", "sales"])
def test_conservation_sees_a_market_that_makes_goods_of_nothing(inject: Inject, side: str) -> None:
    def generous(served: Fills, *_: Any) -> Fills:
        return served._replace(**{side: getattr(served, side) * (1 + 1e-8)})

    inject(market, "ration", generous)
    found = market_of(CLOSED)
    conservation = Conservation(found.economy)
    goods, _ = conservation.observe(Ticks(list(ticks_of(found, 50))))
    assert goods.min() > 1e-9
    assert conservation.worst > 1e-9


def test_conservation_sees_a_mint(inject: Inject) -> None:
    inject(market, "book", lambda booked, *_: booked._replace(gained=booked.gained + 1e-7))
    found = market_of(CLOSED)
    _, money = Conservation(found.economy).observe(Ticks(list(ticks_of(found, 50))))
    assert money.min() > 1e-9


def test_conservation_adds_up_what_a_single_tick_hides() -> None:
    """An imbalance just below the bound in every tick is not lost in the running sums, in whatever blocks they come."""
    market = market_of(CLOSED)
    seen = [now._replace(consumers_bought=now.consumers_bought * (1 + 1e-10)) for now in ticks_of(market, 60)]
    whole, parts = Conservation(market.economy), Conservation(market.economy)
    whole.observe(Ticks(seen))
    for first in range(0, 60, 7):
        parts.observe(Ticks(seen[first : first + 7]))
    assert whole.worst == pytest.approx(parts.worst, rel=1e-9)
    np.testing.assert_allclose(whole.sums, parts.sums, rtol=1e-9)
    resumed = Conservation(market.economy)
    resumed.restore(parts.state())
    assert resumed.worst == parts.worst


@pytest.mark.parametrize("start", ["stocked", "empty"])
@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_in_a_closed_economy_the_value_of_excess_demand_is_what_accounts_hold(start: str, rate: float) -> None:
    worker, rentier = CLOSED["consumers"]
    consumers = [worker, {**rentier, "endowment": {}}]
    scheduler = {"form": "multiplicative", "rate": rate}
    market = market_of(CLOSED, start=start, scheduler=scheduler, consumers=consumers)
    economy = market.economy
    agents = stacked(economy)
    account, clipped_ever, account_ever = np.zeros(2), 0.0, 0.0
    for now in ticks_of(market, 400):
        profit = now.planned_outputs * now.prices[economy.outlet_good]
        profit -= np.bincount(economy.edge_firm, now.planned_inputs * now.prices[economy.edge_good], len(profit))
        purse = agents.endowment @ now.prices + agents.owns @ by_entry(economy, profit) + account
        income = np.concatenate([cohort.income for cohort in cohorts_of(market)])
        clipped = float((income - purse).sum())
        worth = float(now.prices @ np.maximum(now.demand, now.supply))
        assert now.prices @ (now.demand - now.supply) == pytest.approx(account.sum() + clipped, abs=1e-12 * worth)
        account = now.money
        clipped_ever, account_ever = max(clipped_ever, clipped), max(account_ever, float(np.abs(account).max()))
    assert account_ever > 0.01
    assert clipped_ever > 0.01 or start == "stocked"


@pytest.mark.parametrize("scenario", [CLOSED, OPEN, CHAIN, FISHER, WITH_MONEY], ids=lambda s: s["name"])
@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_plans_fit_budgets_in_every_tick(scenario: dict[str, Any], trade: str) -> None:
    market = market_of(scenario, trade=trade)
    residual = walras_residual(market.economy, Ticks(list(ticks_of(market, 300))))
    assert residual.max() <= 1e-13


def test_the_walras_residual_sees_overspending() -> None:
    market = market_of(OPEN)
    seen = [now._replace(demand=now.demand * [1, 1 + 1e-9, 1, 1, 1]) for now in ticks_of(market, 10)]
    assert walras_residual(market.economy, Ticks(seen)).min() > 1e-11


@pytest.mark.parametrize("scenario", [FISHER, WITH_MONEY, CHAIN], ids=lambda s: s["name"])
@given(rate=st.floats(0.01, 0.5))
@settings(max_examples=8)
def test_where_budgets_lapse_plans_do_not_depend_on_past_trades(scenario: dict[str, Any], rate: float) -> None:
    scheduler = {"form": "multiplicative", "rate": rate}
    trading = market_of(scenario, scheduler=scheduler)
    waiting = market_of(scenario, scheduler=scheduler, trade="at_equilibrium")
    for _ in range(100):
        trading.advance()
        waiting.advance()
        # Whoever trades adds up tables that who waits has no need of: the same to rounding.
        np.testing.assert_allclose(trading.prices, waiting.prices, rtol=1e-12)
        np.testing.assert_allclose(trading.planned_consumption, waiting.planned_consumption, rtol=1e-12)
        assert not any(np.any(account) for account in trading.state.accounts)
        assert not np.any(waiting.traded)


def test_savings_keep_what_a_rationed_buyer_could_not_spend() -> None:
    buyer = {"name": "a", "utility": {"cobb_douglas": {"x": 1}}, "budget": 2}
    base = {"goods": {"x": {"fixed_price": 1}}, "supply": {"x": 0.5}}
    lapsing = market_of({**base, "consumers": [buyer]})
    saving = market_of({**base, "consumers": [{**buyer, "savings": True}]})
    for tick in range(5):
        lapsing.advance()
        saving.advance()
        assert lapsing.state.accounts[0][0] == 0.0
        assert lapsing.demand.item() == 2.0
        assert saving.state.accounts[0][0] == pytest.approx(1.5 * (tick + 1))
        assert saving.demand.item() == pytest.approx(2 + 1.5 * tick)


@pytest.mark.parametrize("scenario", [CLOSED, OPEN, CHAIN, FISHER, WITH_MONEY], ids=lambda s: s["name"])
def test_rest_points_are_those_of_the_auctioneer(scenario: dict[str, Any]) -> None:
    changes = {"numeraire": "labour"} if scenario is CLOSED else {}
    rest: list[np.ndarray] = []
    for trade in ("every_tick", "at_equilibrium", {"every_tick": {"spoilage": 0}}):
        market = market_of(scenario, trade=trade, **changes)
        market.advance()
        while market.last_tick.tick < 3000 and (market.last_tick.tick < 100 or market.last_tick.residual > 1e-11):
            market.advance()
        for _ in range(50):
            market.advance()
        assert market.last_tick.residual < 1e-10, trade
        rest.append(market.prices)
        if trade != "at_equilibrium":
            np.testing.assert_allclose(market.inputs, market.planned_inputs, rtol=1e-8)
            np.testing.assert_allclose(market.outputs, market.planned_outputs, rtol=1e-8)
            np.testing.assert_allclose(market.consumption, market.planned_consumption, rtol=1e-8, atol=1e-12)
            np.testing.assert_allclose(np.concatenate([*market.state.accounts, [0.0]]), 0.0, atol=1e-8)
    np.testing.assert_allclose(rest[1], rest[0], rtol=1e-9)
    np.testing.assert_allclose(rest[2], rest[0], rtol=1e-9)


quantity = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


@given(st.lists(st.tuples(quantity, quantity, st.booleans()), min_size=1, max_size=6))
def test_rationing_gives_the_long_side_its_share_of_the_short_one(markets: list[tuple[float, float, bool]]) -> None:
    purchases, sales = (np.array([market[side] for market in markets]) for side in (0, 1))
    outside = np.flatnonzero([market[2] for market in markets])
    served = ration(purchases, sales, outside)
    inside = np.setdiff1d(np.arange(len(markets)), outside)
    short = np.minimum(purchases, sales)
    for fraction, side in ((served.purchases, purchases), (served.sales, sales)):
        np.testing.assert_allclose((fraction * side)[inside], short[inside], rtol=1e-15)
        assert np.all((fraction >= 0) & (fraction <= 1))
        assert np.all(fraction[outside] == 1)
        full = inside[(side <= short)[inside] & (side > 0)[inside]]
        assert np.all(fraction[full] == 1.0)


@given(st.lists(st.tuples(quantity, quantity, quantity), min_size=1, max_size=6))
def test_those_of_a_lower_rank_share_what_the_first_have_left(markets: list[tuple[float, float, float]]) -> None:
    first, later, sales = (np.array(side) for side in zip(*markets, strict=True))
    served = ration(later, sales, np.zeros(0, dtype=np.intp), first)
    assert served.first is not None
    np.testing.assert_allclose(served.first * first, np.minimum(first, sales), rtol=1e-15)
    left = np.maximum(sales - first, 0.0)
    np.testing.assert_allclose(served.purchases * later, np.minimum(later, left), rtol=1e-12)
    np.testing.assert_allclose(served.traded, np.minimum(first + later, sales), rtol=1e-12)


def test_goods_fill_an_empty_chain_one_link_a_tick() -> None:
    market = market_of(CHAIN, start="empty")
    market.advance()
    assert market.traded.tolist() == [4.0, 0.0, 0.0]
    assert market.outputs.tolist() == [2.0, 0.0]
    market.advance()
    assert market.traded[1] > 0


def test_a_firm_outside_its_domain_idles_and_its_inputs_spoil() -> None:
    """`ln(x)` of nothing is not a number: the firm makes nothing, sells nothing, and has no marginal product."""
    market = market_of(CHAIN, start="empty", supply={"gas": 0})
    for now in ticks_of(market, 5):
        assert np.all(np.asarray(now.outputs) == 0.0)
        assert np.all(np.asarray(now.inputs) == 0.0)
        assert np.all(np.asarray(now.stock) == 0.0)


def test_a_firm_uses_its_own_product_before_it_buys_or_sells() -> None:
    market = market_of(OPEN)
    market.advance()
    mill_steel = 1
    assert market.economy.edge_good[mill_steel] == 2
    assert market.inputs[mill_steel] == market.planned_inputs[mill_steel] < market.planned_outputs[1]
    assert market.bought[mill_steel] == 0.0


def test_the_auctioneer_carries_out_plans_only_once_markets_clear() -> None:
    market = market_of(CLOSED, trade="at_equilibrium", numeraire="labour")
    for now in ticks_of(market, 2000):
        assert not now.traded.any()
        assert not now.money.any()
        assert not now.stock.any()
    market.settle_at_equilibrium(market.transition)
    bought = sum(cohort.totals(None, objective=False).bought for cohort in cohorts_of(market))
    used = market.economy.over_edges(market.planned_inputs)
    # Nobody buys what it has: labour that its owner keeps for itself changes no hands.
    np.testing.assert_allclose(market.traded, bought + used, rtol=1e-9)
    assert market.traded[0] < 0.9 * market.demand[0]
