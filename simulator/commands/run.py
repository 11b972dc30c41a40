"""The command that runs scenarios."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator import terminal
from simulator.arguments import (
    changes_of,
    check_goods,
    check_places,
    figure_formats,
    load_scenarios,
    look_of,
    number_of_jobs,
    refuse,
    size_warning,
    told_by_options,
)
from simulator.jobs import Task, run_and_draw
from simulator.options import (
    AsJson,
    Between,
    FigureGoods,
    FigureNames,
    Formats,
    Jobs,
    Plugin,
    Seed,
    Settings,
    Size,
    Title,
)
from simulator.pool import Pool
from simulator.stopping import Interruption

if TYPE_CHECKING:
    from simulator.scenario import Scenario


def run(
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="SCENARIO", help="YAML files, folders of them, or globs.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where run folders go.")] = Path("outputs"),
    ticks: Annotated[
        str | None, typer.Option("--ticks", metavar="N", help="Price adjustments at most, in place of the scenario's.")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
    plugin: Plugin = None,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no figures.")] = False,
    formats: Formats = "png",
    figures: FigureNames = None,
    goods: FigureGoods = None,
    between: Between = None,
    size: Size = "slide",
    title: Title = None,
    goes_on: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="RUN", help="Go on from a finished run, as outputs/crusoe: --ticks more of them."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="With --from: the new run's name (default NAME-2 ...).")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    as_json: AsJson = False,
    jobs: Jobs = "1",
    resume: Annotated[bool, typer.Option("--resume", help="Continue runs that were interrupted or killed.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace run folders that exist.")] = False,
) -> int:
    """Run scenarios and write CSVs and figures to outputs/NAME/.

    With --from a finished run goes on for more ticks, into a folder of its own: prices, stocks, accounts and the rule's
    memory as they were, what is --set in force from the first new tick on.

    Before a run that may write more than ten million rows to a CSV it says how many, and runs all the same.

    Exit code: 0 if every run ended as its scenario expects, 3 if one did not, 2 if a scenario or the command line is
    wrong (then nothing is run), 130 if interrupted (--resume continues).
    """
    chosen, processes = figure_formats(formats), number_of_jobs(jobs)
    look = look_of(figures, goods, between, size, title)
    if resume and overwrite:
        refuse("--overwrite: found --resume too; expected one of them: continue runs, or replace them")
    if goes_on is not None:
        for option, given in (("SCENARIO", scenarios), ("--seed", seed)):
            if given:
                refuse(f"--from: found {option} too; expected a run alone, which has its own")
        loaded = (_going_on(Path(goes_on), name, out, settings, ticks, resume=resume),)
    else:
        if not scenarios:
            refuse("simulator run: found no SCENARIO; expected one, as in simulator run scenarios/crusoe.yaml")
        if name is not None:
            refuse(f"--name: found {name!r} without --from; expected --set name={name}")
        loaded = load_scenarios(scenarios, settings, ticks=ticks, seed=seed)
    tasks = [Task(scenario, out / scenario.name, resume) for scenario in loaded]
    check_goods(look.goods, loaded)
    check_places(tasks, out, resume=resume, overwrite=overwrite)
    speaks = not quiet and not as_json
    for scenario in loaded if not quiet else ():
        for warning in filter(None, (*map(str, scenario.warnings), size_warning(scenario))):
            terminal.complain(warning)
    with Interruption() as stop, Pool(processes, stop) as pool:
        return run_and_draw(tasks, out, () if no_plots else chosen, pool, look, speaks=speaks, as_json=as_json)


def _going_on(
    run: Path, name: str | None, out: Path, settings: list[str] | None, ticks: str | None, *, resume: bool
) -> Scenario:
    """The scenario that goes on from a run, under a name that is free, or to be resumed under the last one taken."""
    from simulator.scenario.runs import ended, load_from, root_of

    if ticks is not None and (not ticks.isascii() or not ticks.isdigit() or not 0 < int(ticks[:16]) < 10**15):
        refuse(f"--ticks: found {ticks!r}; expected a whole number, 1 or more: so many more ticks")
    with told_by_options():
        if name is None:
            root = root_of(ended(run))
            free = next(number for number in count(2) if not (out / f"{root}-{number}").exists())
            name = f"{root}-{max(2, free - 1) if resume else free}"
        if (out / name).resolve() == run.resolve():
            refuse(f"--name: found {name}, the run to go on from; expected a name of its own")
        return load_from(run, ticks=None if ticks is None else int(ticks), settings={**changes_of(settings)}, name=name)
