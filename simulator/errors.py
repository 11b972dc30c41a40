"""What is wrong in a user's file, with its place: one `Problem` per complaint, one `ScenarioError` for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_PARTS = re.compile(
    r"(?:warning: )?(?P<found>.*?)(?:; expected (?P<expected>.*?))?"
    r"(?:; (?:did you mean|instead,) (?P<instead>.*?)\??)?",
    re.DOTALL,
)


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

    @property
    def data(self) -> dict[str, Any]:
        """The complaint as plain data, for programs: where it is, and its message in its three parts.

        `file`, `line`, `column` and `path` are those of the printed line (a line or column of 0 is unknown); `found` is
        what was found, `expected` what is expected, `instead` what to write instead, empty where nobody knows.
        """
        found = _PARTS.fullmatch(self.message)
        parts = found.groupdict(default="") if found else {}
        return {"file": self.where, "line": self.line, "column": self.column, "path": self.path, **parts}


class ScenarioError(Exception):
    """A scenario, or several, that cannot be run. `str()` gives one line per problem, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        """Pickle by the problems, so that the error survives the way back from a worker process."""
        return (type(self), (self.problems,))


class CommandError(Exception):
    """A command that cannot go on: what to say, the exit code (2, as for all that is wrong with what was typed), and
    the trace where it went wrong in another process.
    """

    def __init__(self, text: str, code: int = 2, trace: str = "") -> None:
        super().__init__(text)
        self.code, self.trace = code, trace


class RunFolderError(Exception):
    """Run folders that cannot be continued or compared: a line for each says why and what to do instead."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(printable, lines)))


def printable(text: str) -> str:
    """Text without line breaks and control characters, wherever its words came from: an escape becomes `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text)
