"""Named curves over ticks: how far a run is from its references, how it is out of equilibrium, what inputs earn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas, frames
from simulator.figures.canvas import BLACK, BLUE, BODY, GREEN, GREY, ROUNDING, VERMILION, Style
from simulator.figures.frames import Floats, Frames, finite, numbers, panel, scheduler_of, summary_number
from simulator.figures.window import window_of

PLACE = (0.105, 0.135, 0.6, 0.63)
"""Where the axes of each stand: names of curves are to the right."""
PLACES = ((0.105, 0.5, 0.6, 0.255), (0.105, 0.135, 0.6, 0.255))

GAPS_GUIDE = "Lower is closer: 0.01 is 1 % apart, at the good where the gap is largest."
LEARNING_GUIDE = "Lower is closer to every order being filled: 0.01 is a hundredth of a unit, of the worst order."
UNSETTLED = {
    "cycled": "The gaps do not close: they come back in every turn.",
    "out_of_ticks": "Ticks ran out before the gaps closed.",
}
EXCESS = "max_relative_excess_demand"
# column: label, style; wide ones first, so that lines which coincide stay visible
GAPS: Mapping[str, tuple[str, Style]] = {
    EXCESS: ("excess demand against\ndemand (or supply)", canvas.stroke(BLUE, 3.5)),
    "distance_to_gradient_path": ("price against\ngradient path", canvas.TRAIL),
    "distance_to_adjoint": ("price against adjoint\n(derivative of the whole)", canvas.stroke(GREEN, 3, canvas.DASHED)),
    "distance_to_equilibrium": ("price against\nequilibrium", canvas.stroke(VERMILION, 2.2, canvas.DASH_DOT)),
}
PANELS = {
    "what has to vanish for markets to clear": (EXCESS,),
    "how far prices are from what they are compared with": tuple(column for column in GAPS if column != EXCESS),
}
RESIDUALS = {
    "marginal_bids": "bids against prices,\nwhat is made against\nwhat there was",
    "learning": "largest order\nthat stays unfilled",
}
"""What is called excess demand where nobody trades goods at a price."""

DIAGNOSTICS_GUIDE = (
    "Rotation: 0, excess demand falls like a gradient; 1, it only turns. "
    "Cosines: 1, prices move straight that way; 0, across; below 0, away."
)
# column: label, style; wide ones first
DIAGNOSTICS: Mapping[str, tuple[str, Style]] = {
    "cosine_to_gradient": ("cosine to the\ngradient: downhill?", canvas.TRAIL),
    "cosine_home": ("cosine home: to where\nmarkets would clear?", canvas.stroke(BLUE, 2.6)),
    "rotation_index": ("rotation index:\ndoes the field turn?", canvas.stroke(VERMILION, 4, canvas.DOTTED)),
}

# Title and guide.
WEDGES_GUIDES = (
    "What one more unit of each input would earn its firm",
    "Above 0 % the firm is short of the input (rationed, or slow): one more unit would earn more than it costs. "
    "Below, it has too much. A firm alone: unit profit.",
)
BIDS_GUIDES = (
    "By how much firms bid for inputs above what they pay",
    "Above 0 % the firm bids more for the input than it pays so far, and its price rises. Below, it falls.",
)
MOST_WEDGES = 8
# Relative wedges up to this are left of a market that has cleared.
NO_WEDGE = 1e-9


def convergence(run: Frames) -> Figure | None:
    """Two panels by logarithm, zeros on a floor of their own: how far markets are from clearing, and how far prices are
    from each reference.
    """
    ticks, scheduler = numbers(run.ticks, "tick"), scheduler_of(run)
    gaps = {column: gap for column in GAPS if len(finite(gap := _gap(run, column)))}
    if not gaps:
        return None
    tolerance, period = (summary_number(run.summary, key) for key in ("tolerance", "period"))
    turns, learning = 0 < period < ticks[-1] - ticks[0], scheduler == "learning"
    # A tolerance far below would squash the picture.
    near = tolerance > canvas.range_above(ROUNDING, gaps.get(EXCESS, np.empty(0)))[0] / 1e4
    guide = f"{LEARNING_GUIDE if learning else GAPS_GUIDE} {UNSETTLED.get(str(run.summary.get('outcome')), '')}"
    missing = [column.removeprefix("distance_to_").replace("_", " ") for column in GAPS if column not in gaps]
    panels = {title: shown for title, columns in PANELS.items() if (shown := [c for c in columns if c in gaps])}
    figure = canvas.sheet(
        run.summary,
        "How far from clearing" + (", and from the references" if len(panels) > 1 else ""),
        guide,
        _tolerance_note(tolerance, near),
        f"Not recorded: {', '.join(missing)}." if missing and not learning else "",
        f"Shaded: one turn, {canvas.number(period)} ticks." if turns else "",
        canvas.time_note(run.summary, ticks, *(np.maximum(gap, ROUNDING) for gap in gaps.values())),
    )
    labels = {column: label for column, (label, _) in GAPS.items()}
    labels[EXCESS] = RESIDUALS.get(scheduler, labels[EXCESS])
    if frames.is_planned(run.summary):
        labels["distance_to_gradient_path"] = "price against\nplanner's ascent"
    for (title, columns), place in zip(panels.items(), PLACES if len(panels) > 1 else (PLACE,), strict=True):
        axes, everything = figure.add_axes(place), np.concatenate([gaps[column] for column in columns])
        low, high = canvas.range_above(ROUNDING, everything)
        if near and EXCESS in columns:
            low, high = min(low, tolerance), max(high, tolerance)
            axes.axhline(tolerance, **canvas.TOLERANCE)
        floor = 10.0 ** (np.floor(np.log10(low)) - 1)
        shown = {column: np.where(gaps[column] <= ROUNDING, floor, gaps[column]) for column in columns}
        canvas.log_axis(axes, low / 2, high * 2, floor if (everything <= ROUNDING).any() else 0.0)
        if turns:
            axes.axvspan(ticks[-1] - period, ticks[-1], color="#f0f0f0", zorder=0)
        canvas.title(axes, title if len(panels) > 1 else "")
        curves = [(gap, labels[column], GAPS[column][1]) for column, gap in shown.items()]
        _draw(axes, run, ticks, curves, ("units of a bundle" if learning else "relative gap") + " (log)")
    for axes in figure.axes[:-1]:
        axes.set_xlabel("")
    return figure


def diagnostics(run: Frames) -> Figure | None:
    """Does the market's field turn, do prices move downhill, and home? None if it was not looked at in any tick."""
    # Rounding about 0 is no motion.
    columns = {name: np.round(numbers(run.ticks, name), 9) for name in DIAGNOSTICS}
    known = np.isfinite(columns["rotation_index"]) | np.isfinite(columns["cosine_home"])
    if not known.any():
        return None
    ticks, values = numbers(run.ticks, "tick")[known], np.column_stack(list(columns.values()))[known]
    rows, cut = window_of(ticks, values, run.summary)
    ticks, values = ticks[:rows], values[:rows]
    reference = run.summary.get("reference")
    gradient = f"The gradient: of minus the {reference}." if reference else ""
    notes = gradient, cut, canvas.time_note(run.summary, ticks, values)
    figure = canvas.sheet(run.summary, "Do prices go downhill, or round in a circle?", DIAGNOSTICS_GUIDE, *notes)
    axes = figure.add_axes(PLACE)
    axes.axhline(0.0, color=GREY, linewidth=1.2)
    axes.set_ylim(min(-0.08, float(np.nanmin(values)) * 1.08), 1.08)
    curves = [(column, *look) for look, column in zip(DIAGNOSTICS.values(), values.T, strict=True)]
    curves = [curve for curve in curves if len(finite(curve[0]))]
    _draw(axes, run, ticks, curves, "cosine, or index (no unit)")
    return figure


