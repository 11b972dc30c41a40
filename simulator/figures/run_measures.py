"""A finished run as a comparison sees it, read from its CSVs and `summary.json` alone, and the measures taken of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import RunFolderError
from simulator.figures.frames import Floats, numbers, panel, read_summary, read_table, summary_number

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
    "reference": "the function that a dual gradient path descends: potential or merit",
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

REACHES = {"ticks_to_1e-2": 1e-2, "ticks_to_1e-4": 1e-4, "ticks_to_1e-6": 1e-6}
NEARS = {f"{column}_to_1e-2": column for column in ("price", "bid", "adjoint", "gradient_price")}


@dataclass(frozen=True)
class RunMeasures:
    """What a comparison takes from one run: how far it is from clearing `(ticks,)`, the column of each good, prices
    `(ticks, goods)` in the run's own units, and `basket` `(goods,)`, the quantities of the last tick at which all were
    finite, per tick. `meanings` are bids, adjoints and the reference path's prices, `(ticks, goods)` each.
    """

    label: str
    summary: Mapping[str, Any]
    ticks: Floats
    excess_demand: Floats
    goods: Mapping[str, int]
    prices: Floats
    basket: Floats
    meanings: Mapping[str, Floats]

    def price(self, good: str) -> Floats:
        """A good's price at every recorded tick, in the run's own units."""
        return self.prices[:, self.goods[good]]

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
        columns = ("price", "demand", "supply", "bid", "adjoint", "gradient_price")
        goods = panel(read_table(folder / "trajectory.csv", ("tick", "good", *columns)), ("good",), columns)
        excess = numbers(ticks, "max_relative_excess_demand")
        if len(goods.ticks) == 0 or not np.array_equal(goods.ticks, numbers(ticks, "tick")):
            raise ValueError("ticks.csv and trajectory.csv have not the same ticks, or none")
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunFolderError(f"{folder}: found files that cannot be read ({what}); expected a run's") from error
    quantities = np.fmax(goods["demand"], goods["supply"])
    whole = quantities[np.isfinite(quantities).all(axis=1)]
    basket = whole[-1] if len(whole) else np.zeros(len(goods.items))
    places = {item[0]: place for place, item in enumerate(goods.items)}
    meanings = {column: goods[column] for column in NEARS.values()}
    return RunMeasures(label, summary, goods.ticks, excess, places, goods["price"], basket, meanings)


def measures_of(run: RunMeasures) -> dict[str, Any]:
    """What is compared of a run, by the names of `MEASURES`; None where it has no such number."""
    reached = {name: _reached(run, level) for name, level in REACHES.items()}
    reached |= {name: _near(run, run.meanings[column]) for name, column in NEARS.items()}
    return {name: reached[name] if name in reached else run.summary.get(name) for name in MEASURES}


def _near(run: RunMeasures, values: Floats) -> int | None:
    """The first recorded tick from which `values` `(ticks, goods)` stay within 1 % of the last prices; goods of which
    nothing is known at the end are left out. None unless the run cleared.
    """
    last = run.prices[-1]
    known = np.isfinite(values[-1]) & np.isfinite(last)
    if not run.cleared or not known.any():
        return None
    near = np.abs(values[:, known] - last[known]) <= 1e-2 * np.abs(last[known])
    return _from_then_on(run, near.all(axis=1))


def _reached(run: RunMeasures, level: float) -> int | None:
    """The first recorded tick from which excess demand stays at most `level`; None if it ends above, or cycles."""
    if run.outcome == "cycled":
        return None  # Wherever it stopped, it would have come back.
    return _from_then_on(run, run.excess_demand <= level)


def _from_then_on(run: RunMeasures, met: NDArray[np.bool_]) -> int | None:
    """The first recorded tick from which something is `met` `(ticks,)` to the end; None if it is not at the end."""
    unmet = np.flatnonzero(~met)
    first = int(unmet[-1]) + 1 if len(unmet) else 0
    return int(run.ticks[first]) if first < len(run.ticks) else None
