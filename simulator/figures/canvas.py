"""The sheet every figure is drawn on: a 16:9 page that says what it shows, one palette, and labels that fit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from simulator.figures.frames import Floats, finite, shocks
from simulator.figures.window import turning_points, turns_of

Style = Mapping[str, Any]
"""How something is drawn, as keywords of matplotlib."""

WIDTH, HEIGHT, DPI = 1600, 900, 100
TITLE, SUBTITLE, BODY, SMALL = 24, 16, 17, 15
SENTENCE_LETTERS = 132
# The height of a row of small text, in pixels.
ROW = 28
MOST_POINTS = 4000
# A line that turns more often than this is a solid block: the band between its lowest and its highest is drawn.
MOST_TURNS = 60
# More shocks than this would be a wall of lines.
MOST_MARKS = 40

# Okabe and Ito (2008): told apart with every common colour blindness; line styles and markers tell them apart in grey.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#595959"
DASHED, DOTTED, DASH_DOT = (0, (4, 2)), (0, (0.1, 2)), (0, (5, 2, 0.1, 2))


def stroke(colour: str, width: float, dashes: Any = "-") -> Style:
    """The style of a line."""
    return {"color": colour, "linewidth": width, "linestyle": dashes}


CYCLE: tuple[Style, ...] = (
    stroke(BLUE, 3),
    stroke(VERMILION, 3, DASHED),
    stroke(GREEN, 3, DASH_DOT),
    stroke(PURPLE, 4, DOTTED),
    stroke(BLACK, 3, (0, (5, 2, 0.1, 2, 0.1, 2))),
    stroke(SKY, 6),
    stroke(ORANGE, 4, (0, (1.5, 1.5))),
    stroke(GREY, 4, (0, (0.1, 4))),
)

# Wide and pale: a line on top of it stays visible, in grey too, and so does that the two coincide.
TRAIL = stroke("#F4C978", 9)

TOLERANCE: Style = {"color": GREY, "linewidth": 1.2, "linestyle": (0, (2, 2))}

# Gaps up to this are what floating point leaves of 0.
ROUNDING = 1e-14

# A number this small beside others has come to rest at 0.
STILL = 1e-12

# What keeps a second drawing byte-identical: no dates, no versions.
METADATA: Mapping[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


PAPER = {"dpi": 300 * 7 / 16, "pil_kwargs": {"dpi": (300, 300)}}
"""How a picture is saved that is to be seven inches wide on paper."""


class Page(Figure):
    """A figure that shows in a notebook without pyplot; its heading has a room, in pixels."""

    heading: Text
    room: float

    def entitle(self, words: str) -> None:
        """Call the page what it shows."""
        self.heading.set(text=plain(together(words)), fontsize=TITLE)
        fit_name(shrink(self.heading, 0.97 * self.room, least=0.7 * TITLE), self.room)

    def _repr_png_(self) -> bytes:
        self.savefig(image := BytesIO(), format="png", metadata=METADATA["png"])
        return image.getvalue()


def sheet(summary: Mapping[str, Any], title: str, guide: str, *footnotes: str) -> Figure:
    """An empty page of a run: what is shown, of which run and how that ended, its sentence, how to read the picture."""
    name, outcome = str(summary.get("name", "run")), str(summary.get("outcome", "")).replace("_", " ")
    run = shorten(name, 30) + (f": {outcome}" if outcome else "")
    return page(title, run, str(summary.get("sentence") or ""), guide, str(summary.get("drawn") or ""), *footnotes)


def page(title: str, run: str, sentence: str, guide: str, *footnotes: str) -> Figure:
    """An empty page: what it shows, and of which run, to the right; as many sentences as two lines hold; how to
    read the picture; footnotes at the bottom.
    """
    figure = Page(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    said = together(sentence).split(". ")
    while len(rows := wrap(". ".join(said), SENTENCE_LETTERS, break_on_hyphens=False)) > 2 and len(said) > 1:
        said = [*said[:-2], f"{said[-2]} …"]
    rows[2:], rows[1:2] = [], [f"{row} …" if rows[2:] else row for row in rows[1:2]]
    small = {"fontsize": SMALL, "color": GREY}
    lines: list[tuple[float, str, Style]] = [
        *((0.903 - 0.032 * i, words, {"fontsize": SUBTITLE}) for i, words in enumerate(rows)),
        (0.9 - 0.032 * len(rows), guide, small),
        (0.014, "  ".join(filter(None, footnotes)), small),
    ]
    right = figure.text(0.975, 0.945, plain(run), ha="right", fontsize=SUBTITLE + 2, color=GREY)
    figure.room = 0.95 * WIDTH - right.get_window_extent().width - (20 if run else 0)
    figure.heading = figure.text(0.025, 0.945, "", va="baseline", fontsize=TITLE, fontweight="bold")
    figure.entitle(title)
    for y, words, style in lines:
        fit_row(figure.text(0.025, y, plain(together(words)), va="baseline", **style))
    return figure


def save(figure: Figure, file: Path, kind: str, size: str = "slide") -> None:
    """Write a figure as png, svg or pdf; the same figure gives the same bytes.

    On `paper` it is seven inches wide, a png at 300 dots per inch; a pdf is scaled by the document that holds it.
    """
    # Where labels and titles go is found by drawing all ticks once more, even where there is no label.
    for axis in [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]:
        if not axis.get_label_text():
            axis.set_label_coords(0.5, 0.5)
    options: dict[str, Any] = PAPER if (size, kind) == ("paper", "png") else {}
    # SVG numbers its parts at random unless told otherwise, and takes that from matplotlib's settings alone.
    with rc_context({"svg.hashsalt": file.stem}):
        figure.savefig(file, format=kind, metadata=METADATA[kind], **options)
    if (size, kind) == ("paper", "svg"):
        written = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r'width="\S+?" height="\S+?"', 'width="7in" height="3.9375in"', written, count=1))


def together(text: str) -> str:
    """Text whose numbers stay on the line of their unit: `50 %`, `9 ticks` with a no-break space."""
    return re.sub(r"(?<=\d) (?=(?:%|ticks?\b|turns?\b|times\b))", "\N{NO-BREAK SPACE}", text)


def plain(text: str) -> str:
    """Text as it is: a dollar sign is not the start of a formula."""
    return text.replace("$", r"\$")


def shorten(text: str, most: int) -> str:
    """Cut a name in its middle (long names tend to differ at their ends)."""
    if len(text) <= most:
        return text
    head = math.ceil((most - 1) / 2)
    return text[:head].rstrip() + "…" + text[len(text) - (most - 1 - head) :].lstrip()


def short_path(path: str, most: int) -> str:
    """A dotted path as an agent's own, `A.utility.ces.elasticity`, and cut in its middle."""
    return shorten(path.removeprefix("consumers.").removeprefix("firms."), most)


