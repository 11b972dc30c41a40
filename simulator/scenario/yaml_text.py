"""A scenario file -> a document: YAML text read event by event, with the place of every value.

What makes a file mean something other than what it shows is refused: anchors, aliases, tags, duplicate keys, several
documents.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML, events

from simulator.errors import Problem, ScenarioError
from simulator.kinds.entry import Steps
from simulator.kinds.names import composed
from simulator.kinds.wording import found, quoted
from simulator.scenario.document import MAX_DEPTH, MAX_VALUES, SETTINGS, Document, Fault, scalar
from simulator.slips import instead, meant

MAX_BYTES = 8_000_000
_TOKEN = re.compile(r"\(?'?<([a-z ]+)>'?,?\)?")
PLAIN = {
    "stream end": "end of file",
    "end of stream": "end of file",
    "block end": "the end of the block",
    "block mapping start": "a key",
    "block sequence start": "a list",
    "a block mapping": "keys below each other",
    "a block collection": "a list",
    "a flow mapping": "{...}",
    "a flow sequence": "[...]",
    "a quoted scalar": "a quoted text",
    " (while scanning for the next token)": "",
    " (while scanning a simple key)": "",
    "got scalar": "got a value",
    "found scalar": "found a value",
}
"""The parser's words in plain ones."""
_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")
_LONG_TAG = re.compile(r"(?:^|[\s,\[\]{}:-])(![^\s]{200}|%TAG[^\n]{400})")


def read(path: str | Path, kind: str = "scenario") -> str:
    """The text of a file of a `kind`; raises `ScenarioError` for what cannot be one before any of it is parsed."""
    where = str(path)

    def refuse(message: str, line: int = 0, column: int = 0) -> ScenarioError:
        return ScenarioError([Problem(where, line, column, "", message)])

    if "\0" in where:
        raise refuse(f"found a file name with a NUL character; expected a {kind} file")
    try:
        if os.path.isdir(path):
            raise refuse(f"found a folder; expected a {kind} file (YAML)")
        if os.path.exists(path) and not os.path.isfile(path):
            raise refuse(f"found something that is not a regular file; expected a {kind} file (YAML)")
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise refuse(f"no such file; expected a {kind} file (YAML)") from None
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
    document = Document(where, composed(text.removeprefix("\ufeff")))
    root = Composer(document).compose()
    if isinstance(root, dict):
        document.data = cast("dict[str, Any]", root)
    elif document.complete:
        document.complete = False
        message = "found an empty file" if root is None else f"found {found(root)}"
        start = document.values.get((), 0)
        document.faults.append(Fault((), f"{message}; expected a mapping (name: value)", index=start))
    return document


def compose_value(text: str, faults: list[Fault]) -> object:
    """The value of a YAML fragment, as typed after `--set path=`; what is wrong with it is added to `faults`."""
    return Composer(Document(SETTINGS, composed(text), faults=faults)).compose()


class _StopError(Exception):
    """The rest of the text is not worth reading."""


