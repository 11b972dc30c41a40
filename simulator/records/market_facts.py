"""What the sentence of a run says of a market beside its judges, as facts: which equilibrium, what prices mean, which
path.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.dynamics.market_tick import MarketState, MarketTick
from simulator.dynamics.transition import Transition
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.references.judges import References, relative_gap
from simulator.sentences import FOLLOWS, SETTLES, Facts, names

if TYPE_CHECKING:
    from simulator.dynamics.verdicts import Verdict

REFERENCES = {
    "potential": "the potential",
    "merit": "the merit (squared excess demand)",
    "saddle": "the saddle",
    "none": "nothing",
}
"""What the function is called that a market is compared with."""

PATHS = {
    "dual": "Gradient descent",
    "primal": "The planner",
    "saddle": "The saddle path",
    "mirror": "Mirror descent",
    "none": "No path",
}
"""What the path is called that a market is compared with."""

Market = Transition[MarketState, MarketTick]


class Descended(NamedTuple):
    """What the potential or merit was in the first tick recorded, and in the last, since the last shock."""

    first: float = math.nan
    last: float = math.nan

    def followed_by(self, values: Array) -> Descended:
        """With the values of further ticks, `(ticks,)`, at least one."""
        return Descended(float(values[0]) if math.isnan(self.first) else self.first, float(values[-1]))


def back_and_forth(path: Array) -> float:
    """By how much the prices of a path's last tick are off those of the tick before, relatively, if they are back near
    those of two ticks ago, else 0; `path` is `(3, goods)`, the last ticks'.
    """
    hop, around = relative_gap(path[-1], path[-2]), relative_gap(path[-1], path[-3])
    return float(hop) if around < hop / 2 else 0.0


def market_facts(
    verdict: Verdict,
    now: Market,
    references: References,
    last: Facts,
    path_gap: float,
    path_hop: float,
    descended: Descended,
) -> Facts:
    """What prices, bids and derivatives have to do with each other in this run, and which equilibrium it is near."""
    bid_gap, adjoint_gap = (last.get(name, math.nan) for name in ("bid_gap", "distance_to_adjoint"))
    # What is not a number has not fallen either.
    rose = verdict.outcome != "cleared" and math.isfinite(descended.first) and not descended.last <= descended.first
    kind = references.reference.kind
    compared = "planner" if references.path.kind == "primal" else "saddle" if kind == "saddle" else "path"
    path_gap = math.nan if kind == "none" else path_gap
    facts = {
        "equilibria": len(references.equilibria),
        "starts": references.search.starts,
        "price_held": references.search.held,
        "overdrawn": references.search.overdrawn,
        "given_up": references.search.given_up,
        "missing": references.search.missing,
        "indices": sum(found.index for found in references.equilibria),
        "unknown": sum(found.index == 0 for found in references.equilibria),
        "bid_gap": bid_gap,
        "adjoint_gap": adjoint_gap,
        "agreement": float(np.maximum(bid_gap, adjoint_gap)),
        "compared": last.get("compared"),
        "movable": last.get("movable"),
        "objective": objective(now.economy),
        "wedges": _wedges(now),
        f"{compared}_gap": path_gap,
        "path": PATHS["saddle" if compared == "saddle" else references.path.kind],
        "path_hop": path_hop if path_gap > FOLLOWS else None,
        "reference": REFERENCES[kind],
        "rose": rose,
        "first": descended.first,
        "last": descended.last if descended.last == descended.last else math.inf,
    }
    if verdict.centre is not None and references.equilibria:
        facts["centre_gap"] = off(references, now, verdict.centre)
    number = reached(references, now)
    if number is not None:
        found = references.equilibria[number - 1]
        facts |= {"equilibrium": number, "index": found.index, "settles": SETTLES[found.stable]}
        facts["continuum"] = found.direction is not None
        facts["equilibrium_gap"] = last.get("distance_to_equilibrium", math.nan)
    return facts


def objective(economy: Economy) -> str:
    """What the adjoints are derivatives of (see `references.adjoint`)."""
    outside = [economy.goods[good] for good in np.flatnonzero(economy.is_outside)]
    surplus, budgets, earners = list[str](), list[str](), list[str]()
    for cohort in economy.consumers:
        utility = cohort.utility
        budgeted = utility.integrable and not cohort.earns.any()
        (surplus if not utility.needs_income else budgets if budgeted else earners).append(cohort.name)
    parts = {
        "net sales of {}": outside,
        "the surplus of {}": surplus,
        "budget times log utility of {}": budgets,
        "the utility in money of {}": earners,
    }
    return ", plus ".join(text.format(names(whose)) for text, whose in parts.items() if whose)


def reached(references: References, now: Market) -> int | None:
    """The number of the equilibrium nearest to the market's last prices, among those of the regime in force."""
    tick = now.tick
    if not references.equilibria or not tick.finite:
        return None
    return int(np.argmin(_gaps(references, *map(np.asarray, (tick.prices, tick.demand, tick.supply))))) + 1


def _gaps(references: References, prices: Array, demand: Array, supply: Array) -> list[float]:
    """How far prices `(goods,)` are from each equilibrium, at what is then wanted and offered."""
    return [float(references.gap(found, prices, demand, supply)) for found in references.equilibria]


def off(references: References, now: Market, prices: Array | None = None) -> float:
    """How far prices `(goods,)`, the last ones unless said, are from the nearest equilibrium; not a number without."""
    if not references.equilibria:
        return math.nan
    prices = np.asarray(now.tick.prices) if prices is None else prices
    with np.errstate(all="ignore"):
        balance = balance_at(now, prices)
        return min(_gaps(references, prices, balance.demand, balance.supply))


def _wedges(now: Market) -> list[str]:
    """The taxes that come between prices and derivatives: those whose rates are not 0."""
    fiscal = now.economy.fiscal
    return [] if fiscal is None else [tax.name for tax, rate in zip(fiscal.taxes, now.tick.rates, strict=True) if rate]


def balance_at(now: Market, prices: Array) -> MarketPlans:
    """What everybody plans at prices `(goods,)`, at the levels and the rates of the last tick."""
    inputs, levels, rates = map(np.asarray, (now.tick.planned_inputs, now.tick.levels, now.tick.rates))
    return now.economy.in_force(rates).balance(prices, inputs, levels)
