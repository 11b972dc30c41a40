"""Three goods as a phase portrait: prices as shares of their sum, a point in a triangle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from simulator.figures import canvas
from simulator.figures.canvas import BLACK, BODY, GREY, SMALL, VERMILION, Style
from simulator.figures.frames import Floats, Frames, equilibria_of, fixed_prices, goods_of, path_words, scheduler_of
from simulator.figures.window import rows_worth_drawing

MARKERS = "*PXD^v"
PAPER: Style = {"facecolor": "#fafafa", "edgecolor": GREY, "linewidth": 1.5}
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
TITLE = "The path of the three prices, as shares of their sum"
GUIDE = (
    "Each point is the three prices as shares of their sum: nearer to a corner, that good is dearer. "
    "Grey lines: equal share of one good."
)
STABLE = {1.0: "stable", 0.0: "unstable"}
STEPS = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002)


def simplex(run: Frames) -> Figure | None:
    """The price path of a three-good economy in barycentric coordinates, coloured by tick, and the gradient path.

    None where two of the three prices are fixed: the path would be a straight line. None where a market learns: what
    prices do there is not a matter of their shares, and they may be negative.
    """
    goods = goods_of(run, "price", "gradient_price")
    names = goods.names
    straight = len(fixed_prices(run.summary).keys() & names) > 1
    if len(names) != 3 or straight or scheduler_of(run) == "learning":
        return None
    path, gradient = points(goods["price"]), points(goods["gradient_price"])
    known = np.isfinite(path).all(axis=1)
    ticks, path = goods.ticks[known], path[known]
    if not len(path):
        return None
    equilibria = _equilibria(run, names)
    some = f"Drawn: {len(MARKERS)} of {len(equilibria)} equilibria." if len(equilibria) > len(MARKERS) else ""
    figure = canvas.sheet(run.summary, TITLE, GUIDE, some, canvas.time_note({}, ticks))
    axes = figure.add_axes((0.04, 0.05, 0.6, 0.74))
    axes.set_axis_off()
    zoomed = _zoom(axes, np.vstack([path, *(at for at, _ in equilibria)]))
    _grid(axes, names, zoomed)
    axes.plot(*gradient.T, label=path_words(run.summary), solid_capstyle="round", **canvas.TRAIL)
    rows, _ = rows_worth_drawing(ticks, path)
    _coloured_path(figure, axes, ticks, path, rows)
    _arrows(axes, path[:rows])
    _marks(axes, path, equilibria)
    if zoomed:
        _whole(figure.add_axes((0.67, 0.47, 0.31, 0.3)), names, path, axes.viewLim)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.68, 0.29), frameon=False, fontsize=SMALL)
    return figure


def points(prices: Floats) -> Floats:
    """`(p / sum p) @ corners`: prices (ticks, 3) as points of the triangle (ticks, 2); nan where undefined."""
    with np.errstate(all="ignore"):
        largest = np.max(prices, axis=1, keepdims=True)
        shares = prices / largest
        shares = shares / shares.sum(axis=1, keepdims=True)
    valid = np.isfinite(shares).all(axis=1) & (shares >= 0).all(axis=1)
    return np.where(valid[:, None], shares, np.nan) @ CORNERS


def _equilibria(run: Frames, names: Sequence[str]) -> list[tuple[Floats, str]]:
    """Where the equilibria lie, and what to call them: number, then index and stability, or since when."""
    known = equilibria_of(run, names)
    shocked = len(np.unique(known["from_tick"])) > 1
    found: list[tuple[Floats, str]] = []
    for row, at in enumerate(points(known["price"])):
        if np.isfinite(at).all():
            index, stable, since = (known[column][row, 0] for column in ("index", "stable", "from_tick"))
            sign = f"index {index:+.0f}" if np.isfinite(index) else ""
            facts = ", ".join(filter(None, (STABLE.get(stable), sign)))
            number = f" {known.ticks[row]:.0f}" if len(known.ticks) > 1 else ""
            more = f" from tick {since:.0f}" if shocked else f" ({facts})" if facts else ""
            found.append((at, f"equilibrium{number}{more}"))
    return found


def _zoom(axes: Axes, shown: Floats) -> bool:
    """Show the points with some room, or the whole triangle if they lie far apart; whether it is a part of it."""
    low, high = shown.min(axis=0), shown.max(axis=0)
    half = max(float((high - low).max()) * 0.62, 1e-3)
    zoomed = half <= 0.3
    (x, y), half = ((low + high) / 2, half) if zoomed else ((0.5, 0.43), 0.53)
    width = half * (0.6 * canvas.WIDTH) / (0.74 * canvas.HEIGHT)
    axes.set(xlim=(x - width, x + width), ylim=(y - half, y + half))
    return zoomed


def _grid(axes: Axes, names: Sequence[str], zoomed: bool) -> None:
    """Lines of equal share for each good, each labelled with its share where it leaves the window (or the triangle)."""
    axes.fill(*CORNERS.T, zorder=0, **PAPER)
    view = axes.viewLim
    step = min((s for s in STEPS if view.height / s <= 4.5), default=STEPS[0]) if zoomed else 0.2
    inset = np.array([0.05, 0.03]) * view.size
    low, high = view.min + inset, view.max - inset
    style: Style = {"fontsize": SMALL - 2, "color": GREY, "textcoords": "offset points"}
    paper: Style = {"facecolor": "#fafafa", "edgecolor": "none", "pad": 1}
    for good, name in enumerate(names):
        for share in np.arange(step, 1 - step / 2, step):
            start, end = (CORNERS[(good + i) % 3] * (1 - share) + CORNERS[good] * share for i in (1, 2))
            enters, leaves = _clip(start, end, low, high)
            if (leaves - enters) * np.linalg.norm(end - start) < 0.25 * view.height:
                continue
            axes.plot(*zip(start, end, strict=True), color="#cccccc", linewidth=1, zorder=0.5)
            x, y = start + enters * (end - start)
            words = canvas.plain(f"{canvas.shorten(name, 10)} {canvas.number(100 * share)}\N{NO-BREAK SPACE}%")
            text = axes.annotate(words, (x, y), (0, 0), ha="center", va="center", bbox=paper, **style)
            over = text.get_window_extent().width / 2 - 0.05 * axes.bbox.width
            if over > 0 and min(x - low[0], high[0] - x) < 1e-9:
                text.set_position((over * 0.72 * (1 if x < view.x0 + view.width / 2 else -1), 0))
    if not zoomed:
        _corner_names(axes, names, BODY)


def _clip(start: Floats, end: Floats, low: Floats, high: Floats) -> tuple[float, float]:
    """The fractions of the way from start to end at which the line enters and leaves the box low to high."""
    way = np.where(end == start, 1e-300, end - start)
    crossings = np.sort([(low - start) / way, (high - start) / way], axis=0)
    return max(0.0, float(crossings[0].max())), min(1.0, float(crossings[1].min()))


def _corner_names(axes: Axes, names: Sequence[str], size: int) -> None:
    """The goods' names at their corners."""
    for name, (x, y), side in zip(names, CORNERS, ("left", "right", "center"), strict=True):
        above, upright = (9, "bottom") if side == "center" else (-26 if size == BODY else -9, "top")
        style: Style = {"fontsize": size, "fontweight": "bold", "ha": side, "va": upright, "annotation_clip": False}
        axes.annotate(canvas.plain(canvas.shorten(name, 24)), (x, y), (0, above), textcoords="offset points", **style)


