"""The command line: the commands, their arguments, and how they end.

Exit codes: `terminal.EXIT_CODES`. Modules are imported when a command needs them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator import catalogue, terminal
from simulator.arguments import (
    check_folder,
    check_places,
    figure_formats,
    load_scenarios,
    number_of_jobs,
    refuse,
    run_folders,
    size_warning,
    write_new,
)
from simulator.errors import CommandError, ScenarioError
from simulator.jobs import Task, run_and_draw
from simulator.kinds.wording import nearest
from simulator.options import (
    USAGE_ERROR,
    AsJson,
    Command,
    Formats,
    Jobs,
    Runs,
    Scenarios,
    Seed,
    Settings,
    one_of,
    usage,
)
from simulator.pool import ONE_THREAD, Pool
from simulator.searching import perturb, solve, tune
from simulator.slips import meant
from simulator.stopping import Interruption, broken_off_by_signals

if TYPE_CHECKING:
    from simulator.scenario import Scenario

COMPARISON = Path("outputs/compare")
LISTED = ["scenarios", *catalogue.HEADINGS]

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Simulate how markets find, or fail to find, their prices.",
    epilog="--version, and --debug to see the trace of an error, may stand anywhere. Exit codes: "
    + "; ".join(f"{code} {meaning}" for code, meaning in terminal.EXIT_CODES.items())
    + ".",
)


def _command(name: str | None = None, *, short_help: str, example: str) -> Callable[[Any], Any]:
    """Adds a command, with an example at the end of its help."""
    return app.command(name, cls=Command, short_help=short_help, epilog=f"\b\nExample: {example}")


@_command(
    short_help="Run scenarios; write CSVs and figures to outputs/NAME/.",
    example="simulator run scenarios/tupperware.yaml --set scheduler.rate=0.2",
)
def run(
    scenarios: Scenarios,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where run folders go.")] = Path("outputs"),
    ticks: Annotated[
        str | None, typer.Option("--ticks", metavar="N", help="Price adjustments at most, in place of the scenario's.")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
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


@_command(
    short_help="Redraw the figures of finished runs from their CSVs.",
    example="simulator plot outputs/tupperware --format svg",
)
def plot(runs: Runs, formats: Formats = "png") -> None:
    """Redraw the figures of finished runs from their CSVs alone."""
    chosen = figure_formats(formats)
    from simulator.figures.comparison import missing_tables, why_no_run
    from simulator.figures.frames import TABLES, left_out
    from simulator.figures.table import draw

    folders = run_folders(runs)
    gone = {folder: left_out(folder) for folder in folders}
    needed = {folder: [] if "trajectory" in gone[folder] else ["trajectory.csv"] for folder in folders}
    strangers = [why for folder in folders if (why := why_no_run(folder, needed[folder]))]
    if strangers:
        refuse("\n".join(strangers))
    for folder in folders:
        try:
            figures = draw(folder, folder / "figures", chosen)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            found = f"found CSVs that cannot be drawn ({terminal.one_line(error)})"
            raise CommandError(f"{folder}: {found}; expected them as a run wrote them") from error
        if gone[folder]:
            files = ([f"{table}.csv" for table in tables] for tables in (gone[folder], TABLES))
            terminal.complain(missing_tables(folder, *files))
        if figures:
            terminal.say("\n".join(map(str, figures)))
        else:
            terminal.complain(f"{folder}: found no table that a figure is drawn from")


@_command(
    short_help="Hold finished runs against each other.", example="simulator compare outputs/tupperware outputs/crusoe"
)
def compare(
    runs: Runs,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the comparison goes.")] = COMPARISON,
    numeraire: Annotated[
        str | None, typer.Option("--numeraire", metavar="GOOD", help="Count prices in this good.")
    ] = None,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no figure.")] = False,
    formats: Formats = "png",
    as_json: AsJson = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a comparison that exists.")] = False,
) -> None:
    """Hold finished runs against each other: outcome, ticks, gaps, and prices on one scale.

    Prints a table and writes measures.csv, prices.csv and a figure to outputs/compare/. Reads the runs' CSVs and
    summaries alone. Prices are counted in money where all runs do, else in a good whose price is held fixed, else by
    the sum of price times quantity; the table says which.
    """
    chosen = figure_formats(formats)
    from shutil import get_terminal_size

    from simulator.figures import comparison as comparing
    from simulator.figures.comparison_folder import check_vacant, is_comparison, write_comparison

    check_folder(out)
    check_vacant(out, overwrite=overwrite)
    folders = run_folders(runs)
    for folder in filter(is_comparison, folders):
        terminal.complain(f"{folder}: left out, a comparison and no run")
    comparison = comparing.compare([folder for folder in folders if not is_comparison(folder)], numeraire)
    files = write_comparison(comparison, out, () if no_plots else chosen)
    if as_json:
        terminal.print_json(comparison.data())
    else:
        width = get_terminal_size().columns
        terminal.say("\n".join([*comparing.lines(comparison, width), "", *(f"  {file}" for file in files)]))


@_command(short_help="Validate scenarios without running them.", example="simulator check scenarios/crusoe.yaml --json")
def check(scenarios: Scenarios, settings: Settings = None, as_json: AsJson = False) -> int:
    """Validate scenarios without running them: a line for each problem, as many at once as can be told.

    With --json a mapping: `ok`, true if there is no problem; `scenarios`, each with its `file`, `name` and numbers of
    `goods`, `firms` and `consumers` (empty if there is a problem); `problems` and `warnings`, each with `file`, `line`,
    `column`, `path`, and what was `found`, what is `expected` and what to write `instead`. A line or column of 0 is not
    known, nor is an empty text.
    """
    try:
        loaded, problems = load_scenarios(scenarios, settings), ()
    except ScenarioError as error:
        if not as_json:
            raise
        loaded, problems = (), error.problems
    sound = [{"file": scenario.path, "name": scenario.name, **_sizes(scenario)} for scenario in loaded]
    warnings = [warning for scenario in loaded for warning in scenario.warnings]
    if as_json:
        said = {"problems": [each.data for each in problems], "warnings": [each.data for each in warnings]}
        terminal.print_json({"ok": not problems, "scenarios": sound, **said})
        return terminal.WRONG_INPUT if problems else terminal.AS_EXPECTED
    for warning in warnings:
        terminal.complain(str(warning))
    for scenario in loaded:
        nouns = [_plural(n, noun.removesuffix("s")) for noun, n in _sizes(scenario).items() if n]
        terminal.say(f"{scenario.path}: ok: {scenario.name}, {', '.join(nouns)}")
    return terminal.AS_EXPECTED


def _sizes(scenario: Scenario) -> dict[str, int]:
    economy = scenario.economy
    firms, consumers = (sum(entry.count for entry in entries) for entries in (economy.firms, economy.consumers))
    return {"goods": len(scenario.markets.goods), "firms": firms, "consumers": consumers}


_command(
    short_help="Find equilibria only, without dynamics.", example="simulator solve scenarios/three_equilibria.yaml"
)(solve)
_command(
    short_help="Find the small change that moves equilibrium prices most.",
    example="simulator perturb scenarios/crusoe.yaml --size 0.05",
)(perturb)
_command(
    short_help="Find good steps by a small search, and write them.",
    example="simulator tune scenarios/tupperware.yaml --jobs 2",
)(tune)


@_command("list", short_help="List what there is to choose from, with formulas.", example="simulator list utilities")
def list_kinds(
    heading: Annotated[
        str | None, typer.Argument(metavar="HEADING", help=f"{', '.join(LISTED)}.", autocompletion=lambda: LISTED)
    ] = None,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="With scenarios: the folder to look into.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what there is: scenarios, utilities, technologies and other kinds, or the columns of CSVs.

    One line each with its formula or meaning, a column with its unit; of a scenario its first comment. Without a
    heading: all headings.

    With --json a mapping: to each heading its sections, each with a `title` and its `entries`; an entry has a `name`
    and a `meaning`, a column a `unit`, a piece of a price rule the `information` that it needs, a kind an `example`.
    """
    place = folder or Path("scenarios")
    if heading is not None and heading not in LISTED:
        refuse(f"list: found {heading!r}; expected one of {', '.join(LISTED)}{meant(_heading_meant(heading))}")
    if folder is not None and heading != "scenarios":
        refuse(f"list: found {str(folder)!r} after {heading}; expected it after scenarios only")
    if heading == "scenarios" and not place.is_dir():
        refuse(f"{place}: no such folder; expected one with scenarios (YAML): simulator list scenarios DIR")
    found = catalogue.everything(place) if heading is None else {heading: catalogue.under(heading, place)}
    sections = [section for listed in found.values() for section in listed]
    if as_json:
        terminal.print_json({name: [section.data for section in listed] for name, listed in found.items()})
    else:
        terminal.say("\n".join(catalogue.overview(found, place) if heading is None else catalogue.lines(sections)))
    broken = [section.entries[name] for section in sections for name in section.broken]
    if broken and heading is not None:
        refuse("\n".join(broken))


