"""The scenario that `simulator new` writes: small, complete, and with a comment on every choice."""

from __future__ import annotations

from pathlib import Path


def starter(name: str) -> str:
    """The text of a new scenario; the name itself is the file's, and needs no line."""
    return Path(__file__).with_name("starter.yaml").read_text(encoding="utf-8").replace("{name}", name)
