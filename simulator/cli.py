"""The command line: the commands, their arguments, and how they end.

Exit codes: 0 every run ended as its scenario expects; 3 a run ended otherwise; 2 a scenario, the command line or the
place to write to is wrong; 130 interrupted (what was recorded is kept); 1 an error of the program itself. The largest
wins. Modules are imported when a command needs them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from simulator.jobs import Failure, Interruption, Task, debugging, failure_of, one_line, run_all
from simulator.terminal import (
    AS_EXPECTED,
    INTERRUPTED,
    UNEXPECTED,
    WRONG_INPUT,
    complain,
    exit_code,
    leave,
    print_json,
    print_summaries,
    say,
)

if TYPE_CHECKING:
    from simulator.errors import Problem
    from simulator.scenario import Scenario

SOLVE_STARTS = 60

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Simulate how markets find, or fail to find, their prices.",
    epilog="--version, and --debug to see the trace of an error, may stand anywhere.",
)

Scenarios = Annotated[list[str], typer.Argument(metavar="SCENARIO", help="YAML files, folders of them, or globs.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a scenario, as in --set scheduler.rate=0.1; repeatable."),
]
Seed = Annotated[str | None, typer.Option("--seed", metavar="N", help="Seed, in place of the scenario's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Formats = Annotated[str, typer.Option("--format", metavar="FORMATS", help="Figures as png, svg or pdf, or png,svg.")]


@app.command(short_help="Run scenarios; write CSVs and figures to outputs/NAME/.")
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
    jobs: Annotated[str, typer.Option("--jobs", metavar="N", help="Runs at the same time.")] = "1",
    resume: Annotated[bool, typer.Option("--resume", help="Continue runs that were interrupted or killed.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace run folders that exist.")] = False,
) -> None:
    """Run scenarios and write CSVs and figures to outputs/NAME/.

    Exit code: 0 if every run ended as its scenario expects, 3 if one did not, 2 if a scenario or the command line is
    wrong (then nothing is run), 130 if interrupted (--resume continues).
    """
    chosen, processes = _formats(formats), _jobs(jobs)
    if resume and overwrite:
        _refuse("--overwrite: found --resume too; expected one of them: continue runs, or replace them")
    loaded = _load(scenarios, settings, ticks=ticks, seed=seed)
    tasks = [Task(scenario, out / scenario.name, resume, () if no_plots else chosen) for scenario in loaded]
    _check_places(tasks, out, resume=resume, overwrite=overwrite)
    speaks = not quiet and not as_json
    with Interruption() as stop:
        results = run_all(tasks, processes, stop, speaks)
    summaries = [result for result in results if isinstance(result, dict)]
    failures = [result for result in results if isinstance(result, Failure)]
    for failure in failures:
        complain(failure.text)
    missing = [task.scenario.name for task, result in zip(tasks, results, strict=True) if result is None]
    if as_json:
        print_json(summaries[0] if len(tasks) == 1 and summaries else summaries, skip=not summaries)
    elif speaks:
        print_summaries(summaries, out, missing)
    codes = [exit_code(summary) for summary in summaries] + [failure.code for failure in failures]
    raise typer.Exit(max([*codes, INTERRUPTED] if missing else codes))


@app.command(short_help="Redraw the figures of finished runs from their CSVs.")
def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs, such as outputs/tupperware.")],
    formats: Formats = "png",
) -> None:
    """Redraw the figures of finished runs from their CSVs alone."""
    chosen = _formats(formats)
    strangers = [folder for folder in runs if not (folder / "trajectory.csv").is_file()]
    if strangers:
        found = "found no trajectory.csv; expected the folder of a run, such as outputs/tupperware"
        _refuse("\n".join(f"{folder}: {found}" for folder in strangers))
    from simulator.results.plots import draw

    for folder in runs:
        try:
            figures = draw(folder, folder / "figures", chosen)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            if debugging():
                raise
            _refuse(f"{folder}: found CSVs that cannot be drawn ({one_line(error)}); expected them as a run wrote them")
        say("\n".join(map(str, figures)))


@app.command(short_help="Validate scenarios without running them.")
def check(scenarios: Scenarios, settings: Settings = None) -> None:
    """Validate scenarios without running them: every problem of every file in one pass, one line each."""
    for scenario in _load(scenarios, settings):
        economy = scenario.economy
        counts = (len(economy.goods), len(economy.firms), len(economy.consumers))
        nouns = [_plural(n, noun) for n, noun in zip(counts, ("good", "firm", "consumer"), strict=True) if n]
        say(f"{scenario.path}: ok: {scenario.name}, {', '.join(nouns)}")


@app.command(short_help="Find equilibria only, without dynamics.")
def solve(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A YAML file.")],
    settings: Settings = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Find equilibria only, without dynamics: every one found, with residual, index and stability.

    Exit code: 0 if there is one, 3 if none was found, 2 if the scenario or the command line is wrong.
    """
    from simulator.references.judges import References
    from simulator.results.report import equilibrium_lines, equilibrium_records

    (loaded,) = _load([scenario], settings, seed=seed, single=True)
    references = References(
        loaded.economy, loaded.rule, loaded.initial_prices, loaded.run.seed, random_starts=SOLVE_STARTS
    )
    if as_json:
        print_json(equilibrium_records(references))
    else:
        say("\n".join(equilibrium_lines(loaded.name, references)))
    raise typer.Exit(AS_EXPECTED if references.equilibria else UNEXPECTED)


