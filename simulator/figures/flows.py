"""Who passes what to whom, read from the agents' frame, and where each of them stands in a layered picture."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from simulator.figures.canvas import STILL
from simulator.figures.frames import Floats, Frames, finite, goods_of, panel, scheduler_of

MOST_NODES, MOST_ROWS, MOST_TURNS = 40, 3, 3
WIDTH, HEIGHT = 1560.0, 665.0
SMALLEST, LARGEST = 0.68, 1.3
COLUMN, GUTTER, MARGIN, MUCH_BETTER = 150.0, 40.0, 45.0, 1.25

# What a node takes of its column's height, in pixels at full size; a bend is where a long arrow passes a layer.
ROOM = {"good": 165.0, "firm": 90.0, "seller": 90.0, "buyer": 90.0, "source": 90.0, "sink": 90.0, "bend": 60.0}

Node = tuple[str, str]
"""Kind (a key of `ROOM`) and name."""
Edge = tuple[Node, Node]


class Flow(NamedTuple):
    """So much of a good goes from one node to another in the last recorded tick; value is quantity times price.

    `reverse` marks the output of a firm that is negative: what it buys instead of making it.
    """

    source: Node
    target: Node
    good: str
    quantity: float
    value: float
    reverse: bool = False


class Turn(NamedTuple):
    """How an arrow gets from the end of a row to the start of the next: right, along a lane, left."""

    right: float
    lane: float
    left: float


class NetworkLayout(NamedTuple):
    """Where nodes stand, in pixels; `routes` are the bends of forward arrows, `loops` the arrows that run backward.

    What is long and narrow is wrapped like text; `turns` are the steps of an arrow that lead to the next row.
    """

    at: Mapping[Node, tuple[float, float]]
    routes: Mapping[Edge, Sequence[Node]]
    loops: frozenset[Edge]
    turns: Mapping[Edge, Turn]
    column: float
    scale: float

    @property
    def radius(self) -> float:
        """Of a good's circle."""
        return min(38.0 * self.scale, 0.23 * self.column)

    @property
    def box(self) -> tuple[float, float]:
        """Width and height of all other boxes."""
        return min(150.0 * self.scale, 0.72 * self.column), 60.0 * self.scale


def flows_of(run: Frames) -> list[Flow]:
    """Every flow of the run, with its quantity in the last recorded tick (0 where nothing flows just then).

    Of a good that is not rival each user, and each of a cohort, has the whole, and its value is what the user pays.
    """
    if scheduler_of(run) == "learning":
        return list(_weights(run))
    agents = panel(run.agents, ("agent", "kind", "good"), ("input", "output", "quantity", "pays"))
    goods = goods_of(run, "price")
    price = dict(zip(goods.names, goods["price"][-1].tolist(), strict=True)) if goods.items else {}
    bidding = scheduler_of(run) == "marginal_bids"
    is_consumer = np.array([kind == "consumer" for _, kind, _ in agents.items], dtype=bool)
    taken, made = np.nan_to_num(agents["input"]), np.nan_to_num(agents["output"])
    if is_consumer.any() and not taken[:, is_consumer].any():
        taken = np.where(is_consumer, np.nan_to_num(agents["quantity"]), taken)
    flows: list[Flow] = []
    shared: set[str] = set()
    place = {item: i for i, item in enumerate(agents.items)}
    for i, (agent, kind, good) in enumerate(agents.items):
        name, pays = agent.removesuffix(":total"), float(agents["pays"][-1, i])
        for amounts, box, inward in ((taken, "buyer", True), (made, "seller", False)):
            if agent.endswith(":mean") or not amounts[:, i].any():
                continue
            amount, node = float(amounts[-1, i]), ("firm" if kind == "firm" else box, name)
            # A negative output is bought; in a program a value may be negative.
            turned = amount < 0 and not bidding
            ends = (("good", good), node) if inward != turned else (node, ("good", good))
            quantity, value = abs(amount), abs(amount * price.get(good, np.nan))
            if inward and not bidding and not math.isnan(pays):
                shared.add(good)
                quantity = abs(float(taken[-1, place.get((f"{name}:mean", kind, good), i)]))
                value = amount * pays
            flows.append(Flow(*ends, good, quantity, value, turned))
    outside = set[str](run.summary.get("outside") or ())
    return flows + [
        flow
        for good in dict.fromkeys(flow.good for flow in flows)
        for flow in _rest(good, flows, price.get(good, np.nan), good in outside, good in shared, bidding)
    ]


