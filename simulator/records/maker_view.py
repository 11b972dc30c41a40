"""What is recorded of a market maker: prices and trades, what it has sold, and what its traders hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.maker_tick import MakerState, MakerTick
from simulator.dynamics.transition import Transition
from simulator.economics.economy import Economy, Indices
from simulator.economics.forms import Array
from simulator.records.columns import MAKER_TICKS, STOCK_OF, growing_columns
from simulator.records.recorder import Parts, Rows, View
from simulator.records.table import names, told_of
from simulator.references.judges import relative_gap
from simulator.references.maker_path import MakerPath
from simulator.sentences import MAKER, Facts

if TYPE_CHECKING:
    from simulator.dynamics.verdicts import Verdict
    from simulator.economics.traders import Trader


class Maker(Protocol):
    """A market maker, as far as its record depends on it."""

    @property
    def liquidity(self) -> float: ...

    @property
    def prior(self) -> Array: ...

    @property
    def outcome(self) -> int | None: ...

    @property
    def paid_after(self) -> int | None: ...

    def losses(self, tick: MakerTick) -> Array: ...

    def places(self, economy: Economy) -> tuple[Indices, Indices, Array]: ...


class MakerNote(NamedTuple):
    """A tick: its number, `prices`, `demand`, `supply`, `bid`, what the maker has `sold` and the path's `gradient`
    prices `(outcomes,)`; its `residual`; of each entry of traders what all together hold, `quantity`, have bought and
    sold in it `(entries, outcomes)`, and their `money` `(entries,)`.
    """

    tick: int
    prices: Array
    demand: Array
    supply: Array
    bid: Array
    sold: Array
    gradient: Array
    residual: float
    quantity: Array
    bought: Array
    offered: Array
    money: Array


def agent_keys(economy: Economy) -> dict[str, NDArray[Any]]:
    """By what the rows of agents.csv are told apart: each entry with each outcome, one of many as mean and total."""
    agents = [name for _, name, _ in told_of(economy.consumers)]
    goods = len(economy.goods)
    return {
        "agent": np.repeat(names(agents), goods),
        "kind": np.full(len(agents) * goods, "consumer", dtype=object),
        "good": np.tile(names(economy.goods), len(agents)),
    }


class MakerView(View[MakerState, MakerTick, MakerNote]):
    """Trades at a market maker beside the gradient path, if it is `judged`."""

    sentences = MAKER

    def __init__(self, maker: Maker, economy: Economy, *, judged: bool) -> None:
        self.maker, self.economy = maker, economy
        (inventory,) = MAKER_TICKS
        each = [inventory._replace(name=STOCK_OF + good) for good in economy.goods]
        self.columns = growing_columns(*each, users=False)
        self.free_goods = np.ones(len(economy.goods), dtype=bool)
        self.entry, self.row, begun = maker.places(economy)
        served = judged and MakerPath.serves(self.traders)
        self.path = MakerPath(maker.prior, begun, maker.liquidity) if served else None
        self.path_gap = 0.0

    @property
    def traders(self) -> list[Trader]:
        """The traders of each entry."""
        return [cohort.trader for cohort in self.economy.consumers if cohort.trader is not None]

    def change_economy(self, tick: int, economy: Economy) -> None:
        self.economy = economy

    def state(self) -> Parts:
        if self.path is None:
            return {}
        path = self.path
        kept = {"prices": path.prices, "money": path.money, "held": path.held, "gap": np.array(self.path_gap)}
        return {"maker_path": kept}

    def restore(self, parts: Mapping[str, Mapping[str, Array]]) -> None:
        if self.path is not None:
            kept = parts["maker_path"]
            self.path.prices, self.path.money, self.path.held = (
                kept[name].copy() for name in ("prices", "money", "held")
            )
            self.path_gap = float(kept["gap"])

    def note(self, now: Transition[MakerState, MakerTick], *, record: bool) -> MakerNote | None:
        tick, goods = now.tick, len(self.economy.goods)
        gradient = np.full(goods, np.nan)
        if self.path is not None:
            for number in tick.visitors.tolist():
                self.path.visit(number, self.traders[self.entry[number]], int(self.row[number]))
            gradient = self.path.prices
            self.path_gap = max(self.path_gap, float(relative_gap(tick.prices, gradient)))
        if not record:
            return None
        demand, supply = np.maximum(tick.bought, 0.0), np.maximum(-tick.bought, 0.0)
        entries = len(self.economy.consumers)
        quantity, bought, offered = (np.zeros((entries, goods)) for _ in range(3))
        money = np.zeros(entries)
        np.add.at(money, self.entry, tick.money)
        np.add.at(quantity, self.entry, tick.held)
        np.add.at(bought, self.entry[tick.visitors], demand)
        np.add.at(offered, self.entry[tick.visitors], supply)
        flows = demand.sum(axis=0), supply.sum(axis=0)
        of_market = (tick.tick, tick.prices, *flows, tick.bid, tick.sold, gradient, tick.residual)
        return MakerNote(*of_market, quantity, bought, offered, money)

    def rows(self, notes: Sequence[MakerNote]) -> dict[str, Callable[[], Rows]]:
        columns: Any = MakerNote._make(map(np.array, zip(*notes, strict=True)))
        return {
            "trajectory": lambda: self._trajectory(columns),
            "ticks": lambda: self._ticks(columns),
            "agents": lambda: self._agents(columns),
        }

    def _trajectory(self, ticks: Any) -> Rows:
        known = {
            "price": ticks.prices,
            "demand": ticks.demand,
            "supply": ticks.supply,
            "excess_demand": ticks.demand - ticks.supply,
            "traded": ticks.demand + ticks.supply,
            "bid": ticks.bid,
            "gradient_price": ticks.gradient,
        }
        return Rows(ticks.tick, {"good": names(self.economy.goods)}, known)

    def _ticks(self, ticks: Any) -> Rows:
        known = {
            "max_relative_excess_demand": ticks.residual,
            "distance_to_gradient_path": relative_gap(ticks.prices, ticks.gradient),
            **{STOCK_OF + good: ticks.sold[:, place] for place, good in enumerate(self.economy.goods)},
        }
        return Rows(ticks.tick, {}, known)

    def _agents(self, ticks: Any) -> Rows:
        agents = told_of(self.economy.consumers)
        places, shares = [place for place, *_ in agents], np.array([share for *_, share in agents])
        by_good = {"quantity": ticks.quantity, "input": ticks.bought, "output": ticks.offered}
        known = {name: each[:, places] * shares[:, None] for name, each in by_good.items()}
        known["money"] = np.repeat(ticks.money[:, places] * shares, len(self.economy.goods), axis=1)
        return Rows(ticks.tick, agent_keys(self.economy), known)

    def facts(self, verdict: Verdict, now: Transition[MakerState, MakerTick], last: Mapping[str, float]) -> Facts:
        told, losses = self.summary(now), self.maker.losses(now.tick)
        worst, realised = int(np.argmax(losses)), told["maker_loss"]["realised"]
        facts = {
            "worst": self.economy.goods[worst],
            "worst_loss": float(losses[worst]),
            "maker_loss_bound": told["maker_loss_bound"],
            "path_gap": told["gradient_path_gap"],
            "settled": realised is not None,
        }
        if realised is None or self.maker.outcome is None:
            return facts
        outcome = self.maker.outcome
        return facts | {
            "came_true": self.economy.goods[outcome],
            "last_price": float(now.tick.prices[outcome]),
            "log_loss": told["log_loss"],
            "realised": realised,
            "gained": -realised,
        }

    def summary(self, now: Transition[MakerState, MakerTick]) -> dict[str, Any]:
        """What the maker loses, and how wrong the last prices were: see `records.columns`."""
        maker, tick = self.maker, now.tick
        losses, outcome = maker.losses(tick), maker.outcome
        paid = outcome is not None and maker.paid_after is not None and tick.tick >= maker.paid_after
        by_outcome = dict(zip(self.economy.goods, losses.tolist(), strict=True))
        return {
            "maker_loss": {"by_outcome": by_outcome, "realised": float(losses[outcome]) if paid else None},
            "maker_loss_bound": float(-maker.liquidity * np.log(maker.prior.min())),
            "log_loss": float(-np.log(tick.prices[outcome])) if paid else None,
            "gradient_path_gap": None if self.path is None else self.path_gap,
            "scale": "sum of prices = 1",
        }
