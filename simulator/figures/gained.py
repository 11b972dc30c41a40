"""Who gained and who lost, in money: every agent at the last tick beside an earlier one."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from simulator.figures import canvas
from simulator.figures.canvas import BLACK, BLUE, BODY, ORANGE, SMALL
from simulator.figures.frames import Frames, fixed_prices, largest, numbers, shocks

TITLE = "Who gained, who lost"
GUIDE = "Equivalent variation: the money, at the prices of then, that would have been as good as what changed since."
KINDS = {
    "consumer": ("consumers: equivalent variation, of a cohort of all together", BLUE, ""),
    "firm": ("firms: rise of profit (that of owners is in their variation too)", ORANGE, "//"),
}
MOST, ROUNDED = 18, 1e-9


def welfare(run: Frames) -> Figure | None:
    """A bar for each agent, who gained most on top; None where nobody gained or lost anything that is known."""
    table = run.welfare
    if table.empty:
        return None
    since = numbers(table, "since")
    rows: Any = table[(since == since.max(initial=0.0)) & ~table["agent"].str.endswith(":mean")]
    kinds, agents = rows["kind"].to_list(), [str(name).removesuffix(":total") for name in rows["agent"]]
    worth = np.where(rows["kind"] == "firm", numbers(rows, "profit_change"), numbers(rows, "equivalent_variation"))
    known = np.flatnonzero(np.isfinite(worth)).tolist()
    if not known or not np.abs(worth[known]).max() > canvas.STILL:
        return None
    shown = sorted(largest(known, lambda place: abs(float(worth[place])), MOST), key=lambda place: worth[place])
    unknown = [agents[place] for place in range(len(agents)) if place not in known]
    some = f"Shown: {len(shown)} of {len(known)} agents, those with most at stake."
    notes = [some] if len(shown) < len(known) else []
    if unknown:
        some = ", ".join(unknown[:4]) + (f" and {len(unknown) - 4} more" if len(unknown) > 4 else "")
        notes.append(f"Not known: {some}.")
    figure = canvas.sheet(run.summary, TITLE, GUIDE, *notes)
    axes = figure.add_axes((0.2, 0.2, 0.74, 0.565))
    values, size = worth[shown], float(np.abs(worth[shown]).max())
    for kind, (_, colour, hatch) in KINDS.items():
        of_kind = [place for place, at in enumerate(shown) if kinds[at] == kind]
        axes.barh(of_kind, values[of_kind], 0.7, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
    axes.axvline(0.0, color=BLACK, linewidth=1.2)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = 0.12 * (high - low)
    axes.set_xlim(low - (room if low < 0 else 0.0), high + (room if high > 0 else 0.0))
    canvas.tidy(axes)
    axes.grid(visible=False, axis="y")
    small = min(SMALL, 230 / len(shown))
    for place, value in enumerate(values.tolist()):
        words, end = canvas.number(value if abs(value) > ROUNDED * size else 0.0, 3), 4 if value >= 0 else -4
        side = "left" if value >= 0 else "right"
        axes.annotate(words, (value, place), (end, 0), textcoords="offset points", ha=side, va="center", fontsize=small)
    canvas.name_rows(axes, [agents[at] for at in shown], 0.18)
    axes.tick_params(axis="y", length=0, labelsize=small)
    ones = [good for good, price in fixed_prices(run.summary).items() if price == "1"]
    unit = ones[0] if len(ones) == 1 else "money"
    axes.xaxis.set_major_formatter(lambda value, _position: canvas.number(value))
    axes.set_xlabel(f"lost ← per tick, in {canvas.plain(unit)} → gained", fontsize=BODY)
    canvas.title(axes, f"tick {run.summary.get('ticks', 0):,} beside {_when(run, int(since.max()))}")
    samples = [Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=words)
               for kind, (words, colour, hatch) in KINDS.items() if kind in {kinds[at] for at in shown}]  # fmt: skip
    figure.legend(
        handles=samples, frameon=False, fontsize=SMALL, loc="lower center", bbox_to_anchor=(0.5, 0.04), ncols=2
    )
    return figure


def _when(run: Frames, since: int) -> str:
    """The tick compared with, in words."""
    if since + 1 in shocks(run.summary):
        return f"tick {since:,}, the last before any shock"
    return f"tick {since:,}, the first"
