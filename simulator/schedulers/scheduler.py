"""What every scheduler is: a start, a pure step, and how its ticks are judged and recorded.

A scheduler is frozen. Its state and its tick are named tuples of arrays (or of tuples of arrays, or numbers); the state
holds all that the coming tick depends on beside the economy, so that it is the checkpoint, too, and a shock hands the
same state another economy. Chance is drawn from the seed and the tick's number alone. Memory that only saves work is
allowed where no result can show it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol

import numpy as np

from simulator.dynamics.learning_tick import TrainingSet
from simulator.dynamics.market_tick import Stretch
from simulator.dynamics.price_rules import PriceRule
from simulator.dynamics.trading import Trade
from simulator.dynamics.transition import StateT, TickT, Transition
from simulator.dynamics.verdicts import VerdictRule, Watch
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.user_markets import UserMarkets
from simulator.formulas.in_floats import in_arrays
from simulator.kinds.entry import Entry, Spot, Steps
from simulator.records.columns import KEPT_TABLES, Columns

if TYPE_CHECKING:
    from simulator.dynamics.consumers import CohortTick
    from simulator.records.kept import Kept
    from simulator.records.recorder import View
    from simulator.records.welfare import Position


@dataclass(frozen=True)
class Participant:
    """An entry of agents: what it is called, what kind of agents they are, how many."""

    name: str
    kind: str
    count: int


class Quotes(NamedTuple):
    """Prices, demand and supply of a tick, `(goods,)` each in the economy's order."""

    prices: Array
    demand: Array
    supply: Array


class Holdings(NamedTuple):
    """What a scenario says that each member of an entry begins with: `stock` and `money` of firms, None where it says
    nothing, and the money of consumers.
    """

    stock: tuple[float | None, ...] = ()
    money: tuple[float | None, ...] = ()
    accounts: tuple[float, ...] = ()


class Setup(NamedTuple):
    """What of a scenario a scheduler may be built from: its price rule and initial prices `(goods,)`, when and how
    agents trade, the tolerance of its verdict, what is to be learnt, if anything is, what ticks are worked out in, and
    what agents begin with; of contracts on an event in which order traders arrive, and after which tick which outcome,
    by number, comes true.
    """

    rule: PriceRule
    initial_prices: Array
    trade: Trade
    tolerance: float
    training: TrainingSet | None
    engine: str = "auto"
    holdings: Holdings = Holdings()
    arrival: str = "one_per_tick"
    settlement: tuple[int, int] | None = None


class Findings(Protocol):
    """What a check of a scenario knows, and how it complains: what is at fault is None in the `model`."""

    @property
    def model(self) -> Any:
        """The scenario as its author wrote it."""
        ...

    @property
    def firms(self) -> Mapping[int, Any]:
        """The entries of firms that can be read, by their places."""
        ...

    @property
    def consumers(self) -> Mapping[int, Any]:
        """Those of consumers."""
        ...

    @property
    def faultless(self) -> bool:
        """Whether nothing has been complained about."""
        ...

    def fault(self, path: Steps, message: str, spot: Spot = "value") -> None:
        """Complain."""
        ...

    def sound(self, *path: str | int) -> bool:
        """Whether nothing at or below a path has been complained about."""
        ...

    def written(self, *path: str | int) -> dict[str, Any]:
        """A mapping as it was written."""
        ...


class SchedulerSettings(Entry):
    """What a scenario says of a scheduler: the keys of its section, and what it cannot do."""

    meaning: ClassVar[str]
    """What `simulator list` says of it, in a line."""
    asked_for: ClassVar[str] = "scheduler: {kind: KIND}"
    """How a scenario asks for it."""
    plans: ClassVar[bool] = True
    """Whether agents plan what is best for them at going prices, or come to rest where they would."""
    rations: ClassVar[bool] = True
    """Whether `trade`, `start`, `compare` and the `behaviour` of firms say something."""
    holdings: ClassVar[bool] = False
    """Whether firms begin with `stock` and `money`, and consumers with `money`."""
    rate_range: ClassVar[str] = "size"
    """Where a search for good steps looks for its `rate`, if it has one: a kind of range of `simulator.tune`."""
    columns: ClassVar[Mapping[str, Columns]] = {}
    """Columns of its own, by the table they are added to."""

    def resolved(self) -> dict[str, Any]:
        """The section as it stands in a resolved scenario, every default written out."""
        return self.model_dump(by_alias=True)

    def first_price(self, good: str, goods: Sequence[str]) -> float | None:
        """The price at which one of the `goods` begins, where the scheduler says that; None where its market does."""
        return None

    @abstractmethod
    def refuse(self, findings: Findings) -> None:
        """Complain about what the scheduler cannot do in a scenario."""

    @abstractmethod
    def build(self, setup: Setup) -> Scheduler[Any, Any]:
        """The scheduler of a scenario."""


