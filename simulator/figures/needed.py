"""Which tables a figure is drawn from: known before anything is drawn, without what draws."""

from __future__ import annotations

from collections.abc import Collection, Mapping

NEEDED: Mapping[str, tuple[str, ...]] = {
    "prices": ("trajectory",),
    "three_prices": ("trajectory", "equilibrium"),
    "convergence": ("ticks",),
    "wedges": ("wedges",),
    "network": ("trajectory", "agents"),
    "simplex": ("trajectory",),
    "gains": ("distribution",),
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
