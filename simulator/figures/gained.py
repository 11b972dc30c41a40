"""Who gained and who lost, in money: every agent at the last tick beside an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BLACK, BLUE, BODY, ORANGE, SMALL
from simulator.figures.frames import Floats, Frames, finite, fixed_prices, largest, numbers, shocks

TITLE = "Who gained, who lost"
GUIDE = "Equivalent variation: the money that, at the earlier prices, would have been as good as the change since then."
KINDS = {
    "consumer": ("consumers: equivalent variation, all of a cohort together", BLUE, ""),
    "firm": ("firms: rise of profit (also in the variation of who owns it)", ORANGE, "//"),
}
MOST, FAR, UNSEEN = 18, 1e-3, 1e-4
"""So many agents have bars; where markets are further from clearing plans of then are no measure; a bar that is so
small beside the longest is not seen.
"""


def welfare(run: Frames) -> Figure | None:
    """A bar for each agent, who gained most on top; None where nobody gained or lost anything that is known, and counts
    beside what markets may be off when they clear.
    """
    table = run.welfare
    if table.empty:
        return None
    since = numbers(table, "since")
    rows: Any = table[(since == since.max(initial=0.0)) & ~table["agent"].str.endswith(":mean")]
    agents = [str(name).removesuffix(":total") for name in rows["agent"]]
    firms = (rows["kind"] == "firm").to_numpy()
    worth = np.where(firms, numbers(rows, "profit_change"), numbers(rows, "equivalent_variation"))
    worth = np.where(np.abs(worth) > _unsettled(run), worth, 0.0 * worth)
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
    then = int(since.max())
    gaps = numbers(run.ticks, "max_relative_excess_demand")[numbers(run.ticks, "tick") == then]
    if (gaps > FAR).any():
        notes.append(f"At tick {then:,} markets did not clear: not all that was planned then was to be had.")
    figure = canvas.sheet(run.summary, TITLE, GUIDE, *notes)
    ones = [good for good, price in fixed_prices(run.summary).items() if price == "1"]
    axes = bars(
        figure,
        [agents[at] for at in shown],
        {words: np.where(firms == (kind == "firm"), worth, np.nan)[shown] for kind, (words, *_) in KINDS.items()},
        f"per tick, in {canvas.plain(ones[0] if len(ones) == 1 else 'money')}",
    )
    canvas.title(axes, f"tick {run.summary.get('ticks', 0):,} beside {_when(run, then)}")
    return figure


def bars(
    figure: Figure, names: Sequence[str], series: Mapping[str, Floats], unit: str, *, beside: bool = False
) -> Axes:
    """A row for each name, the last on top, with a bar of each series that has a value there, in its place or `beside`
    that of the others; series by what they are called, in units in words.
    """
    axes = figure.add_axes((0.2, 0.2, 0.74, 0.565))
    shown = {words: values for words, values in series.items() if np.isfinite(values).any()}
    height = 0.7 / len(shown) if beside else 0.7
    small = min(SMALL, 230 * height / 0.7 / len(names))
    every = finite(np.concatenate([*shown.values()]))
    for number, (words, values) in enumerate(shown.items()):
        _, colour, hatch = [*KINDS.values()][[*series].index(words)]
        rows = np.flatnonzero(np.isfinite(values))
        places = rows + (height * ((len(shown) - 1) / 2 - number) if beside else 0.0)
        axes.barh(places, values[rows], height, label=words, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        for place, value in zip(places.tolist(), values[rows].tolist(), strict=True):
            side, end = ("left", 4) if value >= 0 else ("right", -4)
            text = canvas.number(value, 3) if value == 0 or abs(value) > UNSEEN * np.abs(every).max() else "about 0"
            axes.annotate(
                text, (value, place), (end, 0), textcoords="offset points", ha=side, va="center", fontsize=small
            )
    axes.axvline(0.0, color=BLACK, linewidth=1.2)
    axes.set_ylim(-0.7, len(names) - 0.3)
    low, high = min(float(every.min()), 0.0), max(float(every.max()), 0.0)
    room = 0.12 * (high - low)
    axes.set_xlim(low - (room if low < 0 else 0.0), high + (room if high > 0 else 0.0))
    canvas.tidy(axes)
    axes.grid(visible=False, axis="y")
    canvas.name_rows(axes, names, 0.18)
    axes.tick_params(axis="y", length=0, labelsize=min(SMALL, 230 / len(names)))
    axes.xaxis.set_major_formatter(lambda value, _position: canvas.number(value))
    axes.set_xlabel(f"lost ← {unit} → gained", fontsize=BODY)
    figure.legend(frameon=False, fontsize=SMALL, loc="lower center", bbox_to_anchor=(0.5, 0.04), ncols=2)
    return axes


def _unsettled(run: Frames) -> float:
    """What is left of gains and losses where markets clear to a tolerance: so large a part of all that is wanted."""
    last: Any = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()] if len(run.trajectory) else None
    tolerance = run.summary.get("tolerance")
    if last is None or tolerance is None:
        return 0.0
    return float(tolerance) * float(np.nansum(np.abs(numbers(last, "price") * numbers(last, "demand"))))


def _when(run: Frames, since: int) -> str:
    """The tick compared with, in words."""
    if since + 1 in shocks(run.summary):
        return f"tick {since:,}, the last before any shock"
    return f"tick {since:,}, the first"
