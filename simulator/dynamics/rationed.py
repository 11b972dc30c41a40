"""Who is rationed in a tick in which all trade, of what, and how much of it they get or sell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.market_tick import MarketState, MarketTick
from simulator.dynamics.transition import Transition
from simulator.economics.forms import Array

Market = Transition[MarketState, MarketTick]


def rationed(market: Market, good: int) -> list[str]:
    """Who buys, or sells, how much less of a good than planned: `ann 2 of 5`, `ben 1 of 4`; the hardest hit first."""
    short = float(market.tick.demand[good]) > float(market.tick.supply[good])
    sides = _buyers(market, good) if short else _sellers(market, good)
    hit = sorted(sides, key=lambda side: side[1] - side[2])
    return [f"{who} {done:.3g} of {planned:.3g}" for who, done, planned in hit if done < planned]


def _buyers(market: Market, good: int) -> Iterator[tuple[str, float, float]]:
    """Who buys a good, how much, and how much they ordered."""
    economy, tick = market.economy, market.tick
    for firm, edges in zip(economy.firms, economy.edge_rows, strict=True):
        own = economy.edge_good[edges] == good
        bought = _sum(tick.bought[edges], own)
        yield firm.name, bought, bought + _sum(tick.unserved[edges], own)
    for number, cohort in enumerate(economy.consumers):
        bought = float(tick.consumers_bought[number, good])
        yield cohort.name, bought, bought + float(tick.consumers_unserved[number, good])


def _sellers(market: Market, good: int) -> Iterator[tuple[str, float, float]]:
    """Who sells a good, how much, and how much of it was offered."""
    economy, tick = market.economy, market.tick
    yield "the outside", float(tick.supply_sold[good]), float(economy.supply[good])
    for firm, outlets in zip(economy.firms, economy.outlet_rows, strict=True):
        own = economy.outlet_good[outlets] == good
        sold = _sum(tick.delivered[outlets], own)
        yield firm.name, sold, sold + _sum(tick.unsold[outlets], own)
    for number, cohort in enumerate(economy.consumers):
        sold = float(tick.consumers_sold[number, good])
        yield cohort.name, sold, sold + float(tick.consumers_unsold[number, good])


def _sum(values: Array, own: NDArray[np.bool_]) -> float:
    return float(values[own].sum())
