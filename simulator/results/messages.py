"""What is recorded of a market of marginal bids: the same tables, of quantities that flow and bids that come back.

Beside every price stands the derivative of the result at the quantities of the same tick, by a full reverse sweep.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.marginal_bids import MessageMarket, Messages
from simulator.economics.forms import Array
from simulator.references.judges import relative_gap
from simulator.results.block import BlockWitness
from simulator.results.columns import AGENTS, TICKS, TRAJECTORY, USERS, WEDGES
from simulator.results.table import Table, names


class MessageWitness(BlockWitness[tuple[Messages, Array]]):
    """Keeps the ticks of a market of marginal bids, each with the derivative of the result with respect to every good,
    and turns them into tables; `ends` are the last ticks before a shock.
    """

    def __init__(self, market: MessageMarket, references: bool, ends: Set[int] = frozenset()) -> None:
        super().__init__(len(market.links.good) + len(market.economy.goods), ends)
        self.market, self._sweeps = market, references
        self.free_goods = (~market.links.is_result & market.links.reaches)[market.links.place]

    @property
    def tick(self) -> int:
        return self.market.now.tick

    def note(self) -> tuple[Messages, Array]:
        now, links = self.market.now, self.market.links
        with np.errstate(all="ignore"):
            adjoint = links.adjoint(now.slopes) if self._sweeps else np.full(len(links.goods), np.nan)
            return now, adjoint

    def tables(self) -> dict[str, Table]:
        """The tables of all ticks recorded since the last call: trajectory, ticks, agents, wedges."""
        recorded = self.taken()
        if not recorded:
            return {}
        numbers = np.array([now.tick for now, _ in recorded], dtype=np.int64)
        columns = {name: np.array([getattr(now, name) for now, _ in recorded]) for name in Messages._fields[1:]}
        adjoint = np.array([adjoint for _, adjoint in recorded])
        with np.errstate(all="ignore"):
            return {
                "trajectory": self._trajectory(numbers, columns, adjoint),
                "ticks": self._ticks(numbers, columns, adjoint),
                "agents": self._agents(numbers, columns),
                "wedges": self._wedges(numbers, columns),
            }

    def _trajectory(self, numbers: NDArray[np.int64], now: dict[str, Array], adjoint: Array) -> Table:
        goods, place = names(self.market.economy.goods), self.market.links.place
        quantity, zero = now["quantities"], np.zeros(adjoint.shape)
        empty = np.full(adjoint.shape, np.nan)
        columns = [now["prices"], quantity, quantity, zero, quantity, zero, now["bid"], empty, adjoint]
        values = np.stack(columns, axis=-1)[:, place]
        keys = {"tick": np.repeat(numbers, len(goods)), "good": np.tile(goods, len(numbers))}
        return Table(keys, tuple(TRAJECTORY), values.reshape(-1, len(TRAJECTORY)))

    def _ticks(self, numbers: NDArray[np.int64], now: dict[str, Array], adjoint: Array) -> Table:
        free = self.free_goods[self.market.links.goods]
        gaps = np.abs(np.concatenate([now["made"] - now["quantities"], now["bid"] - now["prices"]], axis=1))
        residual = np.where(np.isnan(gaps).any(axis=1), np.inf, np.max(np.nan_to_num(gaps), axis=1))
        known = {
            "max_relative_excess_demand": residual,
            "distance_to_adjoint": relative_gap(np.where(free, now["prices"], np.nan), adjoint),
        }
        empty = np.full(len(numbers), np.nan)
        return Table({"tick": numbers}, tuple(TICKS), np.stack([known.get(name, empty) for name in TICKS], axis=1))

    def _agents(self, numbers: NDArray[np.int64], now: dict[str, Array]) -> Table:
        """Of each firm its output and its inputs alone: with each good it has to do with, and what it pays for it."""
        links, who, goods = self.market.links, *self._names()
        count, outlets, edges = len(numbers), len(links.maker), len(links.good)
        made, used = now["made"][:, links.raw :], now["quantities"][:, links.good]
        profit = np.zeros((count, len(links.firms)))
        np.add.at(profit.T, links.maker, (now["prices"][:, links.raw :] * made).T)
        np.subtract.at(profit.T, links.firm, (now["paid"] * used).T)
        values = np.zeros((count, outlets + edges, len(AGENTS) + 1))
        values[:, :outlets, 2], values[:, outlets:, 1] = made, used
        values[:, :outlets, 3], values[:, outlets:, 3] = profit[:, links.maker], profit[:, links.firm]
        values[..., 4] = np.nan
        values[:, :outlets, 6], values[:, outlets:, 6] = np.nan, now["paid"]
        agent = np.concatenate([who[links.maker], who[links.firm]])
        good = np.concatenate([goods[links.raw :], goods[links.good]])
        keys: dict[str, Any] = {
            "tick": np.repeat(numbers, outlets + edges),
            "agent": np.tile(agent, count),
            "kind": np.full(count * (outlets + edges), "firm"),
            "good": np.tile(good, count),
        }
        return Table(keys, (*AGENTS, *USERS), values.reshape(-1, len(AGENTS) + 1))

    def _wedges(self, numbers: NDArray[np.int64], now: dict[str, Array]) -> Table:
        links, who, goods = self.market.links, *self._names()
        keys = {
            "tick": np.repeat(numbers, len(links.good)),
            "firm": np.tile(who[links.firm], len(numbers)),
            "input": np.tile(goods[links.good], len(numbers)),
        }
        values = np.stack([now["bids"], now["paid"], now["bids"] - now["paid"]], axis=-1)
        return Table(keys, tuple(WEDGES), values.reshape(-1, len(WEDGES)))

    def _names(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The names of firms and goods, in the links' order."""
        economy, links = self.market.economy, self.market.links
        return names(economy.firms[place].name for place in links.firms), names(economy.goods)[links.goods]
