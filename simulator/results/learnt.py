"""What a market has learnt: loss and accuracy, prices, orders that stay unfilled, what it would supply elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.results import canvas
from simulator.results.canvas import BLUE, BODY, SMALL, VERMILION
from simulator.results.frames import Frames, Panel, numbers, panel, summary_number
from simulator.results.window import rows_worth_drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GUIDE = "Prices are the weights, unfilled orders the errors. A bundle's order is filled where supply meets it."
TEST_GUIDE = (
    "Patterns that the market never saw: which contract was ordered, and which would be supplied most (5 → 9: wrong)."
)
MOST_CELLS = 20
MOST_LINES = 12
MOST_NAMED = 5
MOST_ORDERS = 60


def learnt(run: Frames) -> Figure | None:
    """Four panels: loss and errors, prices, unfilled orders by tick, and supply over the square of two inputs."""
    if run.summary.get("scheduler") != "learning":
        return None
    goods = panel(run.trajectory, ("good",), ("price",))
    period = summary_number(run.summary, "period")
    rows, window = rows_worth_drawing(goods.ticks, goods["price"], period, logarithms=False)
    figure = canvas.sheet(run.summary, GUIDE, window)
    told = bool((run.agents["kind"] == "order").any()) or run.summary.get("surface") is not None
    place: dict[str, float] = {"left": 0.07, "right": 0.97, "top": 0.79, "bottom": 0.115, "wspace": 0.16}
    grid = figure.add_gridspec(2 if told else 1, 2, hspace=0.42, **place)
    _losses(run, figure.add_subplot(grid[0, 0]), rows)
    _prices(goods, figure.add_subplot(grid[0, 1]), rows)
    if told:
        _orders(run, figure.add_subplot(grid[1, 0]), rows)
        _surface(run, figure.add_subplot(grid[1, 1]))
    return figure


def held_out(run: Frames) -> Figure | None:
    """How patterns that were held out are decided: a table of what was ordered against what is supplied most, and some
    of them as pictures where their inputs fill a square.
    """
    test: Any = run.summary.get("test")
    if not test:
        return None
    figure = canvas.sheet(run.summary, TEST_GUIDE)
    counts, contracts = np.array(test["confusion"]), test["contracts"]
    axes = figure.add_axes((0.06, 0.1, 0.4, 0.68))
    shown = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    axes.imshow(shown, cmap="OrRd", vmin=0, vmax=max(1, shown.max()))
    if len(contracts) <= MOST_CELLS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                bold = "bold" if row == column else "normal"
                axes.text(column, row, str(count), ha="center", va="center", fontsize=SMALL, fontweight=bold)
        axes.set_xticks(range(len(contracts)), contracts)
        axes.set_yticks(range(len(contracts)), contracts)
    axes.set_xlabel("supplied most", fontsize=BODY)
    axes.set_ylabel("ordered", fontsize=BODY)
    side = round(len(test["samples"][0][0]) ** 0.5)
    if side * side == len(test["samples"][0][0]) and side > 1:
        grid = figure.add_gridspec(4, 6, left=0.52, right=0.985, top=0.77, bottom=0.06, wspace=0.15, hspace=0.45)
        for place, (bundle, ordered, decided) in enumerate(test["samples"][:24]):
            picture = figure.add_subplot(grid[divmod(place, 6)])
            picture.imshow(np.array(bundle).reshape(side, side), cmap="Greys")
            picture.axis("off")
            wrong = ordered != decided
            words = f"{ordered} → {decided}" if wrong else str(ordered)
            picture.set_title(words, fontsize=SMALL - 1, color=VERMILION if wrong else "black")
    return figure


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=BODY, loc="left", fontweight="bold")
    canvas.tidy(axes)


def _legend(axes: Axes) -> None:
    """A row below the lines, beside the word tick."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (-0.02, -0.13), "borderaxespad": 0.0}
    spacing = {"columnspacing": 0.9, "handlelength": 1.9, "handletextpad": 0.4}
    axes.legend(frameon=False, fontsize=SMALL - 1, ncols=MOST_NAMED, **spacing, **place)


def _losses(run: Frames, axes: Axes, rows: int) -> None:
    ticks, loss = numbers(run.ticks, "tick")[:rows], numbers(run.ticks, "loss")[:rows]
    wrong = 1.0 - numbers(run.ticks, "accuracy")[:rows]
    # The wide one first: where all that is wrong is wrong by one, they are the same line.
    axes.plot(ticks, np.where(loss > 0, loss, np.nan), color=BLUE, linewidth=4.5, label="loss")
    axes.plot(ticks, np.where(wrong > 0, wrong, np.nan), color=VERMILION, linewidth=1.6, label="part decided wrong")
    axes.set_yscale("log")
    _legend(axes)
    axes.set_xlabel("tick", fontsize=SMALL, loc="right")
    _title(axes, "loss, and what is decided wrong")


