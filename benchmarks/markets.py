"""Small markets: recording, references, the compiled engine, many runs; beside plain Mesa objects and straight NumPy.

Every run goes on for as many ticks as it is asked for (`stop: never`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from tempfile import mkdtemp
from typing import Any

import numpy as np

from benchmarks import plain_mesa, plain_mesa_exchange, straight_numpy
from benchmarks.commands import interpreter
from benchmarks.harness import SCENARIOS, Columns, Group, Groups, Line, Side, missing
from simulator.records.table import frames
from simulator.scenario import Scenario, load
from simulator.schedulers.side_by_side import SideBySide
from simulator.simulation import Simulation

KEYS = {"trajectory": ["tick", "good"], "ticks": ["tick"], "wedges": ["tick", "firm", "input"]}
KEYS["agents"] = ["tick", "agent", "kind", "good"]
JUDGED = ("gradient_price", "adjoint", "potential", "merit", "distance", "cosine", "rotation", "mode", "plan_residual")
"""What only references know: columns whose names have one of these in them."""
TOWN = {"firms.farms.count": 8, "firms.bakeries.count": 2, "consumers.households.count": 10, "shocks": []}
"""The town with ten firms."""


def scenario(name: str, ticks: int, **run: Any) -> Scenario:
    """A shipped scenario that goes on for so many ticks, `run` settings changed."""
    path, town = SCENARIOS / f"{name.removesuffix('_of_ten_firms')}.yaml", name == "town_of_ten_firms"
    asked = {"ticks": ticks, "stop": "never", "references": "off", "record_every": 1, **run}
    settings = {f"run.{key}": value for key, value in asked.items()}
    return load(path, settings={**(TOWN if town else {}), **settings})


def in_memory(asked: Scenario, kept: Callable[[dict[str, Any]], Columns] | None = None) -> Side:
    """A run to DataFrames; equilibria, if somebody looks for them, are found before."""

    def start() -> Callable[[], dict[str, Any]]:
        simulation = Simulation(asked)
        if asked.run.references:
            _ = simulation.recorder.view.references.equilibria
        return lambda: finished(simulation)

    return Side(start, kept or columns, asked.run.ticks)


def finished(simulation: Simulation) -> dict[str, Any]:
    """The tables of a simulation that is run to its end."""
    blocks = []
    for _ in simulation.ticks():
        if simulation.recorder.full or simulation.verdict is not None:
            blocks.append(simulation.recorder.tables(last=simulation.verdict is not None))
    return frames([block for block in blocks if block], simulation.scenario.run.tables)


def last_price(tables: dict[str, Any]) -> Columns:
    """The last prices, `(goods,)`."""
    table = tables["trajectory"]
    return {"last price": table["price"].to_numpy()[table["tick"] == table["tick"].max()]}


def columns(tables: dict[str, Any]) -> Columns:
    """Everything recorded but what references say: `TABLE.COLUMN`, shaped as in `straight_numpy`.

    Agents have a number for each good, 0 where they have no row of it.
    """
    found: dict[str, np.ndarray] = {}
    ticks, agents = len(tables["ticks"]), tables["agents"]
    for name in ("trajectory", "ticks", "wedges"):
        for column in tables[name].columns.difference(KEYS[name]):
            values = tables[name][column].to_numpy()
            if not np.isnan(values).all() and not any(word in column for word in JUDGED):
                found[f"{name}.{column}"] = values if name == "ticks" else values.reshape(ticks, -1)
    first, goods = agents[agents["tick"] == 0], list(tables["trajectory"]["good"].unique())
    who = list(first["agent"].unique())
    rows, places = [who.index(name) for name in first["agent"]], [goods.index(name) for name in first["good"]]
    for column in agents.columns.difference(KEYS["agents"]):
        values = agents[column].to_numpy().reshape(ticks, -1)
        if column in ("quantity", "input", "output", "rationed"):
            found[f"agents.{column}"] = np.zeros((ticks, len(who), len(goods)))
            found[f"agents.{column}"][:, rows, places] = values
        elif not np.isnan(values).all():
            found[f"agents.{column}"] = values[:, [rows.index(number) for number in range(len(who))]]
    return with_last_price(found)


def with_last_price(found: Columns) -> Columns:
    """What is left where nothing but the end is recorded, beside everything."""
    return {**found, "last price": found["trajectory.price"][-1]}


OBJECTS = {
    "bazaar": (plain_mesa_exchange.Bazaar, plain_mesa_exchange),
    "scarf": (plain_mesa_exchange.Scarf, plain_mesa_exchange),
    "tupperware": (plain_mesa.SupplyChain, plain_mesa),
}
TIMES_NUMPY = {"bazaar": 3.0, "scarf": 3.0, "tupperware": 2.0}
"""How much faster than straight NumPy each must be."""
ANY_OUTCOME = "expect=[cleared, cycled, diverged, out_of_ticks, settled_off_equilibrium]"
UNTOLD = ("crusoe", "town_of_ten_firms")
"""Markets of which nothing is promised."""


def objects(name: str, ticks: int, record: bool) -> Side:
    """Plain Mesa objects, with a DataCollector or without."""
    make, module = OBJECTS[name]

    def start() -> Callable[[], Any]:
        model = make(record)

        def work() -> Any:
            for _ in range(ticks):
                model.step()
            return module.frames(model) if record else np.array([market.price for market in model.markets])

        return work

    kept = (lambda tables: with_last_price(module.columns(tables))) if record else lambda last: {"last price": last}
    return Side(start, kept, ticks)


def arrays(name: str, ticks: int, record: bool) -> Side:
    """Straight NumPy."""
    function = getattr(straight_numpy, name)
    return Side(lambda: partial(function, ticks, record), with_last_price if record else dict, ticks)


def recording(name: str, ticks: int) -> Group:
    """A market with every tick recorded against one whose last row is kept, and against others who do the same."""
    sides = {
        "recorded": in_memory(scenario(name, ticks)),
        "bare": in_memory(scenario(name, ticks, record_every=ticks), last_price),
    }
    most = None if name in UNTOLD else 2
    lines = [Line(name, "every tick recorded in memory, against none", "recorded", "bare", at_most=most, common="some")]
    if name in OBJECTS:
        for side, others, least in (("Mesa objects", objects, 10), ("NumPy", arrays, TIMES_NUMPY[name])):
            sides |= {f"{side} recorded": others(name, ticks, True), side: others(name, ticks, False)}
            lines += [
                Line(name, f"recorded, against {side} with the same records", "recorded", f"{side} recorded", least),
                Line(name, f"last row kept, against {side} without records", "bare", side, faster=True),
            ]
    return Group(sides, lines)


def references(name: str, ticks: int) -> Group:
    """A market with references against one without; the search for equilibria apart."""
    judged = scenario(name, ticks, references="on")

    def search() -> Callable[[], Any]:
        asked = scenario(name, ticks, references="on")
        return lambda: Simulation(asked).recorder.view.references.equilibria

    sides = {
        "recorded": in_memory(scenario(name, ticks)),
        "judged": in_memory(judged),
        "search": Side(search, lambda _: {}, per=""),
    }
    most = None if name in UNTOLD else 4
    return Group(
        sides,
        [
            Line(name, "references on, against recorded without", "judged", "recorded", at_most=most),
            Line(name, "search for equilibria, against a recorded tick", "search", "recorded", common="none"),
        ],
    )


def compiled(name: str, ticks: int) -> Group:
    """The compiled engine against floats, last row kept."""
    engines = [] if missing("numba") else ["compiled", "floats"]
    asked = {engine: scenario(name, ticks, engine=engine, record_every=ticks) for engine in engines}
    line = Line(name, "compiled, last row kept, against floats", "compiled", "floats", 20)
    return Group({engine: in_memory(each, last_price) for engine, each in asked.items()}, [line], needs=("numba",))


def compiled_process(name: str, ticks: int) -> Group:
    """A process of many compiled ticks against one of a single tick, the compiled tick found in the cache."""
    what = f"a process of {ticks:,} compiled ticks, against one"
    line = Line(name, what, str(ticks), "1", at_most=2, common="none")
    if missing("numba"):
        return Group({}, [line], needs=("numba",))
    caches = mkdtemp()

    def many(ticks: int) -> Side:
        words = ["run", str(SCENARIOS / f"{name}.yaml"), "--no-plots", "--quiet", "--out", mkdtemp(), "--overwrite"]
        run = ("engine=compiled", "stop=never", "references=off", f"ticks={ticks}", f"record_every={ticks}")
        settings = [f"run.{setting}" for setting in run] + [ANY_OUTCOME]
        chosen = [word for setting in settings for word in ("--set", setting)]
        return interpreter("-m", "simulator", *words, *chosen, caches=caches)

    return Group({str(number): many(number) for number in (ticks, 1)}, [line], needs=("numba",), rounds=3)


def many_runs(runs: int, alone: int, ticks: int) -> Group:
    """Runs of the bazaar from prices of their own, paths kept: side by side, one after another, by hand in NumPy."""
    asked = scenario("bazaar", ticks)
    scheduler, economy = asked.scheduler, asked.economy
    starts = np.exp(np.random.default_rng(1).normal(0.0, 0.3, (runs, 3)))
    starts[:, 0] = 1.0

    def side_by_side() -> np.ndarray:
        market = SideBySide(scheduler, economy, starts, 0, ("prices",))
        paths = np.empty((ticks + 1, runs, 3))
        for tick in range(ticks + 1):
            (paths[tick],) = market.advance()
        return paths

    def one_after_another() -> np.ndarray:
        paths = np.empty((ticks + 1, alone, 3))
        for run in range(alone):
            state = scheduler.start(economy, starts[run], 0)
            for tick in range(ticks + 1):
                state, now = scheduler.step(economy, state)
                paths[tick, run] = now.prices
        return paths

    def some(paths: np.ndarray) -> Columns:
        return {"paths": paths} if paths.shape[1] == alone else {"paths": paths[:, :alone], "all paths": paths}

    sides = {
        "ours": Side(lambda: side_by_side, some, runs * ticks),
        "loop": Side(lambda: one_after_another, some, alone * ticks),
        "runs first": Side(lambda: partial(straight_numpy.bazaars, starts, ticks), some, runs * ticks),
        "runs last": Side(lambda: partial(straight_numpy.bazaars_side_by_side, starts, ticks), some, runs * ticks),
    }
    of, sizes = "bazaar", f"{runs:,} runs of {ticks:,} ticks, paths kept: side by side"
    lines = [
        Line(of, f"{sizes}, against one after another on floats", "ours", "loop", 8, common="some"),
        Line(of, f"{sizes}, against NumPy by hand, runs first", "ours", "runs first", at_most=1.5),
        Line(of, f"{sizes}, against NumPy by hand, runs last", "ours", "runs last", at_most=1.5),
    ]
    return Group(sides, lines)


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    ticks, many = (60, 200) if quick else (10_000, 100_000)
    found: Groups = {}
    for name in (*OBJECTS, *UNTOLD):
        found[f"{name} recorded"] = partial(recording, name, ticks)
        found[f"{name} references"] = partial(references, name, ticks // 2)
    for name in OBJECTS:
        found[f"{name} compiled"] = partial(compiled, name, many)
        found[f"{name} compiled process"] = partial(compiled_process, name, 200 if quick else 1_000_000)
    found["bazaar runs"] = partial(many_runs, *((20, 5, 30) if quick else (1_000, 20, 1_000)))
    return found
