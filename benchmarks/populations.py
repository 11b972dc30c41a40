"""Populations: a tick of a million consumers who all differ, ten goods, beside NumPy in blocks, Numba and Mesa objects.

`python -m benchmarks.populations` tells what is no CPU time: memory in copies of the parameters and, with
`--mesa-frames PYTHON` (an interpreter that has it), mesa-frames in a process of its own.
"""

from __future__ import annotations

import os

# The blocks run on threads of their own; more of them inside BLAS would only be in the way, of the others too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import multiprocessing
import subprocess
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import population_baselines as baselines
from benchmarks.harness import Columns, Group, Groups, Line, Side, measured
from benchmarks.population_baselines import GOODS, RATE, BlockMarket, ObjectMarket, Population
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.trading import Trade
from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.forms import CES, CobbDouglas
from simulator.economics.utility import Homothetic
from simulator.schedulers.market import Market
from simulator.schedulers.tatonnement import Tatonnement

TICKS = 6
"""Ticks of mesa-frames, and of a round beside it."""


def market(population: Population, *, trades: bool = False, aggregates: bool = False, **engine: str) -> Market:
    """The package's market of a population; everybody plans alone unless it may aggregate."""
    count = len(population.shares)
    form = CobbDouglas(population.shares)
    if population.elasticity is not None:
        form = CES(population.elasticity, population.shares)
    people = Consumers("people", Homothetic(form), population.endowment, np.zeros(1), np.zeros((1, 0)), count)
    goods = tuple(f"g{good}" for good in range(GOODS))
    economy = Economy(goods, np.zeros(GOODS), np.full(GOODS, np.nan), (), (people,))
    rule = PriceRule("multiplicative", RATE, (), np.full(GOODS, 1e-12), np.zeros(GOODS, dtype=bool))
    prices = np.array(baselines.first_prices())
    return Market(Tatonnement(rule, Trade(trades), aggregates=aggregates, **engine), economy, prices)


def ticks(make: Callable[[], Any], consumers: int, count: int) -> Side:
    """So many ticks of a market that stands ready and goes on from round to round, after one that is not counted."""
    made: list[Any] = []

    def start() -> Callable[[], Any]:
        if not made:
            made.append(make())
            made[0].advance()

        def work() -> Any:
            for _ in range(count):
                made[0].advance()
            return made[0]

        return work

    return Side(start, answer, consumers * count, per=" a consumer")


def answer(market: Any) -> Columns:
    """The prices that come next and, where there is trade, what is in everybody's purse."""
    if isinstance(market, Market):
        purses = market.state.accounts[0] if market.scheduler.trade.every_tick else None
        prices = market.next_prices
    else:
        purses = market.account if getattr(market, "trades", False) else None
        prices = np.array(market.prices)
    return {"prices": prices} if purses is None else {"prices": prices, "purses": purses}


def tiles(population: Population, *, trades: bool) -> Any:
    """The market in Numba."""
    from benchmarks.population_tiles import TileMarket

    return TileMarket(population, trades=trades)


def against(
    engine: str, baseline: str, others: Callable[..., Any], aims: tuple[float, float], count: int, times: int, ces: bool
) -> Group:
    """Everybody planning alone by an `engine` against a baseline that does the same, without trade and with it; the
    traded tick also in plannings of the baseline. `aims` are for planning and for trade.
    """
    population, tastes = baselines.draw(count, ces=ces), "CES" if ces else "Cobb-Douglas"
    sides: dict[str, Side] = {}
    for word, trades in (("plans", False), ("trades", True)):
        sides[word] = ticks(lambda trades=trades: market(population, trades=trades, engine=engine), count, times)
        sides[f"they {word[:-1]}"] = ticks(lambda trades=trades: others(population, trades=trades), count, times)
    what, plannings = f"a tick of {count:,} consumers", f"traded: {engine}, in plans of {baseline}"
    lines = [
        Line(tastes, f"{what}, plan: {engine}, against {baseline}", "plans", "they plan", at_most=aims[0]),
        Line(tastes, f"{what}, traded: {engine}, against {baseline}", "trades", "they trade", at_most=aims[1]),
        Line(tastes, f"{what}, {plannings}", "trades", "they plan", at_most=aims[1], common="none"),
    ]
    needs = ("numba",) if engine == "compiled" else ()
    one = market(population)
    refused = one.scheduler.refusal(one.economy, one.state.prices, engine) if engine == "compiled" else None
    return Group(sides, lines, needs=needs, refused=refused or "", rounds=4)


