"""A scenario file -> a document: YAML text read event by event, with the place of every value.

What makes a file mean something other than what it shows is refused: anchors, aliases, tags, duplicate keys, several
documents.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from simulator.errors import Problem, ScenarioError
from simulator.kinds.entry import Steps
from simulator.kinds.wording import found, quoted
from simulator.scenario.document import MAX_DEPTH, MAX_VALUES, Document, Fault, scalar

MAX_BYTES = 8_000_000
_TOKEN = re.compile(r"\(?'?<([a-z ]+)>'?,?\)?")
_LONG_TAG = re.compile(r"(?:^|[\s,\[\]{}:-])(![^\s]{200}|%TAG[^\n]{400})")


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
    root = Composer(document).compose()
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
    root = Composer(document).compose()
    return root, [fault.message for fault in document.faults]


class _StopError(Exception):
    """The rest of the text is not worth reading."""


@dataclass(slots=True)
class Open:
    """A mapping or list still being read; `kept` is False inside the value of a refused key."""

    container: dict[str, Any] | list[Any]
    path: Steps
    kept: bool
    key: str | None = None
    key_kept: bool = True
    awaits_value: bool = False


class Composer:
    """Builds plain data from ruamel's events with a stack of its own, so that no nesting can exhaust Python's."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.stack: list[Open] = []
        self.root: object = None
        self.values = 0
        self.last = 0
        self.end = 0

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
                    self.close(event)
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
        self.stack.append(Open(container, path, kept))

    def close(self, event: Any) -> None:
        done = self.stack.pop()
        # What is not in brackets has no end of its own: the parser's is where the next thing begins.
        if self.document.text[event.start_mark.index : event.end_mark.index] in ("}", "]"):
            self.end = event.end_mark.index
        if done.path in self.document.values:
            self.document.ends[done.path] = self.end

    def scalar(self, event: Any, value: object, refusal: str | None) -> None:
        if self.is_key():
            self.key(event, value, refusal)
            return
        self.count(event)
        path = self.path()
        start = event.start_mark.index
        if written := self.document.text[start : event.end_mark.index].rstrip():
            # A block of text ends where the next thing begins, and so does a value that is not there.
            self.end = start + len(written)
        if refusal is None and isinstance(value, str) and (message := _unprintable(value)):
            refusal, value = message, None
        if self.put(value, event) and path in self.document.values:
            self.document.ends[path] = self.end
        if refusal is not None:
            self.fault(path, refusal, start)

    def key(self, event: Any, value: object, refusal: str | None) -> None:
        top = self.stack[-1]
        index: int = event.start_mark.index
        self.end = self.document.text.find(":", event.end_mark.index) + 1
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
