"""Equilibria: prices at which every market clears, found as roots of a complementarity problem from many starts.

What is to be found `economics.unknowns` says, how it is found `references.complementarity`. Starts are all prices 1,
those of the scenario, and quasi-random ones. The index `sign det(-J)` on the active relative prices is +1 or -1 and
sums to +1 over all equilibria of a regular economy: where it does not, wider starts follow, and it is said that some
are missing. Stability is that of the scenario's own price rule, by the eigenvalues of its step.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import combinations, islice

import numpy as np

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy
from simulator.economics.forms import Array, OneElasticity
from simulator.economics.linear import Linear
from simulator.economics.market_plans import MarketPlans
from simulator.economics.potential import reference
from simulator.economics.ties import set_valued
from simulator.economics.unknowns import Unknowns
from simulator.references.complementarity import TOLERANCE, Complementarity, Root
from simulator.references.eating import Eating
from simulator.references.effort import Effort
from simulator.references.found import Equilibrium, Runaway, Search
from simulator.references.linear_tastes import LinearEquilibrium, LinearTastes
from simulator.references.stability import spectral_radius
from simulator.references.starts import everywhere

STARTS = 32
"""From so many prices equilibria are searched for."""
FURTHER = 2
"""So many times as many starts follow the last that led to a new one where indices do not add up, or some equilibrium
was reached but once.
"""
GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
"""Its multiples, modulo 1, fill the way from one equilibrium to another evenly."""
SEARCHED_ROWS = 1000
"""Rows of a cohort among which equilibria are searched for before all of them are asked."""
ALONG = 0.1
"""How far logarithms are moved along a direction to see whether prices there clear, too."""


@np.errstate(all="ignore")
def search(economy: Economy, rule: PriceRule, starts: list[Array], *, many: int = STARTS, seed: int = 0) -> Search:
    """All equilibria that are reached from `starts` (the first are the scenario's prices) and quasi-random prices,
    `many` together: which are found does not depend on where a run began.

    In a large population the search is for the equilibria of every so many agents, from which Newton then goes on with
    all of them. The search is given up after so much arithmetic, always at the same point.
    """
    looking = _Searching(economy, rule, starts[0], Effort())
    looking.go(starts, many, seed)
    return looking.result()


@np.errstate(all="ignore")
def further(economy: Economy, rule: PriceRule, known: Search, start: Array) -> Search:
    """What a search knows after another start, at which a market cleared; where demand jumps none is taken up."""
    if set_valued(economy):
        return known
    looking = _Searching(economy, rule, start, Effort(), cleared=True)
    looking.found, looking.starts = list(known.equilibria), known.starts + 1
    looking.try_from(looking.problem(), start)
    return looking.result()._replace(given_up=known.given_up)


def find(
    economy: Economy, rule: PriceRule, starts: list[Array], *, many: int = STARTS, seed: int = 0
) -> list[Equilibrium]:
    """The equilibria that a `search` finds."""
    return search(economy, rule, starts, many=many, seed=seed).equilibria


class _Searching:
    """A search under way: what was found, and the best of what was not."""

    def __init__(
        self, economy: Economy, rule: PriceRule, initial: Array, effort: Effort, *, cleared: bool = False
    ) -> None:
        # Where a market `cleared` on a continuum that is known, it is told of there.
        self.economy, self.rule, self.effort, self.cleared = economy, rule, effort, cleared
        self.found, self.starts, self.initial = list[Equilibrium](), 0, initial
        self._best: Root | None = None
        self._held, self._overdrawn = False, None

    def go(self, starts: list[Array], many: int, seed: int) -> None:
        """Search from all starts, and on from wider ones where by the indices an equilibrium is missing."""
        if self._out_of_reach:
            return None
        if set_valued(self.economy):
            return None if self._planned() else self._linear(starts, many, seed)
        thin = self.economy.thinned(SEARCHED_ROWS)
        if thin is not self.economy:
            first = _Searching(thin, self.rule, self.initial, self.effort)
            first.go(starts, many, seed)
            self.starts, self._best = first.starts, first._best
            for close in _in_order(first.found):
                self.try_from(self.problem(), close.values, close.starts)
            return None
        # Where one root is enough no text pays.
        problem = self.problem(often=not self._one_at_most and self.economy.small(slopes=True))
        last = many
        for start in everywhere(problem.unknowns, starts, many, seed):
            complete = self.added_up and all(each.starts > 1 for each in self.found)
            if self.all_found or self.effort.exhausted or self.starts >= (many if complete else last + FURTHER * many):
                break
            self.starts, before = self.starts + 1, len(self.found)
            # Between equilibria that are known lies what is missing as often as not.
            further = self.starts - many
            between = further > 0 and further % 2 and self.found[1:]
            self.try_from(problem, self._between(further) if between else start)
            last = last if len(self.found) == before else max(self.starts, many)
        return None

    def _between(self, number: int) -> Array:
        """A vector between two equilibria that were found, another pair or place for each number."""
        pairs = list(combinations(self.found, 2))
        one, other = (each.values for each in pairs[number // 2 % len(pairs)])
        part = (number * GOLDEN) % 1.0
        with np.errstate(divide="ignore"):
            between = np.exp((1.0 - part) * np.log(one) + part * np.log(other))
        return np.where((one > 0) & (other > 0), between, (1.0 - part) * one + part * other)

    def result(self) -> Search:
        """All that is known."""
        found, indices = _in_order(self.found), [each.index for each in self.found]
        unknown = not self._held and any(not each.index and each.direction is None for each in found)
        missing = bool(found) and (not self.added_up or (unknown and sum(indices) != 1))
        runaway = None if found else self.runaway()
        given_up = self.effort.exhausted or self._out_of_reach
        known = (self.all_found, given_up, missing, runaway, self._held, self._overdrawn)
        return Search(found, self.starts, *known)

    @property
    def _out_of_reach(self) -> bool:
        """Whether there is no way to look: demand jumps, and incomes depend on revenue."""
        return set_valued(self.economy) and self.economy.fiscal is not None

    @cached_property
    def _one_at_most(self) -> bool:
        """Whether equilibria are a convex set: the least points of a convex function, or of gross substitutes."""
        economy = self.economy
        tastes = [cohort.utility for cohort in economy.consumers]
        smooth = [taste.form for taste in tastes if not isinstance(taste, Linear)]
        substitutes = all(isinstance(form, OneElasticity) and (form.elasticity >= 1.0).all() for form in smooth)
        plain = not economy.firms and economy.price_factors is None and economy.fiscal is None
        return (substitutes and plain) or reference(economy).kind == "potential"

    @property
    def all_found(self) -> bool:
        """Whether it is known that there is no other equilibrium: one is isolated where they are a convex set."""
        return self._one_at_most and any(each.index for each in self.found)

    @property
    def added_up(self) -> bool:
        """Whether the indices add up to 1, or say nothing: some have none, or a root was one of markets held off, or a
        rate adjusts (a revenue may be raised at two rates, or at none).
        """
        indices, fiscal = [each.index for each in self.found], self.economy.fiscal
        if fiscal is not None and fiscal.instruments:
            return True
        return self._held or self._overdrawn is not None or 0 in indices or sum(indices) == 1

    def problem(self, *, often: bool = False) -> Complementarity:
        """What is to be found."""
        return Complementarity(replace(self.rule.unknowns(self.economy), often=often), self.effort)

    def try_from(self, problem: Complementarity, start: Array, counted: int = 1) -> None:
        """Look for an equilibrium from a start, which counts for so many."""
        root = None if self.effort.exhausted else problem.root(start)
        if root is not None and root.holds and not self._worthless(problem.unknowns, root):
            self._add(problem, root.values, counted)
        elif root is not None:
            self._failed(root)

    @staticmethod
    def _worthless(unknowns: Unknowns, root: Root) -> bool:
        """Whether the numeraire is free at a root: all other prices are beyond all bounds in it."""
        return unknowns.relative_only and not root.values[unknowns.prices.where][unknowns.fixed].all()

    def _failed(self, root: Root) -> None:
        """Keep what came nearest, by the residual that is told."""
        residual = self.rule.unknowns(self.economy).residual
        if self._best is None or residual(root.plans) < residual(self._best.plans):
            self._best = root

    def _add(self, problem: Complementarity, values: Array, starts: int) -> None:
        """Count an equilibrium, which may be known."""
        unknowns = problem.unknowns
        balance = _settled(unknowns, values, self.initial)
        if balance is None:
            self._held = True
            return
        if (name := self.economy.at_rates(balance.rates).overdrawn(balance)) is not None:
            self._overdrawn = name
            return
        known = next((at for at, each in enumerate(self.found) if unknowns.same(balance, each.balance)), None)
        direction, here = None, None
        if known is None:
            direction = _direction(problem, values)
            if direction is not None:
                known = next((at for at, each in enumerate(self.found) if _joined(problem, balance, each)), None)
            if self.effort.exhausted and any(each.direction is not None for each in self.found):
                # It may be on a continuum that is known.
                return
            if known is None or self.cleared:
                here = replace(describe(self.economy, self.rule, balance, self.effort), direction=direction)
        if known is None and here is not None:
            self.found.append(replace(here, starts=starts))
        elif known is not None:
            self.found[known] = replace(here or self.found[known], starts=self.found[known].starts + starts)

    def _planned(self) -> bool:
        """Whether firms have levels and a planner's linear programme tells the equilibria, one convex set: eating is an
        activity too. Demand jumps there, so that stability is not known.
        """
        eating, goods = Eating.of(self.economy), len(self.economy.goods)
        values = eating.planned() if self.economy.level_firm.size else None
        if values is None:
            return False
        initial = np.append(self.initial, np.ones(len(eating.eaters)))
        inner = _Searching(eating.enlarged(), eating.rule(self.rule), initial, self.effort)
        inner.try_from(inner.problem(), values)
        unknowns = self.rule.unknowns(self.economy)
        for each in inner.found:
            plans, along = eating.plans(each.balance), each.direction
            known = {"balance": plans, "residual": unknowns.residual(plans), "spectral_radius": float("nan")}
            self.found.append(replace(each, **known, direction=None if along is None else along[:goods]))
        self.starts += len(self.found)
        return bool(self.found)

    def _linear(self, starts: list[Array], many: int, seed: int) -> None:
        """With linear tastes: along the central path from each start."""
        unknowns = self.rule.unknowns(self.economy)
        tastes = LinearTastes(self.economy, unknowns, self.effort)
        for start in islice(everywhere(unknowns, starts, many, seed), 1 if tastes.alone else many):
            if self.all_found or self.effort.exhausted:
                break
            self.starts += 1
            limit, end = tastes.limit(start[unknowns.prices.where], self.initial)
            if limit is None:
                self._best = self._best or Root(unknowns.values(end), end, np.inf, False)
                continue
            for at, each in enumerate(self.found):
                on_one = limit.direction is not None and each.direction is not None
                if on_one or unknowns.same(limit.plans, each.balance):
                    self.found[at] = replace(each, starts=each.starts + 1)
                    break
            else:
                self.found.append(self._at_limit(unknowns, limit))

    def _at_limit(self, unknowns: Unknowns, limit: LinearEquilibrium) -> Equilibrium:
        """An equilibrium with linear tastes; where somebody is indifferent demand jumps, and stability is not known."""
        plans, radius = limit.plans, float("nan")
        if not limit.tied and limit.direction is None:
            radius = spectral_radius(unknowns, self.rule, plans, unknowns.jacobian(plans), self.effort)
        return Equilibrium(plans, unknowns.residual(plans), limit.index, radius, direction=limit.direction)

    def runaway(self) -> Runaway | None:
        """What is farthest from where the scenario begins in the approach that came nearest."""
        if self._best is None:
            return None
        root, unknowns = self._best, self.rule.unknowns(self.economy)
        begun = unknowns.beginning(self.initial)[: unknowns.bounded]
        gone = np.log(np.maximum(root.values[: unknowns.bounded], 1e-300)) - np.log(begun)
        if unknowns.relative_only:
            prices = unknowns.prices.where
            gone[prices] -= gone[prices][unknowns.fixed].sum() if unknowns.fixed.any() else np.median(gone[prices])
        at = int(np.argmax(np.abs(gone)))
        return Runaway(unknowns.names[at], "infinity" if gone[at] > 0 else "zero", unknowns.residual(root.plans))


def _settled(unknowns: Unknowns, values: Array, start: Array) -> MarketPlans | None:
    """The plans at a root, at the level that the numeraire gives it, or else that of the start; None where the
    numeraire is free, so that at its price nothing is in reach, or some market does not clear, be its price fixed.
    """
    values = values.copy()
    prices, initial = values[unknowns.prices.where], start[unknowns.prices.where]
    before = prices.copy()
    if unknowns.level_free:
        prices *= initial.sum() / prices.sum()
        # Or the nearest level that bounds allow.
        lowest, highest = np.nanmax(unknowns.prices.lower / prices), np.min(unknowns.prices.upper / prices)
        prices *= np.clip(1.0, lowest, highest) if lowest <= highest else np.nan
    elif unknowns.relative_only:
        level = prices[unknowns.fixed]
        prices *= initial[unknowns.fixed] / level if level.all() else np.nan
        prices[unknowns.fixed] = initial[unknowns.fixed]
    # What incomes receive is counted in prices.
    level = np.max(prices) / np.max(before)
    values[unknowns.bounded : unknowns.bounded + len(unknowns.economy.consumers)] *= level
    plans = unknowns.plans(values)
    return plans if unknowns.residual(plans) <= TOLERANCE and not unknowns.held_off(plans).any() else None


def _direction(problem: Complementarity, values: Array) -> Array | None:
    """The direction of log prices in which there are equilibria on both sides of one, None if there is none."""
    for silent in problem.silent(values):
        of_prices = silent[problem.unknowns.prices.where]
        if problem.unknowns.relative_only:
            of_prices = of_prices - of_prices[problem.unknowns.fixed].sum()
        largest = of_prices[np.argmax(np.abs(of_prices))]
        if abs(largest) < ALONG:
            continue
        sides = [problem.from_near(values, side * ALONG / largest * silent) for side in (-1.0, 1.0)]
        if all(side is not None and side.holds for side in sides):
            return of_prices / largest
    return None


def _joined(problem: Complementarity, balance: MarketPlans, other: Equilibrium) -> bool:
    """Whether an equilibrium lies on a continuum on which another does: there is one between them."""
    if other.direction is None or ((balance.prices == 0) != (other.prices == 0)).any():
        return False
    between = np.concatenate([np.sqrt(balance.prices * other.prices), other.values[len(other.prices) :]])
    root = problem.root(between)
    return root is not None and root.holds


def _in_order(found: list[Equilibrium]) -> list[Equilibrium]:
    # Rounded, so that prices which agree do not decide.
    return sorted(found, key=lambda each: np.round(each.prices / each.prices.sum(), 9).tolist())


@np.errstate(all="ignore")
def newton(unknowns: Unknowns, start: Array, effort: Effort | None = None) -> MarketPlans | None:
    """The plans at an equilibrium reached from `start`, `(unknowns,)` or prices alone, or None: also where the `effort`
    is spent.
    """
    start = unknowns.beginning(start)
    root = Complementarity(unknowns, effort or Effort()).root(start)
    return None if root is None or not root.holds else _settled(unknowns, root.values, start)


@np.errstate(all="ignore")
def describe(economy: Economy, rule: PriceRule, balance: MarketPlans, effort: Effort | None = None) -> Equilibrium:
    """An equilibrium with its residual, index and spectral radius (not a number if that takes more than the effort
    left).
    """
    unknowns, effort = rule.unknowns(economy), effort or Effort()
    jacobian, residual = unknowns.jacobian(balance), unknowns.residual(balance)
    radius = spectral_radius(unknowns, rule, balance, jacobian, effort)
    return Equilibrium(balance, residual, unknowns.index(balance, jacobian), radius)
