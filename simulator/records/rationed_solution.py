"""The rows of equilibria.csv of a fix-price equilibrium: what is done at prices that are held, and who goes short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from simulator.economics.clearing import unit_profit_residuals
from simulator.records.solution_row import Row, tax_rows

if TYPE_CHECKING:
    from simulator.economics.economy import Economy
    from simulator.economics.user_markets import UserMarkets
    from simulator.references.rationing import FixPriceEquilibrium


def fix_price_rows(economy: Economy, markets: UserMarkets, found: FixPriceEquilibrium) -> Iterator[Row]:
    """Prices, what is done, who is rationed, and what that costs. What is held has no residual: there nothing clears.

    A firm's profit is what it takes in less what it pays. Incomes count what stands in accounts.
    """
    plans, served, worth = found.planned, found.served, float(found.prices @ found.planned.scale)
    off = np.where(found.held | economy.is_outside, 0.0, np.abs(plans.relative_excess))
    residuals = np.zeros(len(markets.goods))
    np.maximum.at(residuals, markets.good, off)
    residuals[markets.any_user(found.held)] = np.nan
    prices = markets.sum_over_users(plans.prices)
    for good in zip(markets.goods, prices.tolist(), residuals.tolist(), strict=True):
        yield Row("price", *good)
    production = plans.production
    earned = np.bincount(economy.firm_entry, served.cash_flow, len(economy.firms))
    for number, firm in enumerate(economy.firms):
        at, edges = economy.level_rows[number], economy.edge_rows[number]
        if firm.levels:
            revenues, costs = production.unit_revenues[at], production.unit_costs[at]
            judged = unit_profit_residuals(revenues, costs, plans.levels[at], worth)
            yield Row("level", firm.name, float(plans.levels[at].sum()), float(judged.max()))
            yield Row("unit_profit", firm.name, float((revenues - costs).max()))
        else:
            yield Row("profit", firm.name, float(earned[number]))
        used = served.inputs[edges].reshape(firm.rows, -1).sum(axis=0)
        for good, amount in zip(firm.inputs, used.tolist(), strict=True):
            yield Row("input", f"{firm.name}.{markets.name_of(good)}", amount)
    consumption = markets.total_over_users(found.consumption)
    for number, each in enumerate(plans.members):
        cohort, got = each.cohort, each.consumed(served.purchases)
        bought = each.wanted * served.purchases
        enjoyed = cohort.utility.utility(got, np.einsum("ag,g->a", bought, each.faced))
        mean = cohort.weight / cohort.count
        yield Row("income", cohort.name, mean * float(each.income.sum()))
        yield Row("utility", cohort.name, mean * float(enjoyed.sum()))
        wanted = markets.any_user(np.broadcast_to(cohort.utility.wanted, len(economy.goods)))
        for good in np.flatnonzero(wanted).tolist():
            yield Row("consumption", f"{cohort.name}.{markets.goods[good]}", float(consumption[number, good]))
    yield from tax_rows(economy, found.revenues)
    for name, amount in found.rationed.items():
        yield Row("rationed", name, amount)
    for good in np.flatnonzero(found.held).tolist():
        yield Row("shadow_price", markets.names[good], float(found.shadow_prices[good]))
    yield Row("deadweight_loss", "", found.deadweight_loss)
