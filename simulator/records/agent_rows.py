"""The rows of agents.csv of a market in which everybody plans: agents with the goods they have to do with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from simulator.economics.economy import Economy
from simulator.economics.firm_layout import Indices
from simulator.economics.forms import Array
from simulator.economics.user_markets import UserMarkets
from simulator.records.columns import Known
from simulator.records.market_block import Block
from simulator.records.table import names, told_of


class AgentRows:
    """A row for each good that a firm uses or makes, and that a consumer owns or may want, in any of the `economies`
    that follow one another. A cohort, of whom any member may, has its rows twice, as `name:mean` and `name:total`.
    """

    def __init__(self, economies: Sequence[Economy], markets: UserMarkets) -> None:
        self.markets, economy = markets, economies[0]
        self._entries = (*economy.firms, *economy.consumers)
        concerns = [
            set[int]().union(*each) for each in zip(*(_concerns(one, markets) for one in economies), strict=True)
        ]
        self.goods = [np.array(sorted(each), dtype=np.intp) for each in concerns]
        ends = np.cumsum([0, *map(len, self.goods)])
        self.places = [slice(*pair) for pair in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
        """Where the rows of each entry of firms and consumers stand, before cohorts have theirs twice."""
        self._entry = np.repeat(np.arange(len(self.goods)), np.diff(ends))
        self._of_firms = len(economy.firms)
        agents = told_of(self._entries)
        each = [np.arange(self.places[place].start, self.places[place].stop) for place, *_ in agents]
        self._rows = np.concatenate([np.zeros(0, dtype=np.intp), *each])
        many = list(map(len, each))
        self._shares = np.repeat([share for *_, share in agents], many)
        kinds = ("firm" if place < self._of_firms else "consumer" for place, *_ in agents)
        good = np.concatenate([np.zeros(0, dtype=np.intp), *self.goods])[self._rows]
        self.keys = {
            "agent": np.repeat(names(name for _, name, _ in agents), many),
            "kind": np.repeat(names(kinds), many),
            "good": names(markets.goods)[good],
        }

    def known(self, block: Block) -> Known:
        """What is known of each row in the ticks of a block, `(ticks, rows)` each."""
        ticks, count = block.ticks, len(block.ticks.tick)
        sums = {name: np.zeros((count, len(self._entry))) for name in ("quantity", "input", "output", "rationed")}
        each = {name: np.full((count, len(self.goods)), np.nan) for name in ("profit", "utility", "money", "level")}
        self._firms(block, sums, each)
        firms, markets = self._of_firms, self.markets
        consumed = markets.total_over_users(ticks.consumption)
        unserved = markets.total_over_users(ticks.consumers_unserved)
        rationed = unserved + markets.mean_over_users(ticks.consumers_unsold, ticks.prices[:, None])
        each["money"][:, firms:] = ticks.money
        for number, cohort in enumerate(block.consumers):
            rows, goods = self.places[firms + number], self.goods[firms + number]
            sums["quantity"][:, rows] = consumed[:, number, goods]
            sums["rationed"][:, rows] = rationed[:, number, goods]
            sums["input"][:, rows] = markets.total_over_users(cohort.bought)[:, goods]
            sums["output"][:, rows] = markets.mean_over_users(cohort.sold, ticks.prices)[:, goods]
            each["utility"][:, firms + number] = cohort.utility
        known = sums | {name: values[:, self._entry] for name, values in each.items()}
        if len(self._rows) > len(self._entry):
            known = {name: values[:, self._rows] * self._shares for name, values in known.items()}
        if markets.separate:
            known["pays"] = np.where(self._market < 0, np.nan, ticks.prices[:, self._market])
        return known

    @cached_property
    def _market(self) -> Indices:
        """The market of its own in which the agent of each row buys the good, if that is not rival; else -1."""
        of_entries = zip(self._entries, self.goods, strict=True)
        found = [
            self.markets.places[good].get(entry.name, -1) for entry, goods in of_entries for good in goods.tolist()
        ]
        return np.array(found, dtype=np.intp)[self._rows]

    def _rows_of(self, number: int, markets: Sequence[int]) -> Indices:
        """Where an entry has the rows of the goods of `markets`."""
        return self.places[number].start + np.searchsorted(self.goods[number], self.markets.good[list(markets)])

    def _firms(self, block: Block, sums: Mapping[str, Array], each: Mapping[str, Array]) -> None:
        """Write what the firms of each entry did together."""
        economy, markets, ticks, count = block.economy, self.markets, block.ticks, len(block.ticks.tick)
        entries = (economy.firm_rows, economy.level_rows, economy.edge_rows, economy.outlet_rows)
        made = economy.made_at(ticks.prices, ticks.outputs)
        each["money"][:, : self._of_firms] = 0.0
        for number, (firm, of_firm, levels, edges, outlets) in enumerate(zip(economy.firms, *entries, strict=True)):
            uses, makes = (self._rows_of(number, of) for of in (firm.inputs, firm.outputs))
            for name, column in (("input", ticks.inputs), ("rationed", ticks.unserved)):
                sums[name][:, uses] = column[:, edges].reshape(count, firm.rows, -1).sum(axis=1)
            for name, column in (("quantity", ticks.stock), ("rationed", ticks.unsold)):
                flow = column[:, outlets].reshape(count, firm.rows, -1).sum(axis=1)
                if markets.separate:
                    flows = np.zeros(ticks.prices.shape)
                    flows[:, list(firm.outputs)] = flow
                    flow = markets.mean_over_users(flows, ticks.prices)[:, markets.good[list(firm.outputs)]]
                sums[name][:, makes] += flow
            sums["output"][:, makes] = made[:, outlets].reshape(count, firm.rows, -1).sum(axis=1)
            if firm.levels:
                each["level"][:, number] = ticks.levels[:, levels].sum(axis=1)
            each["profit"][:, number] = ticks.cash_flow[:, of_firm].sum(axis=1)
            if ticks.firms_money.size:
                each["money"][:, number] = ticks.firms_money[:, of_firm].sum(axis=1)


def _concerns(economy: Economy, markets: UserMarkets) -> list[set[int]]:
    """The goods that each entry of firms and consumers has to do with."""
    of_firms = (firm.traded for firm in economy.firms)
    of_consumers = (np.flatnonzero(each.endowment.any(axis=0) | each.utility.wanted) for each in economy.consumers)
    return [set(markets.good[places].tolist()) for places in (*of_firms, *of_consumers)]
