"""The figure of a comparison: how far every run is from clearing, and the paths of its prices on the common scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BODY, CYCLE, ROUNDING, Style
from simulator.figures.comparison import Comparison, finding, price_finding
from simulator.figures.frames import Floats, largest, shocks, summary_number
from simulator.figures.run_measures import RunMeasures

MOST_RUNS = len(CYCLE)
MOST_GOODS = 4
# A run so many times longer than another leaves of it nothing to see on a linear axis.
LONGER = 10.0
RESIDUALS = {False: "relative excess demand", True: "order that stays unfilled"}
GRIDS = ((1, 1), (1, 1), (2, 1), (2, 2), (2, 2))


class Drawn(NamedTuple):
    """What is drawn of a run: gaps to clearing and price paths, one per good, and how."""

    run: RunMeasures
    gaps: Floats
    paths: Sequence[Floats]
    style: Style


def comparison_figure(comparison: Comparison) -> Figure:
    """Left, every run's largest relative excess demand on one logarithmic scale; right, a panel for each of the goods
    whose prices differ most. A run keeps its line throughout; of many runs eight are drawn, those that are named first.
    """
    goods = comparison.goods_that_differ(MOST_GOODS, besides=comparison.scale.good)
    title, sentence = finding(comparison), f"{price_finding(comparison)}."
    sentence += f" Price scale: {comparison.scale.words}." if goods else ""
    named = [run.label in title + sentence for run in comparison.runs]
    places = largest(range(len(named)), lambda place: named[place], MOST_RUNS)
    runs = [_drawn(comparison, place, goods, style) for place, style in zip(places, CYCLE, strict=False)]
    ends = [float(one.run.ticks[-1]) for one in runs]
    span, by_logarithm = (
        (min(float(one.run.ticks[0]) for one in runs), max(ends)),
        max(ends) > LONGER * max(min(ends), 1),
    )
    right = " Right: prices, all on one scale." if goods else ""
    sheet = canvas.page(
        title,
        "",
        sentence,
        f"{'Left: lower' if goods else 'Lower'} is closer to clearing; a dot is where a run ended.{right}",
        *_notes(comparison, runs, goods),
    )
    axes = sheet.add_axes((0.085, 0.225, 0.375 if goods else 0.89, 0.55))
    _draw_gaps(axes, runs)
    canvas.tick_axis(axes, span, by_logarithm=by_logarithm)
    residuals = dict.fromkeys(RESIDUALS[one.run.learns] for one in runs)
    canvas.title(axes, f"largest {' or '.join(residuals)} (log scale)")
    shape = GRIDS[len(goods)]
    space = {"left": 0.545, "right": 0.975, "top": 0.775, "bottom": 0.225, "wspace": 0.3, "hspace": 0.32}
    for place, panel in enumerate(canvas.panels(sheet, len(goods), shape, **space)):
        prices = [one.paths[place] for one in runs]
        _draw_lines(panel, runs, prices)
        canvas.price_axis(panel, np.concatenate(prices))
        canvas.tick_axis(panel, span, by_logarithm=by_logarithm)
        panel.tick_params(labelbottom=place + shape[1] >= len(goods))
        scale = " (log scale)" if panel.get_yscale() == "log" else ""
        canvas.title(panel, f"price of {goods[place]}{scale}", panel.get_window_extent().width)
    sheet.supxlabel("tick (logarithmic)" if by_logarithm else "tick", y=0.15, fontsize=BODY)
    _legend(sheet, runs)
    return sheet


def _drawn(comparison: Comparison, place: int, goods: Sequence[str], style: Style) -> Drawn:
    """What is drawn of the run in this place."""
    run = comparison.runs[place]
    return Drawn(run, np.abs(run.excess_demand), [comparison.path(place, good) for good in goods], style)


def _draw_gaps(axes: Axes, runs: Sequence[Drawn]) -> None:
    """Excess demand by logarithm, exact zeros on a floor of their own."""
    everything = np.concatenate([one.gaps for one in runs])
    low, high = canvas.range_above(ROUNDING, everything)
    floor = 10.0 ** (np.floor(np.log10(low)) - 1)
    for tolerance in _tolerances([one.run for one in runs], low):
        axes.axhline(tolerance, zorder=1.5, **canvas.TOLERANCE)
        low = min(low, tolerance)
    _draw_lines(axes, runs, [np.where(one.gaps <= ROUNDING, floor, one.gaps) for one in runs])
    canvas.log_axis(axes, low / 2, high * 2, floor if (everything <= ROUNDING).any() else 0.0)


def _draw_lines(axes: Axes, runs: Sequence[Drawn], lines: Sequence[Floats]) -> None:
    """A line a run, broken at its own shocks, with a dot at its last tick."""
    for one, values in zip(runs, lines, strict=True):
        canvas.line(axes, one.run.ticks, values, shocks(one.run.summary), **one.style)
        canvas.mark_shocks(axes, one.run.summary)
        dot: Style = {"color": one.style["color"], "markersize": 9, "clip_on": False, "zorder": 5}
        axes.plot(one.run.ticks[-1:], values[-1:], "o", **dot)


def _tolerances(runs: Sequence[RunMeasures], low: float) -> list[float]:
    """The runs' tolerances as far as they are near the picture, whose smallest number is `low`."""
    known = {summary_number(run.summary, "tolerance") for run in runs}
    return sorted(tolerance for tolerance in known if tolerance > low / 1e4)


def _notes(comparison: Comparison, drawn: Sequence[Drawn], goods: Sequence[str]) -> list[str]:
    """What stands at the foot: the tolerance, and what is left out."""
    low, _ = canvas.range_above(ROUNDING, np.concatenate([one.gaps for one in drawn]))
    lines = ", ".join(map(canvas.number, _tolerances([one.run for one in drawn], low)[:3]))
    notes = [f"Thin dotted line: the tolerance, {lines}."] if lines else []
    if len(drawn) < len(comparison.runs):
        notes.append(f"Shown: {len(drawn)} of {len(comparison.runs)} runs.")
    if len(goods) < sum(good != comparison.scale.good for good in comparison.goods):
        notes.append(f"Prices of {len(goods)} of {len(comparison.goods)} goods, those that differ most.")
    return [
        *notes,
        *dict.fromkeys(canvas.time_note(one.run.summary, one.run.ticks, one.gaps, *one.paths) for one in drawn),
    ]


def _legend(sheet: Figure, runs: Sequence[Drawn]) -> None:
    """Every run with its line and how it ended, below all panels."""
    samples = [(f"{one.run.label}: {one.run.outcome}", one.style) for one in runs]
    across = -(-len(runs) // -(-len(runs) // 4))
    legend = canvas.legend(sheet, samples, loc="center", ncols=across, bbox_to_anchor=(0.5, 0.09), handlelength=3.5)
    for text in legend.get_texts():
        canvas.fit_name(text, 0.95 * canvas.WIDTH / across - 130)
