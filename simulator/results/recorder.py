"""What is recorded: the columns of the CSVs, worked out for many ticks at once from snapshots of the market.

`Witness.look` asks the references, tick by tick, what they say; `Witness.tables` turns all snapshots since the last
call into tables. A new column is one entry in a table of `simulator.results.columns` and one line here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.cohorts import Looked
from simulator.dynamics.model import MarketModel
from simulator.dynamics.observers import Conservation, walras_residual
from simulator.dynamics.snapshot import Snapshot, Ticks
from simulator.economics.allocation import bids, marginal_products, share_out
from simulator.economics.clearing import as_good_as_free
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.markets import OUTSIDE
from simulator.references.adjoint import adjoints
from simulator.references.judges import Opinion, References, relative_gap
from simulator.results.columns import AGENTS, TICKS, TRADE_TICKS, TRAJECTORY, USERS, WEDGES
from simulator.results.table import Table, names


class Recorded(NamedTuple):
    """What is noted of a recorded tick while it lasts: what the references say, the fraction of plans that a share-out
    would allow `(goods,)` (none with trade in every tick), and what each cohort of consumers did.
    """

    place: int
    opinion: Opinion | None
    fraction: Array | None
    consumers: Sequence[Looked]


class Witness:
    """Keeps snapshots of a market and turns them into tables; `ends` are the last ticks before a shock."""

    def __init__(self, market: MarketModel, references: References | None, ends: Set[int] = frozenset()) -> None:
        self._ends = ends
        self.market, self.economy, self.every_tick = market, market.economy, market.trade.every_tick
        self.free = ~market.rule.fixed
        self.free_goods = market.economy.markets.any(self.free)
        self.references = references
        self.conservation = Conservation(market.economy)
        self.gradient_path_gap = 0.0
        self._most = self._block()
        # Where nobody consumes and nobody judges, a tick that trades leaves nothing to be noted while it lasts.
        self._nobody = references is None and self.every_tick and not market.consumer_cohorts
        self._seen: list[Snapshot] = []
        self._recorded: list[Recorded] = []

    def enter(self, tick: int, economy: Economy) -> None:
        """A regime begins with this tick; what was seen before it has been turned into tables."""
        self.economy = self.conservation.economy = economy
        if self.references is not None:
            self.references.enter(tick, economy)

    def state(self) -> dict[str, Mapping[str, Array]]:
        """What is remembered from tick to tick beside the market: parts of arrays."""
        parts: dict[str, Mapping[str, Array]] = {
            "conservation": self.conservation.state(),
            "witness": {"gradient_path_gap": np.array(self.gradient_path_gap)},
        }
        return parts if self.references is None else {**parts, "path": self.references.path.state()}

    def restore(self, parts: Mapping[str, Mapping[str, Array]]) -> None:
        """Continue from a `state`."""
        self.conservation.restore(parts["conservation"])
        self.gradient_path_gap = float(parts["witness"]["gradient_path_gap"])
        if self.references is not None:
            self.references.path.restore(parts["path"])

    def learnt(self) -> dict[str, Any]:
        """What the summary says of what was learnt: nothing, where nothing is to be learnt."""
        return {}

    @property
    def worst_imbalance(self) -> float:
        """The largest imbalance of goods or money seen."""
        return self.conservation.worst

    def look(self, *, record: bool) -> None:
        """Keep the tick just over for the observers, and for the tables if it is to be recorded."""
        seen = self.market.now
        if record and self._nobody and seen.finite:
            self._recorded.append(Recorded(len(self._seen), None, None, ()))
        elif record:
            fraction = self._share_out(seen) if not (self.every_tick and seen.finite) else None
            judged = self.references is not None
            looked = self.market.look(fraction, objective=judged) if self.market.consumer_cohorts else ()
            opinion = self._opinion(seen) if judged else None
            self._recorded.append(Recorded(len(self._seen), opinion, fraction, looked))
        self._seen.append(seen)

    def _opinion(self, seen: Snapshot) -> Opinion:
        assert self.references is not None
        with np.errstate(all="ignore"):
            return self.references.look(seen.tick, np.asarray(seen.prices), np.asarray(seen.planned_inputs))

    def _share_out(self, seen: Snapshot) -> Array:
        if not seen.finite:
            return np.ones(len(self.economy.goods))
        planned = (seen.planned_inputs, seen.consumers_planned, seen.planned_outputs)
        with np.errstate(all="ignore"):
            return share_out(self.economy, *map(np.asarray, planned))

    @property
    def full(self) -> bool:
        """Whether a block of ticks is complete: a regime, or hundreds, fewer where firms and goods fill tens of MB.

        Arithmetic on arrays of another length may differ in its last bit. Blocks therefore end where the tick's
        number says, never when the clock does, and a resumed run begins at the end of a block: the same bytes every
        time.
        """
        return len(self._seen) >= self._most or self.market.now.tick in self._ends

    def _block(self) -> int:
        """How many ticks make a block."""
        economy = self.economy
        numbers = len(economy.goods) * (len(economy.firms) + len(economy.consumers)) + 8 * len(economy.edge_good)
        return max(1, min(1024, 4_000_000 // numbers))

    def tables(self) -> dict[str, Table]:
        """The tables of all ticks recorded since the last call: trajectory, ticks, agents, wedges."""
        seen, recorded = self._seen, self._recorded
        self._seen, self._recorded = [], []
        whole = Ticks(seen)
        imbalances = self._conserve(seen, whole)
        if not recorded:
            return {}
        ticks = whole if len(recorded) == len(seen) else Ticks([seen[note.place] for note in recorded])
        economy = self.economy
        inputs, consumption = ticks.inputs, ticks.consumption.sum(axis=1)
        if not self.every_tick:
            fraction = np.array([note.fraction for note in recorded if note.fraction is not None])
            inputs, consumption = inputs * fraction[:, economy.edge_good], consumption * fraction
        bid_worth, objective = self._worth(recorded)
        with np.errstate(all="ignore"):
            products = marginal_products(economy, ticks.prices, inputs)
            bid = bids(economy, ticks.prices, inputs, consumption, products, bid_worth)
            adjoint = gradient_price = np.full(ticks.prices.shape, np.nan)
            if self.references is not None:
                adjoint = adjoints(economy, inputs, consumption, products, objective)
                gradient_price = np.array(
                    [note.opinion.gradient_price for note in recorded if note.opinion is not None]
                )
            walras = walras_residual(economy, ticks)
        broken = ticks.finite == 0
        bid[broken], walras[broken] = np.nan, np.nan
        inventory, traded = economy.over_outlets(ticks.stock), self._traded(ticks)
        quantities = (ticks.demand, ticks.supply, ticks.demand - ticks.supply, traded, inventory)
        markets = economy.markets
        quantities = [markets.each(quantity, ticks.prices) for quantity in quantities]
        if markets.separate:
            # The outside, too, is a user of a good that is not rival: its bid is its price.
            buys = np.isin(np.arange(bid.shape[-1]), markets.of_user(OUTSIDE))
            bid = np.where(buys & ~broken[:, None], ticks.prices, bid)
        values = [markets.together(value) for value in (bid, gradient_price, adjoint)]
        scalars = [ticks.residual, walras]
        scalars += self._scalars(ticks, [note.opinion for note in recorded], gradient_price, adjoint)
        if self.every_tick:
            scalars.append(ticks.money.sum(axis=-1))
            scalars += list(imbalances[:, [note.place for note in recorded]])
        numbers = ticks.tick
        return {
            "trajectory": self._trajectory(numbers, [markets.together(ticks.prices), *quantities, *values]),
            "ticks": Table(
                {"tick": numbers}, (*TICKS, *(TRADE_TICKS if self.every_tick else ())), np.stack(scalars, axis=1)
            ),
            "agents": self._agents(numbers, ticks, recorded),
            "wedges": self._wedges(numbers, ticks, inputs, products),
        }

    def _worth(self, recorded: list[Recorded]) -> tuple[Array, Array]:
        """What consumers bid for all they use, and what it adds to the objective, `(ticks, goods)` each."""
        totals = np.zeros((2, len(recorded), len(self.economy.goods)))
        for tick, note in enumerate(recorded):
            for cohort in note.consumers:
                totals[:, tick] += cohort.worth
        return totals[0], totals[1]

    def _conserve(self, seen: list[Snapshot], ticks: Ticks) -> Array:
        """Relative imbalances of goods and of money, `(2, ticks)`; not a number in a last tick without finite plans."""
        imbalances = np.full((2, len(seen)), np.nan)
        if self.every_tick and seen:
            traded = len(seen) if seen[-1].finite else len(seen) - 1
            if traded:
                imbalances[:, :traded] = self.conservation.look(ticks if traded == len(seen) else Ticks(seen[:-1]))
        return imbalances

    def _traded(self, ticks: Ticks) -> Array:
        """What changed hands, `(ticks, goods)`; with the outside, the larger of all that was bought and all that was
        sold.
        """
        economy, made = self.economy, ticks.delivered
        bought = economy.over_edges(ticks.bought) + economy.over_outlets(np.maximum(-made, 0.0))
        sold = ticks.supply_sold + economy.over_outlets(np.maximum(made, 0.0))
        bought, sold = bought + ticks.consumers_bought.sum(axis=1), sold + ticks.consumers_sold.sum(axis=1)
        return np.where(economy.is_outside & self.every_tick, np.maximum(bought, sold), ticks.traded)

    def _scalars(
        self, ticks: Ticks, opinions: list[Opinion | None], gradient_price: Array, adjoint: Array
    ) -> list[Array]:
        """Columns of ticks.csv from `potential` to `dominant_mode`, `(ticks,)` each."""
        nothing = np.full(len(opinions), np.nan)
        if self.references is None:
            return [nothing] * (len(TICKS) - 2)
        said = [opinion for opinion in opinions if opinion is not None]
        with np.errstate(all="ignore"):
            columns = self.references.columns(said, ticks.prices, ticks.next_prices, ticks.demand, ticks.supply)
            columns |= self.references.diagnoses(ticks.tick, ticks.prices, ticks.next_prices, ticks.planned_inputs)
            told = self.free & ~as_good_as_free(ticks.prices, ticks.demand, ticks.supply)
        to_path = relative_gap(ticks.prices, gradient_price)
        self.gradient_path_gap = float(np.fmax(self.gradient_path_gap, np.fmax.reduce(to_path, initial=0.0)))
        columns |= {
            "distance_to_gradient_path": to_path,
            "distance_to_adjoint": relative_gap(np.where(told, ticks.prices, np.nan), adjoint),
        }
        return [columns[name] for name in list(TICKS)[2:]]

    def _trajectory(self, numbers: Array, columns: list[Array]) -> Table:
        goods = names(self.economy.markets.goods)
        keys = {"tick": np.repeat(numbers, len(goods)), "good": np.tile(goods, len(numbers))}
        return Table(keys, tuple(TRAJECTORY), np.stack(columns, axis=-1).reshape(-1, len(TRAJECTORY)))

    def _agents(self, numbers: Array, ticks: Ticks, recorded: list[Recorded]) -> Table:
        """Firms, then consumers; a cohort of several as their mean and their total."""
        economy, markets = self.economy, self.economy.markets
        count, goods, firms = len(numbers), len(markets.goods), len(economy.firms)
        totals = np.full((count, firms + len(economy.consumers), goods, len(AGENTS)), np.nan)
        totals[..., :3] = 0.0
        for number, (firm, rows, edges) in enumerate(
            zip(economy.firms, economy.firm_rows, economy.edge_rows, strict=True)
        ):
            uses = ticks.inputs[:, edges].reshape(count, firm.rows, -1).sum(axis=1)
            totals[:, number, markets.good[list(firm.inputs)], 1] = uses
            outlets = ticks.stock[:, economy.outlet_rows[number]].reshape(count, firm.rows, -1).sum(axis=1)
            stock = np.zeros(ticks.prices.shape)
            stock[:, list(firm.outputs)] = outlets
            totals[:, number, :, 0] = markets.each(stock, ticks.prices)
            totals[:, number, markets.good[list(firm.outputs)], 2] = ticks.outputs[:, rows].sum(axis=1)[:, None]
            totals[:, number, :, 3] = ticks.cash_flow[:, rows].sum(axis=1)[:, None]
            totals[:, number, :, 5] = 0.0
        totals[:, firms:, :, 0], totals[:, firms:, :, 5] = markets.added(ticks.consumption), ticks.money[..., None]
        for tick, note in enumerate(recorded):
            for number, cohort in enumerate(note.consumers, firms):
                totals[tick, number, :, 1] = markets.added(cohort.bought)
                totals[tick, number, :, 2] = markets.each(cohort.sold, ticks.prices[tick])
                totals[tick, number, :, 4] = cohort.utility
        who, kinds, entries, shares = agents(economy)
        values = totals[:, entries] * shares[:, None, None]
        if markets.separate:
            values = np.concatenate([values, self._pays(ticks.prices)[:, entries, :, None]], axis=-1)
        keys = {
            "tick": np.repeat(numbers, len(who) * goods),
            "agent": np.tile(np.repeat(who, goods), count),
            "kind": np.tile(np.repeat(kinds, goods), count),
            "good": np.tile(names(markets.goods), len(who) * count),
        }
        columns = (*AGENTS, *(USERS if markets.separate else ()))
        return Table(keys, columns, values.reshape(-1, len(columns)))

    def _pays(self, prices: Array) -> Array:
        """What each entry of firms and consumers pays for a unit of each good that is not rival and that it uses,
        `(ticks, entries, goods)`.
        """
        economy, markets = self.economy, self.economy.markets
        place = {entry.name: at for at, entry in enumerate((*economy.firms, *economy.consumers))}
        pays = np.full((len(prices), len(place), len(markets.goods)), np.nan)
        for good, places in enumerate(markets.places):
            for user, at in places.items():
                if user in place:
                    pays[:, place[user], good] = prices[:, at]
        return pays

    def _wedges(self, numbers: Array, ticks: Ticks, inputs: Array, products: Array) -> Table:
        """`p_out df/dx_i - p_i` of each firm and input, with its two parts; of several firms the mean weighted by what
        they use.
        """
        economy = self.economy
        with np.errstate(all="ignore"):
            earned = economy.output_price(ticks.prices)[:, economy.edge_firm] * products
        firms = [(number, good) for number, firm in enumerate(economy.firms) for good in firm.inputs]
        means: list[Array] = []
        for firm, edges in zip(economy.firms, economy.edge_rows, strict=True):
            value = earned[:, edges].reshape(len(numbers), firm.rows, -1)
            means.append(value[:, 0] if firm.rows == 1 else _mean(value, inputs[:, edges].reshape(value.shape)))
        earned = np.concatenate([*means, np.zeros((len(numbers), 0))], axis=1)
        used = np.array([good for _, good in firms], dtype=np.intp)
        paid = ticks.prices[:, used]
        who = names(firm.name for firm in economy.firms)[[number for number, _ in firms]]
        keys = {
            "tick": np.repeat(numbers, len(firms)),
            "firm": np.tile(who, len(numbers)),
            "input": np.tile(names(economy.markets.goods)[economy.markets.good[used]], len(numbers)),
        }
        with np.errstate(invalid="ignore"):
            values = np.stack([earned, paid, earned - paid], axis=-1)
        return Table(keys, tuple(WEDGES), values.reshape(-1, len(WEDGES)))


def agents(economy: Economy) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp], Array]:
    """Who stands in agents.csv: names, kinds, which entry of firms and consumers each is, and what to multiply the
    entry's total by: a single agent by its name, a cohort as `name:mean` and `name:total`.
    """
    rows: list[tuple[str, str, int, float]] = []
    kinds = ("firm",) * len(economy.firms) + ("consumer",) * len(economy.consumers)
    for number, (kind, entry) in enumerate(zip(kinds, (*economy.firms, *economy.consumers), strict=True)):
        if entry.count == 1:
            rows.append((entry.name, kind, number, 1.0))
        else:
            rows += [
                (f"{entry.name}:mean", kind, number, 1.0 / entry.count),
                (f"{entry.name}:total", kind, number, 1.0),
            ]
    who, kind, number, share = zip(*rows, strict=True)
    return names(who), names(kind), np.array(number, dtype=np.intp), np.array(share)


def _mean(values: Array, weights: Array) -> Array:
    """Mean over the firms, `(ticks, inputs)` of `(ticks, firms, inputs)`, of those who use any, weighted by use."""
    weights = np.where(np.isfinite(values), weights, 0.0)
    total = weights.sum(axis=1)
    weighted = np.sum(np.where(weights > 0, values, 0.0) * weights, axis=1)
    return np.divide(weighted, total, out=np.full(total.shape, np.nan), where=total > 0)
