"""What a scenario may say: every key with its type, default and meaning.

The models judge each value by itself. What several values must satisfy together (a good that exists, shares that sum to
at most 1) is judged in `checks`. The order of the fields is the order of the resolved scenario.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Tag

from simulator.dynamics import trial
from simulator.dynamics.behaviours import BEHAVIOURS
from simulator.economics.behaviour import Behaviour, BestResponse
from simulator.kinds.draws import DrawError
from simulator.kinds.entry import (
    LIST,
    MAPPING,
    NUMBER,
    TEXT,
    Amount,
    Chosen,
    Entry,
    GoodName,
    Name,
    OneOf,
    Whole,
    by_shape,
)
from simulator.kinds.formulas import MakesText
from simulator.kinds.numbers import AT_LEAST_0, AnyAmount, AnyPayment, Drawn, Numbers, bounded, draws_in
from simulator.kinds.technologies import TECHNOLOGIES, Activity, Products, TechnologyKind, one_each, products_of
from simulator.kinds.traders import WANTS, TraderKind
from simulator.kinds.utilities import goods_in
from simulator.scenario.contingent_keys import Belief, Contingent, Settlement
from simulator.scenario.expected_keys import Equilibria, Expectation, Expected
from simulator.scenario.fiscal_keys import Tax, Transfer
from simulator.scenario.origin_keys import Calibrate, ProgramText
from simulator.scenario.run_keys import Run, TickNumber
from simulator.scenario.trade_keys import EveryTick, Trade
from simulator.schedulers.learning import LearningSettings
from simulator.schedulers.scheduler import SchedulerSettings
from simulator.schedulers.table import AnyScheduler
from simulator.schedulers.tatonnement_settings import TatonnementSettings

if TYPE_CHECKING:
    from collections.abc import Set

    from simulator.economics.taste import Taste
    from simulator.economics.technology import Technology
    from simulator.economics.traders import Trader
    from simulator.kinds.draws import Reader

SHARE_ROUNDING = 1e-9
"""By how much shares may exceed 1 together."""


class Good(Entry):
    """A good and its market."""

    price: float | None = Field(
        None, description="initial price, numeraire per unit (default 1); above 0, or 0 under additive"
    )
    fixed_price: float | None = Field(
        None, description="a price that never moves; the good is rationed like any other; above 0 but in learning"
    )
    floor: float | None = Field(
        None,
        description="the price is projected here when a rule would take it lower; at least 0 but in learning (default "
        "1e-12 of the initial price)",
    )
    cap: float | None = Field(
        None, description="the price is projected here when a rule would take it higher: the good is then rationed"
    )
    rival: bool = Field(True, description="false: every user has all of it, each at a price of its own")


AnyTechnology = Annotated[Chosen[TechnologyKind], OneOf("technologies", "Technology", TECHNOLOGIES)]
AnyUtility = Annotated[Chosen[Any], OneOf("utilities", "Utility", WANTS)]
AnyBehaviour = Annotated[Chosen[Behaviour], OneOf("behaviours", "Behaviour", BEHAVIOURS, plain=True)]
Count = Annotated[Whole, Field(ge=1, le=10**12)]


class Firm(Entry):
    """A price-taking firm, or several."""

    name: Name = Field(description="name, unique among firms and consumers")
    count: Count | None = Field(None, description="how many of them (default 1)")
    makes: MakesText | None = Field(None, description="what comes out for what goes in: 'bread = 2*sqrt(grain)'")
    productivity: AnyAmount | None = Field(
        None, description="what the formula, or what an activity makes, is multiplied by (default 1)"
    )
    technology: AnyTechnology | None = Field(None, description="a kind of technology, in the place of makes")
    behaviour: AnyBehaviour = Field(
        Chosen("best_response", BestResponse(), "best_response"),
        description="how a firm plans: for most profit, or step by step",
        json_schema_extra={"default": "best_response"},
    )
    stock: Amount | None = Field(
        None, description="what each has on offer at the start (default: planned output; 1 of constant returns)"
    )
    money: Amount | None = Field(
        None, description="money each has at the start (default: what its stock is worth at initial prices)"
    )

    @cached_property
    def draws(self) -> bool:
        """Whether something differs among them."""
        return any(True for _ in draws_in(self))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The goods made."""
        return self.products.goods

    @cached_property
    def products(self) -> Products:
        """The goods that a unit of output becomes."""
        if self.makes is not None:
            return one_each(*self.makes.outputs)
        return one_each() if self.technology is None else products_of(self.technology.kind)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The goods used, in the technology's order."""
        if self.makes is not None:
            return self.makes.formula.variables
        return () if self.technology is None else self.technology.kind.goods()

    def build(self, read: Reader, abroad: Set[str]) -> Technology:
        """What the firms can make; goods that the outside alone buys, `abroad`, may be negative."""
        from simulator.economics.concave_technology import ConcaveTechnology
        from simulator.economics.technology import FormulaTechnology

        if self.makes is not None:
            productivity = read.number(1.0 if self.productivity is None else self.productivity, "productivity")
            kind = ConcaveTechnology if self.makes.kinked else FormulaTechnology
            return kind(self.makes.formula, abroad >= set(self.outputs), productivity, read.count)
        assert self.technology is not None
        kind, below = self.technology.kind, replace(read.at("technology"), goods=self.inputs)
        if isinstance(kind, Activity):
            # Whose own keys are all goods: what multiplies them stands beside it.
            return kind.build(below, self.productivity)
        return kind.build(below) if self.technology.name in TECHNOLOGIES else trial.technology(kind, below)


