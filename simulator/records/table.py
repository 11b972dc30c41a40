"""A table: key columns and float columns, written as CSV or held as a DataFrame; one schema from run to file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.records.columns import Columns, Known

if TYPE_CHECKING:
    import pandas as pd

    from simulator.economics.agents import Consumers, Firm

PIECE = 100_000
"""Cells of a CSV that are written at a time: as text they take many times the room of their numbers."""


@dataclass(frozen=True)
class Table:
    """Rows of one CSV: for `each` tick (or other key) a row, or one for each of the same `parts`, told apart by further
    keys; float columns `(rows, columns)`.

    Keys are whole numbers or names. Floats are written in shortest round-trip form; what is not a number is an empty
    cell. Columns named in `whole` hold whole numbers, or nothing, and are written as such.
    """

    each: Mapping[str, NDArray[Any]]
    parts: Mapping[str, NDArray[Any]]
    columns: tuple[str, ...]
    values: Array
    whole: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, each: Mapping[str, NDArray[Any]], parts: Mapping[str, NDArray[Any]], columns: Columns, known: Known
    ) -> Self:
        """The table of all that is known of its rows, found by the names of the columns.

        What is known has any shape with as many numbers as there are rows, in their order. Raises ValueError if not.
        What is infinite is an empty cell too.
        """
        rows = _length(each) * _length(parts)
        values = np.full((len(columns), rows), np.nan)
        for place, column in enumerate(columns):
            cells = column.of(known)
            if cells is not None:
                if np.size(cells) != rows:
                    raise ValueError(f"found {np.size(cells)} numbers for {column.name}; expected {rows}")
                # Adding 0.0 turns the float -0.0 into 0.0.
                np.add(np.ravel(cells), 0.0, out=values[place])
        values[np.isinf(values)] = np.nan
        whole = tuple(column.name for column in columns if column.whole)
        return cls(each, parts, tuple(column.name for column in columns), values.T, whole)

    @property
    def header(self) -> str:
        """The first line of the CSV."""
        return ",".join([*self.each, *self.parts, *self.columns]) + "\n"

    @property
    def last(self) -> Table:
        """The rows of the last tick, or other key."""
        each = {name: key[-1:] for name, key in self.each.items()}
        return replace(self, each=each, values=self.values[len(self.values) - _length(each) * _length(self.parts) :])

    def lines(self) -> Iterator[str]:
        """All rows as CSV text, each ending in a newline, piece by piece."""
        each, parts, rows = _texts(self.each), _texts(self.parts), _length(self.parts)
        whole = [self.columns.index(name) for name in self.whole]
        step = max(1, PIECE // max(1, rows * len(self.columns)))
        for first in range(0, len(each), step):
            some = each[first : first + step]
            values, count = self.values[first * rows : (first + step) * rows], len(some) * rows
            cells = list(map(_Cells().__getitem__, values.T.ravel().tolist()))
            columns = [cells[at : at + count] for at in range(0, len(cells), count or 1)]
            for column in whole:
                columns[column] = [cell.removesuffix(".0") for cell in columns[column]]
            keys = [f"{one},{part}" for one in some for part in parts] if self.parts else some
            yield "".join([",".join(row) + "\n" for row in zip(keys, *columns, strict=True)])

    def where(self, each: NDArray[np.bool_], parts: NDArray[np.bool_]) -> Table:
        """Some of the rows: of some of `each`, some of the `parts`."""
        values = self.values.reshape(len(each), len(parts), len(self.columns))[each][:, parts].reshape(
            -1, len(self.columns)
        )
        some = {name: key[each] for name, key in self.each.items()}
        return replace(self, each=some, parts={name: key[parts] for name, key in self.parts.items()}, values=values)

    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        rows, count = _length(self.parts), _length(self.each)
        keys = {name: np.repeat(key, rows) for name, key in self.each.items()}
        keys |= {name: np.tile(key, count) for name, key in self.parts.items()}
        floats = {name: self.values[:, i] for i, name in enumerate(self.columns)}
        whole = [name for name in self.whole if not np.isnan(floats[name]).any()]
        floats |= {name: floats[name].astype(np.int64) for name in whole}
        return pd.DataFrame({**keys, **floats})


def _length(keys: Mapping[str, NDArray[Any]]) -> int:
    """How many rows are told apart by keys: one by none."""
    (length,) = {len(key) for key in keys.values()} or {1}
    return length


def _texts(keys: Mapping[str, NDArray[Any]]) -> list[str]:
    """What keys are in each row of a CSV."""
    columns = [map(str, key.tolist()) for key in keys.values()]
    return [",".join(row) for row in zip(*columns, strict=True)]


class _Cells(dict[float, str]):
    """Numbers as text: shortest round-trip form, empty for what is no number; many numbers of a table are the same."""

    def __missing__(self, value: float) -> str:
        if value != value:
            return ""
        text = self[value] = repr(value)
        return text


def frames(blocks: Sequence[Mapping[str, Table]], kept: Set[str]) -> dict[str, pd.DataFrame]:
    """DataFrames of the tables of several blocks, in order, as far as they are `kept`."""
    import pandas as pd

    tables = [name for name in blocks[0] if name in kept]
    return {name: pd.concat([block[name].frame() for block in blocks], ignore_index=True) for name in tables}


def together(parts: Sequence[Known]) -> Known:
    """What is known of several parts of a table, one after another, by name."""
    return {name: np.array([part[name] for part in parts]) for name in parts[0]} if parts else {}


def names(values: Iterable[str]) -> NDArray[Any]:
    """Names as an array of text, to be tiled and repeated into key columns."""
    return np.array(list(values), dtype=object)


def told_of(entries: Sequence[Firm | Consumers]) -> list[tuple[int, str, float]]:
    """Who is told of: the place of its entry, its name, and the share of all together that is its own. A cohort has two
    statistics, `name:mean` and `name:total`.
    """
    return [
        (place, entry.name + part, share)
        for place, entry in enumerate(entries)
        for part, share in ({"": 1.0} if entry.count == 1 else {":mean": 1.0 / entry.count, ":total": 1.0}).items()
    ]
