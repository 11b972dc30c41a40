"""Numbers that differ from agent to agent: drawn from a stream of their own, or read from a column of a CSV file.

Every drawn field has a random stream derived from the run's seed and the field's dotted path with the names in it
(`consumers.households.endowment.labour`): neither the order of a file's entries nor another field changes what is
drawn.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MODIFIERS = ("times", "plus")


_NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf|nan)", re.IGNORECASE)


class _Read(NamedTuple):
    """A CSV file: the line of each row, and its columns by name."""

    lines: list[int]
    columns: dict[str, list[str]]


class DrawError(Exception):
    """A drawn field that cannot be had: its path and what is wrong with it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path, self.message = path, message


class Draws:
    """Draws for one scenario: `seed` of the run, `files` from the names in it to where they lie."""

    def __init__(self, seed: int, files: Mapping[str, str | Path]) -> None:
        self.seed, self.files = seed, files
        self._tables: dict[str, _Read] = {}

    def number(self, given: Any, count: int, path: str, bound: Bound) -> Array:
        """A number for all, `(1,)`, or a draw for each, `(count,)`; refused where one is out of bounds."""
        if not isinstance(given, Mapping):
            return np.array([float(given)])
        spec = cast("Mapping[str, Any]", given)
        (kind,) = (key for key in spec if key not in (*MODIFIERS, "column"))
        if kind == "csv":
            values = self.column(str(spec["csv"]), str(spec["column"]), count, path)
        else:
            with np.errstate(all="ignore"):
                values = DISTRIBUTIONS[kind](self.stream(path), spec[kind], count)
        values = values * float(spec.get("times", 1.0)) + float(spec.get("plus", 0.0))
        off = np.flatnonzero(~bound.holds(values))
        if len(off):
            row, many = int(off[0]), f" and {len(off) - 1} more" if len(off) > 1 else ""
            where = ""
            if kind == "csv":
                where = f" ({self.cell(str(spec['csv']), str(spec['column']), row, path)})"
            found = f"found {float(values[row])!r} for agent {row + 1}{many}{where}"
            raise DrawError(path, f"{found}; expected {bound.expected}")
        return values

    def table(self, given: Mapping[str, Any], names: Iterable[str], count: int, path: str, bound: Bound) -> Array:
        """Numbers by name, `(1, names)` if nothing in it is drawn, else `(count, names)` in Fortran order."""
        order = {name: place for place, name in enumerate(names)}
        if set(given) == {"dirichlet"} and isinstance(given["dirichlet"], Mapping):
            # The order in which a file names them changes nothing.
            weights = dict(sorted(cast("Mapping[str, float]", given["dirichlet"]).items()))
            table = np.zeros((count, len(order)), order="F")
            drawn = self.stream(path).dirichlet(list(weights.values()), count)
            table[:, [order[name] for name in weights]] = drawn
            return table
        columns = {name: self.number(value, count, f"{path}.{name}", bound) for name, value in given.items()}
        rows = max((len(values) for values in columns.values()), default=1)
        table = np.zeros((rows, len(order)), order="F")
        for name, values in columns.items():
            table[:, order[name]] = values
        return table

    def stream(self, path: str) -> np.random.Generator:
        """The stream of a field."""
        key = np.frombuffer(hashlib.sha256(path.encode()).digest(), dtype=np.uint32)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key.tolist())))

    def column(self, file: str, column: str, count: int, path: str) -> Array:
        """A column of a CSV file as numbers, one for each agent."""
        table = self._read(file, path).columns
        if column not in table:
            found = f"found no column {column!r} in {self.place(file)}"
            raise DrawError(path, f"{found}; expected one of {', '.join(table)}")
        cells = table[column]
        if len(cells) != count:
            found = f"found {len(cells):,} rows in {self.place(file)}"
            raise DrawError(path, f"{found}; expected one for each of {count:,} agents")
        values = np.empty(count)
        for row, cell in enumerate(cells):
            # Not all that Python reads as a number is one in a scenario.
            if not _NUMBER.fullmatch(cell.strip()):
                found = f"found {cell[:60]!r} in {self.cell(file, column, row, path)}"
                raise DrawError(path, f"{found}; expected a number")
            values[row] = float(cell)
        return values

    def cell(self, file: str, column: str, row: int, path: str) -> str:
        """Where a cell of a CSV file stands, in words."""
        return f"row {self._read(file, path).lines[row]} of {self.place(file)}, column {column}"

    def place(self, file: str) -> str | Path:
        """Where a file lies."""
        return self.files.get(file, file)

    def rows(self, file: str, path: str) -> int:
        """How many rows a CSV file has, its first line aside."""
        rows = max((len(cells) for cells in self._read(file, path).columns.values()), default=0)
        if not rows:
            raise DrawError(path, f"found no rows in {self.place(file)}; expected one for each agent, or pattern")
        return rows

    def names(self, file: str, path: str) -> list[str]:
        """The columns of a CSV file."""
        return list(self._read(file, path).columns)

    def _read(self, file: str, path: str) -> _Read:
        if file not in self._tables:
            place = self.place(file)
            try:
                with open(place, newline="", encoding="utf-8-sig") as text:
                    reader = csv.reader(text)
                    (_, header), *numbered = [(reader.line_num, row) for row in reader if row or reader.line_num == 1]
                lines, rows = [line for line, _ in numbered], [row for _, row in numbered]
            except FileNotFoundError:
                raise DrawError(
                    path, f"found no file {place}; expected a CSV file with names in its first line"
                ) from None
            except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
                reason = getattr(error, "strerror", None) or "not readable as CSV text with names in its first line"
                raise DrawError(path, f"cannot read {place}: {reason}; expected a CSV file") from None
            short = next((number for number, row in enumerate(rows) if len(row) != len(header)), None)
            if short is not None:
                found = f"found {len(rows[short])} cells in row {lines[short]} of {place}"
                raise DrawError(path, f"{found}; expected {len(header)}, as in its first line")
            twice = next((name for number, name in enumerate(header) if name in header[:number]), None)
            if twice is not None:
                raise DrawError(path, f"found the column {twice!r} twice in {place}; expected names that differ")
            columns = {name: [row[place] for row in rows] for place, name in enumerate(header)}
            self._tables[file] = _Read(lines, columns)
        return self._tables[file]


