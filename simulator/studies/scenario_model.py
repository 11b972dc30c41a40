"""A scenario as a mesa model: driven step by step by mesa's own tools, told by mesa's own data collector."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mesa
import numpy as np

from simulator.errors import Problem, ScenarioError
from simulator.extras import library
from simulator.formulas.formula import FormulaError
from simulator.records.table import Table
from simulator.run import conclude
from simulator.scenario import Scenario, load
from simulator.scenario.variation import Variation
from simulator.schedulers.scheduler import Participant
from simulator.simulation import Simulation
from simulator.studies.measures import RESIDUAL, MeasureError, Measures, Seen, Value, measures_of
from simulator.studies.study import PROBED, known_of
from simulator.threads import one_thread

Source = str | Path | Mapping[str, Any] | Scenario
TOLD = ("profit", "utility", "money")


class EntryAgent(mesa.Agent):
    """The agents of one entry of a scenario, all `count` of them together: `name`, `kind` (firm, consumer, ...), and
    `profit`, `utility`, `money` at the last step as in agents.csv, not a number where that has none.
    """

    def __init__(self, model: ScenarioModel, entry: Participant) -> None:
        super().__init__(model)
        self.name, self.kind, self.count = entry.name, entry.kind, entry.count
        self._account = partial(model.of_agent, entry.name)

    @property
    def profit(self) -> float:
        return self._account()["profit"]

    @property
    def utility(self) -> float:
        return self._account()["utility"]

    @property
    def money(self) -> float:
        return self._account()["money"]


class ScenarioModel(mesa.Model):
    """A scenario (a YAML file, plain data, or a loaded `Scenario`), shocks included; a step is a tick, the first is 0.

    `seed` replaces the scenario's own; further keywords are dotted paths and their values. With the verdict `running`
    turns False, and `outcome` and `summary` stand, which are None before. `datacollector` has, after each step, `tick`,
    `outcome`, `max_relative_excess_demand` and `price.GOOD`, or the measures of a study that `reporters` name. `agents`
    are one for each entry of firms and consumers.
    `scenario` is mesa's keyword and no scenario of ours: it is handed on. Raises `ScenarioError` if the scenario or a
    path is refused.
    """

    def __init__(
        self,
        source: Source,
        seed: int | None = None,
        *,
        reporters: Sequence[str | Mapping[str, str]] = (),
        scenario: Any = None,
        **kwargs: Any,
    ) -> None:
        # Mesa and its users count with NumPy; a scenario is of plain numbers.
        given = kwargs if seed is None else {**kwargs, "run.seed": seed}
        changes = {path: value.item() if isinstance(value, np.generic) else value for path, value in given.items()}
        if isinstance(source, Scenario):
            self.source = Variation(source).at(changes) if changes else source
        else:
            self.source = load(source, settings=changes)
        # A mesa scenario brings a generator of its own.
        super().__init__(**({"rng": self.source.run.seed} if scenario is None else {"scenario": scenario}))
        self.simulation = Simulation(self.source, watched=True)
        self.tick, self.outcome, self.summary = -1, None, None
        self.prices = self.source.initial_prices
        self._ticks, self._seconds = self.simulation.ticks(), 0.0
        self._tables, self._last, self._noted = dict[str, Table](), dict[str, Table](), False
        for entry in self.simulation.market.scheduler.participants(self.source.economy):
            EntryAgent(self, entry)
        self._measures, self._point, self._course = (
            self._asked(reporters, changes),
            changes,
            list[tuple[float, float]](),
        )
        self.measured = dict[str, Value]()
        prices = {f"price.{good}": partial(_price, good=at) for at, good in enumerate(self.source.markets.goods)}
        own = {name: name for name in ("tick", "outcome", RESIDUAL)} | prices
        asked = {name: partial(_measured, name=name) for name in self._measures}
        self.datacollector = mesa.DataCollector(model_reporters=asked or own)

    def _asked(self, reporters: Sequence[str | Mapping[str, str]], point: dict[str, Any]) -> Measures:
        if not reporters:
            return Measures()
        for place, each in enumerate(reporters):
            texts: list[Any] = [*each.values()] if isinstance(each, Mapping) else [each]
            if not all(isinstance(text, str) for text in texts):
                message = f"found {each!r}; expected a measure, or {{name: formula}}, as in the measures of a study"
                raise ScenarioError([Problem("reporters", 0, 0, f"[{place}]", message)])
        try:
            return measures_of(reporters, known_of(Variation(self.source).at(PROBED), point), ())
        except (MeasureError, FormulaError) as error:
            message, *_, place = error.args
            raise ScenarioError([Problem("reporters", 0, 0, f"[{place}]", message)]) from None

    def _measure(self) -> None:
        """Take the measures. Before the verdict a summary tells no more than ticks and excess demand."""
        self._course.append((self.tick, self.max_relative_excess_demand))
        now: dict[str, Any] = {"ticks": self.tick, RESIDUAL: self.max_relative_excess_demand}
        summary = defaultdict(lambda: None, now) if self.summary is None else self.summary
        seen = Seen(summary, {**self.tables, **self._last}, self._point, *np.array(self._course).T)
        self.measured = dict(zip(self._measures, self._measures.of(seen), strict=True))

    @classmethod
    def page(cls, source: Source, seed: int | None = None, **sliders: tuple[float, float, float]) -> Any:
        """A page of mesa's `SolaraViz` that draws prices as they move, with a slider for each path: its low end, where
        it starts, its high end. Raises `MissingExtraError` without the extra `mesa-viz`, `ValueError` for other ends.
        """
        for path, ends in sliders.items():
            given: Any = ends
            numbers = isinstance(given, (tuple, list)) and all(isinstance(end, (int, float)) for end in given)
            if not numbers or len(ends) != 3 or not ends[0] <= ends[1] <= ends[2]:
                raise ValueError(
                    f"{path}: found {ends}; expected a slider's low end, start and high end: (0.1, 0.2, 0.5)"
                )
        viz = library("mesa.visualization", "a page with sliders")
        starts: dict[str, Any] = {path: start for path, (_, start, _) in sliders.items()}
        model = cls(source, seed, **starts)
        asked, variation = dict[str, dict[str, Any]](), Variation(model.source)
        for path, (low, start, high) in sliders.items():
            smooth = variation.is_float(path, start)
            step = (high - low) / 100 if smooth else max(1, round((high - low) / 100))
            kind = "SliderFloat" if smooth else "SliderInt"
            asked[path] = {"type": kind, "min": low, "value": start, "max": high, "step": step}
        prices = viz.make_plot_component([f"price.{good}" for good in model.source.markets.goods])
        params = {"source": source, "seed": seed, **asked}
        return viz.SolaraViz(model, components=[prices], model_params=params, name=model.source.name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refused: what is half-way through a run has no copy."""
        raise TypeError(
            "found a ScenarioModel to be copied or pickled; expected its scenario: "
            f"another ScenarioModel of that is the same after as many steps ({self.steps})"
        )

    def step(self) -> None:
        """A tick, and what the collector asks of it; nothing after the verdict."""
        if self.running:
            began = time.perf_counter()
            with one_thread():
                self._advance()
            if self._measures:
                self._measure()
            self._seconds += time.perf_counter() - began
            self.datacollector.collect(self)
        self.steps = self.tick + 1

    def _advance(self) -> None:
        simulation, market = self.simulation, self.simulation.market
        self.tick, self._noted = next(self._ticks), True
        # A tick that mesa counts is one of the market's, also where somebody steps on after the verdict.
        self.steps = self.tick + 1
        now = market.transition
        assert now is not None
        self.prices = self.source.markets.sum_over_users(market.scheduler.quotes(now.economy, now.tick).prices)
        if simulation.verdict is not None:
            self.running, self.outcome = False, simulation.verdict.outcome
            self._last, self.summary = conclude(simulation, self.tables, self._seconds)
        elif simulation.recorder.full:
            self._write()

    @property
    def max_relative_excess_demand(self) -> float:
        """At the last step, as in ticks.csv."""
        tick = self.simulation.market.last_tick
        found = getattr(tick, "relative_excess_demand", getattr(tick, "residual", None))
        if found is not None:
            return float(found)
        ticks = self.tables["ticks"]
        return float(ticks.values[-1, ticks.columns.index(RESIDUAL)])

    @property
    def tables(self) -> dict[str, Table]:
        """Tables by name whose last rows are of the tick just over, as a run writes them; worked out when asked for."""
        if self._noted:
            with one_thread():
                self._write()
        return self._tables

    def _write(self) -> None:
        self._tables, self._noted = self.simulation.recorder.tables(), False

    def of_agent(self, name: str) -> dict[str, float]:
        """Profit, utility and money of all agents of an entry together at the last step."""
        table = self.tables.get("agents")
        if table is None:
            return dict.fromkeys(TOLD, np.nan)
        named = table.parts["agent"]
        rows = np.flatnonzero((named == name) | (named == f"{name}:total"))
        last = table.values[-len(named) :]
        return {column: last[rows[0], table.columns.index(column)] if len(rows) else np.nan for column in TOLD}


def _measured(model: ScenarioModel, name: str) -> Value:
    return model.measured[name]


def _price(model: ScenarioModel, good: int) -> float:
    return float(model.prices[good])
