"""Networks of firms of one form: what a tick costs as they grow, and whether the engine is chosen well."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Group, Groups, Line, Side
from simulator.scenario import load


def network(firms: int, seed: int = 1) -> dict[str, Any]:
    """A scenario of firms that each make a good of their own of labour and of one or two goods made before, by a
    Cobb-Douglas technology of decreasing returns, for a household that wants every good.
    """
    stream = random.Random(seed)
    goods = [f"g{number}" for number in range(firms)]
    made = []
    for number, good in enumerate(goods):
        inputs = ["labour", *stream.sample(goods[:number], min(number, stream.choice((1, 2))))]
        shares = {name: round(stream.uniform(0.4, 0.8) / len(inputs), 3) for name in inputs}
        technology = {"output": good, "productivity": round(stream.uniform(0.5, 2.0), 3), "inputs": shares}
        made.append({"name": f"f{number}", "technology": {"cobb_douglas": technology}})
    household = {"name": "household", "endowment": {"labour": 100.0}, "owns": {f"f{n}": 1 for n in range(firms)}}
    household["utility"] = {"cobb_douglas": {name: round(1 / (firms + 1), 6) for name in ("labour", *goods)}}
    return {
        "name": f"network_of_{firms}",
        "goods": ["labour", *goods],
        "numeraire": "labour",
        "firms": made,
        "consumers": [household],
        "scheduler": {"kind": "tatonnement", "form": "multiplicative", "rate": 0.05},
    }


def ticks(firms: int, engine: str, count: int) -> Side:
    """So many ticks of a network, nothing recorded, after two that are not counted."""
    scenario = load(network(firms), settings={"run.engine": engine})

    def start() -> Callable[[], Any]:
        market = scenario.market()
        for _ in range(2):
            market.advance()

        def work() -> np.ndarray:
            for _ in range(count):
                market.advance()
            return market.prices

        return work

    return Side(start, lambda prices: {"prices": prices}, count)


def grown(few: int, many: int, work: int) -> Group:
    """A network of few firms and one of many, by every engine; a round is `work` ticks of a firm."""
    sides, lines = {}, list[Line]()
    for firms in (few, many):
        for engine in ("auto", "floats", "arrays"):
            sides[f"{engine} {firms}"] = ticks(firms, engine, work // firms)
        for other in ("floats", "arrays"):
            what = f"a tick of firms of one form: auto, against {other}"
            lines.append(Line(f"{firms} firms", what, f"auto {firms}", f"{other} {firms}", at_most=1.2))
    what = f"a tick of firms of one form, against {few}"
    return Group(sides, [*lines, Line(f"{many} firms", what, f"auto {many}", f"auto {few}", at_most=5, common="none")])


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    return {"networks": partial(grown, *((6, 12, 60) if quick else (50, 200, 10_000)))}
