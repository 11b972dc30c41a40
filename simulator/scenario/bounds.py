"""Between which bounds a scenario keeps the price of a good."""

from __future__ import annotations

import math

import numpy as np

from simulator.economics.clearing import BOTTOM
from simulator.economics.price_bounds import PriceBounds
from simulator.economics.user_markets import UserMarkets
from simulator.scenario.schema import ScenarioFile

DEFAULT_FLOOR = 1e-12
"""Of a good's initial price: far enough below for it to count as 0 in whatever unit prices are told."""


def floor_of(model: ScenarioFile, good: str) -> float | None:
    """Where the price of a good is projected; None where it has no floor."""
    given = model.markets[good].floor
    return given if given is not None or model.learning is not None else _default(model, good)


def lowest(model: ScenarioFile, good: str) -> float:
    """Where the number of a price is kept in range, whatever bounds the price has by law."""
    if model.learning is not None:
        return -math.inf
    return _default(model, good) if math.isfinite(_by_law(model, good)[0]) else floor_of(model, good) or 0.0


def bounds_of(model: ScenarioFile, markets: UserMarkets) -> PriceBounds | None:
    """The floors and caps of prices, `(markets,)` each; None where there are none."""
    bounds = np.array([_by_law(model, good) for good in markets.goods])[markets.good].T.copy()
    bounds.setflags(write=False)
    return PriceBounds(*bounds) if np.isfinite(bounds).any() else None


def _by_law(model: ScenarioFile, good: str) -> tuple[float, float]:
    """The floor and the cap of a price, infinite where it has none: a floor so far below the initial price that it only
    keeps the number in range is none.
    """
    floor, cap = (getattr(model.markets[good], key) for key in ("floor", "cap"))
    in_range = -math.inf if model.learning is not None else max(BOTTOM * model.initial_price(good), DEFAULT_FLOOR)
    return -math.inf if floor is None or floor <= in_range else floor, math.inf if cap is None else cap


def _default(model: ScenarioFile, good: str) -> float:
    price = model.initial_price(good)
    return DEFAULT_FLOOR * price if price > 0 else DEFAULT_FLOOR
