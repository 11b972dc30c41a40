"""What keeps a scenario from being run, though it can be solved: behaviours that do not suit a firm's returns to scale,
and firms whose earnings would leave the economy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulator.dynamics.behaviours import Activity
from simulator.economics.economy import Economy
from simulator.kinds.numbers import positive
from simulator.kinds.wording import shown
from simulator.scenario.document import Fault
from simulator.scenario.schema import SHARE_ROUNDING, ScenarioFile
from simulator.slips import meant


def run_faults(model: ScenarioFile, economy: Economy) -> Iterator[Fault]:
    """Complaints about a scenario whose agents plan, and the economy that it begins with."""
    leaking = model.trade != "at_equilibrium" and closed(model)
    owned = np.sum([cohort.total_owned for cohort in economy.consumers], axis=0)
    for at, (said, firm) in enumerate(zip(model.firms, economy.firms, strict=True)):
        constant, active = firm.technology.constant_returns, isinstance(firm.behaviour, Activity)
        path, name = ("firms", at, "behaviour"), said.behaviour.name
        if constant and not active:
            why = "at given prices no output pays, or more always pays more, and no plan is best"
            guess = meant("behaviour: {activity: {rate: 0.1, start: 1}}")
            yield Fault(path, f"found {name} of a firm with constant returns: {why}; expected activity{guess}")
        elif active and not constant:
            expected = "expected best_response (the default) or marginal_adjustment"
            found = f"found {name} of a firm without constant returns: prices say how much it is best to make"
            yield Fault(path, f"{found}; {expected}")
        elif constant and leaking and np.take(owned, at) < 1.0 - SHARE_ROUNDING:
            found = f"found {shown(said.name)} with constant returns, of which {np.take(owned, at):.6g} is owned"
            why = "what the rest earns or loses in every tick would leave the economy or come from nowhere"
            expected = f"expected owns: {{{said.name}: 1}} of a consumer, or trade: at_equilibrium"
            yield Fault(("firms", at), f"{found}: {why}; {expected}")


def closed(model: ScenarioFile) -> bool:
    """Whether no money comes into an economy: there are neither outside prices nor budgets."""
    budgets = any(consumer.unlimited or positive(consumer.budget or 0.0) for consumer in model.consumers)
    return not model.outside and not budgets
