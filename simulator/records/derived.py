"""What is kept and said of derivatives of equilibria: rows of derivatives.csv and second_derivatives.csv, and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.records.columns import Sheet
from simulator.records.report import lined_up
from simulator.records.solved_columns import DERIVED, DERIVED_TWICE
from simulator.records.table import Table, names
from simulator.sentences import DERIVED as SAID
from simulator.sentences import said

if TYPE_CHECKING:
    from simulator.economics.forms import Array
    from simulator.references.statics import Derivatives

AGREE, ROUNDING = 1e-5, 1e-9
"""Derivatives agree if they differ by this part of the larger, or as elasticities by no more than rounding makes."""


SLOPE_ROUNDING = 1e-7
"""What is no more of the slope of an elasticity is rounding."""


class Derived(NamedTuple):
    """What is said of derivatives: facts for a summary, tables by the names of their files, and text, part by part."""

    facts: dict[str, Any]
    tables: dict[str, Table]
    text: list[str]


def derived_facts(found: Sequence[Derivatives | None], paths: Sequence[str], per: str) -> dict[str, Any]:
    """What a summary has of derivatives: by what, how prices are told (`per`), how many there are, how many are
    `flagged`, how many `unsolved` as no equilibrium was beside, of how many equilibria, and those `without` any.
    """
    known = [each for each in found if each is not None]
    flags = np.concatenate([[], *(flag.ravel() for each in known for flag in (agrees(each), agrees_twice(each)))])
    solved = np.concatenate([[], *(again.ravel() for e in known for again in (e.first_solved, e.second_solved))])
    return {
        "parameters": list(paths),
        "per": per,
        "counted": len(flags),
        "flagged": int(np.count_nonzero((flags == 0) & np.isfinite(solved))),
        "unsolved": int(np.count_nonzero((flags == 0) & ~np.isfinite(solved))),
        "equilibria": len(found),
        "without": [str(number) for number, each in enumerate(found, 1) if each is None],
    }


def derived_table(found: Sequence[Derivatives]) -> Table:
    """The rows of derivatives.csv."""
    keys = [(each.number, path, *row) for each in found for path in each.paths for row in each.rows]
    known = [
        {
            "derivative": each.first,
            "elasticity": elasticities(each),
            "resolved": each.first_solved,
            "agrees": agrees(each),
            "domar_weight": np.broadcast_to(each.domar_weights, each.first.shape),
        }
        for each in found
    ]
    return _table(DERIVED, keys, known)


def derived_twice_table(found: Sequence[Derivatives]) -> Table:
    """The rows of second_derivatives.csv."""
    keys = [
        (each.number, each.paths[one], each.paths[other], *row)
        for each in found
        for one, other in each.pairs.tolist()
        for row in each.rows
    ]
    known = [
        {
            "derivative": each.second,
            "elasticity_slope": elasticity_slopes(each),
            "resolved": each.second_solved,
            "agrees": agrees_twice(each),
        }
        for each in found
    ]
    return _table(DERIVED_TWICE, keys, known)


def _table(sheet: Sheet, keys: Sequence[tuple[Any, ...]], known: Sequence[dict[str, Array]]) -> Table:
    columns = [*zip(*keys, strict=True)] or [()] * len(sheet.keys)
    each: dict[str, NDArray[Any]] = {key: names(cells) for key, cells in zip(sheet.keys, columns, strict=True)}
    each["equilibrium"] = np.array(columns[0], dtype=int)
    cells = {column.name: [part[column.name].T.ravel() for part in known] for column in sheet.columns}
    return Table.of(each, {}, sheet.columns, {name: np.concatenate([[], *parts]) for name, parts in cells.items()})


@np.errstate(all="ignore")
def elasticities(found: Derivatives) -> Array:
    """`d ln Q/d ln theta` `(values, parameters)`; not a number where it is none."""
    return found.first * _thetas(found) / _logged(found)[:, None]


@np.errstate(all="ignore")
def elasticity_slopes(found: Derivatives) -> Array:
    """`d2 ln Q/d ln theta_i d ln theta_j` `(values, pairs)`."""
    one, other = found.pairs.T
    theta, first = _thetas(found), elasticities(found)
    second = found.second * theta[one] * theta[other] / _logged(found)[:, None]
    return second - first[:, one] * first[:, other] + np.where(one == other, first[:, one], 0.0)


def _thetas(found: Derivatives) -> Array:
    return np.where(found.thetas != 0, found.thetas, np.nan)


def _logged(found: Derivatives) -> Array:
    """The values that have logarithms, `(values,)`: not those that are 0, nor the objective, which is known up to a
    constant.
    """
    known = np.array([kind != "objective" for kind, _ in found.rows]) & (found.values != 0)
    return np.where(known, found.values, np.nan)


def agrees(found: Derivatives) -> Array:
    """Whether derivatives agree with those solved again, 1 or 0, `(values, parameters)`; not a number where nobody
    asked.
    """
    return _agree(found, found.first, found.first_solved, found.units)


def agrees_twice(found: Derivatives) -> Array:
    """The same of second derivatives, `(values, pairs)`."""
    units = found.units[found.pairs].prod(axis=1)
    return _agree(found, found.second, found.second_solved, units)


@np.errstate(invalid="ignore")
def _agree(found: Derivatives, implicit: Array, solved: Array, units: Array) -> Array:
    allowed = AGREE * np.maximum(np.abs(implicit), np.abs(solved)) + _rounding(found)[:, None] / units
    judged = found.checked & np.isfinite(found.values)[:, None]
    return np.where(judged, np.abs(implicit - solved) <= allowed, np.nan)


def _rounding(found: Derivatives) -> Array:
    """What is no more than rounding of a derivative per unit of a parameter, `(values,)`: a part of the largest value
    of the kind.
    """
    kinds, sizes = np.array([kind for kind, _ in found.rows]), np.abs(found.values)
    sizes = np.where(np.isfinite(sizes), sizes, 0.0)
    return ROUNDING * np.array([sizes[kinds == kind].max() for kind in kinds])


def derived_parts(found: Sequence[Derivatives], facts: Mapping[str, Any]) -> list[str]:
    """Derivatives as text, part by part: for each equilibrium a table for each parameter, Hulten's of productivities,
    and second ones.
    """
    parts = [part for each in found for part in _parts(each, facts["per"])]
    return [*parts, *said(SAID, facts)]


def _parts(found: Derivatives, per: str) -> Iterator[str]:
    first, ok, title = elasticities(found), agrees(found), f"equilibrium {found.number}:"
    for at, (path, theta) in enumerate(zip(found.paths, found.thetas.tolist(), strict=True)):
        columns = [table[:, at] for table in (found.first, first, found.first_solved, ok)]
        table = _of_values(found, "elasticity", columns, float(found.units[at]), ROUNDING)
        yield f"{title} derivatives by {path}, which is {theta:.9g}; {per}\n{table}"
    some = np.flatnonzero(np.isfinite(found.domar_weights)).tolist()
    consumers = [(row, name) for row, (kind, name) in enumerate(found.rows) if kind == "utility"]
    if some and consumers:
        rows = [
            [found.paths[at], *map(_cell, [found.domar_weights[at], *(first[row, at] for row, _ in consumers)])]
            for at in some
        ]
        table = _lined_up([["productivity", "Domar weight", *(name for _, name in consumers)], *rows])
        yield f"{title} elasticities of utility by productivity, beside sales over incomes (Hulten)\n{table}"
    slopes, ok = elasticity_slopes(found), agrees_twice(found)
    for at, (one, other) in enumerate(found.pairs.tolist()):
        by = f"{found.paths[one]} and {found.paths[other]}" if one != other else f"{found.paths[one]}, twice"
        columns = [table[:, at] for table in (found.second, slopes, found.second_solved, ok)]
        unit = float(found.units[one] * found.units[other])
        yield f"{title} second derivatives by {by}\n{_of_values(found, 'of elasticity', columns, unit, SLOPE_ROUNDING)}"


def _of_values(found: Derivatives, title: str, columns: Sequence[Array], unit: float, least: float) -> str:
    """A line for each value of `columns`, `(values,)` each: the derivative per `unit`, that in logarithms, the one
    solved again, and whether the two agree. Rounding, in logarithms the `least`, is told as 0; * marks what does not.
    """
    rows = [
        [f"{kind} {name}".rstrip(), _cell(one, none), _cell(ratio, least), _cell(other, none), "*" if ok == 0 else ""]
        for (kind, name), none, one, ratio, other, ok in zip(
            found.rows, (_rounding(found) / unit).tolist(), *(column.tolist() for column in columns), strict=True
        )
    ]
    return _lined_up([["of", "derivative", title, "solved again", ""], *rows])


def _lined_up(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(map(str.rstrip, lined_up(rows, width=max(len(row[0]) for row in rows), wide=14)))


def _cell(value: float, least: float = 0.0) -> str:
    return "-" if np.isnan(value) else f"{0.0 if abs(value) <= least else value:.9g}"
