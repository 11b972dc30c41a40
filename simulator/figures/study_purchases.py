"""The figure of tastes that were learnt: how rational purchases are, and which form explains those it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BODY, CYCLE, SMALL

if TYPE_CHECKING:
    import pandas as pd

GUIDE = (
    "Left: 1 is a rational household; bars: 5 % quantile to median of random choices. Right: the filled form is named."
)
MOST_ROWS = 14


def tastes(efficiency: pd.DataFrame, held_out: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Two panels, a row each household: Afriat's index beside that of random choices, and the error of each form."""
    hidden = len(efficiency) - MOST_ROWS
    chosen = efficiency.sort_values("efficiency", kind="stable").head(MOST_ROWS)
    who = f"{summary['households']} household{'s' if summary['households'] > 1 else ''}"
    title = f"{who}, {summary['goods']} goods, {summary['periods']} periods in all"
    note = f"Not shown: {hidden} more households, nearer to 1." if hidden > 0 else ""
    figure = canvas.page(title, str(summary["name"]), str(summary["sentence"]), GUIDE, note)
    left, right = figure.add_axes((0.15, 0.11, 0.38, 0.64)), figure.add_axes((0.57, 0.11, 0.4, 0.64))
    households = chosen["household"].tolist()
    _indices(left, chosen)
    _errors(right, held_out, households)
    rows = np.arange(len(households))[::-1]
    for axes in (left, right):
        canvas.tidy(axes)
        axes.set_yticks(rows, [canvas.plain(canvas.shorten(name, 18)) for name in households])
        axes.set_ylim(-0.6, len(households) - 0.4)
    right.tick_params(left=False, labelleft=False)
    return figure


def _indices(axes: Axes, efficiency: pd.DataFrame) -> None:
    """Afriat's index of each household, over the range of random choices."""
    rows = np.arange(len(efficiency))[::-1]
    columns = ("efficiency", "random_5_percent", "random_median")
    index, low, median = (efficiency[name].to_numpy(float) for name in columns)
    axes.barh(rows, median - low, left=low, height=0.45, color="#d9d9d9", label="random choices")
    axes.plot(index, rows, "o", color=CYCLE[0]["color"], markersize=11, clip_on=False, label="the household")
    room = max(0.02, 0.06 * (1 - min(index.min(), low.min())))
    axes.set_xlim(min(index.min(), low.min()) - room, 1.0 + room)
    axes.set_xlabel("Afriat's efficiency index", fontsize=BODY)
    axes.legend(fontsize=SMALL, frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=2)


def _errors(axes: Axes, held_out: pd.DataFrame, households: list[str]) -> None:
    """The error of each form in what was held out, a marker each; filled where the form is named."""
    forms = list(dict.fromkeys(held_out["form"]))
    every = np.sqrt(held_out["error"].to_numpy(float))
    for place, (form, marker, style) in enumerate(zip(forms, "osD", CYCLE, strict=False)):
        mine = held_out[held_out["form"] == form].set_index("household").loc[households]
        rows = np.arange(len(households))[::-1] + 0.18 * (1 - place)
        errors, named = np.sqrt(mine["error"].to_numpy(float)), mine["simplest"].to_numpy(float) == 1
        axes.plot(errors, rows, marker, color=style["color"], markerfacecolor="white", markersize=9, markeredgewidth=2)
        axes.plot(errors[named], rows[named], marker, color=style["color"], markersize=11)
        axes.plot([], [], marker, color=style["color"], markersize=9, label=form)
    low, high = max(every.min(), 1e-9), max(every.max(), 1e-8)
    if low * 20 < high:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.5, high * 1.5)
    else:
        axes.set_xlim(0.0, 1.08 * high)
    axes.set_xlabel("typical gap of spending shares held out", fontsize=BODY)
    axes.legend(fontsize=SMALL, frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=3)


def draw(efficiency: pd.DataFrame, held_out: pd.DataFrame, summary: Mapping[str, Any], file: Path) -> None:
    """Draw the figure of tastes to a file."""
    file.parent.mkdir(exist_ok=True)
    canvas.save(tastes(efficiency, held_out, summary), file, file.suffix.lstrip("."))
