"""How markets, unit profits, what incomes receive and what instruments keep move together where there are taxes.

Everything planned answers to the prices faced, `q = A(t) p`, and to incomes; revenue follows from what is planned. So
all is differentiated at once in all unknowns: prices, levels of activity, what cohorts received, and rates that adjust.
At given levels and rates, incomes solved for, what is left is how a market answers to prices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.economics.agents import Consumers
from simulator.economics.fiscal import NOMINAL, Fiscal, Kept
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.economics.plan_slopes import PlanSlopes
from simulator.economics.rows import over_blocks, sum_up
from simulator.formulas.searches import asked


class FiscalSlopes(NamedTuple):
    """Derivatives in prices, levels, receipts of all cohorts, and rates that adjust, `(..., unknowns)`: of excess
    demand `z` `(goods,)`, unit profits `pi` `(levels,)`, what is `due` `(cohorts,)`, and what instruments `kept`.
    """

    excess_demand: Array
    unit_profits: Array
    due: Array
    kept: Array


class _Columns:
    """Where each kind of unknown stands."""

    def __init__(self, economy: PlanSlopes, fiscal: Fiscal) -> None:
        self.goods, self.levels = len(economy.goods), len(economy.level_firm)
        self.received = self.goods + self.levels
        self.rates = self.received + len(economy.consumers)
        self.width = self.rates + len(fiscal.adjusting)


class _Slots(NamedTuple):
    """Of each good that a firm entry trades, `(slots,)`: what its price is multiplied by and how that moves with rates
    that adjust, `(slots, instruments)`; what each tax takes of the worth of what is made, less what is used, `(taxes,
    slots)`, and how that moves, `(taxes, slots, instruments)`.
    """

    factors: Array
    factor_slopes: Array
    weights: Array
    weight_slopes: Array


@np.errstate(all="ignore")
def fiscal_slopes(economy: PlanSlopes, plans: MarketPlans) -> FiscalSlopes:
    """All derivatives at some plans of an economy with taxes or transfers."""
    fiscal, prices = _fiscal(economy), plans.prices
    at, goods, taxes = _Columns(economy, fiscal), len(economy.goods), len(fiscal.taxes)
    market, revenue = np.zeros((goods, at.width)), np.zeros((taxes, at.width))
    profit, unit_profit = np.zeros((len(economy.firms), at.width)), np.zeros((at.levels, at.width))
    units = dict(economy.unit_outputs(plans))
    made, responses = economy.made_at(prices, plans.outputs), economy.responses(plans)
    for number, (firm, response) in enumerate(zip(economy.firms, responses, strict=True)):
        slots, traded = _slots(economy, fiscal, number), firm.traded
        outlets, edges = economy.outlet_rows[number], economy.edge_rows[number]
        sold, used = made[outlets].reshape(firm.rows, -1).sum(axis=0), plans.inputs[edges].reshape(firm.rows, -1)
        net = np.concatenate([sold, -used.sum(axis=0)])
        own = np.arange(at.width) == traded[:, None]
        faced = slots.factors[:, None] * own
        faced[:, at.rates :] += prices[traded, None] * slots.factor_slopes
        moved, rows = response @ faced, economy.level_rows[number]
        if firm.levels:
            unit = units[number]
            columns = at.goods + np.arange(rows.start, rows.stop)
            moved = moved + unit.T @ (np.arange(at.width) == columns[:, None])
            unit_profit[rows] = unit @ faced
        else:
            profit[number] = net @ faced
        np.subtract.at(market, traded, moved)
        value = prices[traded, None] * moved + own * net[:, None]
        revenue += slots.weights @ value
        revenue[:, at.rates :] += np.einsum("tsi,s->ti", slots.weight_slopes, prices[traded] * net)
    due = np.zeros((len(economy.consumers), at.width))
    own_incomes, weights = np.zeros(due.shape), fiscal.to.T
    for number in range(len(economy.consumers)):
        bought, own_incomes[number] = _demand(economy, fiscal, at, plans, number, profit)
        market += bought
        revenue += _on_purchases(economy, fiscal, at, plans, number, bought)
    due = weights @ revenue + fiscal.passed @ own_incomes
    due[:, :goods] += fiscal.granted[0]
    due[:, at.received : at.rates] += fiscal.passed
    market = np.where(economy.is_outside[:, None], 0.0, market)
    return FiscalSlopes(market, unit_profit, due, _kept(economy, fiscal, at, plans, profit, revenue))


def market_slopes(economy: PlanSlopes, plans: MarketPlans) -> Array:
    """`dz/dp` `(goods, goods)` at given levels and rates, incomes solved for."""
    slopes, goods, levels = fiscal_slopes(economy, plans), len(economy.goods), len(economy.level_firm)
    received = slice(goods + levels, goods + levels + len(economy.consumers))
    moved = np.linalg.solve(np.eye(len(slopes.due)) - slopes.due[:, received], slopes.due[:, :goods])
    return slopes.excess_demand[:, :goods] + slopes.excess_demand[:, received] @ moved


def due_slopes(economy: PlanSlopes, plans: MarketPlans) -> Array:
    """How what is due to each cohort moves with what each received, `(cohorts, cohorts)`."""
    fiscal = _fiscal(economy)
    at, taxed = _Columns(economy, fiscal), np.zeros((len(fiscal.taxes), len(economy.consumers)))
    received = slice(at.received, at.rates)
    for number, cohort in enumerate(economy.consumers):
        bought = np.zeros((at.goods, at.width))
        bought[:, at.received + number] = _per_received(economy, fiscal, plans, number, cohort)
        taxed = taxed + _weights_of(economy, fiscal, number) @ (plans.prices[:, None] * bought)[:, received]
    return fiscal.to.T @ taxed + fiscal.passed


def kept(economy: PlanSlopes, plans: MarketPlans) -> Array:
    """What each instrument keeps, `(instruments,)`."""
    keeps = [each.kept for each in _fiscal(economy).instruments]
    values = [_value(economy, plans, *each) / _unit(economy, plans, each) for each in keeps]
    return np.stack(values) if values else np.zeros(0)


def _unit(economy: PlanSlopes, plans: MarketPlans, kept: Kept) -> float:
    """What is kept is counted in: the numeraire, or itself."""
    numeraire = _fiscal(economy).numeraire
    return 1.0 if numeraire is None or kept.kind not in NOMINAL else plans.prices[numeraire]


def _value(economy: PlanSlopes, plans: MarketPlans, kind: str, of: int, good: int) -> float:
    if kind == "price":
        return plans.prices[good]
    if kind == "level":
        return plans.levels[economy.level_rows[of]].sum()
    if kind == "revenue":
        return plans.revenues[of]
    if kind == "consumption":
        return plans.consumption[of, good]
    cohort, faced = economy.consumers[of], economy.user_prices.consumer_prices(of, plans.prices)
    income = plans.incomes[of]
    bundle, spent = cohort.utility.dual_demand(faced, income), cohort.utility.spending(faced, income)
    return cohort.weight * cohort.utility.utility(bundle, spent).sum() / cohort.count


def _fiscal(economy: PlanSlopes) -> Fiscal:
    assert economy.fiscal is not None
    return economy.fiscal


def _slots(economy: PlanSlopes, fiscal: Fiscal, number: int) -> _Slots:
    """What taxes do to a firm entry, whose rows are all taxed alike."""
    firm, rates = economy.firms[number], economy.rates
    outlets, edges, sold = economy.outlet_rows[number].start, economy.edge_rows[number].start, len(firm.outputs)
    width = sold + len(firm.inputs)
    written = np.zeros((len(fiscal.taxes), width))
    for flows, first, slot, many in (
        (fiscal.on_outlets, outlets, 0, sold),
        (fiscal.on_edges, edges, sold, len(firm.inputs)),
    ):
        here = (flows.place >= first) & (flows.place < first + many)
        written[flows.tax[here], flows.place[here] - first + slot] = 1.0
    adjusts = (np.arange(len(fiscal.taxes))[:, None] == fiscal.adjusting).astype(float)
    makes = np.arange(width) < sold
    gross, net = ((base * rates) @ written for base in (1.0 - fiscal.net, fiscal.net))
    by_gross, by_net = ((base[:, None] * written).T @ adjusts for base in (1.0 - fiscal.net, fiscal.net))
    output = (1.0 - gross) / (1.0 + net)
    of_output = -by_gross / (1.0 + net)[:, None] - (output / (1.0 + net))[:, None] * by_net
    # A tax on an input has no base of outputs.
    added = rates @ written
    factors = np.where(makes, output, 1.0 + added)
    factor_slopes = np.where(makes[:, None], of_output, written.T @ adjusts)
    base = np.where(makes & (fiscal.net[:, None] > 0), output, np.where(makes, 1.0, -1.0))
    weights = written * rates[:, None] * base
    moved = written[:, :, None] * adjusts[:, None, :] * base[:, :, None]
    nets = written * np.where(makes, rates[:, None] * fiscal.net[:, None], 0.0)
    return _Slots(factors, factor_slopes, weights, moved + nets[:, :, None] * of_output)


def _weights_of(economy: PlanSlopes, fiscal: Fiscal, number: int) -> Array:
    """What each tax takes of the worth of what a cohort buys, `(taxes, goods)`."""
    flows, goods = fiscal.on_purchases, len(economy.goods)
    weights, here = np.zeros((len(fiscal.taxes), goods)), flows.place // goods == number
    weights[flows.tax[here], flows.place[here] % goods] = economy.rates[flows.tax[here]]
    return weights


def _faced(economy: PlanSlopes, fiscal: Fiscal, at: _Columns, prices: Array, number: int) -> Array:
    """How the prices that a cohort faces move, `(goods, unknowns)`."""
    flows, goods = fiscal.on_purchases, at.goods
    written, here = np.zeros((goods, len(fiscal.taxes))), flows.place // goods == number
    written[flows.place[here] % goods, flows.tax[here]] = 1.0
    faced = np.zeros((goods, at.width))
    faced[:, :goods] = np.diag(np.broadcast_to(economy.user_prices.cohort_factors(number), (goods,)))
    faced[:, at.rates :] = prices[:, None] * written[:, fiscal.adjusting]
    return faced


def _demand(
    economy: PlanSlopes, fiscal: Fiscal, at: _Columns, plans: MarketPlans, number: int, profit: Array
) -> tuple[Array, Array]:
    """How what a cohort buys, `(goods, unknowns)`, and its own income, `(unknowns,)`, move, of how profits do,
    `(firm entries, unknowns)`.
    """
    cohort, prices, gives = economy.consumers[number], plans.prices, fiscal.gives[number]
    faced, moves = economy.user_prices.consumer_prices(number, prices), _faced(economy, fiscal, at, prices, number)
    received = np.zeros(at.width)
    received[at.received + number] = 1.0 - gives
    received[: at.goods] -= fiscal.owed[0][number]

    def slopes(block: tuple[slice, Consumers]) -> tuple[Array, Array]:
        part, some = block
        income = plans.incomes[number][part]
        own = np.concatenate([some.endowment, np.zeros((len(some.endowment), at.width - at.goods))], axis=1)
        own = np.broadcast_to(own + some.owns @ profit, (some.size, at.width))
        moved = np.where((income > 0)[:, None], (1.0 - gives) * own + received / cohort.count, 0.0)
        still = np.zeros((some.size, at.goods))
        by_price = asked(some.utility, "jacobian")(faced, income, still)
        return by_price @ moves + some.utility.income_effect(faced, income).T @ moved, own.sum(axis=0)

    parts = over_blocks(cohort.blocks, slopes)
    bought, own = (cohort.weight * sum_up(list(part)) for part in zip(*parts, strict=True))
    return bought, own


def _per_received(economy: PlanSlopes, fiscal: Fiscal, plans: MarketPlans, number: int, cohort: Consumers) -> Array:
    """How what a cohort buys moves with what it received, `(goods,)`."""
    faced = economy.user_prices.consumer_prices(number, plans.prices)

    def effect(block: tuple[slice, Consumers]) -> Array:
        part, some = block
        income = plans.incomes[number][part]
        return np.where((income > 0)[:, None], some.utility.income_effect(faced, income), 0.0).sum(axis=0)

    each = (1.0 - fiscal.gives[number]) / cohort.count
    return each * cohort.weight * sum_up(over_blocks(cohort.blocks, effect))


def _on_purchases(
    economy: PlanSlopes, fiscal: Fiscal, at: _Columns, plans: MarketPlans, number: int, bought: Array
) -> Array:
    """How the revenue of taxes on what a cohort buys moves, `(taxes, unknowns)`."""
    weights, prices, bundle = _weights_of(economy, fiscal, number), plans.prices, plans.consumption[number]
    moved = weights @ (prices[:, None] * bought)
    moved[:, : at.goods] += weights * bundle
    flows, goods = fiscal.on_purchases, at.goods
    for column, tax in enumerate(fiscal.adjusting.tolist()):
        places = flows.place[(flows.tax == tax) & (flows.place // goods == number)] % goods
        moved[tax, at.rates + column] += prices[places] @ bundle[places]
    return moved


def _kept(
    economy: PlanSlopes, fiscal: Fiscal, at: _Columns, plans: MarketPlans, profit: Array, revenue: Array
) -> Array:
    """How what instruments keep moves, `(instruments, unknowns)`."""
    moved = np.zeros((len(fiscal.adjusting), at.width))
    for row, instrument in enumerate(fiscal.instruments):
        kind, of, good = instrument.kept
        if kind == "price":
            moved[row, good] = 1.0
        elif kind == "level":
            levels = economy.level_rows[of]
            moved[row, at.goods + levels.start : at.goods + levels.stop] = 1.0
        elif kind == "revenue":
            moved[row] = revenue[of]
        elif kind == "consumption":
            moved[row] = _demand(economy, fiscal, at, plans, of, profit)[0][good]
        else:
            moved[row] = _utility(economy, fiscal, at, plans, of, profit)
        if kind in NOMINAL and fiscal.numeraire is not None:
            moved[row, fiscal.numeraire] -= plans.kept[row]
            moved[row] /= plans.prices[fiscal.numeraire]
    return moved


def _utility(
    economy: PlanSlopes, fiscal: Fiscal, at: _Columns, plans: MarketPlans, number: int, profit: Array
) -> Array:
    """How the mean utility of a cohort moves, `(unknowns,)`, by Roy's identity: `dv = mu (dm - x.dq)`."""
    cohort, prices, gives = economy.consumers[number], plans.prices, fiscal.gives[number]
    faced, income = economy.user_prices.consumer_prices(number, prices), plans.incomes[number]
    money = cohort.utility.marginal_utility_of_money(faced, income)
    dearer = money if cohort.utility.needs_income else 1.0 + money
    own = np.concatenate([cohort.endowment, np.zeros((len(cohort.endowment), at.width - at.goods))], axis=1)
    moved = (1.0 - gives) * np.broadcast_to(own + cohort.owns @ profit, (cohort.size, at.width)) * money[:, None]
    received = np.zeros(at.width)
    received[at.received + number] = 1.0 - gives
    received[: at.goods] -= fiscal.owed[0][number]
    bundle = cohort.utility.dual_demand(faced, income)
    lost = (dearer[:, None] * bundle).sum(axis=0) @ _faced(economy, fiscal, at, prices, number)
    return cohort.weight * (moved.sum(axis=0) + money.sum() * received / cohort.count - lost) / cohort.count
