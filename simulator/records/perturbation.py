"""What `simulator perturb` says: the change that moves equilibrium prices most, what comes of it, and random ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from simulator.economics.forms import Array
from simulator.records.report import lined_up
from simulator.references.fragility import Fragility
from simulator.sentences import PERTURBED, said

ROUNDED = 14
"""Decimals after which a change of a logarithm is rounding."""


def perturbation(fragility: Fragility, *, size: float, norm: str, number: int, seed: int) -> dict[str, Any]:
    """The worst change of a size as plain data: what changes, what prices do (predicted, and solved again), and what
    they do under `number` random changes of the same size.

    Of the two signs of the worst change, which are alike to first order, the one that moves prices further. Changes are
    of logarithms; numbers that do not exist are None.
    """
    direction, amplification, bound = fragility.worst(norm)
    theta, moved = _worse_sign(fragility, size * direction)
    drawn = size * fragility.random_changes(norm, number, seed)
    after = [found for found in map(fragility.resolved, drawn) if found is not None]
    prices, predicted = fragility.found.prices.tolist(), (fragility.sensitivity @ theta).tolist()
    resolved = [None] * len(prices) if moved is None else moved.tolist()
    return {
        "index": fragility.found.index,
        "size": size,
        "norm": norm,
        "mean_0": fragility.relative_only,
        "changes": {parameter.name: value for parameter, value in zip(fragility.chosen, theta.tolist(), strict=True)},
        "goods": {
            good: dict(zip(("price", "predicted", "resolved"), row, strict=True))
            for good, *row in zip(fragility.economy.goods, prices, predicted, resolved, strict=True)
        },
        "amplification": amplification,
        "bound": bound,
        "resolved_amplification": None if moved is None else float(np.linalg.norm(moved)) / size,
        "random": {
            "number": number,
            "seed": seed,
            "predicted": _sizes(drawn @ fragility.sensitivity.T / size),
            "resolved": _sizes(np.array(after).reshape(-1, len(fragility.economy.goods)) / size),
            "without_equilibrium": number - len(after),
        },
    }


def _worse_sign(fragility: Fragility, theta: Array) -> tuple[Array, Array | None]:
    """The change or its opposite, whichever moves prices further, and how far; first of all one that leaves none."""
    outcomes = [(sign * theta, fragility.resolved(sign * theta, search=True)) for sign in (1.0, -1.0)]
    return max(outcomes, key=lambda each: np.inf if each[1] is None else float(np.linalg.norm(each[1])))


def _sizes(moved: Array) -> dict[str, float | None]:
    sizes = np.linalg.norm(moved, axis=1)
    return (
        {"mean": float(sizes.mean()), "largest": float(sizes.max())} if len(sizes) else {"mean": None, "largest": None}
    )


def perturbation_lines(title: str, told: dict[str, Any]) -> list[str]:
    """The same as text: the change, a line per good, the amplification, and random changes."""
    width = max(map(len, (*told["changes"], *told["goods"], "parameter")))
    table = partial(lined_up, width=width, wide=12)
    changes = [(name, _percent(value)) for name, value in told["changes"].items()]
    goods = [
        (good, _cell(row["price"]), _cell(row["predicted"], "+"), _cell(row["resolved"], "+"))
        for good, row in told["goods"].items()
    ]
    drawn = told["random"]
    sizes = {f"random, {size}": (drawn["predicted"][size], drawn["resolved"][size]) for size in ("mean", "largest")}
    sizes = {"this change": (told["amplification"], told["resolved_amplification"]), **sizes}
    facts = {**told, **drawn, "solved_again": told["resolved_amplification"] is not None}
    euclidean = "sum of squares" if told["norm"] == "l2" else "largest"
    mean = ", less their mean (only relative prices matter)" if told["mean_0"] else ""
    return [
        f"{title}: the change of size {told['size']:g} ({told['norm']}: {euclidean}) that moves prices most",
        "",
        *table([("parameter", "change"), *changes]),
        "",
        *table([("good", "price", "predicted", "solved again"), *goods]),
        f"  (changes of log prices{mean})",
        "",
        *table([("amplification", "predicted", "solved again")]),
        *table([(name, *map(_cell, pair)) for name, pair in sizes.items()]),
        f"  ({drawn['number']} random changes of this size, seed {drawn['seed']})",
        *(f"  {note}" for note in said(PERTURBED, facts)),
    ]


def _percent(value: float) -> str:
    return f"{round(100.0 * np.expm1(value), ROUNDED):+.4g} %"


def _cell(value: float | None, sign: str = "") -> str:
    if value is None:
        return "-"
    return format(round(value, ROUNDED) if sign else value, f"{sign}.5g")
