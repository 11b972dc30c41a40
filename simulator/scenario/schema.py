"""What a scenario may say: every key with its type, default and meaning.

The models judge each value by itself. What several values must satisfy together (a good that exists, shares that sum to
at most 1) is judged in `checks`. The order of the fields is the order of the resolved scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, cast, get_args

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from simulator.scenario.entry import (
    DIRICHLET,
    DRAWN,
    LIST,
    MAPPING,
    NUMBER,
    TEXT,
    TRUTH,
    Amount,
    Choice,
    Entry,
    Name,
    Positive,
    Whole,
    name_or_mapping,
    shape,
)
from simulator.scenario.learning_schema import Learning

DEFAULT_FLOOR = 1e-12


def _share_shape(value: object) -> str | None:
    return None if isinstance(value, str) and value != "equal" else shape(value)


def _number_shape(value: object) -> str | None:
    found = shape(value)
    return found if found in (NUMBER, MAPPING) else NUMBER


def _table_shape(value: object) -> str | None:
    drawn = isinstance(value, dict) and is_dirichlet(cast("dict[str, Any]", value))
    return DIRICHLET if drawn or isinstance(value, Dirichlet) else MAPPING


Ticks = Annotated[Whole, Field(ge=1, le=1000)]


class Good(Entry):
    """A good and its market."""

    price: float | None = Field(
        None, description="initial price, numeraire per unit (default 1); above 0, or 0 under additive"
    )
    fixed_price: Positive | None = Field(
        None, description="a price that never moves; the good is rationed like any other"
    )
    floor: Amount = Field(DEFAULT_FLOOR, description="the price is projected here when a rule would take it lower")
    rival: bool = Field(True, description="false: a value that every user has whole, each at a price of its own")


class LogNormal(Entry):
    """`exp(N(mean, sigma))`."""

    mean: float = Field(description="mean of the logarithm")
    sigma: Amount = Field(description="standard deviation of the logarithm")


class Normal(Entry):
    """`N(mean, sigma)`."""

    mean: float = Field(description="mean")
    sigma: Amount = Field(description="standard deviation")


class Gamma(Entry):
    """Density `x^(shape-1) exp(-x/scale)`."""

    shape: Positive = Field(description="shape")
    scale: Positive = Field(1.0, description="scale; the mean is shape times scale")


class Beta(Entry):
    """Density `x^(a-1) (1-x)^(b-1)` from 0 to 1."""

    a: Positive = Field(description="a; the mean is a/(a+b)")
    b: Positive = Field(description="b")


class Pareto(Entry):
    """`P(X > x) = (minimum/x)^exponent`."""

    minimum: Positive = Field(description="least value")
    exponent: Positive = Field(description="exponent of the tail")


class Draw(Entry):
    """A number that differs from agent to agent: drawn from a distribution, or read from a column of a CSV file."""

    key_word: ClassVar[str] = "distribution"
    uniform: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[least, most], all as likely"
    )
    lognormal: LogNormal | None = Field(None, description="exp of a normal")
    normal: Normal | None = Field(None, description="the normal distribution")
    exponential: Positive | None = Field(None, description="the exponential distribution of this mean")
    gamma: Gamma | None = Field(None, description="the gamma distribution")
    beta: Beta | None = Field(None, description="the beta distribution")
    pareto: Pareto | None = Field(None, description="the Pareto distribution")
    choice: Annotated[list[float], Field(min_length=1)] | None = Field(None, description="one of these, all as likely")
    csv: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="a CSV file with a row per agent, its path from the scenario's folder"
    )
    column: str | None = Field(None, description="the column of the CSV file, by its name in the first line")
    times: float = Field(1.0, description="what is drawn is multiplied by this")
    plus: float = Field(0.0, description="and this is added")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [kind for kind in DISTRIBUTION_KEYS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise PydanticCustomError("shape", "a number or one distribution")
        return self


DISTRIBUTION_KEYS = tuple(key for key in Draw.model_fields if key not in ("times", "plus", "column"))


_OR_DRAWN = Discriminator(_number_shape, custom_error_type="shape", custom_error_message="a number or a distribution")
AnyAmount = Annotated[Annotated[Amount, Tag(NUMBER)] | Annotated[Draw, Tag(MAPPING)], _OR_DRAWN]
AnyPositive = Annotated[Annotated[Positive, Tag(NUMBER)] | Annotated[Draw, Tag(MAPPING)], _OR_DRAWN]
BelowOne = Annotated[float, Field(lt=1)]
AnyRho = Annotated[Annotated[BelowOne, Tag(NUMBER)] | Annotated[Draw, Tag(MAPPING)], _OR_DRAWN]
Amounts = dict[str, AnyAmount]
PositiveAmounts = dict[str, AnyPositive]


class Dirichlet(Entry):
    """Shares that add up to 1 and differ from agent to agent: around each good's part of the numbers given."""

    dirichlet: Annotated[dict[str, Positive], Field(min_length=1)] = Field(
        description="by good; the mean share is its part of the sum, the larger the sum the less agents differ"
    )


