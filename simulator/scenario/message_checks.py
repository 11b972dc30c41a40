"""What a supply chain must be for its firms to bid: single firms with formulas, each link with a user of its own."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from simulator.scenario.document import Steps, quoted, shown
from simulator.scenario.findings import Findings


class MessageChecks:
    """Complaints about a scenario under `marginal_bids`, left with the `findings`."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def run(self) -> None:
        """All of them."""
        self._no_plans()
        self._firms()
        if not self.findings.document.faults:
            self._links()

    def _no_plans(self) -> None:
        findings, data = self.findings, self.findings.data
        for key in ("trade", "start", "numeraire", "compare"):
            if key in data:
                findings.fault((key,), f"found {key} under marginal_bids; expected none: nobody plans or trades", "key")
        for key in ("form", "with", "rule"):
            if key in findings.mapping("scheduler"):
                message = f"found {key} under marginal_bids; expected a rate alone"
                findings.fault(("scheduler", key), message, "key")
        rate = findings.mapping("scheduler").get("rate")
        if isinstance(rate, int | float) and rate >= 2:
            message = f"found {rate:g}; expected a rate below 2: from there on what is paid swings ever further"
            findings.fault(("scheduler", "rate"), message)
        if data.get("consumers"):
            message = "found consumers under marginal_bids; expected firms alone, and a good with an outside price"
            findings.fault(("consumers",), message, "key")
        if findings.sound("outside") and not findings.mapping("outside"):
            findings.fault((), "found no good with an outside price; expected outside: {result: 1}")

    def _firms(self) -> None:
        from simulator.formulas.formula import sides

        findings = self.findings
        makers: dict[str, str] = {}
        for at, firm in findings.entries("firms"):
            path: Steps = ("firms", at)
            for key in ("technology", "productivity", "behaviour"):
                if key in firm:
                    findings.fault((*path, key), f"found {key} under marginal_bids; expected makes: a formula", "key")
            if firm.get("count") not in (None, 1):
                findings.fault((*path, "count"), "found several firms under marginal_bids; expected one")
            makes = firm.get("makes")
            for good in sides(makes)[0] if isinstance(makes, str) else ():
                if makers.setdefault(good, str(firm.get("name"))) != firm.get("name"):
                    advice = f"expected one (the other is {makers[good]})"
                    findings.fault((*path, "makes"), f"found a second firm that makes {shown(good)}; {advice}")
                if good in findings.mapping("supply"):
                    message = f"found a firm that makes {shown(good)}, which is supplied too; expected one of both"
                    findings.fault((*path, "makes"), message)

    def _links(self) -> None:
        findings = self.findings
        users: dict[str, int] = {}
        made: dict[str, tuple[str, ...]] = {}
        for outputs, used in findings.recipes:
            made.update(dict.fromkeys(outputs, used))
            for name in used:
                users[name] = users.get(name, 0) + 1
        try:
            TopologicalSorter(made).prepare()
        except CycleError as error:
            around = " of ".join(map(shown, reversed(error.args[1])))
            message = f"found {around}: a good that is needed to make itself; expected no loop under marginal_bids"
            findings.fault(("firms",), message, "key")
        supply: dict[str, Any] = findings.mapping("supply")
        for good, number in users.items():
            rival = findings.mapping("goods", good).get("rival", True)
            if number > 1 and rival:
                advice = f"expected {{{good}: {{rival: false}}}}, or one user"
                message = f"found {number} firms that use {shown(good)} up; {advice}"
                findings.fault(("goods", good), message, "key")
            if good not in made and good not in supply:
                findings.fault(("supply",), f"found no supply of {quoted(good)}; expected a number for each input")
        for good in findings.mapping("outside"):
            if good not in made:
                message = f"found {shown(good)}, which no firm makes; expected a firm that does"
                findings.fault(("outside", good), message, "key")