def main() -> None:
    """The program `simulator`. A user's mistake is said in plain lines; --debug shows the trace of anything."""
    arguments = sys.argv[1:]
    own = arguments.index("--") if "--" in arguments else len(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file's name may be no text in the terminal's encoding.
            stream.reconfigure(errors="backslashreplace")
    try:
        if "--version" in arguments[:own]:
            from importlib.metadata import version

            say(f"simulator {version('market-simulator')}")
            code = AS_EXPECTED
        else:
            plain = [argument for argument in arguments[:own] if argument != "--debug"]
            code = app(args=plain + arguments[own:], prog_name="simulator", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except USAGE_ERROR as error:
        complain(_usage(error))
        code = WRONG_INPUT
    except Exception as error:
        failure = failure_of(error)
        complain(failure.text)
        code = failure.code
    leave(code or AS_EXPECTED)


def _load(
    paths: Sequence[str],
    settings: list[str] | None,
    *,
    ticks: str | None = None,
    seed: str | None = None,
    single: bool = False,
) -> tuple[Scenario, ...]:
    """The scenarios with what the command line changes; a problem with `--ticks` or `--seed` is said to be there."""
    from simulator.errors import ScenarioError
    from simulator.scenario import load, load_many

    changes: dict[str, object] = {}
    for setting in settings or []:
        path, equals, value = setting.partition("=")
        if not equals or not path:
            _refuse(f"--set {setting}: found no PATH=VALUE; expected for example --set scheduler.rate=0.1")
        changes[path] = value
    options = {f"run.{name}": value for name, value in (("ticks", ticks), ("seed", seed)) if value is not None}
    changes |= options

    def place(problem: Problem) -> Problem:
        if problem.where != "--set" or problem.path not in options:
            return problem
        return replace(problem, where=problem.path.replace("run.", "--"), path="")

    try:
        return (load(paths[0], settings=changes),) if single else load_many(paths, settings=changes)
    except ScenarioError as error:
        from dataclasses import replace

        raise ScenarioError(dict.fromkeys(map(place, error.problems))) from None


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) < 1:
        _refuse(f"--jobs: found {text!r}; expected a whole number, 1 or more")
    return int(text[:9])


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    wrong = [name for name in formats if name not in ("png", "svg", "pdf")]
    if wrong:
        _refuse(f"--format: found {', '.join(map(repr, wrong))}; expected png, svg or pdf, or several as in png,svg")
    return formats


def _check_places(tasks: Sequence[Task], out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse, before anything is run, what cannot be written to, and runs that would be lost or cannot be resumed."""
    from simulator.errors import RunFolderError
    from simulator.results.folder import RunFolder
    from simulator.scenario import dump

    above = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not above.is_dir():
        _refuse(f"--out: found the file {above}; expected a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        _refuse(f"--out: found the folder {above}, which may not be written to; expected one that may")
    complaints: list[str] = []
    for task in tasks:
        folder = RunFolder(task.folder)
        try:
            if resume:
                folder.checkpoint(dump(task.scenario.resolved))
            elif overwrite:
                folder.refuse_strangers()
            elif not folder.vacant:
                folder.refuse_strangers()
                complaints.append(f"{task.folder}: found a run; --overwrite replaces it, --resume continues it")
        except RunFolderError as error:
            complaints.append(str(error))
    if complaints:
        _refuse("\n".join(complaints))


USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""The parser's error for a wrong command line; typer does not export it under a name."""


def _usage(error: Any) -> str:
    """One line for a wrong command line: what was found, and what was perhaps meant."""
    from difflib import get_close_matches

    context: Any = error.ctx
    message = str(error.format_message()).rstrip(".")
    if message.startswith("Usage:"):
        return message
    command = context.command_path if context is not None else "simulator"
    wrong, known = "", list[str]()
    if context is not None and type(error).__name__ == "NoSuchOption":
        wrong = str(error.option_name)
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        known += ["--help", "--version", "--debug"]
        message = f"unknown option {wrong}"
    elif context is not None and message.startswith("No such command"):
        wrong, known = message.split("'")[1], list(context.command.list_commands(context))
        message = f"unknown command {wrong!r}; expected one of {', '.join(known)}"
    else:
        message = message[:1].lower() + message[1:]
    meant = get_close_matches(wrong, known, 1)
    return f"{command}: {message}; " + (f"did you mean {meant[0]}?" if meant else f"see {command} --help")


def _refuse(message: str) -> NoReturn:
    complain(message)
    raise typer.Exit(WRONG_INPUT)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