def _prices(goods: Panel, axes: Axes, rows: int) -> None:
    moved = np.ptp(np.nan_to_num(goods["price"]), axis=0)
    chosen = sorted(np.argsort(-moved, kind="stable")[:MOST_LINES].tolist())
    for place, good in enumerate(chosen):
        style = canvas.CYCLE[place % len(canvas.CYCLE)]
        name = canvas.plain(goods.items[good][0])
        canvas.line(axes, goods.ticks[:rows], goods["price"][:rows, good], label=name, **style)
    axes.axhline(0, color="black", linewidth=0.8)
    if len(chosen) <= MOST_NAMED:
        _legend(axes)
    axes.set_xlabel("tick", fontsize=SMALL, loc="right")
    some = "" if len(chosen) == len(goods.items) else f" ({len(chosen)} of {len(goods.items)} that moved most)"
    _title(axes, f"prices{some}")


def _orders(run: Frames, axes: Axes, rows: int) -> None:
    """Unfilled orders, a row each."""
    orders = panel(run.agents.query("kind == 'order'"), ("agent", "good"), ("quantity",))
    if not orders.items:
        _title(axes, "too many orders for a row each")
        axes.axis("off")
        return
    ticks, shown = orders.ticks[:rows], orders["quantity"][:rows, :MOST_ORDERS]
    finite = np.abs(shown[np.isfinite(shown)])
    bound = min(float(finite.max(initial=0.0)) or 1.0, 1.0)
    edges = np.concatenate([ticks, [ticks[-1] + 1]]) - 0.5
    style: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound}
    image = axes.pcolormesh(edges, np.arange(shown.shape[1] + 1) + 0.5, shown.T, **style)
    axes.set_xlabel("tick", fontsize=SMALL)
    axes.set_ylabel("order", fontsize=SMALL)
    figure: Any = axes.figure
    figure.colorbar(image, ax=axes, pad=0.01).set_label("unfilled", fontsize=SMALL)
    if shown.shape[1] <= 10:
        axes.set_yticks(range(1, shown.shape[1] + 1))
    some = "" if shown.shape[1] == len(orders.items) else f" (the first {MOST_ORDERS} of {len(orders.items)})"
    _title(axes, f"orders that stay unfilled{some}")


def _surface(run: Frames, axes: Axes) -> None:
    """What the market would supply of any bundle of two inputs, at the last prices and designs."""
    surface: Any = run.summary.get("surface")
    if surface is None:
        _title(axes, "supply by bundle: drawn for two inputs")
        axes.axis("off")
        return
    shades = draw_surface(axes, surface)
    if shades is None:
        _title(axes, "contract supplied most; dots: the one ordered")
        return
    figure: Any = axes.figure
    figure.colorbar(shades, ax=axes, pad=0.01).set_label("supplied", fontsize=SMALL)
    _title(axes, "supply by bundle; line: a half; dots: ordered")


def draw_surface(axes: Axes, surface: Mapping[str, Any]) -> Any:
    """The `surface` of a summary, with dots for what is ordered; the shades of one contract's supply, None of several
    contracts.
    """
    places, supplied = np.array(surface["patterns"]), np.array(surface["supplied"], dtype=float)
    orders, sides, shades = np.array(surface["orders"], dtype=float), surface["sides"], None
    if surface["contracts"] > 1:
        style: dict[str, Any] = {"cmap": "tab10", "vmin": -0.5, "vmax": 9.5}
        axes.pcolormesh(*sides, supplied % 10, alpha=0.45, **style)
        orders = orders % 10
    else:
        style = {"cmap": "PuOr", "vmin": -0.5, "vmax": 1.5}
        shades = axes.contourf(*sides, np.clip(supplied, -0.5, 1.5), levels=np.linspace(-0.5, 1.5, 21), cmap="PuOr")
        margin = np.array(surface["margin"])
        if margin.min() < 0 < margin.max():
            axes.contour(*sides, margin, levels=[0.0], colors="black", linewidths=1.5)
    axes.scatter(places[:, 0], places[:, 1], c=orders, s=110, edgecolors="black", linewidths=1.4, zorder=3, **style)
    for name, label in zip(surface["inputs"], (axes.set_xlabel, axes.set_ylabel), strict=True):
        label(canvas.plain(name), fontsize=SMALL)
    return shades
