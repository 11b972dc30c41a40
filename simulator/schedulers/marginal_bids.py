"""Marginal bids: firms know their neighbours alone, and no price is asked of anybody's plans.

Quantities flow down and bids up, one link a tick. A firm makes what last tick's quantities allow, `y = f(x)`, and bids
for each input its marginal revenue product at the price its own output fetches; what it pays moves towards the bid,

    paid <- (1 - rate) paid + rate p_out df/dx_i,        p = sum of what a good's users pay.

Nothing is maximised, so that any differentiable formula will do: this is message passing on the program that the supply
chain is, and prices come to rest at its reverse-mode derivatives. At rate 1 quantities are exact after `depth` ticks
and prices after at most `2 depth - 1`, `depth` the firms on the longest path to the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import Verdict, VerdictRule
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.links import Links, unknown
from simulator.records.columns import AGENTS, TICKS, TRAJECTORY, USERS, WEDGES, Columns
from simulator.records.market_words import in_words
from simulator.records.recorder import Rows, View
from simulator.records.table import names
from simulator.references.judges import relative_gap
from simulator.schedulers.scheduler import Quotes, Scheduler, Setup, ViewOptions


class BidsState(NamedTuple):
    """What the coming tick, the number `tick`, begins with, in the links' order: what there is of each good, its
    `quantities` `(goods,)`, and what is `paid` on each link `(edges,)`. What has not arrived yet is not a number.
    """

    tick: int
    quantities: Array
    paid: Array


class BidsTick(NamedTuple):
    """A tick, in the links' order: `quantities` and `prices` `(goods,)`, what is `paid` on each link `(edges,)`; and
    what comes of them: what of each good is `made` (or supplied) next `(goods,)`, `slopes` `df/dx` and `bids`
    `(edges,)`, together `bid` for each good `(goods,)`.

    What has not arrived yet is not a number.
    """

    tick: int
    quantities: Array
    prices: Array
    paid: Array
    made: Array
    slopes: Array
    bids: Array
    bid: Array

    @property
    def finite(self) -> bool:
        """Whether the market can go on: what is not a number may still become one."""
        return True

    @property
    def gaps(self) -> tuple[Array, Array]:
        """`|made - quantity|` and `|bid - price|`, `(goods,)` each."""
        with np.errstate(invalid="ignore"):
            return np.abs(self.made - self.quantities), np.abs(self.bid - self.prices)

    @property
    def residual(self) -> float:
        """The largest of all `gaps`; infinite while something has not arrived."""
        largest = float(np.max([gap.max(initial=0.0) for gap in self.gaps]))
        return largest if largest == largest else np.inf


Bidding = Transition[BidsState, BidsTick]


@dataclass(frozen=True, eq=False)
class MarginalBids(Scheduler[BidsState, BidsTick]):
    """Prices move towards their users' bids by the `rate` of the rule."""

    rule: PriceRule
    _links: list[Links] = field(default_factory=list[Links], repr=False)
    meaning = "prices move towards bids p_out df/dx: quantities flow down and bids up, one link a tick"

    @classmethod
    def of(cls, setup: Setup) -> MarginalBids:
        return cls(setup.rule)

    def links(self, economy: Economy) -> Links:
        """The economy as links between firms, worked out once for the economy in force."""
        if not self._links or self._links[0].economy is not economy:
            self._links[:] = [Links(economy)]
        return self._links[0]

    def start(self, economy: Economy, prices: Array, seed: int) -> BidsState:
        links, goods = self.links(economy), len(economy.goods)
        users = np.maximum(np.bincount(links.good[links.reaching], minlength=goods), 1)
        first = (prices[links.goods] / users)[links.good]
        quantities = np.where(np.arange(goods) < links.raw, links.supply, np.nan)
        return BidsState(0, quantities, np.where(links.reaching, first, 0.0))

    def step(self, economy: Economy, state: BidsState) -> tuple[BidsState, BidsTick]:
        """What was made and bid last is there; everybody makes and bids anew.

        After a shock raw supplies are the new ones at once. Other operations would be links in another order: a shock
        changes numbers in formulas alone.
        """
        links, rate = self.links(economy), self.rule.rate
        quantities, paid = np.concatenate([links.supply[: links.raw], state.quantities[links.raw :]]), state.paid
        with np.errstate(all="ignore"):
            prices = links.together(paid)
            made, slopes = links.answers(quantities)
            bids = links.bids(prices, slopes)
            following = bids if rate == 1.0 else (1.0 - rate) * paid + rate * bids
        if unknown(following):
            # What no result depends on is worth nothing, whatever its slope.
            bids[~links.reaching] = 0.0
            # What nobody has bid for yet keeps the price it began with.
            following = np.where(np.isnan(following), paid, following)
        tick = BidsTick(state.tick, quantities, prices, paid, made, slopes, bids, links.together(bids))
        return BidsState(state.tick + 1, made, following), tick

    def residual(self, economy: Economy, tick: BidsTick) -> float:
        """The largest gap between bid and price, or what is made and what there is."""
        return tick.residual

    def quotes(self, economy: Economy, tick: BidsTick) -> Quotes:
        """Prices, and what there is of each good, which its users take."""
        place = self.links(economy).place
        return Quotes(tick.prices[place], tick.quantities[place], tick.quantities[place])

    def verdict_rule(self, prices: Array, tolerance: float) -> BidsVerdict:
        return BidsVerdict(self, tolerance)

    def view(self, economy: Economy, prices: Array, options: ViewOptions) -> BidsView:
        return BidsView(self, economy, sweeps=options.references)


