"""A program without branches: values that follow from inputs by one operation after another, and a result."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from simulator.formulas.formula import FormulaError
from simulator.formulas.letters import NAME
from simulator.programs.values import number

_WORD = re.compile(rf"(?<![\w.]){NAME}")
"""A name, which the exponent of a number such as 1e-9 is not."""


class ProgramError(FormulaError):
    """A program that is refused, as a formula is: what was found and what to write, and the place (from 0)."""

    def place(self, text: str) -> tuple[int, int]:
        """Line and column in the program's text, both from 1."""
        before = text[: self.offset].split("\n")
        return len(before), len(before[-1]) + 1


@dataclass(frozen=True, slots=True)
class Operation:
    """`output = formula`, a formula of the `inputs` (each once, in order of first appearance); `kind` is its last sign
    or function, as a word.
    """

    output: str
    formula: str
    inputs: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Program:
    """Operations in an order in which each only reads what stands before it; `inputs` are given from outside.

    `given` are the inputs whose values are known. `allocations` are the inputs that say how much of a good one of its
    users gets; the others are supplies.
    """

    inputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    result: str
    given: Mapping[str, float] = field(default_factory=dict[str, float])
    allocations: tuple[str, ...] = ()

    @property
    def reads(self) -> dict[str, list[int]]:
        """Which operations (by place) read each value, in order."""
        reads: dict[str, list[int]] = {name: [] for name in self.inputs}
        reads |= {operation.output: [] for operation in self.operations}
        for place, operation in enumerate(self.operations):
            for name in operation.inputs:
                reads[name].append(place)
        return reads

    @property
    def shared(self) -> tuple[str, ...]:
        """The values that are wanted more than once: by several operations, or by one and as the result."""
        return tuple(name for name, users in self.reads.items() if len(users) + (name == self.result) > 1)

    @property
    def depth(self) -> int:
        """Operations on the longest path to the result."""
        return self.depth_with(())

    def depth_with(self, copied: Collection[str]) -> int:
        """Operations on the longest path to the result, where to copy each of the values `copied` is one too."""
        copied = frozenset(copied)
        level = {name: int(name in copied) for name in self.inputs}
        for operation in self.operations:
            output = operation.output
            level[output] = 1 + max((level[name] for name in operation.inputs), default=0) + (output in copied)
        return level[self.result]

    @property
    def text(self) -> str:
        """The program in its own language; comments before it say where its inputs come from."""
        read = {name for operation in self.operations for name in operation.inputs}
        values = {name: f" = {number(float(value)).formula}" for name, value in self.given.items()}
        supplies = [name for name in self.given if name not in self.allocations]
        comments = [
            f"# {source}: {name}{values.get(name, '')}"
            for source, names in (("supply", supplies), ("allocation", self.allocations))
            for name in names
            if name in read
        ]
        lines = [f"{operation.output} = {operation.formula}" for operation in self.operations]
        return "\n".join([*comments, *lines, f"return {self.result}"]) + "\n"


def renamed(formula: str, names: Mapping[str, str]) -> str:
    """The formula with other names for some of its values."""
    return _WORD.sub(lambda word: names.get(word[0], word[0]), formula) if names else formula
