"""Who passes what to whom, read from the agents' frame, and where each of them stands in a layered picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from simulator.results.frames import Frames, fixed_prices, panel

MOST_NODES, MOST_LAYERS = 25, 15
SMALLEST, LARGEST = 0.68, 1.3

# What a node takes of its column's height, in pixels at full size; a bend is where a long arrow passes a layer.
ROOM = {"good": 165.0, "firm": 90.0, "seller": 90.0, "buyer": 90.0, "source": 90.0, "sink": 90.0, "bend": 60.0}

Node = tuple[str, str]
"""Kind (a key of `ROOM`) and name."""
Edge = tuple[Node, Node]


@dataclass(frozen=True)
class Flow:
    """So much of a good goes from one node to another in the last recorded tick; value is quantity times price."""

    source: Node
    target: Node
    good: str
    quantity: float
    value: float


@dataclass(frozen=True)
class Layout:
    """Where nodes stand, in pixels; `routes` are the bends of forward arrows, `loops` the arrows that run backward."""

    at: Mapping[Node, tuple[float, float]]
    routes: Mapping[Edge, Sequence[Node]]
    loops: frozenset[Edge]
    column: float
    scale: float


def flows_of(run: Frames) -> list[Flow]:
    """Every flow of the run, with its quantity in the last recorded tick (0 where nothing flows just then)."""
    agents = panel(run.agents, ("agent", "kind", "good"), ("input", "output", "quantity"))
    goods = panel(run.trajectory, ("good",), ("price",))
    price = {good: float(p) for (good,), p in zip(goods.items, goods["price"][-1], strict=True)} if goods.items else {}
    is_consumer = np.array([kind == "consumer" for _, kind, _ in agents.items], dtype=bool)
    taken = agents["input"]
    if is_consumer.any() and not np.nan_to_num(taken[:, is_consumer]).any():
        taken = np.where(is_consumer, agents["quantity"], taken)
    moved: list[tuple[Node, Node, str, float]] = []
    for i, (agent, kind, good) in enumerate(agents.items):
        if agent.endswith(":mean"):
            continue
        name, item = agent.removesuffix(":total"), ("good", good)
        for amounts, box, inward in ((taken, "buyer", True), (agents["output"], "seller", False)):
            if np.nan_to_num(amounts[:, i]).any():
                node = ("firm" if kind == "firm" else box, name)
                ends = (item, node) if inward else (node, item)
                moved.append((*ends, good, float(np.nan_to_num(amounts[-1, i]))))
    moved += _with_outside(moved, run.summary)
    return [Flow(a, b, good, q, abs(q * price.get(good, np.nan))) for a, b, good, q in moved]


def _with_outside(
    moved: Sequence[tuple[Node, Node, str, float]], summary: Mapping[str, Any]
) -> list[tuple[Node, Node, str, float]]:
    """What comes in (goods nobody makes or sells) and what the outside takes (unused goods, the rest of its own)."""
    made: dict[str, float] = {}
    used: dict[str, float] = {}
    for source, _, good, quantity in moved:
        side = used if source[0] == "good" else made
        side[good] = side.get(good, 0.0) + quantity
    priced = fixed_prices(summary)
    brought: list[tuple[Node, Node, str, float]] = [
        (("source", "supply"), ("good", good), good, used[good]) for good in used if good not in made
    ]
    left = {good: made[good] - used.get(good, 0.0) for good in made if good not in used or good in priced}
    taken = [(("good", good), ("sink", "outside"), good, rest) for good, rest in left.items()]
    return brought + [flow for flow in taken if flow[2] not in used or abs(flow[3]) > 1e-3 * abs(made[flow[2]])]


def layout(flows: Sequence[Flow], width: float, height: float) -> Layout | None:
    """Layers from left to right by longest path, crossings reduced by medians; None where it could not be read."""
    edges = list(dict.fromkeys((flow.source, flow.target) for flow in flows))
    nodes = list(dict.fromkeys(node for edge in edges for node in edge))
    if not nodes or len(nodes) > MOST_NODES:
        return None
    loops = backward_edges(nodes, edges)
    forward = [edge for edge in edges if edge not in loops]
    layer = longest_paths(nodes, forward)
    last = max(layer.values())
    layer |= {node: last for node in nodes if node[0] in ("buyer", "sink")}
    if last + 1 > MOST_LAYERS:
        return None
    layers: list[list[Node]] = [[node for node in nodes if layer[node] == depth] for depth in range(last + 1)]
    routes: dict[Edge, list[Node]] = {}
    links: list[Edge] = []
    for number, (source, target) in enumerate(forward):
        bends = [("bend", f"{number}/{depth}") for depth in range(layer[source] + 1, layer[target])]
        routes[source, target] = bends
        for bend, depth in zip(bends, range(layer[source] + 1, layer[target]), strict=True):
            layers[depth].append(bend)
        chain = [source, *bends, target]
        links += pairwise(chain)
    _uncross(layers, links)
    tallest = max(sum(ROOM[kind] for kind, _ in column) for column in layers)
    column_width = width / (last + 1)
    scale = min(LARGEST, height / tallest)
    if scale < SMALLEST:
        return None
    at: dict[Node, tuple[float, float]] = {}
    for depth, column in enumerate(layers):
        spare = (height - scale * sum(ROOM[kind] for kind, _ in column)) / (len(column) + 1)
        top = height
        for node in column:
            room = scale * ROOM[node[0]]
            at[node] = ((depth + 0.5) * column_width, top - spare - room / 2)
            top -= spare + room
    return Layout(at, routes, loops, column_width, scale)


def backward_edges(nodes: Iterable[Node], edges: Sequence[Edge]) -> frozenset[Edge]:
    """The edges that close a loop in a depth-first walk; without them there is none."""
    after: dict[Node, list[Node]] = {}
    for source, target in edges:
        after.setdefault(source, []).append(target)
    first = {target for _, target in edges}
    loops: set[Edge] = set()
    done: set[Node] = set()
    for start in sorted(nodes, key=lambda node: node in first):
        path, stack = [start], [iter(after.get(start, []))]
        while stack and start not in done:
            step = next(stack[-1], None)
            if step is None:
                done.add(path.pop())
                stack.pop()
            elif step in path:
                loops.add((path[-1], step))
            elif step not in done:
                path.append(step)
                stack.append(iter(after.get(step, [])))
    return frozenset(loops)


def longest_paths(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[Node, int]:
    """How many edges the longest way to each node has; the edges must be free of loops."""
    waiting = {node: sum(target == node for _, target in edges) for node in nodes}
    depth = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if waiting[node] == 0]
    while ready:
        node = ready.pop()
        for source, target in edges:
            if source == node:
                depth[target] = max(depth[target], depth[node] + 1)
                waiting[target] -= 1
                ready += [target] if waiting[target] == 0 else []
    return depth


def _uncross(layers: list[list[Node]], links: Sequence[Edge], sweeps: int = 12) -> None:
    """Order each layer by the mean place of its neighbours, to and fro."""
    before: dict[Node, list[Node]] = {}
    after: dict[Node, list[Node]] = {}
    for source, target in links:
        before.setdefault(target, []).append(source)
        after.setdefault(source, []).append(target)
    for sweep in range(sweeps):
        neighbours, order = (before, layers[1:]) if sweep % 2 == 0 else (after, layers[-2::-1])
        for column in order:
            place = {node: (i + 0.5) / len(each) for each in layers for i, node in enumerate(each)}
            near = {node: [place[other] for other in neighbours.get(node, [])] for node in column}
            column.sort(key=lambda node: float(np.mean(near[node])) if near[node] else place[node])
