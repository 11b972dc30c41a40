"""Functions of one agent as machine code that goes over a table with a row for each (Numba, the extra `fast`).

A function of one agent's own numbers and of others that all share (prices) is traced once. What rests on the shared
numbers alone is worked out before the loop, all else in one loop over the rows, in tiles: what is summed stays in the
cache, and a compiler makes vector instructions of the loop, as there are no calls in it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from simulator.formulas.compiled import Array, CompiledText, UncompilableError, machine_code, terms_of
from simulator.formulas.graph import Term
from simulator.formulas.in_floats import blamed
from simulator.formulas.traced_array import Trace, UntraceableError

TILE = 256
"""Rows worked on at a time."""
MOST_COLUMNS = 100
"""Of a loop that reads, writes and sums more of them LLVM makes no vector instructions: arrays are faster."""
TABLE = "Array(float64, 2, 'C', readonly=True)"
SIGNATURE = f"int64(float64[::1], UniTuple({TABLE}, {{}}), float64[:, ::1], float64[::1], int64, int64)"

Results = tuple[Sequence[Any], Sequence[Any]]
"""What a function of one agent gives: arrays `(1,)` that each agent has, and arrays that are summed over all."""


class RowFunction(NamedTuple):
    """The text of a function of one agent: how many results `each` agent has, and the shapes of the `sums`."""

    source: str
    space: dict[str, Any]
    tables: int
    each: int
    sums: tuple[tuple[int, ...], ...]

    @property
    def width(self) -> int:
        """How many numbers are summed."""
        return sum(map(math.prod, self.sums))

    def compiled(self) -> Callable[[Array, tuple[Array, ...], Array, Array, int, int], int]:
        """The function in machine code: `run(shared, tables, each, sums, low, high)` goes over the rows from `low` to
        `high` of read-only `tables` `(columns, rows)`, writes on `each` `(results, rows)` and on `sums` `(width,)`. It
        returns for how many rows, if any, an answer is not what it is where it was traced.
        """
        return machine_code(self.source, self.space, SIGNATURE.format(self.tables))


def written(function: Callable[[Any, Any], Results], tables: Sequence[Array], shared: Sequence[Array]) -> RowFunction:
    """The text of a function of an agent's rows of `tables` `(rows, ...)`, `(1, ...)` each, and of `shared` arrays.

    It is traced where the first agent is. Raises UncompilableError.
    """
    trace = Trace()
    own, common = [trace.array(table[:1]) for table in tables], [trace.array(numbers) for numbers in shared]
    mine, others = ([terms_of(trace, each) for each in part] for part in (own, common))
    try:
        each, sums = function(own, common)
    except (UntraceableError, Exception) as error:
        raise UncompilableError(blamed(error)) from error
    text = _RowText(trace.graph)
    source = text.loop(mine, others, terms_of(trace, each), terms_of(trace, sums), trace.guards)
    return RowFunction(source, text.space, len(tables), len(each), tuple(map(np.shape, sums)))


class _RowText(CompiledText):
    """Operations of one agent, of which those that rest on its own numbers stand in a loop over the rows."""

    def operation(self, node: int, arguments: Sequence[str]) -> str:
        exponential = self.graph.operations[node] == "exp"
        return f"exponential({arguments[0]})" if exponential else super().operation(node, arguments)

    def loop(
        self,
        own: Sequence[Sequence[Term]],
        shared: Sequence[Sequence[Term]],
        each: Sequence[Term],
        sums: Sequence[Term],
        guards: Sequence[tuple[Term, bool]],
    ) -> str:
        """The text of the loop, of variables in tables of their `own` and in `shared` arrays."""
        self.space |= _helpers()
        mine = [(term, f"tables[{table}][{at}]") for table, terms in enumerate(own) for at, term in enumerate(terms)]
        before, within = self._split([*each, *sums], guards, {term.node for term, _ in mine})
        if (columns := len(mine) + len(each) + len(sums)) > MOST_COLUMNS:
            raise UncompilableError(
                f"{columns} numbers of an agent are read, written and summed, more than {MOST_COLUMNS}"
            )
        common = [term for terms in shared for term in terms]
        lines = [
            "def line(shared, tables, each, sums, low, high):",
            *(f"    {self.name(term)} = shared[{at}]" for at, term in enumerate(common)),
            *(f"    {line}" for line in before),
            # A compiler sees that rows of a table of this size do not overlap.
            f"    y, failed = np.zeros(({len(sums)}, {TILE + 8})), 0",
            *(f"    y{at} = y[{at}]" for at in range(len(sums))),
            f"    for first in range(low, high, {TILE}):",
            f"        last = min(first + {TILE}, high)",
            *(f"        x{at} = {column}[first:last]" for at, (_, column) in enumerate(mine)),
            *(f"        e{at} = each[{at}, first:last]" for at in range(len(each))),
            "        for i in range(last - first):",
            *(f"            {self.name(term)} = x{at}[i]" for at, (term, _) in enumerate(mine)),
            *(f"            {line}" for line in within),
            *(f"            e{at}[i] = {self.name(term)}" for at, term in enumerate(each)),
            *(f"            y{at}[i] += {self.name(term)}" for at, term in enumerate(sums)),
            "    for at in range(len(sums)):",
            "        sums[at] = y[at].sum()",
            "    return failed",
        ]
        return "\n".join([*(part for parts in self.called.values() for part in parts), *lines, ""])

    def _split(
        self, outputs: Sequence[Term], guards: Sequence[tuple[Term, bool]], own: set[int]
    ) -> tuple[list[str], list[str]]:
        """What is done before the loop, and what within as it rests on the nodes of its `own`."""
        graph, wanted = self.graph, {term.node: holds for term, holds in guards}
        before, within = list[str](), list[str]()
        for node in graph.reachable([*outputs, *(term for term, _ in guards)]):
            arguments, inside = graph.arguments[node], node in own
            if arguments:
                inside, done = not own.isdisjoint(arguments), self._operation(node)
                if inside and graph.operations[node] == "/" and arguments[1] not in own:
                    # A division takes as long as some ten multiplications.
                    above, below = (self.name(Term(graph, place)) for place in arguments)
                    before.append(f"r{node} = 1.0 / {below}")
                    done = f"{above} * r{node}"
                (within if inside else before).append(f"v{node} = {done}")
            if inside:
                own.add(node)
            if node in wanted:
                astray = f"v{node} != {wanted[node]}"
                (within if inside else before).append(
                    f"failed += 1 if {astray} else 0" if inside else f"if {astray}: return high - low"
                )
        return before, within


@functools.cache
def _helpers() -> dict[str, Any]:
    """What a compiler makes vector instructions of: arithmetic, not calls."""
    from llvmlite import ir
    from numba import njit, types
    from numba.extending import intrinsic

    def bits_of(_: Any, number: Any) -> Any:
        return types.int64(types.float64), lambda _, builder, __, given: builder.bitcast(given[0], ir.IntType(64))

    def number_of(_: Any, bits: Any) -> Any:
        return types.float64(types.int64), lambda _, builder, __, given: builder.bitcast(given[0], ir.DoubleType())

    bits, number = (cast("Any", intrinsic(each)) for each in (bits_of, number_of))

    def exponential(a: float) -> float:
        # 2^k e^r with a = k ln 2 + r: the Taylor polynomial of e^r, and k in the bits of a float.
        x = a if a < 709.4 else 709.4
        x = x if x > -708.0 else -708.0
        # The last bits of a float of this size are a whole number.
        shifted = x * 1.4426950408889634 + 6755399441055744.0
        k = shifted - 6755399441055744.0
        r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10
        y = 1.0 / 6227020800.0
        y = y * r + 1.0 / 479001600.0
        y = y * r + 1.0 / 39916800.0
        y = y * r + 1.0 / 3628800.0
        y = y * r + 1.0 / 362880.0
        y = y * r + 1.0 / 40320.0
        y = y * r + 1.0 / 5040.0
        y = y * r + 1.0 / 720.0
        y = y * r + 1.0 / 120.0
        y = y * r + 1.0 / 24.0
        y = y * r + 1.0 / 6.0
        y = y * r + 0.5
        y = ((y * r + 1.0) * r + 1.0) * number((bits(shifted) << 52) + (1023 << 52))
        y = y if a > -708.0 else 0.0
        return y if a < 709.4 else a + math.inf

    code = njit(error_model="numpy")(exponential)
    return {"np": np, "bits": bits, "number": number, "exponential": code}
