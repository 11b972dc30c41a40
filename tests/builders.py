"""Markets and other objects that many files of tests build from a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.house import MarketModel, Scenario, load


def market_of(scenario: Scenario | Mapping[str, Any], prices: Any = None, **changes: Any) -> MarketModel:
    """The market of a scenario, loaded or as data with `changes`, before its first tick; at other prices if given."""
    loaded: Scenario = load({**scenario, **changes}) if isinstance(scenario, Mapping) else scenario
    first = loaded.initial_prices if prices is None else prices
    return MarketModel(loaded.economy, loaded.rule, loaded.trade, first)
