"""Who lacks a library is told which extra brings it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from simulator import ScenarioError, load
from simulator.terminal import WRONG_INPUT, failure_of
from tests.house import EXTRAS, MissingExtraError, library

ROOT = Path(__file__).resolve().parent.parent
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize("module", EXTRAS)
def test_a_missing_library_names_its_extra(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    name, extra = EXTRAS[module]
    with pytest.raises(MissingExtraError) as missing:
        library(module, "this")
    assert failure_of(missing.value)[:2] == (f"this needs {name}; pip install 'market-simulator[{extra}]'", WRONG_INPUT)
    assert DECLARED[extra]
    assert f"[{extra}" in str(DECLARED["test"]) or f",{extra}" in str(DECLARED["test"])


def test_a_dataset_without_its_library_is_refused_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ScenarioError, match=r"learning.patterns.dataset: found digits: .*\[digits\]'"):
        load(ROOT / "scenarios" / "extras" / "digits.yaml")
