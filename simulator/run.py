"""The one loop: tick, observe, record, name the outcome.

`simulate` runs a scenario in memory, `run_to_disk` into a folder, row by row and resumable. Both drive a `Simulation`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from simulator.dynamics.verdicts import Verdict
from simulator.economics.forms import Array
from simulator.finished import Run
from simulator.kinds.wording import unknown
from simulator.records.columns import TABLES, Columns
from simulator.records.distribution import distribution_summary, distribution_table, statistics_of, without_gains
from simulator.records.ending import Ending, checksums
from simulator.records.folder import RunFolder
from simulator.records.members import member_columns, member_tables, no_members
from simulator.records.recorder import UNSEEN, Recorder
from simulator.records.report import equilibrium_table, last_row, scale, sentence, summary_of, versions
from simulator.records.table import Table, frames
from simulator.scenario import NOTHING, Scenario, load
from simulator.scenario.plugins import NO_PLUGINS, Plugins
from simulator.scenario.settings import setting_meant
from simulator.schedulers.market import Market
from simulator.schedulers.scheduler import ViewOptions, flatten, unflatten
from simulator.slips import called_here, meant
from simulator.threads import one_thread

if TYPE_CHECKING:
    from simulator.scenario import Regime
    from simulator.scenario.start import Start


Seen = Callable[[Mapping[str, Table]], None]
"""Told of each block of the tables that grow, then of those that are written at the end."""
MOST_WAITS = 64
"""After so many ticks that were looked at, at most, it is tried again to pass over some."""


def market_of(scenario: Scenario) -> Market:
    """The market of a scenario before its first tick."""
    return Market(scenario.scheduler, scenario.economy, scenario.initial_prices, scenario.run.seed)


class Simulation:
    """A scenario in motion: the market, what names its outcome, and the recorder.

    `ticks()` yields after a tick or many; running, watching and writing fall out of it. Of one that is `watched`, tick
    by tick, everything is recorded, whatever the scenario keeps.
    """

    def __init__(self, scenario: Scenario, *, watched: bool = False) -> None:
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
            last = tick == run.ticks or not now.tick.finite
            if last or (run.stop == "verdict" and self._next is None):
                self.verdict = rule.verdict(now)
                if self.verdict is not None and self.verdict.outcome == "cleared":
                    now = market.settle_at_equilibrium(now)
                if last and self.verdict is None:
                    self.verdict = rule.close(now)
            recorder.observe(now, record=tick % self._every == 0 or self.verdict is not None)
            yield tick

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
                stored["market.prices"] = prices = np.where(fixed, self.scenario.initial_prices, prices)
                begun = self.market.scheduler.start(self.market.economy, prices, self.scenario.run.seed)
                self.market.state = begun
                self.recorder.view.begin(first, prices)
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
        self._regime = regime
        market.economy = regime.economy
        self.verdict_rule.change_economy(regime.tick)
        view.change_economy(regime.tick, regime.economy)
        if regime.prices:
            market.state = market.scheduler.reprice(regime.economy, market.state, self._moved(regime))
            view.change_prices(regime.tick, self._moved(regime))
        self._next = next(self._following, None)

    def _moved(self, regime: Regime) -> Callable[[Array], Array]:
        """What a shock makes of prices `(markets,)`, no lower than their floors."""

        def moved(prices: Array) -> Array:
            for move in regime.prices:
                prices = move.of(prices, self.scenario.markets)
            return np.maximum(prices, self.scenario.rule.floor)

        return moved

    @cached_property
    def member_columns(self) -> Columns:
        """The columns of members.csv."""
        firms = [firm.name for firm in self.scenario.economy.firms]
        return member_columns(self.scenario.drawn(self.scenario.regimes[0]), firms)

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


def simulate(
    source: str | Path | Mapping[str, Any] | Scenario,
    *,
    ticks: int | None = None,
    seed: int | None = None,
    references: bool | None = None,
    settings: Mapping[str, object] = NOTHING,
    plugins: Plugins = NO_PLUGINS,
    **others: Never,
) -> Run:
    """Run a scenario (a YAML file, plain data, or a loaded `Scenario`) in memory.

    `settings` maps dotted paths, as in `--set`, to values that replace the scenario's: `{"scheduler.rate": 0.1}`;
    `ticks`, `seed` and `references` are the shortest ones. `plugins` are kinds from outside that it may speak of.
    Raises `ScenarioError` if it is refused, `TypeError` for an argument that is none.
    """
    for name, value in others.items():
        raise TypeError(f"simulate: {_no_argument(name, value)}")
    judges = None if references is None else "on" if references else "off"
    asked = {"run.ticks": ticks, "run.seed": seed, "run.references": judges}
    changes = {**settings, **{path: value for path, value in asked.items() if value is not None}}
    if isinstance(source, Scenario):
        kinds = source.plugins.joined_by(plugins)
        scenario = load(source.resolved, settings=changes, inputs=source.inputs, plugins=kinds) if changes else source
    else:
        scenario = load(source, settings=changes, plugins=plugins)
    import pandas as pd

    seen: list[Mapping[str, Table]] = []
    summary = run_in_memory(scenario, seen.append)
    *blocks, last = map(scenario.run.kept.of, seen)
    kept = scenario.run.tables
    tables = frames([block for block in blocks if block and "members" not in block], kept)
    tables |= {name: table.frame() for name, table in last.items()}
    if members := [block for block in blocks if "members" in block]:
        tables |= frames(members[1:] or members, kept)
    tables |= {name: pd.DataFrame() for name in TABLES if name not in kept}
    return Run(scenario.name, summary=summary, **tables)


def _no_argument(name: str, value: object) -> str:
    """What is said of an argument that `simulate` does not have: it may be a setting."""
    own = ("ticks", "seed", "references", "settings", "plugins")
    path = None if called_here(name, own) else setting_meant(name)
    complaint = unknown("argument", name, own, suggest=path is None)
    return complaint + meant(path and f"settings={{{path!r}: {value!r}}}")


def run_in_memory(scenario: Scenario, seen: Seen, stopped: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Run a scenario and return its summary; once `stopped()` is true the run ends as `interrupted`."""
    began = time.perf_counter()
    with one_thread():
        simulation, tables = Simulation(scenario), dict[str, Table]()
        if before := simulation.rows_before():
            seen(before)
        for table in simulation.members():
            seen({"members": table})
        for tick in simulation.ticks():
            for table in simulation.members(tick):
                seen({"members": table})
            if simulation.verdict is None and stopped():
                simulation.verdict = Verdict("interrupted", {})
            if simulation.recorder.full or simulation.verdict is not None:
                block = simulation.recorder.tables(last=simulation.verdict is not None)
                seen(block)
                tables = block or tables
        last, summary = conclude(simulation, tables, time.perf_counter() - began)
    seen(last)
    return summary


