"""YAML text -> plain data and the place of every value, or a complaint with its line and column.

The values are YAML 1.2 core: `1e-9`, `0x1f` and `0o17` are numbers, `no`, `on` and `1_000` are text. What makes a file
mean something other than what it shows is refused: anchors, aliases, tags, duplicate keys, several documents.
"""

from __future__ import annotations

import math
import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from simulator.errors import Problem, ScenarioError
from simulator.scenario.plugins import NO_PLUGINS, Plugins

Steps = tuple[str | int, ...]

MAX_BYTES = 8_000_000
MAX_VALUES = 100_000
MAX_DEPTH = 60

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")
_TOKEN = re.compile(r"\(?'?<([a-z ]+)>'?,?\)?")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_LONG_TAG = re.compile(r"(?:^|[\s,\[\]{}:-])(![^\s]{200}|%TAG[^\n]{400})")


@dataclass(frozen=True, slots=True)
class Fault:
    """A complaint about the data at `path`; the document turns it into a `Problem` with a line and a column.

    `spot` says where to point: at the value, at its key, or (for a missing key) at the mapping that should hold it.
    `offset` counts characters into a text value; `index` is a place in the source that belongs to no value.
    """

    path: Steps
    message: str
    spot: Literal["value", "key", "parent"] = "value"
    offset: int | None = None
    index: int | None = None


@dataclass(slots=True)
class Document:
    """Plain data of one scenario with the place (character index in `text`) of every value and key, and the kinds from
    outside that it speaks of.

    `complete` is False where reading stopped half-way, so that nothing can be said about what is missing.
    """

    where: str
    text: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    values: dict[Steps, int] = field(default_factory=dict[Steps, int])
    keys: dict[Steps, int] = field(default_factory=dict[Steps, int])
    faults: list[Fault] = field(default_factory=list[Fault])
    settings: dict[Steps, str] = field(default_factory=dict[Steps, str])
    plugins: Plugins = NO_PLUGINS
    complete: bool = True
    line_starts: list[int] = field(default_factory=list[int])

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of a character index."""
        if not self.line_starts:
            self.line_starts.extend([0, *(found.end() for found in _LINE_BREAK.finditer(self.text))])
        line = bisect_right(self.line_starts, index)
        return line, index - self.line_starts[line - 1] + 1

    def problem(self, fault: Fault) -> Problem:
        """The fault with its line and column; a value given on the command line has `--set` for its place."""
        for length in range(len(fault.path), 0, -1):
            if fault.path[:length] in self.settings:
                return Problem("--set", 0, 0, self.dotted(fault.path), _printable(fault.message))
        index = self._index(fault)
        line, column = (0, 0) if index is None else self.place(index)
        return Problem(self.where, line, column, self.dotted(fault.path), _printable(fault.message))

    def _index(self, fault: Fault) -> int | None:
        if fault.index is not None:
            return fault.index
        path = fault.path
        if fault.spot == "value" and path in self.values:
            start = self.values[path]
            return start if fault.offset is None else self._inside(path, start, fault.offset)
        if fault.spot == "parent":
            path = path[:-1]
        while path not in self.keys and path not in self.values:
            if not path:
                return None
            path = path[:-1]
        return self.keys.get(path, self.values.get(path))

    def _inside(self, path: Steps, start: int, offset: int) -> int:
        """The place of a character of a text value; its start where escapes or folded lines hide the place."""
        value = self.at(path)
        if isinstance(value, str):
            for quote in ("", '"', "'"):
                if self.text.startswith(f"{quote}{value}{quote}", start):
                    return start + len(quote) + min(offset, len(value))
        return start

    def at(self, path: Steps) -> object:
        """The value at a path, None where there is none."""
        node: Any = self.data
        for step in path:
            if isinstance(node, dict):
                node = cast("dict[Any, Any]", node).get(step)
            elif isinstance(node, list) and isinstance(step, int) and step < len(cast("list[Any]", node)):
                node = cast("list[Any]", node)[step]
            else:
                return None
        return node

    def dotted(self, path: Steps) -> str:
        """`firms.A.makes`: entries of a list by their names where they have one, otherwise `firms[0].makes`."""
        parts: list[str] = []
        for depth, step in enumerate(path):
            if isinstance(step, int):
                entry = self.at(path[: depth + 1])
                name = cast("dict[str, Any]", entry).get("name") if isinstance(entry, dict) else None
                if not (isinstance(name, str) and _PLAIN_NAME.fullmatch(name)):
                    parts.append(f"[{step}]")
                    continue
                step = name
            text = shown(step)
            parts.append(f".{text}" if parts else text)
        return "".join(parts)


def quoted(text: str, limit: int = 60) -> str:
    """Text as shown in a message: in quotes, on one line, not longer than a glance."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


