"""Structures: named tuples, tuples and leaves (arrays, numbers) in one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast


def rebuilt(like: Any, parts: Iterable[Any]) -> Any:
    """A structure of the kind of another one, of these parts."""
    return type(like)._make(parts) if hasattr(like, "_make") else type(like)(parts)


def mapped(function: Callable[..., Any], value: Any, *others: Any) -> Any:
    """A structure with what a function makes of each of its leaves, and of those of others of the same shape."""
    if not isinstance(value, tuple):
        return function(value, *others)
    each = zip(cast("tuple[Any, ...]", value), *others, strict=True)
    return rebuilt(value, (mapped(function, *parts) for parts in each))
