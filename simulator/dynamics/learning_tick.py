"""What a market of bundles is to learn, what it carries from tick to tick, and a tick as it was."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from simulator.economics.bundles import Layer, binary, separable
from simulator.economics.economy import Indices
from simulator.economics.forms import Array


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What is to be learnt: `inputs` `(patterns, inputs)` and `orders` `(patterns, contracts)`, and likewise what is
    held out for a test; who sells, the layers of hidden firms with the designs they begin with `(firms, goods below)`,
    and how many patterns stand in a tick's market (`batch`, all if 0).
    """

    input_names: tuple[str, ...]
    contracts: tuple[str, ...]
    inputs: Array
    orders: Array
    test_inputs: Array
    test_orders: Array
    sellers: str
    layers: tuple[Layer, ...]
    designs: tuple[Array, ...]
    batch: int

    @property
    def goods(self) -> int:
        """How many goods each contract prices, the constant one included."""
        return 1 + (self.layers[-1].firms if self.layers else self.inputs.shape[1])

    @cached_property
    def separable(self) -> bool | None:
        """Whether prices of the inputs can fill all orders, all or nothing; None where orders are not 0 or 1."""
        if len(self.contracts) > 1 or not binary(self.orders):
            return None
        return separable(self.inputs, self.orders[:, 0])

    @property
    def ticks_a_round(self) -> int:
        """How many ticks it takes until every pattern has been in the market."""
        return -(-len(self.inputs) // self.batch) if self.batch else 1


class LearningState(NamedTuple):
    """What the coming tick, the number `tick`, begins with: `prices` `(goods,)`, the `designs` of each layer `(firms,
    goods below)`, the `memory` of the price rule, and the `seed` that patterns are drawn by.
    """

    tick: int
    prices: Array
    designs: tuple[Array, ...]
    memory: tuple[Array, ...]
    seed: int


class LearningTick(NamedTuple):
    """A tick as it was: `prices` and planned `demand` and `supply` `(goods,)`, contract after contract; which
    `patterns` were in the market, what their bundles paid and what was supplied `(patterns, contracts)`; the `designs`.
    """

    tick: int
    prices: Array
    demand: Array
    supply: Array
    patterns: Indices
    paid: Array
    supplied: Array
    designs: tuple[Array, ...]

    @property
    def finite(self) -> bool:
        """Whether the market can go on."""
        return bool(np.isfinite(self.prices).all() and np.isfinite(self.paid).all())
