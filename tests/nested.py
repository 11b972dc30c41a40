"""The second order of productivities with one primary factor (Baqaee and Farhi 2019), from a scenario's own numbers.

`d2 ln C/d ln A_i d ln A_j = sum over nests (s - 1) (cost of the nest over income) Cov(e_i, e_j)`.
The exposures `e` of a good are its row of `(I - Omega)^-1`, those of a nest the mean of its parts', by shares of cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np


class Level(NamedTuple):
    """A nest: its elasticity, and its parts, goods or further nests, with their shares of its cost."""

    elasticity: float
    parts: list[tuple[str | Level, float]]
    cost: float


def level(kind: dict[str, Any], prices: dict[str, float]) -> Level:
    elasticity, shares = kind["elasticity"], kind.get("inputs") or kind["shares"]
    nests = {name: level(nest, prices) for name, nest in kind.get("nests", {}).items()}
    costs = {name: nests[name].cost if name in nests else prices[name] for name in shares}
    total = sum(shares.values())
    terms = {name: share / total * costs[name] ** (1.0 - elasticity) for name, share in shares.items()}
    spent = sum(terms.values())
    parts: list[tuple[str | Level, float]] = [(nests.get(name, name), term / spent) for name, term in terms.items()]
    return Level(elasticity, parts, spent ** (1.0 / (1.0 - elasticity)))


def goods_of(tree: Level, weight: float = 1.0) -> Iterator[tuple[str, float]]:
    for part, share in tree.parts:
        if isinstance(part, Level):
            yield from goods_of(part, weight * share)
        else:
            yield part, weight * share


def second_order(
    scenario: dict[str, Any], prices: dict[str, float], levels: dict[str, float]
) -> dict[tuple[str, str], float]:
    """By the names of two firms."""
    trees = {firm["name"]: level(firm["technology"]["ces"], prices) for firm in scenario["firms"]}
    makes = {firm["technology"]["ces"]["output"]: firm["name"] for firm in scenario["firms"]}
    (household,) = scenario["consumers"]
    names = list(trees)
    omega = np.zeros((len(names), len(names)))
    for row, name in enumerate(names):
        for good, share in goods_of(trees[name]):
            if good in makes:
                omega[row, names.index(makes[good])] += share
    rows = np.linalg.inv(np.eye(len(names)) - omega)

    def exposures(part: str | Level) -> Any:
        if isinstance(part, Level):
            return sum(share * exposures(each) for each, share in part.parts)
        return rows[names.index(makes[part])] if part in makes else np.zeros(len(names))

    def added(tree: Level, weight: float) -> Any:
        each = np.array([exposures(part) for part, _ in tree.parts])
        shares = np.array([share for _, share in tree.parts])
        off = each - shares @ each
        total = weight * (tree.elasticity - 1.0) * (off.T * shares) @ off
        return total + sum(added(part, weight * share) for part, share in tree.parts if isinstance(part, Level))

    income = sum(amount * prices[good] for good, amount in household["endowment"].items())
    total = added(level(household["utility"]["ces"], prices), 1.0)
    for good, name in makes.items():
        total = total + added(trees[name], prices[good] * levels[name] / income)
    return {(one, other): float(total[i, j]) for i, one in enumerate(names) for j, other in enumerate(names)}
