"""Reads the numbers of one entry of a scenario, drawn or not, into arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.scenario.draws import ABOVE_0, AT_LEAST_0, Array, Bound, Draws
from simulator.scenario.plugins import NO_PLUGINS, Plugins

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Reader:
    """Reads the numbers of one entry of `count` agents: where in the scenario it stands, the goods it may name, and the
    kinds from outside.
    """

    draws: Draws
    goods: tuple[str, ...]
    count: int
    path: str
    plugins: Plugins = NO_PLUGINS

    def at(self, *steps: str) -> Reader:
        """The same further down."""
        return replace(self, path=".".join((self.path, *steps)))

    def number(self, given: Any, key: str, bound: Bound = ABOVE_0) -> Array:
        """`(1,)`, or `(count,)` if drawn."""
        return self.draws.number(given, self.count, f"{self.path}.{key}", bound)

    def table(self, given: Given, key: str, names: Sequence[str] | None = None, bound: Bound = AT_LEAST_0) -> Array:
        """`(1, names)`, or `(count, names)` if drawn; names are the goods unless said."""
        order = self.goods if names is None else names
        return self.draws.table(given, order, self.count, f"{self.path}.{key}", bound)
