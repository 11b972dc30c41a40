"""Prices over ticks: each good's beside its references, and price, bid and adjoint over the price at equilibrium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas, frames
from simulator.figures.canvas import BLACK, BLUE, BODY, GREEN, SMALL, Style
from simulator.figures.frames import Floats, Frames, Panel, finite
from simulator.figures.window import window_of

MOST_PANELS = 9
TITLE = "The price of each good, tick by tick"
GUIDE = "Each panel is a good."
PATH_GUIDE = f"{GUIDE} Where the market price lies on the wide pale line, it follows "
PATH_GUIDES = {
    "gradient descent": f"{PATH_GUIDE}gradient descent.",
    "saddle path": f"{PATH_GUIDE}the saddle path: levels climb unit profits, prices descend.",
}
PLANNER_GUIDE = (
    f"{GUIDE} Wide pale line: a planner who moves quantities, not prices, up the gradient of the objective; "
    "his prices are its derivatives."
)
# column: label (of the path its own), style; in drawing order
PATHS: Mapping[str, tuple[str, Style]] = {
    "gradient_price": ("", canvas.TRAIL),
    "adjoint": ("adjoint (derivative)", canvas.stroke(GREEN, 1.8, canvas.DASHED)),
    "price": ("market price", canvas.stroke(BLUE, 2.5)),
}
EQUILIBRIUM: Style = {"color": BLACK, "linewidth": 1, "zorder": 1.5}
GRIDS = ((1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (2, 3), (2, 4), (2, 4), (3, 3))

RATIO_TITLE = "Price, bid and derivative, relative to equilibrium"
RATIO_GUIDE = (
    "Curves are goods, over their price at equilibrium. A bid is one step of backprop, the adjoint the whole sweep."
)
RATIOS = {"price": "market price", "bid": "bid (one step)", "adjoint": "adjoint (full sweep)"}
MOST_GOODS = len(canvas.CYCLE)
KINKS = "The adjoint jumps though prices hardly move: a kink, whose two sides differ in slope."
HARDLY = 0.02
"""Relative moves below this are small, and jumps are ten times as large."""
WIDEST = 100.0
"""A ratio further than this from 1, or below its inverse, is left out of the axis."""


def prices(run: Frames) -> Figure | None:
    """One panel per good: the market's price, the gradient path and the adjoint over ticks, the equilibria as lines."""
    goods, path = frames.goods_of(run, *PATHS), frames.path_words(run.summary)
    chosen, note = _goods_to_show(goods, run.summary)
    if not chosen:
        return None
    rows, cut = window_of(goods.ticks, np.hstack([goods[name][:, chosen] for name in PATHS]), run.summary)
    ticks, lines = goods.ticks[:rows], {name: goods[name][:rows, chosen] for name in PATHS}
    looks = {name: PATHS[name] for name, values in lines.items() if len(finite(values))}
    guide = PATH_GUIDES.get(path, PLANNER_GUIDE) if "gradient_price" in looks else GUIDE
    if "gradient_price" in looks:
        looks["gradient_price"] = path + ", same start and rule" * (path in PATH_GUIDES), canvas.TRAIL
    notes = note, cut, canvas.time_note(run.summary, ticks, *lines.values())
    figure = canvas.sheet(run.summary, TITLE, guide, *notes)
    shape = GRIDS[len(chosen) - 1]
    space = {"left": 0.075, "right": 0.975, "top": 0.76, "bottom": 0.18, "wspace": 0.27, "hspace": 0.32}
    known, ends = frames.equilibria_of(run, goods.names), np.array([*(shocks := frames.shocks(run.summary)), np.inf])
    for place, axes in enumerate(canvas.panels(figure, len(chosen), shape, **space)):
        column, paths = chosen[place], {name: lines[name][:, place] for name in lines}
        for name, (_, style) in looks.items():
            if name in paths:
                canvas.line(axes, ticks, paths[name], shocks, **style)
        there = known["price"][:, column]
        for value, first in dict.fromkeys(zip(there, known["from_tick"][:, column], strict=True)):
            if np.isfinite(value):
                axes.plot([first, min(ends[ends > first][0], ticks[-1])], [value, value], **EQUILIBRIUM)
                looks["equilibrium"] = "equilibrium", EQUILIBRIUM
        canvas.mark_shocks(axes, run.summary)
        canvas.price_axis(axes, np.concatenate([*paths.values(), there]))
        canvas.tick_axis(axes, ticks)
        axes.tick_params(labelbottom=place + shape[1] >= len(chosen))
        _panel_title(axes, goods.names[column], goods["price"][:, column])
    figure.supxlabel("tick", y=0.092, fontsize=BODY)
    scale = str(run.summary.get("scale") or "")
    unit = canvas.plain(f"price per unit ({canvas.shorten(scale, 40)})" if scale else "price per unit")
    figure.supylabel(unit, x=0.008, fontsize=BODY if len(unit) < 45 else SMALL - 2)
    canvas.legend(figure, looks.values(), ncols=4, handlelength=3)
    return figure


