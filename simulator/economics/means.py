"""Power means of many rows at once, and the shares they split into.

Tables are `(rows, goods)`, in which one row may stand for all. Large ones are best stored good by good (Fortran order):
elementwise work then runs along the rows, and sums over goods add whole columns. Nothing here depends on the number of
threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST_EXPONENT = 600.0
"""`e` to this power can still be weighted and summed."""

ROUNDING = 1e-15
"""What sums to 1 but for this sums to 1."""


def product(left: Array, right: Array, *scratches: Array | None) -> Array:
    """`left * right`, written to the first of the `scratches` that has their common shape, else to a new table."""
    shape = np.broadcast_shapes(left.shape, right.shape)
    for scratch in scratches:
        if scratch is not None and scratch.shape == shape:
            return np.multiply(left, right, out=scratch)
    return np.multiply(left, right, out=_scratch(left, right))


def _scratch(*tables: Array) -> Array:
    """An empty table of their common shape, stored as the first of them that has it, else good by good."""
    shape, kind = np.broadcast_shapes(*(table.shape for table in tables)), np.result_type(*tables)
    for table in tables:
        if table.shape == shape:
            return np.empty_like(table, dtype=kind)
    return np.empty(shape, dtype=kind, order="F" if len(shape) == 2 else "C")


def dot(left: Array, right: Array) -> Array:
    """Sums of products along the last axis, the same on any number of threads."""
    return np.einsum("...g,...g->...", left, right)


def outer_sum(left: Array, right: Array) -> Array:
    """`sum_h left_h right_h'`, `(goods, goods)`, of `(n, goods)` each; `left` may have one row for all."""
    if len(left) == 1:
        return left[0][:, None] * right.sum(axis=0)
    return np.einsum("hi,hj->ij", left, right)


def normalised(parameters: Array) -> Array:
    """The parameters of each row as fractions of their sum; the same table if they are that to rounding."""
    parameters = np.asarray(parameters, dtype=float)
    total = parameters.sum(axis=-1, keepdims=True)
    return parameters if (np.abs(total - 1.0) < ROUNDING).all() else parameters / total


def in_proportion(parts: Array, otherwise: Array) -> Array:
    """`parts` `(n, goods)` as fractions of their sums, those of `otherwise` `(rows, goods)` where the sum is 0."""
    total = parts.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, parts / total, otherwise / otherwise.sum(axis=-1, keepdims=True))


def log_power_mean(log_values: Array, weights: Array, order: Array) -> Array:
    """`ln (sum_i w_i v_i^r)^(1/r)` along the last axis for weights that sum to 1; `sum_i w_i ln v_i` at `r = 0`.

    Relative to their geometric mean the powers of the values sum to 1 at least: `log1p` of a sum of `expm1` keeps full
    precision, also as `r -> 0`.
    """
    if not np.isfinite(log_values).all():
        return _log_mean_of_extremes(log_values, weights, order)
    exponents = _scratch(log_values, weights, order[:, None])
    centre = dot(weights, log_values)
    exponents = np.subtract(log_values, centre[..., None], out=exponents)
    exponents = np.multiply(exponents, order[:, None], out=exponents)
    if np.real(exponents).max() > LARGEST_EXPONENT:
        return _log_mean_of_extremes(log_values, weights, order)
    gain = np.log1p(dot(weights, np.expm1(exponents, out=exponents)))
    return centre + np.divide(gain, order, out=np.zeros_like(gain), where=order != 0.0)


def _log_mean_of_extremes(log_values: Array, weights: Array, order: Array) -> Array:
    """The same where values may be 0, infinite or far apart.

    A value of 0 adds nothing if `r > 0`, else makes the mean 0; an infinite one adds nothing if `r < 0`, else makes
    the mean infinite.
    """
    weighs = weights > 0
    present = weighs & np.isfinite(log_values)
    with np.errstate(all="ignore"):
        logs = np.where(present, log_values, 0.0)
        centre = np.sum(weights * logs, axis=-1, keepdims=True)
        exponents = np.where(present, order[:, None] * (logs - centre), -np.inf)
        highest = np.max(np.real(exponents), axis=-1, keepdims=True)
        near = (highest[..., 0] < LARGEST_EXPONENT) & (present | ~weighs).all(axis=-1)
        small = np.log1p(np.sum(weights * np.where(weighs, np.expm1(exponents), 0.0), axis=-1))
        large = highest[..., 0] + np.log(np.sum(weights * np.exp(exponents - highest), axis=-1))
        mean = centre[..., 0] + np.where(order == 0.0, 0.0, np.where(near, small, large) / order)
    none = ~present.any(axis=-1)
    endless = (weighs & (log_values.real == np.inf)).any(axis=-1)
    vanishes = (weighs & (log_values.real == -np.inf)).any(axis=-1)
    mean = np.where((endless & (order >= 0.0)) | (none & (order < 0.0)), np.inf, mean)
    return np.where((vanishes & (order <= 0.0)) | (none & ~endless), -np.inf, mean)


def log_powers(order: Array, log_values: Array) -> Array:
    """`ln v^r = r ln v`, 0 at `r = 0` also where `v` is 0 or infinite; overwrites the logarithms if they have room."""
    if np.isfinite(log_values).all():
        return product(log_values, order[:, None], log_values)
    with np.errstate(invalid="ignore"):
        return np.where(order[:, None] == 0.0, 0.0, order[:, None] * log_values)


def shared_out(exponents: Array, weights: Array) -> Array:
    """`w_i e^(x_i)` as fractions of their sum along the last axis; the largest share the whole where they are infinite.

    Overwrites the exponents if they have room.
    """
    if np.maximum(exponents.max(), -exponents.min()) < LARGEST_EXPONENT:
        powers = product(np.exp(exponents, out=exponents), weights, exponents)
    else:
        largest = np.max(np.where(weights > 0, exponents, -np.inf), axis=-1, keepdims=True)
        with np.errstate(invalid="ignore"):
            powers = weights * np.exp(np.where((exponents == largest) | (weights == 0), 0.0, exponents - largest))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers
