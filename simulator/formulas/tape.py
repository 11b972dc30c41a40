"""Terms of a graph as a straight line of operations, written out in Python for arrays or for plain floats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from numpy.typing import NDArray

from simulator.formulas.graph import Term
from simulator.formulas.text import ArrayText, FloatText, Text


class Tape:
    """Terms of a graph as functions of `variables`."""

    def __init__(self, outputs: Sequence[Term], variables: Sequence[str]) -> None:
        self.graph, self.outputs, self.variables = outputs[0].graph, tuple(outputs), tuple(variables)

    def run_arrays(self, inputs: Sequence[NDArray[Any]]) -> list[Any]:
        """The outputs: arrays, or numbers where they are constant. Floating-point warnings are the caller's."""
        return self._line(*inputs)

    @cached_property
    def _line(self) -> Callable[..., list[Any]]:
        text = ArrayText(self.graph)
        lines = [*text.lines(self.outputs), f"return [{', '.join(map(text.name, self.outputs))}]"]
        return text.function(text.names(self.variables), lines)

    @cached_property
    def in_floats(self) -> Callable[[float], Any]:
        """The outputs at one input in plain floats, a number if there is but one, as a function that never raises and
        never warns; none of them is a number where the first is not.
        """
        text = FloatText(self.graph, raises=True)
        text.space |= {"with_care": self._with_care, "nowhere": self._returned([math.nan] * len(self.outputs))}
        given = text.names(self.variables)
        guarded = ["try:", *[f"    {line}" for line in self.body(text)]]
        guarded += ["except (ArithmeticError, ValueError):", f"    return with_care({given})"]
        return text.function(given, guarded)

    def body(self, text: Text) -> list[str]:
        """The lines of a function of one input that returns the outputs, `nowhere` where the first is no number."""
        lines, names = text.lines(self.outputs), list(map(text.name, self.outputs))
        returned = names[0] if len(names) == 1 else ", ".join(names)
        return [*lines, f"if {names[0]} != {names[0]}: return nowhere", f"return {returned}"]

    def _returned(self, numbers: Sequence[float]) -> Any:
        return numbers[0] if len(self.outputs) == 1 else tuple(numbers)

    def _with_care(self, x: float) -> Any:
        """The outputs at one input where some operation has no number: operation by operation."""
        graph, numbers = self.graph, dict[int, float]()
        given = {graph.variable(name).node: x for name in self.variables}
        for node in graph.reachable(self.outputs):
            numbers[node] = graph.number(node, numbers, given)
        found = [numbers[term.node] for term in self.outputs]
        return self._returned(found if found[0] == found[0] else [math.nan] * len(found))


class ScalarFormula(NamedTuple):
    """A formula of one input in plain Python floats, nan outside its domain: no numpy, no exceptions, no warnings.

    Of machine code it has the same fields, and no tapes.
    """

    value: Callable[[float], float]
    """`f(x)`."""
    jet: Callable[[float], tuple[float, float, float]]
    """`f(x)`, `f'(x)` and `f''(x)`, of one walk along the line."""
    tapes: tuple[Tape, ...] = ()
    """What `value` and `jet` are written from."""
