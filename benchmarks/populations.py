"""How fast populations are, as ratios within one run: `python -m benchmarks.populations` prints the README's table.

An exchange economy of many consumers with ten goods (`population_baselines`) by the package's own market, against Mesa
objects, NumPy written for this one model in blocks on threads, and, with `--mesa-frames PYTHON` (an interpreter that
has it), mesa-frames. Answers are compared first. Ratios are medians over rounds in which all sides run in turn.
"""

from __future__ import annotations

import os

# The blocks run on threads of their own; more of them inside BLAS would only be in the way, of the others too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import population_baselines as baselines
from benchmarks.population_baselines import GOODS, RATE, BlockMarket, ObjectMarket, Population
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.trading import Trade
from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.forms import CES, CobbDouglas
from simulator.economics.utility import Homothetic
from simulator.run import run_to_disk
from simulator.scenario import load
from simulator.schedulers.model import MarketModel
from simulator.schedulers.tatonnement import Tatonnement

OBJECTS = 10_000
"""How many consumers the object model has: its cost per consumer does not depend on it."""
ROUNDS = 5
ONCE = 1_000_000
"""As good as this many consumers: measured for as few ticks."""


def ours(population: Population, *, every_tick: bool = False, aggregates: bool = False) -> MarketModel:
    """The package's market of a population; on the individual road unless it may aggregate."""
    count = len(population.shares)
    form = CobbDouglas(population.shares)
    if population.elasticity is not None:
        form = CES(population.elasticity, population.shares)
    people = Consumers("people", Homothetic(form), population.endowment, np.zeros(1), np.zeros((1, 0)), count)
    goods = tuple(f"g{good}" for good in range(GOODS))
    economy = Economy(goods, np.zeros(GOODS), np.full(GOODS, np.nan), (), (people,))
    rule = PriceRule("multiplicative", RATE, (), np.full(GOODS, 1e-12), np.zeros(GOODS, dtype=bool))
    prices = np.array(baselines.first_prices())
    return MarketModel(Tatonnement(rule, Trade(every_tick), aggregates=aggregates), economy, prices)


def check_answers() -> float:
    """The largest relative difference of prices between the roads after twenty ticks."""
    worst = 0.0
    for ces in (False, True):
        population = baselines.draw(2000, ces=ces)
        sides = [ours(population), ours(population, aggregates=True), BlockMarket(population), ObjectMarket(population)]
        for _ in range(20):
            for side in sides:
                side.step()
        prices = [sides[0].next_prices, sides[1].next_prices, sides[2].prices, sides[3].prices]
        worst = max(worst, *(float(np.max(np.abs(np.array(p) / prices[3] - 1.0))) for p in prices))
    return worst