class Activities(Entry):
    """Activities in a table, each of which is a firm; more can be said of one under `firms`, by its name."""

    csv: Annotated[str, Field(min_length=1)] = Field(
        description="a CSV file with the columns activity, good and amount (above 0 made, below 0 used), a row for each"
    )
    behaviour: AnyBehaviour | None = Field(None, description="the behaviour of them all")


Share = Annotated[
    Annotated[Amount, Tag(NUMBER)] | Annotated[Literal["equal"], Tag(TEXT)] | Drawn,
    by_shape("a share (number) or equal", "equal"),
    bounded(AT_LEAST_0),
]


class Consumer(Entry):
    """A consumer, or several."""

    name: Name = Field(description="name, unique among firms and consumers")
    count: Count | None = Field(None, description="how many of them (default 1, or the rows of their CSV file)")
    utility: AnyUtility = Field(description="what the consumer wants")
    endowment: Numbers = Field(
        default_factory=dict[str, Any],
        description="quantities that each owns anew every tick; below 0 what each has to deliver",
    )
    budget: AnyPayment | None = Field(
        None,
        description="money each receives per tick, below 0 a lump-sum tax that leaves the economy; a quasi-linear "
        "consumer without one spends without limit",
    )
    owns: dict[str, Share] = Field(
        default_factory=dict[str, Any],
        description="shares of firms' profits, of all these consumers together; equal: what others leave, divided "
        "evenly among those who say so",
    )
    savings: bool = Field(False, description="keep the unspent part of the budget for later ticks")
    money: Amount | None = Field(None, description="money each has at the start (default 0)")
    belief: Belief | None = Field(
        None, description="of a trader in contracts: the probability it gives to each outcome, fixed or a dirichlet"
    )
    sees_impact: bool | None = Field(
        None,
        description="of a trader at a market maker: whether it counts with its own trade moving prices (default: false "
        "for kelly and cara; neutral and linear_pool always do)",
    )

    @cached_property
    def draws(self) -> bool:
        """Whether something differs among them."""
        return any(True for _ in draws_in(self))

    @property
    def unlimited(self) -> bool:
        """Whether the purse has no bottom."""
        return self.budget is None and getattr(self.utility.kind, "unlimited", False)

    @property
    def uses(self) -> set[str]:
        """The goods wanted."""
        return {*goods_in(self.utility), *goods_in(self.belief or {})}

    def trader(self, read: Reader) -> Trader | None:
        """Those who trade contracts on an event; None of who consumes goods."""
        name, kind = self.utility.name, self.utility.kind
        if not isinstance(kind, TraderKind) or self.belief is None:
            return None
        belief = read.table(self.belief, "belief")
        if name == "cara" and not belief.all():
            raise DrawError(read.at("belief").path, "found a belief of 0; expected larger numbers in dirichlet")
        return kind.trader(read.at("utility", name), name, belief, bool(self.sees_impact))

    def build(self, read: Reader, trader: Trader | None) -> Taste:
        """What the consumers want."""
        below = read.at("utility", self.utility.name)
        kind = self.utility.kind
        if trader is not None:
            return kind.taste(trader.belief)
        return kind.build(below) if self.utility.name in WANTS else trial.utility(kind, below)


