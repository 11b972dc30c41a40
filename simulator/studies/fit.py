"""Parameters of a scenario from equilibria that were observed, and what is written of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import Problem, ScenarioError
from simulator.records.folder import check_vacant
from simulator.records.report import plain, versions
from simulator.scenario import Scenario
from simulator.scenario.variation import Variation
from simulator.sentences import FITTED, said
from simulator.studies.estimates import Estimates, Factors, estimates
from simulator.studies.fit_model import FitModel
from simulator.studies.fit_search import Minimum, Search
from simulator.studies.fit_study import FitStudy, load_fit
from simulator.studies.reading import Source
from simulator.terminal import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

WRITTEN = ("estimates.csv", "residuals.csv", "fitted.yaml", "summary.json")
OURS = frozenset([*WRITTEN, "inputs", "figures"])
"""What there is in the folder of a fit."""


@dataclass(frozen=True)
class Fit:
    """What fits a study best, of the `minima` that its searches came to.

    `estimates` and `residuals` are DataFrames as in the CSV files, `summary` is a dict, `scenario` the fitted one.
    """

    study: FitStudy
    search: Search
    minima: list[Minimum]

    @cached_property
    def _factors(self) -> Factors:
        return self.search.factorised(self.minima[0].point)

    @cached_property
    def freedom(self) -> int:
        """Observations that count, less the rank, less the factors taken out of prices."""
        model = self.search.model
        return int(np.sum(model.weights > 0)) - self._factors.rank - model.factors(self.minima[0].point)

    @cached_property
    def _estimates(self) -> Estimates:
        variance = self.minima[0].cost / self.freedom if self.freedom > 0 else np.nan
        return estimates(self.study.free, self.minima[0].point.u, self._factors, variance, self.freedom)

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """`path, estimate, standard_error, low, high, at_bound`, a row each number."""
        import pandas as pd

        found = self._estimates
        return pd.DataFrame(
            {
                "path": self.study.free.rows,
                "estimate": found.values,
                "standard_error": found.errors,
                "low": found.low,
                "high": found.high,
                "at_bound": found.at_bound.astype(int),
            }
        )

    @cached_property
    def residuals(self) -> pd.DataFrame:
        """`case, quantity, value, model, residual, weight`, a row each observation: `residual` is `ln model - ln
        value`, and `model` is in the unit of the data.
        """
        import pandas as pd

        observed = self.study.observed
        gaps, values = self.minima[0].point.gaps, np.array([each.value for each in observed])
        return pd.DataFrame(
            {
                "case": [each.case for each in observed],
                "quantity": [each.quantity for each in observed],
                "value": values,
                "model": values * np.exp(gaps),
                "residual": gaps,
                "weight": self.search.model.weights,
            }
        )

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario with the estimates in it, called `NAME_fitted`."""
        scenario, settings = self.study.scenario, self.study.free.settings(self.minima[0].point.u)
        return Variation(scenario).at({**settings, "name": f"{scenario.name}_fitted"})

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What summary.json holds."""
        study, best, free = self.study, self.minima[0], self.study.free
        facts = {
            "cost": best.cost,
            "observations": len(study.observed),
            "cases": len(study.cases),
            "factors": self.search.model.factors(best.point),
            "parameters": len(free.start),
            "rank": self._factors.rank,
            "degrees_of_freedom": self.freedom,
            "largest_gap": float(np.max(np.abs(np.expm1(best.point.gaps)))),
            "converged": best.converged,
            "starts": study.starts,
            "reached": best.starts,
            "lost": study.starts - sum(each.starts for each in self.minima),
        }
        found = self._estimates
        names = {"at_bound": found.at_bound, "untold": found.untold}
        rows = {
            name: [row for row, is_so in zip(free.rows, marks.tolist(), strict=True) if is_so]
            for name, marks in names.items()
        }
        return plain(
            {
                "name": study.name,
                "sentence": ". ".join(said(FITTED, {**facts, **rows})) + ".",
                **facts,
                "free_combinations": found.combinations,
                "minima": [
                    {
                        "cost": each.cost,
                        "starts": each.starts,
                        "converged": each.converged,
                        "estimates": dict(zip(free.rows, free.values(each.point.u).tolist(), strict=True)),
                    }
                    for each in self.minima
                ],
                "evaluations": self.search.evaluations,
                "seed": study.seed,
                "versions": versions("arrays"),
            }
        )


def fit(study: Source, *, out: str | Path | None = None, seed: int | None = None, progress: Progress = silent) -> Fit:
    """Fit the free parameters of a study (a YAML file, or plain Python data); written to the folder `out`, if given.

    Raises `ScenarioError` for what is wrong in the study or its files, `RunFolderError` where `out` is a file or holds
    other files than a fit's.
    """
    return fitted(load_fit(study, seed), out, progress)


def fitted(study: FitStudy, out: str | Path | None = None, progress: Progress = silent) -> Fit:
    """The same of a study that is loaded."""
    if out is not None:
        check_vacant(Path(out), "fit", OURS, overwrite=True)
    search = Search(FitModel(study))
    minima = search.minima(progress)
    if not minima:
        message = "found no search that comes to an end: equilibria on the way have no derivative (folds)"
        raise ScenarioError([Problem(study.where, 0, 0, "free", f"{message}; expected another start or bounds")])
    found = Fit(study, search, minima)
    if out is not None:
        write(found, Path(out))
    return found


def write(found: Fit, folder: Path) -> None:
    """Write the files of a fit and its figure."""
    from simulator.figures.study_fit import draw

    folder.mkdir(parents=True, exist_ok=True)
    tables = {"estimates.csv": found.estimates, "residuals.csv": found.residuals}
    for name, table in tables.items():
        table.to_csv(folder / name, index=False, lineterminator="\n", encoding="utf-8")
    for name, place in found.scenario.inputs.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(place.read_bytes())
    (folder / "fitted.yaml").write_bytes(found.scenario.text.encode())
    text = json.dumps(found.summary, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "summary.json").write_bytes(f"{text}\n".encode())
    draw(found.estimates, found.residuals, found.summary, folder / "figures" / "fit.png")
