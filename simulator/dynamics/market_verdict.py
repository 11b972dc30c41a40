"""The verdict on a market moved by excess demand: does it clear, turn in a circle, run away, or stand still?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.cycles import find_cycle
from simulator.dynamics.market_tick import MarketState, MarketTick
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.rationed import rationed
from simulator.dynamics.trading import Trade
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import BOUND, STILL, STILL_TICKS, PriceHistory, Verdict, VerdictRule
from simulator.economics.clearing import BOTTOM
from simulator.economics.forms import Array
from simulator.economics.ties import set_valued
from simulator.economics.unknowns import Unknowns

Market = Transition[MarketState, MarketTick]
"""A tick of a market, its fields as arrays."""

THROWN = 1e6
"""A price that one step lifts so far above all prices before it was thrown there: what falls at most by its supply a
tick is not back within a run.
"""


class MarketVerdict(VerdictRule[MarketState, MarketTick]):
    """Of a market that moves prices by a `rule`, with `trade`, from `initial_prices` `(goods,)`."""

    def __init__(self, rule: PriceRule, trade: Trade, initial_prices: Array, tolerance: float) -> None:
        self.rule, self.trade, self.tolerance = rule, trade, tolerance
        self.bound = BOUND * max(float(np.max(initial_prices)), 1.0)
        self._bottomless = rule.floor <= BOTTOM * initial_prices
        self.history = PriceHistory(len(initial_prices))
        self.highest = max(float(np.max(initial_prices)), 1.0)
        """The highest price so far."""
        self._top = 0.0
        self.thrown = np.zeros(0)
        """The last throw of a price: its tick and good, the price before and after, and the highest before."""

    def state(self) -> dict[str, Array]:
        """What the verdict depends on, as arrays."""
        return {**self.history.state(), "highest": np.array(self.highest), "thrown": self.thrown}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.history.restore(state)
        self.highest, self.thrown = float(state["highest"]), state["thrown"]

    def change_economy(self, tick: int) -> None:
        self.history = PriceHistory(len(self._bottomless))

    def observe(self, now: Market) -> None:
        prices = now.tick.prices
        if self.history.append(prices):
            self.history.fold(self._log_prices(now))
        self._top = top = max(prices)
        if top > self.highest:
            if top > THROWN * self.highest:
                good = int(np.argmax(prices))
                before = self.history.prices()[-2:, good]
                self.thrown = np.array([now.tick.tick, good, *before, self.highest])
            self.highest = top

    def verdict(self, now: Market) -> Verdict | None:
        tick = now.tick
        if not tick.finite or not self._top <= self.bound:
            return Verdict("diverged", self._where_to(_in_arrays(now)))
        if set_valued(now.economy):
            if not tick.split_gap <= self.tolerance:
                return None
            split = f"a split of the spending on equally good goods clears every market to {_short(tick.split_gap)}"
            return Verdict("cleared", split)
        if tick.residual > self.tolerance or not self._carried_out(market := _in_arrays(now)):
            return None
        if _longest(self._displacements(market, market.tick.prices)) <= self.tolerance:
            return Verdict("cleared", f"{self._markets(market)} cleared to {_short(tick.residual)}")
        return None

    def _markets(self, market: Market) -> str:
        """Which markets clear: every one, or those whose price may move, with what is amiss where it may not."""
        held = self._held_off(market)
        return f"{self._amiss(market, held)}; every other market" if held.any() else "every market"

    def _held_off(self, market: Market) -> NDArray[np.bool_]:
        """Which markets do not clear at a price that is held and no outside fills the gap, `(goods,)`."""
        return self.rule.fixed & self._off(market)

    def _off(self, market: Market) -> NDArray[np.bool_]:
        """Which markets do not clear to the square root of the tolerance, `(goods,)`."""
        tick = market.tick
        scale = np.maximum(tick.demand, tick.supply)
        return ~market.economy.is_outside & (np.abs(tick.demand - tick.supply) > np.sqrt(self.tolerance) * scale)

    def _amiss(self, market: Market, off: NDArray[np.bool_]) -> str:
        """By how much the markets that are `off` `(goods,)` are short or in glut, and who is rationed there."""
        tick, parts = market.tick, list[str]()
        for good in np.flatnonzero(off).tolist():
            demand, supply = float(tick.demand[good]), float(tick.supply[good])
            side = "is short by" if demand > supply else "is left over by"
            held = "at its fixed price " if self.rule.fixed[good] else ""
            gap = 100 * abs(demand - supply) / max(demand, supply)
            who = rationed(market, good) if self.trade.every_tick else ""
            parts.append(f"{held}{market.economy.goods[good]} {side} {gap:.3g}%{f' ({who})' if who else ''}")
        return ", ".join(parts)

    def close(self, now: Market) -> Verdict:
        market = _in_arrays(now)
        runaway = self._runaway(market)
        if runaway is not None:
            return Verdict("diverged", runaway)
        prices = self.history.prices()
        ticks = STILL_TICKS + self.rule.wait
        recent = prices[-ticks:]
        if len(recent) == ticks and np.all(np.abs(recent - recent[-1]) <= STILL * np.abs(recent[-1])):
            return Verdict("settled_off_equilibrium", f"prices stand still while {self._what_is_amiss(market)}")
        path = self._log_prices(market)
        cycle = find_cycle(path, self.tolerance)
        if cycle is None:
            where = self._thrown(market)
            return Verdict("out_of_ticks", self._what_is_amiss(market)) if where is None else Verdict("diverged", where)
        orbit = self.history.orbit(path, cycle.period)
        turns = f"every {cycle.period:.4g} ticks"
        if orbit.drifts:
            by = f"{100 * math.expm1(orbit.drift):.3g}%"
            reason = f"prices swing {turns} about a centre that has moved by {by} since half way"
            return Verdict("out_of_ticks", f"{reason}; {self._what_is_amiss(market)}")
        first = f"({100 * math.tanh(0.5 * float(orbit.first.size[cycle.good])):.3g}% at first)"
        swing = f"that of {market.economy.goods[cycle.good]} swings by {100 * cycle.amplitude:.3g}% either way {first}"
        reason = f"prices return {turns}, {swing}"
        return Verdict("cycled", reason, cycle.period, cycle.amplitude, np.exp(orbit.last.centre))

    def _thrown(self, market: Market) -> str | None:
        """Which price was thrown beyond all others in one step, and is still there."""
        if not len(self.thrown):
            return None
        tick, good, before, after, highest = self.thrown.tolist()
        last = float(market.tick.prices[int(good)])
        if last <= THROWN * highest:
            return None
        name = market.economy.goods[int(good)]
        return f"the price of {name} was thrown from {before:g} to {after:g} in tick {tick:.0f}, and is still {last:g}"

    def _log_prices(self, market: Market) -> Array:
        """The history in logarithms, `(ticks, goods)`; of relative prices, if only these matter and none is fixed."""
        prices = np.clip(self.history.prices(), 1e-300, 1e300)
        relative = self._unknowns(market).level_free
        return np.log(prices / prices.sum(axis=1, keepdims=True) if relative else prices)

    def _runaway(self, market: Market) -> str | None:
        """Which price runs away, where that is why the residual shrinks.

        A runaway price chases an equilibrium that recedes: it has gone half of the way that the Newton displacement
        still asks for, and the rest has not become shorter by half of what it went. A price that lies at a floor which
        is none, and would fall further, has run as far as it can.
        """
        if not market.tick.residual <= self.tolerance:
            return None
        left = self._displacements(market, market.tick.prices)
        good = int(np.argmax(np.abs(left)))
        way, ahead = float(np.sign(left[good])), float(np.abs(left[good]))
        if not self.tolerance < ahead < np.inf:
            return None
        name, towards = market.economy.goods[good], "infinity" if way > 0 else "zero"
        shrinks = (
            f"the residual shrinks to {_short(market.tick.residual)} only because the price of {name} runs to {towards}"
        )
        if way < 0 and self._at_bottom(market)[good]:
            return f"{shrinks}: it lies at its floor, {self.rule.floor[good]:g}, and would fall further"
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

    def _at_bottom(self, market: Market) -> NDArray[np.bool_]:
        """Which prices lie at a floor that only keeps the number in range, `(goods,)`."""
        return self._bottomless & ~self.rule.fixed & (market.tick.prices <= self.rule.floor)

    def _where_to(self, market: Market) -> str:
        """Which price or plan left every bound, and where to."""
        goods, prices = market.economy.goods, market.tick.prices.tolist()
        beyond = [good for good, price in zip(goods, prices, strict=True) if price > self.bound]
        if beyond:
            return f"the price of {', '.join(beyond)} runs to infinity"
        lost = [good for good, price in zip(goods, prices, strict=True) if math.isnan(price)]
        if lost:
            return f"the price of {', '.join(lost)} is no number any more"
        unlimited = [
            f"{side} {good}"
            for side, plans in (("demand for", market.tick.demand), ("supply of", market.tick.supply))
            for good, price, plan in zip(goods, prices, plans.tolist(), strict=True)
            if not (math.isfinite(plan) and math.isfinite(price * plan))
        ]
        low = [goods[good] for good in np.flatnonzero(self._at_bottom(market))]
        where = f"with the price of {', '.join(low)} at its floor" if low else "at these prices"
        if not unlimited:
            return f"{where} all that is planned is worth more than numbers can say"
        return f"{where} no finite plan exists: unlimited {', '.join(unlimited)}"

    def _what_is_amiss(self, market: Market) -> str:
        """Why the market does not count as cleared after the last tick."""
        tick = market.tick
        held = self._held_off(market)
        if self.trade.every_tick and held.any():
            kept = [
                f"in the accounts of {cohort.name} lie {_short(money)}"
                for cohort, money in zip(market.economy.consumers, tick.money.tolist(), strict=True)
                if abs(money) > self.tolerance * float(tick.prices @ np.maximum(tick.demand, tick.supply))
            ]
            return "; ".join([self._amiss(market, held), *kept])
        if market.tick.residual > self.tolerance:
            return f"{_worst_market(market, self.rule.free)} (tolerance {_short(self.tolerance)})"
        ahead = _longest(self._displacements(market, market.tick.prices))
        if ahead > self.tolerance:
            carried = float(np.abs(market.tick.money).sum())
            if carried > self.tolerance * float(
                market.tick.prices @ np.maximum(market.tick.demand, market.tick.supply)
            ):
                cause = f"what consumers, rationed at a price that does not move, carry in accounts ({_short(carried)})"
                return f"plans are distorted by {cause}; equilibrium is {_short(ahead)} away"
            return f"equilibrium prices are still {_short(ahead)} away (tolerance {_short(self.tolerance)})"
        return "what is traded is not what is planned: somebody still carries out old plans"

    def _carried_out(self, market: Market) -> bool:
        """Whether what is traded, used and made equals what is planned, to the square root of the tolerance."""
        if not self.trade.every_tick:
            return True
        if self._held_off(market).any():
            return False
        slack = np.sqrt(self.tolerance)
        pairs = (
            (market.tick.inputs, market.tick.planned_inputs),
            (market.tick.outputs, market.tick.planned_outputs),
            (market.tick.consumption, market.tick.planned_consumption),
        )
        return all(bool(np.all(np.abs(done - plan) <= slack * np.maximum(np.abs(plan), 1e-12))) for done, plan in pairs)

    def _displacements(self, market: Market, prices: Array) -> Array:
        """How far log prices still have to go from `prices`, `(goods,)`; not a number where that cannot be told."""
        guess = np.where(np.isfinite(market.tick.planned_inputs), market.tick.planned_inputs, 1.0)
        unknowns = self._unknowns(market)
        with np.errstate(all="ignore"):
            return unknowns.certificate(unknowns.plans(prices, guess), self.tolerance).displacement

    def _unknowns(self, market: Market) -> Unknowns:
        return self.rule.unknowns(market.economy)


def _longest(displacements: Array) -> float:
    """The largest of them; infinite where one is not a number."""
    largest = float(np.max(np.abs(displacements), initial=0.0))
    return largest if largest == largest else math.inf


def _worst_market(market: Market, free: NDArray[np.bool_]) -> str:
    """The market that is farthest from clearing, and by how much."""
    excess, scale = market.tick.demand - market.tick.supply, np.maximum(market.tick.demand, market.tick.supply)
    missing = np.divide(excess, scale, out=np.zeros(len(scale)), where=scale > 0)
    glut = market.tick.prices * np.abs(excess) / max(float(market.tick.prices @ scale), 1e-300)
    good = int(np.argmax(np.where(free, np.maximum(missing, glut), 0.0)))
    short, long = ("supply of", "demand") if excess[good] > 0 else ("demand for", "supply")
    return f"{short} {market.economy.goods[good]} falls short of {long} by {100 * abs(missing[good]):.3g}%"


def _short(number: float) -> str:
    return f"{number:.2g}"


def _in_arrays(now: Market) -> Market:
    """The same with the tick's fields as arrays, whichever road it came."""
    return now._replace(tick=MarketTick._make(map(np.asarray, now.tick)))
