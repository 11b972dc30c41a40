"""The supply network at the last recorded tick: who turns what into what, and what each good is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from simulator.figures import canvas
from simulator.figures.canvas import BLACK, BLUE, DASHED, GREEN, GREY, SKY, Style, shorten
from simulator.figures.flows import (
    HEIGHT,
    MARGIN,
    MOST_NODES,
    WIDTH,
    Flow,
    NetworkLayout,
    Node,
    Turn,
    firms_from_inputs,
    flows_of,
    layout,
    of_firms,
)
from simulator.figures.frames import Floats, Frames, finite, goods_of, numbers, scheduler_of

Point = tuple[float, float]
FONT, ROUND = 15.0, 6.0
BEND = [Path.MOVETO] + [Path.CURVE4] * 3
SHARES = (0.5, 0.62, 0.38, 0.72, 0.28, 0.82, 0.18, 0.92, 0.08)
"""After which shares of its way an arrow may bend."""
CONSUMER, OUTSIDE = "#F7DDA0", "#DDDDDD"
FILL = {"firm": SKY, "seller": CONSUMER, "buyer": CONSUMER, "source": OUTSIDE, "sink": OUTSIDE}
TITLE, LEARNING_TITLE = "Who passes how much of what to whom", "What firms design of what, and what is paid for it"
GUIDE = (
    "Circles: goods and how much of each is traded. Boxes: who makes and uses them. Thick arrows: much value per tick."
)
LEARNING_GUIDE = (
    "Left to right: what bundles hold, firms that design goods of it, contracts. Numbers: designs, and last prices. "
    "Dashed: 0 or below."
)
DERIVATIVE = "Derivative: what one more unit would add to the final value; in equilibrium, the price{taxes}."
SIZES = (80, 60, 50, 40, 32, 26, 20, 16, 12, 8, 5, 3, 1)
"""How many of the largest flows are tried, if all are too many to be read."""


def network(run: Frames) -> Figure | None:
    """Goods as circles, firms, consumers and the outside as boxes, arrows with what flowed in the last recorded tick;
    where a market learns, arrows with designs and prices.

    A consumer or the outside that both sells and buys stands on both sides. Of a network that is too large or too deep
    to be read the largest flows by value are drawn, of firms that bid those nearest to the inputs. None where nothing
    flowed.
    """
    flows = flows_of(run)
    if not any(flow.quantity for flow in flows):
        return None
    known = sorted(flows, key=lambda flow: -np.nan_to_num(flow.value))
    smaller = (known[:size] for size in SIZES if size < len(flows))
    if scheduler_of(run) == "marginal_bids":
        firms = firms_from_inputs(flows)
        smaller = (of_firms(flows, firms[:count]) for count in range(MOST_NODES, 0, -1))
    for shown in (flows, *smaller):
        if plan := layout(shown):
            return _drawing(run, flows, shown, plan)
    return None


def _drawing(run: Frames, flows: Sequence[Flow], shown: Sequence[Flow], plan: NetworkLayout) -> Figure:
    goods, learning = goods_of(run, "price", "traded", "adjoint"), scheduler_of(run) == "learning"
    told = {} if learning else goods.columns
    facts = {good: {c: float(v[-1, i]) for c, v in told.items()} for i, good in enumerate(goods.names)}
    notes = [f"At tick {numbers(run.agents, 'tick').max():,.0f}."]
    if len(shown) < len(flows):
        part = 100 * sum(np.nan_to_num(flow.value) for flow in shown) / sum(np.nan_to_num(flow.value) for flow in flows)
        words = f"the {len(shown)} largest of {len(flows):,} flows, {part:.0f} % of all value"
        if learning:
            words = f"the {len(shown)} largest of {len(flows):,} weights"
        elif scheduler_of(run) == "marginal_bids":
            words = f"the first {len(shown)} of {len(flows):,} flows, from the inputs on"
        notes.append(f"Too large to be read: {words}.")
    if not learning and not finite(goods["traded"][-1:]).any():
        notes.append("Nothing is traded yet: amounts are plans.")
    bought = [f"{shorten(flow.target[1], 20)} buys {shorten(flow.good, 20)}" for flow in shown if flow.reverse]
    notes.append(f"Output below zero: {', '.join(bought[:2])}{' …' if len(bought) > 2 else ''}." if bought else "")
    taxed = any(tax["rate"] for tax in (run.summary.get("taxes") or {}).values())
    derivative = DERIVATIVE.format(taxes=" and taxes further on" if taxed else "")
    notes.append(derivative if len(finite(goods["adjoint"][-1:])) else "")
    words = (LEARNING_TITLE, LEARNING_GUIDE) if learning else (TITLE, GUIDE)
    figure = canvas.sheet(run.summary, *words, *notes)
    axes = figure.add_axes((0.0125, 0.055, WIDTH / canvas.WIDTH, HEIGHT / canvas.HEIGHT))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.set_axis_off()
    circles = [node for node in plan.at if node[0] == "good"]
    taken = [_box(axes, node, plan) for node in plan.at if node[0] not in ("good", "bend")]
    taken += [_circle(axes, node, plan, facts.get(node[1], {}), shown) for node in circles]
    nodes = len(taken)
    for node in circles:
        _tell(axes, node, plan, facts.get(node[1], {}), taken)
    most = max((flow.value for flow in shown if np.isfinite(flow.value)), default=0.0)
    labels = [Bbox(axes.transData.inverted().transform(label.padded(2))) for label in taken[nodes:]]
    routes = [_route(flow, plan, labels) for flow in shown]
    for flow, route in zip(shown, routes, strict=True):
        _arrow(axes, flow, route, most)
    ways = [_sampled(route) for route in routes]
    homeless = 0
    for i in sorted(range(len(shown)), key=lambda i: -np.nan_to_num(shown[i].value)):
        others = np.vstack([np.empty((0, 2)), *ways[:i], *ways[i + 1 :]])
        homeless += not _amount(axes, shown[i].quantity, ways[i], plan, taken, others)
    if homeless:
        figure.texts[-1].set_text(f"{figure.texts[-1].get_text()}  Arrows without room for their number: {homeless}.")
        canvas.fit_row(figure.texts[-1])
    return figure


def _write(axes: Axes, x: float, y: float, words: str, size: float, **style: Any) -> Text:
    """Centred text with a white rim, so that an arrow behind it does not make it harder to read."""
    style = {"path_effects": [withStroke(linewidth=3.5, foreground="white")], **style}
    return axes.text(x, y, canvas.plain(words), fontsize=size, ha="center", zorder=4, **style)


def _covered(text: Text, taken: Sequence[Bbox], rim: float) -> bool:
    """Whether a text, with a rim around it, lies over anything drawn before."""
    extent = text.get_window_extent().padded(rim)
    return any(extent.overlaps(other) for other in taken)


def _circle(axes: Axes, node: Node, plan: NetworkLayout, facts: Mapping[str, float], flows: Sequence[Flow]) -> Bbox:
    """A good: a circle with the amount traded in it (what would arrive, where trade waits for equilibrium)."""
    (x, y), radius = plan.at[node], plan.radius
    circle = axes.add_patch(Circle((x, y), radius, facecolor="white", edgecolor=BLACK, linewidth=2, zorder=3))
    traded = float(np.nan_to_num(facts.get("traded", 0.0), posinf=0.0, neginf=0.0))
    coming = [flow.quantity for flow in flows if flow.target == node]
    words = canvas.number(traded or sum(coming), 3) if traded or coming else ""
    canvas.shrink(_write(axes, x, y, words, FONT * plan.scale, va="center"), 1.75 * radius)
    return circle.get_window_extent().expanded(0.8, 1)


def _tell(axes: Axes, node: Node, plan: NetworkLayout, facts: Mapping[str, float], taken: list[Bbox]) -> None:
    """A good's name above its circle, its price and its derivative below; narrow where a neighbour stands close."""
    (x, y), size = plan.at[node], FONT * plan.scale
    gap = 6 + max(plan.radius, plan.box[1] / 2)
    wide = min(1.75 * plan.column, 2 * (min(x, WIDTH - x) - (MARGIN if plan.turns else 0)))
    narrow = min(0.95 * plan.column, wide)
    name = canvas.fit_name(_write(axes, x, y + gap, node[1], size, va="bottom", fontweight="bold"), wide)
    canvas.fit_name(name, narrow if _covered(name, taken, 2) else wide)
    below: list[Text] = []
    for word, column, colour in (("price", "price", BLUE), ("derivative", "adjoint", GREEN)):
        if np.isfinite(facts.get(column, np.nan)):
            words, height = f"{word} {canvas.number(facts[column], 3)}", y - gap - 1.45 * size * len(below)
            text = _write(axes, x, height, words, 0.93 * size, va="top", color=canvas.ink(colour))
            below.append(canvas.shrink(text, narrow if _covered(text, taken, 2) else wide))
    smallest = min((text.get_fontsize() for text in below), default=size)
    for text in below:
        text.set_fontsize(smallest)
    taken += [text.get_window_extent() for text in (name, *below)]