class Scheduler(ABC, Generic[StateT, TickT]):
    """What moves prices, from tick to tick."""

    kind: ClassVar[str]
    rule: PriceRule

    @abstractmethod
    def start(self, economy: Economy, prices: Array, seed: int) -> StateT:
        """The state before the first tick, which quotes `prices` `(goods,)`; chance is drawn from the `seed`."""

    @abstractmethod
    def step(self, economy: Economy, state: StateT) -> tuple[StateT, TickT]:
        """One tick: the state after it, and the tick. Nothing is changed."""

    def traceable(self, economy: Economy) -> Callable[[StateT], tuple[StateT, TickT]]:
        """`step` as a function of a state in arrays that may be traced, and then run in another way."""
        return partial(self.step, economy)

    def lend(self, to: Scheduler[Any, Any], economies: Sequence[tuple[Economy, Economy]]) -> None:
        """Save another scheduler, which differs in numbers alone, the work of tracing what has been traced here: of
        each of its economies by that of this one.
        """

    def refusal(self, economy: Economy, prices: Array, engine: str) -> str | None:
        """Why ticks that begin at `prices` `(goods,)` cannot be worked out in `floats` or `compiled`."""
        return f"{self.kind} works out all firms at once, in arrays alone"

    def pass_over(
        self, economy: Economy, state: StateT, watch: Watch, ticks: int, unrecorded: int | None
    ) -> tuple[StateT, Stretch] | None:
        """Up to so many ticks that nobody has to look at, the first so many of them `unrecorded` (None where each state
        is needed): the state after them, and the ticks. None where the coming tick is to be looked at, or ticks are
        worked out one by one.
        """
        return None

    def reprice(self, economy: Economy, state: StateT, moved: Callable[[Array], Array]) -> StateT:
        """The state with its prices `(goods,)` moved by a function of them."""
        before: Any = in_arrays(state)
        return before._replace(prices=moved(before.prices))

    @abstractmethod
    def residual(self, economy: Economy, tick: TickT) -> float:
        """How far the market is from clearing in a tick; 0 where it clears."""

    @abstractmethod
    def quotes(self, economy: Economy, tick: TickT) -> Quotes:
        """What a tick quoted, and what was wanted and offered at that."""

    @abstractmethod
    def verdict_rule(self, prices: Array, tolerance: float) -> VerdictRule[StateT, TickT]:
        """What names the outcome of a run that begins at `prices` `(goods,)`."""

    @abstractmethod
    def view(self, economy: Economy, prices: Array, options: ViewOptions) -> View[StateT, TickT, Any]:
        """How its ticks are recorded, of a run that begins at `prices` `(goods,)`."""

    def settle_at_equilibrium(self, now: Transition[StateT, TickT]) -> TickT:
        """The last tick with all carried out that has waited for prices to be found: nothing, unless trade waits."""
        return now.tick

    def in_arrays(self, economy: Economy) -> bool:
        """Whether every tick is worked out in arrays: what can be told without one."""
        return True

    def served_by(self, now: Transition[StateT, TickT]) -> str:
        """What the tick that would come next is worked out in: `floats`, `arrays`, or where it can be `compiled`."""
        return "arrays"

    def cohorts(self, now: Transition[StateT, TickT]) -> list[CohortTick]:
        """What each cohort of consumers went through in a tick."""
        return []

    def position(self, now: Transition[StateT, TickT]) -> Position | None:
        """How agents stand in a tick; None where nobody plans."""
        return None

    def agent_rows(self, economies: Sequence[Economy], markets: UserMarkets, kept: Kept) -> int:
        """How many rows of agents.csv are `kept` of a tick, where these `economies` follow one another."""
        from simulator.records.agent_rows import AgentRows

        return int(kept.rows(AgentRows(economies, markets).keys).sum())

    def participants(self, economy: Economy) -> list[Participant]:
        """The entries of agents that take part."""
        firms = [Participant(firm.name, "firm", firm.count) for firm in economy.firms]
        return firms + [Participant(cohort.name, "consumer", cohort.count) for cohort in economy.consumers]


class ViewOptions(NamedTuple):
    """What of a run its record depends on: which good each market is of, the run's `seed`, whether the judges look on
    (`references`), what the path is compared with (`dual` or `primal`), and every so many ticks the linear picture
    (`diagnostics`, 0 never); the `tables` that are kept, and all `economies` that follow one another, if shocks change
    the first.
    """

    markets: UserMarkets
    seed: int
    references: bool = True
    gradient_path: str = "dual"
    diagnostics: int = 1
    tables: Set[str] = KEPT_TABLES
    economies: Sequence[Economy] = ()


def flatten(state: Any) -> dict[str, Array]:
    """A state as arrays by name: what a checkpoint keeps. A tuple's parts are numbered."""
    found: dict[str, Array] = {}
    for name, value in state._asdict().items():
        if _is_parts(value):
            found |= {f"{name}{place}": np.asarray(part) for place, part in enumerate(value)}
        else:
            found[name] = np.asarray(value)
    return found


def unflatten(like: Any, arrays: Mapping[str, Array]) -> Any:
    """The state of such `arrays`, of the same kind as another one; whole numbers are such again."""
    values: dict[str, Any] = {}
    for name, value in like._asdict().items():
        if _is_parts(value):
            values[name] = tuple(arrays[f"{name}{place}"] for place in range(len(value)))
        else:
            values[name] = int(arrays[name]) if isinstance(value, int) else arrays[name]
    return type(like)(**values)


def _is_parts(value: Any) -> bool:
    """Whether a field of a state is a tuple of arrays (and not one of floats)."""
    return isinstance(value, tuple) and not any(isinstance(part, float) for part in value)
