"""The commands that look for something: the small change that moves equilibria most, good steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.arguments import (
    changes_of,
    check_folder,
    load_scenarios,
    number_of_jobs,
    refuse,
    told_by_options,
    write_new,
)
from simulator.errors import CommandError
from simulator.options import AsJson, Jobs, OneScenario, Plugin, Seed, Settings, one_of
from simulator.pool import Job, Pool
from simulator.stopping import Interruption
from simulator.terminal import (
    AS_EXPECTED,
    UNEXPECTED,
    Failure,
    Progress,
    aligned,
    complain,
    print_json,
    progress_of,
    say,
)

if TYPE_CHECKING:
    from simulator.references.found import Equilibrium
    from simulator.scenario import Scenario
    from simulator.trial import Trial

TUNED = Path("outputs/tuned")


def perturb(
    scenario: OneScenario,
    change: Annotated[
        str, typer.Option("--change", metavar="WHAT", help="What changes: endowments, or tastes.")
    ] = "endowments",
    size: Annotated[
        float, typer.Option("--size", metavar="SIZE", help="Size of the change: 0.01 is one per cent.")
    ] = 0.01,
    norm: Annotated[
        str, typer.Option("--norm", metavar="NORM", help="l2: sum of squares; sup: the largest change.")
    ] = "l2",
    equilibrium: Annotated[
        int | None, typer.Option("--equilibrium", metavar="N", help="Which of several, as solve counts them.")
    ] = None,
    random: Annotated[int, typer.Option("--random", metavar="N", help="Random changes to compare with.")] = 200,
    settings: Settings = None,
    plugin: Plugin = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Find the change of endowments, supplies and budgets, or of tastes, that moves equilibrium prices most.

    By implicit differentiation at the equilibrium, beside solving the changed economy again and random changes of the
    same size. The amplification is how many times as far log prices move as the logarithms of what changes.
    """
    if not 0 < size <= 1:
        refuse(f"--size: found {size:g}; expected a number above 0, at most 1, such as 0.01")
    if random < 1:
        refuse(f"--random: found {random}; expected 1 or more")
    from simulator.records.perturbation import perturbation, perturbation_lines
    from simulator.references import fragility

    for option, given, known in (("--change", change, fragility.WHAT), ("--norm", norm, fragility.NORMS)):
        if given not in known:
            refuse(f"{option}: found {given!r}; expected {one_of(given, known)}")
    loaded, found = solved(scenario, settings, seed)
    economy = loaded.economy
    number = _which(scenario, equilibrium, len(found))
    try:
        parameters = fragility.parameters(economy, loaded.markets, change)
        subject = fragility.Fragility(economy, loaded.markets, loaded.rule, found[number - 1], parameters)
        told = perturbation(subject, size=size, norm=norm, number=random, seed=loaded.run.seed)
    except fragility.FragilityError as problem:
        refuse(f"{scenario}: {problem}")
    if as_json:
        print_json({"name": loaded.name, "equilibrium": number, "change": change, **told})
        return
    title = f"{loaded.name}, equilibrium {number} of {len(found)} (index {told['index']:+d})"
    say("\n".join(perturbation_lines(title, told)))


def tune(
    scenario: OneScenario,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the tuned scenario goes.")] = TUNED,
    settings: Settings = None,
    plugin: Plugin = None,
    seed: Seed = None,
    as_json: AsJson = False,
    jobs: Jobs = "1",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a tuned scenario that exists.")] = False,
) -> int:
    """Find good steps by a small search, and write them into a copy of the scenario, outputs/tuned/NAME.yaml.

    Tries the rate, the main number of each piece of the price rule and the rates of hidden firms: 20 runs for each
    number, and one as written. Best is the run that clears in the fewest ticks, or else leaves the smallest residual.
    Rates are looked for within a factor of 30 of what is written; --set scheduler.rate=1 moves the range.

    Exit code: 0 if the best run ends as the scenario expects, 3 if it does not, 2 if the scenario or the command line
    is wrong (then nothing is run), 130 if interrupted (then nothing is written).
    """
    from simulator.records.report import plain
    from simulator.scenario import text_with
    from simulator.tune import best_of, most_runs, numbers_of, search

    processes = number_of_jobs(jobs)
    (loaded,) = load_scenarios([scenario], settings, seed=seed, single=True)
    if loaded.run.stop == "never":
        refuse(f"{scenario}: found run.stop never, where all runs are as long; expected --set run.stop=verdict")
    file = out / f"{loaded.name}.yaml"
    _check_free(file, scenario, overwrite=overwrite)
    changes: dict[str, object] = {**changes_of(settings), **({} if seed is None else {"run.seed": seed})}
    with told_by_options():
        text_with(scenario, changes, out)  # What cannot be written is not looked for.
    numbers = numbers_of(loaded)
    # Nothing is kept of a search that is broken off: Ctrl-C need not be waited for.
    with progress_of(not as_json) as progress, Pool(processes, Interruption()) as pool:
        tried = search(numbers, _runner(loaded, pool, most_runs(numbers), progress))
    written, best = tried[0].numbers, best_of(tried)
    tuned = {path: value for path, value in best.numbers.items() if value != written[path]}
    # What is set later may replace what it is part of.
    kept = {path: value for path, value in changes.items() if path not in tuned}
    text = text_with(scenario, {**kept, **tuned}, out)
    out.mkdir(parents=True, exist_ok=True)
    write_new(file, text, overwrite=overwrite)
    if as_json:
        trials = [trial._asdict() for trial in tried]
        print_json(plain({"name": loaded.name, "best": best._asdict(), "trials": trials, "file": str(file)}))
    else:
        say("\n".join([*_tuning_lines(loaded, tried, best), f"  wrote {file}"]))
    return AS_EXPECTED if best.outcome in loaded.expect else UNEXPECTED


