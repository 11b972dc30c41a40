"""The market of `population_baselines` in Numba (extra `fast`): fused loops over tiles of consumers, on threads.

A tile's numbers stay in the cache from the first operation to the last. `exp` is written out, as a compiler makes
vector instructions of arithmetic and not of calls. This file shares no code with the package.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import njit

from benchmarks.population_baselines import Population, first_prices, next_prices

TILE = 1024
fused = njit(fastmath=True, nogil=True, cache=True)


@fused
def _exp(x):
    """`2^k e^r` with `x = k ln 2 + r`: the polynomial of `e^r`, and `k`."""
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = x - k * 0.6931471803691238 - k * 1.9082149292705877e-10
    y = 1.0 / 6227020800.0
    y = y * r + 1.0 / 479001600.0
    y = y * r + 1.0 / 39916800.0
    y = y * r + 1.0 / 3628800.0
    y = y * r + 1.0 / 362880.0
    y = y * r + 1.0 / 40320.0
    y = y * r + 1.0 / 5040.0
    y = y * r + 1.0 / 720.0
    y = y * r + 1.0 / 120.0
    y = y * r + 1.0 / 24.0
    y = y * r + 1.0 / 6.0
    y = y * r + 0.5
    return (y * r + 1.0) * r + 1.0, k


@fused
def _incomes(endowment, account, prices, low, high):
    """Incomes of a tile."""
    incomes = account[low:high].copy()
    for good in range(len(prices)):
        owned, price = endowment[good, low:high], prices[good]
        for i in range(len(incomes)):
            incomes[i] += owned[i] * price
    return incomes


@fused
def _bundles(shares, elasticity, incomes, prices, low, high, bundles):
    """What a tile plans, into `bundles` `(goods, tile)`: Cobb-Douglas where nobody has an elasticity."""
    if not len(elasticity):
        for good in range(len(prices)):
            row, share, price = bundles[good], shares[good, low:high], prices[good]
            for i in range(len(incomes)):
                row[i] = share[i] * incomes[i] / price
        return
    curvature, costs = elasticity[low:high], np.zeros(high - low)
    bits = np.empty(high - low, np.int64)
    scale = bits.view(np.float64)
    for good in range(len(prices)):
        row, share, price, log = bundles[good], shares[good, low:high], prices[good], -np.log(prices[good])
        for i in range(len(incomes)):
            row[i], k = _exp(curvature[i] * log)
            bits[i] = (np.int64(np.int32(k)) + 1023) << 52
        for i in range(len(incomes)):
            row[i] *= share[i] * scale[i]
            costs[i] += row[i] * price
    for i in range(len(incomes)):
        costs[i] = incomes[i] / costs[i]
    for good in range(len(prices)):
        row = bundles[good]
        for i in range(len(incomes)):
            row[i] *= costs[i]


@fused
def plan(shares, endowment, elasticity, account, prices, low, high):
    """What the consumers from `low` to `high` plan to consume, `(goods,)`."""
    demand = np.zeros(len(prices))
    bundles = np.empty((len(prices), TILE))
    for first in range(low, high, TILE):
        last = min(first + TILE, high)
        incomes = _incomes(endowment, account, prices, first, last)
        if len(elasticity):
            _bundles(shares, elasticity, incomes, prices, first, last, bundles)
        for good in range(len(prices)):
            total, row, share = 0.0, bundles[good], shares[good, first:last]
            if len(elasticity):
                for i in range(len(incomes)):
                    total += row[i]
            else:
                for i in range(len(incomes)):
                    total += share[i] * incomes[i] / prices[good]
            demand[good] += total
    return demand


@fused
def order(shares, endowment, elasticity, account, prices, low, high, excess):
    """What they plan beyond what they own, into `excess` `(goods, consumers)`; of that the sums of all and of what is
    wanted, `(2, goods)`.
    """
    sums = np.zeros((2, len(prices)))
    bundles = np.empty((len(prices), TILE))
    for first in range(low, high, TILE):
        last = min(first + TILE, high)
        incomes = np.maximum(_incomes(endowment, account, prices, first, last), 0.0)
        _bundles(shares, elasticity, incomes, prices, first, last, bundles)
        for good in range(len(prices)):
            all_of_it, wanted = 0.0, 0.0
            row, owned, beyond = bundles[good], endowment[good, first:last], excess[good, first:last]
            for i in range(len(incomes)):
                beyond[i] = row[i] - owned[i]
                all_of_it += beyond[i]
                wanted += max(beyond[i], 0.0)
            sums[0, good] += all_of_it
            sums[1, good] += wanted
    return sums


@fused
def settle(account, excess, paid, earned, low, high):
    """Purses after a tick in which a unit wanted cost `paid` and a unit offered brought `earned`, `(goods,)` each."""
    for first in range(low, high, TILE):
        purses = account[first : min(first + TILE, high)]
        for good in range(len(paid)):
            beyond, cost, gain = excess[good, first : first + TILE], paid[good], earned[good]
            for i in range(len(purses)):
                purses[i] -= max(beyond[i], 0.0) * cost + min(beyond[i], 0.0) * gain


class TileMarket:
    """The market of a population; with `trades` as in `BlockMarket`."""

    def __init__(self, population: Population, *, trades: bool = False) -> None:
        self.prices, self.supply, self.trades = first_prices(), population.endowment.sum(axis=0), trades
        count, threads = len(population.shares), len(os.sched_getaffinity(0))
        self.account = np.zeros(count)
        self.excess = np.empty((len(self.prices), count)) if trades else None
        elasticity = np.zeros(0) if population.elasticity is None else population.elasticity
        self.parameters = (population.shares.T, population.endowment.T, elasticity, self.account)
        ends = [count * part // threads for part in range(threads + 1)]
        self.parts = list(pairwise(ends))
        self.threads = ThreadPoolExecutor(threads)

    def advance(self) -> None:
        prices, excess = np.array(self.prices), self.excess
        if excess is None:
            demand = sum(self.threads.map(lambda part: plan(*self.parameters, prices, *part), self.parts))
        else:
            done = self.threads.map(lambda part: order(*self.parameters, prices, *part, excess), self.parts)
            beyond, wanted = sum(done)
            offered, demand = wanted - beyond, beyond + self.supply
            traded = prices * np.minimum(wanted, offered)
            paid, earned = traded / wanted, traded / offered
            list(self.threads.map(lambda part: settle(self.account, excess, paid, earned, *part), self.parts))
        self.prices = next_prices(self.prices, demand.tolist(), self.supply.tolist())
