"""The schedulers there are, a row each."""

from __future__ import annotations

from typing import Any

from simulator.records.columns import TABLES, Sheet
from simulator.schedulers.learning import Learning
from simulator.schedulers.marginal_bids import MarginalBids
from simulator.schedulers.scheduler import Scheduler
from simulator.schedulers.tatonnement import Tatonnement

SCHEDULERS: dict[str, type[Scheduler[Any, Any]]] = {
    "tatonnement": Tatonnement,
    "marginal_bids": MarginalBids,
    "learning": Learning,
}


def all_tables() -> dict[str, Sheet]:
    """Every CSV of a run with all the columns that some scheduler writes."""
    kinds = SCHEDULERS.values()
    return {
        name: sheet._replace(
            columns=(*sheet.columns, *(column for kind in kinds for column in kind.columns.get(name, ())))
        )
        for name, sheet in TABLES.items()
    }
