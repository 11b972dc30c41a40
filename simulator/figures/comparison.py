"""Finished runs side by side: the same measures of each, and their prices on one scale.

Nothing is read but the CSVs and `summary.json` of the runs' folders. Prices of different runs may be in different
units (bread, money, or none where only relative prices matter), so they are first brought to a scale common to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from simulator.errors import RunFolderError
from simulator.figures.frames import Floats, fixed_prices, is_there, largest, left_out, summary_number
from simulator.figures.run_measures import MEASURES, RunMeasures, measures_of, read_run_measures
from simulator.figures.worth import FILE, Worth, worth_csv, worth_lines
from simulator.sentences import COMPARED, COMPARED_PRICES, said

PRINTED = [name for name in MEASURES if name != "scale"]
FILES = ("trajectory.csv", "ticks.csv", "summary.json")
WRITTEN = ("measures.csv", "prices.csv", FILE)
"""The CSVs of a comparison of runs."""
MOST_GOODS = 12
"""Goods whose prices are printed; all are written."""


class Scale(NamedTuple):
    """A scale common to all runs: what it is in words, the good whose price is 1 on it, and what each run's prices are
    divided by at every tick, `(ticks,)` a run.
    """

    words: str
    good: str | None
    levels: tuple[Floats, ...]


@dataclass(frozen=True)
class Comparison:
    """Several runs, the goods that all of them price, the scale on which those prices are compared, and what the others
    are `worth` to consumers beside the first.
    """

    runs: tuple[RunMeasures, ...]
    goods: tuple[str, ...]
    scale: Scale
    worth: tuple[Worth, ...] = ()

    def path(self, run: int, good: str) -> Floats:
        """A run's price of a good on the common scale at every recorded tick; not a number where the scale is lost."""
        with np.errstate(all="ignore"):
            return self.runs[run].price(good) / self.scale.levels[run]

    @cached_property
    def last(self) -> Floats:
        """Last prices on the common scale, `(runs, goods)`; not a number where a run has left every bound."""
        prices = np.array([[self.path(run, good)[-1] for good in self.goods] for run in range(len(self.runs))])
        return np.where(np.isfinite(prices), prices, np.nan)

    def gaps(self, runs: Sequence[int] | None = None) -> Floats:
        """How far apart last prices are, of all runs or some, `(goods,)`: `(highest - lowest) / largest size`."""
        last = self.last if runs is None else self.last[list(runs)]
        with np.errstate(all="ignore"):
            gaps = (np.fmax.reduce(last) - np.fmin.reduce(last)) / np.fmax.reduce(np.abs(last))
        return np.where(np.isfinite(gaps), gaps, 0.0)

    def goods_that_differ(self, most: int, besides: str | None = None) -> list[str]:
        """So many of the goods (but one), those whose last prices differ most, in their own order."""
        places, gaps = [place for place, good in enumerate(self.goods) if good != besides], self.gaps()
        return [self.goods[place] for place in largest(places, lambda place: gaps[place], most)]

    @cached_property
    def measures(self) -> tuple[dict[str, Any], ...]:
        """The measures of each run, by name; empty ones are None."""
        return tuple(measures_of(run) for run in self.runs)

    def data(self) -> dict[str, Any]:
        """The whole comparison as plain data."""
        runs = [
            {"run": run.label, **measures, "prices": dict(zip(self.goods, map(_plain, last.tolist()), strict=True))}
            for run, measures, last in zip(self.runs, self.measures, self.last, strict=True)
        ]
        found = {"finding": finding(self), "prices": price_finding(self), "price_scale": self.scale.words}
        return {**found, "runs": runs, "welfare": [one.data for one in self.worth]}

    def csvs(self) -> dict[str, str]:
        """The comparison as CSV texts by file name: a row per run, and a row per run and good."""
        by_run = [[run.label, *measures.values()] for run, measures in zip(self.runs, self.measures, strict=True)]
        by_good = [
            [run.label, good, _plain(price), _plain(run.price(good)[-1])]
            for run, last in zip(self.runs, self.last, strict=True)
            for good, price in zip(self.goods, last.tolist(), strict=True)
        ]
        texts = _csv(["run", *MEASURES], by_run), _csv(["run", "good", "price", "recorded_price"], by_good)
        texts = (*texts, worth_csv(self.worth))
        return dict(zip(WRITTEN, texts, strict=True))