class Composer:
    """Builds plain data from ruamel's events, as deep as is allowed: no nesting can exhaust Python's."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.events = self._events()
        self.values = self.depth = self.last = self.end = 0

    def compose(self) -> object:
        """The first value of the text, as far as it can be read."""
        roots: list[object] = []
        documents = 0
        try:
            for event in self.events:
                if isinstance(event, events.DocumentStartEvent):
                    documents += 1
                    self._directives(event)
                    if documents > 1:
                        self._fault((), "found a second document (---); expected one scenario per file", self.last)
                        break
                elif isinstance(event, events.NodeEvent):
                    self._value(event, (), True, roots.append)
        except _StopError:
            self.document.complete = False
        return roots[0] if roots else None

    def _events(self) -> Iterator[Any]:
        """ruamel's events; anything it raises becomes one fault in one sentence."""
        text = self.document.text
        if match := _LONG_TAG.search(text):
            self._fault((), "found a tag (!...); expected plain values", match.start(1))
            raise _StopError
        try:
            for event in cast("Iterator[Any]", YAML(typ="safe", pure=True).parse(text)):
                self.last = event.start_mark.index
                yield event
        except Exception as error:
            # Besides its own YAMLError, ruamel lets ValueError, OverflowError and others escape from malformed text.
            self._fault((), *_syntax(error, self.last, text))
            raise _StopError from error

    def _fault(self, path: Steps, message: str, index: int) -> None:
        self.document.faults.append(Fault(path, message, index=index))

    def _directives(self, event: Any) -> None:
        if event.tags:
            self._fault((), "found a %TAG directive; expected plain values", self.last)
        if event.version is not None and tuple(event.version) != (1, 2):
            version = ".".join(str(part) for part in event.version)
            self._fault((), f"found %YAML {version}; expected YAML 1.2", self.last)

    def _count(self, event: Any, path: Steps) -> None:
        """One value or key more; anchors and tags are refused."""
        self.values += 1
        if self.values > MAX_VALUES:
            self._fault((), f"found more than {MAX_VALUES:,} values; expected a smaller scenario", self.last)
            raise _StopError
        if event.anchor is not None and hasattr(event, "tag"):
            self._fault(path, f"found the anchor {quoted(f'&{event.anchor}')}; expected a plain value", self.last)
        if getattr(event, "tag", None) is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self._fault(path, f"found the tag {quoted(tag)}; expected a plain value", self.last)

    def _value(self, event: Any, path: Steps, kept: bool, put: Callable[[Any], None]) -> None:
        """Read the value that begins with an event and `put` it in its place; `kept` unless its key was refused."""
        self._count(event, path)
        start: int = event.start_mark.index
        if isinstance(event, events.CollectionStartEvent):
            if self.depth >= MAX_DEPTH:
                self._fault(path[:3], f"found values nested {MAX_DEPTH} deep; expected fewer levels", self.last)
                raise _StopError
            value, refusal = {} if isinstance(event, events.MappingStartEvent) else [], None
        else:
            value, refusal = self._scalar(event)
        put(value)
        # A key without a value has no place but its own.
        placed = kept and not (value is None and path in self.document.keys)
        if placed:
            self.document.values[path] = start
        if isinstance(value, dict | list):
            self.depth += 1
            self._entries(value, path, kept)
            self.depth -= 1
        elif written := self.document.text[start : event.end_mark.index].rstrip():
            # A block of text ends where the next thing begins, and so does a value that is not there.
            self.end = start + len(written)
        if placed:
            self.document.ends[path] = self.end
        if refusal is not None:
            self._fault(path, refusal, start)

    def _entries(self, container: Any, path: Steps, kept: bool) -> None:
        """Read what is in a mapping or list, to its end."""
        for event in self.events:
            if isinstance(event, events.CollectionEndEvent):
                # What is not in brackets has no end of its own: the parser's is where the next thing begins.
                if self.document.text[event.start_mark.index : event.end_mark.index] in ("}", "]"):
                    self.end = event.end_mark.index
                return
            if isinstance(container, list):
                self._value(event, (*path, len(container)), kept, container.append)
                continue
            key, sound = self._key(event, container, path)
            below = path if key is None else (*path, key)
            if kept and sound:
                self.document.keys[below] = event.start_mark.index
            holder: dict[Any, Any] = container if sound else {}
            self._value(next(self.events), below, kept and sound, partial(holder.__setitem__, key))

    def _key(self, event: Any, mapping: dict[str, Any], path: Steps) -> tuple[str | None, bool]:
        """The key that an event is, None where it cannot be one, and whether nothing is wrong with it."""
        if isinstance(event, events.CollectionStartEvent):
            shape = "a mapping" if isinstance(event, events.MappingStartEvent) else "a list"
            self._fault(path, f"found {shape} as key; expected text as key", self.last)
            raise _StopError
        index: int = event.start_mark.index
        self.end = self.document.text.find(":", event.end_mark.index) + 1
        self._count(event, path)
        value, refusal = self._scalar(event)
        path = (*path, str(getattr(event, "value", "*")))
        if refusal is None and isinstance(value, str):
            if value not in mapping:
                return value, True
            line, _ = self.document.place(self.document.keys.get(path, index))
            self._fault(path, f"found the key {quoted(value)} twice; expected it once (first in line {line})", index)
            return value, False
        comma = re.search(r"[\d.]+,$", self.document.text[:index][-30:])
        guess = instead("number", comma[0] + event.value) if comma and refusal is None else None
        self._fault(path, refusal or f"found {found(value)} as key; expected text as key{meant(guess)}", index)
        return None, False

    def _scalar(self, event: Any) -> tuple[object, str | None]:
        """What a scalar means, or why it is refused."""
        if isinstance(event, events.AliasEvent):
            return None, f"found the alias {quoted(f'*{event.anchor}')}; expected the value itself"
        value = scalar(event.value) if event.style is None else event.value
        # Escapes smuggle in what cannot be printed or stored.
        if isinstance(value, str) and (smuggled := _UNPRINTABLE.search(value)):
            return None, f"found the character U+{ord(smuggled.group()):04X}; expected printable text"
        return value, None


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
    if isinstance(context, str) and ("quoted scalar" in context or not text[index:].strip()):
        index = cast("Any", error).context_mark.index
    if isinstance(sentence, str) and isinstance(context, str) and context.startswith("while"):
        sentence = f"{sentence} ({context})"
    reason = " ".join(_TOKEN.sub(r"\1", str(sentence or "cannot be read")).split())[:200]
    for jargon, plain in PLAIN.items():
        reason = reason.replace(jargon, plain)
    index = min(index, len(text))
    begin, end = text.rfind("\n", 0, index) + 1, text.find("\n", index)
    written = text[begin : end if end >= 0 else len(text)].rstrip()
    return f"not valid YAML: {reason}{meant(instead('yaml', f'{reason}|{written}'))}", index
