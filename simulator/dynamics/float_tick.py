"""The tick of a small economy in plain floats: the same text as in arrays, traced once and written out.

An economy of a few goods does less arithmetic in a tick than NumPy spends on being called. What a step does to arrays
is therefore written down as operations on numbers (`formulas.traced_array`) and run as one function of floats
(`formulas.emitter`). Where the step asks whether something holds, there is a text for each answer met so far.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from simulator.formulas.emitter import emitted, in_arrays, plain, traced
from simulator.formulas.traced_array import Trace

MOST_TEXTS = 64
"""So many texts are kept, those that served last."""

StateT = TypeVar("StateT")
TickT = TypeVar("TickT")


class FloatTick(Generic[StateT, TickT]):
    """A `step` from a state of arrays to the next state and a tick, run in plain floats wherever that has an answer.

    What it answers follows from the state alone, whatever texts there are: a run that is resumed goes on to the same
    bytes.
    """

    def __init__(self, step: Callable[[StateT], tuple[StateT, TickT]]) -> None:
        self._step = step
        self._texts: list[Callable[[StateT], tuple[StateT, TickT] | None]] = []
        self._after: StateT | None = None
        self.serves = True
        """Whether the step can be traced."""

    def __call__(self, state: StateT) -> tuple[StateT, TickT] | None:
        """What the step makes of the state; None where it has to be asked in arrays."""
        if state is not self._after:
            state = plain(state)
        for text in self._texts:
            if (done := _done(text, state)) is not None:
                if text is not self._texts[0]:
                    self._texts.remove(text)
                    self._texts.insert(0, text)
                self._after = done[0]
                return done
        return self._by_a_new_text(state) if self.serves else None

    def _by_a_new_text(self, state: StateT) -> tuple[StateT, TickT] | None:
        trace = Trace()
        given = traced(trace, in_arrays(state))
        try:
            text = emitted(trace, given, self._step(given))
        except Exception:
            # A kind from outside may not know what to do with a traced array; a fault that is real shows in arrays.
            self.serves = False
            return None
        self._texts = [text, *self._texts[: MOST_TEXTS - 1]]
        return _done(text, state)


def _done(text: Callable[[StateT], tuple[StateT, TickT] | None], state: StateT) -> tuple[StateT, TickT] | None:
    try:
        return text(state)
    except (ArithmeticError, ValueError):
        return None
