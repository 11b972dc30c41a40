"""Every good's price over ticks, beside the path of gradient descent, the derivatives and the equilibria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BLACK, BLUE, BODY, GREEN, SMALL, Style
from simulator.figures.frames import Floats, Frames, fixed_prices, is_planned, known_equilibria, panel, shocks
from simulator.figures.window import window_of

MOST_PANELS = 9
GUIDE = "Each panel is a good."
DESCENT_GUIDE = f"{GUIDE} Where blue lies on the orange beads, the market follows gradient descent."
PLANNER_GUIDE = (
    f"{GUIDE} Orange beads: a planner who moves quantities, not prices, up the gradient of the objective; "
    "his prices are its derivatives."
)
# column: label, style; in drawing order
PATHS: Mapping[str, tuple[str, Style]] = {
    "gradient_price": ("gradient descent, same start and rule", canvas.BEADS),
    "price": ("market price", canvas.stroke(BLUE, 2.5)),
    "adjoint": ("adjoint (derivative)", canvas.stroke(GREEN, 2.5, canvas.DASHED)),
}
PLANNER = "planner's gradient ascent"
# An adjoint that jumps at kinks, far beyond the prices, stays in the background.
PALE_ADJOINT: Style = {**canvas.stroke("#8CCFBB", 1.4), "zorder": 1.4}
EQUILIBRIUM: Style = {"color": BLACK, "linewidth": 1, "zorder": 1.5}
GRIDS = ((1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (2, 3), (2, 4), (2, 4), (3, 3))


def prices(run: Frames) -> Figure | None:
    """One panel per good: the market's price, the gradient path and the adjoint over ticks, the equilibria as lines."""
    goods = panel(run.trajectory, ("good",), tuple(PATHS))
    names = [good for (good,) in goods.items]
    chosen, note = _goods_to_show(goods["price"], names, run.summary)
    if not chosen:
        return None
    moving = np.hstack([goods["price"][:, chosen], goods["gradient_price"][:, chosen]])
    window = window_of(goods.ticks, moving, run.summary)
    ticks, lines = goods.ticks[: window.rows], {name: goods[name][: window.rows, chosen] for name in PATHS}
    seen = {name for name, values in lines.items() if np.isfinite(values).any()}
    labels = {name: label for name, (label, _) in PATHS.items()} | {"equilibrium": "equilibrium"}
    styles = {name: style for name, (_, style) in PATHS.items()} | {"equilibrium": EQUILIBRIUM}
    labels |= {"gradient_price": PLANNER} if is_planned(run.summary) else {}
    styles |= {"adjoint": PALE_ADJOINT} if _restless(lines["adjoint"], moving[: window.rows]) else {}
    guide = PLANNER_GUIDE if is_planned(run.summary) else DESCENT_GUIDE
    guide = guide if np.isfinite(goods["gradient_price"][:, chosen]).any() else GUIDE
    figure = canvas.sheet(run.summary, guide, note, window.note, canvas.shocks_note(run.summary))
    down, across = GRIDS[len(chosen) - 1]
    grid = figure.add_gridspec(down, across, left=0.075, right=0.975, top=0.76, bottom=0.18, wspace=0.27, hspace=0.32)
    known, ends = known_equilibria(run, names), np.array([*shocks(run.summary), np.inf])
    for place, column in enumerate(chosen):
        axes = figure.add_subplot(grid[divmod(place, across)])
        for name, values in lines.items():
            canvas.line(axes, ticks, values[:, place], **styles[name])
        there = dict.fromkeys(zip(known["price"][:, column], known["from_tick"][:, column], strict=True))
        for value, first in there:
            if np.isfinite(value):
                axes.plot([first, min(ends[ends > first][0], ticks[-1])], [value, value], **EQUILIBRIUM)
                seen.add("equilibrium")
        canvas.mark_shocks(axes, run.summary)
        paths = [values[:, place] for values in lines.values()]
        _price_axis(axes, np.concatenate([*paths, [value for value, _ in there]]))
        canvas.tick_axis(axes, ticks, early=window.early)
        canvas.tidy(axes)
        axes.tick_params(labelbottom=place + across >= len(chosen))
        _panel_title(axes, names[column], goods["price"][:, column])
    figure.supxlabel(canvas.tick_label(window.early), y=0.092, fontsize=BODY)
    scale = str(run.summary.get("scale") or "")
    unit = canvas.plain(f"price per unit ({canvas.shorten(scale, 40)})" if scale else "price per unit")
    figure.supylabel(unit, x=0.008, fontsize=BODY if len(unit) < 45 else SMALL - 2)
    samples = [(labels[name], styles[name]) for name in labels if name in seen]
    canvas.legend(figure, samples, ncols=4, handlelength=3)
    return figure


def _goods_to_show(price: Floats, goods: Sequence[str], summary: Mapping[str, Any]) -> tuple[list[int], str]:
    """The columns of the goods worth a panel, and what to say about the others."""
    priced = [i for i in range(len(goods)) if np.isfinite(price[:, i]).any()]
    fixed = fixed_prices(summary)
    still = [i for i in priced if goods[i] in fixed and np.nanmin(price[:, i]) == np.nanmax(price[:, i])]
    free = [i for i in priced if i not in still] or priced
    notes: list[str] = []
    if 0 < len(still) < len(priced):
        named = ", ".join(f"{goods[i]} = {canvas.number(price[-1, i])}" for i in still[:3])
        notes.append(f"Fixed price: {named}{' …' if len(still) > 3 else ''}.")
    if len(free) > MOST_PANELS:
        notes.append(f"Shown: {MOST_PANELS} of {len(free)} goods, those that moved most.")
        free = sorted(sorted(free, key=lambda i: -_moved(price[:, i]))[:MOST_PANELS])
    return free, " ".join(notes)


def _moved(price: Floats) -> float:
    """How far a price went from its lowest to its highest: by logarithm where positive, relative to its size if not."""
    price = price[np.isfinite(price)]
    if price.min() > 0:
        return float(np.log(price.max() / price.min()))
    return float((price.max() - price.min()) / max(np.abs(price).max(), 1e-300))


def _price_axis(axes: Axes, values: Floats) -> None:
    """Prices go by logarithm where they span decades, those of both signs as far as they are large."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        axes.set_yticks([])
    elif canvas.price_scale(values) == "symlog":
        axes.set_yscale("symlog", linthresh=float(np.median(np.abs(values[values != 0]))))
    else:
        canvas.price_axis(axes, values)


def _panel_title(axes: Axes, good: str, price: Floats) -> None:
    """The good's name, and the price it ended at."""
    words = f"at end {canvas.number(canvas.last_finite(price))}" if np.isfinite(price).any() else ""
    end = axes.set_title(words, loc="right", fontsize=SMALL, color=canvas.ink(BLUE))
    room = axes.get_window_extent().width - end.get_window_extent().width - 15
    canvas.title(axes, good, room)


def _restless(adjoint: Floats, moving: Floats) -> bool:
    """Whether derivatives keep jumping up and down by more than half the range of that good's price lines in a tick."""
    if len(adjoint) < 20:
        return False
    with np.errstate(all="ignore"):
        step = np.diff(adjoint[len(adjoint) // 10 :], axis=0)
        range_of = (np.fmax.reduce(moving, axis=0) - np.fmin.reduce(moving, axis=0)).reshape(2, -1)
        much = 0.5 * np.fmax.reduce(range_of, axis=0)
        return bool(((np.fmax.reduce(step, axis=0) > much) & (np.fmin.reduce(step, axis=0) < -much)).any())
