"""The tupperware supply chain written as a plain Mesa object model, one agent per firm and one per market.

Three firms turn natural gas into a final good that the outside world trades at price 1 in any amount:

    A: ethylene = sqrt(natgas)      B: polyethylene = 1 - 1/(ethylene + 1)      C: tupperware = ln(polyethylene)

`ln(polyethylene)` is negative: C buys tupperware outside rather than selling it. Four units of natgas arrive per tick,
owned by nobody. The final good is the numeraire; quantities are per tick.

In a tick every free price moves along the excess demand planned in the tick before,

    p *= exp(rate * z / s),    z = planned demand - planned supply,    s = max(planned demand, planned supply);

each firm plans the input at which `p_out * f'(x) = p_in`; what was made in the tick before is sold, the long side of a
market getting its proportional share of the short side, and what is not sold spoils; firms make `f(input obtained)`,
and what is made of the outside good is settled with the outside at once. Nobody owns the firms: their cash flow goes to
the outside in every tick. A firm whose output waits for the next tick starts with one tick of planned output in stock.
No firm owns what it uses, so orders are plans; no firm's purchases are limited by its money.

At rest every price is the derivative of the final output with respect to its good: 1/24, 1/6 and 3/2.

This file shares no code with the package: it is a slower road to the same numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import mesa
import numpy as np
import pandas as pd

NATGAS_PER_TICK = 4.0
RATE = 0.3
INITIAL_PRICES = {"natgas": 0.01, "ethylene": 0.05, "polyethylene": 0.5}
OUTSIDE_PRICE = 1.0
USED, MADE = ("natgas", "ethylene", "polyethylene"), ("ethylene", "polyethylene", "tupperware")
"""What firms A, B and C use and make."""

COLUMNS = [  # of trajectory.csv
    *("tick", "good", "price", "demand", "supply", "excess_demand"),
    *("traded", "inventory", "bid", "gradient_price", "adjoint"),
]


class Trader(mesa.Agent):
    """Somebody with a purse and a store of the one good it sells; quantities per tick, money in numeraire."""

    def __init__(self, model: SupplyChain) -> None:
        super().__init__(model)
        self.money = 0.0
        self.opening_stock = self.stock = 0.0
        self.planned_output = self.made = self.spoiled = 0.0

    def sell(self, quantity: float, price: float) -> None:
        self.stock -= quantity
        self.money += price * quantity


class OutsideWorld(Trader):
    """Delivers the natgas, trades tupperware, and receives the firms' cash flow."""

    def __init__(self, model: SupplyChain, sells: Market) -> None:
        super().__init__(model)
        self.planned_output = NATGAS_PER_TICK
        sells.makers.append(self)

    def plan(self) -> None:
        self.opening_stock = self.stock = self.planned_output

    def produce(self) -> None:
        self.spoiled, self.stock = self.stock, 0.0


