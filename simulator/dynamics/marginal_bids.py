"""Marginal bids: a market in which firms know their neighbours alone, and no price is asked of anybody's plans.

Quantities flow down and bids up, one link a tick. A firm makes what last tick's quantities allow, `y = f(x)`, and bids
for each input its marginal revenue product at the price its own output fetches; what it pays moves towards the bid,

    paid <- (1 - rate) paid + rate p_out df/dx_i,        p = sum of what a good's users pay.

Nothing is maximised, so that any differentiable formula will do: this is message passing on the program that the supply
chain is, and prices come to rest at its reverse-mode derivatives. At rate 1 quantities are exact after `depth` ticks
and prices after at most `2 depth - 1`, `depth` the firms on the longest path to the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from simulator.dynamics.market import Market
from simulator.dynamics.outcomes import Verdict
from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.links import Links, unknown


class Messages(NamedTuple):
    """A tick as it is, in the links' order: `quantities` and `prices` `(goods,)`, what is `paid` on each link
    `(edges,)`; and what comes of them: what of each good is `made` (or supplied) next `(goods,)`, `slopes` `df/dx` and
    `bids` `(edges,)`, together `bid` for each good `(goods,)`.

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


class MessageMarket(Market):
    """The market of firms that make and bid; `now` is the tick just over.

    Since tick `entered` supplies and formulas are as they are: a good that `level` firms stand before is as it will be
    so many ticks later.
    """

    def __init__(self, economy: Economy, rule: PriceRule, initial_prices: Array, seed: int | None = None) -> None:
        super().__init__(rng=seed)
        self.rule = rule
        self.economy, self.links, self.entered = economy, Links(economy), 0
        links, goods = self.links, len(economy.goods)
        users = np.maximum(np.bincount(links.good[links.reaching], minlength=goods), 1)
        first = (np.asarray(initial_prices)[links.goods] / users)[links.good]
        quantities, nothing = np.where(np.arange(goods) < links.raw, links.supply, np.nan), np.zeros(len(links.good))
        self._next = quantities, np.where(links.reaching, first, 0.0)
        self.now = Messages(-1, quantities, np.zeros(goods), nothing, quantities, nothing, nothing, np.zeros(goods))

    def enter(self, economy: Economy) -> None:
        """Go on in an economy of the same goods and firms, with other supplies or numbers in formulas (after a shock).

        Other operations would be links in another order.
        """
        self.economy, self.links, self.entered = economy, Links(economy), self.now.tick + 1
        quantities, paid = self._next
        self._next = np.concatenate([self.links.supply[: self.links.raw], quantities[self.links.raw :]]), paid

    def advance(self) -> None:
        """One tick: what was made and bid last is there; everybody makes and bids anew."""
        links, rate, tick = self.links, self.rule.rate, self.now.tick + 1
        quantities, paid = self._next
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
        self.steps = tick + 1
        self.now = Messages(tick, quantities, prices, paid, made, slopes, bids, links.together(bids))
        self._next = made, following

    @property
    def prices(self) -> Array:
        """Going prices, `(goods,)` in the economy's order."""
        return self.now.prices[self.links.place]

    @property
    def demand(self) -> Array:
        """What there is of each good, which its users take, `(goods,)` in the economy's order."""
        return self.now.quantities[self.links.place]

    supply = demand

    @property
    def gaps(self) -> tuple[Array, Array]:
        """`|made - quantity|` and `|bid - price|`, `(goods,)` each in the links' order."""
        now = self.now
        with np.errstate(invalid="ignore"):
            return np.abs(now.made - now.quantities), np.abs(now.bid - now.prices)

    @property
    def residual(self) -> float:
        """The largest of all `gaps`; infinite while something has not arrived."""
        largest = float(np.max([gap.max(initial=0.0) for gap in self.gaps]))
        return largest if largest == largest else np.inf

    def state(self) -> dict[str, Array]:
        """All that the next tick depends on, as arrays."""
        quantities, paid = self._next
        return {
            "tick": np.array(self.now.tick),
            "entered": np.array(self.entered),
            "quantities": quantities,
            "paid": paid,
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self._next, self.entered = (state["quantities"], state["paid"]), int(state["entered"])
        self.now = self.now._replace(tick=int(state["tick"]))


class MessageJudge:
    """Names the outcome of a market of messages."""

    waits = False

    def __init__(self, market: MessageMarket, tolerance: float) -> None:
        self.tolerance = tolerance

    def look(self, market: MessageMarket) -> None:
        """Nothing has to be remembered."""

    def forget(self) -> None:
        """Nothing has to be forgotten."""

    def state(self) -> dict[str, Array]:
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Nothing was kept."""

    def verdict(self, market: MessageMarket) -> Verdict | None:
        """Cleared where bids are prices and quantities what firms make; diverged where a firm has no answer."""
        broken = self._broken(market)
        if broken is not None:
            return Verdict("diverged", broken)
        residual = market.residual
        if residual <= self.tolerance:
            return Verdict(
                "cleared", f"every bid is the price and every quantity what its firm makes, to {residual:.2g}"
            )
        return None

    def close(self, market: MessageMarket) -> Verdict:
        """The verdict once ticks have run out."""
        links, goods = market.links, market.economy.goods
        missing = np.flatnonzero(np.isnan(market.demand))
        if missing.size:
            reason = f"{goods[int(missing[0])]} has not arrived"
        else:
            gap = market.gaps[1][links.place]
            good = int(np.nanargmax(gap))
            reason = f"the price of {goods[good]} is {gap[good]:.3g} off what is bid"
        return Verdict("out_of_ticks", f"{reason} (tolerance {self.tolerance:.2g})")

    def _broken(self, market: MessageMarket) -> str | None:
        """Which firm has no answer to inputs that have come to rest: then it never will."""
        now, links, economy = market.now, market.links, market.economy
        since = now.tick - market.entered - links.depth
        if since < 0:
            return None
        silent, vague = ~np.isfinite(now.made), ~np.isfinite(now.slopes)
        if not (silent.any() or vague.any()):
            return None
        broken = links.of_firms(silent)
        broken[links.firm[vague & links.reaching]] = True
        for place in np.flatnonzero(broken).tolist():
            firm = economy.firms[links.firms[place]]
            used = links.place[list(firm.inputs)]
            inputs = now.quantities[used]
            if np.isfinite(inputs).all() and since >= links.level[used].max():
                named = zip(firm.inputs, inputs, strict=True)
                at = ", ".join(f"{economy.goods[good]} = {x:.6g}" for good, x in named)
                return f"{firm.name} has no finite value or slope at {at} (tick {now.tick})"
        return None
