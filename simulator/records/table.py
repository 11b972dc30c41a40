"""A table: key columns and float columns, written as CSV or held as a DataFrame; one schema from run to file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.records.columns import Columns, Known

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """Rows of one CSV: key columns (whole numbers or names, `(rows,)`) and float columns `(rows, columns)`.

    Floats are written in shortest round-trip form; what is not a number is an empty cell. Columns named in `whole` hold
    whole numbers, or nothing, and are written as such.
    """

    keys: Mapping[str, NDArray[Any]]
    columns: tuple[str, ...]
    values: Array
    whole: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, each: Mapping[str, NDArray[Any]], parts: Mapping[str, NDArray[Any]], columns: Columns, known: Known
    ) -> Self:
        """The table of all that is known of its rows, found by the names of the columns: of `each` tick (or other key)
        a row, or one for each of the same `parts`, told apart by further keys.

        What is known has any shape with as many numbers as there are rows, in their order. Raises ValueError if not.
        What is infinite is an empty cell too.
        """
        (count,), (of_each,) = ({len(key) for key in keys.values()} or {1} for keys in (each, parts))
        rows = count * of_each
        keys = {name: np.repeat(key, of_each) for name, key in each.items()}
        keys |= {name: np.tile(key, count) for name, key in parts.items()}
        values = np.full((rows, len(columns)), np.nan)
        for place, column in enumerate(columns):
            cells = column.of(known)
            if cells is not None:
                if np.size(cells) != rows:
                    raise ValueError(f"found {np.size(cells)} numbers for {column.name}; expected {rows}")
                values[:, place] = np.ravel(cells)
        values[~np.isfinite(values)] = np.nan
        whole = tuple(column.name for column in columns if column.whole)
        return cls(keys, tuple(column.name for column in columns), values, whole)

    @property
    def header(self) -> str:
        """The first line of the CSV."""
        return ",".join([*self.keys, *self.columns]) + "\n"

    def lines(self) -> str:
        """All rows as CSV text, each ending in a newline."""
        # Adding 0.0 turns the float -0.0 into 0.0.
        cells = list(map(_Cells().__getitem__, (self.values + 0.0).T.ravel().tolist()))
        rows = len(self.values)
        columns = [[*map(str, key.tolist())] for key in self.keys.values()]
        columns += [cells[i * rows : (i + 1) * rows] for i in range(len(self.columns))]
        for name in self.whole:
            column = len(self.keys) + self.columns.index(name)
            columns[column] = [cell.removesuffix(".0") for cell in columns[column]]
        return "".join(",".join(row) + "\n" for row in zip(*columns, strict=True))

    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        floats = {name: self.values[:, i] for i, name in enumerate(self.columns)}
        whole = [name for name in self.whole if not np.isnan(floats[name]).any()]
        floats |= {name: floats[name].astype(np.int64) for name in whole}
        return pd.DataFrame({**self.keys, **floats})


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
