"""What is kept and said of derivatives of equilibria: rows of derivatives.csv and second_derivatives.csv, and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator.records.columns import DERIVED, DERIVED_TWICE, Sheet
from simulator.records.report import lined_up
from simulator.records.table import Table, names

if TYPE_CHECKING:
    from simulator.economics.forms import Array
    from simulator.references.statics import Derivatives

AGREE, ROUNDING = 1e-5, 1e-9
"""Derivatives agree if they differ by this part of the larger, or as elasticities by no more than rounding makes."""


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
        for one, other in each.pairs
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
    one, other = np.reshape(found.pairs, (-1, 2)).T
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
    units = found.units[np.reshape(found.pairs, (-1, 2)).astype(int)].prod(axis=1)
    return _agree(found, found.second, found.second_solved, units)


@np.errstate(invalid="ignore")
def _agree(found: Derivatives, implicit: Array, solved: Array, units: Array) -> Array:
    kinds = np.array([kind for kind, _ in found.rows])
    sizes = np.array([np.abs(found.values[kinds == kind]).max() for kind in kinds])
    allowed = AGREE * np.maximum(np.abs(implicit), np.abs(solved)) + ROUNDING * sizes[:, None] / units
    return np.where(found.checked, np.abs(implicit - solved) <= allowed, np.nan)


def derived_lines(found: Derivatives, per: str) -> Iterator[str]:
    """The derivatives of an equilibrium as text: a table for each parameter, Hulten's of productivities, second ones;
    `per` says in what prices are told.
    """
    first, ok = elasticities(found), agrees(found)
    for at, (path, theta) in enumerate(zip(found.paths, found.thetas.tolist(), strict=True)):
        yield f"equilibrium {found.number}: derivatives by {path}, which is {theta:.9g}; {per}"
        yield from _lines(found, "elasticity", found.first[:, at], first[:, at], found.first_solved[:, at], ok[:, at])
        yield ""
    some = np.flatnonzero(np.isfinite(found.domar_weights)).tolist()
    consumers = [(at, name) for at, (kind, name) in enumerate(found.rows) if kind == "utility"]
    if some and consumers:
        yield f"equilibrium {found.number}: one per cent more productivity, in per cent of utility (Hulten)"
        rows = [
            [found.paths[at], f"{found.domar_weights[at]:.9g}", *(f"{first[row, at]:.9g}" for row, _ in consumers)]
            for at in some
        ]
        yield from _columns([["productivity", "Domar weight", *(name for _, name in consumers)], *rows])
        yield ""
    if found.pairs:
        slopes, ok = elasticity_slopes(found), agrees_twice(found)
        for at, (one, other) in enumerate(found.pairs):
            by = found.paths[one] if one == other else f"{found.paths[one]} and {found.paths[other]}"
            yield f"equilibrium {found.number}: second derivatives by {by}"
            solved = found.second_solved[:, at]
            yield from _lines(found, "of elasticity", found.second[:, at], slopes[:, at], solved, ok[:, at])
            yield ""


def _lines(found: Derivatives, title: str, implicit: Array, relative: Array, solved: Array, ok: Array) -> list[str]:
    rows = [
        [f"{kind} {name}".rstrip(), *map(_cell, cells), "*" if flag == 0 else ""]
        for (kind, name), flag, *cells in zip(found.rows, ok, implicit, relative, solved, strict=True)
    ]
    return _columns([["", "derivative", title, "solved again", ""], *rows])


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = lined_up(rows, width=max(len(row[0]) for row in rows), wide=14)
    return [line.rstrip() for line in lines]


def _cell(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.9g}"
