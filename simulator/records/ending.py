"""What a finished run leaves, beside its state, to those that go on from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from simulator.records.checkpoint import Manifest, State, UnfitError
from simulator.records.columns import TABLES, Columns
from simulator.records.table import Table, names

ENDING = "ending"
"""The array of a checkpoint that holds it."""
UNFINISHED = "a checkpoint of a run that has not come to its end; expected a finished run: --resume continues it"


class Ending(NamedTuple):
    """The last `tick` of a run, its `scenario` as resolved, the checksums of its `inputs`, and its last rows as CSV
    text, by table.
    """

    tick: int
    scenario: str
    inputs: dict[str, str]
    rows: dict[str, str]

    @property
    def state(self) -> State:
        """As it is kept in a checkpoint."""
        return {ENDING: np.frombuffer(json.dumps(self._asdict()).encode(), dtype=np.uint8)}

    @classmethod
    def read(cls, file: Path) -> Self:
        """That of a checkpoint. Raises `UnfitError` if it is not a finished run's of this version."""
        manifest = Manifest.read(file)
        if ENDING not in manifest.arrays:
            raise UnfitError(UNFINISHED)
        manifest.refuse_others()
        return cls(**json.loads(manifest.load(file, 0, {ENDING})[ENDING].tobytes()))

    def table(self, name: str, columns: Columns) -> Table:
        """The last rows of a table in these columns, one tick's: cells of a column that there was not are empty."""
        keys, (header, *lines) = list(TABLES[name].keys)[1:], self.rows.get(name, "tick").splitlines()
        cells = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
        parts = {key: names(row[key] for row in cells) for key in keys}
        texts = [[row.get(column.name, "") for column in columns] for row in cells]
        values = np.array([[float(text) if text else np.nan for text in row] for row in texts])
        ticks = np.array([self.tick] if lines else [], dtype=np.int64)
        whole = tuple(column.name for column in columns if column.whole)
        return Table(
            {"tick": ticks}, parts, tuple(column.name for column in columns), values.reshape(-1, len(columns)), whole
        )


def checksums(inputs: Mapping[str, Path]) -> dict[str, str]:
    """The checksum of each file, by its name in the scenario."""
    return {name: sha256(place.read_bytes()).hexdigest() for name, place in inputs.items()}