class BidsVerdict(VerdictRule[BidsState, BidsTick]):
    """Cleared where bids are prices and quantities what firms make; diverged where a firm has no answer.

    Since tick `changed` supplies and formulas are as they are: a good that `level` firms stand before is as it will be
    so many ticks later.
    """

    def __init__(self, scheduler: MarginalBids, tolerance: float) -> None:
        self.scheduler, self.tolerance, self.changed = scheduler, tolerance, 0

    def change_economy(self, tick: int) -> None:
        self.changed = tick

    def state(self) -> dict[str, Array]:
        return {"changed": np.array(self.changed)}

    def restore(self, state: Mapping[str, Array]) -> None:
        self.changed = int(state["changed"])

    def verdict(self, now: Bidding) -> Verdict | None:
        broken, residual = self._broken(now), now.tick.residual
        if broken is not None:
            return Verdict("diverged", broken)
        if residual <= self.tolerance:
            found = f"every bid is the price and every quantity what its firm makes, to {residual:.2g}"
            return Verdict("cleared", found)
        return None

    def close(self, now: Bidding) -> Verdict:
        links, goods = self.scheduler.links(now.economy), now.economy.goods
        missing = np.flatnonzero(np.isnan(now.tick.quantities[links.place]))
        if missing.size:
            reason = f"{goods[int(missing[0])]} has not arrived"
        else:
            gap = now.tick.gaps[1][links.place]
            good = int(np.nanargmax(gap))
            reason = f"the price of {goods[good]} is {gap[good]:.3g} off what is bid"
        return Verdict("out_of_ticks", f"{reason} (tolerance {self.tolerance:.2g})")

    def _broken(self, now: Bidding) -> str | None:
        """Which firm has no answer to inputs that have come to rest: then it never will."""
        economy, tick, links = now.economy, now.tick, self.scheduler.links(now.economy)
        since = tick.tick - self.changed - links.depth
        if since < 0:
            return None
        silent, vague = ~np.isfinite(tick.made), ~np.isfinite(tick.slopes)
        if not (silent.any() or vague.any()):
            return None
        broken = links.of_firms(silent)
        broken[links.firm[vague & links.reaching]] = True
        for place in np.flatnonzero(broken).tolist():
            firm = economy.firms[links.firms[place]]
            used = links.place[list(firm.inputs)]
            inputs = tick.quantities[used]
            if np.isfinite(inputs).all() and since >= links.level[used].max():
                named = zip(firm.inputs, inputs, strict=True)
                at = ", ".join(f"{economy.goods[good]} = {x:.6g}" for good, x in named)
                return f"{firm.name} has no finite value or slope at {at} (tick {tick.tick})"
        return None


class BidsNote(NamedTuple):
    """A tick, and the derivative of the result with respect to every good at its quantities `(goods,)`."""

    tick: BidsTick
    adjoint: Array


