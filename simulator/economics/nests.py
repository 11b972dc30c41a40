"""Nested constant elasticities: a form of degree one whose goods are, in turn, made of goods.

`u = h(v_1(x), ..., v_k(x))`, where each `v` is a good or a nest of its own. A level knows only its own branches, at the
price of a good or the unit cost of a nest; what holds for goods follows by the chain rule. Source: Sato (1967).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import CES, Form, Leontief, curvature_of, hessian_of
from simulator.economics.means import Array, log_power_mean, shared_out


@dataclass(frozen=True)
class Nest(Form):
    """A tree: `level`, `(rows, branches)`, is a form of `branches`, each the index of a good or a nest of other goods.

    `goods` is the length of bundles and prices; goods outside the tree are not wanted. No good may stand in it twice.
    Shapes are those of `economics.forms`.
    Where goods of a nest are missing, `value_shares` is the limit level by level.
    """

    level: CES | Leontief
    branches: tuple[int | Nest, ...]
    goods: int

    def __post_init__(self) -> None:
        if self.level.wanted.shape[1] != len(self.branches):
            raise ValueError(f"{self.level.wanted.shape[1]} shares for {len(self.branches)} branches")
        leaves = self.leaves
        if len(set(leaves)) < len(leaves) or not all(0 <= good < self.goods for good in leaves):
            raise ValueError(f"goods {leaves} in a tree; expected each once, from 0 to {self.goods - 1}")

    @classmethod
    def of_shares(cls, goods: int, branches: Sequence[int | Nest], elasticity: Array, shares: Array) -> Nest:
        """A level of the given elasticity of substitution `(rows,)`, 0 for fixed proportions, 1 for Cobb-Douglas.

        `shares` `(rows, branches)` are spending shares at equal prices, at which every nest costs 1. Raises ValueError
        where only some elasticities are 0.
        """
        if _fixed(elasticity):
            shares = np.asarray(shares, dtype=float)
            return cls(Leontief(shares / shares.sum(axis=-1, keepdims=True)), tuple(branches), goods)
        return cls(CES(elasticity, shares), tuple(branches), goods)

    @classmethod
    def of_weights(cls, goods: int, branches: Sequence[int | Nest], elasticity: Array, weights: Array) -> Nest:
        """A level `(sum_i w_i v_i^rho)^(1/rho)`, `rho = 1 - 1/s`, of elasticities `s` as above; `min_i v_i` at 0."""
        if _fixed(elasticity):
            return cls(Leontief(np.where(np.asarray(weights) > 0, 1.0, 0.0)), tuple(branches), goods)
        return cls(CES.from_weights(elasticity, weights), tuple(branches), goods)

    @property
    def leaves(self) -> tuple[int, ...]:
        """The goods of the tree."""
        nested = [branch.leaves if isinstance(branch, Nest) else (branch,) for branch in self.branches]
        return tuple(good for leaves in nested for good in leaves)

    # `Rows` looks at fields that are arrays or Rows; branches are neither.

    @property
    def size(self) -> int:
        return max([self.level.size, *[nest.size for _, nest in self._nests]])

    def with_rows(self, change: Callable[[Array], Any]) -> Self:
        branches = tuple(branch.with_rows(change) if isinstance(branch, Nest) else branch for branch in self.branches)
        return replace(self, level=self.level.with_rows(change), branches=branches)

    @property
    def _nests(self) -> list[tuple[int, Nest]]:
        """The branches that are nests, with their places."""
        return [(place, branch) for place, branch in enumerate(self.branches) if isinstance(branch, Nest)]

    @property
    def wanted(self) -> NDArray[np.bool_]:
        wanted = np.zeros((self.size, self.goods), dtype=bool)
        for branch, some in zip(self.branches, self.level.wanted.T, strict=True):
            if isinstance(branch, Nest):
                wanted |= some[:, None] & branch.wanted
            else:
                wanted[:, branch] = some
        return wanted

    def value(self, quantities: Array) -> Array:
        return self.level.value(self._values(quantities))

    def value_shares(self, quantities: Array, prices: Array) -> Array:
        imputed = self.level.value_shares(self._values(quantities), self._costs(prices))
        nested = [imputed[..., place, None] * nest.value_shares(quantities, prices) for place, nest in self._nests]
        return self._spread(imputed, nested)

    def unit_cost(self, prices: Array) -> Array:
        return self.level.unit_cost(self._costs(prices))

    def unit_demand(self, prices: Array) -> Array:
        return self._by_units(self.level.unit_demand(self._costs(prices)), prices)

    def demand(self, prices: Array, income: Array) -> Array:
        """A nest is bought by what a unit of money buys of it, and costs 1 over what that is worth."""
        if not prices.all():
            return self._by_units(self.level.demand(self._costs(prices), income), prices)
        bundles = {place: nest.demand(prices, np.ones(nest.size)) for place, nest in self._nests}
        costs = _columns(
            [
                1.0 / branch.value(bundles[place]) if isinstance(branch, Nest) else prices[branch]
                for place, branch in enumerate(self.branches)
            ]
        )
        units = self.level.demand(costs, income)
        money = units * costs
        return self._spread(units, [money[:, place, None] * bundle for place, bundle in bundles.items()])

    def log_cost_gradient(self, prices: Array) -> Array:
        return self._by_units(self.level.log_cost_gradient(self._costs(prices)), prices)

    def hessian(self, prices: Array) -> Array:
        gradient, nested = self._gradients(prices)
        total = hessian_of(gradient, self.level.elasticity, prices)
        for (_, nest), (part, own) in zip(self._nests, nested, strict=True):
            if part.any():
                bent = nest.hessian(prices) - hessian_of(own, self.level.elasticity, prices)
                total = total + part[:, None, None] * bent
        return total

    def curvature(self, prices: Array, weights: Array, gradient: Array | None = None) -> Array:
        """As if the tree were flat, with each nest's own curvature in the place of the one it would have then."""
        gradient, nested = self._gradients(prices)
        total = curvature_of(gradient, self.level.elasticity, prices, weights)
        for (_, nest), (part, own) in zip(self._nests, nested, strict=True):
            if part.any():
                total += nest.curvature(prices, weights * part, own)
                total -= curvature_of(own, self.level.elasticity, prices, weights * part)
        return total

    def _gradients(self, prices: Array) -> tuple[Array, list[tuple[Array, Array]]]:
        """`d ln c/dp`, and for each nest its part of spending `(rows,)` and its own `d ln c/dp`."""
        costs = self._costs(prices)
        units = self.level.log_cost_gradient(costs)
        with np.errstate(invalid="ignore"):
            spent = np.where(costs > 0, units * costs, 0.0)
        nested = [(spent[:, place], nest.log_cost_gradient(prices)) for place, nest in self._nests]
        return self._by_units(units, prices), nested

    def _values(self, quantities: Array) -> Array:
        """What each branch has, `(..., n, branches)`."""
        return _columns([b.value(quantities) if isinstance(b, Nest) else quantities[..., b] for b in self.branches])

    def _costs(self, prices: Array) -> Array:
        """What a unit of each branch costs, `(..., rows, branches)`, or `(branches,)` at one price for all."""
        return _columns([b.unit_cost(prices) if isinstance(b, Nest) else prices[..., b] for b in self.branches])

    def _by_units(self, units: Array, prices: Array) -> Array:
        """The bundle of so many units of each branch; what is free is wanted without end where a nest says so."""
        nested: list[Array] = []
        for place, nest in self._nests:
            bundle = nest.unit_demand(prices)
            with np.errstate(invalid="ignore"):
                goods = units[..., place, None] * bundle
            if not prices.all():
                wanted = self.level.wanted[:, place, None] & (bundle > 0)
                goods = np.where(wanted, np.where(np.isinf(bundle), np.inf, goods), 0.0)
            nested.append(goods)
        return self._spread(units, nested)

    def _spread(self, parts: Array, nested: Sequence[Array]) -> Array:
        """A table over goods: the parts `(..., branches)` of those that are branches, and the `nested` ones' tables."""
        columns = [np.zeros(())] * self.goods
        for place, branch in enumerate(self.branches):
            if not isinstance(branch, Nest):
                columns[branch] = parts[..., place]
        spread = _columns(columns)
        for table in nested:
            spread = spread + table
        return spread


