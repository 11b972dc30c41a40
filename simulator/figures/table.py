"""The figures of a run, drawn from its frames alone: no economy, no rule, no market is asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.figures import canvas, network, simplex
from simulator.figures.canvas import BLACK, BLUE, BODY, GREEN, SMALL
from simulator.figures.convergence import convergence
from simulator.figures.diagnostics import diagnostics
from simulator.figures.frames import (
    Floats,
    Frames,
    fixed_prices,
    is_planned,
    numbers,
    panel,
    read_run,
    summary_number,
    texts,
)
from simulator.figures.gains import gains
from simulator.figures.learnt import held_out, learnt
from simulator.figures.three_prices import three_prices
from simulator.figures.wave import wave
from simulator.figures.window import moves_early, rows_worth_drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 9
MOST_WEDGES = 8
PRICES_GUIDE = "Each panel is a good. Where blue lies on the orange beads, the market follows gradient descent."
PLANNER_GUIDE = (
    "Each panel is a good. Orange beads: a planner who moves quantities, not prices, up the gradient of the objective; "
    "his prices are its derivatives."
)
WEDGES_GUIDE = (
    "Above 0 % the firm is short of the input (rationed, or slow): one more unit would earn more than it costs. "
    "Below, it has too much."
)
BIDS_GUIDE = "Above 0 % the firm bids more for the input than it pays so far, and its price rises. Below, it falls."
# Relative wedges up to this are left of a market that has cleared.
NO_WEDGE = 1e-9
# column: label, style; in drawing order
PATHS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "gradient_price": ("gradient descent, same start and rule", canvas.BEADS),
    "price": ("market price", {"color": BLUE, "linewidth": 2.5}),
    "adjoint": ("adjoint (derivative)", {"color": GREEN, "linewidth": 2.5, "linestyle": (0, (4, 2))}),
}
PLANNER = "planner's gradient ascent"
# An adjoint that jumps at kinks, far beyond the prices, stays in the background.
PALE_ADJOINT: Mapping[str, Any] = {"color": "#8CCFBB", "linewidth": 1.4, "linestyle": "-", "zorder": 1.4}
EQUILIBRIUM: Mapping[str, Any] = {"color": BLACK, "linewidth": 1, "zorder": 1.5}
GRIDS = ((1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (2, 3), (2, 4), (2, 4), (3, 3))


def draw(run: str | Path | Frames, folder: str | Path, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw every figure that applies to a run folder or a run's frames; returns the files written, in order.

    A figure that would say nothing (no wedges without firms, no simplex without exactly three goods) is not drawn.
    The same frames give the same bytes. Raises `ValueError` for a format other than png, svg and pdf.
    """
    for kind in formats:
        if kind not in canvas.METADATA:
            raise ValueError(f"figure format {kind!r}; expected one of {', '.join(canvas.METADATA)}")
    frames = read_run(run) if isinstance(run, (str, Path)) else run
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, build in FIGURES.items():
        figure = build(frames)
        if figure is None:
            continue
        for kind in formats:
            written.append(folder / f"{name}.{kind}")
            canvas.save(figure, written[-1], kind)
    return written