class BidsView(View[BidsState, BidsTick, BidsNote]):
    """Quantities that flow down and bids that come back, each beside the derivative of the result at the quantities of
    the same tick, by a full reverse sweep (if it `sweeps`).
    """

    def __init__(self, scheduler: MarginalBids, economy: Economy, *, sweeps: bool) -> None:
        self.scheduler, self.economy, self.sweeps = scheduler, economy, sweeps
        links = self.links
        self.free_goods = (~links.is_result & links.reaches)[links.place]

    @property
    def links(self) -> Links:
        return self.scheduler.links(self.economy)

    @property
    def columns(self) -> Mapping[str, Columns]:
        return {"trajectory": TRAJECTORY, "ticks": TICKS, "agents": (*AGENTS, *USERS), "wedges": WEDGES}

    @property
    def numbers(self) -> int:
        return 2 * (len(self.links.good) + len(self.economy.goods))

    def change_economy(self, tick: int, economy: Economy) -> None:
        self.economy = economy

    def note(self, now: Bidding, *, record: bool) -> BidsNote | None:
        if not record:
            return None
        with np.errstate(all="ignore"):
            adjoint = self.links.adjoint(now.tick.slopes) if self.sweeps else np.full(len(self.links.goods), np.nan)
            return BidsNote(now.tick, adjoint)

    def rows(self, notes: Sequence[BidsNote]) -> dict[str, Rows]:
        columns = zip(*(note.tick for note in notes), strict=True)
        ticks = BidsTick._make(map(np.array, columns))
        adjoint = np.array([note.adjoint for note in notes])
        return {
            "trajectory": self._trajectory(ticks, adjoint),
            "ticks": self._ticks(ticks, adjoint),
            "agents": self._agents(ticks),
            "wedges": self._wedges(ticks),
        }

    def _trajectory(self, ticks: Any, adjoint: Array) -> Rows:
        goods, place = names(self.economy.goods), self.links.place
        quantity, zero = ticks.quantities[:, place], np.zeros(adjoint.shape)
        known = {"price": ticks.prices[:, place], "demand": quantity, "supply": quantity, "traded": quantity}
        known |= {"excess_demand": zero, "inventory": zero, "bid": ticks.bid[:, place], "adjoint": adjoint[:, place]}
        return Rows({"tick": np.repeat(ticks.tick, len(goods)), "good": np.tile(goods, len(adjoint))}, known)

    def _ticks(self, ticks: Any, adjoint: Array) -> Rows:
        free = self.free_goods[self.links.goods]
        gaps = np.abs(np.concatenate([ticks.made - ticks.quantities, ticks.bid - ticks.prices], axis=1))
        known = {
            "max_relative_excess_demand": np.where(np.isnan(gaps).any(axis=1), np.inf, np.max(gaps, axis=1)),
            "distance_to_adjoint": relative_gap(np.where(free, ticks.prices, np.nan), adjoint),
        }
        return Rows({"tick": ticks.tick}, known)

    def _agents(self, ticks: Any) -> Rows:
        """Of each firm its output and its inputs alone: with each good it has to do with, and what it pays for it."""
        links, who, goods = self.links, *self._names()
        count, outlets, edges = len(ticks.tick), len(links.maker), len(links.good)
        made, used = ticks.made[:, links.raw :], ticks.quantities[:, links.good]
        profit = np.zeros((count, len(links.firms)))
        np.add.at(profit.T, links.maker, (ticks.prices[:, links.raw :] * made).T)
        np.subtract.at(profit.T, links.firm, (ticks.paid * used).T)
        sold, bought, zero = np.zeros((count, outlets)), np.zeros((count, edges)), np.zeros((count, outlets + edges))
        known = {
            "quantity": zero,
            "input": np.concatenate([sold, used], axis=1),
            "output": np.concatenate([made, bought], axis=1),
            "profit": np.concatenate([profit[:, links.maker], profit[:, links.firm]], axis=1),
            "money": zero,
            "pays": np.concatenate([np.full(sold.shape, np.nan), ticks.paid], axis=1),
        }
        keys: dict[str, NDArray[Any]] = {
            "tick": np.repeat(ticks.tick, outlets + edges),
            "agent": np.tile(np.concatenate([who[links.maker], who[links.firm]]), count),
            "kind": np.full(count * (outlets + edges), "firm"),
            "good": np.tile(np.concatenate([goods[links.raw :], goods[links.good]]), count),
        }
        return Rows(keys, known)

    def _wedges(self, ticks: Any) -> Rows:
        links, who, goods = self.links, *self._names()
        count = len(ticks.tick)
        keys = {
            "tick": np.repeat(ticks.tick, len(links.good)),
            "firm": np.tile(who[links.firm], count),
            "input": np.tile(goods[links.good], count),
        }
        return Rows(
            keys, {"marginal_revenue_product": ticks.bids, "price": ticks.paid, "wedge": ticks.bids - ticks.paid}
        )

    def _names(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The names of firms and goods, in the links' order."""
        economy, links = self.economy, self.links
        return names(economy.firms[place].name for place in links.firms), names(economy.goods)[links.goods]

    def words(self, verdict: Verdict, now: Bidding, last: Mapping[str, float]) -> list[str]:
        gap = last.get("distance_to_adjoint", np.nan)
        return [f"prices are the result's derivatives, to {in_words(gap)}"] if gap == gap else []
