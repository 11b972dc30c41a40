"""A valid scenario becomes the frozen objects a run uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.dynamics.trading import Trade as TradeRule
from simulator.errors import Problem, ScenarioError
from simulator.kinds.distributions import Array
from simulator.kinds.draws import Draws
from simulator.records.columns import KEPT_TABLES
from simulator.records.kept import Kept
from simulator.scenario.bounds import lowest
from simulator.scenario.course import LastTicks
from simulator.scenario.document import dump
from simulator.scenario.economies import Regime, Regimes, Shocked, locked, markets_of, outside_prices
from simulator.scenario.learning import must_need_no_slope, training_set_of
from simulator.scenario.plugins import NO_PLUGINS, Plugins
from simulator.scenario.schema import ScenarioFile
from simulator.schedulers.market import Market
from simulator.schedulers.scheduler import Holdings, Scheduler, Setup

if TYPE_CHECKING:
    from simulator.dynamics import price_rules
    from simulator.economics.economy import Economy
    from simulator.economics.user_markets import UserMarkets
    from simulator.scenario.start import Start


@dataclass(frozen=True)
class RunSettings:
    """How long a run may take (`ticks`), when it counts as cleared (`tolerance`), what it records and when it stops;
    `tables` are those that are kept, in a `format`, of some `goods` and `agents` alone if they are named; each agent of
    the entries of `members` is recorded at some ticks.
    """

    ticks: int = 1000
    tolerance: float = 1e-6
    seed: int = 0
    record_every: int = 1
    references: bool = True
    diagnostics: int = 1
    engine: str = "auto"
    stop: str = "verdict"
    tables: frozenset[str] = KEPT_TABLES
    goods: frozenset[str] | None = None
    agents: frozenset[str] | None = None
    members: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    format: str = "csv"

    @property
    def kept(self) -> Kept:
        """Which rows of tables are kept."""
        return Kept(self.goods, self.agents)


@dataclass(frozen=True, eq=False)
class Scenario:
    """A scenario ready to run.

    `regimes` are the economies that follow one another where shocks change it, the first from tick 0 on; where shocks
    repeat, those are made `later` that come of what has happened before. Blocks of ticks end with `last_ticks`. A run
    goes on from `start`, if there is one. `markets` say which good each of the economies' `goods` is of, and who buys
    there; `initial_prices` `(markets,)` in
    numeraire per unit; `gradient_path` is what its path is compared with,
    `dual` or `primal`; `inputs` are the files it reads, by their names in `resolved`.
    `expect` are outcomes of a run, `expected_equilibria` numbers of equilibria to be found, any one of them.
    `resolved` is the scenario with its defaults filled in, as plain data: written as YAML and loaded again it gives the
    same scenario. `path` is the file it came from; `warnings` say what is allowed and probably not meant.
    """

    name: str
    regimes: tuple[Regime, ...]
    markets: UserMarkets
    initial_prices: Array
    numeraire: str | None
    scheduler: Scheduler[Any, Any]
    gradient_path: str
    run: RunSettings
    expect: tuple[str, ...]
    resolved: dict[str, Any] = field(repr=False)
    expected_equilibria: tuple[int, ...] = ()
    path: str | None = None
    inputs: Mapping[str, Path] = field(default_factory=dict[str, Path], repr=False)
    plugins: Plugins = field(default=NO_PLUGINS, repr=False)
    warnings: tuple[Problem, ...] = ()
    unready: tuple[Problem, ...] = ()
    last_ticks: LastTicks = field(default_factory=lambda: LastTicks(()), repr=False)
    start: Start | None = field(default=None, repr=False)
    later: Callable[[int], Iterator[Regime]] | None = field(default=None, repr=False)

    @cached_property
    def engine(self) -> str:
        """What its ticks are worked out in, where that was left to the economy too; `auto` where a shock changes the
        kind of a taste, so that it may be another afterwards, or where it cannot be run.
        """
        kinds = {tuple(type(cohort.utility) for cohort in regime.economy.consumers) for regime in self.regimes}
        if self.run.engine != "auto" or len(kinds) > 1 or self.unready:
            return self.run.engine
        if self.scheduler.in_arrays(self.economy):
            return "arrays"
        return self.scheduler.served_by(self.market().advance())

    def must_be_ready(self) -> None:
        """Raise `ScenarioError` if something keeps it from being run."""
        if self.unready:
            raise ScenarioError(self.unready)

    def market(self) -> Market:
        """Its market before the first tick."""
        return Market(self.scheduler, self.economy, self.initial_prices, self.run.seed)

    @cached_property
    def text(self) -> str:
        """The scenario as resolved, in YAML, with the engine that runs it: what is written beside a run."""
        return dump({**self.resolved, "run": {**self.resolved["run"], "engine": self.engine}})

    def drawn(self, regime: Regime) -> dict[str, dict[str, Array]]:
        """What was drawn for the agents of each entry whose members are recorded, by the path of the field in it."""
        return {name: regime.drawn(name) for name in self.run.members}

    @property
    def rule(self) -> price_rules.PriceRule:
        """How its scheduler moves prices."""
        return self.scheduler.rule

    def following(self, since: int = 0) -> Iterator[Regime]:
        """The regimes after the first, in order; of those that began before the tick `since` the last one alone."""
        if self.later is not None:
            return self.later(since)
        passed = sum(regime.tick < since for regime in self.regimes[1:])
        return iter(self.regimes[max(passed, 1) :])

    def economy_at(self, tick: int) -> Economy:
        """The economy in force in a tick."""
        begun = takewhile(lambda regime: regime.tick <= tick, self.following(tick + 1))
        return [self.economy, *(regime.economy for regime in begun)][-1]

    @property
    def foreseen(self) -> bool:
        """Whether a run begins at tick 0, and all that shocks do is to put others of the `regimes` in force."""
        return (
            self.start is None
            and self.later is None
            and not any(regime.prices or regime.economy.other_bounds(self.economy) for regime in self.regimes)
        )

    def shocks_up_to(self, last: int) -> list[int]:
        """The ticks up to the `last` at which the economy changed; where a run goes on from another as another market,
        that is the first of them.
        """
        ticks, start = self.last_ticks.shocks_up_to(last), self.start
        if start is None or not start.changed:
            return ticks
        return [start.tick + 1, *(tick for tick in ticks if tick > start.tick + 1)]

    def awaits_shocks(self, tick: int) -> bool:
        """Whether shocks are to come after a tick, were the run to go on for long enough."""
        shocks = self.resolved.get("shocks", ())
        return any(tick < (each.get("until") or (math.inf if each.get("every") else each["tick"])) for each in shocks)

    @property
    def economy(self) -> Economy:
        """The economy of the first regime."""
        return self.regimes[0].economy


def build(
    model: ScenarioFile,
    following: Callable[[Regimes, Mapping[int, Regime], int], Iterator[Regime]],
    shocked: Sequence[Shocked],
    resolved: dict[str, Any],
    path: str | None,
    inputs: Mapping[str, Path],
    plugins: Plugins,
    warnings: tuple[Problem, ...],
    made: dict[int, Any],
) -> Scenario:
    """The objects of a completed scenario, and of what it is after each of its shocks, that have passed every check.

    `following` tells the regimes that follow others, one after another, where shocks repeat. `resolved` is the same as
    plain data; what is `made` of entries, by their identities, is made once. Raises
    `DrawError` for what cannot be drawn.
    """
    markets, draws, learning = markets_of(model), Draws(model.run.seed, inputs), model.learning
    outside = outside_prices(model.outside, markets)
    goods = list(model.markets.items())
    users = np.bincount(markets.good, weights=markets.users)
    prices, floors, fixed = list[float](), list[float](), list[bool]()
    for at, place in enumerate(markets.good.tolist()):
        good, market = goods[place]
        abroad = not np.isnan(outside[at])
        prices.append(outside[at].item() if abroad else model.initial_price(good) / users[place].item())
        fixed.append(abroad or good == model.numeraire or market.fixed_price is not None)
        floors.append(lowest(model, good))
    rule = model.scheduler.price_rule(locked(np.array(floors)), locked(np.array(fixed)), model.run.seed)
    if learning is not None:
        must_need_no_slope(rule, model.scheduler)
    trade = TradeRule(model.trade != "at_equilibrium", spoilage=model.every_tick.spoils, start=model.start)
    training, first = None if learning is None else training_set_of(learning, draws), locked(np.array(prices))
    settles = model.settlement
    settlement = None if settles is None else (settles.tick, markets.goods.index(settles.outcome))
    run: dict[str, Any] = {**model.run.model_dump(), "references": model.run.references == "on"}
    members, nothing = frozenset(["members"] if model.run.members else ()), set[str]() if model.taxes else {"taxes"}
    run |= {"tables": members.union(model.run.tables) - nothing}
    run |= {name: frozenset(kept) for name in ("goods", "agents") if (kept := getattr(model.run, name)) is not None}
    del run["goes_on"]
    holdings = Holdings(
        tuple(firm.stock for firm in model.firms),
        tuple(firm.money for firm in model.firms),
        tuple(consumer.money or 0.0 for consumer in model.consumers),
    )
    begun = holdings, model.arrival, settlement
    setup = Setup(rule, first, trade, model.run.tolerance, training, model.run.engine, *begun)
    one_by_one = Regimes(model, markets, draws, made)
    regimes = [one_by_one.last, *map(one_by_one.after, shocked)]
    if len(regimes) > 1 and regimes[1].tick == 0:
        del regimes[0]
    repeats = any(shock.every is not None for shock in model.shocks)
    known = {regime.tick: regime for regime in regimes}
    return Scenario(
        name=resolved["name"],
        regimes=tuple(regimes),
        markets=markets,
        initial_prices=first,
        numeraire=model.numeraire,
        scheduler=model.moved_by.build(setup),
        gradient_path=model.compare.gradient_path,
        run=RunSettings(**run),
        expect=model.outcomes,
        expected_equilibria=model.equilibria,
        resolved=resolved,
        path=path,
        inputs=inputs,
        plugins=plugins,
        warnings=warnings,
        last_ticks=LastTicks(model.shocks),
        later=partial(following, one_by_one, known) if repeats else None,
    )
