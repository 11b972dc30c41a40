"""Equilibria of economies with linear tastes, exactly.

The central path (`references.central_path`) tells who buys what: on it the relative slack of a tie falls to 0, that of
every other good does not. With the ties known, prices and spending follow from equations. Tied goods cost the same per
unit of value, so that the prices of goods which ties connect, a component, move together; what a component's consumers
have to spend is what its goods are worth, which gives its price level; and any spending on ties that clears the markets
will do. What is found is accepted if, at these very prices, every market clears, and money is spent, all of it, on best
goods alone, to 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.economics.unknowns import Unknowns
from simulator.references.central_path import Buyers, CentralPath, Point, quotient
from simulator.references.effort import Effort

EXACT = 1e-9
"""Largest relative residual of an accepted equilibrium; what is found usually leaves 1e-15."""
NOTHING = 1e-12
"""Singular values below this part of the largest are 0."""
LAST = 1e-16
"""Where the path ends."""
SMALL, NEAR = 1e-3, 0.1
"""From here on the path, and so near to it, ties are looked for."""
CHOICES, ROUNDS = 3, 5
"""So many ways to tell ties from other goods are tried at a point, and so many times ties are given up."""


@dataclass(frozen=True, eq=False)
class LinearEquilibrium:
    """An equilibrium with linear tastes: everybody's `plans`, its `index` (0 where it is not known, or the equilibrium
    is not isolated), and a `direction` of log prices `(goods,)` in which there are others, the largest 1, None where it
    is isolated.

    Demand is a function of prices nearby, so that the stability of a price rule can be told, only if nobody is `tied`.
    """

    plans: MarketPlans
    index: int
    direction: Array | None
    tied: bool


def levelled(best: NDArray[np.bool_], table: Array) -> tuple[Array, Array, Array]:
    """Numbers `a` `(goods,)` with which `table + a` `(rows, goods)` is nearest to the same for all of each row's `best`
    goods; by how much it still differs, `(rows, goods)`; and the Laplacian of the goods that ties connect.
    """
    marks = best.astype(float)
    count = np.maximum(marks.sum(axis=1, keepdims=True), 1.0)

    def differences(table: Array) -> Array:
        known = np.where(best, table, 0.0)
        return np.where(best, known - known.sum(axis=1, keepdims=True) / count, 0.0)

    joined: Array = marks.T @ (marks / count)
    laplacian = np.diag(marks.sum(axis=0)) - joined
    np.fill_diagonal(laplacian, joined.sum(axis=1) - np.diag(joined))
    moved: Array = _solution(laplacian, -differences(table).sum(axis=0))
    return moved, differences(table + moved), joined


def _solution(system: Array, right: Array) -> Array:
    """The smallest solution of a system that may be singular, by least squares; not a number where there is none."""
    if not (len(right) and np.isfinite(system).all() and np.isfinite(right).all()):
        return np.full(len(right), np.nan)
    return np.asarray(np.linalg.lstsq(system, right, rcond=NOTHING)[0], dtype=float)


class Components:
    """The components of goods that are tied to each other: `of_good` `(goods,)` and `of_row` `(rows,)` tell which;
    `steps` `(goods, components)` are changes of log prices that keep all ties, of those which may move.

    A unit of money of a market `counts` `(goods,)`, and one of a row `row_counts` `(rows,)`, in the equation of their
    component: 1, unless buyers pay more than sellers get.
    """

    def __init__(self, buyers: Buyers, best: NDArray[np.bool_], joined: Array, moving: NDArray[np.bool_]) -> None:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        count, self.of_good = connected_components(csr_array(joined > 0), directed=False)
        self.of_row = self.of_good[np.argmax(best, axis=1)]
        member = (self.of_good[:, None] == np.arange(count)).astype(float)
        self.moves = ~(member[~moving].any(axis=0))
        self.steps = member[:, self.moves]
        self.counts, self.row_counts = np.ones(len(joined)), best.any(axis=1).astype(float)
        if not buyers.economy.user_prices.neutral:
            logs, off, _ = levelled(best, np.log(buyers.received))
            agree = np.bincount(self.of_row, np.abs(off).max(axis=1), count) < EXACT
            means = np.sum(np.where(best, np.log(buyers.received) + logs, 0.0), axis=1)
            self.counts = np.exp(logs) * agree[self.of_good]
            self.row_counts *= np.exp(means / np.maximum(best.sum(axis=1), 1)) * agree[self.of_row]

    def of_money(self, values: Array) -> Array:
        """Sums over the rows of each component that may move, `(rows, ...)` to `(components, ...)`."""
        totals = np.zeros((len(self.moves), *values.shape[1:]))
        np.add.at(totals, self.of_row, (values.T * self.row_counts).T)
        return totals[self.moves]

    def of_markets(self, values: Array) -> Array:
        """Sums over the markets of each component that may move, `(goods, ...)` to `(components, ...)`."""
        return self.steps.T @ (values.T * self.counts).T


class Limit:
    """Where the path of some buyers leads from a `point`, if goods with a slack below `threshold` are tied."""

    def __init__(self, path: CentralPath, point: Point, threshold: float) -> None:
        self.path, self.buyers, self.point = path, path.buyers, point
        others, worth = point.others, float(point.supply.sum())
        zero = path.free & ~self.buyers.wanted & (point.left > SMALL * point.supply)
        self.moving = path.free & ~zero
        self.active = others.levels * others.unit_costs**2 > point.loss * worth
        logs, levels = np.where(zero, -np.inf, point.logs), np.where(self.active, others.levels, 0.0)
        self.others = self._others(logs, levels)
        self.best = (point.slack <= threshold) & (self._money(self.others) > 0)[:, None]

    def _others(self, logs: Array, levels: Array) -> MarketPlans:
        return self.buyers.others.balance(np.exp(logs), self.point.others.inputs, levels)

    def _money(self, others: MarketPlans) -> Array:
        return self.buyers.money(others.prices, others)

    def tie(self, best: NDArray[np.bool_]) -> None:
        """Have goods that are `best` `(rows, goods)` tied."""
        self.best = best
        joined = levelled(best, np.zeros(best.shape))[2]
        self.components = Components(self.buyers, best, joined, self.moving)

    def others_there(self) -> MarketPlans | None:
        """What all others plan where ties are exact, active firms earn nothing, and each component's money buys its
        goods; None if that is nowhere near. Prices of goods that nobody wants are 0; if only relative prices matter,
        their level is the path's.
        """
        self.tie(self.best)
        with np.errstate(divide="ignore"):
            logs = np.log(self.others.prices)
        for _ in range(2):
            moved, off, _ = levelled(self.best, self.buyers.gaps(np.exp(logs)))
            if np.max(np.abs(off), initial=0.0) > EXACT:
                return None
            shift = np.zeros(len(self.components.moves))
            shift[self.components.of_good[~self.moving]] = moved[~self.moving]
            logs = logs + np.where(self.moving, moved - shift[self.components.of_good], 0.0)
        return self._balanced(logs)

    def _balanced(self, logs: Array) -> MarketPlans | None:
        """Newton's method in the price levels of components and the levels of active firms."""
        gap, found, others = np.inf, self.others, self._others(logs, self.others.levels)
        for _ in range(30):
            gaps, slopes = self._system(others)
            worst = np.max(np.abs(gaps), initial=0.0)
            if not worst < gap:
                break
            found, gap = others, worst
            step = _solution(slopes, -gaps)
            step *= min(1.0, 1.0 / max(float(np.max(np.abs(step), initial=0.0)), 1e-300))
            components = self.components.steps.shape[1]
            logs, levels = logs + self.components.steps @ step[:components], others.levels.copy()
            levels[self.active] *= np.exp(step[components:])
            others = self._others(logs, levels)
        return found if gap < 1e-2 * EXACT else None

    def _system(self, others: MarketPlans) -> tuple[Array, Array]:
        """What the goods of each component are worth beyond the money for them, relative to these, and the relative
        losses of active firms; and how both move with logarithms of price levels and activity levels.
        """
        components, money, active = self.components, self._money(others), self.active
        left = -others.prices * others.excess_demand
        by_good, made = self.path.left_slopes(others, left)
        worth, cost = components.of_markets(others.prices * others.supply) + 1e-300, others.unit_costs[active]
        gaps = components.of_markets(left) - components.of_money(money)
        slopes = self.buyers.money_slopes(others.prices, others, money)
        by_price = (components.of_markets(by_good) - components.of_money(slopes)) @ components.steps
        by_level = components.of_markets(made)[:, active] * others.levels[active]
        losses = -(made.T @ components.steps)[active] / cost[:, None]
        system = np.block(
            [[by_price / worth[:, None], by_level / worth[:, None]], [losses, np.zeros((len(cost), len(cost)))]]
        )
        return np.concatenate([gaps / worth, -others.unit_profits[active] / cost]), system

    def spending(self, others: MarketPlans) -> Array:
        """Spending on ties `(rows, goods)` that clears the markets, the nearest to the path's.

        `min sum (change)^2 / spending`, its Lagrangean solved row by row, and so in the goods alone; again and again,
        as far as rounding lets it.
        """
        received, judged, money = self.buyers.received, np.flatnonzero(self.moving), self._money(others)
        spent = np.where(self.best, self.point.spending, 0.0)
        target = np.maximum(-others.prices * others.excess_demand, 0.0)
        traded, each = (others.prices * others.supply)[judged] + 1e-300, quotient(1.0, money)[:, None]
        for _ in range(20):
            spent = spent * quotient(money, spent.sum(axis=1))[:, None]
            seen = (spent * received)[:, judged]
            lacking = target[judged] - seen.sum(axis=0)
            if np.max(np.abs(lacking) / traded, initial=0.0) < 1e-15:
                break
            own = (seen * np.broadcast_to(received, spent.shape)[:, judged]).sum(axis=0)
            scale = np.sqrt(own) + 1e-15 * np.sqrt(traded)
            system = (np.diag(own) - seen.T @ (seen * each)) / np.outer(scale, scale)
            pull = np.zeros(len(target))
            pull[judged] = _solution(system, lacking / scale) / scale
            by_good = pull * received
            spent = np.maximum(spent * (1.0 + by_good - (spent * by_good).sum(axis=1, keepdims=True) * each), 0.0)
        return spent

    def found(self, unknowns: Unknowns, level: Array) -> LinearEquilibrium | None:
        """The equilibrium, if it is one: its prices are those that are held in `level` `(goods,)`; where only relative
        prices matter, and none is, they have its sum.
        """
        for _ in range(ROUNDS):
            others = self.others_there()
            if others is None:
                return None
            if self.path.scaled:
                held = unknowns.fixed if unknowns.fixed.any() else np.isfinite(level)
                logs = np.log(others.prices) + np.log(level[held].sum() / others.prices[held].sum())
                others = self._others(logs, others.levels)
            spending = self.spending(others)
            plans = self.buyers.plans(others.prices, others, spending)
            if self._holds(unknowns, plans, spending):
                direction, index = self._isolation(others, spending)
                tied = bool((self._tied(others.prices).sum(axis=1) > 1).any())
                return LinearEquilibrium(self._reserved(plans), index, direction, tied)
            # A tie on which less than nothing would have to be spent is none.
            kept = self.best & (spending > 0)
            if (kept == self.best).all():
                return None
            self.best = kept
        return None

    def _holds(self, unknowns: Unknowns, plans: MarketPlans, spending: Array) -> bool:
        """Whether prices are within bounds; markets clear, also those of cheap goods that somebody wants; money is
        spent, all of it, on best goods; and no firm of constant returns earns anything.
        """
        bounds = unknowns.prices
        within = (bounds.lower <= plans.prices) & (plans.prices <= bounds.upper) | unknowns.fixed
        judged, money = self.buyers.wanted & (~unknowns.fixed | self.path.scaled), self._money(plans)
        clear = np.abs(plans.excess_demand) <= EXACT * plans.scale
        spent = np.abs(spending.sum(axis=1) - money) <= EXACT * money
        best = self.buyers.gaps(plans.prices)[spending > 0] <= EXACT
        earned = plans.unit_profits <= EXACT * plans.unit_costs
        return bool(
            unknowns.residual(plans) <= EXACT
            and within.all()
            and clear[judged].all()
            and spent.all()
            and best.all()
            and earned.all()
        )

    def _tied(self, prices: Array) -> NDArray[np.bool_]:
        """Which goods are best for whom, among those who have money, `(rows, goods)`."""
        return (self.buyers.gaps(prices) <= EXACT) & self.best.any(axis=1, keepdims=True)

    def _isolation(self, others: MarketPlans, spending: Array) -> tuple[Array | None, int]:
        """A direction of log prices `(goods,)` in which there are other equilibria, or None; and the index.

        Where prices move ties only as a whole, smooth demands next to the set-valued one have the index of the system
        in the levels of components: what they do within a component is a gradient.
        """
        level, indices = int(self.path.scaled), list[int]()
        used = spending > EXACT * np.minimum(spending.sum(axis=1, keepdims=True), others.prices * others.supply)
        for best in (self._tied(others.prices), used):
            self.tie(best)
            slopes, count = self._system(others)[1], self.components.steps.shape[1]
            _, sizes, directions = np.linalg.svd(slopes)
            silent = directions[np.flatnonzero(sizes <= EXACT * sizes.max(initial=1.0))][:, :count]
            moved = self.components.steps @ silent.T * (others.supply > 0)[:, None]
            moved -= level * moved[self.moving].mean(axis=0) * self.moving[:, None]
            moved = moved[:, np.argmax(np.abs(moved).max(axis=0))] if moved.size else np.zeros(1)
            if np.max(np.abs(moved)) > SMALL:
                return moved / moved[np.argmax(np.abs(moved))], 0
            # A tie of which nothing is spent is one for the equilibria on one side alone: the index has to be the same.
            indices.append(int(np.linalg.slogdet(slopes[level:, level:])[0]) if count > level else 1)
        return None, indices[0] if indices[0] == indices[1] else 0

    def _reserved(self, plans: MarketPlans) -> MarketPlans:
        """The plans with a price for goods that there are none of, at which nobody wants any."""
        absent, prices = self.buyers.absent, plans.prices
        if not absent.any():
            return plans
        costs = np.min(np.log(prices) - self.buyers.log_values, axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            bids = np.exp(costs) * self.buyers.tastes * self.buyers.received
        return plans._replace(prices=np.where(absent, bids.max(axis=0), prices))


class LinearTastes:
    """Where paths lead in an economy with linear tastes, whose `unknowns` say which prices are held."""

    def __init__(self, economy: Economy, unknowns: Unknowns, effort: Effort) -> None:
        self.economy, self.unknowns, self.effort = economy, unknowns, effort
        self.buyers = Buyers(economy)
        self._traded = self.buyers.wanted | self.buyers.used
        scaled = unknowns.relative_only
        self.path = CentralPath(self.buyers, (~unknowns.fixed | scaled) & self._traded, scaled)

    @property
    def alone(self) -> bool:
        """Whether there are linear consumers alone: they have one equilibrium, or one convex set of them, and every
        path leads there.
        """
        return not self.economy.firms and len(self.buyers.numbers) == len(self.economy.consumers)

    @np.errstate(all="ignore")
    def limit(self, start: Array, level: Array) -> tuple[LinearEquilibrium | None, MarketPlans]:
        """The equilibrium at the end of the path from prices `(goods,)`, None if there is none, and the plans where
        that was known; prices that are held, or else their sum where only relative ones matter, are those of `level`
        `(goods,)`.
        """
        # Alone, it does not matter where from: where all goods are worth the same is near the path.
        near = quotient(1.0, self.economy.total_supply) if self.alone else np.maximum(start, 1e-300)
        moved = np.where(self.path.free, near, level)
        unused = np.where(self.buyers.absent, 1.0, 0.0)
        first = point = self.path.start(np.where(self._traded | self.unknowns.fixed, moved, unused))
        tried = SMALL
        for point in self.path.follow(first, LAST):
            if not self.effort.slopes(self.economy):
                break
            if point.product > tried or self.path.off(point) > NEAR:
                continue
            tried = 0.1 * point.product
            for threshold in _thresholds(point.slack):
                found = Limit(self.path, point, threshold).found(self.unknowns, level)
                if found is not None:
                    return found, found.plans
        return None, self.buyers.plans(point.prices, point.others, point.spending)


def _thresholds(slack: Array) -> Array:
    """What may divide the slacks of ties from those of other goods, the widest gaps first."""
    logs = np.sort(np.log(slack[slack < 1.0]))
    if not len(logs):
        return np.zeros(1)
    widths = np.diff(logs, append=0.0)
    widest = np.argsort(-widths, kind="stable")[:CHOICES]
    return np.exp(logs[widest] + 0.5 * widths[widest])
