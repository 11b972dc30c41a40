"""How a run closes in, or does not: the gaps to clearing, to the equilibrium and to the other reference prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.figures import canvas
from simulator.figures.canvas import BLUE, BODY, GREEN, GREY, VERMILION
from simulator.figures.frames import Floats, Frames, is_planned, numbers, summary_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GUIDE = "Lower is closer: 0.01 is 1 % apart, at the good where the gap is largest."
LEARNING_GUIDE = "Lower is closer to every order being filled: 0.01 is a hundredth of a unit, of the worst order."
UNSETTLED = {
    "cycled": "The gaps do not close: they come back in every turn.",
    "out_of_ticks": "Ticks ran out before the gaps closed.",
}
# Relative gaps up to this are what floating point leaves of 0.
ROUNDING = 1e-14
# column: label, style; wide ones first, so that lines which coincide stay visible
DISTANCES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "distance_to_gradient_path": ("price against\ngradient path", canvas.BEADS),
    "max_relative_excess_demand": ("excess demand against\ndemand (or supply)", {"color": BLUE, "linewidth": 3.5}),
    "distance_to_adjoint": (
        "price against adjoint\n(derivative of the whole)",
        {"color": GREEN, "linewidth": 3, "linestyle": (0, (4, 2))},
    ),
    "distance_to_equilibrium": (
        "price against\nequilibrium",
        {"color": VERMILION, "linewidth": 2.2, "linestyle": (0, (5, 2, 0.1, 2))},
    ),
}
RESIDUALS = {
    "marginal_bids": "bids against prices,\nwhat is made against\nwhat there was",
    "learning": "largest order\nthat stays unfilled",
}
"""What is called excess demand where nobody trades goods at a price."""
TOLERANCE: Mapping[str, Any] = {"color": GREY, "linewidth": 1.2, "linestyle": (0, (2, 2))}


def convergence(run: Frames) -> Figure | None:
    """How far from clearing and from each reference price, by logarithm; zeros on a floor of their own."""
    ticks = numbers(run.ticks, "tick")
    gaps = {column: y for column, y in ((c, _gap(run, c)) for c in DISTANCES) if np.isfinite(y).any()}
    if not gaps:
        return None
    everything = np.concatenate(list(gaps.values()))
    seen = everything[np.isfinite(everything) & (everything > ROUNDING)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.1, 1.0)
    tolerance = summary_number(run.summary, "tolerance")
    near = tolerance > low / 1e4
    low, high = (min(low, tolerance), max(high, tolerance)) if near else (low, high)
    floor = 10.0 ** (np.floor(np.log10(low)) - 1)
    zero = floor if (everything <= ROUNDING).any() else 0.0
    learns = run.summary.get("scheduler") == "learning"
    guide = f"{LEARNING_GUIDE if learns else GUIDE} {UNSETTLED.get(str(run.summary.get('outcome')), '')}".strip()
    period = summary_number(run.summary, "period")
    shaded = f"Shaded: one turn, {period:,.0f} ticks." if 0 < period < ticks[-1] - ticks[0] else ""
    figure = canvas.sheet(run.summary, guide, *_notes(gaps, tolerance, near), shaded, canvas.shocks_note(run.summary))
    axes = figure.add_axes((0.105, 0.135, 0.6, 0.66))
    ends: list[canvas.End] = []
    for column, values in gaps.items():
        label, style = DISTANCES[column]
        if column == "max_relative_excess_demand":
            label = RESIDUALS.get(str(run.summary.get("scheduler")), label)
        if column == "distance_to_gradient_path" and is_planned(run.summary):
            label = "price against\nplanner's ascent"
        values = np.where(values <= ROUNDING, floor, values)
        canvas.line(axes, ticks, values, **style)
        ends.append((float(values[np.isfinite(values)][-1]), label, style))
    if near:
        axes.axhline(tolerance, **TOLERANCE)
    bottom = 10 ** (1.06 * np.log10(zero) - 0.06 * np.log10(high)) if zero else low / 2
    axes.set_ylim(bottom, min(high * 2, 1e307))
    axes.set_yscale("log")
    canvas.log_axis(axes.yaxis, low / 2, high * 2, zero)
    canvas.tick_axis(axes, ticks[0], ticks[-1])
    canvas.mark_shocks(axes, run.summary)
    canvas.tidy(axes)
    if 0 < period < ticks[-1] - ticks[0]:
        axes.axvspan(ticks[-1] - period, ticks[-1], color="#f0f0f0", zorder=0)
    canvas.label_ends(axes, ends, 0.23 * canvas.WIDTH)
    axes.set_xlabel("tick", fontsize=BODY)
    axes.set_ylabel("units of a bundle" if learns else "relative gap (no unit)", fontsize=BODY)
    return figure


def _notes(gaps: Mapping[str, Floats], tolerance: float, near: bool) -> tuple[str, str]:
    """What is missing from the picture, and where the tolerance is."""
    missing = [column.removeprefix("distance_to_").replace("_", " ") for column in DISTANCES if column not in gaps]
    absent = f"Not recorded: {', '.join(missing)}." if missing else ""
    words = canvas.number(tolerance)
    if near:
        return f"Dotted line: the tolerance, {words}; what lies below it counts as cleared.", absent
    return f"The tolerance, {words}, lies far below." if tolerance > 0 else "", absent


def _gap(run: Frames, column: str) -> Floats:
    """A distance over ticks; the zeros before paths part are left out."""
    gap = np.abs(numbers(run.ticks, column))
    apart = np.flatnonzero(gap > ROUNDING)
    return np.where(np.arange(len(gap)) < apart[0], np.nan, gap) if len(apart) else gap
