"""Programs as markets: a tick of a program of ten thousand operations, against one forward and reverse sweep of the
same operations in a plain Python loop, whose derivatives must be the market's prices.
"""

from __future__ import annotations

import math
import random
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Columns, Group, Groups, Line, Side
from simulator.programs.language import parse
from simulator.programs.supply_chain import chain_of
from simulator.records.recorder import Recorder
from simulator.scenario import load
from simulator.schedulers.market import Market
from simulator.schedulers.scheduler import ViewOptions

OPERATIONS = 10_000
LAYERS = 40

Step = tuple[str, int, int]


def program(operations: int = OPERATIONS, seed: int = 1) -> tuple[str, list[Step]]:
    """Layers of sums, products, sines and tangents, as text and as steps `(sign, argument, argument)` on places."""
    stream = random.Random(seed)
    width = operations // LAYERS
    lines, steps = [], []
    names = [f"x{place}" for place in range(width)]
    known = list(range(width))
    for layer in range(LAYERS):
        made, places = [], []
        for place in range(width):
            a, b = stream.randrange(width), stream.randrange(width)
            sign = stream.choice(["+", "*", "sin", "tanh"])
            name = f"v{layer}_{place}"
            text = f"{names[a]} {sign} {names[b]}" if sign in "+*" else f"{sign}({names[a]})"
            lines.append(f"{name} = {text}")
            steps.append((sign, known[a], known[b]))
            made.append(name)
            places.append(width + len(steps) - 1)
        names, known = made, places
    return "\n".join([*lines, f"return {names[0]}"]), steps


def sweep(inputs: list[float], steps: list[Step], result: int) -> tuple[float, list[float]]:
    """The result's value and its derivatives by every place, in plain Python."""
    values = list(inputs)
    for sign, a, b in steps:
        if sign == "+":
            values.append(values[a] + values[b])
        elif sign == "*":
            values.append(values[a] * values[b])
        elif sign == "sin":
            values.append(math.sin(values[a]))
        else:
            values.append(math.tanh(values[a]))
    slopes = [0.0] * len(values)
    slopes[result] = 1.0
    for place in range(len(values) - 1, len(inputs) - 1, -1):
        sign, a, b = steps[place - len(inputs)]
        slope = slopes[place]
        if sign == "+":
            slopes[a] += slope
            slopes[b] += slope
        elif sign == "*":
            slopes[a] += slope * values[b]
            slopes[b] += slope * values[a]
        elif sign == "sin":
            slopes[a] += slope * math.cos(values[a])
        else:
            slopes[a] += slope * (1.0 - values[place] ** 2)
    return values[result], slopes


def compiled(text: str) -> dict[str, Any]:
    """The program as a supply chain that computes by `marginal_bids`, without its supplies."""
    return {**chain_of(parse(text)), "scheduler": {"kind": "marginal_bids", "rate": 1}}


def computing(operations: int, ticks: int, sweeps: int) -> Group:
    """A program's market beside a plain sweep, so many of each in a row."""
    text, steps = program(operations)
    width, stream = operations // LAYERS, random.Random(2)
    inputs = [stream.uniform(0.2, 0.8) for _ in range(width)]
    data = compiled(text)
    used = [place for place in range(width) if f"x{place}" in data["goods"]]
    data |= {"supply": {f"x{place}": inputs[place] for place in used}}
    scenario = load(data)
    market = scenario.market()
    for _ in range(2 * LAYERS):
        market.advance()
    at = [market.economy.goods.index(f"x{place}") for place in used]

    def tick() -> Market:
        for _ in range(ticks):
            market.advance()
        return market

    def swept() -> list[float]:
        for _ in range(sweeps):
            slopes = sweep(inputs, steps, operations)[1]
        return slopes

    recorder = Recorder(
        market.scheduler.view(market.economy, scenario.initial_prices, ViewOptions(scenario.markets, 0))
    )

    def recorded() -> Market:
        for _ in range(ticks):
            recorder.observe(market.advance(), record=True)
        recorder.tables()
        return market

    def prices(of: Market) -> Columns:
        return {"derivatives": of.scheduler.quotes(of.economy, of.last_tick).prices[at]}

    sides = {
        "tick": Side(lambda: tick, prices, ticks),
        "sweep": Side(lambda: swept, lambda slopes: {"derivatives": np.array(slopes)[used]}, sweeps, per=" a sweep"),
        "recorded": Side(lambda: recorded, prices, ticks),
        "compile": Side(lambda: lambda: compiled(text), lambda _: {}, per=""),
        "read": Side(lambda: lambda: load(data), lambda _: {}, per=""),
    }
    of = f"{operations:,} operations"
    lines = [
        Line(of, "a tick, against a forward and reverse sweep in plain Python", "tick", "sweep", 20),
        Line(of, "a tick recorded with its reverse sweep, against one in Python", "recorded", "sweep", faster=True),
        Line(of, "the program compiled, in sweeps", "compile", "sweep", common="none"),
        Line(of, "read as a scenario, in sweeps", "read", "sweep", common="none"),
    ]
    return Group(sides, lines)


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    return {"programs": partial(computing, *((400, 2, 1) if quick else (OPERATIONS, 50, 4)))}
