"""The bazaar and Scarf's economy written as plain Mesa object models, one agent per consumer and one per market.

Each consumer owns some of three goods in every tick, plans at going prices with the income `m = p.e + account`, and
offers what it does not want of its own. In the bazaar tastes are Cobb-Douglas and everybody trades in every tick: the
long side of a market gets its proportional share of the short side, purses are carried over, and prices move by

    p *= exp(rate * z / s),    z = planned demand - planned supply,    s = max(planned demand, planned supply).

In Scarf's economy tastes are Leontief, nobody trades before markets clear, and prices move by `p += rate * z`.

This file shares no code with the package: it is a slower road to the same numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from operator import attrgetter

import mesa
import numpy as np

GOODS = range(3)
BINDING = 1e-5
"""Goods so little less scarce than the scarcest count as scarce too."""


class Consumer(mesa.Agent, ABC):
    """Somebody who owns `endowment` in every tick and has a purse; lists by good, quantities per tick."""

    def __init__(self, model: Exchange, endowment: list[float]) -> None:
        super().__init__(model)
        self.endowment = endowment
        self.money = self.opening_money = self.income = 0.0
        self.planned = self.wanted = self.offered = [0.0] * len(endowment)
        self.consumed = self.bought = self.sold = self.planned

    @property
    def rationed(self) -> list[float]:
        """What of each good was ordered and not served, or offered and not sold."""
        sides = zip(self.wanted, self.bought, self.offered, self.sold, strict=True)
        return [wanted - bought + offered - sold for wanted, bought, offered, sold in sides]

    @abstractmethod
    def demand(self, prices: list[float], income: float) -> list[float]: ...

    @property
    @abstractmethod
    def utility(self) -> float: ...

    @abstractmethod
    def value_shares(self, quantities: list[float], prices: list[float]) -> list[float]:
        """The part that each good has in what a bundle is worth."""

    def plan(self) -> None:
        prices = self.model.prices
        self.income = max(0.0, sum(p * e for p, e in zip(prices, self.endowment, strict=True)) + self.money)
        self.planned = self.demand(prices, self.income)
        self.wanted = [max(x - e, 0.0) for x, e in zip(self.planned, self.endowment, strict=True)]
        self.offered = [max(e - x, 0.0) for x, e in zip(self.planned, self.endowment, strict=True)]

    def trade(self) -> None:
        """Get and give what the markets allow."""
        markets = self.model.markets_by_good
        self.bought = [x * market.bought for x, market in zip(self.wanted, markets, strict=True)]
        self.sold = [x * market.sold for x, market in zip(self.offered, markets, strict=True)]
        self.consumed = [x - w + b for x, w, b in zip(self.planned, self.wanted, self.bought, strict=True)]
        self.opening_money = self.money
        trades = zip(markets, self.sold, self.bought, strict=True)
        self.money += sum(market.price * (sold - bought) for market, sold, bought in trades)

    def wait(self) -> None:
        """Plans stand until markets clear."""
        self.consumed, self.bought, self.sold = self.planned, self.wanted, self.offered


class CobbDouglasConsumer(Consumer):
    """u = prod x_i^a_i"""

    def __init__(self, model: Exchange, endowment: list[float], shares: list[float]) -> None:
        super().__init__(model, endowment)
        self.shares = shares

    def demand(self, prices: list[float], income: float) -> list[float]:
        return [a * income / p for a, p in zip(self.shares, prices, strict=True)]

    @property
    def utility(self) -> float:
        return math.prod(x**a for x, a in zip(self.consumed, self.shares, strict=True))

    def value_shares(self, quantities: list[float], prices: list[float]) -> list[float]:
        return self.shares


class LeontiefConsumer(Consumer):
    """u = min x_i over the goods wanted"""

    def __init__(self, model: Exchange, endowment: list[float], wants: list[bool]) -> None:
        super().__init__(model, endowment)
        self.wants = wants

    def demand(self, prices: list[float], income: float) -> list[float]:
        units = income / sum(p for p, wants in zip(prices, self.wants, strict=True) if wants)
        return [units if wants else 0.0 for wants in self.wants]

    @property
    def utility(self) -> float:
        return min(x for x, wants in zip(self.consumed, self.wants, strict=True) if wants)

    def value_shares(self, quantities: list[float], prices: list[float]) -> list[float]:
        most = (1 + BINDING) * min(x for x, wants in zip(quantities, self.wants, strict=True) if wants)
        bundle = zip(quantities, prices, self.wants, strict=True)
        costs = [p if wants and x <= most else 0.0 for x, p, wants in bundle]
        total = sum(costs)
        return [cost / total for cost in costs]


class Market(mesa.Agent):
    """One good: its price, what is planned at that price, what is traded."""

    def __init__(self, model: Exchange, good: int, price: float) -> None:
        super().__init__(model)
        self.good, self.price, self.floor = good, price, 1e-12 * price
        self.demand = self.supply = self.traded = self.inventory = 0.0
        self.bought = self.sold = 1.0

    @property
    def excess_demand(self) -> float:
        return self.demand - self.supply

    @property
    def size(self) -> float:
        return max(self.demand, self.supply)

    def quote(self) -> None:
        """The next price."""
        self.price = self.model.next_price(self)

    def add_up_plans(self) -> None:
        self.demand = sum(consumer.planned[self.good] for consumer in self.model.consumers)
        self.supply = sum(consumer.endowment[self.good] for consumer in self.model.consumers)

    def ration(self) -> None:
        """Proportional rationing: the long side gets its share of the short side."""
        ordered = sum(consumer.wanted[self.good] for consumer in self.model.consumers)
        offered = sum(consumer.offered[self.good] for consumer in self.model.consumers)
        self.traded = min(ordered, offered)
        self.bought = self.traded / ordered if ordered > 0 else 0.0
        self.sold = self.traded / offered if offered > 0 else 0.0

    @property
    def bid(self) -> float:
        """What users would pay for a little more, at what they use; with plans alone, at what a share-out allows."""
        used = self.model.used
        flow = sum(quantities[self.good] for quantities in used)
        if flow == 0:
            return math.nan
        shares = self.model.shares_of_value
        consumers = zip(self.model.consumers, shares, strict=True)
        return sum(consumer.income * share[self.good] for consumer, share in consumers) / flow


class Exchange(mesa.Model, ABC):
    """Tick 0 is at the initial prices; `step()` adjusts prices once and plans again, so `steps` is the tick."""

    balances = ("max_relative_excess_demand", "walras_residual")

    def __init__(self, initial_prices: list[float], record: bool) -> None:
        super().__init__(rng=0)
        self.record = record
        self.populate()
        for good in GOODS:
            Market(self, good, initial_prices[good])
        self.consumers = [agent for agent in self.agents if isinstance(agent, Consumer)]
        self.markets_by_good = [agent for agent in self.agents if isinstance(agent, Market)]
        self.buyers, self.markets = self.agents.select(agent_type=Consumer), self.agents.select(agent_type=Market)
        self.prices = list(initial_prices)
        own = ("price", "demand", "supply", "excess_demand", "traded", "inventory", "bid")
        lists = {"quantity": "consumed", "input": "bought", "output": "sold", "rationed": "rationed"}
        goods: dict[str, Callable[[Consumer], float] | str] = {
            f"{name} {good}": lambda consumer, get=attrgetter(field), good=good: get(consumer)[good]
            for name, field in lists.items()
            for good in GOODS
        }
        self.datacollector = mesa.DataCollector(
            model_reporters={name: name for name in self.balances},
            agenttype_reporters={
                Market: {name: name for name in own},
                type(self.consumers[0]): {**goods, "utility": "utility", "money": "money"},
            },
        )
        self.live_one_tick()

    @abstractmethod
    def populate(self) -> None:
        """Make the consumers."""

    @abstractmethod
    def next_price(self, market: Market) -> float: ...

    @abstractmethod
    def carry_out(self) -> None:
        """What comes of plans."""

    def step(self) -> None:
        self.markets.do("quote")
        self.prices = [market.price for market in self.markets_by_good]
        self.live_one_tick()

    def live_one_tick(self) -> None:
        self.buyers.do("plan")
        self.markets.do("add_up_plans")
        self.carry_out()
        if self.record:
            self.used = self.quantities_used()
            pairs = zip(self.consumers, self.used, strict=True)
            self.shares_of_value = [consumer.value_shares(used, self.prices) for consumer, used in pairs]
            self.datacollector.collect(self)

    def quantities_used(self) -> list[list[float]]:
        """What each consumer uses, by good."""
        return [consumer.consumed for consumer in self.consumers]

    @property
    def turnover(self) -> float:
        return sum(market.price * market.size for market in self.markets_by_good)

    @property
    def max_relative_excess_demand(self) -> float:
        """The largest of `max(z/s, p|z| / sum(p s))` over the goods whose price is free."""
        turnover = self.turnover
        gaps = ((market.excess_demand, market) for market in self.free_markets)
        return max(max(z / market.size, market.price * abs(z) / turnover) for z, market in gaps)

    @property
    def free_markets(self) -> list[Market]:
        return self.markets_by_good

    @property
    def walras_residual(self) -> float:
        """Value of planned net orders not covered by planned money, relative to turnover."""
        value = sum(market.price * market.excess_demand for market in self.markets_by_good)
        owned = sum(market.price * market.supply for market in self.markets_by_good)
        return abs(value - (sum(consumer.income for consumer in self.consumers) - owned)) / self.turnover

    @property
    def money(self) -> float:
        return sum(consumer.money for consumer in self.consumers)


class Bazaar(Exchange):
    """Two people, three goods; the first good's price stays 1."""

    RATE = 0.2
    balances = (*Exchange.balances, "money", "goods_imbalance", "money_imbalance")

    def __init__(self, record: bool = True) -> None:
        super().__init__([1.0, 1.0, 1.0], record)

    def populate(self) -> None:
        CobbDouglasConsumer(self, [1.0, 0.0, 2.0], [0.5, 0.25, 0.25])
        CobbDouglasConsumer(self, [1.0, 2.0, 2.0], [0.5, 0.1, 0.4])

    def next_price(self, market: Market) -> float:
        if market.good == 0:
            return market.price
        return market.price * math.exp(self.RATE * market.excess_demand / market.size)

    def carry_out(self) -> None:
        self.markets.do("ration")
        self.buyers.do("trade")

    @property
    def free_markets(self) -> list[Market]:
        return self.markets_by_good[1:]

    def flows(self, good: int) -> tuple[float, float]:
        """All that is bought and all that is sold of a good."""
        bought = sum(consumer.bought[good] for consumer in self.consumers)
        return bought, sum(consumer.sold[good] for consumer in self.consumers)

    @property
    def goods_imbalance(self) -> float:
        flows = [self.flows(good) for good in GOODS]
        return max(abs(bought - sold) / (bought or sold) if bought or sold else 0.0 for bought, sold in flows)

    @property
    def money_imbalance(self) -> float:
        """Money that appeared or vanished in this tick, relative to what changed hands and lies in purses."""
        gained = sum(consumer.money - consumer.opening_money for consumer in self.consumers)
        paid = sum(market.price * sum(self.flows(market.good)) / 2 for market in self.markets_by_good)
        held = paid + sum(abs(consumer.money) for consumer in self.consumers)
        return abs(gained) / held if held > 0 else 0.0