def _heading_meant(word: str) -> str | None:
    """The heading that a word means, or under which it stands."""
    found = nearest(word, LISTED)
    under = (name for name, make in catalogue.HEADINGS.items() if any(word in section.entries for section in make()))
    return found or next(under, None)


@_command(
    short_help="Print the JSON Schema of scenarios, for editors.", example="simulator schema > scenario.schema.json"
)
def schema() -> None:
    """Print the JSON Schema of scenarios: with it an editor completes keys, shows what they mean and marks mistakes."""
    from simulator.scenario import scenario_schema
    from simulator.scenario.plugins import all_installed

    plugins, broken = all_installed()
    terminal.print_json(scenario_schema(plugins.known))
    if broken:
        refuse("\n".join(broken))


@_command(
    "compile",
    short_help="Turn a program into a supply chain, or back.",
    example="simulator compile 'c = ln(1 - 1/(sqrt(x) + 1))' -o program.yaml",
)
def compile_program(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="A file, or the program itself: 'c = ln(1 + x)'.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the scenario here.")
    ] = None,
    per: Annotated[
        str | None, typer.Option("--per", metavar="WHAT", help="A firm for each operation, or for each statement.")
    ] = None,
    copiers: Annotated[
        bool, typer.Option("--copiers", help="Firms that copy what is read more than once, in place of rival: false.")
    ] = False,
    back: Annotated[bool, typer.Option("--from", help="PROGRAM is a scenario: print it as a program.")] = False,
) -> None:
    """Turn a program into a scenario whose firms are its operations and whose prices come to rest at its derivatives.

    A program is lines such as a = x*y, with def, for i in range(3): and w[0]; what it returns is sold at a price of 1.
    The way back, how much each user but the last gets of a rival good is an input of the program, an allocation.
    """
    from simulator.compiling import CounterpartError, as_program, as_scenario

    if per not in (None, "operation", "statement"):
        refuse(f"--per: found {per!r}; expected {one_of(per, ['operation', 'statement'])}")
    for option, given in (("--copiers", copiers), ("--per", per is not None)):
        if back and given:
            refuse(f"{option}: found --from too; expected one of them")
    try:
        text = as_program(program) if back else as_scenario(program, per, copiers=copiers)
    except CounterpartError as problem:
        refuse(str(problem))
    if output is None:
        terminal.say(text.rstrip())
        return
    write_new(output, text)
    terminal.say(f"wrote {output}")


