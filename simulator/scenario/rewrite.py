"""A scenario file with other values: comments and layout stay, only what is changed is written anew."""

from __future__ import annotations

from typing import Any

from simulator.kinds.entry import Steps
from simulator.scenario.document import LINE_BREAK, Document, dump


def rewrite(document: Document, data: dict[str, Any]) -> str:
    """The text of a document with `data` in the place of its own, which a reader takes for `data` again.

    A value that changed is replaced, a key that is new joins the end of its mapping; where a key has gone, or a list
    has become longer or shorter, the whole of it is written anew on one line.
    """
    text = document.text
    # From the back, so that places further on are not moved before their turn.
    for start, end, new in sorted(_changes(document, (), document.data, data), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _changes(document: Document, path: Steps, before: Any, after: Any) -> list[tuple[int, int, str]]:
    """What to write in the place of which part of the text, `(start, end, new)` each."""
    if repr(before) == repr(after):  # To Python 1 is 1.0 and True, to a scenario it is not.
        return []
    mappings = isinstance(before, dict) and isinstance(after, dict) and before and before.keys() <= after.keys()
    # A key without a value has no place to write one.
    if mappings and all((*path, key) in document.ends for key in before):
        kept = [change for key in before for change in _changes(document, (*path, key), before[key], after[key])]
        added = {key: value for key, value in after.items() if key not in before}
        return kept + (_added(document, path, before, added) if added else [])
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [change for at, pair in pairs for change in _changes(document, (*path, at), *pair)]
    return [(document.values[path], document.ends[path], on_one_line(after))]


def _added(document: Document, path: Steps, old: dict[str, Any], added: dict[str, Any]) -> list[tuple[int, int, str]]:
    """New keys behind the last of a mapping: in its brackets, or on lines of their own."""
    last = document.ends[(*path, list(old)[-1])]
    entries = [f"{on_one_line(key)}: {on_one_line(value)}" for key, value in added.items()]
    if document.text[document.values[path]] == "{":
        return [(last, last, "".join(f", {entry}" for entry in entries))]
    end = LINE_BREAK.search(document.text, last)
    place, line_break = (len(document.text), "\n") if end is None else (end.start(), end.group())
    _, column = document.place(document.keys[(*path, next(iter(old)))])
    return [(place, place, "".join(f"{line_break}{' ' * (column - 1)}{entry}" for entry in entries))]


def on_one_line(value: Any) -> str:
    """A value as it may be typed after a key, in brackets."""
    if isinstance(value, dict):
        entries = value.items()
        return f"{{{', '.join(f'{on_one_line(key)}: {on_one_line(entry)}' for key, entry in entries)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(on_one_line, value))}]"
    return dump({"value": value}, flow=True).strip().removeprefix("{value: ").removesuffix("}")
