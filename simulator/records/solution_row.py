"""A row of equilibria.csv."""

from __future__ import annotations

import math
from typing import NamedTuple


class Row(NamedTuple):
    """A row of equilibria.csv: what it is, of whom or what, and how far its condition is from holding."""

    kind: str
    name: str
    value: float
    residual: float = math.nan
