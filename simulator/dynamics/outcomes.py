"""How a run ends: cleared, cycled, diverged, settled off equilibrium, out of ticks. Each verdict has its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.cycles import find_cycle
from simulator.dynamics.model import MarketModel
from simulator.economics.clearing import BOTTOM, active_goods, level_free, log_newton_displacement, nobody_holds_the_level
from simulator.economics.economy import Balance
from simulator.economics.forms import Array
from simulator.economics.linear import Linear
from simulator.economics.ties import bundles, clearing_split, set_valued, ties

BOUND = 1e12
"""A price this many times the largest initial price has left every bound."""
STILL = 1e-12
"""Relative change below which a price stands still."""
STILL_TICKS = 100
"""For how many ticks prices must stand still to count as settled, beside those for which they may merely wait."""


class Verdict(NamedTuple):
    """An outcome, why, and for cycles their period in ticks and amplitude: half the swing over the mid price, or in a
    market that learns, where prices may have any sign, half the swing itself.
    """

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

    def state(self) -> dict[str, Array]:
        """The history, as arrays."""
        return {"history": self.prices(), "count": np.array(self.count)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        prices, count = state["history"], int(state["count"])
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
        self.bound = BOUND * max(float(np.max(market.prices)), 1.0)
        self._bottomless = market.rule.floor <= BOTTOM * market.prices
        self.history = PriceHistory(len(market.prices))
        self.residual = np.inf

    def state(self) -> dict[str, Array]:
        """What the verdict depends on, as arrays."""
        return self.history.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.history.restore(state)

    def forget(self) -> None:
        """Start afresh: the economy is another one."""
        self.history = PriceHistory(len(self._bottomless))
        self.residual = np.inf

    def look(self, market: MarketModel) -> None:
        """Take note of a tick."""
        self.history.append(market.now.prices)
        self.residual = market.now.residual

    def verdict(self, market: MarketModel) -> Verdict | None:
        """The verdict if the run is over after the tick just looked at, None while it may go on."""
        if not market.now.finite or not max(market.now.prices) <= self.bound:
            return Verdict("diverged", self._where_to(market))
        if set_valued(market.economy):
            return self._of_ties(market)
        if self.residual > self.tolerance or not self._carried_out(market):
            return None
        if _longest(self._displacements(market, market.prices)) <= self.tolerance:
            return Verdict("cleared", f"{self._markets(market)} cleared to {_short(self.residual)}")
        return None

    def _markets(self, market: MarketModel) -> str:
        """Which markets clear: every one, or those whose price may move, with what is amiss where it may not."""
        excess, scale = market.demand - market.supply, np.maximum(market.demand, market.supply)
        held = market.rule.fixed & ~market.economy.is_outside & (np.abs(excess) > np.sqrt(self.tolerance) * scale)
        if not held.any():
            return "every market"
        amiss = [
            f"{market.economy.goods[good]} {'is short by' if excess[good] > 0 else 'is left over by'} "
            f"{100 * abs(excess[good]) / scale[good]:.3g}%"
            for good in np.flatnonzero(held)
        ]
        return f"at its fixed price {', '.join(amiss)}; every other market"

    def _of_ties(self, market: MarketModel) -> Verdict | None:
        """Where demand is a set, markets clear if some of its elements would clear them: the auctioneer chooses those.

        A market that trades in every tick is judged alike, on prices and feasibility; what it does is left as it is.
        """
        economy, prices, incomes = market.economy, market.prices, tuple(c.income for c in market.consumer_cohorts)
        edges = ties(economy, prices, incomes, self.tolerance)
        bought = np.array(market.now.planned_consumption)
        others = market.demand - sum(
            bought[number] for number, cohort in enumerate(economy.consumers) if isinstance(cohort.utility, Linear)
        )
        split = clearing_split(prices, others, market.supply, edges, ~market.rule.fixed)
        if split is None or split.gap > self.tolerance:
            return None
        if self.waits:
            market.choose(bundles(economy, prices, edges, split.spending), split.gap)
        reason = f"a split of the spending on equally good goods clears every market to {_short(split.gap)}"
        return Verdict("cleared", reason)

    def close(self, market: MarketModel) -> Verdict:
        """The verdict once ticks have run out."""
        runaway = self._runaway(market)
        if runaway is not None:
            return Verdict("diverged", runaway)
        prices = self.history.prices()
        ticks = STILL_TICKS + market.rule.wait
        recent = prices[-ticks:]
        if len(recent) == ticks and np.all(np.abs(recent - recent[-1]) <= STILL * np.abs(recent[-1])):
            return Verdict("settled_off_equilibrium", f"prices stand still while {self._what_is_amiss(market)}")
        cycle = find_cycle(self._log_prices(market), self.tolerance)
        if cycle is not None:
            swing = f"that of {market.economy.goods[cycle.good]} swings by {100 * cycle.amplitude:.3g}% either way"
            reason = f"prices return every {cycle.period:.4g} ticks, {swing}"
            return Verdict("cycled", reason, cycle.period, cycle.amplitude)
        return Verdict("out_of_ticks", self._what_is_amiss(market))

    def _log_prices(self, market: MarketModel) -> Array:
        """The history in logarithms, `(ticks, goods)`; of relative prices, if only these matter and none is fixed."""
        prices = np.maximum(self.history.prices(), 1e-300)
        relative = level_free(market.economy, market.rule.fixed)
        return np.log(prices / prices.sum(axis=1, keepdims=True) if relative else prices)

    def _runaway(self, market: MarketModel) -> str | None:
        """Which price runs away, where that is why the residual shrinks.

        A runaway price chases an equilibrium that recedes: it has gone half of the way that the Newton displacement
        still asks for, and the rest has not become shorter by half of what it went. A price that lies at a floor which
        is none, and would fall further, has run as far as it can.
        """
        if not self.residual <= self.tolerance:
            return None
        left = self._displacements(market, market.prices)
        good = int(np.argmax(np.abs(left)))
        way, ahead = float(np.sign(left[good])), float(np.abs(left[good]))
        if not self.tolerance < ahead < np.inf:
            return None
        name, towards = market.economy.goods[good], "infinity" if way > 0 else "zero"
        shrinks = f"the residual shrinks to {_short(self.residual)} only because the price of {name} runs to {towards}"
        if way < 0 and self._at_bottom(market)[good]:
            return f"{shrinks}: it lies at its floor, {market.rule.floor[good]:g}, and would fall further"
        log_price = self._log_prices(market)[:, good]
        gone = way * (log_price[-1] - log_price)
        enough = np.flatnonzero(gone >= 0.5 * ahead)
        if not enough.size:
            return None
        then = int(enough[-1])
        was_ahead = way * float(self._displacements(market, self.history.prices()[then])[good])
        if was_ahead - ahead >= 0.5 * gone[then]:
            return None
        return f"{shrinks}, and equilibrium stays as far ahead of it as it was"

    def _at_bottom(self, market: MarketModel) -> NDArray[np.bool_]:
        """Which prices lie at a floor that only keeps the number in range, `(goods,)`."""
        return self._bottomless & ~market.rule.fixed & (market.prices <= market.rule.floor)

    def _where_to(self, market: MarketModel) -> str:
        """Which price or plan left every bound, and where to."""
        goods, prices = market.economy.goods, market.prices.tolist()
        beyond = [good for good, price in zip(goods, prices, strict=True) if not price <= self.bound]
        if beyond:
            return f"the price of {', '.join(beyond)} runs to infinity"
        unlimited = [
            f"{side} {good}"
            for side, plans in (("demand for", market.demand), ("supply of", market.supply))
            for good, price, plan in zip(goods, prices, plans.tolist(), strict=True)
            if not (math.isfinite(plan) and math.isfinite(price * plan))
        ]
        low = [goods[good] for good in np.flatnonzero(self._at_bottom(market))]
        where = f"with the price of {', '.join(low)} at its floor" if low else "at these prices"
        return f"{where} no finite plan exists: unlimited {', '.join(unlimited)}"

    def _what_is_amiss(self, market: MarketModel) -> str:
        """Why the market does not count as cleared after the last tick."""
        if self.residual > self.tolerance:
            return f"{_worst_market(market)} (tolerance {_short(self.tolerance)})"
        ahead = _longest(self._displacements(market, market.prices))
        if ahead > self.tolerance:
            carried = float(np.abs(market.money).sum())
            if carried > self.tolerance * float(market.prices @ np.maximum(market.demand, market.supply)):
                cause = f"what consumers, rationed at a price that does not move, carry in accounts ({_short(carried)})"
                return f"plans are distorted by {cause}; equilibrium is {_short(ahead)} away"
            return f"equilibrium prices are still {_short(ahead)} away (tolerance {_short(self.tolerance)})"
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

    def _displacements(self, market: MarketModel, prices: Array) -> Array:
        """How far log prices still have to go from `prices`, `(goods,)`; not a number where that cannot be told."""
        guess = np.where(np.isfinite(market.planned_inputs), market.planned_inputs, 1.0)
        with np.errstate(all="ignore"):
            balance: Balance = market.economy.balance(prices, guess)
        free = ~market.rule.fixed
        # A free good lies about; one that clears at its floor must have come to rest there, not run away.
        clears = free & (np.abs(balance.excess_demand) <= self.tolerance * balance.scale)
        active = active_goods(balance, free, market.rule.floor)
        active |= clears & (balance.scale > 0) & (balance.prices > 0)
        with np.errstate(all="ignore"):
            relative = nobody_holds_the_level(market.economy, market.rule.fixed, balance)
            return log_newton_displacement(balance, market.economy.jacobian(balance), active, relative=relative)


def _longest(displacements: Array) -> float:
    """The largest of them; infinite where one is not a number."""
    largest = float(np.max(np.abs(displacements), initial=0.0))
    return largest if largest == largest else math.inf


def _worst_market(market: MarketModel) -> str:
    """The market that is farthest from clearing, and by how much."""
    excess, scale = market.demand - market.supply, np.maximum(market.demand, market.supply)
    missing = np.divide(excess, scale, out=np.zeros(len(scale)), where=scale > 0)
    glut = market.prices * np.abs(excess) / max(float(market.prices @ scale), 1e-300)
    good = int(np.argmax(np.where(market.rule.fixed, 0.0, np.maximum(missing, glut))))
    short, long = ("supply of", "demand") if excess[good] > 0 else ("demand for", "supply")
    return f"{short} {market.economy.goods[good]} falls short of {long} by {100 * abs(missing[good]):.3g}%"


def _short(number: float) -> str:
    return f"{number:.2g}"