def _box(axes: Axes, node: Node, plan: NetworkLayout) -> Bbox:
    """A firm, a consumer or the outside: a box with its name."""
    (x, y), (width, height) = plan.at[node], plan.box
    style: Style = {"boxstyle": "round,pad=0,rounding_size=8", "facecolor": FILL[node[0]], "edgecolor": BLACK}
    box = axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, zorder=3, **style))
    name = _write(axes, x, y, node[1], FONT * plan.scale, va="center", linespacing=1.0, path_effects=[])
    _name_inside(name, 0.86 * width, height)
    return box.get_window_extent()


def _name_inside(text: Text, width: float, height: float) -> None:
    """Wrap a name into at most three lines that fit a box, smaller if need be, cut in its middle as a last resort."""
    name, size = text.get_text().replace("_", "_ "), float(text.get_fontsize())
    ways = ((1, 1.0, False), (2, 1.0, False), (2, 0.85, False), (3, 0.75, False))
    ways += ((1, 0.85, False), (1, 0.74, False), (1, 0.62, False), (3, 0.75, True))
    for most in (len(name), *range(len(name) - 1, 4, -2)):
        short = shorten(name, most)
        for lines, part, hard in ways:
            longest = math.ceil(len(short) / lines) + (3 if lines > 1 else 0)
            text.set_fontsize(size * part)
            text.set_text("\n".join(wrap(short, longest, break_long_words=hard)).replace("_ ", "_"))
            extent = text.get_window_extent()
            if extent.width <= width and extent.height <= 0.94 * height:
                return


