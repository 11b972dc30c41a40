"""The figure of a comparison: how far every run is from clearing, and the paths of its prices on the common scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.errors import RunFolderError
from simulator.figures import canvas
from simulator.figures.canvas import BODY, CYCLE, ROUNDING, Style
from simulator.figures.comparison import WRITTEN, Comparison, finding, price_finding
from simulator.figures.frames import Floats, summary_number
from simulator.figures.run_measures import RunMeasures
from simulator.figures.window import moves_early, rows_worth_drawing

FIGURE = "comparison"
OURS = {*WRITTEN, *(f"{FIGURE}.{kind}" for kind in canvas.METADATA)}
"""The files of a comparison."""
MOST_RUNS = len(CYCLE)
MOST_GOODS = 4
# A run so many times longer than another leaves of it nothing to see on a linear axis.
LONGER = 10.0
# A path that turns more often than this in one panel is a band, not a line.
MOST_TURNS = 60
BAND: Style = {"linestyle": "-", "linewidth": 1.4, "alpha": 0.5, "zorder": 1.4}
GRIDS = ((1, 1), (1, 1), (2, 1), (2, 2), (2, 2))


def comparison_figure(comparison: Comparison) -> Figure:
    """Left, every run's largest relative excess demand on one logarithmic scale; right, a panel for each of the goods
    whose prices differ most. A run keeps its line throughout; the first eight runs are drawn.
    """
    runs = comparison.runs[:MOST_RUNS]
    goods = comparison.goods_that_differ(MOST_GOODS, besides=comparison.scale.good)
    first = min(float(run.ticks[0]) for run in runs)
    last = max(_last_tick_to_draw(comparison, number, goods) for number in range(len(runs)))
    rows = [max(1, int(np.searchsorted(run.ticks, last, side="right"))) for run in runs]
    paths = [[comparison.path(number, good)[:n] for number, n in enumerate(rows)] for good in goods]
    early = _early(runs, rows, paths)
    styles = _styles(paths, len(runs))
    right = " Right: prices, all on one scale." if goods else ""
    title, sentence = finding(comparison), price_finding(comparison)
    sheet = canvas.page(
        _capital(title) if title.startswith(("neither ", "none ", "both ", "all ")) else title,
        f"{_capital(sentence)}." + (f" Price scale: {comparison.scale.words}." if goods else ""),
        f"{'Left: lower' if goods else 'Lower'} is closer to clearing; a dot is where a run ended.{right}",
        *_notes(comparison, goods, last),
    )
    axes = sheet.add_axes((0.085, 0.225, 0.375 if goods else 0.89, 0.55))
    _draw_convergence(axes, runs, rows, styles)
    canvas.tick_axis(axes, (first, last), early=early)
    canvas.title(axes, _residual(runs))
    down, across = GRIDS[len(goods)]
    grid = sheet.add_gridspec(down, across, left=0.545, right=0.975, top=0.775, bottom=0.225, wspace=0.3, hspace=0.32)
    for place, good in enumerate(goods):
        panel = sheet.add_subplot(grid[divmod(place, across)])
        _draw_prices(panel, runs, paths[place], styles)
        canvas.tick_axis(panel, (first, last), early=early)
        if not early:
            panel.locator_params(axis="x", nbins=5 - across)
        panel.tick_params(labelbottom=place + across >= len(goods))
        canvas.title(panel, f"price of {good}", panel.get_window_extent().width)
    sheet.supxlabel(canvas.tick_label(early), y=0.15, fontsize=BODY)
    _legend(sheet, runs, styles)
    return sheet


def _residual(runs: Sequence[RunMeasures]) -> str:
    """What is drawn of how far runs are from clearing."""
    kinds = {run.learns for run in runs}
    if len(kinds) > 1:
        return "largest excess demand, or unfilled order"
    return "largest order that stays unfilled" if kinds == {True} else "largest relative excess demand"


def check_vacant(folder: Path, *, overwrite: bool) -> None:
    """Raises `RunFolderError` if a folder holds a comparison that may not be replaced, or anything else."""
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder}: found a file; expected a folder or nothing")
    names = {file.name for file in folder.iterdir()} if folder.exists() else set[str]()
    if names - OURS:
        raise RunFolderError(f"{folder}: found a folder with other files than a comparison's; --out writes elsewhere")
    if names and not overwrite:
        raise RunFolderError(f"{folder}: found a comparison; --overwrite replaces it, --out writes elsewhere")


def write_comparison(comparison: Comparison, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write the CSVs of a comparison and its figure in each format, in place of an older one; returns the files."""
    figures = {folder / f"{FIGURE}.{kind}": kind for kind in formats}
    file = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in OURS:
            (folder / name).unlink(missing_ok=True)
        for name, text in comparison.csvs().items():
            file = folder / name
            file.write_bytes(text.encode())
        if figures:
            sheet = comparison_figure(comparison)
            for file, kind in figures.items():
                canvas.save(sheet, file, kind)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RunFolderError(f"{error.filename or file}: cannot be written: {reason}") from error
    return [*(folder / name for name in WRITTEN), *figures]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _last_tick_to_draw(comparison: Comparison, number: int, goods: Sequence[str]) -> float:
    """The tick up to which a run is worth drawing: until it ends, or has settled, or for some turns of its cycle."""
    run = comparison.runs[number]
    moving = np.column_stack([*(comparison.path(number, good) for good in goods), _positive(run.excess_demand)])
    rows, _ = rows_worth_drawing(run.ticks, moving, summary_number(run.summary, "period"))
    return float(run.ticks[rows - 1])


