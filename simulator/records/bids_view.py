"""What is recorded of a market of marginal bids: quantities that flow down, and bids that come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.bids_tick import BidsState, BidsTick
from simulator.dynamics.transition import Transition
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.links import Links
from simulator.records.market_facts import objective
from simulator.records.recorder import Rows, View
from simulator.records.table import names
from simulator.references.judges import relative_gap
from simulator.sentences import BIDS, Facts

if TYPE_CHECKING:
    from simulator.dynamics.verdicts import Verdict


class BidsNote(NamedTuple):
    """A tick, and the derivative of the result with respect to every good at its quantities `(goods,)`."""

    tick: BidsTick
    adjoint: Array


class BidsView(View[BidsState, BidsTick, BidsNote]):
    """Quantities that flow down and bids that come back, each beside the derivative of the result at the quantities of
    the same tick, by a full reverse sweep (if it `sweeps`).
    """

    sentences = BIDS

    def __init__(self, links_of: Callable[[Economy], Links], economy: Economy, *, sweeps: bool) -> None:
        self.links_of, self.economy, self.sweeps = links_of, economy, sweeps
        links = self.links
        self.free_goods = (~links.is_result & links.reaches)[links.place]

    @property
    def links(self) -> Links:
        return self.links_of(self.economy)

    def change_economy(self, tick: int, economy: Economy) -> None:
        self.economy = economy

    def note(self, now: Transition[BidsState, BidsTick], *, record: bool) -> BidsNote | None:
        if not record:
            return None
        with np.errstate(all="ignore"):
            adjoint = self.links.adjoint(now.tick.slopes) if self.sweeps else np.full(len(self.links.goods), np.nan)
            return BidsNote(now.tick, adjoint)

    def rows(self, notes: Sequence[BidsNote]) -> dict[str, Callable[[], Rows]]:
        columns = zip(*(note.tick for note in notes), strict=True)
        ticks: Any = BidsTick._make(map(np.array, columns))
        adjoint = np.array([note.adjoint for note in notes])
        return {
            "trajectory": lambda: self._trajectory(ticks, adjoint),
            "ticks": lambda: self._ticks(ticks, adjoint),
            "agents": lambda: self._agents(ticks),
            "wedges": lambda: self._wedges(ticks),
        }

    def _trajectory(self, ticks: Any, adjoint: Array) -> Rows:
        place, zero = self.links.place, np.zeros(adjoint.shape)
        quantity = ticks.quantities[:, place]
        known = {"price": ticks.prices[:, place], "demand": quantity, "supply": quantity, "traded": quantity}
        known |= {"excess_demand": zero, "inventory": zero, "bid": ticks.bid[:, place], "adjoint": adjoint[:, place]}
        return Rows(ticks.tick, {"good": names(self.economy.goods)}, known)

    def _ticks(self, ticks: Any, adjoint: Array) -> Rows:
        free = self.free_goods[self.links.goods]
        gaps = np.abs(np.concatenate([ticks.made - ticks.quantities, ticks.bid - ticks.prices], axis=1))
        known = {
            "max_relative_excess_demand": np.where(np.isnan(gaps).any(axis=1), np.inf, np.max(gaps, axis=1)),
            "distance_to_adjoint": relative_gap(np.where(free, ticks.prices, np.nan), adjoint),
        }
        return Rows(ticks.tick, {}, known)

    def _agents(self, ticks: Any) -> Rows:
        """Of each firm its output and its inputs alone: with each good it has to do with, and what it pays for it."""
        links, who, goods = self.links, *self._names()
        made, used = ticks.made[:, links.raw :], ticks.quantities[:, links.good]
        profit = np.zeros((len(ticks.tick), len(links.firms)))
        np.add.at(profit.T, links.maker, (ticks.prices[:, links.raw :] * made).T)
        np.subtract.at(profit.T, links.firm, (ticks.paid * used).T)
        agents = np.concatenate([links.maker, links.firm])
        sold, bought = np.zeros(made.shape), np.zeros(used.shape)
        zero = np.zeros((len(ticks.tick), len(agents)))
        known = {
            "quantity": zero,
            "input": np.concatenate([sold, used], axis=1),
            "output": np.concatenate([made, bought], axis=1),
            "profit": profit[:, agents],
            "money": zero,
            "pays": np.concatenate([np.full(sold.shape, np.nan), ticks.paid], axis=1),
        }
        good = np.concatenate([goods[links.raw :], goods[links.good]])
        return Rows(ticks.tick, {"agent": who[agents], "kind": np.full(len(agents), "firm"), "good": good}, known)

    def _wedges(self, ticks: Any) -> Rows:
        links, who, goods = self.links, *self._names()
        known = {"marginal_revenue_product": ticks.bids, "price": ticks.paid, "wedge": ticks.bids - ticks.paid}
        return Rows(ticks.tick, {"firm": who[links.firm], "input": goods[links.good]}, known)

    def _names(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The names of firms and goods, in the links' order."""
        economy, links = self.economy, self.links
        return names(economy.firms[place].name for place in links.firms), names(economy.goods)[links.goods]

    def facts(self, verdict: Verdict, now: Transition[BidsState, BidsTick], last: Mapping[str, float]) -> Facts:
        return {"adjoint_gap": last.get("distance_to_adjoint"), "objective": objective(self.economy)}
