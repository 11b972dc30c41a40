"""What a market descends: a convex potential where one exists, otherwise a merit; a saddle where firms carry levels.

The gradient path of a run is computed from here. It differentiates the function itself, by the envelope theorem for
profits and Shephard's lemma for unit costs, and never asks the market for its excess demand.

With activity levels `y` the potential `V0(p)` of everybody else becomes `L(p, y) = V0(p) + sum_f y_f pi_f(p)`, which
prices descend and levels climb: `-dL/dp = z`, `dL/dy_f = pi_f`, unit profits.

Sources: Cheung, Cole, Devanur (2013) for Fisher markets; Arrow and Hurwicz (1958).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.economics.rows import over_blocks, sum_up
from simulator.economics.signal import signal_scale
from simulator.formulas.searches import asked


class Descent(NamedTuple):
    """A function to descend at some prices.

    `plans` are everybody's there, whose inputs are the guess for the next call. `signal` `(goods,)` is minus the
    function's gradient, in quantities: what a price rule is fed in the place of excess demand; `unit` `(goods,)` is
    what a rule measures it by. Where they are asked for, `value` `()` is the potential or merit, `slopes`
    `(goods, goods)` the derivative of excess demand, and `jacobian` `(goods, goods)` that of each signal in prices.
    """

    plans: MarketPlans
    value: Array | None
    signal: Array
    unit: Array
    slopes: Array | None = None
    jacobian: Array | None = None

    @property
    def slope(self) -> Array | None:
        """The derivative of each signal in its own price, `(goods,)`; None where it was not asked for."""
        return None if self.jacobian is None else np.diagonal(self.jacobian, axis1=-2, axis2=-1)


@dataclass(frozen=True)
class Reference(ABC):
    """A function of prices that the gradient path descends: of kind `potential`, `merit` or, of prices and levels,
    `saddle`; of kind `none` there is nothing to descend.
    """

    economy: Economy
    kind: ClassVar[str] = "potential"
    by_slopes: ClassVar[bool] = False
    """Whether its gradient asks how excess demand moves with prices."""

    @abstractmethod
    def value(self, plans: MarketPlans) -> Array:
        """The function where everybody plans so, `()`."""

    def signal(self, plans: MarketPlans, slopes: Array | None) -> Array:
        """Minus its gradient, in quantities, `(goods,)`: of a potential excess demand as the dual road has it."""
        return plans.excess_demand

    def jacobian(self, plans: MarketPlans, slopes: Array) -> Array:
        """How the signal moves with prices, `(goods, goods)`."""
        return slopes

    def descent(
        self,
        prices: Array,
        guess: Array,
        jacobian: bool = False,
        *,
        levels: Array | None = None,
        rates: Array | None = None,
        slopes: bool = False,
        value: bool = True,
    ) -> Descent:
        """The function at `prices` `(goods,)`, activity `levels` `(levels,)` and `rates` of taxes `(taxes,)`, for
        inputs near a `guess` `(edges,)`, with what is asked for.
        """
        economy = self.economy if rates is None else self.economy.in_force(rates)
        plans, asked = economy.balance(prices, guess, levels), jacobian or slopes or self.by_slopes
        found = economy.jacobian(plans) if asked else None
        unit = signal_scale(self.economy, plans.demand, plans.supply)
        bent = self.jacobian(plans, found) if jacobian and found is not None else None
        return Descent(plans, self.value(plans) if value else None, self.signal(plans, found), unit, found, bent)


class SpendingPotential(Reference):
    """`V(p) = p.(supply + endowments) + sum_f pi_f(p) + sum_h v_h(p)`, for consumers whose money `m` depends on no
    price: `v_h = -m_h ln c_h(p)` of homothetic tastes, indirect utility `max u_h(x) - p.x` of quasi-linear ones.

    Supply chains, Fisher markets and quasi-linear consumers (constants left out). `-dV/dp = z`.
    """

    def value(self, plans: MarketPlans) -> Array:
        return _supplied(self.economy, plans) + _surplus(self.economy, plans.prices, plans.incomes)


@dataclass(frozen=True)
class WealthPotential(Reference):
    """`V(p) = ln W(p) - sum_h lambda_h ln c_h(p)` with wealth `W = p.e + sum_f pi_f + sum B`.

    For consumers who are alike, or hold all wealth in fixed proportions `lambda`, one `(rows,)` for each cohort.
    `-dV/dp = z/W`, so the signal is `-W dV/dp`.
    """

    proportions: tuple[Array, ...]

    def value(self, plans: MarketPlans) -> Array:
        budgets = sum(float(cohort.total(cohort.budget)) for cohort in self.economy.consumers)
        wealth = _supplied(self.economy, plans) + budgets
        return np.log(wealth) + _surplus(self.economy, plans.prices, self.proportions)


class Merit(Reference):
    """`M(p) = z' G^-1 z / (2 p.s)`, `G = diag(s/p)`: half the squared excess demand in the unit-free value metric.

    For economies without a potential. The signal is `-(p.s) dM/dp`, quantities like `z`; `s` is held constant when
    differentiating. Descent may stop where `dM/dp = 0` although `z` is not 0. The signal's Jacobian is Gauss and
    Newton's: `-J' G^-1 J`, `J = dz/dp`.
    """

    kind = "merit"
    by_slopes = True

    def value(self, plans: MarketPlans) -> Array:
        return merit_value(plans.prices, plans.excess_demand, plans.scale)

    def signal(self, plans: MarketPlans, slopes: Array | None) -> Array:
        assert slopes is not None
        excess, scale = plans.excess_demand, plans.scale
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(scale > 0, excess / scale, 0.0)
        return self.value(plans) * scale - (plans.prices * relative) @ slopes - 0.5 * relative * excess

    def jacobian(self, plans: MarketPlans, slopes: Array) -> Array:
        scale = plans.scale
        weights = np.divide(plans.prices, scale, out=np.zeros(len(scale)), where=scale > 0)
        return -slopes.T @ (weights[:, None] * slopes)


@dataclass(frozen=True)
class Saddle(Reference):
    """`L(p, y) = V0(p) + sum_f y_f pi_f(p)` with the `others`' potential `V0`: `-dL/dp = z`.

    Where all wealth is held in fixed proportions the signal is `-(W dV0/dp + sum_f y_f dpi_f/dp)`, which is `z` too,
    and the gradient of no function.
    """

    others: Reference
    kind = "saddle"

    def value(self, plans: MarketPlans) -> Array:
        if isinstance(self.others, WealthPotential):
            return np.full((), np.nan)
        return self.others.value(plans) + (plans.levels * plans.unit_profits).sum()


class NoReference(Reference):
    """Of firms with levels among consumers without a potential (general exchange, or prices that users do not share),
    or of rates that adjust.
    """

    kind = "none"

    def value(self, plans: MarketPlans) -> Array:
        return np.full((), np.nan)

    def signal(self, plans: MarketPlans, slopes: Array | None) -> Array:
        return np.full(len(self.economy.goods), np.nan)


def _supplied(economy: Economy, plans: MarketPlans) -> Array:
    """What raw supplies are worth, and what firms earn, `()`."""
    return plans.prices @ economy.total_supply + plans.profits.sum()


def _surplus(economy: Economy, prices: Array, money: tuple[Array, ...]) -> Array:
    """`sum_h v_h(p)` at given money `(rows,)` of each cohort."""
    total = np.zeros(())
    for number, (cohort, given) in enumerate(zip(economy.consumers, money, strict=True)):
        faced = economy.user_prices.consumer_prices(number, prices)

        def of(block: tuple[slice, Consumers], faced: Array = faced, given: Array = given) -> Array:
            return asked(block[1].utility, "surplus")(faced, given[block[0]]).sum()

        total = total + cohort.weight * sum_up(over_blocks(cohort.blocks, of))
    return total


def merit_value(prices: Array, excess_demand: Array, scale: Array) -> Array:
    """`M = sum_j p_j z_j^2 / s_j / (2 p.s)`, `(...)` for `(..., goods)`: 0 exactly where every market clears."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(scale > 0, prices * excess_demand**2 / scale, 0.0)
        return parts.sum(axis=-1) / (2.0 * (prices * scale).sum(axis=-1))


def reference(economy: Economy) -> Reference:
    """The function this economy's market is compared with: its potential where one exists, else the merit; with
    activity levels the saddle, else nothing.

    Where users face other prices than the market's, excess demand is in general no gradient.
    """
    potential = _potential(economy) if economy.user_prices.neutral and economy.fiscal is None else None
    if not economy.level_firm.size and not economy.adjusts:
        return potential or Merit(economy)
    return NoReference(economy) if potential is None else Saddle(economy, potential)


def _potential(economy: Economy) -> Reference | None:
    consumers, income = economy.consumers, np.ones(len(economy.firms))
    if economy.level_firm.size:
        # Nobody counts on the profit of constant returns, whoever owns it.
        income = np.array([not firm.levels for firm in economy.firms], dtype=float)
        consumers = tuple(replace(cohort, owns=cohort.owns * income) for cohort in consumers)
    if all(map(_money_is_given, consumers)):
        return SpendingPotential(economy)
    owned = sum((cohort.total_owned for cohort in consumers), 1.0 - income)
    everything_owned = not economy.supply.any() and np.allclose(owned, 1.0, rtol=0, atol=1e-12)
    proportions = _fixed_proportions(consumers) if everything_owned else None
    return None if proportions is None else WealthPotential(economy, proportions)


def _money_is_given(cohort: Consumers) -> bool:
    """Whether what they spend depends on no income from prices, and what they buy is then the gradient of something: a
    purse without end, or budgets and integrable tastes.
    """
    return cohort.unlimited or (cohort.utility.integrable and not cohort.earns.any())


def _fixed_proportions(cohorts: Sequence[Consumers]) -> tuple[Array, ...] | None:
    """Shares `lambda` of total wealth, a `(rows,)` for each cohort, if they depend on no price, or do not matter as
    all are alike.
    """
    homothetic = all(cohort.utility.needs_income and cohort.utility.integrable for cohort in cohorts)
    if not cohorts or not homothetic:
        return None
    if _alike(cohorts):
        count = sum(cohort.count for cohort in cohorts)
        return tuple(np.full(cohort.size, 1.0 / count) for cohort in cohorts)
    totals = sum_up([_holdings(cohort).sum(axis=0) * cohort.weight for cohort in cohorts])
    shares = [_holdings(cohort)[:, totals > 0] / totals[totals > 0] for cohort in cohorts]
    if all(np.allclose(held, held[:, :1], rtol=1e-12, atol=0) for held in shares):
        return tuple(held[:, 0] for held in shares)
    return None


def _holdings(cohort: Consumers) -> Array:
    """All that gives income, `(rows, goods + firm entries + 1)`."""
    parts = (cohort.endowment, cohort.owns, cohort.budget[:, None])
    return np.concatenate([np.broadcast_to(part, (cohort.size, part.shape[1])) for part in parts], axis=1)


def _alike(cohorts: Sequence[Consumers]) -> bool:
    """Whether all consumers have one and the same homothetic utility: equal bundles for a unit of money, at any
    prices.
    """
    tastes = [cohort.utility for cohort in cohorts]
    if any(taste.form is None for taste in tastes):
        # Where tastes jump (linear), a few prices do not tell any two of them apart.
        return len(tastes) == 1 and tastes[0].size == 1
    probes = _probes(cohorts[0].endowment.shape[1])
    first = [bundle[:1] for bundle in _unit_bundles(cohorts[0].take(slice(0, 1)), probes)]
    return all(
        np.allclose(bundle, like, rtol=1e-12, atol=1e-300)
        for cohort in cohorts
        for _, block in (cohort.blocks if cohort.utility.size > 1 else ((None, cohort.take(slice(0, 1))),))
        for bundle, like in zip(_unit_bundles(block, probes), first, strict=True)
    )


def _unit_bundles(consumers: Consumers, probes: list[Array]) -> list[Array]:
    """What a unit of money buys at each of the probing prices, `(rows, goods)` each."""
    return [consumers.utility.dual_demand(prices, np.ones(consumers.size)) for prices in probes]


def _probes(goods: int) -> list[Array]:
    """Price vectors that tell any two of the forms apart (they differ in shares or in one elasticity)."""
    ramp = np.arange(goods) / max(goods - 1, 1)
    return [np.ones(goods), np.exp(ramp), np.exp(-2.0 * ramp**2)]