def shrink(text: Text, pixels: float, least: float = 0.0) -> Text:
    """Make a drawn text smaller until it is at most so many pixels wide, but not below a size in points.

    A number cut would be another number.
    """
    width = text.get_window_extent().width
    text.set_fontsize(max(float(text.get_fontsize()) * min(1.0, pixels / max(width, 1.0)), least))
    return text


def fit_name(text: Text, pixels: float) -> Text:
    """Cut a drawn text in its middle until it is at most so many pixels wide."""
    name, most = text.get_text(), len(text.get_text())
    while text.get_window_extent().width > pixels and most > 3:
        most -= 1
        text.set_text(shorten(name, most))
    return text


def fit_row(text: Text) -> None:
    """Make a row of a page smaller, and cut it in its middle as a last resort, until it fits."""
    fit_name(shrink(text, 0.93 * WIDTH, least=0.75 * SMALL), 0.95 * WIDTH)


def number(value: float, digits: int = 4, beside: float = 0.0) -> str:
    """A number for a label: `0.02083`, `1.2e15`, a dash where there is none, 0 where it is rounding `beside` others."""
    value = 0.0 if abs(value) <= STILL * beside < math.inf else value
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    if 0 < int(exponent or 0) < 6:
        return f"{float(f'{value:.{digits}g}'):,.0f}".replace("-", "−")
    return (mantissa + (f"e{int(exponent)}" if exponent else "")).replace("-", "−")


def thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most about `MOST_POINTS` points of a line, the highest and the lowest of every stretch among them."""
    if len(x) <= MOST_POINTS:
        return x, y
    stretches = np.array_split(np.arange(len(x)), MOST_POINTS // 2)
    lowest = [part[np.argmin(np.where(np.isnan(y[part]), np.inf, y[part]))] for part in stretches]
    highest = [part[np.argmax(np.where(np.isnan(y[part]), -np.inf, y[part]))] for part in stretches]
    index = np.unique([0, *lowest, *highest, len(x) - 1])
    return x[index], y[index]


def line(axes: Axes, x: Floats, y: Floats, breaks: Sequence[float] = (), **style: Any) -> None:
    """Draw y over x, thinned, with a dot at each of a few points, in pieces: infinities are left out, and nothing leads
    across one of the `breaks`. If it turns too often, each piece is from its first turn on a band, from the lowest to
    the highest of every stretch of some turns.
    """
    known, style = np.isfinite(y), {"dash_capstyle": "round", **style}
    part = np.cumsum(~known) + np.searchsorted(np.sort(breaks), x, side="right")
    turns = turns if len(turns := turning_points(y)) > MOST_TURNS else turns[:0]
    lines, bands = list[Floats](), list[Floats]()
    for piece in np.split(np.flatnonzero(known), np.flatnonzero(np.diff(part[known])) + 1) if known.any() else ():
        within = turns[(turns > piece[0]) & (turns < piece[-1])]
        head, rest = np.split(piece, [np.searchsorted(piece, within[0]) + 1] if len(within) >= 4 else [len(piece)])
        lines.append(np.array(thin(x[head], y[head])))
        if len(rest):
            stretches = np.array_split(np.append(head[-1], rest), max(2, min(len(within) // 3, 200)))
            low, high = ([reduce(y[part]) for part in stretches] for reduce in (np.min, np.max))
            middle = [x[part].mean() for part in stretches[1:-1]]
            bands.append(np.array([[x[head[-1]], *middle, x[piece[-1]]], low, high]))
    marks = {"marker": "o", "markersize": style["linewidth"] + 3} if np.count_nonzero(known) <= 30 else {}
    axes.plot(*(_in_pieces(lines) if lines else ()), **marks, **style)
    if bands:
        x, low, high = _in_pieces(bands)
        axes.fill_between(x, low, high, color=style["color"], alpha=0.25, linewidth=0, zorder=1.3)
        for end in (low, high):
            axes.plot(x, end, **{**style, "linewidth": min(style["linewidth"], 1.5)})


def _in_pieces(pieces: Sequence[Floats]) -> Floats:
    """Pieces `(rows, points)` side by side, x first, with a point that is not a number between them."""
    begun = [np.column_stack([[piece[0, 0], *np.full(len(piece) - 1, np.nan)], piece]) for piece in pieces]
    return np.hstack(begun)[:, 1:]


def lengths(path: Floats) -> Floats:
    """How long a path (points, 2) is up to each of its points."""
    return np.concatenate([[0.0], np.hypot(*np.diff(path, axis=0).T).cumsum()])


def along(path: Floats, ways: Floats) -> Floats:
    """The points of a path that lie so far along it, (ways, 2)."""
    return np.column_stack([np.interp(ways, lengths(path), path[:, axis]) for axis in (0, 1)])


def ink(colour: str) -> str:
    """A line's colour, dark enough to be read as text on white, in grey too."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    dark = min(0.7, 110 / max(1.0, 0.3 * parts[0] + 0.59 * parts[1] + 0.11 * parts[2]))
    return "#" + "".join(f"{int(part * dark):02x}" for part in parts)