def calibrated(elasticity: Array, quantities: Array, prices: Array) -> CES | Leontief:
    """The form of which one unit is cheapest as `quantities` `x0` at `prices` `p0`, both `(rows, branches)`.

    Its unit cost is `c0 (sum_i t_i (p_i/p0_i)^(1-s))^(1/(1-s))` with `c0 = p0.x0` and shares `t_i = p0_i x0_i / c0`:
    calibrated shares, of elasticity of substitution `s` `(rows,)`, 0 for fixed proportions. A branch that is a nest,
    calibrated by itself, has quantity 1 and the price `c0` of the nest. Source: Rutherford (1995).
    """
    if _fixed(elasticity):
        return Leontief(quantities)
    worth = quantities * prices
    cost, logs = worth.sum(axis=-1), np.log(prices)
    parts = worth / cost[:, None]
    scale = cost * np.exp(log_power_mean(-logs, parts, 1.0 - elasticity))
    return CES(elasticity, shared_out(logs * (elasticity[:, None] - 1.0), parts), scale)


def _columns(columns: Sequence[Array]) -> Array:
    """A table of columns, stored one after another."""
    return np.moveaxis(np.stack(np.broadcast_arrays(*columns)), 0, -1)


def _fixed(elasticity: Array) -> bool:
    """Whether proportions are fixed, in all rows or in none."""
    zero = np.asarray(elasticity) == 0
    if zero.any() and not zero.all():
        raise ValueError("an elasticity of 0 in some rows only; expected it in all or none")
    return bool(zero.all())
