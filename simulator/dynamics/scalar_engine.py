"""The tick of a small supply chain in plain floats.

Where every firm has one input and nobody consumes, an economy of a few goods does less arithmetic in a tick than
NumPy spends on being called. This is the same tick as `Tatonnement.step` in arrays, line for line, on lists: plan, add
up, trade, produce, reprice. That both give the same numbers is a test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.dynamics.market_tick import MarketState, MarketTick
from simulator.dynamics.pieces import Relative
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.trading import Trade
from simulator.economics.behaviour import BestResponse
from simulator.economics.economy import Economy
from simulator.economics.forms import Array

LARGEST = 40
"""More firms than this are faster in arrays."""
LARGEST_EXPONENT = 700.0


class ScalarEngine:
    """One tick after another of an economy that it `serves`."""

    @staticmethod
    def serves(economy: Economy, rule: PriceRule) -> bool:
        """Whether the tick can be done here: few firms that plan for most profit at the market's prices with one
        input each, not their own output, and make one good; a rule without memory whose prices move all at once.
        """
        single = all(firm.technology.single_input for firm in economy.firms)
        single &= all(isinstance(firm.behaviour, BestResponse) for firm in economy.firms)
        others = all(firm.outputs[0] not in firm.inputs for firm in economy.firms)
        plain = rule.price_order is None and all(isinstance(piece, Relative) for piece in rule.chain)
        some = 0 < len(economy.firms) <= LARGEST and not economy.consumers and not economy.joint
        some &= economy.user_prices.neutral
        return some and single and others and plain

    def __init__(self, economy: Economy, rule: PriceRule, trade: Trade, nothing: Array | float = -1.0) -> None:
        self.trade = trade
        self.goods = len(economy.goods)
        self.supply = economy.supply.tolist()
        self.outside = np.flatnonzero(economy.is_outside).tolist()
        self.firms = [(firm.technology.plan_one, firm.outputs[0], firm.inputs[0]) for firm in economy.firms]
        self.makers = [
            (firm.technology.output_of, firm.outputs[0], firm.inputs[0], bool(economy.is_outside[firm.outputs[0]]))
            for firm in economy.firms
        ]
        self.rate, self.relative, self.multiplicative = rule.rate, rule.relative, rule.form == "multiplicative"
        # z/s is at most 1, so that only such a rate could overflow.
        self.exp = math.exp if rule.rate < LARGEST_EXPONENT else _exp
        self.floor, self.free = rule.floor.tolist(), np.flatnonzero(~rule.fixed).tolist()
        self.nothing = np.broadcast_to(nothing, self.goods).tolist()
        none, table = np.zeros(0), np.zeros((0, self.goods))
        self.no_plans = (none, none, table, (0.0,) * self.goods)
        self.no_fractions = (none, none)
        self.no_trades = (table, table, none, table, 0.0, 0.0)

    def step(self, state: MarketState) -> tuple[MarketState, MarketTick]:
        """The state after the coming tick, and the tick."""
        number, prices = state.tick, _floats(state.prices)
        inputs, outputs = self._plan(prices, _floats(state.planned_inputs))
        demand, supply = self._add_up(inputs, outputs)
        next_prices, residual, finite = self._reprice(prices, demand, supply)
        if self.trade.every_tick and finite:
            stocked = number == 0 and self.trade.start == "stocked"
            stock = self._first_stock(outputs) if stocked else _floats(state.stock)
            traded, *trades = self._settle(prices, inputs, outputs, stock)
        else:
            traded, *trades = self._no_trade(prices, inputs, outputs, _floats(state.stock))
        # Tuples of floats do not concern the garbage collector; thousands of lists would cost more than the tick.
        quoted = map(tuple, (prices, next_prices, demand, supply, inputs, outputs))
        numbers, done = (number, finite, residual, math.nan), map(tuple, trades)
        tick = MarketTick._make(
            (*numbers, *quoted, *self.no_plans, tuple(traded), *self.no_fractions, *done, *self.no_trades)
        )
        after = (tick.next_prices, tick.planned_inputs, tick.stock, state.accounts, state.memory)
        return MarketState(number + 1, *after), tick

    def _plan(self, prices: Sequence[float], guess: Sequence[float]) -> tuple[list[float], list[float]]:
        inputs, outputs = [], []
        for (plan_one, makes, uses), last in zip(self.firms, guess, strict=True):
            x, y = plan_one(prices[makes], prices[uses], last)
            inputs.append(x)
            outputs.append(y)
        return inputs, outputs

    def _add_up(self, inputs: list[float], outputs: list[float]) -> tuple[list[float], list[float]]:
        demand, supply = [0.0] * self.goods, self.supply.copy()
        for (_, makes, uses), x, y in zip(self.firms, inputs, outputs, strict=True):
            demand[uses] += x
            if y < 0.0:
                demand[makes] -= y
            else:
                supply[makes] += y
        for good in self.outside:
            demand[good] = supply[good] = max(demand[good], supply[good])
        return demand, supply

    def _first_stock(self, outputs: list[float]) -> list[float]:
        return [0.0 if export else y for (*_, export), y in zip(self.makers, outputs, strict=True)]

    def _settle(
        self, prices: Sequence[float], orders: list[float], planned: list[float], stock: Sequence[float]
    ) -> tuple[Sequence[float], ...]:
        """Proportional rationing, production and cash flow: the firms' fields of `Trades`, in order."""
        purchases, sales = [0.0] * self.goods, self.supply.copy()
        for (_, makes, uses), order, offer in zip(self.firms, orders, stock, strict=True):
            purchases[uses] += order
            sales[makes] += offer
        traded, bought_share, sold_share = [], [1.0] * self.goods, [1.0] * self.goods
        for good, (bought, sold) in enumerate(zip(purchases, sales, strict=True)):
            if bought < sold:
                traded.append(bought)
                sold_share[good] = bought / sold
            else:
                traded.append(sold)
                if sold < bought:
                    bought_share[good] = sold / bought
        for good in self.outside:
            bought_share[good] = sold_share[good] = 1.0
        inputs, outputs, left, delivered, cash_flow = [], [], [], [], []
        keeps = 1.0 - self.trade.spoilage
        for (output_of, makes, uses, export), order, plan, offer in zip(
            self.makers, orders, planned, stock, strict=True
        ):
            got, sold = order * bought_share[uses], offer * sold_share[makes]
            made = plan if got == order else output_of(got)
            inputs.append(got)
            outputs.append(made)
            left.append((offer - sold) * keeps + (0.0 if export else made))
            if export:
                sold += made
            delivered.append(sold)
            cash_flow.append(sold * prices[makes] - got * prices[uses])
        supply_sold = [e * share for e, share in zip(self.supply, sold_share, strict=True)]
        # Where nobody uses its own output all that is used is bought.
        used = tuple(inputs)
        return traded, supply_sold, used, used, outputs, left, delivered, cash_flow

    def _no_trade(
        self, prices: Sequence[float], inputs: list[float], outputs: list[float], stock: Sequence[float]
    ) -> tuple[Sequence[float], ...]:
        goods, firms = [0.0] * self.goods, [0.0] * len(self.firms)
        cash_flow = [
            y * prices[makes] - x * prices[uses]
            for (_, makes, uses), x, y in zip(self.firms, inputs, outputs, strict=True)
        ]
        return goods, goods, inputs, firms, outputs, stock, firms, cash_flow

    def _reprice(
        self, prices: Sequence[float], demand: list[float], supply: list[float]
    ) -> tuple[list[float], float, bool]:
        """The next prices, `max_relative_excess_demand`, and whether plans are finite."""
        scale = [d if d > s else s for d, s in zip(demand, supply, strict=True)]
        worth = sum([p * s for p, s in zip(prices, scale, strict=True)])
        worst, moved, exp = 0.0, list(prices), self.exp
        for good in self.free:
            excess, size, price = demand[good] - supply[good], scale[good] or 1.0, prices[good]
            shortage, glut = excess / size, price * abs(excess)
            if shortage > worst:
                worst = shortage
            if glut > worst * worth and price > self.nothing[good]:
                worst = glut / worth
            step = self.rate * (shortage if self.relative else excess)
            price = price * exp(step) if self.multiplicative else price + step
            moved[good] = self.floor[good] if price < self.floor[good] else price
        finite = math.isfinite(worth)
        return moved, worst if finite else math.inf, finite


def _floats(values: Array | tuple[float, ...]) -> tuple[float, ...]:
    """What the last tick left, in floats; it is an array at the start and after a restart."""
    return tuple(values.tolist()) if isinstance(values, np.ndarray) else values


def _exp(step: float) -> float:
    try:
        return math.exp(step)
    except OverflowError:
        return math.inf
