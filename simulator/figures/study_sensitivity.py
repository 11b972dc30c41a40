"""The figure of a sensitivity analysis: the indices of each parameter, from the rows of sensitivity.csv alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BLUE, GREY, ORANGE, VERMILION

WORDS = {
    "first_order": "first order: alone",
    "total_order": "total order: with others",
    "mu_star": "mu*: mean size of the effect",
    "sigma": "sigma: how effects differ",
}
COLOURS = {"first_order": BLUE, "total_order": ORANGE, "mu_star": BLUE, "sigma": VERMILION}
HATCHES = {"total_order": "//", "sigma": "//"}
SHAPES = {1: (1, 1), 2: (1, 2), 3: (2, 2), 4: (2, 2), 5: (2, 3), 6: (2, 3)}
MOST_PANELS, MOST_BARS = 6, 10
Row = tuple[str, str, str, float, float | None]


def sensitivity(rows: Sequence[Row], summary: Mapping[str, Any]) -> Figure:
    """A panel for each measure: bars of each parameter's indices with 95 % intervals, the strongest on top."""
    names = list(dict.fromkeys(index for _, _, index, *_ in rows if index in WORDS))
    morris = "mu_star" in names
    guide = "Effect over the whole range of a parameter." if morris else "Share of the measure's variance."
    guide = f"{guide} Black: 95 % intervals."
    measures = list(dict.fromkeys(measure for measure, *_ in rows))
    hidden = len(measures) - MOST_PANELS
    note = f"Not shown: {hidden} more measures." if hidden > 0 else ""
    title = "Which parameters matter"
    figure = canvas.page(title, str(summary["name"]), str(summary["sentence"]), guide, note)
    shown = measures[:MOST_PANELS]
    place = {"left": 0.17, "right": 0.97, "bottom": 0.13, "top": 0.76, "hspace": 0.45, "wspace": 0.7}
    for axes, measure in zip(canvas.panels(figure, len(shown), SHAPES[len(shown)], **place), shown, strict=True):
        _bars(axes, [row for row in rows if row[0] == measure], names, starts_at_0=not morris)
        canvas.title(axes, measure, axes.get_window_extent().width)
    samples = [(WORDS[name], canvas.stroke(COLOURS[name], 12)) for name in names]
    canvas.legend(figure, samples, ncols=len(names))
    return figure


def _bars(axes: Axes, rows: Sequence[Row], names: Sequence[str], *, starts_at_0: bool) -> None:
    known = {(path, index): (value, half) for _, path, index, value, half in rows}
    paths = sorted(dict.fromkeys(path for path, _ in known), key=lambda path: known[path, names[-1]][0])[-MOST_BARS:]
    height = 0.8 / len(names)
    for number, name in enumerate(names):
        at = np.arange(len(paths)) + 0.4 - height * (number + 0.5)
        values = [known[path, name][0] for path in paths]
        halves = [known[path, name][1] or 0.0 for path in paths]
        axes.barh(at, values, height, color=COLOURS[name], hatch=HATCHES.get(name), edgecolor="white")
        if any(halves):
            axes.errorbar(values, at, xerr=halves, fmt="none", ecolor="black", elinewidth=2, capsize=4)
    axes.axvline(0.0, color=GREY, linewidth=1.5)
    canvas.tidy(axes)
    canvas.name_rows(axes, paths, 0.15)
    axes.locator_params(axis="x", nbins=5)
    if starts_at_0:
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -0.02), max(1.0, high))


def draw(rows: Sequence[Row], summary: Mapping[str, Any], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw the figure into a folder; none where there are no indices."""
    if not rows:
        return []
    folder.mkdir(exist_ok=True)
    figure = sensitivity(rows, summary)
    files = [folder / f"sensitivity.{kind}" for kind in formats]
    for file in files:
        canvas.save(figure, file, file.suffix.lstrip("."))
    return files
