"""The table of figures, and drawing them: from a run's frames alone, no economy, no rule, no market is asked again."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from simulator.figures import canvas
from simulator.figures.curves import convergence, diagnostics, wedges
from simulator.figures.frames import TABLES, Frames, NothingToSeeError, part_of, read_run
from simulator.figures.gained import welfare
from simulator.figures.gains import gains
from simulator.figures.learnt import held_out, learnt
from simulator.figures.members import members
from simulator.figures.needed import EVERYTHING, NEEDED, WHOLE, Look, possible
from simulator.figures.network import network
from simulator.figures.prices import prices, three_prices
from simulator.figures.quantities import quantities
from simulator.figures.simplex import simplex
from simulator.figures.supply_and_demand import curves
from simulator.figures.wave import wave

BUILDERS = (
    prices,
    quantities,
    curves,
    three_prices,
    convergence,
    wedges,
    network,
    simplex,
    gains,
    welfare,
    members,
    wave,
    learnt,
    held_out,
    diagnostics,
)
FIGURES: Mapping[str, Callable[[Frames], Figure | None]] = {build.__name__: build for build in BUILDERS}
"""The figures of a run by the names of their files; None where one would say nothing."""
OTHER_ALPHABETS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "Noto Sans Devanagari",
    "Nirmala UI",
    "Noto Sans Thai",
    "Noto Sans",
    "Unifont",
    "Arial Unicode MS",
)
"""Fonts that are asked, where they are installed, for letters that Matplotlib's own does not have."""


def drawn(run: Frames, name: str) -> Figure:
    """The figure of a run by its name; `NothingToSeeError` where it would say nothing."""
    left_out = [table for table in NEEDED[name] if getattr(run, table).empty]
    figure = None if left_out else FIGURES[name](run)
    if figure is None:
        why = f"has no {' and no '.join(left_out)}" if left_out else "gives nothing to see there"
        raise NothingToSeeError(f"figure {name}: this run {why}")
    return figure


def draw(
    run: str | Path | Frames,
    folder: str | Path,
    formats: Sequence[str] = ("png",),
    failed: dict[str, Exception] | None = None,
    look: Look = EVERYTHING,
) -> list[Path]:
    """Draw every figure that applies to a run folder or a run's frames, or what `look` names; returns the files
    written, in order.

    A figure that would say nothing (no wedges without firms, no simplex without exactly three goods) is not drawn.
    The same frames give the same bytes. Errors of single figures are kept in `failed` where that is given. Raises
    `ValueError` for a format other than png, svg and pdf, `NothingToSeeError` where nothing is there of what was named.
    """
    for kind in formats:
        if kind not in canvas.METADATA:
            raise ValueError(f"figure format {kind!r}; expected one of {', '.join(canvas.METADATA)}")
    frames = part_of(read_run(run) if isinstance(run, (str, Path)) else run, look.goods, look.between)
    folder = Path(folder)
    if folder.is_file():
        raise OSError(errno.EEXIST, "found a file; expected a folder for figures, or nothing", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    whole = not (frames.summary.get("goods") or frames.summary.get("agents") or look.goods)
    drawable = possible(frames.summary.get("tables", TABLES), whole=whole)
    named = look.figures or [name for name in FIGURES if name in drawable]
    installed = {font.name for font in fontManager.ttflist}
    fonts = [*rcParams["font.family"], *(name for name in OTHER_ALPHABETS if name in installed)]
    with warnings.catch_warnings(), rc_context({"font.family": fonts}):
        # A letter that no font here has is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for name in named:
            try:
                if name in WHOLE and not whole:
                    raise NothingToSeeError(f"figure {name}: needs every good and every agent")
                figure = drawn(frames, name) if look.figures else FIGURES[name](frames)
                if figure is not None:
                    if look.title is not None and isinstance(figure, canvas.Page):
                        figure.entitle(look.title)
                    for kind in formats:
                        canvas.save(figure, folder / f"{name}.{kind}", kind, look.size)
                        written.append(folder / f"{name}.{kind}")
            except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
                if failed is None:
                    raise
                failed[name] = error
    return written
