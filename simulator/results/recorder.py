"""What is recorded: the columns of the CSVs, worked out for many ticks at once from snapshots of the market.

`Witness.look` asks the references, tick by tick, what they say; `Witness.tables` turns all snapshots since the last
call into tables. A new column is one entry in a table of meanings and one line here.
"""

from __future__ import annotations

import numpy as np

from simulator.dynamics.model import MarketModel
from simulator.dynamics.observers import Conservation, walras_residual
from simulator.dynamics.snapshot import Snapshot, Ticks
from simulator.economics.allocation import Allocation, bids, marginal_products, share_out
from simulator.economics.forms import Array
from simulator.references.adjoint import adjoints
from simulator.references.judges import Opinion, References, relative_gap
from simulator.results.table import Table, names

TRAJECTORY = {
    "price": "the market's price, numeraire per unit",
    "demand": "planned demand at that price, per tick; the outside's part included",
    "supply": "planned supply at that price, per tick; the outside's part included",
    "excess_demand": "demand - supply: the signal that moves the price",
    "traded": "what really changed hands in this tick (0 while trade waits for equilibrium)",
    "inventory": "what lies in the firms' stock after the tick",
    "bid": "flow-weighted mean of the users' marginal values at the quantities used: one local step of backprop",
    "gradient_price": "the gradient-descent path's price at the same tick, same start, same rule",
    "adjoint": "derivative of the objective with respect to the quantity used, by a full reverse sweep",
}
"""Columns of trajectory.csv after `tick` and `good`, with their meaning."""

TICKS = {
    "max_relative_excess_demand": "largest max(z/s, p|z|/sum(p s)) over goods whose price may move",
    "walras_residual": "value of planned net orders not covered by planned money, relative to sum(p s)",
    "potential": "the convex function whose gradient is minus excess demand, where one exists",
    "merit": "z' G^-1 z / (2 p.s), G = diag(s/p): half the squared excess demand in the value metric",
    "cosine_to_gradient": "cosine between the price motion and minus the gradient of the potential (or merit)",
    "distance_to_gradient_path": "largest relative gap between price and gradient_price",
    "distance_to_equilibrium": "largest relative gap between price and the nearest equilibrium's",
    "distance_to_adjoint": "largest relative gap between price and adjoint",
    "rotation_index": "antisymmetric part of the whitened Jacobian; not computed yet, always empty",
}
"""Columns of ticks.csv after `tick`, with their meaning."""

TRADE_TICKS = {
    "money": "sum of the consumers' accounts after the tick",
    "goods_imbalance": "largest |bought - sold| of a good relative to what is bought",
    "money_imbalance": "|sum of all changes of purses| relative to the tick's turnover",
}
"""Further columns of ticks.csv where agents trade in every tick."""

AGENTS = {
    "quantity": "consumed by a consumer; in stock after the tick with a firm",
    "input": "used by a firm; bought by a consumer",
    "output": "made by a firm; sold by a consumer",
    "profit": "a firm's cash flow of the tick, paid out in full (planned profit while trade waits)",
    "utility": "a consumer's utility of what it consumed",
    "money": "what is left in the agent's account",
}
"""Columns of agents.csv after `tick`, `agent`, `kind` and `good`, with their meaning; the last three are repeated."""

WEDGES = {
    "marginal_revenue_product": "p_out df/dx_i of a firm's input at the quantities used",
    "price": "the input's price",
    "wedge": "their difference: positive where the firm would use more if it could have it",
}
"""Columns of wedges.csv after `tick`, `firm` and `input`, with their meaning."""