Shares = Annotated[Annotated[Amounts, Tag(MAPPING)] | Annotated[Dirichlet, Tag(DIRICHLET)], Discriminator(_table_shape)]


def _parameter_shape(value: object) -> str | None:
    if isinstance(value, bool):
        return TRUTH
    if isinstance(value, Draw) or (isinstance(value, dict) and is_draw(cast("dict[str, Any]", value))):
        return DRAWN
    return _table_shape(value) if isinstance(value, dict | Dirichlet) else shape(value)


def is_draw(given: Mapping[str, Any]) -> bool:
    """Whether a mapping of data is a number that differs from agent to agent."""
    # A good may be called as a distribution; its amount does not look like one's parameters.
    likely = "exponential" in given or any(not isinstance(item, int | float) for item in given.values())
    return bool(given) and likely and set(given) <= set(Draw.model_fields)


def is_dirichlet(given: Mapping[str, Any]) -> bool:
    """Whether a mapping of data is shares that are drawn together: a good may be called dirichlet too."""
    return len(given) == 1 and isinstance(given.get("dirichlet"), dict)


Number = Annotated[Annotated[float, Tag(NUMBER)] | Annotated[Draw, Tag(MAPPING)], _OR_DRAWN]
Parameter = Annotated[
    Annotated[float, Tag(NUMBER)]
    | Annotated[str, Tag(TEXT)]
    | Annotated[bool, Tag(TRUTH)]
    | Annotated[list[Any], Tag(LIST)]
    | Annotated[dict[str, Number], Tag(MAPPING)]
    | Annotated[Draw, Tag(DRAWN)]
    | Annotated[Dirichlet, Tag(DIRICHLET)],
    Discriminator(_parameter_shape, custom_error_type="shape", custom_error_message="a parameter"),
]
Parameters = dict[str, Parameter]
"""What a kind from outside may be given: numbers, drawn or not, numbers by name, text, truths and lists."""


class Nest(Entry):
    """A good made of goods, with an elasticity of substitution of its own."""

    elasticity: AnyAmount | None = Field(None, description="elasticity of substitution; 0 fixed proportions")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    shares: Amounts | None = Field(None, description="spending shares at equal prices, by good or nest")
    weights: Amounts | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the shares that are no goods stand for"
    )


class CES(Entry):
    """CES utility: elasticity with shares, or weights with elasticity or rho = 1 - 1/elasticity."""

    elasticity: AnyPositive | None = Field(None, description="elasticity of substitution; 1 is Cobb-Douglas")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    shares: Shares | None = Field(None, description="spending shares at equal prices, by good or nest")
    weights: Shares | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the shares that are no goods stand for"
    )


class Power(Entry):
    """Inverse demand `w x^(-1/e)`."""

    weights: Amounts = Field(description="weights w, by good")
    elasticity: AnyPositive = Field(description="price elasticity e of demand")


class QuadraticTaste(Entry):
    """Inverse demand `a - b x`."""

    intercept: Amounts = Field(description="what the first unit is worth, by good")
    slope: PositiveAmounts = Field(description="how much less each further unit is worth, by good")


