"""Trading posts: at each post all money bid meets all that is on offer, and the price is the quotient.

Nobody plans. Firms bid the money they have taken in, consumers what they have earned (`dynamics.posts_tick`), and every
post with bids clears. Money goes up the links between firms, one link a tick, while goods come down: on a Cobb-Douglas
network nominal orders are reverse accumulation, and at rest money is the derivative of income's use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.dynamics.cycles import find_cycle
from simulator.dynamics.posts_tick import Posts, PostsState, PostsTick
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import BOUND, PriceHistory, Verdict, VerdictRule
from simulator.economics.clearing import BOTTOM
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.kinds.entry import Steps
from simulator.kinds.wording import one_of, shown
from simulator.records.welfare import Position, position
from simulator.schedulers.scheduler import (
    Findings,
    Holdings,
    Quotes,
    Scheduler,
    SchedulerSettings,
    Setup,
    ViewOptions,
)

if TYPE_CHECKING:
    from simulator.dynamics.consumers import CohortTick
    from simulator.records.recorder import View

Posted = Transition[PostsState, PostsTick]
Part = Annotated[float, Field(gt=0, le=1)]
BY_SHARES = ("power", "cobb_douglas", "ces", "reference")
"""Technologies of a form, whose shares are smooth."""
TASTES = ("cobb_douglas", "ces")


class TradingPostSettings(SchedulerSettings):
    """Money meets goods at a post for each good."""

    rations = False
    holdings = True
    meaning = "all money bid meets all that is on offer, p = bids / offer: money goes up, goods come down"

    kind: Literal["trading_post"] = Field(description="all money bid meets all that is on offer: p = bids / offer")
    bids: Literal["cost_shares", "contribution_shares"] = Field(
        "cost_shares",
        description="by what money is shared out: cost at the last prices, or what each input contributed, x f_x / f",
    )
    move: Part = Field(1.0, description="how far shares move to these: share ~ old^(1-move) new^move; at most 1")
    spend: Part = Field(1.0, description="part of its money that a firm spends in a tick; at most 1")
    multiplicative: ClassVar[bool] = True

    def price_rule(self, floor: Array, fixed: NDArray[np.bool_], seed: int) -> PriceRule:
        return NoRule("multiplicative", 1.0, (), floor, fixed, seed)

    def build(self, setup: Setup) -> TradingPost:
        return TradingPost(setup.rule, self.bids, self.move, self.spend, setup.holdings)

    def refuse(self, findings: Findings) -> None:
        """Complain about what money cannot be bid for, or by."""
        self._no_plans(findings)
        for at, firm in findings.firms.items():
            self._firm(findings, ("firms", at), firm)
        for at, consumer in findings.consumers.items():
            path: Steps = ("consumers", at)
            tastes = TASTES if self.bids == "contribution_shares" else (*TASTES, "leontief")
            if findings.sound(*path, "utility") and consumer.utility.name not in tastes:
                self._fault(findings, (*path, "utility"), consumer.utility.name, one_of(tastes))
            if consumer.savings:
                self._fault(findings, (*path, "savings"), "savings", "none: all money that is there is bid", "key")
            for good, amount in (consumer.endowment or {}).items():
                if isinstance(amount, int | float) and amount < 0:
                    expected = "an endowment of at least 0: nobody can be made to deliver"
                    self._fault(findings, (*path, "endowment", good), f"{amount:g}", expected)

    def _no_plans(self, findings: Findings) -> None:
        why = {
            "trade": "none: what is on offer is sold in every tick",
            "start": "none: firms begin with their stock and money",
            "compare": "none: prices are compared with mirror descent alone",
            "numeraire": "none: prices are in money",
            "outside": "none: all money is the economy's",
            "taxes": "none",
            "transfers": "none",
        }
        for key, expected in why.items():
            if findings.written().get(key):
                self._fault(findings, (key,), key, expected, "key")
        for good, market in findings.model.markets.items():
            for key in ("fixed_price", "floor", "cap"):
                bound = getattr(market, key)
                # A floor so low keeps numbers in range: the price of a good that nobody bids for.
                if bound is not None and not (key == "floor" and 0.0 < bound <= BOTTOM * (market.price or 1.0)):
                    self._fault(findings, ("goods", good, key), key, "none: the price is money over goods", "key")
            if market.rival is False:
                self._fault(findings, ("goods", good, "rival"), "rival: false", "a good with one price", "key")

    def _firm(self, findings: Findings, path: Steps, firm: Any) -> None:
        """What a firm may make goods by."""
        if "behaviour" in findings.written(*path):
            self._fault(findings, (*path, "behaviour"), "behaviour", "none: nobody plans", "key")
        if not findings.sound(*path):
            return
        if len(firm.outputs) > 1:
            self._fault(findings, path, f"{len(firm.outputs)} goods that {shown(firm.name)} makes", "one")
        by_contribution = self.bids == "contribution_shares"
        if firm.makes is not None and not by_contribution:
            self._fault(findings, (*path, "makes"), "a formula", "bids: contribution_shares, or a technology", "key")
        if firm.technology is not None:
            known = BY_SHARES if by_contribution else (*BY_SHARES, "leontief", "activity")
            name = firm.technology.name
            if name in ("leontief", "activity") and by_contribution:
                self._fault(findings, (*path, "technology"), name, "bids: cost_shares: a kink contributes no share")
            elif name not in known:
                self._fault(findings, (*path, "technology"), name, one_of(known))

    def _fault(self, findings: Findings, path: Steps, found: str, expected: str, spot: Any = "value") -> None:
        said = f"found {found} under trading_post ({self.bids}); expected {expected}"
        findings.fault(path, f"{said} (or scheduler: {{kind: tatonnement}})", spot)


@dataclass(frozen=True)
class NoRule(PriceRule):
    """In the place of a rule: prices are what is paid. Nothing is known of how steps near an equilibrium shrink."""

    @property
    def cycle(self) -> None:
        return None


@dataclass(frozen=True, eq=False)
class TradingPost(Scheduler[PostsState, PostsTick]):
    """Posts at which firms and consumers bid by shares; see `Posts`. The economy begins with these `holdings`."""

    rule: PriceRule
    bids: str
    move: float
    spend: float
    holdings: Holdings
    _posts: list[Posts] = field(default_factory=list[Posts], repr=False)
    kind = "trading_post"

    def posts(self, economy: Economy) -> Posts:
        """Who bids at the posts of the economy in force, looked up once."""
        if not self._posts or self._posts[0].economy is not economy:
            self._posts[:] = [Posts(economy, self.bids, self.move, self.spend)]
        return self._posts[0]

    @np.errstate(all="ignore")
    def start(self, economy: Economy, prices: Array, seed: int) -> PostsState:
        posts, stock, money = self.posts(economy), np.zeros(0), np.zeros(0)
        faced = economy.user_prices.of_firms(prices)
        for firm, outlets, given, purse, (price, paid) in zip(
            economy.firms, economy.outlet_rows, self.holdings.stock, self.holdings.money, faced, strict=True
        ):
            members, technology = firm.count / firm.rows, firm.technology
            if given is not None or technology.constant_returns:
                has = np.full(firm.rows, members * (1.0 if given is None else given))
            else:
                guess = np.ones((firm.rows, len(firm.inputs)))
                has = technology.best_response(price, paid, guess).output * economy.outlet_yield[outlets]
            worth = has * prices[list(firm.outputs)]
            stock = np.append(stock, has)
            money = np.append(money, worth if purse is None else np.full(firm.rows, members * purse))
        accounts = zip(economy.consumers, self.holdings.accounts, strict=True)
        purses = tuple(np.full(cohort.size, account) for cohort, account in accounts)
        return PostsState(0, prices, stock, money, purses, *posts.first_shares(prices))

    @np.errstate(all="ignore")
    def step(self, economy: Economy, state: PostsState) -> tuple[PostsState, PostsTick]:
        return self.posts(economy).step(state, self.rule.floor, self.rule.free)

    def residual(self, economy: Economy, tick: PostsTick) -> float:
        """The largest relative excess demand at the last tick's prices."""
        return tick.residual

    def quotes(self, economy: Economy, tick: PostsTick) -> Quotes:
        return Quotes(tick.prices, tick.demand, tick.supply)

    def verdict_rule(self, prices: Array, tolerance: float) -> PostsVerdict:
        return PostsVerdict(prices, tolerance)

    def view(self, economy: Economy, prices: Array, options: ViewOptions) -> View[Any, Any, Any]:
        from simulator.records.posts_view import PostsView
        from simulator.references.judges import References

        references, path = None, "none"
        if options.references:
            mirrors = self.bids == "contribution_shares" and self.move == 1.0 and not any(self.holdings.accounts)
            path = "mirror" if mirrors else "none"
            every = options.diagnostics
            references = References(economy, self.rule, prices, options.seed, path=path, diagnostics=every)
        kept = options.markets, options.tables, options.economies
        return PostsView(self.posts, economy, self.rule, references, *kept)

    def cohorts(self, now: Posted) -> list[CohortTick]:
        from simulator.records.posts_view import bids_in, cohorts_at

        posts = self.posts(now.economy)
        return [*cohorts_at(posts, now.before, bids_in(posts, now.before, self.rule.floor))]

    def position(self, now: Posted) -> Position:
        tick: Any = now.tick
        return position(now.economy, tick, self.cohorts(now), every_tick=True)


