"""The command that runs scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator import terminal
from simulator.arguments import check_places, figure_formats, load_scenarios, number_of_jobs, refuse, size_warning
from simulator.jobs import Task, run_and_draw
from simulator.options import AsJson, Formats, Jobs, Plugin, Scenarios, Seed, Settings
from simulator.pool import Pool
from simulator.stopping import Interruption


def run(
    scenarios: Scenarios,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where run folders go.")] = Path("outputs"),
    ticks: Annotated[
        str | None, typer.Option("--ticks", metavar="N", help="Price adjustments at most, in place of the scenario's.")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
    plugin: Plugin = None,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no figures.")] = False,
    formats: Formats = "png",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    as_json: AsJson = False,
    jobs: Jobs = "1",
    resume: Annotated[bool, typer.Option("--resume", help="Continue runs that were interrupted or killed.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace run folders that exist.")] = False,
) -> int:
    """Run scenarios and write CSVs and figures to outputs/NAME/.

    Before a run that may write more than ten million rows to a CSV it says how many, and runs all the same.

    Exit code: 0 if every run ended as its scenario expects, 3 if one did not, 2 if a scenario or the command line is
    wrong (then nothing is run), 130 if interrupted (--resume continues).
    """
    chosen, processes = figure_formats(formats), number_of_jobs(jobs)
    if resume and overwrite:
        refuse("--overwrite: found --resume too; expected one of them: continue runs, or replace them")
    loaded = load_scenarios(scenarios, settings, ticks=ticks, seed=seed)
    tasks = [Task(scenario, out / scenario.name, resume) for scenario in loaded]
    check_places(tasks, out, resume=resume, overwrite=overwrite)
    speaks = not quiet and not as_json
    for scenario in loaded if not quiet else ():
        for warning in filter(None, (*map(str, scenario.warnings), size_warning(scenario))):
            terminal.complain(warning)
    with Interruption() as stop, Pool(processes, stop) as pool:
        return run_and_draw(tasks, out, () if no_plots else chosen, pool, speaks=speaks, as_json=as_json)
