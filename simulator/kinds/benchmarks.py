"""Benchmarks: quantities that were bought at some prices, and how far they may be replaced.

Shares are calibrated: at the benchmark's prices its quantities are bought again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, ValidationInfo, model_validator

from simulator.economics import nests
from simulator.economics.forms import CES, Form, Leontief
from simulator.economics.shared_goods import SharedGoods
from simulator.kinds.draws import Reader
from simulator.kinds.entry import Complaint, Entry, GoodName, Known, Name, Positive, refusal
from simulator.kinds.numbers import AnyAmount
from simulator.kinds.wording import shown

ByGood = dict[GoodName, Positive]
"""Numbers above 0 by good."""


class Benchmark(Entry):
    """Quantities by good, nests of them, and an elasticity of substitution between these."""

    table: ClassVar[str]
    """The key under which the quantities stand."""
    elasticity: AnyAmount = Field(1.0, description="elasticity of substitution; 0 fixed proportions")

    @property
    def quantities(self) -> dict[str, float]:
        """How much of each good, nests aside."""
        return getattr(self, self.table)

    @property
    def below(self) -> Mapping[str, Benchmark]:
        """The nests by name."""
        return getattr(self, "nests", None) or {}

    def leaves(self) -> Iterator[tuple[str, float]]:
        """The goods of the tree with their quantities, in order; the same good may come twice."""
        yield from self.quantities.items()
        for nest in self.below.values():
            yield from nest.leaves()

    def goods(self) -> tuple[str, ...]:
        """The goods of the tree, in order, each once."""
        return tuple(dict.fromkeys(good for good, _ in self.leaves()))

    @model_validator(mode="before")
    @classmethod
    def _nests_count_themselves(cls, given: Any, info: ValidationInfo) -> Any:
        table, nests = (given.get(key) for key in (cls.table, "nests")) if isinstance(given, dict) else (None, None)
        if isinstance(table, dict) and isinstance(nests, dict):
            both = [name for name in table if name in nests and Known.of(info).stranger(name)]
            said = "found a quantity of the nest {}; expected none: a nest counts what is in it"
            if both:
                raise refusal(*(Complaint((cls.table, name), said.format(shown(name)), "key") for name in both))
        return given

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not self.quantities and not self.below:
            raise refusal(Complaint((), f"found neither {self.table} nor nests; expected a good at least"))
        return self

    def cost(self, prices: Mapping[str, float]) -> float:
        """What it costs at benchmark prices, 1 unless said."""
        return sum(quantity * prices.get(good, 1.0) for good, quantity in self.leaves())

    def form(self, read: Reader, prices: Mapping[str, float]) -> Form:
        """The form over the goods to be read of which the benchmark is a unit."""
        places = [read.goods.index(good) for good, _ in self.leaves()]
        if not self.below:
            quantities, benchmark = np.zeros((1, len(read.goods))), np.ones((1, len(read.goods)))
            quantities[0, places] = list(self.quantities.values())
            benchmark[0, places] = [prices.get(good, 1.0) for good in self.quantities]
            return nests.calibrated(read.number(self.elasticity, "elasticity"), quantities, benchmark)
        if len(set(places)) == len(places):
            return self._tree(read, prices, iter(places), len(read.goods))
        tree = self._tree(read, prices, iter(range(len(places))), len(places))
        return SharedGoods(tree, tuple(places), len(read.goods))

    def _tree(self, read: Reader, prices: Mapping[str, float], places: Iterator[int], goods: int) -> nests.Nest:
        """The tree over `goods`, whose leaves have the `places` that come next; a nest is worth what is in it."""
        quantities = [*self.quantities.values(), *(1.0 for _ in self.below)]
        benchmark = [prices.get(good, 1.0) for good in self.quantities]
        benchmark += [nest.cost(prices) for nest in self.below.values()]
        branches: list[int | nests.Nest] = [next(places) for _ in self.quantities]
        branches += [nest._tree(read.at("nests", name), prices, places, goods) for name, nest in self.below.items()]
        elasticity = read.number(self.elasticity, "elasticity")
        level: CES | Leontief = nests.calibrated(elasticity, np.array([quantities]), np.array([benchmark]))
        return nests.Nest(level, tuple(branches), goods)


def strangers(prices: Mapping[str, float], key: str, goods: tuple[str, ...], among: str) -> Iterator[Complaint]:
    """Complaints about prices of goods that a benchmark does not have."""
    for good in prices.keys() - {*goods}:
        yield Complaint(
            (key, good),
            f"found a price of {shown(good)}, which is not among {among}; expected prices of these alone",
            "key",
        )


class InputNest(Benchmark):
    """Inputs that are a good of their own, worth what is in it."""

    table: ClassVar[str] = "inputs"
    inputs: ByGood = Field(default_factory=dict[str, float], description="quantities used, by good")
    nests: dict[Name, InputNest] | None = Field(None, description="nests beside them, without a quantity, by name")


class DemandNest(Benchmark):
    """Goods that are a good of their own, worth what is in it."""

    table: ClassVar[str] = "demand"
    demand: ByGood = Field(default_factory=dict[str, float], description="quantities bought, by good")
    nests: dict[Name, DemandNest] | None = Field(None, description="nests beside them, without a quantity, by name")
