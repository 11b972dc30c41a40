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
BLOCK = 8_192


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

    def advance(self) -> None:
        self.agents.do("plan")
        demand = [0.0] * GOODS
        for consumer in self.agents:
            for good, quantity in enumerate(consumer.planned):
                demand[good] += quantity
        self.prices = next_prices(self.prices, demand, self.supply)


class BlockMarket:
    """The market in NumPy, written for this one model: blocks of consumers on threads, good by good in memory, nothing
    of full size in between. With `trades` orders are filled in every tick, the long side in proportion, and purses
    `(consumers,)` are carried over.
    """

    def __init__(self, population: Population, *, trades: bool = False) -> None:
        self.prices, self.trades = first_prices(), trades
        self.supply = population.endowment.sum(axis=0)
        count = len(population.shares)
        self.account = np.zeros(count)
        self.excess = np.empty((GOODS, count)) if trades else None
        self.population = Population(population.shares.T, population.endowment.T, population.elasticity)
        self.blocks = [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
        self.threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)))

    def advance(self) -> None:
        prices = np.array(self.prices)
        if self.trades:
            sums = sum(self.threads.map(lambda block: self._order(prices, block), self.blocks))
            self._ration(prices, *sums)
            demand = sums[0] + self.supply
        else:
            demand = sum(self.threads.map(lambda block: self._demand(prices, block), self.blocks))
        self.prices = next_prices(self.prices, demand.tolist(), self.supply.tolist())

    def _ration(self, prices: np.ndarray, excess: np.ndarray, wanted: np.ndarray) -> None:
        offered = wanted - excess
        traded = prices * np.minimum(wanted, offered)
        paid, earned = traded / wanted, traded / offered
        list(self.threads.map(lambda block: self._settle(paid, earned, block), self.blocks))

    def _parts(self, block: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        shares, endowment, elasticity = self.population
        return shares[:, block], endowment[:, block], None if elasticity is None else elasticity[block]

    def _powers(self, prices: np.ndarray, block: slice) -> np.ndarray:
        """`a_i p_i^-s`, `(goods, consumers)`."""
        shares, _, elasticity = self._parts(block)
        powers = np.multiply(-np.log(prices)[:, None], elasticity)
        np.exp(powers, out=powers)
        powers *= shares
        return powers

    def _demand(self, prices: np.ndarray, block: slice) -> np.ndarray:
        """What a block plans to consume, `(goods,)`."""
        shares, endowment, elasticity = self._parts(block)
        income = prices @ endowment
        if elasticity is None:
            return (shares @ income) / prices
        powers = self._powers(prices, block)
        return powers @ (income / (prices @ powers))

    def _order(self, prices: np.ndarray, block: slice) -> np.ndarray:
        """What a block plans beyond what it owns, and what of that is wanted, `(2, goods)`."""
        shares, endowment, elasticity = self._parts(block)
        excess = self.excess[:, block]
        income = np.maximum(prices @ endowment + self.account[block], 0.0)
        if elasticity is None:
            np.multiply(shares, income, out=excess)
            excess /= prices[:, None]
        else:
            powers = self._powers(prices, block)
            np.multiply(powers, income / (prices @ powers), out=excess)
        excess -= endowment
        return np.stack([excess.sum(axis=1), np.maximum(excess, 0.0).sum(axis=1)])

    def _settle(self, paid: np.ndarray, earned: np.ndarray, block: slice) -> None:
        """A unit wanted costs `paid`, a unit offered brings `earned`, `(goods,)` each: prices times what is filled."""
        excess = self.excess[:, block]
        self.account[block] -= paid @ np.maximum(excess, 0.0) + earned @ np.minimum(excess, 0.0)
