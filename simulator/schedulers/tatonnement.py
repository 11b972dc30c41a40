"""Tatonnement: prices move along planned excess demand while firms and consumers plan, trade and produce.

A tick: quote prices; everybody plans; add up; trade and produce (or wait until the auctioneer has found the prices);
find the next prices. `Tatonnement.step` reads like that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.dynamics.consumers import CohortTick, Orders
from simulator.dynamics.levels import first_levels
from simulator.dynamics.market import Layout, no_trade, plan_all, settle
from simulator.dynamics.market_tick import MarketState, MarketTick, Plans, Stretch, Ticks
from simulator.dynamics.market_verdict import MarketVerdict
from simulator.dynamics.observers import Conservation
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.trading import Fills, Trade
from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import BOUND, Watch
from simulator.economics.clearing import relative_excess_demand, unit_profit_residuals
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.linear import Linear
from simulator.economics.market_plans import MarketPlans
from simulator.economics.signal import signal_scale
from simulator.economics.ties import Split, TiedSpending, bundles, clearing_split, ties
from simulator.formulas.compiled import Compiled, UncompilableError, Watched, written
from simulator.formulas.in_floats import InFloats, emitted, in_arrays, plain
from simulator.formulas.leaves import OtherKindError, differing
from simulator.records.welfare import Position, position
from simulator.schedulers.alike import Alike, Makings, Numbers, at_numbers
from simulator.schedulers.scheduler import Quotes, Scheduler, ViewOptions

if TYPE_CHECKING:
    from simulator.records.market_view import MarketView

MOST_TRACED = 2000
"""More rows of agents make more operations than a function of floats may have."""

Market = Transition[MarketState, MarketTick]
Pairs = Sequence[tuple[Economy, Economy]]
"""Economies of one market and of another one that lends its traces."""
Bundles = Mapping[int, list[Array]]
"""By the number of a cohort what each of its blocks plans, `(rows, goods)`."""


class Scratch(NamedTuple):
    """What is looked up once for an economy, and the bundles of the tick just over: only to save work.

    `goes_on` gives the state after a tick, and whether nobody has to look at that.
    """

    layout: Layout
    in_floats: Callable[[MarketState], tuple[MarketState, MarketTick] | None] | None
    goes_on: Callable[[tuple[MarketState, Watch]], tuple[MarketState, bool] | None]
    compiled: Compiled
    last: list[tuple[MarketTick, Bundles]]


@dataclass(frozen=True, eq=False)
class Tatonnement(Scheduler[MarketState, MarketTick]):
    """Prices moved by a `rule`, with `trade` in every tick or at equilibrium.

    Where some demand is a set (linear tastes), the bundles that clear the markets are chosen from it if they do so to
    the `tolerance`; prices no higher than `nothing` `(goods,)` count as 0. Cohorts whose demand adds up exactly plan as
    one where nobody trades (`aggregates`): that only saves work. The `engine` `auto` is floats in a small economy and
    arrays in others.
    """

    rule: PriceRule
    trade: Trade
    tolerance: float = 1e-6
    nothing: Array | float = -1.0
    engine: str = "auto"
    aggregates: bool = True
    _scratch: list[Scratch] = field(default_factory=list[Scratch], init=False, repr=False)
    _lenders: list[tuple[Tatonnement, Pairs]] = field(default_factory=list[Any], init=False, repr=False)
    _lent: list[Alike] = field(default_factory=list[Alike], init=False, repr=False)
    kind = "tatonnement"

    def start(self, economy: Economy, prices: Array, seed: int) -> MarketState:
        stock = np.zeros(len(economy.outlet_good))
        accounts = tuple(np.zeros(cohort.size) for cohort in economy.consumers)
        levels = first_levels(economy)
        treasury = self._known(economy).layout.treasury
        rates = economy.rates if treasury is None else treasury.start()
        begun = (economy.first_guess(), levels, stock, accounts, rates, self.rule.start(prices=prices))
        return MarketState(0, prices, *begun)

    def step(self, economy: Economy, state: MarketState) -> tuple[MarketState, MarketTick]:
        layout, in_floats, *_, last = self._known(economy)
        # What members planned last is a table as large as their parameters: it goes before the next is made.
        last.clear()
        # There is a first tick but once: it is not worth a text.
        if in_floats is not None and state.tick:
            given = state if isinstance(state.prices, tuple) else plain(state)
            if (done := in_floats(given)) is not None:
                return done
        state = in_arrays(state)
        with np.errstate(all="ignore"):
            after, tick, orders = self._tick(layout, state)
        planned: Bundles = {number: each.bundles for number, each in enumerate(orders) if each.bundles is not None}
        if tick.finite and layout.set_valued:
            tick, chosen = self._choose(economy, state, tick)
            planned = planned or chosen
        last.append((tick, planned))
        return after, tick

    def traceable(self, economy: Economy) -> Callable[[MarketState], tuple[MarketState, MarketTick]]:
        layout = self._known(economy).layout
        return super().traceable(economy) if layout.set_valued else self.ticking(layout)

    def ticking(self, layout: Layout) -> Callable[[MarketState], tuple[MarketState, MarketTick]]:
        """A tick of an economy laid out, to be traced."""
        return lambda state: self._tick(layout, state)[:2]

    def watched(self, layout: Layout) -> Watched:
        """A tick with what is kept of one that nobody looks at, and whether nobody has to."""
        fields = self._kept

        def tick(state: MarketState, watch: tuple[Any, ...]) -> tuple[MarketState, tuple[Any, ...], Any]:
            (after, done, _), (residual, price) = self._tick(layout, state), watch
            kept = tuple(getattr(done, name) for name in fields)
            # Plans without end end a run; how far they are from clearing is infinite.
            quiet = done.finite and (done.residual > residual) & (np.max(done.prices) <= price)
            return after, kept, quiet & (np.max(done.levels) <= BOUND) if len(done.levels) else quiet

        return tick

    @property
    def _kept(self) -> tuple[str, ...]:
        return Conservation.FIELDS if self.trade.every_tick else ("prices",)

    def pass_over(
        self, economy: Economy, state: MarketState, watch: Watch, ticks: int, unrecorded: int | None
    ) -> tuple[MarketState, Stretch] | None:
        known = self._known(economy)
        if known.in_floats is None or not state.tick:
            return None
        state = state if isinstance(state.prices, tuple) else plain(state)
        compiled = self.engine == "compiled" and unrecorded is not None
        if compiled and unrecorded:
            done = known.compiled.run(state, watch, unrecorded)
            seen = Ticks.of(**dict(zip(self._kept, done.kept, strict=True))) if done.ticks else None
            return None if seen is None else (done.after, Stretch(seen.prices, ticks=seen))
        before = list[MarketState]()
        for _ in range(1 if compiled else ticks):
            done = known.goes_on((state, watch))
            if done is None or not done[1]:
                break
            before.append(state)
            state = done[0]
        return (state, Stretch(np.array([each.prices for each in before]), before)) if before else None

    def refusal(self, economy: Economy, prices: Array, engine: str) -> str | None:
        if engine != self.engine:
            return replace(self, engine=engine).refusal(economy, prices, engine)
        layout = self._known(economy).layout
        if layout.set_valued:
            return "demand of linear tastes is a set, and the choice among equals a search"
        if layout.crowds:
            return layout.refusal(prices)
        if (rows := len(economy.firm_entry) + sum(cohort.size for cohort in economy.consumers)) > MOST_TRACED:
            return f"it has {rows:,} agents who differ, more than {MOST_TRACED:,}"
        with np.errstate(all="ignore"):
            state = plain(self._tick(layout, self.start(economy, prices, 0))[0])
        if engine == "floats":
            return emitted(self.ticking(layout), state).refusal
        try:
            written(self.watched(layout), state, Watch(self.tolerance, 1.0))
        except UncompilableError as error:
            return str(error)
        return None

    def _tick(self, layout: Layout, state: MarketState) -> tuple[MarketState, MarketTick, list[Orders]]:
        """A tick in arrays, or in what is traced to write it in floats: plan, add up, trade and produce, reprice."""
        layout, prices = layout.at_rates(state.rates), state.prices
        economy, treasury = layout.economy, layout.treasury
        plans, orders = plan_all(layout, state, prices)
        demand, supply = economy.totals(prices, plans.consumers_planned, plans.planned_inputs, plans.planned_outputs)
        excess_demand, scale = demand - supply, np.maximum(demand, supply)
        rates = plans.rates if treasury is None else treasury.moved(plans.rates, plans.kept)
        finite = bool(np.isfinite(prices @ scale)) and (rates is plans.rates or layout.bears(rates))
        if self.trade.every_tick and finite:
            trades, accounts = settle(layout, state, prices, plans, orders)
        else:
            # Traced, accounts of one number each are given as a table.
            trades, accounts = no_trade(layout, prices, plans, state.stock), tuple(state.accounts)
        jacobian = self._jacobian(layout, state, prices, plans) if self.rule.needs_jacobian else None
        observed_prices = self._at_observed_prices(layout, state, prices, plans.levels)
        signal = excess_demand if observed_prices is None else observed_prices[0] - observed_prices[1]
        size = signal_scale(economy, *(observed_prices or (demand, supply)))
        next_prices, memory = self.rule.next_prices(prices, signal, size, state.memory, jacobian, economy.bounds)
        residual = excess = relative_excess_demand(excess_demand, scale, prices, self.rule.free, self.nothing)
        profit = math.nan
        if len(plans.levels):
            at_levels = (plans.unit_revenues, plans.unit_costs, plans.levels)
            profit = unit_profit_residuals(*at_levels, prices @ scale).max().item()
            residual = np.maximum(excess, profit).item()
        gap = math.nan
        if treasury is not None and len(plans.kept):
            gap = treasury.gaps(plans.kept).max().item()
            residual = np.maximum(residual, gap).item()
        numbers = (state.tick, finite, residual, excess, profit, gap, math.nan)
        tick = MarketTick(*numbers, prices, next_prices, demand, supply, *plans, *trades)
        quantities = (plans.planned_inputs, plans.levels, trades.stock, accounts, rates)
        after = MarketState(state.tick + 1, next_prices, *quantities, memory)
        return after, tick, orders

    def residual(self, economy: Economy, tick: MarketTick) -> float:
        """The largest relative excess demand, or unit profit."""
        return float(tick.residual)

    def quotes(self, economy: Economy, tick: MarketTick) -> Quotes:
        return Quotes(*map(np.asarray, (tick.prices, tick.demand, tick.supply)))

    def verdict_rule(self, prices: Array, tolerance: float) -> MarketVerdict:
        return MarketVerdict(self.rule, self.trade, prices, tolerance)

    def view(self, economy: Economy, prices: Array, options: ViewOptions) -> MarketView:
        from simulator.records.market_view import MarketView
        from simulator.references.judges import References

        path, every = options.gradient_path, options.diagnostics
        references = None
        if options.references:
            references = References(economy, self.rule, prices, options.seed, path=path, diagnostics=every)
        return MarketView(
            economy,
            options.markets,
            self.rule,
            self.traceable,
            self.cohorts,
            references,
            every_tick=self.trade.every_tick,
            tables=options.tables,
            economies=options.economies,
        )

    def settle_at_equilibrium(self, now: Market) -> MarketTick:
        """The tick with its plans carried out, prices being found: what nobody keeps for itself changes hands."""
        tick = now.tick
        if self.trade.every_tick:
            return tick
        with np.errstate(all="ignore"):
            kept = sum((cohort.kept for cohort in self.cohorts(now)), np.zeros(len(tick.demand)))
            demand, supply = np.asarray(tick.demand), np.asarray(tick.supply)
            return tick._replace(traded=np.maximum(np.minimum(demand, supply) - kept, 0.0))

    def cohorts(self, now: Market) -> list[CohortTick]:
        """What each cohort of consumers went through in a tick."""
        before, tick = in_arrays(now.before), now.tick.in_arrays()
        economy = now.economy.in_force(tick.rates)
        fills = Fills(tick.bought_fraction, tick.sold_fraction, tick.traded) if len(tick.bought_fraction) else None
        planned = self._bundles(now)
        return [
            replace(cohort, fills=fills, bundles=planned.get(number))
            for number, cohort in enumerate(_cohorts(economy, before, tick.prices, tick.planned_profits, tick.received))
        ]

    def position(self, now: Market) -> Position:
        tick = now.tick.in_arrays()
        return position(now.economy.in_force(tick.rates), tick, self.cohorts(now), every_tick=self.trade.every_tick)

    def in_arrays(self, economy: Economy) -> bool:
        return self.engine != "compiled" and self._known(economy).in_floats is None

    def served_by(self, now: Market) -> str:
        if self.engine == "compiled":
            return self.engine
        in_floats = self._known(now.economy).in_floats
        return "floats" if in_floats is not None and in_floats(plain(now.after)) is not None else "arrays"

    def _known(self, economy: Economy) -> Scratch:
        """What is known of the economy in force."""
        if not self._scratch or self._scratch[0].layout.economy is not economy:
            layout = self.layout(economy)
            asked = economy.small() if self.engine == "auto" else self.engine != "arrays"
            serves = asked and not layout.set_valued and not layout.crowds
            watched = self.watched(layout)

            def goes_on(given: tuple[MarketState, Watch]) -> tuple[MarketState, bool]:
                after, _, quiet = watched(*given)
                return after, quiet

            if serves and (lent := self._borrowed(economy)) is not None:
                alike, numbers = lent
                floats = at_numbers(alike.in_floats, numbers), at_numbers(alike.goes_on, numbers)
            else:
                floats = InFloats(self.ticking(layout)) if serves else None, InFloats(goes_on)
            self._scratch[:] = [Scratch(layout, *floats, Compiled(watched), [])]
        return self._scratch[0]

    def layout(self, economy: Economy) -> Layout:
        """What is looked up of an economy."""
        return Layout(economy, self.trade, aggregates=self.aggregates, compiled=self.engine == "compiled")

    def makings(self, economy: Economy) -> Makings:
        """What a tick of an economy depends on."""
        return Makings(
            self.rule, self.trade, self.nothing, economy, 0 if self.rule.price_order is None else self.rule.seed
        )

    def made_of(self, makings: Makings) -> Tatonnement:
        """The same of other makings."""
        return replace(self, rule=makings.rule, trade=makings.trade, nothing=makings.nothing)

    def lend(self, to: Scheduler[Any, Any], economies: Pairs) -> None:
        if isinstance(to, Tatonnement):
            to._lenders[:] = [(self, economies)]

    def _borrowed(self, economy: Economy) -> tuple[Alike, Numbers] | None:
        """The traces of who lends them, and the numbers in the place of its own; None where all is to be traced."""
        for lender, economies in self._lenders:
            for others in (each for own, each in economies if own is economy):
                return lender.lent(others, self, economy)
        return None

    def lent(self, economy: Economy, to: Tatonnement, its: Economy) -> tuple[Alike, Numbers] | None:
        """What ticks of this market and its economy serve another one, too, and the numbers of that; None where the two
        differ in anything else.
        """
        own, others = self.makings(economy), to.makings(its)
        try:
            places = differing(own, others).keys()
        except OtherKindError:
            return None
        serving = (each for each in self._lent if each.makings.economy is economy and places <= {*each.places})
        if (alike := next(serving, None)) is None:
            self._lent.append(alike := Alike(own, tuple(places), self.made_of))
        return alike, plain(alike.numbers(others))

    def _bundles(self, now: Market) -> Bundles:
        """What members planned in a tick, if it is the last one, or was chosen among equals: else it follows from
        prices and accounts.
        """
        economy, before, tick, _ = now
        for known, planned in self._known(economy).last:
            # Settled at equilibrium it is another tuple of the same plans.
            if known.planned_consumption is tick.planned_consumption:
                return planned
        return self._choose(economy, before, tick)[1] if tick.split_gap <= self.tolerance else {}

    def _at_observed_prices(
        self, layout: Layout, state: MarketState, prices: Array, levels: Array
    ) -> tuple[Array, Array] | None:
        """Demand and supply of each market `(goods,)` at the prices that it has heard of; None where all of them go
        by the `prices` quoted. Everybody plans as they stand, at the tick's `levels`, with what is in their accounts.
        """
        rows = self.rule.observed_prices(prices, state.memory)
        if rows is None:
            return None
        seen = [(np.zeros(()), np.zeros(()))] * len(prices)
        for good in np.flatnonzero(self.rule.free).tolist():
            plans, _ = plan_all(layout, state, rows[good], levels)
            totals = layout.economy.totals(
                rows[good], plans.consumers_planned, plans.planned_inputs, plans.planned_outputs
            )
            seen[good] = (totals[0][good], totals[1][good])
        demand, supply = (np.stack(side) for side in zip(*seen, strict=True))
        return demand, supply

    def _jacobian(self, layout: Layout, state: MarketState, prices: Array, plans: Plans) -> Array:
        """`dz/dp` of planned excess demand, `(goods, goods)`, at the incomes really planned with."""
        economy = layout.economy
        made = economy.made_at(prices, plans.planned_outputs)
        profits = layout.counted_on(economy.user_prices.cash_flow(prices, made, plans.planned_inputs))
        incomes = _incomes(economy, state, prices, profits, plans.received)
        quantities = (plans.planned_consumption, incomes, plans.planned_inputs, plans.planned_outputs, profits)
        at_levels = (plans.levels, plans.unit_revenues, plans.unit_costs)
        totals = economy.totals(prices, plans.consumers_planned, plans.planned_inputs, plans.planned_outputs)
        rates = plans.rates if economy.fiscal is None else plans.rates[economy.fiscal.adjusting]
        taxed = (plans.received, plans.received, plans.revenues, rates, plans.kept)
        return economy.jacobian(MarketPlans(prices, *totals, *quantities, *at_levels, *taxed))

    def _choose(self, economy: Economy, state: MarketState, tick: MarketTick) -> tuple[MarketTick, Bundles]:
        """Where demand is a set, markets clear if some of its elements would clear them: the auctioneer chooses those.

        Where trade goes on in every tick it is only said how well they would clear; what is done is left as it is.
        """
        economy = economy.in_force(tick.rates)
        incomes = _incomes(economy, state, tick.prices, tick.planned_profits, tick.received)
        edges, split = self._best_split(economy, tick, incomes)
        if split is None or split.gap > self.tolerance:
            return tick, {}
        if self.trade.every_tick:
            return tick._replace(split_gap=split.gap), {}
        chosen = bundles(economy, tick.prices, edges, split.spending)
        planned = np.array(tick.planned_consumption)
        for place, table in chosen.items():
            planned[place] = economy.consumers[place].weight * table.sum(axis=0)
        everything = planned.sum(axis=0)
        resolved = tick._replace(
            residual=split.gap,
            relative_excess_demand=split.gap,
            split_gap=split.gap,
            demand=tick.demand + (everything - tick.consumers_planned),
            planned_consumption=planned,
            consumers_planned=everything,
            consumption=planned,
        )
        parts = {
            number: [table[part] for part, _ in economy.consumers[number].blocks] for number, table in chosen.items()
        }
        return resolved, parts

    def _best_split(
        self, economy: Economy, tick: MarketTick, incomes: tuple[Array, ...]
    ) -> tuple[TiedSpending, Split | None]:
        """How consumers of linear tastes would have to split their spending on equally good goods."""
        edges = ties(economy, tick.prices, incomes, self.tolerance)
        linear = [number for number, cohort in enumerate(economy.consumers) if isinstance(cohort.utility, Linear)]
        others = tick.demand - sum(tick.planned_consumption[number] for number in linear)
        return edges, clearing_split(tick.prices, others, tick.supply, edges, self.rule.free)


def _incomes(economy: Economy, state: MarketState, *counted_on: Array) -> tuple[Array, ...]:
    """Income planned with, `(rows,)` for each cohort."""
    return tuple(cohort.income for cohort in _cohorts(economy, state, *counted_on))


def _cohorts(
    economy: Economy, state: MarketState, prices: Array, profits: Array, received: Array
) -> Iterator[CohortTick]:
    """Each cohort as it plans at `prices` `(goods,)`, counting on `profits` `(firm entries,)` and on what all cohorts
    `received` `(cohorts,)`.
    """
    for place, (cohort, account) in enumerate(zip(economy.consumers, state.accounts, strict=True)):
        faced, dues = economy.user_prices.consumer_prices(place, prices), economy.terms(place, received, prices)
        yield CohortTick(cohort, prices, faced, profits, account, dues)
