"""Libraries that not everybody needs: an extra brings each, and who lacks one is told which."""

from __future__ import annotations

from importlib import import_module
from typing import Any

EXTRAS = {
    "distributed": ("dask.distributed", "dask"),
    "ipykernel": ("ipykernel", "notebooks"),
    "mesa.visualization": ("Solara", "mesa-viz"),
    "nbclient": ("nbclient", "notebooks"),
    "numba": ("Numba", "fast"),
    "pyarrow": ("pyarrow", "parquet"),
    "sklearn.datasets": ("scikit-learn", "digits"),
    "SALib": ("SALib", "studies"),
}
"""What a module belongs to, as people call it, and the extra that brings it."""


class MissingExtraError(ModuleNotFoundError):
    """A library is not installed; the message says what needs it and which extra brings it."""


def library(module: str, purpose: str) -> Any:
    """A module of `EXTRAS`, imported. Raises `MissingExtraError`: `machine code needs Numba; pip install ...`."""
    try:
        return import_module(module)
    except ImportError:
        name, extra = EXTRAS[module]
        raise MissingExtraError(f"{purpose} needs {name}; pip install 'market-simulator[{extra}]'") from None