class Bound:
    """What a drawn number must satisfy: finite, `least` (or above it where `strict`), below `under`."""

    def __init__(self, least: float = -np.inf, *, strict: bool = False, under: float = np.inf) -> None:
        self.least, self.strict, self.under = least, strict, under

    def holds(self, values: Array) -> NDArray[np.bool_]:
        """Which of the values are within, elementwise."""
        above = values > self.least if self.strict else values >= self.least
        return np.isfinite(values) & above & (values < self.under)

    @property
    def expected(self) -> str:
        """In words."""
        least = f"above {self.least:g}" if self.strict else f"of at least {self.least:g}"
        return f"numbers {least}" + (f" and below {self.under:g}" if np.isfinite(self.under) else "")


AT_LEAST_0 = Bound(0.0)
ABOVE_0 = Bound(0.0, strict=True)
BELOW_1 = Bound(under=1.0)

Stream = np.random.Generator


def _uniform(stream: Stream, given: Any, count: int) -> Array:
    return stream.uniform(given[0], given[1], count)


def _lognormal(stream: Stream, given: Any, count: int) -> Array:
    return stream.lognormal(given["mean"], given["sigma"], count)


def _normal(stream: Stream, given: Any, count: int) -> Array:
    return stream.normal(given["mean"], given["sigma"], count)


def _exponential(stream: Stream, given: Any, count: int) -> Array:
    return stream.exponential(given, count)


def _gamma(stream: Stream, given: Any, count: int) -> Array:
    return stream.gamma(given["shape"], given.get("scale", 1.0), count)


def _beta(stream: Stream, given: Any, count: int) -> Array:
    return stream.beta(given["a"], given["b"], count)


def _pareto(stream: Stream, given: Any, count: int) -> Array:
    return given["minimum"] * (1.0 + stream.pareto(given["exponent"], count))


def _choice(stream: Stream, given: Any, count: int) -> Array:
    return stream.choice(np.array(given, dtype=float), count)


DISTRIBUTIONS = {
    "uniform": _uniform,
    "lognormal": _lognormal,
    "normal": _normal,
    "exponential": _exponential,
    "gamma": _gamma,
    "beta": _beta,
    "pareto": _pareto,
    "choice": _choice,
}
"""How each kind is drawn: `(stream, parameters, count)` to `(count,)`."""


def files_of(data: Any) -> list[str]:
    """The CSV files that plain data speak of, in order."""
    if isinstance(data, Mapping):
        mapping = cast("Mapping[str, Any]", data)
        own = [mapping["csv"]] if isinstance(mapping.get("csv"), str) else []
        return own + [file for value in mapping.values() for file in files_of(value)]
    if isinstance(data, list):
        return [file for value in cast("list[Any]", data) for file in files_of(value)]
    return []
