"""Good steps for a scenario: a small search over the rate of its price rule and the main number of each of its pieces.

Numbers are looked for one after another: first each on a coarse grid, then each closer around the best so far. The best
run clears in the fewest ticks; where none clears, it is the one with the smallest residual. All is determined by the
scenario, its seed included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from simulator.dynamics.price_rules import PIECES
from simulator.economics.forms import Array
from simulator.scenario import Scenario
from simulator.schedulers.table import by_kind
from simulator.trial import Trial, short

COARSE, FINE = 12, 8
"""Values of each number that are tried: over its whole range, then around the best."""
SPAN = 30.0
"""A rate is looked for from this part of what is written to this multiple of it."""


class Range(NamedTuple):
    """Where a number `x` is looked for: between `ends`, which depend on what is written, at points evenly spaced in
    `ln |x|`, or in `ln(1 - |x|)` if it is `part` of something. The sign stays as written.
    """

    ends: Callable[[float], tuple[float, float]]
    part: bool = False
    whole: bool = False

    def coarse(self, written: float) -> list[float]:
        """Values over the whole range."""
        return self._values(np.linspace(*self._limits(written), COARSE), written)

    def fine(self, best: float, written: float) -> list[float]:
        """Values around the best, nine tenths of the way to its neighbours on the coarse grid."""
        low, high = self._limits(written)
        way = 0.9 * (high - low) / (COARSE - 1)
        places = self._place(abs(best)) + np.linspace(-way, way, FINE)
        return self._values(np.clip(places, low, high), written)

    def _limits(self, written: float) -> tuple[float, float]:
        low, high = self.ends(abs(written))
        return self._place(low), self._place(high)

    def _place(self, size: float) -> float:
        return float(-np.log1p(-size) if self.part else np.log(size))

    def _values(self, places: Array, written: float) -> list[float]:
        sizes = -np.expm1(-places) if self.part else np.exp(places)
        signed = np.copysign(np.rint(sizes) if self.whole else sizes, written)
        return list(dict.fromkeys(short(value) for value in signed.tolist()))


KINDS = {
    "size": Range(lambda written: (written / SPAN, written * SPAN)),
    "below 2": Range(lambda written: (written / SPAN, min(written * SPAN, 1.95))),
    "part": Range(lambda _: (0.05, 0.98), part=True),
    "ticks": Range(lambda written: (max(written / SPAN, 1.0), min(written * SPAN, 1000.0)), whole=True),
    "long": Range(lambda written: (max(written / SPAN, 1.0), written * SPAN), whole=True),
    "least": Range(lambda _: (1e-8, 1.0)),
}
"""Ranges by what a number is."""
RANGES = {
    f"{name}.{parameter}".rstrip("."): KINDS[kind]
    for name, piece in PIECES.items()
    for parameter, kind in piece.searched.items()
}
"""That of each number of a piece that is searched."""


class Number(NamedTuple):
    """A number of a scenario: its dotted path, what is written there (or the default), and where to look."""

    path: str
    written: float
    range: Range


def numbers_of(scenario: Scenario) -> list[Number]:
    """The numbers of a scenario that make its steps: the rate, the main number of each piece, rates of hidden firms."""
    scheduler = scenario.resolved["scheduler"]
    rate = KINDS[by_kind()[scheduler["kind"]].rate_range]
    found = [Number("scheduler.rate", scheduler["rate"], rate)] if "rate" in scheduler else []
    for place, piece in enumerate(scheduler.get("with", ())):
        found += _of_piece(f"scheduler.with.{place}", piece)
    hidden = scenario.resolved.get("learning", {}).get("hidden", [])
    layers = {"": hidden} if isinstance(hidden, dict) else {f".{place}": layer for place, layer in enumerate(hidden)}
    found += [Number(f"learning.hidden{place}.rate", layer["rate"], KINDS["size"]) for place, layer in layers.items()]
    # A number that is 0 is none: what it belongs to has been switched off.
    return [number for number in found if number.written or number.range.part]


def _of_piece(path: str, piece: Any) -> Iterator[Number]:
    """The main number of a piece, if it has one."""
    name, given = (piece, {}) if isinstance(piece, str) else next(iter(piece.items()))
    for key, reach in RANGES.items():
        kind, _, parameter = key.partition(".")
        if kind == name and parameter and isinstance(given, Mapping):
            written = given[parameter] if parameter in given else getattr(PIECES[name], parameter)
            yield Number(f"{path}.{key}", float(written), reach)
        elif key == name and isinstance(given, int | float):
            yield Number(f"{path}.{key}", float(given), reach)


def most_runs(numbers: list[Number]) -> int:
    """How many runs a search takes at most: values that fall together are tried once."""
    return 1 + len(numbers) * (COARSE + FINE)


def search(numbers: list[Number], run: Callable[[list[dict[str, float]]], Iterable[Trial]]) -> list[Trial]:
    """Every trial of a search in order, the numbers as written first; the best is the first of the smallest `rank`.

    `run` makes a trial of each of the numbers it is given, by path, in their order.
    """
    tried = list(run([{number.path: number.written for number in numbers}]))
    for fine in (False, True):
        for number in numbers:
            best = best_of(tried).numbers
            path, written, reach = number
            values = reach.fine(best[path], written) if fine else reach.coarse(written)
            known = [trial.numbers for trial in tried]
            tried += run([one for value in values if (one := {**best, path: value}) not in known])
    return tried


def best_of(tried: list[Trial]) -> Trial:
    """The best trial, the first of several alike."""
    return min(tried, key=lambda trial: trial.rank)
