"""Quantities over ticks: what is wanted, what is offered, and what really changes hands of each good."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from simulator.figures import canvas, frames
from simulator.figures.canvas import BLACK, BLUE, BODY, GREEN, SMALL, Style
from simulator.figures.frames import Floats, Frames, finite
from simulator.figures.prices import GRIDS, MOST_PANELS
from simulator.figures.window import window_of

TITLE = "How much of each good is wanted, offered and traded"
GUIDE = "Each panel is a good. Where both lines meet the market clears; between them lies what is short, or left over."
MOST_LEVELS = 3
# column: label, style; wide ones first, so that lines which coincide stay visible
LINES: Mapping[str, tuple[str, Style]] = {
    "supply": ("supply: planned by those who sell", canvas.stroke("#F4B183", 8)),
    "demand": ("demand: planned by those who buy", canvas.stroke(BLUE, 2.5)),
    "traded": ("traded: what changed hands", canvas.stroke(BLACK, 2.5, canvas.DOTTED)),
}
LEVEL = canvas.stroke(GREEN, 2.5)
LEVELS = "Green: levels, how much firms of constant returns produce."
WAITS = "Trade waits until markets clear: on the way nothing changes hands."
KEPT = "What somebody owns and keeps is demand and supply, and never traded."


def quantities(run: Frames) -> Figure | None:
    """One panel per good: planned demand and planned supply over ticks, and what was traded; one per activity level."""
    goods = frames.goods_of(run, *LINES)
    wanted, offered = goods["demand"], goods["supply"]
    known = [i for i in range(len(goods.items)) if len(finite(wanted[:, i])) and len(finite(offered[:, i]))]
    if not known:
        return None
    with np.errstate(all="ignore"):
        gap = np.abs(wanted - offered) / np.fmax(np.abs(wanted), np.abs(offered))
    gap = np.fmax.reduce(np.nan_to_num(gap, posinf=0.0))
    levels = _levels(run, goods.ticks)
    chosen = frames.largest(known, lambda i: float(gap[i]), MOST_PANELS - len(levels))
    some = f"Shown: {len(chosen)} of {len(known)} goods, those that were furthest from clearing."
    waits = not goods["traded"][:-1].any() and len(goods.ticks) > 1
    shown = [name for name in LINES if name != "traded" or not waits]
    drawn = np.hstack([*(goods[name][:, chosen] for name in shown), *(level[:, None] for level in levels.values())])
    rows, cut = window_of(goods.ticks, drawn, run.summary)
    ticks, lines = goods.ticks[:rows], {name: goods[name][:rows, chosen] for name in shown}
    least = np.fmin(lines["demand"], lines["supply"])
    kept = not waits and ((least > 0) & (lines["traded"] < 0.9 * least)).all(axis=0).any()
    notes = LEVELS if levels else "", some if len(chosen) < len(known) else "", WAITS if waits else KEPT if kept else ""
    figure = canvas.sheet(run.summary, TITLE, GUIDE, *notes, cut, canvas.time_note(run.summary, ticks, *lines.values()))
    panels = {goods.names[good]: {name: lines[name][:, at] for name in shown} for at, good in enumerate(chosen)}
    panels |= {f"level of {firm}": {"level": level[:rows]} for firm, level in levels.items()}
    shape, styles = GRIDS[len(panels) - 1], {"level": LEVEL} | {name: style for name, (_, style) in LINES.items()}
    space = {"left": 0.075, "right": 0.975, "top": 0.76, "bottom": 0.18, "wspace": 0.27, "hspace": 0.32}
    every = enumerate(zip(canvas.panels(figure, len(panels), shape, **space), panels.items(), strict=True))
    for place, (axes, (name, drawn)) in every:
        for line, values in drawn.items():
            canvas.line(axes, ticks, values, frames.shocks(run.summary), **styles[line])
        canvas.mark_shocks(axes, run.summary)
        canvas.price_axis(axes, np.concatenate([values for line, values in drawn.items() if line != "traded"]))
        canvas.tick_axis(axes, ticks)
        axes.tick_params(labelbottom=place + shape[1] >= len(panels))
        words = "log scale" if axes.get_yscale() != "linear" else ""
        end = axes.set_title(words, loc="right", y=1.0, fontsize=SMALL, color=canvas.GREY)
        room = axes.get_window_extent().width - end.get_window_extent().width - 15
        canvas.title(axes, name, room)
    figure.supxlabel("tick", y=0.092, fontsize=BODY)
    figure.supylabel("units per tick", x=0.008, fontsize=BODY)
    canvas.legend(figure, [LINES[name] for name in shown], ncols=3, handlelength=3)
    return figure


def _levels(run: Frames, ticks: Floats) -> dict[str, Floats]:
    """Levels of activity `(ticks,)` by firm, cohorts together: those that moved by the largest factors."""
    if "level" not in run.agents.columns:
        return {}
    told = frames.panel(run.agents.dropna(subset=["level"]), ("agent",), ("level",))
    if not np.array_equal(told.ticks, ticks):
        return {}
    level, firms = told["level"], [i for i, name in enumerate(told.names) if not name.endswith(":mean")]
    with np.errstate(all="ignore"):
        moved = np.log(np.fmax.reduce(level) / np.fmin.reduce(level))
    chosen = frames.largest(firms, lambda i: float(np.nan_to_num(moved[i])), MOST_LEVELS)
    return {told.names[i].removesuffix(":total"): level[:, i] for i in chosen}
