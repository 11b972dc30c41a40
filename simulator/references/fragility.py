"""Fragility: which small change of endowments, or of tastes, moves equilibrium prices most?

Implicit differentiation (`references.implicit`) gives `d ln p*/dtheta`, with `theta` the logarithms of what may change:
0.01 is one per cent, whatever the units. Where only relative prices matter, log prices are counted with mean 0. The
change of Euclidean size 1 that moves them most is the first right singular vector of this matrix; where no parameter
may change by more than 1 (`sup`) it is a vector of signs.

`dF/dtheta` of endowments, budgets and supplies is analytic: the income effect, less the quantity itself. Of tastes it
is a central difference of `Economy.balance` in economies whose tastes are changed, good to about ten digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.forms import CES, Array, CobbDouglas
from simulator.economics.rows import over_blocks, sum_up
from simulator.economics.stone_geary import StoneGeary
from simulator.economics.taste import Taste
from simulator.economics.ties import set_valued
from simulator.economics.unknowns import Unknowns
from simulator.economics.user_markets import UserMarkets
from simulator.economics.utility import Homothetic
from simulator.references.equilibrium import find, newton
from simulator.references.found import Equilibrium
from simulator.references.implicit import STEP, FoldError, log_slopes, moving

WHAT = ("endowments", "tastes")
NORMS = ("l2", "sup")
ENUMERATED = 14
"""Up to so many parameters every vector of signs is tried."""


class FragilityError(Exception):
    """An equilibrium whose fragility cannot be told; the text says what was found and what is expected."""


class Parameter(NamedTuple):
    """What may change: its name, its kind (`supply`, `endowment`, `budget`, `shares`), and whose (the number of the
    cohort) of which good, -1 where it is nobody's or of no good. A cohort's changes for all its consumers alike.
    """

    name: str
    kind: str
    cohort: int
    good: int


def parameters(economy: Economy, markets: UserMarkets, what: str = "endowments") -> tuple[Parameter, ...]:
    """All that may change: supplies, endowments and budgets above 0 (`endowments`), or the spending shares of
    Cobb-Douglas, CES and Stone-Geary tastes (`tastes`).
    """
    goods = markets.goods
    found: list[Parameter] = []
    if what == "endowments":
        found += [Parameter(f"supply.{goods[g]}", "supply", -1, g) for g in _goods_of(markets, economy.supply)]
    for number, cohort in enumerate(economy.consumers):
        whose = f"consumers.{cohort.name}"
        if what == "tastes":
            shares = _shares(cohort)
            wanted = [] if shares is None else _goods_of(markets, shares.sum(axis=0))
            found += [Parameter(f"{whose}.shares.{goods[g]}", "shares", number, g) for g in wanted if len(wanted) > 1]
            continue
        owned = _goods_of(markets, cohort.total_endowment)
        found += [Parameter(f"{whose}.endowment.{goods[g]}", "endowment", number, g) for g in owned]
        if cohort.budget.any() and not cohort.unlimited:
            found.append(Parameter(f"{whose}.budget", "budget", number, -1))
    return tuple(found)


def changed(economy: Economy, markets: UserMarkets, chosen: Sequence[Parameter], theta: Array) -> Economy:
    """The economy after the parameters' logarithms have changed by `theta` `(parameters,)`."""
    supply, consumers = economy.supply.copy(), list(economy.consumers)
    for parameter, factor in zip(chosen, np.exp(theta).tolist(), strict=True):
        at = np.where(markets.good == parameter.good, factor, 1.0)
        if parameter.kind == "supply":
            supply *= at
            continue
        cohort = consumers[parameter.cohort]
        if parameter.kind == "endowment":
            cohort = replace(cohort, endowment=cohort.endowment * at)
        elif parameter.kind == "budget":
            cohort = replace(cohort, budget=cohort.budget * factor)
        else:
            cohort = replace(cohort, utility=_with_shares(cohort, at))
        consumers[parameter.cohort] = cohort
    return replace(economy, supply=supply, consumers=tuple(consumers))