def compare(folders: Sequence[Path], numeraire: str | None = None) -> Comparison:
    """The comparison of two runs or more; prices in units of `numeraire`, else of what the runs have in common; of no
    prices if no good is common to all.

    Raises `RunFolderError` with a line for each folder that holds no finished run, or if the runs cannot be compared.
    """
    problems = [problem for folder in folders if (problem := why_no_run(folder))]
    places = [folder.resolve() for folder in folders]
    problems += [f"{folder}: found the same run twice" for i, folder in enumerate(folders) if places[i] in places[:i]]
    if len(folders) < 2 and not problems:
        found = f"{folders[0]}: found one run" if folders else "found no run"
        problems = [f"{found}; expected two or more"]
    if problems:
        raise RunFolderError(*dict.fromkeys(problems))
    runs = tuple(read_run_measures(folder, label) for folder, label in zip(folders, labels(places), strict=True))
    goods = tuple(good for good in runs[0].goods.names if all(good in run.goods.names for run in runs))
    if numeraire is not None:
        _check_numeraire(runs, goods, numeraire)
    return Comparison(runs, goods, common_scale(runs, goods, numeraire))


def _check_numeraire(runs: Sequence[RunMeasures], goods: Sequence[str], numeraire: str) -> None:
    """Raises `RunFolderError` if prices cannot be counted in a good: not all runs price it, or not always above 0."""
    if numeraire not in goods:
        common = _some(goods) or "none is common to all runs"
        raise RunFolderError(f"--numeraire: found {numeraire!r}; expected a good of every run: {common}")
    for run in runs:
        below = np.flatnonzero(run.price(numeraire) <= 0)
        if len(below):
            tick, price = int(run.ticks[below[0]]), run.price(numeraire)[below[0]]
            found = f"found {numeraire!r}, whose price in {run.label} is {price:.4g} at tick {tick:,}"
            raise RunFolderError(f"--numeraire: {found}; expected a good whose price is above 0 at every tick")


def common_scale(runs: Sequence[RunMeasures], goods: Sequence[str], numeraire: str | None = None) -> Scale:
    """What the prices of all runs are divided by, tick by tick.

    The price of `numeraire`; without one nothing, where all runs count in money or learn (prices are weights then), or
    where they have no good in common; else the price of a good that is held fixed, by all runs and at 1 if there is
    such a good; or, where only relative prices matter, that of a basket: the goods in the quantities of the last tick
    of the first run that cleared (of the first run if none did).
    """
    absolute = numeraire is None and all(run.learns or run.summary.get("scale") == "money" for run in runs)
    if absolute or not goods:
        words = "money, as recorded" if goods else "none"
        return Scale(words, None, tuple(np.ones(len(run.ticks)) for run in runs))
    held = [fixed_prices(run.summary) for run in runs]

    def commonness(good: str) -> tuple[int, bool]:
        return sum(good in some for some in held), all(run.price(good)[-1] == 1 for run in runs)

    best = max(goods, key=commonness)
    chosen = best if numeraire is None and commonness(best)[0] else numeraire
    if chosen is not None:
        return Scale(f"{chosen} = 1", chosen, tuple(run.price(chosen) for run in runs))
    first = next((run for run in runs if run.cleared), runs[0])
    weights, words = first.basket, f"sum of price times quantity = 1, at the last quantities of {first.label}"
    if not any(weights[good] for good in goods):
        weights, words = dict.fromkeys(goods, 1.0), "sum of prices = 1"
    with np.errstate(all="ignore"):
        levels = (np.sum([weights[good] * run.price(good) for good in goods], axis=0) for run in runs)
        return Scale(words, None, tuple(levels))


def finding(comparison: Comparison) -> str:
    """What the comparison shows of how the runs ended, in one line."""
    runs, endings = comparison.runs, {run.outcome for run in comparison.runs}
    cleared = sorted((run for run in runs if run.cleared), key=lambda run: run.length)
    facts: dict[str, Any] = {"runs": len(runs), "cleared": len(cleared)}
    facts["others"] = [f"{run.label} {run.outcome}" for run in runs if not run.cleared]
    if len(endings) == 1:
        facts["ending"], facts["others"] = endings.pop(), []
    if cleared:
        first, last = cleared[0], cleared[-1]
        facts |= {"first": first.label, "first_ticks": first.length, "last": last.label, "last_ticks": last.length}
        facts["at_once"] = len(cleared) == len(runs) and first.length == last.length
    return ". ".join(said(COMPARED, facts))


