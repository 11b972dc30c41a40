"""Who gains from trade: a Lorenz curve of the gains within each cohort, and how much each percentile gains."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BLUE, BODY, GREEN, GREY, VERMILION, Style
from simulator.figures.frames import Frames, fixed_prices, panel

GUIDE = (
    "Gain: the money that the utility beyond that of one's endowment is worth. The nearer to the grey line, the evener."
)
STYLES: tuple[Style, ...] = (
    canvas.stroke(BLUE, 3.0),
    canvas.stroke(VERMILION, 2.6, canvas.DASH_DOT),
    canvas.stroke(GREEN, 2.6, canvas.DASHED),
)


def gains(run: Frames) -> Figure | None:
    """Two panels over consumers from least to most gain: their part of all gains, and what each of them gains."""
    told = panel(run.distribution, ("agent",), ("gain", "gain_share"), by="percent")
    cohorts = [i for i in range(len(told.items)) if np.isfinite(told["gain_share"][:, i]).all()]
    if not cohorts:
        return None
    beyond = [told.names[i] for i in cohorts[len(STYLES) :]]
    numberless = [name for i, name in enumerate(told.names) if i not in cohorts]
    notes = [f"Not shown: {', '.join(beyond)}."] if beyond else []
    notes += [f"Not shown: {', '.join(numberless)}, whose gain has no number."] if numberless else []
    figure = canvas.sheet(run.summary, GUIDE, " ".join(notes))
    lorenz, each = figure.add_axes((0.085, 0.135, 0.32, 0.63)), figure.add_axes((0.49, 0.135, 0.3, 0.63))
    lorenz.plot([0, 100], [0, 100], color=GREY, linewidth=1.2)
    ends: list[canvas.End] = []
    for i, style in zip(cohorts, STYLES, strict=False):
        words, share = canvas.shorten(told.names[i], 22), 100.0 * told["gain_share"][:, i]
        half = float(np.interp(50, told.ticks, share))
        part = f"{canvas.number(half, 2)} % of all"
        lorenz.plot(told.ticks, share, **style)
        lorenz.plot([50], [half], "o", color=style["color"], markersize=7)
        each.plot(told.ticks, told["gain"][:, i], **style)
        if len(cohorts) > 1:
            # Curves that lie together leave no room for words beside them.
            words += f"\nlower half: {part}"
        else:
            text, colour = canvas.plain(f"the half of {words} who\ngain least: {part}"), canvas.ink(style["color"])
            beside: Style = {"xytext": (14, -34), "textcoords": "offset points", "ha": "left"}
            lorenz.annotate(text, (50, half), fontsize=canvas.SMALL, color=colour, **beside)
        ends.append((float(told["gain"][-1, i]), words, style))
    each.axhline(0.0, color=GREY, linewidth=1.2)
    ones = [good for good, price in fixed_prices(run.summary).items() if price == "1"]
    unit = ones[0] if len(ones) == 1 else "money"
    for axes, label in ((lorenz, "part of all gains, %"), (each, f"gain per tick, in {unit}")):
        axes.set_xlim(0, 100)
        axes.set_xlabel("consumers, from least to most gain, %", fontsize=BODY)
        axes.set_ylabel(label, fontsize=BODY)
        canvas.tidy(axes)
    canvas.label_ends(each, ends, 0.17 * canvas.WIDTH)
    return figure
