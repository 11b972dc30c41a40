"""Solved scenarios side by side: the values of every equilibrium, as `simulator solve` wrote them, on one scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from simulator.errors import RunFolderError
from simulator.figures.comparison import blocks, labels
from simulator.figures.frames import Floats, is_there, read_table
from simulator.figures.worth import FILE, Worth, worth_csv, worth_lines

TABLE, VALUES = "equilibria.csv", "values.csv"
WRITTEN = (VALUES, FILE)
"""The CSVs of a comparison of solved scenarios."""
TOLD = {
    "price": "price of {}", "level": "level of {}", "profit": "profit of {}", "income": "income of {}",
    "utility": "utility of {}", "rate": "rate of {}", "revenue": "revenue of {}", "deadweight_loss": "deadweight loss",
}  # fmt: skip
"""Kinds of values that are printed, and how each is called; all are written."""
IN_MONEY = ("price", "unit_profit", "profit", "income", "revenue", "shadow_price", "deadweight_loss")
SAME, MOST = 1e-9, 40
"""Values that differ by less, relatively, are the same; so many that differ most are printed."""


@dataclass(frozen=True)
class SolvedComparison:
    """Equilibria by `label`, the kinds and names of their values, these on a common scale `(values, equilibria)`, the
    scale in words and what the prices of each were divided by, how many each scenario has (`counts`), and what each is
    `worth` to consumers.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    values: Floats
    scale: str
    levels: tuple[float, ...]
    counts: tuple[int, ...]
    worth: tuple[Worth, ...] = ()

    @cached_property
    def gaps(self) -> Floats:
        """How far apart values are, `(values,)`: highest less lowest over the largest size; endless where not all
        equilibria have one.
        """
        values = self.values
        with np.errstate(all="ignore"):
            gaps = (values.max(axis=1) - values.min(axis=1)) / np.abs(values).max(axis=1)
        return np.where(np.isnan(values).any(axis=1), np.inf, np.nan_to_num(gaps))

    def data(self) -> dict[str, Any]:
        """The whole comparison as plain data."""
        each = [
            {"equilibrium": label, **_by_kind(zip(self.rows, column, strict=True))}
            for label, column in zip(self.labels, self.values.T.tolist(), strict=True)
        ]
        return {"price_scale": self.scale, "equilibria": each, "welfare": [one.data for one in self.worth]}

    def csvs(self) -> dict[str, str]:
        """As CSV texts by file name."""
        rows = [
            (label, *row, value)
            for label, column in zip(self.labels, self.values.T.tolist(), strict=True)
            for row, value in zip(self.rows, column, strict=True)
            if value == value
        ]
        table = pd.DataFrame(rows, columns=["equilibrium", "kind", "name", "value"])
        return {VALUES: table.to_csv(index=False, lineterminator="\n"), FILE: worth_csv(self.worth)}

    def lines(self, width: int) -> list[str]:
        """As text: what differs, in as many blocks as fit into `width` letters, and what that is worth."""
        told = [place for place, (kind, _) in enumerate(self.rows) if kind in TOLD]
        differ = [place for place in told if self.gaps[place] > SAME]
        shown = sorted(sorted(differ, key=lambda place: -self.gaps[place])[:MOST])
        text = [f"{len(differ)} of {len(told)} values differ. Price scale: {self.scale}."]
        if len(shown) < len(differ):
            text.append(f"Shown: the {len(shown)} that differ most; all in {VALUES}.")
        rows = [["", *self.labels]]
        for place in shown:
            kind, name = self.rows[place]
            cells = self.values[place].tolist()
            rows.append([TOLD[kind].format(name), *("-" if cell != cell else f"{cell:.6g}" for cell in cells)])
        return [*text, *blocks(rows, width), *worth_lines(self.worth, self.labels[0], width)]


def _by_kind(values: Iterable[tuple[tuple[str, str], float]]) -> dict[str, dict[str, float]]:
    """Values by kind and name."""
    found = dict[str, dict[str, float]]()
    for (kind, name), value in values:
        if value == value:
            found.setdefault(kind, {})[name] = value
    return found


def is_solved(folder: Path) -> bool:
    """Whether a folder is that of a solved scenario."""
    return (folder / TABLE).is_file() and not is_there(folder / "trajectory.csv")


def compare_solved(folders: Sequence[Path], numeraire: str | None, *, in_money: bool) -> SolvedComparison:
    """All equilibria of solved scenarios, in the order of the folders. Prices are counted in `numeraire`, else left as
    they are where they are `in_money` or some good costs 1 in all, else in the first good that costs something in all.

    Raises `RunFolderError` where there are less than two equilibria, or a numeraire that cannot be one.
    """
    tables = [read_table(folder / TABLE) for folder in folders]
    places = [folder.resolve() for folder in folders]
    if len({*places}) < len(places):
        raise RunFolderError("found the same solved scenario twice; expected each once")
    counts = tuple(len({*table["equilibrium"]}) for table in tables)
    known = dict[str, dict[tuple[str, str], float]]()
    for table, label, many in zip(tables, labels(places), counts, strict=True):
        for number, rows in table.groupby("equilibrium", sort=True):
            keys = zip(rows["kind"], rows["name"].fillna(""), strict=True)
            known[label if many == 1 else f"{label} #{number}"] = dict(zip(keys, rows["value"], strict=True))
    if len(known) < 2:
        found = f"found {len(known) or 'no'} equilibri{'um' if len(known) == 1 else 'a'}"
        raise RunFolderError(f"{', '.join(map(str, folders))}: {found}; expected two or more to compare")
    rows = tuple(dict.fromkeys(row for each in known.values() for row in each))
    values = np.array([[each.get(row, np.nan) for each in known.values()] for row in rows])
    prices = {name: values[place] for place, (kind, name) in enumerate(rows) if kind == "price"}
    good, levels = _scale(
        {name: each for name, each in prices.items() if (each > 0).all()}, numeraire, in_money=in_money
    )
    divided = np.array([kind in IN_MONEY for kind, _ in rows])
    values = np.where(divided[:, None], values / levels, values)
    words = "money, as solved" if good is None else f"{good} = 1"
    return SolvedComparison(tuple(known), rows, values, words, tuple(levels.tolist()), counts)


def _scale(priced: dict[str, Floats], numeraire: str | None, *, in_money: bool) -> tuple[str | None, Floats]:
    """The good whose price is 1, if there is one, and what prices are divided by."""
    if numeraire is not None and numeraire not in priced:
        common = ", ".join(list(priced)[:8]) or "there is none"
        raise RunFolderError(f"--numeraire: found {numeraire!r}; expected a good that costs something in all: {common}")
    ones = [good for good, prices in priced.items() if (prices == 1).all()]
    first = next(iter(priced), None)
    good = numeraire or (ones[0] if ones else None if in_money else first)
    return good, np.ones(len(next(iter(priced.values()), np.ones(1)))) if good is None else priced[good]
