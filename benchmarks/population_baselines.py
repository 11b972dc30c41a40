"""An exchange economy of many consumers written three more times, as baselines: Mesa objects, NumPy, mesa-frames.

Every consumer owns some of each of ten goods and has a taste of its own, Cobb-Douglas or CES:

    x_i = a_i m / p_i          x_i = a_i m p_i^-s / sum_j a_j p_j^(1-s)          m = p.e

In a tick everybody plans at going prices, nobody trades, and every price moves along its excess demand,

    p *= exp(rate * z / s),    z = demand - supply,    s = max(demand, supply).

This file shares no code with the package; it is what the package's speed and answers are held against. Sources of the
parameters: `draw` (the same arrays serve all sides).
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import mesa
import numpy as np

GOODS = 10
RATE = 0.2
BLOCK = 32_768


class Population(NamedTuple):
    """Parameters of all consumers: `shares` and `endowment` `(consumers, goods)`, `elasticity` `(consumers,)` or None
    for Cobb-Douglas. Arrays lie in memory good by good.
    """

    shares: np.ndarray
    endowment: np.ndarray
    elasticity: np.ndarray | None


def draw(count: int, *, ces: bool, seed: int = 1) -> Population:
    """A population of consumers who all differ."""
    stream = np.random.default_rng(seed)
    shares = np.asfortranarray(stream.dirichlet(np.arange(1.0, GOODS + 1.0), count))
    endowment = np.asfortranarray(stream.lognormal(0.0, 0.5, (count, GOODS)))
    return Population(shares, endowment, stream.uniform(0.4, 2.5, count) if ces else None)


def first_prices() -> list[float]:
    """Where prices start: 1, 1.1, 1.2, ..."""
    return [1.0 + 0.1 * good for good in range(GOODS)]


def next_prices(prices: list[float], demand: list[float], supply: list[float]) -> list[float]:
    """The multiplicative rule, in plain floats."""
    steps = ((d - s) / max(d, s) for d, s in zip(demand, supply, strict=True))
    return [p * math.exp(RATE * step) for p, step in zip(prices, steps, strict=True)]


class Consumer(mesa.Agent):
    """One consumer as an object with lists of its own."""

    def __init__(self, model: ObjectMarket, shares: list[float], endowment: list[float]) -> None:
        super().__init__(model)
        self.shares, self.endowment = shares, endowment
        self.planned = [0.0] * GOODS

    def plan(self) -> None:
        prices = self.model.prices
        income = sum(p * e for p, e in zip(prices, self.endowment, strict=True))
        self.planned = [a * income / p for a, p in zip(self.shares, prices, strict=True)]


class CESConsumer(Consumer):
    """One with an elasticity of substitution."""

    def __init__(self, model: ObjectMarket, shares: list[float], endowment: list[float], elasticity: float) -> None:
        super().__init__(model, shares, endowment)
        self.elasticity = elasticity

    def plan(self) -> None:
        prices = self.model.prices
        income = sum(p * e for p, e in zip(prices, self.endowment, strict=True))
        powers = [a * p**-self.elasticity for a, p in zip(self.shares, prices, strict=True)]
        scale = income / sum(power * p for power, p in zip(powers, prices, strict=True))
        self.planned = [power * scale for power in powers]


class ObjectMarket(mesa.Model):
    """The market of consumers that are objects."""

    def __init__(self, population: Population) -> None:
        super().__init__(rng=1)
        self.prices = first_prices()
        shares, endowment = population.shares.tolist(), population.endowment.tolist()
        self.supply = population.endowment.sum(axis=0).tolist()
        for number, (taste, owned) in enumerate(zip(shares, endowment, strict=True)):
            if population.elasticity is None:
                Consumer(self, taste, owned)
            else:
                CESConsumer(self, taste, owned, float(population.elasticity[number]))

    def step(self) -> None:
        self.agents.do("plan")
        demand = [0.0] * GOODS
        for consumer in self.agents:
            for good, quantity in enumerate(consumer.planned):
                demand[good] += quantity
        self.prices = next_prices(self.prices, demand, self.supply)


class BlockMarket:
    """The market in NumPy, written for this one model: blocks of rows on threads, nothing of full size in between."""

    def __init__(self, population: Population) -> None:
        self.prices = first_prices()
        self.supply = population.endowment.sum(axis=0).tolist()
        count = len(population.shares)
        parts = [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]
        self.blocks = [
            (population.shares[part], population.endowment[part], population.elasticity)
            if population.elasticity is None
            else (population.shares[part], population.endowment[part], population.elasticity[part])
            for part in parts
        ]
        self.threads = ThreadPoolExecutor(os.cpu_count())

    def step(self) -> None:
        prices = np.array(self.prices)
        demand = sum(self.threads.map(lambda block: self._demand(prices, *block), self.blocks))
        self.prices = next_prices(self.prices, demand.tolist(), self.supply)

    @staticmethod
    def _demand(
        prices: np.ndarray, shares: np.ndarray, endowment: np.ndarray, elasticity: np.ndarray | None
    ) -> np.ndarray:
        income = endowment @ prices
        if elasticity is None:
            return (shares.T @ income) / prices
        powers = shares * np.exp(-elasticity[:, None] * np.log(prices))
        return powers.T @ (income / (powers @ prices))