def run_to_disk(
    scenario: Scenario,
    folder: Path,
    *,
    resume: bool = False,
    seen: Seen = lambda tables: None,
    progress: Callable[[int, int], None] = lambda tick, ticks: None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Run a scenario into a folder and return its summary.

    Rows reach the disk whole in blocks of ticks, each with a checkpoint from which `resume` continues to the same
    bytes; a finished run is not run again. `progress(tick, ticks)` is told of every tick, `seen` of its tables; once
    `stopped()` is true the run ends as `interrupted`. Raises `RunFolderError` if the folder cannot be written, holds
    anything but a run, or if `resume` finds a run of another scenario or a damaged checkpoint.
    """
    began = time.perf_counter()
    with RunFolder(folder, scenario.run.tables, scenario.run.format) as files:
        manifest = files.checkpoint(scenario.text, scenario.inputs) if resume else None
        finished = files.finished(manifest) if manifest is not None else None
        if finished is not None:
            return finished
        simulation = Simulation(scenario)
        if manifest is None:
            files.start(scenario.text, scenario.inputs)
            before = simulation.rows_before()
            files.append(scenario.run.kept.of(before))
            seen(before)
            for table in simulation.members():
                files.append({"members": table})
        else:
            simulation.restore(files.resume(manifest, simulation.state(), scenario.run.ticks))
        tables: dict[str, Table] = {}
        for tick in simulation.ticks():
            progress(tick, scenario.run.ticks)
            for table in simulation.members(tick):
                files.append({"members": table})
            if simulation.verdict is None and stopped():
                simulation.verdict = Verdict("interrupted", {})
            if simulation.verdict is not None or simulation.recorder.full:
                block = simulation.recorder.tables(last=simulation.verdict is not None)
                files.append(scenario.run.kept.of(block))
                seen(block)
                if simulation.verdict is None:
                    files.hold(simulation.state)
                tables = block or tables
        last, summary = conclude(simulation, tables, time.perf_counter() - began)
        files.finish(scenario.run.kept.of(last), summary)
        seen(last)
        # A checkpoint of the last tick must not be there before the summary: nothing goes on from it.
        # What was interrupted goes on after its last whole block.
        if summary["outcome"] != "interrupted":
            rows = {name: table.header + "".join(table.last.lines()) for name, table in tables.items()}
            ending = Ending(summary["ticks"], scenario.text, checksums(scenario.inputs), rows)
            files.hold(lambda: simulation.state() | ending.state)
        files.save()
    return summary


def conclude(
    simulation: Simulation, tables: Mapping[str, Table], seconds: float
) -> tuple[dict[str, Table], dict[str, Any]]:
    """The tables and the summary written at the end of a simulation; `tables` hold its last recorded tick."""
    scenario, market, view = simulation.scenario, simulation.market, simulation.recorder.view
    verdict, now, markets = simulation.verdict, market.transition, scenario.markets
    assert verdict is not None
    assert now is not None
    economy, scheduler, ticks = now.economy, market.scheduler, now.tick.tick
    quotes = scheduler.quotes(economy, now.tick)
    cohorts = statistics_of(scheduler.cohorts(now) if now.tick.finite else ())
    at_the_end = {
        "distribution": lambda: distribution_table(cohorts),
        "equilibrium": lambda: equilibrium_table(view.references, markets, quotes.prices),
    }
    written = {name: table() for name, table in at_the_end.items() if name in scenario.run.tables}
    last = last_row(tables, view.free_goods)
    facts = {"ticks": ticks, "tolerance": scenario.run.tolerance, "gainless": without_gains(cohorts, economy)}
    facts["unreached"] = [f"{at:,}" for at in simulation.chosen if at > ticks]
    if scenario.path is not None and scenario.scheduler.kind == "tatonnement" and scenario.run.stop == "verdict":
        facts["tune"] = f"simulator tune {scenario.path}"
    facts["ran_on"] = scenario.run.stop == "never" and ticks > 0 and verdict.outcome in ("cleared", "diverged")
    facts |= view.facts(verdict, now, last)
    known = {
        **last,
        **verdict._asdict(),
        "name": scenario.name,
        "scheduler": scenario.scheduler.kind,
        "sentence": sentence(verdict, view.sentences, facts),
        "ticks": ticks,
        "evaluations": (ticks + 1) * scheduler.rule.evaluations,
        "wall_seconds": seconds,
        "engine": scheduler.served_by(now),
        "price_gap": last.get("distance_to_equilibrium"),
        "adjoint_gap": last.get("distance_to_adjoint"),
        "scale": scale(economy, markets, scheduler.rule, quotes.prices, np.maximum(quotes.demand, quotes.supply)),
        "outside": [markets.name_of(at) for at in np.flatnonzero(economy.is_outside).tolist()],
        "tolerance": scenario.run.tolerance,
        "expect": list(scenario.expect),
        "distribution": distribution_summary(cohorts),
        "shocks": scenario.shocks_up_to(ticks),
        "worst_imbalance": 0.0,
        **{name: kept and sorted(kept) for name, kept in scenario.run.kept._asdict().items()},
        "tables": [table for table in TABLES if table in scenario.run.tables],
        "seed": scenario.run.seed,
        "scenario_sha256": hashlib.sha256(scenario.text.encode()).hexdigest(),
        "versions": versions(scenario.run.engine),
        **view.summary(now),
    }
    return written, summary_of(known)
