"""The figures of a sweep: what is measured over what is varied, from the table of runs and the summary alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BLUE, GREY, SMALL, VERMILION
from simulator.figures.frames import Floats, finite

if TYPE_CHECKING:
    import pandas as pd

SHAPES = {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2), 5: (2, 3), 6: (2, 3)}
MOST_PANELS, MOST_PATHS, MOST_PAGES = 6, 4, 4
MOST_LEVELS, MOST_CHOSEN, BINS = 15, 100, 8
"""A parameter of more levels is shown in so many bins, with as many runs in each."""
MOST_CELLS = 60
"""Of so many cells each says its number."""
MOST_TEXTS = 3


class Levels(NamedTuple):
    """A parameter in levels: its path, the level of each run, and what each level is: a number, or text."""

    path: str
    code: Any
    centres: list[Any]

    @property
    def numbers(self) -> Floats | None:
        """The levels as numbers; None of texts."""
        return None if any(isinstance(each, str) for each in self.centres) else np.array(self.centres, dtype=float)

    @property
    def labels(self) -> list[str]:
        """The levels as labels."""
        return [canvas.shorten(each, 14) if isinstance(each, str) else canvas.number(each, 3) for each in self.centres]


class Series(NamedTuple):
    """What is shown of a measure: its name, a number for each run, and whether it is a share of runs."""

    name: str
    values: Floats
    share: bool

    def middle(self, chosen: Any) -> float:
        """The median of some runs; of shares the mean; nan where there is nothing."""
        values = finite(self.values[chosen])
        return float((np.mean if self.share else np.median)(values)) if len(values) else np.nan


def figures(table: pd.DataFrame, summary: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of a sweep by name; none where nothing was varied."""
    paths = [path for path in summary["parameters"] if len(table[path].unique()) > 1]
    # A line may go through many points that somebody chose; drawn ones are too noisy each.
    most = MOST_CHOSEN if len(paths) == 1 and summary["design"] in ("grid", "zip") else MOST_LEVELS
    varied = [_levels(path, table[path], most) for path in paths]
    series = list(_series(table, summary))
    if not varied or not series:
        return {}
    if len(varied) == 1:
        return {"sweep": _one(summary, varied[0], table[varied[0].path], series[:MOST_PANELS])}
    if len(varied) == 2:
        title = f"Medians over {varied[0].path} and {varied[1].path}"
        return {"sweep": _pages(summary, title, [(varied[0], varied[1], each) for each in series[:MOST_PANELS]])}
    drawn = {"tornado": _tornado(summary, varied, series[:MOST_PANELS])}
    for each in series[:MOST_PAGES]:
        ranked = sorted(varied, key=lambda levels: -float(np.ptp(_ends(levels, each))))[:MOST_PATHS]
        triples = [(*pair, each) for pair in combinations(ranked, 2)]
        name = re.sub(r"\W+", "_", f"pairwise_{each.name}").strip("_")
        drawn[name] = _pages(summary, f"{each.name}: its strongest parameters in pairs", triples)
    return drawn


def _levels(path: str, values: Any, most: int) -> Levels:
    """A column of a table in levels: bins of as many runs where it has more than so many different numbers."""
    unique = values.unique().tolist()
    if any(isinstance(each, str) for each in unique):
        names = list(dict.fromkeys(map(str, unique)))
        return Levels(path, np.array([names.index(str(each)) for each in values]), names)
    numbers = values.to_numpy(float)
    centres, code = np.unique(numbers, return_inverse=True)
    if len(centres) > most:
        code = (np.argsort(np.argsort(numbers, kind="stable")) * BINS) // len(numbers)
        centres = np.array([np.median(numbers[code == place]) for place in range(BINS)])
    return Levels(path, code, centres.tolist())


def _series(table: Any, summary: Mapping[str, Any]) -> Iterator[Series]:
    """What is shown of each measure: numbers as they are, of texts how often the most frequent ones come."""
    for name, facts in summary["measures"].items():
        if "counts" in facts:
            counts = facts["counts"]
            shown = list(counts)[: 1 if len(counts) == 2 else MOST_TEXTS]  # Of two the one tells the other.
            for text in shown if 1 < len(counts) <= 2 * MOST_TEXTS else ():
                yield Series(f"share {str(text).replace('_', ' ')}", (table[name] == text).to_numpy(float), True)
        elif facts.get("max", 0.0) != facts.get("min", 0.0):
            values = table[name].to_numpy(float)
            yield Series(name, values, bool(np.isin(finite(values), (0.0, 1.0)).all()))


