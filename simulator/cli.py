"""The command line: arguments, exit codes, progress, and nothing else.

Exit codes: 0 every run ended as its scenario expects; 3 a run ended otherwise; 2 a scenario or the command line is wrong
(nothing was run); 130 interrupted (what was recorded is kept). The largest wins. Modules are imported when a command needs them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from simulator.scenario import Scenario

SOLVE_STARTS = 60
AS_EXPECTED, WRONG_INPUT, UNEXPECTED, INTERRUPTED = 0, 2, 3, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Simulate how markets find, or fail to find, their prices.",
    epilog="--version and --debug (show the trace of an error) may stand anywhere.",
)

Scenarios = Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="YAML files, folders of them, or globs.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a scenario: --set scheduler.rate=0.1 (repeatable)."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed in place of the scenario's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for scripts.")]
Formats = Annotated[
    str, typer.Option("--format", metavar="FORMATS", help="Figures as png, svg, pdf (comma-separated).")
]


@app.command()
def run(
    scenarios: Scenarios,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where run folders go.")] = Path("outputs"),
    ticks: Annotated[
        int | None, typer.Option("--ticks", help="Price adjustments at most, in place of the scenario's.")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no figures.")] = False,
    formats: Formats = "png",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    as_json: AsJson = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Runs at the same time.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue runs that were interrupted or killed.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace run folders that exist.")] = False,
) -> None:
    """Run scenarios: show progress, print a summary, write outputs/<name>/ with CSVs and figures."""
    from simulator.scenario import load_many

    chosen = _formats(formats)
    if resume and overwrite:
        _refuse("--resume continues a run and --overwrite replaces it: give one of them")
    loaded = load_many(scenarios, settings=_settings(settings, ticks, seed))
    if not resume and not overwrite:
        taken = [str(out / scenario.name) for scenario in loaded if _occupied(out / scenario.name)]
        if taken:
            _refuse(
                f"{', '.join(taken)}: found a run there; --overwrite replaces it, --resume continues it, --out writes elsewhere"
            )
    speaks = not quiet and not as_json
    summaries = _run_all(loaded, out, jobs=jobs, resume=resume, formats=() if no_plots else chosen, speaks=speaks)
    if as_json:
        import json

        print(json.dumps(summaries if len(summaries) > 1 else summaries[0], indent=2, ensure_ascii=False))
    elif not quiet:
        _print_summaries(summaries, out)
    raise typer.Exit(max(_exit_code(summary) for summary in summaries))


@app.command()
def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs.")],
    formats: Formats = "png",
) -> None:
    """Redraw the figures of finished runs from their CSVs alone."""
    chosen = _formats(formats)
    for folder in runs:
        if not (folder / "trajectory.csv").is_file():
            _refuse(f"{folder}: found no trajectory.csv; expected the folder of a run, such as outputs/tupperware")
    from simulator.results.plots import draw

    for folder in runs:
        for figure in draw(folder, folder / "figures", chosen):
            print(figure)


@app.command()
def check(scenarios: Scenarios, settings: Settings = None) -> None:
    """Validate scenarios without running them: every problem of every file in one pass."""
    from simulator.scenario import load_many

    for scenario in load_many(scenarios, settings=_settings(settings, None, None)):
        economy = scenario.economy
        counts = (len(economy.goods), len(economy.firms), len(economy.consumers))
        nouns = (_plural(n, noun) for n, noun in zip(counts, ("good", "firm", "consumer"), strict=True))
        print(f"{scenario.path}: ok: {scenario.name}, {', '.join(nouns)}")


@app.command()
def solve(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A YAML file.")],
    settings: Settings = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Find equilibria only, without dynamics: every one found, with residual, index and stability."""
    from simulator.references.judges import References
    from simulator.results.report import equilibrium_lines, equilibrium_records
    from simulator.scenario import load

    loaded = load(scenario, settings=_settings(settings, None, seed))
    references = References(
        loaded.economy, loaded.rule, loaded.initial_prices, loaded.run.seed, random_starts=SOLVE_STARTS
    )
    if as_json:
        import json

        print(json.dumps(equilibrium_records(references), indent=2, ensure_ascii=False))
    else:
        print("\n".join(equilibrium_lines(loaded.name, references)))
    raise typer.Exit(AS_EXPECTED if references.equilibria else UNEXPECTED)


