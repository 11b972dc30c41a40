"""Stopping between two ticks: what Ctrl-C and other signals do."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Self

GRACE = 1.5
"""Seconds that a run has to come to the end of a tick once it was asked to stop."""
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruption(ExitStack):
    """The first Ctrl-C (or SIGTERM, SIGHUP) asks runs to stop between two ticks; the second one breaks off.

    Where no tick ends within the `GRACE` (a search for equilibria, a tick of an hour) they are broken off all the same,
    if the system has alarms: Windows has none. The `patient` take any number of signals for one.
    """

    def __init__(self, *, patient: bool = False) -> None:
        super().__init__()
        self.asked, self._patient = False, patient
        self.told: list[Callable[[], None]] = []
        """Who else is told to stop."""

    def __enter__(self) -> Self:
        self.enter_context(_handled(STOPPING, self._note))
        self.enter_context(_handled(("SIGALRM",), break_off))
        self.callback(_alarm, 0.0)
        return self

    def heed(self) -> bool:
        """Between two ticks: whether to stop. Who stops has all the time to write what was recorded."""
        if self.asked:
            _alarm(0.0)
        return self.asked

    def _note(self, number: int, frame: object) -> None:
        if not self.asked:
            self.asked = True
            _alarm(GRACE)
            for tell in self.told:
                tell()
        elif not self._patient:
            break_off(number, frame)


def break_off(number: int, _: object) -> None:
    """What a signal does that cannot wait."""
    raise KeyboardInterrupt(number)


def broken_off_by_signals() -> AbstractContextManager[None]:
    """SIGTERM and SIGHUP end what is done here, as Ctrl-C does."""
    return _handled(STOPPING, break_off)


@contextmanager
def _handled(names: Sequence[str], handler: Callable[[int, Any], None] | signal.Handlers) -> Generator[None]:
    """Give signals to a handler, those that the system knows; a SIGHUP that is ignored (nohup) stays so."""
    before: dict[int, Any] = {}
    for name in names:
        number = getattr(signal, name, None)
        ignored = name == "SIGHUP" and number is not None and signal.getsignal(number) == signal.SIG_IGN
        if number is not None and not ignored:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _alarm(seconds: float) -> None:
    """Send a SIGALRM after so many seconds and again after each so many more: it may be lost. None after 0."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
