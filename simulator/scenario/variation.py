"""One scenario with other values at some of its paths, again and again: what studies, fits and searches run."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.scenario import load
from simulator.scenario.build import Scenario


class Variation:
    """A `scenario` whose values at dotted paths, as in `--set`, are replaced by others."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def at(self, changes: Mapping[str, object]) -> Scenario:
        """The scenario with these values by path. Raises `ScenarioError` if it is refused."""
        base = self.scenario
        return load(base.resolved, settings=changes, inputs=base.inputs, plugins=base.plugins)
