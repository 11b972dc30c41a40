"""The one loop: tick, observe, record, name the outcome.

`simulate` runs a scenario in memory, `run_to_disk` into a folder, row by row and resumable. Both drive a `Simulation`.
"""

from __future__ import annotations

import hashlib
import html
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.dynamics.learning import LearningJudge, LearningMarket
from simulator.dynamics.marginal_bids import MessageJudge, MessageMarket
from simulator.dynamics.model import MarketModel
from simulator.dynamics.outcomes import Judge, Verdict
from simulator.economics.forms import Array
from simulator.references.judges import References
from simulator.results.distribution import distribution_summary, distribution_table, standings
from simulator.results.folder import RunFolder
from simulator.results.lessons import LearningWitness
from simulator.results.messages import MessageWitness
from simulator.results.recorder import Witness
from simulator.results.report import equilibrium_table, last_row, summarise
from simulator.results.table import Table, frames
from simulator.scenario import Scenario, load
from simulator.scenario.plugins import NO_PLUGINS, Plugins

if TYPE_CHECKING:
    import pandas as pd

    from simulator.scenario import Regime


def _tatonnement(scenario: Scenario) -> tuple[Any, Any, Any]:
    economy, run, rule, first = scenario.economy, scenario.run, scenario.rule, scenario.initial_prices
    market = MarketModel(economy, rule, scenario.trade, first, run.seed)
    path, every = scenario.gradient_path, run.diagnostics
    references = References(economy, rule, first, run.seed, path=path, diagnostics=every) if run.references else None
    return market, Judge(market, run.tolerance), Witness(market, references, scenario.last_ticks)


def _marginal_bids(scenario: Scenario) -> tuple[Any, Any, Any]:
    run = scenario.run
    market = MessageMarket(scenario.economy, scenario.rule, scenario.initial_prices, run.seed)
    return market, MessageJudge(market, run.tolerance), MessageWitness(market, run.references, scenario.last_ticks)


def _learning(scenario: Scenario) -> tuple[Any, Any, Any]:
    run, lesson = scenario.run, scenario.lesson
    assert lesson is not None
    market = LearningMarket(scenario.economy, lesson, scenario.rule, scenario.initial_prices, run.seed)
    return market, LearningJudge(market, run.tolerance), LearningWitness(market)


SCHEDULERS: dict[str, Callable[[Scenario], tuple[Any, Any, Any]]] = {
    "tatonnement": _tatonnement,
    "marginal_bids": _marginal_bids,
    "learning": _learning,
}
"""The market, the judge and the witness of each kind of scheduler."""