def _page(summary: Mapping[str, Any], title: str, guide: str, hidden: int = 0) -> Figure:
    more = f"Not shown: {hidden} more." if hidden > 0 else ""
    return canvas.page(title, str(summary["name"]), str(summary["sentence"]), guide, more)


def _panels(figure: Figure, count: int, **place: float) -> list[Axes]:
    return canvas.panels(
        figure, count, SHAPES[count], **{"left": 0.07, "right": 0.975, "bottom": 0.1, "top": 0.76, **place}
    )


def _one(summary: Mapping[str, Any], levels: Levels, given: Any, series: Sequence[Series]) -> Figure:
    """A panel for each measure: median over the parameter, between bands of half and of nine tenths of the runs."""
    guide = "Line: median of the runs, of shares the mean."
    if len(given) > len(levels.centres):
        guide += " Bands: half of the runs (dark), nine tenths (pale)."
    figure = _page(summary, f"{levels.path} varied", guide)
    numbers = levels.numbers
    x = np.arange(len(levels.centres), dtype=float) if numbers is None else numbers
    for axes, each in zip(_panels(figure, len(series), hspace=0.42, wspace=0.28), series, strict=True):
        parts = [finite(each.values[levels.code == place]) for place in range(len(x))]
        known = [place for place, part in enumerate(parts) if len(part)]
        at = x[known]
        for low, high, alpha in ((0.05, 0.95, 0.18), (0.25, 0.75, 0.35)) if not each.share else ():
            ends = [np.quantile(parts[place], [low, high]) for place in known]
            axes.fill_between(at, *np.transpose(ends), color=BLUE, alpha=alpha, linewidth=0)
        if numbers is not None and len(given) > len(x) and given.nunique() > len(x):
            axes.plot(given.to_numpy(float), each.values, ".", color=GREY, markersize=3, alpha=0.5)
        axes.plot(
            at, [each.middle(levels.code == place) for place in known], "o-", color=BLUE, linewidth=3, markersize=7
        )
        canvas.tidy(axes)
        canvas.title(axes, each.name, axes.get_window_extent().width)
        _value_axis(axes, each)
        _level_axis(axes, levels, x)
        axes.set_xlabel(canvas.plain(levels.path), fontsize=SMALL)
    return figure


def _value_axis(axes: Axes, series: Series) -> None:
    values = finite(series.values)
    if series.share:
        axes.set_ylim(-0.05, 1.05)
    elif values.min() > 0 and values.max() > 30 * values.min():
        canvas.log_axis(axes, values.min() / 1.5, values.max() * 1.5)