class QuasiLinear(Choice):
    """Utility of goods plus money."""

    log: Amounts | None = Field(None, description="weights w in sum w ln(x) + money")
    power: Power | None = Field(None, description="sum w x^(1-1/e)/(1-1/e) + money")
    quadratic: QuadraticTaste | None = Field(None, description="sum a x - b x^2/2 + money")


class StoneGeary(Entry):
    """Subsistence first, the rest in shares."""

    shares: Shares = Field(description="how what is left is spent")
    subsistence: Amounts = Field(description="quantities that come first, by good")


class Utility(Choice):
    """One kind of utility with its parameters."""

    cobb_douglas: Shares | None = Field(None, description="prod x^a with spending shares a")
    ces: CES | None = Field(None, description="(sum w x^rho)^(1/rho)")
    leontief: Amounts | None = Field(None, description="min x/a with amounts a per unit of utility")
    linear: Amounts | None = Field(None, description="sum v x with values v")
    quasilinear: QuasiLinear | None = Field(None, description="utility of goods plus money")
    stone_geary: StoneGeary | None = Field(None, description="prod (x - g)^a beyond subsistence g")
    formula: str | None = Field(None, description="any strictly concave, increasing formula of goods")


class CobbDouglasTechnology(Entry):
    """`y = A prod x^a`, exponents that sum to less than 1."""

    output: str = Field(description="the good made")
    productivity: AnyPositive = Field(1.0, description="A")
    inputs: Annotated[PositiveAmounts, Field(min_length=1)] = Field(description="exponents a, by good")


class CESTechnology(Entry):
    """`y = A h(x)^r` with CES inputs."""

    output: str = Field(description="the good made")
    productivity: AnyPositive = Field(1.0, description="A")
    elasticity: AnyPositive | None = Field(None, description="elasticity of substitution")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    returns_to_scale: AnyPositive = Field(description="r, below 1 where firms choose how much to make")
    inputs: Amounts | None = Field(None, description="cost shares at equal prices, by good or nest")
    shares: Amounts | None = Field(None, description="the same as inputs")
    weights: Amounts | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the inputs that are no goods stand for"
    )


class LeontiefTechnology(Entry):
    """`y = A (min x/a)^r`."""

    output: str = Field(description="the good made")
    productivity: AnyPositive = Field(1.0, description="A")
    returns_to_scale: AnyPositive = Field(description="r, below 1 where firms choose how much to make")
    inputs: Annotated[PositiveAmounts, Field(min_length=1)] = Field(description="amounts a, by good")


class Technology(Choice):
    """One kind of technology with its parameters."""

    power: CobbDouglasTechnology | None = Field(None, description="A x^a with one input")
    cobb_douglas: CobbDouglasTechnology | None = Field(None, description="A prod x^a")
    ces: CESTechnology | None = Field(None, description="A (sum w x^rho)^(r/rho)")
    leontief: LeontiefTechnology | None = Field(None, description="A (min x/a)^r")


class MarginalAdjustment(Entry):
    """Quantities that climb marginal profit."""

    rate: Annotated[float, Field(gt=0, le=10)] = Field(description="largest step of an input's logarithm in a tick")


class Behaviour(Choice):
    """One way of planning with its parameters."""

    best_response: Literal[True] | None = Field(None, description="plan for the largest profit")
    marginal_adjustment: MarginalAdjustment | None = Field(None, description="let inputs climb marginal profit")


BEHAVIOUR_NAMES = ("best_response",)
BEHAVIOURS_WRITTEN = ("{marginal_adjustment: {rate: 0.2}}",)
BehaviourOrName = Annotated[
    Annotated[Literal["best_response"], Tag(TEXT)] | Annotated[Behaviour, Tag(MAPPING)],
    name_or_mapping(BEHAVIOUR_NAMES, *BEHAVIOURS_WRITTEN),
]


