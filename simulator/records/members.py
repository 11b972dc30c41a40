"""The members of entries whose agents differ: how each stands after a tick, beside what was drawn for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.dynamics.transition import Transition
from simulator.economics.forms import Array
from simulator.records.columns import MEMBERS, NUMBER, Column, Columns, Known
from simulator.records.table import Table, names

if TYPE_CHECKING:
    from simulator.dynamics.consumers import CohortTick

PIECE = 1 << 16
"""So many members are written at a time."""
Cohorts = Callable[[Any], "list[CohortTick]"]
"""Tells what each cohort of consumers went through in a tick."""
Drawn = Mapping[str, Mapping[str, Array]]
"""What was drawn for the members of each entry, `(members,)` each, by the path of the field in the entry."""


def member_columns(drawn: Drawn, firms: Sequence[str]) -> Columns:
    """The columns of members.csv where so much is `drawn`, for entries of `firms` among others."""
    paths = dict.fromkeys(path for fields in drawn.values() for path in fields)
    makers = {"profit", "output"}
    kinds = {name in firms for name in drawn}
    kept = [column for column in MEMBERS if (column.name in makers) in kinds]
    return (*kept, *(Column(path, NUMBER, "drawn") for path in paths))


def member_tables(cohorts: Cohorts, now: Transition[Any, Any], drawn: Drawn, columns: Columns) -> Iterator[Table]:
    """The rows of the entries in `drawn` after a tick, piece by piece; none where plans have no end."""
    if not now.tick.finite:
        return
    with np.errstate(all="ignore"):
        for name, known in _known(cohorts, now, drawn):
            count = len(next(iter(known.values())))
            for first in range(0, count, PIECE):
                part = slice(first, first + PIECE)
                numbers = np.arange(count)[part]
                each = {"tick": np.full(len(numbers), now.tick.tick), "agent": names([name] * len(numbers))}
                cells = {column: values[part] for column, values in known.items()}
                yield Table.of({**each, "member": numbers}, {}, columns, cells)


def _known(cohorts: Cohorts, now: Transition[Any, Any], drawn: Drawn) -> Iterator[tuple[str, Known]]:
    """What is known of each member of an entry, entry by entry, in the economy's order."""
    economy, tick = now.economy, now.tick
    for firm, rows in zip(economy.firms, economy.firm_rows, strict=True):
        if firm.name in drawn:
            known = {"profit": np.asarray(tick.cash_flow)[rows], "output": np.asarray(tick.outputs)[rows]}
            yield firm.name, {**known, **drawn[firm.name]}
    chosen = [place for place, cohort in enumerate(economy.consumers) if cohort.name in drawn]
    after = cohorts(now) if chosen else []
    for place in chosen:
        name, known = economy.consumers[place].name, after[place].statistics()._asdict()
        yield name, {**known, "money": np.asarray(now.after.accounts[place]), **drawn[name]}


def no_members(columns: Columns) -> Table:
    """The table before any row."""
    return Table.of(
        {"tick": np.zeros(0, dtype=int), "agent": names(()), "member": np.zeros(0, dtype=int)}, {}, columns, {}
    )
