"""market-simulator: how markets find, or fail to find, their prices, and what each price means on the way.

`run = simulate("scenarios/tupperware.yaml")` runs a scenario; `run.trajectory`, `run.ticks`, `run.agents`,
`run.wedges` and `run.equilibrium` are DataFrames, `run.prices` is one of ticks by goods, `run.summary` a dict, and
`run.plot()` draws.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.answers import market as market
    from simulator.errors import ScenarioError as ScenarioError
    from simulator.finished import Run as Run
    from simulator.run import simulate as simulate
    from simulator.scenario import Plugins as Plugins
    from simulator.scenario import Scenario as Scenario
    from simulator.scenario import load as load
    from simulator.scenario.runs import load_from as load_from
    from simulator.solving import Solution as Solution
    from simulator.solving import solve as solve
    from simulator.studies.fit import Fit as Fit
    from simulator.studies.fit import fit as fit
    from simulator.studies.purchases import LearntTastes as LearntTastes
    from simulator.studies.purchases import fit_purchases as fit_purchases
    from simulator.studies.scenario_model import ScenarioModel as ScenarioModel
    from simulator.studies.sensitivity import sensitivity as sensitivity
    from simulator.studies.sweep import sweep as sweep

    __version__: str

HOMES = {
    "Fit": "simulator.studies.fit",
    "LearntTastes": "simulator.studies.purchases",
    "Plugins": "simulator.scenario",
    "Run": "simulator.finished",
    "Scenario": "simulator.scenario",
    "ScenarioError": "simulator.errors",
    "ScenarioModel": "simulator.studies.scenario_model",
    "fit": "simulator.studies.fit",
    "fit_purchases": "simulator.studies.purchases",
    "load": "simulator.scenario",
    "load_from": "simulator.scenario.runs",
    "market": "simulator.answers",
    "sensitivity": "simulator.studies.sensitivity",
    "sweep": "simulator.studies.sweep",
    "simulate": "simulator.run",
    "Solution": "simulator.solving",
    "solve": "simulator.solving",
}
"""The public names and their modules, imported when first asked for, so that the command line starts fast."""

__all__ = [
    "Fit",
    "LearntTastes",
    "Plugins",
    "Run",
    "Scenario",
    "ScenarioError",
    "ScenarioModel",
    "Solution",
    "fit",
    "fit_purchases",
    "load",
    "load_from",
    "market",
    "sensitivity",
    "simulate",
    "solve",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("market-simulator")
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*HOMES, "__version__"])