class Firm(Entry):
    """A price-taking firm, or several."""

    name: Name = Field(description="name, unique among firms and consumers")
    count: Annotated[Whole, Field(ge=1, le=10**12)] | None = Field(None, description="how many of them (default 1)")
    makes: str | None = Field(None, description="technology, 'good = formula of goods', strictly concave")
    productivity: AnyPositive | None = Field(None, description="what the formula is multiplied by (default 1)")
    technology: Technology | None = Field(None, description="technology by kind, in the place of makes")
    behaviour: BehaviourOrName = Field(
        "best_response", description="how a firm plans: for most profit, or step by step"
    )


Share = Annotated[
    Annotated[Amount, Tag(NUMBER)] | Annotated[Literal["equal"], Tag(TEXT)] | Annotated[Draw, Tag(MAPPING)],
    Discriminator(_share_shape, custom_error_type="shape", custom_error_message="a share (number) or equal"),
]


class Consumer(Entry):
    """A consumer, or several."""

    name: Name = Field(description="name, unique among firms and consumers")
    count: Annotated[Whole, Field(ge=1, le=10**12)] | None = Field(
        None, description="how many of them (default 1, or the rows of their CSV file)"
    )
    utility: Utility = Field(description="what the consumer wants")
    endowment: Amounts = Field(default_factory=dict[str, Any], description="quantities owned anew every tick")
    budget: AnyAmount | None = Field(
        None, description="money received per tick; a quasi-linear consumer without one is unlimited"
    )
    owns: dict[str, Share] = Field(
        default_factory=dict[str, Any],
        description="shares of firms' profits, of all these consumers together; equal: what others leave, divided "
        "evenly among those who say so",
    )
    savings: bool = Field(False, description="keep the unspent part of the budget for later ticks")


class EveryTick(Entry):
    """Trade in every tick, rationed out of equilibrium."""

    rationing: Literal["proportional"] = Field("proportional", description="how the short side is shared out")
    spoilage: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="part of the unsold stock lost per tick; default 1, or 0 with inventories"
    )
    inventories: bool | None = Field(None, description="keep unsold goods in stock (default: if spoilage is below 1)")


class Trade(Choice):
    """A kind of trade with its options."""

    every_tick: EveryTick | None = Field(None, description="goods and money move in every tick")


class Decay(Entry):
    """Steps that shrink."""

    power: Amount = Field(description="the step is multiplied by (1 + t/over)^-power after t ticks")
    over: Positive = Field(1.0, description="ticks in which the shrinking sets in")


class RMSprop(Entry):
    """Steps of about one size."""

    decay: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="how much of the mean square is kept in a tick")
    epsilon: Positive = Field(1e-8, description="signals much smaller than this move prices less")


class Adam(Entry):
    """Momentum, and steps of about one size."""

    beta1: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="how much of the mean is kept in a tick")
    beta2: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.999, description="how much of the mean square is kept in a tick"
    )
    epsilon: Positive = Field(1e-8, description="signals much smaller than this move prices less")


class Anderson(Entry):
    """Acceleration by least squares."""

    depth: Ticks = Field(5, description="changes that are remembered")


class Piece(Choice):
    """One piece of a price rule."""

    relative: Literal[True] | None = Field(
        None, description="divide excess demand by max(demand, supply); additive only"
    )
    own_slope: Literal[True] | None = Field(None, description="divide by the own slope of excess demand: Newton alone")
    clip: Positive | None = Field(None, description="no step larger than this")
    momentum: Annotated[float, Field(gt=-1, lt=1)] | None = Field(
        None, description="part of the last step carried on, or taken back if negative"
    )
    nesterov: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="part of the last step carried on, quoted a step ahead"
    )
    rmsprop: RMSprop | None = Field(None, description="steps per unit of the signal's root mean square")
    adam: Adam | None = Field(None, description="mean signals per unit of their root mean square")
    pd: Amount | None = Field(None, description="weight of the step's last change: 1 is the optimistic gradient")
    extragradient: Literal[True] | None = Field(
        None, description="quote a trial price first, move by what it shows; two ticks a step; the last piece"
    )
    averaging: Literal[True] | None = Field(None, description="quote the mean of all iterates")
    delay: Ticks | None = Field(None, description="ticks until a step is taken")
    decay: (
        Annotated[
            Annotated[Amount, Tag(NUMBER)] | Annotated[Decay, Tag(MAPPING)],
            Discriminator(shape, custom_error_type="shape", custom_error_message="a power or {power, over}"),
        ]
        | None
    ) = Field(None, description="steps shrink as (1 + t)^-power")
    warmup: Ticks | None = Field(None, description="ticks in which steps grow to their size")
    anderson: Anderson | None = Field(None, description="Anderson's acceleration, by the last changes of all prices")
    sequential: Literal[True] | None = Field(None, description="one price moves at a tick, good after good")
    random_order: Literal[True] | None = Field(None, description="one price moves at a tick, each once in a sweep")
    bernoulli: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="probability with which each price moves at a tick"
    )