class Firm(Trader, ABC):
    """A price taker with one input and one output: it uses `x` until `p_out * f'(x) = p_in`.

    Subclasses give the technology: `output` is f, `marginal_product` f' and `curvature` f'' < 0. Where `output` is nan,
    outside its domain, the firm stands idle and its input spoils.
    """

    def __init__(self, model: SupplyChain, buys: Market, makes: Market) -> None:
        super().__init__(model)
        self.name = type(self).__name__
        self.buys, self.makes = buys, makes
        self.planned_input = 1.0
        self.used = 0.0
        self.profit = 0.0
        buys.users.append(self)
        makes.makers.append(self)

    @abstractmethod
    def output(self, x: float) -> float: ...

    @abstractmethod
    def marginal_product(self, x: float) -> float: ...

    @abstractmethod
    def curvature(self, x: float) -> float: ...

    def plan(self) -> None:
        """Best response to the going prices; the solver starts from the last plan."""
        self.opening_stock = self.stock
        self.planned_input = self.best_input(self.buys.price / self.makes.price, self.planned_input)
        self.planned_output = self.output(self.planned_input)

    def best_input(self, real_price: float, start: float) -> float:
        """Solve `f'(x) = real_price` to 1e-13 relative: Newton on `ln f'(x)` in `u = ln x`, bisecting if it strays."""
        if self.marginal_product(0.0) <= real_price:
            return 0.0
        target = math.log(real_price)
        low, high = -math.inf, math.inf
        u = math.log(start) if start > 0 else 0.0
        while True:
            x = math.exp(u)
            slope = self.marginal_product(x)
            gap = math.log(slope) - target
            step = -gap * slope / (x * self.curvature(x))
            if abs(step) <= 1e-13:
                return math.exp(u + step)
            if gap > 0:
                low = u
            else:
                high = u
            u += max(-5.0, min(step, 5.0))
            if not low < u < high:
                u = (low + high) / 2
                if high - low <= 1e-13:
                    return math.exp(u)

    @property
    def marginal_revenue_product(self) -> float:
        """`p_out * f'(x)` at the input really used."""
        return self.makes.price * self.marginal_product(self.used) if self.used > 0 else math.nan

    @property
    def wedge(self) -> float:
        """What the input earns less what it costs."""
        return self.marginal_revenue_product - self.buys.price

    @property
    def short(self) -> float:
        """What of the planned input was not to be had."""
        return self.planned_input - self.used

    def buy(self, quantity: float, price: float) -> None:
        self.used = quantity
        self.money -= price * quantity

    def produce(self) -> None:
        """Unsold output spoils; the input obtained becomes the stock of the next tick."""
        self.spoiled = self.stock
        made = self.output(self.used)
        self.stock = self.made = 0.0 if math.isnan(made) else made

    def pay_out(self, owner: Trader) -> None:
        self.profit, self.money = self.money, 0.0
        owner.money += self.profit


class A(Firm):
    """f(x) = sqrt(x)"""

    def output(self, x: float) -> float:
        return math.sqrt(x)

    def marginal_product(self, x: float) -> float:
        return 0.5 / math.sqrt(x) if x > 0 else math.inf

    def curvature(self, x: float) -> float:
        return -0.25 / (x * math.sqrt(x))


class B(Firm):
    """f(x) = 1 - 1/(x + 1)"""

    def output(self, x: float) -> float:
        return 1 - 1 / (x + 1)

    def marginal_product(self, x: float) -> float:
        return 1 / (x + 1) ** 2

    def curvature(self, x: float) -> float:
        return -2 / (x + 1) ** 3


class C(Firm):
    """f(x) = ln(x)"""

    def output(self, x: float) -> float:
        return math.log(x) if x > 0 else math.nan

    def marginal_product(self, x: float) -> float:
        return 1 / x if x > 0 else math.inf

    def curvature(self, x: float) -> float:
        return -1 / x**2


class Market(mesa.Agent):
    """One good: its price, what is planned at that price and what is traded; inputs flow to `users` from `makers`."""

    def __init__(self, model: SupplyChain, good: str, price: float) -> None:
        super().__init__(model)
        self.good = good
        self.price = price
        self.users: list[Firm] = []
        self.makers: list[Trader] = []
        self.demand = self.supply = self.traded = self.exported = 0.0

    @property
    def excess_demand(self) -> float:
        return self.demand - self.supply

    @property
    def size(self) -> float:
        """s = max(planned demand, planned supply)"""
        return max(self.demand, self.supply)

    @property
    def inventory(self) -> float:
        return sum(maker.stock for maker in self.makers)

    @property
    def bid(self) -> float:
        """Flow-weighted mean of the users' `p_out * f'(x)` at the quantities used; nan where nothing is used."""
        used = sum(user.used for user in self.users)
        if used == 0:
            return math.nan
        return sum(user.used * user.makes.price * user.marginal_product(user.used) for user in self.users) / used

    @property
    def imbalance(self) -> float:
        """Opening stock + made - spoiled - exported - used - closing stock, as a share of what was traded."""
        came = sum(maker.opening_stock + maker.made - maker.spoiled - maker.stock for maker in self.makers)
        went = sum(user.used for user in self.users) + self.exported
        return abs(came - went) / self.traded if self.traded > 0 else abs(came - went)


