"""What is said of a study as a whole: how its runs ended, and where its measures lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.records.report import plain, versions
from simulator.studies.study import Study

if TYPE_CHECKING:
    import pandas as pd

MOST_TEXTS = 20
"""So many values of a text are counted one by one."""


def summary_of(study: Study, runs: pd.DataFrame, seconds: float) -> dict[str, Any]:
    """The summary of a study by the table of its runs, ready for JSON."""
    table: Any = runs
    failed = table["error"] != ""
    measures = {name: _of_texts(table[name]) or _of_numbers(table[name]) for name in study.measures}
    summary = {
        "name": study.name,
        "scenario": study.scenario.name,
        "sentence": "",
        "design": study.file.design.name,
        "points": len(study.points),
        "replications": len(study.seeds),
        "runs": len(table),
        "errors": int(failed.sum()),
        "error_texts": (_of_texts(table["error"][failed]) or {}).get("counts", {}),
        "parameters": list(study.paths),
        "measures": measures,
        "seed": study.file.seed,
        "seconds": float(table["seconds"].sum()),
        "wall_seconds": seconds,
        "versions": versions(study.scenario.run.engine),
    }
    return plain(summary | {"sentence": sentence(summary)})


def sentence(summary: dict[str, Any]) -> str:
    """What happened, in a sentence."""
    points, replications, runs, errors = (summary[key] for key in ("points", "replications", "runs", "errors"))
    whole = planned(points, replications)
    ended = whole if runs == points * replications else f"{runs:,} of {whole}"
    parts = [ended, _many(errors, "error") if errors else "no error"]
    if (outcomes := summary["measures"].get("outcome")) and "counts" in outcomes:
        parts.append(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in outcomes["counts"].items()))
    return "; ".join(parts) + "."


def planned(points: int, replications: int) -> str:
    """How many runs there are, and of what."""
    each = f", {_many(replications, 'replication')} each" if replications > 1 else ""
    return f"{_many(points * replications, 'run')} at {_many(points, 'point')}{each}"


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _of_texts(values: Any) -> dict[str, Any] | None:
    """How often each text came, the most frequent ones first; None of numbers."""
    if values.dtype.kind in "fib":
        return None
    counts = values.dropna().value_counts(sort=False).items()
    ordered = sorted(((str(name), int(count)) for name, count in counts), key=lambda item: (-item[1], item[0]))
    return {"empty": int(values.isna().sum()), "counts": dict(ordered[:MOST_TEXTS])}


def _of_numbers(values: Any) -> dict[str, Any]:
    """Where numbers lie."""
    numbers = values.dropna().to_numpy(float)
    facts: dict[str, Any] = {"empty": int(values.isna().sum())}
    if not len(numbers):
        return facts
    quantiles = np.quantile(numbers, [0.0, 0.05, 0.5, 0.95, 1.0]).tolist()
    names = ("min", "low", "median", "high", "max")
    return {**facts, "mean": float(numbers.mean()), **dict(zip(names, quantiles, strict=True))}