@dataclass(frozen=True)
class Fragility:
    """An equilibrium of an economy under a price rule, and the parameters that may change."""

    economy: Economy
    markets: UserMarkets
    rule: PriceRule
    found: Equilibrium
    chosen: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        if set_valued(self.economy):
            raise FragilityError("found linear tastes, whose demand has no derivative; expected smooth ones")
        if not self.chosen:
            raise FragilityError(
                "found nothing to change; expected endowments, supplies or budgets (--change endowments), or "
                "Cobb-Douglas, CES or Stone-Geary tastes (--change tastes)"
            )
        if not self._active.any():
            raise FragilityError("found no price that may move; expected one")

    @cached_property
    def _unknowns(self) -> Unknowns:
        return self.rule.unknowns(self.economy)

    @cached_property
    def _active(self) -> NDArray[np.bool_]:
        return moving(self._unknowns, self.found.balance)[: len(self.economy.goods)]

    @property
    def relative_only(self) -> bool:
        """Whether only relative prices matter: log prices are then counted with mean 0."""
        return self._unknowns.relative_only

    @cached_property
    def excess_slopes(self) -> Array:
        """`dF/dtheta`: how excess demand answers to the parameters at given prices, `(goods, parameters)`."""
        columns = [self._taste(p) if p.kind == "shares" else self._quantity(p) for p in self.chosen]
        return np.stack(columns, axis=1)

    @property
    def _slopes(self) -> Array:
        """How all conditions answer to the parameters, `(unknowns, parameters)`."""
        if self.economy.fiscal is None:
            # No unit profit answers to what may change.
            profits = np.zeros((len(self.found.balance.levels), len(self.chosen)))
            return np.concatenate([self.excess_slopes, profits])

        def sides(parameter: Parameter, step: float) -> Array:
            other = self.rule.unknowns(changed(self.economy, self.markets, [parameter], np.array([step])))
            return other.left_sides(other.plans(self.found.values, self.found.balance.inputs))

        return np.stack([(sides(p, STEP) - sides(p, -STEP)) / (2.0 * STEP) for p in self.chosen], axis=1)

    def _quantity(self, parameter: Parameter) -> Array:
        """The income effect, less what there is more of."""
        economy, balance = self.economy, self.found.balance
        mine = self.markets.good == parameter.good
        if parameter.kind == "supply":
            return -np.where(mine, economy.supply, 0.0)
        cohort, income = economy.consumers[parameter.cohort], balance.incomes[parameter.cohort]
        faced = economy.user_prices.consumer_prices(parameter.cohort, balance.prices)
        if parameter.kind == "budget":
            return _income_effect(cohort, faced, income, cohort.budget)
        owned = np.where(mine, cohort.endowment, 0.0)
        effect = _income_effect(cohort, faced, income, owned @ balance.prices)
        return effect - np.where(mine, cohort.total_endowment, 0.0)

    def _taste(self, parameter: Parameter) -> Array:
        def excess(step: float) -> Array:
            other = changed(self.economy, self.markets, [parameter], np.array([step]))
            return other.balance(self.found.prices, self.found.balance.inputs, self.found.balance.levels).excess_demand

        return (excess(STEP) - excess(-STEP)) / (2.0 * STEP)

    @cached_property
    def sensitivity(self) -> Array:
        """`d ln p*/dtheta`, `(goods, parameters)`; 0 at prices that do not move, and of free goods.

        Raises `FragilityError` at a fold.
        """
        try:
            moved = log_slopes(self._unknowns, self.found.balance, self._slopes)[: len(self.economy.goods)]
        except FoldError:
            raise FragilityError(
                "found an equilibrium whose prices have no derivative (a fold); expected one beside it"
            ) from None
        return self._centred(moved)

    def _centred(self, moved: Array) -> Array:
        """Changes of log prices `(goods, ...)` less their mean over the goods that have one, if only that matters."""
        if not self.relative_only:
            return moved
        counted = self._active | self.rule.fixed
        shape = (-1,) + (1,) * (moved.ndim - 1)
        return np.where(counted.reshape(shape), moved - moved[counted].mean(axis=0), 0.0)

    def worst(self, norm: str = "l2") -> tuple[Array, float, float]:
        """The change of size 1 that moves prices most, `(parameters,)`, to first order; by how much (Euclidean), and a
        bound that no change exceeds: the same where the change found is known to be the worst.

        `l2` is exact. `sup` is exact up to `ENUMERATED` parameters; with more, signs climb from the first singular
        vectors until no single round moves prices more, and the bound is the first singular value times
        `sqrt(parameters)`.
        """
        matrix = self.sensitivity
        _, values, vectors = np.linalg.svd(matrix, full_matrices=False)
        if norm == "l2":
            return vectors[0], float(values[0]), float(values[0])
        count = matrix.shape[1]
        if count <= ENUMERATED:
            signs = np.array(list(product((1.0, -1.0), repeat=count - 1)))
            signs = np.concatenate([np.ones((len(signs), 1)), signs], axis=1)
        else:
            signs = np.array([_climb(matrix, vector) for vector in vectors])
        sizes = np.linalg.norm(signs @ matrix.T, axis=1)
        best = int(np.argmax(sizes))
        bound = float(sizes[best]) if count <= ENUMERATED else float(values[0]) * count**0.5
        return signs[best], float(sizes[best]), bound

    def resolved(self, theta: Array, *, search: bool = False) -> Array | None:
        """How far log prices `(goods,)` go when the changed economy is solved again, by Newton's method from the old
        prices; None where that finds no equilibrium, after a `search` for the nearest from many starts if wanted.
        """
        other = changed(self.economy, self.markets, self.chosen, theta)
        balance = newton(self.rule.unknowns(other), self.found.values)
        balances = [balance] if balance is not None else []
        if search and not balances:
            balances = [each.balance for each in find(other, self.rule, [self.found.values])]
        moves = [self._moved(each.prices) for each in balances]
        return min(moves, key=lambda moved: float(np.linalg.norm(moved)), default=None)

    def _moved(self, prices: Array) -> Array:
        """How far log prices `(goods,)` are from here."""
        moved = np.zeros(len(self._active))
        moved[self._active] = np.log(np.maximum(prices[self._active], 1e-300) / self.found.prices[self._active])
        return self._centred(moved)

    def random_changes(self, norm: str, number: int, seed: int) -> Array:
        """So many changes of size 1, `(number, parameters)`: on the sphere, or in the cube until a side is reached."""
        stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(11,))))
        shape = (number, len(self.chosen))
        drawn = stream.normal(size=shape) if norm == "l2" else stream.uniform(-1.0, 1.0, shape)
        size = np.linalg.norm(drawn, axis=1) if norm == "l2" else np.abs(drawn).max(axis=1)
        return drawn / size[:, None]


