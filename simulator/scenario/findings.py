"""What a check knows of a scenario and how it complains: the ground that all checks stand on."""

from __future__ import annotations

from typing import Any

from simulator.kinds.entry import Spot, Steps
from simulator.scenario.complaints import declared_goods
from simulator.scenario.document import Document, Fault
from simulator.scenario.schema import Consumer, Firm, ScenarioFile


class Findings:
    """The sound part of a scenario, and the faults found in it so far; what is at fault is None in the `model`.

    A check asks whether what it needs is `sound`, and complains by `fault`: so that one mistake neither hides another
    nor causes a second complaint.
    """

    def __init__(self, document: Document, model: ScenarioFile) -> None:
        self.document, self.model = document, model
        self.faulty: set[Steps] = set()
        for fault in document.faults:
            self.mark(fault)
        self.goods = declared_goods(document.data)
        self.firms: dict[int, Firm] = _entries(model.firms)
        """The readable entries, by their places."""
        self.consumers: dict[int, Consumer] = _entries(model.consumers)

    @property
    def faultless(self) -> bool:
        """Whether nothing has been complained about."""
        return not self.document.faults

    def mark(self, fault: Fault) -> None:
        self.faulty.update(fault.path[:length] for length in range(len(fault.path) + 1))

    def fault(self, path: Steps, message: str, spot: Spot = "value") -> None:
        fault = Fault(path, message, spot)
        self.mark(fault)
        self.document.faults.append(fault)

    def sound(self, *path: str | int) -> bool:
        """Whether nothing at or below a path has been complained about."""
        return path not in self.faulty

    def written(self, *path: str | int) -> dict[str, Any]:
        """A mapping as it was written."""
        entry = self.document.at(path)
        return entry if isinstance(entry, dict) else {}


def _entries(entries: Any) -> dict[int, Any]:
    return {at: entry for at, entry in enumerate(entries or ()) if entry is not None}