def price_finding(comparison: Comparison) -> str:
    """What the comparison shows of prices, in one line: where they ended if several cleared, else how they turn."""
    goods, runs = comparison.goods, comparison.runs
    some = [number for number, run in enumerate(runs) if run.cleared]
    turns = [(run.label, summary_number(run.summary, "period")) for run in runs]
    if not goods or goods == (comparison.scale.good,):
        facts: dict[str, Any] = {"goods": len(goods), "lone_good": comparison.scale.good}
    elif len(some) < 2 and (found := [f"{_count(period)} in {label}" for label, period in turns if period == period]):
        facts = {"turns": found}
    else:
        gaps, finite = comparison.gaps(some if len(some) > 1 else None), np.isfinite(comparison.last).all(axis=1)
        which = (
            "at the end" if len(some) == len(runs) else "where markets clear" if len(some) > 1 else "of the last tick"
        )
        facts = {"which": which, "gap": float(gaps.max()), "widest": goods[int(gaps.argmax())], "finite": finite.sum()}
    return ". ".join(said(COMPARED_PRICES, facts))


def lines(comparison: Comparison, width: int) -> list[str]:
    """The comparison as text: a line a measure and a column a run, in as many blocks as fit into `width` letters."""
    table = [(name.replace("_", " "), [measures[name] for measures in comparison.measures]) for name in PRINTED]
    rows = [["", *(run.label for run in comparison.runs)]]
    rows += [[name, *map(_cell, cells)] for name, cells in table if any(cell is not None for cell in cells)]
    goods = comparison.goods_that_differ(MOST_GOODS)
    last = dict(zip(comparison.goods, comparison.last.T.tolist(), strict=True))
    rows += [[f"price of {good}", *(_cell(_plain(price), 6) for price in last[good])] for good in goods]
    text = [f"{finding(comparison)}.", f"{price_finding(comparison)}.", f"Price scale: {comparison.scale.words}."]
    if len(goods) < len(comparison.goods):
        text.append(f"Shown: {len(goods)} of {len(comparison.goods)} goods, those that differ most; all in prices.csv.")
    return [*text, *blocks(rows, width), *worth_lines(comparison.worth, comparison.runs[0].label, width)]


def blocks(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A table, the first row its heading, in as many blocks of columns as fit into `width` letters."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    parts, text = list[list[int]](), list[str]()
    for column in range(1, len(widths)):
        if not parts or widths[0] + sum(widths[place] + 2 for place in [*parts[-1], column]) > width:
            parts.append([])
        parts[-1].append(column)
    for part in parts:
        cells = [[row[0].ljust(widths[0]), *(row[place].rjust(widths[place]) for place in part)] for row in rows]
        text += ["", *("  ".join(line).rstrip() for line in cells)]
    return text


def labels(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that tell folders apart: their names, or with as many folders above as it takes."""
    parts = [folder.parts for folder in folders]
    depth = next(depth for depth in count(1) if len({part[-depth:] for part in parts}) == len(set(parts)))
    names = ["/".join(part[-depth:]) for part in parts]
    return [" ".join(name.encode(errors="backslashreplace").decode().split()) for name in names]


def why_no_run(folder: Path, files: Sequence[str] = FILES) -> str:
    """Why a folder is no run with these files; empty if it is one."""
    expected = "expected the folder of a run, such as outputs/tupperware"
    if not folder.exists():
        return f"{folder}: no such folder; {expected}"
    if not folder.is_dir():
        return f"{folder}: found a file; {expected}"
    missing = [name for name in files if not is_there(folder / name)]
    if gone := [name for name in missing if name.removesuffix(".csv") in left_out(folder)]:
        return missing_tables(folder, gone, files)
    if missing == ["summary.json"]:
        return f"{folder}: found a run that did not end (no summary.json); simulator run with --resume ends it"
    if missing and any(is_there(place / files[0]) for place in folder.iterdir()):
        return f"{folder}: found a folder of runs; {expected}; did you mean {folder}/*?"
    return f"{folder}: found no {_any_of(missing)}; {expected}" if missing else ""


def missing_tables(folder: Path, gone: Sequence[str], needed: Sequence[str]) -> str:
    """What to say of files that a run left out, and what to write for all that are `needed`."""
    tables = ", ".join(name.removesuffix(".csv") for name in needed if name.endswith(".csv"))
    return f"{folder}: found no {_any_of(gone)}, which the run left out; expected run: {{tables: [{tables}]}}"


def _any_of(files: Sequence[str]) -> str:
    return " or ".join([", ".join(files[:-1]), files[-1]][len(files) < 2 :])


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.4g}"


def _some(words: Sequence[str], most: int = 8) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _cell(value: Any, digits: int = 4) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value).replace("_", " ")


def _csv(header: list[str], rows: list[list[Any]]) -> str:
    return pd.DataFrame(rows, columns=header, dtype=object).to_csv(index=False, lineterminator="\n")
