"""How a run ends: cleared, cycled, diverged, settled off equilibrium, out of ticks. Each verdict has its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from simulator.dynamics.model import MarketModel
from simulator.economics.clearing import active_goods, log_newton_displacement
from simulator.economics.economy import Balance
from simulator.economics.forms import Array

OUTCOMES = ("cleared", "cycled", "diverged", "settled_off_equilibrium", "out_of_ticks", "interrupted")

BOUND = 1e12
"""A price this many times the largest initial price has left every bound."""
STILL = 1e-12
"""Relative change below which a price stands still."""
STILL_TICKS = 100
"""For how many ticks prices must stand still to count as settled."""
RETURNS = 3
"""Returns an orbit must make to count as a cycle."""


class Verdict(NamedTuple):
    """An outcome, why, and for cycles their period in ticks and amplitude (half the swing over the mid price)."""

    outcome: str
    reason: str
    period: float | None = None
    amplitude: float | None = None


class PriceHistory:
    """The last prices of a run, tick by tick, as many as fit in `capacity` numbers, `(ticks, goods)`."""

    def __init__(self, goods: int, capacity: int = 4_000_000) -> None:
        self.length = max(256, min(65_536, capacity // max(goods, 1)))
        self._rows = np.zeros((256, goods))
        self._count = 0

    def append(self, prices: Array | list[float]) -> None:
        """Add one tick."""
        place = self._count % self.length
        if place == len(self._rows):
            grown = np.zeros((min(2 * place, self.length), self._rows.shape[1]))
            grown[:place] = self._rows
            self._rows = grown
        self._rows[place] = prices
        self._count += 1

    def prices(self) -> Array:
        """Prices in order of ticks, the last one last, `(ticks, goods)`."""
        if self._count <= self.length:
            return self._rows[: self._count]
        place = self._count % self.length
        return np.concatenate([self._rows[place:], self._rows[:place]])

    def restore(self, prices: Array, count: int) -> None:
        """Take up a history where an earlier run left it; `count` is the number of ticks it has seen."""
        self._count = 0
        for row in prices:
            self.append(row)
        if count > len(prices):
            self._rows = np.roll(self._rows, count % self.length, axis=0)
            self._count = count

    @property
    def count(self) -> int:
        """How many ticks it has seen."""
        return self._count


class Judge:
    """Names the outcome of a run from what the market does, never touching it."""

    def __init__(self, market: MarketModel, tolerance: float) -> None:
        self.tolerance = tolerance
        self.waits = not market.trade.every_tick
        self.history = PriceHistory(len(market.prices))
        self.bound = BOUND * max(float(np.max(market.prices)), 1.0)
        self.residual = np.inf
        self.displacement = np.nan
        self.first_displacement = np.nan

    def state(self) -> dict[str, Array]:
        """What the verdict depends on, as arrays."""
        return {
            "history": self.history.prices(),
            "count": np.array(self.history.count),
            "first_displacement": np.array(self.first_displacement),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.history.restore(state["history"], int(state["count"]))
        self.first_displacement = float(state["first_displacement"])

    def look(self, market: MarketModel) -> None:
        """Take note of a tick."""
        self.history.append(market.now.prices)
        self.residual = market.now.residual

    def verdict(self, market: MarketModel) -> Verdict | None:
        """The verdict if the run is over after the tick just looked at, None while it may go on."""
        if not market.now.finite or not max(market.now.prices) <= self.bound:
            return Verdict("diverged", _where_to(market, self.bound))
        if self.residual > self.tolerance or not self._carried_out(market):
            return None
        self.displacement = self._newton_displacement(market)
        if np.isnan(self.first_displacement):
            self.first_displacement = self.displacement
        if self.displacement <= self.tolerance:
            return Verdict("cleared", f"every market cleared to {_short(self.residual)}")
        return None

    def close(self, market: MarketModel) -> Verdict:
        """The verdict once ticks have run out."""
        cleared_looking = self.residual <= self.tolerance and self.displacement > self.tolerance
        if cleared_looking and self.displacement >= 0.5 * self.first_displacement:
            return Verdict(
                "diverged", "the residual shrinks, but only because a price runs away: no equilibrium is near"
            )
        prices = self.history.prices()
        only_relative = market.economy.homogeneous and not market.rule.fixed.any()
        relative = prices / prices.sum(axis=1, keepdims=True) if only_relative else prices
        recent = prices[-STILL_TICKS:]
        with np.errstate(divide="ignore", invalid="ignore"):
            still = np.abs(recent - recent[-1]) <= STILL * np.abs(recent[-1])
        if len(recent) == STILL_TICKS and still.all():
            return Verdict("settled_off_equilibrium", f"prices stand still while {self._what_is_amiss()}")
        with np.errstate(divide="ignore"):
            cycle = find_cycle(np.log(relative), self.tolerance)
        if cycle is not None:
            period, amplitude = cycle
            reason = f"prices return every {period:.4g} ticks, swinging by {100 * amplitude:.3g}% either way"
            return Verdict("cycled", reason, period, amplitude)
        return Verdict("out_of_ticks", self._what_is_amiss())

    def _what_is_amiss(self) -> str:
        """Why the market does not count as cleared after the last tick."""
        if self.residual > self.tolerance:
            off = f"{_short(self.residual)} of what is traded"
            return f"demand and supply differ by {off} (tolerance {_short(self.tolerance)})"
        if self.displacement > self.tolerance:
            return f"equilibrium prices are still {_short(self.displacement)} away (tolerance {_short(self.tolerance)})"
        return "somebody is rationed at a price that is fixed, or still carries out old plans"

    def _carried_out(self, market: MarketModel) -> bool:
        """Whether what is used and made equals what is planned, to the square root of the tolerance."""
        if not market.trade.every_tick:
            return True
        slack = np.sqrt(self.tolerance)
        pairs = (
            (market.inputs, market.planned_inputs),
            (market.outputs, market.planned_outputs),
            (market.consumption, market.planned_consumption),
        )
        return all(bool(np.all(np.abs(done - plan) <= slack * np.maximum(np.abs(plan), 1e-12))) for done, plan in pairs)

    def _newton_displacement(self, market: MarketModel) -> float:
        guess = np.where(np.isfinite(market.planned_inputs), market.planned_inputs, 1.0)
        balance: Balance = market.economy.balance(market.prices, guess)
        free = ~market.rule.fixed
        # A free good lies about; one that clears at its floor must have come to rest there, not run away.
        clears = free & (np.abs(balance.excess_demand) <= self.tolerance * balance.scale)
        active = active_goods(balance, free, market.rule.floor)
        active |= clears & (balance.scale > 0) & (balance.prices > 0)
        step = log_newton_displacement(balance, market.economy.jacobian(balance), active)
        largest = float(np.max(np.abs(step), initial=0.0))
        return largest if largest == largest else np.inf


def find_cycle(log_prices: Array, tolerance: float) -> tuple[float, float] | None:
    """Period and amplitude of an orbit in `log_prices` `(ticks, goods)`, judged backwards from its end, or None.

    A return is a nearest approach, within a tenth of the orbit's size, to where the path was a turn later, after it
    had been away; three returns in a row with sizes that change by less than 5 % a turn make a cycle. The path is
    followed back for as long as that holds, and the period is the mean over those turns.
    """
    end = len(log_prices) - 1
    anchors, sizes = [end], list[float]()
    while True:
        turn = _last_return(log_prices, anchors[-1])
        if turn is None:
            break
        window = log_prices[turn : anchors[-1] + 1]
        size = float(np.max(np.ptp(window, axis=0)))
        if size <= tolerance or (sizes and abs(size - sizes[-1]) >= 0.05 * sizes[-1]):
            break
        sizes.append(size)
        anchors.append(turn)
    if len(sizes) < RETURNS:
        return None
    last = np.exp(log_prices[anchors[1] :])
    swing = (last.max(axis=0) - last.min(axis=0)) / (last.max(axis=0) + last.min(axis=0))
    return (end - anchors[-1]) / len(sizes), float(np.max(swing))


def _last_return(log_prices: Array, anchor: int) -> int | None:
    """The tick of the nearest approach to `anchor` one turn before it, or None."""
    block, farthest, away = 512, 0.0, False
    best, best_distance = None, np.inf
    for stop in range(anchor, 0, -block):
        start = max(0, stop - block)
        distances = np.max(np.abs(log_prices[start:stop] - log_prices[anchor]), axis=1)[::-1]
        for offset, distance in enumerate(distances.tolist()):
            if not distance < np.inf:
                return None
            farthest = max(farthest, distance)
            near = away and distance <= 0.1 * farthest
            away = away or (farthest > 0.0 and distance >= 0.5 * farthest)
            if near and distance < best_distance:
                best, best_distance = stop - 1 - offset, distance
            elif best is not None and not near:
                return best
    return best


def _where_to(market: MarketModel, bound: float) -> str:
    """Which price or plan left every bound."""
    goods = market.economy.goods
    beyond = [good for good, price in zip(goods, market.prices.tolist(), strict=True) if not price <= bound]
    if beyond:
        return f"the price of {', '.join(beyond)} runs to infinity"
    traded = zip(goods, market.demand.tolist(), market.supply.tolist(), strict=True)
    unbounded = [good for good, demand, supply in traded if not (math.isfinite(demand) and math.isfinite(supply))]
    return f"no finite plan exists at these prices: demand or supply of {', '.join(unbounded)} is unlimited"


def _short(number: float) -> str:
    return f"{number:.2g}"
