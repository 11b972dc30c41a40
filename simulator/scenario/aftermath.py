"""What a scenario is after each of its shocks: what is new is read and checked before a run, the rest during it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simulator.errors import ScenarioError
from simulator.scenario.checks import check
from simulator.scenario.complaints import validate
from simulator.scenario.course import Course, Event, Step, Turns
from simulator.scenario.document import Document, Fault, from_data
from simulator.scenario.economies import Regime, Regimes, Shocked
from simulator.scenario.shocks import ShockError

LOOKED_AHEAD = 1000
"""So many steps that repeat a shock are gone through before a run, in search of numbers that lead to no economy."""


class Aftermath:
    """What the `course` of a `document` leads to, step by step.

    Entries of which nothing has changed since the last step that was read are the same objects.
    """

    def __init__(self, document: Document, course: Course) -> None:
        self._document, self._course = document, course
        self._model, self._plain = course.model, course.plain
        self._turns: Turns = {}

    def foreseen(self) -> list[Shocked]:
        """The scenario after each shock that happens, or is over, for the first time, in order.

        What is wrong with one of them, or with the smallest and largest numbers that others come to, is a fault of the
        document. Raises `ShockError`.
        """
        shocks, last = self._course.model.shocks, self._course.model.run.ticks
        ahead, coming, repeated = list[Shocked](), {*range(len(shocks))}, 0
        extremes = dict[str, list[tuple[float, Step]]]()
        for step in self._course.steps():
            repeated += not step.new
            if repeated > LOOKED_AHEAD or (repeated and not coming and step.tick > last):
                break
            coming -= step.begun
            ahead += self._read(step) if step.new else ()
            for path, number in step.numbers.items():
                found = [*extremes.get(path, ()), (number, step)]
                extremes[path] = [choose(found, key=lambda one: one[0]) for choose in (min, max)]
        late = self._course.steps(sorted(Event(shocks[place].tick, True, place, 0) for place in coming))
        for step in (*(step for pair in extremes.values() for _, step in pair if not step.new), *late):
            self._read(step)
        return ahead

    def _read(self, step: Step) -> list[Shocked]:
        """The scenario from a step on, unless something is wrong with it or has been before."""
        if self._document.faults:
            return []
        if step.plain is not self._plain or step.turns != self._turns:
            after = from_data(step.plain)
            after.plugins = self._document.plugins
            model = validate(after, {room: self._entries(step, room) for room in ("firms", "consumers")})
            check(after, model)
            when = "" if step.new else f" at tick {step.tick}"
            for fault in after.faults:
                said = f"leads{when} to {after.dotted(fault.path)}: {fault.message}"
                self._document.faults.append(Fault(("shocks", step.place, "set"), said))
            if after.faults:
                return []
            self._model, self._plain, self._turns = model, step.plain, step.turns
        return [Shocked(step.place, step.tick, self._model, step.prices, step.turns)]

    def _entries(self, step: Step, room: str) -> list[Any]:
        """Firms or consumers as they were read before, or as data where they are others now."""
        triples = zip(step.plain[room], self._plain[room], getattr(self._model, room), strict=True)
        return [
            entry if new == old and not self._redrawn(step, f"{room}.{new['name']}.") else new
            for new, old, entry in triples
        ]

    def _redrawn(self, step: Step, within: str) -> bool:
        """Whether something within an entry has been drawn anew."""
        paths = {*step.turns, *self._turns}
        return any(path.startswith(within) and step.turns.get(path) != self._turns.get(path) for path in paths)

    def following(self, regimes: Regimes, known: Mapping[int, Regime], since: int = 0) -> Iterator[Regime]:
        """Every regime after the first, in order, those that are `known` by their ticks as they are, others once they
        are asked for; of those that began before the tick `since` the last one alone.

        Raises `ScenarioError` where shocks have led to no economy.
        """
        passed: Step | None = None
        for step in self._course.steps():
            if step.tick > self._course.model.run.ticks:
                break
            if not step.tick:  # The first regime begins with it.
                continue
            if passed is not None and step.tick >= since:
                yield self._regime(passed, regimes, known)
            passed = step if step.tick < since else None
            if passed is None:
                yield self._regime(step, regimes, known)
        if passed is not None:
            yield self._regime(passed, regimes, known)

    def _regime(self, step: Step, regimes: Regimes, known: Mapping[int, Regime]) -> Regime:
        if step.tick in known:
            return known[step.tick]
        try:
            shocked = self._read(step)
            if shocked:
                return regimes.after(shocked[0])
        except ShockError as error:
            self._document.faults.append(Fault(error.steps, error.message))
        raise ScenarioError(map(self._document.problem, self._document.faults))