def tidy(axes: Axes) -> None:
    """Two spines, a faint grid, ticks that can be read from the back row."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL)


def title(axes: Axes, words: str, pixels: float = math.inf) -> None:
    """What a panel shows, above its left end; a name too long is cut in its middle."""
    fit_name(axes.set_title(plain(words), loc="left", y=1.0, fontsize=BODY, fontweight="bold"), pixels)


def range_above(bound: float, values: Floats) -> tuple[float, float]:
    """The smallest and the largest of the values above a bound, for a logarithmic axis."""
    seen = finite(values[values > bound])
    return (float(seen.min()), float(seen.max())) if len(seen) else (0.1, 1.0)


def log_axis(axes: Axes, low: float, high: float, zero: float = 0.0) -> None:
    """A logarithmic y axis from low to high with plain numbers, powers of ten where there are many; `zero`, if given,
    stands below for 0.
    """
    low, high = max(low, 1e-307), min(high, 1e307)
    axes.set_ylim(10 ** (1.06 * np.log10(zero) - 0.06 * np.log10(high / 2)) if zero else low, high)
    axes.set_yscale("log")
    first, last = math.log10(low), math.log10(high)
    digits = (1.0, 2.0, 5.0) if last - first < 2 else (1.0,)
    step = max(1, math.ceil((last - first) / 6))
    decades = [d for d in range(math.floor(first) - 1, math.ceil(last) + 1) if d % step == 0]
    marks = [digit * 10.0**d for d in decades for digit in digits if first <= d + math.log10(digit) <= last]
    axes.yaxis.set_major_locator(FixedLocator([zero, *(m for m in marks if m > 3 * zero)] if zero else marks))
    axes.yaxis.set_minor_locator(NullLocator())

    def label(value: float, _position: object) -> str:
        if zero and value <= 1.01 * zero:
            return "0 to\nrounding"
        return number(value) if low > 1e-4 and high < 1e5 else f"$10^{{{round(math.log10(value))}}}$"

    axes.yaxis.set_major_formatter(FuncFormatter(label))


def price_axis(axes: Axes, values: Floats) -> None:
    """A y axis with room around prices, by logarithm if they span more than a decade; it never zooms into rounding."""
    low, high = float(finite(values).min(initial=np.inf)), float(finite(values).max(initial=-np.inf))
    if low > 0 and high > 10 * low:
        room = (high / low) ** 0.06
        log_axis(axes, low / room, high * room)
    else:
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.locator_params(axis="y", nbins=5)


def tick_axis(axes: Axes, ticks: Floats | tuple[float, float], *, by_logarithm: bool = False) -> None:
    """A time axis, linear, or logarithmic from the first tick on; tidies the axes."""
    tidy(axes)
    first, last = ticks[0], ticks[-1]
    if by_logarithm:
        axes.set_xscale("symlog", linthresh=max(1.0, first + 1), linscale=0.5)
    else:
        bins = min(5, max(2, int(axes.get_window_extent().width / 90)))
        axes.xaxis.set_major_locator(MaxNLocator(bins, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:,.0f}"))
    axes.set_xlim(*((first, last) if last > first else (first - 1, first + 1)))


End = tuple[float, str, Style]
"""Where a line ends (y), what it is called, and its style."""


def last_finite(values: Floats) -> float:
    """The last number of a line; 0 where it has none."""
    return float(np.append(0.0, finite(values))[-1])


def curve(axes: Axes, x: Floats, y: Floats, words: str, style: Style, breaks: Sequence[float] = ()) -> End:
    """Draw a line that is named at its end."""
    line(axes, x, y, breaks, **style)
    return last_finite(y), words, style


def time_note(summary: Mapping[str, Any], ticks: Floats, *lines: Floats) -> str:
    """What must be known of lines over ticks: shocks, bands, and ticks that are not there."""
    struck = sum(ticks[0] < tick <= ticks[-1] for tick in shocks(summary))
    many = f"Short strokes at the bottom: {struck:,} shocks."
    notes = [many if struck > MOST_MARKS else "Upright, dotted: a shock."] if struck else []
    if any(turns_of(column) > MOST_TURNS for each in lines for column in each.reshape(len(ticks), -1).T):
        notes.append("Band: a line that goes to and fro.")
    if len(ticks) > 2 and (step := ticks[1] - ticks[0]) > 1:
        notes.append(f"Recorded every {step:,.0f} ticks: what lines do in between is not seen.")
    return "  ".join(notes)


def mark_shocks(axes: Axes, summary: Mapping[str, Any]) -> None:
    """A dotted upright line at every shock; where there are many, a short stroke at the bottom."""
    ticks = shocks(summary)
    if len(ticks) > MOST_MARKS:
        axes.vlines(ticks, 0, 0.03, color=GREY, linewidth=0.7, transform=axes.get_xaxis_transform(), zorder=1.2)
    for tick in ticks if len(ticks) <= MOST_MARKS else ():
        axes.axvline(tick, color=GREY, linewidth=1.4, linestyle=(0, (1, 2)), zorder=1.2)


def label_ends(axes: Axes, ends: Sequence[End], pixels: float) -> None:
    """Name each line to the right of the axes, at its end or as near as there is room, beside a sample of it."""
    heights = [float(axes.transAxes.inverted().transform(axes.transData.transform((0, y)))[1]) for y, _, _ in ends]
    heights = [min(max(height, 0.0), 1.0) for height in heights]
    gap = ROW / axes.get_window_extent().height * max((words.count("\n") + 1 for _, words, _ in ends), default=1)
    outside: Style = {"clip_on": False, "transform": axes.transAxes}
    text: Style = {"va": "center", "fontsize": SMALL, "linespacing": 1.05, "transform": axes.transAxes}
    for (_, words, style), height, place in zip(ends, heights, spread(heights, gap), strict=True):
        axes.plot([1.0, 1.02], [height, place], color=style["color"], linewidth=1, **outside)
        axes.plot([1.025, 1.075], [place, place], **{"dash_capstyle": "round", **style}, **outside)
        fit_name(axes.text(1.085, place, plain(words), color=ink(style["color"]), **text), pixels)


def panels(figure: Figure, count: int, shape: tuple[int, int], **place: float) -> list[Axes]:
    """So many panels in rows from the left, on a grid of so many rows and columns."""
    grid = figure.add_gridspec(*shape, **place)
    return [figure.add_subplot(grid[divmod(i, shape[1])]) for i in range(count)]


def legend(figure: Figure, samples: Iterable[tuple[str, Style]], **layout: Any) -> Legend:
    """The kinds of line by name, below all panels."""
    lines = [Line2D([], [], label=plain(words), **style) for words, style in samples]
    for sample in lines:
        sample.set_dash_capstyle("round")
    layout = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.036), "columnspacing": 2.5, **layout}
    return figure.legend(handles=lines, frameon=False, fontsize=SMALL, **layout)


def name_rows(axes: Axes, paths: Sequence[str], part: float) -> None:
    """Name the rows 0, 1, ... of a panel on its left, by paths cut to so large a part of the page's width."""
    axes.set_yticks(range(len(paths)), [plain(short_path(path, 34)) for path in paths])
    room = part * axes.get_window_extent().width / axes.get_position().width
    axes.set_yticklabels([fit_name(label, room).get_text() for label in axes.get_yticklabels()])


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move numbers in [0, 1] apart until neighbours differ by at least gap, keeping their order."""
    order, steps = np.argsort(places, kind="stable"), gap * np.arange(len(places))
    raised = np.maximum.accumulate(np.array(places)[order] - steps) + steps
    moved = np.minimum(raised, max(1.0, gap * (len(places) - 1)) - steps[::-1])
    return moved[np.argsort(order)].tolist()
