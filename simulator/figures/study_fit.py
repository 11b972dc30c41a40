"""The figure of a fit: what was observed against what the fitted scenario says, and how sure the estimates are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BODY, CYCLE, GREY, SMALL
from simulator.figures.frames import Floats, finite

if TYPE_CHECKING:
    import pandas as pd

GUIDE = "Left: on the line the scenario says what was observed. Right: 95 % intervals of estimates, over the estimates."
MARKERS = "osD^vP"
MOST_ROWS = 16


def fit(estimates: pd.DataFrame, residuals: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Two panels: the scenario's values over observed ones, and each estimate with its interval, over the estimate."""
    cases = f" in {summary['cases']} cases" if summary["cases"] > 1 else ""
    title = f"{summary['observations']} observed values{cases}, {summary['parameters']} free parameters"
    hidden = len(estimates) - MOST_ROWS
    note = f"Not shown: {hidden} more estimates." if hidden > 0 else ""
    figure = canvas.page(title, str(summary["name"]), str(summary["sentence"]), GUIDE, note)
    _observed(figure.add_axes((0.075, 0.11, 0.4, 0.64)), residuals)
    _intervals(figure.add_axes((0.7, 0.11, 0.26, 0.64)), estimates.head(MOST_ROWS))
    return figure


def _observed(axes: Axes, residuals: pd.DataFrame) -> None:
    """Values of the scenario over observed ones, by kind of quantity."""
    values, model = (residuals[name].to_numpy(float) for name in ("value", "model"))
    every = np.concatenate([values, model])
    ends = every.min() / 1.3, every.max() * 1.3
    axes.plot(ends, ends, color=GREY, linewidth=1.5, zorder=1)
    kinds = residuals["quantity"].map(_kind)
    for kind, marker, style in zip(dict.fromkeys(kinds), MARKERS, CYCLE, strict=False):
        mine = (kinds == kind).to_numpy()
        axes.plot(values[mine], model[mine], marker, color=style["color"], label=kind, markersize=9, alpha=0.85)
    canvas.tidy(axes)
    canvas.log_axis(axes, *ends)
    axes.set_xlim(*ends)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(axes.yaxis.get_major_locator())
    axes.xaxis.set_minor_locator(axes.yaxis.get_minor_locator())
    axes.xaxis.set_major_formatter(axes.yaxis.get_major_formatter())
    axes.set_xlabel("observed", fontsize=BODY)
    axes.set_ylabel("in the fitted scenario", fontsize=BODY)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    canvas.title(axes, "what was observed")


def _kind(quantity: str) -> str:
    """`price` of `price.bread`, `consumption` of `consumers.A.consumption.bread`."""
    first, *rest = quantity.split(".")
    words = {"consumers": "consumption", "firms": "output" if "output" in rest else "input"}
    return words.get(first, first)


def _intervals(axes: Axes, estimates: pd.DataFrame) -> None:
    """Each estimate, as a dot, with its interval, over the estimate."""
    rows = np.arange(len(estimates))[::-1]
    values, low, high = (estimates[name].to_numpy(float) for name in ("estimate", "low", "high"))
    with np.errstate(all="ignore"):
        reach: Floats = np.array([low, high]) / values
    axes.axvline(1.0, color=GREY, linewidth=1.5, zorder=1)
    for row, (path, value, at_bound) in zip(
        rows, estimates[["path", "estimate", "at_bound"]].itertuples(index=False), strict=True
    ):
        style = CYCLE[1] if at_bound else CYCLE[0]
        ends = reach[:, len(rows) - 1 - row]
        if np.isfinite(ends).all():
            axes.plot(ends, (row, row), color=style["color"], linewidth=5, solid_capstyle="butt")
        axes.plot(1.0, row, "s" if at_bound else "o", color=style["color"], markersize=10)
        told = "" if np.isfinite(ends).all() else ", no interval"
        words = f"{canvas.short_path(path, 34)}\n{canvas.number(value)}{', at a bound' if at_bound else told}"
        axes.annotate(
            canvas.plain(words), (0, row), (-10, 0), ("axes fraction", "data"), "offset points",
            ha="right", va="center", fontsize=SMALL - (3 if len(rows) > 9 else 0),
        )  # fmt: skip
    canvas.tidy(axes)
    axes.set_yticks([])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    inside = finite(reach.ravel())
    low_end, high_end = min(0.9, inside.min(initial=1.0) / 1.05), max(1.1, inside.max(initial=1.0) * 1.05)
    if low_end > 0 and high_end / low_end > 20:
        axes.set_xscale("log")
    axes.set_xlim(low_end, high_end)
    axes.set_xlabel("relative to the estimate", fontsize=BODY)
    canvas.title(axes, "estimates and 95 % intervals")


def draw(estimates: pd.DataFrame, residuals: pd.DataFrame, summary: Mapping[str, Any], file: Path) -> None:
    """Draw the figure of a fit to a file."""
    file.parent.mkdir(exist_ok=True)
    canvas.save(fit(estimates, residuals, summary), file, file.suffix.lstrip("."))
