"""What a check knows of a scenario and how it complains: the ground that all checks stand on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, cast

from simulator.scenario.complaints import MAX_SUGGESTIONS, keys_at, sound_part, unknown
from simulator.scenario.document import Document, Fault, Steps


class Findings:
    """The sound part of a document's data, its goods and firms, and the faults found in it so far.

    A check asks whether what it needs is `sound`, and complains by `fault`: so that one mistake neither hides another
    nor causes a second complaint.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.data = sound_part(document)
        self.faulty: set[Steps] = set()
        for fault in document.faults:
            self.mark(fault)
        self.goods = self.declared_goods()
        self.known_goods = set(self.goods or ())
        self.used: set[str] = set()
        self.recipes: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        """The goods made and those used, of each firm with a formula that can be read."""
        self.firms = self.declared_firms()
        self.known_firms = set(self.firms or ())

    def mark(self, fault: Fault) -> None:
        self.faulty.update(fault.path[:length] for length in range(len(fault.path) + 1))

    def fault(
        self, path: Steps, message: str, spot: Literal["value", "key", "parent"] = "value", offset: int | None = None
    ) -> None:
        fault = Fault(path, message, spot, offset)
        self.mark(fault)
        self.document.faults.append(fault)

    def sound(self, *path: str | int) -> bool:
        """Whether nothing at or below a path has been complained about."""
        return path not in self.faulty

    def mapping(self, *path: str | int) -> dict[str, Any]:
        node: Any = self.data
        for step in path:
            if isinstance(node, list) and isinstance(step, int):
                node = cast("list[Any]", node)[step]
            else:
                node = cast("dict[Any, Any]", node).get(step) if isinstance(node, dict) else None
        return cast("dict[str, Any]", node) if isinstance(node, dict) else {}

    def entries(self, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """The readable entries of a list, with their places in it."""
        entries = self.data.get(key)
        if isinstance(entries, list):
            for at, entry in enumerate(cast("list[Any]", entries)):
                if isinstance(entry, dict):
                    yield at, cast("dict[str, Any]", entry)

    def declared_goods(self) -> list[str] | None:
        """The names of the goods, None where they cannot all be read."""
        goods = self.document.data.get("goods")
        if isinstance(goods, dict):
            return list(cast("dict[str, Any]", goods)) or None
        if isinstance(goods, list) and goods:
            names = [name for name in cast("list[Any]", goods) if isinstance(name, str)]
            return names if len(names) == len(cast("list[Any]", goods)) else None
        return None

    def declared_firms(self) -> list[str] | None:
        entries: Any = self.document.data.get("firms", [])
        if not isinstance(entries, list):
            return None
        names: list[str] = []
        for entry in cast("list[Any]", entries):
            name: Any = cast("dict[str, Any]", entry).get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                return None
            names.append(name)
        return names

    def is_good(
        self, path: Steps, name: str, spot: Literal["value", "key"] = "key", formula: str | None = None, begin: int = 0
    ) -> bool:
        """Whether a good is declared; complains at the path if it is not, or where it stands in a `formula` there."""
        if self.goods is None:
            return False
        if name in self.known_goods:
            return True
        offset = None if formula is None else begin + _position(formula, name)
        self.fault(path, unknown("good", name, self.goods, len(self.document.faults) < MAX_SUGGESTIONS), spot, offset)
        return False

    def keys_are_goods(self, *path: str | int) -> None:
        """Complain about the keys of a mapping that are no goods, however wrong their numbers may be."""
        mapping = self.document.at(path)
        for name, value in cast("dict[str, Any]", mapping).items() if isinstance(mapping, dict) else ():
            if name != "dirichlet" or not isinstance(value, dict):
                self.is_good((*path, name), name)

    @property
    def messages(self) -> bool:
        """Whether firms bid for their inputs, and nobody plans."""
        return self.mapping("scheduler").get("kind") == "marginal_bids"

    def written(self, path: Steps) -> dict[str, Any]:
        """An entry as it was written."""
        entry = self.document.at(path)
        return cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}

    def kinds_at(self, path: Steps) -> list[str]:
        """The kinds there are to choose from at a place."""
        return keys_at(self.document.plugins.schema, path)[1]

    def one_kind(self, path: Steps, choice: dict[str, Any], kinds: list[str]) -> bool:
        if len(choice) == 1:
            return True
        given = " and ".join(choice) if choice else "an empty mapping"
        self.fault(path, f"found {given}; expected {'one of ' if len(kinds) > 1 else ''}{', '.join(kinds)}")
        return False


def _position(formula: str, name: str) -> int:
    match = re.search(rf"(?<![A-Za-z0-9_.]){re.escape(name)}(?![A-Za-z0-9_.])", formula)
    return match.start() if match else 0
