"""A CSV of a run as a Parquet file: the same rows and columns, smaller and faster to read."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from simulator.extras import library
from simulator.records.columns import TABLES

NUMBERED = ("tick", "equilibrium", "percent", "member", "since")
"""Key columns that hold whole numbers; the others hold names."""
ROWS = 1 << 20
"""Rows of a group at most."""


def pyarrow() -> Any:
    """The library. Raises `MissingExtraError`."""
    return library("pyarrow", "run: {format: parquet}")


def convert(table: str, file: Path, target: Path) -> None:
    """Write the CSV of a table as Parquet, block by block; the same CSV gives the same bytes."""
    arrow = pyarrow()
    csv, parquet = import_module("pyarrow.csv"), import_module("pyarrow.parquet")
    sheet = TABLES[table]
    whole = {column.name for column in sheet.columns if column.whole}.union(NUMBERED)
    with file.open(encoding="utf-8") as opened:
        columns = opened.readline().strip().split(",")
    types = {
        name: arrow.int64() if name in whole else arrow.string() if name in sheet.keys else arrow.float64()
        for name in columns
    }
    read = csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=False)
    blocks = csv.open_csv(file, csv.ReadOptions(use_threads=False), convert_options=read)
    with parquet.ParquetWriter(target, blocks.schema) as writer:
        for block in blocks:
            writer.write_batch(block, row_group_size=ROWS)