PieceName = Literal[
    "relative",
    "own_slope",
    "rmsprop",
    "adam",
    "extragradient",
    "averaging",
    "anderson",
    "sequential",
    "random_order",
]
PIECE_NAMES: tuple[str, ...] = get_args(PieceName)
PIECES_WRITTEN = (
    "{clip: limit}",
    "{momentum: decay}",
    "{nesterov: decay}",
    "{pd: weight}",
    "{delay: ticks}",
    "{decay: power}",
    "{warmup: ticks}",
    "{bernoulli: probability}",
)
PieceOrName = Annotated[
    Annotated[PieceName, Tag(TEXT)] | Annotated[Piece, Tag(MAPPING)],
    name_or_mapping(PIECE_NAMES, *PIECES_WRITTEN),
]


class Scheduler(Entry):
    """What moves prices."""

    kind: Literal["tatonnement", "marginal_bids"] = Field(
        "tatonnement", description="prices move along planned excess demand, or towards their users' bids"
    )
    form: Literal["additive", "multiplicative"] = Field(
        "multiplicative", description="additive: p += rate z; multiplicative: p *= exp(rate z / max(demand, supply))"
    )
    rate: Positive = Field(0.1, description="size of a price step")
    rule: str | None = Field(None, description="a famous rule by name: form and pieces (simulator list rules)")
    pieces: list[PieceOrName] = Field(
        default_factory=list[Piece | PieceName],
        alias="with",
        description="pieces the price rule is made of",
    )


class Run(Entry):
    """How long, how exactly and what to record."""

    ticks: Annotated[Whole, Field(ge=0, le=10**15)] = Field(1000, description="largest number of price adjustments")
    tolerance: Positive = Field(1e-6, description="largest relative excess demand that counts as cleared")
    seed: Annotated[Whole, Field(ge=0, lt=2**64)] = Field(0, description="seed of every random stream")
    record_every: Annotated[Whole, Field(ge=1, le=10**15)] = Field(
        1, description="ticks from one recorded row to the next"
    )
    references: Literal["on", "off"] = Field("on", description="compute gradient path, adjoint and equilibrium")
    diagnostics: Annotated[Whole, Field(ge=0, le=10**15)] = Field(
        0, description="every so many ticks tell in what way the market is out of equilibrium; 0: never"
    )
    stop: Literal["verdict", "never"] = Field("verdict", description="end at the verdict, or at the last tick only")


class Compare(Entry):
    """What a market's path is compared with."""

    gradient_path: Literal["dual", "primal"] = Field(
        "dual", description="prices that descend a function (dual), or a planner's ascent on the allocation (primal)"
    )


class Shock(Entry):
    """What changes at a tick."""

    tick: Annotated[Whole, Field(ge=0, le=10**15)] = Field(description="the first tick in the changed economy")
    changes: Annotated[dict[str, Any], Field(min_length=1)] = Field(
        alias="set", description="path: value, {times: x} or {plus: x}; paths as in firms.farm.productivity"
    )


Outcome = Literal["cleared", "cycled", "diverged", "settled_off_equilibrium", "out_of_ticks"]


class ProgramText(Entry):
    """A program, and how it becomes a supply chain."""

    text: str = Field(description="the program: assignments, def, for over a range")
    per: Literal["operation", "statement"] = Field("operation", description="a firm for each of these")
    copiers: bool = Field(False, description="copiers in the place of goods that are not rival")


