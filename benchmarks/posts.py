"""Trading posts: a tick of a large network beside the two products with its table that it needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from benchmarks.harness import Group, Groups, Line, Side
from simulator.dynamics.posts_tick import Posts, PostsState
from simulator.economics.agents import Consumers, Firm
from simulator.economics.constant_returns import ConstantReturns
from simulator.economics.economy import Economy
from simulator.economics.forms import CobbDouglas
from simulator.economics.utility import Homothetic

DENSITY = 0.63
"""The part of cells in use of the detailed input-output table of the United States."""


def table(sectors: int, seed: int = 1) -> np.ndarray:
    """Cost shares of sectors (rows) in each other and in labour (the last column)."""
    rng = np.random.default_rng(seed)
    used = rng.random((sectors, sectors)) < DENSITY
    flows = np.where(used, rng.exponential(size=(sectors, sectors)) ** 3, 0.0)
    shares = 0.5 * flows / flows.sum(axis=1, keepdims=True)
    return np.column_stack([shares, 1.0 - shares.sum(axis=1)])


def economy(sectors: int) -> Economy:
    """A firm for each sector, with constant returns, and people who work, own nothing and want all goods alike."""
    goods, labour = tuple(f"g{place}" for place in range(sectors)), np.zeros((1, sectors + 1))
    labour[0, -1] = 1.0
    firms = tuple(
        Firm(f"f{place}", ConstantReturns(CobbDouglas(row[None, row > 0]), np.ones(1)), (place,), tuple(used.tolist()))
        for place, row in enumerate(table(sectors))
        for used in [np.flatnonzero(row)]
    )
    wants = np.append(np.ones(sectors), 0.0)[None] / sectors
    people = Consumers("people", Homothetic(CobbDouglas(wants)), labour, np.zeros(1), np.zeros((1, sectors)))
    return Economy((*goods, "labour"), np.zeros(sectors + 1), np.full(sectors + 1, np.nan), firms, (people,))


def ticks(sectors: int, count: int) -> Side:
    """So many ticks at posts, nothing recorded."""
    found, goods = economy(sectors), sectors + 1

    def start() -> Callable[[], np.ndarray]:
        posts = Posts(found, "cost_shares", 1.0, 1.0)
        floor, free = np.full(goods, 1e-12), np.ones(goods, dtype=bool)

        def work() -> np.ndarray:
            state = PostsState(1, np.ones(goods), np.ones(sectors), np.ones(sectors), (np.zeros(1),), (), ())
            for _ in range(count):
                state, _tick = posts.step(state, floor, free)
            return np.log(state.prices)

        return work

    return Side(start, lambda logs: {"log prices": logs}, count)


def products(sectors: int, count: int, *, sparse: bool) -> Side:
    """So many times the two products, and no more than it takes for the same prices."""
    shares = table(sectors)
    scale = np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1.0)), 0.0).sum(axis=1)

    def start() -> Callable[[], np.ndarray]:
        forward = csr_array(shares) if sparse else shares
        back = csr_array(shares.T) if sparse else shares.T

        def work() -> np.ndarray:
            money, stock = np.ones(sectors), np.ones(sectors + 1)
            for _ in range(count):
                bids = back @ money
                bids[:-1] += bids[-1] / sectors
                prices = bids / stock
                stock[:-1] = np.exp(scale + np.log(money) - forward @ np.log(prices))
                money = bids[:-1]
            return np.log(prices)

        return work

    return Side(start, lambda logs: {"log prices": logs}, count)


def posts(sectors: int, count: int) -> Group:
    """A tick at posts beside its products in a full table and in one without zeros."""
    sides = {
        "posts": ticks(sectors, count),
        "full": products(sectors, count, sparse=False),
        "sparse": products(sectors, count, sparse=True),
    }
    what = "a tick at trading posts, against two products with the table, {}"
    lines = [Line(f"{sectors} sectors", what.format(each), "posts", each, at_most=5) for each in ("full", "sparse")]
    return Group(sides, lines)


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    return {"posts": partial(posts, *((20, 10) if quick else (401, 500)))}
