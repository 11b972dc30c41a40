"""What a market has learnt: loss and accuracy, prices, orders that stay unfilled, what it would supply elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from simulator.figures import canvas
from simulator.figures.canvas import BLUE, BODY, SMALL, VERMILION, Style
from simulator.figures.frames import Floats, Frames, Panel, finite, goods_of, largest, numbers, panel, scheduler_of
from simulator.figures.window import window_of

TITLE = "What the market has learnt"
GUIDE = "Prices are the weights, unfilled orders the errors. A bundle's order is filled where supply meets it."
TEST_TITLE = "How patterns are decided that the market never saw"
TEST_GUIDE = "Rows and columns: which contract was ordered, and which would be supplied most."
LOSS, WRONG = canvas.stroke(BLUE, 4.5), canvas.stroke(VERMILION, 1.6)
MOST_NAMES = 20
MARKERS = "osD^vP*<>p"
MOST_ORDERS = 60
SMALLEST_SIDE = 4
# Rows and columns of pictures; what a count needs to be read, in points; above this part of the largest one it is dark.
PICTURES = (4, 6)
READABLE = 7.0
DARK = 0.6


def learnt(run: Frames) -> Figure | None:
    """Loss and errors, prices; below them unfilled orders by tick and supply over the square of two inputs, as far as
    they are told.
    """
    if scheduler_of(run) != "learning":
        return None
    goods, orders, surface = goods_of(run, "price"), _orders_told(run), run.summary.get("surface")
    drawn = [goods["price"], *(numbers(run.ticks, name)[:, None] for name in ("loss", "accuracy"))]
    rows, note = window_of(goods.ticks, np.hstack(drawn), run.summary)
    note = f"{note}  {canvas.time_note(run.summary, goods.ticks[:rows], *(each[:rows] for each in drawn))}"
    figure = canvas.sheet(run.summary, TITLE, GUIDE, note)
    below = (orders is not None) + (surface is not None)
    place: Style = {"left": 0.07, "right": 0.97, "top": 0.765, "bottom": 0.115, "wspace": 0.2, "hspace": 0.42}
    grid = figure.add_gridspec(2 if below else 1, 2, **place)
    _losses(run, figure.add_subplot(grid[0, 0]), rows)
    _prices(goods, figure.add_subplot(grid[0, 1]), rows)
    if orders is not None:
        _orders(orders, figure.add_subplot(grid[1, : 3 - below]), rows)
    if surface is not None:
        _surface(surface, figure.add_subplot(grid[1, below - 1 :]))
    return figure


def held_out(run: Frames) -> Figure | None:
    """How patterns that were held out are decided: a table of what was ordered against what is supplied most, and some
    of them as pictures where their inputs fill a square.
    """
    test: Any = run.summary.get("test")
    if not test:
        return None
    inputs = len(test["samples"][0][0])
    side = round(inputs**0.5)
    pictures = side >= SMALLEST_SIDE and side * side == inputs
    ties = (
        f"Not in the table: {test['undecided']} that several contracts are supplied most of."
        if test["undecided"]
        else ""
    )
    guide = TEST_GUIDE + (" Red, 5 → 9: a 5 decided wrong." if pictures else "")
    figure = canvas.sheet(run.summary, TEST_TITLE, guide, ties)
    _decisions(figure.add_axes((0.07, 0.11, 0.39 if pictures else 0.9, 0.66)), test)
    samples = test["samples"][: PICTURES[0] * PICTURES[1]] if pictures else []
    space = {"left": 0.52, "right": 0.985, "top": 0.77, "bottom": 0.06, "wspace": 0.15, "hspace": 0.45}
    panels = canvas.panels(figure, len(samples), PICTURES, **space)
    for axes, (bundle, ordered, decided) in zip(panels, samples, strict=True):
        axes.imshow(np.array(bundle).reshape(side, side), cmap="Greys")
        axes.axis("off")
        words, colour = (str(ordered), "black") if ordered == decided else (f"{ordered} → {decided}", VERMILION)
        axes.set_title(words, fontsize=SMALL - 1, color=colour)
    return figure


def _decisions(axes: Axes, test: Mapping[str, Any]) -> None:
    """Held-out patterns by the contract ordered, a row each, and the one supplied most; shaded where that is wrong."""
    counts, contracts = np.array(test["confusion"]), test["contracts"]
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    most = max(1, int(wrong.max()))
    image = axes.imshow(wrong, cmap="OrRd", vmin=0, vmax=most, aspect="auto")
    box, longest = axes.get_window_extent(), len(str(counts.max()))
    room = min(box.height / len(counts), box.width / len(counts) / (0.6 * longest + 0.3))
    size = min(float(SMALL), 0.8 * room * 72 / canvas.DPI)
    if size >= READABLE:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                bold = "bold" if row == column else "normal"
                colour = "white" if wrong[row, column] > DARK * most else "black"
                style: Style = {"ha": "center", "va": "center", "fontweight": bold, "color": colour}
                axes.text(column, row, str(count), fontsize=size, **style)
    else:
        _colour_scale(axes, image, "decided wrong", pad=0.02, ticks=_some(most + 1, 6))
    letters = max(len(contract) for contract in contracts) + 1
    for ticks, pixels in ((axes.set_xticks, box.width / letters / 12), (axes.set_yticks, box.height / 24)):
        named = _some(len(contracts), max(2, int(pixels)))
        ticks(named, [canvas.plain(contracts[place]) for place in named], fontsize=SMALL - 2)
    axes.set_xlabel("supplied most", fontsize=BODY)
    axes.set_ylabel("ordered", fontsize=BODY)


def _some(count: int, most: int) -> list[int]:
    """So many places at most, evenly spaced."""
    return list(range(0, count, -(-count // most)))


def _colour_scale(axes: Axes, image: Any, words: str, **style: Any) -> None:
    """What colours mean, to the right of the axes."""
    figure: Any = axes.figure
    figure.colorbar(image, ax=axes, **style).set_label(words, fontsize=SMALL)


def _name_lines(axes: Axes, ticks: Floats, ends: list[canvas.End]) -> None:
    """A time axis, and names at the ends of lines, in a quarter of the axes' room."""
    canvas.tick_axis(axes, ticks)
    box = axes.get_position()
    axes.set_position((box.x0, box.y0, 0.75 * box.width, box.height))
    canvas.label_ends(axes, ends, 0.23 * box.width * canvas.WIDTH)
    axes.set_xlabel("tick", fontsize=SMALL, loc="right")