def shown(name: str) -> str:
    """A name as shown in a message: bare where it is one, otherwise in quotes."""
    return name if _PLAIN_NAME.fullmatch(name) else quoted(name)


def _printable(message: str) -> str:
    """A message without line breaks and control characters, wherever its words came from."""
    if message.isprintable():
        return message
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in message)


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


def scalar(text: str) -> object:
    """The value of a plain YAML 1.2 scalar: None, bool, int, float or the text itself.

    A whole number of more than 300 digits becomes a float (infinite), which no field accepts.
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= 300 else float(text)
    if _OCTAL.fullmatch(text):
        return int(text, 8) if len(text) <= 300 else float("inf")
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16) if len(text) <= 300 else float("inf")
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float(text.replace(".", "").lower())
    if _NAN.fullmatch(text):
        return float("nan")
    return text


def read(path: str | Path) -> str:
    """The text of a scenario file; raises `ScenarioError` for what cannot be a scenario before any of it is parsed."""
    where = str(path)

    def refuse(message: str, line: int = 0, column: int = 0) -> ScenarioError:
        return ScenarioError([Problem(where, line, column, "", message)])

    if "\0" in where:
        raise refuse("found a file name with a NUL character; expected a scenario file")
    try:
        if os.path.isdir(path):
            raise refuse("found a folder; expected a scenario file (YAML)")
        if os.path.exists(path) and not os.path.isfile(path):
            raise refuse("found something that is not a regular file; expected a scenario file (YAML)")
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise refuse("no such file; expected a scenario file (YAML)") from None
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror or type(error).__name__}") from None
    if len(raw) > MAX_BYTES:
        raise refuse(f"found a file of {max(size, len(raw)):,} bytes; expected at most {MAX_BYTES:,}")
    if b"\0" in raw:
        raise refuse("found a binary file (it contains NUL bytes); expected YAML text in UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", errors="replace")
        line, column = Document(where, before).place(len(before))
        raise refuse(f"found the byte 0x{raw[error.start]:02x}; expected text in UTF-8", line, column) from None


def compose(text: str, where: str) -> Document:
    """The document of a YAML text; what is wrong with it is left in `faults`."""
    document = Document(where, text.removeprefix("\ufeff"))
    root = _Composer(document).compose()
    if isinstance(root, dict):
        document.data = cast("dict[str, Any]", root)
    elif document.complete:
        document.complete = False
        message = "found an empty file" if root is None else f"found {found(root)}"
        start = document.values.get((), 0)
        document.faults.append(Fault((), f"{message}; expected a mapping (name: value)", index=start))
    return document


def compose_value(text: str) -> tuple[object, list[str]]:
    """The value of a YAML fragment, as typed after `--set path=`, and what is wrong with it."""
    document = Document("--set", text)
    root = _Composer(document).compose()
    return root, [fault.message for fault in document.faults]


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
        if isinstance(value, Mapping):
            mapping: dict[str, Any] = {}
            for key, item in cast("Mapping[Any, Any]", value).items():
                if isinstance(key, str):
                    mapping[str(key)] = copy(item, (*path, str(key)))
                else:
                    faults.append(Fault(path, f"found {found(key)} as key; expected text as key"))
            return mapping
        if isinstance(value, list | tuple):
            items = cast("list[Any] | tuple[Any, ...]", value)
            return [copy(item, (*path, index)) for index, item in enumerate(items)]
        if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:
            return value.item()
        return value

    return copy(value, ())


def dump(data: Mapping[str, Any]) -> str:
    """Plain data as YAML that reads back as the same data: keys in their order, floats in shortest round-trip form."""
    from io import StringIO

    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 1_000_000
    yaml.allow_unicode = True
    yaml.representer.ignore_aliases = _never_alias
    yaml.representer.add_representer(str, _represent_text)
    stream = StringIO()
    yaml.dump(dict(data), stream)
    return stream.getvalue()


def _never_alias(_: object) -> bool:
    return True


def _represent_text(representer: Any, text: str) -> Any:
    """Quote all but plain words that read back as text; ruamel's own rules let through what its reader misreads."""
    style = None if _WORD.fullmatch(text) and isinstance(scalar(text), str) else '"'
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _StopError(Exception):
    """The rest of the text is not worth reading."""


@dataclass(slots=True)
class _Open:
    """A mapping or list still being read; `kept` is False inside the value of a refused key."""

    container: dict[str, Any] | list[Any]
    path: Steps
    kept: bool
    key: str | None = None
    key_kept: bool = True
    awaits_value: bool = False


class _Composer:
    """Builds plain data from ruamel's events with a stack of its own, so that no nesting can exhaust Python's."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.stack: list[_Open] = []
        self.root: object = None
        self.values = 0
        self.last = 0

    def compose(self) -> object:
        from ruamel.yaml import events

        if match := _LONG_TAG.search(self.document.text):
            self.fault((), "found a tag (!...); expected plain values", match.start(1))
            self.document.complete = False
            return None
        documents = 0
        try:
            for event in self.events():
                self.last = event.start_mark.index
                if isinstance(event, events.DocumentStartEvent):
                    documents += 1
                    self.directives(event)
                    if documents > 1:
                        self.fault((), "found a second document (---); expected one scenario per file", self.last)
                        break
                elif isinstance(event, events.MappingStartEvent):
                    self.open(event, {})
                elif isinstance(event, events.SequenceStartEvent):
                    self.open(event, [])
                elif isinstance(event, events.MappingEndEvent | events.SequenceEndEvent):
                    self.stack.pop()
                elif isinstance(event, events.AliasEvent):
                    self.scalar(event, None, f"found the alias {quoted(f'*{event.anchor}')}; expected the value itself")
                elif isinstance(event, events.ScalarEvent):
                    self.scalar(event, scalar(event.value) if event.style is None else event.value, None)
        except _StopError:
            self.document.complete = False
        return self.root

    def events(self) -> Iterator[Any]:
        """ruamel's events; anything it raises becomes one fault in one sentence."""
        from ruamel.yaml import YAML

        try:
            yield from cast("Iterator[Any]", YAML(typ="safe", pure=True).parse(self.document.text))
        except _StopError:
            raise
        except Exception as error:
            # Besides its own YAMLError, ruamel lets ValueError, OverflowError and others escape from malformed text.
            self.fault((), *_syntax(error, self.last, self.document.text))
            self.document.complete = False

    def fault(self, path: Steps, message: str, index: int) -> None:
        self.document.faults.append(Fault(path, message, index=index))

    def directives(self, event: Any) -> None:
        if event.tags:
            self.fault((), "found a %TAG directive; expected plain values", self.last)
        if event.version is not None and tuple(event.version) != (1, 2):
            version = ".".join(str(part) for part in event.version)
            self.fault((), f"found %YAML {version}; expected YAML 1.2", self.last)

    def path(self) -> Steps:
        """The path of the value about to begin."""
        if not self.stack:
            return ()
        top = self.stack[-1]
        if isinstance(top.container, list):
            return (*top.path, len(top.container))
        return (*top.path, top.key) if top.key is not None else top.path

    def is_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].container, dict) and not self.stack[-1].awaits_value

    def count(self, event: Any) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            self.fault((), f"found more than {MAX_VALUES:,} values; expected a smaller scenario", self.last)
            raise _StopError
        if event.anchor is not None and hasattr(event, "tag"):
            self.fault(self.path(), f"found the anchor {quoted(f'&{event.anchor}')}; expected a plain value", self.last)
        if getattr(event, "tag", None) is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self.fault(self.path(), f"found the tag {quoted(tag)}; expected a plain value", self.last)

    def open(self, event: Any, container: dict[str, Any] | list[Any]) -> None:
        if self.is_key():
            self.stack[-1].key = None
            shape = "a mapping" if isinstance(container, dict) else "a list"
            self.fault(self.path(), f"found {shape} as key; expected text as key", self.last)
            raise _StopError
        self.count(event)
        if len(self.stack) >= MAX_DEPTH:
            self.fault(self.path()[:3], f"found values nested {MAX_DEPTH} deep; expected fewer levels", self.last)
            raise _StopError
        path = self.path()
        kept = self.put(container, event)
        self.stack.append(_Open(container, path, kept))

    def scalar(self, event: Any, value: object, refusal: str | None) -> None:
        if self.is_key():
            self.key(event, value, refusal)
            return
        self.count(event)
        path = self.path()
        if refusal is None and isinstance(value, str) and (message := _unprintable(value)):
            refusal, value = message, None
        self.put(value, event)
        if refusal is not None:
            self.fault(path, refusal, event.start_mark.index)

    def key(self, event: Any, value: object, refusal: str | None) -> None:
        top = self.stack[-1]
        index: int = event.start_mark.index
        top.awaits_value, top.key, top.key_kept = True, None, False
        self.count(event)
        mapping = cast("dict[str, Any]", top.container)
        path = (*top.path, str(getattr(event, "value", "*")))
        if refusal is not None:
            self.fault(path, refusal, index)
        elif not isinstance(value, str):
            self.fault(path, f"found {found(value)} as key; expected text as key", index)
        elif message := _unprintable(value):
            self.fault(path, message, index)
        elif value in mapping:
            line, _ = self.document.place(self.document.keys.get(path, index))
            top.key = value
            self.fault(path, f"found the key {quoted(value)} twice; expected it once (first in line {line})", index)
        else:
            top.key, top.key_kept = value, True
            if top.kept:
                self.document.keys[(*top.path, value)] = index

    def put(self, value: object, event: Any) -> bool:
        """Store a value that begins here; says whether it belongs to the data."""
        path = self.path()
        if not self.stack:
            self.root = value
            self.document.values[()] = event.start_mark.index
            return True
        top = self.stack[-1]
        if isinstance(top.container, list):
            kept = top.kept
            top.container.append(value)
        else:
            kept = top.kept and top.key_kept
            if top.key_kept and top.key is not None:
                top.container[top.key] = value
            top.awaits_value = False
        if kept and not (value is None and path in self.document.keys):
            self.document.values[path] = event.start_mark.index
        return kept


def _unprintable(text: str) -> str | None:
    """Why a text that YAML escapes smuggled in cannot be printed or stored."""
    for character in text:
        if "\ud800" <= character <= "\udfff" or character == "\0":
            return f"found the character U+{ord(character):04X}; expected printable text"
    return None


def _syntax(error: Exception, last: int, text: str) -> tuple[str, int]:
    """One sentence and a place for whatever the YAML parser raised."""
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    index = mark.index if mark is not None else last
    sentence = getattr(error, "problem", None)
    character = getattr(error, "character", None)
    if character is not None:
        index = int(getattr(error, "position", last))
        code = character if isinstance(character, int) else ord(character)
        sentence = f"found the character U+{code:04X}, which YAML does not allow"
    if not isinstance(sentence, str):
        sentence = "an escape or number that cannot be read" if isinstance(error, ValueError | OverflowError) else None
    context = getattr(error, "context", None)
    if isinstance(sentence, str) and isinstance(context, str) and context.startswith("while"):
        sentence = f"{sentence} ({context})"
    reason = " ".join(_TOKEN.sub(r"\1", str(sentence or "cannot be read")).split())[:200]
    reason = reason.replace("stream end", "end of file")
    return f"not valid YAML: {reason}", min(index, len(text))
