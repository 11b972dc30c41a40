"""A market maker's traders beside the same steps written by hand in plain floats, for any number of outcomes:
each visit a demand, prices, and two accounts.
"""

from __future__ import annotations

from functools import cache, partial
from math import exp, log
from typing import Any

import numpy as np

from benchmarks.harness import Columns, Group, Groups, Line, Side
from simulator.scenario import Scenario, load
from simulator.schedulers.market import Market

LIQUIDITY = 2_000.0
OUTCOMES = ("red", "green", "blue")


@cache
def scenario_of(traders: int, kind: str) -> Scenario:
    """So many traders, all of whom come in every tick."""
    crowd: dict[str, Any] = {
        "name": "traders",
        "count": traders,
        "belief": {"dirichlet": {"red": 4, "green": 3, "blue": 2}},
        "utility": {"kelly": {"wealth": 1}} if kind == "kelly" else {"cara": {"aversion": 1}},
    }
    return load(
        {
            "contingent": {"event": "election", "outcomes": [*OUTCOMES]},
            "consumers": [crowd],
            "arrival": "all_per_tick",
            "scheduler": {"kind": "market_maker", "liquidity": LIQUIDITY},
        }
    )


def traded(market: Market, ticks: int) -> Market:
    """The market after so many ticks, of which nobody trades in the first."""
    for _ in range(ticks + 1):
        market.advance()
    return market


def kelly_by_hand(beliefs: list[list[float]], ticks: int) -> tuple[list[float], list[list[float]], list[float]]:
    """Kelly traders who do not see their impact, and any number of outcomes: prices, contracts and money in the end."""
    b, n = LIQUIDITY, len(beliefs[0])
    p, held, money = [1 / n] * n, [[0.0] * n for _ in beliefs], [1.0] * len(beliefs)
    for _ in range(ticks):
        for i, belief in enumerate(beliefs):
            h = held[i]
            worth = max(money[i] + sum([p[k] * h[k] for k in range(n)]), 0.0)
            x = [worth * belief[k] / p[k] - h[k] for k in range(n)]
            top = max(x) / b
            p = [p[k] * exp(x[k] / b - top) for k in range(n)]
            total = sum(p)
            money[i] -= b * (top + log(total))
            p = [price / total for price in p]
            held[i] = [h[k] + x[k] for k in range(n)]
    return p, held, money


def cara_by_hand(beliefs: list[list[float]], ticks: int) -> tuple[list[float], list[list[float]], list[float]]:
    """The same of traders of constant absolute risk aversion 1."""
    b, n = LIQUIDITY, len(beliefs[0])
    p, held, money = [1 / n] * n, [[0.0] * n for _ in beliefs], [0.0] * len(beliefs)
    for _ in range(ticks):
        for i, belief in enumerate(beliefs):
            h = held[i]
            x = [log(belief[k] / p[k]) - h[k] for k in range(n)]
            top = max(x) / b
            p = [p[k] * exp(x[k] / b - top) for k in range(n)]
            total = sum(p)
            money[i] -= b * (top + log(total))
            p = [price / total for price in p]
            held[i] = [h[k] + x[k] for k in range(n)]
    return p, held, money


def maker(kind: str, traders: int, ticks: int) -> Group:
    """Visits at the maker, against the same steps by hand."""
    by_hand = {"kelly": kelly_by_hand, "cara": cara_by_hand}[kind]

    def beliefs() -> list[list[float]]:
        trader = scenario_of(traders, kind).economy.consumers[0].trader
        assert trader is not None
        return trader.belief.tolist()

    def of_market(market: Market) -> Columns:
        state = market.state
        return {"prices": state.prices, "held": state.held, "money": state.money}

    def of_hand(found: tuple[list[float], list[list[float]], list[float]]) -> Columns:
        return dict(zip(("prices", "held", "money"), map(np.array, found), strict=True))

    visits = float(traders * ticks)
    sides = {
        "market": Side(
            lambda: partial(traded, scenario_of(traders, kind).market(), ticks), of_market, visits, " a visit"
        ),
        "by hand": Side(lambda: partial(by_hand, beliefs(), ticks), of_hand, visits, " a visit"),
    }
    line = Line(
        f"{traders} {kind} traders",
        "a visit to a market maker, against the same steps by hand",
        "market",
        "by hand",
        at_most=2,
    )
    return Group(sides, [line])


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    size = (20, 3) if quick else (2000, 20)
    return {f"maker, {kind}": partial(maker, kind, *size) for kind in ("kelly", "cara")}
