"""The folder of a run on disk: tables that grow while the run goes on, a checkpoint, and what is written at its end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator, Mapping, Set
from contextlib import contextmanager, suppress
from errno import EACCES, EPERM, EROFS
from io import FileIO
from pathlib import Path
from typing import Any, Self

from simulator.errors import RunFolderError
from simulator.records.checkpoint import DAMAGED, Manifest, State, Tally, UnfitError, Written, packed
from simulator.records.columns import KEPT_TABLES, TABLES, growing_columns
from simulator.records.lock import Lock
from simulator.records.parquet import convert
from simulator.records.table import Table

SCENARIO, CHECKPOINT, SUMMARY = "scenario.yaml", "state.npz", "summary.json"
GROWING, LAST = (*growing_columns(taxes=True), "members"), ("equilibrium", "distribution", "welfare")
"""Tables that grow with the ticks, and those written at the end."""
INPUTS = "inputs"
"""Copies of the files that the scenario read."""
LOCK = "run.lock"
"""There while a run is at work in the folder."""
PART = ".part"
"""Ending of a file that is still being written; it takes its own name once it is whole."""
CURVES = "curves.csv"
"""Supply and demand of some goods, where somebody asked for them once the run was over."""
WRITTEN = (*(f"{table}.{kind}" for table in TABLES for kind in ("csv", "parquet")), SUMMARY, CHECKPOINT, CURVES)
FIGURES = (".pdf", ".png", ".svg")

KEEP_EVERY = 0.05
"""Seconds from one state that is kept to the next, at least."""
SAVE_EVERY, SAVE_SHARE = 1.0, 0.05
"""Seconds from one checkpoint to the next at least, and the part of a run's time that goes into them at most."""
WAYS_OUT = "--overwrite replaces it, --out writes elsewhere"


