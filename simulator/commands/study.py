"""The commands of studies: parameters from data."""

from __future__ import annotations

import os
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.arguments import check_folder, refuse, seed_number
from simulator.options import AsJson, Plugin, Seed
from simulator.terminal import AS_EXPECTED, UNEXPECTED, aligned, print_json, progress_of, say

if TYPE_CHECKING:
    from simulator.studies.fit import Fit
    from simulator.studies.purchases import LearntTastes

MOST_ROWS = 20
"""So many households are told of on the terminal."""

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the folder of the study goes.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a folder that exists.")]


def fit(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A YAML file: scenario, data, cases, free.")
    ] = None,
    purchases: Annotated[
        Path | None,
        typer.Option("--purchases", metavar="CSV", help="Learn tastes: household, period, good, price, quantity."),
    ] = None,
    pooled: Annotated[bool, typer.Option("--pooled", help="With --purchases: one taste for all households.")] = False,
    hold_out: Annotated[
        str | None,
        typer.Option("--hold-out", metavar="PART", help="With --purchases: the last part of periods (0.25)."),
    ] = None,
    out: Out = Path("outputs"),
    seed: Seed = None,
    plugin: Plugin = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Find parameters of a scenario from equilibria that were observed, or tastes from purchases; write outputs/NAME/.

    The study names a scenario, a CSV file of data (case, quantity, value, weight), one of what differs from case to
    case (case, path, value), and what is free, by dotted path. Searches start from several places; nothing is run.

    With --purchases CSV (household, period, good, price, quantity), tastes are learnt of each household: how rational
    its purchases are (Afriat's efficiency index), which form explains the periods held out, and its numbers.

    Exit code: 0 if the best search came to rest, 3 if it did not, 2 if the study, its files or the command line are
    wrong, or a case has no equilibrium at the start (then nothing is written).
    """
    if purchases is not None:
        if study is not None:
            refuse(f"--purchases: found the study {study} too; expected one of them")
        return _fit_purchases(purchases, pooled, hold_out, out, seed, as_json, quiet, overwrite)
    for option, given in (("--pooled", pooled), ("--hold-out", hold_out is not None)):
        if given:
            refuse(f"{option}: found no --purchases; expected it beside, as in simulator fit --purchases purchases.csv")
    if study is None:
        refuse("fit: found no STUDY; expected one, as in simulator fit study.yaml, or --purchases purchases.csv")
    if study.endswith(".csv"):
        refuse(f"fit: found the CSV file {study}; expected a study in YAML; did you mean --purchases {study}?")
    from simulator.records.folder import check_vacant
    from simulator.studies.fit import OURS, fitted, write
    from simulator.studies.fit_study import load_fit

    loaded = load_fit(study, seed_number(seed))
    folder = out / loaded.name
    check_folder(out)
    check_vacant(folder, "fit", OURS, overwrite=overwrite)
    with progress_of(not as_json and not quiet) as progress:
        found = fitted(loaded, progress=progress)
    write(found, folder)
    if as_json:
        print_json({**found.summary, "estimates": _records(found)})
    elif not quiet:
        say("\n".join([*_fit_lines(found), f"  files and figures in {folder}{os.sep}"]))
    return AS_EXPECTED if found.summary["converged"] else UNEXPECTED


def _fit_purchases(
    file: Path,
    pooled: bool,
    hold_out: str | None,
    out: Path,
    seed: str | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> int:
    """Learn tastes, write them, say what was learnt."""
    from simulator.records.folder import check_vacant
    from simulator.studies.purchase_data import read_purchases
    from simulator.studies.purchases import HOLD_OUT, OURS, learn, write

    part = HOLD_OUT if hold_out is None else _part(hold_out)
    data = read_purchases(file)
    folder = out / data.name
    check_folder(out)
    check_vacant(folder, "fit", OURS, overwrite=overwrite)
    with progress_of(not as_json and not quiet) as progress:
        found = learn(data, pooled=pooled, hold_out=part, seed=seed_number(seed) or 0, progress=progress)
    write(found, folder)
    if as_json:
        print_json(found.summary)
    elif not quiet:
        say("\n".join([*_taste_lines(found), f"  files and figures in {folder}{os.sep}"]))
    return AS_EXPECTED


def _part(text: str) -> float:
    try:
        part = float(text)
    except ValueError:
        part = nan
    if not 0 < part < 1:
        refuse(f"--hold-out: found {text!r}; expected a number above 0 and below 1, as in --hold-out 0.25")
    return part


def _taste_lines(found: LearntTastes) -> list[str]:
    """A table of households, the least rational first, and what is to be said of them."""
    rows = [["household", "periods", "efficiency", "random 5 %", "random median", "form", "held-out error"]]
    learnt = sorted(found.learnt, key=lambda taste: taste.index)
    for taste in learnt[:MOST_ROWS]:
        numbers = [f"{number:.4f}" for number in (taste.index, taste.low, taste.median)]
        error = taste.held_out.errors[taste.held_out.simplest]
        household, periods = taste.purchases.household, len(taste.purchases.periods)
        rows.append([household, str(periods), *numbers, taste.named.form.name, f"{error:.2e}"])
    lines = aligned(rows, {0, 5})
    if len(learnt) > MOST_ROWS:
        lines.append(f"and {len(learnt) - MOST_ROWS} more, in efficiency.csv")
    return [*lines, "", f"{found.name}: {found.summary['sentence']}"]


def _records(found: Fit) -> list[dict[str, Any]]:
    from simulator.records.report import plain

    return [plain(row) for row in found.estimates.to_dict("records")]


def _fit_lines(found: Fit) -> list[str]:
    """A table of the estimates, what is to be said of them, what is free, and where searches ended."""
    summary, columns = found.summary, ("estimate", "standard_error", "low", "high")
    rows = [["path", "estimate", "standard error", "low", "high", ""]]
    for row in _records(found):
        numbers = ["-" if row[column] is None else f"{row[column]:.5g}" for column in columns]
        rows.append([row["path"], *numbers, "at a bound" if row["at_bound"] else ""])
    lines = [*aligned(rows, {0, 5}), "", f"{summary['name']}: {summary['sentence']}"]
    for combination in summary["free_combinations"]:
        parts = (f"{part:+.3g} {row}" for row, part in combination.items())
        lines.append(f"  free, no observed value moves: {', '.join(parts)} (relative changes)")
    for minimum in summary["minima"]:
        many = f"{minimum['starts']} of {summary['starts']} searches"
        lines.append(f"  sum of squares {minimum['cost']:.6g}: {many}{'' if minimum['converged'] else ', not at rest'}")
    return lines
