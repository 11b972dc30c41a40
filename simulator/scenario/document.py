"""YAML text -> plain data and the place of every value, or a complaint with its line and column.

The values are YAML 1.2 core: `1e-9`, `0x1f` and `0o17` are numbers, `no`, `on` and `1_000` are text. What makes a file
mean something other than what it shows is refused: anchors, aliases, tags, duplicate keys, several documents.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from typing import Any, cast

from ruamel.yaml import YAML

from simulator.errors import Problem
from simulator.kinds.entry import Spot, Steps
from simulator.kinds.names import composed
from simulator.kinds.wording import found, is_plain, shown
from simulator.scenario.plugins import NO_PLUGINS, Plugins

SETTINGS = "settings"
"""The place of a value that no file holds, but whoever loads the scenario."""
MAX_VALUES = 100_000
MAX_DEPTH = 60

_CORE: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = (
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+"), lambda text: int(text) if len(text) <= 300 else float(text)),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 8) if len(text) <= 300 else math.inf),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 16) if len(text) <= 300 else math.inf),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)
"""Plain scalars that are no text, and what they mean.

A whole number of more than 300 digits becomes a float (infinite), which no field accepts.
"""
LINE_BREAK = re.compile(r"\r\n|\r|\n")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Fault:
    """A complaint about the data at `path`; the document turns it into a `Problem` with a line and a column.

    `spot` says where to point: at the value, at its key, or (for a missing key) at the mapping that should hold it.
    `offset` counts characters into a text value; `index` is a place in the source that belongs to no value.
    """

    path: Steps
    message: str
    spot: Spot = "value"
    offset: int | None = None
    index: int | None = None


@dataclass
class Document:
    """Plain data of one scenario with the place (character index in `text`) of every value and key, where each value
    ends, and the kinds from outside that it speaks of.

    `complete` is False where reading stopped half-way, so that nothing can be said about what is missing; `compiled`
    is True where firms and goods come from a program; what it does not say itself is said by its `base`.
    """

    where: str
    text: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    values: dict[Steps, int] = field(default_factory=dict[Steps, int])
    ends: dict[Steps, int] = field(default_factory=dict[Steps, int])
    keys: dict[Steps, int] = field(default_factory=dict[Steps, int])
    faults: list[Fault] = field(default_factory=list[Fault])
    settings: set[Steps] = field(default_factory=set[Steps])
    plugins: Plugins = NO_PLUGINS
    complete: bool = True
    compiled: bool = False
    base: Document | None = None

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in LINE_BREAK.finditer(self.text))]

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of a character index."""
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    def problem(self, fault: Fault) -> Problem:
        """The fault with its line and column; a value that is set from outside has `SETTINGS` for its place."""
        dotted = self.dotted(fault.path)
        if any(fault.path[:length] in self.settings for length in range(1, len(fault.path) + 1)):
            return Problem(SETTINGS, 0, 0, dotted, fault.message)
        holder, index = self._found(fault)
        place = (0, 0) if index is None else holder.place(index)
        return Problem(holder.where, *place, dotted, fault.message)

    def _found(self, fault: Fault) -> tuple[Document, int | None]:
        """The document that holds what a fault is about, this one or one that it is based on, and where it stands."""
        if fault.index is not None:
            return self, fault.index
        path = fault.path
        if fault.spot == "value" and (holder := self._holder(path, keys=False)):
            start = holder.values[path]
            inside = None if fault.offset is None else holder.inside(path, fault.offset)
            return holder, start if inside is None else inside
        if fault.spot == "parent":
            path = path[:-1]
        while (holder := self._holder(path)) is None:
            if not path:
                return self, None
            path = path[:-1]
        return holder, holder.keys.get(path, holder.values.get(path))

    def _holder(self, path: Steps, *, keys: bool = True) -> Document | None:
        """Which of the documents, the uppermost one first, says itself what stands at a path."""
        if path in self.values or (keys and path in self.keys):
            return self
        return None if self.base is None else self.base._holder(path, keys=keys)

    def inside(self, path: Steps, offset: int) -> int | None:
        """The place of a character of a text value; None where escapes or folded lines hide it."""
        value, start = self.at(path), self.values.get(path)
        if not isinstance(value, str) or start is None:
            return None
        for quote in ("", '"', "'"):
            if self.text.startswith(f"{quote}{value}{quote}", start):
                return start + len(quote) + min(offset, len(value))
        if not self.text.startswith("|", start):
            return None
        # Of a block the lines are those of the file, each behind the same blanks.
        before, line = value[:offset].split("\n"), self._line_starts[self.place(start)[0] :]
        shown = value.split("\n")[len(before) - 1]
        begin, *_ = (*line[len(before) - 1 :], len(self.text))
        written = LINE_BREAK.split(self.text[begin:], 1)[0]
        return begin + len(written) - len(shown) + len(before[-1]) if written.endswith(shown) else None

    def at(self, path: Steps) -> object:
        """The value at a path, None where there is none."""
        node: Any = self.data
        try:
            for step in path:
                node = cast("Any", node)[step] if isinstance(node, dict | list) else None
        except (LookupError, TypeError):
            return None
        return node

    def dotted(self, path: Steps) -> str:
        """`firms.A.makes`: entries of a list by their names where they have one, otherwise `firms[0].makes`."""
        parts: list[str] = []
        for depth, step in enumerate(path):
            if isinstance(step, int):
                entry = self.at(path[: depth + 1])
                name = cast("dict[str, Any]", entry).get("name") if isinstance(entry, dict) else None
                if not is_plain(name):
                    parts.append(f"[{step}]")
                    continue
                step = name
            text = shown(step)
            parts.append(f".{text}" if parts else text)
        return "".join(parts)


