"""In what way a market is out of equilibrium, over ticks: does its field turn, do prices move downhill, and home?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.figures import canvas
from simulator.figures.canvas import BLUE, BODY, GREY, ORANGE, VERMILION
from simulator.figures.frames import Frames, numbers, summary_number
from simulator.figures.window import moves_early, rows_worth_drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GUIDE = (
    "Rotation: 0, excess demand falls like a gradient; 1, it only turns. "
    "Cosines: 1, prices move straight that way; 0, across; below 0, away."
)
# column: label, style; wide ones first, so that lines which coincide stay visible
MEASURES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "cosine_to_gradient": ("cosine to the\ngradient: downhill?", {"color": ORANGE, "linewidth": 6}),
    "cosine_home": ("cosine home: to where\nmarkets would clear?", {"color": BLUE, "linewidth": 2.6}),
    "rotation_index": (
        "rotation index:\ndoes the field turn?",
        {"color": VERMILION, "linewidth": 4, "linestyle": (0, (0.1, 2)), "dash_capstyle": "round"},
    ),
}


def diagnostics(run: Frames) -> Figure | None:
    """The rotation index and the cosines to the gradient and home over the ticks that were looked at; None if none
    was.
    """
    columns = {name: numbers(run.ticks, name) for name in MEASURES}
    known = np.isfinite(columns["rotation_index"]) | np.isfinite(columns["cosine_home"])
    if not known.any():
        return None
    ticks = numbers(run.ticks, "tick")[known]
    # Rounding about 0 is no motion.
    values = np.round(np.stack([column[known] for column in columns.values()], axis=1), 9)
    rows, window = rows_worth_drawing(ticks, values, summary_number(run.summary, "period"), logarithms=False)
    ticks, values = ticks[:rows], values[:rows]
    early = moves_early(ticks, values)
    figure = canvas.sheet(run.summary, GUIDE, _kind(run), window, canvas.shocks_note(run.summary))
    axes = figure.add_axes((0.105, 0.135, 0.6, 0.66))
    axes.axhline(0.0, color=GREY, linewidth=1.2)
    ends: list[canvas.End] = []
    for (label, style), column in zip(MEASURES.values(), values.T, strict=True):
        if np.isfinite(column).any():
            canvas.line(axes, ticks, column, **style)
            ends.append((float(column[np.isfinite(column)][-1]), label, style))
    axes.set_ylim(min(-0.08, float(np.nanmin(values)) * 1.08), 1.08)
    canvas.tick_axis(axes, ticks[0], ticks[-1], early=early)
    canvas.mark_shocks(axes, run.summary)
    canvas.tidy(axes)
    canvas.label_ends(axes, ends, 0.23 * canvas.WIDTH)
    axes.set_xlabel("tick" + (" (logarithmic)" if early else ""), fontsize=BODY)
    axes.set_ylabel("cosine, or index (no unit)", fontsize=BODY)
    return figure


def _kind(run: Frames) -> str:
    """What the gradient is one of."""
    kind = run.summary.get("reference")
    return f"The gradient: of minus the {kind}." if kind else ""