def shipped(count: int, few: int, times: int, *, ces: bool) -> Group:
    """As scenarios have it: a cohort whose demand adds up plans as one. An object costs the same among any number of
    them; answers are compared where both sides have few consumers.
    """
    population, some = baselines.draw(count, ces=ces), baselines.draw(few, ces=ces)
    tastes, least = ("CES", None) if ces else ("Cobb-Douglas", 500)
    sides = {
        "many": ticks(lambda: market(population, aggregates=True), count, times),
        "few": ticks(lambda: market(some, aggregates=True), few, times),
        "objects": ticks(lambda: ObjectMarket(some), few, times),
    }
    what = "a tick of {:,} consumers as shipped, against Mesa objects"
    lines = [
        Line(tastes, what.format(count), "many", "objects", least, faster=True, common="none"),
        Line(tastes, what.format(few), "few", "objects", faster=True),
    ]
    return Group(sides, lines)


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    count, few, times = (3_000, 300, 2) if quick else (1_000_000, 10_000, 3)
    found: Groups = {}
    for ces in (False, True):
        tastes = "CES" if ces else "Cobb-Douglas"
        arrays = ("arrays", "NumPy in blocks", BlockMarket, (1.2, 4.0), count, times)
        compiled = ("compiled", "fused Numba tiles", tiles, (1.5, 3.0), count, times)
        found[f"population {tastes}"] = partial(shipped, count, few, times, ces=ces)
        found[f"population {tastes} arrays"] = partial(against, *arrays, ces=ces)
        found[f"population {tastes} compiled"] = partial(against, *compiled, ces=ces)
    return found


def from_mesa_frames(python: str, count: int, ces: bool) -> float:
    """Nanoseconds of CPU per consumer and tick of the mesa-frames model, which must agree on prices."""
    script = Path(__file__).with_name("mesa_frames_population.py")
    command = [python, str(script), str(count), "ces" if ces else "cobb_douglas", str(TICKS)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    ours = market(baselines.draw(count, ces=ces), aggregates=True)
    for _ in range(TICKS):
        ours.advance()
    np.testing.assert_allclose(ours.next_prices, said["prices"], rtol=1e-9)
    return float(said["ns"])


def memory(count: int, ces: bool) -> float:
    """Peak memory of building the market and trading for three ticks, in copies of the parameters (drawn before)."""
    population = baselines.draw(count, ces=ces)
    parameters = sum(values.nbytes for values in population if values is not None)
    tracemalloc.start()
    made = market(population, trades=True)
    for _ in range(3):
        made.advance()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (parameters + peak) / parameters


def main(count: int = 1_000_000) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mesa-frames", metavar="PYTHON", help="an interpreter that has mesa-frames")
    python = parser.parse_args().mesa_frames
    for ces in (False, True):
        # What is measured in a process of its own finds no tables kept from before.
        with multiprocessing.get_context("spawn").Pool(1) as process:
            copies = process.apply(memory, (count, ces))
        print(f"{'CES' if ces else 'Cobb-Douglas'}: memory in copies of the parameters {copies:.1f} (aim: at most 2.5)")
        if python is not None:
            theirs = from_mesa_frames(python, count, ces)
            made = market(baselines.draw(count, ces=ces), aggregates=True)
            ours = 1e9 * measured(Group({"ours": ticks(lambda made=made: made, count, TICKS)}, []))["ours"]
            print(f"a consumer and tick: {ours:.2g} ns, mesa-frames {theirs:.2g} ns, {theirs / ours:.2g} times faster")


if __name__ == "__main__":
    main()
