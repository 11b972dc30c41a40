"""What expressions stand for, and how they are written: as few brackets as the signs need."""

from __future__ import annotations

from dataclasses import dataclass

SUM, PRODUCT, NEGATIVE, POWER, ATOM = range(1, 6)
"""How tightly a formula's outermost sign binds."""

_SIGNS = {
    "+": ("sum", SUM, SUM, PRODUCT),
    "-": ("difference", SUM, SUM, PRODUCT),
    "*": ("product", PRODUCT, PRODUCT, POWER),
    "/": ("quotient", PRODUCT, PRODUCT, POWER),
    "^": ("power", POWER, ATOM, ATOM),
}
"""The signs: the word their firms are called by, how tightly they bind, and how tightly left and right have to."""

_NEUTRAL = {
    "+": ((0, 0.0), (1, 0.0)),
    "-": ((1, 0.0),),
    "*": ((0, 1.0), (1, 1.0)),
    "/": ((1, 1.0),),
    "^": ((1, 1.0),),
}


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression stands for: a formula of the named values `inputs`, or a `number`.

    `name` is set where it is a named value itself; `kind` is its last sign or function, as a word; `rank` says how
    tightly its outermost sign binds.
    """

    formula: str
    inputs: tuple[str, ...] = ()
    number: float | None = None
    name: str | None = None
    rank: int = ATOM
    kind: str = "value"


def named(name: str) -> Value:
    """A value by its name."""
    return Value(name, (name,), name=name)


def number(value: float) -> Value:
    """A number, written so that it reads back as the same."""
    written = repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return Value(written, number=value, rank=NEGATIVE if written.startswith("-") else ATOM)


def joined(sign: str, left: Value, right: Value) -> Value:
    """`left sign right`."""
    kind, rank, left_rank, right_rank = _SIGNS[sign]
    space = " " if rank == SUM else ""
    second = _within(right, right_rank) if not right.formula.startswith("-") else f"({right.formula})"
    return Value(f"{_within(left, left_rank)}{space}{sign}{space}{second}", _of(left, right), rank=rank, kind=kind)


def negative(value: Value) -> Value:
    """`-value`."""
    return Value(f"-{_within(value, POWER)}", value.inputs, rank=NEGATIVE, kind="negative")


def call(function: str, values: list[Value]) -> Value:
    """`function(values)`."""
    return Value(f"{function}({', '.join(value.formula for value in values)})", _of(*values), kind=function)


def untouched(sign: str, left: Value, right: Value) -> Value | None:
    """The one that the other leaves as it is, as 0 does in a sum; None where both count."""
    both = (left, right)
    for place, neutral in _NEUTRAL[sign]:
        if both[place].number == neutral:
            return both[1 - place]
    return None


def _within(value: Value, rank: int) -> str:
    return value.formula if value.rank >= rank else f"({value.formula})"


def _of(*values: Value) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for value in values for name in value.inputs))