def _route(flow: Flow, plan: NetworkLayout, labels: Sequence[Bbox]) -> Path:
    """The arrow's way: smooth, level where it leaves, arrives and passes a layer, and past `labels` where it can be; a
    loop runs back underneath.
    """
    (x0, y0), (x1, y1) = plan.at[flow.source], plan.at[flow.target]
    if (flow.source, flow.target) in plan.loops:
        low = min(y0, y1) - 150 * plan.scale
        return Path([(x0, y0 - 30), (x0, low), (x1, low), (x1, y1 - 30)], BEND)
    bends = plan.routes[flow.source, flow.target]
    nodes = [flow.source, *bends, flow.target]
    leave, arrive = (plan.radius if kind == "good" else plan.box[0] / 2 for kind, _ in (flow.source, flow.target))
    ways = [(x0 + leave, y0), *(plan.at[bend] for bend in bends), (x1 - arrive, y1)]
    way, codes = [ways[0]], [Path.MOVETO]
    for link, (left, right) in zip(pairwise(nodes), pairwise(ways), strict=True):
        if link in plan.turns:
            way += _turn(left, right, plan.turns[link])
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3] * 4 + [Path.LINETO]
        else:
            # Level for longer where a good is: its name and price stand above and below.
            share = 0.5 + 0.12 * (link[0][0] == "good") - 0.12 * (link[1][0] == "good")
            curves = [_curve(left, right, each) for each in sorted(SHARES, key=lambda each: abs(each - share))]
            way += min(curves, key=lambda curve: _crossings(Path([left, *curve], BEND), labels))
            codes += BEND[1:]
    return Path(way, codes)