def _coloured_path(figure: Figure, axes: Axes, ticks: Floats, path: Floats, rows: int) -> None:
    """The market's path, darker early and lighter late until it settles after so many rows, with a scale of ticks."""
    settled = ticks[rows - 1]
    keep = np.unique(np.linspace(0, len(ticks) - 1, min(len(ticks), canvas.MOST_POINTS)).astype(int))
    ticks, path = ticks[keep], path[keep]
    if len(ticks) < 2:
        return
    readable = ListedColormap(colormaps["viridis"](np.linspace(0, 0.85, 256)))
    pieces = LineCollection(list(np.stack([path[:-1], path[1:]], axis=1)), cmap=readable, linewidths=2.2)
    pieces.set_array(ticks[:-1])
    pieces.set_clim(ticks[0], settled)
    axes.add_collection(pieces, autolim=False)
    place, extend = figure.add_axes((0.69, 0.37, 0.27, 0.025)), "max" if settled < ticks[-1] else "neither"
    bar = figure.colorbar(
        pieces,
        cax=place,
        orientation="horizontal",
        extend=extend,
        ticks=MaxNLocator(4, integer=True),
        format="{x:,.0f}",
    )
    bar.set_label("market path, by tick", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)


def _arrows(axes: Axes, path: Floats) -> None:
    """Which way the path runs: an arrowhead a third of its first stretch of one window height along."""
    length, height = canvas.lengths(path), axes.viewLim.height
    if length[-1] <= 0.1 * height:
        return
    style: Style = {"arrowstyle": "-|>", "mutation_scale": 28, "color": BLACK, "linewidth": 0}
    for share in (0.33, 0.66):
        ways = np.array([0.0, 0.005]) * height + share * min(float(length[-1]), height)
        tail, head = canvas.along(path, ways).tolist()
        axes.annotate("", head, tail, arrowprops=style, zorder=4)


def _marks(axes: Axes, path: Floats, equilibria: Sequence[tuple[Floats, str]]) -> None:
    """Start, end, and the equilibria, each with a sign of its own."""
    style: Style = {"linestyle": "", "markeredgecolor": BLACK, "zorder": 5}
    axes.plot(*path[0], marker="s", markersize=13, markerfacecolor="white", label="start", **style)
    axes.plot(*path[-1], marker="o", markersize=21, markerfacecolor=VERMILION, label="end", **style)
    for marker, (at, label) in zip(MARKERS, equilibria, strict=False):
        axes.plot(*at, marker=marker, markersize=15, markerfacecolor="white", label=label, **style)


def _whole(axes: Axes, names: Sequence[str], path: Floats, view: Bbox) -> None:
    """The whole triangle beside a zoomed path, with the window in it."""
    axes.set_axis_off()
    axes.fill(*CORNERS.T, **PAPER)
    axes.plot(*path.T, color=BLACK, linewidth=1)
    across, upright = [view.x0, view.x1, view.x1, view.x0, view.x0], [view.y0, view.y0, view.y1, view.y1, view.y0]
    axes.plot(across, upright, color=VERMILION, linewidth=2)
    if view.height < 0.04:
        ring: Style = {"markersize": 18, "markerfacecolor": "none", "markeredgecolor": VERMILION, "markeredgewidth": 2}
        axes.plot(*view.corners().mean(axis=0), marker="o", **ring)
    axes.set_aspect("equal")
    _corner_names(axes, names, SMALL)