def nanoseconds(steps: dict[str, tuple[Callable[[], object], int]]) -> dict[str, float]:
    """Median nanoseconds per consumer and tick of every side; they take turns of some ticks, after some to warm up."""
    seen: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, (step, count) in steps.items():
            ticks = min(30, max(3, 3_000_000 // count))
            for _ in range(ticks // 3):
                step()
            begun = time.perf_counter()
            for _ in range(ticks):
                step()
            seen[name].append(1e9 * (time.perf_counter() - begun) / (ticks * count))
    return {name: statistics.median(values) for name, values in seen.items()}


def planning(count: int, ces: bool, mesa_frames: str | None) -> None:
    """Planning and trade against the baselines, one line of ratios."""
    population, few = baselines.draw(count, ces=ces), baselines.draw(OBJECTS, ces=ces)
    found = nanoseconds(
        {
            "objects": (ObjectMarket(few).step, OBJECTS),
            "blocks": (BlockMarket(population).step, count),
            "individuals": (ours(population).step, count),
            "as shipped": (ours(population, aggregates=True).step, count),
            "trade": (ours(population, every_tick=True).step, count),
        }
    )
    if mesa_frames is not None:
        found["mesa-frames"] = from_mesa_frames(mesa_frames, count, ces)
    each = found["individuals"]
    frames = f"{found['mesa-frames'] / each:.1f}" if "mesa-frames" in found else "-"
    print(
        f"| {'CES' if ces else 'Cobb-Douglas'} | {count:,} | {found['objects'] / found['as shipped']:,.0f} "
        f"| {found['objects'] / each:,.0f} | {each / found['blocks']:.2f} | {frames} | {found['trade'] / each:.1f} "
        f"| {in_a_process_of_its_own(memory, count, ces):.1f} |   <- ns: "
        + ", ".join(f"{name} {ns:.3g}" for name, ns in found.items())
    )


def from_mesa_frames(python: str, count: int, ces: bool) -> float:
    """Nanoseconds per consumer and tick of the mesa-frames model, which must agree on prices."""
    script = Path(__file__).with_name("mesa_frames_population.py")
    ticks = ROUNDS + 1
    command = [python, str(script), str(count), "ces" if ces else "cobb_douglas", str(ticks)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    market = ours(baselines.draw(count, ces=ces))
    for _ in range(ticks):
        market.step()
    np.testing.assert_allclose(market.next_prices, said["prices"], rtol=1e-9)
    return float(said["ns"])


def memory(count: int, ces: bool) -> float:
    """Peak memory of building the market and trading for three ticks, in copies of the parameters (drawn before)."""
    population = baselines.draw(count, ces=ces)
    parameters = sum(values.nbytes for values in population if values is not None)
    tracemalloc.start()
    market = ours(population, every_tick=True)
    for _ in range(3):
        market.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (parameters + peak) / parameters


def in_a_process_of_its_own(measure: Callable[..., float], *arguments: object) -> float:
    """What is measured there finds no tables kept from before."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(measure, arguments)


def aggregate_road() -> float:
    """Cost of a tick with a million consumers against a thousand, Cobb-Douglas, as shipped."""
    few, many = (ours(baselines.draw(count, ces=False), aggregates=True) for count in (1000, 1_000_000))
    found = nanoseconds({"few": (few.step, 1), "many": (many.step, 1)})
    return found["many"] / found["few"]


def recording(count: int = 1000, ticks: int = 1000) -> float:
    """A run of a ten-good economy to disk with every tick recorded, against one that records its two ends."""
    goods = [f"g{good}" for good in range(GOODS)]
    people = {
        "name": "people",
        "count": count,
        "utility": {"ces": {"elasticity": {"uniform": [0.4, 2.5]}, "shares": {"dirichlet": dict.fromkeys(goods, 2)}}},
        "endowment": {good: {"lognormal": {"mean": 0, "sigma": 0.5}} for good in goods},
    }
    run = {"ticks": ticks, "references": "off", "stop": "never"}
    scenario = {"name": "ten_goods", "goods": goods, "consumers": [people], "run": run, "expect": "cleared"}

    def to_disk(every: int) -> Callable[[], object]:
        loaded = load(scenario, settings={"run.record_every": every})
        place = tempfile.mkdtemp()
        return lambda: run_to_disk(loaded, Path(place))

    found = nanoseconds({"bare": (to_disk(ticks), ONCE), "recorded": (to_disk(1), ONCE)})
    return found["recorded"] / found["bare"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mesa-frames", metavar="PYTHON", help="an interpreter that has mesa-frames")
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 1_000_000])
    arguments = parser.parse_args()
    print(f"answers of all sides agree to {check_answers():.1e} relative\n")
    print(
        "| tastes | consumers | times faster than Mesa objects, as shipped | individually | of NumPy's time in blocks "
        "| times faster than mesa-frames | trade, in plannings | memory, copies of parameters |\n" + "|---" * 8 + "|"
    )
    for ces in (False, True):
        for count in arguments.counts:
            planning(count, ces, arguments.mesa_frames)
    print(f"\na tick of a million consumers who plan as one against a thousand: {aggregate_road():.2f}")
    print(f"a run with every tick of ten goods recorded against one with none: {recording():.2f}")


if __name__ == "__main__":
    sys.exit(main())
