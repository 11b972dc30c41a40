"""What would help a market that did not come to rest, as facts: each is worked out, and left out where not known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.dynamics.behaviours import Activity
from simulator.dynamics.market_verdict import STEADY
from simulator.dynamics.pieces import PD, Extragradient, Momentum
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.verdicts import Verdict
from simulator.economics.behaviour import BestResponse
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.ties import set_valued
from simulator.references.found import Equilibrium
from simulator.references.stability import spectral_radius
from simulator.sentences import Facts

PIECES: Mapping[str, Any] = {
    "[{momentum: 0.5}]": Momentum(0.5),
    "[{momentum: 0.9}]": Momentum(0.9),
    "[{pd: 2}]": PD(2.0),
    "[extragradient]": Extragradient(),
}
"""Pieces that may help a rule that has none, as `scheduler.with` says them: each sees its own market alone."""
ADVISED: Mapping[str, Mapping[str, str]] = {
    "better": {"numeraire": "better"},
    "smaller_rate": {"scheduler.rate": "smaller_rate"},
    "turning_piece": {"scheduler.rate": "turning_rate", "scheduler.with": "turning_piece"},
    "faster_piece": {"scheduler.with": "faster_piece"},
}
"""The facts that stand for advice, and which facts are the settings that it names, by path."""
HALVINGS, BISECTIONS = 10, 12
"""How small a rate is tried, and how often the interval of the largest one is halved then."""
SETTLES = 1.0 - 1e-6
"""A spectral radius below it is no rounding, and lets a market settle within a million ticks or so."""
RATES = (1.0, 4.0, 16.0, 64.0)
"""Multiples of the rate that are tried with a piece where no smaller rate settles."""
WORTH_SAYING = 3.0
"""How many times as fast a market has to settle for a piece to be worth a sentence."""
SAME = 0.02
"""Relative prices are right, and only their level is off, where logarithms differ by no more than this part of it."""
LITTLE = 0.05
"""A part of all spending that moves the level of prices slowly."""


@np.errstate(all="ignore")
def advice(verdict: Verdict, rule: PriceRule, economy: Economy, found: Equilibrium | None, prices: Array) -> Facts:
    """What would help at a rule's last `prices` `(goods,)`, near an equilibrium that was found.

    Where firms near their largest profit step by step, prices and activity levels are not all that moves, and nothing
    is known.
    """
    restless = verdict.outcome in ("out_of_ticks", "cycled", "diverged")
    at_once = all(isinstance(firm.behaviour, BestResponse | Activity) for firm in economy.firms)
    if not restless or not at_once or found is None or set_valued(economy):
        return {}
    level = _level(rule, economy, found, prices)
    return _missing(verdict.facts, found) | (level or _steps(verdict.outcome, rule, economy, found))


def _missing(facts: Facts, found: Equilibrium) -> dict[str, Any]:
    """How many ticks are missing where prices near their end at the pace that they have near the equilibrium.

    Another pace is one of prices that are still far off, and will change.
    """
    pace, ends_at = facts.get("pace", math.nan), -math.log(max(found.spectral_radius, 1e-300))
    if not abs(pace - ends_at) <= STEADY * ends_at:
        return {}
    return {"more_ticks": max(1, math.ceil(facts["way"] / pace))}


def changes_advised(facts: Facts) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each piece of advice: the fact that stands for it, and the settings by path that it says to try."""
    for name, others in ADVISED.items():
        if name in facts:
            yield name, {path: facts[fact] for path, fact in others.items()}


def _steps(outcome: str, rule: PriceRule, economy: Economy, found: Equilibrium) -> dict[str, Any]:
    """The largest rate at which the rule settles at an equilibrium, and the piece that would help most."""
    unknowns, balance, radius = rule.unknowns(economy), found.balance, found.spectral_radius
    if not (radius >= 1.0 or (outcome == "out_of_ticks" and radius > 0.0)):
        return {}
    jacobian = unknowns.jacobian(balance)

    def radius_of(changed: PriceRule) -> float:
        return spectral_radius(unknowns, changed, balance, jacobian)

    facts: dict[str, Any] = {"rate": rule.rate, "steps": True}
    if radius >= 1.0:
        rates = [rule.rate / 2.0**halved for halved in range(HALVINGS + 1)]
        settles = next((at for at, rate in enumerate(rates) if radius_of(replace(rule, rate=rate)) < SETTLES), 0)
        if settles:
            low, high = rates[settles], rates[settles - 1]
            for _ in range(BISECTIONS):
                middle = math.sqrt(low * high)
                low, high = (middle, high) if radius_of(replace(rule, rate=middle)) < SETTLES else (low, middle)
            return facts | {"largest_rate": low, "smaller_rate": float(f"{low / 2:.2g}")}
    if rule.pieces:
        return facts
    times = (1.0,) if radius < 1.0 else RATES
    radii = {
        (text, factor * rule.rate): radius_of(replace(rule, rate=factor * rule.rate, pieces=(piece,)))
        for text, piece in PIECES.items()
        for factor in times
    }
    known = {tried: each for tried, each in radii.items() if 0.0 < each < SETTLES}
    if not known:
        return facts
    piece, rate = min(known, key=known.__getitem__)
    if radius >= 1.0:
        return facts | {"turning_piece": piece, "turning_rate": rate}
    faster = math.log(known[piece, rate]) / math.log(radius)
    return facts | ({"faster_piece": piece, "times": faster} if faster >= WORTH_SAYING else {})


def _level(rule: PriceRule, economy: Economy, found: Equilibrium, prices: Array) -> dict[str, Any]:
    """Whether only the level of prices is off, where a numeraire alone holds it on which little is spent."""
    unknowns, balance = rule.unknowns(economy), found.balance
    if not unknowns.relative_only or np.count_nonzero(rule.fixed) != 1:
        return {}
    ratios = np.log(prices / balance.prices)[rule.free]
    level = float(np.median(ratios))
    if not len(ratios) > 1 or not np.max(np.abs(ratios - level)) <= SAME * abs(level):
        return {}
    spent, numeraire = balance.prices * balance.demand, int(np.flatnonzero(rule.fixed)[0])
    part, better = float(spent[numeraire] / spent.sum()), int(np.argmax(spent))
    if not part <= LITTLE:
        return {}
    names = {"numeraire": economy.goods[numeraire], "better": economy.goods[better]}
    return {"level": abs(math.expm1(level)), "little": part, **names}
