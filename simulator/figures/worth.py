"""What runs, or equilibria, are worth to consumers beside the first of them: as text and as a CSV."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

FILE = "welfare.csv"


class Worth(NamedTuple):
    """What it is worth to a consumer (to all of a cohort together) that it stands as in a `run`, or equilibrium, and
    not as in the first: its variations in money, not a number where they are not known, which `why` tells.
    """

    run: str
    consumer: str
    equivalent_variation: float = np.nan
    compensating_variation: float = np.nan
    why: str = ""

    def scaled(self, first: float, its: float) -> Worth:
        """With the equivalent variation in units of the first run's prices, the compensating in those of its own."""
        worth = (self.equivalent_variation / first, self.compensating_variation / its)
        return self._replace(equivalent_variation=worth[0], compensating_variation=worth[1])

    @property
    def data(self) -> dict[str, Any]:
        """As plain data: what is no number is None."""
        return {name: None if value != value else value for name, value in self._asdict().items()}


def worth_csv(worth: Sequence[Worth]) -> str:
    """The rows as a CSV."""
    return pd.DataFrame(worth, columns=Worth._fields).to_csv(index=False, lineterminator="\n")


def worth_lines(worth: Sequence[Worth], first: str, width: int) -> list[str]:
    """A table for each run beside the `first`, with sentences of at most so many letters a line."""
    text = list[str]()
    for run, rows in groupby(worth, lambda one: one.run):
        known, others = list[tuple[str, float, float]](), list[str]()
        for one in rows:
            if one.why:
                others.append(f"{one.consumer} ({one.why})")
            else:
                known.append((one.consumer, one.equivalent_variation, one.compensating_variation))
        if known:
            if len(known) > 1 and not others:
                known.append(("all together", *np.sum([variations for _, *variations in known], axis=0).tolist()))
            cells = [("consumer", "equivalent variation", "compensating variation")]
            cells += [(name, *(f"{each:.6g}" for each in variations)) for name, *variations in known]
            wide = max(len(name) for name, *_ in cells)
            heading = f"What {run} is worth to consumers beside {first}, in money (above 0: they gain):"
            text += ["", *wrap(heading, width)]
            text += [f"  {name.ljust(wide)}  {old.rjust(20)}  {new.rjust(22)}" for name, old, new in cells]
        if others:
            text += ["", *wrap(f"Not known, what {run} is worth beside {first} to {', '.join(others)}.", width)]
    return text
