"""Equilibria: prices at which every market clears, found by a damped Newton method from several starts.

Unknowns are the logarithms of the free prices; a price that reaches its floor in a glut is held there (a free good).
A point counts as found when the complementarity residual and the Newton displacement both vanish. The index `sign
det(-J)` on the active relative prices is +1 or -1 and sums to +1 over all equilibria of a regular economy; stability
is that of the scenario's own price rule, by the eigenvalues of its step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.clearing import (
    active_goods,
    level_free,
    log_newton_displacement,
    nobody_holds_the_level,
    relative_excess_demand,
    relative_only,
)
from simulator.economics.economy import Economy, MarketPlans
from simulator.economics.forms import Array
from simulator.economics.ties import set_valued
from simulator.references.effort import Effort
from simulator.references.ties import ELASTICITIES, exact, smoothed

RESIDUAL = 1e-9
"""Largest complementarity residual and log-price displacement of an accepted equilibrium; Newton usually leaves 1e-15.
"""
SAME = 1e-6
"""Equilibria whose log prices differ by less than this are one."""
PATIENCE = 8
"""Newton steps that must halve the sum of squares, or the search from this start is given up."""
MORE_STARTS = 60
"""Random starts that follow where the indices of those found say that one is missing."""
SEARCHED_ROWS = 1000
"""Rows of a cohort among which equilibria are searched for before all of them are asked."""
MANY_TICKS = 10_000
"""After so many ticks the stability of a rule whose steps shrink is judged."""
MANY_STATES, MANY_STEPS = 3_000, 20_000
"""Prices and memories, and ticks of a cycle for each of them, beyond which stability takes too long to judge."""


@dataclass(frozen=True)
class Equilibrium:
    """One equilibrium: the balance at its prices, how exactly markets clear there, its index and its stability.

    `index` is 0 where it is not known: at a fold, or where slopes are not finite. `spectral_radius` is the largest
    modulus of the eigenvalues of the price rule's step there (plans without accounts): below 1 the rule settles from
    nearby. Not a number where it is not known.
    """

    balance: MarketPlans
    residual: float
    index: int
    spectral_radius: float

    @property
    def prices(self) -> Array:
        """Equilibrium prices, `(goods,)`."""
        return self.balance.prices

    @property
    def stable(self) -> bool | None:
        """Whether the price rule settles here from nearby; None where that is not known."""
        return None if np.isnan(self.spectral_radius) else self.spectral_radius < 1.0


class Search(NamedTuple):
    """What a search found, and whether it was given up before it had gone everywhere it meant to."""

    equilibria: list[Equilibrium]
    given_up: bool


@np.errstate(all="ignore")
def search(economy: Economy, rule: PriceRule, starts: list[Array], *, random_starts: int = 12, seed: int = 0) -> Search:
    """All equilibria that Newton reaches from `starts` and random prices around the first, by rising prices of the
    first good that tells them apart: their numbers do not depend on where a run began.

    In a large population the search is for the equilibria of every so many agents, from which Newton then goes on with
    all of them. The search is given up after so much arithmetic, always at the same point.
    """
    effort = Effort()
    found = _search(economy, rule, starts, random_starts, seed, effort)
    return Search(_in_order(found), effort.exhausted)


def find(
    economy: Economy, rule: PriceRule, starts: list[Array], *, random_starts: int = 12, seed: int = 0
) -> list[Equilibrium]:
    """The equilibria that a `search` finds."""
    return search(economy, rule, starts, random_starts=random_starts, seed=seed).equilibria


def _search(
    economy: Economy, rule: PriceRule, starts: list[Array], random_starts: int, seed: int, effort: Effort
) -> list[Equilibrium]:
    if set_valued(economy):
        # Half of the effort is for the way from smooth tastes to linear ones.
        half = effort.half()
        smooth = _in_order(_search(smoothed(economy, ELASTICITIES[0]), rule, starts, random_starts, seed, half))
        effort.joined_by(half)
        limits = (_limit(economy, rule, found, effort) for found in smooth if effort.left > 0)
        return [found for found in limits if found is not None]
    thin = economy.thinned(SEARCHED_ROWS)
    if thin is not economy:
        near = _in_order(_search(thin, rule, starts, random_starts, seed, effort))
        return _distinct(economy, rule, (newton(economy, rule, close.prices, effort=effort) for close in near), effort)
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(7,))))
    free = ~rule.fixed
    first = np.maximum(starts[0], 1e-6 * np.max(starts[0]))
    spread = np.exp(stream.normal(0.0, 1.5, (random_starts, len(first))))
    level = np.where(free, np.exp(np.mean(np.log(first))), first)
    everywhere = [*starts, level, *np.where(free, first * spread, first)]
    near = [_approach(economy, rule, start, effort) for start in starts]
    everywhere += [*near, *(_freed(economy, rule, prices) for prices in near)]
    found = _distinct(economy, rule, (newton(economy, rule, start, effort=effort) for start in everywhere), effort)
    # The indices of a regular economy add up to 1: where they do not, an equilibrium is missing.
    for _ in range(MORE_STARTS):
        if not found or sum(each.index for each in found) == 1 or effort.exhausted:
            break
        further = np.where(free, first * np.exp(stream.normal(0.0, 1.5, len(first))), first)
        balance = newton(economy, rule, further, effort=effort)
        found = _distinct(economy, rule, [balance], effort, found)
    return found


def _in_order(found: list[Equilibrium]) -> list[Equilibrium]:
    # Rounded, so that prices which agree do not decide.
    return sorted(found, key=lambda each: np.round(each.prices / each.prices.sum(), 9).tolist())


def _limit(economy: Economy, rule: PriceRule, found: Equilibrium, effort: Effort) -> Equilibrium | None:
    """Where an equilibrium goes as smooth tastes become linear; its index and stability are those of the last smooth
    one (a step of one size hovers about a tie).
    """
    elasticity = ELASTICITIES[0]
    for steeper in ELASTICITIES[1:]:
        smooth = smoothed(economy, steeper)
        balance = newton(smooth, rule, found.prices, effort=effort)
        if balance is None:
            break
        found, elasticity = describe(smooth, rule, balance, effort), steeper
    balance = exact(economy, rule, found.prices, elasticity, effort)
    if balance is None:
        return None
    residual = relative_excess_demand(balance.excess_demand, balance.scale, balance.prices, ~rule.fixed)
    return replace(found, balance=balance, residual=residual)


def _distinct(
    economy: Economy,
    rule: PriceRule,
    balances: Iterable[MarketPlans | None],
    effort: Effort,
    known: Iterable[Equilibrium] = (),
) -> list[Equilibrium]:
    """Those `known`, and the equilibria among these balances, each once."""
    found = list(known)
    for balance in balances:
        if balance is not None and not any(_same(balance, other.balance, economy, rule) for other in found):
            found.append(describe(economy, rule, balance, effort))
    return found


def _approach(
    economy: Economy, rule: PriceRule, start: Array, effort: Effort, rate: float = 0.3, ticks: int = 200
) -> Array:
    """Prices after some ticks of `p *= exp(rate z/s)`: Newton cannot see that a good nobody wants will be free, this
    can.
    """
    free, prices, guess = ~rule.fixed, np.array(start, dtype=float), economy.first_guess()
    for _ in range(ticks):
        if not effort.balance(economy):
            break
        balance = economy.balance(prices, guess)
        if not np.isfinite(prices @ balance.scale):
            break
        step = rate * balance.excess_demand / np.maximum(balance.scale, 1e-300)
        prices = np.where(free, np.maximum(prices * np.exp(step), rule.floor), prices)
        guess = balance.inputs
    return prices


def _freed(economy: Economy, rule: PriceRule, prices: Array) -> Array:
    """The prices with that of every good in glut which is worth little brought to its floor: it may take for ever to
    fall.
    """
    balance = economy.balance(prices)
    worth = prices * balance.scale
    falls = ~rule.fixed & (balance.excess_demand < -0.01 * balance.scale) & (worth < 0.01 * worth.sum())
    return np.where(falls, rule.floor, prices)


@np.errstate(all="ignore")
def newton(
    economy: Economy, rule: PriceRule, start: Array, iterations: int = 100, effort: Effort | None = None
) -> MarketPlans | None:
    """The balance at an equilibrium reached from `start` `(goods,)`, or None: also where the `effort` is spent."""
    free, effort = ~rule.fixed, effort or Effort()

    def relative(balance: MarketPlans) -> bool:
        return nobody_holds_the_level(economy, rule.fixed, balance)

    prices = np.where(free, np.maximum(start, np.maximum(rule.floor, 1e-300)), start)
    balance = economy.balance(prices)
    merit = _merit(balance, free)
    before = merit
    for iteration in range(iterations):
        if not np.isfinite(merit) or not effort.slopes(economy):
            return None
        if iteration and iteration % PATIENCE == 0:
            if merit > 0.5 * before:
                break
            before = merit
        active = active_goods(balance, free, rule.floor)
        step = log_newton_displacement(balance, economy.jacobian(balance), active, relative=relative(balance))
        longest = float(np.max(np.abs(step)))
        if not np.isfinite(longest):
            return None
        if longest < 1e-15:
            break
        step *= min(1.0, 2.0 / longest)
        better = _line_search(economy, rule, balance, step, merit, effort)
        if better is None:
            break
        balance, merit = better
    # Walras's law spares a numeraire's market only where the numeraire is worth something beside the others.
    judged = free | relative_only(economy, rule.fixed)
    residual = relative_excess_demand(balance.excess_demand, balance.scale, balance.prices, judged)
    # A free good lies about; one that clears at its floor must have come to rest there, not run away.
    clears = free & (np.abs(balance.excess_demand) <= RESIDUAL * balance.scale)
    active = active_goods(balance, free, rule.floor) | (clears & (balance.scale > 0) & (balance.prices > 0))
    displacement = log_newton_displacement(balance, economy.jacobian(balance), active, relative=relative(balance))
    return balance if residual <= RESIDUAL and np.max(np.abs(displacement)) <= RESIDUAL else None


def _line_search(
    economy: Economy, rule: PriceRule, balance: MarketPlans, step: Array, merit: float, effort: Effort
) -> tuple[MarketPlans, float] | None:
    """The first of the steps 1, 1/2, 1/4 ... that reduces the residual."""
    free = ~rule.fixed
    for halving in range(30):
        if not effort.balance(economy):
            break
        moved = np.where(free, np.maximum(balance.prices * np.exp(step * 0.5**halving), rule.floor), balance.prices)
        guess = np.where(np.isfinite(balance.inputs), balance.inputs, 1.0)
        trial = economy.balance(moved, guess)
        trial_merit = _merit(trial, free)
        if trial_merit < merit:
            return trial, trial_merit
    return None


def _merit(balance: MarketPlans, free: NDArray[np.bool_]) -> float:
    """Sum of squares of what markets are short or long of, per unit of `s`; a glut counts by its worth (a free good is
    none).
    """
    scale, prices = balance.scale, balance.prices
    worth = float(prices @ scale)
    if not np.isfinite(worth) or not worth > 0:
        return np.inf
    relative = np.divide(balance.excess_demand, scale, out=np.zeros(len(scale)), where=scale > 0)
    weight = np.where(relative > 0, 1.0, np.minimum(1.0, len(scale) * prices * scale / worth))
    return float(np.sum((relative**2 * weight)[free]))


@np.errstate(all="ignore")
def describe(economy: Economy, rule: PriceRule, balance: MarketPlans, effort: Effort | None = None) -> Equilibrium:
    """An equilibrium with its residual, index and spectral radius (not a number if that takes more than the effort
    left).
    """
    free, effort = ~rule.fixed, effort or Effort()
    jacobian = economy.jacobian(balance)
    active = active_goods(balance, free, rule.floor)
    residual = relative_excess_demand(balance.excess_demand, balance.scale, balance.prices, free)
    relative = active.copy()
    if level_free(economy, rule.fixed) and active.any():
        relative[np.flatnonzero(active)[-1]] = False
    sign, _ = np.linalg.slogdet(-jacobian[np.ix_(relative, relative)]) if relative.any() else (1.0, 0.0)
    index = int(np.sign(sign)) if np.isfinite(sign) else 0
    return Equilibrium(balance, residual, index, spectral_radius(economy, rule, balance, jacobian, effort))


@np.errstate(all="ignore")
def spectral_radius(
    economy: Economy, rule: PriceRule, balance: MarketPlans, jacobian: Array, effort: Effort | None = None
) -> float:
    """Largest modulus of the eigenvalues of one step of the rule near a balance, its memory included.

    The step is differentiated as it stands, pieces and form, with excess demand replaced by its linear part; counts of
    ticks in the memory are high and do not move: steps that shrink are those of a market that has come near. Where only
    relative prices matter and none is fixed, the neutral direction of the price level is left out. Of a rule whose
    ticks differ in turn it is the mean per tick over the whole cycle. Not a number where the rule has no cycle (chance
    decides), there is too much to differentiate, or the step leaves the range of numbers.
    """
    memory = rule.start(MANY_TICKS, balance.prices)
    moving = [place for place, memo in enumerate(memory) if memo.dtype.kind == "f"]
    widths, cycle = [len(memory[place]) for place in moving], rule.cycle
    free = np.flatnonzero(~rule.fixed & (balance.scale > 0))
    state = np.concatenate([balance.prices[free], *(memory[place] for place in moving)])

    def step(state: Array) -> Array:
        prices, memos = balance.prices.copy(), [*memory]
        prices[free] = state[: len(free)]
        for place, part in zip(moving, np.split(state[len(free) :], np.cumsum(widths)[:-1]), strict=False):
            memos[place] = part
        for _ in range(cycle or 0):
            observed_prices = rule.observed_prices(prices, tuple(memos))
            gaps = (prices if observed_prices is None else observed_prices) - balance.prices
            signal = balance.excess_demand + np.sum(jacobian * gaps, axis=1)
            prices, memos = rule.next_prices(prices, signal, balance.scale, tuple(memos), jacobian)
        return np.concatenate([prices[free], *(memos[place] for place in moving)])

    if not len(state):
        return 0.0
    if cycle is None or len(state) > MANY_STATES or (cycle > 1 and cycle * len(state) > MANY_STEPS):
        return float("nan")
    if effort is not None and not effort.steps(len(state), cycle):
        return float("nan")
    nudge = 1e-6 * np.concatenate([np.maximum(balance.prices[free], 1e-300), np.ones(sum(widths))])
    columns = [(step(state + e) - step(state - e)) / (2.0 * h) for h, e in zip(nudge, np.diag(nudge), strict=True)]
    if not np.isfinite(columns).all():
        return float("nan")
    eigenvalues = np.linalg.eigvals(np.array(columns).T)
    if level_free(economy, rule.fixed):
        eigenvalues = np.delete(eigenvalues, np.argmin(np.abs(eigenvalues - 1.0)))
    return float(np.max(np.abs(eigenvalues), initial=0.0)) ** (1.0 / cycle)


def _same(one: MarketPlans, other: MarketPlans, economy: Economy, rule: PriceRule) -> bool:
    """Whether two balances are one equilibrium: up to the price level where it does not matter, up to how low a free
    good's floor lies below it, and up to the prices of goods that nobody trades.
    """
    a, b = one.prices, other.prices
    gap = np.log(np.maximum(a, 1e-300)) - np.log(np.maximum(b, 1e-300))
    if level_free(economy, rule.fixed):
        gap = gap - gap[np.argmax(a * one.scale)]
    gap[(one.scale == 0) & (other.scale == 0)] = 0.0
    gap[(a <= rule.floor) & (b <= rule.floor)] = 0.0
    return bool(np.max(np.abs(gap), initial=0.0) < SAME)
