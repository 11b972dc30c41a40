"""What has no place beside `learning`: complaints, each with its place."""

from __future__ import annotations

from simulator.scenario.document import quoted
from simulator.scenario.findings import Findings

NEGATIVE = "prices of a market that learns may be negative"


class LearningChecks:
    """Complaints about a scenario with `learning`, left with the `findings`."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def run(self) -> None:
        """All of them."""
        self._goods()
        self._scheduler()

    def _goods(self) -> None:
        for good in self.findings.goods or ():
            if self.findings.mapping("goods", good).get("rival") is False:
                message = "found rival: false beside learning; expected none: every good has one price"
                self.findings.fault(("goods", good, "rival"), message, "key")

    def _scheduler(self) -> None:
        from simulator.dynamics.price_rules import RECIPES

        scheduler, fault = self.findings.mapping("scheduler"), self.findings.fault
        kind, rule, form = scheduler.get("kind", "tatonnement"), scheduler.get("rule"), scheduler.get("form")
        if kind != "tatonnement":
            fault(("scheduler", "kind"), f"found {quoted(str(kind))} beside learning; expected tatonnement")
        elif rule is None and form != "additive":
            path = ("scheduler",) if form is None else ("scheduler", "form")
            fault(path, f"found {form or 'no form'}; expected form: additive: {NEGATIVE}")
        elif rule in RECIPES and RECIPES[rule].form != "additive":
            fitting = ", ".join(name for name, recipe in RECIPES.items() if recipe.form == "additive")
            message = f"found {rule}, which is {RECIPES[rule].form}; expected an additive rule, one of {fitting}"
            fault(("scheduler", "rule"), f"{message}: {NEGATIVE}")
