"""Marginal bids: firms know their neighbours alone, and no price is asked of anybody's plans.

Quantities flow down and bids up, one link a tick. A firm makes what last tick's quantities allow, `y = f(x)`, and bids
for each input its marginal revenue product at the price its own output fetches; what it pays moves towards the bid,

    paid <- (1 - rate) paid + rate p_out df/dx_i,        p = sum of what a good's users pay.

Nothing is maximised, so that any differentiable formula will do: this is message passing on the program that the supply
chain is, and prices come to rest at its reverse-mode derivatives. At rate 1 quantities are exact after `depth` ticks
and prices after at most `2 depth - 1`, `depth` the firms on the longest path to the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from simulator.dynamics.bids_tick import BidsState, BidsTick
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import Verdict, VerdictRule
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.links import Links, unknown
from simulator.economics.user_markets import UserMarkets
from simulator.kinds.entry import Complaint, Positive, Steps, refusal
from simulator.kinds.wording import quoted, shown
from simulator.records.table import names
from simulator.schedulers.scheduler import Findings, Quotes, Scheduler, SchedulerSettings, Setup, ViewOptions
from simulator.sentences import Facts

if TYPE_CHECKING:
    from simulator.records.bids_view import BidsView
    from simulator.records.kept import Kept

Bidding = Transition[BidsState, BidsTick]


class MarginalBidsSettings(SchedulerSettings):
    """Prices move towards their users' bids."""

    plans = rations = False
    meaning = "prices move towards bids p_out df/dx: quantities flow down and bids up, one link a tick"
    # From a rate of 2 on what is bid swings ever further.
    rate_range = "below 2"

    kind: Literal["marginal_bids"] = Field(description="prices move towards their users' bids")
    rate: Positive = Field(0.1, description="size of a price step, below 2")
    multiplicative: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _rate_alone(cls, given: Any) -> Any:
        strange = [key for key in ("form", "with", "rule") if isinstance(given, dict) and key in given]
        if strange:
            said = "found {} under marginal_bids; expected a rate alone"
            raise refusal(*(Complaint((key,), said.format(key), "key") for key in strange))
        return given

    def price_rule(self, floor: Array, fixed: NDArray[np.bool_], seed: int) -> PriceRule:
        return PriceRule("multiplicative", self.rate, (), floor, fixed, seed)

    def build(self, setup: Setup) -> MarginalBids:
        return MarginalBids(setup.rule)

    def refuse(self, findings: Findings) -> None:
        """What a supply chain must be for its firms to bid: single firms with formulas, each link with one user."""
        self._no_plans(findings)
        self._firms(findings)
        if findings.faultless:
            self._links(findings)

    def _no_plans(self, findings: Findings) -> None:
        for key in ("trade", "start", "numeraire", "compare"):
            if key in findings.written():
                message = f"found {key} under marginal_bids; expected none: nobody plans or trades"
                findings.fault((key,), message, "key")
        if findings.sound("scheduler", "rate") and self.rate >= 2:
            message = f"found {self.rate:g}; expected a rate below 2: from there on what is paid swings ever further"
            findings.fault(("scheduler", "rate"), message)
        if findings.written().get("consumers"):
            message = "found consumers under marginal_bids; expected firms alone, and a good with an outside price"
            findings.fault(("consumers",), message, "key")
        if findings.sound("outside") and not findings.model.outside:
            findings.fault((), "found no good with an outside price; expected outside: {result: 1}")

    def _firms(self, findings: Findings) -> None:
        makers: dict[str, str] = {}
        for at, firm in findings.firms.items():
            path: Steps = ("firms", at)
            for key in ("technology", "productivity", "behaviour"):
                if key in findings.written(*path):
                    message = f"found {key} under marginal_bids; expected makes: a formula"
                    findings.fault((*path, key), message, "key")
            if firm.count not in (None, 1):
                findings.fault((*path, "count"), "found several firms under marginal_bids; expected one")
            for good in firm.makes.outputs if firm.makes is not None else ():
                if makers.setdefault(good, str(firm.name)) != firm.name:
                    advice = f"expected one (the other is {makers[good]})"
                    findings.fault((*path, "makes"), f"found a second firm that makes {shown(good)}; {advice}")
                if good in (findings.model.supply or ()):
                    message = f"found a firm that makes {shown(good)}, which is supplied too; expected one of both"
                    findings.fault((*path, "makes"), message)

    def _links(self, findings: Findings) -> None:
        model = findings.model
        users: dict[str, int] = {}
        made: dict[str, Iterable[str]] = {}
        for firm in findings.firms.values():
            made.update(dict.fromkeys(firm.outputs, firm.inputs))
            for name in firm.inputs:
                users[name] = users.get(name, 0) + 1
        try:
            TopologicalSorter(made).prepare()
        except CycleError as error:
            around = " of ".join(map(shown, reversed(error.args[1])))
            message = f"found {around}: a good that is needed to make itself; expected no loop under marginal_bids"
            findings.fault(("firms",), message, "key")
        for good, several in users.items():
            if several > 1 and model.markets[good].rival:
                advice = f"expected {{{good}: {{rival: false}}}}, or one user"
                message = f"found {several} firms that use {shown(good)} up; {advice}"
                findings.fault(("goods", good), message, "key")
            if good not in made and good not in model.supply:
                message = f"found no supply of {quoted(good)}; expected a number for each input"
                findings.fault(("supply",), message)
        for good in model.outside:
            if good not in made:
                message = f"found {shown(good)}, which no firm makes; expected a firm that does"
                findings.fault(("outside", good), message, "key")


