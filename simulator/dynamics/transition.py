"""A tick in its surroundings: what verdicts, records and the summary of a run are given to look at."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from simulator.economics.economy import Economy

StateT = TypeVar("StateT")
TickT = TypeVar("TickT")


class Transition(NamedTuple, Generic[StateT, TickT]):
    """The economy a tick happened in, the state before it, the tick, and the state after it."""

    economy: Economy
    before: StateT
    tick: TickT
    after: StateT
