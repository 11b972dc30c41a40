"""Entropic mirror descent in a Fisher market, with which proportional response at trading posts is compared.

Buyers `i` with CES tastes, weights `w` and `rho_i = 1 - 1/elasticity` between 0 and 1 spend budgets by bids `b_ij`.
Their step is the mirror step `b_ij ~ b_ij exp(-rho_i dPhi/db_ij)`, rows of the sum of the budget, on

    Phi = - sum (b_ij/rho_i) ln( w_ij b_ij^(rho_i - 1) / p_j^rho_i ),      p_j = sum_i b_ij / s_j.

Source: Birnbaum, Devanur, Xiao (2011); Cheung, Cole, Tao (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from simulator.economics import forms
from simulator.economics.economy import Economy
from simulator.economics.forms import Array


class NoPath:
    """Where prices are compared with nothing: no numbers."""

    kind: ClassVar = "none"

    def __init__(self, prices: Array) -> None:
        self.tick, self.prices = 0, np.full(len(prices), np.nan)

    def advance(self, tick: int) -> Array:
        """The prices at a tick, `(goods,)`."""
        self.tick = tick
        return self.prices

    def change_economy(self, economy: Economy, reference: Any) -> None:
        """Go on in another economy."""

    def move(self, moved: Callable[[Array], Array]) -> None:
        """Prices are what is bid: they are not moved."""

    def state(self) -> dict[str, Array]:
        return {"tick": np.asarray(self.tick), "prices": self.prices}

    def restore(self, state: Mapping[str, Array]) -> None:
        self.tick, self.prices = int(state["tick"]), state["prices"]


class MirrorPath(NoPath):
    """Prices of buyers who descend `Phi`; no numbers where the economy is no Fisher market of such buyers."""

    kind: ClassVar = "mirror"

    def __init__(self, economy: Economy, prices: Array) -> None:
        super().__init__(prices)
        self.economy = economy
        self.applies = _is_fisher(economy)
        self.bids: tuple[Array, ...] = ()
        if self.applies:
            self.prices = prices
            self.bids = tuple(
                cohort.budget[:, None] * prices * cohort.utility.form.log_cost_gradient(prices)
                for cohort in economy.consumers
            )

    def advance(self, tick: int) -> Array:
        while self.applies and self.tick < tick:
            self._descend()
        return super().advance(tick)

    def change_economy(self, economy: Economy, reference: Any) -> None:
        self.economy, self.applies = economy, self.applies and _is_fisher(economy)
        self.prices = self.prices if self.applies else np.full(len(self.prices), np.nan)

    @np.errstate(all="ignore")
    def _descend(self) -> None:
        """The step from the bids of the last tick (but in the first), then the prices that they are."""
        if self.tick:
            stepped = list[Array]()
            for cohort, bids in zip(self.economy.consumers, self.bids, strict=True):
                form: Any = cohort.utility.form
                rho = (1.0 - 1.0 / form.elasticity)[:, None]
                slopes = slope(bids, form, self.prices)
                least = np.min(np.where(bids > 0, rho * slopes, np.inf), axis=1, keepdims=True)
                moved = np.where(bids > 0, bids * np.exp(least - rho * slopes), 0.0)
                stepped.append(cohort.budget[:, None] * moved / moved.sum(axis=1, keepdims=True))
            self.bids = tuple(stepped)
        totals = [cohort.total(bids) for cohort, bids in zip(self.economy.consumers, self.bids, strict=True)]
        self.prices, self.tick = sum(totals, np.zeros(len(self.prices))) / self.economy.supply, self.tick + 1

    def state(self) -> dict[str, Array]:
        return {**super().state(), **{f"bids{place}": bids for place, bids in enumerate(self.bids)}}

    def restore(self, state: Mapping[str, Array]) -> None:
        super().restore(state)
        self.bids = tuple(state[f"bids{place}"] for place in range(len(self.bids)))


def slope(bids: Array, form: Any, prices: Array) -> Array:
    """`dPhi/db` of bids `(rows, goods)` at the `prices` `(goods,)` that all bids make, up to a number for each row."""
    rho = (1.0 - 1.0 / form.elasticity)[:, None]
    weights = (1.0 - rho) * np.log(form.shares)
    return -(weights + (rho - 1.0) * np.log(bids) - rho * np.log(prices)) / rho


def potential(bids: Array, form: Any, prices: Array) -> Array:
    """What each row of bids `(rows, goods)` adds to `Phi`, `(rows,)`."""
    rho = 1.0 - 1.0 / form.elasticity
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = (1.0 - rho)[:, None] * np.log(form.shares) + (rho - 1.0)[:, None] * np.log(bids)
        return -np.where(bids > 0, bids * (logs - rho[:, None] * np.log(prices)), 0.0).sum(axis=1) / rho


def _is_fisher(economy: Economy) -> bool:
    """Whether all there is are supplies that nobody owns, and CES buyers of elasticities above 1 with budgets."""
    return (
        not economy.firms
        and bool((economy.supply > 0).all())
        and all(
            isinstance(form := cohort.utility.form, forms.CES)
            and bool((form.elasticity > 1.0).all())
            and not cohort.endowment.any()
            for cohort in economy.consumers
        )
    )
