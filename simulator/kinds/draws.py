"""How numbers that differ from agent to agent are had: drawn from a stream of their own, or read from a CSV file.

Every drawn field has a random stream derived from the run's seed and the field's dotted path with the names in it
(`consumers.households.endowment.labour`): neither the order of a file's entries nor another field changes what is
drawn.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.kinds.distributions import Array
from simulator.kinds.names import composed
from simulator.kinds.numbers import Dirichlet, Draw, Table
from simulator.kinds.wording import quoted
from simulator.slips import instead, meant

_NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf|nan)", re.IGNORECASE)
MAX_FILE = 1_000_000_000
MAX_NAMES, MAX_LETTERS = 12, 30
"""The columns of a file are named where there are no more of them, and no longer ones."""


class CsvFile(NamedTuple):
    """A CSV file: the line of each row, and its columns by name."""

    lines: list[int]
    columns: dict[str, list[str]]


class DrawError(Exception):
    """A drawn field that cannot be had: its path and what is wrong with it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path, self.message = path, message


class Draws:
    """Draws for one scenario: `seed` of the run, `files` from the names in it to where they lie, and how often what is
    drawn at a path, or below it, has been drawn anew (`turns`).
    """

    def __init__(self, seed: int, files: Mapping[str, Path]) -> None:
        self.seed, self.files = seed, files
        self.turns: Mapping[str, int] = {}
        self._tables: dict[str, CsvFile] = {}

    def at(self, turns: Mapping[str, int]) -> Draws:
        """The same after some draws anew."""
        after = copy(self)
        after.turns = turns
        return after

    def number(self, given: float | Draw, count: int, path: str) -> Array:
        """A number for all, `(1,)`, or a draw for each, `(count,)`; refused where one is out of bounds."""
        if not isinstance(given, Draw):
            return np.array([float(given)])
        values = self._drawn(given, count, path) * given.times + given.plus
        off = np.flatnonzero(~given.bound.holds(values))
        if len(off):
            row, many = int(off[0]), f" and {len(off) - 1} more" if len(off) > 1 else ""
            where = "" if given.csv is None else f" ({self.cell(given.csv, given.column or '', row, path)})"
            found = f"found {float(values[row])!r} for agent {row + 1}{many}{where}"
            raise DrawError(path, f"{found}; expected {given.bound.expected}")
        return values

    def _drawn(self, given: Draw, count: int, path: str) -> Array:
        if given.csv is not None:
            return self.column(given.csv, given.column or "", count, path)
        (distribution,) = given.distributions.values()
        with np.errstate(all="ignore"):
            return distribution.draw(self.stream(path), count)

    def table(self, given: Table, names: Iterable[str], count: int, path: str) -> Array:
        """Numbers by name, `(1, names)` if nothing in it is drawn, else `(count, names)` in Fortran order."""
        order = {name: place for place, name in enumerate(names)}
        if isinstance(given, Dirichlet):
            # The order in which a file names them changes nothing.
            weights = dict(sorted(given.dirichlet.items()))
            table = np.zeros((count, len(order)), order="F")
            drawn = self.stream(path).dirichlet(list(weights.values()), count)
            table[:, [order[name] for name in weights]] = drawn
            return table
        numbers = {name: self.number(value, count, f"{path}.{name}") for name, value in given.items()}
        return side_by_side({order[name]: values for name, values in numbers.items()}, len(order))

    def stream(self, path: str) -> np.random.Generator:
        """The stream of a field."""
        key = np.frombuffer(hashlib.sha256(path.encode()).digest(), dtype=np.uint32).tolist()
        # What is drawn for the first time has no turn.
        key += filter(None, (turn for at, turn in self.turns.items() if f"{path}.".startswith(f"{at}.")))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def column(self, file: str, column: str, count: int, path: str, *, named: bool = True) -> Array:
        """A column of a CSV file as numbers, one for each agent; a name that the scenario does not give (not `named`)
        is not repeated where they are none.
        """
        table = self.read(file, path).columns
        if column not in table:
            found = f"found no column {quoted(column)} in {self.place(file)}"
            raise DrawError(path, f"{found}; expected {_columns(self.read(file, path))}")
        cells = table[column]
        if len(cells) != count:
            found = f"found {len(cells):,} rows in {self.place(file)}"
            raise DrawError(path, f"{found}; expected one for each of {count:,} agents")
        values = np.empty(count)
        for row, cell in enumerate(cells):
            # Not all that Python reads as a number is one in a scenario.
            if not _NUMBER.fullmatch(cell.strip()):
                name = column if named else f"{list(table).index(column) + 1}"
                found = f"found what is no number in {self.cell(file, name, row, path)}"
                # What is a number in another notation may be repeated.
                guess = meant(instead("number", cell.strip()) if re.search("[0-9]", cell) else None)
                raise DrawError(path, f"{found}; expected a number{guess}")
            values[row] = float(cell)
        return values

    def cell(self, file: str, column: str, row: int, path: str) -> str:
        """Where a cell of a CSV file stands, in words."""
        return f"row {self.read(file, path).lines[row]} of {self.place(file)}, column {column}"

    def place(self, file: str) -> str | Path:
        """Where a file lies."""
        return self.files.get(file, file)

    def rows(self, file: str, path: str) -> int:
        """How many rows a CSV file has, its first line aside."""
        rows = len(self.read(file, path).lines)
        if not rows:
            raise DrawError(path, f"found no rows in {self.place(file)}; expected one for each agent, or pattern")
        return rows

    def names(self, file: str, path: str) -> list[str]:
        """The columns of a CSV file."""
        return list(self.read(file, path).columns)

    def read(self, file: str, path: str) -> CsvFile:
        """A CSV file with names in its first line, read once."""
        if file not in self._tables:
            place = self.place(file)
            try:
                _must_be_a_file(place, path)
                with open(place, newline="", encoding="utf-8-sig") as text:
                    reader = csv.reader(text)
                    (_, header), *numbered = [(reader.line_num, row) for row in reader if row or reader.line_num == 1]
                header = list(map(composed, header))
                lines, rows = [line for line, _ in numbered], [row for _, row in numbered]
            except FileNotFoundError:
                raise DrawError(
                    path, f"found no file {place}; expected a CSV file with names in its first line"
                ) from None
            except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
                reason = getattr(error, "strerror", None) or "not readable as CSV text with names in its first line"
                raise DrawError(path, f"cannot read {place}: {reason}; expected a CSV file") from None
            short = next((number for number, row in enumerate(rows) if len(row) != len(header)), None)
            if short is not None or len(header) == 1:
                _must_have_commas(place, path)
            if short is not None:
                found = f"found {len(rows[short])} cells in row {lines[short]} of {place}"
                raise DrawError(path, f"{found}; expected {len(header)}, as in its first line")
            twice = next((number for number, name in enumerate(header) if name in header[:number]), None)
            if twice is not None:
                found = f"found the name of column {twice + 1} of {place} twice in its first line"
                raise DrawError(path, f"{found}; expected names that differ")
            columns = {name: [row[place] for row in rows] for place, name in enumerate(header)}
            self._tables[file] = CsvFile(lines, columns)
        return self._tables[file]


