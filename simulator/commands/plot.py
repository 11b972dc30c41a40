"""The commands that draw and compare finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from simulator import terminal
from simulator.arguments import check_folder, figure_formats, look_of, refuse, run_folders
from simulator.errors import CommandError
from simulator.options import AsJson, Between, FigureGoods, FigureNames, Formats, Plugin, Runs, Size, Title

COMPARISON = Path("outputs/compare")


def plot(
    runs: Runs,
    formats: Formats = "png",
    figures: FigureNames = None,
    goods: FigureGoods = None,
    between: Between = None,
    size: Size = "slide",
    title: Title = None,
    curves: Annotated[
        str | None,
        typer.Option(
            "--curves", metavar="GOODS", help="Draw supply and demand of goods at other prices, as in bread,wine@100."
        ),
    ] = None,
    plugin: Plugin = None,
) -> None:
    """Redraw the figures of finished runs and studies from their CSVs alone.

    With --curves the economy is rebuilt from the run's scenario.yaml, and asked what it would want and offer of a good
    at other prices of it, all other prices being as they were at the last tick or at the one behind the @. The answers
    are written to curves.csv beside the run, and the figure `curves` is drawn from that.
    """
    chosen, look = figure_formats(formats), look_of(figures, goods, between, size, title)
    from simulator.figures.comparison import missing_tables, why_no_run
    from simulator.figures.frames import TABLES, NothingToSeeError, left_out
    from simulator.figures.table import draw

    folders = run_folders(runs)
    options = figures is not None or goods is not None or between is not None or title is not None
    folders = _all_but_studies(folders, chosen, alone=not (options or curves is not None or size != "slide"))
    gone = {folder: left_out(folder) for folder in folders}
    needed = {folder: [] if "trajectory" in gone[folder] else ["trajectory.csv"] for folder in folders}
    strangers = [why for folder in folders if (why := why_no_run(folder, needed[folder]))]
    if strangers:
        refuse("\n".join(strangers))
    if curves is not None:
        from simulator.curves import asked, write_curves

        wanted = asked(curves)
        for folder in folders:
            write_curves(folder, wanted)
        look = look if look.figures else look._replace(figures=("curves",))
    for folder in folders:
        try:
            written = draw(folder, folder / "figures", chosen, look=look)
        except NothingToSeeError as nothing:
            refuse(f"{folder}: {nothing}")
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            found = f"found CSVs that cannot be drawn ({terminal.one_line(error)})"
            raise CommandError(f"{folder}: {found}; expected them as a run wrote them") from error
        if gone[folder]:
            files = ([f"{table}.csv" for table in tables] for tables in (gone[folder], TABLES))
            terminal.complain(missing_tables(folder, *files))
        if written:
            terminal.say("\n".join(map(str, written)))
        else:
            terminal.complain(f"{folder}: found no table that a figure is drawn from")


def _all_but_studies(folders: Sequence[Path], formats: Sequence[str], *, alone: bool) -> list[Path]:
    """Draw the figures of studies; what is left are runs. Refuses studies where --format is not `alone`."""
    from simulator.studies import drawing

    for folder in filter(drawing.is_study, folders):
        if not alone:
            refuse(f"{folder}: found a study, whose figures are drawn as they are; expected no option but --format")
        terminal.say("\n".join(map(str, drawing.draw(folder, formats))) or f"{folder}: nothing varies; no figure")
    return [folder for folder in folders if not drawing.is_study(folder)]


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
    """Hold finished runs, or solved scenarios, against each other, and what the others are worth to consumers beside
    the first.

    Prints a table and writes CSVs and figures to outputs/compare/. Of runs: outcome, ticks, gaps, and prices
    on one scale. Of scenarios that simulator solve has solved: what differs in prices, levels, incomes and utilities of
    their equilibria. Reads nothing but what is in the folders. Prices of runs are
    counted in money where all runs do, else in a good whose price is held fixed, else by the sum of price times
    quantity; the table says which.
    """
    chosen = figure_formats(formats)
    from shutil import get_terminal_size

    from simulator.figures import comparison as comparing
    from simulator.figures.comparison_folder import OURS, is_comparison, write_comparison
    from simulator.figures.comparison_solved import is_solved
    from simulator.records.folder import check_vacant
    from simulator.welfare import compared_solved, with_worth

    check_folder(out)
    check_vacant(out, "comparison", OURS, overwrite=overwrite)
    folders = run_folders(runs)
    for folder in filter(is_comparison, folders):
        terminal.complain(f"{folder}: left out, a comparison and no run")
    folders = [folder for folder in folders if not is_comparison(folder)]
    solved = [folder for folder in folders if is_solved(folder)]
    if solved and len(solved) < len(folders):
        stranger = next(folder for folder in folders if folder not in solved)
        refuse(f"{stranger}: found no solved scenario, as {solved[0]} is; expected runs, or solved scenarios alone")
    width = get_terminal_size().columns
    if solved:
        comparison = compared_solved(folders, numeraire)
        text = comparison.lines(width)
    else:
        comparison = with_worth(comparing.compare(folders, numeraire), folders)
        text = comparing.lines(comparison, width)
    files = write_comparison(comparison, out, () if no_plots else chosen)
    if as_json:
        terminal.print_json(comparison.data())
    else:
        terminal.say("\n".join([*text, "", *(f"  {file}" for file in files)]))