def _weights(run: Frames) -> Iterator[Flow]:
    """What firms that learn design of what, and the prices of contracts, as flows from what is used to who uses it."""
    designs = panel(run.agents.query("kind == 'firm'"), ("agent", "good"), ("input",))
    firms, goods = {agent for agent, _ in designs.items}, goods_of(run, "price")
    used = [(good, ("firm", agent)) for agent, good in designs.items]
    # Where there are several contracts, every price is named after one: `left.first`.
    several = all("." in name for name in goods.names)
    parts = [name.rpartition(".") if several else (name, "", "bundle") for name in goods.names]
    used += [(maker, ("buyer", contract)) for maker, _, contract in parts]
    weights = np.concatenate([designs["input"][-1:].ravel(), goods["price"][-1:].ravel()])
    weights[np.abs(weights) <= STILL * np.abs(finite(weights)).max(initial=0.0)] = 0.0
    for (name, node), weight in zip(used, weights.tolist(), strict=True):
        yield Flow(("firm" if name in firms else "good", name), node, name, weight, abs(weight))


def _rest(
    good: str, flows: Sequence[Flow], price: float, traded_outside: bool, shared: bool, bidding: bool
) -> Iterator[Flow]:
    """What the outside takes or brings of a good that it has a price for, else what nobody makes, what nobody uses; of
    a `shared` good, which is not rival, it takes all, for what users do not pay, and uses of it do not add up.
    """
    node = ("good", good)
    made, used = ([f for f in flows if f.good == good and (f.source == node) == uses] for uses in (False, True))
    there, needed = sum(flow.quantity for flow in made), sum(flow.quantity for flow in used)
    sink, source = ("sink", "outside" if traded_outside else "unsold"), ("source", "outside")
    if not made:
        # What is not used up is there once, however many have it.
        needed = max(flow.quantity for flow in used) if shared or bidding else needed
        source = ("source", "outside" if traded_outside and not shared else "supply")
        yield Flow(source, node, good, needed, abs(needed * price))
    elif not used or (shared and traded_outside):
        yield Flow(node, sink, good, there, max(abs(there * price) - sum(flow.value for flow in used), 0.0))
    elif traded_outside and not shared and abs(there - needed) > 1e-3 * there:
        ends = (node, sink) if there > needed else (source, node)
        yield Flow(*ends, good, abs(there - needed), abs((there - needed) * price))


def firms_from_inputs(flows: Sequence[Flow]) -> list[Node]:
    """Firms, each behind those that make what it uses, as far as no loop is in the way."""
    before, _ = _neighbours((flow.source, flow.target) for flow in flows)
    order, firms = TopologicalSorter({flow.target: before[flow.target] for flow in flows}), list[Node]()
    with suppress(CycleError):
        order.prepare()
    while ready := order.get_ready():
        firms += [node for node in ready if node[0] == "firm"]
        order.done(*ready)
    return firms


def of_firms(flows: Sequence[Flow], firms: Collection[Node]) -> list[Flow]:
    """What firms use and make, and what the outside and consumers have to do with these goods."""
    own = [flow for flow in flows if flow.source in firms or flow.target in firms]
    goods = {flow.good for flow in own}
    others = (flow for flow in flows if "firm" not in (flow.source[0], flow.target[0]))
    return [*own, *(flow for flow in others if flow.good in goods)]


