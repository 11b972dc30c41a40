"""What a run's folder holds, told so that two runs can be compared, and runs that are stopped on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.house import Scenario, run_to_disk

CSVS = ("trajectory.csv", "ticks.csv", "agents.csv", "wedges.csv", "equilibrium.csv")


def contents(folder: Path, files: Iterable[str] = CSVS) -> dict[str, bytes]:
    """The bytes of each file."""
    return {name: (folder / name).read_bytes() for name in files}


def summary(folder: Path) -> dict[str, Any]:
    """The summary but for the time it took."""
    said = json.loads((folder / "summary.json").read_text())
    del said["wall_seconds"]
    return said


def run_with_stops(scenario: Scenario, folder: Path, first: int) -> int:
    """Stop a run after `first` looks at the clock, go on, stop it a little later, and so on to its end; how often it
    was begun or resumed.
    """
    said, starts = {"outcome": "interrupted"}, 0
    while said["outcome"] == "interrupted":
        left = iter(range(first + 37 * starts))
        said = run_to_disk(scenario, folder, resume=starts > 0, stopped=lambda left=left: next(left, None) is None)
        starts += 1
    return starts
