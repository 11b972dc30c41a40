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

import mesa
import numpy as np

from simulator.dynamics.outcomes import Verdict
from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.links import Links


class Messages(NamedTuple):
    """A tick as it is: `quantities` and `prices` `(goods,)`, what is `paid` on each link `(edges,)`; and what comes of
    them: `made` of these quantities `(firms,)`, `slopes` `df/dx` and `bids` `(edges,)`.

    What has not arrived yet is not a number.
    """

    tick: int
    quantities: Array
    prices: Array
    paid: Array
    made: Array
    slopes: Array
    bids: Array

    @property
    def finite(self) -> bool:
        """Whether the market can go on: what is not a number may still become one."""
        return True


class MessageMarket(mesa.Model):
    """The market of firms that make and bid; `now` is the tick just over."""

    def __init__(self, economy: Economy, rule: PriceRule, initial_prices: Array, seed: int | None = None) -> None:
        super().__init__(rng=seed)
        self.rule = rule
        self.consumer_cohorts: list[object] = []
        self.enter(economy)
        links, goods = self.links, len(economy.goods)
        users = np.maximum(np.bincount(links.good[links.reaching], minlength=goods), 1)
        quantities = np.where(links.makers < 0, economy.supply, np.nan)
        self._next = quantities, np.where(links.reaching, (np.asarray(initial_prices) / users)[links.good], 0.0)
        self.changed_at = np.zeros(goods)
        """The last tick in which each good's quantity changed, `(goods,)`."""
        self.now = Messages(-1, quantities, np.zeros(goods), *self._empty())

    def _empty(self) -> tuple[Array, Array, Array, Array]:
        edges, firms = len(self.links.good), len(self.links.order)
        return np.zeros(edges), np.zeros(firms), np.zeros(edges), np.zeros(edges)

    def enter(self, economy: Economy) -> None:
        """Go on in an economy of the same goods and firms, with other supplies or formulas (after a shock)."""
        self.economy, self.links = economy, Links(economy)

    def step(self) -> None:
        """One tick, as mesa drives a model."""
        self.advance()

    def advance(self) -> None:
        """One tick: what was made and bid last is there; everybody makes and bids anew."""
        before, links, rate = self.now, self.links, self.rule.rate
        quantities, paid = self._next
        quantities[links.raw] = self.economy.supply[links.raw]
        prices = links.together(paid)
        made, slopes = links.answers(quantities)
        with np.errstate(all="ignore"):
            bids = links.output_price(prices)[links.firm] * slopes
            bids[links.dead] = 0.0
            following = bids if rate == 1.0 else (1.0 - rate) * paid + rate * bids
        # What nobody has bid for yet keeps the price it began with.
        late = np.isnan(following)
        if late.any():
            following = np.where(late, paid, following)
        self.changed_at[quantities != before.quantities] = before.tick + 1
        self.steps = before.tick + 2
        self.now = Messages(before.tick + 1, quantities, prices, paid, made, slopes, bids)
        after = quantities.copy()
        after[links.makes] = made[links.maker]
        self._next = after, following

    @property
    def tick(self) -> int:
        """The number of the tick just over; -1 before the first."""
        return self.now.tick

    @property
    def prices(self) -> Array:
        """Going prices, `(goods,)`."""
        return self.now.prices

    @property
    def demand(self) -> Array:
        """What there is of each good, which its users take, `(goods,)`."""
        return self.now.quantities

    supply = demand

    @property
    def bid(self) -> Array:
        """What a good's users bid for it together, `(goods,)`."""
        return self.links.together(self.now.bids)

    def execute(self) -> None:
        """Nothing waits to be carried out."""

    @property
    def residual(self) -> float:
        """The largest of `|bid - price|` and `|f(inputs) - quantity|`; infinite while something has not arrived."""
        now, links = self.now, self.links
        with np.errstate(invalid="ignore"):
            gaps = np.concatenate(
                [np.abs(now.made[links.maker] - now.quantities[links.makes]), np.abs(self.bid - now.prices)]
            )
        largest = float(np.max(gaps, initial=0.0))
        return largest if largest == largest else np.inf

    def state(self) -> dict[str, Array]:
        """All that the next tick depends on, as arrays."""
        quantities, paid = self._next
        return {
            "tick": np.array(self.now.tick),
            "before": self.now.quantities,
            "quantities": quantities,
            "paid": paid,
            "changed_at": self.changed_at,
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self._next, self.changed_at = (state["quantities"], state["paid"]), state["changed_at"].copy()
        self.now = self.now._replace(tick=int(state["tick"]), quantities=state["before"])


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
        now, economy = market.now, market.economy
        missing = np.flatnonzero(np.isnan(now.quantities))
        if missing.size:
            reason = f"{economy.goods[int(missing[0])]} has not arrived"
        else:
            gap = np.abs(market.bid - now.prices)
            good = int(np.nanargmax(gap))
            reason = f"the price of {economy.goods[good]} is {gap[good]:.3g} off what is bid"
        return Verdict("out_of_ticks", f"{reason} (tolerance {self.tolerance:.2g})")

    def _broken(self, market: MessageMarket) -> str | None:
        """Which firm has no answer to inputs that have come to rest: then it never will."""
        now, links, economy = market.now, market.links, market.economy
        broken = ~np.isfinite(now.made)
        broken[links.firm[~np.isfinite(now.slopes) & links.reaching]] = True
        for place in np.flatnonzero(broken).tolist():
            firm = economy.firms[links.order[place]]
            used = list(firm.inputs)
            inputs, since = now.quantities[used], now.tick - market.changed_at[used].max()
            if np.isfinite(inputs).all() and since >= links.depth:
                at = ", ".join(f"{economy.goods[good]} = {x:.6g}" for good, x in zip(used, inputs, strict=True))
                return f"{firm.name} has no finite value or slope at {at} (tick {now.tick})"
        return None
