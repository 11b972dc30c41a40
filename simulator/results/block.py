"""What is kept of a market that no judge follows from tick to tick, until a block of ticks is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from typing import Any, Generic, TypeVar

from simulator.economics.economy import Economy
from simulator.economics.forms import Array

MOST_NUMBERS = 2_000_000
"""A block of ticks holds about so many numbers at most."""

Note = TypeVar("Note")


class BlockWitness(ABC, Generic[Note]):
    """Keeps a note of each recorded tick; a block ends after so many ticks, or with one of the ticks `ends`.

    It remembers nothing from block to block, and no judge's path runs beside it.
    """

    references = None
    gradient_path_gap = float("nan")
    worst_imbalance = 0.0

    def __init__(self, numbers: int, ends: Set[int] = frozenset()) -> None:
        self._most = max(1, min(1024, MOST_NUMBERS // numbers))
        self._ends = ends
        self._seen = 0
        self._recorded: list[Note] = []

    @property
    @abstractmethod
    def tick(self) -> int:
        """The number of the tick just over."""

    @abstractmethod
    def note(self) -> Note:
        """What is kept of the tick just over."""

    def enter(self, tick: int, economy: Economy) -> None:
        """A regime begins with this tick; the market knows."""

    def state(self) -> dict[str, Mapping[str, Array]]:
        """What is remembered from tick to tick beside the market: nothing."""
        return {}

    def restore(self, parts: Mapping[str, Mapping[str, Array]]) -> None:
        """Continue from a `state`."""

    def learnt(self) -> dict[str, Any]:
        """What the summary says of what was learnt: nothing, where nothing is to be learnt."""
        return {}

    def look(self, *, record: bool) -> None:
        """Keep the tick just over, if it is to be recorded."""
        self._seen += 1
        if record:
            self._recorded.append(self.note())

    @property
    def full(self) -> bool:
        """Whether a block of ticks is complete."""
        return self._seen >= self._most or self.tick in self._ends

    def taken(self) -> list[Note]:
        """The notes of all ticks recorded since the last call."""
        recorded, self._recorded, self._seen = self._recorded, [], 0
        return recorded