class ScenarioFile(Entry):
    """A market: goods, who makes and wants them, and how prices move."""

    name: Name | None = Field(
        None, description="name of the scenario and of its output folder (default: the file's stem)"
    )
    program: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[ProgramText, Tag(MAPPING)],
            Discriminator(shape, custom_error_type="shape", custom_error_message="lines such as c = a*b + 1"),
        ]
        | None
    ) = Field(None, description="assignments that become goods and firms, in the place of goods, outside and firms")
    goods: Annotated[
        Annotated[list[Name], Field(min_length=1), Tag(LIST)]
        | Annotated[dict[Name, Good | None], Field(min_length=1), Tag(MAPPING)],
        Discriminator(shape, custom_error_type="shape", custom_error_message="a list of names or a mapping of goods"),
    ] = Field(description="the goods, by name alone or with their market's details")
    numeraire: str | None = Field(None, description="the good whose price stays 1; none: every price moves")
    outside: dict[str, Positive] = Field(
        default_factory=dict[str, float], description="goods the outside world trades in any amount, at this price"
    )
    supply: dict[str, float] = Field(
        default_factory=dict[str, float], description="quantities that arrive every tick, owned by nobody"
    )
    initial_prices: dict[str, float] = Field(
        default_factory=dict[str, float], description="prices at tick 0 (default 1)"
    )
    learning: Learning | None = Field(
        None, description="patterns to be learnt by a market of bundles, in the place of goods, firms and consumers"
    )
    firms: list[Firm] = Field(default_factory=list[Firm], description="who makes goods out of goods")
    consumers: list[Consumer] = Field(default_factory=list[Consumer], description="who wants goods")
    trade: Annotated[
        Annotated[Literal["every_tick", "at_equilibrium"], Tag(TEXT)] | Annotated[Trade, Tag(MAPPING)],
        Discriminator(
            shape,
            custom_error_type="shape",
            custom_error_message="every_tick, at_equilibrium or {every_tick: {...}}",
        ),
    ] = Field("every_tick", description="when goods and money change hands")
    start: Literal["stocked", "empty"] = Field(
        "stocked", description="whether firms begin with one tick of output in stock"
    )
    shocks: list[Shock] = Field(default_factory=list[Shock], description="changes on the way")
    scheduler: Scheduler = Field(default_factory=lambda: Scheduler.model_validate({}), description="what moves prices")
    compare: Compare = Field(
        default_factory=lambda: Compare.model_validate({}), description="what the market's path is compared with"
    )
    run: Run = Field(
        default_factory=lambda: Run.model_validate({}), description="how long, how exactly and what to record"
    )
    expect: Annotated[
        Annotated[Outcome, Tag(TEXT)] | Annotated[list[Outcome], Field(min_length=1), Tag(LIST)],
        Discriminator(shape, custom_error_type="shape", custom_error_message="an outcome or a list of outcomes"),
    ] = Field("cleared", description="how the run should end")


def scenario_schema(model: type[ScenarioFile] = ScenarioFile) -> dict[str, Any]:
    """The JSON Schema of scenario files (draft 2020-12), for editors."""
    from simulator.dynamics.price_rules import RECIPES

    schema = _without_nothings(model.model_json_schema(by_alias=True))
    schema["$defs"]["Scheduler"]["properties"]["rule"]["enum"] = list(RECIPES)
    schema["required"].remove("goods")
    learning = {"required": ["learning"], "not": {"required": ["goods"]}}
    schema["oneOf"] = [{"required": ["goods"]}, {"required": ["program"]}, learning]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A market-simulator scenario"}


def _without_nothings(schema: Any) -> Any:
    """The schema where a key that may be left out may not be written without a value."""
    if isinstance(schema, list):
        return [_without_nothings(part) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    part = {key: _without_nothings(value) for key, value in cast("dict[str, Any]", schema).items()}
    if "anyOf" in part and "default" in part and part["default"] is None:
        part["anyOf"] = [choice for choice in part["anyOf"] if choice != {"type": "null"}]
        del part["default"]
        if len(part["anyOf"]) == 1:
            (only,) = part.pop("anyOf")
            part = {**only, **part}
    return part
