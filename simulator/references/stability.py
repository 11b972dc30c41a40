"""Stability of an equilibrium under a scenario's own rule, by the eigenvalues of its step."""

from __future__ import annotations

import numpy as np

from simulator.dynamics.levels import level_rates
from simulator.dynamics.price_rules import PriceRule
from simulator.economics.clearing import unit_turnover
from simulator.economics.forms import Array
from simulator.economics.market_plans import MarketPlans
from simulator.economics.unknowns import Unknowns
from simulator.references.effort import Effort

MANY_TICKS = 10_000
"""After so many ticks the stability of a rule whose steps shrink is judged."""
MANY_STATES, MANY_STEPS = 3_000, 20_000
"""Prices and memories, and ticks of a cycle for each of them, beyond which stability takes too long to judge."""


@np.errstate(all="ignore")
def spectral_radius(
    unknowns: Unknowns, rule: PriceRule, balance: MarketPlans, jacobian: Array, effort: Effort | None = None
) -> float:
    """Largest modulus of the eigenvalues of one step near a balance: levels of activity move, then prices by the rule,
    its memory included, and rates of taxes that adjust; incomes are solved for.

    The step is differentiated as it stands, pieces and form, with excess demand replaced by its linear part; counts of
    ticks in the memory are high and do not move: steps that shrink are those of a market that has come near. Where only
    relative prices matter and none is fixed, the neutral direction of the price level is left out. Of a rule whose
    ticks differ in turn it is the mean per tick over the whole cycle. Not a number where the rule has no cycle (chance
    decides), there is too much to differentiate, or the step leaves the range of numbers.
    """
    memory = rule.start(MANY_TICKS, balance.prices)
    moving = [place for place, memo in enumerate(memory) if memo.dtype.kind == "f"]
    widths, cycle = [len(memory[place]) for place in moving], rule.cycle
    free = np.flatnonzero(~rule.fixed & (balance.scale > 0) & (balance.prices > 0))
    producing, rates = np.flatnonzero(balance.levels > 0), level_rates(unknowns.economy)
    # A free good's price stays where it is, and slopes in it may be none.
    ends = [len(balance.prices), unknowns.bounded]
    of_markets, of_levels, of_kept = np.split(unknowns.reduced(jacobian, len(balance.received)), ends)
    slopes, made, taxed = np.split(of_markets, ends, axis=1)
    slopes = np.where(balance.prices > 0, slopes, 0.0)
    fiscal = unknowns.economy.fiscal
    speeds = np.array([each.speed / abs(each.target) for each in fiscal.instruments] if fiscal else [])
    state = np.concatenate(
        [balance.prices[free], balance.levels[producing], balance.rates, *(memory[place] for place in moving)]
    )
    ends = np.cumsum([len(free), len(producing), len(speeds), *widths])

    def step(state: Array) -> Array:
        prices, levels, memos = balance.prices.copy(), balance.levels.copy(), [*memory]
        prices[free], levels[producing], taxes, *parts = np.split(state, ends[:-1])
        for place, part in zip(moving, parts, strict=True):
            memos[place] = part
        for _ in range(cycle or 0):
            quoted, adjusted = prices - balance.prices, taxes - balance.rates
            profits = balance.unit_profits + of_levels @ np.concatenate([quoted, np.zeros(len(levels)), adjusted])
            levels *= np.exp(rates * profits / unit_turnover(balance.unit_revenues, balance.unit_costs))
            observed_prices = rule.observed_prices(prices, tuple(memos))
            gaps = (prices if observed_prices is None else observed_prices) - balance.prices
            moved = levels - balance.levels
            signal = balance.excess_demand + np.sum(slopes * gaps, axis=1) + made @ moved + taxed @ adjusted
            taxes = taxes - speeds * (of_kept @ np.concatenate([quoted, moved, adjusted]))
            prices, memos = rule.next_prices(prices, signal, balance.scale, tuple(memos), slopes)
        return np.concatenate([prices[free], levels[producing], taxes, *(memos[place] for place in moving)])

    if not len(state):
        return 0.0
    if cycle is None or len(state) > MANY_STATES or (cycle > 1 and cycle * len(state) > MANY_STEPS):
        return float("nan")
    if effort is not None and not effort.steps(len(state), cycle):
        return float("nan")
    sizes = [balance.prices[free], balance.levels[producing], np.ones(len(speeds) + sum(widths))]
    nudge = 1e-6 * np.concatenate(sizes)
    columns = [(step(state + e) - step(state - e)) / (2.0 * h) for h, e in zip(nudge, np.diag(nudge), strict=True)]
    if not np.isfinite(columns).all():
        return float("nan")
    eigenvalues = np.linalg.eigvals(np.array(columns).T)
    if unknowns.level_free:
        eigenvalues = np.delete(eigenvalues, np.argmin(np.abs(eigenvalues - 1.0)))
    return float(np.max(np.abs(eigenvalues), initial=0.0)) ** (1.0 / cycle)
