"""Sensitivity: how much of what is measured each parameter moves, by SALib (the extra `studies`).

Indices of Sobol's variance decomposition from Saltelli's design, of Morris's elementary effects, and of RBD-FAST from a
Latin hypercube.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from simulator.economics.forms import Array
from simulator.extras import library
from simulator.kinds.draws import Draws
from simulator.kinds.entry import Chosen, OneOf, Whole
from simulator.kinds.numbers import Draw
from simulator.studies.designs import (
    MOST_POINTS,
    LatinHypercube,
    Point,
    Points,
    PowerOfTwo,
    Varied,
    all_drawn,
    generator,
)
from simulator.studies.folder import SENSITIVITY, StudyFolder, cell, line, table_of
from simulator.studies.reading import Source
from simulator.studies.study import AnyMeasure, Study, StudyFile, load_study
from simulator.studies.sweep import completed

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("measure", "parameter", "index", "value", "confidence")
MOST_LEFT_OUT = 0.1
"""No indices where a larger part of the blocks is left out."""
CUT = 0.005
"""Morris's design reaches to the ends of a distribution: where it has none, this part of all draws is cut off."""
LEAST_SLICES = 100
"""Intervals of RBD-FAST are by halves of the runs: these must be well above twice the 10 harmonics looked at."""


def _problem(parameters: int) -> dict[str, Any]:
    names = [f"x{number}" for number in range(parameters)]
    return {"num_vars": parameters, "names": names, "bounds": [[0.0, 1.0]] * parameters}


def _salib(part: str) -> Any:
    library("SALib", "sensitivity analysis")
    return import_module(f"SALib.{part}")


@dataclass(frozen=True)
class Saltelli:
    """So many base points, a power of 2, each with a point more for each parameter and one (Saltelli 2010)."""

    meaning: ClassVar[str] = "so many base points, a power of 2: Sobol's first-order and total-order indices"
    indices: ClassVar[Mapping[str, tuple[str, str]]] = {
        "first_order": ("S1", "S1_conf"),
        "total_order": ("ST", "ST_conf"),
    }
    number: PowerOfTwo

    def block(self, parameters: int) -> int:
        return parameters + 2

    def parts(self, parameters: int, seed: int) -> Array:
        sample = _salib("sample.sobol").sample
        return sample(_problem(parameters), self.number, calc_second_order=False, seed=generator(seed))

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        return all_drawn(vary, self.parts(len(vary), seed))

    def analyse(self, parameters: int, parts: Array, values: Array, seed: int) -> Mapping[str, Array]:
        analyze = _salib("analyze.sobol").analyze
        return analyze(_problem(parameters), values, calc_second_order=False, seed=generator(seed))


@dataclass(frozen=True)
class Morris:
    """So many trajectories, in each of which one parameter after another takes a step (Morris 1991)."""

    meaning: ClassVar[str] = "so many trajectories: elementary effects, mu, mu_star and sigma"
    indices: ClassVar[Mapping[str, tuple[str, str]]] = {
        "mu": ("mu", ""),
        "mu_star": ("mu_star", "mu_star_conf"),
        "sigma": ("sigma", ""),
    }
    number: Points

    def block(self, parameters: int) -> int:
        return parameters + 1

    def parts(self, parameters: int, seed: int) -> Array:
        return _salib("sample.morris").sample(_problem(parameters), self.number, seed=generator(seed))

    def points(self, vary: Varied, seed: int, draws: Draws) -> list[Point]:
        parts = self.parts(len(vary), seed).copy()
        for place, path in enumerate(sorted(vary)):
            if isinstance(values := vary[path], Draw) and _endless(values):
                parts[:, place] = CUT + (1 - 2 * CUT) * parts[:, place]
        return all_drawn(vary, parts)

    def analyse(self, parameters: int, parts: Array, values: Array, seed: int) -> Mapping[str, Array]:
        return _salib("analyze.morris").analyze(_problem(parameters), parts, values, seed=generator(seed))


def _endless(values: Draw) -> bool:
    """Whether a distribution has no end to one side."""
    (name,) = values.distributions
    return name not in ("uniform", "beta", "choice")


