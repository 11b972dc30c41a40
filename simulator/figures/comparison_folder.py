"""The folder of a comparison: what it may replace, and what is written there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import RunFolderError
from simulator.figures import comparison_solved
from simulator.figures.comparison import FILES, WRITTEN, Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = [f"{name}.{kind}" for name in ("comparison", "welfare") for kind in ("png", "svg", "pdf")]
OURS = {*WRITTEN, *comparison_solved.WRITTEN, *FIGURES}
"""The files of a comparison."""


def is_comparison(folder: Path) -> bool:
    """Whether a folder holds a comparison: `outputs/*` names the runs and what was made of them."""
    kinds = (WRITTEN, comparison_solved.WRITTEN)
    whole = any(all((folder / name).is_file() for name in written) for written in kinds)
    return whole and not (folder / FILES[0]).exists()


def write_comparison(
    comparison: Comparison | comparison_solved.SolvedComparison, folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Write the CSVs and figures of a comparison, these in each format, in place of an older one; returns the files."""
    file, drawn = folder, list[Path]()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in OURS:
            (folder / name).unlink(missing_ok=True)
        csvs = comparison.csvs()
        for name, text in csvs.items():
            file = folder / name
            file.write_bytes(text.encode())
        for name, figure in _figures(comparison).items() if formats else ():
            from simulator.figures.canvas import save

            for kind in formats:
                file = folder / f"{name}.{kind}"
                save(figure, file, kind)
                drawn.append(file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RunFolderError(f"{error.filename or file}: cannot be written: {reason}") from error
    return [*(folder / name for name in csvs), *drawn]


def _figures(comparison: Comparison | comparison_solved.SolvedComparison) -> dict[str, Figure]:
    """By name: of runs how they differ, and what is known of who gained."""
    from simulator.figures.gained_beside import worth_figure

    found: dict[str, Figure | None] = {}
    if isinstance(comparison, Comparison):
        from simulator.figures.comparison_figure import comparison_figure

        found = {"comparison": comparison_figure(comparison)}
        labels, scale = [run.label for run in comparison.runs], comparison.scale.words
    else:
        labels, scale = comparison.labels, comparison.scale
    found["welfare"] = worth_figure(comparison.worth, labels[0], scale)
    return {name: figure for name, figure in found.items() if figure is not None}