def _goods_to_show(goods: Panel, summary: Mapping[str, Any]) -> tuple[list[int], str]:
    """The columns of the goods worth a panel, and what to say about the others."""
    price, names, fixed = goods["price"], goods.names, frames.fixed_prices(summary)
    priced = [i for i in range(len(names)) if len(finite(price[:, i]))]
    still = [i for i in priced if names[i] in fixed and np.nanmin(price[:, i]) == np.nanmax(price[:, i])]
    free = [i for i in priced if i not in still] or priced
    if not free:
        return [], ""
    notes: list[str] = []
    if 0 < len(still) < len(priced):
        named = ", ".join(f"{names[i]} = {canvas.number(price[-1, i])}" for i in still[:3])
        notes.append(f"Fixed price: {named}{' …' if len(still) > 3 else ''}.")
    seen = np.where(np.isfinite(price), price, np.nan)
    by_factor = bool((finite(price[:, free]) > 0).all())
    with np.errstate(all="ignore"):
        moved = np.fmax.reduce(seen) / np.fmin.reduce(seen) if by_factor else np.ptp(np.nan_to_num(seen), axis=0)
    if len(free) > MOST_PANELS:
        how = "the largest factor" if by_factor else "most"
        notes.append(f"Shown: {MOST_PANELS} of {len(free)} goods, those whose prices moved by {how}.")
    return frames.largest(free, lambda i: float(moved[i]), MOST_PANELS), " ".join(notes)


def _panel_title(axes: Axes, good: str, price: Floats) -> None:
    """The good's name, the price it ended at, and whether the axis is no common one."""
    by_logarithm = axes.get_yscale() != "linear"
    most = 0.0 if by_logarithm else float(np.abs(finite(price)).max(initial=0.0))
    words = f"{'log scale, ' if by_logarithm else ''}at end {canvas.number(canvas.last_finite(price), beside=most)}"
    end = axes.set_title(words, loc="right", y=1.0, fontsize=SMALL, color=canvas.ink(BLUE))
    canvas.title(axes, good, axes.get_window_extent().width - end.get_window_extent().width - 15)


