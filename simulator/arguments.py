"""What a command line says: options as numbers, scenarios with their settings, and places that can be written to.

Whatever is wrong is refused in plain lines before anything is run or written.
"""

from __future__ import annotations

import os
from collections.abc import Container, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from simulator.errors import CommandError, Problem, RunFolderError, ScenarioError
from simulator.figures.needed import NEEDED, SIZES, Look
from simulator.jobs import Task
from simulator.kinds.names import composed
from simulator.kinds.wording import nearest
from simulator.options import one_of
from simulator.slips import instead, meant

if TYPE_CHECKING:
    from simulator.scenario import Scenario

FORMATS = ("png", "svg", "pdf")
MANY_ROWS = 10_000_000
MEMBERS = "members.csv"
WAYS_OUT = "--overwrite replaces it, --resume continues it, --out writes elsewhere"


def refuse(message: str) -> NoReturn:
    """Leave the command with a complaint and the exit code of a wrong command line."""
    raise CommandError(message)


def changes_of(settings: Iterable[str] | None) -> dict[str, str]:
    """What `--set PATH=VALUE` changes, by path."""
    changes: dict[str, str] = {}
    for setting in settings or []:
        path, equals, value = setting.partition("=")
        if not equals or not path:
            guess = meant(instead("setting", setting))
            refuse(f"--set {setting}: found no PATH=VALUE; expected for example --set scheduler.rate=0.1{guess}")
        changes[path] = value
    return changes


def load_scenarios(
    paths: Sequence[str],
    settings: list[str] | None,
    *,
    ticks: str | None = None,
    seed: str | None = None,
    single: bool = False,
    runs: bool = True,
) -> tuple[Scenario, ...]:
    """The scenarios with what the command line changes; a problem with `--ticks` or `--seed` is said to be there.
    Unless they are to run, what keeps them from it alone is no problem.
    """
    from simulator.scenario import load, load_many

    options = {f"run.{name}": value for name, value in (("ticks", ticks), ("seed", seed)) if value is not None}
    changes: dict[str, object] = {**changes_of(settings), **options}

    def place(problem: Problem) -> Problem:
        if problem.where in paths and not problem.line:
            return replace(problem, message=problem.message + meant(_scenario_meant(problem.where)))
        return problem

    try:
        with told_by_options(options):
            scenarios = (load(paths[0], settings=changes),) if single else load_many(paths, settings=changes)
            if runs and (unready := [problem for scenario in scenarios for problem in scenario.unready]):
                raise ScenarioError(unready)
            return scenarios
    except ScenarioError as error:
        raise ScenarioError(dict.fromkeys(map(place, error.problems))) from None


@contextmanager
def told_by_options(options: Container[str] = ()) -> Generator[None]:
    """What is wrong with a setting is said to be at `--set`, or at the option for its path."""
    from simulator.scenario.document import SETTINGS

    def place(problem: Problem) -> Problem:
        if problem.where != SETTINGS:
            return problem
        if problem.path in options:
            return replace(problem, where=problem.path.replace("run.", "--"), path="")
        return replace(problem, where="--set")

    try:
        yield
    except ScenarioError as error:
        raise ScenarioError(map(place, error.problems)) from None


@contextmanager
def told_at(option: str, where: str) -> Generator[None]:
    """What is wrong in a place that only Python knows is said to be at an option."""
    try:
        yield
    except ScenarioError as error:
        problems = (replace(each, where=option) if each.where == where else each for each in error.problems)
        raise ScenarioError(problems) from None


def _scenario_meant(path: str) -> str | None:
    """The scenario file that a path which is none probably means: of a run, or one of a like name close by."""
    place = Path(path)
    if "\0" in path or place.is_file():
        return None
    if place.is_dir():
        return str(place / "scenario.yaml") if (place / "scenario.yaml").is_file() else None
    near = [file for folder in (place.parent, Path("scenarios"), Path()) for file in sorted(folder.glob("*.y*ml"))]
    named = {file.stem: str(file) for file in reversed(near)}
    guess = nearest(place.name.removesuffix(".yaml").removesuffix(".yml"), named)
    return named[guess] if guess else None


def number_of_jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) < 1:
        refuse(f"--jobs: found {text!r}; expected a whole number, 1 or more")
    return int(text[:9])


def seed_number(text: str | None) -> int | None:
    """A study's seed."""
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text[:25]) >= 2**64:
        refuse(f"--seed: found {text!r}; expected a whole number from 0 to 2^64 - 1")
    return int(text)