def _curve(left: Point, right: Point, share: float) -> list[Point]:
    """From left to right, steepest after so great a share of the way."""
    middle = left[0] + share * (right[0] - left[0])
    return [(middle, left[1]), (middle, right[1]), right]


def _crossings(curve: Path, labels: Sequence[Bbox]) -> int:
    """How many points of a curve lie in labels."""
    x, y = _sampled(curve).T
    return sum(int(np.sum((x > at.x0) & (x < at.x1) & (y > at.y0) & (y < at.y1))) for at in labels)


def _turn(start: Point, end: Point, turn: Turn) -> list[Point]:
    """From the end of a row down to a lane, back along it and down to the start of the next row: round corners."""
    lane = [(turn.right, turn.lane), (turn.left, turn.lane)]
    stops = [start, (turn.right, start[1]), *lane, (turn.left, end[1]), end]
    way: list[Point] = []
    for before, corner, after in zip(stops, stops[1:], stops[2:], strict=False):
        way += [_towards(corner, before), corner, _towards(corner, after)]
    return [*way, end]


def _towards(corner: Point, other: Point) -> Point:
    """Where a corner's rounding begins or ends on the side of another point."""
    x, y = corner + ROUND * np.sign(np.subtract(other, corner))
    return float(x), float(y)


def _arrow(axes: Axes, flow: Flow, route: Path, most: float) -> None:
    share = flow.value / most if most > 0 and np.isfinite(flow.value) else 0.0
    style = canvas.stroke(GREY, 1.3 + 3.2 * share, DASHED if flow.quantity <= 0 else "-")
    axes.add_patch(FancyArrowPatch(path=route, arrowstyle="-|>", mutation_scale=18, zorder=1, **style))


def _sampled(route: Path) -> Floats:
    """Points along an arrow, some four pixels apart, (points, 2)."""
    way = np.asarray(route.to_polygons(closed_only=False)[0], dtype=float)
    length = float(canvas.lengths(way)[-1])
    return canvas.along(way, np.linspace(0, length, max(20, int(length / 4))))


def _amount(axes: Axes, quantity: float, way: Floats, plan: NetworkLayout, taken: list[Bbox], others: Floats) -> bool:
    """The quantity on its arrow (above it where level), away from other text and arrows; whether there is a place."""
    size = min(0.93 * FONT * plan.scale, plan.column / 10)
    text = _write(axes, 0, 0, canvas.number(quantity, 3), size, va="center")
    canvas.shrink(text, 0.85 * abs(way[-1, 0] - way[0, 0]))
    extent = text.get_window_extent()
    places: list[tuple[float, float, float, bool]] = []
    for share in np.linspace(0.1, 0.9, 17):
        x, y = way[int(share * (len(way) - 1))]
        near = way[np.abs(way[:, 0] - x) <= extent.width / 2 + 3, 1]
        level = bool(np.ptp(near) < 6)
        clear = float(np.hypot(*(others - (x, y)).T).min(initial=40.0))
        y = float(near.max()) + 4 + extent.height / 2 if level else float(y)
        text.set_position((x, y))
        if clear >= 10 and not _covered(text, taken, 3):
            places.append((clear - 30 * abs(share - 0.5), float(x), y, level))
    if not places:
        text.remove()
        return False
    _, x, y, level = max(places)
    text.set_position((x, y))
    text.set_bbox(None if level else {"facecolor": "white", "edgecolor": "none", "pad": 1})
    taken.append(text.get_window_extent())
    return True
