"""A market maker: it quotes prices of contracts on an event, and sells to traders who come one after another.

What it asks for a trade follows from all that it has sold (the logarithmic market scoring rule, see
`dynamics.maker_tick`): prices rise with what is bought. It may lose, in outcome `k` at most `-b ln prior_k`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, Never

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Tag

from simulator.dynamics.maker_tick import PLANS, Floats, MakerState, MakerTick, Visitor, no_bid, visits
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import Verdict, VerdictRule
from simulator.economics.economy import Economy, Indices
from simulator.economics.forms import Array
from simulator.economics.traders import Trader
from simulator.economics.user_markets import UserMarkets
from simulator.kinds.entry import MAPPING, TEXT, GoodName, Positive, Steps, by_shape
from simulator.kinds.traders import TRADERS, TraderKind
from simulator.kinds.wording import number, quoted
from simulator.records.columns import MAKER_TICKS
from simulator.schedulers.scheduler import Findings, Quotes, Scheduler, SchedulerSettings, Setup, ViewOptions
from simulator.sentences import Facts

if TYPE_CHECKING:
    from simulator.records.kept import Kept
    from simulator.records.maker_view import MakerView

Making = Transition[MakerState, MakerTick]
ROUNDING = 1e-9
"""By how much probabilities may differ from 1 together."""
NONE = {
    "numeraire": "contracts are paid in money",
    "outside": "the maker trades any amount",
    "supply": "the maker sells any amount",
    "initial_prices": "the maker's prior says them",
    "firms": "traders are consumers",
    "trade": "each trade is carried out at once",
    "start": "there is no stock",
    "compare": "each trader has a gradient of its own",
}
"""What has no place beside a market maker, and why."""


class MarketMakerSettings(SchedulerSettings):
    """A market maker quotes prices and sells to one trader after another."""

    plans = rations = False
    meaning = "a market maker sells contracts on an event to one trader after another: each trade moves its prices"
    columns: ClassVar = {"ticks": MAKER_TICKS}

    kind: Literal["market_maker"] = Field(description="a market maker quotes prices and sells to one after another")
    liquidity: Positive = Field(
        20.0,
        description="how much it takes to move prices: so many contracts take the price of a long shot up e times",
    )
    prior: Annotated[
        Annotated[Literal["uniform"], Tag(TEXT)] | Annotated[dict[GoodName, Positive], Tag(MAPPING)],
        by_shape("uniform or a probability for each outcome", "uniform"),
    ] = Field("uniform", description="the prices before any trade")
    multiplicative: ClassVar[bool] = True

    def first_price(self, good: str, goods: Sequence[str]) -> float:
        return 1.0 / len(goods) if self.prior == "uniform" else self.prior[good]

    def price_rule(self, floor: Array, fixed: NDArray[np.bool_], seed: int) -> PriceRule:
        return PriceRule("multiplicative", 1.0 / self.liquidity, (), floor, fixed, seed)

    def build(self, setup: Setup) -> MarketMaker:
        settlement = None if setup.settlement is None else Settled(*setup.settlement)
        return MarketMaker(setup.rule, self.liquidity, setup.initial_prices, setup.arrival, settlement)

    def refuse(self, findings: Findings) -> None:
        """What is traded must be contracts, and those who come traders."""
        model, written = findings.model, findings.written()
        if "contingent" not in written:
            expected = "contingent: {event: NAME, outcomes: [...]}, or scheduler: tatonnement"
            findings.fault(("scheduler",), f"found market_maker without contracts on an event; expected {expected}")
        for key, why in NONE.items():
            if written.get(key):
                findings.fault((key,), f"found {key} under market_maker; expected none: {why}", "key")
        for good in findings.written("goods"):
            for key in findings.written("goods", good):
                message = f"found {key} under market_maker; expected none: its prior and what it sold say the price"
                findings.fault(("goods", good, key), message, "key")
        for at, shock in enumerate(model.shocks or ()):
            for path in () if shock is None else shock.changes:
                if ".belief" not in path:
                    message = f"found {quoted(path)} under market_maker; expected consumers.NAME.belief.OUTCOME"
                    findings.fault(("shocks", at, "set", path), message, "key")
        for at, consumer in findings.consumers.items():
            self._trader(findings, ("consumers", at), consumer)
        if findings.sound("scheduler") and isinstance(self.prior, dict) and findings.sound("goods"):
            refuse_not_one(findings, ("scheduler", "prior"), self.prior)
            for good in model.markets:
                if good not in self.prior:
                    message = f"found no probability of {good}; expected one of each outcome"
                    findings.fault(("scheduler", "prior"), message)

    def _trader(self, findings: Findings, path: Steps, consumer: object) -> None:
        utility = getattr(consumer, "utility", None)
        if utility is None or not findings.sound(*path, "utility"):
            return
        if not isinstance(utility.kind, TraderKind):
            kinds = ", ".join(TRADERS)
            message = f"found {utility.name} under market_maker; expected a trader in contracts, one of {kinds}"
            findings.fault((*path, "utility"), message)
        for key in ("endowment", "budget", "owns", "savings"):
            if key in findings.written(*path) and findings.written(*path)[key]:
                message = f"found {key} under market_maker; expected none: a trader has what its utility says"
                findings.fault((*path, key), message, "key")


def refuse_not_one(findings: Findings, path: Steps, probabilities: Mapping[str, float]) -> None:
    """Complain about probabilities that do not sum to 1."""
    total = math.fsum(probabilities.values())
    if abs(total - 1.0) > ROUNDING:
        findings.fault(path, f"found probabilities that sum to {number(float(f'{total:.9g}'))}; expected 1")


class Settled(NamedTuple):
    """After which tick contracts are paid, and which `outcome`, by number, has come true."""

    tick: int
    outcome: int


class Crowd(NamedTuple):
    """The traders of an economy one by one: in floats, each one's `entry` and `row`, and the money it begins with."""

    economy: Economy
    visitors: list[Visitor]
    entry: Indices
    row: Indices
    money: Array


