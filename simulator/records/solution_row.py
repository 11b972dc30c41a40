"""A row of equilibria.csv, and those of taxes, which every kind of equilibrium has."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from simulator.economics.economy import Economy
    from simulator.economics.forms import Array


class Row(NamedTuple):
    """A row of equilibria.csv: what it is, of whom or what, and how far its condition is from holding."""

    kind: str
    name: str
    value: float
    residual: float = math.nan


def tax_rows(economy: Economy, revenues: Array, kept: Array | None = None) -> Iterator[Row]:
    """The rate and the revenue of each tax; the residual of a rate that adjusts is how far off what it `kept` is."""
    if economy.fiscal is None:
        return
    values = iter([] if kept is None else kept.tolist())
    for tax, rate, revenue in zip(economy.fiscal.taxes, economy.rates.tolist(), revenues.tolist(), strict=True):
        how = tax.instrument
        yield Row("rate", tax.name, rate, math.nan if how is None else abs(next(values) - how.target) / abs(how.target))
        yield Row("revenue", tax.name, revenue)