def main() -> None:
    """The program `simulator`. A user's mistake is said in plain lines; --debug shows the trace of anything."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    if "--version" in arguments:
        from importlib.metadata import version

        print(f"simulator {version('market-simulator')}")
        return
    from simulator.errors import RunFolderError, ScenarioError

    try:
        app(args=arguments, prog_name="simulator")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        known = isinstance(error, (ScenarioError, RunFolderError, OSError))
        print(error if known else f"simulator: internal error: {error!r}; --debug shows the trace", file=sys.stderr)
        sys.exit(WRONG_INPUT if known else 1)


def _run_all(
    scenarios: tuple[Scenario, ...], out: Path, *, jobs: int, resume: bool, formats: tuple[str, ...], speaks: bool
) -> list[dict[str, Any]]:
    """Run every scenario, `jobs` at a time; the summaries in the order of the scenarios."""
    tasks = [(scenario.resolved, out / scenario.name, resume, formats, speaks) for scenario in scenarios]
    if jobs == 1 or len(tasks) == 1:
        summaries: list[dict[str, Any]] = []
        for scenario, task in zip(scenarios, tasks, strict=True):
            summaries.append(_run_one(scenario, *task[1:]))
            if summaries[-1]["outcome"] == "interrupted":
                break
        return summaries
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(min(jobs, len(tasks))) as pool:
        return list(pool.map(_run_resolved, tasks))


def _run_resolved(task: tuple[dict[str, Any], Path, bool, tuple[str, ...], bool]) -> dict[str, Any]:
    """One run in a process of its own: the scenario travels as plain data."""
    from simulator.scenario import load

    resolved, folder, resume, formats, _ = task
    return _run_one(load(resolved), folder, resume, formats, speaks=False)


def _run_one(scenario: Scenario, folder: Path, resume: bool, formats: tuple[str, ...], speaks: bool) -> dict[str, Any]:
    from simulator.run import run_to_disk

    with _interruption() as stopped, _progress(scenario.name, speaks) as progress:
        summary = run_to_disk(scenario, folder, resume=resume, progress=progress, stopped=stopped)
    if formats and summary["outcome"] != "interrupted":
        from simulator.results.plots import draw

        draw(folder, folder / "figures", formats)
    return summary


@contextmanager
def _interruption() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a question that the run answers between two ticks; the second one breaks off."""
    import signal

    seen: list[int] = []

    def note(number: int, _: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(name: str, speaks: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal, a plain line every few seconds elsewhere, nothing if it should not speak."""
    if not speaks:
        yield None
    elif sys.stderr.isatty():
        from rich.progress import Progress

        from rich.console import Console

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(name, total=None)

            def advance(tick: int, ticks: int) -> None:
                if tick % 50 == 0:
                    bar.update(task, completed=tick, total=ticks)

            yield advance
    else:
        import time

        last = time.monotonic()

        def say(tick: int, ticks: int) -> None:
            nonlocal last
            if tick % 50 == 0 and time.monotonic() - last > 5.0:
                last = time.monotonic()
                print(f"{name}: tick {tick} of at most {ticks}", file=sys.stderr, flush=True)

        yield say


def _print_summaries(summaries: list[dict[str, Any]], out: Path) -> None:
    """A table with a line a run, then each run's sentence and folder."""
    columns = {
        "run": "name",
        "outcome": "outcome",
        "ticks": "ticks",
        "excess demand": "max_relative_excess_demand",
        "price - equilibrium": "price_gap",
        "price - derivative": "adjoint_gap",
        "price - gradient path": "gradient_path_gap",
    }
    rows = [list(columns), *([_cell(summary[key]) for key in columns.values()] for summary in summaries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for summary in summaries:
        folder = out / summary["name"]
        print(
            f"\n{summary['name']}: {summary['sentence']}\n  written to {folder}/ (figures in {folder}/figures/)"
            if (folder / "figures").is_dir()
            else f"\n{summary['name']}: {summary['sentence']}\n  written to {folder}/"
        )
        if _exit_code(summary) == UNEXPECTED:
            print(f"  expected {' or '.join(summary['expect'])}, found {summary['outcome']}")
        if summary["outcome"] == "interrupted":
            print("  --resume continues it")


def _exit_code(summary: dict[str, Any]) -> int:
    if summary["outcome"] == "interrupted":
        return INTERRUPTED
    return AS_EXPECTED if summary["outcome"] in summary["expect"] else UNEXPECTED


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.1e}" if isinstance(value, float) else str(value)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _settings(settings: list[str] | None, ticks: int | None, seed: int | None) -> dict[str, object]:
    """What --set, --ticks and --seed change, by dotted path."""
    changes: dict[str, object] = {}
    for setting in settings or []:
        path, equals, value = setting.partition("=")
        if not equals or not path:
            _refuse(f"--set {setting}: found no path=value; expected for example --set scheduler.rate=0.1")
        changes[path] = value
    if ticks is not None:
        changes["run.ticks"] = ticks
    if seed is not None:
        changes["run.seed"] = seed
    return changes


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(part.strip() for part in text.split(","))
    wrong = [name for name in formats if name not in ("png", "svg", "pdf")]
    if wrong:
        _refuse(f"--format {text}: found {', '.join(map(repr, wrong))}; expected png, svg or pdf")
    return formats


def _occupied(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(WRONG_INPUT)