@dataclass(frozen=True, eq=False)
class MarketMaker(Scheduler[MakerState, MakerTick]):
    """A maker of this `liquidity` that begins at prices `prior` `(outcomes,)`; traders arrive `one_per_tick` and each
    once, `round_robin` or `all_per_tick`, until contracts are `settled`.
    """

    rule: PriceRule
    liquidity: float
    prior: Array
    arrival: str
    settled: Settled | None = None
    _crowds: list[Crowd] = field(default_factory=list[Crowd], repr=False)
    kind = "market_maker"

    def crowd(self, economy: Economy) -> Crowd:
        """The traders of the economy in force, one by one, looked up once."""
        if not self._crowds or self._crowds[0].economy is not economy:
            self._crowds[:] = [_crowd(economy)]
        return self._crowds[0]

    def start(self, economy: Economy, prices: Array, seed: int) -> MakerState:
        money = self.crowd(economy).money
        nothing, held = np.zeros(len(prices)), np.zeros((len(money), len(prices)))
        return MakerState(0, prices, nothing, np.zeros(()), held, money, np.full(len(money), np.inf))

    def coming(self, tick: int, traders: int) -> range:
        """The traders who come in a tick, in order; nobody at the start, nor after settlement."""
        if not tick or (self.settled is not None and tick > self.settled.tick):
            return range(0)
        if self.arrival == "all_per_tick":
            return range(traders)
        number = (tick - 1) % traders if self.arrival == "round_robin" else tick - 1
        return range(number, min(number + 1, traders))

    def step(self, economy: Economy, state: MakerState) -> tuple[MakerState, MakerTick]:
        """Who comes trades at the prices that the one before has left; then contracts are paid, if it is time."""
        crowd, b = self.crowd(economy), self.liquidity
        coming = self.coming(state.tick, len(crowd.visitors))
        some = slice(coming.start, coming.stop)
        own, purses = state.held[some].tolist(), state.money[some].tolist()
        first: Floats = state.prices.tolist()
        last, paid, bought = visits(first, crowd.visitors[some], own, purses, b)
        prices, trades = np.array(last), np.array(bought).reshape(len(bought), len(last))
        visitors = np.arange(coming.start, coming.start + len(bought))
        held, money, size = state.held.copy(), state.money.copy(), state.size.copy()
        held[visitors] += trades
        money[visitors] -= paid
        size[visitors] = np.abs(trades).max(axis=1, initial=0.0) / b
        sold, cash = state.sold + trades.sum(axis=0), state.cash + math.fsum(paid)
        bid = self._bid(economy, visitors, held, money)
        after, residual = held, float(size.max())
        if self.settled is not None and self.settled.tick == state.tick:
            money, after = money + held[:, self.settled.outcome], np.zeros_like(held)
        tick = MakerTick(state.tick, prices, visitors, trades, held, money, sold, np.asarray(cash), bid, residual)
        return MakerState(state.tick + 1, prices, sold, np.asarray(cash), after, money, size), tick

    def _bid(self, economy: Economy, visitors: Indices, held: Array, money: Array) -> Array:
        """`beta u'(W)` of who came last, scaled to sum 1, `(outcomes,)`."""
        if not len(visitors):
            return no_bid(held.shape[1])
        crowd, last = self.crowd(economy), int(visitors[-1])
        trader = traders_of(economy)[crowd.entry[last]]
        with np.errstate(all="ignore"):
            wealth = money[last] + held[last]
            valued = crowd.visitors[last].belief * trader.marginal_utility(wealth, self.liquidity, int(crowd.row[last]))
            return valued / valued.sum()

    @property
    def outcome(self) -> int | None:
        """The number of the outcome that comes true, if one does."""
        return None if self.settled is None else self.settled.outcome

    @property
    def paid_after(self) -> int | None:
        """The tick after which contracts are paid, if they are."""
        return None if self.settled is None else self.settled.tick

    def places(self, economy: Economy) -> tuple[Indices, Indices, Array]:
        """Of each trader its entry, its row there, and the money it begins with, `(traders,)` each."""
        crowd = self.crowd(economy)
        return crowd.entry, crowd.row, crowd.money

    def losses(self, tick: MakerTick) -> Array:
        """What the maker loses if each outcome comes true, by its books, `(outcomes,)`."""
        return tick.sold - tick.cash

    def reprice(self, economy: Economy, state: MakerState, moved: Callable[[Array], Array]) -> Never:
        """Nothing but trades moves the maker's prices: a shock that would is refused before a run begins."""
        raise AssertionError("a shock to a market maker's prices is refused")

    def refusal(self, economy: Economy, prices: Array, engine: str) -> str | None:
        return "market_maker lets traders come one after another, which is neither written out nor compiled"

    def residual(self, economy: Economy, tick: MakerTick) -> float:
        """The largest `|x|/b` of the last round of all traders; infinite before the first is over."""
        return tick.residual

    def quotes(self, economy: Economy, tick: MakerTick) -> Quotes:
        """Prices, what the traders bought in the tick, and what they sold."""
        demand, supply = np.maximum(tick.bought, 0.0).sum(axis=0), np.maximum(-tick.bought, 0.0).sum(axis=0)
        return Quotes(tick.prices, demand, supply)

    def verdict_rule(self, prices: Array, tolerance: float) -> MakerVerdict:
        return MakerVerdict(self, tolerance)

    def view(self, economy: Economy, prices: Array, options: ViewOptions) -> MakerView:
        from simulator.records.maker_view import MakerView

        return MakerView(self, economy, judged=options.references)

    def agent_rows(self, economies: Sequence[Economy], markets: UserMarkets, kept: Kept) -> int:
        from simulator.records.maker_view import agent_keys

        return int(kept.rows(agent_keys(economies[0])).sum())


