"""The folder of a study: a table that grows by whole rows as runs end, and all that is needed to go on or run anew."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from io import FileIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from simulator.errors import RunFolderError, printable
from simulator.records.folder import FIGURES, INPUTS, LOCK, PART
from simulator.records.lock import Lock
from simulator.scenario.document import dump
from simulator.scenario.rewrite import on_one_line
from simulator.studies.outcome import Row, write_whole
from simulator.studies.study import Study

if TYPE_CHECKING:
    import pandas as pd

RUNS, DESIGN, STUDY, SUMMARY = "runs.csv", "design.csv", "study.yaml", "summary.json"
SENSITIVITY = "sensitivity.csv"
KEPT = ("runs", "trajectories")
OURS = frozenset([RUNS, DESIGN, STUDY, SUMMARY, INPUTS, LOCK, "figures", SENSITIVITY, *KEPT])
WAYS_OUT = "--overwrite replaces it, --resume continues it, --out writes elsewhere"
AFRESH = "--overwrite runs it anew, --out writes elsewhere"


def cell(value: Any) -> str:
    """A value as it stands in a CSV: floats in shortest round-trip form, what is not there empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    return printable(value if isinstance(value, str) else str(value) if isinstance(value, int) else on_one_line(value))


def line(cells: Iterable[str]) -> str:
    """A row of a CSV."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def line_of(study: Study, row: Row) -> str:
    """The line of a run in runs.csv."""
    run, empty = row.run, [None] * len(study.measures)
    values = [*([run.point[path] for path in study.paths]), run.seed, *(row.values or empty)]
    cells = [run.number, run.replication, *values, round(row.seconds, 6), row.error or None]
    return line(map(cell, cells))


def sorted_text(study: Study, lines: Iterable[str]) -> str:
    """The whole table: the lines of all runs by their numbers, under the names of the columns."""
    return "".join([line(study.columns), *sorted(lines, key=_number)])


def _number(text: str) -> int:
    return int(text.partition(",")[0])


def table_of(text: str) -> pd.DataFrame:
    """runs.csv as a DataFrame: an empty cell is nan among numbers, None among texts, and no error is an empty text."""
    import pandas as pd

    header, *rows = csv.reader(StringIO(text))
    columns = {name: [row[place] for row in rows] for place, name in enumerate(header)}
    return pd.DataFrame({name: cells if name == "error" else _column(cells) for name, cells in columns.items()})


def _column(cells: list[str]) -> list[Any]:
    """The cells of a column as whole numbers if all are, as numbers if they are, else as texts."""
    try:
        return [int(each) for each in cells]
    except ValueError:
        try:
            return [float(each or "nan") for each in cells]
        except ValueError:
            return [each or None for each in cells]


class StudyFolder:
    """Where a study is written. Within `with` the folder is this process's alone.

    A kill at any moment loses at most the runs in flight. All methods raise `RunFolderError` with one line on what is
    in the way.
    """

    def __init__(self, path: Path, study: Study) -> None:
        self.path, self.study = path, study
        self._lock = Lock(path / LOCK)
        self._text = dump(study.resolved)
        self._table: FileIO | None = None

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Refuse, before anything is run, a place that holds something else, and a study that would be lost or cannot
        be resumed.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"{self.path}: found a file; expected a folder or nothing")
        names = {file.name.removesuffix(PART) for file in self.path.iterdir()} if self.path.exists() else set[str]()
        if names - OURS:
            raise RunFolderError(f"{self.path}: found a folder with other files than a study's; --out writes elsewhere")
        if names - {LOCK} and not resume and not overwrite:
            raise RunFolderError(f"{self.path}: found a study; {WAYS_OUT}")
        if resume and STUDY in names:
            self._must_be_the_same()

    def _must_be_the_same(self) -> None:
        from ruamel.yaml import YAML

        before = (self.path / STUDY).read_text(encoding="utf-8")
        if before != self._text:
            old: Any = YAML(typ="safe", pure=True).load(before)
            new = self.study.resolved
            keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
            raise RunFolderError(f"{self.path}: found a study of another {' and '.join(keys) or 'text'}; {AFRESH}")
        for name, place in self.study.inputs.items():
            copy = self.path / name
            if not copy.is_file() or copy.read_bytes() != place.read_bytes():
                raise RunFolderError(f"{place}: found other contents than in {copy}; {AFRESH}")

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock.take()
        return self

    def __exit__(self, *_: object) -> None:
        if self._table is not None:
            self._table.close()
        self._lock.release()
        with suppress(OSError):  # Only an empty folder goes.
            self.path.rmdir()

    def start(self) -> None:
        """Begin anew: what an earlier study left is removed."""
        for name in (RUNS, DESIGN, STUDY, SUMMARY, SENSITIVITY):
            (self.path / name).unlink(missing_ok=True)
        for file in [*(self.path / INPUTS).glob("*"), *(self.path / "figures").glob("*")]:
            if file.parent.name == INPUTS or file.suffix in FIGURES:
                file.unlink()
        for name in KEPT:
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name, place in self.study.inputs.items():
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.path / name).write_bytes(place.read_bytes())
        points = [line(map(cell, point.values())) for point in self.study.points]
        write_whole(self.path / DESIGN, "".join([line(self.study.paths), *points]))
        write_whole(self.path / RUNS, line(self.study.columns))
        self._open()
        # Last: where there is a study, there is its table.
        write_whole(self.path / STUDY, self._text)

    def resume(self, *, retry: bool) -> set[int]:
        """Go on with a study: the numbers of the runs that are done. A torn last row is cut, and so are, to `retry`
        them, rows with an error.
        """
        if not (self.path / STUDY).exists():
            self.start()
            return set()
        self._must_be_the_same()
        with (self.path / RUNS).open(encoding="utf-8", newline="") as file:
            header, *lines = file.readlines() or [""]
        whole = [each for each in lines if each.endswith("\n")]
        rows = [next(csv.reader([each])) for each in whole]
        numbers = [int(row[0]) if row[0].isascii() and row[0].isdigit() else -1 for row in rows]
        columns = len(self.study.columns)
        fit = header == line(self.study.columns) and all(len(row) == columns for row in rows)
        if not fit or len({*numbers}) < len(numbers) or not all(0 <= each < self.study.size for each in numbers):
            raise RunFolderError(f"{self.path / RUNS}: found other rows than the study wrote; {AFRESH}")
        kept = [place for place, row in enumerate(rows) if not (retry and row[-1])]
        if len(kept) < len(lines):
            write_whole(self.path / RUNS, "".join([header, *(whole[place] for place in kept)]))
        (self.path / SUMMARY).unlink(missing_ok=True)
        self._open()
        return {numbers[place] for place in kept}

    def _open(self) -> None:
        for name in KEPT:
            if self.study.keep == name:
                (self.path / name).mkdir(exist_ok=True)
        self._table = FileIO(self.path / RUNS, "ab")

    def append(self, text: str) -> None:
        """Write a row, whole."""
        assert self._table is not None
        rest = memoryview(text.encode())
        while rest:
            rest = rest[self._table.write(rest) :]

    def lines(self) -> Sequence[str]:
        """The rows that are there."""
        with (self.path / RUNS).open(encoding="utf-8", newline="") as file:
            return file.readlines()[1:]

    def finish(self, text: str, summary: Mapping[str, Any], name: str = RUNS) -> None:
        """Write a whole table, that of runs unless it is called otherwise, and last the summary."""
        write_whole(self.path / name, text)
        write_whole(self.path / SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
