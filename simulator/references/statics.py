"""Comparative statics: how what is told of an equilibrium moves with what an economy is made of.

At an equilibrium `F(x, theta) = 0` of the unknowns `x` that are active, so that

    dx/dtheta = -F_x^-1 F_theta,        dQ/dtheta = Q_x dx/dtheta + Q_theta

for whatever is told, `Q`. `F_theta` is a difference of the conditions at given unknowns in economies that differ in
`theta` alone, `dQ/dtheta` one along the unknowns that follow: nothing is solved again. Second derivatives are
differences of these first ones, worked out at points that are equilibria to first order.

Where only relative prices matter and none is fixed, the sum of prices stays in the place of one market.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans, Planned
from simulator.economics.rows import over_blocks
from simulator.economics.unknowns import Unknowns
from simulator.economics.user_markets import UserMarkets
from simulator.references.implicit import STEP, FoldError, Side, moving


class Stencil(NamedTuple):
    """How a derivative is a sum of values nearby: the `step`, and the weights at multiples of it, on both sides
    (`around`), or on one where there is no other (`ahead`).
    """

    step: float
    around: Mapping[int, float]
    ahead: Mapping[int, float]

    @property
    def ways(self) -> Iterator[Mapping[int, float]]:
        """The weights that may serve, the best first."""
        yield self.around
        yield self.ahead
        yield {-at: -weight for at, weight in self.ahead.items()}


SECOND_ORDER = {-1: -0.5, 1: 0.5}, {0: -1.5, 1: 2.0, 2: -0.5}
FOURTH_ORDER = (
    {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12},
    {0: -25 / 12, 1: 4.0, 2: -3.0, 3: 4 / 3, 4: -1 / 4},
)
FIRST = Stencil(STEP, *SECOND_ORDER)
"""Of first derivatives."""
FIRST_AGAIN = Stencil(1e-4, *SECOND_ORDER)
"""Of first derivatives between equilibria that are solved again: they are known to rounding."""
SECOND = Stencil(2e-3, *FOURTH_ORDER)
"""Of second derivatives, twice."""


class Node(NamedTuple):
    """An economy beside the one at hand, at a parameter changed by a `step`, and how much a value there counts in the
    derivative by it, per unit of the parameter.
    """

    step: float
    weight: float
    side: Side


Nodes = Sequence[Node]
"""Those by which one parameter is differentiated."""


@np.errstate(invalid="ignore")
def added(values: Iterable[tuple[float, Array]]) -> Array:
    """The sum of values times their weights: the derivative."""
    return np.sum([weight * value for weight, value in values], axis=0)


@dataclass(frozen=True, eq=False)
class Told:
    """What is told of the equilibria of an economy, a vector of values: `money` says for each cohort what a unit of
    utility is worth, `(rows,)`, at the equilibrium at hand.

    The objective is the value of net sales to the outside and everybody's utility in money, at given worths.
    """

    economy: Economy
    markets: UserMarkets
    money: tuple[Array, ...]

    @classmethod
    def at(cls, economy: Economy, markets: UserMarkets, plans: MarketPlans) -> Told:
        """What is told of the equilibrium with these plans."""
        cohorts = range(len(economy.consumers))
        return cls(economy, markets, tuple(_worth_of_utility(economy, plans, cohort) for cohort in cohorts))

    @cached_property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """The kind and the name of each value."""
        firms, consumers = self.economy.firms, [cohort.name for cohort in self.economy.consumers]
        taxes = () if self.economy.fiscal is None else self.economy.fiscal.taxes
        named = {
            "price": self.markets.goods,
            "level": [firm.name for firm in firms if firm.levels],
            "profit": [firm.name for firm in firms if not firm.levels],
            "income": consumers,
            "utility": consumers,
            "revenue": [tax.name for tax in taxes],
            "rate": [tax.name for tax in taxes if tax.instrument is not None],
            "objective": [""],
        }
        return tuple((kind, name) for kind, names in named.items() for name in names)

    @np.errstate(all="ignore")
    def of(self, economy: Economy, plans: MarketPlans) -> Array:
        """The values in an economy that differs in numbers alone, `(values,)`."""
        economy, firms = economy.at_rates(plans.rates), list(enumerate(economy.firms))
        levels = [plans.levels[economy.level_rows[at]].sum() for at, firm in firms if firm.levels]
        profits = [plans.profits[at] for at, firm in firms if not firm.levels]
        incomes, utilities, worth = list[float](), list[float](), _net_sales(economy, plans)
        for at, cohort in enumerate(economy.consumers):
            utility, gross = _utilities(economy, at, plans.prices, plans.incomes[at])
            incomes.append(float(np.mean(plans.incomes[at])))
            utilities.append(float(np.mean(utility)))
            worth += cohort.weight * float(np.sum(gross * self.money[at]))
        prices = self.markets.sum_over_users(plans.prices)
        return np.concatenate([prices, levels, profits, incomes, utilities, plans.revenues, plans.rates, [worth]])


def _net_sales(economy: Economy, plans: MarketPlans) -> float:
    """What the outside pays, less what it is paid."""
    made = economy.made_at(plans.prices, plans.outputs)
    net = economy.total_supply + economy.over_outlets(made) - economy.over_edges(plans.inputs)
    net = net - plans.consumption.sum(axis=0)
    return float(np.sum(np.where(economy.is_outside, plans.prices * net, 0.0)))


def _utilities(economy: Economy, number: int, prices: Array, incomes: Array) -> tuple[Array, Array]:
    """The utility of each row of a cohort, `(rows,)`, and the same before what a quasi-linear consumer pays."""
    cohort, faced = economy.consumers[number], economy.user_prices.consumer_prices(number, prices)

    def enjoyed(block: tuple[slice, Consumers]) -> Array:
        part, some = block
        income, taste = incomes[part], some.utility
        spent = taste.spending(faced, income)
        utility = taste.utility(taste.dual_demand(faced, income), spent)
        return np.stack([utility, utility if taste.needs_income else utility + spent])

    utility, gross = np.concatenate(over_blocks(cohort.blocks, enjoyed), axis=1)
    return utility, gross


@np.errstate(all="ignore")
def _worth_of_utility(economy: Economy, plans: MarketPlans, number: int) -> Array:
    """`1/mu` of each row of a cohort, `(rows,)`, with the marginal utility of money `mu`; 1 of who compares with money,
    0 of who has none.
    """
    economy, income = economy.at_rates(plans.rates), plans.incomes[number]
    if not economy.consumers[number].utility.needs_income:
        return np.ones(len(income))
    less, more = (_utilities(economy, number, plans.prices, (1.0 + h) * income)[0] for h in (-STEP, STEP))
    return np.where((more > less) & (income > 0), 2.0 * STEP * income / (more - less), 0.0)


@dataclass(frozen=True, eq=False)
class Point:
    """The `plans` of an economy at, or to first order at, an equilibrium of which the unknowns `active` `(unknowns,)`
    move, and what is `told` of it.
    """

    unknowns: Unknowns
    plans: MarketPlans
    active: NDArray[np.bool_]
    told: Told

    @classmethod
    def of(cls, unknowns: Unknowns, markets: UserMarkets, plans: MarketPlans) -> Point:
        """An equilibrium."""
        return cls(unknowns, plans, moving(unknowns, plans), Told.at(unknowns.economy, markets, plans))

    def values(self, plans: MarketPlans | None = None, economy: Economy | None = None) -> Array:
        """What is told of plans in an economy, those of here unless said, `(values,)`."""
        return self.told.of(economy or self.unknowns.economy, plans or self.plans)

    def at(self, side: Side, step: Array | float = 0.0, planned: Planned | None = None) -> MarketPlans:
        """The plans in an economy at the unknowns of here after a small `step`; fixed prices are those there. What
        firms have `planned` is not asked for again.
        """
        goods, moved = self.unknowns.prices.where, self.unknowns.moved(self.plans, step / self._sizes)
        moved[goods] = np.where(side.unknowns.fixed, side.prices, moved[goods])
        unknowns = side.unknowns
        if planned is not None:
            unknowns = replace(unknowns, economy=unknowns.economy.remembering(planned))
        return unknowns.plans(moved, self.plans.inputs)

    def moved(self, node: Node, move: Array) -> Point:
        """The point at a node to which the unknowns' derivative `(unknowns,)` leads."""
        return replace(self, unknowns=node.side.unknowns, plans=self.at(node.side, node.step * move))

    @np.errstate(all="ignore")
    def derivatives(self, parameters: Sequence[Nodes], stencil: Stencil) -> tuple[Array, Array]:
        """`dx/dtheta` `(unknowns, parameters)`, 0 of unknowns that do not move, and `dQ/dtheta` `(values, parameters)`.

        Raises `FoldError` where there are none.
        """
        # A number, or a price, concerns few of the firms.
        planned: Planned = {}
        columns = [added((n.weight, self._both(n.side, planned)) for n in nodes) for nodes in parameters]
        conditions, values = np.split(np.stack(columns, axis=1), [len(self.active)])
        moves = self._moves(conditions)
        return moves, values + self._along(moves, stencil, planned)

    def _both(self, side: Side, planned: Planned) -> Array:
        """Conditions and values."""
        plans = self.at(side, planned=planned)
        return np.concatenate([side.unknowns.left_sides(plans), self.values(plans, side.unknowns.economy)])

    def _moves(self, conditions: Array) -> Array:
        """`-F_x^-1 F_theta`, of `F_theta` `(unknowns, parameters)`."""
        unknowns, plans, active = self.unknowns, self.plans, self.active
        units, sizes = unknowns.units(plans)[:, None], self._sizes
        system, right = unknowns.jacobian(plans) * sizes / units, -conditions / units
        goods = np.flatnonzero(active[unknowns.prices.where])
        if unknowns.level_free and len(goods):
            system[goods[-1]] = np.where(np.arange(len(active)) < len(plans.prices), sizes, 0.0) / plans.prices.sum()
            right[goods[-1]] = 0.0
        found = np.zeros(right.shape)
        try:
            found[active] = sizes[active, None] * np.linalg.solve(system[np.ix_(active, active)], right[active])
        except np.linalg.LinAlgError:
            raise FoldError from None
        if not np.isfinite(found).all():
            raise FoldError
        return found

    def farthest(self, moves: Array) -> Array:
        """How far the unknown goes that goes farthest beside its size, `(parameters,)`, of `moves` `(unknowns,
        parameters)`.
        """
        return np.max(np.abs(moves) / self._sizes[:, None], axis=0)

    @cached_property
    def _sizes(self) -> Array:
        """The size of each unknown, `(unknowns,)`."""
        scales = self.unknowns.scales(self.plans)
        return np.where(scales > 0, scales, 1.0)

    def _along(self, moves: Array, stencil: Stencil, planned: Planned) -> Array:
        """`Q_x dx` `(values, parameters)`: along each of the moves, or along each unknown if these are fewer."""
        active, here = np.flatnonzero(self.active), Side(self.unknowns, self.plans.prices)
        few = moves.shape[1] < len(active)
        directions, columns = moves if few else np.diag(self._sizes)[:, active], list[Array]()
        for way in directions.T:
            part = stencil.step / max(np.max(np.abs(way / self._sizes)), 1e-300)
            plans = ((weight, self.at(here, at * part * way, planned)) for at, weight in stencil.around.items())
            columns.append(added((weight, self.values(each)) for weight, each in plans) / part)
        along = np.stack(columns, axis=1) if columns else np.zeros((len(self.told.rows), 0))
        return along if few else along @ (moves[active] / self._sizes[active, None])


@dataclass(frozen=True, eq=False)
class Derivatives:
    """How the equilibrium of a `number` moves with parameters: the `paths` of these, their values `thetas` and the
    `units` of which small parts move prices by small parts, `(parameters,)`; what is told, its `rows` (kind and name)
    and their `values` `(values,)`; first derivatives `(values, parameters)`, second ones `(values, pairs)`, and those
    `solved` again, not numbers where that was not `checked`, or no equilibrium was near.
    """

    number: int
    paths: tuple[str, ...]
    thetas: Array
    units: Array
    rows: tuple[tuple[str, str], ...]
    values: Array
    first: Array
    first_solved: Array
    second: Array
    second_solved: Array
    domar_weights: Array
    checked: bool

    @property
    def pairs(self) -> NDArray[np.intp]:
        """The parameters of each second derivative, `(pairs, 2)`."""
        return pairs(len(self.paths) if self.second.size else 0)


def pairs(count: int) -> NDArray[np.intp]:
    """All pairs of so many, each with itself among them, `(pairs, 2)`."""
    return np.array([*combinations_with_replacement(range(count), 2)], dtype=np.intp).reshape(-1, 2)
