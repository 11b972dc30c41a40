"""The notebooks run from the first cell to the last, say no number that no cell asserts, and keep no outputs."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import docs.notebooks
import simulator
from docs.notebooks import executed, notebooks, read, stripped, written

NOT_SAID = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$"  # code and mathematics
    r"|\]\([^)]*\)|\b(?:1[6-9]|20)\d\d(?=[;)])"  # addresses of links, years of books
    r"|^#+ \d+\.|\bquestion \d",  # what is counted
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")
FILES = [pytest.param(file, id=file.stem) for file in notebooks()]


def unasserted(notebook: Any) -> list[str]:
    """The numbers in a notebook's text that stand in no `assert` of its cells."""
    cells = [ast.parse(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    asserts = [node.test for cell in cells for node in ast.walk(cell) if isinstance(node, ast.Assert)]
    held = {node.value for test in asserts for node in ast.walk(test) if isinstance(node, ast.Constant)}
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    said = NUMBER.findall(NOT_SAID.sub("", text))
    return [number for number in said if float(number.replace(",", "")) not in held]


@pytest.mark.parametrize("file", FILES)
def test_every_cell_runs_and_nothing_is_complained_of(file: Path) -> None:
    outputs = [output for cell in executed(file).cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


@pytest.mark.parametrize("file", FILES)
def test_kept_without_outputs_and_with_names_that_stay(file: Path) -> None:
    notebook = read(file)
    nbformat.validate(notebook)
    assert file.read_text(encoding="utf-8") == written(stripped(notebook)), "run python -m docs.notebooks --strip"
    names = [cell.id for cell in notebook.cells]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("file", FILES)
def test_every_number_in_the_text_is_asserted(file: Path) -> None:
    assert unasserted(read(file)) == []


def test_outputs_counts_and_metadata_are_stripped() -> None:
    cell = new_code_cell("1 + 1\n", id="sum", execution_count=3, metadata={"scrolled": True})
    cell.outputs = [new_output("execute_result", {"text/plain": "2"}, execution_count=3)]
    kept = stripped(new_notebook(cells=[cell], metadata={"widgets": {}}))
    assert kept == stripped(new_notebook(cells=[new_code_cell("1 + 1", id="sum")]))
    assert (kept.cells[0].outputs, kept.cells[0].execution_count, "widgets" in kept.metadata) == ([], None, False)


def test_a_number_that_no_cell_asserts_is_found() -> None:
    text = "# 9. Title\nIt takes 1,474 ticks (Scarf 1960; question 9), not 3, at `r = 7`, $x = 8$, [here](9.html): 0.5."
    cells = [new_markdown_cell(text), new_code_cell("x = 3\nassert (\n    period == 1_474\n), 0.5")]
    assert unasserted(new_notebook(cells=cells)) == ["3", "0.5"]


def test_a_cell_that_fails_or_a_wrong_assertion_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "wrong.ipynb"
    file.write_text(written(new_notebook(cells=[new_code_cell("import simulator\nassert 1 == 2")])))
    with pytest.raises(CellExecutionError, match="assert 1 == 2"):
        executed(file)


def test_the_kernel_is_of_this_python_and_imports_this_copy(tmp_path: Path) -> None:
    file = tmp_path / "where.ipynb"
    code = f"import os, sys, simulator\nassert sys.prefix == {sys.prefix!r}\nassert os.getcwd() == {str(tmp_path)!r}"
    code += f"\nassert simulator.__file__ == {simulator.__file__!r}"
    file.write_text(written(new_notebook(cells=[new_code_cell(code)])))
    executed(file)


@pytest.mark.parametrize("module", ["nbclient", "ipykernel"])
def test_without_the_extra_its_name_is_told(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(sys, "argv", ["docs.notebooks"])
    with pytest.raises(SystemExit, match=rf"{module}; pip install 'market-simulator\[notebooks\]'"):
        docs.notebooks.main()