def layout(flows: Sequence[Flow]) -> NetworkLayout | None:
    """Layers from left to right by longest path, in as many rows as read best; None where it could not be read."""
    edges = list(dict.fromkeys((flow.source, flow.target) for flow in flows))
    nodes = list(dict.fromkeys(node for edge in edges for node in edge))
    if not nodes or len(nodes) > MOST_NODES:
        return None
    loops = backward_edges(nodes, edges)
    forward = [edge for edge in edges if edge not in loops]
    layers, routes = _layered(nodes, forward)
    links = [link for (source, target), bends in routes.items() for link in pairwise([source, *bends, target])]
    _uncross(layers, links)
    rows = _rows(layers, links, 1 if loops else MOST_ROWS)
    if rows is None:
        return None
    across, pitch, scale = math.ceil(len(layers) / rows), (HEIGHT + GUTTER) / rows, _scale(layers, rows)
    margin = MARGIN if rows > 1 else 0.0
    step = (WIDTH - 2 * margin) / across
    at: dict[Node, tuple[float, float]] = {}
    turns: dict[Edge, Turn] = {}
    for row in range(rows):
        part, top = layers[row * across : (row + 1) * across], HEIGHT - row * pitch
        heights = _heights(part, links, pitch - GUTTER, scale)
        for depth, column in enumerate(part):
            at |= {node: (margin + (depth + 0.5) * step, top - heights[node]) for node in column}
        leaving = [link for link in links if link[0] in heights and link[1] not in at]
        for place, link in enumerate(sorted(leaving, key=lambda link: -at[link[0]][1]), start=1):
            share = place / (len(leaving) + 1)
            turns[link] = Turn(WIDTH - MARGIN * share, top - pitch + GUTTER * share, MARGIN * (1 - share))
    return NetworkLayout(at, routes, loops, turns, step, scale)


def _layered(nodes: Sequence[Node], edges: Sequence[Edge]) -> tuple[list[list[Node]], dict[Edge, list[Node]]]:
    """The nodes of each layer, with bends where an arrow passes one, and the bends of each arrow."""
    layer, (before, after) = longest_paths(nodes, edges), _neighbours(edges)
    last = max(layer.values())
    layer |= {node: last for node in nodes if node[0] in ("buyer", "sink")}
    for node in sorted(nodes, key=lambda node: -layer[node]):
        makers = before[node] or [node]
        if after[node] and all(maker[0] in ("source", "seller") and len(after[maker]) == 1 for maker in makers):
            layer[node] = min(layer[target] for target in after[node]) - 1
    layers: list[list[Node]] = [[node for node in nodes if layer[node] == depth] for depth in range(last + 1)]
    routes: dict[Edge, list[Node]] = {}
    for number, (source, target) in enumerate(edges):
        bends = {depth: ("bend", f"{number}/{depth}") for depth in range(layer[source] + 1, layer[target])}
        routes[source, target] = list(bends.values())
        for depth, bend in bends.items():
            layers[depth].append(bend)
    return layers, routes


