"""A program without branches: values that follow from inputs by one operation after another, and a result."""

from __future__ import annotations

from dataclasses import dataclass


class ProgramError(ValueError):
    """A program that is refused: what was found and what to write, and the place (characters from 0)."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message, self.offset = message, offset


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
    """Operations in an order in which each only reads what stands before it; `inputs` are given from outside."""

    inputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    result: str

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
    def depth(self) -> int:
        """Operations on the longest path to the result."""
        level = dict.fromkeys(self.inputs, 0)
        for operation in self.operations:
            level[operation.output] = 1 + max((level[name] for name in operation.inputs), default=0)
        return level[self.result]

    @property
    def text(self) -> str:
        """The program in its own language."""
        lines = [f"{operation.output} = {operation.formula}" for operation in self.operations]
        return "\n".join([*lines, f"return {self.result}"]) + "\n"