def check_vacant(folder: Path, what: str, ours: Set[str], *, overwrite: bool) -> None:
    """Raises `RunFolderError` if a folder holds a comparison or a fit (`what`, with files `ours`) that may not be
    replaced, or anything else.
    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder}: found a file; expected a folder or nothing")
    names = {file.name for file in folder.iterdir()} if folder.exists() else set[str]()
    if names - ours:
        raise RunFolderError(f"{folder}: found a folder with other files than a {what}'s; --out writes elsewhere")
    if names and not overwrite:
        raise RunFolderError(f"{folder}: found a {what}; --overwrite replaces it, --out writes elsewhere")


class RunFolder:
    """CSV files of the `tables` that are kept, which grow by whole blocks of rows, and a checkpoint that knows what was
    in each of them.

    A run killed at any moment loses nothing recorded before its last checkpoint: `resume` cuts the files back to it. A
    run is finished once there is a checkpoint that knows the summary, which is written after everything that it speaks
    of. If the `form` is parquet, the CSVs of a run that is at its end become Parquet files, and go once the checkpoint
    knows of these. Within `with` the folder is this process's alone. All methods raise `RunFolderError` with one line
    on what is in the way.
    """

    def __init__(self, path: Path, tables: Set[str] = KEPT_TABLES, form: str = "csv") -> None:
        self.path, self._form = path, form
        self._growing = [f"{table}.csv" for table in GROWING if table in tables]
        self._at_the_end = [*(f"{table}.csv" for table in LAST if table in tables), SUMMARY]
        self._lock = Lock(path / LOCK)
        self._made = False
        self._files: dict[str, GrowingFile] = {}
        self._last: dict[str, Written] = {}
        self._held: tuple[State, dict[str, Written]] | None = None
        self._due = self._kept_until = 0.0

    def __enter__(self) -> Self:
        self.refuse_strangers()
        with self._plainly("written"):
            self._made = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.take()
            except OSError as error:
                # Where nobody can write, a finished run may still be read.
                if error.errno not in (EACCES, EPERM, EROFS):
                    raise
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
        self._lock.release()
        if self._made:
            with suppress(OSError):  # Only an empty folder goes.
                self.path.rmdir()

    @property
    def vacant(self) -> bool:
        """Whether a run may be written here without anything being lost: no such folder, or an empty one."""
        return not self.path.exists() or (self.path.is_dir() and self._names() <= {LOCK})

    def refuse_strangers(self) -> None:
        """Refuse a place that holds something other than a run, which is not ours to replace."""
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"{self.path}: found a file; expected a folder or nothing")
        names = {name.removesuffix(PART) for name in self._names()} if self.path.exists() else set[str]()
        if SCENARIO not in names and names - {*WRITTEN, "figures", INPUTS, LOCK}:
            raise RunFolderError(f"{self.path}: found a folder with other files than a run's; --out writes elsewhere")

    def start(self, scenario_yaml: str, inputs: Mapping[str, Path]) -> None:
        """Begin anew: whatever an earlier run left is removed, and the resolved scenario is written with a copy of each
        file that it reads, by its name `inputs/NAME`.
        """
        copies = {name: self._read(place) for name, place in inputs.items()}
        self.refuse_strangers()
        with self._plainly("written"):
            old = [self.path / f"{name}{ending}" for name in WRITTEN for ending in ("", PART)]
            old += [figure for figure in (self.path / "figures").glob("*") if figure.suffix in FIGURES]
            for file in (*old, *(self.path / INPUTS).glob("*")):
                file.unlink(missing_ok=True)
            for name, data in copies.items():
                (self.path / name).parent.mkdir(exist_ok=True)
                self._write(name, data)
            self._write(SCENARIO, scenario_yaml.encode())
            for name in self._growing:
                self._files[name] = GrowingFile(self.path / name)

    def resume(self, manifest: Manifest, fresh: State, ticks: int) -> State:
        """Continue from the checkpoint: its state, with the files cut back to it.

        `fresh` is the state of a run of this scenario before its first tick, and no run goes beyond so many `ticks`.
        """
        with self._plainly("read"):
            manifest.refuse_misfits(fresh, ticks)
            state = manifest.load(self.path / CHECKPOINT, ticks)
        tallies = {name: self._tally(name, manifest.files[name]) for name in self._growing}
        with self._plainly("written"):
            for name in (*self._at_the_end, *map(self._finally, self._growing)):
                if name not in self._growing:
                    (self.path / name).unlink(missing_ok=True)
            for name, tally in tallies.items():
                self._files[name] = GrowingFile(self.path / name, tally)
        return state

    def checkpoint(self, scenario_yaml: str, inputs: Mapping[str, Path]) -> Manifest | None:
        """What the checkpoint says of itself, None if there is none; nothing is changed, and no table is read.

        Raises `RunFolderError` if the folder holds a run of another scenario or of other inputs, or if it can be seen
        that its files were damaged.
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
            manifest = Manifest.read(self.path / CHECKPOINT)
            at_the_end = map(self._finally, (*self._growing, *self._at_the_end))
            whole = set(manifest.files) in ({*self._growing}, {*at_the_end})
            if not whole or not all(written.length > 0 for written in manifest.files.values()):
                raise UnfitError(DAMAGED)
            for name, written in manifest.files.items():
                file = self.path / name
                if not file.is_file() or file.stat().st_size < written.length:
                    raise RunFolderError(f"{file}: found less than the checkpoint knows of; {WAYS_OUT}")
        return manifest

    def finished(self, manifest: Manifest) -> dict[str, Any] | None:
        """The summary of the run if it came to its own end, None if it was interrupted or killed."""
        if SUMMARY not in manifest.files:
            return None
        for name, written in manifest.files.items():
            if self._tally(name, written).written.length < (self.path / name).stat().st_size:
                raise RunFolderError(f"{self.path / name}: found more than the run wrote; {WAYS_OUT}")
        with suppress(OSError):
            self._drop_csvs(manifest.files)
        return json.loads(self._read(self.path / SUMMARY))

    def append(self, tables: Mapping[str, Table]) -> None:
        """Write a block of rows to each CSV that is kept."""
        kept = {f"{name}.csv": table for name, table in tables.items()}
        with self._plainly("written"):
            for name in self._files.keys() & kept.keys():
                file, table = self._files[name], kept[name]
                if not file.tally.written.length:
                    file.add(table.header.encode())
                for text in table.lines():
                    file.add(text.encode())

    def hold(self, state: Callable[[], State]) -> None:
        """Keep the state after all rows written so far, and after `finish` all that was written; save it if due.

        After blocks that take no time an earlier state is good enough: what follows of it is the same.
        """
        now = time.monotonic()
        if now < self._kept_until and not self._last:
            return
        files = {name: file.tally.written for name, file in self._files.items()} | self._last
        self._held = {name: array.copy() for name, array in state().items()}, files
        if now >= self._due:
            self.save()
        self._kept_until = time.monotonic() + KEEP_EVERY

    def save(self) -> None:
        """Write the state kept last as the checkpoint, if that has not been done."""
        if self._held is None:
            return
        began = time.monotonic()
        with self._plainly("written"):
            self._write(CHECKPOINT, packed(*self._held))
            self._drop_csvs(self._held[1])
        self._held = None
        now = time.monotonic()
        self._due = now + max(SAVE_EVERY, (now - began) / SAVE_SHARE)

    def finish(self, tables: Mapping[str, Table], summary: Mapping[str, Any]) -> None:
        """Write what is known at the end, the summary last."""
        text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
        last = {f"{name}.csv": "".join([table.header, *table.lines()]).encode() for name, table in tables.items()}
        with self._plainly("written"):
            for name, data in last.items():
                self._write(name, data)
                self._last[name] = Tally(data).written
            if self._form != "csv" and summary["outcome"] != "interrupted":
                self._last = {self._finally(name): self._convert(name) for name in (*self._files, *last)}
                self._files = {}
            self._write(SUMMARY, f"{text}\n".encode())
            self._last[SUMMARY] = Tally(f"{text}\n".encode()).written

    def _finally(self, name: str) -> str:
        """What a CSV is called once the run is at its end."""
        return name.replace(".csv", f".{self._form}")

    def _convert(self, name: str) -> Written:
        """Write a CSV in the form that it has in the end."""
        target = self.path / self._finally(name)
        part = target.with_name(f"{target.name}{PART}")
        if name in self._files:
            self._files[name].close()
        try:
            convert(name.removesuffix(".csv"), self.path / name, part)
            part.replace(target)
        except (OSError, KeyboardInterrupt):
            part.unlink(missing_ok=True)
            raise
        return Tally.of(target, sys.maxsize).written

    def _drop_csvs(self, known: Mapping[str, Written]) -> None:
        """Remove the CSVs that a checkpoint knows in another form."""
        for name in (*self._growing, *self._at_the_end):
            if name not in known and self._finally(name) in known:
                (self.path / name).unlink(missing_ok=True)

    def _names(self) -> set[str]:
        """What is in the folder."""
        with self._plainly("read"):
            return {entry.name for entry in self.path.iterdir()}

    def _read(self, place: Path) -> bytes:
        with self._plainly("read"):
            return place.read_bytes()

    def _write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        part = self.path / f"{name}{PART}"
        try:
            with FileIO(part, "wb") as file:
                _write_all(file, data)
            part.replace(self.path / name)
        except (OSError, KeyboardInterrupt):
            part.unlink(missing_ok=True)
            raise

    def _tally(self, name: str, written: Written) -> Tally:
        """What a file holds up to the checkpoint; refused if that is not what was written."""
        with self._plainly("read"):
            tally = Tally.of(self.path / name, written.length)
        if tally.written != written:
            raise RunFolderError(f"{self.path / name}: found other contents than the run wrote; {WAYS_OUT}")
        return tally

    @contextmanager
    def _plainly(self, done: str) -> Generator[None]:
        """Say in one line what is wrong with the checkpoint, or what the operating system refuses."""
        try:
            yield
        except UnfitError as error:
            raise RunFolderError(f"{self.path / CHECKPOINT}: found {error}; {WAYS_OUT}") from None
        except OSError as error:
            place = error.filename or self.path
            raise RunFolderError(f"{place}: cannot be {done}: {error.strerror or type(error).__name__}") from error


class GrowingFile(FileIO):
    """A file that is only added to: from nothing, or from a beginning whose tally is known, to which it is cut back.

    It knows length and checksum of all that it holds, and reads nothing.
    """

    def __init__(self, path: Path, tally: Tally | None = None) -> None:
        super().__init__(path, "r+b" if tally else "wb")
        self.tally = tally or Tally()
        self.truncate(self.tally.written.length)
        self.seek(0, 2)

    def add(self, data: bytes) -> None:
        """Write more."""
        _write_all(self, data)
        self.tally.add(data)


def _write_all(file: FileIO, data: bytes) -> None:
    """Write without a buffer, so that what a full disk refuses is known here and not when the file is closed."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
