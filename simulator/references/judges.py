"""The judges together: what the references say of a tick, in the columns of the record, regime after regime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.price_rules import PriceRule
from simulator.economics.clearing import as_good_as_free
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.potential import Reference, merit_value, reference
from simulator.economics.signal import signal_scale
from simulator.economics.ties import set_valued
from simulator.formulas.in_runs import InRuns, one_by_one
from simulator.references.diagnostics import Markets, diagnose
from simulator.references.equilibrium import STARTS, further, search
from simulator.references.found import Equilibrium, Search
from simulator.references.gradient_path import GradientPath
from simulator.references.mirror_path import MirrorPath, NoPath
from simulator.references.planner_path import PlannerPath

MOST_NUMBERS = 1_000_000
"""Of so many numbers of Jacobians a block of ticks is looked at together."""
NO_MOTION = 1e-13
"""A motion this small beside prices, or a signal beside what is traded, is rounding."""


class Path(Protocol):
    """What a market's path is compared with: prices `(goods,)` of every tick from one start, taken up again from a
    `state`.
    """

    kind: ClassVar[str]
    tick: int

    def advance(self, tick: int) -> Array:
        """The prices at `tick`, not before the last one asked for."""
        ...

    def change_economy(self, economy: Economy, reference: Reference) -> None:
        """Go on from here in another economy, which has another `reference` function."""
        ...

    def move(self, moved: Callable[[Array], Array]) -> None:
        """Have the prices of the tick last asked for, if they are its own, moved by a function of them."""
        ...

    def state(self) -> dict[str, Array]: ...

    def restore(self, state: Mapping[str, Array]) -> None: ...


PATHS: dict[str, Callable[..., Path]] = {
    "dual": GradientPath,
    "primal": lambda economy, _, rule, prices, levels=None: PlannerPath(economy, rule, prices),
    "mirror": lambda economy, _, rule, prices, levels=None: MirrorPath(economy, prices),
    "none": lambda economy, _, rule, prices, levels=None: NoPath(prices),
}
"""The paths there are, of an economy, its reference function, a price rule, initial prices and, if they are known,
activity levels: gradient descent on a function of prices, a planner's gradient ascent on the allocation, and mirror
descent on bids.
"""


class Seen(NamedTuple):
    """The reference function at the market's own prices: its `value` `()`, and `(goods,)` its `signal` (minus the
    gradient, in quantities) and, where the rule asks for it, the signal's `slope`; and how `markets` answer there.
    """

    value: Array
    signal: Array
    slope: Array | None
    markets: Markets


class RegimeEquilibria(NamedTuple):
    """A regime in the eyes of the judges: the tick it begins with, its economy, and what a search for its equilibria
    found.
    """

    from_tick: int
    economy: Economy
    search: Search

    @property
    def equilibria(self) -> list[Equilibrium]:
        """Those that were found."""
        return self.search.equilibria


class References:
    """The judges: the function descended, the path compared with, and the equilibria found, for the regime in force.

    A shock begins a new regime: the path goes on from where it is, in the new economy. `diagnostics` is the number of
    ticks from one look at the linear picture to the next, 0 for none. Equilibria are searched for from `starts` prices.
    """

    def __init__(
        self,
        economy: Economy,
        rule: PriceRule,
        initial_prices: Array,
        seed: int,
        *,
        path: str = "dual",
        starts: int = STARTS,
        diagnostics: int = 1,
    ) -> None:
        self._diagnostics = diagnostics
        self.dominant_mode: Array | None = None
        self.rule, self._free, self._seed, self._starts = rule, ~rule.fixed, seed, starts
        self.initial_prices = initial_prices
        self._enter(economy)
        self._kind = path
        self.path = self._path(initial_prices)
        self.regimes = [self._regime(0, economy, [])]

    def begin(self, tick: int, prices: Array, levels: Array | None = None) -> None:
        """Begin at this tick instead, the path with these prices `(goods,)` and activity levels `(levels,)`."""
        self.path, self.regimes[0] = self._path(prices, levels), self.regimes[0]._replace(from_tick=tick)
        self.path.tick = tick

    def _path(self, prices: Array, levels: Array | None = None) -> Path:
        return PATHS[self._kind](self.economy, self.reference, self.rule, prices, levels)

    @np.errstate(all="ignore")
    def change_economy(self, from_tick: int, economy: Economy) -> None:
        """Begin a regime: from this tick on the economy is another, or prices have been moved."""
        self.path.advance(from_tick)
        if economy is self.economy:
            self.regimes.append(self.regimes[-1]._replace(from_tick=from_tick))
            return
        self._enter(economy)
        self.path.change_economy(economy, self.reference)
        self.regimes.append(self._regime(from_tick, economy, self.equilibria))

    def _enter(self, economy: Economy) -> None:
        self.economy, self.reference = economy, reference(economy)
        # With and without the linear picture.
        self._look = [self._looking(jacobian) for jacobian in (False, True)]

    def _looking(self, jacobian: bool) -> Callable[[tuple[Array, ...]], Seen]:
        """The reference function at many prices `(ticks, goods)`, of guesses at inputs `(ticks, edges)`, activity
        levels `(ticks, levels)` and rates of taxes `(ticks, taxes)`.
        """
        economy, function, sloping = self.economy, self.reference, self.rule.needs_jacobian

        def look(given: tuple[Array, ...]) -> Seen:
            prices, guess, levels, rates = given
            descent = function.descent(prices, guess, sloping, levels=levels, rates=rates, slopes=jacobian)
            plans, found = descent.plans, descent.slopes if jacobian else None
            made = economy.in_force(rates).user_prices.net_output(plans.prices, plans.outputs, plans.inputs)
            assert descent.value is not None
            markets = Markets(plans.prices, plans.demand, plans.supply, made, found)
            return Seen(descent.value, descent.signal, descent.slope, markets)

        # What is due to incomes is found by search.
        small = economy.small(slopes=jacobian or sloping or function.by_slopes) and economy.fiscal is None
        return InRuns(look) if small else one_by_one(look)

    def _regime(self, from_tick: int, economy: Economy, before: list[Equilibrium]) -> RegimeEquilibria:
        starts = [self.initial_prices, *(found.values for found in before)]
        found = search(economy, self.rule, starts, many=self._starts, seed=self._seed)
        return RegimeEquilibria(from_tick, economy, found)

    @property
    def search(self) -> Search:
        """That of the regime in force."""
        return self.regimes[-1].search

    def search_from(self, values: Array) -> None:
        """Search from the unknowns at which a market cleared, where no equilibrium that is known is near."""
        last = self.regimes[-1]
        self.regimes[-1] = last._replace(search=further(last.economy, self.rule, last.search, values))

    @property
    def equilibria(self) -> list[Equilibrium]:
        """Those of the regime in force."""
        return self.regimes[-1].equilibria

    @property
    def level_free(self) -> bool:
        """Whether an equilibrium of the regime in force is a ray of prices."""
        return self.rule.unknowns(self.economy).level_free

    @np.errstate(all="ignore")
    def columns(
        self,
        numbers: Array,
        prices: Array,
        next_prices: Array,
        demand: Array,
        supply: Array,
        inputs: Array,
        levels: Array,
        rates: Array,
    ) -> dict[str, Array]:
        """Columns of ticks.csv, `(ticks,)` each, of the market's prices, next prices and plans `(ticks, goods)`.

        `numbers` `(ticks,)` are the ticks', `inputs` `(ticks, edges)` near the best ones, `levels` `(ticks, levels)`
        the activities', `rates` `(ticks, taxes)` those of taxes. What is said of the way in which the market is out of
        equilibrium is not a number but at every so manieth tick (the `diagnostics` of the run), and where there is no
        linear picture in prices alone: demand is a set, or levels or rates move with them. `dominant_mode` is then the
        last tick's combination of goods, None if nobody looked there.
        """
        ticks, goods = prices.shape
        motion, looked = self._motion(prices, next_prices), np.zeros(ticks, dtype=bool)
        columns = {name: np.full(ticks, np.nan) for name in ("rotation_index", "cosine_home", "dominant_mode")}
        self.dominant_mode = None
        if self._diagnostics and not set_valued(self.economy) and not levels.size and not self.economy.adjusts:
            looked = (numbers % self._diagnostics == 0) & np.isfinite(_relative(motion, prices)).all(axis=1)
        value, (signal, own_scale, slope, excess) = np.empty(ticks), np.empty((4, ticks, goods))
        most = max(1, MOST_NUMBERS // goods**2)
        for jacobian in (False, True):
            rows = np.flatnonzero(looked == jacobian)
            for part in np.split(rows, range(most, len(rows), most)):
                if not len(part):
                    continue
                seen = self._look[jacobian]((prices[part], inputs[part], levels[part], rates[part]))
                value[part], signal[part], own_scale[part] = seen.value, seen.signal, seen.markets.scale
                excess[part] = seen.markets.demand - seen.markets.supply
                if seen.slope is not None:
                    slope[part] = seen.slope
                if jacobian:
                    self._diagnose(part, _relative(motion, prices)[part], seen.markets, columns)
        scale, sloping = signal_scale(self.economy, demand, supply), self.rule.needs_jacobian
        is_merit = self.reference.kind == "merit"
        free, metric = self._free, self.rule.metric(prices, scale, slope if sloping else None)
        return columns | {
            "potential": np.full(ticks, np.nan) if is_merit else value,
            "merit": value if is_merit else merit_value(prices, excess, own_scale),
            "cosine_to_gradient": cosine(*(values[:, free] for values in (motion, signal, metric, prices, own_scale))),
            "distance_to_equilibrium": self._distance(prices, demand, supply),
        }

    def _diagnose(self, rows: NDArray[np.intp], motion: Array, markets: Markets, columns: dict[str, Array]) -> None:
        """Write to the `rows` of columns what the linear picture says there, `motion` being that of log prices."""
        for some, found in diagnose(self.economy, self.rule, markets):
            columns["rotation_index"][rows[some]] = found.rotation_index
            columns["cosine_home"][rows[some]] = found.cosine_home(motion[some])
            mode, columns["dominant_mode"][rows[some]] = found.dominant_mode
            if rows[some[-1]] == len(columns["dominant_mode"]) - 1:
                self.dominant_mode = mode[-1]

    def _motion(self, prices: Array, next_prices: Array) -> Array:
        """By how much prices move, in the rule's own coordinates, times prices where these are logarithms."""
        if self.rule.form == "multiplicative":
            return prices * np.log(np.maximum(next_prices, 1e-300) / np.maximum(prices, 1e-300))
        return next_prices - prices

    def _distance(self, prices: Array, demand: Array, supply: Array) -> Array:
        """Largest relative price gap to the nearest equilibrium, `(ticks,)`; not a number if none was found."""
        gaps = [self.gap(found, prices, demand, supply) for found in self.equilibria]
        return np.min(gaps, axis=0) if gaps else np.full(len(prices), np.nan)

    @np.errstate(all="ignore")
    def gap(self, found: Equilibrium, prices: Array, demand: Array, supply: Array) -> Array:
        """Largest relative gap of a market's prices to an equilibrium's, `(...)`, all `(..., goods)`.

        What is free there counts as 0, and is left out once it is as good as free in the market.
        """
        free = as_good_as_free(found.prices, found.balance.demand, found.balance.supply)
        there = np.where(free, 0.0, self.equilibrium_prices(found, prices))
        return relative_gap(np.where(free & as_good_as_free(prices, demand, supply), np.nan, prices), there)

    def equilibrium_prices(self, found: Equilibrium, prices: Array, economy: Economy | None = None) -> Array:
        """An equilibrium's prices, `(..., goods)`, brought to the `level` of a market's `prices` `(..., goods)`."""
        return found.prices * self.level(found, prices, economy)[..., None]

    @np.errstate(all="ignore")
    def level(self, found: Equilibrium, prices: Array, economy: Economy | None = None) -> Array:
        """By what an equilibrium's prices are multiplied to bring them to the level of a market's `prices` `(...,
        goods)`, `(...)`: 1 unless it is free in its `economy` (the one in force, unless said).

        The level is what the rule's steps keep, as `p z = 0`: `sum p^2` under the additive form; under the
        multiplicative one about `sum(p s)`, at the equilibrium's quantities `s`.
        """
        if not self.rule.unknowns(economy or self.economy).level_free:
            return np.ones(prices.shape[:-1])
        if self.rule.form == "additive":
            return np.asarray(np.linalg.norm(prices, axis=-1) / np.linalg.norm(found.prices))
        worth = found.prices @ found.balance.scale > 0
        weights = found.balance.scale if worth else np.ones(len(found.prices))
        return np.asarray(prices @ weights / float(found.prices @ weights))