def _level_axis(axes: Axes, levels: Levels, x: Floats) -> None:
    if levels.numbers is None:
        axes.set_xticks(x, levels.labels)
    elif x.min() > 0 and _uneven(np.diff(np.log(x))) < _uneven(np.diff(x)):
        axes.set_xscale("log")
        # Their labels stand beside each other where few numbers do.
        every = max(1, -(-len(x) // 4))
        axes.set_xticks(x[::every], levels.labels[::every])
        axes.set_xticks([], minor=True)


def _uneven(steps: Floats) -> float:
    """How much steps differ, relative to their mean."""
    return float(steps.std() / steps.mean())


def _pages(summary: Mapping[str, Any], title: str, panels: Sequence[tuple[Levels, Levels, Series]]) -> Figure:
    """A heat map for each pair of parameters and measure."""
    guide = "Colour and number: median of the runs in a cell, of shares the mean. White: no run has a number there."
    figure = _page(summary, title, guide)
    places = _panels(figure, len(panels), hspace=0.5, wspace=0.42, left=0.085)
    for axes, (across, up, series) in zip(places, panels, strict=True):
        _heat(axes, across, up, series)
        if len({each.name for *_, each in panels}) > 1:
            canvas.title(axes, series.name, axes.get_window_extent().width)
    return figure


def _heat(axes: Axes, across: Levels, up: Levels, series: Series) -> None:
    shape = len(up.centres), len(across.centres)
    cells = np.full(shape, np.nan)
    for row, column in np.ndindex(shape):
        cells[row, column] = series.middle((up.code == row) & (across.code == column))
    known = finite(cells.ravel())
    wide = len(known) > 0 and not series.share and known.min() > 0 and known.max() > 30 * known.min()
    norm = LogNorm(known.min(), known.max()) if wide else Normalize(0.0, 1.0) if series.share else None
    image = axes.pcolormesh(cells, cmap="viridis", norm=norm, edgecolors="white", linewidth=0.5)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.ax.tick_params(labelsize=SMALL - 2)
    room = axes.get_window_extent().width / shape[1]
    if cells.size <= MOST_CELLS and room > 46:
        for (row, column), value in np.ndenumerate(cells):
            if np.isfinite(value):
                light = np.dot(image.cmap(image.norm(value))[:3], (0.3, 0.59, 0.11)) > 0.5
                text = axes.text(
                    column + 0.5, row + 0.5, canvas.number(value, 2), ha="center", va="center", fontsize=SMALL - 2
                )
                text.set_color("black" if light else "white")
                canvas.shrink(text, room - 6)
    for levels, axis, room in ((across, axes.xaxis, 70), (up, axes.yaxis, 30)):
        count = len(levels.centres)
        size = axes.get_window_extent().width if axis is axes.xaxis else axes.get_window_extent().height
        every = max(1, -(-count * room // int(size)))
        axis.set_ticks(np.arange(0, count, every) + 0.5, levels.labels[::every])
        axis.set_tick_params(labelsize=SMALL - 2, length=0)
        axis.set_label_text(canvas.plain(canvas.short_path(levels.path, 20)), fontsize=SMALL)
        axis.labelpad = 8
    axes.spines[:].set_visible(False)


def _ends(levels: Levels, series: Series) -> tuple[float, float]:
    """The lowest and the highest of the medians at the levels of a parameter."""
    middles = finite(np.array([series.middle(levels.code == place) for place in range(len(levels.centres))]))
    return (float(middles.min()), float(middles.max())) if len(middles) else (0.0, 0.0)


def _tornado(summary: Mapping[str, Any], varied: Sequence[Levels], series: Sequence[Series]) -> Figure:
    """A panel for each measure: how far its median moves over the levels of each parameter, the strongest on top."""
    guide = "Bar: from the lowest to the highest median over the levels of a parameter, all others varied; "
    guide += "circle: the parameter's first level, diamond: its last. Dashed: median of all runs."
    figure = _page(summary, "What moves what", guide)
    for axes, each in zip(_panels(figure, len(series), hspace=0.45, wspace=1.0, left=0.17), series, strict=True):
        ranked = sorted(varied, key=lambda levels: float(np.ptp(_ends(levels, each))))[-8:]
        for row, levels in enumerate(ranked):
            low, high = _ends(levels, each)
            axes.barh(row, high - low, left=low, height=0.55, color="#BBBBBB")
            for place, colour, marker in ((0, BLUE, "o"), (len(levels.centres) - 1, VERMILION, "D")):
                axes.plot(each.middle(levels.code == place), row, marker, color=colour, markersize=10, clip_on=False)
        axes.axvline(each.middle(slice(None)), color=GREY, linewidth=1.5, linestyle="--")
        canvas.tidy(axes)
        canvas.name_rows(axes, [levels.path for levels in ranked], 0.15)
        axes.locator_params(axis="x", nbins=4)
        canvas.title(axes, each.name, axes.get_window_extent().width)
    return figure


def draw(table: pd.DataFrame, summary: Mapping[str, Any], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw the figures of a sweep into a folder."""
    files: list[Path] = []
    for name, figure in figures(table, summary).items():
        folder.mkdir(exist_ok=True)
        for kind in formats:
            files.append(folder / f"{name}.{kind}")
            canvas.save(figure, files[-1], kind)
    return files
