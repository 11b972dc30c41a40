"""Numbers in frozen objects: where two objects of one make differ, and the object with other numbers there.

Frozen dataclasses, tuples, lists and mappings are gone through; their leaves are floats and arrays of floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

import numpy as np

Place = tuple[str | int, ...]
"""The fields, keys and numbers of items on the way to a leaf."""


class OtherKindError(Exception):
    """Two objects differ in more than their numbers."""


def differing(one: Any, other: Any) -> dict[Place, Any]:
    """The leaves of `other` that differ from those of `one`, by their places.

    Raises `OtherKindError` where the objects differ in anything else: their kinds, a shape, a text, a whole number.
    """
    found: dict[Place, Any] = {}
    _compare(one, other, (), found)
    return found


def with_leaves(value: Any, leaves: Mapping[Place, Any]) -> Any:
    """The object with other leaves at some places; what lies on no way to one of them is the same object.

    No constructor is called: a leaf may be what stands for a number.
    """
    if not leaves:
        return value
    if () in leaves:
        return leaves[()]
    below: dict[str | int, dict[Place, Any]] = {}
    for (step, *rest), leaf in leaves.items():
        below.setdefault(step, {})[tuple(rest)] = leaf
    parts = _parts(value)
    assert parts is not None
    parts |= {step: with_leaves(parts[step], each) for step, each in below.items()}
    if is_dataclass(value):
        made = object.__new__(type(value))
        for name, part in parts.items():
            object.__setattr__(made, str(name), part)
        return made
    if isinstance(value, dict):
        return parts
    return type(value)._make(parts.values()) if hasattr(value, "_make") else type(value)(parts.values())


def at(value: Any, place: Place) -> Any:
    """The leaf at a place."""
    for step in place:
        value = getattr(value, str(step)) if is_dataclass(value) else value[step]
    return value


def _compare(one: Any, other: Any, place: Place, found: dict[Place, Any]) -> None:
    if one is other:
        return
    if type(one) is not type(other):
        raise OtherKindError
    if isinstance(one, float | np.floating) or (isinstance(one, np.ndarray) and one.dtype.kind == "f"):
        if np.shape(one) != np.shape(other):
            raise OtherKindError
        # Not a number is the same as itself, and -0 is not 0.
        if np.asarray(one).tobytes() != np.asarray(other).tobytes():
            found[place] = other
        return
    if isinstance(one, np.ndarray):
        if not np.array_equal(cast("Any", one), other):
            raise OtherKindError
        return
    parts, others = _parts(one, compared=True), _parts(other, compared=True)
    if parts is None or others is None:
        if one != other:
            raise OtherKindError
    elif parts.keys() != others.keys():
        raise OtherKindError
    else:
        for step, part in parts.items():
            _compare(part, others[step], (*place, step), found)


def _parts(value: Any, *, compared: bool = False) -> dict[str | int, Any] | None:
    """What an object is made of, by step, or what of it is `compared`; None of what is not gone into."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in fields(value) if item.compare or not compared}
    if isinstance(value, dict):
        return dict(cast("dict[str | int, Any]", value))
    if isinstance(value, tuple | list):
        return dict(enumerate(cast("Sequence[Any]", value)))
    return None
