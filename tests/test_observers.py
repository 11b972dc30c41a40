"""What watches every tick: the columns of a run tell of imbalances, whatever is recorded, and of nothing else."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest

from tests.builders import market_of, tick_of
from tests.faults import Inject
from tests.house import (
    Conservation,
    Fills,
    Market,
    MarketTick,
    Ticks,
    economy,
    load,
    market,
    simulate,
    walras_residual,
)

EXCHANGE: dict[str, Any] = {
    "goods": ["x", "y"],
    "consumers": [
        {"name": "a", "utility": {"cobb_douglas": {"x": 0.3, "y": 0.7}}, "endowment": {"x": 3, "y": 0.2}},
        {"name": "b", "utility": {"cobb_douglas": {"x": 0.6, "y": 0.4}}, "endowment": {"x": 0.1, "y": 2}},
        {"name": "c", "utility": {"leontief": {"x": 1, "y": 1}}, "endowment": {"x": 1}},
    ],
    "initial_prices": {"x": 2},
    "scheduler": {"form": "multiplicative", "rate": 0.1},
    "run": {"ticks": 40, "references": "off", "stop": "never"},
}


def snapshots(data: dict[str, Any], count: int) -> tuple[Market, list[MarketTick]]:
    scenario = load(data)
    market = market_of(scenario)
    seen: list[MarketTick] = []
    for _ in range(count):
        market.advance()
        seen.append(tick_of(market))
    return market, seen


def test_imbalances_by_hand() -> None:
    """One unit too much of x is bought, at price 2, by somebody whose account does not feel it."""
    market, (now,) = snapshots(EXCHANGE, 1)
    more = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    conservation = Conservation(market.economy)
    goods, money = conservation.observe(Ticks([now._replace(consumers_bought=now.consumers_bought + more)]))
    bought = float(now.consumers_bought[:, 0].sum())
    assert goods[0] == pytest.approx(1 / (bought + 1))
    assert money[0] <= 1e-15
    goods, money = conservation.observe(Ticks([now._replace(accounts_change=now.accounts_change + 0.5)]))
    size = float((now.consumers_bought @ now.prices).sum() + np.abs(now.money).sum())
    assert goods[0] <= 1e-15
    assert money[0] == pytest.approx(0.5 / size)
    assert conservation.worst == pytest.approx(max(1 / (bought + 1), 0.5 / size))


def test_what_is_sold_to_nobody_is_an_imbalance() -> None:
    market, (now,) = snapshots(EXCHANGE, 1)
    none = np.zeros(now.consumers_bought.shape)
    goods, _ = Conservation(market.economy).observe(Ticks([now._replace(consumers_bought=none)]))
    assert goods[0] == 1.0


def test_rounding_of_accounts_is_no_imbalance_where_hardly_anything_changes_hands() -> None:
    data = {
        "goods": ["x", "y", "z"],
        "consumers": [
            {"name": "first", "utility": {"leontief": {"x": 1, "y": 1}}, "endowment": {"x": 1}},
            {"name": "second", "utility": {"leontief": {"y": 1, "z": 1}}, "endowment": {"y": 1}},
            {"name": "third", "utility": {"leontief": {"z": 1, "x": 1}}, "endowment": {"z": 1}, "count": 10**9},
        ],
        "initial_prices": {"x": 1.2, "y": 1.0, "z": 0.85},
        "scheduler": {"form": "additive", "rate": 0.01},
        "run": {"ticks": 40, "tolerance": 1e-9, "references": "off"},
    }
    run = simulate(data)
    assert run.ticks["money_imbalance"].max() <= 1e-15
    assert run.summary["worst_imbalance"] <= 1e-15


def test_running_sums_tell_what_ticks_of_both_signs_cancel_and_what_they_do_not() -> None:
    market, (now,) = snapshots(EXCHANGE, 1)

    def off(by: float) -> MarketTick:
        return now._replace(accounts_change=now.accounts_change + by)

    drifting, wobbling = Conservation(market.economy), Conservation(market.economy)
    drifting.observe(Ticks([off(1e-3)] * 10))
    wobbling.observe(Ticks([off(1e-3), off(-1e-3)] * 5))
    assert abs(wobbling.sums[0][-1]) < 1e-15
    assert drifting.sums[0][-1] == pytest.approx(1e-2)
    assert wobbling.worst == pytest.approx(drifting.worst)


def test_the_columns_of_a_run_are_balanced() -> None:
    run = simulate(EXCHANGE)
    for column in ("goods_imbalance", "money_imbalance", "walras_residual"):
        assert run.ticks[column].max() <= 1e-14, column
    assert run.summary["worst_imbalance"] <= 1e-14
    np.testing.assert_allclose(run.ticks["money"], 0.0, atol=1e-13)
    assert np.any(run.trajectory["traded"] < 0.9 * run.trajectory["demand"])


@pytest.mark.parametrize("record_every", [1, 7, 40])
def test_a_leak_is_seen_in_ticks_that_are_not_recorded(
    inject: Inject, monkeypatch: pytest.MonkeyPatch, record_every: int
) -> None:
    calls = count(1)

    def leaks_once(served: Fills, *_: Any) -> Fills:
        return served._replace(sales=served.sales * (0.999 if next(calls) == 10 else 1.0))

    # In floats it would be asked but once, when the tick is traced.
    monkeypatch.setattr(economy, "MOST_ROWS", 0)
    inject(market, "ration", leaks_once)
    run = simulate({**EXCHANGE, "run": {**EXCHANGE["run"], "record_every": record_every}})
    assert run.summary["worst_imbalance"] > 1e-4
    recorded = run.ticks.loc[run.ticks["tick"] == 9, "goods_imbalance"]
    assert len(recorded) == (record_every == 1)
    assert np.all(recorded > 1e-4)


def test_without_trade_there_is_nothing_to_conserve() -> None:
    run = simulate({**EXCHANGE, "trade": "at_equilibrium"})
    assert run.summary["worst_imbalance"] == 0.0
    assert "money" not in run.ticks


def test_walras_s_residual_by_hand() -> None:
    """Spending a tenth more of wealth than there is shows as that tenth of the value of all that is planned."""
    market, (now,) = snapshots(EXCHANGE, 1)
    assert walras_residual(market.economy, Ticks([now]))[0] <= 1e-15
    worth = float(now.prices @ np.maximum(now.demand, now.supply))
    overspent = now._replace(spending=now.spending * 1.1)
    residual = walras_residual(market.economy, Ticks([overspent]))[0]
    assert residual == pytest.approx(0.1 * float(now.spending.sum()) / worth)


def test_many_ticks_at_once_are_one_tick_at_a_time() -> None:
    market, seen = snapshots(EXCHANGE, 30)
    whole, single = Conservation(market.economy), Conservation(market.economy)
    goods, money = whole.observe(Ticks(seen))
    for tick, now in enumerate(seen):
        one_good, one_money = single.observe(Ticks([now]))
        assert one_good[0] == goods[tick]
        assert one_money[0] == money[tick]
    assert whole.worst == pytest.approx(single.worst, rel=1e-6)
    np.testing.assert_array_equal(
        walras_residual(market.economy, Ticks(seen[3:4])), walras_residual(market.economy, Ticks(seen))[3:4]
    )