def wedges(run: Frames) -> Figure | None:
    """Per firm and input, `(p_out df/dx - p) / p` over ticks: what one more unit of the input earns above its cost; of
    an activity, what one more unit of its level does.

    None where no firm was ever short of an input, or had too much.
    """
    inputs = panel(run.wedges.fillna({"input": ""}), ("firm", "input"), ("wedge", "price"))
    with np.errstate(all="ignore"):
        relative = inputs["wedge"] / np.abs(inputs["price"])
    relative[~np.isfinite(relative)] = np.nan
    relative[np.abs(relative) <= NO_WEDGE] = 0.0
    known = [i for i in range(len(inputs.items)) if len(finite(relative[:, i]))]
    moved = [i for i in known if finite(relative[:, i]).any()]
    if not moved:
        return None
    chosen = frames.largest(moved, lambda i: float(np.nanmean(np.abs(relative[:, i]))), MOST_WEDGES)
    rows, cut = window_of(inputs.ticks, relative[:, chosen], run.summary)
    ticks, shown = inputs.ticks[:rows], relative[:rows, chosen]
    some = "" if len(chosen) == len(known) else f"The {len(chosen)} largest of {len(known)} wedges."
    some += " The others are 0 throughout." if some and len(chosen) == len(moved) else ""
    title, guide = BIDS_GUIDES if scheduler_of(run) == "marginal_bids" else WEDGES_GUIDES
    notes = some, cut, canvas.time_note(run.summary, ticks, shown)
    figure = canvas.sheet(run.summary, title, guide, *notes)
    axes = figure.add_axes(PLACE)
    axes.axhline(0, color=BLACK, linewidth=1.2)
    names = [inputs.items[i] for i in chosen]
    between = "\n← " if any(len(firm) + len(good) > 22 for firm, good in names) else " ← "
    words = [between.join(canvas.shorten(name, 24) for name in pair if name) for pair in names]
    styles = [{**style, "zorder": 2 + 1 / style["linewidth"]} for style in canvas.CYCLE]
    low, high = np.nanmin(shown), np.nanmax(shown)
    room = max(0.06 * (high - low), 0.01)
    axes.set_ylim(min(low, 0) - room, max(high, 0) + room)
    if max(-low, high) > 10:
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(min(low, 0) - 0.5, max(high, 0) * 2 + 0.5)
    unit = "what one more unit earns above its price" + (" (log)" if axes.get_yscale() == "symlog" else "")
    axes.yaxis.set_major_formatter(lambda value, _: f"{canvas.number(100 * value)}\N{NO-BREAK SPACE}%")
    curves = list(zip(shown.T, words, styles, strict=False))
    _draw(axes, run, ticks, curves, unit)
    return figure


def _draw(axes: Axes, run: Frames, ticks: Floats, curves: Sequence[tuple[Floats, str, Style]], unit: str) -> None:
    """Draw curves with their names, and write ticks and the unit; the scale of the axis stands already."""
    ends = [canvas.curve(axes, ticks, *curve, frames.shocks(run.summary)) for curve in curves]
    canvas.mark_shocks(axes, run.summary)
    canvas.tick_axis(axes, ticks)
    canvas.label_ends(axes, ends, 0.23 * canvas.WIDTH)
    axes.set_xlabel("tick", fontsize=BODY)
    axes.set_ylabel(unit, fontsize=BODY)


def _tolerance_note(tolerance: float, near: bool) -> str:
    """Where the tolerance is."""
    words = canvas.number(tolerance)
    if near:
        return f"Dotted line: the tolerance, {words}; no market clears above it."
    return f"The tolerance, {words}, lies far below." if tolerance > 0 else ""


def _gap(run: Frames, column: str) -> Floats:
    """A distance over ticks; the zeros before paths part are left out."""
    gap = np.abs(numbers(run.ticks, column))
    apart = np.flatnonzero(gap > ROUNDING)
    return np.where(np.arange(len(gap)) < apart[0], np.nan, gap) if len(apart) else gap
