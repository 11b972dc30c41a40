"""Three prices of every good by tick: the market's, one step of backprop (the bid), and all of them (the adjoint).

Each is drawn against what it is in the end: the derivative at the equilibrium. Beside them the path compared with.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BLACK, BODY
from simulator.figures.frames import Floats, Frames, Panel, fixed_prices, is_planned, known_equilibria, panel, shocks
from simulator.figures.window import window_of

GUIDE = "Curves are goods, over their price at equilibrium. A bid is one step of backprop, the adjoint the whole sweep."
PANELS: Mapping[str, str] = {"price": "market price", "bid": "bid (one step)", "adjoint": "adjoint (full sweep)"}
MOST_GOODS = 8
WIDEST = 100.0
"""A ratio further than this from 1, or below its inverse, is left out of the axis."""


def three_prices(run: Frames) -> Figure | None:
    """A panel for price, bid and adjoint each, and one for the reference path where there is one: ratios to the
    equilibrium's price, by tick. None where there is no equilibrium or nobody bids.
    """
    goods = panel(run.trajectory, ("good",), (*PANELS, "gradient_price"))
    if len(goods.ticks) < 2:
        return None
    names = [good for (good,) in goods.items]
    target = _targets(run, goods)
    with np.errstate(all="ignore"):
        ratios = {column: values / target for column, values in goods.columns.items()}
    fixed = fixed_prices(run.summary)
    told = [
        place
        for place, name in enumerate(names)
        if name not in fixed and all(np.isfinite(ratios[column][:, place]).any() for column in PANELS)
    ]
    if not told:
        return None
    chosen = sorted(sorted(told, key=lambda place: -_spread(ratios["price"][:, place]))[:MOST_GOODS])
    shown = {column: values[:, chosen] for column, values in ratios.items() if np.isfinite(values[:, chosen]).any()}
    moving = np.hstack([shown["price"], shown["adjoint"]])
    window = window_of(goods.ticks, moving, run.summary, logarithms=False)
    some = f"Shown: {MOST_GOODS} of {len(told)} goods, those that moved most." if len(told) > MOST_GOODS else ""
    figure = canvas.sheet(run.summary, GUIDE, some, window.note, canvas.shocks_note(run.summary))
    path = "planner's ascent" if is_planned(run.summary) else "gradient descent"
    grid = figure.add_gridspec(1, len(shown), left=0.075, right=0.975, top=0.74, bottom=0.235, wspace=0.08)
    limits = _limits(np.hstack([values[: window.rows].ravel() for values in shown.values()]))
    colours = [colormaps["viridis"](0.9 * place / max(len(chosen) - 1, 1)) for place in range(len(chosen))]
    for place, (column, values) in enumerate(shown.items()):
        axes = figure.add_subplot(grid[0, place])
        axes.axhline(1.0, color=BLACK, linewidth=1)
        for curve, colour in zip(values.T, colours, strict=True):
            canvas.line(axes, goods.ticks[: window.rows], curve[: window.rows], color=colour, linewidth=2)
        _ratio_axis(axes, *limits)
        axes.tick_params(labelleft=place == 0)
        canvas.title(axes, PANELS.get(column, path))
        canvas.tidy(axes)
        canvas.mark_shocks(axes, run.summary)
        canvas.tick_axis(axes, goods.ticks[: window.rows], early=window.early)
    figure.supxlabel(canvas.tick_label(window.early), y=0.13, fontsize=BODY)
    figure.supylabel("over the price at equilibrium", x=0.008, fontsize=BODY)
    short = [canvas.shorten(names[place], 16) for place in chosen]
    samples = [(name, {"color": colour, "linewidth": 2.5}) for name, colour in zip(short, colours, strict=True)]
    canvas.legend(figure, samples, ncols=8, handlelength=1.6, columnspacing=1.6)
    return figure


def _targets(run: Frames, goods: Panel) -> Floats:
    """What each good's derivative is in the end, `(ticks, goods)`: at the equilibrium reached in the regime that a tick
    is in, or, where none is looked for and the run cleared, the last adjoint.
    """
    ticks, price, adjoint = goods.ticks, goods["price"], goods["adjoint"]
    target = np.full(adjoint.shape, np.nan)
    if run.summary.get("scheduler") == "marginal_bids":
        if run.summary.get("outcome") == "cleared" and not shocks(run.summary):
            target[:] = adjoint[-1]
        return target
    known, begins = known_equilibria(run, [name for (name,) in goods.items]), [0.0, *shocks(run.summary)]
    for begin, end in zip(begins, [*begins[1:], np.inf], strict=True):
        rows, there = (ticks >= begin) & (ticks < end), known["price"][(known["from_tick"] == begin).any(axis=1)]
        if rows.any() and len(there):
            reached = run.summary.get("equilibrium") if end == np.inf else None
            target[rows] = there[reached - 1 if reached else _nearest(there, price[rows][-1])]
    return np.where(target != 0, target, np.nan)


def _nearest(there: Floats, prices: Floats) -> int:
    """Which of the equilibria `(equilibria, goods)` is nearest to prices `(goods,)`: where their logarithms, less any
    common level, differ least.
    """
    with np.errstate(all="ignore"):
        gaps = np.log(there / prices)
    gaps = gaps[:, np.isfinite(gaps).all(axis=0)]
    return int(np.argmin(np.ptp(gaps, axis=1))) if gaps.size else 0


def _spread(ratio: Floats) -> float:
    seen = ratio[np.isfinite(ratio)]
    return float(seen.max() - seen.min()) if len(seen) else 0.0


def _limits(ratios: Floats) -> tuple[float, float]:
    seen = ratios[np.isfinite(ratios)]
    if seen.min() <= 0:
        low, high = max(float(seen.min()), -WIDEST), max(min(float(seen.max()), WIDEST), 1.0)
        return low - 0.03 * (high - low), high + 0.03 * (high - low)
    low, high = max(float(seen.min()), 1 / WIDEST), min(float(seen.max()), WIDEST)
    return min(low / 1.05, 0.97), max(high * 1.05, 1.03)


def _ratio_axis(axes: Axes, low: float, high: float) -> None:
    if low > 0 and high / low > 8:
        canvas.log_axis(axes, low, high)
    else:
        axes.set_ylim(low, high)
