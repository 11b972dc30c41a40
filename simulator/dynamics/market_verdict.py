"""The verdict on a market moved by excess demand: does it clear, turn in a circle, run away, or stand still?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.cycles import find_cycle
from simulator.dynamics.levels import highest_levels
from simulator.dynamics.market_tick import MarketState, MarketTick
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.rationed import rationed
from simulator.dynamics.trading import Trade
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import BOUND, STILL, STILL_TICKS, PriceHistory, Verdict, VerdictRule, Watch
from simulator.economics.clearing import BOTTOM, unit_turnover
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.price_bounds import held
from simulator.economics.ties import set_valued
from simulator.economics.unknowns import Unknowns
from simulator.sentences import Facts

Market = Transition[MarketState, MarketTick]
"""A tick of a market, its fields as arrays."""

THROWN = 1e6
"""A price that one step lifts so far above all prices before it was thrown there: what falls at most by its supply a
tick is not back within a run.
"""


STEADY = 0.1
"""A pace is one where it changes by no more than this part of it from one stretch of ticks to the next."""


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
            self.history.fold(self._log_prices(now.economy))
        # Beyond the largest float there is no warning of a number that is Python's.
        self._top = top = float(max(prices))
        if top > self.highest:
            if top > THROWN * self.highest:
                good = int(np.argmax(prices))
                before = self.history.prices()[-2:, good]
                self.thrown = np.array([now.tick.tick, good, *before, self.highest])
            self.highest = top

    @property
    def watch(self) -> Watch:
        return Watch(self.tolerance, min(self.bound, THROWN * self.highest))

    def pass_over(self, economy: Economy, prices: Array) -> None:
        while len(prices):
            room = self.history.room
            self.history.extend(prices[:room])
            if room <= len(prices):
                self.history.fold(self._log_prices(economy))
            self.highest = max(self.highest, float(prices[:room].max()))
            prices = prices[room:]

    def verdict(self, now: Market, *, near: bool = False) -> Verdict | None:
        """The verdict after a tick; `near` where prices are known to have no farther to go than the tolerance."""
        tick = now.tick
        if not tick.finite or not self._top <= self.bound or (len(tick.levels) and self._endless(now).any()):
            return Verdict("diverged", self._where_to(_in_arrays(now)))
        if set_valued(now.economy):
            return Verdict("cleared", {"split": tick.split_gap}) if tick.split_gap <= self.tolerance else None
        if tick.residual > self.tolerance or not self._carried_out(market := _in_arrays(now)):
            return None
        if not near and _longest(self._displacements(market, market.tick.prices)) > self.tolerance:
            return None
        held_off = self._held_off(market)
        cleared = {
            "others" if held_off.any() else "excess_demand": tick.relative_excess_demand,
            "unit_profit": tick.relative_unit_profit,
            "kept": tick.relative_kept_gap,
            **self._untraded(market),
        }
        return Verdict("cleared", cleared, self._held_details(market, held_off))

    def _untraded(self, market: Market) -> Facts:
        """Which goods are free, or not bought, or not traded at all, and whether there is but one good to trade."""
        tick, goods, level_free = market.tick, market.economy.goods, self._unknowns(market).level_free
        left_over, unwanted = self._off(market) & ~self.rule.fixed & (tick.demand < tick.supply), tick.demand == 0
        marks = {
            "free": left_over & ~unwanted,
            "unwanted": left_over & unwanted,
            "idle": unwanted & (tick.supply == 0) & ~market.economy.is_outside,
        }
        found = {mark: [goods[place] for place in np.flatnonzero(places)] for mark, places in marks.items()}
        everybody = Counter(market.economy.level_names)
        rest = Counter(market.economy.level_names[place] for place in np.flatnonzero(self._idle(market)).tolist())
        found["resting"] = [name for name, count in rest.items() if count == everybody[name]]
        some = (name for name, count in rest.items() if count < everybody[name])
        found["some_rest"] = [f"{name} ({rest[name]} of {everybody[name]})" for name in some]
        return {**found, "lone_good": len(goods) == 1 and level_free}

    def _idle(self, market: Market) -> NDArray[np.bool_]:
        """Which activities lose so little that they may go on fading, `(levels,)`."""
        tick = market.tick
        turnover = tick.levels * unit_turnover(tick.unit_revenues, tick.unit_costs)
        return turnover <= self.tolerance * (tick.prices @ np.maximum(tick.demand, tick.supply))

    def _endless(self, now: Market) -> NDArray[np.bool_]:
        """Which levels have left every bound, `(levels,)`."""
        return np.asarray(now.tick.levels) > highest_levels(now.economy)

    def _held_off(self, market: Market, *, fixed: bool = True) -> NDArray[np.bool_]:
        """Which markets do not clear at a price that is held, by a bound or `fixed`, and no outside fills the gap,
        `(goods,)`.
        """
        tick, bounds = market.tick, market.economy.bounds
        bound = False if bounds is None else held(tick.prices, tick.demand - tick.supply, *bounds)
        return (self.rule.fixed & fixed | bound) & self._off(market)

    def _off(self, market: Market) -> NDArray[np.bool_]:
        """Which markets do not clear to the square root of the tolerance, `(goods,)`."""
        tick = market.tick
        scale = np.maximum(tick.demand, tick.supply)
        return ~market.economy.is_outside & (np.abs(tick.demand - tick.supply) > np.sqrt(self.tolerance) * scale)

    def _held_details(self, market: Market, held_off: NDArray[np.bool_]) -> list[Facts]:
        """Of each market `held` off `(goods,)`, by what, how much is short or left, and who is rationed."""
        tick, details = market.tick, list[Facts]()
        for good in np.flatnonzero(held_off).tolist():
            demand, supply = float(tick.demand[good]), float(tick.supply[good])
            side = "held_short" if demand > supply else "held_left"
            who = rationed(market, good) if self.trade.every_tick else []
            gap = abs(demand - supply) / max(demand, supply)
            facts = {"held_at": self._held_at(market, good), "held_by": gap, "rationed": who}
            details.append({side: market.economy.goods[good], **facts})
        return details

    def _held_at(self, market: Market, good: int) -> str:
        if not self.rule.fixed[good]:
            short = market.tick.demand[good] > market.tick.supply[good]
            return f"its {'cap' if short else 'floor'}, {market.tick.prices[good]:g},"
        return "its price as the numeraire" if self._unknowns(market).relative_only else "its fixed price"

    def close(self, now: Market) -> Verdict:
        market = _in_arrays(now)
        runaway = self._runaway(market)
        if runaway is not None:
            return Verdict("diverged", runaway)
        prices, amiss = self.history.prices(), self._what_is_amiss(market)
        ticks = STILL_TICKS + self.rule.wait
        recent = prices[-ticks:]
        stands = len(recent) == ticks and np.all(np.abs(recent - recent[-1]) <= STILL * np.abs(recent[-1]))
        # At prices that stand still a level that earns or loses goes on moving, and so does a rate.
        moves = market.tick.relative_unit_profit > self.tolerance or market.tick.relative_kept_gap > self.tolerance
        if stands and not moves:
            return Verdict("settled_off_equilibrium", {"still": ticks, **amiss[0]}, amiss[1:])
        path = self._log_prices(market.economy)
        cycle = find_cycle(path, self.tolerance)
        if cycle is None:
            thrown = self._thrown(market)
            if thrown:
                return Verdict("diverged", thrown)
            return Verdict("out_of_ticks", {**self._pace(market, path), **amiss[0]}, amiss[1:])
        orbit = self.history.orbit(path, cycle.period)
        if orbit.drifts:
            swing = {"swing": cycle.period, "drift": math.expm1(orbit.drift)}
            return Verdict("out_of_ticks", {**swing, **amiss[0]}, amiss[1:])
        first = math.tanh(0.5 * float(orbit.first.size[cycle.good]))
        swing = {"swinging": market.economy.goods[cycle.good], "first_amplitude": first}
        return Verdict("cycled", swing, (), cycle.period, cycle.amplitude, np.exp(orbit.last.centre))

    def _pace(self, market: Market, path: Array) -> Facts:
        """By which part, as a logarithm per tick, log prices `(ticks, goods)` near their end where that is the same in
        each tick, and how far there is to go, as a logarithm of what is beside the tolerance.
        """
        stretch = (len(path) - 1) // 4
        if stretch < 3:
            return {}
        ends = path[-1 - stretch * np.arange(4)]
        last, before, first = np.abs(np.diff(ends, axis=0)).max(axis=1).tolist()
        if not 0.0 < last < before < first:
            return {}
        shrinks, shrank = math.log(last / before), math.log(before / first)
        if abs(shrinks - shrank) > STEADY * abs(shrinks):
            return {}
        left = max(float(market.tick.residual), last / math.expm1(-shrinks)) / self.tolerance
        return {"pace": -shrinks / stretch, "way": math.log(left)} if left > 1.0 else {}

    def _thrown(self, market: Market) -> Facts:
        """Which price was thrown beyond all others in one step, and is still there; nothing if none was."""
        if not len(self.thrown):
            return {}
        tick, good, before, after, highest = self.thrown.tolist()
        last, name = float(market.tick.prices[int(good)]), market.economy.goods[int(good)]
        thrown = {"thrown": name, "thrown_in": int(tick), "before": before, "after": after, "thrown_now": last}
        return thrown if last > THROWN * highest else {}

    def _log_prices(self, economy: Economy) -> Array:
        """The history in logarithms, `(ticks, goods)`; of relative prices, if only these matter and none is fixed."""
        prices = np.clip(self.history.prices(), 1e-300, 1e300)
        relative = self.rule.unknowns(economy).level_free
        return np.log(prices / prices.sum(axis=1, keepdims=True) if relative else prices)

    def _runaway(self, market: Market) -> Facts | None:
        """Which price runs away, where that is why the residual shrinks.

        A runaway price chases an equilibrium that recedes: it has gone half of the way that the Newton displacement
        still asks for, and the rest has not become shorter by half of what it went. A price that lies at a floor which
        is none, and would fall further, has run as far as it can.
        """
        if not market.tick.residual <= self.tolerance:
            return None
        goods = slice(0, len(market.economy.goods))
        left = self._displacements(market, market.tick.prices)[goods]
        good = int(np.argmax(np.abs(left)))
        way, ahead = float(np.sign(left[good])), float(np.abs(left[good]))
        if not self.tolerance < ahead < np.inf:
            return None
        runs = {"runaway": market.economy.goods[good], "towards": "infinity" if way > 0 else "zero"}
        if way < 0 and self._at_bottom(market)[good]:
            return {**runs, "runaway_floor": float(self.rule.floor[good])}
        log_price = self._log_prices(market.economy)[:, good]
        gone = way * (log_price[-1] - log_price)
        enough = np.flatnonzero(gone >= 0.5 * ahead)
        if not enough.size:
            return None
        then = int(enough[-1])
        was_ahead = way * float(self._displacements(market, self.history.prices()[then])[good])
        if was_ahead - ahead >= 0.5 * gone[then]:
            return None
        return {**runs, "recedes": True}

    def _at_bottom(self, market: Market) -> NDArray[np.bool_]:
        """Which prices lie at a floor that only keeps the number in range, `(goods,)`."""
        return self._bottomless & ~self.rule.fixed & (market.tick.prices <= self.rule.floor)

    def _where_to(self, market: Market) -> Facts:
        """Which price, level or plan left every bound, and where to."""
        goods, prices = market.economy.goods, market.tick.prices.tolist()
        if beyond := [good for good, price in zip(goods, prices, strict=True) if price > self.bound]:
            return {"infinite": beyond}
        if (endless := self._endless(market)).any():
            return {"endless": [market.economy.level_names[place] for place in np.flatnonzero(endless).tolist()]}
        if lost := [good for good, price in zip(goods, prices, strict=True) if math.isnan(price)]:
            return {"numberless": lost}
        unlimited = [
            f"{side} {good}"
            for side, plans in (("demand for", market.tick.demand), ("supply of", market.tick.supply))
            for good, price, plan in zip(goods, prices, plans.tolist(), strict=True)
            if not (math.isfinite(plan) and math.isfinite(price * plan))
        ]
        if not unlimited and (untenable := _untenable(market)):
            return untenable
        floored = [goods[good] for good in np.flatnonzero(self._at_bottom(market))]
        return {"floored": floored, "unlimited": unlimited, "overflow": not unlimited}

    def _what_is_amiss(self, market: Market) -> list[Facts]:
        """Why the market does not count as cleared after the last tick: facts, then those of single goods and accounts.

        Not of a market that clears.
        """
        tick, held_off = market.tick, self._held_off(market, fixed=self.trade.every_tick)
        worth = float(tick.prices @ np.maximum(tick.demand, tick.supply))
        if held_off.any():
            kept = [
                {"account_of": cohort.name, "account": money}
                for cohort, money in zip(market.economy.consumers, tick.money.tolist(), strict=True)
                if abs(money) > self.tolerance * worth
            ]
            return [{}, *self._held_details(market, held_off), *kept]
        if tick.relative_excess_demand > self.tolerance:
            return [_worst_market(market, self.rule.free)]
        if tick.relative_unit_profit > self.tolerance:
            return [_worst_activity(market)]
        if tick.relative_kept_gap > self.tolerance:
            return [_worst_instrument(market)]
        ahead = _longest(self._displacements(market, tick.prices))
        if ahead > self.tolerance:
            carried = float(np.abs(tick.money).sum())
            return [{"ahead": ahead, "carried": carried if carried > self.tolerance * worth else None}]
        return [{"late": True}]

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
            plans = market.economy.in_force(market.tick.rates).balance(prices, guess, market.tick.levels)
            return unknowns.ahead(plans, self.tolerance)[unknowns.prices.where]

    def _unknowns(self, market: Market) -> Unknowns:
        return self.rule.unknowns(market.economy)


def _longest(displacements: Array) -> float:
    """The largest of them; infinite where one is not a number."""
    largest = float(np.max(np.abs(displacements), initial=0.0))
    return largest if largest == largest else math.inf


def _worst_market(market: Market, free: NDArray[np.bool_]) -> Facts:
    """The market that is farthest from clearing, by how much, and whether its good comes from nowhere."""
    economy, tick = market.economy, market.tick
    excess, scale = tick.demand - tick.supply, np.maximum(tick.demand, tick.supply)
    missing = np.divide(excess, scale, out=np.zeros(len(scale)), where=scale > 0)
    glut = tick.prices * np.abs(excess) / max(float(tick.prices @ scale), 1e-300)
    good = int(np.argmax(np.where(free, np.maximum(missing, glut), 0.0)))
    sourceless = excess[good] > 0 and not (economy.total_supply[good] > 0 or good in economy.outlet_good)
    name = economy.goods[good]
    side = "short" if excess[good] > 0 else "left"
    return {side: name, "gap": abs(float(missing[good])), "sourceless": [name] if sourceless else []}


def _worst_activity(market: Market) -> Facts:
    """The activity that is farthest from a unit profit of 0, and by which part of revenue or cost."""
    tick = market.tick
    gaps, largest = tick.unit_revenues - tick.unit_costs, unit_turnover(tick.unit_revenues, tick.unit_costs)
    margins = np.divide(gaps, largest, out=np.zeros(len(gaps)), where=largest > 0)
    worth = max(float(tick.prices @ np.maximum(tick.demand, tick.supply)), 1e-300)
    worst = int(np.argmax(np.maximum(margins, tick.levels * np.abs(gaps) / worth)))
    return {
        "earning" if gaps[worst] > 0 else "losing": market.economy.level_names[worst],
        "margin": abs(margins[worst]),
    }


def _worst_instrument(market: Market) -> Facts:
    """The tax whose instrument is farthest from keeping what it should, its rate, and by how much."""
    fiscal = market.economy.fiscal
    assert fiscal is not None
    targets = np.array([each.target for each in fiscal.instruments])
    gaps = np.abs(market.tick.kept - targets) / np.abs(targets)
    worst = int(np.argmax(gaps))
    tax = int(fiscal.adjusting[worst])
    kept = {"has_kept": float(market.tick.kept[worst]), "target": float(targets[worst])}
    return {"adjusts": fiscal.taxes[tax].name, "rate": float(market.tick.rates[tax]), **kept}


def _untenable(market: Market) -> Facts:
    """The tax whose rate has run to where somebody would not face prices above 0, its rate and the next."""
    fiscal, rates = market.economy.fiscal, np.asarray(market.after.rates)
    factors = market.economy.in_force(rates).price_factors
    if fiscal is None or factors is None:
        return {}
    for number in fiscal.adjusting.tolist():
        tax = fiscal.taxes[number]
        flows = (factors.edges[tax.edges], factors.outlets[tax.outlets], factors.cohorts[tuple(tax.purchases.T)])
        if not all(((each > 0) & (each < BOUND)).all() for each in flows):
            rate = float(market.tick.rates[number])
            return {"untenable": tax.name, "rate": rate, "next_rate": float(rates[number])}
    return {}


def _in_arrays(now: Market) -> Market:
    return now._replace(tick=now.tick.in_arrays())
