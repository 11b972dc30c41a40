"""Markets and other objects that many files of tests build from a scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.house import CohortTick, Links, Market, Quotes, Recorder, Scenario, load


def market_of(scenario: Scenario | Mapping[str, Any], prices: Any = None, **changes: Any) -> Market:
    """The market of a scenario, loaded or as data with `changes`, before its first tick; at other prices if given."""
    loaded: Scenario = load({**scenario, **changes}) if isinstance(scenario, Mapping) else scenario
    start = loaded.initial_prices if prices is None else prices
    return Market(loaded.scheduler, loaded.economy, start, loaded.run.seed)


def in_arrays(scenario: Scenario | Mapping[str, Any]) -> Market:
    """The market of a scenario held to arrays."""
    model = market_of(scenario)
    return Market(replace(model.scheduler, engine="arrays"), model.economy, model.state.prices)


def tick_of(market: Market) -> Any:
    """The tick just over, its fields as arrays."""
    return market.last_tick.in_arrays()


def cohorts_of(market: Market) -> list[CohortTick]:
    """What each cohort of consumers went through in the tick just over."""
    return market.scheduler.cohorts(market.transition)


def quotes_of(market: Market) -> Quotes:
    """Prices, demand and supply of the tick just over, in the economy's order."""
    return market.scheduler.quotes(market.economy, market.last_tick)


def links_of(market: Market) -> Links:
    """The links between the firms of a market of marginal bids."""
    return market.scheduler.links(market.economy)


def blocks_of(monkeypatch: pytest.MonkeyPatch, ticks: int) -> None:
    """Let the recorder write blocks of so many ticks."""
    monkeypatch.setattr(Recorder, "most_ticks", property(lambda _: ticks))


def saved_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run write its checkpoint after every block, however little time has gone by."""
    monkeypatch.setattr("simulator.records.folder.SAVE_EVERY", 0.0)
    monkeypatch.setattr("simulator.records.folder.SAVE_SHARE", math.inf)
    monkeypatch.setattr("simulator.records.folder.KEEP_EVERY", 0.0)


@pytest.fixture
def tick_by_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run be stopped after any tick, and go on from its last block: none is passed over."""
    monkeypatch.setattr(Recorder, "room", 0)
    monkeypatch.setattr("simulator.records.folder.KEEP_EVERY", 0.0)