class Auction(Market):
    """A market whose price moves along planned excess demand, while what is traded comes from stock."""

    def quote(self) -> None:
        if self.size > 0:
            self.price *= math.exp(RATE * self.excess_demand / self.size)

    def add_up_plans(self) -> None:
        self.demand = sum(user.planned_input for user in self.users)
        self.supply = sum(maker.planned_output for maker in self.makers)

    def trade(self) -> None:
        """Proportional rationing: the long side gets its share of the short side."""
        ordered = self.demand
        offered = sum(maker.stock for maker in self.makers)
        self.traded = min(ordered, offered)
        bought = self.traded / ordered if ordered > 0 else 0.0
        sold = self.traded / offered if offered > 0 else 0.0
        for user in self.users:
            user.buy(bought * user.planned_input, self.price)
        for maker in self.makers:
            maker.sell(sold * maker.stock, self.price)


class OutsideMarket(Market):
    """A good the outside world buys and sells at a fixed price, in any amount and in the tick in which it is made."""

    def add_up_plans(self) -> None:
        """The outside takes what is made and delivers what is made in negative amounts: both sides are equal."""
        self.demand = self.supply = sum(abs(maker.planned_output) for maker in self.makers)

    def trade(self) -> None:
        self.exported = sum(maker.stock for maker in self.makers)
        self.traded = sum(abs(maker.stock) for maker in self.makers)
        self.model.outside.money -= self.price * self.exported
        for maker in self.makers:
            maker.sell(maker.stock, self.price)


class SupplyChain(mesa.Model):
    """Tick 0 is traded at the initial prices; `step()` adjusts prices once and trades again, so `steps` is the tick."""

    def __init__(self, record: bool = True, rng: int = 0) -> None:
        super().__init__(rng=rng)
        natgas, ethylene, polyethylene = (Auction(self, good, price) for good, price in INITIAL_PRICES.items())
        tupperware = OutsideMarket(self, "tupperware", OUTSIDE_PRICE)
        self.outside = OutsideWorld(self, sells=natgas)
        A(self, buys=natgas, makes=ethylene)
        B(self, buys=ethylene, makes=polyethylene)
        C(self, buys=polyethylene, makes=tupperware)
        self.traders = self.agents.select(agent_type=Trader)
        self.firms = self.agents.select(agent_type=Firm)
        self.markets = self.agents.select(agent_type=Market)
        self.auctions = self.agents.select(agent_type=Auction)
        self.outside_markets = self.agents.select(agent_type=OutsideMarket)
        self.opening_money = 0.0
        self.record = record
        self.datacollector = mesa.DataCollector(
            model_reporters={
                name: name
                for name in ("max_relative_excess_demand", "walras_residual", "goods_imbalance", "money_imbalance")
            },
            agenttype_reporters={
                Market: {name: name for name in COLUMNS if name not in ("tick", "gradient_price", "adjoint")},
                Firm: {
                    "firm": "name",
                    "quantity": "stock",
                    "input": "used",
                    "output": "made",
                    "short": "short",
                    "unsold": "spoiled",
                    "profit": "profit",
                    "money": "money",
                    "marginal_revenue_product": "marginal_revenue_product",
                    "wedge": "wedge",
                },
            },
        )
        for firm in self.firms:
            if isinstance(firm.makes, Auction):
                firm.plan()
                firm.stock = firm.planned_output
        self.live_one_tick()

    def step(self) -> None:
        self.auctions.do("quote")
        self.live_one_tick()

    def live_one_tick(self) -> None:
        self.opening_money = self.total_money
        self.traders.do("plan")
        self.markets.do("add_up_plans")
        self.auctions.do("trade")
        self.traders.do("produce")
        self.outside_markets.do("trade")
        self.firms.do("pay_out", self.outside)
        if self.record:
            self.datacollector.collect(self)

    @property
    def total_money(self) -> float:
        return sum(trader.money for trader in self.traders)

    @property
    def max_relative_excess_demand(self) -> float:
        """The largest of `max(z/s, p|z| / sum(p s))` over the goods whose price is free."""
        turnover = sum(market.price * market.size for market in self.markets)
        return max(
            max(market.excess_demand / market.size, market.price * abs(market.excess_demand) / turnover)
            for market in self.auctions
            if market.size > 0
        )

    @property
    def walras_residual(self) -> float:
        """Value of planned net orders that is not planned profit or the worth of the natgas, as a share of turnover.

        The outside fills the gap at the final good and pays for it.
        """
        turnover = sum(market.price * market.size for market in self.markets)
        value = sum(market.price * market.excess_demand for market in self.auctions)
        profits = sum(
            firm.makes.price * firm.planned_output - firm.buys.price * firm.planned_input for firm in self.firms
        )
        exports = sum(market.price * maker.planned_output for market in self.outside_markets for maker in market.makers)
        natgas = sum(
            market.price * self.outside.planned_output for market in self.auctions if self.outside in market.makers
        )
        return abs(value + profits + natgas - exports) / turnover

    @property
    def goods_imbalance(self) -> float:
        return max(market.imbalance for market in self.markets)

    @property
    def money_imbalance(self) -> float:
        """Money that appeared or vanished in this tick, as a share of the money that changed hands."""
        turnover = sum(market.price * market.traded for market in self.markets)
        return abs(self.total_money - self.opening_money) / turnover if turnover > 0 else abs(self.total_money)