def prices(run: Frames) -> Figure | None:
    """One panel per good: the market's price, the gradient path and the adjoint over ticks, the equilibria as lines."""
    goods = panel(run.trajectory, ("good",), ("price", "gradient_price", "adjoint"))
    chosen, note = _goods_to_show(goods["price"], [item[0] for item in goods.items], run.summary)
    if not chosen:
        return None
    lines = {name: values[:, chosen] for name, values in goods.columns.items()}
    moving = np.hstack([lines["price"], lines["gradient_price"]])
    rows, window = rows_worth_drawing(goods.ticks, moving, summary_number(run.summary, "period"))
    ticks, early = goods.ticks[:rows], moves_early(goods.ticks[:rows], moving[:rows])
    guide = PLANNER_GUIDE if is_planned(run.summary) else PRICES_GUIDE
    guide = guide if np.isfinite(lines["gradient_price"]).any() else "Each panel is a good."
    figure = canvas.sheet(run.summary, guide, note, window, canvas.shocks_note(run.summary))
    down, across = GRIDS[len(chosen) - 1]
    grid = figure.add_gridspec(down, across, left=0.075, right=0.975, top=0.76, bottom=0.18, wspace=0.27, hspace=0.32)
    equilibria = _equilibrium_prices(run)
    seen = {name for name, values in lines.items() if np.isfinite(values[:rows]).any()}
    styles = {name: style for name, (_, style) in PATHS.items()}
    styles |= {"adjoint": PALE_ADJOINT} if _restless(lines["adjoint"][:rows], moving[:rows]) else {}
    for place, column in enumerate(chosen):
        axes, good = figure.add_subplot(grid[divmod(place, across)]), goods.items[column][0]
        paths = [lines[name][:rows, place] for name in PATHS]
        for name, values in zip(PATHS, paths, strict=True):
            canvas.line(axes, ticks, values, **styles[name])
        for value, first, last in equilibria.get(good, []):
            axes.plot([first, min(last, ticks[-1])], [value, value], **EQUILIBRIUM)
            seen.add("equilibrium")
        canvas.mark_shocks(axes, run.summary)
        _price_axis(axes, np.concatenate([*paths, [value for value, _, _ in equilibria.get(good, [])]]))
        canvas.tick_axis(axes, ticks[0], ticks[-1], early=early)
        canvas.tidy(axes)
        axes.tick_params(labelbottom=place + across >= len(chosen))
        _panel_title(axes, good, goods["price"][:, column])
    figure.supxlabel("tick" + (" (logarithmic)" if early else ""), y=0.092, fontsize=BODY)
    unit = canvas.plain(f"price per unit{_unit(run.summary)}")
    figure.supylabel(unit, x=0.008, fontsize=BODY if len(unit) < 45 else SMALL - 2)
    _price_legend(figure, styles, seen, run.summary)
    return figure


def wedges(run: Frames) -> Figure | None:
    """Per firm and input, `(p_out df/dx - p) / p` over ticks: what one more unit of the input earns above its cost."""
    inputs = panel(run.wedges, ("firm", "input"), ("wedge", "price"))
    if not inputs.items:
        return None
    with np.errstate(all="ignore"):
        relative = inputs["wedge"] / np.abs(inputs["price"])
    relative = np.where(np.isfinite(relative), relative, np.nan)
    relative = np.where(np.abs(relative) <= NO_WEDGE, 0.0, relative)
    known = [i for i in range(len(inputs.items)) if np.isfinite(relative[:, i]).any()]
    if not known:
        return None
    moved = [i for i in known if np.nan_to_num(relative[:, i]).any()] or known
    largest = sorted(moved, key=lambda i: (-float(np.nanmean(np.abs(relative[:, i]))), i))
    chosen = sorted(largest[:MOST_WEDGES])
    rows, window = rows_worth_drawing(
        inputs.ticks, relative[:, chosen], summary_number(run.summary, "period"), logarithms=False
    )
    ticks, early = inputs.ticks[:rows], moves_early(inputs.ticks[:rows], relative[:rows, chosen])
    some = "" if len(chosen) == len(known) else f"The {len(chosen)} largest of {len(known)} wedges."
    some += " The others are 0." if some and len(chosen) == len(moved) else ""
    none = "" if np.nan_to_num(relative).any() else "No firm was ever short of an input, or had too much."
    guide = BIDS_GUIDE if run.summary.get("scheduler") == "marginal_bids" else WEDGES_GUIDE
    figure = canvas.sheet(run.summary, guide, none, some, window)
    axes = figure.add_axes((0.105, 0.135, 0.6, 0.66))
    axes.axhline(0, color=BLACK, linewidth=1.2)
    ends: list[canvas.End] = []
    sep = "\n" if any(len(firm) + len(good) > 22 for firm, good in (inputs.items[i] for i in chosen)) else " "
    for place, column in enumerate(chosen):
        style = canvas.CYCLE[place]
        canvas.line(axes, ticks, relative[:rows, column], zorder=2 + 1 / style["linewidth"], **style)
        values = relative[:rows, column][np.isfinite(relative[:rows, column])]
        firm, good = (canvas.shorten(name, 24) for name in inputs.items[column])
        ends.append((float(values[-1]) if len(values) else 0.0, f"{firm}{sep}← {good}", style))
    low, high = np.nanmin(relative[:rows, chosen]), np.nanmax(relative[:rows, chosen])
    room = max(0.06 * (high - low), 0.01)
    axes.set_ylim(min(low, 0) - room, max(high, 0) + room)
    if max(-low, high) > 10:
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(min(low, 0) - 0.5, max(high, 0) * 2 + 0.5)
    axes.yaxis.set_major_formatter(lambda value, _: f"{canvas.number(100 * value)}\N{NO-BREAK SPACE}%")
    canvas.tick_axis(axes, ticks[0], ticks[-1], early=early)
    canvas.tidy(axes)
    canvas.label_ends(axes, ends, 0.23 * canvas.WIDTH)
    axes.set_xlabel("tick" + (" (logarithmic)" if early else ""), fontsize=BODY)
    axes.set_ylabel("what one more unit earns above its price", fontsize=BODY)
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


