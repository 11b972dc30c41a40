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
    "wave": ("trajectory",),
    "learnt": ("trajectory", "ticks", "agents"),
    "held_out": (),
    "diagnostics": ("ticks",),
}
"""The tables that a figure cannot do without; none where the summary tells all."""


def possible(tables: Collection[str]) -> set[str]:
    """The figures that can be drawn of these tables, if there is anything to see."""
    return {name for name, needed in NEEDED.items() if {*needed} <= {*tables}}