def _losses(run: Frames, axes: Axes, rows: int) -> None:
    ticks, loss, right = (numbers(run.ticks, column)[:rows] for column in ("tick", "loss", "accuracy"))
    low, high = canvas.range_above(0.0, np.concatenate([loss, 1.0 - right]))
    canvas.log_axis(axes, low / 1.5, high * 1.5)
    canvas.title(axes, "loss, and part not decided right (log scale)")
    ends: list[canvas.End] = []
    # The wide one first: where all that is wrong is wrong by one, they are the same line.
    for name, values, style in (("loss", loss, LOSS), ("part not\ndecided right", 1.0 - right, WRONG)):
        canvas.line(axes, ticks, np.where(values > 0, values, np.nan), **style)
        last = canvas.last_finite(values)
        ends.append((last, name, style) if last > 0 else (low / 1.5, f"{name}: none", style))
    _name_lines(axes, ticks, ends)


def _prices(goods: Panel, axes: Axes, rows: int) -> None:
    price, ticks = goods["price"], goods.ticks[:rows]
    moved = np.ptp(np.nan_to_num(price), axis=0)
    chosen = largest(range(len(moved)), lambda good: moved[good], len(canvas.CYCLE))
    ends = [
        canvas.curve(axes, ticks, price[:rows, good], goods.names[good], style)
        for good, style in zip(chosen, canvas.CYCLE, strict=False)
    ]
    axes.axhline(0, color="black", linewidth=0.8)
    some = "" if len(chosen) == len(moved) else f" ({len(chosen)} of {len(moved)} that moved most)"
    canvas.title(axes, f"prices{some}")
    axes.yaxis.set_major_formatter(lambda value, _: canvas.number(value))
    _name_lines(axes, ticks, ends)


def _orders_told(run: Frames) -> Panel | None:
    """Orders that have rows: what stays unfilled of each pattern's, under the contract ordered where there are several;
    None where patterns are too many for rows.
    """
    orders = run.agents.query("kind == 'order'")
    if len(set(orders["good"])) > 1:
        orders = orders.query("input > 0")
    return panel(orders, ("agent",), ("quantity", "input")) if len(orders) else None


def _orders(orders: Panel, axes: Axes, rows: int) -> None:
    """Unfilled orders, a row each."""
    ticks, shown = orders.ticks[:rows], orders["quantity"][:rows, :MOST_ORDERS]
    count, largest_seen = shown.shape[1], float(np.abs(finite(shown)).max(initial=0.0))
    bound = min(largest_seen, float(np.abs(orders["input"]).max(initial=0.0)) or 1.0) or 1.0
    edges, places = np.append(ticks, ticks[-1] + 1) - 0.5, np.arange(count + 1) + 0.5
    image = axes.pcolormesh(edges, places, shown.T, cmap="viridis", vmin=-bound, vmax=bound)
    axes.set_xlabel("tick", fontsize=SMALL)
    axes.set_ylabel("order", fontsize=SMALL)
    _colour_scale(axes, image, "unfilled", pad=0.01, extend="both" if largest_seen > bound else "neither")
    if count <= 10:
        axes.set_yticks(range(1, count + 1))
    some = "" if count == len(orders.items) else f" (the first {MOST_ORDERS} of {len(orders.items)})"
    canvas.title(axes, f"orders that stay unfilled{some}")
    canvas.tidy(axes)


