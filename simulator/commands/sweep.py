"""The commands of many runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from simulator.arguments import check_folder, figure_formats, number_of_jobs, refuse, seed_number
from simulator.options import AsJson, Formats, Plugin
from simulator.stopping import Interruption
from simulator.terminal import (
    AS_EXPECTED,
    INTERRUPTED,
    UNEXPECTED,
    aligned,
    complain,
    print_json,
    progress_of,
    say,
)

if TYPE_CHECKING:
    from simulator.studies.folder import StudyFolder
    from simulator.studies.sensitivity import Indices
    from simulator.studies.study import Study, StudyFile
    from simulator.studies.sweep import Done, Road

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the folder of the study goes.")]
AStudy = Annotated[str, typer.Argument(metavar="STUDY", help="A YAML file: scenario, vary, design, measures.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Seed = Annotated[str | None, typer.Option("--seed", metavar="N", help="Seed, in place of the study's.")]
Jobs = Annotated[str | None, typer.Option("--jobs", metavar="N", help="Runs at the same time (default: all cores).")]
Dask = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="By this dask.distributed scheduler, or one started here: local."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a study: run what is missing.")]
Retry = Annotated[bool, typer.Option("--retry", help="With --resume, run also what ended in an error.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a study that exists.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many runs and how long, by the first ones, timed.")]
NoPlots = Annotated[bool, typer.Option("--no-plots", help="Draw no figures.")]


def sweep(
    study: AStudy,
    out: Out = Path("outputs"),
    seed: Seed = None,
    jobs: Jobs = None,
    dask: Dask = None,
    plugin: Plugin = None,
    no_plots: NoPlots = False,
    formats: Formats = "png",
    quiet: Quiet = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    resume: Resume = False,
    retry: Retry = False,
    overwrite: Overwrite = False,
) -> int:
    """Run one scenario many times, as a study says, and write a table with a row for each run to outputs/NAME/.

    The study names a scenario, what is varied (dotted paths as in --set, with their values), a design (grid, zip,
    random, latin_hypercube, sobol, csv), how many replications, and what is measured. A run that is refused, raises or
    dies is a row with its error.

    Exit code: 0 if every run has an outcome, whichever, 3 if a row has an error, 2 if the study or the command line is
    wrong (then nothing is run), 130 if interrupted (--resume goes on).
    """
    from simulator.studies.study import StudyFile

    again = {"resume": resume, "retry": retry, "overwrite": overwrite}
    asked = Asked(out, seed, jobs, dask, **again, quiet=quiet, as_json=as_json)
    return asked.run(study, StudyFile, () if no_plots else figure_formats(formats), dry_run=dry_run)


def sensitivity(
    study: AStudy,
    out: Out = Path("outputs"),
    seed: Seed = None,
    jobs: Jobs = None,
    dask: Dask = None,
    plugin: Plugin = None,
    no_plots: NoPlots = False,
    formats: Formats = "png",
    quiet: Quiet = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    resume: Resume = False,
    retry: Retry = False,
    overwrite: Overwrite = False,
) -> int:
    """Rank parameters by how much they move what is measured, by SALib; write outputs/NAME/sensitivity.csv.

    The study is that of a sweep whose numbers are drawn from distributions. Its design is {sobol: N}, N (D + 2) runs of
    D parameters, {morris: N}, N (D + 1) runs, or {latin_hypercube: N}, N runs. Measures are numbers.

    Exit code: as of sweep; 3 also if some measure has no indices.
    """
    from simulator.extras import library
    from simulator.studies.sensitivity import SensitivityFile

    library("SALib", "sensitivity analysis")
    again = {"resume": resume, "retry": retry, "overwrite": overwrite}
    asked = Asked(out, seed, jobs, dask, **again, quiet=quiet, as_json=as_json)
    return asked.run(study, SensitivityFile, () if no_plots else figure_formats(formats), dry_run=dry_run)


class Asked(NamedTuple):
    """What the options ask for."""

    out: Path
    seed: str | None
    jobs: str | None
    dask: str | None
    resume: bool
    retry: bool
    overwrite: bool
    quiet: bool
    as_json: bool

    @property
    def speaks(self) -> bool:
        """Whether people read along."""
        return not self.quiet and not self.as_json

    def run(self, file: str, model: type[StudyFile], formats: tuple[str, ...], *, dry_run: bool) -> int:
        """Carry out a study, tell what came of it, and draw its figures."""
        study = self.study(file, model)
        if dry_run:
            return self.tried(study)
        done, folder = self.carried_out(study)
        ranked = None if model.texts or not done.whole else self.ranked(study, done, folder)
        summary = done.summary if ranked is None else ranked.write(folder, done.summary)
        if self.as_json:
            print_json(summary)
        elif not self.quiet:
            say("\n".join([*([] if ranked is None else _ranking(ranked)), *_lines(study, done, folder.path)]))
        if done.whole and formats:
            from simulator.studies.drawing import draw

            draw(folder.path, formats)
        unranked = any(fact["no_indices"] for fact in summary.get("sensitivity", {}).values())
        return INTERRUPTED if not done.whole else UNEXPECTED if summary["errors"] or unranked else AS_EXPECTED

    def ranked(self, study: Study, done: Done, folder: StudyFolder) -> Indices:
        """The indices of a study that is done."""
        from simulator.studies.folder import table_of
        from simulator.studies.sensitivity import indices_of

        return indices_of(study, table_of(done.text))

    def study(self, study: str, model: type[StudyFile]) -> Study:
        """The study of a file, and what is to be said of its scenario before it is run."""
        from simulator.studies.study import load_study

        if self.resume and self.overwrite:
            refuse("--overwrite: found --resume too; expected one of them: go on with a study, or replace it")
        if self.retry and not self.resume:
            refuse("--retry: found no --resume; expected both: what ended in an error is run again")
        loaded = load_study(study, seed=seed_number(self.seed), model=model)
        for warning in loaded.scenario.warnings if self.speaks else ():
            complain(str(warning))
        return loaded

    def road(self, study: Study) -> Road:
        """By which runs are done."""
        from simulator.studies.sweep import road_of

        return road_of(None if self.jobs is None else number_of_jobs(self.jobs), self.dask, study.keep)

    def tried(self, study: Study) -> int:
        """Say how many runs a study has and how long they take, by the first of them; nothing is written."""
        from simulator.economics.rows import cores
        from simulator.studies.summary import planned
        from simulator.studies.sweep import duration, timed

        jobs = min(cores() if self.jobs is None else number_of_jobs(self.jobs), study.size)
        with Interruption() as stop:
            first = timed(study, jobs, stop)
        if first is None:
            return INTERRUPTED
        error = next((row.error for row in first.rows if row.error), None)
        if self.as_json:
            known = {"name": study.name, "runs": study.size, "points": len(study.points), "jobs": jobs}
            known |= {"first_runs": len(first.rows), "first_seconds": first.first_seconds, "seconds": first.seconds}
            print_json({**known, "error": error})
            return UNEXPECTED if error else AS_EXPECTED
        say(f"{study.name}: {planned(len(study.points), len(study.seeds))}; nothing is written")
        tried = f"the first {len(first.rows):,}" if len(first.rows) > 1 else "the first"
        took = f"{tried} took {duration(first.first_seconds)}"
        say(f"  {took}: all take about {duration(first.seconds)}, {jobs} at a time")
        if error:
            say(f"  of these, one ended in an error: {error}")
        return UNEXPECTED if error else AS_EXPECTED

    def carried_out(self, study: Study) -> tuple[Done, StudyFolder]:
        """Do the runs of a study; what came of them, and the folder."""
        from simulator.studies.folder import StudyFolder
        from simulator.studies.sweep import carry_out

        folder = StudyFolder(self.out / study.name, study)
        check_folder(self.out)
        folder.check(resume=self.resume, overwrite=self.overwrite)
        road = self.road(study)
        with Interruption() as stop, progress_of(self.speaks) as progress:
            done = carry_out(study, road, stop, folder, resume=self.resume, retry=self.retry, progress=progress)
        return done, folder


def _ranking(ranked: Indices) -> list[str]:
    """A table with a line a measure and parameter, and why a measure has none."""
    lines: list[str] = []
    for measure, fact in ranked.facts.items():
        left = f"{fact['left_out']:,} of {fact['blocks']:,} blocks left out"
        if fact["no_indices"]:
            lines += [f"{measure}: no indices, {fact['no_indices']} ({left})", ""]
            continue
        mine = [row for row in ranked.rows if row[0] == measure]
        names = list(dict.fromkeys(index for _, _, index, *_ in mine))
        rows = [[measure, *names]]
        for path in dict.fromkeys(path for _, path, *_ in mine):
            cells = (row[3:] for row in mine if row[1] == path)
            rows.append([path, *(_number(value) + ("" if half is None else f" ± {half:.2g}") for value, half in cells)])
        lines += [*aligned(rows, {0}), *([f"  {left}"] if fact["left_out"] else []), ""]
    return lines


def _lines(study: Study, done: Done, folder: Path) -> list[str]:
    """A table with a line a measure, and what happened."""
    summary, columns = done.summary, ("mean", "min", "median", "max", "empty")
    numbers = {name: facts for name, facts in summary["measures"].items() if "counts" not in facts}
    texts = {name: facts["counts"] for name, facts in summary["measures"].items() if "counts" in facts}
    rows = [["", *columns], *([name, *(_number(facts.get(key)) for key in columns)] for name, facts in numbers.items())]
    lines = [*aligned(rows, {0}), ""] if numbers else []
    for name, counts in texts.items():
        lines += [f"{name}: {', '.join(f'{count:,} {text}' for text, count in counts.items())}"]
    lines += [f"{study.name}: {summary['sentence']}", f"  files in {folder}{os.sep}"]
    lines += [f"  error of {count:,} run{'s'[: count > 1]}: {text}" for text, count in summary["error_texts"].items()][
        :5
    ]
    if not done.whole:
        lines.append(f"  interrupted after {summary['runs']:,} of {study.size:,} runs; --resume goes on")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.5g}"