def solved(scenario: str, settings: list[str] | None, seed: str | None) -> tuple[Scenario, list[Equilibrium]]:
    """A scenario whose agents plan, and its equilibria, looked for from many starts."""
    from simulator.references.equilibrium import find
    from simulator.solving import UnsolvableError, check_planned

    (loaded,) = load_scenarios([scenario], settings, seed=seed, single=True, runs=False)
    try:
        check_planned(loaded)
    except UnsolvableError as problem:
        refuse(str(problem))
    for warning in loaded.warnings:
        complain(str(warning))
    return loaded, find(loaded.economy, loaded.rule, [loaded.initial_prices], seed=loaded.run.seed)


def _which(scenario: str, asked: int | None, many: int) -> int:
    """The number of the equilibrium asked for, of so many; it may be left out where there is one."""
    if not many:
        refuse(f"{scenario}: found no equilibrium; expected one, whose prices may move")
    if asked is None and many > 1:
        refuse(f"{scenario}: found {many} equilibria; expected --equilibrium N, from 1 to {many} as solve counts them")
    if asked is not None and not 1 <= asked <= many:
        refuse(f"--equilibrium: found {asked}; expected 1{f' to {many}' if many > 1 else ''}, as solve counts them")
    return asked or 1


def _check_free(file: Path, scenario: str, *, overwrite: bool) -> None:
    """Refuse, before anything is run, a place that cannot be written to, or holds what must not be replaced."""
    check_folder(file.parent)
    if file.is_dir():
        refuse(f"{file}: found a folder; expected a file or nothing")
    if file.exists() and os.path.samefile(file, scenario):
        refuse(f"--out: found the folder of {scenario}, which is left as it is; expected another folder")
    if file.exists() and not overwrite:
        refuse(f"{file}: found a file; --overwrite replaces it, --out writes elsewhere")


def _runner(
    scenario: Scenario, pool: Pool, most: int, progress: Progress
) -> Callable[[list[dict[str, float]]], list[Trial]]:
    """What makes trials of a scenario, several at a time where the pool does."""
    done = 0

    def run(many: list[dict[str, float]]) -> list[Trial]:
        nonlocal done
        trials: dict[int, Trial] = {}
        for place, result in pool.results([Job(scenario, _trial, (numbers,)) for numbers in many]):
            if isinstance(result, Failure):
                raise CommandError(*result)
            trials[place], done = result, done + 1
            progress("runs done:", done, most)
        return [trials[place] for place in range(len(many))]

    return run


def _trial(scenario: Scenario, numbers: dict[str, float], _: Interruption) -> Trial:
    """A trial, here or in a worker."""
    from simulator.trial import trial

    return trial(scenario, numbers)


def _tuning_lines(scenario: Scenario, tried: list[Trial], best: Trial) -> list[str]:
    """A table with a line a run, then the best run beside the one as written."""
    written, paths = tried[0], list(best.numbers)
    rows = [[*paths, "outcome", "ticks", "residual"]]
    for run in tried:
        numbers = [f"{value:g}" for value in run.numbers.values()]
        rows.append([*numbers, run.outcome, str(run.ticks), f"{run.residual:.2g}"])
    lines = aligned(rows, {len(paths)})
    if not best.cleared:
        lines += ["", f"nothing clears in {len(tried)} runs; the best leaves the smallest residual"]
    lines += ["", f"{scenario.name}: {_ended(best)}; as written {_ended(written)} (best of {len(tried)} runs)"]
    if best.numbers == written.numbers:
        lines.append("  as written is best")
    for path in paths:
        if best.numbers[path] != written.numbers[path]:
            lines.append(f"  {path}: {best.numbers[path]:g} in the place of {written.numbers[path]:g}")
    if best.outcome not in scenario.expect:
        lines.append(f"  expected {' or '.join(scenario.expect)}, found {best.outcome}")
    return lines


def _ended(trial: Trial) -> str:
    ticks = f"{trial.ticks} tick{'' if trial.ticks == 1 else 's'}"
    if trial.cleared:
        return f"cleared after {ticks}"
    return f"{trial.outcome.replace('_', ' ')} after {ticks} with residual {trial.residual:.2g}"
