"""Equilibria: prices at which every market clears, found by a damped Newton method from several starts.

What is to be found, and when it is found, `economics.unknowns` says; a price that reaches its floor in a glut is held
there (a free good). A point counts as found when the complementarity residual and the Newton displacement both vanish.
The index `sign det(-J)` on the active relative prices is +1 or -1 and sums to +1 over all equilibria of a regular
economy; stability is that of the scenario's own price rule, by the eigenvalues of its step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy, MarketPlans
from simulator.economics.forms import Array
from simulator.economics.ties import set_valued
from simulator.economics.unknowns import Unknowns
from simulator.references.effort import Effort
from simulator.references.ties import ELASTICITIES, exact, smoothed

RESIDUAL = 1e-9
"""Largest complementarity residual and log-price displacement of an accepted equilibrium; Newton usually leaves 1e-15.
"""
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
    unknowns = replace(rule.unknowns(economy), often=True)
    thin = economy.thinned(SEARCHED_ROWS)
    if thin is not economy:
        near = _in_order(_search(thin, rule, starts, random_starts, seed, effort))
        return _distinct(economy, rule, (newton(unknowns, close.prices, effort=effort) for close in near), effort)
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(7,))))
    free = unknowns.free
    first = np.maximum(starts[0], 1e-6 * np.max(starts[0]))
    spread = np.exp(stream.normal(0.0, 1.5, (random_starts, len(first))))
    level = np.where(free, np.exp(np.mean(np.log(first))), first)
    everywhere = [*starts, level, *np.where(free, first * spread, first)]
    near = [_approach(unknowns, start, effort) for start in starts]
    everywhere += [*near, *(_freed(unknowns, prices) for prices in near)]
    found = _distinct(economy, rule, (newton(unknowns, start, effort=effort) for start in everywhere), effort)
    # The indices of a regular economy add up to 1: where they do not, an equilibrium is missing.
    for _ in range(MORE_STARTS):
        if not found or sum(each.index for each in found) == 1 or effort.exhausted:
            break
        further = np.where(free, first * np.exp(stream.normal(0.0, 1.5, len(first))), first)
        balance = newton(unknowns, further, effort=effort)
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
        balance = newton(rule.unknowns(smooth), found.prices, effort=effort)
        if balance is None:
            break
        found, elasticity = describe(smooth, rule, balance, effort), steeper
    balance = exact(economy, rule, found.prices, elasticity, effort)
    if balance is None:
        return None
    return replace(found, balance=balance, residual=rule.unknowns(economy).residual(balance))


def _distinct(
    economy: Economy,
    rule: PriceRule,
    balances: Iterable[MarketPlans | None],
    effort: Effort,
    known: Iterable[Equilibrium] = (),
) -> list[Equilibrium]:
    """Those `known`, and the equilibria among these balances, each once."""
    found, unknowns = list(known), rule.unknowns(economy)
    for balance in balances:
        if balance is not None and not any(unknowns.same(balance, other.balance) for other in found):
            found.append(describe(economy, rule, balance, effort))
    return found


def _approach(unknowns: Unknowns, start: Array, effort: Effort, rate: float = 0.3, ticks: int = 200) -> Array:
    """Values after some ticks of `p *= exp(rate z/s)`: Newton cannot see that a good nobody wants will be free, this
    can.
    """
    values, guess = np.array(start, dtype=float), unknowns.economy.first_guess()
    for _ in range(ticks):
        if not effort.balance(unknowns.economy):
            break
        plans = unknowns.plans(values, guess)
        if not np.isfinite(plans.prices @ plans.scale):
            break
        values = unknowns.moved(values, rate * plans.excess_demand / np.maximum(plans.scale, 1e-300))
        guess = plans.inputs
    return values


def _freed(unknowns: Unknowns, prices: Array) -> Array:
    """The prices with that of every good in glut which is worth little brought to its floor: it may take for ever to
    fall.
    """
    plans = unknowns.plans(prices)
    worth = prices * plans.scale
    falls = unknowns.free & (plans.excess_demand < -0.01 * plans.scale) & (worth < 0.01 * worth.sum())
    return np.where(falls, unknowns.floor, prices)


@np.errstate(all="ignore")
def newton(unknowns: Unknowns, start: Array, iterations: int = 100, effort: Effort | None = None) -> MarketPlans | None:
    """The plans at an equilibrium reached from `start` `(unknowns,)`, or None: also where the `effort` is spent."""
    effort, values = effort or Effort(), unknowns.values(start)
    plans = unknowns.plans(values)
    merit = before = unknowns.squares(plans)
    for iteration in range(iterations):
        if not np.isfinite(merit) or not effort.slopes(unknowns.economy):
            return None
        if iteration and iteration % PATIENCE == 0:
            if merit > 0.5 * before:
                break
            before = merit
        step = unknowns.displacement(plans, unknowns.active(plans))
        longest = float(np.max(np.abs(step)))
        if not np.isfinite(longest):
            return None
        if longest < 1e-15:
            break
        step *= min(1.0, 2.0 / longest)
        better = _line_search(unknowns, values, plans, step, merit, effort)
        if better is None:
            break
        values, plans, merit = better
    return plans if unknowns.certificate(plans, RESIDUAL).holds(RESIDUAL) else None


def _line_search(
    unknowns: Unknowns, values: Array, plans: MarketPlans, step: Array, merit: float, effort: Effort
) -> tuple[Array, MarketPlans, float] | None:
    """The first of the steps 1, 1/2, 1/4 ... that reduces the sum of squares: where it leads, and the plans there."""
    guess = np.where(np.isfinite(plans.inputs), plans.inputs, 1.0)
    for halving in range(30):
        if not effort.balance(unknowns.economy):
            break
        moved = unknowns.moved(values, step * 0.5**halving)
        trial = unknowns.plans(moved, guess)
        trial_merit = unknowns.squares(trial)
        if trial_merit < merit:
            return moved, trial, trial_merit
    return None


@np.errstate(all="ignore")
def describe(economy: Economy, rule: PriceRule, balance: MarketPlans, effort: Effort | None = None) -> Equilibrium:
    """An equilibrium with its residual, index and spectral radius (not a number if that takes more than the effort
    left).
    """
    unknowns, effort = rule.unknowns(economy), effort or Effort()
    jacobian, residual = unknowns.jacobian(balance), unknowns.residual(balance)
    radius = spectral_radius(unknowns, rule, balance, jacobian, effort)
    return Equilibrium(balance, residual, unknowns.index(balance, jacobian), radius)


@np.errstate(all="ignore")
def spectral_radius(
    unknowns: Unknowns, rule: PriceRule, balance: MarketPlans, jacobian: Array, effort: Effort | None = None
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
    if unknowns.level_free:
        eigenvalues = np.delete(eigenvalues, np.argmin(np.abs(eigenvalues - 1.0)))
    return float(np.max(np.abs(eigenvalues), initial=0.0)) ** (1.0 / cycle)
