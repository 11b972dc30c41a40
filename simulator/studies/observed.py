"""What is observed of equilibria: rows of a CSV file, and the same quantities in what everybody plans.

    case,quantity,value,weight
    north,price.wheat,2.5,1
    north,consumers.farmers.consumption.bread,3.1,4

Quantities are those of an entry's agents together; of a good that is not rival as in `trajectory.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.economics.user_markets import UserMarkets
from simulator.errors import Problem, ScenarioError
from simulator.kinds.draws import CsvFile, DrawError, Draws
from simulator.kinds.names import composed
from simulator.kinds.wording import listed, nearest, quoted, unknown
from simulator.scenario.document import leading
from simulator.slips import instead, meant

QUANTITIES = {
    "price": "price.GOOD",
    "demand": "demand.GOOD",
    "supply": "supply.GOOD",
    "consumption": "consumers.NAME.consumption.GOOD",
    "input": "firms.NAME.input.GOOD",
    "output": "firms.NAME.output.GOOD",
}
"""How each quantity is written."""
ONLY = "1"
"""The case of all rows where there is one alone."""
MOST = 1e30
"""Larger numbers, and those below its inverse, leave no room to reckon with."""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Observation(NamedTuple):
    """A row: where it stands, of which case, of what, the value, and how much it counts."""

    line: int
    case: str
    quantity: str
    value: float
    weight: float


class Columns:
    """The cells of a CSV file with the `needed` columns and perhaps some `others`; no more are allowed."""

    def __init__(self, file: Path, needed: tuple[str, ...], others: tuple[str, ...] = ()) -> None:
        self.file, self.problems = file, list[Problem]()
        try:
            self._read: CsvFile = Draws(0, {}).read(str(file), "")
        except DrawError as error:
            raise ScenarioError([Problem(str(file), 0, 0, "", error.message)]) from None
        names = list(self._read.columns)
        for name in names:
            if name not in (*needed, *others):
                self.say(1, unknown("column", name, [*needed, *others]))
        for name in needed:
            if name not in names:
                self.say(1, f"found no column {name}; expected {', '.join(needed)}{' (weight)' if others else ''}")
        if not self._read.lines:
            self.say(1, "found no rows; expected one or more")
        self.refuse()
        self.lines = self._read.lines

    def text(self, column: str, missing: str = "") -> list[str]:
        """The cells of a column, stripped, as names are written in scenarios."""
        return [composed(cell.strip()) for cell in self._read.columns.get(column, [missing] * len(self.lines))]

    def numbers(self, column: str, missing: str, *, least: str) -> list[float]:
        """The cells of a column as numbers above 0, or `at least 0`; what is wrong is said."""
        values: list[float] = []
        for line, cell in zip(self.lines, self.text(column, missing), strict=True):
            value = float(cell) if _NUMBER.fullmatch(cell) else None
            if value is None:
                self.say(
                    line, f"found {quoted(cell)}; expected a number {least}{meant(instead('number', cell))}", column
                )
            elif not np.isfinite(value) or value < 0 or (value == 0 and least == "above 0"):
                self.say(line, f"found {cell}; expected a number {least}", column)
            elif value > MOST or 0 < value < 1 / MOST:
                self.say(line, f"found {cell}; expected a number between {1 / MOST:g} and {MOST:g}", column)
            values.append(value or 0.0)
        return values

    def say(self, line: int, message: str, column: str = "") -> None:
        """Complain of a row."""
        self.problems.append(Problem(str(self.file), line, 0, column, message))

    def refuse(self) -> None:
        """Raise what there is to complain of."""
        if self.problems:
            raise ScenarioError(self.problems)


def read_observations(file: Path, *, several: bool) -> tuple[Columns, list[Observation]]:
    """The rows of a data file, of `several` cases or of one. Raises `ScenarioError`."""
    read = Columns(file, ("case", "quantity", "value") if several else ("quantity", "value"), ("case", "weight"))
    values = read.numbers("value", "", least="above 0")
    weights = read.numbers("weight", "1", least="of at least 0")
    cases = read.text("case", ONLY)
    if not several and len({*cases}) > 1:
        found = f"found {' and '.join([*dict.fromkeys(cases)][:2])} in a study without cases"
        read.say(1, f"{found}; expected one case, or cases: FILE in the study", "case")
    read.refuse()
    if not any(weights):
        read.say(1, "found no weight above 0; expected a row that counts", "weight")
    rows = zip(read.lines, cases, read.text("quantity", ""), values, weights, strict=True)
    return read, list(map(Observation._make, rows))


def observable(economy: Economy, markets: UserMarkets, plans: MarketPlans) -> Array:
    """All that may be observed of plans in one vector: prices, demand and supply of goods, then for each consumer what
    it consumes, for each firm what it uses of each good, and what it makes of each.
    """
    goods, firms = len(markets.goods), len(economy.firms)
    entry = economy.firm_entry[economy.edge_firm]
    used = np.bincount(entry * goods + markets.good[economy.edge_good], plans.inputs, firms * goods).astype(float)
    # A good that is not rival is one product, whatever the number of its markets.
    products = economy.outlet_firm * goods + markets.good[economy.outlet_good]
    made = economy.made_at(plans.prices, plans.outputs) / np.bincount(products)[products]
    makers = economy.firm_entry[economy.outlet_firm] * goods + markets.good[economy.outlet_good]
    return np.concatenate(
        [
            markets.sum_over_users(plans.prices),
            *(markets.mean_over_users(each, plans.prices) for each in (plans.demand, plans.supply)),
            markets.total_over_users(plans.consumption).ravel(),
            used,
            np.bincount(makers, made, firms * goods).astype(float),
        ]
    )


def place_of(economy: Economy, markets: UserMarkets, quantity: str) -> int | str:
    """Where a quantity stands in what is `observable`; or what is wrong with its name."""
    goods, count = markets.goods, len(markets.goods)
    room, _, rest = quantity.partition(".")
    totals = {"price": 0, "demand": count, "supply": 2 * count}
    if room in totals:
        return totals[room] + goods.index(rest) if rest in goods else unknown("good", rest, goods)
    firms, consumers = ([each.name for each in entries] for entries in (economy.firms, economy.consumers))
    names = {"consumers": consumers, "firms": firms}.get(room)
    if names is None:
        guess = nearest(room, [*totals, "consumers", "firms"])
        guess = f"{guess}.{rest}" if guess and rest else None
        return f"found {quoted(quantity)}; expected {listed(list(QUANTITIES.values()))}{meant(guess)}"
    name = leading(rest, names)
    if name is None:
        return unknown(room.removesuffix("s"), rest.partition(".")[0], names)
    what, _, good = rest[len(name) + 1 :].partition(".")
    known = ["consumption"] if room == "consumers" else ["input", "output"]
    if what not in known:
        ways = [QUANTITIES[each] for each in known]
        guess = nearest(what, known)
        guess = f"{room}.{name}.{guess}.{good}" if guess and good else None
        return f"found {quoted(quantity)}; expected {listed(ways)}{meant(guess)}"
    if good not in goods:
        return unknown("good", good, goods)
    number, at = names.index(name), goods.index(good)
    first = 3 * count + (0 if room == "consumers" else len(consumers) * count)
    if what != "output":
        return first + number * count + at
    makes = [markets.name_of(outlet) for outlet in economy.firms[number].outputs]
    return (
        first + (len(firms) + number) * count + at if good in makes else unknown("output", good, dict.fromkeys(makes))
    )


def places_of(
    economy: Economy, markets: UserMarkets, read: Columns, observed: list[Observation]
) -> Mapping[str, tuple[int, ...]]:
    """Of each case, where the quantities of its rows stand in what is `observable`. Raises `ScenarioError`."""
    places: dict[str, list[int]] = {}
    for each in observed:
        place = place_of(economy, markets, each.quantity)
        if isinstance(place, str):
            read.say(each.line, place, "quantity")
        else:
            places.setdefault(each.case, []).append(place)
    read.refuse()
    return {case: tuple(found) for case, found in places.items()}
