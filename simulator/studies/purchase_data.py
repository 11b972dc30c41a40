"""Purchases: a CSV file of what households bought at which prices.

    household,period,good,price,quantity
    north,1,bread,2.5,4
    north,1,wine,6,0

Every household has a row for every good in each of its periods: what it did not buy it bought 0 of, at a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.kinds.names import composed, name_fault
from simulator.kinds.wording import quoted
from simulator.studies.observed import Columns

Mask = NDArray[np.bool_]

POOLED = "pooled"
"""What all households together are called."""


class Purchases(NamedTuple):
    """What a household bought: its `periods` in their order, prices and quantities `(periods, goods)`."""

    household: str
    periods: tuple[str, ...]
    prices: Array
    quantities: Array

    @property
    def spent(self) -> Array:
        """Spending of each period, `(periods,)`."""
        return np.sum(self.prices * self.quantities, axis=1)

    @property
    def shares(self) -> Array:
        """Spending shares, `(periods, goods)`."""
        return self.prices * self.quantities / self.spent[:, None]

    def at(self, periods: Mask) -> Purchases:
        """Some of the periods."""
        names = tuple(name for name, chosen in zip(self.periods, periods.tolist(), strict=True) if chosen)
        return Purchases(self.household, names, self.prices[periods], self.quantities[periods])

    def of(self, goods: Mask) -> Purchases:
        """Some of the goods."""
        return self._replace(prices=self.prices[:, goods], quantities=self.quantities[:, goods])


class PurchaseData(NamedTuple):
    """What a file holds: its goods and its households, in the file's order; it is called as the file."""

    name: str
    goods: tuple[str, ...]
    households: list[Purchases]


def read_purchases(file: Path) -> PurchaseData:
    """The purchases of a file. Raises `ScenarioError` with every problem found.

    Periods are in the order of numbers if all are such, else of text (2024-01 before 2024-02).
    """
    read = Columns(file, ("household", "period", "good", "price", "quantity"))
    prices = read.numbers("price", "", least="above 0")
    quantities = read.numbers("quantity", "", least="of at least 0")
    names = [read.text(column) for column in ("household", "period", "good")]
    for column, cells in zip(("household", "period", "good"), names, strict=True):
        first = dict(reversed([*zip(cells, read.lines, strict=True)]))
        for name, line in first.items():
            fault = name_fault(name) if column != "period" else None if name else "found no period; expected one"
            if fault:
                read.say(line, fault, column)
    read.refuse()
    rows: dict[str, dict[str, dict[str, _Row]]] = {}
    for household, period, good, *row in zip(*names, read.lines, prices, quantities, strict=True):
        bought, row = rows.setdefault(household, {}).setdefault(period, {}), _Row(*row)
        if good in bought:
            message = f"found {quoted(good)} twice in period {period} of {household} (line {bought[good].line} too)"
            read.say(row.line, f"{message}; expected one row for each household, period and good")
        bought[good] = row
    goods = (*dict.fromkeys(names[2]),)
    if len(goods) < 2:
        read.say(1, f"found one good, {names[2][0]}; expected two or more, between which households choose")
    for household, periods in rows.items():
        for period, bought in periods.items():
            _complain_of(read, household, period, bought, goods)
        if len(periods) < 2:
            first = min(row.line for bought in periods.values() for row in bought.values())
            read.say(first, f"found one period of household {household}; expected two or more")
    read.refuse()
    households = [_purchases(household, periods, goods) for household, periods in rows.items()]
    return PurchaseData(composed(file.stem), goods, households)


class _Row(NamedTuple):
    """Where a row stands, and its numbers."""

    line: int
    price: float
    quantity: float


def _complain_of(
    read: Columns, household: str, period: str, bought: Mapping[str, _Row], goods: tuple[str, ...]
) -> None:
    """Say what is wrong with a period as a whole, at its first row."""
    line = min(row.line for row in bought.values())
    missing = [good for good in goods if good not in bought]
    if missing:
        message = f"found no row for {', '.join(missing)} in period {period} of household {household}"
        read.say(line, f"{message}; expected one for every good, with quantity 0 where none was bought", "good")
    elif not any(row.quantity for row in bought.values()):
        message = f"found nothing bought in period {period} of household {household}"
        read.say(line, f"{message}; expected a quantity above 0", "quantity")


def _purchases(household: str, periods: Mapping[str, Mapping[str, _Row]], goods: tuple[str, ...]) -> Purchases:
    order = _ordered(periods)
    cells = np.array([[periods[period][good][1:] for good in goods] for period in order])
    return Purchases(household, tuple(order), cells[..., 0], cells[..., 1])


def _ordered(periods: Iterable[str]) -> list[str]:
    """Periods in the order of numbers if all are such, else of text."""
    try:
        numbers = {period: float(period) for period in periods}
    except ValueError:
        return sorted(periods)
    # What is not a number has no place among numbers.
    return sorted(numbers) if np.isnan([*numbers.values()]).any() else sorted(numbers, key=numbers.__getitem__)


def together(households: Sequence[Purchases]) -> Purchases:
    """All purchases as one household's; a period is called `HOUSEHOLD PERIOD`."""
    names = tuple(f"{each.household} {period}" for each in households for period in each.periods)
    prices, quantities = (np.concatenate(parts) for parts in zip(*(each[2:] for each in households), strict=True))
    return Purchases(POOLED, names, prices, quantities)
