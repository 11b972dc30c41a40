"""Linear tastes where firms have constant returns: eating is an activity.

Who has a linear taste wants one thing, its utility, and makes it: of a unit of good `i` it makes `v_i`, by an activity
of its own. What it eats of each good is then a level, which a condition determines (no activity earns a profit), where
demand as a function of prices would jump. The equilibria are the same, and so are their prices, levels and plans. Where
all want alike and firms are linear too, a planner's linear programme tells all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.agents import Consumers, Firm
from simulator.economics.constant_returns import ConstantReturns
from simulator.economics.economy import Economy
from simulator.economics.forms import Array, Leontief
from simulator.economics.linear import Linear
from simulator.economics.market_plans import MarketPlans
from simulator.economics.price_bounds import PriceBounds
from simulator.economics.utility import Homothetic
from simulator.references.planner_program import NoProgramError, optimum


@dataclass(frozen=True)
class Eating:
    """An `economy` of linear tastes as one in which its eaters, rows of cohorts `(cohort, row)`, have activities."""

    economy: Economy
    eaters: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, economy: Economy) -> Eating:
        """With an activity for each good that a consumer of linear taste values."""
        cohorts = enumerate(economy.consumers)
        linear = ((at, cohort) for at, cohort in cohorts if isinstance(cohort.utility, Linear))
        return cls(economy, tuple((at, row) for at, cohort in linear for row in range(cohort.size)))

    @property
    def meals(self) -> list[tuple[int, int, float]]:
        """Of each activity the eater's number, the good and its value."""
        found = list[tuple[int, int, float]]()
        for number, (at, row) in enumerate(self.eaters):
            values = self._row(at, row).utility.values[0]  # pyright: ignore[reportAttributeAccessIssue]  (Linear)
            found += [(number, int(good), float(values[good])) for good in np.flatnonzero(values)]
        return found

    def _row(self, at: int, row: int) -> Consumers:
        cohort = self.economy.consumers[at]
        return replace(cohort.take(slice(row, row + 1)), count=1) if cohort.size > 1 else cohort

    def enlarged(self) -> Economy:
        """The economy of firms, eaters' activities, and consumers of whom an eater wants its utility alone."""
        economy, meals, goods, more = self.economy, self.meals, len(self.economy.goods), len(self.eaters)
        once, one = ConstantReturns(Leontief(np.ones((1, 1))), np.ones(1)), np.eye(goods + more)
        eating = [
            Firm(f"meal {place}", once, (goods + number,), (good,), yields=(value,))
            for place, (number, good, value) in enumerate(meals)
        ]
        consumers = [
            replace(
                cohort := self._row(*eater),
                utility=Homothetic(Leontief(one[goods + number : goods + number + 1])),
                endowment=np.pad(cohort.endowment, ((0, 0), (0, more))),
                owns=np.pad(cohort.owns, ((0, 0), (0, len(meals)))),
            )
            for number, eater in enumerate(self.eaters)
        ]
        bounds, none = economy.bounds, (np.full(more, -np.inf), np.full(more, np.inf))
        return replace(
            economy,
            goods=(*economy.goods, *(f"utility {number}" for number in range(more))),
            supply=np.append(economy.supply, np.zeros(more)),
            outside=np.append(economy.outside, np.full(more, np.nan)),
            firms=(*economy.firms, *eating),
            consumers=tuple(consumers),
            bounds=bounds and PriceBounds(*(np.append(each, free) for each, free in zip(bounds, none, strict=True))),
        )

    def rule(self, rule: PriceRule) -> PriceRule:
        """A price rule for as many goods."""
        more = len(self.eaters)
        floor, fixed = np.append(rule.floor, np.zeros(more)), np.append(rule.fixed, np.zeros(more, dtype=bool))
        return replace(rule, floor=floor, fixed=fixed)

    def planned(self) -> Array | None:
        """The unknowns of the enlarged economy where a planner's linear programme tells them: all eat alike, by their
        incomes; None where it is no such economy. Prices are those at which a unit of utility costs 1.
        """
        try:
            best = optimum(self.economy)
        except NoProgramError:
            return None
        meals, levels, bundles = self.meals, len(self.economy.level_firm), best.objective.bundles
        costs = np.full(len(self.eaters), np.inf)
        for number, good, value in meals:
            costs[number] = min(costs[number], best.prices[good] / value)
        incomes = self.economy.balance(best.prices, levels=best.levels[:levels]).incomes
        counts = [
            1 if self.economy.consumers[at].size > 1 else self.economy.consumers[at].count for at, _ in self.eaters
        ]
        earned = np.array([incomes[at][row] for at, row in self.eaters]) * counts
        eaten = bundles @ best.bundles
        share = earned / max(float(earned.sum()), 1e-300)
        return np.concatenate(
            [best.prices, costs, best.levels, [share[number] * eaten[good] for number, good, _ in meals]]
        )

    def plans(self, found: MarketPlans) -> MarketPlans:
        """The plans of the economy itself at plans of the enlarged one."""
        economy, goods = self.economy, len(self.economy.goods)
        levels = found.levels[: len(economy.level_firm)]
        plans = economy.balance(found.prices[:goods], found.inputs[: len(economy.edge_good)], levels)
        consumption = plans.consumption.copy()
        for at in {at for at, _ in self.eaters}:
            consumption[at] = 0.0
        for (number, good, _), eaten in zip(self.meals, found.levels[len(levels) :], strict=True):
            consumption[self.eaters[number][0], good] += eaten
        totals = economy.totals(plans.prices, consumption.sum(axis=0), plans.inputs, plans.outputs)
        return plans._replace(consumption=consumption, demand=totals[0], supply=totals[1])
