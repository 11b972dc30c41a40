"""Names of goods, agents and scenarios: letters of any alphabet, digits, '.', '_' and '-', a letter or digit first."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from simulator.formulas.letters import in_a_name
from simulator.kinds.wording import found
from simulator.slips import instead, meant

NAME_PATTERN = r"^[^\x00-/:-@\[-`{-\x7f][^\x00-,/:-@\[-^`{-\x7f]*$"
"""What a pattern can say of names, to editors too: which signs of a keyboard they have not."""
MOST_LETTERS = 100
NAME_RULE = "1 to 100 letters, digits, '.', '_' and '-', a letter or digit first"
_ALIKE = dict(
    zip("аеорсухіјѕԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧονАВЕКМНОРСТХІЈЅ", "aeopcyxijsdqwABEZHIKMNOPTYXovABEKMHOPCTXIJS", strict=True)
)
"""Cyrillic and Greek letters that look like Latin ones."""


def name_fault(name: str) -> str | None:
    """What is wrong with a name, None if nothing is."""
    sound = re.fullmatch(NAME_PATTERN, name) and len(name) <= MOST_LETTERS and name[0].isalnum()
    if not sound or not all(in_a_name(character) or character in ".-" for character in name):
        return f"found {found(name)}; expected {NAME_RULE}{meant(instead('name', name))}"
    plain = unicodedata.normalize("NFKC", name)
    latin = any("LATIN" in unicodedata.name(character, "") for character in name)
    if plain != name or (latin and looks(name) != name):
        told = f"found {found(name)}, in which letters look like others"
        return f"{told}; expected letters of one alphabet{meant(looks(plain))}"
    return None


def composed(text: str) -> str:
    """A text from outside as names are kept: a letter and its marks are one sign where there is one (NFC)."""
    return unicodedata.normalize("NFC", text)


def looks(name: str) -> str:
    """A name in the letters that it looks written in."""
    return "".join(_ALIKE.get(character, character) for character in unicodedata.normalize("NFKC", name))


def alike_names(names: Iterable[str]) -> dict[str, str]:
    """Each name that cannot be told from one before it, with that one."""
    first: dict[str, str] = {}
    return {name: other for name in names if (other := first.setdefault(looks(name), name)) != name}
