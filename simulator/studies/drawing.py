"""The figures of studies that are done, from nothing but the files in their folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.errors import RunFolderError
from simulator.studies.folder import RUNS, SENSITIVITY, SUMMARY, table_of

ESTIMATES, EFFICIENCY = "estimates.csv", "efficiency.csv"


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a sweep, a sensitivity analysis, a fit, or of tastes that were learnt."""
    return any((folder / name).is_file() for name in (RUNS, ESTIMATES, EFFICIENCY))


def draw(folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw the figures of a study into its folder. Raises `RunFolderError` where it is not done."""
    if not (folder / SUMMARY).is_file():
        raise RunFolderError(f"{folder}: found a study that is not done (no {SUMMARY}); --resume does the rest")
    summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    place, files = folder / "figures", [folder / "figures" / f"fit.{kind}" for kind in formats]
    if (folder / SENSITIVITY).is_file():
        from simulator.figures import study_sensitivity

        return study_sensitivity.draw(_rows(folder / SENSITIVITY), summary, place, formats)
    if (folder / RUNS).is_file():
        from simulator.figures import study_sweep

        return study_sweep.draw(table_of((folder / RUNS).read_text(encoding="utf-8")), summary, place, formats)
    import pandas as pd

    if (folder / ESTIMATES).is_file():
        from simulator.figures import study_fit

        estimates, residuals = (pd.read_csv(folder / name) for name in (ESTIMATES, "residuals.csv"))
        for file in files:
            study_fit.draw(estimates, residuals, summary, file)
        return files
    from simulator.figures import study_purchases

    efficiency, held_out = (pd.read_csv(folder / name) for name in (EFFICIENCY, "held_out.csv"))
    files = [file.with_name(f"tastes{file.suffix}") for file in files]
    for file in files:
        study_purchases.draw(efficiency, held_out, summary, file)
    return files


def _rows(file: Path) -> list[Any]:
    """The rows of sensitivity.csv; no confidence is None."""
    table = table_of(file.read_text(encoding="utf-8"))
    return [(*row[:4], None if row[4] != row[4] else row[4]) for row in table.itertuples(index=False, name=None)]
