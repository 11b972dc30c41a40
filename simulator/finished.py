"""A finished run in memory: its tables, its summary, its figures."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from simulator.kinds.wording import unknown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Run:
    """A finished run: its tables as DataFrames (empty ones where a table was left out), its summary, and its figures on
    request.
    """

    name: str
    trajectory: pd.DataFrame
    ticks: pd.DataFrame
    agents: pd.DataFrame
    wedges: pd.DataFrame
    taxes: pd.DataFrame
    equilibrium: pd.DataFrame
    distribution: pd.DataFrame
    welfare: pd.DataFrame
    members: pd.DataFrame
    summary: dict[str, Any]

    def _repr_html_(self) -> str:
        """The sentence and the last prices beside bids, derivatives and equilibrium, for notebooks."""
        heading = f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.summary['sentence'])}</p>"
        if self.trajectory.empty:
            return heading
        last: Any = self.trajectory[self.trajectory["tick"] == self.trajectory["tick"].max()]
        table = last[["good", "price", "bid", "adjoint", "excess_demand"]].set_index("good")
        number = self.summary["equilibrium"]
        if number is not None and not self.equilibrium.empty:
            found: Any = self.equilibrium[self.equilibrium["from_tick"] == self.equilibrium["from_tick"].max()]
            numbers = found["equilibrium"].unique()
            reached = found[found["equilibrium"] == numbers[number - 1]].set_index("good")
            table.insert(3, "equilibrium", reached["price"])
        return heading + table.to_html(float_format="{:.6g}".format, na_rep="", border=0)

    @property
    def prices(self) -> pd.DataFrame:
        """The market's prices, ticks by goods."""
        return self._by_good("price")

    @property
    def demand(self) -> pd.DataFrame:
        """Planned demand per tick, ticks by goods."""
        return self._by_good("demand")

    @property
    def supply(self) -> pd.DataFrame:
        """Planned supply per tick, ticks by goods."""
        return self._by_good("supply")

    @property
    def excess_demand(self) -> pd.DataFrame:
        """Demand less supply, per tick, ticks by goods."""
        return self._by_good("excess_demand")

    def _by_good(self, column: str) -> pd.DataFrame:
        """A column of the trajectory, ticks by goods in the scenario's order; an empty frame where it was left out."""
        if self.trajectory.empty:
            return self.trajectory
        goods = self.trajectory["good"].unique()
        return self.trajectory.pivot(index="tick", columns="good", values=column).reindex(columns=goods)

    @overload
    def plot(self, figure: str) -> Figure: ...
    @overload
    def plot(self, *, folder: str | Path | None = None, formats: Sequence[str] = ...) -> list[Path]: ...
    @overload
    def plot(self, folder: Path, /, *, formats: Sequence[str] = ...) -> list[Path]: ...
    def plot(
        self,
        figure: str | Path | None = None,
        *,
        folder: str | Path | None = None,
        formats: Sequence[str] = ("png",),
    ) -> Figure | list[Path]:
        """One figure by its name, `run.plot("prices")`, as a matplotlib figure that a notebook shows.

        Without a name, every figure that applies is drawn into files in `folder`, by default `figures/` right here; a
        `Path` in the place of a name is such a folder. Raises `ValueError` for a figure that does not exist or would
        say nothing of this run.
        """
        from simulator.figures.frames import TABLES, Frames
        from simulator.figures.table import FIGURES, draw, drawn

        run = Frames(**{name: getattr(self, name) for name in (*TABLES, "members")}, summary=self.summary)
        if isinstance(figure, str):
            if figure not in FIGURES:
                raise ValueError(f"{unknown('figure', figure, FIGURES)}; to draw all into files, folder={figure!r}")
            return drawn(run, figure)
        return draw(run, folder or figure or Path("figures"), formats)
