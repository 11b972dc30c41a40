"""The command that finds equilibria."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.arguments import check_folder, load_scenarios, refuse, told_at
from simulator.options import AsJson, OneScenario, Plugin, Seed, Settings
from simulator.terminal import AS_EXPECTED, UNEXPECTED, complain, print_json, say

STARTS = 32
SOLVED = Path("outputs/solve")


def solve(
    scenario: OneScenario,
    starts: Annotated[
        int, typer.Option("--starts", metavar="N", help="Search from so many prices; more, where some are missing.")
    ] = STARTS,
    planner: Annotated[
        bool,
        typer.Option("--planner", help="Beside it a planner's linear programme: its value, plan and multipliers."),
    ] = False,
    derivative: Annotated[
        list[str] | None,
        typer.Option(
            "--derivative",
            metavar="PATH",
            help="Derivatives by the number at a path, as in consumers.NAME.endowment.GOOD; repeatable.",
        ),
    ] = None,
    second: Annotated[
        bool, typer.Option("--second", help="Second derivatives too, by each pair of these numbers.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the folder NAME of results goes.")] = SOLVED,
    settings: Settings = None,
    plugin: Plugin = None,
    seed: Seed = None,
    as_json: AsJson = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
) -> int:
    """Find equilibria only, without dynamics: every one found, each with its certificate, index and stability.

    Written to outputs/solve/NAME/: equilibria.csv (prices, levels, incomes, utilities and more) and summary.json, with
    --derivative also derivatives.csv, with --second second_derivatives.csv: each beside what solving again gives.
    The planner's programme is there where goods, tastes and technologies are linear or in fixed proportions.

    Exit code: 0 if equilibria were found, or those that the scenario expects (expect: {equilibria: 3}, or
    no_equilibrium), 3 if not, 2 if the scenario or the command line is wrong (then nothing is written).
    """
    from simulator.records.folder import check_vacant
    from simulator.scenario.parameters import WHERE
    from simulator.solving import OURS, UnsolvableError, solution

    if starts < 1:
        refuse(f"--starts: found {starts}; expected 1 or more")
    if second and not derivative:
        refuse("--second: found no --derivative; expected for example --derivative supply.GOOD --second")
    (loaded,) = load_scenarios([scenario], settings, seed=seed, single=True, runs=False)
    folder = out / loaded.name
    check_folder(out)
    check_vacant(folder, "solution", OURS, overwrite=overwrite)
    for warning in loaded.warnings:
        complain(str(warning))
    try:
        with told_at("--derivative", WHERE):
            found = solution(loaded, starts, planner=planner, derivatives=derivative or (), second=second)
    except UnsolvableError as problem:
        refuse(str(problem))
    found.write(folder)
    if as_json:
        print_json(found.summary)
    else:
        say(f"{found}\n\nwrote {folder}")
    return AS_EXPECTED if found.as_expected else UNEXPECTED
