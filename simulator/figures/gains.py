"""Who gains from trade: a Lorenz curve of the gains within each cohort, and how much each percentile gains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.figures import canvas
from simulator.figures.canvas import BLUE, BODY, GREEN, GREY, VERMILION
from simulator.figures.frames import Floats, Frames, numbers, texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GUIDE = (
    "Gain: the money that the utility beyond that of one's endowment is worth. The nearer to the grey line, the evener."
)
STYLES: tuple[Mapping[str, Any], ...] = (
    {"color": BLUE, "linewidth": 3.0},
    {"color": VERMILION, "linewidth": 2.6, "linestyle": (0, (5, 2, 0.1, 2))},
    {"color": GREEN, "linewidth": 2.6, "linestyle": (0, (4, 2))},
)


def gains(run: Frames) -> Figure | None:
    """Two panels over consumers from least to most gain: their part of all gains, and what each of them gains."""
    agents = texts(run.distribution, "agent")
    everybody = list(dict.fromkeys(agents))
    cohorts = [name for name in everybody if np.isfinite(_column(run, agents, name, "gain_share")).all()]
    if not cohorts:
        return None
    shown, more = cohorts[: len(STYLES)], cohorts[len(STYLES) :]
    numberless = [name for name in everybody if name not in cohorts]
    notes = [f"Not shown: {', '.join(more)}."] if more else []
    notes += [f"Not shown: {', '.join(numberless)}, whose gain has no number."] if numberless else []
    figure = canvas.sheet(run.summary, GUIDE, " ".join(notes))
    lorenz, each = figure.add_axes((0.085, 0.135, 0.32, 0.63)), figure.add_axes((0.49, 0.135, 0.3, 0.63))
    lorenz.plot([0, 100], [0, 100], color=GREY, linewidth=1.2)
    ends: list[canvas.End] = []
    for name, style in zip(shown, STYLES, strict=False):
        percent, share = _column(run, agents, name, "percent"), 100.0 * _column(run, agents, name, "gain_share")
        gain = _column(run, agents, name, "gain")
        lorenz.plot(percent, share, **style)
        half = float(np.interp(50, percent, share))
        lorenz.plot([50], [half], "o", color=style["color"], markersize=7)
        part = f"{canvas.number(half, 2)} % of all"
        each.plot(percent, gain, **style)
        if len(shown) > 1:
            # Curves that lie together leave no room for words beside them.
            name = canvas.shorten(name, 22)
            ends.append((float(gain[-1]), f"{name}\nlower half: {part}", style))
            continue
        ends.append((float(gain[-1]), canvas.shorten(name, 22), style))
        lorenz.annotate(
            canvas.plain(f"the half of {canvas.shorten(name, 22)} who\ngain least: {part}"),
            (50, half),
            xytext=(14, -34),
            textcoords="offset points",
            ha="left",
            fontsize=canvas.SMALL,
            color=canvas.ink(str(style["color"])),
        )
    each.axhline(0.0, color=GREY, linewidth=1.2)
    for axes, label in ((lorenz, "part of all gains, %"), (each, f"gain per tick{_unit(run)}")):
        _finish(axes, label)
    canvas.label_ends(each, ends, 0.17 * canvas.WIDTH)
    return figure


def _finish(axes: Axes, label: str) -> None:
    axes.set_xlim(0, 100)
    axes.set_xlabel("consumers, from least to most gain, %", fontsize=BODY)
    axes.set_ylabel(label, fontsize=BODY)
    canvas.tidy(axes)


def _unit(run: Frames) -> str:
    """The good that money is measured in, if there is one whose price is 1."""
    parts = str(run.summary.get("scale") or "").split(", ")
    ones = [part.removesuffix(" = 1") for part in parts if part.endswith(" = 1")]
    return f", in {ones[0]}" if len(ones) == 1 else ", in money"


def _column(run: Frames, agents: list[str], name: str, column: str) -> Floats:
    return numbers(run.distribution, column)[np.array([agent == name for agent in agents], dtype=bool)]
