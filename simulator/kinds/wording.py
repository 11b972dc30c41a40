"""The words of a complaint: what was found, what was expected, and what was probably meant."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable
from typing import TypeGuard

from simulator.slips import called_here, meant

_PLAIN_NAME = re.compile(r"\w[\w.-]{0,99}")


def quoted(text: str, limit: int = 60) -> str:
    """Text as shown in a message: in quotes, on one line, not longer than a glance."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


def shown(name: str) -> str:
    """A name as shown in a message: bare where it is one, otherwise in quotes."""
    return name if is_plain(name) else quoted(name)


def is_plain(name: object) -> TypeGuard[str]:
    """Whether a name needs no quotes."""
    return isinstance(name, str) and _PLAIN_NAME.fullmatch(name) is not None


def found(value: object) -> str:
    """What a message says was found."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else "a number of more than 30 digits"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "not a number" if math.isnan(value) else "infinity"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return f"a Python {type(value).__name__}"


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a word means elsewhere, or is misspelt."""
    choices = list(candidates)
    if len(word) > 60 or len(choices) > 500:
        return None
    return called_here(word, choices) or alike(word, choices)


def alike(word: str, choices: Iterable[str]) -> str | None:
    """The one of some words that is misspelt."""
    lowered = {choice.lower().replace("-", "_"): choice for choice in choices}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), lowered, n=1, cutoff=0.66)
    return lowered[close[0]] if close else None


def unknown(what: str, word: str, candidates: Iterable[str], suggest: bool = True) -> str:
    """`unknown good 'bred'; expected one of bread, wine; did you mean bread?`"""
    choices = list(candidates)
    names = [*map(shown, choices[:30]), *(["..."] if len(choices) > 30 else [])]
    expected = f"expected {listed(names)}" if choices else "none is declared"
    guess = nearest(word, choices) if suggest else None
    return f"unknown {what} {quoted(word)}; {expected}{meant(guess and shown(guess))}"


def listed(choices: Collection[str]) -> str:
    """`a`, or `one of a, b`."""
    return f"{'one of ' if len(choices) > 1 else ''}{', '.join(choices)}"


def one_of(ways: Iterable[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = ways
    return f"{', '.join(others)} or {last}" if others else last


def number(value: float) -> str:
    """A number as somebody would write it."""
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)


def choice(value: object, choices: list[str], *, suggest: bool = True) -> str:
    """What was found in the place of one of some words."""
    guess = nearest(value, choices) if suggest and isinstance(value, str) else None
    guess = guess or (choices[0] if suggest and len(choices) == 1 else None)
    if isinstance(value, bool) and {"on", "off"} <= set(choices):
        guess = "on" if value else "off"
    return f"found {found(value)}; expected {listed(choices)}{meant(guess)}"