class Simulation:
    """A scenario in motion: the market, its judge, and the witness who records.

    `ticks()` yields after every tick; running, watching and writing fall out of it.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.market, self.judge, self.witness = SCHEDULERS[scenario.scheduler](scenario)
        self.verdict: Verdict | None = None
        self._pending = list(scenario.regimes[1:])

    def ticks(self) -> Iterator[int]:
        """Run to the end, yielding each tick's number when it is over; the verdict stands when it stops."""
        run, market, judge, witness = self.scenario.run, self.market, self.judge, self.witness
        while self.verdict is None:
            if self._pending and self._pending[0].tick == market.now.tick + 1:
                self._enter(self._pending.pop(0))
            market.advance()
            tick = market.now.tick
            judge.look(market)
            last = tick == run.ticks or not market.now.finite
            if last or (run.stop == "verdict" and not self._pending):
                self.verdict = judge.verdict(market)
                if self.verdict is not None and self.verdict.outcome == "cleared" and judge.waits:
                    market.execute()
                if last and self.verdict is None:
                    self.verdict = judge.close(market)
            record = tick % run.record_every == 0 or self.verdict is not None
            witness.look(record=record)
            yield tick

    def _enter(self, regime: Regime) -> None:
        """A shock: from the coming tick on the economy is another."""
        self.market.enter(regime.economy)
        self.judge.forget()
        self.witness.enter(regime.tick, regime.economy)

    def state(self) -> dict[str, Array]:
        """All that the rest of the run depends on, as arrays under dotted names."""
        witness = self.witness
        parts: dict[str, Mapping[str, Array]] = {
            "market": self.market.state(),
            "judge": self.judge.state(),
            **witness.state(),
        }
        return {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        parts: dict[str, dict[str, Array]] = {}
        for name, value in state.items():
            part, _, key = name.partition(".")
            parts.setdefault(part, {})[key] = value
        while self._pending and self._pending[0].tick <= int(parts["market"]["tick"]):
            self._enter(self._pending.pop(0))
        self.market.restore(parts["market"])
        self.judge.restore(parts.get("judge", {}))
        self.witness.restore(parts)


@dataclass(frozen=True)
class Run:
    """A finished run: its tables as DataFrames, its summary, and its figures on request."""

    name: str
    trajectory: pd.DataFrame
    ticks: pd.DataFrame
    agents: pd.DataFrame
    wedges: pd.DataFrame
    equilibrium: pd.DataFrame
    distribution: pd.DataFrame
    summary: dict[str, Any]
    folder: Path | None = None

    def _repr_html_(self) -> str:
        """The sentence and the last prices beside bids, derivatives and equilibrium, for notebooks."""
        last: Any = self.trajectory[self.trajectory["tick"] == self.trajectory["tick"].max()]
        table = last[["good", "price", "bid", "adjoint", "excess_demand"]].set_index("good")
        number = self.summary["equilibrium"]
        if number is not None:
            found: Any = self.equilibrium[self.equilibrium["from_tick"] == self.equilibrium["from_tick"].max()]
            numbers = found["equilibrium"].unique()
            reached = found[found["equilibrium"] == numbers[number - 1]].set_index("good")
            table.insert(3, "equilibrium", reached["price"])
        sentence = html.escape(self.summary["sentence"])
        shown = table.to_html(float_format="{:.6g}".format, na_rep="", border=0)
        return f"<p><b>{html.escape(self.name)}</b>: {sentence}</p>{shown}"

    def plot(self, folder: str | Path | None = None, formats: tuple[str, ...] = ("png",)) -> list[Path]:
        """Draw every figure that applies; into `folder`, else the run's own `figures/`, else `figures/` right here."""
        from simulator.results.plots import draw

        target = Path(folder) if folder is not None else (self.folder or Path()) / "figures"
        return draw(self, target, formats)


def simulate(
    source: str | Path | Mapping[str, Any] | Scenario,
    *,
    ticks: int | None = None,
    seed: int | None = None,
    references: bool | None = None,
    plugins: Plugins = NO_PLUGINS,
) -> Run:
    """Run a scenario (a YAML file, plain data, or a loaded `Scenario`) in memory.

    `ticks`, `seed` and `references` replace the scenario's own; `plugins` are kinds from outside that it may speak of.
    Raises `ScenarioError` if it is refused.
    """
    changes: dict[str, object] = {}
    if ticks is not None:
        changes["run.ticks"] = ticks
    if seed is not None:
        changes["run.seed"] = seed
    if references is not None:
        changes["run.references"] = "on" if references else "off"
    if isinstance(source, Scenario):
        kinds = source.plugins.joined_by(plugins)
        scenario = load(source.resolved, settings=changes, inputs=source.inputs, plugins=kinds) if changes else source
    else:
        scenario = load(source, settings=changes, plugins=plugins)
    began = time.perf_counter()
    simulation = Simulation(scenario)
    blocks: list[dict[str, Table]] = []
    for _ in simulation.ticks():
        if simulation.witness.full or simulation.verdict is not None:
            blocks.append(simulation.witness.tables())
    tables = frames([block for block in blocks if block])
    last, summary = _conclude(simulation, blocks[-1], time.perf_counter() - began)
    tables |= {name: table.frame() for name, table in last.items()}
    return Run(scenario.name, summary=summary, **tables)  # pyright: ignore[reportArgumentType]  (`folder` is no table)


def run_to_disk(
    scenario: Scenario,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Run a scenario into a folder and return its summary.

    Rows reach the disk whole in blocks of ticks, each with a checkpoint from which `resume` continues to the same
    bytes; a finished run is not run again. `progress(tick, ticks)` is told of every tick; once `stopped()` is true
    the run ends as `interrupted`. Raises `RunFolderError` if the folder cannot be written, holds anything but a run,
    or if `resume` finds a run of another scenario or a damaged checkpoint.
    """
    began = time.perf_counter()
    text = scenario.text
    with RunFolder(folder) as files:
        finished = files.finished(text) if resume else None
        if finished is not None:
            return finished
        simulation = Simulation(scenario)
        state = files.resume(text, scenario.inputs) if resume else None
        if state is None:
            files.start(text, scenario.inputs)
        else:
            simulation.restore(state)
        tables: dict[str, Table] = {}
        for tick in simulation.ticks():
            if progress is not None:
                progress(tick, scenario.run.ticks)
            if simulation.verdict is None and stopped is not None and stopped():
                simulation.verdict = Verdict("interrupted", "stopped by the user; what was recorded is kept")
            if simulation.verdict is not None or simulation.witness.full:
                block = simulation.witness.tables()
                files.append(block)
                if simulation.verdict is None:
                    files.save(simulation.state())
                tables = block or tables
        last, summary = _conclude(simulation, tables, time.perf_counter() - began)
        files.finish(last, summary)
        # A checkpoint of the last tick must not be there before the summary: nothing goes on from it.
        # What was interrupted keeps the checkpoint of its last whole block.
        if summary["outcome"] != "interrupted":
            files.save(simulation.state())
    return summary


def _conclude(
    simulation: Simulation, tables: Mapping[str, Table], seconds: float
) -> tuple[dict[str, Table], dict[str, Any]]:
    """The tables and the summary written at the end of a simulation; `tables` hold its last recorded tick."""
    scenario, market, witness, verdict = simulation.scenario, simulation.market, simulation.witness, simulation.verdict
    assert verdict is not None
    with np.errstate(all="ignore"):
        worth = float(market.prices @ np.maximum(market.demand, market.supply))
    cohorts = standings(market)
    last = {"distribution": distribution_table(cohorts)}
    last["equilibrium"] = equilibrium_table(witness.references, scenario.economy.markets, market.prices, worth)
    run = {
        "wall_seconds": seconds,
        "tolerance": scenario.run.tolerance,
        "expect": list(scenario.expect),
        "seed": scenario.run.seed,
        "scheduler": scenario.scheduler,
        **witness.learnt(),
        "shocks": [regime.tick for regime in scenario.regimes[1:]],
        "scenario_sha256": hashlib.sha256(scenario.text.encode()).hexdigest(),
    }
    summary = summarise(
        name=scenario.name,
        market=market,
        verdict=verdict,
        references=witness.references,
        last=last_row(tables, witness.free_goods),
        gradient_path_gap=witness.gradient_path_gap,
        worst_imbalance=witness.worst_imbalance,
        distribution=distribution_summary(cohorts),
        run=run,
    )
    return last, summary