def figure_formats(text: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    wrong = [name for name in formats if name not in FORMATS]
    if wrong:
        guess = meant(nearest(wrong[0], FORMATS))
        refuse(f"--format: found {', '.join(map(repr, wrong))}; expected png, svg or pdf, or several: png,svg{guess}")
    return formats


def look_of(figures: str | None, goods: str | None, between: str | None, size: str, title: str | None) -> Look:
    """What is to be drawn, and how."""
    named, wanted = (
        tuple(dict.fromkeys(name.strip() for name in composed(text or "").split(",") if name.strip()))
        for text in (figures, goods)
    )
    for name in named:
        if name not in NEEDED:
            refuse(f"--figures: found {name!r}; expected {one_of(name, [*NEEDED])}")
    if size not in SIZES:
        refuse(f"--size: found {size!r}; expected {one_of(size, SIZES)}")
    return Look(named, wanted, None if between is None else _ticks_between(between), size, title)


def _ticks_between(text: str) -> tuple[float, float]:
    first, colon, last = text.partition(":")
    ends = [part.strip().replace("_", "") for part in (first, last)]
    if not colon or not all(end.isascii() and (end.isdigit() or not end) for end in ends) or not any(ends):
        refuse(f"--between: found {text!r}; expected two ticks, as in 100:200, :50 or 100:")
    low, high = float(ends[0] or 0), float(ends[1] or "inf")
    if low >= high:
        refuse(f"--between: found {text!r}; expected a later tick after the colon")
    return low, high


def check_goods(goods: Sequence[str], scenarios: Iterable[Scenario]) -> None:
    """Refuse goods to draw that a scenario does not have."""
    for scenario in scenarios:
        for good in goods:
            if good not in scenario.markets.goods:
                expected = one_of(good, scenario.markets.goods)
                refuse(f"--goods: found {good!r}, no good of {scenario.name}; expected {expected}")


def check_folder(out: Path) -> None:
    """Refuse a folder that cannot be made or written to."""
    above = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not above.is_dir():
        refuse(f"--out: found the file {above}; expected a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        refuse(f"--out: found the folder {above}, which may not be written to; expected one that may")


def write_new(file: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a file whole or not at all: where there is none, or with `overwrite` in the place of one."""
    part = file.with_name(f"{file.name}.part") if overwrite else file
    try:
        place = part.open("wb" if overwrite else "xb")
    except FileExistsError:
        refuse(f"{file}: found a file; expected a name that is free")
    try:
        with place:
            place.write(text.encode())
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from error


def check_places(tasks: Sequence[Task], out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse, before anything is run, what cannot be written to, and runs that would be lost or cannot be resumed."""
    from simulator.records.folder import RunFolder

    check_folder(out)
    complaints: list[str] = []
    for task in tasks:
        folder = RunFolder(task.folder, task.scenario.run.tables, task.scenario.run.format)
        try:
            if resume:
                folder.checkpoint(task.scenario.text, task.scenario.inputs)
            elif overwrite:
                folder.refuse_strangers()
            elif not folder.vacant:
                folder.refuse_strangers()
                complaints.append(f"{task.folder}: found a run; {WAYS_OUT}")
        except RunFolderError as error:
            complaints.append(str(error))
    if complaints:
        refuse("\n".join(complaints))


def most_rows(scenario: Scenario) -> dict[str, int]:
    """How many rows a run of all its ticks writes to each CSV that grows; its first and last are always recorded."""
    run, markets, economy = scenario.run, scenario.markets, scenario.economy
    goods, agents = (lambda name, some=some: some is None or name in some for some in run.kept)
    uses = [
        (firm.name, good)
        for firm in economy.firms
        for good in (*(markets.goods[markets.good[at]] for at in firm.inputs), *([""] if firm.levels else ()))
    ]
    rows = {
        "trajectory": sum(map(goods, markets.goods)),
        "agents": scenario.scheduler.agent_rows([each.economy for each in scenario.regimes], markets, run.kept),
        "wedges": sum(agents(firm) and (not good or goods(good)) for firm, good in uses),
    }
    ticks = -(-run.ticks // run.record_every) + 1
    counts = {entry.name: entry.count for entry in (*economy.firms, *economy.consumers)}
    members = sum(counts[name] * sum(tick <= run.ticks for tick in {*at}) for name, at in run.members.items())
    growing = {f"{table}.csv": ticks * number for table, number in rows.items() if table in run.tables}
    return growing | ({MEMBERS: members} if run.members else {})


def size_warning(scenario: Scenario) -> str:
    """What to say before a run that may write more than `MANY_ROWS` rows to a CSV; empty if it does not.

    A run that stops early writes fewer.
    """
    rows = most_rows(scenario)
    many = {file: number for file, number in rows.items() if number > MANY_ROWS}
    if not many:
        return ""
    found = ", ".join(f"{number:,} rows to {file}" for file, number in many.items())
    found = f"{scenario.name}: writes at most {found}"
    often = [number for file, number in many.items() if file != MEMBERS]
    if not often:
        return f"{found}; fewer ticks in run.members write fewer"
    enough = scenario.run.record_every * max(often) / MANY_ROWS
    step = next(digit * 10**power for power in count() for digit in (1, 2, 5) if digit * 10**power >= enough)
    return f"{found}; --set run.record_every={step} writes fewer"


def run_folders(paths: Iterable[str]) -> list[Path]:
    """The folders that paths and globs name, in order; where a shell has not expanded a glob, this does."""
    import glob

    folders: list[Path] = []
    complaints: list[str] = []
    for path in paths:
        magic = "\0" not in path and glob.has_magic(path) and not Path(path).exists()
        folders += [Path(place) for place in sorted(glob.glob(path)) if magic and Path(place).is_dir()] or [Path(path)]
        place = folders[-1]
        if not place.is_dir() and (guess := _run_meant(place)):
            found = "found a file" if place.is_file() else "no such folder"
            complaints.append(f"{place}: {found}; expected the folder of a run{meant(guess)}")
    if complaints:
        refuse("\n".join(complaints))
    return folders


def _run_meant(place: Path) -> str | None:
    """The run that a path which is none probably means."""
    near = [
        folder for above in (Path("outputs"), place.parent) for folder in sorted(above.glob("*")) if folder.is_dir()
    ]
    named = {folder.name: str(folder) for folder in near}
    if any(place.parent.glob("trajectory.*")):
        return str(place.parent)
    guess = nearest(place.stem if place.is_file() else place.name, named)
    return named[guess] if guess else f"simulator run {place}" if place.suffix in (".yaml", ".yml") else None