def run(ticks: int, record: bool = True) -> SupplyChain:
    """Adjust prices `ticks` times; with `record` the collector holds rows 0 to `ticks`."""
    model = SupplyChain(record=record)
    for _ in range(ticks):
        model.step()
    return model


def frame(model: SupplyChain) -> pd.DataFrame:
    """What was recorded of the goods in the columns of `trajectory.csv`.

    `adjoint` is the reverse sweep at the quantities used, `adjoint_in = adjoint_out * f'(x)`, nan upstream of a firm
    that used nothing; `gradient_price` is nan: no gradient path is computed here.
    """
    goods = model.datacollector.get_agenttype_vars_dataframe(Market).reset_index(level="Step")
    used = model.datacollector.get_agenttype_vars_dataframe(Firm).pivot_table("input", "Step", "firm")
    goods["adjoint"] = [adjoint for inputs in used.to_dict("records") for adjoint in reverse_sweep(model, inputs)]
    goods["gradient_price"] = math.nan
    goods["tick"] = goods["Step"].astype(int)
    return goods.reset_index(drop=True)[COLUMNS]


def reverse_sweep(model: SupplyChain, inputs: dict[str, float]) -> list[float]:
    """Derivatives of the final good with respect to each good used, in the order of `model.markets`."""
    adjoints = {market.good: market.price for market in model.outside_markets}
    for firm in reversed(list(model.firms)):
        x = inputs[firm.name]
        slope = firm.marginal_product(x) if x > 0 else math.nan
        adjoints[firm.buys.good] = adjoints[firm.makes.good] * slope
    return [adjoints[market.good] for market in model.markets]


def frames(model: SupplyChain) -> list[pd.DataFrame]:
    """All that was recorded, as DataFrames: goods, firms, balances."""
    collector = model.datacollector
    tables = [collector.get_agenttype_vars_dataframe(kind) for kind in (Market, Firm)]
    return [*tables, collector.get_model_vars_dataframe()]


def columns(tables: list[pd.DataFrame]) -> dict[str, np.ndarray]:
    """The same as arrays by column: `(ticks, goods)`, `(ticks, agents)`, `(ticks, agents, goods)` or `(ticks,)`."""
    goods, firms, balances = tables
    ticks, names = len(balances), list(dict.fromkeys(goods["good"]))
    found = {f"ticks.{name}": balances[name].to_numpy() for name in balances}
    for table, frame, kept in (
        ("trajectory", goods, [name for name in goods if name != "good"]),
        ("agents", firms, ["profit", "money"]),
        ("wedges", firms, ["marginal_revenue_product", "wedge"]),
    ):
        found |= {f"{table}.{name}": frame[name].to_numpy(dtype=float).reshape(ticks, -1) for name in kept}
    found |= {"wedges.price": found["trajectory.price"][:, :-1], "ticks.money": np.zeros(ticks)}
    for name, places in {"quantity": MADE, "input": USED, "output": MADE, "short": USED, "unsold": MADE}.items():
        table = np.zeros((ticks, len(USED), len(names)))
        table[:, range(len(USED)), [names.index(good) for good in places]] = firms[name].to_numpy().reshape(ticks, -1)
        found[f"agents.{name}"] = table
    return found | {"agents.rationed": found.pop("agents.short") + found.pop("agents.unsold")}
