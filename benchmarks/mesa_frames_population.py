"""The population of `population_baselines` as a mesa-frames model: columns of a Polars frame, one query a tick.

mesa-frames 0.1.0a0 wants an older NumPy than the package does, so this file is run by an interpreter of its own:
`python -m benchmarks.populations --mesa-frames PATH/TO/PYTHON` starts it. It prints nanoseconds of CPU per consumer
and tick and the prices after them, as JSON.
"""

from __future__ import annotations

import json
import math
import sys
import time
from functools import reduce
from operator import add

import numpy as np
import polars as pl
from mesa_frames import AgentSetPolars, ModelDF

GOODS = 10
RATE = 0.2


class Consumers(AgentSetPolars):
    """All consumers as one frame: shares `a0..`, endowments `e0..`, and `s` where tastes are CES."""

    def __init__(self, model: Market, shares: np.ndarray, endowment: np.ndarray, elasticity: np.ndarray | None) -> None:
        super().__init__(model)
        columns = {"unique_id": np.arange(len(shares))}
        columns |= {f"a{good}": shares[:, good] for good in range(GOODS)}
        columns |= {f"e{good}": endowment[:, good] for good in range(GOODS)}
        self.add(pl.DataFrame(columns if elasticity is None else {**columns, "s": elasticity}))
        self.is_ces = elasticity is not None

    def step(self) -> None:
        prices = self.model.prices
        income = reduce(add, (pl.col(f"e{good}") * prices[good] for good in range(GOODS)))
        frame = self.agents.lazy().with_columns(income.alias("m"))
        if self.is_ces:
            powers = [
                (pl.col(f"a{good}") * (-pl.col("s") * math.log(prices[good])).exp()).alias(f"w{good}")
                for good in range(GOODS)
            ]
            spent = reduce(add, (pl.col(f"w{good}") * prices[good] for good in range(GOODS)))
            frame = frame.with_columns(powers).with_columns((pl.col("m") / spent).alias("scale"))
            demand = [(pl.col(f"w{good}") * pl.col("scale")).sum() for good in range(GOODS)]
        else:
            demand = [(pl.col(f"a{good}") * pl.col("m")).sum() / prices[good] for good in range(GOODS)]
        self.demand = frame.select(total.alias(str(good)) for good, total in enumerate(demand)).collect().row(0)


class Market(ModelDF):
    """The market of that frame."""

    def __init__(self, shares: np.ndarray, endowment: np.ndarray, elasticity: np.ndarray | None) -> None:
        super().__init__()
        self.prices = [1.0 + 0.1 * good for good in range(GOODS)]
        self.supply = endowment.sum(axis=0).tolist()
        self.consumers = Consumers(self, shares, endowment, elasticity)

    def step(self) -> None:
        self.consumers.step()
        steps = ((d - s) / max(d, s) for d, s in zip(self.consumers.demand, self.supply, strict=True))
        self.prices = [p * math.exp(RATE * step) for p, step in zip(self.prices, steps, strict=True)]


def main(count: int, ces: bool, ticks: int) -> None:
    """The population of `population_baselines.draw`, drawn again."""
    stream = np.random.default_rng(1)
    shares = np.asfortranarray(stream.dirichlet(np.arange(1.0, GOODS + 1.0), count))
    endowment = np.asfortranarray(stream.lognormal(0.0, 0.5, (count, GOODS)))
    market = Market(shares, endowment, stream.uniform(0.4, 2.5, count) if ces else None)
    seconds: list[float] = []
    for _ in range(ticks):
        begun = time.process_time()
        market.step()
        seconds.append(time.process_time() - begun)
    print(json.dumps({"ns": 1e9 * min(seconds) / count, "prices": market.prices}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "ces", int(sys.argv[3]))