def _rows(layers: Sequence[Sequence[Node]], links: Sequence[Edge], most: int) -> int | None:
    """In how many rows the layers read best: more than one only if much better, and few arrows lead on to the next."""
    depth = {node: depth for depth, column in enumerate(layers) for node in column}
    best: tuple[float, int | None] = (SMALLEST / MUCH_BETTER, None)
    for rows in range(1, most + 1):
        across = math.ceil(len(layers) / rows)
        turns = sum(depth[source] // across != depth[target] // across for source, target in links)
        scale = _scale(layers, rows)
        if turns <= MOST_TURNS * (rows - 1) and scale > MUCH_BETTER * best[0]:
            best = (scale, rows)
    return best[1]


def _scale(layers: Sequence[Sequence[Node]], rows: int) -> float:
    """How large nodes and text can be drawn, where 1 is full size."""
    across, height = math.ceil(len(layers) / rows), (HEIGHT + GUTTER) / rows - GUTTER
    tallest = max(sum(ROOM[kind] for kind, _ in column) for column in layers)
    return min(LARGEST, height / tallest, WIDTH / across / COLUMN)


def _heights(layers: Sequence[Sequence[Node]], links: Sequence[Edge], height: float, scale: float) -> dict[Node, float]:
    """How far below the top each node stands: level with its neighbours where there is room."""
    place = {node: i for i, node in enumerate(node for column in layers for node in column)}
    inside = [(source, target) for source, target in links if source in place and target in place]
    before, after = _neighbours(inside)
    pull = np.zeros((len(place), len(place)))
    for source, target in inside:
        weight = (len(after[source]) * len(before[target])) ** -4.0
        pull[place[source], place[target]] = pull[place[target], place[source]] = weight
    np.fill_diagonal(pull, pull.sum(axis=1) == 0)
    pull /= pull.sum(axis=1, keepdims=True)
    heights = np.full(len(place), height / 2)
    for sweep in range(60):
        for column in layers[:: 1 if sweep % 2 else -1]:
            rooms, here = np.array([ROOM[kind] for kind, _ in column]), [place[node] for node in column]
            rooms *= min(1.45 * scale, height / rooms.sum())
            heights[here] = _apart(pull[here] @ heights, rooms, height)
    return dict(zip(place, heights.tolist(), strict=True))


def _apart(wanted: Floats, rooms: Floats, height: float) -> Floats:
    """Places in [0, height] near the wanted ones, in their order, each with its room; the mean of two ways to do so."""
    ends = np.cumsum(rooms) - rooms / 2
    down = np.maximum.accumulate(wanted - ends) + ends
    up = np.minimum.accumulate((wanted - ends)[::-1])[::-1] + ends
    return np.clip((down + up) / 2, ends, ends + height - rooms.sum())


def _neighbours(edges: Iterable[Edge]) -> tuple[defaultdict[Node, list[Node]], defaultdict[Node, list[Node]]]:
    """The sources of what leads to each node, and the targets of what leaves it."""
    before, after = defaultdict[Node, list[Node]](list), defaultdict[Node, list[Node]](list)
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    return before, after


def backward_edges(nodes: Iterable[Node], edges: Sequence[Edge]) -> frozenset[Edge]:
    """The edges that close a loop in a depth-first walk; without them there is none."""
    before, after = _neighbours(edges)
    loops: set[Edge] = set()
    done: set[Node] = set()

    def walk(node: Node, path: tuple[Node, ...]) -> None:
        for step in after[node]:
            if step in path:
                loops.add((node, step))
            elif step not in done:
                walk(step, (*path, step))
        done.add(node)

    for start in sorted(nodes, key=lambda node: bool(before[node])):
        if start not in done:
            walk(start, (start,))
    return frozenset(loops)


def longest_paths(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[Node, int]:
    """How many edges the longest way to each node has; the edges must be free of loops."""
    before, _ = _neighbours(edges)
    depth: dict[Node, int] = {}
    for node in TopologicalSorter({node: before[node] for node in nodes}).static_order():
        depth[node] = max((depth[source] + 1 for source in before[node]), default=0)
    return depth


def _uncross(layers: list[list[Node]], links: Sequence[Edge]) -> None:
    """Order each layer by the mean place of its neighbours, to and fro."""
    before, after = _neighbours(links)
    for sweep in range(12):
        neighbours, order = (before, layers[1:]) if sweep % 2 == 0 else (after, layers[-2::-1])
        for column in order:
            place = {node: (i + 0.5) / len(each) for each in layers for i, node in enumerate(each)}
            near = {node: [place[other] for other in neighbours[node]] for node in column}
            column.sort(key=lambda node: float(np.mean(near[node])) if near[node] else place[node])
