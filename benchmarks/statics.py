"""Derivatives of an equilibrium by every endowment, productivity and tax rate, beside solving for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Columns, Group, Groups, Line, Side
from simulator.economics.forms import Array
from simulator.records.derived import elasticities
from simulator.references.equilibrium import newton, search
from simulator.references.found import Equilibrium
from simulator.scenario import Scenario, load
from simulator.statics import Statics


def network(goods: int, consumers: int) -> dict[str, Any]:
    """A fifth of the goods are factors, the others made of them and of each other, and taxed; consumers own factors."""
    stream, many = np.random.default_rng(goods), goods // 5
    factors, made = [f"f{place}" for place in range(many)], [f"g{place}" for place in range(goods - many)]

    def shares(names: list[str], low: float, high: float) -> dict[str, float]:
        return dict(zip(names, stream.uniform(low, high, len(names)).tolist(), strict=True))

    def firm(good: str) -> dict[str, Any]:
        others = stream.permutation([other for other in made if other != good])[:5].tolist()
        inputs = shares(stream.permutation(factors)[:3].tolist(), 0.1, 1.0) | shares(others, 0.05, 0.3)
        form = {"output": good, "productivity": 3.0, "returns_to_scale": 1, "elasticity": stream.uniform(0.4, 2.0)}
        return {"name": f"F_{good}", "technology": {"ces": {**form, "inputs": inputs}}}

    def consumer(place: int) -> dict[str, Any]:
        taste = {"elasticity": stream.uniform(0.5, 2.0), "shares": shares(made, 0.1, 1.0)}
        return {"name": f"c{place}", "utility": {"ces": taste}, "endowment": shares(factors, 1.0, 5.0)}

    taxes = [
        {"name": f"tax_{good}", "on": "output", "of": f"F_{good}", "rate": 0.05, "to": {"c0": 0.5, "c1": 0.5}}
        for good in made
    ]
    return {"name": "network", "goods": [*factors, *made], "numeraire": "f0", "trade": "at_equilibrium"} | {
        "firms": list(map(firm, made)),
        "consumers": list(map(consumer, range(consumers))),
        "taxes": taxes,
    }


def every_path(scenario: Scenario) -> tuple[str, ...]:
    """The paths of all endowments, productivities and tax rates."""
    data = scenario.resolved
    owned = [f"consumers.{each['name']}.endowment.{good}" for each in data["consumers"] for good in each["endowment"]]
    made, taxed = ([f"{room}.{each['name']}.{key}" for each in data[room]] for room, key in KEYS.items())
    return (*owned, *made, *taxed)


KEYS = {"firms": "productivity", "taxes": "rate"}


def _all_elasticities(scenario: Scenario, found: Equilibrium) -> Callable[[], Array]:
    def work() -> Array:
        (derived,) = Statics(scenario, every_path(scenario), check=False).of([found])
        assert derived is not None
        return elasticities(derived)

    return work


def _by_differences(scenario: Scenario, found: Equilibrium) -> Callable[[], Array]:
    statics = Statics(scenario, every_path(scenario), check=True)

    def work() -> Array:
        (derived,) = statics.of([found])
        assert derived is not None
        return elasticities(replace(derived, first=derived.first_solved))

    return work


def _one_start(scenario: Scenario) -> Callable[[], Array]:
    unknowns = scenario.rule.unknowns(scenario.economy)

    def work() -> Array:
        plans = newton(unknowns, scenario.initial_prices)
        assert plans is not None
        return plans.prices

    return work


def _every_equilibrium(scenario: Scenario) -> Callable[[], Array]:
    return lambda: search(scenario.economy, scenario.rule, [scenario.initial_prices]).equilibria[0].prices


def _group(goods: int, consumers: int) -> Group:
    scenario = load(network(goods, consumers))
    (found,) = search(scenario.economy, scenario.rule, [scenario.initial_prices], many=1).equilibria

    def elastic(answer: Array) -> Columns:
        return {"elasticity": answer[np.isfinite(answer).all(axis=1)]}

    def priced(answer: Array) -> Columns:
        return {"price": answer}

    sides = {
        "derivatives": Side(partial(_all_elasticities, scenario, found), elastic, per=" for all"),
        "checked": Side(partial(_by_differences, scenario, found), elastic, per=" for all"),
        "one start": Side(partial(_one_start, scenario), priced, per=" a solve"),
        "search": Side(partial(_every_equilibrium, scenario), priced, per=" a search"),
    }
    all_paths, of = f"derivatives by all {len(every_path(scenario))} numbers", f"{goods} goods"
    lines = [
        Line(of, f"{all_paths}, beside one solve from one start", "derivatives", "one start", at_most=5, common="none"),
        Line(of, f"{all_paths}, beside one search", "derivatives", "search", at_most=5, common="none"),
        Line(of, f"{all_paths}, beside the same with each solved again", "derivatives", "checked", faster=True),
    ]
    return Group(sides, lines, tolerance=1e-5, rounds=2)


def groups(*, quick: bool) -> Groups:
    """The group by name, a small one if `quick`."""
    goods, consumers = (10, 2) if quick else (50, 5)
    return {f"statics of {goods} goods": partial(_group, goods, consumers)}
