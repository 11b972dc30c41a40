"""The course of a scenario: what shocks make of it at which tick, once or time and again.

What is still to come is worked out when it is asked for: a shock that happens 20,000 times costs no more at the
beginning than one that happens once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import count, groupby, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.kinds.draws import Draws
from simulator.scenario.schema import ScenarioFile, Shock
from simulator.scenario.shocks import PriceMove, changed, drawn_for_all, has_draws, price_move

if TYPE_CHECKING:
    from numpy.random import Generator

Turns = Mapping[str, int]
"""How often agents' numbers at a path have been drawn anew, by the path."""


class Event(NamedTuple):
    """A shock, by its `place` in the list, `begins` or is over; `turn` counts how often it has happened before.

    What is over at a tick is over before anything begins.
    """

    tick: int
    begins: bool
    place: int
    turn: int


class Step(NamedTuple):
    """A tick at which shocks happen, the `place` of the last of them, and which have `begun` or are over for the first
    time; what the scenario is from there on as `plain` data, and how often numbers in it have been drawn anew; how
    `prices` are moved; and what became of single `numbers`, by path.
    """

    tick: int
    place: int
    begun: frozenset[int]
    plain: Mapping[str, Any]
    turns: Turns
    prices: tuple[PriceMove, ...]
    numbers: Mapping[str, float]

    @property
    def new(self) -> bool:
        """Whether it repeats nothing alone."""
        return bool(self.begun)


def events(shocks: Sequence[Shock]) -> Iterator[Event]:
    """What happens, in order; without end where a shock has none."""
    return merge(*(_of(place, shock) for place, shock in enumerate(shocks)))


def _of(place: int, shock: Shock) -> Iterator[Event]:
    if shock.every is None:
        yield Event(shock.tick, True, place, 0)
        if shock.until is not None:
            yield Event(shock.until, False, place, 0)
        return
    ticks = count(shock.tick, shock.every) if shock.until is None else range(shock.tick, shock.until + 1, shock.every)
    for turn, tick in enumerate(ticks):
        yield Event(tick, True, place, turn)


class LastTicks:
    """A container of the last tick before each event."""

    def __init__(self, shocks: Sequence[Shock]) -> None:
        self._shocks = shocks
        self._once = {end - 1 for shock in shocks if shock.every is None for end in (shock.tick, shock.until or 0)}
        self._often = [
            range(shock.tick - 1, shock.until or 10**16, shock.every) for shock in shocks if shock.every is not None
        ]

    def __contains__(self, tick: object) -> bool:
        return tick in self._once or any(tick in ticks for ticks in self._often)

    def shocks_up_to(self, last: int) -> list[int]:
        """The ticks of all events up to a `last` one, but for the first tick."""
        ticks = takewhile(lambda tick: tick <= last, (event.tick for event in events(self._shocks)))
        return [tick for tick in dict.fromkeys(ticks) if tick]


class _Change(NamedTuple):
    """What the shock at a place comes to: whether it `passes`, its changes of data, and which are draws anew."""

    place: int
    passes: bool
    changes: Mapping[str, Any]
    anew: Turns


class _Standing:
    """Plain data, and how often numbers in it were drawn anew, after changes some of which pass."""

    def __init__(self, plain: Mapping[str, Any]) -> None:
        self.plain, self.turns = plain, dict[str, int]()
        self._before, self._since = (self.plain, self.turns), list[_Change]()
        """What stood before the first change that will pass, and all changes since."""

    def take(self, change: _Change) -> dict[str, float]:
        """Make a change; what single numbers become by it, by path."""
        if change.passes and not self._since:
            self._before = self.plain, self.turns
        if change.passes or self._since:
            self._since.append(change)
        return self._make(change)

    def undo(self, place: int) -> None:
        """Data as they would be without the changes of the shock at a place."""
        rest = [change for change in self._since if change.place != place]
        (self.plain, self.turns), self._since = self._before, []
        for change in rest:
            self.take(change)

    def _make(self, change: _Change) -> dict[str, float]:
        if not change.changes:
            return {}
        self.plain, reached = changed(self.plain, change.changes, change.place)
        self.turns = {**self.turns, **change.anew}
        return reached


class Course:
    """What becomes of a completed scenario, resolved as `plain` data, by its shocks; numbers are drawn by `draws`."""

    def __init__(self, model: ScenarioFile, plain: Mapping[str, Any], draws: Draws) -> None:
        self.model, self.draws = model, draws
        self.plain = {key: value for key, value in plain.items() if key != "shocks"}

    @property
    def repeats(self) -> bool:
        """Whether a shock happens more than once."""
        return any(shock.every is not None for shock in self.model.shocks)

    def steps(self, happening: Iterable[Event] | None = None) -> Iterator[Step]:
        """What the scenario is after the shocks of each tick, in order, or after these alone. Raises `ShockError`."""
        standing = _Standing(self.plain)
        streams: dict[tuple[int, str], Generator] = {}
        for tick, group in groupby(
            events(self.model.shocks) if happening is None else happening, key=lambda event: event.tick
        ):
            here, prices, numbers = list(group), list[PriceMove](), dict[str, float]()
            for event in here:
                if not event.begins:
                    standing.undo(event.place)
                    continue
                shock, changes = self.model.shocks[event.place], dict[str, Any]()
                for path, change in shock.changes.items():
                    came_to = self._come_to(standing.plain, event, path, change, streams)
                    if path.partition(".")[0] == "prices":
                        prices.append(price_move(self.model, shock, event.place, path, came_to))
                    else:
                        changes[path] = came_to
                anew = {path: event.turn for path, change in changes.items() if has_draws(change)}
                passes = shock.every is None and shock.until is not None
                numbers |= standing.take(_Change(event.place, passes, changes, anew))
            begun = frozenset(event.place for event in here if event.turn == 0)
            yield Step(tick, here[-1].place, begun, standing.plain, standing.turns, tuple(prices), numbers)

    def _come_to(
        self, plain: Mapping[str, Any], event: Event, path: str, change: Any, streams: dict[tuple[int, str], Generator]
    ) -> Any:
        """A change whose number is drawn once for all agents, with the number of this turn; others as they are."""
        draw = drawn_for_all(plain, path, change, event.place)
        if draw is None:
            return change
        kind, drawn = draw
        key = event.place, path
        if key not in streams:
            streams[key] = self.draws.stream(f"shocks.{self.model.shocks[event.place].tick}.{path}")
        (distribution,) = drawn.distributions.values()
        number = float(distribution.draw(streams[key], 1)[0]) * drawn.times + drawn.plus
        return number if kind is None else {kind: number}
