"""The table of figures, and drawing them: from a run's frames alone, no economy, no rule, no market is asked again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.curves import convergence, diagnostics, wedges
from simulator.figures.frames import TABLES, Frames, read_run
from simulator.figures.gains import gains
from simulator.figures.learnt import held_out, learnt
from simulator.figures.network import network
from simulator.figures.prices import prices, three_prices
from simulator.figures.simplex import simplex
from simulator.figures.wave import wave

BUILDERS = (prices, three_prices, convergence, wedges, network, simplex, gains, wave, learnt, held_out, diagnostics)
FIGURES: Mapping[str, Callable[[Frames], Figure | None]] = {build.__name__: build for build in BUILDERS}
"""The figures of a run by the names of their files; None where one would say nothing."""
NEEDED: Mapping[str, tuple[str, ...]] = {
    "prices": ("trajectory",),
    "three_prices": ("trajectory", "equilibrium"),
    "convergence": ("ticks",),
    "wedges": ("wedges",),
    "network": ("trajectory", "agents"),
    "simplex": ("trajectory",),
    "gains": ("distribution",),
    "wave": ("trajectory",),
    "learnt": ("trajectory", "ticks", "agents"),
    "diagnostics": ("ticks",),
}
"""The tables that a figure cannot do without."""


def draw(run: str | Path | Frames, folder: str | Path, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw every figure that applies to a run folder or a run's frames; returns the files written, in order.

    A figure that would say nothing (no wedges without firms, no simplex without exactly three goods) is not drawn.
    The same frames give the same bytes. Raises `ValueError` for a format other than png, svg and pdf.
    """
    for kind in formats:
        if kind not in canvas.METADATA:
            raise ValueError(f"figure format {kind!r}; expected one of {', '.join(canvas.METADATA)}")
    frames = read_run(run) if isinstance(run, (str, Path)) else run
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with warnings.catch_warnings():
        # A letter that no font here has is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for name, build in FIGURES.items():
            told = set(NEEDED.get(name, ())) <= set(frames.summary.get("tables", TABLES))
            figure = build(frames) if told else None
            if figure is not None:
                for kind in formats:
                    written.append(folder / f"{name}.{kind}")
                    canvas.save(figure, written[-1], kind)
    return written
