"""Who gains from trade: a Lorenz curve of the gains within each cohort, and how much each percentile gains."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BLUE, BODY, GREEN, GREY, VERMILION, Style
from simulator.figures.frames import Frames, numbers, texts

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
    agents, columns = texts(run.distribution, "agent"), ("percent", "gain", "gain_share")
    percent, gain, share = (
        {name: numbers(run.distribution, column)[np.array(agents) == name] for name in dict.fromkeys(agents)}
        for column in columns
    )
    cohorts = [name for name in share if np.isfinite(share[name]).all()]
    if not cohorts:
        return None
    numberless = [name for name in share if name not in cohorts]
    notes = [f"Not shown: {', '.join(cohorts[len(STYLES) :])}."] if len(cohorts) > len(STYLES) else []
    notes += [f"Not shown: {', '.join(numberless)}, whose gain has no number."] if numberless else []
    figure = canvas.sheet(run.summary, GUIDE, " ".join(notes))
    lorenz, each = figure.add_axes((0.085, 0.135, 0.32, 0.63)), figure.add_axes((0.49, 0.135, 0.3, 0.63))
    lorenz.plot([0, 100], [0, 100], color=GREY, linewidth=1.2)
    ends: list[canvas.End] = []
    for name, style in zip(cohorts, STYLES, strict=False):
        words = canvas.shorten(name, 22)
        half = float(np.interp(50, percent[name], 100.0 * share[name]))
        part = f"{canvas.number(half, 2)} % of all"
        lorenz.plot(percent[name], 100.0 * share[name], **style)
        lorenz.plot([50], [half], "o", color=style["color"], markersize=7)
        each.plot(percent[name], gain[name], **style)
        if len(cohorts) > 1:
            # Curves that lie together leave no room for words beside them.
            ends.append((float(gain[name][-1]), f"{words}\nlower half: {part}", style))
        else:
            ends.append((float(gain[name][-1]), words, style))
            text, colour = canvas.plain(f"the half of {words} who\ngain least: {part}"), canvas.ink(style["color"])
            beside: Style = {"xytext": (14, -34), "textcoords": "offset points", "ha": "left"}
            lorenz.annotate(text, (50, half), fontsize=canvas.SMALL, color=colour, **beside)
    each.axhline(0.0, color=GREY, linewidth=1.2)
    for axes, label in ((lorenz, "part of all gains, %"), (each, f"gain per tick{_unit(run)}")):
        axes.set_xlim(0, 100)
        axes.set_xlabel("consumers, from least to most gain, %", fontsize=BODY)
        axes.set_ylabel(label, fontsize=BODY)
        canvas.tidy(axes)
    canvas.label_ends(each, ends, 0.17 * canvas.WIDTH)
    return figure


def _unit(run: Frames) -> str:
    """The good that money is measured in, if there is one whose price is 1."""
    parts = str(run.summary.get("scale") or "").split(", ")
    ones = [part.removesuffix(" = 1") for part in parts if part.endswith(" = 1")]
    return f", in {ones[0]}" if len(ones) == 1 else ", in money"
