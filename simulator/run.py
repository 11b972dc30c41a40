"""A scenario run to its end: `simulate` in memory, `run_to_disk` into a folder, row by row and resumable. Both drive a
`Simulation`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Never

import numpy as np

from simulator.dynamics.verdicts import Verdict
from simulator.errors import ScenarioError
from simulator.finished import Run
from simulator.kinds.wording import unknown
from simulator.records.advice import changes_advised
from simulator.records.columns import TABLES
from simulator.records.distribution import distribution_summary, distribution_table, statistics_of, without_gains
from simulator.records.ending import Ending, checksums
from simulator.records.folder import RunFolder
from simulator.records.report import equilibrium_table, last_row, scale, sentence, summary_of, versions
from simulator.records.table import Table, frames
from simulator.records.welfare import welfare_table
from simulator.scenario import NOTHING, Scenario, load
from simulator.scenario.plugins import NO_PLUGINS, Plugins
from simulator.scenario.settings import setting_meant
from simulator.simulation import Simulation
from simulator.slips import called_here, meant
from simulator.threads import one_thread
from simulator.trial import trial

Seen = Callable[[Mapping[str, Table]], None]
"""Told of each block of the tables that grow, then of those that are written at the end."""


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


def run_in_memory(
    scenario: Scenario, seen: Seen, stopped: Callable[[], bool] = lambda: False, *, told: bool = True
) -> dict[str, Any]:
    """Run a scenario and return its summary; once `stopped()` is true the run ends as `interrupted`.

    Unless the end is to be `told`, `sentence` is empty and `scenario_sha256` None: to try out what may be advised, and
    to write the scenario out, takes longer than a short run does.
    """
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
        last, summary = conclude(simulation, tables, time.perf_counter() - began, told=told)
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
            files.hold(lambda: simulation.state() | ending.state | simulation.end_state)
        files.save()
    return summary


def conclude(
    simulation: Simulation, tables: Mapping[str, Table], seconds: float, *, told: bool = True
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
        "welfare": lambda: welfare_table(simulation.since(), economy, simulation.end),
        "equilibrium": lambda: equilibrium_table(view.references, markets, quotes.prices),
    }
    last = last_row(tables, view.free_goods)
    facts = {"ticks": ticks, "tolerance": scenario.run.tolerance, "gainless": without_gains(cohorts, economy)}
    facts["unreached"] = [f"{at:,}" for at in simulation.chosen if at > ticks]
    from_file = scenario.path is not None and scenario.start is None
    if from_file and scenario.scheduler.kind == "tatonnement" and scenario.run.stop == "verdict":
        facts["tune"] = f"simulator tune {scenario.path}"
    facts["ran_on"] = scenario.run.stop == "never" and ticks > 0 and verdict.outcome in ("cleared", "diverged")
    facts |= view.facts(verdict, now, last)
    # Equilibria may have been searched for once more.
    written = {name: table() for name, table in at_the_end.items() if name in scenario.run.tables}
    facts = _true(facts, simulation, scheduler.residual(economy, now.tick)) if told else facts
    known = {
        **last,
        **verdict._asdict(),
        "name": scenario.name,
        "scheduler": scenario.scheduler.kind,
        "sentence": sentence(verdict, view.sentences, facts) if told else "",
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
        "scenario_sha256": hashlib.sha256(scenario.text.encode()).hexdigest() if told else None,
        "versions": versions(scenario.run.engine),
        **view.summary(now),
    }
    return written, summary_of(known)


def _true(facts: dict[str, Any], simulation: Simulation, residual: float) -> dict[str, Any]:
    """Facts without advice that does not help: each piece is followed, in a run that nobody sees.

    It helps where markets clear, or come nearer to it than the `residual` of the run, which was out of ticks too.
    """
    scenario, verdict, kept = simulation.scenario, simulation.verdict, dict(facts)
    assert verdict is not None
    if scenario.awaits_shocks(facts["ticks"]):
        kept.pop("more_ticks", None)
    for name, settings in changes_advised(facts):
        try:
            tried = trial(scenario, settings)
        except ScenarioError:
            tried = None
        nearer = tried is not None and verdict.outcome == tried.outcome == "out_of_ticks" and tried.residual < residual
        if not (nearer or (tried is not None and tried.cleared)):
            del kept[name]
    return kept