@np.errstate(all="ignore")
def relative_gap(values: Array, reference: Array) -> Array:
    """`max |v - r| / |r|` along the last axis; a gap to 0 counts as 1; not a number where none is known."""
    known = (values == values) & np.isfinite(reference)
    gap = np.abs(np.where(known, values, 0.0) - np.where(known, reference, 0.0))
    base = np.where(reference != 0, np.abs(reference), np.minimum(np.abs(values), 1e300))
    relative = np.divide(gap, base, out=np.zeros(gap.shape), where=known & (base > 0))
    return np.where(known.any(axis=-1), relative.max(axis=-1, initial=0.0), np.nan)


def cosine(motion: Array, signal: Array, metric: Array, prices: Array, scale: Array) -> Array:
    """Cosine between price motions and descent along signals, in the metric `sum w a b` over the last axis.

    1 at rest, where both are 0 to rounding (beside `prices` and the signal's `scale`), and 0 where only one is 0.
    """
    moving = np.sum(metric * motion**2, axis=-1)
    pulling = np.sum(_squares(signal, metric), axis=-1)
    product, norm = np.sum(motion * signal, axis=-1), np.sqrt(moving * pulling)
    angle = np.divide(product, norm, out=np.zeros(norm.shape), where=norm > 0)
    at_rest = (moving <= NO_MOTION**2 * np.sum(metric * prices**2, axis=-1)) & (
        pulling <= NO_MOTION**2 * np.sum(_squares(scale, metric), axis=-1)
    )
    return np.where(at_rest, 1.0, np.where(norm == norm, angle, np.nan))


def _relative(motion: Array, prices: Array) -> Array:
    return np.divide(motion, prices, out=np.zeros(prices.shape), where=prices > 0)


def _squares(signal: Array, metric: Array) -> Array:
    return np.divide(signal**2, metric, out=np.zeros(signal.shape), where=metric > 0)