class Witness:
    """Keeps snapshots of a market and turns them into tables."""

    def __init__(self, market: MarketModel, references: References | None) -> None:
        self.economy, self.every_tick = market.economy, market.trade.every_tick
        self.free = ~market.rule.fixed
        self.references = references
        self.conservation = Conservation(market.economy)
        self.gradient_path_gap = 0.0
        self._seen: list[Snapshot] = []
        self._recorded: list[tuple[int, Opinion | None]] = []

    def look(self, seen: Snapshot, *, record: bool) -> None:
        """Keep a tick for the observers, and for the tables if it is to be recorded."""
        if record:
            self._recorded.append((len(self._seen), self._opinion(seen)))
        self._seen.append(seen)

    def _opinion(self, seen: Snapshot) -> Opinion | None:
        if self.references is None:
            return None
        with np.errstate(all="ignore"):
            return self.references.look(seen.tick, np.asarray(seen.prices), np.asarray(seen.planned_inputs))

    @property
    def full(self) -> bool:
        """Whether a block of ticks is complete: hundreds, fewer where consumers fill tens of MB.

        Arithmetic on arrays of another length may differ in its last bit. Blocks therefore end where the tick's
        number says, never when the clock does, and a resumed run begins at the end of a block: the same bytes every
        time.
        """
        return len(self._seen) >= max(1, min(1024, 4_000_000 // max(self.economy.endowment.size, 1)))

    def tables(self) -> dict[str, Table]:
        """The tables of all ticks recorded since the last call: trajectory, ticks, agents, wedges."""
        seen, recorded = self._seen, self._recorded
        self._seen, self._recorded = [], []
        whole = Ticks(seen)
        imbalances = self._conserve(seen, whole)
        if not recorded:
            return {}
        ticks = whole if len(recorded) == len(seen) else Ticks([seen[i] for i, _ in recorded])
        economy = self.economy
        allocation = Allocation(ticks.inputs, ticks.consumption)
        if not self.every_tick:
            allocation = share_out(economy, allocation, ticks.outputs)
        with np.errstate(all="ignore"):
            products = marginal_products(economy, allocation.inputs)
            bid = bids(economy, ticks.prices, allocation, products, ticks.spending)
            adjoint = gradient_price = np.full(ticks.prices.shape, np.nan)
            if self.references is not None:
                adjoint = adjoints(economy, ticks.prices, allocation, products, ticks.spending)
                gradient_price = np.array([o.gradient_price for _, o in recorded if o is not None])
            walras = walras_residual(economy, ticks)
        broken = ticks.finite == 0
        bid[broken], walras[broken] = np.nan, np.nan
        inventory, traded = economy.over_firms(ticks.stock), self._traded(ticks)
        goods = (ticks.prices, ticks.demand, ticks.supply, ticks.demand - ticks.supply, traded, inventory)
        scalars = [ticks.residual, walras]
        scalars += self._scalars(ticks, [o for _, o in recorded], gradient_price, adjoint)
        if self.every_tick:
            scalars.append(ticks.account.sum(axis=-1))
            scalars += list(imbalances[:, [place for place, _ in recorded]])
        numbers = ticks.tick
        return {
            "trajectory": self._trajectory(numbers, [*goods, bid, gradient_price, adjoint]),
            "ticks": Table(
                {"tick": numbers}, (*TICKS, *(TRADE_TICKS if self.every_tick else ())), np.stack(scalars, axis=1)
            ),
            "agents": self._agents(numbers, ticks),
            "wedges": self._wedges(numbers, ticks, products),
        }

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
        bought = economy.over_edges(ticks.bought) + economy.over_firms(np.maximum(-made, 0.0))
        sold = ticks.supply_sold + economy.over_firms(np.maximum(made, 0.0))
        bought, sold = bought + ticks.consumers_bought.sum(axis=1), sold + ticks.consumers_sold.sum(axis=1)
        return np.where(economy.is_outside & self.every_tick, np.maximum(bought, sold), ticks.traded)

    def _scalars(
        self, ticks: Ticks, opinions: list[Opinion | None], gradient_price: Array, adjoint: Array
    ) -> list[Array]:
        """Columns of ticks.csv from `potential` to `rotation_index`, `(ticks,)` each."""
        nothing = np.full(len(opinions), np.nan)
        if self.references is None:
            return [nothing] * (len(TICKS) - 2)
        said = [opinion for opinion in opinions if opinion is not None]
        with np.errstate(all="ignore"):
            scale = np.maximum(ticks.demand, ticks.supply)
            columns = self.references.columns(said, ticks.prices, ticks.next_prices, scale)
        to_path = relative_gap(ticks.prices, gradient_price)
        self.gradient_path_gap = float(np.fmax(self.gradient_path_gap, np.fmax.reduce(to_path, initial=0.0)))
        columns |= {
            "distance_to_gradient_path": to_path,
            "distance_to_adjoint": relative_gap(ticks.prices[:, self.free], adjoint[:, self.free]),
            "rotation_index": nothing,
        }
        return [columns[name] for name in list(TICKS)[2:]]

    def _trajectory(self, numbers: Array, columns: list[Array]) -> Table:
        goods = names(self.economy.goods)
        keys = {"tick": np.repeat(numbers, len(goods)), "good": np.tile(goods, len(numbers))}
        return Table(keys, tuple(TRAJECTORY), np.stack(columns, axis=-1).reshape(-1, len(TRAJECTORY)))

    def _agents(self, numbers: Array, ticks: Ticks) -> Table:
        """Firms, then consumers."""
        economy = self.economy
        count, firms, agents, goods = len(numbers), len(economy.output_good), len(economy.budget), len(economy.goods)
        values = np.full((count, firms + agents, goods, len(AGENTS)), np.nan)
        values[..., :3] = 0.0
        makes, uses = (np.arange(firms), economy.output_good), (economy.edge_firm, economy.edge_good)
        values[:, *makes, 0], values[:, *uses, 1], values[:, *makes, 2] = ticks.stock, ticks.inputs, ticks.outputs
        values[:, :firms, :, 3], values[:, :firms, :, 5] = ticks.cash_flow[..., None], 0.0
        values[:, firms:, :, 0] = ticks.consumption
        values[:, firms:, :, 1], values[:, firms:, :, 2] = ticks.consumers_bought, ticks.consumers_sold
        for cohort, rows in zip(economy.consumers, economy.consumer_rows, strict=True):
            utility = cohort.utility.utility(ticks.consumption[:, rows], ticks.paid[:, rows])
            values[:, firms + rows.start : firms + rows.stop, :, 4] = utility[..., None]
        values[:, firms:, :, 5] = ticks.account[..., None]
        who = names(entry.name for entry in (*economy.firms, *economy.consumers))
        keys = {
            "tick": np.repeat(numbers, len(who) * goods),
            "agent": np.tile(np.repeat(who, goods), count),
            "kind": np.tile(np.repeat(names(("firm", "consumer")), (firms * goods, agents * goods)), count),
            "good": np.tile(names(economy.goods), len(who) * count),
        }
        return Table(keys, tuple(AGENTS), values.reshape(-1, len(AGENTS)))

    def _wedges(self, numbers: Array, ticks: Ticks, products: Array) -> Table:
        """`p_out df/dx_i - p_i` of each firm and input, with its two parts."""
        economy = self.economy
        earned = ticks.prices[:, economy.output_good[economy.edge_firm]] * products
        paid = ticks.prices[:, economy.edge_good]
        firms = names(firm.name for firm in economy.firms)[economy.firm_entry[economy.edge_firm]]
        keys = {
            "tick": np.repeat(numbers, len(firms)),
            "firm": np.tile(firms, len(numbers)),
            "input": np.tile(names(economy.goods)[economy.edge_good], len(numbers)),
        }
        return Table(keys, tuple(WEDGES), np.stack([earned, paid, earned - paid], axis=-1).reshape(-1, len(WEDGES)))
