"""Which tables a figure is drawn from, and what of a run is drawn: known before anything is, without what draws."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

NEEDED: Mapping[str, tuple[str, ...]] = {
    "prices": ("trajectory",),
    "quantities": ("trajectory",),
    "curves": (),
    "three_prices": ("trajectory", "equilibrium"),
    "convergence": ("ticks",),
    "wedges": ("wedges",),
    "network": ("trajectory", "agents"),
    "simplex": ("trajectory",),
    "gains": ("distribution",),
    "welfare": ("ticks", "welfare"),
    "members": ("members",),
    "wave": ("trajectory",),
    "learnt": ("trajectory", "ticks", "agents"),
    "held_out": (),
    "diagnostics": ("ticks",),
}
"""The tables that a figure cannot do without; none where the summary tells all."""


WHOLE = ("network", "simplex", "learnt")
"""What needs every good and every agent."""


def possible(tables: Collection[str], *, whole: bool = True) -> set[str]:
    """The figures that can be drawn of these tables, if there is anything to see; of `whole` ones, or of some rows."""
    return {name for name, needed in NEEDED.items() if {*needed} <= {*tables} and (whole or name not in WHOLE)}


SIZES = ("slide", "paper")


class Look(NamedTuple):
    """What of a run is drawn, and how: the `figures` by name (all that apply where none is named), of some `goods`
    (of all), in the ticks `between` two, in a `size`, with a `title` of one's own.
    """

    figures: tuple[str, ...] = ()
    goods: tuple[str, ...] = ()
    between: tuple[float, float] | None = None
    size: str = "slide"
    title: str | None = None


EVERYTHING = Look()