def _surface(surface: Mapping[str, Any], axes: Axes) -> None:
    """What the market would supply of any bundle of two inputs, at the last prices and designs."""
    shades, drawn = draw_surface(axes, surface), len(surface["patterns"])
    told = "supply by bundle: no longer finite" if surface["supplied"] is None else "contract supplied most"
    if shades is not None:
        _colour_scale(axes, shades, "supplied", pad=0.01)
        told = f"supply by bundle{'; line: a half' if _has_halves(surface) else ''}"
    some = f" ({drawn} of {surface['count']:,})" if drawn < surface["count"] else ""
    canvas.title(axes, f"{told}; dots: ordered{some}")
    canvas.tidy(axes)


def draw_surface(axes: Axes, surface: Mapping[str, Any]) -> Any:
    """The `surface` of a summary, with dots for what is ordered; the shades of one contract's supply, None of several
    contracts, which are named, and where supply is not finite.
    """
    places, orders = np.array(surface["patterns"]), np.array(surface["orders"], dtype=float)
    sides, contracts, supplied = (surface[key] for key in ("sides", "contracts", "supplied"))
    several, shades = len(contracts) > 1, None
    style = _palette(len(contracts)) if several else _shades_about(orders)
    if supplied is not None and several:
        axes.pcolormesh(*sides, np.array(supplied), alpha=0.45, **style)
        axes.contour(*sides, supplied, levels=np.arange(len(contracts) - 1) + 0.5, colors="black", linewidths=1)
    elif supplied is not None:
        low, high = style["vmin"], style["vmax"]
        shades = axes.contourf(*sides, supplied, levels=np.linspace(low, high, 21), extend="both", **style)
    if _has_halves(surface):
        axes.contour(*sides, np.array(surface["margin"]), levels=[0.0], colors="black", linewidths=1.5)
    style = {"s": 110 if len(places) <= 50 else 45, "edgecolors": "black", "linewidths": 1.2, "zorder": 3, **style}
    # In grey contracts are told apart by their borders and markers.
    for contract in range(len(contracts)):
        own = orders == contract if several else np.full(len(orders), True)
        axes.scatter(*places[own].T, c=orders[own], marker=MARKERS[contract % len(MARKERS)], **style)
    axes.set(xlim=(sides[0][0], sides[0][-1]), ylim=(sides[1][0], sides[1][-1]))
    for name, label in zip(surface["inputs"], (axes.set_xlabel, axes.set_ylabel), strict=True):
        label(canvas.plain(name), fontsize=SMALL)
    if several:
        _name_contracts(axes, places, orders, contracts)
    return shades


def _has_halves(surface: Mapping[str, Any]) -> bool:
    """Whether supply passes a half unit somewhere, and that means something."""
    return surface["margin"] is not None and bool(np.min(surface["margin"]) < 0 < np.max(surface["margin"]))


def _shades_about(orders: Floats) -> Style:
    """Shades of supply, half their range beyond the least and the most ordered; what is beyond has the last colour."""
    low, high = float(orders.min()), float(orders.max())
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high if high > low else low + 1)
    return {"cmap": "Purples", "vmin": low - (high - low) / 2, "vmax": high + (high - low) / 2}


def _palette(contracts: int) -> Style:
    """A colour for each contract: of ten different ones, or of a rainbow that runs through all in order."""
    few = contracts <= 10
    colours = colormaps["tab10"] if few else colormaps["turbo"].resampled(contracts)
    return {"cmap": colours, "vmin": -0.5, "vmax": (10 if few else contracts) - 0.5}


def _name_contracts(axes: Axes, places: Floats, orders: Floats, contracts: list[str]) -> None:
    """The names of contracts, each above the dot nearest to the middle of those it is ordered of; of many, some."""
    white = [withStroke(linewidth=4, foreground="white")]
    for number in _some(len(contracts), MOST_NAMES):
        own = places[orders == number]
        if len(own):
            x, y = own[np.argmin(((own - own.mean(axis=0)) ** 2).sum(axis=1))]
            style: Style = {"ha": "center", "va": "bottom", "fontweight": "bold", "path_effects": white}
            words = canvas.plain(contracts[number])
            axes.annotate(words, (x, y), (0, 6), textcoords="offset points", fontsize=SMALL, zorder=4, **style)
