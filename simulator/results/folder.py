"""The folder of a run on disk: tables that grow while the run goes on, a checkpoint, and what is written at its end."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from simulator.errors import RunFolderError
from simulator.records.table import Table

TABLES = ("trajectory", "ticks", "agents", "wedges")
SCENARIO, CHECKPOINT, SUMMARY = "scenario.yaml", "state.npz", "summary.json"
LAST = ("equilibrium.csv", "distribution.csv")
"""What is written at the end, beside the summary."""
INPUTS = "inputs"
"""Copies of the files that the scenario read."""
PART = ".part"
"""Ending of a file that is still being written; it takes its own name once it is whole."""
WRITTEN = (SUMMARY, CHECKPOINT, *LAST, *(f"{table}.csv" for table in TABLES))
FIGURES = (".pdf", ".png", ".svg")

State = dict[str, NDArray[Any]]


class RunFolder:
    """CSV files that grow by whole blocks of rows, and a checkpoint that knows how long each of them was.

    A run killed at any moment loses nothing recorded before its last checkpoint: `resume` cuts the files back to it. A
    run is finished once its summary is there, which is written after everything that it speaks of. All methods raise
    `RunFolderError` with one line on what is in the way.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, FileIO] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    @property
    def vacant(self) -> bool:
        """Whether a run may be written here without anything being lost: no such folder, or an empty one."""
        with self._plainly("read"):
            return not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir()))

    def refuse_strangers(self) -> None:
        """Refuse a place that holds something other than a run, which is not ours to replace."""
        with self._plainly("read"):
            if self.path.exists() and not self.path.is_dir():
                raise RunFolderError(f"{self.path}: found a file; expected a folder or nothing")
            names = (
                {entry.name.removesuffix(PART) for entry in self.path.iterdir()} if self.path.exists() else set[str]()
            )
        if SCENARIO not in names and names - {*WRITTEN, "figures", INPUTS}:
            raise RunFolderError(f"{self.path}: found a folder with other files than a run's; --out writes elsewhere")

    def start(self, scenario_yaml: str, inputs: Mapping[str, Path]) -> None:
        """Begin anew: whatever an earlier run left is removed, and the resolved scenario is written with a copy of each
        file that it reads, by its name `inputs/NAME`.
        """
        copies = {name: self._read(place) for name, place in inputs.items()}
        self.refuse_strangers()
        with self._plainly("written"):
            self.path.mkdir(parents=True, exist_ok=True)
            for name in WRITTEN:
                (self.path / name).unlink(missing_ok=True)
            for figure in (self.path / "figures").glob("*"):
                if figure.suffix in FIGURES:
                    figure.unlink()
            for old in (self.path / INPUTS).glob("*"):
                old.unlink()
            for name, data in copies.items():
                (self.path / name).parent.mkdir(exist_ok=True)
                self._write(name, data)
            self._write(SCENARIO, scenario_yaml.encode())
            self._files = {table: FileIO(self.path / f"{table}.csv", "wb") for table in TABLES}

    def resume(self, scenario_yaml: str, inputs: Mapping[str, Path]) -> State | None:
        """Continue from the checkpoint: its state, with the files cut back to it; None where there is none."""
        state = self.checkpoint(scenario_yaml, inputs)
        if state is None:
            return None
        with self._plainly("written"):
            for name in (SUMMARY, *LAST):
                (self.path / name).unlink(missing_ok=True)
            for table in TABLES:
                file = self._files[table] = FileIO(self.path / f"{table}.csv", "r+b")
                file.truncate(int(state[f"length.{table}"]))
                file.seek(0, 2)
        return state

    def checkpoint(self, scenario_yaml: str, inputs: Mapping[str, Path]) -> State | None:
        """The state to resume from, None if there is none; nothing is changed.

        Raises `RunFolderError` if the folder holds a run of another scenario or of other inputs, or if its files were
        damaged.
        """
        self.refuse_strangers()
        with self._plainly("read"):
            if not (self.path / SCENARIO).exists():
                return None
            if (self.path / SCENARIO).read_bytes() != scenario_yaml.encode():
                raise RunFolderError(f"{self.path}: found a run of other settings or another scenario; {WAYS_OUT}")
            if not (self.path / CHECKPOINT).exists():
                return None
            for name, place in inputs.items():
                if not (self.path / name).is_file() or (self.path / name).read_bytes() != self._read(place):
                    raise RunFolderError(f"{place}: found other contents than in {self.path / name}; {WAYS_OUT}")
            try:
                with np.load(BytesIO((self.path / CHECKPOINT).read_bytes()), allow_pickle=False) as archive:
                    state = {name: archive[name] for name in archive.files}
                lengths = {table: int(state[f"length.{table}"]) for table in TABLES}
            except OSError:
                raise
            except Exception:  # Damage can make almost anything of an archive.
                raise RunFolderError(f"{self.path / CHECKPOINT}: found a damaged checkpoint; {WAYS_OUT}") from None
            for table, length in lengths.items():
                file = self.path / f"{table}.csv"
                if not file.is_file() or file.stat().st_size < length:
                    raise RunFolderError(f"{file}: found fewer rows than the checkpoint knows of; {WAYS_OUT}")
        return state

    def finished(self, scenario_yaml: str) -> dict[str, Any] | None:
        """The summary of this very scenario's run if it came to its own end, None if it was interrupted or killed."""
        self.refuse_strangers()
        with self._plainly("read"):
            if not (self.path / SUMMARY).exists() or (self.path / SCENARIO).read_bytes() != scenario_yaml.encode():
                return None
            try:
                said: dict[str, Any] = json.loads((self.path / SUMMARY).read_bytes())
                return None if said["outcome"] == "interrupted" else said
            except (ValueError, KeyError, TypeError):
                raise RunFolderError(f"{self.path / SUMMARY}: found no summary of a run; {WAYS_OUT}") from None

    def append(self, tables: Mapping[str, Table]) -> None:
        """Write a block of rows to each CSV."""
        with self._plainly("written"):
            for name, table in tables.items():
                file = self._files[name]
                text = table.lines()
                _write_all(file, (text if file.tell() else table.header + text).encode())

    def save(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Write the checkpoint: the state after all rows written so far."""
        archive = BytesIO()
        lengths = {f"length.{name}": np.array(file.tell()) for name, file in self._files.items()}
        np.savez(archive, **state, **lengths)  # pyright: ignore[reportArgumentType]  (savez has a keyword of its own)
        with self._plainly("written"):
            self._write(CHECKPOINT, archive.getvalue())

    def finish(self, tables: Mapping[str, Table], summary: Mapping[str, Any]) -> None:
        """Write what is known at the end, the summary last."""
        text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
        with self._plainly("written"):
            for name, table in tables.items():
                self._write(f"{name}.csv", (table.header + table.lines()).encode())
            self._write(SUMMARY, f"{text}\n".encode())

    def _read(self, place: Path) -> bytes:
        with self._plainly("read"):
            return place.read_bytes()

    def _write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        part = self.path / f"{name}{PART}"
        with FileIO(part, "wb") as file:
            _write_all(file, data)
        part.replace(self.path / name)

    @contextmanager
    def _plainly(self, done: str) -> Generator[None]:
        """Say in one line what the operating system refuses."""
        try:
            yield
        except OSError as error:
            place = error.filename or self.path
            raise RunFolderError(f"{place}: cannot be {done}: {error.strerror or type(error).__name__}") from error


WAYS_OUT = "--overwrite replaces it, --out writes elsewhere"


def _write_all(file: FileIO, data: bytes) -> None:
    """Write without a buffer, so that what a full disk refuses is known here and not when the file is closed."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