class Compare(Entry):
    """What a market's path is compared with."""

    gradient_path: Literal["dual", "primal"] = Field(
        "dual", description="prices that descend a function (dual), or a planner's ascent on the allocation (primal)"
    )


class Shock(Entry):
    """What changes at a tick."""

    tick: TickNumber = Field(description="the first tick in the changed economy")
    every: Annotated[Whole, Field(ge=1, le=10**15)] | None = Field(
        None, description="it happens again after so many ticks, and again"
    )
    until: Annotated[Whole, Field(ge=1, le=10**15)] | None = Field(
        None, description="with every the last tick at which it may happen; else the tick at which it is undone"
    )
    changes: Annotated[dict[str, Any], Field(min_length=1)] = Field(
        alias="set",
        description="path: value, {times: x} or {plus: x}, numbers or drawn anew each time; paths as in "
        "firms.farm.productivity, and prices.bread",
    )


class ScenarioFile(Entry):
    """A market: goods, who makes and wants them, and how prices move."""

    name: Name | None = Field(
        None, description="name of the scenario and of its output folder (default: the file's stem)"
    )
    base: str | None = Field(
        None, description="the file of another scenario, of which this one says the differences alone"
    )
    program: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[ProgramText, Tag(MAPPING)],
            by_shape("lines such as c = a*b + 1"),
        ]
        | None
    ) = Field(None, description="assignments that become goods and firms, in the place of goods, outside and firms")
    goods: Annotated[
        Annotated[list[Name], Field(min_length=1), Tag(LIST)]
        | Annotated[dict[Name, Good | None], Field(min_length=1), Tag(MAPPING)],
        by_shape("a list of names or a mapping of goods"),
    ] = Field(description="the goods, by name alone or with their market's details")
    numeraire: GoodName | None = Field(None, description="the good whose price stays 1; none: every price moves")
    outside: dict[GoodName, float] = Field(
        default_factory=dict[str, float],
        description="goods the outside world trades in any amount, at this price; below 0 it takes them for money",
    )
    supply: dict[GoodName, float] = Field(
        default_factory=dict[str, float], description="quantities that arrive every tick, owned by nobody"
    )
    initial_prices: dict[GoodName, float] = Field(
        default_factory=dict[str, float], description="prices at tick 0 (default 1)"
    )
    contingent: Contingent | None = Field(
        None, description="an event: contracts on its outcomes are the goods, and traders the consumers"
    )
    learning: LearningSettings | None = Field(
        None, description="patterns to be learnt by a market of bundles, in the place of goods, firms and consumers"
    )
    activities: Activities | None = Field(None, description="firms from a table of activities")
    calibrate: Calibrate | None = Field(
        None, description="a table of accounts that becomes goods, firms, consumers, taxes and transfers"
    )
    firms: list[Firm] = Field(default_factory=list[Firm], description="who makes goods out of goods")
    consumers: list[Consumer] = Field(default_factory=list[Consumer], description="who wants goods")
    taxes: list[Tax] = Field(default_factory=list[Tax], description="what comes between users and sellers")
    transfers: list[Transfer] = Field(default_factory=list[Transfer], description="what consumers hand on to others")
    arrival: Literal["one_per_tick", "round_robin", "all_per_tick"] = Field(
        "one_per_tick",
        description="in which order traders come to a market maker: each once, one after another again and again, or "
        "all in every tick, one after another",
    )
    settlement: Settlement | None = Field(None, description="when the event happens, and how (default: never)")
    trade: Annotated[
        Annotated[Literal["every_tick", "at_equilibrium"], Tag(TEXT)] | Annotated[Trade, Tag(MAPPING)],
        by_shape("every_tick, at_equilibrium or {every_tick: {...}}"),
    ] = Field("every_tick", description="when goods and money change hands")
    start: Literal["stocked", "empty"] = Field(
        "stocked", description="whether firms begin with one tick of output in stock"
    )
    shocks: list[Shock] = Field(default_factory=list[Shock], description="changes of the economy at given ticks")
    scheduler: AnyScheduler = Field(
        default_factory=lambda: TatonnementSettings.model_validate({}), description="what moves prices"
    )
    compare: Compare = Field(
        default_factory=lambda: Compare.model_validate({}), description="what the market's path is compared with"
    )
    run: Run = Field(
        default_factory=lambda: Run.model_validate({}), description="how long to run, how exactly, and what to record"
    )
    expect: Annotated[
        Annotated[Expected, Tag(TEXT)]
        | Annotated[Equilibria, Tag(MAPPING)]
        | Annotated[list[Expectation], Field(min_length=1), Tag(LIST)],
        by_shape("an outcome, no_equilibrium, {equilibria: N} or a list of them", key="equilibria"),
    ] = Field("cleared", description="how the run should end, and what `simulator solve` should find")

    @property
    def outcomes(self) -> tuple[str, ...]:
        """How the run should end: `cleared`, where no outcome is named."""
        named = tuple(one for one in self._expected if isinstance(one, str) and one != "no_equilibrium")
        return named or ("cleared",)

    @property
    def equilibria(self) -> tuple[int, ...]:
        """How many equilibria should be found, in any of these numbers; none where it does not matter."""
        counted = (one for one in self._expected if not isinstance(one, str) or one == "no_equilibrium")
        return tuple(0 if isinstance(one, str) else one.equilibria for one in counted)

    @property
    def _expected(self) -> list[str | Equilibria]:
        return [*self.expect] if isinstance(self.expect, list) else [self.expect]

    @property
    def moved_by(self) -> SchedulerSettings:
        """What moves prices: who learns patterns has a scheduler of its own."""
        return self.scheduler if self.learning is None else self.learning

    @property
    def every_tick(self) -> EveryTick:
        """How trade goes where it goes on in every tick."""
        options = self.trade.every_tick if isinstance(self.trade, Trade) else None
        return options or EveryTick.model_construct()

    @cached_property
    def markets(self) -> dict[str, Good]:
        """The goods by name, with what is said of each; those that cannot be read are left out."""
        given = self.goods if isinstance(self.goods, dict) else dict.fromkeys(self.goods or ())
        plain = Good.model_construct()
        return {good: market or plain for good, market in given.items() if good}

    def held(self, good: str) -> str | None:
        """Why the price of a good never moves; None where it may."""
        held = {
            "an outside price": good in (self.outside or ()),
            "a fixed price": self.markets[good].fixed_price is not None,
            "1 as its price, being the numeraire": good == self.numeraire,
        }
        return next((why for why, is_so in held.items() if is_so), None)

    def begins_in_bounds(self, good: str) -> bool:
        """Whether the initial price of a good is left to its floor and its cap."""
        market = self.markets[good]
        given = good in self.initial_prices or market.price is not None
        return not given and (market.floor, market.cap) != (None, None)

    def initial_price(self, good: str) -> float:
        """The price of a good at tick 0: unless said 1, and 0 where patterns are learnt and nothing is known yet, or
        what is nearest to that between its floor and its cap.
        """
        market = self.markets[good]
        said = self.scheduler.first_price(good, [*self.markets])
        if said is not None:
            return said
        if good in self.outside:
            return self.outside[good]
        if good == self.numeraire:
            return 1.0
        if market.fixed_price is not None:
            return market.fixed_price
        first = 1.0 if self.learning is None else 0.0
        # A complete set of contracts pays 1.
        first = first if self.contingent is None else 1.0 / len(self.markets)
        first = first if market.floor is None else max(first, market.floor)
        first = first if market.cap is None else min(first, market.cap)
        return self.initial_prices.get(good, first if market.price is None else market.price)