@dataclass(frozen=True, eq=False)
class MarginalBids(Scheduler[BidsState, BidsTick]):
    """Prices move towards their users' bids by the `rate` of the rule."""

    rule: PriceRule
    _links: list[Links] = field(default_factory=list[Links], repr=False)
    kind = "marginal_bids"

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
        quantities, paid = state.quantities.copy(), state.paid
        quantities[: links.raw] = links.supply[: links.raw]
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
        after = BidsState(state.tick + 1, made, following)
        return after if economy.bounds is None else self.reprice(economy, after, economy.bounds.project), tick

    def reprice(self, economy: Economy, state: BidsState, moved: Callable[[Array], Array]) -> BidsState:
        """What is paid for a good is moved in proportion; where nothing was, all who bid pay the same."""
        links = self.links(economy)
        before = links.together(state.paid)
        after, users = (
            moved(before[links.place])[links.goods],
            np.bincount(links.good[links.reaching], minlength=len(before)),
        )
        scaled = state.paid * np.divide(after, before, out=np.zeros(len(after)), where=before != 0)[links.good]
        each = np.where(links.reaching, (after / np.maximum(users, 1))[links.good], 0.0)
        return state._replace(paid=np.where(before[links.good] != 0, scaled, each))

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
        from simulator.records.bids_view import BidsView

        return BidsView(self.links, economy, sweeps=options.references)

    def agent_rows(self, economies: Sequence[Economy], markets: UserMarkets, kept: Kept) -> int:
        pairs = [(firm.name, at) for firm in economies[0].firms for at in (*firm.inputs, *firm.outputs)]
        agents, goods = [agent for agent, _ in pairs], [markets.goods[at] for _, at in pairs]
        return int(kept.rows({"agent": names(agents), "good": names(goods)}).sum())


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
        return Verdict("cleared", {"bids_residual": residual}) if residual <= self.tolerance else None

    def close(self, now: Bidding) -> Verdict:
        links, goods = self.scheduler.links(now.economy), now.economy.goods
        missing = np.flatnonzero(np.isnan(now.tick.quantities[links.place]))
        if missing.size:
            return Verdict("out_of_ticks", {"missing": goods[int(missing[0])]})
        gap = now.tick.gaps[1][links.place]
        good = int(np.nanargmax(gap))
        return Verdict("out_of_ticks", {"off_bid": goods[good], "off_by": float(gap[good])})

    def _broken(self, now: Bidding) -> Facts | None:
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
                return {"silent": firm.name, "silent_at": at, "silent_in": tick.tick}
        return None
