"""What names in formulas are made of: letters of any alphabet with their marks, digits and `_`."""

from __future__ import annotations

import unicodedata

SIGN = r"[\w\u0300-\U0010ffff]"
"""A letter, digit, `_` or mark; whether it is one of these is asked of every sign (`in_a_name`)."""
NAME = rf"[^\W0-9]{SIGN}*"


def in_a_name(character: str) -> bool:
    """Whether it is a letter, a digit, `_`, or a mark that belongs to the letter before."""
    return character.isalnum() or character == "_" or unicodedata.category(character) in ("Mn", "Mc")
