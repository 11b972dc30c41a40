"""What a planner needs for his one objective: money that depends on no price, smooth tastes, prices that all move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from simulator.scenario.document import Steps, shown
from simulator.scenario.findings import Findings

OTHERWISE = "or compare: {gradient_path: dual}"
ONE_OBJECTIVE = ("cobb_douglas", "ces", "linear", "quasilinear", "leontief")
"""Tastes known to have one objective (fixed proportions are refused for their kinks)."""


class PlannerChecks:
    """Complaints about a scenario that is compared with a planner's path, left with the `findings`."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def run(self) -> None:
        """All of them."""
        self._prices()
        for at, consumer in self.findings.entries("consumers"):
            self._income(("consumers", at), consumer)
            self._taste(("consumers", at), consumer)
        for at, firm in self.findings.entries("firms"):
            technology = firm.get("technology")
            if isinstance(technology, dict):
                self._kinks(("firms", at, "technology"), cast("dict[str, Any]", technology))

    def _prices(self) -> None:
        findings = self.findings
        outside, numeraire = findings.mapping("outside"), findings.data.get("numeraire")
        held = {("goods", good, "fixed_price"): good for good in dict.fromkeys(findings.goods or ())}
        held = {path: good for path, good in held.items() if findings.mapping(*path[:2]).get("fixed_price")}
        held |= {("numeraire",): numeraire} if isinstance(numeraire, str) else {}
        for path, good in held.items():
            if good not in outside:
                message = f"found a price of {shown(good)} that is held, while a planner's prices all move"
                findings.fault(path, f"{message}; expected none, an outside price, {OTHERWISE}")

    def _income(self, path: Steps, consumer: dict[str, Any]) -> None:
        for key, what in (("endowment", "an endowment"), ("owns", "shares of firms")):
            given: Any = consumer.get(key)
            if isinstance(given, dict) and any(amount != 0 for amount in cast("dict[str, Any]", given).values()):
                message = f"found {what}: where incomes depend on prices a planner has no one objective"
                self.findings.fault((*path, key), f"{message}; expected a budget, {OTHERWISE}", "key")

    def _taste(self, path: Steps, consumer: dict[str, Any]) -> None:
        utility: Any = consumer.get("utility")
        if not isinstance(utility, dict) or len(cast("dict[str, Any]", utility)) != 1:
            return
        ((kind, given),) = cast("dict[str, Any]", utility).items()
        if kind not in ONE_OBJECTIVE:
            message = f"found {kind}, which gives a planner no one objective; expected cobb_douglas, ces, linear"
            self.findings.fault((*path, "utility", kind), f"{message} or quasilinear, {OTHERWISE}", "key")
        elif kind == "quasilinear" and consumer.get("budget") is not None and "log" not in (given or {}):
            message = "found a budget, which leaves quasi-linear tastes one objective only if they are log"
            self.findings.fault((*path, "budget"), f"{message}; expected none, {OTHERWISE}", "key")
        self._kinks((*path, "utility"), cast("dict[str, Any]", utility))

    def _kinks(self, path: Steps, choice: dict[str, Any]) -> None:
        """Complain about fixed proportions, wherever in a tree."""
        for where in _fixed_proportions(choice, path):
            message = "found fixed proportions, at whose kinks an ascent does not come to rest"
            self.findings.fault(where, f"{message}; expected an elasticity above 0, {OTHERWISE}", "key")


def _fixed_proportions(choice: Any, path: Steps) -> Iterator[Steps]:
    if not isinstance(choice, dict):
        return
    given = cast("dict[str, Any]", choice)
    if "leontief" in given:
        yield (*path, "leontief")
    elif given.get("elasticity") == 0:
        yield (*path, "elasticity")
    tree: Any = given.get("ces", given)
    nests: Any = tree.get("nests") if isinstance(tree, dict) else None
    for name, nest in cast("dict[str, Any]", nests).items() if isinstance(nests, dict) else ():
        yield from _fixed_proportions(nest, (*path, *(("ces",) if "ces" in given else ()), "nests", name))
