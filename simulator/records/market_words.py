"""What the sentence of a run says of a market beside its judges: which equilibrium, what prices mean, which path."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.dynamics.market_tick import MarketState, MarketTick
from simulator.dynamics.transition import Transition
from simulator.economics.forms import Array

if TYPE_CHECKING:
    from simulator.dynamics.verdicts import Verdict
    from simulator.references.judges import References

SETTLES = {True: "settles", False: "does not settle", None: "may settle"}
"""What a price rule does near an equilibrium that is stable, unstable, or not known to be either."""

GIVEN_UP = "the search for equilibria was ended early, so there may be others"

Market = Transition[MarketState, MarketTick]


class Descended(NamedTuple):
    """What the potential or merit was in the first tick recorded, and in the last, since the last shock."""

    first: float = math.nan
    last: float = math.nan

    def followed_by(self, values: Array) -> Descended:
        """With the values of further ticks, `(ticks,)`, at least one."""
        return Descended(float(values[0]) if math.isnan(self.first) else self.first, float(values[-1]))


def market_words(
    verdict: Verdict,
    now: Market,
    references: References,
    last: Mapping[str, float],
    path_gap: float,
    descended: Descended,
) -> list[str]:
    """What prices, bids and derivatives have to do with each other in this run, in parts of a sentence."""
    parts: list[str] = []
    if verdict.centre is not None and references.equilibria:
        parts.append(f"its middle is off the nearest equilibrium by {in_words(_off(references, now, verdict.centre))}")
    number, found = reached(references, now), references.equilibria
    if verdict.outcome == "cleared" and number is not None and len(found) > 1:
        at = found[number - 1]
        settles = f"the rule {SETTLES[at.stable]} there"
        parts.append(f"number {number} of {len(found)} equilibria, of index {at.index:+d}; {settles}")
    if references.given_up:
        parts.append(GIVEN_UP)
    gap, bid_gap = last.get("distance_to_adjoint", np.nan), last.get("bid_gap", np.nan)
    if gap == gap and bid_gap == bid_gap:
        parts.append(_meaning(verdict.outcome, gap, bid_gap))
    # What is not a number has not fallen either.
    rose = verdict.outcome != "cleared" and math.isfinite(descended.first) and not descended.last <= descended.first
    return [*parts, _path(references, path_gap, descended if rose else None)]


def reached(references: References, now: Market) -> int | None:
    """The number of the equilibrium nearest to the market's last prices, among those of the regime in force."""
    tick = now.tick
    if not references.equilibria or not tick.finite:
        return None
    return int(np.argmin(_gaps(references, *map(np.asarray, (tick.prices, tick.demand, tick.supply))))) + 1


def _gaps(references: References, prices: Array, demand: Array, supply: Array) -> list[float]:
    """How far prices `(goods,)` are from each equilibrium, at what is then wanted and offered."""
    return [float(references.gap(found, prices, demand, supply)) for found in references.equilibria]


def _off(references: References, now: Market, prices: Array) -> float:
    """How far prices `(goods,)` are from the nearest equilibrium."""
    with np.errstate(all="ignore"):
        balance = now.economy.balance(prices, np.asarray(now.tick.planned_inputs))
        return min(_gaps(references, prices, balance.demand, balance.supply))


def in_words(gap: float) -> str:
    """A relative gap in words that fit its size."""
    if gap < 1e-12:
        return "rounding"
    if gap < 1e-4:
        return f"{gap:.1e}"
    return f"{100 * gap:.3g}%" if gap < 9.995 else f"a factor of {gap + 1:.3g}"


def _meaning(outcome: str, gap: float, bid_gap: float) -> str:
    largest = max(gap, bid_gap)
    if largest > 1e-4:
        return f"prices are off bids by up to {in_words(bid_gap)}, off derivatives by {in_words(gap)}"
    if outcome == "cleared":
        return f"price = bid = derivative of the objective, to {in_words(largest)}"
    return f"price = bid = derivative to {in_words(largest)}, which is no evidence: who is not rationed bids the price"


def _path(references: References, gap: float, rose: Descended | None) -> str:
    """How far the path is off what it is compared with; `rose` where what should fall has not fallen."""
    if references.path.kind == "primal":
        return f"the path is up to {in_words(gap)} off a planner's gradient ascent"
    kind = references.reference.kind
    if gap > 1e-9:
        return f"the path leaves gradient descent on the {kind} by up to {in_words(gap)}"
    if rose is None:
        return f"the path is gradient descent on the {kind}, to {in_words(gap)}"
    to = f"from {rose.first:.4g} to {rose.last:.4g}" if math.isfinite(rose.last) else "beyond every bound"
    return f"each step goes down the {kind}'s gradient, to {in_words(gap)}, but so far that it has risen {to}"