@_command(short_help="Write a commented starter scenario, NAME.yaml.", example="simulator new market")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '.', '_' and '-'.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where it goes.")] = Path(),
) -> None:
    """Write a commented starter scenario, NAME.yaml, which runs as it is. A file that exists is left alone."""
    from shlex import quote

    from simulator.kinds.names import NAME_RULE, name_fault
    from simulator.scenario.starter import starter

    name = name.removesuffix(".yaml").removesuffix(".yml")
    if fault := name_fault(name):
        folder, _, last = name.replace(os.sep, "/").rpartition("/")
        refuse(
            f"found {name!r}; expected {NAME_RULE}; did you mean simulator new {last} --out {folder}?"
            if folder
            else fault
        )
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{name}.yaml"
    write_new(file, starter(name))
    terminal.say(f"wrote {file}\nnext: simulator run {quote(str(file))}")


def main() -> None:
    """The program `simulator`. A user's mistake is said in plain lines; --debug shows the trace of anything."""
    gc.set_threshold(100_000)  # Of the many objects that imports make none is ever garbage.
    os.environ.update(ONE_THREAD)
    arguments = sys.argv[1:]
    own = arguments.index("--") if "--" in arguments else len(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file's name may be no text in the terminal's encoding.
            stream.reconfigure(errors="backslashreplace")
    terminal.traced = "--debug" in arguments[:own]
    plain = [argument for argument in arguments[:own] if argument != "--debug"]
    try:
        if "--version" in plain:
            from importlib.metadata import version

            terminal.say(f"simulator {version('market-simulator')}")
            code = terminal.AS_EXPECTED
        else:
            with broken_off_by_signals():
                code = app(args=plain + arguments[own:], prog_name="simulator", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = terminal.INTERRUPTED
    except USAGE_ERROR as error:
        terminal.complain(usage(error, plain))
        code = terminal.WRONG_INPUT
    except Exception as error:
        failure = terminal.failure_of(error)
        terminal.complain_of(failure)
        code = failure.code
    terminal.leave(code or terminal.AS_EXPECTED)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
