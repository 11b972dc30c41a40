"""What a scenario may say of how prices move: the scheduler, and the pieces of its price rule."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Discriminator, Field, Tag

from simulator.scenario.entry import (
    MAPPING,
    NUMBER,
    TEXT,
    Amount,
    Choice,
    Entry,
    Positive,
    Whole,
    Yes,
    name_or_mapping,
    shape,
)

Ticks = Annotated[Whole, Field(ge=1, le=1000)]
Long = Annotated[Whole, Field(ge=1)]
HowLate = Annotated[Whole, Field(ge=0, le=1000)]


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


class Delay(Entry):
    """News that comes late."""

    own: HowLate = Field(description="ticks until a market sees its own price")
    neighbours: HowLate = Field(description="ticks until it sees the prices of all others")


class Cosine(Entry):
    """Annealing."""

    ticks: Long = Field(description="ticks in which steps shrink")
    floor: Annotated[float, Field(ge=0, le=1)] = Field(0.1, description="part of the step that is left")


class Anderson(Entry):
    """Acceleration by least squares."""

    depth: Ticks = Field(5, description="changes that are remembered")


class Piece(Choice):
    """One piece of a price rule."""

    relative: Yes | None = Field(None, description="divide excess demand by max(demand, supply); additive only")
    own_slope: Yes | None = Field(None, description="divide by the own slope of excess demand: Newton alone")
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
    extragradient: Yes | None = Field(
        None, description="quote a trial price first, move by what it shows; two ticks a step; the last piece"
    )
    averaging: Yes | None = Field(None, description="quote the mean of all iterates")
    delay: (
        Annotated[
            Annotated[Ticks, Tag(NUMBER)] | Annotated[Delay, Tag(MAPPING)],
            Discriminator(shape, custom_error_type="shape", custom_error_message="ticks or {own, neighbours}"),
        ]
        | None
    ) = Field(None, description="ticks until a step is taken, or until prices are seen")
    decay: (
        Annotated[
            Annotated[Amount, Tag(NUMBER)] | Annotated[Decay, Tag(MAPPING)],
            Discriminator(shape, custom_error_type="shape", custom_error_message="a power or {power, over}"),
        ]
        | None
    ) = Field(None, description="steps shrink as (1 + t)^-power")
    warmup: Ticks | None = Field(None, description="ticks in which steps grow to their size")
    cosine: (
        Annotated[
            Annotated[Long, Tag(NUMBER)] | Annotated[Cosine, Tag(MAPPING)],
            Discriminator(shape, custom_error_type="shape", custom_error_message="ticks or {ticks, floor}"),
        ]
        | None
    ) = Field(None, description="steps shrink along a cosine to a tenth, or to another floor")
    anderson: Anderson | None = Field(None, description="Anderson's acceleration, by the last changes of all prices")
    newton: Yes | None = Field(None, description="Newton's step for all markets at once, by the Jacobian")
    symplectic: Positive | None = Field(None, description="weight of a turn against rotation, by the Jacobian")
    consensus: Positive | None = Field(None, description="weight of descent on half the squared signal")
    sequential: Yes | None = Field(None, description="one price moves at a tick, good after good")
    random_order: Yes | None = Field(None, description="one price moves at a tick, each once in a sweep")
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
    "newton",
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
    "{cosine: ticks}",
    "{symplectic: weight}",
    "{consensus: weight}",
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
