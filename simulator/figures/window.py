"""Which stretch of a run is worth drawing: until it has settled, or a few turns of its cycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.figures.frames import Floats, summary_number

STILL = 0.01
TURNS = 12


def window_of(ticks: Floats, lines: Floats, summary: Mapping[str, Any]) -> tuple[int, str]:
    """`rows_worth_drawing` of all the lines `(ticks, lines)` that a figure draws of a run; all rows of named ticks."""
    if summary.get("between"):
        return len(ticks), ""
    return rows_worth_drawing(ticks, lines, summary_number(summary, "period"))


def unit_range(lines: Floats, *, logarithms: bool = True) -> Floats:
    """Each column of (ticks, lines) moved to [0, 1] over its own range, by logarithms where it is positive."""
    with np.errstate(all="ignore"):
        lines = np.where(np.isfinite(lines), lines, np.nan)
        lines = np.where((np.fmin.reduce(lines, axis=0) > 0) & logarithms, np.log(lines), lines)
        low, high = np.fmin.reduce(lines, axis=0), np.fmax.reduce(lines, axis=0)
        moving = high - low > 1e-9 * np.maximum(np.abs(low), np.abs(high))
        return np.where(moving, (lines - low) / (high - low), np.where(np.isnan(lines), np.nan, 0.0))


def turning_points(line: Floats) -> NDArray[np.intp]:
    """The places of a line `(ticks,)` at which it turns, by more than a hundredth of its range."""
    known = np.flatnonzero(np.isfinite(line))
    steps = np.diff(np.round(100 * unit_range(line[known][:, None])[:, 0])) if len(known) > 2 else np.zeros(0)
    moves = np.flatnonzero(steps)
    return known[moves[1:][steps[moves[1:]] * steps[moves[:-1]] < 0]]


def turns_of(line: Floats) -> int:
    """How often a line `(ticks,)` turns by more than a hundredth of its range."""
    return len(turning_points(line))


def rows_worth_drawing(ticks: Floats, lines: Floats, period: float = np.nan) -> tuple[int, str]:
    """How many leading rows of (ticks, lines) to draw, and a note where that is not all of them."""
    rows = len(ticks)
    if rows < 20 or lines.shape[1] == 0:
        return rows, ""
    # By logarithm too, as some axes are.
    scaled = np.hstack([unit_range(lines, logarithms=False), unit_range(lines)])
    if np.isfinite(period) and period > 0 and ticks[-1] - ticks[0] > 2 * TURNS * period:
        keep = _rows_to_steady_turns(ticks, scaled, period)
        reason = f"the first {int((ticks[keep - 1] - ticks[0]) / period + 0.5)} turns of the cycle"
    else:
        keep = max(20, int(1.4 * _settled_row(scaled)))
        reason = "afterwards no line is more than 1 % of its range away from its end"
    if keep > 0.7 * rows:
        return rows, ""
    return keep, f"Ticks {ticks[0]:,.0f} to {ticks[keep - 1]:,.0f} of {ticks[-1]:,.0f}: {reason}."


def _settled_row(scaled: Floats) -> int:
    """The first row from which every line stays within `STILL` of its range of where it ends, without a gap."""
    known = scaled[:, np.isfinite(scaled).any(axis=0)]
    last = np.array([column[np.isfinite(column)][-1] for column in known.T])
    away = np.flatnonzero(~(np.abs(known - last) <= STILL).all(axis=1))
    return int(away[-1]) + 1 if len(away) else len(scaled)


def _rows_to_steady_turns(ticks: Floats, scaled: Floats, period: float) -> int:
    """The rows until the orbit has its final size, and `TURNS` turns more; all rows if a turn has less than two."""
    block = ((ticks - ticks[0]) // (2 * period)).astype(int)
    starts = np.flatnonzero(np.diff(block, prepend=-1))[:-1]
    if len(starts) < 2 or np.min(np.diff(starts)) < 2:
        return len(ticks)
    filled = np.nan_to_num(scaled)
    size = (np.maximum.reduceat(filled, starts) - np.minimum.reduceat(filled, starts))[:-1].max(axis=1)
    unsteady = np.flatnonzero(np.abs(size - np.median(size[-5:])) > 0.15 * np.median(size[-5:]))
    turn = int(unsteady[-1]) + 1 if len(unsteady) else 0
    return int(np.searchsorted(ticks, ticks[0] + (2 * turn + TURNS) * period, side="right"))
