"""Parameters from observed equilibria: what was computed is found again, and what the data do not tell is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import fit

STUDIES = Path(__file__).resolve().parent.parent / "scenarios" / "studies"


def written(folder: Path, data: str, free: dict[str, Any], cases: str = "", **study: Any) -> dict[str, Any]:
    """A study whose files lie in a folder."""
    (folder / "data.csv").write_text(data)
    (folder / "cases.csv").write_text(cases)
    files = {"data": str(folder / "data.csv")} | ({"cases": str(folder / "cases.csv")} if cases else {})
    return {**files, "free": free, "starts": 1, **study}


def test_the_shipped_study_finds_what_its_data_were_made_of() -> None:
    found = fit(STUDIES / "harvests.yaml")
    truth = np.array([0.6, 0.5, 0.3, 0.2])
    assert ((found.estimates["low"] < truth) & (truth < found.estimates["high"])).all()
    assert found.estimates["estimate"].to_numpy() == pytest.approx(truth, rel=0.05)
