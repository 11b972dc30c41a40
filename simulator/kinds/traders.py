"""The kinds of traders in contracts on an event: what a scenario says of each beside its belief."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from simulator.economics.forms import Array, CobbDouglas
from simulator.economics.linear import Linear
from simulator.economics.taste import Taste
from simulator.economics.traders import Trader
from simulator.economics.utility import Homothetic
from simulator.kinds.draws import Reader
from simulator.kinds.entry import Entry
from simulator.kinds.numbers import AnyPositive
from simulator.kinds.utilities import UTILITIES, UtilityKind


class TraderKind(Entry):
    """What every kind of trader says and can do."""

    meaning: ClassVar[str]
    example: ClassVar[str]
    always_sees: ClassVar[bool] = False
    """Whether it knows what its own trade does to the price, whatever a scenario says."""
    needs_maker: ClassVar[bool] = False
    """Whether it has no demand at given prices alone."""

    def trader(self, read: Reader, name: str, belief: Array, sees: bool) -> Trader:
        """The traders, with the `belief` of each, who see their impact or not."""
        (field,) = type(self).model_fields
        measure = read.number(getattr(self, field), field)
        return Trader(name, belief, np.asarray(measure), sees or self.always_sees)

    def taste(self, belief: Array) -> Taste:
        """Its taste for the contracts at given prices: what they pay on average."""
        return Linear(belief)


class Kelly(TraderKind):
    """Logarithmic utility of wealth."""

    meaning: ClassVar[str] = "sum belief ln(wealth after the event): of its wealth it stakes its belief's part on each"
    example: ClassVar[str] = "{wealth: 1}"
    wealth: AnyPositive = Field(description="money at the start (without a market maker complete sets of contracts)")

    def taste(self, belief: Array) -> Taste:
        return Homothetic(CobbDouglas(belief))


class Cara(TraderKind):
    """Constant absolute risk aversion."""

    meaning: ClassVar[str] = "-sum belief exp(-a wealth): the same risks, however rich it is"
    example: ClassVar[str] = "{aversion: 1}"
    needs_maker: ClassVar[bool] = True
    aversion: AnyPositive = Field(description="absolute risk aversion a, per unit of money")


class Neutral(TraderKind):
    """Expected money."""

    meaning: ClassVar[str] = "sum belief wealth: it moves prices to its belief, as far as its money lets it"
    example: ClassVar[str] = "{budget: 1}"
    always_sees: ClassVar[bool] = True
    budget: AnyPositive = Field(description="money at the start, all that it can lose (without a maker complete sets)")


class LinearPool(TraderKind):
    """A mean of price and belief."""

    meaning: ClassVar[str] = (
        "it moves the price to a mean of price and belief; the more money, the nearer to its belief"
    )
    example: ClassVar[str] = "{budget: 1}"
    always_sees: ClassVar[bool] = True
    needs_maker: ClassVar[bool] = True
    budget: AnyPositive = Field(description="money at the start, all that it can lose")


TRADERS: dict[str, type[TraderKind]] = {
    "kelly": Kelly,
    "cara": Cara,
    "neutral": Neutral,
    "linear_pool": LinearPool,
}
WANTS: dict[str, type[UtilityKind] | type[TraderKind]] = {**UTILITIES, **TRADERS}
"""What consumers may want: goods, or contracts."""
