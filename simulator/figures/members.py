"""How the members of cohorts differ at the ticks at which they were recorded: before and after a shock, say."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from simulator.figures import canvas
from simulator.figures.canvas import BODY
from simulator.figures.frames import Floats, Frames, finite, numbers, shocks

TITLE = "How members differ, tick by tick"
GUIDE = "Each line is a tick: the part of all members by what they have. Triangles: the member in the middle (median)."
MEASURES = {
    "income": "income",
    "utility": "utility",
    "gain": "gain from trade",
    "money": "money in the account",
    "profit": "profit",
    "output": "output",
}
SHAPES = ((1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (2, 3))
MOST_BARS, TAIL, WIDE = 40, 0.5, 30.0
"""Bars of a histogram at most; percent left out at either end; the ratio from which on an axis is one of logarithms."""
MOST_TICKS = 4


def members(run: Frames) -> Figure | None:
    """A panel for each cohort and measure: histograms of its members at some ticks; None where nobody was recorded."""
    if run.members.empty:
        return None
    tick, agent = numbers(run.members, "tick"), run.members["agent"].to_numpy()
    parts = [(name, measure) for name in dict.fromkeys(agent) for measure in MEASURES]
    told = [
        (name, measure, values)
        for name, measure in parts
        if len(np.unique(finite(values := np.where(agent == name, numbers(run.members, measure), np.nan)))) > 1
    ]
    if not told:
        return None
    ticks = np.unique(tick)
    some = ticks[np.unique(np.linspace(0, len(ticks) - 1, MOST_TICKS).round().astype(int))]
    notes = [f"Shown: {len(some)} of {len(ticks)} ticks."] if len(some) < len(ticks) else []
    notes += [f"Shown: {len(SHAPES)} of {len(told)} panels."] if len(told) > len(SHAPES) else []
    notes += [f"Left out: {TAIL:g} % of members at either end."]
    figure = canvas.sheet(run.summary, TITLE, GUIDE, *notes)
    shown, several = told[: len(SHAPES)], len({name for name, *_ in told}) > 1
    space = {"left": 0.075, "right": 0.975, "top": 0.76, "bottom": 0.2, "wspace": 0.2, "hspace": 0.45}
    for axes, (name, measure, values) in zip(
        canvas.panels(figure, len(shown), SHAPES[len(shown) - 1], **space), shown, strict=True
    ):
        _histograms(axes, [finite(values[tick == at]) for at in some])
        canvas.title(axes, f"{name}: {MEASURES[measure]}" if several else MEASURES[measure])
    figure.supylabel("members in each of the bars, %", x=0.008, fontsize=BODY)
    samples = [(_called(at, run), style) for at, style in zip(some, canvas.CYCLE, strict=False)]
    canvas.legend(figure, samples, ncols=len(samples), handlelength=3)
    return figure


def _called(tick: float, run: Frames) -> str:
    """A tick by its number, and what came before it."""
    before = [shock for shock in shocks(run.summary) if shock <= tick]
    return f"tick {tick:,.0f}" + (f" (after the shock at {before[-1]:,.0f})" if before else "")


def _histograms(axes: Axes, parts: list[Floats]) -> None:
    """Histograms of several samples over the same bars, with their medians."""
    low, high = np.percentile(np.concatenate(parts), [TAIL, 100 - TAIL])
    by_logarithm = low > 0 and high > WIDE * low
    bins = min(MOST_BARS, max(5, int(2 * np.sqrt(max(map(len, parts))))))
    edges = np.geomspace(low, high, bins + 1) if by_logarithm else np.linspace(low, high, bins + 1)
    for values, style in zip(parts, canvas.CYCLE, strict=False):
        if len(values):
            counts, _ = np.histogram(values, edges)
            axes.stairs(100.0 * counts / len(values), edges, **style)
            median, place = float(np.median(values)), axes.get_xaxis_transform()
            axes.plot(median, 0.03, marker="^", markersize=13, color=style["color"], transform=place, zorder=3)
    canvas.tidy(axes)
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(edges[0], edges[-1])
    if by_logarithm:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 1000 * low else (1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: canvas.number(value)))
        axes.xaxis.set_minor_locator(NullLocator())
