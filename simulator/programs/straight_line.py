"""The straight line that a program becomes: operations in order, each making a value with a name of its own."""

from __future__ import annotations

from simulator.formulas.operations import FUNCTIONS
from simulator.programs.names import Spoken
from simulator.programs.program import Operation
from simulator.programs.values import Value, named


class StraightLine:
    """Operations so far, and the names that are theirs or an input's; `written` are the names in the program's text."""

    def __init__(self, written: Spoken) -> None:
        self.written = written
        self.operations: list[Operation] = []
        self.taken: set[str] = set()
        self.temporaries: set[str] = set()
        """Values that nobody has given a name."""
        self._turns: dict[str, int] = {}
        """How often a name has been wanted, so that its next form is found at once."""

    def add(self, value: Value, name: str, others: Spoken | tuple[str, ...]) -> Value:
        """The value made by a new operation, called by the name, or the first of `name_2`, `name_3` ... that is neither
        taken nor among `others`.
        """
        found, turn = name, self._turns.get(name, 1)
        joint = "_v" if name in self.written.vectors else "_"
        while found in self.taken or found in FUNCTIONS or found in others:
            turn += 1
            found, others = f"{name}{joint}{turn}", self.written
        self._turns[name] = turn
        self.taken.add(found)
        self.operations.append(Operation(found, value.formula, value.inputs, value.kind))
        return named(found)

    def take_back(self, value: Value) -> Value | None:
        """The value of the last operation without its name, the operation taken back; None of any other value, and of
        one that has been given its name.
        """
        if value.name not in self.temporaries or value.name != self.operations[-1].output:
            return None
        made = self.operations.pop()
        self.taken.discard(made.output)
        self.temporaries.discard(made.output)
        return Value(made.formula, made.inputs, kind=made.kind)
