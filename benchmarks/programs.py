"""How fast large programs are as markets: `python -m benchmarks.programs`.

A program of ten thousand operations, compiled and read as a scenario; then a tick of its market against one forward and
reverse sweep of the same operations in a plain Python loop, whose derivatives must be the market's prices. Ticks come
in rows, as in a run, and so do sweeps, in turns with them; the first of a row finds the caches full of the other's
numbers and does not count, and of the rows the median does.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from simulator.programs.language import parse
from simulator.programs.supply_chain import chain_of
from simulator.records.recorder import Recorder
from simulator.run import market_of
from simulator.scenario import load
from simulator.schedulers.model import MarketModel
from simulator.schedulers.scheduler import ViewOptions

OPERATIONS = 10_000
LAYERS = 40
ROUNDS = 40
TICKS, SWEEPS = 50, 4
"""How many of each stand in a row."""

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


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """How long it takes, a mean over so many times in a row."""
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times


def main() -> None:
    """Measure and print."""
    text, steps = program()
    width = OPERATIONS // LAYERS
    stream = random.Random(2)
    inputs = [stream.uniform(0.2, 0.8) for _ in range(width)]
    chain: dict[str, object] = {}
    compiled = seconds(lambda: chain.update(chain_of(parse(text))))
    used = {name for name in chain["goods"] if name.startswith("x")}  # pyright: ignore[reportGeneralTypeIssues,reportUnknownVariableType]
    supply = {f"x{place}": value for place, value in enumerate(inputs) if f"x{place}" in used}
    data = {**chain, "supply": supply, "scheduler": {"kind": "marginal_bids", "rate": 1}}
    loaded: list[MarketModel] = []

    def read() -> None:
        loaded.append(market_of(load(data)))

    opened = seconds(read)
    (market,) = loaded
    for _ in range(2 * LAYERS):
        market.advance()
    value, slopes = sweep(inputs, steps, OPERATIONS)
    places = {name: place for place, name in enumerate(market.economy.goods)}
    theirs = np.array([slopes[place] for place in range(width) if f"x{place}" in used])
    prices = market.scheduler.quotes(market.economy, market.last_tick).prices
    ours = np.array([prices[places[f"x{place}"]] for place in range(width) if f"x{place}" in used])
    print(f"derivatives of {len(ours)} inputs agree to {np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)):.1e}")

    def swept() -> None:
        sweep(inputs, steps, OPERATIONS)

    rounds: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        market.advance()
        ticking = seconds(market.advance, TICKS)
        swept()
        rounds.append((ticking, seconds(swept, SWEEPS)))
    tick, plain = (statistics.median(side) for side in zip(*rounds, strict=True))
    print(f"{OPERATIONS:,} operations compiled in {compiled:.2f} s, read as a scenario in {opened:.2f} s")
    faster = f"{plain / tick:.0f} times faster"
    print(f"a tick takes {1e3 * tick:.3f} ms, a sweep in plain Python {1e3 * plain:.2f} ms: {faster}")
    recorder = Recorder(market.scheduler.view(market.economy, prices, ViewOptions(load(data).markets, 0)))

    def recorded() -> None:
        recorder.observe(market.advance(), record=True)

    written = seconds(recorded, TICKS) + seconds(recorder.tables) / TICKS
    print(f"a tick that is recorded in tables, with a full reverse sweep beside it, takes {1e3 * written:.1f} ms")
    assert math.isfinite(value)


if __name__ == "__main__":
    sys.exit(main())