def traders_of(economy: Economy) -> list[Trader]:
    """The traders of each entry."""
    return [cohort.trader for cohort in economy.consumers if cohort.trader is not None]


def _crowd(economy: Economy) -> Crowd:
    entries = list(zip(traders_of(economy), (cohort.count for cohort in economy.consumers), strict=True))
    visitors = list[Visitor]()
    for trader, count in entries:
        beliefs, measures = trader.belief.tolist(), trader.measure.tolist()
        plan = PLANS[trader.kind, trader.sees]
        visitors += [Visitor(plan, beliefs[row % len(beliefs)], measures[row % len(measures)]) for row in range(count)]
    counts = [count for _, count in entries]
    money = np.concatenate([np.broadcast_to(trader.wealth, (count,)) for trader, count in entries])
    row = np.concatenate([np.arange(count) for count in counts])
    return Crowd(economy, visitors, np.repeat(np.arange(len(counts)), counts), row, money)


class MakerVerdict(VerdictRule[MakerState, MakerTick]):
    """Cleared where nobody has bought or sold in the last round of all traders; settled off equilibrium where all have
    come, and none comes again; diverged where a price has come to 0. Once contracts are paid the run is over.
    """

    def __init__(self, scheduler: MarketMaker, tolerance: float) -> None:
        self.scheduler, self.tolerance = scheduler, tolerance

    def verdict(self, now: Making) -> Verdict | None:
        tick, maker = now.tick, self.scheduler
        if not tick.finite:
            lost = [now.economy.goods[k] for k in np.flatnonzero(~(tick.prices > 0)).tolist()]
            return Verdict("diverged", {"lost": lost})
        settled = maker.settled is not None and tick.tick >= maker.settled.tick
        if maker.settled is not None and not settled:
            return None
        if tick.residual <= self.tolerance:
            return Verdict("cleared", {"last_round": tick.residual})
        come = self._come(now)
        if come:
            return Verdict("settled_off_equilibrium", come)
        return self.close(now) if settled else None

    def _come(self, now: Making) -> Facts:
        """How many have come, if none comes again."""
        traders = len(now.tick.held)
        over = self.scheduler.arrival == "one_per_tick" and now.tick.tick >= traders
        return {"traders": traders} if over else {}

    def close(self, now: Making) -> Verdict:
        rests = now.tick.residual <= self.tolerance
        return Verdict("cleared" if rests else "out_of_ticks", {"last_round": now.tick.residual})
