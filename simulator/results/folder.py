"""The folder of a run on disk: tables appended whole while the run goes on, a checkpoint, and what is written at its
end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from simulator.economics.forms import Array
from simulator.errors import RunFolderError
from simulator.results.recorder import Table

TABLES = ("trajectory", "ticks", "agents", "wedges")
CHECKPOINT = "state.npz"


class RunFolder:
    """CSV files that grow by whole blocks of rows, and a checkpoint that knows how long each of them was.

    A run killed between two blocks loses nothing of the blocks before; `resume` cuts the files back to the last
    checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def start(self, scenario_yaml: str) -> None:
        """Begin anew: whatever an earlier run left is removed, and the resolved scenario is written."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name in [*(f"{table}.csv" for table in TABLES), CHECKPOINT, "summary.json", "equilibrium.csv"]:
            (self.path / name).unlink(missing_ok=True)
        for figure in (self.path / "figures").glob("*"):
            figure.unlink()
        (self.path / "scenario.yaml").write_text(scenario_yaml, encoding="utf-8", newline="\n")
        self._files = {table: (self.path / f"{table}.csv").open("wb") for table in TABLES}

    def resume(self, scenario_yaml: str) -> dict[str, Array] | None:
        """Continue from the checkpoint, if there is one of this very scenario; returns its state, or None to begin
        anew.

        Raises `RunFolderError` if the folder holds a run of another scenario.
        """
        written = self.path / "scenario.yaml"
        if written.exists() and written.read_text(encoding="utf-8") != scenario_yaml:
            message = "found a run of another scenario or of other settings; --overwrite replaces it"
            raise RunFolderError(f"{self.path}: {message}")
        if not (self.path / CHECKPOINT).exists():
            return None
        with np.load(self.path / CHECKPOINT, allow_pickle=False) as archive:
            state = {name: archive[name] for name in archive.files}
        for table in TABLES:
            file = (self.path / f"{table}.csv").open("r+b")
            file.truncate(int(state[f"length.{table}"]))
            file.seek(0, os.SEEK_END)
            self._files[table] = file
        return state

    def finished(self) -> dict[str, Any] | None:
        """The summary of the run in this folder if it has come to its own end, None if it was interrupted or killed."""
        summary = self.path / "summary.json"
        if not summary.exists():
            return None
        said: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
        return None if said["outcome"] == "interrupted" else said

    def append(self, tables: Mapping[str, Table], state: Mapping[str, Array]) -> None:
        """Write a block of rows to each CSV, then the checkpoint that includes them."""
        for name, table in tables.items():
            file = self._files[name]
            text = table.lines()
            file.write((text if file.tell() else table.header + text).encode())
            file.flush()
        lengths = {f"length.{name}": np.array(file.tell()) for name, file in self._files.items()}
        partial = self.path / f"{CHECKPOINT}.part"
        with partial.open("wb") as archive:
            np.savez(archive, **state, **lengths)  # pyright: ignore[reportArgumentType]  (savez has a keyword of its own)
        partial.replace(self.path / CHECKPOINT)

    def finish(self, equilibrium_csv: str, summary: Mapping[str, Any]) -> None:
        """Write what is known at the end."""
        (self.path / "equilibrium.csv").write_text(equilibrium_csv, encoding="utf-8", newline="\n")
        text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
        (self.path / "summary.json").write_text(text + "\n", encoding="utf-8", newline="\n")
