"""The recorder: keeps what is noted of ticks, and turns it into tables block by block."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.market_tick import Stretch
from simulator.dynamics.transition import StateT, TickT, Transition
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.records.columns import KEPT_TABLES, TABLES, Columns, Known, growing_columns
from simulator.records.table import Table, names
from simulator.sentences import Facts, Sentence

if TYPE_CHECKING:
    from simulator.dynamics.verdicts import Verdict
    from simulator.references.judges import References

MOST_BYTES = 64_000_000
"""A block of ticks and of notes of them is of about so many bytes at most."""
MOST_WORK = 20_000_000
"""A block of ticks is about so much work at most: a second or two."""
MOST_TICKS = 512

UNSEEN = 32
"""So many ticks of which no state is kept count as one."""

NoteT = TypeVar("NoteT")
Parts = dict[str, Mapping[str, Array]]


class Rows(NamedTuple):
    """The rows of a table, which has the same ones for each of the `ticks`: by what `keys` they are told apart, and all
    that is known of them by name, in any shape with as many numbers.
    """

    ticks: NDArray[Any]
    keys: Mapping[str, NDArray[Any]]
    known: Known


class View(ABC, Generic[StateT, TickT, NoteT]):
    """How a scheduler's ticks are looked at: what is noted of each, and what is then known of the rows of each table.

    `references` are the judges, where there are any; `free_goods` `(goods,)` those whose price may move; `columns` are
    those of each table that grows with the ticks; `sentences` are what can be said of a run.
    """

    references: References | None = None
    columns: Mapping[str, Columns] = growing_columns()
    sentences: tuple[Sentence, ...] = ()
    free_goods: NDArray[np.bool_]

    @property
    def work(self) -> int:
        """About how much work a tick is, counted in quantities that are planned; it is never timed."""
        return 1

    @property
    def passes_over(self) -> bool:
        """Whether ticks that nobody has to look at may be noted many at once."""
        return False

    @property
    def passes_unseen(self) -> bool:
        """Whether of those that are not to be recorded the states are not needed."""
        return False

    def passed(self, stretch: Stretch, recorded: NDArray[np.bool_]) -> Sequence[NoteT]:
        """What is kept of ticks that nobody has to look at, of which some are to be recorded `(ticks,)`."""
        return ()

    @abstractmethod
    def note(self, now: Transition[StateT, TickT], *, record: bool) -> NoteT | None:
        """What is kept of the tick just over; None if nothing of one that is not to be recorded."""

    @abstractmethod
    def rows(self, notes: Sequence[NoteT]) -> dict[str, Callable[[], Rows]]:
        """By table what tells, once it is asked, all that is known of its rows, by the notes of a block; nothing if no
        tick is to be recorded. A table that is left out has a header alone.
        """

    def facts(self, verdict: Verdict, now: Transition[StateT, TickT], last: Mapping[str, float]) -> Facts:
        """What `sentences` are made of beside the verdict's facts; `last` is the last row of ticks.csv by column."""
        return {}

    def change_economy(self, tick: int, economy: Economy) -> None:
        """From this tick on the economy is another; what was noted before has been turned into tables."""

    def change_prices(self, tick: int, moved: Callable[[Array], Array]) -> None:
        """At this tick prices `(goods,)` are moved by a function of them."""

    def begin(self, tick: int, prices: Array, levels: Array | None = None) -> None:
        """The first tick is this one, at these prices `(goods,)` and activity levels `(levels,)`: the run goes on from
        another.
        """

    def state(self) -> Parts:
        """What is remembered from block to block, parts of arrays."""
        return {}

    def restore(self, parts: Mapping[str, Mapping[str, Array]]) -> None:
        """Continue from a `state`."""

    def summary(self, now: Transition[StateT, TickT]) -> dict[str, Any]:
        """Keys of the summary that this scheduler alone knows."""
        return {}


class Recorder:
    """Keeps the notes of a block of ticks; a block ends after so many ticks, or with one of the ticks `ends`. Only the
    `kept` tables are worked out.

    Arithmetic on arrays of another length may differ in its last bit. Blocks therefore end where the tick's number
    says, never when the clock does, and a resumed run begins at the end of a block: the same bytes every time.
    """

    def __init__(
        self, view: View[Any, Any, Any], ends: Container[int] = frozenset(), kept: Set[str] = KEPT_TABLES
    ) -> None:
        self.view, self._ends, self._kept = view, ends, kept
        self._seen, self._notes, self._last, self._bytes = 0, list[Any](), -1, 0

    @property
    def columns(self) -> dict[str, Columns]:
        """Those of the tables that are kept."""
        return {name: columns for name, columns in self.view.columns.items() if name in self._kept}

    @property
    def most_ticks(self) -> int:
        """How many ticks make a block at most: fewer where they take seconds, or where their notes fill tens of MB."""
        return max(1, min(MOST_TICKS, MOST_WORK // max(self.view.work, 1), MOST_BYTES // max(self._bytes, 1)))

    def observe(self, now: Transition[Any, Any], *, record: bool) -> None:
        """Note the tick just over, for the tables if it is to be recorded."""
        self._seen, self._last = self._seen + 1, now.tick.tick
        note, notes = self.view.note(now, record=record), self._notes
        if note is not None:
            notes.append(note)
            # Of the first note, the second, the fourth, and so on: the first tick of a run may be of another kind. The
            # tick counts, kept or not: what becomes of it in the end takes as much.
            if not len(notes) & (len(notes) - 1):
                self._bytes = max(self._bytes, held((note, now.tick)))

    @property
    def room(self) -> int:
        """How many more ticks the block holds; none before its first has told what a tick takes."""
        return max(0, self.most_ticks - self._seen) if self._seen else 0

    def pass_over(self, stretch: Stretch, last: int, every: int) -> None:
        """Note ticks up to the `last` that nobody has to look at; one of so many is to be recorded."""
        count = len(stretch.prices)
        self._seen, self._last = self._seen + (count if stretch.ticks is None else -(-count // UNSEEN)), last
        self._notes += self.view.passed(stretch, np.arange(last + 1 - count, last + 1) % every == 0)

    @property
    def full(self) -> bool:
        """Whether a block of ticks is complete."""
        return self._seen >= self.most_ticks or self._last in self._ends

    def tables(self, *, last: bool = False) -> dict[str, Table]:
        """The tables of all ticks recorded since the last call; of the `last` block those too that a summary needs."""
        notes, self._notes, self._seen, self._bytes = self._notes, [], 0, 0
        needed = {*self._kept}
        if last:
            needed |= {"ticks"} if self.view.references is None else {"ticks", "trajectory"}
        with np.errstate(all="ignore"):
            found = self.view.rows(notes) if notes else {}
            return {
                name: _table(name, columns, found.get(name))
                for name, columns in self.view.columns.items()
                if found and name in needed
            }


def held(value: Any) -> int:
    """The bytes that a structure takes; what stands in several places of it is counted in each."""
    parts = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()
    return sys.getsizeof(value) + sum(map(held, parts))


def _table(name: str, columns: Columns, told: Callable[[], Rows] | None) -> Table:
    """A table of its rows, of none where a view knows nothing of it."""
    if told is not None:
        rows = told()
    else:
        rows = Rows(np.zeros(0, dtype=np.intp), {key: names(()) for key in list(TABLES[name].keys)[1:]}, {})
    return Table.of({"tick": rows.ticks}, rows.keys, columns, rows.known)