class Scarf(Exchange):
    """Three people who each want two goods and own one of them; nobody trades before markets clear."""

    RATE = 0.01

    def __init__(self, record: bool = True) -> None:
        super().__init__([1.2, 1.0, 0.85], record)

    def populate(self) -> None:
        LeontiefConsumer(self, [1.0, 0.0, 0.0], [True, True, False])
        LeontiefConsumer(self, [0.0, 1.0, 0.0], [False, True, True])
        LeontiefConsumer(self, [0.0, 0.0, 1.0], [True, False, True])

    def next_price(self, market: Market) -> float:
        return max(market.price + self.RATE * market.excess_demand, market.floor)

    def carry_out(self) -> None:
        self.buyers.do("wait")

    def quantities_used(self) -> list[list[float]]:
        """Each good split in proportion to planned demand."""
        parts = [market.supply / market.demand for market in self.markets_by_good]
        return [[x * part for x, part in zip(consumer.planned, parts, strict=True)] for consumer in self.consumers]


def frames(model: Exchange) -> list[object]:
    """All that was recorded, as DataFrames: goods, consumers, balances."""
    collector = model.datacollector
    tables = [collector.get_agenttype_vars_dataframe(kind) for kind in (Market, type(model.consumers[0]))]
    return [*tables, collector.get_model_vars_dataframe()]


def columns(tables: list[object]) -> dict[str, np.ndarray]:
    """The same as arrays by column: `(ticks, goods)`, `(ticks, agents)`, `(ticks, agents, goods)` or `(ticks,)`."""
    goods, consumers, balances = tables
    ticks = len(balances)
    found = {f"trajectory.{name}": goods[name].to_numpy().reshape(ticks, -1) for name in goods}
    found |= {f"ticks.{name}": balances[name].to_numpy() for name in balances}
    for name in ("quantity", "input", "output", "rationed"):
        each = [consumers[f"{name} {good}"].to_numpy().reshape(ticks, -1) for good in GOODS]
        found[f"agents.{name}"] = np.stack(each, axis=-1)
    return found | {f"agents.{name}": consumers[name].to_numpy().reshape(ticks, -1) for name in ("utility", "money")}
