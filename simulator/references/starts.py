"""Where a search for equilibria begins: all prices 1, those of the scenario, and quasi-random ones ever farther off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulator.economics.forms import Array
from simulator.economics.unknowns import Unknowns

SPREAD, WIDE = 3.0, 8.0
"""How far quasi-random starts are from the level of prices either way, in logarithms: in turn, then all far."""
BOUNDARY = -12.0
"""The logarithm of a price next to the boundary."""


def everywhere(unknowns: Unknowns, starts: list[Array], many: int, seed: int) -> Iterator[Array]:
    """Where to search from: all 1, the given starts, so `many` together with quasi-random ones near their level, then
    wider ones about prices at which all goods are worth the same and, in turn, ones with a price next to the boundary.

    Quasi-random logarithms are the multiples of square roots of primes, modulo 1 (Kronecker), shifted by the seed.
    """
    prices = starts[0][: len(unknowns.economy.goods)]
    lowest, ray = 1e-6 * np.max(prices), unknowns.relative_only and unknowns.economy.bounds is None
    # What is fixed stays as it is: who takes waste is paid for it.
    given = np.where(unknowns.fixed, prices, np.maximum(prices, lowest))
    goods, bounded = len(unknowns.economy.goods), unknowns.bounded
    first = unknowns.beginning(np.ones(len(prices)) if ray else given)[:bounded]
    free, relative = (unknowns.free | unknowns.level_free | ray)[:bounded], np.arange(bounded) < goods
    # Levels are about 1.
    level = np.where(relative, np.exp(np.mean(np.log(np.abs(first[relative])))), 1.0)
    yield unknowns.beginning(np.where(free, level, first))
    yield from map(unknowns.beginning, starts)
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(7,))))
    shift, roots, count = stream.uniform(size=len(first)), np.sqrt(_primes(len(first))), 0
    while True:
        count += 1
        unit = 2.0 * ((shift + count * roots) % 1.0) - 1.0
        within = count <= many - 1 - len(starts)
        if count == many - len(starts):
            level = level * _of_equal_worth(unknowns, first)
        logarithms = (SPREAD if within and count % 2 else WIDE) * unit
        if not within and count % 2:
            logarithms[count // 2 % len(first)] = BOUNDARY
        yield unknowns.beginning(np.where(free, level * np.exp(logarithms), first))


def _of_equal_worth(unknowns: Unknowns, first: Array) -> Array:
    """Factors at which what is supplied of every good is worth the same: goods may be counted in any unit."""
    factors, supply = np.ones(len(first)), unknowns.plans(unknowns.beginning(first)).supply
    known = np.flatnonzero(np.isfinite(supply) & (supply > 0))
    logarithms = np.log(supply[known])
    factors[known] = np.exp(np.sum(logarithms) / max(len(known), 1) - logarithms)
    return factors


def _primes(many: int) -> Array:
    """The first prime numbers."""
    found = list[int]()
    number = 2
    while len(found) < many:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return np.array(found, dtype=float)
