"""What a run left behind: its frames, read back from the CSVs and laid out as arrays of shape (ticks, items)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulator.extras import library

Floats = NDArray[np.float64]

TABLES = ("trajectory", "ticks", "agents", "wedges", "equilibrium", "distribution", "welfare")
NAME_COLUMNS = ("good", "agent", "kind", "firm", "input")


@dataclass(frozen=True)
class Frames:
    """A finished run as data frames and its summary; a table that the run did not write is an empty frame."""

    trajectory: pd.DataFrame
    ticks: pd.DataFrame
    agents: pd.DataFrame
    wedges: pd.DataFrame
    equilibrium: pd.DataFrame
    distribution: pd.DataFrame
    summary: Mapping[str, Any]
    welfare: pd.DataFrame = field(default_factory=pd.DataFrame)
    members: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Supply and demand at other prices, where they were asked for."""


def read_run(folder: str | Path) -> Frames:
    """The CSVs and `summary.json` of a run folder; `FileNotFoundError` where there is no `trajectory.csv`, unless the
    run left it out.
    """
    folder = Path(folder)
    if not is_there(folder / "trajectory.csv") and "trajectory" not in left_out(folder):
        raise FileNotFoundError(f"{folder}: no trajectory.csv here; expected the folder of a run, such as outputs/NAME")
    tables = {name: read_table(folder / f"{name}.csv") for name in (*TABLES, "members", "curves")}
    return Frames(**tables, summary=read_summary(folder))


class NothingToSeeError(ValueError):
    """A figure, or a part of a run, of which there is nothing to see."""


def part_of(run: Frames, goods: Sequence[str] = (), between: tuple[float, float] | None = None) -> Frames:
    """A run as if only some goods had been recorded, and only in the ticks between two.

    Raises NothingToSeeError where a good is none of the run's, or no tick was recorded then.
    """
    known = dict.fromkeys(run.trajectory["good"] if len(run.trajectory) else ())
    if strange := [good for good in goods if known and good not in known]:
        raise NothingToSeeError(f"found {strange[0]!r}, no good of this run; expected some of {', '.join(known)}")

    def kept(table: Any) -> Any:
        # Of agents.csv, `input` is an amount.
        key = "input" if "firm" in table.columns else "good"
        # The row of an activity level is of no good.
        table = table[table[key].fillna("").isin([*goods, ""])] if goods and key in table.columns else table
        return table[table["tick"].between(*between)] if between and "tick" in table.columns else table

    tables = {name: kept(getattr(run, name)) for name in TABLES}
    if between and not (len(tables["trajectory"]) or len(tables["ticks"])):
        raise NothingToSeeError(f"found no tick recorded between {between[0]:g} and {between[1]:g}")
    last = min(between[1], float(run.summary.get("ticks") or np.inf)) if between else np.inf
    only = [f"ticks {between[0]:,.0f} to {last:,.0f}"] if between else []
    only += [f"the goods {', '.join(goods)}" if len(goods) > 1 else f"the good {goods[0]}"] if goods else []
    summary = {**run.summary, "drawn": f"Drawn: {', '.join(only)}.", "between": between}
    others = {name: getattr(run, name, pd.DataFrame()) for name in ("members", "curves")}
    return Frames(**tables, **others, summary=summary) if only else run


def is_there(file: Path) -> bool:
    """Whether there is a file of a run: of a table that is kept as Parquet, that one in the place of the CSV."""
    return file.is_file() or (file.suffix == ".csv" and file.with_suffix(".parquet").is_file())


def read_summary(folder: Path) -> dict[str, Any]:
    """The `summary.json` of a run folder; the name alone where there is none."""
    file = folder / "summary.json"
    summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {"name": folder.name, **summary}


def left_out(folder: Path) -> list[str]:
    """The tables that a finished run was told not to write."""
    return [table for table in TABLES if table not in read_summary(folder).get("tables", TABLES)]