def _equilibrium_prices(run: Frames) -> dict[str, list[tuple[float, float, float]]]:
    """Good -> its price in every equilibrium found, with the first and the last tick at which it is one."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    ends = np.array([*canvas.shocks(run.summary), np.inf])
    firsts = np.nan_to_num(numbers(run.equilibrium, "from_tick"))
    columns = (texts(run.equilibrium, "good"), numbers(run.equilibrium, "price"), firsts)
    for good, price, first in zip(*columns, strict=False):
        line = (float(price), float(first), float(ends[ends > first][0]))
        if np.isfinite(price) and line not in found.setdefault(good, []):
            found[good].append(line)
    return found


def _price_axis(axes: Axes, values: Floats) -> None:
    """Limits with room around everything drawn, and no zooming into rounding errors."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        axes.set_yticks([])
        return
    low, high = float(values.min()), float(values.max())
    scale = canvas.price_scale(values)
    if scale == "log":
        room = (high / low) ** 0.06
        low, high = max(low / room, 1e-307), min(high * room, 1e307)
        axes.set_ylim(low, high)
        axes.set_yscale("log")
        canvas.log_axis(axes.yaxis, low, high)
        return
    if scale == "symlog":
        axes.set_yscale("symlog", linthresh=float(np.median(np.abs(values[values != 0]))))
        return
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.locator_params(axis="y", nbins=5)


def _panel_title(axes: Axes, good: str, price: Floats) -> None:
    """The good's name, and the price it ended at."""
    last = price[np.isfinite(price)]
    words = f"at end {canvas.number(float(last[-1]))}" if len(last) else ""
    end = axes.set_title(words, loc="right", fontsize=SMALL, color=canvas.ink(BLUE))
    room = axes.get_window_extent().width - end.get_window_extent().width - 15
    canvas.fit_name(axes.set_title(canvas.plain(good), loc="left", fontsize=BODY, fontweight="bold"), room)


def _restless(adjoint: Floats, moving: Floats) -> bool:
    """Whether derivatives keep jumping up and down by more than half the range of that good's price lines in a tick."""
    if len(adjoint) < 20:
        return False
    with np.errstate(all="ignore"):
        step = np.diff(adjoint[len(adjoint) // 10 :], axis=0)
        range_of = (np.fmax.reduce(moving, axis=0) - np.fmin.reduce(moving, axis=0)).reshape(2, -1)
        much = 0.5 * np.fmax.reduce(range_of, axis=0)
        return bool(((np.fmax.reduce(step, axis=0) > much) & (np.fmin.reduce(step, axis=0) < -much)).any())


def _price_legend(
    figure: Figure, styles: Mapping[str, Mapping[str, Any]], seen: set[str], summary: Mapping[str, Any]
) -> None:
    """The kinds of line that were drawn, below all panels."""
    from matplotlib.lines import Line2D

    labels = {name: label for name, (label, _) in PATHS.items()} | {"equilibrium": "equilibrium"}
    labels |= {"gradient_price": PLANNER} if is_planned(summary) else {}
    looks = {**styles, "equilibrium": EQUILIBRIUM}
    handles = [Line2D([], [], label=label, **looks[name]) for name, label in labels.items() if name in seen]
    style: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "handlelength": 3, "columnspacing": 2.5}
    figure.legend(handles=handles, loc="lower center", ncols=4, bbox_to_anchor=(0.5, 0.036), **style)


def _unit(summary: Mapping[str, Any]) -> str:
    """In what prices are counted."""
    scale = str(summary.get("scale") or "")
    return f" ({canvas.shorten(scale, 40)})" if scale else ""


FIGURES: Mapping[str, Callable[[Frames], Figure | None]] = {
    "prices": prices,
    "three_prices": three_prices,
    "convergence": convergence,
    "wedges": wedges,
    "network": network.network,
    "simplex": simplex.simplex,
    "gains": gains,
    "wave": wave,
    "learnt": learnt,
    "held_out": held_out,
    "diagnostics": diagnostics,
}
