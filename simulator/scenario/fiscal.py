"""Taxes and transfers of a valid scenario, as the economy knows them: by edges, outlets and purchases."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.economics.economy import Economy
from simulator.economics.firm_layout import Indices
from simulator.economics.fiscal import Fiscal, Instrument, Kept, Tax, Transfer
from simulator.economics.user_markets import UserMarkets
from simulator.kinds.distributions import Array
from simulator.kinds.draws import DrawError
from simulator.scenario import fiscal_keys
from simulator.scenario.fiscal_keys import Adjust, Adjusting, KeptPath, listed_names
from simulator.scenario.schema import ScenarioFile


def fiscal_of(model: ScenarioFile, markets: UserMarkets, economy: Economy) -> Fiscal | None:
    """The taxes and transfers of a scenario in its `economy` without them; None where there are none. Raises
    `DrawError` where a rate cannot keep what it should.
    """
    if not model.taxes and not model.transfers:
        return None
    build = _Builder(model, markets, economy)
    taxes, transfers = tuple(map(build.tax, model.taxes)), tuple(map(build.transfer, model.transfers))
    return Fiscal(len(economy.goods), len(model.consumers), taxes, transfers, build.numeraire)


class _Builder:
    def __init__(self, model: ScenarioFile, markets: UserMarkets, economy: Economy) -> None:
        self.model, self.markets, self.economy = model, markets, economy
        self.firms = [firm.name for firm in model.firms]
        self.consumers = [consumer.name for consumer in model.consumers]
        self.taxes = [tax.name for tax in model.taxes]
        sold = [] if model.numeraire is None else markets.sold(model.numeraire)
        # Of a numeraire that is not rival each user pays a part.
        self.numeraire = sold[0][0] if len(sold) == 1 else None

    def tax(self, said: fiscal_keys.Tax) -> Tax:
        """A tax on each flow of the agents and goods that it names, or of all."""
        layout, none = self.economy, np.zeros(0, dtype=np.intp)
        firms = _chosen(self.firms, listed_names(said.of))[layout.firm_entry]
        goods = _chosen(self.markets.goods, listed_names(said.good))[self.markets.good]
        used = firms[layout.edge_firm] & goods[layout.edge_good]
        made = firms[layout.outlet_firm] & goods[layout.outlet_good]
        return Tax(
            said.name,
            said.first_rate,
            self._shares(said.shares),
            edges=np.flatnonzero(used) if said.on in ("input", "sales") else none,
            outlets=np.flatnonzero(made) if said.on == "output" else none,
            purchases=self._purchases(said) if said.on in ("consumption", "sales") else none.reshape(0, 2),
            net=said.base == "net",
            instrument=self._instrument(said.name, said.rate.adjust) if isinstance(said.rate, Adjusting) else None,
        )

    def _purchases(self, said: fiscal_keys.Tax) -> Indices:
        """The cohort and the market of each purchase that is taxed, `(n, 2)`."""
        consumers, goods = _chosen(self.consumers, listed_names(said.of)), listed_names(said.good)
        bought = [
            (cohort, self.markets.bought(good, consumer.name))
            for cohort, consumer in enumerate(self.model.consumers)
            for good in sorted(consumer.uses)
            if consumers[cohort] and (goods is None or good in goods)
        ]
        return np.array(bought, dtype=np.intp).reshape(-1, 2)

    def transfer(self, said: fiscal_keys.Transfer) -> Transfer:
        """A share of income, or an amount: of the numeraire, if there is one, and else of money."""
        goods, money = np.zeros(len(self.markets.goods)), 0.0
        amount = said.amount
        if isinstance(amount, fiscal_keys.Worth):
            goods[self.markets.goods.index(amount.good)] = amount.amount
        elif amount is not None and self.model.numeraire is not None:
            goods[self.markets.goods.index(self.model.numeraire)] = amount
        else:
            money = amount or 0.0
        sender, to = self.consumers.index(said.sender), self._shares({said.to: 1.0})
        return Transfer(sender, to, said.share or 0.0, self.markets.spread(goods), money)

    def _shares(self, shares: dict[str, float]) -> Array:
        """Shares of consumers, `(cohorts,)`; those that sum to more than 1 by rounding only are scaled to 1."""
        each = np.array([shares.get(name, 0.0) for name in self.consumers])
        return each / max(1.0, each.sum())

    def _instrument(self, tax: str, adjust: Adjust) -> Instrument:
        path = f"taxes.{tax}.rate.adjust.keep"
        names = {"firms": self.firms, "consumers": self.consumers, "taxes": self.taxes}
        said = KeptPath.of(adjust.keep, names, self.markets.goods)
        assert said is not None
        kind, name, good = said
        room = {"level": self.firms, "revenue": self.taxes}.get(kind, self.consumers)
        if kind == "level" and not self.economy.constant_returns[self.firms.index(name)]:
            found = f"found {adjust.keep}, but {name} has no level, as its returns are not constant"
            raise DrawError(path, f"{found}; expected a firm with constant returns, or another path")
        if kind == "price" and len(self.markets.sold(good)) > 1:
            found = f"found {adjust.keep}, but {good} is not rival and each user has a price of its own"
            raise DrawError(path, f"{found}; expected another good")
        market = self.markets.bought(good, name) if good else -1
        kept = Kept(kind, room.index(name) if name else -1, market)
        return Instrument(kept, adjust.at, adjust.start, adjust.speed)


def _chosen(names: Sequence[str], chosen: Collection[str] | None) -> NDArray[np.bool_]:
    """Which of some names are chosen, `(names,)`; all where none is."""
    return np.array([chosen is None or name in chosen for name in names], dtype=bool)
