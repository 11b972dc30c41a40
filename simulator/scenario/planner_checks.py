"""What a planner needs for his one objective: money that depends on no price, smooth tastes, prices that all move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.dynamics.behaviours import Activity
from simulator.kinds.benchmarks import Benchmark
from simulator.kinds.entry import Chosen, Steps
from simulator.kinds.nests import Tree
from simulator.kinds.wording import shown
from simulator.scenario.schema import Consumer
from simulator.schedulers.scheduler import Findings

OTHERWISE = "or compare: {gradient_path: dual}"
ONE_OBJECTIVE = ("cobb_douglas", "ces", "reference", "linear", "quasilinear", "leontief")
"""Tastes known to have one objective (fixed proportions are refused for their kinks)."""


def refuse_planner(findings: Findings) -> None:
    """Complain about a scenario that cannot be compared with a planner's path."""
    _prices(findings)
    for key in ("taxes", "transfers"):
        if getattr(findings.model, key):
            findings.fault((key,), f"found {key}, of which a planner knows none; expected none, {OTHERWISE}", "key")
    for at, consumer in findings.consumers.items():
        _income(findings, ("consumers", at), consumer)
        _taste(findings, ("consumers", at), consumer)
    for at, firm in findings.firms.items():
        if firm.technology is not None:
            _kinks(findings, ("firms", at, "technology"), firm.technology)
        behaviour = firm.behaviour if findings.sound("firms", at, "behaviour") else None
        if behaviour is not None and isinstance(behaviour.kind, Activity):
            message = "found an activity level, while a planner's path is one of inputs, each with a value of its own"
            findings.fault(("firms", at, "behaviour"), f"{message}; expected decreasing returns, {OTHERWISE}", "key")


def _prices(findings: Findings) -> None:
    model = findings.model
    held: dict[Steps, str] = {
        ("goods", good, "fixed_price"): good for good, market in model.markets.items() if market.fixed_price
    }
    for good, market in model.markets.items():
        if market.cap is not None:
            message = f"found a cap of {shown(good)}, while a planner keeps no price from rising"
            findings.fault(("goods", good, "cap"), f"{message}; expected none, {OTHERWISE}", "key")
    held |= {("numeraire",): model.numeraire} if model.numeraire is not None else {}
    for path, good in held.items():
        if good not in (model.outside or ()):
            message = f"found a price of {shown(good)} that is held, while a planner's prices all move"
            findings.fault(path, f"{message}; expected none, an outside price, {OTHERWISE}")


def _income(findings: Findings, path: Steps, consumer: Consumer) -> None:
    for key, what in (("endowment", "an endowment"), ("owns", "shares of firms")):
        if any(amount != 0 for amount in (getattr(consumer, key) or {}).values()):
            message = f"found {what}: where incomes depend on prices a planner has no one objective"
            findings.fault((*path, key), f"{message}; expected a budget, {OTHERWISE}", "key")


def _taste(findings: Findings, path: Steps, consumer: Consumer) -> None:
    utility = consumer.utility
    if not findings.sound(*path, "utility"):
        return
    if utility.name not in ONE_OBJECTIVE:
        message = f"found {utility.name}, which gives a planner no one objective; expected cobb_douglas, ces, linear"
        findings.fault((*path, "utility", utility.name), f"{message} or quasilinear, {OTHERWISE}", "key")
    elif utility.name == "quasilinear" and consumer.budget is not None and "log" not in utility.written["quasilinear"]:
        message = "found a budget, which leaves quasi-linear tastes one objective only if they are log"
        findings.fault((*path, "budget"), f"{message}; expected none, {OTHERWISE}", "key")
    _kinks(findings, (*path, "utility"), utility)


def _kinks(findings: Findings, path: Steps, chosen: Chosen[Any]) -> None:
    """Complain about fixed proportions, wherever in a tree."""
    places = [(*path, "leontief")] if chosen.name == "leontief" else _fixed(chosen.kind, (*path, chosen.name))
    for where in places:
        message = "found fixed proportions, at whose kinks an ascent does not come to rest"
        findings.fault(where, f"{message}; expected an elasticity above 0, {OTHERWISE}", "key")


def _fixed(tree: object, path: Steps) -> Iterator[Steps]:
    if isinstance(tree, Tree | Benchmark):
        if tree.elasticity == 0:
            yield (*path, "elasticity")
        nests = tree.below if isinstance(tree, Benchmark) else tree.nests or {}
        for name, nest in nests.items():
            yield from _fixed(nest, (*path, "nests", name))
