"""What is wrong in a user's file, with its place: one `Problem` per complaint, one `ScenarioError` for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One complaint about a scenario, printed as one line `where:line:column: path: message`.

    `line` and `column` count from 1; 0 means unknown and is left out, as is an empty `path`.
    """

    where: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = self.where
        if self.line > 0:
            place += f":{self.line}"
            if self.column > 0:
                place += f":{self.column}"
        parts = [place, self.path, self.message] if self.path else [place, self.message]
        return printable(": ".join(parts))


class ScenarioError(Exception):
    """A scenario, or several, that cannot be run. `str()` gives one line per problem, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        """Pickle by the problems, so that the error survives the way back from a worker process."""
        return (type(self), (self.problems,))


class RunFolderError(Exception):
    """Run folders that cannot be continued or compared: a line for each says why and what to do instead."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(printable, lines)))


def printable(text: str) -> str:
    """Text without line breaks and control characters, wherever its words came from: an escape becomes `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text)