def side_by_side(columns: Mapping[int, Array], width: int) -> Array:
    """Columns, `(1,)` or `(rows,)` each, at their places in a table `(rows, width)` of zeros in Fortran order."""
    rows = max(map(len, columns.values()), default=1)
    table = np.zeros((rows, width), order="F")
    for place, column in columns.items():
        table[:, place] = column
    return table


def _must_be_a_file(place: str | Path, path: str) -> None:
    """Refuse what has no end, or is too large to read."""
    found = os.stat(place)
    if not stat.S_ISREG(found.st_mode):
        raise DrawError(path, f"found {place}, which is no regular file; expected a CSV file")
    if found.st_size > MAX_FILE:
        raise DrawError(path, f"found {place} of {found.st_size:,} bytes; expected at most {MAX_FILE:,}")


def _must_have_commas(place: str | Path, path: str) -> None:
    """Refuse a file whose cells something else stands between."""
    with open(place, encoding="utf-8-sig") as text:
        first = text.readline()
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if mark in first:
            found = f"found {name} between the cells of {place}"
            raise DrawError(path, f"{found}; expected commas, and points in numbers (1.5): save it as such a CSV file")


def _columns(table: CsvFile) -> str:
    """What to choose from. A file that is no table of numbers may hold anything: nothing of it is repeated."""
    odd: dict[str, list[int]] = {}
    for name, cells in table.columns.items():
        odd[name] = [row for row, cell in enumerate(cells) if not _NUMBER.fullmatch(cell.strip())]
    names = [name for name, cells in table.columns.items() if len(cells) > 2 * len(odd[name])]
    if names and len(names) <= MAX_NAMES and all(name.isprintable() and len(name) <= MAX_LETTERS for name in names):
        marks = {name: f" (row {table.lines[rows[0]]} is no number)" if rows else "" for name, rows in odd.items()}
        return f"one of {', '.join(name + marks[name] for name in names)}"
    return f"one of its columns of numbers ({len(names):,} of {len(table.columns):,} columns)"


@dataclass(frozen=True)
class Reader:
    """Reads the numbers of one entry of `count` agents: where in the scenario it stands, and the goods it may name."""

    draws: Draws
    goods: tuple[str, ...]
    count: int
    path: str

    def at(self, *steps: str) -> Reader:
        """The same further down."""
        return replace(self, path=".".join((self.path, *steps)))

    @property
    def above(self) -> Reader:
        """The same one step up."""
        return replace(self, path=self.path.rpartition(".")[0])

    def number(self, given: float | Draw, *steps: str) -> Array:
        """`(1,)`, or `(count,)` if drawn; the steps lead to where it stands."""
        return self.draws.number(given, self.count, self.at(*steps).path)

    def table(self, given: Table, *steps: str, names: Iterable[str] | None = None) -> Array:
        """`(1, names)`, or `(count, names)` if drawn; names are the goods unless said."""
        return self.draws.table(given, self.goods if names is None else names, self.count, self.at(*steps).path)
