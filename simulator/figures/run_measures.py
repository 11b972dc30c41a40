"""A finished run as a comparison sees it, read from its CSVs and `summary.json` alone, and the measures taken of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import RunFolderError
from simulator.figures.frames import Floats, Panel, numbers, panel, read_summary, read_table, summary_number

MEASURES = {
    "outcome": "how the run ended",
    "ticks": "price adjustments made",
    "evaluations": "times that excess demand was asked for",
    "max_relative_excess_demand": "at the last tick; where a market learns, the largest order that stays unfilled",
    "tolerance": "largest relative excess demand that counts as cleared",
    "price_gap": "largest relative gap between price and equilibrium, at the last tick",
    "adjoint_gap": "largest relative gap between price and adjoint, at the last tick",
    "gradient_path_gap": "largest relative gap between price and gradient path, of all ticks",
    "gradient_path": "what the gradient path is: dual (descent on a function of prices) or primal (a planner's ascent)",
    "reference": "what a dual gradient path descends: potential, merit, saddle (activity levels climb it) or none",
    "ticks_to_1e-2": "first recorded tick from which excess demand stays at most 1e-2 to the end; none in a cycle",
    "ticks_to_1e-4": "the same for 1e-4",
    "ticks_to_1e-6": "the same for 1e-6",
    "price_to_1e-2": "first recorded tick from which prices stay within 1 % of the last; none unless cleared",
    "bid_to_1e-2": "the same for bids (one step of backprop) against the last prices",
    "adjoint_to_1e-2": "the same for adjoints (the whole sweep) against the last prices",
    "gradient_price_to_1e-2": "the same for the reference path against the last prices",
    "period": "ticks from one return of a cycle to the next",
    "amplitude": "half a cycle's swing over its middle price, of the good that swings most; where a market learns, "
    "the swing itself",
    "loss": "where a market learns: at the last tick",
    "accuracy": "where a market learns: part of the patterns decided right, at the last tick",
    "test_accuracy": "the same of patterns that are held out",
    "scale": "which price is 1, or held, or the sum that the run's own prices are measured by",
}
"""What is compared, with its meaning; where a run has no such number it is empty."""

LEVELS = ("1e-2", "1e-4", "1e-6")
MEANINGS = ("price", "bid", "adjoint", "gradient_price")
COLUMNS = (*MEANINGS, "demand", "supply")


@dataclass(frozen=True)
class RunMeasures:
    """What a comparison takes from one run: how far it is from clearing `(ticks,)`, and the `COLUMNS` of its goods in
    the run's own units.
    """

    label: str
    summary: Mapping[str, Any]
    excess_demand: Floats
    goods: Panel

    @property
    def ticks(self) -> Floats:
        """The recorded ticks."""
        return self.goods.ticks

    def price(self, good: str) -> Floats:
        """A good's price at every recorded tick, in the run's own units."""
        return self.goods["price"][:, self.goods.names.index(good)]

    @property
    def basket(self) -> dict[str, float]:
        """The quantity of each good, per tick, at the last tick at which all were finite."""
        quantities = np.fmax(self.goods["demand"], self.goods["supply"])
        whole = quantities[np.isfinite(quantities).all(axis=1)]
        last = whole[-1] if len(whole) else np.zeros(len(self.goods.items))
        return dict(zip(self.goods.names, last.tolist(), strict=True))

    @property
    def outcome(self) -> str:
        """How the run ended, in words."""
        return str(self.summary.get("outcome") or "did not end").replace("_", " ")

    @property
    def cleared(self) -> bool:
        return self.outcome == "cleared"

    @property
    def learns(self) -> bool:
        """Whether it is of a market that learns: what is unfilled is then counted in units."""
        return self.summary.get("scheduler") == "learning"

    @property
    def length(self) -> int:
        """How many ticks it took."""
        ticks = summary_number(self.summary, "ticks")
        return int(ticks if np.isfinite(ticks) else self.ticks[-1])


def read_run_measures(folder: Path, label: str) -> RunMeasures:
    """What a comparison takes from the folder of a run. Raises `RunFolderError` if its files cannot be read."""
    try:
        summary = read_summary(folder)
        ticks = read_table(folder / "ticks.csv", ("tick", "max_relative_excess_demand"))
        goods = panel(read_table(folder / "trajectory.csv", ("tick", "good", *COLUMNS)), ("good",), COLUMNS)
        if len(goods.ticks) == 0 or not np.array_equal(goods.ticks, numbers(ticks, "tick")):
            raise ValueError("ticks.csv and trajectory.csv have not the same ticks, or none")
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunFolderError(f"{folder}: found files that cannot be read ({what}); expected a run's") from error
    return RunMeasures(label, summary, numbers(ticks, "max_relative_excess_demand"), goods)


def measures_of(run: RunMeasures) -> dict[str, Any]:
    """What is compared of a run, by the names of `MEASURES`; None where it has no such number."""
    known, last = dict(run.summary), run.goods["price"][-1]
    for level in LEVELS:
        # Wherever a cycle stopped, it would have come back.
        reached = run.excess_demand <= float(level)
        known[f"ticks_to_{level}"] = None if run.outcome == "cycled" else _from_then_on(run, reached)
    for column in MEANINGS:
        values = run.goods[column]
        told = np.isfinite(values[-1]) & np.isfinite(last)
        near = np.abs(values[:, told] - last[told]) <= 1e-2 * np.abs(last[told])
        known[f"{column}_to_1e-2"] = _from_then_on(run, near.all(axis=1)) if run.cleared and told.any() else None
    return {name: known.get(name) for name in MEASURES}


def _from_then_on(run: RunMeasures, met: NDArray[np.bool_]) -> int | None:
    """The first recorded tick from which something is `met` `(ticks,)` to the end; None if it is not at the end."""
    first = int(np.flatnonzero(~np.append(False, met))[-1])
    return int(run.ticks[first]) if first < len(run.ticks) else None
