"""The folder of a comparison: what it may replace, and what is written there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulator.errors import RunFolderError
from simulator.figures import comparison_solved
from simulator.figures.comparison import FILES, WRITTEN, Comparison

OURS = {*WRITTEN, *comparison_solved.WRITTEN, "comparison.png", "comparison.svg", "comparison.pdf"}
"""The files of a comparison."""


def is_comparison(folder: Path) -> bool:
    """Whether a folder holds a comparison: `outputs/*` names the runs and what was made of them."""
    kinds = (WRITTEN, comparison_solved.WRITTEN)
    whole = any(all((folder / name).is_file() for name in written) for written in kinds)
    return whole and not (folder / FILES[0]).exists()


def write_comparison(
    comparison: Comparison | comparison_solved.SolvedComparison, folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Write the CSVs of a comparison and, of runs, its figure in each format, in place of an older one; returns the
    files.
    """
    figures = {folder / f"comparison.{kind}": kind for kind in formats if isinstance(comparison, Comparison)}
    file = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in OURS:
            (folder / name).unlink(missing_ok=True)
        csvs = comparison.csvs()
        for name, text in csvs.items():
            file = folder / name
            file.write_bytes(text.encode())
        if isinstance(comparison, Comparison) and figures:
            from simulator.figures.canvas import save
            from simulator.figures.comparison_figure import comparison_figure

            sheet = comparison_figure(comparison)
            for file, kind in figures.items():
                save(sheet, file, kind)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RunFolderError(f"{error.filename or file}: cannot be written: {reason}") from error
    return [*(folder / name for name in csvs), *figures]
