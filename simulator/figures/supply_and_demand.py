"""The textbook's cross: what would be wanted and offered of a good at other prices of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simulator.figures import canvas
from simulator.figures.canvas import BLACK, BLUE, BODY, SMALL, VERMILION
from simulator.figures.frames import Floats, Frames, finite, numbers

TITLE = "Supply and demand at other prices of one good"
GUIDE = (
    "All other prices stay as they were at that tick; incomes and profits follow. "
    "Where the curves cross, this market alone would clear."
)
SIDES = {
    "demand": ("demand", canvas.stroke(BLUE, 3)),
    "supply": ("supply", canvas.stroke(VERMILION, 3, canvas.DASHED)),
}
QUOTED: canvas.Style = {"color": BLACK, "linewidth": 2, "linestyle": (0, (1, 2))}
MOST = 4


def curves(run: Frames) -> Figure | None:
    """One panel per good asked for: the price upwards, planned demand and supply to the right, and the price quoted."""
    table = getattr(run, "curves", None)
    if table is None or not len(table):
        return None
    parts: list[tuple[Any, Any]] = [*table.groupby(["good", "tick"], sort=False)][:MOST]
    figure = canvas.sheet(run.summary, TITLE, GUIDE)
    space = {"left": 0.085, "right": 0.975, "top": 0.75, "bottom": 0.215, "wspace": 0.3}
    for axes, ((good, tick), part) in zip(
        canvas.panels(figure, len(parts), (1, len(parts)), **space), parts, strict=True
    ):
        _panel(axes, {name: numbers(part, name) for name in ("price", "market_price", *SIDES)})
        canvas.title(axes, f"{good}, tick {tick:,}", axes.get_window_extent().width)
    scale = str(run.summary.get("scale") or "")
    figure.axes[0].set_ylabel(canvas.plain(f"price per unit ({scale})" if scale else "price per unit"), fontsize=BODY)
    figure.supxlabel("units per tick", y=0.115, fontsize=BODY)
    canvas.legend(figure, [*SIDES.values(), ("the price quoted", QUOTED)], ncols=3, handlelength=3)
    return figure


def _panel(axes: Axes, columns: dict[str, Floats]) -> None:
    price, quoted = columns["price"], float(columns["market_price"][0])
    for name, (_, style) in SIDES.items():
        axes.plot(columns[name], price, **style)
    axes.axhline(quoted, **QUOTED)
    there = {name: float(np.interp(quoted, price, columns[name])) for name in SIDES}
    sides = np.concatenate([finite(columns[name]) for name in SIDES])
    low, high = float(sides.min(initial=np.inf)), float(sides.max(initial=-np.inf))
    # Where quantities hardly move the axis does not begin at 0.
    narrow = 0 < high < 1.5 * low
    room = 0.15 * (high - low) or 0.15 * high
    axes.set_xlim(*((low - room, high + room) if narrow else (0, 2.5 * max(there.values()) or 1.0)))
    axes.set_ylim(0, price[-1])
    canvas.tidy(axes)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: canvas.number(value)))
    cross = _crossings(price, columns["demand"] - columns["supply"])
    at = np.interp(cross, price, columns["demand"])
    axes.plot(at, cross, "o", markersize=11, color=BLACK, markerfacecolor="white", zorder=5)
    words = f"clears at {', '.join(map(canvas.number, cross))}" if len(cross) else "no price in sight clears it"
    place: canvas.Style = {"ha": "right", "va": "top", "transform": axes.transAxes, "fontsize": SMALL, "zorder": 6}
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}
    axes.text(0.97, 0.965, f"quoted {canvas.number(quoted)}\n{words}", None, bbox=box, **place)


def _crossings(price: Floats, excess: Floats) -> list[float]:
    """The prices at which excess demand changes its sign."""
    known = np.isfinite(excess[:-1]) & np.isfinite(excess[1:])
    turns = np.flatnonzero(known & (np.sign(excess[:-1]) != np.sign(excess[1:])) & (excess[:-1] != 0))
    shares = excess[turns] / (excess[turns] - excess[turns + 1])
    return (price[turns] + shares * (price[turns + 1] - price[turns])).tolist()
