"""What is recorded of a market in which everybody plans: prices, plans and deeds beside what the judges say.

While a tick lasts hardly more is noted than the state before it; all else is worked out for the ticks of a block at
once. Of a tick in arrays each cohort is asked at once what it did: nobody keeps what its members planned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.consumers import CohortTick
from simulator.dynamics.market_tick import MarketState, MarketTick, Stretch, Ticks
from simulator.dynamics.observers import Conservation, walras_residual
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.transition import Transition
from simulator.economics.allocation import Shares, share_out
from simulator.economics.clearing import as_good_as_free
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.formula_utility import FormulaUtility
from simulator.economics.user_markets import UserMarkets
from simulator.formulas.in_floats import in_arrays, plain
from simulator.formulas.in_runs import joined, picked, stacked
from simulator.records.advice import advice
from simulator.records.agent_rows import AgentRows
from simulator.records.columns import KEPT_TABLES, growing_columns
from simulator.records.market_block import Afterwards, Appraisal, Block, MarketNote
from simulator.records.market_facts import Descended, Market, back_and_forth, balance_at, market_facts, off, reached
from simulator.records.recorder import Parts, Rows, View
from simulator.records.table import names
from simulator.references.judges import References, relative_gap
from simulator.references.verification import FirmVerification
from simulator.sentences import MARKET, NEAR, Facts

if TYPE_CHECKING:
    from simulator.dynamics.verdicts import Verdict
    from simulator.references.found import Equilibrium

SEARCH, SEARCHES = 500, 200
"""What is searched for and not told by a formula is so much more work; a search as for so many quantities more."""

SEEN = ("gradient_path_gap", "plan_residual", "descended", "last_of_path")
"""What is remembered of the ticks so far, from one block to the next."""


Ticking = Callable[[Economy], Callable[[MarketState], tuple[MarketState, MarketTick]]]
"""A tick of an economy as a function that may be traced."""


class MarketView(View[MarketState, MarketTick, MarketNote]):
    """The view of an economy's market under a `rule`, with trade in every tick or not: `ticking` gives ticks once more,
    `cohorts` tells what consumers went through in one. What is noted is enough for the `tables` that are kept;
    `economies` are all that follow one another, if there are several. Without `ticking` no tick is in plain floats.
    """

    sentences = MARKET

    def __init__(
        self,
        economy: Economy,
        markets: UserMarkets,
        rule: PriceRule,
        ticking: Ticking | None,
        cohorts: Callable[[Market], list[CohortTick]],
        references: References | None,
        *,
        every_tick: bool,
        tables: Set[str] = KEPT_TABLES,
        economies: Sequence[Economy] = (),
    ) -> None:
        self.economy, self.markets, self.rule = economy, markets, rule
        self.references, self.every_tick = references, every_tick
        self._cohorts = cohorts
        self.free_goods = markets.any_user(rule.free)
        levels = len(economy.level_firm) > 0
        self._taxes = () if economy.fiscal is None else tuple(tax.name for tax in economy.fiscal.taxes)
        taxed = len(self._taxes) > 0
        self.columns = growing_columns(users=markets.separate, trade=every_tick, levels=levels, taxes=taxed)
        self.conservation = Conservation(economy)
        self.gradient_path_gap, self.plan_residual, self.descended = 0.0, math.nan, Descended()
        self._gap: float | None = None
        self.last_of_path = np.full((3, len(economy.goods)), np.nan)
        self._verification = FirmVerification(economy)
        self._ticking = ticking
        self._look_afterwards()
        asked = references is not None or tables & {"trajectory", "agents", "wedges"}
        self._appraises = bool(asked and (economy.consumers or not every_tick))
        self._searches = any(isinstance(cohort.utility, FormulaUtility) for cohort in economy.consumers)
        self._economies = economies or (economy,)

    @cached_property
    def _agents(self) -> AgentRows:
        return AgentRows(self._economies, self.markets)

    @property
    def work(self) -> int:
        goods, work = len(self.economy.goods), 8 * len(self.economy.edge_good)
        for cohort in self.economy.consumers:
            quantities = goods * cohort.size
            work += SEARCH * (SEARCHES + quantities) if isinstance(cohort.utility, FormulaUtility) else quantities
        return work

    def change_economy(self, tick: int, economy: Economy) -> None:
        self.economy = self.conservation.economy = economy
        self._verification, self.descended = FirmVerification(economy), Descended()
        self._look_afterwards()
        if self.references is not None:
            self.references.change_economy(tick, economy)

    def _look_afterwards(self) -> None:
        """Know how ticks in plain floats are worked out once more, if there are any."""
        if self._ticking is not None:
            self._afterwards = Afterwards(self._ticking(self.economy), self._appraised)

    def change_prices(self, tick: int, moved: Callable[[Array], Array]) -> None:
        if self.references is not None:
            self.references.path.move(moved)

    def begin(self, tick: int, prices: Array, levels: Array | None = None) -> None:
        if self.references is not None:
            self.references.begin(tick, prices, levels)

    def state(self) -> Parts:
        seen = {name: np.array(getattr(self, name)) for name in SEEN}
        parts: Parts = {"conservation": self.conservation.state(), "view": seen}
        return parts if self.references is None else {**parts, "path": self.references.path.state()}

    def restore(self, parts: Mapping[str, Mapping[str, Array]]) -> None:
        self.conservation.restore(parts["conservation"])
        self.gradient_path_gap = float(parts["view"]["gradient_path_gap"])
        self.plan_residual = float(parts["view"]["plan_residual"])
        self.descended = Descended(*parts["view"]["descended"].tolist())
        self.last_of_path = parts["view"]["last_of_path"]
        if self.references is not None:
            self.references.path.restore(parts["path"])

    @property
    def passes_over(self) -> bool:
        return not self._searches

    @property
    def passes_unseen(self) -> bool:
        return self.references is None

    def passed(self, stretch: Stretch, recorded: NDArray[np.bool_]) -> list[MarketNote]:
        if stretch.ticks is not None:
            return [MarketNote(stretch.ticks)] if self.every_tick else []
        path = None if self.references is None else self.references.path
        return [
            MarketNote(None, record, None if path is None else path.advance(before.tick), before)
            for before, record in zip(stretch.before, recorded.tolist(), strict=True)
        ]

    def note(self, now: Market, *, record: bool) -> MarketNote:
        tick = now.tick
        path = None if self.references is None else self.references.path.advance(tick.tick)
        if not self._appraises:
            return MarketNote(tick, record, path)
        if isinstance(tick.prices, tuple):
            before = now.before if isinstance(now.before.prices, tuple) else plain(now.before)
            # What is settled at an equilibrium is settled once, in the last tick; in one without finite plans nobody
            # trades, and it has other shapes.
            kept = self._searches or not tick.finite or (not self.every_tick and any(tick.traded))
            return MarketNote(tick if kept else None, record, path, before)
        if not record:
            return MarketNote(tick, record, path)
        with np.errstate(all="ignore"):
            return MarketNote(tick, True, path, None, self._appraised((now.before, tick)))

    def _appraised(self, given: tuple[MarketState, MarketTick]) -> Appraisal:
        (before, tick), economy, shares, fraction = given, self.economy, None, None
        if not (self.every_tick and tick.finite):
            prices, *planned = in_arrays(
                (tick.prices, tick.planned_inputs, tick.consumers_planned, tick.planned_outputs)
            )
            inputs, consumed, made = planned
            yields = economy.in_force(tick.rates).user_prices.yields(prices)
            shares = Shares(np.ones(inputs.shape), np.ones(prices.shape))
            if tick.finite:
                shares = share_out(economy, inputs, consumed, made, yields)
            fraction = shares.consumers
        cohorts = self._cohorts(Transition(economy, before, tick, before)) if economy.consumers else []
        objective = self.references is not None
        totals = tuple(cohort.totals(fraction, objective=objective) for cohort in cohorts)
        return None if self.every_tick else shares, totals

    def rows(self, notes: Sequence[MarketNote]) -> dict[str, Callable[[], Rows]]:
        groups, ends = dict[Any, list[int]](), np.cumsum([note.ticks for note in notes])
        for place, note in enumerate(notes):
            groups.setdefault(_kind(note), []).append(place)
        parts = {kind: self._beside([notes[place] for place in group]) for kind, group in groups.items()}
        places = [np.arange(ends[at] - notes[at].ticks, ends[at]) for group in groups.values() for at in group]
        order = np.argsort(found := np.concatenate(places))
        whole = Ticks([ticks for ticks, *_ in parts.values()]).picked(order)
        finite = isinstance(notes[-1].tick, Ticks) or bool(parts[_kind(notes[-1])][0].finite[-1])
        imbalances = self._conserve(whole, finite=finite)
        if self.references is not None:
            path = np.array([note.path for note in notes])
            to_path, self.last_of_path = relative_gap(whole.prices, path), np.vstack([self.last_of_path, path])[-3:]
            self.gradient_path_gap = float(np.fmax.reduce(to_path, initial=self.gradient_path_gap))
        marked = np.concatenate([marks for _, marks, _ in parts.values()])
        if not marked.any():
            return {}
        recorded, order = marked[order], np.argsort(found[marked])
        ticks = Ticks([some.picked(marks) for some, marks, _ in parts.values() if marks.any()]).picked(order)
        appraisals = [appraisal for *_, appraisal in parts.values() if appraisal is not None]
        block = Block(
            self.economy.in_force(ticks.rates),
            self.markets,
            ticks,
            [note for note in notes if note.recorded],
            picked(joined(appraisals), order) if appraisals else None,
            every_tick=self.every_tick,
        )
        judged = {} if self.references is None else self._judged(self.references, block)
        return {
            "trajectory": lambda: self._trajectory(block),
            "ticks": lambda: self._ticks(block, imbalances[:, recorded], judged),
            "agents": lambda: Rows(ticks.tick, self._agents.keys, self._agents.known(block)),
            "wedges": lambda: self._wedges(block),
            "taxes": lambda: self._of_taxes(ticks),
        }

    def _beside(self, notes: Sequence[MarketNote]) -> tuple[Ticks, NDArray[np.bool_], Any]:
        """Ticks of one kind side by side, which of them are recorded, and the appraisal of these if it is asked for."""
        recorded = np.repeat([note.recorded for note in notes], [note.ticks for note in notes])
        if notes[0].before is not None:
            ticks, appraisal = self._afterwards(notes, recorded & self._appraises)
            return ticks, recorded, appraisal
        appraisals = [note.appraisal for note in notes if note.appraisal is not None]
        ticks = Ticks([note.tick for note in notes if note.tick is not None])
        return ticks, recorded, stacked(appraisals) if appraisals else None

    def _conserve(self, whole: Ticks, *, finite: bool) -> Array:
        """Relative imbalances of goods and of money, `(2, ticks)`; none in the last unless plans are `finite`."""
        count = len(whole.prices)
        imbalances = np.full((2, count), np.nan)
        traded = count if finite else count - 1
        if self.every_tick and traded:
            seen = whole if traded == count else whole.picked(slice(traded))
            imbalances[:, :traded] = self.conservation.observe(seen)
        return imbalances

    def _trajectory(self, block: Block) -> Rows:
        markets, ticks = self.markets, block.ticks
        flows = {
            "demand": ticks.demand,
            "supply": ticks.supply,
            "excess_demand": ticks.demand - ticks.supply,
            "traded": block.traded,
            "inventory": self.economy.over_outlets(ticks.stock),
        }
        known = {name: markets.mean_over_users(flow, ticks.prices) for name, flow in flows.items()}
        prices = {"price": ticks.prices, "bid": block.bid}
        prices |= {"gradient_price": block.gradient_price, "adjoint": block.adjoint}
        known |= {name: markets.sum_over_users(price) for name, price in prices.items()}
        return Rows(ticks.tick, {"good": names(markets.goods)}, known)

    def _ticks(self, block: Block, imbalances: Array, judged: dict[str, Array]) -> Rows:
        ticks = block.ticks
        walras = np.where(ticks.finite, walras_residual(self.economy, ticks), np.nan)
        known = {"max_relative_excess_demand": ticks.relative_excess_demand, "walras_residual": walras, **judged}
        known["max_relative_unit_profit"] = ticks.relative_unit_profit
        if self.every_tick:
            known["money"] = ticks.money.sum(axis=-1)
            known["goods_imbalance"], known["money_imbalance"] = imbalances
        return Rows(ticks.tick, {}, known)

    def _judged(self, references: References, block: Block) -> dict[str, Array]:
        """Columns of ticks.csv that the judges have a say in, `(ticks,)` each."""
        ticks, prices, inputs = block.ticks, block.ticks.prices, block.ticks.planned_inputs
        plans = (ticks.demand, ticks.supply, inputs, ticks.levels, ticks.rates)
        columns = references.columns(ticks.tick, prices, ticks.next_prices, *plans)
        if references.reference.kind in columns:
            self.descended = self.descended.followed_by(columns[references.reference.kind])
        firms = self._verification.plan_residual(prices, inputs, ticks.planned_outputs, ticks.rates)
        residuals = np.fmax.reduce([firms, *(cohort.plan_residual for cohort in block.consumers)])
        self.plan_residual = float(np.fmax.reduce(residuals, initial=self.plan_residual))
        told = self.rule.free & ~as_good_as_free(ticks.prices, ticks.demand, ticks.supply)
        return columns | {
            "distance_to_gradient_path": relative_gap(ticks.prices, block.gradient_price),
            "distance_to_adjoint": relative_gap(np.where(told, ticks.prices, np.nan), block.adjoint),
            "plan_residual": residuals,
        }

    def _wedges(self, block: Block) -> Rows:
        """`p_out df/dx_i - p_i` of each firm and input, with its two parts, and `r - c` of a unit of each activity
        level; of several firms the mean weighted by what they use, or by their levels.
        """
        economy, ticks = block.economy, block.ticks
        value, count = economy.user_prices.output_prices(ticks.prices), len(ticks.tick)
        value = value[:, economy.edge_firm] * block.products
        paid, earned, costs = (
            economy.user_prices.input_prices(ticks.prices),
            [np.zeros((count, 0))],
            [np.zeros((count, 0))],
        )
        firms, inputs = list[str](), list[str]()
        for firm, edges, levels in zip(economy.firms, economy.edge_rows, economy.level_rows, strict=True):
            each = value[:, edges].reshape(count, firm.rows, -1)
            earned.append(each[:, 0] if firm.rows == 1 else _mean(each, block.inputs[:, edges].reshape(each.shape)))
            costs.append(paid[:, edges.start : edges.start + len(firm.inputs)])
            used = [self.markets.goods[self.markets.good[at]] for at in firm.inputs]
            if firm.levels:
                weights = ticks.levels[:, levels, None]
                earned.append(_mean(ticks.unit_revenues[:, levels, None], weights))
                costs.append(_mean(ticks.unit_costs[:, levels, None], weights))
                used.append("")
            firms += [firm.name] * len(used)
            inputs += used
        earns, costs = np.concatenate(earned, axis=1), np.concatenate(costs, axis=1)
        keys = {"firm": names(firms), "input": names(inputs)}
        return Rows(ticks.tick, keys, {"marginal_revenue_product": earns, "price": costs, "wedge": earns - costs})

    def _of_taxes(self, ticks: Ticks) -> Rows:
        return Rows(ticks.tick, {"tax": names(self._taxes)}, {"rate": ticks.rates, "revenue": ticks.collected})

    def facts(self, verdict: Verdict, now: Market, last: Mapping[str, float]) -> Facts:
        rates, revenues = now.tick.rates, now.tick.collected
        taxes = zip(self._taxes, rates, revenues, strict=True) if len(self._taxes) else ()
        brings = [f"{revenue:.5g} of {name} at {rate:.5g}" for name, rate, revenue in taxes]
        if self.references is None:
            return {"brings": brings}
        gap = last.get("distance_to_equilibrium", 0.0)
        if verdict.outcome == "cleared" and not gap <= NEAR:
            self.references.search_from(balance_at(now, np.asarray(now.tick.prices)).values)
            self._gap = off(self.references, now)
            last = {**last, "distance_to_equilibrium": self._gap}
        hop, number, found = (
            back_and_forth(self.last_of_path),
            reached(self.references, now),
            self.references.equilibria,
        )
        near = found[number - 1] if number else found[0] if len(found) == 1 else None
        known = market_facts(verdict, now, self.references, last, self.gradient_path_gap, hop, self.descended)
        return {**known, "brings": brings, **self._advised(verdict, now, near)}

    def _advised(self, verdict: Verdict, now: Market, near: Equilibrium | None) -> Facts:
        """What would help, in a market that has not cleared, near an equilibrium or none."""
        return advice(verdict, self.rule, now.economy, near, np.asarray(now.tick.prices))

    def summary(self, now: Market) -> dict[str, Any]:
        references, known = self.references, dict[str, Any](worst_imbalance=self.conservation.worst)
        if self._taxes:
            each = zip(self._taxes, now.tick.rates, now.tick.collected, strict=True)
            known["taxes"] = {name: {"rate": rate, "revenue": revenue} for name, rate, revenue in each}
        if references is None:
            return known
        mode = references.dominant_mode
        known |= {} if self._gap is None else {"price_gap": self._gap}
        return known | {
            "gradient_path_gap": math.nan if references.reference.kind == "none" else self.gradient_path_gap,
            "plan_residual": self.plan_residual,
            "gradient_path": references.path.kind,
            "reference": references.reference.kind,
            "equilibria": len(references.equilibria),
            "equilibrium": reached(references, now),
            "dominant_mode": None if mode is None else _by_good(self.markets, mode),
        }


def _kind(note: MarketNote) -> tuple[bool, bool, bool | None]:
    """How a note is looked at: whether it is of ticks passed over, whether a state is kept, and whether the plans of a
    tick that is kept are finite: others have other shapes.
    """
    passed = isinstance(note.tick, Ticks)
    return passed, note.before is not None, None if passed or note.tick is None else bool(note.tick.finite)


def _mean(values: Array, weights: Array) -> Array:
    """Mean over the firms, `(ticks, inputs)` of `(ticks, firms, inputs)`, of those who use any, weighted by use."""
    weights = np.where(np.isfinite(values), weights, 0.0)
    total = weights.sum(axis=1)
    weighted = np.sum(np.where(weights > 0, values, 0.0) * weights, axis=1)
    return np.divide(weighted, total, out=np.full(total.shape, np.nan), where=total > 0)


def _by_good(markets: UserMarkets, mode: Array) -> dict[str, float] | None:
    """The combination of goods most out of balance, by good; None where there is none."""
    if not np.isfinite(mode).all() or not mode.any():
        return None
    return {markets.name_of(place): float(mode[place]) for place in np.flatnonzero(mode).tolist()}
