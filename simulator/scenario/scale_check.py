"""Whether every market has a size `s` that steps can be taken per unit of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.scenario.document import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.scenario.build import Scenario


def scale_faults(scenario: Scenario) -> Iterator[Fault]:
    """What is wrong with steps per unit of `s` in an economy of the scenario, at the key that asks for them."""
    from simulator.economics.signal import without_scale

    if not scenario.rule.relative:
        return
    scheduler = scenario.resolved["scheduler"]
    key = "rule" if scheduler.get("rule") else "with" if scheduler.get("form") == "additive" else "form"
    economies, markets = [regime.economy for regime in scenario.regimes], scenario.markets
    without = {place for economy in economies for place in without_scale(economy, scenario.rule.fixed)}
    if without:
        named = ", ".join(dict.fromkeys(markets.goods[markets.good[place]] for place in sorted(without)))
        message = f"found steps per unit of s, but a linear taste makes demand for {named} jump and firms supply it"
        advice = "expected form: additive, without relative (the mean of z/s at the right price is not 0)"
        yield Fault(("scheduler", key), f"{message}; {advice}")