@dataclass(frozen=True)
class Slices(LatinHypercube):
    """So many points, one in each of as many slices of every distribution: RBD-FAST (Tarantola 2006)."""

    meaning: ClassVar[str] = "so many points of a Latin hypercube: first-order indices by RBD-FAST"
    indices: ClassVar[Mapping[str, tuple[str, str]]] = {"first_order": ("S1", "S1_conf")}
    number: Annotated[Whole, Field(ge=LEAST_SLICES, le=MOST_POINTS)]

    def block(self, parameters: int) -> int:
        return 1

    def analyse(self, parameters: int, parts: Array, values: Array, seed: int) -> Mapping[str, Array]:
        return _salib("analyze.rbd_fast").analyze(_problem(parameters), parts, values, seed=generator(seed))


ANALYSES: dict[str, type[Saltelli | Morris | Slices]] = {
    "sobol": Saltelli,
    "morris": Morris,
    "latin_hypercube": Slices,
}
"""Designs, each with the `parts` of distributions at its points, so many points in a `block` that are missing together,
and what SALib makes of values, `analyse`; `indices` are what it calls each index, and its confidence.
"""


class SensitivityFile(StudyFile):
    """Many runs of one scenario, by which parameters are ranked."""

    design: Annotated[Chosen[Any], OneOf("analyses", "Design", ANALYSES)] = Field(
        description="which points are run, and by which method they are looked at"
    )
    measures: list[AnyMeasure] = Field(["ticks"], min_length=1, description="numbers measured of each run")
    texts: ClassVar[bool] = False


class Indices(NamedTuple):
    """The indices of a study: rows by `COLUMNS`, and by measure how many blocks were left out, of how many, and why
    there are no indices, if there are none.
    """

    rows: list[tuple[str, str, str, float, float | None]]
    facts: dict[str, dict[str, Any]]

    def write(self, folder: StudyFolder, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Write sensitivity.csv, and the summary with what was left out, which is given back."""
        text = "".join([line(COLUMNS), *(line(map(cell, row)) for row in self.rows)])
        told = {**summary, "sensitivity": self.facts}
        folder.finish(text, told, SENSITIVITY)
        return told


def indices_of(study: Study, table: pd.DataFrame) -> Indices:
    """The indices of every measure, by the table of all runs; the mean over replications counts.

    A block with an error or an empty measure is left out whole.
    """
    design: Saltelli | Morris | Slices = study.file.design.kind  # pyright: ignore[reportAssignmentType]
    many = len(study.paths)
    parts, size = design.parts(many, study.file.seed), design.block(many)
    places, rows = [sorted(study.paths).index(path) for path in study.paths], list[Any]()
    facts: dict[str, dict[str, Any]] = {}
    for name in study.measures:
        runs = table[name].to_numpy(float).reshape(len(study.points), len(study.seeds))
        blocks = runs.mean(axis=1).reshape(-1, size)
        sound = np.isfinite(blocks).all(axis=1)
        values = blocks[sound].ravel()
        left_out = int((~sound).sum())
        fact = facts[name] = {"blocks": len(blocks), "left_out": left_out, "no_indices": None}
        if left_out > MOST_LEFT_OUT * len(blocks):
            fact["no_indices"] = "more than a tenth of the blocks is left out"
        elif np.ptp(values) == 0:
            fact["no_indices"] = "it does not vary"
        else:
            found = design.analyse(many, parts[np.repeat(sound, size)], values, study.file.seed)
            for path, place in zip(study.paths, places, strict=True):
                for index, (value, confidence) in design.indices.items():
                    half = float(found[confidence][place]) if confidence else None
                    rows.append((name, path, index, float(found[value][place]), half))
    return Indices(rows, facts)


def sensitivity(
    source: Source,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    seed: int | None = None,
    resume: bool = False,
    retry: bool = False,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Carry out a study and tell how much each parameter moves each measure: a table as in sensitivity.csv.

    Its options are those of `sweep`. Raises `MissingExtraError` without SALib.
    """
    import pandas as pd

    study = load_study(source, seed=seed, model=SensitivityFile)
    done, folder = completed(study, out, jobs, resume=resume, retry=retry, overwrite=overwrite)
    indices = indices_of(study, table_of(done.text))
    if folder is not None:
        indices.write(folder, done.summary)
    return pd.DataFrame(indices.rows, columns=list(COLUMNS))
