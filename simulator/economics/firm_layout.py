"""Where what firms use, make and sell lies in flat arrays, and sums over it.

Firms of all entries are stacked as outputs `(firms,)`, and their inputs lie flat, firm by firm, as `(edges,)`: an edge
is one firm's use of one good. What they sell lies flat as `(outlets,)`: an outlet is one firm's making of one good, and
a firm with joint products has several. Firms that are all alike are one row.
"""

from __future__ import annotations

import math
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulator.economics.agents import Firm
from simulator.economics.forms import Array

Indices = NDArray[np.intp]


class FirmLayout:
    """The firms of `goods` side by side."""

    goods: tuple[str, ...]
    firms: tuple[Firm, ...]

    @cached_property
    def edge_rows(self) -> tuple[slice, ...]:
        """Where each firm entry's inputs lie in an `(edges,)` array."""
        return _slices([firm.rows * len(firm.inputs) for firm in self.firms])

    @cached_property
    def firm_rows(self) -> tuple[slice, ...]:
        """Where each firm entry's outputs lie in a `(firms,)` array."""
        return _slices([firm.rows for firm in self.firms])

    @cached_property
    def edge_good(self) -> Indices:
        """The good each edge uses, `(edges,)`."""
        return np.array([good for firm in self.firms for good in firm.inputs * firm.rows], dtype=np.intp)

    @cached_property
    def edge_firm(self) -> Indices:
        """The firm (row of outputs) each edge belongs to, `(edges,)`."""
        return self._firm_of([len(firm.inputs) for firm in self.firms])

    @cached_property
    def outlet_rows(self) -> tuple[slice, ...]:
        """Where what each firm entry sells lies in an `(outlets,)` array."""
        return _slices([firm.rows * len(firm.outputs) for firm in self.firms])

    @cached_property
    def outlet_good(self) -> Indices:
        """The good made at each outlet, `(outlets,)`."""
        return np.array([good for firm in self.firms for good in firm.outputs * firm.rows], dtype=np.intp)

    @cached_property
    def outlet_firm(self) -> Indices:
        """The firm (row of outputs) each outlet belongs to, `(outlets,)`."""
        return self._firm_of([len(firm.outputs) for firm in self.firms])

    def _firm_of(self, widths: list[int]) -> Indices:
        """The firm each place belongs to, of so many in a row for every firm of each entry."""
        each = np.array(widths, dtype=np.intp)[self.firm_entry]
        return np.repeat(np.arange(len(each), dtype=np.intp), each)

    @cached_property
    def outlet_yield(self) -> Array:
        """How much of its good a unit of output is at each outlet, `(outlets,)`, where no price decides it."""
        amounts = [amount for firm in self.firms for _, amount in firm.products * firm.rows]
        # Amounts may be traced.
        return np.stack(amounts) if amounts else np.zeros(0)

    @cached_property
    def transforms(self) -> bool:
        """Whether prices decide what goods some firm's output is."""
        return any(firm.transformation is not None for firm in self.firms)

    @cached_property
    def level_rows(self) -> tuple[slice, ...]:
        """Where each firm entry's activity levels lie in a `(levels,)` array; empty but where returns are constant."""
        return _slices([firm.levels for firm in self.firms])

    @cached_property
    def constant_returns(self) -> NDArray[np.bool_]:
        """Which firm entries have constant returns, `(firm entries,)`."""
        return np.array([firm.levels > 0 for firm in self.firms], dtype=bool)

    @cached_property
    def level_firm(self) -> Indices:
        """The firm (row of outputs) of each activity level, `(levels,)`."""
        return np.flatnonzero(self.constant_returns[self.firm_entry])

    @cached_property
    def first_served(self) -> NDArray[np.bool_]:
        """Whose purchases are served before others: those of firms of constant returns, `(edges,)`."""
        return np.isin(self.edge_firm, self.level_firm)

    @cached_property
    def level_names(self) -> tuple[str, ...]:
        """The firm entry that each activity level is of, `(levels,)`."""
        return tuple(firm.name for firm in self.firms for _ in range(firm.levels))

    @cached_property
    def joint(self) -> bool:
        """Whether some firm's output is anything but one unit of one good."""
        return self.transforms or any(firm.products != ((firm.outputs[0], 1.0),) for firm in self.firms)

    @cached_property
    def input_output_pairs(self) -> tuple[Indices, Indices]:
        """Every edge with every outlet of its firm, `(passes,)` each: an input's good becomes an output's."""
        firms = len(self.firm_entry)
        width = np.bincount(self.outlet_firm, minlength=firms)[self.edge_firm]
        first = np.searchsorted(self.outlet_firm, self.edge_firm)
        edges = np.repeat(np.arange(len(self.edge_firm), dtype=np.intp), width)
        before = np.concatenate([[0], np.cumsum(width)[:-1]]) if len(width) else width
        return edges, np.arange(len(edges), dtype=np.intp) - np.repeat(before - first, width)

    def output_value(self, values: Array, yields: Array) -> Array:
        """What a unit of each firm's output is worth if goods are worth `values`, `(..., goods)` to `(..., firms)`."""
        return self.over_firms(values[..., self.outlet_good] * yields)

    def at_outlets(self, outputs: Array, yields: Array) -> Array:
        """What outputs `(..., firms)` are at each outlet, `(..., outlets)`, if a unit is so much there."""
        return outputs[..., self.outlet_firm] * yields if self.joint else outputs

    @cached_property
    def firm_entry(self) -> Indices:
        """The entry each firm belongs to, `(firms,)`."""
        return np.repeat(np.arange(len(self.firms), dtype=np.intp), [firm.rows for firm in self.firms])

    @cached_property
    def has_loop(self) -> bool:
        """Whether some good is needed, through any number of firms, to make itself."""
        edges, outlets = self.input_output_pairs
        needs: dict[int, set[int]] = {}
        for used, made in zip(self.edge_good[edges].tolist(), self.outlet_good[outlets].tolist(), strict=True):
            needs.setdefault(made, set()).add(used)
        try:
            TopologicalSorter(needs).prepare()
        except CycleError:
            return True
        return False

    def over_edges(self, values: Array) -> Array:
        """Sums over the edges of each good: `(..., edges)` to `(..., goods)`."""
        return sum_by(self.edge_good, values, len(self.goods))

    def over_firms(self, values: Array) -> Array:
        """Sums over the outlets of each firm: `(..., outlets)` to `(..., firms)`."""
        return sum_by(self.outlet_firm, values, len(self.firm_entry)) if self.joint else values

    def over_outlets(self, values: Array) -> Array:
        """Sums over the outlets of each good: `(..., outlets)` to `(..., goods)`."""
        return sum_by(self.outlet_good, values, len(self.goods))

    def made(self, outputs: Array, yields: Array) -> Array:
        """What of each good outputs `(..., firms)` are together: `(..., goods)`."""
        return self.over_outlets(self.at_outlets(outputs, yields))


def sum_by(group: Indices, values: Array, groups: int) -> Array:
    """Sums of values `(..., n)` over the members of each of so many groups, `(..., groups)`."""
    leading = values.shape[:-1]
    rows = math.prod(leading)
    places = group + groups * np.arange(rows)[:, None]
    return (
        np.bincount(places.ravel(), values.ravel(), groups * rows).astype(float, copy=False).reshape(*leading, groups)
    )


def _slices(widths: list[int]) -> tuple[slice, ...]:
    ends = np.cumsum([0, *widths]).tolist()
    return tuple(slice(a, b) for a, b in pairwise(ends))
