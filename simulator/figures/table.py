"""The table of figures, and drawing them: from a run's frames alone, no economy, no rule, no market is asked again."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.curves import convergence, diagnostics, wedges
from simulator.figures.frames import TABLES, Frames, read_run
from simulator.figures.gains import gains
from simulator.figures.learnt import held_out, learnt
from simulator.figures.members import members
from simulator.figures.needed import NEEDED, possible
from simulator.figures.network import network
from simulator.figures.prices import prices, three_prices
from simulator.figures.simplex import simplex
from simulator.figures.wave import wave

BUILDERS = (
    prices,
    three_prices,
    convergence,
    wedges,
    network,
    simplex,
    gains,
    members,
    wave,
    learnt,
    held_out,
    diagnostics,
)
FIGURES: Mapping[str, Callable[[Frames], Figure | None]] = {build.__name__: build for build in BUILDERS}
"""The figures of a run by the names of their files; None where one would say nothing."""


def drawn(run: Frames, name: str) -> Figure:
    """The figure of a run by its name; `ValueError` where it would say nothing."""
    left_out = [table for table in NEEDED[name] if getattr(run, table).empty]
    figure = None if left_out else FIGURES[name](run)
    if figure is None:
        why = f"has no {' and no '.join(left_out)}" if left_out else "gives nothing to see there"
        raise ValueError(f"figure {name}: this run {why}")
    return figure


def draw(
    run: str | Path | Frames,
    folder: str | Path,
    formats: Sequence[str] = ("png",),
    failed: dict[str, Exception] | None = None,
) -> list[Path]:
    """Draw every figure that applies to a run folder or a run's frames; returns the files written, in order.

    A figure that would say nothing (no wedges without firms, no simplex without exactly three goods) is not drawn.
    The same frames give the same bytes. Errors of single figures are kept in `failed` where that is given. Raises
    `ValueError` for a format other than png, svg and pdf.
    """
    for kind in formats:
        if kind not in canvas.METADATA:
            raise ValueError(f"figure format {kind!r}; expected one of {', '.join(canvas.METADATA)}")
    frames = read_run(run) if isinstance(run, (str, Path)) else run
    folder = Path(folder)
    if folder.is_file():
        raise OSError(errno.EEXIST, "found a file; expected a folder for figures, or nothing", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    whole = not (frames.summary.get("goods") or frames.summary.get("agents"))
    drawable = possible(frames.summary.get("tables", TABLES), whole=whole)
    with warnings.catch_warnings():
        # A letter that no font here has is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for name in (name for name in FIGURES if name in drawable):
            try:
                figure = FIGURES[name](frames)
                if figure is not None:
                    for kind in formats:
                        canvas.save(figure, folder / f"{name}.{kind}", kind)
                        written.append(folder / f"{name}.{kind}")
            except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
                if failed is None:
                    raise
                failed[name] = error
    return written