def _climb(matrix: Array, start: Array) -> Array:
    """Signs from which no step along the gradient of the size (convex, so it never falls) leads any further."""
    signs = np.where(start >= 0, 1.0, -1.0)
    for _ in range(100):
        following = np.where(matrix.T @ (matrix @ signs) >= 0, 1.0, -1.0)
        if np.array_equal(following, signs):
            break
        signs = following
    return signs


def _income_effect(cohort: Consumers, faced: Array, income: Array, more: Array) -> Array:
    """`sum_h dx_h/dm more_h`, `(goods,)`, for all consumers of a cohort that are given `more` money, `(rows,)`, at the
    prices `faced` `(goods,)`.
    """
    more = np.where(income > 0, np.broadcast_to(more, income.shape), 0.0)

    def of(block: tuple[slice, Consumers]) -> Array:
        part, some = block
        column = np.zeros((len(income[part]), len(faced)))
        still = some.utility.jacobian(faced, income[part], column)
        column[:, 0] = more[part]
        return (some.utility.jacobian(faced, income[part], column) - still)[:, 0]

    return cohort.weight * sum_up(over_blocks(cohort.blocks, of))


def _goods_of(markets: UserMarkets, amounts: Array) -> list[int]:
    """The goods of whose markets some amount `(markets,)` is not 0."""
    return np.flatnonzero(markets.any_user(amounts > 0)).tolist()


def _shares(cohort: Consumers) -> Array | None:
    """The spending shares `(rows, goods)` that a cohort's tastes have, if they have any."""
    taste = cohort.utility
    form = taste.taste if isinstance(taste, StoneGeary) else taste.form
    return form.shares if isinstance(form, CobbDouglas | CES) else None


def _with_shares(cohort: Consumers, factors: Array) -> Taste:
    """The tastes with spending shares times factors `(goods,)`, normalised as ever."""
    taste = cohort.utility
    form: Any = taste.taste if isinstance(taste, StoneGeary) else taste.form
    form = replace(form, shares=form.shares * factors)
    return replace(taste, taste=form) if isinstance(taste, StoneGeary) else Homothetic(form)
