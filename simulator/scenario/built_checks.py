"""What is wrong with a scenario and shows once it is built: steps without a scale, engines that cannot serve it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.extras import MissingExtraError
from simulator.kinds.wording import one_of
from simulator.scenario.document import Fault
from simulator.slips import meant

if TYPE_CHECKING:
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
        guess = meant(f"scheduler: {{form: additive, rate: {scheduler['rate']}}}")
        yield Fault(("scheduler", key), f"{message}; {advice}{guess}")


def engine_faults(scenario: Scenario) -> Iterator[Fault]:
    """Why the engine that a scenario asks for cannot run it."""
    engine = scenario.run.engine
    if engine not in ("floats", "compiled"):
        return
    if engine == "compiled":
        from simulator.formulas.compiled import numba

        try:
            off = numba().config.DISABLE_JIT
        except MissingExtraError as error:
            yield Fault(("run", "engine"), f"found compiled: {error}")
            return
        if off:
            yield Fault(("run", "engine"), "found compiled, with NUMBA_DISABLE_JIT set; expected it unset, or floats")
            return
    for why in _refusals(scenario, engine):
        if why is not None:
            serve = ["auto", "arrays"]
            if engine == "compiled" and not any(_refusals(scenario, "floats")):
                serve.insert(1, "floats")
            expected = f"expected {one_of(serve)}{meant('engine: auto')}"
            yield Fault(("run", "engine"), f"found {engine}, which cannot run this economy: {why}; {expected}")
            return


def _refusals(scenario: Scenario, engine: str) -> Iterator[str | None]:
    """Why an engine cannot run each of the economies of a scenario, None where it can."""
    for regime in scenario.regimes:
        yield scenario.scheduler.refusal(regime.economy, scenario.initial_prices, engine)
