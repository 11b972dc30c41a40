"""What a least sum of squares tells of what was free: covariance, intervals, and combinations that nothing tells.

With `J` the Jacobian on the scale on which parameters move and `W` the weights, the covariance is `s^2 (J'WJ)^-1`. What
singular values below `RANK` of the largest leave open is free: it moves no observed value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.economics.forms import Array
from simulator.studies.free import Coordinates

RANK = 1e-8
"""Singular values below this part of the largest are 0."""
NOTHING = 1e-5
"""A part of a free combination that is smaller is rounding."""


class Factors(NamedTuple):
    """A weighted Jacobian taken apart: its `rank`, `(J'WJ)^+` `(coordinates, coordinates)`, and a basis of what moves
    nothing, `(free combinations, coordinates)`.
    """

    rank: int
    inverse: Array
    free: Array


def factorised(jacobian: Array, rounding: float = 0.0) -> Factors:
    """Take `W^1/2 J` `(observations, coordinates)` apart, which holds to a `rounding`: singular values below are 0."""
    _, sizes, directions = np.linalg.svd(jacobian, full_matrices=True)
    rank = int(np.sum(sizes > max(RANK * sizes[0], rounding)))
    told = directions[:rank] / sizes[:rank, None]
    return Factors(rank, told.T @ told, directions[rank:])


class Estimates(NamedTuple):
    """The rows of estimates, `(rows,)` each: which are `untold`, with errors that are no numbers; and free
    combinations, each the change of each row that takes part in it, relative to its value where that is above 0.
    """

    values: Array
    errors: Array
    low: Array
    high: Array
    at_bound: Array
    untold: Array
    combinations: list[dict[str, float]]


def estimates(free: Coordinates, u: Array, factors: Factors, variance: float, freedom: int) -> Estimates:
    """The estimates at coordinates, of the `variance` of an observation of weight 1 (not a number where that is not
    known) with so many degrees of freedom.
    """
    from scipy.special import stdtrit

    values, slopes = free.values(u), free.slopes(u)
    moves = slopes @ factors.free.T
    size = np.where(values > 0, values, 1.0)
    untold = np.any(np.abs(moves) > NOTHING * size[:, None], axis=1)
    errors = np.sqrt(variance * np.einsum("ri,ij,rj->r", slopes, factors.inverse, slopes))
    errors[untold] = np.nan
    low, high = free.interval(u, stdtrit(freedom, 0.975) * errors if freedom > 0 else errors * np.nan)
    combinations = [
        {row: round(part, 6) for row, part in zip(free.rows, parts.tolist(), strict=True) if abs(part) > NOTHING}
        for parts in _sparse(factors.free) @ (slopes / size[:, None]).T
    ]
    return Estimates(values, errors, low, high, free.at_bound(u), untold, combinations)


def _sparse(basis: Array) -> Array:
    """Another basis `(n, coordinates)` of the same directions with as many zeros as can be: one coordinate of each is
    1, and 0 in all others.
    """
    basis = basis.copy()
    for row in range(len(basis)):
        place = np.unravel_index(np.argmax(np.abs(basis[row:])), basis[row:].shape)
        other, column = row + int(place[0]), int(place[1])
        basis[[row, other]] = basis[[other, row]]
        basis[row] /= basis[row, column]
        others = np.arange(len(basis)) != row
        basis[others] -= np.outer(basis[others, column], basis[row])
    return np.where(np.abs(basis) > NOTHING, basis, 0.0)
