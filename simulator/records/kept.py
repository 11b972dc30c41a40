"""Which rows of a run's tables are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.records.table import Table

WHAT = {"good": "goods", "input": "goods", "agent": "agents", "firm": "agents"}
"""What the key columns of tables name."""


class Kept(NamedTuple):
    """Rows of some `goods` alone, and of some `agents` (entries of the scenario); None: of all."""

    goods: frozenset[str] | None = None
    agents: frozenset[str] | None = None

    def of(self, tables: Mapping[str, Table]) -> dict[str, Table]:
        """Tables with the rows that are kept."""
        if self == Kept():
            return dict(tables)
        return {name: table.where(self.rows(table.each), self.rows(table.parts)) for name, table in tables.items()}

    def rows(self, keys: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Which rows are kept of those told apart by such keys; of no keys there is one row."""
        kept = np.ones(len(next(iter(keys.values()), "1")), dtype=bool)
        for key, names in keys.items():
            some = getattr(self, WHAT[key]) if key in WHAT else None
            if some is not None:
                # A cohort has two statistics, NAME:mean and NAME:total; the row of an activity level is of no good.
                kept &= np.array([not name or name.partition(":")[0] in some for name in names.tolist()], dtype=bool)
        return kept
