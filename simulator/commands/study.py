"""The commands of studies: parameters from data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.arguments import check_folder, seed_number
from simulator.options import AsJson, Seed
from simulator.terminal import AS_EXPECTED, UNEXPECTED, aligned, print_json, progress_of, say

if TYPE_CHECKING:
    from simulator.studies.fit import Fit

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the folder of the study goes.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a folder that exists.")]


def fit(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A YAML file: scenario, data, cases, free.")],
    out: Out = Path("outputs"),
    seed: Seed = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
) -> int:
    """Find parameters of a scenario from equilibria that were observed; write them to outputs/NAME/.

    The study names a scenario, a CSV file of data (case, quantity, value, weight), one of what differs from case to
    case (case, path, value), and what is free, by dotted path. Searches start from several places; nothing is run.

    Exit code: 0 if the best search came to rest, 3 if it did not, 2 if the study, its files or the command line are
    wrong, or a case has no equilibrium at the start (then nothing is written).
    """
    from simulator.studies.fit import check_vacant, fitted, write
    from simulator.studies.fit_study import load_fit

    loaded = load_fit(study, seed_number(seed))
    folder = out / loaded.name
    check_folder(out)
    check_vacant(folder, overwrite=overwrite)
    with progress_of(not as_json and not quiet) as progress:
        found = fitted(loaded, progress=progress)
    write(found, folder)
    if as_json:
        print_json({**found.summary, "estimates": _records(found)})
    elif not quiet:
        say("\n".join([*_fit_lines(found), f"  files and figures in {folder}{os.sep}"]))
    return AS_EXPECTED if found.summary["converged"] else UNEXPECTED


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
