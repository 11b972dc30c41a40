"""Waves in a market of bids: what has arrived at which good, and how far it still is from where it comes to rest."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BODY, SMALL
from simulator.figures.frames import Floats, Frames, goods_of, scheduler_of

TITLE = "How quantities and prices spread from good to good"
GUIDE = (
    "Rows are goods, from raw supply down to the result. Dark: as it will be in the end. White: nothing has come yet."
)
PANELS = {"supply": "quantities flow down", "price": "bids come back up"}
LEAST = 1e-12
MOST_NAMES = 30


def wave(run: Frames) -> Figure | None:
    """Two panels, good by tick: how far quantities and prices are from their last values, on a log scale."""
    if scheduler_of(run) != "marginal_bids":
        return None
    goods = goods_of(run, "supply", "price")
    if len(goods.ticks) < 2:
        return None
    figure = canvas.sheet(run.summary, TITLE, GUIDE, canvas.time_note(run.summary, goods.ticks))
    panels = [figure.add_axes((left, 0.135, 0.375, 0.6)) for left in (0.085, 0.5)]
    edges = np.concatenate([goods.ticks, [goods.ticks[-1] + 1]]) - 0.5
    rows, norm = np.arange(len(goods.items) + 1) - 0.5, LogNorm(LEAST, 1.0)
    images: list[Any] = []
    for axes, (column, title) in zip(panels, PANELS.items(), strict=True):
        images.append(axes.pcolormesh(edges, rows, _gap(goods[column]).T, norm=norm, cmap="viridis"))
        axes.invert_yaxis()
        canvas.title(axes, title)
        axes.set_xlabel("tick", fontsize=BODY)
        canvas.mark_shocks(axes, run.summary)
    names = [canvas.plain(canvas.shorten(name, 12)) for name in goods.names]
    if len(names) <= MOST_NAMES:
        panels[0].set_yticks(range(len(names)), names, fontsize=SMALL)
    else:
        panels[0].set_ylabel("good, by its place in the program", fontsize=BODY)
    panels[1].set_yticks([])
    bar = figure.colorbar(images[0], cax=figure.add_axes((0.905, 0.135, 0.018, 0.6)))
    bar.set_label("distance from the last value, relative (log scale)", fontsize=SMALL)
    return figure


def _gap(values: Floats) -> Floats:
    """`|v - last| / |last|`, at least `LEAST`; not a number where nothing has arrived."""
    last = values[-1]
    base = np.where(last != 0, np.abs(last), 1.0)
    return np.clip(np.abs(values - last) / base, LEAST, 1.0)
