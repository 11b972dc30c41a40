"""What is recorded of trading posts: a tick of bids, told in the words of a market, beside what the judges say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.dynamics.consumers import CohortTick, MemberTrades
from simulator.dynamics.market_tick import MarketTick
from simulator.dynamics.posts_tick import Bids, Posts, PostsState, PostsTick
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.transition import Transition
from simulator.economics.agents import NO_DUES, Consumers
from simulator.economics.clearing import unit_profit_residuals
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.market_plans import NONE
from simulator.economics.user_markets import UserMarkets
from simulator.records.market_block import Block, MarketNote
from simulator.records.market_view import MarketView
from simulator.records.recorder import Rows
from simulator.references.judges import References
from simulator.sentences import MARKET, POSTS, Facts

if TYPE_CHECKING:
    from simulator.dynamics.verdicts import Verdict

Posted = Transition[PostsState, PostsTick]
UNTOLD = ("cosine_to_gradient", "cosine_home", "plan_residual")
"""Columns of ticks.csv that say nothing where nobody plans and the next price is not known yet."""


@dataclass(frozen=True, eq=False)
class CohortAtPosts(CohortTick):
    """A cohort that sells all it owns of each good, or the part that is `sold` `(goods,)`, and buys all it consumes."""

    sold: Array = field(default_factory=lambda: NONE)

    def _trades(self, bundle: Array, some: Consumers, income: Array) -> MemberTrades:
        return MemberTrades(bundle, bundle, some.endowment * self.sold, income)


def bids_in(posts: Posts, before: PostsState, floor: Array) -> Bids | None:
    """All bids of the tick that begins with a state; there are none in the first."""
    with np.errstate(all="ignore"):
        return posts.place(before, floor) if before.tick else None


@np.errstate(all="ignore")
def cohorts_at(posts: Posts, before: PostsState, bids: Bids | None) -> list[CohortAtPosts]:
    """What each cohort goes through in the tick that begins with a state and has these `bids`."""
    if bids is not None:
        return [*_cohorts(posts, bids)]
    economy, nothing, cohorts = posts.economy, np.zeros(len(before.prices)), list[CohortAtPosts]()
    for cohort in economy.consumers:
        given = (before.prices, before.prices, np.zeros(len(economy.firms)))
        account = -cohort.own_income(*given[1:])
        bundles = [np.zeros((some.size, len(nothing))) for _, some in cohort.blocks]
        cohorts.append(CohortAtPosts(cohort, *given, account, NO_DUES, None, bundles, nothing))
    return cohorts


def _cohorts(posts: Posts, bids: Bids) -> Iterator[CohortAtPosts]:
    economy, sold = posts.economy, np.where(bids.accepted > 0, 1.0, 0.0)
    profits = np.bincount(economy.firm_entry, bids.paid_out, len(economy.firms)).astype(float)
    for number, (cohort, purse) in enumerate(zip(economy.consumers, bids.purses, strict=True)):
        account, got = purse - cohort.own_income(bids.prices, profits), posts.consumed(number, bids)
        bundles = [got[part] for part, _ in cohort.blocks]
        yield CohortAtPosts(cohort, bids.prices, bids.prices, profits, account, NO_DUES, None, bundles, sold)


def market_tick(posts: Posts, now: Posted, bids: Bids | None, cohorts: Sequence[CohortAtPosts]) -> MarketTick:
    """A tick at posts as one of a market in which all that is bid for is planned and done."""
    economy, before, tick, after = posts.economy, now.before, now.tick, now.after
    goods, firms = len(tick.prices), len(economy.firms)
    got = [cohort.consumers.total(np.concatenate(cohort.bundles or [])) for cohort in cohorts]
    consumption = np.stack(got) if got else np.zeros((0, goods))
    spent = np.array([cohort.consumers.weight * cohort.income.sum() for cohort in cohorts])
    inputs, sold, costs = np.zeros(len(economy.edge_good)), np.zeros(goods), np.zeros(len(before.money))
    if bids is not None:
        inputs = bids.bought_by(economy, posts.all_shares(bids))
        sold, costs = np.where(bids.accepted > 0, 1.0, 0.0), bids.spending - bids.paid_out - bids.returned
    levels, revenues, unit_costs = _levels(economy, tick, costs)
    nothing, none = np.zeros(consumption.shape), np.zeros(len(inputs))
    worth = tick.prices @ np.maximum(tick.demand, tick.supply)
    profit = unit_profit_residuals(revenues, unit_costs, levels, worth).max().item() if len(levels) else math.nan
    held = [cohort.weight * account.sum() for cohort, account in zip(economy.consumers, after.accounts, strict=True)]
    begun = [cohort.weight * account.sum() for cohort, account in zip(economy.consumers, before.accounts, strict=True)]
    gained = (after.money - before.money).sum() + sum(held) - sum(begun)
    entitled = [cohort.total(cohort.budget) for cohort in economy.consumers] if before.tick else []
    dividends = np.bincount(economy.firm_entry, tick.cash_flow, firms).astype(float)
    return MarketTick(
        tick=tick.tick,
        finite=tick.finite,
        residual=tick.residual,
        relative_excess_demand=tick.residual,
        relative_unit_profit=profit,
        relative_kept_gap=math.nan,
        split_gap=math.nan,
        prices=tick.prices,
        next_prices=tick.prices,
        demand=tick.demand,
        supply=tick.supply,
        planned_inputs=inputs,
        planned_outputs=tick.outputs,
        planned_profits=dividends,
        spending=spent,
        planned_consumption=consumption,
        consumers_planned=consumption.sum(axis=0),
        levels=levels,
        unit_revenues=revenues,
        unit_costs=unit_costs,
        rates=NONE,
        revenues=NONE,
        received=NONE,
        kept=NONE,
        traded=tick.supply * sold,
        bought_fraction=NONE,
        sold_fraction=NONE,
        supply_sold=economy.supply * sold,
        inputs=inputs,
        bought=inputs,
        unserved=none,
        outputs=tick.outputs,
        stock=after.stock,
        delivered=before.stock * sold[economy.outlet_good],
        unsold=before.stock * (1.0 - sold[economy.outlet_good]),
        cash_flow=tick.cash_flow,
        consumers_bought=consumption,
        consumers_unserved=nothing,
        consumers_sold=np.stack([cohort.total_endowment * sold for cohort in economy.consumers]) if got else nothing,
        consumers_unsold=nothing,
        money=np.array(held),
        consumption=consumption,
        collected=NONE,
        accounts_change=float(gained),
        from_outside=float(sum(entitled)),
        firms_money=after.money,
    )


def _levels(economy: Economy, tick: PostsTick, costs: Array) -> tuple[Array, Array, Array]:
    """Activity levels of firms of constant returns, what a unit brings at the prices of the tick, and what a unit has
    cost, `(levels,)` each.
    """
    units = [
        np.broadcast_to(getattr(firm.technology, "unit_output", 1.0), firm.levels)
        for firm in economy.firms
        if firm.levels
    ]
    made, each = economy.level_firm, np.concatenate([NONE, *units])
    levels = tick.outputs[made] / each
    brings = economy.user_prices.output_prices(tick.prices)[made] * each
    return levels, brings, np.divide(costs[made], levels, out=np.zeros(len(levels)), where=levels > 0)


class PostsView(MarketView):
    """The view of trading posts, which `posts_of` looks up for an economy."""

    sentences = (*POSTS, *MARKET)

    def __init__(
        self,
        posts_of: Callable[[Economy], Posts],
        economy: Economy,
        rule: PriceRule,
        references: References | None,
        markets: UserMarkets,
        tables: Set[str],
        economies: Sequence[Economy],
    ) -> None:
        self._posts_of, self._floor = posts_of, rule.floor
        self._went_through: list[CohortTick] = []
        super().__init__(
            economy,
            markets,
            rule,
            None,
            lambda _: self._went_through,
            references,
            every_tick=True,
            tables=tables,
            economies=economies,
        )

    def _full(self, now: Posted) -> Any:
        """A tick in the words of a market; what cohorts went through in it is asked for next."""
        posts = self._posts_of(now.economy)
        with np.errstate(all="ignore"):
            bids = bids_in(posts, now.before, self._floor)
            cohorts = cohorts_at(posts, now.before, bids)
            self._went_through = [*cohorts]
            return Transition(now.economy, now.before, market_tick(posts, now, bids, cohorts), now.after)

    def note(self, now: Any, *, record: bool) -> MarketNote:
        return super().note(self._full(now), record=record)

    def _ticks(self, block: Block, imbalances: Array, judged: dict[str, Array]) -> Rows:
        rows = super()._ticks(block, imbalances, judged)
        return rows._replace(known={name: cells for name, cells in rows.known.items() if name != "walras_residual"})

    def _judged(self, references: References, block: Block) -> dict[str, Array]:
        judged = super()._judged(references, block)
        self.plan_residual = math.nan
        return {name: cells for name, cells in judged.items() if name not in UNTOLD}

    def facts(self, verdict: Verdict, now: Any, last: Mapping[str, float]) -> Facts:
        known = super().facts(verdict, self._full(now), last)
        compared = self.references is not None and self.references.path.kind == "mirror" and self._follows
        paths = dict.fromkeys(("path_gap", "saddle_gap", "planner_gap", "path_hop", "rose"))
        return {**known, **paths, "mirror_gap": self.gradient_path_gap if compared else None}

    @property
    def _follows(self) -> bool:
        """Whether there are prices that the market's are compared with."""
        return bool(np.isfinite(self.last_of_path[-1]).all())

    def _advised(self, verdict: Verdict, now: Any, near: Any) -> Facts:
        return {}

    def summary(self, now: Any) -> dict[str, Any]:
        known = super().summary(now)
        return known if self._follows else {**known, "gradient_path_gap": math.nan}
