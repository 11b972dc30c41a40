"""Markets alike but for numbers: one trace of a tick serves them all, with these numbers among its variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from simulator.dynamics.market import Layout
from simulator.dynamics.market_tick import MarketState, MarketTick
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.trading import Trade
from simulator.dynamics.verdicts import Watch
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.formulas.in_floats import InFloats
from simulator.formulas.leaves import Place, at, with_leaves

Done = tuple[MarketState, MarketTick]


class Numbers(tuple[Any, ...]):
    """What stands at the places in which markets differ: a structure, whatever its parts are."""

    __slots__ = ()

    @classmethod
    def _make(cls, parts: Iterable[Any]) -> Numbers:
        return cls(parts)


class Makings(NamedTuple):
    """All with numbers that a tick depends on beside the state."""

    rule: PriceRule
    trade: Trade
    nothing: Array | float
    economy: Economy
    seed: int = 0
    """Where chance decides which prices move."""


class Ticking(Protocol):
    """What ticks by a layout, in functions that may be traced."""

    def layout(self, economy: Economy) -> Layout:
        """What is looked up of an economy."""
        ...

    def ticking(self, layout: Layout) -> Callable[[MarketState], Done]:
        """A tick."""
        ...

    def watched(self, layout: Layout) -> Callable[[MarketState, Watch], tuple[MarketState, tuple[Any, ...], Any]]:
        """The state after a tick, what is kept of it, and whether nobody has to look at it."""
        ...


@dataclass(frozen=True, eq=False)
class Alike:
    """Markets that differ from the one of `makings` in the numbers at some `places` alone; `made_of` gives what ticks
    of the makings of each.
    """

    makings: Makings
    places: tuple[Place, ...]
    made_of: Callable[[Makings], Ticking]

    def numbers(self, makings: Makings) -> Numbers:
        """The numbers of another market, as arrays."""
        return Numbers(np.asarray(at(makings, place)) for place in self.places)

    def of(self, numbers: Numbers) -> tuple[Ticking, Layout]:
        """What ticks with these numbers, and the layout of its economy."""
        makings = with_leaves(self.makings, dict(zip(self.places, numbers, strict=True)))
        market = self.made_of(makings)
        return market, market.layout(makings.economy)

    def tick(self, given: tuple[Numbers, MarketState]) -> Done:
        """A tick by the numbers and the state before it."""
        market, layout = self.of(given[0])
        return market.ticking(layout)(given[1])

    @cached_property
    def in_floats(self) -> InFloats[tuple[Numbers, MarketState], Done]:
        """The same in plain floats."""
        return InFloats(self.tick)

    @cached_property
    def goes_on(self) -> InFloats[tuple[Numbers, tuple[MarketState, Watch]], tuple[MarketState, bool]]:
        """The state after a tick, and whether nobody has to look at that."""

        def goes_on(given: tuple[Numbers, tuple[MarketState, Watch]]) -> tuple[MarketState, bool]:
            market, layout = self.of(given[0])
            after, _, quiet = market.watched(layout)(*given[1])
            return after, quiet

        return InFloats(goes_on)


def at_numbers(function: Callable[[tuple[Numbers, Any]], Any], numbers: Numbers) -> Callable[[Any], Any]:
    """A function of numbers and something else as one of that alone."""
    return lambda given: function((numbers, given))
