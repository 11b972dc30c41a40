"""Recording to CSV: the rows of a run's growing tables on disk, against `csv.writer` on the same rows."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np

from benchmarks.harness import Columns, Group, Groups, Line, Side
from benchmarks.markets import OBJECTS, scenario
from simulator.records.folder import RunFolder
from simulator.records.table import Table, frames
from simulator.scenario import load
from simulator.simulation import Simulation

Blocks = list[dict[str, Table]]


def blocks(asked: Any) -> Blocks:
    """The tables of a run, block by block."""
    simulation, found = Simulation(asked), list[dict[str, Table]]()
    for _ in simulation.ticks():
        if simulation.recorder.full or simulation.verdict is not None:
            found.append(simulation.recorder.tables(last=simulation.verdict is not None))
    return found


def ours(text: str, tables: Blocks) -> Path:
    """The folder of a run, with its rows."""
    place = Path(mkdtemp())
    with RunFolder(place) as folder:
        folder.start(text, {})
        for block in tables:
            folder.append(block)
    return place


def by_csv_writer(tables: dict[str, Any]) -> Path:
    """The same rows, of DataFrames, by the standard library."""
    place = Path(mkdtemp())
    for name, frame in tables.items():
        with (place / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(frame.columns)
            writer.writerows(zip(*(cells(frame[column].to_numpy()) for column in frame), strict=True))
    return place


def cells(column: np.ndarray) -> list[Any]:
    """A column as `csv.writer` is to write it: None, an empty cell, for what is no number."""
    if column.dtype.kind != "f" or np.isfinite(column).all():
        return column.tolist()
    return [value if finite else None for value, finite in zip(column.tolist(), np.isfinite(column), strict=True)]


def content(place: Path) -> Columns:
    """The bytes of every table, as numbers; the folder goes."""
    found = {file.name: np.frombuffer(file.read_bytes(), np.uint8) for file in place.glob("*.csv")}
    rmtree(place)
    return {name: data for name, data in found.items() if len(data)}


def writing(what: str, asked: Any) -> Group:
    """The rows of one scenario."""
    tables, text = blocks(asked), asked.text
    same = frames(tables, asked.run.tables)
    rows = sum(map(len, same.values()))

    def side(work: Callable[[], Path]) -> Side:
        return Side(lambda: work, content, rows, per=" a row")

    sides = {"ours": side(lambda: ours(text, tables)), "csv": side(lambda: by_csv_writer(same))}
    return Group(sides, [Line(what, "recording to CSV, against csv.writer", "ours", "csv", at_most=1.5)], tolerance=0.0)


def ten_goods(ticks: int) -> Any:
    """A thousand consumers who all differ, ten goods."""
    goods = [f"g{number}" for number in range(10)]
    tastes = {"elasticity": {"uniform": [0.4, 2.5]}, "shares": {"dirichlet": dict.fromkeys(goods, 2)}}
    people = {"name": "people", "count": 1000, "utility": {"ces": tastes}}
    people["endowment"] = {good: {"lognormal": {"mean": 0, "sigma": 0.5}} for good in goods}
    run = {"ticks": ticks, "references": "off", "stop": "never"}
    return load({"name": "ten_goods", "goods": goods, "consumers": [people], "run": run})


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    ticks = 60 if quick else 4_000
    small = {f"{name} files": lambda name=name: writing(name, scenario(name, ticks)) for name in OBJECTS}
    return {**small, "ten goods files": lambda: writing("ten goods", ten_goods(ticks // 4))}