class PostsVerdict(VerdictRule[PostsState, PostsTick]):
    """Cleared where bids meet offers at the last prices, and both prices and the money of firms rest."""

    def __init__(self, prices: Array, tolerance: float) -> None:
        self.tolerance, self.bound = tolerance, BOUND * max(float(np.max(prices)), 1.0)
        self.history = PriceHistory(len(prices))

    def change_economy(self, tick: int) -> None:
        self.history = PriceHistory(self.history.ranges.lowest.shape[1])

    def state(self) -> dict[str, Array]:
        return self.history.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        self.history.restore(state)

    def observe(self, now: Posted) -> None:
        if self.history.append(now.tick.prices):
            self.history.fold(np.log(self.history.prices()))

    def verdict(self, now: Posted) -> Verdict | None:
        tick = now.tick
        if not tick.finite or not tick.prices.max() <= self.bound:
            beyond = np.flatnonzero(~(tick.prices <= self.bound)).tolist()
            return Verdict("diverged", {"infinite": [now.economy.goods[good] for good in beyond]})
        moves = self._moves(now)
        if tick.tick == 0 or max(tick.residual, *moves.values()) > self.tolerance:
            return None
        return Verdict("cleared", {"bids_gap": tick.residual, **moves})

    def close(self, now: Posted) -> Verdict:
        path = np.log(self.history.prices())
        cycle = find_cycle(path, self.tolerance)
        if cycle is not None:
            orbit = self.history.orbit(path, cycle.period)
            if not orbit.drifts:
                first = float(np.tanh(0.5 * orbit.first.size[cycle.good]))
                swing = {"swinging": now.economy.goods[cycle.good], "first_amplitude": first}
                return Verdict("cycled", swing, (), cycle.period, cycle.amplitude, np.exp(orbit.last.centre))
        return Verdict("out_of_ticks", self._moves(now))

    @staticmethod
    def _moves(now: Posted) -> dict[str, float]:
        """By which part prices have moved in a tick, and by how much the money of a firm, of all money."""
        before, after = now.before, now.after
        prices = np.abs(after.prices - before.prices) / np.maximum(after.prices, before.prices)
        held = zip(now.economy.consumers, after.accounts, strict=True)
        money = after.money.sum() + sum(cohort.weight * np.abs(account).sum() for cohort, account in held)
        moved = np.abs(after.money - before.money).max(initial=0.0)
        return {"prices_moved": float(prices.max()), "money_moved": float(moved / money) if money > 0 else 0.0}
