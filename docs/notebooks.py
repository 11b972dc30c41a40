"""The notebooks, executed: `python -m docs.notebooks` runs each of `notebooks/` in a kernel of this Python and writes
it, with what came out, into `outputs/notebooks/` or another folder that is named; with `--strip` it writes those of
`notebooks/` anew as they are kept, without outputs.

`tests/test_notebooks.py` executes them in the same way.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from docs.pages import ROOT
from simulator.extras import MissingExtraError, library

FOLDER = ROOT / "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
SECONDS = 120
"""The longest that a cell may take."""


def notebooks() -> list[Path]:
    """Every notebook of the project."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(file: Path) -> Any:
    """A notebook, in the newest form of the format. Raises `MissingExtraError` without the extra `notebooks`."""
    for module in ("nbclient", "ipykernel"):
        library(module, "a notebook")
    import nbformat

    return nbformat.read(file, as_version=4)


def written(notebook: Any) -> str:
    """The text of a notebook's file."""
    import nbformat

    return nbformat.writes(notebook) + "\n"


def stripped(notebook: Any) -> Any:
    """A copy as it is kept: no outputs, no counts, no metadata but the kernel's name."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    make = {"code": new_code_cell, "markdown": new_markdown_cell}
    cells = [make[cell.cell_type](cell.source.rstrip("\n"), id=cell.id) for cell in notebook.cells]
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})


def executed(file: Path) -> Any:
    """A notebook with what its cells give, in a kernel of this Python that imports this copy of the project, in the
    notebook's own folder. No kernel that happens to be installed and nobody's start-up files matter.

    Raises `CellExecutionError` where a cell fails.
    """
    notebook = read(file)
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as empty:
        # Files in the place of ports, where there are such: nothing else listens, and two kernels never want the same.
        manager = AsyncKernelManager(
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            connection_file=os.path.join(empty, "kernel.json"),
            transport="ipc" if os.name == "posix" else "tcp",
        )
        place = {"metadata": {"path": str(file.parent)}}
        client = NotebookClient(notebook, km=manager, timeout=SECONDS, resources=place)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": empty}
        return client.execute(cleanup_kc=True, env=environment)


def main() -> None:
    """Write the notebooks executed, or stripped, and name each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "outputs" / "notebooks")
    parser.add_argument("--strip", action="store_true")
    asked = parser.parse_args()
    for file in notebooks():
        try:
            text = written(stripped(read(file)) if asked.strip else executed(file))
        except MissingExtraError as missing:
            sys.exit(str(missing))
        target = file if asked.strip else asked.folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target}")


if __name__ == "__main__":
    main()