def leading(path: str, names: Iterable[str]) -> str | None:
    """The longest of the names that a dotted path is or begins with: names may have dots."""
    return max((name for name in names if path == name or path.startswith(f"{name}.")), key=len, default=None)


def scalar(text: str) -> object:
    """The value of a plain YAML 1.2 scalar: None, bool, int, float or the text itself."""
    return next((mean(text) for pattern, mean in _CORE if pattern.fullmatch(text)), text)


def from_data(data: Mapping[Any, Any], where: str = "<scenario>") -> Document:
    """The document of a scenario written as Python data: no places, the same rules."""
    document = Document(where, "")
    document.data = plain(data, document.faults)
    return document


def plain(value: Any, faults: list[Fault]) -> Any:
    """A copy in dicts, lists and Python scalars: tuples become lists, NumPy numbers Python's."""
    values = 0

    def copy(value: Any, path: Steps) -> Any:
        nonlocal values
        values += 1
        if values > MAX_VALUES or len(path) > MAX_DEPTH:
            return None
        if values == MAX_VALUES:
            faults.append(Fault((), f"found more than {MAX_VALUES:,} values; expected a smaller scenario"))
        elif len(path) == MAX_DEPTH and isinstance(value, Mapping | list | tuple):
            faults.append(Fault(path[:3], f"found values nested {MAX_DEPTH} deep; expected fewer levels"))
            values = MAX_VALUES  # What holds itself has no end: once is enough.
        if isinstance(value, Mapping):
            mapping: dict[str, Any] = {}
            for key, item in cast("Mapping[Any, Any]", value).items():
                if isinstance(key, str):
                    name = composed(key)
                    mapping[name] = copy(item, (*path, name))
                else:
                    faults.append(Fault(path, f"found {found(key)} as key; expected text as key"))
            return mapping
        if isinstance(value, list | tuple):
            items = cast("list[Any] | tuple[Any, ...]", value)
            return [copy(item, (*path, index)) for index, item in enumerate(items)]
        if isinstance(value, str):
            return composed(value)
        if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:
            return value.item()
        return value

    return copy(value, ())


def dump(data: Mapping[str, Any], *, flow: bool = False) -> str:
    """Plain data as YAML that reads back as the same data: keys in their order, floats in shortest round-trip form;
    in brackets from the outside in if `flow`.
    """
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = flow or None
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 1_000_000
    yaml.allow_unicode = True
    yaml.representer.ignore_aliases = lambda _: True
    yaml.representer.add_representer(str, _represent_text)
    stream = StringIO()
    yaml.dump(dict(data), stream)
    return stream.getvalue()


def _represent_text(representer: Any, text: str) -> Any:
    """Quote all but plain words that read back as text; ruamel's own rules let through what its reader misreads."""
    style = None if _WORD.fullmatch(text) and isinstance(scalar(text), str) else '"'
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)