def read_table(file: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A CSV of a run, or what it became (see `is_there`), or the named columns of it alone; `ValueError` if it lacks
    one of them.
    """
    if not file.is_file() and (parquet := file.with_suffix(".parquet")).is_file():
        library("pyarrow", "a run that is kept as Parquet")
        return pd.read_parquet(parquet, columns=None if columns is None else [*columns])
    if not file.is_file() or file.stat().st_size == 0:
        return pd.DataFrame()
    # A good may be called "NA" or "1", and in agents.csv `input` is a number: only an empty cell is empty.
    names: Any = {name: str for name in NAME_COLUMNS if not (name == "input" and file.stem == "agents")}
    rows = BytesIO(file.read_bytes())
    # A run that is at work, or was killed, may have left the beginning of a row.
    rows.truncate(rows.getvalue().rfind(b"\n") + 1)
    return pd.read_csv(rows, usecols=cast(Any, columns), dtype=names, keep_default_na=False, na_values=[""])


def numbers(frame: pd.DataFrame, column: str) -> Floats:
    """A column as floats of shape (rows,); nan where it is empty, and everywhere if there is no such column."""
    if column not in frame.columns:
        return np.full(len(frame), np.nan)
    return frame[column].to_numpy(dtype=float, na_value=np.nan)


def finite(values: Floats) -> Floats:
    """The values that are numbers and not infinite."""
    return values[np.isfinite(values)]


def is_planned(summary: Mapping[str, Any]) -> bool:
    """Whether a run is compared with a planner's path."""
    return summary.get("gradient_path") == "primal"


def path_words(summary: Mapping[str, Any]) -> str:
    """What the path is that prices are compared with."""
    if is_planned(summary):
        return "planner's gradient ascent"
    return "saddle path" if summary.get("reference") == "saddle" else "gradient descent"


def fixed_prices(summary: Mapping[str, Any]) -> dict[str, str]:
    """The prices that the scenario fixed, by good: as the summary's `scale` names them, `bread = 1, cloth = 1.5`."""
    pairs = (part.rpartition(" = ") for part in str(summary.get("scale") or "").split(", "))
    return {good: price for good, equals, price in pairs if equals}


def summary_number(summary: Mapping[str, Any], key: str) -> float:
    """A number of the summary; nan where it has none."""
    value = summary.get(key)
    return float(value) if isinstance(value, (int, float)) else float("nan")


def shocks(summary: Mapping[str, Any]) -> list[float]:
    """The ticks at which a shock changed the economy."""
    return [float(tick) for tick in summary.get("shocks") or ()]


@dataclass(frozen=True)
class Panel:
    """Columns of a tidy frame as arrays of shape (ticks, items); nan where a row is missing.

    An item is what the key columns name: `("bread",)` for a good, `("bakery", "grain")` for a firm's input.
    """

    ticks: Floats
    items: tuple[tuple[str, ...], ...]
    columns: Mapping[str, Floats]

    def __getitem__(self, column: str) -> Floats:
        return self.columns[column]

    @property
    def names(self) -> list[str]:
        """What the first key column names: of a panel of goods, the goods."""
        return [item[0] for item in self.items]


def panel(frame: pd.DataFrame, keys: tuple[str, ...], columns: tuple[str, ...], by: str = "tick") -> Panel:
    """Lay a tidy frame out by tick, or another number (sorted), and item (in order of appearance)."""
    if len(frame) == 0 or any(key not in frame.columns for key in (by, *keys)):
        return Panel(np.empty(0), (), {column: np.empty((0, 0)) for column in columns})
    ticks, row = np.unique(numbers(frame, by), return_inverse=True)
    item: NDArray[np.int64] = frame.groupby(list(keys), sort=False).ngroup().to_numpy()
    first = np.unique(item, return_index=True)[1]
    items = tuple(zip(*(frame[key].to_numpy()[first].astype(str).tolist() for key in keys), strict=True))
    laid: dict[str, Floats] = {}
    for column in columns:
        laid[column] = np.full((len(ticks), len(items)), np.nan)
        laid[column][row, item] = numbers(frame, column)
    return Panel(ticks, items, laid)


def goods_of(run: Frames, *columns: str) -> Panel:
    """Columns of the trajectory, `(ticks, goods)`."""
    return panel(run.trajectory, ("good",), columns)


def equilibria_of(run: Frames, goods: Sequence[str]) -> Panel:
    """The equilibria that were found, `(equilibria, goods)`, by their numbers; nan where a good is not told of."""
    found = panel(run.equilibrium, ("good",), ("price", "from_tick", "index", "stable"), by="equilibrium")
    found["from_tick"][:] = np.nan_to_num(found["from_tick"])
    unknown = np.full((len(found.ticks), 1), np.nan)
    places = [found.names.index(good) if good in found.names else -1 for good in goods]
    laid = {column: np.hstack([values, unknown])[:, places] for column, values in found.columns.items()}
    return Panel(found.ticks, tuple((good,) for good in goods), laid)


def scheduler_of(run: Frames) -> str:
    """The kind of the market's scheduler."""
    return str(run.summary.get("scheduler"))


def largest(places: Iterable[int], size: Callable[[int], float], most: int) -> list[int]:
    """At most so many of the places, those of the largest size, in rising order."""
    return sorted(sorted(places, key=lambda place: -size(place))[:most])
