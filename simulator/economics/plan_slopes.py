"""How plans answer to prices: the derivatives of what firms and consumers plan, added up over an economy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulator.economics.agents import Consumers
from simulator.economics.firm_layout import FirmLayout
from simulator.economics.fiscal import Fiscal
from simulator.economics.forms import Array
from simulator.economics.market_plans import NONE, MarketPlans
from simulator.economics.rows import over_blocks, sum_up
from simulator.economics.user_prices import PriceFactors, UserPrices
from simulator.formulas.searches import asked


class PlanSlopes(FirmLayout):
    """The plans of firms and `consumers` with what they answer to prices."""

    consumers: tuple[Consumers, ...]
    outside: Array
    price_factors: PriceFactors | None
    fiscal: Fiscal | None

    @cached_property
    def is_outside(self) -> NDArray[np.bool_]:
        """Which goods have an outside price, `(goods,)`."""
        return np.isfinite(self.outside)

    @cached_property
    def user_prices(self) -> UserPrices:
        """The prices that users face."""
        return UserPrices(self, self.price_factors)

    @cached_property
    def rates(self) -> Array:
        """The rate of each tax, `(..., taxes)`."""
        return NONE if self.fiscal is None else self.fiscal.rates

    def made_at(self, prices: Array, outputs: Array) -> Array:
        """What outputs `(..., firms)` are at each outlet at `prices` `(..., goods)`, `(..., outlets)`."""
        return self.at_outlets(outputs, self.user_prices.yields(prices))

    def untaxed_slopes(self, balance: MarketPlans) -> Array:
        """`J = dz/dp` `(goods, goods)` at a balance and its levels; rows of goods with an outside price are 0 (the
        outside fills any gap).

        Firms: minus the Hessian of profit. Consumers: how demand moves at given incomes, and with incomes that move as
        endowments and profits do.
        """
        goods, prices, user_prices = len(self.goods), balance.prices, self.user_prices
        places, moved = [np.zeros(0, dtype=np.intp)], [np.zeros(0)]
        for number, (firm, by_price) in enumerate(zip(self.firms, self.responses(balance), strict=True)):
            places.append((firm.traded[:, None] * goods + firm.traded).ravel())
            moved.append((-by_price * user_prices.firm_factors(number)).ravel())
        jacobian = np.bincount(np.concatenate(places), np.concatenate(moved), goods**2).reshape(goods, goods)
        profit_slopes = user_prices.profit_slopes(prices, balance.outputs, balance.inputs)
        if self.constant_returns.any():
            profit_slopes = np.where(self.constant_returns[:, None], 0.0, profit_slopes)
        for number, income in enumerate(balance.incomes):
            jacobian = jacobian + self._demand_slopes(number, prices, income, profit_slopes)
        return np.where(self.is_outside[:, None], 0.0, jacobian)

    def responses(self, balance: MarketPlans) -> Iterator[Array]:
        """How what each firm entry makes (above 0) and uses (below) of each good that it trades answers to the prices
        that it faces for them, `(outlets + inputs, outlets + inputs)`, at given levels: the Hessian of its profit.
        """
        user_prices, prices = self.user_prices, balance.prices
        yields, got = user_prices.yields(prices), user_prices.outlet_prices(prices)
        for number, (firm, faced) in enumerate(zip(self.firms, user_prices.of_firms(prices), strict=True)):
            side, amount = firm.sides, user_prices.firm_amounts(number, yields)
            slope = self._plan_slope(number, balance, faced.output, np.stack(faced.inputs))
            response = amount[:, None] * slope[side[:, None], side] * amount
            if firm.transformation is not None:
                at = self.outlet_rows[number].start
                bent = _among_zeros(firm.transformation.hessian(got[at : at + len(firm.outputs)]), 0, len(firm.inputs))
                response = response + balance.outputs[self.firm_rows[number]].sum() * bent
            yield response

    def _plan_slope(self, number: int, balance: MarketPlans, price: float, input_prices: Array) -> Array:
        """How net supplies of a firm entry, its output first, answer to prices at given levels, `(1 + inputs, 1 +
        inputs)`.
        """
        firm = self.firms[number]
        if firm.technology.constant_returns:
            level = balance.levels[self.level_rows[number]]
            bent = asked(firm.technology, "cost_slope")(input_prices, level).sum(axis=0)
            return _among_zeros(-bent, 1, 0)
        inputs = balance.inputs[self.edge_rows[number]].reshape(firm.rows, -1)
        return asked(firm.technology, "supply_slope")(price, input_prices, inputs).sum(axis=0)

    def net_outputs(self, balance: MarketPlans) -> Array:
        """`A` `(goods, levels)`: net outputs of a unit of each level at a balance, 0 in the markets that the outside
        clears. `dz/dy = -A`, and without taxes `d unit profit/dp = A'`.
        """
        goods, columns = len(self.goods), [np.zeros((0, len(self.goods)))]
        for number, quantities in self.unit_outputs(balance):
            traded = self.firms[number].traded
            columns.append(np.stack([np.bincount(traded, row, goods).astype(float) for row in quantities]))
        return np.where(self.is_outside[:, None], 0.0, np.concatenate(columns).T)

    def unit_outputs(self, balance: MarketPlans) -> Iterator[tuple[int, Array]]:
        """The firm entries of constant returns, by number, and what a unit of level of each firm makes (above 0) and
        uses (below) of each good that it trades, `(rows, outlets + inputs)`.
        """
        yields, faced = self.user_prices.yields(balance.prices), self.user_prices.of_firms(balance.prices)
        for number, (firm, (_, input_prices)) in enumerate(zip(self.firms, faced, strict=True)):
            if firm.technology.constant_returns:
                _, unit = asked(firm.technology, "unit_cost")(np.stack(input_prices))
                each = np.concatenate([unit.output[:, None], -unit.inputs], axis=1)
                yield number, each[:, firm.sides] * self.user_prices.firm_amounts(number, yields)

    def _demand_slopes(self, number: int, prices: Array, income: Array, profit_slopes: Array) -> Array:
        """How the demand of a cohort answers to market prices, `(goods, goods)`."""
        cohort = self.consumers[number]
        faced, factors = (
            self.user_prices.consumer_prices(number, prices),
            self.user_prices.cohort_factors(number),
        )

        def slopes(block: tuple[slice, Consumers]) -> Array:
            part, some = block
            # Demand is differentiated in what is paid, so that income must move with that, too.
            moves = some.income_slope(income[part], profit_slopes) / factors
            return asked(some.utility, "jacobian")(faced, income[part], moves)

        return cohort.weight * sum_up(over_blocks(cohort.blocks, slopes)) * factors


def _among_zeros(block: Array, before: int, after: int) -> Array:
    """A square block with so many rows and columns of zeros before and after it: `np.pad` has no text in floats."""
    size = len(block)
    beside = np.concatenate([np.zeros((size, before)), block, np.zeros((size, after))], axis=1)
    wide = size + before + after
    return np.concatenate([np.zeros((before, wide)), beside, np.zeros((after, wide))], axis=0)
