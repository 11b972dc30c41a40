"""Faults put into the house on purpose. Each must take effect, or the test that injects it fails."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import house

Change = Callable[..., Any]
Inject = Callable[[Any, str, Change], None]


class _Bytes(pickle.Pickler):
    """What is traced counts as the nodes of its graph that it is: a fault in a text that is written shows there."""

    def reducer_override(self, value: Any) -> Any:
        return (
            (list, ([getattr(term, "node", term) for term in value.terms.flat],))
            if isinstance(value, house.TracedArray)
            else NotImplemented
        )


def _bytes(value: Any) -> bytes:
    written = io.BytesIO()
    _Bytes(written).dump(value)
    return written.getvalue()


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inject]:
    """`inject(owner, name, change)`: what `owner.name` returns goes through `change(result, *arguments)` first.

    At the end of the test every fault must have been asked for and have changed something.
    """
    effects: dict[str, bool] = {}

    def put(owner: Any, name: str, change: Change) -> None:
        honest, place = getattr(owner, name), f"{getattr(owner, '__name__', owner)}.{name}"
        effects[place] = False

        def broken(*arguments: Any, **more: Any) -> Any:
            result = honest(*arguments, **more)
            changed = change(result, *arguments)
            effects[place] |= _bytes(changed) != _bytes(result)
            return changed

        monkeypatch.setattr(owner, name, broken)

    yield put
    assert all(effects.values()), f"faults without effect: {[place for place, seen in effects.items() if not seen]}"