def three_prices(run: Frames) -> Figure | None:
    """Three prices of every good by tick: the market's, one step of backprop (the bid), and all of them (the adjoint).

    Each is drawn as a ratio to what it is in the end, the derivative at the equilibrium; beside them is the path
    compared with, where there is one. None where there is no equilibrium or nobody bids.
    """
    goods = frames.goods_of(run, *RATIOS, "gradient_price")
    if len(goods.ticks) < 2:
        return None
    target, fixed = _targets(run, goods), frames.fixed_prices(run.summary)
    with np.errstate(all="ignore"):
        ratios = {column: values / target for column, values in goods.columns.items()}
    finite_in_all = np.all([np.isfinite(ratios[column]).any(axis=0) for column in RATIOS], axis=0)
    told = [i for i, name in enumerate(goods.names) if name not in fixed and finite_in_all[i]]
    if not told:
        return None
    chosen = frames.largest(told, lambda i: float(np.ptp(finite(ratios["price"][:, i]))), MOST_GOODS)
    shown = {column: values[:, chosen] for column, values in ratios.items() if len(finite(values[:, chosen]))}
    rows, cut = window_of(goods.ticks, np.hstack([*shown.values()]), run.summary)
    ticks, shown = goods.ticks[:rows], {column: values[:rows] for column, values in shown.items()}
    low, high = _limits(finite(np.hstack([*shown.values()])))
    by_logarithm = 0 < 8 * low < high
    some = f"Shown: {MOST_GOODS} of {len(told)} goods, those that moved most." if len(told) > MOST_GOODS else ""
    beyond = np.abs(finite(np.hstack([*shown.values()]))).max() > WIDEST
    some += f" Above {WIDEST:.0f} lines leave the picture." if beyond else ""
    begins = frames.equilibria_of(run, goods.names)["from_tick"]
    several = len(np.unique(begins, axis=0)) < len(begins)
    some += " Equilibrium: of several that were found the nearest to the last prices." if several else ""
    kinks = KINKS if _jumps(goods["adjoint"][:rows, chosen], goods["price"][:rows, chosen]) else ""
    notes = some, cut, kinks, canvas.time_note(run.summary, ticks, *shown.values())
    figure = canvas.sheet(run.summary, RATIO_TITLE, RATIO_GUIDE, *notes)
    titles = {**RATIOS, "gradient_price": frames.path_words(run.summary).replace("gradient ascent", "ascent")}
    space = {"left": 0.075, "right": 0.975, "top": 0.74, "bottom": 0.235, "wspace": 0.1}
    for axes, column in zip(canvas.panels(figure, len(shown), (1, len(shown)), **space), shown, strict=True):
        axes.axhline(1.0, color=BLACK, linewidth=1)
        for curve, style in zip(shown[column].T, canvas.CYCLE, strict=False):
            style = {**style, "linewidth": 0.75 * style["linewidth"]}
            canvas.line(axes, ticks, curve, frames.shocks(run.summary), **style)
        if by_logarithm:
            canvas.log_axis(axes, low, high)
        else:
            axes.set_ylim(low, high)
        axes.tick_params(labelleft=column == "price")
        canvas.title(axes, titles[column])
        canvas.mark_shocks(axes, run.summary)
        canvas.tick_axis(axes, ticks)
    figure.supxlabel("tick", y=0.13, fontsize=BODY)
    unit = "over the price at equilibrium" + (" (log scale)" if by_logarithm else "")
    figure.supylabel(unit, x=0.008, fontsize=BODY)
    samples = [(canvas.shorten(goods.names[i], 16), style) for i, style in zip(chosen, canvas.CYCLE, strict=False)]
    canvas.legend(figure, samples, ncols=8, handlelength=2.6, columnspacing=1.6)
    return figure


def _jumps(derivatives: Floats, prices: Floats) -> bool:
    """Whether derivatives `(ticks, goods)` jump, time and again, between ticks in which prices hardly move."""
    with np.errstate(all="ignore"):
        moved, jumped = (np.abs(np.diff(lines, axis=0) / lines[:-1]).max(axis=1) for lines in (prices, derivatives))
    return int(np.count_nonzero((moved < HARDLY) & (jumped > 10 * HARDLY))) > 2


def _targets(run: Frames, goods: Panel) -> Floats:
    """What each good's derivative is in the end, `(ticks, goods)`: at the equilibrium reached in the regime that a tick
    is in, or, where none is looked for and the run cleared, the last adjoint.
    """
    ticks, price, adjoint = goods.ticks, goods["price"], goods["adjoint"]
    target = np.full(adjoint.shape, np.nan)
    if frames.scheduler_of(run) == "marginal_bids":
        if run.summary.get("outcome") == "cleared" and not frames.shocks(run.summary):
            target[:] = adjoint[-1]
        return target
    known, begins = frames.equilibria_of(run, goods.names), [0.0, *frames.shocks(run.summary)]
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


def _limits(ratios: Floats) -> tuple[float, float]:
    """The ends of the axis of ratios: about the least and the largest of them and 1."""
    low, high = float(ratios.min()), min(float(ratios.max()), WIDEST)
    if low <= 0:
        low, high = max(low, -WIDEST), max(high, 1.0)
        return low - 0.03 * (high - low), high + 0.03 * (high - low)
    return min(max(low, 1 / WIDEST) / 1.05, 0.97), max(high * 1.05, 1.03)
