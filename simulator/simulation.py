"""A scenario in motion: tick, observe, record, name the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.dynamics.transition import Transition
from simulator.dynamics.verdicts import Verdict
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.records.columns import TABLES, Columns
from simulator.records.members import member_columns, member_tables, no_members
from simulator.records.recorder import UNSEEN, Recorder
from simulator.records.table import Table
from simulator.records.welfare import END, Position, nowhere
from simulator.scenario import Scenario
from simulator.schedulers.market import Market
from simulator.schedulers.scheduler import ViewOptions, flatten, unflatten

if TYPE_CHECKING:
    from simulator.scenario import Regime
    from simulator.scenario.start import Start

MOST_WAITS = 64
"""After so many ticks that were looked at, at most, it is tried again to pass over some."""


class Simulation:
    """A scenario in motion: the market, what names its outcome, and the recorder.

    `ticks()` yields after a tick or many; running, watching and writing fall out of it. Of one that is `watched`, tick
    by tick, everything is recorded, whatever the scenario keeps.
    """

    def __init__(self, scenario: Scenario, *, watched: bool = False) -> None:
        scenario.must_be_ready()
        self.scenario, run = scenario, scenario.run
        kept = frozenset(TABLES) if watched else run.tables
        # Of another run that this one goes on from as another market, shocks have happened.
        anew = scenario.start if scenario.start is not None and scenario.start.changed else None
        self._following = scenario.following(0 if anew is None else anew.tick + 1)
        self._next = next(self._following, None)
        self._regime = scenario.regimes[0]
        if anew is not None and self._next is not None and self._next.tick <= anew.tick:
            self._regime, self._next = self._next, next(self._following, None)
        economy, prices = self._regime.economy, scenario.initial_prices
        self.market = Market(scenario.scheduler, economy, prices, run.seed)
        self.verdict_rule = self.market.scheduler.verdict_rule(prices, run.tolerance)
        economies = [regime.economy for regime in scenario.regimes]
        options = ViewOptions(
            scenario.markets, run.seed, run.references, scenario.gradient_path, run.diagnostics, kept, economies
        )
        view = self.market.scheduler.view(economy, prices, options)
        if anew is not None:
            view.begin(anew.tick + 1, prices)
        self.recorder = Recorder(view, scenario.last_ticks, kept)
        # Where no table grows, the first tick and the last are all that a summary speaks of.
        self._every = 1 if watched else run.record_every if kept & view.columns.keys() else run.ticks + 1
        self.verdict: Verdict | None = None
        self._first, self._weighs = self._regime, "welfare" in kept
        self._since: dict[int, Transition[Any, Any] | tuple[Economy, Position]] = {}
        self.chosen = sorted({tick for ticks in run.members.values() for tick in ticks})
        self._looks_at, self._waits = run.ticks + 1 if watched else 1, 1

    def ticks(self) -> Iterator[int]:
        """Run to the end, yielding a tick's number when it is over, or of several that nobody has to look at the last
        one's; the verdict stands when it stops.
        """
        run, market, rule, recorder = self.scenario.run, self.market, self.verdict_rule, self.recorder
        if self.scenario.start is not None and not market.state.tick:
            self._go_on(self.scenario.start)
        while self.verdict is None:
            if self._next is not None and self._next.tick == market.state.tick:
                self._change_economy(self._next)
            if self._looks_at <= market.state.tick and self._pass_over():
                yield market.state.tick - 1
                continue
            now = market.advance()
            tick = now.tick.tick
            rule.observe(now)
            if self._weighs:
                self._remember(now)
            last = tick == run.ticks or not now.tick.finite
            if last or (run.stop == "verdict" and self._next is None):
                self.verdict = rule.verdict(now)
                if self.verdict is not None and self.verdict.outcome == "cleared":
                    now = market.settle_at_equilibrium(now)
                if last and self.verdict is None:
                    self.verdict = rule.close(now)
            recorder.observe(now, record=tick % self._every == 0 or self.verdict is not None)
            yield tick

    def _remember(self, now: Transition[Any, Any]) -> None:
        """Keep how agents stand in the first tick, and in the last before any shock."""
        tick, shocked = now.tick.tick, self._regime is not self._first
        coming = not shocked and self._next is not None and self._next.tick == tick + 1
        if coming or not self._since:
            self._since[tick] = now
        if coming:
            self.since()

    def since(self) -> dict[int, tuple[Economy, Position]]:
        """How agents stood in these ticks, and in which economy; none where nobody plans."""
        found = dict[int, tuple[Economy, Position]]()
        for tick, at in self._since.items():
            if isinstance(at, Transition):
                known = self.market.scheduler.position(at) if at.tick.finite else None
                if known is None:
                    continue
                at = self._since[tick] = at.economy, known
            found[tick] = at
        return found

    @cached_property
    def end(self) -> Position | None:
        """How agents stand in the last tick, once there is a verdict; None where nobody plans, or plans have no end."""
        now = self.market.transition
        return None if now is None or not now.tick.finite else self.market.scheduler.position(now)

    @property
    def end_state(self) -> dict[str, Array]:
        """The same of consumers, as arrays, if the table of welfare is kept: by these runs are compared."""
        kept = None if not self._weighs else self.end
        return {} if kept is None else {f"{END}{name}": each for name, each in flatten(kept.consumers).items()}

    def _pass_over(self) -> bool:
        """Whether some ticks could be passed over that nobody has to look at.

        Where not, it is tried again a tick later, then two, four: a market about to clear is looked at in every tick.
        """
        run, market, rule, recorder = self.scenario.run, self.market, self.verdict_rule, self.recorder
        watch, tick, view = rule.watch, market.state.tick, recorder.view
        seen = None
        if watch is not None and view.passes_over:
            if run.stop != "verdict" or self._next is not None:
                watch = watch._replace(residual=-np.inf)
            stops = [*([] if self._next is None else [self._next.tick - 1]), *(at for at in self.chosen if at >= tick)]
            ahead = min([run.ticks, *stops]) - tick
            ticks, unseen = min(ahead, recorder.room), min(ahead, UNSEEN * recorder.room, -tick % self._every)
            if ticks > 0:
                seen = market.pass_over(watch, ticks, unseen if view.passes_unseen and self._every > 1 else None)
        if seen is None:
            self._looks_at, self._waits = tick + self._waits, min(2 * self._waits, MOST_WAITS)
            return False
        self._waits = 1
        rule.pass_over(market.economy, seen.prices)
        recorder.pass_over(seen, market.state.tick - 1, self._every)
        return True

    def _go_on(self, start: Start) -> None:
        """Begin where another run has ended: with its prices, stocks, accounts and the rule's memory."""
        stored, first = start.state(), start.tick + 1
        if start.changed:
            # Prices that are held are what the scenario says now; whoever judges begins here.
            prices, fixed = stored.get("market.prices"), self.scenario.rule.fixed
            if prices is not None:
                prices = self.market.economy.bounded(np.where(fixed, self.scenario.initial_prices, prices))
                stored["market.prices"] = prices
                begun = self.market.scheduler.start(self.market.economy, prices, self.scenario.run.seed)
                self.market.state = begun
                self.recorder.view.begin(first, prices, stored.get("market.levels"))
            self.verdict_rule.change_economy(first)
        fresh = self.state()
        fits = {name: array for name, array in stored.items() if name in fresh and start.carries_over(name)}
        self.restore(fresh | fits)

    def rows_before(self) -> dict[str, Table]:
        """The last rows of the run that this one goes on from, the first of its own; none if there is no such run."""
        start = self.scenario.start
        return {} if start is None else start.rows(self.recorder.columns)

    def _change_economy(self, regime: Regime) -> None:
        """A shock: from the coming tick on the economy is another, or prices are."""
        market, view = self.market, self.recorder.view
        before, self._regime = market.economy, regime
        market.economy = regime.economy
        self.verdict_rule.change_economy(regime.tick)
        view.change_economy(regime.tick, regime.economy)
        if regime.prices or regime.economy.other_bounds(before):
            market.state = market.scheduler.reprice(regime.economy, market.state, self._moved(regime))
            view.change_prices(regime.tick, self._moved(regime))
        self._next = next(self._following, None)

    def _moved(self, regime: Regime) -> Callable[[Array], Array]:
        """What a shock makes of prices `(markets,)`, no lower than their floors, nor higher than their caps."""

        def moved(prices: Array) -> Array:
            for move in regime.prices:
                prices = move.of(prices, self.scenario.markets)
            return regime.economy.bounded(np.maximum(prices, self.scenario.rule.floor))

        return moved

    @cached_property
    def member_columns(self) -> Columns:
        """The columns of members.csv."""
        firms = [firm.name for firm in self.scenario.economy.firms]
        ever: dict[str, dict[str, Array]] = {name: {} for name in self.scenario.run.members}
        for regime in self.scenario.regimes:
            for name, fields in self.scenario.drawn(regime).items():
                ever[name] |= fields
        return member_columns(ever, firms)

    def members(self, tick: int | None = None) -> Iterator[Table]:
        """The rows of members.csv after the tick just over, piece by piece; before any tick none, if there ever are."""
        if tick is None:
            yield from [no_members(self.member_columns)] if self.chosen else []
            return
        chosen = {name for name, ticks in self.scenario.run.members.items() if tick in ticks}
        now = self.market.transition if chosen else None
        if now is not None:
            drawn = {name: fields for name, fields in self.scenario.drawn(self._regime).items() if name in chosen}
            yield from member_tables(self.market.scheduler.cohorts, now, drawn, self.member_columns)

    def state(self) -> dict[str, Array]:
        """All that the rest of the run depends on, as arrays under dotted names."""
        parts = {
            "market": flatten(self.market.state),
            "verdict": self.verdict_rule.state(),
            # How ticks are passed over tells where blocks of them end.
            "passing": {"looks_at": np.array(self._looks_at), "waits": np.array(self._waits)},
            **self.recorder.view.state(),
        }
        if self._weighs:
            since, blank = self.since(), flatten(nowhere(self._first.economy))
            parts["since"] = {"ticks": np.array(list(since), dtype=np.int64)}
            each = [flatten(at) for _, at in since.values()]
            parts["since"] |= {name: np.stack([none, *(at[name] for at in each)])[1:] for name, none in blank.items()}
        return {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        parts: dict[str, dict[str, Array]] = {}
        for name, value in state.items():
            part, _, key = name.partition(".")
            parts.setdefault(part, {})[key] = value
        following = unflatten(self.market.state, parts["market"])
        if self.recorder.view.references is None:
            self._following = self.scenario.following(following.tick)
            self._next = next(self._following, None)
        while self._next is not None and self._next.tick < following.tick:
            self._change_economy(self._next)
        self.market.state = following
        self.verdict_rule.restore(parts.get("verdict", {}))
        self._looks_at, self._waits = (int(parts["passing"][name]) for name in ("looks_at", "waits"))
        self.recorder.view.restore(parts)
        since = parts.get("since", {"ticks": np.zeros(0)})
        for place, tick in enumerate(since["ticks"].tolist()):
            arrays = {name: values[place] for name, values in since.items()}
            self._since[tick] = self.scenario.economy_at(tick), unflatten(nowhere(self._first.economy), arrays)