def _early(runs: Sequence[RunMeasures], rows: Sequence[int], paths: Sequence[Sequence[Floats]]) -> bool:
    """Whether ticks are drawn by logarithm: where a run is over before another has well begun, or all moves early."""
    lengths = [float(run.ticks[n - 1]) for run, n in zip(runs, rows, strict=True)]
    if max(lengths) > LONGER * max(min(lengths), 1.0):
        return True
    longest = int(np.argmax(lengths))
    moving = [path[longest] for path in paths]
    return bool(moving) and moves_early(runs[longest].ticks[: rows[longest]], np.column_stack(moving))


def _styles(paths: Sequence[Sequence[Floats]], runs: int) -> list[Style]:
    """Each run's line, faint and behind the others where it goes up and down without end."""
    restless = [any(_turns(path[number]) > MOST_TURNS for path in paths) for number in range(runs)]
    return [{**style, **BAND} if band else style for style, band in zip(CYCLE, restless, strict=False)]


def _turns(path: Floats) -> int:
    """How often a path turns by more than a hundredth of its range."""
    path = path[np.isfinite(path)]
    if len(path) < 3 or np.ptp(path) == 0:
        return 0
    steps = np.diff(np.round(100 * (path - path.min()) / np.ptp(path)))
    steps = steps[steps != 0]
    return int(np.count_nonzero(steps[1:] * steps[:-1] < 0))


def _positive(values: Floats) -> Floats:
    return np.where(values > ROUNDING, values, np.nan)


def _draw_convergence(axes: Axes, runs: Sequence[RunMeasures], rows: Sequence[int], styles: Sequence[Style]) -> None:
    """Excess demand by logarithm, exact zeros on a floor of their own."""
    drawn = [np.abs(run.excess_demand[:n]) for run, n in zip(runs, rows, strict=True)]
    low, high = canvas.range_above(ROUNDING, np.concatenate(drawn))
    floor = 10.0 ** (np.floor(np.log10(low)) - 1)
    zero = floor if any((values <= ROUNDING).any() for values in drawn) else 0.0
    for tolerance in _tolerances(runs, low):
        axes.axhline(tolerance, zorder=1.5, **canvas.TOLERANCE)
        low = min(low, tolerance)
    _draw_lines(axes, runs, [np.where(values <= ROUNDING, floor, values) for values in drawn], styles)
    canvas.log_axis(axes, low / 2, high * 2, zero)
    canvas.tidy(axes)


def _draw_prices(axes: Axes, runs: Sequence[RunMeasures], paths: Sequence[Floats], styles: Sequence[Style]) -> None:
    """A good's price in every run, by logarithm where it spans more than a decade."""
    _draw_lines(axes, runs, paths, styles)
    values = np.concatenate(paths)
    canvas.price_axis(axes, values[np.isfinite(values)])
    canvas.tidy(axes)


def _draw_lines(axes: Axes, runs: Sequence[RunMeasures], lines: Sequence[Floats], styles: Sequence[Style]) -> None:
    """A line a run, with a dot at its last tick."""
    for run, values, style in zip(runs, lines, styles, strict=True):
        canvas.line(axes, run.ticks[: len(values)], values, **style)
        if len(values) == len(run.ticks) and np.isfinite(values[-1]):
            dot: Style = {"color": style["color"], "markersize": 9, "clip_on": False, "zorder": 5}
            axes.plot(run.ticks[-1:], values[-1:], "o", **dot)


def _tolerances(runs: Sequence[RunMeasures], low: float) -> list[float]:
    """The runs' tolerances as far as they are near the picture, whose smallest number is `low`."""
    known = {summary_number(run.summary, "tolerance") for run in runs}
    return sorted(tolerance for tolerance in known if tolerance > low / 1e4)


def _notes(comparison: Comparison, goods: Sequence[str], last: float) -> list[str]:
    """What stands at the foot: the tolerance, and what is left out."""
    runs = comparison.runs[:MOST_RUNS]
    low, _ = canvas.range_above(ROUNDING, np.concatenate([np.abs(run.excess_demand) for run in runs]))
    lines = _tolerances(runs, low)
    notes = [f"Thin dotted line: the tolerance, {', '.join(map(canvas.number, lines[:3]))}."] if lines else []
    if len(runs) < len(comparison.runs):
        notes.append(f"Shown: {len(runs)} of {len(comparison.runs)} runs.")
    if len(goods) < sum(good != comparison.scale.good for good in comparison.goods):
        notes.append(f"Prices of {len(goods)} of {len(comparison.goods)} goods, those that differ most.")
    if last < max(float(run.ticks[-1]) for run in runs):
        notes.append(f"Ticks 0 to {last:,.0f}: afterwards everything stands still or repeats itself.")
    return notes


def _legend(sheet: Figure, runs: Sequence[RunMeasures], styles: Sequence[Style]) -> None:
    """Every run with its line and how it ended, below all panels."""
    samples: list[tuple[str, Style]] = []
    for run, style in zip(runs, styles, strict=True):
        width = 8 if "alpha" in style else style["linewidth"]
        samples.append((f"{run.label}: {run.outcome}", {"dash_capstyle": "round", **style, "linewidth": width}))
    across = -(-len(runs) // -(-len(runs) // 4))
    legend = canvas.legend(sheet, samples, loc="center", ncols=across, bbox_to_anchor=(0.5, 0.09), handlelength=3.5)
    for text in legend.get_texts():
        canvas.fit_name(text, 0.95 * canvas.WIDTH / across - 130)
